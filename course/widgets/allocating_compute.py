"""Figures of lesson 3.3: rooflines, utilisation, devices, days and kilowatt-hours, timelines, the price of a wrong size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course import plots
from course.devices import DEVICES, Device
from course.planning import ORDERS, Schedule, estimate, lower_bound, schedule
from course.roofline import Point, Roofline, matrix_product_intensity, roof

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "EXAMPLE",
    "draw_devices",
    "draw_makespans",
    "draw_pilot",
    "draw_plan",
    "draw_points",
    "draw_product",
    "draw_timeline",
    "draw_utilisation",
    "draw_wrong_size",
]

ORDER = ("blue", "orange", "green", "pink", "amber", "sky")
KINDS = {"CPU": ("grey", "o"), "GPU": ("blue", "s"), "TPU": ("green", "^"), "FPGA": ("orange", "D")}

EXAMPLE = (3.0, 9.0, 2.0, 7.0, 5.0, 8.0, 4.0, 6.0, 2.0, 1.0, 10.0, 3.0)
"""Hours of a dozen runs, in the order in which they were handed in."""


# --- rooflines --------------------------------------------------------------------------------------


def _rate(flops: float) -> str:
    """FLOP/s in the unit that suits it."""
    for unit, size in (("PFLOP/s", 1e15), ("TFLOP/s", 1e12), ("GFLOP/s", 1e9)):
        if flops >= size:
            return f"{flops / size:.3g} {unit}"
    return f"{flops / 1e6:.3g} MFLOP/s"


def _roof(ax: Axes, line: Roofline, low: float, high: float) -> None:
    grid = np.geomspace(low, high, 300)
    ax.plot(grid, np.minimum(line.peak, grid * line.bandwidth), color=plots.COLOURS["black"], linewidth=2.2)
    ax.axvline(line.ridge, color=plots.COLOURS["grey"], linestyle=":", linewidth=1.2)
    ax.set(xscale="log", yscale="log", xlabel="arithmetic intensity (FLOPs a byte)", ylabel="rate (FLOP/s)")


def _short(name: str) -> str:
    """ "16 rows x matrix" as "16 rows", to stand under its point."""
    return name if name.startswith("1 row ") else name.replace(" x matrix", "")


def draw_points(points: Sequence[Point], line: Roofline | None = None) -> Figure:
    """Timed operations under the roof that the fastest of them make."""
    line = line or roof(points)
    fig, ax = plots.figure(height=4.3)
    x = np.array([point.intensity for point in points])
    low, high = x.min() / 2.5, x.max() * 4
    _roof(ax, line, low, high)
    plots.measured(ax, x, [point.rate for point in points], colour="blue")
    for point in points:
        slope = point.intensity < line.ridge
        offset, side = ((9, -10), "left") if slope else ((2, -17), "center")
        plots.label(ax, point.intensity, point.rate, _short(point.name), offset=offset, ha=side)
    plots.label(
        ax, line.ridge, line.peak, f"ridge: {line.ridge:.1f} FLOPs a byte", colour="grey", offset=(-6, 8), ha="right"
    )
    ax.set_xlim(low, high)
    ax.set_ylim(min(point.rate for point in points) / 4, line.peak * 2.2)
    ax.set_title(f"From {_rate(min(p.rate for p in points))} to {_rate(line.peak)}: what is computed a byte decides")
    return fig


def draw_product(peak: float, bandwidth: float, n: int, bytes_per_number: int = 4) -> Figure:
    """An n by n product, a row times the same matrix and a vector addition under a roof; peak TFLOP/s, bandwidth GB/s."""
    width = bytes_per_number
    line = Roofline(peak * 1e12, bandwidth * 1e9)
    fig, ax = plots.figure(height=4.2)
    _roof(ax, line, 0.03, 1e4)
    shown = (
        (f"{n} x {n} product", matrix_product_intensity(n, n, n, width), "blue", "o"),
        (f"one row x {n} x {n} matrix", matrix_product_intensity(1, n, n, width), "orange", "s"),
        ("vector addition", 1 / (3 * width), "green", "^"),
    )
    for name, intensity, colour, marker in shown:
        rate = line.attainable(intensity)
        ax.plot([intensity], [rate], marker, color=plots.COLOURS[colour], markersize=9)
        offset, side = ((0, 11), "center") if intensity >= line.ridge else ((10, -18), "left")
        if intensity > 300 and side == "left":  # no room to the right
            offset, side = (-10, 4), "right"
        plots.label(ax, intensity, rate, name, colour=colour, offset=offset, ha=side)
    ax.set_xlim(0.03, 1e4)
    ax.set_ylim(line.bandwidth * 0.02, line.peak * 3)
    square = shown[0][1]
    bound = line.bound(square)
    share = line.attainable(square) / line.peak
    said = "can reach the peak" if bound == "compute" else f"gets {share:.0%} of the peak at most"
    ax.set_title(f"Ridge at {line.ridge:,.3g} FLOPs a byte: side {n} {said}")
    return fig


def draw_utilisation(runs: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    """Utilisation against parameters, a line for each family. runs: family -> (parameters, share) pairs."""
    fig, ax = plots.figure(height=3.9)
    styles = (("blue", "o", "-"), ("orange", "s", "--"), ("green", "^", ":"))
    shares = []
    for (name, pairs), (colour, marker, line) in zip(runs.items(), styles, strict=False):
        x, y = np.array(sorted(pairs)).T
        ax.plot(x, 100 * y, marker=marker, linestyle=line, color=plots.COLOURS[colour])
        plots.label(ax, x[-1], 100 * y[-1], name, colour=colour, offset=(-6, 8), ha="right")
        shares += list(y)
    ax.set(xscale="log", xlabel="parameters N", ylabel="utilisation (% of the product's rate)")
    ax.set_ylim(0, max(100 * max(shares) * 1.25, 20))
    ax.set_title(f"The same machine gives {min(shares):.0%} of its best to one model, {max(shares):.0%} to another")
    return fig


# --- devices ----------------------------------------------------------------------------------------


def draw_devices(mine: Device | None = None) -> Figure:
    """Peak rate against bandwidth of the published devices and `mine`, with lines of equal ridge."""
    fig, ax = plots.figure(width=8.4, height=5.0)
    grid = np.array([5.0, 8000.0])
    for ridge, at in ((10, 110.0), (100, 30.0), (1000, 30.0)):  # named where no device stands
        ax.plot(grid, ridge * grid * 1e9, color=plots.COLOURS["grey"], linestyle=":", linewidth=1)
        text = f"{ridge:,} FLOPs a byte"
        ax.text(
            at,
            ridge * at * 1e9 * 0.42,
            text,
            color=plots.COLOURS["grey"],
            fontsize=9,
            rotation=17,
            rotation_mode="anchor",
        )
    places = {
        "RTX 4090": (8, -12), "A100": (8, -10), "T4": (8, -12), "VCK5000": (-8, 4), "TPU v4": (-7, 6), "TPU v5e": (-8, -4),
        "TPU v5p": (8, -8),
    }  # fmt: skip
    seen = set()
    for device in DEVICES.values():
        colour, marker = KINDS[device.kind]
        format_ = device.training_format
        ax.plot(device.bandwidth, device.rate(), marker, color=plots.COLOURS[colour], markersize=8,
                label=None if device.kind in seen else device.kind)  # fmt: skip
        seen.add(device.kind)
        offset = places.get(device.name, (8, 2))
        text = device.name + (" (int8)" if format_ == "int8" else "")
        plots.label(
            ax, device.bandwidth, device.rate(), text,
            colour=colour, offset=offset, ha="right" if offset[0] < 0 else "left", bbox=plots.GROUND,
        )  # fmt: skip
    if mine is not None:
        ax.plot(mine.bandwidth, mine.rate(), "*", color=plots.COLOURS["pink"], markersize=14)
        plots.label(
            ax, mine.bandwidth, mine.rate(), "this machine, measured", colour="pink", offset=(10, -4), bbox=plots.GROUND
        )
    ax.set(xscale="log", yscale="log", xlabel="memory bandwidth (GB/s)", ylabel="peak rate (FLOP/s)")
    ax.set_xlim(5, 8000)
    ax.set_ylim(1e10, 4e15)
    ax.legend(loc="lower right")
    ridges = [device.ridge() for device in DEVICES.values()]
    ax.set_title(f"Ridges from {min(ridges):.0f} to {max(ridges):,.0f} FLOPs a byte: a peak needs a fitting memory")
    return fig


def draw_plan(flops: float, utilisation: float, devices: int = 1) -> Figure:
    """Days and kilowatt-hours of so many FLOPs on each device that has a training rate; utilisation in per cent."""
    known = [device for device in DEVICES.values() if device.training_format != "int8"]
    plans = sorted((estimate(flops, d, utilisation / 100, devices=devices) for d in known), key=lambda e: e.seconds)
    fig, (left, right) = plots.figure(columns=2, width=9.6, height=4.1)
    y = np.arange(len(plans))[::-1]
    for ax, values, unit in (
        (left, [plan.days for plan in plans], "days"),
        (right, [plan.kwh for plan in plans], "kWh at full power"),
    ):
        shown = [0.0 if value is None else value for value in values]
        positive = [value for value in shown if value > 0]
        floor = 10 ** np.floor(np.log10(min(positive)) - 0.3)
        colours = [plots.COLOURS[KINDS[DEVICES[plan.device].kind][0]] for plan in plans]
        ax.barh(y, [max(value - floor, 0) for value in shown], left=floor, color=colours, height=0.62)
        for at, value in zip(y, values, strict=True):
            text = "power not published" if value is None else _number(value)
            ax.text(floor * 1.15 if value is None else value * 1.1, at, text, va="center", fontsize=9.5)
        ax.set(xscale="log", xlabel=unit)
        ax.set_xlim(floor, max(positive) * 6)
        ax.set_axisbelow(True)
        ax.grid(axis="y", visible=False)
    left.set_yticks(y, [plan.device for plan in plans])
    right.set_yticks(y, [""] * len(plans))
    exponent = int(np.floor(np.log10(flops)))
    amount = f"{flops / 10**exponent:.3g}e{exponent}"
    many = f", {devices} of each" if devices > 1 else ""
    left.set_title(f"{amount} FLOPs at {utilisation:.3g} % of peak{many}")
    best = min((plan for plan in plans if plan.kwh is not None), key=lambda plan: plan.kwh or 0)
    right.set_title(f"Least energy: {best.device}")
    return fig


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.2g}"


# --- timelines --------------------------------------------------------------------------------------


def _bars(ax: Axes, plan: Schedule, names: bool = True) -> None:
    from matplotlib.colors import to_rgb

    longest = max(piece.end - piece.start for piece in plan.pieces)
    for piece in plan.pieces:
        length = piece.end - piece.start
        shade = 0.3 + 0.7 * length / longest
        colour = tuple(1 - shade * (1 - part) for part in to_rgb(plots.COLOURS["blue"]))
        ax.barh(piece.device, length, left=piece.start, height=0.72, color=colour, edgecolor="white", linewidth=1.2)
        if names and length > 0.03 * plan.makespan:
            ink = "white" if shade > 0.6 else plots.COLOURS["black"]
            middle = piece.start + length / 2
            ax.text(middle, piece.device, f"{length:g}", ha="center", va="center", fontsize=9.5, color=ink)
    ax.set_axisbelow(True)
    ax.set_yticks(range(plan.devices), [f"device {i + 1}" for i in range(plan.devices)])
    ax.set_ylim(plan.devices - 0.4, -0.6)
    ax.grid(axis="y", visible=False)


def draw_timeline(devices: int = 3, order: int = 0, costs: Sequence[float] = EXAMPLE, unit: str = "hours") -> Figure:
    """Who does what when: `order` is the place of one of ORDERS (0 given, 1 shortest, 2 longest, 3 random)."""
    name = ORDERS[int(order)]
    plan = schedule(costs, int(devices), name)
    bound = lower_bound(costs, int(devices))
    fig, ax = plots.figure(height=1.5 + 0.45 * int(devices), width=8.2)
    _bars(ax, plan)
    ax.axvline(bound, color=plots.COLOURS["orange"], linestyle="--", linewidth=1.6, zorder=1.5)  # below the numbers
    ax.axvline(plan.makespan, color=plots.COLOURS["black"], linewidth=1.2)
    ax.set(xlabel=f"{unit} (orange: no order can end before {bound:.3g})")
    ax.set_xlim(0, max(sum(costs) / int(devices) * 1.35, plan.makespan * 1.03))
    spoken = {"given": "As given", "shortest": "Shortest first", "longest": "Longest first", "random": "Shuffled"}[name]
    ax.set_title(
        f"{spoken}: all done after {plan.makespan:.3g} {unit}, a run after {plan.mean_completion:.3g} on average"
    )
    return fig


def draw_makespans(beforehand: Any, meanwhile: Any, bound: Any) -> Figure:
    """Distributions of the makespan of one sweep, handed out beforehand and whenever a device is free, in seconds."""
    fig, ax = plots.figure(height=3.9)
    first, second = np.asarray(beforehand), np.asarray(meanwhile)
    edges = np.linspace(min(second.min(), first.min()), np.quantile(first, 0.995), 40)
    for values, colour, name, at in (
        (second, "blue", "handed out when free", 0.9),
        (first, "orange", "handed out beforehand", 0.72),
    ):
        ax.hist(values, edges, color=plots.COLOURS[colour], alpha=0.55,
                               hatch=None if colour == "blue" else "//", edgecolor="white", linewidth=0.3)  # fmt: skip
        ax.axvline(values.mean(), color=plots.COLOURS[colour], linewidth=1.6)
        ax.text(0.985, at, f"{name}:\n{values.mean():.0f} s on average, spread {values.std(ddof=1):.0f} s",
                transform=ax.transAxes, ha="right", va="top", color=plots.COLOURS[colour], fontsize=10)  # fmt: skip
    ax.axvline(float(np.mean(bound)), color=plots.COLOURS["black"], linestyle="--", linewidth=1.4)
    ax.text(0.985, 0.54, "dashed: the bound, on average", transform=ax.transAxes, ha="right", va="top", fontsize=10)
    ax.set(xlabel="all runs done after (s)", ylabel="sweeps of 1,000")
    ax.set_title(f"Deciding late saves {1 - second.mean() / first.mean():.0%} of the time, and the ends differ less")
    return fig


# --- the law's advice -------------------------------------------------------------------------------


def draw_wrong_size(n_params: Any, loss_excess: Any, waste: Any, best: float) -> Figure:
    """Two panels against size over best size: how much higher the loss is (%), and what that is worth in compute (%)."""
    factor = np.asarray(n_params, dtype=float) / best
    fig, axes = plots.figure(columns=2, width=9.2, height=3.8)
    top = 100 * max(float(np.max(loss_excess)), float(np.max(waste)))  # one scale for both, or either looks steep
    for ax, values, name, colour, marker in (
        (axes[0], loss_excess, "loss above the best (%)", "blue", "o"),
        (axes[1], waste, "compute wasted (%)", "orange", "s"),
    ):
        y = 100 * np.asarray(values, dtype=float)
        ax.plot(factor, y, marker=marker, color=plots.COLOURS[colour])
        ax.axvline(1, color=plots.COLOURS["black"], linestyle="--", linewidth=1)
        lowest, flat = int(np.argmin(y)), y.max() < 0.3 * top
        for i, (x, value) in enumerate(zip(factor, y, strict=True)):
            side = "center" if flat or i == lowest else "right" if i < lowest else "left"
            offset = {"center": (0, 8 if flat else -17), "right": (-7, 2), "left": (7, 2)}[side]
            number = f"{value:.1f}" if value < 10 else f"{value:.0f}"
            plots.label(ax, x, value, number, offset=offset, ha=side, bbox=plots.GROUND)
        ax.set(xscale="log", xlabel="size / best size", ylabel=name)
        ax.set_ylim(-0.13 * top, 1.1 * top)
        ax.set_xlim(factor.min() / 2, factor.max() * 2)
        ticks = [0.25, 0.5, 1, 2, 4]
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    axes[0].set_title("The loss looks flat")
    axes[1].set_title("The compute behind it does not")
    return fig


def draw_pilot(shares: Any, waste: Any, low: Any = None, high: Any = None) -> Figure:
    """Overhead of a final run against the pilot's share: the pilot, the waste by the size it names, and both (%)."""
    x, y = 100 * np.asarray(shares, dtype=float), 100 * np.asarray(waste, dtype=float)
    fig, ax = plots.figure(height=4.0)
    plots.theory(ax, x, x, colour="grey")
    plots.label(ax, x[0], x[0], "the pilot itself", colour="grey", offset=(14, -4))
    bars = (None, None) if low is None else (100 * np.asarray(low), 100 * np.asarray(high))
    plots.measured(ax, x, np.maximum(y, 0.02), *bars, colour="orange", marker="s")
    plots.label(ax, x[-1], y[-1], "waste by the size that it names", colour="orange", offset=(4, 22), ha="right")
    ax.plot(x, x + y, marker="o", color=plots.COLOURS["blue"])
    best = int(np.argmin(x + y))
    plots.label(ax, x[0], x[0] + y[0], "both together", colour="blue", offset=(4, 12))
    ax.set(xscale="log", yscale="log", xlabel="compute of the pilot (% of the final run)", ylabel="% of the final run")
    ax.set_xticks(x, [f"{share:.2g}" for share in x])
    ax.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    ax.set_ylim(0.1, 200)
    ax.minorticks_off()
    ax.set_title(f"Pilot and waste together cost least, {x[best] + y[best]:.2g} %, with a pilot of {x[best]:.2g} %")
    return fig
