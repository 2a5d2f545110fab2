"""Right answers to lesson 2.1's exercises, written in other ways than the reference."""

from __future__ import annotations

import itertools
import math

import numpy as np


def dense_loop(widths):
    total, inputs = 0, widths[0]
    for outputs in widths[1:]:
        total += (inputs + 1) * outputs
        inputs = outputs
    return total


def dense_arrays(widths):
    return sum(np.zeros(shape).size for a, b in itertools.pairwise(widths) for shape in ((a, b), (b,)))


def dense_tensors(widths):
    import tensorflow as tf

    w = tf.constant(widths)
    return tf.reduce_sum((w[:-1] + 1) * w[1:])


def products_shapes(batch, inputs, outputs):
    shapes = {"x": (batch, inputs), "W": (inputs, outputs), "delta": (batch, outputs)}

    def flops(left, right):
        assert left[1] == right[0]
        return 2 * left[0] * left[1] * right[1]

    x, w, delta = shapes.values()
    return flops(x, w), flops(x[::-1], delta), flops(delta, w[::-1])


def products_equal(batch, inputs, outputs):
    return np.full(3, 2 * batch * inputs * outputs)


def products_tensors(batch, inputs, outputs):
    import tensorflow as tf

    return tf.repeat(2 * batch * inputs * outputs, 3)


def budget_seconds(flops, n_params, gflops):
    tokens = flops / n_params / 6
    seconds = 6 * n_params * tokens / (gflops * 1e9)
    return [tokens, seconds / 24 / 60 / 60]


def budget_logarithms(flops, n_params, gflops):
    tokens = math.exp(math.log(flops) - math.log(6) - math.log(n_params))
    return np.array([tokens, flops / gflops / 8.64e13])


def block_shapes(d_model, heads, d_ff):
    d_head = d_model // heads
    attention = [(d_model, d_head)] * (3 * heads) + [(heads * d_head, d_model)]
    rest = [(d_model, d_ff), (d_ff, d_model), (d_model,), (d_model,)]
    return sum(math.prod(shape) for shape in attention + rest)


def block_formula(d_model, heads, d_ff):
    return 2 * d_model * (2 * d_model + d_ff + 1)


def block_tensors(d_model, heads, d_ff):
    import tensorflow as tf

    shapes = [(d_model, d_model)] * 4 + [(d_model, d_ff), (d_ff, d_model), (2, d_model)]
    return tf.add_n([tf.size(tf.zeros(shape)) for shape in shapes])


def flops_loop(layers, d_model, d_ff, vocabulary, length):
    total = 2 * d_model * vocabulary
    for _ in range(layers):
        total += 2 * d_model * 3 * d_model  # queries, keys, values
        total += sum(2 * d_model for _ in range(length))  # scores
        total += sum(2 * d_model for _ in range(length))  # mixing
        total += 2 * d_model * d_model + 2 * d_model * d_ff + 2 * d_ff * d_model
    return total


def flops_formula(layers, d_model, d_ff, vocabulary, length):
    return 2 * d_model * (layers * (4 * d_model + 2 * d_ff + 2 * length) + vocabulary)


def flops_tensors(layers, d_model, d_ff, vocabulary, length):
    import tensorflow as tf

    widths = tf.constant([layers * (4 * d_model + 2 * d_ff), layers * 2 * length, vocabulary])
    return tf.reduce_sum(2 * d_model * widths)


def gigabytes_sum(n_params, gradient_bytes):
    weight, copy, first, second = 2, 4, 4, 4
    return n_params * (weight + gradient_bytes + copy + first + second) / 1e9


def gigabytes_arrays(n_params, gradient_bytes):
    kinds = ["float16", "float16" if gradient_bytes == 2 else "float32"] + ["float32"] * 3
    return sum(np.dtype(kind).itemsize for kind in kinds) * (n_params / 10**9)


RIGHT = {
    "2.1.1": [dense_loop, dense_arrays, dense_tensors],
    "2.1.2": [products_shapes, products_equal, products_tensors],
    "2.1.3": [budget_seconds, budget_logarithms],
    "2.1.4": [block_shapes, block_formula, block_tensors],
    "2.1.5": [flops_loop, flops_formula, flops_tensors],
    "2.1.6": [gigabytes_sum, gigabytes_arrays],
    "2.1.7": [4608 * 4096],
}

_COUNT = (
    "I count an image network. Its first convolution has 3 * 3 * 3 * 64 weights, its body eleven million, and its head "
    "512 * 1000 weights and 1000 biases, so 11.7 million parameters in all, as published. One image takes 1.8e9 multiply-"
    "adds, so 3.6e9 FLOPs forward and 1.1e10 in training; 90 passes over 1.28 million images are 1.3e18 FLOPs. At 100 "
    "GFLOP/s that is 1.3e7 seconds, 150 days. With Adam in float32 it takes 16 bytes for each parameter, 0.19 GB, which "
    "fits, and the activations of a batch take more than that."
)

WRONG = {
    "2.1.8": {
        "no FLOPs": _COUNT.replace("FLOPs", "operations").replace("GFLOP/s", "billion operations each second"),
        "no days": _COUNT.replace("150 days", "a lot"),
        "no bytes": _COUNT.replace("16 bytes for each parameter, 0.19 GB", "four numbers for each parameter"),
        "no parts": _COUNT.replace("first convolution", "start").replace("its head", "its end"),
        "no number": 5 * "I count the head and the embedding of a model, its FLOPs and its bytes and the days. ",
    }
}
