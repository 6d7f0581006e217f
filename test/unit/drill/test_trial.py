"""What clients saw of one thing that was done, and whether a pair is fit for it."""

import pytest

from haproxy_ha_lib.drill import trial
from haproxy_ha_lib.drill.trial import Sample, Trial


def answered(*starts, seconds=0.01, status=200):
    return [Sample(start, seconds, status) for start in starts]


def made(*samples, **facts):
    samples = sorted((one for some in samples for one in some), key=lambda one: one.start)
    return Trial(**{"kind": "failover", "old": "a", "new": "b", "samples": samples, **facts})


@pytest.mark.parametrize(("samples", "gap", "failed"), [
    (answered(0, 1, 2, 5, 6), 3, 0),
    (answered(0, 1, 2) + answered(3, 4, status=0) + answered(5), 3, 2),
    (answered(0, 1) + answered(2, 3, status=503) + answered(4), 3, 2),
    (answered(0, 1, 2) + answered(3, 7, status=0), 4.99, 2),  # it ends in a gap
    (answered(0, 1, 2, 3, status=0), 3.01, 4),  # never an answer
    (answered(0), 0, 0),
    ([Sample(0, 0.01, 200), Sample(1, 0.9, 200), Sample(1.5, 0.01, 200)], 1.5, 0),  # by the ends of the answers
])
def test_the_gap_is_the_longest_time_between_two_good_answers(samples, gap, failed):
    done = made(samples)
    assert (round(done.seconds, 3), len(done.failed)) == (gap, failed)


def test_what_is_a_good_answer_can_be_said():
    assert len(made(answered(0, 1, status=404), expected=404).failed) == 0


def test_a_trial_as_data_has_every_request():
    data = made(answered(1.23456)).data()
    assert data["samples"] == [[1.235, 0.01, 200]]
    assert (data["kind"], data["old"], data["new"], data["failed"], data["requests"]) == ("failover", "a", "b", 0, 1)


@pytest.mark.parametrize("answer", [None, "No such function", {}, {"samples": None}, {"samples": []}, []])
def test_what_is_no_record_is_none(answer):
    assert trial.read(answer) == []


def test_a_record_is_read():
    assert trial.read({"samples": [[1, 0.5, 200], [2.5, 1.0, 0]]}) == [Sample(1.0, 0.5, 200), Sample(2.5, 1.0, 0)]


def found(active=("a",), hindrances=(), nodes=("a", "b")):
    return {"cluster": {"active": list(active)}, "hindrances": list(hindrances), "nodes": list(nodes)}


@pytest.mark.parametrize(("pair", "text"), [
    ({"a": found(), "b": found()}, None),
    ({"a": found(), "b": "does not answer"}, "b: does not answer"),
    ({"a": found(hindrances=["b is offline"]), "b": found(hindrances=["b is offline"])}, "b is offline"),
    ({}, "found: none"),
    ({"a": found(nodes=("a",))}, "found: a"),
    ({"a": found(), "b": found(active=("b",))}, "not the load balancers of one pair"),
    ({"a": found(active=()), "b": found(active=())}, "not the load balancers of one pair"),
    ({"a": found(), "b": found(), "x": found(nodes=("x", "y"))}, "not the load balancers of one pair"),
])
def test_a_drill_is_for_a_pair_that_is_well(pair, text):
    wrong = trial.unfit(pair)
    assert len(wrong) == len(set(wrong))
    assert (wrong == []) if text is None else (text in "\n".join(wrong)), wrong


def several(**held):
    """Two load balancers with an address for each of some floating IPs, and who has it."""
    addresses = {f"FloatIP-{name}": [f"10.0.0.{number}"] for number, name in enumerate(held)}
    nodes = {f"FloatIP-{name}": list(where) for name, where in held.items()}
    cluster = {"active": sorted({node for where in held.values() for node in where}), "addresses": nodes}
    return {name: {**found(), "cluster": cluster, "addresses": addresses} for name in "ab"}


def test_of_several_addresses_the_url_s_is_looked_at():
    pair = several(web="a", mail="b")
    assert trial.asked(pair, "10.0.0.1") == ("FloatIP-mail", "")
    assert trial.holders(pair, "FloatIP-mail") == ["b"]
    assert trial.unfit(pair, "FloatIP-mail") == []
    resource, unknown = trial.asked(pair, "www.example.com")
    assert resource is None and unknown.endswith("has to name one: 10.0.0.0, 10.0.0.1")
    assert trial.asked(several(web="a"), "www.example.com") == (None, "")
    assert trial.asked({"a": "does not answer"}, "10.0.0.1") == (None, "")
