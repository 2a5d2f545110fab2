"""Right answers to lesson 1.1's exercises, written in other ways than the reference."""

from __future__ import annotations

import math

import numpy as np


def exponent_plain(x1, y1, x2, y2):
    return (math.log10(y1) - math.log10(y2)) / (math.log10(x2) - math.log10(x1))


def exponent_polyfit(x1, y1, x2, y2):
    return -np.polyfit(np.log([x1, x2]), np.log([y1, y2]), 1)[0]


def exponent_tensors(x1, y1, x2, y2):
    import tensorflow as tf

    x, y = tf.constant([x1, x2], tf.float64), tf.constant([y1, y2], tf.float64)
    u, v = tf.math.log(x), tf.math.log(y)
    return -(v[1] - v[0]) / (u[1] - u[0])


def line_polyfit(x, y):
    slope, height = np.polyfit(np.log10(x), np.log10(y), 1)
    return 10**height, -slope


def line_loop(x, y):
    n = len(x)
    u, v = [math.log(a) for a in x], [math.log(b) for b in y]
    su, sv = sum(u), sum(v)
    slope = (n * sum(a * b for a, b in zip(u, v, strict=True)) - su * sv) / (n * sum(a * a for a in u) - su * su)
    return math.exp((sv - slope * su) / n), -slope


def line_tensors(x, y):
    import tensorflow as tf

    u, v = tf.math.log(tf.constant(x, tf.float64)), tf.math.log(tf.constant(y, tf.float64))
    columns = tf.stack([tf.ones_like(u), -u], axis=1)
    found = tf.linalg.lstsq(columns, v[:, None])[:, 0]
    return tf.exp(found[0]), found[1]


def price_logs(alpha, times_lower):
    return math.exp(math.log(times_lower) / alpha)


def price_search(alpha, times_lower):
    low, high = 0.0, 2000.0  # of log m
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * alpha < math.log(times_lower) else (low, middle)
    return math.exp(low)


def price_tensors(alpha, times_lower):
    import tensorflow as tf

    return tf.pow(tf.constant(times_lower, tf.float64), 1 / alpha)


def skill_logs(predicted, measured, naive):
    p, m, n = np.log([predicted, measured, naive])
    return 1 - abs(p - m) / abs(n - m)


def skill_base_two(predicted, measured, naive):
    missed = abs(math.log2(predicted) - math.log2(measured))
    change = abs(math.log2(naive) - math.log2(measured))
    return (change - missed) / change


def skill_tensors(predicted, measured, naive):
    import tensorflow as tf

    p, m, n = tf.unstack(tf.math.log(tf.constant([predicted, measured, naive], tf.float64)))
    return 1 - tf.abs((p - m) / (n - m))


def floor_aitken(y1, y2, y3):
    return y3 - (y3 - y2) ** 2 / (y3 - 2 * y2 + y1)


def floor_series(y1, y2, y3):
    ratio = (y2 - y3) / (y1 - y2)
    return y1 - (y1 - y2) / (1 - ratio)


def floor_bisection(y1, y2, y3):
    low, high = -100.0, y3
    for _ in range(200):
        E = (low + high) / 2
        low, high = (E, high) if (y1 - E) * (y3 - E) > (y2 - E) ** 2 else (low, E)
    return low


RIGHT = {
    "1.1.1": [exponent_plain, exponent_polyfit, exponent_tensors],
    "1.1.2": [line_polyfit, line_loop, line_tensors],
    "1.1.3": [price_logs, price_search, price_tensors],
    "1.1.4": [skill_logs, skill_base_two, skill_tensors],
    "1.1.5": [floor_aitken, floor_series, floor_bisection],
}

_PROMISE = (
    "I measure how long my program takes to sort lists of a thousand to a hundred thousand numbers, five repeats of each "
    "size, and promise the time for a million numbers: 0.4 seconds, interval 0.3 to 0.5 seconds. For short lists the time "
    "has a floor, the start of the program, which I subtract. The fit is a power law, and beside it a line times a "
    "logarithm, which I can't tell from it. The promise fails if the list no longer fits into the memory of the machine."
)

WRONG = {
    "1.1.6": {
        "no interval": _PROMISE.replace("interval 0.3 to 0.5 seconds", "which is not long"),
        "no repeats": _PROMISE.replace("five repeats of each size", "all on one day"),
        "no floor": _PROMISE.replace("floor", "part that never changes"),
        "nothing breaks it": _PROMISE.replace("The promise fails if the list no longer fits", "The list always fits"),
    }
}
