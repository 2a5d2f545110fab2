"""Parallel training: what is simulated step by step agrees with the formulas, and both with one device."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course import parallel_runs
from course import parallelism as par

DEVICES = st.integers(1, 9)
MODEL = {"flops": 1e14, "bandwidth": 1e10, "latency": 1e-5}


def arrays(p, size, seed=0):
    return list(np.random.default_rng(seed).normal(size=(p, size)))


# --- data parallelism -----------------------------------------------------------------------------


@given(p=DEVICES, size=st.integers(0, 40), seed=st.integers(0, 99))
def test_the_ring_sums_and_sends_what_the_formula_says(p, size, seed):
    held = arrays(p, size, seed)
    result = par.ring_all_reduce(held)
    for array in result.arrays:
        np.testing.assert_allclose(array, np.sum(held, axis=0), atol=1e-12)
        np.testing.assert_array_equal(array, result.arrays[0])  # every device holds the same bits
    n_bytes = held[0].nbytes
    assert result.total == pytest.approx(p * par.ring_bytes(n_bytes, p))
    assert result.steps == 2 * (p - 1)
    if size % p == 0:
        assert all(result.sent(i) == pytest.approx(par.ring_bytes(n_bytes, p)) for i in range(p))


@given(p=DEVICES, size=st.integers(0, 40))
def test_scatter_and_gather_are_the_halves_of_the_ring(p, size):
    held = arrays(p, size)
    scattered = par.reduce_scatter(held)
    total = np.array_split(np.sum(held, axis=0), p)
    for i, piece in enumerate(scattered.arrays):
        np.testing.assert_allclose(piece, total[(i + 1) % p], atol=1e-12)
    assert all(message.receiver == (message.sender + 1) % p for message in scattered.messages)
    gathered = par.all_gather(scattered.arrays)
    assert scattered.total == gathered.total == (p - 1) * held[0].nbytes


@given(p=st.integers(2, 7), k=st.integers(1, 4))
def test_the_steps_of_the_exercise_make_the_scatter(p, k):
    held = arrays(p, p * k)
    chunks = np.array(held).reshape(p, p, k)
    for step in range(p - 1):
        chunks = par.ring_step(chunks, step)
    scattered = par.reduce_scatter(held)
    for i in range(p):
        np.testing.assert_allclose(chunks[i, (i + 1) % p], scattered.arrays[i])


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(sum), seed=st.integers(0, 99))
def test_shards_of_any_size_average_to_the_whole_gradient(counts, seed):
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=(sum(counts), 3)), rng.normal(size=sum(counts)), rng.normal(size=3)
    shards = np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])
    means = [x[s].T @ (x[s] @ w - y[s]) / max(len(s), 1) for s in shards]
    np.testing.assert_allclose(par.average_gradient(means, counts), x.T @ (x @ w - y) / len(y), atol=1e-12)


@pytest.mark.parametrize(("gradients", "counts"), [([[1.0]], [0]), ([[1.0], [2.0]], [1]), ([[1.0]], [-1])])
def test_shards_without_samples_are_refused(gradients, counts):
    with pytest.raises(ValueError, match="One count of samples"):
        par.average_gradient(gradients, counts)


def test_a_ring_takes_arrays_of_one_shape():
    with pytest.raises(ValueError, match="all of the same shape"):
        par.ring_all_reduce([np.zeros(3), np.zeros(4)])
    with pytest.raises(ValueError, match="shape"):
        par.ring_step(np.zeros((2, 3, 1)), 0)


# --- tensor parallelism ---------------------------------------------------------------------------


@settings(max_examples=40)
@given(p=DEVICES, n=st.integers(1, 5), h=st.integers(1, 12), d=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_split_network_computes_what_the_whole_one_does(p, n, h, d, seed):
    rng = np.random.default_rng(seed)
    x, w1, w2, g = (rng.normal(size=shape) for shape in ((n, d), (d, h), (h, d), (n, d)))
    split = par.tensor_split(x, w1, w2, g, p)
    hidden = np.maximum(x @ w1, 0)
    inner = (g @ w2.T) * (hidden > 0)
    for got, wanted in (
        (split.output, hidden @ w2),
        (split.w1_gradient, x.T @ inner),
        (split.w2_gradient, hidden.T @ g),
        (split.x_gradient, inner @ w1.T),
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-10)
    assert sum(split.weight_bytes) == w1.nbytes + w2.nbytes  # nothing is held twice
    assert sum(split.sent_bytes) == pytest.approx(p * par.tensor_bytes(n, d, d, p, itemsize=8))


# --- pipeline parallelism -------------------------------------------------------------------------


@given(
    p=st.integers(1, 8),
    m=st.integers(1, 12),
    forward=st.floats(0.1, 5),
    backward=st.floats(0.1, 5),
    schedule=st.sampled_from(["gpipe", "1f1b"]),
)
def test_the_played_pipeline_idles_as_the_formula_says(p, m, forward, backward, schedule):
    played = par.pipeline(p, m, forward, backward, schedule=schedule)
    assert played.time == pytest.approx((m + p - 1) * (forward + backward))
    assert played.bubble == pytest.approx(par.bubble(p, m), abs=1e-12)
    assert len(played.work) == 2 * p * m
    for stage in range(p):
        assert played.stored(stage) == (m if schedule == "gpipe" else min(p - stage, m))


@given(p=st.integers(1, 5), m=st.integers(1, 6), seed=st.integers(0, 99), schedule=st.sampled_from(["gpipe", "1f1b"]))
def test_no_stage_works_twice_at_once_or_before_its_input_is_there(p, m, seed, schedule):
    rng = np.random.default_rng(seed)
    forward, backward, send = rng.uniform(0.5, 2, p), rng.uniform(0.5, 2, p), float(rng.uniform(0, 1))
    played = par.pipeline(p, m, forward, backward, send, schedule)
    at = {(w.kind, w.stage, w.micro_batch): w for w in played.work}
    for stage in range(p):
        own = sorted((w for w in played.work if w.stage == stage), key=lambda w: w.start)
        assert all(a.end <= b.start + 1e-12 for a, b in itertools.pairwise(own))
        for i in range(m):
            if stage:
                assert at["forward", stage, i].start >= at["forward", stage - 1, i].end + send - 1e-12
                assert at["backward", stage - 1, i].start >= at["backward", stage, i].end + send - 1e-12
    slowest = max(forward + backward)
    assert played.time >= m * slowest - 1e-9  # the slowest stage sets the pace


def test_the_published_bubble():
    assert par.bubble(4, 8) == pytest.approx(0.273, abs=5e-4)
    assert par.bubble(1, 5) == 0


def test_another_schedule_is_refused():
    with pytest.raises(ValueError, match="gpipe"):
        par.pipeline(2, 2, schedule="zigzag")


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "gigabytes"), [(0, 120), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_zero_memory_as_published(stage, gigabytes):
    assert par.zero_bytes(7.5e9, 64, stage) / 1e9 == pytest.approx(gigabytes, abs=0.05)


@settings(max_examples=30)
@given(p=st.integers(1, 6), per_device=st.integers(1, 6), stage=st.integers(0, 3))
def test_a_run_in_shards_holds_and_sends_what_is_said(p, per_device, stage):
    n = p * per_device
    targets = np.random.default_rng(n).normal(size=(p, n))
    run = par.zero_run(targets, stage, steps=3)
    assert all(held == pytest.approx(par.zero_bytes(n, p, stage)) for held in run.held_bytes)
    passes = {0: 2, 1: 2, 2: 2, 3: 3}[stage]  # stage 3 gathers the weights once more
    assert all(sent == pytest.approx(3 * passes * (p - 1) / p * 2 * n) for sent in run.sent_bytes)
    np.testing.assert_array_equal(run.weights, par.zero_run(targets, 0, steps=3).weights)


def test_the_run_in_shards_learns():
    targets = np.random.default_rng(0).normal(size=(4, 12))
    weights = par.zero_run(targets, 3, steps=400, rate=0.02).weights
    np.testing.assert_allclose(weights, targets.mean(axis=0), atol=0.05)


def test_zero_has_four_stages():
    with pytest.raises(ValueError, match="stages 0"):
        par.zero_bytes(1e9, 8, 4)


# --- time -----------------------------------------------------------------------------------------


@given(p=st.integers(1, 64))
def test_more_devices_never_send_less_and_never_compute_more(p):
    one, more = (par.data_parallel_step(1e9, 1e6, q, **MODEL) for q in (p, p + 1))
    assert more.compute < one.compute
    assert more.traffic > one.traffic
    assert more.traffic < 2 * 2e9 / MODEL["bandwidth"]  # twice the gradients at most, however many devices


@given(p=st.integers(1, 6), m=st.integers(1, 12))
def test_the_pipeline_of_the_time_model_is_the_played_one(p, m):
    width, layers, tokens = 512, 12, 65536
    step = par.pipeline_step(width, layers, tokens, p, m, flops=1e13, bandwidth=1e9)
    one = step.compute / m
    played = par.pipeline(p, m, one / 3, 2 * one / 3, send=tokens / m * width * 2 / 1e9)
    assert step.total == pytest.approx(played.time)


@given(p=st.integers(1, 8), way=st.sampled_from(par.WAYS), ring=st.floats(0, 1), layer_ring=st.floats(0, 1))
def test_every_timeline_computes_the_same_and_sends_by_its_formula(p, way, ring, layer_ring):
    spans = par.timeline(way, p, layers=3, m=6, ring=ring, layer_ring=layer_ring)
    computed = sum(s.end - s.start for s in spans if s.kind in ("forward", "backward"))
    assert computed == pytest.approx(3)  # time on one device: no way computes less
    halves = {"data": 2 * ring, "zero 1": 2 * ring, "zero 3": 3 * ring, "tensor": 2 * 3 * 2 * layer_ring, "pipeline": 0}
    idle = 3 / p * (p - 1) / 6 if way == "pipeline" else 0
    assert max(s.end for s in spans) == pytest.approx(3 / p + idle + (p - 1) / p * halves[way])
    for device in range(p):
        own = sorted((s.start, s.end) for s in spans if s.device == device)
        assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(own))


def test_another_way_is_refused():
    with pytest.raises(ValueError, match="zero 3"):
        par.timeline("zero 2", 4)


def test_weak_scaling_keeps_the_time_and_strong_scaling_does_not():
    def times(grow):
        return [par.data_parallel_step(1e9, 1e6 * (p if grow else 1), p, **MODEL).total for p in (2, 64)]

    strong, weak = times(False), times(True)
    assert weak[1] == pytest.approx(weak[0], rel=0.05)
    assert strong[0] / strong[1] < 32


@given(serial=st.floats(0.01, 0.9), p=st.integers(1, 1000))
def test_amdahl_has_a_ceiling_and_gustafson_none(serial, p):
    assert par.amdahl(p, serial) <= min(p, 1 / serial) + 1e-9
    assert par.gustafson(p, serial) >= par.amdahl(p, serial) - 1e-9
    assert par.amdahl(1, serial) == pytest.approx(1)


@pytest.mark.parametrize(("name", "value"), [("flops", 0), ("bandwidth", -1), ("latency", -1)])
def test_a_machine_that_cannot_be_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        par.tensor_parallel_step(64, 2, 100, 2, **{**MODEL, name: value})


def test_a_tensor_split_sends_more_than_a_pipeline():
    kind = {"flops": 1e14, "bandwidth": 1e11}
    tensor = par.tensor_parallel_step(4096, 32, 65536, 8, **kind)
    pipe = par.pipeline_step(4096, 32, 65536, 8, 32, **kind)
    assert tensor.compute == pytest.approx(pipe.compute)
    assert tensor.traffic > 20 * pipe.traffic


# --- really run -----------------------------------------------------------------------------------


def test_two_processes_find_the_gradient_of_one():
    jobs = [("alone", 32, 1), ("apart", 32, 1), ("data", 32, 1), ("tensor", 32, 1), ("traffic", 32, 1)]
    jobs += [("pipeline", 32, m) for m in (1, 4)]
    timings = parallel_runs.two_processes(jobs, width=16, layers=4, rounds=3)
    assert [(t.kind, t.samples, t.micro_batches) for t in timings] == jobs
    for timing in timings:
        assert timing.difference < 1e-5, timing.kind
        assert timing.seconds.shape == (3,)
        assert (timing.seconds > 0).all()
    ratio, low, high = timings[0].faster_than(timings[0])
    assert ratio == low == high == 1


@pytest.mark.parametrize(
    ("job", "message"),
    [(("model", 8, 1), "one of alone"), (("data", 9, 1), "divide the samples"), (("pipeline", 8, 3), "divide")],
)
def test_jobs_that_cannot_be_are_refused(job, message):
    with pytest.raises(ValueError, match=message):
        parallel_runs.two_processes([job])


def test_replicas_train_as_one_device_does():
    single, double = parallel_runs.mirrored(steps=10)
    assert (single.dtype, double.dtype) == ("float32", "float64")
    for run, rounding in ((single, 1e-4), (double, 1e-12)):
        assert len(run.devices) == 2
        assert max(run.gradient, run.unequal, run.weights, run.loss) < rounding
        assert run.mean_of_means > 0.05  # shards of unequal size, each its own mean
        assert run.summed_means > 0.05


def test_a_process_that_fails_says_why():
    with pytest.raises(RuntimeError, match="failed"):
        parallel_runs._fresh("processes", {})
