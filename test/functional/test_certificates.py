"""Until when certificates count, as a real HAProxy says of all that it uses; tried with each way to name one."""

from dataclasses import replace

import pytest

from haproxy_ha_host import net, probes
from support.balancer import Balancer
from support.certificates import Authority
from support.pillars import valid
from support.place import requires_tools
from support.service import free_port

pytestmark = requires_tools("haproxy", "openssl")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def balancer(machine, request):
    made = Balancer(machine, [], master=getattr(request, "param", ""))
    yield made
    made.end()


def found(balancer, *binds, server=""):
    """What verification says of the certificates of a HAProxy with these binds: (failed, passed, notes)."""
    lines = [f"    bind 127.0.0.1:{free_port()} ssl {bind}" for bind in binds]
    servers = [f"    server tls 127.0.0.1:1 ssl verify none crt {server}"] if server else []
    balancer.take(servers, "\n".join(["", "frontend tls", *lines, "    default_backend app", ""]))
    return said(balancer)


def said(balancer):
    settings = valid()
    own = replace(settings, paths={**settings.paths, "haproxy_cfg": str(balancer.cfg)})
    made, notes = probes.certificates(own)
    return [one["found"] for one in made if not one["result"]], [one["found"] for one in made if one["result"]], notes


@pytest.mark.parametrize("balancer", ["", None], indirect=True, ids=["master's socket", "stats socket"])
def test_whatever_names_it_each_that_ends_soon_is_told(balancer, authority, tmp_path):
    """By a file, a directory, a list, of another kind of key; names that HAProxy's command line would split."""
    directory, listing = tmp_path / "all of them", tmp_path / "list"
    directory.mkdir()
    for at, name in enumerate(("one", "b c.example.com", "d;e.example.com"), 2):
        (directory / f"{name}.pem").write_text(authority.issue(f"x{at}", days=at + 0.5).read_text())
    listing.write_text(f"{authority.issue('listed', days=20.5)} [alpn h2] listed.example.com\n")
    file, server = authority.issue("file", days=10.5), authority.issue("server", days=29.5)
    quoted = str(directory).replace(" ", "\\ ")
    failed, passed, notes = found(balancer, f"crt {file} crt {quoted}", f"crt-list {listing}", server=server)
    assert (failed, passed) == ([], ["all of 6"])
    assert [note.split(" UTC, ")[1] for note in notes[:-1]] == [f"in {days} days" for days in (2, 3, 4, 10, 20)]
    assert notes[0].startswith(f"the certificate {directory}/one.pem ends on 20")
    assert notes[-1] == "... and 1 more"


def test_one_that_counts_for_long_is_only_counted(balancer, authority):
    assert found(balancer, f"crt {authority.issue('long', days=31)}") == ([], ["all of 1"], [])


def test_one_that_no_longer_or_not_yet_counts_is_a_failure(balancer, authority):
    ended, later, well = (
        authority.issue(name, days, since) for name, days, since in
        (("ended", -2.5, -9), ("later", 90, 0.5), ("well", 90, -1))
    )  # fmt: skip
    [failed], passed, notes = found(balancer, f"crt {ended} crt {later} crt {well}")
    first, second = failed.split("; ")
    assert first.startswith(f"{ended} ended on 20") and first.endswith(" UTC, 2 days ago")
    assert second.startswith(f"{later} begins on 20")
    assert (passed, notes) == ([], [])


def test_what_nothing_uses_harms_nobody(balancer, authority):
    """As while somebody puts a certificate into the running HAProxy."""
    ended, well = authority.issue("ended", -1, -2), authority.issue("well", 90)
    found(balancer, f"crt {well}")
    net.ask(balancer.socket, f"new ssl cert {ended}")
    assert "Transaction created" in net.ask(balancer.socket, f"set ssl cert {ended} <<\n{ended.read_text()}\n")
    assert said(balancer) == ([], ["all of 1"], [])
    assert "Success" in net.ask(balancer.socket, f"commit ssl cert {ended}")
    assert said(balancer) == ([], ["all of 1"], [])


def test_without_tls_there_is_nothing_to_say(balancer):
    assert said(balancer) == ([], [], [])


def test_a_socket_that_does_not_allow_to_ask_is_told(machine):
    made = Balancer(machine, [], stats="{socket} level user", master=None)
    try:
        assert said(made) == ([], [], ["until when certificates count, HAProxy does not say: its stats socket is of "
                                       "level user"])  # fmt: skip
    finally:
        made.end()
