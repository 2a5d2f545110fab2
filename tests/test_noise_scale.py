"""The gradient noise scale: the estimate meets the closed form, and the trade-off of steps and samples its law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course import noise_scale as ns

PROBLEM = ns.LeastSquares.power()


def measure(problem, small, large, repeats, seed=0, error=None):
    rng = np.random.default_rng(seed)
    return [(problem.gradients(rng, b, repeats, error) ** 2).sum(axis=1) for b in (small, large)]


def test_the_closed_form_is_the_covariance_of_drawn_gradients():
    gradients = PROBLEM.gradients(np.random.default_rng(1), 1, 400_000)
    drawn, exact = ns.per_sample_noise_scale(gradients), PROBLEM.noise()
    assert drawn.trace == pytest.approx(exact.trace, rel=0.02)
    assert drawn.gradient_squared == pytest.approx(exact.gradient_squared, rel=0.02)


@pytest.mark.parametrize("at", [1.0, 0.3])
def test_the_two_batch_estimate_meets_the_closed_form(at):
    error = at * PROBLEM.error
    found = ns.noise_scale(*measure(PROBLEM, 4, 32, 20_000, error=error), 4, 32, bootstrap=200)
    exact = PROBLEM.noise(error).scale
    assert found.scale == pytest.approx(exact, rel=0.06)
    assert found.interval[0] < found.scale < found.interval[1]


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    exact = PROBLEM.noise().scale
    hits = 0
    for seed in range(200):
        low, high = ns.noise_scale(*measure(PROBLEM, 4, 32, 150, seed), 4, 32, bootstrap=200, seed=seed).interval
        hits += low <= exact <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_the_mean_of_ratios_is_far_off_where_the_ratio_of_means_is_not():
    error, exact = 0.3 * PROBLEM.error, PROBLEM.noise(0.3 * PROBLEM.error).scale
    squares = measure(PROBLEM, 2, 8, 2000, error=error)
    assert ns.noise_scale(*squares, 2, 8).scale == pytest.approx(exact, rel=0.35)
    wrong = [ns.mean_of_ratios(*measure(PROBLEM, 2, 8, 2000, seed, error), 2, 8) for seed in range(5)]
    assert np.median(np.abs(np.array(wrong) / exact - 1)) > 0.5


@given(trace=st.floats(0.1, 100), gradient=st.floats(0.01, 10), small=st.integers(1, 50), factor=st.integers(2, 20))
def test_exact_lengths_give_the_exact_scale(trace, gradient, small, factor):
    large = small * factor
    found = ns.noise_scale([gradient + trace / small], [gradient + trace / large], small, large)
    assert found.trace == pytest.approx(trace, rel=1e-6)
    assert found.gradient_squared == pytest.approx(gradient, rel=1e-6)
    assert found.interval is None


def test_no_gradient_left_is_not_a_number_and_no_error():
    assert math.isnan(ns.noise_scale([1.0], [0.1], 1, 2).scale)
    found = ns.noise_scale([1.0, 0.9], [0.1, 0.6], 1, 2, bootstrap=50)
    assert found.interval[1] == math.inf


@pytest.mark.parametrize(("small", "large"), [(8, 8), (16, 4), (0, 4)])
def test_batches_out_of_order_are_refused(small, large):
    with pytest.raises(ValueError, match="small"):
        ns.noise_scale([1.0], [1.0], small, large)


def test_measurements_of_different_number_are_refused():
    with pytest.raises(ValueError, match=r"as many|broadcast"):
        ns.noise_scale([1.0, 2.0], [1.0], 1, 2)
    with pytest.raises(ValueError, match="shape"):
        ns.per_sample_noise_scale([[1.0, 2.0]])


# --- the path and the trade-off -------------------------------------------------------------------


@pytest.mark.parametrize("batch", [2, 16])
def test_the_expected_path_is_the_mean_of_runs(batch):
    found = PROBLEM.runs(np.random.default_rng(0), batch, 0.1, 40, 2000).mean(axis=1)
    assert found[0] == pytest.approx(PROBLEM.excess()) == pytest.approx(0.5)
    np.testing.assert_allclose(PROBLEM.path(batch, [0.1], 40)[:, 0], found, rtol=0.1)


def test_the_scale_along_a_run_is_that_of_runs_and_above_that_of_a_shrinking_error():
    batch, rate, steps = 16, 0.5, 40
    along = PROBLEM.scale_along(batch, rate, steps)
    assert along.shape == (steps + 1,)
    assert along[0] == pytest.approx(PROBLEM.noise().scale)
    rng, h, runs = np.random.default_rng(0), PROBLEM.spectrum, 1000
    error = np.repeat(PROBLEM.error[None], runs, axis=0)
    for _ in range(steps):
        x = rng.normal(size=(runs, batch, len(h))) * np.sqrt(h)
        residual = (x @ error[:, :, None])[..., 0] - PROBLEM.sigma * rng.normal(size=(runs, batch))
        error = error - rate * (residual[:, None] @ x)[:, 0] / batch
    there = [PROBLEM.noise(one) for one in error]
    scale = np.mean([one.trace for one in there]) / np.mean([one.gradient_squared for one in there])
    assert along[-1] == pytest.approx(scale, rel=0.03)
    alike = PROBLEM.noise(PROBLEM.error * (PROBLEM.path(batch, [rate], steps)[-1, 0] / PROBLEM.excess()) ** 0.5)
    assert along[-1] > 1.5 * alike.scale  # at the same loss


def test_a_rate_too_large_is_infinite_and_never_chosen():
    steps, rate = PROBLEM.steps_to(0.1, 4, [0.05, 50.0], 500)
    assert rate == 0.05
    assert 0 < steps < 500
    assert PROBLEM.steps_to(1e-9, 4, [0.05], 50)[0] == math.inf
    assert PROBLEM.steps_to(1.0, 4, [0.05], 50)[0] == 0


def test_steps_and_samples_follow_the_hyperbola():
    batches, rates = 2 ** np.arange(0, 13, 2), np.geomspace(0.003, 1.5, 40)
    steps = [PROBLEM.steps_to(0.01, int(b), rates)[0] for b in batches]
    law = ns.fit_tradeoff(batches, steps)
    assert np.abs(law.residuals).max() < 0.08
    assert np.all(np.diff(steps) < 0)  # a larger batch never needs more steps
    assert np.all(np.diff(steps * batches) > 0)  # and never fewer samples


@settings(max_examples=50)
@given(least=st.floats(1, 1e4), critical=st.floats(1, 1e4))
def test_the_fit_finds_a_law_that_is_there(least, critical):
    batch = np.geomspace(critical / 30, critical * 30, 6)
    law = ns.fit_tradeoff(batch, least * (1 + critical / batch))
    assert law.critical_batch == pytest.approx(critical, rel=1e-6)
    steps = law.steps(batch)
    samples = steps * batch
    np.testing.assert_allclose((steps / law.least_steps - 1) * (samples / law.least_samples - 1), 1, rtol=1e-6)


def test_two_points_make_no_law():
    with pytest.raises(ValueError, match="three batch sizes"):
        ns.fit_tradeoff([1, 2], [4, 3])
    with pytest.raises(ValueError, match="positive"):
        ns.LeastSquares(np.array([0.0, 1.0]), np.ones(2), 0.1)
