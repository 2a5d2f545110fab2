"""The interactive figure of lesson 5.1: the rate of a matrix product against its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from course.plots import COLOURS, figure, label, measured, theory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from course.machine import Measurement

__all__ = ["crossing", "draw_overhead", "modelled_rate"]


def modelled_rate(n: np.ndarray, overhead: float, peak: float) -> np.ndarray:
    """Rate in GFLOP/s when a product takes `overhead` µs plus its 2 n³ FLOPs at `peak` GFLOP/s. Lesson 5.1."""
    flops = 2.0 * np.asarray(n, dtype=float) ** 3
    return flops / (overhead * 1e-6 + flops / (peak * 1e9)) / 1e9


def crossing(overhead: float, peak: float) -> float:
    """The size at which the arithmetic takes as long as the overhead: half of the peak is reached there."""
    return float((overhead * 1e-6 * peak * 1e9 / 2) ** (1 / 3))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def draw_overhead(overhead: float, peak: float, sizes: Sequence[int], rates: Sequence[Measurement]) -> Figure:
    """Measured rates against matrix size, with the line of `overhead` (µs) and `peak` (GFLOP/s)."""
    fig, ax = figure()
    half = crossing(overhead, peak)
    n = np.geomspace(min(sizes) / 1.3, max(sizes) * 1.3, 200)
    theory(ax, n, modelled_rate(n, overhead, peak))
    measured(ax, sizes, [r.median for r in rates], [r.low for r in rates], [r.high for r in rates])
    ax.axvline(half, color=COLOURS["orange"], linewidth=1.2, linestyle=":")
    ax.set(xscale="log", yscale="log", xlabel="matrix size n (rows and columns)", ylabel="rate (GFLOP/s)")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    top = max(rate.high for rate in rates)
    ax.set_ylim(min(rate.low for rate in rates) / 3, top * 5)
    ax.set_title(f"Below size {half:.0f}, starting the product takes longer than doing it")
    label(ax, half, top * 2.2, f"half of the peak at {half:.0f}", colour="orange")
    quarter = len(sizes) // 4
    label(ax, sizes[quarter], rates[quarter].median, "measured", colour="blue", offset=(-10, 8), ha="right")
    ax.text(
        0.985,
        0.06,
        f"dashed:\n{_number(overhead)} µs + 2n³ FLOPs\nat {_number(peak)} GFLOP/s",
        transform=ax.transAxes,
        ha="right",
        fontsize=10,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
    )
    return fig
