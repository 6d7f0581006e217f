"""
The API of a cloud as execution modules ask it: URL, token and authorities by arguments, else as pillar has them, else
as that cloud has them. What is asked, and what an answer means, is decided in ``haproxy_ha_lib``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import stores
from haproxy_ha_host.connection import Connection
from haproxy_ha_lib import values
from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.calls import Call, Reply

if TYPE_CHECKING:
    from haproxy_ha_lib.cloud.calls import Steps

_CONNECTIONS_KEY = "haproxy_ha.cloud.connections"


class Cloud:
    """
    A cloud, asked on this minion.

    given
        What pillar has of ``floating_ip`` (mapping).
    token
        Returns the token that pillar has, or the URL of the store that has it (callable).
    context
        The module's ``__context__`` (dict), in which connections are kept.
    salt
        Salt's functions, by their names (mapping).
    defaults
        ``api_url``, ``ca_file`` and ``token_file`` where nothing else says (mapping).
    """

    def __init__(
        self, given: Mapping[str, Any], token: Callable[[], Any], context: MutableMapping[str, Any],
        salt: Mapping[str, Callable[..., Any]], defaults: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._given, self._given_token, self._context = given, token, context
        self._salt, self._defaults = salt, defaults

    def configured(self, key: str) -> Any:
        """Return a value of the pillar haproxy_ha:floating_ip; None without one."""
        return values.bare(self._given.get(key))

    def address(self, address: object) -> str:
        """Return an address that was given, else pillar's. Raises SaltInvocationError where there is none."""
        found = address or self.configured("address")
        if not found:
            raise SaltInvocationError("address: is not given, and haproxy_ha:floating_ip:address is not in pillar")
        return str(found)

    def run(
        self, steps: Steps, api_url: str | None = None, ca_file: str | None = None, token_file: str | None = None,
        timeout: float = 20.0,
    ) -> Any:  # fmt: skip
        """Return what a procedure of the rules does. Raises CommandExecutionError."""
        url = (api_url or self.configured("api_url") or self._defaults["api_url"]).rstrip("/")
        if not url.startswith("https://"):
            raise SaltInvocationError(f"api_url: found {url!r}, allowed: a URL with https://")
        token = self._token(token_file)
        connection = self._connection(url, ca_file or self.configured("ca_file") or self._authorities())

        def send(call: Call, seconds: float) -> Reply:
            return connection.send(call, seconds, token)

        try:
            return calls.drive(steps, send, time.monotonic() + float(timeout), time.monotonic, time.sleep)
        except calls.APIError as error:
            raise CommandExecutionError(f"{url}: {error}") from None

    def _connection(self, url: str, ca_file: str) -> Connection:
        """Kept for the run: a TLS handshake costs more than what is asked."""
        if not os.path.exists(ca_file):
            raise CommandExecutionError(f"ca_file: {ca_file} is missing")
        kept = self._context.setdefault(_CONNECTIONS_KEY, {})
        key = (Connection, url, ca_file)  # that of another version stays its own
        if key not in kept:
            try:
                kept[key] = Connection(url, ca_file)
            except OSError as error:
                raise CommandExecutionError(f"ca_file: {ca_file}: {error}") from None
        found: Connection = kept[key]
        return found

    def _authorities(self) -> str:
        """
        The certificate authorities that this machine trusts; for want of them those that come with Salt, which know
        nothing of one that its owner trusts.
        """
        if os.path.exists(self._defaults["ca_file"]):
            return self._defaults["ca_file"]
        from requests.utils import DEFAULT_CA_BUNDLE_PATH

        return str(DEFAULT_CA_BUNDLE_PATH)

    def _token(self, token_file: str | None) -> str:
        source = "pillar haproxy_ha:floating_ip:api_token"
        token, why = (None, "") if token_file else self._token_of_pillar()
        if not token:
            source = token_file or self.configured("token_file") or self._defaults["token_file"]
            token = _read(source, why or "haproxy_ha:floating_ip:api_token is not in pillar")
        token = str(token).strip()
        problem = calls.token_problem(token)
        if problem:
            raise CommandExecutionError(f"the API token of {source} {problem}")
        return token

    def _token_of_pillar(self) -> tuple[Any, str]:
        """(token, why there is none): what pillar has, or the store whose URL it has."""
        token = self._given_token()
        if not values.is_of_store(token):
            return token, ""
        try:
            return stores.ask(self._salt["sdb.get"], token, self._context), ""
        except stores.Silent as error:
            return None, f"haproxy_ha:floating_ip:api_token: {error}"


def _read(path: str, why: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(4096)
    except OSError as error:
        raise CommandExecutionError(f"no API token: {why}, and {path}: {error.strerror}") from None


class Facts:
    """
    What a metadata service says of this machine: asked once in a run, and anew some seconds after it did not answer.

    context
        The minion's ``__context__`` (dict), in which it is kept.
    key
        Its key there (str).
    read
        Asks (callable): a URL and seconds -> the facts (dict), or why there are none (str).
    """

    FAILURE_SECONDS = 10.0
    ANSWER_SECONDS = 300.0  # a machine's addresses change while it is off

    def __init__(
        self, context: MutableMapping[str, Any], key: str, read: Callable[[str, float], dict[str, Any] | str]
    ) -> None:
        self._context, self._key, self._read = context, key, read

    def of(self, url: str, timeout: float) -> dict[str, Any]:
        """Return what the service at a URL says. Raises CommandExecutionError."""
        cache = self._context.setdefault(self._key, {})
        found, until = cache.get(url, (None, 0.0))
        if time.monotonic() >= until:
            found = self._read(url, float(timeout))
            seconds = self.FAILURE_SECONDS if isinstance(found, str) else self.ANSWER_SECONDS
            cache[url] = found, time.monotonic() + seconds
        if isinstance(found, str):
            raise CommandExecutionError(found)
        known: dict[str, Any] = found
        return known
