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

import numpy as np

from course import laws, plots, sweeps
from course.exercises import check, registry
from course.machine import Measurement
from course.widgets import (
    allocating_compute,
    counting,
    cross_entropy_gradient,
    fitting_scaling_laws,
    gradient_descent,
    growing_models,
    linear_case_study,
    linear_classifier,
    measuring_performance,
    multi_size_sweeps,
    power_laws,
    setup,
    three_relations,
    training_faster,
)

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


def _study() -> dict[str, Any]:
    """What some figures draw besides their sliders: losses, times and right answers as the lessons measure them."""
    rng = np.random.default_rng(0)
    sizes = np.geomspace(358, 41_770, 8)
    right = rng.random((8, 4, 8000)) > 5.2 * sizes[:, None, None] ** -0.39
    recorded = sweeps.reference("characters")
    return {
        "runs": recorded,
        "samples": 1600 * 2 ** np.arange(6),
        "sizes": sizes,
        "right": right,
        "losses": 10 * sizes[:, None] ** -0.35 * np.ones(4),
        "surface": laws.fit_chinchilla(recorded["n_params"], recorded["tokens"], recorded["loss"]),
        "live": recorded[["n_params", "tokens", "loss"]].rename(columns={"n_params": "N"}).head(8),
        "widths": {name: sweeps.reference(f"widths-{name.lower()}") for name in ("standard", "muP")},
    }


def redraws() -> dict[str, Callable[[], object]]:
    """Figures with sliders, at the lesson's starting values: all lessons that have one."""
    sizes = [8, 32, 128, 512, 2048]
    rates = [Measurement(r, r * 0.9, r * 1.1, "GFLOP/s", 9) for r in (0.05, 3.0, 100.0, 300.0, 400.0)]
    study = _study()
    n = study["sizes"]
    machine = {"overhead": 30, "gflops": 100, "gigabytes": 20, "cache": 20}
    return {
        "1.1 price": lambda: power_laws.draw_price(0.104, 2.0),
        "1.1 hidden floor": lambda: power_laws.draw_hidden(0.5, 0.3, 1.0),
        "1.1 three forms": lambda: power_laws.draw_three_forms(
            study["samples"], 6 * study["samples"] ** -0.1, 4, 512_000, 1.54
        ),
        "1.1 look-alike": lambda: power_laws.draw_look_alike(2.0),
        "2.1 model": lambda: counting.draw_model(256, 4, 8000, 256),
        "2.2 time model": lambda: three_relations.draw_time_model(n, 1e-7 * n, 64, **machine),
        "2.2 total": lambda: three_relations.draw_total(n, 20 * n[0], 1.0),
        "2.2 loss by data": lambda: three_relations.draw_loss_by_data(study["surface"], study["live"], 128_000),
        "3.1 scales": lambda: growing_models.draw_scales(1.0, 16),
        "3.1 recorded": lambda: growing_models.draw_recorded(study["widths"], 5, 0),
        "3.2 ring": lambda: training_faster.draw_ring(4),
        "3.2 pipeline": lambda: training_faster.draw_pipeline(4, 8, 0),
        "3.2 pipeline, most": lambda: training_faster.draw_pipeline(8, 32, 1),
        "3.2 zero": lambda: training_faster.draw_zero(7.5, 64),
        "3.2 timelines": lambda: training_faster.draw_timelines(4, 0.3, 0.1),
        "3.2 steps": lambda: training_faster.draw_steps(8, 1.0, 25, 256),
        "3.2 noise": lambda: training_faster.draw_noise(6),
        "3.2 rates": lambda: training_faster.draw_rates(50, 0.3),
        "3.3 product": lambda: allocating_compute.draw_product(312.0, 2039.0, 1024, 2),
        "3.3 plan": lambda: allocating_compute.draw_plan(1e20, 40.0, 1),
        "3.3 timeline": lambda: allocating_compute.draw_timeline(3, 0),
        "3.4 coverage": lambda: measuring_performance.draw_coverage(50),
        "3.4 coverage, most": lambda: measuring_performance.draw_coverage(400),
        "3.4 emergence": lambda: measuring_performance.draw_emergence(10, n, study["right"], study["losses"]),
        "3.4 design": lambda: measuring_performance.draw_design(8, 2.0, 2.0, 3, 0.2),
        "3.4 design, most": lambda: measuring_performance.draw_design(16, 5.0, 2.0, 20, 0.2),
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
        "5.3 schedule": lambda: multi_size_sweeps.draw_schedule(0.3, 4),
        "5.3 budget": lambda: multi_size_sweeps.draw_budget(study["runs"], 3, 0, 0),
        "5.4 parabola": lambda: fitting_scaling_laws.draw_parabola(0.4, 0.7, 8.0),
        "5.4 landscape": lambda: fitting_scaling_laws.draw_landscape(
            study["runs"]["n_params"], study["runs"]["tokens"], study["runs"]["loss"], 0.40, 0.60
        ),
    }


def _redraw(draw: Callable[[], Any]) -> Callable[[], bytes]:
    """What a slider's move does with a figure that it has drawn before."""
    before = draw()
    plots.png(before)

    def again() -> bytes:
        figure = draw()
        plots.lay_out_like(figure, before)
        return plots.png(figure)

    return again


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
        rows.append((f"redraw, {name}", seconds(_redraw(draw)), 0.3))
    print(f"{'':44} seconds   of what goes unnoticed")
    for name, measured, unnoticed in rows:
        print(f"{name:44} {measured:7.3f}   {measured / unnoticed:5.2f} of {unnoticed} s")
    return {name: {"seconds": measured, "unnoticed": unnoticed} for name, measured, unnoticed in rows}


PARTS = ("answers", "engine", "fitting", "grading", "executors", "faults")
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
