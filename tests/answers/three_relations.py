"""Right answers to lesson 2.2's exercises, written in other ways than the reference."""

from __future__ import annotations

import math

import numpy as np


def local_loop(x, y):
    found = []
    for i in range(len(x) - 1):
        found.append(math.log(y[i + 1] / y[i]) / math.log(x[i + 1] / x[i]))
    return found


def local_tensors(x, y):
    import tensorflow as tf

    u, v = tf.math.log(tf.constant(x, tf.float64)), tf.math.log(tf.constant(y, tf.float64))
    return (v[1:] - v[:-1]) / (u[1:] - u[:-1])


def begins_polyfit(x, y, tolerance):
    u, v = np.log(x), np.log(y)
    for i in range(len(x) - 2):
        slope, level = np.polyfit(u[i:], v[i:], 1)
        if np.max(np.abs(v[i:] - (slope * u[i:] + level))) <= tolerance:
            return x[i]
    return float("nan")


def begins_backwards(x, y, tolerance):
    """All starts, then the smallest that will do; the line by the normal equations."""
    good = []
    for i in range(len(x) - 3, -1, -1):
        u = np.log(x[i:])
        A = np.stack([np.ones(len(u)), u], axis=1)
        c = np.linalg.solve(A.T @ A, A.T @ np.log(y[i:]))
        if all(abs(math.log(b) - p) <= tolerance for b, p in zip(y[i:], A @ c, strict=True)):
            good.append(float(x[i]))
    return min(good, default=math.nan)


def crossover_formula(overhead, flops_per_second, batch):
    return overhead * flops_per_second / (6 * batch)


def crossover_tensors(overhead, flops_per_second, batch):
    import tensorflow as tf

    hidden = tf.constant(overhead, tf.float64) * flops_per_second
    return hidden / (2 + 4) / batch


def total_loop(n_params, data, at, power):
    return [6 * n * data * (n / at) ** power for n in n_params]


def total_logs(n_params, data, at, power):
    import tensorflow as tf

    n = tf.constant(n_params, tf.float64)
    return 6 * tf.exp(tf.math.log(n) * (1 + power) + math.log(data) - power * math.log(at))


def gap_loop(n_params, train, test):
    best = min(range(len(test)), key=lambda i: test[i])
    return [b - a for a, b in zip(train, test, strict=True)], n_params[best]


def gap_tensors(n_params, train, test):
    import tensorflow as tf

    test = tf.constant(test, tf.float64)
    return test - train, tf.gather(tf.constant(n_params), tf.argmin(-test * -1.0))


def run_steps(n_params, step_seconds, at, exponent, tokens_per_param, batch):
    tokens = tokens_per_param * n_params
    return tokens / batch * step_seconds * (n_params / at) ** exponent


def run_from_the_measured(n_params, step_seconds, at, exponent, tokens_per_param, batch):
    measured = tokens_per_param * at / batch * step_seconds
    return measured * math.exp((1 + exponent) * math.log(n_params / at))


NIGHT = """
I have nine hours, about 32,000 seconds. First I time ten steps at five sizes between 5,000 and 500,000 parameters and keep
the stretch that is straight. I train with twenty tokens for each parameter, so the whole run takes N to the 1.9. That
gives me the largest size that ends before breakfast. For the loss I fit the small runs at the same number of tokens for
each parameter, and write my forecast down with an interval. I expect the time law to bend first, when the optimiser's
state leaves the cache, so I time ten steps of the large model before I start the run. If the test loss rises while the
training loss falls, my text was too short.
"""

RIGHT = {
    "2.2.1": [local_loop, local_tensors],
    "2.2.2": [begins_polyfit, begins_backwards],
    "2.2.3": [crossover_formula, crossover_tensors],
    "2.2.4": [total_loop, total_logs],
    "2.2.5": [gap_loop, gap_tensors],
    "2.2.6": [run_steps, run_from_the_measured],
    "2.2.7": [NIGHT],
}

_FILLER = (
    "I choose the largest one because large ones are better, and I also choose it because everybody chooses it, and I "
    "believe that it will be better than the small one, which I have tried before and did not like at all, since it was "
    "so small that it could not learn much of anything that I would have wanted it to learn for me. "
)

WRONG = {
    "2.2.7": {
        "no data": _FILLER + "It takes eight hours. The law may break at the limit.",
        "no time": _FILLER + "It sees many tokens. The law may break at the limit.",
        "no break": _FILLER + "It sees many tokens in eight hours.",
    }
}
