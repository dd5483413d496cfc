"""Print the tables, each goal beside what was measured, and keep the record."""

import json
import os

TITLES = {
    "passes": "One forward and one backward pass",
    "sizes": "The same against size, 64 features",
    "inference": "Inference, beside a copy of x",
    "memory": "Peak memory above the inputs, forward and backward",
    "training": "A training step of 784-300-200-100-10, batch 32",
    "epoch": "An epoch, batch 128",
    "coldstart": "A new Python, the import, the first batch norm",
    "kept": "The two passes where freed memory stays with the process",
}
UNITS = [(1.0, "s "), (1e-3, "ms"), (1e-6, "us")]


def print_machine(machine):
    """Print what the numbers are measured on."""
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    versions = ", ".join(f"{name} {v}" for name, v in machine["versions"].items())
    print(f"{machine['processor']}, {machine['cores']} cores; {caches}")
    print(f"load {machine['load']}; {versions}")
    print(f"roofline: {machine['roofline']}")


def print_title(name):
    """Print the heading of a table."""
    print(f"\n{TITLES[name]}\n{'=' * len(TITLES[name])}")


def print_row(row):
    """Print a case: each contestant with its spread, then the goals."""
    print(f"\n{case(row)}")
    base = row["values"]["bnlib"]["median"]
    width = max(map(len, row["values"]))
    for name, value in row["values"].items():
        middle, spread = _show(value, row["unit"])
        times = value["median"] / base
        print(f"  {name:<{width}}  {middle:>9}  {spread:<18}  {times:6.2f} x bnlib")
    for verdict in row["goals"]:
        print(f"  {goal_line(verdict)}")


def case(row):
    """Name a case by its shape and dtype.

    Examples
    --------
    >>> case({"shape": [32, 100], "dtype": "float32"})
    '32 x 100 float32'
    """
    return f"{' x '.join(map(str, row['shape']))} {row['dtype']}"


def goal_line(verdict):
    """Say a goal, the measured ratio with its spread, and whether it is met."""
    r = verdict["ratio"]
    spread = f"[{r['p25']:.2f}..{r['p75']:.2f}], of the minima {r['minima']:.2f}"
    return f"goal {verdict['goal']}: {r['median']:.2f} {spread}: {_said(verdict)}"


def print_summary(tables):
    """Print how many goals are met, and each that is not, by how much."""
    judged = [
        (name, row, verdict)
        for name, rows in tables.items()
        for row in rows
        for verdict in row["goals"]
    ]
    unmet = [entry for entry in judged if not entry[2]["met"]]
    beyond = sum(verdict.get("in_reach") is False for _, _, verdict in unmet)
    print(f"\n{len(judged) - len(unmet)} of {len(judged)} goals are met.")
    print(f"Of the others, {beyond} are out of reach for NumPy on this machine.")
    for name, row, verdict in unmet:
        print(f"  {name}, {case(row)}: {goal_line(verdict)}")


def write_record(path, machine, tables):
    """Write the record by way of a second file: an interruption leaves the old one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    content = json.dumps({"machine": machine, "tables": _rounded(tables)}, indent=1)
    temporary.write_text(content + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _said(verdict):
    if verdict["met"]:
        return "met"
    said = f"NOT MET, by {100 * verdict['missed']:.0f} %"
    if verdict["met_by_minima"]:
        said += ", met by the minima"
    if "numpy_least" in verdict:
        reach = "in" if verdict["in_reach"] else "out of"
        said += (
            f"; {reach} reach for NumPy, whose least has {verdict['numpy_least']:.2f}"
        )
    return said


def _show(value, unit):
    if unit == "bytes":
        return f"{value['median'] / 2**20:.1f} MiB", ""
    scale, name = next(
        (pair for pair in UNITS if value["median"] >= pair[0]), UNITS[-1]
    )
    low, high = value["p25"] / scale, value["p75"] / scale
    return f"{value['median'] / scale:.1f} {name}", f"[{low:.1f}..{high:.1f}]"


def _rounded(value):
    """Keep four digits of every number: no timing has more."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value
