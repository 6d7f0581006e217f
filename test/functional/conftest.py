"""What functional tests share: a masterless minion with this checkout as its file server, and what tests need."""

import json
import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from haproxy_ha_host import daemons, files, units
from saltext.pacemaker.live import process
from support import REPOSITORY, agent_set, file_roots, wheels_installed
from support.floatip import AGENTS, OK
from support.minion import Minion
from support.pillars import EXAMPLE
from support.place import addresses, in_container
from support.simulated_cloud import PRIMARY, simulator

logging.raiseExceptions = False  # Salt's handlers write to streams that pytest has closed



# What the formula writes to. A file of tests may leave there what it likes: the next one finds what the image has.
PLACES = [
    Path(place)
    for place in (
        *("/etc/haproxy", "/etc/nginx", "/etc/corosync", "/etc/haproxy_ha", "/etc/systemd/system", "/etc/default"),
        *("/var/lib/haproxy_ha", "/usr/lib/haproxy_ha", "/usr/lib/ocf/resource.d/haproxy_ha", "/run/haproxy_ha"),
        *("/usr/sbin/fence_haproxy_ha_digitalocean", "/usr/sbin/fence_haproxy_ha_hetzner", "/var/www"),
    )
]


def pytest_collection_modifyitems(items):
    """What purges packages comes last."""
    items.sort(key=lambda item: item.path.stem == "test_host_removal")


@pytest.fixture(scope="session")
def as_built(tmp_path_factory):
    """A copy of what the container's image has in these places."""
    kept = tmp_path_factory.mktemp("as_built")
    for place in PLACES:
        if in_container() and place.exists():
            copy = kept / place.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "--archive", place, copy], check=True)
    return kept


@pytest.fixture(scope="module", autouse=True)
def machine_as_built(as_built):
    """Each file of tests begins on the machine that the image makes."""
    yield
    for place in PLACES if in_container() else ():
        before = as_built / place.relative_to("/")
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        if before.exists():
            subprocess.run(["cp", "--archive", before, place], check=True)


@pytest.fixture(scope="session")
def api(tmp_path_factory):
    """A simulator of DigitalOcean that knows the example's floating IP and token."""
    floating = EXAMPLE["floating_ip"]
    with simulator(
        tmp_path_factory.mktemp("api"), tokens=[floating["api_token"]],
        reserved_ips=[{"ip": floating["address"], "droplet_id": None}],
    ) as simulated:
        yield simulated


@pytest.fixture(scope="session")
def minions(salt_factories, api, tmp_path_factory):
    """Returns the minion of an id; each has its own configuration, and the formula's modules are synced."""
    from saltfactories.utils import random_string
    from saltfactories.utils.functional import Loaders

    made, (listed, linked) = {}, file_roots.formula(tmp_path_factory.mktemp("formula"))

    def listing(roots):
        own = [linked if root == REPOSITORY else str(root) for root in roots]
        return [listed, *own] if linked in own else own

    def minion(name, roots=(REPOSITORY,), staging=()):
        key = (name, *roots, "staging", *staging)
        if key not in made:
            overrides = {
                "id": name,
                "file_client": "local",
                "file_roots": {"base": listing(roots), **({"staging": listing(staging)} if staging else {})},
                "pillar_roots": {"base": []},
            }
            factory = salt_factories.salt_minion_daemon(random_string("functional-"), overrides=overrides)
            loaders = Loaders(factory.config.copy(), loaded_base_name=f"functional_{len(made)}.loaded")
            made[key] = Minion(loaders, api)
        return made[key]

    return minion


@pytest.fixture(scope="session")
def own_sls(tmp_path_factory):
    """A file root for people's own SLS."""
    return tmp_path_factory.mktemp("own")


@pytest.fixture
def single(minions, own_sls):
    """One state in an SLS of its own, on the minion ``primary`` or another: returns its result."""

    def run(function, name, pillar=EXAMPLE, minion="primary", test=False, beside=None, **arguments):
        options = [{"name": name}, *({key: value} for key, value in arguments.items())]
        (own_sls / "own.sls").write_text(json.dumps({"the state": {function: options}}), encoding="utf-8")
        [state] = minions(minion, (REPOSITORY, own_sls)).apply("own", pillar, test, beside).values()
        for secret in (EXAMPLE["floating_ip"]["api_token"], EXAMPLE["cluster"]["authkey"]):
            assert secret not in str(state)
        return state

    return run


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The agents' directory as the formula installs it; ``programs`` beside its own has stand-ins for what they run."""
    directory = tmp_path_factory.mktemp("haproxy_ha")
    directory.chmod(0o755)
    return Path(agent_set.install(directory, agent_set.sources_with(directory / "resource.d" / "programs")).link)


@pytest.fixture(scope="session")
def haproxy(installed):
    """The agent haproxy as a module."""
    return agent_set.load(installed.resolve(), "haproxy")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The formula's memory and systemd's stand-in in a directory of the test's own."""
    monkeypatch.setattr(files, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(process, "PATH", f"{tmp_path}/bin:{process.PATH}")
    monkeypatch.setattr(units, "systemd", lambda: True)
    monkeypatch.setattr(daemons, "RELOAD_SECONDS", 4)
    return tmp_path


@pytest.fixture(params=["digitalocean"])
def provider(request):
    """Whose cloud it is. A file of tests may say `each_provider`, and a test one of them."""
    if request.param != "digitalocean" and not in_container():
        pytest.skip("its agent changes an interface")
    return request.param


@pytest.fixture
def floatip(installed, cloud, provider, tmp_path):
    agent = AGENTS[provider](installed, cloud, tmp_path)
    yield agent
    agent.close()


@pytest.fixture
def holding(floatip, cloud):
    """The agent after a start: this droplet owns the address."""
    assert floatip("start").code == OK
    assert cloud.owner() == PRIMARY
    return floatip


@pytest.fixture(name="files")
def daemon_files(single):
    """The files of a daemon by pillar, on the machine that has it: the state's return."""
    minion = {"haproxy": "primary", "nginx": "app-1", "corosync": "primary"}

    def run(daemon, pillar=EXAMPLE, test=False):
        return single("haproxy_ha.files", daemon, pillar, minion[daemon], test)

    return run


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The directory that the two extensions are installed in."""
    return wheels_installed.site(tmp_path_factory.mktemp("extensions"))


@pytest.fixture(scope="module")
def own_addresses():
    """The addresses of the example's machines: nginx and corosync look for theirs."""
    with addresses("10.132.20.236", "10.132.20.10", "10.17.1.18"):
        yield
