"""Configurations of any origin: what HAProxy says of them, and of what comes back from pillar."""

import subprocess
from pathlib import Path

import pytest

from support import exported
from support.certificates import self_signed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "openssl"),
    pytest.mark.skipif(not in_container(), reason="reads /etc/haproxy of the container that has the daemons"),
]
REFUSED = {"lua", "old", "newer"}
"""Those that HAProxy does not take here: a file that is not there, words of former days and of later ones."""


@pytest.fixture(scope="module", autouse=True)
def _certificate(tmp_path_factory):
    path = Path("/run/exported.pem")
    path.write_text("".join(one.read_text() for one in self_signed(tmp_path_factory.mktemp("pem"), "www.example.com")))
    yield
    path.unlink()


def verdict(text, directory):
    """Whether HAProxy takes it: 0, 2 (nothing to listen on), or 1."""
    path = directory / "haproxy.cfg"
    path.write_bytes(text.encode())
    return subprocess.run(["haproxy", "-W", "-c", "-f", path], capture_output=True, check=False).returncode


@pytest.mark.parametrize("name", exported.CONFIGURATIONS)
def test_haproxy_says_the_same_of_what_people_have(name, tmp_path):
    text = exported.CONFIGURATIONS[name].read_bytes().decode()
    assert verdict(exported.again(text), tmp_path) == verdict(text, tmp_path)
    assert (verdict(text, tmp_path) == 1) == (name in REFUSED)
