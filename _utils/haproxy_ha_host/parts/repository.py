"""The package repository that HAProxy comes from."""

from __future__ import annotations

from dataclasses import dataclass

import requests
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import apt, files
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts import entries
from haproxy_ha_host.parts.outcome import Outcome
from haproxy_ha_lib import openpgp, values
from haproxy_ha_lib.files import layout
from haproxy_ha_lib.files.entry import FileSet
from haproxy_ha_lib.types import Tree
from saltext.pacemaker import words

_THERE = "The repository is in place"
_PATH = "haproxy_ha:haproxy:repository"
_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Repository:
    """
    apt's entry for it, the key that signs it, and a pin that lets it bring nothing but what it is for. A key of
    ``key_url`` is fetched once: one that is there stays.
    """

    minion: Minion

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        return entries.plan(*self._wanted())

    def apply(self) -> Outcome:
        """Install all three."""
        return entries.apply(*self._wanted())

    def _wanted(self) -> tuple[FileSet, str]:
        """Its files, and what to say of them once they are there."""
        settings = self.minion.valid_settings()
        wanted = settings.haproxy["repository"]
        if not wanted:
            return {}, _THERE
        key = None if wanted["trusted"] else self._key(wanted, settings.paths["apt_keyring"])
        pinned, text = _pinned(wanted, settings.paths["apt_sources"])
        return layout.repository(settings, key, pinned), f"{_THERE}{text}"

    def _key(self, wanted: Tree, keyring: str) -> str:
        key = wanted["key"] or files.text(keyring) or _fetched(wanted["key_url"])
        _check_fingerprint(key, wanted["fingerprint"])
        return key


def _pinned(wanted: Tree, own: str) -> tuple[bool | None, str]:
    """Whether the repository is pinned, and if not, why: apt tells repositories by their hosts."""
    if "*" in wanted["packages"]:
        return False, ""
    try:
        others = apt.sources_at(layout.repository_host(wanted["uri"]), own)
    except CommandExecutionError as exc:
        return None, f"; whether it has to be pinned is not known: {exc}"
    if others:
        return False, f"; apt may take other packages from it too: {', '.join(others)} is of the same host"
    return True, ""


def _check_fingerprint(key: str, wanted: str | None) -> None:
    """The keyring holds the key that pillar names, and no other one."""
    found = openpgp.fingerprints(key)
    if wanted and found != [wanted]:
        raise CommandExecutionError(
            f"{_PATH}:fingerprint: found {', '.join(found) or 'no key'} in the key of the repository, allowed: {wanted}"
        )


def _fetched(url: str) -> str:
    """The key of a URL: by https all the way, and a key."""
    content = _content(url)
    text = openpgp.armored(content) or content.decode("utf-8", "replace")
    try:
        return values.public_key(text)
    except values.Invalid as exc:
        raise CommandExecutionError(f"{_PATH}:key_url: {url} gives {words.describe(text)}, allowed: {exc}") from None


def _content(url: str, redirects: int = 5) -> bytes:
    try:
        with requests.get(url, timeout=20, allow_redirects=False, stream=True) as answer:
            answer.raise_for_status()
            target = answer.next.url if answer.next else None
            content = b"" if target else answer.raw.read(_MOST_BYTES + 1, decode_content=True)
    except (requests.RequestException, OSError) as exc:
        raise CommandExecutionError(f"{_PATH}:key_url: {exc}") from None
    if len(content) > _MOST_BYTES:
        raise CommandExecutionError(f"{_PATH}:key_url: {url} gives more than {_MOST_BYTES} bytes")
    if target is None:
        return content
    if not target.lower().startswith("https://") or not redirects:
        raise CommandExecutionError(f"{_PATH}:key_url: {url} leads to {target}, allowed: https:// all the way, 5 times")
    return _content(target, redirects - 1)
