"""The tutorial, told by the lab: what its reader would do and see."""

from __future__ import annotations

import json

from . import lab, salt
from .audit import active, settle
from .machine import machine
from .shell import LabError, say, wait_for
from .topology import BALANCERS, FLOATING_IP, HOSTS, MINIONS
from .traffic import ask, probe


def main(keep: bool = False, salt_release: str = "3008") -> None:
    """Build the system on a fresh lab, use it, break it, and take the lab away unless ``keep``."""
    lab.up(salt_release)
    try:
        salt.sync()
        _apply()
        _alternate()
        _crm_status()
        _lose(active())
        if keep:
            print("\nThe lab stays: `make lab-enter HOST=primary` enters a host, `make lab-down` takes it away.")
    finally:
        if not keep:
            say("taking the lab away")
            lab.down()


def _apply() -> None:
    say("salt '*' state.apply haproxy_ha, which takes about half a minute, and ten minutes at most")
    results = salt.call("state.apply", "haproxy_ha")
    for name in MINIONS:
        states = results.get(name)
        if not isinstance(states, dict):
            raise LabError(f"{name}: {json.dumps(states)}")
        failed = [state for state in states.values() if state["result"] is not True]
        changed = sum(bool(state["changes"]) for state in states.values())
        print(f"  {name:10} {len(states) - len(failed)} states succeeded, {changed} changed, {len(failed)} failed")
        for state in failed:
            print(f"    {state.get('__id__')}: {state['comment']}")
        if failed:
            raise LabError(f"{name} did not converge")


def _alternate() -> None:
    say(f"client: curl {FLOATING_IP}, six times")
    answers = [ask() for _ in range(6)]
    for _, body in answers:
        print(f"  {body}")
    if {status for status, _ in answers} != {200} or answers[:2] * 3 != answers or answers[0] == answers[1]:
        raise LabError("the answers do not alternate between the app servers")


def _crm_status() -> None:
    say(f"{BALANCERS[0]}: crm_mon -1")
    text = machine(BALANCERS[0]).run("crm_mon", "-1").stdout
    print("\n".join(f"  {line}" for line in text.splitlines() if line.strip()))


def _lose(victim: str) -> None:
    survivor = next(name for name in BALANCERS if name != victim)
    say(f"cutting the power of {victim}, the active balancer, while the client asks every 50 ms")
    with probe() as record:
        machine(victim).power_off()
        wait_for(f"{survivor} to serve", lambda: active() == survivor and ask()[0] == 200, 60)
    good = len(record.samples) - len(record.failed)
    print(f"  {good} answers, {len(record.failed)} requests failed, longest gap {record.longest_gap:.2f} s")
    print(f"  FloatIP is on {survivor}; the client now gets:")
    for _ in range(2):
        print(f"    {ask()[1]}")
    line = machine("app-1").run("tail", "-n", "1", "/var/log/nginx/access.log").stdout.strip()
    print(f"  app-1's access log names {survivor} ({HOSTS[survivor].private}) and the client:\n    {line}")
    say(f"{victim} gets its power back")
    machine(victim).power_on()
    machine(victim).wait_booted()
    print(f"  both balancers are healthy again; FloatIP is on {settle()}")
