"""
The sections of the configuration that hold no objects but name-value sets.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """
    A section of name-value sets: ``parent`` below ``configuration`` holds sets of ``tag``, or (``per_node``) one
    element per node does.
    """

    section: str
    name: str
    table: str
    parent: str
    tag: str
    main_id: str = ""
    per_node: bool = False


SETTINGS = {
    one.section: one
    for one in (
        Settings(
            "properties", "property", "properties", "crm_config", "cluster_property_set", "cib-bootstrap-options"
        ),
        Settings(
            "resource_defaults", "resource_default", "meta", "rsc_defaults", "meta_attributes", "rsc_defaults-options"
        ),
        Settings(
            "operation_defaults", "operation_default", "operation_meta", "op_defaults", "meta_attributes",
            "op_defaults-options",
        ),
        Settings(
            "node_attributes", "node_attribute", "node_attributes", "nodes", "instance_attributes", per_node=True
        ),
        Settings("utilization", "node_utilization", "utilization", "nodes", "utilization", per_node=True),
    )
}  # fmt: skip
