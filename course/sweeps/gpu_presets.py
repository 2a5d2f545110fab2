"""Plans for a machine with a GPU: IsoFLOP sweeps over four decades of compute, those of two recorded sweeps and one more.

In bfloat16 where the GPU has it, in float32 elsewhere: the number format is part of a run's configuration,
so the two never mix in one folder unnoticed. Lesson 5.3 runs "characters-gpu" on its larger tier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from course.sweeps.plan import Plan, isoflop_budgets
from course.training import best_precision

__all__ = ["GPU_PRESETS"]

_SIZES = {
    "char_mlp": (12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 640, 768, 1024, 1280, 1536, 2048),
    "transformer": (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384),
}


def _four_decades(task: str, family: str, lowest: float, tokens_per_param: tuple[float, float]) -> Plan:
    """Nine budgets from `lowest` FLOPs to ten thousand times that.

    `tokens_per_param` leaves out what is far from the best size, and what would read the text more than some
    six times: it has nine million characters.
    """
    from course.data import task as load_task
    from course.sweeps.presets import standard_recipe  # which lists these plans

    return Plan(
        task=task,
        family=family,
        sizes=_SIZES[family],
        budgets=isoflop_budgets(lowest, 1e4 * lowest, 9),
        recipe=replace(standard_recipe(load_task(task), family), precision=best_precision()),
        tokens_per_param=tokens_per_param,
        least_steps=90,
    )


GPU_PRESETS: dict[str, tuple[str, Callable[[], Plan]]] = {
    "characters-gpu": (
        "character MLP, four decades of compute, one seed; for a GPU",
        lambda: _four_decades("characters", "char_mlp", 1e10, (0.4, 150.0)),
    ),
    "bytes-gpu": (
        "byte Transformer, four decades of compute, one seed; for a GPU",
        lambda: _four_decades("bytes", "transformer", 4e9, (1.0, 400.0)),
    ),
}
