"""What a page weighs on the way to the reader, and that it keeps still while it loads."""

import pytest

from conftest import ALL_PAGES
from visit import DESK, PHONE, Visit

TRANSFERRED = """() => performance.getEntries()
    .filter(entry => entry.transferSize && entry.initiatorType !== "img")
    .map(entry => [entry.name, entry.transferSize])"""
SHIFTS = """() => new Promise(resolve => {
    const sum = list => list.getEntries().reduce((total, {value}) => total + value, 0);
    new PerformanceObserver(list => resolve(sum(list)))
        .observe({type: "layout-shift", buffered: true});
    setTimeout(() => resolve(0), 300);
})"""
TO_THE_END = """async () => {
    for (let y = 0; y < document.body.scrollHeight; y += 600) {
        window.scrollTo(0, y);
        await new Promise(requestAnimationFrame);
    }
}"""


@pytest.mark.parametrize("name", ALL_PAGES)
def test_the_first_page_weighs_400_kb_at_most(browser, address, name):
    visit = Visit(browser, address).open(name)
    parts = visit.page.evaluate(TRANSFERRED)
    visit.close()
    assert sum(size for _, size in parts) <= 400_000, f"{name}: {parts}"


@pytest.mark.parametrize("name", ALL_PAGES)
def test_a_further_page_weighs_60_kb_at_most(browser, address, name):
    visit = Visit(browser, address).open("index").open(name)
    parts = visit.page.evaluate(TRANSFERRED)
    visit.close()
    assert sum(size for _, size in parts) <= 60_000, f"{name}: {parts}"


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("name", ALL_PAGES)
def test_nothing_moves_while_the_page_loads_and_is_scrolled(
    browser, address, name, size
):
    visit = Visit(browser, address, viewport=size).open(name)
    visit.page.evaluate(TO_THE_END)
    visit.page.wait_for_load_state("networkidle")
    moved = visit.page.evaluate(SHIFTS)
    visit.close()
    assert moved < 0.02, name
