"""Let the search find the terms of the glossary after a second build, too.

The builder collects a page's terms when it writes the page, and saves its memory before it writes.
A later build, which writes only what has changed, would forget all other terms.
"""

import pickle
from pathlib import Path

from sphinx.application import ENV_PICKLE_FILENAME


def remember(app, exception):
    """Save the builder's memory again, now that the pages are written."""
    if exception is None and app.builder.name == "html":
        path = Path(app.doctreedir) / ENV_PICKLE_FILENAME
        path.write_bytes(pickle.dumps(app.env, pickle.HIGHEST_PROTOCOL))


def setup(app):
    """Save when all is done."""
    app.connect("build-finished", remember)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
