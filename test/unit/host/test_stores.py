"""How long a store is waited for, and what people are told of one that does not answer."""

import logging
import threading
import time

import pytest

from haproxy_ha_host import stores

URL = "sdb://own/cluster:authkey"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(stores, "SECONDS", 0.2)


def silence(get, url=URL, context=None):
    with pytest.raises(stores.Silent) as caught:
        stores.ask(get, url, {} if context is None else context)
    return str(caught.value)


def raising(failure):
    def get(_):
        raise failure

    return get


@pytest.mark.parametrize("failure, said", [
    (OSError("no route to host"), f"{URL} did not answer: OSError: no route to host"),
    (KeyError("vault.get"), f"{URL} did not answer: Salt has no sdb driver 'vault.get' here"),
    (KeyError("kv"), f"{URL} did not answer: KeyError: 'kv'"),
    (ValueError("a\n  b"), f"{URL} did not answer: ValueError: a b"),
    (RuntimeError("https://me:pa55@vault:8200 403"), f"{URL} did not answer: RuntimeError: (hidden)vault:8200 403"),
    (SystemExit(1), f"{URL} did not answer: CommandExecutionError: SystemExit"),
])  # fmt: skip
def test_a_store_that_fails_is_told_in_one_line(failure, said):
    assert silence(raising(failure)) == said


def test_what_is_not_there_and_a_profile_that_salt_does_not_know():
    assert silence(lambda _: None) == f"{URL} has nothing"
    assert silence(lambda url: url) == f"{URL}: this minion has no sdb profile own with a driver"


def test_a_store_that_says_nothing_is_waited_for_once(impatient):
    released, asked, context = threading.Event(), [], {}

    def get(url):
        asked.append(url)
        released.wait(20)

    try:
        began = time.monotonic()
        assert silence(get, context=context) == f"{URL} did not answer within 0.2 s"
        assert silence(get, "sdb://own/other", context).endswith("because its store has just not answered")
        assert time.monotonic() - began < 5
        assert asked == [URL]
        assert stores.ask(lambda _: "x", "sdb://another/other", context) == "x"
    finally:
        released.set()


def test_what_a_store_says_is_text_and_in_no_log(caplog):
    with caplog.at_level(logging.NOTSET):
        assert stores.ask(lambda _: b"hunter2", URL, {}) == "hunter2"
        assert stores.ask(lambda _: {"a": 1}, URL, {}) == {"a": 1}
    assert "hunter2" not in caplog.text
