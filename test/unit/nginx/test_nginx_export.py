"""Exported files of nginx, rendered again, have the same lines."""

import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from haproxy_ha_lib.nginx import export
from saltext.pacemaker.cib.hidden import MARKER
from support import exported_nginx as exported
from support.pillars import build, rendered, valid


@pytest.mark.parametrize("name", exported.CONFIGURATIONS)
def test_what_people_have_keeps_its_lines(name):
    text = exported.text_of(name)
    assert exported.lines(exported.again(text)) == exported.lines(text)


WORDS = st.sampled_from([
    "listen", "10.132.20.236:80", "203.0.113.31", "[fd00::1]:80", "server", "{", "}", ";", "#", "'", '"', "\\", "$x",
    "${x}", "{{ x }}", "{% x %}", "{# x", "é", "  ", "\t", "-- lua", "a#b", "10.132.20.2360", "listen-on",
])  # fmt: skip
LINES = st.lists(WORDS, max_size=6).map(" ".join)


@examples(max_examples=100, deadline=None)
@given(st.lists(LINES, max_size=8).map("\n".join))
@example("")
@example("\n\n")
@example("server { listen 10.132.20.236; }\n# listen 10.132.20.236:80, or listen private:80\n")
def test_whatever_stands_in_it_keeps_its_lines(text):
    assert exported.lines(exported.again(text)) == exported.lines(text)


def test_the_machines_own_address_is_that_of_each_app_server():
    nginx = exported.pillar({"sites-available/shop": "server {\n  listen 10.132.20.236:80 backlog=9;\n}\n"})
    assert nginx["files"] == {"sites-available/shop": ["server {", "  listen private:80 backlog=9;", "}"]}
    other = exported.entries(nginx, "app-2")["sites-available/shop"]
    assert "  listen 10.132.20.237:80 backlog=9;\n" in rendered(other)


def test_nothing_of_the_formulas_own_comes_with_it():
    nginx = exported.pillar({"conf.d/a.conf": "gzip on;\n"}, {"sites-enabled/b": "../sites-available/b"})
    there = {path: entry for path, entry in exported.entries(nginx).items() if entry}
    assert sorted(there) == ["conf.d/a.conf", "sites-enabled/b"]
    assert there["sites-enabled/b"].link == "../sites-available/b"
    assert there["conf.d/a.conf"].mode == "0640"
    assert not valid({"nginx": nginx}, "app-1").nginx["page"]["enabled"]


def test_a_secret_is_a_marker_that_a_run_refuses():
    files = {"sites-available/x": exported.text_of("secrets")}
    hidden = exported.pillar(files, with_secrets=False)
    shown = "\n".join(hidden["files"]["sites-available/x"])
    words = ("0ldw0rdW0rd", "cmVhZGVyOnczbGxLbm93bg", "k3y-0f-the-shop", "t0ken0fTheHook", "wh0isThere99", "h1dd3nWord")
    assert [word for word in words if word in shown] == []
    assert [word for word in words if word not in str(exported.pillar(files))] == []
    assert shown.count(MARKER) == len(words)
    errors = build({"nginx": hidden}, "app-1").errors
    assert len(errors) == len(words)
    assert errors[0].startswith("haproxy_ha:nginx:files:sites-available/x:3: found what an export has")
    assert any("secrets=True" in note for note in export.notes(hidden))


@pytest.mark.parametrize(("path", "text", "found"), [
    ("conf.d/x.conf", "gzip on;\ngzip \x1b;\n", r"conf.d/x.conf, line 2: allowed: one line of text"),
    ("conf.d/x.conf", "root /\udce9;\n", r"conf.d/x.conf, line 1: allowed: one line of text"),
    ("conf.d/x.conf", "\nlisten public:80;\n", r"line 2: `listen public` would become an address"),
    ("conf.d/x.conf", "# Managed by Salt (haproxy_ha).\n", r"conf.d/x.conf is the formula's own"),
    ("conf.d/haproxy_ha.conf", "gzip on;\n", r"allowed: a file that the formula does not write itself"),
    ("conf.d/a b.conf", "gzip on;\n", r"conf.d/a b.conf: allowed: a path below nginx's directory"),
])  # fmt: skip
def test_what_cannot_be_carried_is_said(path, text, found):
    with pytest.raises(export.Unreadable, match=found):
        exported.pillar({path: text})


@pytest.mark.parametrize(("name", "place"), [
    ("whole", "nginx.conf"), ("websocket", "conf.d/x.conf"), ("lua", "conf.d/x.conf"), ("quoted", "conf.d/x.conf"),
])  # fmt: skip
def test_where_a_file_from_elsewhere_belongs(name, place):
    assert export.place("x.conf", exported.text_of(name)) == export.place("x", exported.text_of(name)) == place
