# %% [markdown]
# You have some machines, some hours and a model to train. Which machine should do what, how large may the model be, and
# in which order do the runs start? The article's answer (its sections 3.1.3 and 3.2.3) comes in three sentences:
#
# - *assess the hardware*: measure the speed and the power draw of processors (CPU, GPU, FPGA: section 3 says what they
#   are) as the basis of the allocation (claim 3.6);
# - *allocate by the scaling law*, given the task and the hardware, and training runs without trouble (claim 3.7);
# - *reschedule* while the load changes, and the system becomes faster and more stable (claim 3.8).
#
# None of the three says how, or by how much. **What limits a machine, what does a model really get of it, and what is a
# good allocation worth?** You will measure the first two on the machine in front of you, and answer the third with
# recorded runs.
#
# **Symbols**: $N$ parameters (the numbers a model learns), $D$ training tokens (the pieces of text it learns from, here
# single characters or bytes), $C$ FLOPs (floating-point operations: additions and multiplications), $L$ the loss in
# nats (how surprised the model is by text it has not seen; lower is better, and lesson 4.1 derives it). Training costs
# about $C = 6ND$: that was lesson 2.1.

# %%
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

import course.widgets.allocating_compute as figures
from course import check, planning, reveal, roofline, sweeps, verdict
from course.counting import count
from course.data import task
from course.devices import DEVICES, find, this_machine
from course.laws import fit_isoflop
from course.training import Recipe, Trainer
from course.widgets import explore, log_slider, slider

# %% [markdown]
# ## Predict first
#
# - Multiply two large matrices: that is the fastest your machine can compute. Now train a tiny model, of 2,000
#   parameters, in a compiled loop without a line of Python inside. Which share of the fast rate does it reach? (0.5
#   means half.)
# - You have a budget for one large run and choose a model 1.9 times too large. The loss ends 2 % above the best. How
#   much compute have you wasted? (0.02 means that you spent 2 % more than this loss needed with the right size.)

# %% prediction="share"
### BEGIN SOLUTION
prediction_share = 0.3
prediction_waste = 0.05
### END SOLUTION

# %% [markdown]
# ## 1 Two ceilings
#
# A processor computes, and it must be fed. Two figures describe it: the **peak rate**, in FLOP/s, and the **memory
# bandwidth**, the bytes that move between memory and processor in a second. An operation needs both, and what matters
# is their proportion: its **arithmetic intensity**, the FLOPs that it does for each byte that it moves.
#
# Add two vectors of float32 (numbers of 4 bytes). For each addition two numbers are read and one is written: 1 FLOP for
# 12 bytes, an intensity of 1/12. A product of matrices is another matter: each number that was fetched is used many
# times over.

# %% [markdown] exercise="3.3.1"
# An $m \times k$ matrix times a $k \times n$ matrix. Each of the $mn$ results is a sum of $k$ products, counted as $2k$
# FLOPs. Suppose that the cache (the small fast memory in the processor) is large enough: then both matrices are read
# once, and the result is written once. What is the intensity?


# %% exercise="3.3.1"
def intensity(m, k, n, bytes_per_number):
    """FLOPs a byte of an (m, k) by (k, n) product; each number has `bytes_per_number` bytes."""
    ### BEGIN SOLUTION
    flops = 2 * m * k * n
    moved = bytes_per_number * (m * k + k * n + m * n)
    return flops / moved
    ### END SOLUTION


# %% check="3.3.1"
check("3.3.1", intensity)

# %% [markdown]
# From here on we use `course.roofline.matrix_product_intensity`, which you have just built. In a neural network, a
# layer is such a product: $m$ is the number of samples that go through together (the **batch**), and the $k \times n$
# matrix holds the layer's parameters.

# %%
for m in (1, 4, 16, 64, 256, 4096):  # numbers of 4 bytes
    ratio = roofline.matrix_product_intensity(m, 4096, 4096)
    print(f"{m:5} rows x (4096, 4096): {ratio:7.1f} FLOPs a byte")
assert abs(roofline.matrix_product_intensity(1, 4096, 4096) - 0.5) < 0.001

# %% [markdown]
# One sample alone uses each parameter once: half a FLOP for each byte. The parameters must be read whether one row wants
# them or a hundred, so the intensity grows with the batch, until the other two matrices weigh as much.
#
# Now both ceilings together. Nothing computes faster than the peak. And if the memory delivers $B$ bytes a second, each
# of which feeds $I$ FLOPs, nothing computes faster than $I \cdot B$ either. Drawn against $I$ on logarithmic axes, that
# is a slope that ends under a flat top: a **roofline** (Williams, Waterman and Patterson, 2009). The corner is the
# **ridge**.

# %% [markdown] exercise="3.3.2"
# Write the roofline. Mind the units: data sheets give the peak in TFLOP/s ($10^{12}$ FLOPs a second), the bandwidth in
# GB/s ($10^9$ *bytes* a second).


# %% exercise="3.3.2"
def attainable(intensity, peak_tflops, bandwidth_gb):
    """The most TFLOP/s that an operation of this intensity (FLOPs a byte) can reach."""
    ### BEGIN SOLUTION
    return min(peak_tflops, intensity * bandwidth_gb / 1000)
    ### END SOLUTION


# %% check="3.3.2"
check("3.3.2", attainable)

# %% [markdown]
# From here on we use `course.roofline.Roofline`. Where is your machine's roof? `roofline.measure` times six operations
# in turns, for four seconds: the sum of two long vectors, 1 to 64 rows times a large matrix, the product of two large
# ones. It keeps the *fastest* call of each: a program in the background can only make a call slower, so the fastest one
# says most about the machine. The roof is laid on top of them: the peak is the highest FLOP/s of the six, the bandwidth
# the highest GB/s. So at least one point touches each ceiling; look at how near the others come.

# %%
points = roofline.measure(4)
roof = roofline.roof(points)
print(f"{'operation':18} {'FLOPs a byte':>12} {'GFLOP/s':>8} {'GB/s':>6} {'share of roof':>14}")
for p in points:
    print(
        f"{p.name:18} {p.intensity:12.2f} {p.rate / 1e9:8.1f} {p.bandwidth / 1e9:6.1f} "
        f"{p.rate / roof.attainable(p.intensity):14.0%}"
    )
print(f"peak {roof.peak / 1e9:.0f} GFLOP/s, bandwidth {roof.bandwidth / 1e9:.0f} GB/s")
print(f"ridge {roof.ridge:.1f} FLOPs a byte")
spread = max(p.rate for p in points) / min(p.rate for p in points)
assert spread > 5 and all(p.rate <= roof.attainable(p.intensity) * 1.001 for p in points)

# %% alt="Rate against arithmetic intensity, both axes logarithmic. A black line rises and turns flat at the ridge. Six points lie on or under it: adding two vectors at the lower left, then one, four, sixteen and sixty-four rows times a matrix, and a square product at the upper right."
figures.draw_points(points, roof)

# %% [markdown]
# (Stored figures are the building machine's: two cores, no GPU, other programs running.) The same machine is slow or
# fast by a factor of tens to hundreds, and what decides is how much is computed with each byte. The roof is a ceiling,
# not a forecast: points may lie well under it, where a program uses the caches badly or the work is too small to keep
# all cores busy.
#
# Turn the sliders. At the start they stand at about an A100's figures, for numbers of 2 bytes (a large GPU; its peak
# holds for those). Make the square smaller: at which side does the product leave the flat part? Then take a machine of
# 0.4 TFLOP/s and 20 GB/s, with numbers of 4 bytes: about two CPU cores with nothing else to do (or take your own roof
# from above). At which side now? And why do small models run well on it that would starve the GPU?

# %% alt="A roofline of 312 TFLOP/s and 2,039 GB/s. A 1,024 by 1,024 product lies right of the ridge on the flat part; one row times the matrix and a vector addition lie far down on the slope."
explore(
    figures.draw_product,
    peak=log_slider(312.0, 0.1, 1000.0, "peak (TFLOP/s)"),
    bandwidth=log_slider(2039.0, 10.0, 10000.0, "bandwidth (GB/s)"),
    n=slider(1024, 16, 4096, 16, "side of the square"),
    bytes_per_number=slider(2, 2, 4, 2, "bytes of a number"),
)

# %% [markdown]
# A square product of side $n$ has $n/3$ FLOPs a byte with numbers of 2 bytes, $n/6$ with 4. So the A100 (ridge 153)
# wants a side of $3 \cdot 153 = 459$, the two cores (ridge 20) one of $6 \cdot 20 = 120$: layers too narrow for the one
# keep the other busy.
#
# ## 2 What a model gets
#
# Training is more than products. Numbers are looked up, added, squashed; an optimiser rewrites each parameter; each of
# some hundred small operations a step has to be started. The share that remains is called **model FLOPs utilisation**
# (MFU; Chowdhery and co-authors, 2022): the FLOPs that the model needs, by count, over those that the machine could do
# in the same time.
#
# Two traps lie in the division. FLOPs of *training* are $6N$ a token, not the $2N$ of a forward pass. And the peak must
# be the one of dense matrices: some data sheets print the rate for matrices in which half the entries are zero ("with
# sparsity"), twice as large, which ordinary training cannot use.

# %% [markdown] exercise="3.3.3"
# A model of $N$ parameters trains at so many tokens a second on a device whose data sheet says so many TFLOP/s;
# `sparse` is true where the sheet's figure is with sparsity. What is its utilisation, as a share of the dense peak?


# %% exercise="3.3.3"
def mfu(n_params, tokens_per_second, sheet_tflops, sparse):
    """Model FLOPs utilisation, a share (0.4, not 40)."""
    ### BEGIN SOLUTION
    peak = sheet_tflops * 1e12 / (2 if sparse else 1)
    return 6 * n_params * tokens_per_second / peak
    ### END SOLUTION


# %% check="3.3.3"
check("3.3.3", mfu)

# %% [markdown]
# From here on we use `course.roofline.utilisation`, with FLOPs counted exactly in place of $6N$. Now your machine, with
# two families of models: the **character MLP** (eight characters in, a guess at the ninth out) and a small
# **Transformer** (the architecture of language models; lesson 5.3 trains both). `Trainer` is the course's engine, one
# compiled program that takes many training steps. The peak is not a data sheet's but the rate of a large product here
# and now, timed in turns with the training. (A larger size, the number behind the family's name, means wider layers.)

# %%
texts = {"char_mlp": task("characters"), "transformer": task("bytes")}
models = [("char_mlp", size) for size in (12, 64, 768)]
models += [("transformer", size) for size in (16, 64)]
work, sizes = [], []  # what to time: name, FLOPs, bytes (not wanted here: 1.0), and the call
for family, size in models:
    text = texts[family]
    trainer = Trainer(text, family, size, Recipe(batch=512 // text.tokens_per_sample))
    trainer.compile()
    trainer.reset(seed=0)
    counts = count(family, size, text)
    step_flops = counts.training_flops_per_token * 512  # 512 tokens a step
    steps = max(4, min(100, round(2e9 / step_flops)))
    sizes.append(counts.n_params)

    def train_on(trainer=trainer, steps=steps):
        trainer.advance(trainer.step + steps, of_steps=10**6)  # the first few of a long training

    work.append((f"{family} {size}", step_flops * steps, 1.0, train_on))
square = tf.fill([1536, 1536], 0.5)
work.append(("square product", 2 * 1536**3, 1.0, lambda: tf.matmul(square, square)))
*trained, product = roofline.measure(5, work)

# %%
names, by_family = {"char_mlp": "character MLP", "transformer": "Transformer"}, {}
print(f"{'model':16} {'parameters':>10} {'tokens/s':>10} {'GFLOP/s':>8} {'MFU':>5}")
for (family, size), n, p in zip(models, sizes, trained, strict=True):
    per_token = count(family, size, texts[family]).training_flops_per_token
    share = roofline.utilisation(per_token, p.rate / per_token, product.rate)
    by_family.setdefault(names[family], []).append((n, share))
    print(f"{p.name:16} {n:10,} {p.rate / per_token:10,.0f} {p.rate / 1e9:8.1f} {share:5.0%}")
shares = [share for pairs in by_family.values() for _, share in pairs]
assert max(shares) / min(shares) > 1.5

# %% alt="Utilisation in per cent against parameters on a logarithmic axis, a line for the character MLP and one for the Transformer. Both rise with the size of the model, from about a tenth to more than a third for the Transformer and more than three quarters for the character MLP."
figures.draw_utilisation(by_family)

# %%
reveal(prediction_share, shares[0])  # the smallest model

# %% [markdown]
# The machine is the same in each row. At the fast rate, the smallest model's products would take about a tenth of the
# time that its step takes. The rest goes into work that is not a product, into starting operations, and into products
# too narrow to run fast. (The share alone does not say how much into each.) Hence the first rule of allocation:
# **measure the share that your model gets on the device before you plan with the peak.** Large training runs publish
# theirs: 46 % for PaLM, a language model of 540 billion parameters, on 6,144 chips (Chowdhery and co-authors, 2022).
#
# ## 3 What the makers publish
#
# Here is what you would plan with if you did not measure: the makers' figures for processors of four kinds. A CPU runs
# any program. A GPU has thousands of small arithmetic units, a TPU large arrays for matrix products alone, and an FPGA
# a circuit that is wired anew for each task. Each figure has a source, and rates are those of dense matrices, in the
# fastest number format that training is done in. (bfloat16 and float16 have 2 bytes. int8 numbers are whole, from -128
# to 127: good for using a trained model, not for training one. For both FPGAs only that rate is published.) The last
# column is watts over FLOP/s, in picojoules ($10^{-12}$ J).

# %%
print("device      kind year  TFLOP/s format      GB   GB/s    W  ridge  pJ/FLOP")
for d in DEVICES.values():
    picojoules = "-" if d.watts is None else f"{1e12 * d.joules_per_flop():.2f}"
    speed = f"{d.rate() / 1e12:8.1f} {d.training_format:8}"
    memory = f"{d.memory:5.0f} {d.bandwidth:6.0f}"
    rest = f"{d.watts or '-':>4} {d.ridge():6.0f} {picojoules:>8}"
    print(f"{d.name:11} {d.kind:4} {d.year} {speed} {memory} {rest}")
print()
for d in DEVICES.values():
    print(f"{d.name}: {d.source}. {d.note}")
assert len(DEVICES) >= 8 and {d.kind for d in DEVICES.values()} == {"CPU", "GPU", "TPU", "FPGA"}

# %% [markdown]
# Not every figure could be looked up a second time when the table was made: `find("Alveo U280").seen` names the fields
# of a row that were, and the others await your own look at the source. Read the table with care for three things:
#
# - **Bytes.** GB are $10^9$ bytes, GiB $2^{30}$, 7 % more; Gb are bits. Even makers mix them: one edition of a page
#   gives the TPU v5e a bandwidth of 819 GB/s, another 800 GiB/s. Those are not the same.
# - **Sparsity.** The H100's sheet says 1,979 TFLOPS in bfloat16, and only a footnote adds "with sparsity". The table
#   has half.
# - **Power.** Watts are a limit for cooling and supply, or the largest draw seen. What your run draws is not printed
#   anywhere: it is measured, by the device's own counter or at the socket.
#
# In the figure, higher is faster and further right is better fed; devices along one dotted line have the same ridge.

# %% alt="Peak rate against memory bandwidth, both logarithmic, for eleven devices: CPU, GPUs, TPUs and FPGAs, with dotted lines of equal ridge at 10, 100 and 1,000 FLOPs a byte. Most accelerators lie between 100 and 400; the measured machine lies far below all of them."
mine = this_machine(rate=max(roof.peak, product.rate), bandwidth=roof.bandwidth / 1e9)
figures.draw_devices(mine)

# %% [markdown]
# Which is faster, a T4 or an L4? By peak the L4, nearly twofold. But a model that answers one question at a time
# multiplies single rows, and there the older card wins, by its memory:

# %%
one_row = roofline.matrix_product_intensity(1, 4096, 4096, bytes_per_number=2)
for name in ("T4", "L4"):
    d = find(name)
    line = roofline.Roofline(d.rate(), d.bandwidth * 1e9)
    alone = line.attainable(one_row)
    print(f"{name}: peak {line.peak / 1e12:5.0f} TFLOP/s; one row at a time {alone / 1e12:.2f}")
assert find("L4").rate() > 1.8 * find("T4").rate() and find("L4").bandwidth < find("T4").bandwidth

# %% [markdown]
# ## 4 Hours, kilowatt-hours
#
# A plan in FLOPs becomes a plan in hours by one division: FLOPs over (devices × peak × utilisation). It becomes energy
# by one product: watts × seconds are joules, and 3.6 million of those are a kilowatt-hour (1,000 W for 3,600 s).

# %% [markdown] exercise="3.3.4"
# A sweep of `flops` FLOPs is shared by `devices` equal devices of `peak_tflops` TFLOP/s each, of which the share
# `utilisation` is reached. Each draws `watts`. How many kWh is that?


# %% exercise="3.3.4"
def energy(flops, peak_tflops, utilisation, watts, devices):
    """Energy in kilowatt-hours."""
    ### BEGIN SOLUTION
    seconds = flops / (devices * peak_tflops * 1e12 * utilisation)
    joules = watts * devices * seconds
    return joules / 3.6e6
    ### END SOLUTION


# %% check="3.3.4"
check("3.3.4", energy)

# %% [markdown]
# From here on we use `course.planning.estimate`, which wants the utilisation named, because it is an assumption. As an
# example, a sweep that lesson 5.4 fits: 117 small Transformers on bytes of Python code. `sweeps.cost` knows its FLOPs
# before anything runs. (Its minutes are more than the FLOPs over the rate: it reckons with half of the products' rate,
# an overhead for each step, and compilation.)

# %%
plan = sweeps.preset("bytes")
price = sweeps.cost(plan, rate=mine.rate())
print(f"the plan: {price}")
for share in (0.4, 0.05):
    for one in planning.compare(price.flops, ("T4", "A100", "H100"), utilisation=share):
        print(f"   {one}")
my_watts = 65  # yours: what the machine draws while it trains, at the socket if you have a meter
print(f"   {planning.estimate(price.flops, mine, 0.4, watts=my_watts)}")
per_hour, per_kwh = 1.0, 0.30  # your own prices: of a device for an hour, and of a kWh
rented = planning.estimate(price.flops, "A100", 0.05)
print(f"   on an A100 (5 %), at your prices: {rented.cost(per_hour, per_kwh):.4f}")
assert 1e13 < price.flops < 1e15

# %% [markdown]
# At 40 % of its peak an H100 does this sweep in a fraction of a second, says the output. It will not: models of some
# thousand parameters reach nothing like 40 % of a device that wants an intensity in the hundreds, and compiling ten
# sizes alone takes longer. *A utilisation is a property of a model on a device, and does not travel.* The figure is for
# a larger job. Turn the utilisation: how many days does the H100 need at 5 %, how many at 50 %? Then turn the devices:
# what stays? Which device needs the least energy?

# %% alt="Two bar charts on logarithmic axes for nine devices: days, and kilowatt-hours at full power, for 1e20 FLOPs at 40 per cent of peak. The H100 takes about three days, the CPU about a year; two TPUs have no published power."
explore(
    figures.draw_plan,
    flops=log_slider(1e20, 1e15, 1e25, "FLOPs", per_decade=2),
    utilisation=slider(40.0, 1.0, 60.0, 1.0, "utilisation (% of peak)"),
    devices=slider(1, 1, 64, 1, "devices"),
)

# %% [markdown]
# Two things to notice. The number of devices changes the days and not the energy (as long as the utilisation stays,
# which it does not quite: lesson 3.2). And the fastest device is not the most frugal one.
#
# ### The verdict on claim 3.6
#
# The claim is right that allocation needs both figures, speed and power. Is the *device's* figure enough? For a clean
# number take a recorded sweep, made on two cores, one thread a run: the same processor, counted FLOPs, ten sizes of one
# family, each trained from three different random starts (**seeds**). Each run's rate is its FLOPs over its seconds;
# the largest model's over the smallest's is the error that one can make by planning with a single figure for the
# device. (Power is not measured here: most machines do not tell it to a program.)

# %% claim="3.6"
recorded = sweeps.reference("bytes")
recorded = recorded[~recorded["diverged"].astype(bool)].copy()
recorded["rate"] = recorded["flops"] / recorded["seconds"]
rates = recorded.pivot_table("rate", "n_params", "seed", "median")  # rows: sizes; columns: seeds
print((rates / 1e9).round(0).to_string())
ratios = rates.iloc[-1] / rates.iloc[0]
factor = float(np.exp(np.log(ratios).mean()))
print("\n(GFLOP/s of each size and seed)")
print(f"largest over smallest: {factor:.1f}, seeds {ratios.min():.1f} to {ratios.max():.1f}")
verdict("3.6", factor)

# %% [markdown]
# ## 5 Which size: what the law's advice is worth
#
# The same recorded sweep trains many sizes at each of seven budgets, a budget being a number $C$ of FLOPs (lesson 5.3
# makes such a sweep). At a fixed budget a small model is trained for long and a large one briefly, and one size between
# is best: the lowest point of a parabola through the losses against $\log N$. The law says how it moves: best size $=
# G\,C^a$, a straight line on logarithmic axes. `fit_isoflop` finds both.
#
# What does another size cost? At the largest budget, $4 \cdot 10^{12}$ FLOPs, a model 1.9 times too large ends 2 %
# above the best loss: not much, it seems. But the loss is a bad currency: near this budget even ten times the compute
# lowers it by only a fifth. Convert it. Around a budget the best loss falls as $L = K C^{-s}$, a straight line on
# logarithmic axes, of slope $-s$. A run that ends at a higher loss has wasted whatever the best size would not have
# needed for that loss.

# %% [markdown] exercise="3.3.5"
# A run with budget $C$ ends at `loss`; the best size would have ended at `best_loss`. With the best size, a smaller
# budget $C'$ would have been enough for `loss`. Return $C/C' - 1$; `slope` is $s$, a positive number.


# %% exercise="3.3.5"
def wasted(loss, best_loss, slope):
    """Compute that was wasted, as a share of what would have been enough. Both losses in nats."""
    ### BEGIN SOLUTION
    return (loss / best_loss) ** (1 / slope) - 1
    ### END SOLUTION


# %% check="3.3.5"
check("3.3.5", wasted)

# %% [markdown]
# From here on we use `course.planning.extra_compute`. Now the sizes that were trained at the largest budget, and what
# each wastes by your formula. The slope comes from the best losses of the three largest budgets.

# %%
law = fit_isoflop(recorded["flops"], recorded["n_params"], recorded["loss"], budget=recorded["budget"])
budgets = sorted(recorded["budget"].unique())
last = [one for one in law.optima if one.flops >= budgets[-3]]
slope = -np.polyfit(np.log([one.flops for one in last]), np.log([one.loss for one in last]), 1)[0]

final = recorded[recorded["budget"] == budgets[-1]].groupby("n_params")["loss"].mean()
curve = np.polyfit(np.log(final.index), np.log(final), 2)  # log loss against log N
best_n = float(np.exp(-curve[1] / (2 * curve[0])))
best_loss = float(np.exp(np.polyval(curve, np.log(best_n))))


def waste_of(n_params):
    """Share of the compute wasted by other sizes than the best, at the largest budget."""
    return planning.extra_compute(np.exp(np.polyval(curve, np.log(n_params))), best_loss, slope)


print(f"at {budgets[-1]:.3g} FLOPs: best size {best_n:,.0f}, loss {best_loss:.3f} nats")
print(f"the best loss falls as C^-{slope:.3f}: {1 - 10**-slope:.0%} less for ten times the compute")
excess = final / best_loss - 1
measured_waste = planning.extra_compute(final, best_loss, slope)
for n, more, waste in zip(final.index, excess, measured_waste, strict=True):
    print(f"   {n:8,} parameters ({n / best_n:4.2f} x best): loss +{more:.1%}, compute +{waste:.0%}")
assert 0.05 < slope < 0.15

# %% alt="Two panels with the same scale in per cent, against size over best size. Left, almost flat: the loss lies 8 per cent above the best at a third of the size, 1.5 at a half, 2 at twice and 7 at three times the size. Right: the same as wasted compute, from more than 100 per cent at both ends to some 20 per cent at half and twice the size."
figures.draw_wrong_size(final.index, excess, measured_waste, best_n)

# %%
twice = int(np.argmin(np.abs(np.log(final.index / best_n / 1.9))))
reveal(prediction_waste, float(measured_waste[twice]))

# %% [markdown]
# A size wrong by a little less than a factor of two costs a fifth to a quarter more compute than its loss needed; wrong
# by a little more than three, it costs more than twice the compute that was needed. Curves drawn in loss look flat
# because loss is hard to move at all.
#
# So it pays to know the size beforehand. The law needs a **pilot**: a small sweep, whose best sizes are extrapolated.
# How much of the budget should it get? Pretend to know only the two, three, ... lowest budgets; fit; name a size for
# the largest; and ask what it wastes. The recorded sweep has three seeds, so there are three pilots of each kind.

# %%
shares, wastes = [], []
print(" pilot up to  of the final run   sizes named by three pilots     waste of each")
for k in (2, 3, 4, 5):
    named = []
    for _, pilot in recorded[recorded["budget"] <= budgets[k - 1]].groupby("seed"):
        fit = fit_isoflop(pilot["flops"], pilot["n_params"], pilot["loss"], budget=pilot["budget"])
        named.append(fit.params["G"] * budgets[-1] ** fit.params["a"])
    shares.append(pilot["flops"].sum() / budgets[-1])  # of one pilot
    wastes.append(waste_of(named))
    sizes_named = ", ".join(f"{n:,.0f}" for n in named)
    wasted_by = ", ".join(f"{w:.1%}" for w in wastes[-1])
    print(f"{budgets[k - 1]:12.3g} {shares[-1]:17.1%}   {sizes_named:31} {wasted_by}")
wastes = np.array(wastes)
assert wastes[1].mean() < 0.15 and shares[1] < 0.12

# %% alt="Overhead in per cent of the final run against the compute of the pilot, both logarithmic. The pilot's own cost rises in a straight line; the waste by the size it names falls from about five per cent, with a wide range, to one per cent; both together are lowest for the smallest pilots."
figures.draw_pilot(shares, wastes.mean(axis=1), wastes.min(axis=1), wastes.max(axis=1))

# %% [markdown]
# A pilot of a few per cent of the final run names a size that wastes a few per cent, though its budgets are a hundred
# times smaller. A larger pilot costs more than it saves. But mind what one pilot does not tell: two budgets gave three
# answers that differ by almost half, and you would have seen only one of them. And the three pilots of the next line
# agree with each other better than with the truth (all too small): agreement between seeds is not accuracy. With fewer
# than four budgets `fit.warnings` says so.
#
# What would you have done without a law? Two rules of thumb: keep the size that was best in the pilot, or let it grow
# in proportion to the budget.

# %% claim="3.7"
pilot_best = law.optima[2]  # at the third budget, a hundredth of the largest
kept = pilot_best.n_params
grown = kept * budgets[-1] / pilot_best.flops
smallest, largest = final.index[0], final.index[-1]  # of the sizes measured at the largest budget
assert kept < smallest and grown > largest  # both lie outside, where the curve rises further
print(f"keep the pilot's best size: {kept:,.0f}; even {smallest:,} wastes {measured_waste[0]:.0%}")
print(f"grow it with the budget: {grown:,.0f}; even {largest:,} wastes {measured_waste[-1]:.0%}")
low, mean, high = wastes[1].min(), wastes[1].mean(), wastes[1].max()
print(f"the law, from a pilot of {shares[1]:.0%}: wastes {mean:.1%} ({low:.1%} to {high:.1%})")
verdict("3.7", float(mean))

# %% [markdown]
# And the hardware? The law counts FLOPs; you pay in hours. Where a small model reaches a tenth of the rate of a large
# one (as in the table of section 4), a plan in FLOPs chooses models that are too small for the hour. Take the recorded
# times: which size has the lowest loss after *twenty seconds*? (Between two recorded runs of a size we read off a
# straight line on logarithmic axes.)

# %%
table = recorded.groupby(["n_params", "budget"])[["loss", "seconds", "flops"]].mean().reset_index()
after = {}
for n, runs in table.groupby("n_params"):
    runs = runs.sort_values("seconds")
    if runs["seconds"].iloc[0] <= 20 <= runs["seconds"].iloc[-1]:
        clock = np.log(runs["seconds"])
        loss = np.exp(np.interp(np.log(20), clock, np.log(runs["loss"])))
        flops = np.exp(np.interp(np.log(20), clock, np.log(runs["flops"])))
        after[n] = loss, flops
        print(f"   {n:8,} parameters: loss {loss:.3f} after 20 s and {flops:.2g} FLOPs")
loss_at = np.array([pair[0] for pair in after.values()])
parabola = np.polyfit(np.log(list(after)), np.log(loss_at), 2)
by_clock = float(np.exp(-parabola[1] / (2 * parabola[0])))
spent = after[min(after, key=lambda n: abs(np.log(n / by_clock)))][1]
by_flops = law.params["G"] * spent ** law.params["a"]
print(f"best after 20 s: {by_clock:,.0f}")
print(f"best for the {spent:.2g} FLOPs that this size does in 20 s: {by_flops:,.0f}")
assert 1.1 < by_clock / by_flops < 1.3

# %% [markdown]
# The clock prefers a model about a fifth larger than the count of FLOPs does. Near the best size this costs little;
# where utilisation differs more between sizes, the gap is wider. The remedy is simple: fit the law against *seconds on
# the device that will be used*.
#
# ## 6 Who goes first
#
# The sizes are chosen, and a list of runs with known costs waits for a few equal devices. Whenever a device is free it
# gets the next run of the list: **list scheduling** (Graham, 1966). Does the order of the list matter? Two things are
# wanted, and they are not the same: that *everything* is done soon (the **makespan**), and that a run is done soon *on
# average*.
#
# Below are twelve runs on three devices, in the order in which they came (0). Try shortest first (1), longest first (2)
# and a shuffled order (3), and other numbers of devices. The dashed line is a bound that no order can beat: all the
# work over all devices, or the longest run, whichever is more. Which order ends first? Which has the shortest average
# wait?

# %% alt="A timeline of twelve runs on three devices in the given order. Two devices are idle at the end while the third still works on the longest run, which came late; a dashed line marks the bound."
explore(
    figures.draw_timeline,
    devices=slider(3, 1, 8, 1, "devices"),
    order=slider(0, 0, 3, 1, "order: 0 given, 1 shortest, 2 longest, 3 shuffled"),
)

# %% [markdown]
# The right end of the timeline gives it away. A long run that starts late leaves the other devices idle. So the long
# ones go first, and the short ones fill the gaps.

# %% [markdown] exercise="3.3.6"
# Schedule longest first: go through the tasks from the longest to the shortest, give each to the device that is free
# first, and return when each task ends, in the order in which the costs were given.


# %% exercise="3.3.6"
def longest_first(costs, devices):
    """End of each task, (n,). costs: array (n,), the tasks' times; devices: how many, all equal."""
    ### BEGIN SOLUTION
    free = np.zeros(devices)
    ends = np.zeros(len(costs))
    for i in np.argsort(-np.asarray(costs)):
        device = int(np.argmin(free))
        free[device] += costs[i]
        ends[i] = free[device]
    return ends
    ### END SOLUTION


# %% check="3.3.6"
check("3.3.6", longest_first)

# %% [markdown]
# From here on we use `course.planning.schedule`. How good is longest first? Its makespan is never above $\frac43 -
# \frac{1}{3p}$ times the best possible one on $p$ devices (Graham, 1969), and that of any order at all never above $2 -
# \frac1p$ times (Graham, 1966). Test the bound on the worst case that is known, and then on the recorded sweep's 117
# runs with their real seconds.

# %%
for p in (2, 3, 4, 8):
    worst = 2 * list(range(p + 1, 2 * p)) + 3 * [p]  # Graham's example: the best makespan is 3p
    reached = planning.schedule(worst, p, "longest").makespan / (3 * p)
    graham = 4 / 3 - 1 / (3 * p)
    print(f"{p} devices: longest first takes {reached:.4f} of the best; the bound is {graham:.4f}")
    assert abs(reached - graham) < 1e-12

seconds = recorded["seconds"].to_numpy()
for p in (4, 8):
    bound = planning.lower_bound(seconds, p)
    print(f"\n{len(seconds)} runs, {seconds.sum():.0f} s of work, {p} devices; bound {bound:.0f} s")
    for order in planning.ORDERS:
        timeline = planning.schedule(seconds, p, order)
        end, mean = timeline.makespan, timeline.mean_completion
        above = end / bound - 1
        print(f"   {order:8} done after {end:4.0f} s (bound +{above:5.1%}), a run after {mean:4.0f} s on average")
ends = {order: planning.schedule(seconds, 8, order).makespan for order in planning.ORDERS}
assert ends["longest"] < 1.02 * bound < ends["shortest"]

# %% [markdown]
# Longest first comes within a per mille of the bound; shortest first is 18 % above it on eight devices, but a run is
# done four times earlier on average. Neither is *the* right order: choose by what you wait for. (`sweeps.run` starts
# the largest sizes first.)
#
# Devices of different speeds want one more thought:

# %%
three = [10.0, 10.0, 10.0]
for devices, rule in ([1.0], "first free"), ([1.0, 0.1], "first free"), ([1.0, 0.1], "first done"):
    end = planning.schedule(three, devices, rule=rule).makespan
    print(f"speeds {devices}, to the device that is {rule}: {end:.0f} h")

# %% [markdown]
# A device ten times slower, added to help, takes a run because it is free and makes everyone wait. The cure is to give
# a run to the device that would *finish* it first. Keep this in mind for the verdict: acting on a free device at once
# is not always an improvement.
#
# ### When times are not what you thought
#
# So far each time was known. On a shared machine it is not: other programs come and go. Draw 1,000 sweeps in which each
# recorded time is multiplied by a random factor that is 1 on average and varies by about 30 % (a **log-normal** one:
# $e^{0.3z - 0.045}$ with $z$ from a normal distribution), on four devices. One plan hands all runs out *beforehand*,
# longest first by the recorded times; the other hands one out *whenever a device is free*, from the same list. Then the
# load changes for good: one device turns out to run at a third of its speed.

# %% claim="3.8"
rng = np.random.default_rng(0)
plan_beforehand = planning.schedule(seconds, 4)
speeds = {"equal devices": [1, 1, 1, 1], "one at a third": [1, 1, 1, 1 / 3]}
ends = {name: {"beforehand": [], "when free": [], "bound": []} for name in speeds}
for _ in range(1000):
    real = seconds * np.exp(0.3 * rng.normal(size=len(seconds)) - 0.3**2 / 2)
    for name, speed in speeds.items():
        ends[name]["beforehand"].append(planning.replay(plan_beforehand, real, speed).makespan)
        ends[name]["when free"].append(planning.schedule(real, speed, expected=seconds).makespan)
        ends[name]["bound"].append(planning.lower_bound(real, speed))
for name, found in ends.items():
    print(f"{name}, seconds until all is done:")
    for how, times in found.items():
        spread = np.std(times, ddof=1)
        print(f"   {how:10} {np.mean(times):4.0f} on average, standard deviation {spread:3.0f}")
equal, slowed = ends["equal devices"], ends["one at a third"]
ratio = np.array(equal["when free"]) / np.array(equal["beforehand"])
low, high = np.quantile(ratio, (0.025, 0.975))
print(f"\nwhen free over beforehand, equal devices: {ratio.mean():.3f}")
print(f"95 % of the sweeps lie in {low:.2f} to {high:.2f}")
assert np.mean(slowed["when free"]) < 0.6 * np.mean(slowed["beforehand"])
assert np.std(equal["when free"]) < np.std(equal["beforehand"])
verdict("3.8", float(ratio.mean()))

# %% alt="Two histograms of the time at which all runs are done, in 1,000 drawn sweeps. Handed out when a device is free they end near 327 seconds with a small spread, at the bound; handed out beforehand they end near 362 seconds, and the spread is wider."
figures.draw_makespans(equal["beforehand"], equal["when free"], equal["bound"])

# %% [markdown]
# ## 7 Taken away in the middle
#
# Stability has another enemy: the machine is taken away. Cheap cloud machines are offered on that condition (they are
# **preempted**), notebooks lose their connection, somebody needs the GPU. What is lost? Nothing that is on disk. Try it
# for real: another *process*, which stands for another machine, begins a small sweep with the course's own command; as
# soon as its first run is recorded, it is ended, without a warning.

# %%
small = sweeps.Plan(
    task="characters",
    family="char_mlp",
    sizes=(32, 64),
    budgets=(1e10, 3e10),
    recipe=sweeps.standard_recipe(texts["char_mlp"], "char_mlp"),
)
folder = Path(tempfile.mkdtemp())
command = "sweep --task characters --family char_mlp --sizes 32,64 --budgets 1e10,3e10"
command += " --workers 1 --no-figure --out"
process = subprocess.Popen(
    [sys.executable, "-m", "course", *command.split(), str(folder)],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
give_up = time.perf_counter() + 180
while not list(folder.glob("runs/*.json")) and process.poll() is None and time.perf_counter() < give_up:
    time.sleep(0.02)
process.terminate()
process.wait()
kept = {path.name: path.read_bytes() for path in folder.glob("runs/*.json")}
print(f"the other process was ended after {len(kept)} of {len(small.runs)} runs")
assert 0 < len(kept) < len(small.runs)

# %% [markdown]
# Now this notebook goes on with the same plan on the same folder. And, to compare, it makes the whole sweep once more
# without interruption.

# %%
resumed = sweeps.run(small, folder, progress=False)
untouched = sum((folder / "runs" / name).read_bytes() == record for name, record in kept.items())
print(f"{untouched} of {len(kept)} earlier records untouched; {len(resumed)} runs in all")
straight = sweeps.run(small, progress=False)
both = resumed.set_index("run_id")[["size", "budget", "loss"]]
both["uninterrupted"] = straight.set_index("run_id")["loss"]
print(both.to_string(index=False, float_format="{:.6g}".format))
gap = float(np.abs(both["loss"] - both["uninterrupted"]).max())
print(f"largest difference: {gap:.1g} nats")
assert untouched == len(kept) and gap < 1e-3
assert len(resumed) == resumed["run_id"].nunique() == len(small.runs)

# %% [markdown]
# Nothing finished is lost, nothing is made twice, and the numbers are those of an undisturbed sweep, because a run
# depends on its configuration alone: seed, data, size, budget. Half-finished work is lost. How often should one record,
# then?
#
# Let interruptions come at random, one in $M$ seconds on average, and let $f(T)$ be the average time that $T$ seconds
# of work take without any record. A little more work, $dT$, takes $dT$ longer; and with the chance $dT/M$ it is
# interrupted, and all of $f(T)$ is due again. So $f' = 1 + f/M$ with $f(0) = 0$, which gives $f(T) = M(e^{T/M} - 1)$.
# With a record after each stretch, only the current stretch is at stake.

# %%
hour = 3600
best_stretch = (2 * 5 * 5 * hour) ** 0.5  # near the best if a record takes 5 s: sqrt(2 x 5 s x 5 h)
for every in (None, 5 * hour, hour, best_stretch, 60, 10):
    took = planning.seconds_with_interruptions(10 * hour, between=5 * hour, every=every, record=5)
    name = "no records" if every is None else f"a record each {every:,.0f} s"
    print(f"10 h of work, an interruption each 5 h, {name:22}: {took / hour:5.1f} h")
bare = planning.seconds_with_interruptions(10 * hour, 5 * hour)
good = planning.seconds_with_interruptions(10 * hour, 5 * hour, best_stretch, 5)
assert bare > 3 * good and good < 10.5 * hour

# %% [markdown]
# Without records, ten hours of work take more than thirty; with records at the right distance (near $\sqrt{2rM}$ if a
# record takes $r$ seconds: Young, 1974), a quarter of an hour more than ten. Records too often cost as surely as
# records too seldom.
#
# ## 8 Your own budget

# %% [markdown] exercise="3.3.7"
# Plan for a machine that you have (or one of the table's): a weekend of it, for one large run. In some seventy words or
# more: what share of the peak do you count on, and how do you know? How much goes into a pilot, and what does it
# decide? In which order do runs start, what happens when one is interrupted, how much energy is that, and what would
# make you change the plan?

# %% exercise="3.3.7"
### BEGIN SOLUTION
my_allocation = """
I have two T4 for a weekend. First I measure: my model's step on one card reaches 22 % utilisation of the dense float16 peak, so
48 hours on two cards buy about 4.9e18 FLOPs. A tenth of that goes into a pilot sweep at four budgets spread over two decades, three seeds each,
and the law fitted to it names the size of the final run, with an interval. I start the longest runs first, hand out a run whenever a card is free, and keep
a record of each finished run, so that an interruption costs one run. At 70 W each the cards use at most 6.7 kWh. I would
change the plan if the utilisation of the large model were below 15 %, or if the pilot's interval allowed a waste above 20 %.
"""
### END SOLUTION

# %% check="3.3.7"
check("3.3.7", my_allocation)

# %% [markdown]
# ## What was claimed, and what is so
#
# | claim | found here |
# |---|---|
# | 3.6 assess the hardware's speed and power | needed, and not enough: on one processor the rate differs nearly tenfold with the model's size, and a peak is a ceiling |
# | 3.7 allocate by the scaling law | the law's size wastes a few per cent of the compute, rules of thumb spend more than twice what was needed; that training runs "without trouble" is no law's promise |
# | 3.8 reschedule when the load changes | deciding late ends a tenth earlier and more predictably, far earlier when a device fails to deliver; a greedy rule can also do harm |
#
# **Takeaways**
#
# - A rate is the lower of two ceilings; which one, is decided by FLOPs a byte. What a model gets is measured, not read
#   off a data sheet.
# - Count waste in compute, not in loss: a loss that is 2 % too high has cost a quarter more compute than it needed.
# - Longest first, hand out late, record often.
#
# **One step further.** A cache is faster than the memory, so with arrays that fit in one the points should move up:
# every level of memory has a slope of its own. Do they? Try `for p in roofline.measure(4,
# roofline.operations(side=512)): print(p.name, p.bandwidth / 1e9)`, and some sides between 512 and 4,096. (A call must
# also be started, and that takes as long for a small array as for a large one.)
