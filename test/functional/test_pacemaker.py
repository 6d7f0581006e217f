"""The execution module on saved CIBs, with Pacemaker's own tools."""

import copy
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

from _modules import pacemaker
from saltext.pacemaker.cib.document import Document
from saltext.pacemaker.cib.hidden import MARKER
from saltext.pacemaker.errors import NoEnd
from saltext.pacemaker.live import machine
from support.cibs import SYSTEM
from support.cibs import TWO_NODES as CIB
from support.laws import configuration, emptied
from support.place import requires_tools
from support.scheduler_corpus import every_state, recorded, told

pytestmark = requires_tools("crm_simulate", "crm_verify", "crm_diff", "cibadmin")

@pytest.fixture
def cib(tmp_path):
    path = tmp_path / "cib.xml"
    path.write_text(CIB, encoding="utf-8")
    path.chmod(0o640)
    return str(path)


@pytest.fixture(autouse=True)
def local(monkeypatch):
    """As ``salt-call --local`` has it."""
    monkeypatch.setattr(pacemaker, "__opts__", {"file_client": "local"}, raising=False)


def test_the_whole_system_in_one_commit(cib):
    planned = pacemaker.plan(SYSTEM, cib_file=cib)
    assert planned["impact"]["resources"]["FloatIP"] == [{"action": "start", "node": "n1"}]
    assert Path(cib).read_text(encoding="utf-8") == CIB
    done = pacemaker.apply(SYSTEM, cib_file=cib, expect=planned["digest"])
    assert (done["changes"], done["impact"]) == (planned["changes"], planned["impact"])
    assert pacemaker.plan(SYSTEM, cib_file=cib)["changes"] == {}
    assert stat.S_IMODE(os.stat(cib).st_mode) == 0o640
    assert os.listdir(os.path.dirname(cib)) == ["cib.xml"]


def test_the_impact_is_what_the_scheduler_then_does(cib):
    planned = pacemaker.apply(SYSTEM, cib_file=cib)
    assert planned["impact"] == pacemaker.simulate(cib)
    more = copy.deepcopy(SYSTEM)
    more["primitives"]["other"] = {"agent": "ocf:heartbeat:Dummy"}
    planned = pacemaker.apply(more, cib_file=cib)
    assert list(planned["impact"]["resources"]) == ["other"]
    assert "FloatIP" in pacemaker.simulate(cib)["resources"]


def test_what_is_worse_than_allowed_is_refused_and_nothing_is_written(cib):
    pacemaker.apply(SYSTEM, cib_file=cib)
    run_scheduler(cib)
    before = Path(cib).read_text(encoding="utf-8")
    moved = copy.deepcopy(SYSTEM)
    moved["locations"] = {"away": {"resource": "FloatIP", "node": "n1", "score": "-INFINITY"}}
    planned = pacemaker.plan(moved, cib_file=cib, max_disruption="restart")
    assert planned["impact"]["resources"]["FloatIP"] == [{"action": "move", "source": "n1", "dest": "n2"}]
    assert len(planned["refused"]) == 1
    with pytest.raises(CommandExecutionError, match="move FloatIP from n1 to n2"):
        pacemaker.apply(moved, cib_file=cib, max_disruption="restart")
    with pytest.raises(CommandExecutionError, match="not the plan that was reviewed"):
        pacemaker.apply(moved, cib_file=cib, expect="0123456789abcdef")
    assert Path(cib).read_text(encoding="utf-8") == before
    for allowed in ("move", {"default": "nothing", "FloatIP": "move"}):
        assert pacemaker.plan(moved, cib_file=cib, max_disruption=allowed)["refused"] == []


def run_scheduler(cib):
    """Let crm_simulate carry out what is pending, as a cluster would."""
    subprocess.run(["crm_simulate", "--in-place", "--xml-file", cib], check=True, capture_output=True, timeout=60)


def test_a_secret_is_nowhere_but_in_the_cib(cib):
    data = copy.deepcopy(SYSTEM)
    data["primitives"]["FloatIP"]["params"]["api_token"] = "hunter2"
    shown = [pacemaker.apply(data, cib_file=cib), pacemaker.export(cib)]
    data["primitives"]["FloatIP"]["params"]["api_token"] = "hunter3"
    shown.append(pacemaker.plan(data, cib_file=cib))
    assert "hunter" not in json.dumps(shown)
    assert pacemaker.export(cib, secrets=True)["primitives"]["FloatIP"]["params"]["api_token"] == "hunter2"


def test_a_secret_is_not_told_to_a_master(cib, monkeypatch):
    monkeypatch.setattr(pacemaker, "__opts__", {"file_client": "remote"})
    with pytest.raises(CommandExecutionError, match="salt-call --local pacemaker.export"):
        pacemaker.export(cib, secrets=True)
    assert isinstance(pacemaker.export(cib), dict)


@pytest.mark.parametrize("text", ["", "<cib>", "<other/>", "\x00"])
def test_what_is_no_cib_is_one_clear_error(tmp_path, text):
    path = tmp_path / "broken.xml"
    path.write_text(text, encoding="utf-8")
    for function in (pacemaker.export, lambda file: pacemaker.plan({}, cib_file=file)):
        with pytest.raises(CommandExecutionError, match="The CIB"):
            function(str(path))


def test_a_file_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(CommandExecutionError, match=r"none\.xml cannot be read"):
        pacemaker.simulate(str(tmp_path / "none.xml"))


def test_what_breaks_the_schema_is_refused_without_the_cib(cib):
    wrong = {"tickets": {"t": {"ticket": "x", "resource": "FloatIP", "loss-policy": "explode"}}}
    with pytest.raises(CommandExecutionError, match="would refuse the configuration: .*rsc_ticket") as problem:
        pacemaker.apply({**SYSTEM, **wrong}, cib_file=cib)
    assert "<" not in str(problem.value)
    assert Path(cib).read_text(encoding="utf-8") == CIB


def test_commands_that_run_together_end_together():
    said = machine.HERE.run_together((("cat",), "one"), (("sh", "-c", "cat; exit 3"), "two"))
    assert said == [(0, "one", ""), (3, "two", "")]
    with pytest.raises(NoEnd, match="sleep did not end within 1 s"):
        machine.HERE.run_together(*((("sleep", seconds), None) for seconds in ("0", "600", "601")), timeout=1)
    assert Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii") == ""


@pytest.mark.parametrize("name", ["CIB_shadow", "CIB_file"])
def test_a_shadow_in_the_environment_is_refused(monkeypatch, name):
    monkeypatch.setenv(name, "x")
    with pytest.raises(CommandExecutionError, match=f"{name} is set"):
        pacemaker.plan(SYSTEM)


def test_without_a_cluster_there_is_a_clear_error_and_a_plan_from_nothing():
    if pacemaker.running():
        pytest.skip("a cluster runs here")
    with pytest.raises(CommandExecutionError, match="Pacemaker is not running"):
        pacemaker.export()
    planned = pacemaker.plan(SYSTEM, from_nothing=True)
    assert "primitive FloatIP" in planned["changes"]
    assert planned["impact"] == {}


@pytest.mark.parametrize("allowed", ["everything", {"FloatIP": "sometimes"}])
def test_an_unknown_degree_of_disruption_is_refused(cib, allowed):
    with pytest.raises(SaltInvocationError, match="max_disruption"):
        pacemaker.plan(SYSTEM, cib_file=cib, max_disruption=allowed)


def scheduler_is(version):
    """Whether crm_simulate is of this series of Pacemaker."""
    said = subprocess.run(["crm_simulate", "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    return said.startswith(f"Pacemaker {version}.")


@every_state
def test_the_simulation_is_what_pacemakers_authors_recorded(path):
    if not scheduler_is("2.1"):
        pytest.skip("the summaries are those of Pacemaker 2.1")
    assert told(pacemaker.simulate(str(path))) == recorded(path)


@every_state
def test_an_export_makes_the_same_configuration_elsewhere(path, tmp_path):
    target = tmp_path / "cib.xml"
    target.write_text(emptied(Document.parse(path.read_text(encoding="utf-8"))).text(), encoding="utf-8")
    data = pacemaker.export(str(path), secrets=True)
    pacemaker.apply(data, cib_file=str(target))
    assert pacemaker.export(str(target), secrets=True) == configuration(data)
    assert pacemaker.plan(data, cib_file=str(target))["changes"] == {}


OLD = """<cib crm_feature_set="3.0.14" validate-with="{schema}" epoch="9" num_updates="0" admin_epoch="0"
have-quorum="1" dc-uuid="1"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">
<nvpair name="stonith-enabled" value="no" id="c1"/><nvpair name="expected-quorum-votes" value="2" id="c2"/>{property}
</cluster_property_set></crm_config><nodes><node id="1" uname="n1" type="normal"/>
<node id="2" uname="n2" type="normal"/></nodes><resources><master id="m">
<meta_attributes id="m-m"><nvpair id="m-m-x" name="master-max" value="1"/>
</meta_attributes><primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"><instance_attributes id="i">
<nvpair name="ip" value="192.0.2.20" id="i-ip"/></instance_attributes></primitive></master></resources><constraints/>
</configuration><status/></cib>"""
DROPPED = '<nvpair name="notification-agent" value="/x" id="c3"/>'


def old(cib, schema, property_=""):
    """The CIB of an older Pacemaker in the file."""
    Path(cib).write_text(OLD.format(schema=schema, property=property_), encoding="utf-8")


@pytest.mark.parametrize("schema", ["pacemaker-1.3", "pacemaker-2.0", "pacemaker-2.5", "pacemaker-2.10"])
def test_the_cib_of_an_older_pacemaker_is_adopted(cib, schema):
    """The property that the cluster itself once set is no part of it: an upgrade drops it."""
    old(cib, schema)
    data = pacemaker.export(cib)
    assert data["properties"] == {"stonith-enabled": "no"}
    assert pacemaker.plan(data, cib_file=cib)["changes"] == {}
    assert list(pacemaker.apply(data, cib_file=cib, adopt=True)["changes"]) == ["owner haproxy_ha"]
    assert pacemaker.upgrade_schema(cib)["old"] == schema
    assert pacemaker.plan(data, cib_file=cib, adopt=True)["changes"] == {}


@pytest.mark.parametrize(
    ("schema", "property_"), [("pacemaker-1.0", ""), ("pacemaker-1.2", ""), ("pacemaker-2.5", DROPPED)]
)
def test_a_cib_that_has_to_be_upgraded_first_says_so_and_then_works(cib, schema, property_):
    old(cib, schema, property_)
    before = Path(cib).read_text(encoding="utf-8")
    data = pacemaker.export(cib)
    assert pacemaker.plan(data, cib_file=cib)["changes"] == {}
    for function in (pacemaker.plan, pacemaker.apply):
        with pytest.raises(CommandExecutionError, match=f"^The CIB has still the schema {schema} .*cibadmin --upgrade"):
            function(data, cib_file=cib, adopt=True)
    assert Path(cib).read_text(encoding="utf-8") == before
    upgraded = pacemaker.upgrade_schema(cib)
    assert (upgraded["old"], upgraded["new"] > "pacemaker-3") == (schema, True)
    assert list(pacemaker.apply(pacemaker.export(cib), cib_file=cib, adopt=True)["changes"]) == ["owner haproxy_ha"]


def test_a_schema_that_cannot_be_upgraded_is_one_clear_error(cib):
    Path(cib).write_text("<cib validate-with='pacemaker-2.5'><nothing/></cib>", encoding="utf-8")
    with pytest.raises(CommandExecutionError, match="Nothing was upgraded: "):
        pacemaker.upgrade_schema(cib)


def test_a_secret_that_the_cluster_has_not_is_refused_in_a_file_too(cib):
    hidden = {"primitives": {"ip": {"agent": "ocf:heartbeat:IPaddr2", "params": {"ip": "1", "password": MARKER}}}}
    assert "the secret password" in pacemaker.plan(hidden, cib_file=cib)["refused"][0]
    with pytest.raises(CommandExecutionError, match="it cannot be told what the secret password is"):
        pacemaker.apply(hidden, cib_file=cib)
    assert Path(cib).read_text(encoding="utf-8") == CIB
