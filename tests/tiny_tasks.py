"""Tasks that take no time, each of one kind of input, for the tests of models, training and sweeps."""

from __future__ import annotations

import itertools

import numpy as np

from course.data import Task

SIGMA = 0.25
"""Standard deviation of the noise of `corners`, whose floor is its square."""


def corners(name: str = "corners", d: int = 4) -> Task:
    """Linear least squares on the corners of a cube, noise +-SIGMA: the validation loss is an exact expectation."""
    slope = np.linspace(1.0, -0.5, d).astype(np.float32)

    def draw(train, seed, batch):
        import tensorflow as tf

        signs = tf.cast(tf.random.stateless_uniform((batch, d + 1), seed, 0, 2, dtype=tf.int32), tf.float32) * 2 - 1
        return signs[:, :d], tf.linalg.matvec(signs[:, :d], train["slope"]) + SIGMA * signs[:, d]

    every = np.array(list(itertools.product((-1, 1), repeat=d + 1)), np.float32)
    x, y = every[:, :d], every[:, :d] @ slope + np.float32(SIGMA) * every[:, d]
    return Task(name, "squared_error", (d,), 1, 0, 1, {"slope": slope}, draw, (x, y, None), SIGMA**2, np.inf, "c" * 64)


def _text(vocabulary: int, length: int) -> np.ndarray:
    """A text in which each token is usually one more than the last."""
    steps = np.random.default_rng(0).choice([1, 2, 5], p=[0.7, 0.2, 0.1], size=length)
    return (np.cumsum(steps) % vocabulary).astype(np.uint8)


def _windows(train, seed, batch, length):
    import tensorflow as tf

    text = train["text"]
    first = tf.random.stateless_uniform((batch,), seed, 0, tf.shape(text)[0] - length + 1, dtype=tf.int32)
    return tf.cast(tf.gather(text, first[:, None] + tf.range(length)), tf.int32)


def letters(name: str = "letters", window: int = 4, vocabulary: int = 12, validation: int = 100) -> Task:
    """The next token after `window` tokens."""
    text = _text(vocabulary, 4000)

    def draw(train, seed, batch):
        drawn = _windows(train, seed, batch, window + 1)
        return drawn[:, :-1], drawn[:, -1]

    scored = np.lib.stride_tricks.sliding_window_view(text[3000:], window + 1)[:validation]
    return Task(
        name, "cross_entropy", (window,), vocabulary, vocabulary, 1,
        {"text": text[:3000]}, draw, (scored[:, :-1], scored[:, -1], None), None, 3000.0, "a" * 64,
    )  # fmt: skip


def sequences(name: str = "sequences", length: int = 8, vocabulary: int = 12) -> Task:
    """The next token at each of `length` positions."""
    text = _text(vocabulary, 4000)

    def draw(train, seed, batch):
        drawn = _windows(train, seed, batch, length + 1)
        return drawn[:, :-1], drawn[:, 1:]

    scored = np.lib.stride_tricks.sliding_window_view(text[3000:], length + 1)[::10][:16]
    return Task(
        name, "cross_entropy", (length,), vocabulary, vocabulary, length,
        {"text": text[:3000]}, draw, (scored[:, :-1], scored[:, 1:], None), None, 3000.0, "b" * 64,
    )  # fmt: skip


def pictures(inputs: tuple[int, ...] = (6, 6, 1), classes: int = 3) -> Task:
    """Classes of random pictures, or of signals where `inputs` has one number."""
    rng = np.random.default_rng(1)
    means = rng.normal(size=(classes, *inputs)).astype(np.float32)

    def draw(train, seed, batch):
        import tensorflow as tf

        y = tf.random.stateless_uniform((batch,), seed, 0, classes, dtype=tf.int32)
        return tf.gather(train["means"], y) + tf.random.stateless_normal((batch, *inputs), seed), y

    y = rng.integers(0, classes, 64)
    x = means[y] + rng.normal(size=(64, *inputs)).astype(np.float32)
    return Task(
        "pictures", "cross_entropy", inputs, classes, 0, 1, {"means": means}, draw, (x, y, None), None, np.inf, "d" * 64
    )
