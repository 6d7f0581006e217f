"""Daemons take their files: the real ones, in the image that has them. Only ``systemctl`` is a stand-in."""

import dataclasses
import hashlib
import json
import os
import socket
import time
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import daemons, files, net, units, verdicts, waiting
from haproxy_ha_lib.files.entry import FileEntry, owned_by_root
from support.place import in_container, requires_tools
from support.service import Service, free_port

pytestmark = [
    requires_tools("haproxy", "nginx", "corosync", "unshare"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a mount namespace"),
]

OWN_SITE = "/etc/nginx/own/site.conf"
ETC = {
    "haproxy": daemons.Daemon("haproxy", "haproxy", "/etc/haproxy", ("-c", "-f", "/etc/haproxy/haproxy.cfg")),
    "nginx": daemons.Daemon("nginx", "nginx", "/etc/nginx", ("-T", "-c", "/etc/nginx/nginx.conf"),
                            included=("/etc/nginx/sites-enabled/own", OWN_SITE)),
    "corosync": daemons.Daemon("corosync", "corosync", "/etc/corosync", ("-t", "-c", "/etc/corosync/corosync.conf")),
}
HAPROXY = """\
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen always
    bind 127.0.0.1:1
"""
COROSYNC = """\
totem {
    version: 2
    transport: knet
    crypto_cipher: aes256
    crypto_hash: sha256
}
nodelist {
    node {
        name: here
        nodeid: 1
        ring0_addr: 127.0.0.1
    }
}
logging {
    to_stderr: yes
}
"""
KEY = {"/etc/corosync/authkey": FileEntry("0" * 256)}


ACCEPTED = {
    "haproxy": ("haproxy", {"/etc/haproxy/haproxy.cfg": owned_by_root(HAPROXY)}),
    "haproxy, with a file of the same set": (
        "haproxy",
        {
            "/etc/haproxy/haproxy.cfg": owned_by_root(f"{HAPROXY}    errorfile 503 /etc/haproxy/own/503.http\n"),
            "/etc/haproxy/own/503.http": owned_by_root("HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n"),
        },
    ),
    "nginx": (
        "nginx",
        {
            "/etc/nginx/conf.d/format.conf": owned_by_root("log_format own '$remote_addr';\n"),
            "/etc/nginx/sites-available/own": owned_by_root("server { listen 127.0.0.1:81; access_log off; }\n"),
            "/etc/nginx/sites-enabled/own": FileEntry(link="/etc/nginx/sites-available/own"),
            "/etc/nginx/sites-enabled/default": None,
        },
    ),
    "corosync": ("corosync", {"/etc/corosync/corosync.conf": owned_by_root(COROSYNC), **KEY}),
}

REFUSED = {
    "haproxy": (
        "haproxy",
        {"/etc/haproxy/haproxy.cfg": owned_by_root(f"{HAPROXY}frontend f\n    bogus line\n")},
        "parsing [/etc/haproxy/haproxy.cfg:9] : unknown keyword 'bogus' in 'frontend' section",
    ),
    "nginx: an unknown directive": (
        "nginx",
        {"/etc/nginx/conf.d/own.conf": owned_by_root("bogus on;\n")},
        'unknown directive "bogus" in /etc/nginx/conf.d/own.conf:1',
    ),
    "nginx: two files of the set that contradict each other": (
        "nginx",
        {
            "/etc/nginx/conf.d/a.conf": owned_by_root("log_format own 'a';\n"),
            "/etc/nginx/conf.d/b.conf": owned_by_root("log_format own 'b';\n"),
        },
        'duplicate "log_format" name "own" in /etc/nginx/conf.d/b.conf:1',
    ),
    "nginx: an address that this machine has not": (
        "nginx",
        {"/etc/nginx/conf.d/own.conf": owned_by_root("server { listen 192.0.2.1:81; }\n")},
        "bind() to 192.0.2.1:81 failed (99: Cannot assign requested address)",
    ),
    "nginx: a site that no include brings it to": (
        "nginx",
        {OWN_SITE: owned_by_root("server { listen 127.0.0.1:81; }\n")},
        f"nginx would not read {OWN_SITE}; haproxy_ha:lookup:paths says where they are",
    ),
    "corosync": (
        "corosync",
        {"/etc/corosync/corosync.conf": owned_by_root(COROSYNC.replace("aes256", "rot13")), **KEY},
        "Invalid cipher type",
    ),
}


def digest(root):
    """Path, mode, owner and content of everything below a directory."""
    found = {}
    for path in sorted(Path(root).rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, content)
    return found


@pytest.fixture
def untouched():
    """The daemons' own directories are as they were, and nothing is left in /run."""
    roots = ["/etc/haproxy", "/etc/nginx", "/etc/corosync"]
    before = [digest(root) for root in roots]
    yield
    assert [digest(root) for root in roots] == before
    assert not list(Path("/run").glob("haproxy_ha-*"))


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_good_set_is_accepted(case, untouched):
    name, wanted = ACCEPTED[case]
    assert daemons.refusal(ETC[name], wanted) is None


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_set_is_refused_in_the_daemons_own_words(case, untouched):
    name, wanted, message = REFUSED[case]
    said = daemons.refusal(ETC[name], wanted)
    assert message in said
    assert "NOTICE" not in said and "/run/" not in said


def test_the_check_has_the_services_variables(tmp_path, untouched):
    wanted = {"/etc/haproxy/haproxy.cfg": owned_by_root(HAPROXY.replace("127.0.0.1:1", '"127.0.0.1:${OWN_PORT}"'))}
    assert "127.0.0.1:" in daemons.refusal(ETC["haproxy"], wanted)
    (tmp_path / "haproxy").write_text("# The service's\nEXTRAOPTS='\nOWN_PORT=\"8090\"\n", encoding="utf-8")
    assert daemons.refusal(dataclasses.replace(ETC["haproxy"], variables=str(tmp_path)), wanted) is None


# A daemon that runs


def haproxy_on(port, body="http-request return status 200"):
    return HAPROXY.replace("127.0.0.1:1\n", f"127.0.0.1:{port}\n    {body}\n")


@pytest.fixture
def haproxy(machine):
    root = machine / "haproxy"
    root.mkdir()
    cfg, pidfile = root / "haproxy.cfg", machine / "haproxy.pid"
    daemon = daemons.Daemon("haproxy", "haproxy", str(root), ("-c", "-f", str(cfg)))
    start = ["haproxy", "-W", "-D", "-f", str(cfg), "-p", str(pidfile), "-S", str(machine / "master.sock")]
    service = Service(daemon, machine, pidfile, start, "USR2")
    service.cfg, service.port = cfg, free_port()
    files.put(str(cfg), owned_by_root(haproxy_on(service.port)))
    service.begin()
    yield service
    service.end()


def test_haproxy_is_reloaded_and_serves_the_new_files(haproxy):
    pid = units.main_pid("haproxy")
    wanted = {str(haproxy.cfg): owned_by_root(haproxy_on(haproxy.port, "http-request return status 418"))}
    assert daemons.install(haproxy.daemon, wanted) == "haproxy was reloaded"
    assert net.get("127.0.0.1", haproxy.port) == 418
    assert units.main_pid("haproxy") == pid
    assert not daemons.unfinished(haproxy.daemon)


@pytest.mark.parametrize("answers", ["reloaded", "refused"])
def test_a_cluster_that_starts_haproxy_anew_meanwhile(haproxy, answers):
    """The new process has the new files; the old one cannot tell any more."""
    pid = units.main_pid("haproxy")
    code = {"reloaded": 0, "refused": 1}[answers]
    haproxy.on_reload(f'if [ "$pid" = {pid} ]; then end; {{start}}; exit {code}; else kill -USR2 "$pid"; fi')
    wanted = {str(haproxy.cfg): owned_by_root(haproxy_on(haproxy.port, "http-request return status 418"))}
    assert daemons.install(haproxy.daemon, wanted) == "haproxy was reloaded"
    assert net.get("127.0.0.1", haproxy.port) == 418
    assert units.main_pid("haproxy") != pid
    assert not daemons.unfinished(haproxy.daemon)


def test_a_cluster_that_stops_haproxy_meanwhile(haproxy):
    """It stays stopped, and has the new files when it is started."""
    haproxy.on_reload("end; exit 1", dead="inactive")
    wanted = {str(haproxy.cfg): owned_by_root(haproxy_on(haproxy.port, "http-request return status 418"))}
    assert daemons.install(haproxy.daemon, wanted) == "haproxy is not running: the cluster starts it"
    assert units.main_pid("haproxy") == 0
    assert files.snapshot(wanted) == wanted
    assert not daemons.unfinished(haproxy.daemon)


def test_what_haproxy_cannot_start_with_is_put_back(haproxy, machine):
    """`haproxy -c` binds nothing, so a held port shows at the reload only."""
    before = haproxy.cfg.read_text()
    with socket.create_server(("127.0.0.1", 0)) as holder:
        wanted = {
            str(haproxy.cfg): owned_by_root(haproxy_on(holder.getsockname()[1])),
            str(haproxy.cfg.parent / "more"): owned_by_root("more"),
        }
        assert daemons.refusal(haproxy.daemon, wanted) is None
        with pytest.raises(CommandExecutionError, match="did not start with the new configuration:\nfrom the journal"):
            daemons.install(haproxy.daemon, wanted)
    assert haproxy.cfg.read_text() == before
    assert not (haproxy.cfg.parent / "more").exists()
    assert net.get("127.0.0.1", haproxy.port) == 200
    assert not daemons.unfinished(haproxy.daemon)


SHOW = """\
#!/bin/sh
# What the agent asks systemd.
pid=$(cat {pidfile}) && printf 'LoadState=loaded\\nActiveState=active\\nJob=\\nMainPID=%s\\n' "$pid"
"""
UNTIL_IT_LISTENS = "until ss -ltnH | grep -q 192.0.2.8:; do :; done"
NONLOCAL = Path("/proc/sys/net/ipv4/ip_nonlocal_bind")


@pytest.fixture
def judged(haproxy, machine, installed):
    """HAProxy with its agent, a process of its own as the cluster's, which finds systemctl where it always looks."""
    stand_in = Path("/usr/local/sbin/systemctl")
    stand_in.write_text(SHOW.format(pidfile=haproxy.pidfile))
    stand_in.chmod(0o755)
    parameters = {"config": haproxy.cfg, "gateway": "none"}
    agent = verdicts.Agent(str(installed / "haproxy"), "haproxy", parameters)
    haproxy.daemon = dataclasses.replace(haproxy.daemon, agent=agent)
    yield haproxy
    stand_in.unlink()


@pytest.mark.skipif(not in_container(), reason="needs a machine of its own")
def test_what_the_cluster_would_take_for_failed_is_put_back(judged):
    """HAProxy may listen on an address that is not there, and the reload succeeds; clients would not come to it."""
    before = judged.cfg.read_text()
    assert verdicts.complaint(judged.daemon.agent) == ""
    wanted = {str(judged.cfg): owned_by_root(haproxy_on(judged.port).replace("127.0.0.1", "192.0.2.8"))}
    judged.on_reload(f"echo 1 > {NONLOCAL}; kill -USR2 $pid; {UNTIL_IT_LISTENS}; echo 0 > {NONLOCAL}")
    with pytest.raises(CommandExecutionError) as refused:
        daemons.install(judged.daemon, wanted)
    assert str(refused.value).startswith(
        "haproxy took the new files, and the cluster would take it for failed: this machine has no longer the address"
        f" of 192.0.2.8:{judged.port}\nThe files of before are back in place, and haproxy has taken them."
    )
    assert judged.cfg.read_text() == before
    assert waiting.wait_for(lambda: net.get("127.0.0.1", judged.port) == 200, 5)
    assert verdicts.complaint(judged.daemon.agent) == ""


@pytest.mark.skipif(not in_container(), reason="needs a machine of its own")
def test_what_was_failed_before_may_be_mended_by_new_files(judged):
    wanted = {str(judged.cfg): owned_by_root(haproxy_on(judged.port).replace("127.0.0.1", "192.0.2.8"))}
    judged.on_reload(f"echo 1 > {NONLOCAL}; kill -USR2 $pid; {UNTIL_IT_LISTENS}; echo 0 > {NONLOCAL}")
    daemons.install(dataclasses.replace(judged.daemon, agent=None), wanted)
    assert "no longer the address" in verdicts.complaint(judged.daemon.agent)
    judged.on_reload('kill -USR2 "$pid"')
    well = {str(judged.cfg): owned_by_root(haproxy_on(judged.port))}
    assert daemons.install(judged.daemon, well) == "haproxy was reloaded"
    assert verdicts.complaint(judged.daemon.agent) == ""


def test_a_killed_run_is_finished_by_the_next(haproxy, machine):
    """Between the rename and the reload: the files are there, and the daemon has not taken them."""
    wanted = {str(haproxy.cfg): owned_by_root(haproxy_on(haproxy.port, "http-request return status 418"))}
    kept = {str(haproxy.cfg): files.read(str(haproxy.cfg)).data()}
    files.put_private(f"{machine}/state/last_good/haproxy.json", json.dumps({"files": kept, "unfinished": True}))
    files.install(wanted)
    assert daemons.unfinished(haproxy.daemon)
    assert net.get("127.0.0.1", haproxy.port) == 200
    assert daemons.install(haproxy.daemon, wanted) == "haproxy was reloaded"
    assert net.get("127.0.0.1", haproxy.port) == 418
    assert not daemons.unfinished(haproxy.daemon)


def test_what_is_remembered_is_for_root_alone(haproxy, machine):
    daemons.install(haproxy.daemon, {str(haproxy.cfg): owned_by_root(haproxy_on(haproxy.port, "option forwardfor"))})
    for path in [machine / "state", *(machine / "state").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def nginx_conf(machine, listen):
    return (
        f"pid {machine}/nginx.pid; error_log {machine}/error.log; events {{}} "
        f"http {{ access_log off; server {{ listen {listen}; return 200; }} }}"
    )


@pytest.fixture
def nginx(machine):
    root = machine / "nginx"
    root.mkdir()
    conf, port = root / "nginx.conf", free_port()
    daemon = daemons.Daemon("nginx", "nginx", str(root), ("-t", "-c", str(conf)), (("127.0.0.1", port),))
    service = Service(daemon, machine, machine / "nginx.pid", ["nginx", "-c", str(conf)], "HUP")
    service.conf, service.port = conf, port
    yield service
    service.end()


def test_nginx_is_reloaded_and_listens_where_it_should(nginx, machine):
    files.put(str(nginx.conf), owned_by_root(nginx_conf(machine, f"127.0.0.1:{free_port()}")))
    nginx.begin()
    pid = units.main_pid("nginx")
    wanted = {str(nginx.conf): owned_by_root(nginx_conf(machine, f"127.0.0.1:{nginx.port}"))}
    done = daemons.install(nginx.daemon, wanted)
    assert done == "nginx was reloaded"
    assert net.get("127.0.0.1", nginx.port) == 200
    assert units.main_pid("nginx") == pid


def test_nginx_is_restarted_where_a_reload_cannot_change_the_listener(nginx, machine):
    files.put(str(nginx.conf), owned_by_root(nginx_conf(machine, f"*:{nginx.port}")))
    nginx.begin()
    wanted = {str(nginx.conf): owned_by_root(nginx_conf(machine, f"127.0.0.1:{nginx.port}"))}
    assert daemons.install(nginx.daemon, wanted) == (
        "nginx was restarted, because a reload cannot change where it listens in this way"
    )
    assert {one["address"] for one in net.listeners() if one["port"] == nginx.port} == {"127.0.0.1"}


def test_nginx_serves_the_old_files_when_it_cannot_listen_where_it_should(nginx, machine):
    old = free_port()
    files.put(str(nginx.conf), owned_by_root(nginx_conf(machine, f"127.0.0.1:{old}")))
    nginx.begin()
    with socket.create_server(("127.0.0.1", nginx.port)):
        # Listening is not enough: the port is another program's.
        wrong = daemons.Daemon(**{**vars(nginx.daemon), "listeners": (("127.0.0.2", nginx.port),)})
        with pytest.raises(CommandExecutionError, match=f"does not listen on 127.0.0.2:{nginx.port}"):
            daemons.install(wrong, {str(nginx.conf): owned_by_root(nginx_conf(machine, f"127.0.0.1:{nginx.port}"))})
    assert f"127.0.0.1:{old}" in nginx.conf.read_text()
    assert waiting.wait_for(lambda: net.get("127.0.0.1", old) == 200, 5)


def test_a_daemon_that_does_not_run_just_gets_its_files(nginx, machine):
    wanted = {str(nginx.conf): owned_by_root(nginx_conf(machine, f"127.0.0.1:{nginx.port}"))}
    assert daemons.install(nginx.daemon, wanted) == "nginx is not running"
    assert files.snapshot(wanted) == wanted


def test_an_unknown_group_leaves_everything_as_it_was(nginx, machine):
    wanted = {
        str(nginx.conf): owned_by_root(nginx_conf(machine, "127.0.0.1:80")),
        str(nginx.conf.parent / "b"): dataclasses.replace(owned_by_root("b"), group="no-such-group"),
    }
    with pytest.raises(CommandExecutionError, match="no-such-group"):
        daemons.install(nginx.daemon, wanted)
    assert os.listdir(nginx.conf.parent) == []


# Ports


def test_who_holds_a_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        [held] = net.holders([("127.0.0.1", port), ("127.0.0.2", port)])
        me = Path("/proc/self/comm").read_text(encoding="utf-8").strip()
        assert held == {"address": "127.0.0.1", "port": port, "held": "127.0.0.1", "program": me, "pid": os.getpid()}
    with socket.create_server(("0.0.0.0", port)):
        assert [one["held"] for one in net.holders([("192.0.2.1", port)])] == ["0.0.0.0"]
    assert net.holders([("127.0.0.1", port)]) == []


def test_a_connection_attempt_is_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert net.connect("127.0.0.1", port) == "connects"
    assert net.connect("127.0.0.1", port) == "refused"
    assert net.get("127.0.0.1", port) == "refused"
    began = time.monotonic()
    assert net.connect("192.0.2.1", 80, timeout=0.2) in ("timed out", "unreachable")
    assert time.monotonic() - began < 2
