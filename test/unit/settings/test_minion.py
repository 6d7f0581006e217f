from haproxy_ha_lib.settings import minion
from support.pillars import EXAMPLE, valid


def test_pillar_that_failed_to_render_is_the_first_error():
    failed = minion.in_pillar(valid(), {"haproxy_ha": EXAMPLE, "_errors": ["Rendering SLS 'x' failed"]})
    assert failed.errors == ["pillar: failed to render, so it may lack what is written: Rendering SLS 'x' failed"]
    assert minion.in_pillar(valid(), {"_errors": ["Rendering SLS 'x' failed"]}).tree is True


def test_no_pillar_of_ours_is_no_tree():
    for pillar in ({}, {"haproxy": {"enabled": True}}, {"cluster": {"name": "theirs"}}, {"mine": True}):
        assert minion.in_pillar(valid(), pillar).tree is False


def test_what_pillar_gives_and_what_it_leaves_alone_is_no_surplus():
    present = ["cluster", "load_balancer", "app_server", "memory"]
    assert minion.surplus(valid(), present) == ["app_server"]
    assert minion.surplus(valid(minion_id="app-1"), present) == ["cluster", "load_balancer"]
    assert minion.surplus(valid(minion_id="elsewhere"), present) == present
    unmanaged = valid({"app_servers:legacy": {"private_ip": "10.132.20.9", "managed": False}}, "legacy")
    assert minion.surplus(unmanaged, ["app_server", "memory"]) == []
