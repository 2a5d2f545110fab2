"""What a plan will take: FLOPs, counted; seconds on this machine and bytes of memory, predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course.memory import activations, training_bytes
from course.models import shape
from course.sweeps.plan import Plan

__all__ = ["Cost", "cost", "device_bytes", "process_bytes", "seconds", "steps_executed"]


@dataclass(frozen=True)
class Cost:
    """What a plan will take: runs, FLOPs and steps that it executes (branches share a stable phase), and seconds here.

    rate: FLOP/s of a matrix product on this machine.
    """

    runs: int
    flops: float
    seconds: float
    rate: float
    steps: float

    def __str__(self) -> str:
        from course.machine import duration

        return (
            f"{self.runs} runs, {self.flops:.2g} FLOPs, about {duration(self.seconds)} at {self.rate / 1e9:.0f} GFLOP/s"
        )


def steps_executed(plan: Plan, steps: Sequence[int]) -> float:
    """Steps that a trajectory takes for runs of these many steps."""
    if plan.recipe.schedule == "cosine":
        return sum(steps)
    if plan.recipe.schedule == "constant":
        return max(steps)
    return (1 - plan.recipe.cooldown) * max(steps) + plan.recipe.cooldown * sum(steps)


# Seconds, on the machine whose figures the course quotes: to compile a size, and a step's overhead.
_COMPILE = {"transformer": 2.2}
_OVERHEAD = {"transformer": 0.6e-3}
_EFFICIENCY = {"transformer": 0.5, "char_mlp": 0.65}


def seconds(plan: Plan, size: int, steps: Sequence[int], rate: float = 5e10) -> float:
    """Predicted seconds of one trajectory, compilation left out, on a processor of `rate` FLOP/s."""
    step_flops = plan.counts(size).training_flops_per_token * plan.tokens_per_step
    overhead, efficiency = _OVERHEAD.get(plan.family, 0.1e-3), _EFFICIENCY.get(plan.family, 0.5)
    return steps_executed(plan, steps) * (overhead + step_flops / (efficiency * rate))


def cost(plan: Plan, workers: int = 1, rate: float | None = None) -> Cost:
    """Predict what a plan takes on this machine; `rate` in FLOP/s is measured when not given (half a second).

    Seconds are right within a factor of about two: they count compilation, an overhead a step, and
    FLOPs at the share of the matrix-product rate that the family reaches.
    """
    if rate is None:
        from course.machine import matrix_product_rate

        rate = matrix_product_rate(512, seconds=0.3).median * 1e9
    flops = taken = total = 0.0
    trajectories: dict[tuple[int, int, float], list[int]] = {}
    for config in plan.runs:
        trajectories.setdefault((config.size, config.seed, config.recipe.rate), []).append(config.steps)
    for (size, *_), steps in trajectories.items():
        step_flops = plan.counts(size).training_flops_per_token * plan.tokens_per_step
        taken += steps_executed(plan, steps)
        flops += steps_executed(plan, steps) * step_flops
        total += seconds(plan, size, steps, rate)
    compiled = len({size for size, *_ in trajectories}) * _COMPILE.get(plan.family, 1.0)
    return Cost(len(plan.runs), flops, (total + compiled) / workers, rate, taken)


PROCESS = 1.2e9
"""Bytes of a process before it holds a model: Python, TensorFlow and its compiler at work."""


def device_bytes(plan: Plan, size: int) -> float:
    """Predicted bytes of a model of this size while it trains: weights, gradients, Adam, activations, and the data.

    Activations are counted twice, because a compiler keeps more of them than a backward pass needs, and weights and
    optimiser as often, for the snapshot that a cool-down branches off.
    """
    held = sum(training_bytes(plan.counts(size).n_params).values())
    kept = 4 * plan.recipe.batch * sum(activations(shape(plan.family, size, plan.data)).values())
    return 2 * (held + kept) + sum(np.asarray(array).nbytes for array in plan.data.train.values())


def process_bytes(plan: Plan, size: int) -> float:
    """Predicted bytes of the process that trains it on the processor."""
    return PROCESS + device_bytes(plan, size)
