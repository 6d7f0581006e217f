"""Every external command of the formula, but for those of the Pacemaker engine: :func:`run`, which tests replace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from salt.exceptions import CommandExecutionError

from saltext.pacemaker.live import process


def program(name: str) -> str | None:
    """Where a program is (str), or None."""
    return process.find(name)


def run(argv: Sequence[str], timeout: float = 60, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """
    Run a program and return (exit code, output of both kinds).

    argv
        The program and its arguments (list of str); no shell.
    timeout : ``60``
        Seconds after which it is killed and counts as failed.
    env : ``None``
        Further variables (dict). HAProxy's own never pass from Salt's environment.

    It has no terminal. Raises CommandExecutionError if the program is not there or does not end in time.
    """
    environment = {**process.inherited("HAPROXY_"), **(env or {})}
    try:
        started = process.start(argv, environment, together=True)
    except FileNotFoundError:
        raise CommandExecutionError(f"{argv[0]} is not installed") from None
    with started:
        try:
            output, _ = started.communicate(timeout=timeout)
        except process.Late:
            raise CommandExecutionError(f"{' '.join(argv)} did not end within {timeout} s") from None
        finally:
            process.end(started)
    return started.returncode, output


def succeed(*argv: str, timeout: float = 60) -> str:
    """Run a program and return its output; CommandExecutionError with that output if it fails."""
    code, output = run(list(argv), timeout)
    if code:
        raise CommandExecutionError(f"{' '.join(argv)} failed: {output.strip() or f'exit code {code}'}")
    return output
