"""Systems that have things elsewhere, as nginx with conf.d alone and moved directories; on Debian, by lookup."""

import contextlib
import grp
import http.client
import shutil
import subprocess
from pathlib import Path

import pytest

from haproxy_ha_host import exported
from support.pillars import PEM, changed
from support.place import addresses, in_container, requires_tools
from support.told import minion

pytestmark = [
    requires_tools("haproxy", "nginx"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]

PLACE = Path("/srv/elsewhere")
NGINX = PLACE / "nginx"
SITE, DEFAULT = NGINX / "conf.d" / "haproxy_ha_site.conf", NGINX / "conf.d" / "default.conf"
CONF_D_ALONE = {
    "nginx_dir": str(NGINX), "nginx_site": str(SITE), "nginx_site_enabled": str(SITE),
    "nginx_default_site_enabled": str(DEFAULT),
}  # fmt: skip
APP, PRIVATE, ANCHOR = "10.132.20.236", "10.132.20.10", "10.17.1.18"
ANSWER = {"nginx:site:options": ['return 200 "ours";']}


@pytest.fixture
def elsewhere():
    PLACE.mkdir()
    yield PLACE
    shutil.rmtree(PLACE)


@pytest.fixture
def nginx(elsewhere):
    """The directory of nginx as its own packages have it, without sites-available and sites-enabled."""
    DEFAULT.parent.mkdir(parents=True)
    DEFAULT.write_text("server { listen 80; return 418; }\n", encoding="ascii")
    (NGINX / "nginx.conf").write_text(
        f"pid {PLACE}/nginx.pid; error_log {PLACE}/error.log; events {{}} "
        f"http {{ access_log off; include {NGINX}/conf.d/*.conf; }}\n",
        encoding="ascii",
    )
    with addresses(APP, PRIVATE):
        yield


def asked():
    """What a load balancer gets."""
    connection = http.client.HTTPConnection(APP, 80, timeout=5, source_address=(PRIVATE, 0))
    with contextlib.closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().read()


@pytest.mark.usefixtures("nginx")
def test_nginx_with_conf_d_alone_serves_our_site(single):
    pillar = changed({**ANSWER, "lookup": {"paths": CONF_D_ALONE}})
    dry = single("haproxy_ha.files", "nginx", pillar, "app-1", test=True)
    assert dry["result"] is None and DEFAULT.exists()
    assert {str(SITE), str(DEFAULT)} < set(dry["changes"])
    live = single("haproxy_ha.files", "nginx", pillar, "app-1")
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    assert not SITE.is_symlink() and not DEFAULT.exists()
    assert single("haproxy_ha.files", "nginx", pillar, "app-1")["changes"] == {}
    run = ["nginx", "-c", f"{NGINX}/nginx.conf"]
    subprocess.run(run, check=True)
    try:
        assert asked() == b"ours"
    finally:
        subprocess.run([*run, "-s", "stop"], check=True)

    (NGINX / "conf.d" / "theirs.conf").write_text("server { listen 8080; }\n", encoding="ascii")
    gone = single("haproxy_ha.removed", "app_server", pillar, "app-1")
    assert gone["result"] is True
    assert [path.name for path in (NGINX / "conf.d").iterdir()] == ["theirs.conf"]


@pytest.mark.usefixtures("nginx")
def test_a_site_that_nginx_would_not_read_is_refused_in_a_dry_run(single):
    pillar = changed({"lookup": {"paths": {"nginx_dir": str(NGINX)}}})
    before = sorted(NGINX.rglob("*"))
    for test in (True, False):
        state = single("haproxy_ha.files", "nginx", pillar, "app-1", test=test)
        assert state["result"] is False
        assert f"nginx would not read {NGINX}/sites-enabled/haproxy_ha; haproxy_ha:lookup:paths" in state["comment"]
    assert sorted(NGINX.rglob("*")) == before


def test_a_directory_that_is_not_there_is_told(single):
    pillar = changed({"lookup": {"paths": {"haproxy_dir": str(PLACE)}}})
    with addresses(ANCHOR, PRIVATE):
        for test in (True, False):
            state = single("haproxy_ha.files", "haproxy", pillar, test=test)
            assert (state["result"], state["changes"]) == (False, {})
            assert f"haproxy: there is no directory {PLACE}; haproxy_ha:lookup:paths" in state["comment"]
    assert not PLACE.exists()


@pytest.mark.usefixtures("nginx")
def test_a_site_that_moves_leaves_nothing_where_it_was(single):
    """From sites-available and a link to conf.d alone, and back."""
    for name in ("sites-available", "sites-enabled"):
        (NGINX / name).mkdir()
    main = NGINX / "nginx.conf"
    main.write_text(main.read_text("ascii").replace("*.conf;", f"*.conf; include {NGINX}/sites-enabled/*;"), "ascii")
    usual = changed({**ANSWER, "lookup": {"paths": {"nginx_dir": str(NGINX)}}})
    alone = changed({**ANSWER, "lookup": {"paths": CONF_D_ALONE}})
    ours = {"sites-available/haproxy_ha", "sites-enabled/haproxy_ha"}
    for pillar, there in ((usual, ours), (alone, {"conf.d/haproxy_ha_site.conf"}), (usual, ours)):
        dry = single("haproxy_ha.files", "nginx", pillar, "app-1", test=True)
        live = single("haproxy_ha.files", "nginx", pillar, "app-1")
        assert (live["result"], live["changes"]) == (True, dry["changes"]), live["comment"]
        assert single("haproxy_ha.files", "nginx", pillar, "app-1")["changes"] == {}
        found = {str(path.relative_to(NGINX)) for path in NGINX.rglob("*haproxy_ha*")}
        assert found == {"conf.d/haproxy_ha.conf", *there}


def test_haproxy_has_its_files_and_variables_where_lookup_says(single, elsewhere):
    (elsewhere / "haproxy").mkdir()
    (elsewhere / "variables").mkdir()
    (elsewhere / "variables" / "haproxy").write_text("OWN_PORT=8090\n", encoding="ascii")
    usual = sorted(Path("/etc/haproxy").rglob("*"))
    pillar = changed({
        "lookup": {
            "paths": {"haproxy_dir": f"{elsewhere}/haproxy", "service_variables": f"{elsewhere}/variables"},
            "groups": {"haproxy": "www-data"},
        },
        "haproxy:certificates": {"site": {"pem": PEM}},
        "haproxy:sections": {"listen own #1": ["bind 127.0.0.1:${OWN_PORT}"]},
    })  # fmt: skip
    with addresses(ANCHOR, PRIVATE):
        dry = single("haproxy_ha.files", "haproxy", pillar, test=True)
        live = single("haproxy_ha.files", "haproxy", pillar)
        again = single("haproxy_ha.files", "haproxy", pillar)
    assert dry["result"] is None, dry["comment"]
    assert (live["result"], live["changes"], again["changes"]) == (True, dry["changes"], {})
    cfg = elsewhere / "haproxy" / "haproxy.cfg"
    assert grp.getgrgid(cfg.stat().st_gid).gr_name == "www-data"
    assert (elsewhere / "haproxy" / "certificates" / "site.pem").exists()
    assert f"server-state-file {elsewhere}/haproxy/server_states" in cfg.read_text(encoding="utf-8")
    assert sorted(Path("/etc/haproxy").rglob("*")) == usual


def test_an_export_reads_what_lookup_names(elsewhere):
    for name in ("haproxy", "nginx"):
        (elsewhere / name).mkdir()
    (elsewhere / "haproxy" / "haproxy.cfg").write_text("global\n maxconn 9\n", encoding="ascii")
    (NGINX / "nginx.conf").write_text("events {} # theirs\n", encoding="ascii")
    there = minion(changed({"lookup": {"paths": {"haproxy_dir": f"{elsewhere}/haproxy", "nginx_dir": str(NGINX)}}}))
    haproxy, nginx = (exported.as_pillar(there, None, False, daemon)["haproxy_ha"] for daemon in ("haproxy", "nginx"))
    assert haproxy["haproxy"]["global"] == ["maxconn 9"]
    assert nginx["nginx"]["files"] == {"nginx.conf": ["events {} # theirs"]}
    told = exported.as_pillar(there, f"{elsewhere}/nginx", False)["haproxy_ha"]
    assert told == nginx
