"""What the wrapper ``haproxy_ha`` of salt-ssh has done on a target; not for SLS files."""

from salt.exceptions import CommandExecutionError, SaltInvocationError


def called(name, arguments=(), keywords=None):
    """
    A function has been called: ``returned`` of the changes is what it returned, ``error`` what it raised.

    name
        The function (str), ``module.function``.
    arguments, keywords
        What it takes (list, dict).
    """
    try:
        returned = __salt__[name](*arguments, **(keywords or {}))
    except (CommandExecutionError, SaltInvocationError, OSError) as exc:
        return {"name": name, "result": False, "changes": {"error": str(exc)}, "comment": str(exc)}
    return {"name": name, "result": True, "changes": {"returned": returned}, "comment": ""}
