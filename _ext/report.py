"""The build report: how long each chapter was executed, and with which versions.

``{build-report}`` is its directive. What it tells is known when all chapters have been executed,
so it is filled in just before its page is written.
"""

import platform
from importlib.metadata import PackageNotFoundError, version

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

PACKAGES = (
    "bnlib",
    "numpy",
    "scikit-learn",
    "matplotlib",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "jupyter-book",
    "sphinx",
    "jupyterlite-core",
    "jupyterlite-pyodide-kernel",
)


class Report(nodes.General, nodes.Element):
    """Stands for the report until it can be written."""


class ReportDirective(SphinxDirective):
    """Leave a place for the report."""

    def run(self):
        """Return the place."""
        self.env.metadata[self.env.docname]["build_report"] = True
        return [Report()]


def versions():
    """Yield the name and the version of everything that the numbers depend on."""
    yield "Python", platform.python_version()
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue  # TensorFlow is installed under one of two names


def times(env):
    """Yield the title of each chapter and the seconds that its execution took."""
    for docname in sorted(env.nb_metadata):
        data = env.nb_metadata[docname].get("exec_data")
        if docname.startswith("chapters/") and data and data.get("runtime"):
            yield env.titles[docname].astext(), data["runtime"]


def table(head, rows):
    """Return a table of texts."""
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group)


def _row(texts):
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", t)) for t in texts))


def fill(app, doctree, docname):
    """Put the report into its place."""
    for place in list(doctree.findall(Report)):
        found = list(times(app.env))
        total = sum(seconds for _, seconds in found)
        rows = [(title, f"{seconds:.1f}") for title, seconds in found]
        rows.append(("all of them", f"{total:.1f}"))
        place.replace_self(
            [
                table(("chapter", "seconds"), rows),
                table(("package", "version"), versions()),
            ]
        )


def pages_to_write_again(app, env):
    """Return the report's page: what it tells may have changed though it has not."""
    return [name for name, data in env.metadata.items() if "build_report" in data]


def setup(app):
    """Register the directive."""
    app.add_node(Report)
    app.add_directive("build-report", ReportDirective)
    app.connect("env-updated", pages_to_write_again)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
