"""The hook for renewed certificates, as docs/http.md has it, while a run is under way; without a daemon of Salt's."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from haproxy_ha_host import lock
from support import REPOSITORY, file_roots
from support.certificates import self_signed
from support.pillars import changed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "openssl"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]
INSTALLED = Path("/etc/haproxy/certificates/www.pem")


@pytest.fixture(scope="module", autouse=True)
def _as_before(tmp_path_factory):
    """What is changed here is put back: other tests begin with the package's own files."""
    kept = tmp_path_factory.mktemp("kept") / "haproxy"
    shutil.copytree("/etc/haproxy", kept)
    yield
    shutil.rmtree("/etc/haproxy")
    shutil.copytree(kept, "/etc/haproxy")
    shutil.rmtree("/var/lib/haproxy_ha", ignore_errors=True)


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """``salt-call FUNCTION ...`` of a masterless minion `primary`, as a process."""
    root = tmp_path_factory.mktemp("salt")
    for name in ("pillar", "states", "etc"):
        (root / name).mkdir()
    (root / "etc" / "minion").write_text(json.dumps({
        "id": "primary", "file_client": "local", "root_dir": str(root), "pki_dir": str(root / "pki"),
        "file_roots": {"base": [*file_roots.formula(root / "formula"), str(root / "states")]},
        "pillar_roots": {"base": [str(root / "pillar")]}, "log_level": "quiet",
    }), encoding="utf-8")
    waits = f"until [ -e {root}/over ]; do sleep 0.1; done"
    (root / "states" / "slow.sls").write_text(
        json.dumps({"slow": {"cmd.run": [{"name": waits}, {"timeout": 300}]}}), encoding="utf-8"
    )
    (root / "pillar" / "top.sls").write_text("base: {'*': [haproxy_ha]}\n", encoding="utf-8")

    def start(*words):
        return subprocess.Popen(["salt-call", "-c", root / "etc", *words], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    start.root = root
    (root / "pillar" / "haproxy_ha.sls").write_text("{}\n", encoding="utf-8")
    assert start("saltutil.sync_all").wait() == 0
    return start


@pytest.fixture
def www(call, tmp_path):
    """Files of a certificate that pillar names; a function that renews it and returns what should be installed."""
    def renew():
        return "".join(path.read_text(encoding="ascii") for path in self_signed(tmp_path, "www"))

    renew()
    pillar = changed({
        "haproxy:certificates": {"www": {"certificate": str(tmp_path / "www.crt"), "key": str(tmp_path / "www.key")}},
        "haproxy:frontends": {"http": {"bind": ["anchor:80", "anchor:443 ssl"]}},
    })
    (call.root / "pillar" / "haproxy_ha.sls").write_text(yaml.safe_dump({"haproxy_ha": pillar}), encoding="utf-8")
    return renew


def hook():
    """The words of the command of the document."""
    text = (REPOSITORY / "docs" / "http.md").read_text(encoding="utf-8")
    return re.search(r"exec salt-call (.*)", text)[1].split()


def test_it_is_done_while_salt_says_that_another_run_is_under_way(call, www):
    slow = call("--retcode-passthrough", "state.apply", "slow")
    proc = call.root / "var" / "cache" / "salt" / "minion" / "proc"
    deadline = time.monotonic() + 30
    while not (proc.is_dir() and any(proc.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    refused = call("--retcode-passthrough", "state.apply", "slow", "queue=False")
    assert refused.wait() != 0 and "is running as PID" in refused.stdout.read()
    renewed = www()
    done = call(*hook())
    assert done.wait() == 0, done.stdout.read()
    assert INSTALLED.read_text(encoding="ascii") == renewed
    assert slow.poll() is None, "it was meant to be under way"
    (call.root / "over").touch()
    assert slow.wait() == 0


def test_it_waits_for_a_run_that_is_at_the_same_files(call, www):
    with lock.alone("another run"):
        renewed = www()
        done = call(*hook())
        time.sleep(4)
        assert done.poll() is None
        assert not INSTALLED.exists() or INSTALLED.read_text(encoding="ascii") != renewed
    assert done.wait() == 0, done.stdout.read()
    assert INSTALLED.read_text(encoding="ascii") == renewed


def test_what_haproxy_refuses_is_a_failed_hook(call, www, tmp_path):
    www()
    assert call(*hook()).wait() == 0
    before = INSTALLED.read_text(encoding="ascii")
    (tmp_path / "www.crt").write_text("nonsense", encoding="ascii")
    done = call(*hook())
    assert done.wait() != 0 and "No file of haproxy was changed." in done.stdout.read()
    assert INSTALLED.read_text(encoding="ascii") == before
