"""What a sweep would take on a T4, an A100, an H100 and this machine: the table of `course sweep --dry-run`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from course.planning import Estimate, estimate

if TYPE_CHECKING:
    from course.devices import Device
    from course.sweeps import Cost, Plan

__all__ = ["DEVICES", "STEP", "estimates", "rows", "text"]

DEVICES = ("T4", "A100", "H100")
"""Published devices that the table shows, from `course.devices`."""

STEP = 1e-4
"""Seconds that a step takes on a GPU however small the model: some dozens of kernels, a few microseconds each. Assumed."""


def _format(device: Device, precision: str) -> str:
    """The number format that a run of this precision is computed in; TensorFlow and JAX round float32 to tf32 where they can."""
    wanted = ("bfloat16",) if precision == "bfloat16" else ("tf32",)
    return next((name for name in wanted if name in device.rates), "float32")


def estimates(plan: Plan, cost: Cost, utilisation: float = 0.1, watts: float | None = None) -> list[Estimate]:
    """This machine first, as `sweeps.cost` predicts it, then each of DEVICES at this utilisation and STEP seconds a step.

    watts: what this machine draws; without them its energy is not known. Raises ValueError for a utilisation that is
    not above 0 and at most 1, or watts that are not positive.
    """
    from course.devices import find
    from course.inputs import positive

    joules = None if watts is None else positive("watts", watts) * cost.seconds
    reached = cost.flops / (cost.seconds * cost.rate)
    found = [Estimate(cost.flops, "this machine", "float32", reached, 1, cost.seconds, joules)]
    for name in DEVICES:
        device = find(name)
        bare = estimate(cost.flops, device, utilisation, dtype=_format(device, plan.recipe.precision))
        seconds = bare.seconds + STEP * cost.steps
        energy = None if device.watts is None else device.watts * seconds
        found.append(replace(bare, seconds=seconds, joules=energy))
    return found


def rows(estimates: list[Estimate]) -> list[dict[str, Any]]:
    """The table for a program: one dictionary a device, with what is assumed."""
    return [
        {
            "device": each.device,
            "format": each.dtype,
            "utilisation": each.utilisation,
            "seconds_per_step": STEP if each.device in DEVICES else None,
            "flops": each.flops,
            "hours": each.hours,
            "kwh": each.kwh,
        }
        for each in estimates
    ]


def text(estimates: list[Estimate]) -> str:
    """The table for a reader."""
    lines = [f"{'on':14}{'FLOPs':>9}{'hours':>10}{'energy, Wh':>12}   counting on"]
    for each in estimates:
        energy = "not known" if each.kwh is None else f"{1000 * each.kwh:.3g}"
        why = f"{100 * each.utilisation:.3g} % of its {each.dtype} peak"
        if each.device not in DEVICES:
            why = f"{100 * each.utilisation:.3g} % of its measured rate"
        lines.append(f"{each.device:14}{each.flops:9.2g}{each.hours:10.3g}{energy:>12}   {why}")
    return "\n".join(
        [
            *lines,
            f"Assumed, not measured: the share of a GPU's peak (--utilisation) and {1000 * STEP:g} ms a step besides; energy is "
            "the GPU's alone, at full power.",
        ]
    )
