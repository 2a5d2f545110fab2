"""Figures of lesson 3.1: activations through depth, the coordinate check, the best rate of each width, depth at equal cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from course import plots
from course.parameterisation import (
    activation_scales,
    best_rate,
    best_rates,
    rate_slope,
    similarity,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "at_best",
    "best_for_seconds",
    "draw_alike",
    "draw_best_rates",
    "draw_coordinates",
    "draw_depths",
    "draw_live",
    "draw_recorded",
    "draw_scales",
    "draw_signals",
    "draw_sizes",
    "random_similarity",
]

NAMES = ("standard", "muP")
_LOOK = {"standard": ("orange", "o"), "muP": ("blue", "s")}


# --- the task -------------------------------------------------------------------------------------


def draw_signals(x: Any, y: Any, number: int = 5) -> Figure:
    """The first signal of each of `number` classes. x: (n, 40); y: (n,) classes."""
    fig, axes = plots.figure(columns=number, width=9.0, height=2.1, sharey=True)
    for digit, ax in enumerate(axes):
        ax.plot(
            np.asarray(x)[int(np.argmax(np.asarray(y) == digit))].ravel(), color=plots.COLOURS["blue"], linewidth=1.4
        )
        ax.set_title(f"class {digit}", fontsize=10.5)
        ax.set(xlabel="point", xticks=(0, 20, 40))
    axes[0].set_ylabel("value")
    return fig


# --- through depth --------------------------------------------------------------------------------


@cache
def _scales(layers: int, gain: float, residual: bool) -> tuple[float, ...]:
    from threadpoolctl import threadpool_limits

    # These products are too small for threads, which wait for each other on a busy machine.
    with threadpool_limits(limits=1, user_api="blas"):
        return tuple(activation_scales(layers, 128, gain, residual, samples=32))


def draw_scales(gain: float = 1.0, layers: int = 16) -> Figure:
    """Scale of the numbers before each ReLU of an untrained network, plain and with skip connections, and theory."""
    gain, layers = float(gain), int(layers)
    fig, ax = plots.figure(width=8.2, height=4.0)
    ax.xaxis.get_major_locator().set_params(integer=True)
    place = np.arange(1, layers + 1)
    ends = {}
    for residual, colour, marker in ((False, "orange", "o"), (True, "blue", "s")):
        factor = 1 + gain**2 / 2 / max(layers - 1, 1) if residual else gain**2 / 2
        plots.theory(ax, place, factor ** ((place - 1) / 2), colour=colour)
        ends[residual] = factor ** ((layers - 1) / 2)
        plots.measured(ax, place, _scales(layers, gain, residual), colour=colour, marker=marker)
    ax.set(
        yscale="log", xlabel="layer", ylabel="root mean square before the ReLU", xlim=(0, layers + 0.28 * layers + 1)
    )
    low, high = min(0.1, *ends.values()), max(10.0, *ends.values())
    ax.set_ylim(low / 3, high * 3)
    near = abs(math.log10(ends[True] / ends[False])) < 0.06 * math.log10(9 * high / low)
    above = ends[True] >= ends[False]
    plots.label(ax, layers, ends[False], "plain", colour="orange", offset=(9, (-12 if above else 4) if near else -4))
    plots.label(ax, layers, ends[True], "with skips", colour="blue", offset=(9, (4 if above else -12) if near else -4))
    ax.set_title(f"Gain {gain:.2f}: after {layers} plain layers the scale is {ends[False]:.2g} of the first layer's")
    return fig


def random_similarity(
    layers: int, cosine: float = 0.0, residual: bool = False, width: int = 256, draws: int = 8
) -> Any:
    """Cosine of two inputs' numbers before each ReLU in `draws` random networks: (draws, layers)."""
    found = np.empty((draws, layers))
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        a, b = rng.standard_normal((2, width))
        b -= a * (a @ b) / (a @ a)  # at right angles exactly
        a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
        z = np.stack([a, cosine * a + math.sqrt(1 - cosine**2) * b])
        for layer in range(layers):
            if layer:
                step = np.maximum(z, 0) @ (math.sqrt(2 / width) * rng.standard_normal((width, width)))
                z = z + step / math.sqrt(layers - 1) if residual else step
            found[seed, layer] = z[0] @ z[1] / np.linalg.norm(z[0]) / np.linalg.norm(z[1])
    return found


def draw_alike(plain: Any, residual: Any, cosine: float = 0.0) -> Figure:
    """Similarity of two inputs through depth: random networks as points with the spread of 95 %, theory as lines.

    plain, residual: (draws, layers), as `random_similarity` gives them.
    """
    layers = np.shape(plain)[1]
    place = np.arange(1, layers + 1)
    fig, ax = plots.figure(width=8.2, height=4.0)
    ax.xaxis.get_major_locator().set_params(integer=True)
    for values, skips, colour, marker, name in (
        (plain, False, "orange", "o", "plain"),
        (residual, True, "blue", "s", "with skips"),
    ):
        line = similarity(cosine, layers, skips)
        plots.theory(ax, place, line, colour=colour)
        low, high = np.percentile(values, [2.5, 97.5], axis=0)
        plots.measured(ax, place, np.mean(values, axis=0), low, high, colour=colour, marker=marker)
        plots.label(ax, layers, line[-1], name, colour=colour, offset=(9, -4))
    ax.set(xlabel="layer", ylabel="cosine between two inputs", ylim=(-0.2, 1.08), xlim=(0, 1.22 * layers))
    last = similarity(cosine, layers)[-1]
    ax.set_title(f"After {layers} plain layers two unlike inputs have a cosine of {last:.2f}")
    return fig


# --- the step -------------------------------------------------------------------------------------


_LAYERS = {
    "hidden_0": ("first layer", "green", "^"),
    "hidden_1": ("second layer", "orange", "o"),
    "head": ("logits", "blue", "s"),
}


def draw_coordinates(widths: Sequence[int], moved: Mapping[str, Mapping[str, Any]]) -> Figure:
    """How far some steps moved each layer's numbers, against the width; a panel for each parameterisation.

    moved: name of the parameterisation -> layer -> (widths, seeds), as `coordinate_check` gives them.
    """
    fig, axes = plots.figure(columns=2, width=9.8, height=4.2, sharey=True)
    for (name, layers), ax in zip(moved.items(), axes, strict=True):
        slopes = {}
        ends = sorted(float(np.mean(values[-1])) for values in layers.values())
        for layer, values in layers.items():
            said, colour, marker = _LAYERS[layer]
            mean = np.mean(values, axis=1)
            slopes[said] = float(np.polyfit(np.log(widths), np.log(mean), 1)[0])
            ax.plot(widths, mean, color=plots.COLOURS[colour], linewidth=1.3)
            plots.measured(
                ax, widths, mean, np.min(values, axis=1), np.max(values, axis=1), colour=colour, marker=marker
            )
            rank = ends.index(float(mean[-1]))
            up = 5 * (rank > 0 and mean[-1] < 1.2 * ends[rank - 1])
            down = 7 * (rank + 1 < len(ends) and ends[rank + 1] < 1.2 * mean[-1])
            plots.label(
                ax, widths[-1], mean[-1], f"{said} ({slopes[said]:+.2f})", colour=colour, offset=(8, up - down - 4)
            )
        ax.set(xscale="log", yscale="log", xlabel="width", xlim=(widths[0] / 1.3, widths[-1] * 7))
        ax.set_xticks(list(widths), [str(width) for width in widths])
        ax.minorticks_off()
        steepest = max(slopes, key=lambda said: abs(slopes[said]))
        ax.set_title(f"{name}: {steepest} ~ width$^{{{slopes[steepest]:.2f}}}$")
    axes[0].set_ylabel("root mean square of the change")
    return fig


# --- the rate -------------------------------------------------------------------------------------


def draw_live(rates: Sequence[float], losses: Mapping[str, Mapping[int, Sequence[float]]]) -> Figure:
    """Loss against the rate, a line for each width and a panel for each parameterisation; one seed."""
    fig, axes = plots.figure(columns=2, width=9.8, height=4.2, sharey=True)
    every = [v for by_width in losses.values() for values in by_width.values() for v in values if math.isfinite(v)]
    for (name, by_width), ax in zip(losses.items(), axes, strict=True):
        best = []
        for (width, values), colour, marker in zip(
            by_width.items(), ("sky", "orange", "blue"), plots.MARKERS, strict=False
        ):
            i = int(np.nanargmin(values))
            best.append(rates[i])
            ax.plot(rates, values, color=plots.COLOURS[colour], marker=marker, linewidth=1.4)
            ax.plot(rates[i], values[i], marker, color=plots.COLOURS[colour], markersize=12, markerfacecolor="none")
            plots.label(ax, rates[i], values[i], f"{width}", colour=colour, offset=(0, -20), ha="center")
        ax.set(xscale="log", xlabel="peak learning rate")
        ax.set_xticks(list(rates), [f"{rate:g}" for rate in rates])
        ax.minorticks_off()
        ax.set_ylim(min(every) - 0.12, min(max(every), 2.0) + 0.05)
        ax.set_title(f"{name}: best at {', '.join(f'{rate:g}' for rate in best)}")
    axes[0].set_ylabel("validation loss (nats)")
    return fig


def _table(runs: pd.DataFrame, size: int) -> tuple[Any, Any]:
    """Rates (r,) and losses (seeds, r) of a size."""
    table = runs[runs["size"] == size].pivot(index="seed", columns="learning_rate", values="loss")
    return table.columns.to_numpy(float), table.to_numpy(float)


def draw_recorded(runs: Mapping[str, pd.DataFrame], width: int = 2, mup: int = 0) -> Figure:
    """Loss against the rate of one width (0 the smallest) in one parameterisation (0 standard, 1 muP), the others faint."""
    name = NAMES[int(mup)]
    frame = runs[name]
    sizes = sorted(frame["size"].unique())
    chosen, (colour, marker) = sizes[int(width)], _LOOK[name]
    fig, ax = plots.figure(width=8.2, height=4.3)
    named = math.inf  # where the last label stands; the next one needs room
    for size in sizes:
        rates, loss = _table(frame, size)
        if size != chosen:
            ax.plot(rates, np.exp(np.log(loss).mean(axis=0)), color=plots.COLOURS["grey"], alpha=0.35, linewidth=1)
            start = float(np.exp(np.log(loss).mean(axis=0))[0])
            if abs(start - named) > 0.05:
                ax.annotate(f"{size}", (rates[0], start), xytext=(-4, -4), textcoords="offset points", ha="right",
                            fontsize=9, color=plots.COLOURS["grey"])  # fmt: skip
                named = start
    rates, loss = _table(frame, chosen)
    mean = np.exp(np.mean(np.log(loss), axis=0))
    ax.plot(rates, mean, color=plots.COLOURS[colour], linewidth=1.3)
    plots.measured(ax, rates, mean, loss.min(axis=0), loss.max(axis=0), colour=colour, marker=marker)
    best, base = best_rate(rates, loss), best_rate(*_table(frame, 64))
    if not best.edge:
        ax.axvspan(best.low, best.high, color=plots.COLOURS[colour], alpha=0.25, linewidth=0)
        ax.axvline(best.rate, color=plots.COLOURS[colour], linewidth=1.2)
    ax.axvline(base.rate, color=plots.COLOURS["black"], linestyle="--", linewidth=1.2)
    ax.set(xscale="log", xlabel="peak learning rate", ylabel="validation loss (nats)", ylim=(0.4, 1.75))
    ax.set_xlim(rates[0] / 1.5, rates[-1] * 1.1)
    plots.label(ax, base.rate, 1.68, "best at 64", offset=(5, -2))
    said = "not seen" if best.edge else f"{best.rate:.4f} [{best.low:.4f}, {best.high:.4f}]"
    ax.set_title(f"{name}, width {chosen}: best rate {said}")
    return fig


def draw_best_rates(runs: Mapping[str, pd.DataFrame]) -> Figure:
    """Left: the best rate of each width with its interval, and its power law. Right: the loss there, and at 64's best."""
    fig, (left, right) = plots.figure(columns=2, width=9.8, height=4.3)
    slopes = {}
    for name, frame in runs.items():
        colour, marker = _LOOK[name]
        best = {width: one for width, one in best_rates(frame).items() if not one.edge}
        x = np.array(list(best))
        rate, low, high = (np.array([getattr(one, part) for one in best.values()]) for part in ("rate", "low", "high"))
        plots.measured(left, x, rate, low, high, colour=colour, marker=marker)
        slopes[name] = rate_slope(best)[0]
        line = np.exp(np.log(rate).mean()) * (x / np.exp(np.log(x).mean())) ** slopes[name]
        left.plot(x, line, color=plots.COLOURS[colour], linewidth=1.3)
        plots.label(left, x[-1], rate[-1], name, colour=colour, offset=(8, -4))
        own, kept = at_best(frame), at_best(frame, rate=best[64].rate)
        right.plot(x, [own[width].mean() for width in x], color=plots.COLOURS[colour], marker=marker, linewidth=1.4)
        right.plot(
            x,
            [kept[width].mean() for width in x],
            color=plots.COLOURS[colour],
            marker=marker,
            linewidth=1.4,
            linestyle=":",
            markerfacecolor="white",
        )
    for ax in (left, right):
        ax.set(xscale="log", xlabel="width")
        ax.set_xticks(list(x), [str(width) for width in x])
        ax.minorticks_off()
    left.set(yscale="log", ylabel="best peak learning rate", xlim=(x[0] / 1.3, x[-1] * 5))
    left.set_yticks((0.004, 0.008, 0.016, 0.032), ("0.004", "0.008", "0.016", "0.032"))
    left.minorticks_off()
    left.set_title(", ".join(f"{name} ~ width$^{{{s:+.2f}}}$" for name, s in slopes.items()))
    right.set_ylabel("validation loss (nats)")
    right.set_title("Filled: own best rate. Open: best rate at 64")
    return fig


def at_best(runs: pd.DataFrame, rate: float | None = None) -> dict[int, Any]:
    """Losses of each size at its best rate on the grid, or at the tried rate nearest to `rate`: size -> (seeds,)."""
    found = {}
    for size in sorted(runs["size"].unique()):
        rates, loss = _table(runs, size)
        i = int(np.nanargmin(loss.mean(axis=0))) if rate is None else int(np.argmin(np.abs(np.log(rates / rate))))
        found[int(size)] = loss[:, i]
    return found


# --- depth ----------------------------------------------------------------------------------------


def draw_depths(plain: Mapping[int, Mapping[int, Any]], residual: Mapping[int, Mapping[int, Any]]) -> Figure:
    """Loss at each depth's best rate, all depths of a panel at the same cost; plain and with skip connections.

    plain, residual: layers -> number of the cost, 0 and 1 -> losses (seeds,). Bars: 95 % of the mean over seeds.
    """
    fig, axes = plots.figure(columns=2, width=9.8, height=4.3, sharey=True)
    for level, ax in enumerate(axes):
        for table, colour, marker, name in ((plain, "orange", "o", "plain"), (residual, "blue", "s", "with skips")):
            layers = np.array(sorted(table))
            values = [np.asarray(table[n][level]) for n in layers]
            mean = np.array([v.mean() for v in values])
            half = np.array([_half_interval(v) for v in values])
            ax.plot(layers, mean, color=plots.COLOURS[colour], linewidth=1.4)
            plots.measured(ax, layers, mean, mean - half, mean + half, colour=colour, marker=marker)
            plots.label(ax, layers[-1], mean[-1], name, colour=colour, offset=(8, -4))
        ax.set(xscale="log", xlabel="hidden layers", xlim=(0.85, 44))
        ax.set_xticks((1, 2, 4, 8, 16), ("1", "2", "4", "8", "16"))
        ax.minorticks_off()
    axes[0].set_title("16,000 weights")
    axes[1].set_title("64,640 weights: four times the cost")
    axes[0].set_ylabel("validation loss (nats)")
    return fig


def _half_interval(values: Any) -> float:
    """Half the 95 % interval of the mean of some seeds, by Student's t."""
    from scipy import stats

    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n)) if n > 1 else math.nan


# --- the best size --------------------------------------------------------------------------------


def best_for_seconds(runs: pd.DataFrame, seconds: float) -> tuple[float, float, pd.DataFrame]:
    """The best size when time is fixed: parameters, the FLOPs that it uses, and each size's loss after that time.

    Each size's loss is interpolated between its budgets in the logarithms of time and loss; then a parabola, as at fixed
    FLOPs. NaN where the best size is the smallest or the largest one that was seen.
    """
    import pandas as pd

    rows = []
    for n_params, group in runs.groupby("n_params"):
        mean = group.groupby("budget")[["seconds", "loss", "flops"]].mean().sort_values("seconds")
        if mean["seconds"].iloc[0] <= seconds <= mean["seconds"].iloc[-1]:
            x = np.log(mean["seconds"])
            loss, flops = (np.exp(np.interp(math.log(seconds), x, np.log(mean[c]))) for c in ("loss", "flops"))
            rows.append({"n_params": n_params, "loss": float(loss), "flops": float(flops)})
    table = pd.DataFrame(rows, columns=["n_params", "loss", "flops"])
    i = int(table["loss"].to_numpy().argmin()) if len(table) else 0
    if len(table) < 3 or i in (0, len(table) - 1):
        return math.nan, math.nan, table
    first = max(0, min(i - 2, len(table) - 5))
    near = table.iloc[first : first + 5]
    a, b, _ = np.polyfit(np.log(near["n_params"]), np.log(near["loss"]), 2)
    best = float(np.exp(-b / (2 * a)))
    flops = float(np.exp(np.interp(math.log(best), np.log(table["n_params"]), np.log(table["flops"]))))
    return best, flops, table


def draw_sizes(
    by_flops: pd.DataFrame, best: float, by_seconds: pd.DataFrame, best_in_time: float, seconds: float
) -> Figure:
    """Loss against size at a fixed budget of FLOPs, and at a fixed time on the machine that recorded the sweep."""
    fig, axes = plots.figure(columns=2, width=9.8, height=4.0, sharey=True)
    for ax, table, place, colour, marker, name in (
        (axes[0], by_flops, best, "orange", "o", "At equal FLOPs"),
        (axes[1], by_seconds, best_in_time, "blue", "s", f"After {seconds:g} s each"),
    ):
        ax.plot(table["n_params"], table["loss"], color=plots.COLOURS[colour], marker=marker, linewidth=1.4)
        ax.axvline(place, color=plots.COLOURS["black"], linestyle="--", linewidth=1.2)
        ax.set(xscale="log", xlabel="parameters N")
        ax.set_xticks((5_000, 10_000, 20_000, 40_000), ("5,000", "10,000", "20,000", "40,000"))
        ax.minorticks_off()
        ax.set_title(f"{name}: best size {place:,.0f}")
    axes[0].set_ylabel("validation loss (nats)")
    return fig
