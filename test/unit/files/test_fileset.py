"""Sets of files as data: what differs, how it is shown, and what a daemon's complaint comes down to."""

import pytest

from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.files.entry import FileEntry


def file(content="a\n", mode="0644", group="root", secret=False):
    return FileEntry(content, mode=mode, user="root", group=group, secret=secret)


SAME = {
    "a file": (file(), file()),
    "a file whose owner nobody asks for": (file(), FileEntry("a\n", mode="0644")),
    "a link": (FileEntry(link="/x"), FileEntry(link="/x")),
    "nothing": (None, None),
}
DIFFERENT = {
    "content": (file(), file("b\n"), {"old": "@@ line 1\n- a\n", "new": "@@ line 1\n+ b\n"}),
    "mode": (file(), file(mode="0640"), {"old": "0644 root:root", "new": "0640 root:root"}),
    "group": (file(), file(group="haproxy"), {"old": "0644 root:root", "new": "0644 root:haproxy"}),
    "a new file": (None, file(), {"old": None, "new": "a\n"}),
    "a file that goes": (file(), None, {"old": "a\n", "new": None}),
    "a new link": (None, FileEntry(link="/x"), {"old": None, "new": "link to /x"}),
    "a file in place of a link": (FileEntry(link="/x"), file(), {"old": "link to /x", "new": "a\n"}),
    "a secret": (file("s1"), file("s2", secret=True), {"old": "(hidden)", "new": "(hidden)"}),
    "a new secret": (None, file("s2", secret=True), {"old": None, "new": "(hidden)"}),
    "a private file": (file("s1", "0600"), file("s2", "0600"), {"old": "(hidden)", "new": "(hidden)"}),
    "a private file that becomes public": (file("s1", "0600"), file("s2"), {"old": "(hidden)", "new": "(hidden)"}),
    "a private file that goes": (file("s1", "0400"), None, {"old": "(hidden)", "new": None}),
}


@pytest.mark.parametrize("case", SAME)
def test_what_is_as_wanted_is_no_difference(case):
    current, wanted = SAME[case]
    assert fileset.entry_equal(current, wanted)
    assert fileset.differences({"/f": current}, {"/f": wanted}) == {}


@pytest.mark.parametrize("case", DIFFERENT)
def test_a_difference_is_shown(case):
    current, wanted, shown = DIFFERENT[case]
    assert fileset.differences({"/f": current}, {"/f": wanted}) == {"/f": shown}


def test_differences_keep_the_order_of_the_set():
    wanted = {"/z": file(), "/a": file(), "/m": None}
    assert list(fileset.differences({"/m": file()}, wanted)) == ["/z", "/a", "/m"]


def test_both_sides_of_a_change_have_a_line_of_context():
    old = "".join(f"{n}\n" for n in range(1, 10))
    shown = fileset.differences({"/f": file(old)}, {"/f": file(old.replace("5\n", "five\n").replace("9\n", ""))})["/f"]
    assert shown["old"] == "@@ line 4\n  4\n- 5\n  6\n@@ line 8\n  8\n- 9\n"
    assert shown["new"] == "@@ line 4\n  4\n+ five\n  6\n@@ line 8\n  8\n"


MESSAGES = {
    "haproxy": (
        "[NOTICE]   (24187) : haproxy version is 2.6.12-1+deb12u3\n"
        "[NOTICE]   (24187) : path to executable is /usr/sbin/haproxy\n"
        "[ALERT]    (24187) : config : parsing [/etc/haproxy/haproxy.cfg:15] : unknown keyword 'x' in 'backend' "
        "section\n"
        "[ALERT]    (24187) : config : Error(s) found in configuration file : /etc/haproxy/haproxy.cfg\n"
        "[ALERT]    (24187) : config : Fatal errors found in configuration.\n",
        "parsing [/etc/haproxy/haproxy.cfg:15] : unknown keyword 'x' in 'backend' section",
    ),
    "nginx": (
        'nginx: [emerg] unknown directive "x" in /etc/nginx/conf.d/a.conf:1\n'
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n",
        'unknown directive "x" in /etc/nginx/conf.d/a.conf:1',
    ),
    "nginx, when its log is open": (
        "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
        "2026/11/23 21:19:15 [emerg] 24191#24191: bind() to 9.9.9.9:80 failed (99: Cannot assign requested address)\n"
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n",
        "bind() to 9.9.9.9:80 failed (99: Cannot assign requested address)",
    ),
    "corosync": (
        "parser error: /etc/corosync/corosync.conf:2: Line is not opening or closing section or key value\n",
        "parser error: /etc/corosync/corosync.conf:2: Line is not opening or closing section or key value",
    ),
    "corosync, later": (
        "Nov 23 21:19:15.052 error   [MAIN  ] Could not open /etc/corosync/authkey: No such file or directory\n"
        "Nov 23 21:19:15.052 error   [MAIN  ] Corosync Cluster Engine exiting with status 8 at main.c:1417.\n",
        "Could not open /etc/corosync/authkey: No such file or directory",
    ),
    "corosync, as we let it log": (
        "error   [MAIN  ] parse error in config: No valid name found for local host\n"
        "error   [MAIN  ] Corosync Cluster Engine exiting with status 8 at main.c:1445.\n",
        "parse error in config: No valid name found for local host",
    ),
    "only noise": ("[NOTICE]   (1) : haproxy version is 2.6\n", "[NOTICE]   (1) : haproxy version is 2.6"),
    "twice the same": ("nginx: [emerg] x\nnginx: [emerg] x\n", "x"),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_a_daemons_complaint(case):
    output, message = MESSAGES[case]
    assert fileset.daemon_message(output) == message


@pytest.mark.parametrize("line, shown", [
    ("    stats auth admin:s3cret", "    stats auth admin:(hidden)"),
    ("    user joe insecure-password s3cret", "    user joe insecure-password (hidden)"),
    ("    user joe password $6$s3cret groups a", "    user joe password (hidden) groups a"),
])  # fmt: skip
def test_a_password_is_shown_neither_in_a_difference_nor_in_a_complaint(line, shown):
    for change in (fileset.differences({"/x": file("a\n")}, {"/x": file(f"a\n{line}\n")}),
                   fileset.differences({"/x": None}, {"/x": file(f"a\n{line}\n")})):
        assert shown in change["/x"]["new"]
        assert "s3cret" not in str(change)
    assert "s3cret" not in fileset.daemon_message(f"[ALERT] (1) : config : parsing [x:1] : {line.strip()}")
