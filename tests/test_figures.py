"""The figures on their pages: sharp, light to load, whole on a phone, at home in the dark."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from conftest import PAGES, parsed

FIGURES = ".cell_output figure img"
PHONE = {"width": 390, "height": 844}


def pixels(locator):
    """Return the colours of the picture as the browser shows it, from 0 to 255 each."""
    locator.scroll_into_view_if_needed()
    locator.evaluate("image => image.decode()")
    shown = Image.open(io.BytesIO(locator.screenshot()))
    return np.asarray(shown.convert("RGB")).astype(int)


@pytest.fixture
def open_page(browser, address):
    """Return a function that opens a page of the site in the browser."""
    opened = []

    def open_it(name, **options):
        opened.append(browser.new_page(**options))
        opened[-1].goto(f"{address}/{name}.html", wait_until="networkidle")
        return opened[-1]

    yield open_it
    for page in opened:
        page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_figure_is_sharp_on_a_dense_screen_keeps_its_place_and_loads_quickly(
    name, site
):
    page = site / f"{name}.html"
    for image in parsed(page).select(FIGURES):
        file = page.parent / image["src"]
        with Image.open(file) as figure:
            width, height = figure.size
        assert abs(width - 2 * int(image["width"])) <= 1
        assert abs(height - 2 * int(image["height"])) <= 1
        assert file.stat().st_size < 120_000


@pytest.mark.parametrize("name", PAGES)
def test_a_figure_fits_a_phone_and_is_not_distorted(name, open_page):
    page = open_page(name, viewport=PHONE)
    boxes = """images => images.map(image => {
        const {width, height, right} = image.getBoundingClientRect();
        const drawn = image.getAttribute("width") / image.getAttribute("height");
        return [width / height, drawn, right];
    })"""
    for shown, drawn, right in page.eval_on_selector_all(FIGURES, boxes):
        assert abs(shown / drawn - 1) < 0.02
        assert right <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_paper_of_a_figure_has_the_colour_of_the_page(scheme, open_page):
    page = open_page("index", color_scheme=scheme)
    figure = pixels(page.locator(FIGURES).first)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    rgb = [int(number) for number in re.findall(r"\d+", background)[:3]]
    assert (sum(rgb) < 100) == (scheme == "dark")
    assert np.abs(figure[2, 2] - rgb).max() <= 2
    assert np.abs(figure - rgb).max() > 200  # and there is ink on it


def test_a_picture_of_greys_keeps_its_ink_and_paper_in_the_dark(open_page):
    page = open_page("chapters/02_internal_covariate_shift", color_scheme="dark")
    figure = pixels(page.locator("img.as-drawn"))
    assert (figure[2, 2] == 255).all()
    assert figure.min() < 5
