"""The host's firewall: our rules in ufw, nftables or firewalld, now and after a boot."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from haproxy_ha_host import commands, files
from haproxy_ha_lib.files.entry import FileEntry
from haproxy_ha_lib.firewall import packet_filter as rules
from haproxy_ha_lib.types import Rule

Words = dict[str, list[str]]
"""Rules by the texts that stand for them."""

NFT_RULES = "/etc/haproxy_ha/firewall.nft"


class Ufw:
    """ufw(8). Its rules are kept by itself; they count once it is active."""

    program = "ufw"

    def named(self, entries: Iterable[Rule]) -> Words:
        """The rules for entries of the settings: {text that stands for a rule: its words}."""
        return {shlex.join(rule): rule for entry in entries for rule in rules.ufw_rules(entry)}

    def plan(self, wanted: Words) -> tuple[list[str], list[str]]:
        """(texts of our rules to add, texts of those to remove) for the ``wanted`` rules to be all of ours."""
        present = self._present()
        return [name for name in wanted if name not in present], [name for name in present if name not in wanted]

    def apply(self, wanted: Words) -> None:
        """Make our rules the ``wanted`` ones."""
        present = self._present()
        for name in wanted.keys() - present.keys():
            commands.succeed("ufw", *wanted[name])
        for name in present.keys() - wanted.keys():
            commands.succeed("ufw", "delete", *present[name])

    def active(self) -> bool:
        """Whether the rules count now."""
        return "Status: inactive" not in commands.succeed("ufw", "status")

    def _present(self) -> Words:
        return {shlex.join(rule): rule for rule in rules.ufw_present(commands.succeed("ufw", "show", "added"))}


@dataclass(frozen=True)
class Nftables:
    """
    nft(8). The rules go to the head of Debian's own input chain, and into a file that its configuration includes. Where
    that chain is not loaded nothing is filtered: then the file alone is kept, and counts once the service loads it.

    conf
        What the service loads.
    """

    conf: str

    program = "nft"

    def named(self, entries: Iterable[Rule]) -> Words:
        """As in :class:`Ufw`."""
        return {rules.nft_comment(rule): rule for entry in entries for rule in rules.nft_rules(entry)}

    def plan(self, wanted: Words) -> tuple[list[str], list[str]]:
        """As in :class:`Ufw`. A rule is there when it counts now and will after a boot."""
        return _differences(wanted, self._kept(), self._loaded())

    def apply(self, wanted: Words) -> None:
        """As in :class:`Ufw`."""
        loaded = self._loaded()
        if loaded is not None:
            for name in loaded.keys() - wanted.keys():
                commands.succeed("nft", "delete", "rule", *rules.NFT_CHAIN, "handle", str(loaded[name]))
            for name in wanted.keys() - loaded.keys():
                commands.succeed("nft", "insert", "rule", *rules.NFT_CHAIN, *wanted[name])
        self._keep(wanted)

    def active(self) -> bool:
        """As in :class:`Ufw`."""
        return self._loaded() is not None

    def _loaded(self) -> dict[str, int] | None:
        """Our rules in the kernel: {text: handle}; None where there is no chain to put rules into."""
        code, output = commands.run(["nft", "--json", "--handle", "list", "chain", *rules.NFT_CHAIN])
        return None if code else rules.nft_present(output)

    def _kept(self) -> dict[str, None]:
        """Our rules in the file, if the configuration includes it: {text: None}."""
        included = (files.text(self.conf) or "").splitlines()
        return rules.nft_kept(files.text(NFT_RULES) or "") if self._include() in included else {}

    def _include(self) -> str:
        return f'include "{NFT_RULES}"'

    def _keep(self, wanted: Words) -> None:
        lines = [" ".join(["insert", "rule", *rules.NFT_CHAIN, *rule]) for rule in wanted.values()]
        files.install({NFT_RULES: FileEntry("\n".join(lines) + "\n") if lines else None}, 0o700)
        present = files.read(self.conf)
        if present:
            others = [line for line in (present.content or "").splitlines() if line != self._include()]
            content = "\n".join([*others, *([self._include()] if lines else [])]) + "\n"
            files.install({self.conf: replace(present, content=content)})


class Firewalld:
    """
    firewalld(1). Our rules are a policy, which holds for what comes to this machine from any zone: whatever zone an
    interface is in, and whoever moves it. Another's rules are not in it.
    """

    program = "firewall-cmd"

    def named(self, entries: Iterable[Rule]) -> Words:
        """As in :class:`Ufw`."""
        return {rule: [rule] for entry in entries for rule in rules.firewalld_rules(entry)}

    def plan(self, wanted: Words) -> tuple[list[str], list[str]]:
        """As in :class:`Nftables`."""
        return _differences(wanted, self._rules(self._kept()), self._rules(_RUNNING) if self.active() else None)

    def apply(self, wanted: Words) -> None:
        """As in :class:`Ufw`. A policy that is new needs a reload, which ends what others have not kept."""
        kept = self._kept()
        if wanted:
            self._make_policy(kept)
            self._change(kept, wanted)
        elif self._has_policy(kept):
            commands.succeed(*kept, f"--delete-policy={rules.FIREWALLD_POLICY}")
        if not self.active():
            return
        if wanted and not self._has_policy(_RUNNING):
            commands.succeed(*_RUNNING, "--reload")
        self._change(_RUNNING, wanted)

    def active(self) -> bool:
        """As in :class:`Ufw`."""
        return bool(commands.program(self.program)) and not commands.run([*_RUNNING, "--state"])[0]

    def _kept(self) -> tuple[str, ...]:
        """The command for what counts after a boot."""
        return (*_RUNNING, "--permanent") if self.active() else ("firewall-offline-cmd",)

    def _has_policy(self, command: tuple[str, ...]) -> bool:
        return rules.FIREWALLD_POLICY in commands.succeed(*command, "--get-policies").split()

    def _make_policy(self, kept: tuple[str, ...]) -> None:
        if not self._has_policy(kept):
            commands.succeed(*kept, f"--new-policy={rules.FIREWALLD_POLICY}")
        for zone in ("--add-ingress-zone=ANY", "--add-egress-zone=HOST"):
            commands.succeed(*kept, _POLICY, zone)

    def _rules(self, command: tuple[str, ...]) -> dict[str, None]:
        """Our rules there: {text: None}."""
        code, output = commands.run([*command, _POLICY, "--list-rich-rules"])
        return {} if code else dict.fromkeys(filter(None, output.splitlines()))

    def _change(self, command: tuple[str, ...], wanted: Words) -> None:
        present = self._rules(command)
        options = [
            *(f"--add-rich-rule={rule}" for rule in wanted if rule not in present),
            *(f"--remove-rich-rule={rule}" for rule in present if rule not in wanted),
        ]
        for option in options:
            commands.succeed(*command, _POLICY, option)


_RUNNING = ("firewall-cmd",)
_POLICY = f"--policy={rules.FIREWALLD_POLICY}"


def _differences(
    wanted: Words, kept: Mapping[str, Any], loaded: Mapping[str, Any] | None
) -> tuple[list[str], list[str]]:
    """What to add and to remove, where a rule is there when it counts now, if anything does, and will after a boot."""
    counting = kept if loaded is None else loaded
    return (
        [name for name in wanted if name not in kept or name not in counting],
        [name for name in {**kept, **counting} if name not in wanted],
    )


Backend: TypeAlias = Ufw | Nftables | Firewalld


def backends(paths: Mapping[str, str]) -> dict[str, Backend]:
    """Each kind of firewall, by its name in pillar."""
    return {"ufw": Ufw(), "nftables": Nftables(paths["nftables_conf"]), "firewalld": Firewalld()}
