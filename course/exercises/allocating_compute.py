"""Exercises of lesson 3.3: intensity, the roofline, utilisation, energy, the price of a wrong size, longest first."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from course import planning, roofline
from course.exercises.specification import Case, Exercise, Mistake

# --- 3.3.1 arithmetic intensity -------------------------------------------------------------------


def _products(rng: np.random.Generator) -> list[Case]:
    cases = []
    for m, k, n, width in ((2, 3, 4, 4), (1, 50, 60, 4), (8, 200, 100, 2), (64, 64, 64, 4), (500, 20, 300, 1)):
        cases.append(Case((m + int(rng.integers(0, 3)), k + int(rng.integers(0, 3)), n, width)))
    return cases


_INTENSITY_MISTAKES = (
    Mistake(
        "one FLOP for two",
        lambda m, k, n, b: m * k * n / (b * (m * k + k * n + m * n)),
        "You counted one FLOP for each of the m k n multiplications. Each is followed by an addition: 2 m k n.",
    ),
    Mistake(
        "the result forgotten",
        lambda m, k, n, b: 2 * m * k * n / (b * (m * k + k * n)),
        "Both matrices are read, and the result of m n numbers must be written as well.",
    ),
    Mistake(
        "numbers, not bytes",
        lambda m, k, n, b: 2 * m * k * n / (m * k + k * n + m * n),
        "You counted numbers. Intensity is per byte, and each number has `bytes_per_number` of them.",
    ),
    Mistake(
        "times bytes",
        lambda m, k, n, b: 2 * m * k * n / (m * k + k * n + m * n) * b,
        "You multiplied by the bytes of a number. They belong to what is moved: below the line, with the numbers.",
    ),
    Mistake(
        "one result's work",
        lambda m, k, n, b: 2 * k / (b * (m * k + k * n + m * n)),
        "You counted the FLOPs of a single result, 2 k. There are m n of them.",
    ),
    Mistake(
        "bits",
        lambda m, k, n, b: 2 * m * k * n / (8 * b * (m * k + k * n + m * n)),
        "You divided by bits: eight times too small. A float32 has 32 bits, which are 4 bytes, and `bytes_per_number` is "
        "already in bytes.",
    ),
    Mistake(
        "read for each use",
        lambda m, k, n, b: 2 * m * k * n / (b * (2 * m * k * n + m * n)),
        "You let every multiplication fetch its two numbers from memory. The point of a cache is that a number which is "
        "there is used again: count each matrix once.",
    ),
    Mistake(
        "upside down",
        lambda m, k, n, b: b * (m * k + k * n + m * n) / (2 * m * k * n),
        "This is bytes a FLOP. Intensity is FLOPs a byte: the other way up.",
    ),
    Mistake(
        "weights only",
        lambda m, k, n, b: 2 * m * k * n / (b * k * n),
        "You counted the bytes of the second matrix alone. For one row that is nearly all; for many rows the other two "
        "matrices count as well.",
    ),
)

# --- 3.3.2 the roofline ---------------------------------------------------------------------------


def attainable(intensity: float, peak_tflops: float, bandwidth_gb: float) -> float:
    """TFLOP/s that the roofline allows. intensity: FLOPs a byte; peak: TFLOP/s; bandwidth: GB/s of 1e9 bytes. Lesson 3.3."""
    return roofline.Roofline(peak_tflops * 1e12, bandwidth_gb * 1e9).attainable(intensity) / 1e12


def _roofs(rng: np.random.Generator) -> list[Case]:
    cases = [Case((0.01, 8.1, 320.0))]  # so low that giga taken for tera stays below the peak
    for peak, bandwidth in ((8.1, 320.0), (19.5, 2039.0), (312.0, 2039.0), (0.4, 20.0)):
        ridge = 1000 * peak / bandwidth
        for factor in (0.1, 4.0):
            cases.append(Case((round(float(ridge * factor * rng.uniform(0.5, 1.5)), 3), peak, bandwidth)))
    return cases


_ROOF_MISTAKES = (
    Mistake(
        "the larger",
        lambda i, p, b: max(p, i * b / 1000),
        "You took the larger of the two. Both ceilings hold at once, so the lower one decides: `min`.",
    ),
    Mistake(
        "giga and tera",
        lambda i, p, b: min(p, i * b),
        "FLOPs a byte times GB/s gives GFLOP/s, a thousand to the TFLOP/s. Divide by 1,000 before you compare with the peak.",
    ),
    Mistake(
        "GiB",
        lambda i, p, b: min(p, i * b * 2**30 / 1e12),
        "You took 2**30 bytes for a GB; those are a GiB. Bandwidth is given in GB/s of 1e9 bytes: 7 % less.",
    ),
    Mistake(
        "bits",
        lambda i, p, b: min(p, i * b / 8000),
        "You divided by eight as if the bandwidth were in bits. GB with a capital B are bytes.",
    ),
    Mistake(
        "peak only",
        lambda i, p, b: p,
        "This is the peak, whatever the intensity. Below the ridge the memory cannot deliver the numbers that fast.",
    ),
    Mistake(
        "memory only",
        lambda i, p, b: i * b / 1000,
        "This grows without end. No operation is faster than the peak: take the lower of the two.",
    ),
    Mistake(
        "divided by intensity",
        lambda i, p, b: min(p, b / 1000 / i),
        "You divided by the intensity. With more FLOPs for each byte, the same bytes a second feed *more* FLOPs.",
    ),
    Mistake(
        "one after the other",
        lambda i, p, b: 1 / (1 / p + 1000 / (i * b)),
        "You added the time of computing and the time of moving, as if one waited for the other. The roofline lets them "
        "overlap: the slower one decides.",
    ),
)

# --- 3.3.3 utilisation ----------------------------------------------------------------------------


def mfu(n_params: float, tokens_per_second: float, sheet_tflops: float, sparse: bool) -> float:
    """Model FLOPs utilisation by 6 N a token, of the dense peak; `sparse`: the sheet's rate is with sparsity. Lesson 3.3."""
    peak = sheet_tflops * 1e12 / (2 if sparse else 1)
    return roofline.utilisation(6 * n_params, tokens_per_second, peak)


def _runs(rng: np.random.Generator) -> list[Case]:
    cases = []
    for n, sheet, sparse, share in (
        (1e8, 65.0, False, 0.2),
        (7e9, 312.0, False, 0.45),
        (1e6, 8.1, False, 0.03),
        (7e9, 1979.0, True, 0.4),
        (1e9, 242.0, True, 0.3),
    ):
        peak = sheet * 1e12 / (1 + sparse)
        speed = float(f"{share * rng.uniform(0.7, 1.3) * peak / (6 * n):.4g}")
        cases.append(Case((n, speed, sheet, sparse), part="sparse" if sparse else "ordinary"))
    return cases


def _mfu_with(factor: float, halved: bool = True, scale: float = 1.0) -> Callable[..., float]:
    def wrong(n: float, speed: float, sheet: float, sparse: bool) -> float:
        return scale * factor * n * speed / (sheet * 1e12 / (2 if sparse and halved else 1))

    return wrong


_MFU_MISTAKES = (
    Mistake(
        "forward only",
        _mfu_with(2),
        "2 N FLOPs a token is the forward pass. Training goes backward as well, which takes twice as much again: 6 N.",
    ),
    Mistake(
        "backward only",
        _mfu_with(4),
        "4 N is the backward pass alone. With the forward pass it is 6 N.",
    ),
    Mistake(
        "sparse peak",
        _mfu_with(6, halved=False),
        "You used the sheet's rate as it is printed. With `sparse` it is the rate for matrices with half their numbers zero; "
        "yours are dense, so the peak that counts is half of it.",
    ),
    Mistake(
        "per cent",
        _mfu_with(6, scale=100),
        "You returned per cent. The task asks for a share: 0.4, not 40.",
    ),
    Mistake(
        "units of the peak",
        _mfu_with(6, scale=1e12),
        "The peak is in TFLOP/s, 1e12 FLOPs a second; your FLOPs are not. Bring both to FLOP/s.",
    ),
    Mistake(
        "one FLOP a parameter",
        _mfu_with(1),
        "You counted one FLOP for each parameter and token. Forward it is a multiplication and an addition, and training takes "
        "three such passes: 6.",
    ),
    Mistake(
        "upside down",
        lambda n, speed, sheet, sparse: 1 / mfu(n, speed, sheet, sparse),
        "This is peak over use. Utilisation is what is used over the peak: a share below 1.",
    ),
    Mistake(
        "doubled",
        lambda n, speed, sheet, sparse: 6 * n * speed / (sheet * 1e12 * (2 if sparse else 1)),
        "You doubled the sheet's rate where it is with sparsity. The dense rate is half of it.",
    ),
)

# --- 3.3.4 energy ---------------------------------------------------------------------------------


def sweep_kwh(flops: float, peak_tflops: float, utilisation: float, watts: float, devices: int) -> float:
    """Kilowatt-hours of `flops` FLOPs shared by `devices` equal devices that draw `watts` each. Lesson 3.3."""
    seconds = flops / (devices * peak_tflops * 1e12 * utilisation)
    return watts * devices * seconds / planning.JOULES_PER_KWH


def _sweeps(rng: np.random.Generator) -> list[Case]:
    cases = []
    for flops, peak, watts, devices in (
        (1e15, 8.1, 70, 1),
        (1e18, 65, 70, 4),
        (1e21, 312, 400, 8),
        (1e23, 989.4, 700, 64),
    ):
        share = round(float(rng.uniform(0.1, 0.6)), 2)
        cases.append(Case((flops, peak, share, watts, devices)))
    return cases


def _energy_times(factor: Callable[..., float]) -> Callable[..., float]:
    return lambda flops, peak, share, watts, devices: (
        sweep_kwh(flops, peak, share, watts, devices) * factor(share, devices)
    )


_ENERGY_MISTAKES = (
    Mistake(
        "joules",
        _energy_times(lambda share, devices: 3.6e6),
        "This is in joules: watts times seconds. A kilowatt-hour is 3.6 million of them.",
    ),
    Mistake(
        "watt-hours",
        _energy_times(lambda share, devices: 1000),
        "This is a thousand times too much: in watt-hours, of which a kilowatt-hour has a thousand; or with a peak in GFLOP/s.",
    ),
    Mistake(
        "kilojoules",
        _energy_times(lambda share, devices: 3600),
        "You turned watts into kilowatts, but left the time in seconds. An hour has 3,600.",
    ),
    Mistake(
        "one device's energy",
        _energy_times(lambda share, devices: 1 / devices),
        "This is the energy of one device. All of them draw power while they share the work.",
    ),
    Mistake(
        "time of one device",
        _energy_times(lambda share, devices: devices),
        "You let each device do all of the work. They share it, so the time is shorter by their number.",
    ),
    Mistake(
        "utilisation left out",
        _energy_times(lambda share, devices: share),
        "You planned with the peak rate. Only the share `utilisation` of it is reached, so it takes longer.",
    ),
    Mistake(
        "utilisation multiplied",
        _energy_times(lambda share, devices: share**2),
        "You multiplied the time by the utilisation. A lower utilisation takes *longer*: divide by it.",
    ),
)

# --- 3.3.5 the price of a wrong size --------------------------------------------------------------


def _losses(rng: np.random.Generator) -> list[Case]:
    cases = []
    for slope, share in ((0.05, 0.02), (0.09, 0.05), (0.1, 0.1), (0.15, 0.01), (0.09, 0.0)):
        best = round(float(rng.uniform(1.2, 3.0)), 3)
        cases.append(Case((float(round(best * (1 + share), 4)), best, slope)))
    return cases


def _waste(loss: float, best: float, slope: float) -> float:
    return float(planning.extra_compute(loss, best, slope))


_WASTE_MISTAKES = (
    Mistake(
        "share of the loss",
        lambda loss, best, s: loss / best - 1,
        "This is how much higher the loss is. The question is how much *compute* that loss is worth, and a small fall of the "
        "loss takes much compute: solve C^-slope for C.",
    ),
    Mistake(
        "slope for its inverse",
        lambda loss, best, s: (loss / best) ** s - 1,
        "You raised the ratio to the power `slope`. L ~ C^-slope turned round is C ~ L^(-1/slope): the power is 1 / slope.",
    ),
    Mistake(
        "upside down",
        lambda loss, best, s: (best / loss) ** (1 / s) - 1,
        "This is negative: the compute that would have been enough, less what was spent, over what was spent. Asked is "
        "what was spent over what would have been enough, less 1.",
    ),
    Mistake(
        "saved share",
        lambda loss, best, s: 1 - (best / loss) ** (1 / s),
        "This is the waste as a share of what was spent. Asked is the share *on top of* what would have been enough: "
        "divide by the smaller budget.",
    ),
    Mistake(
        "factor",
        lambda loss, best, s: (loss / best) ** (1 / s),
        "This is the factor between both budgets. Waste is what is above 1: subtract it.",
    ),
    Mistake(
        "straight line",
        lambda loss, best, s: (loss / best - 1) / s,
        "You took the power law for a straight line. That is near for a small excess and too low for a large one: use "
        "the power 1 / slope itself.",
    ),
    Mistake(
        "difference in nats",
        lambda loss, best, s: math.expm1((loss - best) / s),
        "You used the difference in nats. A power law is a matter of ratios: take log(loss / best_loss), or the ratio itself.",
    ),
)

# --- 3.3.6 longest first --------------------------------------------------------------------------


def longest_first(costs: Any, devices: int) -> np.ndarray:
    """When each task ends, (n,) in the order of `costs`: longest first, each to the device that is free first. Lesson 3.3."""
    ends = np.zeros(len(costs))
    for piece in planning.schedule(costs, devices, "longest").pieces:
        ends[piece.task] = piece.end
    return ends


def _task_lists(rng: np.random.Generator) -> list[Case]:
    cases = [Case((np.array([1.0, 4.0, 2.0]), 2))]
    for n, devices in ((4, 2), (5, 3), (7, 2), (9, 3), (12, 4)):
        times = rng.choice(np.arange(1, 40), size=n, replace=False).astype(float)
        if np.all(np.diff(times) < 0):
            times = times[::-1].copy()
        cases.append(Case((times, devices)))
    return cases


def _ends(order: Callable[[np.ndarray], Any]) -> Callable[..., np.ndarray]:
    def wrong(costs: Any, devices: int) -> np.ndarray:
        costs = np.asarray(costs, dtype=float)
        free, ends = [0.0] * devices, np.zeros(len(costs))
        heapq.heapify(free)
        for task in order(costs):
            ends[task] = heapq.heappop(free) + costs[task]
            heapq.heappush(free, float(ends[task]))
        return ends

    return wrong


def _in_turn(costs: Any, devices: int) -> np.ndarray:
    until, ends = [0.0] * devices, np.zeros(len(costs))
    for i, task in enumerate(np.argsort(-np.asarray(costs), kind="stable")):
        until[i % devices] += costs[task]
        ends[task] = until[i % devices]
    return ends


_SCHEDULE_MISTAKES = (
    Mistake(
        "shortest first",
        _ends(lambda costs: np.argsort(costs, kind="stable")),
        "You went through the tasks shortest first. That serves the mean wait; the task asks for longest first, so that "
        "the short ones fill the gaps at the end.",
    ),
    Mistake(
        "the order given",
        _ends(lambda costs: range(len(costs))),
        "You took the tasks in the order given. Sort them first, longest first.",
    ),
    Mistake(
        "in turn",
        _in_turn,
        "You dealt the tasks out in turn, like cards. The next task goes to the device that is *free first*, which may be "
        "the one that has just had one.",
    ),
    Mistake(
        "one device",
        lambda costs, devices: longest_first(costs, 1),
        "Everything ended on one device. Each task goes to the device that is free *first*: `min` of the times, not `max`, "
        "and not always the same one.",
    ),
    Mistake(
        "sorted",
        lambda costs, devices: longest_first(np.sort(np.asarray(costs, dtype=float))[::-1], devices),
        "The times are right, but stand in the order in which you worked. Put the end of `costs[i]` at place i.",
    ),
    Mistake(
        "starts",
        lambda costs, devices: longest_first(costs, devices) - np.asarray(costs, dtype=float),
        "These are the times at which the tasks start. Add what each takes.",
    ),
    Mistake(
        "the makespan",
        lambda costs, devices: float(np.max(longest_first(costs, devices))),
        "This is when the last task ends. The task asks for the end of every one: (n,) numbers.",
    ),
)

# --- the list -------------------------------------------------------------------------------------

_MY_PLAN = (
    "I have two T4 for a weekend. First I measure: my model's step on one card reaches 22 % utilisation of the dense float16 "
    "peak, so 48 hours on two cards buy about 4.9e18 FLOPs. Five per cent of that goes into a pilot sweep at three budgets a "
    "hundred times smaller, three seeds each, and the law fitted to it names the size of the final run. I start the longest "
    "runs first, hand out a run whenever a card is free, and keep a record of each finished run, so that an interruption "
    "costs one run. At 70 W each the cards use at most 6.7 kWh. I would change the plan if the utilisation of the large "
    "model were below 15 %, or if the pilot's best size lay at the edge of its curve."
)


def _lacks(*words: str) -> Callable[[str], bool]:
    return lambda text: not any(word in text for word in words)


EXERCISES = (
    Exercise(
        id="3.3.1",
        title="FLOPs for each byte",
        points=1,
        minutes=5,
        difficulty=1,
        reference=roofline.matrix_product_intensity,
        cases=_products,
        mistakes=_INTENSITY_MISTAKES,
        hints=(
            "FLOPs first: the result has m n numbers, and each is a sum of k products.",
            "Bytes: read m k numbers and k n numbers, write m n numbers, each `bytes_per_number` long.",
            "2 * m * k * n / (bytes_per_number * (m * k + k * n + m * n)).",
        ),
    ),
    Exercise(
        id="3.3.2",
        title="The lower of two ceilings",
        points=1,
        minutes=5,
        difficulty=1,
        reference=attainable,
        cases=_roofs,
        mistakes=_ROOF_MISTAKES,
        hints=(
            "If the memory delivers B bytes a second and each byte feeds I FLOPs, how many FLOPs a second is that?",
            "intensity * bandwidth_gb is in GFLOP/s. The peak is in TFLOP/s.",
            "min(peak_tflops, intensity * bandwidth_gb / 1000).",
        ),
    ),
    Exercise(
        id="3.3.3",
        title="How much of the peak",
        points=2,
        minutes=6,
        difficulty=2,
        reference=mfu,
        cases=_runs,
        mistakes=_MFU_MISTAKES,
        hints=(
            "Training takes about 6 FLOPs for each parameter and token. How many FLOPs is that a second?",
            "Divide by the peak in FLOP/s: TFLOP/s times 1e12.",
            "Where `sparse` is true, the dense peak is half of what the sheet says.",
        ),
    ),
    Exercise(
        id="3.3.4",
        title="The energy of a sweep",
        points=2,
        minutes=6,
        difficulty=2,
        reference=sweep_kwh,
        cases=_sweeps,
        mistakes=_ENERGY_MISTAKES,
        hints=(
            "Seconds are FLOPs over the rate that is reached: devices * peak * utilisation, in FLOP/s.",
            "Joules are watts times seconds, for each of the devices.",
            "A kilowatt-hour is 1,000 W for 3,600 s: 3.6e6 J. The number of devices cancels in the end.",
        ),
    ),
    Exercise(
        id="3.3.5",
        title="The price of a wrong size",
        points=2,
        minutes=8,
        difficulty=2,
        reference=_waste,
        cases=_losses,
        mistakes=_WASTE_MISTAKES,
        hints=(
            "With the best size, a budget C gives the loss K C^-slope for some constant K. Which budget C' gives `loss`?",
            "best_loss = K C^-slope and loss = K C'^-slope. Divide one by the other: K is gone.",
            "C / C' = (loss / best_loss)^(1 / slope). The waste is that less 1.",
        ),
    ),
    Exercise(
        id="3.3.6",
        title="Longest first",
        points=3,
        minutes=12,
        difficulty=2,
        reference=longest_first,
        cases=_task_lists,
        mistakes=_SCHEDULE_MISTAKES,
        hints=(
            "Keep one number for each device: the time at which it is free. All are 0 at first.",
            "`np.argsort(-np.asarray(costs))` gives the places of the tasks, longest first.",
            "For each task: `device = int(np.argmin(free))`; it ends at `free[device] + costs[task]`, which becomes the device's "
            "new time and goes to `ends[task]`.",
        ),
    ),
    Exercise(
        id="3.3.7",
        title="A budget of your own",
        points=3,
        minutes=12,
        difficulty=3,
        kind="text",
        reference=_MY_PLAN,
        min_words=70,
        mistakes=(
            Mistake(
                "no utilisation",
                _lacks("utilis", "utiliz", "mfu", "% of", "per cent of", "share of the peak"),
                "Your plan does not say which share of the peak is reached. Without it, FLOPs cannot be turned into hours: "
                "say what you measured, or what you assume and why.",
            ),
            Mistake(
                "no pilot",
                _lacks("pilot", "sweep", "small budget", "smaller budget", "small runs", "smaller runs"),
                "How is the size of the final run chosen? Say which part of the budget goes into small runs first, and what "
                "is fitted to them.",
            ),
            Mistake(
                "no interruption",
                _lacks("record", "resum", "interrupt", "checkpoint", "preempt", "restart"),
                "What happens when a run is interrupted? Say what is kept, and what is lost.",
            ),
            Mistake(
                "no energy",
                _lacks("watt", " w ", "kwh", "joule", "energy"),
                "Say what the plan draws: watts times hours, in kWh.",
            ),
        ),
        hints=(
            "Begin with what you have: devices, hours, and the share of their peak that you have measured.",
            "Then divide: how much for the pilot, which budgets and how many seeds; how much for the final run.",
            "Then the order, the records, the energy; and what would make you change the plan.",
        ),
    ),
)
