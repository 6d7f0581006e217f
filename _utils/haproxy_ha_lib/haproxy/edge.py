"""
The edge: what HAProxy takes from strangers. TLS by Mozilla's profile, the headers by which somebody says on whose
behalf he asks, bodies that never come, and as many connections as the machine's memory can hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from haproxy_ha_lib.haproxy.sections import PROXIES
from haproxy_ha_lib.types import Tree

PROFILE = "6.0"
"""The version of Mozilla's guidelines (ssl-config.mozilla.org/guidelines/6.0.json); of 5.8 it differs by old alone."""
_CIPHERS = ":".join((
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
))  # fmt: skip
_CIPHERSUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
_OPTIONS = {"bind": "prefer-client-ciphers ssl-min-ver TLSv1.2 no-tls-tickets", "server": "ssl-min-ver TLSv1.2"}

_OPTIONS_OF_DEFAULTS = "ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets"
"""The line of defaults.yaml, which counts without the profile too."""
_CHOICE = "ssl-default-bind-options prefer-client-ciphers"
"""What the profile says beside it; HAProxy takes these lines together."""

_SAID = (
    "(client|connecting|external|originating|real|remote|socket|user|viewer)[-_]?(ip(v6)?|addr(ess)?)$",
    "^(proxy|front[-_]end[-_]https|x[-_](url[-_])?scheme|cf[-_]visitor)$",
)  # fmt: skip
FORWARDED = ("forwarded -m sub", *(f"{names} -m reg" for names in _SAID))
"""
The headers by which proxies and CDNs tell whom they ask for (-For, -Proto, -Host, -User ...); anybody can send them.
CGI, and what is made like it (WSGI, PHP, Rack), takes ``_`` for ``-``, and ``Proxy`` for its own proxy. HAProxy has
names in small letters.
"""
TRUSTED = "haproxy_ha_trusted"
"""The acl of those who may send them."""
ANYBODY = "any"
TO_HTTPS = (
    "http-request redirect location https://%[req.fhdr(host),regsub(:[0-9]+$,)]%[pathq] code 301 unless { ssl_fc }"
)
"""As `redirect scheme https`, which leaves a port in the Host that is not the one of TLS."""
AS_IS = {"trust_forwarded_from": [ANYBODY], "limit_per_source": 0, "body_timeout": "0"}
"""What nothing is added by, for a proxy that stays as it is."""
CONNECTIONS, REQUESTS = "haproxy_ha_connections", "haproxy_ha_requests"
"""The backends whose stick tables count what each source has open."""

# Measured: 17 kB for half a request, 22 kB for a TLS connection, and as much again towards the server; the kernel's
# buffers beside it. So a machine whose connections are all in use has about half of its memory left.
CONNECTIONS_PER_MB = 10
_FEWEST = 2000


class Later(NamedTuple):
    """A default that a site which runs already gets with the next release."""

    key: str
    kept: Any  # the value that keeps what is
    text: str


LATER = (
    Later("trust_forwarded_from", ANYBODY,
          "what a client says of itself (X-Forwarded-For and the like) reaches the app servers. From the next release "
          "on it does not. A list is that now, be it empty or name a CDN or proxy before HAProxy; any keeps it"),
    Later("body_timeout", "0",
          "a client may take as long as it likes to send the body of a request, and occupies an app server meanwhile. "
          "From the next release on its beginning has to come within 10s. 10s is that now; 0 keeps it"),
    Later("maxconn", 0,
          "HAProxy takes more connections than the machine's memory can hold. From the next release on it takes "
          "{maxconn}. That number is it now; 0 keeps it"),
)  # fmt: skip
"""What could break a site that runs: it is said for one release, and then done."""
SINCE = "Defaults of 2026-12."
"""Said in the haproxy.cfg of a site that has these defaults from its beginning."""


def settle(haproxy: Tree, memory: int | None, installed: str) -> list[str]:
    """
    Give a value to what pillar leaves open. Changes ``haproxy``.

    haproxy
        The settings below ``haproxy``.
    memory
        The machine's memory in MB; None where nobody knows, and then nothing bounds the connections.
    installed
        The haproxy.cfg of ours that is there; empty without one. A site that runs already stays as it is.

    Returns what to say of that, each by its key.
    """
    most = maxconn(memory) if memory else 0
    later = [one for one in LATER if haproxy[one.key] is None and has_run(installed)]
    fresh = {"trust_forwarded_from": [], "body_timeout": "10s", **{one.key: one.kept for one in later}}
    haproxy["descriptors"] = 2 * most if haproxy["maxconn"] is None and "maxconn" not in fresh else 0
    fresh.setdefault("maxconn", 0)
    haproxy.update({key: value for key, value in fresh.items() if haproxy[key] is None})
    if haproxy["trust_forwarded_from"] == ANYBODY:
        haproxy["trust_forwarded_from"] = [ANYBODY]
    bound = most or "as many as its memory holds"
    return [*(f"{one.key}: {one.text.format(maxconn=bound)}" for one in later), *_now(haproxy, installed)]


def _now(haproxy: Tree, installed: str) -> Iterator[str]:
    """What changes with this run on a site that runs already; some of it was there before a release had it."""
    if haproxy["tls"]["bind"] != "none":
        yield from _of_the_profile(haproxy["global"], installed)
    if has_run(installed) and asks_clients(haproxy) and _SESSIONS not in installed and sessions(haproxy):
        yield ("global: where clients show certificates, TLS sessions are resumed no more with this run: HAProxy takes "
               f"one of a bind that asked for no certificate; a line {_SESSIONS} of your own keeps it")  # fmt: skip
    removes = "http-request del-header "
    if removes in installed and FORWARDED[0] not in installed and haproxy["trust_forwarded_from"] != [ANYBODY]:
        yield ("trust_forwarded_from: more of what clients say of themselves is removed with this run: each header "
               "with forwarded in its name, or an end like client-ip, by - or _; any keeps all")  # fmt: skip


def _of_the_profile(lines: list[str], installed: str) -> Iterator[str]:
    keyword = "ssl-default-bind-ciphers"
    if keyword in installed:
        if _OPTIONS_OF_DEFAULTS in lines and _CHOICE not in installed:
            yield ("tls:bind: clients choose among the suites with this run, as the profile has it; a line "
                   "ssl-default-bind-options of other words in haproxy:global keeps HAProxy's choice")  # fmt: skip
    elif has_run(installed) and not any(line.split()[0] == keyword for line in lines):
        yield (f"tls:bind: clients are offered Mozilla's intermediate profile {PROFILE} with this run; none keeps "
               "HAProxy's own suites")  # fmt: skip


def has_run(installed: str) -> bool:
    """Whether a haproxy.cfg of ours is that of a site which had no such defaults when it was set up."""
    return bool(installed) and SINCE not in installed


def groups(known: Mapping[str, str], osfinger: str | None) -> str:
    """Return the groups of the profile on a system: ``known`` is os_family.yaml's ``tls_groups``."""
    return known.get(osfinger or "any", known.get("any", ""))


def tls(side: str, profile: str, groups: str, lines: list[str]) -> list[str]:
    """
    Return the lines of ``global`` for a profile of TLS.

    side
        ``bind`` or ``server``.
    profile
        ``intermediate``, Mozilla's; or ``none``, which leaves suites to HAProxy.
    groups
        The groups of that profile which this system's OpenSSL knows.
    lines
        The lines that are there: each keyword counts once.
    """
    if profile == "none":
        return []
    wanted = {"ciphers": _CIPHERS, "ciphersuites": _CIPHERSUITES, "options": _OPTIONS[side], "curves": groups}
    known = {line.split()[0] for line in lines}
    if side == "server":  # for which HAProxy 2.6 has no such keyword
        del wanted["curves"]
    lines_by_keyword = {f"ssl-default-{side}-{what}": words for what, words in wanted.items() if words}
    added = [f"{keyword} {words}" for keyword, words in lines_by_keyword.items() if keyword not in known]
    return [*([_CHOICE] if _OPTIONS_OF_DEFAULTS in lines and side == "bind" else []), *added]


_ASKS = re.compile(r"\bverify\s+(required|optional)\b")
_SESSIONS = "tune.ssl.cachesize"


def asks_clients(haproxy: Tree) -> bool:
    """Whether a bind asks its clients for certificates."""
    listening = [*haproxy["listens"].values(), *haproxy["frontends"].values()]
    proxies = [proxy for proxy in listening if not proxy["as_is"]]
    binds = [bind["options"] for proxy in proxies for bind in proxy["bind"]]
    raw = [line for proxy in proxies for line in proxy["options"] if line.split()[0] == "bind"]
    return any(_ASKS.search(words) for words in [*binds, *raw])


def sessions(haproxy: Tree) -> list[str]:
    """
    Return the line of ``global`` that lets no TLS session be resumed where a bind asks for certificates. HAProxy keeps
    the sessions of all binds together (2.6 to 3.0, tried), so one of a bind that asks for none would open it.
    """
    own = any(line.split()[0] == _SESSIONS for line in haproxy["global"])
    return [f"{_SESSIONS} 0"] if asks_clients(haproxy) and not own else []


def hsts(wanted: Tree) -> list[str]:
    """
    Return the rule by which each answer by TLS, HAProxy's own too, has the header of RFC 6797, which counts nowhere
    else.

    wanted
        ``max_age`` (None: no header), ``include_subdomains`` and ``preload``.
    """
    if wanted["max_age"] is None:
        return []
    further = {"includeSubDomains": wanted["include_subdomains"], "preload": wanted["preload"]}
    words = [f"max-age={wanted['max_age']}", *(word for word, is_wanted in further.items() if is_wanted)]
    return [f'http-after-response set-header Strict-Transport-Security "{"; ".join(words)}" if {{ ssl_fc }}']


def trusted(senders: list[str], is_asked: bool) -> list[str]:
    """Return the acl of those who may say on whose behalf they ask, if a rule asks for it."""
    return [f"acl {TRUSTED} src {' '.join(senders)}"] if is_asked and _are_named(senders) else []


def _are_named(senders: list[str]) -> bool:
    return bool(senders) and ANYBODY not in senders


def forwarded(senders: list[str]) -> list[str]:
    """
    Return the rules of an HTTP frontend about what its clients say of themselves.

    senders
        Addresses and networks of those who may; ``[any]``: everybody.
    """
    if ANYBODY in senders:
        return []
    unless = f" unless {TRUSTED}" if senders else ""
    return [*(f"http-request del-header {name}{unless}" for name in FORWARDED), *_CONNECTION]


# What `Connection` names, the next proxy takes away, be it X-Forwarded-For. By h2c (HTTP/2 in the clear) a server would
# take requests that HAProxy never sees. HAProxy adds its own words behind.
_CONNECTION = (
    "http-request del-header Upgrade if { req.hdr(Upgrade) -m sub -i h2c }",
    "http-request del-header Connection unless { req.hdr(Connection) -i upgrade } { req.hdr(Upgrade) -m found }",
    "http-request set-header Connection upgrade if { req.hdr(Connection) -i upgrade }",
)


def scheme(senders: list[str], by_tls: bool) -> list[str]:
    """
    Return the rule that tells the application whether the client came by TLS; who is trusted may have told it.

    by_tls
        Whether the frontend has TLS. Without, what everybody may say is left alone: a CDN says it there.
    """
    if ANYBODY in senders and not by_tls:
        return []
    unless = f" unless {TRUSTED} {{ req.hdr(X-Forwarded-Proto) -m found }}" if _are_named(senders) else ""
    return [f"http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]{unless}"]


def tables(limit: int) -> list[tuple[str, list[str]]]:
    """Return the backends that count for :func:`few_connections` and :func:`few_requests`: [(name, lines)]."""
    counted = "stick-table type ipv6 size 100k expire 1m store conn_cur"
    return [(name, [counted]) for name in (CONNECTIONS, REQUESTS)] if limit else []


def few_connections(limit: int, senders: list[str]) -> list[str]:
    """Return the rules of a frontend that let a source have so many connections at the same time; 0: any number."""
    return _few("tcp-request connection", "sc1", CONNECTIONS, "reject", limit, senders)


def few_requests(limit: int, senders: list[str]) -> list[str]:
    """
    As :func:`few_connections`, requests: HTTP/2 has many on one connection. An answer that its client does not read is
    kept (20 kB), a refusal as well; so beyond twice the limit there is none, and the connection ends.
    """
    rules = _few("http-request", "sc2", REQUESTS, "deny deny_status 429", limit, senders)
    track = rules[:1]
    return [*track, *_few("http-request", "sc2", REQUESTS, "reject", 2 * limit, senders)[1:], *rules[1:]]


def _few(rule: str, counter: str, table: str, refusal: str, limit: int, senders: list[str]) -> list[str]:
    """The rule that counts, and the one that refuses."""
    if not limit:
        return []
    others = f" !{TRUSTED}" if _are_named(senders) else ""  # a CDN asks for everybody
    track = f"{rule} track-{counter} src table {table}" + (f" if{others}" if others else "")
    return [track, f"{rule} {refusal} if {{ {counter}_conn_cur({table}) gt {limit} }}{others}"]


_HTTP_2 = re.compile(r"\b(proto\s+h2|alpn\s+\S*\bh2)\b")


def serves_http_2(haproxy: Tree, options: Iterable[str]) -> bool:
    """
    Whether a server is asked by HTTP/2, without which there is no gRPC.

    options
        Those of all app servers; they stand behind the address in a line `server`.
    """
    proxies = (proxy for table in PROXIES.values() for proxy in haproxy[table].values())
    raw = [haproxy["defaults"], *haproxy["sections"].values(), *(proxy["options"] for proxy in proxies)]
    servers = (line for lines in raw for line in lines if line.split()[0] in _SERVERS)
    return any(_HTTP_2.search(words) for words in (*options, *servers))


_SERVERS = ("server", "server-template", "default-server")


def body(timeout: str, grpc: bool) -> list[str]:
    """
    Return the rule of an HTTP frontend against bodies that never come: the first 16 kB, or all of a shorter one, within
    that time, else 408. What asks for an upgrade, such as a websocket, ends without a body.

    grpc
        Whether a server speaks HTTP/2: gRPC sends its bodies over hours, and is left alone. Elsewhere that is a word
        by which anybody would get round the rule.
    """
    if timeout in ("0", "0s"):
        return []
    upgrade = "{ req.hdr(Upgrade) -m found }"
    bare = "!{ req.hdr(Content-Length) -m found } !{ req.hdr(Transfer-Encoding) -m found }"
    endless = " || { req.hdr(Content-Type) -m beg application/grpc }" if grpc else ""
    return [f"http-request wait-for-body time {timeout} unless {upgrade} {bare}{endless}"]


def connections(haproxy: Tree, lines: list[str]) -> list[str]:
    """
    Return the line of ``global`` that bounds the connections, unless one of ``lines`` does. Of its descriptors, two for
    a connection: HAProxy takes fewer where the system allows fewer; with a ``maxconn`` beyond that it would not start.
    """
    if any(line.split()[0] in ("maxconn", "ulimit-n", "fd-hard-limit") for line in lines):
        return []
    bounds = {"maxconn": haproxy["maxconn"], "fd-hard-limit": haproxy["descriptors"]}
    return [f"{keyword} {number}" for keyword, number in bounds.items() if number]


def maxconn(megabytes: int) -> int:
    """Return how many connections a machine with so much memory can hold; the memory differs a little by kernel."""
    return max(_FEWEST, megabytes * CONNECTIONS_PER_MB // 1000 * 1000)
