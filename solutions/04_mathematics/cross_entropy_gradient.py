# %% [markdown]
# Every scaling law has a **loss** on its vertical axis: one number for how badly a model predicts. Before
# you can say how it falls as models grow, you need to know what it measures, how low it can get, and in
# which direction to change a model so that it falls.
#
# The article that this course tests answers in its section 4.2 with two formulas. The loss of a
# *classifier*, a model that decides between classes, is printed as
#
# $$L = -\frac1N \sum_{i=1}^{N} y_i \log \hat y_i ,$$
#
# with the true label $y_i$ and the prediction $\hat y_i$. Its *gradient*, the list of the loss's slopes, is
# printed as an array in $\mathbb R^{M\times D}$, where $M$ is the number of parameters (what training may
# change) and $D$ "their dimension". So there are two claims to test:
#
# - **4.1** This loss is the cross-entropy that the model should minimise.
# - **4.2** The gradient is an $M \times D$ array.
#
# **Symbols.** The article writes $N$ for samples and $D$ for features; papers on scaling laws write
# $N$ for parameters and $D$ for data. To keep them apart, chapters 4 and 5 write $n$ for the number
# of samples and $d$ for the number of features. A *sample* is a row $x$ of $d$ numbers (its
# *features*) with a *label* $y$, 0 or 1. The *model* has weights $w$, one number for each feature, and
# says with which probability $p$ (the article's $\hat y$) the label is 1. `log` is the natural logarithm,
# so losses are in **nats**.

# %%
import numpy as np
import tensorflow as tf

import course.widgets.cross_entropy_gradient as figures
from course import check, reveal, verdict
from course.losses import article_gradient, article_loss, bernoulli_cross_entropy, sigmoid, with_bias
from course.widgets import explore, slider

# %% [markdown]
# ## Predict first
#
# Further down you train one model on 400 samples, about 40 % of which have label 1. Its features say
# something about the label, though not everything. The training minimises the article's loss, exactly
# as printed, in 2,000 small steps downhill.
#
# Then you look only at the samples whose label is **0**. A good model gives them a low probability of
# being a 1. What is the mean of the predicted probabilities over these samples? Commit to a number
# between 0 and 1; look once more at the formula before you do.

# %% prediction="negatives"
### BEGIN SOLUTION
prediction_negatives = 0.3
### END SOLUTION

# %% [markdown]
# ## 1 From likelihood to a loss
#
# Start with the simplest model there is: it says that a coin shows heads with probability $p$, and
# nothing else. You toss it and see heads, heads, tails, heads. How well did the model do?
#
# Ask how probable it thought these tosses were. Tosses are independent, so their probabilities
# multiply: $p \cdot p \cdot (1-p) \cdot p$. This product is the **likelihood**. It has two faults as a
# score: it shrinks with every toss, and soon a computer can't hold it. The logarithm mends the second
# (products become sums), a mean over the tosses the first, and a minus sign makes it a cost:
#
# $$L = -\frac1n \sum_{i=1}^{n} \bigl[\, y_i \log p + (1-y_i) \log(1-p) \,\bigr],
# \qquad y_i = 1 \text{ for heads, } 0 \text{ for tails.}$$
#
# This is the **cross-entropy**. In each bracket one term survives: $\log p$ for heads, $\log(1-p)$ for tails.
# Each toss costs minus the log of the probability that the model gave to *what happened*: nothing if the model
# was sure of it, and ever more the less it expected it.

# %%
model_p = 0.6
print("   tosses   likelihood   mean loss (nats per toss)")
for repeats in (1, 10, 100, 1000):
    tosses = np.tile([1, 1, 0, 1], repeats)
    given = np.where(tosses == 1, model_p, 1 - model_p)  # what the model gave to each toss
    print(f"{len(tosses):9,}   {np.prod(given):10.3g}   {-np.mean(np.log(given)):.4f}")
assert np.prod(given) == 0

# %% [markdown]
# The likelihood of 4,000 tosses is stored as exactly 0. The mean loss doesn't mind: it has the same
# value at any length, which makes it a property of the model and the coin.

# %% [markdown] exercise="4.1.1"
# Another model says heads with probability 0.7. It sees the same four tosses: heads, heads, tails,
# heads. What is its mean loss in nats per toss? Write a number or a NumPy expression; three
# digits will do.

# %% exercise="4.1.1"
### BEGIN SOLUTION
loss_of_four_tosses = -(3 * np.log(0.7) + np.log(0.3)) / 4
### END SOLUTION

# %% check="4.1.1"
check("4.1.1", loss_of_four_tosses)

# %% [markdown]
# ### How low can it go?
#
# Turn the share of heads below. The solid curve is the mean loss of a model that says $p$; watch where
# its lowest point is, and how high. Then watch the dashed curve: the article's formula, which keeps
# the term for heads and has none for tails.

# %% alt="Mean loss in nats per toss against the model's probability of heads, for 75 % heads. The full cross-entropy is a valley with its lowest point, 0.562 nats, at p = 0.75. The article's loss is a dashed curve that falls all the way to 0 at p = 1."
explore(figures.draw_coin, share=slider(0.75, 0.05, 1.0, 0.05, "share of heads"))

# %%
# bernoulli_cross_entropy(share of heads, p of the model): here the model says the truth
floors = {share: float(bernoulli_cross_entropy(share, share)) for share in (0.5, 0.75, 0.95, 1.0)}
for share, floor in floors.items():
    print(f"{share:4.0%} heads: lowest possible loss {floor:.3f} nats per toss")
assert np.isclose(floors[0.5], np.log(2)) and floors[1.0] == 0

# %% [markdown]
# Three things to take from it.
#
# - The valley's lowest point is at the truth: $p$ equal to the share of heads. That is why one
#   minimises this loss.
# - Its height is the **entropy** of the coin: 0.693 nats ($\log 2$) for a fair one, 0 for one that always
#   shows heads. No model gets below it. In a scaling law this floor is the irreducible loss $E$, and what
#   a better model can still gain is the distance above it.
# - The dashed curve has no valley. Whatever the coin does, it is lowest at $p = 1$.

# %% [markdown]
# ## 2 From features to a probability: the logit
#
# A classifier gives each sample its own $p$. It first forms one number, the **logit**
# $z = w_1 x_1 + \dots + w_d x_d$, which can be anything between $-\infty$ and $\infty$, and then squeezes
# it into a probability with the **sigmoid**
#
# $$p = \sigma(z) = \frac{1}{1+e^{-z}}, \qquad 1 - p = \sigma(-z) = \frac{1}{1+e^{z}} .$$
#
# Logit 0 means $p = 1/2$; each unit of $z$ multiplies the odds $p/(1-p)$ by $e$. To let the model prefer
# one label whatever the features say, one feature is the constant 1; its weight is called the **bias**.
#
# With this, the loss of one sample becomes a function of $z$:
# $-\log p = \log(1+e^{-z})$ for label 1, and $-\log(1-p) = \log(1+e^{z})$ for label 0.
#
# On paper it makes no difference whether you compute $p$ first and then its logarithm. In a computer it
# does. The cell looks for the first logit at which this goes wrong, with numbers of 32 and of 64 bits.

# %%
z = np.arange(0, 1000, 0.05)
first_failure = {}
with np.errstate(all="ignore"):  # overflow is what we are looking for
    for kind in (np.float32, np.float64):
        for label, logit in ((0, z.astype(kind)), (1, -z.astype(kind))):
            p = 1 / (1 + np.exp(-logit))
            loss = -np.log(p) if label == 1 else -np.log(1 - p)
            first_failure[kind.__name__, label] = float(logit[~np.isfinite(loss)][0])

for (kind, label), at in first_failure.items():
    print(f"{kind}, label {label}: infinite from z = {at:.2f} on; the true loss is {abs(at):.2f} nats")
assert np.allclose(list(first_failure.values()), [16.6, -88.7, 36.7, -709.8], atol=0.1)

# %% [markdown]
# Two different things break. For label 1 the exponential overflows, at $|z|$ of 89 in float32 and 710 in
# float64. For label 0 it goes wrong much earlier: at $z = 17$ in float32 the probability is so near 1
# that it is rounded *to* 1, and the loss is the log of 0. One such sample makes the mean over
# all samples infinite.
#
# The remedy is to stay with $z$ and never form $p$. One line holds both labels (try $y = 0$ and $y = 1$):
#
# $$\ell(z, y) = \log(1 + e^{z}) - y z .$$
#
# What remains is the exponential of a large $z$. For $z > 0$, take the factor $e^z$ out of the bracket, and
# see what is left in it.

# %% [markdown] exercise="4.1.2"
# Write the mean cross-entropy of n samples, from their logits. It must be right for logits of any size: the
# check tries some around 1,000. `np.log1p(u)` is log(1 + u), exact even for tiny u; `np.maximum` and `np.abs`
# spare you a case distinction.


# %% exercise="4.1.2"
def cross_entropy_from_logits(logits, y):
    """Mean loss in nats per sample, one number. logits: (n,); y: (n,) labels 0 or 1."""
    ### BEGIN SOLUTION
    losses = np.maximum(logits, 0) - logits * y + np.log1p(np.exp(-np.abs(logits)))
    return losses.mean()
    ### END SOLUTION


# %% check="4.1.2"
check("4.1.2", cross_entropy_from_logits)

# %% [markdown]
# The safe form is $\log(1+e^{z}) = \max(z, 0) + \log\bigl(1+e^{-|z|}\bigr)$: its exponent is never positive.
# From here on the lesson uses `course.losses.binary_cross_entropy`, which you have just built. TensorFlow
# has the same function, built the same way; the cell compares the two, at logits from 0.01 to more than 10,000.

# %%
from course.losses import binary_cross_entropy

rng = np.random.default_rng(0)
z = rng.normal(size=1000) * 10.0 ** rng.uniform(-2, 4, size=1000)
y = rng.integers(0, 2, size=1000).astype(float)
theirs = float(tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)))
ours = binary_cross_entropy(z, y)
print(f"largest logit {abs(z).max():,.0f}   course {ours:.6f}   TensorFlow {theirs:.6f} nats")
assert abs(ours / theirs - 1) < 1e-10

# %% [markdown]
# ## 3 What the article's loss leaves out
#
# First a fair hearing. There is a way to read the formula in which it is right. Describe the label as a
# vector with a 1 for the true class and 0 for the others (*one-hot*), here $(1-y, y)$, and the prediction
# as $(1-p, p)$. Then the cross-entropy is $-\sum_k y_k \log p_k$, summed over the **classes** $k$ as well as
# over the samples, and it looks just like the article's formula. The cell computes three numbers for the same
# predictions.

# %%
z, y = rng.normal(size=200), rng.integers(0, 2, size=200)
p = sigmoid(z)
labels, predictions = np.column_stack([1 - y, y]), np.column_stack([1 - p, p])  # both (n, 2)
over_classes = -np.mean(np.sum(labels * np.log(predictions), axis=1))
print(f"summed over both classes   {over_classes:.6f} nats")
print(f"binary cross-entropy       {binary_cross_entropy(z, y):.6f} nats")
print(f"article, one output        {article_loss(z, y):.6f} nats")
assert np.isclose(over_classes, binary_cross_entropy(z, y), rtol=1e-12)

# %% [markdown]
# So the formula is the many-class form, and it holds with one-hot labels and a sum over the classes.
# But the article applies it (section 4.3) to a single output $\hat y_i = \sigma(w\cdot x_i)$ with
# $y_i \in \{0, 1\}$. Then the sum over classes has one term left, and a sample of label 0 costs nothing
# whatever you predict. (The article's own listing in section 5.2 calls TensorFlow's full loss: there its
# code is right where its formula is not.)
#
# What happens if you train on the formula? The data: five features, a signal in four of them, a
# constant column for the bias. *Gradient descent* starts from $w = 0$ and takes steps
# $w \leftarrow w - \text{rate} \cdot \text{gradient}$, where the gradient is the list of slopes
# $\partial L / \partial w_j$: a weight that raises the loss goes down, one that lowers it goes up, and the
# rate sets how far. You derive the gradient in section 4; until then the package's serves.


# %%
def make_data(seed, n=400):
    """n samples whose labels are drawn with probability sigmoid(1.5 x1 - x2 + x3/2 + x4/2 - 0.6)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    y = rng.random(n) < sigmoid(X @ [1.5, -1.0, 0.5, 0.5, 0.0] - 0.6)
    return X, y.astype(float)


def descend(gradient, X, y, steps, rate=0.5):
    """The weights after 0, 1, ..., `steps` steps downhill: (steps + 1, d)."""
    path = [np.zeros(X.shape[1])]
    for _ in range(steps):
        path.append(path[-1] - rate * gradient(path[-1], X, y))
    return np.array(path)


# %%
from course.losses import logistic_gradient

X, y = make_data(seed=1)
X = with_bias(X)  # (400, 6)
paths = {
    "article's loss": descend(article_gradient, X, y, steps=2000),
    "full cross-entropy": descend(logistic_gradient, X, y, steps=2000),
}
print(f"share of ones in the data: {y.mean():.3f}")
for name, path in paths.items():
    z = X @ path[-1]
    print(f"\ntrained on the {name}")
    print(f"   article's loss      {article_loss(z, y):.4f} nats")
    print(f"   full cross-entropy  {binary_cross_entropy(z, y):.4f} nats")
    print(f"   answers 1 to        {np.mean(z > 0):.1%} of the samples")
    print(f"   accuracy            {np.mean((z > 0) == y):.3f}")

z = X @ paths["article's loss"][-1]
assert (z > 0).all() and np.mean((z > 0) == y) == y.mean()
assert binary_cross_entropy(z, y) > np.log(2)

# %%
reveal(prediction_negatives, sigmoid(z)[y == 0].mean())

# %% [markdown]
# Trained on the article's loss, the model answers 1 to every sample, and with great confidence. Its
# accuracy is the share of ones. Its training loss is nearly 0, far below what the honest model reaches;
# scored by the full cross-entropy it does worse than saying 1/2 every time, which costs $\log 2 = 0.693$ nats.

# %% alt="Two panels against the number of gradient steps. Left, log-log: the article's loss falls along the line 1/(rate t) with no floor, the full cross-entropy levels off near 0.43 nats. Right: the mean predicted probability on samples of label 0 climbs to nearly 1 under the article's loss and falls to about 0.24 under the full one."
steps = np.unique(np.logspace(0, np.log10(2000), 60).astype(int))
curves = {}
for name, loss in (("article's loss", article_loss), ("full cross-entropy", binary_cross_entropy)):
    logits = [X @ w for w in paths[name][steps]]
    negatives = [sigmoid(z)[y == 0].mean() for z in logits]
    curves[name] = {"loss": np.array([loss(z, y) for z in logits]), "negatives": np.array(negatives)}
figures.draw_training(steps, curves["article's loss"], curves["full cross-entropy"], rate=0.5)

# %% [markdown]
# The dashed line is theory. If only the bias $b$ moves, the loss is $L = s \log(1+e^{-b})$ for a share $s$
# of ones, close to $s\,e^{-b}$ once $b$ is large, and then its slope in $b$ is $-L$. Treat the number of steps
# $t$ as a time: $b$ grows at the pace $\text{rate}\cdot L$, so by the chain rule
# $\mathrm dL/\mathrm dt = -L \cdot \text{rate}\cdot L$, and that is solved by
# $L = 1/(\text{rate}\cdot t)$, with no floor. The bias itself is then $b = \log(s \cdot \text{rate} \cdot t)$: it
# never settles, and gains $\log 10 = 2.30$ whenever the steps grow tenfold.

# %%
late = steps >= 200
log_t, log_loss = np.log(steps[late]), np.log(curves["article's loss"]["loss"][late])
slope, intercept = np.polyfit(log_t, log_loss, 1)
r_squared = np.corrcoef(log_t, log_loss)[0, 1] ** 2
print(f"article's loss, last decade of steps: slope {slope:.3f} (theory -1), R^2 = {r_squared:.4f}")
bias_gain = paths["article's loss"][2000, -1] - paths["article's loss"][200, -1]
print(f"bias gained from step 200 to step 2,000: {bias_gain:.2f} (theory {np.log(10):.2f})")
assert abs(slope + 1) < 0.03 and r_squared > 0.9999 and abs(bias_gain - np.log(10)) < 0.3

# %% [markdown]
# Keep this line in mind. It is a power law (a straight line on log-log axes) over a decade (a factor of
# ten) of steps, with an $R^2$ of 1.000: $R^2$ is the share of the ups and downs that the line accounts for.
# And the model behind it has learnt to say "one". A straight line on log-log axes, and a loss that keeps
# falling, show progress only if the loss is lowest at the truth.
#
# The gradient tells the same story. Its entry for the bias is the mean of $p - y$ for the full loss (you
# derive it next), and the mean of $y\,(p - 1)$ for the article's. **Before you run the cell:** which signs
# can each of the two have? It draws 1,000 random weight vectors and counts how often a step would push the
# bias up, that is, how often the slope is negative.

# %%
random_weights = np.random.default_rng(2).normal(scale=2, size=(1000, 6))
pushed_up = {}
for name, gradient in (("article's loss", article_gradient), ("full cross-entropy", logistic_gradient)):
    bias_slope = np.array([gradient(w, X, y)[-1] for w in random_weights])
    pushed_up[name] = np.mean(bias_slope < 0)
    print(f"{name:18}   pushes the bias up at {pushed_up[name]:6.1%} of the points")
assert pushed_up["article's loss"] == 1 and 0.2 < pushed_up["full cross-entropy"] < 0.8

# %% [markdown]
# The article's slope is never positive, because $y$ is 0 or 1 and $p$ is below 1: the bias can only rise. Does
# the formula always fail, then? Take the bias away: the same data, five features centred on 0, no constant
# column. Train on the article's loss once more. What is the mean predicted probability on label 0 now?

# %% prediction="centred"
### BEGIN SOLUTION
prediction_centred = 0.9
### END SOLUTION

# %% [markdown]
# The cell tries three settings, each on 20 data sets: the one above, with a bias; the article's own case
# (1,000 samples, ten features between 0 and 1, labels from a coin, no bias); and centred features without a bias.


# %%
def mean_p_on_negatives(gradient, X, y):
    """Mean predicted probability on the samples of label 0, after 2,000 steps."""
    w = descend(gradient, X, y, steps=2000)[-1]
    return sigmoid(X @ w)[y == 0].mean()


def article_data(seed):
    """The article's case: 1,000 samples, 10 features between 0 and 1, labels from a coin, no bias."""
    rng = np.random.default_rng(seed)
    return rng.random((1000, 10)), rng.integers(0, 2, size=1000).astype(float)


def with_bias_data(seed):
    X, y = make_data(seed)
    return with_bias(X), y


# %%
settings = {
    "signal, with a bias": with_bias_data,
    "article's case": article_data,
    "centred, no bias": make_data,
}
results = {}
print("mean p on label 0     article's loss   full cross-entropy")
for name, make in settings.items():
    for loss, gradient in (("article", article_gradient), ("full", logistic_gradient)):
        each = [mean_p_on_negatives(gradient, *make(seed)) for seed in range(20)]
        results[name, loss] = np.array(each)
    print(f"{name:18} {results[name, 'article'].mean():17.3f} {results[name, 'full'].mean():20.3f}")

centred = results["centred, no bias", "article"].mean()
assert results["article's case", "article"].mean() > 0.99
assert abs(centred - results["centred, no bias", "full"].mean()) < 0.05
reveal(prediction_centred, centred)

# %% [markdown]
# The third row belongs to the fair hearing: there the article's loss does about as well as the full one.
# The formula runs away when some direction of the weights raises the logits of samples of label 1 and lowers
# none of them. A bias is such a direction, and so are weights on ten features that are never negative: the
# article's own data. With 160 or so points of label 1 on all sides of the origin there is none, and a step that
# helps some of them hurts others.

# %% claim="4.1"
article = results["signal, with a bias", "article"]
low, high = np.percentile(article, [2.5, 97.5])
print(f"mean p on label 0: {article.mean():.3f} (middle 95 % of data sets: {low:.3f} to {high:.3f})")
verdict("4.1", article.mean())

# %% [markdown]
# ## 4 The gradient, step by step
#
# You want to know how the loss changes when a weight does. Take one sample and go back along the chain
# $w \to z \to p \to \ell$, one link at a time.
#
# 1. From $p$ to the loss, with $\ell = -y\log p - (1-y)\log(1-p)$:
#    $\dfrac{\partial \ell}{\partial p} = -\dfrac{y}{p} + \dfrac{1-y}{1-p} = \dfrac{p-y}{p(1-p)}$.
# 2. From $z$ to $p$, with $p = 1/(1+e^{-z})$:
#    $\dfrac{\partial p}{\partial z} = \dfrac{1}{1+e^{-z}} \cdot \dfrac{e^{-z}}{1+e^{-z}} = p\,(1-p)$.
# 3. Multiply. The factor $p(1-p)$ cancels, and what is left could hardly be simpler:
#
# $$\frac{\partial \ell}{\partial z} = p - y .$$
#
# Prediction minus label. Turn the logit from one end to the other, first with label 0, then with 1. Look
# at the slope where the model is confidently wrong: does it fade? Then set the label between 0 and 1, as
# for a coin that shows heads now and then: where does the slope vanish?

# %% alt="Left: the loss of one sample with label 0 against its logit, with the tangent at z = 1.5; loss 1.70 nats, slope +0.82. Right: the slope p - y against the logit, an S-shaped curve from 0 to 1 with the point 0.82 marked."
explore(
    figures.draw_loss_and_tangent,
    z=slider(1.5, -6.0, 6.0, 0.1, "logit z"),
    y=slider(0.0, 0.0, 1.0, 0.05, "label y"),
)

# %% [markdown]
# For a confident wrong answer the slope has size near 1: the more wrong, the firmer the push. A squared
# error $(p-y)^2$ would keep the factor $p(1-p)$, which is nearly 0 exactly there, and the model would be
# stuck. With a label of 0.3 the slope vanishes at $p = 0.3$.
#
# Two links are left.
#
# 4. From a weight to the logit: $z = w_1x_1 + \dots + w_dx_d$, so $\partial z/\partial w_j = x_j$, and one
#    sample contributes $(p - y)\,x$.
# 5. The loss is a mean over samples, so the gradient is the mean of these contributions:
#
# $$\frac{\partial L}{\partial w_j} = \frac1n \sum_{i=1}^n (p_i - y_i)\, x_{ij} , \qquad j = 1, \dots, d .$$
#
# | piece | shape | what it is |
# |---|---|---|
# | `X` | (n, d) | a row for each sample |
# | `w` | (d,) | one number for each weight |
# | `z = X @ w`, `p`, `y`, `p - y` | (n,) | one number for each sample |

# %% [markdown] exercise="4.1.3"
# Write the gradient of the mean cross-entropy, all $d$ numbers at once. A sum over samples of a number times a
# row of `X` is a matrix product: which one, so that the shapes fit? `sigmoid` is imported above.


# %% exercise="4.1.3"
def gradient_of_logistic_loss(w, X, y):
    """Gradient of the mean loss in w, (d,). w: (d,); X: (n, d); y: (n,) labels 0 or 1."""
    ### BEGIN SOLUTION
    p = sigmoid(X @ w)
    return X.T @ (p - y) / len(y)
    ### END SOLUTION


# %% check="4.1.3"
check("4.1.3", gradient_of_logistic_loss)

# %% [markdown]
# The product is $\nabla L = \frac1n X^\top (p - y)$, in code `X.T @ (p - y) / n`: shape (d, n) times (n,)
# gives (d,), and the inner $n$, which is summed away, is the sum over samples.
#
# ## 5 Is it right? Two independent checks
#
# ### Finite differences
#
# A slope is a rise over a distance, so move one weight by a small $h$ and see what the loss does.
# With $L(w+h) = L + hL' + \tfrac{h^2}{2}L'' + \tfrac{h^3}{6}L''' + \dots$:
#
# - forward: $\bigl(L(w+h) - L(w)\bigr)/h = L' + \tfrac{h}{2}L'' + \dots$, an error that shrinks like $h$;
# - central: $\bigl(L(w+h) - L(w-h)\bigr)/2h = L' + \tfrac{h^2}{6}L''' + \dots$;
#   the even terms cancel, and the error shrinks like $h^2$.

# %% [markdown] exercise="4.1.4"
# Write the gradient by central differences, for any function `f` that takes a vector and returns one
# number. Move one weight at a time, both ways, and leave the `w` you were given as it was.


# %% exercise="4.1.4"
def gradient_by_differences(f, w, step):
    """Gradient of f at w, (d,). f: takes (d,), returns one number; w: (d,); step: h > 0."""
    ### BEGIN SOLUTION
    gradient = np.zeros(len(w))
    for i in range(len(w)):
        up, down = w.copy(), w.copy()
        up[i] += step
        down[i] -= step
        gradient[i] = (f(up) - f(down)) / (2 * step)
    return gradient
    ### END SOLUTION


# %% check="4.1.4"
check("4.1.4", gradient_by_differences)

# %% [markdown]
# From here on the lesson uses the package's `logistic_gradient` and `finite_difference_gradient`, which
# you have just built. Which step is best? Measure the error of both schemes over fourteen decades of $h$,
# and fit slopes where the theory promises one.

# %%
from course.losses import finite_difference_gradient

rng = np.random.default_rng(3)
X, y, w = rng.normal(size=(50, 6)), rng.integers(0, 2, size=50), rng.normal(size=6)
exact = logistic_gradient(w, X, y)
h = np.logspace(-14, 0, 57)
errors, slopes = {}, {}
for scheme, fit_from, fit_to in (("forward", 1e-6, 1e-2), ("central", 1e-3, 1e-1)):
    errors[scheme] = np.empty(len(h))
    for i, step in enumerate(h):
        numeric = finite_difference_gradient(lambda v: binary_cross_entropy(X @ v, y), w, step, scheme)
        errors[scheme][i] = np.abs(numeric - exact).max()
    used = (h >= fit_from) & (h <= fit_to)
    slopes[scheme] = np.polyfit(np.log(h[used]), np.log(errors[scheme][used]), 1)[0]
    best = errors[scheme].argmin()
    print(f"{scheme}: slope {slopes[scheme]:.3f}; best h = {h[best]:.0e}, error {errors[scheme][best]:.0e}")
assert abs(slopes["forward"] - 1) < 0.02 and abs(slopes["central"] - 2) < 0.02
assert errors["central"].min() < 1e-9 < errors["forward"].min() < 1e-6

# %% alt="Largest error of the gradient against the step h, log-log. The forward difference falls with slope 1.00 and the central one with slope 2.00 as h shrinks, until each meets the rounding error, which grows like 1e-16 / h, and turns up again: two letters V."
figures.draw_step_errors(h, errors, slopes)

# %% [markdown]
# The right-hand branches have slopes 1 and 2, as derived. The left-hand branch is rounding: the two losses
# agree in all but their last digits, so their difference has an error of about $10^{-16}$, which is divided
# by $h$. The best central step in float64 is near $10^{-5}$, and there some ten digits agree. A missing mean or
# a wrong sign would show in the first.
#
# ### Automatic differentiation
#
# Finite differences need two losses for each weight: with a billion weights, two billion losses for one
# step. TensorFlow applies the chain rule to each operation instead and gets all the entries in one pass
# back through the computation, without a step $h$. `GradientTape` records the way there.

# %%
weights = tf.Variable(w)  # float64, like every array here
labels = tf.constant(y, tf.float64)
with tf.GradientTape() as tape:
    logits = tf.linalg.matvec(X, weights)  # X @ weights, (50,)
    loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))
automatic = tape.gradient(loss, weights).numpy()
central = finite_difference_gradient(lambda v: binary_cross_entropy(X @ v, y), w, 1e-5)

print(" derived          automatic        central differences")
for entries in zip(exact, automatic, central, strict=True):
    print("   ".join(f"{entry:+.11f}" for entry in entries))
print(f"largest gap between derived and automatic: {np.abs(exact - automatic).max():.0e}")
assert np.abs(exact - automatic).max() < 1e-10

# %% [markdown]
# ## 6 More than two classes
#
# A language model chooses among thousands of tokens (words and pieces of words). With $K$ classes there is one logit
# for each, $z_1, \dots, z_K$, from a weight matrix $W$ of shape $(d, K)$. **Softmax** turns them into probabilities,
# and the loss is again minus the log of the probability given to what happened, class $c$:
#
# $$P_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad \ell = -\log P_c = \log \sum_j e^{z_j} - z_c .$$
#
# The first term of the loss, **log-sum-exp**, has the old trouble: $e^{1000}$ overflows. And it has the old
# remedy: for any constant $m$, $\log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m}$.

# %% [markdown] exercise="4.1.5"
# Write log-sum-exp over the last axis, one number for each row, right for logits of any size.


# %% exercise="4.1.5"
def stable_log_sum_exp(z):
    """log(sum(exp(z))) over the last axis. z: (n, K) logits. Returns (n,)."""
    ### BEGIN SOLUTION
    m = z.max(axis=-1, keepdims=True)
    return m[..., 0] + np.log(np.exp(z - m).sum(axis=-1))
    ### END SOLUTION


# %% check="4.1.5"
check("4.1.5", stable_log_sum_exp)

# %% [markdown]
# Now the slope. Differentiate log-sum-exp in $z_k$: $e^{z_k} / \sum_j e^{z_j}$, which is $P_k$. The second
# term of the loss gives $-1$ if $k$ is the true class and 0 if not: minus the entry $Y_k$ of the one-hot label. So
#
# $$\frac{\partial \ell}{\partial z_k} = P_k - Y_k .$$
#
# Prediction minus label once more. As before, the logit hands it on to the weights with the factor $x$:
# $z_k = \sum_j x_j W_{jk}$, so $W_{jk}$ gets $(P_k - Y_k)\, x_j$ from each sample. And $P_k$ is
# $e^{z_k - m} / \sum_j e^{z_j - m}$ for any constant $m$: what you did about overflow serves again.

# %% [markdown] exercise="4.1.6"
# Write the gradient in `W`, stable for large logits. `P` and `Y` are now (n, K): row $i$ of `Y` is the one-hot
# label of sample $i$. Which product of `X` with `P - Y` has the shape of `W`, (d, K)?


# %% exercise="4.1.6"
def gradient_of_softmax_loss(W, X, Y):
    """Gradient of the mean loss in W, (d, K). W: (d, K); X: (n, d); Y: (n, K) one-hot."""
    ### BEGIN SOLUTION
    z = X @ W
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    P = exponentials / exponentials.sum(axis=1, keepdims=True)
    return X.T @ (P - Y) / len(X)
    ### END SOLUTION


# %% check="4.1.6"
check("4.1.6", gradient_of_softmax_loss)

# %% [markdown]
# In one line, $\nabla L = \frac1n X^\top (P - Y)$: shape (d, n) times (n, K) gives (d, K). From here on the lesson
# uses `course.losses.softmax_gradient`, which you have just built. Check it against TensorFlow, with ordinary
# logits and with logits in the thousands. Then check that two classes, the first with all its weights 0, give
# back the logistic gradient.

# %%
from course.losses import softmax_gradient

for scale in (1, 1000):
    X, W = rng.normal(size=(50, 10)), scale * rng.normal(size=(10, 3))
    Y = np.eye(3)[rng.integers(0, 3, size=50)]
    weights = tf.Variable(W)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=Y, logits=X @ weights))
    gap = np.abs(softmax_gradient(W, X, Y) - tape.gradient(loss, weights).numpy()).max()
    print(f"largest logit {np.abs(X @ W).max():8.1f}   gap to TensorFlow {gap:.0e}")
    assert gap < 1e-10

y, w = rng.integers(0, 2, size=50), rng.normal(size=10)
two = softmax_gradient(np.column_stack([np.zeros(10), w]), X, np.eye(2)[y])
gap = np.abs(two[:, 1] - logistic_gradient(w, X, y)).max()
print(f"two classes, second column, against the logistic gradient: gap {gap:.0e}")
assert gap < 1e-12

# %% [markdown]
# ## 7 What shape has a gradient?
#
# Each time the gradient had one entry for each parameter, laid out as the parameters are. The article says
# $M \times D$, with $M$ the number of parameters. Read $D$ as 10, the number of features, as its section 4.3
# uses it, and count: what does TensorFlow return for three models, and what would the formula need? The third
# model is a small network: 16 sums like a logit, each set to 0 where it is negative, and these 16 numbers are
# the features of a softmax. It has two weight matrices and two rows of biases.

# %%
X, classes = rng.normal(size=(50, 10)), rng.integers(0, 3, size=50)


def new(*shape):
    return tf.Variable(rng.normal(size=shape))


def logistic(w):
    y = np.minimum(classes, 1.0)  # class 0 against the rest
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=tf.linalg.matvec(X, w))


def softmax_model(W):  # "sparse": the labels are class numbers, not one-hot rows
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=X @ W)


def two_layers(W1, b1, W2, b2):
    hidden = tf.nn.relu(X @ W1 + b1)  # relu(u) = max(u, 0)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=hidden @ W2 + b2)


# %%
models = (
    ("logistic", logistic, [new(10)]),
    ("softmax, K = 3", softmax_model, [new(10, 3)]),
    ("two layers", two_layers, [new(10, 16), new(16), new(16, 3), new(3)]),
)
ratios = []
print("model            shapes of the gradient                parameters M   entries   M x D")
for name, losses, parameters in models:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(losses(*parameters))
    gradients = tape.gradient(loss, parameters)
    assert [g.shape for g in gradients] == [v.shape for v in parameters]
    M = sum(int(tf.size(v)) for v in parameters)
    entries = sum(int(tf.size(g)) for g in gradients)
    ratios.append(entries / M)
    shapes = " ".join(str(tuple(g.shape)) for g in gradients)
    print(f"{name:16} {shapes:36} {M:10,} {entries:10,} {M * 10:8,}")

# %% [markdown]
# What is right in the claim: if the parameters are *one* matrix with $M$ rows and $D$ columns, the gradient
# is $M \times D$ (here $10 \times 3$). And if every parameter is a single number, so that its "dimension" $D$
# is 1, an $M \times 1$ column is a fair way to write it. With $M$ the number of parameters and $D$ the number
# of features it is ten times too large, and section 4.3 of the article itself lists ten partial derivatives
# for ten weights.
#
# Two arrays with two axes do exist nearby. One gradient *for each sample* gives $(n, d)$, and its mean over the
# rows is the gradient. The *second* derivatives form $(d, d)$; the next lesson needs them.

# %% claim="4.2"
print("entries of the gradient per parameter:", ratios)
verdict("4.2", max(ratios, key=lambda ratio: abs(ratio - 1)))

# %% [markdown]
# ## 8 Open: build another honest loss
#
# Cross-entropy is lowest, on average, at the true probability, so a model gains nothing by saying anything
# but what it believes. The article's loss has no such property. Is cross-entropy the only one that does?

# %% [markdown] exercise="4.1.7"
# Find another loss for a forecast $p$ and a label $y$ whose mean is smallest when the forecast equals the
# true share of ones: for a fair coin, a rare event (10 %) and a common one (80 %). There are infinitely many;
# cross-entropy and its multiples don't count. Try your first idea before you open a hint.


# %% exercise="4.1.7"
def honest_loss(p, y):
    """The loss of each sample, (n,). p: (n,) between 0.01 and 0.99; y: (n,) labels 0 or 1."""
    ### BEGIN SOLUTION
    # With a share q of ones the mean is q (1 - p)^2 + (1 - q) p^2, whose derivative is 2 (p - q).
    return (p - y) ** 2
    ### END SOLUTION


# %% check="4.1.7"
check("4.1.7", honest_loss)

# %% [markdown]
# Losses of this kind are called *strictly proper scoring rules*. The answered edition shows the one that Brier
# proposed for weather forecasts in 1950.
#
# ## Takeaways
#
# - Cross-entropy is the mean of minus the log of the probability given to what happened. Its floor is the
#   entropy of the labels, the $E$ of a scaling law. The article's version lost the term for label 0 and is
#   lowest at "always 1".
# - The slope in the logit is prediction minus label, so the gradient is `X.T @ (p - y) / n`, or
#   `X.T @ (P - Y) / n`: one entry for each parameter. Check a new gradient with central differences.
# - Stay with logits: log-sum-exp with the largest logit taken out first, and $\max(z,0) - zy + \log(1+e^{-|z|})$, are
#   right at any size. Forming $p$ first is not, nor is keeping $p$ away from 0 and 1 by force (*clipping*), which caps
#   the loss.
#
# ## One step further
#
# - *Label smoothing* replaces the labels 0 and 1 by, say, 0.05 and 0.95. Set the label slider of section 4 to
#   0.95. Where does the slope vanish now, and what becomes of a logit that would otherwise grow for ever?
# - Differentiate $p - y$ once more: the second derivative in the logit is $p(1-p)$. What are the second
#   derivatives in the weights, as a matrix product? Their largest eigenvalue sets how far a step may go,
#   which is where the next lesson starts.
# - Gneiting and Raftery, *Strictly Proper Scoring Rules, Prediction, and Estimation* (Journal of the American
#   Statistical Association, 2007), describe all honest losses at once.
