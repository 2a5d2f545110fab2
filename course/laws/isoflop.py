"""The best size for a budget, read from runs at equal compute ("isoflop") or from learning curves ("envelope")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.interpolate import Akima1DInterpolator

from course.laws.columns import labels, listed, match
from course.laws.fitting import settings
from course.laws.result import Fit, Optimum

__all__ = ["fit_envelope", "fit_isoflop"]

Array = NDArray[Any]
NEAR, WITHIN = 5, 4.0
"""The parabola of a budget goes through the sizes within a factor of 4 of the best one, and the 5 nearest at least."""


@dataclass(frozen=True, eq=False)
class _Budget:
    """The runs of one budget: log sizes x (n,), log losses y (n,), and the rows of the table they came from."""

    flops: float
    x: Array
    y: Array
    rows: Array

    @property
    def sizes(self) -> Array:
        return np.unique(self.x)

    def means(self) -> Array:
        """Mean log loss at each size, over seeds."""
        return np.array([self.y[self.x == size].mean() for size in self.sizes])

    def at_edge(self) -> bool:
        return int(np.argmin(self.means())) in {0, len(self.sizes) - 1}

    def near(self) -> Array:
        """Which runs are of the sizes nearest to the best one."""
        sizes, best = self.sizes, int(np.argmin(self.means()))
        first = max(0, min(best - NEAR // 2, len(sizes) - NEAR))
        chosen = np.abs(sizes - sizes[best]) <= np.log(WITHIN) + 1e-9
        chosen[first : first + NEAR] = True
        return np.isin(self.x, sizes[chosen])


def _budgets(flops: Array, n_params: Array, loss: Array, budget: ArrayLike | None) -> list[_Budget]:
    if budget is None:
        order = np.argsort(flops, kind="stable")
        step = np.diff(np.log(flops[order])) > np.log(1.25)
        group = np.empty(len(flops), dtype=int)
        group[order] = np.concatenate([[0], np.cumsum(step)])
        value = np.array([np.exp(np.log(flops[group == k]).mean()) for k in range(group.max() + 1)])
        if any(np.ptp(np.log(flops[group == k])) > np.log(2) for k in range(len(value))):
            raise ValueError(
                "The values of flops do not fall into budgets; name each run's budget in a column budget, or fit the "
                "law chinchilla, which needs none."
            )
    else:
        value, group = np.unique(match(flops=flops, budget=budget)["budget"], return_inverse=True)
    rows = [np.flatnonzero(group == k) for k in range(len(value))]
    return [_Budget(float(value[k]), np.log(n_params[r]), np.log(loss[r]), r) for k, r in enumerate(rows)]


# --- the optimum of one budget --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Parabola:
    """log loss = c0 + c1 t + c2 t^2 with t the log size about its mean, through the runs near the minimum."""

    mid: float
    design: Array
    solve: Array
    near: Array

    @classmethod
    def of(cls, budget: _Budget) -> _Parabola:
        near = budget.near()
        mid = float(budget.x[near].mean())
        t = budget.x[near] - mid
        design = np.stack([np.ones_like(t), t, t**2], axis=1)
        return cls(mid, design, np.linalg.pinv(design), near)

    def vertex(self, y: Array) -> tuple[Array, Array]:
        """Log of the best size and log of the loss there, for log losses (..., n); nan where it opens downwards."""
        c = y[..., self.near] @ self.solve.T
        curve = np.where(c[..., 2] > 0, c[..., 2], np.nan)
        t = -c[..., 1] / (2 * curve)
        return self.mid + t, c[..., 0] + c[..., 1] * t / 2

    def residuals(self, y: Array) -> Array:
        return np.asarray(y[self.near] - self.design @ (self.solve @ y[self.near]))

    def error(self, y: Array, sigma: float) -> float:
        """Standard error of the log of the best size when log losses have the standard deviation sigma."""
        c = self.solve @ y[self.near]
        slope = np.array([0.0, -1 / (2 * c[2]), c[1] / (2 * c[2] ** 2)])
        return float(sigma * np.linalg.norm(slope @ self.solve))


def _akima(budget: _Budget, y: Array) -> tuple[Array, Array]:
    """The same through an Akima spline of the mean log losses, for log losses (..., n)."""
    sizes = budget.sizes
    means = np.stack([y[..., budget.x == size].mean(axis=-1) for size in sizes])
    grid = np.linspace(sizes[0], sizes[-1], 2001)
    values = Akima1DInterpolator(sizes, means)(grid)
    best = np.argmin(values, axis=0)
    inner = (best > 0) & (best < len(grid) - 1)
    return np.where(inner, grid[best], np.nan), np.min(values, axis=0)


# --- isoflop --------------------------------------------------------------------------------------


def fit_isoflop(
    flops: ArrayLike,
    n_params: ArrayLike,
    loss: ArrayLike,
    *,
    budget: ArrayLike | None = None,
    method: str = "parabola",
    seeds: Any = None,
    bootstrap: int = 0,
    seed: int = 0,
    level: float = 0.95,
    bootstrap_by: str = "point",
    notes: tuple[str, ...] = (),
) -> Fit:
    """N_opt = G C^a: the best size at each budget, then a weighted line through them on log-log axes.

    flops, n_params, loss (n,), a row for each run; `budget` (n,) names the budget of each run, else runs whose flops
    differ by less than a quarter share one. The best size is the lowest point of a parabola in log N through the sizes
    within a factor of 4 of the smallest loss, five at least (`method="akima"`: of a spline through all sizes, for losses
    without noise; its budgets weigh the same).
    A budget whose smallest loss lies at the edge of its sizes is left out, with a warning. Each budget weighs as its
    optimum is known. b = 1 - a is the exponent of D_opt = C^b / (6 G).

    The bootstrap gives every run a new error: from the seeds at its size where each size has several (whole seeds with
    `bootstrap_by="seed"`), else from the residuals of the parabolas. Intervals are widened by Student's t, and by the
    scatter of the optima about the line where that is larger than their errors say.

    When alpha and beta differ, the loss is not symmetric about its minimum and parabolas over wide sizes are biased.
    Raises ValueError for values that are not positive and finite, or fewer than two budgets with an optimum inside.
    Source: Hoffmann et al. 2022, approach 2; Porian et al. 2024 for the spline. Lesson 5.4.
    """
    settings(bootstrap, level, 1.0, 1)
    if method not in {"parabola", "akima"}:
        raise ValueError(f'method is "parabola" or "akima"; got {method!r}.')
    columns = match(flops=flops, n_params=n_params, loss=loss)
    found = _budgets(columns["flops"], columns["n_params"], columns["loss"], budget)
    usable, edge, warnings = _usable(found, method)
    warnings = [*notes, *warnings]
    if len(usable) < 2:
        raise ValueError(
            f"{len(usable)} of {len(found)} budgets {'has' if len(usable) == 1 else 'have'} an optimum inside its sizes; "
            "a law needs two: add larger and smaller sizes to each budget, or more budgets."
        )
    parabolas = [_Parabola.of(one) for one in usable]
    left = np.concatenate([p.residuals(one.y) for p, one in zip(parabolas, usable, strict=True)])
    freedom = max(len(left) - 3 * len(usable), 1)
    sigma = float(np.sqrt(left @ left / freedom))
    error = np.array([p.error(one.y, sigma) for p, one in zip(parabolas, usable, strict=True)])
    weight = 1 / np.maximum(error, np.median(error) + 1e-12)
    if method == "akima":
        weight = np.ones(len(usable))

    def optima(draws: list[Array]) -> tuple[Array, Array]:
        if method == "akima":
            pairs = [_akima(one, y) for one, y in zip(usable, draws, strict=True)]
        else:
            pairs = [p.vertex(y) for p, y in zip(parabolas, draws, strict=True)]
        return np.stack([p[0] for p in pairs], axis=-1), np.stack([p[1] for p in pairs], axis=-1)

    c = np.log([one.flops for one in usable])
    best, low_loss = optima([one.y for one in usable])
    if len(usable) < 4 or np.ptp(c) < np.log(10):
        warnings.append(
            f"The line rests on {len(usable)} budgets over {np.ptp(c) / np.log(10):.1f} decades; an exponent that can be "
            "trusted needs four, over more than one decade."
        )
    seed_of = labels(seeds, len(columns["loss"]))
    ends = np.full((2, len(usable)), np.nan)
    samples: dict[str, Array] = {}
    if bootstrap:
        rng = np.random.default_rng(seed)
        noise = _noise(usable, parabolas, seed_of, bootstrap_by, bootstrap, rng)
        draws, _ = optima([one.y + e for one, e in zip(usable, noise, strict=True)])
        ends = np.nanpercentile(draws, _tails(level), axis=0)
        samples = _resampled_line(c, best, draws, weight, level)
        if seed_of is not None and seed_of.max() == 0:
            warnings.append(
                "All runs share one seed: the intervals leave out how optima differ from seed to seed, so they are too "
                "narrow."
            )
    inside = [
        Optimum(one.flops, _exp(b), _exp(v), _exp(low), _exp(high), len(one.y), edge=False)
        for one, b, v, low, high in zip(usable, best, low_loss, *ends, strict=True)
    ]
    at_edge = [
        Optimum(one.flops, _exp(one.x[one.y.argmin()]), _exp(one.y.min()), np.nan, np.nan, len(one.y), edge=True)
        for one in edge
    ]
    return _line_fit("isoflop", c, best, weight, samples, len(columns["loss"]), warnings, level, inside + at_edge)


def _usable(found: list[_Budget], method: str) -> tuple[list[_Budget], list[_Budget], list[str]]:
    """Budgets with an optimum inside their sizes, those with it at the edge, and the warnings about the rest."""
    few = [one for one in found if len(one.sizes) < 4]
    edge = [one for one in found if one not in few and one.at_edge()]
    usable = [one for one in found if one not in few and one not in edge]
    lowest = {id(one): float(_parabola_or_akima(one, method)) for one in usable}
    flat = [one for one in usable if not np.isfinite(lowest[id(one)])]
    outside = [one for one in usable if lowest[id(one)] < one.sizes[0] or lowest[id(one)] > one.sizes[-1]]
    usable = [one for one in usable if one not in flat and one not in outside]
    said = []
    for group, why in (
        (few, "fewer than four sizes"),
        (edge + outside, "the smallest loss at the edge of its sizes: try larger and smaller ones"),
        (flat, "losses without a minimum among its sizes"),
    ):
        if group:
            names = listed([f"{one.flops:.3g}" for one in group])
            said.append(f"Left out: budget{'s' * (len(group) > 1)} {names} FLOPs, with {why}.")
    return usable, edge + outside, said


def _parabola_or_akima(one: _Budget, method: str) -> Array:
    return _akima(one, one.y)[0] if method == "akima" else _Parabola.of(one).vertex(one.y)[0]


def _exp(value: Any) -> float:
    return float(np.exp(value))


def _tails(level: float) -> list[float]:
    return [50 * (1 - level), 50 * (1 + level)]


def _line(c: Array, best: Array, weight: Array) -> tuple[Array, Array]:
    """Height at the weighted mean of c, and slope, of the line through best (..., budgets); nan is left out."""
    w = np.where(np.isfinite(best), weight**2, 0.0)
    mid = np.average(c, weights=weight**2)
    y = np.where(np.isfinite(best), best, 0.0)
    total, first, second = w.sum(-1), (w * (c - mid)).sum(-1), (w * (c - mid) ** 2).sum(-1)
    flat, cross = (w * y).sum(-1), (w * y * (c - mid)).sum(-1)
    slope = (total * cross - first * flat) / (total * second - first**2)
    return (flat - slope * first) / total, slope


def _resampled_line(c: Array, best: Array, draws: Array, weight: Array, level: float) -> dict[str, Array]:
    """G, a, b in each resample, spread as wide as an honest interval needs; "raw" spreads are the resamples' own."""
    height, slope = _line(c, best, weight)
    with np.errstate(all="ignore"):
        heights, slopes = _line(c, draws, weight)
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


def _line_fit(
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
    height, slope = _line(c, best, weight)
    start = float(height - slope * np.average(c, weights=weight**2))
    residuals = best - start - slope * c
    ends = {name: np.percentile(values, _tails(level)) for name, values in samples.items()}
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


def _noise(
    usable: list[_Budget],
    parabolas: list[_Parabola],
    seed_of: Array | None,
    by: str,
    draws: int,
    rng: np.random.Generator,
) -> list[Array]:
    """New errors (draws, n) for the runs of each budget.

    Deviations from the mean over the seeds at a size, widened by sqrt(k / (k - 1)), where there are k >= 2 seeds; else
    the residuals of all parabolas together, widened for the three parameters of each.
    """
    if by not in {"point", "seed"}:
        raise ValueError(f'bootstrap_by is "point" or "seed"; got {by!r}.')
    if by == "seed" and (seed_of is None or seed_of.max() < 1):
        raise ValueError('bootstrap_by="seed" needs a column seed with at least two seeds.')
    if seed_of is not None and seed_of.max() >= 1:
        return _seed_noise(usable, seed_of, by, draws, rng)
    left = np.concatenate([p.residuals(one.y) for p, one in zip(parabolas, usable, strict=True)])
    pool = left * np.sqrt(len(left) / max(len(left) - 3 * len(usable), 1))
    return [rng.choice(pool, size=(draws, len(one.y))) for one in usable]


def _seed_noise(usable: list[_Budget], seed_of: Array, by: str, draws: int, rng: np.random.Generator) -> list[Array]:
    many = int(seed_of.max()) + 1
    whole = rng.integers(0, many, size=(draws, many))  # which seed takes the place of which
    out = []
    for one in usable:
        errors = np.zeros((draws, len(one.y)))
        for size in one.sizes:
            at = np.flatnonzero(one.x == size)
            k = len(at)
            if k < 2:
                continue
            off = (one.y[at] - one.y[at].mean()) * np.sqrt(k / (k - 1))
            place = {int(seed_of[one.rows[i]]): j for j, i in enumerate(at)}
            if by == "seed" and len(place) == many == k:
                chosen = np.vectorize(place.__getitem__)(whole[:, [int(seed_of[one.rows[i]]) for i in at]])
            else:
                chosen = rng.integers(0, k, size=(draws, k))
            errors[:, at] = off[chosen]
        out.append(errors)
    return out


# --- envelope -------------------------------------------------------------------------------------


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
        at_mid, a = np.array(lines).T
        samples = {"G": np.exp(at_mid - a * c.mean()), "a": a, "b": 1 - a}
    optima = [
        Optimum(_exp(x), _exp(n), _exp(v), np.nan, np.nan, len(L), edge=False)
        for x, n, v in zip(c, best, low_loss, strict=True)
    ]
    return _line_fit("envelope", c, best, np.ones(len(c)), samples, len(L), warnings, level, optima)


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
