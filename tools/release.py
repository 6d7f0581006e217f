"""
A release: the files of a commit as one archive, and SHA256SUMS with the checksums of the archive and of each
file in it. Whoever has the commit gets the same bytes.

    python3 tools/release.py [COMMIT]      # writes build/haproxy_ha-VERSION.tar.gz and build/SHA256SUMS
"""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build"
_EXECUTABLE, _LINK = "100755", "120000"  # modes as git has them


class File(NamedTuple):
    """A file of a release; ``mode`` as git has it."""

    mode: str
    content: bytes


def files_of(commit: str, repository: Path = REPOSITORY) -> dict[str, File]:
    """Return the files of a commit by their paths."""
    found = {}
    for line in _git(repository, "ls-tree", "-r", "-z", commit).decode().split("\0")[:-1]:
        facts, path = line.split("\t", 1)
        mode, _, name = facts.split(" ")
        found[path] = File(mode, _git(repository, "cat-file", "blob", name))
    return found


def _git(repository: Path, *arguments: str) -> bytes:
    argv = ["git", "-c", f"safe.directory={repository}", "-C", str(repository), *arguments]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def name_of(files: Mapping[str, File]) -> str:
    """Return the name of a release, from its FORMULA."""
    formula = yaml.safe_load(files["FORMULA"].content)
    return f"{formula['name']}-{formula['version']}"


def archive(files: Mapping[str, File], time: int) -> bytes:
    """Return a .tar.gz of files, root's all of them; ``time`` (seconds since 1970) is when they changed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, file in sorted(files.items()):
            tar.addfile(*_member(f"{name_of(files)}/{path}", file, time))
    return gzip.compress(packed.getvalue(), mtime=time)


def _member(path: str, file: File, time: int) -> tuple[tarfile.TarInfo, io.BytesIO]:
    member = tarfile.TarInfo(path)
    member.mtime = time
    if file.mode == _LINK:
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, file.content.decode(), 0o777
        return member, io.BytesIO()
    member.size, member.mode = len(file.content), 0o755 if file.mode == _EXECUTABLE else 0o644
    return member, io.BytesIO(file.content)


def checksums(files: Mapping[str, File], packed: bytes) -> str:
    """Return what ``sha256sum -c`` reads beside an unpacked archive: the archive, and each file in it."""
    name = name_of(files)
    sums = {f"{name}.tar.gz": packed}
    sums |= {f"{name}/{path}": file.content for path, file in sorted(files.items()) if file.mode != _LINK}
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sums.items())


def main(commit: str = "HEAD") -> None:
    """Write both."""
    files = files_of(commit)
    packed = archive(files, int(_git(REPOSITORY, "show", "-s", "--format=%ct", commit)))
    BUILD.mkdir(exist_ok=True)
    target = BUILD / f"{name_of(files)}.tar.gz"
    target.write_bytes(packed)
    (BUILD / "SHA256SUMS").write_text(checksums(files, packed), encoding="utf-8")
    print(f"{target.relative_to(REPOSITORY)}\n{(BUILD / 'SHA256SUMS').relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
