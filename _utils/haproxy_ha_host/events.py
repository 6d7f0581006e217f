"""What the alert agent has left on this node, sent to the master."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import directories, files
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib.cluster import events, standing
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.errors import Failed
from saltext.pacemaker.live import machine, reading
from saltext.pacemaker.status import history

SPOOL = "/var/spool/haproxy_ha"
"""As in alert_spool.sh; the cluster's user can write there."""

_MOST_BYTES = 4096


def path() -> str:
    """Return where what was told is remembered."""
    return f"{files.STATE}/events.json"


def send(minion: Minion) -> list[Tree]:
    """
    Send what there is to tell, and return it: [{"tag", "data"}]. A line goes when the master has taken what it tells.

    Raises CommandExecutionError if the master does not take it, Pacemaker does not run here, or another process is
    sending.
    """
    with _spool() as place:
        names = sorted(name for name in os.listdir(place) if not name.startswith("."))
        known = _known() if names else None
        moving = minion.readable_settings().moving if names else ()
        addresses = {one.resource: one.address for one in moving}
        return [told for name in names if known for told in _send_one(minion, place, name, known, addresses)]


@contextlib.contextmanager
def _spool() -> Iterator[int]:
    """The directory, which nobody else sends from meanwhile."""
    try:
        with directories.opened(SPOOL) as place:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield place
    except BlockingIOError:
        raise CommandExecutionError("another process is sending what the cluster has told") from None
    except FileNotFoundError:
        raise CommandExecutionError(f"{SPOOL} is not there: pillar's haproxy_ha:cluster:events makes it") from None


def _known() -> events.Known:
    """What the cluster knows now."""
    try:
        cluster, cib = reading.status(machine.HERE), reading.tree(reading.text(machine.HERE))
        me = reading.node_name(machine.HERE)
    except Failed as problem:
        raise CommandExecutionError(f"what the cluster has told waits for Pacemaker: {problem}") from None
    nodes = cluster["nodes"]
    used = {name: history.uses(cib, name) for name in standing.addresses(cluster["resources"])}
    return events.Known(
        me=me,
        members=[name for name, flags in nodes.items() if flags.get("online")],
        planned=[name for name, flags in nodes.items() if not flags.get("online") and not flags.get("expected_up")],
        reasons={one["resource"]: one["reason"] for one in cluster["failures"] if one["node"] == me},
        used={name: {node: when for node, when in found.items() if node != me} for name, found in used.items()},
    )


def _send_one(
    minion: Minion, place: int, name: str, known: events.Known, addresses: Mapping[str, str | None]
) -> Iterator[Tree]:
    memory = _memory()
    alert = events.read(_line(place, name))
    event = events.made_of(alert, memory, known) if alert else None
    if event:
        data = {**event.data, "address": _address(event, addresses)}
        if not minion.salt["event.send"](event.tag, data):
            raise CommandExecutionError(f"the master does not take {event.tag}; it stays in {SPOOL}")
        yield {"tag": event.tag, "data": data}
    files.put_private(path(), json.dumps(vars(memory)))
    _discard(place, name)


def _address(event: events.Event, addresses: Mapping[str, str | None]) -> str | None:
    """That of the floating IP of which an event tells, else the first."""
    return addresses.get(event.data.get("resource", ""), next(iter(addresses.values()), None))


def _discard(place: int, name: str) -> None:
    """Take it away, whatever somebody has put there."""
    try:
        os.unlink(name, dir_fd=place)
    except IsADirectoryError:
        shutil.rmtree(os.path.join(SPOOL, name))


def _memory() -> events.Memory:
    try:
        return events.Memory.of(json.loads(files.text(path()) or "null"))
    except ValueError:
        return events.Memory()


def _line(place: int, name: str) -> str:
    """What a file says, if it is one, and of the spool's owner: another's could be a link to what nobody is to see."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    except OSError:
        return ""
    try:
        status = os.fstat(descriptor)
        is_right = stat.S_ISREG(status.st_mode) and status.st_uid == os.fstat(place).st_uid
        return os.read(descriptor, _MOST_BYTES).decode(errors="replace") if is_right else ""
    finally:
        os.close(descriptor)
