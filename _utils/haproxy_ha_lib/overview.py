"""One screen that tells how a load balancer and its pair stand: what is found is laid out for people."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.haproxy import runtime
from haproxy_ha_lib.types import Tree

_WIDTH = 110
_LABEL = 14
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_MOST_THINGS = 2


def lay_out(found: Tree, said: Collection[str] = ()) -> str:
    """
    Return the screen as text.

    found
        What ``haproxy_ha_host.overview.find`` returned.
    said : ``()``
        Notes that people have read already.
    """
    now = found["time"]
    lines = [f"{found['minion']}, {_moment(now)}, haproxy_ha {found['version']}", ""]
    rows = [
        ("Role", [", ".join(role.replace("_", " ") for role in found["roles"]) or "none"]),
        ("Services", [f"{name} {'runs' if runs else 'does not run'}" for name, runs in found["services"].items()]),
        ("Address", _address(found, now)),
        ("Nodes", _nodes(found, now)),
        ("HAProxy", [_haproxy(found["haproxy"])] if found["haproxy"] else []),
        ("Servers", _servers(found["servers"])),
        ("Certificates", found["certificates"]),
        ("API", [found["api"]] if found["api"] else []),
        ("Fencing", [found["fencing"]] if found["fencing"] else []),
        ("Changed", _changed(found, now)),
    ]
    for label, texts in rows:
        lines += _row(label, texts)
    return "\n".join([*lines, "", *_verdict(found["notes"], said)])


def of_pair(answers: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what load balancers answered, and a text for each that pillar names and that did not: {minion id: answer}.

    answers
        What minions answered to ``haproxy_ha.overview data=True``: {minion id: data, or a text that says what failed}.
    """
    told = {name: found for name, found in answers.items() if not _is_data(found) or "load_balancer" in found["roles"]}
    named = {node for found in told.values() if _is_data(found) for node in found["nodes"]}
    return {**dict.fromkeys(sorted(named - told.keys()), "does not answer"), **told}


def awaited(asked: Iterable[str], answers: Mapping[str, Any]) -> set[str]:
    """
    Return who has not answered and may be a load balancer that will: neither a node that the others say is offline, nor
    one of their app servers.

    asked
        The minions that were asked.
    answers
        As for :func:`of_pair`.
    """
    told = [found for found in answers.values() if _is_data(found)]
    offline = {node for found in told for node in found["cluster"].get("offline", ())}
    behind = {row["server"] for found in told for row in found["servers"]} - {
        node for found in told for node in found["nodes"]
    }
    return {*asked} - answers.keys() - offline - behind


def _is_data(found: Any) -> bool:
    return isinstance(found, Mapping)


def together(pair: Mapping[str, Tree]) -> str:
    """
    Return the screens of several load balancers as one text: what is the same for all stands once, by the first.

    pair
        What :func:`of_pair` returned.
    """
    if not pair:
        return "no load balancer has answered"
    screens = []
    said: set[str] = set()
    for name, found in sorted(pair.items()):
        if not _is_data(found):
            screens.append(f"{name}\n\n  {found}")
            continue
        screens.append(lay_out(found, said))
        said.update(found["notes"])
    return "\n\n".join(screens)


def _row(label: str, texts: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for text in texts:
        lines += textwrap.wrap(text, _WIDTH - _LABEL, subsequent_indent="  ", break_on_hyphens=False)
    return [f"  {label if at == 0 else '':<{_LABEL - 2}}{line}" for at, line in enumerate(lines)]


def _address(found: Tree, now: float) -> Iterator[str]:
    for name, addresses in found.get("addresses", {}).items() if _is_told(found["cluster"]) else ():
        nodes = found["cluster"].get("addresses", {}).get(name, [])
        since = [f"{node}{_since(found['since'].get(name, {}).get(node), now)}" for node in nodes]
        if addresses:
            yield f"{', '.join(standing.some(addresses))} is on {', '.join(since) or 'no node'}"


def _nodes(found: Tree, now: float) -> Iterator[str]:
    cluster = found["cluster"]
    if not _is_told(cluster):
        return
    for name in found["nodes"]:
        words = [word for word in ("offline", "standby", "maintenance") if name in cluster.get(word, ())] or ["online"]
        runs = name in cluster.get("haproxy", ())
        since = _since(found["since"].get(standing.HAPROXY, {}).get(name), now)
        yield f"{name}: {', '.join([*words, f'HAProxy runs{since}' if runs else 'no HAProxy'])}"


def _is_told(cluster: Tree) -> bool:
    """Whether the cluster tells how it stands."""
    return "active" in cluster


def _since(start: float | None, now: float) -> str:
    return "" if start is None else f" since {_moment(start)} ({span(now - start)})"


def _haproxy(here: Tree) -> str:
    if "problem" in here:
        return f"here: {here['problem']}"
    return f"here: {here['version']}, up {span(here['uptime'])}, {here['connections']} connections"


def _servers(rows: Sequence[runtime.Row]) -> Iterator[str]:
    """How many are up in each backend, and each that is not; a machine that is ill in many backends is told once."""
    backends: dict[str, list[runtime.Row]] = {}
    for row in rows:
        backends.setdefault(row["backend"], []).append(row)
    for name, servers in backends.items():
        up = sum(map(runtime.is_up, servers))
        yield f"{name}: {up} of {len(servers)} up"
    ill: dict[tuple[str, str, str], list[runtime.Row]] = {}
    for row in rows:
        if not runtime.is_up(row):
            ill.setdefault((row["server"], row["status"], row["check"]), []).append(row)
    yield from standing.some(_ill(*who, servers) for who, servers in ill.items())


def _ill(server: str, status: str, check: str, rows: Sequence[runtime.Row]) -> str:
    longest = max(row["seconds"] for row in rows)
    where = ", ".join(standing.some([row["backend"] for row in rows], 3))
    return f"{server} is {status} for {span(longest)} in {where}{f' ({check})' if check else ''}"


def _changed(found: Tree, now: float) -> Iterator[str]:
    last = found["changed"]
    if last:
        parts = [f"{part}{_things(things)}" for part, things in last["parts"].items()]
        yield f"here by the run of {_moment(last['time'])} ({span(now - last['time'])} ago): {', '.join(parts)}"
    if found["written"]:
        yield f"the cluster's configuration: {found['written']}"


def _things(things: Sequence[str]) -> str:
    if len(things) > _MOST_THINGS:
        return f" ({len(things)} changes)"
    return f" ({', '.join(things)})" if things else ""


def _verdict(notes: Sequence[str], said: Collection[str]) -> Iterator[str]:
    new = [note for note in notes if note not in said]
    if not notes:
        yield "All is well."
    elif new:
        yield f"{len(new)} to look at:"
    else:
        yield "What is to be looked at stands above."
    for note in new:
        yield from textwrap.wrap(f"- {note}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def span(seconds: float) -> str:
    """A span of time in its two largest units, such as ``3 h 5 min``."""
    rest = max(0, int(seconds))
    words: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not words):
            words.append(f"{count} {unit}")
        elif words:
            break
    return " ".join(words[:2])
