"""
What concerns a pair as a whole, asked from the master by ``salt-run``. It is there after a sync
(``salt-run saltutil.sync_all``), like the formula's modules.

All functions take these parameters:

tgt : ``"I@haproxy_ha:load_balancers:*"``
    Whom to ask (str). Who is no load balancer is left out. Name one pair's where a master has several.
tgt_type : ``"compound"``
    How ``tgt`` is read (str), as by ``salt``.
timeout : ``30``
    How long a minion may be silent before Salt asks whether it is still at it, in seconds (int). Nobody waits so long
    for a load balancer that the others say is offline.
data : ``False``
    True: return data in place of a text (bool).
"""

from typing import Any

import salt.client

from haproxy_ha_host import drill as host_drill
from haproxy_ha_host.minions import Minions
from haproxy_ha_lib import overview as screen

__virtualname__ = "haproxy_ha"

# Salt's loader puts these here.
__context__: dict[str, Any]
__opts__: dict[str, Any]


def __virtual__():
    return __virtualname__


def overview(tgt="I@haproxy_ha:load_balancers:*", tgt_type="compound", timeout=30, data=False):
    """
    Return one screen about the load balancers of a pair: :func:`haproxy_ha.overview <haproxy_ha>` of each; what more
    than one says stands once. It changes nothing.

    As data: ``{minion id: data, or a text in its place}``.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_ha.overview
    """
    with salt.client.get_local_client(mopts=__opts__) as client:
        pair = Minions(client, tgt, tgt_type, timeout).pair()
    return pair if data else screen.together(pair)


def drill(source, url, kinds=("failover",), limit=0, seconds=30, interval=0.02, expected=200, verify=True,
          tgt="I@haproxy_ha:load_balancers:*", tgt_type="compound", timeout=30, data=False):  # fmt: skip
    """
    Do to a pair that is well what may happen to it, while a minion asks through its address, and report what that
    minion got. Each request that a client sends meanwhile can be lost, as in the real case. A report as text, data and
    page is left in the master's cache directory.

    source
        The minion that asks (str), one outside the pair.
    url
        What it asks (str), through the floating IP.
    kinds : ``["failover"]``
        What is done (list of str): ``failover``, a planned move there and back; ``kill``, SIGKILL of HAProxy on the
        active load balancer; ``reboot``, its reboot.
    limit : ``0``
        The longest time without an answer that is allowed, in seconds (float); a longer one is a failure. 0: any.
    seconds : ``30``
        For how long the source asks each time, in seconds (float), at most 600: longer than what is done takes.
    interval : ``0.02``
        How often it asks, in seconds (float).
    expected : ``200``
        The status of a good answer (int).
    verify : ``True``
        False: the certificate is not checked (bool).

    Returns the report as text, or why nothing was done: the pair is not well, or the source gets no good answer. An
    orchestration (``haproxy_ha.orchestrate.drill``) fails unless all was well.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_ha.drill client http://203.0.113.10/ limit=1
    """
    with salt.client.get_local_client(mopts=__opts__) as client:
        minions = Minions(client, tgt, tgt_type, timeout)
        drill = host_drill.Drill(minions, source, url, tuple(kinds), limit, seconds, interval, host_drill.say, expected,
                                 verify)  # fmt: skip
        well, told = host_drill.carry_out(drill, __opts__["cachedir"], data)
    if not well:
        __context__["retcode"] = 1
    return told
