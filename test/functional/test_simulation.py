"""The pair in a deterministic simulation (docs/simulation.md), with Pacemaker's own scheduler."""

import multiprocessing

import pytest

from simulation import coverage, directed, history, scheduler
from simulation.disturbances import KINDS, Disturbance
from simulation.history import History
from simulation.known import KNOWN
from support.pillars import valid

HISTORIES = 500
CHUNK = 10

# What finds each fix of the past that is taken out: shrunk, as `make simulation DO=known` tells them.
FOUND = {
    "the partition's end": History(19, 2, (Disturbance(79.0, "pause", 1, 9.0),)),
    "the history's ban": History(61, 2, (
        Disturbance(44.0, "cut", 2, 17.0, "peers"), Disturbance(70.0, "power", 1, 90.0),
    )),
    "the fence loop": History(22, 2, (Disturbance(28.0, "cut private", 1, 90.0, "peers+servers"),), True),
    "the forgotten node": History(239, 3, (
        Disturbance(82.0, "leaves", 1, 2.0), Disturbance(102.0, "cut private", 3, 53.0, "peers+servers"),
    )),
}  # fmt: skip


def happened(named):
    """What a history is called, what is wrong with it, and what of the agents it has reached."""
    name, drawn = named
    outcome = history.run(drawn)
    return name, outcome.wrong, outcome.seen, outcome.reached


def all_happened(histories):
    with multiprocessing.Pool(2) as pool:
        return pool.map(happened, histories, chunksize=CHUNK)


def test_whatever_happens_the_invariants_hold():
    drawn = [(f'make simulation DO="replay {seed}"', history.drawn_history(seed)) for seed in range(HISTORIES)]
    assert [(name, wrong) for name, wrong, *_ in all_happened(drawn) if wrong] == []


@pytest.fixture(scope="module")
def directed_ones():
    """Each disturbance in each state, and what was found."""
    return all_happened([*directed.pairs(), *MENDED.items()])


@pytest.mark.slow
def test_each_disturbance_comes_in_each_state_and_is_borne(directed_ones):
    assert [(name, wrong) for name, wrong, *_ in directed_ones if wrong] == []
    seen = set().union(*(seen for _, _, seen, _ in directed_ones))
    assert {(kind, state) for kind in KINDS for state in directed.STATES} - seen == set()


@pytest.mark.slow
def test_what_of_the_agents_is_not_reached_is_explained(directed_ones):
    reached = set().union(*(reached for *_, reached in directed_ones))
    assert coverage.unexplained(reached) == []


def test_a_statement_that_is_not_reached_is_noticed():
    everything = {(place.file, place.line) for place in coverage.places()}
    [start] = {one for one in coverage.places() if (one.function, one.text) == ("start", "takeover.begin()")}
    assert coverage.unexplained(everything) == []
    left = everything - {(start.file, start.line)}
    assert coverage.unexplained(left) == [f"floating.py:{start.line} start: takeover.begin()"]


def test_what_is_explained_is_there():
    assert coverage.unknown() == []


@pytest.mark.parametrize("fix", KNOWN)
def test_a_fix_of_the_past_that_is_taken_out_is_found(fix):
    assert history.run(FOUND[fix]).wrong == ""
    assert history.run(FOUND[fix], KNOWN[fix]).wrong


# Found by the simulation, and mended.
MENDED = {
    "of three, one that stood still comes back with its claim":
        History(107, 3, (Disturbance(88.0, "pause", 1, 1.0),)),
    "of three, one that stood still has seen that it lost the address":
        History(49, 3, (Disturbance(7.0, "pause", 1, 56.0),)),
    "a takeover of before that the next one has not ended":
        History(198, 3, (Disturbance(72.0, "cut all", 1, 72.0, "peers+servers+clients"),
                         Disturbance(141.0, "pause", 2, 23.0))),
    "whoever stands by fails between the end of a partition and the cluster's decision":
        History(312, 2, (Disturbance(41.28, "reboot", 1, 2.4),
                         Disturbance(146.0, "cut private", 1, 30.4, "peers+servers"))),
    "whoever stands by waits for an answer that comes late":
        History(1664, 2, (Disturbance(60.0, "cut", 2, 78.0, "peers"), Disturbance(80.0, "late", 1, 26.0, 0.3))),
    "a mark that could not be taken away when its claim was given up":
        History(787, 2, (Disturbance(1.0, "standby", 1, 1.0), Disturbance(39.0, "cut one way", 2, 13.0, "peers >"),
                         Disturbance(45.0, "deaf", 1, 9.0))),
    "a mark of a start that stood by, as the address was nobody's":
        History(3556, 2, (Disturbance(4.0, "power", 2, 2.0), Disturbance(6.0, "somebody assigns", 2, 24.0, "nobody"),
                          Disturbance(16.0, "deaf", 1, 44.0))),
    "a start goes on whose executor has died, and stands by where nobody knows of it":
        History(2752, 2, (Disturbance(82.0, "cut all", 2, 3.0, "peers+servers+clients"),
                          Disturbance(91.0, "daemon dies", 2, 0.1, "execd"))),
    "what stands by is not found by a probe, and ended by nobody":
        History(4936, 2, (Disturbance(107.0, "cut private", 2, 16.0, "peers+servers"),
                          Disturbance(109.0, "maintenance", 2, 83.0),
                          Disturbance(120.0, "clean-up", 1, 5.0, "FloatIP"))),
}  # fmt: skip


# Found by the simulation, and left as they are: docs/simulation.md has the reasons.
BORNE = {
    "of three, a start that the cluster of now knows nothing of":
        History(6511, 3, (Disturbance(92.0, "daemon dies", 1, 0.2, "controld"),)),
    "two seconds without an answer of the gateway":
        History(1062, 3, (
            Disturbance(69.0, "cut one way", 1, 23.0, "peers >"), Disturbance(76.0, "late", 2, 1.3, 2.0),
        )),
    "a link that comes and goes, where answers come late":
        History(6342, 2, (Disturbance(7.0, "late", 2, 86.0, 0.3), Disturbance(36.0, "flapping", 1, 34.0, "peers"))),
}  # fmt: skip


@pytest.mark.parametrize("found", BORNE)
def test_what_a_history_has_found_and_is_left_has_its_reason(found):
    assert history.run(BORNE[found]).wrong == ""


@pytest.mark.parametrize("found", MENDED)
def test_what_a_history_has_found_stays_mended(found):
    assert history.run(MENDED[found]).wrong == ""


def test_a_history_is_repeatable_to_its_last_step():
    drawn = history.drawn_history(11)
    assert history.run(drawn).story == history.run(drawn).story


def test_other_processes_go_on_after_a_history_in_this_one():
    """`known` looks for one fix after the other."""
    history.run(FOUND["the partition's end"])
    with multiprocessing.Pool(1) as pool:
        assert pool.apply_async(happened, (("again", History(5, 2, ())),)).get(120)[1] == ""


def test_a_history_that_fails_is_shrunk_to_what_matters():
    fix = "the forgotten node"
    more = (Disturbance(3.0, "Salt", 2, 5.0), *FOUND[fix].disturbances, Disturbance(140.0, "late", 1, 9.0, 0.3))
    shrunk = history.shrink(FOUND[fix]._replace(disturbances=more), KNOWN[fix])
    assert [one.kind for one in shrunk.disturbances] == ["leaves", "cut private"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_disturbance_alone_is_borne(kind):
    one = Disturbance(20.0, kind, 1, 12.0, KINDS[kind].values[0])
    assert history.run(History(5, 2, (one,))).wrong == ""


def test_failures_count_as_long_as_the_configuration_says():
    primitives = valid(scheduler.FENCED).cluster.configuration["primitives"]
    said = {name: float(one["meta"]["failure-timeout"].removesuffix("s")) for name, one in primitives.items()}
    assert said == scheduler.FAILURES_COUNT
