"""Figures of lesson 2.2: a law with its residuals, the time model, total compute, loss, gaps, forecasts, the chart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course import plots, relations
from course.diagram import Arrow, Diagram

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from course.laws import Fit
    from course.relations import Line, TimeModel

__all__ = [
    "chart",
    "draw_best_sizes",
    "draw_double_descent",
    "draw_forecast",
    "draw_gap",
    "draw_loss",
    "draw_loss_by_data",
    "draw_relation",
    "draw_resources",
    "draw_texts",
    "draw_time_model",
    "draw_total",
]

ORDER = ("blue", "orange", "green", "pink", "amber", "sky")


def short(n: float) -> str:
    """A size in few characters: 984, 10.6k, 1.27M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= unit:
            return f"{n / unit:.3g}{name}"
    return f"{n:.0f}"


def _logarithmic(ax: Axes, ticks: Sequence[float], text: Any = "{:g}".format) -> None:
    """A logarithmic y axis with these ticks and no others."""
    ax.set_yscale("log")
    ax.set_yticks(list(ticks), [text(tick) for tick in ticks])
    ax.minorticks_off()


def draw_relation(
    n_params: Any, y: Any, first: int, last: int, *, symbol: str, ylabel: str, where: str = "", colour: str = "blue"
) -> Figure:
    """A quantity against size with the power law fitted to points first..last, and what the law misses everywhere."""
    n, y = np.asarray(n_params, dtype=float), np.asarray(y, dtype=float)
    law = relations.line(n[first : last + 1], y[first : last + 1])
    fig, (top, below) = plots.figure(rows=2, height=5.4, sharex=True, height_ratios=[2.3, 1])
    at = np.geomspace(n[0] / 1.3, n[-1] * 1.3, 100)
    plots.theory(top, at, law.predict(at), linewidth=1.2)
    inside = np.geomspace(n[first], n[last], 20)
    plots.theory(top, inside, law.predict(inside), linestyle="-")
    plots.measured(top, n, y, colour=colour)
    for ax in (top, below):
        ax.axvspan(n[first] / 1.15, n[last] * 1.15, color=plots.COLOURS["sky"], alpha=0.15, linewidth=0)
    top.set(xscale="log", yscale="log", ylabel=ylabel)
    top.set_title(f"{symbol} ~ N^{law.exponent:.2f} from {short(n[first])} to {short(n[last])} parameters{where}")
    plots.measured(below, n, y / law.predict(n), colour=colour)
    below.set(xlabel="parameters N", ylabel="measured / law")
    _ratios(below, y / law.predict(n))
    return fig


def _ratios(ax: Axes, ratios: Any) -> None:
    """A logarithmic y axis about 1, with ticks that suit these ratios."""
    wide = max(float(np.abs(np.log(np.asarray(ratios))).max()) * 1.3, np.log(1.02))
    ticks = next(t for t in (1.02, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 10, 30, 100, np.inf) if np.log(t) * 1.9 >= wide)
    ax.axhline(1, color=plots.COLOURS["black"], linewidth=1)
    _logarithmic(
        ax, [1 / ticks, 1, ticks] if np.isfinite(ticks) else [1], lambda tick: f"{tick:.2f}".rstrip("0").rstrip(".")
    )
    ax.set_ylim(np.exp(-wide), np.exp(wide))


# --- time -----------------------------------------------------------------------------------------


def draw_time_model(
    n_params: Any, seconds: Any, batch: int, *, overhead: float, gflops: float, gigabytes: float, cache: float
) -> Figure:
    """Measured times of a step, and overhead + arithmetic + memory. overhead in µs, cache in MB, rates in 1e9 a second."""
    n = np.asarray(n_params, dtype=float)
    model = relations.TimeModel(overhead * 1e-6, gflops * 1e9, gigabytes * 1e9, cache * 1e6)
    at = np.geomspace(n[0] / 1.5, n[-1] * 1.5, 120)
    fig, ax = plots.figure(height=4.2)
    looks = (("overhead", "grey", ":"), ("arithmetic", "green", "--"), ("memory", "pink", "-."))
    for (name, colour, style), part in zip(looks, model.parts(at, batch), strict=True):
        shown = part > 1e-6
        ax.plot(at[shown], 1e3 * part[shown], linestyle=style, color=plots.COLOURS[colour], linewidth=1.5, label=name)
    ax.plot(at, 1e3 * model.seconds(at, batch), color=plots.COLOURS["black"], label="all three")
    plots.measured(ax, n, 1e3 * np.asarray(seconds), colour="blue", label="measured")
    ax.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="time of a step (ms)", ylim=(0.005, 2e3))
    meet = relations.crossover(model.overhead, model.flops_per_second, batch)
    if at[0] < meet < at[-1]:
        ax.axvline(meet, color=plots.COLOURS["grey"], linestyle=":", linewidth=1)
        plots.label(ax, meet, 0.007, f"crossover {short(meet)}", colour="grey", offset=(5, -3))
    ax.legend(loc="upper left", fontsize=9.5)
    off = np.exp(np.abs(np.log(model.seconds(n, batch) / np.asarray(seconds))).max())
    ax.set_title(f"The model is off by a factor of {off:.1f} at most")
    return fig


# --- compute --------------------------------------------------------------------------------------


def draw_total(n_params: Any, tokens: float, power: float = 1.0) -> Figure:
    """Training FLOPs in all when the data grow as N^power, beside those for one token; `tokens` of the smallest size."""
    n = np.asarray(n_params, dtype=float)
    total = relations.total_flops(n, tokens, n[0], power)
    fig, ax = plots.figure(height=4.0)
    plots.theory(ax, n, 6 * n, colour="grey")
    ax.plot(n, total, "-o", color=plots.COLOURS["blue"])
    ax.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="FLOPs", ylim=(1e3, 1e19))
    plots.label(ax, n[-2], 6 * n[-2], "for one token: N^1", colour="grey", offset=(-10, -16))
    plots.label(ax, n[1], total[1], f"for the whole training: N^{1 + power:.2f}", colour="blue", offset=(-20, 50))
    times = 10 ** (1 + power)
    ax.set_title(f"Data as N^{power:.2f}: ten times the size, {times:.0f} times the compute")
    return fig


def draw_best_sizes(fit: Fit, held_out: tuple[float, float, float], predicted: tuple[float, float, float]) -> Figure:
    """Best sizes of the fitted budgets with their law, and one more budget: found (n, low, high) beside forecast."""
    fig, ax = plots.figure(height=4.0)
    seen = [optimum for optimum in fit.optima if not optimum.edge]
    budgets = np.array([optimum.flops for optimum in seen])
    target = 10 * budgets.max()
    at = np.geomspace(budgets.min() / 1.5, target * 1.5, 50)
    plots.theory(ax, at, fit.predict(flops=at))
    plots.measured(ax, budgets, [o.n_params for o in seen], [o.low for o in seen], [o.high for o in seen])
    plots.measured(ax, [target], held_out[:1], held_out[1:2], held_out[2:], colour="orange", marker="s")
    plots.measured(ax, [target * 1.12], predicted[:1], predicted[1:2], predicted[2:], colour="black", marker="x")
    plots.label(ax, target, held_out[0], "found", colour="orange", offset=(-42, -4))
    plots.label(ax, target * 1.12, predicted[0], "forecast", offset=(8, -4))
    ax.set(xscale="log", yscale="log", xlabel="training compute C (FLOPs)", ylabel="best size (parameters N)")
    ax.set_xlim(at[0], at[-1] * 2.2)
    ax.set_title(
        f"At {target:.0e} FLOPs the forecast size is {predicted[0] / held_out[0]:.2f} times the best one found"
    )
    return fig


# --- loss -----------------------------------------------------------------------------------------


def draw_loss(runs: Mapping[int, tuple[Any, Any, Fit]], level: Line) -> Figure:
    """Loss against size for each amount of data, tokens: (N, loss, fit with floor); below, the last ones' misses.

    `level` is the straight line through the last amount's points, for comparison.
    """
    fig, (top, below) = plots.figure(rows=2, height=5.6, sharex=True, height_ratios=[2.2, 1])
    at = np.geomspace(800, 2e6, 100)
    for (tokens, (n, loss, fit)), colour, marker in zip(runs.items(), ORDER, plots.MARKERS, strict=False):
        n, loss = np.asarray(n, dtype=float), np.asarray(loss, dtype=float)
        plots.measured(top, n, loss, colour=colour, marker=marker)
        top.plot(at, fit.predict(x=at), color=plots.COLOURS[colour], linewidth=1.5)
        floor = fit.params["E"]
        top.axhline(floor, color=plots.COLOURS[colour], linestyle=":", linewidth=1.4)
        plots.label(top, n[0], floor, f"floor {floor:.2f}", colour=colour, offset=(-8, 4))
        plots.label(top, n[-1], loss[-1], f"{tokens:,} tokens", colour=colour, offset=(-30, 9))
    plots.measured(below, n, loss / fit.predict(x=n), colour=colour, marker=marker)
    plots.measured(below, n, loss / level.predict(n), colour="grey", marker="x")
    _ratios(below, np.concatenate([loss / fit.predict(x=n), loss / level.predict(n)]))
    plots.label(below, n[-1], loss[-1] / level.predict(n[-1:])[0], "straight line", colour="grey", offset=(-78, -10))
    top.set(xscale="log", ylabel="loss (nats)", xlim=(700, 4e6))
    below.set(xlabel="parameters N", ylabel="measured / law")
    top.set_title(f"L = {floor:.2f} + A N^-{fit.params['alpha']:.2f}: a power law, down to a floor")
    return fig


def draw_loss_by_data(surface: Fit, live: pd.DataFrame, tokens: float = 128_000) -> Figure:
    """Loss against size for an amount of data, from the recorded sweep's surface; live runs (N, tokens, loss) as points."""
    at = np.geomspace(500, 3e6, 120)
    fig, ax = plots.figure(height=4.2)
    law = surface.params
    curve = surface.predict(n_params=at, tokens=np.full_like(at, tokens))
    floor = law["E"] + law["B"] * tokens ** -law["beta"]
    endless = surface.predict(n_params=at, tokens=np.full_like(at, 1e12))
    plots.theory(ax, at, endless, colour="grey", linewidth=1.2)
    plots.label(ax, at[75], endless[75], "endless data", colour="grey", offset=(-78, -16))
    ax.plot(at, curve, color=plots.COLOURS["black"])
    ax.axhline(floor, linestyle=":", color=plots.COLOURS["orange"], linewidth=1.6)
    plots.label(ax, at[-1], floor, f"floor of this data: {floor:.2f}", colour="orange", offset=(0, -14), ha="right")
    for (d, group), colour, marker in zip(live.groupby("tokens"), ORDER, plots.MARKERS, strict=False):
        plots.measured(ax, group["N"], group["loss"], colour=colour, marker=marker, label=f"live, {d:,} tokens")
    equal = (law["A"] / (floor - law["E"])) ** (1 / law["alpha"])  # the size whose term equals that of the data
    if at[0] < equal < at[-1]:
        ax.axvline(equal, color=plots.COLOURS["grey"], linestyle=":", linewidth=1)
    ax.set(xscale="log", xlabel="parameters N", ylabel="loss (nats)", ylim=(1.15, 3.2))
    ax.legend(loc="upper right", fontsize=9.5)
    ax.set_title(f"{tokens:,.0f} tokens: beyond {short(equal)} parameters, data are missing")
    return fig


def _name_ends(ax: Axes, x: float, curves: Mapping[str, Any], apart: float = 13.0) -> None:
    """Each curve's name at its right end, at `x`; one that would lie on the name below it is pushed up, in points."""
    per_point = ax.figure.dpi / 72
    ends = [(float(values[-1]), name, colour) for (name, values), colour in zip(curves.items(), ORDER, strict=False)]
    free = -math.inf
    for value, name, colour in sorted(ends):
        at = ax.transData.transform((x, value))[1] / per_point
        low = max(at - 4, free)
        plots.label(ax, x, value, name, colour=colour, offset=(10, low - at))
        free = low + apart


def draw_texts(n_params: Any, losses: Mapping[str, Any]) -> Figure:
    """Loss against size on several texts, one of them of the training text's kind."""
    n = np.asarray(n_params, dtype=float)
    fig, ax = plots.figure(height=4.0)
    for values, colour, marker in zip(losses.values(), ORDER, plots.MARKERS, strict=False):
        values = np.asarray(values, dtype=float)
        plots.measured(ax, n, values, colour=colour, marker=marker, linestyle="-")
    _logarithmic(ax, (1.8, 2.0, 2.5, 3.0, 3.5))
    ax.set(xscale="log", xlabel="parameters N", ylabel="loss (nats)")
    ax.set_xlim(n[0] / 1.4, n[-1] * 9)
    _name_ends(ax, n[-1], losses)
    falls = [float(values[0]) - float(values[-1]) for values in losses.values()]
    ax.set_title(f"Larger is better on every text: by {min(falls):.2f} to {max(falls):.2f} nats")
    return fig


def draw_gap(n_params: Any, train: Any, test: Any, samples: int) -> Figure:
    """Training and test loss against size when the data are few and seen again and again."""
    n, train, test = (np.asarray(values, dtype=float) for values in (n_params, train, test))
    fig, ax = plots.figure(height=3.9)
    plots.measured(ax, n, train, colour="green", marker="s", linestyle="-")
    plots.measured(ax, n, test, colour="orange", linestyle="-")
    ax.fill_between(n, train, test, color=plots.COLOURS["amber"], alpha=0.15, linewidth=0)
    plots.label(ax, n[-1], train[-1], "text it trained on", colour="green", offset=(8, -4))
    plots.label(ax, n[-1], test[-1], "text it did not see", colour="orange", offset=(8, -4))
    best = int(np.argmin(test))
    ax.plot(n[best], test[best], "o", color=plots.COLOURS["orange"], markersize=14, fillstyle="none")
    ax.set(xscale="log", xlabel="parameters N", ylabel="loss (nats)")
    ax.set_xlim(n[0] / 1.5, n[-1] * 14)
    ax.set_title(
        f"{samples:,} characters for all: the gap grows to {test[-1] - train[-1]:.1f} nats, best is {short(n[best])}"
    )
    return fig


def draw_double_descent(sizes: Any, train: Any, test: Any, samples: int, floor: float) -> Figure:
    """Median test and training error (seeds, sizes) of random features, with the middle half of the seeds."""
    n = np.asarray(sizes, dtype=float)
    fig, ax = plots.figure(height=4.0)
    low, middle, high = np.percentile(test, [25, 50, 75], axis=0)
    plots.measured(ax, n, middle, low, high, colour="orange", linestyle="-")
    shown = np.median(train, axis=0) > 1e-3
    plots.measured(ax, n[shown], np.median(train, axis=0)[shown], colour="green", marker="s", linestyle="-")
    ax.axvline(samples, color=plots.COLOURS["grey"], linestyle=":", linewidth=1.5)
    plots.theory(ax, n, np.full_like(n, floor), linewidth=1.2)
    _logarithmic(ax, (0.01, 0.1, 1, 10, 100))
    ax.set(xscale="log", xlabel="weights N", ylabel="mean squared error", ylim=(0.01, 3 * high.max()))
    plots.label(ax, n[-1], middle[-1], "test", colour="orange", offset=(-4, 8))
    plots.label(ax, n[1], np.median(train, axis=0)[1], "training", colour="green", offset=(-2, -18))
    plots.label(ax, samples, 2 * high.max(), f"N = n = {samples}", colour="grey", offset=(6, -2))
    plots.label(ax, n[0], floor, "noise alone", offset=(0, -14))
    ax.set_title("Worst where the weights equal the samples, best far beyond")
    return fig


# --- forecasts ------------------------------------------------------------------------------------


def draw_forecast(n_params: Any, losses: Mapping[str, Any], fits: Mapping[str, Fit], known: int) -> Figure:
    """Loss on several texts: law with floor through the `known` smallest sizes, carried on to the larger ones."""
    n = np.asarray(n_params, dtype=float)
    fig, ax = plots.figure(height=4.2)
    at = np.geomspace(n[0], n[-1] * 1.2, 80)
    worst = 0.0
    for (name, values), colour, marker in zip(losses.items(), ORDER, plots.MARKERS, strict=False):
        values = np.asarray(values, dtype=float)
        ax.plot(at, fits[name].predict(x=at), color=plots.COLOURS[colour], linewidth=1.4)
        plots.measured(ax, n[:known], values[:known], colour=colour, marker=marker)
        plots.measured(ax, n[known:], values[known:], colour=colour, marker=marker, fillstyle="none", markersize=8)
        worst = max(worst, float(np.abs(fits[name].predict(x=n[known:]) / values[known:] - 1).max()))
    ax.axvspan(n[known] / 1.5, n[-1] * 1.25, color=plots.COLOURS["grey"], alpha=0.1, linewidth=0)
    _logarithmic(ax, (1.8, 2.0, 2.5, 3.0, 3.5))
    ax.set(xscale="log", xlabel="parameters N", ylabel="loss (nats)")
    ax.set_xlim(n[0] / 1.4, n[-1] * 9)
    _name_ends(ax, at[-1], losses)
    ax.set_title(f"Forecast from the small sizes: off by {100 * worst:.1f} % at most")
    return fig


def draw_resources(
    law: Line, model: TimeModel, batch: int, n_params: Any, seconds: Any, held_out: Any, found: Any
) -> Figure:
    """Time of a step: two forecasts from the small sizes, the straight line and the model of three parts, and what came."""
    fig, ax = plots.figure(height=4.2)
    n, m = np.asarray(n_params, dtype=float), np.asarray(held_out, dtype=float)
    at = np.geomspace(n.min() / 1.3, m.max() * 1.5, 120)
    beyond = at[at >= law.first]
    low, high = law.predict_interval(beyond)
    ax.fill_between(beyond, 1e3 * low, 1e3 * high, color=plots.COLOURS["sky"], alpha=0.25, linewidth=0)
    plots.theory(ax, beyond, 1e3 * law.predict(beyond))
    ax.plot(at, 1e3 * model.seconds(at, batch), color=plots.COLOURS["green"], linewidth=1.5)
    plots.measured(ax, n, 1e3 * np.asarray(seconds))
    plots.measured(ax, m, 1e3 * np.asarray(found), colour="orange", marker="s")
    plots.label(ax, n[-1], 1e3 * float(np.asarray(seconds)[-1]), "fitted", colour="blue", offset=(-44, 6))
    plots.label(ax, m[-1], 1e3 * float(np.asarray(found)[-1]), "larger, not fitted", colour="orange", offset=(-116, 2))
    plots.label(ax, n[-2], 1e3 * float(law.predict(n[-2])), "straight line", offset=(20, -30))
    i = len(at) // 4
    said = "overhead + arithmetic + memory"
    plots.label(ax, at[i], 1e3 * float(model.seconds(at[i], batch)), said, colour="green", offset=(-70, 62))
    ax.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="time of a step (ms)")
    last = float(np.asarray(found)[-1])
    by_line, by_model = last / float(law.predict(m[-1])), last / float(model.seconds(m[-1], batch))
    ax.set_title(f"Largest model: {by_line:.1f} times the line's forecast, {by_model:.1f} times the sum's")
    return fig


# --- the article's chart --------------------------------------------------------------------------


def chart(laws: Mapping[str, Line], loss: Fit) -> Diagram:
    """The article's chart with a measured exponent on each arrow; `laws` has the keys time, compute, cost, efficiency
    and error, and `loss` is the law with floor, fitted with a bootstrap."""
    alpha, (low, high) = loss.params["alpha"], loss.interval["alpha"]

    def said(law: Line) -> str:
        return f"[{law.low:.2f}, {law.high:.2f}]"

    return Diagram(
        {
            "A": "model size\nN parameters",
            "B": "compute for a token\nC FLOPs",
            "C": "time of a step\nt seconds",
            "D": "performance\nloss L nats",
            "E": "resources used\ns processor seconds",
            "F": "efficiency\nr FLOP/s reached",
            "G": "effect on the task\nq share wrong",
        },
        [
            Arrow("A", "B", f"C ~ N^{laws['compute'].exponent:.2f}\n{said(laws['compute'])}"),
            Arrow("A", "C", f"t ~ N^{laws['time'].exponent:.2f}\n{said(laws['time'])}"),
            Arrow("A", "D", f"L - E ~ N^-{alpha:.2f}\n[-{high:.2f}, -{low:.2f}]"),
            Arrow("B", "E", f"s ~ C^{laws['cost'].exponent:.2f}\n{said(laws['cost'])}"),
            Arrow("C", "F", f"r ~ t^{laws['efficiency'].exponent:.2f}\n{said(laws['efficiency'])}"),
            Arrow("D", "G", f"q ~ L^{laws['error'].exponent:.2f}\n{said(laws['error'])}"),
        ],
    )
