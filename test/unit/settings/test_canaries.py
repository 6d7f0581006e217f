"""No secret leaves: a canary in every key of the schema that is secret or takes raw text (support/canaries.py)."""

import json
import re

import pytest

from haproxy_ha_lib import values
from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.pillar.shape import Keys, Value
from haproxy_ha_lib.settings import build, shown
from saltext.pacemaker.cib import plan
from saltext.pacemaker.cib.document import Document, export
from support import canaries
from support.pillars import DEFAULTS, changed


def test_every_secret_key_of_the_schema_has_a_canary(tmp_path):
    planted = set(canaries.pillar(tmp_path, "A").planted.values())
    secret = [path for path, node in schema.every_key() if isinstance(node, Value) and node.secret]
    patterns = [re.compile(":".join("[^:]+" if step[0] == "<" else step for step in path[1:])) for path in secret]
    assert len(secret) >= 6
    assert [pattern.pattern for pattern in patterns if not any(map(pattern.fullmatch, planted))] == []


def test_a_key_that_no_canary_fits_is_named(tmp_path, monkeypatch):
    def odd(value):
        raise values.Invalid("nothing")

    later = Keys("x", {**schema.SCHEMA.keys, "later": Keys("x", {"pin": Value("A later one.", odd, secret=True)})})
    monkeypatch.setattr(schema, "SCHEMA", later)
    with pytest.raises(canaries.Unfilled, match="later:pin"):
        canaries.pillar(tmp_path, "A")


def test_settings_for_people_hold_no_canary(tmp_path):
    made = canaries.pillar(tmp_path, "A")
    for minion in ("primary", "app-1"):
        settings = build.settings(made.tree, minion, DEFAULTS)
        assert settings.errors == []
        assert canaries.found(made.planted, json.dumps(shown.without_secrets(settings.as_dict()))) == []


@pytest.mark.parametrize("token", [
    "dop_v1_" + "0123456789abcdef" * 4, "https://admin:hunter2@x/", "xoxb-1-canary", "AKIAIOSFODNN7EXAMPLE",
])  # fmt: skip
@pytest.mark.parametrize("where", ["load_balancers", "metadata"])
def test_what_others_send_is_not_repeated(where, token):
    """The mine and the metadata service say a secret where an address should be."""
    tree = changed({"mine": True, "load_balancers": {"primary": None, "secondary": {"private_ip": "10.132.20.11"}},
                    "app_servers:app-1": None})
    mine = {"app-1": {"private_ip": token}, "primary": {"private_ip": [token]}}
    metadata = {"private_ip": token, "anchor_ip": token, "hostname": token}
    settings = build.settings(tree, "primary", DEFAULTS, lambda: metadata if where == "metadata" else {}, mine)
    assert settings.errors
    assert token not in json.dumps(settings.as_dict(), default=str)


def test_an_export_of_a_cluster_and_its_plan_hold_no_canary(tmp_path):
    made = canaries.pillar(tmp_path, "A")
    data = {key: one for key, one in made.tree["cluster"].items() if key in schema.CONFIGURATION_SECTIONS}
    planned = plan.make(Document.empty(["primary"]), data, "haproxy_ha")
    planted = {text: key for text, key in made.planted.items() if key.split(":")[1] in data}
    assert len(planted) > 5 and canaries.found(planted, repr(export(planned.after))) == sorted(set(planted.values()))
    for text in (planned.changes, export(planned.after, secrets=False), plan.given(data)):
        assert canaries.found(planted, repr(text)) == []
