"""The faults, by class. A fault that is one line here is injected on real hosts, under traffic."""

from __future__ import annotations

from . import api, clock, cluster, haproxy, host, links, members, salt_faults, servers, stories, upgrades, watcher
from .fault import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for module in (haproxy, cluster, links, api, host, members, salt_faults, clock, servers, upgrades, watcher, stories)
    for fault in module.FAULTS
}
