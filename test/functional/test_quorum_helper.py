"""Certificates of pillar in the databases of real daemons: corosync-qnetd votes for a node that reaches it over TLS."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, corosync, nss, waiting
from support.pillars import changed, text_of, valid
from support.place import addresses, in_container, requires_tools

pytestmark = [
    requires_tools("corosync", "corosync-qnetd", "corosync-qdevice", "certutil", "pk12util", "openssl", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]
HELPER = "10.132.20.236"
CONF = Path("/etc/corosync/corosync.conf")


@pytest.fixture(scope="module")
def pems():
    return dict(zip(("helper_pem", "balancer_pem"), nss.generate("haproxy_ha"), strict=True))


@pytest.fixture(scope="module")
def helped(pems):
    return {"quorum_helper": {"app-1": None}, "cluster:quorum_device": pems}


@pytest.fixture
def no_databases():
    """Neither database is there, as on a machine that has only just got the packages."""
    for database in (nss.HELPER, nss.BALANCER):
        shutil.rmtree(database.path, ignore_errors=True)


@contextlib.contextmanager
def daemon(*argv, **options):
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def helper_runs(tls="req"):
    """As its unit runs it: by a user of its own."""
    os.makedirs("/run/corosync-qnetd", exist_ok=True)
    shutil.chown("/run/corosync-qnetd", "coroqnetd", "coroqnetd")
    with daemon("corosync-qnetd", "-f", "-l", HELPER, "-s", tls, user="coroqnetd", group="coroqnetd"):
        yield


@contextlib.contextmanager
def cluster_runs(text):
    """A node that waits for its peer, with its quorum device."""
    before = CONF.read_text(encoding="utf-8")
    CONF.write_text(text, encoding="utf-8")
    Path("/etc/corosync/authkey").write_bytes(b"0" * 256)
    try:
        with daemon("corosync", "-f"):
            assert waiting.wait_for(lambda: commands.run(["corosync-cmapctl"])[0] == 0, 20), "corosync answers"
            with daemon("corosync-qdevice", "-f"):
                yield
    finally:
        os.unlink("/etc/corosync/authkey")
        CONF.write_text(before, encoding="utf-8")


def install(single, which, minion, helped, test=False):
    state = single("haproxy_ha.quorum_certificates", which, changed(helped), minion, test=test)
    for pem in helped["cluster:quorum_device"].values():
        assert re.search("PRIVATE KEY-----\n(.+)\n", pem)[1] not in str(state)
    return state


def test_the_helper_votes_over_tls(single, helped, no_databases):
    for which, minion, database in (("helper", "app-1", nss.HELPER), ("balancer", "primary", nss.BALANCER)):
        would = install(single, which, minion, helped, test=True)
        assert would["result"] is None
        done = install(single, which, minion, helped)
        assert (done["result"], done["changes"]) == (True, would["changes"])
        assert list(done["changes"]) == [database.path]
        assert install(single, which, minion, helped)["changes"] == {}
        assert install(single, which, minion, helped, test=True)["result"] is True
        assert {oct(path.stat().st_mode)[-3:] for path in Path(database.path).iterdir()} == {"640"}
        assert [name for name in os.listdir(os.path.dirname(database.path)) if name.startswith(".haproxy_ha")] == []
    text = text_of(valid(helped), "corosync", str(CONF))
    with addresses("10.132.20.10", HELPER), helper_runs(), cluster_runs(text):
        assert waiting.wait_for(lambda: corosync.votes() == (2, 2), 20), "the helper votes"


def test_the_helper_votes_in_the_clear_if_pillar_says_so(no_databases):
    text = text_of(valid({"quorum_helper": {"app-1": None}, "cluster:quorum_device:tls": False}), "corosync", str(CONF))
    with addresses("10.132.20.10", HELPER), helper_runs("off"), cluster_runs(text):
        assert waiting.wait_for(lambda: corosync.votes() == (2, 2), 20), "the helper votes"


def test_a_load_balancer_of_another_authority_gets_no_vote(single, helped, no_databases):
    install(single, "helper", "app-1", helped)
    _, stranger = nss.generate("haproxy_ha")
    install(single, "balancer", "primary", {**helped, "cluster:quorum_device": {"balancer_pem": stranger}})
    text = text_of(valid(helped), "corosync", str(CONF))
    with addresses("10.132.20.10", HELPER), helper_runs(), cluster_runs(text):
        assert not waiting.wait_for(lambda: corosync.votes() != (1, 2), 4)


def test_a_certificate_of_another_name_is_refused_and_nothing_changes(single, helped, no_databases):
    install(single, "balancer", "primary", helped)
    before = nss.fingerprint(nss.BALANCER)
    _, other = nss.generate("other")
    pillar = {**helped, "cluster:quorum_device": {"balancer_pem": other}}
    for test in (True, False):
        state = install(single, "balancer", "primary", pillar, test=test)
        assert (state["result"], state["changes"]) == (False, {})
        assert "the certificate is of CN=other, allowed: CN=haproxy_ha" in state["comment"]
    assert nss.fingerprint(nss.BALANCER) == before


def test_a_key_of_another_certificate_is_refused(pems, no_databases):
    certificates, _, _ = pems["balancer_pem"].partition("-----BEGIN PRIVATE KEY-----")
    key = pems["helper_pem"][pems["helper_pem"].index("-----BEGIN PRIVATE KEY-----"):]
    with pytest.raises(CommandExecutionError, match="openssl pkcs12"):
        nss.build(nss.BALANCER, certificates + key)
    assert not os.path.exists(nss.BALANCER.path)


def test_other_certificates_replace_those_that_are_there_which_are_copied(single, helped, no_databases):
    install(single, "balancer", "primary", helped)
    _, renewed = nss.generate("haproxy_ha")
    done = install(single, "balancer", "primary", {**helped, "cluster:quorum_device": {"balancer_pem": renewed}})
    [change] = done["changes"].values()
    assert change == {"old": nss.fingerprint_of(helped["cluster:quorum_device"]["balancer_pem"]),
                      "new": nss.fingerprint_of(renewed)}
    kept = re.search(r"is kept in (\S+)", done["comment"])[1]
    assert Path(kept + nss.BALANCER.path, "cert9.db").exists()
    assert nss.holds(nss.BALANCER, renewed)
