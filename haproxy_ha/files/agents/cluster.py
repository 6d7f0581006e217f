"""The cluster's own commands: Corosync's members, Pacemaker's status, the attributes of this node."""

import os
import time

import agent
from agent import Failure

RINGS = "/var/lib/corosync"
LONGEST = 5.0  # seconds for one answer
DISCONNECTED = 102  # CRM_EX_DISCONNECT: who is asked does not run


def ask(env):
    """This node's name, and crm_mon's XML.

    Raises:
        Failure: The cluster does not answer.
    """
    import xml.etree.ElementTree as ElementTree

    me = agent.run(["crm_node", "--name"], min(LONGEST, env.left)).stdout.strip()
    text = agent.run(["crm_mon", "--one-shot", "--inactive", "--output-as=xml"], min(LONGEST, env.left)).stdout
    try:
        return me, ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise Failure(agent.ERR_GENERIC, f"crm_mon: {error}") from None


def members(seconds):
    """The nodes of Corosync's list, lost ones too: name and state of each (`member` or `lost`).

    Not Pacemaker's own: each controller remembers a node that has been removed until it is told to forget it as well,
    and a pair that was three for a while would count as three (crm_node, Pacemaker 2.1.5).

    Args:
        seconds (float): How long the answer may take.

    Raises:
        Failure: The cluster does not answer.
    """
    values = _corosync(["nodelist.node.", "runtime.members."], seconds)
    nodes = [(key.removesuffix("nodeid"), value) for key, value in values.items() if key.endswith(".nodeid")]
    return [(values.get(f"{node}name", ""), _state(values, number)) for node, number in nodes]


def age(directory=RINGS):
    """Seconds since Corosync formed the membership of now; None where that cannot be told.

    It keeps the number of each in a file, from which it goes on after a boot (totemsrp.c, corosync_ring_id_store).

    Args:
        directory (str): Where it keeps it. Default: `state_dir` of corosync.conf's default.
    """
    try:
        files = [os.path.join(directory, name) for name in os.listdir(directory) if name.startswith("ringid_")]
        since = time.time() - max(os.stat(path).st_mtime for path in files)
    except (OSError, ValueError):
        return None
    return since if since >= 0 else None  # else the clock was set back


def own(key, seconds):
    """What Corosync's list says of this node; "" for nothing.

    Args:
        key (str): `name`, or `ring0_addr`, by which the others reach it on the first link.
        seconds (float): How long the answer may take.

    Raises:
        Failure: The cluster does not answer.
    """
    values = _corosync(["nodelist."], seconds)
    return values.get(f"nodelist.node.{values.get('nodelist.local_node_pos')}.{key}", "")


def _corosync(keys, seconds):
    text = agent.run(["corosync-cmapctl", *keys], seconds).stdout
    lines = [line.partition(" = ") for line in text.splitlines()]
    return {key.partition(" ")[0]: value.strip() for key, _, value in lines}


def _state(values, number):
    return "member" if values.get(f"runtime.members.{number}.status") == "joined" else "lost"


def nodes_with(name, seconds):
    """The nodes that have a transient attribute; None where the cluster does not answer, which is logged.

    Args:
        name (str): The attribute.
        seconds (float): How long the answer may take.
    """
    try:
        # An attribute that no node has had is an error of attrd_updater's.
        done = agent.run(["attrd_updater", f"--name={name}", "--query", "--all"], seconds, check=False)
    except Failure as failure:
        agent.log(f"{name} is unknown: {failure.reason}")
        return None
    if done.returncode == DISCONNECTED:
        agent.log(f"{name} is unknown: {done.stderr.strip()}")
        return None
    answers = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in done.stdout.splitlines()]
    return [answer["host"].strip('"') for answer in answers if answer.get("host") and answer.get("value", '""') != '""']


def change_attribute(name, change, seconds, node=None):
    """Changes a transient attribute of a node, or says in the log why it is not changed; tells whether it is.

    Args:
        name (str): The attribute.
        change (str): An option of attrd_updater.
        seconds (float): How long that may take.
        node (str): The node. Default: None, this one.
    """
    where = [f"--node={node}"] if node else []
    try:
        agent.run(["attrd_updater", f"--name={name}", change, *where], seconds)
    except Failure as failure:
        agent.log(f"{name} is not changed: {failure.reason}")
        return False
    return True
