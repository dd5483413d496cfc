"""The ledger on the site: the table of claims, what the experiments recorded, and badges.

A chapter links to a claim as to any page, ``[faster](../reference/claims.md#claim-ID)``, which
every reader of notebooks understands; here the link becomes a badge that shows the verdict, and the
claim's row links back. The verdicts are those that the records give now, whatever the ledger says;
a test compares the two.
"""

import re
import shutil
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bnlib.experiments import EXPERIMENTS
from bnlib.experiments import claims as ledger
from bnlib.experiments.record import DamagedRecordError, load

logger = logging.getLogger(__name__)
PAGE, EXPERIMENTS_PAGE = "reference/claims", "reference/experiments"
COLUMNS = (
    ("The claim", 23),
    ("Verdict", 13),
    ("What was measured", 37),
    ("Who says it", 15),
    ("Where", 12),
)
MARKS = dict(zip(ledger.VERDICTS, "=✓◐✗?·", strict=True))
TAG = re.compile(r"reference/claims\.md#claim-([\w-]+)")


class Entry(NamedTuple):
    """A claim, what the records say about it, and where it is treated."""

    claim: dict
    judgement: ledger.Judgement
    chapters: dict  # documents, each with the anchor that leads to the claim there

    @property
    def verdict(self):
        """Return the verdict, or that there is none yet."""
        return self.judgement.verdict or "not recorded"

    @property
    def anchor(self):
        """Return the id of the claim's row."""
        return f"claim-{self.claim['id']}"


@cache
def entries(source):
    """Return every entry of the ledger by its id, judged from the records once a build.

    Parameters
    ----------
    source : Path
        The book's folder.
    """
    records, result = ledger.Records(), {}
    tagged, chapters = _tags(source), _chapters(source)
    for claim in ledger.load():
        name, home = claim["id"], chapters.get(claim["chapter"])
        places = dict.fromkeys(tagged.get(name, []), f"tag-{name}")
        if home and home not in places:
            places[home] = "claims"
        result[name] = Entry(claim, ledger.judge(claim, records), places)
        if fault := result[name].judgement.fault:
            logger.warning("the ledger lacks a number: %s", fault)
    return result


def _tags(source):
    """Return the documents that link to each claim."""
    found = {}
    for path in sorted(source.glob("chapters/*.ipynb")):
        for name in sorted(set(TAG.findall(path.read_text(encoding="utf-8")))):
            found.setdefault(name, []).append(f"chapters/{path.stem}")
    return found


def _chapters(source):
    """Return the documents of the chapters by their number."""
    paths = source.glob("chapters/[0-9][0-9]_*.ipynb")
    return {int(path.stem[:2]): f"chapters/{path.stem}" for path in paths}


class Book:
    """Links and words, seen from one document."""

    def __init__(self, app, document):
        self.builder, self.document = app.builder, document
        self.entries = entries(Path(app.srcdir))

    def link(self, text, document, anchor="", **options):
        """Return a link to another document of the book."""
        address = self.builder.get_relative_uri(self.document, document)
        return _link(text, f"{address}#{anchor}" if anchor else address, **options)

    def file(self, text, name):
        """Return a link to a file of results."""
        up = "../" * self.document.count("/")
        return _link(text, f"{up}results/{name}")

    def badge(self, entry, words=""):
        """Return the verdict as a link to the claim, with the author's words before it."""
        link = self.link("", PAGE, entry.anchor, classes=["claim-tag"])
        link["reftitle"] = _plain(entry.claim["claim"])
        if words:
            link += nodes.inline("", f"{words} ")
        link += _verdict(entry.verdict)
        return link


def _link(text, address, **options):
    return nodes.reference("", text, refuri=address, internal=True, **options)


def _verdict(verdict):
    """Return the badge: a mark, a word and a colour."""
    text = f"{MARKS.get(verdict, '…')} {verdict}"
    classes = ["verdict", f"verdict-{verdict.replace(' ', '-')}"]
    return nodes.inline("", text, classes=classes)


def _words(text):
    """Return a sentence as nodes, what stands between backticks as code."""
    pieces = enumerate(text.split("`"))
    return [nodes.literal("", t) if i % 2 else nodes.Text(t) for i, t in pieces]


def _plain(text):
    return text.replace("`", "")


def _paragraph(*children, **options):
    paragraph = nodes.paragraph("", "", **options)
    paragraph += list(children)
    return paragraph


def _details(summary, *children):
    opening = f"<details><summary>{summary}</summary>"
    return [
        nodes.raw("", opening, format="html"),
        *children,
        nodes.raw("", "</details>", format="html"),
    ]


def _bullets(items):
    return nodes.bullet_list("", *(nodes.list_item("", item) for item in items))


def _separated(groups, separator=", "):
    """Return the groups of nodes with a separator between them."""
    result = []
    for group in groups:
        result += [nodes.Text(separator)] * bool(result) + list(group)
    return result


# What `claims.js` brings to life; it stands here so that nothing moves when that happens.
FILTERS = """
<div class="claims-filters" role="search" aria-label="Claims">
<label><span>Verdict</span><select><option value="">all</option></select></label>
<label><span>Said by</span><select><option value="">anyone</option></select></label>
<label><span>Words</span><input type="search"></label>
<button type="button">Show all</button>
</div>
<p class="claims-shown" role="status">All claims shown</p>
"""


class ClaimsTable(SphinxDirective):
    """``{claims}``: how many claims have which verdict, and the table of all."""

    def run(self):
        """Return the count and the table."""
        self.book = Book(self.env.app, self.env.docname)
        rows = self.book.entries.values()
        table = _table([self.row(entry) for entry in rows])
        return [_count(rows), nodes.raw("", FILTERS, format="html"), table]

    def row(self, entry):
        """Return a row of the table."""
        classes = [f"is-{entry.verdict.replace(' ', '-')}"]
        for source in entry.claim["sources"]:
            classes.append(f"said-by-{source.split()[0]}")
        cells = (
            self.statement(entry),
            [_paragraph(_verdict(entry.verdict))],
            self.measured(entry),
            self.sources(entry),
            self.places(entry),
        )
        row = nodes.row("", *(nodes.entry("", *cell) for cell in cells))
        row["ids"], row["classes"] = [entry.anchor], classes
        return row

    def statement(self, entry):
        """Return the claim with a link to itself."""
        here = _link("#", f"#{entry.anchor}", reftitle="Link to this claim")
        here["classes"] = ["claim-link"]
        return [_paragraph(*_words(entry.claim["claim"] + " "), here)]

    def measured(self, entry):
        """Return what was measured, or why nothing was; a remark; and the rule."""
        claim, judgement = entry.claim, entry.judgement
        sentence = judgement.fault or claim.get("why") or judgement.measured
        cell = [_paragraph(*_words(sentence))]
        if "note" in claim:
            cell.append(_paragraph(*_words(claim["note"])))
        if judgement.held:
            cell += _details("The rule", *self.rule(claim, judgement))
        return cell

    def rule(self, claim, judgement):
        """Return the conditions, each with whether it held."""
        for side in ("for", "against"):
            lines = claim.get(side, [])
            if lines:
                yield _paragraph(nodes.Text(f"{side.capitalize()} it:"))
                yield _bullets(
                    _paragraph(
                        nodes.literal("", line),
                        nodes.Text(
                            ": held" if judgement.held[line] else ": did not hold"
                        ),
                    )
                    for line in lines
                )

    def sources(self, entry):
        """Return who says it, and who disputes it."""
        cell = [_paragraph(*self.cite(entry.claim["sources"]))]
        if disputed := entry.claim.get("contested_by"):
            cell.append(_paragraph(nodes.Text("Disputed by "), *self.cite(disputed)))
        return cell

    def cite(self, sources):
        """Return sources, each with its section, as citations."""
        groups = []
        for source in sources:
            key, _, section = source.partition(" ")
            nodes_, _ = self.state.inline_text(f"{{cite:t}}`{key}`", self.lineno)
            inline = nodes.inline("", "", *nodes_, classes=["source"])
            groups.append(
                [inline, nodes.Text(f", section {section}" if section else "")]
            )
        return _separated(groups, "; ")

    def places(self, entry):
        """Return the links to the chapters, the experiments and their numbers."""
        chapters = [
            [
                self.book.link(
                    f"Chapter {int(re.search(r'[0-9]+', document)[0])}",
                    document,
                    anchor,
                )
            ]
            for document, anchor in entry.chapters.items()
        ] or [[nodes.Text(f"Chapter {entry.claim['chapter']}")]]
        cell = [_paragraph(*_separated(chapters))]
        if names := ledger.experiments(entry.claim):
            records = (
                [
                    self.book.link(name, EXPERIMENTS_PAGE, f"experiment-{name}"),
                    nodes.Text(" ("),
                    self.book.file("numbers", f"{name}.json"),
                    nodes.Text(")"),
                ]
                for name in names
            )
            cell.append(_paragraph(*_separated(records)))
        return cell


def _count(rows):
    """Return how many claims there are, and of each verdict."""
    counts = Counter(entry.verdict for entry in rows)
    order = [*ledger.VERDICTS, "not recorded"]
    groups = [
        [_verdict(name), nodes.Text(f" {counts[name]}")]
        for name in order
        if counts[name] or name in MARKS
    ]
    count = _paragraph(nodes.Text(f"{len(rows)} claims: "), *_separated(groups))
    count["classes"] = ["claims-count"]
    return count


def _table(rows):
    group = nodes.tgroup("", cols=len(COLUMNS))
    group += [nodes.colspec("", colwidth=width) for _, width in COLUMNS]
    head = [nodes.entry("", _paragraph(nodes.Text(name))) for name, _ in COLUMNS]
    group += nodes.thead("", nodes.row("", *head))
    group += nodes.tbody("", *rows)
    return nodes.table("", group, classes=["claims-table", "colwidths-given"])


class ArticlesList(SphinxDirective):
    """``{articles}``: what five articles say, statement by statement, and where it is judged."""

    def run(self):
        """Return a folded list for each article."""
        book = Book(self.env.app, self.env.docname)
        result = []
        for key, statements in ledger.load(ledger.ARTICLES).items():
            title, _ = self.state.inline_text(f"{{cite:t}}`{key}`", self.lineno)
            checked = sum("claims" in statement for statement in statements)
            result.append(
                _paragraph(
                    *title,
                    nodes.Text(
                        f": {len(statements)} statements, {checked} of them checked."
                    ),
                )
            )
            items = (self.statement(book, statement) for statement in statements)
            result += _details("Statement by statement", _bullets(items))
        return result

    def statement(self, book, statement):
        """Return one statement with its badges, or why there is nothing to check."""
        words = [nodes.emphasis("", statement["at"]), nodes.Text(": ")]
        words += [*_words(statement["says"]), nodes.Text(". ")]
        if "because" in statement:
            return _paragraph(*words, nodes.Text(statement["because"]))
        names = statement["claims"]
        badges = ([book.badge(book.entries[name], name)] for name in names)
        return _paragraph(*words, *_separated(badges))


class ExperimentsList(SphinxDirective):
    """``{experiments}``: what each record was made with, its numbers, and how to make it again."""

    def run(self):
        """Return a section for each experiment."""
        self.book = Book(self.env.app, self.env.docname)
        return [self.section(name) for name in EXPERIMENTS]

    def section(self, name):
        """Return what is known of one experiment."""
        section = nodes.section(ids=[f"experiment-{name}"], names=[])
        section += nodes.title("", name)
        section += _paragraph(*_words(EXPERIMENTS[name].question))
        section += nodes.literal_block(
            "", f"python -m bnlib.experiments {name}", language="text"
        )
        try:
            section += _bullets(self.facts(name, load(name)))
        except (FileNotFoundError, DamagedRecordError) as error:
            section += _paragraph(nodes.Text(f"Not recorded: {error}."))
        return section

    def facts(self, name, record):
        """Yield the lines about a record."""
        data, runs = record["data"], record["runs"]
        sizes = ""
        if "train" in data:
            sizes = (
                f", {data['train']:,} images to train on and {data['test']:,} to test"
            )
        minutes = sum(run["cpu_seconds"] for run in runs.values()) / 60
        versions = ", ".join(f"{k} {v}" for k, v in record["versions"].items())
        yield _paragraph(
            nodes.Text("Numbers of every seed: "),
            self.book.file(f"{name}.json", f"{name}.json"),
        )
        yield _paragraph(nodes.Text(f"Data: {data['name']}{sizes}"))
        yield _paragraph(
            nodes.Text(f"Seeds: {len(runs)}; {minutes:.1f} minutes of CPU in all")
        )
        settings = _separated(
            [nodes.literal("", f"{key}={value!r}")]
            for key, value in record["settings"].items()
        )
        yield _paragraph(nodes.Text("Settings: "), *settings or [nodes.Text("none")])
        yield _paragraph(nodes.Text(f"Made with: {versions}; code {record['code']}"))
        entries = self.book.entries.values()
        badges = [
            [self.book.badge(entry, entry.claim["id"])]
            for entry in entries
            if name in ledger.experiments(entry.claim)
        ]
        if badges:
            yield _paragraph(nodes.Text("Claims: "), *_separated(badges))


class ChapterClaims(SphinxTransform):
    """Put the claims that a chapter treats at its end: the way back from each."""

    default_priority = 400

    def apply(self, **kwargs):
        """Append the section, if the document is a chapter with claims."""
        name = self.env.docname
        if not name.startswith("chapters/"):
            return
        book = Book(self.app, name)
        treated = [entry for entry in book.entries.values() if name in entry.chapters]
        first = next(iter(self.document.findall(nodes.section)), None)
        if not treated or first is None:
            return
        section = nodes.section(ids=["claims"], names=[])
        section += nodes.title("", "Claims and verdicts")
        items = (
            _paragraph(
                book.badge(entry), nodes.Text(" "), *_words(entry.claim["claim"])
            )
            for entry in treated
        )
        summary = (
            f"What is said about the subject of this chapter: {len(treated)} claims"
        )
        section += _details(summary, _bullets(items))
        first += section


class BadgeLinks(SphinxPostTransform):
    """Turn each link to a claim into a badge, before MyST looks for a heading of that name."""

    default_priority = 5

    def run(self, **kwargs):
        """Replace the links of one document."""
        book = Book(self.app, self.env.docname)
        seen = set()
        for link in list(self.document.findall(addnodes.pending_xref)):
            anchor = link.get("reftargetid") or ""
            if link.get("reftarget") != PAGE or not anchor.startswith("claim-"):
                continue
            name = anchor.removeprefix("claim-")
            if name not in book.entries:
                logger.warning("no such claim in the ledger: %s", name, location=link)
                link.replace_self(nodes.inline("", link.astext()))
                continue
            badge = book.badge(book.entries[name], link.astext())
            if name not in seen:
                badge["ids"] = [f"tag-{name}"]
            seen.add(name)
            link.replace_self(badge)


def add_script(app, pagename, templatename, context, doctree):
    """Load the script that sorts and filters where the table is, and nowhere else."""
    if pagename == PAGE:
        app.add_js_file("claims.js")


def copy_results(app, exception):
    """Put the records and the ledger into the site, to be read as they are."""
    if exception is None and app.builder.format == "html":
        target = Path(app.outdir) / "results"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for path in [*ledger.FOLDER.glob("*.json"), *ledger.FOLDER.glob("*.yml")]:
            shutil.copyfile(path, target / path.name)


def set_up_build(app, config):
    """Judge the claims anew in each build; serve the script."""
    entries.cache_clear()
    config.html_static_path.append(str(Path(__file__).parent / "static"))


def setup(app):
    """Register the three directives, the two transforms and what follows the build."""
    app.add_directive("claims", ClaimsTable)
    app.add_directive("articles", ArticlesList)
    app.add_directive("experiments", ExperimentsList)
    app.add_transform(ChapterClaims)
    app.add_post_transform(BadgeLinks)
    app.connect("config-inited", set_up_build)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", copy_results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
