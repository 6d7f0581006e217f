"""An exported haproxy.cfg, rendered again, has the same sections and lines in the same order."""

import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from haproxy_ha_lib.haproxy import export
from haproxy_ha_lib.haproxy.sections import WORDS
from haproxy_ha_lib.settings.types import Machine
from saltext.pacemaker.cib.hidden import MARKER
from support import exported
from support.pillars import DEFAULTS, build

SITE = """\
# The shop
global
	maxconn 10
defaults
  mode http
frontend shop # public
  # both
  bind 10.17.1.18:80   name a
  bind 203.0.113.21:443 ssl crt /x.pem # TLS
  bind :81
  http-request deny if { path "/a  b" }
  default_backend shop
# behind it
backend shop
  mode http
  server a 10.0.0.1:80\tcheck
"""


@pytest.mark.parametrize("name", exported.CONFIGURATIONS)
def test_what_people_have_keeps_its_lines(name):
    text = exported.CONFIGURATIONS[name].read_bytes().decode()
    assert exported.lines(exported.again(text)) == exported.lines(text)


NAMES = st.sampled_from(["http", "app_pool", "a", "B-1", "a:b", "_x", "haproxy_ha_tcp", "from", "#2", '"a b"', "$c"])
HEADERS = st.builds(
    lambda word, name, more: " ".join(filter(None, (word, name, more))),
    st.sampled_from(sorted(WORDS)), st.one_of(st.just(""), NAMES),
    st.one_of(st.just(""), st.builds("from {}".format, NAMES), st.sampled_from(["# why", "10.0.0.1:80", "#3"])),
)  # fmt: skip
WORDS_OF_LINES = st.sampled_from([
    "bind", "*:80", ":80", "10.17.1.18:443", "[::]:443", "ssl", "crt", "/x.pem", "verify", "required", "mode",
    "tcp", "default_backend", "http", "a", "server", "10.0.0.1:80", ".if", ".endif", "option", "maxconn", "10",
    "server-state-file", "stick-table", "use_backend", '"a  b"', "'#'", "a\\ ", "\\#", "#", "# a  b", '"$X"', "{", "}",
    "log-format", "%ci\t", "é", "|", "{{ x }}", "{% x %}",
])  # fmt: skip
BLANKS = st.sampled_from([" ", "\t", "    ", " \t "])
LINES = st.lists(st.tuples(BLANKS, WORDS_OF_LINES).map("".join), max_size=6).map("".join)
FILES = st.lists(st.one_of(HEADERS, LINES, LINES, LINES), max_size=14).map(lambda lines: "\n".join([*lines, ""]))


@examples(max_examples=60, deadline=None)
@given(FILES)
@example("defaults\n mode http\nfrontend a\n bind *:443 ssl crt /x.pem\ndefaults\n mode tcp\nlisten b\n bind *:80\n")
@example("\n")
@example("# nothing\n")
@example("defaults haproxy_ha_tcp\n mode tcp\nlisten a from haproxy_ha_tcp\n bind *:25\n")
@example("frontend http\n bind *:80\n default_backend app_pool\n")
@example("defaults a\nbackend x from a\nbackend x\nbackend y from b\nfrontend z\n default_backend y\n")
def test_whatever_stands_in_it_keeps_its_lines(text):
    assert exported.lines(exported.again(text)) == exported.lines(text)


def test_what_fits_a_key_has_it():
    own = export.own_addresses(Machine(anchor_ip="10.17.1.18", public_ip="203.0.113.21"))
    assert exported.pillar(SITE, own) == {
        **export.NOTHING_ADDED,
        "global": ["# The shop", "maxconn 10"],
        "defaults": ["mode http"],
        "frontends": {
            "shop": {
                "as_is": True, "bind": ["anchor:80 name a", "public:443 ssl crt /x.pem"],
                "options": ["# public", "# both", "# TLS", "bind :81", 'http-request deny if { path "/a  b" }'],
                "default_backend": "shop",
            },
            "http": None,
        },
        "backends": {
            "shop": {"as_is": True, "mode": "http", "options": ["# behind it", "server a 10.0.0.1:80 check"]},
            "app_pool": None,
        },
    }


def test_the_proxies_that_are_built_in_are_those_of_the_defaults():
    assert {table: set(names) for table, names in export.BUILT_IN.items()} == {
        table: set(DEFAULTS["haproxy"][table]) for table in ("frontends", "backends")
    }  # fmt: skip


def test_its_order_is_there_only_where_it_is_another_one():
    assert "order" not in exported.pillar(SITE)
    assert exported.pillar(f"{SITE}listen x\n bind *:99\n")["order"] == [
        "global", "defaults", "frontend shop", "backend shop", "listen x",
    ]  # fmt: skip


def test_a_secret_is_a_marker_that_a_run_refuses():
    text = "userlist a\n user b password c3cr3tw0rd\nlisten c\n stats auth d:e\n"
    haproxy = exported.pillar(text, with_secrets=False)
    assert haproxy["userlists"] == {"a": [f"user b password {MARKER}"]}
    assert [error.split(": ")[0] for error in build({"haproxy": haproxy}).errors] == [
        "haproxy_ha:haproxy:listens:c:options:0", "haproxy_ha:haproxy:userlists:a:0",
    ]  # fmt: skip
    assert any("secrets=True" in note for note in export.notes(haproxy))


@pytest.mark.parametrize(("text", "found"), [
    ("global\n maxconn 10", "line 2: no line feed"),
    ("global\n x \"\x1b\"\n", "line 2: allowed: one line of text"),
    ("global\n x \udce9\n", "line 2: allowed: one line of text"),
    ("# Managed by Salt (haproxy_ha).\nglobal\n", "the formula's own"),
])  # fmt: skip
def test_what_cannot_be_carried_is_said(text, found):
    with pytest.raises(export.Unreadable, match=found):
        exported.pillar(text)


def test_a_comment_of_any_bytes_is_carried():
    assert exported.pillar("global\n # caf\udce9 \x0c\n x\x0cy\n")["global"] == ["# caf", "x y"]


def test_who_listens_where_the_formula_does_not_see_it_is_named():
    notes = export.notes(exported.pillar("listen a\n bind :80\nlisten a:b\n bind *:81\nlisten c\n bind *:82\n"))
    assert [note.partition(": ")[2] for note in notes if "firewall" in note] == ["a, listen a:b #1"]
