"""What tests of the host share."""

import pytest

from haproxy_ha_host import synced


@pytest.fixture(autouse=True)
def states_are_here(monkeypatch):
    """The formula's states have been synced; Salt's loader would look for all that there are."""
    monkeypatch.setattr(synced.salt.loader, "states", lambda *_: {"haproxy_ha.settings_valid", "pacemaker.configured"})
