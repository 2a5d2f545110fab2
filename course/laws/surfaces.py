"""Laws of two variables, L(N, D): Hoffmann et al.'s ("chinchilla") and Kaplan et al.'s joint form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.laws.columns import labels, match, needs
from course.laws.fitting import TINY, Problem, nonnegative, solve
from course.laws.result import Fit
from course.laws.robust import Curvature, Powers

__all__ = ["fit_chinchilla", "fit_kaplan"]

Array = NDArray[Any]


def fit_chinchilla(
    n_params: ArrayLike, tokens: ArrayLike, loss: ArrayLike, *, seeds: Any = None, **options: Any
) -> Fit:
    """L = E + A N^-alpha + B D^-beta, the summed Huber loss (delta 1e-3) of log L. Options as in `fit`.

    Also gives a = beta / (alpha + beta) and b = 1 - a, the exponents of the best N and D in the compute. For given
    (alpha, beta) the law is linear in E, A and B, all non-negative, which gives each random start its best E, A and B.
    Raises ValueError for values that are not positive and finite, fewer than 5 points, one size or one loss only.
    Source: Hoffmann et al. 2022, approach 3; Besiroglu et al. 2024. Lesson 5.4.
    """
    columns = match(n_params=n_params, tokens=tokens, loss=loss)
    N, D, L = columns.values()
    needs("chinchilla", len(L), 5, n_params=N, tokens=D, loss=L)
    return solve(chinchilla_problem(N, D, L), seeds=labels(seeds, len(L)), **options)


def chinchilla_problem(N: Array, D: Array, L: Array) -> Problem:
    """theta = (log E, log A at the mean N, alpha, log B at the mean D, beta)."""
    n, d, y = np.log(N), np.log(D), np.log(L)
    n0, d0, least = float(n.mean()), float(d.mean()), float(y.min())
    one = np.ones_like(n)

    def starts(rng: np.random.Generator, count: int) -> Array:
        alpha, beta = rng.uniform(0.05, 1.2, (2, count))
        terms = np.stack(
            [
                np.broadcast_to(one, (count, len(n))),
                np.exp(alpha[:, None] * (n0 - n)),
                np.exp(beta[:, None] * (d0 - d)),
            ],
            axis=1,
        )
        c = np.log(np.maximum(nonnegative(terms / L), 1e-3 * L.min()))
        return np.column_stack([c[:, 0], c[:, 1], alpha, c[:, 2], beta])

    def again(theta: Array) -> Array:
        if theta[0] > least - 6:
            return theta[None]
        risen = theta.copy()  # from E = 0 no step leads away, so a resample also starts from a floor above it
        risen[0] = least - 1
        return np.stack([theta, risen])

    def public(theta: Array) -> dict[str, Array]:
        E = np.where(theta[:, 0] > least - TINY + 0.1, np.exp(theta[:, 0]), 0.0)
        alpha, beta = theta[:, 2], theta[:, 4]
        a = beta / (alpha + beta)
        A, B = np.exp(theta[:, 1] + alpha * n0), np.exp(theta[:, 3] + beta * d0)
        return {"E": E, "A": A, "B": B, "alpha": alpha, "beta": beta, "a": a, "b": 1 - a}

    model = Powers(one[:, None], np.stack([one, n0 - n], axis=1), np.stack([one, d0 - d], axis=1))
    floor = least - TINY
    low, high = np.array([floor, floor, -2.0, floor, -2.0]), np.array([np.inf, np.inf, 8.0, np.inf, 8.0])
    return Problem(
        "chinchilla", y, model, starts, again, public, low, high,
        {"alpha": 2, "beta": 4}, {"n_params": N, "tokens": D}, derived=("a", "b"),
    )  # fmt: skip


def fit_kaplan(n_params: ArrayLike, tokens: ArrayLike, loss: ArrayLike, *, seeds: Any = None, **options: Any) -> Fit:
    """L = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D, fitted like `fit_chinchilla`; it has no floor.

    Source: Kaplan et al. 2020, equation 1.5. Raises ValueError as `fit_chinchilla` does, for fewer than 4 points.
    """
    columns = match(n_params=n_params, tokens=tokens, loss=loss)
    N, D, L = columns.values()
    needs("kaplan", len(L), 4, n_params=N, tokens=D, loss=L)
    return solve(kaplan_problem(N, D, L), seeds=labels(seeds, len(L)), **options)


def kaplan_problem(N: Array, D: Array, L: Array) -> Problem:
    """theta = (log L in the middle of the data, log-odds of the size term there, alpha_N, alpha_D)."""
    n, d, y = np.log(N), np.log(D), np.log(L)
    n0, d0 = float(n.mean()), float(d.mean())

    def model(theta: Array) -> tuple[Array, Array, Curvature | None]:
        mid, odds, aN, aD = (column[:, None] for column in theta.T)
        # L = e^mid [s e^(-(aN / aD) (n - n0)) + (1 - s) e^(-(d - d0))]^aD with s the sigmoid of the odds
        size = -np.logaddexp(0, -odds) - aN / aD * (n - n0)
        data = -np.logaddexp(0, odds) - (d - d0)
        total = np.logaddexp(size, data)
        share = np.exp(size - total)
        s = np.exp(-np.logaddexp(0, -odds))
        slopes = np.stack(
            [
                np.ones_like(total),
                aD * (share - s),
                -share * (n - n0),
                total + share * aN / aD * (n - n0),
            ],
            axis=1,
        )
        return mid + aD * total, slopes, None

    def starts(rng: np.random.Generator, count: int) -> Array:
        aN, aD = np.exp(rng.uniform(np.log(0.02), np.log(1.0), (2, count)))
        power = np.exp(np.clip((y - y.mean()) / aD[:, None], -200, 200))
        size = np.exp(np.clip(-(aN / aD)[:, None] * (n - n0), -200, 200))
        data = np.broadcast_to(np.exp(d0 - d), size.shape)
        c = np.log(np.maximum(nonnegative(np.stack([size, data], axis=1) / power[:, None, :]), 1e-6))
        total = np.logaddexp(c[:, 0], c[:, 1])
        return np.column_stack([y.mean() + aD * total, c[:, 0] - c[:, 1], aN, aD])

    def public(theta: Array) -> dict[str, Array]:
        mid, odds, aN, aD = theta.T
        log_size, log_data = mid / aD - np.logaddexp(0, -odds), mid / aD - np.logaddexp(0, odds)
        with np.errstate(over="ignore"):
            return {
                "N_c": np.exp(n0 + log_size * aD / aN), "D_c": np.exp(d0 + log_data), "alpha_N": aN, "alpha_D": aD,
            }  # fmt: skip

    low, high = np.array([-np.inf, -30.0, 1e-3, 1e-3]), np.array([np.inf, 30.0, 8.0, 8.0])
    return Problem(
        "kaplan", y, model, starts, lambda theta: theta[None], public, low, high,
        {"alpha_N": 2, "alpha_D": 3}, {"n_params": N, "tokens": D}, floor=False,
    )  # fmt: skip
