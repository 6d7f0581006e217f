"""What those who move an address have in common: an API, and the machine's metadata service."""

import agent
from agent import Failure

SERVICES = (("api_url", "https://"), ("metadata_url", "http://"))


class Mover:
    """This machine, and the address of an action's parameters. What is not said here of it, its kinds say.

    The address is on no interface of its own: those whose address is say :meth:`put`, :meth:`keep`, :meth:`leave` and
    :meth:`drop`, and by `is_routed` that all packets to it come here from one moment on.
    What a machine is called, `called`, its id, `identify`, and what brings the address here, `steps`, each cloud says.
    """

    is_routed = False

    def __init__(self, env):
        self._env, self._holds_resets = env, False

    @property
    def addresses(self):
        """Those that move: the action's, and what comes along."""
        return [self._env["address"]]

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

    def leave(self, address):
        """Gives an address up: it goes off this machine's interfaces, at once or when nobody is sent here any more."""
        self.drop(address)

    def drop(self, address):
        """Takes an address off this machine's interfaces, where it would be."""

    def hold_resets(self):
        """An address that comes as it is, from a machine that serves: nothing that is under way is reset meanwhile."""
        if self.is_routed and not self._holds_resets:
            import rules

            try:
                rules.begin(self._env, rules.RESETS, self.addresses, rules.RESETS_AT_MOST)
                self._holds_resets = True
            except Failure as failure:
                agent.log(f"a request that is under way as the address comes may be reset: {failure.reason}")

    def let_resets_go(self):
        """It is here, or does not come."""
        if self._holds_resets:
            import rules

            self._holds_resets = False
            try:
                rules.begin(self._env, rules.RESETS, self.addresses, rules.RESETS_AFTER)
            except Failure as failure:
                agent.log(f"for a minute nothing of the address is reset: {failure.reason}")

    def take(self, is_awaited, before_write):
        """Brings the address here.

        Args:
            is_awaited (callable): Whether clients wait for it.
            before_write (callable): Asked before each change; may raise to keep it from being made.

        Raises:
            Failure: It is not here.
        """
        from haproxy_ha_lib.cloud import calls

        me = self.identify()
        api = self._api()  # it reads certificates for about as long as the cluster is looked at
        api.connect(min(5.0, self._env.left))
        try:
            self.taken(api.run(self.steps(me, is_awaited), self._env.deadline, before_write))
        except calls.NotFound as error:
            raise Failure(agent.ERR_GENERIC, f"{self._env['address']}, {self.called} {me}: {error}") from None
        except calls.APIError as error:
            # Also for a refused token, and above: a hard code would ban this node for what may have been the API's
            # slip.
            raise Failure(agent.ERR_GENERIC, str(error)) from None

    def taken(self, found):
        """What is remembered of the address, once it is here."""

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
