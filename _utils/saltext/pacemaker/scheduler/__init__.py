"""
What Pacemaker's scheduler would do, and how much of it is allowed.
"""
