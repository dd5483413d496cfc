"""Run it yourself: links at the top of every chapter, to wherever its notebook runs.

Plain links and text, so that a page needs no script for them. Colab and Binder run what is on
GitHub; where the repository's address is not known, or is not there, their links are absent.
"""

import os
from html import escape
from pathlib import Path
from urllib.parse import quote

import nbformat
from sphinx.util.osutil import relative_uri

import copies
from address import branch, repository
from bnlib_wheel import wheel_name

GITHUB = "https://github.com/"
COLAB_BRANCH = "colab"  # where the workflow puts the copies of _ext/copies.py
WHEELS = "lite/pypi"  # where JupyterLite keeps them within the site


def services(name, environment):
    """Return the addresses of the chapter in Colab and in Binder, by name; none without GitHub."""
    address = repository(environment) or ""
    if not address.startswith(GITHUB):
        return {}
    project = address.removeprefix(GITHUB)
    path = quote(f"lab/tree/chapters/{name}", safe="")
    colab, binder = "https://colab.research.google.com/github", "https://mybinder.org"
    return {
        "Colab": f"{colab}/{project}/blob/{COLAB_BRANCH}/chapters/{name}",
        "Binder": f"{binder}/v2/gh/{project}/{quote(branch(environment), safe='')}"
        f"?urlpath={path}",
    }


def install(extra, root, site):
    """Return the one command after which chapters run that need this extra of bnlib.

    Where the site's address is not known, the wheel lies beside the notebook.
    """
    wheel = wheel_name(root)
    if site:
        return f'pip install jupyterlab "bnlib[{extra}] @ {site.rstrip("/")}/{WHEELS}/{wheel}"'
    return f'pip install jupyterlab "./{wheel}[{extra}]"'


def link(address, text, **attributes):
    """Return a link."""
    extra = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f'<a href="{escape(address)}"{extra}>{escape(text)}</a>'


def row(name, *, heavy, command, wheel, there, seconds, environment):
    """Return the HTML of the row; `there` makes a path of the site relative to the chapter."""
    source = there(f"_sources/chapters/{name}")
    links = [
        *([] if heavy else [link(there(in_browser(name)), "Run in the browser")]),
        link(source, "Download the notebook", download=name),
        *(link(to, text) for text, to in services(name, environment).items()),
    ]
    notes = [
        "It uses TensorFlow, which does not run in the browser." if heavy else "",
        f"It took {seconds} to run when this site was built." if seconds else "",
    ]
    python = "Python 3.11, 3.12 or 3.13" if heavy else "Python 3.11 or later"
    library = link(there(f"{WHEELS}/{wheel}"), "the library", download=wheel)
    beside = f" {library} beside the notebook," if f"./{wheel}" in command else ""
    more = link(there("reference/run.html"), "More about it")
    return f"""<nav class="run-it" aria-label="Run this chapter yourself">
<ul>{"".join(f"<li>{item}</li>" for item in links)}</ul>
<p>{" ".join(filter(None, notes))}</p>
<details><summary>What the notebook needs on your machine</summary>
<p>{python},{beside} and one command; then open it with <code>jupyter lab</code> or in your
editor. {more}.</p>
<div class="highlight"><pre>{escape(command)}</pre></div>
</details>
</nav>"""


def in_browser(name):
    """Return the path within the site that opens the chapter in JupyterLite."""
    return f"lite/notebooks/index.html?path={quote(name)}"


def duration(data):
    """Return in words how long the chapter was executed, or nothing where nobody measured it."""
    seconds = (data or {}).get("runtime")
    return f"{max(1, round(seconds))} s" if seconds else ""


def add_row(app, pagename, templatename, context, doctree):
    """Put the row below the title of a chapter."""
    root, name = Path(app.srcdir), f"{Path(pagename).name}.ipynb"
    if not pagename.startswith("chapters/") or app.builder.name != "html":
        return
    notebook = nbformat.read(app.env.doc2path(pagename), as_version=4)
    heavy = copies.needs_tensorflow(notebook, root)
    html = row(
        name,
        heavy=heavy,
        command=install(
            "course" if heavy else "chapters", root, app.config.html_baseurl
        ),
        wheel=wheel_name(root),
        there=lambda path: relative_uri(f"{pagename}.html", path),
        seconds=duration(app.env.nb_metadata.get(pagename, {}).get("exec_data")),
        environment=os.environ,
    )
    context["body"] = context["body"].replace("</h1>", f"</h1>\n{html}", 1)


def add_commands(app, config):
    """Let every page say {{ install_chapters }} and {{ install_course }}."""
    for extra in ("chapters", "course"):
        command = install(extra, Path(app.srcdir), config.html_baseurl)
        config.myst_substitutions[f"install_{extra}"] = f"```shell\n{command}\n```"


def setup(app):
    """Set the commands after the addresses; add the row before a page is written."""
    app.connect("config-inited", add_commands)
    app.connect("html-page-context", add_row)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
