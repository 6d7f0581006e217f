"""Certificates of an authority, by certbot on both load balancers, as docs/http.md has it.

The authority is Debian's pebble, a small server of the protocol (RFC 8555) that real ones speak; it asks as they do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from lab import audit, formula, salt
from lab.machine import machine
from lab.shell import wait_for
from lab.topology import BALANCERS, FLOATING_IP, HOSTS
from lab.traffic import load
from support import REPOSITORY, documents
from support.certificates import self_signed

pytestmark = pytest.mark.slow

NAME = "www.example.com"
PAGE = (REPOSITORY / "docs/http.md").read_text(encoding="utf-8")
HTTPS, CHALLENGES = (
    yaml.safe_load(example.text)["haproxy_ha"]["haproxy"] for heading in ("HTTPS", "A certificate's first time")
    for example in [next(one for one in documents.examples() if one.place.startswith(f"docs/http.md, {heading}"))]
)  # fmt: skip
[CERTBOT] = [one.typed for one in documents.commands() if one.words[0] == "certbot"]
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/haproxy_ha"
AUTHORITY = HOSTS["client"].internet
PEBBLE = {"pebble": {
    "listenAddress": f"{AUTHORITY}:14000", "managementListenAddress": "127.0.0.1:15000",
    "certificate": "/root/pebble.crt", "privateKey": "/root/pebble.key", "httpPort": 80, "tlsPort": 443,
}}  # fmt: skip
OPTIONS = f"""\
server = https://{AUTHORITY}:14000/dir
no-verify-ssl = true
agree-tos = true
non-interactive = true
register-unsafely-without-email = true
"""
ROOT = "/root/authority.pem"
SETTINGS = ("PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0", "PEBBLE_WFE_NONCEREJECT=0")
"""It asks at once, and each time: a proof of before is none. It refuses nothing at random."""


@pytest.fixture(scope="module")
def authority(first_run, tmp_path_factory) -> Iterator[None]:
    """On the Internet; the name is the floating IP's there."""
    client = machine("client")
    client.run("apt-get", "-qq", "update")
    client.run("apt-get", "-qq", "install", "--no-install-recommends", "pebble")
    for part, path in zip(("crt", "key"), self_signed(tmp_path_factory.mktemp("authority"), "authority"), strict=True):
        client.write(f"/root/pebble.{part}", path.read_text(encoding="ascii"))
    client.write("/root/pebble.json", json.dumps(PEBBLE))
    client.run("sh", "-c", f"echo {FLOATING_IP} {NAME} >> /etc/hosts")
    unit = ("systemd-run", "--unit=pebble", *(f"--setenv={one}" for one in SETTINGS))
    client.run(*unit, "pebble", "-config", "/root/pebble.json")
    ready = "--retry 50 --retry-connrefused --retry-delay 1"
    client.run("sh", "-c", f"curl -sSfk {ready} https://127.0.0.1:15000/roots/0 > {ROOT}")
    for name in BALANCERS:
        machine(name).run("apt-get", "-qq", "update")
        machine(name).run("apt-get", "-qq", "install", "--no-install-recommends", "certbot")
        machine(name).write("/etc/letsencrypt/cli.ini", OPTIONS)
    yield
    client.run("systemctl", "stop", "pebble")
    formula.set_pillar()
    formula.apply()


def apply(certificates: bool) -> None:
    """The page's pillar: what lets the authority's questions pass, and what is used once there is a certificate."""
    document = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))
    http = {**CHALLENGES["frontends"]["http"], **(HTTPS["frontends"]["http"] if certificates else {})}
    used = {"certificates": {NAME: HTTPS["certificates"][NAME]}} if certificates else {}
    document["haproxy_ha"]["haproxy"] = {**CHALLENGES, **used, "frontends": {"http": http}}
    salt.set_pillar(yaml.safe_dump(document, sort_keys=False))
    formula.apply()


def served(name: str = "") -> str:
    """The serial number of the certificate that a load balancer, or whoever has the address, shows."""
    where = HOSTS[name].anchor if name else FLOATING_IP
    ask = f"openssl s_client -connect {where}:443 -servername {NAME} </dev/null 2>&1 | openssl x509 -noout -serial"
    return machine(name or "client").run("sh", "-c", ask).stdout.strip()


def own(name: str) -> str:
    """That of a load balancer's certbot."""
    path = HTTPS["certificates"][NAME]["certificate"]
    return machine(name).run("openssl", "x509", "-noout", "-serial", "-in", path).stdout.strip()


def test_each_load_balancer_gets_its_first_certificate_by_the_page(authority):
    apply(certificates=False)
    for name in BALANCERS:
        machine(name).run(*CERTBOT.replace(HOSTS["primary"].private, HOSTS[name].private).split())
    apply(certificates=True)
    again = formula.apply()
    assert [state for run in again.values() for state in run.values() if state["changes"]] == []
    assert {name: served(name) for name in BALANCERS} == {name: own(name) for name in BALANCERS}
    assert own("primary") != own("secondary")
    asked = ("curl", "--silent", "--show-error", "--fail", "--location", "--cacert", ROOT, f"http://{NAME}/")
    assert "Droplet: app-" in machine("client").run(*asked).stdout


@pytest.fixture(scope="module")
def hook(authority) -> None:
    """The page's, on both."""
    text = re.search(rf"^    # {HOOK}\n((?:    .*\n)+)", PAGE, re.MULTILINE)[1]
    for name in BALANCERS:
        machine(name).write(HOOK, re.sub(r"^    ", "", text, flags=re.MULTILINE), 0o755)


def renew(name: str) -> None:
    """certbot's timer has its hour."""
    machine(name).run("certbot", "renew", "--force-renewal", "--no-random-sleep-on-renew")


def test_a_renewal_is_taken_wherever_it_runs_and_no_request_is_lost(hook):
    with load(once=0, kept=0, tls=30) as report:
        for name in (audit.active(), audit.passive()):
            before = own(name)
            renew(name)
            assert served(name) == own(name) != before
    assert (report["tls"]["failed"], report["tls"]["failures"]) == (0, [])
    assert served() == own(audit.active())
    again = formula.apply()
    assert [state for run in again.values() for state in run.values() if state["changes"]] == []


def test_while_the_other_load_balancer_is_off_a_renewal_succeeds(hook):
    lost, here = audit.passive(), audit.active()
    machine(lost).power_off()
    before = own(here)
    renew(here)
    assert served() == own(here) != before
    machine(lost).power_on()
    wait_for("both to be there", lambda: set(audit.members(here)) == set(BALANCERS), 180)
