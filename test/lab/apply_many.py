"""Applies an SLS each time it is told to; runs inside a host with Salt's own Python, which starts only once.

    apply_many.py SLS

For each line of standard input it runs ``state.apply SLS``, and prints what that returned as one JSON line.
"""

import json
import sys

import salt.client

caller = salt.client.Caller()
print("ready", flush=True)
for _ in sys.stdin:
    print(json.dumps(caller.cmd("state.apply", sys.argv[1])), flush=True)
