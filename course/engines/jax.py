"""The training loop in one `jax.jit`, a `lax.while_loop` over the same Keras model, on one device or several.

Gradients are dense by nature. On several devices each holds all weights and takes its part of every batch
(data parallelism): the batch is drawn as on one, marked as split, and XLA adds the sums of the gradients over the
devices, so that a run is the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course.engines.step import losses, rate_at

if TYPE_CHECKING:
    from course.data import Task
    from course.training import Recipe

__all__ = ["Engine"]


class Engine:
    """See `course.engines`.

    Raises ValueError for more devices than there are, a batch that they do not share evenly, and a recipe
    without dense gradients.
    """

    def __init__(self, task: Task, model: Any, optimizer: Any, recipe: Recipe, devices: int = 1) -> None:
        import jax

        if not recipe.dense_gradients:
            raise ValueError(
                "dense_gradients=False shows a fault of Keras on TensorFlow; JAX's gradients are always dense."
            )
        there = jax.devices()
        if devices > len(there):
            raise ValueError(f"JAX sees {len(there)} device{'s' * (len(there) > 1)} here; got devices={devices}.")
        if recipe.batch % devices:
            raise ValueError(f"{devices} devices share a batch evenly; got a batch of {recipe.batch}.")
        self.jax, self.task, self.model, self.optimizer, self.recipe = jax, task, model, optimizer, recipe
        mesh = jax.sharding.Mesh(np.array(there[:devices]), ("data",))
        everywhere, self.split = (
            jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes)) for axes in ((), ("data",))
        )
        self.place = lambda values: jax.device_put(values, everywhere)
        self.arrays = self.place(dict(task.train))
        self.state = (model.trainable_variables, optimizer.variables)
        self.rate_index = [v is optimizer._learning_rate for v in optimizer.variables].index(True)
        self._advance = jax.jit(self._steps)
        self._evaluate = jax.jit(self._validation_loss)

    def constants(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """Arrays on the devices."""
        return tuple(self.place(list(arrays)))

    def _values(self) -> Any:
        """The state as a tree of arrays on the devices."""
        return self.place([[variable.value for variable in part] for part in self.state])

    def advance(
        self, steps: int, first: int, seed: int, rates: Any, cosine: bool, total: float
    ) -> tuple[int, float, float]:
        """Take `steps` optimiser steps from step `first`; `rates` and `cosine` as in `step.rate_at`.

        Stops after a loss that is no number. Returns the steps done, `total` plus the sum of their
        losses, and the last one's.
        """
        numbers = (np.int32(number) for number in (steps, first, seed))
        found = self._advance(*self._values(), self.arrays, *numbers, rates, np.bool_(cosine), np.float32(total))
        done, total, last, *values = found
        done, total, last = int(done), float(total), float(last)
        for variables, new in zip(self.state, values, strict=True):
            for variable, value in zip(variables, new, strict=True):
                variable.assign(value)
        return done, total, last

    def evaluate(self, x: Any, y: Any, weights: Any) -> float:
        """Weighted sum of the losses of validation data in chunks: x, y and weights are (chunks, samples, ...)."""
        return float(self._evaluate(self._values()[0], x, y, weights))

    # --- compiled -----------------------------------------------------------------------------------

    def _losses(self, weights: Any, x: Any, y: Any) -> Any:
        """Loss of each target; every device takes its part of them."""
        x, y = (self.jax.lax.with_sharding_constraint(part, self.split) for part in (x, y))
        return losses(self.task.loss, self.model.stateless_call(weights, [], x, training=True)[0], y)

    def _steps(
        self,
        weights: Any,
        slots: Any,
        arrays: Any,
        steps: Any,
        first: Any,
        seed: Any,
        rates: Any,
        cosine: Any,
        total: Any,
    ) -> Any:
        jax, jnp = self.jax, self.jax.numpy

        def one(state: Any) -> Any:
            done, total, _, weights, slots = state
            now = first + done
            x, y = self.task.draw(arrays, jnp.stack([seed, now]), self.recipe.batch)
            loss, gradients = jax.value_and_grad(lambda weights: jnp.mean(self._losses(weights, x, y)))(weights)
            slots[self.rate_index] = rate_at(now, rates, cosine)
            weights, slots = self.optimizer.stateless_apply(slots, gradients, weights)
            return done + 1, total + loss, loss, weights, slots

        def going(state: Any) -> Any:
            done, _, last, *_ = state
            return (done < steps) & jnp.isfinite(last)

        return jax.lax.while_loop(going, one, (jnp.int32(0), total, jnp.float32(0), weights, slots))

    def _validation_loss(self, weights: Any, x: Any, y: Any, shares: Any) -> Any:
        def one(total: Any, chunk: Any) -> Any:
            x, y, share = chunk
            return total + self.jax.numpy.sum(self._losses(weights, x, y) * share), None

        return self.jax.lax.scan(one, self.jax.numpy.float32(0), (x, y, shares))[0]
