"""Whatever the API and the metadata service answer, preflight and verify say clear texts, and end."""

import importlib.util
import itertools
from types import SimpleNamespace

import pytest
from hypothesis import strategies as st

from haproxy_ha_host import commands, preflight, provider, verification
from haproxy_ha_lib.cloud.calls import Reply
from support import REPOSITORY
from support.neighbours import ANYTHING, BODIES, DOCUMENTS, METADATA, REPLIES, holds, spoilt, spoken
from support.pillars import changed
from support.told import minion

EXAMPLES = [60, pytest.param(10_000, marks=pytest.mark.slow)]
PILLAR = changed({"cluster:fencing": {"enabled": True}, "floating_ip:ca_file": __file__})
FUNCTIONS = ("metadata", "obstacles", "reserved_ip", "droplet", "fencing")
ONE = {"active": True, "failed": False, "blocked": False, "managed": True, "target_role": None}
NODE = {"online": True, "standby": False, "remote": False}
CLUSTER = {
    "dc": "primary", "quorum": True, "maintenance": False, "stopped": False, "failures": [],
    "nodes": {"primary": NODE, "secondary": NODE},
    "resources": {"haproxy": {**ONE, "nodes": ["primary", "secondary"], "in": ["haproxy-clone"]},
                  "FloatIP": {**ONE, "nodes": ["secondary"], "in": []}},
}  # fmt: skip
WELL = [Reply(200, {}, spoken(document)) for document in DOCUMENTS]
SERVICE = (spoilt(METADATA, 3) | ANYTHING).map(spoken).map(lambda body: Reply(200, {}, body)) | REPLIES
BODY = BODIES.map(lambda body: Reply(200, {}, body))
CLOUD = st.lists(st.sampled_from(WELL) | BODY | REPLIES, min_size=1, max_size=6)


class Neighbours:
    """The module digitalocean, for which ``service`` and ``cloud`` answer in place of the network; time flies."""

    def __init__(self, service, cloud):
        spec = importlib.util.spec_from_file_location("answered", REPOSITORY / "_modules" / "digitalocean.py")
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.module.__context__, self.module.__pillar__ = {}, {"haproxy_ha": PILLAR}
        self.module.__opts__ = {"id": "primary"}
        self.module.Connection = lambda *_: self
        self.module.time = SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep)
        self.service, self.cloud, self.now = service, itertools.chain(cloud, itertools.repeat(cloud[-1])), 100.0

    def send(self, call, timeout, token=""):
        return self.service if call.path.startswith("/metadata/") else next(self.cloud)

    def sleep(self, seconds):
        self.now += seconds

    def minion(self, context):
        """``context`` is that of another minion: what it knows of pillar is the same."""
        kept = {key: value for key, value in context.items() if key == "haproxy_ha.settings"}
        asked = {f"digitalocean.{name}": getattr(self.module, name) for name in FUNCTIONS}
        told = {"pacemaker.status": lambda: CLUSTER, "pacemaker.node_name": lambda: "primary"}
        made = minion(PILLAR, functions={**asked, **told}, context=kept)
        made.valid_settings()
        context.update(kept)
        return made


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """What neither of the two says is well."""
    monkeypatch.setattr(preflight.net, "listeners", list)
    monkeypatch.setattr(provider.files, "STATE", str(tmp_path))
    monkeypatch.setattr(commands, "run", lambda *_, **__: (0, ""))
    monkeypatch.setattr(verification.units, "running", lambda unit: True)
    for name in ("balancer_servers", "certificates"):
        monkeypatch.setattr(verification.probes, name, lambda *_: ([], []))
    monkeypatch.setattr(verification.probes, "balancer_addresses", lambda *_, **__: [])


def is_clear(text):
    return isinstance(text, str) and text.isprintable() and "Traceback" not in text and 0 < len(text) < 1500


@pytest.mark.parametrize("examples", EXAMPLES)
def test_preflight_says_whatever_is_answered(examples):
    context = {}

    def law(service, cloud):
        asking = Neighbours(service, cloud).minion(context)
        assert all(map(is_clear, [*preflight.find_problems(asking, []), *preflight.find_notes(asking)]))

    holds(law, examples, SERVICE, CLOUD)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_verify_says_whatever_is_answered(examples):
    context = {}

    def law(service, cloud):
        outcome = verification.verify(Neighbours(service, cloud).minion(context), 0)
        assert all(map(is_clear, [*outcome["passed"], *outcome["failed"], *outcome["notes"]]))
        assert outcome["result"] is not bool(outcome["failed"])
        assert any("floating IP" in text for text in (*outcome["passed"], *outcome["failed"]))

    holds(law, examples, SERVICE, CLOUD)
