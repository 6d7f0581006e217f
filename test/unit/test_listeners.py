"""Where each daemon has to listen, by pillar."""

import pytest

from haproxy_ha_lib import listeners
from support.pillars import valid

HELPED = {"quorum_helper": {"helper": {"private_ip": "10.132.20.9"}}, "cluster:quorum_device:tls": False}


@pytest.mark.parametrize("daemon, minion, wanted", [
    ("haproxy", "primary", (("10.17.1.18", 80),)), ("haproxy", "app-1", ()),
    ("nginx", "app-1", (("10.132.20.236", 80),)), ("nginx", "primary", ()),
    (listeners.QNETD, "helper", (("10.132.20.9", 5403),)), (listeners.QNETD, "primary", ()),
    ("corosync", "primary", ()),
])  # fmt: skip
def test_a_daemon_listens_where_its_role_is(daemon, minion, wanted):
    assert listeners.of(daemon, valid(HELPED, minion)) == wanted


def test_metrics_are_a_listener_of_haproxy():
    assert listeners.of("haproxy", valid({"monitoring:sources": ["10.132.0.2"]}))[1:] == (("10.132.20.10", 8405),)


def test_every_address_is_the_kernel_s_wildcard():
    frontend = {"web": {"bind": ["*:8080"], "default_backend": "app_pool"}}
    assert ("0.0.0.0", 8080) in listeners.of("haproxy", valid({"haproxy:frontends": frontend}))


def test_an_app_server_without_sites_listens_nowhere():
    changes = {"nginx": {"site": {"enabled": False}, "page": {"enabled": False}}}
    assert listeners.of("nginx", valid(changes, "app-1")) == ()
