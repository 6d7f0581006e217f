"""The files that one daemon reads, a :data:`FileSet`: what differs from what is there, and how to show it."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import Any

from haproxy_ha_lib.files.entry import FileEntry, FileSet
from saltext.pacemaker import words

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


def entry_equal(current: FileEntry | None, wanted: FileEntry | None) -> bool:
    """Whether what is there is what is wanted, in everything that is asked for."""
    if current is None or wanted is None:
        return current is wanted
    same = (current.content, current.link) == (wanted.content, wanted.link)
    return same and all(getattr(wanted, key) in (None, getattr(current, key)) for key in _RIGHTS)


_RIGHTS = ("mode", "user", "group")


def foreign(entry: FileEntry | None) -> bool:
    """Whether somebody else wrote what is there, so that it is worth a copy. Secrets are rotated, and never copied."""
    return entry is not None and entry.content is not None and MARK not in entry.content and not _secret(entry)


def differences(current: FileSet, wanted: FileSet) -> dict[str, dict[str, str | None]]:
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


def _show(old: FileEntry | None, new: FileEntry | None) -> dict[str, str | None]:
    if old and new and old.content is not None and new.content is not None:
        if old.content == new.content:
            return {"old": _rights(old), "new": _rights(new, old)}
        if not _secret(old, new):
            before, after = _sides(old.content, new.content)
            return {"old": masked(before), "new": masked(after)}
    return {"old": _whole(old, new), "new": _whole(new, old)}


def _rights(*entries: FileEntry) -> str:
    """The rights of the first entry; those that it leaves alone are the next one's."""
    mode, user, group = (next(filter(None, (getattr(entry, key) for entry in entries)), "") for key in _RIGHTS)
    return f"{mode} {user}:{group}"


def _secret(*entries: FileEntry | None) -> bool:
    """A file that others may not read is not shown either, nor a private key, on whichever side."""
    return any(
        entry and (entry.secret or entry.mode in ("0600", "0400") or _PRIVATE_KEY in (entry.content or ""))
        for entry in entries
    )


_PRIVATE_KEY = "PRIVATE KEY-----"


def secret_below(directory: str, entries: FileSet) -> FileSet:
    """The set, with all in a directory secret: it holds private keys, whatever mode somebody gave them."""
    return {
        path: replace(entry, secret=True) if entry and path.startswith(f"{directory}/") else entry
        for path, entry in entries.items()
    }


def _whole(entry: FileEntry | None, other: FileEntry | None) -> str | None:
    if entry is None:
        return None
    if entry.content is None:
        return f"link to {entry.link}"
    return HIDDEN if _secret(entry, other) else masked(entry.content)


def shown(entry: FileEntry | None) -> dict[str, Any] | None:
    """An entry as data for people, without what is secret."""
    if entry is None:
        return None
    if entry.content is None:
        return entry.data()
    return {**entry.data(), "content": HIDDEN if _secret(entry) else masked(entry.content)}


# A name that says it: of a header, a variable, a parameter.
_NAME = (
    r"(?:(?:Proxy-)?Authorization"
    r"|[\w.-]*(?:token|secret|passw(?:or)?d|credential|(?:api|auth|access)[_-]?key)[\w-]*)"
)
_SETS = r"(?:(?:set|add|replace)-header|hdr|set-param|proxy_set_header|add_header|(?:fastcgi|uwsgi|scgi)_param|set)"
_ASKED = r"(?:hdr|fhdr|cook|urlp|url_param|param)"
_WORD = r"""(?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|(?:\\.|[^\s\\])+)+"""
# What carries a secret in the files of HAProxy and nginx; HAProxy takes words in quotes for the same.
_SECRETS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"""(\bstats["']?[ \t]+["']?auth["']?[ \t]+["']?[^\s:"']+:)[^\n]+""",  # user:password
        rf"""(\b(?:insecure-)?password["']?[ \t]+){_WORD}""",  # user NAME password WORD groups ...
        # A header that says who asks, where a line sets it or sends it; its rest may have blanks in it.
        r"""(?<!del-header )(\b(?:(?:Proxy-)?Authorization|X-(?:Api-Key|Auth-Token|Token)|Api-Key)["']?[ \t]+)[^\n]+""",
        r"""(\bsend(?:-lf)?[ \t]+["']?AUTH\b)[^\n]+""",  # tcp-check of Redis
        r"""(\b(?:pre)?setenv[ \t]+\S+[ \t]+)[^\n]+""",
        r"""(\b(?:secure_link_(?:secret|md5)|cluster-secret)[ \t]+)[^\n]+""",  # nginx; QUIC
        r"""(\bin upstream "[^\s:"@/]+:)[^\s"@]+""",  # nginx of a URL that it refuses
        rf"""(\b{_SETS}["']?[ \t]+["'$]*{_NAME}["']?[ \t]+)[^\n]+""",
        rf"""((?:\\n|["']){_NAME}:(?:\\?[ \t])+)[^\n]+""",  # in the text of a request
        rf"""(\bset-var(?:-fmt)?\({_NAME}[^)\n]*\)[ \t]+str\()[^)\n]*""",
        r"""(\b(?:jwt_verify|hmac|aes_\w+)\()[^)\n]*""",  # with a key
        # What a client must say: by HAProxy, and by nginx.
        rf"""(\b{_ASKED}\({_NAME}[^)\n]*\)\S*(?:[ \t]+-(?:i|n|m[ \t]+(?!found)\w+))*[ \t]+)(?!-)[^}}\n]+""",
        rf"""(\$\w+_{_NAME}["']?[ \t]*!?[=~]\*?[ \t]*){_WORD}""",
        r"""(\b(?:Bearer|Basic)(?:\\?[ \t])+)[\w+/=.~-]{16,}""",
    )
]


def masked(text: str, shown: str = HIDDEN) -> str:
    """The text with what is secret in the directives of HAProxy and nginx hidden, and what is by itself."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{shown}", text)
    return words.without_credentials(text, shown)


def masked_data(data: Any, shown: str = HIDDEN) -> Any:
    """A copy of data with every text in it masked."""
    if isinstance(data, dict):
        return {key: masked_data(inner, shown) for key, inner in data.items()}
    if isinstance(data, (list, tuple)):
        return [masked_data(inner, shown) for inner in data]
    return masked(data, shown) if isinstance(data, str) else data


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
