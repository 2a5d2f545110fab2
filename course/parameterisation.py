"""What must be rescaled when a model grows: initial weights, learning rates, and the best rate of each width.

A network's matrices start as random numbers whose standard deviation decides how large activations are,
layer after layer (`activation_scales`), and how alike two inputs look at the end (`similarity`). An
optimiser's step then moves the activations by an amount that depends on the width (`coordinate_check`):
the maximal-update parameterisation (`mup`; Yang et al. 2022) makes that amount the same for every width.
`best_rate` finds the rate of the lowest loss with an interval from the seeds, `rate_slope` how it moves with
the width. `equal_cost_width` compares depths at the same FLOPs. Derived in lesson 3.1; numpy only, except
for `coordinate_check`, which trains.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.inputs import finite, positive, whole

if TYPE_CHECKING:
    import pandas as pd

    from course.data import Task
    from course.training import Recipe

__all__ = [
    "BestRate",
    "Scaling",
    "activation_scales",
    "best_rate",
    "best_rates",
    "coordinate_check",
    "equal_cost_width",
    "initial_std",
    "mup",
    "next_similarity",
    "rate_slope",
    "similarity",
]

Array = NDArray[np.float64]

# --- the start ------------------------------------------------------------------------------------


def initial_std(fan_in: int) -> float:
    """Standard deviation of initial weights that keeps the mean square of numbers through a ReLU layer.

    sqrt(2 / fan_in) (He et al. 2015, section 2.2), where fan_in is how many numbers the layer gets: a
    sum of fan_in products has fan_in times their variance, and a ReLU halves the mean square of numbers
    that are even about 0. Raises ValueError unless fan_in is a whole number of at least 1. Lesson 3.1.
    """
    return math.sqrt(2 / whole("fan_in", fan_in))


def activation_scales(
    layers: int, width: int, gain: float = math.sqrt(2), residual: bool = False, samples: int = 64, seed: int = 0
) -> Array:
    """Root mean square of the numbers before each layer's ReLU in an untrained network: shape (layers,).

    The first layer's numbers are normal with mean square 1. Each further layer is z = W relu(z_before), or,
    where `residual`, z = z_before + W relu(z_before) / sqrt(layers - 1), W with standard deviation gain /
    sqrt(width). Theory, for wide layers: the mean square is multiplied by gain^2 / 2 in each, or by
    1 + gain^2 / (2 (layers - 1)). Lesson 3.1.
    """
    return np.array([np.sqrt(np.mean(z**2)) for z in _pass(layers, width, gain, residual, samples, seed)])


def _pass(layers: int, width: int, gain: float, residual: bool, samples: int, seed: int) -> Iterable[Array]:
    """The numbers before each layer's ReLU, (samples, width)."""
    whole("layers", layers)
    rng = np.random.default_rng(seed)
    scale = positive("gain", gain) / math.sqrt(whole("width", width))
    z = rng.standard_normal((whole("samples", samples), width))
    yield z
    for _ in range(layers - 1):
        step = np.maximum(z, 0) @ (scale * rng.standard_normal((width, width)))
        z = z + step / math.sqrt(layers - 1) if residual else step
        yield z


def next_similarity(cosine: ArrayLike) -> Any:
    """Cosine between two inputs' numbers one ReLU layer further on, of a wide random network.

    (sqrt(1 - c^2) + c (pi - arccos c)) / pi (Cho and Saul 2009, equation 6, degree 1). Raises ValueError for
    values outside [-1, 1]. Lesson 3.1.
    """
    c = finite("cosine", cosine)
    if (np.abs(c) > 1).any():
        raise ValueError(f"A cosine lies between -1 and 1; got {np.ravel(c)[np.abs(np.ravel(c)) > 1][0]!r}.")
    value = (np.sqrt(1 - c**2) + c * (np.pi - np.arccos(c))) / np.pi
    return value if value.ndim else float(value)


def similarity(cosine: float, layers: int, residual: bool = False) -> Array:
    """Cosine between two inputs' numbers before each ReLU of a wide random network: shape (layers,).

    The first is `cosine`, after the first matrix. Where `residual`, each layer's numbers are added to what
    came in, divided by sqrt(layers - 1), as in `course.models`' residual families. Lesson 3.1.
    """
    values = [float(cosine)]
    for _ in range(whole("layers", layers) - 1):
        fresh = next_similarity(values[-1])
        share = 1 / (layers - 1)
        values.append((values[-1] + share * fresh) / (1 + share) if residual else fresh)
    return np.array(values)


# --- the step -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scaling:
    """How one matrix is written under a single Adam rate: x @ (multiplier * w), w drawn with `std`.

    `effective_std` is the matrix's own initial standard deviation, and `rate` what one rate is worth to it:
    Adam moves every w by about the rate, so the matrix moves by multiplier times that.
    """

    multiplier: float
    std: float

    @property
    def effective_std(self) -> float:
        """Standard deviation of the matrix that multiplies the input."""
        return self.multiplier * self.std

    @property
    def rate(self) -> float:
        """Learning rate of the matrix as a multiple of the model's."""
        return self.multiplier


def mup(width: int, base_width: int, inputs: int) -> dict[str, Scaling]:
    """Maximal-update parameterisation of a ReLU network under Adam with one rate: "input", "hidden", "head".

    The matrices from `inputs` numbers, from width to width, and to the outputs; biases are left alone. At
    width = base_width it is the standard parameterisation of `course.models`' family `mlp`: standard
    deviation sqrt(2 / fan_in), and 0.1 / sqrt(width) in the head. (Yang et al. 2022, tables 3 and 8, with the
    learning rates' factors moved into the multipliers.) Lesson 3.1.
    """
    m = whole("base_width", base_width) / whole("width", width)
    return {
        "input": Scaling(1.0, initial_std(inputs)),
        "hidden": Scaling(m, initial_std(width) / m),
        "head": Scaling(m, 0.1 / math.sqrt(base_width)),
    }


def coordinate_check(
    task: Task,
    family: str,
    widths: Sequence[int],
    recipe: Recipe,
    steps: int = 4,
    seeds: Sequence[int] = (0, 1, 2),
) -> dict[str, Array]:
    """How far a few steps move each layer's numbers: root mean square over 256 validation samples, (widths, seeds).

    Keys are the names of the Dense layers, and the numbers are those before the ReLU. Trains each width from each
    seed with the recipe's rate held constant. Flat against the width is what the maximal-update
    parameterisation promises; the standard one grows (Yang et al. 2022 call it coordinate checking). Lesson 3.1.
    """
    import keras

    from course.training import Trainer, compile_all

    recipe = replace(recipe, schedule="constant", warmup=0)
    x = np.asarray(task.validation[0][:256], np.float32)
    moved: dict[str, list[list[float]]] = {}
    trainers = [Trainer(task, family, width, recipe) for width in widths]
    compile_all(trainers)
    for trainer in trainers:
        dense = [layer for layer in trainer.model.layers if isinstance(layer, keras.layers.Dense)]
        probe = keras.Model(trainer.model.input, [layer.input for layer in dense])
        for layer in dense:
            moved.setdefault(layer.name, []).append([])
        for seed in seeds:
            trainer.reset(seed)
            before = _sums(dense, probe(x))
            trainer.advance(steps, steps)
            for layer, old, new in zip(dense, before, _sums(dense, probe(x)), strict=True):
                moved[layer.name][-1].append(float(np.sqrt(np.mean((new - old) ** 2))))
    return {name: np.array(values) for name, values in moved.items()}


def _sums(dense: Sequence[Any], came_in: Sequence[Any]) -> list[Any]:
    """The numbers of each Dense layer before its ReLU, from what came in."""
    return [
        np.asarray(x) @ np.asarray(layer.kernel) + np.asarray(layer.bias)
        for layer, x in zip(dense, came_in, strict=True)
    ]


# --- the best rate --------------------------------------------------------------------------------


@dataclass(frozen=True)
class BestRate:
    """The rate at the lowest point of a parabola, its 95 % interval over seeds, and the loss there.

    `edge` says that the lowest loss lies at the first or last rate, or that no parabola opens upwards: then
    the best rate was not seen, and `rate` is NaN. `draws` are the bootstrap's logarithms of the best rate.
    """

    rate: float
    low: float
    high: float
    loss: float
    edge: bool
    draws: Array


def best_rate(rates: ArrayLike, loss: ArrayLike, points: int = 5, draws: int = 2000, seed: int = 0) -> BestRate:
    """The best learning rate: the lowest point of a parabola of log loss in log rate, through the nearest points.

    rates: (r,) rising; loss: (seeds, r), NaN where a run diverged (such a rate is left out, for all seeds).
    The interval comes from a bootstrap over seeds: each draw takes as many seeds as there are, with
    replacement, and the deviations of a seed from the mean are stretched by sqrt(seeds / (seeds - 1)), since few
    seeds differ less from their own mean than from the true one. With one seed the interval is NaN. Raises
    ValueError for tables of the wrong shape or with fewer than three rates. Lesson 3.1.
    """
    x, y = np.log(np.asarray(rates, float)), np.log(np.atleast_2d(np.asarray(loss, float)))
    if x.ndim != 1 or y.shape[1] != len(x) or not (np.diff(x) > 0).all():
        raise ValueError(
            f"rates are rising and loss has a row for each seed and a column for each rate; "
            f"got shapes {x.shape} and {y.shape}."
        )
    kept = np.isfinite(y).all(axis=0)
    if kept.sum() < 3:
        raise ValueError(f"A parabola needs three rates at which no run diverged; got {kept.sum()}.")
    last = bool(kept[-1])  # where the highest rate diverged, the lowest loss beside it is no edge
    x, y = x[kept], y[:, kept]
    mean = y.mean(axis=0)
    i = int(np.argmin(mean))
    first = max(0, min(i - points // 2, len(x) - points))
    near = slice(first, first + points)
    a, b, c = np.polyfit(x[near], mean[near], 2)
    edge = i == 0 or (i == len(x) - 1 and last) or a <= 0
    if edge:
        return BestRate(math.nan, math.nan, math.nan, float(np.exp(mean[i])), True, np.full(draws, math.nan))
    best = -b / (2 * a)
    found = np.full(draws, math.nan)
    if len(y) > 1:
        rng = np.random.default_rng(seed)
        stretched = (y - mean) * math.sqrt(len(y) / (len(y) - 1))
        fresh = mean + stretched[rng.integers(0, len(y), (draws, len(y)))].mean(axis=1)
        curves = np.polyfit(x[near], fresh[:, near].T, 2)
        found = -curves[1] / (2 * np.where(curves[0] > 0, curves[0], math.nan))
        found = np.clip(found, x[0], x[-1])
    low, high = np.exp(np.nanpercentile(found, [2.5, 97.5])) if len(y) > 1 else (math.nan, math.nan)
    return BestRate(float(np.exp(best)), float(low), float(high), float(np.exp(c - b**2 / (4 * a))), False, found)


def best_rates(runs: pd.DataFrame, by: str = "size") -> dict[int, BestRate]:
    """`best_rate` of each size of a table of runs with columns size, seed, learning_rate and loss (`course.sweeps`)."""
    found = {}
    for size, group in runs.groupby(by):
        table = group.pivot(index="seed", columns="learning_rate", values="loss")
        found[int(size)] = best_rate(table.columns.to_numpy(float), table.to_numpy(float))
    return found


def rate_slope(best: Mapping[int, BestRate]) -> tuple[float, float, float]:
    """The exponent s of best rate ~ width^s, with its 95 % interval: (s, low, high).

    A straight line by least squares through log rate against log width; the interval takes each width's
    bootstrap draws. Widths whose best rate was not seen are left out. Raises ValueError for fewer than two. Lesson 3.1.
    """
    seen = {width: one for width, one in best.items() if not one.edge}
    if len(seen) < 2:
        raise ValueError(f"A slope needs two widths whose best rate was seen; got {len(seen)}.")
    x = np.log(np.array(list(seen)))
    slope = float(np.polyfit(x, np.log([one.rate for one in seen.values()]), 1)[0])
    draws = np.stack([one.draws for one in seen.values()])
    draws = draws[:, np.isfinite(draws).all(axis=0)]
    if not draws.size:
        return slope, math.nan, math.nan
    low, high = np.percentile(np.polyfit(x, draws, 1)[0], [2.5, 97.5])
    return slope, float(low), float(high)


# --- equal cost -----------------------------------------------------------------------------------


def equal_cost_width(weights: float, layers: int, inputs: int, outputs: int) -> int:
    """The width at which a network with `layers` hidden layers has this many weights in its matrices.

    inputs w + (layers - 1) w^2 + w outputs = weights, w to the nearest whole number, at least 1. A training
    step takes 6 FLOPs for each weight and sample, so equal weights are equal cost. Lesson 3.1.
    """
    positive("weights", weights)
    ends = whole("inputs", inputs) + whole("outputs", outputs)
    square = whole("layers", layers) - 1
    width = weights / ends if square == 0 else (math.sqrt(ends**2 + 4 * square * weights) - ends) / (2 * square)
    return max(1, round(width))
