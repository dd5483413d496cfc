"""The glossary: its words stand in order, say something, and belong to the chapter they lead to."""

import re

import pytest

from conftest import CHAPTERS, ROOT, parsed, read_notebook
from test_notebooks import prose

SOURCE = (ROOT / "reference" / "glossary.md").read_text(encoding="utf-8")
PAGE = "reference/glossary"


def entries():
    """Return (term, definition) of every entry, as they stand in the source."""
    body = re.search(r"(?s)```\{glossary\}\n(.*?)\n```", SOURCE).group(1)
    heads = re.split(r"(?m)^(\S.*)$", body)[1:]
    return [
        (term.strip(), " ".join(text.split()))
        for term, text in zip(heads[::2], heads[1::2], strict=True)
    ]


TERMS = [term for term, _ in entries()]


def words_of(text):
    """Return what is said, without the names and the role of a link, code and chapters."""
    text = re.sub(r"\{term\}`([^`<]+)(?:<[^>]*>)?`", r"\1", text)
    return re.sub(r"\[Chapter \d\]\([^)]*\)|`[^`]*`", "", text).strip()


def test_every_term_is_defined_once_and_the_terms_are_in_order():
    keys = [term.casefold() for term in TERMS]
    assert len(set(keys)) == len(keys) >= 50
    assert keys == sorted(keys)


@pytest.mark.parametrize(("term", "definition"), entries(), ids=TERMS)
def test_an_entry_says_something_in_one_to_three_sentences(term, definition):
    said = words_of(definition)
    assert len(said.split()) >= 4
    assert said.endswith(".")
    assert 1 <= len(re.findall(r"\.(?=\s+[A-Z]|$)", said)) <= 3


@pytest.mark.parametrize(("term", "definition"), entries(), ids=TERMS)
def test_an_entry_does_not_explain_a_word_by_itself(term, definition):
    first = re.split(r"\.\s", words_of(definition))[0].casefold()
    assert not re.search(rf"\b{re.escape(term.casefold())}\b", first)


@pytest.mark.parametrize(("term", "definition"), entries(), ids=TERMS)
def test_an_entry_leads_to_a_chapter_that_uses_its_words(term, definition):
    number, stem = re.search(
        r"\[Chapter (\d)\]\(\.\./chapters/([\w.]+)\)$", definition
    ).groups()
    (path,) = (path for path in CHAPTERS if path.name == stem)
    assert path.name.startswith(f"0{number}_")
    text = prose(read_notebook(path)).casefold()
    kind = {"of", "the"}
    stems = [word[:5] for word in re.split(r"[ -]", term.casefold())]
    assert [stem for stem in stems if stem not in kind and stem not in text] == []


def test_every_chapter_leads_to_the_glossary_at_terms_that_exist(site):
    anchors = {tag["id"] for tag in parsed(site / f"{PAGE}.html").select("dt[id]")}
    for path in CHAPTERS:
        page = parsed(site / "chapters" / f"{path.stem}.html")
        links = [a["href"] for a in page.select("article a[href*='glossary.html']")]
        assert len(links) >= 3, path.stem
        assert {link.partition("#")[2] for link in links} <= anchors, path.stem


def test_the_search_finds_every_term_and_leads_to_it(browser, address):
    page = browser.new_page()
    page.goto(f"{address}/{PAGE}.html")
    shown = page.eval_on_selector_all(
        "dl.glossary dt", "terms => terms.map(t => [t.firstChild.textContent, t.id])"
    )
    assert [
        term.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") for term, _ in shown
    ] == TERMS
    page.goto(f"{address}/search.html")
    page.wait_for_function("Search.hasIndex()")
    found = page.evaluate(
        """terms => terms.map(term => Search._performSearch(...Search._parseQuery(term))
            .filter(([page]) => page == "reference/glossary")
            .map(([, , anchor]) => anchor))""",
        TERMS,
    )
    page.close()
    hits = zip(shown, found, strict=True)
    assert [term for (term, anchor), all_ in hits if f"#{anchor}" not in all_] == []
