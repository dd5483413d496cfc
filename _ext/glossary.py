"""Let a plain Markdown link lead to a term: ``[axis](../reference/glossary.md#term-axis)``.

In a notebook's editor the same link opens the glossary. One to a term that does not exist is a
warning that names its page, and so a failed build.
"""

from docutils import nodes
from sphinx import addnodes


def publish_terms(app, doctree):
    """Add the terms of a page's glossary to the anchors that a Markdown link may name."""
    env = app.env
    anchors = env.metadata[env.docname].setdefault("myst_slugs", {})
    for glossary in doctree.findall(addnodes.glossary):
        for term in glossary.findall(nodes.term):
            for anchor in term["ids"]:
                anchors[anchor] = (term.line, anchor, term.astext())


def setup(app):
    """Look at every page that has been read."""
    app.connect("doctree-read", publish_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
