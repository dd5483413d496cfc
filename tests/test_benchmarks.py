"""Specification of `benchmarks`: who plays when, what a ratio is, which goal is met. No timing."""

import doctest
import importlib
import json
import math
import platform
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

from benchmarks import figures, goals, least, peers, report
from benchmarks.memory import peak
from benchmarks.passes import CASES, PASSES, SHAPES, row
from benchmarks.roofline import MOVES, build_roofline
from benchmarks.timing import (
    Contestant,
    installed,
    one_blas_thread,
    ratio,
    rotated,
    run_rounds,
    summary,
)

ROOT = Path(__file__).parents[1]


class Clock:
    """A clock that only the contestants move on."""

    def __init__(self):
        self.now, self.played = 0.0, []

    def __call__(self):
        """Return the time."""
        return self.now

    def contestant(self, name, *seconds):
        """Return a contestant that takes these seconds, one after the other."""
        remaining = iter(seconds)

        def call():
            self.played.append(name)
            self.now += next(remaining)

        return call


def batch(shape=(6, 3), dtype="float64"):
    return peers.make_batch(shape, dtype, rng=np.random.default_rng(0))


def test_each_round_starts_with_another_contestant():
    clock = Clock()
    calls = {name: clock.contestant(name, *[1] * 6) for name in "abc"}
    run_rounds(calls, 3, clock=clock)
    assert clock.played == list("aabbccbbccaaccaabb")


def test_every_order_comes_around_again():
    assert rotated([1, 2, 3], 3) == rotated([1, 2, 3], 0) == [1, 2, 3]


def test_a_time_is_that_of_one_call_however_often_a_turn_repeats_it():
    clock = Clock()
    calls = {  # the first call of each turn is not timed
        "quick": clock.contestant("quick", 50, 1, 3, 60, 2, 4),
        "slow": clock.contestant("slow", 70, 7, 80, 9),
    }
    times = run_rounds(calls, 2, {"quick": 2}, clock=clock)
    np.testing.assert_array_equal(times["quick"], [2, 3])
    np.testing.assert_array_equal(times["slow"], [7, 9])


def test_a_summary_holds_the_median_and_the_middle_half():
    assert summary(np.array([5.0, 1.0, 2.0, 4.0, 3.0])) == {
        "median": 3, "p25": 2, "p75": 4, "min": 1, "rounds": 5,
    }  # fmt: skip


def test_a_slow_round_of_the_machine_divides_out_of_a_ratio():
    fast = np.array([1.0, 1.0, 50.0])
    measured = ratio(2 * fast, fast)
    assert measured == {"median": 2, "p25": 2, "p75": 2, "minima": 2}


def test_a_ratio_is_the_median_within_rounds_and_beside_it_that_of_the_best_rounds():
    measured = ratio(np.array([2.0, 6.0, 12.0]), np.array([2.0, 2.0, 3.0]))
    assert measured == {"median": 3, "p25": 2, "p75": 3.5, "minima": 1}


def test_a_contestant_plays_only_where_all_that_it_needs_is_installed():
    here = Contestant("here", None, ("numpy", "bnlib.blocks"))
    away = Contestant("away", None, ("numpy", "no_such_module"))
    deeper = Contestant("deeper", None, ("no_such_module.inside",))
    present, missing = installed([here, away, deeper])
    assert [c.name for c in present] == ["here"]
    assert [c.name for c in missing] == ["away", "deeper"]


def test_the_linear_algebra_has_one_thread_while_it_is_timed():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with one_blas_thread():
        pools = threadpoolctl.threadpool_info()
    assert all(p["num_threads"] == 1 for p in pools if p["user_api"] == "blas")


@pytest.mark.parametrize(
    ("slow", "met", "missed"), [(30.0, True, 0), (20.0, True, 0), (16.0, False, 0.25)]
)
def test_a_least_ratio_is_met_from_its_bound_up(slow, met, missed):
    goal = goals.Goal("peer", "bnlib", least=10)
    times = {"peer": np.array([slow]), "bnlib": np.array([2.0])}
    (verdict,) = goals.judge([goal], (32, 100), times)
    assert verdict["met"] is met
    assert verdict["missed"] == pytest.approx(missed)


@pytest.mark.parametrize(
    ("slow", "met", "missed"), [(1.0, True, 0), (4.0, True, 0), (5.0, False, 0.25)]
)
def test_a_most_ratio_is_met_up_to_its_bound(slow, met, missed):
    goal = goals.Goal("bnlib", "roofline", most=2)
    times = {"bnlib": np.array([slow]), "roofline": np.array([2.0])}
    (verdict,) = goals.judge([goal], (32, 100), times)
    assert verdict["met"] is met
    assert verdict["missed"] == pytest.approx(missed)


def test_the_median_decides_and_the_minima_are_told():
    goal = goals.Goal("peer", "bnlib", least=2)
    times = {"peer": np.array([4.0, 9.0, 9.0]), "bnlib": np.array([2.0, 9.0, 9.0])}
    (verdict,) = goals.judge([goal], (32, 100), times)
    assert (verdict["met"], verdict["met_by_minima"]) == (False, True)
    assert report.goal_line(verdict).endswith("NOT MET, by 100 %, met by the minima")


@pytest.mark.parametrize(("least_takes", "in_reach"), [(1.0, True), (3.0, False)])
def test_a_goal_that_is_missed_is_in_reach_if_the_least_of_numpy_meets_it(
    least_takes, in_reach
):
    goal = goals.Goal("peer", "bnlib", least=5)
    times = {name: np.array([t]) for name, t in (("peer", 10.0), ("bnlib", 4.0))}
    times[least.NAME] = np.array([least_takes])
    (verdict,) = goals.judge([goal], (32, 100), times)
    assert (verdict["in_reach"], verdict["numpy_least"]) == (in_reach, 10 / least_takes)
    reach = "in" if in_reach else "out of"
    assert f"; {reach} reach for NumPy" in report.goal_line(verdict)


def test_a_goal_that_is_met_or_not_of_bnlib_says_nothing_of_reach():
    times = {name: np.array([1.0]) for name in ("peer", "bnlib", "other", least.NAME)}
    met = goals.Goal("peer", "bnlib", least=1)
    others = goals.Goal("peer", "other", least=2)
    for verdict in goals.judge([met, others], (32, 100), times):
        assert "in_reach" not in verdict


def test_a_goal_whose_peer_is_missing_is_not_judged():
    assert goals.judge(goals.TRAINING, (32, 784), {"bnlib": np.ones(3)}) == []


def test_a_goal_speaks_of_its_own_shapes_only():
    def names(shape):
        return [str(goal) for goal in goals.PASSES if goal.where(shape)]

    assert "Keras / bnlib >= 10" in names((60, 100))
    assert "PyTorch / bnlib >= 1.5" in names((128, 256))
    assert "Keras / bnlib >= 6" in names((128, 256))
    assert "bnlib / roofline <= 3" in names((512, 1024))
    assert "bnlib / roofline <= 2.2" in names((32, 28, 28, 64))
    assert "bnlib / roofline <= 2.2" not in names((65536, 32))
    assert "staged / bnlib >= 4" not in names((128, 256))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_has_one_goal_against_each_framework(shape):
    for peer in ("Keras", "PyTorch"):
        spoken = [
            g for g in goals.PASSES if g.where(shape) and {g.slow, g.fast} == {"bnlib", peer}
        ]  # fmt: skip
        assert len(spoken) == 1


def test_every_goal_names_contestants_that_there_are():
    names = {contestant.name for contestant in PASSES}
    assert all({goal.slow, goal.fast} <= names for goal in goals.PASSES)
    assert len(CASES) == 2 * len(SHAPES)


@pytest.mark.parametrize("shape", [(6, 3), (4, 2, 2, 3)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_textbook_versions_compute_what_the_library_computes(shape, dtype):
    work = batch(shape, dtype)
    names = ("bnlib", "staged", "closed form")
    calls = {c.name: c.build(work) for c in PASSES if c.name in names}
    peers.check_agreement(calls, tolerance=1e-5)
    assert all(np.asarray(call()[1]).dtype == dtype for call in calls.values())


def test_a_contestant_with_other_numbers_is_refused_by_name():
    calls = {"bnlib": lambda: [np.ones(2)], "wrong": lambda: [np.array([1, 1.1])]}
    with pytest.raises(ValueError, match="wrong must compute what bnlib computes"):
        peers.check_agreement(calls)


def test_a_nan_is_other_numbers():
    calls = {"bnlib": lambda: [np.ones(2)], "wrong": lambda: [np.array([1, np.nan])]}
    with pytest.raises(ValueError, match="wrong"):
        peers.check_agreement(calls)


def test_a_batch_lies_away_from_the_identity():
    drawn = batch((1000, 4))
    assert abs(drawn.x.mean()) > 1
    assert (drawn.gamma != 1).all()
    assert (drawn.beta != 0).all()


def test_the_roofline_without_numba_moves_as_many_bytes(monkeypatch):
    copies = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(np, "copyto", lambda to, of: copies.append((to.size, of.size)))
    build_roofline(batch())()
    assert sum(map(sum, copies)) == MOVES * 6 * 3


def test_the_roofline_makes_its_results_anew_only_where_it_is_asked_to(monkeypatch):
    work, made = batch(), []
    runs = [build_roofline(work), build_roofline(work, anew=True)]
    empty = np.empty_like
    monkeypatch.setattr(np, "empty_like", lambda x: made.append(x) or empty(x))
    for run, times in zip(runs, (0, 2), strict=True):
        run()
        assert len(made) == times


@pytest.mark.parametrize("shape", [(6, 3), (60, 100), (4, 2, 2, 3)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_least_that_numpy_can_do_is_batch_normalization(shape, dtype, monkeypatch):
    monkeypatch.setattr(least, "BLOCK", 1000)
    for contestants in (PASSES, peers.INFERENCE):
        work = batch(shape, dtype)
        names = ("bnlib", least.NAME)
        calls = {c.name: c.build(work) for c in contestants if c.name in names}
        peers.check_agreement(calls, tolerance=1e-4)


def test_the_least_of_a_training_step_is_its_matrix_products(monkeypatch):
    class Matrix(np.ndarray):
        """An array that notes its products."""

        def __matmul__(self, other):
            shapes.append((*self.shape, *other.shape))

    shapes = []
    real = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Drawn(real(seed)))

    class Drawn:
        """Draws such arrays."""

        def __init__(self, rng):
            self.rng = rng

        def normal(self, size):
            return self.rng.normal(size=size).view(Matrix)

    least.build_products([5, 4, 3], 2)()
    assert sorted(shapes) == sorted(
        [(2, 5, 5, 4), (2, 4, 4, 3), (5, 2, 2, 4), (4, 2, 2, 3), (2, 3, 3, 4)]
    )


def test_the_peak_counts_what_is_held_at_once_and_not_what_was():
    def one_after_the_other():
        for _ in range(3):
            np.empty(1_000_000, np.uint8)

    def both():
        return np.empty(1_000_000, np.uint8), np.empty(1_000_000, np.uint8)

    assert peak(one_after_the_other) == pytest.approx(1e6, rel=0.01)
    assert peak(both) == pytest.approx(2e6, rel=0.01)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_large_array_costs_no_new_pages_where_freed_memory_is_kept():
    code = """if True:
        import numpy as np, resource
        from benchmarks import pages

        def faults():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            np.ones(2**23)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        faults()
        print(faults(), pages.keep(), faults(), faults())
    """
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    anew, is_kept, _, again = run.stdout.split()
    assert is_kept == "True"
    assert int(again) <= int(anew) / 4  # no system counts less than none


def made_row(shape, dtype="float32"):
    """Return a row in which a contestant takes a nanosecond an element for its place in line."""
    seconds = math.prod(shape) * 1e-9 * np.ones(3)
    times = {name: (i + 1) * seconds for i, name in enumerate(figures.STYLES)}
    return row(shape, dtype, times, goals.PASSES)


def test_the_summary_names_each_goal_that_is_not_met(capsys):
    made = made_row((512, 1024))
    report.print_row(made)
    report.print_summary({"passes": [made]})
    *_, tail = capsys.readouterr().out.partition("goals are met")
    unmet = [verdict for verdict in made["goals"] if not verdict["met"]]
    assert unmet
    assert all(report.goal_line(verdict) in tail for verdict in unmet)
    assert tail.count("NOT MET") == len(unmet)


def test_the_record_keeps_the_machine_and_four_digits(tmp_path):
    path = tmp_path / "new" / "record.json"
    report.write_record(path, {"cores": 2}, {"passes": [{"a": 0.123456, "b": (1,)}]})
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "machine": {"cores": 2},
        "tables": {"passes": [{"a": 0.1235, "b": [1]}]},
    }
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


def test_the_figures_show_the_numbers_of_the_record(tmp_path):
    import matplotlib.pyplot as plt

    made = [made_row((32, 64)), made_row((512, 64))]
    with plt.rc_context():
        files = figures.draw({"sizes": made, "passes": made}, tmp_path)
        assert all(file.stat().st_size for file in files)
        fig, ax = plt.subplots()
        figures.plot_time(made, ax)
        np.testing.assert_allclose(ax.lines[1].get_ydata(), [2, 2])
        plt.close(fig)
    # 8 arrays of 4 bytes an element in 1 ns an element: 32 GB/s
    assert figures.bandwidth(made[0], "bnlib") == pytest.approx(32)


def test_a_wrong_command_gets_one_clear_line():
    command = [sys.executable, "-m", "benchmarks", "--only", "nonsense"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2
    assert "invalid choice: 'nonsense'" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["timing", "report", "machine"])
def test_the_examples_in_the_docstrings_hold(name):
    module = importlib.import_module(f"benchmarks.{name}")
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
