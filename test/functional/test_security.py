"""What docs/security.md says of the services, by systemd's own judgement."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from haproxy_ha_lib.haproxy import sandbox
from support import REPOSITORY, figures
from support.place import requires_tools

pytestmark = requires_tools("systemd-analyze")

PACKAGED = Path("/lib/systemd/system/haproxy.service")
OWN = sorted((REPOSITORY / "haproxy_ha" / "files").glob("*.service"))
LIMIT = 5.0


def exposure(unit: Path) -> float:
    argv = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]
    text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"Overall exposure level for \S+: ([0-9.]+) ", text)[1])


def with_drop_in(directory: Path, text: str) -> Path:
    """HAProxy's unit, and what a drop-in adds to it."""
    unit = directory / "haproxy.service"
    unit.write_text(f"{PACKAGED.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")
    return unit


def test_there_are_services_of_our_own():
    assert [path.name for path in OWN] == ["pacemaker-watch.service"]


@pytest.mark.parametrize("unit", OWN, ids=lambda path: path.stem)
def test_a_service_of_our_own_may_do_little(unit, tmp_path):
    installed = shutil.copy(unit, tmp_path / f"haproxy_ha-{unit.name}")
    found = exposure(installed)
    assert found <= LIMIT
    figures.told("security.md", installed.name, found)


def test_haproxys_service_may_do_less_in_a_sandbox(tmp_path):
    bare = exposure(with_drop_in(tmp_path, ""))
    sandboxed = exposure(with_drop_in(tmp_path, sandbox.drop_in("Managed by Salt (haproxy_ha)")))
    assert sandboxed <= LIMIT < bare
    figures.told("security.md", "haproxy.service as its package has it", bare)
    figures.told("security.md", "haproxy.service with `sandbox: true`", sandboxed)


def test_systemd_knows_every_property_of_the_sandbox(tmp_path):
    argv = ["systemd-analyze", "verify", with_drop_in(tmp_path, sandbox.drop_in("x"))]
    found = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert "Unknown key" not in found.stderr and "Failed to parse" not in found.stderr, found.stderr
