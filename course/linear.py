"""Linear models on standard normal features: their fits, and losses that need no test set.

Logistic regression, y = 1 with probability sigmoid(w . x), and least squares, y = w . x + noise. In: samples,
or only the true weights. Out: fitted weights, exact population losses in nats (or squared error), and what theory
predicts for their excess over the irreducible loss. Lesson 4.3 derives each function.

Shapes: X is (..., n, d) and y (..., n). The leading axes hold independent data sets, so that hundreds of seeds are
fitted in one call. Population quantities are exact because w . x is normal when x is (quadrature on one axis).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from threadpoolctl import threadpool_limits

__all__ = [
    "LogisticFit",
    "Slope",
    "bayes_error",
    "draw_excess",
    "excess_loss",
    "exponent_from_three",
    "fit_least_squares",
    "fit_logistic",
    "irreducible_loss",
    "log_log_slope",
    "mean_entropy",
    "mean_interval",
    "newton_step",
    "population_loss",
    "predicted_excess",
    "samples_needed",
]

Array = NDArray[Any]


# --- the floor ------------------------------------------------------------------------------------


def mean_entropy(p: ArrayLike) -> float:
    """Mean entropy in nats of coins that show 1 with the probabilities p, any shape.

    The smallest mean loss that any model can have on labels drawn with these probabilities. A certain label
    (p = 0 or 1) has entropy 0. Raises ValueError for values outside [0, 1]. Lesson 4.3.
    """
    prob = np.asarray(p, dtype=np.float64)
    if prob.size == 0 or not ((prob >= 0) & (prob <= 1)).all():
        raise ValueError("p must hold at least one probability, each between 0 and 1.")
    return float(np.mean(special.entr(prob) + special.entr(1 - prob)))


@cache
def _half_normal(nodes: int = 240) -> tuple[Array, Array]:
    """Gauss-Legendre nodes z and weights on [0, 9] for the mean of an even function of a standard normal z.

    Beyond 9 lies a probability of 1e-19. The nodes crowd at 0, where functions of a strong signal bend.
    """
    x, weight = np.polynomial.legendre.leggauss(nodes)
    z = 4.5 * (x + 1)
    return z, 4.5 * weight * 2 * stats.norm.pdf(z)


def _mean_of_even(f: Callable[[Array], Array], scale: ArrayLike) -> Array:
    """Mean of the even function f over scale * z, z standard normal; the shape of `scale`."""
    z, weight = _half_normal()
    return np.asarray(f(np.asarray(scale, dtype=np.float64)[..., None] * z) @ weight)


def _signal(value: ArrayLike) -> Array:
    signal = np.asarray(value, dtype=np.float64)
    if not (np.isfinite(signal) & (signal >= 0)).all():
        raise ValueError("signal is the length |w| of the true weights: a finite number, 0 or more.")
    return signal


def irreducible_loss(signal: ArrayLike) -> Any:
    """E in nats: the mean loss of the true model on x standard normal, y ~ Bernoulli(sigmoid(w . x)).

    `signal` is |w|, the standard deviation of the logit; a number gives a number, an array an array. 0 gives log 2.
    Raises ValueError when it is negative or not finite. Lesson 4.3.
    """
    found = _mean_of_even(lambda z: special.entr(special.expit(z)) + special.entr(special.expit(-z)), _signal(signal))
    return float(found) if found.ndim == 0 else found


def bayes_error(signal: ArrayLike) -> Any:
    """Share of labels that the best classifier gets wrong: the mean of min(p, 1 - p), p = sigmoid(|w| z).

    `signal` is |w|. 0 gives 1/2. Raises ValueError when it is negative or not finite. Lesson 4.3.
    """
    found = _mean_of_even(lambda z: special.expit(-np.abs(z)), _signal(signal))
    return float(found) if found.ndim == 0 else found


# --- losses without a test set --------------------------------------------------------------------


def _both(fitted: ArrayLike, true: ArrayLike) -> tuple[Array, Array]:
    v, w = np.asarray(fitted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if w.ndim != 1 or v.ndim == 0 or v.shape[-1] != w.size:
        raise ValueError(f"fitted must be (..., d) and true (d,), of the same d; got {v.shape} and {w.shape}.")
    return v, w


def population_loss(fitted: ArrayLike, true: ArrayLike) -> Array:
    """Mean cross-entropy in nats, over all possible samples, of the weights `fitted` (..., d) when `true` (d,) holds.

    Exact for standard normal x: E log(1 + e^z) - E[y z] with z = fitted . x. The first mean needs one quadrature; by
    Stein's lemma the second is (fitted . true) E[p (1 - p)]. nan weights give nan. Returns shape (...).
    Raises ValueError when the shapes do not match. Lesson 4.3.
    """
    v, w = _both(fitted, true)
    slope = _mean_of_even(lambda z: special.expit(z) * special.expit(-z), float(np.linalg.norm(w)))
    length = np.linalg.norm(v, axis=-1)
    # log(1 + e^z) = z/2 + |z|/2 + log(1 + e^-|z|), and the odd part z/2 has mean 0
    first = _mean_of_even(lambda z: z / 2 + np.log1p(np.exp(-z)), length)
    return np.asarray(first - (v @ w) * slope)


def excess_loss(fitted: ArrayLike, true: ArrayLike) -> Array:
    """`population_loss` minus the irreducible loss, in nats: what is lost by fitting to few samples. Lesson 4.3."""
    return np.asarray(population_loss(fitted, true) - irreducible_loss(float(np.linalg.norm(true))))


# --- fits -----------------------------------------------------------------------------------------


def _samples(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    x, t = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim < 2 or t.shape != x.shape[:-1]:
        raise ValueError(f"X must be (..., n, d) and y (..., n), a label for each row; got {x.shape} and {t.shape}.")
    if not (np.isfinite(x).all() and np.isfinite(t).all()):
        raise ValueError("X and y must be finite: find the nan or inf in them first.")
    return x, t


def _logits(x: Array, w: Array) -> Array:
    return np.asarray((x @ w[..., None])[..., 0])


def newton_step(w: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
    """The weights after one Newton step for logistic regression: w - H^-1 g, shape (..., d).

    g = X.T @ (p - y) / n is the gradient of the mean loss and H = X.T @ diag(p (1 - p)) @ X / n its matrix of second
    derivatives. Raises ValueError when the shapes do not match or H is singular. Lesson 4.3.
    """
    x, t = _samples(X, y)
    v = np.asarray(w, dtype=np.float64)
    if v.shape != (*x.shape[:-2], x.shape[-1]):
        raise ValueError(f"w must be {(*x.shape[:-2], x.shape[-1])} to match X of shape {x.shape}; got {v.shape}.")
    p = special.expit(_logits(x, v))
    try:
        return np.asarray(v - _solve(x, p * (1 - p), p - t))
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "The matrix of second derivatives is singular: with fewer samples than features, or probabilities "
            "that have reached 0 or 1, there is no single Newton step."
        ) from error


def _solve(x: Array, curvature: Array, residual: Array) -> Array:
    """(X.T diag(curvature) X)^-1 X.T residual for each data set."""
    xt = np.swapaxes(x, -1, -2)
    return np.asarray(np.linalg.solve((xt * curvature[..., None, :]) @ x, xt @ residual[..., None])[..., 0])


@dataclass(frozen=True)
class LogisticFit:
    """Fitted weights (..., d), nan where the data are separable; `separable` (...) says where; Newton `steps` taken."""

    weights: Array
    separable: Array
    steps: int

    @property
    def message(self) -> str:
        """One sentence on how the fit went."""
        bad, all_ = int(np.sum(self.separable)), int(np.size(self.separable))
        if not bad:
            return f"Converged in {self.steps} Newton steps."
        what = "The data are" if all_ == 1 else f"{bad} of {all_} data sets are"
        return (
            f"{what} separable: a plane divides the labels without error, the loss falls for ever as the weights grow, "
            "and there is no minimum to report; take more samples or fewer features."
        )


def fit_logistic(X: ArrayLike, y: ArrayLike, *, max_steps: int = 60, tol: float = 1e-6) -> LogisticFit:
    """The weights of least mean cross-entropy, without bias and without penalty, by damped Newton steps.

    X is (..., n, d), y (..., n) of 0 and 1; each leading index is a data set of its own. A fit ends when a step moves
    no weight by more than `tol`, or when every sample is on its right side: then the data are separable, and the
    weights are nan, because they would grow for ever. Raises ValueError when shapes do not match, labels are not 0
    and 1, or a data set has not converged after `max_steps`. Lesson 4.3.
    """
    x, t = _samples(X, y)
    if not ((t == 0) | (t == 1)).all():
        raise ValueError("The labels y must be 0 or 1.")
    shape, (n, d) = x.shape[:-2], x.shape[-2:]
    x, t = x.reshape(-1, n, d), t.reshape(-1, n)
    weights = np.full((len(x), d), np.nan)
    separable = np.full(len(x), n < d)  # with fewer samples than features a plane always exists
    active = np.flatnonzero(~separable)
    w, steps = np.zeros((len(active), d)), 0
    xa, ta = (x, t) if len(active) == len(x) else (x[active], t[active])
    z, small = np.zeros(ta.shape), np.ones(ta.shape)  # small is exp(-|z|), never above 1
    loss = np.full(len(active), math.log(2))
    while len(active) and steps < max_steps:
        steps += 1
        p = np.where(z >= 0, 1.0, small) / (1 + small)
        # saturated samples have next to no curvature: a floor keeps the system solvable, and the damping below
        # keeps the step downhill
        move = _solve(xa, np.maximum(p * (1 - p), 1e-12), p - ta)
        size = np.ones(len(active))
        for _ in range(30):
            z_new = _logits(xa, w - size[:, None] * move)
            small = np.exp(-np.abs(z_new))
            loss_new = np.mean(np.maximum(z_new, 0) + np.log(1 + small) - ta * z_new, axis=-1)
            uphill = loss_new > loss + 1e-12
            if not uphill.any():
                break
            size[uphill] /= 2
        w, z, loss = w - size[:, None] * move, z_new, loss_new
        apart = ((2 * ta - 1) * z > 0).all(axis=-1)
        done = ~apart & (np.abs(size[:, None] * move).max(axis=-1) <= tol)
        separable[active[apart]] = True
        weights[active[done]] = w[done]
        keep = ~(apart | done)
        if not keep.all():
            active, w, z, small, loss = active[keep], w[keep], z[keep], small[keep], loss[keep]
            xa, ta = xa[keep], ta[keep]
    if len(active):
        raise ValueError(
            f"{len(active)} of {len(x)} fits have not converged after {max_steps} Newton steps: the data are nearly "
            "separable; take more samples or fewer features."
        )
    return LogisticFit(weights.reshape(*shape, d), separable.reshape(shape), steps)


def fit_least_squares(X: ArrayLike, y: ArrayLike) -> Array:
    """The weights of least mean squared error, (X.T X)^-1 X.T y, shape (..., d), for X (..., n, d) and y (..., n).

    Raises ValueError when shapes do not match or n < d (the minimum is then not unique). Lesson 4.3.
    """
    x, t = _samples(X, y)
    if x.shape[-2] < x.shape[-1]:
        raise ValueError(f"{x.shape[-2]} samples do not determine {x.shape[-1]} weights: n must be at least d.")
    return _solve(x, np.ones(t.shape), t)


# --- what theory says -----------------------------------------------------------------------------


def predicted_excess(
    n: ArrayLike, d: int, kind: Literal["logistic", "least squares"] = "logistic", sigma: float = 1.0
) -> Any:
    """Expected excess loss of a fit to n samples with d weights.

    "logistic": d / (2n) nats, for large n/d (Wilks 1938: twice n times the excess is chi-squared with d degrees of
    freedom). "least squares": sigma^2 d / (n - d - 1), squared error, exact for normal x (the mean of an inverse
    Wishart matrix). Raises ValueError for n < 1, d < 1, or n <= d + 1 in least squares. Lesson 4.3.
    """
    size = np.asarray(n, dtype=np.float64)
    if d < 1 or not (size >= 1).all():
        raise ValueError("n and d must be at least 1.")
    if kind == "logistic":
        found = d / (2 * size)
    elif kind == "least squares":
        if not (size > d + 1).all():
            raise ValueError(f"The mean squared error is infinite unless n > d + 1; with d = {d} take n > {d + 1}.")
        found = sigma**2 * d / (size - d - 1)
    else:
        raise ValueError(f'kind is "logistic" or "least squares"; got {kind!r}.')
    return float(found) if found.ndim == 0 else found


def samples_needed(excess: float, d: int, sigma: float = 1.0) -> int:
    """The smallest n at which least squares has an expected excess of at most `excess`, a squared error.

    Solves sigma^2 d / (n - d - 1) = excess and rounds up. Raises ValueError when excess or sigma is not positive, or
    d < 1. Lesson 4.3.
    """
    if not (excess > 0 and sigma > 0 and d >= 1):
        raise ValueError("excess and sigma must be positive, and d at least 1.")
    return math.ceil(d + 1 + sigma**2 * d / excess)


# --- measuring it ---------------------------------------------------------------------------------


def draw_excess(
    n: int,
    true: ArrayLike,
    repeats: int,
    rng: np.random.Generator,
    kind: Literal["logistic", "least squares"] = "logistic",
    sigma: float = 1.0,
) -> Array:
    """Excess losses of fits to `repeats` fresh data sets of n samples each, shape (repeats,).

    Nats for "logistic" (nan where the data are separable), squared error for "least squares". Each is the exact
    population loss of the fitted weights minus the irreducible one. Drawn in blocks of a few MB. Lesson 4.3.
    """
    w = np.asarray(true, dtype=np.float64)
    with threadpool_limits(limits=1, user_api="blas"):  # small matrices are slower in two threads
        return _draw_excess(n, w, repeats, rng, kind, sigma)


def _draw_excess(n: int, w: Array, repeats: int, rng: np.random.Generator, kind: str, sigma: float) -> Array:
    found: list[Array] = []
    block = max(1, int(4e5) // (n * w.size))
    for start in range(0, repeats, block):
        count = min(block, repeats - start)
        X = rng.standard_normal((count, n, w.size))
        if kind == "logistic":
            y = rng.random((count, n)) < special.expit(X @ w)
            found.append(excess_loss(fit_logistic(X, y).weights, w))
        else:
            y = X @ w + sigma * rng.standard_normal((count, n))
            found.append(np.sum((fit_least_squares(X, y) - w) ** 2, axis=-1))
    return np.concatenate(found)


def mean_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of independent values, and the low and high end of its t-interval; nan values are left out.

    Raises ValueError when fewer than two values are left. Lesson 4.3.
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    x = x[~np.isnan(x)]
    if x.size < 2:
        raise ValueError("An interval needs at least two values that are not nan.")
    half = stats.t.ppf((1 + level) / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size)
    return float(x.mean()), float(x.mean() - half), float(x.mean() + half)


def exponent_from_three(losses: ArrayLike, ratio: float) -> float:
    """The exponent a of L = E + A n^-a from the losses at n, ratio * n and ratio^2 * n, whatever E and A are.

    The floor drops out of the differences: (L1 - L2) / (L2 - L3) = ratio^a. Raises ValueError unless there are three
    finite losses that fall, and fall ever more slowly, and ratio > 1. Lesson 4.3.
    """
    loss = np.asarray(losses, dtype=np.float64)
    if loss.shape != (3,) or not np.isfinite(loss).all() or not ratio > 1:
        raise ValueError("losses must be three finite numbers, at sizes that grow by the factor ratio > 1.")
    first, second = loss[0] - loss[1], loss[1] - loss[2]
    if not first > second > 0:
        raise ValueError("The three losses must fall, and fall more slowly: no power law with a floor does otherwise.")
    return float(math.log(first / second) / math.log(ratio))


@dataclass(frozen=True)
class Slope:
    """A slope on log-log axes, with the interval from `low` to `high`, and R^2."""

    slope: float
    low: float
    high: float
    r_squared: float

    def __str__(self) -> str:
        return f"{self.slope:.3f} [{self.low:.3f}, {self.high:.3f}]"


def log_log_slope(x: ArrayLike, y: ArrayLike, level: float = 0.95) -> Slope:
    """Least-squares slope of log y against log x: the exponent of y ~ x^slope, with its t-interval.

    x and y are positive and of one length, at least 3 points. The interval trusts that the points scatter independently
    and equally about a straight line. Raises ValueError otherwise. Lesson 4.3.
    """
    u, v = np.asarray(x, dtype=np.float64).ravel(), np.asarray(y, dtype=np.float64).ravel()
    if u.shape != v.shape or u.size < 3:
        raise ValueError(f"x and y must have the same length, at least 3; got {u.size} and {v.size}.")
    if not ((u > 0) & (v > 0) & np.isfinite(u) & np.isfinite(v)).all():
        raise ValueError("x and y must be positive and finite: their logarithms are taken.")
    line = stats.linregress(np.log(u), np.log(v))
    half = stats.t.ppf((1 + level) / 2, u.size - 2) * line.stderr
    return Slope(float(line.slope), float(line.slope - half), float(line.slope + half), float(line.rvalue**2))
