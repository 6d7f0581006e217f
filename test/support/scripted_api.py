"""DigitalOcean's API as a list of replies, for its rules: no clock, no network."""

import json

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.calls import Reply

ADDRESS = "203.0.113.10"
ME, OTHER = 1001, 1002
READ = f"/v2/reserved_ips/{ADDRESS}"
ASSIGN = f"{READ}/actions"


class Script:
    """Answers with the given replies in order, the last one for ever; keeps the calls and the time that passed."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.calls = []
        self.timeouts = []
        self.now = 100.0
        self.waits = []

    def send(self, call, timeout):
        self.calls.append(call)
        self.timeouts.append(timeout)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def run(self, steps, timeout=60.0):
        return calls.drive(steps, self.send, self.now + timeout, lambda: self.now, self.sleep)

    @property
    def posts(self):
        return [call for call in self.calls if call.method == "POST"]


def reply(document=None, status=200, **headers):
    body = b"" if document is None else json.dumps(document).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def shows(owner, locked=False):
    entry = {"ip": ADDRESS, "droplet": {"id": owner} if owner else None, "locked": locked, "region": {"slug": "nyc3"}}
    return reply({"reserved_ip": entry})


def error(status, id="server_error", message="no", **headers):
    return reply({"id": id, "message": message}, status, **headers)


def action(status="in-progress", http=200):
    return reply({"action": {"id": 7, "status": status}}, http)


HTML = Reply(502, {}, b"<html>502 Bad Gateway</html>")
RESET = Reply(0, {}, b"", "connection reset by peer")
HIDDEN = reply({"reserved_ip": {"ip": ADDRESS, "locked": False}})
ACCEPTED = action(http=201)
PENDING = error(422, "unprocessable_entity", "The floating IP already has a pending event.")
