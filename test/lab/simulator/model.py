"""What DigitalOcean knows: droplets, reserved IPs and the actions on them."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from lab.simulator.faults import Faults


class Refused(Exception):
    """A request that the API answers with an error.

    Args:
        status (int): HTTP status.
        id (str): The error's `id`, for example `not_found`.
        message (str): The error's `message`.
    """

    def __init__(self, status: int, id: str, message: str):
        super().__init__(message)
        self.status, self.id, self.message = status, id, message


@dataclass
class Droplet:
    """One droplet. `anchor_ip` is None for a droplet from a custom image, which has none; `region` for the estate's."""

    id: int
    name: str
    public_ip: str | None = None
    private_ip: str | None = None
    anchor_ip: str | None = None
    public_ipv6: str | None = None
    tags: list[str] = field(default_factory=list)
    region: str | None = None
    status: str = "active"
    actions: list[Action] = field(default_factory=list)

    def target(self, ip: str) -> str | None:
        """Where the traffic of a reserved IP goes: the anchor IP, or the public one where there is none; that of an
        IPv6 address by the way of the droplet's own."""
        return self.public_ipv6 if ":" in ip else self.anchor_ip or self.public_ip

    @property
    def addresses(self) -> set[str]:
        return {address for address in (self.public_ip, self.private_ip, self.anchor_ip) if address}


@dataclass
class Action:
    """One action on a reserved IP."""

    id: int
    type: str
    ip: str  # "" for an action on a droplet
    droplet_id: int | None
    status: str = "in-progress"
    started_at: str = ""
    completed_at: str | None = None
    hidden: bool = False
    stuck: bool = False


@dataclass
class ReservedIP:
    """One reserved IP and the droplet that owns it; `region` is None for the estate's."""

    ip: str
    droplet_id: int | None = None
    region: str | None = None
    actions: list[Action] = field(default_factory=list)

    @property
    def ipv6(self) -> bool:
        return ":" in self.ip

    @property
    def locked(self) -> bool:
        return any(action.status == "in-progress" for action in self.actions)


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_command(command: list[str]) -> Callable[..., None]:
    """A hook that runs the command with its arguments; a failure raises, and fails the action."""

    def hook(*arguments: str) -> None:
        # Open files pass on: they may be what the command is to enter.
        subprocess.run(
            [*command, *arguments], close_fds=False, check=True, timeout=30, stdin=subprocess.DEVNULL, stdout=sys.stderr
        )

    return hook


class Estate:
    """Droplets and reserved IPs of one account.

    Args:
        droplets (list[dict]): Fields of Droplet.
        reserved_ips (list[dict]): `ip`, `droplet_id`, `region`.
        region (str): Region slug of what names none.
        on_power (callable): Called with the droplet's name, and `power-off` before that is the status, or `power-on`
            once its firmware and kernel have started, `boot_seconds` after that is the status.
        on_assign (callable): Called with the reserved IP, the new owner's target and the old owner's (or "none") before
            the owner changes; an exception makes the action `errored`.
        timer (type): What lets time pass before an action ends. Default: threading's.
    """

    def __init__(
        self, droplets, reserved_ips, region="nyc3", on_assign=None, on_power=None, timer=threading.Timer
    ):  # fmt: skip
        self.droplets = {entry["id"]: Droplet(**entry) for entry in droplets}
        self.reserved_ips = {
            entry["ip"]: ReservedIP(entry["ip"], entry.get("droplet_id"), entry.get("region")) for entry in reserved_ips
        }
        self.region = region
        # What the account has brought along, as the API shows it; an address of it is known once it was assigned.
        self.prefixes: list[dict] = []
        self.on_assign = on_assign or (lambda ip, new, old: None)
        self.on_power = on_power or (lambda action, name: None)
        self.power_seconds = 0.0
        self.boot_seconds = 0.0
        self.faults = Faults()
        self.assign_seconds = 0.0
        self.api_seconds = 0.0
        self.counts: Counter[str] = Counter()
        self.moves: list[dict] = []
        self.lock = threading.RLock()
        self._count_lock = threading.Lock()
        self._ids = itertools.count(900001)
        self._timer = timer
        self._timers: set[threading.Timer] = set()
        self._first_owners = {ip: reserved.droplet_id for ip, reserved in self.reserved_ips.items()}

    def count(self, *names: str) -> None:
        """Counts a call under each of the names."""
        with self._count_lock:
            self.counts.update(names)

    def route(self) -> None:
        """Makes the traffic agree with the owners, as at the start."""
        for reserved in self.reserved_ips.values():
            self.on_assign(reserved.ip, self._target(reserved.ip, reserved.droplet_id), "none")

    def region_of(self, thing: Droplet | ReservedIP) -> str:
        """The region of a droplet or an address."""
        return thing.region or self.region

    def change(self, droplet_id: int, name: str | None = None, region: str | None = None) -> None:
        """Gives a droplet another name, or another region."""
        with self.lock:
            droplet = self.droplet(droplet_id)
            droplet.name, droplet.region = name or droplet.name, region or droplet.region

    def readdress(self, droplet_id: int, anchor_ip: str | None) -> None:
        """Gives a droplet another anchor IP, or none; the traffic of an address that it owns follows."""
        with self.lock:
            droplet = self.droplet(droplet_id)
            old = {ip: droplet.target(ip) for ip in self.reserved_ips}
            droplet.anchor_ip = anchor_ip
            for ip, reserved in self.reserved_ips.items():
                if reserved.droplet_id == droplet_id and droplet.target(ip) != old[ip]:
                    self.on_assign(ip, droplet.target(ip) or "none", old[ip] or "none")

    def droplet(self, id: int) -> Droplet:
        if id not in self.droplets:
            raise Refused(404, "not_found", "The resource you were accessing could not be found.")
        return self.droplets[id]

    def droplet_at(self, address: str) -> Droplet | None:
        """The droplet that has this source address."""
        return next((droplet for droplet in self.droplets.values() if address in droplet.addresses), None)

    def reserved_ip(self, ip: str) -> ReservedIP:
        if ip not in self.reserved_ips:
            raise Refused(404, "not_found", "The resource you were accessing could not be found.")
        return self.reserved_ips[ip]

    def owned_by(self, droplet: Droplet, ipv6: bool = False) -> ReservedIP | None:
        """A droplet can have one of each family."""
        found = (one for one in self.reserved_ips.values() if one.droplet_id == droplet.id and one.ipv6 == ipv6)
        return next(found, None)

    def action(self, id: int, ip: str | None = None) -> Action:
        for reserved in self.reserved_ips.values():
            for action in reserved.actions:
                if action.id == id and not action.hidden and ip in (None, reserved.ip):
                    return action
        raise Refused(404, "not_found", "The resource you were accessing could not be found.")

    def act(self, ip: str, type: str, droplet_id: int | None = None) -> Action:
        """Starts an action as the API does: the answer says `in-progress`, the owner changes `assign_seconds` later,
        for none before the answer.

        Args:
            ip (str): The reserved IP.
            type (str): `assign` or `unassign`.
            droplet_id (int): The new owner, for `assign`.

        Raises:
            Refused: 404 for an unknown address or droplet, 422 for what cannot be done now.
        """
        with self.lock:
            reserved = self.reserved_ip(ip)
            if type == "assign":
                self._check_assign(reserved, self.droplet(droplet_id))
            elif reserved.droplet_id is None:
                raise Refused(422, "unprocessable_entity", "The reserved IP is not assigned to a droplet.")
            elif reserved.locked:
                raise Refused(422, "unprocessable_entity", "The floating IP already has a pending event.")
            action = Action(next(self._ids), f"{type}_ip", ip, droplet_id, started_at=now())
            reserved.actions.append(action)
            self.count("assigns" if type == "assign" else "unassigns")
            fate = self.faults.take("assign")
            action.hidden = bool(fate and fate.kind == "action_404")
            action.stuck = bool(fate and fate.kind == "stuck")
            how = fate.kind if fate else ""
            if self.assign_seconds and not action.stuck:
                self._later(self.assign_seconds, self._finish, action, how)
            elif not action.stuck:
                self._finish(action, how)
            return action

    def power(self, droplet_id: int, type: str) -> Action:
        """Starts a power action: the droplet has its new status `power_seconds` later.

        Raises:
            Refused: 404 for an unknown droplet, 422 for an action that is unknown or pending.
        """
        with self.lock:
            droplet = self.droplet(droplet_id)
            if type not in ("power_off", "power_on"):
                raise Refused(422, "unprocessable_entity", "You specified an invalid action.")
            if any(action.status == "in-progress" for action in droplet.actions) or self.faults.take("power_pending"):
                raise Refused(422, "unprocessable_entity", "Droplet already has a pending event.")
            action = Action(next(self._ids), type, "", droplet_id, started_at=now())
            droplet.actions.append(action)
            self.count(type)
            if not self.faults.take("power"):
                self._later(self.power_seconds, self._finish_power, droplet, action)
            return action

    def _finish_power(self, droplet: Droplet, action: Action) -> None:
        if action.type == "power_off":
            self.on_power("power-off", droplet.name)
        with self.lock:
            droplet.status = {"power_off": "off", "power_on": "active"}[action.type]
            action.status, action.completed_at = "completed", now()
            if action.type == "power_on":
                self._later(self.boot_seconds, self._boot, droplet)

    def _boot(self, droplet: Droplet) -> None:
        if droplet.status == "active":
            self.on_power("power-on", droplet.name)

    def assign(self, ip: str, droplet_id: int | None) -> None:
        """Moves an address at once, as another person does in the control panel.

        Raises:
            Refused: 404 for an unknown address or droplet.
        """
        with self.lock:
            reserved = self.reserved_ip(ip)
            if droplet_id is not None:
                self.droplet(droplet_id)
            self._move(reserved, droplet_id)

    def clear(self) -> None:
        """Removes every fault; an action that one of them held up ends as `errored`."""
        with self.lock:
            self.faults.clear()
            for reserved in self.reserved_ips.values():
                for action in reserved.actions:
                    if action.stuck and action.status == "in-progress":
                        action.status, action.completed_at = "errored", now()

    def reset(self, owners: bool = False) -> None:
        """Clears faults, delays, counters and unfinished actions; with `owners` the first owners come back too."""
        with self.lock:
            self.faults.clear()
            self.assign_seconds = self.api_seconds = self.power_seconds = 0.0
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
            for droplet in self.droplets.values():
                droplet.status = "active"
                droplet.actions.clear()
            for reserved in self.reserved_ips.values():
                for action in reserved.actions:
                    if action.status == "in-progress":
                        action.status, action.completed_at = "errored", now()
                if owners and reserved.droplet_id != self._first_owners[reserved.ip]:
                    self._move(reserved, self._first_owners[reserved.ip])
            self.counts.clear()
            self.moves.clear()

    def state(self) -> dict:
        """Owners, moves (times in seconds since the epoch), actions, delays, faults and counts, for tests."""
        with self.lock:
            return {
                "owners": {ip: reserved.droplet_id for ip, reserved in self.reserved_ips.items()},
                "owner_names": {
                    ip: self.droplets[reserved.droplet_id].name if reserved.droplet_id else None
                    for ip, reserved in self.reserved_ips.items()
                },
                "droplets": {droplet.name: droplet.status for droplet in self.droplets.values()},
                "locked": [ip for ip, reserved in self.reserved_ips.items() if reserved.locked],
                "moves": list(self.moves),
                "actions": [vars(action) for reserved in self.reserved_ips.values() for action in reserved.actions],
                "delay": {"assign_seconds": self.assign_seconds, "api_seconds": self.api_seconds},
                "faults": self.faults.describe(),
                "counts": {"calls": 0, "writes": 0, "assigns": 0, "moves": 0, "metadata": 0, **self.counts,
                           "faults": self.faults.taken},
            }

    def _check_assign(self, reserved: ReservedIP, droplet: Droplet) -> None:
        pending = self.faults.take("pending")
        if reserved.locked or (pending and pending.kind == "pending_ip"):
            raise Refused(422, "unprocessable_entity", "The floating IP already has a pending event.")
        if pending or any(
            action.status == "in-progress" and action.droplet_id == droplet.id
            for other in self.reserved_ips.values()
            for action in other.actions
        ):
            raise Refused(422, "unprocessable_entity", "Droplet already has a pending event.")
        if self.owned_by(droplet, reserved.ipv6):
            raise Refused(422, "unprocessable_entity", "The droplet already has a reserved IP assigned.")
        if self.region_of(reserved) != self.region_of(droplet):
            raise Refused(422, "unprocessable_entity", "The reserved IP and the droplet are in different regions.")

    def _later(self, seconds: float, function, *arguments) -> None:
        timer = self._timer(seconds, lambda: (self._timers.discard(timer), function(*arguments)))
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    def _finish(self, action: Action, fate: str) -> None:
        status = {"errored": "errored", "done": "done"}.get(fate, "completed")
        with self.lock:
            if action.status != "in-progress":
                return
            if fate not in ("errored", "unchanged"):
                try:
                    self._move(self.reserved_ips[action.ip], action.droplet_id)
                except (OSError, subprocess.SubprocessError) as error:
                    print(f"assign command: {error}", file=sys.stderr, flush=True)
                    status = "errored"
            action.status, action.completed_at = status, now()

    def _move(self, reserved: ReservedIP, droplet_id: int | None) -> None:
        begin = time.time()
        new, old = (self._target(reserved.ip, one) for one in (droplet_id, reserved.droplet_id))
        self.on_assign(reserved.ip, new, old)
        reserved.droplet_id = droplet_id
        self.moves.append({"ip": reserved.ip, "droplet_id": droplet_id, "begin": begin, "end": time.time()})
        self.count("moves")

    def _target(self, ip: str, droplet_id: int | None) -> str:
        return (self.droplets[droplet_id].target(ip) if droplet_id else None) or "none"


class RateLimit:
    """The API's sliding windows: so many requests an hour and a minute for each token.

    Args:
        hour (int): Requests an hour.
        minute (int): Requests a minute.
        clock (callable): Seconds since the epoch.
    """

    def __init__(self, hour: int = 5000, minute: int = 250, clock: Callable[[], float] = time.time):
        self.hour, self.minute, self._clock = hour, minute, clock
        self._seen: dict[str, list[float]] = {}

    def take(self, token: str) -> tuple[dict[str, str], bool]:
        """Counts one request: the headers to answer with, and whether it is allowed."""
        now = self._clock()
        seen = self._seen[token] = [moment for moment in self._seen.get(token, ()) if moment > now - 3600]
        last_minute = [moment for moment in seen if moment > now - 60]
        allowed = len(seen) < self.hour and len(last_minute) < self.minute
        if allowed:
            seen.append(now)
        headers = {
            "ratelimit-limit": str(self.hour),
            "ratelimit-remaining": str(self.hour - len(seen)),
            "ratelimit-reset": str(int((seen[0] if seen else now) + 3600)),
        }
        if len(last_minute) >= self.minute:
            headers["retry-after"] = str(max(1, int(last_minute[0] + 60 - now)))
        return headers, allowed
