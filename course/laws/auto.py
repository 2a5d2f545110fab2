"""A law for a learning curve, chosen by its error on the largest points."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.laws.columns import labels, match, needs
from course.laws.curves import CURVE_DELTA, broken_problem, floor_problem, power_problem
from course.laws.fitting import Problem, solve
from course.laws.result import Fit

__all__ = ["HANDICAP", "fit_auto"]

Array = NDArray[Any]

HANDICAP = {"power-floor": 1.0, "power": 1.3, "recent power": 1.4, "broken": 2.5}
"""What the held-out error of each candidate is multiplied by before they are compared.

One or two held-out points say little, so the law that most often extrapolates best needs no proof and the others do.
"recent power" is a power law through the larger half of the points. The numbers were chosen on synthetic curves and the
published ones of Porian et al. and Gadre et al.; tests/bench_fitting.py measures them on others.
"""


def fit_auto(x: ArrayLike, y: ArrayLike, *, seeds: Any = None, **options: Any) -> Fit:
    """The law that predicts the largest quarter of the points best from the others, fitted to all points.

    Candidates: a power law through all points or through their larger half, one with a floor, one with a break. The
    returned fit has the law that was chosen, and the mean error in log y of each candidate on the held-out points as
    `held_out`. With fewer than four sizes it is a power law; where too few are left to compare, one with a floor. Its
    intervals take the choice for granted. Options as in `fit`. Raises ValueError as `fit_power` does.
    """
    columns = match(x=x, y=y)
    X, Y = columns["x"], columns["y"]
    needs("auto", len(X), 2, x=X, y=Y)
    group = labels(seeds, len(X))
    options.setdefault("delta", CURVE_DELTA)
    notes = options.pop("notes", ())
    sizes = np.unique(X)
    cut = sizes[-max(1, len(sizes) // 4)]
    small = cut > X
    errors = {
        name: _error(problem, X[~small], Y[~small], options["delta"])
        for name, problem in _candidates(X[small], Y[small]).items()
    }
    if len(sizes) < 4:
        chosen = "power"
    elif "power-floor" not in errors:
        chosen = "power-floor"
    else:
        chosen = min(errors, key=lambda name: errors[name] * HANDICAP[name])
    kept = np.ones(len(X), dtype=bool)
    if chosen == "recent power":
        kept = _recent(sizes) <= X
        notes = (
            *notes,
            f"The curve bends, so the power law is fitted to the larger {int(kept.sum())} of {len(X)} points only.",
        )
    problem = _problem(chosen, X[kept], Y[kept])
    found = solve(problem, seeds=None if group is None else group[kept], notes=tuple(notes), **options)
    if not kept.all():
        residuals = np.log(Y) - np.log(found.predict(x=X))
        found = replace(found, residuals=residuals, used=kept)
    return replace(found, held_out=errors)


def _recent(sizes: Array) -> float:
    """The size from which on the larger half of the sizes lies, three at least."""
    return float(sizes[-max(3, len(sizes) // 2) :][0])


def _problem(name: str, x: Array, y: Array) -> Problem:
    build = {"power-floor": floor_problem, "broken": broken_problem}.get(name, power_problem)
    return build(x, y)


def _candidates(x: Array, y: Array) -> dict[str, Problem]:
    """The candidates that these points can fix."""
    sizes = np.unique(x)
    least = {"power": 2, "power-floor": 4, "recent power": 4, "broken": 7}
    found = {}
    for name, fewest in least.items():
        if len(sizes) >= fewest:
            kept = x >= _recent(sizes) if name == "recent power" else np.ones(len(x), dtype=bool)
            found[name] = _problem(name, x[kept], y[kept])
    return found


def _error(problem: Problem, x: Array, y: Array, delta: float) -> float:
    """Mean distance in log y between the fitted law and points that it has not seen."""
    found = solve(problem, delta=delta, starts=24)
    return float(np.mean(np.abs(np.log(found.predict(x=x)) - np.log(y))))
