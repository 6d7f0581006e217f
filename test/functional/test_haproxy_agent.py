"""The actions of the agent haproxy: a real HAProxy, and a stand-in for systemd that says what it is told to say.

Starting and stopping the real unit is tested on the lab's hosts.
"""

import contextlib
import os
import shutil
import socket
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

import pytest

from support.haproxies import HAProxy
from support.place import requires_tools

OK, GENERIC, ARGS, INSTALLED, CONFIGURED, NOT_RUNNING, DEGRADED = 0, 1, 2, 5, 6, 7, 190

needs_haproxy = requires_tools("haproxy")


# What a node reaches


@pytest.mark.parametrize(
    ("gateway", "backends", "down", "score"),
    [
        (True, 1, 0, 2000), (False, 1, 0, 1000), (True, 1, 1, 1000), (False, 2, 2, 0), (True, 3, 1, 1666),
        (True, 0, 0, 2000),
    ],
)  # fmt: skip
def test_what_a_node_reaches_is_a_score(haproxy, gateway, backends, down, score):
    assert haproxy.reach.score(gateway, backends, down) == score


ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth1\t0000840A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t00000000\t017100CB\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is of a little-endian machine")
def test_the_gateway_is_that_of_the_default_route(haproxy):
    assert haproxy.reach.default_gateway(ROUTES) == "203.0.113.1"
    assert haproxy.reach.default_gateway(ROUTES.replace("017100CB\t0003", "00000000\t0001")) == ""
    assert haproxy.reach.default_gateway("") == ""


ROUTES_IPV6 = (
    "20010db8020300000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100"
    " 00000001 00000000 00000001     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 {} 00000400 00000001 00000000 {} eth0\n"
)


@pytest.mark.parametrize(("gateway", "flags", "found"), [
    ("20010db8020300000000000000000001", "00000003", "2001:db8:203::1"),
    ("fe800000000000000000000000000001", "00000003", "fe80::1%eth0"),
    ("00000000000000000000000000000000", "00200200", ""),
    ("here", "00000003", ""),
])  # fmt: skip
def test_where_there_is_ipv6_alone_the_gateway_is_that_of_its_default_route(haproxy, gateway, flags, found):
    assert haproxy.reach.default_gateway_ipv6(ROUTES_IPV6.format(gateway, flags)) == found
    assert haproxy.reach.default_gateway_ipv6("") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a raw socket")
def test_an_address_that_answers_a_ping(haproxy):
    assert haproxy.reach.answers_ping("127.0.0.1") and haproxy.reach.answers_ping("0:0:0:0:0:0:0:1")
    begin = time.monotonic()
    assert not haproxy.reach.answers_ping("192.0.2.1")
    assert time.monotonic() - begin < 1.5


def test_what_is_reached_is_told_once_and_again_after_a_restart(haproxy, tmp_path, monkeypatch):
    told = tmp_path / "told"
    program = tmp_path / "attrd_updater"
    program.write_text(f'#!/bin/sh\necho "$*" >> {told}\n')
    program.chmod(0o755)
    monkeypatch.setattr(haproxy.agent, "PATH", f"{tmp_path}:/usr/bin:/bin")
    environ = {"HA_RSCTMP": str(tmp_path), "OCF_RESOURCE_INSTANCE": "haproxy"}
    env = haproxy.agent.Environment(haproxy.DESCRIPTION, environ, "monitor")
    published = haproxy.reach.Published(env, env["reach_attribute"])
    for value in (2000, 2000, 1000, 1000):
        published.update(value)
    published.forget()
    published.update(1000)
    assert told.read_text().splitlines() == [
        f"--name haproxy_ha-reach --update-both {value} --delay 12s" for value in (2000, 1000, 1000)
    ]


def attributes_told(directory, code):
    """A stand-in for Pacemaker's attribute manager, which answers well (0) or not; what it was told is in `told`."""
    program = directory / "attrd_updater"
    program.write_text(f'#!/bin/sh\necho "$*" >> {directory}/told\nexit {code}\n')
    program.chmod(0o755)
    told = directory / "told"
    return told.read_text().splitlines() if told.exists() else []


@needs_haproxy
def test_a_mark_that_could_not_be_taken_away_is_by_the_next_monitor(unit):
    """The claim is given up by then, and its own monitor does not run any more."""
    environ = {"HA_RSCTMP": str(unit.server.directory / "state"), "OCF_RESOURCE_INSTANCE": "FloatIP"}
    env = unit.module.agent.Environment(unit.module.DESCRIPTION, environ, "stop")
    attributes_told(unit.programs, 1)
    unit.module.undone.take_away(env, "haproxy_ha-handover", 3.0)
    assert unit("monitor") == OK
    attributes_told(unit.programs, 0)
    for _ in range(2):
        assert unit("monitor") == OK
    told = [line for line in attributes_told(unit.programs, 0) if "reach" not in line]
    assert told == ["--name=haproxy_ha-handover --delete"] * 3


# While the address has yet to leave


def crm_mon(leaving="shutdown", other='role="Started"', address='role="Stopped"', address_on="", more=""):
    """crm_mon's XML on the node `one`, which is being vacated."""
    node = f'<node name="{address_on}"/>' if address_on else ""
    return f"""<pacemaker-result><nodes>
    <node name="one" online="true" {leaving}="true"/><node name="two" online="true"/></nodes><resources>
    <clone id="haproxy-clone"><resource id="haproxy" role="Stopping"><node name="one"/></resource>
    <resource id="haproxy" {other}><node name="two"/></resource></clone>
    <resource id="FloatIP" managed="true" {address} {more}>{node}</resource>
    </resources></pacemaker-result>"""


@pytest.fixture
def stopping(haproxy):
    """The environment of a stop of the instance on node `one`."""
    environ = {"OCF_RESOURCE_INSTANCE": "haproxy:0", "OCF_RESKEY_CRM_meta_timeout": "40000"}
    return haproxy.agent.Environment(haproxy.DESCRIPTION, environ, "stop")


@pytest.mark.parametrize(
    ("view", "waits"),
    [
        (crm_mon(), True),
        (crm_mon("standby"), True),
        (crm_mon(other='role="Started" pending="Monitoring"'), True),
        (crm_mon(address='role="Starting"', address_on="two"), True),
        (crm_mon(address='role="Started"', address_on="one"), True),
        (crm_mon(address='role="Started"', address_on="two"), False),
        (crm_mon(address='role="Started" pending="Monitoring"', address_on="two"), False),
        (crm_mon(address='role="Started" failed="true"', address_on="two"), False),  # tried again after this stop
        (crm_mon("maintenance"), False),  # a restart in place
        (crm_mon(other='role="Stopped"'), False),  # nobody could have it
        (crm_mon(more='target_role="Stopped"'), False),
    ],
)
def test_haproxy_serves_while_the_address_has_yet_to_leave(haproxy, stopping, view, waits):
    assert haproxy.intent.is_left_behind(stopping, "one", ElementTree.fromstring(view)) is waits


def test_a_cluster_that_does_not_answer_is_asked_again(haproxy, stopping, tmp_path, monkeypatch):
    answers = tmp_path / "answers"
    next_view = f"echo x >> {answers}; cat {answers}.$(wc -l < {answers})"
    for name, text in (("crm_node", "echo one"), ("crm_mon", next_view)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for number, view in enumerate(["", "<cut", crm_mon(), crm_mon(address='role="Started"', address_on="two")], 2):
        (tmp_path / f"answers.{number}").write_text(view)
    monkeypatch.setattr(haproxy.agent, "PATH", f"{tmp_path}:/usr/bin:/bin")
    haproxy.intent.serve_until_moved(stopping)
    assert len(answers.read_text().split()) == 5  # no file, nothing, half, still here, moved


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (crm_mon(), False),
        (crm_mon(address='role="Starting"', address_on="two"), True),
        (crm_mon(address='role="Stopping"', address_on="one"), True),
        (crm_mon(other='role="Stopping"'), True),
        (crm_mon(other='role="Started" pending="Monitoring"'), True),
    ],
)
def test_this_stop_is_not_what_the_cluster_waits_for_besides(haproxy, stopping, view, expected):
    assert haproxy.intent.something_else_is_under_way(stopping, "one", ElementTree.fromstring(view)) is expected


def test_a_cluster_whose_plan_was_overtaken_is_not_waited_for(haproxy, stopping, tmp_path, monkeypatch, capsys):
    for name, text in (("crm_node", "echo one"), ("crm_mon", f"cat {tmp_path}/view")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "view").write_text(crm_mon())
    monkeypatch.setattr(haproxy.agent, "PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(haproxy.intent, "UNANSWERED", 0.3)
    haproxy.intent.serve_until_moved(stopping)
    assert "FloatIP has not left this node, and the cluster does nothing about it" in capsys.readouterr().err


def test_a_cluster_that_never_answers_does_not_hold_up_a_stop(haproxy, stopping, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(haproxy.agent, "PATH", str(tmp_path))
    monkeypatch.setattr(haproxy.intent, "UNANSWERED", 0.3)
    haproxy.intent.serve_until_moved(stopping)
    said = "the cluster cannot be asked, and clients may still be sent here: crm_node: is not installed"
    assert said in capsys.readouterr().err


def running(instance='role="Started" managed="true"', node="one"):
    """crm_mon's XML, with an instance that the cluster has on a node."""
    clone = f'<clone id="haproxy-clone"><resource id="haproxy" {instance}><node name="{node}"/></resource></clone>'
    return f"<pacemaker-result><resources>{clone}</resources></pacemaker-result>"


@pytest.mark.parametrize(
    ("result", "job", "clusters_own", "view", "again"),
    [
        ("success", "stop", False, running(), True),
        ("success", "stop", True, running(), False),
        ("success", "restart", False, running(), False),
        ("success", "", False, running(), False),  # it has ended by itself: systemd starts it again
        ("signal", "", False, running(), False),
        ("timeout", "stop", False, running(), False),
        ("success", "stop", False, running('role="Started" managed="false"'), False),
        ("success", "stop", False, running('role="Started" managed="true" pending="Monitoring"'), False),
        ("success", "stop", False, running('role="Stopped" managed="true"'), False),
        ("success", "stop", False, running(node="two"), False),
    ],
)
def test_what_somebody_stops_is_started_again_where_the_cluster_wants_it(
    haproxy, tmp_path, monkeypatch, result, job, clusters_own, view, again
):
    jobs = f"17 haproxy.service {job} running" if job else ""
    systemctl = f"[ $1 = list-jobs ] && echo '{jobs}' || echo $* > {tmp_path}/asked"
    for name, text in (("systemctl", systemctl), ("crm_node", "echo one"), ("crm_mon", f"echo '{view}'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(haproxy.agent, "PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SERVICE_RESULT", result)
    environ = {"OCF_RESOURCE_INSTANCE": "haproxy", "HA_RSCTMP": str(tmp_path)}
    if clusters_own:
        (tmp_path / "haproxy_ha-haproxy.stopping").touch()
    assert haproxy.agent.main(haproxy.DESCRIPTION, haproxy.HANDLERS, ["haproxy", "unit-stopped"], environ) == OK
    asked = (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else ""
    assert asked == ("start --no-block haproxy.service\n" if again else "")


SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> {directory}/asked
[ "$1" = show ] || exit 0
state=$(head -n 1 {directory}/states)
[ "$(wc -l < {directory}/states)" = 1 ] || sed -i 1d {directory}/states
[ "$state" != silent ] || {{ echo "Failed to connect to bus: No such file or directory" >&2; exit 1; }}
printf 'LoadState=loaded\\nResult=success\\nControlGroup=\\nMainPID=%s\\nActiveState=%s\\nJob=%s\\n' \
    "$(cat {directory}/pid)" ${{state%:*}} ${{state#*:}}
"""


class Unit:
    """A real HAProxy, of which a stand-in for systemd tells what it is told to: `state:job`, one after the other."""

    def __init__(self, server, monkeypatch):
        self.server, self.module, self.monkeypatch = server, server.module, monkeypatch
        self.programs = server.directory / "programs"
        self.programs.mkdir()
        script = self.programs / "systemctl"
        script.write_text(SYSTEMCTL.format(directory=server.directory))
        script.chmod(0o755)
        monkeypatch.setattr(server.module.agent, "PATH", f"{self.programs}:/usr/sbin:/usr/bin:/sbin:/bin")
        monkeypatch.setattr(sys.modules["systemd_unit"], "RUNTIME_UNITS", str(server.directory / "units"))

    def states(self, *states):
        (self.server.directory / "states").write_text("\n".join(states) + "\n")
        (self.server.directory / "pid").write_text(str(self.server.process.pid if self.server.process else 0))

    @property
    def asked(self):
        """What systemd was asked to do."""
        asked = self.server.directory / "asked"
        lines = asked.read_text().splitlines() if asked.exists() else []
        return [line for line in lines if not line.startswith("show ")]

    def __call__(self, action, interval=5, **parameters):
        environ = {
            "OCF_RESKEY_config": str(self.server.config), "OCF_RESKEY_CRM_meta_timeout": "20000",
            "OCF_RESKEY_CRM_meta_interval": str(interval * 1000), "OCF_RESKEY_gateway": "none",
            "OCF_RESKEY_binary": shutil.which("haproxy"), "HA_RSCTMP": str(self.server.directory / "state"),
            "OCF_RESOURCE_INSTANCE": "haproxy",
            **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
        }  # fmt: skip
        return self.module.agent.main(self.module.DESCRIPTION, self.module.HANDLERS, ["haproxy", action], environ)

    @contextlib.contextmanager
    def away(self):
        """HAProxy is gone, and back before a second look, which comes later here: a busy machine starts it slowly."""
        self.monkeypatch.setattr(self.module.verdict, "MOMENT", 3.0)
        self.server.kill()

        def begin():
            self.server.run()
            self.states(*(self.server.directory / "states").read_text().split())

        back = threading.Timer(0.1, begin)
        back.start()
        yield
        back.join()


@pytest.fixture
def server(haproxy, tmp_path):
    server = HAProxy(haproxy, tmp_path)
    yield server
    server.close()


@pytest.fixture
def unit(server, monkeypatch):
    server.start()
    unit = Unit(server, monkeypatch)
    unit.states("active:")
    return unit


@needs_haproxy
@pytest.mark.parametrize("interval", [0, 5])
def test_a_monitor_that_meets_the_moment_without_a_listener_looks_again(unit, interval):
    with unit.away():
        assert unit("monitor", interval) == OK


@needs_haproxy
def test_a_monitor_in_the_middle_of_a_restart_waits_for_it(unit):
    """Between the stop and the start of a restart, systemd calls the unit inactive, with a job that waits."""
    unit.states("inactive:17", "inactive:17", "activating:17", "active:")
    assert unit("monitor") == OK
    unit.states("inactive:")
    assert unit("monitor") == NOT_RUNNING


@needs_haproxy
def test_a_haproxy_that_is_gone_is_found_soon(unit, capfd):
    unit.server.kill()
    begin = time.monotonic()
    assert unit("monitor") == GENERIC
    assert time.monotonic() - begin < 2
    assert "HAProxy has no process that serves" in capfd.readouterr().err


@needs_haproxy
@pytest.mark.parametrize("states", [
    ["activating:17", "active:"], ["inactive:17", "active:"], ["deactivating:17", "activating:18", "active:"],
    ["inactive:", "active:"],  # somebody starts it at this very moment
])  # fmt: skip
def test_a_start_that_meets_another_start_adopts_what_it_started(unit, states):
    unit.states(*states)
    assert unit("start") == OK
    assert "start haproxy.service" not in unit.asked


@needs_haproxy
@pytest.mark.parametrize(("missing", "code", "reason"), [
    ({"binary": "/nonexistent/haproxy"}, INSTALLED, "/nonexistent/haproxy: is missing"),
    ({"config": "/nonexistent/haproxy.cfg"}, INSTALLED, "/nonexistent/haproxy.cfg: is missing"),
    ({"config": "haproxy.cfg"}, CONFIGURED, "config: found 'haproxy.cfg', allowed: an absolute path"),
    ({"unit": "haproxy"}, CONFIGURED, "unit: found 'haproxy', allowed: the name of a .service unit"),
    ({"gateway": "here"}, CONFIGURED, "gateway: found 'here', allowed: auto, none, an IPv4 or IPv6 address"),
    ({"answer_timeout": "soon"}, CONFIGURED, "answer_timeout: found 'soon', allowed: seconds, such as 10 or 10s"),
])  # fmt: skip
def test_what_a_start_lacks_is_told_in_one_line(unit, capfd, missing, code, reason):
    unit.states("inactive:")
    assert unit("start", **missing) == code
    assert capfd.readouterr().err == f"ocf-exit-reason:{reason}\n"
    assert "start haproxy.service" not in unit.asked


@needs_haproxy
def test_a_directory_that_cannot_be_written_is_told_at_a_start_and_stops_nothing_later(unit, capfd):
    (unit.server.directory / "units").write_text("a file where a directory must be")
    assert unit("monitor") == OK
    assert unit("start") == GENERIC
    assert f"ocf-exit-reason:cannot write {unit.server.directory}/units/" in capfd.readouterr().err


@needs_haproxy
def test_a_start_that_meets_a_reload_looks_again(unit):
    with unit.away():
        assert unit("start") == OK


@needs_haproxy
def test_a_stop_that_meets_a_reload_kills_nothing_and_waits_for_the_address(unit, monkeypatch):
    unit.states("active:", "inactive:")
    waited = []
    monkeypatch.setattr(unit.module.intent, "serve_until_moved", waited.append)
    with unit.away():
        assert unit("stop") == OK
    assert len(waited) == 1
    assert not [line for line in unit.asked if line.startswith("kill ")]


@needs_haproxy
def test_a_stop_that_meets_a_restart_takes_its_start_back(unit):
    unit.states("inactive:17", "inactive:")
    assert unit("stop") == OK
    assert "stop --job-mode=ignore-dependencies haproxy.service" in unit.asked


# Stop: always succeeds, whatever is wrong


@needs_haproxy
@pytest.mark.parametrize(
    ("wrong", "parameters"),
    [
        ("parameters", {"answer_timeout": "soon", "config": "relative", "binary": "", "gateway": "x"}),
        ("the state directory", {}),
        ("the directory of units", {}),
        ("the configuration", {}),
    ],
)  # fmt: skip
def test_a_stop_succeeds_whatever_is_wrong(unit, wrong, parameters):
    if wrong == "the state directory":
        (unit.server.directory / "state").write_text("a file where a directory must be")
    elif wrong == "the directory of units":
        (unit.server.directory / "units").write_text("a file where a directory must be")
    elif wrong == "the configuration":
        unit.server.config.write_bytes(b"bind 10.17.1118:80\xff\0")
    unit.states("active:", "inactive:")
    assert unit("stop", **parameters) == OK
    assert "stop --job-mode=ignore-dependencies haproxy.service" in unit.asked


def test_a_stop_succeeds_where_there_is_no_systemd_and_no_haproxy(server, monkeypatch, tmp_path):
    monkeypatch.setattr(server.module.agent, "PATH", str(tmp_path))
    unit = Unit(server, monkeypatch)
    (unit.programs / "systemctl").unlink()
    assert unit("stop") == OK


@needs_haproxy
def test_a_stop_without_systemd_ends_the_processes_of_the_unit(unit, monkeypatch):
    """Which they are, the kernel's control groups tell; here, a list in their place."""
    pids = {unit.server.process.pid, unit.server.worker}
    alive = lambda: [pid for pid in pids if unit.module.worker.process(pid)]  # noqa: E731
    monkeypatch.setattr(sys.modules["systemd_unit"].Unit, "processes", lambda self: alive())
    unit.states("silent")
    with unit.server.stopped():  # not even SIGTERM helps
        assert unit("stop") == OK
        assert not alive()
    assert (unit.server.directory / "state" / "haproxy_ha-haproxy.stopping").exists()  # systemd must not start it again


@needs_haproxy
def test_what_the_cluster_has_stopped_is_not_started_by_systemd(unit):
    assert unit("monitor") == OK
    text = (unit.server.directory / "units" / "haproxy.service.d" / "50-haproxy_ha.conf").read_text()
    assert f"ConditionPathExists=!{unit.server.directory}/state/haproxy_ha-haproxy.stopping\n" in text


@needs_haproxy
def test_a_start_takes_the_mark_of_a_stop_away(unit):
    unit.states("active:", "inactive:")
    assert unit("stop") == OK
    flag = unit.server.directory / "state" / "haproxy_ha-haproxy.stopping"
    assert flag.exists()
    unit.states("active:")
    assert unit("start") == OK
    assert not flag.exists()


# Slips of ours


@pytest.mark.parametrize(
    ("action", "interval", "code"),
    [("monitor", 5, DEGRADED), ("monitor", 0, GENERIC), ("start", 5, GENERIC), ("validate-all", 5, GENERIC)],
)
def test_a_slip_of_ours_takes_nothing_away(haproxy, monkeypatch, capfd, action, interval, code):
    def slip(env):
        return {}["nothing"]

    environ = {"OCF_RESKEY_CRM_meta_interval": str(interval * 1000)}
    assert haproxy.agent.main(haproxy.DESCRIPTION, {action: slip}, ["haproxy", action], environ) == code
    said = capfd.readouterr().err
    assert said.startswith(f"ocf-exit-reason:{action}: unexpected KeyError at test_haproxy_agent.py:")
    assert said.count("\n") == 1


def test_a_secret_is_in_no_reason(haproxy, monkeypatch, capfd):
    monkeypatch.setattr(haproxy.agent, "secrets", {"dop_v1_secret"})
    haproxy.agent.reason("Bearer dop_v1_secret is refused")
    haproxy.agent.log("dop_v1_secret")
    assert "dop_v1_secret" not in capfd.readouterr().err


@pytest.mark.parametrize("value", ["", "soon", "-1", "1e9", "\u0663", "9" * 30])
def test_what_the_cluster_hands_over_may_be_nonsense(haproxy, value):
    environ = {"OCF_CHECK_LEVEL": value, "OCF_RESKEY_CRM_meta_timeout": value}
    assert haproxy.agent.Environment(haproxy.DESCRIPTION, environ, "monitor").left > 3


# What a start meets


@needs_haproxy
def test_a_configuration_that_another_haproxy_runs_is_not_started_beside_it(unit, monkeypatch, capfd):
    monkeypatch.setattr(sys.modules["systemd_unit"].Unit, "processes", lambda self: [])
    unit.states("inactive:")
    assert unit("start") == GENERIC
    assert f"{unit.server.config} is run by haproxy (process " in capfd.readouterr().err
    assert "start haproxy.service" not in unit.asked


@needs_haproxy
def test_a_port_that_another_program_shares_is_told_and_what_was_started_is_stopped(unit, capfd):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", unit.server.ports[0]))
        other.listen()
        assert unit.server.judge() == (OK, "")
        env = unit.server.environment("start")
        known = unit.module.worker.Known(env, "haproxy")
        unit.states("inactive:")
        program = unit.module.systemd_unit.Unit(env)
        with pytest.raises(unit.module.agent.Failure) as failure:
            unit.module.starting.refuse_shared(env, program, known)
    assert failure.value.reason == (
        f"127.0.0.1:{unit.server.ports[0]} is held by {comm()} (process {os.getpid()}), which is not haproxy.service"
    )
    assert "stop --job-mode=ignore-dependencies haproxy.service" in unit.asked


def comm():
    with open("/proc/self/comm", encoding="utf-8") as file:
        return file.read().strip()


@needs_haproxy
def test_a_refused_configuration_is_refused_in_haproxy_s_words(haproxy, tmp_path):
    config = tmp_path / "haproxy.cfg"
    config.write_text("frontend x\n    bnd :80\n")
    environ = {"OCF_RESKEY_config": str(config), "OCF_RESKEY_binary": shutil.which("haproxy")}
    env = haproxy.agent.Environment(haproxy.DESCRIPTION, environ, "start")
    with pytest.raises(haproxy.agent.Failure) as failure:
        haproxy.starting.check_configuration(env)
    assert failure.value.code == ARGS
    assert "unknown keyword 'bnd'" in failure.value.reason


# When systemd does not answer


@needs_haproxy
@pytest.mark.parametrize(("interval", "code"), [(5, DEGRADED), (0, DEGRADED)])
def test_what_serves_goes_on_while_systemd_does_not_answer(unit, capfd, interval, code):
    assert unit("monitor") == OK  # the worker is remembered
    unit.states("silent")
    assert unit("monitor", interval) == code
    assert "HAProxy answers, and systemd does not (" in capfd.readouterr().err


@needs_haproxy
def test_what_is_gone_is_found_while_systemd_does_not_answer(unit):
    assert unit("monitor") == OK
    unit.server.kill()
    unit.states("silent")
    assert unit("monitor") == NOT_RUNNING
    assert unit("monitor", 0) == NOT_RUNNING
