"""The best size for a budget, read from the lower envelope of learning curves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.laws.columns import labels, match
from course.laws.fitting import settings
from course.laws.lines import exp, line_fit
from course.laws.result import Fit, Optimum

__all__ = ["fit_envelope"]

Array = NDArray[Any]


def fit_envelope(
    flops: ArrayLike,
    n_params: ArrayLike,
    loss: ArrayLike,
    *,
    curves: Any = None,
    seeds: Any = None,
    bootstrap: int = 0,
    seed: int = 0,
    level: float = 0.95,
    notes: tuple[str, ...] = (),
) -> Fit:
    """N_opt = G C^a from the lower envelope of learning curves: at each compute, the size whose curve is lowest.

    flops, n_params, loss (n,): points of the curves, one curve a size (and seed; `curves` (n,) names them otherwise).
    Between its points a curve is straight on log-log axes. Each size that is best somewhere gives one point, the
    middle of its stretch of the envelope; stretches at either end, which the range of compute or of sizes cuts short,
    are left out. The bootstrap resamples whole curves. Raises ValueError for values that are not positive and finite, or
    fewer than two sizes inside the envelope. Source: Hoffmann et al. 2022, approach 1. Lesson 5.4.
    """
    settings(bootstrap, level, 1.0, 1)
    columns = match(flops=flops, n_params=n_params, loss=loss)
    C, N, L = (np.log(values) for values in columns.values())
    if curves is not None:
        named = labels(curves, len(L))
    else:
        seed_of = labels(seeds, len(L))
        named = np.unique(
            np.column_stack([N, np.zeros_like(N) if seed_of is None else seed_of]), axis=0, return_inverse=True
        )[1]
    assert named is not None
    grid = np.linspace(C.min(), C.max(), 1000)
    rows = [np.flatnonzero(named.ravel() == k) for k in range(int(named.max()) + 1)]
    rows = [r[np.argsort(C[r])] for r in rows if len(r) >= 2]
    if len(rows) < 4:
        raise ValueError(f"An envelope needs at least four curves of two points or more; got {len(rows)}.")
    sizes = np.array([N[r].mean() for r in rows])
    heights = np.array([np.interp(grid, C[r], L[r], left=np.inf, right=np.inf) for r in rows])
    c, best, low_loss = _stretches(grid, sizes, heights)
    if len(best) < 2:
        raise ValueError(
            f"{len(best)} size between the smallest and the largest has the lowest loss anywhere; the envelope needs two: "
            "add sizes, or points at more values of flops."
        )
    warnings = list(notes)
    if len(best) < 4:
        warnings.append(f"The envelope rests on {len(best)} sizes; an exponent that can be trusted needs four.")
    samples: dict[str, Array] = {}
    if bootstrap:
        rng = np.random.default_rng(seed)
        lines = []
        for picked in rng.integers(0, len(rows), size=(int(bootstrap), len(rows))):
            kept = np.unique(picked)
            cs, bs, _ = _stretches(grid, sizes[kept], heights[kept])
            if len(bs) >= 2 and np.ptp(cs) > 0:
                slope, height = np.polyfit(cs - c.mean(), bs, 1)
                lines.append((height, slope))
        if len(lines) < bootstrap / 2:
            warnings.append("Most resamples have no envelope to fit, so there are no intervals: add curves.")
        else:
            at_mid, a = np.array(lines).T
            samples = {"G": np.exp(np.clip(at_mid - a * c.mean(), -300, 300)), "a": a, "b": 1 - a}
    optima = [
        Optimum(exp(x), exp(n), exp(v), np.nan, np.nan, len(L), edge=False)
        for x, n, v in zip(c, best, low_loss, strict=True)
    ]
    return line_fit("envelope", c, best, np.ones(len(c)), samples, len(L), warnings, level, optima)


def _stretches(grid: Array, sizes: Array, heights: Array) -> tuple[Array, Array, Array]:
    """Middle of each inner size's stretch of the envelope, the size, and the loss there; all logarithms."""
    lowest = heights.min(axis=0)
    covered = np.flatnonzero(np.isfinite(lowest))
    won = np.full(len(grid), np.nan)
    won[covered] = sizes[heights[:, covered].argmin(axis=0)]
    cut = {won[covered[0]], won[covered[-1]]} | {sizes.min(), sizes.max()}
    inner = [size for size in np.unique(won[covered]) if size not in cut]
    middle = [float(grid[won == size].mean()) for size in inner]
    return np.array(middle), np.array(inner), np.interp(middle, grid[covered], lowest[covered])
