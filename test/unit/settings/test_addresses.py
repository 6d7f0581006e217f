"""Where the addresses of machines come from."""


import pytest

from haproxy_ha_lib.settings.types import Machine
from support.pillars import REMOVED, build, valid

NODES = "haproxy_ha:load_balancers"
APPS = "haproxy_ha:app_servers"
HAPROXY = "haproxy_ha:haproxy"
IN_THE_CLEAR = {"cluster:quorum_device:tls": False}
BARE = {"load_balancers": {"primary": None, "secondary": None}, "app_servers": {"app-1": None}}
OF_PRIMARY = {"private_ip": "10.132.20.10", "public_ip": "203.0.113.21", "anchor_ip": "10.17.1.18", "hostname": "p"}
OF_APP = {"private_ip": "10.132.20.236", "public_ip": "203.0.113.31", "anchor_ip": "10.17.1.30"}
IN_THE_MINE = {
    "secondary": {"private_ip": "10.132.20.11", "public_ip": "203.0.113.22", "anchor_ip": "10.17.1.19"},
    "app-1": OF_APP,
}


def test_own_addresses_from_the_metadata_service_others_from_the_mine():
    built = valid({**BARE, "mine": True}, metadata=OF_PRIMARY, mine=IN_THE_MINE)
    node_id = built.load_balancers["primary"].node_id
    assert built.me == Machine("10.132.20.10", "10.17.1.18", "203.0.113.21", node_id=node_id)
    assert built.load_balancers["secondary"].private_ip == "10.132.20.11"
    assert built.app_servers["app-1"].private_ip == "10.132.20.236"


def test_an_app_server_needs_no_other_app_server():
    mine = {"primary": OF_PRIMARY, "secondary": IN_THE_MINE["secondary"]}
    built = valid({**BARE, "app_servers:app-2": None, "mine": True}, "app-1", metadata=OF_APP, mine=mine)
    assert built.app_servers["app-1"].private_ip == "10.132.20.236"
    assert built.app_servers["app-2"].private_ip is None


def test_what_nobody_knows_is_named_with_both_remedies():
    errors = build(BARE, metadata=None).errors
    assert errors == [
        f"{APPS}:app-1:private_ip: missing: app-1 is another machine, and haproxy_ha:mine is false; set it here",
        f"{NODES}:primary:anchor_ip: missing: there is no metadata service; set it here",
        f"{NODES}:primary:private_ip: missing: there is no metadata service; set it here",
        f"{NODES}:secondary:private_ip: missing: secondary is another machine, and haproxy_ha:mine is false; set it "
        "here",
    ]


def test_a_machine_that_the_mine_does_not_know_is_named():
    errors = build({**BARE, "mine": True}, metadata=OF_PRIMARY, mine={"secondary": IN_THE_MINE["secondary"]}).errors
    assert errors == [
        f"{APPS}:app-1:private_ip: missing: the mine has none of app-1 (mine function haproxy_ha.addresses; salt '*' "
        "saltutil.refresh_pillar and then salt '*' mine.update, which prints True, send it); set it here"
    ]


def test_the_mine_counts_only_when_pillar_asks_for_it():
    assert len(build(BARE, metadata=OF_PRIMARY, mine=IN_THE_MINE).errors) == 2


@pytest.mark.parametrize("sent", ["10.132.20.12", ["10.132.20.12"], 7, True])
def test_mine_data_that_is_no_mapping_is_one_error_that_names_the_machine(sent):
    mine = {**IN_THE_MINE, "app-1": sent}
    (error,) = build({**BARE, "mine": True}, metadata=OF_PRIMARY, mine=mine).errors
    assert error.startswith(f"{APPS}:app-1:private_ip: missing: the mine has ")
    assert "of app-1, allowed: what haproxy_ha.addresses returns" in error


def test_what_the_mine_and_the_metadata_service_say_is_checked():
    wrong = {**OF_PRIMARY, "anchor_ip": "10.17.1.18\nbind *:81"}
    mine = {**IN_THE_MINE, "app-1": {"private_ip": "localhost"}}
    errors = build({**BARE, "mine": True}, metadata=wrong, mine=mine).errors
    assert errors == [
        f"{APPS}:app-1:private_ip: missing: the mine says 'localhost' (a string), allowed: an IPv4 or IPv6 address; "
        "set it here",
        f"{NODES}:primary:anchor_ip: missing: the metadata service says '10.17.1.18\\nbind *:81' (a string), allowed: "
        "an IPv4 or IPv6 address; set it here",
    ]


def test_the_metadata_service_is_asked_once_by_its_url_and_only_when_needed():
    asked = []

    def metadata(url):
        asked.append(url)
        return OF_PRIMARY

    valid(metadata=metadata)
    assert asked == []
    valid({"load_balancers:primary": None}, metadata=metadata)
    assert asked == ["http://169.254.169.254"]


@pytest.mark.parametrize("answer, reason", [
    (OSError("no route to host"), " (no route to host)"),
    (None, ""),
])
def test_a_metadata_service_that_does_not_answer_is_the_reason(answer, reason):
    def metadata(url):
        if answer:
            raise answer

    errors = build({"load_balancers:primary:anchor_ip": REMOVED}, metadata=metadata).errors
    assert errors == [
        f"{NODES}:primary:anchor_ip: missing: the metadata service http://169.254.169.254 did not answer{reason}; "
        "set it here"
    ]


def test_a_droplet_without_an_anchor_ip_has_its_public_ip_in_its_place():
    metadata = {**OF_PRIMARY, "anchor_ip": None}
    built = valid({"load_balancers:primary": {"private_ip": "10.132.20.10"}}, metadata=metadata)
    assert built.me.anchor_ip == "203.0.113.21"
    assert built.haproxy["frontends"]["http"]["bind"] == [{"address": "203.0.113.21", "port": 80, "options": ""}]
    assert built.warnings == [
        f"{NODES}:primary:anchor_ip: this droplet has none, so HAProxy binds its public IP 203.0.113.21"
    ]


def test_an_unknown_public_ip_is_a_warning():
    built = valid({"app_servers:app-1:public_ip": REMOVED}, "app-1")
    assert built.warnings == [f"{APPS}:app-1:public_ip: missing: there is no metadata service; set it here"]
    assert built.me.public_ip is None


def test_a_bind_on_an_unknown_public_ip_is_an_error():
    changes = {"load_balancers:primary:public_ip": REMOVED, "haproxy:frontends:http:bind": ["anchor:80", "public:81"]}
    assert build(changes).errors == [f"{HAPROXY}:frontends:http:bind:1: the public_ip of this machine is unknown"]


def test_a_machine_in_both_roles_shares_its_addresses():
    built = valid({"app_servers:secondary": {"port": 8080}}, "secondary")
    assert built.app_servers["secondary"].private_ip == "10.132.20.11"
    assert built.me.anchor_ip == "10.17.1.19"


def test_node_ids_depend_on_the_name_alone():
    before = valid({"load_balancers:third": {"private_ip": "10.132.20.12"}}).load_balancers
    after = valid({"load_balancers:secondary": REMOVED, "load_balancers:third": {"private_ip": "10.132.20.12"}})
    assert before["third"].node_id == after.load_balancers["third"].node_id
    assert all(1 <= entry.node_id <= 65535 for entry in before.values())


def test_binds_name_this_machine():
    changes = {"haproxy:frontends:http:bind": ["anchor:80", "private:81", "public:82", "*:83", "[fd00::5]:84 v6only"]}
    bound = valid(changes, "secondary").haproxy["frontends"]["http"]["bind"]
    assert bound == [
        {"address": "10.17.1.19", "port": 80, "options": ""},
        {"address": "10.132.20.11", "port": 81, "options": ""},
        {"address": "203.0.113.22", "port": 82, "options": ""},
        {"address": "*", "port": 83, "options": ""},
        {"address": "fd00::5", "port": 84, "options": "v6only"},
    ]


NO_ANCHORS = {"load_balancers:primary:anchor_ip": REMOVED, "load_balancers:secondary:anchor_ip": REMOVED}


@pytest.mark.parametrize("floating_ip, others", [
    ({"provider": "ipaddr2"}, {}),
    ({"provider": "ipaddr2"}, NO_ANCHORS),
    ({"agent": "ocf:heartbeat:awsvip"}, NO_ANCHORS),
])
def test_haproxy_binds_the_floating_ip_itself_where_no_anchor_ip_stands_for_it(floating_ip, others):
    changes = {"floating_ip": {"address": "10.132.20.100", **floating_ip}, **others}
    bound = valid(changes).haproxy["frontends"]["http"]["bind"]
    assert bound == [{"address": "10.132.20.100", "port": 80, "options": "transparent"}]


def test_a_reserved_ipv6_address_comes_as_it_is():
    """Without an anchor IP, which none of the load balancers needs then."""
    built = valid({"floating_ip:address": "2001:db8:10::10", **NO_ANCHORS})
    bound = built.haproxy["frontends"]["http"]["bind"]
    assert bound == [{"address": "2001:db8:10::10", "port": 80, "options": "transparent"}]
    assert built.cluster.configuration["primitives"]["FloatIP"]["params"]["address"] == "2001:db8:10::10"


def test_both_families_are_bound_where_each_comes():
    both = {"floating_ips": {"six": {"address": "2001:db8:10::10", "stays_with": "floating_ip"}}}
    bound = valid(both).haproxy["frontends"]["http"]["bind"]
    assert [one["address"] for one in bound] == ["10.17.1.18", "2001:db8:10::10"]


def test_another_agent_may_bring_the_address_to_an_anchor_ip():
    changes = {"floating_ip": {"address": "198.51.100.7", "agent": "ocf:heartbeat:awseip"}}
    bound = valid(changes).haproxy["frontends"]["http"]["bind"]
    assert bound == [{"address": "10.17.1.18", "port": 80, "options": ""}]


def test_a_bind_on_an_address_that_nobody_tells_is_an_error():
    changes = {"floating_ip": {"agent": "ocf:heartbeat:awsvip"}, **NO_ANCHORS}
    assert build(changes).errors == [
        f"{HAPROXY}:frontends:http:bind:0: neither an anchor IP nor haproxy_ha:floating_ip:address is there to bind"
    ]


def test_a_quorum_helper_needs_the_balancers_addresses_and_its_own():
    bare = {"load_balancers": {"primary": None, "secondary": None}, "app_servers": {"app-1": None},
            "quorum_helper": {"helper": None}, "mine": True, **IN_THE_CLEAR}
    mine = {"primary": OF_PRIMARY, **IN_THE_MINE}
    built = valid(bare, "helper", metadata={"private_ip": "10.132.20.50"}, mine=mine)
    assert built.me.private_ip == "10.132.20.50"
    assert [node.private_ip for node in built.load_balancers.values()] == ["10.132.20.10", "10.132.20.11"]


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "8.8.8.8"])
def test_who_tells_an_address_of_somewhere_else_is_not_believed(address):
    mine = {**IN_THE_MINE, "app-1": {"private_ip": address}}
    (error,) = build({**BARE, "mine": True}, metadata=OF_PRIMARY, mine=mine).errors
    assert error.startswith(f"{APPS}:app-1:private_ip: missing: the mine says {address}, which is not in "
                            "haproxy_ha:private_network; set it here")  # fmt: skip


def test_where_the_private_network_is_can_be_said():
    changes = {**BARE, "mine": True, "private_network": ["10.132.0.0/16"]}
    assert valid(changes, metadata=OF_PRIMARY, mine=IN_THE_MINE)
    inner = {**IN_THE_MINE, "app-1": {"private_ip": "10.9.9.9"}}
    assert "10.9.9.9, which is not in" in build(changes, metadata=OF_PRIMARY, mine=inner).errors[0]
