"""DigitalOcean's API for the agents: the token's file, and procedures of the rules (haproxy_ha_lib/digitalocean)."""

import os
import time

import agent
from agent import Failure

from haproxy_ha_host.connection import Connection
from haproxy_ha_lib.cloud import calls


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
    problem = calls.file_problem(status.st_uid, status.st_mode & 0o777, os.geteuid())
    if problem:
        raise Failure(agent.ERR_PERM, f"token file {path}: {problem}")
    problem = calls.token_problem(text)
    if problem:
        raise Failure(agent.ERR_INSTALLED, f"token file {path}: {problem}")
    return text


class API:
    """The API, as an agent's parameters name it.

    Args:
        url (str): Where it is, without /v2.
        ca_file (str): PEM file of the certificate authorities to trust; "" for the system's.
        token_file (str): Holds the token.

    Raises:
        Failure: A file is missing, or the token's is not for root alone.
    """

    def __init__(self, url, ca_file, token_file):
        self._token = read_token(token_file)
        try:
            self._connection = Connection(url, ca_file)
        except OSError as error:
            raise Failure(agent.ERR_INSTALLED, f"ca_file {ca_file}: {error}") from None

    def connect(self, timeout):
        """Begins to connect, beside what else is to be done before the first call; seconds until it is given up."""
        self._connection.connect(timeout)

    def run(self, steps, deadline, before_write=lambda: None):
        """Runs a procedure of the rules until the deadline; ``before_write`` may raise to keep it from a change."""

        def send(call, timeout):
            if call.method != "GET":
                before_write()
            reply = self._connection.send(call, timeout, self._token)
            return reply._replace(failure=f"{self._connection.host}: {reply.failure}") if reply.failure else reply

        return calls.drive(steps, send, deadline, time.monotonic, time.sleep)
