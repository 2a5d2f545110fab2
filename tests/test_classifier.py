"""The linear classifier and its yardsticks: theory, limits, and agreement between implementations."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course import classifier
from course.data import tabular
from course.data.synthetic import coin_flips, logistic


@pytest.fixture(scope="module")
def article_data():
    flips = np.random.RandomState(42)
    return flips.rand(1000, 10), flips.randint(0, 2, size=1000)


# --- types, shapes, accuracy ----------------------------------------------------------------------


def test_columns_have_the_type_and_shape_that_tensorflow_wants():
    X, y = classifier.to_float32_columns(np.arange(6.0).reshape(3, 2), [0, 1, 1])
    assert (X.dtype, X.shape, y.dtype, y.shape) == (
        np.float32,
        (3, 2),
        np.float32,
        (3, 1),
    )
    assert y[:, 0].tolist() == [0, 1, 1]


@pytest.mark.parametrize("y", [[0, 1], [[0], [1], [1]], 1])
def test_labels_of_another_length_or_shape_are_refused(y):
    with pytest.raises(ValueError, match="one label a row"):
        classifier.to_float32_columns(np.zeros((3, 2)), y)


def test_accuracy_refuses_to_broadcast():
    with pytest.raises(ValueError, match="every prediction is compared with every label"):
        classifier.accuracy(np.zeros((4, 1)), np.zeros(4))


def test_accuracy_refuses_probabilities_and_nothing():
    with pytest.raises(ValueError, match="not whole numbers"):
        classifier.accuracy([0.7, 0.2], [1, 0])
    with pytest.raises(ValueError, match="no predictions"):
        classifier.accuracy([], [])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=50))
def test_accuracy_is_the_share_of_equal_pairs(pairs):
    predicted, y = np.array(pairs).T
    assert classifier.accuracy(predicted, y) == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40))
def test_the_table_of_all_pairs_depends_only_on_the_shares(n, ones, answers):
    """The formula of lesson 5.2 for what the article's accuracy line shows."""
    y = np.arange(n) < min(ones, n)
    predicted = np.roll(np.arange(n) < min(answers, n), 3)
    q, a = y.mean(), predicted.mean()
    assert np.mean(predicted[:, np.newaxis] == y) == pytest.approx(0.5 + 2 * (a - 0.5) * (q - 0.5))


# --- training -------------------------------------------------------------------------------------


def test_many_starts_are_the_tensorflow_run_many_times(article_data):
    X, y = article_data
    starts = np.stack([np.random.default_rng(seed).normal(0, 1, (10, 1))[:, 0] for seed in (0, 1)])
    many = classifier.train_many_starts(X, y, starts, epochs=60)
    for i, seed in enumerate((0, 1)):
        run = classifier.train_linear_classifier(X, y, epochs=60, seed=seed)
        np.testing.assert_allclose(many.losses[:-1, i], run.losses, rtol=2e-5)
        np.testing.assert_allclose(many.weights[i], run.weights[:, 0], atol=2e-4)
        assert many.losses[-1, i] == pytest.approx(run.train_loss, rel=2e-5)
        assert many.accuracies[i] == pytest.approx(run.train_accuracy, abs=0.003)


def test_a_step_is_the_gradient_of_lesson_4_1():
    from course.losses import logistic_gradient, with_bias

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)
    w, b = rng.normal(size=(3, 1)), rng.normal(size=1)
    new_w, new_b = classifier.training_step(
        *(np.asarray(v, np.float32) for v in (w, b)),
        *classifier.to_float32_columns(X, y),
        0.5,
    )
    step = 0.5 * logistic_gradient(np.append(w, b), with_bias(X), y)
    np.testing.assert_allclose(np.append(new_w, new_b), np.append(w, b) - step, atol=1e-5)


def test_newton_reaches_a_zero_gradient_and_agrees_with_a_stack_of_one():
    rng = np.random.default_rng(1)
    X, y = coin_flips(600, 4, rng)
    stack_w, stack_b = classifier.fit_classifier(X.reshape(3, 200, 4), y.reshape(3, 200), ridge=0)
    for i in range(3):
        part = slice(200 * i, 200 * (i + 1))
        w, b = classifier.fit_classifier(X[part], y[part], ridge=0)
        np.testing.assert_allclose(np.append(w, b), np.append(stack_w[i], stack_b[i]), atol=1e-9)
        p = 1 / (1 + np.exp(-(X[part] @ w + b)))
        assert abs(X[part].T @ (p - y[part])).max() < 1e-8
        assert abs(np.mean(p - y[part])) < 1e-10


def test_newton_separates_what_can_be_separated():
    X = np.linspace(-1, 1, 12)[:, np.newaxis]
    w, b = classifier.fit_classifier(X, (X[:, 0] > 0.2).astype(int))
    assert np.isfinite(w).all()
    assert classifier.accuracy_from_logits(X @ w + b, X[:, 0] > 0.2) == 1


def test_newton_is_scikit_learns_fit():
    from sklearn.linear_model import LogisticRegression

    X, y = logistic(400, [1.0, -0.5, 0.2], np.random.default_rng(2))
    w, b = classifier.fit_classifier(X, y, ridge=0)
    theirs = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(np.append(w, b), np.append(theirs.coef_, theirs.intercept_), atol=1e-4)


def test_a_signal_is_learned_to_the_bayes_accuracy():
    rng = np.random.default_rng(3)
    truth = np.array([2.0, -1.0, 0.5])
    X, y = logistic(2000, truth, rng)
    X_test, y_test = logistic(20_000, truth, rng)
    fit = classifier.train_linear_classifier(X, y, X_test, y_test, epochs=300, learning_rate=0.05)
    assert fit.test_accuracy == pytest.approx(classifier.bayes_accuracy(np.linalg.norm(truth)), abs=0.012)
    assert fit.losses[-1] < fit.losses[0]
    np.testing.assert_array_equal(fit.predict(X_test) == y_test, (fit.logits(X_test)[:, 0] > 0) == y_test)
    assert classifier.accuracy(fit.predict(X_test), y_test) == pytest.approx(fit.test_accuracy)


def test_several_classes_use_the_softmax():
    split = tabular.digits().standardised()
    fit = classifier.train_linear_classifier(
        split.X_train,
        split.y_train,
        split.X_test,
        split.y_test,
        epochs=120,
        learning_rate=0.05,
        spread=0.01,
    )
    assert fit.weights.shape == (64, 10)
    assert fit.losses[0] == pytest.approx(math.log(10), rel=0.05)
    assert fit.test_accuracy > 0.92


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 2, 1], [0, 2, 2]])
def test_labels_that_are_no_classes_are_refused(y):
    with pytest.raises(ValueError, match="classes 0, 1"):
        classifier.train_linear_classifier(np.zeros((3, 2)), y)


def test_bad_features_are_refused_with_a_sentence():
    with pytest.raises(ValueError, match="nan or infinite"):
        classifier.fit_classifier(np.array([[1.0], [np.nan]]), [0, 1])
    with pytest.raises(ValueError, match="one row a sample"):
        classifier.fit_classifier(np.zeros(3), [0, 1, 0])
    with pytest.raises(ValueError, match="0 or 1"):
        classifier.fit_classifier(np.zeros((2, 1)), [0, 3])
    with pytest.raises(ValueError, match="must agree"):
        classifier.train_many_starts(np.zeros((2, 3)), [0, 1], np.zeros((5, 2)))


# --- yardsticks -----------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(0, 61))
def test_the_tail_is_the_exact_sum(n, correct):
    exact = sum(math.comb(n, k) for k in range(correct, n + 1)) / 2**n
    assert classifier.probability_at_least(correct, n) == pytest.approx(exact, rel=1e-9)
    expected = math.log10(exact) if exact else -math.inf
    assert classifier.log10_probability_at_least(correct, n) == pytest.approx(expected, abs=1e-9)


def test_the_article_s_case():
    assert math.log10(classifier.probability_at_least(800, 1000)) == pytest.approx(-85.085, abs=0.001)
    assert classifier.coin_flip_interval(1000) == (0.469, 0.531)
    assert classifier.log10_probability_at_least(8000, 10_000) < -800


@given(st.integers(1, 3000))
def test_the_interval_of_guessing_holds_its_level(n):
    low, high = classifier.coin_flip_interval(n)
    inside = classifier.probability_at_least(round(low * n), n) - classifier.probability_at_least(
        round(high * n) + 1, n
    )
    assert inside >= 0.95
    assert low + high == pytest.approx(1)


@pytest.mark.parametrize("difference", [0.3, 0.1, 0.02, 0.001])
def test_flips_needed_is_the_smallest_number_that_will_do(difference):
    n = classifier.flips_needed(difference)
    assert 1.96 * 0.5 / math.sqrt(n) <= difference * (1 + 1e-9) < 1.96 * 0.5 / math.sqrt(n - 1)


@given(st.integers(1, 500), st.data())
def test_wilson_s_interval_holds_the_share_and_stays_in_bounds(n, data):
    correct = data.draw(st.integers(0, n))
    low, high = classifier.wilson_interval(correct, n)
    assert 0 <= low <= correct / n + 1e-12
    assert correct / n - 1e-12 <= high <= 1
    z = 1.959963984540054
    for edge in (low, high):  # the edges are where the score test just rejects
        if 1e-9 < edge < 1 - 1e-9:
            assert abs(correct / n - edge) == pytest.approx(z * math.sqrt(edge * (1 - edge) / n), rel=1e-6)


def test_cover_s_count_is_the_number_of_labellings_found_by_search():
    from scipy.optimize import linprog

    X = np.random.default_rng(4).normal(size=(6, 2))
    ones = np.column_stack([X, np.ones(6)])
    found = 0
    for labels in itertools.product([-1, 1], repeat=6):
        margins = -np.array(labels)[:, np.newaxis] * ones
        found += linprog(np.zeros(3), A_ub=margins, b_ub=-np.ones(6), bounds=(None, None)).status == 0
    assert 10 ** classifier.log10_linear_labellings(6, 3) == pytest.approx(found) == pytest.approx(32)


@given(st.integers(1, 60))
def test_half_of_all_labellings_of_twice_as_many_points_as_parameters(k):
    assert classifier.log10_linear_labellings(2 * k, k) == pytest.approx((2 * k - 1) * math.log10(2))


def test_no_fit_passes_the_bound_for_every_rule():
    sweep = classifier.coin_flip_sweep([300], d=2, seeds=100, seed=5)
    assert sweep.train.max() <= classifier.best_rule_bound(300, 3)
    assert classifier.best_rule_bound(1000, 11) == pytest.approx(0.664, abs=0.002)
    assert classifier.best_rule_bound(10, 11) > 1


def test_fitted_coin_flips_follow_the_theory():
    sweep = classifier.coin_flip_sweep([100, 400, 1600], d=10, seeds=150, seed=6)
    error = sweep.train.std(1, ddof=1) / math.sqrt(150)
    assert (np.abs(sweep.train.mean(1) - classifier.fitted_accuracy(sweep.n, 11)) < 4 * error + 0.008).all()
    assert np.abs(sweep.test.mean() - 0.5) < 0.005


def test_fitted_accuracy_is_exact_enough_for_least_squares():
    rng = np.random.default_rng(7)
    scores = []
    for _ in range(300):
        X, y = coin_flips(60, 10, rng)
        ones = np.column_stack([X, np.ones(60)])
        fitted = ones @ np.linalg.lstsq(ones, 2.0 * y - 1, rcond=None)[0]
        scores.append(np.mean((fitted > 0) == (y == 1)))
    assert np.mean(scores) == pytest.approx(classifier.fitted_accuracy(60, 11), abs=0.015)


def test_the_size_at_80_percent_lies_in_its_interval():
    sweep = classifier.coin_flip_sweep([20, 28, 40], seeds=60, seed=8)
    at, low, high = sweep.size_at(0.8, resamples=200)
    assert low <= at <= high
    assert 22 < at < 34
    with pytest.raises(ValueError, match="between them"):
        sweep.size_at(0.3)


def test_bayes_accuracy_from_nothing_to_certainty():
    assert classifier.bayes_accuracy(0) == pytest.approx(0.5)
    assert classifier.bayes_accuracy(1e4) == pytest.approx(1, abs=1e-3)
    rng = np.random.default_rng(9)
    z = 2 * rng.normal(size=400_000)
    assert classifier.bayes_accuracy(2.0) == pytest.approx(np.mean(1 / (1 + np.exp(-np.abs(z)))), abs=0.001)
    assert (np.diff(classifier.bayes_accuracy(np.linspace(0, 6, 20))) > 0).all()


def test_a_learning_curve_falls_and_is_scored_on_what_was_not_trained_on():
    curve = classifier.learning_curve(tabular.digits, [60, 240, 960], repeats=3)
    assert curve.error.shape == curve.loss.shape == (3, 3)
    assert (np.diff(curve.error.mean(1)) < 0).all()
    exponent, prefactor = curve.slope("loss")
    assert -1 < exponent < -0.2
    assert prefactor * 240**exponent == pytest.approx(curve.loss[1].mean(), rel=0.3)
    low, high = curve.slope_interval("loss")
    assert low <= exponent <= high
    with pytest.raises(ValueError, match="too large"):
        classifier.learning_curve(tabular.digits, [5000], repeats=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: classifier.probability_at_least(1, 0),
        lambda: classifier.coin_flip_interval(10, level=1.0),
        lambda: classifier.flips_needed(0),
        lambda: classifier.wilson_interval(11, 10),
        lambda: classifier.coin_flip_interval(2.5),
    ],
)
def test_yardsticks_refuse_what_makes_no_sense(call):
    with pytest.raises(ValueError, match=r"must|level"):
        call()
