"""What killed runs leave: each kind is made by killing one at that very point, and the next takes it away."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from haproxy_ha_host import files, leftovers, nss, processes, units, waiting
from saltext.pacemaker.live import process
from support import REPOSITORY
from support.place import requires_tools

UTILS = REPOSITORY / "_utils"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: as a run")

# What a run does before it is killed, at the call that `die` stands in for.
BEGIN = """
import dataclasses, os, signal, sys, tempfile
from haproxy_ha_host import commands, daemons, files, nss, processes, units, waiting
from saltext.pacemaker.live import process
from haproxy_ha_host.cluster import handover
from haproxy_ha_lib.files import entry
place = sys.argv[1]
files.STATE = place + "/state"
units.HELD = place + "/held"
units.systemd = lambda: True
process.PATH = place + "/bin:" + process.PATH
def die(*arguments, **options):
    print("there", flush=True)
    sys.stdin.read()
"""
KILLED = {
    "a file that has not got its name":
        "os.rename = die; files.put(place + '/etc/haproxy.cfg', entry.FileEntry('s3cret'))",
    "a set of files that was being checked, with its keys":
        "commands.run = die; os.makedirs(place + '/etc/haproxy'); "
        "daemons.refusal(daemons.Daemon('haproxy', 'haproxy', place + '/etc/haproxy', ('-c',)), {})",
    "a database of certificates that was being made":
        "make = tempfile.mkdtemp; tempfile.mkdtemp = lambda **options: die(make(**options)); "
        "nss.build(dataclasses.replace(nss.HELPER, path=place + '/qnetd/nssdb'), '')",
    "a copy that was being made":
        "os.rename = die; os.makedirs(place + '/own'); files.keep_copies('x', [place + '/own'])",
    "a service that is kept from being started": "units.hold(['haproxy']); die()",
    "the mark of a planned failover": "handover.Mark('primary').put(handover.value(60)); die()",
}
SYSTEMCTL = """\
#!/bin/sh
case "$1 $3" in
"show ActiveState") echo "$([ "$5" = pacemaker.service ] && echo active || echo inactive)" ;;
mask*) touch {place}/masked ;;
unmask*) rm -f {place}/masked ;;
esac
"""
# The cluster's store of attributes, as attrd_updater(8) prints it.
ATTRD = """\
#!/bin/sh
case "$2 $3" in
--query*) [ ! -e {place}/attribute ] || cat {place}/attribute ;;
--update=*)
    printf 'name="haproxy_ha-handover" host="%s" value="%s"\n' "${{3#--node=}}" "${{2#--update=}}" >{place}/attribute ;;
--delete*) rm {place}/attribute ;;
esac
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A machine's directories, with stand-ins of systemctl and attrd_updater; returns where they are."""
    for name in ("bin", "etc", "qnetd"):
        (tmp_path / name).mkdir()
    for name, text in (("systemctl", SYSTEMCTL), ("attrd_updater", ATTRD)):
        (tmp_path / "bin" / name).write_text(text.format(place=tmp_path), encoding="ascii")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setattr(files, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(units, "HELD", str(tmp_path / "held"))
    monkeypatch.setattr(units, "systemd", lambda: True)
    monkeypatch.setattr(process, "PATH", f"{tmp_path}/bin:{process.PATH}")
    monkeypatch.setattr(nss, "HELPER", dataclasses.replace(nss.HELPER, path=f"{tmp_path}/qnetd/nssdb"))
    return tmp_path


def found(place):
    return leftovers.find({str(place / "etc"), str(place / "state")})


@pytest.fixture
def run(place):
    """Starts a run of some code; returns it when it is where it will be killed."""
    started = []

    def begin(code):
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + code, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(UTILS)},
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == "there\n"
        return process

    yield begin
    for other in started:
        other.kill()
        other.communicate()


def test_every_kind_of_the_table_is_made_here():
    assert [kind.what for kind in leftovers.KINDS] == list(KILLED)


@pytest.mark.parametrize("what", KILLED)
def test_what_a_killed_run_left_goes_and_what_one_at_work_has_stays(place, run, what):
    assert found(place) == {}
    process = run(KILLED[what])
    assert found(place) == {}, "the run is at work"
    process.send_signal(signal.SIGKILL)
    assert waiting.wait_for(lambda: found(place), 5, 0.01)  # before anybody has reaped it
    [(thing, kind)] = found(place).items()
    assert kind == what
    assert leftovers.remove({str(place / "etc"), str(place / "state")}) == {thing: what}
    assert found(place) == {}
    assert not os.path.lexists(thing)
    assert not (place / "masked").exists() and not (place / "attribute").exists()
    assert not [path for path in place.rglob("*") if "haproxy_ha-" in path.name]


def test_a_run_lets_go_of_what_it_holds_itself_and_not_of_what_another_one_holds(place, run):
    other = run("units.hold(['haproxy']); die()")
    assert units.hold(["nginx"]) == ["nginx"]
    assert units.release() == ["nginx"]
    assert units.release() == []
    other.kill()
    other.wait()
    assert units.release() == ["haproxy"]


@pytest.mark.parametrize("value", [
    "1", "failover", "failover:x", "failover:{boot}:{me}:1", "failover:another:1-1:{later}",
])
def test_the_mark_of_somebody_at_work_stays(place, value):
    """The agent's own, that of another machine's failover, and what nobody understands."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    filled = value.format(boot=boot, me=processes.mark(), later=2**40)
    (place / "attribute").write_text(f'name="haproxy_ha-handover" host="primary" value="{filled}"\n', encoding="ascii")
    assert found(place) == {}


@pytest.mark.parametrize("value", ["failover:another:1-1:1", "failover:{boot}:999999999-1:{later}"])
def test_the_mark_of_somebody_who_is_gone_goes(place, value):
    """Of a machine that was switched off before the end: when its time is over."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    filled = value.format(boot=boot, later=2**40)
    (place / "attribute").write_text(f'name="haproxy_ha-handover" host="primary" value="{filled}"\n', encoding="ascii")
    assert found(place) == {"primary": "the mark of a planned failover"}


def test_other_files_stay(place):
    for name in (".haproxy.cfg.haproxy_ha-1-x", ".haproxy_ha-own", "haproxy.cfg.haproxy_ha-1-1-abc", ".hidden"):
        (place / "etc" / name).touch()
    assert found(place) == {}


@requires_tools("certutil", "openssl")
def test_a_database_is_replaced_in_one_step(place):
    """A daemon that reads it meanwhile finds the old one or the new one."""
    first, second = nss.generate("one"), nss.generate("two")
    nss.build(nss.HELPER, first[0])
    nss.build(nss.HELPER, second[0])
    assert nss.holds(nss.HELPER, second[0]) and not nss.holds(nss.HELPER, first[0])
    assert os.listdir(place / "qnetd") == ["nssdb"]
