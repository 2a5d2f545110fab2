"""Power laws by hand, a classifier that learns by counting, and exponents that others have published. Lesson 1.1.

The fits with intervals are in `course.laws`; here is what goes before them: the exponent from two points, what it
costs, the floor from three points, the skill of a forecast, and a learning curve that takes seconds. And what goes
after them: what a recorded sweep says about size against data, and how far its own law foresees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.inputs import whole

if TYPE_CHECKING:
    import pandas as pd

    from course.data import Task
    from course.laws import Fit

__all__ = [
    "PUBLISHED",
    "CountingModel",
    "Fall",
    "Published",
    "best_by_budget",
    "compute_equivalent",
    "fall_by_size",
    "fit_line",
    "floor_from_three",
    "floor_interval",
    "learning_curve",
    "r_squared",
    "size_share",
    "skill",
    "times_more",
    "two_point_exponent",
    "wasted_compute",
    "worst_forecast",
]

Array = NDArray[Any]


def _positive(**values: ArrayLike) -> list[Array]:
    arrays = []
    for name, given in values.items():
        array = np.asarray(given, dtype=float)
        if array.size == 0 or not (np.isfinite(array).all() and (array > 0).all()):
            raise ValueError(
                f"{name} must be positive, finite numbers, because their logarithms are taken; got {given!r}."
            )
        arrays.append(array)
    return arrays


# --- laws by hand ---------------------------------------------------------------------------------


def two_point_exponent(x1: float, y1: float, x2: float, y2: float) -> float:
    """alpha of the law y = A x^-alpha through two points; positive where y falls. Lesson 1.1.

    Raises ValueError for values that are not positive, or the same x twice.
    """
    u1, v1, u2, v2 = (float(v) for v in _positive(x1=x1, y1=y1, x2=x2, y2=y2))
    if u1 == u2:
        raise ValueError(f"Two points at the same x = {u1:g} have no slope: give two different x.")
    return float(-np.log(v2 / v1) / np.log(u2 / u1))


def times_more(alpha: float, times_lower: float = 2.0) -> float:
    """How many times more x a law y ~ x^-alpha needs until y is `times_lower` times lower. Lesson 1.1.

    2^(1/alpha) for one halving. Raises ValueError for an alpha or a factor that is not positive.
    """
    a, k = (float(v) for v in _positive(alpha=alpha, times_lower=times_lower))
    return float(k ** (1 / a))


def fit_line(x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """(A, alpha) of y = A x^-alpha by least squares on log y against log x. Lesson 1.1.

    x, y: (k,), positive, at least two different x. `course.laws.fit_power` does the same robustly, with intervals.
    """
    u, v = (np.log(values) for values in _positive(x=x, y=y))
    if u.shape != v.shape or u.ndim != 1 or len(np.unique(u)) < 2:
        raise ValueError(
            f"A line needs as many x as y, at two different x at least; got shapes {u.shape} and {v.shape}."
        )
    slope = np.sum((u - u.mean()) * (v - v.mean())) / np.sum((u - u.mean()) ** 2)
    return float(np.exp(v.mean() - slope * u.mean())), float(-slope)


def floor_from_three(first: float, second: float, third: float) -> float:
    """E of y = E + A x^-alpha from its values at x, r x and r^2 x, for any r > 1. Lesson 1.1.

    The excess falls by one factor each time, (first - E)(third - E) = (second - E)^2, which is linear in E. Raises
    ValueError where the second step is not smaller than the first, so that the values don't level off at all.
    """
    y1, y2, y3 = float(first), float(second), float(third)
    if not y1 - y2 > y2 - y3 > 0:
        raise ValueError(f"The values must fall by less and less to point at a floor; got {y1:g}, {y2:g}, {y3:g}.")
    return (y1 * y3 - y2**2) / (y1 + y3 - 2 * y2)


def floor_interval(values: ArrayLike, errors: ArrayLike, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """The middle 95 % of `floor_from_three` when each of its three values is moved at random by its own error.

    values: the three; errors: the standard deviation of each. Raises ValueError where the errors are so large that a
    moved triple no longer levels off.
    """
    y, spread = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
    moved = y + spread * np.random.default_rng(seed).normal(size=(whole("draws", draws), 3))
    low, high = np.percentile([floor_from_three(*three) for three in moved], [2.5, 97.5])
    return float(low), float(high)


def r_squared(y: ArrayLike, fitted: ArrayLike) -> float:
    """The share of the variance of log y that `fitted` explains; at most 1. y, fitted: (k,), positive."""
    v, f = (np.log(values) for values in _positive(y=y, fitted=fitted))
    return float(1 - np.sum((v - f) ** 2) / np.sum((v - v.mean()) ** 2))


def skill(predicted: float, measured: float, naive: float) -> float:
    """How much of a change a forecast foresaw: 1 all of it, 0 no better than the naive forecast. Lesson 1.1.

    1 - |log(predicted / measured)| / |log(naive / measured)|, with `naive` for example the last value that was known.
    Negative where the naive forecast was better. Raises ValueError where the naive forecast is exact.
    """
    p, m, n = (float(v) for v in _positive(predicted=predicted, measured=measured, naive=naive))
    if n == m:
        raise ValueError(
            f"The naive forecast {n:g} is what was measured: nothing changed, so there is no skill to score."
        )
    return float(1 - abs(np.log(p / m)) / abs(np.log(n / m)))


# --- a classifier that counts ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Level:
    """What followed the contexts of one length: sorted pairs (context, next) and contexts, with their counts."""

    pairs: Array
    pair_counts: Array
    contexts: Array
    totals: Array
    kinds: Array


def _find(sorted_keys: Array, values: Array, wanted: Array) -> Array:
    """The value of each wanted key, 0 where it was never seen."""
    at = np.minimum(np.searchsorted(sorted_keys, wanted), len(sorted_keys) - 1)
    return np.where(sorted_keys[at] == wanted, values[at], 0)


class CountingModel:
    """Guesses the next character from the `memory` characters before it, by counting what followed them.

    It learns from `samples` places of the task's training text, drawn without replacement with `seed`. The
    probability of a character is

        p_k = (count of it after the last k characters + kinds * p_(k-1)) / (count of the context + kinds)

    for k = 0 ... memory, where `kinds` is the number of different characters seen there and p_(-1) is uniform; a
    context never seen says nothing, and p_(k-1) stands. Source: Witten and Bell (1991), interpolated. `task` is a task
    of characters (`course.data.task("characters")`). Raises ValueError for a memory longer than the task's window, and
    for more samples than the text has.
    """

    def __init__(self, task: Task, samples: int, memory: int = 6, seed: int = 0) -> None:
        text = task.train["text"]
        (window,) = task.inputs
        self.memory, self.vocabulary = whole("memory", memory, 0), task.outputs
        self.samples = whole("samples", samples)
        if self.memory > window:
            raise ValueError(f"The windows of the task {task.name} have {window} characters; got memory={memory}.")
        if self.samples > len(text) - window:
            raise ValueError(f"The text has {len(text) - window:,} places to learn from; got samples={samples:,}.")
        rng = np.random.default_rng([self.samples, whole("seed", seed, 0)])
        at = rng.choice(len(text) - window, self.samples, replace=False) + window
        self._levels: list[_Level] = []
        context, following = np.zeros(self.samples, np.int64), text[at].astype(np.int64)
        for k in range(self.memory + 1):
            if k:  # one character further back; its place in the key is above the others'
                context += text[at - k].astype(np.int64) * self.vocabulary ** (k - 1)
            pairs, counts = np.unique(context * self.vocabulary + following, return_counts=True)
            contexts, first = np.unique(pairs // self.vocabulary, return_index=True)
            totals = np.add.reduceat(counts, first)
            self._levels.append(_Level(pairs, counts, contexts, totals, np.diff(np.append(first, len(pairs)))))

    @property
    def entries(self) -> int:
        """The counts that it keeps, over all context lengths: what it has instead of parameters."""
        return sum(len(level.pairs) for level in self._levels)

    def probabilities(self, windows: ArrayLike, following: ArrayLike) -> Array:
        """Probability of each next character, (n,); windows: (n, memory or more) character ids, following: (n,) ids."""
        x, y = np.asarray(windows, dtype=np.int64), np.asarray(following, dtype=np.int64)
        p, context = np.full(len(y), 1 / self.vocabulary), np.zeros(len(y), np.int64)
        for k, level in enumerate(self._levels):
            if k:
                context = context + x[:, -k] * self.vocabulary ** (k - 1)
            count = _find(level.pairs, level.pair_counts, context * self.vocabulary + y)
            total = _find(level.contexts, level.totals, context)
            kinds = _find(level.contexts, level.kinds, context)
            p = np.where(total > 0, (count + kinds * p) / np.maximum(total + kinds, 1), p)
        return p

    def loss(self, task: Task) -> float:
        """Mean of -log p of the next character on the task's validation windows, in nats."""
        x, y, _ = task.validation
        return float(-np.mean(np.log(self.probabilities(x, y))))

    def guess(self, before: str, top: int = 3) -> list[tuple[str, float]]:
        """The `top` likeliest next characters after this text, with their probabilities."""
        from course.data.text import decode, encode

        ids = encode(before.encode())[-self.memory :] if self.memory else encode(b"")
        if len(ids) < self.memory:
            raise ValueError(f"A memory of {self.memory} characters needs as many to guess from; got {before!r}.")
        choices = np.arange(self.vocabulary)
        p = self.probabilities(np.tile(ids, (self.vocabulary, 1)), choices)
        return [(decode([i]), float(p[i])) for i in np.argsort(-p)[:top]]


def learning_curve(task: Task, samples: ArrayLike, memory: int = 6, seeds: int = 4) -> Array:
    """Validation loss in nats of counting models, (sizes, seeds): one for each number of samples and each seed."""
    sizes = [whole("samples", int(n)) for n in np.ravel(np.asarray(samples))]
    return np.array(
        [[CountingModel(task, n, memory, seed).loss(task) for seed in range(whole("seeds", seeds))] for n in sizes]
    )


# --- recorded sweeps ------------------------------------------------------------------------------


def best_by_budget(runs: pd.DataFrame) -> pd.DataFrame:
    """The best size at each budget of a sweep: budget, n_params, tokens, loss (mean over seeds), low, high (of seeds).

    `runs` is a table as of `course.sweeps.reference`; runs that diverged are left out.
    """
    whole_runs = runs[~runs["diverged"].astype(bool)]
    by = whole_runs.groupby(["budget", "n_params"], as_index=False).agg(
        tokens=("tokens", "mean"), loss=("loss", "mean"), low=("loss", "min"), high=("loss", "max")
    )
    best = by.loc[by.groupby("budget")["loss"].idxmin()]
    return best.sort_values("budget").reset_index(drop=True)


def size_share(law: Any, start: tuple[float, float], end: tuple[float, float]) -> Any:
    """The share of the loss's fall from `start` to `end` that comes from size, by a law L = E + A N^-alpha + B D^-beta.

    law: the parameters of a `chinchilla` fit, or its samples (then an array). start, end: (parameters, tokens). The law
    adds the two terms, so that what remains of 1 comes from data, and the order in which they grow does not matter.
    """
    (n0, n1), (d0, d1) = _positive(sizes=(start[0], end[0]), tokens=(start[1], end[1]))
    size = law["A"] * (n0 ** -law["alpha"] - n1 ** -law["alpha"])
    data = law["B"] * (d0 ** -law["beta"] - d1 ** -law["beta"])
    return size / (size + data)


@dataclass(frozen=True)
class Fall:
    """The fall of a sweep's loss from the best run of its smallest budget to that of its largest, split by a law.

    start, end: the two losses in nats. share: the part of the fall that size brings, by `law`; low, high: its 95 %
    interval, from resampled runs. What remains of 1 comes from data.
    """

    start: float
    end: float
    share: float
    low: float
    high: float
    law: Fit

    def size_held(self, runs: pd.DataFrame, n_params: int) -> tuple[float, float, float]:
        """How far data alone come, with `n_params` parameters throughout: (most tokens, measured part, the law's part).

        Both parts are of the whole fall, from the fewest tokens to the most that this size has seen in `runs`.
        """
        held = runs[runs["n_params"] == n_params].groupby("tokens")["loss"].mean()
        if len(held) < 2:
            raise ValueError(f"The sweep has no two runs of {n_params:,} parameters with different tokens.")
        foretold = self.law.predict(n_params=n_params, tokens=held.index.to_numpy()[[0, -1]])
        way = self.start - self.end
        return (
            float(held.index[-1]),
            float((held.iloc[0] - held.iloc[-1]) / way),
            float((foretold[0] - foretold[1]) / way),
        )


def fall_by_size(runs: pd.DataFrame, bootstrap: int = 1000) -> Fall:
    """Fit L = E + A N^-alpha + B D^-beta to a sweep and split the fall of its best loss into size and data.

    `runs` is a table as of `course.sweeps.reference`; the interval resamples runs `bootstrap` times.
    """
    from course import laws

    law = laws.fit_chinchilla(runs["n_params"], runs["tokens"], runs["loss"], seeds=runs["seed"], bootstrap=bootstrap)
    first, last = best_by_budget(runs).iloc[[0, -1]].to_dict("records")
    ends = (first["n_params"], first["tokens"]), (last["n_params"], last["tokens"])
    low, high = np.percentile(size_share(law.samples, *ends), [2.5, 97.5])
    share = float(size_share(law.params, *ends))
    return Fall(float(first["loss"]), float(last["loss"]), share, float(low), float(high), law)


def worst_forecast(runs: pd.DataFrame, known: int) -> float:
    """The largest miss, in per cent, of a law with floor fitted to a sweep's first `known` budgets, at all the others."""
    from course import laws

    best = best_by_budget(runs)
    flops, loss = best["budget"].to_numpy(), best["loss"].to_numpy()
    if not 3 <= whole("known", known) < len(flops):
        raise ValueError(f"The sweep has {len(flops)} budgets: `known` must be 3 to {len(flops) - 1}; got {known}.")
    ahead = laws.fit_power_floor(flops[:known], loss[:known]).predict(x=flops[known:])
    return float(100 * np.abs(ahead / loss[known:] - 1).max())


def wasted_compute(clean: pd.DataFrame, spoiled: pd.DataFrame) -> Array:
    """The factor by which a spoiled sweep's compute exceeds what the clean one takes to the same best loss.

    One factor for each budget of `spoiled` whose loss lies between the clean sweep's losses. Both as of
    `course.sweeps.reference`.
    """
    curve, other = best_by_budget(clean), best_by_budget(spoiled)
    inside = other[other["loss"].between(curve["loss"].min(), curve["loss"].max())]
    enough = [compute_equivalent(curve["budget"], curve["loss"], value) for value in inside["loss"]]
    return inside["budget"].to_numpy() / np.array(enough)


def compute_equivalent(flops: ArrayLike, loss: ArrayLike, value: float) -> float:
    """FLOPs at which a falling curve of loss against compute reaches `value`, between its points on log-log axes.

    flops, loss: (k,), flops rising and loss falling. Raises ValueError for a value outside the curve's losses.
    """
    c, y = (np.log(values) for values in _positive(flops=flops, loss=loss))
    (v,) = np.log(_positive(value=[value])[0])
    if (np.diff(c) <= 0).any() or (np.diff(y) >= 0).any():
        raise ValueError("The curve must have rising flops and falling losses, in this order.")
    if not y[-1] <= v <= y[0]:
        raise ValueError(
            f"The curve goes from {np.exp(y[0]):.3f} to {np.exp(y[-1]):.3f} nats and never has {value:.3f}."
        )
    return float(np.exp(np.interp(v, y[::-1], c[::-1])))


# --- published exponents --------------------------------------------------------------------------


@dataclass(frozen=True)
class Published:
    """An exponent that others have published: loss ~ x^-alpha, or E + A x^-alpha where `floor` is true.

    `source` says where the course has the number from, in words that a caption can quote.
    """

    who: str
    year: int
    what: str
    against: str
    alpha: float
    floor: bool
    source: str


_EPOCH = "Epoch AI's table of published scaling laws"
_THIRD = "rounded figures as later papers quote them"

PUBLISHED = (
    Published("Kaplan et al.", 2020, "language", "parameters", 0.076, False, _EPOCH),
    Published("Kaplan et al.", 2020, "language", "data", 0.095, False, _EPOCH),
    Published("Kaplan et al.", 2020, "language", "compute", 0.050, False, _EPOCH),
    Published("Henighan et al.", 2020, "language", "parameters", 0.070, False, _EPOCH),
    Published("Henighan et al.", 2020, "images of 8 x 8", "parameters", 0.24, True, _EPOCH),
    Published("Henighan et al.", 2020, "images of 32 x 32", "parameters", 0.13, True, _EPOCH),
    Published("Henighan et al.", 2020, "video", "parameters", 0.24, True, _EPOCH),
    Published("Henighan et al.", 2020, "mathematics", "parameters", 0.16, True, _EPOCH),
    Published("Hoffmann et al.", 2022, "language", "parameters", 0.34, True, _THIRD),
    Published("Hoffmann et al.", 2022, "language", "data", 0.28, True, _THIRD),
    Published(
        "Besiroglu et al.", 2024, "the same runs, refitted", "parameters", 0.348, True, "the authors' own notebook"
    ),
    Published("Besiroglu et al.", 2024, "the same runs, refitted", "data", 0.366, True, "the authors' own notebook"),
)
"""Exponents of losses, oldest first. Image and text losses are per pixel, token or symbol, and so not comparable in size."""
