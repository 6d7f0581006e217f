"""The extensions: what each consists of, and one version of all that is released together."""

import re

import pytest
import yaml

from support import REPOSITORY
from tools import extensions

MODULES = sorted(path.relative_to(REPOSITORY).as_posix() for folder in ("_modules", "_runners", "_states")
                 for path in (REPOSITORY / folder).glob("*.py"))  # fmt: skip
PACKAGES = [f"_utils/{name}" for name in ("haproxy_ha_host", "haproxy_ha_lib", "saltext/pacemaker")]


@pytest.fixture(params=extensions.SOURCES)
def assembled(request, tmp_path):
    return extensions.assemble(request.param, tmp_path)


def test_every_module_and_package_is_in_one_extension():
    found = [path for sources in extensions.SOURCES.values() for path in sources]
    assert sorted(found) == sorted([*MODULES, *PACKAGES, "haproxy_ha"])


def test_an_extension_has_the_version_its_licence_and_what_salts_loader_looks_for(assembled):
    project = (assembled / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{extensions.version()}"' in project and "@" not in project
    assert (assembled / "LICENSE").exists()
    [package] = re.findall(r'^\[project.entry-points."salt.loader"\]\n.+ = "(.+)"$', project, re.MULTILINE)
    folder = assembled / "src" / package.replace(".", "/")
    assert (folder / "__init__.py").exists()
    assert {path.name for path in folder.iterdir()} >= {"modules", "states"}
    assert not list(assembled.rglob("*.pyc"))


def test_a_namespace_is_no_package(assembled):
    assert not (assembled / "src" / "saltext" / "__init__.py").exists()


def test_the_version_is_the_same_wherever_it_stands():
    version = extensions.version()
    formula = yaml.safe_load((REPOSITORY / "FORMULA").read_text(encoding="utf-8"))
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert formula["version"] == version
    assert re.findall(r"^## \[(\S+)\]", changes, re.MULTILINE)[0] == version
