"""
Words for messages: what was found, and what was probably meant.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

_TOKEN_LIKE = re.compile(r"do[a-z]_v1_|BEGIN [A-Z ]*PRIVATE KEY|[A-Za-z0-9+/=_-]{40}")


def near(word: Any, allowed: Iterable[Any]) -> str | None:
    """Return the member of ``allowed`` that ``word`` is most likely meant to be, or None."""
    matches = difflib.get_close_matches(str(word), [str(name) for name in allowed], n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(word: Any, allowed: Iterable[Any]) -> str:
    """Return ``', did you mean X?'`` for the nearest of ``allowed``, or an empty text."""
    match = near(word, allowed)
    return f", did you mean {match}?" if match else ""


def kind(value: Any) -> str:
    """Return the type of a YAML value in plain words."""
    names = {bool: "a boolean", int: "a whole number", float: "a number", str: "a string"}
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return names.get(type(value), f"a {type(value).__name__}")


def describe(value: Any, secret: bool = False) -> str:
    """
    Return what was found, for a message: the value and its type.

    A secret, and any text that looks like one (somebody pasted it into the wrong place), is told by its length only.
    """
    if isinstance(value, str) and (secret or looks_secret(value)):
        return f"a string of {len(value)} characters"
    if secret or value is None or isinstance(value, (dict, list, tuple)):
        return kind(value)
    return f"{shorten(value)} ({kind(value)})"


def looks_secret(text: str) -> bool:
    """Return whether ``text`` looks like a token or key, or :func:`is_credential` is certain of it."""
    return bool(_TOKEN_LIKE.search(text)) or is_credential(text)


# Tokens by the forms that their makers have published: DigitalOcean's, GitHub's, GitLab's, Slack's, AWS's, Hashicorp's,
# Stripe's, Google's, SendGrid's, JSON Web Tokens; webhooks of Slack, Discord, Mattermost, Teams, Telegram; and URLs
# that have a password, or say that they have a token.
_CREDENTIAL = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bdo[a-z]_v1_[0-9a-f]{32,}|\b(gh[opsur]_|github_pat_|glpat-)[\w-]{20,}"
    r"|\bxox[abeoprs]-[\w-]+|\bAKIA[0-9A-Z]{16}\b|\bhv[sb]\.[\w-]{20,}|\b[rs]k_live_\w{16,}|\bAIza[\w-]{35}"
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"
    r"|hooks\.slack\.com/(services|workflows)/[\w/]+|/api/webhooks/\d+/[\w-]+|/hooks/[\w-]{20,}(/[\w-]+)?"
    r"|\boffice\.com/webhook\w*/\S+|api\.telegram\.org/bot\d+:[\w-]+|\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"
    r"|(?<=[?&])(access_token|auth_token|token|api_?key|key|sig|signature|secret|passw(or)?d)=[^&\s\"']+",
    re.I,
)


def is_credential(text: str) -> bool:
    """Return whether ``text`` is certain to hold a private key, a token, or a URL with a password or of a webhook."""
    return bool(_CREDENTIAL.search(text))


def without_credentials(text: str, shown: str) -> str:
    """Return ``text`` with ``shown`` where :func:`is_credential` finds something; a key goes with all its lines."""
    text = re.sub(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(-----END \1-----|\Z)", shown, text, flags=re.DOTALL)
    return _CREDENTIAL.sub(shown, text)


def shorten(value: Any) -> str:
    """Return ``value`` for a message: escaped, on one line, at most 60 characters of it."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
