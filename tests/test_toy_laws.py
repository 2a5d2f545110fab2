"""Toy laws: every update rule ends at the exact minimum, and the excess there is the theory's."""

from __future__ import annotations

import numpy as np
import pytest

from course import linear, toy_laws

LAWS = {law.name: law for law in toy_laws.laws("test")}


@pytest.fixture(scope="module")
def measured():
    return {name: toy_laws.measure(law) for name, law in LAWS.items()}


@pytest.mark.parametrize("name", LAWS)
def test_all_rules_end_at_the_same_minimum(measured, name):
    one = measured[name]
    for rule in one.law.rules:
        np.testing.assert_allclose(one.excess[rule], one.excess["exact"], rtol=5e-3)
        assert abs(one.exponents[rule].value - one.exponents["exact"].value) < 2e-3


@pytest.mark.parametrize("name", LAWS)
def test_the_excess_is_the_one_that_theory_expects(measured, name):
    one = measured[name]
    excess = one.excess["exact"]
    if one.law.paired:
        np.testing.assert_allclose(excess.mean(axis=0), one.law.theory, rtol=0.02)
        return
    for column, theory in zip(excess.T, one.law.theory, strict=True):
        error = column.std(ddof=1) / np.sqrt(len(column))
        assert abs(column.mean() - theory) < 4 * error + 0.03 * theory


@pytest.mark.parametrize("name", LAWS)
def test_the_measured_exponent_holds_the_theory_s(measured, name):
    one = measured[name]
    e = one.exponents["gradient descent"]
    wide = max(e.high - e.low, 0.02)
    assert e.low - wide / 2 < one.law.expected < e.high + wide / 2


def test_the_problem_moves_the_exponent_far_more_than_the_rule(measured):
    by_descent = [one.exponents["gradient descent"].value for one in measured.values()]
    across = max(
        abs(one.exponents[rule].value - one.exponents["exact"].value)
        for one in measured.values()
        for rule in one.law.rules
    )
    assert max(by_descent) / min(by_descent) > 5 and across < 2e-3


def test_the_theories_tend_to_their_limits():
    def tends_to(sizes, theory):
        return -linear.log_log_slope(sizes, theory).slope

    ms = np.array([100, 200, 400])
    assert tends_to(ms, toy_laws.grid_theory(ms, 1)) == pytest.approx(4, rel=0.001)
    assert tends_to(ms**3.0, toy_laws.grid_theory(ms, 3)) == pytest.approx(4 / 3, rel=0.001)
    ns = np.array([1e3, 1e4, 1e5])
    assert tends_to(ns, toy_laws.keys_theory(ns, toy_laws.zipf(1.0, 3_000_000))) == pytest.approx(0.5, rel=0.02)
    ns = np.array([50, 100, 200])
    assert tends_to(ns, toy_laws.spectrum_theory(ns, b=1.5, features=200_000)) == pytest.approx(0.5, rel=0.06)


def test_keys_theory_counts_what_was_not_seen():
    p = np.array([0.5, 0.3, 0.2])
    assert toy_laws.keys_theory(2, p) == pytest.approx(0.5**3 + 0.3 * 0.49 + 0.2 * 0.64)
    assert toy_laws.keys_theory([1, 5], [1.0]) == pytest.approx([0, 0], abs=1e-12)


def test_a_spectrum_is_fitted_exactly_by_the_shortest_weights():
    """Few features, so that the weights can be found with a pseudo-inverse."""
    rng = np.random.default_rng(0)
    problem = toy_laws.spectrum_problem(6, 1, rng, features=30)
    X = np.random.default_rng(0).standard_normal((6, 30)) * np.arange(1, 31) ** -1.0
    true = np.arange(1, 31) ** 0.25
    w = np.linalg.pinv(X) @ (X @ true)
    expected = np.sum(np.arange(1, 31) ** -2.0 * (w - true) ** 2)
    assert problem.excess(problem.exact)[0] == pytest.approx(expected, rel=1e-8)


def test_rescaling_the_gradient_changes_which_exact_fit_is_reached():
    rows = {}
    for power in (0.0, 1.0):
        rng = np.random.default_rng(1)
        excess = [
            (lambda q: q.excess(q.exact))(toy_laws.spectrum_problem(n, 8, rng, rescale=power)) for n in (10, 20, 40)
        ]
        rows[power] = toy_laws.exponent((10, 20, 40), np.array(excess).T)
    assert rows[0.0].low > 0.2 and rows[1.0].high < 0.1


def test_too_few_steps_bend_the_law():
    law = LAWS["Zipf keys, alpha = 0.5"]
    found = {}
    for steps in (50, None):
        rng = np.random.default_rng(2)
        problems = [law.make(n, law.seeds, rng) for n in law.sizes]
        found[steps] = toy_laws.exponent(
            law.sizes, np.array([q.excess(toy_laws.train(q, steps=steps)) for q in problems]).T
        ).value
    assert found[50] < found[None] - 0.1


def test_exponent_interval_covers_the_truth():
    rng, sizes, inside = np.random.default_rng(3), np.array([10.0, 100, 1000]), 0
    for trial in range(100):
        excess = sizes**-0.8 * rng.chisquare(6, size=(30, 3)) / 6
        e = toy_laws.exponent(sizes, excess, resamples=300, seed=trial)
        inside += e.low < 0.8 < e.high
    assert 86 <= inside <= 100


def test_paired_seeds_narrow_the_interval():
    rng, sizes = np.random.default_rng(4), np.array([10.0, 100, 1000])
    excess = rng.lognormal(size=(20, 1)) * sizes**-0.5
    paired, free = (toy_laws.exponent(sizes, excess, paired=p) for p in (True, False))
    assert paired.high - paired.low < 1e-9 < free.high - free.low


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: toy_laws.zipf(0, 10), "alpha"),
        (lambda: toy_laws.exponent([1, 2], [[1, 2]]), "3 or more"),
        (lambda: toy_laws.exponent([1, 2, 3], [[1, 2, -1]]), "positive"),
        (lambda: toy_laws.train(toy_laws.grid_problem(4, 1, np.random.default_rng(0), 1), "sgd"), "rule is one of"),
    ],
)
def test_bad_input_gets_one_sentence(call, word):
    with pytest.raises(ValueError, match=word) as error:
        call()
    assert "\n" not in str(error.value)
