"""Make one script of those that the theme and its extensions load on every page.

It runs when the page has been read, so that no page waits for it.
"""

from pathlib import Path

OF_THE_THEME = (
    "_static/scripts/bootstrap.js",
    "_static/scripts/pydata-sphinx-theme.js",
)
VERSIONS = "DOCUMENTATION_OPTIONS.pagename"  # for a menu of versions, which no page has


def forget_live_cells(app, config):
    """Take away what would connect a page to a kernel elsewhere: the book has no live cells."""
    for listeners in list(app.events.listeners.values()):
        for listener in list(listeners):
            if listener.handler.__module__.startswith("sphinx_thebe"):
                app.disconnect(listener.id)
    sheets = app.registry.css_files
    sheets[:] = [sheet for sheet in sheets if "thebe" not in sheet[0]]


def link_bundle(app, pagename, templatename, context, doctree):
    """Link no script that is in the bundle; one that a page adds for itself stays."""
    shared = app.builder._orig_js_files
    context["script_files"] = [
        script
        for script in context["script_files"]
        if script not in shared and VERSIONS not in script.attributes.get("body", "")
    ]


def text_of(script, site):
    """Return a script that stands in a file of the site, or in the page itself."""
    if not script.filename:
        return script.attributes["body"]
    return (site / script.filename).read_text(encoding="utf-8")


def write_bundle(app, exception):
    """Write all scripts into one file, in the order in which the theme would load them."""
    if exception is not None or app.builder.name != "html":
        return
    site = Path(app.outdir)
    shared = sorted(app.builder._orig_js_files, key=lambda script: script.priority)
    texts = [text_of(script, site) for script in shared]
    texts += [(site / name).read_text(encoding="utf-8") for name in OF_THE_THEME]
    (site / "_static" / "book.js").write_text("\n;\n".join(texts), encoding="utf-8")


def setup(app):
    """Link the bundle on every page, and write it when the theme's own files are there."""
    app.connect("config-inited", forget_live_cells)
    app.connect("html-page-context", link_bundle, priority=900)
    app.connect("build-finished", write_bundle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
