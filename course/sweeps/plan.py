"""What to run: sizes x budgets x seeds of one family on one task, and the configuration of each run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from course import counting
from course.inputs import positive, whole
from course.training import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from course.data import Task

__all__ = ["Plan", "RunConfig", "isoflop_budgets"]


_ADDED = {"precision": "float32"}
"""Fields that recipes got after the first records were made, and what held before."""


@dataclass(frozen=True)
class RunConfig:
    """Everything a run depends on. Two runs with the same configuration are the same run.

    `options` are the task's, without the path of a text file: `data_sha256` says which text it was.
    """

    task: str
    options: tuple[tuple[str, Any], ...]
    data_sha256: str
    family: str
    size: int
    seed: int
    budget: float
    steps: int
    recipe: Recipe

    @property
    def run_id(self) -> str:
        """The first 16 hex digits of the configuration's SHA-256: the name of its record.

        What recipes did not have at first counts only where it is not what it was then, so that no name changed.
        """
        described = asdict(self)
        for name, before in _ADDED.items():
            if described["recipe"][name] == before:
                del described["recipe"][name]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Plan:
    """Sizes x budgets x seeds of one family on one task.

    budgets are training FLOPs, counted exactly; each size trains on as many tokens as its budget pays
    for. Left out are runs of fewer than `least_steps` steps, where the warm-up is most of a run, and
    runs outside `tokens_per_param` (tokens over all parameters). In place of budgets, `steps` gives
    every size the same numbers of steps. `rates` are several values of the recipe's `rate`, each run with
    all sizes, budgets and seeds. `options` go to `course.data.task`. Raises ValueError, in one sentence,
    for what cannot be run.
    """

    task: str
    family: str
    sizes: tuple[int, ...]
    budgets: tuple[float, ...] = ()
    seeds: tuple[int, ...] = (0,)
    recipe: Recipe = field(default_factory=lambda: Recipe(batch=512))
    options: tuple[tuple[str, Any], ...] = ()
    least_steps: int = 100
    tokens_per_param: tuple[float, float] = (1.0, 2000.0)
    steps: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.budgets and self.steps:
            raise ValueError(
                "A plan has budgets or steps, not both: steps give every size as many, whatever they cost."
            )
        self._read("sizes", lambda size: whole("size", size))
        if self.steps:
            self._read("steps", lambda steps: whole("steps", steps))
        else:
            self._read("budgets", _budget)
        self._read("seeds", _seed)
        if self.rates:
            self._read("rates", _rate)
        object.__setattr__(self, "options", tuple(sorted(dict(self.options).items())))
        if not self.runs:
            raise ValueError(
                f"No run of this plan has {self.least_steps} steps or more and between {self.tokens_per_param[0]:g} and "
                f"{self.tokens_per_param[1]:g} tokens per parameter: {self._advice()}."
            )

    def _read(self, name: str, one: Callable[[Any], Any]) -> None:
        """Set the field `name` to its values, each once and rising."""
        given = getattr(self, name)
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise ValueError(f"The {name} of a plan are a list of numbers; got {given!r}.")
        values = tuple(sorted({one(value) for value in given}))
        if not values:
            raise ValueError(f"A plan needs at least one of its {name}; got none.")
        object.__setattr__(self, name, values)

    def _advice(self) -> str:
        """Which budgets would do for these sizes, for a plan without runs."""
        ranges = []
        for size in self.sizes:
            counts = self.counts(size)
            low, high = (ratio * counts.n_params for ratio in self.tokens_per_param)
            low = max(low, self.least_steps * self.tokens_per_step)
            if low <= high:
                ranges.append((low * counts.training_flops_per_token, high * counts.training_flops_per_token))
        if not ranges:
            return "these sizes are too small for so many steps, choose larger ones"
        lowest, highest = min(low for low, _ in ranges), max(high for _, high in ranges)
        return f"choose budgets from {lowest:.2g} to {highest:.2g} FLOPs, or other sizes"

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to a worker process, which loads the data itself."""
        return {name: value for name, value in vars(self).items() if name not in ("data", "runs")}

    @cached_property
    def data(self) -> Task:
        """The task, loaded."""
        from course.data import task

        return task(self.task, **dict(self.options))

    def counts(self, size: int) -> counting.Counts:
        """Parameters and FLOPs of a size."""
        return _counts(self.family, size, self.data)

    @property
    def tokens_per_step(self) -> int:
        """Predictions that one optimiser step learns from."""
        return self.recipe.batch * self.data.tokens_per_sample

    @cached_property
    def runs(self) -> tuple[RunConfig, ...]:
        """The runs, sizes rising, then rates, seeds and budgets (or steps)."""
        recipes = [replace(self.recipe, rate=rate) for rate in self.rates] or [self.recipe]
        options = tuple((name, value) for name, value in self.options if name != "file")
        return tuple(
            RunConfig(self.task, options, self.data.sha256, self.family, size, seed, float(budget), steps, recipe)
            for size, recipe, seed in product(self.sizes, recipes, self.seeds)
            for budget, steps in self._lengths(size)
        )

    def _lengths(self, size: int) -> list[tuple[float, int]]:
        """Budget in FLOPs and steps of each run of this size."""
        counts = self.counts(size)
        step_flops = counts.training_flops_per_token * self.tokens_per_step
        if self.steps:
            return [(steps * step_flops, steps) for steps in self.steps]
        low, high = (ratio * counts.n_params / self.tokens_per_step for ratio in self.tokens_per_param)
        found = [(budget, round(budget / step_flops)) for budget in self.budgets]
        return [(budget, steps) for budget, steps in found if steps >= self.least_steps and low <= steps <= high]

    def row(self, config: RunConfig) -> dict[str, Any]:
        """What is known of a run before it is made: one row of the table."""
        counts = self.counts(config.size)
        tokens = config.steps * self.tokens_per_step
        return {
            "run_id": config.run_id,
            "task": config.task,
            "family": config.family,
            "size": config.size,
            "seed": config.seed,
            "n_params": counts.n_params,
            "n_params_body": counts.n_params_body,
            "tokens": tokens,
            "steps": config.steps,
            "batch": config.recipe.batch,
            "flops": tokens * counts.training_flops_per_token,
            "budget": config.budget,
            "learning_rate": config.recipe.peak_rate(config.size),
        }

    def table(self) -> pd.DataFrame:
        """The runs as a frame, before any is made."""
        import pandas as pd

        return pd.DataFrame([self.row(config) for config in self.runs])


def _budget(given: Any) -> float:
    if isinstance(given, bool | str) or not isinstance(given, int | float | np.number):
        raise ValueError(f"A budget is a number of training FLOPs; got {given!r}.")
    return positive("budget (training FLOPs)", float(given))


def _rate(given: Any) -> float:
    if isinstance(given, bool | str) or not isinstance(given, int | float | np.number):
        raise ValueError(f"A rate is a peak learning rate such as 0.01; got {given!r}.")
    return positive("rate", float(given))


def _seed(given: Any) -> int:
    if whole("seed", given, 0) >= 2**31:
        raise ValueError(f"seed must be below 2^31; got {given!r}.")
    return int(given)


@cache
def _counts(family: str, size: int, task: Task) -> counting.Counts:
    return counting.count(family, size, task)


def isoflop_budgets(lowest: float, highest: float, number: int) -> tuple[float, ...]:
    """`number` budgets in FLOPs, evenly spaced in the logarithm."""
    low, high = positive("lowest budget", lowest), positive("highest budget", highest)
    if number == 1:
        return (low,)
    return tuple(float(f"{low * (high / low) ** (i / (number - 1)):.4g}") for i in range(whole("number", number)))
