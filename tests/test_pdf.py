"""The book on paper: every page in its order, everything open, every link within it alive."""

import re
from collections import Counter

import pytest

import pdf
from conftest import CHAPTERS, ROOT, read_notebook

A4 = {"width": 627, "height": 936}  # the paper without its margins, in CSS pixels


@pytest.fixture(scope="module")
def book(site):
    """Return the book as one page."""
    return pdf.one_page(ROOT, site)


@pytest.fixture(scope="module")
def source(book, site):
    """Return the file that is printed, in the place where its pictures are found from."""
    folder = site.parent / "print"
    folder.mkdir(exist_ok=True)
    file = folder / "tested.html"
    file.write_text(str(book), encoding="utf-8")
    yield file
    file.unlink()


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("02_b.html", "#chapters/02_b:"),
        ("02_b.html#fig", "#chapters/02_b:fig"),
        ("#fig", "#chapters/01_a:fig"),
        ("../_images/x.png", "../html/_images/x.png"),
        ("../genindex.html#a", "../html/genindex.html#a"),
        ("https://example.org/x", "https://example.org/x"),
    ],
)
def test_a_link_leads_to_the_same_place_in_the_book(address, target):
    pages = {"chapters/01_a", "chapters/02_b"}
    assert pdf.moved(address, "chapters/01_a", pages) == target


def test_the_book_has_every_page_in_the_order_of_its_contents(book):
    start, parts = pdf.toc(ROOT)
    names = [name for _, names in parts for name in names]
    assert start == "index"
    assert [a["id"] for a in book.find_all("article")] == [f"{name}:" for name in names]
    listed = book.select("nav > ul > li > a")
    assert [link["href"] for link in listed] == [f"#{name}:" for name in names]
    titles = [
        re.sub(r"^# ", "", read_notebook(p).cells[0].source.split("\n")[0])
        for p in CHAPTERS
    ]
    assert [
        link.get_text().split(". ", 1)[-1] for link in listed[: len(titles)]
    ] == titles


def test_a_name_means_one_place(book):
    names = Counter(element["id"] for element in book.find_all(id=True))
    assert [name for name, count in names.items() if count > 1] == []


def test_a_link_within_the_book_leads_somewhere(book):
    names = {element["id"] for element in book.find_all(id=True)}
    links = {a["href"] for a in book.find_all("a", href=True)}
    assert {a for a in links if a.startswith("#") and a[1:] not in names} == set()
    assert {a for a in links if not re.match(r"#|https?:|mailto:", a)} == set()


def test_solutions_are_shown_and_nothing_waits_for_a_press(book):
    assert book.select("details:not([open]), script, .run-it") == []
    assert len(book.select("details")) >= 3 * len(CHAPTERS)  # the solutions


def test_a_picture_is_found(book, source):
    pictures = [image["src"] for image in book.find_all("img")]
    assert len(pictures) > len(CHAPTERS)
    assert [src for src in pictures if not (source.parent / src).is_file()] == []


def test_nothing_is_wider_than_the_paper(browser, source):
    page = browser.new_page(viewport=A4)
    page.emulate_media(media="print")
    page.goto(source.as_uri())
    cut = """boxes => boxes
        .filter(box => box.scrollWidth > box.clientWidth + 1)
        .map(box => [box.id, box.className, box.textContent.slice(0, 60)])"""
    boxes = "body, article, pre, table, figure, .formula"
    found = page.eval_on_selector_all(boxes, cut)
    page.close()
    assert found == []


def test_the_book_is_printed_with_a_page_number_and_an_outline(
    browser, source, tmp_path
):
    target = tmp_path / "book.pdf"
    pdf.print_pdf(browser, source, target)
    content = target.read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 5 * len(CHAPTERS)
    assert b"/Outlines" in content
