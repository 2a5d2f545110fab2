"""Figures of lesson 4.2: bowls with paths, thresholds, modes, power laws in time, conditioning, noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from course import descent, plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "draw_bowl",
    "draw_conditioning",
    "draw_exponents",
    "draw_modes",
    "draw_noise",
    "draw_spectrum_law",
    "draw_thresholds",
    "draw_valley",
]


OFF_SCALE = 1e20


def _fate(factor: float) -> str:
    """What an error does that each step multiplies by `factor`."""
    if abs(abs(factor) - 1) < 1e-9:
        return "never comes closer"
    if abs(factor) > 1:
        return "climbs out"
    if abs(factor) < 1e-9:
        return "home in one step"
    return "shrinks from one side" if factor > 0 else "shrinks, changing sides"


def draw_bowl(step: float = 0.3, curvature: float = 1.0) -> Figure:
    """The bowl curvature * w^2 / 2 with 20 steps from w = 1, and the size of the error, step by step."""
    bowl = descent.Bowl.from_curvatures([curvature])
    path = descent.gradient_descent(bowl.gradient, [1.0], step, 20)
    w, loss, t = path[:, 0], bowl.loss(path), np.arange(21)
    factor = 1 - step * curvature
    fig, (left, right) = plots.figure(columns=2, width=9.4, height=3.9)

    grid = np.linspace(-2.2, 2.2, 201)
    left.plot(grid, 0.5 * curvature * grid**2, color=plots.COLOURS["grey"], linewidth=1.6)
    shown = np.abs(w) <= 2.2
    left.plot(w[shown], loss[shown], color=plots.COLOURS["blue"], linewidth=1, marker="o", markersize=5)
    left.plot(1, loss[0], "s", color=plots.COLOURS["orange"], markersize=8, zorder=4)
    plots.label(left, 1, loss[0], "start", colour="orange", offset=(8, -4))
    left.set(xlim=(-2.2, 2.2), ylim=(-0.1 * curvature, 2.5 * curvature), xlabel="weight w", ylabel="loss")
    left.set_title(f"Step {step:.2f}, limit 2/curvature = {2 / curvature:.2f}")

    with np.errstate(divide="ignore"):
        plots.theory(right, t, np.abs(factor) ** t, label="theory")
    plots.measured(right, t, np.maximum(np.abs(w), 1e-12))
    right.set(yscale="log", ylim=(1e-6, 1e6), xlabel="steps t", ylabel="size of the error |w|")
    right.set_xticks(range(0, 21, 5))
    right.set_title(f"Factor {factor:+.2f}: {_fate(factor)}")
    where = (0.04, 0.95, "top") if abs(factor) <= 1 else (0.04, 0.08, "bottom")
    right.text(
        where[0],
        where[1],
        "points: descent\ndashed: |1 - step × curvature|$^t$",
        transform=right.transAxes,
        va=where[2],
        fontsize=10,
    )
    return fig


def draw_valley(share: float = 0.9, kappa: float = 10.0, degrees: float = 30.0) -> Figure:
    """A bowl with curvatures 1 and 1/kappa, turned by `degrees`; the step is `share` of the limit 2/1.

    Left the contours with the path of 30 steps, right the loss with the parts of the two directions.
    """
    curvatures = np.array([1.0, 1 / kappa])
    bowl = descent.Bowl.from_curvatures(curvatures, degrees)
    step = share * descent.largest_stable_step(curvatures)
    angle = np.deg2rad(degrees)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # steep, shallow direction
    errors = np.array([0.7, 1.6])
    path = descent.gradient_descent(bowl.gradient, errors @ axes, step, 30)
    t = np.arange(31)
    fig, (left, right) = plots.figure(columns=2, width=9.6, height=4.2)

    u, v = np.meshgrid(np.linspace(-2.3, 2.3, 121), np.linspace(-2.1, 2.1, 111))
    heights = bowl.loss(np.stack([u, v], axis=-1))
    left.contour(u, v, heights, levels=np.geomspace(2e-3, 3, 9), colors=plots.COLOURS["grey"], linewidths=0.8)
    clear = np.all(np.isfinite(path) & (np.abs(path) < 50), axis=1)
    left.plot(*path[clear].T, color=plots.COLOURS["blue"], linewidth=1.2, marker="o", markersize=4)
    left.plot(*path[0], "s", color=plots.COLOURS["orange"], markersize=8, zorder=4)
    left.plot(0, 0, "+", color=plots.COLOURS["black"], markersize=12, markeredgewidth=2)
    left.set(xlim=(-2.3, 2.3), ylim=(-2.1, 2.1), aspect="equal", xlabel="weight 1", ylabel="weight 2")
    left.grid(False)
    left.set_title(f"Condition number {kappa:.3g}, step {share:.2f} of the limit")

    parts = descent.mode_losses(curvatures, errors, step, t)
    total = bowl.loss(path)
    for part, colour, style in zip(parts.T, ("orange", "green"), ("--", ":"), strict=True):
        plots.theory(right, t, np.maximum(part, 1e-30), colour=colour, linestyle=style, linewidth=2)
    plots.measured(right, t, np.maximum(total, 1e-30), markersize=4)
    right.set(yscale="log", ylim=(1e-8, 1e3), xlabel="steps t", ylabel="loss")
    factors = 1 - step * curvatures
    right.text(
        0.03,
        0.97,
        f"dashed: steep direction, error × {factors[0]:+.3f} a step",
        color=plots.COLOURS["orange"],
        transform=right.transAxes,
        va="top",
        fontsize=10,
    )
    right.text(
        0.03,
        0.90,
        f"dotted: shallow direction, error × {factors[1]:+.3f} a step",
        color=plots.COLOURS["green"],
        transform=right.transAxes,
        va="top",
        fontsize=10,
    )
    if abs(share - 1) < 1e-9:
        right.set_title("The steep direction never comes closer")
    else:
        right.set_title("The loss is the sum of two exponentials" if share < 1 else "The steep direction diverges")
    return fig


def draw_thresholds(shares: Any, squares: Any, logistic: Any) -> Figure:
    """What is left of the start's excess loss after many steps, against the step in units of 2/curvature.

    `squares` and `logistic` are dictionaries with "left" (the ratio, one for each share) and "limit"
    (the step size at share 1).
    """
    fig, axes = plots.figure(columns=2, width=9.6, height=4.0)
    for ax, run, colour, title in (
        (axes[0], squares, "blue", "Least squares: explodes beyond the limit"),
        (axes[1], logistic, "green", "Logistic: never settles beyond it"),
    ):
        ax.axvline(1, color=plots.COLOURS["black"], linestyle="--", linewidth=1.6)
        left = np.asarray(run["left"], dtype=float)
        off = ~(left < OFF_SCALE)
        plots.measured(ax, shares[~off], left[~off], colour=colour, markersize=5)
        if off.any():
            ax.plot(shares[off], np.full(off.sum(), OFF_SCALE), "^", color=plots.COLOURS[colour], markersize=7)
            ax.text(0.97, 0.8, "triangles:\noff the scale", transform=ax.transAxes, ha="right", fontsize=10)
        ax.set(yscale="log", xlabel="step, in units of 2 / largest curvature", ylabel="excess loss left / at the start")
        ax.set_title(title)
        ax.text(0.97, 0.02, f"limit {run['limit']:.3g}", transform=ax.transAxes, ha="right", va="bottom", fontsize=10)
    axes[0].set_ylim(1e-4, 1e21)
    return fig


def draw_modes(times: Any, measured: Any, parts: Any) -> Figure:
    """Excess loss of gradient descent on real data, with what each direction holds of it.

    times: (T,); measured: (T,), from running the descent; parts: (T, K), from theory, steepest first.
    """
    fig, ax = plots.figure(width=7.6, height=4.3)
    shades = np.linspace(0.25, 0.8, parts.shape[1])
    for part, shade in zip(parts.T, shades, strict=True):
        ax.plot(times, np.maximum(part, 1e-30), color=str(shade), linewidth=1.1, zorder=1)
    plots.theory(ax, times, parts.sum(axis=1), colour="orange", linewidth=2.2)
    few = slice(None, None, max(1, len(times) // 25))
    plots.measured(ax, times[few], measured[few], markersize=5)
    low = float(parts.sum(axis=1)[-1]) / 30
    ax.set(xscale="log", yscale="log", ylim=(low, 3 * float(measured[0])))
    ax.set(xlabel="steps t", ylabel="excess loss")
    ax.set_title(f"The loss is a sum of {parts.shape[1]} exponentials")
    middle = len(times) // 2
    words = "points: gradient descent\ndashed: sum of the grey curves,\none for each direction"
    plots.label(ax, times[middle], measured[middle], words, offset=(10, 8))
    return fig


def draw_spectrum_law(a: float = 2.0, b: float = 2.0, modes: float = 300.0) -> Figure:
    """Loss against steps for curvatures k^-b with k^-a / 2 nats in mode k, beside the power law it approaches."""
    count = round(modes)
    curvatures, errors = descent.power_law_modes(count, a, b)
    times = np.unique(np.round(np.logspace(0, 5, 61)).astype(int))
    loss = descent.expected_loss(curvatures, errors, 1.0, times)
    fig, ax = plots.figure(width=7.6, height=4.2)
    line = descent.asymptotic_loss(a, b, 1.0, times)
    plots.theory(ax, times, line)
    ax.plot(times, np.maximum(loss, 1e-300), color=plots.COLOURS["blue"])
    cut = float(count) ** b
    ax.set(xscale="log", yscale="log", xlim=(1, 1e5), ylim=(1e-6, 3), xlabel="steps t", ylabel="loss")
    if cut < 1e5:
        ax.axvline(cut, color=plots.COLOURS["grey"], linestyle=":", linewidth=1.4)
        ax.text(cut / 1.15, 2, f"{count} modes used up\nat t = {cut:,.0f}", ha="right", va="top", fontsize=10)
    ax.set_title(f"Loss falls as t^-{descent.time_exponent(a, b):.2f} while modes last")
    ax.text(
        0.02, 0.04, "dashed: power law\nsolid: sum over the modes", transform=ax.transAxes, va="bottom", fontsize=10
    )
    return fig


def draw_exponents(times: Any, curves: dict[int, Any], law: Any, rows: Any) -> Figure:
    """Left: descent with different numbers of modes, beside the law. Right: exponents measured against (a - 1)/b.

    curves: modes -> loss (T,); law: (T,); rows: (theory, finite theory, measured, low, high) for each spectrum.
    """
    fig, (left, right) = plots.figure(columns=2, width=9.8, height=4.3)
    plots.theory(left, times, law)
    for (modes, loss), colour, marker in zip(curves.items(), ("orange", "green", "blue"), plots.MARKERS, strict=False):
        visible = loss > 1e-7
        left.plot(
            times[visible],
            loss[visible],
            color=plots.COLOURS[colour],
            marker=marker,
            markersize=5,
            markevery=3,
            linewidth=1.2,
        )
        last = int(np.flatnonzero(visible & (loss > 2e-5))[-1])
        plots.label(left, times[last], loss[last], f"{modes:,} modes", colour=colour, offset=(8, -8))
    left.set(xscale="log", yscale="log", xlim=(0.7, 3e7), ylim=(1e-6, 1), xlabel="steps t", ylabel="loss")
    left.set_title("A power law, until the modes run out")
    plots.label(left, times[-1], law[-1], "theory,\nendless modes", offset=(8, 2))

    expected, finite, found, low, high = np.asarray(rows, dtype=float).T
    ends = np.array([0, 1.15])
    plots.theory(right, ends, ends)
    plots.measured(right, expected, found, low, high, markersize=6)
    crosses = {"linestyle": "none", "markersize": 8, "markeredgewidth": 2, "zorder": 5}
    right.plot(expected, finite, "x", color=plots.COLOURS["orange"], **crosses)
    right.set(xlim=ends, ylim=ends, xlabel="theory: (a - 1) / b", ylabel="measured exponent")
    right.set_title("Six spectra, six exponents")
    right.text(
        0.97,
        0.05,
        "points: descent, 95 % interval\ncrosses: theory with 3,000 modes\ndashed: theory, endless modes",
        transform=right.transAxes,
        ha="right",
        va="bottom",
        fontsize=10,
    )
    return fig


def draw_conditioning(kappas: Any, counts: dict[str, Any]) -> Figure:
    """Steps needed against the condition number, one line for each method in `counts`."""
    looks = {
        "gradient descent": ("blue", "o", "-"),
        "momentum": ("orange", "s", "-"),
        "Adam, turned": ("green", "^", "--"),
        "Adam, axes": ("pink", "D", ":"),
    }
    kappas = np.asarray(kappas, dtype=float)
    fig, ax = plots.figure(width=7.8, height=4.4)
    for name, values in counts.items():
        colour, marker, dashes = looks[name]
        ax.plot(kappas, values, color=plots.COLOURS[colour], marker=marker, linestyle=dashes, linewidth=1.6)
        last = np.flatnonzero(np.isfinite(values))[-1]
        offset = (8, 2) if name == "Adam, turned" else (8, -6)
        plots.label(ax, kappas[last], values[last], name, colour=colour, offset=offset)
    ax.set(xscale="log", yscale="log", xlim=(kappas[0] / 1.3, kappas[-1] * 12), xlabel="condition number")
    ax.set_ylabel("steps to a 10,000 times smaller loss")
    ax.set_title("Plain descent pays for the condition number in full")
    return fig


def draw_noise(steps: Any, floors: Any, low: Any, high: Any, theory: Any) -> Figure:
    """Excess loss at which mini-batch descent hovers, against the step, beside step / 4 × noise."""
    fig, ax = plots.figure(width=6.6, height=3.8)
    plots.theory(ax, steps, theory)
    plots.measured(ax, steps, floors, low, high)
    ax.set(xscale="log", yscale="log", xlabel="step size", ylabel="excess loss at rest")
    ax.set_title("Half the step, half the floor")
    ax.text(
        0.04,
        0.95,
        "points: descent, 95 % interval\ndashed: step / 4 × noise",
        transform=ax.transAxes,
        va="top",
        fontsize=10,
    )
    return fig
