"""What a page tells a search engine, and whoever is sent its address: words, a picture, a place.

The words are the first sentences of the page, unless its metadata gives others (`myst`,
`html_meta`, `description`). The picture shows its title. Addresses need the site's own, so the
sitemap is written only where the environment tells it; see `address.py`.
"""

import re
import textwrap
from hashlib import sha256
from html import escape, unescape
from pathlib import Path

import numpy as np
from docutils import nodes
from matplotlib.figure import Figure

LONGEST = 200  # characters of a description
ADDED = {"genindex": "Index", "py-modindex": "Modules", "search": "Search"}
BLUE, VERMILLION = "#0072B2", "#D55E00"  # the course's colours


def sentences(paragraph):
    """Return the sentences of a paragraph that hold no formula: in plain text it would be none."""
    plain = paragraph.deepcopy()
    for formula in list(plain.findall(nodes.math)):
        formula.replace_self(nodes.Text("\N{REPLACEMENT CHARACTER}"))
    text = " ".join(plain.astext().split())
    parts = re.split(r"(?<=[.?!:]) (?=[A-Z])", text)
    return [part for part in parts if "\N{REPLACEMENT CHARACTER}" not in part]


def describe(doctree, title):
    """Return the first sentences of the page, as many as a search engine shows."""
    said = ""
    for paragraph in doctree.findall(nodes.paragraph):
        for sentence in sentences(paragraph):
            longer = f"{said} {sentence}".strip()
            if len(longer) > LONGEST:
                return said or textwrap.shorten(sentence, LONGEST, placeholder=" ...")
            said = longer
        if len(said) > LONGEST / 2:
            break
    return said or title


def draw_card(title, book, target):
    """Draw the picture that stands for a page where its address is shared."""
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 0.42), frameon=False, xticks=[], yticks=[])
    x = np.linspace(-3, 6, 400)
    axes.plot(x, 0.8 * np.exp(-2 * (x - 2.4) ** 2), "--", color=VERMILLION, lw=5)
    axes.plot(x, np.exp(-(x**2) / 2), color=BLUE, lw=7)
    axes.set(xlim=(-3, 6), ylim=(0, 1.2))
    words = "\n".join(textwrap.wrap(title, 28)[:2])
    figure.text(0.07, 0.68, words, size=48, weight="bold", color="#222832", va="center")
    figure.text(0.07, 0.9, book, size=24, color="#48566b", va="center")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Software": None})


def card_of(app, title):
    """Return the place of the page's picture in the site, drawn if it was not yet."""
    book = app.config.html_title
    key = f"{title}\0{book}\0" + Path(__file__).read_text(encoding="utf-8")
    name = f"_images/card-{sha256(key.encode()).hexdigest()[:16]}.png"
    target = Path(app.outdir) / name
    if not target.is_file():
        draw_card(title, book, target)
    return name


def tags(title, book, words, picture, address):
    """Return the tags for the head of the page."""
    facts = {
        "og:title": title,
        "og:description": words,
        "og:site_name": book,
        "og:type": "article",
        "og:image": picture,
        "og:image:alt": f"Two bell curves under the words: {title}",
        "og:url": address,
    }
    graph = "".join(
        f'<meta property="{name}" content="{escape(value)}">\n'
        for name, value in facts.items()
        if value
    )
    card = '<meta name="twitter:card" content="summary_large_image">\n'
    return f'<meta name="description" content="{escape(words)}">\n{graph}{card}'


def add_tags(app, pagename, templatename, context, doctree):
    """Put the tags into the head of the page."""
    title = context.get("title") or ADDED.get(pagename, app.config.html_title)
    title = unescape(re.sub(r"<.*?>", "", title))
    given = re.search(
        r'<meta content="([^"]*)" name="description"', context.get("metatags", "")
    )
    if given:
        words = unescape(given[1])
        context["metatags"] = re.sub(
            r'<meta content="[^"]*" name="description"[^>]*>', "", context["metatags"]
        )
    else:
        words = (
            describe(doctree, title) if doctree else f"{title}: {app.config.html_title}"
        )
    name, base = card_of(app, title), app.config.html_baseurl
    picture = base.rstrip("/") + "/" + name if base else context["pathto"](name, 1)
    page = context.get("pageurl") or ""
    context["metatags"] = context.get("metatags", "") + tags(
        title, app.config.html_title, words, picture, page
    )


def write_sitemap(app, exception):
    """List the pages for search engines, if the site knows its address."""
    if exception is not None or app.builder.name != "html":
        return
    site, base = Path(app.outdir), app.config.html_baseurl.rstrip("/")
    if not base:
        (site / "sitemap.xml").unlink(missing_ok=True)
        (site / "robots.txt").unlink(missing_ok=True)
        return
    pages = (f"{base}/{app.builder.get_target_uri(name)}" for name in app.env.titles)
    places = "".join(
        f"<url><loc>{escape(page)}</loc></url>\n" for page in sorted(pages)
    )
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    (site / "sitemap.xml").write_text(
        f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="{space}">\n{places}</urlset>\n',
        encoding="utf-8",
    )
    (site / "robots.txt").write_text(
        f"User-agent: *\nAllow: /\nSitemap: {base}/sitemap.xml\n", encoding="utf-8"
    )


def setup(app):
    """Complete each page's head, and list the pages when they are there."""
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
