"""
What people read about pillar, from the schema that it is checked against: the page docs/pillar.md, and the comments of
pillar.example, whose settings are written by hand.

    python3 tools/pillar_reference.py      # writes both; the tests compare them
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / "_utils")]

import yaml  # noqa: E402

from haproxy_ha_lib import values  # noqa: E402
from haproxy_ha_lib.pillar import schema  # noqa: E402
from haproxy_ha_lib.pillar.shape import Either, Items, Keys, Table, Value  # noqa: E402

PAGE = REPOSITORY / "docs" / "pillar.md"
EXAMPLE = REPOSITORY / "pillar.example"
DEFAULTS = {
    **yaml.safe_load((REPOSITORY / "haproxy_ha" / "defaults.yaml").read_text(encoding="utf-8")),
    **yaml.safe_load((REPOSITORY / "haproxy_ha" / "os_family.yaml").read_text(encoding="utf-8"))["Debian"],
}
HEAD = """\
# Pillar

Every key of the tree `haproxy_ha`, from the schema that pillar is checked against
(`_utils/haproxy_ha_lib/pillar/schema.py`); written by `make docs`. `pillar.example` shows them in use.

Mappings merge with the defaults, lists replace them, `null` means the default. `<...>` is a name of your choice.
"""


def nodes_by_path() -> dict[tuple, object]:
    """Every key of the schema: its path and its node."""
    return dict(schema.every_key())


def page() -> str:
    """The text of docs/pillar.md."""
    parts = [HEAD]
    for path, node in schema.every_key():
        if len(path) == 1:
            continue
        if len(path) == 2:
            parts.append(f"\n## {path[1]}\n\n{node.doc} {_facts(path, node)}\n\n")
        else:
            parts.append(f"- **`{':'.join(path[1:])}`** {node.doc} {_facts(path, node)}\n")
    return "".join(parts)


def _facts(path: tuple, node) -> str:
    facts = [f"Allowed: {_allowed(path, node)}."]
    default = _default(path, node)
    if default is not None:
        facts.append(f"Default: `{default}`." if len(default) <= 80 else "Default: see `haproxy_ha/defaults.yaml`.")
    if getattr(node, "secret", False):
        facts.append("Secret.")
    return " ".join(facts)


def _allowed(path: tuple, node) -> str:
    """What a node takes, in the words of its own error message."""
    if isinstance(node, Keys):
        return "a mapping with " + ", ".join(f"`{key}`" for key in node.keys)
    if isinstance(node, Table) and node.closed:
        return "a mapping with " + ", ".join(f"`{key}`" for key in _of_defaults(path))
    if isinstance(node, Table):
        return f"a mapping from {node.label} to its settings"
    if isinstance(node, Items):
        return f"a list; each entry: {_allowed(path, node.item)}"
    if isinstance(node, Either):
        return ", or ".join(_allowed(path, one) for one in (node.single, node.listing, node.mapping) if one)
    try:
        node.check(object())
    except values.Invalid as error:
        return str(error)
    raise AssertionError(f"{node.doc}: takes anything")


def _default(path: tuple, node) -> str | None:
    """The default, as YAML on one line; None where there is none to show."""
    if isinstance(node, Keys):
        return None
    value = _of_defaults(path)
    if value is None and isinstance(node, Value):
        value = node.default
    if value is None or value == {} or isinstance(node, Table):
        return None
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _of_defaults(path: tuple):
    """What the defaults have at a path; None where there is nothing."""
    value = DEFAULTS
    for step in path[1:]:
        value = value.get(step) if isinstance(value, dict) else None
    return value


# pillar.example

_KEY = re.compile(r"( *)#?([A-Za-z0-9][^:#]*?): *(.*)")


def keys_of(text: str) -> list[tuple[int, tuple]]:
    """The keys of the schema in pillar.example, commented out or not: (line number, path)."""
    known = nodes_by_path()
    found, above = [], []  # above: (indentation, path) of the mappings that the line is in
    for number, line in enumerate(text.splitlines()):
        match = _KEY.fullmatch(line)
        if not match or line.lstrip().startswith(("# ", "-")):
            continue
        indent = len(match[1])
        above = [one for one in above if one[0] < indent]
        parent = above[-1][1] if above else ()
        path = _child(known, parent, match[2])
        if path:
            found.append((number, path))
            above.append((indent, path))
    return found


def _child(known: dict, parent: tuple, name: str) -> tuple | None:
    """The path in the schema of a key below a path; names of people's choice stand for their label."""
    if (*parent, name) in known:
        return (*parent, name)
    table = known.get(parent)
    table = table if isinstance(table, Table) else None
    child = (*parent, f"<{table.label}>") if table else None
    return child if child in known else None


def commented(text: str) -> str:
    """pillar.example with the comments that the schema gives it: above each key where it stands first."""
    paths, known, seen = dict(keys_of(text)), nodes_by_path(), set()
    lines, head = [], True
    for number, line in enumerate(text.splitlines()):
        path = paths.get(number)
        if path and len(path) > 1 and path not in seen:
            indent = re.match(" *", line)[0] + "# "
            lines += textwrap.wrap(known[path].doc, 120, initial_indent=indent, subsequent_indent=indent,
                                   break_on_hyphens=False, break_long_words=False)
            seen.add(path)
        if head or not re.match(" *# ", line):
            lines.append(line)
        head = head and line != "---"
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    EXAMPLE.write_text(commented(EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8")
