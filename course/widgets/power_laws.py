"""Figures of lesson 1.1: six points, what an exponent costs, a forecast, what straight lines hide, published exponents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course import plots
from course.power_laws import PUBLISHED, fit_line, r_squared, times_more, two_point_exponent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from course.laws import Fit

__all__ = [
    "draw_compute_laws",
    "draw_floors",
    "draw_forecast",
    "draw_hidden",
    "draw_ingredients",
    "draw_look_alike",
    "draw_memories",
    "draw_price",
    "draw_published",
    "draw_six_points",
    "draw_three_forms",
    "interval_or_none",
    "three_forms",
]


def _ticks(axis: Any, values: Sequence[float], form: str = "g") -> None:
    """These values and no others on a logarithmic axis, written out."""
    from matplotlib.ticker import NullLocator

    axis.set_ticks(values, labels=[format(v, form) for v in values])
    axis.set_minor_locator(NullLocator())


def _short(n: float) -> str:
    """1,600 as 1.6k, 5,120,000 as 5.1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:.3g}{letter}"
    return f"{n:.3g}"


def _sizes(ax: Axes, values: Any) -> None:
    from matplotlib.ticker import NullLocator

    ax.xaxis.set_ticks(values, labels=[_short(v) for v in values])
    ax.xaxis.set_minor_locator(NullLocator())


# --- the law --------------------------------------------------------------------------------------


def draw_six_points(samples: Any, losses: Any) -> Figure:
    """The six means on ordinary and on logarithmic axes, with every seed. samples: (k,); losses: (k, seeds) nats."""
    n, every = np.asarray(samples, dtype=float), np.asarray(losses)
    mean = every.mean(axis=1)
    A, alpha = fit_line(n, mean)
    fine = np.geomspace(n[0] / 1.3, n[-1] * 1.3, 100)
    fig, axes = plots.figure(2, width=9.2, height=3.9)
    for ax, title in zip(axes, ("On ordinary axes: a curve", "On logarithmic axes: a straight line"), strict=True):
        ax.plot(fine, A * fine**-alpha, color=plots.COLOURS["grey"], linewidth=1.4)
        ax.plot(np.repeat(n, every.shape[1]), every.ravel(), ".", color=plots.COLOURS["sky"], markersize=4)
        plots.measured(ax, n, mean)
        ax.set(xlabel="characters learned from, D", title=title)
    axes[0].set(ylabel="loss L (nats)")
    axes[0].xaxis.set_major_formatter(lambda value, _: _short(value))
    axes[1].set(xscale="log", yscale="log")
    _sizes(axes[1], n)
    _ticks(axes[1].yaxis, (1.8, 2.0, 2.2, 2.4, 2.6, 2.8))
    plots.label(axes[1], n[2], mean[2], f"slope {-alpha:.3f}", offset=(12, 8))
    return fig


def draw_price(alpha: float, times_lower: float = 2.0) -> Figure:
    """How many times more data it takes for a loss `times_lower` times lower, at every exponent; a point at `alpha`."""
    grid = np.geomspace(0.04, 1.1, 200)
    price = times_more(alpha, times_lower)
    fig, ax = plots.figure(height=3.9)
    ax.plot(grid, times_lower ** (1 / grid), color=plots.COLOURS["grey"])
    plots.measured(ax, [alpha], [price], colour="orange", marker="D", markersize=9)
    shown = f"{price:,.3g}" if price < 1e5 else f"{price:.1e}"
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="exponent alpha",
        ylabel=f"times more data for a loss {times_lower:g} times lower",
        title=f"alpha {alpha:.3g}: a loss {times_lower:.3g} times lower takes {shown} times more data",
        ylim=(1, 1e9),
    )
    _ticks(ax.xaxis, (0.05, 0.1, 0.2, 0.34, 0.5, 1.0))
    return fig


def draw_forecast(
    samples: Any,
    losses: Any,
    law: Fit,
    far: Sequence[float],
    measured: Sequence[float] = (),
    bet: tuple[float, float] | None = None,
) -> Figure:
    """Six points, the law with its interval on to `far`, and the measured values there, as many as there are yet.

    samples: (k,); losses: (k, seeds) nats; law: a fit of L against x with bootstrap; bet: the reader's interval at far[0].
    """
    n, mean = np.asarray(samples, dtype=float), np.asarray(losses).mean(axis=1)
    fine = np.geomspace(n[0], max(far) * 1.25, 120)
    low, high = law.predict_interval(x=fine)
    fig, ax = plots.figure(height=4.1)
    ax.fill_between(fine, low, high, color=plots.COLOURS["grey"], alpha=0.22, linewidth=0)
    plots.theory(ax, fine, law.predict(x=fine))
    plots.measured(ax, n, mean)
    for at, value in zip(far, measured, strict=False):
        plots.measured(ax, [at], [value], colour="orange", marker="*", markersize=14)
        plots.label(ax, at, value, f"{value:.3f}", colour="orange", offset=(-18, 14))
    if bet is not None:
        ax.plot([far[0] * 1.12] * 2, bet, color=plots.COLOURS["green"], linewidth=4, solid_capstyle="butt")
        plots.label(ax, far[0] * 1.12, min(bet), "yours", colour="green", offset=(-12, -16))
    ax.set(xscale="log", yscale="log", xlabel="characters learned from, D", ylabel="loss L (nats)")
    _sizes(ax, (1_600, 6_400, 25_600, *far))
    _ticks(ax.yaxis, (1.2, 1.4, 1.6, 2.0, 2.4, 2.8), ".1f")
    expected = float(law.predict(x=[far[0]])[0])
    if not len(measured):
        ax.set_title(f"The law says {expected:.3f} nats at {far[0]:,} characters, ten times further")
    elif len(measured) == 1:
        ax.set_title(f"Ten times further: {expected:.3f} nats promised, {measured[0]:.3f} measured")
    else:
        ends = [100 * (value / float(law.predict(x=[at])[0]) - 1) for at, value in zip(far, measured, strict=False)]
        ax.set_title(f"One decade on, the law misses by {abs(ends[0]):.1f} %; two decades on, by {abs(ends[-1]):.0f} %")
    return fig


# --- how straight lines fool ----------------------------------------------------------------------


def draw_hidden(alpha: float, floor: float, decades: float) -> Figure:
    """Six exact points of y = E + (1 - E) x^-alpha, the straight line through them, and both a decade further."""
    x = np.logspace(0, decades, 6)
    y = floor + (1 - floor) * x**-alpha
    A, seen = fit_line(x, y)
    last = 10 ** (decades + 1)
    truth, line = floor + (1 - floor) * last**-alpha, A * last**-seen
    fine = np.geomspace(1, last * 1.2, 120)
    fig, ax = plots.figure(height=4.1)
    ax.plot(fine, floor + (1 - floor) * fine**-alpha, color=plots.COLOURS["blue"], linewidth=1.4)
    if floor > 0.8 * min(line, truth):
        ax.axhline(floor, color=plots.COLOURS["grey"], linestyle=":")
        plots.label(ax, 1, floor, "floor E", colour="grey", offset=(2, 4))
    plots.theory(ax, fine, A * fine**-seen, colour="orange")
    plots.measured(ax, x, y)
    plots.measured(ax, [last], [truth], marker="o", markerfacecolor="white")
    plots.measured(ax, [last], [line], colour="orange", marker="s", markerfacecolor="white")
    plots.label(ax, last, truth, "the law", colour="blue", offset=(-8, 10), ha="right")
    plots.label(ax, last, line, "the line", colour="orange", offset=(-8, -14), ha="right")
    ax.set(
        xscale="log", yscale="log", xlabel="x", ylabel="y", xlim=(0.8, last * 1.5), ylim=(min(line, truth) * 0.8, 1.1)
    )
    _ticks(ax.yaxis, [v for v in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0) if v > min(line, truth) * 0.8])
    ax.set_title(
        f"R² {r_squared(y, A * x**-seen):.4f}: the line says alpha {seen:.2f}, the law is {alpha:.2f};\n"
        f"a decade further the line is {100 * abs(line / truth - 1):.0f} % {'too low' if line < truth else 'off'}"
    )
    return fig


def draw_floors(samples: Any, loss: Any, fits: Mapping[str, Fit], three: tuple[float, float, float]) -> Figure:
    """Laws with a floor through the same curve, and beside them the floor of each with its interval.

    samples, loss: (k,), all points. fits: name -> a fit of E + A x^-alpha with bootstrap. three: floor, low and high
    from the last three points, which are the same factor apart.
    """
    x, y = np.asarray(samples, dtype=float), np.asarray(loss, dtype=float)
    alpha = two_point_exponent(x[-3], y[-3] - three[0], x[-2], y[-2] - three[0])
    fine = np.geomspace(x[0], 1e10, 160)
    curves = {name: (fit.predict(x=fine), (fit.params["E"], *fit.interval["E"])) for name, fit in fits.items()} | {
        "last three points": (three[0] + (y[-3] - three[0]) * (fine / x[-3]) ** -alpha, three)
    }
    fig, (ax, side) = plots.figure(2, width=9.2, height=4.2, sharey=True, width_ratios=(3.2, 1))
    looks = (("orange", "--"), ("green", "-"), ("pink", "-."))
    for at, ((name, (curve, (floor, low, high))), (colour, dashes)) in enumerate(
        zip(curves.items(), looks, strict=False)
    ):
        ax.plot(fine, curve, dashes, color=plots.COLOURS[colour], linewidth=1.8, label=name)
        side.plot([at, at], [low, high], color=plots.COLOURS[colour], linewidth=5, alpha=0.5, solid_capstyle="butt")
        side.plot([at], [floor], "o", color=plots.COLOURS[colour], markersize=5, clip_on=False, zorder=3)
        plots.label(side, at, floor, f"{floor:.2f}", colour=colour, offset=(8, 3))
    plots.measured(ax, x[:-2], y[:-2])
    plots.measured(ax, x[-2:], y[-2:], colour="orange", marker="*", markersize=14)
    ax.set(xscale="log", xlabel="characters learned from, D", ylabel="loss L (nats)", ylim=(-0.05, max(y) * 1.25))
    _sizes(ax, (1e3, 1e5, 1e7, 1e9))
    ax.legend(loc="upper right", fontsize=10)
    ax.set_title("Each curve passes by the points it was given")
    side.set_title("Its floor E")
    side.set_xlim(-0.5, len(curves) - 0.1)
    side.set_xticks(range(len(curves)), [name.removesuffix(" points").replace(" ", "\n") for name in curves])
    return fig


def three_forms(samples: Any, loss: Any, far: float) -> dict[str, tuple[float, float, Any]]:
    """A power law, a logarithm and an exponential through the same points: R² of the logs, value at `far`, function.

    y = A x^-alpha and y = A exp(-b x) are fitted to log y, y = a - b log x to y; all by least squares.
    """
    n, y = np.asarray(samples, dtype=float), np.asarray(loss, dtype=float)
    A, alpha = fit_line(n, y)
    slope, height = np.polyfit(np.log(n), y, 1)
    rate, start = np.polyfit(n, np.log(y), 1)
    forms = {
        "power law": lambda x: A * np.asarray(x, dtype=float) ** -alpha,
        "logarithm": lambda x: height + slope * np.log(x),
        "exponential": lambda x: np.exp(start + rate * np.asarray(x, dtype=float)),
    }
    return {name: (r_squared(y, f(n)), float(f(far)), f) for name, f in forms.items()}


def interval_or_none(low: Any, high: Any) -> tuple[float, float] | None:
    """The reader's interval as two numbers in rising order; None where either is not a number (`...` means not written)."""
    try:
        ends = sorted((float(low), float(high)))
    except (TypeError, ValueError):
        return None
    return (ends[0], ends[1]) if np.isfinite(ends).all() and ends[0] > 0 else None


def draw_three_forms(samples: Any, loss: Any, known: int, far: float, measured: float) -> Figure:
    """The three forms fitted to the first `known` points, then all points, and the one at `far`."""
    n, y = np.asarray(samples, dtype=float), np.asarray(loss, dtype=float)
    forms = three_forms(n[:known], y[:known], far)
    fine = np.geomspace(n[0], far * 1.2, 200)
    fig, ax = plots.figure(height=4.1)
    looks = {"power law": ("black", "-"), "logarithm": ("orange", "--"), "exponential": ("pink", ":")}
    for name, (fitted, end, form) in forms.items():
        colour, dashes = looks[name]
        ax.plot(fine, form(fine), dashes, color=plots.COLOURS[colour], linewidth=1.8, label=f"{name}, R² {fitted:.4f}")
        if end > 1.15:
            plots.label(ax, far, end, f"{end:.2f}", colour=colour, offset=(10, -4))
    plots.measured(ax, n[:known], y[:known], label="used for the fit")
    plots.measured(ax, [*n[known:], far], [*y[known:], measured], markerfacecolor="white", label="measured after it")
    ax.set(xscale="log", yscale="log", xlabel="characters learned from, D", ylabel="loss L (nats)", ylim=(1.15, 3.0))
    _sizes(ax, (1_600, 6_400, 25_600, 102_400, far))
    _ticks(ax.yaxis, (1.2, 1.4, 1.6, 2.0, 2.4, 2.8), ".1f")
    ax.legend(loc="lower left", fontsize=10)
    power, logarithm = forms["power law"][1], forms["logarithm"][1]
    ax.set_title(f"From {known} points: power law {power:.2f}, logarithm {logarithm:.2f}; measured {measured:.2f}")
    return fig


def tail(values: Any) -> tuple[Any, Any]:
    """x in rising order and the share of values that are at least x."""
    x = np.sort(np.asarray(values, dtype=float))
    return x, 1 - np.arange(len(x)) / len(x)


def draw_look_alike(spread: float) -> Figure:
    """Tails of a lognormal of this spread (standard deviation of log x) and of the power law through its top tenth.

    The line is fitted to the exact tail from the top 10 % to the top 1 % of the lognormal; then both go on.
    """
    from scipy import stats

    shares = np.logspace(-1, -2, 6)
    x = np.exp(spread * stats.norm.isf(shares))
    A, alpha = fit_line(x, shares)
    deep = np.logspace(0, -6, 200)
    wide = np.exp(spread * stats.norm.isf(np.minimum(deep, 1 - 1e-9)))
    reach = x[-1] * (x[-1] / x[0]) ** np.array([0.0, 1.0, 2.0])
    fig, ax = plots.figure(height=4.1)
    kept = wide > x[0] / 8
    ax.plot(wide[kept], deep[kept], color=plots.COLOURS["blue"])
    line = np.geomspace(x[0] / 2, max(reach[-1], wide[-1]), 50)
    plots.theory(ax, line, A * line**-alpha, colour="orange")
    plots.measured(ax, x, shares)
    beyond = A * reach[-1] ** -alpha / stats.norm.sf(np.log(reach[-1]) / spread)
    plots.label(ax, x[2], shares[2], "six points that are seen", colour="blue", offset=(10, 6))
    plots.label(ax, wide[-1], 1e-6, "lognormal", colour="blue", offset=(-34, 2), ha="right")
    plots.label(ax, line[-1], A * line[-1] ** -alpha, "the line", colour="orange", offset=(2, 16), ha="right")
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="size x (the median is 1)",
        ylabel="share of things larger than x",
        ylim=(1e-6, 1.5),
    )
    ax.set_title(
        f"A lognormal that passes for exponent {alpha:.2f}, R² {r_squared(shares, A * x**-alpha):.3f};\n"
        f"at x = {_short(reach[-1])} the line is {beyond:,.2g} times too high"
    )
    return fig


def draw_memories(samples: Any, curves: Mapping[int, Any]) -> Figure:
    """Learning curves of counting models that remember different numbers of characters; curves: memory -> (k,) nats."""
    fig, ax = plots.figure(height=4.1)
    n = np.asarray(samples, dtype=float)
    for (memory, loss), colour, marker in zip(curves.items(), plots.COLOURS, plots.MARKERS, strict=False):
        plots.measured(ax, n, loss, colour=colour, marker=marker, linestyle="-", markersize=5)
        plots.label(
            ax,
            n[-1],
            loss[-1],
            f"{memory} character{'s' if memory > 1 else ''}",
            colour=colour,
            offset=(7, 1 if memory == 3 else -8),
        )
    first, last = (min(curves, key=lambda m: curves[m][at]) for at in (0, -1))
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="characters learned from, D",
        ylabel="loss L (nats)",
        xlim=(n[0] / 1.3, n[-1] * 5),
        title=f"At {n[0]:,.0f} characters a memory of {first} is best, at {n[-1]:,.0f} one of {last}",
    )
    _sizes(ax, n[::3])
    _ticks(ax.yaxis, (1.4, 1.6, 1.8, 2.0, 2.4, 2.8), ".1f")
    return fig


# --- what others found, and the recorded sweeps -----------------------------------------------------


def draw_published(own: float | None = None) -> Figure:
    """Published exponents, oldest above: open marks without a floor in the law, filled ones above a fitted floor."""
    rows: list[tuple[str, float, bool]] = [
        (f"{one.who} {one.year}, {one.what}: {one.against}", one.alpha, one.floor) for one in PUBLISHED
    ]
    if own is not None:
        rows.append(("Yours, the counting classifier: data", own, False))
    fig, ax = plots.figure(width=8.6, height=0.32 * len(rows) + 1.9)
    for i, (name, alpha, floor) in enumerate(rows):
        colour = "green" if name.startswith("Yours") else "blue" if floor else "orange"
        ax.plot(
            alpha,
            -i,
            marker="o" if floor else "s",
            color=plots.COLOURS[colour],
            markerfacecolor=plots.COLOURS[colour] if floor else "white",
            markersize=8,
            markeredgewidth=2,
            linestyle="none",
        )
        price = times_more(alpha)
        shown = f"{price:,.0f}" if price < 1e5 else f"{price:.0e}".replace("e+0", "e")
        ax.text(0.62, -i, shown, ha="right", va="center", fontsize=10)
    ax.text(0.62, 1.0, "times more for\none halving*", ha="right", va="center", fontsize=9, color=plots.COLOURS["grey"])
    ax.plot([], [], "o", color=plots.COLOURS["blue"], label="of the loss above a fitted floor E")
    ax.plot([], [], "s", color=plots.COLOURS["orange"], markerfacecolor="white", label="of the loss itself, no floor")
    ax.text(0.62, -len(rows) + 0.45, "* with a floor: of what is above it", ha="right", va="center", fontsize=9)
    ax.set(xscale="log", xlim=(0.042, 0.66), ylim=(-len(rows) - 0.1, 1.9), xlabel="exponent alpha")
    ax.set_yticks([-i for i in range(len(rows))], [name for name, *_ in rows])
    _ticks(ax.xaxis, (0.05, 0.07, 0.1, 0.15, 0.2, 0.3))
    fig.legend(loc="outside lower center", fontsize=10, ncols=2)
    fig.suptitle("Where the law has a floor, the exponent is larger", x=0.02, ha="left", fontsize=12, fontweight="bold")
    return fig


def draw_ingredients(runs: pd.DataFrame, n_fixed: Sequence[int], d_fixed: float) -> Figure:
    """Left: loss against data at fixed sizes. Right: loss against size at about d_fixed tokens (within a third)."""
    by = runs.groupby(["n_params", "budget"], as_index=False).agg(tokens=("tokens", "mean"), loss=("loss", "mean"))
    best = by.loc[by.groupby("budget")["loss"].idxmin()].sort_values("budget")
    near = by[(by["tokens"] / d_fixed).between(0.75, 4 / 3)].sort_values("n_params")
    fig, (left, right) = plots.figure(2, width=9.6, height=4.1, sharey=True)
    for size, colour, marker in zip(n_fixed, ("blue", "green", "pink"), plots.MARKERS, strict=False):
        one = by[by["n_params"] == size].sort_values("tokens")
        plots.measured(left, one["tokens"], one["loss"], colour=colour, marker=marker, linestyle="-")
        end = one.iloc[-1]
        plots.label(left, end["tokens"], end["loss"], f"N = {size:,}", colour=colour, offset=(6, 0))
    for row, name in ((best.iloc[0], "start"), (best.iloc[-1], "end")):
        left.plot(row["tokens"], row["loss"], "*", color=plots.COLOURS["black"], markersize=13)
        plots.label(left, row["tokens"], row["loss"], name, offset=(8, 4))
    plots.measured(right, near["n_params"], near["loss"], colour="orange", marker="D", linestyle="-")
    left.set(xscale="log", yscale="log", xlabel="characters learned from, D", ylabel="loss L (nats)")
    left.set_xlim(right=by["tokens"].max() * 9)
    right.set(xscale="log", xlabel="parameters N")
    left.set_ylim(1.33, 2.35)
    left.set_title("Data grow, size stays: each levels off")
    right.set_title(f"Size grows, D stays near {_short(d_fixed)}")
    _ticks(left.yaxis, (1.4, 1.6, 1.8, 2.0, 2.2), ".1f")
    return fig


def draw_compute_laws(best: Mapping[str, pd.DataFrame], laws: Mapping[str, Fit], fitted: int) -> Figure:
    """Best loss against compute, a law fitted to the first `fitted` budgets, and its misses in per cent below.

    best: task -> frame as of `course.power_laws.best_by_budget`.
    """
    fig, axes = plots.figure(2, 2, width=9.6, height=5.2, sharex="col", height_ratios=(3, 1.3))
    for (name, frame), upper, lower in zip(best.items(), axes[0], axes[1], strict=True):
        flops, loss = frame["budget"].to_numpy(), frame["loss"].to_numpy()
        fine = np.geomspace(flops[0], flops[-1] * 1.3, 80)
        law = laws[name]
        plots.theory(upper, fine, law.predict(x=fine))
        miss = 100 * (law.predict(x=flops) / loss - 1)
        for part, colour, marker in ((slice(0, fitted), "blue", "o"), (slice(fitted, None), "orange", "*")):
            size = 13 if marker == "*" else 6
            plots.measured(upper, flops[part], loss[part], colour=colour, marker=marker, markersize=size)
            plots.measured(lower, flops[part], miss[part], colour=colour, marker=marker, markersize=size)
        lower.axhline(0, color=plots.COLOURS["grey"], linewidth=1)
        upper.set(xscale="log", yscale="log")
        upper.set_title(f"{name}: worst forecast {100 * abs(law.predict(x=flops) / loss - 1)[fitted:].max():.1f} % off")
        _ticks(upper.yaxis, (1.4, 1.6, 1.8, 2.0, 2.4), ".1f")
        lower.set(xlabel="compute C of training (FLOPs)", ylim=(-8, 8))
    axes[0, 0].set(ylabel="best loss (nats)")
    axes[1, 0].set(ylabel="law's miss (%)")
    return fig
