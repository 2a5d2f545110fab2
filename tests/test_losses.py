"""The losses and their gradients: values, finiteness, and agreement with three other ways to get them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course import losses
from course.losses import (
    article_gradient,
    article_loss,
    bernoulli_cross_entropy,
    binary_cross_entropy,
    brier_loss,
    finite_difference_gradient,
    log_sum_exp,
    logistic_gradient,
    logistic_loss,
    sigmoid,
    softmax,
    softmax_cross_entropy,
    softmax_gradient,
    with_bias,
)

STEADY = settings(max_examples=40, derandomize=True)
SEEDS = st.integers(0, 2**32 - 1)
SIZES = {"n": st.integers(1, 12), "d": st.integers(1, 6), "seed": SEEDS}


def _binary(n, d, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return scale * rng.normal(size=d), X, rng.integers(0, 2, size=n).astype(float)


def _multi(n, d, k, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(d, k)), rng.normal(size=(n, d)), np.eye(k)[rng.integers(0, k, size=n)])


# --- values ---------------------------------------------------------------------------------------


def test_a_coin_at_even_odds_costs_log_two():
    assert binary_cross_entropy([0.0, 0.0], [0, 1]) == pytest.approx(np.log(2), rel=1e-15)
    assert softmax_cross_entropy(np.zeros((2, 5)), np.eye(5)[:2]) == pytest.approx(np.log(5), rel=1e-14)


@STEADY
@given(z=st.floats(-30, 30), y=st.sampled_from([0.0, 1.0]))
def test_loss_is_minus_log_of_the_labels_probability(z, y):
    p = sigmoid(z) if y == 1 else sigmoid(-z)
    assert float(logistic_loss(z, y)) == pytest.approx(-np.log(float(p)), rel=1e-9, abs=1e-12)


@STEADY
@given(share=st.floats(0.01, 0.99), p=st.floats(0.01, 0.99))
def test_cross_entropy_is_least_at_the_share(share, p):
    assert bernoulli_cross_entropy(share, p) >= bernoulli_cross_entropy(share, share) - 1e-15


def test_impossible_and_certain_events():
    assert bernoulli_cross_entropy(1.0, 1.0) == 0
    assert bernoulli_cross_entropy(0.5, 0.0) == np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_stay_finite_and_exact(dtype):
    z = np.array([1e4, -1e4, 1e4, -1e4], dtype=dtype)
    y = np.array([0, 1, 1, 0], dtype=dtype)
    with np.errstate(all="raise", under="ignore"):
        loss = logistic_loss(z, y)
        assert loss.dtype == dtype
        assert list(loss) == [1e4, 1e4, 0, 0]
        assert article_loss(z, y) == pytest.approx(2500)
        assert np.allclose(log_sum_exp(z[None]), 1e4 + np.log(2))
        assert np.isfinite(softmax_cross_entropy(z[None], [[0, 1, 0, 0]]))
        assert np.allclose(softmax(z[None]), [[0.5, 0, 0.5, 0]])


@STEADY
@given(seed=SEEDS)
def test_sum_over_two_one_hot_classes_is_the_full_loss(seed):
    rng = np.random.default_rng(seed)
    z, y = 3 * rng.normal(size=9), rng.integers(0, 2, size=9)
    two = np.column_stack([np.zeros(9), z])
    assert softmax_cross_entropy(two, np.eye(2)[y]) == pytest.approx(binary_cross_entropy(z, y), rel=1e-12)


@STEADY
@given(seed=SEEDS, shift=st.floats(-500, 500))
def test_softmax_ignores_a_shift(seed, shift):
    z = np.random.default_rng(seed).normal(size=(3, 4))
    assert np.allclose(softmax(z + shift), softmax(z), atol=1e-12)
    assert np.allclose(log_sum_exp(z + shift), log_sum_exp(z) + shift, atol=1e-10)


# --- gradients: finite differences and automatic differentiation ------------------------------------


@STEADY
@given(**SIZES)
def test_gradients_agree_with_central_differences(n, d, seed):
    w, X, y = _binary(n, d, seed)
    for loss, gradient in ((binary_cross_entropy, logistic_gradient), (article_loss, article_gradient)):
        numeric = finite_difference_gradient(lambda v, loss=loss: loss(X @ v, y), w)
        assert np.allclose(gradient(w, X, y), numeric, atol=1e-8)
    W, X, Y = _multi(n, d, 3, seed)
    numeric = finite_difference_gradient(lambda V: softmax_cross_entropy(X @ V, Y), W)
    assert softmax_gradient(W, X, Y).shape == numeric.shape == (d, 3)
    assert np.allclose(softmax_gradient(W, X, Y), numeric, atol=1e-8)


@STEADY
@given(**SIZES, k=st.integers(2, 5), scale=st.sampled_from([0.1, 1.0, 30.0]))
def test_gradients_agree_with_automatic_differentiation(n, d, seed, k, scale):
    tf = pytest.importorskip("tensorflow")
    w, X, y = _binary(n, d, seed, scale)
    v = tf.Variable(w)
    with tf.GradientTape() as tape:
        each = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=tf.linalg.matvec(X, v))
        loss = tf.reduce_mean(each)
    assert binary_cross_entropy(X @ w, y) == pytest.approx(float(loss), abs=1e-10)
    assert np.abs(logistic_gradient(w, X, y) - tape.gradient(loss, v).numpy()).max() < 1e-10

    W, X, Y = _multi(n, d, k, seed, scale)
    V = tf.Variable(W)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=Y, logits=X @ V))
    assert softmax_cross_entropy(X @ W, Y) == pytest.approx(float(loss), abs=1e-10)
    assert np.abs(softmax_gradient(W, X, Y) - tape.gradient(loss, V).numpy()).max() < 1e-10


def test_finite_differences_have_their_order():
    w, X, y = _binary(30, 4, 0)
    exact = logistic_gradient(w, X, y)

    def error(step, scheme):
        numeric = finite_difference_gradient(lambda v: binary_cross_entropy(X @ v, y), w, step, scheme)
        return np.abs(numeric - exact).max()

    assert error(1e-3, "forward") / error(1e-4, "forward") == pytest.approx(10, rel=0.05)
    assert error(1e-2, "central") / error(1e-3, "central") == pytest.approx(100, rel=0.05)


def test_finite_differences_leave_their_input_alone():
    w = np.array([1, 2])  # whole numbers must not truncate the step
    assert np.allclose(finite_difference_gradient(lambda v: (v**2).sum(), w), [2, 4], atol=1e-6)
    assert list(w) == [1, 2]


# --- what the article's loss does -----------------------------------------------------------------


@STEADY
@given(**SIZES)
def test_the_articles_bias_is_only_ever_pushed_up(n, d, seed):
    w, X, y = _binary(n, d, seed)
    y[0] = 1.0
    assert article_gradient(np.append(w, 0.3), with_bias(X), y)[-1] < 0


def test_the_articles_loss_falls_wherever_all_logits_rise():
    _, X, y = _binary(50, 3, 1)
    z = X.sum(axis=1)
    values = [article_loss(z + shift, y) for shift in (0, 5, 50, 500)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 1e-20


@STEADY
@given(q=st.floats(0.02, 0.98))
def test_brier_rewards_the_truth(q):
    p = np.linspace(0.01, 0.99, 99)
    mean = q * brier_loss(p, np.ones(99)) + (1 - q) * brier_loss(p, np.zeros(99))
    assert abs(p[mean.argmin()] - np.clip(q, 0.01, 0.99)) <= 0.0051


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: binary_cross_entropy([0.1, 0.2], [[0], [1]]), "broadcast"),
        (lambda: binary_cross_entropy([0.1, 0.2], [0, 2]), "between 0 and 1"),
        (lambda: binary_cross_entropy([0.1, 0.2], [0, np.nan]), "between 0 and 1"),
        (lambda: binary_cross_entropy([], []), "empty"),
        (lambda: binary_cross_entropy(["a"], [1]), "numbers"),
        (lambda: logistic_gradient([1.0], np.ones((2, 3)), [0, 1]), r"\(3,\)"),
        (lambda: logistic_gradient([1.0], np.ones(3), [0, 1, 1]), "row for each sample"),
        (lambda: logistic_gradient([1.0], np.ones((2, 1)), [[0], [1]]), "broadcast"),
        (lambda: softmax_gradient([1.0, 2.0], np.ones((2, 2)), np.eye(2)), r"\(2, K\)"),
        (lambda: softmax_cross_entropy(np.ones((2, 3)), np.zeros((2, 3))), "sum to 1"),
        (lambda: softmax_cross_entropy(np.ones(3), [1, 0, 0]), "row for each sample"),
        (lambda: bernoulli_cross_entropy(0.5, 1.5), "between 0 and 1"),
        (lambda: log_sum_exp(3.0), "axis"),
        (lambda: with_bias([1.0, 2.0]), "row for each sample"),
        (lambda: finite_difference_gradient(lambda w: w, [1.0, 2.0]), "one number"),
        (lambda: finite_difference_gradient(np.sum, [1.0], 0.0), "positive"),
        (lambda: finite_difference_gradient(np.sum, [1.0], 1e-5, "sideways"), "scheme"),
    ],
)
def test_bad_input_gets_one_sentence(call, says):
    with pytest.raises(ValueError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_everything_public_is_documented():
    assert all(getattr(losses, name).__doc__ for name in losses.__all__)
