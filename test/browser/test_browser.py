"""The browser of these tests tells what is wrong with a page."""

import pytest

from support import browser

WELL = "<title>a page</title><h1>text</h1>"


@pytest.mark.parametrize(("more", "complaints", "broken", "wide"), [
    ("", 0, 0, False),
    ("<script>nothing.here()</script>", 1, 0, False),
    ("<img src=lost.png>", 0, 1, False),
    ("<div style='width: 2000px'>wide</div>", 0, 0, True),
], ids=["well", "a script that fails", "a picture that is lost", "too wide"])
def test_what_is_wrong_with_a_page_is_seen(tmp_path, more, complaints, broken, wide):
    (tmp_path / "page.html").write_text(WELL + more, encoding="utf-8")
    page = browser.look(tmp_path, "page.html", 380, "h1")
    assert (page.title, page.parts["h1"][0]["seen"]) == ("a page", True)
    assert (len(page.errors), len(page.broken), page.needs > page.width) == (complaints, broken, wide), page.errors


def test_what_lies_under_something_else_is_not_seen(tmp_path):
    cover = "<div style='position: fixed; inset: 0; background: white'></div>"
    (tmp_path / "page.html").write_text(WELL + cover, encoding="utf-8")
    assert not browser.look(tmp_path, "page.html", 380, "h1").parts["h1"][0]["seen"]
