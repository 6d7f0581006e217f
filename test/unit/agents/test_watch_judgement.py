"""The resident watcher's judgement and what it tells: in made-up time, without a network."""

import contextlib
import socket
from types import SimpleNamespace

import pytest

from haproxy_ha_lib.cluster import addresses, objects
from support.agent_modules import imported

STEP = 0.2
GONE = ["10.17.1.18:80"]


@pytest.fixture(scope="module")
def agents():
    """Modules of the agents by their names."""
    yield from imported()


@pytest.fixture
def way(agents):
    return agents("way").Way()


def looks(way, begin, end, answered=None, gone=()):
    """What is found at each look between two moments: {moment: reason}; `answered`: of the moment."""
    found = {}
    for number in range(round((end - begin) / STEP)):
        now = round(begin + number * STEP, 3)
        way.look(now, answered(now) if answered else None, list(gone))
        found[now] = way.reason
    return found


def until(moment):
    """A gateway that answers until then."""
    return lambda now: min(now, moment)


def first(found, ill=True):
    """The moment of the first look that finds the way lost, or there again."""
    return next((moment for moment, reason in found.items() if bool(reason) is ill), None)


def test_a_silent_gateway_is_told_after_little_more_than_a_second(way):
    found = looks(way, 100, 110, until(105))
    assert first(found) == pytest.approx(106.2, abs=STEP)
    assert way.by_gateway and "gateway" in way.reason


def test_a_gateway_that_has_never_answered_says_nothing(way):
    assert set(looks(way, 100, 200).values()) == {""}


@pytest.mark.parametrize("pause", [0.2, 0.5, 1.0])
def test_a_short_silence_says_nothing(way, pause):
    assert set(looks(way, 100, 130, lambda now: now - (now % 5 if now % 5 < pause else 0)).values()) == {""}


def test_an_address_that_is_away_is_told_after_a_second(way):
    looks(way, 100, 105, until(999))
    found = looks(way, 105, 110, until(999), GONE)
    assert first(found) == pytest.approx(106.1, abs=2 * STEP)
    assert not way.by_gateway and "10.17.1.18:80" in way.reason


def test_an_address_that_comes_back_at_once_is_not_missed(way):
    for begin in (100, 103, 106):
        assert set(looks(way, begin, begin + 1, until(999), GONE).values()) == {""}
        assert set(looks(way, begin + 1, begin + 3, until(999)).values()) == {""}


def test_what_comes_back_has_to_stay(way):
    looks(way, 100, 107, until(105))
    found = looks(way, 107, 115, until(999))
    assert first(found, ill=False) == pytest.approx(110, abs=STEP)


def test_what_flaps_has_to_stay_longer_each_time(way):
    now, pauses = 100.0, []
    for _ in range(5):
        looks(way, now, now + 3, until(now + 1))
        found = looks(way, now + 3, now + 60, until(10**6))
        back = first(found, ill=False)
        pauses.append(round(back - now - 3))
        now = back
    assert pauses == [3, 6, 12, 24, 24]
    looks(way, now, now + 1000, until(10**6))
    looks(way, now + 1000, now + 1003, until(now + 1000))
    found = looks(way, now + 1003, now + 1020, until(10**6))
    assert first(found, ill=False) == pytest.approx(now + 1006, abs=2 * STEP)


def test_what_is_told_is_what_the_cluster_is_configured_for(agents):
    assert agents("watch").ATTRIBUTE == addresses.CUT_OFF_ATTRIBUTE
    assert agents("announced").ATTRIBUTE == objects.MAINTENANCE_ATTRIBUTE


@pytest.fixture
def keeper(agents, monkeypatch, tmp_path):
    """One whose HAProxy hangs at each look: looks at a moment, and tells whether it killed."""
    hanging, killed, state = agents("hanging"), [], SimpleNamespace(wanted=True, asked=True)
    failure = agents("agent").Failure(1, "no answer")

    def ask(env):
        if not state.asked:
            raise failure
        return "primary", None

    unit = SimpleNamespace(stop_flag=str(tmp_path / "stopping"), processes=lambda: [7])
    monkeypatch.setattr(hanging, "hangs", lambda env, asks: "it hangs")
    monkeypatch.setattr(hanging, "kill", killed.append)
    monkeypatch.setattr(hanging, "Unit", lambda env: unit)
    monkeypatch.setattr(hanging.cluster, "ask", ask)
    monkeypatch.setattr(hanging.intent, "is_expected_to_run", lambda *_: state.wanted)
    made = hanging.Keeper()

    def look(moment):
        monkeypatch.setattr(hanging.time, "monotonic", lambda: moment)
        before = len(killed)
        assert bool(made.look(None)) == (len(killed) > before)
        return len(killed) > before

    return SimpleNamespace(look=look, state=state, stop_flag=tmp_path / "stopping")


def test_what_hangs_again_and_again_is_left_to_the_cluster(keeper):
    assert [keeper.look(moment) for moment in (100, 110, 120, 130, 159, 161)] == [True, True, True, False, False, True]


def test_nothing_is_killed_that_is_to_stop_or_that_nobody_can_ask_about(keeper):
    keeper.state.wanted = False  # in standby, in maintenance
    assert not keeper.look(100)
    keeper.state.wanted, keeper.state.asked = True, False
    assert not keeper.look(101)
    keeper.state.asked = True
    keeper.stop_flag.touch()
    assert not keeper.look(102)
    keeper.stop_flag.unlink()
    assert keeper.look(103)


class Programs:
    """In place of the program that tells the cluster: each ends with a code, or hangs (None) until it is killed."""

    def __init__(self, *codes):
        self.codes, self.told = list(codes), []

    def __call__(self, command, **_):
        code = self.codes.pop(0) if self.codes else 0
        self.told.append(command[1:])
        program = SimpleNamespace(code=code, poll=lambda: program.code)
        program.kill = lambda: setattr(program, "code", -9)
        return program


@pytest.fixture
def told(agents, monkeypatch):
    module = agents("told")

    def made(*codes):
        programs = Programs(*codes)
        monkeypatch.setattr(module.subprocess, "Popen", programs)
        return module.Told("haproxy_ha-cut-off"), programs

    return made


def tell(told, begin, end, value, delay="1s"):
    for number in range(round((end - begin) / STEP)):
        told.tell(begin + number * STEP, value, delay)


@pytest.mark.parametrize("value", ["-1000", "0"])
def test_what_is_so_is_told_once_and_again_each_minute(told, value):
    told, programs = told()
    tell(told, 0, 150, value)
    assert programs.told == [["--name=haproxy_ha-cut-off", f"--update-both={value}", "--delay=1s"]] * 3


def test_a_change_is_told_at_once(told):
    told, programs = told()
    tell(told, 0, 1, "0", "5s")
    tell(told, 1, 1.3, "-1000")
    tell(told, 1.3, 1.6, "0", "5s")
    assert [words[1] for words in programs.told] == [f"--update-both={value}" for value in ("0", "-1000", "0")]


def test_what_was_told_in_vain_is_told_again(told):
    told, programs = told(1, None)
    tell(told, 0, 12, "-1000")
    assert len(programs.told) == 3  # refused, killed after five seconds, taken


def test_time_in_which_nobody_could_hear_does_not_count(agents):
    echoes = agents("echoes").Echoes()
    echoes.answered = {"192.0.2.1": 100.0}
    echoes.stand_still(7.5)
    assert echoes.answered == {"192.0.2.1": 107.5}


def test_answers_of_others_are_no_answers(agents):
    module = agents("echoes")
    packets = []

    def receive(size):
        if not packets:
            raise BlockingIOError
        return packets.pop(0)

    echoes = module.Echoes({False: SimpleNamespace(recvfrom=receive, sendto=lambda *_: None)})
    echoes.ask([f"192.0.2.{number}" for number in range(1, 5)])
    own = agents("icmp").request(echoes.identifier, 1)
    header = bytes([0x45]) + bytes(19)
    request, reply = header + own, header + b"\0" + own[1:]
    packets += [(request, ("192.0.2.1", 0)), (b"", ("192.0.2.2", 0)), (header + b"\0" + bytes(7), ("192.0.2.3", 0)),
                (reply, ("192.0.2.4", 0)), (reply, ("192.0.2.5", 0))]  # fmt: skip
    echoes.hear(5.0)
    assert echoes.answered == {"192.0.2.4": 5.0}


def test_an_ipv6_address_is_known_however_it_is_written(agents):
    module, sent, packets = agents("echoes"), [], []

    def receive(size):
        if not packets:
            raise BlockingIOError
        return packets.pop(0)

    connection = SimpleNamespace(recvfrom=receive, sendto=lambda *packet: sent.append(packet))
    echoes = module.Echoes({True: connection})
    echoes.ask(["2001:DB8:0::10"])
    assert [where for _, where in sent] == [("2001:DB8:0::10", 0, 0, 0)]
    own = agents("icmp").request(echoes.identifier, 1, ipv6=True)
    packets += [(own, ("2001:db8::10", 0, 0, 0)), (b"\x81" + own[1:], ("2001:db8::11", 0, 0, 0))]
    echoes.hear(5.0)
    assert echoes.answered == {}
    packets += [(b"\x81" + own[1:], ("2001:db8::10", 0, 0, 0))]
    echoes.hear(6.0)
    assert echoes.answered == {"2001:DB8:0::10": 6.0}


@pytest.fixture
def look(agents, told, tmp_path):
    """The watcher's look while no monitor has handed anything over; what it remembers, and what it tells."""
    _, programs = told()
    watch = agents("watch")
    echoes = SimpleNamespace(stand_still=lambda seconds: None)
    watched = SimpleNamespace(directory=str(tmp_path), environment=lambda: None)
    return watch.Look(watched, [], echoes), tmp_path, programs


@pytest.mark.parametrize("resource", ["FloatIP", "FloatIP-web"])
def test_a_takeover_from_before_it_stood_still_counts_no_more(look, resource):
    look, directory, programs = look
    mark = directory / f"haproxy_ha-floatip-{resource}-takeover"
    mark.write_text(f"haproxy_ha-takeover-{resource} 12.5")
    look.at(100.0, 0.5)
    assert (programs.told, mark.exists()) == ([], True)
    look.at(103.0, 3.0)
    look.at(106.0, 3.0)
    assert programs.told == [[f"--name=haproxy_ha-takeover-{resource}", "--delete"]]
    # HAProxy's monitor tells it again (undone.retry).
    assert [one.name for one in directory.iterdir()] == [f"haproxy_ha-undone-haproxy_ha-takeover-{resource}"]


@pytest.mark.parametrize("text", ["", "12.5", "../x 1", "\0", "²"])
def test_what_is_no_takeover_is_let_alone(look, text):
    look, directory, programs = look
    mark = directory / "haproxy_ha-floatip-FloatIP-takeover"
    mark.write_text(text)
    look.at(103.0, 3.0)
    assert (programs.told, mark.exists()) == ([], True)


def test_without_a_directory_it_goes_on(look):
    look, directory, programs = look
    directory.rmdir()
    look.at(103.0, 3.0)
    assert programs.told == []


@pytest.fixture
def aged(look, agents, monkeypatch):
    """Looks at memberships of so many seconds; what was told of a takeover meanwhile. The address is claimed here."""
    look, directory, programs = look
    takeover = directory / "haproxy_ha-floatip-FloatIP-takeover"
    takeover.write_text("haproxy_ha-takeover ")
    takeover.with_name("haproxy_ha-floatip-FloatIP").write_text("address 203.0.113.10\nchecked 12.500\n")

    def at(*ages):
        del programs.told[:]
        for age in ages:
            monkeypatch.setattr(agents("cluster"), "age", lambda age=age: age)
            look.at(100.0, 0.2)
        return [change for name, change in programs.told if name == "--name=haproxy_ha-takeover"]

    return at, takeover, look


def test_a_takeover_is_told_again_while_the_cluster_comes_together(aged):
    """Each time with another value, as one that is the same is not written."""
    at, _, look = aged
    assert at(500.0, 500.2) == []
    assert (at(0.02, 0.12, 0.22), look.pause) == (["--update=2", "--update=1"], 0.1)
    assert (at(0.42, 0.62, 0.82, 1.02, 1.22), look.pause) == (["--update=2", "--update=1"], 0.2)
    assert at(0.12) == ["--update=2"]  # another membership
    assert at(None, 1.02) == []


@pytest.mark.parametrize("claim", [None, "address 203.0.113.10\nstands by\n"])
def test_a_takeover_of_an_address_that_is_claimed_no_more_is_not(aged, claim):
    """Whoever got it since has ended it, and it would draw the address back for ever."""
    at, takeover, _ = aged
    held = takeover.with_name("haproxy_ha-floatip-FloatIP")
    held.unlink()
    if claim:
        held.write_text(claim)
    assert at(0.12, 0.32, 1.02) == []


def test_one_that_ends_at_that_moment_is_taken_back(aged):
    at, takeover, _ = aged
    assert at(0.12) == ["--update=2"]
    takeover.unlink()
    assert at(0.22, 0.32) == ["--delete"]


def test_systemd_hears_every_two_seconds_that_both_halves_go_on(agents, tmp_path, monkeypatch):
    watch = agents("watch")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        beat = watch.Beat()

        def told(begin, end):
            for step in range(round((end - begin) / STEP)):
                beat.goes_on(begin + step * STEP)
            found = 0
            with contextlib.suppress(BlockingIOError):
                while heard.recv(100) == b"WATCHDOG=1":
                    found += 1
            return found

        beat.kept = 100.0
        assert told(100.0, 110.1) in (5, 6)
        assert told(140.0, 150.0) == 0  # HAProxy is not looked at any more
