"""
How a cluster stands: nodes, resources, what has become of operations, what is wrong.
"""
