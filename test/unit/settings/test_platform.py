"""What a system calls things, and which systems are refused."""

import pytest
import yaml

from haproxy_ha_lib.files import layout
from haproxy_ha_lib.package_names import chosen
from haproxy_ha_lib.settings import minion
from support import documents
from support.pillars import FAMILIES, build, valid

UBUNTU = ("Ubuntu-22.04", "Ubuntu-24.04", "Ubuntu-26.04")
SPLIT = ["resource-agents-base", "resource-agents-extra"]
TRIED = {"untested_platform": True}
LOOKUP = "haproxy_ha:lookup"


def on(osfinger, os_family="Debian", changes=None, minion_id="primary"):
    return minion.on_system(build(changes, minion_id), os_family, osfinger, FAMILIES).errors


@pytest.mark.parametrize("osfinger", FAMILIES["Debian"]["tested"])
def test_a_system_that_was_tested_is_no_error(osfinger):
    assert on(osfinger) == []


@pytest.mark.parametrize(("osfinger", "os_family"), [
    *((name, "Debian") for name in (*UBUNTU, "Debian-11", "Debian-14", "Linux Mint-22", "Raspbian-12", None)),
    ("Rocky Linux-9", "RedHat"), ("Leap-15", "Suse"), ("Arch Linux", "Arch"), (None, None),
])  # fmt: skip
def test_what_no_test_has_run_on_is_refused_in_one_line_unless_pillar_says_to_try_it(osfinger, os_family):
    [error] = on(osfinger, os_family)
    assert error == (
        f"grain osfinger: found {osfinger!r}, tested: Debian-12, Debian-13. haproxy_ha:untested_platform: true tries "
        "it all the same, with the names that haproxy_ha:lookup has for it (docs/platforms.md)"
    )
    assert on(osfinger, os_family, {**TRIED, "upgrades": "as_they_come"}) == []


@pytest.mark.parametrize("system", [("Rocky Linux-9", "RedHat"), ("Ubuntu-24.04", "Debian")])
def test_a_minion_without_a_role_may_be_anything(system):
    assert on(*system, minion_id="elsewhere") == []


def test_what_is_apts_alone_is_refused_where_there_is_no_apt():
    repository = {"uri": "https://packages.example", "suite": "x", "key_url": "https://packages.example/key"}
    changes = {**TRIED, "haproxy:repository": repository}
    assert on("Ubuntu-24.04", "Debian", changes) == []
    assert on("Rocky Linux-9", "RedHat", changes) == [
        "haproxy_ha:upgrades: found in_turn, allowed: as_they_come, because RedHat has no apt",
        "haproxy_ha:haproxy:repository: found one, allowed: none, because RedHat has no apt",
    ]


@pytest.mark.parametrize(("known", "wanted"), [
    (["resource-agents"], ["resource-agents"]),  # Debian
    (["resource-agents", *SPLIT], ["resource-agents"]),  # Ubuntu 22.04: it is the two others
    (SPLIT, SPLIT),  # since
])  # fmt: skip
def test_the_resource_agents_are_asked_for_by_the_names_that_a_release_has(known, wanted):
    entries = FAMILIES["Debian"]["lookup"]["packages"]["resource_agents"]
    assert chosen(entries, installed=(), candidates=known) == (wanted, [])


@pytest.mark.parametrize(("changes", "needed"), [
    ({}, False),
    ({"floating_ip:provider": "ipaddr2", "floating_ip:address": "10.132.0.9"}, True),
    ({"floating_ip:agent": "ocf:heartbeat:awseip"}, True),
    ({"cluster:primitives": {"web": {"agent": "ocf:heartbeat:apache"}}}, True),
    ({"cluster:templates": {"web": {"agent": "ocf:heartbeat:apache"}}}, True),
    ({"cluster:primitives": {"web": {"agent": "ocf:pacemaker:Dummy"}}}, False),
    ({"cluster:primitives": {"haproxy": {"agent": "systemd:haproxy"}}}, False),
])  # fmt: skip
def test_the_resource_agents_are_installed_where_one_of_them_is_used(changes, needed):
    packages = valid(changes).packages["cluster"]
    assert {"corosync", "pacemaker"} <= {*packages}
    assert any("resource-agents" in entry for entry in packages) == needed


def test_lookup_says_what_a_system_calls_things_and_what_follows_from_it():
    built = valid({"lookup": {
        "packages": {"time_sync": ["ntp | ntpsec"], "cluster": ["corosync", "pacemaker", "pcs"]},
        "services": {"haproxy": "haproxy24", "quorum_helper": "qnetd"},
        "paths": {"service_variables": "/etc/sysconfig/"},
        "groups": {"haproxy": "www"},
    }})  # fmt: skip
    assert built.packages["time_sync"] == ["ntp | ntpsec"]
    assert (built.packages["cluster"], built.packages["nginx"]) == (["corosync", "pacemaker", "pcs"], ["nginx"])
    assert (built.services["haproxy"], built.services["corosync"]) == ("haproxy24", "corosync")
    assert built.paths["haproxy_drop_in"] == "/etc/systemd/system/haproxy24.service.d/haproxy_ha.conf"
    assert built.paths["qnetd_options"] == "/etc/sysconfig/qnetd"
    assert built.groups == {"haproxy": "www"}


def test_haproxys_agent_is_told_of_what_it_does_not_take_by_itself():
    haproxy = valid().cluster.configuration["primitives"]["haproxy"]
    assert "params" not in haproxy
    moved = {"lookup": {"services": {"haproxy": "haproxy24"}, "paths": {"haproxy_dir": "/srv/haproxy"}}}
    haproxy = valid(moved).cluster.configuration["primitives"]["haproxy"]
    assert haproxy["params"] == {"unit": "haproxy24.service", "config": "/srv/haproxy/haproxy.cfg"}
    own = {"agent": "systemd:haproxy24"}
    assert valid({**moved, "cluster:primitives": {"haproxy": own}}).cluster.configuration["primitives"]["haproxy"].get(
        "params") is None


@pytest.mark.parametrize(("lookup", "message"), [
    ({"package": {}}, ":package: unknown key, did you mean packages?"),
    ({"packages": {"ngnix": ["nginx"]}}, ":packages:ngnix: unknown key, did you mean nginx?"),
    ({"paths": {"haproxy_config": "/c"}}, ":paths:haproxy_config: unknown key, did you mean haproxy_cfg?"),
    ({"packages": {"nginx": "nginx"}}, ":packages:nginx: found 'nginx' (a string), allowed: a list"),
    ({"packages": {"nginx": ["nginx || x"]}},
     ":packages:nginx:0: found 'nginx || x' (a string), allowed: a name of a package, or several with ` | ` between"),
    ({"services": {"haproxy": "haproxy.service"}},
     ":services:haproxy: found 'haproxy.service' (a string), allowed: the name of a service, without .service at its "
     "end"),
    ({"paths": {"nginx_dir": "nginx"}},
     ":paths:nginx_dir: found 'nginx' (a string), allowed: an absolute path of letters, digits and . _ @ + -"),
    ({"paths": {"haproxy_cfg": "/srv/haproxy.cfg"}},
     ":paths:haproxy_cfg: found /srv/haproxy.cfg, allowed: a path below /etc/haproxy (haproxy_dir)"),
])  # fmt: skip
def test_what_lookup_cannot_be_is_told(lookup, message):
    assert build({"lookup": lookup}).errors == [f"{LOOKUP}{message}"]


def test_a_directory_that_moves_takes_its_files_along():
    paths = valid({"lookup": {"paths": {"haproxy_dir": "/srv/haproxy"}}}).paths
    assert paths["haproxy_cfg"] == "/srv/haproxy/haproxy.cfg"
    assert paths["haproxy_certificates"] == "/srv/haproxy/certificates"
    errors = build({"lookup": {"paths": {"nginx_dir": "/srv/nginx", "nginx_site": "/etc/nginx/site"}}}).errors
    assert errors == [f"{LOOKUP}:paths:nginx_site: found /etc/nginx/site, allowed: a path below /srv/nginx (nginx_dir)"]


def test_the_examples_of_the_document_do_what_it_says():
    systems, names, conf_d, firewalld = (
        yaml.safe_load(one.text)["haproxy_ha"] for one in documents.examples() if one.document == "docs/platforms.md"
    )
    assert on("Ubuntu-24.04", changes=systems) == []
    built = valid(names)
    assert (built.packages["time_sync"], built.services["time_sync"]) == (["ntpsec"], "ntpsec")
    files = layout.files_of("nginx", valid(conf_d, minion_id="app-1"))
    assert files["/etc/nginx/conf.d/haproxy_ha_site.conf"].template
    assert files["/etc/nginx/conf.d/default.conf"] is None
    assert not any(entry.link for entry in files.values() if entry)
    firewall = valid(firewalld).firewall
    assert (firewall.enabled, firewall.backend, len(firewall.rules)) == (True, "firewalld", 2)
