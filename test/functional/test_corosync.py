"""A real corosync takes new configurations: what a reload brings, and what none can."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, corosync, waiting
from haproxy_ha_lib import corosync as corosync_conf
from support.pillars import text_of, valid
from support.place import addresses, in_container, requires_tools

pytestmark = [
    requires_tools("corosync", "corosync-cfgtool", "corosync-cmapctl", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]
CONF = Path("/etc/corosync/corosync.conf")


def conf(more=None, **changes):
    """Our corosync.conf, for two nodes whose addresses this machine has; of ``more`` of pillar."""
    path = str(CONF)
    return text_of(valid({f"cluster:{key}": value for key, value in changes.items()} | (more or {})), "corosync", path)


# What the Debian package installs, without its comments.
PACKAGED = """\
totem {
    version: 2
    cluster_name: debian
    crypto_cipher: none
    crypto_hash: none
}
quorum {
    provider: corosync_votequorum
}
nodelist {
    node {
        name: node1
        nodeid: 1
        ring0_addr: 127.0.0.1
    }
}
"""


@contextlib.contextmanager
def running(text):
    """corosync runs with this configuration; the one of before is there again afterwards."""
    before = CONF.read_text(encoding="utf-8")
    CONF.write_text(text, encoding="utf-8")
    Path("/etc/corosync/authkey").write_bytes(b"0" * 256)
    with addresses("10.132.20.10"), subprocess.Popen(["corosync", "-f"], stderr=subprocess.DEVNULL) as process:
        try:
            assert waiting.wait_for(lambda: commands.run(["corosync-cmapctl"])[0] == 0, 20), "corosync answers"
            yield
        finally:
            process.terminate()
            process.wait(20)
            os.unlink("/etc/corosync/authkey")
            CONF.write_text(before, encoding="utf-8")


def loaded():
    return corosync_conf.parse_cmap(commands.succeed("corosync-cmapctl"))


def test_the_packages_own_cluster_is_no_obstacle_unless_somebody_uses_it(tmp_path, monkeypatch):
    monkeypatch.setattr(corosync, "CIB", str(tmp_path))
    with running(PACKAGED):
        assert corosync_conf.is_alone(loaded())
        assert len(corosync_conf.fixed_differences(loaded(), corosync_conf.keys(conf()))) == 4
        assert corosync.obstacle(conf()) is None
        (tmp_path / "cib.xml").write_text('<cib><primitive id="theirs"/></cib>', encoding="utf-8")
        assert "totem.cluster_name from debian to haproxy_ha" in corosync.obstacle(conf())


@pytest.fixture(scope="module")
def ours():
    with running(conf()):
        yield


def test_what_is_loaded_is_what_is_in_the_file(ours):
    assert corosync_conf.not_loaded(loaded(), corosync_conf.keys(conf())) == []
    assert corosync_conf.fixed_differences(loaded(), corosync_conf.keys(conf())) == []
    assert not corosync_conf.is_alone(loaded())


@pytest.mark.parametrize("changes", [{"token": 1500}, {"knet_ping_timeout": 2500}, {"wait_for_all": True}, {}])
def test_a_reload_is_confirmed(ours, changes):
    assert corosync.obstacle(conf(**changes)) is None
    CONF.write_text(conf(**changes), encoding="utf-8")
    assert corosync.take(conf(**changes)) == "corosync was reloaded"
    assert loaded()["totem.token"] == str(changes.get("token", 300))


def test_a_third_one_makes_nobody_slower_to_be_missed(ours):
    """What a pair becomes by a reload; corosync's own coefficient would make it 950."""
    assert loaded()["runtime.config.totem.token"] == "300"
    text = conf({"load_balancers:third": {"private_ip": "10.132.20.12", "node_id": 3}})
    CONF.write_text(text, encoding="utf-8")
    assert corosync.take(text) == "corosync was reloaded"
    assert loaded()["runtime.config.totem.token"] == "300"
    CONF.write_text(conf(), encoding="utf-8")
    assert corosync.take(conf()) == "corosync was reloaded"


def test_a_reload_that_corosync_refuses_is_told(ours, monkeypatch):
    """By corosync-cfgtool, or from 3.1.9 on by what is loaded afterwards."""
    monkeypatch.setattr(corosync, "RELOAD_SECONDS", 0.5)
    wrong = conf().replace("token: 300", "token: soon")
    CONF.write_text(wrong, encoding="utf-8")
    with pytest.raises(CommandExecutionError, match=r"corosync-cfgtool -R failed|has not taken totem\.token"):
        corosync.take(wrong)
    CONF.write_text(conf(), encoding="utf-8")


def test_a_value_that_is_not_taken_is_told(ours, monkeypatch):
    """The file on disk is not the one that was meant to be there."""
    monkeypatch.setattr(corosync, "RELOAD_SECONDS", 0.5)
    with pytest.raises(CommandExecutionError, match="not taken totem.consensus, totem.token 0.5 s after the reload"):
        corosync.take(conf(token=1600))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "other"}, "totem.cluster_name from haproxy_ha to other"),
        ({"port": 5505}, "totem.interface.0.mcastport from 5405 to 5505"),
        ({"system": {"sched_rr": False}}, "system.sched_rr from unset to no"),
    ],
)
def test_what_no_reload_can_change_is_refused_with_the_way_to_do_it(ours, changes, said):
    obstacle = corosync.obstacle(conf(**changes))
    assert f"cannot change {said}, and" in obstacle
    assert "systemctl stop pacemaker corosync" in obstacle


def test_a_node_that_would_become_another_one_is_refused(ours):
    text = conf().replace("name: primary", "name: first")
    assert "this machine's name in the cluster, which is primary: no load balancer of" in corosync.obstacle(text)


def test_the_pillar_that_keeps_what_runs_is_told_and_printed(ours):
    identifier = {node: one.node_id for node, one in valid().load_balancers.items()}
    text = conf(name="other").replace(f"nodeid: {identifier['primary']}", "nodeid: 7")
    said = corosync.obstacle(text)
    assert f"cannot change the node id of primary from {identifier['primary']} to 7, totem.cluster_name from" in said
    kept = {"cluster": {"name": "haproxy_ha"}, "load_balancers": {n: {"node_id": i} for n, i in identifier.items()}}
    told = said.split("Pillar keeps what runs with: ")[1].split(". To change")[0]
    assert yaml.safe_load(told) == {"haproxy_ha": kept}
    printed = corosync.as_pillar()
    assert printed["cluster"] == {"name": "haproxy_ha", "port": 5405}
    assert {node: one["node_id"] for node, one in printed["load_balancers"].items()} == identifier
