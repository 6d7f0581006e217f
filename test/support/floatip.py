"""The agent floatip, run against the simulator as Pacemaker runs it."""

import re
import shutil
import subprocess
import time

from support.simulated_cloud import ADDRESS, TOKEN

OK, GENERIC, ARGS, UNIMPLEMENTED, PERM, INSTALLED, CONFIGURED, NOT_RUNNING, DEGRADED = 0, 1, 2, 3, 4, 5, 6, 7, 190


class Run:
    """What an action returned, said, and cost."""

    def __init__(self, process, code, output, seconds):
        self.code, self.output, self.seconds = code, output, seconds
        reasons = re.findall(r"^ocf-exit-reason:(.*)$", output, re.MULTILINE)
        assert len(reasons) <= 1, output
        assert "Traceback" not in output, output
        assert TOKEN not in output
        self.reason = reasons[0] if reasons else ""


class FloatIP:
    """The agent floatip on the droplet `primary`."""

    def __init__(self, installed, cloud, directory):
        self.directory, self.agent = directory, installed / "floatip"
        self.programs = installed.parent / "programs"
        shutil.rmtree(self.programs, ignore_errors=True)
        self.programs.mkdir()
        self.token_file = directory / "token"
        self.token_file.write_text(TOKEN + "\n")
        self.token_file.chmod(0o600)
        self.parameters = {
            "address": ADDRESS, "token_file": self.token_file, "api_url": cloud.api_url, "ca_file": cloud.ca_file,
            "metadata_url": cloud.metadata_url, "port": "0",
        }  # fmt: skip

    def start_process(self, action, timeout=20, interval=None, level=None, **parameters):
        environment = {
            "OCF_RESOURCE_INSTANCE": "FloatIP", "OCF_ROOT": "/usr/lib/ocf", "HA_RSCTMP": str(self.directory / "state"),
            "OCF_RESKEY_CRM_meta_timeout": str(int(timeout * 1000)),
            **{f"OCF_RESKEY_{name}": str(value) for name, value in (self.parameters | parameters).items()},
        }  # fmt: skip
        if interval:
            environment["OCF_RESKEY_CRM_meta_interval"] = str(interval * 1000)
        if level:
            environment["OCF_CHECK_LEVEL"] = str(level)
        return subprocess.Popen(
            [self.agent, action], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __call__(self, action, **options):
        begin = time.monotonic()
        process = self.start_process(action, **options)
        output, _ = process.communicate()
        return Run(process, process.returncode, output, time.monotonic() - begin)

    def monitor(self, **options):
        """The recurring monitor."""
        return self("monitor", interval=10, **options)

    @property
    def state(self):
        return sorted(path.name for path in (self.directory / "state").iterdir())
