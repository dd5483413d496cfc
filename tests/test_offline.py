"""The site on a memory stick, the network off: it looks and works as it does online."""

import pytest

from conftest import ALL_PAGES
from visit import Visit


@pytest.fixture
def stick(browser, site):
    """Return a function that opens a page from the disk, in a browser without a network."""
    opened = []

    def open_page(name, **options):
        visit = Visit(browser, site.as_uri(), offline=True, **options)
        opened.append(visit)
        return visit.open(name)

    yield open_page
    for visit in opened:
        visit.close()


@pytest.mark.parametrize("name", ALL_PAGES)
def test_a_page_opens_from_the_disk_without_a_fault(stick, name):
    assert stick(name).faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_from_the_disk_a_page_looks_as_it_does_online(stick, fresh_page, scheme):
    name = "chapters/03_the_algorithm"
    pages = [
        stick(name, color_scheme=scheme).page,
        fresh_page(name, color_scheme=scheme),
    ]
    for page in pages:
        page.evaluate("document.fonts.ready")
    assert pages[0].screenshot() == pages[1].screenshot()


def test_from_the_disk_the_search_finds_as_well(stick):
    visit = stick("index")
    visit.page.goto(f"{visit.address}/search.html?q=standardization")
    visit.page.locator("#search-results a[href*='01_standardization']").first.wait_for()
    assert visit.faults == []
