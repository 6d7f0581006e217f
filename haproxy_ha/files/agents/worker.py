"""The process that serves: which one it is, what it listens on, whether it lives.

What a worker listens on is learnt once, when it has just begun, and remembered: a listener that goes later is missed.
"""

import os
import time
from collections import namedtuple

import agent
import listeners

# started: in ticks since the boot, so that an id that is used again is another process.
Process = namedtuple("Process", "pid started state parent ticks system_ticks")

TICK = os.sysconf("SC_CLK_TCK")
# A worker is not learnt for good before: its listeners may come one after the other.
SETTLED = 5.0
WATCHED, STEP = 0.5, 0.05  # seconds
# A thread that waits in one of these waits for events (epoll(7), poll(2), select(2)); "0": the kernel does not tell.
_FOR_EVENTS = ("ep_poll", "do_epoll_wait", "poll_schedule_timeout", "do_poll", "do_sys_poll", "do_select", "0", "")


def process(pid):
    """A process as the kernel has it; None when there is none, or only its remains."""
    return _parse_stat(agent.read_file(f"/proc/{pid}/stat")) if pid else None


def _parse_stat(text):
    """proc(5), /proc/PID/stat."""
    head, _, tail = (text or "").rpartition(")")
    fields = tail.split()
    if len(fields) < 20:
        return None
    said = head.split(" ", 1)[0], fields[1], fields[11], fields[12], fields[19]
    numbers = [agent.number(one, None) for one in said]
    state = fields[0]
    if None in numbers or state in "ZX":
        return None
    pid, parent, user, system, started = numbers
    return Process(pid, started, state, parent, user + system, system)


def is_stopped(found):
    """Whether a signal, or somebody who traces it, has stopped a process."""
    return found.state in "Tt"


def serving(main):
    """The process that serves, by what the kernel knows: the newest child of the main one, or that one alone.

    Args:
        main (int): The id of the main process.

    Returns:
        Process: None without one.
    """
    master = process(main)
    if not master:
        return None
    names = (agent.read_file(f"/proc/{main}/task/{main}/children") or "").split()
    program = agent.read_file(f"/proc/{main}/comm")
    children = [process(name) for name in names if name.isdigit() and agent.read_file(f"/proc/{name}/comm") == program]
    children = [child for child in children if child]
    if children:
        return max(children, key=lambda child: (child.started, child.pid))
    return None if _is_master(main) else master


def _is_master(main):
    words = (agent.read_file(f"/proc/{main}/cmdline") or "").split("\0")
    return bool({"-W", "-Ws", "-S"} & set(words))


# --- Whether it lives


def lives(pid, seconds=WATCHED):
    """Whether a process that does not answer is at work nevertheless; None when it gets no time of a processor.

    It is when one of its threads waits for events, when it takes connections, or when all that run work in the kernel
    too, as whoever serves does. A thread that turns in a circle does not, nor one that is stuck or frozen.

    Args:
        pid (int): The process.
        seconds (float): How long it is watched.
    """
    deadline = time.monotonic() + seconds
    before, mine, queues = _threads(pid), {}, {}
    while True:
        threads = _threads(pid)
        if not threads:
            return False
        kernel = listeners.table() or {}
        mine = mine or listeners.of_process(pid, kernel)
        now = {inode: kernel[inode].queue for inode in mine if inode in kernel}
        if any(now[inode] < queue for inode, queue in queues.items() if inode in now):
            return True
        queues = now
        if any(_waits_for_events(pid, thread) for thread in threads.values()):
            return True
        if time.monotonic() >= deadline:
            return _works([(before[key], thread) for key, thread in threads.items() if key in before], seconds * TICK)
        time.sleep(STEP)


def _works(changes, ticks):
    """Whether threads that were watched for some ticks worked; pairs of what they were and are."""
    ran = [(old, new) for old, new in changes if new.ticks - old.ticks >= ticks * 0.1]
    if ran:
        return all(new.system_ticks - old.system_ticks > (new.ticks - old.ticks) * 0.12 for old, new in ran)
    return None if any(new.state == "R" for _, new in changes) else False


def _threads(pid):
    """The threads of a process: {id: Process}."""
    try:
        names = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return {}
    found = (_parse_stat(agent.read_file(f"/proc/{pid}/task/{name}/stat")) for name in names)
    return {thread.pid: thread for thread in found if thread}


def _waits_for_events(pid, thread):
    if thread.state != "S":
        return False
    return (agent.read_file(f"/proc/{pid}/task/{thread.pid}/wchan") or "").strip() in _FOR_EVENTS


# --- What it listens on


def path_of(env, name):
    """Where that is remembered of a resource."""
    return os.path.join(env.state_directory, f"haproxy_ha-{name}-worker")


class Known:
    """What is remembered of a worker: its listeners, and the frontends that were closed when it was learnt."""

    def __init__(self, env, name):
        self._path = path_of(env, name)
        self.pid, self.started, self.settled, self.main = 0, 0, False, 0
        self.listeners, self.closed = {}, []
        self._read()

    def _read(self):
        try:
            lines = [line.split(" ", 6) for line in (agent.read_file(self._path) or "").splitlines()]
            for kind, *fields in lines:
                if kind == "worker":
                    self.pid, self.started, self.settled, self.main = (int(field) for field in fields)
                elif kind == "listens":
                    known = listeners.recalled(*fields)
                    self.listeners[known.inode] = known
                elif kind == "closed":
                    self.closed.append(" ".join(fields))
        except (TypeError, ValueError):
            self.pid, self.started, self.listeners, self.closed = 0, 0, {}, []

    def is_of(self, found):
        """Whether a process is the worker that is remembered."""
        return (self.pid, self.started) == (found.pid, found.started)

    def of(self, found):
        """What a process is known to listen on: {inode: Listener}, empty while that is not learnt."""
        return self.listeners if self.is_of(found) else {}

    def learn(self, found, main, kernel, word):
        """Remembers what a worker listens on; what it has listened on before is not forgotten.

        Args:
            found (Process): The worker.
            main (int): The id of the main process.
            kernel (dict): The kernel's listeners.
            word (Word): HAProxy's. One without a CLI is given a second to close what it has inherited.
        """
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - found.started / TICK
        if (self.is_of(found) and self.settled) or not (word.info or age >= 1.0):
            return
        if not self.is_of(found):
            self.listeners = {}
            self.closed = [row.proxy for row in word.rows if (row.side, row.status) == ("FRONTEND", "STOP")]
        self.pid, self.started, self.main, self.settled = found.pid, found.started, main, age >= SETTLED
        self.listeners.update(listeners.of_process(found.pid, kernel))
        try:
            agent.replace_file(self._path, self._text())
        except agent.Failure as failure:
            agent.log(failure.reason)  # learnt anew at the next monitor

    def _text(self):
        lines = [f"worker {self.pid} {self.started} {int(self.settled)} {self.main}"]
        lines += [f"listens {one.inode} {one.address} {one.port} {one.device} {one.floats}"
                  for one in self.listeners.values()]  # fmt: skip
        lines += [f"closed {proxy}" for proxy in self.closed]
        return "\n".join(lines) + "\n"

    def forget(self):
        agent.remove_file(self._path)
