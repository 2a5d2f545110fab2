"""Images and signals in ten classes: handwritten digits, MNIST-1D, Fashion-MNIST.

"digits" ships with scikit-learn, "mnist1d" is generated here to any number of samples, and
"fashion-mnist" comes from Keras' loader where there is an internet connection or a cached copy;
nothing requires it. Each task draws single samples, with replacement, from arrays that lie in the graph.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np

from course.data.task import Array, Task, builder, pick, whole_numbers
from course.inputs import whole

__all__ = ["digits_task", "fashion_mnist_task", "mnist1d", "mnist1d_task"]


def _of_arrays(
    name: str,
    train: tuple[Array, Array],
    held_out: tuple[Array, Array],
    shift: float,
    scale: float,
    samples: int | None,
) -> Task:
    """A task that draws from arrays x, (n, ...), and y, (n,), ten classes; inputs are (x - shift) / scale, float32."""
    x, y = train
    count = len(x) if samples is None else whole("samples", samples)
    if count > len(x):
        raise ValueError(f"The task {name!r} has {len(x):,} training samples; got samples={count:,}.")
    total = hashlib.sha256(f"{name} {shift!r} {scale!r}".encode())
    for array in (*train, *held_out):
        total.update(np.ascontiguousarray(array).tobytes())

    def draw(train: Any, seed: Any, batch: int) -> tuple[Any, Any]:
        from keras import ops

        at = whole_numbers(seed, (batch,), count)
        drawn = ops.cast(pick(train["x"], at), "float32")
        return (drawn - shift) / scale, ops.cast(pick(train["y"], at), "int32")

    x_held_out = ((held_out[0].astype(np.float32) - shift) / scale).astype(np.float32)
    return Task(
        name=name,
        loss="cross_entropy",
        inputs=x.shape[1:],
        outputs=10,
        vocabulary=0,
        tokens_per_sample=1,
        train={"x": x[:count], "y": y[:count].astype(np.uint8)},
        draw=draw,
        validation=(x_held_out, held_out[1].astype(np.int32), None),
        floor=None,
        samples=count,
        sha256=total.hexdigest(),
    )


@builder("digits")
def digits_task(samples: int | None = None) -> Task:
    """Ten handwritten digits of 8 x 8 pixels: 1,257 to train on and 540 to validate, the split of lesson 5.2.

    Source: Alpaydin and Kaynak (1998), as shipped by scikit-learn. Raises ValueError for more samples than there are.
    """
    from course.data import tabular

    split = tabular.digits()
    x, x_held_out = (pixels.astype(np.uint8).reshape(-1, 8, 8, 1) for pixels in (split.X_train, split.X_test))
    return _of_arrays("digits", (x, split.y_train), (x_held_out, split.y_test), 4.889, 6.018, samples)


# --- MNIST-1D -------------------------------------------------------------------------------------

# Ten curves of 12 points, one a class, that look like the digits on their side (Greydanus and Kobak 2024).
_CURVES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
_PADDING, _SHIFT, _LENGTH = (36, 60), 48, 40
_BLOCK = 1000  # samples drawn from one generator, so that a larger set begins with the smaller one


def _curves() -> Array:
    """The curves with mean 0 and deviation 1/6, moved to begin at 0; shape (10, 12)."""
    curves = _CURVES - _CURVES.mean(axis=1, keepdims=True)
    curves /= 6 * curves.std(axis=1, keepdims=True)
    return np.asarray(curves - curves[:, :1])


def _block(rng: np.random.Generator) -> tuple[Array, Array]:
    """1,000 signals (1000, 40) and their classes, before they are standardised."""
    from scipy.ndimage import gaussian_filter1d

    curves = _curves()
    points = curves.shape[1]
    width = points + _PADDING[1]  # points of a signal while it is made
    y = rng.integers(0, 10, _BLOCK)
    # The curve and 36 to 60 zeros behind it are stretched to the width: `at` is the place on the padded curve.
    padding = rng.integers(_PADDING[0], _PADDING[1] + 1, (_BLOCK, 1))
    at = np.linspace(0, 1, width) * (points + padding - 1)
    left = np.minimum(at.astype(int), points)
    padded = np.pad(curves, ((0, 0), (0, 2)))
    value = padded[y[:, None], left] + (at - left) * (padded[y[:, None], left + 1] - padded[y[:, None], left])
    x = np.where(at < points, value * (1 + 0.4 * (rng.random((_BLOCK, 1)) - 0.5)), 0)
    # Moved round by up to 47 points, correlated noise where the curve is not, white noise everywhere.
    back = (np.arange(width) - rng.integers(0, _SHIFT, (_BLOCK, 1))) % width
    noise = gaussian_filter1d(0.25 * rng.standard_normal((_BLOCK, width)), 2, axis=1)
    x = np.where(np.take_along_axis(at, back, 1) < points, np.take_along_axis(x, back, 1), noise)
    x += 0.02 * rng.standard_normal(x.shape)
    # Sheared, and 40 points kept.
    x -= 0.75 * (rng.random((_BLOCK, 1)) - 0.5) * np.linspace(-0.5, 0.5, width)
    at = np.linspace(0, width - 1, _LENGTH)
    left = np.minimum(at.astype(int), width - 2)
    return x[:, left] + (at - left) * (x[:, left + 1] - x[:, left]), y


def mnist1d(samples: int, seed: int = 0) -> tuple[Array, Array]:
    """MNIST-1D, drawn anew: x, shape (samples, 40), float32, and classes y, shape (samples,), uint8.

    Ten curves of 12 points are padded, stretched, scaled, moved, covered with noise, sheared and
    reduced to 40 points; what separates the classes is small, so that a linear model does badly and a
    small convolutional net well. More samples of the same seed begin with the fewer. Recipe and
    constants: Greydanus and Kobak (2024), "Scaling Down Deep Learning with MNIST-1D". Raises
    ValueError for a number of samples that is not a whole number of at least 1, or a negative seed.
    """
    number, seed = whole("samples", samples), whole("seed", seed, 0)
    blocks = [_block(np.random.default_rng([seed, i])) for i in range(math.ceil(number / _BLOCK))]
    x, y = (np.concatenate(part)[:number] for part in zip(*blocks, strict=True))
    return x.astype(np.float32), y.astype(np.uint8)


@builder("mnist1d")
def mnist1d_task(samples: int = 5000, seed: int = 0, validation: int = 5000) -> Task:
    """Ten classes of signals of 40 points, as many as wanted: see `mnist1d`.

    The validation set is drawn apart and is the same for every number of training samples and every seed.
    """
    train = mnist1d(samples, seed)
    held_out = mnist1d(validation, 1_000_003)
    return _of_arrays("mnist1d", train, held_out, -0.0062, 0.1546, None)


# --- Fashion-MNIST --------------------------------------------------------------------------------


@contextlib.contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Give up on a connection that is silent for this long."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@builder("fashion-mnist")
def fashion_mnist_task(samples: int | None = None) -> Task:
    """Ten kinds of clothes, 28 x 28 pixels: 60,000 to train on, 10,000 to validate (Xiao, Rasul and Vollgraf 2017).

    Keras downloads the images (30 MB, MIT licence) on first use and keeps them in its own folder.
    Raises ValueError when it cannot, and for more samples than there are.
    """
    from course.machine import import_backend, said

    import_backend()
    import keras

    try:
        with _patience(20), contextlib.redirect_stdout(io.StringIO()):
            (x, y), (x_held_out, y_held_out) = keras.datasets.fashion_mnist.load_data()
    except Exception as error:
        raise ValueError(
            f"Fashion-MNIST could not be downloaded ({said(error)}): connect to the internet once, "
            "or take the task 'mnist1d', which is made here."
        ) from error
    return _of_arrays("fashion-mnist", (x[..., None], y), (x_held_out[..., None], y_held_out), 72.94, 90.02, samples)
