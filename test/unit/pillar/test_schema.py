import re

import pytest
import yaml

from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.pillar.shape import Either, Items, Keys, Table, Value
from haproxy_ha_lib.settings import platform
from support import REPOSITORY
from support.pillars import DEFAULTS, build, changed
from tools import pillar_reference

ALL_KEYS = [path for path, node in schema.every_key() if not path[-1].startswith("<")]

ALONE = [path for path in ALL_KEYS if len(path) > 1 and not any(step.startswith("<") for step in path)]


def uncommented():
    """pillar.example with every setting that is commented out."""
    text = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")
    return yaml.safe_load(re.sub(r"(?m)^( *)#(?=[^ #\n])", r"\1", text))


def present(tree, path):
    """Whether a key of the schema is in ``tree``; <label> stands for any name."""
    if not path:
        return True
    if not isinstance(tree, dict):
        return False
    step, *rest = path
    branches = tree.values() if step.startswith("<") else [tree[step]] if step in tree else []
    return any(present(branch, rest) for branch in branches)


@pytest.mark.parametrize("path", ALL_KEYS, ids=":".join)
def test_pillar_example_shows_every_key(path):
    assert present(uncommented(), path)


def test_the_comments_of_pillar_example_are_the_schema_s():
    text = pillar_reference.EXAMPLE.read_text(encoding="utf-8")
    assert pillar_reference.commented(text) == text, "run: make docs"


def test_the_reference_page_is_the_schema_s():
    assert pillar_reference.page() == pillar_reference.PAGE.read_text(encoding="utf-8"), "run: make docs"


def test_pillar_example_is_valid_with_everything_uncommented():
    tree = uncommented()["haproxy_ha"]
    _, problems = schema.read(tree, DEFAULTS)
    assert problems == []


@pytest.mark.parametrize("path", ALONE, ids=":".join)
def test_every_key_that_stands_alone_has_its_default_in_defaults_yaml(path):
    tree = DEFAULTS
    for step in path[1:-1]:
        tree = tree[step]
    assert path[-1] in tree or path[-1] in schema.CONFIGURATION_SECTIONS


def test_the_defaults_are_valid_themselves():
    tree = {key: DEFAULTS[key] for key in schema.SCHEMA.keys}
    paths = tree["lookup"]["paths"]
    tree["lookup"] = {**tree["lookup"], "paths": platform.filled(paths, paths)}
    _, problems = schema.read({**tree, "load_balancers": {"a": None}, "app_servers": {"b": None}}, DEFAULTS)
    assert problems == []


def test_every_key_is_documented():
    assert [path for path, node in schema.every_key() if len(node.doc) < 5] == []


def test_names_of_pillar_come_first_and_keep_their_order():
    frontends = {"zulu": {"bind": ["anchor:1"]}, "http": None, "alpha": {"bind": ["anchor:2"]}}
    tree, problems = schema.read(changed({"haproxy:frontends": frontends}), DEFAULTS)
    assert list(tree["haproxy"]["frontends"]) == ["zulu", "alpha"]
    assert problems == []


def test_a_default_stays_behind_what_pillar_adds():
    tree, _ = schema.read(changed({"haproxy:backends": {"api": {"servers": ["app-1"]}}}), DEFAULTS)
    assert list(tree["haproxy"]["backends"]) == ["api", "app_pool"]


def test_mappings_merge_lists_replace_null_is_the_default():
    changes = {"nginx": {"page": {"document_root": "/srv/www"}, "site": None}, "haproxy:defaults": ["mode tcp"]}
    tree, problems = schema.read(changed(changes), DEFAULTS)
    assert tree["nginx"]["page"] == {"enabled": True, "document_root": "/srv/www", "content": None}
    assert tree["nginx"]["site"] == DEFAULTS["nginx"]["site"]
    assert tree["haproxy"]["defaults"] == ["mode tcp"]
    assert problems == []


@pytest.mark.parametrize("text, parts", [
    ("anchor:80", {"address": "anchor", "port": 80, "options": ""}),
    ("*:8080", {"address": "*", "port": 8080, "options": ""}),
    ("[2001:DB8::1]:443  ssl crt /etc/x", {"address": "2001:db8::1", "port": 443, "options": "ssl crt /etc/x"}),
    ("127.0.0.1:8404", {"address": "127.0.0.1", "port": 8404, "options": ""}),
])
def test_bind(text, parts):
    assert schema.bind(text) == parts


def test_problems_of_lists_and_tables_name_the_entry():
    changes = {"haproxy:global": ["daemon", None, 3], "app_servers:bad name": {}, "cluster:system": {"sched": "no"}}
    tree = changed(changes)
    texts = [str(problem) for problem in schema.read(tree, DEFAULTS)[1]]
    assert texts == [
        "haproxy_ha:app_servers:bad name: found 'bad name' (a string), allowed: a name of letters, digits and . _ - "
        "that begins with a letter or digit",
        "haproxy_ha:haproxy:global:1: found nothing, allowed: One raw line.",
        "haproxy_ha:haproxy:global:2: found 3 (a whole number), allowed: one line of text, without control characters",
        "haproxy_ha:cluster:system:sched: found 'sched' (a string), allowed: one of qb_ipc_type, sched_rr, priority, "
        "move_to_root_cgroup, allow_knet_handle_fallback, state_dir, did you mean sched_rr",
    ]


def nodes(node):
    """Every node of the schema, those inside lists and alternatives too."""
    inner = {Keys: lambda: node.keys.values(), Table: lambda: [node.item], Items: lambda: [node.item],
             Either: lambda: [node.single, node.listing, node.mapping], Value: list}[type(node)]()
    return [node, *(deeper for child in inner if child for deeper in nodes(child))]


def test_only_the_secrets_are_secret_and_they_are():
    secrets = [":".join(path[1:]) for path, node in schema.every_key() if getattr(node, "secret", False)]
    assert secrets == [
        "floating_ip:api_token", "haproxy:certificates:<certificate>:pem", "haproxy:stats:password", "cluster:authkey",
        "cluster:quorum_device:helper_pem", "cluster:quorum_device:balancer_pem",
    ]


@pytest.mark.parametrize("node", [node for node in nodes(schema.SCHEMA) if isinstance(node, Value)],
                         ids=lambda node: node.doc[:40])
def test_no_value_takes_what_is_no_data(node):
    for hostile in (object(), b"bytes", {1, 2}):
        problems = []
        node.read(hostile, None, ("x",), problems.append)
        assert len(problems) == 1


def test_an_example_of_every_kind_of_error_has_one_message():
    errors = build({"floating_ip:adress": "203.0.113.10"}).errors
    assert errors == ["haproxy_ha:floating_ip:adress: unknown key, did you mean address?"]
