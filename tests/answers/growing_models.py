"""Right answers to lesson 3.1's exercises, written in other ways than the reference."""

from __future__ import annotations

import math

import numpy as np


def width_search(weights, layers, inputs, outputs):
    """The whole number whose cost is the nearest, by trying half steps."""
    width = 1
    while (inputs + outputs) * (width + 0.5) + (layers - 1) * (width + 0.5) ** 2 < weights:
        width += 1
    return width


def width_roots(weights, layers, inputs, outputs):
    coefficients = [layers - 1, inputs + outputs, -weights] if layers > 1 else [inputs + outputs, -weights]
    return int(np.round(max(np.roots(coefficients).real)))


def std_power(fan_in, fan_out):
    return (fan_in / 2) ** -0.5


def std_tensors(fan_in, fan_out):
    import tensorflow as tf

    return tf.sqrt(2.0 / tf.cast(fan_in, tf.float64))


def cosine_angles(cosine, layers):
    """With the angle: (sin a + (pi - a) cos a) / pi."""
    for _ in range(layers):
        angle = math.acos(cosine)
        cosine = (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / math.pi
    return cosine


def cosine_recursive(cosine, layers):
    if layers == 0:
        return cosine
    return cosine_recursive((np.sqrt(1 - cosine**2) + cosine * np.arccos(-cosine)) / np.pi, layers - 1)


def hidden_formula(width, base_width):
    return base_width / width, math.sqrt(2 * width) / base_width


def hidden_tensors(width, base_width):
    import tensorflow as tf

    multiplier = tf.constant(base_width / width, tf.float64)
    return tf.stack([multiplier, tf.sqrt(tf.constant(2 / width, tf.float64)) / multiplier])


def rate_matrix(rates, loss, draws):
    """All draws at once: polyfit takes a column for each."""
    x, y = np.log(rates), np.log(loss)
    curves = np.polyfit(x, y[draws].mean(axis=1).T, 2)
    found = np.exp(-curves[1] / (2 * curves[0]))
    best = np.polynomial.Polynomial.fit(x, y.mean(axis=0), 2).deriv().roots()[0]
    return np.exp(best), np.quantile(found, 0.025), np.quantile(found, 0.975)


def rate_loop(rates, loss, draws):
    x = [math.log(rate) for rate in rates]

    def lowest(rows):
        y = [sum(math.log(loss[i][j]) for i in rows) / len(rows) for j in range(len(x))]
        _, b, a = np.linalg.lstsq(np.stack([np.ones(len(x)), x, np.square(x)], axis=1), y, rcond=None)[0]
        return math.exp(-b / (2 * a))

    found = [lowest(rows) for rows in draws]
    return [lowest(range(len(loss))), *np.percentile(found, (2.5, 97.5))]


RIGHT = {
    "3.1.1": [width_search, width_roots],
    "3.1.2": [std_power, std_tensors],
    "3.1.3": [cosine_angles, cosine_recursive],
    "3.1.4": [hidden_formula, hidden_tensors],
    "3.1.5": [rate_matrix, rate_loop],
}

_START = ", the deep ones with skip connections, after an initial scale of the root of two over the fan-in"
_PLAN = (
    f"I compare wide and deep candidates at equal FLOPs{_START}. The learning rate is swept at three widths with five seeds "
    "each, and its line is carried on to the large model. If the best values do not lie on a line I stop there and look for "
    "the reason before more hours are spent on the large model, which is trained only once, with a second value beside it."
)

WRONG = {
    "3.1.6": {
        "no rate": _PLAN.replace("learning rate", "step size"),
        "no cost": _PLAN.replace("at equal FLOPs", "side by side"),
        "no start": _PLAN.replace(_START, "") + " Everything else is kept as it was in the small model.",
        "no seeds": _PLAN.replace("with five seeds each", "one after the other"),
    }
}
