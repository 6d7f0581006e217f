"""HAProxy's command line: as systemd makes it of a unit, and which files it names."""

import pytest

from haproxy_ha_lib.haproxy import command

DEBIAN = (
    "{ path=/usr/sbin/haproxy ; argv[]=/usr/sbin/haproxy -Ws -f $CONFIG -p $PIDFILE $EXTRAOPTS ; ignore_errors=no ; "
    "start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }"
)
USUAL = 'CONFIG=/etc/haproxy/haproxy.cfg PIDFILE=/run/haproxy.pid "EXTRAOPTS=-S /run/haproxy-master.sock"'


@pytest.mark.parametrize("own, read", [
    ("", ["/etc/haproxy/haproxy.cfg"]),
    ('CONFIG="/srv/haproxy/haproxy.cfg"\n', ["/srv/haproxy/haproxy.cfg"]),
    ("# CONFIG=/srv/haproxy.cfg\n", ["/etc/haproxy/haproxy.cfg"]),
    ("CONFIG='unclosed\nEXTRAOPTS='-f /etc/haproxy/conf.d'", ["/etc/haproxy/haproxy.cfg", "/etc/haproxy/conf.d"]),
    ('EXTRAOPTS="-f conf.d -- /srv/a.cfg"', ["/etc/haproxy/haproxy.cfg", "/conf.d", "/srv/a.cfg"]),
])
def test_a_service_reads_what_its_variables_say(own, read):
    known = {**command.variables(USUAL), **command.variables(own)}
    assert command.read(command.words_of(DEBIAN, known), "/") == read


def test_a_variable_in_braces_is_a_part_of_a_word():
    shown = "{ path=/h ; argv[]=/h -f ${DIR}/haproxy.cfg $NONE ; ignore_errors=no ; }"
    assert command.words_of(shown, {"DIR": "/a b"}) == ["/h", "-f", "/a b/haproxy.cfg"]


@pytest.mark.parametrize("words, read", [
    ("-f haproxy.cfg", ["/srv/haproxy.cfg"]),
    ("-C /etc/haproxy -f haproxy.cfg -f /a.cfg", ["/etc/haproxy/haproxy.cfg", "/a.cfg"]),
    ("-C conf -f haproxy.cfg", ["/srv/conf/haproxy.cfg"]),
])
def test_a_relative_path_is_one_of_the_directory_that_haproxy_is_in(words, read):
    assert command.read(words.split(), "/srv") == read


def test_a_unit_that_starts_nothing_has_no_words():
    assert command.words_of("", {}) == []


@pytest.mark.parametrize("path, file, taken", [
    ("/etc/haproxy/haproxy.cfg", "/etc/haproxy/haproxy.cfg", True),
    ("/etc/haproxy", "/etc/haproxy/haproxy.cfg", True),
    ("/etc/haproxy", "/etc/haproxy/haproxy.conf", False),
    ("/etc/haproxy", "/etc/haproxy/.haproxy.cfg", False),
    ("/etc", "/etc/haproxy/haproxy.cfg", False),
    ("/srv/haproxy.cfg", "/etc/haproxy/haproxy.cfg", False),
])
def test_of_a_directory_haproxy_takes_what_ends_with_cfg(path, file, taken):
    assert command.takes(path, file) is taken
