"""The OCF agents as Pacemaker runs them: the interface that all have."""

import os
import re
import shutil
import stat
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from support.floatip import AGENTS, ARGS, OK, UNIMPLEMENTED

needs_ocf_tester = pytest.mark.skipif(
    not (shutil.which("ocf-tester") and os.geteuid() == 0), reason="needs ocf-tester, and root"
)


@pytest.mark.parametrize("name", ["floatip", "haproxy", "hetznerip", "lanip"])
def test_interface(installed, name):
    def call(*arguments):
        return subprocess.run([installed / name, *arguments], env={}, capture_output=True, text=True)

    document = call("meta-data")
    assert document.returncode == OK
    assert f'<resource-agent name="{name}"' in document.stdout
    assert '<action name="start" timeout="' in document.stdout
    assert not re.search(r'(timeout|interval)="\d+"', document.stdout)
    assert call("promote").returncode == UNIMPLEMENTED
    assert call().returncode == ARGS
    assert "usage" in call("usage").stdout
    assert stat.S_IMODE((installed / name).stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("name", "required", "unique", "fixed"),
    [
        ("floatip", ["address"], {"address": "address"}, []),
        ("hetznerip", ["address"], {"address": "address"}, ["interface"]),
        ("lanip", ["address"], {"address": "address"}, ["interface"]),
        ("haproxy", [], {"unit": "unit"}, ["unit"]),
    ],
)
def test_which_parameters_are_required_unique_or_need_a_restart(installed, name, required, unique, fixed):
    """A change of what is reloadable restarts nothing; two resources cannot have the same address, or unit."""
    document = subprocess.run([installed / name, "meta-data"], capture_output=True, check=True).stdout
    found = {entry.get("name"): entry for entry in ElementTree.fromstring(document).iter("parameter")}
    assert [key for key, entry in found.items() if entry.get("required") == "1"] == required
    assert {key: entry.get("unique-group") for key, entry in found.items() if entry.get("unique-group")} == unique
    assert [key for key, entry in found.items() if entry.get("reloadable") != "1"] == fixed


@pytest.mark.parametrize("name", ["floatip", "haproxy", "hetznerip", "lanip"])
@pytest.mark.skipif(not shutil.which("xmllint"), reason="needs xmllint")
def test_meta_data_conforms_to_the_distribution_s_dtd(installed, name):
    dtd = Path("/usr/share/resource-agents")
    if not (dtd / "ra-api-1.dtd").exists():
        pytest.skip("needs the DTD of resource-agents")
    document = subprocess.run([installed / name, "meta-data"], capture_output=True, check=True).stdout
    subprocess.run(["xmllint", "--valid", "--noout", "-"], input=document, cwd=dtd, check=True)


@needs_ocf_tester
@pytest.mark.parametrize("provider", AGENTS, indirect=True)
def test_ocf_tester_passes_who_moves_the_address(floatip, cloud):
    parameters = [word for name, value in floatip.parameters.items() for word in ("-o", f"{name}={value}")]
    for directory in [floatip.agent, *floatip.agent.parents][:-1]:
        directory.chmod(directory.stat().st_mode | 0o055)
    done = subprocess.run(
        ["ocf-tester", "-n", "FloatIP", *parameters, floatip.agent], capture_output=True, text=True,
        env={**os.environ, "HA_RSCTMP": str(floatip.directory / "state")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed all tests" in done.stdout
