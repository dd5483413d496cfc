"""Print the built site as one PDF: a cover, the contents, then every page in its order.

``python tools/pdf.py`` reads ``_build/html`` and writes ``_build/print/book.html``, the book on
one page, and from it ``_build/print/book.pdf``. A Chromium prints it; nothing else is needed.
"""

import re
import sys
from pathlib import Path

import yaml
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

from chromium import MISSING, find_browser, flags

ROOT = Path(__file__).resolve().parent.parent
STYLE = Path(__file__).with_name("pdf.css")
SITE = "../html/"  # the built site, seen from the book's one page
POINTING = ("aria-labelledby", "aria-describedby", "for")
# What leads elsewhere or needs a press: nobody can follow it on paper.
USELESS = "script, .headerlink, .viewcode-link, .run-it"


def toc(root):
    """Return the book's title page and its parts: of each, its caption and its pages."""
    start = parse_toc_yaml(root / "_toc.yml").root
    parts = [
        (tree.caption, [re.sub(r"\.(md|ipynb)$", "", str(name)) for name in tree.items])
        for tree in start.subtrees
    ]
    return re.sub(r"\.md$", "", start.docname), parts


def read(site, name):
    """Return a built page, parsed."""
    text = (site / f"{name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser")


def identity(name, anchor=""):
    """Return the name that an anchor of a page has in the book."""
    return f"{name}:{anchor}" if anchor else f"{name}:"


def moved(address, name, pages):
    """Return where a link or an image of the page leads from the book's one page."""
    if re.match(r"[a-z]+:", address):
        return address
    path, _, anchor = address.partition("#")
    folder = Path(name).parent
    parts = []
    for part in [*folder.parts, *path.split("?")[0].split("/")] if path else []:
        parts = parts[:-1] if part == ".." else [*parts, part]
    target = "/".join(parts)
    page = target.removesuffix(".html") if path else name
    if page in pages:
        return "#" + identity(page, anchor)
    return SITE + target + (f"#{anchor}" if anchor else "")


def article_of(page, name, pages):
    """Return the page's article with names of its own, all of it open, for paper."""
    article = page.find("article")
    for element in article.select(USELESS):
        element.decompose()
    for code in article.select("details.hide"):
        code.summary.decompose()
        code.unwrap()
    for details in article.find_all("details"):
        details["open"] = ""
    for element in article.find_all(True):
        if element.get("id"):
            element["id"] = identity(name, element["id"])
        for attribute in ("href", "src"):
            if element.get(attribute):
                element[attribute] = moved(element[attribute], name, pages)
        for attribute in POINTING:
            if element.get(attribute):
                named = element[attribute]
                named = named if isinstance(named, list) else named.split()
                element[attribute] = " ".join(identity(name, one) for one in named)
    for link in article.select(f'a[href^="{SITE}"]'):
        link.unwrap()
    article["id"] = identity(name)
    return article


def one_page(root, site):
    """Return the book as one HTML page, to lie in a folder beside the site's."""
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    start, parts = toc(root)
    front = read(site, start)
    pages = {name: read(site, name) for _, names in parts for name in names}
    articles = {name: article_of(page, name, pages) for name, page in pages.items()}
    book = BeautifulSoup(
        f"""<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head>
<meta charset="utf-8"><title>{settings["title"]}</title></head><body></body></html>""",
        "html.parser",
    )
    for style in front.head.select('link[rel="stylesheet"], style'):
        if style.get("href"):
            style["href"] = SITE + style["href"]
        book.head.append(style)
    own = book.new_tag("style")
    own.string = STYLE.read_text(encoding="utf-8")
    book.head.append(own)
    book.body.extend([cover(settings, front), contents(parts, articles)])
    book.body.extend(list(articles.values()))
    return book


def cover(settings, front):
    """Return the cover: the logo, the title, the first paragraph of the site, the authors."""
    text = f"""<header class="cover"><img src="{SITE}{settings["logo"]}" alt=""/>
<h1>{settings["title"]}</h1><p>{front.article.find("p").get_text()}</p>
<p>{settings["author"]}</p></header>"""
    return BeautifulSoup(text, "html.parser").header


def contents(parts, articles):
    """Return the list of all pages and of their sections, each a link."""
    lines = []
    for caption, names in parts:
        lines.append(f"<h2>{caption}</h2><ul>")
        for name in names:
            heading = articles[name].find("h1")
            sections = articles[name].select("section > section > h2")
            inner = "".join(
                f'<li><a href="#{h.parent["id"]}">{h.get_text()}</a></li>'
                for h in sections
            )
            lines.append(
                f'<li><a href="#{identity(name)}">{heading.get_text()}</a><ul>{inner}</ul></li>'
            )
        lines.append("</ul>")
    text = f'<nav class="book-contents"><h1>Contents</h1>{"".join(lines)}</nav>'
    return BeautifulSoup(text, "html.parser").nav


def print_pdf(browser, source, target):
    """Print the page with its formulas, pictures and an outline; the style says how."""
    page = browser.new_page()
    page.goto(source.resolve().as_uri(), wait_until="networkidle")
    page.evaluate("document.fonts.ready")
    page.pdf(
        path=target,
        prefer_css_page_size=True,
        print_background=True,
        outline=True,
        tagged=True,
    )
    page.close()


def main():
    """Write the page and the PDF; return the exit status."""
    from playwright.sync_api import sync_playwright

    site, folder = ROOT / "_build" / "html", ROOT / "_build" / "print"
    if not (site / "index.html").is_file():
        print("The site is not built: run 'make book' first.", file=sys.stderr)
        return 1
    folder.mkdir(exist_ok=True)
    source, target = folder / "book.html", folder / "book.pdf"
    source.write_text(str(one_page(ROOT, site)), encoding="utf-8")
    with sync_playwright() as playwright:
        path = find_browser(playwright)
        if path is None:
            print(MISSING, file=sys.stderr)
            return 1
        with playwright.chromium.launch(executable_path=path, args=flags()) as browser:
            print_pdf(browser, source, target)
    print(f"The book is in {target.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
