"""The laws of the comparison on random CIBs: all that Pacemaker's own schemas allow, of every version."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltext.pacemaker.cib.document import Document
from support import random_cibs
from support.laws import LAWS
from support.place import requires_tools

pytestmark = requires_tools("crm_verify")

# The first ones have no tags, and ACLs that Pacemaker 2 knows only to replace them.
FIRST = ("pacemaker-1.0", "pacemaker-1.2", "pacemaker-1.3")


def nothing_is_unknown(document):
    assert document.unknown == []


@pytest.mark.parametrize("law", [nothing_is_unknown, *LAWS], ids=lambda law: law.__name__)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 32), data=st.data())
def test_a_law_holds(law, seed, data):
    name = data.draw(st.sampled_from([name for name in random_cibs.names() if name not in FIRST]))
    law(Document.parse(Document(random_cibs.document(name, random.Random(seed))).text()))
