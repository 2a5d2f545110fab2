"""Synthetic data: shapes, types, the distributions promised, and one sentence for bad input."""

from __future__ import annotations

import numpy as np
import pytest

from course.data import synthetic
from course.linear import irreducible_loss


def test_coin_flips_say_nothing_about_their_labels():
    X, y = synthetic.coin_flips(40_000, 3, np.random.default_rng(0))
    assert X.shape == (40_000, 3) and X.dtype == np.float64 and y.shape == (40_000,) and y.dtype == np.int64
    assert X.min() >= 0 and X.max() < 1 and set(np.unique(y)) == {0, 1}
    assert abs(y.mean() - 0.5) < 4 * 0.5 / 200
    correlation = np.corrcoef(np.column_stack([X, y]).T)[-1, :-1]
    assert np.abs(correlation).max() < 4 / 200


def test_logistic_labels_follow_the_sigmoid():
    w = np.array([1.0, -2.0])
    X, y = synthetic.logistic(100_000, w, np.random.default_rng(1))
    assert X.shape == (100_000, 2) and y.shape == (100_000,) and y.dtype == np.int64
    z = X @ w
    loss = np.logaddexp(0, z) - y * z
    assert abs(loss.mean() - irreducible_loss(np.sqrt(5))) < 4 * loss.std() / np.sqrt(len(y))
    for low in (-3, -1, 0, 2):
        here = (z > low) & (z < low + 0.2)
        assert abs(y[here].mean() - 1 / (1 + np.exp(-low - 0.1))) < 5 / np.sqrt(4 * here.sum())


def test_logistic_survives_huge_weights():
    X, y = synthetic.logistic(50, [1e6, 0.0], np.random.default_rng(2))
    assert ((X[:, 0] > 0) == y).all()


def test_least_squares_has_the_signal_and_the_noise():
    X, y = synthetic.least_squares(100_000, [2.0, 0.0, 1.0], 0.5, np.random.default_rng(3))
    rest = y - X @ np.array([2.0, 0.0, 1.0])
    assert y.dtype == np.float64 and abs(rest.std() - 0.5) < 0.01 and abs(rest.mean()) < 0.01
    X, y = synthetic.least_squares(5, [2.0], 0.0, np.random.default_rng(3))
    np.testing.assert_allclose(y, 2 * X[:, 0])


def test_the_same_generator_gives_the_same_data():
    for draw in (
        lambda rng: synthetic.coin_flips(7, 2, rng),
        lambda rng: synthetic.logistic(7, [1.0], rng),
        lambda rng: synthetic.least_squares(7, [1.0], 1.0, rng),
    ):
        for a, b in zip(draw(np.random.default_rng(5)), draw(np.random.default_rng(5)), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda rng: synthetic.coin_flips(0, 2, rng), "n must be"),
        (lambda rng: synthetic.coin_flips(5, 2.5, rng), "d must be"),
        (lambda rng: synthetic.coin_flips(True, 2, rng), "n must be"),
        (lambda rng: synthetic.coin_flips(5, 2, 7), "Generator"),
        (lambda rng: synthetic.logistic(5, [[1.0]], rng), "weights"),
        (lambda rng: synthetic.logistic(5, [], rng), "weights"),
        (lambda rng: synthetic.logistic(5, [np.nan], rng), "weights"),
        (lambda rng: synthetic.least_squares(5, [1.0], -1.0, rng), "sigma"),
        (lambda rng: synthetic.least_squares(5, [1.0], float("inf"), rng), "sigma"),
    ],
)
def test_bad_input_gets_one_sentence(call, word):
    with pytest.raises(ValueError, match=word) as error:
        call(np.random.default_rng(0))
    assert "\n" not in str(error.value)
