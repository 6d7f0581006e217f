"""The cached root file systems of the lab, in layers that overlayfs stacks.

``base``: Debian, bootstrapped. ``salt``: Salt in ``/opt/salt``, and the library that clock.c makes. ``archive``: a
Debian archive with the packages that the states install, so that the hosts install them for real without a way out.
``tools``: the daemons installed and the test requirements, for the tests that need them as programs.
A layer is built once, under a name that holds the hash of its recipe.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import inspect
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .shell import LabError, run, say

CACHE = Path(os.environ.get("LAB_CACHE", "/var/cache/haproxy_ha-lab"))
# What the lab and the place of the tools are, unless a command says otherwise.
DEBIAN = os.environ.get("LAB_DEBIAN", "bookworm")
SALT = os.environ.get("LAB_SALT", "3008")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TEST = Path(__file__).resolve().parent.parent

BASE_PACKAGES = """
systemd systemd-sysv dbus iproute2 curl ca-certificates python3 python3-venv procps iputils-ping netbase kmod less gpgv
""".split()
BUILD_PACKAGES = ["gcc", "libc6-dev", "python3-dev"]  # timelib, which Salt needs, comes as source
ARCHIVE_PACKAGES = """
nginx haproxy pacemaker pacemaker-cli-utils corosync crmsh resource-agents chrony ufw nftables iptables libxml2-utils
corosync-qdevice corosync-qnetd prometheus-hacluster-exporter
""".split()
MONITORING_PACKAGES = ["prometheus", "prometheus-node-exporter"]  # what asks for metrics, promtool, metrics of files
PEER_PACKAGES = ["keepalived"]  # what the benchmarks compare with
SSH_PACKAGES = ["openssh-client", "openssh-server"]  # for hosts without a minion
CERTIFICATE_PACKAGES = ["certbot", "pebble"]  # who asks for certificates, and who gives them
UPGRADING_PACKAGES = ["unattended-upgrades", "needrestart"]  # what upgrades a host by itself
AGAIN_PACKAGES = ["libc6"]  # what every host has, to be installed again
TOOLS_PACKAGES = [
    *ARCHIVE_PACKAGES, *MONITORING_PACKAGES, *SSH_PACKAGES, "firewalld", "shellcheck", "wrk", "git", "gnupg",
]  # fmt: skip
CLOCK = "/usr/local/lib/clock.so"  # preloaded, a program has another time (clock.c)
CLOCK_SOURCE = Path(__file__).with_name("clock.c").read_text(encoding="utf-8")
INDEX = "cd /srv && apt-ftparchive packages . > Packages && apt-ftparchive release . > R && mv R Release"
# A signed repository of its own with an HAProxy that can be told from the distribution's.
NEWER = """
dpkg-deb -R /srv/haproxy_*.deb /tmp/haproxy
sed -i 's/^Version: .*/&+99.lab/' /tmp/haproxy/DEBIAN/control
mkdir /srv/newer && dpkg-deb -b /tmp/haproxy /srv/newer/haproxy.deb
cd /srv/newer && apt-ftparchive packages . > Packages && apt-ftparchive release . > R && mv R Release
gpg --batch --quiet --passphrase '' --quick-gen-key lab
gpg --batch --clearsign --output InRelease Release
gpg --armor --export lab > key.asc
gpgconf --kill all
"""
# A newer version of what the maintainer scripts restart or stop: an upgrade as a distribution brings it.
UPGRADES = """
mkdir /srv/upgrades
for name in haproxy corosync pacemaker nginx; do
    dpkg-deb -R /srv/"$name"_*.deb /tmp/upgrade
    sed -i 's/^Version: .*/&+99.upgrade/' /tmp/upgrade/DEBIAN/control
    dpkg-deb -b /tmp/upgrade /srv/upgrades/$name.deb
    rm -r /tmp/upgrade
done
cd /srv/upgrades && apt-ftparchive packages . > Packages && apt-ftparchive release . > R && mv R Release
"""
ARCHIVED = (
    ARCHIVE_PACKAGES, MONITORING_PACKAGES, PEER_PACKAGES, SSH_PACKAGES, UPGRADING_PACKAGES, CERTIFICATE_PACKAGES,
)  # fmt: skip
ARCHIVE_RECIPE = (*ARCHIVED, AGAIN_PACKAGES, INDEX, NEWER, UPGRADES)
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


def build(debian: str = DEBIAN, salt: str = SALT) -> Image:
    """Build what is not cached yet (about two minutes when nothing is) and return the image."""
    with _locked():
        _sweep()
        base = _layer(f"base-{debian}", [BASE_PACKAGES, DPKG_OPTIONS], _bootstrap, debian)
        with ThreadPoolExecutor() as pool:  # the one waits for the network, the other for the processor
            jobs = (
                pool.submit(_layer, f"salt-{salt}-{debian}", [base.name, CLOCK_SOURCE], _install_salt, base, salt),
                pool.submit(_layer, f"archive-{debian}", [base.name, *ARCHIVE_RECIPE], _make_archive, base),
            )
            salt_layer, archive = (job.result() for job in jobs)
        _sweep()
    return Image(base, salt_layer, archive)


def build_tools(image: Image, more: tuple[str, ...] = ()) -> Path:
    """The layer above ``image`` in which functional tests find every program they drive, with ``more`` packages."""
    requirements = TEST / "requirements.txt"
    with _locked():
        packages = [*TOOLS_PACKAGES, *more]
        recipe = [image.salt.name, packages, requirements.read_text(encoding="utf-8")]
        layer = _layer("tools", recipe, _install_tools, image, packages, requirements)
        _sweep()
        return layer


def overlay_mount(target: Path, lower: list[Path], upper: Path) -> list[str]:
    """The command that mounts the layers at ``target``, made ready. Nothing of a lab is worth an fsync: volatile."""
    work = upper.with_name(upper.name + ".work")
    for path in (target, upper):
        path.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work, ignore_errors=True)  # a work directory left by a volatile mount would refuse the next
    work.mkdir()
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work},volatile"
    return ["mount", "-t", "overlay", "haproxy_ha-lab", "-o", options, str(target)]


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep() -> None:
    """Clear away what builds leave, finished or killed: nobody else builds while the lock is held."""
    for path in CACHE.glob(".*.partial*"):
        shutil.rmtree(path)


def _layer(name: str, recipe: list, make: Callable[..., None], *arguments) -> Path:
    digest = hashlib.sha256(repr([name, recipe, inspect.getsource(make)]).encode()).hexdigest()[:12]
    path = CACHE / f"{name}-{digest}"
    if path.is_dir():
        return path
    partial = CACHE / f".{path.name}.partial"
    partial.mkdir()
    say(f"building the layer {path.name} (once)")
    make(partial, *arguments)
    partial.rename(path)
    return path


def _bootstrap(path: Path, debian: str) -> None:
    options = [f"--dpkgopt={option}" for option in DPKG_OPTIONS]
    run(
        [
            *("unshare", "--mount", "--propagation", "private"),
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


class Workshop:
    """A root to work in with the machine's network; ``upper`` holds what was changed in it.

    Everything is mounted in a namespace that ends with each command: whatever becomes of a build, no mount is left.
    """

    def __init__(self, path: Path, lower: list[Path]):
        self.lower = lower
        self.upper = path.with_name(path.name + ".upper")
        self.root = path.with_name(path.name + ".root")
        self.served = path.with_name(path.name + ".srv")  # /srv of the root
        for part in (self.root, self.upper, self.served):
            part.mkdir()
        self._litter = [self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)]  # starts no daemon
        for config in ("/etc/resolv.conf", "/etc/pip.conf"):
            if Path(config).exists():
                self._litter.append(self.write(config, Path(config).read_text(encoding="utf-8")))

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Write a file of the root."""
        target = self.upper / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)
        return target

    def run(self, *argv: str) -> None:
        """Run a command in the root."""
        keep = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
        environment = {name: os.environ[name] for name in keep if name in os.environ} | {
            "DEBIAN_FRONTEND": "noninteractive",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PIP_CERT": str(CERTIFICATES),
        }
        mounts = [
            overlay_mount(self.root, self.lower, self.upper),
            ["mount", "-t", "proc", "proc", str(self.root / "proc")],
            ["mount", "--rbind", "/dev", str(self.root / "dev")],
            ["mount", "--bind", str(self.served), str(self.root / "srv")],
        ]
        if CERTIFICATES.exists():
            mounts.append(["mount", "--bind", str(CERTIFICATES), f"{self.root}{CERTIFICATES}"])
        run(privately(mounts, ["chroot", str(self.root), *argv]), env=environment, timeout=1200)

    def close(self) -> None:
        """Remove what only the work needed; ``upper`` is the caller's."""
        for file in self._litter:
            file.unlink(missing_ok=True)


def privately(mounts: list[list[str]], argv: list[str]) -> list[str]:
    """``argv`` after the mount commands, in a mount namespace that ends with it."""
    script = "; ".join(["set -e", *map(shlex.join, mounts), shlex.join(["exec", *argv])])
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]


def _apt_install(workshop: Workshop, *packages: str) -> None:
    workshop.run("apt-get", "-qq", "update")
    workshop.run("apt-get", "-qq", "install", "--no-install-recommends", *packages)


def _pip_install(workshop: Workshop, *what: str) -> None:
    pip = ["/opt/salt/bin/pip", "install", "-q", "--no-compile", "--disable-pip-version-check", "--no-cache-dir"]
    workshop.run(*pip, *what)
    workshop.run("python3", "-m", "compileall", "-q", "-j0", "/opt/salt/lib")


def _install_salt(path: Path, base: Path, salt: str) -> None:
    workshop = Workshop(path, [base])
    _apt_install(workshop, *BUILD_PACKAGES)
    workshop.run("python3", "-m", "venv", "/opt/salt")
    _pip_install(workshop, f"salt{SALT_RELEASES[salt]}")
    workshop.write("/tmp/clock.c", CLOCK_SOURCE)
    workshop.run("gcc", "-Wall", "-Werror", "-O2", "-shared", "-fPIC", "-o", CLOCK, "/tmp/clock.c")
    for made in ("/opt/salt", CLOCK):
        target = Path(f"{path}{made}")
        target.parent.mkdir(parents=True)
        shutil.move(f"{workshop.upper}{made}", target)


def _make_archive(path: Path, base: Path) -> None:
    workshop = Workshop(path, [base])
    workshop.run("apt-get", "-qq", "update")
    packages = [package for some in ARCHIVED for package in some]
    download = ("apt-get", "-qq", "install", "--download-only", "--no-install-recommends")
    workshop.run(*download, *packages)
    workshop.run(*download, "--reinstall", *AGAIN_PACKAGES)
    for package in (workshop.upper / "var/cache/apt/archives").glob("*.deb"):
        shutil.move(package, workshop.served / package.name)
    _apt_install(workshop, "apt-utils", "gnupg")
    workshop.run("sh", "-ec", INDEX)
    workshop.run("sh", "-ec", NEWER)
    workshop.run("sh", "-ec", UPGRADES)
    for file in list(workshop.served.iterdir()):
        shutil.move(file, path / file.name)


def _install_tools(path: Path, image: Image, packages: list[str], requirements: Path) -> None:
    workshop = Workshop(path, image.layers)
    _apt_install(workshop, *packages)
    workshop.write("/tmp/requirements.txt", requirements.read_text(encoding="utf-8"))
    _pip_install(workshop, "-r", "/tmp/requirements.txt")
    workshop.close()
    for child in list(workshop.upper.iterdir()):
        shutil.move(child, path / child.name)
