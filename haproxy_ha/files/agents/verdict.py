"""What a client would find at HAProxy, without asking as a client: by the kernel's word, and by HAProxy's.

A failure is: no process serves, it hangs, an address that it listens on has left this machine, or a listener is gone
that HAProxy takes for open, or the last one that a client can reach. What is closed by will beside others, and what the
kernel cannot show (unix sockets, UDP and QUIC, other network namespaces), counts by HAProxy's word. What nobody can
tell is no failure.
"""

import time
from collections import namedtuple

import agent
import listeners
import runtime
import worker

MOMENT = 0.3  # seconds: a reload, and systemd's restart of a crash, have a moment in which nobody listens
LOOK = 0.1  # seconds between two looks for what may come back
RETURN = 1.2  # seconds: a network service that is reloaded takes an address away and brings it back

# lasts: seconds for which a failure must last to be one. hangs: it hears nothing but SIGKILL. rows: its statistics.
Verdict = namedtuple("Verdict", "code reason lasts hangs rows", defaults=(0.0, False, ()))


def judge(env, main, known):
    """What a client would find.

    Args:
        env (Environment): The action's.
        main (int): The id of HAProxy's main process.
        known (Known): What is remembered of the worker.

    Returns:
        Verdict: SUCCESS, DEGRADED or ERR_GENERIC.
    """
    found = worker.serving(main)
    if found and worker.is_stopped(found):
        return stopped(found)
    word = runtime.ask(main, env["config"], time.monotonic() + min(_patience(env), env.left))
    if word.worker:
        found = worker.process(word.worker)
    if not found or (word.state == runtime.SAID and not word.worker):
        return _failure("HAProxy has no process that serves")
    if worker.is_stopped(found):
        return stopped(found)
    kernel = listeners.table()
    if word.state == runtime.MUTE:
        return judge_mute(found, main, known, kernel, word)
    if kernel is None:
        said = judge_word(word, [])
        return said or _degraded("the kernel does not tell who listens: modprobe tcp_diag", word.rows)
    if word.info.get("Stopping", "0") == "0":
        known.learn(found, main, kernel, word)
    closed, word = _closed(word.rows, known), _of_clients(word)
    heard = judge_listeners(known.of(found), kernel, bool(closed)) or judge_word(word, _closed(word.rows, known))
    return heard or Verdict(agent.SUCCESS, "", rows=word.rows)


OPERATORS = ("haproxy_ha_metrics", "haproxy_ha_stats")  # as _utils/haproxy_ha_lib/haproxy/cfg.py has them


def _of_clients(word):
    """HAProxy's word, without the formula's frontends for who monitors and who looks: no client is served there."""
    return word._replace(rows=tuple(row for row in word.rows if row.proxy not in OPERATORS))


def _patience(env):
    try:
        return env.seconds("answer_timeout")
    except agent.Failure:
        return 1.5  # a stop does not fail for a wrong parameter


def _failure(reason, lasts=MOMENT, hangs=False):
    return Verdict(agent.ERR_GENERIC, reason, lasts, hangs)


def _degraded(reason, rows=()):
    return Verdict(agent.DEGRADED, reason, rows=rows)


def stopped(found):
    """The failure of a worker that a signal has stopped."""
    return _failure(f"HAProxy is stopped by a signal: process {found.pid}", hangs=True)


def judge_mute(found, main, known, kernel, word):
    """Of a worker that does not answer, as :func:`judge`.

    Args:
        found (Process): The worker.
        main (int): The id of the main process.
        known (Known): What is remembered of the worker.
        kernel (dict): The kernel's listeners; None where it does not tell.
        word (Word): Who did not answer.
    """
    alive = worker.lives(found.pid)
    if alive is False:
        # The watch was a second look already.
        return _failure(f"HAProxy hangs: process {found.pid} does not answer on {word.text}", lasts=0.0, hangs=True)
    ill = judge_listeners(known.of(found), kernel, True) if kernel else None
    if ill:
        return ill
    master = worker.process(main)
    if master and worker.is_stopped(master):
        return _degraded(f"HAProxy's master is stopped by a signal: process {main}, kill -CONT {main}")
    return _degraded(f"{word.text}: does not answer, so the servers' states are not known (look at its CPU and log)")


def judge_listeners(mine, kernel, closed):
    """A failure of the sockets that a worker has been seen to listen on; None for none.

    Args:
        mine (dict): The worker's listeners.
        kernel (dict): The kernel's listeners.
        closed (bool): Whether frontends may be closed by will, so that listeners are not missed while another one is
            left that a client can reach.
    """
    there = {(one.address, one.port) for one in kernel.values() if one.inode in mine}
    gone = listeners.gone([one for one in mine.values() if one.inode in kernel])
    if gone:
        return _failure(f"this machine has no longer the address of {listeners.listed(gone)}", lasts=RETURN)
    lost = [one for one in mine.values() if (one.address, one.port) not in there]
    outward = [one for one in mine.values() if not listeners.is_loopback(one.address)] or list(mine.values())
    if lost and (not closed or all(one in lost for one in outward)):
        return _failure(f"nothing listens any more on {listeners.listed(lost)}")
    return None


_CLOSED = ("PAUSED", "STOP")


def _closed(rows, known):
    """The frontends that somebody has closed since the worker began."""
    fronts = (row for row in rows if row.side == "FRONTEND" and row.status in _CLOSED)
    return [row.proxy for row in fronts if row.proxy not in known.closed]


def judge_word(word, closed):
    """What an operator can act on, in HAProxy's own words; None for nothing.

    Args:
        word (Word): HAProxy's.
        closed (list): Frontends that somebody has closed.
    """
    if word.info.get("Stopping", "0") != "0":
        return _failure("HAProxy is about to end, and takes nobody any more")
    if closed and not any(row.side == "FRONTEND" and row.status not in _CLOSED for row in word.rows):
        return _failure(f"no frontend takes clients: {', '.join(closed)} closed by hand")
    if closed:
        return _degraded(f"closed by hand: frontend {', '.join(closed)} (enable frontend, or a reload)", word.rows)
    full = limit_reached(word)
    if full:
        return _degraded(full, word.rows)
    down = [row.proxy for row in word.rows if row.side == "BACKEND" and row.status.startswith("DOWN")]
    if not down:
        return None
    said = f"no server is up in {', '.join(down)} (see haproxy_ha.overview)"
    return _degraded(said, word.rows)


def limit_reached(word):
    """Which limit keeps HAProxy from accepting, in words; "" when it says of none."""
    most = agent.number(word.info.get("Maxconn"))
    if most and agent.number(word.info.get("CurrConns")) >= most:
        return f"HAProxy is at its limit of {most} connections (raise maxconn, or look who holds them)"
    for row in word.rows:
        limit = agent.number(row.limit)
        if row.side == "FRONTEND" and limit and agent.number(row.current) >= limit:
            who = "HAProxy" if limit == most else f"frontend {row.proxy}"
            return f"{who} is at its limit of {limit} connections (raise maxconn, or look who holds them)"
    return ""


def lasting(env, look):
    """A verdict; a failure counts only when it is still there after the time that its kind may last.

    That time begins with the end of the first look: HAProxy may answer slowly, and be reloaded meanwhile.

    Args:
        env (Environment): The action's.
        look (function): Of the environment; returns a Verdict.
    """
    verdict = look(env)
    begin = time.monotonic()
    while verdict.code == agent.ERR_GENERIC and (left := verdict.lasts - (time.monotonic() - begin)) > 0:
        if env.left <= LOOK:
            break
        time.sleep(min(left if verdict.lasts <= MOMENT else LOOK, env.left / 2))
        verdict = look(env)
    return verdict
