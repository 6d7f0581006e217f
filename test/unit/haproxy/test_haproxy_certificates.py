"""What HAProxy says of its certificates, as data and as sentences."""

import pytest

from haproxy_ha_lib.haproxy import certificates
from haproxy_ha_lib.haproxy.certificates import Certificate

NOW = 1_795_990_400.0  # 2026-11-29 22:13:20 UTC
DAY = 86_400
SAID = """\
Filename: /etc/haproxy/certificates/www.pem
Status: {status}
notBefore: Nov  1 00:00:00 2026 GMT
notAfter: {ends}
Subject: /CN=www.example.com
"""


def test_names_are_those_in_use():
    text = "# transaction\n*/etc/new.pem\n\n# filename\n/etc/a b.pem\n/etc/new.pem\n\n"
    assert certificates.names(text) == ["/etc/a b.pem", "/etc/new.pem"]
    assert certificates.names("Unknown command: 'show ssl cert'\n") == []


def test_a_name_is_one_word_to_haproxy():
    assert certificates.question("/a b;c\\d") == "show ssl cert /a\\ b\\;c\\\\d"


@pytest.mark.parametrize(
    ("status", "ends", "read"),
    [
        ("Used", "Nov 30 22:13:20 2026 GMT", NOW + DAY),
        ("Used", "Nov 30 22:13:20.5 2026 GMT", NOW + DAY),
        ("Unused", "Nov 30 22:13:20 2026 GMT", None),
        ("Used", "Bad time value", None),
    ],
)
def test_a_time_is_read_in_any_language(status, ends, read):
    found = certificates.read(SAID.format(status=status, ends=ends))
    assert (found and found.ends) == read
    assert found is None or found.name == "/etc/haproxy/certificates/www.pem"


def test_an_answer_without_a_certificate_is_none():
    assert certificates.read("Can't display the certificate: Not found or the certificate is a bundle!\n") is None
    assert certificates.read("Filename: u.pem\nStatus: Empty\n") is None


@pytest.mark.parametrize(
    ("begins", "ends", "invalid", "ending"),
    [
        (-1, 30.01, [], []),
        (-1, 29.9, [], ["the certificate a ends on 2026-12-29 19:49 UTC, in 29 days"]),
        (-1, 1.5, [], ["the certificate a ends on 2026-12-01 10:13 UTC, in 1 day"]),
        (-1, 0.1, [], ["the certificate a ends on 2026-11-30 00:37 UTC, in less than a day"]),
        (-9, 0, ["a ended on 2026-11-29 22:13 UTC, less than a day ago"], []),
        (-9, -3, ["a ended on 2026-11-26 22:13 UTC, 3 days ago"], []),
        (1, 99, ["a begins on 2026-11-30 22:13 UTC"], []),
    ],
)
def test_what_is_said_of_one(begins, ends, invalid, ending):
    found = [Certificate("a", NOW + begins * DAY, NOW + ends * DAY)]
    assert (certificates.invalid(found, NOW), certificates.ending(found, NOW)) == (invalid, ending)
