"""An address of a cloud that is given up: it stays on the interface until clients are sent elsewhere, and no longer."""

from pathlib import Path

import pytest

from support.floatip import OK
from support.place import in_container, requires_tools
from support.simulated_cloud import SECONDARY

pytestmark = [
    pytest.mark.parametrize("provider", ["digitalocean-ipv6", "hetzner"], indirect=True),
    requires_tools("ip"),
    pytest.mark.skipif(not in_container(), reason="its agent changes an interface"),
]

class Left:
    """What a stop has left on the interface, and HAProxy's agent there."""

    def __init__(self, floatip):
        self.floatip, self.state = floatip, floatip.directory / "state"
        self.mark = Path(self.state, f"haproxy_ha-leaving-{floatip.parameters['address']}")

    def take_off(self, at_once=False):
        """As a monitor of HAProxy, or its stop; tells whether the address is still there."""
        self.floatip.haproxy_takes_off(at_once)
        return self.floatip.is_on_interface()


@pytest.fixture
def left(holding):
    assert (holding("stop").code, holding.is_on_interface()) == (OK, True)
    return Left(holding)


def test_it_stays_for_as_long_as_it_takes_to_move(left):
    assert left.take_off() and left.mark.exists()
    left.mark.write_text("0.000\n")
    assert not left.take_off() and not left.mark.exists()


def test_a_mark_that_says_nothing_keeps_nothing(left):
    left.mark.write_text("\0")
    assert not left.take_off() and not left.mark.exists()


def test_it_goes_with_haproxy(left):
    assert not left.take_off(at_once=True) and not left.mark.exists()


def test_one_that_comes_back_meanwhile_is_taken_off_by_nobody(left, cloud):
    cloud.assign(SECONDARY)
    assert left.floatip("start").code == OK
    assert not left.mark.exists()
    assert left.take_off(at_once=True)


def test_a_second_stop_changes_nothing(left):
    assert left.floatip("stop").code == OK
    assert left.take_off() and not left.take_off(at_once=True)
    assert left.floatip("stop").code == OK
    assert not left.mark.exists()


def test_where_it_cannot_be_remembered_it_goes_at_once(holding):
    Left(holding).mark.mkdir()
    run = holding("stop")
    assert (run.code, holding.is_on_interface()) == (OK, False)
    assert "off the interface at once" in run.output
