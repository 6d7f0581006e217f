"""A load balancer is taken out of pillar while clients ask: in the wrong order nothing is done, in the right, all."""

from __future__ import annotations

import pytest
import yaml

from lab import audit, outcome, salt
from lab.machine import machine
from lab.topology import BALANCERS
from lab.traffic import ask
from lab.watch import watch
from support import REPOSITORY

pytestmark = pytest.mark.slow

EXAMPLE = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")


def without(name: str) -> str:
    document = yaml.safe_load(EXAMPLE)
    del document["haproxy_ha"]["load_balancers"][name]
    return yaml.safe_dump(document, sort_keys=False)


@pytest.fixture
def leaves(active):
    """The active balancer is in pillar no more; afterwards both are in their places again."""
    salt.set_pillar(without(active))
    yield active
    salt.set_pillar(EXAMPLE)
    assert outcome.failed(salt.call("state.apply", "haproxy_ha")) == []
    audit.settle(120)


def test_a_member_that_left_pillar_is_told_to_be_cleaned_and_the_others_do_not_drop_it(leaves):
    stays = audit.passive_of(leaves)
    with watch("the active balancer leaves: pillar, runs, clean, a run") as seen:
        early = salt.call("state.apply", "haproxy_ha", target=",".join(BALANCERS))
        assert audit.settle() == leaves
        cleaned = salt.call("state.apply", "haproxy_ha.clean", target=leaves)
        late = salt.call("state.apply", "haproxy_ha", target=stays)
        again = salt.call("state.apply", "haproxy_ha", target=stays)
    assert outcome.changed(early) == []
    (outside,) = outcome.failed({leaves: early[leaves]})
    assert "haproxy_ha.clean" in outside
    (refusal,) = outcome.failed({stays: early[stays]})
    assert f"{leaves} runs in this cluster" in refusal and "haproxy_ha.clean" in refusal
    assert outcome.failed(cleaned) == outcome.failed(late) == outcome.changed(again) == []
    assert (audit.cloud_owner(), audit.members(stays), ask()[0]) == (stays, [stays], 200)
    assert machine(leaves).run("systemctl", "is-active", "pacemaker", "haproxy", check=False).stdout.split() == [
        "inactive", "inactive",
    ]  # fmt: skip
    assert seen.lost == []
    assert len(seen.moves) == 1
