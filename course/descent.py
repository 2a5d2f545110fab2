"""Gradient descent: the loop, how far a step may go, how fast the loss falls.

In: a function that gives the gradient at a point, a start, a step size. Out: the path, an array with
the start in row 0 and the point after t steps in row t. A diverged path is a result, not an error: its
rows grow until they are inf or nan. Lesson 4.2 derives everything here.

Symbols: step is the article's alpha (section 4.1); curvatures are the eigenvalues lambda of the
Hessian, the matrix H of second derivatives; a and b are exponents of a power-law spectrum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from course.inputs import finite, positive, whole
from course.losses import binary_cross_entropy, logistic_gradient

__all__ = [
    "Bowl",
    "ExponentFit",
    "adam",
    "asymptotic_loss",
    "best_heavy_ball",
    "best_step",
    "chebyshev_steps",
    "condition_number",
    "expected_loss",
    "first_below",
    "fit_exponent",
    "gradient_descent",
    "heavy_ball",
    "largest_stable_step",
    "least_squares_gradient",
    "least_squares_hessian",
    "least_squares_threshold",
    "logistic_hessian",
    "logistic_minimum",
    "logistic_threshold",
    "mode_losses",
    "noise_floor",
    "power_law_modes",
    "stability_threshold",
    "steps_by_method",
    "steps_to_shrink",
    "time_exponent",
    "worst_case",
]

Array = NDArray[np.float64]
Gradient = Callable[[Array], Any]


# --- reading what came in -------------------------------------------------------------------------


def _each_step(name: str, value: float | Sequence[float] | Array, steps: int) -> list[float]:
    """A number, or one number for each step, as a list of `steps` numbers."""
    array = finite(name, value) if steps or np.ndim(value) == 0 else np.zeros(0)
    if array.ndim == 0:
        return [float(array)] * steps
    if array.shape != (steps,):
        raise ValueError(f"{name} is one number, or one for each of the {steps} steps; got shape {array.shape}.")
    return [float(number) for number in array]


class _Path:
    """Keeps the points after the steps in `keep` (all of them when None), in that order."""

    def __init__(self, start: Array, steps: int, keep: Sequence[int] | NDArray[Any] | None) -> None:
        kept = np.arange(steps + 1) if keep is None else np.asarray(keep)
        if kept.ndim != 1 or kept.dtype.kind not in "iu" or kept.size == 0 or (np.diff(kept) <= 0).any():
            raise ValueError("keep must hold step numbers in increasing order, as whole numbers.")
        if kept[0] < 0 or kept[-1] > steps:
            raise ValueError(f"keep must lie between 0 and the {steps} steps; got {kept[0]} to {kept[-1]}.")
        self._row = {int(t): row for row, t in enumerate(kept)}
        self.points = np.empty((len(kept), *start.shape))
        self.add(0, start)

    def add(self, t: int, point: Array) -> None:
        row = self._row.get(t)
        if row is not None:
            self.points[row] = point


# --- the loops ------------------------------------------------------------------------------------


def gradient_descent(
    gradient: Gradient,
    start: ArrayLike,
    step: float | Sequence[float] | Array,
    steps: int,
    keep: Sequence[int] | NDArray[Any] | None = None,
) -> Array:
    """The path w, w - step * gradient(w), ... of `steps` updates (article, section 4.1; lesson 4.2).

    gradient: takes a point, returns its gradient, of the same shape; start: any shape (d,); step: one
    number, or one for each step. Returns (steps + 1, d), the start first. With `keep`, increasing step
    numbers, only those points are kept: (len(keep), d). The start is left as it was.
    Raises ValueError when an input can't be read or `steps` is no whole number.
    """
    count = whole("steps", steps, 0)
    w = finite("start", start)
    sizes = _each_step("step", step, count)
    path = _Path(w, count, keep)
    with np.errstate(over="ignore", invalid="ignore"):
        for t, size in enumerate(sizes):
            w = w - size * np.asarray(gradient(w))
            path.add(t + 1, w)
    return path.points


def heavy_ball(
    gradient: Gradient,
    start: ArrayLike,
    step: float | Sequence[float] | Array,
    momentum: float | Sequence[float] | Array,
    steps: int,
    keep: Sequence[int] | NDArray[Any] | None = None,
) -> Array:
    """Gradient descent with momentum: w + momentum * (w - previous w) - step * gradient(w).

    Polyak (1964), and Keras' `SGD(momentum=...)`. Arguments and result as in `gradient_descent`;
    momentum: one number, or one for each step. Lesson 4.2.
    """
    count = whole("steps", steps, 0)
    w = finite("start", start)
    sizes, betas = _each_step("step", step, count), _each_step("momentum", momentum, count)
    path = _Path(w, count, keep)
    previous = w
    with np.errstate(over="ignore", invalid="ignore"):
        for t, (size, beta) in enumerate(zip(sizes, betas, strict=True)):
            w, previous = w + beta * (w - previous) - size * np.asarray(gradient(w)), w
            path.add(t + 1, w)
    return path.points


def adam(
    gradient: Gradient,
    start: ArrayLike,
    step: float | Sequence[float] | Array,
    steps: int,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    keep: Sequence[int] | NDArray[Any] | None = None,
) -> Array:
    """Adam: each coordinate's step is divided by the root of its own mean squared gradient.

    Kingma and Ba (2015), Algorithm 1. Arguments and result as in `gradient_descent`. Lesson 4.2.
    """
    count = whole("steps", steps, 0)
    w = finite("start", start)
    sizes = _each_step("step", step, count)
    path = _Path(w, count, keep)
    mean, square = np.zeros_like(w), np.zeros_like(w)
    with np.errstate(over="ignore", invalid="ignore"):
        for t, size in enumerate(sizes, start=1):
            g = np.asarray(gradient(w))
            mean = beta1 * mean + (1 - beta1) * g
            square = beta2 * square + (1 - beta2) * g**2
            w = w - size * (mean / (1 - beta1**t)) / (np.sqrt(square / (1 - beta2**t)) + epsilon)
            path.add(t, w)
    return path.points


# --- bowls and curvatures -------------------------------------------------------------------------


@dataclass(frozen=True)
class Bowl:
    """The quadratic loss 1/2 w.T H w, smallest (0) at w = 0. `hessian` is H, (d, d), symmetric."""

    hessian: Array

    def __post_init__(self) -> None:
        H = finite("hessian", self.hessian)
        if H.ndim != 2 or H.shape[0] != H.shape[1] or not np.allclose(H, H.T):
            raise ValueError(f"hessian must be a symmetric matrix (d, d); got shape {H.shape}.")
        object.__setattr__(self, "hessian", H)

    @classmethod
    def from_curvatures(cls, curvatures: ArrayLike, degrees: float = 0.0) -> Bowl:
        """A bowl with these curvatures along the axes; the first two axes turned by `degrees`."""
        values = np.atleast_1d(finite("curvatures", curvatures))
        turn = np.eye(len(values))
        if degrees:
            c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
            turn[:2, :2] = [[c, -s], [s, c]]
        H = turn @ np.diag(values) @ turn.T
        return cls((H + H.T) / 2)

    def loss(self, w: ArrayLike) -> Array:
        """The loss at each point: (..., d) gives (...)."""
        point = np.asarray(w, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(0.5 * np.sum(point * (point @ self.hessian), axis=-1))

    def gradient(self, w: ArrayLike) -> Array:
        """The gradient H w at each point: (..., d) gives (..., d)."""
        return np.asarray(np.asarray(w, dtype=np.float64) @ self.hessian)


def _curvatures(hessian: ArrayLike) -> Array:
    """Eigenvalues, increasing, of a symmetric matrix (d, d); a vector (d,) holds them already."""
    H = np.atleast_1d(finite("hessian", hessian))
    if H.ndim == 1:
        return np.sort(H)
    if H.ndim != 2 or H.shape[0] != H.shape[1] or not np.allclose(H, H.T, rtol=1e-8, atol=1e-10 * np.abs(H).max()):
        raise ValueError(f"hessian must be a symmetric matrix (d, d) or the curvatures (d,); got shape {H.shape}.")
    return np.asarray(np.linalg.eigvalsh(H))


def _extremes(hessian: ArrayLike) -> tuple[float, float]:
    values = _curvatures(hessian)
    if values[0] <= 0:
        raise ValueError(f"Every curvature must be positive here; the smallest is {values[0]:.3g}.")
    return float(values[0]), float(values[-1])


def least_squares_hessian(X: ArrayLike) -> Array:
    """X.T @ X / n, (d, d): second derivatives of the loss mean((X @ w - y)**2) / 2. Lesson 4.2.

    Raises ValueError when X is not (n, d).
    """
    x = finite("X", X)
    if x.ndim != 2:
        raise ValueError(f"X must be (n, d), a row for each sample; got shape {x.shape}.")
    return np.asarray(x.T @ x / len(x))


def least_squares_gradient(w: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
    """X.T @ (X @ w - y) / n, (d,): gradient of the loss mean((X @ w - y)**2) / 2. Lesson 4.2."""
    x, target = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or target.shape != (len(x),):
        raise ValueError(f"X must be (n, d) and y (n,); got shapes {x.shape} and {target.shape}.")
    return np.asarray(x.T @ (x @ np.asarray(w, dtype=np.float64) - target) / len(x))


def logistic_hessian(w: ArrayLike, X: ArrayLike) -> Array:
    """X.T diag(p (1 - p)) X / n at w, (d, d), with p = sigmoid(X @ w): second derivatives of the mean
    cross-entropy. Since p (1 - p) <= 1/4, no curvature exceeds a quarter of `least_squares_hessian`'s largest.

    Raises ValueError when the shapes of w (d,) and X (n, d) do not match. Lesson 4.2.
    """
    x, weights = finite("X", X), finite("w", w)
    if x.ndim != 2 or weights.shape != x.shape[1:]:
        raise ValueError(f"X must be (n, d) and w (d,); got shapes {x.shape} and {weights.shape}.")
    p = special.expit(x @ weights)
    return np.asarray(x.T @ (x * (p * (1 - p))[:, None]) / len(x))


def largest_stable_step(hessian: ArrayLike) -> float:
    """2 / largest curvature: gradient descent on a bowl converges below it and diverges above. Lesson 4.2.

    hessian: (d, d), or the curvatures (d,). Raises ValueError when no curvature is positive.
    """
    return 2.0 / positive("The largest curvature", float(_curvatures(hessian)[-1]))


def best_step(hessian: ArrayLike) -> float:
    """2 / (smallest + largest curvature): the constant step whose slowest direction is fastest. Lesson 4.2."""
    low, high = _extremes(hessian)
    return 2.0 / (low + high)


def best_heavy_ball(hessian: ArrayLike) -> tuple[float, float]:
    """Step and momentum of the fastest heavy ball on a bowl (Polyak 1964). Lesson 4.2.

    With r = sqrt(condition number): momentum ((r - 1) / (r + 1))**2, step 4 / (sum of the two roots)**2.
    """
    low, high = np.sqrt(_extremes(hessian))
    return float(4 / (low + high) ** 2), float(((high - low) / (high + low)) ** 2)


def condition_number(hessian: ArrayLike) -> float:
    """Largest curvature over smallest. Raises ValueError when a curvature is not positive. Lesson 4.2."""
    low, high = _extremes(hessian)
    return high / low


def steps_to_shrink(kappa: float, factor: float) -> int:
    """Fewest steps of size 1 / largest curvature after which the loss of every direction of a bowl with
    condition number kappa is at least `factor` times smaller.

    The slowest direction loses a share 1/kappa of its error a step, so its loss is multiplied by
    (1 - 1/kappa)**2. Raises ValueError unless kappa >= 1 and factor >= 1. Lesson 4.2.
    """
    if not (kappa >= 1 and factor >= 1):
        raise ValueError(f"kappa and factor must be at least 1; got {kappa!r} and {factor!r}.")
    if kappa == 1:
        return 0 if factor == 1 else 1
    return int(np.ceil(np.log(factor) / (-2 * np.log1p(-1 / kappa))))


def chebyshev_steps(count: int, smallest: float, largest: float) -> Array:
    """The `count` step sizes that do best on every bowl with curvatures in [smallest, largest].

    The inverse roots of the Chebyshev polynomial stretched over the interval (Young 1953), in an
    order that keeps rounding errors small: small and large steps alternate. Lesson 4.2.
    """
    number = whole("count", count)
    low, high = positive("smallest", smallest), positive("largest", largest)
    if low > high:
        raise ValueError("smallest must not exceed largest.")
    roots = np.cos(np.pi * (2 * np.arange(number) + 1) / (2 * number))
    sizes = 1 / ((high + low) / 2 + (high - low) / 2 * roots)
    order = [index for pair in zip(range(number), reversed(range(number)), strict=True) for index in pair][:number]
    return np.asarray(sizes[order])


def worst_case(steps: ArrayLike, smallest: float, largest: float, points: int = 2001) -> float:
    """Largest factor by which these step sizes, taken in turn, multiply the loss of a direction whose
    curvature lies in [smallest, largest]; below 1 they help every direction. Lesson 4.2.
    """
    sizes = np.atleast_1d(np.asarray(steps, dtype=np.float64))
    curvatures = np.geomspace(positive("smallest", smallest), positive("largest", largest), points)
    curvatures = np.union1d(curvatures, np.linspace(smallest, largest, points))
    with np.errstate(all="ignore"):
        return float(np.max(np.prod(1 - np.outer(curvatures, sizes), axis=1) ** 2))


def stability_threshold(works: Callable[[float], bool], low: float, high: float, rtol: float = 1e-5) -> float:
    """The step size where `works(step)` turns from True to False, found by halving [low, high] in the log.

    Raises ValueError when it does not work at `low` or still works at `high`. Lesson 4.2.
    """
    low, high = positive("low", low), positive("high", high)
    if not works(low) or works(high):
        raise ValueError(f"works must be true at low = {low:g} and false at high = {high:g}; widen the range.")

    def sign(log: float) -> float:
        return 1.0 if works(float(np.exp(log))) else -1.0

    return float(np.exp(optimize.bisect(sign, np.log(low), np.log(high), xtol=rtol)))


def least_squares_threshold(X: ArrayLike, y: ArrayLike, steps: int = 2000) -> float:
    """The longest step that still trains least squares, found by trial, to 1 part in 100,000. Lesson 4.2.

    A step works if, from w = 0, the loss is no higher after `steps` steps than 5 % earlier. X: (n, d); y: (n,).
    The search starts from half of and twice the `largest_stable_step`. Raises ValueError when the shapes
    do not match.
    """
    H = least_squares_hessian(X)
    h = -least_squares_gradient(np.zeros(len(H)), X, y)  # the gradient is H w - h
    count = whole("steps", steps, 20)

    def still_falls(step: float) -> bool:
        kept = [count - count // 20, count]
        path = gradient_descent(lambda w: H @ w - h, np.zeros(len(H)), step, count, keep=kept)
        with np.errstate(over="ignore", invalid="ignore"):
            before, after = (0.5 * w @ H @ w - h @ w for w in path)  # the loss, but for a constant
        return bool(np.isfinite(after) and after <= before + 1e-12 * abs(before))  # or it has arrived

    limit = largest_stable_step(H)
    return stability_threshold(still_falls, 0.5 * limit, 2 * limit)


def logistic_minimum(X: ArrayLike, y: ArrayLike) -> Array:
    """The weights (d,) at which the mean cross-entropy is smallest, by Newton's method in a trust region.

    X: (n, d); y: (n,), 0 or 1. A finite minimum is needed: labels that a plane separates have none.
    Raises ValueError when none is found. Lesson 4.2.
    """
    x, labels = finite("X", X), finite("y", y)
    fit = optimize.minimize(
        lambda w: binary_cross_entropy(x @ w, labels),
        np.zeros(x.shape[1]),
        jac=lambda w: logistic_gradient(w, x, labels),
        hess=lambda w: logistic_hessian(w, x),
        method="trust-exact",
        options={"gtol": 1e-10, "maxiter": 500},
    )
    if np.abs(fit.jac).max() > 1e-8 or np.abs(x @ fit.x).min() > 15:
        raise ValueError("No minimum found; a plane may separate the labels, and then the loss has none.")
    return np.asarray(fit.x)


def logistic_threshold(X: ArrayLike, y: ArrayLike) -> float:
    """The longest step at which descent returns to the minimum of the mean cross-entropy, found by trial, to
    1 part in 100,000. Lesson 4.2.

    The start is 0.0001 away from the minimum, along its steepest direction; a step works if the distance
    along it is smaller after 25 steps than after 5. X: (n, d); y: (n,), 0 or 1. The search starts from
    0.8 and 1.4 times the `largest_stable_step` at the minimum.
    """
    x, labels = finite("X", X), finite("y", y)
    centre = logistic_minimum(x, labels)
    curvatures, axes = np.linalg.eigh(logistic_hessian(centre, x))
    steepest = axes[:, -1]

    def shrinks(step: float) -> bool:
        start = centre + 1e-4 * steepest
        path = gradient_descent(lambda w: logistic_gradient(w, x, labels), start, step, 25, keep=[5, 25])
        before, after = np.abs((path - centre) @ steepest)
        return bool(after < before)

    limit = largest_stable_step(curvatures)
    return stability_threshold(shrinks, 0.8 * limit, 1.4 * limit)


# --- how many steps -------------------------------------------------------------------------------


def first_below(losses: ArrayLike, share: float) -> float:
    """The first step at which the loss is at most `share` times the start's; nan when it never is.

    losses: (T,), the start's first. Lesson 4.2.
    """
    loss = np.asarray(losses, dtype=np.float64)
    if loss.ndim != 1 or loss.size == 0:
        raise ValueError(f"losses must be a vector with at least the start's loss; got shape {loss.shape}.")
    (reached,) = np.nonzero(loss <= share * loss[0])
    return float(reached[0]) if len(reached) else float("nan")


def steps_by_method(kappa: float, trials: int = 5, seed: int = 6, share: float = 1e-4) -> dict[str, float]:
    """Steps until the loss of a bowl is `share` of the start's: median over `trials` random starts, by method.

    The bowl has ten weights and curvatures evenly spaced in the log from 1 to kappa. Plain descent and the
    heavy ball have their best constant settings, Adam the step 0.1; Adam meets the bowl with its axes along the
    weights and turned by a random rotation. Plain descent is nan above kappa = 1,000, where it would
    take too long. Lesson 4.2.
    """
    rng = np.random.default_rng(seed)
    curvatures = np.geomspace(1, kappa, 10)
    bowl = Bowl(np.diag(curvatures))
    found: dict[str, list[float]] = {
        name: [] for name in ("gradient descent", "momentum", "Adam, turned", "Adam, axes")
    }
    for _ in range(whole("trials", trials)):
        start = rng.normal(size=10)
        turn = stats.ortho_group.rvs(10, random_state=rng)  # a random rotation
        turned = Bowl(turn @ np.diag(curvatures) @ turn.T)
        paths = {
            "momentum": heavy_ball(bowl.gradient, start, *best_heavy_ball(curvatures), 1000),
            "Adam, turned": adam(turned.gradient, turn @ start, 0.1, 1500),
            "Adam, axes": adam(bowl.gradient, start, 0.1, 1500),
        }
        if kappa <= 1000:
            count = min(8 * int(kappa) + 50, 3000)
            paths["gradient descent"] = gradient_descent(bowl.gradient, start, best_step(curvatures), count)
        for name, path in paths.items():
            found[name].append(first_below((turned if name == "Adam, turned" else bowl).loss(path), share))
    return {name: float(np.median(counts)) if counts else float("nan") for name, counts in found.items()}


# --- power-law spectra ----------------------------------------------------------------------------


def power_law_modes(
    modes: int, a: float, b: float, rng: np.random.Generator | None = None, draws: int | None = None
) -> tuple[Array, Array]:
    """Curvatures k**-b and initial errors c_k with curvature * c_k**2 = k**-a, for k = 1 ... modes.

    With `rng` the errors are drawn: normal, with mean 0 and these squares as variances. Returns
    curvatures (modes,) and errors (modes,), or (draws, modes) with `draws`. Needs a > 1 (else the
    loss grows without limit as modes are added) and b > 0; raises ValueError otherwise. Lesson 4.2.
    """
    count = whole("modes", modes)
    time_exponent(a, b)
    k = np.arange(1, count + 1, dtype=np.float64)
    curvatures, errors = k**-b, k ** ((b - a) / 2)
    if rng is not None:
        shape = (count,) if draws is None else (whole("draws", draws), count)
        errors = errors * rng.standard_normal(shape)
    return curvatures, errors


def mode_losses(curvatures: ArrayLike, errors: ArrayLike, step: float, times: ArrayLike) -> Array:
    """What each mode adds to the loss after `times` steps: curvature * error**2 * (1 - step * curvature)**(2 t) / 2.

    curvatures and errors: (K,); times: (T,). Returns (T, K). Lesson 4.2.
    """
    lam, c = finite("curvatures", curvatures), finite("errors", errors)
    if lam.ndim != 1 or c.shape != lam.shape:
        raise ValueError(f"curvatures and errors must both be (K,); got shapes {lam.shape} and {c.shape}.")
    t = np.atleast_1d(finite("times", times))
    with np.errstate(over="ignore"):
        return np.asarray(0.5 * lam * c**2 * np.abs(1 - step * lam) ** (2 * t[:, None]))


def expected_loss(curvatures: ArrayLike, errors: ArrayLike, step: float, times: ArrayLike) -> Array:
    """The loss of gradient descent on a bowl after `times` steps, exactly: `mode_losses` summed. (T,)"""
    return np.asarray(mode_losses(curvatures, errors, step, times).sum(axis=1))


def time_exponent(a: float, b: float) -> float:
    """(a - 1) / b: with curvatures k**-b and modes that each hold k**-a / 2 of the loss, it falls as t**-this.

    Raises ValueError unless a > 1 and b > 0. Lesson 4.2.
    """
    if not (a > 1 and b > 0):
        raise ValueError(f"a must exceed 1 and b must exceed 0; got a = {a!r}, b = {b!r}.")
    return (a - 1) / b


def asymptotic_loss(a: float, b: float, step: float, times: ArrayLike) -> Array:
    """The loss of `power_law_modes` with infinitely many modes, at late times: Gamma(s) / (2 b) * (2 step t)**-s
    with s = `time_exponent(a, b)`. Lesson 4.2 derives it.
    """
    s = time_exponent(a, b)
    return np.asarray(special.gamma(s) / (2 * b) * (2 * step * finite("times", times)) ** -s)


@dataclass(frozen=True)
class ExponentFit:
    """A line through log loss against log time. `exponent` is minus its slope, [low, high] its 95 % interval
    if the residuals were independent; `constant` is the fitted loss at time 1; `r_squared` is the line's."""

    exponent: float
    low: float
    high: float
    constant: float
    r_squared: float


def fit_exponent(times: ArrayLike, losses: ArrayLike) -> ExponentFit:
    """Fit loss = constant * time**-exponent by least squares in the logs (scipy.stats.linregress). Lesson 4.2.

    times and losses: (T,), positive, T >= 3. Raises ValueError otherwise.
    """
    t, loss = finite("times", times), finite("losses", losses)
    if t.ndim != 1 or t.shape != loss.shape or len(t) < 3 or (t <= 0).any() or (loss <= 0).any():
        raise ValueError("times and losses must be two vectors of the same three or more positive numbers.")
    line = stats.linregress(np.log(t), np.log(loss))
    half = float(stats.t.ppf(0.975, len(t) - 2) * line.stderr)
    slope = float(line.slope)
    return ExponentFit(-slope, -slope - half, -slope + half, float(np.exp(line.intercept)), float(line.rvalue**2))


# --- noise ----------------------------------------------------------------------------------------


def noise_floor(step: float, gradient_variance: float) -> float:
    """step / 4 * gradient_variance: the excess loss at which a small constant step hovers when every
    gradient carries noise whose variances, summed over the coordinates, are `gradient_variance`. Lesson 4.2.
    """
    return positive("step", step) / 4 * positive("gradient_variance", gradient_variance)
