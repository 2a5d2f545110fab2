"""Right answers to lesson 5.4, written differently from the reference, and texts with each known gap."""

import math

import numpy as np
from scipy import optimize


def surface_loop(N, D, E, A, B, alpha, beta):
    if np.ndim(N) == 0:
        return E + A * float(N) ** -alpha + B * float(D) ** -beta
    return [E + A * n**-alpha + B * d**-beta for n, d in zip(N.tolist(), D.tolist(), strict=True)]


def surface_logs(N, D, E, A, B, alpha, beta):
    return E + np.exp(np.log(A) - alpha * np.log(N)) + np.exp(np.log(B) - beta * np.log(D))


def surface_tensors(N, D, E, A, B, alpha, beta):
    import tensorflow as tf

    N, D = tf.cast(N, tf.float64), tf.cast(D, tf.float64)
    return E + A / N**alpha + B / D**beta


def split_as_published(C, A, B, alpha, beta):
    """Hoffmann et al., Eq. 4."""
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    a, b = beta / (alpha + beta), alpha / (alpha + beta)
    return G * (C / 6) ** a, (1 / G) * (C / 6) ** b


def split_by_search(C, A, B, alpha, beta):
    """No algebra: the lowest point of the curve, in log N."""

    def one(c):
        def slope(n):  # of the loss in log N, at D = c / (6 N)
            return -alpha * A * math.exp(-alpha * n) + beta * B * math.exp(-beta * (math.log(c / 6) - n))

        n = optimize.brentq(slope, -20, 60, xtol=1e-12)
        return math.exp(n), c / 6 / math.exp(n)

    if np.ndim(C) == 0:
        return one(C)
    N, D = zip(*[one(c) for c in C], strict=True)
    return np.array(N), np.array(D)


def objective_loop(predicted, measured, delta):
    total = 0.0
    for p, m in zip(predicted, measured, strict=True):
        r = abs(math.log(p / m))
        total += r * r / 2 if r <= delta else delta * (r - delta / 2)
    return total


def objective_minimum(predicted, measured, delta=1e-3):
    r = np.abs(np.log(measured) - np.log(predicted))
    inner = np.minimum(r, delta)
    return np.sum(inner * (r - inner / 2))


def objective_tensors(predicted, measured, delta):
    import tensorflow as tf

    r = tf.abs(tf.math.log(tf.constant(predicted)) - tf.math.log(tf.constant(measured)))
    return tf.reduce_sum(tf.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta)))


def settled_ratio(before, after, tolerance):
    return 1 - after / before <= tolerance


def settled_loop(before, after, tolerance):
    return [(b - a) / abs(a) <= tolerance for b, a in zip(before, after, strict=True)]


def projection_bounded(N, D, loss, alpha, beta):
    X = np.column_stack([1 / loss, 1 / (loss * N**alpha), 1 / (loss * D**beta)])
    scale = X.max(axis=0)
    found = optimize.lsq_linear(X / scale, np.ones(len(X)), bounds=(0, np.inf), method="bvls", tol=1e-14)
    return found.x / scale


def projection_subsets(N, D, loss, alpha, beta):
    """Every choice of terms, solved without bounds; the best whose constants are all positive."""
    X = np.column_stack([np.ones_like(N), N**-alpha, D**-beta]) / loss[:, None]
    best, answer = np.inf, None
    for bits in range(1, 8):
        chosen = [i for i in range(3) if bits >> i & 1]
        c = np.linalg.lstsq(X[:, chosen], np.ones(len(X)), rcond=None)[0]
        squares = np.sum((X[:, chosen] @ c - 1) ** 2)
        if (c >= 0).all() and squares < best:
            best, answer = squares, np.zeros(3)
            answer[chosen] = c
    return tuple(answer)


def bootstrap_polyfit(x, y, picks):
    slopes = [np.polyfit(np.log(x[row]), np.log(y[row]), 1)[0] for row in picks]
    return np.percentile(slopes, 2.5), np.percentile(slopes, 97.5)


def bootstrap_quantile(x, y, picks):
    slopes = []
    for row in picks:
        u, v = np.log10(x[row]), np.log10(y[row])
        slopes.append(np.cov(u, v)[0, 1] / np.var(u, ddof=1))
    return np.quantile(slopes, [0.025, 0.975])


def score_where(low, high, measured, level=0.95):
    tail = (1 - level) / 2
    outside = np.where(measured < low, low - measured, np.where(measured > high, measured - high, 0.0))
    return high - low + outside / tail


def score_loop(low, high, measured, level=0.95):
    if np.ndim(low):
        return [score_loop(*each, level) for each in zip(low, high, measured, strict=True)]
    score = high - low
    if measured < low:
        score += 2 * (low - measured) / (1 - level)
    elif measured > high:
        score += 2 * (measured - high) / (1 - level)
    return score


RIGHT = {
    "5.4.1": [surface_loop, surface_logs, surface_tensors],
    "5.4.2": [split_as_published, split_by_search],
    "5.4.3": [objective_loop, objective_minimum, objective_tensors],
    "5.4.4": [settled_ratio, settled_loop],
    "5.4.5": [projection_bounded, projection_subsets],
    "5.4.6": [bootstrap_polyfit, bootstrap_quantile],
    "5.4.7": [score_where, score_loop],
}

_RANGE = "The runs cover one decade of compute and the claim goes five further. "
_FLOOR = "The formula has no irreducible part, so it goes to zero loss. "
_SEEDS = "There is a single seed and no interval beside the number. "
_RUNS = (
    "I would ask for three more trainings and a fit that is scored on the largest budget before anybody believes it. "
)
_MORE = "The learning rate is also the same at every size, which lesson 5.3 found to tilt the curve it then fits. "

WRONG = {
    "5.4.8": {
        "R² as proof": "The R² is .998, which shows that the law is right. " + _RANGE + _FLOOR + _SEEDS + _RUNS,
        "no range": _FLOOR + _SEEDS + _RUNS + _MORE,
        "no floor": _RANGE + _SEEDS + _RUNS + _MORE,
        "no uncertainty": _RANGE + _FLOOR + _RUNS + _MORE,
        "nothing to do": _RANGE
        + _FLOOR
        + _SEEDS
        + _MORE
        + "So nobody should believe the number that is claimed there.",
    }
}
