"""How many models, sizes and seeds an experiment needs before it is run.

In: the sizes, the noise of one run's log loss, the number of seeds, the floor if there is one. Out: how well the exponent
of L = A N^-alpha (or E + A N^-alpha) will be known, how many seeds show a difference. Lesson 3.4 derives and simulates each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from threadpoolctl import threadpool_limits

from course.inputs import finite, positive, whole

__all__ = [
    "Plan",
    "exponent_error",
    "floor_exponent_error",
    "seeds_for_difference",
    "seeds_for_exponent",
    "simulate_exponents",
    "spread_interval",
]

Array = NDArray[np.float64]


def _sizes(sizes: ArrayLike, least: int) -> Array:
    n = finite("sizes", sizes)
    if n.ndim != 1 or len(np.unique(n)) < least or (n <= 0).any():
        raise ValueError(f"sizes must hold at least {least} different positive numbers.")
    return n


def _z(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1; got {level!r}.")
    return float(stats.norm.ppf(0.5 + level / 2))


# --- the noise ------------------------------------------------------------------------------------


def spread_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """Standard deviation of normal values, and the ends of its interval (from chi-squared).

    values: (..., seeds); the leading axes are groups, each with its own mean, whose spreads are pooled. Raises
    ValueError for fewer than two seeds. Lesson 3.4.
    """
    x = finite("values", values)
    if x.ndim < 1 or x.shape[-1] < 2:
        raise ValueError("A spread needs at least two seeds on the last axis.")
    degrees = x.size - x.size // x.shape[-1]
    total = float(np.sum((x - x.mean(axis=-1, keepdims=True)) ** 2))
    tail = (1 - level) / 2 if 0 < level < 1 else math.nan
    low, high = (math.sqrt(total / stats.chi2.ppf(q, degrees)) for q in (1 - tail, tail))
    return math.sqrt(total / degrees), low, high


def seeds_for_difference(difference: float, sigma: float, level: float = 0.95, power: float = 0.8) -> int:
    """Seeds for each of two settings, so that a true difference is seen with probability `power`.

    2 (z_level + z_power)^2 (sigma / difference)^2, rounded up, at least 2: "seen" is an interval of the difference of
    the two means that leaves 0 out. difference and sigma (of one run) in the same unit. The normal formula; for fewer than
    about 6 seeds, where sigma itself is hardly known, take one or two more. Lesson 3.4.
    """
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1; got {power!r}.")
    ratio = positive("sigma", sigma) / positive("difference", difference)
    return max(2, math.ceil(2 * (_z(level) + float(stats.norm.ppf(power))) ** 2 * ratio**2 - 1e-9))


# --- the exponent ---------------------------------------------------------------------------------


def exponent_error(sizes: ArrayLike, sigma: float, seeds: int = 1) -> float:
    """Standard deviation of the fitted alpha of L = A N^-alpha.

    sigma / (sqrt(seeds) sqrt(sum (log N - mean)^2)), natural logarithms: least squares of log loss, one independent
    normal error of deviation `sigma` in each run's log loss. sizes: (k,). Raises ValueError for fewer than two
    different sizes. Lesson 3.4.
    """
    u = np.log(_sizes(sizes, 2))
    return positive("sigma", sigma) / math.sqrt(whole("seeds", seeds) * float(np.sum((u - u.mean()) ** 2)))


def floor_exponent_error(sizes: ArrayLike, sigma: float, seeds: int, alpha: float, floor: float) -> float:
    """Standard deviation of the fitted alpha of L = E + A N^-alpha, to first order.

    floor: E as a share of the loss at the *smallest* size, 0 to below 1. E is unknown to the fit. The inverse of the
    information matrix of (log A, alpha, E) for log losses with errors of deviation `sigma`: what no unbiased fit
    can beat (Cramer and Rao). Raises ValueError for fewer than three different sizes. Lesson 3.4.
    """
    n, a = _sizes(sizes, 3), positive("alpha", alpha)
    if not 0 <= floor < 1:
        raise ValueError(f"floor is a share of the first loss, from 0 to below 1; got {floor!r}.")
    u = np.log(n / n.min())
    reducible = (1 - floor) * np.exp(-a * u)
    loss = floor + reducible
    jacobian = np.stack([reducible / loss, -u * reducible / loss, 1 / loss], axis=1)
    scale = np.linalg.norm(jacobian, axis=0)
    inverse = np.linalg.pinv(jacobian / scale, rcond=1e-13)
    deviation = float(np.linalg.norm(inverse[1]) / scale[1])
    return deviation * positive("sigma", sigma) / math.sqrt(whole("seeds", seeds))


def seeds_for_exponent(
    within: float, sizes: ArrayLike, sigma: float, alpha: float = 0.3, floor: float | None = None, level: float = 0.95
) -> int:
    """Seeds of each size, so that the exponent's interval is `within` on either side; `floor` as above, None for no floor."""
    one = exponent_error(sizes, sigma) if floor is None else floor_exponent_error(sizes, sigma, 1, alpha, floor)
    return max(1, math.ceil((_z(level) * one / positive("within", within)) ** 2 - 1e-9))


@dataclass(frozen=True)
class Plan:
    """A design of `count` sizes over `decades`, and what it promises: `error`, half the 95 % interval of alpha."""

    count: int
    decades: float
    seeds: int
    sigma: float
    alpha: float
    floor: float

    @property
    def sizes(self) -> Array:
        """Sizes in units of the smallest, equal factors apart, (count,)."""
        return np.geomspace(1, 10**self.decades, self.count)

    @property
    def error(self) -> float:
        """Half the 95 % interval of alpha where E is known to be 0."""
        return _z(0.95) * exponent_error(self.sizes, self.sigma, self.seeds)

    @property
    def floor_error(self) -> float:
        """The same where E must be fitted too."""
        return _z(0.95) * floor_exponent_error(self.sizes, self.sigma, self.seeds, self.alpha, self.floor)


def simulate_exponents(plan: Plan, repeats: int = 200, seed: int = 0, fit_floor: bool = True) -> Array:
    """Exponents fitted to `repeats` made-up experiments of this plan, (repeats,).

    The losses are floor + (1 - floor) N^-alpha times exp(sigma noise / sqrt(seeds)). With `fit_floor` the law
    E + A N^-alpha, E and A not negative, is fitted by least squares of the relative error over a grid of alpha from
    0.02 to 3; without, a straight line. Lesson 3.4.
    """
    rng, n = np.random.default_rng(whole("seed", seed, 0)), plan.sizes
    noise = rng.normal(scale=plan.sigma / math.sqrt(plan.seeds), size=(whole("repeats", repeats), len(n)))
    loss = (plan.floor + (1 - plan.floor) * n**-plan.alpha) * np.exp(noise)
    with threadpool_limits(1):
        return _floor_fits(n, loss) if fit_floor else -np.polyfit(np.log(n), np.log(loss).T, 1)[0]


def _floor_fits(n: Array, loss: Array) -> Array:
    """For each alpha of a grid the best non-negative (E, A) in closed form; the alpha with the least error, refined."""
    grid = np.geomspace(0.02, 3, 150)
    weight = 1 / loss**2  # relative errors
    best = np.empty((len(grid), len(loss)))
    for i, alpha in enumerate(grid):
        x = n**-alpha
        s, sx, sxx = weight.sum(1), weight @ x, weight @ x**2
        sy, sxy = (weight * loss).sum(1), (weight * loss) @ x
        determinant = s * sxx - sx**2
        floor = (sxx * sy - sx * sxy) / determinant
        slope = (s * sxy - sx * sy) / determinant
        at_zero = floor < 0
        floor, slope = np.where(at_zero, 0, floor), np.where(at_zero, sxy / sxx, slope)
        best[i] = np.sum(weight * (loss - floor[:, None] - slope[:, None] * x) ** 2, axis=1)
    at = np.clip(best.argmin(axis=0), 1, len(grid) - 2)
    columns, step = np.arange(len(loss)), math.log(grid[1] / grid[0])
    low, mid, high = (best[at + k, columns] for k in (-1, 0, 1))
    bend = low - 2 * mid + high
    move = np.divide(0.5 * (low - high), bend, out=np.zeros_like(mid), where=bend > 0)
    return np.asarray(grid[at] * np.exp(step * np.clip(move, -1, 1)))
