"""What a model learns: a `Task` holds training data, fixed validation data, the loss, and the smallest loss there is.

`task("characters")` or `task("smooth", d=4)` gives one by name, and `TASKS` lists them. Training batches
are drawn inside the compiled loop by the task's `draw`, on TensorFlow or JAX, so that data never hold it
up. This module imports numpy only; a builder imports what it needs when it is called.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from numpy.typing import NDArray

__all__ = ["TASKS", "Task", "normal", "pick", "shares", "task", "uniform", "whole_numbers"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Task:
    """One thing to learn.

    inputs is the shape of one sample's input: (8,) token ids, (64,) numbers, (8, 8, 1) pixels. outputs
    is the number of classes (loss "cross_entropy", integer targets, logits) or 1 (loss "squared_error").
    vocabulary is the number of token ids in the inputs, 0 where they are numbers. tokens_per_sample is
    the number of predictions in one sample: 1, or a sequence's length.

    `draw(train, seed, batch)` gives (x, y) of `batch` samples from `train` as tensors and a seed (int32
    tensor of shape (2,)), inside a function that XLA compiles, with operations of the library that Keras
    runs on; the same seed gives the same batch there, and another one on another library. x has the
    shape (batch, *inputs), y (batch,), or x's own where every position is predicted. validation is (x, y, weights): weights
    has y's shape and sums to 1, or is None where all targets count the same. floor is the smallest
    possible validation loss, in nats or squared units, None where nobody knows it. samples is the number of
    different training samples, infinite for a generator. sha256 is the hash of the data, or of a
    generator's settings.
    """

    name: str
    loss: str
    inputs: tuple[int, ...]
    outputs: int
    vocabulary: int
    tokens_per_sample: int
    train: dict[str, Array] = field(repr=False)
    draw: Callable[[Any, Any, int], tuple[Any, Any]] = field(repr=False)
    validation: tuple[Array, Array, Array | None] = field(repr=False)
    floor: float | None
    samples: float
    sha256: str


Builder = Callable[..., Task]

TASKS: dict[str, Builder] = {}
"""The builder of each task by name; the modules of `course.data` enter theirs."""


def builder(name: str) -> Callable[[Builder], Builder]:
    """Enter a function as the builder of the task `name`."""

    def enter(build: Builder) -> Builder:
        TASKS[name] = build
        return build

    return enter


def task(name: str, **options: Any) -> Task:
    """The task of this name, built once for the same options (and the same state of a `file`).

    Options are the builder's own: `samples=` takes only that many training samples, `file=` another
    text, `d=` a dimension; `TASKS[name]` documents them. Raises ValueError, in one sentence, for an
    unknown name or option and for a value that the builder cannot use.
    """
    if name not in TASKS:
        raise ValueError(f"There is no task {name!r}; the tasks are {', '.join(TASKS)}.")
    known = inspect.signature(TASKS[name]).parameters
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"The task {name!r} has no option {option!r}; its options are {', '.join(known)}.")
        if not isinstance(value, Hashable):
            raise ValueError(f"The option {option} of the task {name!r} is one value; got a {type(value).__name__}.")
    return _built(name, tuple(sorted(options.items())), _stamp(options.get("file")))


@lru_cache(maxsize=32)
def _built(name: str, options: tuple[tuple[str, Any], ...], stamp: Any) -> Task:
    return TASKS[name](**dict(options))


def _stamp(file: Any) -> Any:
    """What changes when a file does, so that a changed one is read again."""
    try:
        state = os.stat(file)
    except (OSError, TypeError, ValueError):  # no file, or none that can be read: the builder says so
        return None
    return state.st_mtime_ns, state.st_size


# --- what a `draw` is made of ---------------------------------------------------------------------

# A draw runs inside a compiled function on the library that Keras runs on. What differs between the two,
# or is slower through `keras.ops`, is here; the rest of a draw is written with `keras.ops`.

# Several times faster than TensorFlow's default under XLA on a CPU, which is felt in a step of the smallest models.
# It exists in compiled functions only, which is where `draw` runs.
_ALGORITHM = "threefry"


def _on_jax() -> bool:
    import keras

    return bool(keras.config.backend() == "jax")


def _key(seed: Any) -> Any:
    """JAX's key of a seed of two numbers."""
    import jax

    return jax.random.fold_in(jax.random.key(seed[0]), seed[1])


def whole_numbers(seed: Any, shape: tuple[int, ...], below: int) -> Any:
    """Whole numbers 0 ... below - 1, int32, drawn uniformly from `seed` inside a compiled function."""
    if _on_jax():
        import jax

        return jax.random.randint(_key(seed), shape, 0, below, "int32")
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, seed, 0, below, tf.int32, alg=_ALGORITHM)


def uniform(seed: Any, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Any:
    """Numbers uniform on [low, high), float32, drawn from `seed` inside a compiled function."""
    if _on_jax():
        import jax

        return jax.random.uniform(_key(seed), shape, "float32", low, high)
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, seed, low, high, alg=_ALGORITHM)


def shares(seed: Any, shape: tuple[int, ...]) -> Any:
    """Numbers uniform on (0, 1], finely spaced near 0, drawn from `seed` inside a compiled function.

    float64 on TensorFlow; float32 on JAX, which has no other by default, where 32 random bits make the steps
    near 0 2^-32, against 2^-23 of `uniform`: enough for what has a probability of 1e-7.
    """
    if _on_jax():
        import jax

        return (jax.random.bits(_key(seed), shape, "uint32").astype("float32") + 1.0) * 2.0**-32
    import tensorflow as tf

    return 1.0 - tf.random.stateless_uniform(shape, seed, 0.0, 1.0, tf.float64, alg=_ALGORITHM)


def normal(seed: Any, shape: tuple[int, ...]) -> Any:
    """Standard normal numbers, float32, drawn from `seed` inside a compiled function."""
    if _on_jax():
        import jax

        return jax.random.normal(_key(seed), shape, "float32")
    import tensorflow as tf

    return tf.random.stateless_normal(shape, seed, alg=_ALGORITHM)


def pick(array: Any, at: Any) -> Any:
    """The rows `at` of an array; `keras.ops.take` would look for negative places first."""
    if _on_jax():
        return array[at]
    import tensorflow as tf

    return tf.gather(array, at)
