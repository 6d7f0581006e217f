"""Answers that make no sense: what those whom the agent haproxy asks say, and what chance makes of it."""

from __future__ import annotations

import random
import re

MAIN, WORKER = 100, 101
CODES = {"start": {0, 1, 2, 5, 6}, "stop": {0}, "monitor": {0, 1, 5, 6, 7, 190}, "validate-all": {0, 1, 2, 5, 6},
         "reload-agent": {0, 6}, "unit-stopped": {0, 1, 5}}  # fmt: skip

SAID = {
    "systemctl show": "LoadState=loaded\nActiveState=active\nResult=success\nMainPID=100\n"
                      "ControlGroup=/system.slice/haproxy.service\nJob=\n",
    "systemctl list-jobs": "17 haproxy.service stop running\n", "systemctl": "", "crm_node": "one\n",
    "crm_mon": '<pacemaker-result><nodes><node name="one" online="true" standby="true"/>'
               '<node name="two" online="true"/></nodes><resources><clone id="haproxy-clone">'
               '<resource id="haproxy" role="Started" managed="true">'
               '<node name="one"/></resource></clone><resource id="FloatIP" managed="true" role="Started">'
               '<node name="two"/></resource></resources></pacemaker-result>',
    "attrd_updater": "", "journalctl": "[ALERT] x\n", "/usr/sbin/haproxy": "[ALERT] (1) : no\n",
}  # fmt: skip
ODD = [*" \0=:,\n<()/#é", "", "-1", "0", "\u0663", "9" * 5000, "nan", "\udcff", "\n\n"]



def mutated(chance: random.Random, answer: str | bytes, rate: float) -> str | bytes:
    """The answer, spoilt at this rate."""
    if chance.random() > rate:
        return answer
    return _bytes(chance, bytearray(answer)) if isinstance(answer, bytes) else _text(chance, answer)


def _text(chance: random.Random, text: str) -> str:
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(text) + 1)
        until = min(len(text), place + chance.choice([0, 1, 3, 20]))
        words = re.split(r"(\W)", text)
        kind = chance.randrange(5)
        if kind == 0:
            text = text[:place] + text[until:]
        elif kind == 1:
            text = text[:place] + chance.choice(ODD) + text[until:]
        elif kind == 2:
            words[chance.randrange(len(words))] = chance.choice([*ODD, *words])
            text = "".join(words)
        elif kind == 3:
            lines = text.splitlines(keepends=True)
            text = "".join(chance.sample(lines * 2, len(lines)))
        else:
            text = text[:place]
    return text


def _bytes(chance: random.Random, data: bytearray) -> bytes:
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.choice([len(data), chance.randrange(1, len(data) + 1)])])
