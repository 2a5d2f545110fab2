"""Making runs: the work that an executor hands out, one trajectory at a time, and how it is done where it lands."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from course import machine
from course.machine import CannotRunError
from course.sweeps import costs, locks
from course.sweeps.plan import Plan, RunConfig
from course.sweeps.records import FORMAT, SweepStoppedError, keep, provenance, read
from course.training import OutOfMemoryError, Recipe

__all__ = ["Unit", "begin", "longest_first", "make", "train", "units", "use"]


@dataclass(frozen=True)
class Unit:
    """One trajectory: the runs of a size, a rate and a seed that are still to be made, the folder of their records, and
    the library that trains (see `course.machine.backend`), which is no part of what a run is."""

    plan: Plan
    configs: tuple[RunConfig, ...]
    folder: str
    backend: str | None = None

    @cached_property
    def name(self) -> str:
        """What it is claimed by: the same for the same trajectory, whichever of its runs a plan asks for."""
        return replace(self.configs[0], budget=0.0, steps=0).run_id

    @property
    def seconds(self) -> float:
        """Predicted seconds on a processor of a nominal speed: what tells a long unit from a short one."""
        return costs.seconds(self.plan, self.configs[0].size, [config.steps for config in self.configs])

    @property
    def bytes(self) -> float:
        """Predicted memory of the process that makes it."""
        return costs.process_bytes(self.plan, self.configs[0].size)

    def left(self) -> tuple[RunConfig, ...]:
        """Its runs that have no record yet."""
        return tuple(config for config in self.configs if read(_record(self.folder, config)) is None)

    def claimed(self) -> Any:
        """Claim it for the length of a block; see `locks.claimed`."""
        return locks.claimed(Path(self.folder).parent / locks.CLAIMS, self.name)


def _record(folder: str | os.PathLike[str], config: RunConfig) -> Path:
    return Path(folder) / f"{config.run_id}.json"


def units(plan: Plan, folder: Path, backend: str | None = None) -> list[Unit]:
    """What is still to be done, the largest size first."""
    grouped: dict[tuple[int, float, int], list[RunConfig]] = {}
    for config in plan.runs:
        if read(_record(folder, config)) is None:
            grouped.setdefault((-config.size, config.recipe.rate, config.seed), []).append(config)
    return [Unit(plan, tuple(configs), str(folder), backend) for _, configs in sorted(grouped.items())]


def longest_first(units: Sequence[Unit]) -> list[Unit]:
    """The order for several places at once: the short ones fill the gaps at the end."""
    return sorted(units, key=lambda unit: -unit.seconds)


@lru_cache(maxsize=8)  # a sweep needs one at a time; the sweeps of a lesson come back to a few
def _trainer(
    task: str,
    options: tuple[tuple[str, Any], ...],
    sha256: str,
    family: str,
    size: int,
    recipe: Recipe,
    backend: str | None,
) -> Any:
    from course.data import task as load_task
    from course.training import Trainer

    return Trainer(load_task(task, **dict(options)), family, size, recipe, backend=backend)


def make(unit: Unit) -> Iterator[dict[str, Any]]:
    """Make a unit's runs that are left; each record is written when its run is done, then yielded.

    Makes nothing when another process is at this unit.
    """
    with unit.claimed() as ours:
        left = unit.left() if ours else ()
        if left:
            for record in train(replace(unit, configs=left)):
                keep(Path(unit.folder), record)
                yield record


def train(unit: Unit) -> Iterator[dict[str, Any]]:
    """Make all runs of a unit and yield their records, without writing them.

    Where the device has too little memory for this size, that is what the records say.
    """
    from course.training import train_branches

    plan, size, seed, recipe = unit.plan, unit.configs[0].size, unit.configs[0].seed, unit.configs[0].recipe
    about, by_steps = provenance(), dict[int, list[RunConfig]]()
    for config in unit.configs:
        by_steps.setdefault(config.steps, []).append(config)
    if any(config.data_sha256 != plan.data.sha256 for config in unit.configs):
        raise SweepStoppedError(
            f"The data of the task {plan.task!r} are not the same here as where the sweep was planned: give every machine the "
            "same text with --file, at the same place."
        )
    try:
        trainer = _trainer(plan.task, plan.options, plan.data.sha256, plan.family, size, plan.recipe, unit.backend)
        trainer.recipe = recipe  # differs from the plan's in the rate alone, which is not compiled in
        for outcome in train_branches(trainer, list(by_steps), seed):
            for config in by_steps.pop(outcome.steps):
                what = "diverged" if outcome.diverged else "finished"
                yield _as_record(about, plan, config, what, outcome.loss, outcome.train_loss, outcome.seconds)
    except OutOfMemoryError:
        _trainer.cache_clear()  # gives back what the earlier sizes hold
        for config in (config for configs in by_steps.values() for config in configs):
            yield _as_record(about, plan, config, "out of memory")


def _as_record(
    about: dict[str, Any],
    plan: Plan,
    config: RunConfig,
    outcome: str,
    loss: float = math.nan,
    train_loss: float = math.nan,
    seconds: float = 0.0,
) -> dict[str, Any]:
    row = plan.row(config) | {
        "loss": loss if math.isfinite(loss) else None,
        "train_loss": train_loss if math.isfinite(train_loss) else None,
        "diverged": outcome != "finished",
        "seconds": round(seconds, 4),
        "data_sha256": config.data_sha256,
        "outcome": outcome,
    }
    return {
        "format": FORMAT,
        "run_id": config.run_id,
        "row": row,
        "config": asdict(config),
        "provenance": about,
    }


def begin(threads: int, device: str | None = None, backend: str | None = None) -> None:
    """Set up a process that makes runs and nothing else: quiet, its share of the threads, on this device."""
    _hide_gpus(device)
    machine.import_backend(backend, threads)
    use(device, backend)


def use(device: str | None, backend: str | None = None) -> None:
    """Make runs on the "cpu" or on a "gpu"; None takes what there is.

    Raises ValueError for another name, CannotRunError where there is no GPU, or where one that was to be left alone
    is in use already.
    """
    if device not in (None, "cpu", "gpu"):
        raise ValueError(f"device is 'cpu', 'gpu' or None, which takes what there is; got {device!r}.")
    if device is None:
        return
    _hide_gpus(device)
    machine.import_backend(backend)
    found = machine.gpus()
    if device == "gpu" and not found:
        raise CannotRunError(
            "No GPU was found here: leave --device gpu out to train on the processor, or see what `course doctor` says "
            "of the GPU (on Colab: Runtime, Change runtime type)."
        )
    if device == "cpu" and found:
        raise CannotRunError("This process already uses the GPU: start a new one to train on the processor.")


def _hide_gpus(device: str | None) -> None:
    if device == "cpu":
        os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
