"""
Asks DigitalOcean's API what the formula asks, and compares its answers with the description that the tests go by.

    DIGITALOCEAN_TOKEN=... python3 tools/ask_digitalocean.py [options] ADDRESS [DROPLET...]

It reads, and changes nothing. With --power it also asks, as the formula does where it fences, whether the token may
switch droplets: a droplet that cannot exist is to be powered on. Prints a line for each question; the code is 0 when
every answer is as described. It needs Python alone.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "_utils")]
import digitalocean_facts as facts  # noqa: E402

from haproxy_ha_lib.cloud import answers, calls  # noqa: E402
from haproxy_ha_lib.cloud.machines import NOBODY  # noqa: E402
from haproxy_ha_lib.provider.digitalocean import DEFAULTS  # noqa: E402


class Asker:
    """Asks, prints, and counts what is other than described."""

    def __init__(self, url: str, token: str, ca_file: str | None):
        self._url, self._token, self.differing = url, token, 0
        self._context = ssl.create_default_context(cafile=ca_file)

    def ask(self, method: str, path: str, body: dict | None = None) -> tuple[int, object]:
        """The (status, document) of a request."""
        status, document = self._send(method, path, body)
        found = facts.differences(method, path, status, document)
        self.differing += bool(found)
        scope = facts.operation(method, path)[0]
        said = "" if status < 400 else f", {calls.describe(calls.Reply(status, {}, json.dumps(document).encode()))}"
        print(f"{method} {path} ({scope}): {status}{said}: {'; '.join(found) or 'as described'}")
        return status, document

    def _send(self, method: str, path: str, body: dict | None) -> tuple[int, object]:
        request = urllib.request.Request(
            self._url + path, method=method, data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._context) as answer:
                status, content = answer.status, answer.read(calls.MOST_BYTES)
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read(calls.MOST_BYTES)
        try:
            return status, answers.decoded(content)
        except ValueError:
            return status, None


def ask_all(asker: Asker, address: str, droplets: list[str], power: bool) -> None:
    """Every question that the formula and its agents ask."""
    asker.ask("GET", "/v2/reserved_ips?page=1&per_page=200")
    _, document = asker.ask("GET", f"/v2/reserved_ips/{quote(address)}")
    _, actions = asker.ask("GET", f"/v2/reserved_ips/{quote(address)}/actions")
    last = answers.leaf(actions, "actions", 0, "id")
    if answers.is_id(last):
        asker.ask("GET", f"/v2/reserved_ips/{quote(address)}/actions/{last}")
    found = [answers.leaf(document, "reserved_ip", "droplet", "id")]
    for name in droplets:
        _, listed = asker.ask("GET", f"/v2/droplets?page=1&per_page=200&name={quote(name)}")
        entries = answers.leaf(listed, "droplets") or []
        ids = [answers.leaf(entry, "id") for entry in entries]
        print(f"  droplets of the name {name}: {', '.join(map(str, ids)) or 'none'}")
        found += ids
    for number in sorted({number for number in found if answers.is_id(number)}):
        asker.ask("GET", f"/v2/droplets/{number}")
    asker.ask("GET", f"/v2/droplets/{NOBODY}")
    if power:
        status, _ = asker.ask("POST", f"/v2/droplets/{NOBODY}/actions", {"type": "power_on"})
        words = {403: "the token may not switch droplets", 404: "the token may switch droplets", 422: "it may"}
        print(f"  the formula takes it thus: {words.get(status, 'unknown')}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares the answers of DigitalOcean's API with its description.")
    parser.add_argument("address", help="a reserved IP of the account")
    parser.add_argument("droplet", nargs="*", help="names of the load balancers' droplets")
    parser.add_argument("--power", action="store_true", help="ask whether the token may switch droplets, without harm")
    parser.add_argument("--url", default=DEFAULTS["api_url"], help="where the API is; default %(default)s")
    parser.add_argument("--ca-file", help="certificate authorities to trust; the system's by default")
    options = parser.parse_args()
    token = os.environ.get("DIGITALOCEAN_TOKEN", "").strip()
    problem = calls.token_problem(token)
    if problem:
        parser.error(f"the environment's DIGITALOCEAN_TOKEN {problem}")
    asker = Asker(options.url, token, options.ca_file)
    ask_all(asker, options.address, options.droplet, options.power)
    print(f"{asker.differing} answers are other than described" if asker.differing else "all answers are as described")
    return min(1, asker.differing)


if __name__ == "__main__":
    sys.exit(main())
