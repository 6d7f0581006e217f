"""A real master and a real minion, on any machine and without services of its own."""

import contextlib
import logging

import pytest
import yaml
from saltfactories.utils import random_string

from support import REPOSITORY, file_roots
from support.place import addresses, in_container

logging.raiseExceptions = False  # Salt's handlers write to streams that pytest has closed


@pytest.fixture(scope="session")
def salt_factories_config():
    return {"code_dir": str(REPOSITORY), "start_timeout": 120}


@pytest.fixture(scope="package", autouse=True)
def _own_address():
    """In the container nginx is installed and tries the site: the minion has the address that pillar gives it."""
    with addresses("10.132.20.236") if in_container() else contextlib.nullcontext():
        yield


@pytest.fixture(scope="package")
def master(salt_factories, tmp_path_factory):
    """A master whose file server has the formula, and whose pillar is :func:`pillar`'s file."""
    pillars = tmp_path_factory.mktemp("pillar")
    (pillars / "top.sls").write_text("base:\n  '*': [haproxy_ha]\n", encoding="utf-8")
    (pillars / "haproxy_ha.sls").write_text("{}\n", encoding="utf-8")
    overrides = {
        "file_roots": {"base": file_roots.formula(tmp_path_factory.mktemp("formula"))},
        "pillar_roots": {"base": [str(pillars)]},
        "fileserver_followsymlinks": True,
    }
    daemon = salt_factories.salt_master_daemon(random_string("master-"), overrides=overrides)
    daemon.pillar_file = pillars / "haproxy_ha.sls"
    with daemon.started():
        yield daemon


@pytest.fixture(scope="package")
def minion(master):
    """The minion ``app-1``."""
    daemon = master.salt_minion_daemon("app-1")
    with daemon.started():
        yield daemon


@pytest.fixture
def salt(master, minion):
    """``salt app-1 FUNCTION ...``: what the minion returned."""
    cli = master.salt_cli(timeout=180)

    def run(function, *arguments, **keywords):
        return cli.run(function, *arguments, **keywords, minion_tgt=minion.id).data

    return run


@pytest.fixture
def pillar(master, salt):
    """Replaces the tree haproxy_ha of the minion's pillar."""

    def replace(tree):
        master.pillar_file.write_text(yaml.safe_dump({"haproxy_ha": tree}, sort_keys=False), encoding="utf-8")
        assert salt("saltutil.refresh_pillar", wait=True)

    return replace
