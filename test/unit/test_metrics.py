"""What an overview knows as text for Prometheus, by the rules of its formats."""

from haproxy_ha_lib import metrics

WELL = {"time": 1_780_000_000.4, "notes": [], "certificate_ends": {}}


def samples(**found):
    return [line for line in metrics.lay_out({**WELL, **found}).splitlines() if not line.startswith("#")]


def test_of_who_is_well_it_is_said_that_nothing_is_to_be_looked_at():
    assert samples() == ["haproxy_ha_asked_timestamp_seconds 1780000000", "haproxy_ha_notes 0"]


def test_each_metric_has_its_help_and_its_kind_before_its_samples():
    lines = metrics.lay_out({**WELL, "notes": ["ill"]}).splitlines()
    at = lines.index('haproxy_ha_note{note="ill"} 1')
    assert lines[at - 2 : at] == [
        "# HELP haproxy_ha_note Something to look at, and what to do.", "# TYPE haproxy_ha_note gauge"]  # fmt: skip


def test_what_is_to_be_looked_at_is_a_sample_each_once():
    """Prometheus refuses all of a text with one sample twice."""
    told = samples(notes=["b is offline", "b is offline", 'a "quote", a \\ and\na line'])
    assert told[1:] == ["haproxy_ha_notes 2", 'haproxy_ha_note{note="b is offline"} 1',
                        r'haproxy_ha_note{note="a \"quote\", a \\ and\na line"} 1']  # fmt: skip


def test_what_is_over_and_only_remembered_is_nothing_to_look_at():
    over = "1 failure is over and only remembered, the latest: start of haproxy on b"
    assert samples(notes=[over])[1:] == ["haproxy_ha_notes 0"]


def test_each_certificate_says_until_when_it_counts():
    ends = {"/etc/haproxy/certificates/www.pem": 1_800_000_000.0}
    assert samples(certificate_ends=ends)[2:] == [
        'haproxy_ha_certificate_end_timestamp_seconds{certificate="/etc/haproxy/certificates/www.pem"} 1800000000'
    ]
