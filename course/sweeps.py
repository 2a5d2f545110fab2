"""Many runs: plan them, see what they cost, run, stop, resume, and read the table of what came out.

A `Plan` is sizes x budgets x seeds of one family on one task. `plan.table()` lists its runs and
`cost` predicts their FLOPs and seconds on this machine before anything runs; `run` makes them and
returns a pandas frame, one row a run. Each finished run is one small JSON file in `OUT/runs`, named by
the hash of its configuration and put there in one step, so that nothing finished is lost: the same
call goes on where a stopped one ended, and two machines can fill one folder. `load` reads a folder,
`reference` a sweep that came with the package. Lesson 5.3 uses all of it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from course import counting
from course.inputs import positive, whole
from course.machine import CannotRunError
from course.training import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from course.data import Task

__all__ = [
    "PRESETS",
    "Cost",
    "Plan",
    "RunConfig",
    "SweepStoppedError",
    "cost",
    "isoflop_budgets",
    "load",
    "preset",
    "record",
    "reference",
    "references",
    "run",
    "standard_recipe",
]


class SweepStoppedError(CannotRunError):
    """A sweep could not go on; the message says why, what is kept and what to do."""


# --- configurations -------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunConfig:
    """Everything a run depends on. Two runs with the same configuration are the same run.

    `options` are the task's, without the path of a text file: `data_sha256` says which text it was.
    """

    task: str
    options: tuple[tuple[str, Any], ...]
    data_sha256: str
    family: str
    size: int
    seed: int
    budget: float
    steps: int
    recipe: Recipe

    @property
    def run_id(self) -> str:
        """The first 16 hex digits of the configuration's SHA-256: the name of its record."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Plan:
    """Sizes x budgets x seeds of one family on one task.

    budgets are training FLOPs, counted exactly; each size trains on as many tokens as its budget pays
    for. Left out are runs of fewer than `least_steps` steps, where the warm-up is most of a run, and
    runs outside `tokens_per_param` (tokens over all parameters). `options` go to `course.data.task`.
    Raises ValueError, in one sentence, for what cannot be run.
    """

    task: str
    family: str
    sizes: tuple[int, ...]
    budgets: tuple[float, ...]
    seeds: tuple[int, ...] = (0,)
    recipe: Recipe = field(default_factory=lambda: Recipe(batch=512))
    options: tuple[tuple[str, Any], ...] = ()
    least_steps: int = 100
    tokens_per_param: tuple[float, float] = (1.0, 2000.0)

    def __post_init__(self) -> None:
        self._read("sizes", lambda size: whole("size", size))
        self._read("budgets", _budget)
        self._read("seeds", _seed)
        object.__setattr__(self, "options", tuple(sorted(dict(self.options).items())))
        if not self.runs:
            raise ValueError(
                f"No run of this plan has {self.least_steps} steps or more and between {self.tokens_per_param[0]:g} and "
                f"{self.tokens_per_param[1]:g} tokens per parameter: {self._advice()}."
            )

    def _read(self, name: str, one: Callable[[Any], Any]) -> None:
        """Set the field `name` to its values, each once and rising."""
        given = getattr(self, name)
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise ValueError(f"The {name} of a plan are a list of numbers; got {given!r}.")
        values = tuple(sorted({one(value) for value in given}))
        if not values:
            raise ValueError(f"A plan needs at least one of its {name}; got none.")
        object.__setattr__(self, name, values)

    def _advice(self) -> str:
        """Which budgets would do for these sizes, for a plan without runs."""
        ranges = []
        for size in self.sizes:
            counts = self.counts(size)
            low, high = (ratio * counts.n_params for ratio in self.tokens_per_param)
            low = max(low, self.least_steps * self.tokens_per_step)
            if low <= high:
                ranges.append((low * counts.training_flops_per_token, high * counts.training_flops_per_token))
        if not ranges:
            return "these sizes are too small for so many steps, choose larger ones"
        lowest, highest = min(low for low, _ in ranges), max(high for _, high in ranges)
        return f"choose budgets from {lowest:.2g} to {highest:.2g} FLOPs, or other sizes"

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to a worker process, which loads the data itself."""
        return {name: value for name, value in vars(self).items() if name not in ("data", "runs")}

    @cached_property
    def data(self) -> Task:
        """The task, loaded."""
        from course.data import task

        return task(self.task, **dict(self.options))

    def counts(self, size: int) -> counting.Counts:
        """Parameters and FLOPs of a size."""
        return _counts(self.family, size, self.data)

    @property
    def tokens_per_step(self) -> int:
        """Predictions that one optimiser step learns from."""
        return self.recipe.batch * self.data.tokens_per_sample

    @cached_property
    def runs(self) -> tuple[RunConfig, ...]:
        """The runs, sizes rising, then seeds, then budgets."""
        found = []
        for size in self.sizes:
            counts = self.counts(size)
            for seed in self.seeds:
                for budget in self.budgets:
                    steps = round(budget / (counts.training_flops_per_token * self.tokens_per_step))
                    ratio = steps * self.tokens_per_step / counts.n_params
                    low, high = self.tokens_per_param
                    if steps >= self.least_steps and low <= ratio <= high:
                        found.append(
                            RunConfig(
                                self.task,
                                tuple((name, value) for name, value in self.options if name != "file"),
                                self.data.sha256,
                                self.family,
                                size,
                                seed,
                                budget,
                                steps,
                                self.recipe,
                            )
                        )
        return tuple(found)

    def row(self, config: RunConfig) -> dict[str, Any]:
        """What is known of a run before it is made: one row of the table."""
        counts = self.counts(config.size)
        tokens = config.steps * self.tokens_per_step
        return {
            "run_id": config.run_id,
            "task": config.task,
            "family": config.family,
            "size": config.size,
            "seed": config.seed,
            "n_params": counts.n_params,
            "n_params_body": counts.n_params_body,
            "tokens": tokens,
            "steps": config.steps,
            "batch": config.recipe.batch,
            "flops": tokens * counts.training_flops_per_token,
            "budget": config.budget,
            "learning_rate": config.recipe.peak_rate(config.size),
        }

    def table(self) -> pd.DataFrame:
        """The runs as a frame, before any is made."""
        import pandas as pd

        return pd.DataFrame([self.row(config) for config in self.runs])


def _budget(given: Any) -> float:
    if isinstance(given, bool | str) or not isinstance(given, int | float | np.number):
        raise ValueError(f"A budget is a number of training FLOPs; got {given!r}.")
    return positive("budget (training FLOPs)", float(given))


def _seed(given: Any) -> int:
    if whole("seed", given, 0) >= 2**31:
        raise ValueError(f"seed must be below 2^31; got {given!r}.")
    return int(given)


@cache
def _counts(family: str, size: int, task: Task) -> counting.Counts:
    return counting.count(family, size, task)


def isoflop_budgets(lowest: float, highest: float, number: int) -> tuple[float, ...]:
    """`number` budgets in FLOPs, evenly spaced in the logarithm."""
    low, high = positive("lowest budget", lowest), positive("highest budget", highest)
    if number == 1:
        return (low,)
    return tuple(float(f"{low * (high / low) ** (i / (number - 1)):.4g}") for i in range(whole("number", number)))


_RATES = {  # peak rate at size 64, and the power of 64 / size: found by sweeping the rate, lesson 5.3
    "transformer": (0.005, 1.0),
    "transformer_absolute": (0.005, 1.0),
    "char_mlp": (0.013, 0.75),
    "conv": (0.005, 0.5),
    "mlp": (0.005, 0.5),
    "linear": (0.01, 0.0),
}


def standard_recipe(task: Task, family: str) -> Recipe:
    """The recipe that gives a clean sweep of this family: 512 predictions a step and the family's rate rule."""
    rate, power = _RATES.get(family, _RATES["mlp"])
    return Recipe(batch=max(1, 512 // task.tokens_per_sample), rate=rate, rate_power=power)


# --- presets --------------------------------------------------------------------------------------

_ALL_SIZES = {
    "char_mlp": (12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768),
    "transformer": (4, 8, 12, 16, 24, 32, 48, 64, 96, 128),
}


def _preset(task: str, family: str, low: float, high: float, number: int, seeds: int = 1, **changes: Any) -> Plan:
    """A plan over budgets from `low` to `high` FLOPs; `changes` of the recipe are what spoils it."""
    from course.data import task as load_task

    return Plan(
        task=task,
        family=family,
        sizes=_ALL_SIZES[family.removesuffix("_absolute")],
        budgets=isoflop_budgets(low, high, number),
        seeds=tuple(range(seeds)),
        recipe=replace(standard_recipe(load_task(task), family), **changes),
        tokens_per_param=(1.0, 700.0),
        least_steps=90,
    )


def _characters(**changes: Any) -> Plan:
    return _preset("characters", "char_mlp", 1e10, 1e12, 5, **changes)


def _bytes(family: str = "transformer", **changes: Any) -> Plan:
    return _preset("bytes", family, 4e9, 4e11, 5, **changes)


PRESETS: dict[str, tuple[str, Callable[[], Plan]]] = {
    "characters-quick": ("character MLP, two decades of compute, one seed", _characters),
    "bytes-quick": ("byte Transformer, two decades of compute, one seed", _bytes),
    "characters": (
        "character MLP, three decades of compute, three seeds",
        lambda: _preset("characters", "char_mlp", 1e10, 1e13, 7, seeds=3),
    ),
    "bytes": (
        "byte Transformer, three decades of compute, three seeds",
        lambda: _preset("bytes", "transformer", 4e9, 4e12, 7, seeds=3),
    ),
    "characters-rate-low": ("characters-quick at a quarter of the learning rate", lambda: _characters(rate=0.013 / 4)),
    "characters-rate-high": ("characters-quick at four times the learning rate", lambda: _characters(rate=0.013 * 4)),
    "characters-batch": ("characters-quick with batches eight times as large", lambda: _characters(batch=4096)),
    "bytes-absolute": (
        "bytes-quick with learned absolute positions in place of ALiBi",
        lambda: _bytes("transformer_absolute"),
    ),
    "bytes-sparse": (
        "bytes-quick with the embedding's gradient left in slices (lesson 5.3 tells what that does)",
        lambda: _bytes(dense_gradients=False),
    ),
}


def preset(name: str) -> Plan:
    """A plan by name. Raises ValueError, naming those there are, for another name."""
    if name not in PRESETS:
        raise ValueError(f"There is no preset {name!r}; the presets are {', '.join(PRESETS)}.")
    return PRESETS[name][1]()


# --- cost -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What a plan will take: runs, FLOPs that it executes (branches share a stable phase), and seconds here."""

    runs: int
    flops: float
    seconds: float
    rate: float

    def __str__(self) -> str:
        from course.machine import duration

        return (
            f"{self.runs} runs, {self.flops:.2g} FLOPs, about {duration(self.seconds)} at {self.rate / 1e9:.0f} GFLOP/s"
        )


def _steps_executed(plan: Plan, steps: Sequence[int]) -> float:
    """Steps that a trajectory takes for runs of these many steps."""
    if plan.recipe.schedule == "cosine":
        return sum(steps)
    if plan.recipe.schedule == "constant":
        return max(steps)
    return (1 - plan.recipe.cooldown) * max(steps) + plan.recipe.cooldown * sum(steps)


# Seconds, on the machine whose figures the course quotes: to compile a size, and a step's overhead.
_COMPILE = {"transformer": 2.2}
_OVERHEAD = {"transformer": 0.6e-3}
_EFFICIENCY = {"transformer": 0.5, "char_mlp": 0.65}


def cost(plan: Plan, workers: int = 1, rate: float | None = None) -> Cost:
    """Predict what a plan takes on this machine; `rate` in FLOP/s is measured when not given (half a second).

    Seconds are right within a factor of about two: they count compilation, an overhead a step, and
    FLOPs at the share of the matrix-product rate that the family reaches.
    """
    if rate is None:
        from course.machine import matrix_product_rate

        rate = matrix_product_rate(512, seconds=0.3).median * 1e9
    flops = seconds = 0.0
    trajectories: dict[tuple[int, int], list[int]] = {}
    for config in plan.runs:
        trajectories.setdefault((config.size, config.seed), []).append(config.steps)
    for (size, _), steps in trajectories.items():
        executed = _steps_executed(plan, steps)
        step_flops = plan.counts(size).training_flops_per_token * plan.tokens_per_step
        flops += executed * step_flops
        seconds += executed * (
            _OVERHEAD.get(plan.family, 0.1e-3) + step_flops / (_EFFICIENCY.get(plan.family, 0.5) * rate)
        )
    compiled = len({size for size, _ in trajectories}) * _COMPILE.get(plan.family, 1.0)
    return Cost(len(plan.runs), flops, (seconds + compiled) / workers, rate)


# --- records --------------------------------------------------------------------------------------

FORMAT = 1
_UNFINISHED = ".run-"
_COLUMNS = (
    *("run_id", "task", "family", "size", "seed", "n_params", "n_params_body", "tokens", "steps", "batch", "flops"),
    *("budget", "learning_rate", "loss", "train_loss", "diverged", "seconds", "data_sha256"),
)


def provenance() -> dict[str, Any]:
    """Where and with what a run was made: versions, device, threads. No name of a machine, user or folder."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
    return {
        "course": metadata.version("scaling-laws-course"),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": metadata.version("keras"),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device,
        "cores": cores(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or "all",
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write(folder: Path, record: dict[str, Any]) -> None:
    """Put a record into the folder in one step: a reader, or a crash, sees all of it or nothing."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=_UNFINISHED, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, folder / f"{record['run_id']}.json")
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read(path: Path) -> dict[str, Any] | None:
    """A record, or None for a file that is not one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        good = record["format"] == FORMAT and record["run_id"] == record["row"]["run_id"] == path.stem
        complete = set(_COLUMNS) <= set(record["row"]) and isinstance(record["provenance"], dict)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if good and complete else None


def load(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """The finished runs of a sweep's folder, one row a run; `frame.attrs["skipped"]` names files that are none.

    Columns: run_id, task, family, size, seed, n_params, n_params_body, tokens, steps, batch, flops
    (training, counted exactly), budget (FLOPs), learning_rate (peak), loss (validation, nats or
    squared units; NaN where the run diverged), train_loss, diverged, seconds, data_sha256, and the
    versions and device. Raises ValueError when there is no finished run.
    """
    import pandas as pd

    path = Path(folder)
    runs = path / "runs" if (path / "runs").is_dir() else path
    if not runs.is_dir():
        raise ValueError(f"There is no sweep in {str(folder)!r}: give the folder that `course sweep --out` wrote.")
    rows, skipped = [], []
    for file in sorted(runs.glob("*.json")):
        record = _read(file)
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
    row = {**record["row"], **record["provenance"]}
    row["loss"] = math.nan if row["loss"] is None else row["loss"]
    row["train_loss"] = math.nan if row["train_loss"] is None else row["train_loss"]
    return row


# --- running --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Unit:
    """One trajectory: the runs of a size and a seed that are still to be made."""

    plan: Plan
    configs: tuple[RunConfig, ...]
    folder: str

    @property
    def flops(self) -> float:
        return sum(self.plan.row(config)["flops"] for config in self.configs)


def _units(plan: Plan, folder: Path) -> list[_Unit]:
    """What is still to be done, the largest size first, so that the small ones fill the gaps at the end."""
    grouped: dict[tuple[int, int], list[RunConfig]] = {}
    for config in plan.runs:
        if _read(folder / f"{config.run_id}.json") is None:
            grouped.setdefault((-config.size, config.seed), []).append(config)
    return [_Unit(plan, tuple(configs), str(folder)) for _, configs in sorted(grouped.items())]


@cache
def _trainer(plan_key: str, size: int) -> Any:
    from course.training import Trainer

    plan = _PLANS[plan_key]
    return Trainer(plan.data, plan.family, size, plan.recipe)


_PLANS: dict[str, Plan] = {}


def _make(unit: _Unit) -> Iterator[dict[str, Any]]:
    """Make a unit's runs; each record is written when its run is done, then yielded."""
    from course.training import train_branches

    plan, size, seed = unit.plan, unit.configs[0].size, unit.configs[0].seed
    key = repr((plan.task, plan.options, plan.family, plan.recipe))
    _PLANS[key] = plan
    by_steps: dict[int, list[RunConfig]] = {}
    for config in unit.configs:
        by_steps.setdefault(config.steps, []).append(config)
    about = provenance()
    for outcome in train_branches(_trainer(key, size), list(by_steps), seed):
        for config in by_steps[outcome.steps]:
            row = plan.row(config) | {
                "loss": None if outcome.diverged else outcome.loss,
                "train_loss": outcome.train_loss if math.isfinite(outcome.train_loss) else None,
                "diverged": outcome.diverged,
                "seconds": round(outcome.seconds, 4),
                "data_sha256": config.data_sha256,
            }
            record = {"format": FORMAT, "run_id": config.run_id, "row": row, "config": asdict(config)}
            record["provenance"] = about
            _keep(Path(unit.folder), record)
            yield record


def _keep(folder: Path, record: dict[str, Any]) -> None:
    try:
        _write(folder, record)
    except OSError as error:
        raise SweepStoppedError(_not_written(folder, record, error)) from error


def _not_written(folder: Path, record: dict[str, Any], error: OSError) -> str:
    """Save the record elsewhere, if anywhere can be written, and say so."""
    why = f"A record could not be written in {folder} ({error.strerror or error})"
    after = "give the same command again: it goes on from there"
    spare = None
    try:
        spare = Path(tempfile.mkdtemp(prefix="course-sweep-"))
        _write(spare, record)
    except OSError:
        if spare is not None:
            spare.rmdir()
        return f"{why}; every run finished before is kept, so make room and {after}."
    return f"{why}, so the last run was saved as {spare / record['run_id']}.json; make room, copy it there and {after}."


def _start_worker(threads: int) -> None:
    """Set up a worker process: quiet, its share of the threads, Ctrl-C left to the parent, gone when that is gone."""
    import signal
    import threading

    from course.machine import import_tensorflow, quiet

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    with quiet():
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    import_tensorflow()


def _end_with_parent() -> None:
    """End this worker when the process that started it was killed: nobody would wait for its runs or stop it."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes in here: Ctrl-C in the terminal never reaches them, and the parent only when all are started.

    A signal that is blocked in one thread may be taken by another, so this one's handler waits as well: a
    start that is cut in two leaves a process that waits for its orders and dies with a traceback.
    """
    import signal
    import threading

    blockable = hasattr(signal, "pthread_sigmask")  # not on Windows
    came: list[int] = []
    handler = None
    if threading.current_thread() is threading.main_thread():
        handler = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blockable else None
    try:
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _make_all(unit: _Unit) -> int:
    return sum(1 for _ in _make(unit))


def run(
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    workers: int = 1,
    progress: bool | Callable[[float, float], None] = True,
) -> pd.DataFrame:
    """Make the runs of a plan that are not in `out` yet, and return all of the plan's runs as a frame.

    out: a folder, made when missing; without one the records live until the call returns. workers: processes
    on this machine, each with its share of the cores; 1 is this process. progress: a bar, in FLOPs,
    or a function of (FLOPs done, FLOPs in all). A run that diverges is recorded as such and the sweep goes on.
    Ctrl-C raises KeyboardInterrupt and loses only the runs under way. Raises SweepStoppedError when a
    record cannot be written, ValueError when `out` cannot be used.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="course-sweep-") as passing:
            return run(plan, passing, workers=workers, progress=progress)
    folder = _prepared(Path(out))
    units = _units(plan, folder)
    total = sum(plan.row(config)["flops"] for config in plan.runs)
    left = sum(unit.flops for unit in units)
    with _Progress(total, total - left, progress) as bar:
        if workers <= 1:
            for unit in units:
                for record in _make(unit):
                    bar.add(record["row"]["flops"])
        elif units:
            _in_processes(units, min(workers, len(units)), folder, bar)
    wanted = {config.run_id for config in plan.runs}
    frame = load(folder)
    kept = frame[frame["run_id"].isin(wanted)].reset_index(drop=True)
    kept.attrs.update(frame.attrs)
    return kept


def _prepared(out: Path) -> Path:
    folder = out / "runs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=_UNFINISHED, suffix=".tmp"):
            pass
        for left in folder.glob(f"{_UNFINISHED}*.tmp"):  # half-written by a process that was killed
            if time.time() - left.stat().st_mtime > 60:
                left.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(
            f"The folder {str(out)!r} cannot be written ({error.strerror or error}): name another one with --out."
        ) from None
    return folder


def _in_processes(units: list[_Unit], workers: int, folder: Path, bar: _Progress) -> None:
    import multiprocessing
    from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(max(1, cores() // workers),),
    )
    flops = {config.run_id: unit.plan.row(config)["flops"] for unit in units for config in unit.configs}
    try:
        with _interrupts_held():
            waiting = {pool.submit(_make_all, unit) for unit in units}
        while waiting:
            done, waiting = wait(waiting, timeout=0.3, return_when=FIRST_EXCEPTION)
            for run_id in [run_id for run_id in flops if (folder / f"{run_id}.json").exists()]:
                bar.add(flops.pop(run_id))
            for future in done:
                future.result()
    except BaseException as error:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise SweepStoppedError(
                f"A worker process of the sweep was ended from outside, or for want of memory; every finished run is kept "
                f"in {folder}: give the same command again, with fewer workers if memory is short."
            ) from None
        raise
    pool.shutdown()


class _Progress:
    """A bar in FLOPs, a function, or nothing."""

    def __init__(self, total: float, done: float, show: bool | Callable[[float, float], None]) -> None:
        self.total, self.done, self.show = total, done, show
        self.bar: Any = None

    def __enter__(self) -> _Progress:
        if self.show is True:
            from tqdm.auto import tqdm

            self.bar = tqdm(
                total=self.total,
                initial=self.done,
                unit="FLOP",
                unit_scale=True,
                bar_format="{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}FLOP, {elapsed} so far, {remaining} to go",
            )
        return self

    def add(self, flops: float) -> None:
        self.done += flops
        if self.bar is not None:
            self.bar.update(flops)
        elif callable(self.show):
            self.show(self.done, self.total)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()


# --- sweeps that came with the package ------------------------------------------------------------


_REFERENCE = Path(__file__).parent / "reference"
_SAME_IN_ALL = ("data_sha256", "course", "python", "tensorflow", "keras", "platform", "device", "cores", "threads")


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
    mixed = [column for column in _SAME_IN_ALL if frame[column].nunique() > 1]
    if mixed:
        raise ValueError(f"The runs differ in {', '.join(mixed)}: record a sweep that one machine made.")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=_REFERENCE.parent
    )
    about = {column: frame[column].iloc[0] for column in _SAME_IN_ALL}
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
    frame.drop(columns=list(_SAME_IN_ALL)).to_csv(path, index=False)
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
