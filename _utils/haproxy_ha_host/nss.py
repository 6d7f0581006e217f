"""
Certificates of corosync-qnetd and corosync-qdevice: made, and put from PEM into the databases (NSS) that they read.

Sources: corosync-qnetd-certutil(8), corosync-qdevice-net-certutil(8), certutil(1), pk12util(1), openssl-req(1).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import ssl
import tempfile
from dataclasses import dataclass

from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import commands, files, processes
from haproxy_ha_lib import values
from haproxy_ha_lib.files.entry import FileEntry

_AUTHORITY = "QNet CA"
_DAYS = 36500  # as corosync-qnetd-certutil


@dataclass(frozen=True)
class Database:
    """
    A database of certificates.

    path
        Its directory.
    nickname
        By which its daemon looks for its own certificate.
    group
        Who may read it besides root.
    """

    path: str
    nickname: str
    group: str


HELPER = Database("/etc/corosync/qnetd/nssdb", "QNetd Cert", "coroqnetd")
BALANCER = Database("/etc/corosync/qdevice/net/nssdb", "Cluster Cert", "root")
HELPER_NAME = "Qnetd Server"
"""The name that corosync-qdevice expects of the helper; that of the load balancers is their cluster's."""


def generate_for_pillar(cluster: str) -> dict[str, str]:
    """Return new certificates by their keys of pillar; SaltInvocationError if a cluster cannot have this name."""
    try:
        helper, balancer = generate(values.cluster_name(cluster))
    except values.Invalid as exc:
        raise SaltInvocationError(f"cluster: found {cluster!r}, allowed: {exc}") from None
    return {"helper_pem": helper, "balancer_pem": balancer}


def generate(cluster: str) -> tuple[str, ...]:
    """Return new certificates, each with that of their authority and its key, in PEM: (helper's, load balancers')."""
    with tempfile.TemporaryDirectory(prefix=f"haproxy_ha-{processes.mark()}-") as directory:
        authority = _request(directory, "authority", _AUTHORITY)
        signed = ["-CA", authority[0], "-CAkey", authority[1], "-addext", "basicConstraints=critical,CA:FALSE"]
        made = [_request(directory, name, subject, *signed)
                for name, subject in (("helper", HELPER_NAME), ("balancer", cluster))]
        return tuple("".join(files.text(path) or "" for path in (one[0], authority[0], one[1])) for one in made)


def _request(directory: str, name: str, subject: str, *options: str) -> tuple[str, str]:
    """Make a certificate and its key; returns their paths."""
    certificate, key = (os.path.join(directory, f"{name}.{kind}") for kind in ("crt", "key"))
    commands.succeed(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", str(_DAYS), "-subj", f"/CN={subject}", "-keyout", key, "-out", certificate, *options,
    )
    return certificate, key


def fingerprint(database: Database) -> str | None:
    """The SHA-256 of the certificate that a database has for its daemon (str), None without one."""
    found = _present(database, database.nickname)
    return hashlib.sha256(found).hexdigest() if found else None


def fingerprint_of(pem: str) -> str:
    """The same of a certificate in PEM."""
    return hashlib.sha256(_certificates(pem)[0]).hexdigest()


def holds(database: Database, pem: str) -> bool:
    """Whether a database has the certificate of ``pem`` and that of its authority."""
    return [_present(database, name) for name in (database.nickname, _AUTHORITY)] == _certificates(pem)


def present(database: Database) -> str | None:
    """The certificate that a database has for its daemon and that of its authority, in PEM (str), None without them."""
    found = [_present(database, name) for name in (database.nickname, _AUTHORITY)]
    return None if None in found else "".join(ssl.DER_cert_to_PEM_cert(one or b"") for one in found)


def _present(database: Database, nickname: str) -> bytes | None:
    """A certificate of a database (bytes), None if it is not there."""
    if not commands.program("certutil"):
        return None
    code, output = commands.run(["certutil", "-L", "-d", f"sql:{database.path}", "-n", nickname, "-a"])
    return None if code else ssl.PEM_cert_to_DER_cert(output.strip())


def _certificates(pem: str) -> list[bytes]:
    """The certificate and that of its authority (bytes)."""
    found = [block for kind, block in values.pem_blocks(pem) if kind == "CERTIFICATE"]
    return [ssl.PEM_cert_to_DER_cert(block) for block in found[:2]]


def check_name(pem: str, name: str) -> None:
    """Raise CommandExecutionError if a certificate in PEM is not of ``name``."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as certificate:
        certificate.write(ssl.DER_cert_to_PEM_cert(_certificates(pem)[0]))
        certificate.flush()
        asked = ("-noout", "-subject", "-nameopt", "RFC2253")
        output = commands.succeed("openssl", "x509", "-in", certificate.name, *asked)
    found = output.strip().removeprefix("subject=")
    if found != f"CN={name}":
        raise CommandExecutionError(f"the certificate is of {found}, allowed: CN={name}")


def build(database: Database, pem: str) -> None:
    """
    Make a database anew from ``pem``: a certificate, that of its authority, and its private key.

    Raises CommandExecutionError if the key is not the certificate's; nothing is then changed.
    """
    parent = os.path.dirname(database.path)
    os.makedirs(parent, mode=0o755, exist_ok=True)
    private = tempfile.mkdtemp(prefix=f"{files.TEMPORARY}{processes.mark()}-", dir=parent)
    try:
        made = _filled(private, database, pem)
        files.exchange(made, database.path)
    finally:
        shutil.rmtree(private)


def _filled(private: str, database: Database, pem: str) -> str:
    """Make the database in a directory of root's own; returns its path."""
    def path(what: str) -> str:
        return os.path.join(private, what)

    own, authority = map(ssl.DER_cert_to_PEM_cert, _certificates(pem))
    [key] = [block for kind, block in values.pem_blocks(pem) if kind.endswith("PRIVATE KEY")]
    for what, text in (("own", own), ("authority", authority), ("key", key + "\n"), ("password", secrets.token_hex())):
        files.put(path(what), FileEntry(text, mode="0600"))
    new = path("new")
    os.mkdir(new, mode=0o700)
    commands.succeed("openssl", "pkcs12", "-export", "-in", path("own"), "-inkey", path("key"), "-out", path("p12"),
                   "-name", database.nickname, "-passout", f"file:{path('password')}")
    commands.succeed("certutil", "-N", "-d", f"sql:{new}", "--empty-password")
    commands.succeed("certutil", "-A", "-d", f"sql:{new}", "-n", _AUTHORITY, "-t", "CT,c,c", "-a",
                   "-i", path("authority"))
    commands.succeed("pk12util", "-i", path("p12"), "-d", f"sql:{new}", "-w", path("password"))
    for one, mode in ((new, 0o750), *((os.path.join(new, entry), 0o640) for entry in os.listdir(new))):
        shutil.chown(one, "root", database.group)
        os.chmod(one, mode)
    return new
