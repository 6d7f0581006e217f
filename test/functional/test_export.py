"""Configurations of any origin: what HAProxy says of them, and of what comes back from pillar."""

import re
import subprocess
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from support import certificates, exported
from support.pillars import changed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "openssl"),
    pytest.mark.skipif(not in_container(), reason="reads /etc/haproxy of the container that has the daemons"),
]
EXAMPLES = Path("/usr/share/doc/haproxy/examples")
REFUSED = {"lua", "old", "newer", "no_action", "ftp"}
"""Those that HAProxy does not take here: a file that is not there, words of former days and of later ones."""


@pytest.fixture(scope="module", autouse=True)
def _certificate(tmp_path_factory):
    with certificates.installed(Path("/run/exported.pem"), tmp_path_factory.mktemp("pem")):
        yield


@pytest.fixture
def cfg():
    """HAProxy's configuration, which is afterwards as it was."""
    path = Path(exported.CFG)
    kept = path.read_bytes()
    yield path
    path.write_bytes(kept)


def said(text, directory):
    """What HAProxy says of it: the code (0; 2: nothing to listen on; 1: refused), and its words but for places."""
    path = directory / "haproxy.cfg"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    done = subprocess.run(["haproxy", "-W", "-c", "-f", path], capture_output=True, text=True, check=False)
    words = re.sub(r"\(\d+\)|:\d+\]|position \d+:\n.*\n.*", "", done.stdout + done.stderr)
    return done.returncode, sorted(words.split("\n"))


@pytest.mark.parametrize("name", exported.CONFIGURATIONS)
def test_haproxy_says_the_same_of_what_people_have(name, tmp_path):
    text = exported.CONFIGURATIONS[name].read_bytes().decode()
    of_before = said(text, tmp_path)
    assert said(exported.again(text), tmp_path) == of_before
    assert (of_before[0] == 1) == (name in REFUSED)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.cfg")), ids=lambda path: path.stem)
def test_haproxys_own_examples_keep_their_lines_and_verdict(path, tmp_path):
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    again = exported.again(text)
    assert exported.lines(again) == exported.lines(text)
    assert said(again, tmp_path) == said(text, tmp_path)


def test_the_first_run_changes_no_line_and_the_second_nothing(minions, single, cfg):
    cfg.write_bytes(exported.CONFIGURATIONS["statistics"].read_bytes())
    there = cfg.read_text()
    export = minions("primary").modules.haproxy_ha.export
    assert "a1b2c3d4" not in str(export(path=str(cfg)))
    pillar = changed({"haproxy": export(secrets=True)["haproxy_ha"]["haproxy"]})
    dry = single("haproxy_ha.files", "haproxy", pillar, test=True)
    assert (dry["result"], list(dry["changes"]), cfg.read_text()) == (None, [str(cfg)], there)
    assert single("haproxy_ha.files", "haproxy", pillar)["result"] is True
    assert exported.lines(cfg.read_text()) == exported.lines(there) != []
    assert single("haproxy_ha.files", "haproxy", pillar)["changes"] == {}


def test_a_directory_is_read_as_haproxy_does(minions, tmp_path):
    texts = {"b.cfg": "defaults\n mode tcp\n", "a.cfg": "global\n maxconn 9\n", "c": "x\n", ".d.cfg": "x\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    printed = minions("primary").modules.haproxy_ha.export(path=str(tmp_path))
    assert printed["haproxy_ha"]["haproxy"]["global"] == ["maxconn 9"]
    assert printed["notes"][-1].endswith(f": {tmp_path}/a.cfg, {tmp_path}/b.cfg")


def test_what_cannot_be_carried_is_one_message(minions, tmp_path):
    (tmp_path / "x.cfg").write_text("global\n maxconn 9")
    with pytest.raises(CommandExecutionError, match="line 2: no line feed at its end"):
        minions("primary").modules.haproxy_ha.export(path=str(tmp_path / "x.cfg"))
    with pytest.raises(CommandExecutionError, match="absent.cfg cannot be read"):
        minions("primary").modules.haproxy_ha.export(path=str(tmp_path / "absent.cfg"))
