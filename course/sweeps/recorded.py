"""Sweeps that came with the package, with their provenance."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from course.machine import BACKENDS
from course.sweeps.costs import cost
from course.sweeps.presets import preset
from course.sweeps.records import load

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["record", "reference", "references"]

_REFERENCE = Path(__file__).parents[1] / "reference"
_SAME_IN_ALL = (
    *("data_sha256", "course", "python", "backend", *BACKENDS, "keras", "platform", "device", "cores", "threads"),
)  # as far as a record has them: the version is that of its own backend


def record(name: str, folder: str | os.PathLike[str]) -> Path:
    """Turn a finished sweep of a preset into a reference sweep of the package (for authors). Returns the table's path.

    The table holds a row a run; what is the same in all of them, the totals and the commit go beside it as
    JSON. Raises ValueError when the folder does not hold every run of the preset, or mixes versions.
    """
    import subprocess

    frame, wanted = load(folder), {config.run_id for config in preset(name).runs}
    frame = frame[frame["run_id"].isin(wanted)].copy()
    if len(frame) != len(wanted):
        raise ValueError(
            f"{len(frame)} of {len(wanted)} runs of {name!r} are in {str(folder)!r}: finish the sweep first."
        )
    frame["threads"] = ", ".join(sorted({str(threads) for threads in frame["threads"]}))  # of a resumed sweep
    same = [column for column in _SAME_IN_ALL if column in frame]
    mixed = [column for column in same if frame[column].nunique() > 1]
    if mixed:
        raise ValueError(f"The runs differ in {', '.join(mixed)}: record a sweep that one machine made.")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=_REFERENCE.parent
    )
    about = {column: frame[column].iloc[0] for column in same}
    about = {column: getattr(value, "item", lambda value=value: value)() for column, value in about.items()}
    about |= {
        "preset": name,
        "command": f"course sweep {name}",
        "commit": commit.stdout.strip(),
        "seeds": sorted({int(seed) for seed in frame["seed"]}),
        "runs": len(frame),
        "diverged": int(frame["diverged"].sum()),
        "flops": float(frame["flops"].sum()),
        "flops_executed": cost(preset(name), rate=1e9).flops,
        "seconds": round(float(frame["seconds"].sum()), 1),
    }
    _REFERENCE.mkdir(exist_ok=True)
    path = _REFERENCE / f"{name}.csv"
    frame.drop(columns=same).to_csv(path, index=False)
    path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return path


def references() -> tuple[str, ...]:
    """Names of the recorded sweeps."""
    return tuple(sorted(path.stem for path in _REFERENCE.glob("*.csv")))


def reference(name: str) -> pd.DataFrame:
    """A sweep recorded with the package, one row a run; `frame.attrs["provenance"]` says how it was made.

    Raises ValueError, naming those there are, for another name.
    """
    import pandas as pd

    if name not in references():
        raise ValueError(f"There is no reference sweep {name!r}; there are {', '.join(references())}.")
    path = _REFERENCE / f"{name}.csv"
    frame = pd.read_csv(path)
    frame.attrs["provenance"] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return frame
