"""Pacemaker's own scheduler and status, asked with the CIB that a history has reached.

A CIB is written so that two histories in the same state have the same text: numbers of calls are ranks, moments are
either over or not. So what has been asked before is known.
"""

from __future__ import annotations

import functools
import hashlib
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from saltext.pacemaker.cib import plan
from saltext.pacemaker.cib.document import Document
from support.pillars import valid

NOW = 2_000_000_000
NOW_WRITTEN = "2033-05-18 03:33:20Z"
NOBODY = "00000000-0000-0000-0000-000000000000"
FAILURES_COUNT = {"FloatIP": 120.0, "haproxy": 60.0, "fencing": 120.0}
"""failure-timeout of each resource; test_simulation.py compares it with the configuration."""
THIRD = {"load_balancers:tertiary": {"private_ip": "10.132.20.12", "anchor_ip": "10.17.1.20"}}
PENDING, DONE, CANCELLED, TIMED_OUT, FAILED = -1, 0, 1, 2, 4
TIMEOUTS = {("FloatIP", 10000): "20000", ("haproxy", 5000): "10000", ("fencing", 60000): "20000"}
FENCED = {"cluster:fencing": {"enabled": True}}
OCF = 'class="ocf" provider="haproxy_ha"'
KINDS = {
    "FloatIP": f'{OCF} type="floatip"', "haproxy": f'{OCF} type="haproxy"',
    "fencing": 'class="stonith" type="fence_haproxy_ha_digitalocean"',
}  # fmt: skip
PARAMETERS = {
    "FloatIP": {"address": "203.0.113.10"}, "haproxy": {}, "fencing": {"ca_file": "/etc/ssl/certs/ca-certificates.crt"},
}  # fmt: skip


class Config(NamedTuple):
    """What operators change of the configuration, beside the formula's own."""

    nodes: tuple[str, ...]
    standby: frozenset[str] = frozenset()
    bans: frozenset[tuple[str, str]] = frozenset()
    maintenance: bool = False
    fencing: bool = False
    version: int = 0


class Operation(NamedTuple):
    """An entry of a node's history."""

    resource: str
    task: str
    interval: int
    call: int
    rc: int
    target: int
    status: int
    when: float

    @property
    def expected(self) -> bool:
        """Degraded is well enough."""
        return self.status == DONE and {190: 0}.get(self.rc, self.rc) == self.target

    @property
    def failed(self) -> bool:
        """A probe that finds what nobody expected there has not failed."""
        found = self.task == "monitor" and not self.interval and self.status == DONE and self.rc in (0, 7, 190)
        return not (self.status in (PENDING, CANCELLED) or self.expected or found)


class Member(NamedTuple):
    """A node, as a partition's CIB has it."""

    number: int
    name: str
    online: bool
    clean: bool
    history: Mapping[str, Mapping[str, Operation]]
    attributes: Mapping[str, str]


class Action(NamedTuple):
    """An action of a transition; `delay` is for one that fences, in seconds."""

    id: str
    kind: str
    task: str
    resource: str
    node: str
    interval: int
    timeout: float
    target: int
    inputs: tuple[str, ...]
    delay: float = 0.0


# --- The CIB


@functools.cache
def formula_configuration(number: int, without: tuple[str, ...] = (), fencing: bool = False) -> str:
    """The configuration that the formula commits, for so many nodes."""
    wanted = valid({**(THIRD if number > 2 else {}), **(FENCED if fencing else {})}).cluster.configuration
    for path in without:
        section, name = path.split("/")
        wanted = {**wanted, section: {key: one for key, one in wanted[section].items() if key != name}}
    names = [f"node-{at + 1}" for at in range(number)]
    return plan.make(Document.empty(names), wanted, "haproxy_ha").after.text()


@functools.lru_cache(maxsize=1024)
def configuration(config: Config, number: int, without: tuple[str, ...]) -> str:
    text = formula_configuration(number, without, config.fencing)
    for at in range(1, number + 1):
        name = f"node-{at}"
        old = f'<node id="{at}" uname="{name}" />'
        standby = nvpairs(f"nodes-{at}", {"standby": "on"}) if name in config.standby else ""
        text = text.replace(old, old.replace(" />", f">{standby}</node>") if name in config.nodes else "")
    bans = "".join(
        f'<rsc_location id="cli-ban-{resource}-on-{name}" rsc="{resource}" role="Started" node="{name}"'
        ' score="-INFINITY"/>' for resource, name in sorted(config.bans)
    )  # fmt: skip
    text = text.replace("</constraints>", f"{bans}</constraints>")
    if config.maintenance:
        more = '<nvpair id="maintenance" name="maintenance-mode" value="true"/></cluster_property_set>'
        text = text.replace("</cluster_property_set>", more)
    return text


def nvpairs(id: str, values: Mapping[str, str]) -> str:
    pairs = "".join(
        f'<nvpair id="{id}-{at}" name="{name}" value="{values[name]}"/>' for at, name in enumerate(sorted(values))
    )
    return f'<instance_attributes id="{id}">{pairs}</instance_attributes>' if pairs else ""


def cib(text: str, members: Iterable[Member], dc: int, quorum: bool, now: float) -> str:
    """The whole CIB."""
    status = "".join(node_state(member, now) for member in members)
    root = f'<cib have-quorum="{int(quorum)}" dc-uuid="{dc}" crm_feature_set="3.16.2" '
    return text.replace("<status />", f"<status>{status}</status>").replace("<cib ", root)


def node_state(member: Member, now: float) -> str:
    if not member.online:
        expected = "down" if member.clean else "member"
        return (
            f'<node_state id="{member.number}" uname="{member.name}" in_ccm="false" crmd="offline" join="down"'
            f' expected="{expected}">{lrm(member, now)}</node_state>'
        )
    attributes = {name: value_of(name, value, now) for name, value in member.attributes.items()}
    return (
        f'<node_state id="{member.number}" uname="{member.name}" in_ccm="true" crmd="online" join="member"'
        f' expected="member"><transient_attributes id="{member.number}">'
        f"{nvpairs(f'status-{member.number}', attributes)}</transient_attributes>"
        f"{lrm(member, now)}</node_state>"
    )


def lrm(member: Member, now: float) -> str:
    """A node's history."""
    ranks = ranked(member.history)
    resources = "".join(
        f'<lrm_resource id="{resource}" {KINDS[resource]}>'
        + "".join(entry(name, member.history[resource][name], ranks, now) for name in sorted(member.history[resource]))
        + "</lrm_resource>"
        for resource in sorted(member.history)
    )
    return f'<lrm id="{member.number}"><lrm_resources>{resources}</lrm_resources></lrm>' if resources else ""


def ranked(history: Mapping[str, Mapping[str, Operation]]) -> dict[int, int]:
    calls = sorted({operation.call for entries in history.values() for operation in entries.values()})
    return {call: rank for rank, call in enumerate(calls, 1)}


def value_of(name: str, value: str, now: float) -> str:
    """A transient attribute, with the moment of a failure as far as it matters."""
    if not name.startswith("last-failure-"):
        return value
    resource = name.removeprefix("last-failure-").partition("#")[0]
    return str(moment(resource, float(value), now))


def moment(resource: str, when: float, now: float) -> int:
    return NOW - (10 if now - when < FAILURES_COUNT[resource] else 1000)


def entry(name: str, operation: Operation, ranks: Mapping[int, int], now: float) -> str:
    resource, task, interval = operation.resource, operation.task, operation.interval
    when = moment(resource, operation.when, now) if operation.failed else NOW - 1000
    key = f"1:1:{operation.target}:{NOBODY}"
    return (
        f'<lrm_rsc_op id="{resource}_{name}" operation_key="{resource}_{task}_{interval}" operation="{task}"'
        f' crm_feature_set="3.16.2" transition-key="{key}"'
        f' transition-magic="{operation.status}:{operation.rc};{key}" call-id="{ranks[operation.call]}"'
        f' rc-code="{operation.rc}" op-status="{operation.status}" interval="{interval}" last-rc-change="{when}"'
        f' exec-time="0" queue-time="0" op-digest="{digest(resource, interval)}"/>'
    )


@functools.cache
def digest(resource: str, interval: int) -> str:
    """By which Pacemaker knows that an operation was made with the parameters of now."""
    values = dict(PARAMETERS[resource])
    if interval:
        values["CRM_meta_timeout"] = TIMEOUTS[resource, interval]
    text = "".join(f' {name}="{values[name]}"' for name in sorted(values))
    return hashlib.md5(f" <parameters{text}/>\n".encode(), usedforsecurity=False).hexdigest()


# --- What Pacemaker makes of it


class Asked:
    """How often Pacemaker's programs were needed, and how often the answer was known."""

    def __init__(self) -> None:
        self.runs = self.known = 0


ASKED = Asked()
GRAPHS: dict[str, tuple[dict[str, Action], str]] = {}
VIEWS: dict[str, str] = {}


def transition(text: str) -> tuple[dict[str, Action], str]:
    """The actions that Pacemaker wants, by their ids, and how it counts a failed stop and start."""
    if text not in GRAPHS:
        ASKED.runs += 1
        command = ["crm_simulate", "--run", "--quiet", "--xml-pipe", "--save-graph=/dev/stdout", "-t", NOW_WRITTEN]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, close_fds=False)
        begin = done.stdout.find("<transition_graph")
        if done.returncode or begin < 0:
            raise RuntimeError(f"crm_simulate: {done.stdout[-500:]} {done.stderr[-500:]}\n{text}")
        GRAPHS[text] = graph(ET.fromstring(done.stdout[begin:]))
    else:
        ASKED.known += 1
    return GRAPHS[text]


def graph(root: ET.Element) -> tuple[dict[str, Action], str]:
    actions = [action(synapse) for synapse in root]
    return {one.id: one for one in actions}, root.get("failed-start-offset", "INFINITY")


def action(synapse: ET.Element) -> Action:
    found = synapse.find("action_set")[0]  # type: ignore[index]
    inputs = tuple(trigger[0].get("id", "") for trigger in synapse.find("inputs") or ())
    attributes = found.find("attributes")
    meta = {} if attributes is None else attributes.attrib
    primitive = found.find("primitive")
    return Action(
        found.get("id", ""), found.tag, found.get("operation", ""),
        "" if primitive is None else primitive.get("id", ""), found.get("on_node", ""),
        int(meta.get("CRM_meta_interval", "0")), int(meta.get("CRM_meta_timeout", "20000")) / 1000,
        int(meta.get("CRM_meta_op_target_rc", "0")), inputs, float(meta.get("CRM_meta_priority_fencing_delay", "0")),
    )  # fmt: skip


def view(text: str) -> str:
    """crm_mon's XML."""
    if text not in VIEWS:
        ASKED.runs += 1
        done = subprocess.run(
            ["crm_mon", "--one-shot", "--inactive", "--output-as=xml"], capture_output=True, text=True, check=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "CIB_file": "/dev/stdin"}, input=text,
        )  # fmt: skip
        VIEWS[text] = done.stdout
    else:
        ASKED.known += 1
    return VIEWS[text]
