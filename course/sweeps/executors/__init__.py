"""Where the runs of a sweep are made: this process, several of this machine, or a Ray cluster.

An executor is one function, entered in `EXECUTORS`: a context manager that takes `Settings`, starts what it needs and
gives a *pass*, a function that takes units of work and yields the id of each run as its record is found in
the folder. A pass leaves out units that another sweep is at; `course.sweeps.run` calls it until nothing is left. So
an executor decides where and when a unit is made, and `course.sweeps.making` how. What stops a sweep is
a SweepStoppedError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from course.sweeps.making import Unit

__all__ = ["EXECUTORS", "Pass", "Settings", "opened"]

Pass = Callable[[Sequence[Unit]], Iterator[str]]
"""Makes units; yields run ids."""


@dataclass(frozen=True)
class Settings:
    """What an executor is told: the folder of records, what is to do, how many workers (None: as it sees fit), the address,
    the device, and the library that trains."""

    folder: Path
    units: tuple[Unit, ...]
    workers: int | None = None
    address: str | None = None
    device: str | None = None
    backend: str | None = None


EXECUTORS = {
    "process": "course.sweeps.executors.this_process",
    "processes": "course.sweeps.executors.processes",
    "ray": "course.sweeps.executors.ray_cluster",
}
"""Each executor's module, whose `opened` is its function."""


def opened(name: str, settings: Settings) -> AbstractContextManager[Pass]:
    """Start the executor of this name. Raises ValueError for another name."""
    if name not in EXECUTORS:
        raise ValueError(f"There is no executor {name!r}; there are {', '.join(EXECUTORS)}, and auto, which chooses.")
    found: AbstractContextManager[Pass] = import_module(EXECUTORS[name]).opened(settings)
    return found
