"""
What concerns a pair as a whole, asked from the master by ``salt-run``. It is there after a sync
(``salt-run saltutil.sync_all``), like the formula's modules.
"""

from collections.abc import Callable
from typing import Any

from haproxy_ha_lib import overview as screen

__virtualname__ = "haproxy_ha"

# Salt's loader puts this here.
__salt__: dict[str, Callable[..., Any]]


def __virtual__():
    return __virtualname__


def overview(tgt="I@haproxy_ha:load_balancers:*", tgt_type="compound", timeout=30, data=False):
    """
    Return one screen about the load balancers of a pair: :func:`haproxy_ha.overview <haproxy_ha>` of each; what more
    than one says stands once. It changes nothing.

    tgt : ``"I@haproxy_ha:load_balancers:*"``
        Whom to ask (str). Who is no load balancer is left out. Name one environment's where a master has several pairs.
    tgt_type : ``"compound"``
        How ``tgt`` is read (str), as by ``salt``.
    timeout : ``30``
        How long to wait for answers, in seconds (int).
    data : ``False``
        True: the same as data (bool): ``{minion id: data, or a text in its place}``.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_ha.overview
    """
    answers = __salt__["salt.execute"](
        tgt, "haproxy_ha.overview", timeout=timeout, tgt_type=tgt_type, kwarg={"data": True}
    )
    pair = screen.of_pair(answers)
    return pair if data else screen.together(pair)
