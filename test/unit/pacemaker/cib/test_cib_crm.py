import xml.etree.ElementTree as ET

import pytest

from saltext.pacemaker.cib import crm, plan
from saltext.pacemaker.cib.document import Document
from support.pillars import valid

CIB = """<cib crm_feature_set="3.1.0" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0">
<configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>"""

OBJECTS = {
    "ocf:haproxy_ha:floatip params address=203.0.113.10 op monitor interval=10s timeout=20s": {
        "agent": "ocf:haproxy_ha:floatip",
        "params": {"address": "203.0.113.10"},
        "operations": [{"name": "monitor", "interval": "10s", "timeout": "20s"}],
    },
    "haproxy meta interleave=true": {"resource": "haproxy", "meta": {"interleave": "true"}},
    "INFINITY: FloatIP haproxy-clone": {"resource": "FloatIP", "with": "haproxy-clone", "score": "INFINITY"},
    "Mandatory: haproxy-clone FloatIP symmetrical=false": {
        "first": "haproxy-clone", "then": "FloatIP", "kind": "Mandatory", "symmetrical": "false",
    },
    "FloatIP 100: primary": {"resource": "FloatIP", "node": "primary", "score": "100"},
    "FloatIP rule 1000: not_defined reach or #uname eq primary": {
        "resource": "FloatIP",
        "rules": [{
            "score": "1000", "boolean-op": "or",
            "expressions": [
                {"expression": {"attribute": "reach", "operation": "not_defined"}},
                {"expression": {"attribute": "#uname", "operation": "eq", "value": "primary"}},
            ],
        }],
    },
    "a b meta target-role=Started": {"members": ["a", "b"], "meta": {"target-role": "Started"}},
    'params options="one two"': {"params": {"options": "one two"}},
    "params a=1 params b=2": {"params": [{"a": 1}, {"b": 2}]},
    "5s": "5s",
    "true": True,
}  # fmt: skip


@pytest.mark.parametrize("text", OBJECTS)
def test_an_object_is_one_line_of_crms_words(text):
    assert crm.line(OBJECTS[text]) == text


def test_what_was_not_there_stays_nothing():
    assert crm.lines({"primitive a": {"old": None, "new": {"agent": "ocf:pacemaker:Dummy"}}}) == {
        "primitive a": {"old": None, "new": "ocf:pacemaker:Dummy"}
    }


def test_the_first_plan_of_the_cluster_is_one_line_an_object():
    pillar = {"cluster:fencing": {"enabled": True}}
    desired = valid(pillar).cluster.configuration
    made = plan.make(Document(ET.fromstring(CIB)), desired, "haproxy_ha").changes
    said = crm.lines(made)
    assert said.keys() == made.keys()
    for what, change in said.items():
        assert change["old"] is None
        assert "\n" not in change["new"] and "{" not in change["new"] and "[" not in change["new"], what
    assert said["location FloatIP-reach"]["new"] == "FloatIP rule haproxy_ha-reach: defined haproxy_ha-reach"
