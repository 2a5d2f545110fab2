"""Right answers to lesson 3.2's exercises, written in other ways than the reference."""

from __future__ import annotations

import numpy as np


def shards_loop(gradients, counts):
    total = 0.0
    for gradient, count in zip(gradients, counts, strict=True):
        total = total + count * gradient
    return total / sum(counts)


def shards_numpy(gradients, counts):
    return np.average(gradients, axis=0, weights=counts)


def shards_tensors(gradients, counts):
    import tensorflow as tf

    weights = tf.cast(counts, tf.float64) / tf.reduce_sum(tf.cast(counts, tf.float64))
    return tf.linalg.matvec(tf.transpose(tf.constant(gradients)), weights)


def step_loop(chunks, step):
    after = np.array(chunks)
    for receiver in range(len(chunks)):
        sender = (receiver - 1) % len(chunks)
        chunk = (sender - step) % len(chunks)
        after[receiver, chunk] = chunks[receiver, chunk] + chunks[sender, chunk]
    return after


def step_indexed(chunks, step):
    p = len(chunks)
    device = np.arange(p)
    after = chunks.copy()
    after[(device + 1) % p, (device - step) % p] += chunks[device, (device - step) % p]
    return after


def step_tensors(chunks, step):
    import tensorflow as tf

    p = len(chunks)
    mask = np.zeros((p, p, 1))
    mask[np.arange(p), (np.arange(p) - step) % p] = 1
    return tf.constant(chunks) + tf.roll(tf.constant(mask * chunks), 1, axis=0)


def bytes_counted(n_bytes, p):
    return sum(n_bytes / p for _ in ("scatter", "gather") for _ in range(p - 1))


def bytes_formula(n_bytes, p):
    return 2 * n_bytes - 2 * n_bytes / p


def bubble_counted(p, m):
    slots = p * (m + p - 1)
    return (slots - p * m) / slots


def bubble_played(p, m):
    busy = np.zeros((p, m + p - 1), dtype=bool)
    for stage in range(p):
        busy[stage, stage : stage + m] = True
    return 1 - busy.mean()


def memory_branches(n_params, p, stage):
    if stage == 0:
        return 16 * n_params
    if stage == 1:
        return (4 + 12 / p) * n_params
    if stage == 2:
        return (2 + 14 / p) * n_params
    return 16 / p * n_params


def memory_parts(n_params, p, stage):
    optimizer, gradients, weights = 12.0, 2.0, 2.0
    if stage > 0:
        optimizer /= p
    if stage > 1:
        gradients /= p
    if stage > 2:
        weights /= p
    return n_params * (optimizer + gradients + weights)


def scale_solved(small_squared, large_squared, small, large):
    equations = [[1, 1 / small], [1, 1 / large]]
    gradient, trace = np.linalg.solve(equations, [np.mean(small_squared), np.mean(large_squared)])
    return trace / gradient


def scale_loop(small_squared, large_squared, small, large):
    s, b = sum(small_squared) / len(small_squared), sum(large_squared) / len(large_squared)
    return small * large * (s - b) / (large * b - small * s)


def scale_tensors(small_squared, large_squared, small, large):
    import tensorflow as tf

    s, b = tf.reduce_mean(tf.constant(small_squared)), tf.reduce_mean(tf.constant(large_squared))
    trace = (s - b) / (1 / small - 1 / large)
    return trace / (b - trace / large)


def tradeoff_hyperbola(batch, least_steps, critical_batch):
    least_samples = least_steps * critical_batch
    steps = least_steps + least_samples / batch
    return [steps, least_samples / (1 - least_steps / steps)]


def tradeoff_tensors(batch, least_steps, critical_batch):
    import tensorflow as tf

    ratio = tf.constant(critical_batch / batch, tf.float64)
    steps = least_steps * (1 + ratio)
    return steps, steps * batch


RIGHT = {
    "3.2.1": [shards_loop, shards_numpy, shards_tensors],
    "3.2.2": [step_loop, step_indexed, step_tensors],
    "3.2.3": [bytes_counted, bytes_formula],
    "3.2.4": [bubble_counted, bubble_played],
    "3.2.5": [memory_branches, memory_parts],
    "3.2.6": [scale_solved, scale_loop, scale_tensors],
    "3.2.7": [tradeoff_hyperbola, tradeoff_tensors],
}

_PLAN = (
    "The memory comes first: plain Adam needs 120 GB a device, so I divide the optimiser over the 64 devices by ZeRO. The "
    "traffic of the ring is about 30 GB a step and takes 1.2 seconds, so a step should compute for ten. That asks for a "
    "large batch, and the noise scale says how large one is worth it. I time a step on 8 and on 64 devices, and change the "
    "plan when the efficiency falls below four fifths of what one device does."
)

WRONG = {
    "3.2.8": {
        "no memory": _PLAN.replace(
            "The memory comes first: plain Adam needs 120 GB a device", "Adam comes first"
        ).replace("30 GB", "thirty billion bytes"),
        "no batch": _PLAN.replace("a large batch", "many tokens"),
        "no traffic": _PLAN.replace(
            "The traffic of the ring is about 30 GB a step and takes 1.2 seconds", "A ring takes 1.2 s"
        ),
        "no way to fail": _PLAN.replace("the efficiency", "the rate"),
    }
}
