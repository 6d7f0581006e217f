"""
DigitalOcean's metadata service and reserved IPs (formerly floating IPs).

The rules of the API (what is retried, what a 422 or 429 means, who owns an address) are in
``haproxy_ha_lib.digitalocean``, the requests in ``haproxy_ha_host.connection``; the agents have the same two. The API
token is that of the pillar ``haproxy_ha:floating_ip:api_token``, or of the store whose URL stands there, else that of
the token file that the resource agent reads; it is shown nowhere.
"""

import logging
from collections.abc import Callable
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host.cloud import Cloud, Facts
from haproxy_ha_host.connection import Connection
from haproxy_ha_lib import values
from haproxy_ha_lib.cloud import answers, calls
from haproxy_ha_lib.digitalocean import metadata as metadata_rules
from haproxy_ha_lib.digitalocean import prefixes, reserved
from haproxy_ha_lib.digitalocean.droplets import DROPLETS
from haproxy_ha_lib.provider.digitalocean import DEFAULTS
from haproxy_ha_lib.settings import build, floating

log = logging.getLogger(__name__)

__virtualname__ = "digitalocean"

# Salt's loader puts these here.
__context__: dict[str, Any]
__opts__: dict[str, Any]
__pillar__: dict[str, Any]
__salt__: dict[str, Callable[..., Any]]

_CONTEXT_KEY = "digitalocean.metadata"


def __virtual__():
    return __virtualname__


def metadata(url=None, timeout=2.0):
    """
    Return what the metadata service says about this droplet.

    url : ``None``
        Where the service is (str), without ``/metadata``; pillar's ``floating_ip:metadata_url``, else
        ``http://169.254.169.254``.
    timeout : ``2.0``
        How long the whole request may take, in seconds (float).

    Returns a dict: ``droplet_id`` (int), ``hostname``, ``region``, ``public_ip``, ``private_ip``, ``anchor_ip``,
    ``public_ipv6`` (str, or None where the droplet has none), ``reserved_ip`` and ``reserved_ipv6`` (``active``,
    ``ip``). Asked once in a run; where there is no answer, again after 10 s. The reserved ones are as of then, and only
    a hint.

    Raises CommandExecutionError where there is no metadata service.

    Source: https://docs.digitalocean.com/reference/api/metadata/

    CLI Example:

    .. code-block:: bash

        salt-call digitalocean.metadata
    """
    url = (url or _configured("metadata_url") or DEFAULTS["metadata_url"]).rstrip("/")
    return Facts(__context__, _CONTEXT_KEY, _read_metadata).of(url, timeout)


def reserved_ip(address=None, api_url=None, ca_file=None, token_file=None, spelling="reserved_ips", timeout=20.0):
    """
    Return a reserved IP as the API shows it.

    address : ``None``
        The address (str); pillar's ``floating_ip:address`` by default.
    api_url : ``None``
        Where the API is (str), without ``/v2``; pillar's, else ``https://api.digitalocean.com``.
    ca_file : ``None``
        Certificate authorities to trust (str, a PEM file); pillar's, else the system's.
    token_file : ``None``
        File with the token (str), for want of one in pillar; pillar's, else ``/etc/haproxy_ha/token``.
    spelling : ``reserved_ips``
        ``floating_ips`` asks the old endpoint (str).
    timeout : ``20.0``
        How long this may take, with all retries, in seconds (float).

    Returns a dict: ``address``, ``droplet_id`` (int; None for nobody), ``visible`` (False where the token may not see
    the owner), ``locked`` (an action is pending), ``region``.

    Raises CommandExecutionError: the token is refused, the address is unknown, or there is no answer in time.

    Source: https://docs.digitalocean.com/reference/api/reference/reserved-ips/

    CLI Example:

    .. code-block:: bash

        salt-call digitalocean.reserved_ip 203.0.113.10
    """
    address = _address(address)
    me = _own_droplet_id()
    steps = reserved.read(address, me, spelling=_spelling(spelling))
    return _run(steps, api_url, ca_file, token_file, timeout)._asdict()


def assign(
    droplet=None, address=None, api_url=None, ca_file=None, token_file=None, spelling="reserved_ips", timeout=60.0
):
    """
    Assign a reserved IP to a droplet, and return when the API shows it as the owner.

    Where Pacemaker manages the address, let the cluster move it (:mod:`haproxy_ha.failover <haproxy_ha>`): it takes the
    address back.

    droplet : ``None``
        The new owner: an id (int) or a name (str); this droplet by default.
    address, api_url, ca_file, token_file, spelling : ``None``
        As in :func:`reserved_ip`.
    timeout : ``60.0``
        How long this may take, with all retries, in seconds (float).

    Returns a dict: ``old`` and ``new``, as in :func:`reserved_ip`; they are equal when nothing had to be done.

    CLI Example:

    .. code-block:: bash

        salt-call digitalocean.assign secondary 203.0.113.10
    """
    address, spelling = _address(address), _spelling(spelling)
    options = {"api_url": api_url, "ca_file": ca_file, "token_file": token_file, "timeout": timeout}
    target = _droplet_id(droplet, options)
    old = _run(reserved.read(address, target, spelling=spelling), **options)
    if old.visible and old.droplet_id == target:
        return {"old": old._asdict(), "new": old._asdict()}
    new = _run(reserved.assign(address, target, lambda: _metadata_hint(address, target), spelling=spelling), **options)
    return {"old": old._asdict(), "new": new._asdict()}


def droplets(name=None, tag=None, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    List the account's droplets.

    name : ``None``
        Only those with exactly this name (str).
    tag : ``None``
        Only those with this tag (str). Not together with ``name``.
    api_url, ca_file, token_file, timeout
        As in :func:`reserved_ip`.

    Returns a list of dicts: ``id``, ``name``, ``status``, ``locked`` (whether something is done to it), ``region``,
    ``tags``, ``public_ip``, ``private_ip``.

    CLI Example:

    .. code-block:: bash

        salt-call digitalocean.droplets tag=load-balancer
    """
    if name and tag:
        raise SaltInvocationError("name, tag: the API filters by one of them")
    return _run(DROPLETS.read_all(name, tag), api_url, ca_file, token_file, timeout)


def droplet(droplet, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    Return one droplet.

    droplet
        Its id (int), or its whole name (str), if only one has it.
    api_url, ca_file, token_file, timeout
        As in :func:`reserved_ip`.

    Returns a dict as :func:`droplets` lists them.

    CLI Example:

    .. code-block:: bash

        salt-call digitalocean.droplet primary
    """
    return _run(DROPLETS.find(str(droplet)), api_url, ca_file, token_file, timeout)


def reserved_ips(api_url=None, ca_file=None, token_file=None, spelling="reserved_ips", timeout=20.0):
    """
    List the account's reserved IPs.

    api_url, ca_file, token_file, spelling, timeout
        As in :func:`reserved_ip`.

    Returns a list of dicts as :func:`reserved_ip` returns one.

    CLI Example:

    .. code-block:: bash

        salt-call digitalocean.reserved_ips
    """
    found = _run(reserved.read_all(spelling=_spelling(spelling)), api_url, ca_file, token_file, timeout)
    return [entry._asdict() for entry in found]


def obstacles(address=None, replaces=None, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    Return why the API would never assign a reserved IP to this droplet: a list of texts, empty where nothing is known.

    address : ``None``
        The address (str); pillar's ``floating_ip:address`` by default.
    replaces : ``None``
        Another reserved IP (str), which the droplet gives up for it; pillar's ``floating_ip:replaces`` by default.
    api_url, ca_file, token_file, timeout
        As in :func:`reserved_ip`.

    The address is of another region, or the droplet holds another reserved IP, which it does not give up; it can hold
    one. Nobody has the address yet, and its prefix (BYOIP) is in the way. Pillar's ``anchor_ip`` is none of this
    droplet's. On a machine without a metadata service only the address is looked up.

    Raises CommandExecutionError: the token is refused, the address is unknown, or there is no answer in time.

    Source: https://docs.digitalocean.com/products/networking/reserved-ips/details/limits/

    CLI Example:

    .. code-block:: bash

        salt-call digitalocean.obstacles 203.0.113.10
    """
    try:
        here = metadata()
    except CommandExecutionError:
        here = None

    wanted = _address(address)

    def steps():
        try:
            there = yield from reserved.read(wanted, here and here["droplet_id"])
        except calls.NotFound:
            prefix = yield from prefixes.containing(wanted)
            if not prefix:
                raise
            return [*prefixes.problems(wanted, here and here["region"], prefix), prefixes.unassigned(wanted, prefix)]
        if not here:
            return []
        given_up = str(replaces or _configured("replaces") or "")
        found = yield from reserved.obstacles(there, here["droplet_id"], here["region"], replaces=given_up)
        if there.droplet_id is None:
            found += yield from prefixes.obstacles(wanted, here["region"])
        return found

    wrong = prefixes.misplaced(_anchor_ip(), here) if here and ":" not in wanted else []
    return [*wrong, *_run(steps(), api_url, ca_file, token_file, timeout)]


def fencing(nodes, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """
    Return what fencing of a cluster's nodes through the API would meet, without switching anything.

    nodes
        Each node's name and the name or id of its droplet (dict); a list of names where they are the same.
    api_url, ca_file, token_file, timeout
        As in :func:`reserved_ip`.

    Whether the token may switch droplets (scope droplet:update) is asked about a droplet that cannot exist, to be
    powered *on*: DigitalOcean answers 403 to a token that may not, and 404 to one that may.

    Returns ``{"problems": [text], "unknown": text, "droplets": {node: droplet}}``: what is in the way, what cannot be
    known (empty when all is), and the droplets as in :func:`droplets`.

    Raises CommandExecutionError: the token is refused for reading, or there is no answer in time.

    Source: https://docs.digitalocean.com/reference/api/reference/droplet-actions/

    CLI Example:

    .. code-block:: bash

        salt-call digitalocean.fencing '[primary, secondary]'
    """
    plugs = {str(node): str(nodes[node]) if isinstance(nodes, dict) else str(node) for node in nodes}
    found = _run(DROPLETS.fencing_problems(plugs), api_url, ca_file, token_file, timeout)
    return dict(zip(("problems", "unknown", "droplets"), found, strict=True))


def _read_metadata(url, timeout):
    """The metadata, or the text of the error: both are worth keeping for the run."""
    reply = Connection(url).send(calls.Call("GET", "/metadata/v1.json"), timeout)
    if reply.failure or reply.status != 200:
        return f"no metadata service at {url}: {reply.failure or f'HTTP {reply.status}'}"
    try:
        return metadata_rules.normalised(answers.decoded(reply.body))
    except ValueError as error:
        return f"no metadata service at {url}: {error}"


def _cloud():
    tree, salt = __pillar__.get("haproxy_ha"), globals().get("__salt__", {})
    given = floating.as_given(tree)
    return Cloud(given, lambda: build.secrets(tree)["floating_ip"]["api_token"], __context__, salt, DEFAULTS)


def _run(steps, api_url=None, ca_file=None, token_file=None, timeout=20.0):
    """Run a procedure of the rules."""
    return _cloud().run(steps, api_url, ca_file, token_file, timeout)


def _configured(key):
    return _cloud().configured(key)


def _anchor_ip():
    """What pillar has for this machine; None for nothing."""
    pillar = __pillar__.get("haproxy_ha")
    machines = pillar.get("load_balancers") if isinstance(pillar, dict) else None
    mine = machines.get(__opts__["id"]) if isinstance(machines, dict) else None
    return values.bare(mine.get("anchor_ip")) if isinstance(mine, dict) else None


def _address(address):
    return _cloud().address(address)


def _spelling(spelling):
    if spelling not in reserved.SPELLINGS:
        raise SaltInvocationError(f"spelling: found {spelling!r}, allowed: {', '.join(reserved.SPELLINGS)}")
    return spelling


def _own_droplet_id():
    """This droplet's id; None on a machine without a metadata service."""
    try:
        return metadata()["droplet_id"]
    except CommandExecutionError:
        return None


def _droplet_id(droplet, options):
    if droplet is None:
        return metadata()["droplet_id"]
    if found := answers.number(str(droplet)):
        return found
    return _run(DROPLETS.find(str(droplet)), **options)["id"]


def _metadata_hint(address, target):
    """What this machine's metadata service, asked anew, says; None when it is about another droplet."""
    found = _read_metadata((_configured("metadata_url") or DEFAULTS["metadata_url"]).rstrip("/"), 2.0)
    if isinstance(found, str) or found["droplet_id"] != target:
        return None
    here = found["reserved_ipv6" if ":" in address else "reserved_ip"]
    return here["active"] and reserved.is_same(here["ip"], address)
