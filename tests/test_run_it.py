"""Run it yourself: what a reader downloads, opens or installs is there, and it is what it says."""

import hashlib
import json
import subprocess
import sys
import zipfile
from urllib.parse import parse_qs, unquote, urlsplit

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import v4

import bnlib_wheel
import copies
import run_it
from conftest import CHAPTERS, PAGES, ROOT, parsed, read_notebook

GITHUB = {"BOOK_REPOSITORY_URL": "https://github.com/a/b", "BOOK_BRANCH": "c"}

WHERE = """import bnlib
from bnlib.experiments.record import load
load("fashion_mnist")
print(bnlib.__file__)"""


def notebook(*sources):
    """Return a notebook of these cells; a text is one that begins with a capital letter."""
    make = (v4.new_code_cell, v4.new_markdown_cell)
    return v4.new_notebook(cells=[make[s[0].isupper()](s) for s in sources])


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def path(request):
    """Return the path of each chapter in turn."""
    return request.param


@pytest.fixture
def heavy(path):
    """Tell whether the chapter needs TensorFlow."""
    return copies.needs_tensorflow(read_notebook(path))


@pytest.fixture
def row(path, site):
    """Return the row of links of each chapter in turn."""
    (found,) = parsed(site / "chapters" / f"{path.stem}.html").select("nav.run-it")
    return found


@pytest.fixture
def wheel(site):
    """Return the wheel that the site offers."""
    return site / run_it.WHEELS / bnlib_wheel.wheel_name(ROOT)


def target(row, site, text):
    """Return the file that the link of this text leads to."""
    link = row.find("a", string=text)
    return (site / "chapters" / unquote(urlsplit(link["href"]).path)).resolve()


class TestCopies:
    @pytest.mark.parametrize(
        ("source", "needed"),
        [
            ("import numpy as np", False),
            ("import tensorflow as tf", True),
            ("from keras import layers", True),
            ("def f():\n    import keras.ops", True),
            ("keras = 1", False),
            ("from bnlib.experiments.fashion_mnist import run", True),
            ("from bnlib.experiments.record import load", False),
        ],
    )
    def test_tensorflow_is_needed_where_it_is_imported(self, source, needed):
        assert (
            copies.needs_tensorflow(notebook("A text: import keras", source)) is needed
        )

    def test_a_copy_installs_first_and_has_no_outputs(self):
        chapter = notebook("One", "1 + 2")
        chapter.cells[1].outputs = [v4.new_output("stream", text="3")]
        copy = copies.copy_of(chapter, "%pip install x")
        assert [cell.source for cell in copy.cells] == [
            "%pip install x",
            "One",
            "1 + 2",
        ]
        assert copy.cells[2].outputs == []
        assert chapter.cells[1].outputs != []

    def test_a_copy_says_in_words_what_only_the_builder_understands(self):
        text = (
            "See {cite:t}`ioffe2015`, {term}`a batch <batch>`, "
            "[here](b.ipynb#c), [there](d.ipynb), $x$."
        )
        assert copies.in_plain_words(text, {"b.ipynb"}) == (
            "See ioffe2015, a batch, here, [there](d.ipynb), $x$."
        )

    def test_colab_installs_the_library_from_the_repository(self):
        made = copies.for_colab(GITHUB)
        assert sorted(made) == [path.name for path in CHAPTERS]
        assert {chapter.cells[0].source for chapter in made.values()} == {
            "%pip install --quiet git+https://github.com/a/b@c"
        }

    def test_colab_without_an_address_is_an_error(self):
        with pytest.raises(
            ValueError, match=r"BOOK_REPOSITORY_URL must be .* Received: none"
        ):
            copies.for_colab({})


class TestAddresses:
    def test_colab_and_binder_open_the_chapter_of_the_repository(self):
        colab, binder = run_it.services("01_x.ipynb", GITHUB).values()
        assert urlsplit(colab).path == "/github/a/b/blob/colab/chapters/01_x.ipynb"
        assert urlsplit(binder).path == "/v2/gh/a/b/c"
        assert parse_qs(urlsplit(binder).query) == {
            "urlpath": ["lab/tree/chapters/01_x.ipynb"]
        }

    @pytest.mark.parametrize("address", ["", "https://example.org/a/b"])
    def test_they_are_absent_where_the_repository_is_not_known_or_elsewhere(
        self, address
    ):
        assert run_it.services("01_x.ipynb", {"BOOK_REPOSITORY_URL": address}) == {}

    def test_the_wheel_is_installed_from_the_site_where_its_address_is_known(self):
        name = bnlib_wheel.wheel_name(ROOT)
        command = run_it.install("chapters", ROOT, "https://example.org/book/")
        assert command.endswith(
            f'"bnlib[chapters] @ https://example.org/book/lite/pypi/{name}"'
        )
        assert run_it.install("course", ROOT, "").endswith(f'"./{name}[course]"')


def test_a_chapter_downloads_as_it_is_stored(path, row, site):
    downloaded = target(row, site, "Download the notebook")
    assert downloaded.name == row.find("a", string="Download the notebook")["download"]
    assert nbformat.read(downloaded, as_version=4) == read_notebook(path)


def test_a_chapter_runs_in_the_browser_or_says_that_it_uses_tensorflow(
    row, heavy, site
):
    assert (row.find("a", string="Run in the browser") is None) is heavy
    assert ("uses TensorFlow, which does not run in the browser" in row.text) is heavy
    if not heavy:
        assert target(row, site, "Run in the browser").is_file()


def test_the_browser_lists_the_chapters_that_run_there(site):
    listing = json.loads(
        (site / "lite/api/contents/all.json").read_text(encoding="utf-8")
    )
    light = [p.name for p in CHAPTERS if not copies.needs_tensorflow(read_notebook(p))]
    assert sorted(entry["path"] for entry in listing["content"]) == light


def test_the_copy_in_the_browser_has_the_code_of_the_chapter(path, heavy, site):
    copy = site / "lite" / "files" / path.name
    assert copy.is_file() is not heavy
    if not heavy:
        install, *code = [c.source for c in read_notebook(copy).cells if "outputs" in c]
        assert code == [c.source for c in read_notebook(path).cells if "outputs" in c]
        assert "bnlib" in install


def test_the_command_stands_where_the_notebook_is_downloaded(row, heavy, site):
    command = row.find("pre").get_text()
    assert command.startswith("pip install ")
    assert bnlib_wheel.wheel_name(ROOT) in command
    assert ("[course]" if heavy else "[chapters]") in command


def test_the_wheel_holds_the_library_and_the_records_as_they_are(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    sources = [*ROOT.glob("bnlib/**/*.py"), *ROOT.glob("bnlib/*.mplstyle")]
    expected = {str(p.relative_to(ROOT).as_posix()): p.read_bytes() for p in sources}
    records = ROOT.glob("results/*.json")
    expected |= {f"bnlib/results/{p.name}": p.read_bytes() for p in records}
    assert {n: data for n, data in packed.items() if n.startswith("bnlib/")} == expected


def test_the_browser_finds_the_wheel_with_its_checksum(wheel):
    index = json.loads((wheel.parent / "all.json").read_text(encoding="utf-8"))
    ((listed,),) = index["bnlib"]["releases"].values()
    assert listed["filename"] == wheel.name
    assert listed["digests"]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_the_same_sources_make_the_same_wheel(wheel, tmp_path):
    assert bnlib_wheel.build_wheel(ROOT, tmp_path).read_bytes() == wheel.read_bytes()


def test_a_downloaded_chapter_runs_with_the_wheel_alone(
    site, wheel, address, tmp_path, monkeypatch
):
    served = f"{address}/{run_it.WHEELS}/{wheel.name}"
    library, folder = tmp_path / "library", tmp_path / "elsewhere"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-cache-dir",
    ]
    subprocess.run([*pip, "--target", library, served], check=True)
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(library))  # before the repository's own
    chapter = read_notebook(site / "_sources" / "chapters" / "03_the_algorithm.ipynb")
    chapter.cells.append(v4.new_code_cell(WHERE))
    NotebookClient(
        chapter, timeout=300, resources={"metadata": {"path": str(folder)}}
    ).execute()
    assert str(library) in chapter.cells[-1].outputs[0].text


def test_the_application_adds_nothing_to_the_pages_and_little_to_the_site(site):
    for name in PAGES:
        loaded = parsed(site / f"{name}.html").select("script[src], link[href]")
        assert [e for e in loaded if "lite/" in (e.get("src") or e["href"])] == []
    size = sum(p.stat().st_size for p in (site / "lite").rglob("*") if p.is_file())
    assert size < 25e6


def test_the_build_report_tells_how_long_each_chapter_took(site):
    report = parsed(site / "reference" / "build.html")
    times, versions = (
        {
            first.get_text(strip=True): second.get_text(strip=True)
            for first, second, *_ in (
                r.find_all(["th", "td"]) for r in t.select("tbody tr")
            )
        }
        for t in report.select("article table")
    )
    titles = [
        c.cells[0].source.splitlines()[0].removeprefix("# ")
        for c in map(read_notebook, CHAPTERS)
    ]
    assert list(times) == [*titles, "all of them"]
    *each, total = map(float, times.values())
    assert min(each) > 0
    assert total == pytest.approx(sum(each), abs=0.06 * len(each))
    assert versions["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"numpy", "matplotlib", "keras", "jupyter-book", "bnlib"} <= set(versions)
