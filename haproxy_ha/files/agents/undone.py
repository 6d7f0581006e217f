"""What this node has still, though it gave up what that stands for: each is a file, until it could be taken away.

Marks, as the cluster did not answer, addresses that stay for a while, and what is told to the kernel as one comes.
Whoever gave its claim up has no monitor any more; HAProxy's runs on every node that does anything.
"""

import os

import agent

PREFIX, LEAVING, RULES = "haproxy_ha-undone-", "haproxy_ha-leaving-", "haproxy_ha-rules"
LONGEST = 1.0  # seconds: a monitor has more to do


def take_away(env, attribute, seconds):
    """Takes a transient attribute from this node, now or as soon as the cluster answers."""
    import cluster

    if cluster.change_attribute(attribute, "--delete", seconds):
        return
    try:
        agent.replace_file(path_of(env.state_directory, attribute), "")
    except agent.Failure as failure:
        agent.log(failure.reason)


def forget(env, attribute):
    """The attribute is meant again."""
    agent.remove_file(path_of(env.state_directory, attribute))


def retry(env):
    """Takes away what is left, where something is."""
    for attribute in left(env):
        import cluster

        if cluster.change_attribute(attribute, "--delete", min(LONGEST, env.left / 2)):
            forget(env, attribute)


def take_off(env, at_once=False):
    """Takes off the addresses, and the rules, whose time is over, or all of them."""
    addresses = left(env, LEAVING)
    if addresses:
        import leaving

        leaving.take_off(env, addresses, at_once)
    if left(env, RULES):
        import rules

        rules.take_off(env, at_once)


def left(env, prefix=PREFIX):
    """The attributes that are to be taken away, or the addresses that stay."""
    try:
        names = os.listdir(env.state_directory)
    except OSError:
        return []
    return [name.removeprefix(prefix) for name in sorted(names) if name.startswith(prefix)]


def path_of(directory, attribute):
    """The file that stands for an attribute, in the directory where agents remember things."""
    return os.path.join(directory, f"{PREFIX}{attribute}")
