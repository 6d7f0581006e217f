"""A minion as a module of Salt would tell of it, for what is below the modules: without Salt's loader."""

from haproxy_ha_host.minion import Minion
from support import REPOSITORY
from support.pillars import EXAMPLE

MODULES = str(REPOSITORY / "_modules")
FUNCTIONS = ("pacemaker.plan", "digitalocean.metadata")


def minion(tree=EXAMPLE, saltenv="base", context=None, functions=None, pillar=None, **opts):
    """
    tree: what pillar has below haproxy_ha; pillar: all of it, in its place; functions: {name: function} of Salt's;
    opts: of the minion's configuration.
    """
    salt = {**dict.fromkeys(FUNCTIONS, lambda *_: {}), "cp.cache_file": _cached, **(functions or {})}
    grains = {"os_family": "Debian", "osfinger": "Debian-12"}
    whole = {"haproxy_ha": tree} if pillar is None else pillar
    kept = {} if context is None else context
    return Minion(salt, {"id": "primary", **opts}, grains, whole, kept, MODULES, saltenv)


def _cached(source, saltenv):
    """This checkout as the file server of the environment base."""
    path = REPOSITORY / source.removeprefix("salt://")
    return str(path) if saltenv == "base" and path.exists() else ""
