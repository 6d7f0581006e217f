"""A server of Hetzner Cloud and its floating IP: what the API says of them and does, and the interface of the address.

The API alone knows whose the address is. Near is what this machine has itself: the address, on an interface.
"""

import os
import time

import agent
import leaving
import local
from agent import Failure
from claims import seconds_since
from mover import Mover, is_address

METADATA_TIMEOUT = 2.0
REMEMBERED = "haproxy_ha-hetzner-"  # how the names of files begin that have the id of a floating IP


class Server(Mover):
    """This server, and the floating IP of an action's parameters."""

    called = "server"
    is_routed = True

    def check_address(self, name):
        """Raises for a parameter that is no address."""
        if not (is_address(self._env[name], "AF_INET") or is_address(self._env[name], "AF_INET6")):
            found = f"{name}: found {self._env[name]!r}"
            raise Failure(agent.ERR_CONFIGURED, f"{found}, allowed: an IPv4 address, or one of a floating IPv6")

    # --- Its part on this machine

    def put(self):
        """Puts the address on the interface, and tells the neighbours."""
        local.add(self._env["address"], self._env["interface"])

    def keep(self):
        """Puts it there again, as after a change of the network's configuration."""
        if not local.is_here(self._env["address"]):
            agent.log(f"{self._env['address']} is on no interface any more, and is put there again")
            self.put()

    def leave(self, address):
        """Has an address stay for a while, as Hetzner sends clients here until it has moved."""
        leaving.let_stay(self._env, [address])

    def drop(self, address):
        """Takes an address off every interface."""
        leaving.forget(self._env, address)
        local.remove(address)

    def hint(self):
        """Whether the address is on an interface; that it comes here only the API knows."""
        return local.is_here(self._env["address"])

    # --- The API

    def identify(self):
        """This server's id; kept until the next boot, for it cannot change before."""
        from haproxy_ha_host.connection import Connection
        from haproxy_ha_lib.cloud import answers, calls

        path = os.path.join(self._env.state_directory, "haproxy_ha-server")
        if known := answers.number((agent.read_file(path) or "").strip()):
            return known
        url = self._env["metadata_url"]
        call = calls.Call("GET", "/hetzner/v1/metadata/instance-id")
        reply = Connection(url).send(call, min(METADATA_TIMEOUT, max(0.1, self._env.left)))
        found = answers.number(reply.body.decode("ascii", "replace").strip()) if reply.status == 200 else None
        if not found:
            said = reply.failure or f"HTTP {reply.status}"
            raise Failure(agent.ERR_GENERIC, f"this server's id is unknown: {url}: {said}")
        remember(path, found)
        return found

    def owner(self):
        """Whether the address is this server's by the API; and who has it, in words. One try.

        Raises:
            Failure: Nothing is known; the reason says why.
        """
        from haproxy_ha_lib.cloud import calls
        from haproxy_ha_lib.hetzner import addresses

        if self._seen_by_another():
            return True, "held by this server"
        deadline = time.monotonic() + min(5.0, self._env.left * 0.6)
        api, me = self._api(), self.identify()
        try:
            if self._is_one_of_several():
                found = self._among_all(api.run(addresses.read_all(tries=1), deadline), me)
            else:
                found = api.run(addresses.read(self._env["address"], self._known(), tries=1), deadline)
        except calls.APIError as error:
            raise Failure(agent.ERR_GENERIC, str(error)) from None
        self._remember(found)
        holder = f"server {found.server_id}" if found.server_id else "no server"
        return found.server_id == me, f"held by {holder}, not by this one ({me})"

    def steps(self, me, is_awaited):
        """What brings the address here, by the rules of the API."""
        from haproxy_ha_lib.hetzner import addresses

        # While all nodes are there, clients are served, and an API that cannot be read is not written to.
        return addresses.assign(self._env["address"], me, self._known(), elsewhere=is_awaited())

    def taken(self, found):
        """Remembers the floating IP's id."""
        self._remember(found)

    # --- One look for all addresses of this server: a project may ask 3600 times an hour

    def _is_one_of_several(self):
        """Whether this server has more floating IPs than this one, as far as is remembered here."""
        return len([name for name in os.listdir(self._env.state_directory) if name.startswith(REMEMBERED)]) > 1

    def _seen_by_another(self):
        """Whether the monitor of another address has just seen that this one is here as well."""
        from haproxy_ha_lib.hetzner import addresses

        moment, *seen = (agent.read_file(self._seen_path) or "").split() or [""]
        age = seconds_since(moment)
        fresh = age is not None and age < self.look_again() / 2
        return fresh and any(addresses.holds(one, self._env["address"]) for one in seen)

    def _among_all(self, found, me):
        """This address among all, of which those that are here are written down. Raises APIError."""
        from haproxy_ha_lib.cloud import calls
        from haproxy_ha_lib.hetzner import addresses

        here = [one.address for one in found if one.server_id == me]
        try:
            agent.replace_file(self._seen_path, " ".join([f"{time.monotonic():.3f}", *here]))
        except Failure as failure:
            agent.log(failure.reason)
        for one in found:
            if addresses.holds(one.address, self._env["address"]):
                return one
        raise calls.NotFound(f"the token's project has no floating IP {self._env['address']}")

    @property
    def _seen_path(self):
        return os.path.join(self._env.state_directory, "haproxy_ha-hetzner_seen")

    # --- What is remembered of it

    def _known(self):
        """The floating IP's id, which a list had; None where it is not remembered."""
        return agent.number(agent.read_file(self._id_path) or "") or None

    def _remember(self, found):
        if found.id != self._known():
            remember(self._id_path, found.id)

    @property
    def _id_path(self):
        return os.path.join(self._env.state_directory, f"{REMEMBERED}{self._env['address']}")


def remember(path, number):
    """Writes a number down, for the next time; where that fails, it is asked for again."""
    try:
        agent.replace_file(path, str(number))
    except Failure as failure:
        agent.log(failure.reason)
