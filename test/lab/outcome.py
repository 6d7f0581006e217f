"""Reads what `salt '*' state.apply` returned."""

from __future__ import annotations


def states(returned: dict, minion: str) -> list[dict]:
    """The states of one minion's run; an AssertionError quotes what came instead of a run."""
    run = returned.get(minion)
    assert isinstance(run, dict), f"{minion}: {run}"
    return list(run.values())


def failed(returned: dict) -> list[str]:
    """Every state, of all minions, that is not True or None."""
    return [
        f"{minion}: {state['__id__']}: {state['comment']}"
        for minion in returned
        for state in states(returned, minion)
        if state["result"] not in (True, None)
    ]


def changed(returned: dict) -> list[str]:
    """Every state, of all minions, that reports changes."""
    return [
        f"{minion}: {state['__id__']}: {state['changes']}"
        for minion in returned
        for state in states(returned, minion)
        if state["changes"]
    ]


def by_id(returned: dict, minion: str, identifier: str) -> dict:
    """One state by its id."""
    return next(state for state in states(returned, minion) if state["__id__"] == identifier)
