"""Laws by hand find the law that made their points; the counting model gives probabilities, and its curve is a law."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course import laws, power_laws, sweeps
from course.data import task

positive = st.floats(0.05, 20)


@given(A=positive, alpha=st.floats(-2, 2), x1=positive, factor=st.floats(1.1, 1000))
def test_two_points_give_the_exponent_that_made_them(A, alpha, x1, factor):
    x2 = factor * x1
    found = power_laws.two_point_exponent(x1, A * x1**-alpha, x2, A * x2**-alpha)
    assert found == pytest.approx(alpha, abs=1e-9)


@given(A=positive, alpha=st.floats(0.05, 2), times=st.floats(1.01, 10))
def test_the_price_brings_the_loss_down_by_the_factor(A, alpha, times):
    more = power_laws.times_more(alpha, times)
    assert A * (7 * more) ** -alpha * times == pytest.approx(A * 7**-alpha)


@given(A=positive, alpha=st.floats(-2, 2))
def test_a_line_finds_an_exact_law(A, alpha):
    x = np.array([1.0, 3, 4, 20, 500])
    assert power_laws.fit_line(x, A * x**-alpha) == (pytest.approx(A), pytest.approx(alpha, abs=1e-9))


def test_the_line_agrees_with_the_package_fit_on_quiet_points():
    rng = np.random.default_rng(0)
    x = 100 * 2.0 ** np.arange(8)
    y = 5 * x**-0.2 * np.exp(0.002 * rng.normal(size=8))
    A, alpha = power_laws.fit_line(x, y)
    fit = laws.fit_power(x, y)
    assert (A, alpha) == (pytest.approx(fit.params["A"], rel=1e-3), pytest.approx(fit.params["alpha"], rel=1e-3))
    assert power_laws.r_squared(y, A * x**-alpha) > 0.999


@given(E=st.floats(0, 5), first=positive, alpha=st.floats(0.1, 2), factor=st.floats(1.5, 10))
def test_three_points_give_the_floor_that_made_them(E, first, alpha, factor):
    y = E + first * factor ** (-alpha * np.arange(3.0))
    assert power_laws.floor_from_three(*y) == pytest.approx(E, abs=1e-6 * (E + first) / (1 - factor**-alpha) ** 2)


def test_skill_is_one_for_the_truth_none_for_no_change_and_negative_for_worse():
    assert power_laws.skill(1.5, 1.5, 2.0) == 1
    assert power_laws.skill(2.0, 1.5, 2.0) == 0
    assert power_laws.skill(2.5, 1.5, 2.0) < 0
    over, under = 1.5 * 1.1, 1.5 / 1.1
    assert power_laws.skill(over, 1.5, 2.0) == pytest.approx(power_laws.skill(under, 1.5, 2.0))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: power_laws.two_point_exponent(1, 2, 1, 3), "same x"),
        (lambda: power_laws.two_point_exponent(1, -2, 2, 3), "y1 must be positive"),
        (lambda: power_laws.times_more(0), "alpha must be positive"),
        (lambda: power_laws.fit_line([1, 1], [2, 3]), "two different x"),
        (lambda: power_laws.fit_line([1, 2, 3], [2, 3]), "as many x as y"),
        (lambda: power_laws.floor_from_three(3, 2, 1), "less and less"),
        (lambda: power_laws.skill(1, 2, 2), "nothing changed"),
        (lambda: power_laws.compute_equivalent([1, 2], [2, 1], 3), "never has"),
        (lambda: power_laws.compute_equivalent([1, 2], [1, 2], 1.5), "falling losses"),
    ],
)
def test_bad_input_gets_a_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# --- the counting model ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def characters():
    return task("characters")


@pytest.mark.parametrize("memory", [0, 1, 3, 8])
def test_probabilities_of_all_characters_sum_to_one(characters, memory):
    model = power_laws.CountingModel(characters, 3_000, memory)
    windows = characters.validation[0][::1500]
    total = sum(
        model.probabilities(windows, np.full(len(windows), character)) for character in range(characters.outputs)
    )
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_it_counts_what_it_was_shown(characters):
    ids = np.array([1, 2, 1, 3, 1, 2, 1, 2], dtype=np.uint8)  # after 1: 2 three times, 3 once; after 2: 1
    shown = dataclasses.replace(characters, inputs=(1,), outputs=4, train={"text": ids})
    model = power_laws.CountingModel(shown, 7, memory=1)
    p0 = (3 + 3 / 4) / (7 + 3)  # of 2 without context: seen 3 of 7, 3 kinds, uniform 1/4
    assert model.probabilities([[1]], [2])[0] == pytest.approx((3 + 2 * p0) / (4 + 2))
    assert model.probabilities([[0]], [2])[0] == pytest.approx(p0)  # a context never seen
    assert model.entries == 3 + 4  # characters; pairs (1, 2), (1, 3), (2, 1), (3, 1)


def test_without_learning_much_it_is_near_uniform_and_more_text_helps(characters):
    few, many = (power_laws.CountingModel(characters, n, 6).loss(characters) for n in (1, 20_000))
    assert many < 2.3 < few < math.log(98) + 0.5


def test_it_completes_a_word(characters):
    model = power_laws.CountingModel(characters, 200_000, 6)
    assert model.guess("    retur")[0][0] == "n"
    with pytest.raises(ValueError, match="memory of 6"):
        model.guess("ab")


def test_it_refuses_what_it_cannot_do(characters):
    with pytest.raises(ValueError, match="windows of the task"):
        power_laws.CountingModel(characters, 10, 9)
    with pytest.raises(ValueError, match="places to learn from"):
        power_laws.CountingModel(characters, 10**9, 2)


def test_its_learning_curve_is_a_law_that_another_seed_repeats(characters):
    sizes = 1600 * 2 ** np.arange(5)
    curve = power_laws.learning_curve(characters, sizes, memory=6, seeds=2)
    assert curve.shape == (5, 2)
    exponents = [power_laws.fit_line(sizes, one)[1] for one in curve.T]
    assert np.ptp(exponents) < 0.02
    assert 0.09 < np.mean(exponents) < 0.12
    assert np.ptp(curve, axis=1).min() > 0  # seeds do differ


# --- recorded sweeps and published numbers --------------------------------------------------------


def test_best_by_budget_takes_the_best_mean_over_seeds_and_leaves_diverged_runs_out():
    rows = [
        (1e9, 10, 5.0, 2.0, False),
        (1e9, 10, 5.0, 2.2, False),
        (1e9, 20, 3.0, 1.0, True),
        (1e9, 30, 2.0, 2.0, False),
        (1e9, 30, 2.0, 2.4, False),
        (1e8, 10, 1.0, 3.0, False),
    ]
    best = power_laws.best_by_budget(pd.DataFrame(rows, columns=["budget", "n_params", "tokens", "loss", "diverged"]))
    assert list(best["budget"]) == [1e8, 1e9]
    assert list(best["n_params"]) == [10, 10]
    assert tuple(best.iloc[1][["loss", "low", "high"]]) == pytest.approx((2.1, 2.0, 2.2))


def test_recorded_best_losses_fall_with_the_budget():
    for name in ("characters", "bytes"):
        best = power_laws.best_by_budget(sweeps.reference(name))
        assert (np.diff(best["loss"]) < 0).all()


def test_size_share_is_what_the_two_terms_say():
    law = {"E": 1.0, "A": 8.0, "alpha": 0.5, "B": 4.0, "beta": 0.5}
    # size falls from 8/2 to 8/4, data from 4/1 to 4/4
    assert power_laws.size_share(law, (4, 1), (16, 16)) == pytest.approx(2 / (2 + 3))
    assert power_laws.size_share(law, (4, 1), (16, 1)) == 1
    many = {name: np.array([value, value]) for name, value in law.items()}
    assert power_laws.size_share(many, (4, 1), (16, 16)).shape == (2,)


def test_the_floor_s_interval_holds_the_floor_and_grows_with_the_errors():
    y = 1.0 + 0.8 * 0.5 ** np.arange(3)
    widths = []
    for error in (0.001, 0.01):
        low, high = power_laws.floor_interval(y, [error] * 3)
        assert low < 1 < high
        widths.append(high - low)
    assert 5 < widths[1] / widths[0] < 20
    with pytest.raises(ValueError, match="less and less"):
        power_laws.floor_interval(y, [1.0] * 3)


def sweep(bent: float = 0.0) -> pd.DataFrame:
    """A sweep of five budgets and three seeds on the surface 1.2 + 15 N^-0.4 + 100 D^-0.45; `bent` lifts the last budget."""
    rng, rows = np.random.default_rng(0), []
    budgets = np.geomspace(1e10, 1e13, 5)
    for budget in budgets:
        for n in np.round(20_000 * (budget / 1e10) ** 0.5 * 2.0 ** np.arange(-2, 3)):
            tokens = budget / 6 / n
            for seed in (0, 1, 2):
                loss = (1.2 + 15 * n**-0.4 + 100 * tokens**-0.45) * (1 + 0.0005 * rng.normal())
                rows.append((budget, n, tokens, seed, loss * (1 + bent * (budget == budgets[-1])), False))
    return pd.DataFrame(rows, columns=["budget", "n_params", "tokens", "seed", "loss", "diverged"])


def test_fall_by_size_finds_the_share_of_the_surface():
    runs = sweep()
    fall = power_laws.fall_by_size(runs, bootstrap=40)
    best = power_laws.best_by_budget(runs)
    ends = [tuple(best.iloc[i][["n_params", "tokens"]]) for i in (0, -1)]
    truth = power_laws.size_share({"A": 15, "alpha": 0.4, "B": 100, "beta": 0.45}, *ends)
    assert fall.share == pytest.approx(truth, abs=0.02)
    assert fall.low < fall.share < fall.high
    assert (fall.start, fall.end) == (best["loss"].iloc[0], best["loss"].iloc[-1])
    held = int(runs["n_params"].iloc[0])
    with pytest.raises(ValueError, match="no two runs"):
        fall.size_held(runs, held + 1)
    twice = pd.concat([runs, runs[runs["n_params"] == held].assign(tokens=lambda t: 8 * t["tokens"], loss=1.9)])
    tokens, measured, by_law = fall.size_held(twice, held)
    assert tokens == pytest.approx(8 * runs["tokens"].iloc[0])
    assert 0 < by_law < 1
    way = fall.start - fall.end
    assert measured == pytest.approx((runs[runs["n_params"] == held]["loss"].mean() - 1.9) / way)


def test_worst_forecast_is_small_on_a_law_and_says_how_far_a_bend_is_off():
    straight, bent = power_laws.worst_forecast(sweep(), 4), power_laws.worst_forecast(sweep(0.1), 4)
    assert straight < 2
    assert bent == pytest.approx(100 * 0.1 / 1.1, abs=2)
    with pytest.raises(ValueError, match="`known` must be"):
        power_laws.worst_forecast(sweep(), 5)


def test_wasted_compute_is_one_against_itself_and_finds_a_factor():
    runs = sweep()
    np.testing.assert_allclose(power_laws.wasted_compute(runs, runs), 1)
    dear = power_laws.wasted_compute(runs, runs.assign(budget=3 * runs["budget"]))
    np.testing.assert_allclose(dear, 3)


def test_compute_equivalent_reads_a_power_law_between_its_points():
    flops = np.array([1e9, 1e10, 1e12])
    assert power_laws.compute_equivalent(flops, flops**-0.1, 3e10**-0.1) == pytest.approx(3e10)


def test_published_exponents_have_a_source_and_a_sensible_size():
    for one in power_laws.PUBLISHED:
        assert one.source
        assert 0.01 < one.alpha < 1
        assert 1990 <= one.year <= 2026
    kaplan = [one for one in power_laws.PUBLISHED if one.who.startswith("Kaplan")]
    assert {one.alpha for one in kaplan} == {0.076, 0.095, 0.050}
    assert not any(one.floor for one in kaplan)
