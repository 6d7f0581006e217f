"""
What the shipped HAProxy configuration costs: requests per second and latency beside a hand-written one, and the time to
render and check a large pool. `make bench` shows the figures.
"""

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from haproxy_ha_host import daemons, net, waiting
from haproxy_ha_lib.files import layout
from haproxy_ha_lib.files.entry import FileEntry
from haproxy_ha_lib.settings import build
from support.pillars import DEFAULTS, changed, rendered, text_of, valid
from support.place import addresses, in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "nginx", "wrk"),
    pytest.mark.skipif(not in_container(), reason="takes addresses: runs in the container that has the daemons"),
]
ANCHOR, APPS = "10.17.1.18", ("10.132.20.236", "10.132.20.237")
ROUNDS, SECONDS = 9, 1
CFG = "/etc/haproxy/haproxy.cfg"

# The distribution's file with the tutorial's lines.
BY_HAND = """\
global
    log /dev/log local0
    log /dev/log local1 notice
    chroot /var/lib/haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin
    stats timeout 30s
    user haproxy
    group haproxy
    daemon
defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 5000
    timeout client 50000
    timeout server 50000
    option forwardfor
    option http-server-close
frontend http
    bind 10.17.1.18:80
    default_backend app_pool
backend app_pool
    server app-1 10.132.20.236:80 check
    server app-2 10.132.20.237:80 check
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    """Two app servers that answer at once."""
    directory = tmp_path_factory.mktemp("nginx")
    servers = "".join(f"server {{ listen {address}:80; return 200 'Droplet\\n'; }}" for address in APPS)
    conf = directory / "nginx.conf"
    conf.write_text(
        f"pid {directory}/pid; worker_processes 1; events {{ worker_connections 4096; }} "
        f"http {{ access_log off; keepalive_requests 1000000; {servers} }}", encoding="utf-8",
    )  # fmt: skip
    with addresses(ANCHOR, *APPS):
        subprocess.run(["nginx", "-c", conf], check=True)
        yield
        subprocess.run(["nginx", "-c", conf, "-s", "stop"], check=True)


def install(built):
    """The set of files of a load balancer, where production has it."""
    for path, entry in layout.daemon_files(built)["haproxy"].items():
        Path(path).write_text(rendered(entry), encoding="utf-8")


@contextlib.contextmanager
def haproxy(text, directory):
    """HAProxy with a configuration."""
    Path("/run/haproxy").mkdir(exist_ok=True)
    cfg, pid = directory / "haproxy.cfg", directory / "pid"
    cfg.write_text(text, encoding="utf-8")
    subprocess.run(["haproxy", "-D", "-f", cfg, "-p", pid], check=True, capture_output=True)
    assert waiting.wait_for(lambda: net.get(ANCHOR, 80) == 200, 5)
    try:
        yield int(pid.read_text(encoding="ascii").split()[0])
    finally:
        subprocess.run(["kill", *pid.read_text(encoding="ascii").split()], check=True)
        assert waiting.wait_for(lambda: net.connect(ANCHOR, 80) == "refused", 5)


def cpu_seconds(pid):
    """What a process has taken of the processor (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(pid):
    """Requests per second, the 99th percentile of the latency in milliseconds, and requests per second of HAProxy's
    own processor time, which does not depend on what else the machine does."""
    before = cpu_seconds(pid)
    wrk = ["wrk", "-t1", "-c32", f"-d{SECONDS}s", "--latency", f"http://{ANCHOR}/"]
    said = subprocess.run(wrk, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", said).groups()
    requests = int(re.search(r"(\d+) requests in", said)[1])
    return rate, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit], requests / (cpu_seconds(pid) - before)


def test_requests_per_second_beside_a_hand_written_configuration(nginx, tmp_path, capsys):
    """In turn, so that whatever else the machine does meets all of them."""
    shipped, kept = valid(), valid({"haproxy:keep_alive": True})
    install(shipped)
    texts = {
        "by hand": BY_HAND,
        "shipped": text_of(shipped, "haproxy", CFG),
        "shipped, keep_alive": text_of(kept, "haproxy", CFG),
    }
    found = {name: [] for name in texts}
    for _ in range(ROUNDS):
        for name, text in texts.items():
            with haproxy(text, tmp_path) as pid:
                found[name].append(measure(pid))
    median = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)] for name, rounds in found.items()
    }
    with capsys.disabled():
        print()
        for name, (rate, p99, cpu) in median.items():
            print(f"  {name:20} {rate:8.0f} requests/s  p99 {p99:6.2f} ms  {cpu:8.0f} requests per second of CPU")
        shares = [one / other for one, other in zip(median["shipped"], median["by hand"], strict=True)]
        print(f"  shipped / by hand: {shares[0]:.3f} requests/s, {shares[2]:.3f} by CPU")
    assert shares[2] >= 0.97


def test_a_pool_of_a_thousand_servers_is_rendered_and_checked(capsys):
    """At most twice the time that HAProxy takes alone to check the file."""
    apps = {f"app-{number}": {"private_ip": f"10.150.{number // 250}.{number % 250 + 1}"} for number in range(1000)}
    tree = changed({"app_servers": apps})
    daemon = daemons.Daemon("haproxy", "haproxy", "/etc/haproxy", ("-c", "-f", CFG))

    def ours():
        built = build.settings(tree, "primary", DEFAULTS)
        assert built.errors == []
        entries = layout.daemon_files(built, build.secrets(tree))["haproxy"]
        wanted = {path: FileEntry(rendered(entry), mode="0644") for path, entry in entries.items()}
        assert daemons.refusal(daemon, wanted) is None
        return wanted

    def alone():
        subprocess.run([shutil.which("haproxy"), "-c", "-f", CFG], check=True, capture_output=True)

    for path, entry in ours().items():
        Path(path).write_text(entry.content, encoding="utf-8")
    taken = {function: [] for function in (ours, alone)}
    for _ in range(9):
        for function, times in taken.items():
            began = time.perf_counter()
            function()
            times.append(time.perf_counter() - began)
    both, check = (statistics.median(times) for times in taken.values())
    with capsys.disabled():
        print(f"\n  1,000 servers: rendered and checked {both * 1000:.0f} ms, haproxy -c alone {check * 1000:.0f} ms")
    assert both <= 2 * check
