"""
Everything that pillar's tree ``haproxy_ha`` may hold: each key, its type, what is allowed and what it does, once.

Documents are checked against it (:func:`every_key`). The defaults of what stands alone are in
``haproxy_ha/defaults.yaml``; those of what stands in a table (a server, a load balancer) are here, because nobody knows
how many there are.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from haproxy_ha_lib import corosync, provider, values
from haproxy_ha_lib.haproxy import edge, line, queue, sections
from haproxy_ha_lib.pillar import shape
from haproxy_ha_lib.pillar.shape import Check, Either, Items, Keys, Node, Table, Value
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.cib import switches, tables
from saltext.pacemaker.cib.settings import SETTINGS
from saltext.pacemaker.errors import Problem
from saltext.pacemaker.types import Path

ROOT = "haproxy_ha"

# Checks that only this tree needs

OWN_ADDRESSES = {
    "anchor": "anchor_ip",
    "private": "private_ip",
    "public": "public_ip",
    "private_ipv6": "private_ipv6",
    "public_ipv6": "public_ipv6",
}
"""Words that stand for an address of the machine itself, and the key that says which."""


FLOATING = "floating:"
"""How a word for one of ``floating_ips`` begins."""

_FLOATING_NAME = "[A-Za-z][A-Za-z0-9_-]{0,31}"
_WORDS = f"{'|'.join(OWN_ADDRESSES)}|{FLOATING}{_FLOATING_NAME}"
_BIND = re.compile(rf"({_WORDS}|\*|[0-9.]+|\[[0-9A-Fa-f:.]+\]):([0-9]{{1,5}})(?: +(.*))?")


def bind(value: object) -> Tree:
    """``<address>:<port> [bind options]`` of HAProxy; returns its parts."""
    match = _BIND.fullmatch(raw_words(value))
    try:
        address, port, options = match.groups() if match else ()
        if address not in (*OWN_ADDRESSES, "*") and not address.startswith(FLOATING):
            address = str(ipaddress.ip_address(address.strip("[]")))
        return {"address": address, "port": values.port(int(port)), "options": (options or "").strip()}
    except ValueError:
        words = ", ".join((*OWN_ADDRESSES, f"{FLOATING}NAME"))
        allowed = f"<address>:<port> with the address {words}, * or an IP address ([...] around IPv6)"
        raise values.Invalid(allowed) from None


def raw_words(value: object) -> str:
    """Words of haproxy.cfg as they are, one blank between them."""
    return line.tidy(values.line(value))


def raw_line(value: object) -> str:
    """One line of haproxy.cfg as it is; it may not begin another section, because sections are ours to order."""
    text = raw_words(value)
    if line.keyword(text) in sections.WORDS:  # HAProxy reads "listen" as listen
        raise values.Invalid("a line within its section, not one that begins a section")
    return text


def raw_line_of_nginx(value: object) -> str:
    """One line of nginx's configuration as it is, with its indentation; checks.nginx_braces looks at all of them."""
    return values.line(value)


def file_of_nginx(value: object) -> str:
    """The path of a file below nginx's directory that the formula does not write itself."""
    path = _FILE_OF_NGINX(value)
    if path in ("conf.d/haproxy_ha.conf", "sites-available/haproxy_ha", "sites-enabled/haproxy_ha"):
        raise values.Invalid("a file that the formula does not write itself")
    return path


_FILE_OF_NGINX = values.matching(
    r"(?!.*/\.\.?(/|$))(?!\.\.?(/|$))[A-Za-z0-9._@+-]+(/[A-Za-z0-9._@+-]+)*",
    "a path below nginx's directory of letters, digits and . _ @ + -",
)
_LINK_OF_NGINX = values.matching(r"[A-Za-z0-9._@+/-]+", "a path of letters, digits and . _ @ + -")


def system_option(value: object) -> bool | int | str:
    """A value of corosync.conf's `system` section; YAML 1.1 makes booleans of yes and no."""
    if isinstance(value, (bool, int)):
        return value
    return _SYSTEM_WORD(value)


_SYSTEM_WORD = values.matching(r"[A-Za-z0-9/_.-]{1,128}", "true, false, a number or a word")


def statuses(value: object) -> str:
    """Statuses of HTTP; one alone is a number in YAML."""
    return _STATUSES(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def _fingerprint(value: object) -> str:
    """An OpenPGP fingerprint, as gpg prints it or without blanks; only digits are a number in YAML."""
    return _FINGERPRINT("".join(str(value).split()).upper() if isinstance(value, (str, int)) else value)


_FINGERPRINT = values.matching("[0-9A-F]{40}|[0-9A-F]{64}", "an OpenPGP fingerprint: 40 (or 64) hexadecimal digits")


def haproxy_time(value: object) -> str:
    """A time as HAProxy has it; nothing is a number in YAML."""
    return _TIME("0" if value == 0 and not isinstance(value, bool) else value)


_TIME = values.matching(r"0|[1-9]\d{0,6}(us|ms|s|m|h|d)", "0 or a time with its unit, such as 10s")


def droplet(value: object) -> str:
    """A droplet's name or id; an id is a number in YAML."""
    return _DROPLET(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


_DROPLET = values.matching(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", "a droplet's name or id")


_raw_section = values.matching(
    rf"({'|'.join(sections.RAW)}) [A-Za-z0-9][A-Za-z0-9._-]{{0,126}}",
    f"<keyword> <name> with the keyword {', '.join(sections.RAW)}; or any header and a label, as `defaults #2`",
)


def raw_section(value: object) -> str:
    """A further section: keyword and name; or any header as it is, with a comment that tells it from others."""
    header, number, label = str(value).rpartition("#")
    as_is = number and (not header or header.endswith(" ") and line.keyword(header) in sections.WORDS)
    return raw_words(value) if as_is and _LABEL.fullmatch(label) else _raw_section(value)


def header(value: object) -> str:
    """The header of a section, or the label of what stands before the first one."""
    text = raw_words(value)
    if line.keyword(text) not in sections.WORDS and not _LABEL.fullmatch(text[1:]):
        raise values.Invalid("the header of a section")
    return text


_LABEL = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)


def _plain_path(value: object) -> str:
    """A path, without a / at its end."""
    return values.path(value).rstrip("/")


def _backend(value: object) -> str:
    """A backend's name; false is none, where a default has one."""
    return "" if value is False else values.name(value)


_balance = values.matching(
    r"roundrobin|static-rr|leastconn|first|source|random(\([1-9]\d{0,3}\))?|rdp-cookie(\([A-Za-z0-9_.-]+\))?"
    r"|hdr\([A-Za-z0-9_-]+\)( use_domain_only)?|url_param [A-Za-z0-9_.-]+( check_post)?"
    r"|uri( (whole|path-only|(len|depth) [1-9]\d{0,4}))*|hash [A-Za-z0-9_.,()-]+",
    "an algorithm such as leastconn or hdr(Host)",
)
_http_path = values.matching(r"/[A-Za-z0-9._~/?&=%+,:@-]{0,255}", "a path such as /health")
_host_name = values.matching(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(:\d{1,5})?", "a host name")
_server_name = values.matching(r"[A-Za-z0-9_*]([A-Za-z0-9_.*-]{0,252})?", "a host name, *.example.com or _")
_STATUSES = values.matching(
    r"[1-5]\d\d(-[1-5]\d\d)?(,[1-5]\d\d(-[1-5]\d\d)?){0,9}", "statuses such as 200, 200-399 or 200,204"
)
_user = values.matching(r"[A-Za-z0-9._-]{1,64}", "a name of 1 to 64 letters, digits and . _ -")
_password = values.matching(
    r"[A-Za-z0-9._~!@$%^&*()+=:,;<>?/|{}-]{8,128}",
    "a password, or crypt(3)'s hash of one, of 8 to 128 letters, digits and ._~!@$%^&*()+=:,;<>?/|{}-",
)
_package = values.matching(r"[a-z0-9*][a-z0-9+.*-]*", "a name of a package, with * for any letters")
_package_names = values.matching(
    r"[A-Za-z0-9][A-Za-z0-9+._-]*( \| [A-Za-z0-9][A-Za-z0-9+._-]*)*",
    "a name of a package, or several with ` | ` between",
)
_service_name = values.matching(
    r"(?!.*\.service$)[A-Za-z0-9][A-Za-z0-9:_.@-]*", "the name of a service, without .service at its end"
)
_word = values.matching(r"[A-Za-z0-9._/-]{1,64}", "a word of letters, digits and . _ / -")
_floating_name = values.matching(
    rf"(?!floating_ip\Z){_FLOATING_NAME}",
    "a name of 1 to 32 letters, digits and _ -, a letter first, and not floating_ip",
)
_object_id = values.matching(r"[!-~]{1,255}", "an id without spaces")
_disruption = values.choice(
    "any", "stop", "move", "migrate", "restart", "recover", "promote", "demote", "reload", "nothing"
)
_milliseconds = values.whole_number


# The tree, from its leaves up

_FROM_ELSEWHERE = "Left out: this machine's own comes from its metadata service, another's from the mine (`mine`)."
_PRIVATE_IP = Value("Address in the private network. " + _FROM_ELSEWHERE, values.address)
_PUBLIC_IP = Value("Address on the public side; the page and the verification use it.", values.address)
_PRIVATE_IPV6 = Value("IPv6 address in the private network, beside private_ip: app servers with an IPv6 address are "
                      "reached from it.", values.ipv6_address)
_PUBLIC_IPV6 = Value("IPv6 address on the public side, for a `bind`.", values.ipv6_address)

_LOAD_BALANCER = Keys("One load balancer. It may be empty where everything comes from elsewhere.", {
    "private_ip": _PRIVATE_IP,
    "anchor_ip": Value("DigitalOcean's anchor IP, which HAProxy binds. " + _FROM_ELSEWHERE, values.address),
    "public_ip": _PUBLIC_IP,
    "private_ipv6": _PRIVATE_IPV6,
    "public_ipv6": _PUBLIC_IPV6,
    "node_id": Value("Corosync's node id, at most 65535 (knet). Default: derived from the minion id. It must never "
                     "change.", values.whole_number(1, 65535)),
})

_APP_SERVER = Keys("One app server.", {
    "private_ip": _PRIVATE_IP,
    "public_ip": _PUBLIC_IP,
    "port": Value("Port of the application.", values.port, default=80),
    "managed": Value("false: it is in the pool, but not ours to configure.", values.flag, default=True),
    "weight": Value("Share of the traffic, HAProxy's `weight`. Default: HAProxy's own, 1.",
                    values.whole_number(0, 256)),
    "backup": Value("true: gets traffic only when no other server is up.", values.flag, default=False),
    "maxconn": Value("Requests at the same time, HAProxy's `maxconn`; more of them wait.",
                     values.whole_number(1, 1_000_000)),
    "options": Items("Further words of its `server` line, as they are.", Value("Raw words.", raw_words)),
})

_QUORUM_HELPER = Keys("The quorum helper.", {
    "private_ip": _PRIVATE_IP,
    "port": Value("TCP port of its daemon, corosync-qnetd.", values.port, default=5403),
    "managed": Value("false: it is there, but not ours to configure.", values.flag, default=True),
})

_MOVING: dict[str, Node] = {
    "address": Value("The floating IP (the API calls it reserved IP).", values.address),
    "addresses": Items("Further addresses, which move along with it, on one interface of a LAN.",
                       Value("An address.", values.address)),
    "replaces": Value("Another floating IP, which a load balancer gives up when `address` comes to it: a droplet can "
                      "hold one. For a change of the address; see docs/digitalocean.md.", values.address),
    "provider": Value(f"{provider.documentation()}.", values.choice(*provider.NAMED)),
    "agent": Value("Any other resource agent; then provider does not count.", values.agent),
    "params": Table("Further parameters of the agent.", "parameter", Value("Its value.", values.plain_data),
                    key=values.identifier),
    "prefers": Value("The load balancer on which it starts if it can. Default: of several floating IPs each the next "
                     "one, in the order of load_balancers; see cluster:spread.", values.name),
}

_FLOATING_IP = Keys("The address that moves, and how its API is asked.", {
    **_MOVING,
    "api_token": Value("Token of the provider's API that may read and write: reserved IPs at DigitalOcean. Only load "
                       "balancers need it.",
                       values.api_token, secret=True),
    "api_url": Value("The provider's API. Default: DigitalOcean's or Hetzner Cloud's own.", values.https_url),
    "metadata_url": Value("The metadata service.", values.http_url),
    "ca_file": Value("Certificates that the API's is checked against.", values.path),
    "token_file": Value("Where the token is kept, readable by root alone. Named without api_token: something else "
                        "writes it, such as Vault Agent or cloud-init, and it is used as it is.", values.path),
})

_FURTHER_FLOATING_IP = Keys("One floating IP.", {
    **_MOVING,
    "stays_with": Value("Another one, by its name or floating_ip: this one is always on the same load balancer, such "
                        "as the IPv6 address beside its IPv4 one.", values.name),
})

_NGINX_LINES = Value("One raw line.", raw_line_of_nginx)

_NGINX_SITE = Keys("One site, on the private address, for the load balancers only.", {
    "port": Value("Its port. Default: that of the app server.", values.port),
    "server_names": Items("nginx's `server_name`.", Value("A name.", _server_name)),
    "document_root": Value("Its root.", values.path),
    "options": Items("Further lines of its `server` block.", _NGINX_LINES),
})

_NGINX = Keys("The app tier.", {
    "client_address": Value(
        "How the application learns who asks. log: X-Forwarded-For, in the access log; real_ip: nginx takes its last "
        "address for the client's; proxy_protocol: the load balancers send the PROXY protocol. Only the load balancers "
        "are believed.", values.choice("log", "real_ip", "proxy_protocol")),
    "options": Items("Lines of nginx's section `http`.", _NGINX_LINES),
    "page": Keys("The page that names the host and its public IP.", {
        "enabled": Value("false: an own application is there.", values.flag),
        "document_root": Value("Where the page is, and the site's root.", values.path),
        "content": Value("Another page in its place.", values.text),
    }),
    "site": Keys("The site that answers the load balancers only.", {
        "enabled": Value("false: an own site is there; nginx's default site is left alone too.", values.flag),
        "options": Items("Further lines of its `server` block.", _NGINX_LINES),
    }),
    "sites": Table("Further sites, in order.", "site", _NGINX_SITE),
    "files": Table(
        "Files of nginx as they are, as `haproxy_ha.export` prints them. One that is taken out is deleted, but for "
        f"nginx.conf. `listen` takes {', '.join(OWN_ADDRESSES)} for an address of the machine.",
        "path below /etc/nginx", Items("Its lines.", Value("One line, which may be empty.", values.line_as_it_is)),
        key=file_of_nginx),
    "links": Table("Links there, such as those of sites-enabled.", "path below /etc/nginx",
                   Value("What it leads to.", _LINK_OF_NGINX), key=file_of_nginx),
})

_LINES = Value("One raw line.", raw_line)

_REPOSITORY = Keys("An apt repository to take HAProxy from instead of the distribution.", {
    "uri": Value("Its address.", values.repository_uri),
    "suite": Value("Its suite.", _word),
    "components": Items("Its components.", Value("A component.", _word)),
    "key": Value("The key that signs it, armoured.", values.public_key),
    "key_url": Value("Where that key is, armoured or as a keyring.", values.https_url),
    "fingerprint": Value("The fingerprint of that key; another one is refused.", _fingerprint),
    "trusted": Value("true: taken without a signature; only with file:.", values.flag),
    "packages": Items("What it may bring; [\"*\"]: everything.", Value("A package, or a pattern with *.", _package)),
})

_PROXY: dict[str, Node] = {
    "from": Value("Another `defaults` section, one of haproxy:sections.", values.name),
    "mode": Value("http or tcp. Default: that of the section `defaults`.", values.choice("http", "tcp")),
    "as_is": Value("true: HAProxy gets what stands here and nothing of the formula's: no rules about headers and "
                   "bodies, no certificates or ALPN for a `bind`, no `defaults` for TCP. For one that was there "
                   "before; see docs/adopt.md.", values.flag, default=False),
}
_LISTENING: dict[str, Node] = {
    "bind": Items("Where it listens.", Value(
        f"<address>:<port>, then raw bind options; the address is {', '.join(OWN_ADDRESSES)}, * or an IP address "
        "([...] around IPv6). `ssl` gets the certificates unless it has `crt`, and HTTP/2.", bind)),
    "certificates": Items("Names of haproxy:certificates for the binds with `ssl`. Default: all of them.",
                          Value("Name of a certificate.", values.name)),
    "redirect_to_https": Value("true: requests without TLS are sent to https://.", values.flag, default=False),
    "hsts": Keys("Strict-Transport-Security (RFC 6797) in each answer by TLS: browsers then ask by TLS alone.", {
        "max_age": Value("For how many seconds after an answer; 0: browsers forget it. Default: it is not sent.",
                         values.whole_number(0, 1_000_000_000)),
        "include_subdomains": Value("true: for all names below the site's, too.", values.flag, default=False),
        "preload": Value("true: browsers may build it in (hstspreload.org), which is not soon undone.", values.flag,
                         default=False),
    }),
}
_SERVING: dict[str, Node] = {
    "servers": Either(
        "app_servers: all of them; or a list of their names; or rest: all but those that are something else, that is "
        "named in the list of a proxy in TCP mode, or not managed and named in the list of another proxy.",
        Value("All app servers, or the rest of them.", values.choice("app_servers", "rest")),
        listing=Items("Some app servers.", Value("Name of an app server.", values.name)),
    ),
    "port": Value("Port of the servers. Default: their own.", values.port),
    "balance": Value("The algorithm, HAProxy's `balance`. Default: roundrobin.", _balance),
    "check": Keys("A health check by HTTP, where a connection does not tell enough.", {
        "path": Value("What is asked for. Without it a connection is the check.", _http_path),
        "method": Value("The method.", values.choice("GET", "HEAD", "OPTIONS"), default="GET"),
        "host": Value("The header Host; then the check is made by HTTP/1.1.", _host_name),
        "status": Value("The statuses that are good.", statuses, default="200-399"),
    }),
}
_OPTIONS: dict[str, Node] = {"options": Items("Further lines.", _LINES)}

_FRONTEND = Keys("One frontend.", {
    **_PROXY, **_LISTENING,
    "default_backend": Value("The backend that serves it; false: none.", _backend),
    **_OPTIONS,
})
_BACKEND = Keys("One backend.", {**_PROXY, **_SERVING, **_OPTIONS})
_LISTEN = Keys("A frontend and its backend in one.", {**_PROXY, **_LISTENING, **_SERVING, **_OPTIONS})

_CERTIFICATE = Keys("One certificate: from pillar, or from files on the load balancer.", {
    "pem": Value("Certificate, chain and private key (without a passphrase) in PEM. Only load balancers need it.",
                 values.certificate, secret=True),
    "certificate": Value("File with the certificate and its chain, such as certbot's fullchain.pem.", values.path),
    "key": Value("File with its private key, where that is not in the same file.", values.path),
})

_STATS = Keys("HAProxy's statistics.", {
    "page": Value("true: the page, at /.", values.flag),
    "prometheus": Value("true: the metrics, at /metrics.", values.flag),
    "bind": Items("Where they are, as in a frontend. Beyond loopback and the private network they need a password.",
                  Value("<address>:<port>, then raw bind options.", bind)),
    "user": Value("Who may see them.", _user),
    "password": Value("With this password, or a hash of it in a form of crypt(5) ($6$... and others). Only load "
                      "balancers need it.", _password, secret=True),
})

_PEERS = Keys("One section `peers`: what load balancers tell each other about stick tables.", {
    "port": Value("Every load balancer is a peer, at this port of its private address. Without it, options say all.",
                  values.port),
    "options": Items("Further lines.", _LINES),
})


def _raw(doc: str, label: str, key: Check = values.name) -> Table:
    return Table(doc, label, Items("Its lines.", _LINES), key=key)


_HAPROXY = Keys("The load balancer tier.", {
    "remove_nginx": Value("true: an nginx on a load balancer is removed; /etc/nginx is kept as a backup.", values.flag),
    "repository": _REPOSITORY,
    "trust_forwarded_from": Either(
        "Who may say on whose behalf he asks (X-Forwarded-For, Forwarded and the like): addresses and networks of a "
        "CDN or proxy before HAProxy; any: everybody. All others' are removed. Default: nobody; on a site that an "
        "earlier release has set up, anybody, with a warning.",
        Value("Everybody.", values.matching("any", "any, or a list of addresses and networks")),
        listing=Items("Who is trusted.", Value("An address or a network.", values.network)),
    ),
    "body_timeout": Value("How long the beginning of a request's body may take (16 kB, or all of a shorter one; gRPC "
                          "where a server speaks HTTP/2: any time); 0: as long as it likes. Default: 10s; "
                          "on a site that an earlier release has set up, 0, with a warning.", haproxy_time),
    "maxconn": Value("Connections at the same time; 0: what the limit of open files allows. Default: by the machine's "
                     f"memory, {edge.CONNECTIONS_PER_MB} for each MB; on a site that an earlier release has set up, 0, "
                     "with a warning.", values.whole_number(0, 1_000_000)),
    "queue": Value("true: more requests than nginx on an app server can take at the same time, as it tells the mine, "
                   f"wait in HAProxy, at most {queue.TIMEOUT}. Not in TCP mode, and not for servers with a maxconn or "
                   "managed: false. Default: true; on a site that an earlier release has set up, false, with a "
                   "warning.", values.flag),
    "limit_per_source": Value("Connections that one address may have at the same time, and requests under way; 0: any "
                              "number. Addresses of trust_forwarded_from have no limit.",
                              values.whole_number(0, 1_000_000)),
    "sandbox": Value("true: HAProxy's service may do only what an HAProxy does, from its next start on "
                     "(docs/security.md).", values.flag),
    "tls": Keys("TLS where `global` has no lines of its own (ssl-default-bind-ciphers and the like).", {
        "bind": Value(f"Towards clients. intermediate: Mozilla's profile of this name, {edge.PROFILE}; none: HAProxy's "
                      "own.", values.choice("intermediate", "none")),
        "server": Value("Towards servers. Old ones may need none.", values.choice("intermediate", "none")),
    }),
    "drain_timeout": Value("Seconds that a server that leaves gets to finish its requests before the reload; 0: none.",
                           values.whole_number(0, 3600)),
    "keep_server_states": Value("true: after a reload the servers are up, down or drained as before.", values.flag),
    "keep_alive": Value("true: connections to the app servers are kept and shared, in place of the tutorial's "
                        "`option http-server-close`.", values.flag),
    "global": Items("Lines of the section `global`.", _LINES),
    "userlists": _raw("Sections `userlist`.", "userlist"),
    "peers": Table("Sections `peers`.", "peers", _PEERS),
    "resolvers": _raw("Sections `resolvers`.", "resolvers"),
    "caches": _raw("Sections `cache`.", "cache"),
    "sections": _raw("Any other sections, before `defaults`; a further `defaults` needs a name. With a label, such as "
                     "`backend a:b #1`, any header as it is, which HAProxy reads without the label.", "section",
                     raw_section),
    "order": Items("The sections in another order than this one, by their headers: `global`, `defaults`, "
                   "`frontend http`, ... What it leaves out comes last. A proxy has the `defaults` that are before it.",
                   Value("A header.", header)),
    "defaults": Items("Lines of the section `defaults`.", _LINES),
    "certificates": Table("Certificates for `bind`.", "certificate", _CERTIFICATE),
    "stats": _STATS,
    "listens": Table("Sections `listen`, in order.", "listen", _LISTEN),
    "frontends": Table("Frontends, in order. null removes the default one.", "frontend", _FRONTEND, removable=True),
    "backends": Table("Backends, in order. null removes the default one.", "backend", _BACKEND, removable=True),
})

_CONFIGURATION = {
    **tables.sections(),
    "switches": "What operators have set, as an export shows it. It says nothing.",
    "observed": "What agents may have set, as an export shows it. It says nothing.",
}
_SETS = tuple(section for section, one in SETTINGS.items() if not one.per_node)
CONFIGURATION_SECTIONS = tuple(_CONFIGURATION)
"""Keys of ``cluster`` that hold Pacemaker's objects, in the form of pacemaker.export."""


def _objects(section: str, doc: str) -> Either | Table:
    """Pacemaker's options may also be a list of sets, each with its own rule; everything else is named."""
    item = Value(doc, values.plain_data)
    merged = "" if section in switches.SECTIONS else " Merged over the built-in ones; null takes one away."
    table = Table(doc + merged, "id", item, key=_object_id)
    if section not in _SETS:
        return table
    return Either(table.doc, table, listing=Items("Sets of options: {attributes, rule, score}.", item))


_CLUSTER = Keys("Corosync and Pacemaker.", {
    "name": Value("Name of the cluster.", values.cluster_name),
    "authkey": Value("Corosync's key in base64; `salt-call --local haproxy_ha.generate_authkey` prints one. Only load "
                     "balancers need it.", values.authkey, secret=True),
    "port": Value("Corosync's UDP port.", values.port),
    "failure_detection": Value("How soon a silent load balancer is given up: fast, balanced or conservative.",
                               values.choice(*corosync.TOKENS)),
    "token": Value("Milliseconds without the token after which a node is suspected lost. Default: by "
                   "failure_detection.", _milliseconds(200, 60_000)),
    "consensus": Value("Milliseconds to agree on a new membership. Default: half of token with exactly two nodes, else "
                       "1.2 of it, as corosync has it; less than token is safe with two only.",
                       _milliseconds(60, 120_000)),
    "knet_ping_interval": Value("Milliseconds between knet's pings of a link.", _milliseconds(10, 60_000)),
    "knet_ping_timeout": Value("Milliseconds without an answer after which a link is down. Derived from token "
                               "it would give false alarms under packet loss, hence set on its own.",
                               _milliseconds(20, 120_000)),
    "knet_pong_count": Value("Answers after which a link is up again.", values.whole_number(1, 100)),
    "second_link": Value("true: a second knet link over the public addresses, on the next port; a loss of the private "
                         "network then splits nothing.", values.flag),
    "spread": Value("Of several floating IPs each prefers a load balancer: start, below stickiness, so that none moves "
                    "back by itself (haproxy_ha.spread moves them); always: it moves back as soon as it can; never: "
                    "they prefer none.", values.choice("start", "always", "never")),
    "wait_for_all": Value("true: after a cold start no node serves before it has seen all others. Left out: true for "
                          "two load balancers that fence each other and have no quorum helper, so that one that was "
                          "powered off does not come back alone and do so to the other; else false.", values.flag),
    "system": Table("corosync.conf's section `system`, left out while it is empty.", "option",
                    Value("Its value.", system_option),
                    key=values.choice("qb_ipc_type", "sched_rr", "priority", "move_to_root_cgroup",
                                      "allow_knet_handle_fallback", "state_dir")),
    "max_disruption": Either(
        "The worst that a change of the configuration may do to a resource; a change that does more is refused.",
        Value("For every resource.", _disruption),
        mapping=Table("By resource.", "resource id", Value("For this resource.", _disruption), key=_object_id),
    ),
    "fencing": Keys("Power off a load balancer that is lost before another one takes over (DigitalOcean, and Hetzner "
                    "Cloud, whose droplets are servers).", {
        "enabled": Value(
            "true: do. The API token then needs droplet:update as well, with which it can power off any droplet of its "
            "team, and a takeover takes longer by delay and by what the API needs. Each load balancer must be one "
            "droplet that the token sees, of the same name or named in droplets; see docs/digitalocean.md and "
            "docs/hetzner.md.", values.flag),
        "droplets": Table(
            "Which droplet a load balancer is, where that has another name than the minion id.", "minion id",
            Value("The droplet's name, or its id.", droplet),
        ),
        "delay": Value("Seconds by which the load balancer with the address is spared when two shoot at each other.",
                       values.whole_number(0, 600)),
    }),
    "quorum_device": Keys("How the load balancers use quorum_helper.", {
        "algorithm": Value(
            "Which part of a split cluster gets the vote. ffsplit: of two halves, the one with the floating IP; lms: "
            "one that can reach the helper. Default: ffsplit with an even number of load balancers, else lms.",
            values.choice("ffsplit", "lms")),
        "timeout": Value(
            "Milliseconds without a sign of life after which helper and load balancer give each other up. A takeover "
            "after a loss of power waits for it.", _milliseconds(1250, 60_000)),
        "tls": Value(
            "false: helper and load balancers talk in the clear, and do not prove who they are. Only for a private "
            "network that is nobody else's.", values.flag),
        "helper_pem": Value(
            "The helper's certificate, that of its authority, and its private key in PEM; `salt-call --local "
            "haproxy_ha.generate_quorum_certificates` prints both of these. Only the helper needs it.",
            values.quorum_certificate, secret=True),
        "balancer_pem": Value("The same of the load balancers. Only they need it.", values.quorum_certificate,
                              secret=True),
    }),
    "replaces": Items("Resources of a cluster built by hand whose place the built-in ones take: they go in the same "
                      "commit.", Value("Its id.", _object_id)),
    "purge": Value("true: objects that nobody here created are removed too.", values.flag),
    "expected_timeout": Value(
        "Seconds to wait for the other load balancers to join, at most: one that was there and is off is not waited "
        "for. 0: runs go on without those that are absent, and name them.", values.whole_number(0, 3600)),
    "maintenance": Keys("How a load balancer learns that maintenance of it is announced, beside DigitalOcean's own "
                        "word: the address leaves it meanwhile; see docs/operate.md.", {
        "file": Value("A file that is there while maintenance is announced; its first word says which.", values.path),
        "command": Items(
            "A program and its arguments, without a shell; every 15 seconds, at most 10 of them long. The first word "
            "of what it prints is what is announced; nothing, NONE or []: nothing is. A code other than 0: it is "
            "not known.", Value("The program, or an argument.", values.line_as_it_is)),
    }),
    "events": Value("true: failovers, failures and lost load balancers are told on Salt's event bus, as haproxy_ha/...",
                    values.flag),
    **{section: _objects(section, doc) for section, doc in _CONFIGURATION.items()},
})

_LOOKUP = Keys("What this system calls what the formula needs, where `haproxy_ha/os_family.yaml` has another name; see "
               "docs/platforms.md.", {
    "packages": Table("Packages by what they are for; [] where there is none.", "use", Items(
        "Names.", Value("A name, or several with ` | ` between them, of which the first that there is counts.",
                        _package_names)), closed=True),
    "services": Table("Services of systemd.", "service", Value("Its name.", _service_name), closed=True),
    "paths": Table("Files and directories.", "path", Value("Where it is.", _plain_path), closed=True),
    "groups": Table("Groups of users.", "group", Value("Its name.", _user), closed=True),
})

_FIREWALL = Keys("Rules that let pass exactly what the system needs.", {
    "enabled": Value("true: add them.", values.flag),
    "backend": Value("What they are added with.", values.choice("ufw", "nftables", "firewalld")),
})

_MONITORING = Keys("Metrics of each load balancer for Prometheus, on its private address; see docs/monitoring.md.", {
    "sources": Items("Who may ask for them; [], the default: nobody, and there are none.",
                     Value("An address or a network.", values.network)),
    "haproxy_port": Value("Port of HAProxy's, at /metrics.", values.port),
    "cluster_port": Value("Port of the cluster's, at /metrics.", values.port),
})

SCHEMA = Keys("The whole system.", {
    "load_balancers": Table(
        "The load balancers; their names are minion ids and Pacemaker's node names. With metadata service and mine, "
        "`primary:` alone is enough.", "minion id", _LOAD_BALANCER, required=True),
    "app_servers": Table("The app servers, in the order of the pool.", "minion id", _APP_SERVER, required=True),
    "quorum_helper": Table(
        "A third machine that votes, so that of two load balancers that lose sight of each other one alone goes on; "
        "one at most, and no load balancer. Who is left alone then serves only as long as it reaches the helper.",
        "minion id", _QUORUM_HELPER),
    "floating_ip": _FLOATING_IP,
    "floating_ips": Table(
        "Several floating IPs, by name, each a resource of its own (FloatIP-NAME); floating_ip:address, if there is "
        "one, is another. The provider, and all that the API needs, is floating_ip's. `floating:NAME` in a bind is "
        "where one of them arrives, `anchor` where all do.", "name", _FURTHER_FLOATING_IP, key=_floating_name),
    "private_network": Items("Where a private_ip may be that the metadata service or the mine tells. Default: the "
                             "networks that are private by RFC 1918, 6598 and 4193.",
                             Value("A network.", values.network)),
    "mine": Value("true: addresses of other machines that pillar leaves out come from Salt's mine. Each minion then "
                  "needs, in its pillar or configuration, mine_functions: {haproxy_ha.addresses: []}. An app server "
                  "whose address cannot be right stays where HAProxy has it, or is left out of the pools.",
                  values.flag),
    "verify": Value("true: every run ends with the proof that the tiers work together.", values.flag),
    "untested_platform": Value("true: also on a system on which no test has run (docs/platforms.md says on which they "
                               "have).", values.flag),
    "lookup": _LOOKUP,
    "upgrades": Value(
        "How packages are upgraded. in_turn: unattended-upgrades begins on one machine of a tier each day; apt waits "
        "before it stops Corosync or Pacemaker until all other load balancers are well; needrestart reloads HAProxy "
        "and nginx, and leaves Corosync and Pacemaker alone. as_they_come: none of that is installed.",
        values.choice("in_turn", "as_they_come")),
    "nginx": _NGINX,
    "haproxy": _HAPROXY,
    "cluster": _CLUSTER,
    "firewall": _FIREWALL,
    "monitoring": _MONITORING,
})


def read(pillar: Any, defaults: Tree) -> tuple[Tree, list[Problem]]:
    """Return (tree, problems): the tree of ``pillar`` over ``defaults``, checked; every key is there."""
    tree, problems = shape.read(SCHEMA, pillar, defaults, ROOT)
    if pillar is None:
        problems.append(Problem((ROOT,), "this minion's pillar has no such tree; pillar.example shows one"))
    return tree, problems


def split(tree: Any) -> tuple[Any, Tree]:
    """Return (open, secrets) of a tree; see shape.split."""
    return shape.split(SCHEMA, tree)


def of_stores(secrets: Tree) -> Iterator[tuple[Path, str, Value]]:
    """Yield (path below the root, URL, node) of every secret that is in a store; see shape.of_stores."""
    return shape.of_stores(SCHEMA, secrets)


def every_key() -> Iterator[tuple[Path, Node]]:
    """Yield (path, node) of every key; see shape.walk."""
    return shape.walk(SCHEMA, (ROOT,))
