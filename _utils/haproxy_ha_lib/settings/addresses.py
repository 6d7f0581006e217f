"""
Which address belongs to which machine: pillar says, or this machine's metadata service, or the mine for the others.

Pure: what the metadata service and the mine say is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from haproxy_ha_lib import provider, values
from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.pillar.shape import Missing, shown
from haproxy_ha_lib.settings import floating
from haproxy_ha_lib.types import Roles, Tree
from saltext.pacemaker import words
from saltext.pacemaker.errors import Problem

TABLES = {"load_balancers": "a load balancer", "app_servers": "an app server", "quorum_helper": "the quorum helper"}
"""The tables of machines in pillar, and what a machine of each is called."""

Metadata: TypeAlias = Mapping[str, Any] | Callable[[str], Mapping[str, Any] | None] | None
"""What this machine's metadata service says, or a function of its URL that asks it."""


class Answer(NamedTuple):
    """An address, or why there is none; and whether that is because nobody has said anything yet."""

    address: str | None
    reason: str | None = None
    is_silence: bool = False


NAMES = ("private_ip", "public_ip", "anchor_ip", "private_ipv6", "public_ipv6")


def share(read: Tree) -> list[Problem]:
    """
    Give a machine of several tables one set of addresses, which may be written in any of them. Changes the tables.

    Returns the problems: addresses that differ.
    """
    problems: list[Problem] = []
    for machine in dict.fromkeys(name for table in TABLES for name in read[table]):
        entries = {table: read[table][machine] for table in TABLES if machine in read[table]}
        for key in ("private_ip", "public_ip"):
            having = {table: entry for table, entry in entries.items() if key in entry}
            written = {table: entry[key] for table, entry in having.items() if entry[key]}
            first = next(iter(written), "")
            for table, address in written.items():
                if address != written[first]:
                    text = f"found {address}, but the same machine as {TABLES[first]} has {written[first]}"
                    problems.append(Problem((ROOT, table, machine, key), text))
            for entry in having.values() if first else ():
                entry[key] = written[first]
    return problems


def mine_members(tree: Any) -> list[str] | None:
    """
    Return whose addresses are asked of the mine (list of minion ids); None unless pillar asks for it.

    tree
        The tree below ``haproxy_ha`` in pillar, as it was written.
    """
    if not isinstance(tree, dict) or tree.get("mine") is not True:
        return None
    return [name for tier in TABLES if isinstance(tree.get(tier), dict) for name in tree[tier]]


def own(read: Tree, minion_id: str) -> Tree:
    """Return what is known of this machine from all tables: its addresses and its node_id, None where unknown."""
    entries = [read[table][minion_id] for table in TABLES if minion_id in read[table]]
    return {key: next((entry[key] for entry in entries if entry.get(key)), None) for key in (*NAMES, "node_id")}


def fill_in(
    read: Tree, minion_id: str, roles: Roles, metadata: Metadata, mine: Mapping[str, Any] | None
) -> tuple[list[Problem], list[str]]:
    """
    Fill in the addresses that this minion needs and pillar leaves out. Changes the tables of ``read``.

    A load balancer needs its own private and anchor IP and everyone's private IP; an app server and the quorum helper
    their own private IP and the load balancers'. A public IP is only shown, so an unknown one is a warning. A droplet
    without an anchor IP has its public IP in its place. A minion without a role needs none. Those of
    :func:`pool_members` are filled in by neighbours.fill_in.

    Returns (problems, warnings).
    """
    url, networks = read["floating_ip"]["metadata_url"], read["private_network"]
    service = _MetadataService(metadata, url, networks)
    neighbours = pool_members(read, minion_id)
    problems: list[Problem] = []
    warnings = []
    for table in TABLES:
        for machine, entry in read[table].items():
            is_own = machine == minion_id
            for key in _needed(read, table, is_own, roles):
                if entry[key] or machine in neighbours:
                    continue
                entry[key], reason, _ = service.own(key) if is_own else of_other(read, machine, key, mine)
                if key == "anchor_ip" and service.says_no_anchor():
                    entry[key] = entry["public_ip"] or service.own("public_ip").address
                    text = f"this droplet has none, so HAProxy binds its public IP {entry[key]}"
                    warnings.append(shown(Problem((ROOT, table, machine, key), text)))
                problem = Missing((ROOT, table, machine, key), f"missing: {reason}; set it here")
                if entry[key] is None and key == "public_ip" and not _links_publicly(read, table, roles):
                    warnings.append(shown(problem))
                elif entry[key] is None:
                    problems.append(problem)
    return problems, warnings


def _needed(read: Tree, table: str, is_own: bool, roles: Roles) -> list[str]:
    """The addresses of a machine of ``table`` that a minion with ``roles`` needs."""
    if not roles:
        return []
    if not is_own:
        linked = ["public_ip"] if _links_publicly(read, table, roles) else []
        return ["private_ip", *linked] if table == "load_balancers" or "load_balancer" in roles else []
    if table == "quorum_helper":
        return ["private_ip"]
    anchor = table == "load_balancers" and any(provider.arrives_at_anchor(one) for one in floating.moving(read))
    return ["private_ip", "anchor_ip", "public_ip"] if anchor else ["private_ip", "public_ip"]


def _links_publicly(read: Tree, table: str, roles: Roles) -> bool:
    """Whether the public addresses of this table are corosync's second link."""
    return read["cluster"]["second_link"] and table == "load_balancers" and "load_balancer" in roles


def pool_members(read: Tree, minion_id: str) -> list[str]:
    """The app servers that are other machines and nothing else, and whose address pillar leaves out."""
    others = {minion_id, *read["load_balancers"], *read["quorum_helper"]}
    return [name for name, entry in read["app_servers"].items() if name not in others and not entry["private_ip"]]


def of_other(read: Tree, machine: str, key: str, mine: Mapping[str, Any] | None) -> Answer:
    """Return an address of another machine by the mine; ``mine`` as in build.settings."""
    if mine is None or not read["mine"]:
        return Answer(None, f"{machine} is another machine, and {ROOT}:mine is false", is_silence=True)
    reason = (
        f"the mine has none of {machine} (mine function haproxy_ha.addresses; salt '*' saltutil.refresh_pillar and "
        "then salt '*' mine.update, which prints True, send it)"
    )
    sent = (mine.get(machine) if isinstance(mine, Mapping) else None) or {}
    if not isinstance(sent, dict):
        found = words.describe(sent)
        return Answer(None, f"the mine has {found} of {machine}, allowed: what haproxy_ha.addresses returns there")
    return _checked(key, sent.get(key), "the mine", reason, read["private_network"])


def _checked(key: str, value: Any, source: str, reason: str, networks: Sequence[str]) -> Answer:
    """Whoever says it: a machine could have traffic sent to any other host."""
    if value is None:
        return Answer(None, reason, is_silence=True)
    try:
        address = values.address(value)
    except values.Invalid as error:
        return Answer(None, f"{source} says {words.describe(value)}, allowed: {error}")
    if key == "private_ip" and not values.is_in(address, networks):
        return Answer(None, f"{source} says {address}, which is not in {ROOT}:private_network")
    return Answer(address)


class _MetadataService:
    """The metadata service, asked at most once and only when needed."""

    def __init__(self, metadata: Metadata, url: str, networks: Sequence[str]) -> None:
        self._metadata, self._url, self._networks = metadata, url, networks
        self._answer: tuple[Mapping[str, Any], str | None] | None = None

    def own(self, key: str) -> Answer:
        if self._answer is None:
            self._answer = self._ask()
        answer, reason = self._answer
        unknown = reason or "the metadata service does not know it"
        return _checked(key, answer.get(key), "the metadata service", unknown, self._networks)

    def says_no_anchor(self) -> bool:
        """Whether the metadata service knows this droplet, and no anchor IP of it: a droplet from a custom image."""
        answer = self._answer[0] if self._answer else {}
        return bool(answer.get("public_ip")) and not answer.get("anchor_ip")

    def _ask(self) -> tuple[Mapping[str, Any], str | None]:
        """Returns what the service says, and why it says nothing."""
        if not callable(self._metadata):
            return self._metadata or {}, None if self._metadata else "there is no metadata service"
        try:
            answer = self._metadata(self._url)
        except Exception as error:  # whatever stops the caller's function is the reason that the person needs
            return {}, f"the metadata service {self._url} did not answer ({error})"
        return answer or {}, None if answer else f"the metadata service {self._url} did not answer"
