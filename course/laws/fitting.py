"""One way to fit every law: many starts, the best of them, resamples, intervals, and sentences of warning.

A `Problem` is a law on given points: its model for the optimiser, starts, and the way from the optimiser's variables
(centred logarithms) to the law's named parameters. `solve` does the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from course.laws.result import FORMULAS, Fit
from course.laws.robust import Fits, Model, minimise

__all__ = ["Problem", "nonnegative", "settings", "solve"]

Array = NDArray[Any]
TINY = 18.0
"""A term smaller than e^-18 of the loss is reported as 0."""
MOST_RESAMPLES = 20_000
"""More would change no interval, and fill the memory."""


@dataclass(frozen=True)
class Problem:
    """A law on its points. `y` (n,) is the log of what is fitted; `model` is in the optimiser's variables theta.

    `starts(rng, count)` gives (count, p); `again(theta)` the starts (k, p) of a resample; `public(theta)` the named
    parameters as arrays (S,); `exponents` names the parameters that a warning watches; `spans` maps columns to values.
    """

    law: str
    y: Array
    model: Model
    starts: Callable[[np.random.Generator, int], Array]
    again: Callable[[Array], Array]
    public: Callable[[Array], dict[str, Array]]
    low: Array
    high: Array
    exponents: dict[str, int]
    spans: dict[str, Array]
    derived: tuple[str, ...] = ()
    floor: bool = True  # theta starts with the log of a floor E


def nonnegative(columns: Array) -> Array:
    """Non-negative c (S, k) that minimise the squared length of columns.T @ c - 1, for columns (S, k, n), k <= 3.

    Every set of columns is solved and the best with no negative coefficient taken: exact, and batched.
    """
    count, k = columns.shape[:2]
    gram, right = columns @ columns.swapaxes(1, 2), columns.sum(axis=2)
    gram = gram + 1e-14 * np.einsum("sii->s", gram)[:, None, None] * np.eye(k)
    best, found = np.full(count, np.inf), np.zeros((count, k))
    for size in range(1, k + 1):
        for chosen in itertools.combinations(range(k), size):
            part = list(chosen)
            c = np.linalg.solve(gram[:, part][:, :, part], right[:, part, None])[:, :, 0]
            value = np.where((c >= 0).all(axis=1), -(c * right[:, part]).sum(axis=1), np.inf)
            better = value < best
            best[better] = value[better]
            found[better] = 0
            found[better[:, None] & np.isin(np.arange(k), part)] = c[better].ravel()
    return found


def settings(bootstrap: Any, level: float, delta: float, starts: int) -> None:
    """Raise ValueError when an option is out of range."""
    if not 0 < level < 1:
        raise ValueError(f"level is the share of an interval, between 0 and 1, such as 0.95; got {level!r}.")
    if not delta > 0:
        raise ValueError(
            f"delta is where the Huber loss turns from a square into a line and must be positive; got {delta!r}."
        )
    if isinstance(starts, bool) or not isinstance(starts, int | np.integer) or starts < 1:
        raise ValueError(f"starts must be a whole number of at least 1; got {starts!r}.")
    if np.ndim(bootstrap) == 0 and (
        isinstance(bootstrap, bool) or not isinstance(bootstrap, int | np.integer) or bootstrap < 0
    ):
        raise ValueError(f"bootstrap is a number of resamples, 0 for none; got {bootstrap!r}.")
    if np.ndim(bootstrap) == 0 and bootstrap > MOST_RESAMPLES:
        raise ValueError(
            f"bootstrap takes at most {MOST_RESAMPLES:,} resamples, and 1,000 are plenty; got {bootstrap:,}."
        )


def solve(
    problem: Problem,
    *,
    bootstrap: int | Array = 0,
    seed: int = 0,
    level: float = 0.95,
    delta: float = 1e-3,
    starts: int = 64,
    seeds: Array | None = None,
    bootstrap_by: str = "point",
    resample: str = "auto",
    notes: tuple[str, ...] = (),
) -> Fit:
    """Fit a problem: the best of `starts` starts, then `bootstrap` resamples from there.

    `bootstrap` may be an array of counts (resamples, n), to repeat a published bootstrap draw for draw. `resample`:
    "points" draws runs with replacement, "residuals" keeps the runs and draws their errors, "auto" takes points from 20
    points a parameter on: with fewer, draws without a whole corner of the sweep make the intervals far too wide.
    """
    settings(bootstrap, level, delta, starts)
    rng = np.random.default_rng(seed)
    fits = minimise(
        problem.model, problem.y, problem.starts(rng, starts), delta=delta, low=problem.low, high=problem.high
    )
    at = int(np.argmin(fits.objective))
    theta, best = fits.theta[at], float(fits.objective[at])
    share = float(np.mean(fits.objective <= best * 1.001 + 1e-18 * len(problem.y)))
    value, slopes, _ = problem.model(theta[None])
    residuals = problem.y - value[0]
    names = FORMULAS[problem.law].names + problem.derived
    params = {name: float(number[0]) for name, number in problem.public(theta[None]).items()}
    params = {name: params[name] for name in names}
    intervals: dict[str, tuple[float, float]] = {}
    errors: dict[str, float] = {}
    samples: dict[str, Array] = {}
    exact = len(problem.y) <= len(theta)  # nothing is left over to resample
    if np.ndim(bootstrap) or (bootstrap and not exact):
        draws, widen = _resample(
            problem, theta, bootstrap, rng, delta, level, seeds, bootstrap_by, resample, value[0], residuals
        )
        errors = {name: float(np.std(values)) for name, values in problem.public(draws).items() if name in names}
        samples = problem.public(_wider(problem, theta, draws, widen))
        tail = 100 * (1 - level) / 2
        for name in names:
            low, high = np.percentile(samples[name], [tail, 100 - tail])
            intervals[name] = (float(low), float(high))
    warnings = (
        *notes,
        *([_exact(problem.law, len(problem.y))] if exact else []),
        *_short(problem.spans),
        *_unidentified(problem, theta, params, intervals, residuals, slopes[0], level),
        *([_few(share, starts)] if share < 0.2 else []),
        *_structure(problem, residuals),
        *_seeds(seeds, bootstrap_by, bool(samples)),
    )
    return Fit(
        law=problem.law,
        params=params,
        objective=best,
        n_points=len(problem.y),
        residuals=residuals,
        starts_at_optimum=share,
        interval=intervals,
        standard_error=errors,
        warnings=warnings,
        level=level,
        samples=samples,
    )


# --- resamples ------------------------------------------------------------------------------------


def _resample(
    problem: Problem,
    theta: Array,
    bootstrap: int | Array,
    rng: np.random.Generator,
    delta: float,
    level: float,
    seeds: Array | None,
    by: str,
    resample: str,
    fitted: Array,
    residuals: Array,
) -> tuple[Array, float]:
    """theta of each resample (S, p), and the factor that widens their spread to an honest interval.

    A resample spreads too little when there are few points: by sqrt(n / (n - p)), and by Student's t against the normal
    distribution (Hesterberg 2015, "expanded percentile interval"). Whole seeds count as the points then.
    """
    if by not in {"point", "seed"}:
        raise ValueError(f'bootstrap_by is "point" or "seed"; got {by!r}.')
    if resample not in {"auto", "points", "residuals"}:
        raise ValueError(f'resample is "auto", "points" or "residuals"; got {resample!r}.')
    n, p = len(problem.y), len(theta)
    units, used = n, p
    target, counts = problem.y, None
    if np.ndim(bootstrap):
        counts = np.asarray(bootstrap, dtype=np.float64)
        if counts.ndim != 2 or counts.shape[1] != n or not (counts >= 0).all():
            raise ValueError(f"bootstrap as counts must have the shape (resamples, {n}); got {counts.shape}.")
    elif by == "seed":
        if seeds is None or seeds.max() < 1:
            raise ValueError('bootstrap_by="seed" needs a column seed with at least two seeds.')
        units, used = int(seeds.max()) + 1, 1
        counts = rng.multinomial(units, np.full(units, 1 / units), size=int(bootstrap))[:, seeds].astype(np.float64)
    elif resample == "points" or (resample == "auto" and n >= 20 * p):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=int(bootstrap)).astype(np.float64)
    else:
        errors = residuals * np.sqrt(n / max(n - p, 1))
        target = fitted + rng.choice(errors, size=(int(bootstrap), n))
    best: Fits | None = None
    for start in problem.again(theta):
        fits = minimise(
            problem.model, target, start[None], weights=counts, delta=delta, low=problem.low, high=problem.high
        )
        if best is None:
            best = fits
        else:
            better = fits.objective < best.objective
            best = Fits(
                np.where(better[:, None], fits.theta, best.theta),
                np.where(better, fits.objective, best.objective),
                np.where(better, fits.converged, best.converged),
                best.steps + fits.steps,
            )
    assert best is not None
    freedom = max(units - used, 1)
    student = stats.t.ppf(0.5 + level / 2, freedom) / stats.norm.ppf(0.5 + level / 2)
    return best.theta, float(student * np.sqrt(units / freedom))


def _wider(problem: Problem, theta: Array, draws: Array, widen: float) -> Array:
    """The draws with their distances from theta multiplied by `widen`: of the floor itself, of the others in theta."""
    out = np.clip(theta + widen * (draws - theta), problem.low, problem.high)
    if problem.floor:
        level = np.exp(theta[0]) + widen * (np.exp(draws[:, 0]) - np.exp(theta[0]))
        out[:, 0] = np.log(np.maximum(level, np.exp(problem.low[0])))
    return out


# --- warnings -------------------------------------------------------------------------------------


def _short(spans: dict[str, Array]) -> list[str]:
    said = []
    for name, values in spans.items():
        decades = float(np.log10(values.max() / values.min()))
        least = 1.0 if name == "x" else 1.5
        if decades < least:
            said.append(
                f"{name} covers {decades:.1f} decades; over less than {least:g} a power law is hard to tell from other "
                "curves, so trust no prediction far outside."
            )
    return said


def _unidentified(
    problem: Problem,
    theta: Array,
    params: dict[str, float],
    intervals: dict[str, tuple[float, float]],
    residuals: Array,
    slopes: Array,
    level: float,
) -> list[str]:
    """Sentences on exponents that the points do not fix, and on a floor at its bound."""
    said = []
    matrix = slopes @ slopes.T
    scale = np.sqrt(np.diag(matrix) + 1e-300)
    inverse = np.linalg.pinv(matrix / np.outer(scale, scale), rcond=1e-12)
    freedom = max(len(residuals) - len(theta), 1)
    error = np.sqrt(np.maximum(np.diag(inverse), 0) * (residuals @ residuals) / freedom) / scale
    for name, column in problem.exponents.items():
        low, high = intervals.get(name, (params[name] - 2 * error[column], params[name] + 2 * error[column]))
        at_bound = theta[column] <= problem.low[column] or theta[column] >= problem.high[column]
        if low <= 0 <= high or high - low > abs(params[name]) or at_bound:
            said.append(
                f"The exponent {name} is not identified: {params[name]:.3g}, {level:.0%} interval "
                f"{low:.3g} to {high:.3g}; add runs over a wider range."
            )
    if params.get("E") == 0.0:
        said.append("The floor E is at its bound 0: these points do not show where the loss levels off.")
    elif "E" in intervals and intervals["E"][0] == 0.0:
        said.append(f"The floor E is not identified: its interval goes from 0 to {intervals['E'][1]:.3g}.")
    return said


def _exact(law: str, points: int) -> str:
    return (
        f"The law {law} has as many parameters as there are points, {points}: it goes through all of them whatever they "
        "are, so there are no intervals; add runs."
    )


def _few(share: float, starts: int) -> str:
    return (
        f"Only {share:.0%} of {starts} starts reached the best optimum found; raise starts to make sure that there is "
        "no better one."
    )


def _structure(problem: Problem, residuals: Array) -> list[str]:
    """Sentences on a shape that the law leaves over.

    A runs test on the signs of the residuals along each column, and for a surface along compute and tokens per
    parameter: too few changes of sign are a curve left over. Where runs are repeated, a test of lack of fit.
    """
    if np.abs(residuals).max() < 1e-6:
        return []
    along = dict(problem.spans)
    if {"n_params", "tokens"} <= set(along):
        along["compute"] = along["n_params"] * along["tokens"]
        along["tokens per parameter"] = along["tokens"] / along["n_params"]
    said = []
    for name, values in along.items():
        sizes, where = np.unique(values, return_inverse=True)
        means = np.bincount(where, residuals) / np.bincount(where)
        signs = means > np.median(means)
        up, down = int(signs.sum()), int((~signs).sum())
        if min(up, down) < 4 or len(sizes) < 10:
            continue
        runs = 1 + int((signs[1:] != signs[:-1]).sum())
        expected = 1 + 2 * up * down / (up + down)
        spread = np.sqrt((expected - 1) * (expected - 2) / (up + down - 1))
        if (runs - expected) / spread < -2.6:  # one in 200 by chance
            said.append(
                f"The residuals keep their sign along {name} ({runs} runs, {expected:.0f} expected): the law's form "
                "misses something, so the intervals are too narrow."
            )
    return said + _repeats(problem, residuals)


def _repeats(problem: Problem, residuals: Array) -> list[str]:
    """The F test of lack of fit: do the means of repeated runs lie farther from the law than the runs from their mean?"""
    places = np.stack(list(problem.spans.values()), axis=1)
    where = np.unique(places, axis=0, return_inverse=True)[1].ravel()
    many = np.bincount(where)
    means = np.bincount(where, residuals) / many
    free, own = len(many) - len(problem.low), len(residuals) - len(many)
    if free < 2 or own < 5:
        return []
    missed = float(many @ means**2)
    scatter = float(np.sqrt(np.sum((residuals - means[where]) ** 2) / own))
    if scatter < 1e-6 or stats.f.sf(missed / free / scatter**2, free, own) > 1e-3:
        return []  # copies of rows are no repeats
    return [
        f"Repeated runs differ by {scatter:.2%} among themselves, but the law misses their means by "
        f"{np.sqrt(missed / len(residuals)):.2%}: its form misses something that more seeds will not show."
    ]


def _seeds(seeds: Array | None, by: str, resampled: bool) -> list[str]:
    if seeds is None or not resampled:
        return []
    if seeds.max() == 0:
        return [
            "All runs share one seed: the intervals leave out how the law differs from seed to seed, so they are too narrow."
        ]
    if by == "point":
        return [
            'The intervals resample runs one by one; bootstrap_by="seed" resamples whole seeds, which may vary more.'
        ]
    return []
