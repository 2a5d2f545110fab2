"""Exercises of lesson 3.4: intervals, precision and recall, the bootstrap, p^l, seeds, designs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from course import design, metrics
from course.exercises.specification import Case, Exercise, Mistake

Z = 1.959964

# --- 3.4.1 the interval of an accuracy ------------------------------------------------------------


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """95 % interval of an accuracy, from `right` of `n` samples. Lesson 3.4."""
    low, high = metrics.wilson(right, n)
    return float(low), float(high)


def _wilson_cases(rng: np.random.Generator) -> list[Case]:
    cases = [Case((int(rng.integers(20, 36)), 40)), Case((int(rng.integers(110, 180)), 200))]
    cases += [Case((int(rng.integers(880, 960)), 1000)), Case((int(rng.integers(5, 9)), 10))]
    at = int(rng.integers(20, 60))
    return [*cases, Case((at, at), "all right"), Case((0, at + 1), "none right"), Case((at + 1, at + 2), "all right")]


def _wilson(p: float, n: float, z: float = Z, term: float = 1.0, below: bool = True) -> tuple[float, float]:
    bottom = 1 + z**2 / n if below else 1.0
    middle = (p + z**2 / (2 * n)) / bottom
    half = z / bottom * math.sqrt(p * (1 - p) / n + term * z**2 / (4 * n**2))
    return middle - half, middle + half


def _agresti(k: int, n: int) -> tuple[float, float]:
    p, m = (k + Z**2 / 2) / (n + Z**2), n + Z**2
    half = Z * math.sqrt(p * (1 - p) / m)
    return p - half, p + half


def _wald(k: int, n: int, z: float = Z) -> tuple[float, float]:
    half = z * math.sqrt(k / n * (1 - k / n) / n)
    return k / n - half, k / n + half


_WILSON_MISTAKES = (
    Mistake(
        "the textbook's interval",
        lambda k, n: _wald(k, n),
        "This is p ± 1.96 s with s taken at the *measured* accuracy. Look at your interval for a model that got all "
        "right: it has no width, after a few dozen samples. Solve the inequality with s at the unknown p.",
    ),
    Mistake(
        "the textbook's interval, cut",
        lambda k, n: tuple(min(1.0, max(0.0, end)) for end in _wald(k, n)),
        "Cutting p ± 1.96 s off at 0 and 1 hides its fault and does not mend it: when all are right, it still has no "
        "width. Solve the inequality with s at the unknown p.",
    ),
    Mistake(
        "the standard error only",
        lambda k, n: _wald(k, n, 1.0),
        "This is p ± one standard error: a 68 % interval, of the textbook's kind. Solve the inequality with z = 1.96.",
    ),
    Mistake(
        "ninety per cent",
        lambda k, n: _wilson(k / n, n, 1.644854),
        "The formula is right, z is not: 1.645 leaves 5 % on *each* side. For 95 % in all, z = 1.96.",
    ),
    Mistake(
        "z not squared",
        lambda k, n: _wilson(k / n, n, math.sqrt(Z)),
        "In your quadratic stands z where z² belongs: squaring the inequality squares 1.96 too.",
    ),
    Mistake(
        "no z² / 4n²",
        lambda k, n: _wilson(k / n, n, term=0.0),
        "Under the root z²/(4n²) is missing. Without it the interval of a perfect score has no width.",
    ),
    Mistake(
        "not divided",
        lambda k, n: _wilson(k / n, n, below=False),
        "The quadratic has the coefficient 1 + z²/n before p². Divide both the middle and the half width by it.",
    ),
    Mistake(
        "half not divided",
        lambda k, n: (lambda m, h: (m - h, m + h))(
            sum(_wilson(k / n, n)) / 2, Z * math.sqrt(k / n * (1 - k / n) / n + Z**2 / (4 * n**2))
        ),
        "The middle is right. The half width must be divided by 1 + z²/n too.",
    ),
    Mistake(
        "added to the counts",
        _agresti,
        "You added z²/2 right and z²/2 wrong samples and took p ± 1.96 s (Agresti and Coull). It has the right middle, and "
        "is a good interval, but a little wider than the one that the inequality gives.",
    ),
    Mistake(
        "in per cent",
        lambda k, n: tuple(100 * end for end in _wilson(k / n, n)),
        "The interval is right, in per cent. Return shares, from 0 to 1.",
    ),
    Mistake(
        "middle and half",
        lambda k, n: (lambda ends: (sum(ends) / 2, (ends[1] - ends[0]) / 2))(_wilson(k / n, n)),
        "You returned the middle and the half width. Return the two ends: (low, high).",
    ),
    Mistake(
        "larger end first",
        lambda k, n: _wilson(k / n, n)[::-1],
        "These are the two ends, the larger one first. Return (low, high).",
    ),
)

# --- 3.4.2 precision, recall and F1 ---------------------------------------------------------------


def macro_scores(table: Any) -> tuple[float, float, float]:
    """Precision, recall and F1 of a confusion table (row true, column predicted), averaged over classes. Lesson 3.4."""
    found = metrics.from_confusion(table)
    return float(found["precision"]), float(found["recall"]), float(found["F1"])


def _table_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for k in (2, 2, 3, 4):
        table = rng.integers(1, 8, (k, k)) + np.diag(rng.integers(5, 40, k))
        table[0] *= 3  # classes of different size
        cases.append(Case((table,)))
    for k in (3, 4):
        table = rng.integers(1, 9, (k, k)) + np.diag(rng.integers(5, 20, k))
        table[:, k - 1] = 0
        cases.append(Case((table,), "a class that is never predicted"))
    return cases


def _ratio(a: Any, b: Any) -> np.ndarray:
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def _parts(table: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of each class, and its samples."""
    t = np.asarray(table, dtype=float)
    hits, occur, said = np.diag(t), t.sum(axis=1), t.sum(axis=0)
    return _ratio(hits, said), _ratio(hits, occur), _ratio(2 * hits, occur + said), occur


def _swapped(table: Any) -> tuple[float, float, float]:
    p, r, f = macro_scores(table)
    return r, p, f


def _micro(table: Any) -> tuple[float, float, float]:
    accuracy = float(np.trace(table) / np.sum(table))
    return accuracy, accuracy, accuracy


def _of_means(table: Any) -> tuple[float, float, float]:
    p, r, _ = macro_scores(table)
    return p, r, 2 * p * r / (p + r)


def _arithmetic(table: Any) -> tuple[float, float, float]:
    p, r, _, _ = _parts(table)
    return float(p.mean()), float(r.mean()), float(((p + r) / 2).mean())


def _weighted(table: Any) -> tuple[float, ...]:
    *scores, occur = _parts(table)
    return tuple(float(np.average(s, weights=occur)) for s in scores)


def _left_out(table: Any) -> tuple[float, ...]:
    *scores, _ = _parts(table)
    said = np.sum(table, axis=0) > 0
    return float(scores[0][said].mean()), float(scores[1].mean()), float(scores[2][said].mean())


def _precision_left_out(table: Any) -> tuple[float, float, float]:
    _, recall, f1 = macro_scores(table)
    return _left_out(table)[0], recall, f1


def _zero_by_zero(table: Any) -> tuple[float, float, float]:
    t = np.asarray(table, dtype=float)
    p, r = np.diag(t) / t.sum(axis=0), np.diag(t) / t.sum(axis=1)
    return float(p.mean()), float(r.mean()), float((2 * p * r / (p + r)).mean())


def _f1_zero_by_zero(table: Any) -> tuple[float, float, float]:
    p, r, _, _ = _parts(table)
    return float(p.mean()), float(r.mean()), float((2 * p * r / (p + r)).mean())


_TABLE_MISTAKES = (
    Mistake(
        "precision and recall swapped",
        _swapped,
        "Precision and recall are exchanged. Rows are true classes, columns predicted ones: precision divides a class's "
        "hits by its *column*, all that was called so; recall by its *row*, all that is so.",
    ),
    Mistake(
        "over all samples (micro)",
        _micro,
        'All three are the accuracy. You added the hits of all classes before dividing (the "micro" average). Here each class '
        "gets its own three numbers first, and these are averaged.",
    ),
    Mistake(
        "F1 of the averages",
        _of_means,
        "Precision and recall are right. You made F1 from their averages; take the F1 of each class, then average.",
    ),
    Mistake(
        "arithmetic mean",
        _arithmetic,
        "Your F1 is the arithmetic mean of precision and recall. It is the harmonic mean: 2 p r / (p + r), which is near 0 "
        "when either is.",
    ),
    Mistake(
        "weighted by samples",
        _weighted,
        'You weighted each class with its number of samples. Here every class counts the same ("macro"): the plain mean.',
    ),
    Mistake(
        "classes left out",
        _left_out,
        "You left the class out that is never predicted. Then ignoring a hard class raises the score. Its precision "
        "and F1 count as 0.",
    ),
    Mistake(
        "precision left out",
        _precision_left_out,
        "Recall and F1 are right. Your mean of the precisions leaves out the class that is never predicted; its precision "
        "counts as 0.",
    ),
    Mistake(
        "0 / 0",
        _zero_by_zero,
        "A class that is never predicted gives 0 / 0, which is nan, and the average with it. Its precision counts as 0 here.",
    ),
    Mistake(
        "0 / 0 in F1",
        _f1_zero_by_zero,
        "Precision and recall are right. Where both are 0, your F1 is 0 / 0. Write it as 2 hits / (row + column): that "
        "needs neither.",
    ),
    Mistake(
        "the first class only",
        lambda table: tuple(float(s[0]) for s in _parts(table)[:3]),
        "These are the first class's numbers. Compute all three for every class and return the means.",
    ),
)

# --- 3.4.3 the bootstrap --------------------------------------------------------------------------


def log_loss(y: Any, p: Any) -> Any:
    """Mean of minus the log probability of the truth, in nats. y, p: (..., n) labels 0 or 1, probabilities of 1."""
    return -np.log(np.where(y == 1, p, 1 - p)).mean(axis=-1)


def bootstrap_interval(
    metric: Callable[[Any, Any], float], y: Any, p: Any, resamples: int, seed: int
) -> tuple[float, float]:
    """95 % interval of metric(y, p) from resampled pairs: metrics.bootstrap, all resamples at once. Lesson 3.4."""
    rows, _ = _together(np.random.default_rng(seed), len(y), resamples)
    low, high = _middle(metric(np.asarray(y)[rows], np.asarray(p)[rows]))
    return float(low), float(high)


def _bootstrap_cases(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []
    while len(cases) < 2:
        n = (24, 32)[len(cases)]
        y = rng.permutation(np.arange(n) % 2)
        score = np.where(y == 1, 1, -1) * rng.normal(1.4, 1.6, n)
        p = (1 / (1 + np.exp(-score))).clip(0.02, 0.98).round(3)
        losses = log_loss(y[:, None], p[:, None])
        # One spread for all cases: the tolerance lets other draws pass (0.005) and a 90 % interval fail (0.02 and more).
        if 0.066 < losses.std() / math.sqrt(n) < 0.076:
            cases.append(Case((log_loss, y, p, 3000, int(rng.integers(99)))))
    return cases


def _resampled(
    how: Callable[[np.random.Generator, int, int], tuple[Any, Any]], ends: Callable[[np.ndarray], Any] | None = None
) -> Callable[..., Any]:
    """A wrong bootstrap: `how` gives the rows of y and of p, `ends` the interval from the values."""

    def answer(metric: Any, y: Any, p: Any, resamples: int, seed: int) -> Any:
        rows, columns = how(np.random.default_rng(seed), len(y), resamples)
        values = np.atleast_1d(metric(np.asarray(y)[rows], np.asarray(p)[columns]))
        return tuple(float(v) for v in (ends or _middle)(values))

    return answer


def _middle(values: Any, tail: float = 0.025) -> Any:
    return np.quantile(values, [tail, 1 - tail])


def _together(rng: np.random.Generator, n: int, resamples: int) -> tuple[Any, Any]:
    rows = rng.integers(0, n, (resamples, n))
    return rows, rows


def _apart(rng: np.random.Generator, n: int, resamples: int) -> tuple[Any, Any]:
    rows = rng.integers(0, n, (resamples, 2, n))  # in the order of a loop that draws for y, then for p
    return rows[:, 0], rows[:, 1]


def _about(values: np.ndarray, factor: float) -> Any:
    return values.mean() - factor * values.std(), values.mean() + factor * values.std()


_BOOTSTRAP_MISTAKES = (
    Mistake(
        "labels and predictions apart",
        _resampled(_apart),
        "You drew rows for `y` and other rows for `p`. Then a sample meets another one's prediction, and the interval is that "
        "of a model that guesses. Draw the rows once for each resample, and use them for both.",
    ),
    Mistake(
        "without replacement",
        _resampled(lambda g, n, b: (np.arange(n),) * 2),  # in any order: the values are all the same
        "Your interval is far too narrow. Either the n rows were drawn *without* replacement, which gives the same rows in "
        "another order; or there were more than n of them: each resample is `rng.integers(0, n, n)`. Or you divided the spread "
        "by the root of the number of resamples: that says how well their mean is known, which patience makes as small "
        "as you like.",
    ),
    Mistake(
        "a standard deviation",
        _resampled(_together, lambda v: _about(v, 1.0)),
        "This is the mean plus and minus one standard deviation, which holds 68 %. Take the 2.5 and the 97.5 % quantiles of the "
        "values.",
    ),
    Mistake(
        "smallest and largest",
        _resampled(_together, lambda v: (v.min(), v.max())),
        "These are the smallest and the largest value; the more resamples, the farther apart. Take the 2.5 and the "
        "97.5 % quantiles.",
    ),
    Mistake(
        "ninety per cent",
        _resampled(_together, lambda v: _middle(v, 0.05)),
        "You left 5 % out on *each* side, so your interval holds 90 %. For 95 % take the quantiles 0.025 and 0.975.",
    ),
    Mistake(
        "quartiles",
        _resampled(_together, lambda v: _middle(v, 0.25)),
        "Your interval holds the middle half. For 95 %, leave 2.5 % on each side: quantiles 0.025 and 0.975.",
    ),
    Mistake(
        "too few rows",
        _resampled(lambda g, n, b: (g.integers(0, n, (b, n // 2)),) * 2),
        "Your resamples have half as many rows as the data, so they scatter too much. Each has n rows.",
    ),
)

# --- 3.4.4 where exact match crosses one half -----------------------------------------------------


def size_at_half(A: float, alpha: float, length: int) -> float:
    """Size at which half of the strings are right when an item is wrong with probability A N^-alpha. Lesson 3.4."""
    return float(metrics.half_size(A, alpha, length))


def _half_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for length in (1, 2, 5, 12, 30):
        cases.append(Case((round(float(rng.uniform(2, 8)), 2), round(float(rng.uniform(0.25, 0.5)), 3), length)))
    return cases


_HALF_MISTAKES = (
    Mistake(
        "one item",
        lambda A, alpha, length: (A / 0.5) ** (1 / alpha),
        "This is where half of the single items are right. A string needs all `length` of them: (1 - A N^-alpha)^length = 1/2.",
    ),
    Mistake(
        "half an error a string",
        lambda A, alpha, length: (2 * length * A) ** (1 / alpha),
        "You asked for half an error a string on average, which adds the error probabilities. Close for long strings, but "
        "the task is exact: all right with probability 1/2, so p = 2^(-1/length).",
    ),
    Mistake(
        "first order",
        lambda A, alpha, length: (length * A / math.log(2)) ** (1 / alpha),
        "You took log(1 - x) for -x. It is close for long strings and wrong by far for one item: the exact error is "
        "1 - 2^(-1/length).",
    ),
    Mistake(
        "exponent not inverted",
        lambda A, alpha, length: (A / (1 - 0.5 ** (1 / length))) ** alpha,
        "Almost: from A N^-alpha = x follows N = (A / x)^(1/alpha). You raised to the power alpha.",
    ),
    Mistake(
        "upside down",
        lambda A, alpha, length: ((1 - 0.5 ** (1 / length)) / A) ** (1 / alpha),
        "Your fraction is upside down: N = (A / x)^(1/alpha). A larger model has the *smaller* error.",
    ),
    Mistake(
        "error for probability",
        lambda A, alpha, length: (A / 0.5 ** (1 / length)) ** (1 / alpha),
        "2^(-1/length) is the probability that an item is *right*. The law A N^-alpha is of the probability that it is wrong.",
    ),
    Mistake(
        "length multiplied",
        lambda A, alpha, length: (A / (1 - 0.5**length)) ** (1 / alpha),
        "You raised 1/2 to the power `length`. From p^length = 1/2 follows p = (1/2)^(1/length).",
    ),
    Mistake(
        "root of 2",
        lambda A, alpha, length: (A / (1 - 2 ** (1 / length))) ** (1 / alpha),
        "You took 2^(1/length), which is above 1. From p^length = 1/2 follows p = (1/2)^(1/length), below 1.",
    ),
    Mistake(
        "length divided",
        lambda A, alpha, length: (A / (1 - 0.5 / length)) ** (1 / alpha),
        "You divided 1/2 by `length`. To undo the power `length`, raise to 1/length: p = (1/2)^(1/length).",
    ),
    Mistake(
        "A outside",
        lambda A, alpha, length: A / (1 - 0.5 ** (1 / length)) ** (1 / alpha),
        "Almost: A belongs inside the power, N = (A / x)^(1/alpha). Set one more pair of brackets.",
    ),
    Mistake(
        "the logarithm",
        lambda A, alpha, length: math.log(A / (1 - 0.5 ** (1 / length))) / alpha,
        "This is log N. Take `exp` of it.",
    ),
)

# --- 3.4.5 seeds for a difference -----------------------------------------------------------------


def seeds_needed(difference: float, sigma: float) -> int:
    """Seeds a setting to see a difference with probability 80 % at 95 %. Lesson 3.4."""
    return design.seeds_for_difference(difference, sigma)


def _exact_seeds(difference: float, sigma: float, z: float = 2.801585, factor: float = 2.0) -> float:
    return factor * z**2 * (sigma / difference) ** 2


def _seed_cases(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []
    while len(cases) < 5:
        sigma = float(rng.choice([0.004, 0.01, 0.02, 0.03]))
        difference = round(sigma * float(rng.uniform(0.2, 0.4)), 4)
        exact = _exact_seeds(difference, sigma)
        # 1.96 + 0.84, rounded, must give the same whole number; no case may hide a mistake in the rounding.
        if (
            0.06 < exact % 1 < 0.45
            and math.ceil(_exact_seeds(difference, sigma, 2.8)) == math.ceil(exact)
            and exact > 3
        ):
            cases.append(Case((difference, sigma)))
    return cases


_SEED_MISTAKES = (
    Mistake(
        "no power",
        lambda d, s: math.ceil(_exact_seeds(d, s, 1.96)),
        "With z = 1.96 alone you see a true difference only every second time. Add 0.84 for the 80 %: (1.96 + 0.84)².",
    ),
    Mistake(
        "one setting is exact",
        lambda d, s: math.ceil(_exact_seeds(d, s, factor=1.0)),
        "The factor 2 is missing. Both means are uncertain, so the variance of their difference is 2 σ²/n.",
    ),
    Mistake(
        "not squared",
        lambda d, s: math.ceil(2 * 2.8**2 * s / d),
        "σ/difference must be squared: the deviation of a mean falls as the *root* of n.",
    ),
    Mistake(
        "upside down",
        lambda d, s: math.ceil(2 * 2.8**2 * (d / s) ** 2),
        "Your ratio is upside down: a smaller difference needs more seeds.",
    ),
    Mistake(
        "both settings together",
        lambda d, s: 2 * math.ceil(_exact_seeds(d, s)),
        "This is the number of runs of both settings together. The task asks for the seeds of each.",
    ),
    Mistake(
        "rounded",
        lambda d, s: round(_exact_seeds(d, s)),
        "You rounded to the nearest whole number. Fewer than the formula's do not reach the 80 %: round up (`math.ceil`).",
    ),
    Mistake(
        "not whole",
        lambda d, s: _exact_seeds(d, s),
        "The formula is right. Seeds are whole numbers: round up (`math.ceil`).",
    ),
    Mistake(
        "not whole, 2.8",
        lambda d, s: _exact_seeds(d, s, 1.96 + 0.84),
        "The formula is right; seeds are whole numbers. Round up (`math.ceil`).",
    ),
    Mistake(
        "root of n",
        lambda d, s: math.ceil(math.sqrt(_exact_seeds(d, s))),
        "This is the root of n. The formula holds sqrt(2/n): square both sides to get n.",
    ),
    Mistake(
        "squares added",
        lambda d, s: math.ceil(2 * (1.96**2 + 0.84**2) * (s / d) ** 2),
        "You squared 1.96 and 0.84 one by one. They add first: (1.96 + 0.84)².",
    ),
)

# --- 3.4.6 how well an exponent will be known -----------------------------------------------------


def exponent_halfwidth(sizes: Any, sigma: float, seeds: int) -> float:
    """Half the 95 % interval of the exponent of a power law without floor. Lesson 3.4."""
    return Z * design.exponent_error(sizes, sigma, seeds)


def _design_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for count, decades in ((3, 1.0), (4, 2.0), (6, 1.5), (8, 3.0)):
        sizes = np.round(10 ** (3 + np.sort(rng.uniform(0, decades, count))))
        cases.append(Case((sizes, float(rng.choice([0.01, 0.02, 0.05])), int(rng.integers(2, 7)))))
    return cases


def _halfwidth(
    u: Callable[[Any], Any] = np.log,
    spread: Callable[[Any], float] = lambda v: math.sqrt(np.sum((v - np.mean(v)) ** 2)),
    seeds: Callable[[int], float] = math.sqrt,
    z: float = Z,
) -> Callable[..., float]:
    return lambda sizes, sigma, s: float(z * sigma / (seeds(s) * spread(u(np.asarray(sizes, dtype=float)))))


_DESIGN_MISTAKES = (
    Mistake(
        "no logarithm",
        _halfwidth(u=lambda n: n),
        "You used the sizes themselves. The line is log L against log N: what counts is how far the *logarithms* spread.",
    ),
    Mistake(
        "log10",
        _halfwidth(u=np.log10),
        "You used log10 of the sizes. sigma is an error of the natural log of the loss, so take the natural logarithm of both: "
        "yours is 2.3 times too wide.",
    ),
    Mistake(
        "mean in place of sum",
        _halfwidth(spread=lambda v: float(np.std(v))),
        "You divided by the standard deviation of log N, a mean over the sizes. It is the sum: more sizes help.",
    ),
    Mistake(
        "sample deviation",
        _halfwidth(spread=lambda v: float(np.std(v, ddof=1))),
        "You divided by the standard deviation of log N (with n - 1). It is the root of the *sum* of squares: more sizes help.",
    ),
    Mistake(
        "no root of the sum",
        _halfwidth(spread=lambda v: float(np.sum((v - np.mean(v)) ** 2))),
        "The variance of the slope is sigma² over the sum of squares; you left out its root.",
    ),
    Mistake(
        "seeds without root",
        _halfwidth(seeds=lambda s: float(s)),
        "You divided by the number of seeds. The mean of s runs scatters by sigma / sqrt(s).",
    ),
    Mistake(
        "seeds forgotten",
        _halfwidth(seeds=lambda s: 1.0),
        "The seeds are missing: each size's loss is a mean over them, which scatters by sigma / sqrt(seeds).",
    ),
    Mistake(
        "standard deviation",
        _halfwidth(z=1.0),
        "This is the standard deviation of the exponent. Half its 95 % interval is 1.96 times as much.",
    ),
    Mistake(
        "whole interval",
        _halfwidth(z=2 * Z),
        "This is the whole interval, from end to end. The task asks for half of it, the number after ±.",
    ),
    Mistake(
        "mean not subtracted",
        _halfwidth(spread=lambda v: math.sqrt(np.sum(v**2))),
        "You added the squares of log N without subtracting their mean. Then sizes far from 1 look informative "
        "however close together they are.",
    ),
)

# --- 3.4.7 an evaluation of your own --------------------------------------------------------------


def _lacks(*words: str) -> Callable[[str], bool]:
    return lambda text: not any(word in text for word in words)


PLAN_OF_YOUR_OWN = """
I compare two ways of training a spam filter at six sizes over two decades. The data are split once, by sender, before anything is
fitted, so that no message stands on both sides; scaling and feature selection happen inside the training part, and the
test set of 4,000 is opened once. I fit the law to the log loss, because it is smooth, and report recall at a fixed
precision beside it, because that is what the user feels, with bootstrap intervals. A pilot with five seeds gave a
deviation of 2 % of the loss, so a difference of 2 % needs 16 seeds of each setting. The largest size stays out of
the fit and is predicted; if it misses its interval, the law is not believed.
"""

EXERCISES = (
    Exercise(
        id="3.4.1",
        title="The interval of an accuracy",
        points=2,
        minutes=8,
        difficulty=1,
        reference=wilson_interval,
        cases=_wilson_cases,
        mistakes=_WILSON_MISTAKES,
        hints=(
            "Square the inequality and bring all to one side: a p² + b p + c <= 0. What are a, b and c?",
            "a = 1 + z²/n, b = -(2q + z²/n), c = q², with q = right / n. The ends of the interval are the two roots.",
            "(-b ± sqrt(b² - 4 a c)) / (2 a).",
        ),
        rtol=1e-4,
        atol=1e-6,
    ),
    Exercise(
        id="3.4.2",
        title="Precision, recall and F1",
        points=2,
        minutes=8,
        difficulty=1,
        reference=macro_scores,
        cases=_table_cases,
        mistakes=_TABLE_MISTAKES,
        hints=(
            "The hits are the diagonal. How often does a class occur: a row sum or a column sum?",
            "precision = hits / column sum, recall = hits / row sum, F1 = 2 hits / (row sum + column sum), for each class.",
            "Where a column sum is 0 the precision is 0: `np.divide(a, b, out=np.zeros(len(a)), where=b > 0)`, or divide by "
            "`np.maximum(b, 1)`.",
        ),
    ),
    Exercise(
        id="3.4.3",
        title="The bootstrap",
        points=2,
        minutes=10,
        difficulty=2,
        reference=bootstrap_interval,
        cases=_bootstrap_cases,
        mistakes=_BOOTSTRAP_MISTAKES,
        hints=(
            "One resample: n row numbers, drawn with replacement, used for both columns.",
            "`rows = rng.integers(0, n, n)` and then `metric(y[rows], p[rows])`, `resamples` times.",
            "`low, high = np.quantile(values, [0.025, 0.975])`.",
        ),
        rtol=0.0,
        atol=0.018,
    ),
    Exercise(
        id="3.4.4",
        title="Where half the strings are right",
        points=1,
        minutes=6,
        difficulty=2,
        reference=size_at_half,
        cases=_half_cases,
        mistakes=_HALF_MISTAKES,
        hints=(
            "Which probability p of one item gives p^length = 1/2?",
            "p = (1/2)^(1/length), so an item may be wrong with probability 1 - p. Set A N^-alpha equal to it.",
            "N = (A / (1 - p))^(1/alpha).",
        ),
    ),
    Exercise(
        id="3.4.5",
        title="Seeds for a difference",
        points=1,
        minutes=6,
        difficulty=2,
        reference=seeds_needed,
        cases=_seed_cases,
        mistakes=_SEED_MISTAKES,
        hints=(
            "The difference of two means of n runs has the standard deviation σ sqrt(2 / n). Set difference = 2.8 times that.",
            "n = 2 (1.96 + 0.84)² (σ / difference)², rounded up with `math.ceil`.",
        ),
        rtol=0.0,
        atol=1e-9,
    ),
    Exercise(
        id="3.4.6",
        title="How well an exponent will be known",
        points=2,
        minutes=8,
        difficulty=2,
        reference=exponent_halfwidth,
        cases=_design_cases,
        mistakes=_DESIGN_MISTAKES,
        hints=(
            "The slope of least squares has the variance (variance of a point) / (sum of squared distances of x from its mean).",
            "x is `np.log(sizes)`; a point is a mean over the seeds, of variance sigma² / seeds.",
            "1.96 * sigma / np.sqrt(seeds * np.sum((x - x.mean()) ** 2)).",
        ),
    ),
    Exercise(
        id="3.4.7",
        title="An evaluation of your own",
        points=3,
        minutes=15,
        difficulty=3,
        kind="text",
        reference=PLAN_OF_YOUR_OWN,
        min_words=60,
        mistakes=(
            Mistake(
                "no split",
                _lacks("split", "test set", "held out", "held-out", "hold out"),
                "Your plan does not say how the test data are kept apart. How is the split made, before which steps, and how "
                "often is the test set looked at?",
            ),
            Mistake(
                "no seeds",
                _lacks("seed"),
                "Your plan says nothing about seeds. What difference do you want to see, how large is the noise, and how many "
                "runs does that take?",
            ),
            Mistake(
                "no interval",
                _lacks("interval", "bootstrap", "wilson", "error bar", "±"),
                "Your plan promises numbers without intervals. How is each one's uncertainty found?",
            ),
            Mistake(
                "no measure",
                _lacks(
                    "log loss", "cross-entropy", "accuracy", "recall", "precision", "f1", "exact match", "calibration"
                ),
                "Name the measure: which one is the law fitted to, which one does the user feel, and are they the same?",
            ),
        ),
        hints=(
            "Begin with the difference that would matter, and work back to seeds and test samples.",
            "Then go through what can leak: copies, scaling, selection, the choice of the best run.",
            "What would make you disbelieve your own result? Keep something out of the fit and predict it.",
        ),
    ),
)
