"""The lists that tell minions what belongs to the states, made from what is there."""

from pathlib import Path

from support import REPOSITORY
from tools import lists

LISTED = lists.MODULES


def write(directory, root=REPOSITORY):
    """Put the lists below a directory, which precedes the repository among a file server's roots, and return that."""
    lists.write(Path(root), Path(directory))
    return str(directory)
