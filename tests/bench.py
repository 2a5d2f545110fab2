"""How quickly the course answers, trains and fits: `make bench` prints tables and writes bench.json.

`python tests/bench.py answers engine` runs only these parts; what bench.json holds of others stays.

- answers: seconds of the import, of checks and of sliders' redraws, each the median of several repeats;
  the ratio sets it beside the time that a reader should not notice (0.2, 0.5 and 0.3 s);
- engine: time per step beside other ways to train the same model, and a whole sweep (`bench_engine.py`);
- fitting: scaling laws fitted, beside the published method, and what the fits recover (`bench_fitting.py`);
- executors: a sweep of 24 runs under each executor and under joblib (`bench_executors.py`);
- faults: kill -9 at 100 random moments of a sweep under each executor (`bench_faults.py`, a quarter of an hour).

Figures are printed, never asserted.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from course import plots
from course.exercises import check, registry
from course.machine import Measurement
from course.widgets import cross_entropy_gradient, gradient_descent, linear_case_study, linear_classifier, setup

IMPORT = "import time; t = time.perf_counter(); import course; print(time.perf_counter() - t)"


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Median time of `work`, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def redraws() -> dict[str, Callable[[], object]]:
    """Every figure with sliders, at the lesson's starting values."""
    sizes = [8, 32, 128, 512, 2048]
    rates = [Measurement(r, r * 0.9, r * 1.1, "GFLOP/s", 9) for r in (0.05, 3.0, 100.0, 300.0, 400.0)]
    return {
        "5.1 overhead": lambda: setup.draw_overhead(15.0, 400.0, sizes, rates),
        "4.1 coin": lambda: cross_entropy_gradient.draw_coin(0.75),
        "4.1 loss and tangent": lambda: cross_entropy_gradient.draw_loss_and_tangent(1.5, 0.0),
        "4.2 bowl": lambda: gradient_descent.draw_bowl(0.3, 1.0),
        "4.2 valley": lambda: gradient_descent.draw_valley(0.9, 10.0, 30.0),
        "4.2 spectrum law": lambda: gradient_descent.draw_spectrum_law(2.0, 2.0, 3000.0),
        "4.3 signal": lambda: linear_case_study.draw_signal(2.0),
        "4.3 spread": lambda: linear_case_study.draw_spread(1000, 10),
        "4.3 floor": lambda: linear_case_study.draw_floor(0.44),
        "4.3 grid": lambda: linear_case_study.draw_grid(64, 3),
        "4.3 keys": lambda: linear_case_study.draw_keys(1000, 0.5),
        "5.2 luck": lambda: linear_classifier.draw_luck(1000),
        "5.2 signal": lambda: linear_classifier.draw_signal(1.0),
    }


def answers() -> dict[str, Any]:
    """Seconds of the import, of checks and of redraws; printed, and returned by name."""
    rows = []
    imports = [float(subprocess.check_output([sys.executable, "-c", IMPORT])) for _ in range(5)]
    rows.append(("import course", statistics.median(imports), 0.2))
    wrong = {"function": lambda *args: 0.123, "value": 0.123, "text": "too short"}
    checks = {
        id_: seconds(lambda id_=id_, kind=exercise.kind: check(id_, wrong[kind], record=False))
        for id_, exercise in registry().items()
    }
    slowest = max(checks, key=lambda id_: checks[id_])
    rows.append((f"check, median of {len(checks)} (a wrong answer)", statistics.median(checks.values()), 0.5))
    rows.append((f"check, slowest ({slowest})", checks[slowest], 0.5))
    plots.style()
    for name, draw in redraws().items():
        rows.append((f"redraw, {name}", seconds(lambda draw=draw: draw().savefig(io.BytesIO())), 0.3))
    print(f"{'':44} seconds   of what goes unnoticed")
    for name, measured, unnoticed in rows:
        print(f"{name:44} {measured:7.3f}   {measured / unnoticed:5.2f} of {unnoticed} s")
    return {name: {"seconds": measured, "unnoticed": unnoticed} for name, measured, unnoticed in rows}


PARTS = ("answers", "engine", "fitting", "executors", "faults")
OUT = Path(__file__).resolve().parent.parent / "bench.json"


def machine() -> dict[str, Any]:
    """What the figures were measured on: no name of a machine, user or folder."""
    versions = {}
    for name in ("numpy", "scipy", "tensorflow", "keras", "jax", "torch"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    system = f"{platform.system()} {platform.machine()}"
    return {"python": platform.python_version(), "platform": system, "cores": os.cpu_count(), **versions}


def measure(part: str) -> dict[str, Any]:
    """Run one part."""
    if part == "answers":
        return answers()
    sys.path.insert(0, str(Path(__file__).parent))
    return importlib.import_module(f"bench_{part}").main()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how quickly the course answers, trains and fits.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all when none is named")
    parts = parser.parse_args().parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    results = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    for part in parts:
        print(f"\n{part}\n{'=' * len(part)}")
        began = time.perf_counter()
        found = measure(part)
        results[part] = {
            "measured": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "took_seconds": round(time.perf_counter() - began, 1),
            "results": found,
        }
        OUT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"\nWritten to {OUT.name}.")


if __name__ == "__main__":
    main()
