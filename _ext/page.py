"""Small corrections to what the theme writes."""

MISNOMER = ' aria-label="Toggle hidden content"'


def name_the_logo(app, config):
    """Show the book's title beside its logo."""
    config.html_theme_options["logo"] = {"text": config.html_title}


def name_hidden_cells(app, pagename, templatename, context, doctree):
    """Let what opens a hidden cell be called what it reads."""
    if "body" in context:
        context["body"] = context["body"].replace(MISNOMER, "")


def skip_fields(app, what, name, obj, skip, options):
    """Leave the fields of a named tuple out of the library's page: its signature shows them."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    """Correct the options before the theme reads them, and each page before it is written."""
    app.connect("config-inited", name_the_logo)
    app.connect("html-page-context", name_hidden_cells)
    app.connect("autodoc-skip-member", skip_fields)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
