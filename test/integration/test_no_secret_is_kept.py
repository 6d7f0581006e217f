"""
No secret stays with a master or on its bus: runs of all kinds for two minions, with a canary in every key of pillar
that is secret or takes raw text (support/canaries.py).

Pillar itself Salt keeps for those who may read it: a minion in its memory, a master in the minions' data of its cache
(``minion_data_cache``). Nobody else can read these, which the search of what others can read holds.
"""

import contextlib
import threading
from pathlib import Path

import pytest
import salt.utils.event
import yaml

from haproxy_ha_host.waiting import wait_for
from support import canaries
from support.place import in_container

# One job has several functions, each with its arguments: a job costs more than what these do.
TOLD = {
    "haproxy_ha.settings": (), "haproxy_ha.status": (), "haproxy_ha.verify": (), "haproxy_ha.preflight": (),
    "haproxy_ha.export_corosync": (), "pacemaker.export": (), "pacemaker.plan": ("desired={}",),
    "haproxy_ha.remains": ("memory",), "state.apply": ("haproxy_ha", "test=True"),
}  # fmt: skip
PLANNED = {
    "haproxy_ha.daemon_files": ("nginx",), "haproxy_ha.plan": ("files:haproxy",),
    "state.apply": ("haproxy_ha", "test=True"),
}  # fmt: skip


class Watched:
    """A master with the minions app-1 (an app server) and secondary (a load balancer), and the events of its bus."""

    def __init__(self, master, minions):
        self.master, self.daemons = master, (master, *minions)
        self.said, self.events = [], []
        self._listens, self._over = threading.Event(), threading.Event()

    def pillar(self, tree):
        self.master.pillar_file.write_text(yaml.safe_dump({"haproxy_ha": tree}), encoding="utf-8")

    def run(self, functions):
        """Functions with their arguments, one after the other in one job; what each minion returned of each."""
        arguments = [word for words in functions.values() for word in (*words, ",")]
        done = self.master.salt_cli(timeout=180).run(",".join(functions), *arguments[:-1], minion_tgt="*")
        self.said.append(done.stdout + done.stderr)
        assert set(done.data) == {"app-1", "secondary"}, done
        return done.data

    @contextlib.contextmanager
    def listening(self):
        listener = threading.Thread(target=self._listen)
        listener.start()
        try:
            assert self._listens.wait(60)
            yield
        finally:
            self._over.set()
            listener.join()

    def _listen(self):
        with salt.utils.event.get_event("master", opts=self.master.config, listen=True) as bus:
            assert bus.connect_pub(timeout=30)
            self._listens.set()
            while not self._over.is_set():
                self.events.append(repr(bus.get_event(wait=0.5, full=True, auto_reconnect=True)))

    def leaks(self, planted):
        """Where canaries are that nobody should see: {place: keys}."""
        places = {f"what job {number} said": text for number, text in enumerate(self.said)}
        places |= {"the bus": "\n".join(self.events)}
        kept = [Path(self.master.config["cachedir"], "jobs").rglob("*")]
        kept += [Path(daemon.config["log_file"]).parent.rglob("*") for daemon in self.daemons]
        places |= {str(path): path.read_text("utf-8", "replace") for paths in kept for path in paths if path.is_file()}
        for daemon in self.daemons:
            places |= {str(path): text for path, text in canaries.readable_by_others(daemon.config["root_dir"])}
        return canaries.found_in(planted, places)


@pytest.fixture
def watched(master, minion):
    with master.salt_minion_daemon("secondary").started() as balancer:
        watched = Watched(master, (minion, balancer))
        with watched.listening():
            assert watched.run({"saltutil.sync_all": ()})
            yield watched


@pytest.mark.slow
def test_no_canary_stays_with_a_master(watched, tmp_path):
    made = canaries.pillar(tmp_path, "M")
    watched.pillar(made.tree)
    for name, returned in watched.run(TOLD).items():
        assert returned["haproxy_ha.settings"]["errors"] == [], name
        assert not in_container() or isinstance(returned["state.apply"], dict), returned["state.apply"]
    assert watched.leaks(made.planted) == {}
    _refused(watched, made)
    _seen(watched, made)


def _refused(watched, made):
    """Files that daemons refuse, and settings that are wrong."""
    haproxy, nginx = made.tree["haproxy"], made.tree["nginx"]
    watched.pillar({**made.tree, "haproxy": {**haproxy, "global": ["user x insecure-password " + made.word("x")]},
                    "nginx": {**nginx, "options": [f"proxy_set_headr X-Token {made.word('y')};"]}})  # fmt: skip
    watched.run(PLANNED)
    watched.pillar({**made.tree, "verify": made.tree["floating_ip"]["api_token"]})
    for returned in watched.run({"state.apply": ("haproxy_ha",), "haproxy_ha.roles": ()}).values():
        [state] = returned["state.apply"].values()
        assert (state["result"], state["changes"]) == (False, {})
        assert "haproxy_ha:verify: found " in state["comment"]
    assert watched.leaks(made.planted) == {}


def _seen(watched, made):
    """A canary that a minion does return is found in each place."""
    word = made.word("returned")
    watched.run({"test.arg": (word,)})
    assert wait_for(lambda: word in "\n".join(watched.events), 30)
    [places] = [set(watched.leaks({word: "returned"}))]
    cache, logs = watched.master.config["cachedir"], {str(one.config["log_file"]) for one in watched.daemons}
    assert {"the bus", *logs} <= places
    assert any(place.startswith(f"{cache}/jobs/") for place in places)
