"""One run at a time checks, installs and reloads a daemon's files: a lock of this machine's, and who has it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import files, waiting

PATH = "/run/haproxy_ha/lock"
# A run drains servers for some seconds, and waits for a reload; more than this is no run that will end soon.
SECONDS = 120


@contextlib.contextmanager
def alone(what: str, timeout: float | None = None) -> Iterator[None]:
    """
    Nobody else is in such a block meanwhile, in whatever process. The kernel lets go of it when the process ends.

    what
        What is done, for those who have to wait (str).
    timeout : ``None``
        Seconds to wait for another one, :data:`SECONDS` by default. Raises CommandExecutionError, which names it, when
        they are over.
    """
    timeout = SECONDS if timeout is None else timeout
    os.makedirs(os.path.dirname(PATH), mode=0o700, exist_ok=True)
    descriptor = os.open(PATH, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not waiting.wait_for(lambda: _takes(descriptor), timeout):
            raise CommandExecutionError(f"{what}: another run has not ended within {timeout} s: {holder()}")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n{time.strftime('%Y-%m-%d %H:%M:%S %z')}\n{what}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _takes(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder() -> str:
    """Who has the lock, in words: its process, its command, since when and for what."""
    pid, since, what = ((files.text(PATH) or "").splitlines() + ["", "", ""])[:3]
    return f"process {pid} ({_command(pid)}), since {since}: {what}" if pid else "it has not said who it is"


def _command(pid: str) -> str:
    """A process's command without its options, among which a pillar may be."""
    words = (files.text(f"/proc/{pid}/cmdline") or "").split("\0")
    shown = [word for word in words if word and not word.startswith("-") and "=" not in word and word.isprintable()]
    return " ".join(os.path.basename(word) for word in shown)[:120] or "unknown"
