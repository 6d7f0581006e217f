"""
Random and hostile pillars of the HTTP tiers: what is accepted is read by the real daemons without a warning, and no
value leaves its place; what is refused has messages, and no traceback. Raw lines are the user's own, and right here.
"""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from haproxy_ha_lib.files import layout
from haproxy_ha_lib.haproxy import cfg
from haproxy_ha_lib.nginx import conf as nginx_conf
from haproxy_ha_lib.settings import build
from support.certificates import self_signed
from support.pillars import DEFAULTS, changed, rendered
from support.place import requires_tools

pytestmark = requires_tools("haproxy", "nginx", "openssl")
CFG = "/etc/haproxy/haproxy.cfg"

# Text that wants out of its place.
HOSTILE = st.text(st.sampled_from("ab1.-_:*/ \t\r\n\0#'\"\\${}|;[]()@,\u2028") | st.characters(), max_size=12)
HOSTILE |= st.sampled_from([
    "x\nlisten evil", "x #", "x; deny all", "x}", "'", '"', "\\", "$x", "${HOME}", "{ src 1.2.3.4 }", "a b", "", " ",
    "-", "%[src]", "x\x85y", "é", "*", "__proto__", "global", "defaults", "listen", "no", "default", "haproxy_ha_stats",
    "A" * 300,
])  # fmt: skip


def mostly(good):
    """Values that are right, and one in a hundred that is not meant to be."""
    return st.integers(0, 99).flatmap(lambda roll: HOSTILE if roll == 99 else good)


def optional(**keys):
    return st.fixed_dictionaries({}, optional=keys)


NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)
PORT = mostly(st.integers(1, 65535))
PATH = st.sampled_from(["/", "/health", "/a/b?c=d&e=%20"])
HOST = st.sampled_from(["www.example.com", "a-b.c", "localhost"])
BIND = st.builds(
    lambda host, port, tls: f"{host}:{port}{tls}",
    st.sampled_from(["anchor", "private", "public", "*", "public_ipv6", "127.0.0.1", "[::1]", "198.51.100.7"]),
    st.integers(1, 65535), st.sampled_from(["", "", " ssl", " ssl alpn h2", " accept-proxy", " name x"]),
)  # fmt: skip
RAW = st.lists(st.sampled_from(["# a comment", "log global", "description x # y"]), max_size=3, unique=True)
SERVERS = mostly(st.just("app_servers"))
SERVERS |= st.lists(mostly(st.sampled_from(["app-1", "app-2", "theirs"])), max_size=3, unique=True)
MODE = mostly(st.sampled_from(["http", "tcp"]))
PROXY = {"from": mostly(st.sampled_from([None, None, "own"])), "mode": MODE, "options": RAW}
LISTENING = {
    "bind": st.lists(mostly(BIND), min_size=1, max_size=3),
    "certificates": st.lists(mostly(st.sampled_from(["one", "two"])), max_size=2),
    "redirect_to_https": mostly(st.booleans()),
    "hsts": optional(max_age=mostly(st.sampled_from([None, 0, 63072000])), include_subdomains=mostly(st.booleans()),
                     preload=mostly(st.booleans())),
}
SERVING = {
    "servers": SERVERS, "port": PORT,
    "balance": mostly(st.sampled_from(["roundrobin", "leastconn", "uri depth 2", "hdr(Host)", "random(2)", "source"])),
    "check": optional(
        path=mostly(PATH), host=mostly(HOST), status=mostly(st.sampled_from(["200", "200-399", "200,204"])),
        method=mostly(st.sampled_from(["GET", "HEAD", "OPTIONS"])),
    ),
}  # fmt: skip
SITE_LINES = st.lists(st.sampled_from([
    "return 204;", "location / { return 200 '}'; }", "add_header X-A \"a;b\";", "# { comment",
    "client_max_body_size 5m;",
]), max_size=2, unique=True)  # fmt: skip
PEM = st.just({"pem": "PEM"})


OWN_DEFAULTS = ["mode http", "timeout connect 1s", "timeout client 1s", "timeout server 1s"]


def table(names, entry, size=3):
    return st.dictionaries(mostly(names), entry, max_size=size)


HAPROXY = optional(
    drain_timeout=mostly(st.integers(0, 3600)),
    keep_server_states=mostly(st.booleans()),
    keep_alive=mostly(st.booleans()),
    userlists=table(NAME, st.just(["user jane insecure-password x"])),
    peers=table(NAME, optional(port=PORT)),
    caches=table(NAME, st.just(["total-max-size 4"])),
    sections=table(st.builds("ring {}".format, NAME), st.just(["size 32764"])),
    certificates=table(NAME, PEM, 1),
    stats=optional(
        page=mostly(st.booleans()), prometheus=mostly(st.booleans()), bind=st.lists(mostly(BIND), max_size=2),
        user=mostly(NAME), password=mostly(st.from_regex(r"[A-Za-z0-9@$%^&*()+=:,;<>?/|{}-]{8,20}", fullmatch=True)),
    ),
    listens=table(NAME, optional(**PROXY, **LISTENING, **SERVING), 2),
    frontends=table(NAME, optional(**PROXY, **LISTENING, default_backend=mostly(st.sampled_from(["app_pool", "b"]))),
                    2),
    backends=table(NAME | st.just("b"), optional(**PROXY, **SERVING), 2),
)  # fmt: skip
NGINX = optional(
    client_address=mostly(st.sampled_from(["log", "real_ip", "proxy_protocol"])),
    options=st.lists(st.just("map $host $one { default 1; }"), max_size=1),
    page=optional(
        enabled=st.booleans(), document_root=mostly(st.sampled_from(["/srv", "/srv/www.a"])), content=HOSTILE
    ),
    site=optional(enabled=mostly(st.booleans()), options=SITE_LINES),
    sites=table(NAME, optional(
        port=PORT, server_names=st.lists(mostly(HOST), max_size=2, unique=True), options=SITE_LINES,
        document_root=mostly(st.just("/srv/x")),
    )),
)  # fmt: skip
SERVER = optional(
    port=PORT, weight=mostly(st.integers(0, 256)), maxconn=mostly(st.integers(1, 999)), backup=mostly(st.booleans()),
    options=st.lists(st.sampled_from(["inter 2s", "fall 3"]), max_size=2, unique=True),
)  # fmt: skip


@st.composite
def pillars(draw, pem):
    """A tree of haproxy_ha; PEM stands for a certificate."""
    haproxy = draw(HAPROXY)
    if draw(st.integers(0, 9)):  # what is referred to is there, mostly
        haproxy.setdefault("sections", {})["defaults own"] = OWN_DEFAULTS
        haproxy.setdefault("backends", {}).setdefault("b", {})
        haproxy["certificates"] = {"one": {}, "two": {}, **haproxy.get("certificates", {})}
    for certificate in haproxy.get("certificates", {}).values():
        certificate["pem"] = pem
    return changed({
        "app_servers:app-1": {"private_ip": "10.132.20.236", **draw(SERVER)},
        "app_servers:theirs": {"private_ip": draw(mostly(st.just("fd00::9"))), "managed": False, **draw(SERVER)},
        "load_balancers:primary:public_ipv6": draw(mostly(st.just("2001:db8::1"))),
        "haproxy": haproxy,
        "nginx": draw(NGINX),
    })  # fmt: skip


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return "".join(path.read_text() for path in self_signed(tmp_path_factory.mktemp("pem"), "x"))


CASES = [150, pytest.param(5_000, marks=pytest.mark.slow)]  # of each minion


@pytest.mark.parametrize("minion", ["primary", "app-1"])
@pytest.mark.parametrize("cases", CASES)
def test_any_pillar_is_refused_with_words_or_taken_by_the_daemons(pem, tmp_path, cases, minion):
    accepted = []

    @examples(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck))
    @given(pillars(pem))
    def one(tree):
        built = build.settings(tree, minion, DEFAULTS)
        if built.errors:
            assert all(error.startswith("haproxy_ha") and error.isprintable() for error in built.errors)
            return
        accepted.append(tree)
        if minion == "primary":
            check_haproxy(built, build.secrets(tree), tmp_path)
        else:
            check_nginx(built, tmp_path)

    one()
    assert len(accepted) > cases / 5  # else the daemons saw too little


RENDERED = {
    "bind", "mode", "http-request", "stats", "option", "http-check", "balance", "server", "default_backend", "user",
    "peer", "localpeer", "server-state-file", "load-server-state-from-file", "#", "acl", "tcp-request", "stick-table",
    "maxconn", "ssl-default-bind-ciphers", "ssl-default-bind-ciphersuites", "ssl-default-bind-options",
    "ssl-default-bind-curves", "ssl-default-server-ciphers", "ssl-default-server-ciphersuites",
    "ssl-default-server-options",
}  # fmt: skip


def check_haproxy(built, secrets, directory):
    """HAProxy takes the file without a warning; beyond raw lines there are only directives that we render."""
    haproxy = built.haproxy
    sections = cfg.model(built, secrets)
    raw = [*haproxy["global"], *haproxy["defaults"]]
    tables = ("userlists", "resolvers", "caches", "sections")
    raw += [line for table in tables for lines in haproxy[table].values() for line in lines]
    proxies = [proxy for _, _, proxy in cfg.proxies(haproxy)] + list(haproxy["peers"].values())
    raw += [line for proxy in proxies for line in proxy["options"]]
    for section in sections:
        for line in section["lines"]:
            assert line in raw or line.split(" ")[0] in RENDERED, line

    entries = layout.daemon_files(built, secrets)["haproxy"]
    text = rendered(entries[CFG])
    words = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(words) == len(sections)
    for number, (path, entry) in enumerate(entries.items()):
        if entry and entry.content is not None:
            own = Path(directory, f"{number}.pem")
            own.write_text(entry.content, encoding="ascii")
            text = text.replace(f"{path}\n", f"{own}\n").replace(f"{path} ", f"{own} ")
    Path(directory, "haproxy.cfg").write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["haproxy", "-c", "-dW", "-f", directory / "haproxy.cfg"], capture_output=True, text=True, check=False
    )
    said = (done.stdout + done.stderr).removesuffix("Configuration file is valid\n")  # 3.0 is silent
    assert (done.returncode, said) == (0, ""), text


SITE_DIRECTIVES = {"listen", "server_name", "allow", "deny", "access_log", "root", "index", "set_real_ip_from",
                   "real_ip_header", "if", "return", "}"}  # fmt: skip


def check_nginx(built, directory):
    """nginx takes the files; beyond raw lines there are only directives that we render."""
    model, nginx = nginx_conf.model(built), built.nginx
    raw = [*nginx["site"]["options"], *(line for site in nginx["sites"].values() for line in site["options"])]
    for lines in model["sites"] or []:
        for line in lines:
            assert line in raw or line.split()[0] in SITE_DIRECTIVES, line
    for name in ("conf.d", "sites"):
        Path(directory, name).mkdir(exist_ok=True)
        Path(directory, name, "x").write_text("", encoding="utf-8")
    for path, entry in layout.daemon_files(built)["nginx"].items():
        if entry and entry.template:
            Path(directory, "conf.d/x" if "conf.d" in path else "sites/x").write_text(rendered(entry), "utf-8")
    Path(directory, "nginx.conf").write_text(
        f"pid {directory}/pid; events {{}} http {{ include conf.d/*; include sites/*; }}\n", encoding="utf-8"
    )
    script = 'ip link set lo up && ip address add 10.132.20.236 dev lo && exec "$@"'
    nginx = ["nginx", "-t", "-q", "-p", directory, "-c", directory / "nginx.conf"]
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script, "sh", *nginx], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if "conflicting server name" not in line]
    assert (done.returncode, said) == (0, []), Path(directory, "sites/x").read_text(encoding="utf-8")
