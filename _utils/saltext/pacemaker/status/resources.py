"""
The resources in the XML of Pacemaker's tools: crm_simulate and crm_mon write them alike.
"""

from __future__ import annotations

from saltext.pacemaker.types import Containers, Data, Element


def read(parent: Element | None, inside: tuple[str, ...] = ()) -> list[Data]:
    """
    Every instance of every primitive below ``parent`` (the element ``resources`` of crm_simulate and crm_mon):
    {"id", "in" (its group, clone and bundle, the outermost first), "agent", "role", "nodes", "target_role" and flags}.
    """
    found: list[Data] = []
    for element in parent if parent is not None else ():
        if element.tag == "resource":
            found.append(
                {
                    "id": element.get("id"),
                    "in": list(inside),
                    "agent": element.get("resource_agent"),
                    "role": element.get("role"),
                    "target_role": element.get("target_role"),
                    "nodes": [node.get("name") for node in element.iterfind("node")],
                    **{key: value == "true" for key, value in element.items() if value in ("true", "false")},
                }
            )
        elif element.tag in ("clone", "group", "bundle"):
            found += read(element, (*inside, element.get("id", "")))
        elif element.tag == "replica":
            found += read(element, inside)
    return found


def containers(*statuses: Data) -> Containers:
    """
    {primitive id: (its group, clone, bundle, the outermost first)} of statuses as ``parse`` gives them.
    """
    return {base_id(one["id"]): tuple(one["in"]) for status in statuses for one in status["resources"]}


def base_id(resource: str) -> str:
    """The id of a resource without the number of its instance."""
    return resource.split(":")[0]
