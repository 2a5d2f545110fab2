"""Figures of lesson 3.2: a ring, a pipeline, memory in shards, step times, two processes, noise, schedules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from course import parallelism, plots
from course.noise_scale import LeastSquares, Tradeoff
from course.training import Recipe, learning_rate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "draw_estimates",
    "draw_noise",
    "draw_pipeline",
    "draw_rates",
    "draw_ring",
    "draw_scaling",
    "draw_schedules",
    "draw_steps",
    "draw_time_and_compute",
    "draw_timelines",
    "draw_tradeoff",
    "draw_two_processes",
    "draw_zero",
    "model_of",
]

DEVICE: dict[str, Any] = {"flops": 3e14, "latency": 1e-5}
"""A device that reaches 3e14 FLOP/s, and starts a message in 10 µs."""


# --- the ring -------------------------------------------------------------------------------------


def draw_ring(p: int = 4) -> Figure:
    """Which chunk each device sends in each step of a real all-reduce of `p` arrays."""
    result = parallelism.ring_all_reduce(list(np.ones((p, 4 * p))))
    fig, ax = plots.figure(height=0.9 + 0.42 * max(p, 4))
    for message in result.messages:
        reducing = message.phase == "reduce"
        colour = plots.COLOURS["blue" if reducing else "orange"]
        box = {"edgecolor": colour, "linewidth": 1.5, "hatch": "" if reducing else "///"}
        ax.barh(message.sender, 0.86, left=message.step + 0.07, height=0.72, facecolor="white", **box)
        white = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        ax.text(
            message.step + 0.5, message.sender, f"{message.chunk}", ha="center", va="center", fontsize=10, bbox=white
        )
    ax.set(xlim=(0, max(result.steps, 1)), ylim=(p - 0.4, -1.15), xlabel="step", ylabel="device")
    ax.set_xticks(np.arange(result.steps) + 0.5, [str(step) for step in range(result.steps)])
    ax.set_yticks(range(p))
    ax.grid(False)
    plots.label(ax, 0, -0.75, "chunk sent, to be added", colour="blue", offset=(2, -3))
    if p > 2:
        plots.label(ax, p - 1, -0.75, "sum handed round", colour="orange", offset=(2, -3))
    share = result.sent(0) / (4 * p * 8)
    ax.set_title(f"{p} devices: {result.steps} steps, each device sends {share:.3g} times its array")
    return fig


# --- the pipeline ---------------------------------------------------------------------------------


def draw_pipeline(p: int = 4, m: int = 8, turns: int = 0) -> Figure:
    """The played schedule as a timeline: GPipe, or one forward and one backward in turn when `turns` is 1."""
    from matplotlib.collections import PolyCollection

    played = parallelism.pipeline(p, m, schedule="1f1b" if turns else "gpipe")
    fig, ax = plots.figure(width=8.6, height=1.5 + 0.42 * max(p, 3))
    for kind, colour, hatch in (("forward", "sky", ""), ("backward", "amber", "///")):
        own = [work for work in played.work if work.kind == kind]
        corners = [
            [
                (time, work.stage + side)
                for time, side in zip(
                    (work.start, work.start, work.end, work.end), (-0.38, 0.38, 0.38, -0.38), strict=True
                )
            ]
            for work in own
        ]
        look: dict[str, Any] = {"facecolor": plots.COLOURS[colour], "edgecolor": "white"}
        look["linewidth"] = 0.8 if m <= 16 else 0.3
        ax.add_collection(PolyCollection(corners, hatch=hatch, **look))
        if m <= 12:
            for work in own:
                at = ((work.start + work.end) / 2, work.stage)
                ax.text(*at, f"{work.micro_batch}", ha="center", va="center", fontsize=9)
    for stage in range(p):
        plots.label(ax, played.time, stage, f"holds {played.stored(stage)}", offset=(6, -4))
    ax.set(
        xlim=(0, played.time),
        ylim=(p - 0.45, -1.0),
        xlabel="time (one forward pass of a micro-batch = 1)",
        ylabel="stage",
    )
    ax.set_yticks(range(p))
    ax.grid(False)
    plots.label(ax, 0, -0.65, "plain: forward, hatched: backward, white: idle", offset=(0, -3))
    ax.set_title(
        f"{p} stages, {m} micro-batches: idle {played.bubble:.1%}, speed-up {p * (1 - played.bubble):.2f} of {p}"
    )
    return fig


# --- memory ---------------------------------------------------------------------------------------


def draw_zero(billions: float = 7.5, p: float = 64) -> Figure:
    """Memory of each device at ZeRO's four stages, by parts, beside a device's 80 GB."""
    devices = round(p)  # a slider by factors hands over a fraction
    fig, ax = plots.figure(height=3.6)
    names = ("0: nothing divided", "1: Adam's state", "2: + gradients", "3: + weights")
    parts = (
        ("weights", 2, 3, "blue", ""),
        ("gradients", 2, 2, "orange", "///"),
        ("Adam's state", 12, 1, "green", "..."),
    )
    left = np.zeros(4)
    for name, each, first, colour, hatch in parts:
        size = np.array([billions * each / (devices if stage >= first else 1) for stage in range(4)])
        ax.barh(range(4), size, left=left, color=plots.COLOURS[colour], hatch=hatch, edgecolor="white", label=name)
        left += size
    for stage, total in enumerate(left):
        plots.label(ax, total, stage, f"{total:,.3g} GB", offset=(5, -4))
    ax.axvline(80, color=plots.COLOURS["black"], linestyle="--", linewidth=1.2)
    ax.set(
        xlim=(0, 1.18 * max(left.max(), 80)), ylim=(3.6, -1.0), xlabel="memory of each device (GB), without activations"
    )
    plots.label(ax, 80, -0.65, "a device's 80 GB", offset=(4, -3))
    ax.set_yticks(range(4), names)
    ax.grid(False, axis="y")
    ax.legend(loc="lower right", fontsize=10)
    ax.set_title(f"{billions:.3g} billion parameters on {devices} devices: {left[0]:,.3g} GB each, or {left[3]:,.3g}")
    return fig


# --- one step, five ways --------------------------------------------------------------------------


def draw_timelines(p: int = 4, ring: float = 0.3, layer_ring: float = 0.1) -> Figure:
    """One step of a network of four layers on `p` devices in five ways; one device's forward pass takes 1.

    ring, layer_ring: time to send all parameters, or one layer's results, once.
    """
    names = ("data parallel", "ZeRO stage 1", "ZeRO stage 3", "tensor split", "pipeline, m = 8")
    fig, ax = plots.figure(width=8.6, height=4.6)
    looks = {"forward": ("sky", ""), "backward": ("amber", "///"), "reduce": ("black", ""), "gather": ("grey", "")}
    row, ticks, longest = 0.0, [], 0.0
    for way in parallelism.WAYS:
        spans = parallelism.timeline(way, p, ring=ring, layer_ring=layer_ring)
        rows = range(p) if way == "pipeline" else range(1)  # elsewhere all devices do the same
        height = 1.4 / p if way == "pipeline" else 0.7
        for device in rows:
            for kind, (colour, hatch) in looks.items():
                own = [(s.start, s.end - s.start) for s in spans if s.device == device and s.kind == kind]
                look = {"facecolor": plots.COLOURS[colour], "edgecolor": "white", "linewidth": 0.4, "hatch": hatch}
                ax.broken_barh(own, (row + device * height, 0.9 * height), **look)
        end = max(span.end for span in spans)
        ticks.append(row + len(rows) * height / 2)
        plots.label(ax, end, ticks[-1], f"{3 / end:.2f} times faster", offset=(6, -4))
        row, longest = row + len(rows) * height + 0.3, max(longest, end)
    ax.set(
        ylim=(row, -0.75), xlim=(0, 1.32 * longest), xlabel="time (one device's forward pass = 1; its whole step = 3)"
    )
    ax.set_yticks(ticks, names)
    ax.set_axisbelow(True)
    ax.grid(False, axis="y")
    plots.label(ax, 0, -0.4, "plain: forward, hatched: backward, black: adding up, grey: handing round", offset=(0, -3))
    ax.set_title(f"One step on {p} devices: the same work, other waits")
    return fig


# --- step times -----------------------------------------------------------------------------------


def model_of(billions: float) -> tuple[int, int]:
    """(width, layers) of a Transformer of about so many parameters, 12 width^2 a layer, 128 wide for each layer."""
    layers = max(1, round((billions * 1e9 / (12 * 128**2)) ** (1 / 3)))
    return 128 * round((billions * 1e9 / (12 * layers)) ** 0.5 / 128) or 128, layers


def draw_steps(p: float = 8, billions: float = 1.0, gigabytes: float = 25.0, kilotokens: float = 256.0) -> Figure:
    """Seconds of a step by part, for the three ways to split it over `p` devices, and for one device."""
    devices = round(p)  # a slider by factors hands over a fraction
    (width, layers), tokens = model_of(billions), 1000 * kilotokens
    n, link = 12 * width**2 * layers, {**DEVICE, "bandwidth": 1e9 * gigabytes}
    one = parallelism.data_parallel_step(n, tokens, 1, **link)
    ways = {
        "data": parallelism.data_parallel_step(n, tokens, devices, **link),
        "tensor": parallelism.tensor_parallel_step(width, layers, tokens, devices, **link),
    }
    if devices <= layers:
        ways["pipeline,\n32 micro-batches"] = parallelism.pipeline_step(width, layers, tokens, devices, 32, **link)
    rows = range(len(ways))
    fig, ax = plots.figure(height=3.7)
    left = np.zeros(len(ways))
    look = (("compute", "blue", ""), ("idle", "sky", "..."), ("traffic", "orange", "///"), ("latency", "black", "xx"))
    for part, colour, hatch in look:
        size = np.array([getattr(step, part) for step in ways.values()])
        ax.barh(rows, size, left=left, color=plots.COLOURS[colour], hatch=hatch, edgecolor="white", label=part)
        left += size
    for i, step in enumerate(ways.values()):
        faster = one.total / step.total
        plots.label(ax, left[i], i, f"{faster:.3g} times faster, {faster / devices:.0%}", offset=(5, -4))
    ax.set(xlim=(0, 1.6 * left.max()), ylim=(2.6, -1.0), xlabel="seconds of one step")
    names = list(ways)
    if devices > layers:
        names.append("pipeline")
        plots.label(ax, 0, 2, f"not with {layers} layers: a stage holds one at least", offset=(5, -4))
    ax.set_yticks(range(3), names)
    ax.grid(False, axis="y")
    ax.legend(loc="upper right", ncols=4, fontsize=10, columnspacing=1.0, borderaxespad=0.0)
    best = one.total / left.min()
    ax.set_title(f"{devices} devices: at best {best:.3g} times faster than one ({one.total:.3g} s)")
    return fig


def draw_scaling(n_params: float = 1e9, gigabytes: float = 25.0) -> Figure:
    """Speed-up by data parallelism against the number of devices: strong scaling at three batches, weak scaling."""
    devices = [2**i for i in range(13)]
    link = {**DEVICE, "bandwidth": 1e9 * gigabytes}
    fig, ax = plots.figure(height=4.2)
    plots.theory(ax, devices, devices)
    plots.label(ax, 100, 100, "p times faster", offset=(-88, 8))

    def seconds(tokens: float, p: int) -> float:
        return parallelism.data_parallel_step(n_params, tokens, p, **link).total

    weak = [p * seconds(32_000, 1) / seconds(32_000 * p, p) for p in devices]
    ax.plot(devices, weak, color=plots.COLOURS["green"], linestyle="-.")
    plots.label(ax, devices[-1], weak[-1], "weak: 32,000\ntokens a device", colour="green", offset=(6, -10))
    for tokens, colour, marker in ((32_000, "orange", "o"), (256_000, "pink", "s"), (2_000_000, "blue", "^")):
        strong = [seconds(tokens, 1) / seconds(tokens, p) for p in devices]
        ax.plot(devices, strong, color=plots.COLOURS[colour], marker=marker, markersize=4, linewidth=1.6)
        plots.label(ax, devices[-1], strong[-1], f"strong: {tokens:,}\ntokens in all", colour=colour, offset=(6, -8))
    ax.set(xscale="log", yscale="log", xlabel="devices p", ylabel="speed-up", xlim=(0.9, 40_000), ylim=(0.8, 6000))
    ax.set_title("A step of fixed size stops getting faster; a growing one does not")
    return fig


# --- measured with two processes ------------------------------------------------------------------


def draw_two_processes(
    micro_batches: Sequence[int],
    pipelines: Sequence[tuple[float, float, float]],
    pipeline_clock: Sequence[float],
    samples: Sequence[int],
    shared: Sequence[tuple[float, float, float]],
    shared_clock: Sequence[float],
    expected: Sequence[float],
) -> Figure:
    """Speed-up of two processes over one: the pipeline against its micro-batches, shared data against the batch.

    Measurements from processor time are (value, low, high); those by the clock are one number each. `expected`: speed-up of
    the shared data from compute and traffic measured apart.
    """
    fig, (left, right) = plots.figure(columns=2, width=9.8, height=4.2)
    m = np.asarray(micro_batches, dtype=float)
    panels = (
        (left, micro_batches, pipelines, pipeline_clock, 2 * m / (m + 1), "2 m / (m + 1)", "blue", "o"),
        (right, samples, shared, shared_clock, expected, "2 / (1 + traffic / compute)", "orange", "s"),
    )
    for ax, x, measured, clock, line, name, colour, marker in panels:
        value, low, high = np.array(measured).T
        plots.measured(ax, x, value, low, high, colour=colour, marker=marker)
        ax.plot(x, clock, marker, color=plots.COLOURS["grey"], fillstyle="none", markersize=8)
        plots.theory(ax, x, line, label=name)
        ax.plot([], [], marker, color=plots.COLOURS[colour], label="from processor time")
        ax.plot([], [], marker, color=plots.COLOURS["grey"], fillstyle="none", label="by the clock")
        ax.axhline(1, color=plots.COLOURS["grey"], linewidth=1)
        ax.set(xscale="log", ylim=(0, 2.75))
        ax.set_xticks(list(x), [f"{each:,}" for each in x])
        ax.minorticks_off()
        ax.margins(x=0.08)
        ax.legend(loc="upper left", fontsize=10, ncols=2, columnspacing=1.0)
    left.set(xlabel="micro-batches m", ylabel="speed-up over one process")
    right.set(xlabel="samples a step")
    value = np.array(pipelines).T[0]
    best = int(np.argmax(value))
    left.set_title(f"Two stages: {value[best]:.2f} times faster with m = {micro_batches[best]}")
    right.set_title(f"Shared data: from {shared[0][0]:.2f} to {shared[-1][0]:.2f} times faster")
    return fig


def draw_time_and_compute(rows: Mapping[str, tuple[float, float]]) -> Figure:
    """For each way, (time on two free cores, processor time in all) of a step, relative to one process."""
    fig, ax = plots.figure(height=1.5 + 0.5 * len(rows))
    for i, (time, compute) in enumerate(rows.values()):
        ax.plot([time, compute], [i, i], color=plots.COLOURS["grey"], linewidth=1, zorder=1)
        plots.measured(ax, [time], [i], colour="blue")
        plots.measured(ax, [compute], [i], colour="orange", marker="s")
        plots.label(ax, time, i, f"{time:.2f}", colour="blue", offset=(-10, 7))
        plots.label(ax, compute, i, f"{compute:.2f}", colour="orange", offset=(-10, -17))
    ax.axvline(1, color=plots.COLOURS["black"], linestyle="--", linewidth=1.2)
    ax.set_yticks(range(len(rows)), list(rows))
    most = max(max(pair) for pair in rows.values())
    ax.set(ylim=(len(rows) - 0.5, -0.9), xlim=(0, 1.15 * max(most, 1.3)), xlabel="relative to one process")
    plots.label(ax, 0, -0.6, "circle: time", colour="blue", offset=(4, -3))
    plots.label(ax, 1, -0.6, "square: processor time in all", colour="orange", offset=(6, -3))
    ax.grid(False, axis="y")
    name, (time, compute) = next(iter(rows.items()))
    ax.set_title(f"{name.capitalize()}: {time:.2f} of the time, {compute:.2f} of the compute")
    return fig


# --- noise ----------------------------------------------------------------------------------------


@cache
def _cloud() -> tuple[Any, Any, Any]:
    """Single-sample gradients of the least-squares problem, and a direction along and one across the true one."""
    problem = LeastSquares.power()
    truth = problem.spectrum * problem.error
    gradients = problem.gradients(np.random.default_rng(4), 1, 120 * 256)
    along = truth / np.linalg.norm(truth)
    across = np.zeros_like(truth)
    across[1] = 1.0
    across -= (across @ along) * along
    return gradients.reshape(120, 256, -1), along, across / np.linalg.norm(across)


def draw_noise(batch: float = 6) -> Figure:
    """Gradients of 120 batches of this size in a plane through the true gradient, in units of its length."""
    size = round(batch)  # a slider by factors hands over a fraction
    problem = LeastSquares.power()
    drawn, along, across = _cloud()
    exact = problem.noise()
    length = math.sqrt(exact.gradient_squared)
    means = drawn[:, :size].mean(axis=1) / length
    fig, ax = plots.figure(width=6.4, height=4.2)
    ax.plot(means @ along, means @ across, "o", color=plots.COLOURS["sky"], markersize=5, alpha=0.8)
    arrow = {"arrowstyle": "-|>", "color": plots.COLOURS["orange"], "linewidth": 2.5}
    ax.annotate("", (1, 0), (0, 0), arrowprops=arrow)
    plots.label(ax, 6, 2.7, "arrow: the true gradient", colour="orange", offset=(0, 0), ha="right")
    ax.set(xlim=(-3.2, 6.2), ylim=(-3.2, 3.2), xlabel="along the true gradient", ylabel="across, one of 31 directions")
    ax.set_aspect("equal")
    ax.set_title(f"Batches of {size}: noise {math.sqrt(exact.scale / size):.2f} times the gradient's length")
    return fig


def draw_estimates(exact: float, right: Sequence[float], wrong: Sequence[float], one_sided: Sequence[float]) -> Figure:
    """Repeated estimates of the noise scale by three formulas, beside the exact value."""
    fig, ax = plots.figure(height=3.5)
    names = ("averages, then ratio", "ratios, then average", "large batch taken\nfor the truth")
    rows = (("blue", "o", right), ("orange", "s", wrong), ("pink", "^", one_sided))
    jitter = np.linspace(-0.22, 0.22, len(right))
    low, high = -2 * exact, 5 * exact
    for i, (colour, marker, values) in enumerate(rows):
        inside = np.clip(values, low, high)
        ax.plot(inside, i + jitter, marker, color=plots.COLOURS[colour], markersize=5, alpha=0.75)
        beyond = int((inside != np.asarray(values)).sum())
        if beyond:
            plots.label(ax, high, i, f"{beyond} outside", colour=colour, offset=(-62, 14))
    ax.axvline(exact, color=plots.COLOURS["black"], linestyle="--", linewidth=1.4)
    plots.label(ax, exact, -0.6, f"exact: {exact:.1f}", offset=(5, -3))
    ax.set_yticks(range(3), names)
    ax.set(ylim=(2.5, -0.85), xlim=(low - 0.3 * exact, high + 0.3 * exact), xlabel="noise scale (samples)")
    ax.grid(False, axis="y")
    ax.set_title("Only the ratio of averages finds the noise scale")
    return fig


def draw_tradeoff(
    batch: Sequence[int], steps: Sequence[float], live: Mapping[int, tuple[float, float, float]], law: Tradeoff
) -> Figure:
    """Steps against samples to one target: the exact expectation, live runs, and the hyperbola."""
    fig, ax = plots.figure(height=4.3)
    grid = np.geomspace(min(batch), max(batch), 100)
    plots.theory(ax, law.steps(grid) * grid, law.steps(grid))
    b, s = np.asarray(batch, dtype=float), np.asarray(steps, dtype=float)
    ax.plot(b * s, s, "o", color=plots.COLOURS["blue"], fillstyle="none", markersize=9)
    for size, (mean, low, high) in live.items():
        plots.measured(ax, [size * mean], [mean], [low], [high], colour="orange", marker="s")
        plots.label(ax, size * mean, mean, f"batch {size:,}", colour="orange", offset=(10, 3))
    ax.axhline(law.least_steps, color=plots.COLOURS["grey"], linewidth=1)
    ax.axvline(law.least_samples, color=plots.COLOURS["grey"], linewidth=1)
    plots.label(ax, (b * s).max(), law.least_steps, f"never fewer than {law.least_steps:.0f} steps", offset=(-150, -15))
    plots.label(
        ax,
        law.least_samples,
        s.max(),
        f"never fewer than\n{law.least_samples:,.0f} samples",
        offset=(-6, -30),
        ha="right",
    )
    ax.set(xscale="log", yscale="log", xlabel="samples to the target (compute)", ylabel="steps to the target (time)")
    ax.set_xlim(law.least_samples / 9, 2.6 * (b * s).max())
    ax.set_ylim(law.least_steps / 1.9, 1.6 * s.max())
    ax.set_title(f"Up to a batch of about {law.critical_batch:.0f}, fewer steps cost few samples")
    return fig


# --- schedules ------------------------------------------------------------------------------------


def draw_schedules(
    steps: int,
    rates: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    budgets: Sequence[int],
    branches: Any,
    constant: Sequence[float],
) -> Figure:
    """Loss against the peak rate for each schedule, and the loss of shorter runs with a cool-down beside the constant rate's.

    rates: name to (peak rates, losses); branches: (seeds, budgets) losses; constant: (seeds,) at `steps`.
    """
    fig, (left, right) = plots.figure(columns=2, width=10.2, height=4.3)
    order = zip(rates.items(), ("orange", "pink", "green", "blue"), plots.MARKERS, strict=False)
    for (name, (peaks, losses)), colour, marker in order:
        left.plot(peaks, losses, marker=marker, color=plots.COLOURS[colour], linewidth=1.5, label=name)
        best = int(np.argmin(losses))
        left.plot(peaks[best], losses[best], marker, color=plots.COLOURS[colour], markersize=13, fillstyle="none")
    left.set(xscale="log", xlabel="peak learning rate", ylabel=f"loss after {steps:,} steps (nats)")
    some = list(next(iter(rates.values()))[0])
    left.set_xticks(some[::2], [f"{rate:.2g}" for rate in some[::2]])
    left.minorticks_off()
    lowest = min(min(losses) for _, losses in rates.values())
    left.set_ylim(lowest - 0.02, lowest + 0.3)
    left.legend(fontsize=10, loc="upper center")
    left.set_title("Each schedule at its own best rate")
    values = np.asarray(branches)
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    plots.measured(right, budgets, mean, mean - 2 * spread, mean + 2 * spread, colour="blue", marker="D", linestyle="-")
    level = float(np.mean(constant))
    right.axhline(level, color=plots.COLOURS["orange"], linestyle="--", linewidth=1.5)
    plots.label(right, budgets[-1], level, f"constant rate after {steps:,} steps", colour="orange", offset=(-178, 6))
    at = float(np.exp(np.interp(-level, -mean, np.log(budgets))))
    right.axvline(at, color=plots.COLOURS["black"], linewidth=1, linestyle=":")
    plots.label(right, at, mean.min(), f"{at:,.0f} steps", offset=(6, 2))
    right.set(xlabel="steps of a run that cools down", ylabel="loss (nats)")
    right.set_title(f"The constant rate's loss in {at / steps:.0%} of its steps")
    return fig


def draw_rates(steps: int = 1500, warmup: int = 50, cooldown: float = 0.3) -> Figure:
    """The four schedules' rates against the step, as shares of the peak."""
    fig, ax = plots.figure(height=3.4)
    at = np.arange(steps)
    kinds = (
        ("constant", 0, "constant", "orange", "--"),
        ("cosine", warmup, "cosine", "green", "-."),
        ("wsd", warmup, "warm-up, stable, cool-down", "blue", "-"),
    )
    for schedule, warm, name, colour, line in kinds:
        recipe = Recipe(batch=1, rate=1.0, rate_power=0.0, warmup=int(warm), schedule=schedule, cooldown=cooldown)
        rate = learning_rate(recipe, 64, at, steps)
        ax.plot(at, rate, color=plots.COLOURS[colour], linestyle=line)
        mid = {"constant": 0.88, "cosine": 0.5, "wsd": 0.04}[schedule]
        offset = {"constant": (-26, 6), "cosine": (-60, -16), "wsd": (0, 6)}[schedule]
        height = float(rate[int(mid * steps)])
        height = 1.0 if height > 0.85 else height  # above the constant rate's line, not on it
        plots.label(ax, mid * steps, height, name, colour=colour, offset=offset)
    ax.set(xlabel="step", ylabel="share of the peak rate", ylim=(0, 1.18), xlim=(0, steps))
    ax.set_title(f"The last {cooldown:.0%} of the steps settle the weights")
    return fig
