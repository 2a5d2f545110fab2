"""Right answers to lesson 3.4's exercises, written in other ways than the reference."""

from __future__ import annotations

import math

import numpy as np


def wilson_roots(right, n):
    q, w = right / n, 1.96**2 / n
    return tuple(sorted(np.roots([1 + w, -(2 * q + w), q**2]).real))


def wilson_scipy(right, n):
    from scipy.stats import binomtest

    found = binomtest(right, n).proportion_ci(0.95, method="wilson")
    return found.low, found.high


def wilson_centre(right, n):
    z = 1.96
    middle = (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(right * (n - right) / n + z * z / 4)
    return [middle - half, middle + half]


def scores_loop(table):
    precision = recall = f1 = 0.0
    k = len(table)
    for i in range(k):
        hits, row = table[i][i], sum(table[i])
        column = sum(table[j][i] for j in range(k))
        p, r = hits / column if column else 0.0, hits / row if row else 0.0
        precision, recall = precision + p / k, recall + r / k
        f1 += (2 * p * r / (p + r) if p + r else 0.0) / k
    return precision, recall, f1


def scores_sklearn(table):
    from sklearn.metrics import precision_recall_fscore_support

    rows, columns = np.indices(table.shape)
    y, predicted = np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())
    return precision_recall_fscore_support(y, predicted, average="macro", zero_division=0)[:3]


def scores_tensors(table):
    import tensorflow as tf

    t = tf.cast(table, tf.float64)
    hits, row, column = tf.linalg.diag_part(t), tf.reduce_sum(t, 1), tf.reduce_sum(t, 0)
    each = (
        tf.math.divide_no_nan(hits, column),
        tf.math.divide_no_nan(hits, row),
        tf.math.divide_no_nan(2 * hits, row + column),
    )
    return tuple(tf.reduce_mean(one) for one in each)


def bootstrap_loop(metric, y, p, resamples, seed):
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        rows = rng.integers(0, len(y), len(y))
        values.append(metric(y[rows], p[rows]))
    return np.quantile(values, 0.025), np.quantile(values, 0.975)


def bootstrap_choice(metric, y, p, resamples, seed):
    rng = np.random.default_rng(seed + 1)
    pairs = np.stack([y, p], axis=1)
    values = [metric(*pairs[rng.choice(len(y), len(y))].T) for _ in range(resamples)]
    return tuple(np.percentile(values, [2.5, 97.5]))


def bootstrap_counts(metric, y, p, resamples, seed):
    """The rows all at once; this metric takes the mean of its last axis."""
    rows = np.random.default_rng(seed).choice(len(y), size=(resamples, len(y)), replace=True)
    values = np.sort(metric(y[rows], p[rows]))
    return values[round(0.025 * resamples)], values[round(0.975 * resamples) - 1]


def half_formula(A, alpha, length):
    return (A / (1 - 2 ** (-1 / length))) ** (1 / alpha)


def half_search(A, alpha, length):
    low, high = 0.0, 200.0  # of log N
    for _ in range(200):
        middle = (low + high) / 2
        p = max(0.0, 1 - A * math.exp(-alpha * middle))
        low, high = (middle, high) if p**length < 0.5 else (low, middle)
    return math.exp(low)


def half_tensors(A, alpha, length):
    import tensorflow as tf

    wrong = -tf.math.expm1(-tf.math.log(tf.constant(2.0, tf.float64)) / length)
    return tf.exp(tf.math.log(A / wrong) / alpha)


def seeds_formula(difference, sigma):
    return math.ceil(2 * (1.96 + 0.84) ** 2 * (sigma / difference) ** 2)


def seeds_search(difference, sigma):
    from scipy.stats import norm

    n = 2
    while norm.cdf(difference / (sigma * math.sqrt(2 / n)) - norm.ppf(0.975)) < 0.8:
        n += 1
    return n


def halfwidth_formula(sizes, sigma, seeds):
    x = np.log(sizes)
    return 1.96 * sigma / np.sqrt(seeds * np.sum((x - x.mean()) ** 2))


def halfwidth_matrix(sizes, sigma, seeds):
    columns = np.stack([np.ones(len(sizes)), np.log(sizes)], axis=1)
    return 1.96 * sigma / math.sqrt(seeds) * np.linalg.norm(np.linalg.pinv(columns)[1])


def halfwidth_tensors(sizes, sigma, seeds):
    import tensorflow as tf

    x = tf.math.log(tf.constant(sizes, tf.float64))
    return 1.96 * sigma / tf.sqrt(seeds * tf.cast(tf.size(x), tf.float64) * tf.math.reduce_variance(x))


RIGHT = {
    "3.4.1": [wilson_roots, wilson_scipy, wilson_centre],
    "3.4.2": [scores_loop, scores_sklearn, scores_tensors],
    "3.4.3": [bootstrap_loop, bootstrap_choice, bootstrap_counts],
    "3.4.4": [half_formula, half_search, half_tensors],
    "3.4.5": [seeds_formula, seeds_search],
    "3.4.6": [halfwidth_formula, halfwidth_matrix, halfwidth_tensors],
}

_PLAN = (
    "The data are split before anything is fitted, and the test set is opened once at the end of the work, when all choices have "
    "been made on validation data. The law is fitted to the log loss of six sizes over two decades, with five seeds of each, "
    "and every number comes with its bootstrap interval. The largest size stays out of the fit and is predicted from the rest."
)

WRONG = {
    "3.4.7": {
        "no split": _PLAN.replace("split before", "cleaned before").replace("test set", "last box"),
        "no seeds": _PLAN.replace("five seeds", "five repeats"),
        "no interval": _PLAN.replace("its bootstrap interval", "three digits"),
        "no measure": _PLAN.replace("log loss", "quality"),
    }
}
