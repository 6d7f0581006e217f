"""What a file server of the tests has of this checkout."""

from pathlib import Path

from support import REPOSITORY, module_list

PARTS = ("_modules", "_runners", "_states", "_utils", "haproxy_ha")


def formula(directory):
    """Two roots below a directory: the lists of modules, and links to what the formula consists of.

    Salt walks all of a root in each run without a master, and a checkout holds much more.
    """
    listed, linked = Path(directory) / "listed", Path(directory) / "linked"
    linked.mkdir(parents=True)
    for name in PARTS:
        (linked / name).symlink_to(REPOSITORY / name)
    return [module_list.write(listed), str(linked)]
