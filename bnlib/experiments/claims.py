"""The ledger: what is said about batch norm, and the verdict that the records give.

`results/claims.yml` holds the claims. Each has conditions `for` it and conditions `against` it, and
a condition is one line that a person and this module read alike:

    every seed: paper/batchnorm/accuracy/-1 - paper/none/accuracy/-1 > 0.02

How often; then a number that each seed's record holds, or the difference or ratio of two; then a
bound, which is the margin. The verdict follows from the conditions alone (`verdict`).
`python -m bnlib.experiments.claims` compares the ledger with the records, and corrects its verdicts
with `--write`.
"""

import argparse
import operator
import re
import sys
from typing import NamedTuple

import numpy as np

from bnlib.experiments.common import steps_to
from bnlib.experiments.record import FOLDER
from bnlib.experiments.summary import paired, runs_of, spread

LEDGER = FOLDER / "claims.yml"
ARTICLES = FOLDER / "articles.yml"
VERDICTS = ("exact", "true", "conditional", "false", "contested", "not tested")
IDENTITY = 1e-5  # a residual below this is what rounding leaves of zero
RELATIONS = {"<": operator.lt, ">": operator.gt, "=": operator.eq}
OPERATIONS = {"-": operator.sub, "/": operator.truediv}
# What may stand at the end of a path to a list, in place of a position; "at least 0.9" counts.
REDUCTIONS = {"max": np.max, "min": np.min, "mean": np.mean, "median": np.median}


class Condition(NamedTuple):
    """One line of a rule, parsed."""

    how_often: str  # "every seed", "9 in 10 seeds", "3 standard errors" or "median"
    quantity: str  # "path", "path - path" or "path / path"
    relation: str  # "<", ">" or "="
    bound: float


class Judgement(NamedTuple):
    """What the records say about a claim."""

    verdict: str | None  # None where the records lack a number
    measured: str  # a sentence
    held: dict  # whether each condition held, by its line
    fault: str | None  # which number is lacking


class Records(dict):
    """The runs of each experiment by its name, read when they are first asked for."""

    def __missing__(self, name):
        """Read the record."""
        self[name] = runs_of(name)
        return self[name]


def load(path=LEDGER):
    """Return the ledger, or the table of the articles' statements, as it was written."""
    import yaml  # only who reads the ledger needs it

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def verdict(claim, records):
    """Return what the records say about a claim.

    =================  ==================  =======================================================
    all `for` hold     all `against` hold  verdict
    =================  ==================  =======================================================
    yes                no                  true; exact, if each condition is an identity
    no                 yes                 false
    yes                yes                 conditional: it depends on what the conditions tell
                                           apart; contested, where sources dispute it
    no                 no                  contested: what was measured settles neither side
    no conditions                          not tested
    =================  ==================  =======================================================

    Parameters
    ----------
    claim : dict
        With `for` and `against`, lists of conditions, and `contested_by` where sources dispute it.
    records : dict
        The runs of each experiment, as `Records` reads them.

    Returns
    -------
    str
        One of `VERDICTS`.

    Examples
    --------
    >>> records = {"toy": [{"with": 0.9, "without": 0.7}, {"with": 0.8, "without": 0.7}]}
    >>> verdict({"for": ["every seed: toy/with - toy/without > 0.05"]}, records)
    'true'
    >>> verdict({"against": ["every seed: toy/without < 0.75"]}, records)
    'false'
    """
    supports, opposes = conditions(claim, "for"), conditions(claim, "against")
    if not supports and not opposes:
        return "not tested"
    supported = bool(supports) and all(holds(each, records) for each in supports)
    opposed = bool(opposes) and all(holds(each, records) for each in opposes)
    if supported and opposed:
        return "contested" if "contested_by" in claim else "conditional"
    if supported:
        return "exact" if all(map(is_identity, supports)) else "true"
    return "false" if opposed else "contested"


def conditions(claim, side):
    """Return the parsed conditions of one side, "for" or "against"."""
    return [parse(line) for line in claim.get(side, [])]


def parse(line):
    """Return a condition from its line.

    Examples
    --------
    >>> parse("3 standard errors: depth/relu/10 / depth/relu/20 > 2")
    Condition(how_often='3 standard errors', quantity='depth/relu/10 / depth/relu/20',
              relation='>', bound=2.0)
    """
    match = re.fullmatch(
        r"(every seed|median|\d+ in \d+ seeds|[\d.]+ standard errors): (.+) ([<>=]) (\S+)",
        line,
    )
    if match is None:
        raise ValueError(
            'a condition reads "every seed: path - path > bound"; in place of "every seed", '
            '"9 in 10 seeds", "3 standard errors" or "median". '
            f"Received: {line!r}"
        )
    how_often, quantity, relation, bound = match.groups()
    return Condition(how_often, quantity, relation, float(bound))


def is_identity(condition):
    """Tell whether a condition leaves nothing to measure but rounding."""
    small = condition.relation == "<" and condition.bound <= IDENTITY
    return condition.relation == "=" or small


def holds(condition, records):
    """Tell whether a condition holds in the records.

    Examples
    --------
    >>> records = {"toy": [{"loss": 0.2}, {"loss": 0.3}, {"loss": 0.4}]}
    >>> [holds(parse(f"{how_often}: toy/loss < 0.35"), records)
    ...  for how_often in ("every seed", "2 in 3 seeds", "1 standard errors", "median")]
    [False, True, False, True]
    """
    values = measure(condition.quantity, records)
    compare = RELATIONS[condition.relation]
    if condition.how_often == "median":
        return bool(compare(np.median(values), condition.bound))
    if condition.how_often.endswith("standard errors"):
        error = values.std(ddof=1) / np.sqrt(len(values))
        margin = float(condition.how_often.split()[0]) * error
        worst = values.mean() + (margin if condition.relation == "<" else -margin)
        return bool(compare(worst, condition.bound))
    share = compare(values, condition.bound).mean()
    if condition.how_often == "every seed":
        return bool(share == 1)
    enough, total = re.findall(r"\d+", condition.how_often)
    return bool(share >= int(enough) / int(total))


def measure(quantity, records):
    """Return a quantity of every seed.

    Parameters
    ----------
    quantity : str
        `EXPERIMENT/key/...` leads to a number in each seed's result. The key of a list is a
        position, one of `REDUCTIONS` or "at least 0.9", which counts. Of a curve, which has its
        `steps`, "steps to 0.9" is the first at which the accuracy is that high, and "loss at 300"
        the loss at the last step measured up to there; "highest minus loss" subtracts two lists.
        None, never reached, counts as infinity.
        Two such paths with ` - ` or ` / ` between them are a difference or a ratio.
    records : dict

    Returns
    -------
    ndarray of shape (seeds,)

    Examples
    --------
    >>> records = {"toy": [{"steps": [1, 10, 100], "accuracy": [0.1, 0.8, 0.95]}]}
    >>> [float(measure(f"toy/{end}", records)[0]) for end in
    ...  ("accuracy/max", "accuracy/at least 0.5", "accuracy at 20", "steps to 0.9")]
    [0.95, 2.0, 0.8, 100.0]
    >>> float(measure("toy/steps to 0.9 / toy/steps to 0.8", records)[0])
    10.0
    """
    first, sign, second = split(quantity)
    values = np.array([_follow(first, run) for run in _runs(first, records)])
    if sign is None:
        return values
    others = np.array([_follow(second, run) for run in _runs(second, records)])
    if len(values) != len(others):
        raise ValueError(
            f"{quantity} needs the same seeds on both sides. "
            f"Received: {len(values)} and {len(others)}"
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        return OPERATIONS[sign](values, others)


def split(quantity):
    """Return a quantity's first path, its sign and its second path, or None for the last two."""
    first, *rest = re.split(r" ([-/]) ", quantity)
    return (first, *rest) if rest else (first, None, None)


def measured(claim, records):
    """Return the sentence of what was measured, its numbers taken from the records.

    `{path:.2f}` becomes the median with the range over the seeds, `{path - path:.2f}` the mean
    paired difference with its standard error and the count of seeds above, at and below zero, and
    `{largest path:.0e}` the greatest over the seeds.

    Examples
    --------
    >>> records = {"toy": [{"with": 0.9, "without": 0.7}, {"with": 0.9, "without": 0.7}]}
    >>> measured({"measured": "{toy/with:.1f} against {toy/without:.1f}"}, records)
    '0.9 against 0.7'
    >>> measured({"measured": "{toy/with - toy/without:.2f}"}, records)
    '+0.20 (SE 0.00), 2/0/0'
    """
    return re.sub(
        r"\{([^{}:]*/[^{}:]*):([^{}]+)\}",
        lambda match: _write_number(*match.groups(), records),
        claim.get("measured", ""),
    )


def experiments(claim):
    """Return the names of the experiments that a claim's rule or sentence draws on, in order."""
    quantities = [
        each.quantity for side in ("for", "against") for each in conditions(claim, side)
    ]
    quantities += re.findall(
        r"\{(?:largest )?([^{}:]*/[^{}:]*):", claim.get("measured", "")
    )
    paths = [path for quantity in quantities for path in split(quantity)[::2] if path]
    return list(dict.fromkeys(path.split("/")[0] for path in paths))


def corrected(text, verdicts):
    """Return the ledger's text with each claim's verdict replaced, and nothing else.

    Examples
    --------
    >>> print(corrected("- id: a\\n  verdict: true\\n", {"a": "false"}), end="")
    - id: a
      verdict: "false"
    """
    lines, claim = text.splitlines(keepends=True), None
    for number, line in enumerate(lines):
        if match := re.match(r"- id: (\S+)", line):
            claim = match.group(1)
        elif line.startswith("  verdict:"):
            lines[number] = f'  verdict: "{verdicts[claim]}"\n'
    return "".join(lines)


def judge(claim, records):
    """Return all that the records say about a claim; what they lack is its fault.

    Parameters
    ----------
    claim : dict
    records : dict

    Returns
    -------
    Judgement
    """
    try:
        held = {
            line: holds(parse(line), records)
            for line in [*claim.get("for", []), *claim.get("against", [])]
        }
        return Judgement(verdict(claim, records), measured(claim, records), held, None)
    except (LookupError, ValueError, FileNotFoundError) as error:
        fault = error.args[0] if isinstance(error, LookupError) else str(error)
        return Judgement(None, "", {}, f"{claim['id']}: {fault}")


def main(arguments=None):
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bnlib.experiments.claims",
        description="Compare the verdicts of the ledger with what the records say.",
    )
    parser.add_argument("--write", action="store_true", help="correct the ledger")
    write = parser.parse_args(arguments).write
    ledger, records = load(), Records()
    written = {claim["id"]: claim["verdict"] for claim in ledger}
    judged = {claim["id"]: judge(claim, records) for claim in ledger}
    verdicts = {name: judged[name].verdict or written[name] for name in written}
    for name, old in written.items():
        if judged[name].fault:
            print(judged[name].fault, file=sys.stderr)
        elif verdicts[name] != old:
            print(f"{name}: the ledger says {old}, the records {verdicts[name]}")
    if write and verdicts != written:
        text = LEDGER.read_text(encoding="utf-8")
        LEDGER.write_text(corrected(text, verdicts), encoding="utf-8")
    faults = sum(bool(each.fault) for each in judged.values())
    print(f"{len(ledger)} claims, {faults} without all of their numbers")
    return int(bool(faults) or (verdicts != written and not write))


def _runs(path, records):
    return records[path.split("/")[0]]


def _follow(path, run):
    """Return the number at the end of a path in one seed's result."""
    value = run
    for key in path.split("/")[1:]:
        try:
            if isinstance(value, dict):
                value = _of_dict(value, key)
            else:
                value = _of_list(np.array(_numbers(value), dtype=float), key)
        except (LookupError, TypeError, ValueError):
            raise LookupError(
                f"the record has nothing at {path}: no {key!r} in {_summary(value)}"
            ) from None
    if isinstance(value, dict | str) or np.ndim(value):
        raise LookupError(f"{path} must lead to a number. Received: {_summary(value)}")
    return float(_numbers(value))


def _of_dict(value, key):
    if key in value:
        return value[key]
    if key.startswith("steps to "):
        return steps_to(value, float(key.removeprefix("steps to ")))
    if " minus " in key:
        first, second = (_numbers(value[name]) for name in key.split(" minus "))
        return np.subtract(first, second)
    name, step = key.split(" at ")
    return value[name][np.searchsorted(value["steps"], float(step), side="right") - 1]


def _of_list(values, key):
    if key in REDUCTIONS:
        return REDUCTIONS[key](values)
    if key.startswith("at least "):
        return np.sum(values >= float(key.removeprefix("at least ")))
    return values[int(key)]


def _numbers(value):
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return np.inf if value is None else value


def _summary(value):
    return ", ".join(value) if isinstance(value, dict) else f"{value!r:.60}"


def _write_number(quantity, spec, records):
    largest = quantity.startswith("largest ")
    quantity = quantity.removeprefix("largest ")
    first, sign, second = split(quantity)
    if sign == "-":
        return format(paired(measure(first, records), measure(second, records)), spec)
    values = measure(quantity, records)
    if largest:
        return _write(values.max(), spec)
    median, low, high = (_write(value, spec) for value in spread(values))
    return median if low == high else f"{median} [{low}, {high}]"


def _write(value, spec):
    if value == 0 and spec.endswith("e"):
        return "0"
    return format(value, spec).replace("inf", "never")


if __name__ == "__main__":
    sys.exit(main())
