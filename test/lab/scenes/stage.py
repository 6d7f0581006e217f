"""What scenes share: where they are registered, pillar, and what printed runs tell."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

import yaml

from lab import audit, salt
from lab.shell import wait_for
from lab.typed import Page
from support import REPOSITORY

Scene = Callable[[Page], None]
SCENES: dict[str, Scene] = {}
FIRST = ("README.md, Use it",)
LAST = (
    "docs/reference/haproxy_ha.md, remove",
    "docs/adopt.md, A haproxy.cfg that is there already",
    "docs/adopt.md, An nginx that is there already",
)
LAID_OVER = ("cluster", "floating_ip", "haproxy")
STATES_OF_A_RUN = re.compile(r"^Succeeded: (\d+)(?: \((.*)\))?$", re.MULTILINE)


def pillar(**over: dict) -> str:
    """pillar.example with other sections, and a cluster that is patient with a busy machine. What is given of cluster,
    floating_ip and haproxy is laid over what is there."""
    document = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))
    tree = document["haproxy_ha"]
    tree["cluster"]["token"] = 4000
    for name, section in over.items():
        tree[name] = {**tree.get(name, {}), **section} if name in LAID_OVER else section
    return yaml.safe_dump(document, sort_keys=False)


def scene(*places: str) -> Callable[[Scene], Scene]:
    def mark(play: Scene) -> Scene:
        SCENES.update(dict.fromkeys(places, play))
        return play

    return mark


def tells(said: str, *parts: str) -> None:
    """What was printed has these."""
    missing = [part for part in parts if part not in said]
    assert not missing, f"{missing} is not in:\n{said[-6000:]}"


def one(typed: Page, word: str) -> str:
    """The command that has this word."""
    [line] = [line for line in typed.left if word in line]
    return line


def changed(said: str) -> int:
    """How many states a printed run changed, or would change."""
    return sum(int(count) for count in re.findall(r"changed=(\d+)", said))


def failed(said: str) -> int:
    """How many states of a printed run failed."""
    return sum(int(count) for count in re.findall(r"(?m)^Failed: +(\d+)", said))


def runs(said: str) -> int:
    """How many minions' runs are printed."""
    return len(STATES_OF_A_RUN.findall(said))


@contextlib.contextmanager
def heard(typed: Page, line: str) -> Iterator[list[str]]:
    """What a command that shows events prints, from when it does so, while the block runs."""
    with typed.watching(line) as events:
        wait_for("the first event", lambda: salt.call("event.send", "haproxy_ha/x", target="app-1") and events, 60)
        yield events


@contextlib.contextmanager
def told(**over: dict) -> Iterator[None]:
    """Other pillar while the block runs, and then the usual one, applied."""
    salt.set_pillar(pillar(**over))
    try:
        yield
    finally:
        salt.set_pillar(pillar())
        salt.call("state.apply", "haproxy_ha")


def given(section: str) -> dict:
    """A section of pillar.example."""
    return yaml.safe_load(pillar())["haproxy_ha"][section]


def move_to(name: str) -> None:
    """A pair that is well, with the address there."""
    audit.settle()
    salt.call("haproxy_ha.failover", name, target=name)
    assert audit.settle() == name
