"""One compiled loop: a model, a task and a budget of steps go in, a finished run comes out.

The engine is an ordinary Keras model and optimiser inside one XLA-compiled function that holds the
whole loop: batches are drawn inside the graph and the number of steps is a tensor, so one
compilation a size serves every budget and seed. It is written for TensorFlow, the default, and for JAX
(`course.engines`); a process trains with one of them. `Trainer` is that loop; `train` makes one run with it;
`train_branches` makes a run for each of several budgets from one stable-rate phase, each branching off
a cool-down of its own, which gives an IsoFLOP sweep for little more than its largest runs (Hu et al.
2024, section 4; Hägele et al. 2024). Lesson 5.3 builds both.

Gradients are made dense before the update: Keras' Adam on TensorFlow squares an embedding's gradient
slice by slice before it sums repeated ids, which makes the second moment too small and bends a
scaling curve (lesson 5.3).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from course import models
from course.inputs import positive, whole
from course.machine import CannotRunError, compute_capability, import_backend

if TYPE_CHECKING:
    from course.data import Task

__all__ = [
    "OutOfMemoryError",
    "Outcome",
    "Recipe",
    "Trainer",
    "best_precision",
    "compile_all",
    "learning_rate",
    "train",
    "train_branches",
]


@dataclass(frozen=True)
class Recipe:
    """How a run is trained; the size enters only through the learning rate.

    batch: samples a step. The peak learning rate is `rate` (reference_size / size)^rate_power.
    warmup: steps of linear rise. schedule: "wsd" (stable, then linear to zero over the last `cooldown`
    share of the steps), "cosine" (to zero from the end of the warm-up) or "constant". The optimiser is
    Adam with beta_1 0.9, `beta_2` and `epsilon`; gradients are clipped to a global norm of `clip` (0: not).
    precision: "float32", or "bfloat16" for the layers' arithmetic, with weights, softmax, logits and loss in float32.
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
    precision: str = "float32"

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
        if self.precision not in models.PRECISIONS:
            raise ValueError(f"precision is 'float32' or 'bfloat16'; got {self.precision!r}.")
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


_OUT_OF_MEMORY = re.compile("RESOURCE_EXHAUSTED|ResourceExhausted|out of memory", re.IGNORECASE)


class OutOfMemoryError(CannotRunError):
    """A model does not fit the device's memory with its batch; the message names both and says what to do."""


def best_precision() -> str:
    """The precision for large models here: "bfloat16" on a GPU that has it (compute capability 8.0, an A100, or more).

    "float32" elsewhere: processors and older GPUs compute in bfloat16 more slowly, if at all.
    """
    return "bfloat16" if compute_capability() >= (8, 0) else "float32"


class Trainer:
    """A model of one family and size on one task, with its compiled loop and its validation.

    Making it builds the Keras model; the first `advance` compiles. `reset(seed)` starts a new run
    without a new compilation. backend: "tensorflow" or "jax", as `course.machine.backend` chooses it when None.
    devices: how many share each batch (JAX only); neither is part of what a run is. Weights and batches
    of a seed are each library's own, so that two of them agree as two seeds do.

    Raises ValueError as `course.models.build` does and for devices that cannot be had, CannotRunError
    where the library cannot be used, and OutOfMemoryError, here and later, where the device's memory is short.
    """

    def __init__(
        self, task: Task, family: str, size: int, recipe: Recipe, *, backend: str | None = None, devices: int = 1
    ) -> None:
        self.backend, self.devices = import_backend(backend), whole("devices", devices)
        import keras

        if self.backend == "jax":
            from course.engines.jax import Engine
        else:
            from course.engines.tensorflow import Engine  # type: ignore[assignment]

        self.task, self.family, self.size, self.recipe = task, family, size, recipe
        with self._memory_watched():
            self.model = models.build(family, size, task, 0, recipe.precision)
            common = {"learning_rate": 0.0, "global_clipnorm": recipe.clip or None}
            if recipe.optimizer == "sgd":
                self.optimizer = keras.optimizers.SGD(momentum=0.9, **common)
            else:
                kind = keras.optimizers.Adam if recipe.optimizer == "adam" else keras.optimizers.AdamW
                self.optimizer = kind(beta_2=recipe.beta_2, epsilon=recipe.epsilon, **common)
            self.optimizer.build(self.model.trainable_variables)
            self.engine = Engine(task, self.model, self.optimizer, recipe, self.devices)
            self._validation = self._padded(*task.validation)
        self.seed, self.step, self.alive = 0, 0, True
        self.compile_seconds = self.untrained = 0.0
        self._slice = 64  # steps between two moments at which Ctrl-C is heard: about half a second's, once measured

    @contextmanager
    def _memory_watched(self) -> Iterator[None]:
        """Raise OutOfMemoryError in place of what either library says when memory runs out."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, MemoryError) and not _OUT_OF_MEMORY.search(f"{type(error).__name__} {error}"):
                raise
            raise OutOfMemoryError(
                f"The device ran out of memory for {self.family} of size {self.size} with a batch of {self.recipe.batch}: "
                "take a smaller size or batch, or a larger device."
            ) from error

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
        with self._memory_watched():
            for variable, value in zip(self._state, values, strict=True):
                variable.assign(value)

    def reset(self, seed: int) -> None:
        """Begin anew: weights and batches of this seed, an empty optimiser.

        Raises ValueError for a seed that is not a whole number below 2^31, which the graph's random numbers take.
        """
        if whole("seed", seed, 0) >= 2**31:
            raise ValueError(f"seed must be below 2^31; got {seed!r}.")
        with self._memory_watched():
            weights = models.initial_weights(self.model, seed)
        self.restore((0, True, [*weights, *(np.zeros(v.shape, v.dtype) for v in self.optimizer.variables)]))
        self.seed = int(seed)

    # --- validation -------------------------------------------------------------------------------

    _CHUNK = 4096  # targets that are validated at once: bounds the memory of the logits

    def _padded(self, x: Any, y: Any, weights: Any) -> tuple[Any, ...]:
        """The validation data for the engine as (chunks, samples, ...), filled up with samples of weight 0."""
        n, devices = len(x), self.devices
        at_once = max(1, min(n, self._CHUNK // self.task.tokens_per_sample))
        at_once = -(-at_once // devices) * devices  # which devices share
        chunks = -(-n // at_once)
        weights = np.full(np.shape(y), 1.0 / np.size(y)) if weights is None else np.asarray(weights)

        def fill(array: Any) -> Any:
            array = np.asarray(array)
            array = np.concatenate([array, np.repeat(array[:1], chunks * at_once - n, axis=0)])
            return array.reshape(chunks, at_once, *array.shape[1:])

        weights = fill(weights)
        weights.reshape(chunks * at_once, -1)[n:] = 0
        y_type = np.int32 if self.task.loss == "cross_entropy" else np.float32
        x_type = np.int32 if self.task.vocabulary else np.float32
        return self.engine.constants([fill(x).astype(x_type), fill(y).astype(y_type), weights.astype(np.float32)])

    # --- what a run is made of --------------------------------------------------------------------

    def compile(self) -> float:
        """Compile the loop and prepare the validation, once; returns the seconds it took the first time."""
        if not self.compile_seconds:
            started = time.perf_counter()
            self._run(0, 1)
            self.untrained = self.evaluate()
            self.compile_seconds = time.perf_counter() - started
        return self.compile_seconds

    def _run(self, steps: int, of_steps: int) -> tuple[int, float, float]:
        """Call the compiled loop. Returns the steps done, the sum of their losses, and the last one's.

        It is called for about half a second at a time, so that Ctrl-C is heard; where it is cut changes no number.
        """
        start, end, cosine = _decay(self.recipe, of_steps)
        rates = np.array([self.recipe.peak_rate(self.size), max(self.recipe.warmup, 1), start, end], np.float32)
        done, total, last = 0, 0.0, 0.0
        while True:
            now = min(steps - done, self._slice)
            started = time.perf_counter()
            with self._memory_watched():
                taken, total, last = self.engine.advance(now, self.step + done, self.seed, rates, cosine, total)
            done += taken
            if done >= steps or not math.isfinite(last):
                return done, total, last
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
        if not self.alive:
            return math.nan
        with self._memory_watched():
            loss = self.engine.evaluate(*self._validation)
        return math.nan if self.untrained and loss > 2 * self.untrained else loss


def compile_all(trainers: Iterable[Trainer]) -> None:
    """Compile several trainers side by side: the compiler alone keeps two cores busy for only part of the time."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Trainer.compile, trainers))


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
