"""Laws of one variable: y = A x^-alpha, with a floor E, with a break; and the choice among them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.laws.columns import labels, match, needs
from course.laws.fitting import TINY, Problem, nonnegative, solve
from course.laws.result import Fit
from course.laws.robust import Curvature, Model, Powers

__all__ = ["fit_broken", "fit_power", "fit_power_floor"]

Array = NDArray[Any]
CURVE_DELTA = 1e-2
"""Curves have few points and mostly noise of a per cent or two: a wider square than that of the surfaces uses them better."""


def fit_power(x: ArrayLike, y: ArrayLike, *, seeds: Any = None, **options: Any) -> Fit:
    """y = A x^-alpha: a straight line on log-log axes, fitted to log y. Options as in `fit`.

    Raises ValueError for values that are not positive and finite, fewer than 2 points, or one x only.
    """
    return _fit("power", 2, power_problem, x, y, seeds, options)


def fit_power_floor(x: ArrayLike, y: ArrayLike, *, seeds: Any = None, **options: Any) -> Fit:
    """y = E + A x^-alpha with E, A >= 0. Options as in `fit`; needs 3 points at 3 values of x or more.

    For given alpha the law is linear in E and A, which gives each start its best E and A. Source: Hestness et al. 2017.
    """
    return _fit("power-floor", 3, floor_problem, x, y, seeds, options)


def fit_broken(x: ArrayLike, y: ArrayLike, *, seeds: Any = None, **options: Any) -> Fit:
    """A power law with floor whose exponent changes smoothly from alpha to alpha2 at x_break; needs 6 points or more.

    y = E + A x^-alpha (1 + (x / x_break)^(1/f))^(-(alpha2 - alpha) f) with f the sharpness, small for a sharp bend.
    Source: Caballero et al. 2022, one break. Options as in `fit`.
    """
    return _fit("broken", 6, broken_problem, x, y, seeds, options)


def _fit(law: str, parameters: int, build: Any, x: ArrayLike, y: ArrayLike, seeds: Any, options: dict[str, Any]) -> Fit:
    columns = match(x=x, y=y)
    needs(law, len(columns["x"]), parameters, **columns)
    different = len(np.unique(columns["x"]))
    if different < min(parameters, 3):
        raise ValueError(f"The law {law} needs at least {min(parameters, 3)} different values of x; got {different}.")
    options.setdefault("delta", CURVE_DELTA)
    return solve(build(columns["x"], columns["y"]), seeds=labels(seeds, len(columns["x"])), **options)


def power_problem(x: Array, y: Array) -> Problem:
    """theta = (log A at the mean x, alpha): a convex problem, so one start is enough."""
    u, log_y = np.log(x), np.log(y)
    mid = float(u.mean())
    features = np.stack([np.ones_like(u), mid - u], axis=1)

    def starts(rng: np.random.Generator, count: int) -> Array:
        return np.linalg.lstsq(features, log_y, rcond=None)[0][None]

    def public(theta: Array) -> dict[str, Array]:
        return {"A": np.exp(theta[:, 0] + theta[:, 1] * mid), "alpha": theta[:, 1]}

    return Problem(
        "power", log_y, Powers(features), starts, lambda theta: theta[None], public,
        np.array([-np.inf, -20.0]), np.array([np.inf, 20.0]), {"alpha": 1}, {"x": x}, floor=False,
    )  # fmt: skip


def floor_problem(x: Array, y: Array) -> Problem:
    """theta = (log E, log A at the mean x, alpha)."""
    u, log_y = np.log(x), np.log(y)
    mid, least = float(u.mean()), float(log_y.min())
    one = np.ones_like(u)
    sign = 1.0 if np.polyfit(u, log_y, 1)[0] <= 0 else -1.0  # a curve that rises has a negative exponent

    def profile(alpha: Array) -> Array:
        terms = np.stack([np.broadcast_to(one, (len(alpha), len(u))), np.exp(alpha[:, None] * (mid - u))], axis=1) / y
        c = np.log(np.maximum(nonnegative(terms), np.exp(least) * 1e-3))
        return np.column_stack([c, alpha])

    def starts(rng: np.random.Generator, count: int) -> Array:
        return profile(sign * np.exp(rng.uniform(np.log(0.03), np.log(3.0), count)))

    def again(theta: Array) -> Array:
        other = profile(np.array([2.0, 0.5]) * theta[2])
        return np.concatenate([theta[None], other])

    def public(theta: Array) -> dict[str, Array]:
        E = np.where(theta[:, 0] > least - TINY + 0.1, np.exp(theta[:, 0]), 0.0)
        return {"E": E, "A": np.exp(theta[:, 1] + theta[:, 2] * mid), "alpha": theta[:, 2]}

    model = Powers(one[:, None], np.stack([one, mid - u], axis=1))
    low, high = np.array([least - TINY, least - TINY, -20.0]), np.array([np.inf, np.inf, 20.0])
    return Problem(
        "power-floor", log_y, model, starts, again, public, low, high, {"alpha": 2}, {"x": x},
    )  # fmt: skip


def broken_problem(x: Array, y: Array) -> Problem:
    """theta = (log E, log A at the break, alpha, alpha2, log x_break, log sharpness)."""
    u, log_y = np.log(x), np.log(y)
    least, first, last = float(log_y.min()), float(u.min()), float(u.max())
    one = np.ones_like(u)

    def shape(alpha: Array, alpha2: Array, knot: Array, f: Array) -> tuple[Array, Array, Array]:
        t = (u - knot[:, None]) / f[:, None]
        soft = np.logaddexp(0, t) * f[:, None]
        return -alpha[:, None] * (u - knot[:, None]) - (alpha2 - alpha)[:, None] * soft, soft, t

    def model(theta: Array) -> tuple[Array, Array, Curvature | None]:
        e, a, alpha, alpha2, knot, log_f = theta.T
        f = np.exp(log_f)
        log_term, soft, t = shape(alpha, alpha2, knot, f)
        log_term = log_term + a[:, None]
        value = np.logaddexp(e[:, None], log_term)
        share = np.exp(log_term - value)
        on = 1 / (1 + np.exp(-np.clip(t, -500, 500)))
        change = (alpha2 - alpha)[:, None]
        slopes = np.stack(
            [
                1 - share,
                share,
                share * (soft - (u - knot[:, None])),
                -share * soft,
                share * (alpha[:, None] + change * on),
                -share * change * (soft - on * (u - knot[:, None])),
            ],
            axis=1,
        )
        return value, slopes, None

    def profile(alpha: Array, alpha2: Array, knot: Array, log_f: Array) -> Array:
        term = np.exp(np.clip(shape(alpha, alpha2, knot, np.exp(log_f))[0], -200, 200))
        terms = np.stack([np.broadcast_to(one, term.shape), term], axis=1) / y
        c = np.log(np.maximum(nonnegative(terms), np.exp(least) * 1e-3))
        return np.column_stack([c, alpha, alpha2, knot, log_f])

    def starts(rng: np.random.Generator, count: int) -> Array:
        alpha, alpha2 = np.exp(rng.uniform(np.log(0.02), np.log(2.0), (2, count)))
        return profile(alpha, alpha2, rng.uniform(first, last, count), np.log(rng.choice([0.1, 0.3, 1.0], count)))

    def again(theta: Array) -> Array:
        return theta[None]

    def public(theta: Array) -> dict[str, Array]:
        E = np.where(theta[:, 0] > least - TINY + 0.1, np.exp(theta[:, 0]), 0.0)
        A = np.exp(theta[:, 1] + theta[:, 2] * theta[:, 4])
        return {
            "E": E, "A": A, "alpha": theta[:, 2], "alpha2": theta[:, 3],
            "x_break": np.exp(theta[:, 4]), "sharpness": np.exp(theta[:, 5]),
        }  # fmt: skip

    low = np.array([least - TINY, least - TINY, -5.0, -5.0, first, np.log(0.03)])
    high = np.array([np.inf, np.inf, 10.0, 10.0, last, np.log(3.0)])
    guarded: Model = model
    return Problem(
        "broken", log_y, guarded, starts, again, public, low, high, {"alpha": 2, "alpha2": 3}, {"x": x},
    )  # fmt: skip
