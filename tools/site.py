"""
The documents as a web site: build/site/. Needs the Debian packages python3-myst-parser and python3-sphinx-rtd-theme.

    python3 tools/site.py      # also: make site
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build"
CONFIG, STYLE = (REPOSITORY / "tools" / name for name in ("site_conf.py", "site.css"))
_LINK = re.compile(r"\]\(([^)#\s]+)")
# What is read as a page, under the headings of the menu: (title in the menu, page below the repository).
MENU: Mapping[str, Sequence[tuple[str, str]]] = {
    "Build": (
        ("Pillar", "docs/pillar"),
        ("HTTP, TLS, servers", "docs/http"),
        ("DigitalOcean", "docs/digitalocean"),
        ("Hetzner Cloud", "docs/hetzner"),
        ("Other clouds", "docs/clouds"),
        ("A quorum helper", "docs/quorum-helper"),
        ("Several addresses", "docs/addresses"),
        ("Other platforms", "docs/platforms"),
        ("Hosts without a minion", "docs/salt-ssh"),
    ),
    "Operate": (
        ("Operating", "docs/operate"),
        ("When something is wrong", "docs/runbook"),
        ("Events", "docs/events"),
        ("Monitoring", "docs/monitoring"),
        ("Secrets", "docs/secrets"),
        ("Upgrades", "docs/upgrade"),
        ("Security", "docs/security"),
    ),
    "What it takes": (
        ("Failures that are survived", "docs/failure-modes"),
        ("How fast", "docs/failover"),
        ("How a failure is found", "docs/failure-detection"),
    ),
    "Come from elsewhere": (
        ("Another formula, keepalived, the tutorial", "docs/migrate"),
        ("A cluster that is there", "docs/adopt"),
    ),
    "Extensions": (
        ("saltext-haproxy-ha", "extension/saltext-haproxy-ha/README"),
        ("saltext-pacemaker", "extension/saltext-pacemaker/README"),
    ),
    "Reference": (
        ("haproxy_ha", "docs/reference/haproxy_ha"),
        ("pacemaker", "docs/reference/pacemaker"),
        ("digitalocean", "docs/reference/digitalocean"),
        ("hetzner", "docs/reference/hetzner"),
        ("Runner haproxy_ha", "docs/reference/runner-haproxy_ha"),
        ("States haproxy_ha", "docs/reference/states-haproxy_ha"),
        ("States pacemaker", "docs/reference/states-pacemaker"),
    ),
    "Change it": (
        ("Architecture", "ARCHITECTURE"),
        ("Contributing", "CONTRIBUTING"),
        ("The lab", "docs/lab"),
        ("Changes", "CHANGELOG"),
        ("The pair in a simulation", "docs/simulation"),
    ),
}
START = "README"


def pages() -> list[Path]:
    """Every page, below the repository."""
    return [Path(f"{page}.md") for page in (START, *(page for entries in MENU.values() for _, page in entries))]


def menu() -> str:
    """The menu, as the start page has it for Sphinx."""
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n"
        + "".join(f"{title} <{page}>\n" for title, page in entries)
        + "```\n"
        for caption, entries in MENU.items()
    )


def linked(page: Path) -> Iterator[Path]:
    """The files beside pages to which a page has links."""
    for target in _LINK.findall((REPOSITORY / page).read_text(encoding="utf-8")):
        path = (REPOSITORY / page.parent / target).resolve()
        if ":" not in target and path.is_file() and path.suffix != ".md":
            yield path.relative_to(REPOSITORY)


def build(target: Path = BUILD) -> Path:
    """
    Build the site, without a warning, and return where it is.

    target
        Where it is built (``site``), and where what it is built of is gathered (``site-source``).
    """
    source, site = target / "site-source", target / "site"
    for folder in (source, site):
        shutil.rmtree(folder, ignore_errors=True)
    for path in {*pages(), *(file for page in pages() for file in linked(page))}:
        place = source / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / path, place)
    with (source / f"{START}.md").open("a", encoding="utf-8") as start:
        start.write(menu())
    shutil.copyfile(CONFIG, source / "conf.py")
    shutil.copy(STYLE, source)
    subprocess.run(["sphinx-build", "-q", "-W", "--keep-going", "-b", "html", str(source), str(site)], check=True)
    shutil.copyfile(site / f"{START}.html", site / "index.html")
    return site


if __name__ == "__main__":
    print(build(*map(Path, sys.argv[1:2])))
