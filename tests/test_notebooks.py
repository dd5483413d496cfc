"""The chapters as stored: what each of them promises its reader, and that a diff reads well."""

import re

import pytest

import notebooks
from conftest import CHAPTERS, read_notebook

AIMS, RECAP = "What you will be able to do", "What you can do now"


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def path(request):
    """Return the path of each chapter in turn."""
    return request.param


@pytest.fixture
def chapter(path):
    """Return each chapter in turn."""
    return read_notebook(path)


def code_cells(chapter):
    """Return the cells of code, each with the name that an error message gives it."""
    return [(cell.id, cell) for cell in chapter.cells if cell.cell_type == "code"]


def prose(chapter):
    """Return all Markdown of the chapter as one text."""
    return "\n\n".join(
        cell.source for cell in chapter.cells if cell.cell_type == "markdown"
    )


def headings(chapter):
    """Return (level, title) of every heading, those in fenced code left out."""
    text = re.sub(r"(?ms)^(`{3,}|~{3,}).*?^\1", "", prose(chapter))
    return [
        (len(marks), title.strip())
        for marks, title in re.findall(r"(?m)^(#{1,6}) +(.*)$", text)
    ]


def figures(cell):
    """Return the figures among the cell's outputs: of each, its text is stored."""
    data = (output.get("data", {}) for output in cell.outputs)
    return [
        kinds for kinds in data if kinds.get("text/plain", "").startswith("<Figure")
    ]


def test_a_chapter_is_stored_in_its_normal_form(path):
    assert notebooks.is_normal(path), (
        f"run: python tools/notebooks.py chapters/{path.name}"
    )


def test_a_chapter_stores_no_image_and_no_error(chapter):
    for name, cell in code_cells(chapter):
        for output in cell.outputs:
            assert output.output_type != "error", f"{name} failed when it was stored"
            assert not [
                kind for kind in output.get("data", {}) if kind.startswith("image/")
            ], name


def test_a_chapter_was_executed(chapter):
    assert any(cell.outputs for _, cell in code_cells(chapter)), "no cell has an output"
    for name, cell in code_cells(chapter):
        shows = re.search(r"(?m)^(print|plt\.show)\(", cell.source)
        assert cell.outputs or not shows, (
            f"{name} prints or draws, but no output is stored"
        )


def test_a_figure_has_a_caption_a_name_and_words_for_who_cannot_see_it(chapter):
    for name, cell in code_cells(chapter):
        drawn = figures(cell)
        assert len(drawn) <= 1, (
            f"{name} draws {len(drawn)} figures: one a cell, so that each has its caption"
        )
        if drawn:
            settings = cell.metadata.get("mystnb", {})
            figure, image = settings.get("figure", {}), settings.get("image", {})
            assert image.get("alt", "").strip(), (
                f"{name}: no mystnb.image.alt in the cell's metadata"
            )
            assert figure.get("caption", "").strip(), (
                f"{name}: no mystnb.figure.caption"
            )
            assert figure.get("name", "").startswith("fig-"), (
                f"{name}: no mystnb.figure.name fig-..."
            )


def test_a_figure_is_no_wider_than_the_page_so_that_its_type_keeps_its_size(chapter):
    for name, cell in code_cells(chapter):
        for kinds in figures(cell):
            width = int(re.match(r"<Figure size (\d+)x", kinds["text/plain"]).group(1))
            assert width <= 648, f"{name}: at most 6.75 inches, two panels included"


def test_a_chapter_opens_with_its_only_title(chapter):
    assert chapter.cells[0].source.startswith("# ")
    assert [level for level, _ in headings(chapter)].count(1) == 1


def test_a_chapter_opens_with_aims_and_closes_with_the_same_done(chapter):
    sections = [title for level, title in headings(chapter) if level == 2]
    assert sections[0] == AIMS
    assert sections[-3:] == ["Exercises", RECAP, "What to read"]


def test_a_chapter_has_three_exercises_each_with_a_hidden_solution(chapter):
    exercises = re.search(
        rf"(?ms)^## Exercises$(.*?)^## {RECAP}$", prose(chapter)
    ).group(1)
    parts = re.split(r"(?m)^### ", exercises)[1:]
    assert [re.match(r"Exercise (\d): \S", part) and part[9] for part in parts] == [
        "1",
        "2",
        "3",
    ]
    for part in parts:
        assert (
            part.count("<details>")
            == part.count("<summary>")
            == part.count("</details>")
            == 1
        ), part[:40]


def test_a_line_of_code_fits_on_a_phone(chapter):
    lines = [
        (name, line)
        for name, cell in code_cells(chapter)
        for line in cell.source.splitlines()
    ]
    assert [(name, line) for name, line in lines if len(line) > 72] == []


def test_an_output_depends_on_no_semicolon(chapter):
    for name, cell in code_cells(chapter):
        assert not cell.source.rstrip().endswith(";"), (
            f"{name}: end with plt.show() or assign to _"
        )
