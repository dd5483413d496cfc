"""What a page tells a search engine, and whoever is sent its address."""

import re
from types import SimpleNamespace

import pytest
from docutils.core import publish_doctree
from PIL import Image

import head
from conftest import ALL_PAGES, PAGES, parsed


def facts(site, name):
    """Return what the head of the page says, by name."""
    metas = parsed(site / f"{name}.html").find("head").find_all("meta")
    return {
        meta.get("property") or meta.get("name"): meta.get("content") for meta in metas
    }


@pytest.mark.parametrize("name", ALL_PAGES)
def test_a_page_is_described_in_words_without_markup(site, name):
    words = facts(site, name)["description"]
    assert 10 < len(words) <= head.LONGEST, name
    assert not re.search(r"[$\\{}<>]|\ufffd", words), f"{name}: {words}"


def test_no_two_pages_of_the_book_are_described_alike(site):
    descriptions = [facts(site, name)["description"] for name in PAGES]
    assert len(set(descriptions)) == len(PAGES)


@pytest.mark.parametrize("name", ALL_PAGES)
def test_a_page_has_a_picture_with_words_for_who_shares_it(site, name):
    said = facts(site, name)
    assert said["og:title"]
    assert said["og:image:alt"]
    picture = site / "_images" / said["og:image"].split("/")[-1]
    with Image.open(picture) as card:
        assert card.size == (1200, 630), name


class TestDescription:
    def test_the_first_sentences_are_taken_and_those_with_a_formula_left_out(self):
        text = (
            "One *thing*. Where :math:`x` is two. Then `three`, "
            + "and so on, " * 9
            + "ends."
        )
        said = head.describe(publish_doctree(text), "Title")
        assert said.startswith("One thing. Then three")
        assert "x" not in said

    def test_a_long_sentence_is_cut_between_words(self):
        said = head.describe(publish_doctree("Word " * 100), "Title")
        assert len(said) <= head.LONGEST
        assert said.endswith("Word ...")

    def test_a_page_without_a_sentence_is_described_by_its_title(self):
        assert head.describe(publish_doctree(""), "Title") == "Title"


class TestSitemap:
    @staticmethod
    def app(folder, address):
        """Return as much of a builder as the sitemap needs."""
        builder = SimpleNamespace(
            name="html", get_target_uri=lambda name: f"{name}.html"
        )
        return SimpleNamespace(
            outdir=folder,
            builder=builder,
            config=SimpleNamespace(html_baseurl=address),
            env=SimpleNamespace(titles={"index": None, "chapters/one": None}),
        )

    def test_it_lists_every_page_at_the_address_that_the_environment_tells(
        self, tmp_path
    ):
        head.write_sitemap(self.app(tmp_path, "https://example.org/book/"), None)
        places = re.findall("<loc>(.*?)</loc>", (tmp_path / "sitemap.xml").read_text())
        base = "https://example.org/book"
        assert places == [f"{base}/chapters/one.html", f"{base}/index.html"]
        assert f"Sitemap: {base}/sitemap.xml" in (tmp_path / "robots.txt").read_text()

    def test_without_an_address_there_is_none_not_even_an_old_one(self, tmp_path):
        head.write_sitemap(self.app(tmp_path, "https://example.org"), None)
        head.write_sitemap(self.app(tmp_path, ""), None)
        assert list(tmp_path.iterdir()) == []


def test_a_page_names_its_address_and_its_pictures_once_the_site_has_one():
    said = head.tags(
        "A & B", "Book", 'The "words".', "https://e.org/a.png", "https://e.org/a"
    )
    assert '<meta property="og:url" content="https://e.org/a">' in said
    assert '<meta property="og:image" content="https://e.org/a.png">' in said
    assert 'content="The &quot;words&quot;."' in said
