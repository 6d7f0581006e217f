"""The rules of DigitalOcean's API: what is asked, what is retried, and when it is given up."""

import subprocess
import sys

import pytest

from haproxy_ha_lib.agents import SHARED, shared_module
from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.calls import Call, Reply
from haproxy_ha_lib.digitalocean import reserved
from support import REPOSITORY
from support.imports import imported
from support.scripted_api import ADDRESS, HIDDEN, HTML, ME, OTHER, PENDING, READ, RESET, Script, error, reply, shows


@pytest.mark.parametrize("path", SHARED)
def test_what_the_agents_share_needs_the_standard_library_and_itself_alone(path):
    """It is installed beside them, on machines that have no Salt."""
    shared = {shared_module(path) for path in SHARED}
    modules = {name for name in imported(REPOSITORY / path) if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in modules if name not in shared and name.rpartition(".")[0] not in shared} == set()


def test_what_the_agents_share_starts_without_what_is_slow():
    """typing alone takes 5 ms of CPU, and a monitor has 60."""
    imports = "".join(f"import {shared_module(path)}\n" for path in SHARED)
    program = f"import sys\nsys.path.insert(0, {str(REPOSITORY / '_utils')!r})\n{imports}print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-IS", "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"dataclasses", "inspect", "typing"} & set(loaded.split())


# Reading


def test_read_reserved_ip():
    script = Script(shows(OTHER, locked=True))
    assert script.run(reserved.read(ADDRESS, ME)) == reserved.ReservedIP(ADDRESS, OTHER, True, True, "nyc3")
    assert script.calls == [Call("GET", READ)]


def test_old_spelling():
    script = Script(reply({"floating_ip": {"ip": ADDRESS, "droplet": {"id": ME}}}))
    assert script.run(reserved.read(ADDRESS, spelling="floating_ips")).droplet_id == ME
    assert script.calls[0].path == f"/v2/floating_ips/{ADDRESS}"


@pytest.mark.parametrize(
    ("replies", "visible", "asked"),
    [
        ([shows(None), reply({"droplet": {"id": ME}})], True, 2),  # a token that sees droplets: nobody owns it
        ([shows(None), error(403, "forbidden")], False, 2),  # null, and droplets are not to be seen
        ([HIDDEN], False, 1),  # the droplet left out
    ],
)
def test_nobody_is_told_from_an_owner_out_of_sight(replies, visible, asked):
    script = Script(*replies)
    found = script.run(reserved.read(ADDRESS, ME))
    assert (found.droplet_id, found.visible, len(script.calls)) == (None, visible, asked)


@pytest.mark.parametrize(
    "bad", [error(500), HTML, RESET, Reply(200, {}, b'{"reserved'), Reply(200, {}, b"[]"), Reply(200, {}, b"")]
)
def test_read_is_repeated_after_what_passes(bad):
    script = Script(bad, bad, shows(ME))
    assert script.run(reserved.read(ADDRESS)).droplet_id == ME
    assert len(script.waits) == 2
    assert script.waits[1] > script.waits[0] / 2


def test_one_try_is_one_call():
    script = Script(RESET)
    with pytest.raises(calls.Unavailable, match="connection reset by peer"):
        script.run(reserved.read(ADDRESS, tries=1))
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    ("answer", "exception"),
    [
        (error(401, "unauthorized", "Unable to authenticate you"), calls.TokenRefused),
        (error(403, "forbidden"), calls.TokenRefused),
        (error(404, "not_found"), calls.NotFound),
        (error(400, "bad_request"), calls.Refused),
        (reply(None, 301), calls.Refused),
    ],
)
def test_what_no_retry_mends_is_told_at_once(answer, exception):
    for steps in (reserved.read(ADDRESS), reserved.assign(ADDRESS, ME)):
        script = Script(answer)
        with pytest.raises(exception):
            script.run(steps)
        assert (len(script.calls), script.waits) == (1, [])


def test_an_unreadable_body_names_what_is_missing():
    with pytest.raises(calls.Unavailable, match="holds no reserved_ip"):
        Script(reply({"other": 1})).run(reserved.read(ADDRESS))


# Time


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (error(429, "too_many_requests", retry_after="7"), 7.0),
        (error(503, retry_after="3"), 3.0),
        (error(429, "too_many_requests", ratelimit_reset="4600"), None),
        (error(429, "too_many_requests", retry_after="soon"), None),
    ],
)
def test_the_api_s_own_hint_is_followed(answer, waits):
    script = Script(answer, shows(ME))
    script.run(reserved.read(ADDRESS))
    if waits:
        assert script.waits == [waits]
    else:
        assert 0 < script.waits[0] <= calls.FIRST_RETRY


def test_a_hint_beyond_the_deadline_gives_up_at_once_and_says_what_was_waited_for():
    script = Script(error(429, "too_many_requests", "API Rate limit exceeded.", retry_after="61"))
    with pytest.raises(calls.Unavailable, match="API Rate limit exceeded"):
        script.run(reserved.read(ADDRESS), timeout=60)
    assert script.waits == []


@pytest.mark.parametrize("answer", [RESET, HTML, error(500), PENDING])
def test_every_wait_ends_before_the_deadline(answer):
    script = Script(shows(OTHER), answer) if answer is PENDING else Script(answer)
    with pytest.raises(calls.APIError):
        script.run(reserved.assign(ADDRESS, ME), timeout=20)
    assert script.now < 120
    assert len(script.calls) < 30


def test_one_silent_connection_leaves_time_for_another():
    script = Script(RESET, shows(ME))
    script.run(reserved.read(ADDRESS), timeout=20)
    assert script.timeouts[0] < 20 / 2
    long = Script(shows(ME))
    long.run(reserved.read(ADDRESS), timeout=600)
    assert long.timeouts == [10.0]


def test_back_off_doubles_is_bounded_and_never_runs_in_step():
    assert [calls.backoff(number, 1.0) for number in range(1, 7)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert calls.backoff(1000, 0.0) == calls.LONGEST_RETRY / 2
    assert calls.backoff(3, 0.0) < calls.backoff(3, 0.5) < calls.backoff(3, 1.0)
