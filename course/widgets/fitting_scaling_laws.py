"""Figures of lesson 5.4: a parabola beside the truth, the exponents' landscape, the sweep, published points, the bet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from course import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from course.laws import Fit

__all__ = [
    "draw_bet",
    "draw_landscape",
    "draw_parabola",
    "draw_porian",
    "draw_residuals",
    "draw_seeds",
    "draw_sweep",
    "parabola_ratio",
]

Array = NDArray[Any]
CYCLE = ("blue", "orange", "green", "pink", "amber", "sky", "grey")

# --- the parabola's bias --------------------------------------------------------------------------


def _excess(t: Any, alpha: float, beta: float) -> Array:
    """Loss above the floor along a budget, in units of its smallest value; t = log of N over the best N."""
    t = np.asarray(t, dtype=float)
    return np.asarray((beta * np.exp(-alpha * t) + alpha * np.exp(beta * t)) / (alpha + beta))


def parabola_ratio(alpha: float, beta: float, width: float, sizes: int = 9) -> float:
    """Where a parabola in log N through `sizes` sizes from best / width to best * width puts the best size, over the best.

    The floor, A, B and the budget drop out: only the exponents and the width matter. Lesson 5.4.
    """
    t = np.linspace(-np.log(width), np.log(width), sizes)
    c2, c1, _ = np.polyfit(t, _excess(t, alpha, beta), 2)
    return float(np.exp(-c1 / (2 * c2)))


def draw_parabola(alpha: float = 0.4, beta: float = 0.7, width: float = 8.0) -> Figure:
    """One budget of a known surface, the parabola through nine sizes, and how far its lowest point is off."""
    fig, (left, right) = plots.figure(columns=2, width=9.6, height=3.9)
    t = np.linspace(-np.log(width), np.log(width), 9)
    wide = np.linspace(1.15 * t[0], 1.15 * t[-1], 200)
    curve = np.polyfit(t, _excess(t, alpha, beta), 2)
    ratio = parabola_ratio(alpha, beta, width)
    plots.theory(left, np.exp(wide), _excess(wide, alpha, beta))
    left.plot(np.exp(wide), np.polyval(curve, wide), color=plots.COLOURS["blue"])
    plots.measured(left, np.exp(t), _excess(t, alpha, beta))
    left.plot(1, 1, "*", color=plots.COLOURS["black"], markersize=13, zorder=4)
    at = np.log(ratio)
    left.plot(ratio, np.polyval(curve, at), "v", color=plots.COLOURS["orange"], markersize=9, zorder=4)
    left.set(xscale="log", xlabel="size N / best size", ylabel="loss above E / its minimum")
    left.set_title(f"The parabola says {ratio:.2f} of the best size")
    left.text(0.5, 0.95, "dashed: truth, star: its minimum\nblue: parabola, triangle: its minimum",
              transform=left.transAxes, ha="center", va="top", fontsize=10)  # fmt: skip

    widths = np.geomspace(1.2, 32, 60)
    right.plot(widths, [parabola_ratio(alpha, beta, w) for w in widths], color=plots.COLOURS["blue"])
    right.axhline(1, color=plots.COLOURS["black"], linestyle="--", linewidth=1.2)
    right.plot(width, ratio, "v", color=plots.COLOURS["orange"], markersize=9)
    right.set(
        xscale="log", xlabel="sizes reach this factor each way", ylabel="parabola's size / best size", ylim=(0.4, 1.6)
    )
    right.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
    right.minorticks_off()
    side = "small" if ratio < 0.995 else "large" if ratio > 1.005 else ""
    right.set_title(f"Wider sizes, more bias: too {side}" if side else "Equal exponents: no bias")
    return fig


# --- the landscape of the two exponents -----------------------------------------------------------


def _design(N: Array, D: Array, L: Array, alpha: float, beta: float) -> Array:
    return np.stack([1 / L, N**-alpha / L, D**-beta / L], axis=1)


@lru_cache(maxsize=8)
def _landscape(N: bytes, D: bytes, L: bytes) -> tuple[Array, Array, Array]:
    """Alphas, betas and the rms relative residual of the best E, A, B for each pair."""
    n, d, loss = (np.frombuffer(column) for column in (N, D, L))
    alphas, betas = np.linspace(0.05, 1.0, 30), np.linspace(0.05, 1.2, 30)
    rms = np.array([[optimize.nnls(_design(n, d, loss, a, b), np.ones(len(n)))[1] for a in alphas] for b in betas])
    return alphas, betas, rms / np.sqrt(len(n))


def draw_landscape(N: Any, D: Any, loss: Any, alpha: float = 0.4, beta: float = 0.6) -> Figure:
    """For each pair of exponents the best E, A, B: how well they fit, and what they leave over at (alpha, beta)."""
    N, D, L = (np.ascontiguousarray(column, dtype=float) for column in (N, D, loss))
    alphas, betas, rms = _landscape(N.tobytes(), D.tobytes(), L.tobytes())
    (E, A, B), _ = optimize.nnls(_design(N, D, L, alpha, beta), np.ones(len(L)))
    residual = np.log(L / (E + A * N**-alpha + B * D**-beta))
    here = float(np.sqrt(np.mean(residual**2)))

    fig, (left, right) = plots.figure(columns=2, width=9.6, height=4.0)
    levels = 100 * float(rms.min()) * np.array([1.02, 1.2, 1.5, 2, 3, 4, 6, 9, 14])
    lines = left.contour(alphas, betas, 100 * rms, levels=levels, cmap="viridis", linewidths=1.3)
    left.clabel(lines, levels[1::2], fmt="%.2g %%", fontsize=9)
    left.plot(alpha, beta, "o", color=plots.COLOURS["orange"], markersize=10)
    left.set(xlabel="alpha", ylabel="beta")
    left.set_title(f"rms residual {here:.2%} of the loss")
    order = np.argsort(N)
    right.axhline(0, color=plots.COLOURS["black"], linewidth=1)
    right.scatter(D[order], 100 * residual[order], c=np.log(N[order]), cmap="viridis", s=28, zorder=3)
    most = max(2.0, 110 * float(np.abs(residual).max()))
    right.set(xscale="log", xlabel="tokens D (dark: small models, light: large)", ylabel="measured above the law (%)")
    right.set_ylim(-most, most)
    right.set_title(f"E = {E:.3g}, A = {A:.3g}, B = {B:.3g}")
    return fig


# --- a sweep and its laws -------------------------------------------------------------------------


def draw_sweep(runs: Any, fit: Fit, isoflop: Fit | None = None) -> Figure:
    """Left: the runs at each budget with the surface's curves and the parabolas' minima. Right: the residuals."""
    fig, (left, right) = plots.figure(columns=2, width=9.6, height=4.2)
    budgets = np.unique(runs["budget"])
    for k, budget in enumerate(budgets):
        colour = CYCLE[k % len(CYCLE)]
        these = runs[runs["budget"] == budget].sort_values("n_params")
        N, D = these["n_params"].to_numpy(float), these["tokens"].to_numpy(float)
        plots.measured(left, N, these["loss"], colour=colour, marker=plots.MARKERS[k % len(plots.MARKERS)])
        left.plot(N, fit.predict(n_params=N, tokens=D), color=plots.COLOURS[colour], linewidth=1.5)
        plots.label(left, N[-1], float(these["loss"].iloc[-1]), f"{budget:.0e} FLOPs", colour=colour, offset=(8, -4))
        left_over = np.log(these["loss"].to_numpy(float) / fit.predict(n_params=N, tokens=D))
        plots.measured(right, D / N, 100 * left_over, colour=colour, marker=plots.MARKERS[k % len(plots.MARKERS)])
    if isoflop is not None:
        for one in isoflop.optima:
            if not one.edge:
                left.plot(one.n_params, one.loss, "*", color=plots.COLOURS["black"], markersize=11, zorder=5)
    left.set(
        xscale="log", xlabel="parameters N (star: lowest point of the parabola)", ylabel="validation loss L (nats)"
    )
    left.set_xlim(right=4.5 * float(runs["n_params"].max()))
    left.set_title("Each budget has a best size")
    right.axhline(0, color=plots.COLOURS["black"], linewidth=1)
    right.set(xscale="log", xlabel="tokens per parameter D / N", ylabel="measured above the law (%)")
    rms = float(np.sqrt(np.mean(fit.residuals**2)))
    right.set_title(f"Residuals: {rms:.1%} rms")
    return fig


# --- published points -----------------------------------------------------------------------------


def draw_residuals(
    residuals: Mapping[str, Any], title: str = "The printed constants miss the published points"
) -> Figure:
    """Histograms of log measured - log predicted, one for each set of constants, beneath each other."""
    fig, axes = plots.figure(rows=len(residuals), width=7.6, height=1.5 + 1.25 * len(residuals), sharex=True)
    bins = np.linspace(-5, 5, 61)
    for k, (ax, (name, values)) in enumerate(zip(np.atleast_1d(axes), residuals.items(), strict=True)):
        percent = 100 * np.asarray(values)
        ax.hist(np.clip(percent, bins[0], bins[-1]), bins=bins, color=plots.COLOURS[CYCLE[k]], edgecolor="white")
        ax.axvline(0, color=plots.COLOURS["black"], linewidth=1)
        ax.axvline(np.median(percent), color=plots.COLOURS["black"], linestyle="--", linewidth=1.4)
        ax.text(0.99, 0.9, f"{name}\nmedian {np.median(percent):+.2f} %", transform=ax.transAxes, ha="right", va="top",
                fontsize=10)  # fmt: skip
        ax.set_ylabel("runs")
    np.atleast_1d(axes)[-1].set_xlabel("measured above predicted (% of the loss; end bars: and beyond)")
    np.atleast_1d(axes)[0].set_title(title)
    return fig


def draw_porian(steps: Sequence[str], exponents: Mapping[str, Sequence[tuple[float, float, float]]]) -> Figure:
    """The exponent of the best size after each repair, with its interval, one series a data set."""
    fig, ax = plots.figure(width=8.6, height=4.2)
    for height, said in ((0.73, "Kaplan et al. 2020: 0.73"), (0.5, "Hoffmann et al. 2022: 0.50")):
        ax.axhline(height, color=plots.COLOURS["black"], linestyle="--", linewidth=1.2, zorder=1)
        ax.text(-0.35, height - 0.005, said, ha="left", va="top", fontsize=10)
    for k, (name, values) in enumerate(exponents.items()):
        a, low, high = np.array(values).T
        x = np.arange(len(steps)) + 0.12 * k
        plots.measured(ax, x, a, low, high, colour=CYCLE[k], marker=plots.MARKERS[k])
        plots.label(
            ax, x[2], a[2], name, colour=CYCLE[k], offset=(10, 10) if k else (-10, -14), ha="left" if k else "right"
        )
    ax.set_xticks(range(len(steps)), steps, fontsize=9.5)
    ax.set(ylabel="exponent a of the best size", xlim=(-0.4, len(steps) - 0.5), ylim=(0.41, 0.95))
    ax.set_title("Four repairs lead from Kaplan's exponent to Chinchilla's")
    return fig


# --- how sure -------------------------------------------------------------------------------------


def _marks(ax: Axes, rows: Sequence[tuple[str, float, float, float]], colours: Sequence[str]) -> None:
    for k, ((_, value, low, high), colour) in enumerate(zip(rows, colours, strict=False)):
        ax.errorbar(value, -k, xerr=[[value - low], [high - value]], fmt="o", color=plots.COLOURS[colour], capsize=4)
    ax.set_yticks([-k for k in range(len(rows))], [name for name, *_ in rows])
    ax.set_ylim(-len(rows) + 0.4, 0.6)


def draw_seeds(
    rows: Mapping[str, Sequence[tuple[str, float, float, float]]], title: str = "Three seeds, three laws"
) -> Figure:
    """For each parameter: rows of (name, value, low, high)."""
    fig, axes = plots.figure(
        columns=len(rows), width=9.6, height=0.8 + 0.55 * len(next(iter(rows.values()))), sharey=True
    )
    for ax, (name, each) in zip(np.atleast_1d(axes), rows.items(), strict=True):
        _marks(ax, each, ["blue", "orange", "green", "pink"] * len(each))
        ax.set_xlabel(name)
    fig.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
    return fig


# --- the bet --------------------------------------------------------------------------------------


def draw_bet(runs: Any, compute: Any, predicted: Any, low: Any, high: Any, measured: tuple[float, float]) -> Figure:
    """Loss against compute: the runs, the law's best loss with its interval (arrays over `compute`), and the new run.

    `measured` is the new run's compute and loss; the title says whether it lies in the interval where `compute` ends.
    """
    fig, ax = plots.figure(width=7.8, height=4.2)
    ax.fill_between(compute, low, high, color=plots.COLOURS["sky"], alpha=0.4, linewidth=0)
    plots.theory(ax, compute, predicted)
    ax.plot(runs["flops"], runs["loss"], "o", color=plots.COLOURS["grey"], markersize=4, alpha=0.7)
    best = runs.loc[runs.groupby("budget")["loss"].idxmin()]
    plots.measured(ax, best["flops"], best["loss"])
    ax.plot(*measured, "*", color=plots.COLOURS["orange"], markersize=16, zorder=5)
    plots.label(ax, *measured, "the run", colour="orange", offset=(-10, 12), ha="right")
    edge = float(np.max(runs["budget"]))
    ax.axvline(edge * 1.2, color=plots.COLOURS["black"], linewidth=1, linestyle=":")
    ax.text(edge * 1.1, 0.98, "runs", transform=ax.get_xaxis_transform(), ha="right", va="top", fontsize=10)
    ax.text(edge * 1.35, 0.98, "prediction", transform=ax.get_xaxis_transform(), ha="left", va="top", fontsize=10)
    ax.set(xscale="log", xlabel="training compute C (FLOPs)", ylabel="validation loss L (nats)")
    where = "inside" if low[-1] <= measured[1] <= high[-1] else "outside"
    ax.set_title(f"The run lands {where} the law's 95 % interval")
    return fig
