"""The agents floatip and hetznerip, run against the simulator as Pacemaker runs them."""

import re
import shutil
import subprocess
import sys
import time

from support import cmap
from support.simulated_cloud import TOKEN

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

    name = "floatip"
    machine = "droplet"  # what reasons call one
    calls = 3  # of a start: who owns it, assign it, who owns it now
    look_calls = 1  # of each look while an assign takes its time

    @property
    def remembered(self):
        """The files with what a machine remembers until the next boot."""
        return ["haproxy_ha-droplet"]

    def out_of_sight(self, cloud):
        """What is near says no longer that the address is here."""
        cloud.fault("status", service="metadata")

    def close(self):
        """Nothing of it is left on this machine."""

    def __init__(self, installed, cloud, directory):
        self.directory, self.agent = directory, installed / self.name
        self.programs = installed.parent / "programs"
        shutil.rmtree(self.programs, ignore_errors=True)
        self.programs.mkdir()
        self.token_file = directory / "token"
        self.token_file.write_text(TOKEN + "\n")
        self.token_file.chmod(0o600)
        self.parameters = {
            "address": cloud.address, "token_file": self.token_file, "api_url": cloud.api_url, "ca_file": cloud.ca_file,
            "metadata_url": cloud.metadata_url, "port": "0",
        }  # fmt: skip

    def start_process(self, action, timeout=20, interval=None, level=None, instance="FloatIP", **parameters):
        environment = {
            "OCF_RESOURCE_INSTANCE": instance, "OCF_ROOT": "/usr/lib/ocf", "HA_RSCTMP": str(self.directory / "state"),
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

    def look(self, **options):
        """One that asks whoever knows first whether the address is still here."""
        return self.monitor(**options)

    @property
    def staying(self):
        """The files of what stays for a while after a move and a stop, where the address is on an interface."""
        return []

    @property
    def state(self):
        return sorted(path.name for path in (self.directory / "state").iterdir())


class OnInterface(FloatIP):
    """An agent that puts the address on the loopback interface."""

    def haproxy_takes_off(self, at_once=False):
        """What HAProxy's monitor does, or its stop, with what this one has left behind."""
        haproxy_takes_off(self.agent.parent, self.directory / "state", at_once)

    @property
    def staying(self):
        return [f"haproxy_ha-leaving-{self.parameters['address']}", "haproxy_ha-rules"]

    def is_on_interface(self, address=None):
        """Whether the address is on the interface, as ip(8) says."""
        said = subprocess.run(["ip", "address", "show", "dev", "lo"], capture_output=True, text=True, check=True).stdout
        return f" {address or self.parameters['address']}/" in said

    def put_on(self):
        """Puts it there, as another program might."""
        address = self.parameters["address"]
        prefix = f"{address}/{128 if ':' in address else 32}"
        subprocess.run(["ip", "address", "add", prefix, "dev", "lo"], check=True)

    def take_off(self, address=None):
        """Takes it off, as another program might."""
        address = address or self.parameters["address"]
        prefix = f"{address}/{128 if ':' in address else 32}"
        subprocess.run(["ip", "address", "delete", prefix, "dev", "lo"], capture_output=True, check=False)

    def close(self):
        self.take_off()


class ReservedIPv6(OnInterface):
    """The agent floatip with a reserved IPv6 address."""

    look_calls = 2  # the address does not say whether it is locked, so the action is looked at


class HetznerIP(OnInterface):
    """The agent hetznerip on the server `primary`."""

    name = "hetznerip"
    machine = "server"
    calls = 4  # the list, the assign, its action, the address

    def __init__(self, installed, cloud, directory):
        super().__init__(installed, cloud, directory)
        self.parameters["interface"] = "lo"

    @property
    def remembered(self):
        return [f"haproxy_ha-hetzner-{self.parameters['address']}", "haproxy_ha-server"]

    def knows(self, number):
        """As if the floating IP's number were remembered from before."""
        (self.directory / "state").mkdir(exist_ok=True)
        (self.directory / "state" / self.remembered[0]).write_text(str(number))

    def look(self, **options):
        return self.monitor(**{"api_check_interval": "0", **options})

    def out_of_sight(self, cloud):
        self.take_off()


AGENTS = {"digitalocean": FloatIP, "digitalocean-ipv6": ReservedIPv6, "hetzner": HetznerIP}


def cluster_state(floatip, *states):
    """A corosync-cmapctl that says what the cluster's would."""
    program = floatip.programs / "corosync-cmapctl"
    program.write_text(cmap.stand_in({f"x{number}": state for number, state in enumerate(states)}))
    program.chmod(0o755)
    attributes = floatip.programs / "attrd_updater"
    attributes.write_text(
        f"#!/bin/sh\ncase $2 in --query) cat {floatip.directory}/takeovers 2>/dev/null; exit $?; esac\n"
        f'echo "$*" >> {floatip.directory}/attributes\n'
    )
    attributes.chmod(0o755)


_TAKE_OFF = """
import sys, types
sys.path.insert(0, {agents!r})
import undone
undone.take_off(types.SimpleNamespace(state_directory={state!r}, left=10.0), at_once={at_once})
"""


def haproxy_takes_off(agents, state, at_once=False, within=()):
    """
    What a monitor of HAProxy does, or its stop, with what other agents have left behind.

    agents, state
        The directories of the agents, and of what they remember.
    within
        A command that runs others elsewhere.
    """
    program = _TAKE_OFF.format(agents=str(agents), state=str(state), at_once=at_once)
    done = subprocess.run([*within, sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
