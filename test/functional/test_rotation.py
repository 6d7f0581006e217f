"""A secret that was replaced is nowhere any more, but where an undo needs it."""

import json
import os
from pathlib import Path

import pytest

from support.certificates import self_signed
from support.pillars import EXAMPLE, changed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "nginx", "corosync", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
    pytest.mark.usefixtures("own_addresses"),
]
STATE = Path("/var/lib/haproxy_ha")
MEMORY = STATE / "last_good" / "haproxy.json"


def pair(directory, password):
    """A pillar with a certificate of its own and a password; and what is secret in it."""
    text = "".join(path.read_text(encoding="ascii") for path in self_signed(directory, "www"))
    pillar = changed({
        "haproxy:certificates": {"www": {"pem": text}},
        "haproxy:frontends": {"http": {"bind": ["anchor:443 ssl"]}},
        "haproxy:stats": {"page": True, "password": password},
    })  # fmt: skip
    return pillar, [text.splitlines()[-2], password]


def below(*directories):
    """The text of all files below some directories."""
    found = [path for directory in directories for path in Path(directory).rglob("*") if path.is_file()]
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in found)


def test_what_was_replaced_is_nowhere(files, tmp_path):
    (old, former), (new, current) = pair(tmp_path, "first-passw0rd"), pair(tmp_path, "second-passw0rd")
    assert files("haproxy", old)["result"] is True
    assert files("haproxy", new)["result"] is True
    for secret in former:
        assert secret not in below("/etc", "/var/lib/haproxy_ha", "/run")
    for secret in current:
        assert secret in below("/etc/haproxy") and secret not in below("/var/lib/haproxy_ha")


def test_the_files_of_another_daemon_need_no_certificate(files, tmp_path):
    pillar, _ = pair(tmp_path, "first-passw0rd")
    for daemon in ("corosync", "nginx"):
        state = files(daemon, pillar, test=True)
        assert state["result"] is None, state["comment"]


def test_what_an_earlier_release_remembered_goes_with_the_next_run(files, tmp_path):
    pillar, _ = pair(tmp_path, "first-passw0rd")
    files("haproxy", pillar)
    known = json.loads(MEMORY.read_text(encoding="utf-8"))
    entry = {"content": "an old k3y", "mode": "0600"}
    MEMORY.write_text(json.dumps({**known, "files": {known["installed"][0]: entry}}), encoding="utf-8")
    assert files("haproxy", pillar)["changes"] == {}
    assert json.loads(MEMORY.read_text(encoding="utf-8")) == known
    # What a run that was killed has to undo stays.
    MEMORY.write_text(json.dumps({**known, "files": {known["installed"][0]: entry}, "unfinished": True}),
                      encoding="utf-8")
    assert files("haproxy", pillar, test=True)["changes"] == {"haproxy": {"old": "not taken", "new": "taken"}}
    assert "an old k3y" in MEMORY.read_text(encoding="utf-8")


@pytest.fixture
def token(single):
    """Applies the token's states with another file, or another provider; returns what the last one has removed."""

    def run(path, test=False, **other):
        pillar = changed({"floating_ip:token_file": str(path), **other})
        if "floating_ip:provider" not in other:
            assert single("haproxy_ha.secret_file", str(path), pillar, secret="api_token")["result"] is True
        state = single("haproxy_ha.removed", "former_token", pillar, test=test)
        assert state["result"] is (None if test and state["changes"] else True)
        return list(state["changes"])

    yield run
    (STATE / "tokens.json").unlink(missing_ok=True)


def test_the_file_with_the_token_goes_when_pillar_names_another(token, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert token(first) == []
    assert token(second, test=True) == [str(first)] and first.exists()
    assert token(second) == [str(first)]
    assert token(second) == []
    assert os.listdir(tmp_path) == ["second"]
    lan = {"floating_ip:provider": "ipaddr2", "floating_ip:api_token": None, "floating_ip:address": "10.132.20.99"}
    assert token(second, **lan) == [str(second)]
    assert os.listdir(tmp_path) == []
    first.write_text("somebody's own", encoding="utf-8")
    assert token(second) == [] and first.exists()  # it is no longer the formula's


def test_a_file_that_the_formula_did_not_write_stays(token, tmp_path):
    """People have put the token there themselves."""
    own, other = tmp_path / "own", tmp_path / "other"
    own.write_text(EXAMPLE["floating_ip"]["api_token"] + "\n", encoding="ascii")
    own.chmod(0o600)
    assert token(own) == token(other) == []
    assert sorted(os.listdir(tmp_path)) == ["other", "own"]


def test_what_an_earlier_release_wrote_into_the_formulas_own_directory_goes_as_well(token, tmp_path):
    usual = Path("/etc/haproxy_ha/token")
    token(usual)
    (STATE / "tokens.json").unlink()
    assert token(usual) == []
    assert token(tmp_path / "other") == [str(usual)]


def test_clean_takes_every_token_that_was_written(single, token, tmp_path):
    (STATE / "tokens.json").unlink(missing_ok=True)
    token(tmp_path / "first")
    agents = Path("/usr/lib/ocf/resource.d/haproxy_ha")
    agents.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(agents):
        agents.mkdir()
    pillar = changed({"floating_ip:token_file": str(tmp_path / "second")})
    assert str(tmp_path / "first") in single("haproxy_ha.removed", "cluster", pillar, test=True)["changes"]
