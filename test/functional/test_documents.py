"""
README and docs/ are programs: every example is taken from its document, given to the real daemons, and seen to do what
the text beside it says; every command is resolved (test/lab/test_21_documents.py types them). An example that no test
here knows of is a failure.
"""

import contextlib
import copy
import http.client
import http.server
import inspect
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from haproxy_ha_host import commands, net, nss, waiting
from haproxy_ha_lib import corosync
from haproxy_ha_lib.cluster import objects
from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.settings import build
from support import REPOSITORY, documents, not_typed
from support.certificates import Authority, self_signed
from support.pillars import DEFAULTS, EXAMPLE, text_of
from support.place import addresses, in_container, requires_tools
from support.seen_elsewhere import ELSEWHERE

pytestmark = [
    requires_tools("haproxy", "nginx", "corosync", "crm_verify", "openssl", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]

EXAMPLES = {example.place: example for example in documents.examples()}
SEEN = {}
BEFORE = ("keepalived",)
"""Services that a machine had before the formula."""

COROSYNC_CONF = "/etc/corosync/corosync.conf"
ANCHOR, PRIVATE = "10.17.1.18", "10.132.20.10"
APPS = {"app-1": "10.132.20.236", "app-2": "10.132.20.237"}
CERTIFICATES = Path("/etc/letsencrypt/live/www.example.com")


@pytest.fixture(scope="module", autouse=True)
def _addresses():
    with addresses(ANCHOR, PRIVATE, "10.132.20.11", "10.132.20.50", *APPS.values()):
        yield


@pytest.fixture(scope="module", autouse=True)
def _certificates(tmp_path_factory):
    """What certbot has put on the load balancer; a machine of its own is thrown away, and so is this."""
    paths = self_signed(tmp_path_factory.mktemp("pem"), "www.example.com")
    CERTIFICATES.mkdir(parents=True, exist_ok=True)
    for path, name in zip(paths, ("fullchain.pem", "privkey.pem"), strict=True):
        (CERTIFICATES / name).write_bytes(path.read_bytes())
    partners = Authority(tmp_path_factory.mktemp("pem") / "partners")
    shutil.copy(partners.certificate, "/etc/haproxy/partners.pem")
    partners.list_revoked(Path("/etc/haproxy/partners.crl"))


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    """What stands in the place of each value that a document leaves out: by the key that it belongs to."""
    pem = "".join(path.read_text() for path in self_signed(tmp_path_factory.mktemp("pem"), "shop.example.com"))
    helper, balancer = nss.generate("haproxy_ha")
    return {
        "pem": pem, "api_token": EXAMPLE["floating_ip"]["api_token"], "authkey": EXAMPLE["cluster"]["authkey"],
        "helper_pem": helper, "balancer_pem": balancer,
    }  # fmt: skip


def shows(*places):
    """A test that sees each of these examples do what the text beside it says."""

    def mark(test):
        SEEN.update(dict.fromkeys(places, test.__name__))
        return pytest.mark.parametrize("example", [*map(EXAMPLES.get, places)], ids=places)(test)

    return mark


def given(example, secrets):
    """The tree of an example, with the values that it leaves out."""
    tree = yaml.safe_load(example.text)
    assert list(tree) == ["haproxy_ha"], f"{example.place}: an example shows where it stands, below haproxy_ha"
    return filled(tree["haproxy_ha"], secrets)


def filled(value, secrets, key=None):
    if isinstance(value, dict):
        return {name: filled(inner, secrets, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, secrets, key) for inner in value]
    if isinstance(value, str) and value.strip().endswith("..."):
        return secrets[key]
    return value


def laid_over(base, over):
    """Pillar's own way: mappings merge, all else replaces."""
    if not isinstance(over, dict) or not isinstance(base, dict):
        return copy.deepcopy(over)
    return {**base, **{key: laid_over(base.get(key), value) for key, value in over.items()}}


def pillar_of(example, secrets):
    """The whole tree: one that names its own floating IP and machines stands alone, another one is beside the usual."""
    tree = given(example, secrets)
    return tree if {"floating_ip", "load_balancers"} <= set(tree) else laid_over(EXAMPLE, tree)


def built(pillar, minion):
    made = build.settings(pillar, minion, DEFAULTS)
    assert made.errors == [], made.errors
    return made


# One that moves nginx's site would leave this machine with two: test_platforms.py has such an nginx of its own.
PILLARS = [
    place for place, example in EXAMPLES.items()
    if example.text.startswith("haproxy_ha:") and "nginx_site:" not in example.text
]  # fmt: skip


def test_every_example_is_seen_to_do_what_its_text_says():
    assert set(SEEN) | set(ELSEWHERE) == set(EXAMPLES)
    for name, test in ELSEWHERE.values():
        assert f"def {test}(" in read(f"test/functional/{name}")


# By the real daemons


@pytest.mark.parametrize("place", PILLARS)
def test_the_daemons_take_what_an_example_makes(place, secrets, single):
    """On each machine that it names: HAProxy, nginx and corosync check their files, and install them."""
    pillar = pillar_of(EXAMPLES[place], secrets)
    for minion in ("primary", "secondary"):
        assert built(pillar, minion).roles[0] == "load_balancer"
        for daemon in ("haproxy", "corosync"):
            state = single("haproxy_ha.files", daemon, pillar, minion)
            assert state["result"] is True, state["comment"]
    for minion, machine in pillar["app_servers"].items():
        if machine.get("managed", True):
            state = single("haproxy_ha.files", "nginx", pillar, minion)
            assert state["result"] is True, state["comment"]


@pytest.mark.parametrize("place", PILLARS)
def test_the_cluster_takes_what_an_example_makes(place, secrets, minions, tmp_path):
    from support.cibs import TWO_NODES as CIB

    cib = tmp_path / "cib.xml"
    cib.write_text(CIB.replace('"n1"', '"primary"').replace('"n2"', '"secondary"'), encoding="utf-8")
    wanted = built(pillar_of(EXAMPLES[place], secrets), "primary").cluster.configuration
    modules = minions("primary").modules
    done = modules.pacemaker.apply(wanted, cib_file=str(cib))
    assert {"primitive haproxy", "primitive FloatIP"} <= set(done["changes"])
    assert modules.pacemaker.plan(wanted, cib_file=str(cib))["changes"] == {}


# What the texts say


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that it got, and its server's name."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.server.name}\n{self.path}\n{self.headers}".encode())

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True


@contextlib.contextmanager
def web_server(name, address, port=80):
    server = Server((address, port), Page)
    server.name = name
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def balancer(single, pillar):
    """HAProxy with what the example makes of its files, and the app servers behind it."""
    assert single("haproxy_ha.files", "haproxy", pillar)["result"] is True
    with contextlib.ExitStack() as stack:
        for name, address in APPS.items():
            stack.enter_context(web_server(name, address))
        Path("/run/haproxy").mkdir(exist_ok=True)
        process = subprocess.Popen(["haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg"], stderr=subprocess.DEVNULL)
        stack.callback(process.wait, 10)
        stack.callback(process.send_signal, signal.SIGKILL)
        assert waiting.wait_for(lambda: net.connect(ANCHOR, 80) == "connects", 5)
        yield


def ask(port=80, path="/", tls=None, name="www.example.com", headers=None, address=ANCHOR):
    """(status, headers, text) of a request through the load balancer; ``tls``: an SSLContext."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    if tls is not None:
        connection.sock = tls.wrap_socket(socket.create_connection((address, port), 5), server_hostname=name)
    try:
        connection.request("GET", path, headers={"Host": name, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def client(**options):
    """An SSLContext of a client that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for key, value in options.items():
        setattr(context, key, value)
    return context


@shows("README.md, Use it")
def test_what_readme_says_is_all_that_is_needed_serves_from_both_app_servers(example, secrets, single):
    pillar = pillar_of(example, secrets)
    assert "load_balancers" in given(example, secrets)
    with balancer(single, pillar):
        assert {ask()[2].splitlines()[0] for _ in range(4)} == set(APPS)


@shows("README.md, Addresses")
def test_the_mine_function_gives_the_addresses_that_pillar_leaves_out(example, minions):
    [(name, arguments)] = yaml.safe_load(example.text)["mine_functions"].items()
    function = minions("primary").modules[name]
    inspect.signature(function).bind(*arguments)
    tree = copy.deepcopy(EXAMPLE) | {"mine": True, "load_balancers": {"primary": None, "secondary": None}}
    sent = {one: {"private_ip": f"10.132.20.{number}", "anchor_ip": f"10.17.1.{number}", "public_ip": "203.0.113.9"}
            for number, one in enumerate(("primary", "secondary"), 20)}
    made = build.settings(tree, "primary", DEFAULTS, sent["primary"], sent)
    assert (made.errors, made.load_balancers["secondary"].private_ip) == ([], "10.132.20.21")


@shows("docs/adopt.md, 3. Go on to the formula")
def test_the_pillar_that_keeps_a_corosync_built_by_hand_takes_no_restart(example, secrets):
    wanted = corosync.keys(text_of(built(pillar_of(example, secrets), "primary"), "corosync", COROSYNC_CONF))
    by_hand = {**wanted, "nodelist.local_node_pos": "0", "totem.token": "3000"}
    assert [by_hand[f"nodelist.node.{at}.nodeid"] for at in (0, 1)] == ["1", "2"]
    assert by_hand["totem.cluster_name"] == "lbcluster"
    assert corosync.fixed_differences(by_hand, wanted) == []
    usual = corosync.keys(text_of(built(EXAMPLE, "primary"), "corosync", COROSYNC_CONF))
    assert corosync.keeping(by_hand, usual, "primary") == (
        {"cluster": {"name": "lbcluster"}, "load_balancers": given(example, secrets)["load_balancers"]}, False
    )


@shows("docs/adopt.md, 3. Go on to the formula, 2")
def test_what_is_replaced_goes_in_the_commit_that_brings_what_replaces_it(example, secrets, minions, tmp_path):
    from support.cibs import TWO_NODES as CIB

    (tmp_path / "cib.xml").write_text(CIB, encoding="utf-8")
    modules, cib = minions("primary").modules, str(tmp_path / "cib.xml")
    by_hand = {"primitives": {"lb": {"agent": "systemd:haproxy"}}, "clones": {"lb-clone": {"resource": "lb"}}}
    modules.pacemaker.apply(by_hand, cib_file=cib, owner="somebody")
    wanted = built(pillar_of(example, secrets), "primary").cluster.configuration
    usual, moving = (pair := built(EXAMPLE, "primary")).cluster.configuration, pair.moving
    [text] = objects.twins(usual, modules.pacemaker.foreign(usual, cib_file=cib), moving)
    assert "primitive lb (systemd:haproxy) runs HAProxy" in text
    assert list(objects.twins(wanted, modules.pacemaker.foreign(wanted, cib_file=cib), moving)) == []
    assert "belongs to the owner somebody" in modules.pacemaker.plan(wanted, cib_file=cib)["refused"][0]
    done = modules.pacemaker.apply(wanted, cib_file=cib, take_over=True)
    assert {"primitive lb", "clone lb-clone", "primitive haproxy"} <= set(done["changes"])


@shows("docs/http.md, HTTPS")
def test_https_is_served_by_name_and_the_application_is_told(example, secrets, single):
    with balancer(single, pillar_of(example, secrets)):
        status, headers, _ = ask()
        assert (status, headers["location"]) == (301, "https://www.example.com/")
        for name in ("www.example.com", "shop.example.com", "other.example.com"):
            with socket.create_connection((ANCHOR, 443), 5) as raw, client().wrap_socket(
                raw, server_hostname=name
            ) as tls:
                shown = subprocess.run(
                    ["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=tls.getpeercert(True),
                    capture_output=True, check=True,
                ).stdout.decode()  # fmt: skip
                assert shown.strip().endswith("www.example.com" if name.startswith("other") else name)
        told = ask(443, tls=client(), headers={"X-Forwarded-Proto": "http"})[2]
        assert re.findall(r"(?im)^x-forwarded-proto: (.*)$", told) == ["https"]
        offered = client()
        offered.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection((ANCHOR, 443), 5) as raw, offered.wrap_socket(raw) as tls:
            assert tls.selected_alpn_protocol() == "h2"
        old = client(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection((ANCHOR, 443), 5) as raw, pytest.raises((ssl.SSLError, ConnectionResetError)):
            old.wrap_socket(raw)


@shows("docs/http.md, A certificate's first time, and its renewal")
@pytest.mark.parametrize("runs_on", [PRIVATE, "10.132.20.11"], ids=["this load balancer", "the other one"])
def test_the_authority_reaches_certbot_on_whichever_load_balancer_it_runs(example, secrets, single, runs_on):
    pillar = pillar_of(example, secrets)
    port = int(re.search(r"--http-01-port (\d+)", read("docs/http.md"))[1])
    with balancer(single, pillar), web_server("certbot", runs_on, port):
        for _ in range(3):  # in turn: the server that does not listen comes first as well
            assert ask(path="/.well-known/acme-challenge/token")[2].startswith("certbot\n")
        assert ask()[2].splitlines()[0] in APPS


@shows("docs/http.md, A certificate's first time, and its renewal, 2")
def test_haproxy_answers_a_challenge_by_itself_before_the_redirect(example, secrets, single):
    pillar = laid_over(pillar_of(EXAMPLES["docs/http.md, HTTPS"], secrets), given(example, secrets))
    with balancer(single, pillar):
        assert ask(path="/.well-known/acme-challenge/a-Token_1")[::2] == (200, "a-Token_1.THUMBPRINT")
        assert ask(path="/other")[0] == 301


def test_the_hook_for_renewed_certificates_is_a_script_that_runs(tmp_path):
    """Its first comment is where it belongs, and a stand-in of salt-call gets what it runs."""
    block = [line.text for line in documents.lines()
             if (line.document, line.block) == ("docs/http.md", "code") and "renewal" in line.heading]
    begins = next(number for number, text in enumerate(block) if text.startswith("# /etc/letsencrypt/renewal-hooks/"))
    script, program = tmp_path / "hook", tmp_path / "salt-call"
    script.write_text("\n".join(block[begins + 1 : begins + 3]) + "\n", encoding="utf-8")
    program.write_text("#!/bin/sh\necho \"$@\"\n", encoding="utf-8")
    for path in (script, program):
        path.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run([script], env=path, capture_output=True, text=True, check=True)
    assert done.stdout == "--retcode-passthrough haproxy_ha.apply_files haproxy\n"


@shows("docs/http.md, What strangers send")
def test_what_a_stranger_says_of_himself_is_removed_and_a_proxy_that_is_named_is_believed(example, secrets, single):
    lie = {"X-Forwarded-Proto": "https", "X-Real-IP": "192.0.2.66"}
    pillar = pillar_of(example, secrets)
    with balancer(single, pillar):
        assert not re.search(r"(?im)^(x-forwarded-proto: https|x-real-ip:)", ask(headers=lie)[2])
    with balancer(single, laid_over(pillar, {"haproxy": {"trust_forwarded_from": [PRIVATE, ANCHOR]}})):
        assert re.search(r"(?im)^x-real-ip: 192.0.2.66", ask(headers=lie)[2])


@shows("docs/http.md, Statistics and metrics")
def test_the_page_and_the_metrics_are_there_on_the_private_address(example, secrets, single):
    pillar = pillar_of(example, secrets)
    with balancer(single, pillar):
        assert "Statistics Report" in ask(8404, address=PRIVATE)[2]
        assert "haproxy_process_" in ask(8404, "/metrics", address=PRIVATE)[2]
        assert net.connect(ANCHOR, 8404) == "refused"
    open_to_all = laid_over(pillar, {"haproxy": {"stats": {"bind": ["anchor:8404"]}}})
    assert any("password" in error for error in build.settings(open_to_all, "primary", DEFAULTS).errors)


@shows("docs/http.md, TCP")
def test_a_proxy_in_tcp_mode_passes_bytes_to_its_servers(example, secrets, single):
    pillar = pillar_of(example, secrets)
    listen = pillar["haproxy"]["listens"]["database"]
    [bind] = listen["bind"]
    port = int(bind.rpartition(":")[2])
    servers = built(pillar, "primary").app_servers
    with contextlib.ExitStack() as stack:
        wanted = {name: servers[name].private_ip for name in listen["servers"]}
        stack.enter_context(addresses(*sorted(set(wanted.values()) - set(APPS.values()))))
        for name, address in wanted.items():
            stack.enter_context(web_server(name, address, listen["port"]))
        stack.enter_context(balancer(single, pillar))
        asked = [ask(port, address=PRIVATE)[2].splitlines()[0] for _ in range(4)]
        assert set(asked) <= set(wanted)
        assert {ask()[2].splitlines()[0] for _ in range(4)} == set(APPS)  # and no web request goes to a database


@shows("docs/http.md, IPv6")
def test_the_address_of_its_own_is_served_beside_the_one_that_moves(example, secrets, single):
    with addresses("2001:db8::21"), balancer(single, pillar_of(example, secrets)):
        assert ask()[0] == ask(address="2001:db8::21")[0] == 200


@shows("docs/quorum-helper.md, A quorum helper")
def test_the_helper_gets_its_certificate_and_corosync_counts_three_votes(example, secrets, single):
    pillar = pillar_of(example, secrets)
    [helper] = pillar["quorum_helper"]
    assert "quorum_helper" in built(pillar, helper).roles
    for which, minion in (("helper", helper), ("balancer", "primary")):
        assert single("haproxy_ha.quorum_certificates", which, pillar, minion)["result"] is True
    assert single("haproxy_ha.files", "corosync", pillar)["result"] is True
    conf = Path("/etc/corosync/corosync.conf").read_text(encoding="utf-8")
    assert f"host: {pillar['quorum_helper'][helper]['private_ip']}" in conf
    assert "two_node" not in conf


@shows("docs/digitalocean.md, Another floating IP")
def test_the_cluster_is_told_which_address_goes_for_the_new_one(example, secrets):
    tree = given(example, secrets)["floating_ip"]
    primitives = built(pillar_of(example, secrets), "primary").cluster.configuration["primitives"]
    assert primitives["FloatIP"]["params"] == {"address": tree["address"], "replaces": tree["replaces"]}


@shows("docs/digitalocean.md, Fencing")
def test_the_fence_agent_is_told_which_droplet_a_load_balancer_is(example, secrets):
    tree = given(example, secrets)["cluster"]["fencing"]["droplets"]
    primitives = built(pillar_of(example, secrets), "primary").cluster.configuration["primitives"]
    assert primitives["fencing"]["params"]["droplets"] == ";".join(f"{node}:{one}" for node, one in tree.items())


@shows("docs/hetzner.md, Hetzner Cloud")
def test_hetzners_address_is_bound_where_it_arrives(example, secrets):
    pillar = pillar_of(example, secrets)
    settings, address = built(pillar, "primary"), pillar["floating_ip"]["address"]
    primitive = settings.cluster.configuration["primitives"]["FloatIP"]
    assert (primitive["agent"], primitive["params"]) == ("ocf:haproxy_ha:hetznerip", {"address": address})
    assert f"bind {address}:80" in text_of(settings, "haproxy", "/etc/haproxy/haproxy.cfg")


@shows("docs/hetzner.md, Fencing")
def test_the_fence_agent_is_told_which_server_a_load_balancer_is(example, secrets):
    tree, pillar = given(example, secrets)["cluster"]["fencing"]["droplets"], pillar_of(example, secrets)
    pillar = laid_over(pillar, {"floating_ip": {"provider": "hetzner"}})
    device = built(pillar, "primary").cluster.configuration["primitives"]["fencing"]
    assert device["agent"] == "stonith:fence_haproxy_ha_hetzner"
    assert device["params"]["servers"] == ";".join(f"{node}:{one}" for node, one in tree.items())


ARRIVES = {"Amazon: awseip": PRIVATE, "Google: gcp-vpc-move-vip": "10.132.20.99",
           "OpenStack: openstack-floating-ip": PRIVATE}


@shows(*(f"docs/clouds.md, {name}" for name in ARRIVES))
def test_an_address_of_a_cloud_is_served_where_it_arrives(example, secrets):
    """Its agent's side of it: test_clouds.py."""
    settings, name = built(pillar_of(example, secrets), "primary"), example.place.partition(", ")[2]
    assert settings.cluster.configuration["primitives"]["FloatIP"]["agent"].endswith(name.partition(": ")[2])
    assert f"bind {ARRIVES[name]}:80" in text_of(settings, "haproxy", "/etc/haproxy/haproxy.cfg")


# Commands


def read(name):
    return (REPOSITORY / name).read_text(encoding="utf-8")


COMMANDS = sorted({(command.words, command.document) for command in documents.commands()})
OURS = ("haproxy_ha", "pacemaker", "digitalocean", "hetzner")
THEIRS = ("certbot", "acme.sh", "needrestart", "/opt/saltstack/salt/bin/python3")
"""Programs of the reader's own hosts."""


@pytest.fixture(scope="module")
def loaded(minions):
    import salt.config
    import salt.loader
    import salt.runner

    options = {**salt.config.master_config(None), "runner_dirs": [str(REPOSITORY / "_runners")]}
    return {"modules": minions("primary").modules, "runners": salt.runner.Runner(options).functions}


@pytest.mark.parametrize(("words", "document"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_a_command_can_be_given_as_it_stands(words, document, loaded):
    program, *rest = words
    if program in ("salt", "salt-call", "salt-run"):
        resolve_salt(program, rest, loaded)
    elif program == "make":
        resolve_make(rest)
    elif program == "python3":
        resolve_python(rest)
    elif program.startswith("./"):
        resolve_script(program, rest)
    else:
        assert program in THEIRS or shutil.which(program) or commands.program(program), f"no host has {program}"
        units = [word for word in rest[1:] if program in ("systemctl", "journalctl") and word[0] != "-"]
        services = {*DEFAULTS["services"].values(), *DEFAULTS["lookup"]["services"].values()}
        assert set(units) <= {*services, *BEFORE}


def resolve_salt(program, rest, loaded):
    """The function is there, and takes these arguments; an SLS is a file of the formula."""
    words = [word for word in rest if not word.startswith("--")]
    words = words[1:] if program == "salt" and words and words[0] != "-L" else words
    if not words:
        return
    name, *arguments = words
    functions = loaded["runners" if program == "salt-run" else "modules"]
    assert name in functions, f"there is no {name}"
    positional = [word for word in arguments if not re.match(r"\w+=", word)]
    named = dict(word.split("=", 1) for word in arguments if re.match(r"\w+=", word))
    for text in named.values():
        yaml.safe_load(text)
    inspect.signature(functions[name]).bind(*positional, **named)
    if name in ("state.apply", "state.orchestrate", "state.sls"):
        for sls in positional:
            assert is_sls(sls) or sls in ("own", "database"), f"there is no SLS {sls}"


def is_sls(name):
    path = REPOSITORY / name.replace(".", "/")
    return path.with_suffix(".sls").exists() or (path / "init.sls").exists()


def resolve_make(rest):
    """The target is there, and uses the variables."""
    makefile = read("Makefile")
    [target] = [word for word in rest if "=" not in word]
    recipe = re.search(rf"(?m)^{re.escape(target)}:.*\n((?:\t.*\n)+)", makefile)
    assert recipe, f"there is no target {target}"
    for name in (word.split("=", 1)[0] for word in rest if "=" in word):
        assert f"$({name})" in recipe[1] or f"$(or $({name})" in recipe[1] or f"$(if $({name})" in recipe[1], name


def resolve_python(rest):
    if rest[0] != "-m":
        assert (REPOSITORY / rest[0]).exists()
    else:
        assert find_spec(rest[1]) or list((REPOSITORY / "extension").glob(f"*/src/{rest[1].replace('.', '/')}"))


def resolve_script(program, rest):
    path = REPOSITORY / program
    assert os.access(path, os.X_OK)
    for option in rest:
        assert option in path.read_text(encoding="utf-8"), option


def test_whoever_is_excused_from_being_typed_stands_in_a_document():
    found = documents.commands()
    assert set(not_typed.LINES) <= {command.typed for command in found}
    assert set(not_typed.PAGES) <= {command.document for command in found}
    assert set(not_typed.ELSEWHERE) <= {(command.document, command.heading) for command in found}


@pytest.mark.parametrize("place", not_typed.ELSEWHERE, ids=", ".join)
def test_who_walks_a_section_elsewhere_has_what_it_names(place):
    walk = read(f"test/lab/{not_typed.ELSEWHERE[place]}")
    lines = [command.words[1:] for command in documents.commands() if (command.document, command.heading) == place]
    named = {word for words in lines for word in words if re.fullmatch(r"[a-z][a-z_.]+", word)}
    assert named and {word for word in named if word not in walk} == set()


# Names in running text


NAMES = sorted({text for _, text in documents.names()})
ON_EVERY_PAGE = sorted({text for _, text in documents.names(documents.EVERY_PAGE)})
OF_OURS = [name for name in ON_EVERY_PAGE if re.fullmatch(rf"({'|'.join(OURS)})\.[a-z_.]+", name)]


@pytest.mark.parametrize("name", OF_OURS)
def test_a_name_of_ours_is_a_function_a_state_or_a_file(name, loaded, minions):
    import salt.loader

    modules = loaded["modules"]
    states = salt.loader.states(modules.opts, modules, None, None)
    assert is_sls(name) or name in modules or name in states


KEYS = {":".join("*" if step.startswith("<") else step for step in path[1:]) for path, _ in schema.every_key()}


@pytest.mark.parametrize("name", [name for name in NAMES if re.fullmatch(r"[a-z_]+(:([a-z_*-]+|<[^>]+>))+", name)])
def test_a_path_of_pillar_is_in_the_schema(name):
    wanted = re.sub(r"<[^>]*>", "*", name).removeprefix("haproxy_ha:")
    assert any(re.fullmatch(re.escape(path).replace(r"\*", "[^:]+"), wanted) for path in KEYS), f"pillar has no {name}"


@pytest.mark.parametrize("name", [name for name in NAMES if re.fullmatch(r"[a-z_]+: .+", name)])
def test_a_setting_is_one_of_pillar_or_of_a_state(name, minions):
    import salt.loader

    [(key, value)] = yaml.safe_load(name).items()
    modules = minions("primary").modules
    states = salt.loader.states(modules.opts, modules, None, None)
    paths = [path for path in KEYS if path.rpartition(":")[2] == key]
    assert paths or key == "meta" or key in inspect.signature(states["pacemaker.configured"]).parameters
    if paths and isinstance(value, dict):
        assert any(f"{path}:{inner}" in KEYS or _is_free(path) for path in paths for inner in value), name


def _is_free(path):
    """Whether what is below a path of pillar is not the schema's, but the cluster's own."""
    return not any(key.startswith(f"{path}:") for key in KEYS)
