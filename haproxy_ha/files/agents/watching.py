"""What a monitor finds of HAProxy, by systemd and by what a client would find; and what it tells the cluster."""

import agent
import reach
import undone
import verdict
import watched
import worker
from agent import Failure
from systemd_unit import RUNS, Unit, eldest, primitive


def monitor(env):
    """Looks at HAProxy, tells the cluster what this node reaches, and says why it is not well."""
    unit = Unit(env)
    found = verdict.lasting(env, lambda env: look(env, unit))
    if found.code in (agent.SUCCESS, agent.DEGRADED) and not env.is_probe:
        try:
            unit.install_drop_in()
        except Failure as failure:
            agent.log(failure.reason)  # tried again at the next monitor; what serves goes on
        publish_reach(env, found.rows)
        undone.retry(env)
        undone.take_off(env)
        watched.hand_over(env)
    if found.reason:
        agent.reason(found.reason)
    return found.code


def look(env, unit):
    """What systemd says of the unit, and what a client would find: a Verdict."""
    try:
        state = unit.settled()
    except Failure as failure:
        return judge_without_systemd(env, unit, failure)
    if state.get("LoadState") == "not-found":
        return verdict.Verdict(agent.NOT_RUNNING, "")
    if state.get("ActiveState") not in RUNS:
        found = f"{env['unit']} is {state.get('ActiveState')} ({state.get('Result')})"
        return verdict.Verdict(agent.NOT_RUNNING, "" if env.is_probe else found)
    return judge(env, unit, state)


def judge(env, unit, state):
    """What a client would find at the process that systemd calls the main one: a Verdict."""
    return verdict.judge(env, unit.main(state), worker.Known(env, primitive(env)))


def judge_without_systemd(env, unit, failure):
    """systemd says nothing: what serves goes on."""
    main = main_without_systemd(env, unit)
    if not main:
        return verdict.Verdict(agent.NOT_RUNNING, "" if env.is_probe else f"no process, and {failure.reason}")
    found = verdict.judge(env, main, worker.Known(env, primitive(env)))
    if found.code == agent.ERR_GENERIC:
        return found
    told = f"HAProxy answers, and systemd does not (see journalctl _PID=1): {failure.reason}"
    return found._replace(code=agent.DEGRADED, reason=told)


def main_without_systemd(env, unit):
    """The id of HAProxy's main process, by what is remembered, or by the kernel's control groups; 0 without one."""
    known = worker.Known(env, primitive(env))
    found = worker.process(known.pid)
    if found and known.is_of(found) and worker.process(known.main):
        return known.main
    return eldest([one for one in map(worker.process, unit.processes()) if one])


def publish_reach(env, rows):
    """Tells the cluster what this node reaches; nothing while HAProxy does not tell its backends' states."""
    if not rows:
        return
    gateway = reach.gateway_of(env)
    answers = env["gateway"] == "none" or bool(gateway) and reach.answers_ping(gateway)
    backends = [row for row in rows if row.side == "BACKEND"]
    down = sum(row.status.startswith("DOWN") for row in backends)
    reach.Published(env, env["reach_attribute"]).update(reach.score(answers, len(backends), down))
