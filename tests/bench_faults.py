"""Kill -9 at random moments of a sweep, under each executor: `python tests/bench_faults.py --kills 100`.

A sweep is started, killed at a moment drawn evenly over the length of an undisturbed one, and started again on the same
folder until it is whole; then the next folder, until there were so many kills. Half of the kills strike the process
that leads the sweep, half one of its workers where it has any. An observer outside watches the folder through the
kernel: every record that is put into it is read at once (a record that cannot be is half-written), counted (a run
put there twice ran twice to completion), and must be there at the end as it was (else something finished was lost).
Training is pretended (`pretend.py`), so that kills strike what surrounds it; starting TensorFlow would take most of the
time. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import ray_nodes

EXECUTORS = ("process", "processes", "ray")
SIZES, SEEDS, RUNS = (4, 5, 6, 7), 2, 24
SECONDS = {"process": 0.05, "processes": 0.1, "ray": 0.2}
"""Of a pretended run: so that a good part of a sweep's life is work, whatever the executor takes to start."""
HERE = Path(__file__).resolve().parent


class Observer:
    """Sees each file that is moved into a folder, and reads it at once."""

    _MOVED_TO = 0x80

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen, self.broken = folder, Counter[str](), list[str]()
        self.first: dict[str, bytes] = {}
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init()
        if self._handle < 0 or libc.inotify_add_watch(self._handle, os.fsencode(folder), self._MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), "The folder cannot be watched")
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        from course.sweeps import records

        while data := os.read(self._handle, 65536):
            while data:
                length = struct.unpack("iIII", data[:16])[3]
                name, data = data[16 : 16 + length].rstrip(b"\0").decode(), data[16 + length :]
                if name == "end":
                    return
                self.seen[name] += 1
                if records.read(self.folder / name) is None:
                    self.broken.append(name)
                self.first.setdefault(name, (self.folder / name).read_bytes())

    def wait_for(self, number: int, process: subprocess.Popen[str], seconds: float = 120) -> None:
        """Return when so many records have come, or raise: the process has ended before, or it took too long."""
        end = time.monotonic() + seconds
        while sum(self.seen.values()) < number:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{sum(self.seen.values())} of {number} records came, status {process.poll()}.")
            time.sleep(0.01)

    def close(self) -> None:
        """Take in what is still to come, and stop."""
        (self.folder / ".end").touch()
        os.replace(self.folder / ".end", self.folder / "end")
        self._thread.join()
        os.close(self._handle)
        (self.folder / "end").unlink()


@dataclass
class Faults:
    """What came of the kills."""

    executor: str
    kills: int = 0
    of_workers: int = 0
    sweeps: int = 0
    finished: int = 0
    lost: int = 0
    twice: int = 0
    half_written: int = 0
    wrong: int = 0
    struck_at: list[float] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.lost or self.twice or self.half_written or self.wrong)


@contextlib.contextmanager
def place(executor: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(address, environment) for sweeps under this executor; a Ray cluster of three nodes where it needs one."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="course-faults-")))
        seconds = {"PRETEND_SECONDS": str(SECONDS[executor])}
        address = stack.enter_context(ray_nodes.cluster(3, seconds)).address if executor == "ray" else ""
        yield address, os.environ | ray_nodes.environment(folder / "paths") | seconds


def started(
    out: Path,
    executor: str,
    address: str,
    environment: dict[str, str],
    sizes: tuple[int, ...] = SIZES,
) -> subprocess.Popen[str]:
    """A process that leads a sweep into `out`."""
    arguments = [HERE / "lead_sweep.py", out, executor, address, ",".join(map(str, sizes)), SEEDS, 2]
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers(process: subprocess.Popen[str], executor: str, address: str) -> list[psutil.Process]:
    """The processes that make the runs."""
    if executor == "ray":
        port = address.rpartition(":")[2]
        return [each for each in psutil.process_iter(["cmdline"]) if _works_for_ray(each, port)]
    with contextlib.suppress(psutil.Error):
        return [each for each in psutil.Process(process.pid).children() if "spawn_main" in " ".join(each.cmdline())]
    return []


def _works_for_ray(process: psutil.Process, port: str) -> bool:
    """Whether it is at a task of the cluster: Ray writes the task's name into the title."""
    line = " ".join(process.info["cmdline"] or [])
    if not line.startswith("ray::_work"):
        return False
    with contextlib.suppress(psutil.Error):
        return any(f":{port}" in " ".join(parent.cmdline()) for parent in process.parents())
    return False


def whole(executor: str, out: Path, address: str, environment: dict[str, str]) -> float:
    """Lead a sweep to its end; returns its seconds."""
    began = time.perf_counter()
    process = started(out, executor, address, environment)
    _, said = process.communicate(timeout=300)
    if process.returncode:
        raise RuntimeError(f"An undisturbed sweep ended with {process.returncode}: {said[-2000:]}")
    return time.perf_counter() - began


def struck(executor: str, kills: int, seed: int = 0) -> Faults:
    """Kill sweeps under one executor until there were so many kills."""
    rng, faults = random.Random(f"{executor}{seed}"), Faults(executor)
    with place(executor) as (address, environment), tempfile.TemporaryDirectory(prefix="course-faults-") as top:
        lengths = [whole(executor, Path(top) / f"undisturbed-{i}", address, environment) for i in range(2)]
        length = lengths[-1]  # the first one also warms the machine up
        while faults.kills < kills:
            out = Path(top) / f"sweep-{faults.sweeps}"
            (out / "runs").mkdir(parents=True)
            observer = Observer(out / "runs")
            while faults.kills < kills and _strike(faults, rng, length, out, executor, address, environment):
                pass
            whole(executor, out, address, environment)
            observer.close()
            _judge(faults, observer, out)
            shutil.rmtree(out)
    return faults


def _strike(
    faults: Faults,
    rng: random.Random,
    length: float,
    out: Path,
    executor: str,
    address: str,
    environment: dict[str, str],
) -> bool:
    """Start the sweep and kill it at a random moment. False when it was done before."""
    moment, at_worker = rng.uniform(0, length), rng.random() < 0.5
    process = started(out, executor, address, environment)
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        pass
    else:
        said = process.communicate()[1]
        if process.returncode:
            faults.messages.append(said.strip())
        return process.returncode != 0
    there = workers(process, executor, address) if at_worker else []
    if there:
        victim = rng.choice(there)
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
        said = process.communicate(timeout=300)[1]
        faults.of_workers += 1
        if process.returncode not in (0, 1) or "Traceback" in said:
            faults.wrong += 1
        if said.strip():
            faults.messages.append(said.strip().splitlines()[-1])
    else:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    faults.kills += 1
    faults.struck_at.append(round(moment / length, 3))
    return len(list((out / "runs").glob("*.json"))) < RUNS


def _judge(faults: Faults, observer: Observer, out: Path) -> None:
    """Compare what the observer saw with what is there at the end."""
    import pretend

    from course import sweeps

    plan = pretend.plan(SIZES, SEEDS)
    ids = {f"{config.run_id}.json" for config in plan.runs}
    there = {path.name: path.read_bytes() for path in (out / "runs").glob("*.json")}
    faults.sweeps += 1
    faults.finished += len(there)
    faults.lost += sum(there.get(name) != content for name, content in observer.first.items()) + len(ids - set(there))
    faults.twice += sum(number > 1 for number in observer.seen.values())
    faults.half_written += len(observer.broken)
    frame = sweeps.load(out)
    expected = [pretend.law(row.size, row.steps, row.seed) for row in frame.itertuples()]
    faults.wrong += len(set(there) - ids) + int((abs(frame["loss"] - expected) > 1e-12).sum())


def main(kills: int = 100) -> dict[str, Any]:
    """All executors, `kills` each; printed, and returned by name."""
    table = {}
    print(
        f"{'executor':10} {'kills':>6} {'of workers':>10} {'sweeps':>7} {'runs':>6} {'lost':>5} {'twice':>6} {'half-written':>12}"
        f" {'wrong':>6} {'seconds':>8}",
        flush=True,
    )
    for executor in EXECUTORS:
        began = time.perf_counter()
        f = struck(executor, kills)
        seconds = time.perf_counter() - began
        print(
            f"{executor:10} {f.kills:6} {f.of_workers:10} {f.sweeps:7} {f.finished:6} {f.lost:5} {f.twice:6} {f.half_written:12}"
            f" {f.wrong:6} {seconds:8.0f}",
            flush=True,
        )
        table[executor] = {name: value for name, value in vars(f).items() if name not in ("struck_at", "messages")}
        table[executor] |= {"seconds": round(seconds, 1), "median_moment": statistics.median(f.struck_at)}
        table[executor]["messages"] = dict(Counter(f.messages).most_common(5))
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="for each executor (100)")
    parser.add_argument("--executor", choices=EXECUTORS, help="only this one")
    given = parser.parse_args()
    if given.executor:
        EXECUTORS = (given.executor,)
    print(json.dumps(main(given.kills), indent=1))
