"""Never publish an old number: what a page was made from decides whether it is made again.

The builder's cache of executed chapters looks at a chapter alone. A change in the library, in
a recorded result or in the pinned packages would leave the old outputs in place, so it throws
that cache away here. A build that did not succeed leaves no stamp, and the next one reads every
page again: otherwise its warnings would be seen once and never more.
"""

import hashlib
import shutil
from pathlib import Path

EXECUTIONS = (
    "bnlib/**/*.py",
    "bnlib/**/*.mplstyle",
    "results/*.json",
    "requirements.txt",
)
PAGES = (
    *EXECUTIONS,
    "results/*.yml",
    "chapters/*.ipynb",
    "reference/*",
    "_ext/*.py",
    "_ext/static/*",
    "_static/*",
    "_templates/**/*",
    "*.md",
    "*.bib",
    "_config.yml",
    "_toc.yml",
    "LICENSE",
    "pyproject.toml",
)


def digest(root, patterns):
    """Return a digest of the names and contents of all files that match."""
    sha = hashlib.sha256()
    for path in sorted(
        {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    ):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        sha.update(
            f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content
        )
    return sha.hexdigest()


def holds(file, text):
    """Tell whether the file exists and holds this text."""
    return file.is_file() and file.read_text(encoding="utf-8") == text


def stamp_of(build):
    """Return the file that says from which sources the last successful build was made."""
    return build / "built-from"


def is_current(root):
    """Tell whether the built site was made from the sources as they are now."""
    return holds(stamp_of(root / "_build"), digest(root, PAGES))


def drop_old_executions(app):
    """Throw the executed chapters away if they were executed with another library."""
    cache = Path(
        app.config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache"
    )
    record, now = cache / "executed-with", digest(Path(app.srcdir), EXECUTIONS)
    if not holds(record, now):
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        record.write_text(now, encoding="utf-8")


def pages_to_read_again(app, env, added, changed, removed):
    """Return every page, unless the last build succeeded with the same sources."""
    if app.builder.name != "html":
        return []  # another form of the book: it says nothing about the site
    app.digest_of_pages = digest(Path(app.srcdir), PAGES)
    stamp = stamp_of(Path(app.outdir).parent)
    current = holds(stamp, app.digest_of_pages)
    stamp.unlink(missing_ok=True)
    if current:
        return []
    # The pages of the library's sources are written by their own date alone.
    shutil.rmtree(Path(app.outdir) / "_modules", ignore_errors=True)
    return list(env.found_docs)


def write_stamp(app, exception):
    """Record that the site was built from these sources, if it was."""
    if exception is None and not app._warncount and app.builder.name == "html":
        stamp_of(Path(app.outdir).parent).write_text(
            app.digest_of_pages, encoding="utf-8"
        )


def setup(app):
    """Look before the pages are read; write the stamp after everything else."""
    app.connect("builder-inited", drop_old_executions)
    app.connect("env-get-outdated", pages_to_read_again)
    app.connect("build-finished", write_stamp, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
