"""What Salt knows of a minion: settings, pillar and files, without Salt's loader."""

import hashlib

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import minion as told
from haproxy_ha_host import nginx, rendering, synced
from haproxy_ha_lib.settings.minion import digests
from support import REPOSITORY
from support.pillars import EXAMPLE, changed
from support.told import MODULES, minion

OTHER = hashlib.sha256(b"of another version").hexdigest()


def test_the_settings_of_a_minion_are_those_of_its_pillar():
    settings = minion().valid_settings()
    assert (settings.roles, settings.minion_id) == (["load_balancer"], "primary")
    assert settings.paths["haproxy_cfg"] == "/etc/haproxy/haproxy.cfg"


def test_haproxys_service_is_known_without_a_master():
    assert minion().haproxy_unit() == "haproxy"
    assert minion(changed({"lookup": {"services": {"haproxy": "haproxy24"}}})).haproxy_unit() == "haproxy24"
    assert minion(changed({"lookup": "nonsense"})).haproxy_unit() == "haproxy"


def test_all_errors_are_told_and_the_rest_is_readable():
    wrong = minion(changed({"verify": "maybe", "mine": "no"}))
    with pytest.raises(CommandExecutionError, match="haproxy_ha:mine.*\n.*haproxy_ha:verify"):
        wrong.valid_settings()
    assert wrong.readable_settings().paths
    assert wrong.shown_settings()["roles"] == []


def test_an_environment_without_the_formula_is_an_error_and_not_a_traceback():
    elsewhere = minion(saltenv="dev")
    assert elsewhere.settings() is None
    assert elsewhere.shown_settings()["errors"] == [
        "salt://haproxy_ha/defaults.yaml is not on Salt's file server in the environment dev"
    ]
    with pytest.raises(CommandExecutionError, match="environment dev"):
        elsewhere.readable_settings()


def test_a_module_that_is_missing_takes_the_roles_away(monkeypatch):
    monkeypatch.setattr(synced.salt.loader, "states", lambda *_: {"haproxy_ha.settings_valid"})
    bare = minion()
    assert (bare.missing(), bare.shown_settings()["roles"]) == (["pacemaker.configured"], [])
    with pytest.raises(CommandExecutionError, match="pacemaker.configured; saltutil.sync_all"):
        bare.roles()


def test_a_module_of_another_version_is_named():
    listing = (REPOSITORY / "haproxy_ha" / "modules.sha256").read_text(encoding="utf-8")
    paths = [line.partition("  ")[2] for line in listing.splitlines()]
    assert synced.find_stale(listing, MODULES) == []
    assert synced.find_stale("".join(f"{OTHER}  {path}\n" for path in paths), MODULES) == paths


def test_a_run_has_one_set_of_settings_and_the_next_run_another():
    context, pillar = {}, {"haproxy_ha": EXAMPLE}
    first, again, other = (
        rendering.settings(minion(pillar=whole, context=context)) for whole in (pillar, pillar, dict(pillar))
    )
    assert first["seen"] is again["seen"]
    assert other["seen"] == first["seen"] and other["seen"] is not first["seen"]


def test_a_secret_of_an_agent_is_for_states_alone_and_changes_no_digest():
    """The state compares what rendering saw with what people are shown."""
    device = {"agent": "stonith:external/ipmi", "params": {"passwd": "s3cret"}}
    one = minion(changed({"cluster:primitives": {"ipmi": device}}))
    rendered = rendering.settings(one)
    assert rendered["cluster"]["configuration"]["primitives"]["ipmi"]["params"]["passwd"] == "s3cret"
    assert "s3cret" not in str(one.public_settings())
    assert rendered["seen"]["digests"] == digests(one.public_settings())


def test_what_is_in_the_way_leaves_no_role_and_is_known_for_a_while():
    one = minion()
    rendered = rendering.settings(one, lambda: ["apache2 listens"])
    assert (rendered["roles"], rendered["problems"]) == ([], ["apache2 listens"])
    assert (rendering.problems(one, 10), rendering.problems(one, 0)) == (["apache2 listens"], None)


def test_what_stays_between_calls_is_plain_data():
    """After a sync the classes are others."""
    context = {}
    rendering.settings(minion(context=context), list)
    plain = (str, int, float, bool, type(None))

    def walk(value):
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, (list, tuple)):
            assert type(value) in (list, tuple)
            for inner in value:
                walk(inner)
        else:
            assert type(value) in plain, value

    walk(context)
    assert context


def test_the_mine_is_asked_for_the_machines_of_pillar_where_pillar_wants_it():
    asked = []
    answering = {"mine.get": lambda names, *_, **__: asked.append(names)}
    minion(functions=answering).settings()
    assert asked == []
    minion(changed({"mine": True}), functions=answering).settings()
    assert [set(names) >= {"primary", "secondary", "app-1"} for names in asked] == [True]


@pytest.mark.parametrize("printed, more", [
    ((0, "events { worker_connections 100; }"), {"nginx_requests": 100}), ((1, "unknown directive"), {}), (None, {}),
])  # fmt: skip
def test_a_machine_tells_the_mine_its_addresses_and_what_its_nginx_takes(monkeypatch, printed, more):
    monkeypatch.setattr(nginx.commands, "program", lambda name: printed and f"/usr/sbin/{name}")
    monkeypatch.setattr(nginx.commands, "run", lambda argv, **_: printed)
    known = {"private_ip": "10.132.20.236", "public_ip": None, "droplet_id": 7}
    asked = minion(functions={"digitalocean.metadata": lambda: known})
    assert asked.addresses() == {"private_ip": "10.132.20.236", **more}


def test_people_get_the_pillar_at_hand_from_salt_call_which_has_just_made_it():
    pillar = {"haproxy_ha": EXAMPLE}
    assert minion(pillar=pillar, saltenv=None, __cli="salt-call").whole_pillar() is pillar


@pytest.mark.parametrize("opts, events", [
    ({}, [("haproxy_ha/waiting", {"text": "n2"})]), ({"__cli": "salt-call"}, []), ({"file_client": "local"}, []),
])  # fmt: skip
def test_who_is_waited_for_is_an_event_where_there_is_a_master(monkeypatch, opts, events):
    monkeypatch.setattr(told.log, "warning", lambda *_: None)  # Salt writes it once pytest has closed the streams
    sent = []
    minion(functions={"event.send": lambda *event: sent.append(event)}, **opts).say("n2")
    assert sent == events
