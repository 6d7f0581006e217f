"""The two extensions, as `make extensions` builds them, on hosts of the lab."""

from __future__ import annotations

import base64
import io
import tarfile

from . import image, tools
from .machine import Machine

PLACE = "/srv/wheels"
# The place of the tools has what builds them, and shows the repository read-only.
BUILD = """
mkdir /tmp/formula
cp -r LICENSE _* extension haproxy_ha tools /tmp/formula
cd /tmp/formula
python3 tools/extensions.py >&2
pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /tmp/wheels build/saltext-* >&2
tar -C /tmp/wheels -c . | base64
"""


def built() -> bytes:
    """An archive with both wheels."""
    return base64.b64decode(tools.output(["sh", "-ec", BUILD], image.DEBIAN, ()))


def install(target: Machine, archive: bytes) -> None:
    """Install them beside a host's Salt."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as wheels:
        wheels.extractall(target.root / PLACE.lstrip("/"))
    target.run("sh", "-c", f"/opt/salt/bin/pip install --no-deps --no-index {PLACE}/*.whl")


def formula_of(target: Machine) -> str:
    """The directory that they tell to name in file_roots."""
    return target.run("/opt/salt/bin/python3", "-m", "saltext.haproxy_ha").stdout.strip()
