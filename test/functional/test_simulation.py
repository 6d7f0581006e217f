"""The pair in a deterministic simulation (docs/simulation.md), with Pacemaker's own scheduler."""

import multiprocessing

import pytest

from simulation import coverage, directed, found, history, scheduler
from simulation.disturbances import KINDS, Disturbance
from simulation.history import History
from simulation.known import KNOWN, SELDOM
from support.pillars import valid

HISTORIES = 500
CHUNK = 10


def of(story):
    return History(story.seed, story.nodes, tuple(Disturbance(*event) for event in story.events), story.fencing)


FOUND, MENDED = ({name: of(story) for name, story in ones.items()} for ones in (found.FOUND, found.MENDED))


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


@pytest.mark.parametrize("fix", KNOWN | SELDOM)
def test_a_fix_of_the_past_that_is_taken_out_is_found(fix):
    assert history.run(FOUND[fix], (KNOWN | SELDOM)[fix]).wrong


STORIES = found.FOUND | found.MENDED | found.BORNE


@pytest.mark.parametrize("name", STORIES)
def test_what_was_found_is_mended_or_has_its_reason(name):
    """As often as it says, too: the lab plays it, and compares (faults.stories)."""
    outcome = history.run(of(STORIES[name]))
    assert (outcome.wrong, outcome.moves) == ("", STORIES[name].moves)


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
