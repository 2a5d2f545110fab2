"""Right answers to lesson 4.3's exercises, written in other ways than the reference."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats
from scipy.special import xlogy


def entropy_loop(p):
    total = 0.0
    for q in p:
        for outcome in (q, 1 - q):
            if outcome > 0:
                total -= outcome * math.log(outcome)
    return total / len(p)


def entropy_xlogy(p):
    return -np.mean(xlogy(p, p) + xlogy(1 - p, 1 - p))


def entropy_tensors(p):
    import tensorflow as tf

    p = tf.constant(p)
    return -tf.reduce_mean(tf.math.xlogy(p, p) + tf.math.xlogy(1 - p, 1 - p))


def newton_inverse(w, X, y):
    p = 1 / (1 + np.exp(-X @ w))
    H = X.T @ np.diag(p * (1 - p)) @ X
    return w - np.linalg.inv(H) @ (X.T @ (p - y))


def newton_loop(w, X, y):
    d = len(w)
    g, H = np.zeros(d), np.zeros((d, d))
    for x, label in zip(X, y, strict=True):
        p = 1 / (1 + math.exp(-float(x @ w)))
        g += (p - label) * x / len(y)
        H += p * (1 - p) * np.outer(x, x) / len(y)
    return w - np.linalg.solve(H, g)


def newton_tensors(w, X, y):
    import tensorflow as tf

    X, y, w = tf.constant(X), tf.cast(y, tf.float64), tf.constant(w)
    p = tf.sigmoid(tf.linalg.matvec(X, w))
    H = tf.transpose(X) @ (X * (p * (1 - p))[:, None])
    g = tf.linalg.matvec(X, p - y, transpose_a=True)
    return w - tf.linalg.solve(H, g[:, None])[:, 0]


def samples_loop(excess, d, sigma):
    n = d + 2
    while sigma**2 * d / (n - d - 1) > excess:
        n += 1
    return n


def samples_floor_division(excess, d, sigma):
    return int(-(-(sigma**2 * d) // excess)) + d + 1


def slope_linregress(x, y):
    line = stats.linregress(np.log10(x), np.log10(y))
    half = stats.t.ppf(0.975, len(x) - 2) * line.stderr
    return line.slope, line.slope - half, line.slope + half


def slope_loop(x, y):
    u, v = [math.log(a) for a in x], [math.log(b) for b in y]
    mu, mv = sum(u) / len(u), sum(v) / len(v)
    sxx = sum((a - mu) ** 2 for a in u)
    slope = sum((a - mu) * (b - mv) for a, b in zip(u, v, strict=True)) / sxx
    rest = sum((b - mv - slope * (a - mu)) ** 2 for a, b in zip(u, v, strict=True))
    half = stats.t.ppf(0.975, len(u) - 2) * math.sqrt(rest / (len(u) - 2) / sxx)
    return [slope, slope - half, slope + half]


def slope_tensors(x, y):
    import tensorflow as tf

    u, v = tf.math.log(tf.constant(x)), tf.math.log(tf.constant(y))
    c = u - tf.reduce_mean(u)
    slope = tf.reduce_sum(c * v) / tf.reduce_sum(c * c)
    rest = v - tf.reduce_mean(v) - slope * c
    half = stats.t.ppf(0.975, len(x) - 2) * tf.sqrt(tf.reduce_sum(rest**2) / (len(x) - 2) / tf.reduce_sum(c * c))
    return slope, slope - half, slope + half


def three_differences(losses, ratio):
    d = -np.diff(losses)
    return np.log2(d[0] / d[1]) / np.log2(ratio)


def three_by_floor(losses, ratio):
    """First the floor, by Aitken's formula, then the slope above it."""
    a, b, c = losses
    floor = (a * c - b * b) / (a + c - 2 * b)
    return math.log((a - floor) / (b - floor)) / math.log(ratio)


def three_tensors(losses, ratio):
    import tensorflow as tf

    x = tf.constant(losses)
    return tf.math.log((x[0] - x[1]) / (x[1] - x[2])) / tf.math.log(tf.constant(ratio, tf.float64))


def order_zipf(exponent, keys):
    p = np.arange(1, keys + 1) ** (-1 / (1 - exponent))
    return p / np.sum(p)


def order_groups(exponent, keys):
    """Groups of 1, 2, 4, ... keys; each group has 2^-alpha times the probability of the one before."""
    alpha = exponent / (1 - exponent)
    group = np.floor(np.log2(np.arange(1, keys + 1)))
    p = 2.0 ** (-(1 + alpha) * group)
    return p / p.sum()


def order_tensors(exponent, keys):
    import tensorflow as tf

    p = tf.range(1, keys + 1, dtype=tf.float64) ** (-1 / (1 - exponent))
    return p / tf.reduce_sum(p)


RIGHT = {
    "4.3.1": [entropy_loop, entropy_xlogy, entropy_tensors],
    "4.3.2": [newton_inverse, newton_loop, newton_tensors],
    "4.3.3": [samples_loop, samples_floor_division],
    "4.3.4": [slope_linregress, slope_loop, slope_tensors],
    "4.3.5": [three_differences, three_by_floor, three_tensors],
    "4.3.6": [order_zipf, order_groups, order_tensors],
}
