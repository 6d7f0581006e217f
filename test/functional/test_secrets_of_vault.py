"""Vault as a store: saltext-vault asks a stand-in of Vault's API, by the profile that docs/secrets.md shows."""

import base64
import logging
from pathlib import Path

import pytest
import yaml

from haproxy_ha_host import stores
from support import REPOSITORY, documents
from support.pillars import EXAMPLE, changed
from support.place import in_container
from support.vault import TOKEN, vault

pytestmark = pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons")
AUTHKEY = Path("/etc/corosync/authkey")
KEY = "".join(EXAMPLE["cluster"]["authkey"].split())
OTHER = base64.b64encode(bytes(range(256))).decode()


def example(number):
    [found] = [one for one in documents.examples() if one[:3] == ("docs/secrets.md", "In Vault", number)]
    return yaml.safe_load(found.text)


@pytest.fixture
def server():
    auth = example(3)["vault"]["auth"]
    with vault({"role_id": auth["role_id"], "secret_id": auth["secret_id"]}) as made:
        made.secrets["haproxy"] = {"token": EXAMPLE["floating_ip"]["api_token"], "authkey": KEY}
        yield made


@pytest.fixture
def authkey(server, single, minions, own_sls, monkeypatch):
    """The state that installs the cluster's key, as the document has pillar, profile and the minion's configuration."""
    pillar = changed({"cluster:authkey": example(1)["haproxy_ha"]["cluster"]["authkey"]})
    configuration = {**example(3)["vault"], "server": {"url": server.url},
                     "client": {"max_retries": 0}}
    monkeypatch.setitem(minions("primary", (REPOSITORY, own_sls)).modules.opts, "vault", configuration)

    def run(test=False):
        return single("haproxy_ha.secret_file", "x", pillar, test=test, beside=example(2), secret="authkey")

    return run


def installed():
    return base64.b64encode(AUTHKEY.read_bytes()).decode()


def test_a_secret_of_vault_is_installed_rotated_and_stays_while_vault_has_none_to_say(server, authkey, caplog):
    AUTHKEY.unlink(missing_ok=True)
    with caplog.at_level(logging.NOTSET):
        states = [authkey(test=True), authkey(), authkey()]
        assert [(state["result"], bool(state["changes"])) for state in states] == [(None, True), (True, True),
                                                                                   (True, False)], states
        assert installed() == KEY
        server.secrets["haproxy"]["authkey"] = OTHER
        assert bool(authkey()["changes"]) and installed() == OTHER
        for said, change in (
            ("VaultUnavailableError: Vault is sealed", {"sealed": True}),
            ("permission denied", {"sealed": False, "denied": True}),
            ("has nothing", {"denied": False, "secrets": {}}),
            ("invalid role or secret ID", {"role": {}}),
        ):
            vars(server).update(change)
            state = authkey()
            assert (state["result"], state["changes"]) == (True, {}), state
            assert said.rpartition(": ")[2] in state["comment"] and "what is installed stays" in state["comment"]
    assert installed() == OTHER
    assert not [secret for secret in (KEY, OTHER, TOKEN) if secret in f"{states}{caplog.text}"]


def test_a_vault_that_is_away_or_silent_keeps_what_is_installed(server, authkey, monkeypatch):
    assert authkey()["result"] is True
    monkeypatch.setattr(stores, "SECONDS", 2.0)
    server.away = True
    state = authkey()
    assert (state["result"], state["changes"], installed()) == (True, {}, KEY), state
    assert "did not answer: " in state["comment"] and "what is installed stays" in state["comment"]
    server.away, server.silent = False, True
    state = authkey()
    assert (state["result"], state["changes"], installed()) == (True, {}, KEY), state
    assert "did not answer within 2 s; what is installed stays" in state["comment"]
