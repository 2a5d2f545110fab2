"""Figures of lesson 3.4: intervals, measures against size, an emergence made and unmade, leaks, seeds, designs, prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from course import design, metrics, plots

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "draw_coverage",
    "draw_design",
    "draw_emergence",
    "draw_leaks",
    "draw_measures",
    "draw_price",
    "draw_robustness",
    "draw_seeds",
    "draw_text",
    "to_reach",
    "wald",
]

Array = NDArray[Any]


def wald(right: ArrayLike, n: int) -> tuple[Array, Array]:
    """The textbook's 95 % interval q +- 1.96 sqrt(q (1 - q) / n), q = right / n, with its faults."""
    q = np.asarray(right) / n
    half = 1.959964 * np.sqrt(q * (1 - q) / n)
    return q - half, q + half


def draw_coverage(n: int) -> Figure:
    """How often each of two 95 % intervals holds the true accuracy, exactly, for n test samples."""
    right, true = np.arange(n + 1), np.linspace(0.5, 0.999, 250)
    chance = stats.binom.pmf(right, n, true[:, None])
    fig, ax = plots.figure(height=3.6)
    at_98 = {}
    for name, interval, colour, style in (("q ± 1.96 s", wald, "orange", "-"), ("Wilson", metrics.wilson, "blue", "-")):
        low, high = interval(right, n)
        covered = (chance * ((low <= true[:, None]) & (true[:, None] <= high))).sum(axis=1)
        ax.plot(true, 100 * covered, style, color=plots.COLOURS[colour], linewidth=1.6 if name == "Wilson" else 1.2)
        at_98[name] = np.interp(0.98, true, covered)
    plots.theory(ax, [0.5, 1], [95, 95])
    ax.set(ylim=(40, 104), xlim=(0.5, 1.0), xlabel="true accuracy of the model", ylabel="intervals that hold it (%)")
    plots.label(ax, 0.52, 95, "Wilson", colour="blue", offset=(0, 10))
    plots.label(ax, 0.52, 88, "q ± 1.96 s", colour="orange", offset=(0, -14))
    ax.set_title(f"{n} test samples, accuracy 0.98: the textbook's 95 % is {100 * at_98['q ± 1.96 s']:.0f} %")
    return fig


# --- measures against size ------------------------------------------------------------------------


def draw_measures(sizes: ArrayLike, measures: Mapping[str, ArrayLike], fits: Mapping[str, Any]) -> Figure:
    """Each measure (k, seeds) against size on log-log axes; a law fitted to all sizes but the last where there is one."""
    n = np.asarray(sizes, dtype=float)
    fig, axes = plots.figure(2, 2, width=8.4, height=6.0, sharex=True)
    colours = ("blue", "green", "pink", "orange")
    for ax, (name, values), colour, marker in zip(axes.flat, measures.items(), colours, plots.MARKERS, strict=False):
        v = np.asarray(values, dtype=float)
        ax.plot(np.repeat(n, v.shape[1]), v.ravel(), ".", color=plots.COLOURS[colour], alpha=0.5, markersize=4)
        plots.measured(ax, n, v.mean(axis=1), colour=colour, marker=marker)
        title = f"{name}: hardly a law"
        if name in fits:
            law = fits[name]
            ax.axvspan(0.78 * n[-1], 1.35 * n[-1], color=plots.COLOURS["grey"], alpha=0.12)
            plots.theory(ax, n, law.predict(x=n))
            title = f"{name} falls as N^-{law.params['alpha']:.2f}"
        ax.set(xscale="log", yscale="log")
        ax.set_ylim(0.75 * v.min(), 1.4 * v.max())
        _plain_ticks(ax)
        ax.set_title(title, fontsize=11)
    for ax in axes[1]:
        ax.set_xlabel("parameters N")
    axes[0, 0].set_ylabel("nats")
    for ax in (axes[0, 1], *axes[1]):
        ax.set_ylabel("share")
    return fig


def _plain_ticks(ax: Any) -> None:
    """Numbers like 0.2 in place of 2 x 10^-1 on a logarithmic axis, at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


# --- emergence ------------------------------------------------------------------------------------


def draw_emergence(length: int, sizes: ArrayLike, right: ArrayLike, log_loss: ArrayLike) -> Figure:
    """Strings of `length` items all right (points) and p^length (line) beside the log loss, of the same models.

    sizes: (k,); right: (k, seeds, n) whether each item was right; log_loss: (k, seeds) nats.
    """
    n, hit = np.asarray(sizes, dtype=float), np.asarray(right)
    p, loss = hit.mean(axis=(1, 2)), np.asarray(log_loss).mean(axis=1)
    found = []
    for models in hit:
        strings = models[:, : models.shape[1] // length * length].reshape(-1, length).all(axis=1)
        low, high = metrics.wilson(strings.sum(), len(strings))
        found.append((strings.mean(), float(low), float(high)))
    share, low, high = np.array(found).T
    fig, (left, beside) = plots.figure(2, 1, width=8.8, height=3.9)
    fine = np.geomspace(n[0], n[-1], 100)
    plots.theory(left, fine, np.interp(np.log(fine), np.log(n), p) ** length)
    plots.measured(left, n, share, low, high, colour="orange", marker="s")
    left.set(xscale="log", xlabel="parameters N", ylabel="strings right to the last item", ylim=(-0.03, 1.0))
    done = metrics.done_halfway(n, share) if share[-1] > share[0] else 0.0
    left.set_title(f"Strings of {length}: {100 * done:.0f} % of the rise\nin the first half of the sizes", fontsize=11)
    plots.label(
        left, fine[50], (np.interp(np.log(fine[50]), np.log(n), p)) ** length, f"$p^{{{length}}}$", offset=(-26, 8)
    )
    plots.measured(beside, n, loss, colour="blue", linestyle="-")
    beside.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="log loss (nats an item)")
    _plain_ticks(beside)
    done = metrics.done_halfway(n, np.log(loss))
    beside.set_title(f"Log loss, same models: {100 * done:.0f} %\nof the fall in the first half", fontsize=11)
    for ax in (left, beside):
        ax.axvline(np.sqrt(n[0] * n[-1]), color=plots.COLOURS["grey"], linewidth=1, linestyle=":")
    return fig


def draw_text(lengths: Sequence[int], found: Mapping[int, Mapping[str, Sequence[float]]]) -> Figure:
    """Share of strings of text that are right, in their order, shuffled, and p^l; a panel a model.

    found: width → {"p": one number, "in order": a share for each length, "shuffled": the same}.
    """
    fig, axes = plots.figure(len(found), 1, width=8.8, height=3.8, sharey=True)
    fig.suptitle(
        "Strings of real text are right far more often than $p^l$", x=0.01, ha="left", fontsize=12, weight="bold"
    )
    fine = np.linspace(1, max(lengths), 100)
    for i, (ax, (width, shares)) in enumerate(zip(axes, found.items(), strict=True)):
        p = float(shares["p"])  # type: ignore[arg-type]
        plots.theory(ax, fine, p**fine)
        for name, colour, marker in (("in order", "blue", "o"), ("shuffled", "orange", "s")):
            values = np.array(shares[name], dtype=float)
            seen = values > 0
            plots.measured(ax, np.array(lengths)[seen], values[seen], colour=colour, marker=marker)
        ax.set(yscale="log", ylim=(1e-4, 1.2), xlabel="length l of the string")
        ax.set_title(f"width {width}, p = {p:.2f}", fontsize=11)
        if i == 0:
            ax.set_ylabel("strings right to the last character")
            plots.label(ax, lengths[-2], shares["in order"][-2], "in order", colour="blue", offset=(-14, 10))
            plots.label(ax, 4.6, p**4.6, "shuffled\nand $p^l$", colour="orange", offset=(6, 0))
    return fig


# --- leaks and seeds ------------------------------------------------------------------------------


def draw_leaks(accuracies: Mapping[str, ArrayLike]) -> Figure:
    """Accuracies of repeated experiments, a row for each way of doing it, with their mean; 50 % is the truth."""
    fig, ax = plots.figure(height=1.0 + 0.75 * len(accuracies))
    jitter = np.random.default_rng(0)
    highest = 0.0
    for row, values in enumerate(accuracies.values()):
        v = 100 * np.asarray(values, dtype=float)
        highest = max(highest, float(v.mean()))
        colour = "orange" if v.mean() > 60 else "blue"
        ax.plot(v, row + 0.16 * jitter.uniform(-1, 1, len(v)), ".", color=plots.COLOURS[colour], alpha=0.6)
        ax.plot([v.mean()] * 2, [row - 0.3, row + 0.3], color=plots.COLOURS[colour], linewidth=3)
        plots.label(
            ax, v.mean(), row + 0.3, f"{v.mean():.0f} %", colour=colour, offset=(4 if v.mean() > 50 else -28, -2)
        )
    ax.axvline(50, color=plots.COLOURS["black"], linestyle="--", linewidth=1.4)
    ax.set_yticks(range(len(accuracies)), list(accuracies))
    ax.set(ylim=(-0.6, len(accuracies) - 0.2), xlim=(30, 103), xlabel="accuracy on labels that are coin flips (%)")
    ax.grid(axis="y", visible=False)
    ax.set_title(f"A leak turns coin flips into {highest:.0f} % accuracy")
    return fig


def draw_seeds(sizes: ArrayLike, log_loss: ArrayLike, accuracy: ArrayLike, tests: int) -> Figure:
    """Standard deviation over seeds against size, with intervals: of the relative log loss, and of the accuracy."""
    n, fig_axes = np.asarray(sizes, dtype=float), plots.figure(2, 1, width=8.8, height=3.8)
    fig, axes = fig_axes
    acc = np.asarray(accuracy, dtype=float)
    for ax, values, colour, what in (
        (axes[0], np.log(np.asarray(log_loss, dtype=float)), "blue", "% of the log loss"),
        (axes[1], acc, "green", "points of accuracy"),
    ):
        each = 100 * np.array([design.spread_interval(row) for row in values])
        pooled, low, high = (100 * v for v in design.spread_interval(values))
        plots.measured(ax, n, *each.T, colour=colour)
        ax.axhspan(low, high, color=plots.COLOURS[colour], alpha=0.15)
        ax.axhline(pooled, color=plots.COLOURS[colour], linewidth=1.2)
        ax.set(xscale="log", yscale="log", xlabel="parameters N", ylabel=f"deviation ({what})")
        _plain_ticks(ax)
        ax.set_title(f"Over seeds: {pooled:.1f} {what}", fontsize=11)
    p = acc.mean(axis=1)
    plots.theory(axes[1], n, 100 * np.sqrt(p * (1 - p) / tests))
    axes[1].set_ylim(0.5 * axes[1].get_ylim()[0])
    axes[1].text(0.03, 0.04, f"dashed: another test set of {tests:,}", transform=axes[1].transAxes, fontsize=10)
    return fig


# --- designs --------------------------------------------------------------------------------------


def draw_design(count: int, decades: float, noise: float, seeds: int, floor: float) -> Figure:
    """One made-up experiment with its fit, and 100 repeats of it; the exponent is 0.3.

    count sizes over so many decades, `noise` of one run in per cent of its loss, `floor` as a share of the first loss.
    """
    plan = design.Plan(count, decades, seeds, noise / 100, 0.3, floor)
    with_floor = design.simulate_exponents(plan, 100)
    line = design.simulate_exponents(plan, 100, fit_floor=False)
    rng = np.random.default_rng(0)
    scatter = np.exp(plan.sigma / np.sqrt(plan.seeds) * rng.normal(size=(100, plan.count))[0])
    n = plan.sizes
    fig, (left, beside) = plots.figure(2, 1, width=8.8, height=3.9)
    fine = np.geomspace(1, n[-1], 100)
    plots.theory(left, fine, floor + (1 - floor) * fine**-0.3)
    plots.measured(left, n, (floor + (1 - floor) * n**-0.3) * scatter, colour="blue")
    if floor:
        left.axhline(floor, color=plots.COLOURS["grey"], linewidth=1, linestyle=":")
        plots.label(left, 1, floor, "floor E", colour="grey", offset=(0, -14))
    left.set(xscale="log", yscale="log", xlabel="size, in units of the smallest", ylabel="loss / loss at the smallest")
    left.set_ylim(0.8 * min(floor or 1, n[-1] ** -0.3 * (1 - floor) + floor), 1.3)
    _plain_ticks(left)
    left.set_title(f"{plan.count} sizes x {plan.seeds} seeds = {plan.count * plan.seeds} runs", fontsize=11)
    rows = ((1, "straight line", line, plan.error, "orange"), (0, "floor fitted", with_floor, plan.floor_error, "blue"))
    for row, name, found, error, colour in rows:
        beside.plot(found, row + 0.12 * rng.uniform(-1, 1, len(found)), ".", color=plots.COLOURS[colour], alpha=0.4)
        middle = 0.3 if row == 0 else float(found.mean())
        plots.measured(beside, [middle], [row - 0.25], colour=colour, marker="|", xerr=[[error], [error]])
        text = f"{name}\n± {error:.3f}" if error < 1 else f"{name}\nsays nothing"
        beside.text(0.02, row + 0.2, text, color=plots.COLOURS[colour], fontsize=10)
    beside.axvline(0.3, color=plots.COLOURS["black"], linestyle="--", linewidth=1.4)
    beside.set(xlim=(0, 0.8), ylim=(-0.5, 1.5), yticks=[], xlabel="fitted exponent, 100 repeats")
    beside.set_title("The true exponent is 0.3", fontsize=11)
    return fig


# --- the price ------------------------------------------------------------------------------------


def to_reach(runs: pd.DataFrame, loss: float) -> pd.DataFrame:
    """What each size needs to reach `loss`: rows n_params, tokens, flops; sizes that do not bracket it are left out.

    runs: a sweep with columns n_params, tokens, flops and loss. Seeds are averaged; between two lengths of training
    log loss is interpolated along log tokens. Raises ValueError when no size brackets the loss.
    """
    import pandas as pd

    means = runs.groupby(["n_params", "tokens"], as_index=False)[["flops", "loss"]].mean()
    rows = []
    for size, one in means.sort_values("tokens").groupby("n_params"):
        if len(one) > 1 and one["loss"].iloc[-1] <= loss <= one["loss"].iloc[0]:
            falling = np.minimum.accumulate(np.log(one["loss"].to_numpy()))
            tokens = np.exp(np.interp(-np.log(loss), -falling, np.log(one["tokens"])))
            rows.append((size, tokens, tokens * float((one["flops"] / one["tokens"]).mean())))
    if not rows:
        raise ValueError(f"No size of this sweep goes from above a loss of {loss:g} to below it.")
    return pd.DataFrame(rows, columns=["n_params", "tokens", "flops"])


def draw_price(needs: pd.DataFrame, loss: float) -> Figure:
    """Tokens and FLOPs that each size needs to reach a loss, each relative to its least."""
    fig, ax = plots.figure(height=3.9)
    for column, colour, marker, style in (("tokens", "green", "s", "--"), ("flops", "orange", "o", "-")):
        relative = needs[column] / needs[column].min()
        plots.measured(ax, needs["n_params"], relative, colour=colour, marker=marker, linestyle=style)
        at = 0 if column == "tokens" else len(needs) - 1
        name = "training data" if column == "tokens" else "FLOPs"
        plots.label(ax, needs["n_params"].iloc[at], relative.iloc[at], name, colour=colour, offset=(8, 2))
    ax.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="needed, relative to the least")
    ax.margins(x=0.14, y=0.12)
    _plain_ticks(ax)
    most = needs["flops"].iloc[-1] / needs["flops"].min()
    ax.set_title(f"To reach {loss:g} nats, the largest takes {most:.0f} times the least compute")
    return fig


def draw_robustness(sizes: ArrayLike, clean: ArrayLike, noisy: ArrayLike) -> Figure:
    """Errors of the same models on test samples as they are and with noise added, each (k, seeds), against size."""
    n, lost = np.asarray(sizes, dtype=float), []
    fig, ax = plots.figure(height=3.9)
    for name, values, colour, marker, style in (
        ("with noise", noisy, "orange", "s", "--"),
        ("as they are", clean, "blue", "o", "-"),
    ):
        v = np.asarray(values, dtype=float)
        lost.append(v.mean(axis=1))
        ax.plot(np.repeat(n, v.shape[1]), v.ravel(), ".", color=plots.COLOURS[colour], alpha=0.5, markersize=4)
        plots.measured(ax, n, lost[-1], colour=colour, marker=marker, linestyle=style)
        plots.label(ax, n[-1], lost[-1][-1], name, colour=colour, offset=(8, -3))
    ax.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="error (share of wrong answers)")
    ax.set_xlim(right=3.5 * n[-1])
    _plain_ticks(ax)
    first, last = 100 * (lost[0] - lost[1])[[0, -1]]
    ax.set_title(f"Noise takes {first:.0f} points from the smallest model, {last:.0f} from the largest")
    return fig
