"""
No secret leaves a machine: runs of all kinds by salt-call, with a canary in every key of pillar that is secret or takes
raw text (support/canaries.py), and a search of what they print, log, cache, start, and leave for others to read.
"""

import contextlib
import json
import secrets
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest
import yaml

from support import canaries, file_roots
from support.certificates import self_signed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "nginx", "corosync", "certutil", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
    pytest.mark.usefixtures("own_addresses"),
]

# What one minion is, in states: each changes a part that holds a secret.
STATES = {
    "primary": {
        "tidied": {"haproxy_ha.tidied": []},
        "haproxy": {"haproxy_ha.files": [{"name": "haproxy"}]},
        "corosync": {"haproxy_ha.files": [{"name": "corosync"}]},
        "token": {"haproxy_ha.secret_file": [{"name": "token"}, {"secret": "api_token"}]},
        "authkey": {"haproxy_ha.secret_file": [{"name": "authkey"}, {"secret": "authkey"}]},
        "quorum": {"haproxy_ha.quorum_certificates": [{"name": "balancer"}]},
        "former": {"haproxy_ha.removed": [{"name": "former_token"}]},
    },
    "app-1": {
        "tidied": {"haproxy_ha.tidied": []},
        "nginx": {"haproxy_ha.files": [{"name": "nginx"}]},
        "page": {"haproxy_ha.page": []},
        "quorum": {"haproxy_ha.quorum_certificates": [{"name": "helper"}]},
    },
}


class Site:
    """A masterless minion's Salt with a log at debug, and all that is said and seen while it runs."""

    def __init__(self, root, name):
        self.root, self.name, self.said, self.seen = root, name, [], set()
        for part in ("etc", "pillar", "states"):
            (root / part).mkdir(parents=True)
        root.chmod(0o755)
        (root / "etc" / "minion").write_text(json.dumps({
            "id": name, "file_client": "local", "root_dir": str(root), "pki_dir": str(root / "pki"),
            "file_roots": {"base": [*file_roots.formula(root / "formula"), str(root / "states")]},
            "pillar_roots": {"base": [str(root / "pillar")]}, "log_level": "quiet", "log_level_logfile": "debug",
        }), encoding="utf-8")
        (root / "pillar" / "top.sls").write_text("base: {'*': [haproxy_ha]}\n", encoding="utf-8")
        (root / "states" / "own.sls").write_text(json.dumps(STATES[name]), encoding="utf-8")
        (root / "pillar").chmod(0o700)
        self.pillar({})

    def pillar(self, tree):
        text = yaml.safe_dump({"haproxy_ha": tree})
        (self.root / "pillar" / "haproxy_ha.sls").write_text(text, encoding="utf-8")

    def start(self, *words):
        command = ["salt-call", "-c", self.root / "etc", "--out=json", *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def call(self, *words):
        """What it prints, which is kept."""
        over = threading.Event()
        sampler = threading.Thread(target=self._watch, args=(over,))
        sampler.start()
        try:
            text = self.start(*words).communicate(timeout=300)[0]
        finally:
            over.set()
            sampler.join()
        self.said.append(text)
        return text

    def apply(self, *words):
        """A run of states; {id: (result, comment)}."""
        states = json.loads(self.call("state.apply", *words))["local"]
        assert isinstance(states, dict), states
        return {one["__id__"]: (one["result"], one["comment"]) for one in states.values()}

    def _watch(self, over):
        """Arguments and environment of all processes, over and over."""
        while not over.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                for part in ("cmdline", "environ"):
                    try:
                        self.seen.add((process / part).read_text("utf-8", "replace"))
                    except OSError:
                        continue  # it is over
            over.wait(0.01)

    def log(self):
        return (self.root / "var" / "log" / "salt" / "minion").read_text(encoding="utf-8", errors="replace")


def not_well(states):
    """{id: comment} of the states that failed."""
    return {name: comment for name, (result, comment) in states.items() if result is False}


def leaks(site, *made):
    """Where canaries are that nobody should see: {place: keys}."""
    planted = {text: key for one in made for text, key in one.planted.items()}
    places = {f"what call {number} said": text for number, text in enumerate(site.said)}
    places |= {"the log": site.log(), "arguments and environments": "\n".join(site.seen)}
    roots = ("/etc", "/run", "/tmp", "/usr/lib/ocf", "/var", site.root)
    places |= {str(path): text for path, text in canaries.readable_by_others(*roots)}
    return canaries.found_in(planted, places)


@pytest.fixture(params=STATES)
def site(request, machine_as_built):
    # Not below pytest's own directory, which nobody else enters.
    root = Path("/srv/canaries") / request.param
    shutil.rmtree(root, ignore_errors=True)
    site = Site(root, request.param)
    assert "utils" in site.call("saltutil.sync_all")
    yield site
    shutil.rmtree(root)


@pytest.mark.slow
def test_no_canary_leaves(site, tmp_path):
    first, second = canaries.pillar(tmp_path, "A"), canaries.pillar(tmp_path, "B")
    _of_files(first, tmp_path)
    _foreign(first.planted)
    site.pillar(first.tree)
    assert not_well(site.apply("own", "test=True")) == {}
    assert not_well(site.apply("own")) == {}
    site.call("state.apply", "haproxy_ha", "test=True")
    for function in ("haproxy_ha.settings", "haproxy_ha.verify", "haproxy_ha.status", "state.show_sls"):
        site.call(function, *(["own"] if function == "state.show_sls" else []))
    for daemon in ("haproxy", "nginx", "corosync"):
        site.call("haproxy_ha.daemon_files", daemon)
    assert leaks(site, first) == {}
    _refused(site, first)
    _killed(site, second)
    assert not_well(site.apply("own")) == {}
    assert leaks(site, first, second) == {}
    _rotated(site, first, second)


def _of_files(made, directory):
    """A certificate that pillar names, of files on the machine."""
    paths = self_signed(directory, "found")
    made.tree["haproxy"]["certificates"]["found"] = dict(zip(("certificate", "key"), map(str, paths), strict=True))
    made.planted[paths[1].read_text("ascii").splitlines()[1]] = "a key on the machine"


FOREIGN = Path("/etc/haproxy/certificates/foreign.pem")


def _foreign(planted):
    """A key of somebody else's in the directory of certificates."""
    FOREIGN.parent.mkdir(parents=True, exist_ok=True)
    FOREIGN.touch(0o600)
    key = secrets.token_hex(32)
    FOREIGN.write_text(f"-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n", encoding="ascii")
    planted[key] = "a foreign key"


def _refused(site, made):
    """Settings that are wrong, and files that the daemons refuse."""
    haproxy, nginx = made.tree["haproxy"], made.tree["nginx"]
    token = "dop_v1_" + "0123456789abcdef" * 4
    made.planted[token] = "a token in the wrong place"
    site.pillar({**made.tree, "haproxy": {**haproxy, "stats": {**haproxy["stats"], "user": token}}})
    assert not_well(site.apply("haproxy_ha", "test=True"))
    refused = {"haproxy": {**haproxy, "global": [*haproxy["global"], "user x insecure-password " + made.word("x")]},
               "nginx": {**nginx, "options": [*nginx["options"], f"proxy_set_headr X-Token {made.word('y')};"]}}
    site.pillar({**made.tree, **refused})
    for test in ("test=True", "test=False"):
        assert not_well(site.apply("own", test))
    assert leaks(site, made) == {}


def _killed(site, made):
    """At any moment: what stays is as little for others as what a whole run leaves."""
    site.pillar(made.tree)
    for seconds in (1.5, 2.5):
        run = site.start("state.apply", "own")
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.communicate(timeout=seconds)
        run.send_signal(signal.SIGKILL)
        site.said.append(run.communicate()[0])
        assert leaks(site, made) == {}


def _rotated(site, former, made):
    """What was replaced is nowhere below the formula's and the daemons' directories, but in the minion's pillar."""
    (site.root / "states" / "purge.sls").write_text(json.dumps({
        "memory": {"haproxy_ha.removed": []}, "copies": {"haproxy_ha.removed": []}}), encoding="utf-8")
    everywhere = [path for root in ("/etc", "/run", "/var/lib", "/usr/lib/ocf") for path in Path(root).rglob("*")
                  if path.is_file() and not path.is_symlink()]  # fmt: skip
    for path in {*everywhere} - {FOREIGN}:
        assert canaries.found(former.planted, path.read_text("utf-8", "replace")) == [], path
    assert not_well(site.apply("purge")) == {}
    below = [path for path in Path("/var/lib/haproxy_ha").rglob("*") if path.is_file()]
    assert not [path for path in below if canaries.found(made.planted, path.read_text("utf-8", "replace"))]


