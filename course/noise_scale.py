"""The gradient noise scale: how large a batch is worth its price (McCandlish et al. 2018). Lesson 3.2.

A batch's mean gradient scatters about the true gradient G with covariance Sigma / B. The noise scale
tr(Sigma) / |G|^2 is the batch size at which scatter and gradient are equally large. It is estimated from
the squared lengths of gradients of two batch sizes, and known exactly for least squares, where the whole
trade-off between steps and samples can be computed too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.inputs import finite, positive, whole

__all__ = [
    "LeastSquares",
    "NoiseScale",
    "Tradeoff",
    "fit_tradeoff",
    "mean_of_ratios",
    "noise_scale",
    "per_sample_noise_scale",
    "steps_until",
]


@dataclass(frozen=True)
class NoiseScale:
    """`trace` of the samples' gradient covariance, `gradient_squared` |G|^2, and their ratio, the noise scale in samples.

    `interval` holds the middle 95 % of the ratio over resampled measurements; None where there are none.
    """

    trace: float
    gradient_squared: float
    interval: tuple[float, float] | None = None

    @property
    def scale(self) -> float:
        """tr(Sigma) / |G|^2; NaN where the estimate of |G|^2 is not positive, which asks for more measurements."""
        return self.trace / self.gradient_squared if self.gradient_squared > 0 else float("nan")


def _two(small_squared: ArrayLike, large_squared: ArrayLike, small: int, large: int) -> tuple[NDArray, NDArray]:
    """Unbiased estimates of |G|^2 and tr(Sigma), one for each measurement."""
    s, b = finite("small_squared", small_squared), finite("large_squared", large_squared)
    if whole("small", small) >= whole("large", large):
        raise ValueError(f"The first batch is the smaller one; got small={small}, large={large}.")
    return (large * b - small * s) / (large - small), (s - b) / (1 / small - 1 / large)


def noise_scale(
    small_squared: ArrayLike, large_squared: ArrayLike, small: int, large: int, *, bootstrap: int = 0, seed: int = 0
) -> NoiseScale:
    """The noise scale from squared gradient lengths at two batch sizes: averages first, then the ratio.

    small_squared, large_squared: (k,) |gradient|^2 of k measurements with batches of `small` and `large`
    samples. E|G_B|^2 = |G|^2 + tr(Sigma) / B, so two batch sizes give both unknowns without bias
    (McCandlish et al. 2018, appendix A.1). `bootstrap`: how often the k measurements are resampled for the
    interval. Raises ValueError when the batches are not in order or the two arrays differ in length. Lesson 3.2.
    """
    gradient, trace = _two(small_squared, large_squared, small, large)
    if gradient.shape != np.shape(small_squared) or np.shape(large_squared) != np.shape(small_squared):
        raise ValueError("Give as many measurements for the small batch as for the large one.")
    interval = None
    if bootstrap and gradient.size > 1:
        pick = np.random.default_rng(seed).integers(0, gradient.size, (bootstrap, gradient.size))
        g, s = gradient.ravel()[pick].mean(axis=1), trace.ravel()[pick].mean(axis=1)
        ratios = np.where(g > 0, s / np.where(g > 0, g, 1.0), np.inf)
        low, high = np.percentile(ratios, [2.5, 97.5], method="nearest")
        interval = (float(low), float(high))
    return NoiseScale(float(trace.mean()), float(gradient.mean()), interval)


def mean_of_ratios(small_squared: ArrayLike, large_squared: ArrayLike, small: int, large: int) -> float:
    """The tempting wrong estimate: the ratio of each measurement, then the average. Lesson 3.2 shows it fail.

    A single estimate of |G|^2 may be close to 0, or negative, and its reciprocal is then huge.
    """
    gradient, trace = _two(small_squared, large_squared, small, large)
    return float(np.mean(trace / gradient))


def per_sample_noise_scale(gradients: ArrayLike) -> NoiseScale:
    """The noise scale from the gradients of n single samples, (n, d), unbiased in both parts. n at least 2."""
    g = finite("gradients", gradients)
    if g.ndim != 2 or len(g) < 2:
        raise ValueError(f"gradients has shape (n, d), n at least 2; got {g.shape}.")
    trace = float(g.var(axis=0, ddof=1).sum())
    return NoiseScale(trace, float((g.mean(axis=0) ** 2).sum()) - trace / len(g))


# --- least squares, where everything is known -----------------------------------------------------


@dataclass(frozen=True)
class LeastSquares:
    """Linear regression on Gaussian inputs: y = x . w* + sigma e, x_i of variance spectrum[i], loss (x . w - y)^2 / 2.

    `spectrum` (d,) positive; `error` (d,) is w - w* at the start. Everything below is exact.
    """

    spectrum: NDArray
    error: NDArray
    sigma: float

    def __post_init__(self) -> None:
        spectrum, error = finite("spectrum", self.spectrum), finite("error", self.error)
        if spectrum.ndim != 1 or spectrum.shape != error.shape or spectrum.min() <= 0:
            raise ValueError("spectrum and error are lists of one length, and the spectrum is positive.")
        object.__setattr__(self, "spectrum", spectrum)
        object.__setattr__(self, "error", error)
        positive("sigma", self.sigma)

    @classmethod
    def power(cls, d: int = 32, exponent: float = 1.5, sigma: float = 0.3) -> LeastSquares:
        """A spectrum k^-exponent, k = 1 ... d, and equal errors in all directions with a loss of 1/2 above the floor."""
        spectrum = np.arange(1, whole("d", d) + 1.0) ** -exponent
        return cls(spectrum, np.full(d, spectrum.sum() ** -0.5), sigma)

    def excess(self, error: ArrayLike | None = None) -> float:
        """Loss above its floor sigma^2 / 2."""
        error = self.error if error is None else np.asarray(error)
        return float(self.spectrum @ error**2) / 2

    def noise(self, error: ArrayLike | None = None) -> NoiseScale:
        """The noise scale in closed form at w = w* + error (the start, unless given).

        G = H e with H = diag(spectrum). One sample's gradient x (x . e - sigma noise) has the covariance
        H e e' H + (e' H e + sigma^2) H, by the fourth moments of the normal distribution.
        """
        error = self.error if error is None else np.asarray(error, dtype=float)
        squared = float(((self.spectrum * error) ** 2).sum())
        spread = float(self.spectrum @ error**2) + self.sigma**2
        return NoiseScale(squared + spread * float(self.spectrum.sum()), squared)

    def gradients(
        self, rng: np.random.Generator, batch: int, repeats: int, error: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Mean gradients of `repeats` fresh batches, (repeats, d), at w = w* + error."""
        error = self.error if error is None else np.asarray(error, dtype=float)
        x = rng.normal(size=(repeats, batch, len(self.spectrum))) * np.sqrt(self.spectrum)
        residual = x @ error - self.sigma * rng.normal(size=(repeats, batch))
        return np.einsum("rb,rbd->rd", residual, x) / batch

    def path(self, batch: int, rates: ArrayLike, steps: int) -> NDArray[np.float64]:
        """Expected loss above the floor after 0 ... steps of gradient descent with fresh batches, (steps + 1, rates).

        Exact: the mean squared error of each direction follows a linear recursion. Infinite where a rate is too large.
        """
        return np.array([squared @ self.spectrum / 2 for squared in self._squared_errors(batch, rates, steps)])

    def scale_along(self, batch: int, rate: float, steps: int) -> NDArray[np.float64]:
        """The noise scale after 0 ... steps of gradient descent with fresh batches, (steps + 1,): expected tr Sigma over |G|^2.

        Descent quiets the steep directions first, so |G|^2 falls faster than the loss.
        """
        h, scales = self.spectrum, []
        for squared in self._squared_errors(batch, rate, steps):
            gradient = float(squared[0] @ h**2)
            scales.append(1 + (float(squared[0] @ h) + self.sigma**2) * float(h.sum()) / gradient)
        return np.array(scales)

    def _squared_errors(self, batch: int, rates: ArrayLike, steps: int) -> Iterator[NDArray[np.float64]]:
        """Mean squared error of each direction after 0 ... steps, (rates, d) each; at most 1e12."""
        rate = np.atleast_1d(np.asarray(rates, dtype=float))[:, None]
        h, squared = self.spectrum, np.repeat(self.error[None] ** 2, len(rate), axis=0)
        fade = 1 - 2 * rate * h + rate**2 * h**2 * (1 + 1 / batch)
        for _ in range(steps + 1):
            yield squared
            with np.errstate(over="ignore", invalid="ignore"):
                fresh = rate**2 * h / batch * ((squared @ h)[:, None] + self.sigma**2)
                squared = np.minimum(squared * fade + fresh, 1e12)

    def runs(self, rng: np.random.Generator, batch: int, rate: float, steps: int, runs: int) -> NDArray[np.float64]:
        """Loss above the floor along `runs` real runs with freshly drawn batches, (steps + 1, runs)."""
        error, found = np.repeat(self.error[None], runs, axis=0), []
        for _ in range(steps + 1):
            found.append(error**2 @ self.spectrum / 2)
            x = rng.normal(size=(runs, batch, len(self.spectrum))) * np.sqrt(self.spectrum)
            residual = (x @ error[:, :, None])[..., 0] - self.sigma * rng.normal(size=(runs, batch))
            error = error - rate * (residual[:, None] @ x)[:, 0] / batch
        return np.array(found)

    def steps_to(self, target: float, batch: int, rates: Sequence[float], steps: int = 6000) -> tuple[float, float]:
        """(steps, rate): fewest expected steps to an excess loss of `target`, and the constant rate that takes them.

        (inf, nan) where no rate arrives within `steps`.
        """
        arrived = [steps_until(column, target) for column in self.path(batch, rates, steps).T]
        best = int(np.argmin(arrived))
        return arrived[best], float(rates[best]) if np.isfinite(arrived[best]) else float("nan")


def steps_until(path: ArrayLike, target: float) -> float:
    """Steps after which a loss path (steps + 1,) first falls to `target`, interpolated on its log; inf if it never does."""
    path = np.asarray(path, dtype=float)
    below = np.flatnonzero(path <= positive("target", target))
    if not below.size:
        return float("inf")
    now = int(below[0])
    if now == 0:
        return 0.0
    above, under = np.log(path[now - 1]), np.log(path[now])
    return float(now - 1 + (above - np.log(target)) / (above - under))


# --- steps against samples ------------------------------------------------------------------------


@dataclass(frozen=True)
class Tradeoff:
    """steps = least_steps (1 + critical_batch / batch), which is (S / S_min - 1) (E / E_min - 1) = 1.

    `least_steps` S_min are needed with any batch, `least_samples` E_min with any number of steps.
    `residuals` are relative, one a point.
    """

    least_steps: float
    least_samples: float
    residuals: NDArray

    @property
    def critical_batch(self) -> float:
        """E_min / S_min: the batch that takes twice the least steps and twice the least samples."""
        return self.least_samples / self.least_steps

    def steps(self, batch: ArrayLike) -> NDArray:
        """Steps to the target with batches of this size."""
        return self.least_steps + self.least_samples / np.asarray(batch, dtype=float)


def fit_tradeoff(batch: ArrayLike, steps: ArrayLike) -> Tradeoff:
    """Fit S = S_min + E_min / B by least squares on relative errors (McCandlish et al. 2018, equation 2.11).

    batch, steps: (k,), k at least 3; the steps each batch size takes to one target. Raises ValueError otherwise.
    """
    b, s = finite("batch", batch), finite("steps", steps)
    if b.ndim != 1 or b.shape != s.shape or len(b) < 3 or min(b.min(), s.min()) <= 0:
        raise ValueError("Give three batch sizes or more, and the steps of each, all positive.")
    columns = np.stack([np.ones_like(b), 1 / b], axis=1)
    (least_steps, least_samples), *_ = np.linalg.lstsq(columns / s[:, None], np.ones_like(s), rcond=None)
    return Tradeoff(float(least_steps), float(least_samples), s / (columns @ [least_steps, least_samples]) - 1)
