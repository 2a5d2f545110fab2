"""The executor that makes units as tasks of a Ray cluster, longest first: many machines, or many GPUs of one.

Each unit is one task that asks for a processor (or a part of a GPU) and for the memory that its size is predicted to
take. Where every machine sees the sweep's folder, the workers write the records there, so that a driver that
dies loses nothing; where one does not, each record is sent home as it is made and written here. A task that is lost with
its worker or its machine is sent out again, for the runs it still owes. Nothing runs on machines whose
versions differ from this one's. Ray is the extra `cluster`.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from course.machine import CannotRunError, quiet, said
from course.sweeps import costs, locks, making
from course.sweeps.executors import Pass, Settings
from course.sweeps.records import SweepStoppedError, cores, keep, read

__all__ = ["TRIES", "opened", "versions"]

TRIES = 4
"""Times that a unit is sent out without a run coming back before the sweep stops."""

PATIENCE = 5.0
"""Seconds that an address has to answer, twice: the machine, then Ray on it."""

_ANSWER = 120.0
"""Seconds that a machine of the cluster has to start a first worker and say what it is."""

_SMALLEST_GPU = 16e9
"""Bytes of memory of a T4: a run that fits into half or a quarter of it asks for half or a quarter of a GPU."""


def versions() -> dict[str, str]:
    """What must be the same on every machine: a run's numbers depend on it."""
    found = {}
    for name in ("scaling-laws-course", "tensorflow", "jax", "keras", "numpy"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


# --- the cluster ----------------------------------------------------------------------------------


@contextmanager
def opened(settings: Settings) -> Iterator[Pass]:
    """Connect to the cluster at `settings.address` or start one on this machine; see `course.sweeps.executors`."""
    ray = _imported()
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, settings)
    try:
        yield partial(_pass, ray, settings, _looked_over(ray, settings))
    finally:
        if ours:
            with quiet(show=False):
                ray.shutdown()


def _imported() -> Any:
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # Ray's own words about a lost machine: we say them
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a task without a GPU is not told so twice
    try:
        import ray
    except ImportError:
        raise CannotRunError(
            "Ray is not installed in this Python: `pip install 'scaling-laws-course[cluster]'` or `pip install ray` brings it."
        ) from None
    return ray


def _connect(ray: Any, settings: Settings) -> None:
    address = settings.address or os.environ.get("RAY_ADDRESS") or "local"
    if address not in ("local", "auto"):
        _reach(address)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if address == "local":
        options |= {"num_cpus": settings.workers or cores(), "include_dashboard": False}
    try:
        with quiet(show=False):
            ray.init(address=address, **options)
    except (Exception, SystemExit) as error:
        if address == "auto":
            raise CannotRunError(
                "No Ray cluster runs on this machine: start one with `ray start --head`, or name another's with --address."
            ) from None
        what = "Ray did not start on this machine" if address == "local" else f"The Ray cluster at {address} refused"
        raise CannotRunError(f"{what} ({said(error)}): `ray status` says more.") from None


def _reach(address: str) -> None:
    """Find out whether Ray answers at HOST:PORT, in seconds: Ray itself would wait for minutes."""
    host, colon, port = address.rpartition(":")
    if "://" in address or not (colon and host and port.isdigit()):
        raise ValueError(
            f"--address is HOST:PORT of the cluster's head, such as 10.0.0.1:6379, auto or local; got {address!r}. "
            "Start the sweep on a machine of the cluster."
        )
    silent = (
        f"No Ray cluster answers at {address}: start one there with `ray start --head --port {port}`, "
        "or see that this machine may reach it."
    )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise CannotRunError(silent) from error
    answer: list[Any] = []
    asking = threading.Thread(target=_ask, args=(address, answer), daemon=True)
    with quiet(show=False):
        asking.start()
        asking.join(PATIENCE)
    if not answer:
        raise CannotRunError(silent)


def _ask(address: str, answer: list[Any]) -> None:
    with suppress(Exception):
        client: Any = import_module("ray._raylet").GcsClient(address=address)
        client.internal_kv_get(b"session_name", namespace=b"session")
        answer.append(True)


@dataclass(frozen=True)
class _Cluster:
    """What the machines offer: whether all see the folder, GPUs in all, and the largest machine's bytes of memory."""

    shared: bool
    gpus: float
    bytes: float


def _looked_over(ray: Any, settings: Settings) -> _Cluster:
    """Ask every machine for its versions and whether it sees the folder. Raises SweepStoppedError where versions differ."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    claims = settings.folder.resolve().parent / locks.CLAIMS
    ask = ray.remote(num_cpus=0, max_retries=1)(_introduce)
    asked = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            str(claims / locks.identity(claims))
        )
        for node in nodes
    ]
    sees = []
    for answer in asked:
        with _told(ray), suppress(*_lost(ray)):  # a machine that went away in the meantime has no say
            theirs, seen = ray.get(answer, timeout=_ANSWER)
            _same_versions(versions(), theirs)
            sees.append(seen)
    if not sees:
        raise CannotRunError(
            "No machine of the Ray cluster has a processor to offer: add one with `ray start --address`."
        )
    resources = [node["Resources"] for node in nodes]
    cluster = _Cluster(
        shared=all(sees),
        gpus=sum(each.get("GPU", 0.0) for each in resources),
        bytes=max((each.get("memory", 0.0) for each in resources), default=0.0),
    )
    if settings.device == "gpu" and not cluster.gpus:
        raise CannotRunError(
            "No machine of the Ray cluster has a GPU: leave --device gpu out, or add a machine with one."
        )
    return cluster


def _introduce(path: str) -> tuple[dict[str, str], bool]:
    """What a machine says of itself: its versions, and whether it sees this file."""
    return versions(), Path(path).exists()


def _same_versions(ours: dict[str, str], theirs: dict[str, str]) -> None:
    for name in ours | theirs:
        if ours.get(name) != theirs.get(name):
            raise SweepStoppedError(
                f"A machine of the cluster has {name} {theirs.get(name, '(none)')} and the one that leads the sweep "
                f"{ours.get(name, '(none)')}: install the same versions on every machine, so that runs can be compared."
            )


def _lost(ray: Any) -> tuple[type[BaseException], ...]:
    """What Ray raises for work that went down with its process or machine."""
    from ray import exceptions

    names = (
        "WorkerCrashedError NodeDiedError LocalRayletDiedError OutOfMemoryError ObjectLostError TaskUnschedulableError"
    )
    return tuple(getattr(exceptions, name) for name in names.split() if hasattr(exceptions, name))


@contextmanager
def _told(ray: Any) -> Iterator[None]:
    """What a task raised, as it was raised there."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, CannotRunError | ValueError):
            raise cause from None
        raise SweepStoppedError(
            f"A run failed on a machine of the cluster ({said(cause)}); what was finished before is kept."
        ) from None


# --- the work -------------------------------------------------------------------------------------


def _pass(ray: Any, settings: Settings, cluster: _Cluster, units: Sequence[making.Unit]) -> Iterator[str]:
    """Send out the units and take in their records."""
    folder, task = settings.folder.resolve(), ray.remote(max_retries=0, num_returns="streaming")(_work)
    tries: Counter[str] = Counter()
    lost = _lost(ray)

    def sent(unit: making.Unit) -> Any:
        tries[unit.name] += 1
        return task.options(**_needs(unit, settings, cluster)).remote(unit, versions(), settings.device, cluster.shared)

    with ExitStack() as claims:
        if not cluster.shared:
            units = [unit for unit in units if claims.enter_context(unit.claimed())]
        units = [replace(unit, folder=str(folder), configs=unit.left()) for unit in making.longest_first(units)]
        waiting = {sent(unit): unit for unit in units if unit.configs}
        while waiting:
            for stream in ray.wait(list(waiting), timeout=0.5)[0]:
                unit = waiting[stream]
                try:
                    with _told(ray):
                        record = ray.get(next(stream))
                except StopIteration:
                    del waiting[stream]
                    continue
                except lost as error:
                    del waiting[stream]
                    if tries[unit.name] >= TRIES:
                        raise SweepStoppedError(_given_up(unit, error)) from None
                    unit = replace(unit, configs=unit.left())
                    if unit.configs:
                        waiting[sent(unit)] = unit
                    continue
                tries[unit.name] = 1
                if read(folder / f"{record['run_id']}.json") is None:
                    keep(folder, record)
                yield record["run_id"]


def _work(unit: making.Unit, expected: dict[str, str], device: str | None, shared: bool) -> Iterator[dict[str, Any]]:
    """The task: make a unit on a machine of the cluster; records are written there when `shared`."""
    _same_versions(expected, versions())  # of a machine that has joined since
    making.begin(int(os.environ.get("OMP_NUM_THREADS", 1)), device, unit.backend)
    if shared:
        yield from making.make(unit)
    else:
        yield from making.train(unit)


def _needs(unit: making.Unit, settings: Settings, cluster: _Cluster) -> dict[str, Any]:
    """What the unit asks the cluster for. Raises SweepStoppedError where no machine has as much memory."""
    if unit.bytes > cluster.bytes:
        raise SweepStoppedError(
            f"A run of size {unit.configs[0].size} takes about {unit.bytes / 1e9:.1f} GB and no machine of the cluster "
            f"offers more than {cluster.bytes / 1e9:.1f} GB: leave that size out, or add a larger machine."
        )
    needs: dict[str, Any] = {"num_cpus": 1, "memory": int(unit.bytes)}
    if cluster.gpus and settings.device != "cpu":
        share = costs.device_bytes(unit.plan, unit.configs[0].size) / _SMALLEST_GPU
        needs["num_gpus"] = next((part for part in (0.25, 0.5) if share <= part), 1)
    return needs


def _given_up(unit: making.Unit, error: BaseException) -> str:
    size = unit.configs[0].size
    why = "memory ran out on its machine" if type(error).__name__ == "OutOfMemoryError" else "its worker was ended"
    return (
        f"A run of size {size} was sent out {TRIES} times and {why} each time; every finished run is kept: give the same "
        "command again when the cluster is well, or leave that size out."
    )
