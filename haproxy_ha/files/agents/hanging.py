"""A HAProxy that hangs: found within about two seconds, and ended, so that systemd starts it anew in place.

Whether it hangs is the monitor's own verdict. Whoever hangs again and again is left to the cluster.
"""

import os
import signal
import time

import agent
import cluster
import intent
import listeners
import runtime
import verdict
import worker
from agent import Failure
from systemd_unit import Unit, primitive

ASK = 1.0  # seconds between two questions
PATIENCE, MASTER = 0.8, 0.3  # seconds for an answer: its own, and then by way of its master
MOST, WITHIN = 3, 60.0  # so many ends within so many seconds, and the cluster is to decide


class Keeper:
    """Looks after one HAProxy, and ends it where it hangs."""

    def __init__(self):
        self._ended = []
        self._asked = 0.0

    def look(self, env):
        """Looks once; what was done, in words, "" for nothing."""
        now = time.monotonic()
        asks = now - self._asked >= ASK
        if asks:
            self._asked = now
        why = hangs(env, asks)
        if not why or not self._may_end(env):
            return ""
        self._ended.append(time.monotonic())
        kill(Unit(env).processes())
        return f"{why}: killed, and systemd starts it again"

    def _may_end(self, env):
        """Whether nobody else does, and the cluster wants it to run."""
        now = time.monotonic()
        self._ended = [moment for moment in self._ended if now - moment < WITHIN]
        if len(self._ended) >= MOST or os.path.exists(Unit(env).stop_flag):
            return False
        try:
            return intent.is_expected_to_run(env, *cluster.ask(env))
        except Failure as failure:
            agent.log(f"HAProxy hangs, and the cluster cannot be asked: {failure.reason}")
            return False


def hangs(env, asks=True):
    """Why HAProxy hears nothing but SIGKILL; "" where it may hear more. `asks`: whether it is to say something."""
    known = worker.Known(env, primitive(env))
    found = worker.serving(known.main)
    if not found:
        return ""  # systemd starts it again
    if worker.is_stopped(found):
        judged = verdict.lasting(env, lambda env: _judge_stopped(found))
    elif not asks or runtime.is_heard(known.main, found.pid, PATIENCE):
        return ""
    else:
        judged = _judge_mute(env, known, found)
    return judged.reason if judged.hangs else ""


def _judge_stopped(found):
    now = worker.process(found.pid)
    same = now and now.started == found.started
    return verdict.stopped(now) if same and worker.is_stopped(now) else verdict.Verdict(agent.SUCCESS, "")


def _judge_mute(env, known, found):
    """The newest worker may still read its configuration (HAProxy 3.1): the master says which one serves."""
    word = runtime.ask(known.main, env["config"], time.monotonic() + MASTER)
    if word.state != runtime.MUTE or word.worker != found.pid:
        return verdict.Verdict(agent.SUCCESS, "")
    return verdict.judge_mute(found, known.main, known, listeners.table(), word)


def kill(pids):
    """Kills processes at once: a worker that is stopped would be waited for when its master alone has ended."""
    for pid in sorted(pids, reverse=True):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError as error:
            agent.log(f"kill {pid}: {error.strerror}")  # it has ended
