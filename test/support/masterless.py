"""A minion without a master, as salt-call runs it: each call is a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SALT_CALL = Path(sys.executable).with_name("salt-call")


class Masterless:
    """
    A minion that has no modules but Salt's own, and what its file server or its environment give it.

    folder
        Where it keeps everything.
    pillar
        The tree haproxy_ha.
    options
        Of its configuration, beyond those that keep it in its folder.
    environment
        Further variables.
    """

    def __init__(self, folder: Path, pillar: dict, options: dict, environment: Mapping[str, str] | None = None):
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPATH": "", "PYTHONSAFEPATH": "1", **(environment or {})}
        (folder / "pillar").mkdir(parents=True)
        (folder / "pillar" / "top.sls").write_text("base:\n  '*':\n    - site\n", encoding="ascii")
        (folder / "pillar" / "site.sls").write_text(yaml.safe_dump({"haproxy_ha": pillar}), encoding="utf-8")
        minion = {"id": "primary", "file_client": "local", "root_dir": str(folder),
                  "pillar_roots": {"base": [str(folder / "pillar")]}, **options}  # fmt: skip
        (folder / "minion").write_text(yaml.safe_dump(minion), encoding="utf-8")

    def call(self, *arguments: str) -> Any:
        """What a function returns."""
        argv = [SALT_CALL, "--local", "--out=json", "--log-level=error", "-c", self._folder, *arguments]
        options = {"env": self._environment, "cwd": self._folder, "capture_output": True, "text": True}
        done = subprocess.run(argv, check=False, **options)
        assert done.stdout.startswith("{") and "Traceback" not in done.stderr, done.stdout + done.stderr
        return json.loads(done.stdout)["local"]
