"""
Floating IPs and servers of Hetzner Cloud
=========================================

Whose a floating IP is, and to whom it goes, by Hetzner's API; this server's own facts, by the metadata service. What is
not given comes from the pillar ``haproxy_ha:floating_ip``. The token is in no log and no return.

What is retried within the time that a function has: no answer, an answer that is cut short, HTTP 408, 409, 412, 422,
423 (locked), 429 and 5xx.

:depends: an API token that may read and write, of the project that has the servers
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import hetzner
from haproxy_ha_host.cloud import Cloud, Facts
from haproxy_ha_lib.cloud import answers
from haproxy_ha_lib.hetzner import addresses
from haproxy_ha_lib.hetzner.servers import SERVERS
from haproxy_ha_lib.provider.hetzner import DEFAULTS
from haproxy_ha_lib.settings import build, floating

__virtualname__ = "hetzner"

# Salt's loader puts these here.
__context__: dict[str, Any]
__pillar__: dict[str, Any]
__salt__: dict[str, Callable[..., Any]]

_CONTEXT_KEY = "hetzner.metadata"


def __virtual__():
    return __virtualname__


def metadata(url=None, timeout=2.0):
    """
    Return what the metadata service says about this server.

    url : ``None``
        Where the service is (str), without ``/hetzner``; pillar's ``floating_ip:metadata_url``, else
        ``http://169.254.169.254``.
    timeout : ``2.0``
        How long each of two requests may take, in seconds (float).

    Returns a dict: ``server_id`` (int), ``hostname``, ``location``, ``region``, ``public_ip``, ``private_ip`` (str; the
    first one, or None) and ``anchor_ip`` (None: there is none at Hetzner). Of floating IPs it says nothing. Asked once
    in a run; where there is no answer, again after 10 s.

    Raises CommandExecutionError where there is no metadata service.

    Source: https://docs.hetzner.cloud/

    CLI Example:

    .. code-block:: bash

        salt-call hetzner.metadata
    """
    url = (url or _cloud().configured("metadata_url") or DEFAULTS["metadata_url"]).rstrip("/")
    return Facts(__context__, _CONTEXT_KEY, hetzner.metadata).of(url, timeout)


def floating_ip(address=None, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    Return a floating IP as the API shows it.

    address : ``None``
        The address (str), IPv4 or one of a floating IPv6; pillar's ``floating_ip:address`` by default.
    api_url : ``None``
        Where the API is (str), without ``/v1``; pillar's, else ``https://api.hetzner.cloud``.
    ca_file : ``None``
        Certificate authorities to trust (str, a PEM file); pillar's, else the system's.
    token_file : ``None``
        File with the token (str), for want of one in pillar; pillar's, else ``/etc/haproxy_ha/token``.
    timeout : ``20.0``
        How long this may take, with all retries, in seconds (float).

    Returns a dict: ``address`` (with /64 for IPv6), ``id`` (int), ``server_id`` (int; None for nobody), ``location``,
    ``blocked``.

    Raises CommandExecutionError: the token is refused, the address is unknown, or there is no answer in time.

    Source: https://docs.hetzner.cloud/

    CLI Example:

    .. code-block:: bash

        salt-call hetzner.floating_ip 203.0.113.10
    """
    return _run(addresses.read(_cloud().address(address)), api_url, ca_file, token_file, timeout)._asdict()


def floating_ips(api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    List the project's floating IPs.

    api_url, ca_file, token_file, timeout
        As in :func:`floating_ip`.

    Returns a list of dicts as :func:`floating_ip` returns one.

    CLI Example:

    .. code-block:: bash

        salt-call hetzner.floating_ips
    """
    return [one._asdict() for one in _run(addresses.read_all(), api_url, ca_file, token_file, timeout)]


def assign(server=None, address=None, api_url=None, ca_file=None, token_file=None, timeout=60.0):
    """
    Assign a floating IP to a server, and return when the API shows it as the owner. That the address is on an interface
    there is not this function's part.

    Where Pacemaker manages the address, let the cluster move it (:mod:`haproxy_ha.failover <haproxy_ha>`): it takes the
    address back.

    server : ``None``
        The new owner: an id (int) or a name (str); this server by default.
    address, api_url, ca_file, token_file : ``None``
        As in :func:`floating_ip`.
    timeout : ``60.0``
        How long this may take, with all retries, in seconds (float).

    Returns a dict: ``old`` and ``new``, as in :func:`floating_ip`; they are equal when nothing had to be done.

    CLI Example:

    .. code-block:: bash

        salt-call hetzner.assign secondary 203.0.113.10
    """
    address = _cloud().address(address)
    options = {"api_url": api_url, "ca_file": ca_file, "token_file": token_file, "timeout": timeout}
    target = _server_id(server, options)
    old = _run(addresses.read(address), **options)
    new = _run(addresses.assign(address, target, old.id), **options) if old.server_id != target else old
    return {"old": old._asdict(), "new": new._asdict()}


def servers(name=None, label=None, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    List the project's servers.

    name : ``None``
        Only the one with exactly this name (str).
    label : ``None``
        Only those that a label selector has (str), such as ``role=lb``.
    api_url, ca_file, token_file, timeout
        As in :func:`floating_ip`.

    Returns a list of dicts: ``id``, ``name``, ``status``, ``locked`` (whether something is done to it), ``location``,
    ``labels``, ``public_ip``, ``private_ips``.

    Source: https://docs.hetzner.cloud/

    CLI Example:

    .. code-block:: bash

        salt-call hetzner.servers label=role=lb
    """
    return _run(SERVERS.read_all(name, label), api_url, ca_file, token_file, timeout)


def server(server, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    Return one server.

    server
        Its id (int), or its whole name (str).
    api_url, ca_file, token_file, timeout
        As in :func:`floating_ip`.

    Returns a dict as :func:`servers` lists them.

    CLI Example:

    .. code-block:: bash

        salt-call hetzner.server primary
    """
    return _run(SERVERS.find(str(server)), api_url, ca_file, token_file, timeout)


def obstacles(address=None, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    Return why a floating IP would serve nobody on this server: a list of texts, empty where nothing is known.

    address : ``None``
        The address (str); pillar's ``floating_ip:address`` by default.
    api_url, ca_file, token_file, timeout
        As in :func:`floating_ip`.

    Hetzner has blocked the address, or this server is not of the project of the token. On a machine without a metadata
    service only the address is looked up.

    Raises CommandExecutionError: the token is refused, the address is unknown, or there is no answer in time.

    CLI Example:

    .. code-block:: bash

        salt-call hetzner.obstacles 203.0.113.10
    """
    me = _own_server_id()

    def steps():
        found = yield from addresses.read(_cloud().address(address))
        if me is None:
            return addresses.obstacles(found)
        return addresses.obstacles(found) + (yield from SERVERS.strangers([me]))

    return _run(steps(), api_url, ca_file, token_file, timeout)


def fencing(nodes, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    Return what fencing of a cluster's nodes through the API would meet, without switching anything.

    nodes
        Each node's name and the name or id of its server (dict); a list of names where they are the same.
    api_url, ca_file, token_file, timeout
        As in :func:`floating_ip`.

    Whether the token may switch servers is asked about a server that cannot exist, to be powered *on*: Hetzner answers
    403 to a read-only token, and 404 to another.

    Returns ``{"problems": [text], "unknown": text, "servers": {node: server}}``: what is in the way, what cannot be
    known (empty when all is), and the servers as in :func:`servers`.

    Raises CommandExecutionError: the token is refused for reading, or there is no answer in time.

    CLI Example:

    .. code-block:: bash

        salt-call hetzner.fencing '[primary, secondary]'
    """
    plugs = {str(node): str(nodes[node]) if isinstance(nodes, dict) else str(node) for node in nodes}
    found = _run(SERVERS.fencing_problems(plugs), api_url, ca_file, token_file, timeout)
    return dict(zip(("problems", "unknown", "servers"), found, strict=True))


def _cloud():
    tree, salt = __pillar__.get("haproxy_ha"), globals().get("__salt__", {})
    given = floating.as_given(tree)
    return Cloud(given, lambda: build.secrets(tree)["floating_ip"]["api_token"], __context__, salt, DEFAULTS)


def _run(steps, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """Run a procedure of the rules."""
    return _cloud().run(steps, api_url, ca_file, token_file, timeout)


def _own_server_id():
    """This server's id; None on a machine without a metadata service."""
    try:
        return metadata()["server_id"]
    except CommandExecutionError:
        return None


def _server_id(server, options):
    if server is None:
        return metadata()["server_id"]
    if found := answers.number(str(server)):
        return found
    return _run(SERVERS.find(str(server)), **options)["id"]
