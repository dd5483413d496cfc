"""The search: it finds what a reader looks for, and leads there."""


def test_the_search_finds_a_word_of_a_chapter(fresh_page):
    page = fresh_page("index")
    page.locator("button.search-button-field").click()
    page.keyboard.type("standardization")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=standardization*")
    page.locator("#search-results a[href*='01_standardization']").first.wait_for()
