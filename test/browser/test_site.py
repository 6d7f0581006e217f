"""The documents as a web site: it is built without a warning, each link leads somewhere, and a browser shows it."""

import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

import pytest

from support import browser
from tools import site


class Links(HTMLParser):
    """The links of a page, and what links can lead to in it."""

    def __init__(self, page: Path):
        super().__init__()
        self.targets, self.anchors = [], set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors.add(values.get("id"))
        self.targets += [values[name] for name in ("href", "src") if values.get(name)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return site.build(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def links(built):
    return {page: Links(page) for page in built.rglob("*.html")}


def test_every_link_leads_to_a_file_and_a_heading_of_the_site(built, links):
    assert len(links) > len(site.pages())
    lost = []
    for page, found in links.items():
        for target in found.targets:
            url = urllib.parse.urlsplit(target)
            to = (page.parent / urllib.parse.unquote(url.path)).resolve() if url.path else page
            if not url.scheme and not (to.exists() and (not url.fragment or url.fragment in links[to].anchors)):
                lost.append((page.name, target))
    assert lost == []


PAGES = ("index.html", "docs/operate.html", "docs/pillar.html", "docs/failover.html", "docs/reference/haproxy_ha.html")
ILLUSTRATED = ("index.html", "docs/failover.html")


@pytest.mark.parametrize("width", [1280, 380], ids=["desk", "phone"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_its_window(built, path, width):
    page = browser.look(built, path, width, "[role=main] h1", "[role=main] table", "[role=main] img")
    assert (page.width, page.needs <= width, page.broken, page.errors) == (width, True, [], [])
    [title], tables, pictures = page.parts.values()
    assert title["seen"] and 0 <= title["x"] < width / 2
    assert all(one["width"] > 100 for one in [*tables, *pictures])
    assert bool(pictures) == (path in ILLUSTRATED)
