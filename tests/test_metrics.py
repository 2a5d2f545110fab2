"""Measures and their intervals: held to scikit-learn, to closed forms, and by simulation to what they promise."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from course import metrics


@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_scipys(n, share, level):
    right = round(share * n)
    expected = stats.binomtest(right, n).proportion_ci(level, method="wilson")
    assert metrics.wilson(right, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("n", "p"), [(20, 0.95), (100, 0.5), (400, 0.99)])
def test_wilson_covers_what_it_promises(n, p):
    right = np.arange(n + 1)
    low, high = metrics.wilson(right, n)
    covered = stats.binom.pmf(right, n, p)[(low <= p) & (p <= high)].sum()
    assert 0.92 < covered < 0.985


def test_wilson_never_gives_an_empty_interval_at_the_edge():
    low, high = metrics.wilson([0, 50], 50)
    assert low[0] == 0 and 0.05 < high[0] < 0.1
    assert high[1] == 1 and low[1] == pytest.approx(1 - high[0])


@pytest.mark.parametrize(("right", "n"), [(3, 0), (-1, 4), (5, 4)])
def test_wilson_refuses_impossible_counts(right, n):
    with pytest.raises(ValueError, match="right <= n"):
        metrics.wilson(right, n)


labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(labels)
def test_the_table_gives_scikit_learns_measures(pairs):
    y, predicted = map(np.array, zip(*pairs, strict=True))
    table = metrics.confusion(y, predicted, 4)
    assert np.array_equal(table, sk.confusion_matrix(y, predicted, labels=range(4)))
    found = metrics.from_confusion(table)
    expected = sk.precision_recall_fscore_support(y, predicted, labels=range(4), average="macro", zero_division=0)
    assert [found["precision"], found["recall"], found["F1"]] == pytest.approx(expected[:3])
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, predicted))


def test_many_tables_at_once():
    tables = np.random.default_rng(0).integers(0, 9, (5, 2, 3, 3))
    found = metrics.from_confusion(tables)
    assert found["F1"].shape == (5, 2)
    assert found["F1"][3, 1] == pytest.approx(metrics.from_confusion(tables[3, 1])["F1"])


def world(rng, n):
    """Two classes, a model that is right with probability 0.8 or 0.6, and what it said with which confidence."""
    y = (rng.random(n) < 0.4).astype(int)
    right = rng.random(n) < np.where(y == 1, 0.6, 0.8)
    probability = np.clip(np.where(right, y, 1 - y) * 0.5 + 0.25 + 0.2 * rng.normal(size=n), 0.02, 0.98)
    return y, np.where(right, y, 1 - y), probability


def f1(y, predicted):
    return metrics.from_confusion(metrics.confusion(y, predicted, 2))["F1"]


def log_loss(y, p):
    return -np.mean(np.where(y == 1, np.log(p), np.log(1 - p)))


@pytest.mark.parametrize("name", ["F1", "log loss"])
def test_the_bootstraps_interval_covers_what_it_promises(name):
    rng, covered, repeats = np.random.default_rng(1), 0, 150
    metric, column = {"F1": (f1, 1), "log loss": (log_loss, 2)}[name]
    big = world(np.random.default_rng(2), 400_000)
    truth = metric(big[0], big[column])
    for i in range(repeats):
        sample = world(rng, 120)
        low, high = metrics.bootstrap(metric, sample[0], sample[column], resamples=150, seed=i)
        covered += low <= truth <= high
    assert 0.88 <= covered / repeats <= 0.99


def test_the_bootstrap_agrees_with_scipys():
    y, _, p = world(np.random.default_rng(3), 200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = stats.bootstrap(
            (y, p), log_loss, paired=True, vectorized=False, n_resamples=2000, method="percentile", random_state=0
        ).confidence_interval
    found = metrics.bootstrap(log_loss, y, p, resamples=2000)
    assert found == pytest.approx(tuple(expected), abs=0.01)
    assert found == metrics.bootstrap(log_loss, y, p, resamples=2000)


def test_the_bootstrap_refuses_columns_of_different_lengths():
    with pytest.raises(ValueError, match="same number of rows"):
        metrics.bootstrap(log_loss, [0, 1, 1], [0.5, 0.5])


def test_a_paired_interval_is_narrower_where_models_share_their_errors():
    rng = np.random.default_rng(4)
    first = rng.random(2000) < 0.9
    second = np.where(rng.random(2000) < 0.05, ~first, first)
    mean, low, high = metrics.paired_interval(first, second)
    assert mean == pytest.approx(second.mean() - first.mean())
    apart = 1.96 * np.sqrt(first.var() / 2000 + second.var() / 2000)
    assert (high - low) / 2 < 0.7 * apart
    with pytest.raises(ValueError, match="one length"):
        metrics.paired_interval([1, 0], [1, 0, 1])


def test_calibration_error_of_a_calibrated_model_and_of_one_that_is_too_sure():
    rng = np.random.default_rng(5)
    sure = rng.uniform(0.5, 1, 100_000)
    right = rng.random(100_000) < sure
    assert metrics.calibration_error(right, sure) < 0.01
    assert metrics.calibration_error(right, np.ones(100_000)) == pytest.approx(1 - right.mean())
    assert metrics.calibration_error(right, np.full(100_000, right.mean())) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="probability"):
        metrics.calibration_error([1, 0], [0.5, 1.5])


def test_calibration_error_is_the_curves_of_scikit_learn():
    from sklearn.calibration import calibration_curve

    rng = np.random.default_rng(6)
    sure = rng.uniform(0.05, 0.95, 900)
    right = rng.random(900) < sure**2
    true, said = calibration_curve(right, sure, n_bins=10)
    counts = np.histogram(sure, np.linspace(0, 1, 11))[0]
    assert metrics.calibration_error(right, sure, 10) == pytest.approx(np.sum(counts * np.abs(true - said)) / 900)


@pytest.mark.parametrize("length", [1, 3, 8])
def test_independent_items_give_p_to_the_length(length):
    right = np.random.default_rng(7).random(60_000) < 0.8
    share, low, high = metrics.exact_match(right, length)
    assert low < 0.8**length < high
    assert low < share < high


def test_items_that_fail_together_match_more_often_than_p_to_the_length():
    right = np.repeat(np.random.default_rng(8).random(2000) < 0.8, 10)
    share, *_ = metrics.exact_match(right, 5)
    assert share == pytest.approx(0.8, abs=0.03)
    shuffled, low, high = metrics.exact_match(right, 5, seed=0)
    assert low < right.mean() ** 5 < high and shuffled < share
    with pytest.raises(ValueError, match="do not make a string"):
        metrics.exact_match([1, 1], 3)


@given(st.floats(0.5, 20), st.floats(0.1, 1), st.integers(1, 50))
def test_half_size_solves_its_equation(a, alpha, length):
    n = metrics.half_size(a, alpha, length)
    assert (1 - a * n**-alpha) ** length == pytest.approx(0.5, rel=1e-6)


def test_half_size_moves_with_the_length():
    sizes = metrics.half_size(3.0, 0.3, [1, 5, 20])
    assert np.all(np.diff(sizes) > 0)
    with pytest.raises(ValueError, match="positive"):
        metrics.half_size(3.0, 0.3, 0)


def test_half_of_a_line_and_nothing_of_a_late_jump_is_done_halfway():
    sizes = np.geomspace(10, 1e5, 12)
    for values in (np.log(sizes), -np.log(sizes)):
        assert metrics.done_halfway(sizes, values) == pytest.approx(0.5)
    assert metrics.done_halfway(sizes, (sizes > 5e3).astype(float)) == 0
    assert metrics.done_halfway(sizes, 1 - sizes**-0.5) > 0.9
    with pytest.raises(ValueError, match="rising"):
        metrics.done_halfway(sizes[::-1], np.log(sizes))
