"""Exercises of lesson 4.3: the floor, Newton's step, samples for a target, slopes with intervals, floors left in."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats

from course import linear, toy_laws
from course.exercises.specification import Case, Exercise, Mistake

# --- 4.3.1 the loss that no model can beat --------------------------------------------------------


def _entropy_cases(rng: np.random.Generator) -> list[Case]:
    cases = [Case((rng.uniform(0.03, 0.97, size=n).round(3),), "uncertain labels") for n in (2, 3, 5, 9)]
    for n in (3, 5):
        p = rng.uniform(0.1, 0.9, size=n).round(2)
        p[:2] = (0.0, 1.0)
        cases.append(Case((p,), "certain labels"))
    return cases


def _entropies(p: Any) -> Any:
    return special.entr(p) + special.entr(1 - p)


_ENTROPY_MISTAKES = (
    Mistake(
        "0 log 0",
        lambda p: -np.mean(p * np.log(p) + (1 - p) * np.log(1 - p)),
        "A label that is certain (p = 0 or 1) costs nothing: 0 log 0 counts as 0, its limit. NumPy computes 0 times "
        "minus infinity, which is `nan`. `scipy.special.xlogy(p, p)` is p log p with the right limit.",
    ),
    *(
        Mistake(
            f"clipped at {eps:g}",
            lambda p, eps=eps: -np.mean(p * np.log(p + eps) + (1 - p) * np.log(1 - p + eps)),
            f"Adding {eps:g} inside the logarithm keeps it finite but changes the answer for every p a little. "
            "`scipy.special.xlogy(p, p)` needs no such help.",
        )
        for eps in (1e-2, 1e-3, 1e-4)
    ),
    Mistake(
        "only the ones",
        lambda p: np.mean(special.entr(p)),
        "You have -p log p, the cost when the label is 1, times how often it is. Labels of 0 cost as well: add "
        "-(1 - p) log(1 - p).",
    ),
    Mistake(
        "only the ones, 0 log 0",
        lambda p: -np.mean(p * np.log(p)),
        "Two things: labels of 0 cost as well, -(1 - p) log(1 - p); and at p = 0 the product 0 log 0 must count as 0 "
        "(`scipy.special.xlogy(p, p)`), not `nan`.",
    ),
    Mistake(
        "not weighted",
        lambda p: -np.mean(np.log(p) + np.log(1 - p)),
        "You added the cost of a 1 and the cost of a 0. Only one of them happens: a 1 with probability p, a 0 with "
        "probability 1 - p, so weight them by p and 1 - p.",
    ),
    Mistake(
        "log p only",
        lambda p: -np.mean(np.log(p)),
        "-log p is the cost if the label is 1. It is 1 only with probability p; with probability 1 - p it is 0 and "
        "costs -log(1 - p).",
    ),
    Mistake(
        "entropy of the mean",
        lambda p: float(_entropies(np.mean(p))),
        "You averaged the probabilities first and took the entropy of the mean. That is the floor of a model that says "
        "the same to every sample; a model that sees the features can use each sample's own p, which is lower.",
    ),
    Mistake(
        "sum, not mean",
        lambda p: np.sum(_entropies(p)),
        "This is the sum over the samples. A loss is a mean over them.",
    ),
    Mistake(
        "one for each sample",
        _entropies,
        "These are the entropies of the single samples, and they are right. Return their mean, one number.",
    ),
    Mistake(
        "bits",
        lambda p: np.mean(_entropies(p)) / np.log(2),
        "That is in bits: you used the logarithm to base 2. Losses here are in nats, so use `np.log`.",
    ),
    Mistake(
        "bits, 0 log 0",
        lambda p: -np.mean(p * np.log2(p) + (1 - p) * np.log2(1 - p)),
        "Two things: `np.log2` gives bits, and nats need `np.log`; and 0 log 0 must count as 0 "
        "(`scipy.special.xlogy`).",
    ),
    Mistake(
        "wrong sign",
        lambda p: -np.mean(_entropies(p)),
        "The sign is wrong: logarithms of probabilities are negative, and the loss is minus their mean.",
    ),
    Mistake(
        "error, not loss",
        lambda p: np.mean(np.minimum(p, 1 - p)),
        "That is the Bayes error, the share of labels that the best guess gets wrong. The floor of the loss is the "
        "mean of -p log p - (1 - p) log(1 - p).",
    ),
)

# --- 4.3.2 one Newton step ------------------------------------------------------------------------


def _newton_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, scale: float, part: str) -> Case:
        X = rng.normal(size=(n, d)).round(2)
        w = (scale * rng.normal(size=d)).round(2)
        y = rng.integers(0, 2, size=n)
        y[:2] = (0, 1)
        return Case((w, X, y), part)

    away = [case(n, d, 0.7, "away from zero") for n, d in ((6, 2), (8, 2), (10, 3), (12, 4))]
    return [*away, case(7, 2, 0.0, "from zero"), case(9, 3, 0.0, "from zero"), case(5, 1, 0.8, "one feature")]


def _pieces(w: Any, X: Any, y: Any) -> tuple[Any, Any, Any]:
    p = special.expit(X @ w)
    return p, X.T @ (p - y) / len(y), (X.T * (p * (1 - p))) @ X / len(y)


def _newton(change: Callable[..., Any]) -> Callable[[Any, Any, Any], Any]:
    """A wrong step: `change(w, X, y, p, g, H)` gives the new weights."""
    return lambda w, X, y: change(w, X, y, *_pieces(w, X, y))


_NEWTON_MISTAKES = (
    Mistake(
        "uphill",
        _newton(lambda w, X, y, p, g, H: w + np.linalg.solve(H, g)),
        "You went uphill. The parabola with slope g and curvature H has its lowest point at w *minus* H^-1 g.",
    ),
    Mistake(
        "only the move",
        _newton(lambda w, X, y, p, g, H: -np.linalg.solve(H, g)),
        "That is the move, -H^-1 g. Return where it ends: w - H^-1 g.",
    ),
    Mistake(
        "only the move, no sign",
        _newton(lambda w, X, y, p, g, H: np.linalg.solve(H, g)),
        "That is H^-1 g. Return where the step ends: w minus that.",
    ),
    Mistake(
        "gradient step",
        _newton(lambda w, X, y, p, g, H: w - g),
        "This is a step of gradient descent with rate 1. Newton's method first divides the gradient by the curvature: "
        "solve H s = g and subtract s.",
    ),
    Mistake(
        "no p (1 - p)",
        _newton(lambda w, X, y, p, g, H: w - np.linalg.solve(X.T @ X / len(y), g)),
        "Your H is X.T @ X / n, the curvature of least squares. For the logistic loss each sample counts with weight "
        "p (1 - p), the slope of the sigmoid: an uncertain sample bends the loss more than a certain one.",
    ),
    Mistake(
        "curvature summed, gradient averaged",
        _newton(lambda w, X, y, p, g, H: w - np.linalg.solve(len(y) * H, g)),
        "The gradient is a mean over the samples and your H a sum, so the step is n times too short. Divide both by n, "
        "or neither.",
    ),
    Mistake(
        "gradient summed, curvature averaged",
        _newton(lambda w, X, y, p, g, H: w - np.linalg.solve(H, len(y) * g)),
        "H is a mean over the samples and your gradient a sum, so the step is n times too long. Divide both by n, or "
        "neither.",
    ),
    Mistake(
        "multiplied by H",
        _newton(lambda w, X, y, p, g, H: w - H @ g),
        "You multiplied the gradient by H. Where the loss bends strongly the step must be short, so *divide*: "
        "`np.linalg.solve(H, g)`.",
    ),
    Mistake(
        "entry by entry",
        _newton(lambda w, X, y, p, g, H: w - g / np.diag(H)),
        "You divided each entry of g by the diagonal of H. That ignores how the weights act together; solve the whole "
        "system, `np.linalg.solve(H, g)`.",
    ),
    Mistake(
        "p only",
        _newton(lambda w, X, y, p, g, H: w - np.linalg.solve((X.T * p) @ X / len(y), g)),
        "Each sample must count in H with p (1 - p); yours counts with p. The derivative of the sigmoid is p (1 - p).",
    ),
    Mistake(
        "y (1 - y)",
        _newton(lambda w, X, y, p, g, H: w - np.linalg.solve((X.T * (p - y) ** 2) @ X / len(y), g)),
        "You weighted the samples in H by (p - y)^2. On average over labels that equals p (1 - p), but the second "
        "derivative does not contain the label: use p (1 - p).",
    ),
    Mistake(
        "y - p",
        _newton(lambda w, X, y, p, g, H: w - np.linalg.solve((X.T * (p * (1 - p))) @ X, X.T @ (y - p)) / len(y)),
        "Two things: the gradient is X.T @ (p - y) / n, prediction minus label; and the factors 1/n of gradient and "
        "curvature cancel, so none is left.",
    ),
    Mistake(
        "no sigmoid",
        lambda w, X, y: w - np.linalg.solve(X.T @ X, X.T @ (X @ w - y)),
        "This is Newton's step for least squares (it lands on the least-squares fit at once). The prediction here is "
        "`sigmoid(X @ w)`, and each sample's curvature p (1 - p).",
    ),
)

# --- 4.3.3 samples for a target -------------------------------------------------------------------


def _samples_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, below: float, part: str) -> Case:
        """A target that n samples reach, and n - `below` would just reach."""
        sigma = float(rng.choice([0.5, 1.5, 2.0, 3.0]))
        return Case((round(sigma**2 * d / (n - below - d - 1), 7), d, sigma), part)

    small = [
        case(int(rng.integers(20 * d, 80 * d)), d, float(rng.uniform(low, low + 0.2)), "small targets")
        for d, low in ((2, 0.6), (5, 0.15), (10, 0.6), (30, 0.15))
    ]
    large = [
        case(int(rng.integers(2 * d, 4 * d)), d, float(rng.uniform(low, low + 0.2)), "large targets")
        for d, low in ((6, 0.15), (20, 0.6))
    ]
    return [*small, *large]


_SAMPLES_MISTAKES = (
    Mistake(
        "the simple law",
        lambda excess, d, sigma: math.ceil(sigma**2 * d / excess),
        "You solved sigma^2 d / n = excess. The law for least squares has n - d - 1 below the line, so n is larger by "
        "d + 1: each weight that is fitted uses up a sample.",
    ),
    Mistake(
        "rounded down",
        lambda excess, d, sigma: math.floor(d + 1 + sigma**2 * d / excess),
        "One sample too few, so the excess is still above the target. Either you rounded down (the smallest whole n "
        "that reaches it is the next one up, `math.ceil`), or you have n - d below the line, which is n - d - 1.",
    ),
    Mistake(
        "rounded to nearest",
        lambda excess, d, sigma: round(d + 1 + sigma**2 * d / excess),
        "You rounded to the nearest whole number, which misses the target half the time. Round up: `math.ceil`.",
    ),
    Mistake(
        "not rounded",
        lambda excess, d, sigma: d + 1 + sigma**2 * d / excess,
        "The equation is solved rightly, but samples come whole: round up to the next whole number, `math.ceil`.",
    ),
    Mistake(
        "logistic",
        lambda excess, d, sigma: math.ceil(d / (2 * excess)),
        "d / (2 n) is the law of logistic regression, in nats. Here the loss is a squared error: "
        "sigma^2 d / (n - d - 1).",
    ),
    Mistake(
        "sigma, not squared",
        lambda excess, d, sigma: math.ceil(d + 1 + sigma * d / excess),
        "The variance of the noise enters, sigma squared; you used sigma.",
    ),
    Mistake(
        "sigma left out",
        lambda excess, d, sigma: math.ceil(d + 1 + d / excess),
        "The noise is missing: twice the noise needs four times the samples. The law has sigma^2 above the line.",
    ),
    Mistake(
        "sign of d + 1",
        lambda excess, d, sigma: math.ceil(sigma**2 * d / excess - d - 1),
        "n - d - 1 = sigma^2 d / excess, so d + 1 is added when you solve for n; you subtracted it.",
    ),
)

# --- 4.3.4 a slope with its interval --------------------------------------------------------------


def _slope_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for points in (4, 5, 6, 9):
        n = np.round(10 ** np.linspace(2, 4, points)).astype(float)
        noise = np.exp(0.08 * rng.normal(size=points))
        y = rng.uniform(1, 9) * n ** -rng.uniform(0.3, 1.2) * noise
        cases.append(Case((n, np.array([float(f"{v:.4g}") for v in y])), "falling curves"))
    n = np.array([1e3, 1e4, 1e5, 1e6])
    cases.append(Case((n, (0.02 * n**1.1 * np.exp(0.1 * rng.normal(size=4))).round(2)), "a rising curve"))
    return cases


def _fit(u: Any, v: Any, factor: float | None = None, dof: int = 2, root: bool = True) -> tuple[float, float, float]:
    """Slope of v on u with an interval of `factor` (default Student's) standard errors."""
    c = u - u.mean()
    slope = float(c @ v / (c @ c))
    rest = v - v.mean() - slope * c
    error = math.sqrt(rest @ rest / (len(u) - dof) / (c @ c)) if root else float(rest @ rest / (len(u) - dof) / (c @ c))
    half = (stats.t.ppf(0.975, len(u) - 2) if factor is None else factor) * error
    return slope, slope - half, slope + half


def _slope_reference(x: Any, y: Any) -> tuple[float, float, float]:
    line = linear.log_log_slope(x, y)
    return line.slope, line.low, line.high


_SLOPE_MISTAKES = (
    Mistake(
        "normal quantile",
        lambda x, y: _fit(np.log(x), np.log(y), factor=stats.norm.ppf(0.975)),
        "The slope is right; the interval is too narrow. 1.96 belongs to a known scatter; here it is estimated from a "
        "few points, so take Student's t with len(x) - 2 degrees of freedom (with 4 points it is 4.30).",
    ),
    Mistake(
        "two standard errors",
        lambda x, y: _fit(np.log(x), np.log(y), factor=2.0),
        "The slope is right. Two standard errors are too few for so few points: take `stats.t.ppf(0.975, len(x) - 2)`.",
    ),
    Mistake(
        "one standard error",
        lambda x, y: _fit(np.log(x), np.log(y), factor=1.0),
        "Your interval is one standard error each way, which covers the truth about two times in three at best. For "
        "95 % multiply by `stats.t.ppf(0.975, len(x) - 2)`.",
    ),
    Mistake(
        "90 %",
        lambda x, y: _fit(np.log(x), np.log(y), factor=float(stats.t.ppf(0.95, len(x) - 2))),
        "`t.ppf(0.95, ...)` leaves 5 % on each side: a 90 % interval. For 95 %, 2.5 % are left on each side: 0.975.",
    ),
    Mistake(
        "t with n - 1",
        lambda x, y: _fit(np.log(x), np.log(y), factor=float(stats.t.ppf(0.975, len(x) - 1))),
        "A line has two numbers, slope and intercept, so len(x) - 2 degrees of freedom are left for Student's t.",
    ),
    Mistake(
        "t with n",
        lambda x, y: _fit(np.log(x), np.log(y), factor=float(stats.t.ppf(0.975, len(x)))),
        "You gave Student's t a degree of freedom for every point. A line fits two numbers to them, slope and "
        "intercept, and each uses one up: len(x) - 2.",
    ),
    Mistake(
        "divided by root n",
        lambda x, y: _fit(np.log(x), np.log(y), factor=float(stats.t.ppf(0.975, len(x) - 2)) / math.sqrt(len(x))),
        "You divided the standard error by the root of the number of points. That turns the standard deviation of "
        "single draws into the standard error of their mean; `.stderr` is the slope's standard error already.",
    ),
    Mistake(
        "no logarithms",
        lambda x, y: _fit(x, y),
        "That is the slope on plain axes, in loss per sample. The exponent is the slope of log y against log x.",
    ),
    Mistake(
        "only y logged",
        lambda x, y: _fit(x, np.log(y)),
        "You took the logarithm of y only: a straight line there is an exponential. Take the logarithm of both.",
    ),
    Mistake(
        "two bases",
        lambda x, y: _fit(np.log10(x), np.log(y)),
        "You mixed two bases: `log10` for x and `log` for y makes every slope 2.303 times too steep. Any base will do, "
        "the same for both.",
    ),
    Mistake(
        "two bases, the other way",
        lambda x, y: _fit(np.log(x), np.log10(y)),
        "You mixed two bases: `log` for x and `log10` for y makes every slope 2.303 times too flat. Any base will do, "
        "the same for both.",
    ),
    Mistake(
        "axes swapped",
        lambda x, y: _fit(np.log(y), np.log(x)),
        "You regressed log x on log y. The slope wanted is that of log y against log x: x comes first in `linregress`.",
    ),
    Mistake(
        "sign turned",
        lambda x, y: tuple(-v for v in _fit(np.log(x), np.log(y))),
        "You turned the sign. A falling curve has a negative slope; return the slope itself.",
    ),
    Mistake(
        "divided by n",
        lambda x, y: _fit(np.log(x), np.log(y), dof=0),
        "The slope is right. For the scatter you divided the sum of squared residuals by n; the line was fitted to the "
        "same points, so divide by n - 2, or take `linregress(...).stderr`.",
    ),
    Mistake(
        "high before low",
        lambda x, y: tuple(_fit(np.log(x), np.log(y))[i] for i in (0, 2, 1)),
        "The numbers are right, in the order slope, high, low. Return slope, low, high.",
    ),
)

# --- 4.3.5 an exponent without knowing the floor --------------------------------------------------


def _three_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for ratio in (2.0, 4.0, 10.0, 3.0):
        a, A, floor, n = rng.uniform(0.3, 1.3), rng.uniform(2, 9), rng.uniform(0.2, 2), rng.uniform(20, 90)
        cases.append(Case((floor + A * (n * ratio ** np.arange(3)) ** -a, ratio), "with a floor"))
    for ratio in (2.0, 5.0):
        a, A, n = rng.uniform(0.1, 0.6), rng.uniform(2, 9), rng.uniform(20, 90)
        cases.append(Case((1.5 + A * (n * ratio ** np.arange(3)) ** -a, ratio), "a slow law"))
    return cases


_THREE_MISTAKES = (
    Mistake(
        "floor left in",
        lambda losses, ratio: math.log(losses[0] / losses[2]) / math.log(ratio**2),
        "You took the slope from the first loss to the last with the floor still in them. The floor does not fall, so "
        "the slope comes out far too flat. Differences of losses do not contain the floor: try L1 - L2 and L2 - L3.",
    ),
    Mistake(
        "floor left in, first pair",
        lambda losses, ratio: math.log(losses[0] / losses[1]) / math.log(ratio),
        "You took the slope between the first two losses with the floor still in them, which comes out far too flat. "
        "Differences of losses do not contain the floor: try L1 - L2 and L2 - L3.",
    ),
    Mistake(
        "floor left in, last pair",
        lambda losses, ratio: math.log(losses[1] / losses[2]) / math.log(ratio),
        "You took the slope between the last two losses with the floor still in them, which comes out far too flat. "
        "Differences of losses do not contain the floor: try L1 - L2 and L2 - L3.",
    ),
    Mistake(
        "last loss as the floor",
        lambda losses, ratio: math.log((losses[0] - losses[2]) / (losses[1] - losses[2])) / math.log(ratio),
        "You used the last loss as the floor. The law has not reached its floor there, so the slope comes out too "
        "steep. Take the two successive differences, L1 - L2 and L2 - L3.",
    ),
    Mistake(
        "base not divided out",
        lambda losses, ratio: math.log((losses[0] - losses[1]) / (losses[1] - losses[2])),
        "Nearly: (L1 - L2) / (L2 - L3) is ratio^a, so its logarithm is a log(ratio). Divide by log(ratio).",
    ),
    Mistake(
        "no logarithm",
        lambda losses, ratio: (losses[0] - losses[1]) / (losses[1] - losses[2]),
        "That quotient is ratio^a. Solve for a: take its logarithm and divide by log(ratio).",
    ),
    Mistake(
        "wrong sign",
        lambda losses, ratio: math.log((losses[1] - losses[2]) / (losses[0] - losses[1])) / math.log(ratio),
        "The sign is wrong: a is positive for a falling loss L = E + A n^-a. Put the larger difference, L1 - "
        "L2, on top.",
    ),
    Mistake(
        "two bases",
        lambda losses, ratio: math.log10((losses[0] - losses[1]) / (losses[1] - losses[2])) / math.log(ratio),
        "You mixed `log10` and `log`. Use the same base twice.",
    ),
    Mistake(
        "divided by the ratio",
        lambda losses, ratio: math.log((losses[0] - losses[1]) / (losses[1] - losses[2])) / ratio,
        "You divided by the ratio; divide by its logarithm: log(ratio^a) = a log(ratio).",
    ),
    Mistake(
        "squared ratio",
        lambda losses, ratio: math.log((losses[0] - losses[1]) / (losses[1] - losses[2])) / math.log(ratio**2),
        "Half the right value: from one difference to the next the size grows by ratio once, so divide by log(ratio).",
    ),
)

# --- 4.3.6 a law to order -------------------------------------------------------------------------

_NS = np.array([100.0, 316.0, 1000.0, 3162.0, 10_000.0])


def _order_cases(rng: np.random.Generator) -> list[Case]:
    return [Case((float(e), 100_000), "laws to order") for e in rng.uniform((0.4, 0.5, 0.6), (0.5, 0.6, 0.75)).round(2)]


def _order_reference(exponent: float, keys: int) -> Any:
    return toy_laws.zipf(exponent / (1 - exponent), keys)


def _order(expected: Any, got: Any, case: Case) -> str | None:
    """A sentence unless `got` is a distribution whose expected excess falls with the wanted exponent."""
    exponent, keys = case.args
    p = np.asarray(got)
    if p.shape != (keys,) or p.dtype.kind not in "fiu":
        return f"Return an array of {keys:,} probabilities, one for each key; got shape {p.shape}."
    if not np.isfinite(p).all() or (p < 0).any():
        return "Probabilities are finite and not negative; some of yours are not."
    if abs(p.sum() - 1) > 1e-6:
        return f"The probabilities sum to {p.sum():.4g}; divide them by their sum."
    curve = toy_laws.keys_theory(_NS, p)
    if curve[-1] < 1e-12:
        return "With these keys nothing is left to learn before 10,000 samples; spread the probability over more keys."
    slope = -linear.log_log_slope(_NS, curve).slope
    if abs(slope - exponent) > 0.04:
        return f"Between 100 and 10,000 samples your excess falls as n^-{slope:.3f}; n^-{exponent:.2f} was asked for."
    return None


def _powers(power: Callable[[float], float], normalise: bool = True) -> Callable[[float, int], Any]:
    def answer(exponent: float, keys: int) -> Any:
        p = np.arange(1, keys + 1, dtype=float) ** -power(exponent)
        return p / p.sum() if normalise else p

    return answer


_ORDER_MISTAKES = (
    Mistake(
        "alpha = exponent",
        _powers(lambda e: 1 + e),
        "You set alpha to the exponent asked for. That would be the law in the number of keys a model can hold, "
        "N^-alpha. Against samples the exponent is alpha / (1 + alpha), which is smaller; solve that for alpha.",
    ),
    Mistake(
        "k^-exponent",
        _powers(lambda e: e),
        "With p proportional to k^-exponent nearly all the probability lies in the far keys, and almost none is seen "
        "twice. Zipf's law here is k^-(1 + alpha).",
    ),
    Mistake(
        "k^-alpha",
        _powers(lambda e: e / (1 - e)),
        "alpha is right, but the probabilities go as k^-(1 + alpha); you left out the 1.",
    ),
    Mistake(
        "not normalised",
        _powers(lambda e: 1 / (1 - e), normalise=False),
        "The shape is right, but these do not sum to 1. Divide them by their sum.",
    ),
    Mistake(
        "upside down",
        _powers(lambda e: 1 + (1 - e) / e),
        "You solved for 1/alpha: exponent = alpha / (1 + alpha) gives alpha = exponent / (1 - exponent).",
    ),
    Mistake(
        "wrong sign",
        _powers(lambda e: 1 + e / (1 + e)),
        "You computed exponent / (1 + exponent). That is the way from alpha to the exponent; you need the way back, "
        "alpha = exponent / (1 - exponent).",
    ),
    Mistake(
        "all keys alike",
        lambda exponent, keys: np.full(keys, 1 / keys),
        "With all keys equally frequent there is no power law: nothing happens until n is near the number of keys, and "
        "then everything does, as exp(-n / keys).",
    ),
)

EXERCISES = (
    Exercise(
        id="4.3.1",
        title="The loss that no model can beat",
        points=1,
        minutes=6,
        difficulty=1,
        reference=linear.mean_entropy,
        cases=_entropy_cases,
        mistakes=_ENTROPY_MISTAKES,
        hints=(
            "Take one sample that is 1 with probability p, and a model that says exactly p. What does it pay if the "
            "label is 1, what if it is 0, and how often does each happen?",
            "So one sample costs -p log p - (1 - p) log(1 - p) on average. Average this over the samples.",
            "For p = 0 or 1 use `xlogy(p, p)` from scipy.special: p log p, with 0 log 0 = 0.",
        ),
    ),
    Exercise(
        id="4.3.2",
        title="One Newton step",
        points=2,
        minutes=10,
        difficulty=2,
        reference=linear.newton_step,
        cases=_newton_cases,
        mistakes=_NEWTON_MISTAKES,
        hints=(
            "Three lines: the probabilities p, shape (n,); the gradient g, shape (d,); the matrix H, shape (d, d).",
            "H = X.T @ diag(p (1 - p)) @ X / n. `X.T * (p * (1 - p))` scales each sample's column without building the "
            "diagonal matrix.",
            "`np.linalg.solve(H, g)` gives H^-1 g; subtract it from w.",
        ),
    ),
    Exercise(
        id="4.3.3",
        title="How many samples for a given excess?",
        points=1,
        minutes=5,
        difficulty=1,
        reference=linear.samples_needed,
        cases=_samples_cases,
        mistakes=_SAMPLES_MISTAKES,
        rtol=1e-9,
        atol=1e-9,
        hints=(
            "Solve excess = sigma^2 d / (n - d - 1) for n.",
            "n = d + 1 + sigma^2 d / excess; and samples come whole.",
        ),
    ),
    Exercise(
        id="4.3.4",
        title="A slope with its interval",
        points=2,
        minutes=9,
        difficulty=2,
        reference=_slope_reference,
        cases=_slope_cases,
        mistakes=_SLOPE_MISTAKES,
        hints=(
            "A power law is a straight line in log y against log x. `stats.linregress(u, v)` fits one and reports "
            "`.slope` and `.stderr`.",
            "The interval is the slope plus and minus a factor times the standard error. With few points the factor is "
            "Student's t, `stats.t.ppf(0.975, degrees_of_freedom)`.",
            "A line has two numbers, so len(x) - 2 degrees of freedom are left.",
        ),
    ),
    Exercise(
        id="4.3.5",
        title="An exponent without knowing the floor",
        points=2,
        minutes=8,
        difficulty=3,
        reference=linear.exponent_from_three,
        cases=_three_cases,
        mistakes=_THREE_MISTAKES,
        hints=(
            "Write the three losses out: E + A n^-a, E + A (rn)^-a, E + A (r^2 n)^-a. What do their differences not "
            "contain?",
            "L1 - L2 = A n^-a (1 - r^-a) and L2 - L3 = A (rn)^-a (1 - r^-a). Divide one by the other.",
            "The quotient is r^a: a is its logarithm divided by log r.",
        ),
    ),
    Exercise(
        id="4.3.6",
        title="A law to order",
        points=3,
        minutes=12,
        difficulty=3,
        reference=_order_reference,
        cases=_order_cases,
        compare=_order,
        mistakes=_ORDER_MISTAKES,
        hints=(
            "You know one family already: Zipf keys, p proportional to k^-(1 + alpha), fall as n^-(alpha / (1 + "
            "alpha)).",
            "Solve exponent = alpha / (1 + alpha) for alpha, and divide the probabilities by their sum.",
            "Other ways: groups of 1, 2, 4, 8, ... keys, each group with a fixed share of what is left. Which share "
            "gives the exponent?",
        ),
    ),
)
