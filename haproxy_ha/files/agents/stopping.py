"""How HAProxy is ended, by whatever works; and what is done when somebody else than the cluster has ended it."""

import os

import agent
import cluster
import intent
import reach
import undone
import verdict
import watched
import worker
from agent import Failure
from systemd_unit import STOP, Unit, has_ended, primitive
from watching import judge


def stop(env):
    """Ends HAProxy, by whatever works: systemd in the ordinary way, and signals when it cannot be asked."""
    unit = Unit(env)
    try:
        agent.replace_file(unit.stop_flag, "")
    except Failure as failure:
        agent.log(failure.reason)  # the stop matters more
    try:
        end(env, unit)
    except Exception as error:  # noqa: BLE001 - whatever it was, a service that is to be stopped must not go on
        agent.log(f"{error or type(error).__name__}: ending {env['unit']} without systemd")
        unit.kill_processes()
    worker.Known(env, primitive(env)).forget()
    undone.take_off(env, at_once=True)
    return agent.SUCCESS


def end(env, unit):
    """Ends the unit by systemd. Raises Failure."""
    reach.Published(env, env["reach_attribute"]).forget()
    watched.take_back(env)
    state = unit.state(timeout=env.left / 4)
    if not has_ended(state):
        if hangs(env, unit, state):
            # With the stop under way systemd does not restart what is killed, and what hangs hears no other signal.
            unit.ctl(*STOP, "--no-block", env["unit"], timeout=env.left / 4)
            unit.kill()
        else:
            intent.serve_until_moved(env)
        state = unit.finish()
    clean(unit, state)


def hangs(env, unit, state):
    """Whether HAProxy hears no signal but SIGKILL."""
    return verdict.lasting(env, lambda env: judge(env, unit, state)).hangs


def clean(unit, state):
    """Leaves nothing behind: no drop-in, no failed unit. What cannot be cleaned up is no reason to fail."""
    try:
        unit.remove_drop_in()
    except Failure as failure:
        agent.log(failure.reason)
    if state.get("ActiveState") == "failed":
        unit.forget_failures()


def unit_stopped(env):
    """Called by systemd when it has stopped the unit: starts again what the cluster wants to run.

    systemd cancels the stop for that, so that whoever asked for it sees that it was in vain.
    """
    unit = Unit(env)
    if os.environ.get("SERVICE_RESULT") != "success" or os.path.exists(unit.stop_flag) or not unit.is_told_to_stop():
        return agent.SUCCESS
    if intent.is_expected_to_run(env, *cluster.ask(env)):
        agent.log(f"{env['unit']} is started again, as the cluster wants it to run: a node in standby stops it, and so"
                  " does anybody while the cluster is in maintenance")  # fmt: skip
        unit.ctl("start", "--no-block", env["unit"])
    return agent.SUCCESS
