"""Files of nginx that are exported and rendered again."""

from pathlib import Path

from haproxy_ha_lib.files import layout
from haproxy_ha_lib.haproxy.export import own_addresses
from haproxy_ha_lib.nginx import export
from support.pillars import DEFAULTS, build, rendered

CONFIGURATIONS = {path.stem: path for path in sorted(Path(__file__).with_name("nginx_conf").glob("*.conf"))}
DIRECTORY = DEFAULTS["lookup"]["paths"]["nginx_dir"]
HEAD = "# Managed by Salt (haproxy_ha). What is changed here is lost; change pillar.\n"


def text_of(name):
    return CONFIGURATIONS[name].read_bytes().decode("utf-8", "surrogateescape")


def pillar(files, links=(), with_secrets=True, minion_id="app-1"):
    return export.pillar(files, dict(links), own_addresses(build(minion_id=minion_id).me), with_secrets)


def entries(nginx, minion_id="app-1"):
    """The files and links of an app server with this below ``nginx``: {path below its directory: entry}."""
    built = build({"nginx": nginx}, minion_id)
    assert built.errors == []
    found = layout.files_of("nginx", built)
    return {path.removeprefix(f"{DIRECTORY}/"): entry for path, entry in found.items()}


def again(text, path="sites-available/x"):
    """A file, exported and rendered, without the formula's comment."""
    whole = rendered(entries(pillar({path: text}))[path])
    assert whole.startswith(HEAD)
    return whole.removeprefix(HEAD)


def lines(text):
    """What nginx reads, line by line: a carriage return at the end is a blank, and so is a control in a comment."""
    found = [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]
    return [_comment(line) if line.lstrip().startswith("#") else line for line in found]


def _comment(line):
    return "".join(char if char == "\t" or char.isprintable() else " " for char in line)
