"""The lab's command line; ``python3 -m lab --help``."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from . import demo, image, lab, network, preflight, salt, tools
from .machine import MACHINES, machine
from .shell import LabError


def main() -> int:
    options = _parser().parse_args()
    # Ended from outside, it still clears up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        preflight.require_root()
        done = options.action(options) or 0
        sys.stdout.flush()
        return done
    except BrokenPipeError:  # whoever reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="Real hosts on one machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(action=action)
        return sub

    sub = command("up", _up, "bring the lab up; a running one is left as it is")
    sub.add_argument("--salt", default=image.SALT, help=f"Salt release (default: {image.SALT})")
    sub.add_argument("--debian", default=image.DEBIAN, help=f"Debian release (default: {image.DEBIAN})")
    sub.add_argument("--fresh", action="store_true", help="replace a running lab")
    command("down", lambda _: lab.down(), "take the lab away")
    sub = command(
        "demo", lambda o: demo.main(o.keep, o.salt), "the tutorial on a fresh lab, from bare hosts to failover"
    )
    sub.add_argument("--keep", action="store_true", help="leave the lab up")
    sub.add_argument("--salt", default=image.SALT, help=f"Salt release (default: {image.SALT})")
    command("image", _image, "build the cached images and nothing else")
    sub = command("tools", _tools, "run a command in the image that has the daemons' programs")
    sub.add_argument("--debian", default=image.DEBIAN, help=f"Debian release (default: {image.DEBIAN})")
    sub.add_argument("--packages", default="", help="names of further packages, in one word (default: none)")
    sub.add_argument("argv", nargs=argparse.REMAINDER)
    command("status", _status, "list the hosts and their state")
    command("check", lambda _: preflight.require(), "say what is missing on this machine")
    sub = command("enter", _enter, "open a shell in a host, or run a command there")
    sub.add_argument("host")
    sub.add_argument("argv", nargs=argparse.REMAINDER)
    for name, action, text in (
        ("reboot", _reboot, "reboot a host"),
        ("power-off", lambda o: machine(o.host).power_off(), "cut a host's power"),
        ("power-on", lambda o: machine(o.host).power_on(), "give a host its power back"),
    ):
        command(name, action, text).add_argument("host")
    for name, state in (("cut", "down"), ("mend", "up")):
        sub = command(name, lambda o, state=state: network.set_link(o.host, o.network, state), f"{name} a host's link")
        sub.add_argument("host")
        sub.add_argument("network", choices=("public", "private", "internet"))
    return parser


def _reboot(options) -> None:
    machine(options.host).reboot()


def _up(options) -> None:
    if lab.is_up() and not options.fresh:
        print("the lab is up")
        return
    lab.up(options.salt, options.debian)
    salt.sync()
    _status(options)


def _tools(options) -> int:
    return tools.run(options.argv, debian=options.debian, packages=tuple(options.packages.split()))


def _image(_) -> None:
    preflight.require()
    image.build_tools(image.build())


def _status(_) -> None:
    lab.require_up()
    for name, target in MACHINES.items():
        host = target.host
        addresses = [
            f"{kind} {getattr(host, kind)}"
            for kind in ("public", "private", "anchor", "internet")
            if getattr(host, kind)
        ]
        print(f"{name:10} {'up' if target.leader() else 'off':4} {', '.join(addresses)}")


def _enter(options) -> int:
    argv = options.argv or ["bash", "-l"]
    command = machine(options.host).command(*argv)
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
