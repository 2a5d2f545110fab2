"""What many devices save and what they cost: time, memory and traffic of data, tensor and pipeline parallelism.

Each quantity comes twice: by its formula, and by a simulation that really moves numpy arrays between
pretended devices and counts the bytes, or plays a schedule as events. Tests hold the two together, and
`course.parallel_runs` measures the same on this machine's processes. Lesson 3.2 derives all of it.

`p` is the number of devices, `m` the number of micro-batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course.inputs import positive, whole

__all__ = [
    "WAYS",
    "Message",
    "Pipeline",
    "Reduced",
    "Span",
    "StepTime",
    "TensorSplit",
    "Work",
    "ZeroRun",
    "all_gather",
    "amdahl",
    "average_gradient",
    "bubble",
    "data_parallel_step",
    "gustafson",
    "pipeline",
    "pipeline_step",
    "reduce_scatter",
    "ring_all_reduce",
    "ring_bytes",
    "ring_step",
    "tensor_bytes",
    "tensor_parallel_step",
    "tensor_split",
    "timeline",
    "zero_bytes",
    "zero_run",
]

Array = NDArray[Any]

# --- data parallelism: the ring -------------------------------------------------------------------


def average_gradient(gradients: ArrayLike, counts: ArrayLike) -> Array:
    """Gradient of the mean loss of all samples, from the mean gradient of each device's shard. Lesson 3.2.

    gradients: (p, d), row i the mean over device i's samples; counts: (p,) samples of each device.
    Returns (d,). Raises ValueError when no device has a sample.
    """
    gradients, counts = np.asarray(gradients, dtype=float), np.asarray(counts, dtype=float)
    if counts.ndim != 1 or len(gradients) != len(counts) or not counts.sum() > 0 or counts.min() < 0:
        raise ValueError(f"One count of samples for each gradient, not all 0; got counts={counts.tolist()}.")
    return np.asarray(np.tensordot(counts, gradients, axes=1) / counts.sum())


@dataclass(frozen=True)
class Message:
    """One chunk sent from one device to the next. `phase` is "reduce" or "gather"; steps count from 0."""

    step: int
    phase: str
    sender: int
    receiver: int
    chunk: int
    n_bytes: int


@dataclass(frozen=True)
class Reduced:
    """What a collective operation left on each device, and every message that it took."""

    arrays: tuple[Array, ...]
    messages: tuple[Message, ...]

    @property
    def steps(self) -> int:
        """Rounds in which all devices send at once."""
        return 1 + max((message.step for message in self.messages), default=-1)

    def sent(self, device: int) -> int:
        """Bytes that one device sent."""
        return sum(message.n_bytes for message in self.messages if message.sender == device)

    @property
    def total(self) -> int:
        """Bytes sent by all devices together."""
        return sum(message.n_bytes for message in self.messages)


def ring_bytes(n_bytes: float, p: int) -> float:
    """Bytes that each of `p` devices sends to all-reduce an array of `n_bytes`: 2 (p - 1) / p of it.

    Patarasuk and Yuan (2009); lesson 3.2 derives it.
    """
    return 2 * (whole("p", p) - 1) / p * n_bytes


def ring_step(chunks: ArrayLike, step: int) -> Array:
    """One step of reduce-scatter on a ring: device i sends chunk (i - step) mod p to device i + 1, which adds it.

    chunks: (p, p, k), row i what device i holds, cut into p chunks of k numbers. Returns a new array
    of the same shape. After the p - 1 steps 0 ... p - 2, device i holds the whole sum of chunk i + 1. Lesson 3.2.
    """
    before = np.asarray(chunks)
    if before.ndim < 2 or before.shape[0] != before.shape[1]:
        raise ValueError(f"chunks has shape (p, p, k), a row for each device; got {before.shape}.")
    after, p = before.copy(), len(before)
    for device in range(p):
        chunk = (device - step) % p
        after[(device + 1) % p, chunk] += before[device, chunk]
    return after


def _cut(arrays: Sequence[ArrayLike]) -> tuple[list[list[Array]], tuple[int, ...]]:
    """Each device's array as p chunks of nearly equal length, and its shape."""
    held = [np.array(array) for array in arrays]
    if not held or any(array.shape != held[0].shape or array.dtype != held[0].dtype for array in held):
        raise ValueError("The ring takes one array for each device, all of the same shape and type.")
    return [list(np.array_split(array.ravel(), len(held))) for array in held], held[0].shape


def _round(
    chunks: list[list[Array]], step: int, shift: int, phase: str, first: int
) -> tuple[list[list[Array]], list[Message]]:
    """Every device sends chunk (device + shift - step) to its right, which adds it ("reduce") or keeps it ("gather")."""
    p = len(chunks)
    after, messages = [list(row) for row in chunks], []
    for device in range(p):
        right, chunk = (device + 1) % p, (device + shift - step) % p
        moved = chunks[device][chunk].copy()  # what travels
        after[right][chunk] = chunks[right][chunk] + moved if phase == "reduce" else moved
        messages.append(Message(first + step, phase, device, right, chunk, moved.nbytes))
    return after, messages


def reduce_scatter(arrays: Sequence[ArrayLike]) -> Reduced:
    """Sum the devices' arrays round the ring so that device i ends with the sum's chunk (i + 1) mod p, flat.

    Takes p - 1 steps; each device sends (p - 1) / p of the array.
    """
    chunks, _ = _cut(arrays)
    p, messages = len(chunks), []
    for step in range(p - 1):
        chunks, sent = _round(chunks, step, 0, "reduce", 0)
        messages += sent
    return Reduced(tuple(chunks[i][(i + 1) % p] for i in range(p)), tuple(messages))


def all_gather(pieces: Sequence[ArrayLike], first_step: int = 0) -> Reduced:
    """The opposite: device i holds chunk (i + 1) mod p, and in p - 1 steps every device gets the whole, flat."""
    held = [np.asarray(piece).ravel() for piece in pieces]
    p = len(held)
    chunks = [[held[(j - 1) % p] if j == (i + 1) % p else held[0][:0] for j in range(p)] for i in range(p)]
    messages: list[Message] = []
    for step in range(p - 1):
        chunks, sent = _round(chunks, step, 1, "gather", first_step)
        messages += sent
    return Reduced(tuple(np.concatenate(row) for row in chunks), tuple(messages))


def ring_all_reduce(arrays: Sequence[ArrayLike]) -> Reduced:
    """Sum the devices' arrays on every device, round a ring: `reduce_scatter`, then `all_gather`.

    Arrays of one shape and type, one a device. Takes 2 (p - 1) steps, in each of which every device
    sends one chunk to its right; `Reduced.sent` agrees with `ring_bytes` where p divides the array.
    """
    _, shape = _cut(arrays)
    reduced = reduce_scatter(arrays)
    gathered = all_gather(reduced.arrays, reduced.steps)
    return Reduced(tuple(array.reshape(shape) for array in gathered.arrays), reduced.messages + gathered.messages)


# --- tensor parallelism ---------------------------------------------------------------------------


@dataclass(frozen=True)
class TensorSplit:
    """A two-layer network computed by p devices that each hold a slice of both matrices.

    `output` (n, d_out); `w1_gradient`, `w2_gradient`, `x_gradient` in the whole arrays' shapes;
    `weight_bytes` held and `sent_bytes` sent by each device.
    """

    output: Array
    w1_gradient: Array
    w2_gradient: Array
    x_gradient: Array
    weight_bytes: tuple[int, ...]
    sent_bytes: tuple[int, ...]


def tensor_bytes(samples: int, d_in: int, d_out: int, p: int, itemsize: int = 4) -> float:
    """Bytes that each device sends for a step of `tensor_split`: one ring for the output, one for the input's gradient."""
    return ring_bytes(samples * (d_in + d_out) * itemsize, p)


def tensor_split(x: ArrayLike, w1: ArrayLike, w2: ArrayLike, output_gradient: ArrayLike, p: int) -> TensorSplit:
    """relu(x w1) w2 and its gradients, with the columns of w1 and the rows of w2 cut over `p` devices.

    x: (n, d_in); w1: (d_in, h); w2: (h, d_out); output_gradient: (n, d_out), the loss's gradient
    with respect to the output. Each device computes with its own slice; one all-reduce sums the outputs,
    one the gradients of x (Shoeybi et al. 2019, section 3). Lesson 3.2.
    """
    x, w1, w2, g = (np.asarray(array) for array in (x, w1, w2, output_gradient))
    whole("p", p)
    columns, rows = np.array_split(w1, p, axis=1), np.array_split(w2, p, axis=0)
    hidden = [np.maximum(x @ w, 0) for w in columns]
    forward = ring_all_reduce([h @ w for h, w in zip(hidden, rows, strict=True)])
    inner = [(g @ w.T) * (h > 0) for h, w in zip(hidden, rows, strict=True)]
    backward = ring_all_reduce([d @ w.T for d, w in zip(inner, columns, strict=True)])
    return TensorSplit(
        output=forward.arrays[0],
        w1_gradient=np.concatenate([x.T @ d for d in inner], axis=1),
        w2_gradient=np.concatenate([h.T @ g for h in hidden], axis=0),
        x_gradient=backward.arrays[0],
        weight_bytes=tuple(a.nbytes + b.nbytes for a, b in zip(columns, rows, strict=True)),
        sent_bytes=tuple(forward.sent(i) + backward.sent(i) for i in range(p)),
    )


# --- pipeline parallelism -------------------------------------------------------------------------


def bubble(p: int, m: int) -> float:
    """Share of the time that the devices of a pipeline stand idle: (p - 1) / (m + p - 1). Lesson 3.2.

    p equal stages, m micro-batches (Huang et al. 2019, GPipe, section 2.3). 27.3 % for p = 4, m = 8.
    """
    return (whole("p", p) - 1) / (whole("m", m) + p - 1)


@dataclass(frozen=True)
class Work:
    """One micro-batch on one stage: `kind` is "forward" or "backward"; times in the units of the schedule."""

    stage: int
    micro_batch: int
    kind: str
    start: float
    end: float


@dataclass(frozen=True)
class Pipeline:
    """A schedule played to its end: all work with its times."""

    stages: int
    micro_batches: int
    work: tuple[Work, ...]

    @property
    def time(self) -> float:
        """From the first start to the last end."""
        return max(work.end for work in self.work)

    @property
    def bubble(self) -> float:
        """Share of all devices' time in which they do nothing."""
        busy = sum(work.end - work.start for work in self.work)
        return 1 - busy / (self.stages * self.time)

    def stored(self, stage: int) -> int:
        """Most micro-batches whose forward results a stage holds at once, waiting for their backward pass."""
        own = [work for work in self.work if work.stage == stage]
        changes = [(w.start, 1) if w.kind == "forward" else (w.end, -1) for w in own]
        held = most = 0
        for _, change in sorted(changes):  # at equal times what ends goes first
            held += change
            most = max(most, held)
        return most


def _order(stage: int, p: int, m: int, schedule: str) -> list[tuple[str, int]]:
    """What a stage does, in order."""
    forward, backward = [("forward", i) for i in range(m)], [("backward", i) for i in range(m)]
    if schedule == "gpipe":
        return forward + backward
    ahead = min(p - stage, m)  # so many forward passes before the first backward pass, then one of each in turn
    turns = [item for pair in zip(backward, forward[ahead:], strict=False) for item in pair]
    return forward[:ahead] + turns + backward[m - ahead :]


def pipeline(
    p: int,
    m: int,
    forward: float | Sequence[float] = 1.0,
    backward: float | Sequence[float] = 2.0,
    send: float = 0.0,
    schedule: str = "gpipe",
) -> Pipeline:
    """Play a pipeline of `p` stages and `m` micro-batches as events.

    forward, backward: time of a micro-batch on a stage, one number or one for each stage; send: time
    for its results to reach the next stage, while both go on working. schedule: "gpipe" (all forward passes first, Huang et
    al. 2019) or "1f1b" (one forward, one backward in turn, and all stages wait for each other at the end of a step,
    Narayanan et al. 2021), which takes the same time and stores fewer results. Raises ValueError for another schedule. Lesson 3.2.
    """
    if schedule not in ("gpipe", "1f1b"):
        raise ValueError(f"schedule is 'gpipe' or '1f1b'; got {schedule!r}.")
    whole("p", p), whole("m", m)
    times = {
        "forward": np.broadcast_to(np.asarray(forward, dtype=float), p),
        "backward": np.broadcast_to(np.asarray(backward, dtype=float), p),
    }
    todo = [_order(stage, p, m, schedule) for stage in range(p)]
    free, ends, work = [0.0] * p, dict[tuple[str, int, int], float](), list[Work]()
    while any(todo):
        for stage in range(p):
            while todo[stage]:
                kind, i = todo[stage][0]
                before = stage - 1 if kind == "forward" else stage + 1
                if 0 <= before < p:
                    if (kind, before, i) not in ends:
                        break
                    ready = ends[kind, before, i] + send
                elif kind == "backward":  # the last stage turns round: its own forward pass comes before in its order
                    ready = ends["forward", stage, i]
                else:
                    ready = 0.0
                start = max(free[stage], ready)
                end = free[stage] = ends[kind, stage, i] = start + float(times[kind][stage])
                work.append(Work(stage, i, kind, start, end))
                todo[stage].pop(0)
    return Pipeline(p, m, tuple(sorted(work, key=lambda w: (w.start, w.stage))))


# --- memory: ZeRO ---------------------------------------------------------------------------------

_WEIGHT, _GRADIENT, _OPTIMIZER = 2, 2, 12
"""Bytes a parameter in mixed precision: 16-bit weight and gradient; 32-bit weight, mean and mean square of Adam."""


def zero_bytes(n_params: float, p: int, stage: int) -> float:
    """Bytes of weights, gradients and Adam's state on each of `p` devices, at ZeRO's stage 0 to 3.

    Mixed precision takes 2 + 2 + 12 bytes a parameter. Stage 1 divides the 12 among the devices, stage 2
    the gradients too, stage 3 all (Rajbhandari et al. 2020, figure 1). Activations are not counted.
    Raises ValueError for another stage. Lesson 3.2.
    """
    if stage not in (0, 1, 2, 3):
        raise ValueError(f"ZeRO has the stages 0 (nothing divided) to 3 (all divided); got {stage!r}.")
    parts = (_WEIGHT, _GRADIENT, _OPTIMIZER)
    divided = (stage >= 3, stage >= 2, stage >= 1)
    return n_params * sum(part / whole("p", p) if cut else part for part, cut in zip(parts, divided, strict=True))


@dataclass(frozen=True)
class ZeroRun:
    """Steps of Adam on `p` devices at one stage: the final `weights`, and what each device held and sent.

    `held_bytes` (p,) after a step's gradients are there; `sent_bytes` (p,) in all.
    """

    weights: Array
    held_bytes: tuple[int, ...]
    sent_bytes: tuple[int, ...]


def zero_run(targets: ArrayLike, stage: int, steps: int = 5, rate: float = 0.1) -> ZeroRun:
    """Really take steps of Adam with weights, gradients and state held by p devices as ZeRO's stage says.

    targets: (p, n), where device i's loss is half the squared distance of the weights to row i, so that
    its gradient is w - targets[i]. Weights and gradients are 16-bit, the rest 32-bit. All stages give
    the same weights, to the bit; they differ in bytes held and sent. At stage 3 weights are gathered
    twice a step, for the forward and the backward pass, and given up again.
    """
    targets = np.asarray(targets, dtype=np.float16)
    p, n = targets.shape
    zero_bytes(n, p, stage)
    cuts = [np.array_split(np.arange(n), p)[(i + 1) % p] for i in range(p)]  # the chunk the ring leaves on device i
    mine = cuts if stage >= 1 else [np.arange(n)] * p
    state = [{name: np.zeros(len(own), np.float32) for name in ("weight", "mean", "square")} for own in mine]
    weights = [np.zeros(len(own) if stage == 3 else n, np.float16) for own in mine]
    sent = np.zeros(p, dtype=int)
    held: tuple[int, ...] = ()
    for step in range(1, steps + 1):
        at_work = weights
        if stage == 3:
            for _ in ("forward", "backward"):
                gathered = all_gather(weights)
                sent += [gathered.sent(i) for i in range(p)]
            at_work = list(gathered.arrays)
        gradients = [w - target for w, target in zip(at_work, targets, strict=True)]
        reduced = ring_all_reduce(gradients) if stage == 0 else reduce_scatter(gradients)
        sent += [reduced.sent(i) for i in range(p)]
        kept = reduced.arrays if stage in (0, 2, 3) else gradients  # stage 1 keeps room for the whole gradient
        held = tuple(
            weights[i].nbytes + kept[i].nbytes + sum(array.nbytes for array in state[i].values()) for i in range(p)
        )
        fresh = []
        for i, own in enumerate(state):
            gradient = reduced.arrays[i].astype(np.float32) / p
            own["mean"] = np.float32(0.9) * own["mean"] + np.float32(0.1) * gradient
            own["square"] = np.float32(0.99) * own["square"] + np.float32(0.01) * gradient**2
            mean, square = own["mean"] / np.float32(1 - 0.9**step), own["square"] / np.float32(1 - 0.99**step)
            own["weight"] = own["weight"] - np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-8))
            fresh.append(own["weight"].astype(np.float16))
        if stage in (1, 2):
            gathered = all_gather(fresh)
            sent += [gathered.sent(i) for i in range(p)]
            fresh = list(gathered.arrays)
        weights = fresh
    final = all_gather(weights).arrays[0] if stage == 3 else weights[0]
    return ZeroRun(final, held, tuple(int(each) for each in sent))


# --- one step as a timeline -----------------------------------------------------------------------

WAYS = ("data", "zero 1", "zero 3", "tensor", "pipeline")
"""The ways to share a step that `timeline` knows."""


@dataclass(frozen=True)
class Span:
    """What a device does from `start` to `end`: `kind` is "forward", "backward", "reduce" or "gather"."""

    device: int
    kind: str
    start: float
    end: float


def timeline(
    way: str, p: int, *, layers: int = 4, m: int = 8, forward: float = 1.0, ring: float = 0.1, layer_ring: float = 0.02
) -> tuple[Span, ...]:
    """One training step on `p` devices as what each of them does when; see `WAYS`.

    forward: time of one device's whole forward pass, its backward pass takes twice that; ring: time to
    send an array of all parameters once, so that each half of an all-reduce takes (p - 1) / p of it;
    layer_ring: the same for one layer's results. "zero 1" adds gradients up, updates its own chunk and gathers
    the weights; "zero 3" gathers the weights before each pass as well, and then adds gradients up. A pipeline's sends are
    left out. Raises ValueError for another way. Lesson 3.2.
    """
    if way not in WAYS:
        raise ValueError(f"way is one of {', '.join(WAYS)}; got {way!r}.")
    whole("p", p), whole("layers", layers)
    if way == "pipeline":
        played = pipeline(p, m, forward / (p * m), 2 * forward / (p * m))
        return tuple(Span(work.stage, work.kind, work.start, work.end) for work in played.work)
    half, layer_half = (p - 1) / p * ring, (p - 1) / p * layer_ring
    there, back = ("forward", forward / p), ("backward", 2 * forward / p)
    order = {
        "data": [there, back, ("reduce", half), ("gather", half)],
        "zero 1": [there, back, ("reduce", half), ("gather", half)],
        "zero 3": [("gather", half), there, ("gather", half), back, ("reduce", half)],
        "tensor": [
            part
            for kind, seconds in (there, back)
            for _ in range(layers)
            for part in ((kind, seconds / layers), ("reduce", layer_half), ("gather", layer_half))
        ],
    }[way]
    spans, now = list[Span](), 0.0
    for kind, seconds in order:
        spans += [Span(device, kind, now, now + seconds) for device in range(p)]
        now += seconds
    return tuple(spans)


# --- time -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepTime:
    """Seconds of one training step on `p` devices: computing, idle in the bubble, sending bytes, and starting messages."""

    p: int
    compute: float
    idle: float
    traffic: float
    latency: float

    @property
    def total(self) -> float:
        """Seconds of the step, nothing overlapped."""
        return self.compute + self.idle + self.traffic + self.latency


def _machine(flops: float, bandwidth: float, latency: float) -> None:
    positive("flops", flops), positive("bandwidth", bandwidth)
    if not latency >= 0:
        raise ValueError(f"latency is a number of seconds, 0 or more; got {latency!r}.")


def data_parallel_step(
    n_params: float, tokens: float, p: int, *, flops: float, bandwidth: float, latency: float = 0.0, itemsize: int = 2
) -> StepTime:
    """A step on `tokens` tokens shared by `p` devices, then the gradients summed round a ring.

    flops: FLOP/s of a device; bandwidth: bytes/s that it sends; latency: s a message; itemsize: bytes a
    gradient. The step is 6 n_params tokens FLOPs. Strong scaling keeps `tokens`, weak scaling makes it grow with p.
    """
    _machine(flops, bandwidth, latency)
    traffic = ring_bytes(n_params * itemsize, p) / bandwidth
    return StepTime(p, 6 * n_params * tokens / (flops * p), 0.0, traffic, 2 * (p - 1) * latency)


def tensor_parallel_step(
    width: int,
    layers: int,
    tokens: float,
    p: int,
    *,
    flops: float,
    bandwidth: float,
    latency: float = 0.0,
    itemsize: int = 2,
) -> StepTime:
    """A step of a Transformer of `layers` layers, 12 width^2 weights each, every matrix cut over `p` devices.

    Each layer sums its (tokens, width) results round a ring four times (Shoeybi et al. 2019, figure 4).
    """
    _machine(flops, bandwidth, latency)
    traffic = 4 * layers * ring_bytes(tokens * width * itemsize, p) / bandwidth
    compute = 6 * 12 * width**2 * layers * tokens / (flops * p)
    return StepTime(p, compute, 0.0, traffic, 4 * layers * 2 * (p - 1) * latency)


def pipeline_step(
    width: int,
    layers: int,
    tokens: float,
    p: int,
    m: int,
    *,
    flops: float,
    bandwidth: float,
    latency: float = 0.0,
    itemsize: int = 2,
) -> StepTime:
    """A step of the same Transformer cut into `p` equal stages, its tokens into `m` micro-batches.

    Sending goes on beside computing, so only the p - 1 sends on the way there and back are waited for.
    """
    _machine(flops, bandwidth, latency)
    compute = 6 * 12 * width**2 * layers * tokens / (flops * p)
    traffic = 2 * (p - 1) * tokens / whole("m", m) * width * itemsize / bandwidth
    return StepTime(p, compute, compute * (p - 1) / m, traffic, 2 * (p - 1) * latency)


def amdahl(p: ArrayLike, serial: float) -> Any:
    """Speed-up on `p` devices when a share `serial` of the work cannot be shared: 1 / (serial + (1 - serial) / p)."""
    return 1 / (serial + (1 - serial) / np.asarray(p, dtype=float))


def gustafson(p: ArrayLike, serial: float) -> Any:
    """The same where the shareable work grows with p and one device's time is held: serial + (1 - serial) p."""
    return serial + (1 - serial) * np.asarray(p, dtype=float)
