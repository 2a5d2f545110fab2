"""Linear models: exact losses against sampling, fits against other libraries, excess losses against theory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from course import linear, losses
from course.data import synthetic

TRUE = np.full(10, 2 / np.sqrt(10))


def hermite_mean(f, nodes=150):
    """Mean of f over a standard normal number, by Gauss-Hermite quadrature: another way than the package's."""
    z, weight = special.roots_hermitenorm(nodes)
    return f(z) @ weight / weight.sum()


# --- the floor ------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [0.0, 0.3, 1.0, 2.0])
def test_irreducible_loss_agrees_with_gauss_hermite(signal):
    def entropy(z):
        p = special.expit(signal * z)
        return special.entr(p) + special.entr(1 - p)

    assert linear.irreducible_loss(signal) == pytest.approx(hermite_mean(entropy), abs=1e-9)


@pytest.mark.parametrize("signal", [0.5, 2.0, 10.0, 60.0])
def test_floor_and_bayes_error_agree_with_sampling(signal):
    p = special.expit(signal * np.random.default_rng(0).standard_normal(400_000))
    entropy, wrong = special.entr(p) + special.entr(1 - p), np.minimum(p, 1 - p)
    for value, sample in ((linear.irreducible_loss(signal), entropy), (linear.bayes_error(signal), wrong)):
        assert abs(value - sample.mean()) < 4 * sample.std() / np.sqrt(len(p)) + 1e-12


def test_floor_without_signal_is_a_coin_and_falls_with_signal():
    assert linear.irreducible_loss(0.0) == pytest.approx(np.log(2), abs=1e-12)
    assert linear.bayes_error(0.0) == pytest.approx(0.5, abs=1e-12)
    grid = np.linspace(0, 50, 101)
    for values in (linear.irreducible_loss(grid), linear.bayes_error(grid)):
        assert values.shape == grid.shape and (np.diff(values) < 0).all() and (values > 0).all()


def test_mean_entropy():
    assert linear.mean_entropy([0.0, 1.0]) == 0
    assert linear.mean_entropy([0.5]) == pytest.approx(np.log(2))


# --- losses without a test set --------------------------------------------------------------------


def test_population_loss_agrees_with_a_large_test_set():
    rng = np.random.default_rng(1)
    fitted = TRUE + 0.4 * rng.standard_normal((3, 10))
    X, y = synthetic.logistic(400_000, TRUE, rng)
    for w, exact in zip(fitted, linear.population_loss(fitted, TRUE), strict=True):
        z = X @ w
        sample = np.logaddexp(0, z) - y * z
        assert abs(sample.mean() - exact) < 4 * sample.std() / np.sqrt(len(y))


@settings(max_examples=40)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_excess_is_never_negative_and_zero_only_at_the_truth(true, fitted):
    assert float(linear.excess_loss(true, true)) == pytest.approx(0, abs=1e-12)
    excess = float(linear.excess_loss(fitted, true))
    assert excess >= -1e-12
    if np.linalg.norm(np.subtract(true, fitted)) > 0.1:
        assert excess > 1e-5


def test_excess_near_the_truth_is_half_the_fisher_form():
    rng = np.random.default_rng(2)
    w, delta = rng.standard_normal(3), 1e-3 * rng.standard_normal(3)
    X = rng.standard_normal((400_000, 3))
    p = special.expit(X @ w)
    F = (X.T * (p * (1 - p))) @ X / len(X)
    assert float(linear.excess_loss(w + delta, w)) == pytest.approx(delta @ F @ delta / 2, rel=0.02)


# --- fits -----------------------------------------------------------------------------------------


def test_newton_step_uses_the_right_derivatives():
    rng = np.random.default_rng(3)
    X, y, w = rng.standard_normal((30, 4)), rng.integers(0, 2, 30), rng.standard_normal(4)
    columns = [
        losses.finite_difference_gradient(lambda v, j=j: losses.logistic_gradient(v, X, y)[j], w, 1e-5)
        for j in range(4)
    ]
    expected = w - np.linalg.solve(np.array(columns), losses.logistic_gradient(w, X, y))
    np.testing.assert_allclose(linear.newton_step(w, X, y), expected, rtol=1e-6)


def test_fit_logistic_finds_the_minimum_for_a_stack_of_data_sets():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((2, 3, 60, 3))
    y = rng.random((2, 3, 60)) < special.expit(X @ np.array([2.0, -1.0, 0.0]))
    fit = linear.fit_logistic(X, y)
    assert fit.weights.shape == (2, 3, 3) and not fit.separable.any() and "Converged" in fit.message
    for index in np.ndindex(2, 3):
        gradient = losses.logistic_gradient(fit.weights[index], X[index], y[index].astype(float))
        assert np.abs(gradient).max() < 1e-9
        other = optimize.minimize(
            lambda w, i=index: losses.binary_cross_entropy(X[i] @ w, y[i].astype(float)), np.zeros(3)
        )
        np.testing.assert_allclose(fit.weights[index], other.x, atol=2e-4)


def test_separable_data_are_named_and_give_nan_and_leave_the_others_alone():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((2, 40, 2))
    y = rng.integers(0, 2, size=(2, 40))
    y[0] = X[0] @ [1.0, 1.0] > 0
    fit = linear.fit_logistic(X, y)
    assert fit.separable.tolist() == [True, False]
    assert np.isnan(fit.weights[0]).all() and np.isfinite(fit.weights[1]).all()
    assert "1 of 2 data sets are separable" in fit.message
    alone = linear.fit_logistic(X[0], y[0])
    assert bool(alone.separable) and alone.message.startswith("The data are separable")
    assert linear.fit_logistic(X[0][:1], y[0][:1]).separable


def test_least_squares_agrees_with_lstsq():
    rng = np.random.default_rng(6)
    X, y = rng.standard_normal((4, 20, 3)), rng.standard_normal((4, 20))
    found = linear.fit_least_squares(X, y)
    for i in range(4):
        np.testing.assert_allclose(found[i], np.linalg.lstsq(X[i], y[i], rcond=None)[0], rtol=1e-9)


# --- the gates of lesson 4.3 ----------------------------------------------------------------------


@pytest.mark.parametrize(("n", "repeats"), [(1000, 500), (3000, 400), (10_000, 300), (30_000, 100), (100_000, 40)])
def test_logistic_excess_agrees_with_d_over_2n_over_two_decades(n, repeats):
    """d = 4, n/d from 250 to 25,000. A 99 % interval: five of 95 % would fail together one time in five."""
    true = np.full(4, 1.0)
    ratio = linear.draw_excess(n, true, repeats, np.random.default_rng(2)) / linear.predicted_excess(n, 4)
    _, low, high = linear.mean_interval(ratio, level=0.99)
    assert low < 1 < high and high - low < 0.8


def test_the_deviation_from_d_over_2n_shrinks_as_one_over_n():
    """Lesson 4.3 says: about 4 d/n for |w| = 2."""
    for n in (320, 800):
        ratio = linear.draw_excess(n, TRUE, 1500, np.random.default_rng(9)) / linear.predicted_excess(n, 10)
        mean, low, high = linear.mean_interval((ratio - 1) * n / 10)
        assert 2 < mean < 7 and low < 4.3 < high


def test_logistic_excess_is_larger_than_d_over_2n_for_few_samples():
    ratio = linear.draw_excess(80, TRUE, 300, np.random.default_rng(0)) / linear.predicted_excess(80, 10)
    assert linear.mean_interval(ratio)[1] > 1.4
    assert np.isnan(linear.draw_excess(25, TRUE, 100, np.random.default_rng(0))).mean() > 0.5


def test_twice_n_times_the_excess_is_chi_squared():
    from scipy import stats

    excess = linear.draw_excess(2000, TRUE[:4], 400, np.random.default_rng(7))
    assert stats.kstest(2 * 2000 * excess, stats.chi2(4).cdf).pvalue > 0.01


@pytest.mark.parametrize(("n", "repeats"), [(25, 8000), (100, 6000), (500, 4000), (2500, 3000)])
def test_least_squares_excess_within_3_percent_over_two_decades(n, repeats):
    true = np.array([1.0, 0.0, -1.0, 2.0, 0.5])
    found = linear.draw_excess(n, true, repeats, np.random.default_rng(n + 1), "least squares", sigma=2.0)
    assert abs(found.mean() / linear.predicted_excess(n, 5, "least squares", sigma=2.0) - 1) < 0.03


# --- small things ---------------------------------------------------------------------------------


def test_samples_needed_is_the_smallest_n():
    for excess, d, sigma in ((0.1, 10, 1.0), (0.033, 3, 2.5), (2.0, 20, 3.0)):
        n = linear.samples_needed(excess, d, sigma)
        assert linear.predicted_excess(n, d, "least squares", sigma) <= excess * (1 + 1e-12)
        assert n == d + 2 or linear.predicted_excess(n - 1, d, "least squares", sigma) > excess


@settings(max_examples=50)
@given(st.floats(0.05, 3), st.floats(0.01, 50), st.floats(0, 5), st.floats(1.5, 10))
def test_exponent_from_three_recovers_any_law(a, A, floor, ratio):
    law = floor + A * (10 * ratio ** np.arange(3)) ** -a
    if law[1] - law[2] > 1e-6 * law[0]:
        assert linear.exponent_from_three(law, ratio) == pytest.approx(a, rel=1e-4)


def test_slope_of_an_exact_law_and_its_interval():
    x = np.array([1.0, 10, 100, 1000])
    exact = linear.log_log_slope(x, 3 * x**-0.7)
    assert exact.slope == pytest.approx(-0.7) and exact.r_squared == pytest.approx(1) and "-0.700" in str(exact)
    rng, inside = np.random.default_rng(8), 0
    for _ in range(400):
        slope = linear.log_log_slope(x, x**-0.5 * np.exp(0.2 * rng.standard_normal(4)))
        inside += slope.low < -0.5 < slope.high
    assert 0.92 < inside / 400 < 0.98


def test_mean_interval_leaves_nan_out():
    mean, low, high = linear.mean_interval([1.0, 2.0, 3.0, np.nan])
    assert mean == 2 and low == pytest.approx(2 - 4.302653 / np.sqrt(3)) and high == pytest.approx(4 - low)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: linear.mean_entropy([1.2]), "between 0 and 1"),
        (lambda: linear.mean_entropy([]), "at least one"),
        (lambda: linear.irreducible_loss(-1), "signal"),
        (lambda: linear.bayes_error(np.nan), "signal"),
        (lambda: linear.population_loss([1.0, 2.0], [1.0]), "same d"),
        (lambda: linear.newton_step([0.0], [[1.0, 2.0]], [1]), "match X"),
        (lambda: linear.newton_step([0.0, 0.0], [[1.0, 2.0]], [1]), "singular"),
        (lambda: linear.fit_logistic([[1.0]], [2]), "0 or 1"),
        (lambda: linear.fit_logistic([[1.0], [2.0]], [[1], [0]]), "a label for each row"),
        (lambda: linear.fit_logistic([[np.nan]], [1]), "finite"),
        (lambda: linear.fit_logistic([[1.0], [2.0], [3.0]], [1, 0, 1], max_steps=1), "not converged"),
        (lambda: linear.fit_least_squares([[1.0, 2.0]], [1.0]), "at least d"),
        (lambda: linear.predicted_excess(0, 3), "at least 1"),
        (lambda: linear.predicted_excess(4, 3, "least squares"), "n > d"),
        (lambda: linear.predicted_excess(4, 3, "probit"), "kind"),
        (lambda: linear.samples_needed(0, 3), "positive"),
        (lambda: linear.exponent_from_three([3, 2, 0.5], 2), "more slowly"),
        (lambda: linear.exponent_from_three([3, 2], 2), "three"),
        (lambda: linear.log_log_slope([1, 2, 3], [1, 0, 1]), "positive"),
        (lambda: linear.log_log_slope([1, 2], [1, 2]), "at least 3"),
        (lambda: linear.mean_interval([1.0, np.nan]), "two values"),
    ],
)
def test_bad_input_gets_one_sentence(call, word):
    with pytest.raises(ValueError, match=word) as error:
        call()
    assert "\n" not in str(error.value)
