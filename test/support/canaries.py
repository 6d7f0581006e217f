"""
A pillar with a canary of its own in every key that is secret or takes raw text. It is made by walking the schema, so
that a key that comes later has one too; a key that nothing here fits is named (:class:`Unfilled`).
"""

import ast
import base64
import copy
import itertools
import os
import re
import stat
import textwrap
from collections.abc import Callable
from pathlib import Path

import yaml

from haproxy_ha_host import nss
from haproxy_ha_lib import values
from haproxy_ha_lib.pillar import schema, shape
from saltext.pacemaker.cib.settings import SETTINGS
from support import REPOSITORY
from support.certificates import self_signed
from support.pillars import DEFAULTS, EXAMPLE

_DOCUMENTED = ast.get_docstring(ast.parse((REPOSITORY / "_modules" / "pacemaker.py").read_text(encoding="utf-8")))
CLUSTER = yaml.safe_load(
    textwrap.dedent(re.search(r"\.\. code-block:: yaml\n\n(.*?)\n(?=\S)", _DOCUMENTED, re.DOTALL)[1])
)
"""One object of every kind, as the execution module documents them."""

# Sets of names and values, and texts: of an alert's recipient, an expression, an ACL, a container.
_SETS, _TEXTS = ("params", "meta"), ("description", "value", "xpath", "run-command")
_DESCRIBED = {
    "groups": {"description": ""}, "clones": {"description": ""}, "alerts": {"description": ""},
    "bundles": {"description": "", "meta": {}},
}  # fmt: skip
"""What the documented objects lack of these."""

# Names that tables may have; what takes a raw line takes this one. Names and ids are no text: people see them.
_NAMES = ("password", "canary", "ring canary")
_RAW = "# password {}"
_BIND = "127.0.0.1:{port} # password {canary}"


class Unfilled(Exception):
    """A key of the schema that no canary fits; the text is its path."""


class Canaries:
    """
    pems: {how many certificates: function of a key that returns a PEM of that many, with a private key}.

    ``tree``: the pillar; ``planted``: {text to look for: the key that it stands in}.
    """

    def __init__(self, pems: dict[int, Callable[[str], str]], mark: str):
        self.pems, self.mark = pems, mark
        self.planted: dict[str, str] = {}
        self._numbers, self._ports = itertools.count(1), itertools.count(18001)
        self.tree = self._laid(copy.deepcopy(EXAMPLE), self._filled(schema.SCHEMA, (), DEFAULTS))
        for one in self.tree["floating_ips"].values():
            one |= {"address": "10.132.20.250", "provider": "ipaddr2"}

    def word(self, path):
        """A new canary, which is looked for as the key's."""
        text = f"{self.mark}0C4n4ry0Of0Pillar{next(self._numbers):03d}x"
        self.planted[text] = ":".join(map(str, path))
        return text

    def _filled(self, node, path, default):
        """What of a node has canaries; None where nothing has."""
        if isinstance(node, shape.Value):
            return self._secret(node, path) if node.secret else self._raw(node, path)
        default = default if isinstance(default, (dict, list)) else None
        if isinstance(node, shape.Items):
            one = self._filled(node.item, path, None)
            return one and [*(default or []), one]
        if isinstance(node, shape.Table):
            name = self._name(node, path, default)
            below = self._filled(node.item, (*path, name), (default or {}).get(name))
            return below and {name or self._unfilled(path): below}
        if isinstance(node, shape.Keys):
            default = default or {}
            found = {key: self._filled(one, (*path, key), default.get(key)) for key, one in node.keys.items()}
            return {key: one for key, one in found.items() if one is not None} or None
        return self._either(node, path, default)

    def _either(self, node, path, default):
        found = (self._filled(one, path, default) for one in (node.mapping, node.single, node.listing) if one)
        return next(filter(None, found), None)

    def _name(self, table, path, default):
        """The name of an entry of a table: one that the example or the defaults have, else any that will do."""
        found = EXAMPLE
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        if path[0] == "cluster" and path[-1] in CLUSTER:
            setting = SETTINGS.get(path[-1])
            found = () if setting and not setting.per_node else _longest_first(CLUSTER[path[-1]])
        return next((name for name in (*(found or default or ()), *_NAMES) if _accepts(table.key, name)), None)

    def _secret(self, node, path):
        for make in (self.word, self._key, *(lambda path, made=made: self._pem(made, path) for made in
                                             self.pems.values())):
            before = dict(self.planted)
            text = make(path)
            if _accepts(node.check, text):
                return text
            self.planted = before
        return self._unfilled(path)

    def _key(self, path):
        """Bytes in base64; what is looked for is the bytes, and how they begin in base64."""
        text = self.word(path).ljust(256, "~")
        encoded = base64.b64encode(text.encode()).decode()
        self.planted[encoded[:24]] = ":".join(path)
        return encoded

    def _pem(self, make, path):
        text = make(path[-1])
        self.planted[text[text.index("PRIVATE KEY") :].splitlines()[1]] = ":".join(path)
        return text

    def _raw(self, node, path):
        if path[0] == "cluster" and node.check is values.plain_data:
            return self._of_cluster(path)
        if node.check is schema.bind:
            return _BIND.format(port=next(self._ports), canary=self.word(path))
        if node.check is values.plain_data and path[-1] == "password":
            return self.word(path)
        return _RAW.format(self.word(path)) if _accepts(node.check, _RAW) else None

    def _of_cluster(self, path):
        """The documented object of a section with a password in every set of it, and a webhook in every text."""
        section = path[1]
        if section not in CLUSTER:
            return None if section in ("switches", "observed") else self._unfilled(path)
        if section in SETTINGS:
            return {"password": self.word(path)} if SETTINGS[section].per_node else self.word(path)
        planted = len(self.planted)
        documented = CLUSTER[section][path[-1]]
        one = self._with_words({**_DESCRIBED[section], **documented} if section in _DESCRIBED else documented, path)
        return one if len(self.planted) > planted else None

    def _with_words(self, given, path):
        if isinstance(given, list):
            return [self._with_words(inner, path) for inner in given]
        if not isinstance(given, dict):
            return self._webhook(path) if path[-1] in _TEXTS else given
        filled = {key: self._with_words(inner, (*path, key)) for key, inner in given.items() if key != "type"}
        return {key: {**inner, "password": self.word((*path, key))} if key in _SETS else inner
                for key, inner in filled.items()}  # fmt: skip

    def _webhook(self, path):
        return f"https://hooks.slack.com/services/{self.word(path)}"

    def _laid(self, base, over):
        if not isinstance(over, dict) or not isinstance(base, dict):
            return over
        return {**base, **{key: self._laid(base.get(key), value) for key, value in over.items()}}

    def _unfilled(self, path):
        raise Unfilled(":".join(path))


def _longest_first(objects):
    return sorted(objects, key=lambda name: -len(repr(objects[name])))


def _accepts(check, value):
    try:
        check(value)
    except values.Invalid:
        return False
    return True


# What everybody may see, and why.
PUBLIC = {
    "nginx:page:content": "it is the page that the site shows to everybody",
}


def pillar(directory, mark):
    """A pillar with canaries, which ``mark`` begins, and what keeps it valid; ``directory``: for its certificates."""
    pems = {1: lambda key: "".join(path.read_text("ascii") for path in self_signed(directory, "www")),
            2: lambda key: nss.generate("haproxy_ha")[key == "balancer_pem"]}  # fmt: skip
    made = Canaries(pems, mark)
    haproxy, cluster = made.tree["haproxy"], made.tree["cluster"]
    haproxy["stats"]["page"] = True
    haproxy["listens"] = {name: {"servers": ["app-1"], **one} for name, one in haproxy["listens"].items()}
    haproxy["caches"] = {name: ["total-max-size 4", *one] for name, one in haproxy["caches"].items()}
    cluster["primitives"] |= {name: {"agent": "ocf:heartbeat:Dummy"} for name in ("app", "other", "alone")}
    cluster["clones"]["c"]["resource"] = "alone"
    del cluster["locations"]["l2"]["rules"][0]["expressions"][2:]  # which are for rules of sets
    made.tree |= {"verify": False, "quorum_helper": {"app-1": None}}
    assert cluster and not [key for text, key in made.planted.items() if text not in yaml.safe_dump(made.tree)
                            and not key.startswith("cluster:authkey")]  # fmt: skip
    return made


def found(planted, text):
    """The keys whose canary is in a text."""
    return sorted({key for canary, key in planted.items() if canary in text and key not in PUBLIC})


def found_in(planted, places):
    """{place: the keys whose canary is in its text}, of {place: text} those that have one."""
    return {place: keys for place, text in places.items() if (keys := found(planted, text))}


def readable_by_others(*roots):
    """The text of every file below directories that others than root can read, by path."""
    for root in roots:
        for directory, below, names in os.walk(root):
            below[:] = [name for name in below if Path(directory, name).lstat().st_mode & stat.S_IXOTH
                        and not os.path.islink(os.path.join(directory, name))]  # fmt: skip
            for path in (Path(directory, name) for name in names):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_mode & stat.S_IROTH and status.st_size < 2**24:
                    yield path, path.read_text("utf-8", "replace")
