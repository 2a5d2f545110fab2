"""Designs: each formula against a simulation of what it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from course import design


@given(st.integers(2, 12), st.floats(0.5, 4), st.floats(0.001, 0.2), st.integers(1, 10))
def test_the_lines_error_is_that_of_least_squares(count, decades, sigma, seeds):
    sizes = np.geomspace(100, 100 * 10**decades, count)
    columns = np.stack([np.ones(count), np.log(sizes)], axis=1)
    covariance = sigma**2 / seeds * np.linalg.inv(columns.T @ columns)
    assert design.exponent_error(sizes, sigma, seeds) == pytest.approx(math.sqrt(covariance[1, 1]), rel=1e-6)


def test_the_lines_error_is_seen_in_a_simulation():
    plan = design.Plan(8, 2.0, 3, 0.03, 0.3, 0.0)
    alphas = design.simulate_exponents(plan, 2000, fit_floor=False)
    assert alphas.mean() == pytest.approx(0.3, abs=0.001)
    assert 1.96 * alphas.std() == pytest.approx(plan.error, rel=0.06)


@pytest.mark.parametrize(("decades", "floor"), [(1.5, 0.2), (2.0, 0.5), (3.0, 0.2), (3.0, 0.5)])
def test_the_floors_error_is_seen_in_a_simulation(decades, floor):
    plan = design.Plan(8, decades, 3, 0.02, 0.3, floor)
    alphas = design.simulate_exponents(plan, 500)
    assert np.median(alphas) == pytest.approx(0.3, abs=0.015)
    assert 1.96 * alphas.std() == pytest.approx(plan.floor_error, rel=0.15)
    assert plan.floor_error > 3 * plan.error


def test_the_simulations_fit_is_the_packages():
    from course.laws import fit_power_floor

    plan = design.Plan(9, 2.5, 1, 0.003, 0.4, 0.3)
    found = design.simulate_exponents(plan, 3, seed=4)
    noise = np.random.default_rng(4).normal(scale=0.003, size=(3, 9))
    for alpha, row in zip(found, noise, strict=True):
        loss = (0.3 + 0.7 * plan.sizes**-0.4) * np.exp(row)
        assert alpha == pytest.approx(fit_power_floor(plan.sizes, loss).params["alpha"], abs=0.01)


def test_a_line_through_a_floor_is_biased_and_sure_of_it():
    plan = design.Plan(8, 2.0, 3, 0.02, 0.3, 0.2)
    alphas = design.simulate_exponents(plan, 200, fit_floor=False)
    assert alphas.mean() < 0.3 - 5 * plan.error


def test_seeds_for_a_difference_have_the_power_they_promise():
    n = design.seeds_for_difference(0.01, 0.012)
    assert n == 23
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 0.012, (4000, n)), rng.normal(0.01, 0.012, (4000, n))
    seen = stats.ttest_ind(a, b, axis=1).pvalue < 0.05
    assert seen.mean() == pytest.approx(0.8, abs=0.03)


@given(st.floats(0.001, 0.1), st.floats(0.001, 0.1))
def test_half_the_difference_takes_four_times_the_seeds(difference, sigma):
    wide, narrow = (design.seeds_for_difference(d, sigma) for d in (difference, difference / 2))
    assert narrow <= 4 * wide
    assert wide == 2 or narrow > 4 * (wide - 1)


def test_seeds_for_an_exponent_reach_it_and_not_more():
    sizes = np.geomspace(1e3, 1e5, 8)
    for floor in (None, 0.2):
        n = design.seeds_for_exponent(0.01, sizes, 0.05, 0.3, floor)
        one = design.exponent_error if floor is None else lambda s, e, k: design.floor_exponent_error(s, e, k, 0.3, 0.2)
        assert 1.96 * one(sizes, 0.05, n) <= 0.01 * 1.001
        assert n == 1 or 1.96 * one(sizes, 0.05, n - 1) > 0.0099


def test_the_spread_pools_groups_and_covers():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        values = rng.normal(np.arange(6)[:, None], 2.0, (6, 4))
        found, low, high = design.spread_interval(values)
        assert low < found < high
        covered += low < 2 < high
    assert covered / 400 == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: design.exponent_error([5, 5], 0.1), "different"),
        (lambda: design.exponent_error([5, 50], 0.0), "positive"),
        (lambda: design.floor_exponent_error([1, 10], 0.1, 1, 0.3, 0.1), "at least 3"),
        (lambda: design.floor_exponent_error([1, 10, 100], 0.1, 1, 0.3, 1.0), "share"),
        (lambda: design.seeds_for_difference(0.1, 0.1, power=1.0), "power"),
        (lambda: design.spread_interval([1.0]), "two seeds"),
    ],
)
def test_bad_designs_are_refused_with_a_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()
