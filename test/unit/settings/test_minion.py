import pytest

from haproxy_ha_lib.settings import minion
from support.pillars import EXAMPLE, FAMILIES, build, valid


def on(osfinger, os_family="Debian", changes=None, minion_id="primary"):
    return minion.on_system(build(changes, minion_id), os_family, osfinger, FAMILIES).errors


@pytest.mark.parametrize("osfinger", FAMILIES["Debian"]["tested"])
def test_a_system_that_was_tested_is_no_error(osfinger):
    assert on(osfinger) == []


@pytest.mark.parametrize("osfinger", [
    "Ubuntu-22.04", "Ubuntu-24.04", "Ubuntu-26.04", "Debian-11", "Debian-14", "Linux Mint-22", "Raspbian-12", None,
])  # fmt: skip
def test_a_release_that_nobody_has_tested_is_refused_unless_pillar_says_to_try_it(osfinger):
    [error] = on(osfinger)
    assert f"grain osfinger: found {osfinger!r}, tested: Debian-12, Debian-13." in error
    assert "haproxy_ha:allow_untested_os: true" in error
    assert on(osfinger, changes={"allow_untested_os": True}) == []


@pytest.mark.parametrize("allowed", [True, False])
def test_another_family_is_refused_whatever_pillar_says(allowed):
    [error] = on("Rocky Linux-9", "RedHat", {"allow_untested_os": allowed})
    assert error == "grain os_family: found 'RedHat', allowed: Debian"


@pytest.mark.parametrize("system", [("Rocky Linux-9", "RedHat"), ("Ubuntu-24.04", "Debian")])
def test_a_minion_without_a_role_may_be_anything(system):
    assert on(*system, minion_id="elsewhere") == []


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
