"""Small corrections to what the theme writes."""


def name_the_logo(app, config):
    """Show the book's title beside its logo."""
    config.html_theme_options["logo"] = {"text": config.html_title}


def drop_thebe(app, pagename, templatename, context, doctree):
    """Leave out the scripts of live cells: the book has none, and the theme has them twice."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe"
        not in f"{script.filename} {script.attributes.get('body', '')}".lower()
    ]


def skip_fields(app, what, name, obj, skip, options):
    """Leave the fields of a named tuple out of the library's page: its signature shows them."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    """Correct the options before the theme reads them, and each page before it is written."""
    app.connect("config-inited", name_the_logo)
    app.connect("html-page-context", drop_thebe)
    app.connect("autodoc-skip-member", skip_fields)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
