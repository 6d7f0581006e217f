"""HAProxy's systemd unit: what systemd says of it and does with it, its processes, and our drop-in."""

import os
import signal
import sys
import time

import agent
import worker
from agent import Failure

RUNS, ENDED = ("active", "reloading"), ("inactive", "failed")  # ActiveState
DROP_IN = "50-haproxy_ha.conf"
RUNTIME_UNITS = "/run/systemd/system"
# The agent by the path that Pacemaker runs it by, which stays when an upgrade puts other files behind it.
PROGRAM = os.path.abspath(sys.argv[0])
CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")

# As Pacemaker does it for its systemd class: stopped after pacemaker.service, so that the cluster is what stops it. A
# crash is restarted at once: systemd's own pause, 100 ms, would be a third of what clients notice. So is what a person
# stops: the cluster would find it at its next monitor, seconds later. What the cluster has stopped stays so, however it
# had to be ended.
DROP_IN_TEXT = """\
# Written by the resource agent ocf:haproxy_ha:haproxy.
[Unit]
Before=pacemaker.service
ConditionPathExists=!{flag}
[Service]
RestartSec=10ms
ExecStopPost=-+/usr/bin/env OCF_RESOURCE_INSTANCE={resource} OCF_RESKEY_unit=%n HA_RSCTMP={state} {agent} unit-stopped
"""
# At a shutdown systemd has a stop of the unit queued until Pacemaker has ended, which waits for this very stop.
STOP = ("stop", "--job-mode=ignore-dependencies")
PROPERTIES = "LoadState,ActiveState,Result,ControlGroup,MainPID,Job"
POLL = 0.05  # seconds


class Unit:
    """The unit of an action's environment.

    Args:
        env (Environment): The action's.
    """

    def __init__(self, env):
        self._env = env
        self.name = env["unit"]
        self._directory = os.path.join(RUNTIME_UNITS, f"{self.name}.d")
        self.stop_flag = os.path.join(env.state_directory, f"haproxy_ha-{primitive(env)}.stopping")

    def ctl(self, *arguments, timeout=None):
        """Runs systemctl; its standard output. Raises Failure."""
        return agent.run(["systemctl", *arguments], self._env.left if timeout is None else timeout).stdout

    def state(self, timeout=None):
        """What systemd says of the unit: {property: value}. Job is a number while systemd has one."""
        text = self.ctl("show", self.name, f"--property={PROPERTIES}", timeout=timeout or self._env.left / 2)
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def settled(self):
        """The unit's state, once systemd is done with what it does: it restarts a crash by itself, at once."""
        deadline = time.monotonic() + self._env.left / 2
        while True:
            state = self.state()
            if not is_changing(state) or time.monotonic() >= deadline:
                return state
            time.sleep(POLL)

    def finish(self):
        """Stops the unit, by force if it must be; its state then. Raises Failure."""
        try:
            self.ctl(*STOP, self.name, timeout=self._env.left / 2)
        except Failure as failure:
            agent.log(f"{failure.reason}: killing it")
            self.kill()
            self.ctl(*STOP, self.name, timeout=self._env.left / 2)
        state = self.state()
        if not has_ended(state):
            raise Failure(agent.ERR_GENERIC, f"{self.name} is {state.get('ActiveState')} after its stop")
        return state

    def is_told_to_stop(self):
        """Whether systemd has a job to stop the unit: none for a crash, another one for a restart."""
        jobs = self.ctl("list-jobs", "--full", "--plain", "--no-legend", timeout=self._env.left / 2)
        return any(line.split()[1:3] == [self.name, "stop"] for line in jobs.splitlines())

    def forget_failures(self):
        """Clears a failed state, and systemd's count of starts, which would refuse the next one."""
        try:
            self.ctl("reset-failed", self.name)
        except Failure:
            # systemd has nothing of the unit in memory.
            return

    # Its processes

    def main(self, state):
        """The id of the main process (int); 0 without one."""
        pid = agent.number(state.get("MainPID"))
        if pid:
            return pid
        found = [worker.process(pid) for pid in cgroup_processes(state.get("ControlGroup"))]
        return eldest([one for one in found if one])

    def processes(self):
        """The ids of the unit's processes, by the kernel alone: systemd need not answer."""
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [pid for pid in pids if _is_of_unit(pid, self.name) and worker.process(pid)]

    def kill(self):
        """Kills what runs; systemd is told first, so that it does not restart what is killed during a stop."""
        try:
            self.ctl("kill", "--signal=SIGKILL", self.name, timeout=min(5.0, self._env.left / 4))
        except Failure:
            self.kill_processes()

    def kill_processes(self):
        """Kills the unit's processes without systemd. Raises Failure for one that does not end."""
        left = self._signal_until_gone(signal.SIGTERM, min(3.0, self._env.left / 4))
        if left:
            left = self._signal_until_gone(signal.SIGKILL, max(1.0, self._env.left / 2))
        if left:
            raise Failure(agent.ERR_GENERIC, f"does not end after SIGKILL: process {', '.join(map(str, left))}")

    def _signal_until_gone(self, number, seconds):
        """Those of the unit's processes that are there still."""
        deadline = time.monotonic() + seconds
        told = set()
        while True:
            pids = self.processes()
            if not pids or time.monotonic() >= deadline:
                return pids
            for pid in pids:
                # A process that is stopped hears SIGKILL alone; one that is told twice to end might hurry.
                if pid not in told or number == signal.SIGKILL:
                    told.add(pid)
                    _send(pid, number)
            time.sleep(POLL)

    # Its drop-in

    def install_drop_in(self):
        """Makes systemd treat the unit as the cluster needs it."""
        text = DROP_IN_TEXT.format(
            resource=primitive(self._env), state=self._env.state_directory, agent=PROGRAM, flag=self.stop_flag
        )
        path = os.path.join(self._directory, DROP_IN)
        if agent.read_file(path) != text:
            agent.replace_file(path, text)
            self.ctl("daemon-reload")

    def remove_drop_in(self):
        """Leaves the unit as its package has it."""
        if agent.remove_file(os.path.join(self._directory, DROP_IN)):
            try:
                os.rmdir(self._directory)
            except OSError:
                agent.log(f"{self._directory} holds other drop-ins, and stays")
            self.ctl("daemon-reload")

    def last_words(self):
        """What the unit wrote last, for the reason of a failed start."""
        command = ["journalctl", "--unit", self.name, "--lines=20", "--output=cat", "--no-pager", "--since=-30s"]
        try:
            text = agent.run(command, max(1.0, self._env.left / 2), check=False).stdout
        except Failure:
            text = ""
        alerts = [line.strip() for line in text.splitlines() if "ALERT" in line]
        return alerts[0] if alerts else "see its journal"


def primitive(env):
    """The resource's name in the configuration; behind a clone's instance stands a number, which changes."""
    return env.instance.partition(":")[0]


def is_changing(state):
    """Whether systemd starts or stops the unit. Between the two of a restart it is inactive, with a job that waits."""
    active = state.get("ActiveState")
    return active in ("activating", "deactivating") or (active in ENDED and not has_ended(state))


def has_ended(state):
    """Whether the unit does not run, and is not about to."""
    return state.get("ActiveState") in ENDED and state.get("Job", "") in ("", "0")


def cgroup_processes(group):
    """The ids of the processes in a control group."""
    for root in CGROUPS:
        text = agent.read_file(f"{root}{group}/cgroup.procs") if group else None
        if text:
            return [pid for pid in map(agent.number, text.split()) if pid]
    return []


def eldest(found):
    """The id of the process whose parent is none of the others; 0 without one."""
    pids = {one.pid for one in found}
    heads = [one for one in found if one.parent not in pids]
    return min(heads, key=lambda one: (one.started, one.pid)).pid if heads else 0


def _is_of_unit(pid, name):
    """Whether a process is in a unit's control group; those of containers and of people's own systemd are not ours."""
    groups = (agent.read_file(f"/proc/{pid}/cgroup") or "").splitlines()
    if not any(line.endswith(f"/{name}") and "/user.slice/" not in line for line in groups):
        return False
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")
    except OSError:
        return False


def _send(pid, number):
    try:
        os.kill(pid, number)
    except OSError as error:
        agent.log(f"kill {pid}: {error.strerror}")  # it has ended
