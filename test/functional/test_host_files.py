"""States that write the files of daemons, for real: only in the container that has them, which is thrown away."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from haproxy_ha_host import lock
from support.certificates import self_signed
from support.pillars import EXAMPLE, changed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "nginx", "corosync", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
    pytest.mark.usefixtures("own_addresses"),
]
BACKUP = Path("/var/lib/haproxy_ha/backup")
DAEMONS = {
    "haproxy": ("/etc/haproxy/haproxy.cfg", "0640 root:haproxy"),
    "nginx": ("/etc/nginx/sites-available/haproxy_ha", "0640 root:root"),
    "corosync": ("/etc/corosync/corosync.conf", "0644 root:root"),
}
REFUSED = {
    "haproxy": ({"haproxy": {"defaults": ["mode httpp"]}}, "/etc/haproxy/haproxy.cfg:"),
    "nginx": ({"app_servers:app-1:private_ip": "192.0.2.1"}, "bind() to 192.0.2.1:80 failed"),
}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemons_files_dry_live_and_again(files, daemon):
    path, rights = DAEMONS[daemon]
    dry = files(daemon, test=True)
    assert dry["result"] is None
    assert dry["comment"] == f"{daemon} accepts the new files; they would be installed"
    live = files(daemon)
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    assert path in live["changes"]
    found = Path(path)
    assert f"{found.stat().st_mode & 0o7777:04o} {found.owner()}:{found.group()}" == rights
    for test in (True, False):
        again = files(daemon, test=test)
        assert (again["result"], again["changes"]) == (True, {})


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("daemon", REFUSED)
def test_a_configuration_that_the_daemon_refuses_is_never_installed(files, daemon, test):
    changes, said = REFUSED[daemon]
    files(daemon)
    before = Path(DAEMONS[daemon][0]).read_text(encoding="utf-8")
    state = files(daemon, changed(changes), test)
    assert (state["result"], state["changes"]) == (False, {})
    assert said in state["comment"]
    assert Path(DAEMONS[daemon][0]).read_text(encoding="utf-8") == before


def with_certificates(**certificates):
    bind = {"haproxy:frontends": {"http": {"bind": ["anchor:80", "anchor:443 ssl"]}}} if certificates else {}
    return changed({"haproxy:certificates": certificates} | bind)


CERTIFICATES = Path("/etc/haproxy/certificates")


def test_certificates_are_of_haproxys_set_and_secret(files, tmp_path):
    """One from pillar, one from files of the machine; then another one, and none."""
    shop, www = self_signed(tmp_path, "shop"), self_signed(tmp_path, "www")
    text = "".join(path.read_text(encoding="ascii") for path in shop)
    both = with_certificates(shop={"pem": text}, www={"certificate": str(www[0]), "key": str(www[1])})
    files("haproxy")
    dry = files("haproxy", both, test=True)
    assert dry["result"] is None
    assert not list(CERTIFICATES.glob("*"))
    live = files("haproxy", both)
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    for name, paths in (("shop", shop), ("www", www)):
        path = CERTIFICATES / f"{name}.pem"
        assert live["changes"][str(path)] == {"old": None, "new": "(hidden)"}
        assert (path.stat().st_mode & 0o7777, path.owner(), path.group()) == (0o600, "root", "root")
        assert path.read_text(encoding="ascii") == "".join(one.read_text(encoding="ascii") for one in paths)
    assert "KEY" not in str(live) + str(dry)
    assert files("haproxy", both)["changes"] == {}

    renewed = self_signed(tmp_path, "www")
    state = files("haproxy", both)
    assert state["changes"] == {str(CERTIFICATES / "www.pem"): {"old": "(hidden)", "new": "(hidden)"}}
    renewed[0].write_text("nonsense", encoding="ascii")
    for test in (True, False):
        state = files("haproxy", both, test=test)
        assert (state["result"], state["changes"]) == (False, {})
        assert "/etc/haproxy/certificates/www.pem" in state["comment"]

    state = files("haproxy", with_certificates(shop={"pem": text}))
    assert state["changes"][str(CERTIFICATES / "www.pem")] == {"old": "(hidden)", "new": None}
    assert files("haproxy")["result"] is True
    assert list(CERTIFICATES.iterdir()) == []


def test_what_others_put_beside_the_certificates_is_neither_shown_nor_deleted(files, tmp_path):
    """Whatever its mode: a key of their own, HAProxy's side files of a certificate, links, directories."""
    shop = "".join(path.read_text(encoding="ascii") for path in self_signed(tmp_path, "shop"))
    one = with_certificates(shop={"pem": shop})
    files("haproxy", one)
    theirs = {CERTIFICATES / name: shop for name in ("own.pem", "shop.pem.key", "shop.pem.issuer", "shop.pem.ocsp")}
    for path, text in theirs.items():
        path.write_text(text, encoding="ascii")
        path.chmod(0o644)
    (CERTIFICATES / "link.pem").symlink_to("own.pem")
    (CERTIFICATES / "more").mkdir()
    try:
        for pillar in (one, with_certificates(shop={"pem": shop}, www={"pem": shop}), one):
            for state in (files("haproxy", pillar, test=True), files("haproxy", pillar)):
                assert state["result"] is not False, state["comment"]
                assert not [path for path in state["changes"] if path.endswith(("own.pem", "link.pem", "more"))]
                assert "KEY" not in str(state)
        # Our own is shown by nobody's mode, and goes when pillar does not name it any more.
        (CERTIFICATES / "shop.pem").chmod(0o644)
        state = files("haproxy")
        assert state["changes"][str(CERTIFICATES / "shop.pem")] == {"old": "(hidden)", "new": None}
        assert "KEY" not in str(state)
        assert {path: path.read_text(encoding="ascii") for path in theirs} == theirs
        assert sorted(os.listdir(CERTIFICATES)) == ["link.pem", "more", "own.pem", *(
            f"shop.pem.{kind}" for kind in ("issuer", "key", "ocsp"))]
        # Named by pillar, theirs becomes ours, and is not shown either.
        state = files("haproxy", with_certificates(own={"pem": shop + shop}))
        assert state["changes"][str(CERTIFICATES / "own.pem")] == {"old": "(hidden)", "new": "(hidden)"}
        assert files("haproxy")["changes"][str(CERTIFICATES / "own.pem")] == {"old": "(hidden)", "new": None}
    finally:
        for path in (*theirs, CERTIFICATES / "link.pem"):
            path.unlink(missing_ok=True)
        (CERTIFICATES / "more").rmdir()


def test_a_certificate_of_an_older_version_of_the_formula_goes_as_well(files, tmp_path):
    """It remembers the set that it has replaced, with the paths of what it has put there."""
    shop = "".join(path.read_text(encoding="ascii") for path in self_signed(tmp_path, "shop"))
    files("haproxy", with_certificates(shop={"pem": shop}))
    memory = Path("/var/lib/haproxy_ha/last_good/haproxy.json")
    remembered = json.loads(memory.read_text(encoding="utf-8"))
    installed = remembered.pop("installed")
    assert str(CERTIFICATES / "shop.pem") in installed
    memory.write_text(json.dumps({**remembered, "files": dict.fromkeys(installed)}), encoding="utf-8")
    assert files("haproxy")["changes"][str(CERTIFICATES / "shop.pem")] == {"old": "(hidden)", "new": None}
    assert list(CERTIFICATES.iterdir()) == []


@pytest.mark.parametrize("test", [True, False])
def test_an_encrypted_key_of_the_machine_is_refused_with_its_path(files, tmp_path, test):
    certificate, key = self_signed(tmp_path, "www")
    secret = subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:s3cret"], check=True,
                            capture_output=True, text=True).stdout
    key.write_text(secret, encoding="ascii")
    state = files("haproxy", with_certificates(www={"certificate": str(certificate), "key": str(key)}), test)
    assert (state["result"], state["changes"]) == (False, {})
    assert f"{key}: found a private key with a passphrase" in state["comment"]


def test_a_token_with_a_line_break_at_its_end_is_written_without_it(single, tmp_path):
    pillar = changed({
        "floating_ip:api_token": EXAMPLE["floating_ip"]["api_token"] + "\n\n",
        "floating_ip:token_file": str(tmp_path / "token"),
    })  # fmt: skip
    state = single("haproxy_ha.secret_file", str(tmp_path / "token"), pillar, secret="api_token")
    assert state["result"] is True
    assert (tmp_path / "token").read_text(encoding="ascii") == EXAMPLE["floating_ip"]["api_token"] + "\n"


@pytest.mark.parametrize("test", [True, False])
def test_a_run_that_waits_for_another_in_vain_names_it(files, monkeypatch, test):
    monkeypatch.setattr(lock, "SECONDS", 0.3)
    with lock.alone("somebody else's"):
        state = files("haproxy", test=test)
    assert (state["result"], state["changes"]) == (False, {})
    assert f"another run has not ended within 0.3 s: process {os.getpid()} (" in state["comment"]
    assert state["comment"].endswith(": somebody else's")
    assert files("haproxy", test=test)["result"] is not False


def test_a_certificate_that_is_not_on_the_machine_yet(files):
    pillar = with_certificates(www={"certificate": "/etc/letsencrypt/live/www/fullchain.pem"})
    dry, live = files("haproxy", pillar, test=True), files("haproxy", pillar)
    assert (dry["result"], live["result"]) == (None, False)
    for state in (dry, live):
        assert "/etc/letsencrypt/live/www/fullchain.pem is not on this machine" in state["comment"]
    assert "a live run fails unless another state has put it there before" in dry["comment"]
    assert live["changes"] == {}


def test_what_people_are_shown_holds_no_secret(minions, tmp_path, monkeypatch):
    """`haproxy_ha.settings` and `haproxy_ha.daemon_files` answer the master, which keeps what they say."""
    text = "".join(path.read_text(encoding="ascii") for path in self_signed(tmp_path, "shop"))
    pillar = changed({
        "haproxy": {
            "certificates": {"shop": {"pem": text}}, "stats": {"page": True, "password": "hunter2hunter2"},
            "userlists": {"staff": ["user jane insecure-password hunter2hunter2"]},
        }
    })  # fmt: skip
    modules = minions("primary").modules
    monkeypatch.setitem(modules.pack, "__pillar__", {"haproxy_ha": pillar})
    for shown in (modules.haproxy_ha.settings("base"), modules.haproxy_ha.daemon_files("haproxy", "base")):
        assert "hunter2" not in str(shown)
        assert "PRIVATE" not in str(shown)
        assert "(hidden)" in str(shown)


def test_nginxs_default_site_goes_and_comes_back_with_the_site_off(files):
    """The set as a whole: a site of ours, or none and nothing of people's touched."""
    files("nginx")
    assert not os.path.lexists("/etc/nginx/sites-enabled/default")
    assert os.readlink("/etc/nginx/sites-enabled/haproxy_ha") == "/etc/nginx/sites-available/haproxy_ha"
    os.symlink("/etc/nginx/sites-available/default", "/etc/nginx/sites-enabled/default")
    files("nginx", changed({"nginx": {"site": {"enabled": False}}}))
    assert os.path.lexists("/etc/nginx/sites-enabled/default")
    assert not os.path.lexists("/etc/nginx/sites-enabled/haproxy_ha")
    assert not os.path.lexists("/etc/nginx/conf.d/haproxy_ha.conf")


def test_a_log_format_of_ones_own_stays_the_only_one(files):
    """The tutorial defines it in nginx.conf, and nginx refuses a second one."""
    conf = Path("/etc/nginx/nginx.conf")
    usual = conf.read_text(encoding="utf-8")
    assert files("nginx")["result"] is True
    conf.write_text(usual.replace("http {", "http {\n    log_format haproxy_log 'own $remote_addr';"), encoding="utf-8")
    try:
        for test in (True, False):
            state = files("nginx", test=test)
            assert list(state["changes"]) == ["/etc/nginx/conf.d/haproxy_ha.conf"], state
            assert state["result"] is not False
        assert "log_format" not in Path("/etc/nginx/conf.d/haproxy_ha.conf").read_text(encoding="utf-8")
        assert (files("nginx")["result"], files("nginx")["changes"]) == (True, {})
    finally:
        conf.write_text(usual, encoding="utf-8")
    assert list(files("nginx")["changes"]) == ["/etc/nginx/conf.d/haproxy_ha.conf"]


def test_a_configuration_of_ones_own_is_kept_as_a_copy_and_ours_is_not(files):
    own = "# by hand\n" + Path("/etc/haproxy/haproxy.cfg").read_text(encoding="utf-8").replace("Managed by Salt", "")
    Path("/etc/haproxy/haproxy.cfg").write_text(own, encoding="utf-8")
    before = set(BACKUP.glob("haproxy-*"))
    state = files("haproxy")
    [kept] = set(BACKUP.glob("haproxy-*")) - before
    assert (kept / "etc/haproxy/haproxy.cfg").read_text(encoding="utf-8") == own
    assert str(kept) in state["comment"]
    assert "is kept in" not in files("haproxy", changed({"haproxy:defaults": ["mode http"]}))["comment"]
    assert set(BACKUP.glob("haproxy-*")) == before | {kept}


def test_a_page_of_ones_own_is_kept_as_a_copy_and_the_tutorials_is_not(single):
    index = Path("/var/www/html/index.html")
    for text, copies in (("<h1>The shop</h1>\n", 1), ("Droplet: app-1, IP Address: 192.0.2.1\n", 0)):
        index.write_text(text, encoding="utf-8")
        before = set(BACKUP.glob("page-*"))
        dry = single("haproxy_ha.page", "x", minion="app-1", test=True)
        assert (dry["result"], index.read_text(encoding="utf-8")) == (None, text)
        state = single("haproxy_ha.page", "x", minion="app-1")
        assert (state["result"], state["changes"]) == (True, dry["changes"])
        new = set(BACKUP.glob("page-*")) - before
        assert [(kept / "var/www/html/index.html").read_text(encoding="utf-8") for kept in new] == [text] * copies
        assert single("haproxy_ha.page", "x", minion="app-1")["changes"] == {}
