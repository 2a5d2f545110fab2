"""The engine held to JAX and PyTorch: same weights, same batches, same losses step by step.

Keras' Adam on TensorFlow squares an embedding's gradient before it sums the entries of a repeated id.
The engine makes gradients dense first; the last test shows that leaving it out would be seen here.
"""

from __future__ import annotations

import dataclasses
import warnings
from functools import cache

import numpy as np
import pytest
from engines import Worker, absent, fixed_batches, recipe_of, task_of

from course.data.task import pick
from course.training import Trainer, learning_rate

STEPS = 80
SIZES = {"char_mlp": 32, "transformer": 16}
TOLERANCE = 5e-5  # nats; 80 steps of float32 rounding give 1e-6 for the MLP and 1e-5 for the Transformer


def fixed(task, x, y):
    """The task with batch number seed[1], the step, in place of one drawn at random."""

    def draw(train, seed, batch):
        return pick(train["x"], seed[1]), pick(train["y"], seed[1])

    return dataclasses.replace(task, train={"x": x, "y": y}, draw=draw)


@cache
def engine_losses(family, clip, dense_gradients=True):
    """The engine's loss at each step, and all it was given: batches, rates and first weights."""
    task, size = task_of(family), SIZES[family]
    recipe = recipe_of(task, rate=0.005, warmup=10, clip=clip, dense_gradients=dense_gradients)
    x, y = fixed_batches(task, recipe.batch, STEPS)
    trainer = Trainer(fixed(task, x, y), family, size, recipe)
    trainer.reset(0)
    weights = {f"w{i}": v.numpy() for i, v in enumerate(trainer.model.trainable_variables)}
    rates = learning_rate(recipe, size, np.arange(STEPS), STEPS).astype(np.float32)
    losses = [trainer.advance(step + 1, STEPS) for step in range(STEPS)]
    return np.array(losses), {"x": x, "y": y, "rates": rates, **weights}


@pytest.mark.parametrize("engine", ["jax", "jax-plain", "torch"])
@pytest.mark.parametrize(("family", "clip"), [("char_mlp", 0.0), ("transformer", 0.0), ("transformer", 1.0)])
def test_the_engine_trains_as_other_libraries_do(family, clip, engine, tmp_path):
    if absent(engine):
        pytest.skip(f"the library of {engine!r} is not installed, so the engine is not held to it here")
    losses, given = engine_losses(family, clip)
    assert losses[-10:].mean() < losses[0] - 1.5  # it did learn
    np.savez(tmp_path / "given.npz", **given)
    with Worker(engine) as worker:
        other = worker.losses(family, SIZES[family], tmp_path / "given.npz", clip=clip)
    np.testing.assert_allclose(losses, other, rtol=0, atol=TOLERANCE)


def second_moment(dense):
    """Adam's second moment, over 1 - beta_2, of an id that came twice in a batch, with gradients 1 and 2."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(0.1, beta_2=0.875)
    table = keras.Variable(np.zeros((3, 1), np.float32))
    optimizer.build([table])
    gradient = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([0, 0]), tf.constant([3, 1]))
    if dense:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow warns of the memory that a large table takes
            gradient = tf.convert_to_tensor(gradient)
    optimizer.apply_gradients([(gradient, table)])
    return float(optimizer.variables[-1].numpy()[0, 0]) / 0.125


def skip_if_mended():
    if second_moment(dense=False) == 9:
        pytest.skip("this Keras sums the gradients of a repeated id before it squares them")


def test_a_dense_gradient_is_summed_before_it_is_squared():
    assert second_moment(dense=True) == 9  # (1 + 2)^2


def test_keras_squares_the_slices_of_an_embedding_before_it_sums_them():
    skip_if_mended()
    assert second_moment(dense=False) == 5  # 1^2 + 2^2


@pytest.mark.parametrize("family", sorted(SIZES))
def test_the_comparison_would_notice_gradients_left_as_slices(family):
    # Without clipping: clipping by the global norm happens to make the slices dense before Adam sees them.
    skip_if_mended()
    losses, _ = engine_losses(family, 0.0)
    faulty, _ = engine_losses(family, 0.0, dense_gradients=False)
    assert faulty[0] == pytest.approx(losses[0], abs=1e-5)
    assert np.abs(faulty - losses).max() > 100 * TOLERANCE
