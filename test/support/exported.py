"""A haproxy.cfg that is exported and rendered again, and both read by another reader than the formula's."""

from pathlib import Path

from haproxy_ha_lib.haproxy import export
from haproxy_ha_lib.haproxy.sections import WORDS
from support.pillars import DEFAULTS, build, text_of

CONFIGURATIONS = {path.stem: path for path in sorted(Path(__file__).with_name("haproxy_cfg").glob("*.cfg"))}
CFG = "/etc/haproxy/haproxy.cfg"


def pillar(text, own=(), with_secrets=True):
    return export.pillar(text, DEFAULTS["haproxy"], dict(own), with_secrets)


def rendered(haproxy):
    """The haproxy.cfg of the load balancer primary with this below ``haproxy``."""
    built = build({"haproxy": haproxy})
    assert built.errors == []
    return text_of(built, "haproxy", CFG, {"haproxy": {"stats": {"password": None}, "certificates": {}}})


def again(text):
    """A haproxy.cfg, exported and rendered."""
    return rendered(pillar(text))


def lines(text):
    """
    What HAProxy reads: [[words of a header, words of a line, ...], ...] without comments; the formula's own `global`
    without lines is left out.
    """
    found = [[]]
    for line in text.split("\n"):
        read = words(line)
        if read and unquoted(read[0]) in WORDS:
            found.append([])
        if read:
            found[-1].append(read)
    return [section for section in found if section and section != [["global"]]]


def words(line):
    """The words of a line, each as it is written; a comment is none."""
    found, quote, word, at = [], "", "", 0
    while at < len(line):
        char = line[at]
        if not quote and char in " \t\r\v\f":
            found, word = [*found, word], ""
        elif not quote and char == "#":
            break
        elif char == "\\" and quote != "'":
            word += line[at : at + 2]
            at += 1
        else:
            word += char
            quote = "" if char == quote else quote or (char if char in "\"'" else "")
        at += 1
    return [one for one in [*found, word] if one]


def unquoted(word):
    return word.translate(str.maketrans("", "", "\"'\\"))
