"""Trials in files, a line each, with every sample: a run that ended early is gone on with."""

from __future__ import annotations

import json
from pathlib import Path

from .trials import Trial


def path(directory: Path, system: str) -> Path:
    """The file of a system's trials."""
    return directory / f"{system}.jsonl"


def add(directory: Path, trial: Trial) -> None:
    """Append a trial to its system's file."""
    directory.mkdir(parents=True, exist_ok=True)
    with path(directory, trial.system).open("a", encoding="utf-8") as file:
        file.write(json.dumps(packed(trial)) + "\n")


def read(directory: Path, system: str) -> list[Trial]:
    """The trials of a system, in the order in which they were done."""
    file = path(directory, system)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [unpacked(json.loads(line)) for line in lines]


def packed(trial: Trial) -> dict:
    """A trial with its samples as [seconds from the event, seconds taken, status, balancer, app server or error]."""
    samples = [
        [
            round(sample["start"] - trial.struck, 4),
            round(sample["taken"], 4),
            sample["status"],
            sample["balancer"],
            sample["text"].removeprefix("Droplet: ").partition(",")[0],
        ]
        for sample in trial.samples
    ]
    moves = [
        {**move, "begin": move["begin"] - trial.struck, "end": move["end"] - trial.struck} for move in trial.moves
    ]
    return {**vars(trial), "samples": samples, "moves": moves, "gap": trial.gap}


def unpacked(row: dict) -> Trial:
    """The trial of a line."""
    struck = row["struck"]
    keys = ("start", "taken", "status", "balancer", "text")
    samples = [dict(zip(keys, [struck + start, *rest], strict=True)) for start, *rest in row["samples"]]
    moves = [{**move, "begin": struck + move["begin"], "end": struck + move["end"]} for move in row["moves"]]
    return Trial(**{key: value for key, value in {**row, "samples": samples, "moves": moves}.items() if key != "gap"})
