"""Parallel training really run on this machine: TensorFlow's replicas, and two processes that share a step.

Each function starts a fresh Python, so that a notebook needs no set-up order (TensorFlow fixes its
devices when it starts, numpy its threads when it is imported), and returns numbers. `mirrored` holds
`tf.distribute.MirroredStrategy` on logical CPU devices to training on one. `two_processes` times one training
step made by one process, and by two that split the data, the layers or the matrices. Lesson 3.2.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from course.inputs import whole

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["Mirrored", "Timing", "mirrored", "two_processes"]

Array = NDArray[Any]


def _fresh(job: str, options: dict[str, Any], **environment: str) -> Any:
    """Run a job of this module in a Python of its own and return what it printed last, read as JSON."""
    package = str(Path(__file__).resolve().parent.parent)
    known = {**os.environ, **environment}
    known["PYTHONPATH"] = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "course.parallel_runs", job, json.dumps(options)]
    try:
        done = subprocess.run(command, env=known, capture_output=True, text=True, check=False, timeout=600)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"The run {job!r} in a process of its own took more than ten minutes.") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"The run {job!r} in a process of its own failed: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


# --- TensorFlow's replicas ------------------------------------------------------------------------


@dataclass(frozen=True)
class Mirrored:
    """Data-parallel training held to training on one device.

    Every difference is the largest of any weight, relative to the largest value on one device:
    `gradient` with shards of equal size, `unequal` with shards of different size, each loss divided by the whole batch's
    count; `mean_of_means` with those shards where each loss is its own shard's mean and the gradients are averaged;
    `summed_means` where they are added. `weights` after `steps` steps, `loss` the largest of any step.
    """

    devices: tuple[str, ...]
    dtype: str
    steps: int
    gradient: float
    unequal: float
    mean_of_means: float
    summed_means: float
    weights: float
    loss: float
    final_loss: float


def mirrored(
    devices: int = 2, steps: int = 30, batch: int = 64, dtypes: Sequence[str] = ("float32", "float64")
) -> list[Mirrored]:
    """Train a small network with `tf.distribute.MirroredStrategy` on logical CPU devices, and on one device.

    The same digits, batches and initial weights, Adam; one result for each number type. Takes about ten seconds, most of
    it TensorFlow's start. Raises RuntimeError, with its last line, when the process fails. Lesson 3.2.
    """
    options = {
        "devices": whole("devices", devices, 2),
        "steps": whole("steps", steps),
        "batch": whole("batch", batch, 8),
    }
    found = []
    for dtype in dtypes:
        found.append({**options, "dtype": dtype})
    rows = _fresh(
        "mirrored", {"runs": found}, CUDA_VISIBLE_DEVICES="-1", TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow"
    )
    return [Mirrored(**{**row, "devices": tuple(row["devices"])}) for row in rows]


def _mirrored_job(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In a fresh process: logical devices first, then everything else."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration() for _ in range(runs[0]["devices"])]
    tf.config.set_logical_device_configuration(cpu, logical)
    names = [device.name for device in tf.config.list_logical_devices("CPU")][: len(logical)]
    strategy = tf.distribute.MirroredStrategy(
        names
    )  # one for all runs: a second one's collectives clash with the first's
    return [_mirrored_run(tf, strategy, names, **run) for run in runs]


def _mirrored_run(
    tf: Any, strategy: Any, names: list[str], devices: int, steps: int, batch: int, dtype: str
) -> dict[str, Any]:
    import keras
    from sklearn.datasets import load_digits

    keras.backend.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = [rng.integers(0, len(labels), batch) for _ in range(steps)]

    def network() -> Any:
        keras.utils.set_random_seed(7)
        return keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)])

    def losses(model: Any, x: Any, y: Any) -> Any:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=model(x))

    def gradient(model: Any, x: Any, y: Any, divisor: Any) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(losses(model, x, y)) / divisor
        return loss, tape.gradient(loss, model.trainable_variables)

    def data(rows: Any) -> tuple[Any, Any]:
        return tf.constant(images[rows] / 16.0, dtype), tf.constant(labels[rows], tf.int32)

    def shards(rows: Any, cuts: Sequence[int]) -> tuple[Any, Any, Any]:
        """Each replica's part of the batch, and how many samples that is."""
        parts = np.split(rows, np.cumsum(cuts)[:-1])

        def spread(make: Any) -> Any:
            return strategy.experimental_distribute_values_from_function(
                lambda context: make(parts[context.replica_id_in_sync_group])
            )

        return (
            spread(lambda part: data(part)[0]),
            spread(lambda part: data(part)[1]),
            spread(lambda part: tf.constant(len(part), dtype)),
        )

    one = network()
    optimizer = keras.optimizers.Adam(0.01)
    with strategy.scope():
        many = network()
        many_optimizer = keras.optimizers.Adam(0.01)
        many_optimizer.build(many.trainable_variables)

    @tf.function
    def replicated(x: Any, y: Any, counts: Any, own: Any) -> list[Any]:
        """Gradients summed over the replicas; `own`: divide by the shard's count instead of the batch's."""

        def each(x: Any, y: Any, count: Any) -> list[Any]:
            return gradient(many, x, y, tf.where(own, count, tf.constant(batch, dtype)))[1]

        found = strategy.run(each, args=(x, y, counts))
        return [strategy.reduce("SUM", g, axis=None) for g in found]

    @tf.function
    def replicated_step(x: Any, y: Any, counts: Any) -> Any:
        def each(x: Any, y: Any, count: Any) -> Any:
            loss, found = gradient(many, x, y, tf.constant(batch, dtype))
            many_optimizer.apply_gradients(zip(found, many.trainable_variables, strict=True))  # sums over replicas
            return loss

        return strategy.reduce("SUM", strategy.run(each, args=(x, y, counts)), axis=None)

    @tf.function
    def single_step(x: Any, y: Any) -> Any:
        loss, found = gradient(one, x, y, tf.constant(batch, dtype))
        optimizer.apply_gradients(zip(found, one.trainable_variables, strict=True))
        return loss

    def apart(a: Sequence[Any], b: Sequence[Any], factor: float = 1.0) -> float:
        a, b = [np.asarray(each) for each in a], [np.asarray(each) for each in b]
        largest = max(float(np.abs(each).max()) for each in a)
        return max(float(np.abs(p - factor * q).max()) for p, q in zip(a, b, strict=True)) / largest

    rows = order[0]
    equal = [batch // devices] * (devices - 1)
    equal.append(batch - sum(equal))
    first = max(1, batch // (3 * devices))
    unequal = [first] * (devices - 1) + [batch - first * (devices - 1)]
    whole_gradient = gradient(one, *data(rows), tf.constant(batch, dtype))[1]
    by_shards = [g.numpy() for g in replicated(*shards(rows, equal), tf.constant(False))]
    by_unequal = [g.numpy() for g in replicated(*shards(rows, unequal), tf.constant(False))]
    by_means = [g.numpy() for g in replicated(*shards(rows, unequal), tf.constant(True))]
    worst = 0.0
    for rows in order:
        loss_one = float(single_step(*data(rows)))
        loss_many = float(replicated_step(*shards(rows, equal)))
        worst = max(worst, abs(loss_one - loss_many) / loss_one)
    return {
        "devices": [name.split("device:")[-1] for name in names],
        "dtype": dtype,
        "steps": steps,
        "gradient": apart(whole_gradient, by_shards),
        "unequal": apart(whole_gradient, by_unequal),
        "mean_of_means": apart(whole_gradient, by_means, 1 / devices),
        "summed_means": apart(whole_gradient, by_means),
        "weights": apart([v.numpy() for v in one.trainable_variables], [v.numpy() for v in many.trainable_variables]),
        "loss": worst,
        "final_loss": loss_one,
    }


# --- two processes --------------------------------------------------------------------------------


_KINDS = ("alone", "apart", "data", "pipeline", "tensor", "traffic")


@dataclass(frozen=True)
class Timing:
    """One way of making a training step, timed in rounds beside the others.

    `kind`: "alone" (one process), "apart" (two that each do the whole step and do not
    talk: what the machine can give), "data", "pipeline" or "tensor" (two that share it), "traffic" (two that only
    sum as many numbers as there are weights). `seconds` (rounds,) by the clock;
    `cpu_seconds` (rounds,) of work by all processes; `difference`: largest relative difference of a gradient
    from one process's.
    """

    kind: str
    samples: int
    micro_batches: int
    seconds: Array
    cpu_seconds: Array
    difference: float

    @property
    def quick(self) -> float:
        """Seconds that a quarter of the rounds stays below: the time of a round that little else disturbs."""
        return float(np.percentile(self.seconds, 25))

    def faster_than(self, other: Timing, bootstrap: int = 1000) -> tuple[float, float, float]:
        """How many times faster by the clock than `other`, made in the same rounds: ratio of `quick` times, 95 % interval."""
        picks = np.random.default_rng(0).integers(0, len(self.seconds), (bootstrap, len(self.seconds)))
        mine, theirs = (np.percentile(each.seconds[picks], 25, axis=1) for each in (self, other))
        low, high = np.percentile(theirs / mine, [2.5, 97.5])
        return other.quick / self.quick, float(low), float(high)

    def compute_of(self, other: Timing, bootstrap: int = 1000) -> tuple[float, float, float]:
        """Processor time of all processes over all rounds relative to `other`'s, and its 95 % interval.

        Unlike the clock it counts hardly anything of what else the machine does.
        """
        picks = np.random.default_rng(0).integers(0, len(self.seconds), (bootstrap, len(self.seconds)))
        low, high = np.percentile(
            self.cpu_seconds[picks].sum(axis=1) / other.cpu_seconds[picks].sum(axis=1), [2.5, 97.5]
        )
        return float(self.cpu_seconds.sum() / other.cpu_seconds.sum()), float(low), float(high)

    def speed_up(self, alone: Timing) -> tuple[float, float, float]:
        """How many times faster than one process on two free cores, from processor time, and its 95 % interval.

        2 / `compute_of(alone)`, and for a pipeline less its bubble. Waiting for a message to arrive is not in it.
        """
        busy = self.micro_batches / (self.micro_batches + 1) if self.kind == "pipeline" else 1.0
        value, low, high = self.compute_of(alone)
        return 2 * busy / value, 2 * busy / high, 2 * busy / low


def two_processes(
    jobs: Sequence[tuple[str, int, int]], width: int = 256, layers: int = 4, rounds: int = 15
) -> list[Timing]:
    """Time training steps of a network of `layers` matrices, width by width, made by one or two processes.

    jobs: (kind, samples, micro_batches) for each; see `Timing`. numpy in float32 with one thread a process;
    the two talk through a pipe, one direction at a time. In each round every job makes one step, so that a slow moment
    of the machine meets all of them; a round before the first is not counted. Raises ValueError for an
    unknown kind or an odd number of layers. Lesson 3.2.
    """
    for kind, samples, micro_batches in jobs:
        if kind not in _KINDS:
            raise ValueError(f"A job is one of {', '.join(_KINDS)}; got {kind!r}.")
        if whole("samples", samples, 2) % 2 or samples % whole("micro_batches", micro_batches):
            raise ValueError(f"2 and micro_batches divide the samples; got {samples} and {micro_batches}.")
    if whole("layers", layers) % 2:
        raise ValueError(f"Two stages take an even number of layers; got {layers}.")
    options = {
        "jobs": [list(job) for job in jobs],
        "width": whole("width", width, 2),
        "layers": layers,
        "rounds": rounds,
    }
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")
    rows = _fresh("processes", options, **one)
    return [
        Timing(*job, np.array(row["seconds"]), np.array(row["cpu"]), row["difference"])
        for job, row in zip(jobs, rows, strict=True)
    ]


class _Worker:
    """One of two processes: holds all weights, works on its part, and talks to the other."""

    def __init__(self, rank: int, other: Connection, width: int, layers: int, most: int) -> None:
        rng = np.random.default_rng(0)
        self.rank, self.other = rank, other
        self.weights = [rng.normal(0, (2 / width) ** 0.5, (width, width)).astype(np.float32) for _ in range(layers)]
        self.x = rng.normal(size=(most, width)).astype(np.float32)

    # what is sent

    def send(self, array: Array) -> None:
        self.other.send_bytes(np.ascontiguousarray(array).data)

    def receive(self, shape: tuple[int, ...]) -> Array:
        return np.frombuffer(self.other.recv_bytes(), np.float32).reshape(shape)

    def exchange(self, array: Array, shape: tuple[int, ...]) -> Array:
        """Send one, receive one: process 0 speaks first, so that neither waits for the other to listen."""
        if self.rank == 0:
            self.send(array)
            return self.receive(shape)
        got = self.receive(shape)
        self.send(array)
        return got

    def all_reduce(self, array: Array) -> Array:
        """The ring of two: each adds up one half and sends it back."""
        halves = np.array_split(array.ravel(), 2)
        mine, theirs = halves[self.rank], halves[1 - self.rank]
        whole_half = mine + self.exchange(theirs, mine.shape)
        their_half = self.exchange(whole_half, theirs.shape)
        both = (whole_half, their_half) if self.rank == 0 else (their_half, whole_half)
        return np.concatenate(both).reshape(array.shape)

    # forward and backward through some layers; every layer is followed by a ReLU

    @staticmethod
    def forward(weights: Sequence[Array], x: Array) -> list[Array]:
        held = [x]
        for w in weights:
            held.append(np.maximum(held[-1] @ w, 0))
        return held

    @staticmethod
    def backward(weights: Sequence[Array], held: list[Array], gradient: Array) -> tuple[list[Array], Array]:
        found = []
        for w, before, after in zip(weights[::-1], held[-2::-1], held[:0:-1], strict=True):
            gradient = gradient * (after > 0)
            found.append(before.T @ gradient)
            gradient = gradient @ w.T
        return found[::-1], gradient

    # the ways to make a step; the loss is half the mean squared output

    def alone(self, samples: int, _: int) -> list[Array]:
        held = self.forward(self.weights, self.x[:samples])
        return self.backward(self.weights, held, held[-1] / samples)[0]

    apart = alone

    def traffic(self, samples: int, _: int) -> list[Array]:
        return list(self.all_reduce(np.stack(self.weights)))

    def data(self, samples: int, _: int) -> list[Array]:
        half = samples // 2
        held = self.forward(self.weights, self.x[self.rank * half : (self.rank + 1) * half])
        found = self.backward(self.weights, held, held[-1] / samples)[0]
        return list(self.all_reduce(np.stack(found)))

    def pipeline(self, samples: int, m: int) -> list[Array]:
        """Layers cut in two halves; process 0 is the first stage. Returns the gradients of its own layers."""
        half, size = len(self.weights) // 2, samples // m
        weights = self.weights[:half] if self.rank == 0 else self.weights[half:]
        shape = (size, self.x.shape[1])
        held, found = [], [np.zeros_like(w) for w in weights]
        for i in range(m):
            x = self.x[i * size : (i + 1) * size] if self.rank == 0 else self.receive(shape)
            held.append(self.forward(weights, x))
            if self.rank == 0:
                self.send(held[-1][-1])
        for i in range(m):
            gradient = self.receive(shape) if self.rank == 0 else held[i][-1] / samples
            own, before = self.backward(weights, held[i], gradient)
            if self.rank == 1:
                self.send(before)
            for total, part in zip(found, own, strict=True):
                total += part
        return found

    def tensor(self, samples: int, _: int) -> list[Array]:
        """Pairs of layers, the first cut by columns, the second by rows. Returns the gradients of its own slices."""
        x, held = self.x[:samples], []
        cut = slice(0, x.shape[1] // 2) if self.rank == 0 else slice(x.shape[1] // 2, None)
        slices = [(a[:, cut], b[cut]) for a, b in zip(self.weights[::2], self.weights[1::2], strict=True)]
        for a, b in slices:
            hidden = np.maximum(x @ a, 0)
            after = np.maximum(self.all_reduce(hidden @ b), 0)
            held.append((x, hidden, after))
            x = after
        gradient, found = x / samples, list[Array]()
        for (a, b), (before, hidden, after) in zip(slices[::-1], held[::-1], strict=True):
            gradient = gradient * (after > 0)
            inner = (gradient @ b.T) * (hidden > 0)
            found += [hidden.T @ gradient, before.T @ inner]
            gradient = self.all_reduce(inner @ a.T)
        return found[::-1]

    def wanted(self, kind: str, samples: int) -> list[Array]:
        """The part of one process's gradients that this one should have found."""
        every = self.alone(samples, 1)
        half, mid = len(every) // 2, self.x.shape[1] // 2
        if kind == "pipeline":
            return every[:half] if self.rank == 0 else every[half:]
        if kind == "traffic":
            return [2 * w for w in self.weights]
        if kind == "tensor":
            cut = slice(0, mid) if self.rank == 0 else slice(mid, None)
            return [g[:, cut] if i % 2 == 0 else g[cut] for i, g in enumerate(every)]
        return every


def _work(rank: int, other: Connection, master: Connection, width: int, layers: int, most: int) -> None:
    worker = _Worker(rank, other, width, layers, most)
    while (order := master.recv()) is not None:
        kind, samples, m, compare = order
        if kind == "alone" and rank == 1:
            master.send((0.0, 0.0, 0.0))
            continue
        if kind != "alone":  # start together
            worker.exchange(np.zeros(1, np.float32), (1,))
        started, cpu = time.perf_counter(), time.process_time()
        found = getattr(worker, kind)(samples, m)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        difference = 0.0
        if compare:
            pairs = list(zip(found, worker.wanted(kind, samples), strict=True))
            difference = max(float(np.abs(a - b).max()) for a, b in pairs) / max(
                float(np.abs(b).max()) for _, b in pairs
            )
        master.send((seconds, cpu, difference))


def _processes_job(jobs: list[list[Any]], width: int, layers: int, rounds: int) -> list[dict[str, Any]]:
    """In a fresh process: start two workers and have each round make one step of every job."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    between = context.Pipe()
    most = max(job[1] for job in jobs)
    masters, workers = [], []
    for rank in (0, 1):
        mine, theirs = context.Pipe()
        workers.append(
            context.Process(target=_work, args=(rank, between[rank], theirs, width, layers, most), daemon=True)
        )
        workers[-1].start()
        masters.append(mine)
        theirs.close()
    for one in between:
        one.close()
    rows: list[dict[str, Any]] = [{"seconds": [], "cpu": [], "difference": 0.0} for _ in jobs]
    for round_ in range(rounds + 1):
        for job, row in zip(jobs, rows, strict=True):
            for master in masters:
                master.send((*job, round_ == 0))
            seconds, cpu, difference = zip(*[master.recv() for master in masters], strict=True)
            if round_ == 0:
                row["difference"] = max(difference)
            else:
                row["seconds"].append(max(seconds))
                row["cpu"].append(sum(cpu))
    for master in masters:
        master.send(None)
    for worker in workers:
        worker.join()
    return rows


if __name__ == "__main__":
    job = _mirrored_job if sys.argv[1] == "mirrored" else _processes_job
    print(json.dumps(job(**json.loads(sys.argv[2]))))
