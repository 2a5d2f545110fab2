"""Making the runs of a plan, in this process or in several; what is finished is kept, whatever happens."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.machine import CannotRunError
from course.sweeps.plan import Plan, RunConfig
from course.sweeps.records import FORMAT, UNFINISHED, cores, load, provenance, read, write
from course.training import Recipe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SweepStoppedError", "run"]


class SweepStoppedError(CannotRunError):
    """A sweep could not go on; the message says why, what is kept and what to do."""


@dataclass(frozen=True)
class _Unit:
    """One trajectory: the runs of a size, a rate and a seed that are still to be made."""

    plan: Plan
    configs: tuple[RunConfig, ...]
    folder: str

    @property
    def flops(self) -> float:
        return sum(self.plan.row(config)["flops"] for config in self.configs)


def _units(plan: Plan, folder: Path) -> list[_Unit]:
    """What is still to be done, the largest size first, so that the small ones fill the gaps at the end."""
    grouped: dict[tuple[int, float, int], list[RunConfig]] = {}
    for config in plan.runs:
        if read(folder / f"{config.run_id}.json") is None:
            grouped.setdefault((-config.size, config.recipe.rate, config.seed), []).append(config)
    return [_Unit(plan, tuple(configs), str(folder)) for _, configs in sorted(grouped.items())]


@lru_cache(maxsize=8)  # a sweep needs one at a time; the sweeps of a lesson come back to a few
def _trainer(
    task: str, options: tuple[tuple[str, Any], ...], sha256: str, family: str, size: int, recipe: Recipe
) -> Any:
    from course.data import task as load_task
    from course.training import Trainer

    return Trainer(load_task(task, **dict(options)), family, size, recipe)


def _make(unit: _Unit) -> Iterator[dict[str, Any]]:
    """Make a unit's runs; each record is written when its run is done, then yielded."""
    from course.training import train_branches

    plan, size, seed, recipe = unit.plan, unit.configs[0].size, unit.configs[0].seed, unit.configs[0].recipe
    trainer = _trainer(plan.task, plan.options, plan.data.sha256, plan.family, size, plan.recipe)
    trainer.recipe = recipe  # differs from the plan's in the rate alone, which is not compiled in
    by_steps: dict[int, list[RunConfig]] = {}
    for config in unit.configs:
        by_steps.setdefault(config.steps, []).append(config)
    about = provenance()
    for outcome in train_branches(trainer, list(by_steps), seed):
        for config in by_steps[outcome.steps]:
            row = plan.row(config) | {
                "loss": None if outcome.diverged else outcome.loss,
                "train_loss": outcome.train_loss if math.isfinite(outcome.train_loss) else None,
                "diverged": outcome.diverged,
                "seconds": round(outcome.seconds, 4),
                "data_sha256": config.data_sha256,
            }
            record = {"format": FORMAT, "run_id": config.run_id, "row": row, "config": asdict(config)}
            record["provenance"] = about
            _keep(Path(unit.folder), record)
            yield record


def _keep(folder: Path, record: dict[str, Any]) -> None:
    try:
        write(folder, record)
    except OSError as error:
        raise SweepStoppedError(_not_written(folder, record, error)) from error


def _not_written(folder: Path, record: dict[str, Any], error: OSError) -> str:
    """Save the record elsewhere, if anywhere can be written, and say so."""
    why = f"A record could not be written in {folder} ({error.strerror or error})"
    after = "give the same command again: it goes on from there"
    spare = None
    try:
        spare = Path(tempfile.mkdtemp(prefix="course-sweep-"))
        write(spare, record)
    except OSError:
        if spare is not None:
            spare.rmdir()
        return f"{why}; every run finished before is kept, so make room and {after}."
    return f"{why}, so the last run was saved as {spare / record['run_id']}.json; make room, copy it there and {after}."


def _start_worker(threads: int) -> None:
    """Set up a worker process: quiet, its share of the threads, Ctrl-C left to the parent, gone when that is gone."""
    import signal
    import threading

    from course.machine import import_tensorflow, quiet

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    with quiet():
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    import_tensorflow()


def _end_with_parent() -> None:
    """End this worker when the process that started it was killed: nobody would wait for its runs or stop it."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes in here: Ctrl-C in the terminal never reaches them, and the parent only when all are started.

    A signal that is blocked in one thread may be taken by another, so this one's handler waits as well: a
    start that is cut in two leaves a process that waits for its orders and dies with a traceback.
    """
    import signal
    import threading

    blockable = hasattr(signal, "pthread_sigmask")  # not on Windows
    came: list[int] = []
    handler = None
    if threading.current_thread() is threading.main_thread():
        handler = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blockable else None
    try:
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _make_all(unit: _Unit) -> int:
    return sum(1 for _ in _make(unit))


def run(
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    workers: int = 1,
    progress: bool | Callable[[float, float], None] = True,
) -> pd.DataFrame:
    """Make the runs of a plan that are not in `out` yet, and return all of the plan's runs as a frame.

    out: a folder, made when missing; without one the records live until the call returns. workers: processes
    on this machine, each with its share of the cores; 1 is this process. progress: a bar, in FLOPs,
    or a function of (FLOPs done, FLOPs in all). A run that diverges is recorded as such and the sweep goes on.
    Ctrl-C raises KeyboardInterrupt and loses only the runs under way. Raises SweepStoppedError when a
    record cannot be written, ValueError when `out` cannot be used.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="course-sweep-") as passing:
            return run(plan, passing, workers=workers, progress=progress)
    folder = _prepared(Path(out))
    units = _units(plan, folder)
    total = sum(plan.row(config)["flops"] for config in plan.runs)
    left = sum(unit.flops for unit in units)
    with _Progress(total, total - left, progress) as bar:
        if workers <= 1:
            for unit in units:
                for record in _make(unit):
                    bar.add(record["row"]["flops"])
        elif units:
            _in_processes(units, min(workers, len(units)), folder, bar)
    wanted = {config.run_id for config in plan.runs}
    frame = load(folder)
    kept = frame[frame["run_id"].isin(wanted)].reset_index(drop=True)
    kept.attrs.update(frame.attrs)
    return kept


def _prepared(out: Path) -> Path:
    folder = out / "runs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
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


def _in_processes(units: list[_Unit], workers: int, folder: Path, bar: _Progress) -> None:
    import multiprocessing
    from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(max(1, cores() // workers),),
    )
    flops = {config.run_id: unit.plan.row(config)["flops"] for unit in units for config in unit.configs}
    try:
        with _interrupts_held():
            waiting = {pool.submit(_make_all, unit) for unit in units}
        while waiting:
            done, waiting = wait(waiting, timeout=0.3, return_when=FIRST_EXCEPTION)
            for run_id in [run_id for run_id in flops if (folder / f"{run_id}.json").exists()]:
                bar.add(flops.pop(run_id))
            for future in done:
                future.result()
    except BaseException as error:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise SweepStoppedError(
                f"A worker process of the sweep was ended from outside, or for want of memory; every finished run is kept "
                f"in {folder}: give the same command again, with fewer workers if memory is short."
            ) from None
        raise
    pool.shutdown()


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
