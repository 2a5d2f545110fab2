"""Gradient descent does what lesson 4.2 derives, in its limits too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course import descent
from course.descent import Bowl, gradient_descent
from course.losses import logistic_gradient

CURVATURES = np.array([4.0, 1.0, 0.25])


def logistic_problem(seed=0, n=40, d=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.integers(0, 2, size=n).astype(float)


# --- the loops ------------------------------------------------------------------------------------


def test_path_starts_at_the_start_and_leaves_it_alone():
    start = np.array([1.0, -2.0])
    path = gradient_descent(lambda w: 2 * w, start, 0.1, 3)
    assert path.shape == (4, 2)
    assert np.allclose(path, start * 0.8 ** np.arange(4)[:, None])
    assert np.array_equal(start, [1.0, -2.0])
    path[0] = 7
    assert np.array_equal(start, [1.0, -2.0])


def test_a_gradient_that_changes_its_argument_does_not_change_the_start():
    def rude(w):
        w *= 2
        return w

    start = np.array([1.0])
    gradient_descent(rude, start, 0.1, 2)
    assert start[0] == 1


def test_keep_gives_the_same_points():
    H = Bowl.from_curvatures([3.0, 1.0], degrees=20)
    for run in (
        lambda **kw: gradient_descent(H.gradient, [1.0, 2.0], 0.2, 9, **kw),
        lambda **kw: descent.heavy_ball(H.gradient, [1.0, 2.0], 0.2, 0.5, 9, **kw),
        lambda **kw: descent.adam(H.gradient, [1.0, 2.0], 0.2, 9, **kw),
    ):
        assert np.array_equal(run(keep=[0, 4, 9]), run()[[0, 4, 9]])


def test_step_may_differ_from_step_to_step():
    path = gradient_descent(lambda w: w, [1.0], [0.5, 0.25], 2)
    assert np.allclose(path[:, 0], [1, 0.5, 0.375])


def test_no_steps_gives_the_start():
    assert gradient_descent(lambda w: w, [1.0, 2.0], 0.1, 0).tolist() == [[1.0, 2.0]]


def test_divergence_is_a_result(recwarn):
    path = gradient_descent(lambda w: w, [1.0], 30.0, 400)
    assert not np.isfinite(path[-1]).all()
    assert len(recwarn) == 0


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"steps": 1.5}, "whole number"),
        ({"steps": -1}, "whole number"),
        ({"step": [0.1, 0.2]}, "one for each"),
        ({"start": []}, "start"),
        ({"start": ["a"]}, "start"),
        ({"start": [np.nan]}, "start"),
        ({"keep": [2, 1]}, "keep"),
        ({"keep": [0, 9]}, "keep"),
        ({"keep": [0.5]}, "keep"),
    ],
)
def test_bad_input_gets_one_sentence(kwargs, word):
    arguments = {"gradient": lambda w: w, "start": [1.0], "step": 0.1, "steps": 3} | kwargs
    with pytest.raises(ValueError, match=word):
        gradient_descent(**arguments)


def test_heavy_ball_without_momentum_is_gradient_descent():
    X, y = logistic_problem()
    plain = gradient_descent(lambda w: logistic_gradient(w, X, y), np.ones(3), 0.5, 20)
    assert np.array_equal(descent.heavy_ball(lambda w: logistic_gradient(w, X, y), np.ones(3), 0.5, 0.0, 20), plain)


def test_adams_first_step_has_the_step_size_in_every_coordinate():
    path = descent.adam(lambda w: np.array([5.0, -0.01]), [0.0, 0.0], 0.1, 1)
    assert np.allclose(path[1], [-0.1, 0.1], rtol=1e-5)


def test_adam_does_not_see_a_rescaled_gradient():
    paths = [
        descent.adam(Bowl(np.diag(scale * np.ones(2))).gradient, [1.0, -2.0], 0.1, 60, epsilon=1e-14)
        for scale in (1.0, 1e4)
    ]
    assert np.allclose(*paths, atol=1e-9)


def test_keras_takes_the_same_steps():
    tf = pytest.importorskip("tensorflow")
    X, y = logistic_problem(3)
    start = np.ones(3)

    def gradient(w):
        return logistic_gradient(w, X, y)

    beta2, tiny = 1 - 2.0**-10, 2.0**-50
    optimizers = tf.keras.optimizers
    for optimizer, ours in (
        (optimizers.SGD(0.5), gradient_descent(gradient, start, 0.5, 40)),
        (optimizers.SGD(0.5, momentum=0.875), descent.heavy_ball(gradient, start, 0.5, 0.875, 40)),
        (
            optimizers.Adam(0.125, beta_1=0.875, beta_2=beta2, epsilon=tiny),
            descent.adam(gradient, start, 0.125, 40, beta1=0.875, beta2=beta2, epsilon=tiny),
        ),
    ):
        w = tf.Variable(start, dtype=tf.float64)
        for row in ours[1:]:
            optimizer.apply_gradients([(tf.constant(gradient(w.numpy())), w)])
            assert np.allclose(w.numpy(), row, atol=1e-9)


# --- how far --------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(low=st.floats(0.01, 1), ratio=st.floats(1, 100), share=st.floats(0.05, 2.0), degrees=st.floats(0, 90))
def test_stable_below_the_limit_and_only_there(low, ratio, share, degrees):
    if 0.98 < share < 1.02:
        share = 1.05
    bowl = Bowl.from_curvatures([low, low * ratio], degrees)
    limit = descent.largest_stable_step(bowl.hessian)
    path = gradient_descent(bowl.gradient, [1.0, 0.7], share * limit, 6000, keep=[0, 6000])
    start, end = np.abs(path).max(axis=1)
    assert (end < start) == (share < 1)


def test_threshold_found_by_trial_is_the_limit():
    bowl = Bowl.from_curvatures(CURVATURES)

    def works(step):
        a, b = bowl.loss(gradient_descent(bowl.gradient, np.ones(3), step, 500, keep=[450, 500]))
        return b < a

    assert descent.stability_threshold(works, 0.1, 5, rtol=1e-6) == pytest.approx(0.5, rel=1e-5)
    with pytest.raises(ValueError, match="widen"):
        descent.stability_threshold(works, 0.1, 0.2)


def test_hessians_are_derivatives_of_gradients():
    X, y = logistic_problem(1)
    w, h = np.array([0.3, -0.2, 0.5]), 1e-6
    for gradient, hessian in (
        (lambda v: descent.least_squares_gradient(v, X, y), descent.least_squares_hessian(X)),
        (lambda v: logistic_gradient(v, X, y), descent.logistic_hessian(w, X)),
    ):
        columns = [(gradient(w + h * e) - gradient(w - h * e)) / (2 * h) for e in np.eye(3)]
        assert np.allclose(np.column_stack(columns), hessian, atol=1e-8)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(0, 5))
def test_logistic_curvature_is_at_most_a_quarter_of_least_squares(seed, size):
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(12, 3)), size * rng.normal(size=3)
    bound = np.linalg.eigvalsh(descent.least_squares_hessian(X))[-1] / 4
    assert np.linalg.eigvalsh(descent.logistic_hessian(w, X))[-1] <= bound * (1 + 1e-12)


def test_best_settings_reach_their_rates():
    curvatures = np.array([1.0, 7.0, 50.0])
    bowl = Bowl.from_curvatures(curvatures)
    r = np.sqrt(descent.condition_number(curvatures))
    for path, rate in (
        (gradient_descent(bowl.gradient, np.ones(3), descent.best_step(curvatures), 400), (r**2 - 1) / (r**2 + 1)),
        (descent.heavy_ball(bowl.gradient, np.ones(3), *descent.best_heavy_ball(curvatures), 100), (r - 1) / (r + 1)),
    ):
        size = np.linalg.norm(path, axis=1)
        measured = (size[-1] / size[len(size) // 2]) ** (1 / (len(size) - 1 - len(size) // 2))
        assert measured == pytest.approx(rate, rel=0.03)


@pytest.mark.parametrize("kappa", [1.5, 7.3, 120.0])
@pytest.mark.parametrize("factor", [1.0, 2.0, 1e6])
def test_steps_to_shrink_is_the_fewest(kappa, factor):
    t = descent.steps_to_shrink(kappa, factor)
    assert (1 - 1 / kappa) ** (2 * t) <= 1 / factor * (1 + 1e-9)
    assert t == 0 or (1 - 1 / kappa) ** (2 * (t - 1)) > 1 / factor


def test_steps_to_shrink_at_condition_number_one():
    assert (descent.steps_to_shrink(1, 10), descent.steps_to_shrink(1, 1)) == (1, 0)
    with pytest.raises(ValueError, match="at least 1"):
        descent.steps_to_shrink(0.5, 10)


@pytest.mark.parametrize("hessian", [np.ones((2, 3)), [[1.0, 2.0], [0.0, 1.0]], [[np.inf]], np.zeros(2)])
def test_hessians_that_are_none(hessian):
    with pytest.raises(ValueError, match=r"hessian|curvature"):
        descent.largest_stable_step(hessian)


def test_a_flat_direction_has_no_condition_number():
    with pytest.raises(ValueError, match="positive"):
        descent.condition_number([1.0, 0.0])


# --- schedules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "low", "high"), [(1, 1, 10), (4, 1, 10), (9, 0.2, 30), (16, 1, 100)])
def test_chebyshev_reaches_the_minimum_of_the_worst_case(count, low, high):
    steps = descent.chebyshev_steps(count, low, high)
    assert steps.shape == (count,)
    theory = 1 / np.cosh(count * np.arccosh((high + low) / (high - low))) ** 2  # 1 / T_count^2
    assert descent.worst_case(steps, low, high) == pytest.approx(theory, rel=1e-3)


def test_one_chebyshev_step_is_the_best_constant_step():
    assert descent.chebyshev_steps(1, 1, 9)[0] == pytest.approx(descent.best_step([1, 9]))


def test_worst_case_is_what_descent_does():
    bowl = Bowl.from_curvatures([1.0, 10.0])
    steps = np.array([0.15, 0.19, 0.1])
    path = gradient_descent(bowl.gradient, [1.0, 0.0], steps, 3)
    assert descent.worst_case(steps, 1, 10) >= bowl.loss(path[-1]) / bowl.loss(path[0]) - 1e-12


# --- power laws in time ---------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.floats(1.1, 4), st.floats(0.3, 3), st.floats(0.05, 1.9))
def test_sum_over_modes_is_what_descent_does(a, b, step):
    curvatures, errors = descent.power_law_modes(20, a, b)
    path = gradient_descent(lambda w: curvatures * w, errors, step, 40)
    exact = descent.expected_loss(curvatures, errors, step, np.arange(41))
    assert np.allclose(0.5 * np.sum(curvatures * path**2, axis=1), exact, rtol=1e-9)


def test_modes_hold_what_they_should():
    curvatures, errors = descent.power_law_modes(50, 2.5, 1.5)
    k = np.arange(1, 51)
    assert np.allclose(curvatures, k**-1.5)
    assert np.allclose(curvatures * errors**2, k**-2.5)
    drawn = descent.power_law_modes(5, 2.5, 1.5, np.random.default_rng(0), draws=40_000)[1]
    assert np.allclose((drawn**2).mean(axis=0), errors[:5] ** 2, rtol=0.03)


@pytest.mark.parametrize(("a", "b"), [(2, 2), (3, 2), (2.5, 1.5)])
def test_exponent_and_constant_of_the_law(a, b):
    curvatures, errors = descent.power_law_modes(100_000, a, b)
    times = np.unique(np.logspace(2, 4, 21).astype(int))
    loss = descent.expected_loss(curvatures, errors, 1.0, times)
    assert np.allclose(loss, descent.asymptotic_loss(a, b, 1.0, times), rtol=0.01)
    assert descent.fit_exponent(times, loss).exponent == pytest.approx(descent.time_exponent(a, b), rel=0.01)


def test_the_end_is_exponential():
    curvatures, errors = descent.power_law_modes(10, 2, 2)
    early, late = descent.expected_loss(curvatures, errors, 1.0, [2000, 3000])
    assert late / early == pytest.approx((1 - 0.01) ** 2000, rel=1e-3)


def test_fit_exponent_covers_the_truth():
    rng = np.random.default_rng(0)
    times = np.logspace(0, 3, 30)
    inside = 0
    for _ in range(400):
        fit = descent.fit_exponent(times, 3 * times**-0.7 * np.exp(0.1 * rng.normal(size=30)))
        inside += fit.low <= 0.7 <= fit.high
    assert 0.92 < inside / 400 < 0.98


@pytest.mark.parametrize(("times", "losses"), [([1, 2], [1, 2]), ([1, 2, 3], [1, 0, 1]), ([0, 1, 2], [1, 1, 1])])
def test_fit_exponent_refuses(times, losses):
    with pytest.raises(ValueError, match="positive"):
        descent.fit_exponent(times, losses)


@pytest.mark.parametrize(("a", "b"), [(1, 2), (0.5, 1), (2, 0), (2, -1)])
def test_spectra_without_a_law(a, b):
    with pytest.raises(ValueError, match="must exceed"):
        descent.power_law_modes(10, a, b)


# --- noise ----------------------------------------------------------------------------------------


def test_noise_floor():
    rng = np.random.default_rng(0)
    curvatures, deviation, step = np.array([0.5, 1.0, 2.0]), np.array([1.0, 0.5, 2.0]), 0.02
    path = gradient_descent(lambda w: curvatures * w + deviation * rng.normal(size=3), np.zeros(3), step, 60_000)
    measured = 0.5 * np.mean(np.sum(curvatures * path[2000:] ** 2, axis=1))
    assert measured == pytest.approx(descent.noise_floor(step, np.sum(deviation**2)), rel=0.1)


# --- the lesson's searches and counts -------------------------------------------------------------


def test_least_squares_threshold_is_the_limit():
    X, y = logistic_problem()
    limit = descent.largest_stable_step(descent.least_squares_hessian(X))
    assert descent.least_squares_threshold(X, y) == pytest.approx(limit, rel=2e-5)
    with pytest.raises(ValueError, match="shapes"):
        descent.least_squares_threshold(X, y[:-1])


def test_logistic_minimum_has_no_slope_and_its_threshold_is_the_local_limit():
    X, y = logistic_problem()
    best = descent.logistic_minimum(X, y)
    assert np.abs(logistic_gradient(best, X, y)).max() < 1e-8
    limit = descent.largest_stable_step(descent.logistic_hessian(best, X))
    assert descent.logistic_threshold(X, y) == pytest.approx(limit, rel=2e-5)


def test_separated_labels_have_no_minimum():
    x = np.array([-3.0, -2.0, 2.0, 3.0])[:, None]
    with pytest.raises(ValueError, match="separate"):
        descent.logistic_minimum(x, x[:, 0] > 0)


def test_first_below():
    assert descent.first_below([4.0, 2.0, 1.0, 0.5], 0.25) == 2
    assert np.isnan(descent.first_below([4.0, 2.0, np.nan], 0.25))
    with pytest.raises(ValueError, match="vector"):
        descent.first_below([[1.0]], 0.5)


def test_steps_by_method():
    counts = descent.steps_by_method(100)
    assert counts["momentum"] < counts["gradient descent"] / 2
    assert counts["Adam, axes"] < counts["Adam, turned"]
    assert np.isnan(descent.steps_by_method(3000, trials=1)["gradient descent"])
