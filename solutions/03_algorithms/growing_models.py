# %% [markdown]
# The article's first algorithm is the shortest: to get a better model, make it larger. More layers, more neurons, more
# parameters. So take a model that works, make it nine times as large, and train it as before. **What must change with
# the size, and what may stay?** You will grow one model in two ways at the same cost. One way makes it much better. The
# other makes it worse than it was.
#
# Two claims of the article are tested here:
#
# - **3.1** More layers, more neurons and more parameters make a model larger, and this growth by itself is the core of
#   the scaling law.
# - **3.2** Compute and training time rise with size, and experiments find a best size for a task on given hardware.
#
# ### The words, once
#
# - A **network** turns numbers into numbers in **layers**. A layer multiplies what comes in by a matrix, adds one
#   number (a **bias**) to each result, and then the **ReLU** sets the negative ones to 0. The **width** $w$ is how many
#   numbers a hidden layer holds, and the **depth** $\ell$ how many hidden layers there are. A last layer without ReLU,
#   the **head**, gives one score, a **logit**, for each class.
# - The entries of the matrices and the biases are learned: the **parameters**, $N$ of them.
# - The **loss** $L$ says how wrong the logits are, in **nats**: 0 when all the probability goes to the right class,
#   $\ln 10 = 2.30$ for guessing among ten (lesson 4.1 derives it).
# - **Training** takes **steps**. Each draws a **batch** of samples, asks in which direction each parameter would lower
#   their loss (the **gradient**), and moves all parameters a little that way. The **learning rate** says how little.
# - What the rate multiplies depends on the rule. Ours is **Adam** (lesson 4.2), and all you need of it here is that it
#   moves *each* parameter by about the rate, however large its gradient is.

# %%
from dataclasses import replace

import numpy as np
import tensorflow as tf

import course.widgets.growing_models as figures
from course import check, reveal, sweeps, verdict
from course.counting import count
from course.data import task
from course.parameterisation import equal_cost_width
from course.training import Recipe, Trainer, train
from course.widgets import explore, slider

# %% [markdown]
# The task: signals of 40 points in ten classes, shifted, stretched and covered with noise (MNIST-1D, Greydanus and
# Kobak 2024, made afresh on your machine). A step of training draws 64 of 50,000 of them, and a run is 600 steps:
# 38,400 draws, less than one for each signal. The loss is measured on 5,000 others.

# %% alt="Five noisy curves of 40 points side by side, one from each of the classes 0 to 4."
signals = task("mnist1d", samples=50_000)
figures.draw_signals(*signals.validation[:2])

# %% [markdown]
# ## Predict first
#
# The model to grow has two hidden layers of 64 numbers; at the rate that suits it best, 0.011, it reaches a loss of
# about 0.86 nats in 600 steps. Now grow it nine times in cost, keeping the rate and the 600 steps:
#
# - by **width**: two layers of 230;
# - by **layers**: sixteen layers of 64.
#
# Which loss will each have? And if the width grows sixteenfold, to 1,024: by which factor does the best learning rate
# change? (1: it stays. 0.5: half of it is best.)

# %% prediction="growth"
### BEGIN SOLUTION
prediction_wider = 0.7
prediction_deeper = 0.7
prediction_rate_factor = 0.5
### END SOLUTION

# %% [markdown]
# ## 1 Growth by itself
#
# A comparison of two ways to grow is fair when both cost the same. A matrix of $m \times n$ weights takes $mn$
# multiplications and $mn$ additions for each sample, and training goes through it three times (once forward, twice
# backward, as in lesson 2.1). So a step costs 6 FLOPs for each weight and sample, and *equal cost is an equal number of
# weights in the matrices*. Biases are only added and do not count.

# %% [markdown] exercise="3.1.1"
# Which width has a network of `layers` hidden layers when its matrices may hold `weights` weights? The matrices are:
# `inputs` × w, then one w × w between each hidden layer and the next, then w × `outputs`. Return the nearest whole
# number. (`layers` may be 1.)


# %% exercise="3.1.1"
def width_for(weights, layers, inputs, outputs):
    """Width of the hidden layers, a whole number; all four arguments are numbers."""
    ### BEGIN SOLUTION
    ends, squares = inputs + outputs, layers - 1
    if squares == 0:
        return round(weights / ends)
    return round((np.sqrt(ends**2 + 4 * squares * weights) - ends) / (2 * squares))
    ### END SOLUTION


# %% check="3.1.1"
check("3.1.1", width_for)

# %% [markdown]
# From here on we use `course.parameterisation.equal_cost_width`, which you have just built. `course.models` names each
# way to build a network a *family*: `mlp` has two hidden layers, `mlp_16` has sixteen, and the size of a family is its
# width.

# %%
for layers in (1, 2, 4, 8, 16):
    print(f"{layers:2} hidden layers: width {equal_cost_width(64_640, layers, 40, 10):5,}")
cost = {}
for family, width in (("mlp", 64), ("mlp", 230), ("mlp_16", 64)):
    c = count(family, width, signals)
    cost[family, width] = c.training_flops_per_token  # here a "token" is a signal
    print(f"{family:6} of width {width:3}: {c.n_params:6,} parameters, {cost[family, width]:7,} FLOPs a sample")
assert abs(cost["mlp", 230] / cost["mlp_16", 64] - 1) < 0.01

# %% [markdown]
# Now train the three with the same recipe: rate 0.011, batches of 64, 600 steps, two seeds (a *seed* fixes which random
# numbers a run starts from and which samples it draws). The rate named is the *peak*: it rises to it over the first 30
# steps, and falls to 0 over the last 180 (lesson 3.2 says why).

# %%
recipe = Recipe(batch=64, rate=0.011, rate_power=0.0, clip=0.0)  # the same rate at every size


def losses(family, width, rate=0.011, seeds=(0, 1)):
    """Final losses of one model, a number for each seed."""
    trainer = Trainer(signals, family, width, replace(recipe, rate=rate))
    return [train(trainer, 600, seed).loss for seed in seeds]


grown = {
    "small": losses("mlp", 64),
    "wider": losses("mlp", 230),
    "deeper": losses("mlp_16", 64),
}
for name, values in grown.items():
    print(f"{name:7} " + "  ".join(f"{value:.3f}" for value in values) + " nats")
before, wider, deeper = (np.mean(values) for values in grown.values())
assert wider < before - 0.1 and deeper > before + 0.1

# %%
reveal(prediction_wider, wider, "nats")

# %%
reveal(prediction_deeper, deeper, "nats")

# %% [markdown]
# The wider model is much better. The deeper one, as large and as costly, is *worse than the small one that it grew
# from*. And the wider one is not as good as it can be, as you will see: its rate is wrong by now. Growth by itself is
# not what helps. Three things have to be right: the **start**, what passes through **depth**, and the **rate**. Take
# them in turn.
#
# ## 2 The start
#
# Before the first step the matrices hold random numbers. How large should they be? Call a layer's numbers $z$ before
# its ReLU and $x$ after it, and follow their *mean square*, written $\mathrm{E}[z^2]$, through one layer; its root is
# the layer's *scale*. One number $z'$ of the next layer is a sum over the $w$ numbers that come in ($w$ is its
# *fan-in*), each times its own random weight. The weights have mean 0 and *variance* $v$, the square of their standard
# deviation:
#
# $$z' = \sum_{i=1}^{w} W_i\,x_i, \qquad \mathrm{E}[z'^2] = w \cdot v \cdot \mathrm{E}[x^2], \qquad x = \mathrm{ReLU}(z).$$
#
# (In the square of the sum, products of two different weights are as often negative as positive, so they drop out on
# average. There remain $w$ squares.) The numbers $z$ lie alike on both sides of 0. The ReLU sets half of them to 0, and
# half of their mean square goes with them: $\mathrm{E}[x^2] = \mathrm{E}[z^2]/2$.

# %% [markdown] exercise="3.1.2"
# Which standard deviation of the weights keeps $\mathrm{E}[z'^2] = \mathrm{E}[z^2]$? The matrix takes `fan_in` numbers,
# which come out of a ReLU, to `fan_out` numbers.


# %% exercise="3.1.2"
def start_std(fan_in, fan_out):
    """Standard deviation of a fan_in x fan_out matrix's first weights; a number."""
    ### BEGIN SOLUTION
    return np.sqrt(2 / fan_in)
    ### END SOLUTION


# %% check="3.1.2"
check("3.1.2", start_std)

# %% [markdown]
# This is He and co-authors' rule (2015), and the course's models follow it. Call the standard deviation times $\sqrt w$
# the **gain**: the rule says $\sqrt 2 = 1.41$. Why be careful? Because layers multiply. Turn the gain and the number of
# layers. How far from 1.41 may the gain be with 2 layers, and how far with 30, before the last layer's scale is off by
# ten? (Points: random networks of width 128. Dashed lines: the formula.)

# %% alt="Root mean square of the numbers in an untrained network against the layer, gain 1, on a logarithmic axis: the plain network's points fall on a straight dashed line to below a hundredth after sixteen layers, those of the network with skips stay near one."
explore(
    figures.draw_scales,
    gain=slider(1.0, 0.6, 2.4, 0.1, "gain: standard deviation times √width"),
    layers=slider(16, 2, 32, 1, "hidden layers"),
)

# %% [markdown]
# A plain stack multiplies the scale by $\text{gain}/\sqrt 2$ in each layer: an exponential in the depth, which only the
# right gain keeps flat. With 2 layers any gain on the slider will do. With 30 it must lie within a factor of $10^{1/29}
# = 1.083$ of 1.41: from 1.31 to 1.53. The blue points are a network with **skips**, which section 3 explains; it
# forgives nearly everything.
#
# ## 3 What passes through depth
#
# Our sixteen layers did start at the right gain, and still they trained badly. Scale is not all that has to survive. To
# tell two inputs apart, the last layer must still see a difference. Measure it by the **cosine** $c$ of the angle
# between the two inputs' numbers in a layer: 1 means the same direction, 0 means nothing in common. For wide random
# layers the cosine one ReLU layer further on is a formula (Cho and Saul, 2009):
#
# $$c' = \frac{1}{\pi}\Bigl(\sqrt{1 - c^2} + c\,(\pi - \arccos c)\Bigr).$$

# %% [markdown] exercise="3.1.3"
# Where does a cosine end after so many layers? Use the formula again and again.


# %% exercise="3.1.3"
def cosine_after(cosine, layers):
    """Cosine between two inputs' numbers after `layers` further ReLU layers; a number."""
    ### BEGIN SOLUTION
    for _ in range(layers):
        cosine = (np.sqrt(1 - cosine**2) + cosine * (np.pi - np.arccos(cosine))) / np.pi
    return cosine
    ### END SOLUTION


# %% check="3.1.3"
check("3.1.3", cosine_after)

# %% [markdown]
# From here on: `course.parameterisation.similarity`. Hold it (dashed) against eight real random networks, which start
# from two inputs at right angles (points: their mean; bars: the middle 95 %):

# %% alt="Cosine between two inputs against the layer, for sixteen layers: the plain networks' points rise along the dashed line of the formula from 0 to above 0.9, those with skips only to about a quarter."
plain, skips = (figures.random_similarity(16, residual=residual) for residual in (False, True))
figures.draw_alike(plain, skips)

# %%
from course.parameterisation import similarity

for name, values, residual in (("plain", plain, False), ("with skips", skips, True)):
    found, formula = values[:, -1].mean(), similarity(0.0, 16, residual)[-1]
    print(f"{name:10} cosine at layer 16: {found:.2f}, formula {formula:.2f}")
    assert abs(found - formula) < 0.1

# %% [markdown]
# After sixteen plain layers, two inputs with nothing in common look almost the same. The layers above see one blurred
# input, and the gradient, which must travel the same way back, tells little about which input did what. **More layers
# start with less to work on.**
#
# The cure is a **skip connection** (He and co-authors, 2016): add to what each layer makes what came into it.
#
# $$\text{plain: } z' = W\,\mathrm{ReLU}(z), \qquad \text{with skips: } z' = z + \frac{1}{\sqrt{\ell - 1}}\,W\,\mathrm{ReLU}(z).$$
#
# It has no parameters and costs no matrix product. With the divisor, all $\ell-1$ additions together multiply the mean
# square by $(1 + 1/(\ell-1))^{\ell-1}$, which stays below $e = 2.72$ however deep the network is. The blue line is what
# it does: the inputs stay apart. Does it train better?

# %%
with_skips = losses("mlp_16_residual", 64)
print(f"sixteen layers of 64: plain {deeper:.3f}, with skips {np.mean(with_skips):.3f} nats")
print(f"two layers of 64: {before:.3f} nats")
assert np.mean(with_skips) < deeper - 0.1

# %% [markdown]
# Skips mend most of it: as good as the small model again, though at nine times its cost. In section 7 each gets the
# rate that suits it best. First, see why that rate differs at all.
#
# ## 4 How far one step moves
#
# Adam moves each weight by about the rate $\eta$, whatever the width. How far do a layer's *numbers* move? Each is a
# sum over $w$ terms, and after a step every term has changed by about $\eta$ times what came in. The random terms of
# the start partly cancel, so their sum grows as $\sqrt w$; that is why the weights start in proportion to $1/\sqrt w$.
# A step's changes do not cancel: all were made *to* move the loss for inputs like this one, and they pull together.
# Their sum grows as $w$. So:
#
# $$\text{change of a layer's numbers} \;\sim\; \eta \cdot w .$$
#
# Measure it. Train widths 32, 128 and 512 for four steps at the rate 0.003, and see how far the numbers of 256 fixed
# signals have moved before each ReLU. Do the same in a second family, `mlp_mup`, which this section goes on to build.

# %%
from course.parameterisation import coordinate_check

widths = (32, 128, 512)
slow = Recipe(batch=64, rate=0.003, rate_power=0.0, clip=0.0)
moved = {
    "standard": coordinate_check(signals, "mlp", widths, slow),
    "muP": coordinate_check(signals, "mlp_mup", widths, slow),
}

# %% alt="Two panels of the change of a layer's numbers against the width on logarithmic axes. Standard: the first layer is flat, the second layer and the logits rise. muP: all three are nearly flat."
figures.draw_coordinates(widths, moved)

# %%
said = {"hidden_0": "first layer", "hidden_1": "second layer", "head": "logits"}
slope = {}
for name, layers in moved.items():
    for layer, values in layers.items():
        s = slope[name, layer] = np.polyfit(np.log(widths), np.log(values.mean(axis=1)), 1)[0]
        print(f"{name:8} {said[layer]:12} ~ width^{s:+.2f}")
assert min(slope["standard", "hidden_1"], slope["standard", "head"]) > 0.4
assert abs(slope["standard", "hidden_0"]) < 0.2
assert max(abs(slope["muP", layer]) for layer in said) < 0.2

# %% [markdown]
# In the standard model the second layer and the logits move further the wider it is. The movement grows clearly less
# than in proportion: 16 times the width gives 6 to 8 times as much, because not all of a step's changes pull together.
# (The logits bend at 512: there the first steps probably move them so far that the next ones react.) The first layer
# does not move further: its fan-in is 40, the signal's length, at every width. So no single rate can be right for all
# widths, and at a large one no rate is right for all three matrices.
#
# ### Maximal-update parameterisation
#
# The remedy (Yang and co-authors, 2022): a matrix whose fan-in is the width must take steps in proportion to $1/w$. One
# Adam has one rate, so write the factor into the model. Each such matrix is a fixed number $m$ times the weights $V$
# that Adam sees:
#
# $$W = m\,V, \qquad \text{one step moves } V \text{ by } \eta \text{ and therefore } W \text{ by } m\,\eta .$$
#
# The model should not *start* differently for it: the standard deviation of $m\,V$ must be what section 2 asks for. And
# at a **base width**, where the rate is tuned, nothing should change at all. This is **muP**; the course's base width
# is 64.

# %% [markdown] exercise="3.1.4"
# Give the multiplier $m$ of a hidden matrix (width × width, after a ReLU) and the standard deviation with which its $V$
# is drawn.


# %% exercise="3.1.4"
def hidden_matrix(width, base_width):
    """(multiplier, standard deviation of the weights that Adam sees); two numbers."""
    ### BEGIN SOLUTION
    multiplier = base_width / width
    return multiplier, np.sqrt(2 / width) / multiplier
    ### END SOLUTION


# %% check="3.1.4"
check("3.1.4", hidden_matrix)

# %% [markdown]
# From here on: `course.parameterisation.mup`, and the family `mlp_mup` that is built by it.
#
# | matrix | fan-in | multiplier | the matrix starts with | its rate |
# |---|---|---|---|---|
# | first, inputs × w | fixed | 1 | $\sqrt{2/\text{inputs}}$ | $\eta$ |
# | hidden, w × w | w | $64/w$ | $\sqrt{2/w}$ | $\eta \cdot 64/w$ |
# | head, w × outputs | w | $64/w$ | $0.8/w$ | $\eta \cdot 64/w$ |
# | biases | – | 1 | 0 | $\eta$ |
#
# (Optional: three traps, for when you use the table elsewhere; lesson 4.2 has the words. With plain gradient descent
# the table is another one, because there a step follows the gradient's size. Adam divides by the gradient's size plus a
# small $\varepsilon$; muP's gradients shrink with the width, and an $\varepsilon$ that is not small beside them breaks
# the rule. And clipping the gradients' common norm mixes the layers again, so it is off here: `clip=0.0`.)

# %%
from course.models import build

x, apart = signals.validation[0][:8], {}
for width in (64, 256):
    logits = [build(family, width, signals, seed=0)(x) for family in ("mlp", "mlp_mup")]
    apart[width] = float(tf.reduce_max(abs(logits[0] - logits[1])))
    print(f"width {width}: largest difference of logits {apart[width]:.2g}")
assert apart[64] == 0

# %% [markdown]
# At the base width the two families are the same model, to the last bit. Away from it the logits start a little
# different: the course's standard head starts at $0.1/\sqrt w$, near zero, and muP's at $0.8/w$, which agree at 64.
#
# ## 5 The best rate of each width
#
# In the figure of section 4 muP's lines are flat: the *coordinate check* is passed. That is how people test an
# implementation. It is not what you want to know. You want to know whether **the best rate stays put**. There is one
# way to find out: train each width with several rates.

# %%
rates = (0.002, 0.004, 0.008, 0.016, 0.032)
live = {}
for name, family in (("standard", "mlp"), ("muP", "mlp_mup")):
    plan = sweeps.Plan(
        task="mnist1d",
        options={"samples": 50_000},
        family=family,
        sizes=(32, 128, 512),
        steps=(600,),
        rates=rates,
        recipe=recipe,
    )
    runs = sweeps.run(plan, progress=False)
    table = runs.pivot(index="size", columns="learning_rate", values="loss")
    live[name] = {int(width): row.to_list() for width, row in table.iterrows()}
    print(f"{name}\n{table.to_string(float_format='{:.3f}'.format)}")

# %% alt="Two panels of loss against the learning rate for widths 32, 128 and 512. Standard: the lowest point moves to the left as the width grows. muP: all three are lowest at the rate 0.016."
figures.draw_live(rates, live)

# %%
best = {}
for name, by_width in live.items():
    best[name] = [rates[int(np.nanargmin(values))] for values in by_width.values()]
print(best)
assert best["standard"][0] >= 2 * best["standard"][-1] and best["muP"][-1] >= best["muP"][0]

# %% [markdown]
# The standard model's lowest points move to the left, to smaller rates; muP's do not. It looks as if muP had done it.
# But one seed and rates by factors of two are coarse. How well is such a lowest point known? Train each rate with
# several seeds, take the logarithm of every loss, and average these logarithms over the seeds. Put a parabola through
# the averages against the logarithm of the rate: near its lowest point a smooth curve is nearly one. Then ask how much
# its lowest point would move with other seeds. You have no other seeds, so draw from those that you have, with
# repetition: a **bootstrap**. Each draw is a list of row numbers such as (2, 0, 2, 4, 1), and its losses are averaged
# like the real ones. The middle 95 % of the draws' lowest points are the interval.

# %% [markdown] exercise="3.1.5"
# Write it: the best rate from all seeds, and the 2.5th and 97.5th percentile of the best rates of the draws.
# (`np.polyfit(u, v, 2)` gives a, b, c of the parabola $a u^2 + b u + c$, and `np.percentile` the percentiles.)


# %% exercise="3.1.5"
def best_with_interval(rates, loss, draws):
    """(best, low, high). rates: (r,); loss: (seeds, r); draws: (b, seeds), rows of row numbers."""
    ### BEGIN SOLUTION
    x, y = np.log(rates), np.log(loss)

    def lowest(rows):
        a, b, _ = np.polyfit(x, rows.mean(axis=0), 2)
        return np.exp(-b / (2 * a))

    low, high = np.percentile([lowest(y[rows]) for rows in draws], [2.5, 97.5])
    return lowest(y), low, high
    ### END SOLUTION


# %% check="3.1.5"
check("3.1.5", best_with_interval)

# %% [markdown]
# From here on: `course.parameterisation.best_rate`. It does two things more: it takes the five rates nearest to the
# lowest loss, since further away the curve is no parabola, and it stretches the seeds' deviations by $\sqrt{5/4}$,
# because five seeds differ less from their own mean than from the true one.
#
# ## 6 Seven widths, thirteen rates, five seeds
#
# Two full sweeps of 455 runs were recorded with the course on one core; `course sweep widths-standard` makes the first
# again in a few minutes, `course sweep widths-mup` the other. Turn the width, in the standard model first. Watch the
# line of the best rate (shaded: its interval) against the dashed one, which stays at the best rate of width 64. Then
# turn to muP. When does the rate that was tuned at 64 hurt?

# %%
recorded = {"standard": sweeps.reference("widths-standard"), "muP": sweeps.reference("widths-mup")}
about = recorded["standard"].attrs["provenance"]
print(f"{about['runs']} runs in {about['seconds']:.0f} s, seeds {about['seeds']}")
print(f"TensorFlow {about['tensorflow']}, {about['device']}")

# %% alt="Loss against the learning rate: seven curves, that of the standard model's width 512 in colour with its lowest point at half the rate that is best for width 64, the others grey."
explore(
    lambda width, mup: figures.draw_recorded(recorded, width, mup),
    width=slider(5, 0, 6, 1, "width: 0 is 16, 6 is 1,024"),
    mup=slider(0, 0, 1, 1, "0 standard, 1 muP"),
)

# %%
from course.parameterisation import best_rates, rate_slope

found, exponent = {}, {}
for name, runs in recorded.items():
    found[name], exponent[name] = best_rates(runs), rate_slope(best_rates(runs))
    for width, one in found[name].items():
        print(f"{name:8} width {width:5}: best rate {one.rate:.4f} [{one.low:.4f}, {one.high:.4f}]")
    s, low, high = exponent[name]
    print(f"{name:8} best rate ~ width^{s:+.2f} [{low:+.2f}, {high:+.2f}]\n")
for name, low, high in (("standard", -0.5, -0.3), ("muP", 0.1, 0.35)):
    assert low < exponent[name][0] < high and not any(one.edge for one in found[name].values())

# %% alt="Left: the best learning rate against the width on logarithmic axes: the standard model's falls on a straight line, muP's rises on one less steep, and they cross at width 64. Right: loss against width; with their own best rates both fall to about 0.48 nats, with the rate of width 64 the standard model's turns upwards beyond 512 and muP's goes on falling."
figures.draw_best_rates(recorded)

# %%
reveal(prediction_rate_factor, found["standard"][1024].rate / found["standard"][64].rate)

# %% [markdown]
# Read the left panel first. In the standard parameterisation the best rate falls with the width, by a factor of three
# from 64 to 1,024. In muP it does **not stay put either**: it *rises*, by a factor of two. The coordinate check was
# flat, to a few per cent per doubling, and still the best rate moves. The theory behind muP is about widths going to
# infinity, and the check looks at four steps of 600; neither promises anything about widths of 16 to 1,024 after a
# whole training. That is why you draw the lowest points, for each width, with intervals, before you trust a rate that
# was tuned on a small model.
#
# Then the right panel, which is about what you lose:

# %%
for name, runs in recorded.items():
    own, kept = figures.at_best(runs), figures.at_best(runs, rate=found[name][64].rate)
    price = {width: kept[width].mean() - own[width].mean() for width in own}
    print(f"{name} at 1,024: own best rate {own[1024].mean():.3f} nats, that of 64 {kept[1024].mean():.3f} nats")
    print("price of keeping the rate: " + ", ".join(f"{w}: {cost:.3f}" for w, cost in price.items()))
    if name == "standard":
        standard_price, turned = price[1024], kept[1024].mean() > kept[512].mean()
        best_standard = own[1024].mean()
assert standard_price > 2 * price[1024] and turned
assert own[1024].mean() > best_standard

# %% [markdown]
# Keep the rate of width 64, and the standard model pays 0.2 nats at width 1,024; beyond 512 growing makes it *worse*.
# muP pays a third of that, and growing goes on helping. So muP does what it is for, in part: it turns a rate that is
# too high, which can undo the growth, into one that is a little too low. It is no gift of quality: with its own best
# rate at each width, the standard model ends a little lower than muP.
#
# ## 7 Wider or deeper
#
# Now the comparison of section 1 again, fairly: each model with the rate that suits *it* best, of eight, and five seeds
# (bars: 95 % for their mean). All models of a panel have the same number of weights, so the same cost. Before you run
# it: which depth will win?


# %% alt="Two panels of loss against the number of hidden layers, 1 to 16, at 16,000 and at 64,640 weights. Plain networks are best with two layers and rise steeply to sixteen. With skips the rise is much smaller, and at the larger cost four layers with skips lie level with two plain ones."
def at_both_costs(sweep):
    """Losses of the seeds at the best rate, at the smaller cost [0] and the larger one [1]."""
    return dict(enumerate(figures.at_best(sweeps.reference(sweep)).values()))


plain = {n: at_both_costs(f"depths-{n}") for n in (1, 2, 4, 8, 16)}
skips = {n: at_both_costs(f"depths-{n}-residual") for n in (4, 8, 16)}
figures.draw_depths(plain, skips)

# %%
from scipy import stats


def difference(a, b):
    """Mean of a less mean of b, and its 95 % interval (Welch)."""
    low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    return np.mean(a) - np.mean(b), low, high


for level, weights in enumerate((16_000, 64_640)):
    gap, low, high = difference(skips[4][level], plain[2][level])
    print(f"{weights:6,} weights: 4 layers with skips less 2: {gap:+.3f} nats [{low:+.3f}, {high:+.3f}]")
start = figures.at_best(recorded["standard"])[64]
grown = {
    "width (2 x 230)": plain[2][1],
    "layers (16 x 64)": plain[16][1],
    "layers, skips (16 x 64)": skips[16][1],
}
print("growing nine times changes the loss by")
for name, values in grown.items():
    gap, low, high = difference(values, start)
    print(f"{name:24} {gap:+.3f} nats [{low:+.3f}, {high:+.3f}]")
assert difference(skips[4][0], plain[2][0])[0] > 0.04
assert abs(difference(skips[4][1], plain[2][1])[0]) < 0.04
assert difference(plain[2][1], start)[2] < -0.2 and difference(plain[16][1], start)[1] > 0.2

# %% [markdown]
# What the figures say, for this task and 600 steps:
#
# - **Width pays**, though not all of it in one layer: one hidden layer is worse than two.
# - **Depth without skips hurts** beyond two layers, even at its own best rate. A signal is drawn less than once on
#   average, so this is no learning by heart; the deep stack trains badly.
# - **With skips depth hurts less, and pays later.** At the smaller cost four layers lose to two; at four times the cost
#   they are level, so the best depth seems to grow with the size. In large Transformers, which have skips and a
#   normalisation in every layer, Kaplan and co-authors (2020) report that at a fixed number of parameters the shape
#   matters little over a wide range.
#
# ### Verdict on 3.1
#
# The claim is right that layers, neurons and parameters are what a model grows by, and every scaling law needs models
# that grow. "By itself" is what fails. Its figure: at equal cost, nine times the small model's, the loss of growing by
# layers alone less that of growing by width alone.

# %% claim="3.1"
gap, low, high = difference(plain[16][1], plain[2][1])
print(f"sixteen layers of 64 less two layers of 230: {gap:.3f} nats [{low:.3f}, {high:.3f}]")
verdict("3.1", gap)

# %% [markdown]
# ## 8 The best size for a task, and for a machine
#
# So far the number of steps was fixed, and larger cost more. Claim 3.2 asks the practical question: a *budget* is
# fixed. Then a larger model gets fewer steps, and one size is best. Lesson 5.3 builds this measurement; here are its
# recorded runs, which you met in lessons 1.1 and 2.2 (a small network that predicts the next character of Python source
# code, 2,000 to 1.3 million parameters). And what is fixed in practice is often not FLOPs but *hours on a given
# machine*. Before you run the cells: with seconds fixed in place of FLOPs, will the best size be larger or smaller?

# %%
from course.laws import fit_isoflop

characters = sweeps.reference("characters")
total = characters.groupby("size")[["flops", "seconds"]].sum()
speed = total["flops"] / total["seconds"]
print("GFLOP/s of each width: " + ", ".join(f"{w}: {rate / 1e9:.0f}" for w, rate in speed.items()))
columns = (characters[name] for name in ("flops", "n_params", "loss"))
law = fit_isoflop(*columns, budget=characters["budget"], bootstrap=1000)
for one in law.optima:
    interval = f"[{one.low:7,.0f}, {one.high:7,.0f}]"
    print(f"{one.flops:7.2g} FLOPs: best size {one.n_params:7,.0f} {interval}, loss {one.loss:.3f}")
assert speed.iloc[-1] > 5 * speed.iloc[0]

# %%
ratios = []
for seconds in (0.2, 0.4, 1.0, 2.5):
    best_in_time, spent, by_time = figures.best_for_seconds(characters, seconds)
    by_flops = law.predict(flops=[spent])[0]
    ratios.append(best_in_time / by_flops)
    print(f"{seconds:3.1f} s each: best size {best_in_time:6,.0f}, which spends {spent:.1e} FLOPs;")
    print(f"{'':12} at so many FLOPs for every size {by_flops:6,.0f} is best")
assert all(0.9 < ratio < 2 for ratio in ratios) and np.mean(ratios) > 1

# %% alt="Two panels of loss against parameters: at equal FLOPs a valley with a dashed line at its lowest point, and beside it the same kind of valley for sizes that trained for 0.4 seconds each."
middle = min(law.optima, key=lambda one: abs(np.log(one.flops / 1e11)))
budgets = characters["budget"].unique()
nearest = budgets[np.argmin(abs(np.log(budgets / 3.2e10)))]
at_budget = characters[characters["budget"] == nearest]
at_flops = at_budget.groupby("n_params", as_index=False)["loss"].mean()
in_time, spent, by_time = figures.best_for_seconds(characters, 0.4)
its_best = min(law.optima, key=lambda one: abs(np.log(one.flops / nearest))).n_params
figures.draw_sizes(at_flops, its_best, by_time, in_time, 0.4)

# %% [markdown]
# A small model leaves the machine idle: the narrowest reaches less than a fifth of the FLOPs per second of the widest,
# because each step has work that does not depend on the size. So counted in seconds small models are dearer than in
# FLOPs, and the best size for a given *time* comes out a little larger, by some per cent up to a third (seconds of a
# machine that others share are not a clean measurement). Read that from the pairs above the figure: its left panel is a
# recorded budget a little below what 0.4 s buys. Expect more of it on a GPU, which needs more work at once to be busy.
# "For a task on given hardware" is the right way to put it.
#
# Does time rise with size, as the claim says? In the recorded widths:

# %%
run_seconds = recorded["standard"].groupby("size")["seconds"].median()
flops = recorded["standard"].groupby("size")["flops"].median()
for a, b in ((16, 64), (256, 1024)):
    slower = run_seconds[b] / run_seconds[a]
    print(f"width {a} to {b}: FLOPs x {flops[b] / flops[a]:.1f}, seconds x {slower:.1f}")
assert run_seconds[64] / run_seconds[16] < 0.6 * flops[64] / flops[16]

# %% [markdown]
# It rises, at first far less than the compute. (Lesson 2.2 found where the law of time begins.)
#
# ### Verdict on 3.2
#
# Its figure: the best size at $10^{11}$ FLOPs, in parameters, with the interval that the seeds give it.

# %% claim="3.2"
print(f"best size at {middle.flops:.2g} FLOPs: {middle.n_params:,.0f} parameters")
print(f"interval: {middle.low:,.0f} to {middle.high:,.0f}")
by_size = characters[np.isclose(characters["budget"], 1e11)].groupby("n_params")["loss"].mean()
for name, factor in (("half", 0.5), ("twice", 2)):
    there = np.interp(np.log(factor * middle.n_params), np.log(by_size.index), by_size)
    print(f"{name} that size costs {there / middle.loss - 1:.1%} of the loss")
verdict("3.2", middle.n_params)

# %% [markdown]
# ## 9 Your turn

# %% [markdown] exercise="3.1.6"
# You have a model of two hidden layers that is tuned at width 64, and may now spend a hundred times its compute. In
# about 80 words: how do you grow it? Say at which cost you compare candidates, what you rescale and by which rule, how
# you find the learning rate of the large model, and what would make you distrust it.

# %% exercise="3.1.6"
### BEGIN SOLUTION
my_plan = """
I compare candidates at equal FLOPs, first with a tenth of the budget: width alone, and width with two and four times the
layers and skips, divided by the root of the depth. The initial weights follow sqrt(2 / fan_in). I write the multipliers of
muP into the model, but do not trust them: at widths 64, 128 and 256 I sweep the learning rate with five seeds, draw the
best rates with intervals, and extrapolate their line to the large width. I spend the last tenth on two rates beside the
predicted one. If the best rates do not lie on a line, or the wider of two models is worse, I stop and look for the reason.
"""
### END SOLUTION

# %% check="3.1.6"
check("3.1.6", my_plan)

# %% [markdown]
# Try a part of it: the cell below trains one model at one rate, twice, in about two seconds. The example is level with
# two layers of 230 (section 7: a difference of 0.01 is within the seeds' scatter). Can you find a model that is better
# by more than 0.03 at the same 64,640 weights? (Families: `mlp_1`, `mlp`, `mlp_4`, `mlp_8`, `mlp_16`, `mlp_4_residual`,
# `mlp_8_residual`, `mlp_16_residual`, `mlp_mup`.)

# %%
tried = losses("mlp_4_residual", equal_cost_width(64_640, 4, 40, 10), rate=0.008)
print(f"{np.mean(tried):.3f} nats, against {np.mean(plain[2][1]):.3f} for two layers")
assert np.mean(tried) < 0.75

# %% [markdown]
# ## Takeaways
#
# - Growth by itself is not what helps: nine times the size, in layers alone, was worse than the small model. The start,
#   the way through depth and the rate must fit the size.
# - The best rate falls with the width. muP makes a step's effect the same at every width; here that moved the best rate
#   the other way and cost less. Draw the lowest point of each width; a flat coordinate check does not tell.
# - At a fixed budget one size is best, and it can be measured. In seconds it is another one than in FLOPs.
#
# ## One step further
#
# - Greg Yang and co-authors, *Tensor Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter Transfer*
#   (2022), give the tables for other optimisers and for attention. Which entries change for plain gradient descent?
# - Is the rise of muP's best rate a matter of the length of training? Run the live sweep with 2,400 steps.
# - Skips divided by the root of the depth: does the best rate of `mlp_16_residual` equal that of `mlp_4_residual` at
#   the same width? Sweep it as in section 5.
