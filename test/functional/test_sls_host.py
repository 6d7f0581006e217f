"""
States that change a host for real: only in the container that has the daemons, which is thrown away.

The last tests purge HAProxy and nginx: no file that needs them may come after this one.
"""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import lock, system
from support import REPOSITORY
from support.certificates import self_signed
from support.pillars import EXAMPLE, FORMULA, changed
from support.place import addresses, in_container, requires_tools
from support.simulated_cloud import ADDRESS, PRIMARY, simulator

pytestmark = [
    requires_tools("haproxy", "nginx", "corosync", "ufw", "nft", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]
BACKUP = Path("/var/lib/haproxy_ha/backup")


@pytest.fixture(scope="module", autouse=True)
def _addresses():
    """The addresses of the example's machines: nginx and corosync look for theirs."""
    with addresses("10.132.20.236", "10.132.20.10", "10.17.1.18"):
        yield


DAEMONS = {
    "haproxy": ("primary", "haproxy_ha.load_balancer.config", "/etc/haproxy/haproxy.cfg", "0640 root:haproxy"),
    "nginx": ("app-1", "haproxy_ha.app.config", "/etc/nginx/sites-available/haproxy_ha", "0644 root:root"),
    "corosync": ("primary", "haproxy_ha.cluster.config", "/etc/corosync/corosync.conf", "0644 root:root"),
}
REFUSED = {
    "haproxy": ({"haproxy": {"defaults": ["mode httpp"]}}, "/etc/haproxy/haproxy.cfg:"),
    "nginx": ({"app_servers:app-1:private_ip": "192.0.2.1"}, "bind() to 192.0.2.1:80 failed"),
}


@pytest.fixture
def files(single):
    def run(daemon, pillar=EXAMPLE, test=False):
        return single("haproxy_ha.files", daemon, pillar, DAEMONS[daemon][0], test)

    return run


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemons_files_dry_live_and_again(files, daemon):
    _, _, path, rights = DAEMONS[daemon]
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
    before = Path(DAEMONS[daemon][2]).read_text(encoding="utf-8")
    state = files(daemon, changed(changes), test)
    assert (state["result"], state["changes"]) == (False, {})
    assert said in state["comment"]
    assert Path(DAEMONS[daemon][2]).read_text(encoding="utf-8") == before


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
    assert str(CERTIFICATES / "shop.pem") in remembered.pop("installed")
    memory.write_text(json.dumps(remembered), encoding="utf-8")
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
    pillar = changed({"floating_ip:api_token": EXAMPLE["floating_ip"]["api_token"] + "\n\n"})
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


# Before anything is touched


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


def by_the_api(cloud, changes=(), **options):
    """pillar.example with the simulator for DigitalOcean."""
    return changed({
        "floating_ip": {
            "address": ADDRESS, "api_token": EXAMPLE["floating_ip"]["api_token"], "api_url": cloud.api_url,
            "ca_file": cloud.ca_file, "metadata_url": cloud.metadata_url, **options,
        },
        **dict(changes),
    })  # fmt: skip


WRONG_CLOUD = {
    "a refused token": ({"api_token": "dop_v1_" + "0" * 64}, "the API refuses the token: HTTP 401"),
    "an address of somebody else": ({"address": "203.0.113.77"}, "the API does not know it: HTTP 404"),
    "an API that is not there": ({"api_url": "https://127.0.0.1:9"}, "Connection refused"),
    "an authority that is not there": ({"ca_file": "/etc/ssl/nothing.pem"}, "/etc/ssl/nothing.pem is missing"),
}


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("case", WRONG_CLOUD)
def test_a_floating_ip_that_cannot_be_moved_stops_the_run_before_it_begins(single, cloud, case, test):
    options, said = WRONG_CLOUD[case]
    cloud.reset()
    cloud.tokens(EXAMPLE["floating_ip"]["api_token"])
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud))["result"] is True  # what worked before
    state = single("haproxy_ha.preflight", "x", by_the_api(cloud, **options), test=test)
    assert (state["result"], state["changes"]) == (False, {})
    assert said in state["comment"]


def test_an_outage_of_the_api_stops_nothing_that_worked_before(single, cloud):
    cloud.reset()
    cloud.tokens(EXAMPLE["floating_ip"]["api_token"])
    mark = Path("/var/lib/haproxy_ha/floating_ip_checked")
    mark.unlink(missing_ok=True)
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud), test=True)["result"] is True
    assert not mark.exists()
    cloud.fault("status", status=503)
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud))["result"] is False
    cloud.clear()
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud))["result"] is True
    assert mark.stat().st_mode & 0o077 == 0
    cloud.fault("status", status=503)
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud))["result"] is True


ELSEWHERE = [{"ip": ADDRESS, "region": "ams3"}]
ANOTHER = [{"ip": "203.0.113.11", "droplet_id": PRIMARY}, {"ip": ADDRESS}]
NAMES = ("lb1", "lb2")


def droplets(names):
    return [
        {"id": PRIMARY + number, "name": name, "public_ip": ("127.0.0.1", "203.0.113.22")[number],
         "private_ip": f"10.132.20.1{number}"}
        for number, name in enumerate(names)
    ]  # fmt: skip


FENCING = {"cluster:fencing": {"enabled": True}}
WRONG_ESTATE = {
    "an address of another region": ({"reserved_ips": ELSEWHERE}, {}, "belongs to the region ams3, and droplet 1001"),
    "a droplet that holds another address": (
        {"reserved_ips": ANOTHER}, {}, "holds 203.0.113.11, and a droplet can hold one reserved IP",
    ),
    "droplets of other names": ({"droplets": droplets(NAMES)}, FENCING, "node secondary cannot be fenced: 0 droplets"),
    "one name for two droplets": (
        {"droplets": [*droplets(("primary", "secondary")), {"id": 77, "name": "secondary"}]}, FENCING,
        "node secondary cannot be fenced: 2 droplets have the name",
    ),
    "another machine of this one's name": (
        {"droplets": droplets(("secondary", "primary"))}, FENCING,
        "primary is droplet 1001, and fencing would power off droplet 1002 for it",
    ),
    "a token that may not switch droplets": (
        {"tokens": [{"token": EXAMPLE["floating_ip"]["api_token"],
                     "scopes": ["reserved_ip:read", "reserved_ip:update", "droplet:read"]}]},
        FENCING, "no node can be fenced: the token may not switch droplets (droplet:update): HTTP 403",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_ESTATE)
def test_what_the_first_failover_would_meet_is_told_before(single, tmp_path, case):
    estate, pillar, said = WRONG_ESTATE[case]
    with simulator(tmp_path, **{"tokens": [EXAMPLE["floating_ip"]["api_token"]], **estate}) as cloud:
        state = single("haproxy_ha.preflight", "x", by_the_api(cloud, pillar))
        assert (state["result"], state["changes"]) == (False, {})
        assert said in state["comment"]
        assert set(cloud.state()["droplets"].values()) == {"active"}
        counts = cloud.counts()
        assert [counts.get(name, 0) for name in ("power_on", "power_off", "assigns", "unassigns")] == [0] * 4


def test_droplets_of_other_names_are_right_where_pillar_says_so(single, tmp_path):
    named = {"cluster:fencing": {"enabled": True, "droplets": {"primary": "lb1", "secondary": PRIMARY + 1}}}
    with simulator(tmp_path, tokens=[EXAMPLE["floating_ip"]["api_token"]], droplets=droplets(NAMES)) as cloud:
        assert single("haproxy_ha.preflight", "x", by_the_api(cloud, named))["result"] is True


def test_a_first_run_says_from_whom_the_address_is_taken(single, tmp_path):
    Path("/var/lib/haproxy_ha/floating_ip_checked").unlink(missing_ok=True)
    estate = {"tokens": [EXAMPLE["floating_ip"]["api_token"]], "reserved_ips": [{"ip": ADDRESS, "droplet_id": 1003}]}
    with simulator(tmp_path, **estate) as cloud:
        comments = [single("haproxy_ha.preflight", "x", by_the_api(cloud))["comment"] for _ in range(2)]
    taken = f"{ADDRESS} is taken from droplet 1003 (third), which is none of the load balancers"
    assert [taken in comment for comment in comments] == [True, False]


# The firewall


def ufw():
    listing = subprocess.run(["ufw", "show", "added"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if line.startswith("ufw ")]


def nft():
    command = ["nft", "list", "chain", "inet", "filter", "input"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.strip() for line in listing.splitlines() if "comment" in line]


@pytest.fixture
def firewall(request):
    if request.param == "ufw":
        subprocess.run(["ufw", "allow", "22/tcp", "comment", "shell"], check=True, capture_output=True)
        return request.param, ufw, "ufw allow 22/tcp comment 'shell'"
    subprocess.run(["nft", "-f", "/etc/nftables.conf"], check=True)
    theirs = 'tcp dport 22 accept comment "shell"'
    subprocess.run(["nft", "add", "rule", "inet", "filter", "input", *theirs.split()], check=True)
    return request.param, nft, theirs


@pytest.mark.parametrize("firewall", ["ufw", "nftables"], indirect=True)
def test_the_firewall_has_our_rules_and_keeps_those_of_others(single, firewall):
    backend, listing, theirs = firewall
    pillar = changed({"firewall": {"enabled": True, "backend": backend}})

    dry = single("haproxy_ha.firewall", "x", pillar, test=True)
    assert dry["result"] is None
    assert listing() == [theirs]
    live = single("haproxy_ha.firewall", "x", pillar)
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    ours = [line for line in listing() if "haproxy_ha: " in line]
    assert len(ours) == 2 and theirs in listing()
    assert any("10.132.20.11" in line and "10.132.20.10" in line and "5405" in line for line in ours)
    assert any("10.17.1.18" in line and "80" in line for line in ours)
    again = single("haproxy_ha.firewall", "x", pillar)
    assert (again["result"], again["changes"]) == (True, {})

    moved = changed({"firewall": {"enabled": True, "backend": backend}, "cluster:port": 5505})
    assert single("haproxy_ha.firewall", "x", moved)["result"] is True
    assert not any("5405" in line for line in listing())
    if backend == "nftables":  # as at a boot
        subprocess.run(["nft", "-f", "/etc/nftables.conf"], check=True)
        assert len([line for line in listing() if "haproxy_ha: " in line]) == 2
        assert any("5505" in line for line in listing())
        subprocess.run(["nft", "add", "rule", "inet", "filter", "input", *theirs.split()], check=True)

    gone = single("haproxy_ha.firewall_absent", "x", moved)
    assert gone["result"] is True and gone["changes"]
    assert listing() == [theirs]
    assert "haproxy_ha" not in Path("/etc/nftables.conf").read_text(encoding="utf-8")
    assert single("haproxy_ha.firewall_absent", "x", moved)["changes"] == {}


@pytest.mark.parametrize("kept", [False, True])
def test_rules_for_nftables_that_is_not_loaded_count_once_it_is(single, kept):
    """The distribution's service is off by default: nothing is filtered, and the rules wait for it."""
    pillar = changed({"firewall": {"enabled": True, "backend": "nftables"}})
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    dry = single("haproxy_ha.firewall", "x", pillar, test=True)
    live = single("haproxy_ha.firewall", "x", pillar)
    assert (dry["result"], live["result"], live["changes"]) == (None, True, dry["changes"])
    assert live["comment"].endswith("the firewall is not active")
    assert (single("haproxy_ha.firewall", "x", pillar)["changes"]) == {}
    subprocess.run(["nft", "-f", "/etc/nftables.conf"], check=True)
    assert len(nft()) == 2
    assert single("haproxy_ha.firewall", "x", pillar)["changes"] == {}
    if kept:  # rules that were lost from the kernel, and not from the file
        subprocess.run(["nft", "flush", "chain", "inet", "filter", "input"], check=True)
        assert single("haproxy_ha.firewall", "x", pillar)["changes"] == live["changes"]
        assert len(nft()) == 2
    assert single("haproxy_ha.firewall_absent", "x", pillar)["changes"]
    assert nft() == []


def test_rules_go_from_the_firewall_that_pillar_no_longer_names(single):
    before = ufw()
    single("haproxy_ha.firewall", "x", changed({"firewall": {"enabled": True, "backend": "ufw"}}))
    assert len(ufw()) == len(before) + 2
    pillar = changed({"firewall": {"enabled": True, "backend": "nftables"}})
    dry = single("haproxy_ha.firewall", "x", pillar, test=True)
    live = single("haproxy_ha.firewall", "x", pillar)
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    assert ufw() == before
    assert single("haproxy_ha.firewall", "x", pillar)["changes"] == {}
    single("haproxy_ha.firewall", "x", changed({"firewall": {"enabled": True, "backend": "ufw"}}))
    assert single("haproxy_ha.firewall_absent", "x", pillar)["changes"]  # pillar names the other one
    assert ufw() == before


# Taking away


def test_an_nginx_with_other_sites_loses_ours_alone(single, files):
    files("nginx")
    single("haproxy_ha.page", "x", minion="app-1")
    shop = Path("/etc/nginx/sites-enabled/shop")
    shop.write_text("server { listen 127.0.0.1:81; access_log off; }\n", encoding="utf-8")
    try:
        dry = single("haproxy_ha.removed", "app_server", test=True)
        assert dry["result"] is None
        state = single("haproxy_ha.removed", "app_server")
        assert (state["result"], state["changes"]) == (True, dry["changes"])
        assert not [path for path in dry["changes"] if os.path.lexists(path)]
        assert {"/etc/nginx/sites-enabled/haproxy_ha", "/var/www/html/index.html"} <= set(dry["changes"])
        assert shop.exists()
        assert single("haproxy_ha.removed", "app_server")["changes"] == {}
    finally:
        shop.unlink()


def test_what_is_there_is_known_by_our_own_files(single, files):
    """In a dry run: nothing goes, and what would go is named."""
    files("haproxy")
    files("nginx")
    balancer = single("haproxy_ha.removed", "load_balancer", test=True)
    assert balancer["result"] is None
    assert {"haproxy", "/etc/haproxy"} <= set(balancer["changes"])
    app = single("haproxy_ha.removed", "app_server", test=True)
    assert {"nginx", "nginx-common", "/etc/nginx"} <= set(app["changes"])
    assert Path("/etc/haproxy/haproxy.cfg").exists()


LINK, VERSIONS = "/usr/lib/ocf/resource.d/haproxy_ha", "/usr/lib/haproxy_ha"
FENCE = "/usr/sbin/fence_haproxy_ha_digitalocean"


UPGRADES = {
    "primary": {
        "/etc/systemd/system/apt-daily-upgrade.service.d/haproxy_ha.conf", "/etc/apt/apt.conf.d/60haproxy_ha",
        "/etc/needrestart/conf.d/haproxy_ha.conf", "/etc/needrestart/restart.d/haproxy.service",
    },
    "app-1": {
        "/etc/systemd/system/apt-daily-upgrade.service.d/haproxy_ha.conf", "/etc/needrestart/restart.d/nginx.service",
    },
}  # fmt: skip


@contextlib.contextmanager
def there(path):
    """Something is at a path; what was not there before is taken away."""
    made = not os.path.lexists(path)
    if made:
        os.makedirs(path)
    try:
        yield
    finally:
        if made:
            os.rmdir(path)


@pytest.mark.parametrize("minion", UPGRADES)
def test_upgrades_in_turn_dry_live_again_and_as_they_come(single, minion):
    def run(test=False, **changes):
        return single("haproxy_ha.upgrades", "x", changed(changes), minion, test=test)

    dry = run(test=True)
    assert (dry["result"], set(dry["changes"])) == (None, UPGRADES[minion])
    assert not any(map(os.path.exists, UPGRADES[minion]))
    assert run()["changes"] == dry["changes"]
    for test in (True, False):
        assert (run(test)["result"], run(test)["changes"]) == (True, {})
    part = {"primary": "cluster", "app-1": "app_server"}[minion]
    beside = LINK if minion == "primary" else "/etc/nginx/conf.d/haproxy_ha.conf"
    with there(beside):  # what a part is known by
        assert UPGRADES[minion] <= set(single("haproxy_ha.removed", part, test=True)["changes"])
    off = run(test=True, upgrades="as_they_come")
    assert (off["result"], set(off["changes"])) == (None, UPGRADES[minion])
    assert set(run(upgrades="as_they_come")["changes"]) == UPGRADES[minion]
    assert not any(map(os.path.exists, UPGRADES[minion]))


def test_a_procedure_of_ones_own_for_needrestart_is_left_alone(single):
    theirs = Path("/etc/needrestart/restart.d/haproxy.service")
    theirs.parent.mkdir(parents=True, exist_ok=True)
    theirs.write_text("#!/bin/sh\n", encoding="ascii")
    try:
        for upgrades in ("in_turn", "as_they_come"):
            live = single("haproxy_ha.upgrades", "x", changed({"upgrades": upgrades}))
            assert set(live["changes"]) == UPGRADES["primary"] - {str(theirs)}
        assert theirs.read_text(encoding="ascii") == "#!/bin/sh\n"
    finally:
        theirs.unlink()


def test_a_service_that_was_held_while_it_was_installed_is_not_enabled_by_an_upgrade():
    """Debian's scripts enable what they have not seen; the link is recorded, and not made."""
    known = Path("/var/lib/systemd/deb-systemd-helper-enabled/haproxy.service.dsh-also")
    known.unlink(missing_ok=True)
    link = Path("/etc/systemd/system/multi-user.target.wants/haproxy.service")
    link.unlink(missing_ok=True)
    asked = ["deb-systemd-helper", "--quiet", "was-enabled", "haproxy.service"]
    asked = ["env", "DPKG_MAINTSCRIPT_PACKAGE=haproxy", *asked]
    assert system.upgrade_enables("haproxy")
    assert subprocess.run(asked, check=False).returncode == 0
    system.keep_off("haproxy")
    assert not system.upgrade_enables("haproxy")
    assert subprocess.run(asked, check=False).returncode == 1
    assert not link.is_symlink()


def test_the_agents_dry_live_and_again_and_what_clean_takes_away(single):
    dry = single("haproxy_ha.agents", "x", test=True)
    assert dry["result"] is None
    assert not os.path.lexists(LINK) and not os.path.exists(VERSIONS)
    live = single("haproxy_ha.agents", "x")
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    assert os.path.realpath(LINK) == os.path.realpath(f"{VERSIONS}/agents/{os.path.basename(os.readlink(LINK))}")
    for name in (f"{LINK}/haproxy", f"{LINK}/floatip", FENCE):
        arguments = ["-o", "metadata"] if name == FENCE else ["meta-data"]
        assert subprocess.run([name, *arguments], capture_output=True, check=True).stdout.startswith(b"<?xml")
    for test in (True, False):
        again = single("haproxy_ha.agents", "x", test=test)
        assert (again["result"], again["changes"]) == (True, {})
    removed = single("haproxy_ha.removed", "cluster", test=True)["changes"]
    assert {LINK, VERSIONS, FENCE} <= set(removed)
    assert Path(LINK).is_dir()


def test_a_file_server_that_does_not_list_a_new_file_yet(minions, tmp_path, monkeypatch):
    """It looks for new files every 20 s; the others are there at once, and import the one that is not."""
    for name in ("_modules", "_states", "_utils"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copytree(FORMULA, tmp_path / "haproxy_ha")
    (tmp_path / "haproxy_ha" / "files" / "agents" / "agent.py").unlink()
    modules = minions("primary", (tmp_path,)).modules
    monkeypatch.setitem(modules.pack, "__pillar__", {"haproxy_ha": EXAMPLE})
    for function in (modules.haproxy_ha.plan_agents, modules.haproxy_ha.install_agents):
        with pytest.raises(CommandExecutionError, match="has no agent.py, which .*; new files are listed after 20 s"):
            function("base")


def test_a_part_is_removed_and_its_configuration_kept(single, files):
    files("haproxy")
    own = Path("/etc/haproxy/haproxy.cfg").read_text(encoding="utf-8")
    state = single("haproxy_ha.removed", "load_balancer")
    assert state["result"] is True, state["comment"]
    [kept] = Path("/var/lib/haproxy_ha/backup").glob("load_balancer-*")
    assert str(kept) in state["comment"]
    assert (kept / "etc/haproxy/haproxy.cfg").read_text(encoding="utf-8") == own
    assert kept.stat().st_mode & 0o077 == 0
    assert not os.path.exists("/etc/haproxy")
    assert subprocess.run(["dpkg-query", "-W", "haproxy"], capture_output=True, check=False).returncode != 0
    again = single("haproxy_ha.removed", "load_balancer")
    assert (again["result"], again["changes"], again["comment"]) == (True, {}, "Nothing of load_balancer is here")


def test_a_previous_nginx_goes_with_its_packages_and_a_copy_is_kept(single):
    Path("/etc/nginx/own.conf").write_text("# people's own\n", encoding="utf-8")
    assert single("haproxy_ha.nginx_removed", "x", test=True)["result"] is None
    state = single("haproxy_ha.nginx_removed", "x")
    assert state["result"] is True, state["comment"]
    [kept] = Path("/var/lib/haproxy_ha/backup").glob("nginx-*")
    assert (kept / "etc/nginx/own.conf").read_text(encoding="utf-8") == "# people's own\n"
    assert not os.path.exists("/etc/nginx")
    known = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\n"], capture_output=True, text=True, check=True)
    assert not [package for package in known.stdout.splitlines() if package.startswith(("nginx", "libnginx"))]
    again = single("haproxy_ha.nginx_removed", "x")
    assert (again["result"], again["changes"]) == (True, {})
