"""The resident watcher: looks several times a second at what a monitor sees every few seconds.

Runs as haproxy_ha-watch.service. It ends a HAProxy that hangs, so that systemd starts it anew in place, and tells the
cluster by transient node attributes that clients do not come to this node, that maintenance of it is announced, or that
it stood still, so that what it took from others before counts no more; what it took itself it tells again when others
are back. It does nothing else, and everything works
without it, slower.

Usage: watch.py RESOURCE [FLOATING_IP]
"""

import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import agent  # noqa: E402
import disowned  # noqa: E402
import listeners  # noqa: E402
import reach  # noqa: E402
import worker  # noqa: E402
from announced import Announced, Sources, attend  # noqa: E402
from echoes import Echoes  # noqa: E402
from hanging import Keeper  # noqa: E402
from retold import Retold  # noqa: E402
from seen import Seen  # noqa: E402
from systemd_unit import primitive  # noqa: E402
from told import Told  # noqa: E402
from watched import Watched  # noqa: E402
from way import Way  # noqa: E402

ATTRIBUTE = "haproxy_ha-cut-off"  # as _utils/haproxy_ha_lib/cluster/objects.py has it
STEP, SHORT_STEP = 0.2, 0.1  # seconds between two looks at the way; while the cluster is coming together
LOOK = 0.5  # seconds between two looks at HAProxy
STOOD_STILL = 0.6  # seconds without a look: what was to be heard meanwhile says nothing
ROUTES = 1.0  # seconds for which the gateway is remembered
LOST = "-1000"  # less than a node that reaches nothing loses, more than stickiness
ANNOUNCED = "-300"  # less than one backend of three, more than stickiness
# Other nodes may lose it at the same moment, which moves nothing. What comes back does so less regularly: neighbours
# are asked for once a second (arp(7)).
TOGETHER, BACK_TOGETHER, AT_ONCE = "700ms", "5s", "0"
BEAT = 2.0  # seconds between two words to systemd, which waits for ten
HUNG = 30.0  # seconds for one look at HAProxy, after which systemd is to start the watcher anew


def main(arguments):
    """Looks until it is ended."""
    resource, *addresses = arguments
    directory = os.environ.get("HA_RSCTMP") or "/run/resource-agents"
    beat = Beat()
    threading.Thread(target=keep, args=(Watched(resource, directory), beat), daemon=True).start()
    announced, sources = None, Sources()
    if sources:
        announced = Announced(sources)
        threading.Thread(target=attend, args=(Watched(resource, directory), announced), daemon=True).start()
    watch_way(Look(Watched(resource, directory), addresses, announced=announced), beat)


class Beat:
    """What systemd is told: that both threads go on (sd_notify(3))."""

    def __init__(self):
        self._path = os.environ.get("NOTIFY_SOCKET", "")
        self.kept, self._told = time.monotonic(), 0.0

    def tell(self, text):
        if self._path:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                connection.sendto(text.encode(), self._path.replace("@", "\0", 1))

    def goes_on(self, now):
        if now - self.kept < HUNG and now - self._told >= BEAT:
            self._told = now
            self.tell("WATCHDOG=1")


def keep(watched, beat):
    """Looks at HAProxy, for ever."""
    keeper = Keeper()
    while True:
        env = watched.environment()
        try:
            done = keeper.look(env) if env else ""
        except Exception as error:  # noqa: BLE001 - a slip of ours must not end the other half
            done = f"unexpected {type(error).__name__}: {error} (a defect of the watcher: please report it)"
        if done:
            agent.log(done)
        beat.kept = time.monotonic()
        time.sleep(LOOK)


def watch_way(look, beat):
    """Looks at the way of clients, for ever."""
    beat.tell("READY=1")
    last = time.monotonic()
    while True:
        now = time.monotonic()
        look.at(now, now - last)
        beat.goes_on(now)
        last = now
        time.sleep(look.pause)


class Look:
    """All that is looked at on the way, and what was told of it.

    Args:
        watched (Watched): What a monitor has handed over.
        addresses (list): Floating addresses.
        echoes (Echoes): Default: new ones.
        announced (Announced): Default: None, nobody tells of maintenance.
    """

    def __init__(self, watched, addresses=(), echoes=None, announced=None):
        self._watched = watched
        self._echoes, self._announced = echoes or Echoes(), announced
        self._way, self.told, self._known = Way(), Told(ATTRIBUTE), Remembered()
        self._gateway, self._routes_read = "", 0.0
        self._retold = Retold(watched.directory)
        self._seen = {address: Seen(address, watched.directory) for address in addresses}

    def at(self, now, passed):
        """Looks once; `passed`: seconds since the last time."""
        if passed > STOOD_STILL:
            self._echoes.stand_still(passed)
            disowned.takeovers(self._watched.directory)
        self._retold.look()
        env = self._watched.environment()
        if not env:
            self._way = Way()
            return
        if now - self._routes_read >= ROUTES:
            # Where the route is gone, nothing comes from there either.
            self._gateway, self._routes_read = reach.gateway_of(env) or self._gateway, now
        self._echoes.hear(now)
        self._echoes.ask({self._gateway, *self._seen} - {""})
        for address, seen in self._seen.items():
            seen.tell(now, self._echoes.answered.get(address, 0.0))
        before = self._way.reason
        self._way.look(now, self._echoes.answered.get(self._gateway), self._known.gone(env))
        if self._way.reason != before:
            agent.log(self._way.reason or "the way to clients is there again")
        self._tell(now)

    @property
    def pause(self):
        """Seconds until the next look."""
        return SHORT_STEP if self._retold.is_soon else STEP

    def _tell(self, now):
        if self._way.reason:
            self.told.tell(now, LOST, TOGETHER if self._way.by_gateway else AT_ONCE)
        elif self._announced and self._announced.counts:
            self.told.tell(now, ANNOUNCED, AT_ONCE)
        else:
            self.told.tell(now, "0", BACK_TOGETHER)


class Remembered:
    """The listeners that a monitor has learnt, read anew when they have changed."""

    def __init__(self):
        self._seen, self._known = None, None

    def gone(self, env):
        """Those of the worker that serves whose address has left this machine, in words (list)."""
        known = self._read(env)
        found = listeners.gone(list(known.listeners.values())) if known else []
        if not found:
            return []
        serving, kernel = worker.serving(known.main), listeners.table() or {}
        # What has come meanwhile is for a monitor to learn.
        theirs = serving and known.is_of(serving)
        return [listeners.shown(one) for one in found if theirs and one.inode in kernel]

    def _read(self, env):
        try:
            seen = os.stat(worker.path_of(env, primitive(env)))
        except OSError:
            return None
        if (seen.st_ino, seen.st_mtime_ns) != self._seen:
            self._seen = seen.st_ino, seen.st_mtime_ns
            self._known = worker.Known(env, primitive(env))
        return self._known


if __name__ == "__main__":
    main(sys.argv[1:])
