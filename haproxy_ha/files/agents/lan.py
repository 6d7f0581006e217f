"""A LAN: the addresses of an action's parameters, on an interface of this machine.

Near is what this machine has itself; what counts beside it, while a cluster node is lost, is whether another machine
on the link answers for the first address (ARP, RFC 5227).
"""

import os

import agent
import asks
import floating
import leaving
import local
import undone
from agent import Failure
from claims import Claim, Takeover
from mover import Mover, is_address


class Lan(Mover):
    """This machine, and addresses that move together. The first stands for all where others are asked for it."""

    is_routed = True

    @property
    def addresses(self):
        """Those of the parameters, each once."""
        return list(dict.fromkeys([self._env["address"], *self._env["addresses"].split()]))

    def check_parameters(self):
        """Raises for an address that can be none."""
        for name in ("address", "addresses"):
            for text in self._env[name].split():
                if not (is_address(text, "AF_INET") or is_address(text, "AF_INET6")):
                    raise Failure(agent.ERR_CONFIGURED, f"{name}: found {text!r}, allowed: an IPv4 or IPv6 address")

    def check_access(self):
        """Raises where the interface is not there."""
        if self._env["interface"]:
            local.index_of(self._env["interface"])

    def identify(self):
        """A machine of a LAN needs no name."""

    def look_again(self):
        """Seconds after which the word that counts is asked again: nothing is nearer."""
        return 0.0

    # --- Its part on this machine

    def put(self):
        """Puts them on the interface, tells the neighbours, and takes away what a former list had."""
        for address in self.addresses:
            local.add(address, self._env["interface"])
        try:
            asks.in_own_name(self._env, self.addresses)
        except Failure as failure:
            agent.log(failure.reason)  # after a partition clients may come here for some seconds
        for address in self._remembered():
            if address not in self.addresses:
                local.remove(address)
        try:
            agent.replace_file(self._path, " ".join(self.addresses))
        except Failure as failure:
            agent.log(failure.reason)  # a later reload then takes none away

    def keep(self):
        """Puts there again what somebody has taken away; a neighbour may have missed what it was told before.

        In a partition and back from it it tells none of what another machine may have taken, or answers for: clients
        would come here, where the checks have not found the app servers yet.
        """
        missing = [address for address in self.addresses if not local.is_here(address)]
        if missing:
            agent.log(f"{', '.join(missing)}: on no interface any more, and put there again")
        elif self._may_be_elsewhere():
            return
        self.put()

    def _may_be_elsewhere(self):
        import partition

        if Takeover(self._env).is_ours:
            return False
        # The link may be back a moment after nobody has answered.
        if partition.is_incomplete(partition.states(self._env)):
            return True
        if other := self._other_owner():
            agent.log(f"{self._env['address']} is on another machine of the link, too ({other}): it is not announced")
        return bool(other)

    def _other_owner(self):
        """The hardware address of who has the first address beside this machine; "" where this one has taken it."""
        return "" if Takeover(self._env).is_ours else local.other_owner(self._env["address"])

    def leave(self, address):
        """Has all that came together stay for a while: neighbours send clients here until they hear of another."""
        together = self._all_with(address)
        leaving.let_stay(self._env, together, silent=True)
        self._forget(together)

    def drop(self, address):
        """Takes them off every interface, all that came together."""
        together = self._all_with(address)
        for one in together:
            local.remove(one)
            leaving.forget(self._env, one)
        self._forget(together)

    def _forget(self, addresses):
        """What stands for addresses that were put here; where nothing does, nobody is asked."""
        if not os.path.exists(self._path):
            return
        agent.remove_file(self._path)
        try:
            asks.as_it_is(self._env, addresses, not undone.left(self._env, asks.LAN))
        except Failure as failure:
            agent.log(failure.reason)

    def drop_what_stays(self):
        """Takes off what is here for longer than a while."""
        for one in self.addresses:
            if not leaving.stays(self._env, one):
                local.remove(one)

    def _all_with(self, address):
        return list(dict.fromkeys([address, *self.addresses, *self._remembered()]))

    def _remembered(self):
        """Those that were put there last; the file may be spoilt."""
        words = (agent.read_file(self._path) or "").split()
        return [word for word in words if is_address(word, "AF_INET") or is_address(word, "AF_INET6")]

    @property
    def _path(self):
        return os.path.join(self._env.state_directory, f"{asks.LAN}{self._env.instance}")

    # --- Who has them

    def hint(self):
        """Whether all are on an interface here."""
        return all(map(local.is_here, self.addresses))

    def owner(self):
        """Whether the first is here, and no other machine of the link has taken it while a cluster node is lost.

        Of two that have it, the one that took it keeps it: the other one did not answer then.
        """
        import partition

        address = self._env["address"]
        if not local.is_here(address):
            return False, "on no interface of this machine"
        if partition.a_node_is_lost(self._env):
            other = self._other_owner()
            return not other, f"on another machine of the link, too ({other})"
        return True, "on this machine"

    def cut_off(self):
        """Whether on the link of the first nobody answers that this machine has heard of."""
        interface = self._env["interface"]
        index = local.index_of(interface) if interface else local.interface_towards(self._env["address"])
        if not local.nobody_answers(index, Claim(self._env).stands_by):
            return ""
        return f"nobody answers on {local.name_of(index)}: this machine may be the one that is cut off"

    def take(self, is_awaited, before_write):
        """Puts them here: that is all there is to it."""
        before_write()


def monitor(env):
    """As for every address. One that is here without a claim is to be stopped, so that it is nowhere twice."""
    code = floating.monitor(env, Lan(env))
    if code != agent.NOT_RUNNING or not env.is_probe or leaving.stays(env, env["address"]):
        return code
    return agent.SUCCESS if local.is_here(env["address"]) else code


def stop(env):
    """As for every address, but that it must be gone, or go in silence: another machine has it next."""
    code, mover = floating.stop(env, Lan(env)), Lan(env)
    try:
        mover.check_parameters()
        mover.drop_what_stays()
    except Failure as failure:
        if failure.code != agent.ERR_CONFIGURED:
            raise
    return code


def reload_agent(env):
    """Another first address comes as every other does; further ones come and go beside it."""
    mover = Lan(env)
    code = floating.reload_agent(env, mover)
    claim = Claim(env)
    if claim.read() is not None and not claim.stands_by:
        mover.put()
    return code


ACTIONS = {**floating.actions(Lan), "monitor": monitor, "stop": stop, "reload-agent": reload_agent}
