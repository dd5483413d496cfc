"""The search: it finds what a reader looks for, and leads there."""

from urllib.parse import quote

from sphinx.util.inventory import InventoryFile

FINISHED = """() => /finished|found|not match/.test(
    document.querySelector("#search-results .search-summary")?.textContent)"""
PATHS = "links => links.map(link => new URL(link.href).pathname)"


def entries(site):
    """Return what a reader may look for, as (word, place): the glossary, or else the library."""
    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, name: name)
    for kind in ("std:term", "py:function"):
        if found := inventory.get(kind):
            return {
                name.split(".")[-1]: place for name, (_, _, place, _) in found.items()
            }
    return {}


def test_the_search_finds_a_word_of_a_chapter(fresh_page):
    page = fresh_page("index")
    page.locator("button.search-button-field").click()
    page.keyboard.type("standardization")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=standardization*")
    page.locator("#search-results a[href*='01_standardization']").first.wait_for()


def test_the_search_leads_to_every_term_of_the_glossary(fresh_page, site, address):
    page, wanted, missed = fresh_page("search"), entries(site), {}
    assert wanted
    for term, place in wanted.items():
        page.goto(f"{address}/search.html?q={quote(term)}")
        page.wait_for_function(FINISHED)
        links = page.eval_on_selector_all("#search-results li a", PATHS)
        if not any(link.endswith(place.split("#")[0]) for link in links):
            missed[term] = links
    assert missed == {}
