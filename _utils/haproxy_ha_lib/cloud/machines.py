"""Machines of a cloud: the one that a name means, its power, and what would keep it from being switched."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.answers import number
from haproxy_ha_lib.cloud.calls import Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from haproxy_ha_lib.cloud.calls import Call, Reply, Steps

# Seconds after which a power action is asked for anew.
LONGEST_POWER_CHANGE = 30.0
# Beyond every machine's id: what is asked of it harms nobody.
NOBODY = 2**53 - 1


class Machines:
    """The rules that clouds have in common; each says of itself what follows.

    Attributes:
        called (str): What one is called, which is also its key in an answer; `<called>s` is that of a list.
        path (str): Where the API has them.
        actions (dict): The status that is wanted -> the action that leads there, of `off` and of one with power.
        scope (str): In words, what a token needs to switch one; "" where there is no name for it.
    """

    called: str
    path: str
    actions: Mapping[str, str]
    scope = ""

    def read_all(self, name: str | None = None, label: str | None = None, tries: int | None = None) -> Steps:
        """Lists them, all pages.

        Args:
            name (str): Only those with exactly this name. Default: all.
            label (str): Only those with this tag or label. Default: all.
            tries (int): How many requests may fail in a row. Default None: as many as the time allows.

        Returns:
            list[dict]: as `summary` has them.
        """
        raise NotImplementedError

    def summary(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The part of one, as the API shows it, that matters here: `id`, `name`, `status`, `locked` and more."""
        raise NotImplementedError

    def none_of(self, plug: str, count: int) -> str:
        """Why so many machines of a name are not the one that is wanted, in words."""
        raise NotImplementedError

    def switching(self, identifier: int, action: str) -> Call:
        """The request that starts a power action."""
        raise NotImplementedError

    def read(self, identifier: int, tries: int | None = None) -> Steps:
        """Reads one.

        Args:
            identifier (int): Its id.
            tries (int): How many requests may fail. Default None: as many as the time allows.

        Returns:
            dict: as `summary` has it.
        """
        document = yield from calls.get(f"{self.path}/{int(identifier)}", tries)
        found = document.get(self.called)
        if not isinstance(found, dict) or found.get("id") != identifier:
            raise calls.Unavailable(f"the API's answer about {self.called} {identifier} is not about it")
        return self.summary(found)

    def find(self, plug: str, tries: int | None = None) -> Steps:
        """Reads the one that a name or an id stands for.

        Args:
            plug (str): The whole name, or the id in digits.
            tries (int): How many requests may fail in a row. Default None: as many as the time allows.

        Returns:
            dict: as `summary` has it.

        Raises:
            NotFound: There is none, or more than one.
        """
        if identifier := number(plug):
            return (yield from self.read(identifier, tries))
        found = yield from self.read_all(plug, tries=tries)
        if len(found) != 1:
            raise calls.NotFound(self.none_of(plug, len(found)))
        return found[0]

    def fencing_problems(self, nodes: Mapping[str, str], tries: int | None = None) -> Steps:
        """Why fencing would power off no machine, or the wrong one, of a cluster.

        Whether the token may do it is asked about a machine that cannot exist, to be powered on: no answer harms
        anybody. A token that may not gets 403, and one that may 404, or 422.

        Args:
            nodes (dict): Each node's name -> the machine's name or id.
            tries (int): How many requests may fail in a row. Default None: as many as the time allows.

        Returns:
            tuple: (list of texts, empty when nothing is in the way; what cannot be known, in words, or "";
            dict: node -> its machine as `summary` has it, as far as found).
        """
        problems, found = [], {}
        for node, plug in nodes.items():
            try:
                found[node] = yield from self.find(plug, tries)
            except calls.NotFound as error:
                problems.append(f"node {node} cannot be fenced: {error}")
        shared = sorted(node for node in found if [one["id"] for one in found.values()].count(found[node]["id"]) > 1)
        if shared:
            problems.append(f"the nodes {', '.join(shared)} are said to be one and the same {self.called}")
        with_power = next(action for status, action in self.actions.items() if status != "off")
        reply: Reply = yield self.switching(NOBODY, with_power)
        may = f"the token may{{}} switch {self.called}s{self.scope}"
        unknown = ""
        if reply.status in (401, 403):
            problems.append(f"no node can be fenced: {may.format(' not')}: {calls.describe(reply)}")
        elif reply.status not in (404, 422):
            unknown = f"whether {may.format('')} is unknown: {calls.describe(reply)}"
        return problems, unknown, found

    def set_power(self, identifier: int, status: str, jitter: Callable[[], float] = random.random) -> Steps:
        """Powers one off or on, and returns when the API shows that status: an action is only a hint here too.

        Args:
            identifier (int): The machine.
            status (str): `off` (without a shutdown, as fencing needs it), or that of one with power.
            jitter (callable): A number from 0 to 1; two nodes must not retry in step.

        Returns:
            dict: the machine, as `summary` has it.
        """
        action, failures = self.actions[status], 0
        while True:
            found = yield from self.read(identifier)
            if found["status"] == status:
                return found
            reply: Reply = yield self.switching(identifier, action)
            if 200 <= reply.status < 300:
                found = yield from self._settle_power(identifier, status)
                if found:
                    return found
                failures += 1
                why = f"the {action} of {self.called} {identifier} had no effect"
                yield Wait(calls.backoff(failures, jitter()), why)
                continue
            calls.raise_final(reply)
            failures += 1
            why = f"{action} of {self.called} {identifier}: {calls.describe(reply)}"
            yield Wait(calls.retry_delay(reply, failures, jitter()), why)

    def _settle_power(self, identifier: int, status: str) -> Steps:
        """Looks at one until it has the status; None after half a minute, when the action must have been lost."""
        pause, waited = calls.FIRST_POLL, 0.0
        while waited < LONGEST_POWER_CHANGE:
            found = yield from self.read(identifier)
            if found["status"] == status:
                return found
            yield Wait(pause, f"{self.called} {identifier} is {found['status']}, and is to be {status}")
            waited += pause
            pause = min(calls.LONGEST_POLL, pause * 2)
        return None
