# %% [markdown]
# You have a loss, its gradient (lesson 4.1) and a step against it (lesson 4.2). In its section 4.1 the article writes
# these down as three lines,
#
# $$\text{Loss} = f(\text{Model}, \text{Data}), \qquad \text{Gradient} = \nabla f, \qquad
# \text{Model} \leftarrow \text{Model} - \alpha\,\text{Gradient},$$
#
# and in section 4.3 it applies them to a small case: $n = 1000$ samples with $d = 10$ features, a linear model, a
# sigmoid. The result, it says, is a simple mathematical model of the scaling law, here for the training of a binary
# classifier:
#
# - **Claim 4.4** The loss, its gradient and the update rule together are a mathematical model of the scaling law.
#
# A scaling law says how the loss falls as something grows: samples, weights, compute. Read the three lines again with
# this in mind. Which letter in them is the size? In this lesson you find a real scaling law in the article's own case,
# derive its exponent, and then ask whether the exponent comes from the three lines.
#
# **Symbols**, as in lesson 4.1: $n$ samples and $d$ features (the article's $N$ and $D$), weights $w$, logit
# $z = w \cdot x$, probability $p = \sigma(z)$. $\mathbb E[\dots]$ is a mean over all possible samples; the plain $E$ is
# the irreducible loss, a number. From section 6 on a model's number of weights grows, and is called $N$, and $\alpha$,
# so far the size of a step, is an exponent there. Losses are in nats.

# %%
import numpy as np
from scipy import stats
from scipy.special import xlogy

import course.widgets.linear_case_study as figures
from course import check, reveal, verdict
from course.data import synthetic
from course.losses import binary_cross_entropy, logistic_gradient, sigmoid
from course.widgets import explore, log_slider, slider

# %% [markdown]
# ## Predict first
#
# Take the article's case, 1,000 samples with 10 features, with labels that can be learned. You fit the weights as well
# as these samples allow. On *fresh* samples, the fitted model then has a slightly larger mean loss than the true model
# would. How much larger, in nats? (For comparison: a coin costs 0.693 nats, and the best possible model here 0.462.)

# %% prediction="excess"
### BEGIN SOLUTION
prediction_excess = 0.02
### END SOLUTION

# %% [markdown]
# ## 1 Labels that mean something
#
# The article's labels are coin flips, drawn without a look at the features. There is nothing to learn from them: the
# best possible model says $p = 1/2$ for ever and pays $\log 2$, with 10 samples or with 10 million. No law can show
# there.
#
# So let the labels mean something. Choose true weights $w$, and draw each label from the probability that they give:
#
# $$x \sim \text{standard normal in } d \text{ dimensions}, \qquad y = 1 \text{ with probability } p = \sigma(w \cdot x).$$
#
# Now the true model is known, and with it the floor. Even this model pays something, because a label with $p = 0.7$ is
# still a lopsided coin. Its loss is the **irreducible loss** $E$: no model, of any size, gets below it.

# %% [markdown] exercise="4.3.1"
# You are given the true probabilities `p` of some samples. Write the mean loss of a model that knows them, averaged also
# over the labels that could be drawn: the irreducible loss of these samples. Some labels may be certain, $p = 0$ or
# $p = 1$; they cost nothing. (SciPy's `xlogy(a, b)` is $a \log b$, and 0 where $a$ is 0.)


# %% exercise="4.3.1"
def irreducible_loss_of(p):
    """Mean loss of the true model, in nats. p: (n,) true probabilities of label 1. Returns a number."""
    ### BEGIN SOLUTION
    return -np.mean(xlogy(p, p) + xlogy(1 - p, 1 - p))
    ### END SOLUTION


# %% check="4.3.1"
check("4.3.1", irreducible_loss_of)

# %% [markdown]
# From here on the lesson uses `course.linear.mean_entropy`, which you have just built. To get $E$ for *all* possible
# samples, note that the logit $w \cdot x$ is a sum of independent normal numbers, so it is normal itself, with standard
# deviation $|w|$. Only this length matters, which we call the **signal strength**. `irreducible_loss(signal)` averages
# the entropy over that one normal number by numerical integration. Check it against two million random samples:

# %%
from course.linear import bayes_error, irreducible_loss, mean_entropy

rng = np.random.default_rng(0)
p = sigmoid(2.0 * rng.standard_normal(2_000_000))  # |w| = 2
sampled, exact = mean_entropy(p), irreducible_loss(2.0)
print(f"irreducible loss   sampled {sampled:.5f}   integrated {exact:.5f} nats")
print(f"Bayes error        sampled {np.minimum(p, 1 - p).mean():.5f}   integrated {bayes_error(2.0):.5f}")
assert abs(sampled - exact) < 5e-4 and abs(np.minimum(p, 1 - p).mean() - bayes_error(2.0)) < 5e-4

# %% [markdown]
# The **Bayes error** is the same idea for accuracy: the share of labels that the best possible guess gets wrong. Turn
# the signal from 0, which is the article's coin, to 8. Watch where the samples' probabilities go (left), and ask how
# much signal it takes for a model to be right 80 % of the time (right).

# %% alt="Left: histogram of the true probabilities at signal strength 2, spread over all values from 0 to 1. Right: irreducible loss and Bayes error fall as the signal strength grows; at 2 they are 0.462 nats and 22.2 %."
explore(figures.draw_signal, signal=slider(2.0, 0.0, 8.0, 0.1, "signal strength |w|"))

# %% [markdown]
# ## 2 One minimum, several ways down
#
# Draw the 1,000 samples with $|w| = 2$ and fit. Gradient descent you know. **Newton's method** also uses the second
# derivatives: near $w$ the loss looks like a parabola with slope $g$ and curvature $H$, and it jumps to the lowest point
# of that parabola. You know $g = X^\top (p - y)/n$. Differentiate once more: each $p_i$ changes with $w$ by
# $p_i(1-p_i)\,x_i$, so
#
# $$H = \frac1n X^\top \operatorname{diag}\bigl(p_i (1 - p_i)\bigr)\, X, \qquad w_\text{new} = w - H^{-1} g .$$

# %% [markdown] exercise="4.3.2"
# Write one Newton step. `np.linalg.solve(H, g)` gives $H^{-1} g$; `np.diag(v)` is the diagonal matrix with `v` on it.


# %% exercise="4.3.2"
def one_newton_step(w, X, y):
    """The weights after one Newton step. w: (d,); X: (n, d); y: (n,) labels 0 or 1. Returns (d,)."""
    ### BEGIN SOLUTION
    p = sigmoid(X @ w)
    g = X.T @ (p - y) / len(y)
    H = (X.T * (p * (1 - p))) @ X / len(y)
    return w - np.linalg.solve(H, g)
    ### END SOLUTION


# %% check="4.3.2"
check("4.3.2", one_newton_step)

# %% [markdown]
# From here on the lesson uses `course.linear.newton_step`, which you have just built. Let three methods loose on the
# same data: gradient descent, Newton, and scikit-learn, which uses a third one (L-BFGS).

# %%
from sklearn.linear_model import LogisticRegression

from course.linear import newton_step

true = np.full(10, 2 / np.sqrt(10))  # ten equal weights, |w| = 2
X, y = synthetic.logistic(1000, true, np.random.default_rng(1))

descent = [np.zeros(10)]
newton = [np.zeros(10)]
for _ in range(200):
    descent.append(descent[-1] - 2.0 * logistic_gradient(descent[-1], X, y))
for _ in range(8):
    newton.append(newton_step(newton[-1], X, y))
lbfgs = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000).fit(X, y).coef_[0]

best = binary_cross_entropy(X @ newton[-1], y)
print("training loss above its minimum, in nats")
for name, path, shown in (("gradient descent", descent, (0, 10, 50, 100)), ("Newton", newton, (0, 1, 3, 5))):
    for k in shown:
        gap = binary_cross_entropy(X @ path[k], y) - best
        print(f"   {name:16} after {k:3} steps: {gap:.0e}")
gap = max(abs(descent[-1] - newton[-1]).max(), abs(lbfgs - newton[-1]).max())
print(f"in the end the three sets of weights differ by {gap:.0e} at most")
assert gap < 1e-4

# %% [markdown]
# Newton needs about 5 steps where gradient descent needs 100, and they end at the same weights. They have to: this loss
# curves upwards in every direction, so it has a single lowest point. The way down is the optimiser's business. The place
# where it ends is decided by the data.
#
# ### How good is the fit? Without a test set
#
# What counts is the loss on fresh samples, the **population loss**. Measured on a test set it has a *standard error*:
# the standard deviation that the mean would show from one test set to the next, which is that of a single loss divided
# by $\sqrt n$. With a million samples it would be about 0.0006 nats, which will turn out to be an eighth of what we
# want to see. We can do better. For fitted weights $\hat w$ with logit $\hat z = \hat w \cdot x$, one sample costs
# $\log(1 + e^{\hat z}) - y\hat z$ (lesson 4.1), and the mean loss is
# $\mathbb E[\log(1 + e^{\hat z})] - \mathbb E[y \hat z]$.
#
# - $\hat z$ is normal with standard deviation $|\hat w|$: the first mean is again an integral over one normal number.
# - In the second, the label $y$ averages to $\sigma(z)$. For normal $z$ and $\hat z$ of mean 0, an integration by parts
#   gives $\mathbb E[\hat z\, f(z)] = \mathbb E[\hat z z]\;\mathbb E[f'(z)]$ (Stein's lemma). With $f = \sigma$ and
#   $\mathbb E[\hat z z] = \hat w \cdot w$, the second mean is $(\hat w \cdot w)\,\mathbb E[p(1-p)]$, one more
#   such integral.

# %%
from course.linear import excess_loss, population_loss

fresh_X, fresh_y = synthetic.logistic(1_000_000, true, np.random.default_rng(2))
z = fresh_X @ newton[-1]
losses = np.logaddexp(0, z) - fresh_y * z
standard_error = losses.std() / np.sqrt(len(losses))
print(f"population loss, exact: {float(population_loss(newton[-1], true)):.6f} nats")
print(f"on a million fresh samples: {losses.mean():.4f} +- {standard_error:.4f} nats")
for name, w in (("gradient descent", descent[-1]), ("Newton", newton[-1]), ("L-BFGS", lbfgs)):
    print(f"excess over E = {irreducible_loss(2.0):.4f}: {float(excess_loss(w, true)):.6f} nats, {name}")
assert abs(losses.mean() - population_loss(newton[-1], true)) < 4 * standard_error

# %% [markdown]
# ## 3 Why the excess is d/(2n)
#
# How large should the excess be? Take a model with a single weight first. Four steps will do, and none of them
# mentions how the minimum is found.
#
# 1. **A parabola.** Near the true weight the population loss is a parabola with some curvature $F$. A fit that is off
#    by $\delta$ costs $\tfrac12 F \delta^2$ more than $E$. By the formula for $H$ above, $F = \mathbb
#    E[\,p(1-p)\,x^2]$. It is called the **Fisher information** of one sample: the larger it is, the more a sample tells
#    about the weight.
# 2. **A noisy slope.** At the true weight the slope $g$ on $n$ samples is the mean of $n$ independent terms $(p_i -
#    y_i)\,x_i$. They average to 0, because $y$ averages to $p$. Their variance (the standard deviation squared) is
#    $\mathbb E[(p-y)^2 x^2] = \mathbb E[p(1-p)\,x^2]$, because a coin's variance is $p(1-p)$. That is $F$ again. A mean
#    of $n$ such terms has variance $F/n$.
# 3. **A shifted minimum.** The *training* loss near the true weight is a parabola as well. Its curvature is a mean over
#    many samples, so it is nearly $F$ too, but its slope there is $g$, not 0. Its lowest point, the fit, is at $\delta
#    = -g/F$.
# 4. **The price.** The excess is $\tfrac12 F \delta^2 = \tfrac12 g^2/F$, and on average $\tfrac12 (F/n)/F =
#    \dfrac1{2n}$.
#
# With $d$ weights, turn the axes so that the parabola has no cross terms. Then every direction is a case of its own, and
# pays $1/(2n)$:
#
# $$\boxed{\ \mathbb E[\text{excess}] = \frac{d}{2n}\ }$$
#
# The heart of it is step 2: the noise of the slope and the curvature of the loss are the same number. Check it by
# sampling.

# %%
x = rng.standard_normal(1_000_000)
p = sigmoid(2.0 * x)
y = rng.random(len(p)) < p
curvature, variance = np.mean(p * (1 - p) * x**2), np.var((p - y) * x)
print(f"curvature of the loss: {curvature:.4f}   variance of the slope, one sample: {variance:.4f}")
assert abs(curvature / variance - 1) < 0.01

# %% [markdown]
# Everything particular has cancelled: the signal, the features' scale, how strongly the loss bends. (That is special to
# cross-entropy, by step 2. For the squared error of section 4 the noise variance stays in.) What is left is a count of
# weights and a count of samples. Each weight costs half a nat, shared among the samples. The theory gives the spread
# between data sets as well. By step 4, $2n$ times the excess is $g^2/(F/n)$ in each direction: the square of a nearly
# normal number of mean 0 and standard deviation 1. A sum of $d$ such squares is called **chi-squared**, and its
# distribution is known, so $2n$ times the excess must follow it (S. S. Wilks, 1938).
#
# Now measure: 2,000 data sets like the article's. The interval is made to hold the true mean in 95 of 100 such
# experiments.

# %%
from course.linear import draw_excess, mean_interval, predicted_excess

excess = draw_excess(1000, true, 2000, np.random.default_rng(3))
mean, low, high = mean_interval(excess)
print(f"mean excess over 2,000 data sets: {mean:.5f} nats, 95 % interval [{low:.5f}, {high:.5f}]")
print(f"theory, d/(2n):                   {predicted_excess(1000, 10):.5f} nats")
assert abs(mean / predicted_excess(1000, 10) - 1) < 0.08
reveal(prediction_excess, mean, "nats")

# %% [markdown]
# The excess is 1 % of the floor, small enough to be missed by any ordinary test set. The theory is right to about 5 %,
# and with so many data sets the difference shows: $d/(2n)$ holds for large $n$. Turn $n$ and $d$. Find out
#
# - what happens to the left panel when you change $n$ and $d$ together so that $n/d$ stays the same, and how the
#   *width* of the spread depends on $d$;
# - below which $n/d$ the theory fails, and in which direction.

# %% alt="Left: histogram of the excess losses of 120 fits to 1,000 samples with 10 features, on a logarithmic axis, beside the chi-squared density of the theory; both centre near 0.005 nats. Right: the line d/(2n) with its 95 % band and the measured mean on it."
explore(
    figures.draw_spread,
    n=log_slider(1000, 40, 1000, "samples n"),
    d=slider(10, 1, 20, 1, "features d"),
)

# %% [markdown]
# At equal $n/d$ the centre stays where it is, and more features make the histogram narrower: each of the $d$ squares
# has mean 1 and standard deviation $\sqrt2$, so their sum has a relative spread of $\sqrt{2d}/d = \sqrt{2/d}$. With few
# samples a weight the theory fails on one side: the fits are much worse than $d/(2n)$. Far enough down, some data sets
# become **separable**: a plane divides their labels without an error. Then longer weights always fit better, the loss
# falls for ever, and there is no minimum to speak of. `fit_logistic` says so instead of returning a huge number:

# %%
from course.linear import fit_logistic

X_few, y_few = synthetic.logistic(25, true, np.random.default_rng(0))
print(fit_logistic(X_few, y_few).message.replace(", ", ",\n"))
assert fit_logistic(X_few, y_few).separable

# %% [markdown]
# ## 4 Two decades of n
#
# Is it a law? Take $n$ from 80 to 316,000 and set the same question beside it for **least squares**: $y = w\cdot x$
# plus normal noise of variance $\sigma^2$, loss measured as squared error. With normal features a theory that is exact
# at every $n$ above $d + 1$ is known (we use it without the derivation, and test it below):
#
# $$\mathbb E[\text{excess}] = \frac{\sigma^2 d}{n - d - 1} .$$

# %% [markdown] exercise="4.3.3"
# Use it to plan. You want an expected excess of at most `excess`; you have `d` weights, and noise of standard
# deviation `sigma`. How many samples do you need, at least? (A whole number.)

# %% exercise="4.3.3"
import math


def samples_for(excess, d, sigma):
    """The smallest n with expected excess at most `excess`, for least squares. Returns a whole number."""
    ### BEGIN SOLUTION
    return math.ceil(d + 1 + sigma**2 * d / excess)
    ### END SOLUTION


# %% check="4.3.3"
check("4.3.3", samples_for)

# %% [markdown]
# Now the measurement, some 10 seconds of it: hundreds of fresh data sets at each size. The ratio is measured over
# predicted excess, and should be 1. You will look at five intervals at once and ask that *all* of them hold 1. For the
# five together to be right in 95 of 100 cases, each must be a 99 % interval.


# %%
def ratios(kind, repeats):
    """{n: (mean, low, high)} of measured over predicted excess, d = 10, with 99 % intervals."""
    rng, found = np.random.default_rng(43), {}
    for n, count in repeats.items():
        ratio = draw_excess(n, true, count, rng, kind) / predicted_excess(n, 10, kind)
        mean, low, high = mean_interval(ratio, level=0.99)
        found[n] = mean, low, high
        print(f"{kind:13}  n/d = {n / 10:6,.0f}  {count:4} sets  ratio {mean:.3f} [{low:.3f}, {high:.3f}]")
    return found


# n: how many data sets
few = {80: 400, 160: 400, 320: 400, 1000: 1000}
many = {3162: 400, 10_000: 400, 31_623: 200, 100_000: 60, 316_228: 40}
logistic = ratios("logistic", few | many)
fewer = {20: 4000, 40: 4000, 100: 4000, 316: 3000, 1000: 2000, 3162: 1000, 10_000: 500}
squares = ratios("least squares", fewer)

assert all(logistic[n][1] < 1 < logistic[n][2] for n in many)  # within every interval
assert all(abs(mean - 1) < 0.03 for mean, _, _ in squares.values())  # within 3 %

# %% alt="Left: excess loss against samples on log-log axes; logistic regression and least squares both follow their theory lines, which fall as 1/n. Right: measured over predicted excess against n/d; least squares stays at 1 from n/d = 2 on, logistic regression starts at 1.8 for n/d = 8 and stays at 1 from n/d = 316 to 31,600."
figures.draw_decades(logistic, squares)

# %% [markdown]
# Least squares agrees within 3 % at every size, from 2 samples a weight on. Logistic regression agrees within its
# intervals over two decades, from $n/d = 316$ to $31{,}600$. Below, the excess is larger than the theory says, by 81 %
# at 8 samples a weight. How does this difference shrink with $n/d$? The next cell takes more data sets.

# %%
for n in (160, 320, 1000):
    deviation = draw_excess(n, true, 3000, np.random.default_rng(n)) / predicted_excess(n, 10) - 1
    mean, low, high = mean_interval(deviation)
    interval = f"[{low:.3f}, {high:.3f}]"
    print(f"n/d = {n / 10:3.0f}   deviation {mean:.3f} {interval}   times n/d: {mean * n / 10:.1f}")
    assert 3 < mean * n / 10 < 6

# %% [markdown]
# The deviation is some 4 to 5 times $d/n$. So from $n/d = 316$ on it is there too, about 1.5 % at 316 and less beyond,
# and too small for our intervals. "Agrees within its interval" is as strong a statement as the interval is narrow.
#
# So there *is* a scaling law in the article's case: excess $\propto n^{-1}$. How sure is the exponent? A fit reports
# the slope's standard error. If that were known exactly, the slope $\pm\,1.96$ standard errors would hold the true one
# in 95 of 100 experiments. But it is estimated from the scatter of the same few points, which is often too small by
# chance, so the interval must be wider: **Student's t** is the distribution that says by how much. It has one setting,
# the *degrees of freedom*: the number of points less the number of things fitted to them. (In lesson 4.2 one mean was
# fitted to 20 draws: 19 degrees of freedom, and 2.09 in place of 1.96.)

# %% [markdown] exercise="4.3.4"
# Write the least-squares slope of $\log y$ against $\log x$ with its 95 % interval, which leaves out as much at its
# lower end as at its upper. `stats.linregress(u, v)` returns an object with `.slope` and `.stderr`, the standard error.
# `stats.t.ppf(q, f)` is a *quantile*: the number below which Student's t with $f$ degrees of freedom falls with
# probability $q$.


# %% exercise="4.3.4"
def slope_with_interval(x, y):
    """Slope on log-log axes. x, y: (m,) positive numbers, m of 3 or more. Returns (slope, low, high)."""
    ### BEGIN SOLUTION
    line = stats.linregress(np.log(x), np.log(y))
    half = stats.t.ppf(0.975, len(x) - 2) * line.stderr
    return line.slope, line.slope - half, line.slope + half
    ### END SOLUTION


# %% check="4.3.4"
check("4.3.4", slope_with_interval)

# %%
from course.linear import log_log_slope  # which you have just built

sizes = np.array(list(many))  # 3,162 to 316,228
mean_excess = np.array([logistic[n][0] * predicted_excess(n, 10) for n in many])
slope = log_log_slope(sizes, mean_excess)
print(f"excess loss:        slope {slope}, R^2 = {slope.r_squared:.4f}")
whole = log_log_slope(sizes, irreducible_loss(2.0) + mean_excess)
print(f"loss with floor:    slope {whole.slope:.4f}, R^2 = {whole.r_squared:.2f}")
assert slope.low < -1 < slope.high and abs(whole.slope) < 0.01

# %% [markdown]
# ### The floor hides the law
#
# The second line shows what you would have seen without knowing $E$: a slope of next to nothing. With real data nobody
# tells you the floor. Here are losses $E + 5/n$ without any noise, from which the slider subtracts a floor, at first
# 0.44. Raise it. (The arrow keys move the slider by 0.0001.) How close to $E$ must you be for the slope to come within
# 10 % of $-1$? What does a floor that is a little too high do?

# %% alt="Nine losses after 0.44 nats are subtracted, against samples on log-log axes: they bend away from the fitted line, whose slope is -0.24 instead of -1."
explore(figures.draw_floor, floor=slider(0.44, 0.44, 0.464, 0.0001, "floor subtracted (nats)"))

# %% [markdown] exercise="4.3.5"
# There is a way round. A law $L(n) = E + A\,n^{-a}$ is measured at three sizes that grow by the same factor: $n$, $rn$,
# $r^2 n$. Find $a$ from the three losses and $r$, without knowing $E$ or $A$. Start on paper: what is the same in all
# three?


# %% exercise="4.3.5"
def exponent_from_three_losses(losses, ratio):
    """The exponent a. losses: (3,) at n, ratio * n and ratio**2 * n; ratio: above 1. Returns one number."""
    ### BEGIN SOLUTION
    first, second = losses[0] - losses[1], losses[1] - losses[2]
    return np.log(first / second) / np.log(ratio)
    ### END SOLUTION


# %% check="4.3.5"
check("4.3.5", exponent_from_three_losses)

# %%
from course.linear import exponent_from_three  # which you have just built

three = irreducible_loss(2.0) + mean_excess[[0, 2, 4]]  # n = 3,162, 31,623, 316,228
print(f"losses {np.round(three, 5)}: exponent {exponent_from_three(three, 10):.3f}, and E never used")
assert abs(exponent_from_three(three, 10) - 1) < 0.1

n = np.geomspace(100, 10_000, 9)
for wrong_by in (-0.001, -0.0002, 0.0, 0.0002):
    found = log_log_slope(n, 5 / n - wrong_by).slope
    print(f"a floor that is wrong by {wrong_by:+.4f} nats: slope {found:.2f}")

# %% [markdown]
# A floor 0.0002 nats too low gives a slope within 10 % of $-1$, one 0.001 too low does not, and one 0.0002 too high
# already makes the law look steeper. Fit the floor together with the exponent, or take differences as you just did;
# never leave it in.
#
# ## 5 Is it a law of gradient descent?
#
# Look back at the derivation. The exponent 1 comes from independent samples, whose mean has variance $1/n$, and from a
# minimum that is a parabola. No step size enters it, and no number of steps. You have seen three optimisers end at the
# same weights, so they have the same excess at every $n$ and the same exponent. What is in the three lines is how to
# *reach* the minimum.
#
# That is half of the answer. For the other half, hold the three lines fixed, and change the problem.
#
# ## 6 Same three lines, other exponents
#
# Here are three problems in which something other than noise limits the model. Each is a linear model with a squared
# error, and in each you can see the exponent coming.
#
# The first is a **smooth function in $k$ dimensions**. Data are plentiful and without noise. What is limited is the
# number $N$ of weights: the model is a grid of $N$ points with straight pieces between them, and has one weight for the
# height at each point.
#
# Predict once more. You train it by the same gradient descent on a function of $k = 2$ variables. The squared error
# falls as $N^{-a}$. Logistic regression and least squares had exponent 1 in $n$; which $a$ do you expect here?

# %% prediction="surface"
### BEGIN SOLUTION
prediction_surface = 2.0
### END SOLUTION

# %% [markdown]
# Turn the points along each axis from 8 to 16, to 32, to 64, and watch the error of the fit. Then keep 32 points and go
# through $k = 1, 2, 3$: which changes more, the error or the number of weights?

# %% alt="Left: a smooth wave in one dimension and a fit of straight pieces between 8 points, which misses the bends. Right: squared error against number of weights for functions in 1, 2 and 3 dimensions, three falling lines; the more dimensions, the flatter."
explore(
    figures.draw_grid,
    points=slider(8, 8, 64, 8, "points along each axis"),
    k=slider(1, 1, 3, 1, "dimensions k"),
)

# %% [markdown]
# **Smooth function.** The grid has spacing $h = N^{-1/k}$. A straight piece misses a curve by about $h^2$, and squared
# that is $h^4$. Half the spacing, once the grid is fine: an error 16 times smaller in any dimension, for $2^k$ times
# the weights. So
# $$\text{excess} \propto N^{-4/k} .$$
#
# The second problem: **keys with Zipf frequencies** (also called quanta). There are very many separate facts to know,
# each under its own key. Key number $k$ comes with a frequency $\propto k^{-(1+\alpha)}$, and each sample teaches one.
# The excess is the chance that a fresh sample asks for a key that you have never seen. Turn $n$ up. How far does the
# border between known and unknown keys move, and how much lies beyond it? Then make the rare keys rarer by raising
# $\alpha$: what becomes of the slope?

# %% alt="Left: frequencies of the keys against their number, a falling line on log-log axes, cut by a level at 1/n; the 52 keys above it are known. Right: the share of samples with an unknown key against n, falling with slope about -1/3, with a point at n = 1,000."
explore(
    figures.draw_keys,
    n=log_slider(1000, 100, 10_000, "samples n"),
    alpha=slider(0.5, 0.5, 2.0, 0.1, "alpha"),
)

# %% [markdown]
# **Keys.** After $n$ samples you know the keys more frequent than about $1/n$: the first $K \propto n^{1/(1+\alpha)}$.
# The frequencies of all others add up to $\sum_{k>K} k^{-(1+\alpha)} \propto K^{-\alpha}$, so
# $$\text{excess} \propto n^{-\alpha/(1+\alpha)} .$$
#
# **A power-law spectrum**, the third, has a border that moves outward, as in exercise 4.2.5. There are 4,000 features;
# feature $k$ varies less the larger $k$ is, and carries a share $\propto k^{-b}$ of the signal. From $n$ samples
# without noise you learn roughly the first $n$ directions. What the others carry is $\sum_{k>n} k^{-b}$:
# $$\text{excess} \propto n^{-(b-1)} .$$

# %% [markdown]
# Does training find what theory says? Here are the three lines once in the open, on the function in one dimension with
# 32 weights, beside the exact minimum from a linear solver:

# %%
from course import toy_laws

problem = toy_laws.grid_problem(32, seeds=1, rng=np.random.default_rng(0), k=1)
w = problem.start
for _ in range(40):
    gradient = problem.gradient(w)
    w = w - gradient / problem.largest  # the largest curvature: a safe step, by lesson 4.2
print(f"squared error after gradient descent  {problem.excess(w)[0]:.5e}")
print(f"at the exact minimum                  {problem.excess(problem.exact)[0]:.5e}")
print(f"theory for this grid                  {toy_laws.grid_theory(32, k=1):.5e}")
assert np.allclose(problem.excess(w), problem.excess(problem.exact), rtol=1e-6)
for k in (1, 2, 3):
    gain = toy_laws.grid_theory(32, k) / toy_laws.grid_theory(64, k)
    print(f"k = {k}, from 32 to 64 points along each axis: error {gain:.1f} times smaller, {2**k} times the weights")
    assert 15 < gain < 17

# %% [markdown]
# The next cell trains nine problems (the three above, with several settings each, and this lesson's two regressions) at
# four to seven sizes, on the same draws by gradient descent, by momentum and by Adam. The last two are other update
# rules, from the optional sections of lesson 4.2. It takes some 10 seconds. For each problem the theory is known at
# these very sizes, and its slope stands in the column "theory"; "limit" is the exponent it tends to as the size grows.

# %%
measured = [toy_laws.measure(law) for law in toy_laws.laws()]

print(f"{'':29} {'gradient descent':>20}   momentum    Adam   exact  theory   limit")
for one in measured:
    found = {rule: f"{value.value:.3f}" for rule, value in one.exponents.items()}
    row = f"{one.law.name:29} {one.exponents['gradient descent']!s:>20}      {found['momentum']}"
    row += f"   {found.get('Adam', '    -')}   {found['exact']}"
    print(row + f"   {one.law.expected:.3f}   {one.law.limit:.3f}")

# %% alt="Left: nine curves of excess loss against size, all trained by gradient descent, fan out from one point with slopes from -0.34 to -4.2, each on its dashed theory line. Right: the exponents of the nine problems; the marks of gradient descent, momentum, Adam and the exact solver stand above each other, at the theory's value, in every row."
figures.draw_laws(measured)

# %%
reveal(prediction_surface, measured[7].exponents["gradient descent"].value)

# %% [markdown]
# Read the table down and then across. Down a column the update rule is fixed, and the exponents go from 0.34 to 4.2.
# Across a row the update rule changes, and nothing happens. The measured slopes follow the theory's own slopes at these
# sizes; the limits are reached only on larger grids and with more samples, a warning against comparing a measured
# exponent with an asymptotic one. (The smooth functions' intervals have no width: each random draw is another function
# of the same frequencies, and all have the same error. Adam is left out for the spectra: they are trained in turned
# axes, and Adam, which goes weight by weight, would be another method there.)

# %% [markdown]
# ## 7 A fair hearing, and the verdict
#
# What is right in the claim? Three things, and the first is on paper: $f(\text{Model}, \text{Data})$ does contain the
# data, and with them whatever sets the exponent. The other two can be measured.
#
# **You have to arrive.** Stop gradient descent after the same few steps at every size, and the law bends: then the
# update rule is part of what you see. (Lesson 4.2 had such a law, in the number of steps, and its exponent came from
# the spectrum.)

# %%
law = measured[0].law
for steps in (100, 1000, None):
    rng, rows = np.random.default_rng(0), []
    for n in law.sizes:
        problem = law.make(n, law.seeds, rng)
        rows.append(problem.excess(toy_laws.train(problem, steps=steps)))
    stopped = toy_laws.exponent(law.sizes, np.array(rows).T)
    print(f"{law.name}, stopped after {steps or 'enough'} steps: exponent {stopped}")
    assert steps != 100 or stopped.high < 0.25

# %% [markdown]
# **Where many weights fit the data exactly, the update rule chooses among them.** The spectrum problems have 4,000
# weights and at most 160 samples. Divide each feature's gradient by its variance to a power (`rescale`) before
# stepping, and descent ends at another exact fit, with another loss on fresh samples.

# %%
sizes = measured[1].law.sizes
for power in (0.0, 0.75, 1.0):
    rng, rows = np.random.default_rng(0), []
    for n in sizes:
        problem = toy_laws.spectrum_problem(n, 12, rng, b=1.5, rescale=power)
        rows.append(problem.excess(toy_laws.train(problem)))
    found = toy_laws.exponent(sizes, np.array(rows).T)
    theory = -log_log_slope(sizes, toy_laws.spectrum_theory(sizes, b=1.5, rescale=power)).slope
    print(f"spectrum, gradient divided by variance^{power:<4g}: exponent {found}, theory {theory:.3f}")
assert found.high < 0.1

# %% [markdown]
# So the update rule can spoil a law, and with more weights than samples it can change one. But look at what the theory
# needs to *predict* these exponents: the spectrum of the features and how the signal lies in it, the frequencies, the
# dimension. The three lines name the data and say nothing about them. They describe the training. If they also fixed
# the exponent, every problem trained by them would have the same one, so the figure for the verdict is the factor
# between the largest and the smallest.

# %% claim="4.4"
by_descent = [one.exponents["gradient descent"] for one in measured]
smallest, largest = by_descent[0], by_descent[-1]
factor = largest.value / smallest.value
moves = [abs(one.exponents[rule].value - one.exponents["exact"].value) for one in measured for rule in one.law.rules]
low, high = largest.low / smallest.high, largest.high / smallest.low
print(f"same update rule, nine problems: exponents {smallest.value:.3f} to {largest.value:.3f}")
print(f"   a factor of {factor:.1f}, 95 % interval [{low:.1f}, {high:.1f}]")
print(f"same problem, each rule trained to the minimum: the exponent moves by {max(moves):.4f} at most")
assert max(moves) < 0.001
verdict("4.4", factor)

# %% [markdown]
# ## 8 Make a law to order

# %% [markdown] exercise="4.3.6"
# If the data sets the exponent, you can choose the exponent and build the data. Return the probabilities of `keys` keys
# such that the expected excess after $n$ samples, which is the probability $\sum_k p_k (1-p_k)^n$ of the keys not yet
# seen, falls as $n^{-\text{exponent}}$ between 100 and 10,000 samples (within 0.04). There are many right answers. One
# is close to something in this lesson; find another one, if you like, whose curve is straight on log-log axes only at
# first sight.


# %% exercise="4.3.6"
def keys_for(exponent, keys):
    """Keys whose law is n^-exponent. exponent: 0.4 to 0.75; keys: how many. Returns (keys,), sum 1."""
    ### BEGIN SOLUTION
    alpha = exponent / (1 - exponent)
    p = np.arange(1, keys + 1) ** -(1 + alpha)
    return p / p.sum()
    ### END SOLUTION


# %% check="4.3.6"
check("4.3.6", keys_for)

# %% [markdown]
# ## Takeaways
#
# - The article's case has a scaling law: with labels that mean something, the excess loss is $d/(2n)$, to about 5 %
#   from 100 samples a weight on. It follows from independent samples and a smooth minimum, whatever finds the minimum.
# - Exponents come from the problem: 1 where noise is the limit, $4/k$ where the dimension of the data is,
#   $\alpha/(1+\alpha)$ and $b-1$ where rare facts or faint directions are.
# - Loss, gradient and update rule say how to get to the minimum. They have to get there; they do not say how low it is.
#
# ## One step further
#
# - The excess of logistic regression at $n/d = 8$ is 1.8 times $d/(2n)$. For $n$ and $d$ that grow together there is an
#   exact theory (Sur and Candès, *A modern maximum-likelihood theory for high-dimensional logistic regression*, PNAS
#   2019). Below a certain $n/d$, which depends on the signal, nearly every data set is separable. Find it with the
#   slider.
# - Bahri and co-authors, *Explaining neural scaling laws* (PNAS 2024), call the two kinds of law you measured
#   *variance-limited* (exponent 1) and *resolution-limited* (an exponent that depends on the data). To which kind do
#   language models belong?
# - The $N$ of the keys problem is the number of keys that a model can hold. What is its exponent in $N$, and why does it
#   differ from the one in $n$? (Michaud and co-authors, *The quantization model of neural scaling*, 2023.)
