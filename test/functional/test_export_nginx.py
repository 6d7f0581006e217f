"""nginx's files of any origin: what nginx says of them, and of what comes back from pillar."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import files
from haproxy_ha_lib.files.entry import FileEntry
from support import certificates, documents
from support import exported_nginx as exported
from support.pillars import changed, rendered
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("nginx", "openssl", "dpkg-query"),
    pytest.mark.skipif(not in_container(), reason="writes to /etc/nginx of the container that has the daemons"),
]
NGINX = Path(exported.DIRECTORY)
REFUSED = {"broken", "lua", "tutorial"}
"""What nginx does not take here: an error, a module that is not there, a log format of another file."""


@pytest.fixture(scope="module", autouse=True)
def _certificate(tmp_path_factory):
    with certificates.installed(Path("/run/exported-nginx.pem"), tmp_path_factory.mktemp("pem")):
        yield


@pytest.fixture
def etc(own_addresses):
    """nginx's directory, without its default site, and afterwards as it was."""
    kept = subprocess.run(["tar", "-cC", NGINX, "."], capture_output=True, check=True).stdout
    (NGINX / "sites-enabled/default").unlink()
    yield NGINX
    subprocess.run(["find", NGINX, "-mindepth", "1", "-delete"], check=True)
    subprocess.run(["tar", "-xC", NGINX], input=kept, check=True)


def put(name):
    """A configuration where its like is: a site with its link, or nginx.conf; returns its path below /etc/nginx."""
    place = "nginx.conf" if name == "whole" else f"sites-available/{name}"
    (NGINX / place).write_bytes(exported.CONFIGURATIONS[name].read_bytes())
    if name != "whole":
        (NGINX / "sites-enabled" / name).symlink_to(f"../{place}")
    return place


def said():
    """What nginx says of what is there: the code, and its words but for numbers of lines."""
    done = subprocess.run(["nginx", "-t"], capture_output=True, text=True, check=False)
    words = re.sub(r":\d+$", "", done.stderr, flags=re.MULTILINE)
    return done.returncode, re.sub(r"(?m)^\S+ \S+ (?=\[)|\d+#\d+: ", "", words)


@pytest.mark.parametrize("name", exported.CONFIGURATIONS)
def test_nginx_says_the_same_of_what_people_have(name, etc):
    place = put(name)
    before = said()
    made = exported.entries(exported.pillar({place: exported.text_of(name)}))[place]
    files.install({str(etc / place): FileEntry(rendered(made))})
    assert said() == before
    assert (before[0] != 0) == (name in REFUSED)


def test_what_nginx_reads_is_exported_but_for_what_packages_brought(etc, minions):
    put("websocket")
    (etc / "conf.d/format.conf").write_text("log_format haproxy_log '$remote_addr';\ninclude snippets/own.conf;\n")
    (etc / "snippets/own.conf").write_text("server_tokens off;\n")
    (etc / "sites-available/idle").write_text("server { }\n")
    (etc / "sites-enabled/away").symlink_to("/run/exported-away.conf")
    Path("/run/exported-away.conf").write_text("# away\n")
    printed = minions("app-1").modules.haproxy_ha.export(daemon="nginx")
    nginx = printed["haproxy_ha"]["nginx"]
    assert sorted(nginx["files"]) == ["conf.d/format.conf", "sites-available/websocket", "snippets/own.conf"]
    assert nginx["links"] == {"sites-enabled/websocket": "../sites-available/websocket"}
    assert printed["notes"][-1].endswith("not below /etc/nginx: /etc/nginx/sites-enabled/away")
    (etc / "nginx.conf").write_text((etc / "nginx.conf").read_text() + "# mine\n")
    assert "nginx.conf" in minions("app-1").modules.haproxy_ha.export(daemon="nginx")["haproxy_ha"]["nginx"]["files"]


def test_the_first_run_changes_no_line_and_the_second_nothing(etc, minions, single):
    (etc / "conf.d/format.conf").write_text("log_format haproxy_log '$remote_addr';\n")
    placed = (etc / put("tutorial"), etc / put("secrets"), etc / "conf.d/format.conf")
    there = {path: path.read_text() for path in placed}
    links = {path: path.readlink() for path in (etc / "sites-enabled").iterdir()}
    minion = minions("app-1")
    nginx = minion.modules.haproxy_ha.export(daemon="nginx", secrets=True)["haproxy_ha"]["nginx"]
    pillar = changed({"nginx": nginx})
    dry = single("haproxy_ha.files", "nginx", pillar, "app-1", test=True)
    assert (dry["result"], sorted(dry["changes"])) == (None, sorted(map(str, there)))
    for change in dry["changes"].values():
        assert [line for line in change["old"].splitlines() if line.startswith("- ")] == []
        assert [line for line in change["new"].splitlines() if line.startswith("+ ")] == [f"+ {exported.HEAD}".strip()]
    assert {path: path.read_text() for path in there} == there
    assert single("haproxy_ha.files", "nginx", pillar, "app-1")["result"] is True
    assert {path: path.read_text() for path in there} == {path: exported.HEAD + text for path, text in there.items()}
    assert {path: path.readlink() for path in (etc / "sites-enabled").iterdir()} == links
    assert single("haproxy_ha.files", "nginx", pillar, "app-1")["changes"] == {}


def test_a_file_that_pillar_no_longer_names_goes_but_for_nginx_conf(etc, minions, single):
    put("websocket"), put("whole")
    pillar = changed({"nginx": minions("app-1").modules.haproxy_ha.export(daemon="nginx")["haproxy_ha"]["nginx"]})
    assert single("haproxy_ha.files", "nginx", pillar, "app-1")["result"] is True
    pillar["nginx"].update(files={}, links={})
    gone = [str(etc / "sites-available/websocket"), str(etc / "sites-enabled/websocket")]
    assert sorted(single("haproxy_ha.files", "nginx", pillar, "app-1", test=True)["changes"]) == gone
    assert single("haproxy_ha.files", "nginx", pillar, "app-1")["result"] is True
    assert (etc / "nginx.conf").exists() and not (etc / "sites-available/websocket").exists()
    assert single("haproxy_ha.files", "nginx", pillar, "app-1")["changes"] == {}


def test_the_document_s_example_is_what_an_export_prints(etc, minions):
    [shown] = [one.text for one in documents.examples() if one.place == "docs/adopt.md, An nginx that is there already"]
    nginx = yaml.safe_load(shown.replace("private", "10.132.20.236"))["haproxy_ha"]["nginx"]
    for path, lines in nginx["files"].items():
        (etc / path).write_text("\n".join([*lines, ""]))
    for path, target in nginx["links"].items():
        (etc / path).symlink_to(target)
    assert minions("app-1").modules.haproxy_ha.export(daemon="nginx")["haproxy_ha"]["nginx"] == nginx
    assert exported.again("listen 10.132.20.236:80;") == "listen 10.132.20.236:80;\n"


def test_a_file_or_a_directory_is_exported(etc, minions, tmp_path):
    export = minions("app-1").modules.haproxy_ha.export
    put("websocket")
    (tmp_path / "shop").write_text("server { }\n")
    (tmp_path / "whole").write_bytes(exported.CONFIGURATIONS["whole"].read_bytes())
    of_directory = export(path=str(tmp_path), daemon="nginx")["haproxy_ha"]["nginx"]
    assert [*of_directory["files"]] == ["conf.d/shop.conf", "nginx.conf"]
    named = export(path="/etc/nginx/sites-enabled/websocket")["haproxy_ha"]["nginx"]
    assert ([*named["files"]], [*named["links"]]) == (["sites-available/websocket"], ["sites-enabled/websocket"])


def test_what_cannot_be_is_one_message(etc, minions, tmp_path):
    export = minions("app-1").modules.haproxy_ha.export
    put("broken")
    with pytest.raises(CommandExecutionError, match="refuses its configuration:\n.*in /etc/nginx/sites-enabled/broken"):
        export(daemon="nginx")
    with pytest.raises(SaltInvocationError, match="daemon: found 'apache', allowed: haproxy, nginx"):
        export(daemon="apache")
    (tmp_path / "x").write_bytes(b"\xff\x00")
    with pytest.raises(CommandExecutionError, match="conf.d/x.conf, line 1: allowed"):
        export(path=str(tmp_path / "x"), daemon="nginx")
