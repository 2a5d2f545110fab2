"""The training loop in one `tf.function` that XLA compiles, the number of steps a tensor. Lesson 5.3 builds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course.engines.step import losses, rate_at

if TYPE_CHECKING:
    from course.data import Task
    from course.training import Recipe

__all__ = ["Engine"]


class Engine:
    """See `course.engines`. Raises ValueError for more than one device, which this loop cannot use."""

    def __init__(self, task: Task, model: Any, optimizer: Any, recipe: Recipe, devices: int = 1) -> None:
        import tensorflow as tf

        if devices > 1:
            raise ValueError(
                f"TensorFlow's compiled loop trains on one device; got devices={devices}: several take the JAX backend "
                "(backend='jax', or KERAS_BACKEND=jax)."
            )
        self.tf, self.task, self.model, self.optimizer, self.recipe = tf, task, model, optimizer, recipe
        self.arrays = {name: tf.constant(value) for name, value in task.train.items()}
        # Without AutoGraph, which would rewrite Keras' source for a second: the loops below are the graph's own.
        self._advance = tf.function(self._steps, jit_compile=True, autograph=False)
        # Not by XLA: the validation data pass once a run, and compiling that took a quarter of the time of compiling a size.
        self._evaluate = tf.function(self._validation_loss, autograph=False)

    def constants(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """Arrays as tensors."""
        return tuple(map(self.tf.constant, arrays))

    def advance(
        self, steps: int, first: int, seed: int, rates: Any, cosine: bool, total: float
    ) -> tuple[int, float, float]:
        """Take `steps` optimiser steps from step `first`; `rates` and `cosine` as in `step.rate_at`.

        Stops after a loss that is no number. Returns the steps done, `total` plus the sum of their
        losses, and the last one's.
        """
        tf = self.tf
        numbers = (tf.constant(number, tf.int32) for number in (steps, first, seed))
        done, total, last = self._advance(*numbers, tf.constant(rates), tf.constant(cosine), tf.constant(total))
        return int(done), float(total), float(last)

    def evaluate(self, x: Any, y: Any, weights: Any) -> float:
        """Weighted sum of the losses of validation data in chunks: x, y and weights are (chunks, samples, ...)."""
        return float(self._evaluate(x, y, weights))

    # --- compiled -----------------------------------------------------------------------------------

    def _losses(self, x: Any, y: Any) -> Any:
        return losses(self.task.loss, self.model(x, training=True), y)

    def _steps(self, steps: Any, first: Any, seed: Any, rates: Any, cosine: Any, total: Any) -> tuple[Any, Any, Any]:
        tf = self.tf
        weights = self.model.trainable_variables

        def one(done: Any, total: Any, last: Any) -> tuple[Any, Any, Any]:
            now = first + done
            x, y = self.task.draw(self.arrays, tf.stack([seed, now]), self.recipe.batch)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(self._losses(x, y))
            gradients = tape.gradient(loss, weights)
            if self.recipe.dense_gradients:
                gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
            self.optimizer.learning_rate.assign(rate_at(now, rates, cosine))
            self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
            return done + 1, total + loss, loss

        def going(done: Any, total: Any, last: Any) -> Any:
            return (done < steps) & tf.math.is_finite(last)

        return tf.while_loop(going, one, (tf.constant(0), total, tf.constant(0.0)))

    def _validation_loss(self, x: Any, y: Any, weights: Any) -> Any:
        tf = self.tf

        def one(i: Any, total: Any) -> tuple[Any, Any]:
            return i + 1, total + tf.reduce_sum(self._losses(x[i], y[i]) * weights[i])

        return tf.while_loop(lambda i, _: i < tf.shape(x)[0], one, (tf.constant(0), tf.constant(0.0)))[1]
