"""The cached root file systems of the lab, in layers that overlayfs stacks.

``base``: Debian, bootstrapped. ``salt``: Salt in ``/opt/salt``. ``archive``: a Debian archive with the packages that
the states install, so that the hosts install them for real without a way out. ``tools``: the daemons installed
and the test requirements, for the tests that need them as programs.
A layer is built once, under a name that holds the hash of its recipe.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import inspect
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .shell import LabError, run, say

CACHE = Path(os.environ.get("LAB_CACHE", "/var/cache/haproxy_ha-lab"))
TEST = Path(__file__).resolve().parent.parent

BASE_PACKAGES = """
systemd systemd-sysv dbus iproute2 curl ca-certificates python3 python3-venv procps iputils-ping netbase kmod less gpgv
""".split()
BUILD_PACKAGES = ["gcc", "libc6-dev", "python3-dev"]  # timelib, which Salt needs, comes as source
ARCHIVE_PACKAGES = """
nginx haproxy pacemaker pacemaker-cli-utils corosync crmsh resource-agents chrony ufw nftables iptables libxml2-utils
""".split()
TOOLS_PACKAGES = [*ARCHIVE_PACKAGES, "shellcheck"]
INDEX = "cd /srv && apt-ftparchive packages . > Packages && apt-ftparchive release . > R && mv R Release"
# A repository of its own with an HAProxy that can be told from the distribution's.
NEWER = """
dpkg-deb -R /srv/haproxy_*.deb /tmp/haproxy
sed -i 's/^Version: .*/&+99.lab/' /tmp/haproxy/DEBIAN/control
mkdir /srv/newer && dpkg-deb -b /tmp/haproxy /srv/newer/haproxy.deb
cd /srv/newer && apt-ftparchive packages . > Packages
"""
ARCHIVE_RECIPE = (ARCHIVE_PACKAGES, INDEX, NEWER)
DPKG_OPTIONS = ("force-unsafe-io", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*")
SALT_RELEASES = {"3006": ">=3006,<3007", "3007": ">=3007,<3008", "3008": ">=3008,<3009"}


@dataclass(frozen=True)
class Image:
    """A Debian release with a Salt release, as paths of its finished layers."""

    base: Path
    salt: Path
    archive: Path

    @property
    def layers(self) -> list[Path]:
        """Topmost first, as overlayfs wants its lower directories."""
        return [self.salt, self.base]


def build(debian: str = "bookworm", salt: str = "3008") -> Image:
    """Build what is not cached yet (about two minutes when nothing is) and return the image."""
    with _locked():
        _sweep()
        base = _layer(f"base-{debian}", [BASE_PACKAGES, DPKG_OPTIONS], _bootstrap, debian)
        with ThreadPoolExecutor() as pool:  # the one waits for the network, the other for the processor
            jobs = (
                pool.submit(_layer, f"salt-{salt}-{debian}", [base.name], _install_salt, base, salt),
                pool.submit(_layer, f"archive-{debian}", [base.name, *ARCHIVE_RECIPE], _make_archive, base),
            )
            salt_layer, archive = (job.result() for job in jobs)
    return Image(base, salt_layer, archive)


def build_tools(image: Image) -> Path:
    """The layer above ``image`` in which functional tests find every program they drive."""
    requirements = TEST / "requirements.txt"
    with _locked():
        recipe = [image.salt.name, TOOLS_PACKAGES, requirements.read_text(encoding="utf-8")]
        return _layer("tools", recipe, _install_tools, image, requirements)


@contextlib.contextmanager
def overlay(target: Path, lower: list[Path], upper: Path) -> Iterator[Path]:
    """Mount the layers at ``target`` with ``upper`` on top, and take the mount away again."""
    mount_overlay(target, lower, upper)
    try:
        yield target
    finally:
        run(["umount", "--recursive", "--lazy", str(target)])


def mount_overlay(target: Path, lower: list[Path], upper: Path) -> None:
    """Mount the layers at ``target``. Nothing of a lab is worth an fsync, hence volatile."""
    work = upper.with_name(upper.name + ".work")
    for path in (target, upper):
        path.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work, ignore_errors=True)  # a work directory left by a volatile mount would refuse the next
    work.mkdir()
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work},volatile"
    run(["mount", "-t", "overlay", "haproxy_ha-lab", "-o", options, str(target)])


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep() -> None:
    """Clear away what a killed build left: nobody else builds while the lock is held."""
    for path in CACHE.glob(".*.partial*"):
        run(["umount", "--recursive", "--lazy", str(path)], check=False)
        shutil.rmtree(path, ignore_errors=True)


def _layer(name: str, recipe: list, make: Callable[..., None], *arguments) -> Path:
    digest = hashlib.sha256(repr([name, recipe, inspect.getsource(make)]).encode()).hexdigest()[:12]
    path = CACHE / f"{name}-{digest}"
    if path.is_dir():
        return path
    partial = CACHE / f".{path.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    say(f"building the layer {path.name} (once)")
    try:
        make(partial, *arguments)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.rename(path)
    return path


def _bootstrap(path: Path, debian: str) -> None:
    options = [f"--dpkgopt={option}" for option in DPKG_OPTIONS]
    run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(BASE_PACKAGES)}",
            *options,
            debian,
            str(path),
            "-",
        ],
        input=_apt_sources(debian),
        timeout=900,
    )


def _apt_sources(debian: str) -> str:
    """The machine's own mirror, with the suites of the release wanted."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(
        file.read_text(encoding="utf-8") for file in files if file.suffix in (".list", ".sources") and file.is_file()
    )
    mirrors = re.findall(r"^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s+)?)(\S+)", text, re.MULTILINE)
    main = [uri for uri in mirrors if uri.rstrip("/").endswith("/debian")]
    security = [uri for uri in mirrors if "debian-security" in uri]
    if not main:
        raise LabError("found no Debian mirror in /etc/apt/sources.list or /etc/apt/sources.list.d")
    lines = [f"deb {main[0]} {debian} main", f"deb {main[0]} {debian}-updates main"]
    lines += [f"deb {uri} {debian}-security main" for uri in security[:1]]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _workshop(path: Path, lower: list[Path]) -> Iterator[tuple[Path, Path]]:
    """A root to work in with the machine's network, and the directory that holds what was changed in it."""
    upper, root = path.with_name(path.name + ".upper"), path.with_name(path.name + ".root")
    shutil.rmtree(upper, ignore_errors=True)
    with overlay(root, lower, upper):
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        run(["mount", "-t", "proc", "proc", str(root / "proc")])
        run(["mount", "--rbind", "--make-rslave", "/dev", str(root / "dev")])
        if certificates.exists():
            run(["mount", "--bind", str(certificates), str(root / certificates.relative_to("/"))])
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        for config in ("pip.conf",):
            if Path("/etc", config).exists():
                shutil.copy(Path("/etc", config), root / "etc" / config)
        policy = root / "usr/sbin/policy-rc.d"  # a package's daemon must not start in a workshop
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        policy.chmod(0o755)
        yield root, upper
        for litter in (policy, root / "etc/pip.conf", root / "etc/resolv.conf"):
            litter.unlink(missing_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    shutil.rmtree(upper, ignore_errors=True)
    shutil.rmtree(upper.with_name(upper.name + ".work"), ignore_errors=True)


def _chroot(root: Path, *argv: str) -> None:
    keep = ("PATH", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
    env = {name: os.environ[name] for name in keep if name in os.environ}
    env |= {
        "DEBIAN_FRONTEND": "noninteractive",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt",
    }
    run(["chroot", str(root), *argv], env=env, timeout=1200)


def _apt_install(root: Path, *packages: str) -> None:
    _chroot(root, "apt-get", "-qq", "update")
    _chroot(root, "apt-get", "-qq", "install", "--no-install-recommends", *packages)


def _pip_install(root: Path, *what: str) -> None:
    _chroot(
        root,
        "/opt/salt/bin/pip",
        "install",
        "-q",
        "--no-compile",
        "--disable-pip-version-check",
        "--no-cache-dir",
        *what,
    )
    _chroot(root, "python3", "-m", "compileall", "-q", "-j0", "/opt/salt/lib")


def _install_salt(path: Path, base: Path, salt: str) -> None:
    with _workshop(path, [base]) as (root, upper):
        _apt_install(root, *BUILD_PACKAGES)
        _chroot(root, "python3", "-m", "venv", "/opt/salt")
        _pip_install(root, f"salt{SALT_RELEASES[salt]}")
        (path / "opt").mkdir()
        shutil.move(upper / "opt/salt", path / "opt/salt")


def _make_archive(path: Path, base: Path) -> None:
    with _workshop(path, [base]) as (root, _):
        _chroot(root, "apt-get", "-qq", "update")
        _chroot(root, "apt-get", "-qq", "install", "--download-only", "--no-install-recommends", *ARCHIVE_PACKAGES)
        for package in (root / "var/cache/apt/archives").glob("*.deb"):
            shutil.move(package, path / package.name)
        _apt_install(root, "apt-utils")
        run(["mount", "--bind", str(path), str(root / "srv")])
        _chroot(root, "sh", "-ec", INDEX)
        _chroot(root, "sh", "-ec", NEWER)


def _install_tools(path: Path, image: Image, requirements: Path) -> None:
    with _workshop(path, image.layers) as (root, upper):
        _apt_install(root, *TOOLS_PACKAGES)
        shutil.copy(requirements, root / "tmp/requirements.txt")
        _pip_install(root, "-r", "/tmp/requirements.txt")
        for child in list(upper.iterdir()):
            shutil.move(child, path / child.name)
