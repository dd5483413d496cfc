"""Tell each picture's size on its page, and load it when it comes near: no text moves or waits."""

import re
from pathlib import Path

from sphinx.util.images import get_image_size


def with_size(tag, size):
    """Return the image's tag with its size, if it has none, and with when to load it."""
    said = ""
    if size and "width" not in tag and "height" not in tag:
        said += f' width="{size[0]}" height="{size[1]}"'
    if "loading=" not in tag:
        said += ' loading="lazy"'
    return re.sub(r"\s*/?>$", said + ">", tag)


def size_pictures(app, pagename, templatename, context, doctree):
    """Complete the tags of all pictures that are in the text of the page."""
    sources = {name: source for source, name in app.builder.images.items()}

    def complete(match):
        name = Path(match["src"]).name
        source = Path(app.srcdir, sources.get(name, f"_static/{name}"))
        return with_size(match[0], get_image_size(source) if source.is_file() else None)

    if "body" in context:
        context["body"] = re.sub(
            r'<img\b[^>]*?\bsrc="(?P<src>[^"]*)"[^>]*>', complete, context["body"]
        )


def setup(app):
    """Complete each page before it is written."""
    app.connect("html-page-context", size_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
