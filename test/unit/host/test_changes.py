"""What runs have changed of this machine, as it is remembered."""

import os
import stat

import pytest

from haproxy_ha_host import changes, files


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_without_a_memory_nothing_is_known():
    assert changes.last() is None


def test_a_run_is_what_one_process_changes():
    changes.remember("files:haproxy", {"/b": {}, "/a": {}})
    changes.remember("agents", {"/c": {}})
    changes.remember("files:haproxy", {"/d": {}})
    assert changes.last()["parts"] == {"files:haproxy": ["/a", "/b", "/d"], "agents": ["/c"]}


@pytest.mark.parametrize("later", ["another process", "much later"])
def test_another_run_is_another_entry(monkeypatch, later):
    changes.remember("agents", {"/c": {}})
    if later == "another process":
        monkeypatch.setattr(os, "getpid", lambda: 1)
    else:
        now = changes.time.time()
        monkeypatch.setattr(changes.time, "time", lambda: now + 1801)
    changes.remember("page", {"/p": {}})
    assert changes.last()["parts"] == {"page": ["/p"]}


def test_what_changes_nothing_leaves_no_trace(state):
    changes.remember("agents", {})
    assert not state.exists()


def test_the_memory_is_for_root_alone_and_has_an_end(state, monkeypatch):
    for number in range(30):
        monkeypatch.setattr(os, "getpid", lambda number=number: number)
        changes.remember(str(number), {"x": {}})
    assert stat.S_IMODE(os.stat(changes.path()).st_mode) == 0o600
    assert (state / "changes.json").read_text().count('"process"') == 20


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", "[1]", '[{"time": "x"}]'])
def test_a_memory_that_is_spoilt_is_begun_anew(state, text):
    state.mkdir()
    (state / "changes.json").write_text(text)
    assert changes.last() is None
    changes.remember("page", {"/p": {}})
    assert changes.last()["parts"] == {"page": ["/p"]}


def test_a_disk_that_takes_nothing_is_no_failure(state):
    state.write_text("no directory")
    changes.remember("page", {"/p": {}})
    assert changes.last() is None
