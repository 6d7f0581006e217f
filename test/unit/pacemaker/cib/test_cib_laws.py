"""Every state of the corpus by the laws of the comparison."""

import pytest

from saltext.pacemaker.cib.document import Document
from support.laws import LAWS
from support.scheduler_corpus import every_state


@every_state
@pytest.mark.parametrize("law", LAWS, ids=[law.__name__ for law in LAWS])
def test_a_law_holds(law, path):
    law(Document.parse(path.read_text(encoding="utf-8")))
