"""The menu of the site, which test/browser builds and looks at."""

from tools import site


def test_every_page_is_in_the_menu():
    files = [path for folder in (".", "docs", "docs/reference") for path in (site.REPOSITORY / folder).glob("*.md")]
    assert sorted(path.relative_to(site.REPOSITORY) for path in files) == sorted(
        page for page in site.pages() if page.parts[0] != "extension"
    )
