"""What is configured in the benchmarks, for each of those that are compared."""

from __future__ import annotations

from pathlib import Path

from saltext.pacemaker.cib import plan
from saltext.pacemaker.cib.document import Document

EMPTY = """<cib crm_feature_set="3.15.0" validate-with="pacemaker-3.9" epoch="7" num_updates="3" admin_epoch="0"
have-quorum="1" dc-uuid="1"><configuration><crm_config/>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
<resources/><constraints/></configuration><status>
<node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="n2" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>"""
_MONITOR = {"name": "monitor", "interval": "600s", "timeout": "20s"}


def dummies(count: int) -> dict:
    """Primitives that do nothing, and the properties that let them start."""
    return {
        "properties": {"stonith-enabled": False},
        "primitives": {
            f"r{number}": {"agent": "ocf:pacemaker:Dummy", "params": {"fake": f"x{number}"}, "operations": [_MONITOR]}
            for number in range(1, count + 1)
        },
    }


def constrained(count: int) -> dict:
    """As many constraints as primitives: half of them locations, a quarter each colocations and orders."""
    data = {**dummies(count), "locations": {}, "colocations": {}, "orders": {}}
    for number in range(1, count + 1):
        other = f"r{number + 1 if number % 2 else number - 1}"
        if number % 2:
            data["locations"][f"l{number}"] = {"resource": f"r{number}", "node": "n1", "score": number}
        elif number % 4:
            data["colocations"][f"c{number}"] = {"resource": f"r{number}", "with": other, "score": 5}
        else:
            data["orders"][f"o{number}"] = {"first": f"r{number}", "then": other, "kind": "Optional"}
    return data


def puppet(configuration: dict) -> str:
    """The same primitives for puppet-corosync."""
    lines = ["cs_property { 'stonith-enabled': value => 'false' }"]
    for name, one in configuration["primitives"].items():
        lines.append(
            f"cs_primitive {{ '{name}': primitive_class => 'ocf', provided_by => 'pacemaker', "
            f"primitive_type => 'Dummy', parameters => {{ 'fake' => '{one['params']['fake']}' }}, "
            "operations => [ { 'monitor' => { 'interval' => '600s', 'timeout' => '20s' } } ] }"
        )
    return "\n".join(lines) + "\n"


def write(configuration: dict, path: Path) -> None:
    """Make a saved CIB hold a configuration, by the library alone."""
    document = Document.parse(path.read_text(encoding="utf-8"))
    path.write_text(plan.make(document, configuration, "haproxy_ha").after.text(), encoding="utf-8")
