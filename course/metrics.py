"""Measures of a classifier, and how sure they are.

In: true classes, predicted classes or probabilities, of n held-out samples. Out: intervals, the share of strings that
are right to the last item, the calibration error. The measures themselves are scikit-learn's; what is here is what it
lacks, and the ones that a bootstrap takes thousands of times. Lesson 3.4 derives each function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from course.inputs import finite, positive, whole

__all__ = [
    "bootstrap",
    "calibration_error",
    "confusion",
    "done_halfway",
    "exact_match",
    "from_confusion",
    "half_size",
    "paired_interval",
    "wilson",
]

Array = NDArray[Any]


def _share(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1; got {value!r}.")
    return float(value)


# --- one number and its interval ------------------------------------------------------------------


def wilson(right: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Low and high end of the interval of a share of which `right` of `n` independent samples have it.

    The shares p for which |right/n - p| <= z sqrt(p (1 - p) / n), with z the normal quantile of the level. right and n:
    whole numbers, any shapes that broadcast. Raises ValueError for n below 1 or right outside 0..n. Source: Wilson
    (1927); Brown, Cai and DasGupta (2001) compare it with others. Lesson 3.4.
    """
    right, n = finite("right", right), finite("n", n)
    if (n < 1).any() or (right < 0).any() or (right > n).any():
        raise ValueError("wilson takes 0 <= right <= n and n of at least 1.")
    z = stats.norm.ppf(0.5 + _share("level", level) / 2)
    p = right / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0, p), np.clip(middle + half, p, 1)


def bootstrap(
    metric: Callable[..., float], *columns: ArrayLike, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Low and high end of a metric's interval: the middle `level` of its values on resampled rows.

    Each resample draws n rows with replacement and takes the same rows of every column (labels, predictions,
    probabilities ...; each with n rows), so that what belongs together stays together. It holds the model fixed: the
    interval says what other test samples would do, not what another seed of the training would. Raises ValueError for
    columns of different lengths. Source: Efron (1979), percentile interval. Lesson 3.4.
    """
    rows = [np.asarray(column) for column in columns]
    if len({len(column) for column in rows}) != 1:
        raise ValueError(f"The columns must have the same number of rows; got {[len(column) for column in rows]}.")
    n, rng = len(rows[0]), np.random.default_rng(whole("seed", seed, 0))
    values = np.empty(whole("resamples", resamples, 2))
    for i in range(len(values)):
        at = rng.integers(0, n, n)
        values[i] = metric(*(column[at] for column in rows))
    low, high = np.quantile(values, [0.5 - _share("level", level) / 2, 0.5 + level / 2])
    return float(low), float(high)


def paired_interval(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of `second - first` and the ends of its interval, for two models on the same n samples.

    first, second: (n,) per-sample values (right or wrong as 1 or 0, losses in nats ...). Taking the difference of each
    sample first removes what the samples have in common. Normal interval of the mean. Raises ValueError for different
    lengths or fewer than 2 samples. Lesson 3.4.
    """
    a, b = finite("first", first), finite("second", second)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(f"Two models on the same samples give two lists of one length; got {a.shape} and {b.shape}.")
    difference = b - a
    half = stats.norm.ppf(0.5 + _share("level", level) / 2) * difference.std(ddof=1) / np.sqrt(len(a))
    middle = float(difference.mean())
    return middle, middle - float(half), middle + float(half)


# --- a table of what was taken for what -----------------------------------------------------------


def confusion(y: ArrayLike, predicted: ArrayLike, classes: int) -> Array:
    """Table (classes, classes) of counts: row the true class, column the predicted one, as scikit-learn's.

    y, predicted: (n,) whole numbers below `classes`. Raises ValueError for others. Lesson 3.4.
    """
    true, said = np.asarray(y), np.asarray(predicted)
    if true.shape != said.shape or true.size == 0 or true.min() < 0 or said.min() < 0:
        raise ValueError("confusion takes two lists of classes of the same length, each 0 or more.")
    if max(true.max(), said.max()) >= whole("classes", classes):
        raise ValueError(f"There is a class of {classes} or more in the labels or the predictions.")
    flat = np.bincount(classes * true.astype(np.int64) + said.astype(np.int64), minlength=classes**2)
    return flat.reshape(classes, classes)


def _divided(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros_like(above, dtype=float), where=below > 0)


def from_confusion(table: ArrayLike) -> dict[str, Array]:
    """Accuracy, and precision, recall and F1 averaged over the classes with equal weight ("macro").

    table: (..., k, k) counts, row the true class. Leading axes hold independent tables. A class that was never
    predicted, or never occurs, has precision or recall 0; its F1 is 0. Agrees with scikit-learn
    (`zero_division=0`, all k classes as labels). Lesson 3.4.
    """
    counts = finite("table", table)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2] or (counts < 0).any():
        raise ValueError(f"A confusion table is square and holds counts; got shape {counts.shape}.")
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    occur, said = counts.sum(axis=-1), counts.sum(axis=-2)
    return {
        "accuracy": hits.sum(axis=-1) / counts.sum(axis=(-2, -1)),
        "precision": _divided(hits, said).mean(axis=-1),
        "recall": _divided(hits, occur).mean(axis=-1),
        "F1": _divided(2 * hits, occur + said).mean(axis=-1),
    }


def calibration_error(right: ArrayLike, confidence: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, averaged over bins of confidence.

    right: (n,) whether the prediction was right; confidence: (n,) its probability, 0 to 1. Bins of equal width, each
    weighted with its samples. Positive even for a perfectly calibrated model, as each bin's accuracy is an
    estimate. Source: Naeini, Cooper and Hauskrecht (2015); Guo and co-authors (2017). Lesson 3.4.
    """
    hit, sure = finite("right", right), finite("confidence", confidence)
    if hit.shape != sure.shape or hit.ndim != 1:
        raise ValueError(f"right and confidence are lists of one length; got shapes {hit.shape} and {sure.shape}.")
    if (sure < 0).any() or (sure > 1).any():
        raise ValueError("A confidence is a probability, from 0 to 1.")
    at = np.minimum((sure * whole("bins", bins)).astype(int), bins - 1)
    return float(np.abs(np.bincount(at, hit - sure, minlength=bins)).sum() / len(hit))


# --- emergence ------------------------------------------------------------------------------------


def exact_match(right: ArrayLike, length: int, seed: int | None = None) -> tuple[float, float, float]:
    """Share of strings of `length` items that are right to the last item, and the ends of its 95 % interval.

    right: (n,) whether each item was right. The items are cut into n // length strings that do not overlap, in their
    order, or after a shuffle with `seed`. Raises ValueError when there is no whole string. Lesson 3.4.
    """
    items = finite("right", right)
    if len(items) < whole("length", length):
        raise ValueError(f"{len(items)} items do not make a string of {length}.")
    if seed is not None:
        items = np.random.default_rng(seed).permutation(items)
    number = len(items) // length
    whole_strings = int(np.count_nonzero(np.all(items[: number * length].reshape(number, length), axis=1)))
    low, high = wilson(whole_strings, number)
    return whole_strings / number, float(low), float(high)


def half_size(A: float, alpha: float, length: ArrayLike) -> Array:
    """Size N at which half of all strings are right, when an item is wrong with probability A N^-alpha.

    Solves (1 - A N^-alpha)^length = 1/2. Raises ValueError unless A, alpha and length are positive. Lesson 3.4.
    """
    items = finite("length", length)
    if (items <= 0).any():
        raise ValueError("length must be positive.")
    wrong = -np.expm1(-np.log(2) / items)
    return np.asarray((positive("A", A) / wrong) ** (1 / positive("alpha", alpha)))


def done_halfway(sizes: ArrayLike, values: ArrayLike) -> float:
    """Share of a metric's whole change, from the first size to the last, that is made in the first half of the sizes.

    sizes: (k,) rising; values: (k,) the metric, joined by straight lines over log size; half is the geometric mean of the
    ends. A straight line over log size has 0.5, a jump in the second half 0. Raises ValueError when the sizes do
    not rise or the metric ends where it began. Lesson 3.4.
    """
    u, v = np.log(finite("sizes", sizes)), finite("values", values)
    if u.shape != v.shape or len(u) < 2 or (np.diff(u) <= 0).any() or v[0] == v[-1]:
        raise ValueError("done_halfway takes rising sizes and a metric that ends elsewhere than it began.")
    return float((np.interp((u[0] + u[-1]) / 2, u, v) - v[0]) / (v[-1] - v[0]))
