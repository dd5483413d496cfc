"""A chapter on paper: its text, code and figures, and nothing that only a screen can use."""

import pytest

from conftest import PAGES
from visit import Visit

PAPER = {"width": 680, "height": 960}  # A4 without its margins
# What is printed though there is nothing to click on paper.
CLICKABLE = """() => [...document.querySelectorAll("button, nav, input, header, .headerlink")]
    .filter(element => element.checkVisibility())
    .map(element => element.outerHTML.slice(0, 120))"""
HIDDEN = """() => [...document.querySelectorAll("article details > :not(summary) :is(p, pre, img)")]
    .filter(element => !element.closest("nav"))
    .filter(element => !element.checkVisibility({contentVisibilityAuto: true})
        || element.getBoundingClientRect().height < 1)
    .map(element => element.outerHTML.slice(0, 120))"""
CUT = """width => [...document.querySelectorAll("article :is(pre, img, table)")]
    .filter(element => element.scrollWidth > element.clientWidth + 1
        && getComputedStyle(element).overflowX != "visible"
        || element.getBoundingClientRect().right > width)
    .map(element => element.outerHTML.slice(0, 120))"""


@pytest.fixture(params=PAGES)
def printed(request, browser, address):
    """Return each page in turn as it is printed, by a browser that runs no script for it."""
    visit = Visit(browser, address, java_script_enabled=False, viewport=PAPER)
    visit.open(request.param).page.emulate_media(media="print")
    yield visit.page
    visit.close()


def test_on_paper_nothing_is_left_to_click_nothing_hidden_and_nothing_cut(printed):
    assert printed.locator("article h1").first.is_visible()
    assert printed.evaluate(CLICKABLE) == []
    assert printed.evaluate(HIDDEN) == []
    assert printed.evaluate(CUT, PAPER["width"]) == []


def test_paper_is_white_and_all_is_open_and_afterwards_the_screen_is_as_before(
    fresh_page,
):
    page = fresh_page("chapters/01_standardization", color_scheme="dark")
    page.evaluate(
        """() => window.addEventListener("afterprint", () => {
            document.title = `printed ${window.theme}, closed: ${window.closed_boxes}`;
        }, {capture: true})"""
    )
    page.evaluate(
        """() => window.addEventListener("beforeprint", () => {
            window.theme = document.documentElement.dataset.theme;
            window.closed_boxes = document.querySelectorAll("details:not([open])").length;
        })"""
    )
    closed = page.locator("details:not([open])").count()
    assert closed > 0
    assert page.pdf().startswith(b"%PDF")
    assert page.title() == "printed light, closed: 0"
    assert page.locator("details:not([open])").count() == closed
    assert page.locator("html").get_attribute("data-theme") == "dark"
