"""One compiled loop: a model, a task and a budget of steps go in, a finished run comes out.

The engine is an ordinary Keras model and optimiser inside one XLA-compiled TensorFlow function that
holds the whole loop: batches are drawn inside the graph and the number of steps is a tensor, so one
compilation a size serves every budget and seed. `Trainer` is that loop; `train` makes one run with it;
`train_branches` makes a run for each of several budgets from one stable-rate phase, each branching off
a cool-down of its own, which gives an IsoFLOP sweep for little more than its largest runs (Hu et al.
2024, section 4; Hägele et al. 2024). Lesson 5.3 builds both.

Gradients are made dense before the update: Keras' Adam on TensorFlow squares an embedding's gradient
slice by slice before it sums repeated ids, which makes the second moment too small and bends a
scaling curve (lesson 5.3).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from course import models
from course.inputs import positive, whole
from course.machine import CannotRunError, import_tensorflow

if TYPE_CHECKING:
    from course.data import Task

__all__ = ["OutOfMemoryError", "Outcome", "Recipe", "Trainer", "learning_rate", "train", "train_branches"]


class OutOfMemoryError(CannotRunError):
    """The device has too little memory for this model and batch."""


@dataclass(frozen=True)
class Recipe:
    """How a run is trained; the size enters only through the learning rate.

    batch: samples a step. The peak learning rate is `rate` (reference_size / size)^rate_power.
    warmup: steps of linear rise. schedule: "wsd" (stable, then linear to zero over the last `cooldown`
    share of the steps), "cosine" (to zero from the end of the warm-up) or "constant". The optimiser is
    Adam with beta_1 0.9, `beta_2` and `epsilon`; gradients are clipped to a global norm of `clip` (0: not).
    """

    batch: int
    rate: float = 0.015
    reference_size: int = 64
    rate_power: float = 0.25
    warmup: int = 30
    schedule: str = "wsd"
    cooldown: float = 0.3
    beta_2: float = 0.99
    epsilon: float = 1e-8
    clip: float = 1.0
    optimizer: str = "adam"
    dense_gradients: bool = True

    def __post_init__(self) -> None:
        whole("batch", self.batch)
        whole("warmup", self.warmup, 0)
        positive("rate", self.rate)
        positive("reference_size", self.reference_size)
        positive("epsilon", self.epsilon)
        if not math.isfinite(self.rate_power):
            raise ValueError(f"rate_power is a finite number; got {self.rate_power!r}.")
        if not 0 <= self.beta_2 < 1:
            raise ValueError(f"beta_2 is at least 0 and below 1; got {self.beta_2!r}.")
        if not self.clip >= 0:
            raise ValueError(f"clip is a norm above 0, or 0 for no clipping; got {self.clip!r}.")
        if self.schedule not in ("wsd", "cosine", "constant"):
            raise ValueError(f"schedule is 'wsd', 'cosine' or 'constant'; got {self.schedule!r}.")
        if self.optimizer not in ("adam", "adamw", "sgd"):
            raise ValueError(f"optimizer is 'adam', 'adamw' or 'sgd'; got {self.optimizer!r}.")
        if not 0 < self.cooldown <= 1:
            raise ValueError(f"cooldown is a share of the steps, above 0 and at most 1; got {self.cooldown!r}.")

    def peak_rate(self, size: int) -> float:
        """The peak learning rate of a model of this size."""
        return float(self.rate * (self.reference_size / size) ** self.rate_power)


def learning_rate(recipe: Recipe, size: int, step: Any, steps: int) -> Any:
    """Learning rate at `step` (0-based, a number or array) of a run of `steps` steps."""
    start, end, cosine = _decay(recipe, steps)
    step = np.asarray(step, dtype=float)
    part = np.clip((step - start) / max(end - start, 1), 0, 1)
    fall = 0.5 * (1 + np.cos(np.pi * part)) if cosine else 1 - part
    return recipe.peak_rate(size) * np.minimum(1.0, (step + 1) / max(recipe.warmup, 1)) * fall


def _decay(recipe: Recipe, steps: int) -> tuple[int, int, bool]:
    """First step of the decay, its end, and whether it follows a cosine."""
    if recipe.schedule == "constant":
        return steps + 1, steps + 2, False
    if recipe.schedule == "cosine":
        return min(recipe.warmup, steps), steps, True
    return steps - max(1, round(recipe.cooldown * steps)), steps, False


@dataclass(frozen=True)
class Outcome:
    """What one run gave: `loss` on the validation data (nats, or squared units), NaN where it diverged.

    `train_loss` is the mean over the last phase. `seconds` is what the run would take alone, its
    share of a common stable phase included and compilation left out.
    """

    steps: int
    loss: float
    train_loss: float
    seconds: float

    @property
    def diverged(self) -> bool:
        """Whether the loss left the finite numbers."""
        return not math.isfinite(self.loss)


def _cross_entropy(logits: Any, targets: Any) -> Any:
    """Cross-entropy in nats of integer targets; its gradient is the softmax less the one-hot target (lesson 4.1).

    The numbers are those of `tf.nn.sparse_softmax_cross_entropy_with_logits`, whose checks of the targets cost
    XLA a quarter of a step of the smallest model.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def loss(logits: Any) -> tuple[Any, Callable[[Any], Any]]:
        shifted = logits - tf.reduce_max(logits, -1, keepdims=True)
        exponentials = tf.exp(shifted)
        total = tf.reduce_sum(exponentials, -1, keepdims=True)
        hot = tf.range(logits.shape[-1], dtype=targets.dtype) == targets[..., None]

        def gradient(upstream: Any) -> Any:
            return (exponentials / total - tf.cast(hot, logits.dtype)) * upstream[..., None]

        return tf.math.log(total[..., 0]) - tf.reduce_sum(tf.where(hot, shifted, 0.0), -1), gradient

    return loss(logits)


class Trainer:
    """A model of one family and size on one task, with its compiled loop and compiled validation.

    Making it builds the Keras model; the first `advance` compiles. `reset(seed)` starts a new run
    without a new compilation. Raises ValueError as `course.models.build` does, CannotRunError without
    TensorFlow.
    """

    def __init__(self, task: Task, family: str, size: int, recipe: Recipe) -> None:
        self.tf = tf = import_tensorflow()
        import keras

        self.task, self.family, self.size, self.recipe = task, family, size, recipe
        self.model = models.build(family, size, task, 0)
        clip = recipe.clip or None
        common = {"learning_rate": 0.0, "global_clipnorm": clip}
        if recipe.optimizer == "sgd":
            self.optimizer = keras.optimizers.SGD(momentum=0.9, **common)
        else:
            kind = keras.optimizers.Adam if recipe.optimizer == "adam" else keras.optimizers.AdamW
            self.optimizer = kind(beta_2=recipe.beta_2, epsilon=recipe.epsilon, **common)
        self.optimizer.build(self.model.trainable_variables)
        self.arrays = {name: tf.constant(value) for name, value in task.train.items()}
        self._advance = tf.function(self._steps, jit_compile=True)
        self._evaluate = tf.function(self._validation_loss, jit_compile=True)
        self._validation = self._padded(*task.validation)
        self.seed, self.step, self.alive = 0, 0, True
        self.compile_seconds = self.untrained = 0.0
        self._slice = 64  # steps between two moments at which Ctrl-C is heard: about half a second's, once measured

    # --- state ------------------------------------------------------------------------------------

    @property
    def _state(self) -> list[Any]:
        return [*self.model.trainable_variables, *self.optimizer.variables]

    def snapshot(self) -> tuple[int, bool, list[Any]]:
        """All that a run's future depends on, as arrays."""
        return self.step, self.alive, [variable.numpy() for variable in self._state]

    def restore(self, saved: tuple[int, bool, list[Any]]) -> None:
        """Go back to a snapshot."""
        self.step, self.alive, values = saved
        for variable, value in zip(self._state, values, strict=True):
            variable.assign(value)

    def reset(self, seed: int) -> None:
        """Begin anew: weights and batches of this seed, an empty optimiser.

        Raises ValueError for a seed that is not a whole number below 2^31, which the graph's random numbers take.
        """
        if whole("seed", seed, 0) >= 2**31:
            raise ValueError(f"seed must be below 2^31; got {seed!r}.")
        fresh = models.build(self.family, self.size, self.task, seed)
        self.restore(
            (
                0,
                True,
                [v.numpy() for v in fresh.trainable_variables]
                + [np.zeros(v.shape, v.dtype) for v in self.optimizer.variables],
            )
        )
        self.seed = int(seed)

    # --- the compiled functions -------------------------------------------------------------------

    def _loss(self, x: Any, y: Any) -> Any:
        """Loss of each target, float32, shape of y."""
        tf = self.tf
        outputs = self.model(x, training=True)
        if self.task.loss == "cross_entropy":
            return _cross_entropy(outputs, y)
        return tf.square(tf.reshape(outputs, tf.shape(y)) - y)

    def _steps(self, steps: Any, first: Any, seed: Any, rates: Any, cosine: Any, total: Any) -> tuple[Any, Any, Any]:
        """Take `steps` optimiser steps; rates = (peak, warmup, decay's start, decay's end), float32.

        Returns the steps done, `total` plus the sum of their losses, and the last one's.
        """
        tf = self.tf
        peak, warmup, start, end = tf.unstack(rates)
        weights = self.model.trainable_variables

        def one(done: Any, total: Any, last: Any) -> tuple[Any, Any, Any]:
            now = first + done
            x, y = self.task.draw(self.arrays, tf.stack([seed, now]), self.recipe.batch)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(self._loss(x, y))
            gradients = tape.gradient(loss, weights)
            if self.recipe.dense_gradients:
                gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
            at = tf.cast(now, tf.float32)
            part = tf.clip_by_value((at - start) / tf.maximum(end - start, 1.0), 0.0, 1.0)
            fall = tf.where(cosine, 0.5 * (1.0 + tf.cos(np.pi * part)), 1.0 - part)
            self.optimizer.learning_rate.assign(peak * tf.minimum(1.0, (at + 1.0) / warmup) * fall)
            self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
            return done + 1, total + loss, loss

        def going(done: Any, total: Any, last: Any) -> Any:
            return (done < steps) & tf.math.is_finite(last)

        return tf.while_loop(going, one, (tf.constant(0), total, tf.constant(0.0)))

    _CHUNK = 4096  # targets that are validated at once: bounds the memory of the logits

    def _padded(self, x: Any, y: Any, weights: Any) -> tuple[Any, Any, Any]:
        """The validation data as tensors (chunks, samples, ...), filled up with samples of weight 0."""
        tf, n = self.tf, len(x)
        at_once = max(1, min(n, self._CHUNK // self.task.tokens_per_sample))
        chunks = -(-n // at_once)
        weights = np.full(np.shape(y), 1.0 / np.size(y)) if weights is None else np.asarray(weights)

        def fill(array: Any) -> Any:
            array = np.asarray(array)
            array = np.concatenate([array, np.repeat(array[:1], chunks * at_once - n, axis=0)])
            return array.reshape(chunks, at_once, *array.shape[1:])

        weights = fill(weights)
        weights.reshape(chunks * at_once, -1)[n:] = 0
        y_type = tf.int32 if self.task.loss == "cross_entropy" else tf.float32
        x_type = tf.int32 if self.task.vocabulary else tf.float32
        return tf.cast(fill(x), x_type), tf.cast(fill(y), y_type), tf.cast(weights, tf.float32)

    def _validation_loss(self, x: Any, y: Any, weights: Any) -> Any:
        tf = self.tf
        total = tf.constant(0.0)
        for i in tf.range(tf.shape(x)[0]):
            total += tf.reduce_sum(self._loss(x[i], y[i]) * weights[i])
        return total

    def compile(self) -> float:
        """Compile both functions, once; returns the seconds it took the first time."""
        if not self.compile_seconds:
            started = time.perf_counter()
            self._run(0, 1)
            self.untrained = self.evaluate()
            self.compile_seconds = time.perf_counter() - started
        return self.compile_seconds

    # --- what a run is made of --------------------------------------------------------------------

    def _run(self, steps: int, of_steps: int) -> tuple[int, float, float]:
        """Call the compiled loop. Returns the steps done, the sum of their losses, and the last one's.

        It is called for about half a second at a time, so that Ctrl-C is heard; where it is cut changes no number.
        """
        tf = self.tf
        start, end, cosine = _decay(self.recipe, of_steps)
        rates = tf.constant([self.recipe.peak_rate(self.size), max(self.recipe.warmup, 1), start, end], tf.float32)
        seed, cosine = tf.constant(self.seed, tf.int32), tf.constant(cosine)
        done, total, last = 0, tf.constant(0.0), 0.0
        while True:
            now = min(steps - done, self._slice)
            started = time.perf_counter()
            taken, total, last = self._advance(
                tf.constant(now, tf.int32), tf.constant(self.step + done, tf.int32), seed, rates, cosine, total
            )
            done, last = done + int(taken), float(last)
            if done >= steps or not math.isfinite(last):
                return done, float(total), last
            self._slice = max(1, min(4 * now, round(0.5 * now / (time.perf_counter() - started))))

    def advance(self, to_step: int, of_steps: int) -> float:
        """Train up to step `to_step` of a run of `of_steps` steps.

        Returns the mean training loss on the way: NaN when there was no step to take or the run diverged.
        """
        steps = to_step - self.step
        if steps <= 0 or not self.alive:
            return math.nan
        done, total, last = self._run(steps, of_steps)
        self.step, self.alive = to_step, math.isfinite(last)
        return total / done if self.alive else math.nan

    def evaluate(self) -> float:
        """Mean loss on the validation data; NaN for a run that diverged.

        It has when its loss stopped being a number or is above twice the untrained model's.
        """
        loss = float(self._evaluate(*self._validation)) if self.alive else math.nan
        return math.nan if self.untrained and loss > 2 * self.untrained else loss


def train(trainer: Trainer, steps: int, seed: int = 0) -> Outcome:
    """One run of `steps` steps from `seed`."""
    return next(iter(train_branches(trainer, [steps], seed)))


def train_branches(trainer: Trainer, budgets: Sequence[int], seed: int = 0) -> Iterator[Outcome]:
    """A finished run for each number of steps in `budgets`, in rising order, as each is done.

    With the schedule "wsd" they share one stable phase: each cool-down branches off it and the phase
    goes on from there, so the runs cost 0.7 of the largest plus 0.3 of each. Every run is the same as
    if it had been made alone. Other schedules train each run from its start.
    """
    recipe = trainer.recipe
    budgets = sorted({whole("steps", steps) for steps in budgets})
    trainer.compile()
    trainer.reset(seed)
    shared = 0.0  # seconds of the stable phase so far
    for steps in budgets:
        started = time.perf_counter()
        if recipe.schedule == "wsd":
            trainer.advance(_decay(recipe, steps)[0], steps)
            saved = trainer.snapshot()
        elif recipe.schedule == "cosine":
            trainer.reset(seed)
        stable = time.perf_counter() - started
        train_loss = trainer.advance(steps, steps)
        loss = trainer.evaluate()
        yield Outcome(steps, loss, train_loss, shared + time.perf_counter() - started)
        if recipe.schedule == "wsd":
            trainer.restore(saved)
            shared += stable
        elif recipe.schedule == "constant":
            shared += time.perf_counter() - started
