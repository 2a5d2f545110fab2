"""The executor that makes units in several processes of this machine, each with its share of the cores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from course import interrupts
from course.sweeps import making
from course.sweeps.executors import Pass, Settings
from course.sweeps.records import SweepStoppedError, clear_after, cores, read

__all__ = ["default_workers", "opened"]


def default_workers(bytes_each: float = 0.0) -> int:
    """Processes of one thread each that this machine has cores for, and free memory when each takes `bytes_each`."""
    import psutil

    fitting = psutil.virtual_memory().available / bytes_each if bytes_each else cores()
    return max(1, min(cores(), int(fitting)))


@contextmanager
def opened(settings: Settings) -> Iterator[Pass]:
    """Start the processes at the first pass; see `course.sweeps.executors`."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    workers = settings.workers or default_workers(max(unit.bytes for unit in settings.units))
    workers = min(workers, len(settings.units))
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(max(1, cores() // workers), settings.device, settings.backend),
    )
    try:
        yield lambda units: _pass(pool, units)
    except BaseException as error:
        stopped = list((pool._processes or {}).values())
        for process in stopped:
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in stopped:
            process.join(1)
            if process.pid is not None:
                clear_after(settings.folder, process.pid)
        if isinstance(error, BrokenProcessPool):
            raise SweepStoppedError(
                f"A worker process of the sweep was ended from outside, or for want of memory; every finished run is kept "
                f"in {settings.folder}: give the same command again, with fewer workers if memory is short."
            ) from None
        raise
    pool.shutdown()


def _pass(pool: Any, units: Sequence[making.Unit]) -> Iterator[str]:
    from concurrent.futures import FIRST_EXCEPTION, wait

    with interrupts.held():
        waiting = {pool.submit(_make_all, unit) for unit in making.longest_first(units)}
    missing = {config.run_id: Path(unit.folder) for unit in units for config in unit.configs}
    while waiting:
        done, waiting = wait(waiting, timeout=0.3, return_when=FIRST_EXCEPTION)
        for run_id in [run_id for run_id, folder in missing.items() if read(folder / f"{run_id}.json")]:
            del missing[run_id]
            yield run_id
        for future in done:
            future.result()


def _make_all(unit: making.Unit) -> int:
    return sum(1 for _ in making.make(unit))


def _start_worker(threads: int, device: str | None, backend: str | None) -> None:
    """Set up a worker process: quiet, its share of the threads, Ctrl-C left to the parent, gone when that is gone."""
    import signal
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    making.begin(threads, device, backend)


def _end_with_parent() -> None:
    """End this worker when the process that started it was killed: nobody would wait for its runs or stop it."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
