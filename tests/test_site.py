"""The site in a real browser: what a reader sees, at a desk and on a phone."""

import pytest

from conftest import PAGES

PHONE = {"width": 375, "height": 812}
DESK = {"width": 1280, "height": 900}
CHAPTER_PAGES = [name for name in PAGES if name.startswith("chapters/")]


class Visit:
    """One page open in the browser, with everything that went wrong on it."""

    def __init__(self, browser, address, **options):
        self.page = browser.new_page(viewport=DESK, **options)
        self.address = address
        self.faults = []
        self.page.on("console", self._note_message)
        self.page.on("request", self._note_foreign)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "requestfailed",
            lambda request: self.faults.append(f"failed: {request.url}"),
        )
        self.page.on("response", self._note_status)

    def _note_message(self, message):
        """Note what the console calls an error or a warning."""
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _note_foreign(self, request):
        """Note a request to another host."""
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"another host: {request.url}")

    def _note_status(self, response):
        """Note an answer that is none."""
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")

    def open(self, name):
        """Open the page and wait until it has loaded everything."""
        self.page.goto(f"{self.address}/{name}.html", wait_until="networkidle")
        return self


@pytest.fixture(scope="module")
def visits(browser, address):
    """Return a function from a name to that page, opened once for all tests that only look."""
    opened = {}

    def visit(name):
        if name not in opened:
            opened[name] = Visit(browser, address).open(name)
        opened[name].page.set_viewport_size(DESK)
        return opened[name]

    return visit


@pytest.fixture
def fresh_page(browser, address):
    """Return a function that opens a page to click about in."""
    return lambda name: Visit(browser, address).open(name).page


@pytest.mark.parametrize("name", [*PAGES, "genindex", "search"])
def test_a_page_loads_without_an_error_and_from_this_host_alone(visits, name):
    assert visits(name).faults == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_does_not_overflow_a_phone(visits, name):
    page = visits(name).page
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("name", CHAPTER_PAGES)
def test_a_formula_wider_than_a_phone_can_be_scrolled_by_keyboard(visits, name):
    page = visits(name).page
    page.set_viewport_size(PHONE)
    unreachable = """boxes => boxes
        .filter(box => box.scrollWidth > box.clientWidth && box.tabIndex !== 0)
        .map(box => box.textContent)"""
    page.wait_for_timeout(100)  # the page marks them when it is resized
    assert page.eval_on_selector_all("div.math > .formula", unreachable) == []


@pytest.mark.parametrize("name", CHAPTER_PAGES)
def test_every_formula_can_be_seen(visits, name):
    page = visits(name).page
    page.evaluate(
        "document.querySelectorAll('details').forEach((box) => { box.open = true; })"
    )
    unseen = """formulas => formulas
        .filter(formula => !formula.closest(".toggle-hidden"))
        .map(formula => [formula.getAttribute("alttext"), formula.getBoundingClientRect()])
        .filter(([_, box]) => box.width < 2 || box.height < 2)
        .map(([latex, _]) => latex)"""
    assert page.eval_on_selector_all("article math", unseen) == []


def test_a_formula_is_set_in_the_books_own_font(visits):
    page = visits("chapters/03_the_algorithm").page
    assert page.locator("article math").count() > 0
    loaded = "[...document.fonts].some(f => /Course Math/.test(f.family) && f.status == 'loaded')"
    assert page.evaluate(loaded)


def test_a_picture_is_drawn(visits):
    page = visits("chapters/01_standardization").page
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


def test_the_search_finds_a_word_of_a_chapter(fresh_page):
    page = fresh_page("index")
    page.locator("button.search-button-field").click()
    page.keyboard.type("standardization")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=standardization*")
    page.locator("#search-results a[href*='01_standardization']").first.wait_for()


def test_a_solution_is_hidden_until_it_is_opened(fresh_page):
    page = fresh_page("chapters/01_standardization")
    solution = page.locator("article details:has(summary:text-is('Solution'))").first
    body = solution.locator(":scope > :not(summary)").first
    assert not body.is_visible()
    solution.locator("summary").click()
    assert body.is_visible()
