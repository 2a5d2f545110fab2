"""Records of finished runs: one small JSON file each, put in its place in one step, and read as a table."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course import machine
from course.machine import CannotRunError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "FORMAT",
    "UNFINISHED",
    "SweepStoppedError",
    "clear_after",
    "cores",
    "keep",
    "load",
    "provenance",
    "read",
    "write",
]

FORMAT = 1
UNFINISHED = ".run-"
"""How the name of a record begins while it is being written; the writer's process number follows."""
COLUMNS = (
    *("run_id", "task", "family", "size", "seed", "n_params", "n_params_body", "tokens", "steps", "batch", "flops"),
    *("budget", "learning_rate", "loss", "train_loss", "diverged", "seconds", "data_sha256"),
)


class SweepStoppedError(CannotRunError):
    """A sweep could not go on; the message says why, what is kept and what to do."""


def provenance() -> dict[str, Any]:
    """Where and with what a run was made: versions, device, threads. No name of a machine, user or folder."""
    backend = machine.import_backend()
    gpus = machine.gpus()
    return {
        "course": metadata.version("scaling-laws-course"),
        "python": platform.python_version(),
        "backend": backend,
        backend: sys.modules[backend].__version__,
        "keras": metadata.version("keras"),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": gpus[0] if gpus else "CPU",
        "cores": cores(),
        "threads": machine.threads(),
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write(folder: Path, record: dict[str, Any]) -> None:
    """Put a record into the folder in one step: a reader, or a crash, sees all of it or nothing."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=f"{UNFINISHED}{os.getpid()}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, folder.stat().st_mode & 0o666)  # temporary files are private; others may share the folder
        os.replace(name, folder / f"{record['run_id']}.json")
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def clear_after(folder: Path, pid: int) -> None:
    """Remove what a process of this machine was writing when it was ended."""
    for left in folder.glob(f"{UNFINISHED}{pid}-*.tmp"):
        left.unlink(missing_ok=True)


def keep(folder: Path, record: dict[str, Any]) -> None:
    """Write a record; when the folder cannot be written, save it elsewhere and raise SweepStoppedError."""
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


def read(path: Path) -> dict[str, Any] | None:
    """A record, or None for a file that is not one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        good = record["format"] == FORMAT and record["run_id"] == record["row"]["run_id"] == path.stem
        complete = set(COLUMNS) <= set(record["row"]) and isinstance(record["provenance"], dict)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if good and complete else None


def load(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """The finished runs of a sweep's folder, one row a run; `frame.attrs["skipped"]` names files that are none.

    Columns: run_id, task, family, size, seed, n_params, n_params_body, tokens, steps, batch, flops
    (training, counted exactly), budget (FLOPs), learning_rate (peak), loss (validation, nats or
    squared units; NaN where the run has none), train_loss, diverged (ended without a loss), seconds, data_sha256,
    outcome ("finished", "diverged" or "out of memory"), and the versions and device. Raises ValueError when there is no
    finished run.
    """
    import pandas as pd

    path = Path(folder)
    runs = path / "runs" if (path / "runs").is_dir() else path
    if not runs.is_dir():
        raise ValueError(f"There is no sweep in {str(folder)!r}: give the folder that `course sweep --out` wrote.")
    rows, skipped = [], []
    for file in sorted(runs.glob("*.json")):
        record = read(file)
        if record is None:
            skipped.append(file.name)
        else:
            rows.append(_as_row(record))
    if not rows:
        extra = f" ({len(skipped)} other files are there)" if skipped else ""
        raise ValueError(f"No finished run lies in {str(folder)!r}{extra}: run the sweep first.")
    frame = pd.DataFrame(rows).sort_values(["family", "size", "seed", "budget"], ignore_index=True)
    frame.attrs["skipped"] = skipped
    return frame


def _as_row(record: dict[str, Any]) -> dict[str, Any]:
    row = dict(record["row"])
    row.setdefault("outcome", "diverged" if row["diverged"] else "finished")  # the first records had no outcome
    row |= record["provenance"]
    row["loss"] = math.nan if row["loss"] is None else row["loss"]
    row["train_loss"] = math.nan if row["train_loss"] is None else row["train_loss"]
    return row
