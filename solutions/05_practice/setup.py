# %% [markdown]
# Scaling laws are laws about **compute**: how much arithmetic a model is given, and what comes back for it. So the
# first thing to know is how much of it you have. In the next 25 minutes you measure it, and you learn to tell the
# *work* that a program asks for from the *time* that it takes. The two are further apart than most people guess.
#
# The course tests the claims of an article, and a lesson carries the number of the section that it tests. This one is
# 5.1, and it comes first because that section says what you need: Linux or macOS, Python 3.8 or newer, TensorFlow 2.5
# or newer, and a graphics processor (GPU) by NVIDIA with its software CUDA 11.3 or newer. **Do you need all of
# that?** You find out at the end of this page.
#
# **How to use this page.** It is a list of cells. Click into the grey one above this text, which sets the lesson up,
# and press **Shift+Enter**: it runs, and the next cell is selected. `[*]` beside a cell means that it is still running,
# a number such as `[1]` that it is done. What it has to say appears below it (the first one says what it found on your
# machine). Go from top to bottom, because a cell knows only what ran before it. If something gets stuck, choose *Kernel
# → Restart Kernel* in the menu and start again at the top.

# %%
import sys
from functools import partial

import numpy as np
import tensorflow as tf

from course import check, doctor, machine, reveal, verdict
from course.widgets import explore, log_slider
from course.widgets.setup import draw_overhead

# %% [markdown]
# ## Is everything here?
#
# The course's *doctor* looks at your machine.

# %%
doctor.report()

# %% [markdown]
# A line that is fine says **OK**. A line that is not says **!!** and what to do about it. A missing GPU is fine:
# every lesson is made for an ordinary laptop. What the line *Speed* means comes below. The same in a terminal, in the
# folder of the course: `.venv/bin/course doctor`. It also says where your progress is kept.
#
# ## Counting work: the FLOP
#
# One addition or one multiplication of two numbers with a decimal point is a **FLOP**, a floating-point operation.
# Most of the work of training a neural network is multiplying matrices. So one count goes a long way: the FLOPs of a
# matrix product.
#
# Take $A$ with $m$ rows and $k$ columns, and $B$ with $k$ rows and $n$ columns. Their product has $m$ rows and $n$
# columns. The number in its row $i$ and column $j$ comes from row $i$ of $A$ and column $j$ of $B$: multiply them
# term by term and add up,
#
# $$(AB)_{ij} = A_{i1}B_{1j} + A_{i2}B_{2j} + \dots + A_{ik}B_{kj}.$$
#
# Here is a small one, with $m = 2$, $k = 3$ and $n = 2$. In Python, `@` is the matrix product.

# %% tags=["NBVAL_CHECK_OUTPUT"]
A = np.array([[1, 2, 3], [4, 5, 6]])
B = np.array([[1, 0], [0, 1], [2, 2]])
print(A @ B)
print("first row, first column:", 1 * 1 + 2 * 0 + 3 * 2)

# %% [markdown]
# ## How an exercise works
#
# Your first exercise is to count these operations for any $m$, $k$ and $n$. An exercise has three cells: the task, a
# place for your answer, and a **check**. The check does more than compare. It knows the mistakes that people often
# make and says which one it sees. Watch it first with answers that are wrong on purpose. The first one counts the
# numbers in the result:


# %%
def first_try(m, k, n):
    return m * n


check("5.1.1", first_try, record=False)

# %% [markdown]
# The next one is wrong in a way that nobody thought of. Then the check shows you the smallest input, of those it tried,
# on which your function fails, with what it expected and what it got:


# %%
def second_try(m, k, n):
    return m * (k + n)


check("5.1.1", second_try, record=False)

# %% [markdown]
# And an answer that stops with an error is told where:


# %%
def third_try(m, k, n):
    return len(m) * n  # m is a number here, not a list


check("5.1.1", third_try, record=False)

# %% [markdown]
# `record=False` keeps these three out of your progress. Under each box there are **hints**, folded one inside the
# other; try for a few minutes before you open one.
#
# Now it is your turn. Where the answer cell below says `raise NotImplementedError("Write this.")`, put your own code in
# its place, run the cell, then run the check. (The answered edition has an answer there already.)

# %% [markdown] exercise="5.1.1"
# Write a function that returns how many FLOPs the product of an $m \times k$ and a $k \times n$ matrix takes. Count a
# sum of $k$ terms as $k$ additions: the first term is added onto zero.


# %% exercise="5.1.1"
def product_flops(m, k, n):
    """FLOPs of an (m, k) by (k, n) matrix product.

    m, k, n: whole numbers, 1 or more. Returns a whole number.
    """
    ### BEGIN SOLUTION
    return 2 * m * k * n
    ### END SOLUTION


# %% check="5.1.1"
check("5.1.1", product_flops)

# %% [markdown]
# If you leave an exercise out, nothing breaks. From here on we use `machine.matrix_product_flops`, the course's own
# version of what you have just built. It is the same with every exercise.
#
# ## From work to time
#
# A product of two 1,000 by 1,000 matrices takes $2 \cdot 1000^3$ FLOPs, two billion. **How many milliseconds does
# your machine need for it?** Write down a guess before you run on, in place of the dots `...` in the next cell. Any
# guess will do, but commit to one: a number that surprises you is a number that you remember.

# %% prediction="milliseconds"
### BEGIN SOLUTION
prediction_ms = 100
### END SOLUTION

# %%
product = machine.matrix_product_seconds(1000)
print(f"{machine.matrix_product_flops(1000, 1000, 1000):,} FLOPs")
reveal(prediction_ms, product.median * 1e3, "ms")

# %% [markdown]
# This is a **median**: the product was repeated many times, the times sorted, and the one in the middle taken. A few
# slow repeats do not move it, as they would the mean.
#
# The time depends on how large the product is. What the machine *can do* is better said by a rate: FLOPs in a second.
# One **GFLOP/s** (giga-FLOP a second) is $10^9$ of them each second.

# %% [markdown] exercise="5.1.2"
# An $n$ by $n$ matrix product took `seconds`. Return the rate in GFLOP/s.


# %% exercise="5.1.2"
def rate_in_gflops(n, seconds):
    """Rate of an n by n matrix product.

    n: rows and columns of both matrices. seconds: time of one product, in s. Returns GFLOP/s.
    """
    ### BEGIN SOLUTION
    return 2 * n**3 / seconds / 1e9
    ### END SOLUTION


# %% check="5.1.2"
check("5.1.2", rate_in_gflops)

# %%
print(f"Your machine, at size 1000: {machine.gflops_per_second(1000, product.median):.0f} GFLOP/s")

# %% [markdown]
# From here on we use `machine.gflops_per_second`, which you have just built.
#
# ## Every operation has an entry fee
#
# Does a product of two 8 by 8 matrices run at that rate, too? Before TensorFlow multiplies anything, it has to look
# up the operation, check shapes and reserve memory. That is the **overhead**, and it is the same for two numbers as
# for two large matrices. Measure it with the smallest operation there is, adding two numbers:

# %%
overhead = machine.operation_overhead()
print(overhead)

# %% [markdown]
# A microsecond (µs) is a millionth of a second. If this fee is all there is besides the arithmetic, the time of a
# product is
#
# $$\text{time} = \text{overhead} + \frac{2 n^3}{\text{peak rate}}.$$
#
# The next cell measures products from 8 by 8 up to 2,048 by 2,048 and draws their rates. The dashed line is $2n^3$
# divided by the time of this formula.

# %% alt="Rate of a matrix product in GFLOP/s against matrix size from 8 to 2048, both axes in factors of ten or two. The measured points climb steeply at small sizes and level off at large ones; a dashed line, overhead plus arithmetic at the peak rate, follows them. A dotted line marks the size where half of the peak is reached."
sizes = [8, 16, 32, 64, 128, 256, 512, 1024, 2048]
rates = [machine.matrix_product_rate(n, seconds=0.12) for n in sizes]
best = max(rate.median for rate in rates)
explore(
    partial(draw_overhead, sizes=sizes, rates=rates),  # the drawing, with the measurements filled in
    overhead=log_slider(overhead.median, 1, 1000, "overhead (µs)"),
    peak=log_slider(best, 1, 100_000, "peak rate (GFLOP/s)"),
)

# %% [markdown]
# **How to read a figure.** The title says what there is to see. Points are measured; a short bar through a point
# spans the middle half of its repeats. A dashed line is theory. Both axes here are *logarithmic*: each step up is ten
# times more, each step to the right twice as much. The dotted line stands where overhead and arithmetic take equally
# long.
#
# **Turn the sliders** (in a running notebook). First the overhead: it moves the line at the left and leaves the right
# alone. Move it until the line meets the points of the small sizes. Then the peak: it moves only the right. Two
# numbers describe nine measurements, nearly. Where the line still misses, the formula leaves something out, such as
# the sharing of work between cores.

# %%
share = rates[0].median / best
print(f"size {sizes[0]}: {rates[0].median:.2g} GFLOP/s, best: {best:.0f} GFLOP/s")
print(f"The small product uses 1/{1 / share:,.0f} of what the machine can do.")
assert share < 0.1, "small products are expected to be ruled by overhead"

# %% [markdown]
# A third number is how fast memory can be read and written. These three describe your machine:

# %%
bandwidth = machine.copy_bandwidth()
print(f"arithmetic   {best:8.0f} GFLOP/s   best matrix product, float32")
print(f"memory       {bandwidth.median:8.1f} GB/s      copying a large array, read plus written")
print(f"overhead     {overhead.median:8.1f} µs        one small TensorFlow operation")
print(f"In the time of one overhead: {overhead.median * 1e-6 * best * 1e9 / 1e6:.1f} million FLOPs")

# %% [markdown]
# ## Shapes and number types
#
# Two things stop more beginners than all the mathematics. Both wait for you in lesson 5.2, so meet them here.
#
# An array has a **shape**, one size for each axis, and a **dtype**, the type of its numbers. TensorFlow calls its
# arrays **tensors**. `float32` keeps about 7 digits in 4 bytes, `float64` about 16 digits in 8 bytes.

# %% tags=["NBVAL_CHECK_OUTPUT"]
array = np.ones((3, 2))
tensor = tf.ones((2, 4))
print("NumPy:      shape", array.shape, " dtype", array.dtype)
print("TensorFlow: shape", tuple(tensor.shape), " dtype", tensor.dtype.name)

# %% [markdown]
# NumPy makes `float64`, TensorFlow makes `float32`. Mixing them inside NumPy silently gives `float64`. TensorFlow
# refuses:

# %%
try:
    tf.matmul(array, tensor)
except tf.errors.InvalidArgumentError as error:
    print("TensorFlow says:", str(error).split("[Op:")[0])

print("Mended:", tf.matmul(array.astype(np.float32), tensor).shape)

# %% [markdown]
# A *double* is a `float64`, a *float* a `float32`. The cure is to convert once, where the data come in. Training uses
# `float32` because it takes half the memory, and the arithmetic is faster:

# %%
double = machine.matrix_product_rate(1024, seconds=0.3, dtype="float64")
single = machine.matrix_product_rate(1024, seconds=0.3)
print(f"float32 {single.median:.0f} GFLOP/s, float64 {double.median:.0f} GFLOP/s")
print(f"float32 is {single.median / double.median:.1f} times as fast.")

# %% [markdown]
# The second thing is **broadcasting**. When two arrays of different shapes meet in `+`, `*` or `==`, their shapes are
# lined up **at the right**. A missing size counts as 1, and an axis of size 1 is stretched to the other's size:
#
# | one | other | result | why |
# |---|---|---|---|
# | (3, 2) | (2,) | (3, 2) | (2,) counts as (1, 2), and its 1 is stretched to 3 |
# | (3, 1) | (1, 2) | (3, 2) | both are stretched |
# | (3, 2) | (3,) | an error | lined up at the right, 2 meets 3 |
#
# This is handy when you mean it.

# %% [markdown] exercise="5.1.3"
# Four samples have the labels `labels` (their right answers), of shape `(4,)`. A model predicts one number for each
# sample, and its output `predicted` has the shape `(4, 1)`. Without running it: which shape has `predicted == labels`?
# Answer with a tuple, such as `(2, 3)`.

# %% exercise="5.1.3"
### BEGIN SOLUTION
shape = (4, 4)
### END SOLUTION

# %% check="5.1.3"
check("5.1.3", shape)

# %% [markdown]
# Now say that the model is perfect: its four predictions are exactly the four labels. The accuracy is the share of
# samples that are right, so it ought to be 1. **Which number does `np.mean(predicted == labels)` give?**

# %% prediction="mean of equality"
### BEGIN SOLUTION
prediction_mean = 1.0
### END SOLUTION

# %%
labels = np.array([0, 1, 1, 0])
predicted = labels.reshape(4, 1)
equal = predicted == labels
print(equal.astype(int))
reveal(prediction_mean, float(np.mean(equal)))

# %% [markdown]
# Row $i$, column $j$ compares prediction $i$ with label $j$: sixteen comparisons, where four were meant. Those four
# are on the diagonal, and all of them are right. No error, no warning, and a perfect model looks like a coin. The
# cure is to give both the same shape first, and to look at shapes whenever a number surprises you:

# %% tags=["NBVAL_CHECK_OUTPUT"]
print(np.mean(predicted[:, 0] == labels))

# %% [markdown]
# ## What does training a small model cost?
#
# Now the article's own example. A model predicts a label from 10 numbers (its *features*) by multiplying each with a
# *weight* and adding up. Training changes the weights a little, again and again, so that the predictions get better;
# one such change is a *step*. There are 1,000 samples and 100 steps. Lesson 5.2 takes the code apart line by line.
# Here you only time it, with its number types and shapes mended.
#
# One step multiplies the 1,000 × 10 data with the 10 × 1 weights to predict, and needs one more product of that size
# for the gradient, which says how to change the weights (lesson 4.1 derives it).

# %%
step_flops = 2 * machine.matrix_product_flops(1000, 10, 1)
loop_flops = 100 * step_flops
print(f"{step_flops:,} FLOPs a step, {loop_flops:,} in all 100 steps")
print(f"at {best:.0f} GFLOP/s: {loop_flops / (best * 1e9) * 1e6:.0f} µs of arithmetic")

# %% [markdown]
# How long does the whole loop take? Guess again, in seconds.

# %% prediction="seconds of the loop"
### BEGIN SOLUTION
prediction_loop = 0.01
### END SOLUTION

# %%
times = machine.small_training_seconds(repeats=6, device="CPU")
loop_seconds = float(np.median(times))
print(f"median of {len(times)} repeats on the CPU; fastest {min(times):.2f} s, slowest {max(times):.2f} s")
reveal(prediction_loop, loop_seconds, "s")

# %%
arithmetic = loop_flops / (best * 1e9)
print(f"At the best rate, its matrix products would take 1/{loop_seconds / arithmetic:,.0f} of that time.")
print(f"One step takes as long as {loop_seconds / 100 / (overhead.median * 1e-6):.0f} of the overheads measured above.")
assert loop_seconds > 100 * arithmetic, "overhead is expected to rule this loop"

# %% [markdown]
# Nearly all of the time is overhead: TensorFlow starting many tiny operations a step, and Python preparing each.
# Faster arithmetic has nothing to gain here. If you have a GPU, see for yourself with
# `machine.small_training_seconds(device="GPU")`. Later lessons put the whole loop into one compiled operation, and
# pay the entry fee once.
#
# ## And a large one?
#
# Work can be counted before it is done, so its time can be planned.

# %% [markdown] exercise="5.1.4"
# A training run needs `flops` FLOPs and a machine works at `gflops` GFLOP/s without a pause. How many **days** does
# it take?


# %% exercise="5.1.4"
def days(flops, gflops):
    """Days for a budget.

    flops: the work, in FLOPs. gflops: the rate, in GFLOP/s. Returns days.
    """
    ### BEGIN SOLUTION
    return flops / (gflops * 1e9) / (24 * 60 * 60)
    ### END SOLUTION


# %% check="5.1.4"
check("5.1.4", days)

# %% [markdown]
# From here on we use `machine.days_needed`, which you have just built. The smallest training run in the best known
# study of scaling (Hoffmann et al. 2022, the *Chinchilla* paper, in the points that Epoch AI read off its figure)
# took about $10^{18}$ FLOPs, the largest about $10^{22}$. For comparison, assume a GPU that keeps up 100,000 GFLOP/s.
# That is an assumption with a round number, not a measurement.

# %%
GPU = 100_000  # GFLOP/s, assumed
print("FLOPs   this machine   assumed GPU")
for exponent in (12, 15, 18, 22):
    here, there = (machine.days_needed(10.0**exponent, rate) * 86_400 for rate in (best, GPU))
    print(f"10^{exponent}   {machine.duration(here):<12}   {machine.duration(there)}")

# %% [markdown]
# That is why this course trains small models, many of them, and asks what they tell about large ones. A scaling law
# earns its keep when it lets you skip the last line of this table.

# %% [markdown] exercise="5.1.5"
# You may use your machine for one night, 8 hours, to train a family of small models. Write a plan in 40 words or
# more, between triple quotes (`plan = """..."""`): which rate you count on and why (the best one, or less?), how many
# FLOPs that makes, how many runs you split them over and how long each one takes. Say what you would measure first,
# and what would make you change the plan.

# %% exercise="5.1.5"
### BEGIN SOLUTION
plan = """
This machine measured about 150 GFLOP/s on large matrix products. Small models are
ruled by overhead, so I count on a tenth, 15 GFLOP/s. In 8 hours, 28,800 seconds, that
makes 4.3e14 FLOPs. Over 20 equal runs it is 2.2e13 FLOPs and 24 minutes each. First I
would time one short run. If it reaches less than a tenth of the measured rate, I train
fewer models or use larger batches, so that each operation does more work for its entry
fee.
"""
### END SOLUTION

# %% check="5.1.5"
check("5.1.5", plan)

# %% [markdown]
# In a terminal, `.venv/bin/course progress` shows what you have passed and how much is still ahead of you.
#
# ## The verdict on claim 5.1
#
# A fair hearing first. The article recommends its list, and much of it is sound. Linux works, as this page shows
# (macOS is not tested here), and large models do want a GPU. The versions are sound, too: the example, mended, also
# ran with Python 3.8 and TensorFlow 2.5.0, the oldest that it names, in a trial on Linux without a GPU.
#
# What the list leaves out is that versions come in pairs. "Or newer" on both sides promises pairs that do not exist.
# These have a build for Linux on the Python package index (at the time when TensorFlow 2.21 was the newest):
#
# | Python | 3.8 | 3.9 | 3.10 | 3.11 | 3.12 | 3.13 |
# |---|---|---|---|---|---|---|
# | TensorFlow | 2.2 to 2.13 | 2.5 to 2.20 | 2.8 to 2.21 | 2.12 to 2.21 | 2.16 to 2.21 | 2.20 to 2.21 |
#
# And CUDA, the library through which TensorFlow uses an NVIDIA GPU, goes with TensorFlow: a build asks for the CUDA
# version that it was made for.

# %%
print("Python", ".".join(map(str, sys.version_info[:2])), "with TensorFlow", tf.__version__)
print("made for CUDA:", tf.sysconfig.get_build_info().get("cuda_version", "none, it is for the CPU"))

# %% [markdown]
# Whether that build accepts CUDA 11.3 is not tested here, because it takes a GPU to find out. What can be tested is
# whether the example needs a GPU at all. Its training loop ran on the CPU, and the verdict judges the time that you
# measured. (Its box quotes the times of earlier runs on one machine. Yours may lie far outside their interval; what
# matters is whether it is inside the range in which the verdict stands.) How sure is it? A repeat is as likely to fall
# above the true median as below. If they are independent, all six fall on one side with probability $2/2^6$, so the
# true median lies between the fastest and the slowest with probability $1 - 2/2^6 = 97\,\%$.

# %% claim="5.1"
verdict("5.1", loop_seconds)

# %% [markdown]
# ## Takeaways
#
# - Work is counted in FLOPs, $2mkn$ for a matrix product; what you wait for is time. Between them stand the rate of
#   the machine and the overhead of each operation.
# - Small operations are ruled by overhead: a few large ones are faster than many small ones.
# - Look at shape and dtype first when a number surprises you: (n, 1) against (n,) makes (n, n), without a word.
#
# **One step further.** An $n$ by $n$ product reads $2n^2$ numbers and writes $n^2$, of 4 bytes each. Doubling $n$
# makes eight times the FLOPs but only four times the bytes. Use your three numbers to say from which size on
# arithmetic takes longer than memory, and compare it with the size in the title of the figure.
