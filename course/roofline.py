"""The roofline: how fast an operation can run, from the work it does and the bytes it moves.

A processor has a peak rate (FLOP/s) and a memory that delivers a number of bytes a second. An
operation that does I FLOPs for each byte it moves cannot run faster than min(peak, I x bandwidth)
(Williams, Waterman and Patterson 2009). `Roofline` is that bound, `measure` times operations of many
intensities on this machine, `utilisation` is what a training run reaches of a peak. Lesson 3.3.

FLOPs here are those of `course.counting`; a byte is counted once for each number that is read or written
if the cache could keep everything: the least that any program must move.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from course.inputs import positive, whole

__all__ = [
    "Point",
    "Roofline",
    "matrix_product_bytes",
    "matrix_product_intensity",
    "measure",
    "roof",
    "utilisation",
]


def matrix_product_bytes(m: int, k: int, n: int, bytes_per_number: float = 4) -> float:
    """Bytes that an (m, k) by (k, n) product must move at least: both matrices read once, the result written once."""
    m, k, n = whole("m", m), whole("k", k), whole("n", n)
    return positive("bytes_per_number", bytes_per_number) * (m * k + k * n + m * n)


def matrix_product_intensity(m: int, k: int, n: int, bytes_per_number: float = 4) -> float:
    """FLOPs a byte of an (m, k) by (k, n) product: 2 m k n over the bytes it must move.

    n/6 for square matrices of float32, about m/2 for m rows times a large square matrix. Lesson 3.3.
    """
    return 2.0 * m * k * n / matrix_product_bytes(m, k, n, bytes_per_number)


@dataclass(frozen=True)
class Roofline:
    """Two ceilings of a machine: `peak` in FLOP/s, `bandwidth` in bytes/s. Raises ValueError unless both are positive."""

    peak: float
    bandwidth: float

    def __post_init__(self) -> None:
        positive("peak (FLOP/s)", self.peak)
        positive("bandwidth (bytes/s)", self.bandwidth)

    @property
    def ridge(self) -> float:
        """The intensity, FLOPs a byte, at which both ceilings meet."""
        return self.peak / self.bandwidth

    def attainable(self, intensity: float) -> float:
        """The most FLOP/s an operation of this intensity (FLOPs a byte) can reach: min(peak, intensity x bandwidth)."""
        return min(self.peak, positive("intensity (FLOPs a byte)", intensity) * self.bandwidth)

    def bound(self, intensity: float) -> str:
        """Which ceiling is the lower one: "memory" or "compute"."""
        return "memory" if intensity < self.ridge else "compute"

    def seconds(self, flops: float, moved: float) -> float:
        """The least seconds for so many FLOPs and so many bytes moved: the larger of the two times."""
        return max(flops / self.peak, moved / self.bandwidth)


@dataclass(frozen=True)
class Point:
    """An operation timed on this machine: FLOPs and least bytes of one call, and the fastest call in seconds."""

    name: str
    flops: float
    moved: float
    seconds: float

    @property
    def intensity(self) -> float:
        """FLOPs a byte."""
        return self.flops / self.moved

    @property
    def rate(self) -> float:
        """FLOP/s of the fastest call."""
        return self.flops / self.seconds

    @property
    def bandwidth(self) -> float:
        """Bytes/s of the fastest call."""
        return self.moved / self.seconds


Operation = tuple[str, float, float, Callable[[], Any]]
"""A name, FLOPs, least bytes, and the call."""


def operations(rows: Sequence[int] = (1, 4, 16, 64), side: int = 4096, square: int = 1536) -> list[Operation]:
    """Operations from a vector addition to a square product; in between, `rows` rows times one (side, side) matrix.

    The matrix of 64 MB (at 4096) is larger than most caches, so that its bytes do come from memory; the number of rows is a
    batch's. Runs on the GPU where there is one.
    """
    from course import machine

    tf = machine.import_tensorflow()
    finish = machine._finish(tf)
    length = side * side
    a, b = tf.fill([length], 1.0), tf.fill([length], 2.0)
    weights = tf.fill([side, side], 0.5)
    big = tf.fill([square, square], 0.5)

    def call(work: Callable[..., Any], *args: Any) -> Callable[[], Any]:
        def run() -> None:
            work(*args)
            finish()

        return run

    found: list[Operation] = [("add two vectors", float(length), 12.0 * length, call(tf.add, a, b))]
    for m in rows:
        batch = tf.fill([m, side], 1.0)
        name = f"{m} row{'s' * (m > 1)} x matrix"
        found.append(
            (name, 2.0 * m * side * side, matrix_product_bytes(m, side, side), call(tf.matmul, batch, weights))
        )
    found.append(
        ("square product", 2.0 * square**3, matrix_product_bytes(square, square, square), call(tf.matmul, big, big))
    )
    return found


def measure(seconds: float = 4.0, given: Sequence[Operation] | None = None, least: int = 3) -> tuple[Point, ...]:
    """Time each operation again and again in turns, for about `seconds` in all; a Point for each, with its fastest call.

    In turns and the fastest, because other programs on the machine can only make a call slower. Each
    is called `least` times at least.
    """
    work = list(operations() if given is None else given)
    best = [float("inf")] * len(work)
    for *_, call in work:
        call()
    end, rounds = time.perf_counter() + positive("seconds", seconds), 0
    while rounds < least or time.perf_counter() < end:
        for i, (*_, call) in enumerate(work):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
        rounds += 1
    return tuple(Point(name, flops, moved, s) for (name, flops, moved, _), s in zip(work, best, strict=True))


def roof(points: Sequence[Point]) -> Roofline:
    """The roofline that some timed operations stand under: the highest FLOP/s and the highest bytes/s among them."""
    if not points:
        raise ValueError("A roofline needs at least one timed operation; got none.")
    return Roofline(max(point.rate for point in points), max(point.bandwidth for point in points))


def utilisation(flops_per_token: float, tokens_per_second: float, peak: float) -> float:
    """Model FLOPs utilisation: the FLOPs that the model needs a second over the machine's peak, both in FLOP/s.

    flops_per_token: of training, 6N or counted exactly; what is computed twice to save memory does not
    count (Chowdhery et al. 2022, section 4.1). Lesson 3.3.
    """
    return (
        positive("flops_per_token", flops_per_token)
        * positive("tokens_per_second", tokens_per_second)
        / positive("peak (FLOP/s)", peak)
    )
