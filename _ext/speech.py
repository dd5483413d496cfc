"""Say a formula in words, for whom the page is read aloud: "x hat sub i equals ...".

A screen reader that does not know MathML reads these words instead of a row of letters.
"""

import re
from html import unescape
from unicodedata import name, normalize
from xml.etree import ElementTree

SIGNS = {
    "=": "equals",
    "\N{MINUS SIGN}": "minus",
    "-": "minus",
    "+": "plus",
    "\N{PLUS-MINUS SIGN}": "plus or minus",
    "\N{DOT OPERATOR}": "times",
    "\N{MULTIPLICATION SIGN}": "by",
    "/": "over",
    "<": "is less than",
    ">": "is greater than",
    "\N{LESS-THAN OR EQUAL TO}": "is at most",
    "\N{GREATER-THAN OR EQUAL TO}": "is at least",
    "\N{ALMOST EQUAL TO}": "is about",
    "\N{LEFTWARDS ARROW}": "becomes",
    "\N{RIGHTWARDS ARROW}": "goes to",
    "\N{N-ARY SUMMATION}": "the sum",
    "\N{N-ARY PRODUCT}": "the product",
    "\N{NABLA}": "gradient",
    "\N{PARTIAL DIFFERENTIAL}": "partial",
    "\N{DIVIDES}": "given",
    "\N{INFINITY}": "infinity",
    "(": "open parenthesis",
    ")": "close parenthesis",
    "[": "open bracket",
    "]": "close bracket",
    "|": "bar",
    "\N{DOUBLE VERTICAL LINE}": "double bar",
    "{": "open brace",
    "}": "close brace",
}
ACCENTS = {
    "\N{MODIFIER LETTER CIRCUMFLEX ACCENT}": "hat",
    "^": "hat",
    "\N{MACRON}": "bar",
    "~": "tilde",
    "\N{SMALL TILDE}": "tilde",
    "\N{RIGHTWARDS ARROW}": "vector",
}
POWERS = {
    "2": "squared",
    "3": "cubed",
    "\N{DOWN TACK}": "transpose",
    "\N{PRIME}": "prime",
}
LARGE = {"\N{N-ARY SUMMATION}", "\N{N-ARY PRODUCT}"}
SILENT = {"\N{FUNCTION APPLICATION}", "\N{INVISIBLE TIMES}", "\N{INVISIBLE SEPARATOR}"}


def words(math):
    """Return the formula, a ``math`` element as text, in words."""
    named = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)\w+;")
    root = ElementTree.fromstring(named.sub(lambda m: unescape(m[0]), math))
    said = re.sub(r"\s+(?=[.,;])", "", speak(root))
    return re.sub(r",[,\s]*(?=[.,;])", "", " ".join(said.split()))


def speak(node):
    """Return an element in words."""
    return SPOKEN.get(node.tag.split("}")[-1], _row)(node)


def _row(node):
    """Say what stands in a row, one after the other."""
    return " ".join(speak(child) for child in node)


def _annotated(node):
    """Say the formula, not its annotation."""
    return speak(node[0])


def _leaf(node):
    """Say a letter, a number, a sign or a few words."""
    text = (node.text or "").strip()
    if text in SILENT:
        return ""
    if text in SIGNS:
        return f" {SIGNS[text]} "
    return _character(text) if len(text) == 1 else text


def _character(character):
    """Say one character: itself, or the last word of its name, as in GREEK SMALL LETTER MU."""
    plain = normalize("NFKC", character)
    if plain == "\N{GREEK LUNATE EPSILON SYMBOL}":
        return "epsilon"
    return plain if plain.isascii() else name(plain).split(" LETTER ")[-1].lower()


def _simple(node):
    """Tell whether the element is one sign, so that nobody asks where it ends."""
    return len(node) == 0 or (len(node) == 1 and _simple(node[0]))


def _fraction(node):
    """Say a fraction; a long one tells its ends."""
    above, below = map(speak, node)
    if all(map(_simple, node)):
        return f"{above} over {below}"
    return f"the fraction {above} over {below}, end of fraction,"


def _root(node):
    """Say a square root; a long one tells its end."""
    inside = _row(node)
    one = len(node) == 1 and _simple(node[0])
    return f"the root of {inside}" + ("" if one else ", end of root,")


def _index(node):
    """Say a letter with an index."""
    if _text(node[0]) in LARGE:
        return f"{speak(node[0])} over {speak(node[1])} of"
    return f"{speak(node[0])} sub {speak(node[1])}"


def _power(node):
    """Say a letter with an exponent."""
    return f"{speak(node[0])} {_exponent(node[1])}"


def _exponent(node):
    """Say an exponent; a long one tells its end."""
    if (text := _text(node)) in POWERS:
        return POWERS[text]
    end = "" if _simple(node) else ", end of exponent,"
    return f"to the {speak(node)}{end}"


def _both(node):
    """Say a letter with an index and an exponent, or a sum with its limits."""
    if _text(node[0]) in LARGE:
        return f"{speak(node[0])} from {speak(node[1])} to {speak(node[2])} of"
    return f"{speak(node[0])} sub {speak(node[1])} {_exponent(node[2])}"


def _accent(node):
    """Say a letter with something above it."""
    above = _text(node[1])
    return (
        f"{speak(node[0])} {ACCENTS.get(above) or 'with ' + speak(node[1]) + ' above'}"
    )


def _table(node):
    """Say a matrix, or equations one below the other, line by line."""
    cells = [[speak(cell) for cell in row] for row in node]
    between = " " if node.get("displaystyle") == "true" else ", "
    return "; ".join(between.join(filter(str.strip, row)) for row in cells) + ";"


def _text(node):
    """Return what the element shows."""
    return "".join(node.itertext()).strip()


SPOKEN = {
    "semantics": _annotated,
    "mi": _leaf,
    "mo": _leaf,
    "mn": _leaf,
    "mtext": lambda node: f", {_text(node)}," if " " in _text(node) else _text(node),
    "mspace": lambda node: "",
    "mfrac": _fraction,
    "msqrt": _root,
    "msub": _index,
    "munder": _index,
    "msup": _power,
    "msubsup": _both,
    "munderover": _both,
    "mover": _accent,
    "mtable": _table,
}
