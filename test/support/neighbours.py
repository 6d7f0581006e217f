"""What neighbours can say: the mine, the metadata service and DigitalOcean's API, well or anything else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haproxy_ha_lib.cloud.calls import Reply

ME, OTHER, ADDRESS = 1001, 1002, "203.0.113.10"
NEXT = {"pages": {"next": "https://api.digitalocean.com/v2/x?page=2"}}
DROPLET = {
    "id": ME, "name": "primary", "status": "active", "tags": ["web"], "region": {"slug": "nyc3"},
    "networks": {"v4": [{"ip_address": "10.132.20.10", "type": "private"}], "v6": []},
}  # fmt: skip
RESERVED = {"ip": ADDRESS, "droplet": {"id": OTHER}, "locked": False, "region": {"slug": "nyc3"}}
METADATA = {
    "droplet_id": ME, "hostname": "primary", "region": "nyc3",
    "interfaces": {
        "public": [{"ipv4": {"ip_address": "203.0.113.21"}, "anchor_ipv4": {"ip_address": "10.17.1.18"}}],
        "private": [{"ipv4": {"ip_address": "10.132.20.10"}}],
    },
    "reserved_ip": {"ipv4": {"active": False, "ip_address": ADDRESS}},
}  # fmt: skip
DOCUMENTS = [
    {"reserved_ip": RESERVED}, {"reserved_ip": {**RESERVED, "droplet": None}},
    {"reserved_ips": [RESERVED], "links": {}}, {"reserved_ips": [RESERVED], "links": NEXT},
    {"droplet": DROPLET}, {"droplets": [DROPLET], "links": NEXT},
    {"droplets": [DROPLET, {**DROPLET, "id": OTHER, "name": "secondary"}]},
    {"action": {"id": 7, "status": "in-progress"}}, {"action": {"id": 7, "status": "errored"}},
    {"id": "unprocessable_entity", "message": "droplet already has a pending event"},
]  # fmt: skip

_ODD = [ME, OTHER, ADDRESS, "nyc3", "off", 2**64, -1, 1e400, "", "\udcff", "10.0.0.1", "8.8.8.8", "::1", "fd00::1",
        "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "10.132.20.10/16", "\u0661.2.3.4", "10.1", "a" * 300]
WORDS = st.sampled_from(_ODD) | st.text(max_size=8)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS.map(str), inner, max_size=3), max_leaves=6,
)  # fmt: skip
"""Any JSON."""


@st.composite
def spoilt(draw: Any, document: Any, times: int = 2) -> Any:
    """A document with some of its parts replaced by anything, or left out."""
    found = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, times))):
        places = list(_places(found)) if isinstance(found, (dict, list)) else []
        if not places:
            return draw(ANYTHING)
        above, key = draw(st.sampled_from(places))
        if draw(st.booleans()):
            above[key] = draw(ANYTHING)
        else:
            del above[key]
    return found


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """(what holds it, key or index) of all parts of a document."""
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, inner in list(pairs):
        yield document, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)


def spoken(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "replace")


BODIES = (
    st.sampled_from(DOCUMENTS).flatmap(spoilt).map(spoken) | ANYTHING.map(spoken) | st.binary(max_size=40)
    | st.sampled_from([b"[" * 5000, b"9" * 6000, b"\xff\xfe", b"NaN", b"{\"droplets\": 1e999}"])
)  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "ratelimit-reset", "content-type"]),
    st.sampled_from(["0", "1", "-1", "9" * 400, "nan", "\u0663", "Wed, 21 Oct 2015 07:28:00 GMT", ""])
    | st.text(max_size=5),
    max_size=2,
)  # fmt: skip
STATUSES = st.sampled_from([200, 200, 200, 201, 202, 204, 401, 403, 404, 409, 422, 429, 500, 503, 0, 301, 999])
REPLIES = st.tuples(STATUSES, HEADERS, BODIES).map(lambda parts: Reply(*parts))
REPLIES |= st.just(Reply(0, {}, b"", "no answer within 2.0 s"))


LINES = st.sampled_from([
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 999 \x1b[31m\r\n", b"HTTP/1.1 abc\r\n",
    b"HTTP/9.9 200\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n", b"\x1b]0;owned\x07 200\r\n", b"Content-Length: 4\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"X\r\n", b": y\r\n", b"\r\n",
    b"A: " + b"x" * 70_000 + b"\r\n", b"B: y\r\n" * 120, b"{}\r\n", b"5\r\nhello\r\n", b"fffffffffffffffff\r\n",
    b"-1\r\n",
])  # fmt: skip
STREAMS = st.lists(LINES | st.binary(max_size=20), max_size=8).map(b"".join) | st.builds(
    lambda body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body), BODIES
)
"""What may come on a connection."""


def holds(law: Any, examples: int, *strategies: Any) -> None:
    """Try a law, a function of what the strategies make, with so many examples."""
    settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))(
        given(*strategies)(law)
    )()
