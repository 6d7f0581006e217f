"""Commands of documents that test/lab/test_21_documents.py does not type in the lab, each with the reason."""

from __future__ import annotations

from support.documents import Command

_NAMED = "stands in a sentence as a name, without what belongs to it"
_LAB = "needs a lab of its own, and takes minutes to hours"
_SIMULATION = "takes minutes in a container of its own; test_simulation.py runs the same histories"
_ACME = "test_25_certificates.py"
_INTERNET = "asks an authority on the Internet"
_ADDRESSES = "test_28_addresses.py, which has several"
_MIGRATION = "test_20_migration.py"
_EXTENSIONS = "needs hosts with the extensions alone, as test_18_extension.py has them"

PAGES = {
    "docs/failover.md": "written by what does it: python3 -m bench.failover",
    "docs/failure-detection.md": "written by what does it: python3 -m bench.failover.alarms",
    "docs/failure-modes.md": "written by what does it: make faults",
}
"""Pages whose commands are what was done to the lab, and seen to be done, as the page was written."""

LINES = {
    "sudo ./test/demo": _LAB,
    "sudo ./test/run": _LAB,
    "make test": _LAB,
    "make test-all": _LAB,
    "make bench": _LAB,
    "PYTHONPATH=test python3 -m pytest -q test/lab/test_10_http.py": _LAB,
    "LAB_DEBIAN=trixie make lab": _LAB,
    "make bench-failover TRIALS=20": _LAB,
    "make faults": _LAB,
    "make soak MINUTES=30 SEED=7": _LAB,
    "PYTHONPATH=test python3 -m bench.failover.alarms --documents docs": _LAB,
    "PYTHONPATH=test python3 -m bench.failover.pauses --output build/pauses.json --documents docs": _LAB,
    "PYTHONPATH=test python3 -m bench.failover.idle --documents docs": _LAB,
    "PYTHONPATH=test python3 -m bench.failover.kinds": _LAB,
    "PYTHONPATH=test python3 -m bench.addresses --documents docs": _LAB,
    "PYTHONPATH=test python3 -m faults run cut-private-active:3": _LAB,
    "make simulation": _SIMULATION,
    "make simulation DO=known": _SIMULATION,
    "sysctl fs.inotify.max_user_instances=1024": "changes the machine that tests run on",
    "certbot certonly --standalone --http-01-port 8888 --http-01-address 10.132.20.10 -d www.example.com": _ACME,
    "acme.sh --register-account": _INTERNET,
    "openssl ocsp -issuer chain.pem -cert cert.pem -url http://ocsp.example.com -respout "
    "/etc/haproxy/certificates/www.example.com.pem.ocsp": f"{_INTERNET}; test_edge_tls.py asks one of its own",
    "gpg --homedir /etc/salt/gpgkeys --armor --encrypt --recipient salt":
        "the lab's master has no gpg; test_secrets_encrypted.py takes it from the page and runs it",
    "salt primary haproxy_ha.spread test=True": _ADDRESSES,
    "salt primary haproxy_ha.spread": _ADDRESSES,
    "salt primary haproxy_ha.failover address=shop": _ADDRESSES,
    "make site": "needs Debian packages; test_site.py builds it with them",
    "make extensions": "needs PyPI's package build; test_18_extension.py builds them without",
    "salt-pip install saltext_pacemaker-*.whl saltext_haproxy_ha-*.whl": _EXTENSIONS,
    "salt-pip install saltext_pacemaker-*.whl": _EXTENSIONS,
    "python3 -m saltext.haproxy_ha": _EXTENSIONS,
    "/opt/saltstack/salt/bin/python3 -m saltext.haproxy_ha": _EXTENSIONS,
    "salt-ssh --regen-thin '*' test.version": _EXTENSIONS,
    "salt-ssh '*' state.apply haproxy_ha test=True": _EXTENSIONS,
    "salt-ssh '*' state.apply haproxy_ha": _EXTENSIONS,
    "salt-ssh '*' haproxy_ha.verify": _EXTENSIONS,
    "salt-ssh primary haproxy_ha.status": _EXTENSIONS,
    "salt-call --local": _NAMED,
    "salt primary": _NAMED,
    "dpkg -i": _NAMED,
    "crm configure": _NAMED,
    "crm configure clone": _NAMED,
    "crm resource ban": _NAMED,
    "salt-run state.orchestrate haproxy_ha.orchestrate.drill": _NAMED,
}

ELSEWHERE = {
    ("docs/migrate.md", "From haproxy-formula"): _MIGRATION,
    ("docs/migrate.md", "From keepalived"): _MIGRATION,
    ("docs/migrate.md", "From the tutorial by hand"): _MIGRATION,
}
"""Sections that another test of the lab walks, on hosts that others have built."""


def reason(command: Command) -> str | None:
    """Why a command is not typed; None for one that is."""
    if command.document.startswith("docs/reference/") and command.words[0].startswith("crm"):
        return "what a function is compared with"
    elsewhere = ELSEWHERE.get((command.document, command.heading))
    return PAGES.get(command.document) or LINES.get(command.typed) or elsewhere
