import jinja2
import pytest

from haproxy_ha_lib.files import layout
from haproxy_ha_lib.files.entry import FileEntry
from support.pillars import PEM, rendered, valid

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----"
NONE = {"nginx": {}, "haproxy": {}, "corosync": {}}


def outline(entries):
    """(path, what its entry is made from) of a set."""
    return [(path, entry and (entry.template or entry.link or "a text")) for path, entry in entries.items()]


def test_a_load_balancer_has_haproxy_and_corosync():
    files = layout.daemon_files(valid())
    assert outline(files["haproxy"]) == [
        ("/etc/haproxy/server_states", "a text"),
        ("/etc/systemd/system/haproxy.service.d/haproxy_ha.conf", None),
        ("/etc/haproxy/haproxy.cfg", "haproxy.cfg.jinja"),
    ]
    assert outline(files["corosync"]) == [("/etc/corosync/corosync.conf", "corosync.conf.jinja")]
    assert files["nginx"] == {}
    assert layout.page(valid()) == {}


def test_the_files_of_a_daemon_need_no_secret_of_another():
    built = valid({"haproxy:certificates": {"shop": {"pem": PEM}}})
    assert list(layout.files_of("corosync", built, {})) == ["/etc/corosync/corosync.conf"]
    with pytest.raises(KeyError):
        layout.files_of("haproxy", built, {})


def test_an_app_server_has_nginx():
    files = layout.daemon_files(valid(minion_id="app-1"))
    assert outline(files["nginx"]) == [
        ("/etc/nginx/conf.d/haproxy_ha.conf", "nginx_lines.conf.jinja"),
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


def test_an_entry_gets_its_text_from_a_template_or_from_files_of_the_machine():
    made = FileEntry(template="a.jinja", model="world", mode="0600")
    assert layout.filled(made, {"a.jinja": "hello {{ model }}"}.get, None) == FileEntry("hello world", mode="0600")
    joined = FileEntry(sources=("/a", "/b"), secret=True)
    assert layout.filled(joined, None, {"/a": "1\n", "/b": "2\n"}.get) == FileEntry("1\n2\n", secret=True)
    assert layout.filled(FileEntry(link="/a"), None, None) == FileEntry(link="/a")


@pytest.mark.parametrize("entry, data", [
    (FileEntry("", mode="0600", user="root", group="root"),
     {"content": "", "mode": "0600", "user": "root", "group": "root"}),
    (FileEntry(link="/a"), {"link": "/a"}),
    (FileEntry("a", secret=True), {"content": "a", "secret": True}),
])
def test_an_entry_is_data_and_comes_back(entry, data):
    assert entry.data() == data
    assert FileEntry(**data) == entry


@pytest.mark.parametrize("repository, key, last", [
    ({"uri": "file:/srv/debian", "trusted": True}, None, "deb [trusted=yes] file:/srv/debian bookworm main"),
    ({"key": KEY, "components": ["main", "extra"]}, KEY,
     "deb [signed-by=/etc/apt/keyrings/haproxy_ha.asc] http://192.0.2.1/debian bookworm main extra"),
])
def test_the_repository_of_pillar_is_signed_or_trusted(repository, key, last):
    given = {"uri": "http://192.0.2.1/debian", "suite": "bookworm", **repository}
    files = layout.repository(valid({"haproxy:repository": given}), key, None)
    assert files["/etc/apt/sources.list.d/haproxy_ha.list"].content.splitlines()[-1] == last
    assert ("/etc/apt/keyrings/haproxy_ha.asc" in files) is bool(key)
    assert "/etc/apt/preferences.d/haproxy_ha" not in files


@pytest.mark.parametrize("uri, host", [
    ("http://192.0.2.1/debian", "192.0.2.1"),
    ("https://haproxy.debian.net:8443", "haproxy.debian.net"),
    ("file:/srv/debian", ""),
])
def test_a_pin_is_for_the_host_of_the_repository(uri, host):
    given = {"uri": uri, "suite": "bookworm", "key": KEY, "packages": ["haproxy*", "vim-haproxy"]}
    path, settings = "/etc/apt/preferences.d/haproxy_ha", valid({"haproxy:repository": given})
    pin = layout.repository(settings, KEY, True)[path].content
    assert pin.count(f'Pin: origin "{host}"') == 2
    assert "Package: haproxy* vim-haproxy\n" in pin
    assert layout.repository(settings, KEY, False)[path] is None
