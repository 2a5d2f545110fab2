"""Right answers to lesson 4.1's exercises, written in other ways than the reference."""

from __future__ import annotations

import math

import numpy as np


def bce_loop(z, y):
    total = 0.0
    for logit, label in zip(z, y, strict=True):
        signed = logit if label == 1 else -logit
        total += math.log1p(math.exp(-signed)) if signed > 0 else -signed + math.log1p(math.exp(signed))
    return total / len(y)


def bce_logaddexp(z, y):
    return np.where(y == 1, np.logaddexp(0, -z), np.logaddexp(0, z)).mean()


def bce_tensors(z, y):
    import tensorflow as tf

    y = tf.cast(y, tf.float64)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z))


def gradient_loop(w, X, y):
    total = [0.0] * len(w)
    for row, label in zip(X, y, strict=True):
        z = sum(a * b for a, b in zip(row, w, strict=True))
        p = 1 / (1 + math.exp(-z))
        for j, feature in enumerate(row):
            total[j] += (p - label) * feature
    return [value / len(y) for value in total]


def gradient_rows(w, X, y):
    p = 1 / (1 + np.exp(-(X @ w)))
    return np.mean(X * (p - y)[:, None], axis=0)


def gradient_tape(w, X, y):
    import tensorflow as tf

    w = tf.Variable(w)
    with tf.GradientTape() as tape:
        z = tf.linalg.matvec(tf.constant(X), w)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.cast(y, tf.float64), logits=z))
    return tape.gradient(loss, w)


def difference_copies(f, w, step):
    gradient = np.zeros(len(w))
    for i in range(len(w)):
        up, down = w.copy(), w.copy()
        up[i] += step
        down[i] -= step
        gradient[i] = (f(up) - f(down)) / (2 * step)
    return gradient


def difference_identity(f, w, step):
    return [(f(w + e) - f(w - e)) / (2 * step) for e in step * np.eye(len(w))]


def difference_tensors(f, w, step):
    import tensorflow as tf

    moves = step * tf.eye(len(w), dtype=tf.float64)
    return tf.stack([(f((w + move).numpy()) - f((w - move).numpy())) / (2 * step) for move in moves])


def lse_loop(z):
    return [max(row) + math.log(sum(math.exp(value - max(row)) for value in row)) for row in z]


def lse_max(z):
    m = z.max(axis=-1, keepdims=True)
    return m[..., 0] + np.log(np.exp(z - m).sum(axis=-1))


def lse_tensors(z):
    import tensorflow as tf

    return tf.reduce_logsumexp(z, axis=-1)


def softmax_gradient_max(W, X, Y):
    z = X @ W
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return X.T @ (e / e.sum(axis=1, keepdims=True) - Y) / X.shape[0]


def softmax_gradient_loop(W, X, Y):
    gradient = np.zeros(W.shape)
    for x, label in zip(X, Y, strict=True):
        z = x @ W
        e = np.exp(z - max(z))
        gradient += np.outer(x, e / sum(e) - label)
    return gradient / len(X)


def softmax_gradient_tape(W, X, Y):
    import tensorflow as tf

    W = tf.Variable(W)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=Y, logits=X @ W))
    return tape.gradient(loss, W)


def brier(p, y):
    return (p - y) ** 2


def spherical(p, y):
    return -np.where(y == 1, p, 1 - p) / np.sqrt(p**2 + (1 - p) ** 2)


def brier_tensors(p, y):
    import tensorflow as tf

    return tf.square(tf.constant(p) - tf.cast(y, tf.float64))


def beta_family(p, y):
    """Costs a and b with a' = -(1 - p)(1 + p) and b' = p (1 + p): errors near 1 weigh more."""
    return [-(a - a**3 / 3) if b == 1 else a**2 / 2 + a**3 / 3 for a, b in zip(p, y, strict=True)]


RIGHT = {
    "4.1.1": [(3 * -math.log(0.7) - math.log(0.3)) / 4],
    "4.1.2": [bce_loop, bce_logaddexp, bce_tensors],
    "4.1.3": [gradient_loop, gradient_rows, gradient_tape],
    "4.1.4": [difference_copies, difference_identity, difference_tensors],
    "4.1.5": [lse_loop, lse_max, lse_tensors],
    "4.1.6": [softmax_gradient_max, softmax_gradient_loop, softmax_gradient_tape],
    "4.1.7": [brier, spherical, brier_tensors, beta_family],
}
