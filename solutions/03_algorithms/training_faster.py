# %% [markdown]
# Lesson 3.1 made models larger, and a larger model takes longer to train. The article knows three remedies (its section
# 3.2): split the model over several processors (claim 3.3), spread model and data over several nodes (3.4), and adjust
# the learning rate while training runs (3.5). All three are said to be *faster*.
#
# Faster can mean two things, and this lesson keeps them apart from the first page to the last:
#
# - **time**: seconds by the clock until the loss is reached;
# - **compute**: the work done on the way, in FLOPs, samples or processor-seconds. This is what the bill and the laws of
#   chapter 2 are about.
#
# Two people who dig a hole together need half the time. They do not move less earth, and they get in each other's way a
# little. **Which of the three remedies saves time, which saves compute, and how much?**
#
# **Words and symbols.** A model is a function with $N$ *parameters*, numbers that training sets; most of them stand in
# matrices. A *layer* multiplies by a matrix and applies a simple function to the result, and a network is a chain of
# layers. The *loss* $L$ says how wrong the model is, here in nats (the unit of a natural logarithm; lesson 4.1 derives
# it, and here it is enough that less is better). The *gradient* of the loss is the list of its derivatives, one for
# each parameter. A *step* computes the gradient on a few samples, the *batch*, and moves every parameter a little
# against it; the *learning rate* says how far. *Adam* is a rule for such steps that keeps two running averages for each
# parameter (lesson 4.2). In this lesson $p$ counts devices, $m$ micro-batches, $B$ the samples of a batch.
#
# The lesson is long. What is headed *Optional* can be left out: nothing later needs it.

# %%
import time
from dataclasses import replace

import numpy as np

import course.widgets.training_faster as figures
from course import check, parallel_runs, parallelism, reveal, verdict
from course.data import task
from course.noise_scale import LeastSquares, fit_tradeoff, mean_of_ratios, noise_scale, steps_until
from course.training import Recipe, Trainer, train, train_branches
from course.widgets import explore, log_slider, slider

# %% [markdown]
# ## Predict first
#
# 1. Two processes, each with a processor core of its own, share every training step, each taking half of the samples.
#    How many times faster is a step than with one process? (2 would be perfect, below 1 slower.)
# 2. How much processor time do they use *together*, with one process as 1?
# 3. A model is trained with the best constant learning rate for 1,500 steps. With a rate that changes during the run,
#    in which share of these steps can the same loss be reached?

# %% prediction="speed"
### BEGIN SOLUTION
prediction_speed = 1.8
prediction_compute = 1.0
prediction_share = 0.8
### END SOLUTION

# %% [markdown]
# ## 1 Three ways to split a step
#
# A step is: samples go forward through the layers, derivatives come back through them and make the gradient, every
# parameter moves. It can be cut in three ways.
#
# | split | each device holds | each device computes | what must be sent |
# |---|---|---|---|
# | **data parallel** | the whole model | its share of the samples | gradients, once a step |
# | **tensor parallel** | a slice of every matrix | a slice of every layer, for all samples | every layer's results |
# | **pipeline parallel** | some of the layers | its layers, for all samples, in small portions | results at the cuts |
#
# The article's "split the model" is the second or the third; its "spread over nodes" is the first, alone or with the
# others.
#
# ### Data parallelism: whose average is it?
#
# Four devices have each computed the mean gradient of their own samples, their *shard*. The step wants the mean over
# *all* samples. This first exercise needs only arithmetic, and it is easy to get wrong.

# %% [markdown] exercise="3.2.1"
# Compute the gradient of the mean loss over all samples from the devices' own means. The shards may have different
# sizes.


# %% exercise="3.2.1"
def gradient_of_all(gradients, counts):
    """Mean gradient over all samples, (d,). gradients: (p, d), row i device i's own mean; counts: (p,) its samples."""
    ### BEGIN SOLUTION
    sums = counts[:, None] * gradients
    return sums.sum(axis=0) / counts.sum()
    ### END SOLUTION


# %% check="3.2.1"
check("3.2.1", gradient_of_all)

# %% [markdown]
# ### Run for real
#
# TensorFlow's `tf.distribute.MirroredStrategy` does this: every device keeps a copy of the model, gets a shard, and the
# gradients are summed before each copy takes the same step. It usually runs on several GPUs. We split this machine's
# processor into two *logical devices*, which is slow but exact, and train a small network on handwritten digits twice:
# on one device, and on two with a copy each, with the same batches and the same first weights. (TensorFlow fixes its
# devices when it starts, so `course.parallel_runs` does this in a fresh Python process; about ten seconds.)
#
# If splitting changes nothing, the two trainings differ by rounding only. Rounding has a signature: with 64-bit numbers
# in place of 32-bit ones it becomes some $10^8$ times smaller. A true difference stays large. (Not the same number: the
# 64-bit network starts from other random weights. "The same first weights" holds within a column.)

# %%
single, double = parallel_runs.mirrored(devices=2, steps=30)
print(f"devices {', '.join(single.devices)}; largest difference from one device, relative to the largest value")
for name, what in (
    ("gradient", "gradient, equal shards"),
    ("unequal", "gradient, unequal shards, as in your exercise"),
    ("weights", "weights after 30 steps of Adam"),
    ("mean_of_means", "unequal shards, mean of the shards' means"),
    ("summed_means", "unequal shards, sum of the shards' means"),
):
    print(f"{what:48} 32-bit {getattr(single, name):8.1e}   64-bit {getattr(double, name):8.1e}")
for name in ("gradient", "unequal", "weights", "loss"):
    assert getattr(single, name) < 1e-4 and getattr(double, name) < 1e-12
assert min(single.mean_of_means, double.mean_of_means, single.summed_means, double.summed_means) > 0.05

# %% [markdown]
# The first three rows are rounding: **data parallelism computes the same training**, not a similar one. The last two
# are the mistakes of the exercise, made in TensorFlow. They raise no error; the gradient is another one. From here on
# we use `course.parallelism.average_gradient`, which you have just built.
#
# ## 2 Adding up without a centre
#
# Each device holds its gradient, an array of $n$ bytes; all need the sum. If all send theirs to one device, that one
# must receive $(p-1)\,n$ bytes and send as many: it becomes the bottleneck. The **ring** has no centre. Every array is
# cut into $p$ chunks, and the devices sit in a circle:
#
# - *reduce-scatter*: in each step every device sends one chunk to its right neighbour, which adds it to its own. After
#   some steps each device holds one chunk that is summed over all;
# - *all-gather*: the finished chunks go round once more and are copied.
#
# Together the two halves are an *all-reduce*. Follow chunk 0 through the figure: device 0 sends it in step 0, device 1
# in step 1 with its own part added, and so on. In each step, does any connection carry two chunks? Turn $p$: what
# happens to the number of steps, and what to the bytes that one device sends?

# %% alt="Timeline of a ring all-reduce of four devices: a row for each device, a column for each of six steps, in each cell the number of the chunk it sends; three steps sum up, three hand the sums round."
explore(figures.draw_ring, p=slider(4, 2, 8, 1, "devices p"))

# %% [markdown] exercise="3.2.2"
# Write one step of the reduce-scatter. `chunks[i]` is what device $i$ holds, cut into $p$ chunks of $k$ numbers. In
# step $s$ device $i$ sends its chunk $(i - s) \bmod p$ to device $(i + 1) \bmod p$, which adds it to its own chunk of
# that number. All send at the same time. Return a new array.


# %% exercise="3.2.2"
def step_of_the_ring(chunks, step):
    """The chunks after one step, (p, p, k). chunks: (p, p, k), chunks[i, c] is chunk c on device i; step: from 0."""
    ### BEGIN SOLUTION
    after = chunks.copy()
    p = len(chunks)
    for device in range(p):
        c = (device - step) % p
        after[(device + 1) % p, c] += chunks[device, c]
    return after
    ### END SOLUTION


# %% check="3.2.2"
check("3.2.2", step_of_the_ring)

# %% [markdown] exercise="3.2.3"
# How many bytes does *one* device send in the whole all-reduce (both halves) of an array of `n_bytes`? Count chunks in
# the figure, then write the formula for any $p$. (Suppose that $p$ divides the array.)


# %% exercise="3.2.3"
def bytes_sent(n_bytes, p):
    """Bytes that each of p devices sends to all-reduce an array of n_bytes round a ring."""
    ### BEGIN SOLUTION
    return 2 * (p - 1) / p * n_bytes
    ### END SOLUTION


# %% check="3.2.3"
check("3.2.3", bytes_sent)

# %% [markdown]
# From here on we use `course.parallelism.ring_step` and `ring_bytes`. Hold the formula to the simulation, which really
# hands numpy arrays round and counts what it hands on:

# %%
rng = np.random.default_rng(0)
for p in (2, 4, 8, 64):
    arrays = list(rng.normal(size=(p, 6400)))
    result = parallelism.ring_all_reduce(arrays)
    formula = parallelism.ring_bytes(arrays[0].nbytes, p)
    print(f"p = {p:2}: {result.steps:3} steps, {result.sent(0):,} bytes sent by device 0, formula {formula:,.0f}")
    assert result.sent(0) == formula and np.allclose(result.arrays[-1], np.sum(arrays, axis=0))

# %% [markdown]
# The bytes approach $2n$ and stay there, **however many devices take part**. That is why the ring is used so widely
# (Patarasuk and Yuan, 2009). What does grow with $p$ is the number of steps, and each step pays the connection's
# *latency*, the time until the first byte arrives.
#
# ## 3 Splitting the model
#
# Data parallelism needs the whole model on each device. When it does not fit, or when the batch is too small to share,
# the model itself is cut.
#
# **By slices (tensor parallel).** Take two layers, $y = \mathrm{relu}(x W_1)\,W_2$, where relu puts zeros in place of
# negative numbers. Give each device some *columns* of $W_1$ and the same *rows* of $W_2$. It can compute its part of
# the hidden numbers and its part of $y$ without asking anyone; the parts of $y$ only have to be *added*: one all-reduce
# on the way forward, and one on the way back, for the derivatives that the layer below needs (Shoeybi and co-authors,
# 2019).

# %%
# 32 samples of width 64, 256 hidden numbers; g stands for the derivatives that come back from the layers above
x, w1, w2, g = (rng.normal(size=shape) for shape in ((32, 64), (64, 256), (256, 64), (32, 64)))
split = parallelism.tensor_split(x, w1, w2, g, p=4)
hidden = np.maximum(x @ w1, 0)
print(f"output differs by {np.abs(split.output - hidden @ w2).max():.1e}")
print(f"weights on a device: {split.weight_bytes[0]:,} of {w1.nbytes + w2.nbytes:,} bytes")
print(f"sent by a device: {split.sent_bytes[0]:,} bytes; formula {parallelism.tensor_bytes(32, 64, 64, 4, 8):,.0f}")
assert np.allclose(split.output, hidden @ w2) and np.allclose(split.w2_gradient, hidden.T @ g)
assert 4 * split.weight_bytes[0] == w1.nbytes + w2.nbytes
assert split.sent_bytes[0] == parallelism.tensor_bytes(32, 64, 64, 4, 8)

# %% [markdown]
# Memory is divided by $p$, compute too. But results are sent in *every layer*, and nobody can go on before they have
# arrived.
#
# **By layers (pipeline).** Device 0 holds the first layers, device 1 the next, and so on. Little is sent, only the
# results at each cut. But here is the catch: while device 0 works on the batch, all others wait for it. Splitting the
# model in this way saves *nothing* at first. The remedy is to cut the batch into $m$ **micro-batches**: as soon as
# device 0 is done with the first, it hands it on and takes the second. The time in which devices still wait is the
# **bubble**.
#
# Turn $m$ down to 1, then up. How many micro-batches do 4 stages need until less than a tenth is idle? Then set the
# last slider to 1: each stage now alternates between forward and backward. What does it save, if not time? ("Holds"
# counts the micro-batches whose results a stage must keep in memory.)

# %% alt="Timeline of a pipeline of four stages and eight micro-batches: forward passes start one slot later on each stage, backward passes come back in the opposite order, and white gaps at the beginning, in the middle and at the end make 27.3 per cent of the time."
explore(
    figures.draw_pipeline,
    p=slider(4, 1, 8, 1, "stages p"),
    m=slider(8, 1, 32, 1, "micro-batches m"),
    turns=slider(0, 0, 1, 1, "0: all forward first, 1: in turn"),
)

# %% [markdown] exercise="3.2.4"
# Write the bubble: the share of the time in which a stage stands idle, with $p$ equal stages and $m$ micro-batches. It
# is enough to look at the forward passes: count slots.


# %% exercise="3.2.4"
def idle_share(p, m):
    """Share of the time, between 0 and 1, in which each of p stages stands idle; m micro-batches."""
    ### BEGIN SOLUTION
    return (p - 1) / (m + p - 1)
    ### END SOLUTION


# %% check="3.2.4"
check("3.2.4", idle_share)

# %%
for p, m in ((4, 1), (4, 8), (4, 28), (8, 32)):
    played = parallelism.pipeline(p, m)
    print(f"p = {p}, m = {m:2}: idle {played.bubble:6.1%} when played, {parallelism.bubble(p, m):6.1%} by the formula")
    assert np.isclose(played.bubble, parallelism.bubble(p, m))
assert round(parallelism.bubble(4, 8), 3) == 0.273 and parallelism.bubble(4, 1) == 0.75

# %% [markdown]
# From here on `course.parallelism.pipeline` plays schedules as events and `bubble` is your formula (Huang and
# co-authors, 2019). With one micro-batch, four devices are as fast as one. Alternating (*1F1B*) does not shrink the
# bubble as long as all stages wait for each other at the end of a step, as here (Narayanan and co-authors, 2021); it
# shrinks what a stage must hold, from $m$ micro-batches to at most $p$. (An earlier form, PipeDream, by Narayanan and
# co-authors, 2019, does not wait: it has no bubble between steps, but uses gradients of older weights.)

# %% [markdown]
# ## 4 What a device must hold
#
# Splitting is often not about time at all: the model does not fit. Training in *mixed precision*, where the products
# are made in 16-bit numbers and the parameters are kept in 32, holds for each parameter of a model that Adam trains
#
# | part | bytes |
# |---|---|
# | the weight, 16-bit, to compute with | 2 |
# | its gradient, 16-bit | 2 |
# | Adam's state: the weight in 32 bits, the running mean of the gradient, the running mean of its square | 4 + 4 + 4 |
#
# In plain data parallelism every device holds all 16. (On top come the *activations*, the layers' results that the
# backward pass needs again; they grow with the batch, not with $N$ alone, and are left out here.) That is wasteful:
# after the reduce-scatter each device has the sum of only its own chunk anyway, so it can update that chunk alone and
# hand the new weights round. **ZeRO** (Rajbhandari and co-authors, 2020) divides in stages: stage 1 divides Adam's
# state over the $p$ devices, stage 2 the gradients as well, stage 3 the weights as well.

# %% [markdown] exercise="3.2.5"
# Write the bytes that each device holds at stage 0 (nothing divided), 1, 2 or 3.


# %% exercise="3.2.5"
def bytes_held(n_params, p, stage):
    """Bytes on each of p devices for weights, gradients and Adam's state of n_params parameters; stage: 0 to 3."""
    ### BEGIN SOLUTION
    optimizer = 12 / p if stage >= 1 else 12
    gradients = 2 / p if stage >= 2 else 2
    weights = 2 / p if stage >= 3 else 2
    return n_params * (optimizer + gradients + weights)
    ### END SOLUTION


# %% check="3.2.5"
check("3.2.5", bytes_held)

# %% [markdown]
# Turn the sliders. Up to which size does plain data parallelism fit into 80 GB? Does adding devices help it? What can
# stage 1 never get below? (Stages 1 and 2 send no more than plain data parallelism. Stage 3 sends half as much again,
# because weights must be gathered for the forward and for the backward pass.)

# %% alt="Four bars of memory a device, for 7.5 billion parameters on 64 devices: 120 GB with nothing divided, 31.4 with Adam's state divided, 16.6 with gradients too, 1.9 with weights too; a dashed line at 80 GB."
explore(
    figures.draw_zero,
    billions=log_slider(7.5, 0.75, 750, "billion parameters", per_decade=5),
    p=log_slider(64, 1, 1024, "devices p", per_decade=5),
)

# %% [markdown]
# ### Optional: ZeRO at work, and all ways in one picture
#
# `course.parallelism.zero_run` takes five real steps of Adam with arrays held in this way, on 8 devices, and counts
# what is held and what is sent.

# %%
targets = np.random.default_rng(1).normal(size=(8, 800))  # device i pulls the weights towards row i
whole = parallelism.zero_run(targets, stage=0)
for stage in (0, 1, 2, 3):
    run = parallelism.zero_run(targets, stage)
    published = parallelism.zero_bytes(7.5e9, 64, stage) / 1e9
    held, formula, same = (
        run.held_bytes[0],
        parallelism.zero_bytes(800, 8, stage),
        np.array_equal(run.weights, whole.weights),
    )
    print(
        f"stage {stage}: held {held:6,} bytes (formula {formula:6,.0f}), sent {run.sent_bytes[0]:6,}, same weights: {same}"
    )
    print(f"         7.5 billion parameters on 64 devices: {published:5.1f} GB")
    assert held == formula and same
    assert round(published, 1) == (120.0, 31.4, 16.6, 1.9)[stage]

# %% [markdown]
# The weights agree *to the last bit*. The gigabytes are the example of the paper's first figure.
#
# Next, what each device does during one step, from left to right. In all but the pipeline all devices do the same at
# the same time. Turn up the time to send all parameters: which ways does it slow down? Then the time to send one
# layer's results: which now? (What a pipeline sends is little, and left out here.)

# %% alt="Timelines of one step on four devices: data parallel and ZeRO stage 1 send after the backward pass, ZeRO stage 3 also before each pass, the tensor split after every layer, and the pipeline's four rows have gaps."
explore(
    figures.draw_timelines,
    p=slider(4, 1, 8, 1, "devices p"),
    ring=slider(0.3, 0.0, 1.0, 0.05, "time to send all parameters"),
    layer_ring=slider(0.1, 0.0, 0.5, 0.02, "time to send a layer's results"),
)

# %% [markdown]
# ## 5 Measured: two processes
#
# Enough on paper. `course.parallel_runs.two_processes` starts two Python processes that train one network of four
# layers together and talk through a pipe. Each way of sharing makes the same step as one process *alone*, 25 times in
# turn.
#
# Two things can be measured. The **clock** says how long a step took, and with it whatever else this machine was doing:
# on a machine that others use as well it may say anything. **Processor time** adds up only the time in which our two
# processes really worked. If each has a core of its own and half of the work, a step takes half of it, and a pipeline
# takes its bubble besides. So from $c$, the processor time of both as a multiple of what one process needs alone,
# follows the speed-up on two free cores:
#
# $$\text{speed-up} = \frac{2}{c} \quad\text{(a pipeline: times } \tfrac{m}{m+1}).$$
#
# (It leaves out the wait for messages to arrive.) Two more jobs help to read the numbers. *Apart*: each process makes
# the whole step and they never talk; from its time follows how many cores were free for us, and where that is not near
# 2, do not trust the clock. *Traffic*: they only sum gradients. The brackets hold the middle 95 % of a bootstrap over
# the rounds (lesson 1.1).
#
# Before you run it: which number of micro-batches will be fastest, 1, 8 or 32? And are two processes that share 8
# samples faster than one?

# %%
micro_batches = (1, 2, 4, 8, 16, 32)
batches = (8, 32, 128, 512, 1024)
jobs = [("tensor", 1024, 1)] + [("pipeline", 1024, m) for m in micro_batches]
jobs += [(kind, n, 1) for n in batches for kind in ("alone", "apart", "data")] + [("traffic", 1024, 1)]
started = time.perf_counter()
timed = {(t.kind, t.samples, t.micro_batches): t for t in parallel_runs.two_processes(jobs, rounds=25)}
alone, apart = timed["alone", 1024, 1], timed["apart", 1024, 1]
print(f"{len(jobs)} jobs, 25 rounds, {time.perf_counter() - started:.0f} s")
print(f"largest difference of a gradient from one process's: {max(t.difference for t in timed.values()):.0e}")
print(f"cores free for us, by the clock: {2 * apart.faster_than(alone)[0]:.1f} of 2")
for kind, m in (("data", 1), ("tensor", 1), ("pipeline", 1), ("pipeline", 8)):
    job = timed[kind, 1024, m]
    c, (value, low, high) = job.compute_of(alone)[0], job.speed_up(alone)
    print(
        f"{kind:8} m = {m}: processor time x {c:.2f}, speed-up {value:.2f} [{low:.2f}, {high:.2f}]"
        f" (by the clock {job.faster_than(alone)[0]:.2f})"
    )
assert max(t.difference for t in timed.values()) < 1e-5

# %% alt="Left: speed-up of a two-stage pipeline against the number of micro-batches: about 0.8 with a single one, rising to 1.3 to 1.5 near eight, then falling, below the dashed curve 2m/(m+1). Right: speed-up of two processes that share the data, far below one for eight samples and 1.6 to 1.8 for a thousand, a little below the dashed curve of compute and traffic."
traffic = timed["traffic", 1024, 1]
pipes, shared = [timed["pipeline", 1024, m] for m in micro_batches], [timed["data", n, 1] for n in batches]
singles = [timed["alone", n, 1] for n in batches]
figures.draw_two_processes(
    micro_batches,
    [job.speed_up(alone) for job in pipes],
    [job.faster_than(alone)[0] for job in pipes],
    batches,
    [job.speed_up(one) for job, one in zip(shared, singles, strict=True)],
    [job.faster_than(one)[0] for job, one in zip(shared, singles, strict=True)],
    [2 / (1 + traffic.compute_of(one)[0]) for one in singles],
)

# %% [markdown]
# (The stored figures are the building machine's: two cores, which others used as well.) Three things to see:
#
# - **Left.** With one micro-batch the split model is slower than the whole one: the law $2m/(m+1)$ says 1, and the
#   split costs a fifth to a third more processor time. More micro-batches help, until they are so small that products
#   of small matrices are inefficient and each message costs more than its work. There is a *best* number of them.
# - **Right.** Sharing data pays when there is enough to compute. With 8 samples a step, two processes are *slower* than
#   one: they spend their time adding gradients. The dashed line has no free number in it: one process's compute, plus
#   the traffic measured alone. The points follow it, up to a fifth or so lower.
# - Every way found the gradient of one process. What differs is time.
#
# ### The claim: splitting a model makes training faster
#
# The figure to judge is the *efficiency*, speed-up divided by devices, of the pipeline at its best $m$: 1 would be
# perfect, and one half means that two devices are no faster than one.

# %% claim="3.3"
best_m = max(micro_batches, key=lambda m: timed["pipeline", 1024, m].speed_up(alone)[0])
efficiency, low, high = (each / 2 for each in timed["pipeline", 1024, best_m].speed_up(alone))
print(
    f"pipeline, m = {best_m}: efficiency {efficiency:.2f} [{low:.2f}, {high:.2f}];"
    f" the bubble alone would allow {best_m / (best_m + 1):.2f}"
)
verdict("3.3", efficiency)

# %% [markdown]
# ## 6 More devices than two
#
# You have no thousand devices, but you have a model of the time that came within about a fifth of the measurement
# (compute and traffic; the latency is added here): *compute / p + bytes / bandwidth + messages x latency*. Two
# questions are asked of it, and they are often mixed up:
#
# - **strong scaling**: the step stays as it is, more devices share it. Compute falls as $1/p$, the gradient's $2n$
#   bytes stay. Amdahl's law in general: if a share $s$ of the work cannot be shared, the speed-up is $1/(s + (1-s)/p)$
#   and never above $1/s$;
# - **weak scaling**: every device gets as much work as one had before, so the batch grows with $p$ (Gustafson's law).
#
# Here is a model of a billion parameters that reads *tokens*, pieces of text. Its devices are joined by a network of 25
# GB/s, and each message costs 10 µs. At how many devices does each solid curve turn down, and which term of the model
# turns it?

# %% alt="Speed-up against devices on logarithmic axes for a model of a billion parameters. Three curves of fixed batches leave the diagonal one after the other and turn down, the smallest batch at about four times faster; the curve of a batch that grows with the devices stays parallel to the diagonal."
figures.draw_scaling()

# %%
strong = timed["data", 512, 1].speed_up(timed["alone", 512, 1])[0]
weak = timed["data", 1024, 1].compute_of(timed["alone", 512, 1])[0] / 2
print(f"measured, strong: two processes share 512 samples, speed-up {strong:.2f}, as with s = {2 / strong - 1:.2f}")
print(f"measured, weak: two processes with 512 samples each take {weak:.2f} times as long as one with 512")
for p in (2, 16, 256, 4096):
    print(f"Amdahl, 5 % not shareable, p = {p:4}: {parallelism.amdahl(p, 0.05):4.1f} times faster")
assert parallelism.amdahl(1e9, 0.05) < 20
link = {**figures.DEVICE, "bandwidth": 25e9}
one, many = (parallelism.data_parallel_step(1e9, 32_000, p, **link).total for p in (1, 256))
print(f"a billion parameters, 32,000 tokens: 256 devices are {one / many:.1f} times faster than one")
assert 2 < one / many < 6

# %% [markdown]
# Now all three splits side by side, for a Transformer, the kind of network behind today's language models (lesson 2.1
# counts it; here it is enough that each layer has about $12\,\text{width}^2$ weights), on devices that reach
# $3\cdot10^{14}$ FLOP/s. Start with the bandwidth: 25 GB/s is a good network between machines, 900 GB/s (near the
# slider's right end) a connection inside one. Which split needs which? Then go back to 25 and set 32 devices and 6.3
# billion parameters (32 layers, one for each device): what slows the data split, what the pipeline? Which of the two do
# more tokens a step help?

# %% alt="Three stacked bars of the seconds of a step on eight devices: data parallel and pipeline are mostly compute, tensor parallel over a network of 25 GB/s is mostly traffic and slower than one device."
explore(
    figures.draw_steps,
    p=log_slider(8, 1, 1024, "devices p", per_decade=10),
    billions=log_slider(1.0, 0.1, 100, "billion parameters", per_decade=5),
    gigabytes=log_slider(25, 1, 1000, "GB/s between devices", per_decade=5),
    kilotokens=log_slider(256, 8, 8192, "thousand tokens a step", per_decade=5),
)

# %% [markdown]
# This is why large models are trained with all three: slices inside a machine, where the connection is fast; layers and
# data between machines. And it shows the way out when gradients are the traffic: *make the batch larger*. Is that free?
#
# (A good place for a break. Sections 7 to 9 use the measurements of section 5: with a new kernel, run the cells above
# again.)

# %% [markdown]
# ## 7 How large a batch is worth its samples
#
# One sample's gradient points roughly downhill, with noise; the mean over a batch has less of it. A larger batch gives
# a better direction, and needs more samples for it. When does a better direction no longer pay?
#
# Call the true gradient, the mean over all samples there could be, $G$. One sample's gradient is $G$ plus noise. The
# mean squared length of this noise is written $\mathrm{tr}\,\Sigma$: the sum of the variances of its entries (they are
# the diagonal of a matrix $\Sigma$, the covariance). A mean over $B$ samples has $1/B$ of the variance, so the gradient
# $G_B$ of a batch is *longer* than $G$, on average over many batches (which $\mathbb{E}$ stands for):
#
# $$\mathbb{E}\,|G_B|^2 = |G|^2 + \frac{\mathrm{tr}\,\Sigma}{B}.$$
#
# The batch at which noise and signal are equal is the **gradient noise scale** $\mathrm{tr}\,\Sigma / |G|^2$
# (McCandlish and co-authors, 2018). Far below it, twice the batch means nearly half the steps; far above it, twice the
# batch only polishes a direction that was good already.
#
# We need a problem where the truth is known: least squares, $y = x \cdot w^* + \sigma\,\varepsilon$, with 32 normally
# distributed inputs $x$, true weights $w^*$ and normal noise $\varepsilon$. There $\Sigma$ has a closed form
# (`LeastSquares.noise`). Each dot is the gradient of one batch. Turn the batch: from which size on do nearly all dots
# lie to the right of 0, where a step against them goes downhill? At which size is the noise as long as the arrow? (Read
# that in the title: the figure shows two of the noise's 32 directions, the title counts all.)

# %% alt="Gradients of 120 batches of six samples, drawn as dots around the head of an arrow, the true gradient; nearly all dots lie to the right of 0."
explore(figures.draw_noise, batch=log_slider(6, 1, 256, "batch", per_decade=8))

# %%
rng = np.random.default_rng(2)
problem = LeastSquares.power(d=32, exponent=1.5, sigma=0.3)
small_error = 0.3 * problem.error  # the weights have come 70 % of the way
for factor in (1, 0.3, 0.02**0.5):  # the loss above its floor falls with the square: 1, 0.09, 0.02 of the start's
    error = factor * problem.error
    scale = problem.noise(error).scale
    print(f"error x {factor:4.2f}: loss above the floor {problem.excess(error):.3f}, noise scale {scale:4.1f} samples")
assert round(problem.noise().scale, 1) == 5.6 and round(scale) == 24
trace = problem.gradients(rng, 1, 100_000, small_error).var(axis=0).sum()
print(f"tr Sigma at error x 0.3: exact {problem.noise(small_error).trace:.4f}, of 100,000 drawn gradients {trace:.4f}")
assert abs(trace / problem.noise(small_error).trace - 1) < 0.03

# %% [markdown]
# The noise scale **grows as training goes on**: the gradient shrinks, the noise of the labels stays. (Here the error
# shrinks alike in all directions; a real run comes below.) Small batches are right early, larger ones late.
#
# On a real model $\Sigma$ is out of reach, but the lengths of two batches' gradients are easy to have: the equation
# above, at two batch sizes, has two unknowns. In data parallelism they come for free: each device's gradient is the
# small batch, their mean is the large one.

# %% [markdown] exercise="3.2.6"
# Estimate the noise scale. You get the squared lengths of the gradients of $k$ small batches and of $k$ large ones.
# Beware of the order of averaging and dividing.


# %% exercise="3.2.6"
def noise_scale_of(small_squared, large_squared, small, large):
    """tr(Sigma) / |G|^2, a number. small_squared, large_squared: (k,) |gradient|^2 at batch sizes small < large."""
    ### BEGIN SOLUTION
    s, b = np.mean(small_squared), np.mean(large_squared)
    trace = (s - b) / (1 / small - 1 / large)
    gradient = (large * b - small * s) / (large - small)
    return trace / gradient
    ### END SOLUTION


# %% check="3.2.6"
check("3.2.6", noise_scale_of)

# %% [markdown]
# From here on we use `course.noise_scale.noise_scale`. The order matters more than it seems. Here are 30 repetitions of
# the whole measurement, each with 400 batches of 4 and 400 of 32, by three formulas: *right* averages first and divides
# once, *ratios* divides each measurement and averages the ratios, *biased* takes the large batch's length for $|G|$.

# %% alt="Thirty estimates by each of three formulas beside a dashed line at the exact noise scale of 9.5 samples: those of averages first scatter evenly about it, those that average ratios are scattered over the whole figure and beyond, those that take the large batch for the truth lie below."
rng = np.random.default_rng(3)
estimates = {"right": [], "ratios": [], "biased": []}
exact, covered = problem.noise(small_error).scale, 0
for _ in range(30):
    small_squared, large_squared = ((problem.gradients(rng, b, 400, small_error) ** 2).sum(axis=1) for b in (4, 32))
    found = noise_scale(small_squared, large_squared, 4, 32, bootstrap=300)
    covered += found.interval[0] <= exact <= found.interval[1]
    estimates["right"].append(found.scale)
    estimates["ratios"].append(mean_of_ratios(small_squared, large_squared, 4, 32))
    estimates["biased"].append(found.trace / large_squared.mean())
for name, values in estimates.items():
    print(f"{name:7} median {np.median(values):7.1f}, standard deviation {np.std(values):9.1f}   (exact {exact:.1f})")
print(f"the bootstrap interval held the exact value in {covered} of 30 repetitions")
assert abs(np.mean(estimates["right"]) / exact - 1) < 0.1 and covered >= 24
assert np.std(estimates["ratios"]) > 5 * np.std(estimates["right"]) and np.median(estimates["biased"]) < 0.9 * exact
figures.draw_estimates(exact, *estimates.values())

# %% [markdown]
# ### Steps against samples
#
# Now the price. For batch sizes from 1 to 4,096, take the constant rate that needs fewest steps to bring the loss from
# 0.5 above its floor to 0.01 above. For least squares the expected loss of every step is known exactly, so this is a
# calculation; the orange points are real runs. Theory (the same paper) says that with batches of $B$ you need $S$ steps
# and $E = S B$ samples, where
#
# $$S = S_\min\left(1 + \frac{B_\mathrm{crit}}{B}\right), \qquad\text{which is the same as}\qquad \left(\frac{S}{S_\min} - 1\right)\left(\frac{E}{E_\min} - 1\right) = 1,$$
#
# with the *critical batch* $B_\mathrm{crit} = E_\min/S_\min$ (the first bracket is $B_\mathrm{crit}/B$, the second
# $B/B_\mathrm{crit}$). The least steps $S_\min$ are what even the exact gradient
# needs, the least samples $E_\min$ what very small batches get along with.

# %% [markdown] exercise="3.2.7"
# Write both prices of a batch.


# %% exercise="3.2.7"
def steps_and_samples(batch, least_steps, critical_batch):
    """(steps, samples) to reach the target with batches of this size; all three are numbers."""
    ### BEGIN SOLUTION
    steps = least_steps * (1 + critical_batch / batch)
    return steps, steps * batch
    ### END SOLUTION


# %% check="3.2.7"
check("3.2.7", steps_and_samples)

# %% [markdown]
# Before you run the next cell: what do batches of one critical batch cost, in least steps and least samples? And of 32
# critical batches? (From here on `course.noise_scale.Tradeoff` is this formula, and `fit_tradeoff` finds its two
# numbers.)

# %% alt="Steps against samples to reach the target, on logarithmic axes: from the left, batch 1 with about 1,300 steps and 1,300 samples, falling along a hyperbola to about 40 steps, with ever more samples; calculated circles and measured squares lie on the dashed curve."
rng = np.random.default_rng(4)
target, sizes = 0.01, 2 ** np.arange(13)
# for each batch size: (steps, rate) of the best of 60 constant rates, calculated
planned = {int(b): problem.steps_to(target, int(b), np.geomspace(0.01, 1.95, 60), 2000) for b in sizes}
law = fit_tradeoff(sizes, [steps for steps, _ in planned.values()])
live = {}  # real runs at that rate: mean steps, with a bootstrap over the runs
for b in (1, 4, 16, 64, 256):
    steps, rate = planned[b]
    paths = problem.runs(rng, b, rate, int(1.25 * steps) + 5, max(24, min(400, 2048 // b)))
    runs = paths.shape[1]
    redrawn = [steps_until(paths[:, rng.integers(0, runs, runs)].mean(axis=1), target) for _ in range(100)]
    mean, (low, high) = steps_until(paths.mean(axis=1), target), np.percentile(redrawn, [2.5, 97.5])
    live[b] = (mean, low, high)
    print(
        f"batch {b:3}: {steps:6.1f} steps expected, {mean:6.1f} [{low:.1f}, {high:.1f}] in {runs} runs, {steps * b:6,.0f} samples"
    )
    assert abs(mean / steps - 1) < 0.25
print(f"least steps {law.least_steps:.1f}, least samples {law.least_samples:,.0f}")
print(f"critical batch {law.critical_batch:.0f}")
steps, rate = planned[32]
along = problem.scale_along(32, rate, round(steps))
print(
    f"noise scale of a run with batches of 32: {along[0]:.1f} at the start, {along[len(along) // 10]:.0f} after a tenth of "
    f"the steps, {along[-1]:.0f} at the end, {along.mean():.0f} on average"
)
print(f"largest relative error of the law: {np.abs(law.residuals).max():.1%}")
assert np.abs(law.residuals).max() < 0.06 and 5.6 < law.critical_batch < 60
figures.draw_tradeoff(sizes, [steps for steps, _ in planned.values()], live, law)

# %% [markdown]
# Upwards and to the left, at small batches, samples are used best, and time is wasted if devices are idle. To the
# right, hundreds of devices buy nearly no time, while the samples, that is the compute, explode. The turn is at the
# critical batch: twice the least steps, twice the least samples. Compare it with the noise scale of a real run, printed
# above it. The error that shrank alike in all directions gave 24 at most; a run quiets the steep directions first, so
# its noise scale is larger, soon close to the critical batch: **the noise scale, cheap to measure, tells how large a
# batch, and so how many devices, are worth having.** (Real runs arrive a few per cent early: their mean still wobbles,
# and its first crossing counts.)
#
# ### The claim: spreading over nodes makes training faster
#
# The figure to judge is again the efficiency, now of two processes that share the data.

# %% claim="3.4"
efficiency, low, high = (each / 2 for each in timed["data", 1024, 1].speed_up(alone))
few = timed["data", 8, 1].speed_up(timed["alone", 8, 1])
print(f"1,024 samples a step: efficiency {efficiency:.2f} [{low:.2f}, {high:.2f}]")
print(f"8 samples a step: {few[0]:.2f} [{few[1]:.2f}, {few[2]:.2f}] times as fast as one process")
assert few[0] < 1
for b in (32, 1024):
    steps = planned[b][0]
    print(
        f"batch {b}: {steps / law.least_steps:.2f} x the least steps, {steps * b / law.least_samples:.1f} x the least samples"
    )
verdict("3.4", efficiency)

# %% [markdown]
# ## 8 A rate that changes
#
# The third remedy needs no second device. The learning rate may follow a **schedule**:
#
# - **constant**;
# - **warm-up**: rise linearly over the first steps, while Adam's averages still know little;
# - **cosine**: fall along half a cosine to zero at the end;
# - **warm-up, stable, cool-down** (WSD): stay at the peak, and fall to zero over the last share of the run only (lesson
#   5.3 builds it).
#
# Why should falling help? With noise in the gradient, a constant rate never comes to rest: the weights jitter about the
# best point, the wider the larger the rate. A large rate is quick and jittery, a small one calm and slow. A schedule
# takes one after the other. (With no noise there would be nothing to calm.)
#
# Turn the cool-down: how many of the 1,500 steps does the blue schedule spend at the peak with a share of 0.3, and at
# which share does it come nearest to the cosine?

# %% alt="Rates against the step: constant; a cosine that falls from the start; and warm-up, a stable phase, and a straight fall to zero over the last 30 per cent."
explore(
    figures.draw_rates,
    warmup=slider(50, 0, 500, 10, "warm-up, steps"),
    cooldown=slider(0.3, 0.05, 1.0, 0.05, "cool-down, share"),
)

# %% [markdown]
# A fair comparison has rules, of which the second is the one that is easily forgotten:
#
# 1. equal compute: the same model, batch and 1,500 steps for all;
# 2. **each schedule at its own best peak rate**, found with equally many trials (7 rates, 2 seeds);
# 3. fresh seeds for the comparison (8), the same ones for all.
#
# The task: read eight characters of Python code and say the ninth, with a small network (32 hidden units).

# %%
T = 1500
constant = Recipe(batch=128, rate_power=0.0, warmup=0, schedule="constant")  # rate_power 0: the rate as given
kinds = {
    "constant": constant,
    "warm-up, constant": replace(constant, warmup=50),
    "warm-up, cosine": replace(constant, warmup=50, schedule="cosine"),
    "warm-up, cool-down": replace(constant, warmup=50, schedule="wsd"),
}
peaks = 0.004 * 2.0 ** (np.arange(7) / 2)
trainer = Trainer(task("characters"), "char_mlp", 32, constant)


def losses_of(recipe, rate, seeds):
    """Validation loss after T steps, one for each seed. The rate and the schedule are inputs of the compiled loop."""
    trainer.recipe = replace(recipe, rate=float(rate))
    return np.array([train(trainer, T, seed=seed).loss for seed in seeds])


# one loss for each schedule and peak rate, then eight fresh seeds at each schedule's best
tuning = {name: [losses_of(recipe, rate, (100, 101)).mean() for rate in peaks] for name, recipe in kinds.items()}
best = {name: peaks[int(np.argmin(losses))] for name, losses in tuning.items()}
final = {name: losses_of(recipe, best[name], range(8)) for name, recipe in kinds.items()}
for name, losses in final.items():
    gain = losses - final["constant"]
    half = 2.365 * gain.std(ddof=1) / 8**0.5  # 95 %: 1.96 for many seeds, 2.365 for eight (Student's t)
    print(
        f"{name:19} best rate {best[name]:.4f}, loss {losses.mean():.4f}, less constant {gain.mean():+.4f} ± {half:.4f}"
    )
untuned = tuning["warm-up, cosine"][int(np.argmin(tuning["constant"]))] - min(tuning["constant"])
print(f"cosine at the constant rate's best peak: {untuned:+.4f}")
assert (final["warm-up, cool-down"] - final["constant"]).mean() < -0.03
assert (final["warm-up, cosine"] - final["constant"]).mean() < -0.03
assert abs((final["warm-up, constant"] - final["constant"]).mean()) < 0.03
assert best["warm-up, cosine"] > best["constant"] and untuned > 0

# %% [markdown]
# Now in steps: how early can a run *with* a cool-down stop and still have the constant rate's loss? Each cool-down
# branches off the same stable phase, so the runs of eight lengths take 3,390 steps together instead of 7,800.

# %% alt="Left: loss against the peak rate for four schedules; the two constant ones are lowest near 0.01, the falling ones lower and at rates about twice as large. Right: loss of runs with a cool-down against their length, crossing the constant rate's dashed level at a little more than half of its steps."
lengths = (450, 600, 750, 900, 1050, 1200, 1350, 1500)
trainer.recipe = replace(kinds["warm-up, cool-down"], rate=float(best["warm-up, cool-down"]))
branches = np.array([[run.loss for run in train_branches(trainer, lengths, seed=seed)] for seed in range(8)])
by_rate = {name: (peaks, losses) for name, losses in tuning.items()}
figures.draw_schedules(T, by_rate, lengths, branches, final["constant"])

# %% [markdown]
# The right panel answers in how few steps. Three lessons from the left one. The falling schedules win, *at a larger
# peak*: they can afford a rate at which a constant run jitters too much. At small peaks the cosine *loses* to the
# constant rate: whoever changes the schedule and keeps the rate may conclude the opposite. And the warm-up alone
# changes little here; its worth is in large models, which diverge without it (we can't show that at this size).
#
# ### The claim: adjusting the rate makes a model converge faster

# %% claim="3.5"
pairs = zip(final["constant"], branches, strict=True)
# for each seed: the length at which its curve crosses the constant rate's loss, as a share of T
reached = np.array([np.exp(np.interp(-level, -losses, np.log(lengths))) / T for level, losses in pairs])
half = 2.365 * reached.std(ddof=1) / len(reached) ** 0.5
print(f"the constant rate's loss in {reached.mean():.2f} ± {half:.2f} of its steps (95 %, 8 seeds)")
verdict("3.5", float(reached.mean()))

# %% [markdown]
# ## 9 Time is not compute
#
# The three predictions, and the two measures side by side. (The first two are one measurement: section 5 took the time
# on two free cores *from* the processor time.)

# %%
reveal(prediction_speed, timed["data", 1024, 1].speed_up(alone)[0], "times faster")

# %%
reveal(prediction_compute, timed["data", 1024, 1].compute_of(alone)[0], "times the processor time")

# %%
reveal(prediction_share, float(reached.mean()), "of the steps")

# %% alt="For shared data, tensor split and two pipelines: a circle for time, below one except for the pipeline with one micro-batch, and a square for processor time, above one."
ways = {"shared data": ("data", 1), "tensor split": ("tensor", 1)}
ways |= {f"pipeline, m = {m}": ("pipeline", m) for m in (1, 8)}
rows = {name: timed[kind, 1024, m] for name, (kind, m) in ways.items()}
figures.draw_time_and_compute(
    {name: (1 / row.speed_up(alone)[0], row.compute_of(alone)[0]) for name, row in rows.items()}
)

# %% [markdown]
# Parallel training **lowers time and not compute**: the same FLOPs are done, by more hands, and sending is added. A
# batch larger than the critical one adds samples on top. The schedule is of the other kind: fewer steps to the same
# loss are less time *and* less compute, by the same factor. So when the article says (its 9.3) that parallel and
# distributed training lower the *need for computing resources*, it mixes the two up. The laws of chapter 2 are laws
# of compute: no number of devices moves a point on them to the left.
#
# | remedy | time | compute | works while |
# |---|---|---|---|
# | split the model | less, up to the bubble and the traffic | more (1.2 to 1.9 times in several runs of this page) | micro-batches are many and not tiny; connection fast |
# | spread the data | less, up to the traffic | a little more | a step has enough samples, and not more than the critical batch |
# | schedule the rate | less | less, by as much | the gradient is noisy, and the peak is tuned with it |

# %% [markdown] exercise="3.2.8"
# You are given 64 devices of 80 GB, joined by a network of 25 GB/s, and shall train a model of 7.5 billion parameters.
# In 60 words or more: how do you split it, how large a batch do you take, what do you measure, and at which value of it
# would you change your plan? Use numbers of this lesson; the sliders of sections 4 and 6 help.

# %% exercise="3.2.8"
### BEGIN SOLUTION
plan = """
Plain Adam needs 120 GB a device for 7.5 billion parameters, and a device has 80 GB, so the state must be divided:
ZeRO's stage 1 takes 31 GB and sends no more bytes than plain data parallelism, which leaves memory for activations.
So I use data parallelism over all 64 devices, no pipeline and no tensor split. The traffic is 2 * 63/64 of 15 GB of
gradients a step, 1.2 seconds at 25 GB/s, so a step should compute for ten seconds or more: at 3e14 FLOP/s a device
that is a batch of about 4 million tokens. Whether so large a batch is worth it I learn from the gradient noise
scale, measured in a short run from two batch sizes: above the critical batch I would pay more FLOPs for the same
loss. I time one step on 1, 8 and 64 devices, and change the plan if the efficiency falls below 80 per cent.
"""
### END SOLUTION

# %% check="3.2.8"
check("3.2.8", plan)

# %% [markdown]
# ## Takeaways
#
# - Data parallelism computes the *same* gradient, to rounding, if every sample has the same weight. It sends $2(p-1)/p$
#   of the gradients a step. A pipeline stands idle for $(p-1)/(m+p-1)$ of the time.
# - Devices save time, never compute; beyond the critical batch, which the gradient noise scale foretells, they cost
#   compute.
# - A falling learning rate saves both. Compare schedules only at their own best rates.
#
# ## One step further
#
# - Section 4 leaves the *activations* out. How many bytes are they for the network of section 5, and how does a
#   pipeline's 1F1B change it?
# - Give `LeastSquares.power` an `exponent` of 0.5. Does the hyperbola still hold? (The derivation needs small steps;
#   with a flat spectrum a few large ones solve the problem.)
# - The network of section 8 has a noise scale too. Build it with `course.models.build`, compute gradients of 200
#   batches of 32 and of 256 with `tf.GradientTape`, before and after training, and give their squared lengths to
#   `noise_scale`. By how much does it grow?
# - Real traffic can overlap with computing: gradients of the last layers are ready while the first are still computed.
#   Which of the times in `course.parallelism.data_parallel_step` would you add, and of which would you take the larger?
