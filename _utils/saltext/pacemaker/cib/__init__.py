"""
The configuration section of a Pacemaker CIB as data: read it, compare it with what is desired, edit it.
"""
