# %% [markdown]
# The last lesson ended with a gradient: a list of slopes that says which way the loss falls. To train a
# model you walk that way. This lesson asks how long a step may be, and how many of them it takes; at the
# end of the second question stands a scaling law that you derive and then measure.
#
# The article's section 4.1 sums training up in three lines, of which the third is the update
#
# $$\text{Model} = \text{Model} - \alpha \cdot \text{Gradient},$$
#
# and its section 4.2 makes it the last step of its derivation. The claim to test:
#
# - **4.3** Moving the parameters against the gradient, again and again, trains the model.
#
# **Symbols.** $\alpha$ is the size of a step, as in the article (many call it the *learning rate*). Papers on
# scaling laws use $\alpha$ for an exponent; here exponents are called $a$, $b$ and $s$. As in lesson 4.1, $n$ is the
# number of samples, $d$ the number of features, $w$ the weights; $t$ counts steps.

# %%
import numpy as np
import tensorflow as tf

import course.widgets.gradient_descent as figures
from course import check, reveal, verdict
from course.data.tabular import breast_cancer
from course.losses import binary_cross_entropy, logistic_gradient, with_bias
from course.widgets import explore, log_slider, slider

# %% [markdown]
# ## Predict first
#
# The data are 398 tumours (the others of the set are put aside), each described by 30 measurements of its cells.
# Every measurement is rescaled to mean 0 and spread 1, and a column of ones is added for the bias: `X` has shape
# (398, 31). The target is +1 for a benign tumour and −1 for a malignant one. A linear model $Xw$ is fitted by *least
# squares*, with the loss $\frac{1}{2n}\sum_i (x_i \cdot w - y_i)^2$. Training starts at $w = 0$, where the loss is 0.5,
# and makes 1,000 updates.
#
# With the step $\alpha = 0.149$ all goes well: the loss comes down to about 0.1. Now make the step 3 % longer,
# $\alpha = 0.153$, and change nothing else. What is the loss after 1,000 updates? Commit to a number.

# %% prediction="loss"
### BEGIN SOLUTION
prediction_loss = 0.1
### END SOLUTION

# %% [markdown]
# ## 1 Why a small step goes downhill
#
# Near a point $w$ the loss is nearly a plane. Its value after a move $\delta$ is, to first order (Taylor),
# $L(w + \delta) \approx L(w) + g \cdot \delta$, where $g$ is the gradient at $w$. The article's update moves by
# $\delta = -\alpha g$, so
#
# $$L(w - \alpha g) \approx L(w) - \alpha\, g \cdot g = L(w) - \alpha\,|g|^2 .$$
#
# $|g|^2$ is a sum of squares. It can't be negative, so if the step is small enough for "nearly" to hold,
# the loss falls, and you know by how much.

# %% [markdown] exercise="4.2.1"
# Write one update: the weights after a step of size `step` against `gradient`.


# %% exercise="4.2.1"
def one_step(w, gradient, step):
    """The new weights. w: (d,) weights; gradient: (d,) its gradient; step: one number. Returns (d,)."""
    ### BEGIN SOLUTION
    return w - step * gradient
    ### END SOLUTION


# %% check="4.2.1"
check("4.2.1", one_step)

# %% [markdown]
# Is the prediction $\alpha |g|^2$ right? Take logistic regression, whose loss and gradient you built in lesson 4.1, on
# the first ten measurements of each tumour. The cell makes one step from $w = 0$, in ever larger sizes, and
# divides the decrease by the predicted one.

# %%
split = breast_cancer().standardised()  # mean 0, spread 1, by the training part
X_ten = with_bias(split.X_train[:, :10].astype(float))  # (398, 11)
benign = split.y_train.astype(float)  # (398,): 1 benign, 0 malignant

start = np.zeros(11)
g = logistic_gradient(start, X_ten, benign)
loss_at_start = binary_cross_entropy(X_ten @ start, benign)
ratios = {}
print("   step   decrease (nats)   predicted   ratio")
for step in (0.001, 0.01, 0.1, 1.0, 10.0, 50.0):
    decrease = loss_at_start - binary_cross_entropy(X_ten @ (start - step * g), benign)
    ratios[step] = decrease / (step * g @ g)
    print(f"{step:7.3f} {decrease:14.5f} {step * g @ g:14.5f} {ratios[step]:9.4f}")
assert abs(ratios[0.001] - 1) < 0.001 and ratios[50.0] < 0

# %% [markdown]
# For the smallest step the prediction is right to a part in a thousand. For longer ones the loss falls less than
# predicted, and a step of 50 makes it *rise*. So there is a limit somewhere. Before you look for it: is there a better
# direction than the gradient's? The cell tries 1,000 random ones, all with the gradient's length.

# %%
rng = np.random.default_rng(0)
directions = rng.normal(size=(1000, 11))
directions *= np.linalg.norm(g) / np.linalg.norm(directions, axis=1)[:, None]
small = 0.01


def decrease_along(v):
    return loss_at_start - binary_cross_entropy(X_ten @ (start - small * v), benign)


decreases, along_g = np.array([decrease_along(v) for v in directions]), decrease_along(g)
print(f"uphill: {np.mean(decreases < 0):.0%} of the random directions")
print(f"the best of them lowers the loss {decreases.max() / along_g:.0%} as much as the gradient's direction")
assert decreases.max() < along_g

# %% [markdown]
# About half of the directions lead uphill, and none beats the gradient. Among moves $\delta$ of one length, $g \cdot
# \delta$ is most negative when $\delta$ points exactly against $g$: the gradient is the direction of *steepest*
# descent, for a small step.
#
# ## 2 The loop
#
# After a step the slopes have changed, so you compute the gradient afresh, and step again. That is all of
# gradient descent.

# %% [markdown] exercise="4.2.2"
# Write the loop. `gradient` is a function: `gradient(w)` gives the slopes at `w`. Return the whole path, an array
# with a row for each point, the start first. Leave `start` as it was.


# %% exercise="4.2.2"
def descend(gradient, start, step, steps):
    """The path of gradient descent.

    gradient: a function, (d,) to (d,); start: (d,). Returns (steps + 1, d).
    """
    ### BEGIN SOLUTION
    w = start
    path = [w]
    for _ in range(steps):
        w = w - step * gradient(w)
        path.append(w)
    return np.array(path)
    ### END SOLUTION


# %% check="4.2.2"
check("4.2.2", descend)

# %% [markdown]
# From here on the lesson uses `course.descent.gradient_descent`, which you have just built. (The package's can
# also keep only some of the points, `keep=[...]`, which saves memory in long runs.)
#
# ## 3 How far? One weight
#
# Where a step is too long the plane is no longer a good picture: the loss bends upwards. The simplest loss that
# bends is a parabola, $L = \tfrac12 \lambda w^2$. Its second derivative $\lambda$ is called the **curvature**, its
# gradient is $\lambda w$, and its minimum is at 0, so $w$ itself is the error. One step gives
#
# $$w \leftarrow w - \alpha \lambda w = (1 - \alpha\lambda)\, w .$$
#
# Every step multiplies the error by the same number $1 - \alpha\lambda$. All of stability is in that number. Turn
# the step size from small to large, and watch the factor in the right-hand title: where does the point start to change
# sides, where is it home in one step, and where does it climb out? Then double the curvature.

# %% alt="Left: a parabola with the path of gradient descent from w = 1, step 0.3, sliding down one side. Right: the size of the error on a log axis falls on a straight line, multiplied by 0.70 a step, exactly as theory says."
explore(
    figures.draw_bowl,
    step=slider(0.3, 0.05, 2.5, 0.05, "step size"),
    curvature=slider(1.0, 0.5, 2.0, 0.1, "curvature"),
)

# %% [markdown]
# | step | factor $1-\alpha\lambda$ | what the error does |
# |---|---|---|
# | below $1/\lambda$ | between 0 and 1 | shrinks from one side |
# | $1/\lambda$ | 0 | gone after one step |
# | between $1/\lambda$ and $2/\lambda$ | between −1 and 0 | changes sides and shrinks |
# | $2/\lambda$ | −1 | jumps from wall to wall for ever |
# | above $2/\lambda$ | below −1 | grows without bound |
#
# So the largest stable step is $2/\lambda$, and the loss, which goes with the square of the error, is multiplied by
# $(1-\alpha\lambda)^2$ in each step: an exponential in time.
#
# ## 4 How far? Many weights
#
# With many weights the second derivatives form a matrix, the **Hessian** $H$, with the entry
# $\partial^2 L/\partial w_j \partial w_k$ in row $j$, column $k$; its shape is $(d, d)$. Near a minimum $w^*$ the loss
# is a bowl, $L \approx L^* + \tfrac12\, e^\top H e$ with the error $e = w - w^*$, and the gradient is $He$: the
# parabola again, with a matrix in place of $\lambda$. A step gives
#
# $$e \leftarrow e - \alpha H e .$$
#
# $H$ is symmetric, so it has $d$ perpendicular directions $v_k$ that it only stretches: $H v_k = \lambda_k v_k$. These
# *eigenvectors* are the axes of the bowl, and the *eigenvalues* $\lambda_k$ are the curvatures along them. Split the
# error into its parts along these axes, $e = \sum_k c_k v_k$, and each part does what the single weight did: $c_k
# \leftarrow (1 - \alpha\lambda_k)\, c_k$, undisturbed by the others. The steepest direction is the first to diverge:
#
# $$\text{stable if and only if}\quad \alpha < \frac{2}{\lambda_{\max}} .$$
#
# Turn the step past 1, its limit. Then set it to 0.95 and raise the condition number, the ratio of the two curvatures.
# What becomes of the dotted part of the loss?

# %% alt="Left: elliptical contours of a tilted bowl with the zigzag path of gradient descent at 0.9 of the limit. Right: the loss on a log axis is the sum of two straight lines, a steep direction whose error is multiplied by -0.80 a step and a shallow one by +0.82."
explore(
    figures.draw_valley,
    share=slider(0.9, 0.05, 1.1, 0.01, "step / limit"),
    kappa=log_slider(10.0, 1.0, 100.0, "condition number"),
    degrees=slider(30.0, 0.0, 90.0, 5.0, "tilt (degrees)"),
)

# %% [markdown]
# For least squares the bowl is exact. The loss $\frac{1}{2n}|Xw - y|^2$ has the gradient $X^\top(Xw - y)/n$;
# differentiate once more, and $w$ and $y$ are gone:
#
# $$H = \frac1n X^\top X .$$
#
# The curvatures depend on the features alone, so you know the largest stable step before you have seen a single label.

# %% [markdown] exercise="4.2.3"
# Write the largest stable step for this loss, from the data matrix `X`. `np.linalg.eigvalsh(A)` gives the eigenvalues
# of a symmetric matrix `A`, in increasing order.


# %% exercise="4.2.3"
def largest_step(X):
    """The limit of the step for the loss |X w - y|^2 / (2 n). X: (n, d). Returns one number."""
    ### BEGIN SOLUTION
    curvatures = np.linalg.eigvalsh(X.T @ X / len(X))
    return 2 / curvatures[-1]
    ### END SOLUTION


# %% check="4.2.3"
check("4.2.3", largest_step)

# %% [markdown]
# From here on: `least_squares_hessian` and `largest_stable_step` from `course.descent`. Now the tumours of the
# prediction, with all 30 measurements.

# %%
from course.descent import condition_number, gradient_descent, largest_stable_step, least_squares_hessian

X = with_bias(split.X_train.astype(float))  # (398, 31)
y = 2.0 * split.y_train - 1  # (398,): +1 benign, -1 malignant
H = least_squares_hessian(X)
limit = largest_stable_step(H)
steepest = np.linalg.eigvalsh(H)[-1]
print(f"curvatures {np.linalg.eigvalsh(H)[0]:.2g} to {steepest:.4g}; largest stable step {limit:.5f}")


def squared_loss(w):
    return np.mean((X @ w - y) ** 2) / 2


def squared_gradient(w):
    return X.T @ (X @ w - y) / len(y)


for step in (0.149, 0.150, 0.151, 0.153):
    path = gradient_descent(squared_gradient, np.zeros(31), step, 1000)
    print(f"step {step:.3f} = {step / limit:.3f} of the limit: loss {squared_loss(path[-1]):9.3g}")
print(f"the steepest direction at step 0.153: times {1 - 0.153 * steepest:.3f} a step")
assert 0.149 < limit < 0.153

# %%
reveal(prediction_loss, squared_loss(path[-1]))

# %% [markdown]
# Two per cent beyond the limit the steepest direction is multiplied by −1.04 a step, and a thousand steps make
# $1.04^{1000}$ of it. Divergence is as exponential as convergence.
#
# ### Is the limit exact?
#
# Find it by trial: the limit lies somewhere between half of and twice the predicted one. Try a step size in the middle,
# look whether the loss is still falling at the end of 2,000 steps, keep the half in which that changes, and so on,
# until the limit is known to 1 part in 100,000. To see whether it depends on the data, do this on 20 data sets, each
# made of 398 rows drawn from the real ones with replacement (a *bootstrap*).

# %%
from course.descent import least_squares_threshold


def rows_drawn(rng, *arrays):
    """The same random rows, drawn with replacement, of each array."""
    rows = rng.integers(0, len(arrays[0]), size=len(arrays[0]))
    return [array[rows] for array in arrays]


rng = np.random.default_rng(1)
squares_ratio = []
for _ in range(20):
    A, target = rows_drawn(rng, X, y)
    squares_ratio.append(least_squares_threshold(A, target) / largest_stable_step(least_squares_hessian(A)))
print(f"measured / theory: {min(squares_ratio):.5f} to {max(squares_ratio):.5f} (the search resolves 0.00001)")

# %% [markdown]
# ### A loss that isn't a bowl
#
# Most losses are bowls only near their minimum. Cross-entropy is one of them: differentiate lesson 4.1's gradient
# $X^\top (p - y)/n$ once more, with $\partial p/\partial z = p(1-p)$, and
#
# $$H(w) = \frac1n X^\top \mathrm{diag}\bigl(p(1-p)\bigr) X ,$$
#
# where $\mathrm{diag}$ makes a matrix with these $n$ numbers on its diagonal and 0 elsewhere.
# Now the curvatures depend on $w$. Since $p(1-p)$ is at most $\tfrac14$, they never exceed a quarter of the largest
# curvature of least squares: below $8/\lambda_{\max}(X^\top X/n)$ you are safe everywhere. But at the minimum most
# predictions are near 0 or 1, where $p(1-p)$ is small and the loss much flatter. Which of the two limits counts? The
# cell finds the minimum, with an optimiser of the library SciPy, and compares.

# %%
from course.descent import logistic_hessian, logistic_minimum

best = logistic_minimum(X_ten, benign)
smallest_loss = binary_cross_entropy(X_ten @ best, benign)
safe = 8 / np.linalg.eigvalsh(least_squares_hessian(X_ten))[-1]
local = largest_stable_step(logistic_hessian(best, X_ten))
print(f"safe everywhere {safe:.3f}, stable at the minimum {local:.2f}: {local / safe:.1f} times as far")


def logistic(w):
    return logistic_gradient(w, X_ten, benign)


print("excess loss after 4,998, 4,999 and 5,000 steps, in nats")
for step in (0.95 * safe, 0.95 * local, 1.05 * local):
    path = gradient_descent(logistic, np.zeros(11), step, 5000, keep=[4998, 4999, 5000])
    excess = np.array([binary_cross_entropy(X_ten @ w, benign) - smallest_loss for w in path])
    print(f"step {step:6.2f}: {excess[0]:.3e} {excess[1]:.3e} {excess[2]:.3e}")
    if step < local:
        assert excess[2] < excess[1] < excess[0] < 0.002
    else:
        assert excess.min() > 0.002

# %% [markdown]
# The limit that counts for settling is the one at the minimum, here more than ten times the safe one. Just below it the
# descent arrives, sooner than with the safe step. (It promises arrival only from nearby: on other data a step between
# the two limits can end in a cycle.) Just above it nothing explodes, since far out cross-entropy is no steeper than a
# straight line: the weights jump back and forth about the minimum and never settle. A *step too long for logistic
# regression* shows as a loss that hovers, not as a `nan`.
#
# Find this threshold by trial too: start a hair off the minimum, along the steepest direction, and look whether the
# distance shrinks within 25 steps. Then draw both kinds of failure.

# %%
from course.descent import logistic_threshold

rng = np.random.default_rng(2)
logistic_ratio = []
for _ in range(20):
    A, labels = rows_drawn(rng, X_ten, benign)
    theory = largest_stable_step(logistic_hessian(logistic_minimum(A, labels), A))
    logistic_ratio.append(logistic_threshold(A, labels) / theory)
print(f"measured / theory: {min(logistic_ratio):.5f} to {max(logistic_ratio):.5f} (the search resolves 0.00001)")

# %% alt="Two panels: excess loss left after 1,000 steps (least squares) or 6,000 (logistic), relative to the start, against the step in units of 2 over the largest curvature. Left, least squares: falls slowly to below 0.01 up to 1, then rises by more than twenty decades within 2 %. Right, logistic regression: falls to about 0.00001 up to 1, then jumps up a hundredfold and keeps rising to 0.1."
shares = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01, 1.02, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5])
floor = squared_loss(np.linalg.lstsq(X, y, rcond=None)[0])
left = {"squares": [], "logistic": []}
for share in shares:
    with np.errstate(over="ignore", invalid="ignore"):
        w = gradient_descent(squared_gradient, np.zeros(31), share * limit, 1000, keep=[1000])[0]
        left["squares"].append((squared_loss(w) - floor) / (0.5 - floor))
    path = gradient_descent(logistic, np.zeros(11), share * local, 6000, keep=range(5950, 6001))
    late = np.mean([binary_cross_entropy(X_ten @ w, benign) for w in path])
    left["logistic"].append((late - smallest_loss) / (np.log(2) - smallest_loss))
squares_run = {"left": left["squares"], "limit": limit}
logistic_run = {"left": left["logistic"], "limit": local}
figures.draw_thresholds(shares, squares_run, logistic_run)

# %% claim="4.3"
thresholds = np.array(squares_ratio + logistic_ratio)
print(f"threshold / limit: mean {thresholds.mean():.5f}; furthest of the 40 from 1: {np.abs(thresholds - 1).max():.6f}")
assert np.abs(thresholds - 1).max() < 2e-5  # the search resolves 1e-5
verdict("4.3", thresholds.mean())

# %% [markdown]
# Right in the claim: against the gradient is downhill, and for a step below the limit the loss falls in the long run:
# for bowls from any start, for other losses from near the minimum. Left out: the limit itself. The same formula with a
# step 3 % longer trains nothing. The rest of the lesson is about what the claim doesn't mention at all: how long it
# takes.
#
# ## 5 How fast? The spectrum
#
# Each direction's part of the error is multiplied by $1-\alpha\lambda_k$ a step, and holds
# $\tfrac12\lambda_k c_k^2$ of the loss. So the loss above the minimum, the *excess loss*, is, exactly,
#
# $$L(t) - L^* = \frac12 \sum_k \lambda_k c_k^2\, (1-\alpha\lambda_k)^{2t} .$$
#
# The list of curvatures is called the **spectrum**. Does this sum describe the tumours?

# %% alt="Excess loss of gradient descent on the tumour data against steps, log-log. Thirty-one grey curves, one for each direction, each flat and then falling off a cliff, the steepest first. Their sum, dashed, runs through all the measured points, from 0.08 after one step to 0.00003 after 100,000."
from course.descent import mode_losses

best_weights = np.linalg.lstsq(X, y, rcond=None)[0]
curvatures, axes = np.linalg.eigh(H)
errors = axes.T @ (np.zeros(31) - best_weights)  # c_k, the start's error along each axis
times = np.unique(np.round(np.logspace(0, 5, 60)).astype(int))
step = 1 / curvatures[-1]
path = gradient_descent(lambda w: H @ (w - best_weights), np.zeros(31), step, 100_000, keep=times)
measured = np.array([squared_loss(w) for w in path]) - floor
parts = mode_losses(curvatures, errors, step, times)
assert np.allclose(measured, parts.sum(axis=1), rtol=1e-6) and measured[-1] < (0.5 - floor) / 1000
figures.draw_modes(times, measured, parts)

# %% [markdown]
# To six digits at least. Steep directions are learned in a few steps; shallow ones wait for thousands. The sum of many
# exponentials looks nothing like an exponential: every time one direction is done, the next slower one sets the pace.
#
# How long does the slowest take? That is governed by the **condition number**
# $\kappa = \lambda_{\max}/\lambda_{\min}$. With the step $1/\lambda_{\max}$ the slowest direction keeps
# $1 - \lambda_{\min}/\lambda_{\max} = 1 - 1/\kappa$ of its error in each step.

# %% [markdown] exercise="4.2.4"
# How many steps of size $1/\lambda_{\max}$ does it take until the *loss* of every direction is at least `factor` times
# smaller? Return the smallest whole number.


# %% exercise="4.2.4"
import math


def steps_needed(kappa, factor):
    """Fewest steps. kappa: condition number; factor: how many times smaller the loss is to be; both above 1."""
    ### BEGIN SOLUTION
    return math.ceil(math.log(factor) / (-2 * math.log(1 - 1 / kappa)))
    ### END SOLUTION


# %% check="4.2.4"
check("4.2.4", steps_needed)

# %% [markdown]
# From here on `course.descent.steps_to_shrink`.

# %%
from course.descent import steps_to_shrink

for name, hessian in (("least squares", H), ("logistic", logistic_hessian(best, X_ten))):
    kappa = condition_number(hessian)
    print(f"{name:14} kappa = {kappa:9,.0f}: {steps_to_shrink(kappa, 1000):9,} steps to a loss 1,000 times smaller")
print(f"for kappa 100 and 1,000: {steps_to_shrink(100, 1000)} and {steps_to_shrink(1000, 1000)} steps")
assert 9.5 < steps_to_shrink(1000, 1000) / steps_to_shrink(100, 1000) < 10.5

# %% [markdown]
# The number of steps grows in proportion to $\kappa$. (It is a worst case: a direction in which the start has hardly
# any error may stay slow without harm. That is why 100,000 steps did so well above.)
#
# ## 6 A law that you can derive
#
# What if the spectrum has no slowest direction, but ever smaller curvatures, one after another? Take the simplest list
# of that kind, a power law: direction (or *mode*) $k = 1, 2, 3, \dots$ has the curvature $\lambda_k = k^{-b}$, and
# holds $\tfrac12\lambda_k c_k^2 = \tfrac12 k^{-a}$ of the loss at the start. The excess loss after $t$ steps is then
#
# $$L(t) = \frac12\sum_k k^{-a}\,(1 - \alpha k^{-b})^{2t} \approx \frac12\sum_k k^{-a}\, e^{-2\alpha t\, k^{-b}} .$$
#
# The last factor is a switch. It is nearly 0 where $2\alpha t\,k^{-b}$ is well above 1 (the mode is *learned*) and
# nearly 1 where it is well below (the mode is *untouched*). The border between the two moves outward as time passes.

# %% [markdown] exercise="4.2.5"
# At late times the loss falls as a power law, $L(t) \propto t^{-s}$. Find $s$ from $a > 1$ and $b > 0$. Two questions
# lead there: up to which mode $K$ has the descent come at time $t$? And how much loss is left in the modes beyond $K$?
# Leave out all constant factors.


# %% exercise="4.2.5"
def exponent_in_time(a, b):
    """The s of L(t) ~ t^-s, for curvatures k^-b and modes that hold k^-a / 2 of the loss. Returns s > 0."""
    ### BEGIN SOLUTION
    # learned up to K: K^-b t = 1, so K = t^(1/b); left: sum of k^-a beyond K ~ K^-(a - 1)
    return (a - 1) / b
    ### END SOLUTION


# %% check="4.2.5"
check("4.2.5", exponent_in_time)

# %% [markdown]
# From here on `course.descent.time_exponent`. The constant can be had as well. Replace the sum by an integral over $k$
# and substitute $u = 2\alpha t\,k^{-b}$:
#
# $$L(t) \approx \frac12\int_0^\infty k^{-a} e^{-2\alpha t k^{-b}}\,\mathrm dk
# = \frac{\Gamma(s)}{2b}\,(2\alpha t)^{-s}, \qquad s = \frac{a-1}{b},$$
#
# where $\Gamma(s) = \int_0^\infty u^{s-1} e^{-u}\,\mathrm du$. There is no free number left in it. Each mode is an
# exponential; the power law comes from *adding* exponentials whose rates are spread as a power law.
#
# Before you look: with $a = b = 2$, by what factor does the loss fall when you make ten times as many steps?

# %% prediction="decade"
### BEGIN SOLUTION
prediction_decade = 10**0.5
### END SOLUTION

# %% [markdown]
# In a computer the number of modes is finite. Turn it: up to which time does the power law hold with 10, 100, 1,000
# modes? What follows then? And set $b$ to 1: the exponent gets better, but what happens to the range?

# %% alt="Loss against steps, log-log, for a = b = 2 and 300 modes: the sum over modes follows the dashed power law t^-0.50 from about 3 steps to a few thousand, then bends below it; the 300 modes are used up at step 90,000."
explore(
    figures.draw_spectrum_law,
    a=slider(2.0, 1.2, 3.5, 0.1, "a (loss in mode k: k^-a / 2)"),
    b=slider(2.0, 0.5, 3.0, 0.1, "b (curvature: k^-b)"),
    modes=log_slider(300.0, 10.0, 3000.0, "modes"),
)

# %% [markdown]
# That figure draws the formula. Now run gradient descent itself, on bowls with 30, 300 and 3,000 modes, for 100,000
# steps. (A bowl is the same bowl however it is turned: rotate all axes and the path rotates with them. So we put the
# axes along the coordinates, where each entry of the gradient is a curvature times an error.)

# %%
from course.descent import asymptotic_loss, fit_exponent, power_law_modes, time_exponent

times = np.unique(np.round(np.logspace(0, 5, 61)).astype(int))
curves = {}
for modes in (30, 300, 3000):
    curvatures, errors = power_law_modes(modes, a=2, b=2)
    path = gradient_descent(lambda w, c=curvatures: c * w, errors, 1.0, 100_000, keep=times)
    curves[modes] = 0.5 * np.sum(curvatures * path**2, axis=1)

at = {t: int(np.flatnonzero(times == t)[0]) for t in (100, 1000, 10_000)}
law = asymptotic_loss(2, 2, 1.0, times)
for t, i in at.items():
    ratios = ", ".join(f"{modes:,}: {curve[i] / law[i]:.3f}" for modes, curve in curves.items())
    print(f"t = {t:6,}, descent / law for each number of modes   {ratios}")
last = at[10_000]
rate = np.log(curves[30][last - 1] / curves[30][last]) / (times[last] - times[last - 1])
slowest = -2 * np.log(1 - 30**-2)
print(f"30 modes, near t = 10,000: falls at the rate {rate:.5f} a step; slowest mode alone {slowest:.5f}")
assert all(abs(curves[3000][i] / law[i] - 1) < 0.06 for i in at.values())
assert 0.1 < 1 - curves[300][at[1000]] / law[at[1000]] < 0.25

# %%
reveal(prediction_decade, curves[3000][at[100]] / curves[3000][at[1000]], "times")

# %% [markdown]
# The cut-off comes at $t \approx K^b$ steps for $K$ modes: then the slowest mode is learned as well, and what follows
# is a plain exponential. It makes itself felt much sooner: with 300 modes and a cut-off at 90,000 steps, the loss is
# well below the law after 1,000. A power law of this kind holds between two ends, and you have seen where the second
# comes from.
#
# One spectrum proves little. Take six, and give each a random target: the errors $c_k$ are drawn from a normal
# distribution with mean 0, their mean square being the $c_k^2$ above. `fit_exponent` fits a straight line to the
# logarithms, here over the three decades from 10 to 10,000 steps. Twenty draws a spectrum show how much the exponent of
# a single problem scatters. With their standard deviation $\sigma$, the 95 % interval of their mean is the mean
# $\pm\, 2.09\,\sigma/\sqrt{20}$: in 95 of 100 such experiments it holds the true one.

# %%
from scipy import stats

from course.descent import expected_loss

rng = np.random.default_rng(4)
window = np.unique(np.round(np.logspace(1, 4, 31)).astype(int))
rows = []
print("   a     b    theory   theory, 3,000 modes   measured   95 % interval")
for a, b in ((1.5, 2), (2, 2), (2.5, 2), (3, 2), (2, 1.5), (1.5, 1.5)):
    curvatures, errors = power_law_modes(3000, a, b, rng, draws=20)  # (3000,), (20, 3000)
    path = gradient_descent(lambda w, c=curvatures: c * w, errors, 1.0, 10_000, keep=window)
    losses = 0.5 * np.sum(curvatures * path**2, axis=-1)  # (31, 20): times, draws
    found = np.array([fit_exponent(window, curve).exponent for curve in losses.T])
    half = stats.t.ppf(0.975, 19) * found.std(ddof=1) / np.sqrt(20)  # the first factor is the 2.09
    finite_fit = fit_exponent(window, expected_loss(*power_law_modes(3000, a, b), 1.0, window))
    finite = finite_fit.exponent
    rows.append((time_exponent(a, b), finite, found.mean(), found.mean() - half, found.mean() + half))
    print(
        f"{a:4} {b:5} {time_exponent(a, b):9.3f} {finite:15.3f} {found.mean():17.3f}"
        f"      [{found.mean() - half:.3f}, {found.mean() + half:.3f}]"
    )
print(f"R^2 of the last row's theory with 3,000 modes: {finite_fit.r_squared:.4f}")
assert all(low < finite < high for _, finite, _, low, high in rows)
assert sum(low > endless for endless, _, _, low, _ in rows) == 3 and finite_fit.r_squared > 0.99

# %% alt="Left: gradient descent with 30, 300 and 3,000 modes, log-log; all three begin on the dashed law t^-0.5 and bend below it in turn, the fewer modes the sooner; 30 modes are used up near 1,000 steps. Right: measured exponents of six spectra with intervals against (a - 1) / b, near the diagonal; three lie above it, where the crosses of finite theory lie too."
figures.draw_exponents(times, curves, law, rows)

# %% [markdown]
# Compare the columns. In three rows the measured exponent is *above* the law's, in the last by a quarter, and the
# interval leaves the law out. It isn't noise. 3,000 modes are too few there: the loss of the missing ones, which would
# have kept the curve up, is absent, the more so the smaller $a$ (a long tail) or $b$ (an early cut-off). Theory with
# 3,000 modes is inside all six intervals. The fits don't warn you: the last row's $R^2$, which is 1 for points exactly
# on a line, is still above 0.99. Over a finite range, compare with finite theory.
#
# What has this to do with scaling laws? It is a power law in *training time*, derived from a spectrum, in a model with
# a fixed number of weights. Section 4.3 of the article asks for more; the next lesson takes that up.
#
# **You can stop here.** The claim is judged and the law derived. Sections 7 to 9 are three optional sections, on other
# ways to step and on noise, and section 10 is an open exercise. Only the last of the takeaways needs them.
#
# ## 7 Momentum
#
# In a long narrow valley the gradient points across, and the way to go is along. A heavy ball does better than
# a walker: it keeps part of its last move. Across the valley the moves alternate and cancel; along it they add up. The
# **heavy ball** (Polyak, 1964) moves by
#
# $$w_{t+1} = w_t - \alpha\, \nabla L(w_t) + m\,(w_t - w_{t-1}),$$
#
# with a *momentum* $m$ between 0 and 1.

# %% [markdown] exercise="4.2.6"
# Write one step of the heavy ball. `previous` is the point one step ago.


# %% exercise="4.2.6"
def momentum_step(w, previous, gradient, step, momentum):
    """The next point, (d,). w, previous: (d,); gradient: a function, (d,) to (d,); the others: numbers."""
    ### BEGIN SOLUTION
    return w + momentum * (w - previous) - step * gradient(w)
    ### END SOLUTION


# %% check="4.2.6"
check("4.2.6", momentum_step)

# %% [markdown]
# From here on `course.descent.heavy_ball`. With the best step and the best momentum each step keeps
# $\frac{\sqrt\kappa-1}{\sqrt\kappa+1}$ of the error in the long run, where the best constant step without momentum
# keeps $\frac{\kappa-1}{\kappa+1}$: the *square root* of the condition number. And on the power-law spectrum? Two kinds
# of momentum: a constant 0.9, and one that grows with time, $m_t = t/(t+3)$.

# %%
from course.descent import heavy_ball

rng = np.random.default_rng(5)
steps = 3000
late = np.unique(np.round(np.geomspace(30, steps, 31)).astype(int))
curvatures, errors = power_law_modes(20_000, 2, 2, rng, draws=8)
growing = np.arange(steps) / (np.arange(steps) + 3)
ranges = {"30 to 3,000": late >= 30, "300 to 3,000": late >= 300}
exponents, ends = {}, {}
print("momentum        exponent, steps 30 to 3,000     300 to 3,000     loss at the end")
for name, momentum in (("none", 0.0), ("constant 0.9", 0.9), ("t / (t + 3)", growing)):
    path = heavy_ball(lambda w: curvatures * w, errors, 1.0, momentum, steps, keep=late)
    losses = 0.5 * np.sum(curvatures * path**2, axis=-1)  # (times, draws)
    ends[name] = losses[-1].mean()
    shown = []
    for over, chosen in ranges.items():
        each = np.array([fit_exponent(late[chosen], curve[chosen]).exponent for curve in losses.T])
        exponents[name, over] = each.mean()
        shown.append(f"{each.mean():.3f} ± {stats.t.ppf(0.975, 7) * each.std(ddof=1) / np.sqrt(8):.3f}")
    print(f"{name:13} {shown[0]:>29} {shown[1]:>16} {ends[name]:19.2e}")
gain = ends["none"] / ends["constant 0.9"]
print(f"gain of constant momentum at the end: {gain:.2f} times; root of 10: {10**0.5:.2f}")
assert abs(exponents["constant 0.9", "300 to 3,000"] - exponents["none", "300 to 3,000"]) < 0.05
assert abs(exponents["t / (t + 3)", "30 to 3,000"] / exponents["none", "30 to 3,000"] - 2) < 0.15

# %% [markdown]
# Constant momentum: after a while the exponent is the old one, and the gain is a constant factor, as if the step were
# $1/(1-m) = 10$ times longer: the loss falls as $t^{-1/2}$, so ten times longer makes it $\sqrt{10}$ times smaller.
# Growing momentum: over these two decades the exponent is 0.99 in place of 0.49, twice as large within its interval
# (the last decade alone gives 1.02). We have measured this for one spectrum; we haven't derived it. The optimiser,
# then, is part of an exponent in time.
#
# ## 8 Adam, and TensorFlow's optimisers
#
# **Adam** (Kingma and Ba, 2015) gives each weight its own step: it divides the gradient, entry by entry, by the root of
# a running mean of its square. A steep weight gets a short step, a shallow one a long step. In full, with running means
# $\bar g$ of the gradient and $\bar s$ of its square, entry by entry and both from 0:
#
# $$\bar g \leftarrow \beta_1 \bar g + (1-\beta_1)\, g, \qquad \bar s \leftarrow \beta_2 \bar s + (1-\beta_2)\, g^2, \qquad
# w \leftarrow w - \alpha\, \frac{\bar g/(1-\beta_1^t)}{\sqrt{\bar s/(1-\beta_2^t)} + \varepsilon},$$
#
# by default with $\beta_1 = 0.9$, $\beta_2 = 0.999$ and a tiny $\varepsilon$. The promise is that the condition number
# no longer matters. Test it on bowls of ten weights with curvatures from 1 to $\kappa$: once with their axes along the
# weights, once turned by a random rotation. (Gradient descent and the heavy ball can't tell the two apart.) Each count
# is the median of five random starts; plain descent stops at $\kappa = 1{,}000$, beyond which it takes too long.

# %% alt="Steps to a 10,000 times smaller loss against the condition number, log-log. Gradient descent rises with slope 1, momentum with slope one half. Adam stays near 75 steps when the bowl's axes lie along the weights, and rises from 80 to about 750 when the bowl is turned."
from course.descent import Bowl, adam, best_heavy_ball, best_step, first_below, steps_by_method

kappas = np.array([10, 30, 100, 300, 1000, 3000, 10_000])
rows = [steps_by_method(kappa) for kappa in kappas]
counts = {name: [row[name] for row in rows] for name in rows[0]}
figures.draw_conditioning(kappas, counts)

# %%
slopes = {}
for name, values in counts.items():
    values = np.array(values)
    fitted = np.isfinite(values)
    line = stats.linregress(np.log(kappas[fitted]), np.log(values[fitted]))
    half = stats.t.ppf(0.975, fitted.sum() - 2) * line.stderr
    slopes[name] = line.slope
    print(f"{name:17} steps grow as kappa^({line.slope:.2f} ± {half:.2f})")
assert abs(slopes["gradient descent"] - 1) < 0.1 and abs(slopes["momentum"] - 0.5) < 0.1
assert abs(slopes["Adam, axes"]) < 0.05 and slopes["Adam, turned"] > 0.15

distant = []
for kappa in kappas:
    bowl = Bowl(np.diag(np.geomspace(1, kappa, 10)))
    path = heavy_ball(bowl.gradient, np.ones(10), *best_heavy_ball(bowl.hessian), 2500)
    distant.append(first_below(bowl.loss(path), 1e-16))
distant_slope = stats.linregress(np.log(kappas), np.log(distant)).slope
print(f"momentum, to a 10^16 times smaller loss: kappa^({distant_slope:.2f})")
assert 0.5 < distant_slope < 0.55

# %% [markdown]
# Plain descent needs steps in proportion to $\kappa$. Momentum comes close to the root: a little above it, since the
# ball first has to speed up, and closer the further it has to go. Adam keeps its promise where the valleys run along
# the weights: dividing each gradient entry by its own size undoes any rescaling of a weight. On the turned bowls every
# weight feels the steep direction, there is nothing to tell them apart by, and much of the advantage is gone. (Adam's
# step is 0.1 throughout, not tuned for each bowl.)
#
# Are these the optimisers that everyone uses? Let TensorFlow's take 100 steps on the same gradients. Keras
# stores its settings in single precision, so take settings that are exact in it, such as 0.875. Adam's $\varepsilon$
# only guards against a division by zero, and Keras puts it in a slightly different place, so make it tiny.


# %%
def keras_path(optimizer, gradient, start, steps):
    """The path of a Keras optimiser that is handed our gradients."""
    weights = tf.Variable(start, dtype=tf.float64)
    path = [weights.numpy()]
    for _ in range(steps):
        optimizer.apply_gradients([(tf.constant(gradient(weights.numpy())), weights)])
        path.append(weights.numpy())
    return np.array(path)


optimizers = tf.keras.optimizers
beta2 = 1 - 2.0**-10  # 0.99902...
pairs = {
    "gradient descent": (optimizers.SGD(0.5), gradient_descent(logistic, start, 0.5, 100)),
    "heavy ball": (optimizers.SGD(0.5, momentum=0.875), heavy_ball(logistic, start, 0.5, 0.875, 100)),
    "Adam": (
        optimizers.Adam(0.125, beta_1=0.875, beta_2=beta2, epsilon=2.0**-50),
        adam(logistic, start, 0.125, 100, beta1=0.875, beta2=beta2, epsilon=2.0**-50),
    ),
}
for name, (optimizer, ours) in pairs.items():
    difference = np.abs(keras_path(optimizer, logistic, start, 100) - ours).max()
    print(f"{name:17} largest difference {difference:.1e}, weights up to {np.abs(ours).max():.1f}")
    assert difference < 1e-6

# %% [markdown]
# ## 9 Noise: a floor that depends on the step
#
# In practice the gradient is computed on a random *mini-batch* of $B$ samples: right on average, with noise. Near the
# minimum the true gradient vanishes and the noise doesn't, so a constant step never comes to rest. How high does it
# hover? In a direction of curvature $\lambda$ with gradient noise of variance $v$, the mean square $q$ of the error
# settles where one step leaves it as it is: $q = (1-\alpha\lambda)^2 q + \alpha^2 v$, so $q \approx \alpha v/2\lambda$
# for a small step. Its loss is $\tfrac12\lambda q = \alpha v/4$: the curvature cancels. Summed over the directions, the
# excess loss hovers at $\tfrac\alpha4$ times the total variance of the gradient noise.

# %% alt="Excess loss at which mini-batch descent hovers against the step size, log-log, over one and a half decades. The points with their intervals lie on the dashed line step / 4 times noise, except at the two largest steps, where they are 15 and 30 % above it."
from course.descent import noise_floor

rng = np.random.default_rng(7)
features = rng.normal(size=(2000, 10))
target = features @ rng.normal(size=10) + rng.normal(size=2000)
bottom = np.linalg.lstsq(features, target, rcond=None)[0]
bend = least_squares_hessian(features)
batch = 20
residual = features @ bottom - target
variance = np.mean(residual**2 * np.sum(features**2, axis=1)) / batch  # of the gradient's noise


def noisy_gradient(w):
    rows = rng.integers(0, len(target), size=batch)
    return features[rows].T @ (features[rows] @ w - target[rows]) / batch


noise_steps = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32])
floors = []
for step in noise_steps:
    path = gradient_descent(noisy_gradient, bottom, step, int(300 / step))[int(5 / step) :]
    excess = Bowl(bend).loss(path - bottom)
    # Neighbouring points of a path are alike, so the interval comes from 20 blocks, which hardly are.
    blocks = np.array([block.mean() for block in np.array_split(excess, 20)])
    half = stats.t.ppf(0.975, 19) * blocks.std(ddof=1) / np.sqrt(20)
    floors.append((excess.mean(), excess.mean() - half, excess.mean() + half))
floors = np.array(floors)
predicted = np.array([noise_floor(step, variance) for step in noise_steps])
print("floor / theory:", np.round(floors[:, 0] / predicted, 3))
assert np.all(np.abs(floors[:4, 0] / predicted[:4] - 1) < 0.15) and floors[-1, 0] > 1.2 * predicted[-1]
figures.draw_noise(noise_steps, *floors.T, predicted)

# %% [markdown]
# Halve the step and the floor halves, and the way down takes twice as long. (At the two largest steps the floor is 15
# and 30 % higher than predicted: there the step is no longer small, and the noise itself grows with the error.) That is
# why training ends with ever smaller steps, and why a loss measured with a constant step is a loss plus a floor: enough
# to bend a scaling law.
#
# ## 10 Open: beat the best constant step
#
# On a bowl with curvatures between $\mu$ and $\lambda_{\max}$ the best *constant* step is $2/(\mu + \lambda_{\max})$.
# You know the number of steps in advance, and nobody says that they must be equal, or that each must be below the
# limit.

# %% [markdown] exercise="4.2.7"
# Choose `count` step sizes so that the loss of the worst curvature in the whole range from `smallest` to `largest`
# shrinks at least three times as much as with the best constant step. `worst_case(steps, smallest, largest)`, imported
# below, gives the factor by which your steps multiply it; try your ideas with it in a cell of your own. Many answers
# are right: a formula, a search, or an experiment.

# %% exercise="4.2.7"
from course.descent import worst_case


def schedule(count, smallest, largest):
    """The step sizes, in the order in which they are taken. Returns an array of shape (count,)."""
    ### BEGIN SOLUTION
    roots = np.cos(np.pi * (np.arange(count) + 0.5) / count)  # Chebyshev's, between -1 and 1
    removed = (largest + smallest) / 2 + (largest - smallest) / 2 * roots  # curvatures to remove
    return 1 / removed
    ### END SOLUTION


# %% check="4.2.7"
check("4.2.7", schedule)

# %%
from course.descent import chebyshev_steps

for count in (4, 8, 16):
    constant = worst_case(np.full(count, best_step([1.0, 30.0])), 1, 30)
    varied = worst_case(chebyshev_steps(count, 1, 30), 1, 30)
    longest = chebyshev_steps(count, 1, 30).max() / (2 / 30)
    print(
        f"{count:3} steps, curvatures 1 to 30: constant {constant:.2g}, Chebyshev {varied:.2g}, "
        f"longest step {longest:.1f} times the limit"
    )
assert varied < constant / 1000 and round(longest) == 14

# %% [markdown]
# The answer given here takes steps up to 14 times the stable limit, and no constant step comes near it. The steps
# together form a polynomial in the curvature, and the polynomial that stays smallest over an interval is Chebyshev's
# (used in this way by Young, 1953). Its rate, too, goes with $\sqrt\kappa$; the heavy ball is what it tends to when you
# don't fix the number of steps in advance. The limit $2/\lambda_{\max}$ is a limit for a step that is *repeated*.
#
# ## Takeaways
#
# - A step against the gradient lowers the loss by $\alpha|g|^2$ if it is short. Repeated, it must stay below
#   $2/\lambda_{\max}$; for a loss that isn't a bowl, the curvature at the minimum decides whether a constant step can
#   settle there.
# - Each direction of the spectrum is learned exponentially, at its own rate; the condition number sets the total time.
# - Adding exponentials with power-law rates gives a power law, $t^{-(a-1)/b}$, between two cut-offs. Its exponent comes
#   from the spectrum. Over a finite range, compare with finite theory.
# - From the optional sections: momentum takes the square root of the condition number, and one that grows with time
#   changes the exponent too; with noise, a constant step hovers at a floor in proportion to the step.
#
# ## One step further
#
# - In large networks the curvature changes as training goes on. Cohen and others (*Gradient Descent on Neural Networks
#   Typically Occurs at the Edge of Stability*, ICLR 2021) report that it rises until it hovers near $2/\alpha$. What
#   would you measure, step by step, to see this in a network with one hidden layer?
# - Give the descent of section 6 a mini-batch's noise. When does the floor of section 9 cut off the power law, and how
#   must the step shrink over time to keep it going?
# - Measure the spectrum of the digits in scikit-learn (1,797 images, 64 pixels). Is it a power law? Over which range?
