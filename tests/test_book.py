"""The built book: nothing is missing, nothing is broken, nothing needs another host."""

import re
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from conftest import CHAPTERS, PAGES, parsed, read_notebook
from test_notebooks import code_cells, figures, headings

LOADED = {  # what a page loads, and by which attribute
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
    "embed": "src",
}
NAMING = {
    "canonical",
    "alternate",
    "next",
    "prev",
    "search",
    "index",
}  # links that load nothing


def squeeze(text):
    """Return the text without white space and colour codes, to compare what is shown."""
    return re.sub(r"\s+", "", re.sub(r"\x1b\[[0-9;]*m", "", text))


def html_pages(site):
    """Return every page of the site, those the builder adds included."""
    return sorted(
        page
        for page in site.rglob("*.html")
        if not {"_static", "lite"} & set(page.relative_to(site).parts)
    )


def visible_text(page):
    """Return what a reader sees of the page's article, formulas and code left out."""
    article = page.find("article")
    hidden = {"math", "pre", "code", "script", "style"}
    return " ".join(
        s
        for s in article.find_all(string=True)
        if not hidden & {p.name for p in s.parents}
    )


@pytest.fixture(params=PAGES)
def name(request):
    """Return the name of each page of the table of contents in turn."""
    return request.param


@pytest.fixture
def page(name, site):
    """Return each page of the table of contents in turn."""
    return parsed(site / f"{name}.html")


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request, site):
    """Return each chapter in turn, as (notebook, page)."""
    return read_notebook(request.param), parsed(
        site / "chapters" / f"{request.param.stem}.html"
    )


def test_every_chapter_is_in_the_table_of_contents():
    assert {f"chapters/{path.stem}" for path in CHAPTERS} == {
        p for p in PAGES if p.startswith("chapters/")
    }


def test_a_page_has_its_title_and_more_than_its_title(page):
    assert page.find("h1").get_text(strip=True).rstrip("#")
    assert len(visible_text(page)) > 200


def test_a_chapter_carries_its_title(chapter):
    notebook, page = chapter
    title = headings(notebook)[0][1]
    assert squeeze(re.sub(r"[*`$]", "", title)) in squeeze(page.find("h1").get_text())


def test_a_chapter_shows_all_its_figures(chapter):
    notebook, page = chapter
    expected = sum(len(figures(cell)) for _, cell in code_cells(notebook))
    shown = page.select(".cell_output figure img")
    assert len(shown) == expected
    assert all(image.find_parent("figure").find("figcaption") for image in shown)


def test_a_chapter_shows_every_output_that_is_stored(chapter):
    notebook, page = chapter
    shown = squeeze(page.find("article").get_text())
    for name, cell in code_cells(notebook):
        if {"remove-output", "remove-cell"} & set(cell.metadata.get("tags", [])):
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            if "text/markdown" in data:
                text = re.sub(r"(?m)^```.*$", "", data["text/markdown"])
            else:
                text = output.get("text") or data.get("text/plain", "")
            if not text.startswith("<Figure") and "text/html" not in data:
                assert squeeze(text) in shown, f"{name}: its output is not on the page"


def test_no_image_lacks_words_for_who_cannot_see_it(page):
    images = page.find("article").find_all("img")
    assert [image["src"] for image in images if not image.get("alt", "").strip()] == []
    assert page.select("img:not([alt])") == []  # a decoration says so by empty words


def test_no_formula_is_left_as_latex(page):
    text = visible_text(page)
    assert (
        re.findall(
            r"\$[^$\s][^$]*\$|\\\(|\\\[|\\(?:frac|hat|sum|mu|sigma|begin|mathbf)\b",
            text,
        )
        == []
    )


def test_no_markup_is_left_in_the_text(page):
    assert (
        re.findall(r"\{(?:doc|eq|ref|numref|cite)[^}]*\}|:::|```", visible_text(page))
        == []
    )


def test_no_page_loads_anything_from_another_host(site):
    foreign = {
        f"{page.relative_to(site)}: {address}"
        for page in html_pages(site)
        for tag, attribute in LOADED.items()
        for element in parsed(page).find_all(tag)
        if (address := element.get(attribute, "")) and urlsplit(address).netloc
        if not (tag == "link" and NAMING & set(element.get("rel", [])))
    }
    assert foreign == set()


def test_no_style_sheet_loads_anything_from_another_host(site):
    sheets = site.rglob("*.css")
    pattern = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""")
    assert [
        sheet.name
        for sheet in sheets
        if pattern.search(sheet.read_text(encoding="utf-8"))
    ] == []


def test_every_link_within_the_book_leads_somewhere(site):
    anchors = {
        page: {tag["id"] for tag in parsed(page).find_all(id=True)}
        for page in html_pages(site)
    }
    broken = set()
    for page in anchors:
        for link in parsed(page).find_all("a", href=True):
            address, anchor = urldefrag(link["href"])
            if urlsplit(address).scheme or urlsplit(address).netloc:
                continue
            target = (
                (page.parent / unquote(urlsplit(address).path)).resolve()
                if address
                else page
            )
            if not target.is_file() or (
                anchor and unquote(anchor) not in anchors.get(target, {unquote(anchor)})
            ):
                broken.add(f"{page.relative_to(site)} -> {link['href']}")
    assert broken == set()


@pytest.mark.parametrize("kind", ["icon", "apple-touch-icon"])
def test_a_page_has_an_icon_for_a_desk_and_one_for_a_phone(name, page, site, kind):
    (link,) = page.select(f'link[rel~="{kind}"]')
    file = urlsplit(link["href"]).path
    assert ((site / f"{name}.html").parent / file).is_file()


def test_the_formulas_have_their_font(site):
    sheet = (site / "_static" / "book.css").read_text(encoding="utf-8")
    font = re.search(
        r'"Course Math";\s*src:\s*url\("?data:font/woff2;base64,([^")]+)', sheet
    )
    assert len(font[1]) > 10_000
