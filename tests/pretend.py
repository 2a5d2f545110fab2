"""A sweep whose training takes milliseconds and no TensorFlow: import it in a process, and its runs are pretended.

A `PretendPlan` is a Plan that brings this module along: a worker process that unpickles one pretends from there on. What
is left is all that surrounds training: claims, records, executors. Faults are looked for in those.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import tiny_tasks

import course.data
from course import training
from course.sweeps import Plan, making
from course.training import Outcome, Recipe

__all__ = ["PretendPlan", "law", "plan"]

_REAL = course.data.task


@dataclass(frozen=True)
class PretendPlan(Plan):
    """A plan whose runs are pretended wherever it goes."""


def plan(sizes: int = 4, seeds: int = 2) -> PretendPlan:
    """`sizes` x `seeds` trajectories of three runs on the task `letters`."""
    return PretendPlan(
        "letters",
        "char_mlp",
        tuple(range(4, 4 + sizes)),
        steps=(100, 200, 300),
        seeds=tuple(range(seeds)),
        recipe=Recipe(batch=16, warmup=5),
    )


def law(size: int, steps: int, seed: int) -> float:
    """The loss of a pretended run."""
    return float(1 + size**-0.5 + steps**-0.5 + seed / 100)


class Trainer:
    """Holds what `branches` asks for."""

    def __init__(self, task: Any, family: str, size: int, recipe: Recipe, *, backend: str | None = None) -> None:
        self.size, self.recipe = size, recipe


def branches(trainer: Trainer, budgets: list[int], seed: int = 0) -> Any:
    """A finished run for each budget, after PRETEND_SECONDS each. A size that stands in PRETEND_FAILS does what is asked there."""
    fails = dict(each.split("=") for each in os.environ.get("PRETEND_FAILS", "").split(",") if each)
    for steps in sorted(budgets):
        time.sleep(float(os.environ.get("PRETEND_SECONDS", "0.03")))
        if fails.get(str(trainer.size)) == "memory":
            raise training.OutOfMemoryError("Not enough.")
        if fails.get(str(trainer.size)) == "exit":
            os._exit(1)
        loss = law(trainer.size, steps, seed)
        yield Outcome(steps, loss, loss, 0.1)


def _enter() -> None:
    letters = tiny_tasks.letters()
    course.data.task = lambda name, **options: letters if name == "letters" else _REAL(name, **options)
    training.Trainer, training.train_branches = Trainer, branches
    making.begin = lambda threads, device=None, backend=None: None
    making.provenance = lambda: {"pretended": True}


_enter()
