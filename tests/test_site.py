"""The site in a real browser: what a reader sees, at a desk and on a phone."""

import pytest

from conftest import ALL_PAGES, CHAPTER_PAGES, PAGES
from visit import DESK, PHONE, Visit

SMALL = {"width": 320, "height": 640}


@pytest.mark.parametrize("name", ALL_PAGES)
def test_a_page_loads_without_an_error_and_from_this_host_alone(visits, name):
    assert visits(name).faults == []


@pytest.mark.parametrize("name", ALL_PAGES)
def test_a_page_is_never_wider_than_its_window(visits, name):
    visit = visits(name)
    for size in (SMALL, PHONE, DESK):
        visit.resize(size)
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{name} is {width} px wide"


@pytest.mark.parametrize("name", CHAPTER_PAGES)
def test_a_formula_wider_than_a_phone_can_be_scrolled_by_keyboard(visits, name):
    visit = visits(name)
    visit.resize(PHONE)
    unreachable = """boxes => boxes
        .filter(box => box.scrollWidth > box.clientWidth && box.tabIndex !== 0)
        .map(box => box.textContent)"""
    assert visit.page.eval_on_selector_all("div.math > .formula", unreachable) == []


@pytest.mark.parametrize("name", CHAPTER_PAGES)
def test_every_formula_can_be_seen(visits, name):
    page = visits(name).page
    page.evaluate(
        "document.querySelectorAll('details').forEach((box) => { box.open = true; })"
    )
    unseen = """formulas => formulas
        .filter(formula => !formula.closest(".toggle-hidden"))
        .map(formula => [formula.ariaLabel, formula.getBoundingClientRect()])
        .filter(([_, box]) => box.width < 2 || box.height < 2)
        .map(([words, _]) => words)"""
    assert page.eval_on_selector_all("article math", unseen) == []


def test_a_formula_is_set_in_the_books_own_font(visits):
    page = visits("chapters/03_the_algorithm").page
    assert page.locator("article math").count() > 0
    loaded = "[...document.fonts].some(f => /Course Math/.test(f.family) && f.status == 'loaded')"
    assert page.evaluate(loaded)


def test_a_picture_is_drawn(visits):
    page = visits("chapters/01_standardization").page
    load = """images => Promise.all(images.map(image => {
        image.loading = "eager";
        return image.decode();
    }))"""
    page.eval_on_selector_all("article img", load)
    widths = page.eval_on_selector_all(
        "article img", "images => images.map(i => i.naturalWidth)"
    )
    assert widths
    assert min(widths) > 100


def test_the_start_button_is_in_sight_on_a_phone(fresh_page):
    page = fresh_page("index")
    page.set_viewport_size(PHONE)
    box = page.get_by_role("link", name="Start with the first chapter").bounding_box()
    assert 0 < box["y"] < box["y"] + box["height"] < PHONE["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_readers_colours(browser, address, scheme):
    visit = Visit(browser, address, color_scheme=scheme).open("index")
    assert visit.page.locator("html").get_attribute("data-theme") == scheme
    assert visit.faults == []


def test_the_next_button_leads_through_the_whole_book_and_back(fresh_page):
    page = fresh_page("index")
    seen = [page.url]
    while (following := page.locator("a.right-next")).count():
        following.click()
        page.wait_for_load_state("domcontentloaded")
        seen.append(page.url)
    assert len(seen) == len(set(seen)) == len(PAGES)
    page.locator("a.left-prev").click()
    page.wait_for_url(seen[-2])


def test_one_click_leads_from_the_first_page_to_the_first_chapter(fresh_page):
    page = fresh_page("index")
    page.get_by_role("link", name="Start with the first chapter").click()
    page.wait_for_url("**/chapters/01_standardization.html")


def test_a_solution_is_hidden_until_it_is_opened(fresh_page):
    page = fresh_page("chapters/01_standardization")
    solution = page.locator("article details:has(summary:text-is('Solution'))").first
    body = solution.locator(":scope > :not(summary)").first
    assert not body.is_visible()
    solution.locator("summary").click()
    assert body.is_visible()
