"""
What operators and agents set while a cluster runs. It lies in the configuration and is no part of it: an export shows
it apart, and it is neither written nor removed unless the desired data states it in its own section.

Switches are what operators set, with `crm`, `pcs` or Pacemaker's tools: stopped, unmanaged, in maintenance, in standby,
banned, moved, traced. (Pacemaker Explained, "Resource Meta-Attributes", "Cluster Options", "Special node attributes";
`crm resource stop, unmanage, maintenance, ban, trace`; `pcs resource disable, unmanage --monitor, move, relocate`.)

Observed is what nobody can know the author of: permanent attributes and utilization of nodes (`crm_attribute -l
forever`: pgsql, SAPHanaSR, rabbitmq-cluster, NodeUtilization), sets of properties beside Pacemaker's own (redis, mysql,
SAPHanaSR) and properties that Pacemaker does not have (azure-events), the utilization that VirtualDomain and Xen set on
themselves, and the constraints of DRBD's handlers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from saltext.pacemaker.cib import nvsets, values
from saltext.pacemaker.cib.settings import Settings
from saltext.pacemaker.cib.shapes import Shape
from saltext.pacemaker.types import Data, Element

SECTIONS = ("switches", "observed")
"""The sections of exported data that hold it, in the form of the others. In desired data they say nothing."""

SWITCHES = {
    table: frozenset(names.split())
    for table, names in {
        "properties": "maintenance-mode stop-all-resources is-managed-default "
        "maintenance_mode stop_all_resources is_managed_default",
        "meta": "target-role is-managed maintenance target_role is_managed",
        "params": "trace_ra trace_file",
        "operation_meta": "enabled",
        "alert_meta": "enabled",
        "node_attributes": "standby maintenance terminate",
        "utilization": "",
    }.items()
}
"""The names of switches, by the table of options (values.py) that they are in; Pacemaker 1 took underscores too."""

OPERATION_SWITCH = "enabled"
"""The attribute of an operation that `pcs resource unmanage --monitor` sets."""

_CONSTRAINTS = {
    "cli-ban-": "switches",
    "cli-prefer-": "switches",
    "cli-standby-": "switches",
    "pcs-relocate-": "switches",
    "drbd-fence-by-": "observed",
}
_OWN_UTILIZATION = ("ocf:heartbeat:VirtualDomain", "ocf:heartbeat:Xen")


def constraint_section(section: str, name: str) -> str | None:
    """
    The section of exported data for a constraint that a tool or an agent has made, by its id; None for anything else.
    """
    if section != "locations":
        return None
    return next((apart for prefix, apart in _CONSTRAINTS.items() if name.startswith(prefix)), None)


def setting_section(settings: Settings, element: Element, name: str | None, has_main: bool) -> str | None:
    """
    The section of exported data for one name in a set of settings; None if it is configuration.

    settings: the Settings of the section. element: the set. has_main: whether Pacemaker's own set is there: else its
    options are what they are in any set without a condition.
    """
    if name in SWITCHES[settings.table] and element.find("rule") is None:
        return "switches"
    if settings.per_node:
        return "observed"
    if settings.section != "properties":
        return None
    beside = element.get("id") != settings.main_id if has_main else element.find("rule") is not None
    return "observed" if beside or not values.is_known_option("properties", name or "") else None


def sets_itself(agent: Any) -> bool:
    """
    Whether an agent sets the utilization of its own resource.
    """
    return agent in _OWN_UTILIZATION


def parted(shape: Shape, data: Data, own_utilization: bool = False) -> tuple[Data, dict[str, Data]]:
    """
    (rest, {"switches": data, "observed": data}) of an object's data: what is configuration, and what is not.

    own_utilization: whether its agent sets its utilization.
    """
    rest = dict(data)
    switches: Data = {}
    observed: Data = {}
    for field in shape.fields:
        if isinstance(field, nvsets.NVSets) and field.key in data:
            _part(rest, switches, field.key, *_parted_sets(data[field.key], SWITCHES[field.table]))
        elif field.key == "operations" and isinstance(data.get("operations"), list):
            _part(rest, switches, "operations", *_parted_list(field, data["operations"]))
        elif field.key == "operations" and "operations" in (data.get("operations") or ()):
            inner, taken = _parted_list(field, data["operations"]["operations"])
            _part(rest, switches, "operations", {**data["operations"], "operations": inner}, taken)
        elif field.key == "recipients" and "recipients" in data:
            _part(rest, switches, "recipients", *_parted_mapping(field, data["recipients"]))
    if own_utilization and "utilization" in rest:
        observed["utilization"] = rest.pop("utilization")
    return rest, {"switches": switches, "observed": observed}


def _part(rest: Data, apart: Data, key: str, left: Any, taken: Any) -> None:
    """Put what is left of a part, and what was taken out of it, where they belong."""
    if left:
        rest[key] = left
    else:
        del rest[key]
    if taken:
        apart[key] = taken


def _parted_list(field: Any, items: list[Data]) -> tuple[list[Data], list[Data]]:
    """(rest, switches) of operations; among the switches an operation is told by its name, interval and role."""
    left, taken = [], []
    for item in items:
        rest, apart = parted(field.shapes()["op"], item)
        found = apart["switches"]
        if OPERATION_SWITCH in rest:
            found[OPERATION_SWITCH] = rest.pop(OPERATION_SWITCH)
        if not is_traced(item) or set(rest) - set(_OPERATION_KEY):
            left.append(rest)
        if found:
            taken.append({**{key: item[key] for key in _OPERATION_KEY if key in item}, **found})
    return left, taken


_OPERATION_KEY = ("name", "interval", "role")


def is_traced(operation: Data) -> bool:
    """
    Whether an operation is traced; `crm resource trace` makes one where there is none, and takes it away afterwards.
    """
    return any(
        SWITCHES["params"].intersection(nvsets.names(one.get("attributes")))
        for one in nvsets.as_sets(operation.get("params"))
    )


def _parted_mapping(field: Any, items: Data) -> tuple[Data, Data]:
    """(rest, switches) of recipients."""
    left, taken = {}, {}
    for name, item in items.items():
        left[name], apart = parted(field.shapes()["recipient"], item)
        if apart["switches"]:
            taken[name] = apart["switches"]
    return left, taken


def _parted_sets(value: Any, names: Collection[str]) -> tuple[Any, Data]:
    """(rest, {name: value}) of sets: the names that are switches, where no rule says when they apply."""
    if isinstance(value, dict):
        rest = {name: text for name, text in value.items() if name not in names}
        return rest, {name: text for name, text in value.items() if name in names}
    left: list[Data] = []
    taken: Data = {}
    for one in reversed(value):
        rest, found = _parted_set(one, names)
        if rest.get("attributes") or not {"id", "id-ref"}.isdisjoint(rest):
            left.insert(0, rest)
        taken = {**found, **taken}
    return nvsets.simplified(left), taken


def _parted_set(one: Data, names: Collection[str]) -> tuple[Data, Data]:
    """The same of one set. A pair that something refers to stays."""
    attributes = one.get("attributes")
    if "rule" in one or not attributes:
        return one, {}
    if isinstance(attributes, dict):
        rest, taken = _parted_sets(attributes, names)
        return {**one, "attributes": rest}, taken
    free = [pair for pair in attributes if pair.get("name") in names and {"id", "id-ref"}.isdisjoint(pair)]
    rest = [pair for pair in attributes if pair not in free]
    return {**one, "attributes": rest}, {pair["name"]: pair["value"] for pair in reversed(free)}
