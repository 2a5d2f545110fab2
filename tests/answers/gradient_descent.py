"""Right answers to lesson 4.2's exercises, written in other ways than the reference."""

from __future__ import annotations

import math

import numpy as np


def step_loop(w, gradient, step):
    return [a - step * g for a, g in zip(w, gradient, strict=True)]


def step_tensors(w, gradient, step):
    import tensorflow as tf

    return tf.constant(w) - tf.constant(gradient) * step


def step_add_negative(w, gradient, step):
    return np.add(w, -gradient * step)


def descend_list(gradient, start, step, steps):
    path = [list(start)]
    for _ in range(steps):
        slope = gradient(np.array(path[-1]))
        path.append([a - step * g for a, g in zip(path[-1], slope, strict=True)])
    return path


def descend_rows(gradient, start, step, steps):
    path = np.zeros((steps + 1, len(start)))
    path[0] = start
    for t in range(steps):
        path[t + 1] = path[t] - step * gradient(path[t])
    return path


def descend_in_place_with_copies(gradient, start, step, steps):
    w = start.copy()
    path = [w.copy()]
    for _ in range(steps):
        w -= step * gradient(w)
        path.append(w.copy())
    return np.stack(path)


def descend_tensors(gradient, start, step, steps):
    import tensorflow as tf

    w = tf.Variable(start)
    path = [w.numpy()]
    for _ in range(steps):
        w.assign_sub(step * gradient(w.numpy()))
        path.append(w.numpy())
    return tf.stack(path)


def stable_singular_value(X):
    return 2 * len(X) / np.linalg.svd(X, compute_uv=False)[0] ** 2


def stable_spectral_norm(X):
    return 2 / np.linalg.norm(X @ X.T / X.shape[0], ord=2)


def stable_power_iteration(X):
    v = np.ones(X.shape[1]) + 0.1 * np.arange(X.shape[1])
    for _ in range(3000):
        v = X.T @ (X @ v)
        v /= np.linalg.norm(v)
    return 2 * len(X) / np.sum((X @ v) ** 2)


def stable_tensors(X):
    import tensorflow as tf

    H = tf.transpose(X) @ X / len(X)
    return 2 / tf.reduce_max(tf.linalg.eigvalsh(H))


def count_loop(kappa, factor):
    loss, steps = 1.0, 0
    while loss > 1 / factor:
        loss *= (1 - 1 / kappa) ** 2
        steps += 1
    return steps


def count_log(kappa, factor):
    return math.ceil(-math.log10(factor) / (2 * math.log10((kappa - 1) / kappa)))


def count_tensors(kappa, factor):
    import tensorflow as tf

    kappa, factor = tf.constant(kappa, tf.float64), tf.constant(factor, tf.float64)
    return tf.math.ceil(-tf.math.log(factor) / (2 * tf.math.log(1 - 1 / kappa)))


def exponent_plain(a, b):
    return a / b - 1 / b


def exponent_by_sums(a, b):
    """Measured: the share of loss beyond K at two values of K, by integrals."""
    t1, t2 = 1e3, 1e6
    left = [(t ** (1 / b)) ** (1 - a) / (a - 1) for t in (t1, t2)]
    return -math.log(left[1] / left[0]) / math.log(t2 / t1)


def exponent_tensors(a, b):
    import tensorflow as tf

    return (tf.constant(a, tf.float64) - 1) / b


def momentum_velocity(w, previous, gradient, step, momentum):
    velocity = w - previous
    velocity = momentum * velocity - step * gradient(w)
    return w + velocity


def momentum_loop(w, previous, gradient, step, momentum):
    return [(1 + momentum) * a - momentum * p - step * g for a, p, g in zip(w, previous, gradient(w), strict=True)]


def momentum_keras(w, previous, gradient, step, momentum):
    import tensorflow as tf

    w, previous = tf.constant(w), tf.constant(previous)
    return w + momentum * (w - previous) - step * tf.constant(gradient(w.numpy()))


def schedule_cosines(count, smallest, largest):
    i = np.arange(count)
    removed = (smallest + largest) / 2 - (largest - smallest) / 2 * np.cos(np.pi * (i + 0.5) / count)
    return 1 / removed


def schedule_loop(count, smallest, largest):
    middle, half = (smallest + largest) / 2, (largest - smallest) / 2
    return [1 / (middle + half * math.cos(math.pi * (2 * i + 1) / (2 * count))) for i in range(count)]


def schedule_search(count, smallest, largest):
    """No theory: random changes to the removed curvatures, kept when the worst case improves."""
    rng = np.random.default_rng(0)
    grid = np.linspace(smallest, largest, 300)

    def worst(removed):
        return np.max(np.abs(np.prod(1 - grid[:, None] / removed, axis=1)))

    best = np.linspace(smallest, largest, count + 2)[1:-1]
    value = worst(best)
    for i in range(6000):
        trial = best * np.exp(rng.normal(size=count) * (0.3 if i < 2000 else 0.05))
        if worst(trial) < value:
            best, value = trial, worst(trial)
    return 1 / best


def schedule_tensors(count, smallest, largest):
    import tensorflow as tf

    i = tf.range(count, dtype=tf.float64)
    roots = tf.cos(np.pi * (i + 0.5) / count)
    return 1 / ((largest + smallest) / 2 + (largest - smallest) / 2 * roots)


RIGHT = {
    "4.2.1": [step_loop, step_add_negative, step_tensors],
    "4.2.2": [descend_list, descend_rows, descend_in_place_with_copies, descend_tensors],
    "4.2.3": [stable_singular_value, stable_spectral_norm, stable_power_iteration, stable_tensors],
    "4.2.4": [count_loop, count_log, count_tensors],
    "4.2.5": [exponent_plain, exponent_by_sums, exponent_tensors],
    "4.2.6": [momentum_velocity, momentum_loop, momentum_keras],
    "4.2.7": [schedule_cosines, schedule_loop, schedule_search, schedule_tensors],
}
