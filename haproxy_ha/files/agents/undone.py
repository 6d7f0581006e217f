"""What this node has still, though it gave up what that stands for: each is a file, until it could be taken away.

Marks, as the cluster did not answer, and addresses that stay for a while. Whoever gave its claim up has no monitor any
more; HAProxy's runs on every node that does anything.
"""

import os

import agent

PREFIX, LEAVING = "haproxy_ha-undone-", "haproxy_ha-leaving-"
LONGEST = 1.0  # seconds: a monitor has more to do


def take_away(env, attribute, seconds):
    """Takes a transient attribute from this node, now or as soon as the cluster answers."""
    import cluster

    if cluster.change_attribute(attribute, "--delete", seconds):
        return
    try:
        agent.replace_file(_path(env, attribute), "")
    except agent.Failure as failure:
        agent.log(failure.reason)


def forget(env, attribute):
    """The attribute is meant again."""
    agent.remove_file(_path(env, attribute))


def retry(env):
    """Takes away what is left, where something is."""
    for attribute in left(env):
        import cluster

        if cluster.change_attribute(attribute, "--delete", min(LONGEST, env.left / 2)):
            forget(env, attribute)


def take_off(env, at_once=False):
    """Takes off the addresses whose time is over, or all of them."""
    addresses = left(env, LEAVING)
    if addresses:
        import leaving

        leaving.take_off(env, addresses, at_once)


def left(env, prefix=PREFIX):
    """The attributes that are to be taken away, or the addresses that stay."""
    try:
        names = os.listdir(env.state_directory)
    except OSError:
        return []
    return [name.removeprefix(prefix) for name in sorted(names) if name.startswith(prefix)]


def _path(env, attribute):
    return os.path.join(env.state_directory, f"{PREFIX}{attribute}")
