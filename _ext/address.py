"""The addresses of the book come from the environment: a fork publishes without an edit.

``BOOK_URL`` is the site's address. ``BOOK_REPOSITORY_URL`` is the repository's, or GitHub
Actions tells it. Without an address the buttons that would need it are absent.
"""

import os

BUTTONS = ("use_repository_button", "use_edit_page_button", "use_issues_button")


def repository(environment):
    """Return the repository's address, or None where nobody tells it."""
    if address := environment.get("BOOK_REPOSITORY_URL"):
        return address.rstrip("/")
    if name := environment.get("GITHUB_REPOSITORY"):
        return f"{environment.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}"
    return None


def branch(environment):
    """Return the repository's branch that the book is built from."""
    return environment.get("BOOK_BRANCH", "main")


def set_addresses(app, config):
    """Put the addresses into the theme's options, or take its buttons away."""
    options, address = config.html_theme_options, repository(os.environ)
    options.pop("repository_url", None)
    options.pop("launch_buttons", None)
    options.update(dict.fromkeys(BUTTONS, address is not None))
    if address:
        options["repository_url"] = address
        options["repository_branch"] = branch(os.environ)
    config.html_baseurl = os.environ.get("BOOK_URL", "")


def setup(app):
    """Set the addresses before the theme reads them."""
    app.connect("config-inited", set_addresses, priority=1)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
