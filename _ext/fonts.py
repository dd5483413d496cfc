"""Cut the site's two fonts to the characters that its pages use, a small part of each.

STIX Two Math, for formulas, comes with the package ziamath; Font Awesome, for icons, with the
theme. So formulas look the same on every system, and neither weighs much. Both stand under the
SIL Open Font License 1.1; their copyright stays inside.
"""

import re
from importlib.resources import files
from io import BytesIO
from unicodedata import normalize

from fontTools import subset

# What a browser draws though no page names it: the italic twin of a letter, and the root sign.
TWINS = [*range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C), 0x210E]
ROOT = "\N{SQUARE ROOT}"
PRIVATE = re.compile("[\ue000-\uf8ff]")  # where icons have their code points


def characters_in_formulas(pages):
    """Return the characters that the formulas of these pages show."""
    formulas = (f for page in pages for f in re.findall(r"(?s)<math.*?</math>", page))
    shown = {
        character
        for formula in formulas
        for character in re.sub(r"(?s)<annotation.*?</annotation>|<.*?>", "", formula)
    }
    twins = {chr(code) for code in TWINS if normalize("NFKC", chr(code)) in shown}
    return shown | twins | {ROOT}


def icons(style):
    """Return the icons that this style sheet shows, written as themselves or by their number."""
    numbers = re.findall(r"\\([ef][0-9a-f]{3})", style)
    return {*PRIVATE.findall(style), *(chr(int(number, 16)) for number in numbers)}


def for_formulas():
    """Return the file of the font that formulas are set in."""
    return files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"


def cut(source, characters):
    """Return the font of this file, cut to these characters; nothing if it has none of them."""
    options = subset.Options(
        flavor="woff2", hinting=False, layout_features=[], name_IDs=["*"]
    )
    font = subset.load_font(source, options)
    if not font.getBestCmap().keys() & {ord(character) for character in characters}:
        return b""
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(characters))
    subsetter.subset(font)
    target = BytesIO()
    subset.save_font(font, target, options)
    return target.getvalue()
