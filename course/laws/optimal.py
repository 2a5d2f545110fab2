"""From a law to the best use of a budget: how many parameters, how many tokens, and the loss to expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course.inputs import positive
from course.laws.result import FORMULAS, Fit

__all__ = ["Allocation", "compute_optimal"]


@dataclass(frozen=True)
class Allocation:
    """The best model for a budget: `n_params`, `tokens`, and `loss` (nan where the law has none).

    `interval` holds both ends of each, where the law was fitted with a bootstrap.
    """

    flops: float
    n_params: float
    tokens: float
    loss: float
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)


def compute_optimal(law: Fit, flops: float, *, flops_per_param_token: float = 6.0) -> Allocation:
    """The N and D with N D `flops_per_param_token` = `flops` at which the law's loss is smallest.

    chinchilla: N = G (C / 6)^(beta / (alpha + beta)), G = (alpha A / (beta B))^(1 / (alpha + beta)); kaplan: by the
    same condition; isoflop and envelope: N = G C^a as fitted. Raises ValueError for another law, a budget
    that is not positive, or exponents that are not (no best size exists then).
    Source: Hoffmann et al. 2022, equation 4. Lesson 5.4.
    """
    flops, k = positive("flops", flops), positive("flops_per_param_token", flops_per_param_token)
    if law.law not in {"chinchilla", "kaplan", "isoflop", "envelope"}:
        raise ValueError(f"The law {law.law} does not say how to split compute; fit chinchilla, kaplan or isoflop.")
    if law.law == "chinchilla" and min(law.params["alpha"], law.params["beta"]) <= 0:
        raise ValueError(
            "The law has an exponent that is not positive, so no size is best; add runs over a wider range."
        )
    best = _best(law.law, law.params, flops, k)
    interval = {}
    if law.samples:
        with np.errstate(all="ignore"):
            draws = _best(law.law, law.samples, flops, k)
        tail = 50 * (1 - law.level)
        for name, values in draws.items():
            good = values[np.isfinite(values)]
            if len(good):
                low, high = np.percentile(good, [tail, 100 - tail])
                interval[name] = (float(low), float(high))
    return Allocation(flops, float(best["n_params"]), float(best["tokens"]), float(best["loss"]), interval)


def _best(law: str, p: Mapping[str, Any], flops: float, k: float) -> dict[str, Any]:
    pairs = np.log(flops / k)  # log of N D
    if law == "chinchilla":
        alpha, beta = p["alpha"], p["beta"]
        ratio = np.log(alpha) + np.log(p["A"]) - np.log(beta) - np.log(p["B"])
        log_n = (ratio + beta * pairs) / (alpha + beta)
    elif law == "kaplan":
        # d/dn of (aN / aD) (log N_c - n) against d = pairs - n: e^size aN / aD = e^data
        slope = p["alpha_N"] / p["alpha_D"]
        log_n = (np.log(slope) + slope * np.log(p["N_c"]) - np.log(p["D_c"]) + pairs) / (1 + slope)
    else:
        log_n = np.log(p["G"]) + p["a"] * np.log(flops)
    n, d = np.exp(log_n), np.exp(pairs - log_n)
    if law in {"chinchilla", "kaplan"}:
        return {"n_params": n, "tokens": d, "loss": np.exp(FORMULAS[law].log(p, n, d))}
    return {"n_params": n, "tokens": d, "loss": np.full(np.shape(n), np.nan)}
