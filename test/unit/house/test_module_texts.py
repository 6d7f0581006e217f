"""What holds for the text of the formula's modules."""

import ast
import re

import pytest
import yaml

from support import REPOSITORY

MODULES = sorted((REPOSITORY / "_modules").glob("*.py"))
RUNNERS = sorted((REPOSITORY / "_runners").glob("*.py"))
STATES = sorted((REPOSITORY / "_states").glob("*.py"))
PACKAGES = sorted((REPOSITORY / "_utils").rglob("*.py"))
named = pytest.mark.parametrize


def virtual_name(path):
    """The name under which Salt loads a module."""
    return re.search(r'^__virtualname__ = "(\w+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)[1]


def public(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


@named("path", [*MODULES, *RUNNERS, *STATES], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_pillar_is_read_as_it_is(path):
    """Salt 3008 masks what __salt__["pillar.get"] returns to a module."""
    assert not re.search(r"""__salt__\[["']pillar\.""", path.read_text(encoding="utf-8"))


@named("path", [*MODULES, *RUNNERS, *STATES, *PACKAGES], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_command_goes_through_a_shell_of_its_own_making(path):
    text = path.read_text(encoding="utf-8")
    assert "shell=True" not in text
    assert "os.system" not in text
    assert "cmd.run" not in text


@named("path", [*MODULES, *RUNNERS, *STATES], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_module_loads_whatever_is_installed(path):
    """A function that is not there cannot say in a dry run what a first install will do."""
    [virtual] = [node for node in ast.parse(path.read_text(encoding="utf-8")).body
                 if isinstance(node, ast.FunctionDef) and node.name == "__virtual__"]
    [only] = virtual.body
    assert isinstance(only, ast.Return)
    assert ast.unparse(only) == "return __virtualname__"


@named("path", [*MODULES, *RUNNERS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_function_has_an_example_of_its_call(path):
    for function in public(path):
        name = f"{virtual_name(path)}.{function.name}"
        example = rf"CLI Example:\n\n\.\. code-block:: bash\n\n\s+salt[^\n]* {re.escape(name)}\b"
        assert re.search(example, ast.get_docstring(function) or ""), name


@named("path", [path for path in [*MODULES, *RUNNERS, *STATES] if virtual_name(path) == "haproxy_ha"],
       ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_parameter_is_explained(path):
    """By its function, or once for all by the module's first file."""
    of_all = ast.get_docstring(ast.parse(path.with_name("haproxy_ha.py").read_text(encoding="utf-8"))) or ""
    for function in public(path):
        text = f"{ast.get_docstring(function) or ''}\n{of_all}"
        arguments = {argument.arg for argument in function.args.args} - {"name"}
        missing = [name for name in arguments if not re.search(rf"^{name}( : .*)?$", text, re.MULTILINE)]
        assert not missing, f"{path.stem}.{function.name}: {missing}"


def test_the_formula_file_says_what_is_needed():
    formula = yaml.safe_load((REPOSITORY / "FORMULA").read_text(encoding="utf-8"))
    assert {"name", "os", "os_family", "version", "release", "summary", "description"} <= set(formula)
    assert formula["name"] == formula["top_level_dir"] == "haproxy_ha"
    families = yaml.safe_load((REPOSITORY / "haproxy_ha" / "os_family.yaml").read_text(encoding="utf-8"))
    assert formula["os_family"] in families
