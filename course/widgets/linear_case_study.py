"""Figures of lesson 4.3: the floor against the signal, the spread of fits, two decades of n, two toys, nine laws."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special, stats

from course import linear, plots, toy_laws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from course.toy_laws import Measured

    Ratios = dict[int, tuple[float, float, float]]

__all__ = ["draw_decades", "draw_floor", "draw_grid", "draw_keys", "draw_laws", "draw_signal", "draw_spread"]

RULE_MARKS = {"gradient descent": "o", "momentum": "^", "Adam": "D", "exact": "x"}
LAW_COLOURS = ("pink", "orange", "pink", "orange", "blue", "blue", "green", "green", "green")
LAW_LABELS = (  # at the last point of the curve: text, offset in points
    ("keys, alpha = 0.5", (8, -4)),
    ("spectrum, b = 1.5", (10, 20)),
    ("keys, alpha = 2", (8, -4)),
    ("", (0, 0)),
    ("", (0, 0)),
    ("logistic, least squares,\nspectrum with b = 2", (-22, -32)),
    ("3-D", (8, -4)),
    ("2-D", (8, -4)),
    ("1-D", (8, -4)),
)


def draw_signal(signal: float = 2.0) -> Figure:
    """What labels of signal strength |w| = `signal` allow: probabilities of the samples, and the floor they set."""
    fig, (left, right) = plots.figure(columns=2, width=9.6, height=3.9)
    edges = np.linspace(0, 1, 26)
    inner = special.logit(np.clip(edges, 1e-12, 1 - 1e-12)) / max(signal, 1e-9)
    share = np.diff(stats.norm.cdf(inner))
    left.bar(edges[:-1], share, width=0.04, align="edge", color=plots.COLOURS["sky"], edgecolor="white", linewidth=0.6)
    left.set(xlim=(0, 1), ylim=(0, max(0.2, 1.15 * share.max())))
    left.set(xlabel="true probability p of label 1", ylabel="share of samples")
    certain = stats.norm.cdf(-special.logit(0.9) / max(signal, 1e-9)) * 2
    left.set_title(f"{certain:.0%} of labels are 90 % certain or more")

    grid = np.linspace(0, 8, 161)
    floor, error = linear.irreducible_loss(grid), linear.bayes_error(grid)
    here, wrong = linear.irreducible_loss(signal), linear.bayes_error(signal)
    right.plot(grid, floor, color=plots.COLOURS["blue"])
    right.plot(grid, error, color=plots.COLOURS["orange"], linestyle="--")
    right.plot(signal, here, "o", color=plots.COLOURS["blue"], markersize=9)
    right.plot(signal, wrong, "s", color=plots.COLOURS["orange"], markersize=8)
    right.set(xlim=(0, 8), ylim=(0, 0.75), xlabel="signal strength |w|", ylabel="irreducible loss (nats), error")
    right.set_title(f"Floor {here:.3f} nats, Bayes error {wrong:.1%}")
    plots.label(
        right, 4.2, float(linear.irreducible_loss(4.2)), "irreducible loss E (nats)", colour="blue", offset=(8, 8)
    )
    plots.label(right, 0.25, 0.06, "Bayes error (share of labels)", colour="orange", offset=(0, 0))
    return fig


@lru_cache(maxsize=64)
def _draws(n: int, d: int) -> Any:
    true = np.full(d, 2 / np.sqrt(d))
    return linear.draw_excess(n, true, 120, np.random.default_rng(1000 * n + d))


def draw_spread(n: int = 1000, d: int = 10) -> Figure:
    """Excess losses of logistic fits to 120 data sets of n samples with d features, |w| = 2, beside theory."""
    n, d = int(n), int(d)
    values = _draws(n, d)
    kept = values[~np.isnan(values)]
    separable = len(values) - len(kept)
    predicted = d / (2 * n)
    fig, (left, right) = plots.figure(columns=2, width=9.6, height=4.0)

    grid = np.geomspace(predicted / 8, predicted * 40, 400)
    bins = np.geomspace(predicted / 8, predicted * 40, 28)
    inside, share = np.clip(kept, bins[0], bins[-1]), np.full(len(kept), 1 / len(values))
    left.hist(inside, bins=bins, weights=share, color=plots.COLOURS["sky"], edgecolor="white")
    step = np.log(bins[1] / bins[0])
    plots.theory(left, grid, stats.chi2.pdf(2 * n * grid, d) * 2 * n * grid * step)
    left.axvline(predicted, color=plots.COLOURS["black"], linewidth=1)
    left.set(
        xscale="log",
        xlabel="excess loss (nats); end bars: and beyond",
        ylabel="share of data sets",
        xlim=(grid[0], grid[-1]),
    )
    top = max(left.get_ylim()[1], 0.1) * 1.18
    left.set_ylim(0, top)
    left.annotate("mean in theory, d/(2n)", (predicted, top), xytext=(5, -13), textcoords="offset points", fontsize=10)
    left.set_title(f"Each data set its own excess: n/d = {n / d:.3g}")

    sizes = np.geomspace(20, 2000, 50)
    plots.theory(right, sizes, d / (2 * sizes))
    low, high = d / (2 * sizes) * stats.chi2.ppf(0.025, d) / d, d / (2 * sizes) * stats.chi2.ppf(0.975, d) / d
    right.fill_between(sizes, low, high, color=plots.COLOURS["grey"], alpha=0.15, linewidth=0)
    right.set(xscale="log", yscale="log", xlabel="samples n", ylabel="excess loss (nats)")
    right.set(xlim=(20, 2000), ylim=(2e-4, 20))
    right.text(0.03, 0.05, "dashed: d/(2n); grey: 95 % of data sets in theory", transform=right.transAxes, fontsize=10)
    if len(kept) >= 10:
        mean = linear.mean_interval(kept)[0]
        a, b = np.percentile(kept, [2.5, 97.5])
        plots.measured(right, [n], [mean], [min(a, mean)], [max(b, mean)])
        right.set_title(f"Mean {mean:.2g} nats, {mean / predicted:.2f} times d/(2n)")
    else:
        right.set_title("Too few data sets have a minimum")
    if separable:
        right.text(
            0.97,
            0.95,
            f"{separable} of {len(values)} data sets are separable:\nno minimum, no excess",
            transform=right.transAxes,
            ha="right",
            va="top",
            color=plots.COLOURS["orange"],
            fontsize=10,
        )
    return fig


def draw_decades(
    logistic: dict[int, tuple[float, float, float]], squares: dict[int, tuple[float, float, float]]
) -> Figure:
    """Ratio of measured to predicted excess against n/d, d = 10: {n: (mean, low, high)} for both models."""
    fig, (left, right) = plots.figure(columns=2, width=10.4, height=4.3)
    for results, kind, colour, marker in (
        (logistic, "logistic", "blue", "o"),
        (squares, "least squares", "orange", "s"),
    ):
        n = np.array(sorted(results), dtype=float)
        ratio = np.array([results[int(size)] for size in n])
        predicted = linear.predicted_excess(n, 10, kind)  # type: ignore[arg-type]
        grid = np.geomspace(n[0], n[-1], 200)
        plots.theory(left, grid, linear.predicted_excess(grid, 10, kind), colour=colour)  # type: ignore[arg-type]
        plots.measured(left, n, *(predicted * column for column in ratio.T), colour=colour, marker=marker)
        plots.measured(right, n / 10, *ratio.T, colour=colour, marker=marker)
    left.set(xscale="log", yscale="log", xlabel="samples n", ylabel="excess loss (nats; squared error)")
    left.set_title("Both excess losses fall as 1/n")
    plots.label(left, 4000, 10 / 4000, "least squares: d/(n - d - 1)", colour="orange", offset=(-8, 12))
    plots.label(left, 900, 5 / 900, "logistic: d/(2n)", colour="blue", offset=(-14, -24), ha="right")
    plots.theory(right, [1.5, 6e4], [1, 1])
    right.axvspan(270, 6e4, color=plots.COLOURS["green"], alpha=0.08, linewidth=0)
    right.set(
        xscale="log",
        xlim=(1.5, 6e4),
        ylim=(0.66, 2.05),
        xlabel="samples per weight, n/d",
        ylabel="measured / predicted",
    )
    right.set_title("Logistic: within the intervals from n/d = 316")
    plots.label(right, 10, 1.62, "logistic: too much excess\nfrom few samples", colour="blue", offset=(8, 10))
    plots.label(right, 300, 1.25, "two decades in which all\nintervals hold the theory", colour="green", offset=(0, 2))
    return fig


def draw_floor(floor: float = 0.0) -> Figure:
    """The same losses, E + 5/n with E for |w| = 2, after `floor` nats are subtracted: how the fitted slope changes."""
    n = np.geomspace(100, 10_000, 9)
    truth = float(linear.irreducible_loss(2.0))
    rest = truth + 5 / n - floor
    fig, ax = plots.figure(height=4.0)
    ok = rest > 0
    if ok.sum() >= 3:
        line = linear.log_log_slope(n[ok], rest[ok])
        fitted = np.exp(np.log(rest[ok]).mean() + line.slope * (np.log(n[ok]) - np.log(n[ok]).mean()))
        plots.theory(ax, n[ok], fitted)
        ax.set_title(f"Floor subtracted {floor:.4f}: slope {line.slope:.3f}, R² = {line.r_squared:.4f}")
    plots.measured(ax, n[ok], rest[ok])
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(80, 12_500),
        ylim=(5e-6, 1),
        xlabel="samples n",
        ylabel="loss minus the floor subtracted (nats)",
    )
    note = f"true floor E = {truth:.4f} nats, true exponent 1"
    if (~ok).any():
        note += f"\n{(~ok).sum()} of {len(n)} points lie below this floor and are lost"
    ax.text(0.03, 0.06, note, transform=ax.transAxes, fontsize=10)
    return fig


def draw_grid(points: int = 8, k: int = 1) -> Figure:
    """A wave fitted by straight pieces between `points` points (left); squared error against weights N (right)."""
    points, k = int(points), int(k)
    problem = toy_laws.grid_problem(points, 1, np.random.default_rng(1), k=1)
    phase = np.random.default_rng(1).uniform(0, 2 * np.pi, size=2)  # as grid_problem draws them
    x = np.linspace(0, 1, 601)
    wave = sum(np.cos(2 * np.pi * f * x + angle) for f, angle in zip((1, 2), phase, strict=True))
    fig, (left, right) = plots.figure(columns=2, width=9.6, height=4.0)
    left.plot(x, wave, color=plots.COLOURS["grey"], linewidth=3, alpha=0.6)
    knots = np.arange(points + 1) / points
    left.plot(knots, np.append(problem.exact[0], problem.exact[0, 0]), "o-", color=plots.COLOURS["green"], markersize=4)
    left.set(xlabel="place, in one dimension", ylabel="height", xlim=(0, 1))
    left.set_title(f"{points} weights on one axis: spacing 1/{points}")

    sides = np.arange(8, 65, 8)
    for dimensions, marker in ((1, "o"), (2, "s"), (3, "D")):
        error = toy_laws.grid_theory(sides, dimensions)
        chosen = dimensions == k
        right.plot(
            sides.astype(float) ** dimensions,
            error,
            color=plots.COLOURS["green"],
            linestyle="--",
            linewidth=2 if chosen else 1,
            alpha=1 if chosen else 0.5,
        )
        right.plot(
            float(points) ** dimensions,
            float(toy_laws.grid_theory(points, dimensions)),
            marker,
            color=plots.COLOURS["green" if chosen else "grey"],
            markersize=10 if chosen else 6,
        )
        plots.label(
            right, float(sides[-1]) ** dimensions, error[-1], f"k = {dimensions}", colour="green", offset=(-12, -15)
        )
    right.set(xscale="log", yscale="log", xlim=(5, 1e6), ylim=(3e-7, 6e-2))
    right.minorticks_off()
    right.set(xlabel="weights N", ylabel="squared error, theory")
    power = "" if k == 1 else f" = {points}^{k}"
    error_here = float(toy_laws.grid_theory(points, k))
    right.set_title(f"k = {k}: N{power} = {points**k:,}, error {error_here:.1e}")
    return fig


@lru_cache(maxsize=32)
def _unseen(alpha: float) -> tuple[Any, Any, Any]:
    n = np.geomspace(100, 10_000, 9)
    p = toy_laws.zipf(alpha, 200_000)
    return p, n, toy_laws.keys_theory(n, p)


def draw_keys(n: float = 1000, alpha: float = 0.5) -> Figure:
    """Zipf frequencies of keys with the level 1/n (left); the share of samples with an unknown key (right)."""
    p, sizes, unseen = _unseen(round(float(alpha), 3))
    n = round(n)
    known = int((p > 1 / n).sum())
    fig, (left, right) = plots.figure(columns=2, width=9.6, height=4.0)
    number = np.arange(1, len(p) + 1)
    left.plot(number[:known], p[:known], color=plots.COLOURS["pink"], linewidth=3)
    left.plot(number[known:], p[known:], color=plots.COLOURS["grey"], linewidth=1.5)
    left.axhline(1 / n, color=plots.COLOURS["black"], linewidth=1)
    plots.label(left, 9e3, 1 / n, "frequency 1/n", offset=(-12, 4))
    left.set(xscale="log", yscale="log", xlim=(0.8, 1e5), ylim=(1e-7, 2), xlabel="key number k", ylabel="frequency")
    left.minorticks_off()  # over seven decades they cost a redraw half its time
    left.set_title(f"{known} keys are more frequent than 1/n")
    slope = -linear.log_log_slope(sizes, unseen).slope
    here = float(toy_laws.keys_theory([n], p)[0])
    plots.theory(right, sizes, unseen, colour="pink")
    right.plot(n, here, "o", color=plots.COLOURS["pink"], markersize=9)
    right.set(xscale="log", yscale="log", xlim=(80, 12_500), ylim=(5e-4, 0.5))
    right.set(xlabel="samples n", ylabel="chance of an unknown key, theory")
    right.set_title(f"Unknown: {here:.2%} of fresh samples")
    note = f"exponent over this range {slope:.3f}\nalpha / (1 + alpha) = {alpha / (1 + alpha):.3f}"
    right.text(0.03, 0.05, note, transform=right.transAxes, fontsize=10)
    return fig


def draw_laws(measured: Sequence[Measured]) -> Figure:
    """Nine problems, one training rule: their curves (left) and their exponents under each rule (right)."""
    fig, (left, right) = plots.figure(columns=2, width=11.0, height=5.4)
    for row, (one, colour) in enumerate(zip(measured, LAW_COLOURS, strict=True)):
        x = np.array(one.law.sizes) / one.law.sizes[0]
        mean = one.excess["gradient descent"].mean(axis=0)
        marker = "o" if one.law.size == "n" else "s"
        plots.theory(left, x, one.law.theory / one.law.theory[0], colour=colour, linewidth=1.2)
        plots.measured(left, x, mean / mean[0], colour=colour, marker=marker, markersize=5)
        text, offset = LAW_LABELS[row]
        plots.label(left, x[-1], mean[-1] / mean[0], text, colour=colour, offset=offset)
        right.plot(
            [one.law.expected] * 2, [row - 0.36, row + 0.36], color=plots.COLOURS["black"], linewidth=1.2, zorder=1
        )
        offsets = np.linspace(0.27, -0.27, len(RULE_MARKS))
        for (rule, mark), move in zip(RULE_MARKS.items(), offsets, strict=True):
            if rule in one.exponents:
                e = one.exponents[rule]
                right.plot([e.low, e.high], [row + move] * 2, color=plots.COLOURS[colour], linewidth=1.6)
                right.plot(e.value, row + move, mark, color=plots.COLOURS[colour], markersize=5)
    left.set(xscale="log", yscale="log", xlim=(0.9, 1500), ylim=(1e-5, 1.5))
    left.set(xlabel="size, relative to the smallest", ylabel="excess loss, relative to the first")
    left.set_title("One update rule, many slopes")
    left.text(
        0.03, 0.05, "circles: samples n; squares: weights N\ndashed: theory", transform=left.transAxes, fontsize=10
    )
    right.set(xscale="log", xlim=(0.25, 6), ylim=(-0.6, len(measured) - 0.4), xlabel="exponent")
    right.set_xticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
    right.set_xticks([], minor=True)
    right.set_yticks(range(len(measured)), [one.law.name for one in measured])
    for text, colour in zip(right.get_yticklabels(), LAW_COLOURS, strict=True):
        text.set_color(plots.COLOURS[colour])
    right.set_title("The problem sets the exponent")
    handles = [
        right.plot([], [], mark, color=plots.COLOURS["grey"], label=rule, markersize=6)[0]
        for rule, mark in RULE_MARKS.items()
    ]
    handles.append(right.plot([], [], "|", color="black", label="theory", markersize=12, markeredgewidth=1.2)[0])
    right.legend(handles=handles, loc="lower right", fontsize=9.5)
    return fig
