"""What those who move an address have in common: an API, and the machine's metadata service."""

import agent
from agent import Failure

SERVICES = (("api_url", "https://"), ("metadata_url", "http://"))


class Mover:
    """This machine, and the address of an action's parameters. What is not said here of it, its kinds say.

    The address is on no interface of its own: those whose address is say :meth:`put`, :meth:`keep` and :meth:`drop`.
    """

    def __init__(self, env):
        self._env = env

    def check_parameters(self):
        """Raises for an address, URLs and a token file that can be none."""
        self.check_address("address")
        for name, scheme in SERVICES:
            if not self._env[name].startswith(scheme):
                found = f"{name}: found {self._env[name]!r}"
                raise Failure(agent.ERR_CONFIGURED, f"{found}, allowed: a URL with {scheme}")
        path = self._env["token_file"]
        if not path.startswith("/"):
            raise Failure(agent.ERR_CONFIGURED, f"token_file: found {path!r}, allowed: an absolute path")

    def check_address(self, name):
        """Raises for a parameter that is no IPv4 address."""
        if not is_address(self._env[name], "AF_INET"):
            raise Failure(agent.ERR_CONFIGURED, f"{name}: found {self._env[name]!r}, allowed: an IPv4 address")

    def check_access(self):
        """Raises where the metadata service does not answer, or there is no token for root alone."""
        from api import read_token

        self.identify()
        read_token(self._env["token_file"])

    def look_again(self):
        """Seconds after which the word that counts is asked again, though what is near says that the address is here.

        Raises:
            Failure: The parameter is wrong.
        """
        return self._env.seconds("api_check_interval")

    def cut_off(self):
        """Why this machine, and not the one that is lost, may be the one to which nobody comes; "" for no reason."""
        return ""

    def put(self):
        """Puts the address on an interface of this machine, where it belongs there."""

    def keep(self):
        """Puts it there again, should somebody else have taken it away."""

    def drop(self, address):
        """Takes an address off this machine's interfaces, where it would be."""

    def _api(self):
        from api import API

        return API(self._env["api_url"], self._env["ca_file"], self._env["token_file"])


def is_address(text, family):
    """Whether a text is an address of a family, `AF_INET` or `AF_INET6`."""
    import _socket

    try:
        _socket.inet_pton(getattr(_socket, family), text)
    except (OSError, ValueError):
        return False
    return True
