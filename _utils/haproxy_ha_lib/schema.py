"""
Everything that pillar's tree ``haproxy_ha`` may hold: each key, its type, what is allowed and what it does, once.

:func:`read` lays pillar over the defaults and checks it in one walk; :func:`keys` lists every key for the documents,
which are checked against it. The defaults of what stands alone are in ``haproxy_ha/defaults.yaml``; the defaults of
what stands in a table (a server, a load balancer) are here, because there is no telling how many there are.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from haproxy_ha_lib import values

ROOT = "haproxy_ha"


@dataclass(frozen=True)
class Value:
    """One value. ``check`` returns it in its normal form or raises values.Invalid."""

    doc: str
    check: Callable[[Any], Any]
    default: Any = None
    required: bool = False
    secret: bool = False


@dataclass(frozen=True)
class Keys:
    """A mapping with known keys."""

    doc: str
    keys: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A mapping from names of the user's choice to ``item``; pillar's order is kept, its names come first.

    ``key`` checks a name and ``label`` stands for it in documents. With ``removable``, null takes a default away.
    """

    doc: str
    label: str
    item: Any
    key: Callable[[Any], Any] = values.name
    removable: bool = False
    required: bool = False


@dataclass(frozen=True)
class Items:
    """A list of ``item``. Pillar's list replaces the default's."""

    doc: str
    item: Any


@dataclass(frozen=True)
class Either:
    """``mapping`` or ``listing`` where pillar has a mapping or a list, else ``single``."""

    doc: str
    single: Value
    listing: Items | None = None
    mapping: Any = None


@dataclass(frozen=True)
class Problem:
    """What is wrong at a path of pillar."""

    path: tuple
    text: str

    def __str__(self):
        return f"{':'.join(_step(step) for step in self.path)}: {self.text}"


def _step(step):
    """A key is shown as it is unless it could garble the message, or is a secret in the wrong place."""
    plain = isinstance(step, str) and step.isprintable() and len(step) <= 60 and not values.looks_secret(step)
    return step if plain else values.describe(step)


# Checks that only this tree needs

def bind(value):
    """``<address>:<port> [bind options]`` of HAProxy; returns its parts."""
    allowed = "<address>:<port> with the address anchor, private, public, * or an IP address ([...] around IPv6)"
    head, _, options = values.line(value).strip().partition(" ")
    host, colon, port = head.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535 or (":" in host) != (bare != host):
        raise values.Invalid(allowed)
    if bare not in ("anchor", "private", "public", "*"):
        try:
            bare = str(ipaddress.ip_address(bare if "%" not in bare else ""))
        except ValueError:
            raise values.Invalid(allowed) from None
    return {"address": bare, "port": int(port), "options": options.strip()}


SECTION_KEYWORDS = frozenset(
    "global defaults frontend backend listen userlist peers resolvers mailers program cache ring http-errors fcgi-app "
    "log-forward log-profile traces acme crt-store".split()
)


def raw_line(value):
    """One line of haproxy.cfg as it is; it may not begin another section, because sections are ours to order."""
    text = values.line(value).strip()
    if text.split()[0] in SECTION_KEYWORDS:
        raise values.Invalid("a line within its section, not one that begins a section")
    return text


def plain_data(value):
    """Text, numbers, booleans, lists and mappings, with no control character in any text."""
    if isinstance(value, dict):
        return {plain_data(key): plain_data(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(inner) for inner in value]
    if isinstance(value, str):
        if values.has_control_characters(value, but="\t\n"):
            raise values.Invalid("text without control characters")
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise values.Invalid("text, a number, a boolean, a list or a mapping")
    return value


# The tree

ADDRESS_OF_ITS_OWN = "Left out: this machine's own comes from its metadata service, another's from the mine (`mine`)."
DISRUPTIONS = ("any", "stop", "move", "migrate", "restart", "recover", "promote", "demote", "reload", "nothing")

_MACHINE = {
    "private_ip": Value("Address in the private network. " + ADDRESS_OF_ITS_OWN, values.address),
    "public_ip": Value("Address on the public side; used by the page and by verification only.", values.address),
}

_LOAD_BALANCER = Keys("One load balancer. Nothing needs to be said where a metadata service and the mine know it.", {
    **_MACHINE,
    "anchor_ip": Value("DigitalOcean's anchor IP: HAProxy binds to it. " + ADDRESS_OF_ITS_OWN, values.address),
    "node_id": Value("Corosync's node id. Default: derived from the minion id, hence stable. knet allows at most 65535.",
                     values.whole_number(1, 65535)),
})

_APP_SERVER = Keys("One app server.", {
    **_MACHINE,
    "port": Value("Port of the application.", values.port, default=80),
    "managed": Value("false: it is in the pool, and not ours to configure.", values.flag, default=True),
    "weight": Value("Share of the traffic, HAProxy's `weight`.", values.whole_number(0, 256)),
    "backup": Value("true: gets traffic only when no other server is up.", values.flag, default=False),
    "options": Items("Further words of its `server` line, raw.", Value("Raw words.", values.line)),
})

_RAW_LINES = Value("One raw line.", raw_line)

_CONFIGURATION = {
    section: Table(doc, "id", Value(doc, plain_data), key=values.matching(r"[^\x00-\x20\x7f]{1,255}", "an id"))
    for section, doc in {
        "properties": "Cluster properties.",
        "resource_defaults": "Meta attributes that every resource has unless it says otherwise.",
        "operation_defaults": "Defaults of operations.",
        "primitives": "Primitives: {agent, params, meta, operations}.",
        "templates": "Resource templates.",
        "groups": "Groups: {members, meta}.",
        "clones": "Clones: {resource, meta}.",
        "bundles": "Bundles (containers).",
        "colocations": "Colocation constraints: {resource, with, score}.",
        "orders": "Order constraints: {first, then, kind, symmetrical}.",
        "locations": "Location constraints: {resource, node, score} or a rule.",
        "tickets": "Ticket constraints.",
        "fencing_levels": "Fencing topology.",
        "node_attributes": "Permanent attributes of nodes.",
        "utilization": "Utilization of nodes.",
        "alerts": "Alerts.",
        "acls": "ACL roles, users and groups.",
        "tags": "Tags.",
    }.items()
}
CONFIGURATION_SECTIONS = tuple(_CONFIGURATION)

_CLUSTER = Keys("Corosync and Pacemaker.", {
    "name": Value("Name of the cluster.", values.matching(r"[A-Za-z0-9_-]{1,15}", "a name of 1 to 15 letters, digits, _ and -")),
    "authkey": Value("Corosync's key, base64. `salt-call haproxy_ha.generate_authkey` prints a new one.", values.authkey, secret=True),
    "port": Value("Corosync's UDP port.", values.port),
    "token": Value("Milliseconds without the token after which a node is suspected lost.", values.whole_number(200, 60_000)),
    "consensus": Value("Milliseconds to agree on the new membership. Default: 0.3 of token with exactly two nodes, "
                       "else corosync's own 1.2 of it; less than token is safe with two nodes only.", values.whole_number(60, 120_000)),
    "knet_ping_interval": Value("Milliseconds between knet's pings of a link.", values.whole_number(10, 60_000)),
    "knet_ping_timeout": Value("Milliseconds without an answer after which a link is down. Derived from token it is what "
                               "makes false alarms under packet loss, hence set on its own.", values.whole_number(20, 120_000)),
    "knet_pong_count": Value("Answers after which a link is up again.", values.whole_number(1, 100)),
    "wait_for_all": Value("true: after a cold start no node serves before it has seen all others.", values.flag),
    "system": Table("corosync.conf's `system` section, left out unless something is set here.", "option", key=values.choice(
        "qb_ipc_type", "sched_rr", "priority", "move_to_root_cgroup", "allow_knet_handle_fallback", "state_dir"),
        item=Either("Its value.", Value("Its value.", values.matching(r"[A-Za-z0-9/_.-]{1,128}", "a word")),)),
    "max_disruption": Either(
        "The worst that a change of the configuration may do to a resource; a change that does more is refused.",
        Value("For every resource.", values.choice(*DISRUPTIONS)),
        mapping=Table("By resource id.", "resource id", Value("For this resource.", values.choice(*DISRUPTIONS)))),
    "purge": Value("true: objects that nobody here created are removed too.", values.flag),
    "expected_timeout": Value("Seconds to wait for the other load balancers to join.", values.whole_number(0, 3600)),
    **_CONFIGURATION,
})

SCHEMA = Keys("The whole system.", {
    "load_balancers": Table("The load balancers; keys are minion ids and Pacemaker's node names.", "minion id", _LOAD_BALANCER, required=True),
    "app_servers": Table("The app servers, in the order of the pool; keys are minion ids.", "minion id", _APP_SERVER, required=True),
    "floating_ip": Keys("The address that moves.", {
        "address": Value("The floating IP (the API calls it reserved IP).", values.address),
        "provider": Value("digitalocean, or ipaddr2: a virtual IP on a LAN.", values.choice("digitalocean", "ipaddr2")),
        "agent": Value("Any other resource agent; then provider does not count.", values.agent),
        "params": Table("Further parameters of the agent.", "parameter", Value("Its value.", plain_data), key=values.identifier),
        "api_token": Value("Token of DigitalOcean's API. Only the load balancers need it.", values.api_token, secret=True),
        "api_url": Value("DigitalOcean's API.", values.https_url),
        "metadata_url": Value("The metadata service.", values.http_url),
        "ca_file": Value("Certificates that the API's is checked against.", values.path),
        "token_file": Value("Where the token is kept, readable by root alone.", values.path),
    }),
    "mine": Value("true: addresses of other machines that pillar leaves out come from Salt's mine "
                  "(mine function haproxy_ha.addresses).", values.flag),
    "verify": Value("true: every run ends with the proof that the tiers work together.", values.flag),
    "nginx": Keys("The app tier.", {
        "page": Keys("The page that names the host and its public IP.", {
            "enabled": Value("false: an own application is there.", values.flag),
            "document_root": Value("Where the page is, and the site's root.", values.path),
        }),
        "site": Keys("The site that answers the load balancers only.", {
            "enabled": Value("false: an own site is there; nginx's default site is left alone too.", values.flag),
        }),
    }),
    "haproxy": Keys("The load balancer tier.", {
        "remove_nginx": Value("true: an nginx on a load balancer is removed; /etc/nginx is kept as a backup.", values.flag),
        "repository": Keys("An apt repository to take HAProxy from instead of the distribution.", {
            "uri": Value("Its address.", values.repository_uri),
            "suite": Value("Its suite.", values.matching(r"[A-Za-z0-9._/-]{1,64}", "a suite such as bookworm-backports-3.0")),
            "components": Items("Its components.", Value("A component.", values.matching(r"[A-Za-z0-9._/-]{1,64}", "a component such as main"))),
            "key": Value("The key that signs it, armoured.", values.public_key),
            "key_url": Value("Where that key is.", values.https_url),
            "trusted": Value("true: taken without a signature.", values.flag),
        }),
        "global": Items("Lines of the section `global`.", _RAW_LINES),
        "defaults": Items("Lines of the section `defaults`.", _RAW_LINES),
        "frontends": Table("Frontends, in order. null removes the default one.", "name", Keys("One frontend.", {
            "bind": Items("Addresses it listens on: <address>:<port>, then raw bind options; the address is anchor, private, "
                          "public, * or an IP address.", Value("<address>:<port> [options]", bind)),
            "default_backend": Value("The backend that serves it.", values.name),
            "options": Items("Further lines, raw.", _RAW_LINES),
        }), removable=True),
        "backends": Table("Backends, in order. null removes the default one.", "name", Keys("One backend.", {
            "servers": Either("app_servers: all of them; or a list of their names.",
                              Value("All app servers.", values.choice("app_servers")),
                              listing=Items("Some app servers.", Value("Name of an app server.", values.name))),
            "options": Items("Further lines, raw.", _RAW_LINES),
        }), removable=True),
    }),
    "cluster": _CLUSTER,
    "firewall": Keys("Rules that let pass exactly what the system needs.", {
        "enabled": Value("true: add them.", values.flag),
        "backend": Value("What they are added with.", values.choice("ufw", "nftables")),
    }),
})


# The walk

def read(node, given, default=None, path=(ROOT,)):
    """
    Lay ``given`` over ``default`` and check it.

    Mappings merge, lists replace, null means the default (or takes it away, where the node is removable).
    Returns (value, problems); where there is a problem the value is the default.
    """
    problems = []
    return _read(node, given, default, path, problems), problems


def _read(node, given, default, path, problems):
    readers = {Value: _read_value, Keys: _read_keys, Table: _read_table, Items: _read_items, Either: _read_either}
    return readers[type(node)](node, given, default, path, problems)


def _refuse(problems, path, found, allowed, secret=False):
    problems.append(Problem(path, f"found {values.describe(found, secret)}, allowed: {allowed}"))


def _read_value(node, given, default, path, problems):
    fallback = node.default if default is None else default
    if given is None:
        if node.required and fallback is None:
            problems.append(Problem(path, "missing"))
        return fallback
    try:
        return node.check(given)
    except values.Invalid as error:
        _refuse(problems, path, given, error, node.secret)
        return fallback


def _read_keys(node, given, default, path, problems):
    default = default or {}
    if not isinstance(given, (dict, type(None))):
        _refuse(problems, path, given, "a mapping with " + ", ".join(node.keys))
        given = None
    given = given or {}
    for key in given:
        if key not in node.keys:
            hint = values.did_you_mean(key, node.keys)
            problems.append(Problem((*path, key), f"unknown key{hint or ', allowed: ' + ', '.join(node.keys)}"))
    return {key: _read(child, given.get(key), default.get(key), (*path, key), problems)
            for key, child in node.keys.items()}


def _read_table(node, given, default, path, problems):
    default = default or {}
    if not isinstance(given, (dict, type(None))):
        _refuse(problems, path, given, f"a mapping from {node.label} to its settings")
        given = None
    elif node.required and not given:
        problems.append(Problem(path, f"{'missing' if given is None else 'empty'}, required: at least one {node.label}"))
    result = {}
    for key, inner in (given or {}).items():
        try:
            node.key(key)
        except values.Invalid as error:
            _refuse(problems, (*path, key), key, error)
            continue
        if inner is None and node.removable:
            if key not in default:
                problems.append(Problem((*path, key), "null removes a default, and there is none of this name"
                                        + values.did_you_mean(key, default)))
            continue
        result[key] = _read(node.item, inner, default.get(key), (*path, key), problems)
    for key, inner in default.items():
        if key not in (given or {}):
            result[key] = _read(node.item, None, inner, (*path, key), problems)
    return result


def _read_items(node, given, default, path, problems):
    if given is None:
        given = default or []
    if not isinstance(given, (list, tuple)):
        _refuse(problems, path, given, "a list")
        given = default or []
    result = []
    for number, inner in enumerate(given):
        if inner is None:
            problems.append(Problem((*path, str(number)), "found nothing, allowed: " + node.item.doc))
        elif (item := _read(node.item, inner, None, (*path, str(number)), problems)) is not None:
            result.append(item)
    return result


def _read_either(node, given, default, path, problems):
    shape = default if given is None else given
    if isinstance(shape, dict) and node.mapping:
        chosen = node.mapping
    elif isinstance(shape, (list, tuple)) and node.listing:
        chosen = node.listing
    else:
        chosen = node.single
    same_shape = default if isinstance(default, (dict, list)) == isinstance(shape, (dict, list)) else None
    return _read(chosen, given, same_shape, path, problems)


def keys(node=SCHEMA, path=(ROOT,)):
    """Yield (path, node) of every key, in order, with ``<label>`` for names of the user's choice."""
    yield path, node
    if isinstance(node, Keys):
        for key, child in node.keys.items():
            yield from keys(child, (*path, key))
    elif isinstance(node, Table):
        yield from keys(node.item, (*path, f"<{node.label}>"))
