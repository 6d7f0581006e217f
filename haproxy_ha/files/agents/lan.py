"""The actions of addresses on an interface of a LAN, which move together."""

import os
import time

import agent
import local
from agent import Failure

ANNOUNCED_FOR = 60.0  # seconds after a start: a switch or a neighbour may have missed the first announcement


def start(env):
    """Puts them there. What is there already is announced as well."""
    wanted = addresses(env)
    for address in wanted:
        local.add(address, env["interface"])
    remember(env, wanted)
    return agent.SUCCESS


def stop(env):
    """Takes them away."""
    take_away([*addresses(env), *held(env)])
    agent.remove_file(path(env))
    return agent.SUCCESS


def reload_agent(env):
    """Other addresses: those that stay are not touched. Where it does not run, nothing is put there."""
    wanted, before = addresses(env), held(env)
    if not before:
        return agent.SUCCESS
    start(env)
    take_away([address for address in before if address not in wanted])
    return agent.SUCCESS


def take_away(those):
    """Takes each away that can be. Raises Failure for one that stays: two machines may have it then."""
    left = []
    for address in dict.fromkeys(those):
        try:
            local.remove(address)
        except Failure as failure:
            left.append(failure.reason)
    if left:
        raise Failure(agent.ERR_GENERIC, "; ".join(left))


def monitor(env):
    """Whether they are there: all of them, or none."""
    found = {address: local.places(address) for address in addresses(env)}
    missing = [address for address, places in found.items() if not any(place.is_usable for place in places)]
    if len(missing) == len(found):
        return agent.NOT_RUNNING
    if missing:
        raise Failure(agent.ERR_GENERIC, f"not on this machine: {', '.join(missing)}")
    if not env.is_probe and is_young(env):
        for address, places in found.items():
            local.announce(address, places[0].index)
    return agent.SUCCESS


def validate_all(env):
    """Whether the parameters make sense, and at level 10 whether the interface is there."""
    addresses(env)
    if env.check_level >= 10 and env["interface"]:
        local.index_of(env["interface"])
    return agent.SUCCESS


def addresses(env):
    """Those of the parameters. Raises Failure for one that is none."""
    env.require()
    found = env["addresses"].split()
    for address in found:
        local.packed_of(address)
    return found


# --- Which came when


def remember(env, those):
    """Keeps in mind which came now; without that they are announced but once, and a reload takes none away."""
    try:
        agent.replace_file(path(env), " ".join([f"{time.monotonic():.3f}", *those]))
    except Failure as failure:
        agent.log(failure.reason)


def remembered(env):
    """When the last came, as text, and which."""
    moment, *those = (agent.read_file(path(env)) or "").split() or [""]
    return moment, those


def held(env):
    """The addresses that this resource has put there."""
    return [address for address in remembered(env)[1] if is_one(address)]


def is_one(address):
    """Whether what is remembered is an address: the file may be spoilt."""
    try:
        return bool(local.packed_of(address))
    except Failure:
        return False


def is_young(env):
    """Whether they came not long ago."""
    try:
        return 0 <= time.monotonic() - float(remembered(env)[0]) < ANNOUNCED_FOR
    except ValueError:
        return False


def path(env):
    """Where that is remembered, until the next boot."""
    return os.path.join(env.state_directory, f"haproxy_ha-addresses-{env.instance}")
