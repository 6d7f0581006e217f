"""A droplet and its reserved IP: what DigitalOcean's metadata service and its API say of them, and the API does.

The metadata service is near and cheap, the API is right.
"""

import os
import time

import agent
from agent import Failure
from mover import Mover, is_address

METADATA_TIMEOUT = 1.0
INTERFACE = "lo"  # as DigitalOcean's documents have it for a reserved IPv6 address


class Droplet(Mover):
    """This droplet, and the reserved IP of an action's parameters."""

    called = "droplet"

    def check_parameters(self):
        """Raises for what is wrong with its own parameters."""
        super().check_parameters()
        if self._env["replaces"]:
            self.check_address("replaces")

    def check_address(self, name):
        """Raises for a parameter that is no address."""
        if not (is_address(self._env[name], "AF_INET") or is_address(self._env[name], "AF_INET6")):
            found = f"{name}: found {self._env[name]!r}"
            raise Failure(agent.ERR_CONFIGURED, f"{found}, allowed: an IPv4 or IPv6 address")

    # --- Its part on this machine: IPv6 alone, which DigitalOcean brings here as it is

    @property
    def is_routed(self):
        """Whether the address comes as it is."""
        return ":" in self._env["address"]

    def put(self):
        """Puts an IPv6 address on an interface."""
        if ":" in self._env["address"]:
            import local

            local.add(self._env["address"], INTERFACE)

    def keep(self):
        """Puts it there again, should somebody else have taken it away."""
        if ":" not in self._env["address"]:
            return
        import local

        if not local.is_here(self._env["address"]):
            agent.log(f"{self._env['address']} is on no interface any more, and is put there again")
            self.put()

    def leave(self, address):
        """Has an IPv6 address stay for a while, as DigitalOcean sends clients here until it has moved."""
        if is_address(address, "AF_INET6"):
            import leaving

            leaving.let_stay(self._env, [address])

    def drop(self, address):
        """Takes an IPv6 address off every interface."""
        if is_address(address, "AF_INET6"):
            import leaving
            import local

            leaving.forget(self._env, address)
            local.remove(address)

    # --- DigitalOcean

    def hint(self):
        """Whether the metadata service says that the address is at this droplet; None when it says nothing."""
        address = self._env["address"]
        family, names = ("ipv6", ("reserved_ip",)) if ":" in address else ("ipv4", ("reserved_ip", "floating_ip"))
        for name in names:
            status, body = metadata(self._env, f"{name}/{family}/ip_address")
            if status == 200:
                return is_same(body, address)
            if status == 0:
                return None
            # Without an address the leaf is absent: only `active` tells that from a service that does not know the
            # name.
            status, body = metadata(self._env, f"{name}/{family}/active")
            if status == 200:
                return None if body == "true" else False
        return None

    def identify(self):
        """This droplet's id; kept until the next boot, for it cannot change before."""
        path = os.path.join(self._env.state_directory, "haproxy_ha-droplet")
        if known := an_id(agent.read_file(path) or ""):
            return known
        status, text = metadata(self._env, "id")
        found = an_id(text)
        if status != 200 or not found:
            said = f"HTTP {status}" if status else "no answer"
            where = self._env["metadata_url"]
            raise Failure(agent.ERR_GENERIC, f"this droplet's id is unknown: {where}: {said}")
        try:
            agent.replace_file(path, f"{found}\n")
        except Failure:
            return found  # and is asked for again
        return found

    def owner(self):
        """Whether the address is this droplet's by the API, None where the token may not see the owner; and who has it,
        in words. One try.

        Raises:
            Failure: Nothing is known; the reason says why.
        """
        from haproxy_ha_lib.cloud import calls
        from haproxy_ha_lib.digitalocean import reserved

        deadline = time.monotonic() + min(5.0, self._env.left * 0.6)
        api, me = self._api(), self.identify()
        try:
            found = api.run(reserved.read(self._env["address"], me, tries=1), deadline)
        except calls.APIError as error:
            raise Failure(agent.ERR_GENERIC, str(error)) from None
        holder = f"droplet {found.droplet_id}" if found.droplet_id else "no droplet that the token may see"
        is_here = found.droplet_id == me or (False if found.visible else None)
        return is_here, f"held by {holder}, not by this one ({me})"

    def steps(self, me, is_awaited):
        """What brings the address here, by the rules of the API."""
        from haproxy_ha_lib.digitalocean import reserved

        # While all nodes are there, clients are served, and an API that cannot be read is not written to.
        elsewhere = is_awaited() and self.hint() is False
        return reserved.assign(self._env["address"], me, self.hint, elsewhere, replaces=self._env["replaces"])


def metadata(env, path):
    """(status, body) of a leaf of the metadata tree; status 0 when nobody answers."""
    host = env["metadata_url"].removeprefix("http://").rstrip("/")
    return fetch(host, f"/metadata/v1/{path}", min(METADATA_TIMEOUT, env.left))


def fetch(host, target, seconds):
    """(status, body) of what a service has there by plain HTTP; status 0 when nobody answers.

    Written out on a socket: http.client would double what a monitor costs.
    """
    import socket

    name, _, port = host.partition(":")
    deadline = time.monotonic() + seconds
    answer = b""
    try:
        request = f"GET {target} HTTP/1.0\r\nHost: {name}\r\n\r\n".encode()
        with socket.create_connection((name, int(port or 80)), timeout=METADATA_TIMEOUT) as connection:
            connection.sendall(request)
            while len(answer) < 65536 and (left := deadline - time.monotonic()) > 0:
                connection.settimeout(left)
                part = connection.recv(8192)
                if not part:
                    break
                answer += part
    except (OSError, ValueError, OverflowError):
        return 0, ""
    head, found, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if not found or len(words) < 2 or len(words[1]) != 3 or not words[1].isdigit():
        return 0, ""
    return int(words[1]), body.decode("ascii", "replace").strip()


def is_same(found, address):
    """Whether two texts are one address; IPv6 may be written in more than one way."""
    if found == address or ":" not in address:
        return found == address
    import _socket

    try:
        return _socket.inet_pton(_socket.AF_INET6, found) == _socket.inet_pton(_socket.AF_INET6, address)
    except (OSError, ValueError):
        return False


def an_id(text):
    """A droplet's id; 0 for what is none."""
    found = agent.number(text.strip())
    return found if found < 1 << 53 else 0  # beyond that JSON keeps no number
