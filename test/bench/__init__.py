"""Benchmarks of the cluster configuration: what is compared runs in one container, one after the other.

``make bench`` prints the figures and writes them, with every sample, to ``bench.json``.
"""
