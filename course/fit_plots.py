"""Figures of fitted laws, one design a law: the runs, the law through them, what it leaves over, and where it leads.

`draw_fit(fit, columns)` picks the design; `columns` are those that the law was fitted to. Runs are points, the law is
lines, intervals are bands or bars; what lies beyond the runs has a grey ground. Used by `course fit --plot`
and lesson 5.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from course import plots
from course.laws import compute_optimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

    from course.laws import Fit

__all__ = ["draw_budgets", "draw_curve", "draw_fit", "draw_isoflop", "draw_surface"]

Array = NDArray[Any]
Columns = Mapping[str, Any]
Points = Sequence[Mapping[str, float]]


def draw_fit(fit: Fit, columns: Columns, *, at: Points = (), names: Mapping[str, str] | None = None) -> Figure:
    """The figure of a fit. columns: name -> (n,) values, the rows of the fit in their order.

    at: points to predict, such as {"x": 1e6} or {"flops": 1e21}, drawn with their intervals. names: what the
    columns are called on the axes, where "x", "y" and "loss" say too little.
    """
    if fit.law in ("isoflop", "envelope"):
        return draw_isoflop(fit, columns, at=at, names=names)
    if fit.law in ("chinchilla", "kaplan"):
        return draw_surface(fit, columns, at=at, names=names)
    return draw_curve(fit, columns, at=at, names=names)


# --- shared ---------------------------------------------------------------------------------------


def _column(columns: Columns, name: str) -> Array:
    return np.asarray(columns[name], dtype=float)


def _tex(value: float) -> str:
    """A size for a label: 1.2e19 as a product with a power of ten, 1 to 9999 as it is."""
    if 1e-2 <= value < 1e4:
        return f"{value:.3g}" if value < 100 else f"{value:.0f}"
    digits, power = f"{value:.1e}".split("e")
    digits = digits.removesuffix(".0")
    return rf"$10^{{{int(power)}}}$" if digits == "1" else rf"${digits}\cdot 10^{{{int(power)}}}$"


def _plain_ticks(axis: Any) -> None:
    """Few, plainly written ticks on a logarithmic axis that covers less than two decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    if high / low < 100:
        few = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]) if high / low < 8 else LogLocator(subs=[1.0, 2.0, 5.0])
        axis.set_major_locator(few)
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _sizes(*axes: Any) -> None:
    """Ticks of sizes: powers of ten, or 1, 2 and 5 times these where there are few, so that labels keep apart."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in axes:
        low, high = axis.get_view_interval()
        if high / low < 100:
            axis.set_major_locator(LogLocator(subs=[1.0, 2.0, 5.0] if high / low < 12 else [1.0, 3.0]))
            axis.set_major_formatter(FuncFormatter(lambda value, _: _tex(value)))
        axis.set_minor_formatter(NullFormatter())


def _colours(values: Array) -> tuple[Colormap, Normalize]:
    """A map from compute to colour that stays distinct under colour-vision deficiencies; the lightest end is cut off."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm

    shades = ListedColormap(colormaps["viridis"](np.linspace(0.0, 0.86, 256)))
    low, high = float(values.min()), float(values.max())
    return shades, LogNorm(low, high if high > low else low * 10)


def _shade(shades: Colormap, value: float) -> str:
    from matplotlib.colors import to_hex

    return to_hex(shades(value))


def _residual_panel(ax: Axes, x: Array, residuals: Array, colours: Any, xlabel: str, what: str) -> None:
    """What the law leaves over, in percent of its value, with the band of one root mean square; the worst run is named."""
    off = 100 * np.expm1(residuals)
    spread = 100 * float(np.sqrt(np.mean(np.square(residuals))))  # of logs, as the report has it
    ax.axhspan(-spread, spread, color="#EFEFEF", linewidth=0, zorder=0)
    ax.axhline(0, color=plots.COLOURS["black"], linewidth=1.2, linestyle="--", zorder=1)
    ax.scatter(x, off, c=colours, s=22, zorder=3, linewidth=0)
    ax.set(xscale="log", xlabel=xlabel, ylabel=f"{what} observed over law (%)")
    ax.margins(y=0.14)
    _sizes(ax.xaxis)
    worst = int(np.argmax(np.abs(off)))
    if spread > 1e-6 and abs(off[worst]) > 2.5 * spread:
        left = math.log(x[worst] / x.min()) < 0.6 * math.log(x.max() / x.min())
        side: Any = {"ha": "left", "offset": (7, 0)} if left else {"ha": "right", "offset": (-7, 0)}
        plots.label(ax, float(x[worst]), float(off[worst]), "the worst run", colour="grey", va="center", **side)
    ax.set_title(f"The law misses by {_percent(spread)} (rms)")


def _percent(value: float) -> str:
    return f"{value:.1f} %" if value >= 1 else f"{value:.2g} %" if value > 1e-4 else "less than 0.0001 %"


def _beyond(ax: Axes, start: float) -> None:
    """A grey ground to the right of the runs."""
    first, end = ax.get_xlim()
    if end > start * 1.01:
        narrow = math.log(end / start) < 0.22 * math.log(end / first)
        ax.axvspan(start, end, color="#F3F3F3", linewidth=0, zorder=0)
        said = " beyond\n the runs" if narrow else " beyond the runs"
        grey = plots.COLOURS["grey"]
        ax.text(start, 0.985, said, transform=ax.get_xaxis_transform(), va="top", fontsize=9, color=grey)
        ax.set_xlim(right=end)


def _power_of(symbol: str, exponent: float) -> str:
    return rf"${symbol}^{{{exponent:.3f}}}$"


# --- curves ---------------------------------------------------------------------------------------


def draw_curve(fit: Fit, columns: Columns, *, at: Points = (), names: Mapping[str, str] | None = None) -> Figure:
    """Runs and law on log-log axes with the bands of the law and of one new run, and the residuals beside them."""
    x, y = _column(columns, "x"), _column(columns, "y")
    called = {"x": "x", "y": "y", **(names or {})}
    wanted = np.array([point["x"] for point in at if "x" in point])
    fig, (left, right) = plots.figure(2, width=10.8, height=4.3, width_ratios=(3, 2))
    grid = np.geomspace(min(x.min(), *wanted, x.max()), max(x.max() * 3, *(wanted * 1.6), x.min()), 300)
    blue, orange = plots.COLOURS["blue"], plots.COLOURS["orange"]
    if fit.samples:
        left.fill_between(grid, *fit.predict_interval(x=grid), color=blue, alpha=0.12, linewidth=0)
        left.fill_between(grid, *fit.predict_interval(x=grid, observation=False), color=blue, alpha=0.25, linewidth=0)
    plots.theory(left, grid, fit.predict(x=grid))
    used = np.ones(len(x), dtype=bool) if fit.used is None else fit.used
    left.scatter(x[used], y[used], s=26, color=blue, zorder=3, linewidth=0)
    left.scatter(x[~used], y[~used], s=26, facecolor="none", edgecolor=blue, zorder=3)
    left.set(xscale="log", yscale="log", xlabel=called["x"], ylabel=called["y"])
    floor = fit.params.get("E", 0.0)
    if floor > 0.3 * y.min():
        left.axhline(floor, color=orange, linewidth=1.4, linestyle="-.")
        plots.label(left, float(grid[0]), floor, f"floor {floor:.3g}", colour="orange", offset=(2, 4))
    for value in wanted:
        _mark(left, fit, float(value))
    left.set_xlim(grid[0] / (grid[-1] / grid[0]) ** 0.03, grid[-1])
    _beyond(left, float(x.max()))
    _plain_ticks(left.yaxis)
    _sizes(left.xaxis)
    left.set_title(_curve_title(fit, called))
    _residual_panel(right, x[used], fit.residuals[used], blue, called["x"], called["y"])
    return fig


def _mark(ax: Axes, fit: Fit, x: float) -> None:
    """A prediction at x with the interval of one new run."""
    y = float(fit.predict(x=x)[0])
    low, high = (float(end[0]) for end in fit.predict_interval(x=x)) if fit.samples else (None, None)
    ends = {} if low is None else {"low": [low], "high": [high]}
    plots.measured(ax, [x], [y], **ends, colour="orange", marker="D")
    plots.label(ax, x, high or y, f"{y:.4g}", colour="orange", ha="center", va="bottom", offset=(0, 5))


def _curve_title(fit: Fit, called: Mapping[str, str]) -> str:
    p = fit.params
    verb = "falls" if p.get("alpha", 1) >= 0 else "rises"
    if "alpha2" in p:
        return f"The exponent of {called['x']} changes from {-p['alpha']:.2f} to {-p['alpha2']:.2f}"
    if p.get("E", 0) > 0:
        return f"{called['y']} {verb} as {called['x']}{_up(-p['alpha'])} towards a floor of {p['E']:.3g}"
    return f"{called['y']} {verb} as {called['x']}{_up(-p['alpha'])}" if "alpha" in p else f"Runs and the law {fit.law}"


def _up(exponent: float) -> str:
    return rf"$^{{\mathbf{{{exponent:.3f}}}}}$"


# --- surfaces -------------------------------------------------------------------------------------


def draw_surface(fit: Fit, columns: Columns, *, at: Points = (), names: Mapping[str, str] | None = None) -> Figure:
    """Loss against size, coloured by compute: runs, the surface cut at budgets, the best size of each with its interval."""
    n, d, loss = (_column(columns, name) for name in ("n_params", "tokens", "loss"))
    compute = 6 * n * d
    shades, norm = _colours(compute)
    fig, (left, right) = plots.figure(2, width=11.4, height=4.7, width_ratios=(3, 2))
    left.scatter(n, loss, c=shades(norm(compute)), s=20, zorder=3, linewidth=0, alpha=0.75)
    left.set(xscale="log", yscale="log", xlabel="parameters N", ylabel=(names or {}).get("loss", "loss L"))
    levels = _levels(compute)
    for level in levels:
        near = np.abs(np.log(compute / level)) < max(np.log(levels[-1] / levels[0]) / len(levels), 0.7)
        low, high = (n[near].min() / 1.3, n[near].max() * 1.3) if near.any() else (n.min(), n.max())
        grid = np.geomspace(low, high, 200)
        slice_ = fit.predict(n_params=grid, tokens=level / 6 / grid)
        shown = slice_ <= loss.max() * 1.03
        left.plot(grid[shown], slice_[shown], color=shades(norm(level)), linewidth=1.7, zorder=2)
        plots.label(
            left, float(grid[shown][-1]), float(slice_[shown][-1]), _tex(level), colour=_shade(shades, norm(level)),
            va="center", offset=(5, 0),
        )  # fmt: skip
    _frontier(left, fit, levels, n, shades, norm)
    stars = [star for point in at if (star := _as_run(fit, point))]
    for i, (size, value) in enumerate(stars):
        left.plot([size], [value], "*", color=plots.COLOURS["orange"], markersize=13, markeredgecolor="white", zorder=6)
        side: Any = {"va": "top", "offset": (0, -8)} if i % 2 else {"offset": (0, 8)}  # neighbours do not overlap
        plots.label(left, size, value, f"{value:.4g}", colour="orange", ha="center", **side)
    left.margins(x=0.08, y=0.06)
    if any(size > n.max() for size, _ in stars):
        _beyond(left, float(n.max()))
    _plain_ticks(left.yaxis)
    _sizes(left.xaxis)
    left.text(
        0.015, 0.02, "lines: the law at a budget of\ncompute, in FLOPs; diamonds: its\nbest size with the interval",
        transform=left.transAxes, va="bottom", fontsize=9, color=plots.COLOURS["grey"],
    )  # fmt: skip
    left.set_title(_surface_title(fit), pad=12)
    along, name = (n, "parameters N") if compute.max() < 1.3 * compute.min() else (compute, "compute C = 6ND (FLOPs)")
    _residual_panel(right, along, fit.residuals, shades(norm(compute)), name, "loss")
    return fig


def _levels(compute: Array) -> Array:
    """Budgets to cut the surface at: those that the runs fall into, else round numbers among their compute."""
    ordered = np.sort(np.log(compute))
    groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > np.log(1.3)) + 1)
    if len(groups) <= 8 and max(np.ptp(group) for group in groups) < np.log(1.8):
        return np.array([np.exp(group.mean()) for group in groups])
    low, high = np.quantile(compute, [0.02, 0.98])
    powers = 10.0 ** np.arange(math.floor(np.log10(low)), math.ceil(np.log10(high)) + 1)
    for steps in ([1.0, 3.0], [1.0]):
        levels = np.sort((powers[:, None] * steps).ravel())
        levels = levels[(levels >= low) & (levels <= high)]
        if len(levels) <= 7:
            break
    levels = levels[:: max(1, math.ceil(len(levels) / 7))]
    return levels if len(levels) > 2 else np.unique(np.geomspace(low, high, 4))


def _frontier(ax: Axes, fit: Fit, levels: Array, n: Array, shades: Colormap, norm: Normalize) -> None:
    """The best size at each budget, with its interval, and the line that they follow; nothing where no size is best."""
    try:
        fine = [compute_optimal(fit, flops) for flops in np.geomspace(levels[0] / 3, levels[-1] * 3, 40)]
        found = [compute_optimal(fit, level) for level in levels]
    except ValueError:
        return
    inside = [one for one in fine if n.min() <= one.n_params <= n.max()]
    if not inside:
        return
    plots.theory(ax, [one.n_params for one in inside], [one.loss for one in inside], zorder=4)
    last = inside[-1]
    plots.label(ax, last.n_params, last.loss, "best size", ha="right", va="top", offset=(-8, 2))
    for one in found:
        if n.min() <= one.n_params <= n.max():
            ends = one.interval.get("n_params", (one.n_params, one.n_params))
            ax.plot(ends, [one.loss] * 2, color=plots.COLOURS["black"], linewidth=3.2, alpha=0.55, zorder=5)
            ax.plot(
                [one.n_params], [one.loss], "D", color=shades(norm(one.flops)), markeredgecolor="white", markersize=8,
                zorder=6,
            )  # fmt: skip


def _as_run(fit: Fit, point: Mapping[str, float]) -> tuple[float, float] | None:
    """Size and loss of a point to predict: a run, or the best use of a budget; None where no size is best."""
    if "flops" in point:
        try:
            best = compute_optimal(fit, point["flops"])
        except ValueError:
            return None
        return best.n_params, best.loss
    return point["n_params"], float(fit.predict(**point)[0])


def _surface_title(fit: Fit) -> str:
    p = fit.params
    if fit.law == "chinchilla":
        return (
            rf"L = {p['E']:.3g} + A / N{_up(p['alpha'])} + B / D{_up(p['beta'])},  "
            rf"best size $\mathbf{{\propto}}$ C{_up(p['a'])}"
        )
    slope = p["alpha_N"] / p["alpha_D"]
    return rf"Kaplan's law: N{_up(-p['alpha_N'])}, D{_up(-p['alpha_D'])}, best size $\propto$ C{_up(1 / (1 + slope))}"


# --- budgets --------------------------------------------------------------------------------------


def draw_isoflop(fit: Fit, columns: Columns, *, at: Points = (), names: Mapping[str, str] | None = None) -> Figure:
    """Loss against size at each budget with its optimum, and the best size against compute with the band of the law."""
    flops = _column(columns, "budget" if "budget" in columns and fit.law == "isoflop" else "flops")
    n, loss = _column(columns, "n_params"), _column(columns, "loss")
    fig, (left, right) = plots.figure(2, width=11.4, height=4.7)
    draw = _budgets if fit.law == "isoflop" else _curves
    draw(left, fit, flops, n, loss)
    left.set(xscale="log", yscale="log", xlabel="parameters N", ylabel=(names or {}).get("loss", "loss L"))
    if fit.law == "envelope":
        left.set_xlabel("compute C (FLOPs)")
    _plain_ticks(left.yaxis)
    _sizes(left.xaxis)
    _best_size(right, fit, flops, [point["flops"] for point in at if "flops" in point])
    return fig


def draw_budgets(columns: Columns) -> Figure:
    """Loss against size at each budget, where too few budgets show a best size for a law."""
    flops, n, loss = (_column(columns, name) for name in ("budget", "n_params", "loss"))
    fig, ax = plots.figure(width=7.8, height=4.7)
    shades, norm = _colours(flops)
    for budget in np.unique(flops):
        mine, colour = flops == budget, _shade(shades, norm(budget))
        sizes = np.unique(n[mine])
        means = [loss[mine & (n == size)].mean() for size in sizes]
        ax.plot(sizes, means, color=colour, linewidth=1.2, zorder=1)
        ax.scatter(n[mine], loss[mine], s=20, color=colour, linewidth=0, alpha=0.8, zorder=3)
        plots.label(ax, float(sizes[-1]), float(means[-1]), _tex(budget), colour=colour, va="center", offset=(7, 2))
    ax.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="loss L (nats)")
    ax.margins(x=0.14)
    _plain_ticks(ax.yaxis)
    _sizes(ax.xaxis)
    ax.set_title("Too few budgets (FLOPs) show a best size for a law")
    return fig


def _of_budget(fit: Fit, flops: Array) -> Array:
    """The place in `fit.optima` of each run's budget, or -1 for a budget that was left out."""
    budgets = np.array([one.flops for one in fit.optima])
    off = np.abs(np.log(flops[:, None] / budgets))
    return np.where(off.min(axis=1) < np.log(1.3), off.argmin(axis=1), -1)


def _budgets(ax: Axes, fit: Fit, flops: Array, n: Array, loss: Array) -> None:
    group = _of_budget(fit, flops)
    shades, norm = _colours(np.array([one.flops for one in fit.optima]))
    rest = group < 0
    ax.scatter(n[rest], loss[rest], marker="x", s=18, color=plots.COLOURS["grey"], linewidth=1)
    top, every = 0.0, math.ceil(len(fit.optima) / 7)
    for i, one in enumerate(fit.optima):
        mine, colour = group == i, _shade(shades, norm(one.flops))
        ax.scatter(n[mine], loss[mine], s=20, color=colour, linewidth=0, alpha=0.8, zorder=3)
        sizes = np.unique(n[mine])
        means = np.array([loss[mine & (n == size)].mean() for size in sizes])
        ax.plot(sizes, means, color=colour, linewidth=1, alpha=0.35, zorder=1)
        near = np.sort(np.argsort(np.abs(np.log(sizes / one.n_params)))[:5])
        end = float(sizes[near[-1]]), float(means[near[-1]])
        if one.edge:
            ax.plot(sizes, means, color=colour, linewidth=1.2, linestyle=":", zorder=2)
        else:
            grid, curve = _parabola(np.log(sizes[near]), np.log(means[near]), one.n_params, one.loss)
            ax.plot(grid, curve, color=colour, linewidth=1.8, zorder=2)
            ax.plot([one.n_params], [one.loss], "D", color=plots.COLOURS["orange"], markeredgecolor="white", zorder=5)
            end = float(grid[-1]), float(curve[-1])
        top = max(top, float(means[near].max()))
        if i % every == 0 or i == len(fit.optima) - 1:
            plots.label(ax, *end, f"{_tex(one.flops)}", colour=colour, va="center", offset=(7, 2))
    above = int((loss > top * 1.08).sum())
    if above:
        ax.set_ylim(top=top * 1.08)
        said = f"{above} runs lie above"
        ax.text(
            0.985, 0.97, said, transform=ax.transAxes, ha="right", va="top", fontsize=9, color=plots.COLOURS["grey"],
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
        )  # fmt: skip
    ax.margins(x=0.14)
    ax.set_title("Each budget of compute (FLOPs) has a best size")


def _parabola(x: Array, y: Array, best: float, lowest: float) -> tuple[Array, Array]:
    """The parabola in log size with the fitted lowest point, curved as the nearest sizes say; x, y are logarithms."""
    t = x - np.log(best)
    bend = max(float(t**2 @ (y - np.log(lowest)) / (t**2 @ t**2)), 0.0)
    grid = np.linspace(x.min(), x.max(), 120)
    return np.exp(grid), lowest * np.exp(bend * (grid - np.log(best)) ** 2)


def _curves(ax: Axes, fit: Fit, flops: Array, n: Array, loss: Array) -> None:
    """Learning curves, one a size, with the sizes that are best somewhere."""
    shades, norm = _colours(n)
    sizes = np.unique(n)
    for size in sizes:
        order = np.flatnonzero(n == size)[np.argsort(flops[n == size])]
        ax.plot(flops[order], loss[order], color=shades(norm(size)), linewidth=1.3, marker=".", markersize=4)
    for size in (sizes[0], sizes[-1]):
        last = np.flatnonzero(n == size)[np.argmax(flops[n == size])]
        plots.label(
            ax,
            float(flops[last]),
            float(loss[last]),
            f"N = {_tex(size)}",
            colour=_shade(shades, norm(size)),
            va="center",
        )
    seen = [one for one in fit.optima if not one.edge]
    ax.plot(
        [one.flops for one in seen], [one.loss for one in seen], "D", color=plots.COLOURS["orange"],
        markeredgecolor="white", zorder=5,
    )  # fmt: skip
    ax.margins(x=0.12)
    ax.set_title("The lower envelope of the learning curves")


def _best_size(ax: Axes, fit: Fit, flops: Array, wanted: Sequence[float]) -> None:
    seen, edges = ([one for one in fit.optima if one.edge is edge] for edge in (False, True))
    grid = np.geomspace(flops.min() / 1.3, max([flops.max() * 5, *(2 * value for value in wanted)]), 100)
    if fit.samples:
        band = fit.predict_interval(flops=grid, observation=False)
        ax.fill_between(grid, *band, color=plots.COLOURS["orange"], alpha=0.18, linewidth=0)
    plots.theory(ax, grid, fit.predict(flops=grid))
    low, high = (
        [getattr(one, end) if math.isfinite(getattr(one, end)) else one.n_params for one in seen]
        for end in ("low", "high")
    )
    plots.measured(
        ax, [one.flops for one in seen], [one.n_params for one in seen], low, high, colour="orange", marker="D"
    )
    ax.plot(
        [one.flops for one in edges], [one.n_params for one in edges], "x", color=plots.COLOURS["grey"], markersize=7
    )
    if edges:
        last = edges[-1]
        plots.label(ax, last.flops, last.n_params, "at the edge: left out", colour="grey", va="top", offset=(4, -6))
    for value in wanted:
        size = float(fit.predict(flops=value)[0])
        ax.plot([value], [size], "*", color=plots.COLOURS["blue"], markersize=13, markeredgecolor="white", zorder=6)
        plots.label(ax, value, size, _tex(size), colour="blue", va="top", offset=(4, -8))
    ax.set(xscale="log", yscale="log", xlabel="compute C (FLOPs)", ylabel="best size N (parameters)")
    ax.set_xlim(grid[0], grid[-1])
    _beyond(ax, float(flops.max()))
    _sizes(ax.xaxis, ax.yaxis)
    ends = fit.interval.get("a")
    said = rf" ({ends[0]:.2f} to {ends[1]:.2f})" if ends else ""
    ax.set_title(f"The best size grows as C{_up(fit.params['a'])}{said}")
