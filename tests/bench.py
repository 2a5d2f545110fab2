"""How quickly the course answers: `make bench` prints a table. Times are printed, never asserted.

Each figure is the median of several repeats in this run; the ratio sets it beside the time that a
reader should not notice (0.2 s for the import, 0.5 s for a check, 0.3 s for a slider's redraw).
"""

from __future__ import annotations

import io
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

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


def main() -> None:
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


if __name__ == "__main__":
    main()
