"""
The engine at work on a machine: its commands, a running cluster, saved CIBs.
"""
