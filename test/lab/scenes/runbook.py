"""docs/runbook.md: each symptom is made, its commands say what the page has them say, and end it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from lab import audit, cloud, network, salt
from lab.machine import machine
from lab.scenes.stage import move_to, scene
from lab.shell import LabError, wait_for
from lab.simulator import control
from lab.topology import APP_SERVERS, BALANCERS, HOSTS
from lab.typed import Page
from support import REPOSITORY

PAGE = "docs/runbook.md"
WITHIN = 90  # seconds until a symptom shows
LOOKS = re.compile(r"haproxy_ha\.(overview|preflight)$|^crm_mon")


def told_of(heading: str) -> list[tuple[str, list[str]]]:
    """The commands of a section, in order, each with what it says."""
    text = (REPOSITORY / PAGE).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found: list[tuple[str, list[str]]] = []
    for command, block in re.findall(r"(?m)^    (\S.*)$|```text\n([^`]*)```", text):
        if command:
            found.append((command, []))
        else:
            found[-1][1].extend(block.splitlines())
    return found


def missing(said: str, lines: list[str]) -> list[str]:
    """Which of these lines were not printed, wherever lines break."""
    said = " ".join(said.split())
    return [line for line in lines if line not in said]


def follow(
    typed: Page, host: str = "master", red: bool = False, mend: Callable[[], object] | None = None, before: int = 1
) -> None:
    """
    Type all; each says what the page has it say. Those that only look are waited for.

    host
        Where the first one is typed.
    red
        Whether the first one fails.
    mend, before
        What people do beside, and the how many-th command comes after it.
    """
    for at, (command, lines) in enumerate(told_of(typed.heading)):
        where = host if at == 0 else "master"
        if mend and at == before:
            mend()
        if LOOKS.search(command):
            await_said(where, command, lines)
        said = typed(command, where, code=int(red and at == 0), told=lines)
        lost = missing(said, lines)
        assert not lost, f"{typed.heading}: {command}: {lost} is not in:\n{said[-4000:]}"


def await_said(host: str, command: str, lines: list[str]) -> None:
    """Wait until a command says this; what is missing in the end is told by whoever types it."""

    def says() -> bool:
        return not missing(machine(host).run("sh", "-c", command, check=False).stdout, lines)

    with contextlib.suppress(LabError):
        wait_for(f"{command} to say it", says, WITHIN, 1.0)


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
    """What the symptom leaves in the cluster's memory."""
    try:
        yield
    finally:
        salt.call("pacemaker.cleanup", target="primary")
        audit.settle(180)


@scene(f"{PAGE}, Nobody gets an answer")
def nobody(typed: Page) -> None:
    with forgotten():
        for name in BALANCERS:
            salt.call("pacemaker.standby", name, target="primary")
        follow(typed)


@scene(f"{PAGE}, Pacemaker does not run")
def stopped(typed: Page) -> None:
    with forgotten():
        salt.call("service.stop", "pacemaker", target=",".join(BALANCERS))
        follow(typed)


@scene(f"{PAGE}, All clients get 503")
def no_server(typed: Page) -> None:
    with forgotten():
        stop_nginx(*APP_SERVERS)
        follow(typed)


@scene(f"{PAGE}, One app server gets no requests")
def one_server(typed: Page) -> None:
    with forgotten():
        stop_nginx("app-1")
        follow(typed)


def stop_nginx(*names: str) -> None:
    for name in names:
        machine(name).run("systemctl", "stop", "nginx")


@scene(f"{PAGE}, A load balancer is lost")
def lost(typed: Page) -> None:
    move_to("primary")
    with forgotten():
        machine("secondary").power_off()
        try:
            follow(typed)
        finally:
            machine("secondary").power_on()
            machine("secondary").wait_booted()


@scene(f"{PAGE}, HAProxy does not run on a load balancer")
def by_hand(typed: Page) -> None:
    move_to("primary")
    with forgotten():
        machine("secondary").run("sh", "-c", "echo broken >>/etc/haproxy/haproxy.cfg; pkill -KILL --exact haproxy")
        follow(typed)


@scene(f"{PAGE}, The API refuses the token")
def refused(typed: Page) -> None:
    control.tokens(str(cloud.CONTROL), ["dop_v1_" + "1" * 64])
    with forgotten():
        follow(typed, mend=lambda: control.tokens(str(cloud.CONTROL), [cloud.api_token()]), before=2)


@scene(f"{PAGE}, The address is on the other load balancer")
def elsewhere(typed: Page) -> None:
    move_to("secondary")
    follow(typed)
    assert audit.settle() == "primary"


@scene(f"{PAGE}, The load balancers have lost sight of each other")
def split(typed: Page) -> None:
    move_to("primary")
    with forgotten(), cut():
        follow(typed, "secondary", mend=lambda: network.set_link("secondary", "private", "up"))


@contextlib.contextmanager
def cut() -> Iterator[None]:
    network.set_link("secondary", "private", "down")
    try:
        yield
    finally:
        network.set_link("secondary", "private", "up")


@scene(f"{PAGE}, HAProxy was stopped, and nothing starts it")
def maintenance(typed: Page) -> None:
    with forgotten():
        salt.call("pacemaker.maintenance", target="primary")
        machine(audit.active()).run("systemctl", "stop", "haproxy")
        follow(typed)


@scene(f"{PAGE}, A run is red, and did nothing")
def red(typed: Page) -> None:
    salt.call("state.apply", "haproxy_ha.clean", target="primary")
    host = machine("primary")
    other = ("systemd-run", "--unit=other", "python3", "-m", "http.server", "--bind", HOSTS["primary"].anchor, "80")
    host.run(*other)
    try:
        follow(typed, red=True, mend=lambda: host.run("systemctl", "stop", "other"))
    finally:
        host.run("systemctl", "stop", "other", check=False)
        salt.call("state.apply", "haproxy_ha")
        audit.settle(180)


@scene(f"{PAGE}, A failure that is over")
def over(typed: Page) -> None:
    with forgotten():
        stop_nginx(*APP_SERVERS)
        wait_for("HAProxy to be degraded", lambda: "degraded: " in str(salt.call("haproxy_ha.status")), WITHIN, 1.0)
        for name in APP_SERVERS:
            machine(name).run("systemctl", "start", "nginx")
        follow(typed)
