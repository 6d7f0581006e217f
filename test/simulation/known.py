"""Fixes of this repository's past, to be taken out again: the simulation has to find what they mended."""

from __future__ import annotations

from simulation.world import Setting

KNOWN = {
    # 246d55f: both claim the address at the end of a partition, and the right one is stopped.
    "the partition's end": Setting(
        edits={"floating.py": (("        takeover.begin()\n", "        pass\n"),)},
        without=("locations/FloatIP-takeover",),
    ),
    # ba174ad, 013c169: what the other side serves is left to it by failing, and three failures are a ban.
    "the history's ban": Setting(
        edits={"floating.py": (
            ('        claim.stand_by(env["address"])\n        return agent.SUCCESS\n',
             "        raise Failure(agent.ERR_GENERIC, str(text)) from None\n"),
            ("        if not env.is_probe and partition.reason_to_stand_by(env) and stands_by(env, claim):\n",
             "        if False:\n"),
        )},
    ),
    # One of two that was powered off comes back alone, and powers off the one that serves.
    "the fence loop": Setting(waits=False),
    # 6399075: a node that has left for good counts as lost.
    "the forgotten node": Setting(forgets=False),
}  # fmt: skip

SELDOM = {
    # The fencer carries out a request whose node is back, and serves.
    "the waiting request": Setting(
        edits={"returned.py": (("    deadline = time.monotonic() + JOINING\n", "    return False\n"),)}
    ),
}
"""The same, where one in some thousands of histories finds it: its story does."""
