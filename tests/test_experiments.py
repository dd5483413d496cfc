"""Specification of `bnlib.experiments`, and the proof that each record is what the code says."""

import linecache
import sys

import numpy as np
import pytest

from bnlib import experiments
from bnlib.datasets import Split
from bnlib.experiments import EXPERIMENTS
from bnlib.experiments.__main__ import main
from bnlib.experiments.record import DATA, FOLDER, code_hash, describe, load, record


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_record_was_made_by_the_code_that_is_here(name):
    assert load(name)["code"] == code_hash(f"bnlib.experiments.{name}"), (
        f"the code of {name} has changed: record it again with python -m bnlib.experiments {name}"
    )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_record_has_five_seeds_or_more_and_says_what_it_was_made_with(name):
    content = load(name)
    assert len(content["runs"]) >= 5
    assert {"experiment", "settings", "data", "versions"} <= set(content)
    assert {"name", "train", "test", "sha256"} == set(content["data"])
    assert content["data"]["name"] == EXPERIMENTS[name][0]


def test_every_record_belongs_to_an_experiment():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(EXPERIMENTS)


TOY = """
\"\"\"A toy.\"\"\"

RAN = []


def run(data, *, seed, factor=2):
    RAN.append(seed)
    if seed == 3:
        raise KeyboardInterrupt
    return {"value": factor * seed}
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Return the file of an experiment that takes no time, importable by its name."""
    path = tmp_path / "toy.py"
    path.write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "bnlib.experiments.toy", raising=False)
    yield path
    sys.modules.pop("bnlib.experiments.toy", None)


def record_toy(folder, seeds):
    """Record the toy on the digits; return which seeds really ran."""
    sys.modules.pop("bnlib.experiments.toy", None)
    list(record("toy", seeds=seeds, data="digits", folder=folder))
    return sys.modules["bnlib.experiments.toy"].RAN


def test_a_seed_that_is_recorded_is_not_run_again(toy, tmp_path):
    assert record_toy(tmp_path, range(2)) == [0, 1]
    assert record_toy(tmp_path, range(3)) == [2]
    runs = load("toy", folder=tmp_path)["runs"]
    assert {seed: run["value"] for seed, run in runs.items()} == {
        "0": 0,
        "1": 2,
        "2": 4,
    }


def test_an_interruption_loses_nothing_that_was_recorded(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        record_toy(tmp_path, range(5))
    assert set(load("toy", folder=tmp_path)["runs"]) == {"0", "1", "2"}
    assert sorted(path.name for path in tmp_path.glob("toy.*")) == [
        "toy.json",
        "toy.py",
    ]


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("A toy", "Another sentence about it", []),
        ("    RAN", "    # a comment\n    RAN", []),
        ("factor * seed", "factor + seed", [0, 1]),
        ("factor=2", "factor=3", [0, 1]),
    ],
    ids=["docstring", "comment", "code", "setting"],
)
def test_a_changed_code_runs_all_seeds_again_and_a_changed_comment_none(
    toy, tmp_path, old, new, again
):
    record_toy(tmp_path, range(2))
    toy.write_text(TOY.replace(old, new), encoding="utf-8")
    linecache.clearcache()
    assert record_toy(tmp_path, range(2)) == again


def test_the_hash_is_the_same_in_every_version_of_python(toy):
    assert code_hash("bnlib.experiments.toy") == "27ba7db85c4eb46b"


def test_the_hash_follows_imports_within_bnlib(toy):
    before = code_hash("bnlib.experiments.toy")
    toy.write_text("from bnlib import losses\n" + TOY, encoding="utf-8")
    linecache.clearcache()
    sys.modules.pop("bnlib.experiments.toy")
    assert code_hash("bnlib.experiments.toy") != before


def test_the_data_set_is_recorded_by_its_size_and_checksum():
    rng = np.random.default_rng(0)
    split = Split(
        rng.normal(size=(3, 2)), np.arange(3), rng.normal(size=(2, 2)), np.arange(2)
    )
    other = split._replace(x_test=split.x_test + 1)
    assert describe(split)["train"] == 3
    assert describe(split)["sha256"] != describe(other)["sha256"]


def test_the_command_lists_the_experiments(capsys):
    assert main([]) == 0
    assert all(name in capsys.readouterr().out for name in EXPERIMENTS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["fashion_mnist", "--seeds", "-1"],
        ["fashion_mnist", "--data", "x"],
    ],
)
def test_a_wrong_command_gets_one_clear_line(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "error: argument" in capsys.readouterr().err.splitlines()[-1]


def test_missing_data_is_told_in_one_sentence(monkeypatch, capsys):
    def missing():
        raise FileNotFoundError("fashion_mnist is not there: do this")

    monkeypatch.setitem(DATA, "fashion_mnist", missing)
    assert main(["fashion_mnist"]) == 1
    assert capsys.readouterr().err.endswith("fashion_mnist is not there: do this\n")


def test_the_arms_of_a_seed_start_from_the_same_kernels():
    pytest.importorskip("keras")
    from bnlib.experiments.fashion_mnist import PLACES, build_model

    starts = []
    for place in PLACES:
        model = build_model((28, 28), batchnorm=place, seed=1)
        starts.append(
            [w.numpy() for w in model.trainable_variables if w.name == "kernel"]
        )
    for plain, before, after in zip(*starts, strict=True):
        np.testing.assert_array_equal(plain, before)
        np.testing.assert_array_equal(plain, after)
