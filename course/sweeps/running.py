"""Making the runs of a plan, wherever an executor makes them; what is finished is kept, whatever happens."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course import home, interrupts, machine
from course.inputs import whole
from course.sweeps import executors, locks, making
from course.sweeps.plan import Plan
from course.sweeps.records import UNFINISHED, SweepStoppedError, load

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run"]

_POLL = 0.5
"""Seconds between two looks at what another sweep is doing."""


def run(
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    executor: str = "auto",
    workers: int | None = None,
    address: str | None = None,
    device: str | None = None,
    backend: str | None = None,
    progress: bool | Callable[[float, float], None] = True,
) -> pd.DataFrame:
    """Make the runs of a plan that are not in `out` yet, and return all of the plan's runs as a frame.

    out: a folder, made when missing; without one the records live until the call returns. Several sweeps may fill one
    folder at the same time: each takes what no other is at, and returns when all of its plan is there.
    executor: "process" (this one), "processes" (`workers` of this machine, each with its share of the cores), "ray"
    (the cluster at `address`: HOST:PORT, "auto" for one on this machine, None to start one here) or "auto": this
    process, or several when `workers` is above 1. device: "cpu", "gpu", or None for what there is. backend:
    "tensorflow" or "jax", as `course.machine.backend` chooses it when None; records name it, and a run is the same run
    with either. progress: a bar, in FLOPs, or a function of (FLOPs done, FLOPs in all). A run that diverges, or does not
    fit into the device's memory, is recorded as such and the sweep goes on. Ctrl-C raises KeyboardInterrupt and loses
    only the runs under way. Raises SweepStoppedError when the sweep cannot go on, ValueError when `out` cannot be used.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="course-sweep-") as passing:
            return run(
                plan,
                passing,
                executor=executor,
                workers=workers,
                address=address,
                device=device,
                backend=backend,
                progress=progress,
            )
    if workers is not None:
        whole("workers", workers)
    name = _chosen(executor, workers, address)
    if name != "ray":
        making.use(device, backend)
    folder = _prepared(Path(out))
    flops = {config.run_id: plan.row(config)["flops"] for config in plan.runs}
    units = making.units(plan, folder, machine.backend(backend))
    missing = _runs(units)
    done = sum(flops[run_id] for run_id in flops if run_id not in missing)
    if units:
        settings = executors.Settings(folder, tuple(units), workers, address, device, machine.backend(backend))
        with (
            interrupts.heard() as stop_if_interrupted,
            executors.opened(name, settings) as passed,
            _Progress(sum(flops.values()), done, progress) as bar,
        ):
            while units:
                made = set()
                for run_id in passed(units):
                    made.add(run_id)
                    if run_id in missing:
                        missing.remove(run_id)
                        bar.add(flops[run_id])
                    stop_if_interrupted()
                units = [replace(unit, configs=left) for unit in units if (left := unit.left())]
                if made & _runs(units):
                    raise SweepStoppedError(
                        f"Records that were written in {folder} are gone again: see what removes them."
                    )
                for run_id in missing - _runs(units):  # made by another sweep
                    bar.add(flops[run_id])
                missing = _runs(units)
                if units and not made:
                    time.sleep(_POLL)
    frame = load(folder)
    kept = frame[frame["run_id"].isin(flops)].reset_index(drop=True)
    kept.attrs.update(frame.attrs)
    return kept


def _runs(units: Iterable[making.Unit]) -> set[str]:
    return {config.run_id for unit in units for config in unit.configs}


def _chosen(executor: str, workers: int | None, address: str | None) -> str:
    """The executor's name. Raises ValueError for settings that do not go together."""
    if executor == "auto":
        executor = "ray" if address else "processes" if workers and workers > 1 else "process"
    if address and executor != "ray":
        raise ValueError(f"An address is that of a Ray cluster; the executor {executor!r} has none.")
    if executor == "process" and workers not in (None, 1):
        raise ValueError(f"The executor 'process' is one worker; got workers={workers}: 'processes' takes several.")
    return executor


def _prepared(out: Path) -> Path:
    """The folder of records, which can be written. Raises ValueError where it cannot."""
    if problem := home.unmounted(out):
        raise ValueError(problem)
    folder = out / "runs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (out / locks.CLAIMS).mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=UNFINISHED, suffix=".tmp"):
            pass
        for left in folder.glob(f"{UNFINISHED}*.tmp"):  # half-written by a process that was killed
            if time.time() - left.stat().st_mtime > 60:
                left.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(
            f"The folder {str(out)!r} cannot be written ({error.strerror or error}): name another one with --out."
        ) from None
    return folder


class _Progress:
    """A bar in FLOPs, a function, or nothing."""

    def __init__(self, total: float, done: float, show: bool | Callable[[float, float], None]) -> None:
        self.total, self.done, self.show = total, done, show
        self.bar: Any = None

    def __enter__(self) -> _Progress:
        if self.show is True:
            from tqdm.auto import tqdm

            self.bar = tqdm(
                total=self.total,
                initial=self.done,
                unit="FLOP",
                unit_scale=True,
                bar_format="{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}FLOP, {elapsed} so far, {remaining} to go",
            )
        return self

    def add(self, flops: float) -> None:
        self.done += flops
        if self.bar is not None:
            self.bar.update(flops)
        elif callable(self.show):
            self.show(self.done, self.total)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()
