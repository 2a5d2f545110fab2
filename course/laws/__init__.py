"""Fit a scaling law to runs, say how sure it is, and predict with it.

`fit(law, runs)` takes a table with named columns and gives a `Fit`: parameters, intervals from a bootstrap, residuals,
sentences of warning; `fit.predict(...)` evaluates it. The direct functions take arrays.

| law | formula | columns |
|---|---|---|
| power | y = A x^-alpha | x, y |
| power-floor | y = E + A x^-alpha | x, y |
| broken | a power law with floor whose exponent changes at x_break | x, y |
| auto | a choice among these by error on the largest points | x, y |
| kaplan | L = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D | n_params, tokens, loss |
| chinchilla | L = E + A N^-alpha + B D^-beta | n_params, tokens, loss |
| isoflop | N_opt = G C^a from the best size at each budget | flops (or budget), n_params, loss |
| envelope | the same from the lower envelope of learning curves | flops, n_params, loss |

Losses are fitted as logarithms under the Huber loss (`course.laws.robust`), from many starts at once. Lesson 5.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from course.inputs import whole
from course.laws.auto import fit_auto
from course.laws.columns import listed, table_columns
from course.laws.curves import fit_broken, fit_power, fit_power_floor
from course.laws.envelope import fit_envelope
from course.laws.isoflop import fit_isoflop
from course.laws.optimal import Allocation, compute_optimal
from course.laws.published import chinchilla_lbfgs
from course.laws.result import FORMULAS, Fit, Formula, Optimum
from course.laws.scores import interval_score
from course.laws.surfaces import fit_chinchilla, fit_kaplan

__all__ = [
    "COLUMNS",
    "FORMULAS",
    "LAWS",
    "Allocation",
    "Fit",
    "Formula",
    "Optimum",
    "chinchilla_lbfgs",
    "compute_optimal",
    "fit",
    "fit_auto",
    "fit_broken",
    "fit_chinchilla",
    "fit_envelope",
    "fit_isoflop",
    "fit_kaplan",
    "fit_power",
    "fit_power_floor",
    "interval_score",
]

_CURVE, _SURFACE, _BUDGET = ("x", "y"), ("n_params", "tokens", "loss"), ("flops", "n_params", "loss")

_FITTERS: dict[str, tuple[Callable[..., Fit], tuple[str, ...]]] = {
    "power": (fit_power, _CURVE),
    "power-floor": (fit_power_floor, _CURVE),
    "broken": (fit_broken, _CURVE),
    "auto": (fit_auto, _CURVE),
    "kaplan": (fit_kaplan, _SURFACE),
    "chinchilla": (fit_chinchilla, _SURFACE),
    "isoflop": (fit_isoflop, _BUDGET),
    "envelope": (fit_envelope, _BUDGET),
}

LAWS = tuple(_FITTERS)
"""The laws that `fit` knows."""

COLUMNS = {law: columns for law, (_, columns) in _FITTERS.items()}
"""The columns that each law is fitted to."""


def fit(law: str, table: Any, *, bootstrap: Any = 0, seed: int = 0, level: float = 0.95, **options: Any) -> Fit:
    """Fit `law` to the columns of `table` (a data frame, or a dict of columns); other columns are ignored.

    bootstrap: number of resamples for intervals (1,000 is plenty), 0 for none. seed: of starts and resamples. level:
    the share of an interval. Options of curves and surfaces: `delta` (where the Huber loss turns into a line), `starts`,
    `resample` ("points", "residuals", or "auto" by their number), `bootstrap_by` ("point", or "seed" for whole seeds);
    of isoflop: `method`, `bootstrap_by`. A column `seed` tells seeds apart, `budget` names the budget of a run for
    isoflop, and rows whose `diverged` is true are left out, with a warning.

    Raises ValueError, one sentence, for an unknown law or option, a missing column, words, missing or non-positive
    numbers, one size only, and fewer points than parameters.
    """
    if law not in _FITTERS:
        raise ValueError(f"There is no law {law!r}; the laws are {listed(LAWS)}.")
    whole("seed", seed, least=0)
    columns, notes = table_columns(table)
    function, wanted = _FITTERS[law]
    if law == "isoflop" and "flops" not in columns and "budget" in columns:
        columns["flops"] = columns["budget"]
    missing = [name for name in wanted if name not in columns]
    if missing:
        has = listed(sorted(columns)) if columns else "none"
        raise ValueError(
            f"The table has no column {listed(missing)}; the law {law} is fitted to {listed(wanted)}. Its columns: {has}."
        )
    if law == "isoflop" and "budget" in columns:
        options.setdefault("budget", columns["budget"])
    if "seed" in columns:
        options.setdefault("seeds", columns["seed"])
    try:
        return function(
            *(columns[name] for name in wanted), bootstrap=bootstrap, seed=seed, level=level, notes=notes, **options
        )
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        option = str(error).rsplit(" ", 1)[-1].strip("'")
        raise ValueError(f"The law {law} has no option {option!r}.") from None
