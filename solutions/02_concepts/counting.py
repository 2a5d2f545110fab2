# %% [markdown]
# In 2020 a paper presented a language model with *175 billion parameters*, GPT-3. The number went round the world, and
# since then models are named after theirs. What does it count? What does it tell about the work of training such a
# model, or of asking it one question? **Could your machine do either?**
#
# The article that this course tests says two things about it, and this lesson judges both:
#
# - **2.1** A large model has billions of parameters or more, far beyond a conventional model.
# - **2.2** Large models need much computation, to train and to run, and so demand strong hardware.
#
# To judge them you learn to count: parameters, FLOPs and bytes, by hand, to the last one, and then you compare with
# what the framework and the compiler count. Every law in this course has one of these counts on an axis, and people
# count differently. Where a law bends, the first question is always who counted what.
#
# **Symbols**: $N$ parameters, $D$ training samples (for a model of language: *tokens*, pieces of text), $C$ FLOPs of
# training.

# %%
import itertools

import keras
import numpy as np
import tensorflow as tf

import course.widgets.counting as figures
from course import check, compiled, counting, machine, memory, models, reveal, verdict
from course.data import task
from course.published_models import CHINCHILLA, GPT2, GPT3, TABLE_3, TABLE_A4, appendix_f_flops
from course.widgets import explore, log_slider, slider

# %% [markdown]
# ## Predict first
#
# - Suppose your machine trained GPT-3, day and night, at the speed of its best matrix product (lesson 5.1). How many
#   **years** would it take?
# - In training, each parameter is a number of 4 bytes. How many **bytes of memory** does training hold for each
#   parameter? Count all that depends only on the number of parameters, not the data or the numbers that pass between
#   the layers.

# %% prediction="years"
### BEGIN SOLUTION
prediction_years = 1_000
prediction_bytes = 4
### END SOLUTION

# %% [markdown]
# ## 1 Parameters
#
# A **neural network** turns numbers into numbers, in **layers**. The simplest layer is the *dense* one. It takes $k$
# numbers $x_1 \dots x_k$ and gives $m$ numbers
#
# $$z_j = x_1 W_{1j} + x_2 W_{2j} + \dots + x_k W_{kj} + b_j, \qquad j = 1 \dots m.$$
#
# $W$ (the weights) and $b$ (the biases) are what the network *learns*: they are its **parameters**. $x$ and $z$ are
# computed anew for each input: they are called **activations**, and are no parameters. Written with matrices it is $z =
# xW + b$. Between two layers stands a bend, most often the **ReLU**, which sets negative numbers to 0; it has no
# parameters. Without it, two layers would be no better than one: the product of two matrices is a matrix.
#
# Here is a network for pictures of 8 by 8 points that show one of ten digits: 64 numbers go in, two layers of 32 stand
# between (*hidden* layers), and ten numbers come out, a score for each digit. A family of such networks, one for each
# width, is called `mlp` in the course (multilayer perceptron).

# %% tags=["NBVAL_CHECK_OUTPUT"]
digits = task("digits")
network = models.build("mlp", 32, digits)
for layer in network.layers:
    for variable in layer.weights:
        print(f"{layer.name:9} {variable.name:7} {tuple(variable.shape)!s:9} {int(np.prod(variable.shape)):6,}")
print(f"{'Keras counts':27} {network.count_params():6,}")

# %% [markdown] exercise="2.1.1"
# Count the parameters of dense layers. `widths` lists how many numbers there are before, between and after them: the
# network above is `[64, 32, 32, 10]`.


# %% exercise="2.1.1"
def parameters_of(widths):
    """Parameters of the dense layers between these widths. widths: list of whole numbers, inputs first."""
    ### BEGIN SOLUTION
    total = 0
    for inputs, outputs in itertools.pairwise(widths):  # neighbours: (64, 32), (32, 32), (32, 10)
        total += inputs * outputs + outputs
    return total
    ### END SOLUTION


# %% check="2.1.1"
check("2.1.1", parameters_of)

# %% [markdown]
# From here on we use `counting.count`, which counts in this way for every family of the course.
#
# ## 2 FLOPs, forward
#
# For one sample, each weight is used once: multiplied with an input, and added to a sum. That is **2 FLOPs for each
# weight**. (Biases and ReLUs cost one each for every number that comes out. That is little, and by custom it is left
# out; you will see how little.) For a batch of $n$ samples, $x$ is an $(n, k)$ matrix and the layer is one matrix
# product, $(n, k)$ by $(k, m)$: $2nkm$ FLOPs, as you counted in lesson 5.1.
#
# So a network of dense layers takes about $2N$ FLOPs to answer. **Running a model costs 2 FLOPs for each parameter
# and sample.**
#
# ## 3 FLOPs, backward
#
# To **train** a network is to change its parameters in many small **steps**. Each step takes a **batch**, some samples,
# and computes the **loss** $L$, one number that says how wrong the answers are (lesson 4.1 derives it). Then it finds
# the **gradient**: for each parameter, how much the loss changes when that parameter does. Last, every parameter moves
# a little way against its gradient.
#
# The gradient is found layer by layer, from the last to the first. Take one layer, and say that we know already how the
# loss changes with each of the numbers it gave: $\delta$, a matrix of the same shape as $z$. The chain rule of calculus
# then gives both things that are needed:
#
# | what | why it is needed | product | shapes |
# |---|---|---|---|
# | $z = xW$ | the answer | forward | $(n, k)$ by $(k, m)$ |
# | $\partial L / \partial W = x^\top \delta$ | to change the weights | backward | $(k, n)$ by $(n, m)$ |
# | $\partial L / \partial x = \delta W^\top$ | it is the $\delta$ of the layer below | backward | $(n, m)$ by $(m, k)$ |
#
# The second row is easy to check: $W_{ij}$ takes part in $z_{sj} = \dots + x_{si}W_{ij} + \dots$ of every sample $s$,
# so the loss changes with it by $\sum_s x_{si}\,\delta_{sj}$.

# %% [markdown] exercise="2.1.2"
# Count the FLOPs of all three products, for a batch of `batch` samples and a layer from `inputs` to `outputs` numbers.


# %% exercise="2.1.2"
def layer_flops(batch, inputs, outputs):
    """(forward, gradient of the weights, gradient of the inputs): FLOPs of the three matrix products."""
    ### BEGIN SOLUTION
    forward = 2 * batch * inputs * outputs  # (batch, inputs) by (inputs, outputs)
    to_weights = 2 * inputs * batch * outputs  # (inputs, batch) by (batch, outputs)
    to_inputs = 2 * batch * outputs * inputs  # (batch, outputs) by (outputs, inputs)
    return forward, to_weights, to_inputs
    ### END SOLUTION


# %% check="2.1.2"
check("2.1.2", layer_flops)

# %% [markdown]
# The same three sides meet each time. So forward takes 2 FLOPs for each weight and sample, backward takes 4, and
# training a network of $N$ parameters on $D$ samples takes about
#
# $$C \approx 6\,N\,D.$$
#
# For a model of language, a sample is a **token**: a piece of a word, or a single character, that it learns to predict.
# This little formula stands behind nearly every plot of scaling laws. It is not exact: you will find out how far it is
# off, and why.

# %% [markdown] exercise="2.1.3"
# Use it. You have a budget of `flops` FLOPs, a model of `n_params` parameters, and a machine that works at `gflops`
# GFLOP/s without a pause. On how many tokens can you train the model, and how many days does that take?


# %% exercise="2.1.3"
def tokens_and_days(flops, n_params, gflops):
    """(tokens, days): what the budget buys by C = 6 N D, and how long the machine works for it."""
    ### BEGIN SOLUTION
    tokens = flops / (6 * n_params)
    days = flops / (gflops * 1e9) / 86_400
    return tokens, days
    ### END SOLUTION


# %% check="2.1.3"
check("2.1.3", tokens_and_days)

# %% [markdown]
# ## 4 Ask the compiler
#
# Counting by hand is easily wrong. There are two witnesses. **Keras** knows how many parameters it made. And **XLA**,
# the compiler that turns a model into a program, writes down every operation with the shape of what comes out. Here is
# the forward pass for a batch of 100 pictures; `dot` is a matrix product, `add` adds the biases, and `maximum` is the
# ReLU:

# %%
_, forward, training = compiled.passes("mlp", 32, digits, batch=100)
for one in forward.computations[forward.entry].values():
    if one.opcode in ("dot", "add", "maximum"):
        print(f"{one.opcode:8} -> {one.sides}")
c = counting.count("mlp", 32, digits)
print("FLOPs in matrix products")
print(f"forward:  {100 * c.forward_flops_per_token:9,} by hand, {forward.flops():9,} by the compiler")
print(f"training: {100 * c.training_flops_per_token:9,} by hand, {training.flops():9,} by the compiler")
assert forward.flops() == 100 * c.forward_flops_per_token

# %% [markdown]
# The forward pass agrees to the last FLOP. The training does not: the compiler does *less*. Look at the table of the
# three products again. One of them is needed by nobody in the first layer. Which, and **how many FLOPs** is it for 100
# pictures? Your `layer_flops` can tell.

# %% prediction="left out"
### BEGIN SOLUTION
prediction_left_out = layer_flops(100, 64, 32)[2]
### END SOLUTION

# %%
left_out = 100 * c.training_flops_per_token - training.flops()
assert left_out == 100 * 2 * 64 * 32
reveal(prediction_left_out, left_out, "FLOPs", digits=6)

# %% [markdown]
# It is the gradient of the inputs: no one asks how the loss changes with the pixels.
#
# Now all kinds of model in the course: linear, dense (`mlp`), convolution (`conv`: a small matrix slides over the
# picture, so each of its weights is used at many places), with an embedding (`char_mlp`: each character is looked up in
# a learned table), and with attention (`transformer`, next section). Before you run it: for which of the five does
# training take exactly three times the forward pass?

# %%
families = [
    ("linear", 20, digits),
    ("mlp", 64, digits),
    ("conv", 8, digits),
    ("char_mlp", 64, task("characters")),
    ("transformer", 64, task("bytes")),
]
print(f"{'':12} {'parameters':>10} {'Keras':>9} {'FLOPs':>10} {'compiler':>10} {'rest':>6} {'training/forward':>17}")
for family, size, data in families:
    c, tokens = counting.count(family, size, data), 2 * data.tokens_per_sample
    model, forward, training = compiled.passes(family, size, data, batch=2)
    rest = forward.element_wise() / forward.flops()
    by_compiler = training.flops(padding=False) / forward.flops(padding=False)
    print(
        f"{family:12} {c.n_params:10,} {model.count_params():9,} {c.forward_flops_per_token:10,} "
        f"{forward.flops() // tokens:10,} {100 * rest:5.1f}% {by_compiler:17.3f}"
    )
    assert c.n_params == model.count_params()
    assert tokens * c.forward_flops_per_token == forward.flops()
    if family != "conv":  # at the border of a picture a convolution multiplies zeros, which XLA leaves out
        assert c.training_flops(tokens, "exact") == training.flops()
assert rest < 0.03  # the last one: the Transformer

# %% [markdown]
# Every count agrees. (In a convolution's training XLA leaves out what it would multiply with the zeros around a
# picture; the last column compares it with a forward pass counted in the same way.) *Training/forward* is 3 where the
# input is looked up in a table, and less where it is multiplied. *Rest* is what custom leaves out, the element-wise
# work, as a share of the matrix products: under 3 % for a Transformer of width 64. Make it 128 and run the cell again:
# the share falls, because matrices grow with the square of the width and the rest does not. (The tests of the course
# hold this reader of programs to XLA's own cost analysis: they agree to the FLOP.)
#
# One thing is still missing: the step itself. The rule by which parameters move is called the **optimiser**. The usual
# one, **Adam**, keeps two running averages for each parameter, of its gradient and of the gradient's square (lesson 4.2
# explains why), and moves the parameter by the quotient of one and the root of the other. How many FLOPs is that?


# %%
def update_flops(n):
    """FLOPs of one update of n parameters, as the compiler writes it."""
    weights, adam = tf.Variable(tf.zeros(n)), keras.optimizers.Adam()
    adam.build([weights])
    return compiled.program(lambda gradient: adam.apply_gradients([(gradient, weights)]), tf.ones(n)).element_wise()


per_parameter = (update_flops(3000) - update_flops(1000)) / 2000
c = counting.count("transformer", 64, task("bytes"))
print(f"Adam: {per_parameter:g} FLOPs a parameter and step; counted: {counting.OPTIMIZER_FLOPS['adam']}")
for batch in (1, 32):
    share = c.optimizer_flops("adam") / c.training_flops(64 * batch)
    print(f"batch of {64 * batch:5,} tokens: {100 * share:5.2f} % of the training's matrix products")
assert per_parameter == counting.OPTIMIZER_FLOPS["adam"] == 12
assert share < 0.01

# %% [markdown]
# Twelve, whatever the model. A step does it once, however many tokens it learns from. So its share is about $12N$ in
# $6N$ times the tokens of a batch, little, and it is left out.

# %% [markdown]
# ## 5 A Transformer, counted
#
# GPT-3 is a **Transformer**, as nearly all language models are. It reads a text of `length` tokens (in the course:
# single bytes), numbered from 0 to $V - 1$; $V$ is its **vocabulary**. Every token of the text becomes a vector of $d$
# numbers (`d_model`), and `layers` **blocks** change these vectors. You need not know how it works to count it. Here is
# all that it has:
#
# | part | what it does | what it learns |
# |---|---|---|
# | embedding | looks the token up in a table | $V \times d$ |
# | block: attention | makes from each vector a query, a key and a value, $d$ numbers each, in $h$ *heads* that share these numbers | three $d \times d$ matrices |
# | | each token compares its query with the keys of all `length` tokens (*scores*), and adds up their values, each times its score (*mixing*) | nothing |
# | | one more matrix | $d \times d$ |
# | block: feed-forward | two dense layers, up to `d_ff` numbers and down again | $d \times d_{ff}$ and $d_{ff} \times d$ |
# | block: two normalisations | bring the vectors to one scale, before each of the two parts, and multiply each number by a *gain* | $d$ gains each |
# | normalisation before the head | the same | $d$ gains |
# | head | gives a score for each token that may come next | $d \times V$ |
#
# (The head at the end has nothing to do with the heads of attention; both names are usual.) The course's Transformer
# has no biases. The usual choice is $d_{ff} = 4d$.

# %% [markdown] exercise="2.1.4"
# Count the parameters of *one block*.


# %% exercise="2.1.4"
def block_parameters(d_model, heads, d_ff):
    """Parameters of one block: attention, feed-forward, two normalisations; no biases."""
    ### BEGIN SOLUTION
    attention = 4 * d_model * d_model  # query, key, value, output; the heads share the columns
    feed_forward = 2 * d_model * d_ff
    gains = 2 * d_model
    return attention + feed_forward + gains
    ### END SOLUTION


# %% check="2.1.4"
check("2.1.4", block_parameters)

# %% [markdown]
# With $d_{ff} = 4d$ a block has about $12d^2$ parameters. That is worth knowing by heart: GPT-3 has 96 blocks of width
# 12,288, and $96 \cdot 12 \cdot 12{,}288^2 = 174$ billion. The rest are its tables.
#
# Now its work. Each matrix takes 2 FLOPs for each of its weights and each token, as before. The embedding takes none: a
# row is looked up, nothing is multiplied. And attention has two products in which *no* parameter takes part. For a
# token: its query with `length` keys, and `length` scores with the values. (A token may not look at later ones; a
# *mask* hides them. Most programs compute all pairs all the same and then throw half of them away. We count what is
# computed: all `length`.)

# %% [markdown] exercise="2.1.5"
# Count the forward FLOPs of a Transformer for *one token* of a text of `length` tokens: matrix products only.


# %% exercise="2.1.5"
def transformer_flops(layers, d_model, d_ff, vocabulary, length):
    """Forward FLOPs a token: the blocks' matrices, attention's own two products, the head."""
    ### BEGIN SOLUTION
    matrices = 2 * (4 * d_model**2 + 2 * d_model * d_ff)
    scores_and_mixing = 2 * (2 * length * d_model)
    head = 2 * d_model * vocabulary
    return layers * (matrices + scores_and_mixing) + head
    ### END SOLUTION


# %% check="2.1.5"
check("2.1.5", transformer_flops)

# %% [markdown]
# From here on we use `counting.count` again, which has just agreed with the compiler.
#
# Turn the sliders. Make the width 16 and the vocabulary large: where are the parameters, and which of them take FLOPs?
# Back at width 256, make the context (`length`) long: what takes over the FLOPs, and what the memory? (*Activations*
# come in section 7; here they are those of one text of that length.)

# %% alt="Three stacked bars for a Transformer of width 256 with 4 blocks, a vocabulary of 8,000 and a context of 256: its 7.24 million parameters are split between embedding, attention, feed-forward and head; its FLOPs a token have no embedding but scores; its bytes to train are weights, gradients, Adam's state and activations."
explore(
    figures.draw_model,
    d_model=log_slider(256, 16, 16384, "width d_model", 10),
    layers=slider(4, 1, 96, 1, "blocks"),
    vocabulary=log_slider(8000, 100, 100_000, "vocabulary", 10),
    context=log_slider(256, 16, 100_000, "context (tokens)", 10),
)

# %% [markdown]
# ## 6 Who counts what
#
# You have now seen four choices that must be made: do the embedding's parameters count, the head, the attention's own
# products, the gradient of the inputs? Every paper makes them, and few say so. The course gives each **convention** a
# name:

# %%
for name, meaning in counting.CONVENTIONS.items():
    print(f"{name}\n    {meaning}")

# %% [markdown]
# Each of them divided by the exact count, for two families. Left: the course's Transformers on bytes, two blocks, from
# $d = 4$ to 1,024. Right: the 50 models with which Hoffmann and co-authors (2022) measured the best known of all
# scaling laws, *Chinchilla*'s; their shapes are in the paper's table A9 (here in the transcription of the project
# nanoGPT). Below: the share of the tables (embedding, positions, head) in the parameters. Where lines lie on each
# other, two conventions agree: on the right `6N` and `6N-no-embedding`, because those models use one table twice.
# Before you look: which of the conventions will be furthest off for the smallest models, and too high or too low?

# %% alt="Two columns of panels against the number of parameters. Above, training FLOPs by five conventions over the exact count: they spread from 0.17 to 1.4 for the smallest of the course's Transformers and from 0.47 to 1.08 over the fifty published models, and come together near 1 as models grow. Below, the share of the tables in the parameters falls from over 80 per cent to 2, and from 37 per cent to 1."
ours = [counting.count("transformer", size, task("bytes")) for size in (4, 8, 16, 32, 64, 128, 256, 512, 1024)]
theirs = [model.decoder.counts() for model in CHINCHILLA]
figures.draw_conventions({"The course's Transformers, length 64": ours, "50 published models, length 2,048": theirs})

# %%
for name, smallest, largest in (("ours", ours[0], ours[-1]), ("published", theirs[0], theirs[-1])):
    for convention in ("6N", "6N-body"):
        low, high = (c.training_flops(1, convention) / c.training_flops(1, "exact") for c in (smallest, largest))
        print(f"{name:9} {convention:7} / exact: {low:.2f} for the smallest model, {high:.2f} for the largest")
assert ours[0].training_flops(1, "6N-body") / ours[0].training_flops(1, "exact") < 0.2
assert theirs[0].training_flops(1, "6N") / theirs[0].training_flops(1, "exact") < 0.8
assert abs(theirs[-1].training_flops(1, "6N") / theirs[-1].training_flops(1, "exact") - 1) < 0.03

# %% [markdown]
# For large models all conventions agree within some per cent, and $6ND$ is as good as any. For small ones they differ
# by factors, *and the factor changes with the size*. A law fitted to small models with one convention has another slope
# than with the next: this alone is a good part of the famous disagreement between two papers on how large a model
# should be (lesson 5.4 takes it apart). Kaplan and co-authors (2020) used `6N-body`.
#
# One line is a trap. On the left, `6N` seems exact at *every* size. It is an accident: it counts an embedding that
# takes no FLOPs, $6 V d$, and leaves out attention's own products, $3 \cdot 4 \cdot 2 \cdot 64\, d$ for two blocks and
# a length of 64. With $V = 256$ the two are equal. On the right there is nothing to balance: the one table is the head
# as well and takes its FLOPs, so `6N` only leaves out attention's own products and is a quarter too low for the
# smallest model. (For the largest it is 2 % too high: it counts the matrices of the relative positions, whose FLOPs our
# count leaves out, as the paper's does.)
#
# ### Can a published table be met?
#
# A count is worth something when it meets other people's. In their table A4 the same authors compare a long formula for
# the FLOPs (their appendix F) with $6ND$, for six of the models. Does our count give their ratios?

# %%
by_name = {model.name: model.decoder for model in CHINCHILLA}
print(f"{'model':>7} {'table A4':>9} {'as written':>11} {'without embedding and head':>27}")
for name, ratio in TABLE_A4.items():
    shape = by_name[name]
    six_n = 6 * shape.counts().n_params
    written, without = (appendix_f_flops(shape, both) / six_n for both in (True, False))
    print(f"{name:>7} {ratio:9.2f} {written:11.2f} {without:27.3f}")
    assert round(without, 2) == ratio != round(written, 2)

# %% [markdown]
# With the formula *as the appendix writes it*, none. Without embedding and head, which the appendix includes, all six,
# to two decimals. So the table was made by another convention than the text describes. (Others found this before us.)
# It is no scandal, and it is how papers are: check the count before you build on it.
#
# Their table 3 lists the best sizes for given budgets, with their tokens and FLOPs, and there the convention is plain:

# %%
for n, flops, tokens in TABLE_3:
    print(f"{n / 1e9:8,.1f} billion parameters: 6 N D / published FLOPs = {6 * n * tokens / flops:.3f}")
    assert abs(6 * n * tokens / flops - 1) < (0.05 if n == 67e9 else 0.01)

# %% [markdown]
# $6ND$ within 1 %, but for the model of 67 billion, whose tokens are rounded to 1.5 trillion.
#
# ### A row that does not add up
#
# Last, the parameters of all 50. These Transformers encode positions by one more matrix in each block's attention (five
# in place of four), have 32,000 tokens, and use one table for embedding and head. So a model should have about
# $\text{layers} \cdot (5 d^2 + 2\, d\, d_{ff}) + 32{,}000\, d$ parameters. For 44 of the 50 that is right within 1 %.
# Here are the other six, and a neighbour that is fine:

# %%
print(f"{'million':>8} {'d_model':>8} {'d_ff':>7} {'d_head':>7} {'heads':>6} {'layers':>7} {'formula / table':>16}")
rows = 0
for model in CHINCHILLA:
    s = model.decoder
    formula = s.layers * (5 * s.d_model**2 + 2 * s.d_model * s.d_ff) + 32_000 * s.d_model
    ratio = formula / model.n_params
    if abs(ratio - 1) > 0.01 or model.name == "12295M":
        print(f"{model.name:>8} {s.d_model:8} {s.d_ff:7} {s.d_head:7} {s.heads:6} {s.layers:7} {ratio:16.3f}")
        rows += 1
assert rows == 7  # six, and the neighbour

# %% [markdown] exercise="2.1.7"
# In the row of 12,569 million the formula is 4.4 % too high. One of its numbers is wrong there: the $d^2$ of an
# attention matrix. Look for what the six rows have in common. How many parameters has *one* attention matrix (say, the
# one that makes the queries) of the model with 12,569 million?

# %% exercise="2.1.7"
### BEGIN SOLUTION
attention_matrix = 4608 * (32 * 128)
### END SOLUTION

# %% check="2.1.7"
check("2.1.7", attention_matrix)

# %% [markdown]
# With that mended, and with the biases, the formula meets the table in every row, to the million:

# %%
met = [round(model.decoder.counts().n_params / 1e6) * 1e6 == model.n_params for model in CHINCHILLA]
print(f"{sum(met)} of {len(met)} rows met")
assert all(met)

# %% [markdown]
# The notebook from which the table comes says "almost able to reproduce"; it takes $d^2$ for the six as well. What we
# cannot tell: which small vectors (biases, gains) the authors have. Several sets that come to $11d$ a block meet all 50
# rows.

# %% [markdown]
# ## 7 Bytes
#
# A number in `float32` takes 4 bytes (lesson 5.1). While a model trains, memory holds
#
# - the **weights** (all parameters),
# - their **gradients**, one number for each parameter,
# - the **optimiser's state**: Adam's two averages,
# - the **activations** of the batch: going backward, $x^\top\delta$ needs the $x$ of each layer, so the forward pass
#   must leave them lying.
#
# The first three depend only on $N$: $4 + 4 + 8 = 16$ bytes a parameter. Is it so? Build a network of 13 million
# parameters and ask the operating system after each move how much memory this process has:


# %%
def bytes_per_parameter(width):
    """What the process gains for weights, Adam's state and gradients, in bytes a parameter."""
    seen = [memory.resident_bytes()]
    dense = [keras.layers.Dense(width, use_bias=False, kernel_initializer="zeros") for _ in range(2)]
    network = keras.Sequential([keras.Input((width,)), *dense])
    seen.append(memory.resident_bytes())
    adam = keras.optimizers.Adam()
    adam.build(network.trainable_variables)
    seen.append(memory.resident_bytes())
    with tf.GradientTape() as tape:  # TensorFlow notes what happens in here, to go back through it for the gradients
        loss = tf.reduce_sum(network(tf.ones((8, width))))
    gradients = tape.gradient(loss, network.trainable_variables)
    seen.append(memory.resident_bytes())
    arrays = [*network.trainable_variables, *adam.variables, *gradients]
    in_arrays = sum(tf.convert_to_tensor(each).numpy().nbytes for each in arrays)
    return np.diff(seen) / network.count_params(), in_arrays, network.count_params()


with tf.device("CPU"):
    gained, in_arrays, n_params = bytes_per_parameter(2560)
for name, each, counted in zip(("weights", "Adam's state", "gradients"), gained, (4, 8, 4), strict=True):
    print(f"{name:13} counted {counted} bytes a parameter, the process gained {each:.2f}")
print(f"in the arrays themselves: {in_arrays:,} bytes = 16 x {n_params:,} + {in_arrays - 16 * n_params}")
assert in_arrays == 16 * n_params + 12
assert 8 < gained.sum() < 32
reveal(prediction_bytes, in_arrays / n_params, "bytes a parameter")

# %% [markdown]
# The arrays are exact (the 12 bytes over are Adam's count of steps and its rate). The process is near it; the system
# hands out memory in larger pieces, and counts what TensorFlow needs besides.
#
# Large models train in **mixed precision**: weights and gradients in 2 bytes, so that products are faster, and for Adam
# a copy of the weights and the two averages in 4 bytes each, because small changes would be lost in 2. That is $2 + 2 +
# 12 = 16$ again; many programs keep the gradients in 4 bytes, which makes 18. Papers quote the one or the other.

# %% [markdown] exercise="2.1.6"
# How many GB (1 GB is $10^9$ bytes) does mixed-precision training hold, without activations?


# %% exercise="2.1.6"
def training_gigabytes(n_params, gradient_bytes):
    """GB of weights (2 bytes), gradients (`gradient_bytes`: 2 or 4) and Adam's three float32 numbers a parameter."""
    ### BEGIN SOLUTION
    optimiser = 4 + 4 + 4  # copy of the weight, average of the gradient, average of its square
    return n_params * (2 + gradient_bytes + optimiser) / 1e9
    ### END SOLUTION


# %% check="2.1.6"
check("2.1.6", training_gigabytes)

# %% [markdown]
# From here on we use `memory.training_bytes`, which knows these precisions by name.
#
# The fourth part, activations, grows with the batch. What must be kept can be counted from the shape: what each matrix
# multiplied, and the scores. What *is* kept, the compiler decides, and it writes its plan down as well: a list of
# operations in the order in which they run. A result lives from the operation that makes it to the last one that reads
# it. Here is the whole training step of a network with eight hidden layers (`mlp_8`), for three sizes of the batch. The
# largest batch is four times the smallest. Is its peak four times as high?

# %% alt="Bytes held against the share of a compiled training step's operations done, for batches of 64, 128 and 256. Each curve rises during the forward pass, has its peak about a quarter of the way and falls during the backward pass; the peaks, 0.40, 0.69 and 1.26 MB, grow by an equal amount for each sample. A dashed line marks the bytes of weights and Adam's state."
steps = {batch: compiled.training_step("mlp_8", 64, digits, batch) for batch in (64, 128, 256)}
state_bytes = 12 * counting.count("mlp_8", 64, digits).n_params
figures.draw_step_memory({batch: step.moments() for batch, step in steps.items()}, state_bytes)


# %%
def kept_and_held(family, size, data, batch):
    """Bytes of a sample that must be kept, and bytes more that the compiled step holds for each further sample."""
    kept = 4 * sum(memory.activations(models.shape(family, size, data)).values())
    one, two = (compiled.training_step(family, size, data, each) for each in (batch, 2 * batch))
    more = two.temporary_bytes + two.argument_bytes - one.temporary_bytes - one.argument_bytes
    return kept, more / batch


for family, size, data in (("mlp_8", 64, digits), ("transformer", 32, task("bytes"))):
    kept, held = kept_and_held(family, size, data, 16)
    print(f"{family:11} a sample: {kept:7,} bytes must be kept, {held:7,.0f} are held, {held / kept:.2f} times as many")
    assert 1 <= held / kept < 2.5
inputs_and_labels = 256 * (64 + 1) * 4
assert steps[256].argument_bytes == state_bytes + 12 + inputs_and_labels  # 12 N, and Adam's count of steps and its rate

# %% [markdown]
# Not four times: some bytes are there for any batch, and each further sample adds the same amount. That amount is up to
# about twice what *must* be kept: this compiler keeps each layer's numbers before *and* after the ReLU. A Transformer
# is nearer, because it has a ReLU in one place of each block only. The step's weights and Adam's state are what we
# count, to the byte. (We read the compiler's schedule; the tests of the course hold this reading to XLA's own memory
# plan, within 15 %.) So: count the state exactly, count activations within a factor, and leave room.
#
# ## 8 Claim 2.1: billions of parameters?
#
# You can now count GPT-3. The paper gives its shape: 96 blocks, $d = 12{,}288$, 96 heads of 128, $d_{ff} = 4d$, a
# vocabulary of 50,257, and a table of 2,048 positions; biases everywhere (in each normalisation a gain and a bias for
# each of the $d$ numbers), head and embedding the same table. Set beside it: the four GPT-2 of a year before, a
# well-known network for images, the smallest and the largest of the 50, and what this course trains.

# %% alt="Counted parameters of ten models on a logarithmic axis: the article's classifier has 11, the course's largest character model 1.3 million, ResNet-50 25.6 million, three GPT-2 between 124 and 774 million, GPT-2 XL 1.56 billion, the largest Chinchilla model 16.2 billion, GPT-3 175 billion. A dashed line at one billion separates the last three from the others."
gpt3 = GPT3.decoder.counts()
resnet = keras.applications.ResNet50(weights=None).count_params()
sizes = {
    "the article's classifier": (11, "ten weights and a bias"),
    "largest character MLP here": (counting.count("char_mlp", 768, task("characters")).n_params, ""),
    "ResNet-50 (2015)": (resnet, "images, counted by Keras"),
    "table A9, smallest": (theirs[0].n_params, ""),
    "table A9, largest": (theirs[-1].n_params, ""),
    "GPT-3 (2020)": (gpt3.n_params, ""),
    **{f"{model.name} (2019)": (model.decoder.counts().n_params, "") for model in GPT2},
}
print(f"GPT-3: {gpt3.n_params:,} parameters, {gpt3.n_params / resnet:,.0f} times ResNet-50's {resnet:,}")
for model in GPT2:
    print(
        f"{model.name:13} {model.decoder.counts().n_params:13,} counted, {model.n_params / 1e6:,.0f} million published"
    )
assert all(abs(model.decoder.counts().n_params / model.n_params - 1) < 0.004 for model in (*GPT2, GPT3))
figures.draw_sizes(sizes)

# %% claim="2.1"
verdict("2.1", gpt3.n_params / 1e9)

# %% [markdown]
# The claim's number is right: GPT-3 has 174.6 billion parameters, and that is thousands of times what a network for
# images had five years before. Its limit is the word *large*. It is no property of a model. A name such as "GPT-2
# large", with 774 million parameters, was fair in 2019 and lies below the claim's line; where the line is drawn says
# when it was drawn. And the article counts only parameters: a model can be large in its data and in its compute as well.
#
# ## 9 Claim 2.2: much computation?
#
# GPT-3 was trained on 300 billion tokens. What is that for your machine, at the rate of its best matrix product?

# %%
rate = machine.matrix_product_rate(1024)
print(f"this machine: {rate}")

# %% [markdown]
# Work it out with your `tokens_and_days` and this rate, in a cell of your own, and compare. Beside GPT-3 stand a large
# run of lesson 5.3, and GPT-2 small with 20 tokens for each parameter (our assumption; its own number is not
# published).

# %% claim="2.2"
print(f"{'':17} {'N':>8} {'D':>8} {'C = 6ND':>9} {'time here':>14}")
runs = {
    "lesson 5.3's": (counting.count("char_mlp", 384, task("characters")).n_params, 500_000),
    "GPT-2 small, 20 N": (GPT2[0].decoder.counts().n_params, 20 * GPT2[0].n_params),
    "GPT-3": (gpt3.n_params, 300e9),
}
for name, (n, tokens) in runs.items():
    seconds = 86_400 * machine.days_needed(6 * n * tokens, rate.median)
    print(f"{name:17} {n:8.2e} {tokens:8.2e} {6 * n * tokens:9.2e} {machine.duration(seconds):>14}")
years, low, high = (
    machine.days_needed(6 * gpt3.n_params * 300e9, each) / 365.25 for each in (rate.median, rate.high, rate.low)
)
print(f"GPT-3: {years:,.0f} years (middle half of the measured rates: {low:,.0f} to {high:,.0f})")
verdict("2.2", years / 1000)

# %%
reveal(prediction_years, years, "years", digits=5)

# %% [markdown]
# Training is out of reach by a wide margin, and no patience mends it. *Running* it is something else: the $2N$ FLOPs of
# one token take seconds at most. What stands in the way there is memory, even with 2 bytes a weight:

# %%
import psutil

here = psutil.virtual_memory().total
bandwidth = machine.copy_bandwidth(64).median
weights = memory.inference_bytes(gpt3.n_params)
state = sum(memory.training_bytes(gpt3.n_params, "mixed").values())
print(f"weights: {weights / 1e9:,.0f} GB; to train: {state / 1e9:,.0f} GB; this machine has {here / 1e9:.0f} GB")
print(f"one token: {2 * gpt3.n_params / (rate.median * 1e9):.1f} s of arithmetic at the best rate,")
print(f"and {weights / (bandwidth * 1e9):.0f} s to read all weights once at {bandwidth:.0f} GB/s, if they fitted")

# %% [markdown]
# To write one token, each weight must be read once and is used once. So running a model for a single reader is limited
# by memory more than by arithmetic; many readers served at a time share the reading (lesson 3.3 makes a picture of it).
#
# The claim holds, for training by many orders of magnitude. One thing it leaves out: the compute is a *product*. A
# model of 70 billion parameters trained on 1.4 trillion tokens took more FLOPs than one of 280 billion on 300 billion
# tokens ($6ND$: 1.17 times as many), and was the better one, as the paper shows: Chinchilla and Gopher. Size alone says
# little about the cost of training. It does say what each answer costs afterwards.

# %%
chinchilla_over_gopher = (70e9 * 1.4e12) / (280e9 * 300e9)
print(f"{chinchilla_over_gopher:.3f}")
assert abs(chinchilla_over_gopher - 1.167) < 0.001

# %% [markdown]
# ## 10 Your own count

# %% [markdown] exercise="2.1.8"
# Choose a model whose shape you can find (`keras.applications` has many for images; GPT-2's shapes are in
# `course.published_models`; or one from your own work). Count it, in about 100 words between triple quotes
# (`my_count = """..."""`): its parameters in parts, and in
# all; the published count beside yours, and what explains a difference; FLOPs of its training, by which convention; how
# many days your machine would take, at which rate; how many bytes, and whether they fit.

# %% exercise="2.1.8"
### BEGIN SOLUTION
my_count = """
GPT-2 medium: 24 blocks, d_model 1024, d_ff 4096, vocabulary 50,257, 1,024 positions. A block has 12 * 1024**2 = 12.6
million weights, 24 of them 302 million. The embedding, which is the head as well, has 51.5 million, the positions 1.0
million, biases and gains 0.3 million. Together 354.8 million; published are 355. With 20 tokens for each parameter D is
7.1e9, and by 6ND (all parameters, no attention term) training takes 1.5e19 FLOPs. My machine reaches 90 GFLOP/s on large
products; I count on half of it, 4.5e10 a second, so 3.4e8 seconds or 3,900 days. In float32 with Adam it holds 16 bytes
a parameter, 5.7 GB, before activations: 24 blocks keep 12 * 1024 numbers a token and 16 rows of scores, about 3 GB for
one text of 1,024 tokens. It would fit in 16 GB, with a batch of one or two.
"""
### END SOLUTION

# %% check="2.1.8"
check("2.1.8", my_count)

# %% [markdown]
# ## Takeaways
#
# - A parameter costs 2 FLOPs to run and 6 to train, for each token, and 16 bytes or more while it trains. All else is a
#   correction.
# - The corrections (tables, attention, the head) are large for small models, and change with the size. Name your
#   convention.
# - Count, then let a second witness count: framework, compiler, operating system, a published table.
#
# ## One step further
#
# - Give `figures.draw_conventions` the Chinchilla shapes with a length of 128 or 16,384 (`dataclasses.replace(shape,
#   length=128)`). Which conventions move?
# - The compiler's 3 % of element-wise work is 3 % of the FLOPs. Is it 3 % of the *time*? Lesson 3.3 measures why not.
# - How much would `6N` mislead if you fitted a law with it? Plot `6N / exact` for the 50 models on two logarithmic
#   axes: its slope is the error of the exponent.
