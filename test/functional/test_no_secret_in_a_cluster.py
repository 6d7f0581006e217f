"""No secret of the formula is in a live cluster of two nodes that is made of a pillar with canaries."""

import bz2
import contextlib
import functools
import json
import re
import sys
from pathlib import Path

import pytest

from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.settings import build
from support import REPOSITORY, canaries, two_nodes
from support.pillars import DEFAULTS
from support.place import in_container

pytestmark = pytest.mark.skipif(not in_container(), reason="starts daemons: only in the lab's image")

CALL = (sys.executable, str(REPOSITORY / "test/support/engine_calls.py"))
AGENT = """#!/bin/sh
case "$1" in
    monitor) exit 7 ;;
    meta-data)
        echo '<resource-agent name="any" version="1"><version>1.0</version><parameters>'
        for name in PARAMETERS; do echo "<parameter name=\\"$name\\"><content type=\\"string\\"/></parameter>"; done
        echo '</parameters><actions>'
        for name in start stop monitor meta-data; do echo "<action name=\\"$name\\" timeout=\\"20s\\"/>"; done
        echo '</actions></resource-agent>'
        ;;
esac
"""
"""In the place of every agent: it takes whatever is given, and never runs."""


def install(parameters):
    path = Path("/usr/lib/ocf/resource.d/canary/any")
    path.parent.mkdir(exist_ok=True)
    path.write_text(AGENT.replace("PARAMETERS", " ".join(parameters)), encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def nodes():
    nodes = two_nodes.start()
    yield nodes
    two_nodes.stop(nodes)


# Where Pacemaker, Corosync and libqb keep what they know: the CIB, the scheduler's inputs, logs, rings of messages.
KEPT = ("/var/lib/pacemaker", "/var/lib/corosync", "/var/log", "/run", "/dev/shm")


def kept(node):
    """{path: text} of every file that the daemons of a node have."""
    root, texts = Path(f"/proc/{node.pid}/root"), {}
    for path in (path for top in KEPT for path in Path(f"{root}{top}").rglob("*") if path.is_file()):
        with contextlib.suppress(FileNotFoundError):  # one of the moment
            text = path.read_bytes()
            text = bz2.decompress(text) if path.suffix == ".bz2" else text
            texts[str(path).removeprefix(str(root))] = text.decode("utf-8", "replace")
    return texts


def configuration_with_canaries(directory):
    """Of a pillar with canaries: those in words for Pacemaker, those in the rest, and what the formula commits."""
    made = canaries.pillar(directory, "P")
    settings = build.settings(made.tree, "primary", DEFAULTS)
    assert settings.errors == []
    desired = json.dumps(settings.cluster.configuration).replace('"primary"', '"n1"')
    desired = json.loads(re.sub(r'"agent": "[^"]+"', '"agent": "ocf:canary:any"', desired))
    words = {f"cluster:{section}" for section in schema.CONFIGURATION_SECTIONS} | {"floating_ip:params"}
    steps = {text: re.sub(r"^floating_ips:[^:]+", "floating_ip", key).split(":") for text, key in made.planted.items()}
    told = {text: key for text, key in made.planted.items() if ":".join(steps[text][:2]) in words}
    return told, {text: key for text, key in made.planted.items() if text not in told}, desired


def test_no_secret_of_the_formula_is_in_a_cluster(nodes, tmp_path):
    """
    Not in its CIB, the inputs of its scheduler and its logs. What people tell Pacemaker, the parameters of their
    agents and the like, is there by its nature: for root and haclient alone.
    """
    told, own, desired = configuration_with_canaries(tmp_path)
    given = {name for one in desired["primitives"].values() for name in one.get("params", {})}
    install(given)
    calls = [["apply", {"desired": desired}], ["settle", {"timeout": 10}]]
    applied, _ = json.loads(nodes["n1"].run(*CALL, input=json.dumps(calls)).stdout)
    assert applied.get("changes"), applied
    cib = nodes["n1"].run("cibadmin", "--query").stdout
    assert canaries.found(told, cib) == sorted(set(told.values()))
    written = functools.partial(nodes["n1"].run, "cat", two_nodes.CIB)
    two_nodes.wait_for("the CIB to be on disk", lambda: canaries.found(told, written().stdout))
    inputs = ""
    assert {"floating_ip:api_token", "cluster:authkey", "haproxy:stats:password"} <= set(own.values())
    for node in nodes.values():
        texts = kept(node)
        assert canaries.found_in(own, {**texts, "the CIB": cib}) == {}
        inputs += "".join(text for path, text in texts.items() if path.startswith("/var/lib/pacemaker/pengine/"))
        roots = [f"/proc/{node.pid}/root{top}" for top in KEPT]
        others = {str(path): text for path, text in canaries.readable_by_others(*roots)}
        assert canaries.found_in({**told, **own}, others) == {}
    assert canaries.found(told, inputs)
