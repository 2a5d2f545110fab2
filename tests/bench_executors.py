"""A sweep of 24 runs under each executor, and under joblib: `python tests/bench_executors.py`.

Two sweeps are timed, each in a process of its own that starts from nothing, as a command does. *Trained*: 24 small
character MLPs on the course's engine; what counts is the total time against one process. *Empty*: 24 runs that take
no time (`pretend.py`), after one such sweep in the same process has started everything; its seconds over 24 are the
overhead a run. The threads of a process are varied, because that choice is the default of `--workers`. Figures are
printed, never asserted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ray_nodes

from course.sweeps import Plan, cores

CASES = ("process", "processes", "processes, half as many", "joblib", "ray")
ROUNDS = 3


def trained_plan(sizes: int = 8) -> Plan:
    """`sizes` x three seeds of a character MLP; 24 runs with eight."""
    from course.training import Recipe

    return Plan(
        "characters",
        "char_mlp",
        (8, 12, 16, 24, 32, 48, 64, 96)[:sizes],
        steps=(1500,),
        seeds=(0, 1, 2),
        recipe=Recipe(batch=512),
        tokens_per_param=(0, math.inf),
    )


def empty_plan() -> Plan:
    """24 trajectories of one run that takes no time."""
    import pretend

    os.environ["PRETEND_SECONDS"] = "0"
    recipe = pretend.Recipe(batch=16, warmup=5)
    return pretend.PretendPlan(
        "letters", "char_mlp", tuple(range(14, 22)), steps=(100,), seeds=(0, 1, 2), recipe=recipe
    )


def swept(plan: Plan, case: str, out: str) -> float:
    """Seconds of one sweep."""
    from course import sweeps

    began = time.perf_counter()
    if case == "joblib":
        _with_joblib(plan, Path(out))
    else:
        settings: dict[str, Any] = {"executor": case.partition(",")[0]}
        if case.startswith("processes"):
            settings["workers"] = max(1, cores() // 2) if "half" in case else cores()
        frame = sweeps.run(plan, out, progress=False, **settings)
        assert len(frame) == len(plan.runs)
    return time.perf_counter() - began


def _with_joblib(plan: Plan, out: Path) -> None:
    """The same units handed to joblib's processes, one thread each, records written as ever."""
    from joblib import Parallel, delayed

    from course.sweeps import making

    (out / "runs").mkdir(parents=True)
    (out / "claims").mkdir()
    units = making.longest_first(making.units(plan, out / "runs"))
    made = Parallel(n_jobs=cores())(delayed(_unit_for_joblib)(unit) for unit in units)
    assert sum(made) == len(plan.runs)


def _unit_for_joblib(unit: Any) -> int:
    from course.sweeps import making

    making.begin(1)
    return sum(1 for _ in making.make(unit))


def one(case: str, what: str, sizes: int) -> float:
    """In a process of its own: seconds of the sweep from a cold start, or of an empty one when all is started."""
    with tempfile.TemporaryDirectory() as folder:
        if what == "trained":
            return swept(trained_plan(sizes), case, f"{folder}/0")
        return _empty(case, folder)


def _empty(case: str, folder: str) -> float:
    """A sweep whose executor is open already: what is left is handing out, claiming, making and recording."""
    from course.sweeps import executors, making

    plan = empty_plan()
    if case == "joblib":
        swept(plan, case, f"{folder}/0")
        return swept(plan, case, f"{folder}/1")
    seconds = []
    name = case.partition(",")[0]
    with contextlib.ExitStack() as stack:
        passed = None
        for turn in range(2):
            runs = Path(folder) / str(turn) / "runs"
            runs.mkdir(parents=True)
            (runs.parent / "claims").mkdir()
            units = tuple(making.units(plan, runs))
            if passed is None or name == "ray":  # an executor of Ray looks its folder over
                workers = max(1, cores() // 2) if "half" in case else cores()
                settings = executors.Settings(runs, units, None if name == "process" else workers)
                passed = stack.enter_context(executors.opened(name, settings))
            began = time.perf_counter()
            assert len(list(passed(units))) == len(plan.runs)
            seconds.append(time.perf_counter() - began)
    return seconds[-1]


def apart(case: str, what: str, sizes: int) -> float:
    """`one` in a new Python; the seconds it took there, or for a trained sweep all that passed on the clock."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | ray_nodes.environment(Path(folder) / "paths") | {"PRETEND_SECONDS": "0"}
        command = [sys.executable, __file__, "--one", case, "--what", what, "--sizes", str(sizes)]
        began = time.perf_counter()
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if said.returncode:
            raise RuntimeError(said.stderr[-3000:])
        return time.perf_counter() - began if what == "trained" else float(said.stdout.splitlines()[-1])


def main(rounds: int = ROUNDS, sizes: int = 8, cases: tuple[str, ...] = CASES) -> dict[str, Any]:
    """All cases, taking turns; medians printed, and returned by name."""
    times: dict[str, dict[str, list[float]]] = {case: {"trained": [], "empty": []} for case in cases}
    for _ in range(rounds):
        for case in cases:
            for what, seconds in times[case].items():
                seconds.append(apart(case, what, sizes))
    runs = 3 * sizes
    base = statistics.median(times[cases[0]]["trained"])
    print(f"{runs} runs, {cores()} cores, median of {rounds}")
    print(f"{'executor':26} {'seconds':>8} {'of one process':>15} {'overhead, ms a run':>19}")
    table = {}
    for case in cases:
        total = statistics.median(times[case]["trained"])
        overhead = 1000 * statistics.median(times[case]["empty"]) / 24
        print(f"{case:26} {total:8.1f} {total / base:15.2f} {overhead:19.1f}", flush=True)
        table[case] = {"seconds": total, "of_one_process": total / base, "overhead_ms": overhead}
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--what", choices=("trained", "empty"), help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=int, default=8, help="of models, three runs each (8)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="that each figure is the median of")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    given = parser.parse_args()
    if given.one:
        print(one(given.one, given.what, given.sizes))
    else:
        print(json.dumps(main(given.rounds, given.sizes, tuple(given.cases)), indent=1))
