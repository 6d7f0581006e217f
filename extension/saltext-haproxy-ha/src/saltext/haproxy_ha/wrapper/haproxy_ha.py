"""
The execution module ``haproxy_ha`` over salt-ssh: each function is called on the target, which has neither pillar nor a
file server of its own. Salt's package of one state brings it both, so that no secret is in an argument of a command.
"""

import functools
import inspect

import salt.client.ssh.wrapper
import salt.version
from salt.exceptions import CommandExecutionError
from saltext.haproxy_ha.modules import haproxy_ha as _module
from saltext.haproxy_ha.modules import haproxy_ha_operator as _operator

from haproxy_ha_host.minion import KEPT_BY_MASTER

__virtualname__ = "haproxy_ha"

# The first that sends extensions to targets.
_RELEASE = 3008
# What the modules read of the formula, with every state; salt-ssh sends what this key of its context names.
_FILES = [
    f"salt://haproxy_ha/{name}"
    for name in ("modules.sha256", "agents.sha256", "defaults.yaml", "os_family.yaml", "files")
]
_SENT = "_cp_extra_filerefs"
_SECRET = ("generate_authkey", "generate_quorum_certificates")


def __virtual__():
    return __virtualname__


class _Absent(CommandExecutionError):
    """The target has no such function."""


def _call(name, arguments, keywords):
    """What a function returns on the target; CommandExecutionError with what it says."""
    if salt.version.__saltstack_version__.major < _RELEASE:
        raise _Absent(f"salt-ssh of Salt {_RELEASE} or later is needed; this is {salt.version.__version__}")
    sent = __context__.get(_SENT, [])
    __context__[_SENT] = [*sent, *(path for path in _FILES if path not in sent)]
    given = {key: value for key, value in keywords.items() if not key.startswith("__")}
    [state] = _states(name, list(arguments), given).values()
    told = state["changes"]
    if "error" in told:
        raise CommandExecutionError(told["error"])
    if "returned" not in told:
        raise _Absent(f"haproxy_ha.{name} is not on the target: run salt-ssh with --regen-thin. {state['comment']}")
    return told["returned"]


def _states(name, arguments, keywords):
    """What the run of one state on the target returned, which calls a function."""
    environment = keywords.get("saltenv") or __opts__.get("saltenv") or "base"
    try:
        # state.low would close the file server that the caller renders from.
        done = __salt__["state.single"](
            "haproxy_ha_ssh.called", f"haproxy_ha.{name}", test=False, __env__=environment,
            arguments=arguments, keywords=keywords,
        )["local"]  # fmt: skip
    except salt.client.ssh.wrapper.SSHCommandExecutionError as exc:
        done = exc.to_ret()
        if not isinstance(done.get("return"), dict):
            raise
    return done["return"]


def _over_ssh(name, function):
    """A function of the execution module, called on the target."""

    # Not its __module__: by that, Salt's loader takes a function for the module's own.
    @functools.wraps(function, assigned=("__name__", "__doc__"))
    def called(*arguments, **keywords):
        given = inspect.signature(function).bind_partial(*arguments).arguments
        if name in _SECRET or {**given, **keywords}.get("secrets"):
            raise CommandExecutionError(KEPT_BY_MASTER.format(f"haproxy_ha.{name}"))
        return _call(name, arguments, keywords)

    return called


def rendered(saltenv="base", preflighted=True):
    """
    Return the settings that the SLS files are rendered from, as the target's ``haproxy_ha.rendered`` does: it is asked
    once for all files of a run. Without the formula's modules nothing is known but that they are missing.
    """
    known = __context__.setdefault("haproxy_ha.rendered", {})
    key = (saltenv, preflighted)
    if key not in known:
        try:
            known[key] = _call("rendered", [saltenv], {"preflighted": preflighted})
        except _Absent as exc:
            known[key] = {"roles": [], "problems": [], "missing": [str(exc)]}
    return known[key]


globals().update(
    (name, _over_ssh(name, function))
    for module in (_module, _operator)
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if not name.startswith("_") and name not in globals()
)
