"""Losses, in nats, and their gradients: coin flips, logistic regression, softmax.

In: logits `z` (any real number) and labels; for a linear model the weights, features and labels.
Out: a loss in nats per sample, or its gradient, which always has the shape of the weights.
Every function stays finite for logits of any size. Lesson 4.1 derives each of them.

Shapes: n samples, d features, K classes. X is (n, d), w is (d,), y is (n,) with values in [0, 1];
for softmax W is (d, K) and Y is (n, K), each row a distribution (one-hot for a hard label).
A bias is the weight of a feature that is always 1 (`with_bias`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = [
    "article_gradient",
    "article_loss",
    "bernoulli_cross_entropy",
    "binary_cross_entropy",
    "brier_loss",
    "finite_difference_gradient",
    "log_sum_exp",
    "logistic_gradient",
    "logistic_loss",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softmax_gradient",
    "with_bias",
]

Array = NDArray[Any]


# --- reading what came in -------------------------------------------------------------------------


def _floats(name: str, value: ArrayLike) -> Array:
    """`value` as an array of floats (float32 stays float32)."""
    try:
        array = np.asarray(value)
        array = array if array.dtype.kind == "f" else array.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as an array of numbers: {error}") from error
    if array.size == 0:
        raise ValueError(f"{name} is empty; give at least one sample.")
    return array


def _labels(name: str, value: ArrayLike, like: Array) -> Array:
    """Labels in [0, 1], of the shape of `like`."""
    y = _floats(name, value)
    if y.shape != like.shape:
        raise ValueError(
            f"{name} has shape {y.shape} where the logits have shape {like.shape}; "
            "make them equal with reshape, or they would be broadcast against each other."
        )
    if not ((y >= 0) & (y <= 1)).all():
        raise ValueError(f"{name} must lie between 0 and 1; found values from {y.min():g} to {y.max():g}.")
    return y


def _linear_model(weights: ArrayLike, X: ArrayLike, *, columns: bool) -> tuple[Array, Array]:
    """Weights, (d, K) where `columns` else (d,), and features (n, d), checked against each other."""
    name = "W" if columns else "w"
    w, x = _floats(name, weights), _floats("X", X)
    if x.ndim != 2:
        raise ValueError(f"X must be (n, d), a row for each sample; got shape {x.shape}.")
    if w.ndim != (2 if columns else 1) or w.shape[0] != x.shape[1]:
        wanted = f"({x.shape[1]}, K)" if columns else f"({x.shape[1]},)"
        raise ValueError(f"{name} must have shape {wanted} to match the {x.shape[1]} features of X; got {w.shape}.")
    return w, x


def with_bias(X: ArrayLike) -> Array:
    """X (n, d) with a column of ones behind it: (n, d + 1). The last weight is then the bias.

    Raises ValueError when X is not (n, d).
    """
    x = _floats("X", X)
    if x.ndim != 2:
        raise ValueError(f"X must be (n, d), a row for each sample; got shape {x.shape}.")
    return np.column_stack([x, np.ones(len(x), dtype=x.dtype)])


# --- two classes ----------------------------------------------------------------------------------


def sigmoid(z: ArrayLike) -> Array:
    """Probability of class 1 at logit z: 1 / (1 + exp(-z)), of the shape of z. Lesson 4.1."""
    return np.asarray(special.expit(_floats("z", z)))


def bernoulli_cross_entropy(share: ArrayLike, p: ArrayLike) -> Array:
    """Mean loss in nats per toss when a share `share` of the tosses is 1 and the model says p.

    -(share log p + (1 - share) log(1 - p)), broadcast, with 0 log 0 = 0. Its minimum over p is at
    p = share, where it is the entropy of the coin; the rest is the Kullback-Leibler divergence.
    Raises ValueError for values outside [0, 1]. Lesson 4.1.
    """
    q, prob = _floats("share", share), _floats("p", p)
    for name, value in (("share", q), ("p", prob)):
        if not ((value >= 0) & (value <= 1)).all():
            raise ValueError(f"{name} is a probability and must lie between 0 and 1.")
    return np.asarray(np.abs(special.xlogy(q, prob) + special.xlog1py(1 - q, -prob)))  # no -0.0


def logistic_loss(logits: ArrayLike, y: ArrayLike) -> Array:
    """Loss of each sample in nats: max(z, 0) - z y + log(1 + exp(-|z|)), of the shape of the logits.

    The cross-entropy -(y log p + (1 - y) log(1 - p)) with p = sigmoid(z), rewritten so that no
    exponential overflows; the form of `tf.nn.sigmoid_cross_entropy_with_logits`.
    Raises ValueError when y has another shape or leaves [0, 1]. Lesson 4.1.
    """
    z = _floats("logits", logits)
    t = _labels("y", y, z)
    return np.asarray(np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))))


def binary_cross_entropy(logits: ArrayLike, y: ArrayLike) -> float:
    """Mean cross-entropy in nats per sample, from logits: the mean of `logistic_loss`. Lesson 4.1."""
    return float(np.mean(logistic_loss(logits, y)))


def logistic_gradient(w: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
    """Gradient of `binary_cross_entropy(X @ w, y)` in w: X.T @ (p - y) / n, shape (d,).

    Raises ValueError when the shapes of w (d,), X (n, d) and y (n,) do not match. Lesson 4.1.
    """
    w_, x = _linear_model(w, X, columns=False)
    z = x @ w_
    return np.asarray(x.T @ (special.expit(z) - _labels("y", y, z)) / len(x))


def article_loss(logits: ArrayLike, y: ArrayLike) -> float:
    """The loss as the article prints it (section 4.2): -(1/n) sum of y log p, in nats per sample.

    Samples with label 0 do not occur in it: it is smallest where the answer is always 1.
    Here to be examined, in lesson 4.1; train with `binary_cross_entropy`.
    """
    z = _floats("logits", logits)
    t = _labels("y", y, z)
    return float(np.mean(t * np.logaddexp(np.zeros((), z.dtype), -z)))


def article_gradient(w: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
    """Gradient of `article_loss(X @ w, y)` in w: X.T @ (y (p - 1)) / n, shape (d,). Lesson 4.1.

    Raises ValueError when the shapes do not match.
    """
    w_, x = _linear_model(w, X, columns=False)
    z = x @ w_
    return np.asarray(x.T @ (_labels("y", y, z) * -special.expit(-z)) / len(x))


def brier_loss(p: ArrayLike, y: ArrayLike) -> Array:
    """Squared error of a probability, (p - y)^2, for each sample (Brier 1950).

    Like cross-entropy it is a strictly proper scoring rule (Gneiting and Raftery 2007): on average it
    is smallest at the true probability. Raises ValueError when the shapes differ. Lesson 4.1.
    """
    prob = _floats("p", p)
    return np.asarray((prob - _labels("y", y, prob)) ** 2)


# --- K classes ------------------------------------------------------------------------------------


def log_sum_exp(z: ArrayLike) -> Array:
    """log(sum(exp(z))) over the last axis: (n, K) gives (n,). Finite for logits of any size.

    Raises ValueError for a single number. Lesson 4.1.
    """
    logits = _floats("z", z)
    if logits.ndim == 0:
        raise ValueError("z must have at least one axis, the classes; got a single number.")
    return np.asarray(special.logsumexp(logits, axis=-1))


def softmax(logits: ArrayLike) -> Array:
    """Probabilities over the last axis, exp(z_k) / sum of exp(z_j), of the shape of the logits. Lesson 4.1."""
    return np.asarray(special.softmax(_floats("logits", logits), axis=-1))


def softmax_cross_entropy(logits: ArrayLike, Y: ArrayLike) -> float:
    """Mean of -sum over k of Y_k log P_k in nats per sample; logits and Y are (n, K).

    Computed as log_sum_exp(z) - sum of Y_k z_k, which no logit can overflow.
    Raises ValueError when the shapes differ or a row of Y does not sum to 1. Lesson 4.1.
    """
    z = _floats("logits", logits)
    if z.ndim != 2:
        raise ValueError(f"The logits must be (n, K), a row for each sample; got shape {z.shape}.")
    t = _distributions(Y, z)
    return float(np.mean(np.sum(t * (log_sum_exp(z)[:, None] - z), axis=1)))


def softmax_gradient(W: ArrayLike, X: ArrayLike, Y: ArrayLike) -> Array:
    """Gradient of `softmax_cross_entropy(X @ W, Y)` in W: X.T @ (P - Y) / n, shape (d, K).

    Raises ValueError when the shapes of W (d, K), X (n, d) and Y (n, K) do not match. Lesson 4.1.
    """
    w, x = _linear_model(W, X, columns=True)
    z = x @ w
    return np.asarray(x.T @ (special.softmax(z, axis=1) - _distributions(Y, z)) / len(x))


def _distributions(Y: ArrayLike, like: Array) -> Array:
    t = _labels("Y", Y, like)
    if not np.allclose(t.sum(axis=-1), 1, atol=1e-6):
        raise ValueError("Each row of Y must sum to 1: a one-hot label or a distribution over the K classes.")
    return t


# --- a gradient without calculus ------------------------------------------------------------------


def finite_difference_gradient(
    f: Callable[[Array], Any], w: ArrayLike, step: float = 1e-5, scheme: Literal["central", "forward"] = "central"
) -> Array:
    """Gradient of the scalar function f at w by moving one coordinate at a time; the shape of w.

    central: (f(w + h) - f(w - h)) / 2h, error O(h^2); forward: (f(w + h) - f(w)) / h, error O(h).
    Rounding adds about 1e-16 |f| / h, so the best steps in float64 are near 1e-5 and 1e-8.
    Raises ValueError when the step is not positive or f does not return one number. Lesson 4.1.
    """
    if not step > 0:
        raise ValueError(f"The step must be positive; got {step:g}.")
    if scheme not in ("central", "forward"):
        raise ValueError(f'scheme is "central" or "forward"; got {scheme!r}.')
    at = np.array(_floats("w", w), dtype=float)

    def value(point: Array) -> float:
        result = np.asarray(f(point))
        if result.size != 1:
            raise ValueError(f"f must return one number, a loss; it returned shape {result.shape}.")
        return float(result.reshape(()))

    gradient = np.empty_like(at)
    for index in np.ndindex(at.shape):
        move = np.zeros_like(at)
        move[index] = step
        if scheme == "central":
            gradient[index] = (value(at + move) - value(at - move)) / (2 * step)
        else:
            gradient[index] = (value(at + move) - value(at)) / step
    return gradient
