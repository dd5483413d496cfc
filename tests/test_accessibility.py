"""The site without a mouse, without eyes and without scripts."""

from importlib.resources import files

import pytest

from conftest import ALL_PAGES, CHAPTER_PAGES, PAGES
from visit import DESK, PHONE, Visit

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
# Of the two rules of contrast the stricter one says all that the other would.
RUN_AXE = """async colours => {
    const looksAtColours = rule => rule.tags.includes("cat.color");
    const rules = axe.getRules()
        .filter(rule => !colours || looksAtColours(rule))
        .map(rule => rule.ruleId)
        .filter(id => id !== "color-contrast");
    const {violations} = await axe.run(document, {
        runOnly: {type: "rule", values: rules}, resultTypes: ["violations"]
    });
    return violations.flatMap(({id, nodes}) =>
        nodes.map(node => `${id}: ${node.html.slice(0, 120)} ${node.failureSummary}`));
}"""
# What can be reached by the keyboard and seen.
REACHABLE = """() => {
    const all = document.querySelectorAll("a[href], button, input, summary, [tabindex='0']");
    const seen = [...all].filter(element => element.tabIndex >= 0
        && element.checkVisibility({visibilityProperty: true, opacityProperty: true})
        && element.getBoundingClientRect().width > 1);
    seen.forEach((element, index) => { element.dataset.stop = index; });
    return seen.map(element => element.outerHTML.slice(0, 120));
}"""
# Where the focus is, and whether the element looks there otherwise than without it.
FOCUS = """() => {
    const element = document.activeElement;
    const looks = ["outlineStyle", "outlineWidth", "boxShadow", "backgroundColor", "borderColor"];
    const look = () => looks.map(key => getComputedStyle(element)[key]).join();
    const focused = look();
    element.blur();
    const plain = look();
    element.focus({focusVisible: true, preventScroll: true});
    const html = element.outerHTML.slice(0, 120);
    return {stop: element.dataset.stop, seen: focused != plain, html};
}"""
UNREADABLE = """() => {
    document.querySelectorAll("details").forEach(box => { box.open = true; });
    return [...document.querySelectorAll("article :is(p, li, pre, math, img, h1, h2, h3)")]
        .filter(element => !element.matches("summary > *"))  // these say "show" and "hide" in turn
        .filter(element => element.textContent.trim() || element.matches("img"))
        .filter(element => !element.checkVisibility({visibilityProperty: true}))
        .map(element => element.outerHTML.slice(0, 120));
}"""


@pytest.mark.parametrize("name", ALL_PAGES)
def test_axe_finds_no_fault_by_any_of_its_rules(visits, name):
    visit = visits(name)
    visit.page.evaluate(AXE)
    faults = {}
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for size in (PHONE, DESK):
            visit.resize(size)
            where = f"{name}, {scheme}, {size['width']} px"
            # Between light and dark nothing changes but the colours.
            faults[where] = visit.page.evaluate(RUN_AXE, scheme == "dark")
    assert {where: what[:5] for where, what in faults.items() if what} == {}


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize(
    "name", ["index", "chapters/03_the_algorithm", "reference/api"]
)
def test_the_keyboard_reaches_everything_and_shows_where_it_is(fresh_page, name, size):
    page = fresh_page(name, viewport=size, reduced_motion="reduce")
    stops = page.evaluate(REACHABLE)
    reached, unseen = set(), []
    while True:
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus["html"].startswith("<body"):
            break  # past the end of the page
        reached.add(focus["stop"])
        if not focus["seen"]:
            unseen.append(focus["html"])
    assert unseen == []
    assert [html for stop, html in enumerate(stops) if str(stop) not in reached] == []


@pytest.mark.parametrize("name", PAGES)
def test_the_first_key_leads_past_the_navigation_to_the_text(fresh_page, name):
    page = fresh_page(name)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_solution_opens_by_the_keyboard(fresh_page):
    page = fresh_page("chapters/01_standardization")
    solution = page.locator("article details").first
    solution.locator("summary").focus()
    page.keyboard.press("Enter")
    assert solution.evaluate("box => box.open")


@pytest.mark.parametrize("name", CHAPTER_PAGES)
def test_every_formula_has_words_for_who_hears_the_page(visits, name):
    page = visits(name).page
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    spoken = [
        node["name"]["value"]
        for node in tree["nodes"]
        if node.get("role", {}).get("value") == "MathMLMath"
    ]
    assert spoken
    assert [words for words in spoken if not words or "\\" in words] == []


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_all_of_the_text_can_be_read(browser, address, name):
    visit = Visit(browser, address, java_script_enabled=False, viewport=PHONE)
    page = visit.open(name).page
    assert visit.faults == []
    assert page.evaluate(UNREADABLE) == []
    visit.close()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_without_scripts_links_lead_from_page_to_page(browser, address, size):
    visit = Visit(browser, address, java_script_enabled=False, viewport=size)
    page = visit.open("index").page
    for name in PAGES[1:]:
        page.locator(f"nav.bd-links a[href$='{name.split('/')[-1]}.html']").click()
        page.wait_for_url(f"**/{name}.html")
    visit.close()
