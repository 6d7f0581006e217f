"""Salt puts an importer without find_spec on sys.meta_path, which pytest's importlib mode cannot pass."""

import contextlib
import sys

import pytest

from support.simulated_cloud import IPV6, TOKEN, simulator

with contextlib.suppress(ImportError):
    import salt  # noqa: F401

sys.meta_path[:] = [importer for importer in sys.meta_path if hasattr(importer, "find_spec")]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A simulator of DigitalOcean for the tests of one file."""
    with simulator(tmp_path_factory.mktemp("simulator")) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def running_hetzner(tmp_path_factory):
    """The same of Hetzner Cloud."""
    with simulator(tmp_path_factory.mktemp("simulator"), cloud="hetzner") as simulated:
        yield simulated


@pytest.fixture
def provider():
    """Whose cloud it is: a name in pillar."""
    return "digitalocean"


@pytest.fixture
def cloud(request, provider):
    """The simulator without faults, with its first token."""
    running = request.getfixturevalue("running_hetzner" if provider == "hetzner" else "running")
    running.reset()
    running.tokens(TOKEN)
    return running._replace(address=IPV6) if provider == "digitalocean-ipv6" else running
