"""Secrets of pillar; what stands there as the URL of a store is asked for by Salt's sdb, here and when it is needed."""

from __future__ import annotations

import contextvars
import functools
import queue
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import installed
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib import values
from haproxy_ha_lib.settings.types import Stored
from haproxy_ha_lib.types import Tree
from saltext.pacemaker import words
from saltext.pacemaker.types import Path

SECONDS = 10.0
"""How long a store may take for one secret."""
_SILENT = "haproxy_ha.silent_stores"


class Silent(CommandExecutionError):
    """A store does not say what a secret is."""


def secrets(minion: Minion, *place: str) -> tuple[Any, tuple[str, ...]]:
    """
    Return (what is secret, what people should know): at a place below ``haproxy_ha``, such as ``"cluster", "authkey"``,
    with what stores have for the URLs that this machine needs. Where a store is silent, what is installed stays, and
    a note says so.

    Raises :class:`Silent` if nothing is installed that could stay, CommandExecutionError if a store has something else
    than the key may be, or something is wrong in pillar.
    """
    stored, tree, notes = minion.stored_secrets(), minion.secrets(), []
    for one in stored:
        if one.path[: len(place)] == place:
            found, said = _resolved(minion, one)
            _at(tree, one.path[:-1])[one.path[-1]] = found
            notes += said
    return _at(tree, place), tuple(notes)


def problems(minion: Minion) -> list[str]:
    """Return why secrets that this machine needs cannot be had (list of str)."""
    found = []
    for one in minion.stored_secrets():
        try:
            _resolved(minion, one)
        except CommandExecutionError as exc:
            found.append(str(exc))
    return found


def _at(tree: Tree, path: Path) -> Any:
    return functools.reduce(lambda branch, step: branch[step], path, tree)


def _resolved(minion: Minion, stored: Stored) -> tuple[str, list[str]]:
    """A secret that is in a store, and what people should know."""
    try:
        return stored.read(ask(minion.salt["sdb.get"], stored.url, minion.context)), []
    except values.Invalid as exc:
        raise CommandExecutionError(str(exc)) from None
    except Silent as exc:
        kept = installed.secret(minion.valid_settings(), stored.path)
        if kept is None:
            raise Silent(f"{stored.place}: {exc}; nothing is installed yet that could stay") from exc
        return kept, [f"{stored.place}: {exc}; what is installed stays"]


def ask(get: Callable[[str], Any], url: str, context: MutableMapping[str, Any]) -> Any:
    """
    Return what a store has for a URL.

    get
        Salt's ``sdb.get``.
    url
        ``sdb://<profile>/<key>``.
    context
        What stays from one call to the next (dict): a store that was silent is left alone twice as long.

    Raises :class:`Silent` if the store fails, has nothing there, or takes longer than :data:`SECONDS`.
    """
    profile, silent = url.split("/")[2], context.setdefault(_SILENT, {})
    if silent.get(profile, 0.0) > time.monotonic():
        raise Silent(f"{_shown(url)} was not asked for, because its store has just not answered")
    try:
        found = _answer(functools.partial(get, url))
    except TimeoutError:
        silent[profile] = time.monotonic() + 2 * SECONDS
        raise Silent(f"{_shown(url)} did not answer within {SECONDS:g} s") from None
    except Exception as exc:
        raise Silent(f"{_shown(url)} did not answer: {_reason(exc)}") from None
    if found == url:  # what sdb.get does about a profile that it does not know
        raise Silent(f"{_shown(url)}: this minion has no sdb profile {profile} with a driver")
    if found is None:
        raise Silent(f"{_shown(url)} has nothing")
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found


def _answer(question: Callable[[], Any]) -> Any:
    """What a function returns or raises, TimeoutError after :data:`SECONDS`: no driver of Salt's can be told how long
    it may take, so it is left behind in a thread of its own."""
    answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((question(), None))
        except BaseException as exc:
            answers.put((None, exc))

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    try:
        found, failure = answers.get(timeout=SECONDS)
    except queue.Empty:
        raise TimeoutError from None
    if failure:
        raise failure if isinstance(failure, Exception) else CommandExecutionError(type(failure).__name__)
    return found


def _reason(exc: Exception) -> str:
    """What a driver has raised, in one line; Salt's loader raises KeyError where it has no such driver."""
    if isinstance(exc, KeyError) and str(exc).endswith(".get'"):
        return f"Salt has no sdb driver {exc} here"
    return words.without_credentials(" ".join(f"{type(exc).__name__}: {exc}".split())[:300], "(hidden)")


def _shown(url: str) -> str:
    return words.without_credentials(url, "(hidden)")
