"""Figures of fitted laws: the runs, the law through them, what is left over, and the best size of a budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from course import plots
from course.laws.optimal import compute_optimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from course.laws import Fit

__all__ = ["draw_fit", "draw_isoflop"]


def draw_fit(fit: Fit, columns: Mapping[str, Any]) -> Figure:
    """The figure that suits the fit's law; `columns` are those it was fitted to (and `budget`, where there is one)."""
    if fit.law in ("isoflop", "envelope"):
        return draw_isoflop(fit, columns)
    if fit.law in ("chinchilla", "kaplan"):
        return _surface(fit, columns)
    return _curve(fit, columns)


def _shades(count: int) -> Any:
    import matplotlib as mpl

    return np.array(
        [mpl.colors.to_hex(mpl.colormaps["viridis"](part)) for part in np.linspace(0.0, 0.85, max(count, 1))]
    )


def _residuals(ax: Axes, x: Any, residuals: Any, colour: Any, xlabel: str) -> None:
    ax.axhline(0, color=plots.COLOURS["black"], linewidth=1)
    ax.scatter(x, 100 * np.expm1(residuals), c=colour, s=20)
    ax.set_xscale("log")
    ax.set_xlabel(xlabel)
    ax.set_ylabel("observed over law (%)")
    ax.set_title("What the law leaves over")


def _curve(fit: Fit, columns: Mapping[str, Any]) -> Figure:
    x, y = (np.asarray(columns[name], dtype=float) for name in ("x", "y"))
    fig, (left, right) = plots.figure(2, width=10, height=4, width_ratios=(3, 2))
    grid = np.geomspace(x.min(), x.max() * 3, 200)
    if fit.samples:
        left.fill_between(grid, *fit.predict_interval(x=grid), color=plots.COLOURS["blue"], alpha=0.15, linewidth=0)
    plots.theory(left, grid, fit.predict(x=grid))
    plots.measured(left, x, y)
    left.axvline(x.max(), color=plots.COLOURS["grey"], linewidth=1, linestyle=":")
    plots.label(left, float(x.max()), float(y.max()), "extrapolated", colour="grey")
    if floor := fit.params.get("E"):
        left.axhline(floor, color=plots.COLOURS["orange"], linewidth=1, linestyle="-.")
        plots.label(left, float(grid[0]), floor, f"floor {floor:.3g}", colour="orange")
    left.set(xscale="log", yscale="log", xlabel="x", ylabel="y", title=f"Runs, the law {fit.law}, and where it leads")
    _residuals(right, x, fit.residuals, plots.COLOURS["blue"], "x")
    return fig


def _surface(fit: Fit, columns: Mapping[str, Any]) -> Figure:
    n, d, loss = (np.asarray(columns[name], dtype=float) for name in ("n_params", "tokens", "loss"))
    compute = 6 * n * d
    fig, (left, right) = plots.figure(2, width=10.5, height=4.2, width_ratios=(3, 2))
    levels = np.geomspace(np.quantile(compute, 0.05), np.quantile(compute, 0.95), 5)
    shades = _shades(len(levels))
    nearest = np.abs(np.log(compute[:, None] / levels)).argmin(axis=1)
    left.scatter(n, loss, c=shades[nearest], s=20, zorder=3)
    grid = np.geomspace(n.min(), n.max(), 200)
    for level, shade in zip(levels, shades, strict=True):
        line = fit.predict(n_params=grid, tokens=level / 6 / grid)
        shown = line < loss.max() * 1.05
        left.plot(grid[shown], line[shown], color=shade, linewidth=1.6)
    ends = [compute_optimal(fit, flops) for flops in np.geomspace(compute.min(), compute.max(), 30)]
    inside = [end for end in ends if n.min() <= end.n_params <= n.max()]
    if inside:
        plots.theory(left, [end.n_params for end in inside], [end.loss for end in inside])
        plots.label(left, inside[-1].n_params, inside[-1].loss, "best size", offset=(4, -12))
    for level, shade in ((levels[0], shades[0]), (levels[-1], shades[-1])):
        at = grid[int(np.argmin(np.abs(fit.predict(n_params=grid, tokens=level / 6 / grid) - loss.max())))]
        left.annotate(f"{level:.0e} FLOPs", (at, loss.max()), color=shade, fontsize=9, ha="center", va="bottom")
    left.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="loss L (nats)")
    left.set_title(f"The law {fit.law} at five budgets of compute", pad=16)
    _residuals(right, compute, fit.residuals, shades[nearest], "compute 6ND (FLOPs)")
    return fig


def draw_isoflop(fit: Fit, columns: Mapping[str, Any]) -> Figure:
    """Loss against size at each budget with the optima, and the best size against compute."""
    flops = np.asarray(columns["budget"] if "budget" in columns else columns["flops"], dtype=float)
    n, loss = (np.asarray(columns[name], dtype=float) for name in ("n_params", "loss"))
    fig, (left, right) = plots.figure(2, width=10.5, height=4.2)
    budgets = np.unique(flops) if len(np.unique(flops)) <= 20 else np.array([one.flops for one in fit.optima])
    nearest = np.abs(np.log(flops[:, None] / budgets)).argmin(axis=1)
    shades = _shades(len(budgets))
    for i, (budget, shade) in enumerate(zip(budgets, shades, strict=True)):
        mine = nearest == i
        left.scatter(n[mine], loss[mine], color=shade, s=16, alpha=0.8)
        sizes = np.unique(n[mine])
        means = [loss[mine & (n == size)].mean() for size in sizes]
        left.plot(sizes, means, color=shade, linewidth=1.4)
        if i in (0, len(budgets) - 1):
            plots.label(left, float(sizes[-1]), float(means[-1]), f"{budget:.2g} FLOPs", colour=shade)
    seen = [one for one in fit.optima if not one.edge]
    left.scatter(
        [o.n_params for o in seen], [o.loss for o in seen], marker="D", s=42, color=plots.COLOURS["orange"], zorder=5
    )
    left.set(xscale="log", xlabel="parameters N", ylabel="loss L (nats)", title="Each budget has a best size")
    left.margins(x=0.18)
    grid = np.geomspace(budgets.min(), budgets.max(), 50)
    plots.theory(right, grid, fit.predict(flops=grid))
    low = [o.low if np.isfinite(o.low) else o.n_params for o in seen]
    high = [o.high if np.isfinite(o.high) else o.n_params for o in seen]
    plots.measured(right, [o.flops for o in seen], [o.n_params for o in seen], low, high, colour="orange", marker="D")
    if edges := [one for one in fit.optima if one.edge]:
        right.plot([o.flops for o in edges], [o.n_params for o in edges], "x", color=plots.COLOURS["grey"])
        plots.label(right, edges[0].flops, edges[0].n_params, "at the edge: left out", colour="grey")
    right.set(xscale="log", yscale="log", xlabel="compute C (FLOPs)", ylabel="best size N (parameters)")
    right.set_title(f"It grows as C^{fit.params['a']:.2f}")
    return fig
