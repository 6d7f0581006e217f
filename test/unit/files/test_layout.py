import jinja2
import pytest

from haproxy_ha_lib.files import layout
from support.pillars import rendered, valid

NONE = {"nginx": {}, "haproxy": {}, "corosync": {}}


def outline(entries):
    """(path, what its entry is made from) of a set."""
    return [(path, entry and (entry.template or entry.link or "a text")) for path, entry in entries.items()]


def test_a_load_balancer_has_haproxy_and_corosync():
    files = layout.daemon_files(valid())
    assert outline(files["haproxy"]) == [
        ("/etc/haproxy/server_states", "a text"), ("/etc/haproxy/haproxy.cfg", "haproxy.cfg.jinja"),
    ]
    assert outline(files["corosync"]) == [("/etc/corosync/corosync.conf", "corosync.conf.jinja")]
    assert files["nginx"] == {}
    assert layout.page(valid()) == {}


def test_an_app_server_has_nginx():
    files = layout.daemon_files(valid(minion_id="app-1"))
    assert outline(files["nginx"]) == [
        ("/etc/nginx/conf.d/haproxy_ha.conf", "nginx_http.conf.jinja"),
        ("/etc/nginx/sites-available/haproxy_ha", "nginx_sites.conf.jinja"),
        ("/etc/nginx/sites-enabled/haproxy_ha", "/etc/nginx/sites-available/haproxy_ha"),
        ("/etc/nginx/sites-enabled/default", None),
    ]
    assert files["haproxy"] == files["corosync"] == {}


def test_without_the_site_the_default_one_is_left_alone_and_ours_goes():
    built = valid({"nginx": {"site": {"enabled": False}, "page": {"enabled": False}}}, "app-1")
    assert outline(layout.daemon_files(built)["nginx"]) == [
        ("/etc/nginx/conf.d/haproxy_ha.conf", None),
        ("/etc/nginx/sites-enabled/haproxy_ha", None),
        ("/etc/nginx/sites-available/haproxy_ha", None),
    ]
    assert layout.page(built) == {}


def test_a_minion_without_a_role_has_no_file():
    assert layout.daemon_files(valid(minion_id="elsewhere")) == NONE
    assert layout.page(valid(minion_id="elsewhere")) == {}


def test_a_machine_of_both_tiers_has_all():
    files = layout.daemon_files(valid({"app_servers:secondary": {"port": 8080}}, "secondary"))
    assert all(files.values())


def test_haproxy_cfg_is_not_world_readable():
    entry = layout.daemon_files(valid())["haproxy"]["/etc/haproxy/haproxy.cfg"]
    assert (entry.mode, entry.user, entry.group) == ("0640", "root", "haproxy")


@pytest.mark.parametrize("minion", ["primary", "app-1"])
def test_every_file_ends_with_one_line_break_and_has_no_trailing_space(minion):
    built = valid(minion_id=minion)
    entries = [entry for entries in layout.daemon_files(built).values() for entry in entries.values()
               if entry and entry.template]
    assert entries
    for entry in entries:
        text = rendered(entry)
        assert text.endswith("\n") and not text.endswith("\n\n")
        assert [line for line in text.split("\n") if line != line.rstrip()] == []
        assert text.startswith("# Managed by Salt")


def test_what_a_model_lacks_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        layout.render("{{ model.nothing }}", {})
