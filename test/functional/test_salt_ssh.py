"""salt-ssh to a target without a minion: refused by one failed state, or as good as a minion's own run."""

import shutil

import pytest

from support import REPOSITORY
from support.pillars import REMOVED, changed
from support.place import in_container, requires_tools
from support.ssh_target import SaltSsh, daemon

pytestmark = [
    requires_tools("sshd", "ssh-keygen", "haproxy", "corosync", "crm_verify"),
    pytest.mark.skipif(not in_container(), reason="needs addresses, and lets a key in: only in the container"),
    pytest.mark.usefixtures("own_addresses"),
]

PILLAR = changed({
    "floating_ip:provider": "ipaddr2", "floating_ip:address": "10.132.20.99", "floating_ip:api_token": REMOVED,
})  # fmt: skip
NEEDED = "salt-ssh needs Salt 3008 or later, the extension saltext-haproxy-ha of the states' version beside it"


@pytest.fixture(scope="module")
def key(own_addresses, tmp_path_factory):
    with daemon(tmp_path_factory.mktemp("sshd")) as opens:
        yield opens


def is_refused(ssh, *options):
    """A run is one failed state, and its exit code tells."""
    code, states = ssh.call("state.apply", "haproxy_ha", *options)
    assert isinstance(states, dict), states
    [state] = states.values()
    assert code and state["result"] is False and state["name"].startswith(NEEDED)


def test_without_the_extension_a_run_is_one_failed_state(key, tmp_path):
    shutil.copytree(REPOSITORY / "haproxy_ha", tmp_path / "roots" / "haproxy_ha")
    is_refused(SaltSsh(tmp_path, key, tmp_path / "roots", PILLAR, {"PYTHONPATH": ""}), "test=True")


def extension(folder, key, site):
    """The extensions beside salt-ssh, and the states that are in them."""
    roots = shutil.copytree(site / "saltext" / "haproxy_ha" / "formula", folder / "roots")
    return SaltSsh(folder, key, roots, PILLAR, {"PYTHONPATH": str(site)})


@pytest.fixture(scope="module")
def beside(key, site, tmp_path_factory):
    return extension(tmp_path_factory.mktemp("beside"), key, site)


@pytest.mark.slow
def test_with_it_a_dry_run_is_whole(beside):
    code, states = beside.call("state.apply", "haproxy_ha", "test=True")
    assert isinstance(states, dict), states
    failed = {state["__id__"]: state["comment"] for state in states.values() if state["result"] is False}
    assert (code, failed) == (0, {})
    assert {"haproxy_ha-load-balancer-config", "haproxy_ha-cluster-agents", "haproxy_ha-cluster-resources"} <= {
        state["__id__"] for state in states.values()
    }


@pytest.mark.slow
def test_its_functions_have_pillar_and_the_files_of_the_formula(beside):
    assert beside.call("haproxy_ha.roles") == (0, ["load_balancer"])
    assert beside.call("haproxy_ha.stale") == (0, [])
    code, plan = beside.call("haproxy_ha.plan", "files:corosync")
    assert code == 0 and plan["changes"]
    code, said = beside.call("haproxy_ha.plan", "nonsense")
    assert code and "nonsense" in said and "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("call", ["generate_authkey", "generate_quorum_certificates", "export secrets=True"])
def test_what_prints_a_secret_is_refused(beside, call):
    code, said = beside.call(*f"haproxy_ha.{call}".split())
    assert code and f"salt-call --local haproxy_ha.{call.split()[0]}" in said


@pytest.mark.slow
def test_states_of_another_version_are_refused(key, site, tmp_path):
    """salt-ssh makes what it sends to targets once: an upgrade alone does not change it."""
    ssh = extension(tmp_path, key, site)
    with open(tmp_path / "roots/haproxy_ha/modules.sha256", "a", encoding="ascii") as listing:
        listing.write(f"{0:064}  _modules/haproxy_ha.py\n")
    is_refused(ssh)
