"""A line through best sizes on log-log axes: N_opt = G C^a, for isoflop and envelope."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from course.laws.result import Fit, Optimum

__all__ = ["exp", "line", "line_fit", "resampled_line", "tails"]

Array = NDArray[Any]


def exp(value: Any) -> float:
    """e to the power of `value`, as a float."""
    return float(np.exp(value))


def tails(level: float) -> list[float]:
    """The percentiles at both ends of an interval."""
    return [50 * (1 - level), 50 * (1 + level)]


def line(c: Array, best: Array, weight: Array) -> tuple[Array, Array]:
    """Height at the weighted mean of c, and slope, of the line through best (..., budgets); nan is left out."""
    w = np.where(np.isfinite(best), weight**2, 0.0)
    mid = np.average(c, weights=weight**2)
    y = np.where(np.isfinite(best), best, 0.0)
    total, first, second = w.sum(-1), (w * (c - mid)).sum(-1), (w * (c - mid) ** 2).sum(-1)
    flat, cross = (w * y).sum(-1), (w * y * (c - mid)).sum(-1)
    slope = (total * cross - first * flat) / (total * second - first**2)
    return (flat - slope * first) / total, slope


def resampled_line(c: Array, best: Array, draws: Array, weight: Array, level: float) -> dict[str, Array]:
    """G, a and b in each resample of the optima, (resamples, budgets), spread as wide as an honest interval needs.

    That is by Student's t, and by the scatter of the optima about the line over what their own errors explain.
    """
    height, slope = line(c, best, weight)
    with np.errstate(all="ignore"):
        heights, slopes = line(c, draws, weight)
    good = np.isfinite(slopes) & (np.isfinite(draws).sum(axis=-1) >= 2)
    heights, slopes = heights[good], slopes[good]
    mid, freedom = float(np.average(c, weights=weight**2)), max(len(c) - 2, 1)
    spread = np.maximum(np.nanstd(draws, axis=0), 1e-9)
    beyond = np.sqrt(np.sum(((best - height - slope * (c - mid)) / spread) ** 2) / freedom)
    student = stats.t.ppf(0.5 + level / 2, freedom) / stats.norm.ppf(0.5 + level / 2)
    widen = max(1.0, float(beyond * student))
    a = slope + widen * (slopes - slopes.mean())
    at_mid = height + widen * (heights - heights.mean())
    return {"G": np.exp(np.clip(at_mid - a * mid, -300, 300)), "a": a, "b": 1 - a}


def line_fit(
    law: str,
    c: Array,
    best: Array,
    weight: Array,
    samples: dict[str, Array],
    n_points: int,
    warnings: list[str],
    level: float,
    optima: list[Optimum],
) -> Fit:
    """The fit of a law N_opt = G C^a: a line through the logs of the best sizes over the logs of the budgets."""
    height, slope = line(c, best, weight)
    start = float(height - slope * np.average(c, weights=weight**2))
    residuals = best - start - slope * c
    ends = {name: np.percentile(values, tails(level)) for name, values in samples.items()}
    return Fit(
        law=law,
        params={"G": float(np.exp(start)), "a": float(slope), "b": float(1 - slope)},
        objective=float(np.sum((residuals * weight) ** 2)),
        n_points=n_points,
        residuals=residuals,
        interval={name: (float(low), float(high)) for name, (low, high) in ends.items()},
        standard_error={name: float(np.std(values)) for name, values in samples.items()},
        warnings=tuple(warnings),
        level=level,
        samples=samples,
        optima=tuple(sorted(optima, key=lambda one: one.flops)),
    )
