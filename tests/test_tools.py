"""The tools around the book: set-up, form of the notebooks, the builder's own extensions."""

from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from docutils import nodes
from math_core import LatexError
from matplotlib.figure import Figure
from nbformat import v4
from PIL import Image
from sphinx import addnodes

import complete
import figures
import fonts
import fresh
import glossary
import icon
import mathml
import notebooks
import styles
from address import repository
from bootstrap import fault
from conftest import ROOT


@pytest.fixture
def notebook():
    """Return a notebook as an editor stores it: a number, an image, a time, a name of its own."""
    drawn = v4.new_output(
        "display_data",
        {"text/plain": "<Figure>", "image/png": "AAAA"},
        metadata={"a": 1},
    )
    value = v4.new_output("execute_result", {"text/plain": "3"}, execution_count=7)
    cell = v4.new_code_cell(
        "1 + 2\n", outputs=[drawn, value], execution_count=7, id="random"
    )
    cell.metadata = {
        "execution": {"iopub.status.idle": "now"},
        "tags": ["hide-input"],
        "collapsed": True,
    }
    return v4.new_notebook(
        cells=[v4.new_markdown_cell("# One"), cell],
        metadata={"kernelspec": {"name": "mine", "display_name": "My own"}},
    )


def write(notebook, path):
    """Write a notebook of these cells and return its path."""
    nbformat.write(notebook, path)
    return path


class TestNormalForm:
    def test_text_stays_and_what_varies_goes(self, notebook):
        cell = notebooks.normalise(notebook).cells[1]
        assert cell.id == "cell-02"
        assert cell.execution_count == 1
        assert cell.metadata == {"tags": ["hide-input"]}
        assert cell.outputs[0] == {
            "output_type": "display_data",
            "data": {"text/plain": "<Figure>"},
            "metadata": {},
        }
        assert cell.outputs[1]["data"] == {"text/plain": "3"}

    def test_a_normal_notebook_is_left_as_it_is(self, notebook):
        once = notebooks.to_text(notebooks.normalise(notebook))
        assert (
            notebooks.to_text(notebooks.normalise(nbformat.reads(once, as_version=4)))
            == once
        )

    def test_the_given_notebook_is_not_written_to(self, notebook):
        before = nbformat.writes(notebook)
        notebooks.normalise(notebook)
        assert nbformat.writes(notebook) == before

    def test_the_check_names_the_notebook_that_is_out_of_form(
        self, notebook, tmp_path, capsys
    ):
        path = write(notebook, tmp_path / "odd.ipynb")
        assert notebooks.main(["--check", str(path)]) == 1
        assert "odd.ipynb" in capsys.readouterr().err


class TestExecution:
    def test_outputs_are_stored_in_normal_form(self, tmp_path):
        path = write(
            v4.new_notebook(cells=[v4.new_code_cell("print('seen')")]),
            tmp_path / "good.ipynb",
        )
        notebooks.execute(path)
        assert notebooks.is_normal(path)
        assert nbformat.read(path, as_version=4).cells[0].outputs[0].text == "seen\n"

    def test_a_failing_cell_is_named_with_its_source_and_nothing_is_written(
        self, tmp_path
    ):
        cells = [v4.new_code_cell("x = 1"), v4.new_code_cell("x / 0")]
        path = write(v4.new_notebook(cells=cells), tmp_path / "bad.ipynb")
        before = path.read_bytes()
        with pytest.raises(
            notebooks.ChapterError,
            match=r"bad.ipynb, cell-02, failed: ZeroDivisionError.*\n +x / 0",
        ):
            notebooks.execute(path)
        assert path.read_bytes() == before


class TestFormulas:
    def test_a_formula_becomes_mathml_that_keeps_its_latex(self):
        math = mathml.to_mathml(r"\frac{x - \mu}{\sigma}", display=True)
        assert r'x-tex">\frac{x - \mu}{\sigma}</annotation>' in math
        assert "<mfrac>" in math

    @pytest.mark.parametrize(
        "environment", ["align", "align*", "aligned", "equation", "gather"]
    )
    def test_an_environment_sets_no_number_of_its_own(self, environment):
        math = mathml.to_mathml(
            rf"\begin{{{environment}}} a = b \end{{{environment}}}", display=True
        )
        assert "(1)" not in math

    def test_an_unknown_command_is_an_error(self):
        with pytest.raises(LatexError, match="nonsense"):
            mathml.to_mathml(r"\nonsense", display=False)

    def test_a_line_break_outside_of_an_environment_is_an_error(self):
        with pytest.raises(LatexError, match="aligned"):
            mathml.to_mathml(r"a \\ b", display=True)

    def test_the_font_is_cut_to_the_characters_of_the_formulas(self):
        page = "ö <math><mi>x</mi><annotation>z</annotation></math>"
        italic = "\N{MATHEMATICAL ITALIC SMALL X}"
        assert fonts.characters_in_formulas([page]) == {"x", italic, fonts.ROOT}

    @pytest.mark.parametrize(
        ("latex", "words"),
        [
            (r"\hat x_i", "x hat sub i"),
            (
                r"\frac{1}{m}\sum_{i=1}^m x_{ij}",
                "1 over m the sum from i equals 1 to m of x sub i j",
            ),
            (
                r"\frac{x-\mu}{\sqrt{\sigma^2+\epsilon}}",
                "the fraction x minus mu over the root of sigma squared plus epsilon, "
                "end of root, end of fraction,",
            ),
            (
                r"\gamma^\top W \le 2^{n+1}.",
                "gamma transpose W is at most 2 to the n plus 1, end of exponent.",
            ),
            (
                r"\begin{pmatrix} 1 & \rho \\ \rho & 1 \end{pmatrix}",
                "open parenthesis 1, rho; rho, 1; close parenthesis",
            ),
            (
                r"\bar y = 0.5 \cdot \operatorname{mean}(y)",
                "y bar equals 0.5 times mean open parenthesis y close parenthesis",
            ),
        ],
    )
    def test_a_formula_is_named_by_what_a_teacher_would_say(self, latex, words):
        math = mathml.to_mathml(latex, display=True)
        assert f'<math aria-label="{words}"' in math


class TestStyles:
    SHEET = """.used, .idle {color: red} .used.idle {top: 0} #home b {left: 0}
        a:not(.idle) {right: 0} @media print {.idle {top: 1px} .used {top: 2px}}
        @media screen {.idle {top: 3px}} @keyframes turn {to {top: 4px}}"""

    def rules(self, *words):
        return "".join(styles.in_use(styles.parsed(self.SHEET), set(words)))

    def test_a_rule_stays_if_all_that_it_names_is_on_some_page(self):
        kept = self.rules("used", "home")
        assert ".used{color: red}" in kept
        assert "#home b{left: 0}" in kept
        assert "@media print{.used{top: 2px}}" in kept
        assert "@keyframes turn" in kept

    def test_what_names_an_absent_class_goes(self):
        assert ".idle{" not in self.rules("used", "home")
        assert "screen" not in self.rules("used")
        assert "home" not in self.rules("used")

    def test_what_an_element_must_not_have_is_not_asked_for(self):
        assert "a:not(.idle){right: 0}" in self.rules()

    def test_a_font_is_put_inside_once_and_a_face_without_one_goes(self):
        face = '@font-face {font-family: %s; src: url("../%s.woff2") format("woff2")}'
        style = face % ("A", "a") + face % ("B", "b") + face % ("C", "a")
        assert styles.with_fonts(style, {"a.woff2": b"abc"}) == (
            '@font-face {font-family: A; src:url("data:font/woff2;base64,YWJj")'
            ' format("woff2")}'
        )


class TestFigures:
    @pytest.mark.parametrize("length", [552, "552", "552px"])
    def test_a_length_in_pixels_is_read(self, length):
        assert figures.pixels(nodes.image(width=length), "width") == 552

    @pytest.mark.parametrize("options", [{}, {"width": "50%"}, {"width": "5in"}])
    def test_any_other_length_is_left_to_the_builder(self, options):
        assert figures.pixels(nodes.image(**options), "width") is None

    def test_a_shrunk_figure_is_smaller_and_looks_the_same(self, tmp_path):
        before = self.drawing(tmp_path / "figure.png", facecolor="white")
        size = (tmp_path / "figure.png").stat().st_size
        figures.shrink(tmp_path / "figure.png")
        after = self.pixels_of(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size < size / 2
        assert np.abs(after - before).max() < 16  # of 255

    def test_a_picture_that_is_partly_transparent_is_left_as_it_is(self, tmp_path):
        self.drawing(tmp_path / "figure.png", facecolor="none")
        before = (tmp_path / "figure.png").read_bytes()
        figures.shrink(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").read_bytes() == before

    def drawing(self, path, **options):
        """Write a figure of lines and bands and return its pixels."""
        fig = Figure(figsize=(5, 3))
        ax = fig.subplots()
        for k in range(6):
            ax.plot([0, 1, 2], [k, k + 1, k * k])
            ax.fill_between([0, 1, 2], [0, 1, 0], [k, k + 2, 5], alpha=0.2)
        fig.savefig(path, dpi=192, **options)
        return self.pixels_of(path)

    def pixels_of(self, path):
        """Return the pixels of the picture, from 0 to 255."""
        return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_a_phones_icon_is_the_logo_with_its_tile_to_the_edge(tmp_path):
    icon.draw(ROOT / "_static" / "logo.svg", tmp_path / "icon.png")
    with Image.open(tmp_path / "icon.png") as picture:
        assert picture.size == (180, 180)
        tile, curve = (0x00, 0x72, 0xB2, 255), (255, 255, 255, 255)
        assert {picture.getpixel((x, y)) for x in (0, 179) for y in (0, 179)} == {tile}
        assert picture.getpixel((90, 180 * 13 // 64)) == curve  # the peak


def test_a_markdown_link_may_name_a_term_of_the_glossary():
    term = nodes.term("", "batch", ids=["term-batch"])
    entry = addnodes.glossary("", nodes.definition_list("", term))
    env = SimpleNamespace(docname="words", metadata={"words": {}})
    glossary.publish_terms(SimpleNamespace(env=env), nodes.section("", entry))
    anchors = env.metadata["words"]["myst_slugs"]
    assert anchors["term-batch"][1:] == ("term-batch", "batch")


class TestCompleteness:
    def test_a_page_that_was_not_built_is_a_fault(self, tmp_path):
        assert (
            complete.fault_of_page(tmp_path / "none.html", "Title")
            == "has not been built"
        )

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "is empty"),
            ("<p>No heading</p>", "is empty"),
            (
                "<h1>Another</h1>",
                "'Another' instead of its title 'Why &amp; how'".replace("&amp;", "&"),
            ),
        ],
    )
    def test_a_page_without_its_title_is_a_fault(self, tmp_path, text, words):
        page = tmp_path / "page.html"
        page.write_text(text, encoding="utf-8")
        assert words in complete.fault_of_page(page, "Why & how")

    def test_a_page_with_its_title_is_none(self, tmp_path):
        page = tmp_path / "page.html"
        page.write_text(
            '<h1><span class="section-number">1. </span>Why &amp; how<a>#</a></h1>',
            encoding="utf-8",
        )
        assert complete.fault_of_page(page, "Why & how") is None

    def test_a_failed_cell_is_named_with_its_source(self):
        failed = v4.new_output(
            "error", ename="ValueError", evalue="wrong", traceback=[]
        )
        cells = [
            v4.new_markdown_cell("# One"),
            v4.new_code_cell("f()", outputs=[failed]),
        ]
        words = complete.fault_of_chapter(v4.new_notebook(cells=cells))
        assert words == "cell 2 failed: ValueError: wrong\n    f()"


class TestFreshness:
    def test_a_change_in_the_library_changes_the_digest_of_the_executions(
        self, tmp_path
    ):
        source = tmp_path / "bnlib" / "layers.py"
        source.parent.mkdir()
        source.write_text("a = 1\n")
        before = fresh.digest(tmp_path, fresh.EXECUTIONS)
        source.write_text("a = 2\n")
        assert fresh.digest(tmp_path, fresh.EXECUTIONS) != before

    def test_line_ends_make_no_difference(self, tmp_path):
        (tmp_path / "a.md").write_bytes(b"one\r\n")
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "a.md").write_bytes(b"one\n")
        assert fresh.digest(tmp_path, ["a.md"]) == fresh.digest(
            tmp_path / "b", ["a.md"]
        )

    def test_a_site_without_a_stamp_is_not_current(self, tmp_path):
        assert not fresh.is_current(tmp_path)

    def test_another_form_of_the_book_leaves_the_stamp_of_the_site(self, tmp_path):
        stamp = fresh.stamp_of(tmp_path)
        stamp.write_text("made from")
        builder, out = SimpleNamespace(name="linkcheck"), tmp_path / "linkcheck"
        app = SimpleNamespace(builder=builder, outdir=out, srcdir=tmp_path)
        env = SimpleNamespace(found_docs={"index"})
        assert fresh.pages_to_read_again(app, env, set(), set(), set()) == []
        assert stamp.read_text() == "made from"


class TestAddress:
    def test_nobody_tells(self):
        assert repository({}) is None

    def test_the_environment_tells(self):
        assert (
            repository({"BOOK_REPOSITORY_URL": "https://example.org/a/b/"})
            == "https://example.org/a/b"
        )

    def test_github_tells(self):
        told = {"GITHUB_SERVER_URL": "https://example.org", "GITHUB_REPOSITORY": "a/b"}
        assert repository(told) == "https://example.org/a/b"


class TestSetUp:
    @pytest.mark.parametrize("version", [(3, 10), (3, 14), (2, 7)])
    def test_another_python_is_told_what_is_needed(self, version):
        assert "needs Python 3.11, 3.12 or 3.13" in fault(version, has_ensurepip=True)

    def test_a_debian_python_without_venv_is_told_the_package(self):
        assert "apt install python3.11-venv" in fault((3, 11), has_ensurepip=False)

    def test_a_complete_python_is_fine(self):
        assert fault((3, 12), has_ensurepip=True) is None
