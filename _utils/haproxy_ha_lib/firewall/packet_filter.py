"""
Rules of a host's firewall in the words of ufw(8), nft(8) and firewalld.richlanguage(5), and which of them are there.

Every rule of ours has a comment that begins with ``haproxy_ha: ``, or is in firewalld's policy of ours; only such rules
are ever looked at.
"""

from __future__ import annotations

import ipaddress
import json
import shlex

from haproxy_ha_lib.types import Rule

MARK = "haproxy_ha: "
NFT_CHAIN = ("inet", "filter", "input")
FIREWALLD_POLICY = "haproxy_ha"


def ufw_rules(entry: Rule) -> list[list[str]]:
    """
    The words after ``ufw`` for a rule of the settings (``haproxy_ha_lib.firewall.rules``), one list for each source.

    They stand in the order in which ``ufw show added`` prints them.
    """
    port, protocol, comment = str(entry["port"]), entry["protocol"], ["comment", entry["comment"]]
    if not entry["from"] and not entry["to"]:
        return [["allow", f"{port}/{protocol}", *comment]]
    to = ["to", entry["to"] or "any", "port", port, "proto", protocol]
    sources = [["from", source] for source in entry["from"] or []] or [[]]
    return [["allow", *source, *to, *comment] for source in sources]


def ufw_present(listing: str) -> list[list[str]]:
    """Our rules in the text of ``ufw show added``."""
    rules = [shlex.split(line)[1:] for line in listing.splitlines() if line.startswith("ufw ")]
    return [rule for rule in rules if len(rule) > 2 and rule[-2] == "comment" and rule[-1].startswith(MARK)]


def nft_rules(entry: Rule) -> list[list[str]]:
    """
    The words of nftables rules for a rule of the settings, one for each source.

    The comment says all of the rule, so that it alone tells whether the rule is there.
    """
    rules = []
    for source in entry["from"] or [None]:
        match, said = [], [entry["comment"]]
        for word, address in (("saddr", source), ("daddr", entry["to"])):
            if address:
                match += ["ip6" if ipaddress.ip_network(address).version == 6 else "ip", word, address]
            said.append(address or "any")
        match += [entry["protocol"], "dport", str(entry["port"])]
        comment = f"{said[0]} {said[1]} > {said[2]} {entry['protocol']}/{entry['port']}"
        rules.append([*match, "accept", "comment", json.dumps(comment)])
    return rules


def nft_present(listing: str) -> dict[str, int]:
    """Our rules in the JSON of ``nft --json list chain``: comment and handle."""
    rules = [item["rule"] for item in json.loads(listing)["nftables"] if "rule" in item]
    return {rule["comment"]: rule["handle"] for rule in rules if rule.get("comment", "").startswith(MARK)}


def nft_kept(text: str) -> dict[str, None]:
    """Our rules in the text of a file of ``nft`` commands, one a line: their comments as keys."""
    rules = [shlex.split(line) for line in text.splitlines()]
    return {rule[-1]: None for rule in rules if rule and rule[-1].startswith(MARK)}


def nft_comment(rule: list[str]) -> str:
    """The comment of a rule of :func:`nft_rules`."""
    return str(json.loads(rule[-1]))


def firewalld_rules(entry: Rule) -> list[str]:
    """The rich rules for a rule of the settings, one for each source, as firewalld prints them."""
    return [_rich_rule(entry, source) for source in entry["from"] or [None]]


def _rich_rule(entry: Rule, source: str | None) -> str:
    addresses = {"source": source, "destination": entry["to"]}
    known = {word: address for word, address in addresses.items() if address}
    family = [f'family="ipv{ipaddress.ip_network(address).version}"' for address in known.values()][:1]
    said = [f'{word} address="{address}"' for word, address in known.items()]
    return " ".join(["rule", *family, *said, f'port port="{entry["port"]}" protocol="{entry["protocol"]}"', "accept"])
