"""The best size for a budget, read from runs at equal compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import Akima1DInterpolator

from course.laws.columns import labels, listed, match
from course.laws.fitting import settings
from course.laws.lines import exp, line_fit, resampled_line, tails
from course.laws.result import Fit, Optimum

__all__ = ["fit_isoflop"]

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
    without noise; all budgets then weigh the same). A budget whose smallest loss lies at the edge of its sizes is left
    out, with a warning. Budgets whose optimum is known less well than the median weigh less. b = 1 - a is the exponent
    of D_opt = C^b / (6 G).

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
        span = np.array([one.sizes[[0, -1]] for one in usable]).T
        draws = np.clip(draws, 2 * span[0] - span[1], 2 * span[1] - span[0])  # a nearly straight one ends anywhere
        ends = np.nanpercentile(draws, tails(level), axis=0)
        samples = resampled_line(c, best, draws, weight, level)
        if seed_of is not None and seed_of.max() == 0:
            warnings.append(
                "All runs share one seed: the intervals leave out how optima differ from seed to seed, so they are too "
                "narrow."
            )
    inside = [
        Optimum(one.flops, exp(b), exp(v), exp(low), exp(high), len(one.y), edge=False)
        for one, b, v, low, high in zip(usable, best, low_loss, *ends, strict=True)
    ]
    at_edge = [
        Optimum(one.flops, exp(one.x[one.y.argmin()]), exp(one.y.min()), np.nan, np.nan, len(one.y), edge=True)
        for one in edge
    ]
    return line_fit("isoflop", c, best, weight, samples, len(columns["loss"]), warnings, level, inside + at_edge)


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
