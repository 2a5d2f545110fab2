"""The optimiser under the laws: Huber loss on log loss, many fits side by side.

In: a model that maps parameters (S, p) to logarithms (S, n) with their derivatives; S starts or resamples are fitted at
once, on numpy's leading axis. Out: for each of the S its parameters and objective. Newton steps with damping; the stop
rule compares with the objective itself, so multiplying the loss by a constant (a mean for a sum) changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

__all__ = ["Fits", "Model", "Powers", "huber", "minimise"]

Array = NDArray[Any]
Curvature = Callable[[Array], Array]
Model = Callable[[Array], tuple[Array, Array, Curvature | None]]
"""theta (S, p) -> log prediction (S, n), its derivatives (S, p, n), and a function v (S, n) -> sum over the points of
v times the second derivatives (S, p, p), or None where these are left out."""

BLOCK = 60_000  # numbers in one array of a block of fits: small enough for the cache


def huber(r: Array, delta: float) -> Array:
    """r^2 / 2 up to |r| = delta, a line of slope delta beyond; delta = inf is least squares. The shape of r."""
    size = np.abs(r)
    inner = np.minimum(size, delta)
    return np.asarray(inner * (size - inner / 2))


class Powers:
    """log of a sum of terms, each the exponential of a linear function of its own parameters.

    `features` holds one (n, p_k) matrix a term: a column of ones alone is a floor, ones and -log x a power of x. The
    power law (with and without floor) and Hoffmann et al.'s surface are of this form.
    """

    def __init__(self, *features: Array) -> None:
        self.features = [np.ascontiguousarray(f.T) for f in features]
        ends = np.cumsum([f.shape[1] for f in features])
        self.blocks = [slice(int(end) - f.shape[1], int(end)) for end, f in zip(ends, features, strict=True)]
        self.squares = [(f[:, :, None] * f[:, None, :]).reshape(len(f), -1) for f in features]

    def __call__(self, theta: Array) -> tuple[Array, Array, Curvature]:
        logs = [theta[:, block] @ f for block, f in zip(self.blocks, self.features, strict=True)]
        top = logs[0] if len(logs) == 1 else np.maximum.reduce(logs)
        shares = [np.exp(u - top) for u in logs]
        total = shares[0] if len(logs) == 1 else sum(shares[1:], shares[0])
        value = top + np.log(total)
        shares = [share / total for share in shares]
        slopes = np.empty((len(theta), theta.shape[1], value.shape[1]))
        for share, block, f in zip(shares, self.blocks, self.features, strict=True):
            np.multiply(share[:, None, :], f, out=slopes[:, block])

        def curvature(v: Array) -> Array:
            second = -(slopes * v[:, None, :]) @ slopes.swapaxes(1, 2)
            for share, block, square in zip(shares, self.blocks, self.squares, strict=True):
                width = block.stop - block.start
                second[:, block, block] += ((v * share) @ square).reshape(-1, width, width)
            return np.asarray(second)

        return value, slopes, curvature


@dataclass(frozen=True)
class Fits:
    """S fits: parameters (S, p), objectives (S,), whether each met the stop rule (S,), and the steps it took (S,)."""

    theta: Array
    objective: Array
    converged: Array
    steps: Array


def minimise(
    model: Model,
    target: Array,
    start: Array,
    *,
    weights: Array | None = None,
    delta: float = 1e-3,
    low: Array | None = None,
    high: Array | None = None,
    steps: int = 200,
    tolerance: float = 1e-13,
) -> Fits:
    """Minimise the summed Huber loss of model - target from S starts at once.

    target (n,) or (S, n); start (S, p), or (1, p) for all; weights (S, n) count the points (a bootstrap's resamples),
    all 1 by default; low, high (p,) are bounds. A fit ends when a step promises less than `tolerance` of its
    objective. The problems are small, so the linear algebra library is held to one thread: two are several times
    slower.
    """
    rows = max(len(start), 1 if weights is None else len(weights), len(target) if target.ndim == 2 else 1)
    theta = np.array(np.broadcast_to(start, (rows, start.shape[1])), dtype=np.float64)
    p, n = theta.shape[1], target.shape[-1]
    low = np.full(p, -np.inf) if low is None else low
    high = np.full(p, np.inf) if high is None else high
    block = max(8, BLOCK // n)
    parts = []
    with threadpool_limits(limits=1, user_api="blas"), np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for first in range(0, rows, block):
            part = slice(first, min(first + block, rows))
            y = target[part] if target.ndim == 2 else target
            w = None if weights is None else np.asarray(np.broadcast_to(weights, (rows, n))[part], dtype=np.float64)
            parts.append(_block(model, y, np.clip(theta[part], low, high), w, delta, low, high, steps, tolerance))
    return Fits(*(np.concatenate([part[i] for part in parts]) for i in range(4)))


def _derivatives(model: Model, theta: Array, y: Array, w: Array | None, delta: float) -> tuple[Array, ...]:
    """Objective (S,), gradient (S, p), Newton's and the reweighted matrix (S, p, p) of each fit."""
    value, slopes, curvature = model(theta)
    r = value - y
    size = np.abs(r)
    inner = np.minimum(size, delta)
    push = np.clip(r, -delta, delta)
    inside = (size <= delta).astype(np.float64)
    pull = inner / np.maximum(size, 1e-300)  # the reweighted problem's weights: 1 inside, delta / |r| outside
    loss = inner * (size - inner / 2)
    if w is not None:
        loss, push, inside, pull = loss * w, push * w, inside * w, pull * w
    back = slopes.swapaxes(1, 2)
    gradient = (slopes @ push[:, :, None])[:, :, 0]
    reweighted = (slopes * pull[:, None, :]) @ back
    newton = (slopes * inside[:, None, :]) @ back
    if curvature is not None:
        newton = newton + curvature(push)
    objective = loss.sum(axis=1)
    return np.where(np.isfinite(objective), objective, np.inf), gradient, newton, reweighted


def _step(gradient: Array, newton: Array, reweighted: Array, damping: Array, fixed: Array) -> tuple[Array, Array]:
    """The damped step (S, p) and the fall of the objective that it promises (S,)."""
    mix = (damping / (1 + damping))[:, None, None]
    matrix = newton + mix * (reweighted - newton)
    diagonal = np.einsum("sii->si", reweighted)
    diagonal = diagonal + 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300
    matrix = matrix + (damping[:, None] * diagonal)[:, :, None] * np.eye(matrix.shape[1])
    free = ~fixed
    gradient = gradient * free
    scale = np.sqrt(diagonal)
    matrix = matrix / (scale[:, :, None] * scale[:, None, :])
    matrix = np.where(free[:, :, None] & free[:, None, :], matrix, np.eye(matrix.shape[1]))
    matrix = np.where(np.isfinite(matrix), matrix, 0.0) + 1e-15 * np.eye(matrix.shape[1])
    slope = np.where(np.isfinite(gradient), gradient / scale, 0.0)
    try:
        step = -np.linalg.solve(matrix, slope[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        step = -slope
    promised = -(np.einsum("sp,sp->s", slope, step) + 0.5 * np.einsum("sp,spq,sq->s", step, matrix, step))
    return step / scale, promised


def _block(
    model: Model,
    y: Array,
    theta: Array,
    w: Array | None,
    delta: float,
    low: Array,
    high: Array,
    steps: int,
    tolerance: float,
) -> tuple[Array, Array, Array, Array]:
    best = theta.copy()
    objective = np.full(len(theta), np.inf)
    converged = np.zeros(len(theta), dtype=bool)
    taken = np.full(len(theta), steps)
    alive = np.arange(len(theta))  # the fits that still move
    now, gradient, newton, reweighted = _derivatives(model, theta, y, w, delta)
    damping = np.full(len(theta), 1e-2)
    for count in range(steps):
        outward = ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
        step, promised = _step(gradient, newton, reweighted, damping, outward)
        trial = np.clip(theta + np.clip(step, -5, 5), low, high)
        new = _derivatives(model, trial, y, w, delta)
        better = new[0] < now
        settled = (promised >= 0) & (promised <= tolerance * now) | (np.abs(trial - theta).max(axis=1) < 1e-12)
        gain = (now - new[0]) / np.maximum(promised, 1e-300)
        damping = np.where(
            better & (promised > 0),
            np.where(gain > 0.7, damping / 10, np.where(gain < 0.2, damping * 3, damping)),
            damping * 8,
        )
        damping = np.maximum(damping, 1e-12)
        theta = np.where(better[:, None], trial, theta)
        gradient = np.where(better[:, None], new[1], gradient)
        newton = np.where(better[:, None, None], new[2], newton)
        reweighted = np.where(better[:, None, None], new[3], reweighted)
        now = np.where(better, new[0], now)
        done = settled | (damping > 1e12)
        if done.any() or count == steps - 1:
            best[alive], objective[alive] = theta, now
            converged[alive[done]], taken[alive[done]] = True, count + 1
            keep = ~done
            alive, theta, now, gradient = alive[keep], theta[keep], now[keep], gradient[keep]
            newton, reweighted, damping = newton[keep], reweighted[keep], damping[keep]
            w = None if w is None else w[keep]
            y = y[keep] if y.ndim == 2 else y
            if len(alive) == 0:
                break
    return best, objective, converged, taken
