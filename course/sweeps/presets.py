"""Plans by name, and the recipe that gives a clean sweep of each family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from course.sweeps.gpu_presets import GPU_PRESETS
from course.sweeps.plan import Plan, isoflop_budgets
from course.training import Recipe

if TYPE_CHECKING:
    from course.data import Task

__all__ = ["PRESETS", "preset", "standard_recipe"]

_RATES = {  # peak rate at size 64, and the power of 64 / size: found by sweeping the rate, lesson 5.3
    "transformer": (0.005, 1.0),
    "transformer_absolute": (0.005, 1.0),
    "char_mlp": (0.013, 0.75),
    "conv": (0.005, 0.5),
    "mlp": (0.005, 0.5),
    "linear": (0.01, 0.0),
}


def standard_recipe(task: Task, family: str) -> Recipe:
    """The recipe that gives a clean sweep of this family: 512 predictions a step and the family's rate rule."""
    rate, power = _RATES.get(family, _RATES["mlp"])
    return Recipe(batch=max(1, 512 // task.tokens_per_sample), rate=rate, rate_power=power)


_ALL_SIZES = {
    "char_mlp": (12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768),
    "transformer": (4, 8, 12, 16, 24, 32, 48, 64, 96, 128),
}


def _preset(task: str, family: str, low: float, high: float, number: int, seeds: int = 1, **changes: Any) -> Plan:
    """A plan over budgets from `low` to `high` FLOPs; `changes` of the recipe are what spoils it."""
    from course.data import task as load_task

    return Plan(
        task=task,
        family=family,
        sizes=_ALL_SIZES[family.removesuffix("_absolute")],
        budgets=isoflop_budgets(low, high, number),
        seeds=tuple(range(seeds)),
        recipe=replace(standard_recipe(load_task(task), family), **changes),
        tokens_per_param=(1.0, 700.0),
        least_steps=90,
    )


def _characters(**changes: Any) -> Plan:
    return _preset("characters", "char_mlp", 1e10, 1e12, 5, **changes)


def _bytes(family: str = "transformer", **changes: Any) -> Plan:
    return _preset("bytes", family, 4e9, 4e11, 5, **changes)


# Lesson 3.1: the widths at which a rate is moved along, and pairs of widths that make depths cost the same.
_WIDTHS = (16, 32, 64, 128, 256, 512, 1024)
_WIDTH_RATES = (0.001, 0.0014, 0.002, 0.0028, 0.004, 0.0056, 0.008, 0.011, 0.016, 0.022, 0.032, 0.045, 0.064)
_DEPTHS = {1: (320, 1293), 2: (104, 230), 4: (65, 139), 8: (44, 93), 16: (31, 64)}  # 16,000 and 64,640 weights
_DEPTH_RATES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128)


def _signals(family: str, sizes: tuple[int, ...], rates: tuple[float, ...]) -> Plan:
    """Signals of 40 points, as many steps for every size, several rates, no clipping."""
    return Plan(
        task="mnist1d",
        options=(("samples", 50_000),),
        family=family,
        sizes=sizes,
        steps=(600,),
        rates=rates,
        seeds=(0, 1, 2, 3, 4),
        recipe=Recipe(batch=64, rate_power=0.0, clip=0.0),
    )


def _depth(layers: int, residual: bool = False) -> Callable[[], Plan]:
    family = "mlp" if layers == 2 else f"mlp_{layers}" + "_residual" * residual
    return lambda: _signals(family, _DEPTHS[layers], _DEPTH_RATES)


PRESETS: dict[str, tuple[str, Callable[[], Plan]]] = {
    "characters-quick": ("character MLP, two decades of compute, one seed", _characters),
    "bytes-quick": ("byte Transformer, two decades of compute, one seed", _bytes),
    "characters": (
        "character MLP, three decades of compute, three seeds",
        lambda: _preset("characters", "char_mlp", 1e10, 1e13, 7, seeds=3),
    ),
    "bytes": (
        "byte Transformer, three decades of compute, three seeds",
        lambda: _preset("bytes", "transformer", 4e9, 4e12, 7, seeds=3),
    ),
    "characters-rate-low": ("characters-quick at a quarter of the learning rate", lambda: _characters(rate=0.013 / 4)),
    "characters-rate-high": ("characters-quick at four times the learning rate", lambda: _characters(rate=0.013 * 4)),
    "characters-batch": ("characters-quick with batches eight times as large", lambda: _characters(batch=4096)),
    "bytes-absolute": (
        "bytes-quick with learned absolute positions in place of ALiBi",
        lambda: _bytes("transformer_absolute"),
    ),
    "bytes-sparse": (
        "bytes-quick with the embedding's gradient left in slices (lesson 5.3 tells what that does)",
        lambda: _bytes(dense_gradients=False),
    ),
    "widths-standard": (
        "MLPs on signals: seven widths, thirteen rates, five seeds",
        lambda: _signals("mlp", _WIDTHS, _WIDTH_RATES),
    ),
    "widths-mup": (
        "widths-standard in maximal-update parameterisation",
        lambda: _signals("mlp_mup", _WIDTHS, _WIDTH_RATES),
    ),
    **{
        f"depths-{n}": (f"signals, {n} hidden layer{'s' * (n > 1)} at two costs, eight rates, five seeds", _depth(n))
        for n in _DEPTHS
    },
    **{
        f"depths-{n}-residual": (f"depths-{n} with each layer added to what it got", _depth(n, True))
        for n in (4, 8, 16)
    },
    **GPU_PRESETS,
}


def preset(name: str) -> Plan:
    """A plan by name. Raises ValueError, naming those there are, for another name."""
    if name not in PRESETS:
        raise ValueError(f"There is no preset {name!r}; the presets are {', '.join(PRESETS)}.")
    return PRESETS[name][1]()
