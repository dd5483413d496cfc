"""Give the site a font for its formulas, so that they look the same on every system.

STIX Two Math comes with the package ziamath and is cut to the characters that the built pages
use, a small part of it. Its copyright and licence (SIL Open Font License 1.1) stay inside.
"""

import re
from importlib.resources import files
from pathlib import Path

from fontTools import subset

# What a browser draws though no page names it: the italic twin of a letter, and the root sign.
UNNAMED = [
    *range(0x1D434, 0x1D468),
    *range(0x1D6E2, 0x1D71C),
    ord("\N{PLANCK CONSTANT}"),
    ord("\N{SQUARE ROOT}"),
]
ASCII = range(0x20, 0x7F)


def characters_in_formulas(pages):
    """Return the code points of all characters inside the formulas of these pages."""
    formulas = (
        formula
        for page in pages
        for formula in re.findall(r"(?s)<math.*?</math>", page)
    )
    return {ord(character) for formula in formulas for character in formula}


def write_font(target, characters):
    """Write the font, cut to these characters."""
    options = subset.Options(
        flavor="woff", hinting=False, layout_features=["*"], name_IDs=["*"]
    )
    source = files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    subset.save_font(font, target, options)


def add_font(app, exception):
    """Write the font into the built site."""
    if exception is None and app.builder.format == "html":
        site = Path(app.outdir)
        pages = (page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
        write_font(
            site / "_static" / "math.woff",
            characters_in_formulas(pages) | {*UNNAMED, *ASCII},
        )


def setup(app):
    """Write the font when the pages are there."""
    app.connect("build-finished", add_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
