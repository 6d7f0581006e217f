"""The host's firewall: our rules in ufw or in nftables, now and after a boot."""

import shlex

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import files, system
from haproxy_ha_lib import packet_filter as rules

NFT_CONF = "/etc/nftables.conf"
NFT_RULES = "/etc/haproxy_ha/firewall.nft"


class Ufw:
    """ufw(8). Its rules are kept by itself; they count once it is active."""

    program = "ufw"

    def named(self, entries):
        """The rules for entries of the settings: {text that stands for a rule: its words}."""
        return {shlex.join(rule): rule for entry in entries for rule in rules.ufw_rules(entry)}

    def present(self):
        """Our rules that are there: {text: whatever :meth:`apply` needs to remove it}."""
        return {shlex.join(rule): rule for rule in rules.ufw_present(system.succeed("ufw", "show", "added"))}

    def active(self):
        """Whether the rules count now."""
        return "Status: inactive" not in system.succeed("ufw", "status")

    def apply(self, wanted, present):
        """Make the rules that are there those that are wanted."""
        for name in wanted.keys() - present.keys():
            system.succeed("ufw", *wanted[name])
        for name in present.keys() - wanted.keys():
            system.succeed("ufw", "delete", *present[name])


class Nftables:
    """nft(8). The rules go to the head of Debian's own input chain, and into a file that its configuration includes."""

    program = "nft"

    def named(self, entries):
        """As in :class:`Ufw`."""
        return {rules.nft_comment(rule): rule for entry in entries for rule in rules.nft_rules(entry)}

    def present(self):
        """As in :class:`Ufw`. CommandExecutionError if there is no chain to put rules into."""
        code, output = system.run(["nft", "--json", "--handle", "list", "chain", *rules.NFT_CHAIN])
        if code:
            raise CommandExecutionError(
                f"nftables has no chain {' '.join(rules.NFT_CHAIN)} to put rules into; the distribution's {NFT_CONF} "
                "has it, and `systemctl enable --now nftables` loads that"
            )
        return rules.nft_present(output)

    def active(self):
        """As in :class:`Ufw`."""
        return True

    def apply(self, wanted, present):
        """As in :class:`Ufw`."""
        for name in present.keys() - wanted.keys():
            system.succeed("nft", "delete", "rule", *rules.NFT_CHAIN, "handle", str(present[name]))
        for name in wanted.keys() - present.keys():
            system.succeed("nft", "insert", "rule", *rules.NFT_CHAIN, *wanted[name])
        self._persist(wanted)

    def _persist(self, wanted):
        include = f'include "{NFT_RULES}"'
        lines = [" ".join(["insert", "rule", *rules.NFT_CHAIN, *rule]) for rule in wanted.values()]
        files.install({NFT_RULES: {"content": "\n".join(lines) + "\n"} if lines else None}, 0o700)
        present = files.read(NFT_CONF)
        if present:
            others = [line for line in present["content"].splitlines() if line != include]
            content = "\n".join([*others, *([include] if lines else [])]) + "\n"
            files.install({NFT_CONF: {**present, "content": content}})


BACKENDS = {"ufw": Ufw(), "nftables": Nftables()}
