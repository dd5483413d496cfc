"""Make one style sheet of the dozen that the theme and its extensions bring, without idle rules.

A rule stays if every class and every id that it names is a word of some page or script of the
site. The fonts are inside the sheet: no page moves when they arrive, and a browser that lets no
file on a disk load another one shows them as well.
"""

import re
from base64 import b64encode
from pathlib import Path

import tinycss2

import fonts

OF_THE_THEME = (
    "basic.css",
    "styles/bootstrap.css",
    "styles/pydata-sphinx-theme.css",
)
ICONS = "vendor/fontawesome/*/css/all.min.css"
ICON_FONTS = "vendor/fontawesome/*/webfonts/*.woff2"
GROUPS = {"media", "supports"}


def words(text):
    """Return everything in the text that could be the name of a class or an id."""
    return set(re.findall(r"[\w-]+", text))


def names(selector):
    """Return the classes and ids that an element must have for this selector to match."""
    pairs = zip([None, *selector], selector, strict=False)
    return {
        token.value
        for before, token in pairs
        if token.type == "hash" or (token.type == "ident" and before == ".")
    }


def selectors(prelude):
    """Return the selectors, each a list of tokens, that stand before the braces of a rule."""
    parts = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def in_use(rules, known):
    """Yield the text of each rule that can match an element whose names are all known."""
    for rule in rules:
        if rule.type == "qualified-rule":
            kept = [s for s in selectors(rule.prelude) if names(s) <= known]
            if kept:
                before = ",".join(tinycss2.serialize(s).strip() for s in kept)
                yield f"{before}{{{tinycss2.serialize(rule.content).strip()}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in GROUPS:
            if inner := "".join(in_use(parsed(rule.content), known)):
                before = tinycss2.serialize(rule.prelude).strip()
                yield f"@{rule.at_keyword} {before}{{{inner}}}"
        elif rule.type == "at-rule" and rule.content is not None:
            yield rule.serialize()
        elif rule.type == "comment" and rule.value.startswith("!"):
            yield rule.serialize()  # a licence


def parsed(content):
    """Return the rules of a style sheet, or of the inside of another rule."""
    return tinycss2.parse_rule_list(content, skip_whitespace=True)


def with_fonts(style, cut_fonts):
    """Return the style sheet with each of these fonts inside once, and no face of any other."""
    left = dict(cut_fonts)

    def face(match):
        file = re.search(r"[\w-]+\.woff2", match[0])
        data = left.pop(file[0], None) if file else None
        if not data:
            return ""
        source = f"data:font/woff2;base64,{b64encode(data).decode()}"
        return re.sub(
            r"src:[^;}]*", f'src:url("{source}") format("woff2")', match[0], count=1
        )

    return re.sub(r"@font-face\s*\{[^}]*\}", face, style)


def sheets(app, static):
    """Return the files of all style sheets of the book, the first to apply first."""
    added = sorted(app.builder._orig_css_files, key=lambda sheet: sheet.priority)
    return [
        *(static / name for name in OF_THE_THEME),
        *static.glob(ICONS),
        *(static.parent / str(sheet.filename) for sheet in added),
    ]


def bundle(sheets, pages, scripts):
    """Return one style sheet: the rules of all these that a page or a script can use."""
    known = words("\n".join([*pages, *scripts]))
    return "\n".join(
        rule
        for sheet in sheets
        for rule in in_use(parsed(sheet.read_text(encoding="utf-8")), known)
    )


def read(folder, pattern):
    """Return the texts of all files of the folder, at any depth, that match."""
    return [file.read_text(encoding="utf-8") for file in folder.rglob(pattern)]


def write_bundle(app, exception):
    """Write the style sheet when the pages are there."""
    if exception is not None or app.builder.name != "html":
        return
    site = Path(app.outdir)
    static, pages = site / "_static", read(site, "*.html")
    style = bundle(sheets(app, static), pages, read(static, "*.js"))
    cut = {
        file.name: fonts.cut(file, fonts.icons(style))
        for file in static.glob(ICON_FONTS)
    }
    in_formulas = fonts.characters_in_formulas(pages)
    cut["math.woff2"] = fonts.cut(fonts.for_formulas(), in_formulas)
    (static / "book.css").write_text(with_fonts(style, cut), encoding="utf-8")


def link_bundle(app, pagename, templatename, context, doctree):
    """Link no sheet that is in the bundle; one that a page adds for itself stays."""
    shared = app.builder._orig_css_files
    context["css_files"] = [s for s in context["css_files"] if s not in shared]


def setup(app):
    """Link the style sheet, and write it last: it holds what others write when pages are done."""
    app.connect("html-page-context", link_bundle, priority=900)
    app.connect("build-finished", write_bundle, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
