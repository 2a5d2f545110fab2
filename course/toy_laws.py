"""Problems whose scaling exponent is known, all trained by the same three lines: loss, gradient, update.

Each problem is a linear model. In: a size (samples n, or weights N) and a generator. Out: a `Problem`, which knows its
gradient, its curvature, its exact minimum and its excess loss; `train` runs an update rule on it. Beside each stands
the theory: the exact expected excess at finite size, and the exponent it tends to. Lesson 4.3 measures them.

- `logistic_problem`, `least_squares_problem`: few weights, many samples; excess as 1/n whatever the features.
- `spectrum_problem`: features of power-law variance, fewer samples than weights; excess as n^-(b - 1).
- `keys_problem`: keys of Zipf frequency, each to be learned by itself (a quantum); excess as n^-(alpha/(1 + alpha)).
- `grid_problem`: piecewise-linear interpolation of a smooth function in k dimensions; excess as N^(-4/k).

The first axis of every array holds independent draws (seeds).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special
from threadpoolctl import threadpool_limits

from course import linear

__all__ = [
    "RULES",
    "Exponent",
    "Law",
    "Measured",
    "Problem",
    "exponent",
    "grid_problem",
    "grid_theory",
    "keys_problem",
    "keys_theory",
    "laws",
    "least_squares_problem",
    "logistic_problem",
    "measure",
    "spectrum_problem",
    "spectrum_theory",
    "train",
    "zipf",
]

Array = NDArray[Any]
Rule = Literal["gradient descent", "momentum", "Adam"]
RULES: tuple[Rule, ...] = ("gradient descent", "momentum", "Adam")


@dataclass(frozen=True)
class Problem:
    """One training problem, or `len(start)` independent ones side by side.

    `gradient` maps weights to the gradient of the training loss, both (seeds, ...). `largest` and `smallest` bound the
    curvature (eigenvalues of the second derivative that are not 0), so 1 / largest is a safe step. `exact` holds the
    minimum from a direct solver, and `excess` maps weights to excess losses on fresh samples, (seeds,).
    """

    gradient: Callable[[Array], Array]
    start: Array
    largest: float
    smallest: float
    exact: Array
    excess: Callable[[Array], Array]

    @property
    def condition(self) -> float:
        """Largest curvature over smallest: the steps that gradient descent needs grow with it (lesson 4.2)."""
        return self.largest / self.smallest


def train(
    problem: Problem, rule: Rule = "gradient descent", *, steps: int | None = None, accuracy: float = 9.0
) -> Array:
    """The weights after training from `problem.start` by one update rule, full batch; the shape of `start`.

    "gradient descent": w <- w - rate g. "momentum": heavy ball with Polyak's constants. "Adam": Kingma and Ba (2015)
    with a rate that falls to 0. The number of steps is set by the condition number, so that what is left of the
    slowest direction is about e^-accuracy (Adam takes 600), unless `steps` gives it. Raises ValueError for another
    rule. Lesson 4.3.
    """
    if rule not in RULES:
        raise ValueError(f"rule is one of {', '.join(RULES)}; got {rule!r}.")
    w = np.array(problem.start, dtype=np.float64)
    if rule == "gradient descent":
        rate = 2 / (problem.largest + problem.smallest)
        for _ in range(steps or math.ceil(accuracy * (problem.condition + 1) / 2)):
            w = w - rate * problem.gradient(w)
    elif rule == "momentum":
        root, velocity = math.sqrt(problem.condition), np.zeros_like(w)
        rate = 4 / (math.sqrt(problem.largest) + math.sqrt(problem.smallest)) ** 2
        friction = ((root - 1) / (root + 1)) ** 2
        for _ in range(steps or math.ceil((accuracy + 6) * (root + 1) / 2) + 20):
            velocity = friction * velocity - rate * problem.gradient(w)
            w = w + velocity
    else:
        first, second, last = np.zeros_like(w), np.zeros_like(w), steps or 600
        for t in range(1, last + 1):
            g = problem.gradient(w)
            first, second = 0.9 * first + 0.1 * g, 0.99 * second + 0.01 * g**2
            rate = 0.05 * (0.5 + 0.5 * math.cos(math.pi * t / last)) ** 2
            w = w - rate * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.99**t)) + 1e-12)
    return w


# --- few weights, many samples: limited by variance -----------------------------------------------


def logistic_problem(n: int, seeds: int, rng: np.random.Generator, d: int = 10, signal: float = 2.0) -> Problem:
    """Logistic regression on n samples with d features, true weights of length `signal`. Excess in nats: d / (2n)."""
    true = np.full(d, signal / math.sqrt(d))
    X = rng.standard_normal((seeds, n, d))
    y = (rng.random((seeds, n)) < special.expit(X @ true)).astype(np.float64)
    Xt = np.ascontiguousarray(np.swapaxes(X, -1, -2))
    exact = linear.fit_logistic(X, y).weights
    p = special.expit((X @ exact[..., None])[..., 0])
    curvature = np.linalg.eigvalsh((Xt * (p * (1 - p))[:, None, :]) @ X / n)
    at_zero = np.linalg.eigvalsh(Xt @ X / (4 * n))  # the largest curvature anywhere: p (1 - p) is at most 1/4

    def gradient(w: Array) -> Array:
        return np.asarray((Xt @ (special.expit((X @ w[..., None])[..., 0]) - y)[..., None])[..., 0] / n)

    return Problem(
        gradient,
        np.zeros((seeds, d)),
        float(at_zero.max()),
        float(curvature.min()),
        exact,
        lambda w: linear.excess_loss(w, true),
    )


def least_squares_problem(n: int, seeds: int, rng: np.random.Generator, d: int = 10, sigma: float = 1.0) -> Problem:
    """Least squares on n samples with d features. Excess, a squared error: sigma^2 d / (n - d - 1)."""
    true = np.ones(d)
    X = rng.standard_normal((seeds, n, d))
    y = X @ true + sigma * rng.standard_normal((seeds, n))
    Xt = np.swapaxes(X, -1, -2)
    H, b = Xt @ X / n, (Xt @ y[..., None])[..., 0] / n
    curvature = np.linalg.eigvalsh(H)
    return Problem(
        lambda w: np.asarray((H @ w[..., None])[..., 0] - b),
        np.zeros((seeds, d)),
        float(curvature.max()),
        float(curvature.min()),
        np.linalg.solve(H, b[..., None])[..., 0],
        lambda w: np.asarray(np.sum((w - true) ** 2, axis=-1)),
    )


# --- a power-law spectrum -------------------------------------------------------------------------


def spectrum_problem(
    n: int,
    seeds: int,
    rng: np.random.Generator,
    b: float = 1.5,
    a: float = 2.0,
    features: int = 4000,
    rescale: float = 0.0,
) -> Problem:
    """Regression without noise on n samples of many features, feature k of variance k^-a; excess as n^-(b - 1).

    The signal in feature k is w_k^2 k^-a = k^-b. There are fewer samples than weights, so many weights fit exactly;
    gradient descent from 0 ends at the shortest of them. The weights of a descent from 0 are combinations of the
    samples; they are held in the n coordinates that diagonalise the Gram matrix, where the gradient is a product.
    `rescale` > 0 divides the gradient of feature k by its variance to that power before each step (1/2 is roughly what
    Adam does), which changes which of the exact fits is reached.
    """
    k = np.arange(1, features + 1, dtype=np.float64)
    variance, true = k**-a, k ** ((a - b) / 2)
    largest, smallest = 0.0, math.inf
    values, vectors, targets, xs = [], [], [], []
    for _ in range(seeds):
        X = rng.standard_normal((n, features)) * np.sqrt(variance)
        scaled = X * variance ** (-rescale / 2)
        value, vector = np.linalg.eigh(scaled @ scaled.T / n)
        largest, smallest = max(largest, value[-1]), min(smallest, value[0])
        values.append(value)
        vectors.append(vector)
        targets.append(vector.T @ (X @ true) / n)
        xs.append(X)
    lam, goal = np.array(values), np.array(targets)

    def excess(c: Array) -> Array:
        out = [
            np.sum(variance * (variance**-rescale * (X.T @ (vector @ row)) - true) ** 2)
            for X, vector, row in zip(xs, vectors, c, strict=True)
        ]
        return np.array(out)

    # with w = D X.T V c the residual in coordinate i is n (lam_i c_i - goal_i), and the update of c is its mean
    return Problem(lambda c: lam * c - goal, np.zeros_like(lam), float(largest), float(smallest), goal / lam, excess)


def spectrum_theory(n: ArrayLike, b: float = 1.5, a: float = 2.0, features: int = 4000, rescale: float = 0.0) -> Array:
    """Expected excess of `spectrum_problem` at finite n, from the self-consistent equation; the shape of n.

    kappa solves sum of v_k / (v_k + kappa) = n; the excess is sum of k^-b (kappa / (v_k + kappa))^2, divided by
    1 - (1/n) sum of (v_k / (v_k + kappa))^2 (Bordelon, Canatar and Pehlevan 2020; Simon et al. 2021). v_k is the
    rescaled variance k^-(a (1 - rescale)).
    """
    k = np.arange(1, features + 1, dtype=np.float64)
    v, c = k ** (-a * (1 - rescale)), k**-b
    found = []
    for size in np.atleast_1d(np.asarray(n, dtype=np.float64)):
        log_kappa = optimize.brentq(lambda u, s=size: np.sum(v / (v + math.exp(u))) - s, -40.0, 20.0)
        learned = v / (v + math.exp(log_kappa))
        found.append(np.sum(c * (1 - learned) ** 2) / (1 - np.sum(learned**2) / size))
    return np.array(found).reshape(np.shape(n))


# --- quanta ---------------------------------------------------------------------------------------


def zipf(alpha: float, keys: int) -> Array:
    """Probabilities of keys 1, 2, ..., `keys`, proportional to k^-(1 + alpha); shape (keys,).

    Raises ValueError unless alpha > 0 and keys >= 1.
    """
    if not (alpha > 0 and keys >= 1):
        raise ValueError("alpha must be positive and keys at least 1.")
    p = np.arange(1, keys + 1, dtype=np.float64) ** -(1 + alpha)
    return np.asarray(p / p.sum())


def keys_problem(n: int, seeds: int, rng: np.random.Generator, alpha: float = 1.0, keys: int = 200_000) -> Problem:
    """Each sample is one key and its value, +1 or -1; the weights are a table with an entry for each key.

    One-hot features and squared error: an entry learns only from samples of its key, so what is lost is the probability
    of the keys not seen among n samples, which falls as n^-(alpha/(1 + alpha)) (Hutter 2021; Michaud et al. 2023, who
    call such keys quanta). Weights are held for the keys that were seen; the others have no gradient and stay 0.
    """
    p = zipf(alpha, keys)
    edges = np.cumsum(p)
    counts = [np.unique(np.searchsorted(edges, rng.random(n) * edges[-1]), return_counts=True) for _ in range(seeds)]
    width = max(len(seen) for seen, _ in counts)
    mass, share, sign = np.zeros((seeds, width)), np.zeros((seeds, width)), np.zeros((seeds, width))
    for row, (seen, count) in enumerate(counts):
        mass[row, : len(seen)], share[row, : len(seen)] = p[seen], count / n
        sign[row, : len(seen)] = rng.choice([-1.0, 1.0], size=len(seen))

    def excess(w: Array) -> Array:
        return np.asarray(np.sum(mass * (w - sign) ** 2, axis=-1) + 1 - mass.sum(axis=-1))

    return Problem(lambda w: share * (w - sign), np.zeros_like(mass), float(share.max()), 1 / n, sign, excess)


def keys_theory(n: ArrayLike, p: ArrayLike) -> Array:
    """Expected probability of the keys not seen among n samples: sum of p (1 - p)^n; the shape of n."""
    prob, size = np.asarray(p, dtype=np.float64), np.asarray(n, dtype=np.float64)
    log_miss = np.log1p(-np.minimum(prob, 1 - 1e-16))
    found = [np.sum(prob * np.exp(s * log_miss)) for s in size.ravel()]
    return np.array(found).reshape(size.shape)


# --- the dimension of the data --------------------------------------------------------------------


def _hats(m: int) -> tuple[Array, Array, Array]:
    """m periodic hat functions on the circle at Gauss points: points (q,), weights (q,), values (q, m)."""
    x, weight = np.polynomial.legendre.leggauss(3)
    inside = (x + 1) / 2
    points = (np.arange(m)[:, None] + inside).ravel() / m
    values = np.zeros((3 * m, m))
    for cell in range(m):
        for g, t in enumerate(inside):
            values[3 * cell + g, cell] += 1 - t
            values[3 * cell + g, (cell + 1) % m] += t
    return points, np.tile(weight / 2, m) / m, values


def _along(matrix: Array, array: Array, axes: Sequence[int]) -> Array:
    for axis in axes:
        array = np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)
    return array


def _frequencies(k: int) -> Array:
    """All whole-number frequency vectors with entries from -2 to 2, one of each pair f, -f, without 0: (count, k)."""
    every = np.array(list(itertools.product(range(-2, 3), repeat=k)))
    return every[len(every) // 2 + 1 :]


def grid_problem(m: int, seeds: int, rng: np.random.Generator, k: int = 2) -> Problem:
    """A smooth function on the k-dimensional torus, fitted by piecewise-linear interpolation on a grid of m^k weights.

    The function is a sum of waves of all frequencies up to 2 with random phases, drawn before anything that depends on
    m: the same generator state gives the same functions for every m. Squared error over the whole
    torus, so that only the model's size limits it. Excess as N^(-4/k), N = m^k: halving the spacing divides the error
    by 2^4 and multiplies the number of weights by 2^k.
    """
    waves = _frequencies(k)
    phase = rng.uniform(0, 2 * np.pi, size=(seeds, len(waves)))
    points, weight, values = _hats(m)
    coefficient = math.sqrt(2 / len(waves)) * np.exp(1j * phase)  # mean square 1
    target: Array = np.zeros((seeds, *[3 * m] * k))
    for f, row in zip(waves, coefficient.T, strict=True):
        wave = row.reshape([-1] + [1] * k)
        for axis, frequency in enumerate(f):
            wave = wave * np.exp(2j * np.pi * frequency * points).reshape(
                [-1 if i == axis + 1 else 1 for i in range(k + 1)]
            )
        target += wave.real
    axes = range(1, k + 1)
    mass = values.T @ (weight[:, None] * values)  # (m, m): how much two hats overlap
    b = _along(values.T * weight, target, axes)
    curvature = np.linalg.eigvalsh(mass)

    def excess(w: Array) -> Array:
        gap = (_along(values, w, axes) - target) ** 2
        for _ in range(k):
            gap = gap @ weight
        return np.asarray(gap)

    return Problem(
        lambda w: _along(mass, w, axes) - b,
        np.zeros_like(b),
        float(curvature.max() ** k),
        float(curvature.min() ** k),
        _along(np.linalg.inv(mass), b, axes),
        excess,
    )


def grid_theory(m: ArrayLike, k: int = 2) -> Array:
    """Expected least squared error of `grid_problem` on m points a side; the shape of m.

    A wave of frequency f is fitted by linear splines on m points up to the share 3 sinc(f/m)^4 / (2 + cos(2 pi f/m)) of
    its square in each dimension (Fourier analysis of the spline); for large m what is left is (2 pi f/m)^4 / 720,
    summed over the dimensions. The mean is over the frequencies.
    """
    size = np.asarray(m, dtype=np.float64)
    ratio = _frequencies(k) / size[..., None, None]  # (..., waves, k)
    share = 3 * np.sinc(ratio) ** 4 / (2 + np.cos(2 * np.pi * ratio))
    return np.asarray(-np.expm1(np.log(share).sum(axis=-1)).mean(axis=-1))


# --- exponents ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exponent:
    """Measured exponent (minus the slope on log-log axes) with its 95 % interval over seeds, and R^2 of the line."""

    value: float
    low: float
    high: float
    r_squared: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def exponent(
    sizes: ArrayLike, excess: ArrayLike, *, paired: bool = False, resamples: int = 1000, seed: int = 0
) -> Exponent:
    """The exponent a of excess ~ size^-a from the mean over seeds, with a bootstrap interval over the seeds.

    sizes (S,), excess (seeds, S). Seeds are resampled afresh at each size where the draws are independent, and as whole
    curves where each seed is one thing measured at every size (`paired`).
    Raises ValueError when the shapes do not match or values are not positive.
    """
    x, e = np.asarray(sizes, dtype=np.float64), np.asarray(excess, dtype=np.float64)
    if x.ndim != 1 or e.ndim != 2 or e.shape[1] != x.size or x.size < 3:
        raise ValueError(f"sizes must be (S,) and excess (seeds, S) with S of 3 or more; got {x.shape} and {e.shape}.")
    if not ((x > 0).all() and (e > 0).all() and np.isfinite(e).all()):
        raise ValueError("sizes and excess losses must be positive and finite.")
    u = np.log(x) - np.log(x).mean()
    line = linear.log_log_slope(x, e.mean(axis=0))
    rng = np.random.default_rng(seed)
    picked = rng.integers(0, len(e), size=(resamples, len(e), 1 if paired else x.size))
    means = e[picked, np.arange(x.size)].mean(axis=1)
    slopes = np.log(means) @ u / (u @ u)
    low, high = np.percentile(slopes, [2.5, 97.5])
    return Exponent(-line.slope, float(-high), float(-low), line.r_squared)


# --- the laws side by side ------------------------------------------------------------------------


@dataclass(frozen=True)
class Law:
    """One problem over a range of sizes: what is scaled, what theory says, and how to draw it.

    `size` is what grows, "n" (samples) or "N" (weights); `sizes` are its values and `arguments` what `make` takes to
    reach them. `theory` is the expected excess at these sizes, `limit` the exponent it tends to.
    """

    name: str
    size: Literal["n", "N"]
    sizes: tuple[int, ...]
    arguments: tuple[int, ...]
    make: Callable[[int, int, np.random.Generator], Problem]
    theory: Array
    limit: float
    seeds: int = 24
    paired: bool = False
    rules: tuple[Rule, ...] = RULES

    @property
    def expected(self) -> float:
        """Exponent of the theory's own curve over these sizes: what a perfect measurement would give."""
        return -linear.log_log_slope(self.sizes, self.theory).slope


def _grid(k: int, ms: tuple[int, ...]) -> Law:
    return Law(
        f"smooth function, {k} dimension{'s' if k > 1 else ''}",
        "N",
        tuple(m**k for m in ms),
        ms,
        lambda m, seeds, rng: grid_problem(m, seeds, rng, k),
        grid_theory(ms, k),
        4 / k,
        seeds=8,
        paired=True,
    )


def _keys(alpha: float, ns: tuple[int, ...]) -> Law:
    return Law(
        f"Zipf keys, alpha = {alpha:g}",
        "n",
        ns,
        ns,
        lambda n, seeds, rng: keys_problem(n, seeds, rng, alpha),
        keys_theory(ns, zipf(alpha, 200_000)),
        alpha / (1 + alpha),
    )


def _spectrum(b: float, ns: tuple[int, ...]) -> Law:
    return Law(
        f"power-law spectrum, b = {b:g}",
        "n",
        ns,
        ns,
        lambda n, seeds, rng: spectrum_problem(n, seeds, rng, b),
        spectrum_theory(ns, b),
        b - 1,
        rules=("gradient descent", "momentum"),  # Adam in these turned coordinates would be another algorithm
    )


@cache
def laws(largest: Literal["lesson", "test"] = "lesson") -> tuple[Law, ...]:
    """The nine problems of lesson 4.3, from the smallest exponent to the largest; "test" stops at smaller sizes."""
    full = largest == "lesson"
    decades = (100, 316, 1000, 3162, 10_000) if full else (100, 316, 1000)
    spectrum = (10, 20, 40, 80, 160) if full else (10, 20, 40)
    classic = (300, 1000, 3000, 10_000) if full else (300, 1000, 3000)
    return (
        _keys(0.5, decades),
        _spectrum(1.5, spectrum),
        _keys(2.0, decades),
        _spectrum(2.0, spectrum),
        Law(
            "logistic regression, d = 10",
            "n",
            classic,
            classic,
            logistic_problem,
            np.asarray(linear.predicted_excess(classic, 10)),
            1.0,
        ),
        Law(
            "least squares, d = 10",
            "n",
            decades,
            decades,
            least_squares_problem,
            np.asarray(linear.predicted_excess(decades, 10, "least squares")),
            1.0,
            seeds=100,
        ),
        _grid(3, (8, 10, 12, 16, 20) if full else (8, 10, 12)),
        _grid(2, (8, 12, 16, 24, 32, 48) if full else (8, 12, 16)),
        _grid(1, (8, 12, 16, 24, 32, 48, 64) if full else (8, 16, 32)),
    )


@dataclass(frozen=True)
class Measured:
    """A law as measured: `excess` and `exponents` for each update rule and for the "exact" minimum."""

    law: Law
    excess: dict[str, Array]
    exponents: dict[str, Exponent]


def measure(law: Law, seed: int = 0) -> Measured:
    """Train `law.seeds` problems at each size by each rule, on the same data, and fit the exponents. Lesson 4.3.

    Runs in one thread of the linear algebra library: small matrices are three times slower in two.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _measure(law, seed)


def _measure(law: Law, seed: int) -> Measured:
    rng = np.random.default_rng(seed)
    excess: dict[str, list[Array]] = {rule: [] for rule in (*law.rules, "exact")}
    for argument in law.arguments:
        problem = law.make(argument, law.seeds, np.random.default_rng(seed) if law.paired else rng)
        for rule in law.rules:
            excess[rule].append(problem.excess(train(problem, rule)))
        excess["exact"].append(problem.excess(problem.exact))
    curves = {rule: np.array(rows).T for rule, rows in excess.items()}
    return Measured(
        law, curves, {rule: exponent(law.sizes, curve, paired=law.paired) for rule, curve in curves.items()}
    )
