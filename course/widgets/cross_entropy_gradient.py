"""Figures of lesson 4.1: the coin, the loss with its tangent, the article's loss trained, step sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from course import losses, plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_coin", "draw_loss_and_tangent", "draw_step_errors", "draw_training"]


def draw_coin(share: float = 0.75) -> Figure:
    """Mean loss in nats against the model's p, for tosses of which a share `share` are heads.

    Both the full cross-entropy, smallest at p = share, and the article's loss, smallest at p = 1.
    """
    p = np.linspace(0.01, 0.999, 400)
    full = losses.bernoulli_cross_entropy(share, p)
    article = -share * np.log(p)
    floor = float(losses.bernoulli_cross_entropy(share, share))
    fig, ax = plots.figure(height=4.0)
    ax.plot(p, full, color=plots.COLOURS["blue"])
    ax.plot(p, article, color=plots.COLOURS["orange"], linestyle="--")
    ax.plot(share, floor, "o", color=plots.COLOURS["blue"], markersize=9, clip_on=False)
    ax.plot(1, 0, "s", color=plots.COLOURS["orange"], markersize=9, clip_on=False)
    ax.set(xlim=(0, 1), ylim=(0, 2.6), xlabel="probability of heads according to the model, p")
    ax.set_ylabel("mean loss (nats per toss)")
    ax.set_title(f"With {share:.0%} heads, cross-entropy is smallest at p = {share:.2f}")
    lines = (
        ("blue", f"solid: full cross-entropy; floor {floor:.3f} nats, the entropy of the coin"),
        ("orange", "dashed: the article's loss, smallest at p = 1"),
    )
    for row, (colour, text) in enumerate(lines):
        where = {"x": 0.5, "y": 0.98 - 0.08 * row, "transform": ax.transAxes, "ha": "center", "va": "top"}
        ax.text(s=text, color=plots.COLOURS[colour], fontsize=10, **where)
    return fig


def draw_loss_and_tangent(z: float = 1.5, y: float = 0.0) -> Figure:
    """One sample's loss against its logit z for the label y, with the tangent at z, of slope p - y."""
    grid = np.linspace(-6, 6, 301)
    curve = losses.logistic_loss(grid, np.full_like(grid, y))
    p, here = float(losses.sigmoid(z)), float(losses.logistic_loss(z, y))
    slope = p - y
    fig, (left, right) = plots.figure(columns=2, width=9.2, height=3.9)

    left.plot(grid, curve, color=plots.COLOURS["blue"])
    reach = np.array([-2.2, 2.2]) / np.hypot(1, slope)
    plots.theory(left, z + reach, here + slope * reach, colour="orange", linewidth=2)
    left.plot(z, here, "o", color=plots.COLOURS["orange"], markersize=8)
    left.set(xlim=(-6, 6), ylim=(-0.8, 6.4), xlabel="logit z", ylabel="loss of one sample (nats)")
    direction = "lower z" if slope > 0.005 else "raise z" if slope < -0.005 else "stay"
    left.set_title(f"The loss falls if you {direction}" if direction != "stay" else "At the bottom: p = y")
    left.text(
        0.5,
        0.95,
        f"loss {here:.2f} nats, slope {slope:+.2f}",
        transform=left.transAxes,
        ha="center",
        va="top",
        color=plots.COLOURS["orange"],
        fontsize=10,
    )

    right.plot(grid, losses.sigmoid(grid) - y, color=plots.COLOURS["blue"])
    right.axhline(0, color=plots.COLOURS["grey"], linewidth=0.9)
    right.vlines(z, 0, slope, color=plots.COLOURS["orange"], linewidth=2)
    right.plot(z, slope, "o", color=plots.COLOURS["orange"], markersize=8)
    right.set(xlim=(-6, 6), ylim=(-1.08, 1.08), xlabel="logit z", ylabel="slope of the loss (nats per unit of z)")
    right.set_title(f"slope = p - y = {p:.2f} - {y:.2f}")
    return fig


def draw_training(steps: Any, article: dict[str, Any], full: dict[str, Any], rate: float) -> Figure:
    """Training with the article's loss and with the full one, step by step.

    `article` and `full` hold arrays over `steps`: "loss" (each run's own loss) and "negatives"
    (mean predicted probability of the samples whose label is 0). `rate` is the step size.
    """
    fig, (left, right) = plots.figure(columns=2, width=9.6, height=4.1)
    line = plots.theory(left, steps, 1 / (rate * steps))
    line.set_zorder(4)
    left.loglog(steps, article["loss"], color=plots.COLOURS["orange"], marker="s", markevery=6)
    left.loglog(steps, full["loss"], color=plots.COLOURS["blue"], marker="o", markevery=6)
    left.set(xlabel="gradient steps t", ylabel="training loss, each its own (nats)")
    left.set_title("The article's loss falls as 1/t")
    mid = len(steps) // 2
    plots.label(left, steps[mid], full["loss"][mid], "full cross-entropy", colour="blue", offset=(0, -18))
    plots.label(
        left, steps[mid], article["loss"][mid], "article's loss", colour="orange", offset=(-12, -16), ha="right"
    )
    plots.label(left, steps[2], 1 / (rate * steps[2]), "1 / (rate t)", offset=(10, 2))

    right.semilogx(steps, article["negatives"], color=plots.COLOURS["orange"], marker="s", markevery=6)
    right.semilogx(steps, full["negatives"], color=plots.COLOURS["blue"], marker="o", markevery=6)
    right.set(ylim=(0, 1.05), xlabel="gradient steps t", ylabel="mean p on samples of label 0")
    right.set_title("Meanwhile every 0 is called a 1")
    plots.label(
        right, steps[-1], article["negatives"][-1], "article's loss", colour="orange", offset=(-4, -18), ha="right"
    )
    plots.label(
        right, steps[-1], full["negatives"][-1], "full cross-entropy", colour="blue", offset=(-4, -18), ha="right"
    )
    return fig


def draw_step_errors(steps: Any, errors: dict[str, Any], slopes: dict[str, float]) -> Figure:
    """Largest error of the forward and the central difference against the step, log-log.

    `errors` and `slopes` have the keys "forward" and "central"; the slopes are printed at the curves.
    """
    fig, ax = plots.figure(height=4.4)
    steps = np.asarray(steps)
    looks = {"forward": ("orange", "s", 1), "central": ("blue", "o", 2)}
    for name, (colour, marker, order) in looks.items():
        error = np.asarray(errors[name])
        ax.loglog(steps, error, marker, color=plots.COLOURS[colour], markersize=4.5, linestyle="none")
        at = int(np.argmin(np.abs(np.log10(steps) + 1.5)))
        anchor = error[at] / steps[at] ** order
        span = steps[(steps >= 3e-8) & (steps <= 0.3)] if order == 1 else steps[(steps >= 2e-5) & (steps <= 0.3)]
        plots.theory(ax, span, anchor * span**order, colour=colour)
        where = 10.0 ** (-4.2 if order == 1 else -3.2)
        plots.label(
            ax,
            where,
            anchor * where**order,
            f"{name} difference\nslope {slopes[name]:.2f}",
            colour=colour,
            offset=(-10, 6) if order == 1 else (10, -14),
            ha="right" if order == 1 else "left",
        )
    plots.theory(ax, steps[steps <= 1e-6], 1e-16 / steps[steps <= 1e-6], colour="grey", linestyle=":")
    plots.label(ax, 1e-14, 1e-6, "rounding:\n1e-16 / h", colour="grey", offset=(4, 0))
    ax.set(xlabel="step h", ylabel="largest error of the gradient", ylim=(1e-13, 2))
    ax.set_title("A smaller step helps, until rounding takes over")
    return fig
