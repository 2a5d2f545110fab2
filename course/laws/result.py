"""What a fit returns: `Fit`, with parameters, intervals, residuals and sentences of warning; it predicts.

The laws themselves are here as functions of named parameters, so that a prediction is the formula and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.laws.columns import listed, match

__all__ = ["FORMULAS", "Fit", "Formula", "Optimum"]

Array = NDArray[Any]
Params = Mapping[str, Any]


@dataclass(frozen=True)
class Formula:
    """A law as a formula: the columns it takes, the column it predicts, its parameters and the log prediction."""

    columns: tuple[str, ...]
    target: str
    names: tuple[str, ...]
    log: Callable[..., Array]


def _power(p: Params, x: Array) -> Array:
    return np.log(p["A"]) - p["alpha"] * np.log(x)


def _floor(E: Any, log: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.logaddexp(np.log(E), log))


def _power_floor(p: Params, x: Array) -> Array:
    return _floor(p["E"], _power(p, x))


def _broken(p: Params, x: Array) -> Array:
    bend = p["sharpness"] * np.logaddexp(0, np.log(x / p["x_break"]) / p["sharpness"])
    return _floor(p["E"], _power(p, x) - (p["alpha2"] - p["alpha"]) * bend)


def _kaplan(p: Params, n_params: Array, tokens: Array) -> Array:
    size = p["alpha_N"] / p["alpha_D"] * (np.log(p["N_c"]) - np.log(n_params))
    return np.asarray(p["alpha_D"] * np.logaddexp(size, np.log(p["D_c"]) - np.log(tokens)))


def _chinchilla(p: Params, n_params: Array, tokens: Array) -> Array:
    size = np.log(p["A"]) - p["alpha"] * np.log(n_params)
    return _floor(p["E"], np.logaddexp(size, np.log(p["B"]) - p["beta"] * np.log(tokens)))


def _optimal(p: Params, flops: Array) -> Array:
    return np.log(p["G"]) + p["a"] * np.log(flops)


FORMULAS = {
    "power": Formula(("x",), "y", ("A", "alpha"), _power),
    "power-floor": Formula(("x",), "y", ("E", "A", "alpha"), _power_floor),
    "broken": Formula(("x",), "y", ("E", "A", "alpha", "alpha2", "x_break", "sharpness"), _broken),
    "kaplan": Formula(("n_params", "tokens"), "loss", ("N_c", "D_c", "alpha_N", "alpha_D"), _kaplan),
    "chinchilla": Formula(("n_params", "tokens"), "loss", ("E", "A", "B", "alpha", "beta"), _chinchilla),
    "isoflop": Formula(("flops",), "n_params", ("G", "a"), _optimal),
    "envelope": Formula(("flops",), "n_params", ("G", "a"), _optimal),
}


@dataclass(frozen=True)
class Optimum:
    """The best size at one budget: `n_params` with its interval, the loss there, and the points it rests on.

    `edge` says that the smallest loss lies at the largest or smallest size that was tried, so that the optimum is not
    seen; such a budget is left out of the regression.
    """

    flops: float
    n_params: float
    loss: float
    low: float
    high: float
    n_points: int
    edge: bool


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted law.

    `params` by name; `interval` and `standard_error` for each of them where a bootstrap was asked for (else empty);
    `objective`, the summed Huber loss of log y (isoflop and envelope: the weighted sum of squares about the line);
    `starts_at_optimum`, the share of starts that ended within 0.1 % of the best objective; `n_points` that were fitted;
    `residuals` (n,), log of observed over predicted in the order of the rows (isoflop and envelope: of each optimum);
    `warnings`, sentences. `samples` holds each parameter in each resample, `optima` the best size of each budget
    (isoflop, envelope), `held_out` the mean error in log y of each candidate on the largest points (auto), and `used`
    (n,) which rows were fitted, None for all.
    """

    law: str
    params: dict[str, float]
    objective: float
    n_points: int
    residuals: Array
    starts_at_optimum: float = 1.0
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)
    standard_error: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    level: float = 0.95
    samples: dict[str, Array] = field(default_factory=dict, repr=False)
    optima: tuple[Optimum, ...] = field(default=(), repr=False)
    held_out: dict[str, float] = field(default_factory=dict, repr=False)
    used: Array | None = field(default=None, repr=False)

    @property
    def formula(self) -> Formula:
        return FORMULAS[self.law]

    def _inputs(self, columns: dict[str, ArrayLike]) -> list[Array]:
        wanted = self.formula.columns
        if set(columns) != set(wanted):
            got = listed(sorted(columns)) if columns else "nothing"
            raise ValueError(f"The law {self.law} predicts {self.formula.target} from {listed(wanted)}; got {got}.")
        sizes = {np.size(values) for values in columns.values()} - {1}
        if len(sizes) > 1:
            raise ValueError(f"The columns to predict for differ in length: {listed([str(s) for s in sorted(sizes)])}.")
        read = {name: match(**{name: np.ravel(values)})[name] for name, values in columns.items()}
        return [read[name] for name in wanted]

    def predict(self, **columns: ArrayLike) -> Array:
        """The law at these columns, `fit.predict(n_params=1e9, tokens=2e10)`: an array with one value a row.

        Raises ValueError when the columns are not those of the law, or not positive.
        """
        return np.exp(self.formula.log(self.params, *self._inputs(columns)))

    def predict_interval(self, *, observation: bool = True, **columns: ArrayLike) -> tuple[Array, Array]:
        """Low and high ends of the prediction at the fit's level, from the bootstrap; each (m,).

        By default for a new observation: a resampled law and a residual together (residuals widened by
        sqrt(n / (n - p)) for the p parameters that were fitted). `observation=False` gives the law's own interval.
        Raises ValueError where the fit was made without bootstrap.
        """
        if not self.samples:
            raise ValueError("The fit has no resamples: fit with bootstrap=1000 to get intervals of predictions.")
        inputs = self._inputs(columns)
        names = self.formula.names
        draws = {name: self.samples[name][:, None] for name in names}
        log = self.formula.log(draws, *inputs)  # (resamples, m)
        if observation:
            rng = np.random.default_rng(0)
            left = self.residuals if self.used is None else self.residuals[self.used]
            scatter = left * np.sqrt(len(left) / max(len(left) - len(names), 1))
            log = np.repeat(log, max(1, 4000 // len(log)), axis=0)
            log = log + rng.choice(scatter, size=(len(log), 1))
        tail = (1 - self.level) / 2
        low, high = np.quantile(log, [tail, 1 - tail], axis=0)
        return np.exp(low), np.exp(high)
