"""How long a client goes without an answer: this formula, keepalived and the tutorial, in one lab and one run.

``make bench-failover`` runs everything, which takes hours; ``python3 -m bench.failover --help`` says how to run a part.
"""
