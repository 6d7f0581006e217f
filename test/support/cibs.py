"""CIBs and configurations that tests begin with."""

from hypothesis import HealthCheck, settings

from saltext.pacemaker.cib import plan
from saltext.pacemaker.cib.document import Document

SOME = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""How many examples a property is tried with."""

WIDE = {
    "properties": {"no-quorum-policy": "stop", "stonith-enabled": "false"},
    "resource_defaults": [
        {"id": "night", "score": "2", "rule": {"expressions": [{"rsc_expression": {"type": "Dummy"}}]},
         "attributes": {"resource-stickiness": "5"}},
        {"id": "rsc_defaults-options", "attributes": {"resource-stickiness": "100"}},
    ],
    "operation_defaults": {"timeout": "20s"},
    "primitives": {
        "a": {"agent": "ocf:heartbeat:Dummy", "description": "first", "params": {"state": "/run/a"},
              "meta": {"priority": "3"}, "utilization": {"cpu": "1"},
              "operations": [
                  {"name": "monitor", "interval": "10s", "timeout": "20s", "on-fail": "restart",
                   "params": {"OCF_CHECK_LEVEL": "10"}, "meta": {"record-pending": "true"}},
                  {"name": "monitor", "interval": "5s", "role": "Promoted"}]},
        "b": {"template": "t"},
        "c": {"agent": "systemd:thing"},
        "d": {"agent": "ocf:pacemaker:Stateful",
              "params": [{"id": "shared", "attributes": {"x": "1"}},
                         {"score": "3", "rule": {"score": "0", "boolean-op": "or", "expressions": [
                             {"expression": {"attribute": "#uname", "operation": "eq", "value": "n1"}},
                             {"date_expression": {"operation": "date_spec", "date_spec": {"hours": "9-16"}}}]},
                          "attributes": {"y": "2"}}]},
        "e": {"agent": "ocf:heartbeat:Dummy", "params": [{"id-ref": "shared"}]},
        "f": {"agent": "stonith:fence_x"},
        "in-bundle": {"agent": "ocf:pacemaker:remote-thing"},
    },
    "groups": {"g": {"members": ["b", "a"], "meta": {"priority": "1"}}},
    "clones": {"d-clone": {"resource": "d", "meta": {"promotable": "true", "promoted-max": "1"}}},
    "bundles": {"box": {"docker": {"image": "x:1", "replicas": "2", "promoted-max": "1"},
                        "network": {"control-port": "3121", "port-mappings": [{"port": "80"}]},
                        "storage": [{"source-dir": "/s", "target-dir": "/t", "options": "rw"}],
                        "primitive": "in-bundle"}},
    "templates": {"t": {"agent": "ocf:heartbeat:Dummy", "operations": [{"name": "monitor", "interval": "7s"}]}},
    "locations": {
        "l1": {"resource": "a", "node": "n1", "score": "50", "resource-discovery": "never"},
        "l2": {"resource-pattern": "^x", "rules": [
            {"score": "-INFINITY", "role": "Promoted", "expressions": [
                {"expression": {"attribute": "p", "operation": "lt", "value": "1", "type": "number"}},
                {"rule": {"boolean-op": "and", "expressions": [{"date_expression": {
                    "operation": "in_range", "start": "2026-01-01", "duration": {"months": "2"}}}]}}]}]},
        "l3": {"sets": [{"resources": ["a", "c"]}], "node": "n2", "score": "1"},
    },
    "colocations": {
        "c1": {"resource": "c", "with": "d-clone", "score": "INFINITY", "with-role": "Promoted", "influence": "false"},
        "c2": {"score": "10", "sets": [{"resources": ["c", "a"], "sequential": "false"}, {"resources": ["g"]}]},
    },
    "orders": {
        "o1": {"first": "d-clone", "then": "c", "first-action": "promote", "kind": "Mandatory", "symmetrical": "false"},
        "o2": {"kind": "Serialize", "sets": [{"resources": ["c", "g"], "require-all": "false", "action": "start"}]},
    },
    "tickets": {"k1": {"ticket": "site", "resource": "c", "role": "Started", "loss-policy": "stop"}},
    "fencing_levels": {"f1": {"target": "n1", "index": "1", "devices": ["f"]}},
    "node_attributes": {"n1": {"rack": "3"}},
    "utilization": {"n2": {"cpu": "8"}},
    "alerts": {"al": {"path": "/bin/alert", "meta": {"timeout": "15s"}, "select": {"select_nodes": {}},
                      "recipients": {"al-r": {"value": "ops", "params": {"x": "1"}}}}},
    "acls": {"roles": {"reader": {"permissions": [{"kind": "read", "xpath": "/cib"},
                                                  {"kind": "deny", "reference": "a"}]}},
             "targets": {"alice": {"roles": ["reader"]}},
             "groups": {"ops": {"roles": ["reader"]}}},
    "tags": {"all": ["a", "c"]},
}  # fmt: skip
"""At least one of everything."""

EMPTY = """<cib validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0"><configuration><crm_config/>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources/><constraints/></configuration>
<status/></cib>"""


def empty():
    return Document.parse(EMPTY)


def made(data, document=None, **options):
    """The document after data is applied."""
    return plan.make(document or empty(), data, options.pop("owner", "haproxy_ha"), **options).after


def unowned(document):
    """The same configuration, made by nobody."""
    tags = document.section("tags")
    for tag in document.owner_tags().values():
        tags.remove(tag)
    return Document.parse(document.text())


STATUS = "".join(
    f'<node_state id="{number}" uname="n{number}" in_ccm="true" crmd="online" join="member" expected="member"/>'
    for number in (1, 2)
)
TWO_NODES = f"""<cib crm_feature_set="3.15.0" validate-with="pacemaker-3.9" epoch="7" num_updates="3" admin_epoch="0"
have-quorum="1" dc-uuid="1"><configuration><crm_config/>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
<resources/><constraints/></configuration><status>{STATUS}</status></cib>"""
SYSTEM = {
    "properties": {"no-quorum-policy": "stop", "stonith-enabled": False},
    "resource_defaults": {"resource-stickiness": 100},
    "primitives": {
        "haproxy": {"agent": "ocf:haproxy_ha:haproxy", "operations": [{"name": "monitor", "interval": "5s"}]},
        "FloatIP": {"agent": "ocf:haproxy_ha:floatip", "params": {"address": "203.0.113.10"}},
    },
    "clones": {"haproxy-clone": {"resource": "haproxy", "meta": {"interleave": True}}},
    "colocations": {"FloatIP-haproxy": {"resource": "FloatIP", "with": "haproxy-clone", "score": "INFINITY"}},
    "orders": {
        "haproxy-before-FloatIP": {
            "first": "haproxy-clone",
            "then": "FloatIP",
            "kind": "Mandatory",
            "symmetrical": False,
        }
    },
}
