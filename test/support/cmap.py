"""What Corosync's map says of the nodes of its list, as corosync-cmapctl prints it."""

from __future__ import annotations

from collections.abc import Mapping


def text(nodes: Mapping[str, str], unnamed: int = 0, addresses: Mapping[str, str] | None = None) -> str:
    """Of nodes as {name: "member" or "lost"}, and of so many lost ones without a name; the first is the one asked.

    ``addresses`` {name: address} are those that are not in 192.0.2.0/24.
    """
    lines = ["nodelist.local_node_pos (u32) = 0"]
    for place, name in enumerate([*nodes, *[""] * unnamed]):
        number = place + 1
        lines.append(f"nodelist.node.{place}.nodeid (u32) = {number}")
        lines += [f"nodelist.node.{place}.name (str) = {name}"] if name else []
        lines += [f"nodelist.node.{place}.ring0_addr (str) = {(addresses or {}).get(name, f'192.0.2.{number}')}"]
        status = "joined" if nodes.get(name) == "member" else "left"
        lines += [f"runtime.members.{number}.ip (str) = r(0) ip(192.0.2.{number}) "]
        lines += [f"runtime.members.{number}.status (str) = {status}"]
    return "".join(f"{line}\n" for line in lines)


def stand_in(nodes: Mapping[str, str], unnamed: int = 0, addresses: Mapping[str, str] | None = None) -> str:
    """A program that prints it."""
    return f"#!/bin/sh\ncat <<'END'\n{text(nodes, unnamed, addresses)}END\n"
