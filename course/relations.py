"""The three relations of lesson 2.2: what time, compute and loss do when a model grows.

A straight line on log-log axes with its interval (`line`), the exponent between neighbours
(`local_exponents`), the longest stretch that is straight within a tolerance (`straight_range`); the time
of a training step measured and modelled (`step_time`, `TimeModel`); loss and error on any text
(`loss_and_error`, `windows`); the total compute when the data grow with the model (`total_flops`); and
double descent in a model of a few lines (`random_feature_errors`).
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.inputs import positive, whole

if TYPE_CHECKING:
    from course.training import Trainer

__all__ = [
    "Line",
    "PeakMemory",
    "StepTime",
    "TimeModel",
    "crossover",
    "fit_time_model",
    "gap_and_best",
    "law_begins",
    "line",
    "local_exponents",
    "loss_and_error",
    "other_texts",
    "random_feature_errors",
    "run_seconds",
    "step_time",
    "straight_range",
    "total_flops",
    "windows",
]

Array = NDArray[np.float64]


def _pairs(x: ArrayLike, y: ArrayLike, least: int) -> tuple[Array, Array]:
    """Both as float arrays of one dimension and equal length, positive, x rising or falling without repeats."""
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if a.ndim != 1 or a.shape != b.shape or len(a) < least:
        raise ValueError(f"x and y are two lists of equal length, {least} or more; got shapes {a.shape} and {b.shape}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all() and (a > 0).all() and (b > 0).all()):
        raise ValueError("x and y must be positive, finite numbers: a power law has logarithms.")
    return a, b


# --- straight lines on log-log axes ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Line:
    """y = prefactor x^exponent fitted to log y, with the exponent's interval from `low` to `high`.

    residuals: (n,), log of measured over fitted. `first` and `last` are the smallest and largest x.
    """

    exponent: float
    low: float
    high: float
    prefactor: float
    residuals: Array
    first: float
    last: float
    level: float = 0.95
    _mean: float = field(default=0.0, repr=False)
    _spread: float = field(default=1.0, repr=False)

    def predict(self, x: ArrayLike) -> Array:
        """The line at x."""
        return np.asarray(self.prefactor * np.asarray(x, dtype=float) ** self.exponent)

    def predict_interval(self, x: ArrayLike) -> tuple[Array, Array]:
        """Low and high ends for a new measurement at x: Student's t on the logarithms, at the line's level."""
        from scipy import stats

        n = len(self.residuals)
        s = np.sqrt(np.sum(self.residuals**2) / (n - 2))
        away = (np.log(np.asarray(x, dtype=float)) - self._mean) ** 2 / self._spread
        wide = stats.t.ppf((1 + self.level) / 2, n - 2) * s * np.sqrt(1 + 1 / n + away)
        return self.predict(x) * np.exp(-wide), self.predict(x) * np.exp(wide)

    @property
    def said(self) -> str:
        """The exponent with its interval: "0.93 [0.88, 0.98]"."""
        return f"{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]"


def line(x: ArrayLike, y: ArrayLike, level: float = 0.95) -> Line:
    """Least squares of log y on log x, with Student's t interval of the exponent. Lesson 2.2.

    x, y: (n,), positive, three points or more at two x or more. The interval takes the line for true and the
    residuals for independent noise: it says nothing about a line that is bent. Raises ValueError otherwise.
    """
    from scipy import stats

    a, b = _pairs(x, y, 3)
    u, v = np.log(a), np.log(b)
    mean = float(u.mean())
    spread = float(np.sum((u - mean) ** 2))
    if spread == 0:
        raise ValueError("A line needs at least two different x.")
    slope = float(np.sum((u - mean) * v) / spread)
    level_at_mean = float(v.mean())
    residuals = v - level_at_mean - slope * (u - mean)
    error = np.sqrt(np.sum(residuals**2) / (len(u) - 2) / spread)
    wide = float(stats.t.ppf((1 + level) / 2, len(u) - 2) * error)
    prefactor = float(np.exp(level_at_mean - slope * mean))
    return Line(
        slope, slope - wide, slope + wide, prefactor, residuals, float(a.min()), float(a.max()), level, mean, spread
    )


def local_exponents(x: ArrayLike, y: ArrayLike) -> Array:
    """The exponent between each point and the next, (n - 1,): difference of log y over difference of log x.

    x, y: (n,), positive. Raises ValueError for fewer than two points or an x that is the same twice running.
    Lesson 2.2.
    """
    a, b = _pairs(x, y, 2)
    steps = np.diff(np.log(a))
    if not steps.all():
        raise ValueError("Two neighbouring x are the same: there is no exponent between them.")
    return np.asarray(np.diff(np.log(b)) / steps)


def law_begins(x: ArrayLike, y: ArrayLike, tolerance: float) -> float:
    """The smallest x from which on one power law describes all points within `tolerance`; nan where none does.

    The line is fitted afresh to each end of the list, three points or more, and must miss none of them by more
    than `tolerance` in the natural logarithm. x rises. `straight_range` also looks for the end. Lesson 2.2.
    """
    a, b = _pairs(x, y, 3)
    positive("tolerance", tolerance)
    for first in range(len(a) - 2):
        if np.abs(line(a[first:], b[first:]).residuals).max() <= tolerance:
            return float(a[first])
    return float("nan")


def straight_range(x: ArrayLike, y: ArrayLike, tolerance: float, least: int = 4) -> tuple[int, int]:
    """First and last index of the longest stretch that a power law describes within `tolerance`. Lesson 2.2.

    A stretch is `least` or more consecutive points; its own line must miss none of them by more than `tolerance`
    in the natural logarithm (0.1 is about 10 %). The longest has the largest ratio of its last to its first x; of
    two equal ones the later. x rises. Raises ValueError where no stretch is straight enough.
    """
    a, b = _pairs(x, y, whole("least", least, 3))
    positive("tolerance", tolerance)
    if not (np.diff(a) > 0).all():
        raise ValueError("x must rise from point to point.")
    best: tuple[float, int, int] | None = None
    for first in range(len(a) - least + 1):
        for last in range(first + least - 1, len(a)):
            missed = np.abs(line(a[first : last + 1], b[first : last + 1]).residuals).max()
            length = float(np.log(a[last] / a[first]))
            if missed <= tolerance and (best is None or length >= best[0] - 1e-12):
                best = (length, first, last)
    if best is None:
        raise ValueError(
            f"No {least} neighbouring points lie on a line within {tolerance:.0%}: measure more finely, and times again "
            "while no other program is busy."
        )
    return best[1], best[2]


# --- time -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepTime:
    """Seconds of one optimiser step. `best` and `median` of wall-clock time, `processor`: of all cores together.

    `best` is the repeat that other programs disturbed least: what the machine can do. n: repeats.
    """

    best: float
    median: float
    processor: float
    n: int


def step_time(trainer: Trainer, seconds: float = 0.4, least: int = 5) -> StepTime:
    """Time a trainer's step in slices of about 10 ms, for about `seconds` and at least `least` slices.

    The best slice so far says how many steps the next one has: one disturbance cannot make all slices so short that
    the call's own time passes for a step's. Compiles first if need be, and leaves the trainer at the start of a run of
    seed 0. Lesson 2.2.
    """
    positive("seconds", seconds)
    if not trainer.compile_seconds:
        trainer.compile()
    trainer.reset(0)
    far = 10**8  # the length of the run it pretends to be part of, so that the rate stays put
    trainer.advance(2, far)
    steps = 1
    wall: list[float] = []
    busy: list[float] = []
    end = time.perf_counter() + seconds
    while len(wall) < least or time.perf_counter() < end:
        at, of = time.perf_counter(), time.process_time()
        trainer.advance(trainer.step + steps, far)
        wall.append((time.perf_counter() - at) / steps)
        busy.append((time.process_time() - of) / steps)
        steps = max(1, round(0.01 / min(wall)))
    trainer.reset(0)
    return StepTime(float(np.min(wall)), float(np.median(wall)), float(np.min(busy)), len(wall))


@dataclass(frozen=True)
class TimeModel:
    """Seconds of a training step from three rates of a machine. Lesson 2.2.

        overhead + 6 N batch / flops_per_second + bytes_per_param N (share outside the cache) / bytes_per_second

    The share is 1 - cache / (16 N), 0 where 16 N bytes (weights, gradients and Adam's two averages in float32) fit
    the cache. It is a sketch: products and memory are taken one after the other, and each rate as constant.
    """

    overhead: float
    flops_per_second: float
    bytes_per_second: float
    cache: float
    bytes_per_param: float = 32.0

    def __post_init__(self) -> None:
        for name in ("overhead", "flops_per_second", "bytes_per_second", "cache", "bytes_per_param"):
            positive(name, getattr(self, name))

    def parts(self, n_params: ArrayLike, batch: float) -> tuple[Array, Array, Array]:
        """Seconds of overhead, of arithmetic and of memory for models of N parameters, each of N's shape."""
        n = np.asarray(n_params, dtype=float)
        outside = np.maximum(0.0, 1.0 - self.cache / (16.0 * n))
        return (
            np.full_like(n, self.overhead),
            6.0 * n * batch / self.flops_per_second,
            self.bytes_per_param * n * outside / self.bytes_per_second,
        )

    def seconds(self, n_params: ArrayLike, batch: float) -> Array:
        """Seconds of a step, of the shape of n_params."""
        return np.asarray(sum(self.parts(n_params, batch)))


def fit_time_model(n_params: ArrayLike, seconds: ArrayLike, batch: float, bytes_per_second: float) -> TimeModel:
    """Overhead and arithmetic rate from measured steps, least squares of the relative misses. Lesson 2.2.

    n_params, seconds: (n,), sizes whose training state fits the cache: the largest is taken to fill it, so that memory
    enters with sizes beyond. `bytes_per_second` is measured apart (`course.machine.copy_bandwidth`). Raises
    ValueError for fewer than two points, and for times that no positive rate describes.
    """
    from scipy.optimize import nnls

    n, t = _pairs(n_params, seconds, 2)
    (overhead, inverse), _ = nnls(np.stack([1 / t, 6 * n * positive("batch", batch) / t], axis=1), np.ones(len(t)))
    if not (overhead > 0 and inverse > 0):
        raise ValueError("These times do not grow from an overhead in proportion to N: measure more sizes.")
    return TimeModel(float(overhead), float(1 / inverse), bytes_per_second, 16.0 * float(n.max()))


def _give_back() -> None:
    """Free what nobody holds any more."""
    import ctypes
    import gc

    gc.collect()
    with suppress(AttributeError, OSError, TypeError):  # glibc's own
        ctypes.CDLL(None).malloc_trim(0)


class PeakMemory:
    """How far this process' resident memory rises inside a `with` block: `.bytes`, looked at every few milliseconds.

    What was freed before is given back to the system first, where the C library can do that (Linux): otherwise new arrays
    fill old pages, and less seems to be held than there is.
    """

    def __init__(self, every: float = 0.005) -> None:
        import psutil

        self._process, self._every = psutil.Process(), every
        self.bytes = 0

    def forget(self) -> None:
        """Start over: `.bytes` becomes the rise of what is held from now on, still over the beginning of the block."""
        _give_back()
        self.bytes = 0

    def _look(self) -> None:
        while not self._stop.is_set():
            self.bytes = max(self.bytes, self._process.memory_info().rss - self._before)
            self._stop.wait(self._every)

    def __enter__(self) -> PeakMemory:
        _give_back()
        self._before = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.bytes = max(self.bytes, self._process.memory_info().rss - self._before)


# --- compute --------------------------------------------------------------------------------------


def crossover(overhead: float, flops_per_second: float, batch: float) -> float:
    """The size N at which a step's arithmetic, 6 N batch FLOPs, takes as long as its overhead in seconds. Lesson 2.2."""
    rate, samples = positive("flops_per_second", flops_per_second), positive("batch", batch)
    return positive("overhead", overhead) * rate / (6.0 * samples)


def run_seconds(
    n_params: ArrayLike, step_seconds: float, at: float, exponent: float, tokens_per_param: float, batch: float
) -> Array:
    """Seconds of a whole run whose data grow with the model, from the time law of one step. Lesson 2.2.

    A step of a model of `at` parameters takes `step_seconds`, one of N parameters (N / at)^exponent times as long; the
    run sees `tokens_per_param` tokens for each parameter, `batch` in a step. Returns n_params' shape.
    """
    n = np.asarray(n_params, dtype=float)
    steps = positive("tokens_per_param", tokens_per_param) * n / positive("batch", batch)
    return np.asarray(steps * positive("step_seconds", step_seconds) * (n / positive("at", at)) ** exponent)


def total_flops(n_params: ArrayLike, data: float, at: float, power: float) -> Array:
    """Training FLOPs 6 N D when the data grow with the model, D = data (N / at)^power. Lesson 2.2.

    `data` is the number of tokens of a model with `at` parameters; power 0: the same data for every size,
    1: in proportion (Hoffmann et al. 2022), 0.74: Kaplan et al. 2020, section 4.
    """
    n = np.asarray(n_params, dtype=float)
    return np.asarray(6.0 * n * positive("data", data) * (n / positive("at", at)) ** power)


# --- loss -----------------------------------------------------------------------------------------


def windows(text: bytes, window: int, number: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Inputs (number, window) and targets (number,) of the character task, evenly spaced over any text.

    Raises ValueError for a text shorter than `window` + 1 characters.
    """
    from course.data.text import encode

    ids = encode(text)
    last = len(ids) - whole("window", window) - 1
    if last < 0:
        raise ValueError(f"The text has {len(ids):,} characters, fewer than a window of {window + 1}.")
    starts = np.unique(np.linspace(0, last, whole("number", number)).astype(np.int64))
    found = ids[starts[:, None] + np.arange(window + 1)].astype(np.int32)
    return found[:, :-1], found[:, -1]


def loss_and_error(trainer: Trainer, x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Mean cross-entropy in nats and share of wrong first guesses of a trainer's model on inputs x, targets y.

    x: (n, window) ids, y: (n,). The model is taken as it is; nothing is trained.
    """
    from scipy.special import logsumexp

    x, y = np.asarray(x), np.asarray(y)
    losses, wrong = [], []
    for start in range(0, len(y), 8192):
        logits = np.asarray(trainer.model(x[start : start + 8192]))
        right = y[start : start + 8192]
        losses.append(logsumexp(logits, axis=1) - logits[np.arange(len(right)), right])
        wrong.append(logits.argmax(axis=1) != right)
    return float(np.concatenate(losses).mean()), float(np.concatenate(wrong).mean())


def gap_and_best(n_params: ArrayLike, train: ArrayLike, test: ArrayLike) -> tuple[Array, float]:
    """What fixed data allow: each size's gap, test less training loss, and the size with the smallest test loss.

    n_params, train, test: (k,), one entry a size. Lesson 2.2.
    """
    n, a, b = (np.asarray(values, dtype=float) for values in (n_params, train, test))
    if not (n.ndim == 1 and n.shape == a.shape == b.shape and len(n)):
        raise ValueError("n_params, train and test are three lists of equal length, one entry for each size.")
    return b - a, float(n[int(np.argmin(b))])


def random_feature_errors(
    sizes: ArrayLike, samples: int = 100, inputs: int = 20, noise: float = 0.3, seeds: int = 10, test: int = 1000
) -> tuple[Array, Array]:
    """Training and test error of least squares on N random ReLU features, each (seeds, sizes). Lesson 2.2.

    The data: y = w . x + noise, x standard normal in `inputs` numbers, |w| about 1. The model: weights of N features
    max(0, v . x) whose v are drawn once and not learned. Where several weights fit the samples exactly, the
    shortest is taken, as gradient descent from zero does. Mean squared errors, the test one on noisy targets, so
    its floor is noise^2. Source of the peak: Belkin et al. 2019; Mei and Montanari 2022.
    """
    dials = [whole("size", int(n)) for n in np.ravel(np.asarray(sizes))]
    whole("samples", samples, 2)
    train_error, test_error = np.empty((whole("seeds", seeds), len(dials))), np.empty((seeds, len(dials)))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        w = rng.normal(size=inputs) / np.sqrt(inputs)
        X = rng.normal(size=(samples + test, inputs))
        y = X @ w + noise * rng.normal(size=samples + test)
        features = np.maximum(X @ (rng.normal(size=(inputs, max(dials))) / np.sqrt(inputs)), 0)
        for i, n in enumerate(dials):
            A, B = features[:samples, :n], features[samples:, :n]
            if n > samples:  # the shortest solution lies in the span of the samples
                c = A.T @ np.linalg.lstsq(A @ A.T, y[:samples], rcond=None)[0]
            else:
                c = np.linalg.lstsq(A, y[:samples], rcond=None)[0]
            train_error[seed, i] = np.mean((A @ c - y[:samples]) ** 2)
            test_error[seed, i] = np.mean((B @ c - y[samples:]) ** 2)
    return train_error, test_error


def other_texts() -> dict[str, bytes]:
    """Two texts that the course's character models never train on, read where they lie. Lesson 2.2.

    "other Python": sources of scikit-learn, by other authors than the standard library's. "English": the prose that
    Python's `help` shows on its topics, which the training text leaves out. Neither is copied.
    """
    import importlib.util
    from importlib import import_module
    from pathlib import Path

    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ValueError("scikit-learn is not installed: run `make lab` again.")
    files = sorted(Path(spec.origin).parent.glob("*/*.py"))[:80]
    topics = import_module("pydoc_data.topics").topics
    return {
        "other Python": b"\n".join(file.read_bytes() for file in files),
        "English": "\n".join(topics.values()).encode(),
    }
