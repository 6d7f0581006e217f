"""DigitalOcean's API for the agents: the token file, one connection that is kept, calls that end in time.

What is asked, and what an answer means, is in haproxy_ha_lib/digitalocean.
"""

import os
import time

import agent
from agent import Failure

from haproxy_ha_lib.digitalocean import calls


class Background:
    """A function that runs beside the action, in a thread that nobody waits for at the end."""

    def __init__(self, function):
        import threading

        self._function, self._results, self._errors = function, [], []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self._results.append(self._function())
        except Exception as error:  # it belongs to whoever asks for the result
            self._errors.append(error)

    def result(self, timeout=None):
        """What the function returned, or raises what it raised; None while it has not ended."""
        self._thread.join(timeout)
        for error in self._errors:
            raise error
        return self._results[0] if self._results else None


def read_token(path):
    """The API token in a file.

    Raises:
        Failure: The file is missing or holds no token (5), is another's, others may read it, or root may not (4).
    """
    try:
        with open(path, encoding="ascii", errors="replace", opener=agent.open_at_once) as file:
            status = os.fstat(file.fileno())
            text = file.read(4096).strip()
    except (FileNotFoundError, ValueError):  # the latter for what cannot be a path
        raise Failure(agent.ERR_INSTALLED, f"token file {path}: is missing") from None
    except OSError as error:
        raise Failure(agent.ERR_PERM, f"token file {path}: {error.strerror}") from None
    if status.st_uid not in (0, os.geteuid()):
        raise Failure(agent.ERR_PERM, f"token file {path}: belongs to the user {status.st_uid}, who may change it")
    if status.st_mode & 0o077:
        mode = f"{status.st_mode & 0o777:04o}"
        raise Failure(agent.ERR_PERM, f"token file {path}: has mode {mode}, others than root may use it")
    problem = calls.token_problem(text)
    if problem:
        raise Failure(agent.ERR_INSTALLED, f"token file {path}: {problem}")
    return text


class API:
    """A connection to the API, kept open between calls.

    Args:
        url (str): Where it is, without /v2.
        ca_file (str): PEM file of the certificate authorities to trust; "" for the system's.
        token_file (str): Holds the token.

    Raises:
        Failure: A file is missing, or the token's is not for root alone.
    """

    def __init__(self, url, ca_file, token_file):
        import http.client  # noqa: F401 - here, where time is left, and not at the first call
        import ssl

        self._host, _, path = url.removeprefix("https://").rstrip("/").partition("/")
        self._prefix = f"/{path}" if path else ""
        self._token = read_token(token_file)
        try:
            self._context = ssl.create_default_context(cafile=ca_file or None)
        except OSError as error:
            raise Failure(agent.ERR_INSTALLED, f"ca_file {ca_file}: {error}") from None
        self._connection = None

    def run(self, steps, deadline, before_write=lambda: None):
        """Runs a procedure of the rules until the deadline; ``before_write`` may raise to keep it from a change."""

        def send(call, timeout):
            if call.method != "GET":
                before_write()
            return self.send(call, timeout)

        return calls.drive(steps, send, deadline, time.monotonic, time.sleep)

    def send(self, call, timeout):
        """Makes one call; its thread bounds what no socket timeout does: looking up a name, a dripping answer."""
        background = Background(lambda: self._send(call, timeout))
        reply = background.result(timeout)
        if reply is None:
            self._connection = None
        return reply or calls.Reply(0, {}, b"", f"{self._host}: no answer within {timeout:.1f} s")

    def _send(self, call, timeout):
        import json
        from http.client import HTTPSConnection

        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        body = None
        if call.body is not None:
            body, headers["Content-Type"] = json.dumps(call.body), "application/json"
        try:
            connection = self._connection or HTTPSConnection(self._host, timeout=timeout, context=self._context)
            connection.request(call.method, self._prefix + call.path, body, headers)
            answer = connection.getresponse()
            content = _whole(answer)
            self._connection = connection
        except Exception as error:  # whatever an answer makes of http.client: nobody has said anything
            self._connection = None
            said = str(error).replace(self._token, "***")[:200] or type(error).__name__
            text = f"{self._host}: {said}"
            return calls.Reply(0, {}, b"", calls.with_clock(text, time.time()))
        return calls.Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)


def _whole(answer):
    """The body of an answer that is complete and not too long."""
    content = answer.read(calls.MOST_BYTES + 1)
    if len(content) > calls.MOST_BYTES:
        raise OSError(f"the answer is longer than {calls.MOST_BYTES} bytes")
    if answer.length:
        raise OSError(f"the answer ends {answer.length} bytes early")
    return content
