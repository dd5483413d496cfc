"""In a table whose first column has no heading, that column names the rows; a reader is told so."""

from docutils import nodes

EMPTY_CORNER = '<th class="head stub"><p></p></th>'


def name_rows(app, doctree):
    """Mark the first column as names where its heading is empty."""
    for head in doctree.findall(nodes.thead):
        if not head[0][0].astext().strip():
            first = next(iter(head.parent.findall(nodes.colspec)))
            first["stub"] = 1


def empty_corners(app, pagename, templatename, context, doctree):
    """Make the empty corner of such a table a cell: a heading without words is none."""
    if "body" in context:
        context["body"] = context["body"].replace(EMPTY_CORNER, "<td></td>")


def setup(app):
    """Mark the tables when a page is read, and correct it when it is written."""
    app.connect("doctree-read", name_rows)
    app.connect("html-page-context", empty_corners)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
