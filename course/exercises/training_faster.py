"""Exercises of lesson 3.2: shards, a ring, its bytes, a bubble, memory in shards, the noise scale, a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course import noise_scale, parallelism
from course.exercises.specification import Case, Exercise, Mistake

# --- 3.2.1 the average of shards ------------------------------------------------------------------


def _shard_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for p, d in ((2, 1), (2, 3), (3, 2), (5, 4)):
        counts = rng.permutation(np.arange(1, 3 * p, 2)[:p] * int(rng.integers(2, 5)))
        cases.append(Case((np.round(rng.normal(size=(p, d)), 2), counts), "unequal shards"))
    for p, d in ((2, 2), (4, 3)):
        counts = np.full(p, int(rng.integers(3, 40)))
        cases.append(Case((np.round(rng.normal(size=(p, d)), 2), counts), "equal shards"))
    return cases


def _shards(formula: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda gradients, counts: formula(np.asarray(gradients, float), np.asarray(counts, float)[:, None])


_SHARD_MISTAKES = (
    Mistake(
        "mean of means",
        _shards(lambda g, n: g.mean(axis=0)),
        "This is the mean of the devices' means. It is right only where all shards are equally large: a shard of 2 samples "
        "counts here as much as one of 20. Weigh each mean by its number of samples.",
    ),
    Mistake(
        "sum of means",
        _shards(lambda g, n: g.sum(axis=0)),
        "You added the devices' means. Each is already a full-sized gradient, so their sum is p times too large, and "
        "training would take p times too large a step.",
    ),
    Mistake(
        "summed gradient",
        _shards(lambda g, n: (n * g).sum(axis=0)),
        "Count times mean gives a shard's sum, which is right, and the sums add up. Then divide by the number of all samples.",
    ),
    Mistake(
        "divided by the devices",
        _shards(lambda g, n: (n * g).mean(axis=0)),
        "The weights are right, the divisor is not: divide by the number of all samples, not by the number of devices.",
    ),
    Mistake(
        "divided by the counts",
        _shards(lambda g, n: (g / n).sum(axis=0)),
        "You divided each gradient by its count. The rows of `gradients` are means already; *multiply* by the count to "
        "get a shard's sum back.",
    ),
    Mistake(
        "one number",
        _shards(lambda g, n: (n * g).sum() / n.sum() / g.shape[1]),
        "You averaged over the parameters as well. The gradient keeps one number for each parameter: sum over the devices "
        "alone (axis 0).",
    ),
)

# --- 3.2.2 one step of the ring -------------------------------------------------------------------


def _ring_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for p, k, step in ((2, 1, 0), (3, 1, 0), (4, 2, 0), (3, 1, 1), (4, 1, 2), (5, 2, 3)):
        chunks = rng.integers(1, 10, size=(p, p, k)).astype(float)
        cases.append(Case((chunks, step), "first step" if step == 0 else "later steps"))
    return cases


def _ring(
    pick: Callable[[int, int, int], int], to: int = 1, add: bool = True, leave: bool = True
) -> Callable[[Any, int], Any]:
    """A wrong step: chunk pick(device, step, p) goes `to` devices to the right."""

    def step_of(chunks: Any, step: int) -> Any:
        before = np.asarray(chunks, dtype=float)
        after, p = before.copy(), len(before)
        for i in range(p):
            c = pick(i, step, p) % p
            after[(i + to) % p, c] = before[i, c] + (before[(i + to) % p, c] if add else 0)
        if not leave:
            for i in range(p):
                after[i, pick(i, step, p) % p] = 0
        return after

    return step_of


def _from_zeros(chunks: Any, step: int) -> Any:
    chunks = np.asarray(chunks, dtype=float)
    return _ring(lambda i, s, p: i - s)(chunks, step) - chunks


def _everything(chunks: Any, step: int) -> Any:
    chunks = np.asarray(chunks, dtype=float)
    return chunks + np.roll(chunks, 1, axis=0)


_RING_MISTAKES = (
    Mistake(
        "replaced",
        _ring(lambda i, s, p: i - s, add=False),
        "The receiver threw its own numbers away. It *adds* what arrives to what it holds: after p - 1 steps the chunk has "
        "collected every device's part.",
    ),
    Mistake(
        "from zeros",
        _from_zeros,
        "You kept only what was sent. Each device still holds its own chunks: start from a copy of `chunks`, and add to it.",
    ),
    Mistake(
        "to the left",
        _ring(lambda i, s, p: i - s, to=-1),
        "Your chunks travel to device i - 1. They go to the right: to device (i + 1) mod p.",
    ),
    Mistake(
        "the other way",
        _ring(lambda i, s, p: i + s),
        "The chunk's number runs the wrong way: device i sends chunk (i + step) mod p in yours. A device passes on the chunk "
        "that it has just received, and that came from device i - 1: (i - step) mod p.",
    ),
    Mistake(
        "the same chunk each step",
        _ring(lambda i, s, p: i),
        "Device i sends chunk i in every step. From step 1 on it must pass on what it has just received: chunk "
        "(i - step) mod p.",
    ),
    Mistake(
        "everything at once",
        _everything,
        "Every device sent all of its chunks. In one step each device sends a single chunk, 1/p of the array: that is what "
        "makes the ring cheap.",
    ),
    Mistake(
        "given away",
        _ring(lambda i, s, p: i - s, leave=False),
        "You set what was sent to 0. Sending copies: the sender keeps its numbers (they are written over later, by the "
        "gather).",
    ),
    Mistake(
        "nothing sent", lambda chunks, step: np.array(chunks), "Nothing moved: you returned the chunks as they came."
    ),
)

# --- 3.2.3 its bytes ------------------------------------------------------------------------------


def _byte_cases(rng: np.random.Generator) -> list[Case]:
    cases = [Case((float(1000 * rng.integers(2, 9)), 1), "many devices")]
    for p in (2, 3, 8, 64):
        cases.append(Case((float(p * 1000 * rng.integers(2, 90)), p), "many devices"))
    return cases


_BYTE_MISTAKES = (
    Mistake(
        "one way",
        lambda n, p: (p - 1) / p * n,
        "This is the reduce-scatter alone: each device then holds *one* summed chunk. The all-gather, which hands the sums "
        "round, sends as much again: a factor of 2.",
    ),
    Mistake(
        "p in place of p - 1",
        lambda n, p: 2.0 * n,
        "You let each half take p steps. A chunk has collected all p parts after p - 1 steps: the first part was there "
        "from the start. (With p = 1 nothing is sent at all.)",
    ),
    Mistake(
        "whole arrays",
        lambda n, p: 2.0 * (p - 1) * n,
        "This is what all devices send together, or one that sends its whole array in each of the 2 (p - 1) steps. "
        "One device sends one chunk a step, and a chunk is 1/p of the array.",
    ),
    Mistake(
        "divided by p",
        lambda n, p: 2.0 * n / p,
        "This is one step of each half. Each half has p - 1 steps.",
    ),
    Mistake(
        "one whole array",
        lambda n, p: float(n),
        "Sending the array once is what a device does when a central server adds everything up (and the server then "
        "receives p of them). On the ring count the chunks: 2 (p - 1) steps of 1/p.",
    ),
    Mistake(
        "to everyone",
        lambda n, p: float((p - 1) * n),
        "This is every device sending its array to every other one. On the ring a device sends to its right neighbour only, "
        "a chunk at a time.",
    ),
)

# --- 3.2.4 the bubble -----------------------------------------------------------------------------


def _bubble_cases(rng: np.random.Generator) -> list[Case]:
    cases = [Case((4, 8), "many micro-batches"), Case((1, int(rng.integers(2, 9))), "many micro-batches")]
    cases += [Case((int(rng.integers(2, 9)), int(rng.integers(9, 40))), "many micro-batches") for _ in range(2)]
    cases += [Case((p, 1), "one micro-batch") for p in (2, 5)]
    return cases


_BUBBLE_MISTAKES = (
    Mistake(
        "busy share",
        lambda p, m: m / (m + p - 1),
        "This is the share of the time in which a stage works. The bubble is the rest: 1 minus this.",
    ),
    Mistake(
        "without micro-batches",
        lambda p, m: (p - 1) / p,
        "This is the bubble of a single micro-batch. With m of them each stage works m slots, and the whole takes more.",
    ),
    Mistake(
        "p in place of p - 1",
        lambda p, m: p / (m + p - 1),
        "You counted p idle slots. A stage waits for the p - 1 others: with one stage nothing is ever idle.",
    ),
    Mistake(
        "one slot too many",
        lambda p, m: (p - 1) / (m + p),
        "The whole takes m + p - 1 slots, not m + p: the last stage starts in slot p and then works m slots, p among them.",
    ),
    Mistake(
        "against the work",
        lambda p, m: (p - 1) / m,
        "This is idle time over *working* time. The share of all the time has idle and working slots below the line.",
    ),
    Mistake(
        "m + p", lambda p, m: p / (m + p), "Both counts are one too many: with one stage (p = 1) the bubble must be 0."
    ),
    Mistake(
        "stages and batches exchanged",
        lambda p, m: (m - 1) / (m + p - 1),
        "You exchanged the two: p is the number of stages, m that of micro-batches. More micro-batches make the bubble "
        "smaller.",
    ),
)

# --- 3.2.5 memory in shards -----------------------------------------------------------------------


def _zero_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for stage in (0, 1, 2, 3):
        for p in (2, 64):
            cases.append(Case((int(rng.integers(1, 90)) * 10**6, p, stage), f"stage {stage}"))
    return cases


def _zero(parts: Callable[[int], tuple[float, float, float]]) -> Callable[[float, int, int], float]:
    """A wrong memory: parts(stage) are the bytes a parameter that are whole, and that are divided."""

    def memory(n: float, p: int, stage: int) -> float:
        kept, divided, extra = parts(stage)
        return n * (kept + divided / p + extra)

    return memory


_WHOLE = ((16, 0), (4, 12), (2, 14), (0, 16))
_ZERO_MISTAKES = (
    Mistake(
        "all divided",
        lambda n, p, stage: 16 * n / p,
        "You divided everything at every stage. That is stage 3; stage 1 divides the optimiser's 12 bytes only, stage 2 the "
        "gradients as well, stage 0 nothing.",
    ),
    Mistake(
        "nothing divided",
        lambda n, p, stage: 16.0 * n,
        "16 bytes a parameter is what one device holds alone. From stage 1 on, parts of it are divided by p.",
    ),
    Mistake(
        "one stage late",
        _zero(lambda stage: (*_WHOLE[max(stage - 1, 0)], 0)),
        "You are one stage behind: stage 1 already divides the optimiser's state, and at stage 3 nothing is whole any more.",
    ),
    Mistake(
        "one part at a time",
        _zero(lambda stage: ((16, 0, 0), (4, 12, 0), (14, 2, 0), (14, 2, 0))[stage]),
        "You divided a single part at each stage. The stages build on each other: stage 2 divides Adam's state *and* the "
        "gradients, stage 3 the weights as well.",
    ),
    Mistake(
        "weights first",
        _zero(lambda stage: ((16, 0, 0), (14, 2, 0), (12, 4, 0), (0, 16, 0))[stage]),
        "You divided the weights first. The order is optimiser state (12 bytes), gradients (2), weights (2): the largest part "
        "first, and it costs no extra traffic.",
    ),
    Mistake(
        "32-bit gradients",
        _zero(lambda stage: ((18, 0, 0), (6, 12, 0), (2, 16, 0), (0, 18, 0))[stage]),
        "You took 4 bytes for a gradient. Here gradients are 16-bit, 2 bytes; programs that keep them in 32 bits do need 18 "
        "bytes a parameter.",
    ),
    Mistake(
        "no 32-bit weights",
        _zero(lambda stage: ((12, 0, 0), (4, 8, 0), (2, 10, 0), (0, 12, 0))[stage]),
        "Adam's state is 12 bytes here, not 8: besides the mean and the mean square there is a 32-bit copy of the weight, to "
        "which small steps are added.",
    ),
    Mistake(
        "kept besides",
        lambda n, p, stage: n * (16 if stage == 0 else (16 - (12, 14, 16)[stage - 1] * (p - 1))),
        "You took (p - 1) times the divided part away. A device keeps 1/p of that part, so it gives up (p - 1)/p of it.",
    ),
)

# --- 3.2.6 the noise scale ------------------------------------------------------------------------


def _scale(small_squared: Any, large_squared: Any, small: int, large: int) -> float:
    return noise_scale.noise_scale(small_squared, large_squared, small, large).scale


def _scale_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for small, large, repeats, part in (
        (1, 2, 2, "few measurements"),
        (2, 8, 3, "few measurements"),
        (4, 32, 40, "many measurements"),
        (16, 256, 60, "many measurements"),
    ):
        d = 5
        truth = rng.normal(size=d)
        truth *= 1 / np.linalg.norm(truth)
        spread = float(rng.uniform(0.4, 0.9)) * np.sqrt(small)

        def lengths(
            batch: int, truth: Any = truth, repeats: int = repeats, spread: float = spread, d: int = d
        ) -> np.ndarray:
            noise = rng.normal(size=(repeats, d)) * spread / np.sqrt(batch)
            return np.round(((truth + noise) ** 2).sum(axis=1), 3)

        while True:
            low, high = lengths(small), lengths(large)
            found = noise_scale.noise_scale(low, high, small, large)
            if found.gradient_squared > 0.2 and found.trace > 0.2:
                break
        cases.append(Case((low, high, small, large), part))
    return cases


def _parts(s: Any, b: Any, small: int, large: int) -> tuple[Any, Any]:
    s, b = np.asarray(s, dtype=float), np.asarray(b, dtype=float)
    return (large * b - small * s) / (large - small), (s - b) / (1 / small - 1 / large)


def _scale_of(formula: Callable[..., Any]) -> Callable[..., Any]:
    """A wrong estimate from the two averages: formula(mean small, mean large, small, large)."""

    def estimate(s: Any, b: Any, small: int, large: int) -> Any:
        with np.errstate(all="ignore"):
            return formula(np.mean(s), np.mean(b), small, large)

    return estimate


def _ratio_averaged(s: Any, b: Any, small: int, large: int) -> Any:
    with np.errstate(all="ignore"):
        gradient, trace = _parts(s, b, small, large)
        return float(np.mean(trace / gradient))


_SCALE_MISTAKES = (
    Mistake(
        "ratio averaged",
        _ratio_averaged,
        "You took the ratio of each measurement and averaged the ratios. A single estimate of |G|² may be near 0 or negative, and "
        "then its ratio is huge or of the wrong sign. Average both parts first, then divide once.",
    ),
    Mistake(
        "batch sizes exchanged",
        _scale_of(lambda s, b, m, n: ((s - b) / (1 / n - 1 / m)) / ((m * b - n * s) / (m - n))),
        "The batch sizes are exchanged: `small_squared` was measured with `small` samples. Put 1/small and 1/large where they "
        "belong; the larger batch gives the *shorter* gradient.",
    ),
    Mistake(
        "sign",
        _scale_of(lambda s, b, m, n: ((b - s) / (1 / m - 1 / n)) / ((n * b - m * s) / (n - m))),
        "The trace has the wrong sign. A small batch's gradient is longer on average, so small minus large goes with "
        "1/small - 1/large.",
    ),
    Mistake(
        "large batch taken for the truth",
        _scale_of(lambda s, b, m, n: ((s - b) / (1 / m - 1 / n)) / b),
        "You divided by the large batch's squared length. It still holds the noise tr(Sigma)/large, so it is too long: solve the "
        "two equations for |G|² as well.",
    ),
    Mistake(
        "upside down",
        _scale_of(lambda s, b, m, n: ((n * b - m * s) / (n - m)) / ((s - b) / (1 / m - 1 / n))),
        "This is |G|² over the trace. The noise scale is noise over signal: tr(Sigma) / |G|².",
    ),
    Mistake(
        "trace alone",
        _scale_of(lambda s, b, m, n: (s - b) / (1 / m - 1 / n)),
        "This is tr(Sigma). Divide it by |G|².",
    ),
    Mistake(
        "not multiplied out",
        _scale_of(lambda s, b, m, n: (s - b) / ((n * b - m * s) / (n - m))),
        "The difference of the two lengths is tr(Sigma) times (1/small - 1/large): divide by that bracket to get tr(Sigma).",
    ),
    Mistake(
        "root taken",
        _scale_of(lambda s, b, m, n: np.sqrt(((s - b) / (1 / m - 1 / n)) / ((n * b - m * s) / (n - m)))),
        "You took a root at the end. The noise scale is a ratio of squared lengths, as it is: it counts samples.",
    ),
)

# --- 3.2.7 steps and samples ----------------------------------------------------------------------


def _tradeoff(batch: float, least_steps: float, critical_batch: float) -> tuple[float, float]:
    law = noise_scale.Tradeoff(least_steps, least_steps * critical_batch, np.zeros(0))
    steps = float(law.steps(batch))
    return steps, steps * batch


def _tradeoff_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for factor, part in ((4, "below the critical batch"), (16, "below the critical batch"), (1, "at and above it")):
        critical = int(16 * rng.integers(2, 40))
        cases.append(Case((critical // factor, int(rng.integers(20, 900)), critical), part))
    for factor in (3, 10):
        critical = int(rng.integers(20, 300))
        cases.append(Case((critical * factor, int(rng.integers(20, 900)), critical), "at and above it"))
    return cases


_TRADEOFF_MISTAKES = (
    Mistake(
        "no least steps",
        lambda b, s, c: (s * c / b, s * c),
        "You left the 1 out: in yours the steps fall to zero for a large batch. Even with the exact gradient, `least_steps` steps "
        "are needed.",
    ),
    Mistake(
        "upside down",
        lambda b, s, c: (s * (1 + b / c), s * (1 + b / c) * b),
        "In yours the steps *grow* with the batch. It is critical_batch / batch, not the other way round.",
    ),
    Mistake(
        "samples of the least steps",
        lambda b, s, c: (s * (1 + c / b), s * b),
        "The steps are right. Samples are *these* steps times the batch; you took the least steps.",
    ),
    Mistake(
        "least samples",
        lambda b, s, c: (s * (1 + c / b), s * c),
        "The steps are right. `least_steps * critical_batch` is the least number of samples, which only a very small "
        "batch comes near; here samples are steps times batch.",
    ),
    Mistake(
        "exchanged",
        lambda b, s, c: (s * (b + c), s * (1 + c / b)),
        "Steps come first, then samples.",
    ),
    Mistake(
        "divided by the batch",
        lambda b, s, c: (s * (1 + c / b), s * (1 + c / b) / b),
        "Each step uses `batch` samples: multiply the steps by it.",
    ),
)

# --- 3.2.8 a plan ---------------------------------------------------------------------------------


def _lacks(*words: str) -> Callable[[str], bool]:
    return lambda text: not any(word in text for word in words)


_PLAN = (
    "Plain Adam needs 120 GB a device for 7.5 billion parameters, and a device has 80 GB, so the state must be divided: ZeRO's "
    "stage 1 takes 31 GB and sends no more bytes than plain data parallelism, which leaves memory for activations. So I "
    "use data parallelism over all 64 devices, no pipeline and no tensor split. The traffic is 2 * 63/64 of 15 GB of "
    "gradients a step, 1.2 seconds at 25 GB/s, so a step should compute for ten seconds or more: that "
    "asks for a batch of about 4 million tokens. Whether so large a batch is worth it I learn from the gradient noise scale, "
    "measured in a short run from two batch sizes: above the critical batch I would pay more FLOPs for the same loss. "
    "I time one step on 1, 8 and 64 devices, and change the plan if the efficiency falls below 80 per cent."
)

EXERCISES = (
    Exercise(
        id="3.2.1",
        title="One gradient from many shards",
        points=1,
        minutes=6,
        difficulty=1,
        reference=parallelism.average_gradient,
        cases=_shard_cases,
        mistakes=_SHARD_MISTAKES,
        hints=(
            "The mean over all samples is the sum over all samples, divided by how many there are.",
            "A shard's sum is its count times its mean: `counts[:, None] * gradients` has a row for each shard.",
            "Add the rows (axis 0) and divide by `counts.sum()`.",
        ),
    ),
    Exercise(
        id="3.2.2",
        title="One step of the ring",
        points=2,
        minutes=10,
        difficulty=2,
        reference=parallelism.ring_step,
        cases=_ring_cases,
        mistakes=_RING_MISTAKES,
        hints=(
            "Make a copy of `chunks` to write to, and loop over the devices. Each sends one chunk: which one?",
            "Device i sends `chunks[i, (i - step) % p]`; the receiver is `(i + 1) % p`.",
            "`after[(i + 1) % p, c] += chunks[i, c]` with `c = (i - step) % p`.",
        ),
    ),
    Exercise(
        id="3.2.3",
        title="What a ring costs",
        points=1,
        minutes=4,
        difficulty=1,
        reference=parallelism.ring_bytes,
        cases=_byte_cases,
        mistakes=_BYTE_MISTAKES,
        rtol=1e-9,
        hints=(
            "How large is a chunk, how many does a device send in the scatter, and how many in the gather?",
            "A chunk is n_bytes / p; each half takes p - 1 steps with one chunk each.",
            "2 * (p - 1) / p * n_bytes.",
        ),
    ),
    Exercise(
        id="3.2.4",
        title="The bubble",
        points=1,
        minutes=5,
        difficulty=1,
        reference=parallelism.bubble,
        cases=_bubble_cases,
        mistakes=_BUBBLE_MISTAKES,
        rtol=1e-9,
        hints=(
            "Count slots, all equally long, for the forward passes alone. When does the last stage begin, and when does it end?",
            "The last stage begins after p - 1 slots and works m: the whole takes m + p - 1. Every stage works m of them.",
            "(p - 1) / (m + p - 1). Backward passes add the same shape once more, so the share stays.",
        ),
    ),
    Exercise(
        id="3.2.5",
        title="Memory in shards",
        points=2,
        minutes=7,
        difficulty=2,
        reference=parallelism.zero_bytes,
        cases=_zero_cases,
        mistakes=_ZERO_MISTAKES,
        rtol=1e-9,
        hints=(
            "For one parameter there are three parts: 12, 2 and 2 bytes. At each stage one more of them is divided by p.",
            "Stage 1: 2 + 2 + 12 / p. Stage 2: 2 + (2 + 12) / p.",
            "`optimizer = 12 / p if stage >= 1 else 12`, and the same for gradients from stage 2 and weights from stage 3.",
        ),
    ),
    Exercise(
        id="3.2.6",
        title="The noise scale from two batch sizes",
        points=3,
        minutes=12,
        difficulty=3,
        reference=_scale,
        cases=_scale_cases,
        mistakes=_SCALE_MISTAKES,
        hints=(
            "Average each array first. Then there are two equations, mean = |G|² + trace / batch, and two unknowns.",
            "Subtract them: trace = (mean_small - mean_large) / (1 / small - 1 / large).",
            "Multiply each by its batch size and subtract: |G|² = (large * mean_large - small * mean_small) / (large - small).",
        ),
    ),
    Exercise(
        id="3.2.7",
        title="Steps and samples",
        points=1,
        minutes=5,
        difficulty=1,
        reference=_tradeoff,
        cases=_tradeoff_cases,
        mistakes=_TRADEOFF_MISTAKES,
        rtol=1e-9,
        hints=(
            "The formula gives the steps. How many samples does a step use?",
            "steps = least_steps * (1 + critical_batch / batch), samples = steps * batch.",
        ),
    ),
    Exercise(
        id="3.2.8",
        title="Sixty-four devices",
        points=3,
        minutes=12,
        difficulty=3,
        kind="text",
        reference=_PLAN,
        min_words=60,
        mistakes=(
            Mistake(
                "no memory",
                _lacks("memory", " gb", "gigabyte"),
                "Your plan says nothing about memory. 7.5 billion parameters take 120 GB with plain Adam: what does a device hold, "
                "and does it fit?",
            ),
            Mistake(
                "no batch",
                _lacks("batch"),
                "Your plan says nothing about the batch. 64 devices need enough work each: how large a batch, and "
                "how do you know that it is worth its samples?",
            ),
            Mistake(
                "no traffic",
                _lacks("traffic", "bandwidth", "bytes", "gb/s", "latency", "communicat", " send", " sent"),
                "Your plan says nothing about what is sent. How many bytes a step, over which connection, and how long does that "
                "take beside the computing?",
            ),
            Mistake(
                "no way to fail",
                _lacks("efficien", "idle", "bubble", "speed-up", "speedup", "utilis", "utiliz"),
                "How would you notice that the plan is bad? Say what you measure, such as the efficiency, and at which value you "
                "would change the plan.",
            ),
        ),
        hints=(
            "Start with what must fit: weights, gradients, Adam's state (exercise 3.2.5), then activations.",
            "Compare three numbers for a step: FLOPs / rate, bytes / bandwidth, idle share.",
            "A larger batch makes each step worth its traffic. What does the noise scale say about how far that goes?",
        ),
    ),
)
