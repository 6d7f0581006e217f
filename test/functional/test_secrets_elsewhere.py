"""
Where estates keep secrets: a store that Salt's own sdb asks, and a token file that something else writes. The store is
Salt's driver `yaml`: its file may be missing, or be a pipe that nobody writes into.
"""

import base64
import contextlib
import itertools
import logging
import os
from pathlib import Path

import pytest
import yaml

from haproxy_ha_host import files as host_files
from haproxy_ha_host import nss, stores
from support import documents
from support.certificates import self_signed
from support.pillars import EXAMPLE, REMOVED, changed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "certutil", "openssl"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
    pytest.mark.usefixtures("own_addresses"),
]

TOKEN, KEY = EXAMPLE["floating_ip"]["api_token"], EXAMPLE["cluster"]["authkey"]
PASSWORD = "hunter2hunter2"
AUTHKEY = Path("/etc/corosync/authkey")
CERTIFICATE = Path("/etc/haproxy/certificates/shop.pem")
NUMBERS = itertools.count()
STATES = {
    "token": {"function": "secret_file", "secret": "api_token"},
    "authkey": {"function": "secret_file", "secret": "authkey"},
    "balancer": {"function": "quorum_certificates", "name": "balancer"},
    "haproxy": {"function": "files", "name": "haproxy"},
    "helper": {"function": "quorum_certificates", "minion": "helper", "name": "helper"},
}
"""All that install a secret."""
WHERE = {
    "token": "floating_ip:api_token", "authkey": "cluster:authkey", "pem": "haproxy:certificates:shop:pem",
    "password": "haproxy:stats:password", "balancer": "cluster:quorum_device:balancer_pem",
}  # fmt: skip
"""What a load balancer needs of a store: where pillar has it."""


class Store:
    """A file of secrets, and what of a machine is made from it."""

    def __init__(self, directory, single, api, patience):
        self.patience = patience
        self.path, self.token_file, self.single = directory / "secrets.yaml", directory / "token", single
        name = f"store-{next(NUMBERS)}"  # one that was silent is left alone for a while
        self.url, self.profile = f"sdb://{name}/", {name: {"driver": "yaml", "files": [str(self.path)]}}
        self.pillar = changed({
            "floating_ip": {**EXAMPLE["floating_ip"], "api_token": f"{self.url}token", "api_url": api.api_url,
                            "ca_file": api.ca_file, "token_file": str(self.token_file)},
            "cluster:authkey": f"{self.url}authkey",
            "haproxy:certificates": {"shop": {"pem": f"{self.url}pem"}},
            "haproxy:stats": {"page": True, "password": f"{self.url}password"},
            "haproxy:frontends": {"http": {"bind": ["anchor:80", "anchor:443 ssl"]}},
            "cluster:quorum_device": {"helper_pem": f"{self.url}helper", "balancer_pem": f"{self.url}balancer"},
            "quorum_helper": {"helper": {"private_ip": "10.132.20.50"}},
        })  # fmt: skip

    def fill(self, **secrets):
        self.patience(60)
        self.path.unlink(missing_ok=True)
        self.path.write_text(yaml.safe_dump(secrets), encoding="utf-8")

    def close(self):
        """Nobody answers any more."""
        self.patience(0.5)
        self.path.unlink(missing_ok=True)
        os.mkfifo(self.path)

    def run(self, function, test=False, minion="primary", name="x", **arguments):
        return self.single(f"haproxy_ha.{function}", name, self.pillar, minion, test, self.profile, **arguments)

    def states(self, names, test=False):
        """What these states of :data:`STATES` return."""
        return [self.run(test=test, **STATES[name]) for name in names]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    helper, balancer = nss.generate("haproxy_ha")
    pem = "".join(path.read_text() for path in self_signed(tmp_path_factory.mktemp("pem"), "shop.example.com"))
    return {"token": TOKEN, "authkey": KEY, "pem": pem, "password": PASSWORD, "helper": helper, "balancer": balancer}


@pytest.fixture
def store(tmp_path, single, api, monkeypatch):
    made = Store(tmp_path, single, api, lambda seconds: monkeypatch.setattr(stores, "SECONDS", seconds))
    yield made
    with contextlib.suppress(OSError):  # whoever still waits for the pipe goes on
        os.close(os.open(made.path, os.O_WRONLY | os.O_NONBLOCK))


def installed():
    """What is secret on the machine."""
    places = [AUTHKEY, CERTIFICATE, Path("/etc/haproxy/haproxy.cfg")]
    return [host_files.read(str(path)) for path in places] + [nss.present(nss.HELPER), nss.present(nss.BALANCER)]


@pytest.mark.parametrize("names", [("authkey", "haproxy"), pytest.param(tuple(STATES), marks=pytest.mark.slow)],
                         ids=["two", "all"])
def test_secrets_of_a_store_are_installed_shown_nowhere_and_stay_when_it_is_silent(store, secrets, names, caplog):
    store.fill(**secrets)
    with caplog.at_level(logging.NOTSET):
        dry = store.states(names, test=True)
        assert [state["result"] for state in dry] == [None] * len(dry), dry
        live = store.states(names)
        assert [state["result"] for state in live] == [True] * len(live), live
        again = store.states(names)
        assert [(state["result"], state["changes"]) for state in again] == [(True, {})] * len(again)
        shown = store.single("haproxy_ha.settings_valid", "x", store.pillar, beside=store.profile)
    assert AUTHKEY.read_bytes() == base64.b64decode(KEY)
    assert "token" not in names or store.token_file.read_text(encoding="ascii") == f"{TOKEN}\n"
    assert CERTIFICATE.read_text(encoding="ascii") == secrets["pem"]
    assert f"-password {PASSWORD}\n" in Path("/etc/haproxy/haproxy.cfg").read_text(encoding="ascii")
    before, said = installed(), f"{dry}{live}{again}{shown}{caplog.text}"
    assert not [name for name, secret in secrets.items() if secret.split("\n")[-2 if "\n" in secret else 0] in said]

    silences = [(store.close, False), (lambda: store.fill(other="x"), True)]
    for silence, test in silences[: len(names) - 1]:
        silence()
        states = store.states(names, test)
        assert [(state["result"], state["changes"]) for state in states] == [(True, {})] * len(states), states
        assert all(store.url in state["comment"] for state in states)
        assert all("what is installed stays" in state["comment"] for state in states)
        assert installed() == before
    assert names != tuple(STATES) or store.run("preflight")["result"] is True

    other = base64.b64encode(bytes(range(256))).decode()
    store.fill(**{**secrets, "password": "another-secret-one", "authkey": other})
    rotated = store.states(names)
    assert [bool(state["changes"]) for state in rotated] == [name in ("authkey", "haproxy") for name in names]
    assert base64.b64encode(AUTHKEY.read_bytes()).decode() == other


def bare_machine(store):
    for path in (AUTHKEY, store.token_file, Path("/etc/haproxy/haproxy.cfg"), CERTIFICATE):
        path.unlink(missing_ok=True)
    for database in (nss.HELPER, nss.BALANCER):
        host_files.delete(database.path)


@pytest.mark.parametrize("silence", [lambda store: None, pytest.param(Store.close, marks=pytest.mark.slow)],
                         ids=["no file", "a pipe"])
def test_where_nothing_is_installed_yet_the_first_run_says_what_is_missing(store, silence):
    bare_machine(store)
    silence(store)
    for test in (True, False):
        state = store.run("preflight", test)
        assert (state["result"], state["changes"]) == (False, {})
        for key in WHERE.values():
            assert state["comment"].count(f"haproxy_ha:{key}: {store.url}") == 1
        assert "helper_pem" not in state["comment"] and "Traceback" not in state["comment"]
    states = store.states(STATES)
    assert [(state["result"], state["changes"]) for state in states] == [(False, {})] * len(states)
    assert all("nothing is installed yet that could stay" in state["comment"] for state in states)


@pytest.mark.parametrize("name, key", [pytest.param(*one, marks=[pytest.mark.slow] if one[0] != "pem" else [])
                                       for one in WHERE.items()])
def test_what_a_store_has_in_a_wrong_shape_is_one_message_without_it(store, secrets, name, key):
    store.fill(**{**secrets, name: "hunter3 hunter3"})
    for state in (store.run("preflight", test=True), store.run("preflight")):
        assert (state["result"], state["changes"]) == (False, {})
        assert f"haproxy_ha:{key}: {store.url}{name} has a string of 15 characters, allowed: " in state["comment"]
        assert "hunter3" not in str(state) and state["comment"].count("sdb://") == 1


def example(heading, number=1):
    [found] = [one for one in documents.examples() if one[:3] == ("docs/secrets.md", heading, number)]
    return yaml.safe_load(found.text)


def test_the_document_s_store_has_the_secrets_of_its_pillar(store, tmp_path):
    [profile] = example("In a store", 2).values()
    assert [*profile] == ["driver", "files"] and profile["files"] == ["/etc/salt/secrets.yaml"]
    tree = example("In a store")["haproxy_ha"]
    urls = [tree["floating_ip"]["api_token"], tree["cluster"]["authkey"]]
    assert urls == ["sdb://own/haproxy:token", "sdb://own/haproxy:authkey"]
    store.pillar = changed({"floating_ip:token_file": str(store.token_file), "floating_ip:api_token": urls[0],
                            "cluster:authkey": urls[1]})
    store.profile = {"own": {**profile, "files": [str(store.path)]}}
    store.fill(haproxy={"token": TOKEN, "authkey": KEY})
    assert store.run("secret_file", secret="api_token")["result"] is True
    assert store.token_file.read_text(encoding="ascii") == f"{TOKEN}\n"


def test_a_profile_that_salt_does_not_know_is_named(store):
    bare_machine(store)
    [name] = store.profile
    store.profile = {name: {"driver": "no_such_driver"}}
    assert "Salt has no sdb driver 'no_such_driver.get' here" in store.run("preflight")["comment"]
    store.profile = {}
    assert f"this minion has no sdb profile {name} with a driver" in store.run("preflight")["comment"]


# A token file that something else writes


@pytest.fixture
def theirs(tmp_path, single, api):
    """A token file of Vault Agent's or cloud-init's, and the state that looks at it."""
    path = tmp_path / "run" / "token"
    path.parent.mkdir(mode=0o755)
    pillar = changed({"floating_ip": {
        **{key: value for key, value in EXAMPLE["floating_ip"].items() if key != "api_token"},
        "token_file": str(path), "api_url": api.api_url, "ca_file": api.ca_file,
    }})  # fmt: skip

    def run(function="secret_file", test=False):
        arguments = {"secret": "api_token"} if function == "secret_file" else {}
        return single(f"haproxy_ha.{function}", "x", pillar, test=test, **arguments)

    return path, run


def rights(path):
    status = path.stat()
    return status.st_ino, status.st_mode, status.st_uid, status.st_mtime_ns


def test_a_token_file_that_something_else_writes_is_used_as_it_is(theirs):
    path, run = theirs
    assert [*example("In a file that something else writes")["haproxy_ha"]["floating_ip"]] == ["token_file"]
    for mode, text in ((0o600, TOKEN), (0o400, f"{TOKEN}\n")):
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="ascii")
        path.chmod(mode)
        before = rights(path)
        for function in ("secret_file", "preflight"):
            for test in (True, False):
                state = run(function, test)
                assert (state["result"], state["changes"]) == (True, {}), state
        assert (rights(path), path.read_text(encoding="ascii")) == (before, text)


@pytest.mark.parametrize("make, said", [
    (lambda path: None, "is missing: what writes it has not done so yet"),
    (lambda path: path.write_text(TOKEN), "has mode 0644, others than root may use it; it has to be root's"),
    (lambda path: path.write_text(TOKEN) and os.chown(path, 999, 999), "belongs to the user 999, who may change it"),
    (lambda path: path.mkdir(0o700), "is no file"),
    (lambda path: os.mkfifo(path, 0o600), "is no file"),
    (lambda path: path.touch(0o600), "is empty"),
    (lambda path: (path.touch(0o600), path.write_text("<no value> \n")), "holds white space"),
], ids=["missing", "Vault Agent's mode", "another's", "a directory", "a pipe", "empty", "no token"])
def test_a_token_file_that_the_agents_would_refuse_is_one_message_before_the_run(theirs, make, said):
    path, run = theirs
    make(path)
    for function in ("preflight", "secret_file"):
        for test in (True, False):
            state = run(function, test)
            assert (state["result"], state["changes"]) == (False, {})
            assert f"haproxy_ha:floating_ip:token_file: {path} {said}" in state["comment"]
            assert state["comment"].count(str(path)) == 1


def test_a_token_file_of_others_goes_with_nothing_and_one_of_ours_goes(theirs, single, api, tmp_path):
    path, run = theirs
    ours = changed({"floating_ip": {**EXAMPLE["floating_ip"], "token_file": str(path), "api_url": api.api_url,
                                    "ca_file": api.ca_file}})
    without = changed({"floating_ip:token_file": str(path), "floating_ip:api_token": None,
                       "load_balancers:primary": REMOVED})
    Path("/usr/lib/ocf/resource.d/haproxy_ha").mkdir(parents=True, exist_ok=True)

    def would_go():
        state = single("haproxy_ha.removed", "cluster", without, test=True)
        return str(path) in state["changes"]

    assert single("haproxy_ha.secret_file", "x", ours, secret="api_token")["result"] is True
    assert would_go()
    assert run()["result"] is True
    assert not would_go()
