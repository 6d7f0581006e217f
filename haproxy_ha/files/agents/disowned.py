"""Takeovers of this machine that count no more, as it stood still since: another one may have taken the address.

Both may claim it when it is back, and a mark from before would draw it to the one that knew nothing (claims.Takeover).
"""

import os

import agent
import claims
import told
import undone


def takeovers(directory):
    """Takes them away, without waiting for the cluster; what is in vain now is done by HAProxy's monitor."""
    for name, path in remembered(directory):
        try:
            agent.replace_file(undone.path_of(directory, name), "")
        except agent.Failure as failure:
            agent.log(failure.reason)
            continue
        agent.log(f"this node stood still: {name}, from before, counts no more")
        told.begin(f"--name={name}", "--delete")
        agent.remove_file(path)


def remembered(directory):
    """(the attribute, the file) of each takeover."""
    try:
        paths = [os.path.join(directory, one) for one in sorted(os.listdir(directory)) if one.endswith(claims.TAKEOVER)]
    except OSError:
        return []
    found = [((agent.read_file(path) or "").partition(" ")[0], path) for path in paths]
    return [(name, path) for name, path in found if name.isascii() and name.replace("-", "").isidentifier()]
