"""The firewall's rules on a host: only in the container that has the daemons, which is thrown away."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.pillars import changed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("ufw", "nft"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]


def ufw():
    listing = subprocess.run(["ufw", "show", "added"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if line.startswith("ufw ")]


def nft():
    command = ["nft", "list", "chain", "inet", "filter", "input"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.strip() for line in listing.splitlines() if "comment" in line]


@pytest.fixture
def firewall(request):
    if request.param == "ufw":
        subprocess.run(["ufw", "allow", "22/tcp", "comment", "shell"], check=True, capture_output=True)
        return request.param, ufw, "ufw allow 22/tcp comment 'shell'"
    subprocess.run(["nft", "-f", "/etc/nftables.conf"], check=True)
    theirs = 'tcp dport 22 accept comment "shell"'
    subprocess.run(["nft", "add", "rule", "inet", "filter", "input", *theirs.split()], check=True)
    return request.param, nft, theirs


@pytest.mark.parametrize("firewall", ["ufw", "nftables"], indirect=True)
def test_the_firewall_has_our_rules_and_keeps_those_of_others(single, firewall):
    backend, listing, theirs = firewall
    pillar = changed({"firewall": {"enabled": True, "backend": backend}})

    dry = single("haproxy_ha.firewall", "x", pillar, test=True)
    assert dry["result"] is None
    assert listing() == [theirs]
    live = single("haproxy_ha.firewall", "x", pillar)
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    ours = [line for line in listing() if "haproxy_ha: " in line]
    assert len(ours) == 2 and theirs in listing()
    assert any("10.132.20.11" in line and "10.132.20.10" in line and "5405" in line for line in ours)
    assert any("10.17.1.18" in line and "80" in line for line in ours)
    again = single("haproxy_ha.firewall", "x", pillar)
    assert (again["result"], again["changes"]) == (True, {})

    moved = changed({"firewall": {"enabled": True, "backend": backend}, "cluster:port": 5505})
    assert single("haproxy_ha.firewall", "x", moved)["result"] is True
    assert not any("5405" in line for line in listing())
    if backend == "nftables":  # as at a boot
        subprocess.run(["nft", "-f", "/etc/nftables.conf"], check=True)
        assert len([line for line in listing() if "haproxy_ha: " in line]) == 2
        assert any("5505" in line for line in listing())
        subprocess.run(["nft", "add", "rule", "inet", "filter", "input", *theirs.split()], check=True)

    gone = single("haproxy_ha.firewall_absent", "x", moved)
    assert gone["result"] is True and gone["changes"]
    assert listing() == [theirs]
    assert "haproxy_ha" not in Path("/etc/nftables.conf").read_text(encoding="utf-8")
    assert single("haproxy_ha.firewall_absent", "x", moved)["changes"] == {}


@pytest.mark.parametrize("firewall", [pytest.param("ufw", marks=pytest.mark.slow), "nftables"], indirect=True)
def test_who_may_ask_for_metrics_may_be_a_network(single, firewall):
    backend, listing, theirs = firewall
    given = {"firewall": {"enabled": True, "backend": backend}, "monitoring:sources": ["10.132.0.2", "10.132.8.0/24"]}
    assert single("haproxy_ha.firewall", "x", changed(given))["result"] is True
    metrics = [line for line in listing() if "haproxy_ha: metrics of " in line]
    assert sorted(("10.132.8.0/24" in line, "9664" in line) for line in metrics) == [
        (False, False), (False, True), (True, False), (True, True),
    ]
    assert single("haproxy_ha.firewall", "x", changed(given))["changes"] == {}
    assert single("haproxy_ha.firewall_absent", "x", changed(given))["result"] is True
    assert listing() == [theirs]


@pytest.mark.parametrize("kept", [False, True])
def test_rules_for_nftables_that_is_not_loaded_count_once_it_is(single, kept):
    """The distribution's service is off by default: nothing is filtered, and the rules wait for it."""
    pillar = changed({"firewall": {"enabled": True, "backend": "nftables"}})
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    dry = single("haproxy_ha.firewall", "x", pillar, test=True)
    live = single("haproxy_ha.firewall", "x", pillar)
    assert (dry["result"], live["result"], live["changes"]) == (None, True, dry["changes"])
    assert live["comment"].endswith("the firewall is not active")
    assert (single("haproxy_ha.firewall", "x", pillar)["changes"]) == {}
    subprocess.run(["nft", "-f", "/etc/nftables.conf"], check=True)
    assert len(nft()) == 2
    assert single("haproxy_ha.firewall", "x", pillar)["changes"] == {}
    if kept:  # rules that were lost from the kernel, and not from the file
        subprocess.run(["nft", "flush", "chain", "inet", "filter", "input"], check=True)
        assert single("haproxy_ha.firewall", "x", pillar)["changes"] == live["changes"]
        assert len(nft()) == 2
    assert single("haproxy_ha.firewall_absent", "x", pillar)["changes"]
    assert nft() == []


def test_rules_go_from_the_firewall_that_pillar_no_longer_names(single):
    before = ufw()
    single("haproxy_ha.firewall", "x", changed({"firewall": {"enabled": True, "backend": "ufw"}}))
    assert len(ufw()) == len(before) + 2
    pillar = changed({"firewall": {"enabled": True, "backend": "nftables"}})
    dry = single("haproxy_ha.firewall", "x", pillar, test=True)
    live = single("haproxy_ha.firewall", "x", pillar)
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    assert ufw() == before
    assert single("haproxy_ha.firewall", "x", pillar)["changes"] == {}
    single("haproxy_ha.firewall", "x", changed({"firewall": {"enabled": True, "backend": "ufw"}}))
    assert single("haproxy_ha.firewall_absent", "x", pillar)["changes"]  # pillar names the other one
    assert ufw() == before


def test_rules_for_nftables_are_kept_where_its_service_loads_them(single, tmp_path):
    conf = tmp_path / "nftables.conf"
    shutil.copy("/etc/nftables.conf", conf)
    usual = Path("/etc/nftables.conf").read_text(encoding="utf-8")
    pillar = changed({
        "firewall": {"enabled": True, "backend": "nftables"}, "lookup": {"paths": {"nftables_conf": str(conf)}},
    })  # fmt: skip
    assert single("haproxy_ha.firewall", "x", pillar)["result"] is True
    assert 'include "/etc/haproxy_ha/firewall.nft"' in conf.read_text(encoding="utf-8")
    assert Path("/etc/nftables.conf").read_text(encoding="utf-8") == usual
    assert single("haproxy_ha.firewall_absent", "x", pillar)["changes"]
    assert conf.read_text(encoding="utf-8") == usual
