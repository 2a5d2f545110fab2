"""The published way to fit the Chinchilla law: one L-BFGS-B call for each start of a grid, with finite differences.

Here to be compared with `fit_chinchilla`, which finds the same optimum from nearly every start and much sooner.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from threadpoolctl import threadpool_limits

from course.laws.columns import match, needs
from course.laws.robust import huber

__all__ = ["HOFFMANN_STARTS", "Ends", "chinchilla_lbfgs"]

Array = NDArray[Any]

HOFFMANN_STARTS = np.array(
    list(itertools.product(range(0, 30, 5), range(0, 30, 5), np.arange(-1, 1.5, 0.5), *[np.arange(0, 2.5, 0.5)] * 2)),
    dtype=np.float64,
)
"""The grid of Hoffmann et al. 2022, appendix D.3: (4500, 5), columns log A, log B, log E, alpha, beta."""


@dataclass(frozen=True, eq=False)
class Ends:
    """Where each start ended: `params` by name, each (starts,); `objective` (starts,), always the sum; `success`."""

    params: dict[str, Array]
    objective: Array
    success: Array

    @property
    def best(self) -> dict[str, float]:
        """The parameters of the smallest objective."""
        at = int(np.argmin(self.objective))
        return {name: float(values[at]) for name, values in self.params.items()}

    @property
    def starts_at_optimum(self) -> float:
        """The share of starts within 0.1 % of the smallest objective."""
        return float(np.mean(self.objective <= 1.001 * self.objective.min()))


def chinchilla_lbfgs(
    n_params: ArrayLike,
    tokens: ArrayLike,
    loss: ArrayLike,
    starts: ArrayLike,
    *,
    delta: float = 1e-3,
    reduction: str = "sum",
) -> Ends:
    """scipy's L-BFGS-B from each start (log A, log B, log E, alpha, beta), finite differences, default stop rule.

    starts (S, 5), such as `HOFFMANN_STARTS[::5]`. `reduction="mean"` divides the objective by the number of points: its
    minimum is the same, but the stop rule then ends the search early. Raises ValueError for bad columns or starts.
    Source: Hoffmann et al. 2022, appendix D.3. Lesson 5.4.
    """
    columns = match(n_params=n_params, tokens=tokens, loss=loss)
    n, d, y = (np.log(values) for values in columns.values())
    needs("chinchilla", len(y), 5, n_params=columns["n_params"], tokens=columns["tokens"])
    grid = np.atleast_2d(np.asarray(starts, dtype=np.float64))
    if grid.shape[1] != 5 or not len(grid):
        raise ValueError(f"starts must have the shape (S, 5): log A, log B, log E, alpha, beta; got {grid.shape}.")
    if reduction not in {"sum", "mean"}:
        raise ValueError(f'reduction is "sum" or "mean"; got {reduction!r}.')
    scale = 1.0 if reduction == "sum" else 1.0 / len(y)

    def objective(theta: Array) -> float:
        a, b, e, alpha, beta = theta
        value = np.logaddexp(np.logaddexp(a - alpha * n, b - beta * d), e)
        return float(huber(value - y, delta).sum() * scale)

    with threadpool_limits(limits=1, user_api="blas"):
        ends = [optimize.minimize(objective, start, method="L-BFGS-B") for start in grid]
    found = np.array([end.x for end in ends])
    a, b, e, alpha, beta = found.T
    with np.errstate(over="ignore"):
        params = {"E": np.exp(e), "A": np.exp(a), "B": np.exp(b), "alpha": alpha, "beta": beta}
    return Ends(params, np.array([end.fun for end in ends]) / scale, np.array([bool(end.success) for end in ends]))
