"""The lab: real hosts on one Linux machine, in which the formula is run and broken on purpose.

``python3 -m lab up`` (with ``PYTHONPATH=test``) builds it; ``python3 -m lab --help`` lists the rest.
"""
