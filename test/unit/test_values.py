import base64

import pytest

from haproxy_ha_lib import values


@pytest.mark.parametrize("text, normal", [
    ("10.0.0.1", "10.0.0.1"),
    ("203.0.113.10", "203.0.113.10"),
    ("2001:DB8::0:1", "2001:db8::1"),
])
def test_addresses_of_hosts(text, normal):
    assert values.address(text) == normal


@pytest.mark.parametrize("text", [
    "10.0.0.256", "10.0.0", "010.0.0.1", "10.0. 0.1", "10.0.0.1/24", "example.com", "", None, 167772161, ["10.0.0.1"],
    "0.0.0.0", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0",
    "ff02::1", "::ffff:10.0.0.1", "10.0.0.1\n10.0.0.2",
])
def test_what_no_host_can_have_is_no_address(text):
    with pytest.raises(values.Invalid):
        values.address(text)


CHECKS = {
    "port": (values.port, [1, 80, 65535], [0, 65536, -1, "80", 80.0, True, None]),
    "flag": (values.flag, [True, False], ["true", 1, 0, None]),
    "name": (
        values.name,
        ["app-1", "web.example.com", "1a", "a_b"],
        ["", "-a", "a b", "a\nb", "é", "a;b", 1, "a" * 128],
    ),
    "path": (
        values.path,
        ["/var/www/html", "/srv/a@b/c+d/"],
        ["", "/", "var", "/a b", "/a;b", "/a/../b", "/a/..", "/$x", "/a\n/b", "/a//b", "/a{b}"],
    ),
    "https_url": (
        values.https_url,
        ["https://api.digitalocean.com", "https://10.0.0.1:8443/v2"],
        ["http://api.digitalocean.com", "https://", "https://user@host", "https://host/ x", "https://host\nhttps://"],
    ),
    "http_url": (values.http_url, ["http://169.254.169.254", "http://[fd00::1]:80/x"], ["ftp://host", "http://a b"]),
    "repository_uri": (
        values.repository_uri,
        ["http://10.0.0.1:8080/debian", "file:/srv/apt"],
        ["/srv/apt", "http://a b/", "https://x/\ny", "[trusted=yes] http://x"],
    ),
    "agent": (
        values.agent,
        ["ocf:heartbeat:IPaddr2", "systemd:nginx.service", "stonith:fence_xvm"],
        ["IPaddr2", "ocf:x", "ocf::", "ocf:a:b c", 3],
    ),
    "line": (
        values.line,
        ["option forwardfor", "é"],
        ["", "  ", "\n", "a\nb", "a\rb", "a\0b", "a\x85b", "a\u2028b", "\ud800", 5],
    ),
    "choice": (values.choice("one", "two"), ["one"], ["three", None, 1, ["one"]]),
    "api_token": (
        values.api_token,
        ["dop_v1_" + "0" * 64],
        ["", "short", "a" * 30 + "\n" + "a" * 30, "a b" * 10, "a" * 513, 5],
    ),
    "public_key": (
        values.public_key,
        ["-----BEGIN PGP PUBLIC KEY BLOCK-----\nabc\n"],
        ["-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "-----BEGIN PGP PUBLIC KEY BLOCK-----\0", 5],
    ),
}


@pytest.mark.parametrize("check, value", [(check, value) for check, good, _ in CHECKS.values() for value in good])
def test_a_check_returns_what_is_good(check, value):
    assert check(value) == value


@pytest.mark.parametrize("name, value", [(name, value) for name, (_, _, bad) in CHECKS.items() for value in bad])
def test_a_check_refuses_what_is_bad(name, value):
    check = CHECKS[name][0]
    with pytest.raises(values.Invalid):
        check(value)


AROUND = {"gpg": "{}\n", "an editor": "{}\r\n", "a block scalar": "{}\n\n", "a slip": "{} ", "indented": "\n  {}\t\n"}
ONE_LINE = {name: (check, good) for name, (check, good, _) in CHECKS.items()
            if name not in ("port", "flag", "line", "public_key")}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", ONE_LINE)
def test_what_is_around_one_line_is_no_part_of_it(name, around):
    check, good = ONE_LINE[name]
    assert [check(AROUND[around].format(value)) for value in good] == good


@pytest.mark.parametrize("text, taken", [
    ("option\tforwardfor", "option\tforwardfor"),
    ("  indented  \n", "  indented"),
    ("x\r\n", "x"),
    ("\n\n  x\n", "  x"),
    ("log-format %ci\\ ", "log-format %ci\\ "),
    ("log-format %ci\\  \n", "log-format %ci\\ "),
])
def test_a_line_keeps_its_indentation_and_loses_what_is_behind_it(text, taken):
    assert values.line(text) == taken


def test_several_lines_are_told_to_be_several_entries():
    with pytest.raises(values.Invalid, match="of several lines, each is an entry of its own"):
        values.line("bind *:80\nbind *:81\n")


def test_text_of_one_line_has_no_line_break():
    assert values.text("s3cret\n") == values.text("s3cret\r\n") == "s3cret"
    assert values.text("<html>\r\n</html>\r\n") == "<html>\n</html>\n"


SALT, ROUNDS = "Abc./012", "rounds=5000$"


@pytest.mark.parametrize("text", [
    f"$1${SALT}${'a' * 22}", f"$2b$12${'a' * 53}", f"$2a$05${'.' * 53}", f"$2y$10${'Z' * 53}", f"$5${SALT}${'a' * 43}",
    f"$5${ROUNDS}{SALT}${'a' * 43}", f"$6${SALT}${'/' * 86}", f"$6${ROUNDS}{SALT}${'a' * 86}",
    f"$y$j9T${SALT}${'a' * 43}", f"$gy$j9T${SALT}${'a' * 43}", f"$7$CU..../....{SALT}${'a' * 43}",
    "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
])
def test_hashes_of_crypt(text):
    assert values.is_hash(text)


@pytest.mark.parametrize("text", [
    "$ecret-word12", "$6$short", "$5$salt$" + "a" * 42, f"$6${SALT}${'a' * 87}", "$2b$12$" + "a" * 52, "$1$$$$$$$$",
    "$9$salt$" + "a" * 43, "pa$$word", "$$$$$$$$", "$y$", f"x$1${SALT}${'a' * 22}", f"$6${SALT}${'-' * 86}", "6$a$b",
])
def test_passwords_with_dollars_are_no_hashes(text):
    assert not values.is_hash(text)


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
ENCRYPTED = {
    "PKCS #8": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    "RSA": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n"
           "-----END RSA PRIVATE KEY-----\n",
    "EC, from Windows": "-----BEGIN EC PRIVATE KEY-----\r\nProc-Type: 4, ENCRYPTED\r\n\r\nAAAA\r\n"
                        "-----END EC PRIVATE KEY-----\r\n",
    "indented": "   -----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n   -----END ENCRYPTED PRIVATE KEY-----\n",
    "cut off": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n",
}


@pytest.mark.parametrize("check", [values.certificate, values.quorum_certificate])
@pytest.mark.parametrize("case", ENCRYPTED)
def test_an_encrypted_private_key_is_refused_by_its_first_lines(case, check):
    with pytest.raises(values.Invalid, match="without a passphrase"):
        check(CERTIFICATE + ENCRYPTED[case])


def test_an_authkey_may_be_folded_over_lines():
    key = base64.b64encode(bytes(range(256))).decode()
    assert values.authkey(f"{key[:70]}\n  {key[70:]}\n") == key


@pytest.mark.parametrize("value, part", [
    ("not base64!", "this is not base64"),
    ("é" * 200, "this is not base64"),
    (base64.b64encode(bytes(127)).decode(), "this is base64 of 127"),
    (base64.b64encode(bytes(4097)).decode(), "this is base64 of 4097"),
    (42, "random bytes"),
])
def test_why_an_authkey_is_refused(value, part):
    with pytest.raises(values.Invalid, match=part):
        values.authkey(value)
