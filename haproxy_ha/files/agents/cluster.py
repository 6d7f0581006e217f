"""Pacemaker's own commands: its status, its members, the attributes of this node."""

import agent
from agent import Failure

LONGEST = 5.0  # seconds for one answer


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
    """The cluster's nodes, lost ones too: the words id, name and state of each.

    Args:
        seconds (float): How long the answer may take.

    Raises:
        Failure: The cluster does not answer.
    """
    lines = agent.run(["crm_node", "-l"], seconds).stdout.splitlines()
    return [line.split() for line in lines if line.strip()]


def change_attribute(name, change, seconds):
    """Changes a transient attribute of this node, or says in the log why it is not changed; tells whether it is.

    Args:
        name (str): The attribute.
        change (str): An option of attrd_updater.
        seconds (float): How long that may take.
    """
    try:
        agent.run(["attrd_updater", f"--name={name}", change], seconds)
    except Failure as failure:
        agent.log(f"{name} is not changed: {failure.reason}")
        return False
    return True
