"""What can be made to go wrong, and when."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

# Each kind belongs to the stage of a request at which it happens.
STAGES = {
    # Below or in place of the answer; chosen by service, method and path.
    "wire": (
        *("status", "html", "hang", "slow", "drip", "reset", "truncated", "invalid_json"),
        *("body", "headers", "bare"),
    ),
    # An assign that is refused with 422 for a while.
    "pending": ("pending_ip", "pending_droplet"),
    # An assign that is accepted and then goes wrong.
    "assign": ("stuck", "errored", "done", "action_404", "unchanged"),
    # A power action on a droplet that is refused with 422 for a while, or that is accepted and has no effect.
    "power_pending": ("power_pending",),
    "power": ("power_stuck",),
    # What a token without droplet:read sees of a reserved IP; an address that Hetzner has blocked.
    "owner": ("owner_null", "owner_absent", "blocked"),
    # The content of the metadata service.
    "metadata": ("stale", "no_anchor", "no_reserved_ip"),
    # What it announces.
    "maintenance": ("maintenance",),
}
KINDS = {kind: stage for stage, kinds in STAGES.items() for kind in kinds}


@dataclass
class Fault:
    """One fault.

    Args:
        kind (str): One of KINDS.
        service (str): `api` or `metadata`; for the kinds of the stage `wire`.
        method (str): Only requests with this method; any by default.
        path (str): Only requests whose path contains this text; any by default.
        times (int): How often it happens; until it is cleared by default.
        droplet_id (int): Only for this droplet; for the metadata service.
        status (int): HTTP status, for `status`. Default 500.
        id (str), message (str): The error's text, for `status`.
        headers (dict): Further headers, for `status`.
        seconds (float): How long a `hang` (default: until cleared) or `slow` (default 1) takes, and each byte of a
            `drip` (default 0.1).
        active (bool): What `stale` metadata says. Default true.
        ip (str): The address that `stale` metadata names. Default: the first reserved IP.
        body (str): What a `body` has in place of the answer, and `maintenance` says (default: live_migrate). Further
            kinds: `headers` without an end, and a `bare` body without a status line, as HTTP/0.9 had it.
    """

    kind: str
    service: str = "api"
    method: str | None = None
    path: str | None = None
    times: int | None = None
    droplet_id: int | None = None
    status: int = 500
    id: str = "server_error"
    message: str = "Unexpected server-side error"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None
    active: bool = True
    ip: str | None = None
    body: str = ""

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind: found {self.kind!r}, allowed: {', '.join(sorted(KINDS))}")

    def applies(self, stage: str, service: str | None, method: str, path: str, droplet_id: int | None) -> bool:
        return (
            KINDS[self.kind] == stage
            and self.times != 0
            and (service is None or self.service == service)
            and self.method in (None, method)
            and (self.path is None or self.path in path)
            and self.droplet_id in (None, droplet_id)
        )


class Faults:
    """The faults that are set, in the order in which they were set; the first that applies is taken."""

    def __init__(self):
        self._faults: list[Fault] = []
        self.taken = 0  # how often one of them has happened
        self._lock = threading.Lock()
        self._cleared = threading.Event()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Removes every fault and lets go of the requests that hang."""
        with self._lock:
            self._faults.clear()
            self._cleared.set()
            self._cleared = threading.Event()

    def take(self, stage: str, service=None, method="", path="", droplet_id=None) -> Fault | None:
        """The fault for this moment, counted; None when all is well."""
        with self._lock:
            for fault in self._faults:
                if fault.applies(stage, service, method, path, droplet_id):
                    if fault.times:
                        fault.times -= 1
                    self.taken += 1
                    return fault
        return None

    def wait(self, seconds: float | None) -> None:
        """Waits so long, or until the faults are cleared."""
        with self._lock:
            cleared = self._cleared
        cleared.wait(seconds)

    def describe(self) -> list[dict]:
        with self._lock:
            return [dict(vars(fault)) for fault in self._faults if fault.times != 0]
