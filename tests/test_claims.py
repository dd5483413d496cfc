"""Specification of the ledger: its rules, and the proof that it says what the records say."""

import json
import re

import pytest

from bnlib.experiments import EXPERIMENTS, claims
from bnlib.experiments.claims import (
    ARTICLES,
    LEDGER,
    VERDICTS,
    Records,
    corrected,
    holds,
    judge,
    load,
    measure,
    measured,
    parse,
    verdict,
)
from conftest import CHAPTERS, ROOT, parsed

CLAIMS = {claim["id"]: claim for claim in load()}
STATEMENTS = load(ARTICLES)
PAPERS = ("ioffe2015", "santurkar2018")
RECORDS = Records()
SOURCES = set(
    re.findall(
        r"@\w+\{([\w-]+),", (ROOT / "references.bib").read_text(encoding="utf-8")
    )
)


def key(source):
    """Return the key of a source without its section."""
    return source.split()[0]


def said_by(article):
    """Return the claims that name the article as their source."""
    return {
        name for name, claim in CLAIMS.items() if article in map(key, claim["sources"])
    }


def tags(path):
    """Return the claims that a chapter links to."""
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r"reference/claims\.md#claim-([\w-]+)", text))


# ---- The ledger as it stands ----


@pytest.mark.parametrize("name", CLAIMS)
def test_the_ledger_says_what_the_records_say(name):
    judgement = judge(CLAIMS[name], RECORDS)
    assert judgement.fault is None
    assert judgement.verdict == CLAIMS[name]["verdict"], (
        "run: python -m bnlib.experiments.claims --write"
    )


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_measured_by_an_experiment_or_says_why_it_is_not_tested(name):
    claim = CLAIMS[name]
    tested = "for" in claim or "against" in claim
    assert tested == bool(claims.experiments(claim)) == ("measured" in claim)
    assert tested != ("why" in claim)
    assert tested or claim["verdict"] == "not tested"
    assert set(claims.experiments(claim)) <= set(EXPERIMENTS)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_has_all_its_parts(name):
    claim = CLAIMS[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert claim["claim"].endswith(".")
    assert claim["verdict"] in VERDICTS
    assert claim["sources"]
    known = {
        *("id", "claim", "sources", "contested_by", "chapter", "for", "against"),
        *("measured", "note", "why", "verdict"),
    }
    assert set(claim) <= known


def test_no_claim_stands_twice_in_the_ledger():
    ledger = load()
    assert len({claim["id"] for claim in ledger}) == len(ledger)
    assert len({claim["claim"] for claim in ledger}) == len(ledger)


@pytest.mark.parametrize("name", CLAIMS)
def test_every_source_is_in_the_bibliography(name):
    claim = CLAIMS[name]
    assert {*map(key, claim["sources"] + claim.get("contested_by", []))} <= SOURCES


@pytest.mark.parametrize("article", STATEMENTS)
def test_every_statement_of_an_article_leads_to_a_claim_or_says_why_not(article):
    for statement in STATEMENTS[article]:
        assert set(statement) in ({"at", "says", "claims"}, {"at", "says", "because"})
        assert set(statement.get("claims", [])) <= set(CLAIMS), statement["says"]
        assert statement.get("claims", True)
        assert statement.get("because", True)


@pytest.mark.parametrize("article", STATEMENTS)
def test_an_article_is_named_by_just_the_claims_that_its_statements_lead_to(article):
    reached = {
        name
        for statement in STATEMENTS[article]
        for name in statement.get("claims", [])
    }
    assert said_by(article) == reached


def test_five_articles_are_read_whole():
    assert set(STATEMENTS) == {
        "deeplizard",
        "opengenus",
        "topiccard",
        "pythonai",
        "tds",
    }
    assert all(len(statements) >= 20 for statements in STATEMENTS.values())


@pytest.mark.parametrize("paper", PAPERS)
def test_a_claim_of_a_paper_names_its_section(paper):
    sources = [s for c in CLAIMS.values() for s in c["sources"] if key(s) == paper]
    assert len(sources) >= 10
    assert all(re.fullmatch(r"\w+ \d(\.\d)*", source) for source in sources)


# ---- The chapters ----


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_tags_only_claims_that_exist(path):
    assert tags(path) <= set(CLAIMS)


@pytest.mark.parametrize("number", sorted({c["chapter"] for c in CLAIMS.values()}))
def test_the_chapter_that_treats_a_claim_is_there(number):
    assert any(path.stem.startswith(f"{number:02}_") for path in CHAPTERS)


# ---- The page ----


@pytest.fixture(scope="module")
def page(site):
    """Return the page of the claims."""
    return parsed(site / "reference" / "claims.html")


@pytest.mark.parametrize("name", CLAIMS)
def test_a_row_shows_its_verdict_and_leads_to_the_chapter_and_back(page, site, name):
    row = page.find("tr", id=f"claim-{name}")
    assert (
        row.select_one(".verdict").text.split(maxsplit=1)[1] == CLAIMS[name]["verdict"]
    )
    places = [
        a["href"] for a in row.select("td:last-child a") if "chapters/" in a["href"]
    ]
    assert places
    for place in places:
        address, anchor = place.split("#")
        target = parsed((site / "reference" / address).resolve())
        back = target.find(id=anchor)
        links = [back] if back.name == "a" else back.find_all("a")
        assert f"../reference/claims.html#claim-{name}" in [
            a.get("href") for a in links
        ]


@pytest.mark.parametrize("name", CLAIMS)
def test_two_clicks_lead_from_a_claim_to_the_numbers_of_every_seed(page, site, name):
    row = page.find("tr", id=f"claim-{name}")
    files = [a["href"] for a in row.find_all("a") if a["href"].endswith(".json")]
    assert len(files) == len(claims.experiments(CLAIMS[name]))
    for file in files:
        record = json.loads((site / "reference" / file).read_text(encoding="utf-8"))
        assert record["runs"]


def test_every_number_on_the_page_is_filled_in(page):
    assert not re.search(r"\{|\}|\bnan\b", page.find("article").get_text())


def test_the_counts_at_the_top_are_those_of_the_ledger(page):
    counts = page.select_one(".claims-count").get_text(" ")
    for name in VERDICTS:
        number = sum(claim["verdict"] == name for claim in CLAIMS.values())
        assert re.search(rf"{name} +{number}\b", counts)


def test_the_page_of_experiments_shows_every_record(site):
    page = parsed(site / "reference" / "experiments.html")
    for name in EXPERIMENTS:
        section = page.find(id=f"experiment-{name}")
        assert f"python -m bnlib.experiments {name}" in section.get_text()
        assert section.find("a", href=f"../results/{name}.json")


def open_claims(browser, address, **options):
    """Return the page of the claims in a browser."""
    page = browser.new_page(**options)
    page.goto(f"{address}/reference/claims.html", wait_until="networkidle")
    return page


def test_the_table_is_whole_without_a_script(browser, address):
    page = open_claims(browser, address, java_script_enabled=False)
    assert page.locator("table.claims-table tbody tr:visible").count() == len(CLAIMS)


def test_the_table_can_be_filtered_by_verdict_by_source_and_by_words(browser, address):
    page = open_claims(browser, address)
    rows = page.locator("table.claims-table tbody tr:visible")
    page.get_by_label("Verdict").select_option("not tested")
    untested = {n for n, c in CLAIMS.items() if c["verdict"] == "not tested"}
    assert {r.get_attribute("id") for r in rows.all()} == {
        f"claim-{n}" for n in untested
    }
    page.get_by_label("Said by").select_option("said-by-pythonai")
    assert rows.count() == len(untested & said_by("pythonai"))
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Words").fill("moving variance")
    assert 0 < rows.count() < 10
    assert f"{rows.count()} of {len(CLAIMS)}" in page.get_by_role("status").inner_text()


def test_the_table_can_be_sorted_by_keyboard(browser, address):
    page = open_claims(browser, address)
    table = page.locator("table.claims-table")
    heading = table.get_by_role("columnheader", name="Verdict")
    for direction in ("ascending", "descending"):
        heading.get_by_role("button").press("Enter")
        assert heading.get_attribute("aria-sort") == direction
        shown = page.locator("table.claims-table tbody .verdict").all_inner_texts()
        order = [VERDICTS.index(text.split(maxsplit=1)[1]) for text in shown]
        assert order == sorted(order, reverse=direction == "descending")


def test_a_row_is_a_card_on_a_phone(browser, address):
    page = open_claims(browser, address, viewport={"width": 375, "height": 812})
    row = page.locator("table.claims-table tbody tr").first
    tops = [cell.bounding_box()["y"] for cell in row.locator("td").all()]
    assert tops == sorted(tops)
    assert len(set(tops)) == 5


# ---- The rules ----

TOY = {"toy": [{"a": 1.0, "b": 3.0}, {"a": 2.0, "b": 2.5}, {"a": 3.0, "b": 9.0}]}
YES, NO = "every seed: toy/a > 0", "every seed: toy/a > 9"


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ({"for": [YES], "against": [NO]}, "true"),
        ({"for": [YES]}, "true"),
        ({"for": ["every seed: toy/a - toy/a < 1e-9"]}, "exact"),
        ({"for": ["every seed: toy/a - toy/a = 0", YES]}, "true"),
        ({"for": [YES], "against": [YES]}, "conditional"),
        ({"for": [YES], "against": [YES], "contested_by": ["x"]}, "contested"),
        ({"for": [NO], "against": [YES]}, "false"),
        ({"against": [YES]}, "false"),
        ({"for": [NO], "against": [NO]}, "contested"),
        ({"for": [YES, NO], "against": [YES, NO]}, "contested"),
        ({}, "not tested"),
    ],
)
def test_a_verdict_follows_from_the_conditions_for_and_against(claim, expected):
    assert verdict(claim, TOY) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("every seed: toy/a < 3", False),
        ("2 in 3 seeds: toy/a < 3", True),
        ("3 in 3 seeds: toy/a < 3", False),
        ("median: toy/a < 3", True),
        ("median: toy/a < 2", False),
        # the mean is 2, its standard error 0.577
        ("1 standard errors: toy/a < 2.6", True),
        ("2 standard errors: toy/a < 2.6", False),
        ("1 standard errors: toy/a > 1.4", True),
        ("2 standard errors: toy/a > 1.4", False),
        ("every seed: toy/b - toy/a > 0.4", True),
        ("every seed: toy/b - toy/a > 0.6", False),
        ("every seed: toy/b / toy/a > 1.2", True),
        ("every seed: toy/b / toy/a > 1.3", False),
    ],
)
def test_a_condition_holds_as_often_as_it_says(line, expected):
    assert holds(parse(line), TOY) is expected


def test_a_number_that_was_never_reached_is_larger_than_any():
    records = {"toy": [{"none": None, "with": 20}]}
    assert holds(parse("every seed: toy/none / toy/with > 100"), records)
    assert measured({"measured": "{toy/none:.0f}"}, records) == "never"


def test_what_was_never_reached_twice_supports_nothing():
    records = {"toy": [{"none": None, "with": None}]}
    for relation in "<>":
        assert not holds(
            parse(f"every seed: toy/none - toy/with {relation} 0"), records
        )


def test_a_record_with_other_numbers_gives_another_verdict():
    claim = {
        "for": ["every seed: toy/b - toy/a > 0.4"],
        "against": ["every seed: toy/b - toy/a < 0"],
    }
    assert verdict(claim, TOY) == "true"
    turned = {"toy": [{"a": run["b"], "b": run["a"]} for run in TOY["toy"]]}
    assert verdict(claim, turned) == "false"


@pytest.mark.parametrize(
    "line",
    [
        "toy/a > 0",
        "every seed: toy/a >= 0",
        "some seeds: toy/a > 0",
        "every seed: toy/a",
    ],
)
def test_a_condition_that_does_not_parse_is_shown_with_what_is_allowed(line):
    with pytest.raises(ValueError, match=r"a condition reads .* Received: '"):
        parse(line)


@pytest.mark.parametrize("path", ["toy/c", "toy/a/0", "toy", "toy/list", "toy/list/7"])
def test_a_path_that_leads_to_no_number_is_named(path):
    records = {"toy": [{"a": 1.0, "list": [1, 2]}]}
    with pytest.raises(LookupError, match=re.escape(path)):
        measure(path, records)


def test_a_claim_whose_record_is_missing_names_the_record_and_the_command():
    claim = {"id": "x", "for": ["every seed: nonsense/a > 0"]}
    fault = judge(claim, Records()).fault
    assert fault == (
        "x: nonsense.json is not there: record it with python -m bnlib.experiments nonsense"
    )


def test_the_command_corrects_verdicts_and_touches_nothing_else():
    text = LEDGER.read_text(encoding="utf-8")
    changed = corrected(text, dict.fromkeys(CLAIMS, "true"))
    differing = [
        (old, new)
        for old, new in zip(text.splitlines(), changed.splitlines(), strict=True)
        if old != new
    ]
    assert {new for _, new in differing} == {'  verdict: "true"'}
    assert all(old.startswith("  verdict:") for old, _ in differing)
