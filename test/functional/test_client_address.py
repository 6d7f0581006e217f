"""Who is answered and whose address is believed, with a real HAProxy before a real nginx: in the daemons' container."""

import http.client
import os
import signal
import subprocess
from pathlib import Path

import pytest

from haproxy_ha_host import net, waiting
from haproxy_ha_lib.files import layout
from support.pillars import REMOVED, rendered, text_of, valid
from support.place import addresses, in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "nginx", "ip"),
    pytest.mark.skipif(not in_container(), reason="takes addresses: runs in the container that has the daemons"),
]
ANCHOR, BALANCER, APP, CLIENT, OTHER = "10.17.1.18", "10.132.20.10", "10.132.20.236", "198.51.100.7", "10.132.20.99"
LOG = Path("/var/log/nginx/access.log")


@pytest.fixture(scope="module", autouse=True)
def _addresses():
    with addresses(ANCHOR, BALANCER, APP, CLIENT, OTHER):
        yield


@pytest.fixture(params=["log", "real_ip", "proxy_protocol"])
def how(request, tmp_path):
    """The two tiers with a way to learn the client's address. On one machine HAProxy has to be told where it is."""
    changes = {"nginx:client_address": request.param, "app_servers:app-1:options": [f"source {BALANCER}"],
               "app_servers:app-2": REMOVED, "nginx:site:options": ["location / { return 200 'here'; }"]}
    conf = tmp_path / "nginx.conf"
    entries = layout.daemon_files(valid(changes, "app-1"))["nginx"].values()
    files = [entry for entry in entries if entry and entry.template]
    http_block = "\n".join(map(rendered, files))
    conf.write_text(f"pid {tmp_path}/nginx.pid;\nevents {{}}\nhttp {{\n{http_block}\n}}\n", encoding="utf-8")
    subprocess.run(["nginx", "-c", conf], check=True)
    cfg, pid = tmp_path / "haproxy.cfg", tmp_path / "haproxy.pid"
    text = text_of(valid(changes), "haproxy", "/etc/haproxy/haproxy.cfg")
    cfg.write_text(text.replace("server-state-file", "# server-state-file"), encoding="utf-8")
    Path("/run/haproxy").mkdir(exist_ok=True)
    subprocess.run(["haproxy", "-D", "-f", cfg, "-p", pid], check=True, capture_output=True)
    assert waiting.wait_for(lambda: net.get(ANCHOR, 80) == 200, 5)
    yield request.param
    os.kill(int(pid.read_text(encoding="ascii").split()[0]), signal.SIGKILL)
    subprocess.run(["nginx", "-c", conf, "-s", "stop"], check=True)
    assert waiting.wait_for(lambda: net.connect(APP, 80) == net.connect(ANCHOR, 80) == "refused", 5)


def get(source, target, lie="", before=b""):
    """The status of a request from one of the addresses, with a header X-Forwarded-For."""
    connection = http.client.HTTPConnection(target, 80, timeout=5, source_address=(source, 0))
    connection.connect()
    connection.sock.sendall(before)
    connection.request("GET", "/", headers={"X-Forwarded-For": lie, "Connection": "close"})
    status = connection.getresponse().status
    connection.close()
    return status


def last_line():
    return LOG.read_text(encoding="utf-8").splitlines()[-1]


def test_the_client_is_known_whatever_it_says(how):
    assert get(CLIENT, ANCHOR, lie="192.0.2.66") == 200
    said = f"ProxyIP: {BALANCER} - ClientIP: {CLIENT} - "
    assert waiting.wait_for(lambda: last_line().startswith(said), 5), last_line()


def test_who_is_no_load_balancer_is_refused_whatever_it_says(how):
    before = f"PROXY TCP4 {BALANCER} {APP} 1 80\r\n".encode() if how == "proxy_protocol" else b""
    assert get(OTHER, APP, lie=BALANCER, before=before) == 403
    assert get(BALANCER, APP, before=before) == 200


def test_the_probes_of_verify_find_it_so(how):
    proxied = how == "proxy_protocol"
    assert net.get(APP, 80, proxied=proxied) == 403
    assert net.get(APP, 80, proxied=not proxied) in (400, "BadStatusLine", "RemoteDisconnected", "ConnectionResetError")
