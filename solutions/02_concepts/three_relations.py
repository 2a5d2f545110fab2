# %% [markdown]
# A model has a size. What follows from it? The article answers with three relations: the **time** of training grows as
# a power law of the size (claim 2.4), the **compute** is proportional to it (2.5), and **performance** improves with
# it, within a range (2.6). From these it draws the rest: large models generalise well (2.3), performance can be
# predicted from size (2.7), and the law tells which size to take (2.8) and what it will cost (2.9).
#
# A law that holds between two ends is only half known until you know the ends. So: **how do time, compute and loss
# change with the size of a model, and where does each of these laws begin and stop?** You will find out on your own
# machine, with one family of models over more than three decades of size: a decade is a factor of ten.
#
# The words this lesson uses, each in a sentence:
#
# - a model is a function with adjustable numbers, its **parameters**; there are $N$ of them, and $N$ is its size;
# - it reads eight characters of Python source code and says how probable each character is as the ninth. A character to
#   be predicted is a **token**; training sees $D$ of them;
# - the **loss** $L$ is the mean of $-\log p$, where $p$ is the probability that the model gave to the character that
#   came. It is counted in **nats**, the unit of the natural logarithm. 0 is perfect; knowing nothing of 98 characters
#   gives $\log 98 = 4.6$. Lesson 4.1 derives it; here it is enough that lower is better;
# - a **step** of training draws a **batch** of tokens, computes how their loss changes with each parameter (the
#   **gradient**), and moves all parameters a little so that it falls. How far is the **learning rate**; the rule that
#   moves them is **Adam**, which keeps two running averages for each parameter (lesson 4.2);
# - $C$ is compute in **FLOPs**, additions and multiplications (lesson 2.1 counted them).

# %%
import numpy as np
import pandas as pd

import course.widgets.three_relations as figures
from course import check, relations, reveal, sweeps, verdict
from course.counting import count
from course.data import task
from course.laws import fit_chinchilla, fit_isoflop, fit_power_floor
from course.machine import copy_bandwidth
from course.relations import line, local_exponents, straight_range
from course.training import Recipe, Trainer, compile_all, train_branches
from course.widgets import explore, log_slider, slider

# %% [markdown]
# ## Predict first
#
# Think of models from 1,000 to 9 million parameters, each step on a batch of 64 tokens.
#
# - A model of 2,000 parameters is made ten times larger. How many times longer does a step of training take?
# - A model of 100,000 parameters is made ten times larger. How many times longer now?
# - All models see the same 64,000 tokens. By how many nats does the loss fall from 1,000 to 1.3 million parameters?

# %% prediction="three"
### BEGIN SOLUTION
prediction_small = 2
prediction_large = 10
prediction_fall = 1.0
### END SOLUTION

# %% [markdown]
# ## 1 One family, measured once
#
# All models are built by one rule, so that size is all that differs: eight characters are looked up in a table, joined,
# multiplied by a matrix into `width` numbers, and these by another into one score for each character. Width is the
# dial; `course.counting` counts the parameters (lesson 2.1).
#
# The next three cells measure all that the lesson needs. Run them; you need not follow them line by line.
#
# First two large models, of 2 and 9 million parameters. They are too slow to train here: they are timed for a few
# steps, and the memory that they take is noted. The forecasts at the end, made from the small models alone, are scored
# with them. `Trainer` compiles the loop of training into one program: a second or two a size, not counted as training
# time.

# %%
recipe = Recipe(batch=64, rate=0.013, rate_power=0.75)  # the peak learning rate is 0.013 (64 / width)^0.75 (lesson 5.3)
few = task("characters", validation=512)  # evaluating the largest would take longer than timing them
larger, memory = {}, {}
for width in (1024, 2048):
    with relations.PeakMemory() as watch:
        trainer = Trainer(few, "char_mlp", width, recipe)
        trainer.compile()
        watch.forget()
        trainer.advance(5, 100)
        memory["a step"] = watch.bytes
        watch.forget()
        trainer.reset(0)
        memory["the start of a run"] = watch.bytes
    larger[count("char_mlp", width, few).n_params] = relations.step_time(trainer, seconds=0.6).best
    del trainer
far_n, far_seconds = np.array(list(larger), float), np.array(list(larger.values()))

# %% [markdown]
# Now the small ones: every size is trained for 250 and for 1,000 steps; the smallest three times, from other random
# starts (seeds), because their results scatter more. After each run of 1,000 steps we also ask for the loss on two
# texts that it was never trained on: Python code by other authors, and English prose (Python's manual). This cell takes
# half a minute or so.

# %%
characters = task("characters", validation=8192)  # predict 8,192 characters of text that is kept out of the training
texts = {"held out": characters.validation[:2]}
texts |= {name: relations.windows(text, 8, 8192) for name, text in relations.other_texts().items()}

widths = (6, 12, 24, 48, 96, 192, 384, 768)
trainers, rows = {width: Trainer(characters, "char_mlp", width, recipe) for width in widths}, []
compile_all(trainers.values())  # two at a time
for width, trainer in trainers.items():
    counts = count("char_mlp", width, characters)
    for seed in range(3 if width < 96 else 1):
        for run in train_branches(trainer, (250, 1000), seed):
            tokens = run.steps * recipe.batch
            row = {"width": width, "N": counts.n_params, "tokens": tokens, "seed": seed, "loss": run.loss}
            if run.steps == 1000:
                for name, (x, y) in texts.items():
                    row[f"{name}: loss"], row[f"{name}: wrong"] = relations.loss_and_error(trainer, x, y)
            rows.append(row)
runs = pd.DataFrame(rows)
by_size = runs.groupby(["tokens", "N"]).mean(numeric_only=True)  # the mean over seeds
many = by_size.loc[runs["tokens"].max()]  # the runs of 1,000 steps, one row a size
many[["width", "loss", "held out: wrong"]].round(3)

# %% [markdown]
# Then the clock. A computer does many things at once, and each of them makes some measurement too long, never too
# short. So every size is timed in many short slices, and the *shortest* counts: in round after round, until no size
# gets faster by more than 5 %. The times should rise from row to row. Where they do not, another program is busy: run
# this cell again when it is done.

# %%
timed, settled, rounds = {}, False, 0
while not settled and rounds < 6:
    again = {width: relations.step_time(trainer, seconds=0.15) for width, trainer in trainers.items()}
    settled = bool(timed) and all(again[width].best > 0.95 * timed[width].best for width in timed)
    timed = {width: min(timed.get(width, new), new, key=lambda one: one.best) for width, new in again.items()}
    rounds += 1
N = many.index.to_numpy(float)
seconds = np.array([timed[width].best for width in many["width"]])
processor = np.array([timed[width].processor for width in many["width"]])

for n, s in zip(N, seconds, strict=True):
    print(f"{n:12,.0f} parameters {1e3 * s:9.3f} ms a step")
print(f"{rounds} rounds" + ("" if settled else ", and still getting faster: another program is busy"))

# %% [markdown]
# ## 2 Time against size
#
# A power law $t = a N^k$ is a straight line with slope $k$ on logarithmic axes: ten times the size, $10^k$ times the
# time. Is $k$ the same everywhere? Look at neighbours first.

# %% [markdown] exercise="2.2.1"
# Write the exponent between each point and the next: the slope of $\log y$ against $\log x$.


# %% exercise="2.2.1"
def exponents(x, y):
    """Exponents between neighbours, (n - 1,). x and y: (n,) positive numbers, x rising."""
    ### BEGIN SOLUTION
    return np.diff(np.log(y)) / np.diff(np.log(x))
    ### END SOLUTION


# %% check="2.2.1"
check("2.2.1", exponents)

# %% [markdown]
# From here on `course.relations.local_exponents` does it. On the measured times, with the two large models for once:

# %%
all_n, all_seconds = np.concatenate([N, far_n]), np.concatenate([seconds, far_seconds])
slopes = local_exponents(all_n, all_seconds)
for a, b, k in zip(all_n, all_n[1:], slopes, strict=False):
    print(f"{figures.short(a):>6} to {figures.short(b):>6}: time ~ N^{k:5.2f}")


def step_at(n):
    """Seconds of a step of a model of n parameters, between the measured ones."""
    return float(np.exp(np.interp(np.log(n), np.log(N), np.log(seconds))))


times_small, times_large = step_at(20_000) / step_at(2_000), step_at(1e6) / step_at(1e5)
if slopes[:2].mean() > 0.6 or slopes[3:].mean() < 0.6:
    print("The clock was disturbed by other programs: close them and time the steps again (section 1).")

# %%
reveal(prediction_small, times_small, "times longer, from 2,000 to 20,000 parameters")

# %%
reveal(prediction_large, times_large, "times longer, from 100,000 to a million parameters")

# %% [markdown]
# There is not one exponent. The smallest models cost much less than in proportion when they grow; later, time grows
# with an exponent of about 0.6 to 0.9, and at the end often above 1. Where does the power law begin? That needs a rule,
# fixed before you look:
#
# > The law begins at the smallest size from which one straight line describes *all* that follow, each to within a tolerance.

# %% [markdown] exercise="2.2.2"
# Write the rule. For each start, fit a line to the logarithms of the points from there on (three or more), and see how
# far the worst of them lies off the line, up or down. Return the first `x` where that is at most `tolerance`, in the
# natural logarithm (0.15 is about 15 %). If there is none, return `float("nan")`. `slope, level = np.polyfit(u, v, 1)`
# fits a line.


# %% exercise="2.2.2"
def law_begins(x, y, tolerance):
    """The x at which the law begins, a number. x and y: (n,) positive, x rising; tolerance: of log y."""
    ### BEGIN SOLUTION
    u, v = np.log(x), np.log(y)
    for start in range(len(x) - 2):
        slope, level = np.polyfit(u[start:], v[start:], 1)
        missed = v[start:] - (slope * u[start:] + level)
        if np.max(np.abs(missed)) <= tolerance:
            return x[start]
    return float("nan")
    ### END SOLUTION


# %% check="2.2.2"
check("2.2.2", law_begins)

# %% [markdown]
# A law can also *end*. `course.relations.straight_range` applies the same rule at both ends: it returns the longest
# stretch that is straight within the tolerance. For time we allow 25 %, because clocks on a shared machine are no
# better.

# %% alt="Above: time of a training step against parameters from a thousand to nine million, both logarithmic, with a straight line through a shaded stretch; the smallest models lie above the line. Below: how far each point is off that line in per cent, small inside the stretch and large outside."
first, last = straight_range(all_n, all_seconds, 0.25)
time_law = line(all_n[first : last + 1], all_seconds[first : last + 1])
print(f"straight within 25 % from {all_n[first]:,.0f} to {all_n[last]:,.0f} parameters: exponent {time_law.said}")
figures.draw_relation(all_n, 1e3 * all_seconds, first, last, symbol="t", ylabel="time of a step (ms)")

# %% [markdown]
# (The figures stored in the answered edition are the building machine's: two cores, no GPU.) The lower panel is the one
# to trust: it shows the *residuals*, what the law misses, while on logarithmic axes many curves look straight. Even
# inside the stretch they bow: at its small end some overhead is left, and larger products of matrices keep a processor
# busier, so that the exponent there is below 1. Run the lesson twice, beside other programs, and the ends of the
# stretch move by a factor of several: a beginning found by a rule is known no better than the clock is.
#
# ### Why it has a beginning
#
# A step does three things one after the other:
#
# $$t(N) = \underbrace{t_0}_{\text{overhead}} + \underbrace{\frac{6\,N\,B}{R}}_{\text{arithmetic}} + \underbrace{\frac{32\,N\,(1 - M/16N)_+}{W}}_{\text{memory}}$$
#
# - **overhead**: starting the parts of a step costs the same for every size;
# - **arithmetic**: $6N$ FLOPs for each of the $B$ tokens of a batch, at $R$ FLOPs a second;
# - **memory**: parameters, gradient and Adam's two averages are $16N$ bytes (lesson 2.1). While they fit the processor's
#   cache, its small fast memory of $M$ bytes, they are at hand. What does not fit is read and written again in each
#   step, about 32 bytes for each parameter, at $W$ bytes a second. $(\cdot)_+$ is zero where the bracket is negative.

# %% [markdown] exercise="2.2.3"
# At which size does the arithmetic of a step take as long as its overhead? Below it, you are paying for the program,
# not for the model.


# %% exercise="2.2.3"
def crossover(overhead, flops_per_second, batch):
    """Parameters N at which 6 N batch FLOPs take `overhead` seconds."""
    ### BEGIN SOLUTION
    return overhead * flops_per_second / (6 * batch)
    ### END SOLUTION


# %% check="2.2.3"
check("2.2.3", crossover)

# %% [markdown]
# Now fit the machine by hand. First move the overhead until the left end agrees; then the arithmetic, for the middle;
# then cache and memory, for the right end, until the title says 1.5 or less (if your clock was quiet). The upright
# dotted line is the `crossover` that you wrote. Then make the arithmetic fifty times faster, as a GPU with the same
# overhead would: where does the line go? The *batch* enters the arithmetic alone: 1,024 in place of 64 makes it sixteen
# times as long, so that the law begins earlier and the memory hardly shows.

# %% alt="Time of a step against parameters: measured points, and the sum of a constant overhead, arithmetic that grows in proportion to N, and memory traffic that sets in where the model leaves the cache. A dotted upright line marks where arithmetic meets overhead."


def draw_machine(overhead, gflops, gigabytes, cache):
    return figures.draw_time_model(
        all_n, all_seconds, recipe.batch, overhead=overhead, gflops=gflops, gigabytes=gigabytes, cache=cache
    )


explore(
    draw_machine,
    overhead=log_slider(30, 1, 10_000, "overhead (µs)"),
    gflops=log_slider(100, 1, 100_000, "arithmetic (GFLOP/s)"),
    gigabytes=log_slider(20, 1, 3000, "memory (GB/s)"),
    cache=log_slider(20, 0.1, 200, "cache (MB)"),
)

# %% [markdown]
# So in the formula time is not one law but three regimes joined: exponent 0, exponent 1, and where the model leaves the
# cache a stretch *above* 1, before it is 1 again at a higher price. The measured exponent slides from one to the next
# and hardly rests anywhere: the straight stretch lies across the passage from overhead to arithmetic, and its exponent
# belongs to that passage. A straight line through everything would have some exponent, and no meaning.

# %% claim="2.4"
begins = all_n[first]
print(f"exponent {time_law.said} from {begins:,.0f} to {all_n[last]:,.0f}", end="")
print(f"; below: {slopes[0]:.2f}" if first else "")
verdict("2.4", time_law.exponent)

# %% [markdown]
# ## 3 Compute against size
#
# Compute needs no clock: it can be counted. For each token a parameter multiplies one number and the product is added,
# forward once and backward twice, so a token costs $6N$ FLOPs (lesson 2.1). Here is the exact count against that line.

# %% alt="Above: training FLOPs for one token against parameters, points close to a straight line of exponent a little above one. Below: residuals of a few per cent inside the shaded stretch, with the smallest models further below the line."
flops = np.array([count("char_mlp", int(width), characters).training_flops_per_token for width in many["width"]])
start, end = straight_range(N, flops, 0.05)
compute_law = line(N[start : end + 1], flops[start : end + 1])
print(
    f"FLOPs for one token ~ N^{compute_law.said} from {N[start]:,.0f}; 6N is {6 * N[-1] / flops[-1]:.2f} of the largest's count"
)
figures.draw_relation(N, flops, start, end, symbol="FLOPs for one token", ylabel="FLOPs for one token", colour="green")

# %% [markdown]
# Proportional, nearly. The smallest models do less than $6N$, because a good part of their parameters is a table, in
# which a row is looked up and nothing is multiplied. That share shrinks as they grow, so the exponent is a little above
# 1 and falls to it.
#
# But a token is not a training. *How many* tokens should a larger model see?

# %% [markdown] exercise="2.2.4"
# Write the FLOPs of a whole training, $6ND$, where the data grow with the model: $D$ = `data` for a model of `at`
# parameters, and in proportion to $N^{\text{power}}$ for the others.


# %% exercise="2.2.4"
def total_flops(n_params, data, at, power):
    """FLOPs of training, (k,). n_params: (k,) sizes; data: tokens for the size `at`; power: how the data grow."""
    ### BEGIN SOLUTION
    tokens = data * (n_params / at) ** power
    return 6 * n_params * tokens
    ### END SOLUTION


# %% check="2.2.4"
check("2.2.4", total_flops)

# %% [markdown]
# Here it is, with 20 tokens for each parameter of the smallest size. Move the power from 0 to 1: how much more compute
# does a model of ten times the size take, when all see the same data, and when data grow in proportion?

# %% alt="FLOPs against parameters: a dashed grey line of slope one for a single token, and a blue line of slope two for the whole training."
explore(
    lambda power: figures.draw_total(N, 20 * N[0], power),
    power=slider(1.0, 0.0, 1.5, 0.01, "the data grow as N to the"),
)

# %% [markdown]
# Which power is the right one? It is measured. In a recorded sweep of this family (lesson 5.3 makes one, with budgets
# from $10^{10}$ to $10^{13}$ FLOPs), the size that does best at each budget is known: it grows as $N \sim C^a$, so the
# compute of the best-trained model of size $N$ grows as $C \sim N^{1/a}$.

# %% claim="2.5"
recorded = sweeps.reference("characters")
best = fit_isoflop(recorded["flops"], recorded["n_params"], recorded["loss"], budget=recorded["budget"], bootstrap=400)
total_exponent = 1 / best.params["a"]
total_low, total_high = (1 / best.interval["a"][i] for i in (1, 0))
print(f"one token: N^{compute_law.said}")
print(f"trained as well as the compute allows: N^{total_exponent:.2f} [{total_low:.2f}, {total_high:.2f}]")
assert 0.9 < compute_law.exponent < 1.2
verdict("2.5", total_exponent)

# %% [markdown]
# Hoffmann and co-authors (2022) found $a \approx 0.5$ for large language models, so $C \sim N^2$; Kaplan and co-authors
# (2020) $a \approx 0.73$, so $C \sim N^{1.4}$. Neither makes it 1. Ten times the size wants ten times the compute
# *for each token*, and more tokens.
#
# ## 4 Loss against size
#
# Two series of runs: all sizes saw 16,000 tokens, and all saw 64,000. Is the loss a power law of the size? Not a
# straight one. A text cannot be foreseen entirely: what comes next is not certain, so there is a loss $E$ that no model
# gets below. What may be a power law is the *rest*:
#
# $$L(N) = E + A\,N^{-\alpha}.$$
#
# Both laws are fitted below to the runs of 64,000 tokens, by least squares of the logarithms.

# %% alt="Above: loss against parameters for two amounts of data, each with a fitted curve that falls and levels off at its own dotted floor; more data give the lower curve. Below: the law with floor misses the points by less than one per cent, a straight line bows away from them by several per cent at both ends and in the middle."
by_tokens = {}
for tokens, group in runs.groupby("tokens"):
    means = group.groupby("N")["loss"].mean()
    by_tokens[tokens] = (means.index, means.to_numpy(), fit_power_floor(means.index, means, bootstrap=400))
loss = by_tokens[64_000][1]
loss_law, straight_loss = by_tokens[64_000][2], line(N, loss)
for tokens, (_, _, fit) in by_tokens.items():
    (a, b), (c, d) = fit.interval["alpha"], fit.interval["E"]
    print(
        f"{tokens:7,} tokens: alpha {fit.params['alpha']:.2f} [{a:.2f}, {b:.2f}], floor {fit.params['E']:.2f} [{c:.2f}, {d:.2f}]"
    )
missed_floor, missed_line = (np.abs(np.expm1(fit.residuals)).max() for fit in (loss_law, straight_loss))
print(f"largest miss: {missed_floor:.1%} with the floor, {missed_line:.1%} without")
assert missed_floor < missed_line / 2
figures.draw_loss(by_tokens, straight_loss)

# %%
reveal(prediction_fall, float(loss[0] - loss[-1]), "nats, from 1,000 to 1.3 million parameters")

# %% [markdown]
# With its floor the law describes three decades. But look where the floor lies: it is not the same for the two amounts
# of data, so it cannot be the task's own. With so few tokens the large models are not trained to their end, and what
# the fit calls $E$ is mostly *missing data*. That is where the law of size breaks: more parameters cannot replace what
# the data do not say.
#
# A surface in two variables says both (lesson 5.4 fits it): $L(N, D) = E + A N^{-\alpha} + B D^{-\beta}$. For a given
# $D$ the last term raises the floor, and no size gets below it. Here it is, fitted to the recorded sweep and drawn over
# the data that the sweep had, with your own runs of 1,000 steps as points. Move the data. From which size on is it not
# worth growing? The title takes the size at which the two terms are equal: beyond it, more data would do more.

# %% alt="Loss against parameters for a chosen amount of data: a curve that falls and levels off at a dotted floor, above a grey curve for endless data, with the measured runs of 64,000 tokens as points."
surface = fit_chinchilla(recorded["n_params"], recorded["tokens"], recorded["loss"])
live = by_size.loc[[64_000]].reset_index()[["N", "tokens", "loss"]]
off = 100 * (live["loss"] / surface.predict(n_params=live["N"], tokens=live["tokens"]) - 1)
print(f"your runs lie {off.min():+.0f} to {off.max():+.0f} % off the recorded curve")
explore(
    lambda tokens: figures.draw_loss_by_data(surface, live, tokens),
    tokens=log_slider(64_000, 30_000, 2e7, "tokens D"),
)

# %% [markdown]
# (The points lie below the curve, most of all on the left: it comes from another recipe, with batches eight times
# larger, and hardly a run of the sweep had so few tokens. Compare only that both level off.) "Within some range" is the
# best part of the claim: it says that there is an end. What it needs is the other half, *which* range. For a fixed
# amount of data it ends where the data's own term takes over.

# %% claim="2.6"
first_decade, last_decade = (
    100 * float(1 - loss_law.predict(x=10 * n)[0] / loss_law.predict(x=n)[0]) for n in (N[0], N[-1] / 10)
)
draws = [loss_law.samples[name] for name in ("E", "A", "alpha")]  # of the 400 refits of the bootstrap (lesson 1.1)
at_start = [draws[0] + draws[1] * n ** -draws[2] for n in (N[0], 10 * N[0])]
low, high = np.quantile(100 * (1 - at_start[1] / at_start[0]), [0.025, 0.975])
print(
    f"ten times the size: {first_decade:.1f} % less loss [{low:.1f}, {high:.1f}] from {N[0]:,.0f}, {last_decade:.1f} % up to {N[-1]:,.0f}"
)
assert last_decade < first_decade / 2
verdict("2.6", first_decade)

# %% [markdown]
# **A good place for a break.** The three relations are measured and judged. What follows is what the article draws from
# them.
#
# ## 5 Does a large model generalise?
#
# To generalise is to do well on what one has not been trained on. There are two kinds: new text of the same kind, and
# text of another kind. Take the second first, because it is what the claim speaks of. No model was trained on either of
# the two: Python by other authors, and English prose. The English is not wholly foreign, for a part of the training
# text is docstrings and comments, and the prose is Python's own manual. It is text of another kind, not of another
# world.

# %% alt="Loss against parameters on three texts, logarithmic: held-out code of the training text's kind lowest, other authors' Python and English above. All three fall as the models grow."
by_text = {name: many[f"{name}: loss"].to_numpy() for name in texts}
for name, values in by_text.items():
    print(f"{name:13} {values[0]:.2f} -> {values[-1]:.2f} nats, {values[0] - values[-1]:.2f} less")
figures.draw_texts(N, by_text)

# %% [markdown]
# That speaks for the claim: what a larger model learned from one text serves it on others. But every model here saw
# each token once. Now give all sizes the same 50,000 characters, and let them see these again and again, 2,000 steps of
# 64: two or three times each. The difference between the loss on new text (the *test* loss) and the loss on the text of
# the training is the **gap**.

# %%
scarce = task("characters", samples=50_000, validation=8192)
window = np.lib.stride_tricks.sliding_window_view(scarce.train["text"], 9)[::6].astype("int32")  # every sixth place
trained_on, unseen, scarce_n = [], [], []
three = [Trainer(scarce, "char_mlp", width, recipe) for width in (6, 48, 192)]
compile_all(three)
for trainer in three:
    trainer.reset(0)
    trainer.advance(2000, 2000)
    scarce_n.append(count("char_mlp", trainer.size, scarce).n_params)
    trained_on.append(relations.loss_and_error(trainer, window[:, :8], window[:, 8])[0])
    unseen.append(relations.loss_and_error(trainer, *texts["held out"])[0])

# %% [markdown] exercise="2.2.5"
# Return the gap of each size, and the size that does best on what it has not seen.


# %% exercise="2.2.5"
def gap_and_best(n_params, train, test):
    """(gaps, best size): (k,) test less training loss, and a number. n_params, train, test: (k,), one entry a size."""
    ### BEGIN SOLUTION
    gaps = np.asarray(test) - np.asarray(train)
    return gaps, n_params[np.argmin(test)]
    ### END SOLUTION


# %% check="2.2.5"
check("2.2.5", gap_and_best)

# %% alt="Training and test loss against parameters with few data: the training loss falls all the way, the test loss falls a little, turns and rises, and the gap between them widens."
gaps, best_scarce = relations.gap_and_best(scarce_n, trained_on, unseen)
figures.draw_gap(scarce_n, trained_on, unseen, 50_000)

# %% [markdown]
# With few data the larger model learns them by heart, and does worse on everything else: it **overfits**. So size alone
# does not generalise; size *with data to match* does.

# %% claim="2.3"
english_fall = float(by_text["English"][0] - by_text["English"][-1])
print(f"English: {english_fall:.2f} nats less from {N[0]:,.0f} to {N[-1]:,.0f} parameters, each token seen once")
print(
    f"50,000 characters: best is N = {best_scarce:,.0f}; the largest is {unseen[-1] - min(unseen):.2f} nats worse, gap {gaps[-1]:.2f}"
)
assert gaps[-1] > gaps[0] and unseen[-1] > min(unseen)
verdict("2.3", english_fall)

# %% [markdown]
# ### Optional: the error that falls twice
#
# The last sentence of the verdict speaks of a model that is not in this family. It is small enough to solve exactly:
# $N$ random functions of the inputs, each with one weight, fitted by least squares to $n = 100$ noisy samples. Up to
# $N = n$ the story is the same as above. Then watch.

# %% alt="Test error of random-feature least squares against the number of weights, logarithmic. It falls, then rises to a sharp peak about fifty times higher where the weights equal the hundred samples, then falls again, far below its first minimum, towards the error of the noise alone. Training error drops to zero at the peak."
weights = (4, 8, 16, 32, 48, 64, 80, 92, 100, 108, 125, 160, 256, 512, 1024, 2048)
dd_train, dd_test = relations.random_feature_errors(weights, samples=100, noise=0.3, seeds=10)
middle = np.median(dd_test, axis=0)
first_minimum, peak = middle[:6].min(), weights[int(middle.argmax())]
print(f"first minimum {first_minimum:.2f}, peak {middle.max():.0f} at N = {peak}, then {middle[-1]:.2f}")
assert peak == 100 and middle[-1] < first_minimum
figures.draw_double_descent(weights, dd_train, dd_test, 100, 0.3**2)

# %% [markdown]
# This is **double descent** (Belkin and co-authors, 2019). At $N = n$ exactly one set of weights fits all samples,
# noise included, and it is a wild one. With more weights there are many such sets, and least squares takes the
# *shortest*, which is smooth. The error falls a second time, below its first minimum. Why a model on that far side
# generalises is a matter of which solution training picks, not of size alone.

# %% [markdown]
# ## 6 Forecasts
#
# A law earns its name by what it says about what has not been seen. Three forecasts, each scored.
#
# ### The loss of a larger model
#
# Fit $E + A N^{-\alpha}$ to the five smallest sizes, on each text, and forecast the three largest, up to 42 times the
# largest fitted.

# %% alt="Loss on three texts against parameters: curves fitted to the five smallest sizes, and the three larger models as open symbols in a grey area, near the curves."
fits = {name: fit_power_floor(N[:5], values[:5]) for name, values in by_text.items()}
missed = {name: fits[name].predict(x=N[5:]) / values[5:] - 1 for name, values in by_text.items()}
for name, values in missed.items():
    print(f"{name:13} off by " + ", ".join(f"{100 * value:+.1f} %" for value in values))
figures.draw_forecast(N, by_text, fits, 5)

# %% [markdown]
# Is that good? Compare with the simplest forecast there is, "the same as the largest I know", and with what *else*
# moves the loss: the number of tokens, at the same size.

# %% claim="2.7"
worst = 100 * max(np.abs(values).max() for values in missed.values())
naive = 100 * max(np.abs(values[4] / values[5:] - 1).max() for values in by_text.values())
other_data = 100 * float((by_tokens[16_000][1] / by_tokens[64_000][1] - 1).max())
print(
    f"off by {worst:.1f} % at most; 'the same again' by {naive:.1f} %; a quarter of the tokens moves the loss by {other_data:.1f} %"
)
verdict("2.7", worst)

# %% [markdown]
# So performance is predictable from size *when all else is kept*: family, data, steps. It is not predictable from size
# alone: a quarter of the tokens does as much as a large change of size. And each text needs its own fit.
#
# ### The right size
#
# A law of size alone cannot choose a size, because it always says "larger". The choice comes from the price: at a fixed
# budget of compute a larger model sees fewer tokens, and one size is best. In the recorded sweep, fit the best size of
# the budgets up to $10^{12}$ FLOPs, and forecast the one at $10^{13}$.

# %% alt="Best size against training compute for budgets from ten to the ten to ten to the twelve FLOPs, with the fitted law, carried on to ten to the thirteen, where the forecast lies below the size found there, and their intervals do not meet."
known = recorded[recorded["budget"] < 1.5e12]
far = recorded[recorded["budget"] > 8e12]
law = fit_isoflop(known["flops"], known["n_params"], known["loss"], budget=known["budget"], bootstrap=1000)
all_budgets = fit_isoflop(
    recorded["flops"], recorded["n_params"], recorded["loss"], budget=recorded["budget"], bootstrap=400
)
found = all_budgets.optima[-1]
forecast = float(law.predict(flops=found.flops)[0])
forecast_low, forecast_high = (float(end[0]) for end in law.predict_interval(flops=found.flops, observation=False))
figures.draw_best_sizes(law, (found.n_params, found.low, found.high), (forecast, forecast_low, forecast_high))

# %% claim="2.8"
mean_loss = far.groupby("n_params")["loss"].mean()
at_forecast = float(np.interp(np.log(forecast), np.log(mean_loss.index), mean_loss))
print(
    f"forecast {forecast:,.0f} [{forecast_low:,.0f}, {forecast_high:,.0f}], found {found.n_params:,.0f} [{found.low:,.0f}, {found.high:,.0f}]"
)
print(
    f"loss at the forecast size {at_forecast:.3f}, best of the sizes tried {mean_loss.min():.3f}, smallest tried {mean_loss.iloc[0]:.3f}"
)
verdict("2.8", forecast / found.n_params)

# %% [markdown]
# The forecast size is too small by a quarter, and its interval does not reach the size that was found: as in lesson
# 1.1, an interval knows the noise and not the end of the law. It costs next to nothing all the same, because near its
# minimum the curve of the loss is flat. So the law gives a size that is good enough, within a family and for a budget.
# That "best" is best for *training* compute. A model that many people will use should be smaller and trained longer.
#
# ### The resources
#
# What will a run cost that has not been made? A step's time you have; a run has many steps.

# %% [markdown] exercise="2.2.6"
# A step of a model with `at` parameters takes `step_seconds`, one of $N$ parameters
# $(N/\mathtt{at})^{\mathtt{exponent}}$ times as long. A run shall see `tokens_per_param` tokens for each parameter,
# `batch` of them in a step. How many seconds will it take?


# %% exercise="2.2.6"
def run_seconds(n_params, step_seconds, at, exponent, tokens_per_param, batch):
    """Seconds of a whole run of a model with n_params parameters, a number."""
    ### BEGIN SOLUTION
    steps = tokens_per_param * n_params / batch
    return steps * step_seconds * (n_params / at) ** exponent
    ### END SOLUTION


# %% check="2.2.6"
check("2.2.6", run_seconds)

# %% [markdown]
# Now the two large models, forecast in two ways from the sizes up to 1.3 million: by the straight line, and by the sum
# of three parts from section 2, with overhead and arithmetic fitted to the small sizes and the memory's bandwidth
# measured by itself (lesson 5.1). The cache is not measured: we take it to be just full at the largest of the small
# models. For the bytes in memory the forecast is the count: 16 for each parameter.

# %% alt="Time of a step against parameters: a straight line with a shaded interval and a green curve of three parts, both fitted to sizes up to a million, and two larger models that were not fitted."
begin, stop = straight_range(N, seconds, 0.25)
small_law = line(N[begin : stop + 1], seconds[begin : stop + 1])
bandwidth = copy_bandwidth(megabytes=64)
parts = relations.fit_time_model(N, seconds, recipe.batch, bandwidth.median * 1e9)
figures.draw_resources(small_law, parts, recipe.batch, N, seconds, far_n, far_seconds)

# %% claim="2.9"
low_s, high_s = small_law.predict_interval(far_n)
by_line, by_parts = far_seconds / small_law.predict(far_n), far_seconds / parts.seconds(far_n, recipe.batch)
print(
    f"overhead {1e6 * parts.overhead:.0f} µs, arithmetic {parts.flops_per_second / 1e9:.0f} GFLOP/s, memory {bandwidth}"
)
for i, n in enumerate(far_n):
    print(
        f"{n:11,.0f} parameters: {1e3 * far_seconds[i]:5.1f} ms, {by_line[i]:.1f} times the line's forecast "
        f"(interval {1e3 * low_s[i]:.1f} to {1e3 * high_s[i]:.1f} ms), {by_parts[i]:.1f} times the sum's"
    )
for what, held in memory.items():
    print(f"the largest holds {held / 1e6:.0f} MB in {what}, {held / (16 * far_n[-1]):.1f} times the count")
hours = relations.run_seconds(far_n[-1], far_seconds[-1], far_n[-1], 1.0, 20, recipe.batch) / 3600
print(f"trained on 20 tokens a parameter it would take {hours:.0f} hours here")
verdict("2.9", float(by_parts[-1]))

# %% [markdown]
# Which forecast is nearer depends on your machine and its hour. A straight line knows nothing of the next regime: the
# models that it was fitted to may have lived in the cache, the large ones need not. Where the largest lies outside the
# line's 95 % interval, remember that an interval speaks of noise and not of a law that ends. The sum of parts knows
# *why* time may grow faster. Of memory, the count gives what must be held; a program takes what it likes on top, above
# all at the start of a run, when this one makes a second copy of everything.
#
# ## 7 Optional: the chart
#
# The article draws the relations as a chart, without numbers. Here it is with a measured exponent and its interval on
# each arrow, all from your own runs. (In JupyterLab the chart is drawn by Mermaid, from the text form that such charts
# are written in; elsewhere you see a picture of it.)
#
# For the second row of arrows: *resources* are processor seconds, which count all cores; *efficiency* is FLOPs done
# for each second of a step; *effect* is how often the model's first guess is wrong. The arrow of time is section 6's
# line, fitted to sizes up to 1.3 million; section 2's took in the larger ones.

# %% alt="A flow chart: model size leads to compute, to time and to loss; compute leads to the resources used, time to efficiency, loss to the effect on the task. Each arrow carries an exponent with its interval."
straight = slice(begin, stop + 1)
reached = recipe.batch * flops / seconds
laws = {
    "compute": compute_law,
    "time": small_law,
    "cost": line(flops[straight], processor[straight]),
    "efficiency": line(seconds[straight], reached[straight]),
    "error": line(loss, many["held out: wrong"]),
}
figures.chart(laws, loss_law)

# %% [markdown]
# Each arrow holds in the range found above, and only there. The one from time to efficiency follows from two others,
# $r \sim C / t$: it rises where time grows more slowly than compute, because larger matrix products use a processor
# better, and is flat where the two are proportional. The last one is nearly a proportion: for these models, less loss
# means fewer wrong guesses, at about the same rate. Lesson 3.4 shows measures of performance for which that fails
# badly.
#
# ## 8 Your turn

# %% [markdown] exercise="2.2.7"
# Your machine is free for one night, and you have as much text as you like. In about 100 words: how do you use the
# three relations to choose a size, what loss do you forecast and with which data behind it, and which of the laws is
# most likely to break on you? How would you notice before the night is over?

# %% exercise="2.2.7"
### BEGIN SOLUTION
my_night = """
Eight hours are 28,800 seconds. I time a step at five sizes from 10,000 to 1 million parameters and fit the time law
where it is straight. With 20 tokens for each parameter a run's time goes as N to about 1.9, so I solve for the N that
fits and take a little less. I fit E + A N^-alpha to small runs with the same number of tokens for each parameter, and
write down the forecast with its interval. The time law is the most likely to break, because the large model leaves
the cache: so I run twenty steps of it first and compare with the forecast. If the loss of the first hour lies outside
the interval that the small runs had at the same share of their training, I stop and look at the learning rate.
"""
### END SOLUTION

# %% check="2.2.7"
check("2.2.7", my_night)

# %% [markdown]
# ## Takeaways
#
# - The formula of time has three regimes: flat while overhead rules, linear while arithmetic does, dearer when memory
#   does. Measured exponents lie mostly between these. Compute is proportional to size for a token, and about to its
#   square for a training.
# - Loss falls as a power of size until the floor of the task or of the data; with few data it turns and rises.
# - A law comes with its range. Inside, forecasts are good to a few per cent for loss, and for time to the tolerance that
#   you allowed; one regime further a line is off by factors.
#
# ## One step further
#
# - Change `batch` to 16 or 512 in the recipe and run section 1 again. Where does the law of time begin now, and was the
#   crossover right?
# - In `random_feature_errors`, raise the noise to 1. Is larger still better? Belkin's paper and Mei and Montanari
#   (2022) say when it is not.
# - Which size would you choose if *seconds*, not FLOPs, were the budget? Put the time law and $L(N, D)$ together and
#   find the minimum.
