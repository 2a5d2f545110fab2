"""Figures of lesson 5.2: the spread of luck, what fitting noise gives, what a signal gives.

The `draw_...` functions return a matplotlib figure; `draw_luck` and `draw_signal` take plain numbers and
are turned with sliders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from course import classifier
from course.plots import COLOURS, GROUND, figure, label, measured, theory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "draw_coin_flip_sweep",
    "draw_learning_curve",
    "draw_loss_curve",
    "draw_luck",
    "draw_many_starts",
    "draw_signal",
    "draw_table_of_pairs",
]

CLAIMED = 0.8
"""The accuracy that the article reports."""


def draw_luck(n: float = 1000) -> Figure:
    """The binomial distribution of a guesser's accuracy on n coin flips, and the claimed 80 %."""
    from scipy.stats import binom

    n = int(np.rint(n))
    low, high = classifier.coin_flip_interval(n)
    needed = int(np.ceil(CLAIMED * n - 1e-9))
    chance = classifier.log10_probability_at_least(needed, n)
    reach = max(0.34, 4.5 * 0.5 / np.sqrt(n))
    counts = np.arange(max(0, int((0.5 - reach) * n)), min(n, int((0.5 + reach) * n)) + 1)
    density = binom.pmf(counts, n, 0.5)
    fig, ax = figure(height=3.6)
    for inside, colour in ((False, "sky"), (True, "blue")):
        chosen = ((counts / n >= low) & (counts / n <= high)) == inside
        ax.vlines(
            counts[chosen] / n,
            0,
            density[chosen],
            color=COLOURS[colour],
            linewidth=max(0.8, min(9, 150 / n)),
        )
    ax.axvline(CLAIMED, color=COLOURS["orange"], linestyle="--")
    top = density.max()
    odds = f"P = {10**chance:.2g}" if chance > -4 else f"P ≈ $10^{{{chance:.1f}}}$"
    at_claim: dict[str, Any] = {"colour": "orange", "offset": (-6, 0), "ha": "right"}
    label(ax, CLAIMED, 1.36 * top, "claimed: 80 %", **at_claim)
    label(ax, CLAIMED, 1.23 * top, f"this or more by luck: {odds}", **at_claim)
    label(ax, 0.17, 1.36 * top, f"95 % of guessers: {low:.3f} to {high:.3f}", colour="blue", offset=(0, 0))
    ax.set(
        xlim=(0.16, 0.86),
        ylim=(0, 1.48 * top),
        xlabel="accuracy (share of flips guessed right)",
        ylabel="probability",
        title=f"On {n:,} coin flips, guessing scores {(low + high) / 2:.2f} ± {(high - low) / 2:.3f}",
    )
    return fig


def draw_signal(signal: float = 1.0) -> Figure:
    """How sure a label can be at one signal strength, and the best accuracy at every strength."""
    fig, (left, right) = figure(2, height=3.6, width=9.2, width_ratios=(1, 1.15))
    z = np.linspace(-7, 7, 500)
    if signal > 0.05:
        spread = np.exp(-((z / signal) ** 2) / 2) / (signal * np.sqrt(2 * np.pi))
        left.fill_between(z, spread / spread.max(), color=COLOURS["sky"], alpha=0.5, linewidth=0)
    else:
        left.axvline(0, color=COLOURS["sky"], linewidth=6, alpha=0.6)
    theory(left, z, 1 / (1 + np.exp(-z)), linestyle="-")
    label(left, 2.2, 0.9, "P(y = 1)", offset=(0, -22))
    label(left, -7, 0.55, "where the\nsamples are", colour="blue", offset=(2, 0))
    left.set(
        xlabel="true logit z = w·x",
        ylabel="probability of label 1",
        title="Near z = 0, nobody can know y",
        ylim=(0, 1.05),
        xlim=(-7, 7),
    )
    strengths = np.linspace(0, 6, 61)
    theory(
        right,
        strengths,
        classifier.bayes_accuracy(strengths),
        colour="black",
        linestyle="-",
    )
    best = classifier.bayes_accuracy(signal)
    measured(right, [signal], [best], colour="orange", markersize=10)
    right.axhline(CLAIMED, color=COLOURS["orange"], linestyle="--", linewidth=1.2)
    label(right, 0, CLAIMED, "80 %", colour="orange", offset=(2, 4))
    side = (-10, 14) if signal > 4.5 else (10, -16)
    label(
        right,
        signal,
        best,
        f"{best:.3f}",
        colour="orange",
        offset=side,
        ha="right" if signal > 4.5 else "left",
    )
    right.set(
        xlabel="signal strength |w|",
        ylabel="accuracy",
        title=f"At |w| = {signal:.2g}, none can pass {best:.1%}",
        ylim=(0.45, 0.97),
        xlim=(-0.1, 6.1),
    )
    return fig


def draw_table_of_pairs(predicted: Any, y: Any) -> Figure:
    """The (n, n) table that `predicted[:, None] == y` makes, and the diagonal that was meant."""
    from matplotlib.colors import ListedColormap

    predicted, y = np.ravel(predicted), np.ravel(y)
    n = len(y)
    table = predicted[:, np.newaxis] == y
    fig, ax = figure(height=4.2, width=6.4)
    ax.imshow(table, cmap=ListedColormap(["#FFFFFF", COLOURS["sky"]]), vmin=0, vmax=1)
    for i in range(n):
        ax.add_patch(_square(i, COLOURS["orange"]))
    ax.set_xticks(range(n), [str(int(v)) for v in y])
    ax.set_yticks(range(n), [str(int(v)) for v in predicted])
    ax.grid(False)
    ax.set(
        xlabel="label of each sample, y: (n,)",
        ylabel="prediction for each sample: (n, 1)",
        title="Meant: the diagonal\nGot: every prediction with every label",
    )
    label(
        ax,
        n - 0.5,
        1.2,
        "blue: equal",
        colour="blue",
        offset=(10, 0),
        annotation_clip=False,
    )
    label(
        ax,
        n - 0.5,
        2.4,
        "orange: a sample\nand its own label",
        colour="orange",
        offset=(10, -8),
        annotation_clip=False,
    )
    return fig


def _square(i: int, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((i - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=2.2)


def draw_loss_curve(losses: Any, floor: float, title: str, floor_label: str) -> Figure:
    """One training run's loss, epoch by epoch, above a horizontal floor."""
    fig, ax = figure()
    ax.plot(np.arange(len(losses)), losses, color=COLOURS["blue"])
    ax.axhline(floor, color=COLOURS["black"], linestyle="--", linewidth=1.5)
    label(ax, 0, floor, floor_label, offset=(0, -15))
    below = losses[-1] < floor
    text = f"{losses[-1]:.3f}"
    label(ax, len(losses) - 1, losses[-1], text, colour="blue", offset=(0, -15 if below else 8), ha="right")
    span = max(losses) - min(min(losses), floor)
    ax.set(
        xlabel="epoch (one step on all samples)",
        ylabel="training loss (nats)",
        title=title,
        ylim=(min(min(losses), floor) - 0.18 * span, max(losses) + 0.08 * span),
    )
    return fig


def draw_many_starts(losses: Any, accuracies: Any) -> Figure:
    """Losses (epochs, starts) and final accuracies (starts,) of the same run from many random starts."""
    fig, (left, right) = figure(2, height=3.9, width=9.6)
    epochs = np.arange(len(losses))
    left.plot(epochs, losses[:, :40], color=COLOURS["sky"], linewidth=0.7, alpha=0.7)
    left.plot(epochs, np.median(losses, axis=1), color=COLOURS["blue"])
    theory(left, [0, epochs[-1]], [np.log(2)] * 2)
    label(left, epochs[-1], np.log(2), "ln 2: always say ½", offset=(0, -14), ha="right")
    label(left, 30, np.median(losses[30]), "median", colour="blue", offset=(6, 8), bbox=GROUND)
    left.set(
        xlabel="epoch",
        ylabel="training loss (nats)",
        title="The loss falls, towards a coin's",
        ylim=(0.62, 1.65),
    )
    right.set_axisbelow(True)
    right.axvline(CLAIMED, color=COLOURS["orange"], linestyle="--", linewidth=1.6)
    heights, _, _ = right.hist(accuracies, bins=np.arange(0.4, 0.85, 0.01) - 0.005, color=COLOURS["blue"])
    right.set(
        xlim=(0.42, 0.84),
        ylim=(0, 1.15 * heights.max()),
        xlabel="accuracy on its own training data",
        ylabel=f"runs (of {len(accuracies)})",
        title="No run comes near 80 %",
    )
    label(
        right,
        CLAIMED,
        heights.max(),
        "claimed",
        colour="orange",
        offset=(-6, 0),
        ha="right",
    )
    label(
        right,
        np.max(accuracies),
        0.1 * heights.max(),
        f"best run: {np.max(accuracies):.3f}",
        colour="blue",
    )
    return fig


def draw_coin_flip_sweep(sweep: classifier.CoinFlipSweep) -> Figure:
    """Training and fresh accuracy of fitted coin flips against their number, with theory and a bound."""
    fig, ax = figure(width=8.6, height=4.8)
    k = sweep.d + 1
    n = np.geomspace(sweep.n[0], sweep.n[-1], 200)
    train_low, train_high = np.percentile(sweep.train, [2.5, 97.5], axis=1)
    test_low, test_high = np.percentile(sweep.test, [2.5, 97.5], axis=1)
    fine = np.unique(np.geomspace(60, sweep.n[-1], 60).astype(int))
    bound = np.array([classifier.best_rule_bound(int(size), k) for size in fine])
    ax.plot(
        fine[bound <= 1],
        bound[bound <= 1],
        color=COLOURS["grey"],
        linestyle="-.",
        linewidth=1.5,
    )
    theory(ax, n, classifier.fitted_accuracy(n, k))
    measured(ax, sweep.n, sweep.train.mean(1), train_low, train_high, colour="blue")
    measured(
        ax,
        sweep.n * 1.04,
        sweep.test.mean(1),
        test_low,
        test_high,
        colour="green",
        marker="s",
    )
    ax.axhline(CLAIMED, color=COLOURS["orange"], linestyle="--", linewidth=1.4)
    crossing, _, _ = sweep.size_at(CLAIMED)
    ax.set_xscale("log")
    ticks = [20, 50, 100, 200, 500, 1000, 2000, 5000, 10000]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    label(
        ax,
        sweep.n[-1],
        CLAIMED,
        "the article's 80 %",
        colour="orange",
        offset=(0, 5),
        ha="right",
    )
    label(
        ax,
        1000,
        0.70,
        "no linear rule gets above this\n(19 data sets in 20)",
        colour="grey",
        offset=(10, 0),
    )
    label(
        ax,
        20,
        1.0,
        "on the flips it was fitted to (bars: 95 % of data sets)",
        colour="blue",
        offset=(24, 2),
    )
    label(ax, 215, 0.6, "theory: Φ(√(k/(n − k)))", colour="black", offset=(8, 10))
    label(ax, 20, 0.44, "on fresh flips", colour="green", offset=(2, -6))
    ax.axvline(1000, color=COLOURS["black"], linewidth=0.8, linestyle=":")
    label(ax, 1000, 0.92, "the article's n", offset=(5, 0))
    ax.set(
        xlabel="coin flips in the training data, n",
        ylabel="accuracy",
        title=f"80 % is what {crossing:.0f} coin flips give, not 1,000",
        ylim=(0.41, 1.03),
    )
    return fig


def draw_learning_curve(curve: classifier.LearningCurve, fitted: slice, name: str) -> Figure:
    """Test error and test loss against n, a power law through the sizes in `fitted`, and the rest as a test."""
    fig, axes = figure(2, width=9.6, height=4.0)
    for ax, what, unit, colour in zip(
        axes,
        ("error", "loss"),
        ("test error (share wrong)", "test loss (nats)"),
        ("blue", "green"),
        strict=True,
    ):
        values = getattr(curve, what)
        half = 1.96 * values.std(1, ddof=1) / np.sqrt(values.shape[1])
        mean = values.mean(1)
        exponent, prefactor = curve.slope(what, fitted)
        theory(ax, curve.n, prefactor * curve.n**exponent)
        measured(
            ax,
            curve.n[fitted],
            mean[fitted],
            (mean - half)[fitted],
            (mean + half)[fitted],
            colour=colour,
        )
        rest = slice(fitted.stop, None)
        held = measured(
            ax,
            curve.n[rest],
            mean[rest],
            (mean - half)[rest],
            (mean + half)[rest],
            colour="orange",
        )
        held[0].set_marker("D")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(curve.n, [f"{size:,}" for size in curve.n])
        ticks = [t for t in (0.03, 0.05, 0.1, 0.2, 0.4, 0.8) if mean.min() / 1.4 < t < mean.max() * 1.4]
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        label(
            ax,
            curve.n[1],
            mean[1],
            f"line: $n^{{{exponent:.2f}}}$, through circles",
            offset=(10, 6),
        )
        label(ax, curve.n[-1], mean[-1], "not fitted", colour="orange", offset=(4, 24), ha="right")
        ax.set(
            xlabel="training samples, n",
            ylabel=unit,
            ylim=(mean.min() / 1.5, mean.max() * 1.35),
        )
    axes[0].set_title(f"{name}: errors fall with n")
    axes[1].set_title("and the loss with them")
    return fig
