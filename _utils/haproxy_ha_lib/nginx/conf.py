"""nginx's files on an app server as data. Words from pillar were checked in schema.py."""

from __future__ import annotations

import re

from haproxy_ha_lib.pillar.schema import OWN_ADDRESSES
from haproxy_ha_lib.settings.types import Settings
from haproxy_ha_lib.types import Lines, Tree
from haproxy_ha_lib.values import bracketed

LOG_FORMAT = "haproxy_log"
"""The log format that shows both the load balancer and the client; the tutorial's name for it."""
BALANCER = "$haproxy_ha_balancer"
"""nginx's variable that says whether a load balancer asks, even where the client's address has taken its place."""

_REAL_IP_HEADERS = {"real_ip": "X-Forwarded-For", "proxy_protocol": "proxy_protocol"}

_FORMAT_DEFINED = re.compile(rf"^\s*log_format\s+{LOG_FORMAT}\b", re.MULTILINE)
_READ = re.compile(r"^# configuration file (/.*):$", re.MULTILINE)
_PAGE = re.compile(r"Droplet: \S+(, IP Address: \S+)?\s*")


def defines_log_format(text: str) -> bool:
    """Whether a file of nginx has a log format of our name, as the tutorial's own nginx.conf has."""
    return bool(_FORMAT_DEFINED.search(text))


def files_read(printed: str) -> list[str]:
    """Return the paths of the files that nginx reads; ``printed``: its configuration, by ``nginx -T``."""
    return _READ.findall(printed)


def is_page(text: str) -> bool:
    """Whether this is the tutorial's page, of our making or by hand."""
    return bool(_PAGE.fullmatch(text))


def model(settings: Settings, own_log_format: bool = True) -> Tree:
    """
    Return the model of each file of an app server, None where it is off: {"http", "sites"}.

    own_log_format
        False: the log format is defined elsewhere. Default: True.
    """
    nginx = settings.nginx
    on = has_sites(nginx)
    return {
        "http": _http(settings, own_log_format and on),
        "sites": _sites(settings) if on else None,
    }


def has_sites(nginx: Tree) -> bool:
    """Whether nginx has a site of ours."""
    return bool(nginx["site"]["enabled"] or nginx["sites"])


def balancers(settings: Settings) -> list[str]:
    """The addresses that load balancers ask from."""
    return [address for node in settings.load_balancers.values() for address in node.private_addresses]


def ports(settings: Settings) -> list[int]:
    """The ports of an app server's private address that its load balancers ask, in order."""
    own = settings.app_servers[settings.minion_id].port
    further = [site["port"] or own for site in settings.nginx["sites"].values()]
    return list(dict.fromkeys([own, *further]))


def requests(configuration: str, files: int) -> int:
    """
    Return how many requests at the same time nginx is certain to take: as many as one worker of it. Whoever is awake
    accepts, so that all may come to one while others have room, and it closes those for which it has no place (tried:
    56 of 384 requests failed at three quarters of two workers).

    configuration
        All of it, as ``nginx -T`` prints it.
    files
        How many files a process of it may open.

    A request that nginx passes on is two connections, and any may have a file beside its connection.
    """
    text = re.sub(r"(^|(?<=[\s;{}]))#.*", "", configuration, flags=re.MULTILINE)

    def number(name: str, default: int) -> int:
        found = re.search(rf"(?:^|[\s;{{}}]){name}\s+(\d+)\s*;", text)
        return int(found[1]) if found else default

    passes = re.search(r"(?:^|[\s;{}])(proxy|fastcgi|uwsgi|scgi|grpc|memcached)_pass\s", text)
    connections = number("worker_connections", 512) // (2 if passes else 1)
    return min(connections, number("worker_rlimit_nofile", files) // 2)


_OWN = re.compile(rf"((?<![\w$-])listen[ \t]+)({'|'.join(OWN_ADDRESSES)})(?=[:;\s]|$)")


def own_words(line: str) -> list[str]:
    """The words of a line of a file that stand for addresses of the machine; in a comment they are words."""
    return [] if is_comment(line) else [match[2] for match in _OWN.finditer(line)]


def is_comment(line: str) -> bool:
    """Whether a line is nothing but a comment."""
    return line.lstrip().startswith("#")


def files(settings: Settings) -> dict[str, list[str]]:
    """The lines of each file that pillar has as it is, by its path, with this machine's addresses."""
    directory, me = settings.paths["nginx_dir"], settings.me

    def address(match: re.Match[str]) -> str:
        return match[1] + bracketed(getattr(me, OWN_ADDRESSES[match[2]]) or "")

    return {
        f"{directory}/{name}": [line if is_comment(line) else _OWN.sub(address, line) for line in lines]
        for name, lines in settings.nginx["files"].items()
    }


def links(settings: Settings) -> dict[str, str]:
    """The links that pillar has, by their paths."""
    return {f"{settings.paths['nginx_dir']}/{name}": target for name, target in settings.nginx["links"].items()}


def main_file(settings: Settings) -> str:
    """nginx's own configuration, without which it does not start."""
    return f"{settings.paths['nginx_dir']}/nginx.conf"


def unbalanced(lines: Lines) -> str | None:
    """Say what is wrong with the braces of raw lines, None where nothing is."""
    depth = 0
    for number, line in enumerate(lines):
        # Quoted text and escaped characters are words; a comment begins where a word may.
        bare = re.sub(r"""\\.|"(\\.|[^"\\])*"|'(\\.|[^'\\])*'""", "q", line)
        bare = re.sub(r"\$\{\w+\}", "", re.sub(r"(^|(?<=[\s;{}]))#.*", "", bare))
        for brace in re.findall(r"[{}]", bare):
            depth += 1 if brace == "{" else -1
            if depth < 0:
                return f"line {number} closes a block that none of these lines opens"
    return f"{depth} of the blocks that these lines open stay open" if depth else None


def _http(settings: Settings, own_log_format: bool) -> Tree | None:
    """Lines of the section `http`, or None: the log format, who is believed, and raw lines."""
    peer, client = "$remote_addr", "$http_x_forwarded_for"
    if settings.nginx["client_address"] != "log":
        # real_ip has put the client's address in place of the peer's.
        peer, client = "$realip_remote_addr", "$remote_addr"
    log_format = [
        f"log_format {LOG_FORMAT}",
        f"    'ProxyIP: {peer} - ClientIP: {client} - $remote_user [$time_local] '",
        """    '"$request" $status $body_bytes_sent "$http_referer" '""",
        """    '"$http_user_agent"';""",
    ]
    believed = [f"geo {peer} {BALANCER} {{", "    default 0;", *(f"    {one} 1;" for one in balancers(settings)), "}"]
    lines = [
        *(log_format if own_log_format and not _defined_in_pillar(settings) else []),
        *(believed if has_sites(settings.nginx) else []),
        *settings.nginx["options"],
    ]
    return {"lines": lines} if lines else None


def _defined_in_pillar(settings: Settings) -> bool:
    return any(defines_log_format("\n".join(lines)) for lines in settings.nginx["files"].values())


def _sites(settings: Settings) -> list[list[str]]:
    nginx, root = settings.nginx, settings.nginx["page"]["document_root"]
    own = settings.app_servers[settings.minion_id].port
    sites = []
    if nginx["site"]["enabled"]:
        sites.append(_site(settings, own, ["_"], root, ["index index.html;", *nginx["site"]["options"]]))
    for site in nginx["sites"].values():
        names = site["server_names"] or ["_"]
        sites.append(_site(settings, site["port"] or own, names, site["document_root"], site["options"]))
    return sites


def _site(settings: Settings, port: int, names: list[str], root: str | None, options: Lines) -> list[str]:
    """The lines of one `server` block."""
    address = settings.nginx["client_address"]
    suffix = " proxy_protocol" if address == "proxy_protocol" else ""
    return [
        f"listen {bracketed(settings.me.private_ip or '')}:{port}{suffix};",
        f"server_name {' '.join(names)};",
        *_guard(settings, address),
        f"access_log {settings.paths['nginx_access_log']} {LOG_FORMAT};",
        *([f"root {root};"] if root else []),
        *options,
    ]


def _guard(settings: Settings, address: str) -> list[str]:
    """Only load balancers are answered. A raw `return` would come before the tutorial's allow and deny, hence `if`."""
    refusal = [f"if ({BALANCER} = 0) {{", "    return 403;", "}"]
    if address == "log":
        return [*(f"allow {one};" for one in balancers(settings)), "deny all;", *refusal]
    trusted = [f"set_real_ip_from {one};" for one in balancers(settings)]
    return [*trusted, f"real_ip_header {_REAL_IP_HEADERS[address]};", *refusal]


def page(settings: Settings, hostname: str | None = None) -> Tree | None:
    """
    Return the model of the page of an app server, None where it is off.

    hostname
        What the page calls this machine. Default: None, its minion id.
    """
    if not settings.nginx["page"]["enabled"]:
        return None
    return {
        "hostname": hostname or settings.minion_id,
        "public_ip": settings.me.public_ip,
        "content": settings.nginx["page"]["content"],
    }
