"""Specification of `bnlib.experiments`, and the proof that each record is what the code says."""

import json
import linecache
import sys

import numpy as np
import pytest

from bnlib import experiments
from bnlib.datasets import Split
from bnlib.experiments import EXPERIMENTS, Experiment
from bnlib.experiments.__main__ import main
from bnlib.experiments.code import code_hash
from bnlib.experiments.common import network, schedule, steps_to, streams, train
from bnlib.experiments.data import LOADERS, describe, load_data
from bnlib.experiments.record import (
    FOLDER,
    DamagedRecordError,
    how_to_make,
    load,
    plain,
    provenance,
    record,
)
from bnlib.experiments.summary import paired, spread, stack

RECORDS = sorted({*EXPERIMENTS, *(path.stem for path in FOLDER.glob("*.json"))})


def name_and_data(stem):
    """Return what a record's file name says."""
    name, _, data = stem.partition("-")
    return name, data or EXPERIMENTS[name].data


def test_every_record_belongs_to_an_experiment():
    for path in FOLDER.glob("*.json"):
        name, data = name_and_data(path.stem)
        assert name in EXPERIMENTS
        assert data in LOADERS


@pytest.mark.parametrize("stem", RECORDS)
def test_a_record_is_there_and_as_it_was_written(stem):
    try:
        load(stem)
    except (FileNotFoundError, DamagedRecordError) as error:
        pytest.fail(str(error))


@pytest.mark.parametrize("stem", RECORDS)
def test_a_record_was_made_by_the_code_that_is_here(stem):
    now = provenance(name_and_data(stem)[0])
    assert {key: load(stem)[key] for key in now} == now, (
        f"the code of {stem} has changed: {how_to_make(stem)}"
    )


@pytest.mark.parametrize("stem", RECORDS)
def test_a_record_has_all_its_seeds_and_says_what_it_was_made_with(stem):
    content, (name, data) = load(stem), name_and_data(stem)
    assert len(content["runs"]) >= EXPERIMENTS[name].seeds, how_to_make(stem)
    assert all("cpu_seconds" in run for run in content["runs"].values())
    assert {"python", "numpy"} <= set(content["versions"])
    assert content["data"]["name"] == data
    if data != "synthetic":
        assert {"name", "train", "test", "sha256"} == set(content["data"])


@pytest.mark.parametrize("stem", RECORDS)
def test_a_record_was_made_on_the_digits_that_are_here(stem):
    if name_and_data(stem)[1] == "digits":
        assert load(stem)["data"] == describe("digits"), how_to_make(stem)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_listed_with_five_seeds_or_more(name):
    assert EXPERIMENTS[name].seeds >= 5
    assert EXPERIMENTS[name].data in LOADERS
    assert EXPERIMENTS[name].minutes > 0
    assert list(EXPERIMENTS) == sorted(EXPERIMENTS)


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
    monkeypatch.setitem(EXPERIMENTS, "toy", Experiment("synthetic", 5, 1, "Why?"))
    monkeypatch.delitem(sys.modules, "bnlib.experiments.toy", raising=False)
    yield path
    sys.modules.pop("bnlib.experiments.toy", None)


def record_toy(folder, seeds, data=None):
    """Record the toy; return which seeds really ran."""
    sys.modules.pop("bnlib.experiments.toy", None)
    list(record("toy", seeds=seeds, data=data, folder=folder))
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
    assert {path.name for path in tmp_path.glob("toy.*")} == {"toy.json", "toy.py"}


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


@pytest.mark.parametrize(
    "line",
    ["from bnlib import losses", "from bnlib.losses import np", "import bnlib.losses"],
)
def test_the_hash_follows_imports_within_bnlib(toy, line):
    before = code_hash("bnlib.experiments.toy")
    toy.write_text(f"{line}\n{TOY}", encoding="utf-8")
    linecache.clearcache()
    sys.modules.pop("bnlib.experiments.toy")
    assert code_hash("bnlib.experiments.toy") != before


def test_a_record_that_is_begun_anew_sets_the_old_one_aside(toy, tmp_path):
    record_toy(tmp_path, range(3))
    old = (tmp_path / "toy.json").read_text(encoding="utf-8")
    toy.write_text(TOY.replace("factor=2", "factor=3"), encoding="utf-8")
    linecache.clearcache()
    assert record_toy(tmp_path, range(1)) == [0]
    assert (tmp_path / "toy.old").read_text(encoding="utf-8") == old
    assert set(load("toy", folder=tmp_path)["runs"]) == {"0"}


def test_other_data_have_a_record_of_their_own(toy, tmp_path):
    record_toy(tmp_path, range(2))
    assert record_toy(tmp_path, range(1), "digits") == [0]
    assert set(load("toy", folder=tmp_path)["runs"]) == {"0", "1"}
    assert load("toy-digits", folder=tmp_path)["data"]["train"] == 1297


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"value": 2', '"value": 3'),
        ('"factor": 2', '"factor": 3'),
        ('"digest"', '"other"'),
        ("{", "["),
        ('"runs"', '"runs'),
    ],
    ids=["result", "setting", "no digest", "no record", "no JSON"],
)
def test_a_record_that_was_edited_is_refused_by_name_and_made_again(
    toy, tmp_path, old, new
):
    record_toy(tmp_path, range(2))
    path = tmp_path / "toy.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8"
    )
    with pytest.raises(DamagedRecordError, match=r"toy\.json .* python -m .* toy$"):
        load("toy", folder=tmp_path)
    assert record_toy(tmp_path, range(2)) == [0, 1]


def test_a_record_is_json_that_any_reader_can_read(toy, tmp_path):
    toy.write_text(
        TOY.replace("factor * seed", "[[1, float('nan')], [seed]]"), encoding="utf-8"
    )
    record_toy(tmp_path, range(1))

    def refuse(constant):
        raise AssertionError(constant)

    text = (tmp_path / "toy.json").read_text(encoding="utf-8")
    content = json.loads(text, parse_constant=refuse)
    assert content["runs"]["0"]["value"] == [[1, None], [0]]
    assert "[1, null]" in text


def test_a_result_that_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="Received: set"):
        plain({"value": {1, 2}})


def test_each_seed_splits_the_digits_anew_and_publishers_split_once(monkeypatch):
    first, again, other = (load_data("digits", seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.y_test, again.y_test)
    assert (first.y_test != other.y_test).any()
    assert load_data("synthetic", seed=0) is None


def test_the_data_set_is_recorded_by_its_size_and_checksum(monkeypatch):
    rng = np.random.default_rng(0)
    split = Split(
        rng.normal(size=(3, 2)), np.arange(3), rng.normal(size=(2, 2)), np.arange(2)
    )
    other = split._replace(x_test=split.x_test + 1)
    monkeypatch.setitem(LOADERS, "first", lambda seed: split)
    monkeypatch.setitem(LOADERS, "other", lambda seed: other)
    assert describe("first")["train"] == 3
    assert describe("first")["sha256"] != describe("other")["sha256"]


def small_split():
    """Return two classes of points that a line can tell apart."""
    x = np.random.default_rng(0).normal(size=(80, 2)).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    return Split(x[:60], y[:60], x[60:], y[60:])


def train_small(learning_rate, **options):
    """Train a small network on them."""
    split = small_split()
    model = network(split, [4], seed=1, **options)
    return train(
        model,
        split,
        steps=40,
        seed=1,
        learning_rate=learning_rate,
        batch_size=16,
        evaluate_at=[0, 20, 40],
    )


def test_training_is_measured_at_the_steps_asked_for_and_learns():
    curve = train_small(0.5)
    assert curve["steps"] == [0, 20, 40]
    assert curve["accuracy"][-1] >= 0.9
    assert curve["loss"][-1] < curve["loss"][0]
    assert not curve["diverged"]


def test_training_is_the_same_for_the_same_seed():
    assert train_small(0.5) == train_small(0.5)


@pytest.mark.parametrize("batchnorm", [None, "before"])
def test_a_run_that_diverges_counts_as_chance(batchnorm):
    curve = train_small(1e38, batchnorm=batchnorm)
    assert curve["diverged"]
    assert curve["accuracy"][1:] == [0.5, 0.5]
    assert curve["loss"][1:] == [None, None]


def test_arms_start_from_the_same_kernels_whatever_stands_between():
    split = small_split()
    first, second = (
        network(split, [4, 3], seed=2, batchnorm=place) for place in (None, "before")
    )
    kernels = [
        [layer.params["kernel"] for layer in model.layers if "kernel" in layer.params]
        for model in (first, second)
    ]
    for one, other in zip(*kernels, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_schedule_is_denser_at_the_start_and_ends_with_the_last_step():
    steps = schedule(5000, 30)
    assert steps[0] == 1
    assert steps[-1] == 5000
    assert np.all(np.diff(steps) > 0)
    assert np.diff(steps)[-1] > 100 * np.diff(steps)[0]


def test_the_streams_of_a_seed_are_apart_and_those_of_two_seeds_too():
    draws = [stream.random() for seed in (0, 1) for stream in streams(seed)]
    assert len(set(draws)) == len(draws)


def test_a_step_that_is_never_reached_is_none_and_stacks_as_infinity():
    curves = [
        {"steps": [1, 2], "accuracy": [0.1, 0.5]},
        {"steps": [1, 2], "accuracy": [0.1, 0.2]},
    ]
    runs = [{"to": steps_to(curve, 0.5)} for curve in curves]
    np.testing.assert_array_equal(stack(runs, "to", missing=np.inf), [2, np.inf])


def test_a_spread_and_a_paired_difference_are_taken_over_the_seeds():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 1, (5, 3)), rng.normal(0, 2, (5, 3))
    np.testing.assert_array_equal(spread(first).median, np.median(first, axis=0))
    assert np.all(spread(first).low <= spread(first).high)
    difference = paired(first, second)
    np.testing.assert_allclose(difference.mean, (first - second).mean(axis=0))
    np.testing.assert_allclose(
        difference.standard_error**2, (first - second).var(axis=0) * 5 / 4 / 5
    )
    assert np.all(difference.wins + difference.ties + difference.losses == 5)


@pytest.mark.parametrize("second", [[1.0], [[1.0], [2.0]]])
def test_a_paired_difference_needs_the_same_seeds_in_both(second):
    with pytest.raises(ValueError, match="Received: shapes"):
        paired([1.0, 2.0], second)


def test_the_command_lists_the_experiments_with_time_and_state(capsys):
    assert main([]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    for line in lines:
        assert any(state in line for state in ("current", "stale", "none", "damaged"))


@pytest.fixture
def toy_results(toy, tmp_path, monkeypatch):
    """Let the command write the toy's record into a folder of its own."""
    for function in (record, load):
        monkeypatch.setitem(function.__kwdefaults__, "folder", tmp_path)
    return tmp_path


def test_the_list_says_whether_a_record_is_current(toy, toy_results, capsys):
    def state():
        main([])
        return capsys.readouterr().out.splitlines()[-1].split()[1:6]

    assert state() == ["synthetic", "5", "about", "1", "none"]
    assert main(["toy", "--seeds", "2"]) == 0
    assert state()[1:4] == ["2", "0.0", "current"]
    toy.write_text(TOY.replace("factor * seed", "factor + seed"), encoding="utf-8")
    linecache.clearcache()
    sys.modules.pop("bnlib.experiments.toy")
    assert state()[3] == "stale"
    (toy_results / "toy.json").write_text("{", encoding="utf-8")
    assert state()[-1] == "damaged"


def test_a_run_that_is_interrupted_says_so(toy, toy_results, capsys):
    assert main(["toy"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert set(load("toy")["runs"]) == {"0", "1", "2"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nonsense"], "nonsense"),
        (["fashion_mnist", "--seeds", "-1"], "--seeds"),
        (["fashion_mnist", "--seeds", "0"], "--seeds"),
        (["fashion_mnist", "--seeds", "many"], "--seeds"),
        (["fashion_mnist", "--data", "x"], "--data"),
        (["toy", "--data", "digits"], "makes its own data"),
    ],
)
def test_the_command_refuses_bad_input_in_one_line(toy, arguments, named, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line


def test_missing_data_is_told_in_one_sentence(monkeypatch, capsys):
    def missing(seed):
        raise FileNotFoundError("fashion_mnist is not there: do this")

    monkeypatch.setitem(LOADERS, "fashion_mnist", missing)
    assert main(["fashion_mnist"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == "fashion_mnist is not there: do this. Or add: --data digits"
