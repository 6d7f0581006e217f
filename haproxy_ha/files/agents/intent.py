"""What the cluster intends with this node: whether it is being vacated, and whether HAProxy is to run here."""

import time

import agent
import cluster
from agent import Failure
from systemd_unit import primitive

UNANSWERED = 2.0  # seconds for which a cluster that does not answer is asked again, before HAProxy is stopped


def serve_until_moved(env):
    """Waits until the address runs on another node, if the cluster is about to move it: clients are still sent here."""
    deadline = time.monotonic() + env.left / 2
    patience = idle = min(deadline, time.monotonic() + UNANSWERED)
    while True:
        now = time.monotonic()
        try:
            me, status = cluster.ask(env)
            leaving = is_left_behind(env, me, status)
            patience = min(deadline, now + UNANSWERED)
            idle = patience if something_else_is_under_way(env, me, status) else idle
        except Failure as failure:
            # A question that failed once says nothing about the address.
            leaving = now < patience
            agent.log(f"the cluster cannot be asked{'' if leaving else ', and clients may still be sent here'}:"
                      f" {failure.reason}")  # fmt: skip
        if not leaving:
            return
        if now >= idle:
            # Its plan was overtaken by an event: it begins nothing before this stop has ended.
            agent.log(f"{env['serve_until_moved']} has not left this node, and the cluster does nothing about it")
            return
        if now >= deadline:
            agent.log(f"{env['serve_until_moved']} has not left this node in time")
            return
        time.sleep(0.1)


def something_else_is_under_way(env, me, status):
    """Whether the cluster waits for anything but this action: it shows that in roles, that of a monitor beside them."""
    return any(
        (found.get("pending") or found.get("role", "").endswith("ing"))
        and (found.get("id"), me) != (primitive(env), node.get("name"))
        for found in status.iter("resource") for node in found.findall("node")
    )  # fmt: skip


def is_left_behind(env, me, status):
    """Whether this node is being vacated while the address is on no other node, though one could have it.

    A restart in place, and a failure of HAProxy, are no reason to wait: the address stays then.
    """
    leaving = {node.get("name"): "true" in (node.get("standby"), node.get("shutdown"))
               for node in status.findall("nodes/node") if node.get("online") == "true"}  # fmt: skip
    places = {resource.get("id"): set() for resource in status.iter("resource")}
    for resource in status.iter("resource"):
        # A resource whose first recurring monitor is under way is Started, and pending. So is one whose start failed:
        # to wait for it would be in vain, as the cluster tries again when this stop has ended.
        if resource.get("role") == "Started":
            places[resource.get("id")] |= {node.get("name") for node in resource.findall("node")}
    others = {name for name, left in leaving.items() if not left and name != me}
    stays = {
        resource.get("id") for resource in status.iter("resource")
        if resource.get("target_role") == "Stopped" or resource.get("managed") == "false"
    }  # fmt: skip
    candidates = others & places.get(primitive(env), set())
    waited_for = [name for name in places if is_address(env, name) and name not in stays and not places[name] - {me}]
    return bool(leaving.get(me) and candidates and waited_for)


def is_address(env, name):
    """Whether a resource is an address that leaves a node before HAProxy is stopped there."""
    return name == env["serve_until_moved"] or name.startswith(f"{env['serve_until_moved']}-")


def is_expected_to_run(env, me, status):
    """Whether the cluster has the resource on this node, manages it, and is not about to look or act by itself."""
    return any(
        found.get("id") == primitive(env) and found.get("role") == "Started" and found.get("managed") == "true"
        and not found.get("pending") and me in [node.get("name") for node in found.findall("node")]
        for found in status.iter("resource")
    )  # fmt: skip
