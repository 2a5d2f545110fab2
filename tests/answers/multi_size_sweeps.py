"""Right answers to lesson 5.3's exercises, written in other ways than the reference."""

from __future__ import annotations

import math

import numpy as np


def parameters_formula(window, vocabulary, embedding, width):
    return vocabulary * embedding + (window * embedding + 1) * width + (width + 1) * vocabulary


def parameters_shapes(window, vocabulary, embedding, width):
    shapes = [(vocabulary, embedding), (window * embedding, width), (width,), (width, vocabulary), (vocabulary,)]
    return sum(math.prod(shape) for shape in shapes)


def parameters_tensors(window, vocabulary, embedding, width):
    import tensorflow as tf

    shapes = [(vocabulary, embedding), (window * embedding, width), (width,), (width, vocabulary), (vocabulary,)]
    return tf.add_n([tf.size(tf.zeros(shape)) for shape in shapes])


def flops_formula(window, vocabulary, embedding, width):
    return 6 * width * (window * embedding + vocabulary)


def flops_products(window, vocabulary, embedding, width):
    total = 0
    for rows, columns in ((window * embedding, width), (width, vocabulary)):
        forward, to_weights, to_inputs = (2 * rows * columns for _ in range(3))
        total += forward + to_weights + to_inputs
    return total


def steps_loop(budgets, flops_per_token, tokens_per_step, least):
    table = []
    for flops in flops_per_token:
        row = []
        for budget in budgets:
            steps = int(budget / (flops * tokens_per_step) + 0.5)
            row.append(steps if steps >= least else 0)
        table.append(row)
    return table


def steps_tensors(budgets, flops_per_token, tokens_per_step, least):
    import tensorflow as tf

    price = tf.cast(flops_per_token, tf.float64)[:, None] * tokens_per_step
    steps = tf.round(tf.constant(budgets, tf.float64)[None, :] / price)
    return steps * tf.cast(steps >= least, tf.float64)


def rate_branches(step, steps, peak, warmup, cooldown):
    length = round(cooldown * steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    if step < steps - length:
        return peak
    return peak * (steps - step) / length


def rate_product(step, steps, peak, warmup, cooldown):
    return peak * np.clip((step + 1) / warmup, 0, 1) * np.clip((steps - step) / (cooldown * steps), 0, 1)


def rate_tensors(step, steps, peak, warmup, cooldown):
    import tensorflow as tf

    return peak * tf.minimum(1.0, (step + 1) / warmup) * tf.minimum(1.0, (steps - step) / (cooldown * steps))


def branching_loop(steps, cooldown):
    separate = branched = longest = 0
    for s in steps:
        separate += s
        branched += cooldown * s
        longest = max(longest, s)
    return separate, branched + (1 - cooldown) * longest


def branching_sorted(steps, cooldown):
    """Stable steps between one branch and the next, and each one's cool-down."""
    branches = np.sort(steps) * (1 - cooldown)
    return np.sum(steps), np.sum(np.diff(branches, prepend=0)) + np.sum(cooldown * np.asarray(steps))


def size_least_squares(n_params, loss):
    if loss[0] == min(loss) or loss[-1] == min(loss):
        return float("nan")
    x = np.log10(n_params)
    _, b, a = np.linalg.lstsq(np.stack([np.ones_like(x), x, x**2], axis=1), np.log(loss), rcond=None)[0]
    return 10 ** (-b / 2 / a)


def size_polynomial(n_params, loss):
    if not 0 < np.argmin(loss) < len(loss) - 1:
        return np.nan
    fitted = np.polynomial.Polynomial.fit(np.log2(n_params), np.log2(loss), 2)
    return 2 ** fitted.deriv().roots()[0]


def size_tensors(n_params, loss):
    import tensorflow as tf

    x, y = tf.math.log(tf.constant(n_params, tf.float64)), tf.math.log(tf.constant(loss, tf.float64))
    if int(tf.argmin(y)) in (0, len(loss) - 1):
        return tf.constant(float("nan"))
    middle = tf.reduce_mean(x)
    columns = tf.stack([tf.ones_like(x), x - middle, (x - middle) ** 2], axis=1)
    a = tf.linalg.lstsq(columns, y[:, None])[:, 0]
    return tf.exp(middle - a[1] / (2 * a[2]))


def r_loop(loss, predicted):
    y, fitted = [math.log(v) for v in loss], [math.log(v) for v in predicted]
    mean = sum(y) / len(y)
    return 1 - sum((a - b) ** 2 for a, b in zip(y, fitted, strict=True)) / sum((a - mean) ** 2 for a in y)


def r_sklearn(loss, predicted):
    from sklearn.metrics import r2_score

    return r2_score(np.log(loss), np.log(predicted))


def r_tensors(loss, predicted):
    import tensorflow as tf

    y = tf.math.log(tf.constant(loss))
    return 1 - tf.reduce_mean((y - tf.math.log(tf.constant(predicted))) ** 2) / tf.math.reduce_variance(y)


def slices_loop(ids, values, rows):
    gradient = np.zeros((rows, values.shape[1]))
    for row, value in zip(ids, values, strict=True):
        gradient[row] += value
    return gradient**2


def slices_one_hot(ids, values, rows):
    return (np.eye(rows)[ids].T @ values) ** 2


def slices_tensors(ids, values, rows):
    import tensorflow as tf

    slices = tf.IndexedSlices(tf.constant(values), tf.constant(ids), dense_shape=(rows, values.shape[1]))
    return tf.convert_to_tensor(slices) ** 2


RIGHT = {
    "5.3.1": [parameters_formula, parameters_shapes, parameters_tensors],
    "5.3.2": [flops_formula, flops_products],
    "5.3.3": [steps_loop, steps_tensors],
    "5.3.4": [rate_branches, rate_product, rate_tensors],
    "5.3.5": [branching_loop, branching_sorted],
    "5.3.6": [size_least_squares, size_polynomial, size_tensors],
    "5.3.7": [r_loop, r_sklearn, r_tensors],
    "5.3.8": [slices_loop, slices_one_hot, slices_tensors],
}

_PLAN = (
    "I spend 1e14 FLOPs on five budgets over two decades and seven sizes for each budget, spaced by factors of 1.5, so "
    "that the best size lies inside the sizes and not at the edge of them. The learning rate is chosen by a small sweep "
    "at two sizes. Each run is made with three seeds, and the largest budget is kept out of the fit to test it in the end."
)

WRONG = {
    "5.3.9": {
        "no seeds": _PLAN.replace("three seeds", "three repeats"),
        "no learning rate": _PLAN.replace("learning rate", "step"),
        "no edges": _PLAN.replace(", so that the best size lies inside the sizes and not at the edge of them", "")
        + " There will be a figure of the curves, and a table of all the losses beside it in the report at the end.",
        "no number of FLOPs": _PLAN.replace("1e14 FLOPs", "two hours"),
    }
}
