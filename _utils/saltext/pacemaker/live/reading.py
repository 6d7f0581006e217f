"""
What a cluster, or a saved CIB, is asked: its configuration, its state, what the scheduler would do.
"""

from __future__ import annotations

import contextlib
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import TypeVar

from saltext.pacemaker.cib import document as cib
from saltext.pacemaker.cib.document import Document
from saltext.pacemaker.errors import CibError, Failed
from saltext.pacemaker.live import files
from saltext.pacemaker.live.machine import Machine, failed
from saltext.pacemaker.scheduler import simulation
from saltext.pacemaker.status import history, summary
from saltext.pacemaker.types import Actions, Data, Element

T = TypeVar("T")

SIMULATE = ("crm_simulate", "--run", "--xml-pipe", "--output-as=xml")
VERIFY = ("crm_verify", "--xml-pipe", "--verbose")


def text(machine: Machine, cib_file: str | None = None) -> str:
    """The CIB as XML."""
    if cib_file is not None:
        return files.read(cib_file)
    for name in ("CIB_shadow", "CIB_file"):
        if os.environ.get(name):
            raise Failed(
                f"{name} is set in the environment: Pacemaker's tools would not work on the live cluster. Unset it, "
                "or give cib_file."
            )
    code, output, _ = machine.run("cibadmin", "--query")
    if code:
        raise failed("The cluster's configuration cannot be read", code)
    return output


def document(text_of_cib: str) -> Document:
    """A CIB's text as a Document."""
    return _parse(cib.Document.parse, text_of_cib)


def tree(text_of_cib: str) -> Element:
    """A CIB's text as an element tree."""
    return _parse(cib.tree, text_of_cib)


def _parse(parse: Callable[[str], T], text_of_cib: str) -> T:
    try:
        return parse(text_of_cib)
    except CibError as problem:
        raise Failed(f"The CIB cannot be worked with: {problem}") from None


def export(machine: Machine, cib_file: str | None, owner: str, secrets: bool = False) -> Data:
    """The configuration as data; see cib.document.export."""
    return cib.export(document(text(machine, cib_file)), owner=owner, secrets=secrets)


def simulate(machine: Machine, cib_file: str | None = None) -> Actions:
    """What the scheduler would do with the configuration as it is."""
    return run_scheduler(machine, text(machine, cib_file))[1]


def run_scheduler(machine: Machine, text_of_cib: str) -> tuple[Data, Actions]:
    """(status, actions) of the scheduler for a CIB."""
    return read_scheduler(*machine.run(*SIMULATE, stdin=text_of_cib)[:2])


def read_scheduler(code: int, output: str, which: str = "that the cluster has") -> tuple[Data, Actions]:
    """(status, actions) of what crm_simulate has returned for a configuration."""
    if code == 0:
        with contextlib.suppress(ValueError):
            return simulation.parse(output)
    raise failed(f"The scheduler cannot work with the configuration {which}", code)


def probes(machine: Machine, text_of_cib: str) -> set[tuple[str, str]]:
    """{(resource id, node name)} of the probes that the scheduler has still to ask for."""
    with files.handed("") as [path]:
        code, _, _ = machine.run(*SIMULATE, f"--save-graph={path}", stdin=text_of_cib)
        graph = files.read(path)
    try:
        return simulation.probes(graph)
    except ValueError:
        raise failed("The scheduler has not said what it would look for", code) from None


def running(machine: Machine) -> bool:
    """Whether Pacemaker runs on this machine, so that its CIB can be read."""
    try:
        return machine.run("cibadmin", "--query")[0] == 0
    except Failed:
        return False


def status(machine: Machine) -> Data:
    """The cluster's state; see status.summary."""
    code, output, _ = machine.run("crm_mon", "--one-shot", "--inactive", "--output-as=xml")
    try:
        root = ET.fromstring(output)
    except ET.ParseError:
        raise failed("The cluster's state cannot be read", code or 102) from None
    if code:
        raise failed("The cluster's state cannot be read", code)
    return summary.summary(root)


def nodes_with(machine: Machine, provider: str) -> list[str]:
    """The sorted names of the nodes on which agents of a provider have answered."""
    return sorted(history.nodes_with(tree(text(machine)), provider))


def node_name(machine: Machine) -> str:
    """This machine's name in the cluster."""
    code, output, _ = machine.run("crm_node", "--name")
    if code or not output.strip():
        raise failed("This node's name is not known", code or 102)
    return output.strip()


def remembered(machine: Machine) -> list[str]:
    """The sorted names of nodes that are no members and that this machine's controller remembers (crm_node(8))."""
    code, output, _ = machine.run("crm_node", "--list")
    rows = [] if code else [line.split() for line in output.splitlines()]
    return sorted(row[1] for row in rows if len(row) == 3 and row[2] != "member" and row[1] != "(null)")


def metadata(machine: Machine, agent: str) -> str | None:
    """What an agent says of itself; None if it is not installed here."""
    code, output, _ = machine.run("crm_resource", "--show-metadata", agent)
    return None if code else output
