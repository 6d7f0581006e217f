"""Secrets that Salt's gpg renderer decrypts, with a key, a pillar file and a rendering as a master has them."""

import re
import subprocess
import tempfile
from pathlib import Path

import pytest
import salt.pillar
import yaml

from haproxy_ha_lib.settings import build, minion
from support import REPOSITORY, documents
from support.pillars import DEFAULTS, EXAMPLE, PEM, QUORUM_PEM, changed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("gpg"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]
SECRETS = {
    "floating_ip": {"api_token": EXAMPLE["floating_ip"]["api_token"]},
    "cluster": {"authkey": EXAMPLE["cluster"]["authkey"],
                "quorum_device": {"helper_pem": QUORUM_PEM, "balancer_pem": QUORUM_PEM}},
    "haproxy": {"certificates": {"shop": {"pem": PEM}}, "stats": {"password": "hunter2hunter2"}},
}  # fmt: skip
PLACES = ["cluster:authkey", "cluster:quorum_device:balancer_pem", "cluster:quorum_device:helper_pem",
          "floating_ip:api_token", "haproxy:certificates:shop:pem", "haproxy:stats:password"]
OPEN = changed({"haproxy:stats": {"page": True}, "haproxy:frontends": {"http": {"bind": ["anchor:443 ssl"]}},
                "quorum_helper": {"helper": {"private_ip": "10.132.20.50"}}})
DOCUMENT = (REPOSITORY / "docs" / "secrets.md").read_text(encoding="utf-8")
[ENCRYPT] = re.findall(r"`gpg --homedir /etc/salt/gpgkeys ([^`]+)`", DOCUMENT)
[FILE] = [one.text for one in documents.examples() if one.place == "docs/secrets.md, In pillar, encrypted"]
_MESSAGE = re.compile(r"( *)-----BEGIN PGP MESSAGE-----.*-----END PGP MESSAGE-----", re.DOTALL)


def gpg(home, *arguments, given=""):
    command = ["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", *arguments]
    return subprocess.run(command, input=given, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def keys():
    """A master's gpgkeys. Its path is short: the agent has a socket there."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        gpg(home, "--quick-gen-key", "salt", "future-default", "default", "never")
        yield home
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


def mapped(tree, change):
    return {key: mapped(value, change) if isinstance(value, dict) else change(value) for key, value in tree.items()}


@pytest.fixture(scope="module")
def roots(keys, tmp_path_factory):
    """A pillar as the document has it: a file with what is secret, and one with the rest."""
    path = tmp_path_factory.mktemp("pillar")
    sealed = mapped(SECRETS, lambda secret: gpg(keys, *ENCRYPT.split(), given=secret))
    token = sealed["floating_ip"].pop("api_token")
    shown = _MESSAGE.sub(lambda found: "\n".join(found[1] + line for line in token.splitlines()), FILE)
    rest = mapped(OPEN, lambda value: value)
    for table, key in (("floating_ip", "api_token"), ("cluster", "authkey")):
        del rest[table][key]
    files = {"top": yaml.safe_dump({"base": {"*": ["token", "secrets", "rest"]}}), "token": shown,
             "secrets": f"#!yaml|gpg\n{yaml.safe_dump({'haproxy_ha': sealed})}",
             "rest": yaml.safe_dump({"haproxy_ha": rest})}
    for name, text in files.items():
        (path / f"{name}.sls").write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def rendered(roots, minions, own_sls):
    """Pillar as Salt renders it with some gpgkeys."""

    def render(home, **options):
        known = minions("primary", (REPOSITORY, own_sls)).modules.opts
        opts = {**known, "pillar_roots": {"base": [str(roots)]}, "gpg_keydir": home, **options}
        return salt.pillar.Pillar(opts, opts["grains"], "primary", "base").compile_pillar()

    return render


def test_every_secret_may_be_encrypted(rendered, keys, single):
    pillar = rendered(keys)["haproxy_ha"]
    assert build.secrets(pillar) == build.secrets(SECRETS)
    for minion_id in ("primary", "helper"):
        assert build.settings(pillar, minion_id, DEFAULTS).errors == []
    assert single("haproxy_ha.secret_file", "x", pillar, secret="authkey")["result"] is True
    assert Path("/etc/corosync/authkey").exists()


def test_without_the_key_each_secret_is_said_to_be_encrypted(rendered, single, tmp_path):
    tmp_path.chmod(0o700)
    pillar = rendered(str(tmp_path), gpg_decrypt_must_succeed=False)["haproxy_ha"]
    state = single("haproxy_ha.settings_valid", "x", pillar)
    assert (state["result"], state["changes"]) == (False, {})
    for place in PLACES:
        assert state["comment"].count(f"haproxy_ha:{place}: could not be decrypted on the master") == 1
    assert "PGP MESSAGE-----" not in state["comment"]


def test_a_pillar_that_the_master_does_not_render_without_the_key_is_said_to_be_that(rendered, tmp_path):
    tmp_path.chmod(0o700)
    pillar = rendered(str(tmp_path), gpg_decrypt_must_succeed=True)
    [message] = minion.in_pillar(build.settings(pillar.get("haproxy_ha"), "primary", DEFAULTS), pillar).errors
    assert message.startswith("pillar: failed to render, so it may lack what is written: ")
    assert "A value that the master cannot decrypt (gpg_decrypt_must_succeed) is one reason." in message
    assert "PGP MESSAGE-----" not in message
