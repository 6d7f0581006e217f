"""Class 10: the app servers."""

from __future__ import annotations

from lab import network
from lab.machine import machine

from .fault import Fault, Scene

SERVERS = "the app servers"
CHECKED = 7.0  # HAProxy's check: three times, every two seconds


def _link(state: str, *hosts: str):
    def act(scene: Scene) -> None:
        for host in hosts:
            network.set_link(host, "private", state)

    return act


def _nginx(*argv: str):
    def act(scene: Scene) -> None:
        machine("app-1").run(*argv)

    return act


def _power_off(scene: Scene) -> None:
    machine("app-1").power_off()


def _power_on(scene: Scene) -> None:
    machine("app-1").power_on()
    machine("app-1").wait_booted()


FAULTS = [
    Fault("app-stop", SERVERS, "`systemctl stop nginx` on one", _nginx("systemctl", "stop", "nginx"),
          _nginx("systemctl", "start", "nginx"), gap=0.3, hold=8.0),
    Fault("app-kill", SERVERS, "SIGKILL of nginx on one", _nginx("pkill", "-KILL", "-x", "nginx"),
          _nginx("systemctl", "start", "nginx"), gap=0.3, hold=8.0),
    Fault("app-hang", SERVERS, "SIGSTOP of nginx on one", _nginx("pkill", "-STOP", "-x", "nginx"),
          _nginx("pkill", "-CONT", "-x", "nginx"), gap=1.0, hold=CHECKED + 3,
          steady=1, operator="beforehand, a check by HTTP (`haproxy:backends:app_pool:check`): the kernel of a hung"
          " server still takes connections, so every other request fails until it goes on"),
    Fault("app-cut", SERVERS, "private link of one", _link("down", "app-1"), _link("up", "app-1"), gap=1.0,
          hold=CHECKED + 3),
    Fault("app-power-loss", SERVERS, "loss of power of one", _power_off, _power_on, gap=1.0, hold=CHECKED + 3),
]
