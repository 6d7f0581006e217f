"""How HAProxy is started: what must not be doubled or refused, the unit's start, and the wait until HAProxy answers."""

import os
import time

import agent
import listeners
import runtime
import verdict
import worker
from agent import Failure
from systemd_unit import RUNS, Unit, primitive
from watching import judge


def start(env):
    """Starts the unit once nothing is in its way, or adopts the one that runs."""
    unit = Unit(env)
    agent.remove_file(unit.stop_flag)
    if adopts(env, unit, require_installed(env, unit)):
        return agent.SUCCESS
    check_configuration(env)
    try:
        refuse_foreign(env, unit)
    except Failure:
        # Somebody may have started the very unit meanwhile.
        if adopts(env, unit, unit.settled()):
            return agent.SUCCESS
        raise
    unit.install_drop_in()
    unit.forget_failures()
    try:
        unit.ctl("start", env["unit"])
    except Failure:
        raise Failure(agent.ERR_GENERIC, f"{env['unit']} does not start: {unit.last_words()}") from None
    known = serve(env, unit)
    refuse_shared(env, unit, known)
    return agent.SUCCESS


def adopts(env, unit, state):
    """Takes a unit that runs already; tells whether it does."""
    if state.get("ActiveState") not in RUNS:
        return False
    found = verdict.lasting(env, lambda env: judge(env, unit, unit.state()))
    if found.code == agent.ERR_GENERIC:
        raise Failure(agent.ERR_GENERIC, f"{env['unit']} runs already: {found.reason}")
    unit.install_drop_in()
    return True


def serve(env, unit):
    """Waits until HAProxy answers; what is known of its worker then."""
    pause = 0.02
    while True:
        known = worker.Known(env, primitive(env))
        found = verdict.judge(env, unit.main(unit.state()), known)
        if found.code != agent.ERR_GENERIC:
            return known
        if env.left <= pause:
            raise Failure(agent.ERR_GENERIC, found.reason)
        time.sleep(pause)
        pause = min(0.5, pause * 2)


def check_startable(env):
    """Raises where something is not installed, or HAProxy refuses its configuration."""
    require_installed(env, Unit(env))
    check_configuration(env)


# --- What keeps it from being started


def check_configuration(env):
    """Raises for a configuration that HAProxy refuses, with HAProxy's own words."""
    done = agent.run([env["binary"], "-W", "-c", "-f", env["config"]], env.left, check=False)
    if done.returncode:
        alerts = [line.partition(": ")[2] for line in done.stderr.splitlines() if line.startswith("[ALERT]")]
        said = "; ".join(alerts[:3]) or done.stderr.strip() or f"code {done.returncode}"
        raise Failure(agent.ERR_ARGS, f"HAProxy refuses {env['config']}: {said}")


def refuse_foreign(env, unit):
    """Raises when another HAProxy runs this configuration: a second one would share its ports, and half its clients."""
    ours = set(unit.processes())
    name = os.path.basename(env["binary"])
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        if pid in ours or (agent.read_file(f"/proc/{pid}/comm") or "").strip() != name or not worker.process(pid):
            continue
        paths = runtime.configurations(pid, runtime.command_line(pid))
        if os.path.realpath(env["config"]) in map(os.path.realpath, paths) and is_neighbour(pid):
            raise Failure(agent.ERR_GENERIC, f"{env['config']} is run by {name} (process {pid}) already,"
                          f" which is not {env['unit']}")  # fmt: skip


def is_neighbour(pid):
    """Whether a process is in this machine's namespaces: one of a container has files and ports of its own."""
    try:
        return all(os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}")
                   for kind in ("net", "pid"))  # fmt: skip
    except OSError:
        return False


def refuse_shared(env, unit, known):
    """Raises, and stops what was started, when somebody else listens where it does."""
    places = {(one.address, one.port) for one in known.listeners.values()}
    kernel = listeners.table() or {}
    others = [one for one in kernel.values() if (one.address, one.port) in places and one.inode not in known.listeners]
    if others:
        who = ", ".join(listeners.holders(one.inode for one in others))
        try:
            unit.finish()
        except Failure as failure:
            agent.log(failure.reason)  # the cluster stops it once more
        raise Failure(agent.ERR_GENERIC, f"{listeners.listed(others)} is held by {who}, which is not {env['unit']}")


def require_installed(env, unit):
    """The unit's state; raises for what is missing."""
    state = unit.settled()
    if state.get("LoadState") != "loaded":
        raise Failure(agent.ERR_INSTALLED, f"{env['unit']}: systemd says {state.get('LoadState')}")
    for path in (env["binary"], env["config"]):
        if not os.path.exists(path):
            raise Failure(agent.ERR_INSTALLED, f"{path}: is missing")
    return state
