"""Synthetic data whose best possible loss is known: inputs (n, d) and targets (n,).

Each function takes the number of samples, what describes the problem, and a
`numpy.random.Generator`; the same generator state gives the same data.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.inputs import whole

__all__ = ["coin_flips", "least_squares", "logistic"]


def _vector(weights: ArrayLike) -> NDArray[np.float64]:
    """`weights` as a finite float64 vector, else a ValueError."""
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 1 or w.size == 0 or not np.isfinite(w).all():
        raise ValueError(f"weights is a vector of finite numbers, shape (d,); got shape {w.shape}.")
    return w


def _generator(rng: Any) -> np.random.Generator:
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng is a numpy.random.Generator, as np.random.default_rng(0); got a {type(rng).__name__}.")
    return rng


def coin_flips(n: int, d: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Inputs that say nothing about their labels: the article's data (section 5.2; lesson 5.2).

    Returns X, shape (n, d), uniform on [0, 1), and y, shape (n,), int64: fair coin flips, independent
    of X. No classifier is right more than half the time on fresh samples, and the smallest possible
    loss is log 2 = 0.693 nats. Raises ValueError when n or d is not a whole number of at least 1.
    """
    n, d, rng = whole("n", n), whole("d", d), _generator(rng)
    return rng.random((n, d)), rng.integers(0, 2, size=n, dtype=np.int64)


def logistic(n: int, weights: ArrayLike, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Labels that a linear model can predict as well as they can be predicted (lesson 4.3).

    `weights`, shape (d,), are the true ones. Returns X, shape (n, d), standard normal, and y, shape
    (n,), int64: each is 1 with probability sigmoid(x . weights). The irreducible loss, in nats, is
    `course.linear.irreducible_loss(|weights|)`. Raises ValueError when n is not a whole number of at
    least 1 or weights is not a vector of finite numbers.
    """
    n, w, rng = whole("n", n), _vector(weights), _generator(rng)
    X = rng.standard_normal((n, w.size))
    probability = 0.5 * (1.0 + np.tanh(0.5 * (X @ w)))  # the sigmoid, safe for every logit
    return X, (rng.random(n) < probability).astype(np.int64)


def least_squares(
    n: int, weights: ArrayLike, sigma: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A linear signal with normal noise (lesson 4.3).

    `weights`, shape (d,), are the true ones and `sigma` is the noise's standard deviation. Returns X,
    shape (n, d), standard normal, and y = X @ weights + sigma * noise, shape (n,), float64. The
    irreducible mean squared error is sigma**2. Raises ValueError when n is not a whole number of at
    least 1, weights is not a vector of finite numbers, or sigma is negative or not finite.
    """
    n, w, rng = whole("n", n), _vector(weights), _generator(rng)
    if not (math.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma is a finite standard deviation, 0 or more; got {sigma!r}.")
    X = rng.standard_normal((n, w.size))
    return X, X @ w + sigma * rng.standard_normal(n)
