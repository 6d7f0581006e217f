"""A Pacemaker kind is one entry: every kind is in every table, document and state that derives from the entries."""

import ast
import copy
import re
import textwrap

import pytest
import yaml

from haproxy_ha_lib.pillar import schema
from saltext.pacemaker.cib import desired, plan, tables
from saltext.pacemaker.cib.document import Document, export
from saltext.pacemaker.cib.kinds import BY_TAG, KINDS, RESOURCE_SECTIONS
from saltext.pacemaker.cib.settings import SETTINGS
from saltext.pacemaker.errors import CibError, DanglingError
from support import REPOSITORY

MODULE = REPOSITORY / "_modules" / "pacemaker.py"
DOCUMENTED = ast.get_docstring(ast.parse(MODULE.read_text(encoding="utf-8")))
BLOCK = re.search(r"\.\. code-block:: yaml\n\n(.*?)\n(?=\S)", DOCUMENTED, re.DOTALL)[1]
EXAMPLE = yaml.safe_load(textwrap.dedent(BLOCK))
# What the example leaves out of what its objects refer to.
BESIDE = {name: {"agent": "ocf:pacemaker:Dummy"} for name in ("haproxy", "app", "ipmi")}
WHOLE = {**EXAMPLE, "primitives": {**EXAMPLE["primitives"], **BESIDE}}
NODES = sorted({*WHOLE["node_attributes"], *WHOLE["utilization"]})
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def objects_of(kind, data):
    """The objects of a kind in data, by id."""
    for part in kind.section.split(":"):
        data = data[part]
    return {name: {kind.alone: one} if kind.alone else one for name, one in data.items()}


def test_the_documented_data_is_a_configuration():
    result = plan.make(Document.empty(NODES), WHOLE, "me")
    assert plan.make(result.after, WHOLE, "me").changes == {}
    assert plan.make(result.after, export(result.after), "me").changes == {}


@every_kind
def test_a_kind_is_documented_with_every_field(kind):
    assert objects_of(kind, EXAMPLE)
    assert set(kind.shape.by_key) - {"description"} <= set(re.findall(r"[\w-]+", BLOCK))


def test_every_section_is_documented_and_a_key_of_pillar():
    assert set(EXAMPLE) == set(tables.SECTIONS)
    assert set(tables.SECTIONS) <= set(schema.CONFIGURATION_SECTIONS)
    assert {kind.section.partition(":")[0] for kind in KINDS.values()} | set(SETTINGS) == set(tables.SECTIONS)
    assert all(tables.sections().values())


@every_kind
def test_a_kind_is_found_by_its_elements_and_has_a_name_of_its_own(kind):
    assert [BY_TAG[kind.parent, tag] for tag in kind.tags] == [kind] * len(kind.tags)
    assert [other for other in (*KINDS.values(), *SETTINGS.values()) if other.name == kind.name] == [kind]


@every_kind
def test_a_kind_names_fields_that_it_has(kind):
    named = {*kind.shape.essential, *(key for one in kind.one_of for key in one.keys), *sum(kind.unless, ())}
    assert named | ({kind.alone} - {""}) <= set(kind.shape.by_key)


def test_what_is_referred_to_is_of_a_kind_that_there_is():
    targets = [target for _, _, target in tables.referring()]
    assert targets
    assert {section for target in targets for section in target.sections} <= set(KINDS)


def test_the_sections_of_resources_are_those_of_resources():
    assert {*tables.CONTAINERS, "primitives"} == set(RESOURCE_SECTIONS)


@every_kind
def test_one_of_several_fields_is_needed(kind):
    for name, content in objects_of(kind, WHOLE).items():
        for one in kind.one_of:
            data = {key: value for key, value in content.items() if key not in one.keys}
            with pytest.raises(CibError, match=f"{kind.section}:{name}: needs"):
                desired.read(placed(kind, name, data), Document.empty())


def placed(kind, name, content):
    """An object alone, in the form of the data."""
    data = {name: content[kind.alone] if kind.alone and content else content}
    for part in reversed(kind.section.split(":")):
        data = {part: data}
    return data


def references(kind):
    """(name, path in the object, Target) of all that the documented objects of a kind refer to and has to be there."""
    for name, content in objects_of(kind, WHOLE).items():
        for path, _, target in kind.shape.references(content, ()):
            if target.sections:
                yield name, path, target


@every_kind
def test_what_an_object_refers_to_has_to_be_there(kind):
    for name, path, target in references(kind):
        data = copy.deepcopy(objects_of(kind, WHOLE)[name])
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = ["nowhere"] if isinstance(inner[path[-1]], list) else "nowhere"
        place = ":".join(map(str, (kind.section, name, *path)))
        text = f"{place}: there is no {target.word} nowhere"
        if target.doubtful:
            [[doubt]] = desired.read(placed(kind, name, data), Document.empty()).doubts.values()
            assert str(doubt) == text
        else:
            with pytest.raises(CibError, match=text):
                desired.read_alone(placed(kind, name, data))


@every_kind
def test_every_field_that_refers_is_in_the_documented_data(kind):
    """So that the test before this one tries all of them."""
    tried = {path[-1] for _, path, _ in references(kind)}
    assert {field.key for field in kind.shape.fields if field.refers and field.refers.sections} <= tried


@every_kind
def test_what_goes_takes_with_it_what_is_bound_to_it_and_leaves_nothing_dangling(kind):
    before = plan.make(Document.empty(NODES), WHOLE, "me").after
    for name in objects_of(kind, WHOLE):
        after = plan.make(before, placed(kind, name, None), "me", partial=True).after
        assert (kind.section, name) not in after.objects
        assert dangling(export(after)) == ({"template"} if kind.section == "templates" else set())


def dangling(data):
    """The fields that refer to what is not there. Pacemaker itself refuses a primitive without its template."""
    try:
        desired.read_alone(data)
    except DanglingError as error:
        return {problem.path[-1] for problem in error.problems}
    return set()


def test_a_state_has_the_fields_of_its_kind():
    from _states import pacemaker as states

    for kind in KINDS.values():
        described = getattr(states, f"{kind.name}_present").__doc__
        assert set(kind.shape.by_key) <= set(re.findall(r"[\w-]+", described)), kind.name
        assert getattr(states, f"{kind.name}_absent")
