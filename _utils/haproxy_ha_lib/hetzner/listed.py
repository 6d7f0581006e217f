"""Lists of the API, and its errors by their code."""

from __future__ import annotations

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.answers import decoded_object, is_id, leaf, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from haproxy_ha_lib.cloud.calls import Reply, Steps

PAGE = 50  # the most that the API gives at once


def pages(path: str, key: str, tries: int | None, query: str = "") -> Steps:
    """The entries of a list, of all pages."""
    found: list[dict[str, Any]] = []
    for page in range(1, calls.MOST_PAGES + 1):
        document = yield from calls.get(f"{path}?page={page}&per_page={PAGE}{query}", tries)
        entries = document.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise calls.Unavailable(f"the API's answer holds no list of {key}")
        found += entries
        if not is_id(leaf(document, "meta", "pagination", "next_page")):
            return found
    raise calls.Unavailable(f"the API has more than {calls.MOST_PAGES} pages of {key}")


def error_code(reply: Reply) -> str | None:
    """The machine's word for what is wrong, such as `locked`; None for none."""
    return text(leaf(decoded_object(reply.body), "error", "code"))


def action_of(reply: Reply) -> tuple[int | None, str]:
    """(id, status) of an action that an answer tells of; (None, "") for none."""
    action = leaf(decoded_object(reply.body), "action") if 200 <= reply.status < 300 else None
    found = leaf(action, "id")
    return (found if is_id(found) else None), text(leaf(action, "status")) or ""
