"""
The sections of the configuration that hold no objects but name-value sets.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """
    A section of name-value sets: ``parent`` below ``configuration`` holds sets of ``tag``, or (``per_node``) one
    element per node does.

    section: its key in the data. name: how one is called in messages, and the first part of the names of its states.
    doc: what the section holds, for people. table: the options that it takes (values.py). main_id: Pacemaker's own set.
    """

    section: str
    name: str
    doc: str
    table: str
    parent: str
    tag: str
    main_id: str = ""
    per_node: bool = False


_SETTINGS = (
    Settings(
        "properties",
        "property",
        "Cluster properties.",
        "properties",
        "crm_config",
        "cluster_property_set",
        "cib-bootstrap-options",
    ),
    Settings(
        "resource_defaults",
        "resource_default",
        "Meta attributes that every resource has unless it says otherwise.",
        "meta",
        "rsc_defaults",
        "meta_attributes",
        "rsc_defaults-options",
    ),
    Settings(
        "operation_defaults",
        "operation_default",
        "Defaults of operations.",
        "operation_meta",
        "op_defaults",
        "meta_attributes",
        "op_defaults-options",
    ),
    Settings(
        "node_attributes",
        "node_attribute",
        "Permanent attributes of nodes.",
        "node_attributes",
        "nodes",
        "instance_attributes",
        per_node=True,
    ),
    Settings(
        "utilization",
        "node_utilization",
        "Utilization of nodes.",
        "utilization",
        "nodes",
        "utilization",
        per_node=True,
    ),
)
SETTINGS = {one.section: one for one in _SETTINGS}
