"""What Salt knows of this minion: pillar, grains, the mine and Salt's file server, and the settings that come of it."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import salt.pillar
import salt.utils.yaml
from salt.exceptions import CommandExecutionError, SaltException

from haproxy_ha_host import files, nginx, synced
from haproxy_ha_lib import provider
from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.provider.interface import API
from haproxy_ha_lib.settings import addresses, build, minion, platform, secret, shown
from haproxy_ha_lib.settings.types import Settings, Stored
from haproxy_ha_lib.types import Tree

Given = Mapping[str, Any]

log = logging.getLogger(__name__)

KEPT_BY_MASTER = (
    "what this prints is secret, and the master would keep it in its job cache, where others may read it: "
    "salt-call --local {}"
)

# A run renders its files within about a second; what is older than this is made anew.
_RUN_SECONDS = 10


@dataclass(frozen=True)
class Minion:
    """
    A minion, as a module of Salt sees it.

    salt
        Salt's execution modules: functions by name.
    opts, grains
        The minion's configuration, and its grains.
    pillar
        The pillar at hand (dict): the same object as long as a run lasts, another one in every other run.
    context
        What stays from one call to the next (dict). Only plain data: after a sync, a class is another one.
    modules
        The directory from which Salt has loaded the formula's execution modules.
    saltenv : ``None``
        The environment of a run, whose files and pillar count (str). None, as people call: the minion's own, else
        ``base``, with the pillar that the master has now, because what the minion holds is that of its last refresh.
    """

    salt: Mapping[str, Callable[..., Any]]
    opts: Mapping[str, Any]
    grains: Mapping[str, Any]
    pillar: Mapping[str, Any]
    context: MutableMapping[str, Any]
    modules: str
    saltenv: str | None = None

    @classmethod
    def of_module(
        cls, path: str, salt: Given, opts: Given, grains: Given, pillar: Any, context: MutableMapping[str, Any],
        saltenv: str | None = None,
    ) -> Minion:  # fmt: skip
        """Return what an execution module, whose file is ``path``, has been given by Salt's loader."""
        # A run's pillar is another object than that of the run before.
        pillar = getattr(pillar, "value", lambda: pillar)()
        return cls(salt, opts, grains, pillar, context, os.path.dirname(os.path.abspath(path)), saltenv)

    @property
    def id(self) -> str:
        return self.opts["id"]

    @property
    def environment(self) -> str:
        return self.saltenv or self.opts.get("saltenv") or "base"

    def once(self, what: str, key: Any, make: Callable[[], Any]) -> Any:
        """Return what ``make()`` returns, made once within a run for the same ``key``."""
        since, known, result = self.context.get(f"haproxy_ha.{what}", (0.0, None, None))
        if known != key or time.monotonic() - since > _RUN_SECONDS:
            result = make()
            self.context[f"haproxy_ha.{what}"] = (time.monotonic(), key, result)
        return result

    # Pillar

    def whole_pillar(self) -> Mapping[str, Any]:
        """Return pillar, that of the run or a fresh one (dict)."""
        return self.pillar if self.saltenv is not None else self.once("pillar", "", self._fresh_pillar)

    def secrets(self) -> Tree:
        """Return what pillar has and the settings have not, URLs of stores as they stand (dict); see build.secrets."""
        return build.secrets(self.tree())

    def stored_secrets(self) -> list[Stored]:
        """Return the secrets that this machine needs and stores have; CommandExecutionError if something is wrong."""
        return list(secret.stored(self.tree(), self.valid_settings()))

    def tree(self) -> Any:
        """Return the formula's tree of pillar; None without one."""
        return self.whole_pillar().get("haproxy_ha")

    def haproxy_unit(self) -> str:
        """Return HAProxy's service by the pillar at hand (str): who asks may have no master to ask."""
        found: Any = self.pillar
        for key in ("haproxy_ha", "lookup", "services", "haproxy"):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found or "haproxy"

    def _fresh_pillar(self) -> Mapping[str, Any]:
        """The minion's pillar as pillar.items makes it; that at hand where the master does not answer."""
        if self.opts.get("__cli") == "salt-call":  # has just made it
            return self.pillar
        try:
            source = salt.pillar.get_pillar(
                self.opts, dict(self.grains), self.id, pillarenv=self.opts.get("pillarenv")
            )
            fresh = source.compile_pillar()
        except SaltException as exc:
            log.warning(
                "haproxy_ha: pillar is that of the last refresh, because the master does not give it: %s", exc
            )
            return self.pillar
        if fresh.get("_errors"):
            errors = "; ".join(map(str, fresh["_errors"]))
            raise CommandExecutionError(f"{errors} (on the master: salt-run pillar.show_pillar {self.id})")
        return fresh

    def refuse_to_tell_master(self, call: str) -> None:
        """Raise CommandExecutionError unless what a call returns stays here: a master keeps it in its job cache."""
        if self.opts.get("file_client") != "local":
            raise CommandExecutionError(KEPT_BY_MASTER.format(call))

    # Settings

    def shown_settings(self) -> Tree:
        """Return the settings for SLS files, without roles while something is wrong or missing (dict)."""
        return self._all_settings()[1]

    def public_settings(self) -> Tree:
        """Return the same as people may see them: what stands in parameters of agents is hidden, too (dict)."""
        return self._all_settings()[2]

    def settings(self) -> Settings | None:
        """Return the settings, with whatever is wrong in ``errors``; None where the formula's files cannot be read."""
        plain = self._all_settings()[0]
        return Settings.of(plain) if "paths" in plain else None

    def valid_settings(self) -> Settings:
        """Return the settings; CommandExecutionError with all errors."""
        settings = self.readable_settings()
        if settings.errors:
            raise CommandExecutionError("\n".join(settings.errors))
        return settings

    def readable_settings(self) -> Settings:
        """Return the settings, whatever is wrong in pillar; CommandExecutionError without defaults for this system."""
        settings = self.settings()
        if settings is None:
            raise CommandExecutionError("\n".join(self.shown_settings()["errors"]))
        return settings

    def _all_settings(self) -> tuple[Tree, Tree, Tree]:
        """The settings, those for SLS files, and those for people, all as plain data."""
        pillar = self.whole_pillar()
        key = hashlib.sha256(json.dumps([self.environment, self.id, pillar], default=str).encode()).hexdigest()
        return self.once("settings", key, lambda: self._build_all(pillar))

    def _build_all(self, pillar: Mapping[str, Any]) -> tuple[Tree, Tree, Tree]:
        whole = self._build(pillar)
        roles = [] if whole["errors"] or self.missing() else whole["roles"]
        rendered = {**whole, "roles": roles, "haproxy": fileset.masked_data(whole.get("haproxy"))}
        return whole, rendered, shown.without_secrets(rendered)

    def _build(self, pillar: Mapping[str, Any]) -> Tree:
        tree = pillar.get("haproxy_ha")
        try:
            defaults, families = self.defaults(), self._data("os_family.yaml")
            os_family, osfinger = (self.grains.get(name, "") for name in ("os_family", "osfinger"))
            family = platform.family(families, os_family)
            stale = self.stale()
            settings = build.settings(
                tree, self.id, {**defaults, **family}, self._metadata(tree), self._mine(tree),
                memory=self.grains.get("mem_total"), osfinger=osfinger, installed=_own_haproxy_cfg,
            )  # fmt: skip
            settings = minion.on_system(minion.in_pillar(settings, pillar), os_family, osfinger, families)
            return minion.with_modules(settings, stale, self.environment).as_dict()
        except CommandExecutionError as exc:
            return {"minion_id": self.id, "roles": [], "errors": [str(exc)], "warnings": [], "tree": True}

    def _mine(self, tree: Any) -> dict[str, Any] | None:
        """What the machines in pillar last sent to the mine, by minion id; None unless pillar asks for it."""
        names = addresses.mine_members(tree)
        return None if names is None else self.salt["mine.get"](names, "haproxy_ha.addresses", tgt_type="list") or {}

    def _metadata(self, tree: Any) -> Callable[..., dict[str, Any]]:
        return self.salt[f"{provider.metadata_module(tree)}.metadata"]

    def roles(self) -> list[str]:
        """Return the roles that pillar gives this minion (list of str); CommandExecutionError if something is wrong."""
        settings = self.shown_settings()
        if settings["errors"] and settings["tree"]:
            raise CommandExecutionError("\n".join(settings["errors"]))
        missing = ", ".join(self.missing())
        if missing:
            raise CommandExecutionError(f"not on this minion: {missing}; saltutil.sync_all brings them")
        return settings["roles"]

    def addresses(self) -> dict[str, Any]:
        """Return this machine's own addresses, by its metadata service, and how much its nginx takes (dict)."""
        known = {**self._metadata(self.pillar.get("haproxy_ha"))(), "nginx_requests": nginx.requests()}
        told = ("private_ip", "anchor_ip", "public_ip", "nginx_requests")
        return {key: known[key] for key in told if known.get(key)}

    def surplus(self, present: list[str]) -> list[str]:
        """Return which of the formula's parts that are ``present`` pillar does not give to this minion."""
        return minion.surplus(self.readable_settings(), present)

    def apis(self, settings: Settings) -> list[API]:
        """Return the API of whoever moves each floating IP, to be asked; those without one are left out."""
        found = ((one, provider.of(one).api) for one in settings.moving)
        return [api(functools.partial(self._ask, api.module), one) for one, api in found if api]

    def _ask(self, module: str, function: str, *args: Any, **options: Any) -> Any:
        return self.salt[f"{module}.{function}"](*args, **options)

    def say(self, text: str) -> None:
        """Tell people who watch: in the log, which salt-call shows, and as an event (``salt-run state.event``)."""
        log.warning("haproxy_ha: %s", text)
        if self.opts.get("__cli") != "salt-call" and self.opts.get("file_client") != "local":
            self.salt["event.send"]("haproxy_ha/waiting", {"text": text})

    # The formula's modules, and its files on Salt's file server

    def missing(self) -> list[str]:
        """Return which of the formula's modules and states are not on this minion (list of ``module.function``)."""
        return self.once("missing", "", lambda: synced.find_missing(self.salt, self.opts))

    def stale(self) -> list[str]:
        """Return which of the formula's modules here are not those of its states (list of paths)."""
        return self.once("stale", self.environment, self._find_stale)

    def _find_stale(self) -> list[str]:
        return synced.find_stale(self.formula_text("modules.sha256"), self.modules)

    def defaults(self) -> dict[str, Any]:
        """Return what holds where pillar says nothing (dict)."""
        return self._data("defaults.yaml")

    def _data(self, name: str) -> dict[str, Any]:
        return salt.utils.yaml.safe_load(self.formula_text(name))

    def formula_text(self, name: str) -> str:
        """Return the text of a file of the formula, by its path below ``haproxy_ha/``."""
        return self.file_server_text(f"salt://haproxy_ha/{name}")

    def file_server_text(self, source: str) -> str:
        """Return the text of a file of Salt's file server; CommandExecutionError if it is not there."""
        path = self.salt["cp.cache_file"](source, saltenv=self.environment)
        if not path:
            raise CommandExecutionError(f"{source} is not on Salt's file server in the environment {self.environment}")
        with open(path, encoding="utf-8") as handle:
            return handle.read()


def _own_haproxy_cfg(path: str) -> str:
    """The haproxy.cfg of ours that is on this machine; empty without one."""
    text = files.text(path) or ""
    return text if fileset.MARK in text else ""
