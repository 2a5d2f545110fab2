"""How fast the engine is, measured beside other ways to train the same model: `python tests/bench_engine.py`.

Each engine runs in a process of its own (`engines.py`) and all take turns, so that whatever slows the
machine slows each alike. A turn in which other programs used the processor is taken again while patience
lasts; what stays disturbed is counted. Figures are medians over the turns. Nothing is asserted.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from engines import BACKENDS, ON_A_GPU, Worker, absent, task_of

Models = tuple[tuple[str, int], ...]
MODELS: Models = (("char_mlp", 8), ("char_mlp", 64), ("transformer", 32), ("transformer", 64), ("transformer", 128))

TARGETS = {  # time of the other over time of ours, at least
    ("char_mlp", 8): {"eager": 100, "jax": 0.8, "torch": 1.5},
    ("char_mlp", 64): {"torch": 1.5},
    ("transformer", 32): {"jax": 1.0, "torch": 1.5},
    ("transformer", 64): {"eager": 12, "fit": 2, "jax": 1.0, "torch": 1.5},
    ("transformer", 128): {"jax": 1.0, "torch": 1.5},
}
GPU_MODELS: Models = (("transformer", 128), ("transformer", 512), ("transformer", 1024))
GPU_ENGINES = ("course", "course-jax", "torch-compile")
GPU_BATCH = 256  # sequences of 64 bytes a step
SHARE_TARGET = 0.5  # of the best matrix-product rate, at d_model 128
SWEEP, SWEEP_TARGET = "characters-quick", 1.5  # wall time over the time of its training steps, at most
RATE_SIZES = (512, 1024, 2048)
FREE = 0.15  # cores that other programs may use in a turn that counts


class Turns:
    """Measurements that others disturbed are taken again, for `patience` seconds in all."""

    def __init__(self, patience: float) -> None:
        self.patience, self.disturbed = patience, 0

    def take(self, worker: Worker, *request: Any, **named: Any) -> tuple[float, bool]:
        """One measurement, and whether the machine was ours."""
        while True:
            started, busy, own = time.perf_counter(), _busy(), _used_by(worker)
            measured = worker.ask(*request, **named)
            seconds = time.perf_counter() - started
            free = _busy() - busy - (_used_by(worker) - own) < FREE * seconds + 0.03
            if free or self.patience <= 0:
                self.disturbed += not free
                return measured, free
            pause = 2.0
            time.sleep(pause)
            self.patience -= seconds + pause


def _busy() -> float:
    """Core seconds that this machine has worked."""
    t = psutil.cpu_times()
    return sum(t) - t.idle - getattr(t, "iowait", 0.0) - getattr(t, "guest", 0.0) - getattr(t, "guest_nice", 0.0)


def _used_by(worker: Worker) -> float:
    """Core seconds that a worker and this process have used."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in (worker.process.pid, os.getpid()))


@contextlib.contextmanager
def started(engines: list[str]) -> Iterator[dict[str, Worker]]:
    """A worker for each engine."""
    with contextlib.ExitStack() as stack:
        yield {engine: stack.enter_context(Worker(engine)) for engine in engines}


def step_times(workers: dict[str, Worker], family: str, size: int, turns: Turns, rounds: int) -> dict[str, float]:
    """Median seconds a step of each engine; the engines take turns."""
    for worker in workers.values():
        worker.prepare(family, size)
    times: dict[str, list[tuple[float, bool]]] = {engine: [] for engine in workers}
    for _ in range(rounds):
        for engine, worker in workers.items():
            times[engine].append(turns.take(worker, do="time", family=family, size=size))
    return {engine: _median(found) for engine, found in times.items()}


def _median(found: list[tuple[float, bool]]) -> float:
    """Of the undisturbed turns, when there are three of them, else of all."""
    free = [value for value, alone in found if alone]
    return statistics.median(free if len(free) >= 3 else [value for value, _ in found])


def matrix_rate(worker: Worker, turns: Turns, rounds: int) -> float:
    """The best matrix-product rate over the sizes, in FLOP/s."""
    found = {size: [turns.take(worker, do="rate", size=size) for _ in range(rounds)] for size in RATE_SIZES}
    return max(map(_median, found.values()))


def sweep(name: str) -> dict[str, float]:
    """Wall seconds of a preset sweep in this process, and those of its training steps at their steady rate.

    TensorFlow is imported and the data are read before the clock starts; all compilation is inside.
    """
    from course import sweeps
    from course.machine import import_tensorflow
    from course.training import Trainer

    import_tensorflow()
    plan = sweeps.preset(name)
    steps: dict[tuple[int, int], list[int]] = {}
    for config in plan.runs:
        steps.setdefault((config.size, config.seed), []).append(config.steps)
    began = time.perf_counter()
    sweeps.run(plan, progress=False)
    wall = time.perf_counter() - began
    stepping = 0.0
    for size in sorted({size for size, _ in steps}):
        trainer = Trainer(plan.data, plan.family, size, plan.recipe)
        trainer.compile()
        at_once = max(20, min(steps[size, 0]) // 2)
        each = []
        for _ in range(5):
            began = time.perf_counter()
            trainer.advance(trainer.step + at_once, 1_000_000)
            each.append((time.perf_counter() - began) / at_once)
        for (other, _), numbers in steps.items():
            if other == size:
                stepping += sweeps.costs.steps_executed(plan, numbers) * statistics.median(each)
    return {"wall": wall, "steps": stepping, "ratio": wall / stepping, "runs": len(plan.runs)}


def whole_sweep(name: str, patience: float, repeats: int = 3) -> dict[str, Any]:
    """The median of `repeats` sweeps, each in a fresh process."""
    found: list[dict[str, float]] = []
    disturbed = 0
    until = time.perf_counter() + patience
    while len(found) < repeats:
        busy, used, began = _busy(), sum(psutil.Process().cpu_times()[2:4]), time.perf_counter()
        said = subprocess.run(
            [sys.executable, __file__, "--sweep", name],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        others = _busy() - busy - (sum(psutil.Process().cpu_times()[2:4]) - used)
        if others > FREE * (time.perf_counter() - began):
            if time.perf_counter() < until:
                continue
            disturbed += 1
        found.append(json.loads(said.stdout.splitlines()[-1]))
    return {"preset": name, **sorted(found, key=lambda one: one["ratio"])[len(found) // 2], "disturbed": disturbed}


def gpu(models: Models = GPU_MODELS, rounds: int = 5) -> dict[str, Any]:
    """On a GPU: the share of its best bfloat16 matrix-product rate that training reaches, beside torch.compile.

    Larger models and batches than on a processor. Where there is no GPU, or a library sees none, the rows say so.
    """
    there = [engine for engine in GPU_ENGINES if not absent(engine)]
    found: dict[str, Any] = {"absent": {e: f"{ON_A_GPU[e]} is not installed" for e in GPU_ENGINES if e not in there}}
    with started(["course"]) as workers:
        names = workers["course"].gpus()
        if not names:
            print(f"No GPU here, so no figures of {', '.join(GPU_ENGINES)} on one.")
            return found | {"device": "absent"}
        best = max(workers["course"].ask(do="rate", size=size, dtype="bfloat16") for size in (4096, 8192))
    found |= {"device": names[0], "matrix_rate": best, "models": []}
    print(f"{names[0]}: {best / 1e12:.0f} TFLOP/s in bfloat16 matrix products; share of it, and ms a step")
    for family, size in models:
        row: dict[str, Any] = {"family": family, "size": size}
        flops = _step_flops(family, size, GPU_BATCH)
        for engine in there:  # one at a time: each has the GPU's memory to itself
            with started([engine]) as workers:
                worker = workers[engine]
                if ON_A_GPU[engine] != "torch" and not worker.gpus():
                    found["absent"][engine] = f"{ON_A_GPU[engine]} sees no GPU"
                    continue
                worker.prepare(family, size, seconds=1.0, batch=GPU_BATCH, precision="bfloat16")
                seconds = statistics.median(worker.time(family, size) for _ in range(rounds))
            row[engine] = {"seconds": seconds, "flops_per_second": flops / seconds, "share": flops / seconds / best}
        found["models"].append(row)
        cells = [f"{e} {row[e]['share']:.0%} ({1e3 * row[e]['seconds']:.2f} ms)" for e in there if e in row]
        print(f"{family:12}{size:5}  " + "   ".join(cells), flush=True)
    for engine, why in found["absent"].items():
        print(f"{engine}: {why}, so there is no comparison.")
    return found


def _step_flops(family: str, size: int, batch: int) -> float:
    """FLOPs of a training step, counted exactly."""
    from course.counting import count

    task = task_of(family)
    return count(family, size, task).training_flops_per_token * batch * task.tokens_per_sample


def main(models: Models = MODELS, rounds: int = 9, patience: float = 240.0) -> dict[str, Any]:
    """Measure, print the table, and return it. `patience`: seconds to wait for other programs, in all parts."""
    share = ""
    engines = [engine for engine in BACKENDS if not absent(engine)]
    missing = [engine for engine in BACKENDS if absent(engine)]
    results: dict[str, Any] = {"absent": missing, "models": []}
    print(f"{'':16}{'ours, ms':>9}  " + "".join(f"{engine:>17}" for engine in engines[1:]))
    with started(engines) as workers:
        for family, size in models:
            turns = Turns(patience / (len(models) + 2))
            times = step_times(workers, family, size, turns, rounds)
            ours = times["course"]
            row: dict[str, Any] = {"family": family, "size": size, "seconds": times, "ratios": {}}
            cells = []
            for engine in engines[1:]:
                ratio, target = times[engine] / ours, TARGETS[family, size].get(engine)
                row["ratios"][engine] = {"ratio": ratio, "target": target}
                aim = f" ({target:g})" if target else ""
                cells.append(f"{f'{ratio:.2f}x{aim}':>17}")
            if (family, size) == ("transformer", 128):
                row |= rate_share(workers["course"], family, size, ours, turns, rounds)
                share = f"{row['share']:.0%} of the best matrix-product rate, {row['matrix_rate'] / 1e9:.0f} GFLOP/s"
            row["disturbed"] = turns.disturbed
            results["models"].append(row)
            print(f"{family:12}{size:4}{1e3 * ours:9.4f}  " + "".join(cells) + _note(turns.disturbed), flush=True)
    print("In brackets: the least that was asked for.")
    for engine in missing:
        print(f"{engine}: {BACKENDS[engine]} is not installed, so there is no comparison.")
    if share:
        print(f"d_model 128 reaches {share} (asked for: {SHARE_TARGET:.0%})")
    results["sweep"] = found = whole_sweep(SWEEP, 2 * patience / (len(models) + 2))
    print(
        f"Sweep {SWEEP}: {found['runs']} runs in {found['wall']:.1f} s, compilation included; its training steps "
        f"alone {found['steps']:.1f} s: {found['ratio']:.2f}x (asked for: {SWEEP_TARGET}x at most)"
        + _note(found["disturbed"])
    )
    results["gpu"] = gpu()
    return results


def rate_share(worker: Worker, family: str, size: int, ours: float, turns: Turns, rounds: int) -> dict[str, float]:
    """FLOPs a second of the engine, counted exactly, the machine's best matrix-product rate, and the share."""
    flops = _step_flops(family, size, 512 // task_of(family).tokens_per_sample) / ours
    best = matrix_rate(worker, turns, rounds)
    return {"flops_per_second": flops, "matrix_rate": best, "share": flops / best}


def _note(disturbed: int) -> str:
    return f"   {disturbed} turns disturbed by other programs" if disturbed else ""


if __name__ == "__main__":
    if "--sweep" in sys.argv:
        print(json.dumps(sweep(sys.argv[sys.argv.index("--sweep") + 1])))
    else:
        main()
