"""How long the master waits for the load balancers of a pair, by a client that tells what came and a clock."""

from types import SimpleNamespace

import pytest

from haproxy_ha_host import minions

NODES = ["a", "b"]


def found(**cluster):
    return {"roles": ["load_balancer"], "nodes": NODES, "servers": [], "cluster": {"active": ["a"], **cluster}}


class Client:
    """Salt's client whose minions answer at their times; for the others it waits 40 s."""

    def __init__(self, clock, **answers):
        self.clock, self.answers = clock, answers

    def run_job(self, *_, **__):
        return {"jid": "1", "minions": NODES} if self.answers else {}

    def get_iter_returns(self, *_, **__):
        for minion, (after, answer) in sorted(self.answers.items(), key=lambda one: one[1]):
            while self.clock.now < after:
                yield None
            yield {minion: {"ret": answer}}
        while len(self.answers) < len(NODES) and self.clock.now < 40:
            yield None


@pytest.fixture
def clock(monkeypatch):
    made = SimpleNamespace(now=0.0)

    def sleep(seconds):
        made.now += seconds

    monkeypatch.setattr(minions, "time", SimpleNamespace(monotonic=lambda: made.now, sleep=sleep))
    return made


def pair(clock, **answers):
    return minions.Minions(Client(clock, **answers), "*", "glob", 30).pair()


def test_all_that_answer_are_told(clock):
    assert pair(clock, a=(1, found()), b=(3, found())) == {"a": found(), "b": found()}
    assert clock.now < 3.1


def test_who_is_off_by_the_word_of_the_others_has_a_moment(clock):
    told = found(offline=["b"])
    assert pair(clock, a=(1, told)) == {"a": told, "b": "does not answer"}
    assert clock.now < 4


def test_whose_cluster_alone_is_off_answers_in_that_moment(clock):
    assert pair(clock, a=(1, found(offline=["b"])), b=(2, found()))["b"] == found()


def test_who_is_said_to_be_there_is_waited_for(clock):
    assert pair(clock, a=(1, found()), b=(20, found()))["b"] == found()
    assert pair(clock, a=(21, found()))["b"] == "does not answer"
    assert clock.now >= 40


def test_where_nobody_is_called_so_nobody_is_told(clock):
    assert pair(clock) == {}
