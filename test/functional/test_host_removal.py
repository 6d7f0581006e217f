"""
What is taken away from a host: only in the container that has the daemons, which is thrown away. The last tests purge
HAProxy and nginx, so that this file comes last (conftest.py).
"""

import functools
import os
import subprocess
from pathlib import Path

import pytest

from support import canaries
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "nginx", "corosync", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
    pytest.mark.usefixtures("own_addresses"),
]


def test_an_nginx_with_other_sites_loses_ours_alone(single, files):
    files("nginx")
    single("haproxy_ha.page", "x", minion="app-1")
    shop = Path("/etc/nginx/sites-enabled/shop")
    shop.write_text("server { listen 127.0.0.1:81; access_log off; }\n", encoding="utf-8")
    try:
        dry = single("haproxy_ha.removed", "app_server", test=True)
        assert dry["result"] is None
        state = single("haproxy_ha.removed", "app_server")
        assert (state["result"], state["changes"]) == (True, dry["changes"])
        assert not [path for path in dry["changes"] if os.path.lexists(path)]
        assert {"/etc/nginx/sites-enabled/haproxy_ha", "/var/www/html/index.html"} <= set(dry["changes"])
        assert shop.exists()
        assert single("haproxy_ha.removed", "app_server")["changes"] == {}
    finally:
        shop.unlink()


def test_what_is_there_is_known_by_our_own_files(single, files):
    """In a dry run: nothing goes, and what would go is named."""
    files("haproxy")
    files("nginx")
    balancer = single("haproxy_ha.removed", "load_balancer", test=True)
    assert balancer["result"] is None
    assert {"haproxy", "/etc/haproxy"} <= set(balancer["changes"])
    app = single("haproxy_ha.removed", "app_server", test=True)
    assert {"nginx", "nginx-common", "/etc/nginx"} <= set(app["changes"])
    assert Path("/etc/haproxy/haproxy.cfg").exists()


DROP_IN = Path("/etc/systemd/system/ha_cluster_exporter.service.d/haproxy_ha.conf")


def test_an_exporter_of_the_cluster_s_metrics_goes_if_it_is_ours(single):
    """Known by the drop-in of its service: one that somebody else has set up stays."""
    DROP_IN.parent.mkdir(parents=True)
    DROP_IN.write_text("[Service]\nNice=5\n", encoding="utf-8")
    assert single("haproxy_ha.removed", "monitoring")["changes"] == {}
    DROP_IN.write_text("# Managed by Salt (haproxy_ha): metrics.\n", encoding="utf-8")
    dry = single("haproxy_ha.removed", "monitoring", test=True)
    assert (dry["result"], set(dry["changes"])) == (None, {"prometheus-hacluster-exporter", str(DROP_IN)})
    live = single("haproxy_ha.removed", "monitoring")
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    assert not DROP_IN.exists() and not Path("/usr/bin/ha_cluster_exporter").exists()
    assert single("haproxy_ha.removed", "monitoring")["changes"] == {}


def test_a_part_is_removed_and_its_configuration_kept(single, files):
    files("haproxy")
    own = Path("/etc/haproxy/haproxy.cfg").read_text(encoding="utf-8")
    state = single("haproxy_ha.removed", "load_balancer")
    assert state["result"] is True, state["comment"]
    [kept] = Path("/var/lib/haproxy_ha/backup").glob("load_balancer-*")
    assert str(kept) in state["comment"]
    assert (kept / "etc/haproxy/haproxy.cfg").read_text(encoding="utf-8") == own
    assert kept.stat().st_mode & 0o077 == 0
    assert not os.path.exists("/etc/haproxy")
    assert subprocess.run(["dpkg-query", "-W", "haproxy"], capture_output=True, check=False).returncode != 0
    again = single("haproxy_ha.removed", "load_balancer")
    assert (again["result"], again["changes"], again["comment"]) == (True, {}, "Nothing of load_balancer is here")


def test_a_previous_nginx_goes_with_its_packages_and_a_copy_is_kept(single):
    Path("/etc/nginx/own.conf").write_text("# people's own\n", encoding="utf-8")
    assert single("haproxy_ha.nginx_removed", "x", test=True)["result"] is None
    state = single("haproxy_ha.nginx_removed", "x")
    assert state["result"] is True, state["comment"]
    [kept] = Path("/var/lib/haproxy_ha/backup").glob("nginx-*")
    assert (kept / "etc/nginx/own.conf").read_text(encoding="utf-8") == "# people's own\n"
    assert not os.path.exists("/etc/nginx")
    known = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\n"], capture_output=True, text=True, check=True)
    assert not [package for package in known.stdout.splitlines() if package.startswith(("nginx", "libnginx"))]
    again = single("haproxy_ha.nginx_removed", "x")
    assert (again["result"], again["changes"]) == (True, {})


@pytest.mark.slow
def test_a_purge_leaves_nothing_of_a_load_balancer(single, minions, tmp_path):
    """The whole run: the cluster's part goes, and the copies, those of it as well; the dry run says so."""
    made = canaries.pillar(tmp_path, "R")
    for secret in ("api_token", "authkey"):
        assert single("haproxy_ha.secret_file", secret, made.tree, secret=secret)["result"] is True
    assert single("haproxy_ha.agents", "agents", made.tree)["result"] is True
    Path("/var/lib/haproxy_ha/backup/an earlier one").mkdir(parents=True, exist_ok=True)
    purge = functools.partial(minions("primary").apply, "haproxy_ha.purge", made.tree)
    assert canaries.found(made.planted, kept()) != []

    planned, done = purge(test=True), purge()
    assert {name: state["comment"] for name, state in done.items() if state["result"] is not True} == {}
    assert {name: state["changes"] for name, state in done.items()} == {
        name: state["changes"] for name, state in planned.items()
    }
    assert "before (/etc/corosync" in planned["haproxy_ha-purge-copies"]["comment"]
    assert canaries.found(made.planted, f"{planned}{done}{kept()}") == []
    assert os.listdir("/var/lib/haproxy_ha") == []
    assert {name: state["changes"] for name, state in purge().items() if state["changes"]} == {}


def kept():
    """The text of every file where the formula writes."""
    paths = (path for root in ("/etc", "/run", "/var/lib", "/usr/lib/ocf") for path in Path(root).rglob("*"))
    return "\n".join(path.read_text("utf-8", "replace") for path in paths if path.is_file() and not path.is_symlink())
