"""The states of haproxy_ha, each in a dry run, a live run and a second one."""

import base64
import os
import socket
from pathlib import Path

import pytest

from support.pillars import EXAMPLE, changed
from support.place import in_container

TOKEN = EXAMPLE["floating_ip"]["api_token"]
KEY = base64.b64decode(EXAMPLE["cluster"]["authkey"])


AUTHKEY = Path("/etc/corosync/authkey")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files that root owns")
@pytest.mark.parametrize(
    "secret, mode, content", [("api_token", "0600", TOKEN.encode() + b"\n"), ("authkey", "0400", KEY)]
)
def test_a_secret_is_in_its_file_and_nowhere_else(single, tmp_path, secret, mode, content):
    if secret == "authkey" and not in_container():
        pytest.skip("changes /etc: runs in the container that has the daemons")
    path = AUTHKEY if secret == "authkey" else tmp_path / "private" / "file"
    path.unlink(missing_ok=True)
    pillar = changed({"floating_ip:token_file": str(tmp_path / "private" / "file")})

    def run(test=False):
        return single("haproxy_ha.secret_file", str(path), pillar, test=test, secret=secret)

    dry = run(test=True)
    assert (dry["result"], dry["changes"]) == (None, {str(path): {"old": None, "new": "(hidden)"}})
    assert not path.exists() and not (tmp_path / "private").exists()

    live = run()
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    assert path.read_bytes() == content
    assert f"{path.stat().st_mode & 0o7777:04o}" == mode
    assert path == AUTHKEY or path.parent.stat().st_mode & 0o7777 == 0o700

    for test in (True, False):
        assert (run(test)["result"], run(test)["changes"]) == (True, {})

    path.chmod(0o644)
    assert run()["changes"] == {str(path): {"old": "0644 root:root", "new": f"{mode} root:root"}}
    assert f"{path.stat().st_mode & 0o7777:04o}" == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files that root owns")
def test_another_secret_replaces_the_first_and_neither_is_shown(single, tmp_path):
    path = tmp_path / "token"
    path.write_text("dop_v1_" + "f" * 64 + "\n", encoding="ascii")
    path.chmod(0o600)
    pillar = changed({"floating_ip:token_file": str(path)})
    state = single("haproxy_ha.secret_file", str(path), pillar, secret="api_token")
    assert state["changes"] == {str(path): {"old": "(hidden)", "new": "(hidden)"}}
    assert os.listdir(tmp_path) == ["token"]


def test_an_unknown_secret_is_a_failure_and_no_traceback(single, tmp_path):
    state = single("haproxy_ha.secret_file", str(tmp_path / "x"), secret="password")
    assert (state["result"], state["comment"]) == (False, "secret: found 'password', allowed: api_token, authkey")


@pytest.mark.parametrize("test", [True, False])
def test_a_port_that_another_program_holds_is_one_error_that_names_it(single, test):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        pillar = changed({"app_servers": {"app-1": {"private_ip": "10.132.20.236", "port": port}}})
        free = single("haproxy_ha.preflight", "x", pillar, "app-1", test=test)
        assert (free["result"], free["changes"]) == (True, {})
        with socket.create_server(("0.0.0.0", 0)) as wildcard:
            port = wildcard.getsockname()[1]
            pillar["app_servers"]["app-1"]["port"] = port
            held = single("haproxy_ha.preflight", "x", pillar, "app-1", test=test)
    assert held["result"] is False
    said = f"(process {os.getpid()}) listens on 0.0.0.0 port {port}; nginx has to listen on 10.132.20.236"
    assert said in held["comment"]


def test_a_refused_pillar_is_a_failure_of_each_state(single):
    wrong = changed({"verify": "maybe"})
    for function, name in (("files", "haproxy"), ("preflight", "x"), ("page", "x"), ("repository", "x")):
        state = single(f"haproxy_ha.{function}", name, wrong)
        assert state["result"] is False, function
        assert "haproxy_ha:verify" in state["comment"]
        assert state["changes"] == {}


def test_an_unknown_daemon_is_a_failure(single):
    state = single("haproxy_ha.files", "apache", test=True)
    assert (state["result"], state["comment"]) == (False, "daemon: found 'apache', allowed: nginx, haproxy, corosync")


KEY_BLOCK = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----"
REPOSITORIES = {
    "trusted": (
        {"uri": "file:/srv/debian", "trusted": True, "packages": ["*"]},
        {"/etc/apt/sources.list.d/haproxy_ha.list": "deb [trusted=yes] file:/srv/debian bookworm main"},
    ),
    "signed": (
        {"key": KEY_BLOCK, "components": ["main", "extra"]},
        {
            "/etc/apt/keyrings/haproxy_ha.asc": "-----END PGP PUBLIC KEY BLOCK-----",
            "/etc/apt/preferences.d/haproxy_ha": "Pin-Priority: 500",
            "/etc/apt/sources.list.d/haproxy_ha.list":
                "deb [signed-by=/etc/apt/keyrings/haproxy_ha.asc] http://192.0.2.1/debian bookworm main extra",
        },
    ),
}


@pytest.mark.parametrize("case", REPOSITORIES)
def test_the_repository_of_pillar(single, case):
    options, wanted = REPOSITORIES[case]
    repository = {"uri": "http://192.0.2.1/debian", "suite": "bookworm", **options}
    state = single("haproxy_ha.repository", "x", changed({"haproxy": {"repository": repository}}), test=True)
    assert state["result"] is None
    assert {path: change["new"].splitlines()[-1] for path, change in state["changes"].items()} == wanted


@pytest.mark.parametrize("function, foreseen", [("running", None), ("disabled", True)])
def test_a_service_that_is_not_installed_is_a_failure_but_not_yet_in_a_dry_run(single, function, foreseen):
    dry = single(f"haproxy_ha.{function}", "no-such-service", test=True)
    assert dry["result"] is foreseen
    assert bool(dry["changes"]) is (foreseen is None)
    live = single(f"haproxy_ha.{function}", "no-such-service")
    assert (live["result"], live["changes"]) == (False, {})
    assert live["comment"] == "The service no-such-service is not installed"
