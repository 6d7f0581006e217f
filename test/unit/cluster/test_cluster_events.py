"""What is told of the cluster: of which alerts, and once."""

import pytest

from haproxy_ha_lib.cluster import events
from haproxy_ha_lib.cluster.events import Alert, Event, Known, Memory

NODE = "100\tnode\tb\tlost\t\t\t\t\t"
MONITOR = "100\tresource\ta\tok\thaproxy:1\tmonitor\t5000\t190\t0"


ANNOUNCED = "100\tattribute\tb\t\thaproxy_ha-maintenance\tlive_migrate\t\t\t"


def test_a_line_is_read():
    assert events.read(NODE) == Alert(100, "node", "b", "lost")
    assert events.read(MONITOR + "\n") == Alert(100, "resource", "a", "ok", "haproxy", "monitor", "5000", "190", "0")


WRONG = [
    "", "nonsense", NODE + "\tmore", NODE.replace("100", "soon"), NODE.replace("\tb", "\t"),
    NODE.replace("\tb", "\t$(b)"), NODE.replace("lost", "new"), NODE.replace("node", "attribute"),
    ANNOUNCED.replace("maintenance", "reach"), ANNOUNCED.replace("live", "$(x)"),
    MONITOR.replace("haproxy:1", ""), MONITOR.replace("haproxy", "a b"), "\t" * 8, "9" * 13 + NODE[3:],
]  # fmt: skip


@pytest.mark.parametrize("line", WRONG)
def test_what_the_alert_agent_cannot_have_written_is_nothing(line):
    assert events.read(line) is None


def test_spoilt_memory_is_none():
    memory = Memory(["b"], {"haproxy": "failed"}, {"FloatIP": 7})
    assert Memory.of(vars(memory)) == memory
    assert Memory.of({**vars(memory), "left": 7}) == memory  # as it was for one floating IP
    spoilt = (None, [], "x", {"lost": 1}, {"lost": [], "ill": [], "left": 0})
    assert [Memory.of(one) for one in spoilt] == [Memory()] * len(spoilt)


def told(memory, known, *alerts):
    """The events of alerts, one after the other."""
    made = [events.made_of(alert, memory, known) for alert in alerts]
    return [(event.name, event.data) for event in made if event]


def of_node(what, node="b", time=100):
    return Alert(time, "node", node, what)


def of(task, code="0", resource="haproxy", interval="0", time=100, expected="0"):
    return Alert(time, "resource", "a", "", resource, task, "5000" if task == "monitor" else interval, code, expected)


def test_maintenance_is_told_when_it_is_announced_and_when_it_is_over():
    begin, end = events.read(ANNOUNCED), events.read(ANNOUNCED.replace("live_migrate", ""))
    assert told(Memory(), Known("a", ["a", "b"]), begin, end) == [
        ("maintenance/announced", {"time": 100, "node": "b", "what": "live_migrate", "told_by": "a"}),
        ("maintenance/over", {"time": 100, "node": "b", "told_by": "a"}),
    ]


def test_a_loss_and_a_return_are_told_once_each():
    memory, alone = Memory(), Known("a", ["a"])
    lost = {"time": 100, "node": "b", "planned": False, "told_by": "a"}
    assert told(memory, alone, of_node("member"), of_node("lost"), of_node("lost")) == [("node/lost", lost)]
    both = Known("a", ["a", "b"])
    returned = ("node/returned", {"time": 100, "node": "b", "told_by": "a"})
    assert told(memory, both, of_node("member"), of_node("member")) == [returned]
    assert told(memory, Known("a", ["a"], ["b"]), of_node("lost"))[0][1]["planned"] is True


def test_of_those_that_are_left_the_first_tells():
    memories = {name: Memory() for name in "abc"}
    left = ["b", "c"]
    tellers = [name for name in left if told(memories[name], Known(name, left), of_node("lost", "a"))]
    assert tellers == ["b"]
    back = [name for name in "abc" if told(memories[name], Known(name, "abc"), of_node("member", "a"))]
    assert back == ["b"]


@pytest.mark.parametrize(
    ("left", "used", "expected"),
    [
        (0, {"b": 90}, [("failover", {"time": 100, "from": "b", "to": "a", "resource": "FloatIP-x"})]),
        (50, {"b": 90, "c": 60}, [("failover", {"time": 100, "from": "b", "to": "a", "resource": "FloatIP-x"})]),
        (95, {"b": 90}, []),  # it was here meanwhile
        (0, {}, []),  # the first start of all
    ],
)
def test_a_start_where_the_address_was_not_is_a_failover(left, used, expected):
    known = Known("a", ["a", "b"], used={"FloatIP-x": used, "FloatIP": {"b": 10}})
    assert told(Memory(left={"FloatIP-x": left, "FloatIP": 20}), known, of("start", resource="FloatIP-x")) == expected
    assert told(Memory(left={"FloatIP": 20}), known, of("start", resource="FloatIP")) == []


@pytest.mark.parametrize(("ill", "name"), [({}, "failover"), ({"FloatIP": "failed"}, "recovered")])
def test_within_one_second_a_restart_where_it_was_ill_is_no_failover(ill, name):
    known = Known("a", ["a", "b"], used={"FloatIP": {"b": 100}})
    [(told_as, _)] = told(Memory(ill=ill, left={"FloatIP": 100}), known, of("start", resource="FloatIP"))
    assert told_as == name


def test_a_stop_of_the_address_is_remembered():
    memory = Memory()
    assert told(memory, Known("a", ["a"]), of("stop", resource="FloatIP"), of("stop", time=200)) == []
    assert memory.left == {"FloatIP": 100}


def test_illness_is_told_with_its_reason_and_its_end():
    memory, known = Memory(), Known("a", ["a"], reasons={"haproxy": "full"})
    ill = {"time": 100, "node": "a", "resource": "haproxy", "reason": "full"}
    degraded, again = of("monitor", "190"), of("monitor", "191")
    assert told(memory, known, of("monitor"), degraded, again) == [("degraded", ill)]
    assert told(memory, known, of("monitor", "7"), of("stop")) == [("failed", {**ill, "task": "monitor"})]
    well = {"time": 100, "node": "a", "resource": "haproxy", "was": "failed"}
    assert told(memory, known, of("start"), of("monitor")) == [("recovered", well)]


def test_a_probe_is_no_recovery():
    found = Alert(100, "resource", "a", "", "haproxy", "monitor", "0", "0", "0")
    assert told(Memory(ill={"haproxy": "failed"}), Known("a", ["a"]), found) == []


def test_a_tag_says_whose_it_is():
    assert Event("node/lost", {}).tag == "haproxy_ha/node/lost"
