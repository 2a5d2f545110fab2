"""Tasks that take no time, each of one kind of input, for the tests of models, training and sweeps."""

from __future__ import annotations

import itertools
import math

import numpy as np

import course.data
from course import sweeps, training
from course.data import Task
from course.data.task import normal, pick, whole_numbers
from course.training import Outcome

SIGMA = 0.25
"""Standard deviation of the noise of `corners`, whose floor is its square."""


def corners(name: str = "corners", d: int = 4) -> Task:
    """Linear least squares on the corners of a cube, noise +-SIGMA: the validation loss is an exact expectation."""
    slope = np.linspace(1.0, -0.5, d).astype(np.float32)

    def draw(train, seed, batch):
        from keras import ops

        signs = ops.cast(whole_numbers(seed, (batch, d + 1), 2), "float32") * 2 - 1
        return signs[:, :d], ops.matmul(signs[:, :d], train["slope"]) + SIGMA * signs[:, d]

    every = np.array(list(itertools.product((-1, 1), repeat=d + 1)), np.float32)
    x, y = every[:, :d], every[:, :d] @ slope + np.float32(SIGMA) * every[:, d]
    return Task(name, "squared_error", (d,), 1, 0, 1, {"slope": slope}, draw, (x, y, None), SIGMA**2, np.inf, "c" * 64)


def _text(vocabulary: int, length: int) -> np.ndarray:
    """A text in which each token is usually one more than the last."""
    steps = np.random.default_rng(0).choice([1, 2, 5], p=[0.7, 0.2, 0.1], size=length)
    return (np.cumsum(steps) % vocabulary).astype(np.uint8)


def _windows(train, seed, batch, length):
    from keras import ops

    first = whole_numbers(seed, (batch,), train["text"].shape[0] - length + 1)
    return ops.cast(pick(train["text"], first[:, None] + np.arange(length, dtype=np.int32)), "int32")


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
        y = whole_numbers(seed, (batch,), classes)
        return pick(train["means"], y) + normal(seed, (batch, *inputs)), y

    y = rng.integers(0, classes, 64)
    x = means[y] + rng.normal(size=(64, *inputs)).astype(np.float32)
    return Task(
        "pictures", "cross_entropy", inputs, classes, 0, 1, {"means": means}, draw, (x, y, None), None, np.inf, "d" * 64
    )


def enter(monkeypatch, **tasks: Task) -> None:
    """The tiny tasks under their names, beside the course's own."""
    real = course.data.task
    monkeypatch.setattr(course.data, "task", lambda name, **options: tasks.get(name) or real(name, **options))


def pretend_training(monkeypatch, law):
    """Training that takes no time: the loss is law(size, steps, seed), NaN at a rate above 1,000.

    A generator for a fixture; it yields the list of what was asked for: (size, seed, steps of each run).
    """
    calls = []

    def branches(trainer, budgets, seed=0):
        calls.append((trainer.size, seed, sorted(budgets)))
        for steps in sorted(budgets):
            loss = law(trainer.size, steps, seed)
            yield Outcome(steps, math.nan if trainer.recipe.rate > 1000 else loss, loss, 0.1)

    class Trainer:
        def __init__(self, task, family, size, recipe, *, backend=None):
            self.size, self.recipe = size, recipe

    monkeypatch.setattr(training, "Trainer", Trainer)
    monkeypatch.setattr(training, "train_branches", branches)
    sweeps.making._trainer.cache_clear()
    yield calls
    sweeps.making._trainer.cache_clear()
