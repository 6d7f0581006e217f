"""What docs/security.md says of the services, by systemd's own judgement."""

import re
import subprocess
from pathlib import Path

import jinja2
import pytest

from haproxy_ha_lib.haproxy import sandbox
from support import REPOSITORY, figures
from support.place import requires_tools

pytestmark = requires_tools("systemd-analyze")

PACKAGED = Path("/lib/systemd/system/haproxy.service")
EXPORTER = PACKAGED.with_name("ha_cluster_exporter.service")
METRICS = REPOSITORY / "haproxy_ha" / "files" / "cluster_metrics.conf.jinja"
FILES = REPOSITORY / "haproxy_ha" / "files"
OWN = [FILES / "pacemaker-watch.service", FILES / "watch.service.jinja"]
LIMIT = 5.0


def exposure(unit: Path) -> float:
    argv = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]
    text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"Overall exposure level for \S+: ([0-9.]+) ", text)[1])


def with_drop_in(directory: Path, text: str, packaged: Path = PACKAGED) -> Path:
    """A package's unit, and what a drop-in adds to it."""
    unit = directory / packaged.name
    unit.write_text(f"{packaged.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")
    return unit


def test_these_are_the_services_of_our_own_that_stay():
    found = {path for path in FILES.glob("*.service*") if "Restart=always" in path.read_text(encoding="utf-8")}
    assert found == set(OWN)


@pytest.mark.parametrize("unit", OWN, ids=lambda path: path.stem)
def test_a_service_of_our_own_may_do_little(unit, tmp_path):
    installed = tmp_path / f"haproxy_ha-{unit.name.removesuffix('.jinja')}"
    text = jinja2.Template(unit.read_text(encoding="utf-8")).render(address="203.0.113.10")
    installed.write_text(text, encoding="utf-8")
    assert unknown_to_systemd(installed) == []
    found = exposure(installed)
    assert found <= LIMIT
    figures.told("security.md", installed.name, found)


def test_haproxys_service_may_do_less_in_a_sandbox(tmp_path):
    bare = exposure(with_drop_in(tmp_path, ""))
    sandboxed = exposure(with_drop_in(tmp_path, sandbox.drop_in("Managed by Salt (haproxy_ha)")))
    assert sandboxed <= LIMIT < bare
    figures.told("security.md", "haproxy.service as its package has it", bare)
    figures.told("security.md", "haproxy.service with `sandbox: true`", sandboxed)


def test_the_exporter_of_the_cluster_s_metrics_may_do_little(tmp_path):
    given = {"address": "10.132.20.10", "port": 9664, "sources": ["10.132.0.2", "10.132.8.0/24"]}
    drop_in = jinja2.Template(METRICS.read_text(encoding="utf-8")).render(given)
    assert "listen-address=10.132.20.10:9664" in drop_in
    sandboxed = exposure(with_drop_in(tmp_path, drop_in, EXPORTER))
    bare = exposure(with_drop_in(tmp_path, "", EXPORTER))
    assert sandboxed <= LIMIT < bare
    figures.told("security.md", "ha_cluster_exporter.service as its package has it", bare)
    figures.told("security.md", "ha_cluster_exporter.service with `monitoring`", sandboxed)
    assert unknown_to_systemd(with_drop_in(tmp_path, drop_in, EXPORTER)) == []


def test_systemd_knows_every_property_of_the_sandbox(tmp_path):
    assert unknown_to_systemd(with_drop_in(tmp_path, sandbox.drop_in("x"))) == []


def unknown_to_systemd(unit: Path) -> list[str]:
    """What systemd does not understand of a unit."""
    found = subprocess.run(["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True)
    return [line for line in found.stderr.splitlines() if "Unknown key" in line or "Failed to parse" in line]
