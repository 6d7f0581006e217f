"""
The files that one daemon reads, as data: what differs from what is there, and how to show it.

A set is a dict of absolute path to entry. An entry is one of

- ``{"content": str, "mode": "0644", "user": "root", "group": "root", "secret": False}``: a file; what is left out is
  not compared,
- ``{"link": "target"}``: a symbolic link,
- ``None``: nothing may be there.
"""

from __future__ import annotations

import difflib
import re

HIDDEN = "(hidden)"

MARK = "Managed by Salt (haproxy_ha)"
"""What every file of the formula that can have a comment says in its first line."""

# What daemons print around the lines that say what is wrong.
_NOISE = re.compile(
    r"\[NOTICE\]|Configuration file is valid|Fatal errors found in configuration|Error\(s\) found in configuration"
    r"|test failed$|test is successful$|syntax is ok$|exiting with status"
)
_PREFIX = re.compile(
    r"^(?:\[(?:ALERT|WARNING)\]\s*\([^)]*\)\s*:\s*(?:config : )?"  # HAProxy
    r"|(?:nginx: |\d{4}/\d\d/\d\d [\d:]+ )\[\w+\] (?:\d+#\d+: )?|nginx: "  # nginx
    r"|(?:\w{3} \d\d [\d:.]+ )?\w+\s+\[\w+\s*\] )"  # corosync
)


def entry_equal(current: dict | None, wanted: dict | None) -> bool:
    """Whether what is there is what is wanted, in everything that is asked for."""
    if current is None or wanted is None:
        return current is wanted
    return all(current.get(key) == value for key, value in wanted.items() if key != "secret")


def foreign(entry: dict | None) -> bool:
    """Whether somebody else wrote what is there, so that it is worth a copy. Secrets are rotated, and never copied."""
    return bool(entry) and "content" in entry and MARK not in entry["content"] and not _secret(entry)


def differences(current: dict, wanted: dict) -> dict:
    """
    What a run would change.

    current, wanted
        Two sets; every path of ``wanted`` is looked up in ``current`` (missing there means absent).

    Returns ``{path: {"old": ..., "new": ...}}`` in the order of ``wanted``, empty when nothing differs. Text that
    changed is shown as the two sides of a diff; text of a secret file never.
    """
    return {
        path: _show(current.get(path), entry)
        for path, entry in wanted.items()
        if not entry_equal(current.get(path), entry)
    }


def _show(old: dict | None, new: dict | None) -> dict:
    if old and new and "content" in old and "content" in new:
        if old["content"] == new["content"]:
            return {"old": _rights(old), "new": _rights({**old, **new})}
        if not _secret(old, new):
            before, after = _sides(old["content"], new["content"])
            return {"old": masked(before), "new": masked(after)}
    return {"old": _whole(old, new), "new": _whole(new, old)}


def _rights(entry: dict) -> str:
    return f"{entry['mode']} {entry['user']}:{entry['group']}"


def _secret(*entries: dict | None) -> bool:
    """A file that others may not read is not shown either, nor a private key, on whichever side."""
    return any(
        e and (e.get("secret") or e.get("mode") in ("0600", "0400") or _PRIVATE_KEY in e.get("content", ""))
        for e in entries
    )


_PRIVATE_KEY = "PRIVATE KEY-----"


def secret_below(directory: str, entries: dict) -> dict:
    """The set, with all in a directory secret: it holds private keys, whatever mode somebody gave them."""
    return {
        path: {**entry, "secret": True} if entry and path.startswith(f"{directory}/") else entry
        for path, entry in entries.items()
    }


def _whole(entry: dict | None, other: dict | None) -> str | None:
    if entry is None:
        return None
    if "link" in entry:
        return f"link to {entry['link']}"
    return HIDDEN if _secret(entry, other) else masked(entry["content"])


def without_secrets(entry: dict | None) -> dict | None:
    """An entry as people may see it."""
    if not entry or "content" not in entry:
        return entry
    return {**entry, "content": HIDDEN if _secret(entry) else masked(entry["content"])}


# HAProxy's directives that carry a password: `stats auth user:password`, `user name [insecure-]password word`.
_PASSWORD = re.compile(r"(\bauth\s+[^\s:]+:|\b(?:insecure-)?password\s+)\S+")


def masked(text: str) -> str:
    """The text with the passwords of HAProxy's directives hidden."""
    return _PASSWORD.sub(rf"\1{HIDDEN}", text)


def masked_data(data):
    """Data with every text in it masked."""
    if isinstance(data, dict):
        return {key: masked_data(inner) for key, inner in data.items()}
    if isinstance(data, list):
        return [masked_data(inner) for inner in data]
    return masked(data) if isinstance(data, str) else data


def _sides(old: str, new: str) -> tuple[str, str]:
    """The old and the new side of a diff, one line of context, each hunk headed by its line number."""
    before, after = [], []
    groups = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).get_grouped_opcodes(1)
    old_lines, new_lines = old.splitlines(), new.splitlines()
    for group in groups:
        before.append(f"@@ line {group[0][1] + 1}")
        after.append(f"@@ line {group[0][3] + 1}")
        for tag, i1, i2, j1, j2 in group:
            before += [("  " if tag == "equal" else "- ") + line for line in old_lines[i1:i2]]
            after += [("  " if tag == "equal" else "+ ") + line for line in new_lines[j1:j2]]
    return "\n".join(before) + "\n", "\n".join(after) + "\n"


def daemon_message(output: str) -> str:
    """The lines of a daemon's output that say what is wrong and where, without prefixes and repetitions."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    kept = [_PREFIX.sub("", line) for line in lines if not _NOISE.search(line)]
    return masked("\n".join(dict.fromkeys(kept or lines)))
