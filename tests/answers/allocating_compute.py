"""Right answers to lesson 3.3's exercises, written in other ways than the reference."""

from __future__ import annotations

import math

import numpy as np


def intensity_formula(m, k, n, bytes_per_number):
    return 2 / bytes_per_number / (1 / n + 1 / m + 1 / k)


def intensity_counted(m, k, n, bytes_per_number):
    flops = moved = 0
    for _ in range(m):
        for _ in range(n):
            flops += k + k
            moved += bytes_per_number
    for rows, columns in ((m, k), (k, n)):
        moved += rows * columns * bytes_per_number
    return flops / moved


def intensity_tensors(m, k, n, bytes_per_number):
    import tensorflow as tf

    shapes = tf.constant([[m, k], [k, n], [m, n]], tf.float64)
    return 2.0 * m * k * n / (bytes_per_number * tf.reduce_sum(tf.reduce_prod(shapes, axis=1)))


def roof_branches(intensity, peak_tflops, bandwidth_gb):
    ridge = peak_tflops * 1e12 / (bandwidth_gb * 1e9)
    return peak_tflops if intensity >= ridge else peak_tflops * intensity / ridge


def roof_seconds(intensity, peak_tflops, bandwidth_gb):
    flops = 1e15
    seconds = max(flops / (peak_tflops * 1e12), flops / intensity / (bandwidth_gb * 1e9))
    return flops / seconds / 1e12


def roof_tensors(intensity, peak_tflops, bandwidth_gb):
    import tensorflow as tf

    return tf.minimum(tf.constant(peak_tflops, tf.float64), intensity * bandwidth_gb / 1000)


def mfu_branches(n_params, tokens_per_second, sheet_tflops, sparse):
    if sparse:
        sheet_tflops /= 2
    forward = 2 * n_params * tokens_per_second
    return (forward + 2 * forward) / 1e12 / sheet_tflops


def mfu_numpy(n_params, tokens_per_second, sheet_tflops, sparse):
    return np.prod([6e-12, n_params, tokens_per_second, np.where(sparse, 2, 1)]) / sheet_tflops


def kwh_steps(flops, peak_tflops, utilisation, watts, devices):
    rate = devices * peak_tflops * 1e12 * utilisation
    hours = flops / rate / 3600
    return devices * watts / 1000 * hours


def kwh_short(flops, peak_tflops, utilisation, watts, devices):
    return flops * watts / (peak_tflops * utilisation * 3.6e18)


def longest_first_loop(costs, devices):
    free = [0.0] * devices
    ends = [0.0] * len(costs)
    for task in sorted(range(len(costs)), key=lambda i: costs[i], reverse=True):
        device = free.index(min(free))
        free[device] += costs[task]
        ends[task] = free[device]
    return ends


def longest_first_array(costs, devices):
    free, ends = np.zeros(devices), np.empty(len(costs))
    for task in np.argsort(costs)[::-1]:
        device = free.argmin()
        free[device] += costs[task]
        ends[task] = free[device]
    return ends


def longest_first_tensors(costs, devices):
    import tensorflow as tf

    return tf.constant(longest_first_loop(list(costs), devices))


def waste_logs(loss, best_loss, slope):
    return math.expm1(math.log(loss / best_loss) / slope)


def waste_budgets(loss, best_loss, slope):
    spent = best_loss ** (-1 / slope)
    enough = loss ** (-1 / slope)
    return (spent - enough) / enough


RIGHT = {
    "3.3.1": [intensity_formula, intensity_counted, intensity_tensors],
    "3.3.2": [roof_branches, roof_seconds, roof_tensors],
    "3.3.3": [mfu_branches, mfu_numpy],
    "3.3.4": [kwh_steps, kwh_short],
    "3.3.5": [waste_logs, waste_budgets],
    "3.3.6": [longest_first_loop, longest_first_array, longest_first_tensors],
}

_PLAN = (
    "I have one A100 for two days. My model reaches 30 % utilisation of the dense bfloat16 peak on it, measured over two "
    "hundred steps, so the two days buy 1.6e19 FLOPs. A twentieth of them goes into a pilot of small runs at three budgets with "
    "three seeds each, and the law fitted to those names the size of the final run. Runs go longest first to the card. Each "
    "finished run leaves a record, so that nothing is lost when the machine is taken away. At 400 W the card draws 19 kWh, "
    "and I would stop if the final run missed its predicted loss."
)

WRONG = {
    "3.3.7": {
        "no utilisation": _PLAN.replace("30 % utilisation of the dense bfloat16 peak", "a good speed"),
        "no pilot": _PLAN.replace("a pilot of small runs", "some trials").replace(
            "the law fitted to those names", "they name"
        ),
        "no interruption": _PLAN.replace(
            "Each finished run leaves a record, so that nothing is lost when the machine is taken away.",
            "Each finished run goes to a table that I look at every morning before I decide what comes next in the list.",
        ),
        "no energy": _PLAN.replace("At 400 W the card draws 19 kWh, and I", "The machine is not mine, and I"),
    }
}
