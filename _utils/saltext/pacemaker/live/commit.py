"""
Commit a change: one patch, bound to the configuration that it was planned on.
"""

from __future__ import annotations

import contextlib
import random
import re

from saltext.pacemaker.cib import plan as plans
from saltext.pacemaker.cib import values
from saltext.pacemaker.cib.document import Document
from saltext.pacemaker.errors import DanglingError, Failed, NoEnd
from saltext.pacemaker.live import files, reading
from saltext.pacemaker.live.judge import impossible_error, judge
from saltext.pacemaker.live.machine import INTERNAL, OLD_DATA, REFUSALS, TIMEOUT, Machine, failed, meaning
from saltext.pacemaker.live.waiting import POLL_SECONDS, Waiting
from saltext.pacemaker.request import Judgement, Request, not_ready
from saltext.pacemaker.types import Data, Element

ATTEMPTS = 20
# Who has lost a race reads again at once: the longer it waits, the sooner the others are ahead of it again.
_JITTER_SECONDS = 0.05
# How long to look for a change that the cluster has not confirmed.
UNCONFIRMED_SECONDS = 30
# 60 ms is usual, 0 the default; the sense of waiting ends somewhere.
_LONGEST_DELAY = 2.0
_UPGRADE = ("cibadmin", "--upgrade", "--force")

# Where a patch names the digest of the CIB that it makes, and how often the status of its source has changed.
_DIGEST = re.compile(r'(<diff\b[^>]*?) digest="[^"]*"')
_UPDATES = re.compile(r'(<source\b[^>]*?) num_updates="[^"]*"')


def apply(machine: Machine, request: Request, cib_file: str | None = None, timeout: float = 0) -> Data:
    """Make the configuration mean what is desired, in one commit or not at all: the result of ``pacemaker.apply``."""
    deadline = machine.monotonic() + timeout
    judgement = None
    for _ in range(ATTEMPTS):
        text, judgement = _judge_when_ready(machine, request, cib_file, deadline, judgement)
        against = judgement.refused + judgement.lacking + judgement.waiting
        if against:
            raise Failed("Nothing was written: " + "; ".join(against))
        if judgement.plan.after is None or _write(machine, text, judgement.plan.after, request, cib_file):
            return judgement.result()
        machine.sleep(random.uniform(0, _JITTER_SECONDS))
    raise Failed(
        f"Nothing was written: {ATTEMPTS} times others changed the configuration between reading and writing"
    )


def _judge_when_ready(
    machine: Machine, request: Request, cib_file: str | None, deadline: float, lost: Judgement | None = None
) -> tuple[str, Judgement]:
    """The CIB and its Judgement, as soon as the cluster can take a commit or the deadline has passed."""
    say = Waiting(machine, deadline)
    while True:
        try:
            text = reading.text(machine, cib_file)
            judgement = judge(machine, text, request, live=cib_file is None, lost=lost)
            hopeless = judgement.refused or judgement.lacking
            if not judgement.waiting or hopeless or machine.monotonic() >= deadline:
                return text, judgement
            say("; ".join(judgement.waiting))
        except DanglingError as problem:
            raise impossible_error(problem) from None
        except Failed:
            starting = cib_file is None and machine.has("cibadmin") and not reading.running(machine)
            if not starting or machine.monotonic() >= deadline:
                raise
            say("Pacemaker to start")
        machine.sleep(POLL_SECONDS)


def _write(machine: Machine, text: str, after: Document, request: Request, cib_file: str | None) -> bool:
    """Commit ``after`` to the cluster, or save it; False if others were first."""
    if cib_file is not None:
        files.write(cib_file, after.text())
        return True
    written = _commit(machine, text, after, request)
    if written:  # who looks sooner finds the cluster idle
        machine.sleep(_transition_delay(after))
    return written


def _transition_delay(document: Document) -> float:
    """The seconds that the cluster lets pass after a change before it reacts, as far as it is worth waiting for."""
    try:
        return min(values.duration(plans.cluster_property(document, "transition-delay")) / 1000, _LONGEST_DELAY)
    except ValueError:
        return 0.0


def _commit(machine: Machine, text: str, after: Document, request: Request) -> bool:
    """
    Write ``after`` if the configuration is still that of ``text``. False: it is not, plan again.

    A resource that starts or fails counts up the CIB's version too. Then the same patch is offered again, bound to the
    version of the configuration alone, if the cluster is ready for it; but what it would do may have become something
    else, so that a plan whose effects are bound is made anew.
    """
    before = reading.document(text)
    changes = patch(machine, text, after.text())
    code = send(machine, changes)
    if code == OLD_DATA:
        if request.binds_effects:
            return False
        now = reading.tree(reading.text(machine))
        if _without_updates(now) != _without_updates(before.root) or not_ready(now, request):
            return False
        code = send(machine, for_any_status(changes))
        if code in (OLD_DATA, INTERNAL):
            return False
    if code in REFUSALS:
        raise failed("Nothing was written", code)
    return code == 0 or _has_arrived(machine, before, after, request.owner, code)


def _without_updates(root: Element) -> dict[str, str]:
    """All that the CIB says of itself but how often its status has changed. A patch writes these attributes too."""
    return {name: value for name, value in root.items() if name != "num_updates"}


def _has_arrived(machine: Machine, before: Document, after: Document, owner: str | None, code: int) -> bool:
    """
    Whether a change is in the configuration though the cluster has not confirmed it; False: others have changed the
    configuration, plan again. Failed if it cannot be told, or the change is not there (yet).
    """
    found = "it cannot be read whether it was written"
    deadline = machine.monotonic() + UNCONFIRMED_SECONDS
    while machine.monotonic() < deadline:
        with contextlib.suppress(Failed):
            now = reading.document(reading.text(machine))
            if now.version[:2] != before.version[:2]:
                return not plans.compare(now, after, owner)[0]
            found = "it is not in the configuration, but may still arrive there"
        machine.sleep(POLL_SECONDS)
    raise Failed(f"The change was sent and not confirmed, and {found}: {meaning(code)}")


def patch(machine: Machine, old: str, new: str) -> str:
    """The difference of two CIBs as a patch, bound to the version of the first."""
    with files.handed(old, new) as (original, changed):
        code, changes, _ = machine.run("crm_diff", "--cib", "--original", original, "--new", changed)
    if code != 1 or not changes:
        raise failed("Nothing was written: the change cannot be put into a patch", code)
    return changes


def for_any_status(changes: str) -> str:
    """
    A patch of the configuration that holds however often the status has changed meanwhile.

    The number of status updates that the source does not give is taken from the CIB at hand (Pacemaker 2.1 and 3.0,
    lib/common/patchset.c); a version that wants it there refuses the patch with an internal error.
    """
    return _UPDATES.sub(r"\1", _DIGEST.sub(r"\1", changes, count=1), count=1)


def send(machine: Machine, changes: str) -> int:
    """Send a patch; the exit code of cibadmin."""
    try:
        return machine.run("cibadmin", "--patch", "--xml-pipe", stdin=changes)[0]
    except NoEnd:
        return TIMEOUT


def upgrade_schema(machine: Machine, cib_file: str | None = None) -> dict[str, str | None]:
    """Let the CIB have the newest schema that this Pacemaker knows: {"old": name of the schema, "new": the same}."""
    text = reading.text(machine, cib_file)
    if cib_file is None:
        machine.do("Nothing was upgraded", *_UPGRADE)
    else:
        files.write(cib_file, _upgrade_text(machine, text))
    old, new = (reading.tree(one).get("validate-with") for one in (text, reading.text(machine, cib_file)))
    return {"old": old, "new": new}


def _upgrade_text(machine: Machine, text: str) -> str:
    """The text of a CIB with the newest schema."""
    with files.handed(text) as [path]:
        machine.do("Nothing was upgraded", "env", f"CIB_file={path}", *_UPGRADE)
        return files.read(path)
