"""Keeps load balancers from upgrading their packages at the same moment, and the only one that serves from doing it.

    upgrades.py may-begin   unattended-upgrades asks, once a day
    upgrades.py wait        apt asks before it runs dpkg, with the packages' files on standard input
    upgrades.py done        apt has ended

Debian's pacemaker is stopped before it is unpacked, and started when all is configured; corosync restarts both. On one
load balancer that is a planned move of the address. On all at once it is an outage of many seconds.

What apt is about to stop, it stops with a claim: a transient attribute of the node, which ends with Pacemaker. Such
attributes reach all nodes in the same order, so of two that claim, one at least sees the other when it sees itself.
"""

import os
import random
import re
import sys
import time
from collections import namedtuple

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import agent  # noqa: E402
import cluster  # noqa: E402
from agent import Failure  # noqa: E402

AGENT = re.compile(r"ocf::?haproxy_ha:haproxy")
REACH, CLAIM = "haproxy_ha-reach", "haproxy_ha-upgrading"
CLAIMED = "/run/haproxy_ha.upgrading"  # apt's hook has something to end
STOPPING = re.compile(r"(corosync|pacemaker)_")  # packages whose scripts stop the cluster here
NOW = "HAPROXY_HA_UPGRADE"
PATIENCE = 300.0  # seconds; another one's upgrade takes as long as dpkg does
CLAIM_SECONDS = 3600  # what a killed apt has claimed counts no longer
SETTLED = 1.0  # seconds; the CIB may learn a moment later than the claim has gone that a node has left
ANSWER = 10.0
OVERDUE = 7 * 86400
STAMP = "/var/lib/apt/periodic/unattended-upgrades-stamp"
DROP_IN = "/etc/systemd/system/apt-daily-upgrade.service.d/haproxy_ha.conf"

Limit = namedtuple("Limit", "left")


def members(status):
    """The cluster's nodes in crm_mon's XML: {name: element}."""
    return {node.get("name"): node for node in status.findall("nodes/node") if node.get("type", "member") == "member"}


def is_left_alone(status, me):
    """Whether the cluster starts and stops nothing here (maintenance)."""
    options = status.find("summary/cluster_options")
    everywhere = options is not None and options.get("maintenance-mode") == "true"
    return everywhere or members(status)[me].get("maintenance") == "true"


def obstacles(me, status):
    """Why the others could not do without this node: sentences, none where they can.

    All of them have to be well: with three or four, one that is away is all that a quorum can spare.
    """
    nodes = members(status)
    if nodes[me].get("standby") == "true":  # it serves nothing
        return []
    reached = _reached(status)
    return [
        f"{name} {why}"
        for name, node in sorted(nodes.items()) if name != me
        for why in [_absence(node) or _weakness(name, me, status, reached)] if why
    ]  # fmt: skip


_ABSENCES = (
    ("online", "false", "is not online"), ("unclean", "true", "is lost"), ("pending", "true", "is joining the cluster"),
    ("shutdown", "true", "is leaving the cluster"), ("standby", "true", "is in standby"),
    ("maintenance", "true", "is in maintenance"),
)  # fmt: skip


def _absence(node):
    return next((words for key, value, words in _ABSENCES if node.get(key) == value), "")


def _weakness(name, me, status, reached):
    places = [one for one in status.iter("resource") if AGENT.fullmatch(one.get("resource_agent") or "")]
    if places and not any(_serves(one, name) for one in places):
        return "does not run HAProxy"
    return "reaches less than this one" if reached.get(name, 0) < reached.get(me, 0) and name in reached else ""


def _serves(resource, name):
    well = resource.get("role") == "Started" and resource.get("managed") == "true"
    ill = "true" in (resource.get("failed"), resource.get("orphaned"), resource.get("blocked"))
    return well and not ill and name in [node.get("name") for node in resource.findall("node")]


def _reached(status):
    return {
        node.get("name"): agent.number(entry.get("value"))
        for node in status.findall("node_attributes/node")
        for entry in node.findall("attribute") if entry.get("name") == REACH
    }  # fmt: skip


def refusal(me, status, day, overdue):
    """Why unattended-upgrades may not begin here; "" where it may.

    Each day is one load balancer's: an upgrade that spoils one is seen before the next one gets it, and automatic
    reboots at the same hour are on different days.

    Args:
        me (str): This node.
        status (Element): crm_mon's XML.
        day (int): The date's ordinal.
        overdue (bool): Nothing was upgraded here for a week: the others count no more, the day does.

    Returns:
        str: The reason.
    """
    names = sorted(members(status))
    turn = names[day % len(names)]
    if turn != me:
        return f"today is the day of {turn}"
    if overdue:
        return ""
    if is_left_alone(status, me):
        return "the cluster is in maintenance"
    return "; ".join(obstacles(me, status))


def may_begin():
    """Whether unattended-upgrades may begin: the code to exit with."""
    overdue = _age(STAMP) > OVERDUE and _age(DROP_IN) > OVERDUE
    try:
        why = refusal(*cluster.ask(Limit(ANSWER)), today(), overdue)
    except Failure as failure:
        # What serves nothing harms nobody. What serves without its cluster is in somebody's hands, or ill.
        why = "" if overdue or not _in_use("pacemaker", "haproxy") else failure.reason
    if why:
        agent.log(f"no upgrade now: {why}")
    return int(bool(why))


def today():
    import datetime

    return datetime.date.today().toordinal()


def _age(path):
    """Seconds since a file has changed; for ever where it is not there."""
    try:
        return time.time() - os.stat(path).st_mtime
    except OSError:
        return float("inf")


def _in_use(*units):
    said = agent.run(["systemctl", "is-active", *units], ANSWER, check=False).stdout.split()
    return any(word not in ("inactive", "failed", "unknown") for word in said)


def stops_cluster(names):
    """Whether one of the packages' files is of those whose scripts stop Corosync or Pacemaker."""
    return any(STOPPING.match(os.path.basename(name.strip())) for name in names)


def wait(names, environ, patience=PATIENCE):
    """Waits until this node may stop, and claims it: the code to exit with, 1 where it may not in time."""
    if not stops_cluster(names) or environ.get(NOW) == "now":
        return 0
    deadline, told = time.monotonic() + patience, ""
    while True:
        why = _claimed_or_why_not()
        if not why:
            return 0
        if time.monotonic() >= deadline:
            agent.log(f"haproxy_ha: nothing is upgraded, because Pacemaker would be stopped here, and {why}. Ways out:"
                      f" wait; this one in standby; the cluster in maintenance; {NOW}=now in apt's environment")
            return 1
        if why != told:
            agent.log(f"haproxy_ha: waiting, at most {patience:.0f} s, before Pacemaker is stopped here: {why}")
            told = why
        time.sleep(random.uniform(0.5, 1.5))  # two that meet must not meet again


def _claimed_or_why_not():
    try:
        why = _why_not()
        if why is None:
            return ""
        return why or _claim()
    except Failure as failure:
        return failure.reason if _in_use("pacemaker") else ""


def _why_not():
    """Why this node may not stop now; None where nobody has to be asked, because nothing stops or nobody is left."""
    me, status = cluster.ask(Limit(ANSWER))
    if len(members(status)) < 2 or is_left_alone(status, me):
        return None
    return "; ".join(obstacles(me, status))


def _claim():
    """Claims, and looks again: "", or why the claim was given up."""
    me = agent.run(["crm_node", "--name"], ANSWER).stdout.strip()
    agent.replace_file(CLAIMED, "")
    _attribute("--update", str(int(time.time())))
    try:
        why = _others_claim(me) or _why_not() or ""
        if not why:
            time.sleep(SETTLED)
            why = _why_not() or ""
    except Failure:
        give_up()
        raise
    if why:
        give_up()
    return why


def _others_claim(me):
    deadline = time.monotonic() + ANSWER
    while me not in (found := claims()):
        if time.monotonic() > deadline:
            return "the cluster does not take a node's attribute"
        time.sleep(0.05)
    others = sorted(name for name, since in found.items() if name != me and time.time() - since < CLAIM_SECONDS)
    return f"{', '.join(others)} upgrades" if others else ""


_VALUE = re.compile(r'host="([^"]+)"\s+value="(\d+)"')


def claims():
    """Who is upgrading, since when, in the order in which all nodes see it: {node: seconds since the epoch}."""
    done = _attribute("--all", "--query", check=False)
    return {host: int(value) for host, value in _VALUE.findall(done.stdout)}


def _attribute(*what, check=True):
    return agent.run(["attrd_updater", "--name", CLAIM, *what], ANSWER, check)


def give_up():
    """Takes the claim back; one that ended with Pacemaker is gone already."""
    _attribute("--delete", check=False)
    agent.remove_file(CLAIMED)
    return 0


def main(argv):
    """One action; whoever waits is told why. A slip of ours keeps nobody from an upgrade by hand."""
    try:
        if argv[1:] == ["may-begin"]:
            return may_begin()
        if argv[1:] == ["wait"]:
            return wait(sys.stdin.read().splitlines(), os.environ)
        if argv[1:] == ["done"]:
            return give_up()
    except Exception as error:  # noqa: BLE001
        agent.log(f"haproxy_ha: unexpected {type(error).__name__}: {error}")
        return int(argv[1] == "may-begin")
    print("usage: upgrades.py may-begin|wait|done", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
