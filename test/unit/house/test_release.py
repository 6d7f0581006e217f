"""A release: the same bytes from the same commit, and checksums that sha256sum finds right."""

import hashlib
import io
import subprocess
import tarfile

import pytest

from support.place import requires_tools
from tools import release

FILES = {
    "FORMULA": release.File("100644", b"name: haproxy_ha\nversion: 0.9.0\nrelease: 1\n"),
    "test/run": release.File("100755", b"#!/bin/sh\n"),
    "link": release.File("120000", b"test/run"),
}
NAME = "haproxy_ha-0.9.0"


def test_a_release_has_a_name_and_its_files():
    with tarfile.open(fileobj=io.BytesIO(release.archive(FILES, 1_700_000_000))) as tar:
        members = {member.name: member for member in tar.getmembers()}
        assert tar.extractfile(f"{NAME}/test/run").read() == b"#!/bin/sh\n"
    assert sorted(members) == [f"{NAME}/{path}" for path in sorted(FILES)]
    assert {member.mtime for member in members.values()} == {1_700_000_000}
    assert (members[f"{NAME}/test/run"].mode, members[f"{NAME}/FORMULA"].mode) == (0o755, 0o644)
    assert members[f"{NAME}/link"].linkname == "test/run"


def test_the_same_files_make_the_same_bytes_whatever_their_order():
    again = dict(reversed(FILES.items()))
    assert release.archive(again, 1) == release.archive(FILES, 1)
    assert release.checksums(again, b"x") == release.checksums(FILES, b"x")


def test_sha256sum_finds_the_checksums_right_and_sees_a_change(tmp_path):
    packed = release.archive(FILES, 1)
    (tmp_path / f"{NAME}.tar.gz").write_bytes(packed)
    (tmp_path / "SHA256SUMS").write_text(release.checksums(FILES, packed), encoding="utf-8")
    subprocess.run(["tar", "--extract", "--file", f"{NAME}.tar.gz"], cwd=tmp_path, check=True)
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / NAME / "FORMULA").write_text("name: another\n", encoding="utf-8")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


@requires_tools("git")
def test_the_files_are_those_of_the_commit_and_no_others(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "FORMULA").write_bytes(FILES["FORMULA"].content)
    (tmp_path / "run me").write_text("x", encoding="ascii")
    (tmp_path / "run me").chmod(0o755)
    git("add", "-A")
    git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "x")
    (tmp_path / "stray").write_text("x", encoding="ascii")
    (tmp_path / "FORMULA").write_text("changed", encoding="ascii")
    assert release.files_of("HEAD", tmp_path) == {
        "FORMULA": FILES["FORMULA"], "run me": release.File("100755", b"x"),
    }
    with pytest.raises(subprocess.CalledProcessError):
        release.files_of("no-such-commit", tmp_path)


def test_a_checksum_is_of_what_is_in_the_archive():
    text = release.checksums(FILES, b"packed")
    assert f"{hashlib.sha256(b'packed').hexdigest()}  {NAME}.tar.gz\n" in text
    assert "link" not in text
