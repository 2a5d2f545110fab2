"""Tasks without end whose smallest loss is known exactly: samples are drawn anew for every batch.

"least-squares", "logistic", "smooth" (a smooth function of d numbers) and "zipf-keys" (facts of
unequal frequency to be learned by heart). Their validation sets are built so that the loss on them is
the expected loss, or nearly, rather than a sample of it: each docstring says how.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from course.data.task import Array, Task, builder, normal, pick, shares, uniform
from course.inputs import positive, whole

__all__ = ["least_squares_task", "logistic_task", "smooth_task", "zipf_keys_task", "zipf_probabilities"]


def _hash(**settings: Any) -> str:
    return hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()


def _direction(d: int, seed: int) -> Array:
    """A fixed vector of length 1, float64, shape (d,)."""
    vector = np.random.default_rng([d, whole("seed", seed, 0)]).standard_normal(d)
    return np.asarray(vector / np.linalg.norm(vector))


def _white(n: int, d: int) -> Array:
    """2 n normal points of d numbers, x and -x, whitened: mean exactly 0, covariance exactly the identity."""
    points = np.random.default_rng([n, d]).standard_normal((n, d))
    points = points @ np.linalg.inv(np.linalg.cholesky(points.T @ points / n)).T
    return np.concatenate([points, -points])


# --- linear ---------------------------------------------------------------------------------------


@builder("least-squares")
def least_squares_task(d: int = 16, sigma: float = 0.5, seed: int = 0) -> Task:
    """y = w . x + sigma * noise: x and noise standard normal, |w| = 1, so the floor is sigma^2.

    The validation points have mean 0 and covariance 1 exactly, and each comes with noise +sigma and
    -sigma, so that the loss of any linear model is its expected loss: sigma^2 + |v - w|^2 + b^2 for
    weights v and bias b. Raises ValueError when d is not a whole number of at least 1, or sigma is
    negative or not finite.
    """
    d = whole("d", d)
    if not (math.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma is a finite standard deviation, 0 or more; got {sigma!r}.")
    w = _direction(d, seed)

    def draw(train: Any, seed: Any, batch: int) -> tuple[Any, Any]:
        from keras import ops

        drawn = normal(seed, (batch, d + 1))
        x, noise = drawn[:, :d], drawn[:, d]
        return x, ops.matmul(x, w.astype(np.float32)) + sigma * noise

    x = np.repeat(_white(max(1024, 2 * d), d), 2, axis=0)
    y = x @ w + sigma * np.resize([1.0, -1.0], len(x))
    return Task(
        name="least-squares",
        loss="squared_error",
        inputs=(d,),
        outputs=1,
        vocabulary=0,
        tokens_per_sample=1,
        train={},
        draw=draw,
        validation=(x.astype(np.float32), y.astype(np.float32), None),
        floor=float(sigma) ** 2,
        samples=math.inf,
        sha256=_hash(task="least-squares", d=d, sigma=float(sigma), seed=seed),
    )


@builder("logistic")
def logistic_task(d: int = 16, signal: float = 2.0, seed: int = 0) -> Task:
    """Two classes, the second with probability sigmoid(w . x): x standard normal, |w| = signal.

    The floor is the mean entropy of the labels, `course.linear.irreducible_loss(signal)`. Validation
    takes w . x from a Gauss-Hermite rule of 48 nodes, what stands at right angles to w from points
    with mean 0 and covariance 1 exactly, and both labels with their probabilities: the true model's
    loss is the floor, and near it that of any linear model is its expected loss, to second order. Raises
    ValueError when d is not a whole number of at least 1 or signal is not a positive number.
    """
    d, signal = whole("d", d), positive("signal", signal)
    unit = _direction(d, seed)

    def draw(train: Any, seed: Any, batch: int) -> tuple[Any, Any]:
        from keras import ops

        drawn = normal(seed, (batch, d + 1))
        x = drawn[:, :d]
        share = 0.5 * (1.0 + ops.erf(drawn[:, d] / math.sqrt(2.0)))  # uniform: where the last normal number stands
        logit = ops.matmul(x, (signal * unit).astype(np.float32))
        return x, ops.cast(share < ops.sigmoid(logit), "int32")

    x, y, weights = _logistic_validation(unit, signal)
    from course.linear import irreducible_loss

    return Task(
        name="logistic",
        loss="cross_entropy",
        inputs=(d,),
        outputs=2,
        vocabulary=0,
        tokens_per_sample=1,
        train={},
        draw=draw,
        validation=(x.astype(np.float32), y, weights),
        floor=float(irreducible_loss(signal)),
        samples=math.inf,
        sha256=_hash(task="logistic", d=d, signal=signal, seed=seed),
    )


def _logistic_validation(unit: Array, signal: float) -> tuple[Array, Array, Array]:
    """Inputs, labels and weights whose weighted mean is the expectation; see `logistic_task`."""
    d = len(unit)
    z, mass = np.polynomial.hermite_e.hermegauss(48)
    mass = mass / mass.sum()
    if d > 1:
        basis = np.linalg.svd(unit[None])[2][1:]  # (d - 1, d): the directions at right angles to w
        across = _white(max(64, 2 * d), d - 1) @ basis
    else:
        across = np.zeros((1, 1))
    x = (z[:, None, None] * unit + across).reshape(-1, d)
    probability = np.repeat(0.5 * (1 + np.tanh(0.5 * signal * z)), len(across))
    weight = np.repeat(mass / len(across), len(across))
    x = np.concatenate([x, x])
    y = np.repeat(np.array([0, 1], np.int32), len(weight))
    return x, y, np.concatenate([weight * (1 - probability), weight * probability])


# --- a smooth function ----------------------------------------------------------------------------


def _sines(d: int, features: int, frequency: float, seed: int) -> tuple[Array, Array, Array, float]:
    """Frequencies (features, d), phases, amplitudes and mean of a sum of sines of variance 1 on the cube [-1, 1]^d."""
    rng = np.random.default_rng([d, features, seed])
    omega = rng.standard_normal((features, d)) * frequency * math.sqrt(3 / d)
    phase = rng.uniform(0, 2 * math.pi, features)
    amplitude = rng.standard_normal(features)

    def mean_cosine(frequencies: Array, phases: Array) -> Array:
        """Mean over the cube of cos(frequencies . x + phases)."""
        return np.asarray(np.cos(phases) * np.sinc(frequencies / math.pi).prod(axis=-1))

    mean = amplitude @ mean_cosine(omega, phase - math.pi / 2)
    less = mean_cosine(omega[:, None] - omega, phase[:, None] - phase)
    more = mean_cosine(omega[:, None] + omega, phase[:, None] + phase)
    deviation = math.sqrt(amplitude @ (0.5 * (less - more)) @ amplitude - mean**2)
    return omega, phase, amplitude / deviation, float(mean / deviation)


@builder("smooth")
def smooth_task(
    d: int = 4, features: int = 256, frequency: float = 1.5, validation: int = 16_384, seed: int = 0
) -> Task:
    """A sum of `features` random sines of d numbers, uniform on [-1, 1]^d; no noise, so the floor is 0.

    The function has mean 0 and variance 1 exactly, so the squared error is the share of variance left
    unexplained. `frequency` is the standard deviation of a sine's argument over the cube. Theory for
    ReLU networks of N parameters: error falls as N^(-4/d) (Sharma and Kaplan 2022). Validation:
    `validation` fixed points. Raises ValueError for a value that is not positive.
    """
    d, features, count = whole("d", d), whole("features", features), whole("validation", validation)
    omega, phase, amplitude, mean = _sines(d, features, positive("frequency", frequency), whole("seed", seed, 0))

    def draw(train: Any, seed: Any, batch: int) -> tuple[Any, Any]:
        from keras import ops

        x = uniform(seed, (batch, d), -1.0, 1.0)
        argument = ops.matmul(x, omega.T.astype(np.float32)) + phase.astype(np.float32)
        return x, ops.matmul(ops.sin(argument), amplitude.astype(np.float32)) - mean

    x = np.random.default_rng([d, seed, 1]).uniform(-1, 1, (count, d)).astype(np.float32)
    y = np.sin(x.astype(np.float64) @ omega.T + phase) @ amplitude - mean
    return Task(
        name=f"smooth-{d}",
        loss="squared_error",
        inputs=(d,),
        outputs=1,
        vocabulary=0,
        tokens_per_sample=1,
        train={},
        draw=draw,
        validation=(x, y.astype(np.float32), None),
        floor=0.0,
        samples=math.inf,
        sha256=_hash(task="smooth", d=d, features=features, frequency=float(frequency), seed=seed, validation=count),
    )


# --- facts of unequal frequency -------------------------------------------------------------------


def zipf_probabilities(keys: int, alpha: float) -> Array:
    """Probabilities of the keys 1 ... keys, float64: (k^-alpha - (k + 1)^-alpha) / (1 - (keys + 1)^-alpha).

    For large k this is Zipf's law, proportional to k^-(1 + alpha); in this form key k is the whole part of
    u'^(-1 / alpha) for u' uniform on ((keys + 1)^-alpha, 1], which a compiled loop draws without a search.
    """
    edges = np.arange(1, whole("keys", keys) + 2, dtype=np.float64) ** -positive("alpha", alpha)
    return np.asarray(-np.diff(edges) / (1 - edges[-1]))


@builder("zipf-keys")
def zipf_keys_task(
    keys: int = 10_000, alpha: float = 0.5, tokens: int = 16, noise: float = 0.1, d: int = 32, seed: int = 0
) -> Task:
    """Facts to be learned by heart: key k, met with probability about k^-(1 + alpha), means one of 16 tokens.

    A key's input is its code, d fixed normal numbers; its target is the key's own token, or with
    probability `noise` a token drawn uniformly (the own one among them). The floor is the entropy of
    that, .5650 nats for 16 tokens and noise .1. A model that knows the n most frequent keys exceeds it
    in proportion to n^-alpha (Michaud et al. 2023), steeper where n nears `keys`. Validation holds every
    pair of key and token with its probability, so the loss is the expected loss. Raises ValueError
    for numbers out of range.
    """
    keys, tokens, d, seed = whole("keys", keys), whole("tokens", tokens, 2), whole("d", d), whole("seed", seed, 0)
    if not 0 <= noise < 1:
        raise ValueError(f"noise is a probability, 0 or more and below 1; got {noise!r}.")
    share = zipf_probabilities(keys, alpha)
    rng = np.random.default_rng([keys, tokens, d, seed])
    codes = rng.standard_normal((keys, d)).astype(np.float32)
    own = rng.integers(0, tokens, keys).astype(np.int32)
    lowest = float(keys + 1) ** -alpha

    def draw(train: Any, seed: Any, batch: int) -> tuple[Any, Any]:
        from keras import ops

        v = shares(seed, (3, batch))
        key = ops.cast((lowest + v[0] * (1.0 - lowest)) ** (-1.0 / alpha), "int32") - 1
        key = ops.clip(key, 0, keys - 1)  # rounding at the edges
        other = ops.minimum(ops.cast((1.0 - v[1]) * tokens, "int32"), tokens - 1)
        return pick(train["codes"], key), ops.where(1.0 - v[2] < noise, other, pick(train["own"], key))

    likely = np.full((keys, tokens), noise / tokens)
    likely[np.arange(keys), own] += 1 - noise
    first = likely[0][likely[0] > 0]
    weights = (share[:, None] * likely).ravel()
    return Task(
        name="zipf-keys",
        loss="cross_entropy",
        inputs=(d,),
        outputs=tokens,
        vocabulary=0,
        tokens_per_sample=1,
        train={"codes": codes, "own": own},
        draw=draw,
        validation=(np.repeat(codes, tokens, axis=0), np.tile(np.arange(tokens, dtype=np.int32), keys), weights),
        floor=float(-(first * np.log(first)).sum()),
        samples=math.inf,
        sha256=_hash(
            task="zipf-keys", keys=keys, alpha=float(alpha), tokens=tokens, noise=float(noise), d=d, seed=seed
        ),
    )
