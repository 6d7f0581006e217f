"""The rendered files, read by the real daemons. Needs haproxy, nginx and corosync: run it where they are installed."""

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from haproxy_ha_lib.files import layout
from haproxy_ha_lib.settings import build
from support.pillars import DEFAULTS, EXAMPLE, REMOVED, changed, rendered, text_of, valid

CFG = "/etc/haproxy/haproxy.cfg"
VALID = "Configuration file is valid\n"  # HAProxy 2.6 says so; 3.0 is silent
CONF = "/etc/corosync/corosync.conf"


def run(*command):
    """Run a command; returns its exit status and what it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def run_on_a_host(addresses, *command):
    """The same in a network namespace of its own that has ``addresses``: nginx and corosync look for theirs."""
    # Without nodad one of IPv6 is there a moment later.
    flags = {address: " nodad" if ":" in address else "" for address in addresses}
    add = " && ".join(["ip link set lo up", *(f"ip address add {one} dev lo{flag}" for one, flag in flags.items())])
    return run("unshare", "--net", "sh", "-c", f'{add} && exec "$@"', "sh", *command)


HAPROXY = {
    "pillar.example": {},
    "unmanaged, weighted, backup and IPv6 servers": {
        "app_servers:v6": {"private_ip": "fd00::9", "managed": False, "weight": 0, "options": ["inter 2s", "fall 3"]},
        "app_servers:late": {"private_ip": "10.0.0.9", "port": 8080, "managed": False, "backup": True},
    },
    "several frontends and backends": {
        "haproxy:frontends": {
            "http": {"options": ["acl api path_beg /api", "use_backend api if api"]},
            "private": {"bind": ["private:8080", "127.0.0.1:8081", "[::1]:8081"], "default_backend": "api"},
        },
        "haproxy:backends": {"api": {"servers": ["app-2"], "options": ["balance leastconn", "option httpchk"]}},
    },
    "a virtual IP on a LAN": {"floating_ip": {"address": "10.132.20.100", "provider": "ipaddr2"},
                              "load_balancers:primary:anchor_ip": REMOVED},
    "TCP": {"haproxy:defaults": ["log global", "mode tcp", "option tcplog", "timeout connect 5s", "timeout client 50s",
                                 "timeout server 50s"]},
    "tabs between words, as in Debian's own file": {
        "haproxy:global": ["log /dev/log\tlocal0", "log /dev/log\tlocal1 notice", "chroot /var/lib/haproxy",
                           "stats timeout 30s", "user haproxy", "group haproxy", "daemon"],
        "haproxy:defaults": ["log\tglobal", "mode\thttp", "option\tdontlognull",
                             "timeout connect 5000", "timeout client\t50000", "timeout server\t50000\r\n",
                             "log-format\t\"%ci\t%si\" # a\tcomment", "errorfile\t400 /etc/haproxy/errors/400.http"],
        "haproxy:backends:app_pool:options": ["http-request set-header\tX-A a\\ b\\ "],
    },
    "metrics": {"monitoring:sources": ["10.132.0.2", "10.132.8.0/24"]},
    "metrics, and lines for TCP": {"monitoring:sources": ["10.132.0.2"], "haproxy:defaults": [
        "log global", "mode tcp", "timeout connect 5s", "timeout client 50s", "timeout server 50s"]},
    "no server": {"haproxy:backends:unused": {"servers": []}},
}


def check_haproxy(built, tmp_path):
    """What HAProxy says to its files, which are in a directory of their own."""
    text = text_of(built, "haproxy", CFG)
    for number, (path, entry) in enumerate(layout.daemon_files(built)["haproxy"].items()):
        if entry and entry.content is not None:
            own = tmp_path / f"{number}"
            own.write_text(entry.content, encoding="utf-8")
            text = text.replace(path, str(own))
    path = tmp_path / "haproxy.cfg"
    path.write_text(text, encoding="utf-8")
    status, said = run("haproxy", "-c", "-dW", "-f", str(path))
    return status, said.removesuffix(VALID)


@pytest.mark.parametrize("minion", ["primary", "secondary"])
@pytest.mark.parametrize("case", HAPROXY)
def test_haproxy_takes_its_file_without_a_warning(case, minion, tmp_path):
    status, said = check_haproxy(valid(HAPROXY[case], minion), tmp_path)
    assert (status, said) == (0, "")


def test_haproxy_s_word_on_a_wrong_raw_line_is_heard(tmp_path):
    status, said = check_haproxy(valid({"haproxy:backends:app_pool:options": ["balance nonsense"]}), tmp_path)
    assert status != 0
    assert "balance only supports 'roundrobin'" in said


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True) | st.sampled_from(
    ["global", "defaults", "listen", "http", "app_pool", "MASTER", "GLOBAL", "a" * 127, "1", "default"]
)
ADDRESSES = (st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fd00::/8")).map(str)
PORTS = st.integers(1, 65535)
SERVERS = st.dictionaries(NAMES, st.fixed_dictionaries(
    {"private_ip": ADDRESSES, "managed": st.just(False)},
    optional={"port": PORTS, "weight": st.integers(0, 256), "backup": st.booleans()},
), min_size=1, max_size=4)
BINDS = st.lists(st.builds(
    lambda host, port: f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
    st.sampled_from(["anchor", "private", "public", "*"]) | ADDRESSES, PORTS), min_size=1, max_size=3)


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(servers=SERVERS, backends=st.lists(NAMES, max_size=3), frontends=st.dictionaries(NAMES, BINDS, max_size=3))
def test_haproxy_takes_every_file_whose_pillar_is_accepted(servers, backends, frontends, tmp_path):
    tree = changed({
        "app_servers": servers,
        "haproxy:backends": {name: {"servers": list(servers)} for name in backends},
        "haproxy:frontends": {
            name: {"bind": binds, "default_backend": "app_pool"} for name, binds in frontends.items()
        },
    })
    built = build.settings(tree, "primary", DEFAULTS)
    if not built.errors:
        assert check_haproxy(built, tmp_path) == (0, "")


@pytest.fixture
def nginx(tmp_path):
    """Checks the files of an app server as nginx's own nginx.conf includes them."""
    def check(built):
        Path(tmp_path, "conf.d").mkdir()
        Path(tmp_path, "sites").mkdir()
        for path, entry in layout.daemon_files(built)["nginx"].items():
            if entry and entry.template:
                below = "conf.d/x.conf" if "conf.d" in path else "sites/x"
                Path(tmp_path, below).write_text(rendered(entry), encoding="utf-8")
        Path(tmp_path, "nginx.conf").write_text(
            f"pid {tmp_path}/pid; events {{}} http {{ include conf.d/*.conf; include sites/*; }}\n", encoding="utf-8")
        command = ["nginx", "-t", "-q", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
        return run_on_a_host([built.me.private_ip], *command)
    return check


@pytest.mark.parametrize("changes", [
    {},
    {"app_servers:app-1:port": 8080, "nginx:page:document_root": "/srv/www"},
    {"app_servers:app-1:private_ip": "fd00::236", "load_balancers:primary:private_ipv6": "fd00::10",
     "load_balancers:secondary:private_ipv6": "fd00::11"},
    {"nginx": {"site": {"enabled": False}}},
], ids=["pillar.example", "port and root", "IPv6", "no site"])
def test_nginx_takes_its_files(changes, nginx):
    assert nginx(valid(changes, "app-1")) == (0, "")


COROSYNC = {
    "pillar.example": {},
    "one node": {"load_balancers:secondary": REMOVED},
    "three nodes": {"load_balancers:third": {"private_ip": "10.132.20.12"}},
    "IPv6": {
        "load_balancers:primary:private_ip": "fd00::10", "load_balancers:secondary:private_ip": "fd00::11",
        "app_servers": {"v6": {"private_ip": "fd00::236"}},
    },
    "tuned": {"cluster:token": 300, "cluster:consensus": 150, "cluster:port": 5500, "cluster:wait_for_all": True},
    "system": {"cluster:system": {"sched_rr": False, "move_to_root_cgroup": "no", "priority": "max"}},
}


def check_corosync(built, text, tmp_path):
    key = tmp_path / "authkey"
    key.write_bytes(base64.b64decode("".join(EXAMPLE["cluster"]["authkey"].split())))
    path = tmp_path / "corosync.conf"
    path.write_text(text.replace("totem {", f"totem {{\n    keyfile: {key}", 1), encoding="utf-8")
    return run_on_a_host([built.me.private_ip], "corosync", "-t", "-f", "-c", str(path))


@pytest.mark.parametrize("case", COROSYNC)
def test_corosync_takes_its_file(case, tmp_path):
    built = valid(COROSYNC[case])
    status, said = check_corosync(built, text_of(built, "corosync", CONF), tmp_path)
    assert (status, said) == (0, "notice  [MAIN  ] Corosync Cluster Engine exiting normally\n")


def test_corosync_gives_its_reason_where_it_refuses(tmp_path):
    built = valid()
    text = text_of(built, "corosync", CONF).replace("nodeid: ", "nodeid: 99")
    status, said = check_corosync(built, text, tmp_path)
    assert status != 0
    assert "nodeid" in said
