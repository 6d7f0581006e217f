"""The measurements themselves, in a container with a cluster of one node. Figures and samples go to standard output."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

from _modules import pacemaker
from bench import cluster, configurations
from saltext.pacemaker.live import machine

HOME = Path("/tmp/bench")
REPOSITORY = Path(__file__).resolve().parents[2]
RESOURCES = 100
SIZES = (10, 100, 1000, 5000)
MINION = f"""\
file_client: local
root_dir: {HOME}
file_roots: {{base: [{REPOSITORY}, {HOME}/sls]}}
log_level: error
log_level_logfile: quiet
"""


def main(samples: int) -> dict:
    del os.environ["PYTHONPATH"]  # Salt is to find the formula as it does on a minion
    HOME.mkdir()
    (HOME / "sls").mkdir()
    (HOME / "minion").write_text(MINION, encoding="utf-8")
    salt("saltutil.sync_all")
    figures, raw = {}, {}
    for name, measure in (("converged", converged), ("plan", plan), ("estate", estate)):
        figures[name], raw[name] = measure(samples)
    return {"figures": figures, "samples": raw, "versions": versions()}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(*argv: str, allowed: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode not in allowed:
        raise SystemExit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def salt(*arguments: str) -> dict:
    """What a function returns to ``salt-call``."""
    return json.loads(run("salt-call", f"--config-dir={HOME}", "--out=json", *arguments).stdout)["local"]


def seconds(function, *arguments) -> float:
    begin = time.monotonic()
    function(*arguments)
    return time.monotonic() - begin


def versions() -> dict:
    words = {
        "pacemaker": ("crm_simulate", "--version"),
        "puppet": ("puppet", "--version"),
        "crmsh": ("crm", "--version"),
    }
    return {name: run(*argv).stdout.splitlines()[0] for name, argv in words.items()} | {
        "python": sys.version.split()[0]
    }


def converged(samples: int) -> tuple[dict, dict]:
    """Nothing to do on a live cluster: ours, puppet-corosync's run, and ``crm configure show`` of each object."""
    cluster.start()
    configuration = configurations.dummies(RESOURCES)
    (HOME / "sls" / "dummies.sls").write_text(
        json.dumps({"bench": {"pacemaker.configured": [{"configuration": configuration}]}}), encoding="utf-8"
    )
    (HOME / "dummies.pp").write_text(configurations.puppet(configuration), encoding="utf-8")
    ids = [*configuration["primitives"]]

    def ours() -> dict:
        [state] = salt("state.apply", "dummies").values()
        return state

    def puppet() -> str:
        return run("puppet", "apply", "--detailed-exitcodes", str(HOME / "dummies.pp"), allowed=(0, 2)).stdout

    def shown() -> None:
        for name in ids:
            run("crm", "configure", "show", name)

    say(f"{RESOURCES} resources on a live cluster")
    first = ours()
    assert first["result"] and first["changes"], first
    puppet()  # it writes what it says differently, once
    ours()
    raw = {"ours: whole salt-call": [], "ours: the state": [], "puppet-corosync": [], "crm configure show": []}
    for _ in range(samples):
        begin = time.monotonic()
        state = ours()
        raw["ours: whole salt-call"].append(time.monotonic() - begin)
        assert state["result"] and not state["changes"], state
        raw["ours: the state"].append(state["duration"] / 1000)
        raw["puppet-corosync"].append(seconds(lambda: check_unchanged(puppet())))
    raw["crm configure show"].append(seconds(shown))
    raw["external commands"] = commands_of(configuration)
    middle = {name: statistics.median(values) for name, values in raw.items() if name != "external commands"}
    figures = {f"{name}, s": value for name, value in middle.items()}
    figures["ours / puppet-corosync"] = middle["ours: the state"] / middle["puppet-corosync"]
    figures["whole salt-call / puppet-corosync"] = middle["ours: whole salt-call"] / middle["puppet-corosync"]
    figures["ours / crm configure show, per object"] = middle["ours: the state"] / middle["crm configure show"]
    figures["external commands"] = len(raw["external commands"])
    cluster.stop()
    return figures, raw


def check_unchanged(said: str) -> None:
    assert "Cs_primitive" not in said, said


def commands_of(configuration: dict) -> list[str]:
    """The external commands of one converged run, as the module runs them."""
    watched = Watched()
    with patch.object(machine, "HERE", watched):
        done = pacemaker.apply(configuration, owner="bench")
        assert not done["changes"], done
        pacemaker.settle(done["resources"])
    return watched.commands


class Watched(machine.Machine):
    """This machine, with what its commands are and take."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.spent: list[float] = []

    def start(self, command, stdin=None):
        self.commands.append(" ".join(command))
        return super().start(command, stdin)

    def run_together(self, *given, **options):
        begin = time.monotonic()
        try:
            return super().run_together(*given, **options)
        finally:
            self.spent.append(time.monotonic() - begin)


def plan(samples: int) -> tuple[dict, dict]:
    """A plan that changes one object among many, on a saved CIB: what is ours and what is Pacemaker's; and memory."""
    watched = Watched()
    figures, raw = {}, {}
    for size in SIZES:
        say(f"a plan for {size} + {size} objects")
        path, changed = saved(size)
        raw[str(size)] = []
        for _ in range(max(1, samples if size <= 1000 else samples // 2)):
            watched.spent.clear()
            with patch.object(machine, "HERE", watched):
                total = seconds(pacemaker.plan, changed, str(path))
            spent = sum(watched.spent)
            raw[str(size)].append({"total": total, "pacemaker": spent, "ours": total - spent})
        for part in ("ours", "pacemaker"):
            figures[f"{part} {size} + {size}, s"] = statistics.median(one[part] for one in raw[str(size)])
        figures[f"ours per object at {size} + {size}, ms"] = figures[f"ours {size} + {size}, s"] / (2 * size) * 1000
    figures["seconds for 1000 + 1000 objects"] = statistics.median(one["total"] for one in raw["1000"])
    path, changed = saved(1000)
    raw["kB"] = {"bare": [], "plan": []}
    for _ in range(samples):
        raw["kB"]["bare"].append(memory("test.ping"))
        raw["kB"]["plan"].append(memory("pacemaker.plan", changed, str(path)))
    bare, planned = (statistics.median(raw["kB"][name]) for name in ("bare", "plan"))
    figures |= {"MB of bare salt-call": bare / 1024, "MB above bare salt-call": (planned - bare) / 1024}
    return figures, raw


def estate(samples: int) -> tuple[dict, dict]:
    """What a minion that is none of the formula's business pays for `salt '*' state.apply haproxy_ha`."""
    say("an empty run, and ours where pillar has nothing of it")
    # Of no state at all salt-call makes an error.
    (HOME / "sls" / "empty.sls").write_text("nothing: {test.nop: []}\n", encoding="utf-8")
    [state] = salt("state.apply", "haproxy_ha").values()
    assert state["result"] and not state["changes"], state
    raw = [{sls: spent("state.apply", sls) for sls in ("empty", "haproxy_ha")} for _ in range(8 * samples)]
    figures = {
        f"ms of {kind} more than an empty run": 1000 * statistics.median(
            one["haproxy_ha"][kind] - one["empty"][kind] for one in raw
        )
        for kind in ("CPU", "time")
    }
    return figures, {"pairs": raw}


def spent(*call: str) -> dict[str, float]:
    """Seconds of CPU and of time that a call of Salt takes."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    salt(*call)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"CPU": cpu, "time": time.monotonic() - begin}


def saved(size: int) -> tuple[Path, dict]:
    """A saved CIB of this size, and data that changes one object of it."""
    path = HOME / f"{size}.xml"
    configuration = configurations.constrained(size)
    path.write_text(configurations.EMPTY, encoding="utf-8")
    configurations.write(configuration, path)
    configuration["primitives"]["r1"]["meta"] = {"priority": 7}
    return path, configuration


# The peak is asked for inside: what wait4 tells is at least what its parent had at the fork.
CALL = """
import json, pathlib, re, sys
import salt.client
function, *arguments = json.loads(pathlib.Path(sys.argv[1]).read_text())
salt.client.Caller(sys.argv[2]).cmd(function, *arguments)
print(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""


def memory(*call) -> int:
    """The most memory, in kB, that a process has had that calls a function as ``salt-call`` does."""
    path = HOME / "call.json"
    path.write_text(json.dumps(call), encoding="utf-8")
    return int(run(sys.executable, "-c", CALL, str(path), str(HOME / "minion")).stdout.split()[-1])


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
