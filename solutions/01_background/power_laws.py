# %% [markdown]
# Someone has trained six small models. They draw a line through six points, point at a place far to the right of the
# paper, and ask for a hundred million dollars to build the seventh model there. The line says how good it will be.
#
# **On what grounds would you believe the line?** This course is about such lines. In the next hour you make one
# yourself: you measure six points, find the law in them, and promise what happens ten times further on. Then you go
# there and look. At the end you know what a law of scale can promise, and three ways in which it fools those who draw
# it.
#
# The article that this course tests begins with two claims, and this lesson judges both (the numbers are the claims'
# own, not the lessons'):
#
# - **1.1** Progress in speech, images and language rests on ever larger networks, more computing power and more data.
# - **1.2** Size, compute and performance stand in a lawful relation, and that relation can guide the design of models.
#
# Symbols, here and in the whole course: $N$ parameters (the numbers that a model learns), $D$ training data, $C$
# compute in FLOPs (lesson 5.1), $L$ loss, $E$ the loss that is left however much you spend.

# %%
import numpy as np

import course.widgets.power_laws as figures
from course import check, laws, reveal, sweeps, verdict
from course.data import task
from course.power_laws import CountingModel, best_by_budget, learning_curve
from course.widgets import explore, slider

# %% [markdown]
# ## A machine that guesses the next character
#
# You need something that learns, and quickly. Here is the simplest that is any good. It goes to random places of a
# text, and at each it notes *which character came after the last six*. Asked to guess, it looks up what it has seen.
# That is all: it counts. (Claude Shannon had people play this game in 1951, to find how predictable English is.)
#
# The text is on your machine already: Python's own source code, the standard library, eight million characters. In the
# course's words this is a **classifier**: it sorts what it sees into classes, and a class is here one of 98
# characters. A language model like those in the news is the same thing with a better memory. Train one, which here
# means let it count, at 51,200 places. Each place teaches it one character, so these are $D$ = 51,200 characters:

# %%
text = task("characters")
model = CountingModel(text, samples=51_200, memory=6)
for before in ("    retur", "for i in ran", "if x is no", "raise Valu", "import nump"):
    guesses = ", ".join(f"{character!r} {p:.1%}" for character, p in model.guess(before))
    print(f"{before!r:14} then  {guesses}")

# %% [markdown]
# It has learned a good deal of Python from counting alone. (It has never heard of NumPy, which is no part of the
# standard library.) When the last six characters are new to it, it falls back on five, then four, and so on;
# `course/power_laws.py` has the formula in ten lines.
#
# ### How good is it? The loss
#
# Take text that it has *not* learned from, 16,384 places of it. At each, look which probability $p$ it gave to the
# character that really came. The **surprise** is $-\log p$: 0 if it was certain and right, large if it thought the
# truth unlikely. The mean surprise is the **loss** $L$, and with the natural logarithm its unit is the **nat**.
# Lesson 4.1 derives why it is measured like this; here one reading is enough: $e^L$ is the number of equally likely
# characters between which the guesser might as well be tossing a die.

# %%
for name, loss in (("no learning", np.log(98)), ("51,200 characters", model.loss(text))):
    print(f"{name:18} loss {loss:.3f} nats: as unsure as a fair die with {np.exp(loss):4.1f} sides")

# %% [markdown]
# ## Six points
#
# Now the question of this course in small: **how does the loss fall when the classifier learns from more?** Measure
# at 1,600 characters, and then at twice as many, five times over. Each is done eight times with different places of
# the text (eight **seeds**: the numbers that start the random generator), because one result may be luck.
#
# Before you run it: $L$ is a little under 3 nats at 1,600 characters. How many times more characters will it take to
# halve it? Write your guess, one number.

# %% prediction="halving"
### BEGIN SOLUTION
prediction_halving = 10
### END SOLUTION

# %%
samples = 1600 * 2 ** np.arange(6)
losses = learning_curve(text, samples, memory=6, seeds=8)  # (6 sizes, 8 seeds)
loss = losses.mean(axis=1)
print("characters D   loss L (nats)   ± one seed    times the one before")
for i, D in enumerate(samples):
    factor = f"{loss[i] / loss[i - 1]:.3f}" if i else ""
    print(f"{D:12,} {loss[i]:12.3f} {losses[i].std(ddof=1):14.3f} {factor:>16}")
steps = loss[1:] / loss[:-1]
assert 2.6 < loss[0] < 3 and steps.min() > 0.91 and steps.max() < 0.95

# %% [markdown]
# Look at the last column. Twice the characters, and the loss is about 0.93 times what it was. Again twice, again
# about 0.93 times. It does not matter where you start: **the same factor in $D$ always brings the same factor in
# $L$.** That is what a power law is. The only function that does so is
#
# $$L = A\, D^{-\alpha},$$
#
# because then $L(2D) = A\,(2D)^{-\alpha} = 2^{-\alpha} L(D)$. The number $\alpha$ is the **exponent**. It answers the
# question *how much better for twice as much?* with $2^{-\alpha}$. $A$ is what the law gives at $D = 1$, and means
# little.

# %% [markdown] exercise="1.1.1"
# Two points are enough to know an exponent. Derive it: write the law for both, divide, and take logarithms.


# %% exercise="1.1.1"
def two_point_exponent(x1, y1, x2, y2):
    """alpha of the law y = A x^-alpha through the points (x1, y1) and (x2, y2); four numbers in, one out."""
    ### BEGIN SOLUTION
    return -np.log(y2 / y1) / np.log(x2 / x1)
    ### END SOLUTION


# %% check="1.1.1"
check("1.1.1", two_point_exponent)

# %% [markdown]
# From here on we use `course.power_laws.two_point_exponent`, which you have just built. What do neighbouring points
# say, and what do the two ends?

# %%
from course.power_laws import two_point_exponent as exponent

pairs = [exponent(samples[i], loss[i], samples[i + 1], loss[i + 1]) for i in range(5)]
ends = exponent(samples[0], loss[0], samples[-1], loss[-1])
print("neighbours: " + "  ".join(f"{alpha:.3f}" for alpha in pairs))
print(f"the two ends: {ends:.3f}")
assert max(pairs) - min(pairs) > 0.004 and 0.09 < ends < 0.12

# %% [markdown]
# Neighbours scatter around a tenth: a little noise in two losses makes much noise in the small factor between them. The
# ends are better, but they throw four points away. A line uses them all. Take logarithms of the law:
#
# $$\log L = \log A - \alpha \log D.$$
#
# In $u = \log D$ and $v = \log L$ this is a straight line with slope $-\alpha$. So paper with logarithmic axes, on
# which equal distances are equal *factors*, turns every power law into a straight line:

# %% alt="Loss against characters learned from, six means with their eight seeds. On ordinary axes the points lie on a curve that flattens; on logarithmic axes they lie on a straight line of slope minus 0.104."
figures.draw_six_points(samples, losses)

# %% [markdown] exercise="1.1.2"
# Find the line: the one with the least sum of squares in $\log y$. (`np.polyfit(u, v, 1)` gives slope and height of
# the line through points u, v.) Give back $A$ and $\alpha$, not their disguises.


# %% exercise="1.1.2"
def fit_line(x, y):
    """(A, alpha) of the law y = A x^-alpha, by least squares on logarithms. x, y: (k,) arrays, positive."""
    ### BEGIN SOLUTION
    slope, height = np.polyfit(np.log(x), np.log(y), 1)
    return np.exp(height), -slope
    ### END SOLUTION


# %% check="1.1.2"
check("1.1.2", fit_line)

# %% [markdown]
# From here on we use `course.laws.fit_power`. It fits the same line to all 48 losses, is less impressed by a single bad
# point, and gives intervals by the **bootstrap**: it draws 48 of the 48 losses again and again, with repeats, fits each
# time, and looks how far the answers spread. The middle 95 % of them are the interval (lesson 5.4 builds it).

# %%
law = laws.fit_power(np.repeat(samples, 8), losses.ravel(), bootstrap=1000)
alpha, (low, high) = law.params["alpha"], law.interval["alpha"]
print(f"L = {law.params['A']:.2f} D^-{alpha:.4f}, alpha between {low:.4f} and {high:.4f} (95 %)")
print(f"twice the data: {2**-alpha:.3f} times the loss")
assert 0.095 < alpha < 0.115 and high - low < 0.01

# %% [markdown]
# ## What an exponent costs
#
# A loss of 0.93 times for a doubling: is that much? Turn the question round, and ask the way a budget does.

# %% [markdown] exercise="1.1.3"
# How many times more data does a law with exponent $\alpha$ need until the loss is `times_lower` times lower?


# %% exercise="1.1.3"
def times_more(alpha, times_lower):
    """The factor in x that makes y = A x^-alpha smaller by the factor times_lower. Two numbers in, one out."""
    ### BEGIN SOLUTION
    return times_lower ** (1 / alpha)
    ### END SOLUTION


# %% check="1.1.3"
check("1.1.3", times_more)

# %%
from course.power_laws import times_more as price

print(f"one halving takes {price(alpha):,.0f} times more characters, two take {price(alpha, 4):,.0f} times more")
print(f"and 5 % less loss takes {price(alpha, 1 / 0.95):.2f} times more")
assert 400 < price(alpha) < 1500
reveal(prediction_halving, price(alpha), "times more")

# %% [markdown]
# This is the sober side of every law of scale: a small exponent is dear. Turn the slider to see how dear. At
# $\alpha = 1$, which lesson 4.3 derives for a problem that is easy, a halving costs twice the data; at 0.34 eight
# times; at 0.05, a published exponent that you meet below, a million times. Then set the second slider to 1.05: even
# five per cent less has its price.

# %% alt="Times more data for one halving of the loss against the exponent, both axes logarithmic: a curve that falls steeply from about thirty million at 0.04 to two at 1, with a point at 0.104 and about 780."
explore(
    figures.draw_price,
    alpha=slider(0.104, 0.04, 1.0, 0.002, "exponent alpha"),
    times_lower=slider(2.0, 1.05, 4.0, 0.05, "times lower"),
)

# %% [markdown]
# ## The promise
#
# Now put your money on it. The largest set so far had 51,200 characters. **What will the loss be at 512,000, ten times
# further?** Write down a number, and an interval of which you are 95 % sure. Use the table and the picture above, and
# whatever you have built. Too narrow an interval is fined and too wide a one is worth nothing.

# %% prediction="bet"
### BEGIN SOLUTION
my_loss = 1.53
my_low = 1.48
my_high = 1.60
### END SOLUTION

# %% [markdown]
# And here is the law's own promise, made from the same six points:

# %% alt="Loss against characters on logarithmic axes: six points, the fitted line continued to 512,000 characters, and a narrow grey band around it."
further = 512_000
promised = float(law.predict(x=further)[0])
law_low, law_high = (float(end[0]) for end in law.predict_interval(x=further))
print(f"the law promises {promised:.3f} nats, between {law_low:.3f} and {law_high:.3f} (95 %)")
figures.draw_forecast(samples, losses, law, (further,))

# %% [markdown]
# Nothing beyond 51,200 has entered the fit. Run it, with four seeds:

# %% alt="The same figure with a star at 512,000 characters: the measured loss lies above the line, inside the band, and a green bar shows the reader's interval."
beyond = learning_curve(text, [further], memory=6, seeds=4)[0]
measured = float(beyond.mean())
bet = figures.interval_or_none(my_low, my_high)
kept = law_low < measured < law_high
print("measured: " + ", ".join(f"{one:.3f}" for one in beyond) + f"; mean {measured:.3f} nats")
print(f"{100 * (measured / promised - 1):+.1f} % off the promise, {'inside' if kept else 'outside'} the law's interval")
assert 0 < measured / promised - 1 < 0.04
figures.draw_forecast(samples, losses, law, (further,), (measured,), bet)

# %%
reveal(my_loss, measured, "nats")

# %% [markdown]
# Ten times further, and the promised number was a little too low, by a few per cent at most. Was the *interval* kept
# too? The last line says which of the two you have: the texts differ from one version of Python to the next, and the
# star lies in the upper half of the band or just beyond it. Remember that it lies above the line.
#
# But what would have been easy? Someone who knows no law might say *it will stay as it is*, as it was at 51,200. A
# forecast should be judged against that.

# %% [markdown] exercise="1.1.4"
# Write the **skill** of a forecast: 1 minus its miss, as a share of the naive forecast's miss. Measure both misses as
# $|\log(\text{forecast} / \text{measured})|$, because a law speaks in factors.


# %% exercise="1.1.4"
def skill(predicted, measured, naive):
    """1 for a perfect forecast, 0 for one no better than the naive one, negative for a worse one. Numbers."""
    ### BEGIN SOLUTION
    return 1 - abs(np.log(predicted / measured)) / abs(np.log(naive / measured))
    ### END SOLUTION


# %% check="1.1.4"
check("1.1.4", skill)

# %% [markdown]
# From here on we use `course.power_laws.skill`, which you have just built. An interval has a score of its own: its
# width, plus a fine of forty times the distance by which the truth lies outside (for 95 %; lesson 5.4 builds it,
# `course.laws.interval_score`). Lower is better.

# %%
from course.laws import interval_score
from course.power_laws import skill as skill_of

law_skill = skill_of(promised, measured, loss[-1])
print(f"the law: skill {law_skill:.2f}, interval score {interval_score(law_low, law_high, measured):.3f}")
if bet is not None:
    print(f"you:     interval score {interval_score(*bet, measured):.3f}")
assert law_skill > 0.8

# %% [markdown]
# A law of scale, then, is a **bet that the same factor keeps bringing the same factor**, and for one decade (a factor
# of ten) it paid. Nothing about Python or about counting went into it. That is its power, and its weakness: a law that
# asks for no reasons gives none when it ends. So go ten times further still, to 5,120,000 characters, more than half
# of all the text there is.

# %% alt="Loss against characters on logarithmic axes with the law and its band: the star at 512,000 lies next to the line, the star at 5,120,000 lies clearly above it."
furthest = 5_120_000
at_end = float(learning_curve(text, [furthest], memory=6, seeds=1)[0, 0])
end_low, end_high = (float(end[0]) for end in law.predict_interval(x=furthest))
end_promised = float(law.predict(x=furthest)[0])
print(f"promised {end_promised:.3f}, between {end_low:.3f} and {end_high:.3f} (95 %)")
print(f"measured {at_end:.3f}, {100 * (at_end / end_promised - 1):+.0f} % off the promise")
assert at_end > end_high + 0.05 and at_end / end_promised - 1 > 3 * (measured / promised - 1)
figures.draw_forecast(samples, losses, law, (further, furthest), (measured, at_end))

# %% [markdown]
# **Two decades on, the promise is broken.** The miss is more than three times what it was after one, and far outside
# the interval, which was narrow and sure of itself. The interval knew about noise. It did not know that the law might
# change. What happened?
#
# ## First way to be fooled: the floor
#
# Six characters don't determine the seventh. After `return ` comes almost anything, and no amount of counting
# makes it certain. So the loss has a floor, and the law should have been
#
# $$L = E + A\,D^{-\alpha},$$
#
# with the **irreducible loss** $E$. On logarithmic axes this is no straight line: it bends and runs out level at $E$.
# But over a short range the bend is slight, and a straight line passes for it. Turn the sliders below and look for
# three things:
#
# 1. $R^2$ is the usual mark for a fit: 1 minus the mean squared distance from the line, as a share of the points'
#    variance (their standard deviation squared), here in logarithms. 1 is a perfect line. Over one decade, with
#    exponents up to 0.5 as neural networks have them, it stays above 0.97 whatever the floor. *It can't see the bend.*
# 2. The line's exponent is smaller than the law's. The floor eats it.
# 3. A decade further, the line is too low, at times below the floor itself: it promises too much.
#
# Then set the range to two and three decades. Does that mend the line? Or what else does it do for you?

# %% alt="Six points of a law with exponent 0.5 and a floor of 0.3 over one decade, and a straight line through them with R squared 0.995 and exponent 0.28. A decade further the law levels off while the line goes on falling, 28 per cent too low."
explore(
    figures.draw_hidden,
    alpha=slider(0.5, 0.05, 1.0, 0.05, "exponent alpha"),
    floor=slider(0.3, 0.0, 0.9, 0.05, "floor E, as a share of the first y"),
    decades=slider(1.0, 0.3, 3.0, 0.1, "range seen, in decades"),
)

# %% [markdown]
# A longer range does not mend the line. It makes the bend show: the points leave the line above, below, above, which
# is a pattern and not noise. (Plot what is left over, always.) And how does one read a floor off? Three points will
# do, if each has ten times the data of the one before (any constant factor works). What is left above the floor then
# falls by the same factor twice:
#
# $$\frac{y_2 - E}{y_1 - E} = \frac{y_3 - E}{y_2 - E}.$$

# %% [markdown] exercise="1.1.5"
# Solve this for $E$.


# %% exercise="1.1.5"
def floor_from_three(y1, y2, y3):
    """E of y = E + A x^-alpha, from its values at x, r x and r² x for any r. Three falling numbers in, one out."""
    ### BEGIN SOLUTION
    return (y1 * y3 - y2**2) / (y1 + y3 - 2 * y2)
    ### END SOLUTION


# %% check="1.1.5"
check("1.1.5", floor_from_three)

# %% [markdown]
# From here on we use `course.power_laws.floor_from_three`, which you have just built. Your losses at 51,200, 512,000
# and 5,120,000 characters are such a triple. How sure is its floor? Every loss has the noise of its seeds (the mean of
# $k$ seeds has that of one, divided by $\sqrt{k}$). So move the three losses by their noise, two thousand times, solve
# for $E$ each time, and keep the middle 95 %:

# %%
from course.power_laws import floor_from_three as floor_of
from course.power_laws import floor_interval

triple = loss[-1], measured, at_end
noise = losses[-1].std(ddof=1) / 8**0.5, beyond.std(ddof=1) / 4**0.5, beyond.std(ddof=1)  # 8 seeds, 4 seeds, 1 seed
floor = floor_of(*triple), *floor_interval(triple, noise)
print(f"last three points: E = {floor[0]:.2f}, between {floor[1]:.2f} and {floor[2]:.2f} (95 %)")
assert 0.8 < floor[0] < 1.5 and floor[2] - floor[1] < 0.3

# %% [markdown]
# That looks settled. Now ask two others. `laws.fit_power_floor` fits all three of $E$, $A$ and $\alpha$ to as many
# points as you like: once the first six, in which you saw no bend, and once all eight. **The three will not agree, and
# you have made no mistake.** Run it, and look in the picture for where each curve passes by its points and where it
# misses.

# %% alt="Loss against characters with three curves that level off. The one from the first six points follows them and runs below both stars, with a floor of 0.00 and an interval up to 0.6; the one from the last three points goes through the stars and lies far above the first points, with a floor of 1.10; the one from all eight lies between, with a floor of 0.74 and an interval from 0.3 to 1.0."
six = laws.fit_power_floor(np.repeat(samples, 8), losses.ravel(), bootstrap=500)
eight = laws.fit_power_floor([*samples, further, furthest], [*loss, measured, at_end], bootstrap=500)
print("The fit of the first six says of itself: " + " ".join(six.warnings))
assert six.interval["E"][0] < 0.1 and six.interval["E"][1] > 0.3 and six.params["E"] < eight.params["E"] < floor[0]
figures.draw_floors(
    [*samples, further, furthest], [*loss, *triple[1:]], {"first six points": six, "all eight points": eight}, floor
)

# %% [markdown]
# Take them one by one.
#
# - **The first six** don't know. Where nothing bends yet, a floor of zero fits as well as one of some tenths of a nat.
#   The wide interval and the warning say just that, and it is a good answer.
# - **The last three** have seen the bend. Their narrow interval is about noise alone: *if* the curve is a floor plus
#   one power, $E$ is here. But follow their curve back to the left: it misses the first of your points by a wide
#   margin.
# - **All eight** make a compromise between the two, with a wide interval.
#
# Were the curve exactly *a floor plus one power*, all three would mean the same $E$. It isn't exactly that, so the $E$
# that you find depends on the stretch that you look at. There is a floor; its height you know to some tenths of a nat,
# not to hundredths. Every law here is a description that holds for a while, and the honest interval of a promise is
# wider than the scatter of its points.
#
# ## Second way to be fooled: a short range
#
# Would another formula have done as well? Fit three to the *first few* points: a power law, a logarithm
# $L = a - b \log D$, which has no floor and one day goes below zero, and an exponential $L = A e^{-bD}$. Turn the
# number of points from 3 to 6 and watch the two best: their $R^2$, and what they promise at 512,000.

# %% alt="Loss against characters: four points and three curves through them. The power law and the logarithm pass through all four with R squared above 0.998 and part further on: at 512,000 characters the power law says 1.54 and the logarithm 1.29, while 1.54 is measured. The exponential leaves the points at once."
explore(
    lambda known: figures.draw_three_forms(samples, loss, known, further, measured),
    known=slider(4, 3, 6, 1, "points that are fitted"),
)

# %%
forms = figures.three_forms(samples[:4], loss[:4], further)
for name, (r2, value, _) in forms.items():
    print(f"{name:12} R² {r2:.4f}, promises {value:6.3f} nats at {further:,}: {100 * (value / measured - 1):+.1f} %")
assert forms["logarithm"][0] > 0.995 and 0.8 < forms["logarithm"][1] / measured < 0.9
assert abs(forms["power law"][1] / measured - 1) < 0.05

# %% [markdown]
# The logarithm has an $R^2$ above 0.995, next to that of the power law, and misses by more than a tenth. **$R^2$
# compares a curve with the points it was fitted to.** A promise is about other points. What tells forms apart is
# range, so that they part, and a point held back.
#
# ## Third way to be fooled: a look-alike
#
# Not every straight stretch is a power law of anything. Take sizes that come about by many random *factors*
# multiplied: their logarithms are normal (bell-shaped), so they are called **lognormal**. Clauset, Shalizi and Newman
# (2009) went through two dozen quantities that had been called power laws, from cities to the links of the web, and
# in many of them the data could not tell the two apart. Draw how many things are larger than $x$, look at the top
# tenth down to the top hundredth, as one does, and it is straight. Turn the spread and watch the title: $R^2$ never
# moves, because a wider bell only stretches $\log x$. The exponent does, so you can have any you like; and the wider
# the bell, the further out lies the $x$ at which the truth comes to light.

# %% alt="The share of things larger than x for a lognormal, on logarithmic axes: six points between the top tenth and the top hundredth lie on a straight line with R squared 0.996; further out the curve bends below the line, which is then twenty times too high."
explore(figures.draw_look_alike, spread=slider(2.0, 0.5, 4.0, 0.1, "spread: deviation of log x"))

# %% [markdown]
# ## Thirty years of lines
#
# Among the first to draw such lines in order to spend less on training was a group at Bell Labs. In 1993 Cortes,
# Jackel, Solla, Vapnik and Denker wanted to know *which of several classifiers to train on the whole database*, when
# training each cost a fortune. Their answer: train each on small sets, fit $E + A\,n^{-\alpha}$, and compare where
# the curves lead. They warned of choosing by the small set alone. You can have their problem in ten seconds. Here are
# classifiers that remember one, two, three and six characters:

# %% alt="Learning curves of counting classifiers with a memory of one, two, three and six characters. With few characters to learn from the short memories are best; their curves level off one after the other, and at 1.6 million the longest memory is the lowest."
sizes = 400 * 4 ** np.arange(7)
memories = {memory: learning_curve(text, sizes, memory, seeds=2).mean(axis=1) for memory in (1, 2, 3, 6)}
assert min(memories, key=lambda m: memories[m][0]) < 3 and min(memories, key=lambda m: memories[m][-1]) == 6
figures.draw_memories(sizes, memories)

# %% [markdown]
# A longer memory is a **larger model**: it keeps more numbers. With little data it only gets lost in them. The small
# models win first, and each runs out on a floor of its own. What counts as progress here is neither the model nor the
# data but the two *together*, and that is the shape of everything that follows in this course.
#
# What came after Bell Labs, in four steps:
#
# - **2017, Hestness and co-authors** (Baidu) measured learning curves of deep networks in translation, language,
#   images and speech: power laws throughout, with exponents from 0.07 to 0.35 by their own summary. A better
#   architecture moved the curve down and hardly changed its slope.
# - **2020, Kaplan and co-authors** (OpenAI) did it for language models over many decades, in all three of parameters,
#   data and compute, and drew a conclusion: with ten times the compute, make the model five times larger.
# - **2022, Hoffmann and co-authors** (DeepMind) repeated it with other settings of training and another law, one with
#   a floor, and found otherwise: model and data should grow alike. Their *Chinchilla*, four times smaller than its
#   predecessor, was better for about the same compute.
# - **2024, Besiroglu and co-authors** took the points off Hoffmann's figure and could not get the published fit back
#   from them.
#
# Those who make laws of scale disagree by factors that cost fortunes, and lesson 5.4 finds out why. For now, look at
# the exponents:

# %% alt="Thirteen exponents on a logarithmic axis with the price of one halving beside each. Open squares, for laws without a floor, lie between 0.05 and 0.10 and cost a thousand to a million times more for one halving; filled circles, for laws above a fitted floor, lie between 0.13 and 0.37 and cost 7 to 207 times more. The counting classifier's own is 0.104."
figures.draw_published(alpha)

# %% [markdown]
# (Where the numbers are from: Kaplan and Henighan as in a table of published scaling laws by the institute Epoch AI;
# Besiroglu from the authors' notebook; Hoffmann rounded, as later papers quote them. The factor of five above is
# $10^{0.73}$, the 0.73 also as later papers quote it.)
#
# Two camps. Where the law has no floor, the exponent is about 0.1 or below; where it has one, it is larger, from 0.13
# to 0.37. Some of that is the subject matter, images against language. But for language too Kaplan and Hoffmann differ
# by a factor of three to four and a half, and you have just seen what a floor does to an exponent. **Exponents can be
# compared only within one form of law.** Here is the same effect within one set of data: the neural networks of lesson
# 5.3, which guess the next character of the same text, at the best size of each of seven budgets of compute.

# %%
characters = best_by_budget(sweeps.reference("characters"))
print(
    characters.assign(loss=characters["loss"].round(3)).to_string(index=False, columns=["budget", "n_params", "loss"])
)
plain = laws.fit_power(characters["budget"], characters["loss"])
floored = laws.fit_power_floor(characters["budget"], characters["loss"])
print(f"without a floor: alpha {plain.params['alpha']:.3f}")
print(f"with a floor:    alpha {floored.params['alpha']:.3f}, E {floored.params['E']:.2f} nats")
assert floored.params["alpha"] > 3 * plain.params["alpha"]

# %% [markdown]
# One table, two exponents, a factor of four apart, and neither is a lie. They are exponents of different things: of
# the loss, and of the loss above 1.2 nats.
#
# ## Claim 1.1: does progress rest on size, compute and data?
#
# The history of a field can't be rerun on a laptop. What can be tested is whether the three ingredients do what the
# claim says where they can be varied one at a time: in the recorded runs of lesson 5.3. There 123 neural networks
# with 2,000 to 1.3 million parameters learned from 60,000 to 19 million characters.

# %% alt="Left: loss against data at three fixed sizes; each curve falls and levels off, the smaller the earlier. Stars mark the best run of the smallest budget, at 2.03 nats, and of the largest, at 1.38. Right: loss against size with data held near 1.1 million characters; it falls from 2.26 to 1.39."
runs = sweeps.reference("characters")
figures.draw_ingredients(runs, (10_634, 30_386, 97_538), 1.1e6)

# %% [markdown]
# On the left the model stays as it is and only the data grow: every curve flattens at a height of its own, as those
# of the counting classifiers did. On the right the data stay (at six times those of the start) and the model grows,
# and that curve flattens too. From the start to the end you need both.
#
# And compute? With $N$ and $D$ chosen it is no longer free: training takes about $6ND$ FLOPs (lesson 2.1). It is not
# a third ingredient but **the bill for the other two**. So how much of the way is due to each? A law for both at
# once,
#
# $$L(N, D) = E + A\,N^{-\alpha} + B\,D^{-\beta},$$
#
# (lesson 5.4 takes it apart) splits the fall of the loss into two terms. Beside it, what can be read off directly:
# how far the model of the start, with 10,634 parameters, gets with its size held, on twice the data of the end.
#
# Before you run it: how many per cent of the fall does the law give to size? Write your guess.

# %% prediction="size"
### BEGIN SOLUTION
prediction_size = 70
### END SOLUTION

# %%
from course.power_laws import fall_by_size

falls = {name: fall_by_size(sweeps.reference(name)) for name in ("characters", "bytes")}
for name, fall in falls.items():
    print(f"{name:10} from {fall.start:.2f} to {fall.end:.2f} nats: {fall.share:.0%} by size", end=" ")
    print(f"[{fall.low:.0%}, {fall.high:.0%}], the rest by data")
tokens, directly, by_law = falls["characters"].size_held(runs, 10_634)
print(f"size held, {tokens:,.0f} characters: {directly:.0%} of the way; the law says {by_law:.0%}")
assert 0.3 < falls["bytes"].share < 0.6 and 0.3 < directly < 0.45 and directly + 0.05 < by_law < 0.6
reveal(prediction_size, 100 * falls["characters"].share, "per cent by size", digits=2)

# %% [markdown]
# About half and half: in one family a little more by size, in the other by data. The direct look is a warning, though:
# with the size held, data alone came less far than the fitted law says. Laws fitted to whole sweeps can be off by this
# much in one corner, so read the shares as *about a half*, not to the per cent.
#
# Now something else can be held against both. The course has a sweep in which a single setting was wrong, with sizes
# and budgets unchanged (runs of fewer than 100 steps are left out): the **batch**, the number of samples that a network
# looks at before it corrects itself, was eight times too large. Read off the clean sweep's curve which compute would
# have reached the same loss:

# %%
from course.power_laws import wasted_compute

wasted = wasted_compute(clean=sweeps.reference("characters-quick"), spoiled=sweeps.reference("characters-batch"))
print("one wrong setting wastes the compute by factors of " + ", ".join(f"{factor:.1f}" for factor in wasted))
assert len(wasted) == 3 and 1.5 < wasted.min() < wasted.max() < 3.5

# %% [markdown]
# **What is right in the claim**: both ingredients are needed, in about equal parts, and the bill is a thousandfold.
# **What it leaves out**: one setting of the recipe is worth a factor of about two to three in compute where the
# comparison can be made, and less with each larger budget. And behind those thousandfold bills stand better algorithms
# and better machines. Whether *progress* in speech, images and language rested on the three ingredients or on those,
# this experiment can't say.

# %% claim="1.1"
verdict("1.1", falls["characters"].share)

# %% [markdown]
# ## Claim 1.2: is there a lawful relation?
#
# The test of a law is not its fit but its promise. Take the best loss at each budget, for both recorded sweeps:
# networks on characters, and Transformers (the kind of network behind today's language models) on bytes. First the
# fit: over all three decades of compute, how far are the points from a law with floor? Then the promise: fit the
# first two decades alone, and predict the last two budgets, the further one ten times beyond.

# %% alt="Best loss against compute for the two recorded sweeps, with a law with floor fitted to the first five budgets, and its misses below. For characters the two held-out points lie above the law by up to 3.4 per cent; for bytes they lie below it by up to 4.9 per cent."
best = {name: best_by_budget(sweeps.reference(name)) for name in ("characters", "bytes")}
early = {name: laws.fit_power_floor(b["budget"][:5], b["loss"][:5], bootstrap=500) for name, b in best.items()}
figures.draw_compute_laws(best, early, 5)

# %% [markdown]
# Above, the points and the law; below, by how much it misses each. In numbers, with the skill of the promise at the
# furthest budget, against *it stays as it was at the fifth*:

# %%
for name, b in best.items():
    fitted = laws.fit_power_floor(b["budget"], b["loss"]).predict(x=b["budget"])
    off = 100 * np.abs(fitted / b["loss"] - 1).max()
    ahead, came = float(early[name].predict(x=b["budget"])[-1]), b["loss"].iloc[-1]
    gained = skill_of(ahead, came, b["loss"].iloc[4])
    print(f"{name:10} fit: within {off:.1f} %; a decade ahead: {100 * (ahead / came - 1):+.1f} %, skill {gained:.2f}")
    assert off < 2 and 0.45 < gained < 0.8

# %% [markdown]
# Every budget was run with three seeds. How much of the miss is luck? Make the promise from each seed alone, and keep
# its worst miss:

# %%
from course.power_laws import worst_forecast

missed = {}
for name in best:
    table = sweeps.reference(name)
    missed[name] = [worst_forecast(table[table["seed"] == seed], known=5) for seed in (0, 1, 2)]
    print(f"{name:10} largest miss, each seed: " + ", ".join(f"{value:.1f} %" for value in missed[name]))
worst = np.max(list(missed.values()), axis=0)  # of both
assert max(worst) - min(worst) < 0.2 * min(worst)

# %% [markdown]
# The relation is lawful: over a thousandfold range the loss stays within two per cent of a smooth law, and a law fitted
# to the first hundredfold foresees half to three quarters of what the next tenfold brings. But look at the misses below
# the curves. They are not noise: with each seed alone the law misses by about as much. For characters the law promised
# too much, for bytes too little, and each miss grows with distance. *Two decades of clean points, and the next decade
# is off by three to six per cent*: that is what such a law can promise, here. Whether it guides design is a question of
# its own: lessons 2.2 and 5.3 ask it of the best size (claims 2.7 to 2.9).

# %% claim="1.2"
verdict("1.2", float(np.mean(worst)))

# %% [markdown]
# ## Your own promise

# %% [markdown] exercise="1.1.6"
# Make a promise about something that you could measure, in about 100 words. Which quantity, measured at which small
# sizes, how often each? Which law, and which other law can't you rule out? Which number do you promise, with which
# interval? How does the interval allow for a floor? And which single result would make you withdraw the promise?

# %% exercise="1.1.6"
### BEGIN SOLUTION
my_promise = """
I promise the loss of a classifier that sees a million photographs, and I measure it at 1,000 to 32,000: six sizes, five
seeds each, always on the same photographs that it has not learned from. I fit a power law with a floor and one without.
Over one and a half decades I cannot tell them apart, so my interval covers both promises: 0.31 nats, between 0.26 and
0.38, and I am 90 per cent sure. I write it down before the run. First I test it cheaply, at 100,000 photographs. If that
loss leaves the band, I withdraw the promise. Labels with errors in them would break it, because they set a floor, and so
would a model too small for what a million photographs say.
"""
### END SOLUTION

# %% check="1.1.6"
check("1.1.6", my_promise)

# %% [markdown]
# ## Takeaways
#
# - A power law says: the same factor in brings the same factor out. Its exponent is a price: one halving of the loss
#   costs $2^{1/\alpha}$ times more.
# - A straight line on logarithmic axes proves little. A floor, a short range or a look-alike draw it too, and $R^2$
#   sees none of them. Range does, and a prediction made before the run.
# - Here, one and a half to two decades of points promised one decade more, to within six per cent, and not
#   two. The interval of a fit knows the noise, not the end of the law.
#
# ## One step further
#
# - Let the classifier learn from a text of your own: `task("characters", file="my.txt")`, with 100,000 characters or
#   more. Is its exponent the same? Make the promise first.
# - `course.data.images.mnist1d` makes small signals in ten classes without limit. Measure the learning curve of
#   scikit-learn's `MLPClassifier` on them, from 100 samples on. Where does its power law *begin*?
# - Cortes, Jackel, Solla, Vapnik and Denker, *Learning Curves: Asymptotic Values and Rate of Convergence* (1993), is
#   eight pages long and reads like this year's.
