"""A sweep whose training takes milliseconds and no TensorFlow: import it in a process, and its runs are pretended.

A `PretendPlan` is a Plan that brings this module along: a worker process that unpickles one pretends from there on. What
is left is all that surrounds training: claims, records, executors. Faults are looked for in those.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import Any

import tiny_tasks

import course.data
from course import training
from course.sweeps import Plan, locks, making
from course.sweeps.executors import ray_cluster
from course.training import Outcome, Recipe

__all__ = ["DEADLY", "HUGE", "PretendPlan", "law", "plan"]

_REAL = course.data.task


@dataclass(frozen=True)
class PretendPlan(Plan):
    """A plan whose runs are pretended wherever it goes."""


HUGE, DEADLY = 11, 13
"""A size that never fits into the device's memory, and one whose process ends at once."""


def plan(sizes: tuple[int, ...] = (4, 5, 6, 7), seeds: int = 2) -> PretendPlan:
    """Sizes x seeds trajectories of three runs each, on the task `letters`."""
    recipe = Recipe(batch=16, warmup=5)
    return PretendPlan("letters", "char_mlp", sizes, steps=(100, 200, 300), seeds=tuple(range(seeds)), recipe=recipe)


def law(size: int, steps: int, seed: int) -> float:
    """The loss of a pretended run."""
    return float(1 + size**-0.5 + steps**-0.5 + seed / 100)


class Trainer:
    """Holds what `branches` asks for."""

    def __init__(self, task: Any, family: str, size: int, recipe: Recipe, *, backend: str | None = None) -> None:
        self.size, self.recipe = size, recipe


def branches(trainer: Trainer, budgets: list[int], seed: int = 0) -> Any:
    """A finished run for each budget, after PRETEND_SECONDS each."""
    for steps in sorted(budgets):
        time.sleep(float(os.environ.get("PRETEND_SECONDS", "0.03")))
        if trainer.size == HUGE:
            raise training.OutOfMemoryError("It does not fit.")
        if trainer.size == DEADLY:
            os._exit(1)
        loss = law(trainer.size, steps, seed)
        yield Outcome(steps, loss, loss, 0.1)


def _enter() -> None:
    letters = tiny_tasks.letters()
    course.data.task = lambda name, **options: letters if name == "letters" else _REAL(name, **options)
    if "pytest" in sys.modules:  # what the tests of this process train is trained
        return
    training.Trainer, training.train_branches = Trainer, branches
    making.begin = lambda threads, device=None, backend=None: None
    making.provenance = lambda: {"pretended": True}
    if "PRETEND_TENSORFLOW" in os.environ:  # this process has another version than the cluster
        ray_cluster.versions = lambda: {"tensorflow": os.environ["PRETEND_TENSORFLOW"]}
    if "PRETEND_UNSHARED" in os.environ:  # no machine of the cluster finds this process's folder
        locks.identity = lambda folder: "elsewhere"


_enter()
