"""A service over HTTP, for the execution modules and for the agents: a connection that is kept, and calls that end in
time, whatever comes back.

What is asked of a cloud, and what an answer means, is in `haproxy_ha_lib`. Nothing of the environment or of ~/.netrc
counts, neither a proxy nor credentials, and no redirect is followed: the token goes where it was told to. Standard
library only.
"""

from __future__ import annotations

import time

from haproxy_ha_lib.cloud import answers, calls

TYPE_CHECKING = False
if TYPE_CHECKING:  # the agents start without it
    from collections.abc import Callable
    from http.client import HTTPConnection, HTTPResponse
    from socket import socket
    from ssl import SSLContext
    from typing import Any


class Background:
    """A function that runs beside its caller, in a thread that nobody waits for at the end."""

    def __init__(self, function: Callable[[], Any]) -> None:
        import threading

        self._function = function
        self._results: list[Any] = []
        self._errors: list[Exception] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except Exception as error:  # it belongs to whoever asks for the result
            self._errors.append(error)

    def result(self, timeout: float | None = None) -> Any:
        """What the function returned, or raises what it raised; None while it has not ended."""
        self._thread.join(timeout)
        for error in self._errors:
            raise error
        return self._results[0] if self._results else None


class Connection:
    """A service, by a connection that is kept between calls.

    Args:
        url (str): Where it is: https://, or http:// for the metadata service, a host, a port, a path.
        ca_file (str): PEM file of the certificate authorities to trust; "" for the system's.

    Raises:
        OSError: ``ca_file`` cannot be read, or holds no certificate.
    """

    def __init__(self, url: str, ca_file: str = "") -> None:
        import http.client  # noqa: F401 - here, where time is left, and not at the first call

        scheme, _, rest = url.partition("://")
        self.host, _, path = rest.rstrip("/").partition("/")
        self._prefix = f"/{path}" if path else ""
        self._context = _trusting(ca_file) if scheme == "https" else None
        self._kept: HTTPConnection | None = None
        self._ahead: Background | None = None

    def connect(self, timeout: float) -> None:
        """Begins to connect, for a call that is a moment away. What comes of it is seen there: that call may try anew.

        Args:
            timeout (float): Seconds after which it is given up.
        """
        self._ahead = Background(lambda: self._connected(timeout))

    def _connected(self, timeout: float) -> HTTPConnection:
        connection = self._new(timeout)
        connection.connect()
        return connection

    def send(self, call: calls.Call, timeout: float, token: str = "") -> calls.Reply:
        """Makes one call; its thread bounds what no socket timeout does: looking up a name, a dripping answer.

        Args:
            call (Call): What is asked.
            timeout (float): Seconds after which there is no answer.
            token (str): Sent along, and in no text. Default: none.

        Returns:
            Reply: With the status 0 and a reason in one line where there was no complete answer.
        """
        reply: calls.Reply | None = Background(lambda: self._send(call, timeout, token)).result(timeout)
        return reply or calls.Reply(0, {}, b"", f"no answer within {timeout:.1f} s")

    def _send(self, call: calls.Call, timeout: float, token: str) -> calls.Reply:
        try:
            connection = self._connection(timeout)
            connection.request(call.method, self._prefix + call.path, *_content(call, token))
            answer = connection.getresponse()
            body = _whole(answer)
        except Exception as error:  # whatever an answer makes of http.client: nobody has said anything
            return calls.Reply(0, {}, b"", _reason(error, token))
        self._kept = connection
        return calls.Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def _connection(self, timeout: float) -> HTTPConnection:
        """The one that is kept, unless the other end has closed it meanwhile; one that was begun, or a new one else."""
        # It is nobody's while it is in use: what comes of a call whose time is over is not waited for.
        kept, self._kept = self._kept or self._begun(timeout / 2), None
        if kept and kept.sock and not _is_over(kept.sock):
            kept.sock.settimeout(timeout)
            return kept
        return self._new(timeout)

    def _begun(self, timeout: float) -> HTTPConnection | None:
        """The one that :meth:`connect` began, if there is one by then."""
        ahead, self._ahead = self._ahead, None
        try:
            connection: HTTPConnection | None = ahead.result(timeout) if ahead else None
        except Exception:  # the call tells why, if it fares no better
            return None
        return connection

    def _new(self, timeout: float) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        if self._context:
            return HTTPSConnection(self.host, timeout=timeout, context=self._context)
        return HTTPConnection(self.host, timeout=timeout)


def _trusting(ca_file: str) -> SSLContext:
    import ssl

    return ssl.create_default_context(cafile=ca_file or None)


def _is_over(connected: socket) -> bool:
    """Whether a connection on which nothing is asked has ended, or says something; tickets of TLS are nothing."""
    connected.settimeout(0)
    try:
        connected.recv(1)
    except OSError as error:
        return type(error).__name__ not in ("BlockingIOError", "SSLWantReadError")
    return True


def _content(call: calls.Call, token: str) -> tuple[str | None, dict[str, str]]:
    """The body and the headers of a call."""
    import json

    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if call.body is None:
        return None, headers
    return json.dumps(call.body), {**headers, "Content-Type": "application/json"}


def _whole(answer: HTTPResponse) -> bytes:
    """The body of an answer that is complete and not too long."""
    content = answer.read(calls.MOST_BYTES + 1)
    if len(content) > calls.MOST_BYTES:
        raise OSError(f"the answer is longer than {calls.MOST_BYTES} bytes")
    if answer.length:
        raise OSError(f"the answer ends {answer.length} bytes early")
    return content


def _reason(error: Exception, token: str) -> str:
    """Why there was no answer, in one line without the token."""
    from http.client import BadStatusLine, RemoteDisconnected

    words = answers.text(" ".join(str(error).split())) or ""  # what came may be for a terminal
    if isinstance(error, BadStatusLine) and not isinstance(error, RemoteDisconnected):
        words = f"no HTTP status: {words}"  # else there would be the line alone
    words = words.replace(token, "***") if token else words
    return calls.with_clock(words[:160] or type(error).__name__, time.time())
