"""haproxy.cfg as data: sections in order, each with its lines. Words from pillar were checked in schema.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from haproxy_ha_lib.haproxy import edge, queue
from haproxy_ha_lib.haproxy.sections import PROXIES
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings.types import AppServer, Settings
from haproxy_ha_lib.types import Lines, Section, Tree
from haproxy_ha_lib.values import bracketed, is_hash

STATS = "haproxy_ha_stats"
"""The frontend of the statistics, and the userlist of who may see them."""
METRICS = "haproxy_ha_metrics"
"""The frontend of the metrics for who monitors."""
TCP = "haproxy_ha_tcp"
"""The section `defaults` of proxies in TCP mode, where `defaults` itself is about HTTP."""

# What HAProxy has for HTTP alone, and refuses, warns of or leaves undone in TCP mode (its manual, 4.2, and
# HAProxy itself in the tests). `option httpchk` is none of it: a server in TCP mode may well be checked by HTTP.
_HTTP_ALONE = re.compile(
    r"(no )?(mode|http-(?!check )\S+|errorfiles?|errorloc\S*|cookie|capture|compression|monitor-uri|redirect|stats"
    r"|timeout http-\S+|balance (uri|url_param|hdr\(\S*|hash .*\bre[qs]\.(hdr|cook|body)\S*)"
    r"|option (http(?!chk)\S*|forwardfor|originalto|idle-close-on-response|prefer-last-server|checkcache"
    r"|disable-h2-upgrade|accept-(invalid|unsafe-violations-in)-http-\S+))( .*)?"
)
# Variables of a log format that are HTTP's (the manual, 8.2.6); `%%` is a percent sign.
_OF_HTTP = re.compile(r"(?<!%)(%%)*%(\([^)]*\))?(\{[^}]*\})?(C[CS]|H[MPQUV]|HPO|T[Raiqr]|r|tr[gl]?)(?![A-Za-z])")

# HAProxy evaluates these before or after `http-request` wherever they stand, and warns where they do not stand so.
_AFTER_HTTP_REQUEST = ("redirect", "use_backend", "use-server")


def model(settings: Settings, secrets: Tree | None = None) -> list[Section]:
    """
    Return the sections of haproxy.cfg for the minion of ``settings``.

    settings
        What settings.build returned, without errors.
    secrets
        What build.secrets returned. Default: None, for a configuration that needs none.

    A list of {"type", "name" (None for global and defaults), "from" (None without), "lines": [text, ...]}; nothing is
    sorted.
    """
    haproxy = settings.haproxy
    return _in_order(haproxy["order"], [
        _section("global", None, _global(settings)),
        *(_section("userlist", name, lines) for name, lines in haproxy["userlists"].items()),
        *_stats_users(haproxy["stats"], secrets),
        *(_section("peers", name, _peers(peers, settings)) for name, peers in haproxy["peers"].items()),
        *(_section("resolvers", name, lines) for name, lines in haproxy["resolvers"].items()),
        *(_section("cache", name, lines) for name, lines in haproxy["caches"].items()),
        *_raw_sections(haproxy["sections"]),
        *_tcp_defaults(haproxy),
        _section("defaults", None, _defaults(haproxy)),
        *_stats(haproxy["stats"]),
        *_metrics(settings),
        *(_section("backend", name, lines) for name, lines in edge.tables(haproxy["limit_per_source"])),
        *(_proxy(kind, name, proxy, settings) for kind, name, proxy in proxies(haproxy)),
    ])


def _in_order(order: list[str], sections: list[Section]) -> list[Section]:
    """The sections as pillar orders them. Of the others, proxies come last, with the `defaults` that pillar has."""
    if not order:
        return sections
    places = {title: place for place, title in enumerate(order)}
    late = (*PROXIES, "defaults")

    def place(section: Section) -> int:
        is_late = section["type"] in late and section["name"] != TCP
        return places.get(section_title(section), len(order) if is_late else -1)

    kept = [one for one in sections if one["lines"] or section_title(one) != "defaults" or "defaults" in places]
    return sorted(kept, key=place)


def section_title(section: Section) -> str:
    """What pillar calls a section in haproxy:order: its header, without ``from``."""
    return _words(section["type"], section["name"] or "")


_KEEP_ALIVE = {"option http-server-close": "option http-keep-alive"}


def proxies(haproxy: Tree) -> Iterator[tuple[str, str, Tree]]:
    """Yield (section keyword, name, settings) of every proxy, in the order of haproxy.cfg."""
    for kind, table in PROXIES.items():
        for name, proxy in haproxy[table].items():
            yield kind, name, proxy


def servers_of(proxy: Tree, haproxy: Tree, app_servers: Mapping[str, Tree]) -> list[str]:
    """The names of the app servers behind a proxy: those of its list, all of them, or the rest (:func:`others`)."""
    if proxy["servers"] in ("app_servers", "rest"):
        taken = others(haproxy, app_servers) if proxy["servers"] == "rest" else {}
        return [name for name in app_servers if name not in taken]
    return proxy["servers"] or []


def others(haproxy: Tree, app_servers: Mapping[str, Tree]) -> dict[str, str]:
    """
    The app servers that are something else than the site, by the list of a proxy that names them: {name: proxy}. One
    that is named in TCP mode is; one that is named for HTTP is if it is not ours, because ours all have the site.
    """
    found: dict[str, str] = {}
    for _, title, proxy in proxies(haproxy):
        for name in proxy["servers"] if isinstance(proxy.get("servers"), list) else ():
            if mode(haproxy, proxy) == "tcp" or not app_servers.get(name, {}).get("managed"):
                found.setdefault(name, title)
    return found


# Lines that answer, or send requests on, where there is no app server (HAProxy's configuration manual, 4.2). Rules that
# protect what stands behind them answer everybody only without a condition.
_ANSWERS = re.compile(
    r"(server|server-template|dispatch|redirect (location|prefix)|stats|transparent|option (transparent|http_proxy)"
    r"|errorfiles|(errorfile|errorloc\S*|http-error status) 503|monitor-uri|use_backend|default_backend"
    r"|http-request (return|redirect (location|prefix)|use-service|lua\.\S+)"
    r"|tcp-request content (use-service|lua\.\S+))( .*)?"
)
_ANSWERS_EVERYBODY = re.compile(
    r"(redirect|http-request (redirect|deny|reject|tarpit|silent-drop)"
    r"|tcp-request (connection|session|content) (reject|silent-drop))(?!.* (if|unless) )( .*)?"
)


def answers(proxy: Tree, haproxy: Tree) -> bool:
    """Whether raw lines of a proxy, or of the `defaults` that it names, answer without app servers."""
    lines = [*named_defaults(haproxy).get(proxy["from"], []), *proxy["options"]]
    words = [" ".join(line.split()) for line in lines]
    redirects = proxy.get("redirect_to_https") and not any(has_tls(bind) for bind in proxy["bind"])
    return bool(redirects) or any(_ANSWERS.fullmatch(line) or _ANSWERS_EVERYBODY.fullmatch(line) for line in words)


def asked(haproxy: Tree) -> dict[str, str]:
    """
    Who sends requests to which backend: {backend: "frontend http sends requests to it"}, the first for each. A backend
    that a rule chooses such as `use_backend %[...]` cannot be told.
    """
    found: dict[str, str] = {}
    for kind, name, proxy in proxies(haproxy):
        named = [proxy["default_backend"]] if proxy.get("default_backend") else []
        words = [line.split() for line in proxy["options"]]
        named += [line[1] for line in words if line[0] in ("use_backend", "default_backend") and len(line) > 1]
        for backend in named:
            found.setdefault(backend, f"{kind} {name} sends requests to it")
    return found


def listening(haproxy: Tree) -> Iterator[tuple[tuple[str, ...], str, Tree]]:
    """Yield (path below haproxy, name, settings) of everything that has binds; the statistics if they are on."""
    if stats_on(haproxy["stats"]):
        yield ("stats",), STATS, {**haproxy["stats"], "mode": "http", "from": None, "as_is": False, "options": []}
    for kind, name, proxy in proxies(haproxy):
        if kind != "backend":
            yield (PROXIES[kind], name), name, proxy


def title(below: Sequence[str]) -> str:
    """Return what is at a path below haproxy in the words of haproxy.cfg, such as ``listen web``."""
    words = {table: kind for kind, table in PROXIES.items()}
    return " ".join((words.get(below[0], below[0]), *below[1:]))


def stats_on(stats: Tree) -> bool:
    """Whether anybody asked for statistics."""
    return bool(stats["page"] or stats["prometheus"])


def mode(haproxy: Tree, proxy: Tree) -> str:
    """Return the mode of a proxy: its own, or that of its `defaults`, or HAProxy's own, which is tcp."""
    return proxy["mode"] or _raw_mode([*_inherited(haproxy, proxy), *proxy["options"]])


def named_defaults(haproxy: Tree) -> dict[str, list[str]]:
    """The sections `defaults` that proxies may name in ``from``, by their names."""
    sections = haproxy["sections"].items()
    return {title.split(" ")[1]: lines for title, lines in sections if title.startswith("defaults ")}


def _inherited(haproxy: Tree, proxy: Tree) -> list[str]:
    """The lines of a proxy's `defaults`: of those that it names, else of the last ones before it."""
    order, titled = haproxy["order"], {**haproxy["sections"], "defaults": haproxy["defaults"]}
    if proxy["from"] or not order:
        return named_defaults(haproxy).get(proxy["from"]) or list(titled["defaults"])
    own = next((f"{kind} {name}" for kind, name, one in proxies(haproxy) if one is proxy), "")
    before = order[: order.index(own)] if own in order else order
    last = next((title for title in reversed(before) if title.split(" ")[0] == "defaults"), "")
    return list(titled.get(last, []))


def _raw_mode(lines: Lines) -> str:
    words = [line.split() for line in lines]
    return next((line[1] for line in reversed(words) if line[0] == "mode" and len(line) > 1), "tcp")


def has_tls(bind: Tree) -> bool:
    """Whether a bind speaks TLS."""
    return "ssl" in bind["options"].split()


def has_certificate(bind: Tree) -> bool:
    """Whether a bind names its certificates itself."""
    return bool({"crt", "crt-list", "generate-certificates"} & set(bind["options"].split()))


def certificates(haproxy: Tree, proxy: Tree) -> list[str]:
    """The names of the certificates of a proxy's binds."""
    return proxy["certificates"] or list(haproxy["certificates"])


def certificate_path(paths: Mapping[str, str], name: str) -> str:
    """Where a certificate of pillar's is installed."""
    return f"{paths['haproxy_certificates']}/{name}.pem"


def servers(text: str) -> dict[tuple[str, str], str]:
    """
    The servers in the text of a haproxy.cfg: {(proxy, server): its address as it is written}. One that is there twice,
    under conditions, has the address ``$``, which nobody can tell.
    """
    found: dict[tuple[str, str], str] = {}
    proxy = None
    for line, words in _lines(text):
        if line[:1].strip():  # ours are indented
            proxy = words[1] if words[0] in ("backend", "listen") and len(words) > 1 else None
        elif proxy and words[0] in ("server", "server-template"):
            for name, address in _servers_of(words):
                found[proxy, name] = address if found.get((proxy, name), address) == address else "$"
    return found


def hosts(text: str) -> dict[str, str]:
    """The hosts of the servers in the text of a haproxy.cfg: {server: address}; none of one that has several."""
    found: dict[str, set[str]] = {}
    for (_, name), address in servers(text).items():
        found.setdefault(name, set()).add(address.rpartition(":")[0].strip("[]"))
    return {name: hosts.pop() for name, hosts in found.items() if len(hosts) == 1}


def _lines(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each line with its words; HAProxy takes the quotes around them away."""
    lines = ((line, re.sub(r"[\"'\\]", "", line).split()) for line in text.splitlines())
    return ((line, words) for line, words in lines if words and not words[0].startswith("#"))


def _servers_of(words: list[str]) -> Iterator[tuple[str, str]]:
    if words[0] == "server" and len(words) > 2:
        yield words[1], words[2]
    elif len(words) > 3 and (match := _RANGE.fullmatch(words[2])):
        first, last = (int(match[1]), int(match[2])) if match[2] else (1, int(match[1]))
        yield from ((f"{words[1]}{number}", words[3]) for number in range(first, min(last, first + _MOST) + 1))


_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_MOST = 10_000  # servers that one server-template makes


def stats_sockets(text: str) -> list[str]:
    """The addresses of the stats sockets in the text of a haproxy.cfg."""
    return [words[2] for _, words in _lines(text) if words[:2] == ["stats", "socket"] and len(words) > 2]


def _section(kind: str, name: str | None, lines: Lines, origin: str | None = None) -> Section:
    return {"type": kind, "name": name, "from": origin, "lines": list(lines)}


def _raw_sections(sections: Mapping[str, Lines]) -> Iterator[Section]:
    for title, lines in sections.items():
        kind, _, name = title.partition(" ")
        yield _section(kind, name or None, lines)


def _global(settings: Settings) -> list[str]:
    haproxy = settings.haproxy
    lines = [*([] if settings.has_run else [f"# {edge.SINCE}"]), *haproxy["global"]]
    if any(peers["port"] for peers in haproxy["peers"].values()):
        lines.append(f"localpeer {settings.minion_id}")
    if haproxy["keep_server_states"] and not _has(lines, "server-state-file"):
        lines.append(f"server-state-file {settings.paths['haproxy_server_states']}")
    lines += [*edge.connections(haproxy, lines), *edge.sessions(haproxy)]
    for side, profile in haproxy["tls"].items():
        lines += edge.tls(side, profile, settings.tls_groups, lines)
    return lines


def _defaults(haproxy: Tree) -> list[str]:
    lines = list(haproxy["defaults"])
    if haproxy["keep_alive"]:
        lines = [_KEEP_ALIVE.get(line, line) for line in lines]
    if haproxy["keep_server_states"] and not _has(lines, "load-server-state-from-file"):
        lines.append("load-server-state-from-file global")
    return lines


def _origin(proxy: Tree, haproxy: Tree) -> str | None:
    """The named section `defaults` of a proxy, None for the one without a name."""
    apart = mode(haproxy, proxy) == "tcp" and _raw_mode(haproxy["defaults"]) == "http"
    return proxy["from"] or (TCP if apart and not proxy["as_is"] else None)


def needs_tcp_defaults(haproxy: Tree) -> bool:
    """Whether a proxy in TCP mode has to be kept from `defaults` that are about HTTP."""
    return any(_origin(proxy, haproxy) == TCP and not proxy["from"] for _, _, proxy in proxies(haproxy))


def _tcp_defaults(haproxy: Tree) -> Iterator[Section]:
    named = TCP in {_origin(proxy, haproxy) for _, _, proxy in proxies(haproxy)}
    if named and f"defaults {TCP}" not in haproxy["sections"]:
        yield _section("defaults", TCP, ["mode tcp", *in_tcp_mode(_defaults(haproxy))])


def in_tcp_mode(lines: Lines) -> list[str]:
    """
    The lines of a section `defaults` of HTTP that count in TCP mode too. A log of HTTP becomes one of TCP.
    """
    kept: list[str] = []
    log: list[str] = []
    for line in lines:
        words = " ".join(line.split())
        if words.startswith(("log-format", "error-log-format")) and _OF_HTTP.search(words):
            log = log or (["option tcplog"] if words.startswith("log-format ") else [])
        elif words.startswith(("option httplog", "option httpslog")):
            log = ["option tcplog"]
        elif not _HTTP_ALONE.fullmatch(words):
            kept.append(re.sub(r" (cookie|proto) \S+", "", words) if words.startswith("default-server ") else line)
    return [*kept, *(log if not any(line.split()[0] == "log-format" for line in kept) else [])]


def _has(lines: Lines, keyword: str) -> bool:
    return any(line.split()[0] == keyword for line in lines)


def _peers(peers: Tree, settings: Settings) -> list[str]:
    where = {name: _host(node.private_ip, peers["port"]) for name, node in settings.load_balancers.items()}
    return [*peers["options"], *(f"peer {name} {address}" for name, address in where.items() if peers["port"])]


def _host(address: str | None, port: int) -> str:
    return f"{bracketed(address or '')}:{port}"


def _stats_users(stats: Tree, secrets: Tree | None) -> Iterator[Section]:
    password = secrets and secrets["haproxy"]["stats"]["password"]
    if stats_on(stats) and password:
        how = "password" if is_hash(password) else "insecure-password"
        yield _section("userlist", STATS, [f"user {stats['user']} {how} {password}"])


def stats_password(text: str) -> str | None:
    """Return the password of the statistics, or its hash, that a haproxy.cfg of ours has; None without one."""
    found = re.search(rf"^userlist {STATS}\n[ \t]+user \S+ (?:insecure-)?password (\S+)$", text, re.MULTILINE)
    return found[1] if found else None


def _stats(stats: Tree) -> Iterator[Section]:
    if not stats_on(stats):
        return
    lines = [*(_bind(bind) for bind in stats["bind"]), "mode http"]
    if stats["password"]:
        lines.append(f"http-request auth realm HAProxy unless {{ http_auth({STATS}) }}")
    if stats["prometheus"]:
        lines.append("http-request use-service prometheus-exporter if { path /metrics }")
    lines += ["stats enable", "stats uri /"] if stats["page"] else ["http-request return status 404"]
    yield _section("frontend", STATS, lines)


# More of them than anybody who monitors has, and too few to take connections from clients.
_MOST_SCRAPES = 16


def _metrics(settings: Settings) -> Iterator[Section]:
    """
    What is there for monitoring stands in nobody's way: `transparent`, because HAProxy serves clients without its
    private address as well, and with a limit of its own.
    """
    bind = metrics_bind(settings)
    if bind:
        yield _section("frontend", METRICS, [
            _bind(bind),
            "mode http",
            "http-request set-log-level silent",
            f"maxconn {_MOST_SCRAPES}",
            f"http-request deny unless {{ src {' '.join([*settings.monitoring.sources, bind['address']])} }}",
            "http-request use-service prometheus-exporter if { path /metrics }",
            "http-request return status 404",
        ])


def metrics_bind(settings: Settings) -> Tree | None:
    """Where the frontend of the metrics listens; None without one."""
    address = settings.me.private_ip
    if not settings.monitoring.sources or not address:
        return None
    return {"address": address, "port": settings.monitoring.haproxy_port, "options": "transparent"}


def _proxy(kind: str, name: str, proxy: Tree, settings: Settings) -> Section:
    lines = [f"mode {proxy['mode']}"] if proxy["mode"] else []
    if kind != "backend":
        lines += _listening(proxy, settings)
    if kind != "frontend":
        lines += [*_serving(proxy), *_queue(proxy, settings)]
    lines += proxy["options"] if kind == "backend" else _with_rules(proxy, settings)
    if kind == "frontend" and proxy["default_backend"]:
        lines.append(f"default_backend {proxy['default_backend']}")
    if kind != "frontend":
        lines += [server_line(server, proxy, settings) for server in proxy["servers"]]
    return _section(kind, name, lines, _origin(proxy, settings.haproxy))


def _listening(proxy: Tree, settings: Settings) -> list[str]:
    haproxy = settings.haproxy
    paths = [certificate_path(settings.paths, name) for name in certificates(haproxy, proxy)]
    http = mode(haproxy, proxy) == "http"
    if proxy["as_is"]:
        paths, http = [], False
    return [_bind(bind, paths, http) for bind in proxy["bind"]]


def _bind(bind: Tree, paths: Sequence[str] = (), http: bool = False) -> str:
    """HTTP/2 has to be asked for until HAProxy 2.8."""
    more = []
    if has_tls(bind):
        more += [f"crt {path}" for path in paths if not has_certificate(bind)]
        more += ["alpn h2,http/1.1"] if http and "alpn" not in bind["options"].split() else []
    return _words("bind", _host(bind["address"], bind["port"]), bind["options"], *more)


def _with_rules(proxy: Tree, settings: Settings) -> list[str]:
    """
    The raw lines of a proxy with the rules of the formula. What clients say of themselves is dealt with before the raw
    `http-request` lines; the redirect and the wait for a body come behind them, so that those can make exceptions.
    """
    lines, http = proxy["options"], mode(settings.haproxy, proxy) == "http"
    haproxy = {**settings.haproxy, **edge.AS_IS} if proxy["as_is"] else settings.haproxy
    before, behind = _place(lines, (*_AFTER_HTTP_REQUEST, "http-request")), _place(lines, _AFTER_HTTP_REQUEST)
    trusted, limit = haproxy["trust_forwarded_from"], haproxy["limit_per_source"]
    early = [*edge.trusted(trusted, http or bool(limit)), *edge.few_connections(limit, trusted)]
    by_tls = any(has_tls(bind) for bind in proxy["bind"]) and not proxy["as_is"]
    middle = [*edge.forwarded(trusted), *edge.scheme(trusted, by_tls), *edge.few_requests(limit, trusted)]
    middle = middle if http else []
    grpc = edge.serves_http_2(haproxy, (words for one in settings.app_servers.values() for words in one.options))
    late = [*edge.hsts(proxy["hsts"]), *edge.body(haproxy["body_timeout"], grpc)] if http else []
    if proxy["redirect_to_https"]:
        late = [edge.TO_HTTPS, *late]
    return [*early, *lines[:before], *middle, *lines[before:behind], *late, *lines[behind:]]


def _place(lines: list[str], keywords: tuple[str, ...]) -> int:
    """Where the first line with one of these keywords is; the end without one."""
    return next((at for at, line in enumerate(lines) if line.split()[0] in keywords), len(lines))


def _serving(proxy: Tree) -> list[str]:
    lines = [f"balance {proxy['balance']}"] if proxy["balance"] else []
    check = proxy["check"]
    if check["path"]:
        by_host = f"ver HTTP/1.1 hdr Host {check['host']}" if check["host"] else ""
        lines += [
            "option httpchk",
            _words("http-check send meth", check["method"], "uri", check["path"], by_host),
            f"http-check expect status {check['status']}",
        ]
    return lines


def server_line(name: str, proxy: Tree, settings: Settings) -> str:
    """Return the `server` line of an app server in a backend or listen."""
    server = settings.app_servers[name]
    most = _maxconn(name, proxy, settings)
    return _words(
        "server", name, _host(server.private_ip, proxy["port"] or server.port), "check",
        f"weight {server.weight}" if server.weight is not None else "",
        "backup" if server.backup else "",
        f"maxconn {most}" if most else "",
        "send-proxy-v2" if _told_by_proxy(server, settings) else "",
        *server.options,
    )  # fmt: skip


def _maxconn(name: str, proxy: Tree, settings: Settings) -> int | None:
    server = settings.app_servers[name]
    everywhere = [one for _, _, one in proxies(settings.haproxy) if name in (one.get("servers") or ())]
    queues = [one for one in everywhere if _has_queue(name, one, settings)]
    if server.nginx_requests and any(one is proxy for one in queues):
        return queue.share(server.nginx_requests, len(queues))
    return server.maxconn


def _has_queue(name: str, proxy: Tree, settings: Settings) -> bool:
    """Whether requests to a server wait: it is nginx by its port, HTTP is spoken, and nobody has said another limit."""
    server, sites = settings.app_servers[name], settings.nginx["sites"].values()
    ports = [server.port, *(site["port"] for site in sites)]
    lines = [*_inherited(settings.haproxy, proxy), *proxy["options"]]
    words = [word for line in lines if line.startswith("default-server") for word in line.split()]
    words += [word for option in server.options for word in option.split()]
    return bool(
        server.nginx_requests and not server.maxconn and nginx.has_sites(settings.nginx) and not proxy["as_is"]
        and (proxy["port"] or server.port) in ports and mode(settings.haproxy, proxy) == "http"
        and not {"maxconn", "minconn"} & set(words)
    )  # fmt: skip


def _queue(proxy: Tree, settings: Settings) -> list[str]:
    """The line that says how long requests wait, where they do and no line says it."""
    lines = [" ".join(line.split()) for line in (*_inherited(settings.haproxy, proxy), *proxy["options"])]
    is_said = any(line.startswith("timeout queue ") for line in lines)
    waits = any(_has_queue(name, proxy, settings) for name in proxy["servers"])
    return [f"timeout queue {queue.TIMEOUT}"] if waits and not is_said else []


def _told_by_proxy(server: AppServer, settings: Settings) -> bool:
    return server.managed and settings.nginx["client_address"] == "proxy_protocol"


def sends_proxy(server: AppServer, settings: Settings) -> bool:
    """Return whether the load balancers send an app server the PROXY protocol, as ours or by options of its own."""
    words = [word for option in server.options for word in option.split()]
    return _told_by_proxy(server, settings) or any(word.startswith("send-proxy") for word in words)


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)
