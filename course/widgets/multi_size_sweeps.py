"""Figures of lesson 5.3: steps and their time, rates, the schedule, IsoFLOP curves, spoiled twins, a fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from course import plots
from course.training import Recipe, learning_rate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "Summary",
    "draw_budget",
    "draw_curves",
    "draw_fault",
    "draw_rates",
    "draw_schedule",
    "draw_step_times",
    "draw_twins",
    "progress",
    "summary",
]

ORDER = ("blue", "orange", "green", "pink", "amber", "sky")


def progress() -> Callable[[float, float], None]:
    """A line that says how much of a sweep is done, for `course.sweeps.run`; rewritten in place in a notebook."""
    from IPython.display import HTML, display

    def html(share: float) -> Any:
        return HTML(f'<progress value="{share:.2f}" max="1" style="width:300px"></progress> {share:.0%} of the FLOPs')

    handle, shown = display(html(0.0), display_id=True), 0

    def show(done: float, total: float) -> None:
        nonlocal shown
        if handle is not None and int(100 * done / total) != shown:
            shown = int(100 * done / total)
            handle.update(html(done / total))

    return show


# --- what a sweep says ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """A sweep in figures: exponent of the best size, budgets with their optimum inside, and the surface's fit."""

    a: float
    low: float
    high: float
    inside: int
    budgets: int
    alpha: float
    beta: float
    floor: float
    r_squared: float
    diverged: int
    optima: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        a = f"{self.a:.2f} [{self.low:.2f}, {self.high:.2f}]" if math.isfinite(self.a) else "none"
        return (
            f"{self.inside}/{self.budgets} inside  a = {a:17}  "
            f"alpha {self.alpha:.2f}  beta {self.beta:.2f}  E {self.floor:.2f}  R² {self.r_squared:.3f}"
        )


def summary(runs: pd.DataFrame) -> Summary:
    """Fit both laws of lesson 5.4 to a table of runs; runs that diverged are left out."""
    from course.laws import fit_chinchilla, fit_isoflop

    whole = runs[~runs["diverged"].astype(bool)]
    budgets = runs["budget"].nunique()
    with np.errstate(all="ignore"):
        surface = fit_chinchilla(whole["n_params"], whole["tokens"], whole["loss"])
        try:
            law = fit_isoflop(whole["flops"], whole["n_params"], whole["loss"], budget=whole["budget"], bootstrap=400)
            optima = tuple((one.flops, one.n_params) for one in law.optima if not one.edge)
            a, (low, high) = law.params["a"], law.interval["a"]
        except ValueError:  # fewer than two budgets have their optimum inside
            optima, a, low, high = (), math.nan, math.nan, math.nan
    spread = np.log(whole["loss"]) - np.log(whole["loss"]).mean()
    r_squared = 1 - float(surface.residuals @ surface.residuals / (spread @ spread))
    values = surface.params
    return Summary(
        a,
        low,
        high,
        len(optima),
        budgets,
        values["alpha"],
        values["beta"],
        values["E"],
        r_squared,
        int(runs["diverged"].sum()),
        optima,
    )


# --- the engine and its settings ------------------------------------------------------------------


def draw_step_times(n_params: Sequence[int], eager: Sequence[float], compiled: Sequence[float]) -> Figure:
    """Milliseconds of a step against the model's size, for the two loops."""
    fig, ax = plots.figure(height=3.9)
    plots.measured(ax, n_params, eager, colour="orange", marker="s", linestyle="-")
    plots.measured(ax, n_params, compiled, colour="blue", linestyle="-")
    ax.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="time of a step (ms)")
    ax.set_ylim(0.5 * min(compiled), 2.5 * max(eager))
    ax.margins(x=0.12)
    plots.label(
        ax, n_params[0], max(eager), "eager loop, one Python call an operation", colour="orange", offset=(0, 10)
    )
    plots.label(ax, n_params[0], min(compiled), "whole loop compiled", colour="blue", offset=(4, -16))
    ratios = [e / c for e, c in zip(eager, compiled, strict=True)]
    ax.set_title(f"Compiled: {ratios[0]:.0f} times faster when small, {ratios[-1]:.0f} times when large")
    return fig


def draw_rates(rates: Sequence[float], losses: Mapping[int, Sequence[float]]) -> Figure:
    """Loss after the same number of steps against the peak rate, a curve for each size, the best one marked."""
    fig, ax = plots.figure(height=3.9)
    best = {}
    for (size, values), colour, marker in zip(losses.items(), ORDER, plots.MARKERS, strict=False):
        values = np.asarray(values, dtype=float) - np.nanmin(values)
        plots.measured(ax, rates, values, colour=colour, marker=marker, linestyle="-")
        i = int(np.nanargmin(values))
        best[size] = rates[i]
        ax.plot(rates[i], values[i], marker, color=plots.COLOURS[colour], markersize=13, fillstyle="none")
        plots.label(ax, rates[0], values[0], f"width {size}", colour=colour, offset=(-6, 10))
    ax.set(xscale="log", xlabel="peak learning rate", ylabel="loss above this size's best (nats)")
    ax.set_xticks(list(rates), [f"{rate:g}" for rate in rates])
    ax.minorticks_off()
    ax.set_ylim(-0.03, 0.62)
    small, large = min(best), max(best)
    ax.set_title(f"Width {small} learns best at {best[small]:g}, width {large} at {best[large]:g}")
    return fig


def draw_schedule(cooldown: float = 0.3, branches: int = 4) -> Figure:
    """The rate of `branches` runs, each twice as long as the one before, that share one stable phase."""
    branches = int(branches)
    recipe = Recipe(batch=1, rate=1.0, rate_power=0.0, warmup=30, cooldown=cooldown)
    runs = [250 * 2**i for i in range(branches)]
    longest = runs[-1]
    fig, ax = plots.figure(height=3.7)
    stable = round((1 - cooldown) * longest)
    steps = np.arange(stable + 1)
    ax.plot(steps, learning_rate(recipe, 64, steps, longest), color=plots.COLOURS["black"], linewidth=2.6)
    for run, colour in zip(runs, ORDER, strict=False):
        part = np.arange(run - round(cooldown * run), run + 1)
        ax.plot(part, learning_rate(recipe, 64, part, run), color=plots.COLOURS[colour])
        if run > 0.05 * longest:  # the shortest ones would lie on each other
            plots.label(ax, run, 0.0, f"{run:,}", colour=colour, offset=(-8, -14))
    ax.set(xlabel="step", ylabel="share of the peak rate", ylim=(-0.13, 1.12), xlim=(-0.02 * longest, 1.05 * longest))
    if stable > 0.35 * longest:  # room for the words
        plots.label(ax, 0.45 * stable, 1.0, "stable phase, trained once", offset=(0, 5), ha="center")
    separate, branched = sum(runs), (1 - cooldown) * longest + cooldown * sum(runs)
    ax.set_title(f"{branches} runs for {branched:,.0f} steps in place of {separate:,}")
    return fig


# --- IsoFLOP curves -------------------------------------------------------------------------------


def _power(value: float) -> str:
    """1e10 as 10^10, 3e10 as 3 10^10, 3.162e10 as 10^10.5, for a label."""
    exponent = math.log10(value)
    first = value / 10 ** math.floor(exponent)
    if 1.5 < first < 9.5 and abs(first - round(first)) < 0.02:
        return f"${first:.0f} \\cdot 10^{{{math.floor(exponent)}}}$"
    return f"$10^{{{exponent:.0f}}}$" if abs(exponent - round(exponent)) < 0.02 else f"$10^{{{exponent:.1f}}}$"


def _parabola(group: pd.DataFrame) -> tuple[Any, Any, float]:
    """Grid of N, the parabola of log loss there, and N at its lowest point (NaN when not inside), seeds averaged."""
    mean = group.groupby("n_params")["loss"].mean()
    n, loss = mean.index.to_numpy(dtype=float), mean.to_numpy()
    i = int(np.argmin(loss))
    first = max(0, min(i - 2, len(n) - 5))
    near = np.abs(np.log(n / n[i])) <= math.log(4) + 1e-9  # as fit_isoflop chooses them
    near[first : first + 5] = True
    x = np.log(n[near])
    if len(x) < 3:
        return n, np.full(len(n), np.nan), math.nan
    a, b, c = np.polyfit(x, np.log(loss[near]), 2)
    grid = np.linspace(x[0] - 0.15, x[-1] + 0.15, 60)
    inside = a > 0 and 0 < i < len(n) - 1
    return np.exp(grid), np.exp(a * grid**2 + b * grid + c), float(np.exp(-b / (2 * a))) if inside else math.nan


def draw_curves(runs: pd.DataFrame) -> Figure:
    """IsoFLOP curves with their parabolas, and the best size against the budget."""
    from course.laws import fit_isoflop

    whole = runs[~runs["diverged"].astype(bool)]
    law = fit_isoflop(whole["flops"], whole["n_params"], whole["loss"], budget=whole["budget"], bootstrap=1000)
    fig, (left, right) = plots.figure(columns=2, width=9.8, height=4.3)
    looks = zip(cycle(ORDER), cycle(plots.MARKERS), strict=False)  # a GPU's plan has nine budgets
    for (budget, group), (colour, marker) in zip(whole.groupby("budget"), looks, strict=False):
        grid, curve, best = _parabola(group)
        left.plot(grid, curve, color=plots.COLOURS[colour], linewidth=1.3)
        plots.measured(left, group["n_params"], group["loss"], colour=colour, marker=marker)
        if math.isfinite(best):
            left.plot(best, np.interp(best, grid, curve), "*", color=plots.COLOURS["black"], markersize=12, zorder=4)
        last = group.loc[group["n_params"].idxmax()]
        plots.label(left, last["n_params"], last["loss"], _power(budget), colour=colour, offset=(7, -3))
    left.set(xscale="log", xlabel="parameters N", ylabel="validation loss (nats)")
    left.set_xlim(whole["n_params"].min() / 1.4, whole["n_params"].max() * 2.3)
    left.set_title("At each budget, one size is best")
    inside = [one for one in law.optima if not one.edge]
    x, y = np.array([one.flops for one in inside]), np.array([one.n_params for one in inside])
    plots.measured(right, x, y, [one.low for one in inside], [one.high for one in inside], colour="black", marker="*")
    grid = np.geomspace(x.min() / 1.5, x.max() * 1.5, 20)
    right.plot(grid, law.predict(flops=grid), color=plots.COLOURS["blue"], linewidth=1.6)
    right.set(xscale="log", yscale="log", xlabel="budget C (FLOPs)", ylabel="best size (parameters)")
    low, high = law.interval["a"]
    right.set_title(f"Best size ~ C^{law.params['a']:.2f} [{low:.2f}, {high:.2f}]")
    return fig


def draw_budget(runs: pd.DataFrame, budget: int = 2, small: int = 0, large: int = 0) -> Figure:
    """One budget's curve (0: the smallest budget), with so many of its smallest and largest sizes left out."""
    budgets = sorted(runs["budget"].unique())
    flops = budgets[int(budget)]
    whole = runs[(runs["budget"] == flops) & ~runs["diverged"].astype(bool)].sort_values("n_params")
    end = len(whole) - int(large)
    kept = whole.iloc[int(small) : end]
    fig, ax = plots.figure(height=3.9)
    ax.plot(whole["n_params"], whole["loss"], "o", color=plots.COLOURS["grey"], alpha=0.35)
    plots.measured(ax, kept["n_params"], kept["loss"], colour="blue")
    ax.set(xscale="log", xlabel="parameters N", ylabel="validation loss (nats)")
    ax.set_xlim(whole["n_params"].min() / 2, whole["n_params"].max() * 2)
    reach = np.ptp(whole["loss"])
    ax.set_ylim(whole["loss"].min() - 0.25 * reach, whole["loss"].max() + 0.35 * reach)
    if len(kept) < 3:
        ax.set_title(f"{_power(flops)} FLOPs: {len(kept)} sizes make no parabola")
        return fig
    grid, curve, best = _parabola(kept)
    ax.plot(grid, curve, color=plots.COLOURS["blue"], linewidth=1.3)
    if math.isfinite(best):
        ax.axvline(best, color=plots.COLOURS["black"], linestyle="--", linewidth=1)
        tokens = float(np.exp(np.interp(np.log(best), np.log(kept["n_params"]), np.log(kept["tokens"]))))
        ax.set_title(f"{_power(flops)} FLOPs: best at {best:,.0f} parameters, {tokens / best:,.0f} tokens for each")
    else:
        ax.set_title(f"{_power(flops)} FLOPs: smallest loss at the edge, no best size seen")
    return fig


def draw_twins(clean: Mapping[str, pd.DataFrame], spoiled: Mapping[str, pd.DataFrame]) -> Figure:
    """A panel for each spoiled sweep: its curves over its clean twin's (dashed, pale), and what a fit says of it."""
    fig, axes = plots.figure(columns=3, rows=2, width=10.4, height=6.6)
    panels = list(axes.ravel())
    for (name, runs), ax in zip(spoiled.items(), panels, strict=False):
        colours = dict(zip(sorted(clean[name]["budget"].unique()), cycle(ORDER), strict=False))
        for frame, look in (
            (clean[name], {"linestyle": "--", "alpha": 0.45}),
            (runs, {"marker": "s", "markersize": 4}),
        ):
            for budget, group in frame.groupby("budget"):
                mean = group[~group["diverged"].astype(bool)].groupby("n_params")["loss"].mean()
                ax.plot(mean.index, mean, linewidth=1.3, color=plots.COLOURS[colours[budget]], **look)
        found = summary(runs)
        said = f"a = {found.a:.2f}" if math.isfinite(found.a) else "no a"
        ax.set_title(f"{name}\n{said}, alpha {found.alpha:.2f}, R² {found.r_squared:.3f}", fontsize=10.5)
        ax.set(xscale="log")
    for ax in panels[len(spoiled) :]:
        ax.set_axis_off()
    if len(spoiled) < len(panels):
        text = (
            "a colour for each budget\nsolid: the spoiled sweep\ndashed, pale: its clean twin\n"
            "upwards: loss (nats)\nto the right: parameters N"
        )
        panels[-1].text(0.05, 0.9, text, transform=panels[-1].transAxes, va="top", fontsize=11)
    return fig


def draw_fault(sizes: Sequence[int], right: Any, wrong: Any) -> Figure:
    """Loss after training with the faulty update less that with the right one, a point for each seed.

    right, wrong: (sizes, seeds) nats.
    """
    gap = np.asarray(wrong) - np.asarray(right)
    fig, ax = plots.figure(height=3.8)
    for column in gap.T:
        ax.plot(sizes, column, "o", color=plots.COLOURS["sky"], markersize=6)
    ax.plot(sizes, gap.mean(axis=1), color=plots.COLOURS["blue"], marker="s")
    ax.axhline(0, color=plots.COLOURS["black"], linewidth=1)
    ax.set(xscale="log", xlabel="width of the model", ylabel="loss, faulty less right (nats)")
    ax.set_xticks(list(sizes), [str(size) for size in sizes])
    ax.minorticks_off()
    ax.set_title(f"The fault shifts the loss by {', '.join(f'{mean:+.2f}' for mean in gap.mean(axis=1))} nats")
    return fig
