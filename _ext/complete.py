"""A book with a page missing, empty or half executed is no book: its build ends and says why.

However the build was started, a warning counts as an error.
"""

import re
from html import unescape
from pathlib import Path

import nbformat
from sphinx.util import logging

logger = logging.getLogger(__name__)


def fault_of_page(page, title):
    """Return what is wrong with the built page, or None; its first heading holds its title."""
    if not page.is_file():
        return "has not been built"
    heading = re.search(r"(?s)<h1.*?>(.*?)</h1>", page.read_text(encoding="utf-8"))
    if heading is None:
        return "is empty: it has no heading"
    shown = " ".join(unescape(re.sub("<.*?>", "", heading.group(1))).split())
    if title and title in shown:
        return None
    return f"has the heading {shown!r} instead of its title {title!r}"


def pictures_without_words(page):
    """Return the sources of the text's pictures that say nothing to who cannot see them.

    A path is no words: the builder writes it where an image has none.
    """
    article = re.search(r"(?s)<article.*</article>", page.read_text(encoding="utf-8"))
    silent = []
    for tag in re.findall(r"<img\b[^>]*>", article[0] if article else ""):
        source = re.search(r'src="(.*?)"', tag)[1]
        alt = re.search(r'alt="(.*?)"', tag)
        words = alt[1].strip() if alt else ""
        if not words or re.search(r"\.(png|svg|jpe?g|gif|webp)$", words):
            silent.append(source)
    return silent


def fault_of_chapter(executed):
    """Return which cell of the executed notebook failed and how, or None."""
    for number, cell in enumerate(executed.cells, start=1):
        for output in cell.get("outputs", []):
            if (
                output.output_type == "error"
                and "raises-exception" not in cell.metadata.get("tags", [])
            ):
                source = "\n".join("    " + line for line in cell.source.splitlines())
                error = f"{output.ename}: {output.evalue}"
                return f"cell {number} failed: {error}\n{source}"
    return None


def faults_of_book(app):
    """Yield a sentence for everything that is wrong with any page of the table of contents."""
    executed = Path(app.outdir).parent / "jupyter_execute"
    for name in app.config.external_site_map:
        docname = re.sub(r"\.(ipynb|md)$", "", name)
        if docname not in app.env.titles:
            yield f"{docname} is in _toc.yml, but there is no such file"
            continue
        title = app.env.titles[docname].astext()
        page = Path(app.outdir) / f"{docname}.html"
        if fault := fault_of_page(page, title):
            yield f"{docname} {fault}"
        elif silent := pictures_without_words(page):
            yield f"{docname} has a picture without alternative text: {', '.join(silent)}"
        data = app.env.nb_metadata.get(docname, {}).get("exec_data")
        if data and not data["succeeded"]:
            notebook = nbformat.read(executed / f"{docname}.ipynb", as_version=4)
            yield f"{docname}, {fault_of_chapter(notebook) or data['traceback']}"


def remember(app, docname, source):
    """Remember which page is read, to name it if the builder stops there."""
    app.page_being_read = docname


def check(app, exception):
    """Say all that is wrong with the book; each is a warning, and so fails the build."""
    if exception is not None:
        page = getattr(app, "page_being_read", "any page was read")
        logger.error("the build stopped at %s: %r", page, exception)
    elif app.builder.name == "html":
        for fault in faults_of_book(app):
            logger.warning("the book is not complete: %s", fault)


def setup(app):
    """Check when the pages are written."""
    # Every warning is shown, and any of them makes the build end non-zero.
    app.keep_going = True
    app.connect("source-read", remember)
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
