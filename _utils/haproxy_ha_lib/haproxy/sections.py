"""
The words that begin a section of haproxy.cfg (HAProxy's configuration manual, 2), and who brings such a section.
"""

from __future__ import annotations

PROXIES = {"listen": "listens", "frontend": "frontends", "backend": "backends"}
"""Those of pillar's tables of proxies, in the order of haproxy.cfg: {word: table}."""

RAW = ("acme", "crt-store", "defaults", "fcgi-app", "http-errors", "log-forward", "log-profile", "mailers",
       "program", "ring")  # fmt: skip
"""Those of which pillar brings raw lines, in its table ``sections``."""

LINES = {"userlist": "userlists", "resolvers": "resolvers", "cache": "caches"}
"""Those of which pillar has raw lines in a table of their own: {word: table}."""

WORDS = frozenset({*PROXIES, *RAW, *LINES, "global", "namespace_list", "peers", "traces"})
