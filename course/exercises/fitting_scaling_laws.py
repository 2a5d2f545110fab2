"""Exercises of lesson 5.4: the surface, its best size, the objective, the stop rule, projection, bootstrap, score, bet."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize, special

from course.exercises.specification import Case, Exercise, Mistake
from course.laws import interval_score

# --- 5.4.1 the surface ----------------------------------------------------------------------------


def surface(N: Any, D: Any, E: float, A: float, B: float, alpha: float, beta: float) -> Any:
    """Loss of a model of N parameters after D tokens, in nats (Hoffmann et al. 2022, Eq. 2). N, D: (n,)."""
    return E + A / np.asarray(N, dtype=float) ** alpha + B / np.asarray(D, dtype=float) ** beta


def _constants(rng: np.random.Generator) -> tuple[float, ...]:
    """E, A, B, alpha, beta of a surface with terms of ordinary size between 1e3 and 1e8."""
    alpha, beta = round(rng.uniform(0.25, 0.45), 2), round(rng.uniform(0.5, 0.7), 2)
    return (
        round(rng.uniform(1.2, 1.9), 2),
        round(float(rng.uniform(0.4, 1.2) * 1e4**alpha), 1),
        round(float(rng.uniform(0.4, 1.2) * 1e6**beta), 1),
        alpha,
        beta,
    )


def _surface_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for n in (1, 2, 3, 4):
        N = np.round(10 ** rng.uniform(3.3, 5.5, size=n), -2)
        D = np.round(10 ** rng.uniform(5, 8, size=n), -4)
        cases.append(Case((N, D, *_constants(rng)), "runs"))
    E, A, B, alpha, beta = _constants(rng)
    cases.append(Case((1000, 100_000, E, A, B, alpha, beta), "one run, whole numbers"))
    cases.append(Case((np.full(2, 1e30), np.full(2, 1e30), E, A, B, alpha, beta), "the floor"))
    return cases


_SURFACE_MISTAKES = (
    Mistake(
        "growing powers",
        lambda N, D, E, A, B, alpha, beta: E + A * N**alpha + B * D**beta,
        "Your loss grows with N and D. The exponents are positive numbers and the powers stand *below* the line: "
        "A / N^alpha, B / D^beta.",
    ),
    Mistake(
        "no floor",
        lambda N, D, E, A, B, alpha, beta: A / N**alpha + B / D**beta,
        "The floor E is missing: without it an endless model with endless data would have a loss of 0, and text is "
        "not that predictable.",
    ),
    Mistake(
        "exponents swapped",
        lambda N, D, E, A, B, alpha, beta: E + A / N**beta + B / D**alpha,
        "alpha and beta changed places: alpha belongs to the parameters N (with A), beta to the tokens D (with B).",
    ),
    Mistake(
        "constants swapped",
        lambda N, D, E, A, B, alpha, beta: E + B / N**alpha + A / D**beta,
        "A and B changed places: A belongs to the parameters N, B to the tokens D.",
    ),
    Mistake(
        "N and D swapped",
        lambda N, D, E, A, B, alpha, beta: E + A / D**alpha + B / N**beta,
        "N and D changed places: A and alpha belong to the parameters N, B and beta to the tokens D.",
    ),
    Mistake(
        "constant inside the power",
        lambda N, D, E, A, B, alpha, beta: E + (A / N) ** alpha + (B / D) ** beta,
        "You raised the whole fraction to the power, as Kaplan et al. write it, (N_c / N)^alpha. Here only N is "
        "raised: `A / N**alpha`.",
    ),
    Mistake(
        "one product",
        lambda N, D, E, A, B, alpha, beta: E + A / N**alpha * B / D**beta,
        "You multiplied the two terms. They add: too small a model and too little data each cost something of their own.",
    ),
    Mistake(
        "logarithm",
        lambda N, D, E, A, B, alpha, beta: np.log(E + A / N**alpha + B / D**beta),
        "That is the logarithm of the loss. Return the loss itself, in nats.",
    ),
)

# --- 5.4.2 the best size for a budget -------------------------------------------------------------


def best_split(C: Any, A: float, B: float, alpha: float, beta: float) -> tuple[Any, Any]:
    """N and D with the lowest loss among all with 6 N D = C (Hoffmann et al. 2022, Eq. 4)."""
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    a = beta / (alpha + beta)
    return G * (C / 6) ** a, (C / 6) ** (1 - a) / G


def _split_cases(rng: np.random.Generator) -> list[Case]:
    def case(C: Any, part: str) -> Case:
        _, A, B, alpha, beta = _constants(rng)
        return Case((C, A, B, alpha, beta), part)

    return [
        *(case(float(f"{10 ** rng.uniform(9.5, 13):.2g}"), "one budget") for _ in range(4)),
        *(case(np.array([float(f"{c:.2g}") for c in 10 ** rng.uniform(9.5, 13, size=n)]), "budgets") for n in (2, 3)),
    ]


def _split(
    a: Callable[[float, float], float] = lambda alpha, beta: beta / (alpha + beta),
    G: Callable[..., float] = lambda A, B, alpha, beta: (alpha * A / (beta * B)) ** (1 / (alpha + beta)),
    per: float = 6.0,
    tokens: Callable[[Any, Any, float, float], Any] | None = None,
) -> Callable[..., tuple[Any, Any]]:
    """A wrong split: another exponent, another constant, another cost, or another way to the tokens."""

    def wrong(C: Any, A: float, B: float, alpha: float, beta: float) -> tuple[Any, Any]:
        share, constant = a(alpha, beta), G(A, B, alpha, beta)
        N = constant * (C / per) ** share
        return N, (C / per / N if tokens is None else tokens(C, N, share, constant))

    return wrong


_SPLIT_MISTAKES = (
    Mistake(
        "a and b swapped",
        _split(a=lambda alpha, beta: alpha / (alpha + beta)),
        "Your N grows as C^(alpha / (alpha + beta)); that is the exponent of D. The faster the data term falls (large "
        "beta), the *more* of the budget is left for the model: a = beta / (alpha + beta).",
    ),
    Mistake(
        "equal terms",
        _split(G=lambda A, B, alpha, beta: (A / B) ** (1 / (alpha + beta))),
        "You set the two terms equal, A / N^alpha = B / D^beta. At the optimum their *slopes* balance: "
        "alpha A / N^alpha = beta B / D^beta.",
    ),
    Mistake(
        "G turned over",
        _split(G=lambda A, B, alpha, beta: (beta * B / (alpha * A)) ** (1 / (alpha + beta))),
        "Your G is 1 over the right one: a larger A makes small models worse, so the best N must grow with A.",
    ),
    Mistake(
        "exponents the wrong way round in G",
        _split(G=lambda A, B, alpha, beta: (beta * A / (alpha * B)) ** (1 / (alpha + beta))),
        "In G the exponents go with their own constants: alpha A over beta B. Differentiate A / N^alpha once more.",
    ),
    Mistake(
        "no root",
        _split(G=lambda A, B, alpha, beta: alpha * A / (beta * B)),
        "The root is missing: N^(alpha + beta) = (alpha A / (beta B)) (C / 6)^beta, so take both factors to the power "
        "1 / (alpha + beta).",
    ),
    Mistake(
        "6 forgotten",
        _split(per=1.0),
        "You spent C = N D. A token costs 6 FLOPs for each parameter in training, so N D = C / 6.",
    ),
    Mistake(
        "2 in place of 6",
        _split(per=2.0),
        "2 N D is the forward pass alone. Training takes the backward pass too, about twice as much again: 6 N D.",
    ),
    Mistake(
        "tokens without the 6",
        _split(tokens=lambda C, N, a, G: C / N),
        "N is right. D must use up the rest of the budget, 6 N D = C, so D = C / (6 N).",
    ),
    Mistake(
        "tokens times G",
        _split(tokens=lambda C, N, a, G: G * (C / 6) ** (1 - a)),
        "N is right. In D the G stands below the line: N D must give C / 6, so the two G's cancel.",
    ),
    Mistake(
        "20 tokens a parameter",
        lambda C, A, B, alpha, beta: (np.sqrt(C / 120), 20 * np.sqrt(C / 120)),
        "That is the rule of thumb, 20 tokens a parameter. It holds for one surface (and only while alpha = beta); "
        "derive the split from these constants.",
    ),
)

# --- 5.4.3 the objective --------------------------------------------------------------------------


def huber_objective(predicted: Any, measured: Any, delta: float = 1e-3) -> float:
    """Sum over the runs of the Huber loss of log predicted - log measured. Both (n,), in nats."""
    r = np.log(np.asarray(predicted, dtype=float)) - np.log(np.asarray(measured, dtype=float))
    return float(special.huber(delta, r).sum())


def _objective_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, scatter: float, delta: float, part: str) -> Case:
        measured = rng.uniform(1.5, 4.0, size=n).round(3)
        off = scatter * rng.choice([-1.0, 1.0], size=n) * rng.uniform(0.3, 1.0, size=n)
        if part == "with a run that failed":
            measured[-1] *= 5
            off[-1] = -1.5
        return Case(((measured * np.exp(off)).round(6), measured, delta), part)

    return [
        *(case(n, 4e-2, 5e-2, "near the curve") for n in (2, 4)),
        *(case(n, 5e-3, 1e-3, "some near, some far") for n in (2, 3, 5)),
        *(case(n, 5e-3, 1e-3, "with a run that failed") for n in (3, 4)),
    ]


def _objective(
    change: Callable[[Any, float], Any], residual: Callable[[Any, Any], Any] = lambda p, m: np.log(p) - np.log(m)
) -> Callable[[Any, Any, float], Any]:
    return lambda predicted, measured, delta: change(residual(predicted, measured), delta)


_OBJECTIVE_MISTAKES = (
    Mistake(
        "squared",
        _objective(lambda r, delta: 0.5 * np.sum(r**2)),
        "These are least squares: you square every residual. Beyond delta the Huber loss goes on as a straight line, "
        "delta (|r| - delta / 2), so that one bad run cannot pull the whole fit.",
    ),
    Mistake(
        "squared, no half",
        _objective(lambda r, delta: np.sum(r**2)),
        "You square every residual. Up to delta the Huber loss is r^2 / 2; beyond, it goes on as a straight line, "
        "delta (|r| - delta / 2).",
    ),
    Mistake(
        "delta 1",
        _objective(lambda r, delta: np.sum(special.huber(1.0, r))),
        "You used delta = 1 (many libraries' default) in place of the delta given. Residuals of log losses are a few "
        "thousandths, far below 1, so this is least squares under another name.",
    ),
    Mistake(
        "mean",
        _objective(lambda r, delta: np.mean(special.huber(delta, r))),
        "This is the mean over the runs. Hoffmann et al. sum, and so do we here: the best fit is the same, but in the "
        "next section you see what a mean does to an optimiser.",
    ),
    Mistake(
        "log10",
        _objective(lambda r, delta: np.sum(special.huber(delta, r)), lambda p, m: np.log10(p) - np.log10(m)),
        "You took the logarithm to base 10, so every residual is 2.3 times too small against delta. Use `np.log`.",
    ),
    Mistake(
        "not logarithms",
        _objective(lambda r, delta: np.sum(special.huber(delta, r)), lambda p, m: p - m),
        "Your residuals are differences of losses. The objective compares logarithms, so that 1 % too high counts the "
        "same at a loss of 4 as at a loss of 2.",
    ),
    Mistake(
        "relative error",
        _objective(lambda r, delta: np.sum(special.huber(delta, r)), lambda p, m: p / m - 1),
        "predicted / measured - 1 is close to the difference of the logarithms, but not equal: it punishes a "
        "prediction that is twice too high more than one that is twice too low. Use np.log of both.",
    ),
    Mistake(
        "line that jumps",
        _objective(lambda r, delta: np.sum(np.where(abs(r) <= delta, 0.5 * r**2, delta * abs(r)))),
        "Your line is delta |r|, which does not meet the parabola: at |r| = delta it jumps from delta^2 / 2 to "
        "delta^2. Subtract the difference: delta (|r| - delta / 2).",
    ),
    Mistake(
        "no sign",
        _objective(lambda r, delta: np.sum(np.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta)))),
        "You compared r itself with delta. Large *negative* residuals then count as squares: compare |r|.",
    ),
    Mistake(
        "absolute",
        _objective(lambda r, delta: np.sum(abs(r))),
        "That is the sum of |r|. Near 0, up to delta, the Huber loss is r^2 / 2, and its line has slope delta, not 1.",
    ),
    Mistake(
        "divided by delta",
        _objective(lambda r, delta: np.sum(special.huber(delta, r)) / delta),
        "You divided by delta. That version has slope 1 on its line; the one asked for is r^2 / 2 near 0.",
    ),
    Mistake(
        "one a run",
        _objective(lambda r, delta: special.huber(delta, r)),
        "These are the Huber losses of the single runs, and they are right. Return their sum, one number.",
    ),
)

# --- 5.4.4 a stop rule ----------------------------------------------------------------------------


def has_settled(before: Any, after: Any, tolerance: float) -> Any:
    """Whether each fit's last step lowered its objective by no more than the share `tolerance`. (k,) -> (k,) bool."""
    before, after = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    return before - after <= tolerance * before


def _stop_cases(rng: np.random.Generator) -> list[Case]:
    def case(k: int, low: float, high: float, part: str) -> Case:
        before = 10 ** rng.uniform(low, high, size=k)
        tolerance = float(f"{10 ** rng.uniform(-7, -5):.1g}")
        gain = tolerance * np.where(np.arange(k) % 2, 10 ** rng.uniform(-2, -0.5, k), 10 ** rng.uniform(0.5, 3, k))
        return Case((before, before * (1 - gain), tolerance), part)

    return [
        *(case(k, 0.3, 3, "objectives above 1") for k in (2, 4)),
        *(case(k, -4, -2, "sums of small residuals") for k in (2, 4, 6)),
        *(case(k, -7, -5, "their means") for k in (2, 4, 6)),
    ]


_STOP_MISTAKES = (
    Mistake(
        "scipy's rule",
        lambda before, after, tolerance: before - after <= tolerance * np.maximum(np.maximum(before, after), 1),
        "This is the rule of SciPy's L-BFGS-B, with max(before, after, 1). Below 1 it compares with 1 and no longer "
        "with the objective: divide the objective by 240 and the fit stops earlier. Leave the 1 out.",
    ),
    Mistake(
        "absolute",
        lambda before, after, tolerance: before - after <= tolerance,
        "You compare the gain itself with the tolerance. That rule depends on the unit: the same fit stops earlier "
        "when its objective is a mean. Compare with a share of the objective.",
    ),
    Mistake(
        "isclose",
        lambda before, after, tolerance: np.isclose(after, before, rtol=tolerance),
        "`np.isclose` adds an absolute tolerance of 1e-8 of its own, which is everything for small objectives: give "
        "it atol=0, or compare the gain yourself.",
    ),
    Mistake(
        "still moving",
        lambda before, after, tolerance: before - after > tolerance * before,
        "This is True for the fits that still move. Turn the comparison round: settled means that the gain is small.",
    ),
    Mistake(
        "gain the wrong way round",
        lambda before, after, tolerance: (after - before) / before <= tolerance,
        "after - before is negative whenever the step helped, so this is always True. The gain is before - after.",
    ),
    Mistake(
        "ratio",
        lambda before, after, tolerance: after / before <= tolerance,
        "after / before is close to 1 for a fit that settles, never below a small tolerance: take 1 - after / before.",
    ),
    Mistake(
        "all together",
        lambda before, after, tolerance: np.sum(before - after) <= tolerance * np.sum(before),
        "You added up the fits: one answer for all. Each fit settles by itself; return an array of the same shape.",
    ),
)

# --- 5.4.5 variable projection --------------------------------------------------------------------


def _columns(N: Any, D: Any, alpha: float, beta: float) -> Any:
    N, D = np.asarray(N, dtype=float), np.asarray(D, dtype=float)
    return np.stack([np.ones_like(N), N**-alpha, D**-beta], axis=1)


def project(N: Any, D: Any, loss: Any, alpha: float, beta: float) -> tuple[float, float, float]:
    """E, A, B >= 0 with the least squared relative residuals for these exponents. N, D, loss: (n,)."""
    X = _columns(N, D, alpha, beta) / np.asarray(loss, dtype=float)[:, None]
    (E, A, B), _ = optimize.nnls(X, np.ones(len(X)))
    return float(E), float(A), float(B)


def _projection_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, trial: tuple[float, float], part: str, bound: bool) -> Case:
        while True:
            N = np.round(10 ** np.linspace(3.3, 5.5, n), -2)
            D = np.round(10 ** rng.permutation(np.linspace(5, 8, n)), -4)
            loss = (surface(N, D, 1.4, 20.0, 200.0, 0.4, 0.45) * np.exp(0.004 * rng.normal(size=n))).round(4)
            alpha, beta = (round(t * rng.uniform(0.9, 1.1), 3) for t in trial)
            free = np.linalg.lstsq(_columns(N, D, alpha, beta) / loss[:, None], np.ones(n), rcond=None)[0]
            if bound == bool((free < 0).any()):
                return Case((N, D, loss, alpha, beta), part)

    return [
        *(case(n, (0.4, 0.45), "exponents near the truth", False) for n in (5, 7, 9)),
        *(case(n, (0.06, 0.12), "exponents far from the truth", True) for n in (5, 6, 8)),
    ]


def _projected(
    columns: Callable[..., Any] = _columns,
    weight: Callable[[Any], Any] = lambda loss: 1 / loss,
    solve: Callable[[Any, Any], Any] = lambda X, y: optimize.nnls(X, y)[0],
) -> Callable[..., tuple[float, ...]]:
    """A wrong projection: other columns, other weights, another solver."""

    def wrong(N: Any, D: Any, loss: Any, alpha: float, beta: float) -> tuple[float, ...]:
        w = weight(loss)
        return tuple(float(c) for c in solve(columns(N, D, alpha, beta) * w[:, None], loss * w))

    return wrong


def _least_squares(X: Any, y: Any) -> Any:
    return np.linalg.lstsq(X, y, rcond=None)[0]


def _without_floor(X: Any, y: Any) -> Any:
    return np.concatenate([[0.0], optimize.nnls(X[:, 1:], y)[0]])


_PROJECTION_MISTAKES = (
    Mistake(
        "no bounds",
        _projected(solve=_least_squares),
        "Where the exponents are far from the truth your E, A or B is negative: plain least squares knows no bounds. "
        "A negative floor or a term that falls with less data is no law; use `scipy.optimize.nnls`.",
    ),
    Mistake(
        "clipped",
        _projected(solve=lambda X, y: np.maximum(_least_squares(X, y), 0)),
        "You solved without bounds and set negative constants to 0 afterwards. The others must then be fitted anew, "
        "without the one that left; `scipy.optimize.nnls` does that.",
    ),
    Mistake(
        "absolute residuals",
        _projected(weight=np.ones_like),
        "You minimise the squares of predicted - measured. For residuals *relative* to the measured loss, divide each "
        "row of the matrix, and its target, by that run's loss.",
    ),
    Mistake(
        "multiplied by the loss",
        _projected(weight=lambda loss: loss),
        "You multiplied each row by its loss, so high losses count twice over. For relative residuals divide.",
    ),
    Mistake(
        "only the target divided",
        lambda N, D, loss, alpha, beta: tuple(
            float(c) for c in optimize.nnls(_columns(N, D, alpha, beta), np.ones(len(loss)))[0]
        ),
        "Your target is 1 for every run, but the rows of the matrix were not divided by the losses: both sides of each "
        "equation E + A / N^alpha + B / D^beta = L must be.",
    ),
    Mistake(
        "only the rows divided",
        lambda N, D, loss, alpha, beta: tuple(
            float(c) for c in optimize.nnls(_columns(N, D, alpha, beta) / loss[:, None], loss)[0]
        ),
        "You divided the rows of the matrix by the losses, but not the target: L divided by L is 1 for every run.",
    ),
    Mistake(
        "no floor",
        _projected(solve=_without_floor),
        "The column of ones is missing, so the floor is 0 and the other two terms must do its work.",
    ),
    Mistake(
        "growing powers",
        _projected(columns=lambda N, D, alpha, beta: _columns(N, D, -alpha, -beta)),
        "Your columns are N^alpha and D^beta, which grow. The terms are A N^(-alpha) and B D^(-beta).",
    ),
    Mistake(
        "exponents swapped",
        _projected(columns=lambda N, D, alpha, beta: _columns(N, D, beta, alpha)),
        "alpha and beta changed places: alpha belongs to N, beta to D.",
    ),
    Mistake(
        "A, B, E",
        lambda *args: project(*args)[1:] + project(*args)[:1],
        "The numbers are right, in another order than asked: return E, A, B.",
    ),
    Mistake(
        "logarithm of the loss",
        lambda N, D, loss, alpha, beta: tuple(
            float(c) for c in optimize.nnls(_columns(N, D, alpha, beta), np.log(loss))[0]
        ),
        "You fitted the logarithm of the loss with a sum of terms. It is the loss itself that is the sum "
        "E + A / N^alpha + B / D^beta, and only that is linear in E, A and B.",
    ),
)

# --- 5.4.6 a bootstrap interval -------------------------------------------------------------------


def bootstrap_interval(x: Any, y: Any, picks: Any) -> tuple[float, float]:
    """95 % percentile interval of the slope of log y on log x. x, y: (n,); picks: (R, n) indices, one row a resample."""
    u, v = np.log(np.asarray(x, dtype=float))[picks], np.log(np.asarray(y, dtype=float))[picks]
    low, high = np.percentile(_slopes(u, v), [2.5, 97.5])
    return float(low), float(high)


def _slopes(u: Any, v: Any) -> Any:
    """Least-squares slope of each row of v on the same row of u: (R, n), (R, n) -> (R,)."""
    u = u - u.mean(axis=1, keepdims=True)
    return (u * v).sum(axis=1) / (u * u).sum(axis=1)


def _bootstrap_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, resamples: int, part: str) -> Case:
        x = 10 ** np.linspace(10, 12, n).round(2)
        y = (3e-3 * x ** rng.uniform(0.4, 0.6) * np.exp(0.1 * rng.normal(size=n))).round()
        picks = rng.integers(0, n, size=(resamples, n))
        picks[:, 0], picks[:, -1] = picks[:, 0] // 2, n - 1  # two different points at least in each
        return Case((x, y, picks), part)

    return [*(case(n, 12, "few resamples") for n in (4, 5)), *(case(n, 60, "more resamples") for n in (5, 7, 9))]


def _bootstrapped(
    finish: Callable[[Any], Any] = lambda s: np.percentile(s, [2.5, 97.5]),
    slopes: Callable[[Any, Any, Any], Any] = lambda u, v, picks: _slopes(u[picks], v[picks]),
    scale: Callable[[Any], Any] = np.log,
) -> Callable[..., tuple[float, float]]:
    """A wrong interval: other ends, other resamples, other axes."""

    def wrong(x: Any, y: Any, picks: Any) -> tuple[float, float]:
        low, high = finish(slopes(scale(x), scale(y), picks))
        return float(low), float(high)

    return wrong


def _everywhere(v: Any, picks: Any) -> Any:
    return np.broadcast_to(v, picks.shape)


_BOOTSTRAP_MISTAKES = (
    Mistake(
        "90 %",
        _bootstrapped(lambda s: np.percentile(s, [5, 95])),
        "Percentiles 5 and 95 leave 5 % on each side: a 90 % interval. For 95 %, 2.5 % are left on each side.",
    ),
    Mistake(
        "80 %",
        _bootstrapped(lambda s: np.percentile(s, [10, 90])),
        "Percentiles 10 and 90 make an 80 % interval (Hoffmann et al. print these). For 95 %: 2.5 and 97.5.",
    ),
    Mistake(
        "quantile of percent",
        _bootstrapped(lambda s: np.percentile(s, [0.025, 0.975])),
        "`np.percentile` counts in percent: 0.025 there is a fortieth of a percent, almost the smallest slope. Use 2.5 "
        "and 97.5, or `np.quantile` with 0.025 and 0.975.",
    ),
    Mistake(
        "smallest and largest",
        _bootstrapped(lambda s: (s.min(), s.max())),
        "These are the smallest and largest slope, which grow with the number of resamples. Take percentiles.",
    ),
    Mistake(
        "standard deviation",
        _bootstrapped(lambda s: (s.mean() - 1.96 * s.std(), s.mean() + 1.96 * s.std())),
        "Mean and 1.96 standard deviations assume that the slopes follow a normal curve. The percentile interval takes "
        "the resampled slopes as they are: `np.percentile(slopes, [2.5, 97.5])`.",
    ),
    Mistake(
        "one standard deviation",
        _bootstrapped(lambda s: (s.mean() - s.std(), s.mean() + s.std())),
        "One standard deviation each way holds about two thirds of the slopes. Take the percentiles 2.5 and 97.5.",
    ),
    Mistake(
        "error of the mean",
        _bootstrapped(lambda s: s.mean() + np.array([-1.96, 1.96]) * s.std() / np.sqrt(len(s))),
        "You divided the spread by the root of the number of resamples. The spread itself is the uncertainty; more "
        "resamples measure it better, they do not shrink it.",
    ),
    Mistake(
        "pairs broken, y",
        _bootstrapped(slopes=lambda u, v, picks: _slopes(_everywhere(u, picks), v[picks])),
        "You resampled y and left x as it was, so losses meet the wrong budgets. Resample *pairs*: the same row of "
        "`picks` for both.",
    ),
    Mistake(
        "pairs broken, x",
        _bootstrapped(slopes=lambda u, v, picks: _slopes(u[picks], _everywhere(v, picks))),
        "You resampled x and left y as it was. Resample *pairs*: the same row of `picks` for both.",
    ),
    Mistake(
        "no logarithms",
        _bootstrapped(scale=np.asarray),
        "These are slopes of y on x. An exponent is the slope of log y on log x.",
    ),
    Mistake(
        "axes swapped",
        _bootstrapped(slopes=lambda u, v, picks: _slopes(v[picks], u[picks])),
        "That is the slope of log x on log y. The exponent of y = G x^a is the slope of log y on log x.",
    ),
    Mistake(
        "intercept",
        _bootstrapped(
            slopes=lambda u, v, picks: v[picks].mean(axis=1) - _slopes(u[picks], v[picks]) * u[picks].mean(axis=1)
        ),
        "These are the intercepts, log G. `np.polyfit(..., 1)` returns the slope first: the exponent is entry 0.",
    ),
    Mistake(
        "no resampling",
        _bootstrapped(slopes=lambda u, v, picks: _slopes(u[None], v[None])),
        "You fitted the runs as they are, once. Fit each row of `picks`: the runs that this resample drew.",
    ),
    Mistake(
        "high, low",
        _bootstrapped(lambda s: np.percentile(s, [97.5, 2.5])),
        "The numbers are right, the lower end comes first.",
    ),
)

# --- 5.4.7 scoring an interval --------------------------------------------------------------------


def _score_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, where: tuple[int, ...], part: str) -> Case:
        low = rng.uniform(1.4, 1.7, size=n).round(3)
        high = (low + rng.uniform(0.01, 0.2, size=n)).round(3)
        share = rng.uniform(0.2, 0.8, size=n) + np.array([where[i % len(where)] for i in range(n)])
        measured = (low + share * (high - low)).round(4)
        level = float(rng.choice([0.5, 0.8, 0.9]))
        return Case((low, high, measured, level) if n > 1 else (low[0], high[0], measured[0], level), part)

    return [
        *(case(n, (0,), "inside") for n in (1, 2)),
        *(case(n, (-1, -2), "below") for n in (1, 3)),
        *(case(n, (1, 2), "above") for n in (1, 3)),
        *(case(n, (0, 1, -1), "all three") for n in (3, 4)),
    ]


def _score(
    miss: Callable[[float], float] = lambda level: 2 / (1 - level),
    outside: Callable[..., Any] = lambda low, high, m: np.maximum(low - m, 0) + np.maximum(m - high, 0),
    width: Callable[..., Any] = lambda low, high: high - low,
) -> Callable[..., Any]:
    return lambda low, high, measured, level: width(low, high) + miss(level) * outside(low, high, measured)


_SCORE_MISTAKES = (
    Mistake(
        "width only",
        _score(miss=lambda level: 0.0),
        "This is the width alone: the best score would go to an interval of no width anywhere. Add the penalty for "
        "a measurement outside.",
    ),
    Mistake(
        "miss only",
        _score(width=lambda low, high: 0.0),
        "This is the penalty alone: an endless interval would score 0. Add the width, which every interval pays.",
    ),
    Mistake(
        "level itself",
        _score(miss=lambda level: 2 / level),
        "The penalty is 2 divided by 1 - level, the share of measurements that may fall outside; you divided by level.",
    ),
    Mistake(
        "no 2",
        _score(miss=lambda level: 1 / (1 - level)),
        "The penalty is 2 / (1 - level) for each nat outside: half of 1 - level is allowed on each side.",
    ),
    Mistake(
        "always 40",
        _score(miss=lambda level: 40.0),
        "You fine 40 for each nat outside. That is right at 95 % only; in general the fine is 2 / (1 - level).",
    ),
    Mistake(
        "flat penalty",
        lambda low, high, m, level: high - low + 2 / (1 - level) * ((m < low) | (m > high)),
        "Your penalty is the same for every miss. It grows with the distance to the nearer end.",
    ),
    Mistake(
        "only above",
        _score(outside=lambda low, high, m: np.maximum(m - high, 0)),
        "A measurement below `low` is outside as well: add max(low - measured, 0).",
    ),
    Mistake(
        "only below",
        _score(outside=lambda low, high, m: np.maximum(low - m, 0)),
        "A measurement above `high` is outside as well: add max(measured - high, 0).",
    ),
    Mistake(
        "no maximum",
        _score(outside=lambda low, high, m: np.abs(m - (low + high) / 2)),
        "You measure the distance from the middle of the interval, so measurements inside are punished too. Take the "
        "distance to the nearer end, and 0 inside.",
    ),
    Mistake(
        "signs cancel",
        _score(outside=lambda low, high, m: (low - m) + (m - high)),
        "The two distances have signs, and added they are minus the width, whatever was measured. Each counts only "
        "where it is positive: `np.maximum(..., 0)`.",
    ),
    Mistake(
        "squared",
        _score(outside=lambda low, high, m: (np.maximum(low - m, 0) + np.maximum(m - high, 0)) ** 2),
        "You squared the distance outside. This score takes it as it is; width and distance are both in nats.",
    ),
)

# --- 5.4.8 judging an extrapolation ---------------------------------------------------------------


def _says(*stems: str) -> Callable[[str], bool]:
    """Whether a text has a word that starts with one of these stems."""
    pattern = re.compile(r"\b(" + "|".join(stems) + ")")
    return lambda text: bool(pattern.search(text))


_range = _says("decade", "range", "extrapolat", "ten times", "factor", "times larger", "times beyond", "orders? of")
_floor = _says("floor", "irreducible", "level", "flatten", "bend", r"e = 0", "zero floor", "entropy of")
_seeds = _says("seed", "interval", "uncertain", "error bar", "noise", "bootstrap", "one run", "repeat")
_request = _says(
    "ask", "request", "demand", "train", "hold out", "held out", "held-out", "hold back", "run ", "runs of", "want"
)
_trusts_r2 = re.compile(r"(r²|r2|r\^2|0?\.998)[^.]*\b(so|therefore|hence|shows|proves|means|guarantees)\b[^.]*")
_but_not = re.compile(r"\b(not|no|nothing|never|little|neither|cannot|does\s?n.t|isn.t|only|hardly|even)\b")


def _r2_is_proof(text: str) -> bool:
    """Whether a sentence concludes from R² without a word of doubt."""
    return any(not _but_not.search(found.group()) for found in _trusts_r2.finditer(text))


_CLAIM_MISTAKES = (
    Mistake(
        "R² as proof",
        _r2_is_proof,
        "You take the high R² as evidence for the extrapolation. It says how close the points lie to the curve inside "
        "the range. In lesson 5.3 sweeps with a wrong learning rate or batch had an R² as good as the clean one's.",
    ),
    Mistake(
        "no range",
        lambda text: not _range(text),
        "Compare two lengths: over how many decades of compute were runs made, and how many decades further does the "
        "claim reach?",
    ),
    Mistake(
        "no floor",
        lambda text: not _floor(text),
        "Look at the formula once more. What does it say about the loss with endless compute, and could text be like "
        "that?",
    ),
    Mistake(
        "no uncertainty",
        lambda text: not _seeds(text),
        "The claim gives one number. From how many seeds does it come, and which interval would you write beside it?",
    ),
    Mistake(
        "nothing to do",
        lambda text: not _request(text),
        "You say what is wrong, not what would settle it. Which runs would you ask for, and how would you score the "
        "claim with them?",
    ),
)

# --- the tuple ------------------------------------------------------------------------------------

EXERCISES = (
    Exercise(
        id="5.4.1",
        title="The surface L(N, D)",
        points=1,
        minutes=5,
        difficulty=1,
        reference=surface,
        cases=_surface_cases,
        mistakes=_SURFACE_MISTAKES,
        hints=(
            "Three terms: one for a perfect model with endless data, one for too few parameters, one for too few tokens.",
            "`A / N**alpha` works for a number and for an array. If N may be a whole number or a list, begin with "
            "`N = np.asarray(N, dtype=float)`.",
        ),
    ),
    Exercise(
        id="5.4.2",
        title="The best size for a budget",
        points=3,
        minutes=15,
        difficulty=2,
        reference=best_split,
        cases=_split_cases,
        mistakes=_SPLIT_MISTAKES,
        hints=(
            "Put D = C / (6 N) into the loss, so that only N is left, and set the derivative with respect to N to 0.",
            "With D kept as a name the condition reads alpha A / N^alpha = beta B / D^beta: the two terms' slopes "
            "balance.",
            "Replace D by C / (6 N) again: N^(alpha + beta) = alpha A / (beta B) (C / 6)^beta. Take the root; D is what "
            "the budget leaves.",
        ),
    ),
    Exercise(
        id="5.4.3",
        title="The objective: Huber loss of log loss",
        points=2,
        minutes=10,
        difficulty=2,
        reference=huber_objective,
        cases=_objective_cases,
        mistakes=_OBJECTIVE_MISTAKES,
        hints=(
            "One residual a run: r = log(predicted) - log(measured).",
            "`np.where(abs(r) <= delta, r**2 / 2, delta * (abs(r) - delta / 2))` has the two pieces; then add up.",
        ),
        rtol=1e-6,
        atol=1e-12,
    ),
    Exercise(
        id="5.4.4",
        title="A stop rule without a unit",
        points=1,
        minutes=8,
        difficulty=2,
        reference=has_settled,
        cases=_stop_cases,
        mistakes=_STOP_MISTAKES,
        hints=(
            "If every objective is divided by 240, which of your comparisons change? A good rule has none.",
            "Compare the gain, before - after, with a share of the objective itself, tolerance * before.",
        ),
    ),
    Exercise(
        id="5.4.5",
        title="Variable projection",
        points=3,
        minutes=15,
        difficulty=3,
        reference=project,
        cases=_projection_cases,
        mistakes=_PROJECTION_MISTAKES,
        hints=(
            "Each run is one equation: E · 1 + A · N^-alpha + B · D^-beta = L. So the matrix has a column of ones, one of "
            "N**-alpha and one of D**-beta.",
            "For relative residuals divide each row, and its right-hand side L, by that run's L: the right-hand side "
            "becomes 1.",
            "`scipy.optimize.nnls(X, y)` returns the non-negative solution and the length of the residual: keep the first.",
        ),
        rtol=1e-3,
    ),
    Exercise(
        id="5.4.6",
        title="A bootstrap interval of an exponent",
        points=2,
        minutes=12,
        difficulty=2,
        reference=bootstrap_interval,
        cases=_bootstrap_cases,
        mistakes=_BOOTSTRAP_MISTAKES,
        hints=(
            "A row of `picks` says which runs the resample drew: `x[row]` and `y[row]` are its runs, pairs kept.",
            "`np.polyfit(np.log(x[row]), np.log(y[row]), 1)[0]` is one slope. Collect one for each row.",
            "`np.percentile(slopes, [2.5, 97.5])` gives both ends.",
        ),
    ),
    Exercise(
        id="5.4.7",
        title="What an interval is worth",
        points=2,
        minutes=10,
        difficulty=2,
        reference=interval_score,
        cases=_score_cases,
        mistakes=_SCORE_MISTAKES,
        hints=(
            "Three pieces: the width, a penalty for lying below `low`, a penalty for lying above `high`.",
            "`np.maximum(low - measured, 0)` is the distance below the interval, and 0 when it is not below.",
        ),
    ),
    Exercise(
        id="5.4.8",
        title="Judge an extrapolation",
        points=3,
        minutes=15,
        difficulty=3,
        kind="text",
        min_words=40,
        reference="""
        The runs cover one decade of compute and the claim reaches five decades further, so almost all of it is
        extrapolation. The formula has no floor: it promises a loss of 0 for endless compute, which text does not
        have, and over one decade a curve with a floor fits just as well; an R² of .998 cannot tell them apart. One rate
        for all sizes may bend the curve, because the best rate moves with the size (lesson 5.3). There is one seed
        and no interval. The claim I would defend is a prediction a quarter of a decade up, at 1.8e11 FLOPs, with an
        interval from refits with a floor. I would ask for three seeds, the best rate at two sizes, the optimum inside
        the sizes at each budget, and for the fit from runs up to 3e10 FLOPs to be scored on those at 1e11 first, for no
        extra cost; then for one run at 1e12 FLOPs, predicted before it is made, for the price of ten of the largest.
        """,
        mistakes=_CLAIM_MISTAKES,
        hints=(
            "Go through the lesson: the range, the formula, the recipe, the seeds, the score. What does the claim say "
            "about each?",
            "For each gap, name the cheapest run or refit that would close it.",
        ),
    ),
)
