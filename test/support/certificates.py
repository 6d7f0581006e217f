"""Certificates for tests, made by openssl: self-signed ones, and an authority with all that it does."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAY = 86_400
_CONFIGURATION = """\
[ca]
default_ca = own
[own]
database = {directory}/index
new_certs_dir = {directory}
rand_serial = yes
default_md = sha256
policy = anything
unique_subject = no
copy_extensions = copy
x509_extensions = issued
[anything]
commonName = supplied
[issued]
basicConstraints = CA:FALSE
authorityInfoAccess = OCSP;URI:{ocsp}
"""


def self_signed(directory: Path, name: str, alternative: str = "") -> tuple[Path, Path]:
    """A certificate of that name (and an alternative one) with its key, as files: (certificate, key)."""
    paths = directory / f"{name}.crt", directory / f"{name}.key"
    more = ["-addext", f"subjectAltName={alternative}"] if alternative else []
    openssl("req", "-x509", *_KEY, "-days", "9", "-subj", f"/CN={name}", "-out", paths[0], "-keyout", paths[1], *more)
    return paths


@contextlib.contextmanager
def installed(path: Path, directory: Path) -> Iterator[None]:
    """A certificate with its key in one file, as configurations name it, while the block runs."""
    path.write_text("".join(part.read_text() for part in self_signed(directory, "www.example.com")))
    yield
    path.unlink()


class Authority:
    """An authority that issues certificates, with its own in ``certificate``; ``ocsp``: where its responder is."""

    def __init__(self, directory: Path, ocsp: str = "http://127.0.0.1:1"):
        self.directory, self.ocsp = directory, ocsp
        directory.mkdir()
        self.certificate, self.key = directory / "ca.crt", directory / "ca.key"
        openssl("req", "-x509", *_KEY, "-days", "9", "-subj", "/CN=authority", "-out", self.certificate, "-keyout",
                self.key)  # fmt: skip
        (directory / "index").touch()
        (directory / "configuration").write_text(_CONFIGURATION.format(directory=directory, ocsp=ocsp))

    def issue(self, name: str, days: float = 9, since: float = -1) -> Path:
        """A certificate for a name with its key, as one file; it counts from ``since`` until ``days`` from now."""
        request, certificate, key, pem = (self.directory / f"{name}.{kind}" for kind in ("csr", "crt", "key", "pem"))
        openssl("req", "-new", *_KEY, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out", request,
                "-keyout", key)  # fmt: skip
        self._ca("-batch", "-notext", "-in", request, "-out", certificate, "-startdate", _time(since), "-enddate",
                 _time(days))  # fmt: skip
        pem.write_text("".join(path.read_text() for path in (certificate, self.certificate, key)))
        return pem

    def revoke(self, name: str) -> None:
        """Revoke the certificate of a name."""
        self._ca("-revoke", self.directory / f"{name}.crt")

    def list_revoked(self, path: Path, days: int = 9) -> None:
        """Write the list of what is revoked, which counts for so many days."""
        self._ca("-gencrl", "-crldays", str(days), "-out", path)

    def _ca(self, *words: str | Path) -> None:
        openssl("ca", "-config", self.directory / "configuration", "-cert", self.certificate, "-keyfile", self.key,
                *words)  # fmt: skip


def _time(days: float) -> str:
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * _DAY))


def openssl(*words: str | Path) -> str:
    """What openssl(1) prints; it has to succeed."""
    return subprocess.run(["openssl", *words], check=True, capture_output=True, text=True, timeout=30).stdout
