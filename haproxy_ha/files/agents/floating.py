"""The actions of a floating address, whoever moves it: claimed here, or left where it is.

Who moves it is a class of an environment, as `droplet.Droplet`:

    check_parameters()              raises for what is wrong with its own parameters
    check_access()                  raises for what it lacks on this machine
    identify()                      raises where it does not know which machine this is
    hint()                          whether the address is here, by what is near and cheap; None for unknown
    owner()                         whether it is here by the word that counts (None: out of sight), and who has it
    take(is_awaited, before_write)  brings it here; `is_awaited()` says whether clients wait for it
    look_again()                    seconds after which the word that counts is asked again
    cut_off()                       why nobody may come to this machine; "" for no reason
    put(), keep(), drop(address)    its part on this machine: an address on an interface, while it is here
    leave(address)                  the same as drop, in its own time: clients may still be sent here
    hold_resets(), let_resets_go()  around a move from a machine that serves: its clients end what is under way

`mover.Mover` has what these have in common. A mover that has nothing near to ask says by `hint` whether its part on
this machine is there.
"""

import time

import agent
from agent import Failure
from claims import Claim, Losses, Takeover, seconds_since


def actions(mover):
    """The handlers of an agent.

    Args:
        mover (type): Whoever moves the address.
    """

    def by(action):
        return lambda env: action(env, mover(env))

    handlers = {"start": start, "stop": stop, "monitor": monitor, "validate-all": validate_all}
    return {name: by(action) for name, action in {**handlers, "reload-agent": reload_agent}.items()}


# --- Start and stop


def start(env, mover):
    """Claims the address, and brings it here unless it is served beyond a partition."""
    check_parameters(env, mover)
    if monitor(env, mover) in (agent.SUCCESS, agent.DEGRADED):
        return agent.SUCCESS
    from partition import Partition, StandBy

    mover.identify()
    claim = Claim(env)
    former = (claim.read() or {}).get("address", env["address"])
    claim.probe_writable(env["address"])
    mover.drop(env["address"])  # beyond a partition this machine itself would answer
    partition = Partition(env)

    def may_write():
        env.refuse_orphan()
        mover.drop(env["address"])
        partition.stay_out(mover.cut_off)
        if not partition.is_takeover():
            mover.hold_resets()
        mover.put()  # what comes the moment it is moved is served

    try:
        mover.take(partition.a_node_was_lost, may_write)
    except StandBy as text:
        env.refuse_orphan()
        agent.log(f"stands by: {text}")
        claim.stand_by(env["address"])
        return agent.SUCCESS
    finally:
        mover.let_resets_go()
    mover.put()
    claim.write(env["address"], time.monotonic())
    if former != env["address"]:
        mover.drop(former)
    takeover = Takeover(env)
    if partition.is_takeover():
        takeover.begin()
    else:
        takeover.end_everywhere()
    return agent.SUCCESS


def stop(env, mover):
    """Gives the address and the claim up, and asks nobody.

    A takeover is ended by who gets the address next, and a little later here: a change of an attribute now would have
    Pacemaker wait, before it starts the address elsewhere, for all that is under way, such as HAProxy's stop, which
    waits for that very start.
    """
    claim = Claim(env)
    addresses = sorted({(claim.read() or {}).get("address", env["address"]), env["address"]})
    leaves = [lambda one=one: mover.leave(one) for one in addresses]
    for step in (*leaves, claim.release, Takeover(env).give_up, lambda: forget_losses(env)):
        try:
            step()
        except Exception as error:  # what is left behind is less bad than a stop that fails
            agent.log(f"stop: unexpected {type(error).__name__}: {error}")
    return agent.SUCCESS


def forget_losses(env):
    """With the partition they count no more."""
    losses = Losses(env)
    if losses.read()[0]:
        import partition

        if not partition.a_node_is_lost(env):
            losses.forget()


# --- Monitor


def monitor(env, mover):
    """Whether the address is claimed here, and nobody else is known to own it."""
    check_parameters(env, mover)
    claim = Claim(env)
    code = look(env, mover, claim)
    if env.is_probe and code == agent.NOT_RUNNING and claim.stands_by:
        claim.release()  # the cluster takes it for stopped, and stops it no more
    return code


def look(env, mover, claim):
    """What a monitor finds."""
    held = claim.read()
    if held is None or held.get("address") != env["address"]:
        return agent.NOT_RUNNING
    if not env.is_probe:
        Takeover(env).end_when_settled()
    if "stands" in held:
        mover.drop(env["address"])
        if text := reason_to_stand_by(env, mover, claim, held):
            agent.reason(text)
            return agent.NOT_RUNNING if env.is_probe else agent.DEGRADED
    elif not env.is_probe:
        mover.keep()
    here = mover.hint()
    if here and not check_is_due(mover, held):
        return agent.SUCCESS
    try:
        is_here, who = mover.owner()
    except Failure as unknown:
        return judge_unknown(env, here, unknown.reason)
    if is_here or (is_here is None and here is not False):
        if not here:
            mover.keep()
        return confirm(env, claim)
    mover.drop(env["address"])
    agent.reason(f"{env['address']} is {who}")
    return lose(env, claim)


def reason_to_stand_by(env, mover, claim, held):
    """Why the address is still left where it is, beyond a partition or after it; "" for no reason."""
    import partition

    if partition.a_node_is_lost(env):
        if "whole" in held:
            claim.remember_standing(env["address"])
        return partition.reason_to_stand_by(env) or mover.cut_off()
    # Until the cluster has decided, the mark counts, and a failure here would be a reason to stop the right one.
    if env.action != "monitor" or env.is_probe or env["port"] == "0" or not partition.answers(env):
        return ""
    whole = seconds_since(held.get("whole", ""))
    if whole is None:
        claim.remember_standing(env["address"], f"whole {time.monotonic():.3f}\n")
    elif whole >= partition.WHOLE_FOR:
        return ""
    return f"{env['address']} answers, and the cluster, which is whole again, decides where it is to be"


def check_is_due(mover, held):
    """Whether the word that counts is to be asked again."""
    age = seconds_since(held.get("checked", ""))
    return age is None or age >= mover.look_again()


def confirm(env, claim):
    """The address is here."""
    try:
        claim.write(env["address"], time.monotonic())
    except Failure as failure:
        # A full disk is no reason to stop it. The old claim stays, and the API is asked again.
        agent.log(failure.reason)
    return agent.SUCCESS


def judge_unknown(env, here, why):
    """The API says nothing: a serving address stays as it is, and the reason is shown."""
    if env.is_probe and not here:
        # A node that cannot tell must not be taken for the one where the resource runs.
        return agent.NOT_RUNNING
    if here:
        found = f"{env['address']}: the API cannot confirm that it is here"
    else:
        found = f"whether {env['address']} is still here is unknown"
    agent.reason(f"{found} (see haproxy_ha.preflight): {why}")
    return agent.DEGRADED


def lose(env, claim):
    """Another machine has the address: not running; in a partition this node stands by, which is no failure of it."""
    if env.action != "monitor":
        return agent.NOT_RUNNING
    import partition

    if not partition.a_node_is_lost(env):
        Losses(env).forget()
    elif not claim.stands_by:
        Losses(env).add()
        if not env.is_probe and partition.reason_to_stand_by(env) and stands_by(env, claim):
            return agent.DEGRADED
    claim.release()
    return agent.NOT_RUNNING


def stands_by(env, claim):
    """Makes this node stand by; tells whether it does."""
    try:
        claim.stand_by(env["address"])
    except Failure as failure:
        agent.log(failure.reason)
        return False
    return True


# --- Parameters


def validate_all(env, mover):
    """Whether the parameters make sense, and at level 10 whether this machine has what they name."""
    check_parameters(env, mover)
    if env.check_level >= 10:
        mover.check_access()
    return agent.SUCCESS


def reload_agent(env, mover):
    """Every parameter is read anew by every action; another address comes here without a stop in between.

    A stopped resource is drawn to no node: Pacemaker would start it on any, as soon as something comes between.
    """
    check_parameters(env, mover)
    held = Claim(env).read()
    if held is None or held.get("address") == env["address"]:
        return agent.SUCCESS
    return start(env, mover)


def check_parameters(env, mover):
    """Raises for parameters that are wrong wherever they are read."""
    env.require()
    mover.check_parameters()
    port = env["port"]
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536):
        raise Failure(agent.ERR_CONFIGURED, f"port: found {env['port']!r}, allowed: 0 to 65535")
    mover.look_again()
    env.seconds("hold_off")
