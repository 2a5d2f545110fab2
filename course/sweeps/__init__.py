"""Many runs: plan them, see what they cost, run, stop, resume, and read the table of what came out.

A `Plan` is sizes x budgets x seeds of one family on one task. `plan.table()` lists its runs and
`cost` predicts their FLOPs and seconds on this machine before anything runs; `run` makes them and
returns a pandas frame, one row a run. Each finished run is one small JSON file in `OUT/runs`, named by
the hash of its configuration and put there in one step, so that nothing finished is lost: the same
call goes on where a stopped one ended, and two machines can fill one folder. Where the runs are made (this process,
several, a Ray cluster) is an executor's business (`course.sweeps.executors`), how they are made that of
`course.sweeps.making`. `load` reads a folder, `reference` a sweep that came with the package. Lesson 5.3 uses all of it.
"""

from course.sweeps.costs import Cost, cost, process_bytes
from course.sweeps.executors.processes import default_workers
from course.sweeps.plan import Plan, RunConfig, isoflop_budgets
from course.sweeps.presets import PRESETS, preset, standard_recipe
from course.sweeps.recorded import record, reference, references
from course.sweeps.records import SweepStoppedError, cores, load
from course.sweeps.running import run

__all__ = [
    "PRESETS",
    "Cost",
    "Plan",
    "RunConfig",
    "SweepStoppedError",
    "cores",
    "cost",
    "default_workers",
    "isoflop_budgets",
    "load",
    "preset",
    "process_bytes",
    "record",
    "reference",
    "references",
    "run",
    "standard_recipe",
]
