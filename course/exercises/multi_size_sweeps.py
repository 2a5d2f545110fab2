"""Exercises of lesson 5.3: count a model, plan a sweep, its schedule and its price, the best size, R², a fault."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from course import counting, models, training
from course.exercises.specification import Case, Exercise, Mistake

# --- 5.3.1 and 5.3.2 a model counted by hand ------------------------------------------------------


def _shapes(rng: np.random.Generator) -> list[Case]:
    cases = []
    for window, vocabulary in ((2, 5), (3, 10), (8, 27), (8, 98), (12, 256)):
        embedding, width = int(rng.integers(2, 9)), int(rng.integers(3, 40))
        cases.append(Case((window, vocabulary, embedding, width)))
    return cases


def _counts(window: int, vocabulary: int, embedding: int, width: int) -> counting.Counts:
    return counting.count_shape(models.CharMLPShape(window, vocabulary, embedding, width, vocabulary))


def _parameters(window: int, vocabulary: int, embedding: int, width: int) -> int:
    return _counts(window, vocabulary, embedding, width).n_params


_PARAMETER_MISTAKES = (
    Mistake(
        "no biases",
        lambda w, v, e, h: v * e + w * e * h + h * v,
        "The three matrices are right. Both Dense layers also have a bias for each of their outputs: `width` and "
        "`vocabulary` numbers more.",
    ),
    Mistake(
        "bias of the head missing",
        lambda w, v, e, h: v * e + w * e * h + h + h * v,
        "Only one bias is missing, the head's: it has one number for each of its `vocabulary` outputs.",
    ),
    Mistake(
        "bias of the hidden layer missing",
        lambda w, v, e, h: v * e + w * e * h + h * v + v,
        "Only one bias is missing, the hidden layer's: one number for each of its `width` units.",
    ),
    Mistake(
        "a table for each position",
        lambda w, v, e, h: w * v * e + w * e * h + h + h * v + v,
        "You counted a table for each position of the window. There is one table: all positions look their character "
        "up in the same one.",
    ),
    Mistake(
        "window forgotten",
        lambda w, v, e, h: v * e + e * h + h + h * v + v,
        "The hidden layer sees the whole window: `window` vectors of `embedding` numbers joined to one of "
        "`window * embedding`. You gave it a single character.",
    ),
    Mistake(
        "no embedding",
        lambda w, v, e, h: w * e * h + h + h * v + v,
        "The embedding's table is missing: a row of `embedding` numbers for each character. Nothing multiplies it, but "
        "it is learned, so it counts as parameters.",
    ),
    Mistake(
        "no head",
        lambda w, v, e, h: v * e + w * e * h + h,
        "The head is missing: a matrix from `width` to `vocabulary` numbers, and its bias.",
    ),
    Mistake(
        "one-hot input",
        lambda w, v, e, h: w * v * h + h + h * v + v,
        "You joined one-hot vectors of `vocabulary` numbers. Here each character is first looked up in a table of "
        "shape (vocabulary, embedding), and the hidden layer sees `window * embedding` numbers.",
    ),
)


def _flops(window: int, vocabulary: int, embedding: int, width: int) -> int:
    return _counts(window, vocabulary, embedding, width).training_flops_per_token


_FLOPS_MISTAKES = (
    Mistake(
        "forward only",
        lambda w, v, e, h: 2 * (w * e * h + h * v),
        "This is the forward pass. Training also goes backward, through two products of the same size for each one, so "
        "it takes three times as much.",
    ),
    Mistake(
        "products only",
        lambda w, v, e, h: 3 * (w * e * h + h * v),
        "You counted one FLOP for each weight and pass. A multiplication and an addition are two.",
    ),
    Mistake(
        "one product backward",
        lambda w, v, e, h: 4 * (w * e * h + h * v),
        "You counted the backward pass as one product. It takes two: one for the gradient of the weights, one for the "
        "gradient of what came in. With the forward product that makes three.",
    ),
    Mistake(
        "6N with all parameters",
        lambda w, v, e, h: 6 * (v * e + w * e * h + h + h * v + v),
        "This is 6 N with all parameters. The rule of thumb counts every parameter as if it multiplied something. The "
        "embedding's table is only read, and biases are only added: count the two matrices.",
    ),
    Mistake(
        "embedding as a product",
        lambda w, v, e, h: 6 * (v * e + w * e * h + h * v),
        "You counted the embedding as a product. Looking a row up in a table multiplies nothing: leave `vocabulary * "
        "embedding` out.",
    ),
    Mistake(
        "no head",
        lambda w, v, e, h: 6 * w * e * h,
        "The head is missing. In small models it is a large part of the work: here `width * vocabulary` weights.",
    ),
    Mistake(
        "biases",
        lambda w, v, e, h: 6 * (w * e * h + h + h * v + v),
        "You counted the biases. They are added, not multiplied, and the count is of matrix products.",
    ),
    Mistake(
        "window forgotten",
        lambda w, v, e, h: 6 * (e * h + h * v),
        "The hidden layer multiplies the whole window, `window * embedding` numbers; you gave it one character.",
    ),
)

# --- 5.3.3 from budgets to steps ------------------------------------------------------------------


def plan_steps(budgets: Any, flops_per_token: Any, tokens_per_step: int, least: int = 100) -> np.ndarray:
    """Steps of each run of an IsoFLOP plan, 0 where it is left out. Lesson 5.3.

    budgets: (b,) FLOPs; flops_per_token: (s,) training FLOPs a token of each size. Returns (s, b)
    whole numbers: the steps that come nearest to the budget, or 0 where that is fewer than `least`.
    """
    steps = np.round(np.asarray(budgets)[None, :] / (np.asarray(flops_per_token)[:, None] * tokens_per_step))
    return np.where(steps >= least, steps, 0).astype(int)


def _plan_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for sizes, budgets in ((2, 2), (2, 3), (3, 2), (3, 4)):
        flops = np.sort(rng.integers(3_000, 9_000, size=sizes) * 4 ** np.arange(sizes))
        tokens = int(rng.choice([128, 512]))
        first = 102.6 * flops[0] * tokens  # 103 steps for the smallest size, too few for the others
        cases.append(Case((np.round(first * 6.0 ** np.arange(budgets), -2), flops, tokens, 100)))
    exact = np.array([3_000, 6_000])  # 100 steps for the smallest size and budget: just enough
    cases.append(Case((128 * 3_000 * np.array([100.0, 600.0]), exact, 128, 100)))
    return cases


def _raw_steps(b: Any, f: Any, t: int) -> Any:
    return np.asarray(b)[None, :] / (np.asarray(f)[:, None] * t)


def _kept(steps: Any, least: int) -> Any:
    return np.where(steps >= least, steps, 0)


_PLAN_MISTAKES = (
    Mistake(
        "none left out",
        lambda b, f, t, least: np.round(_raw_steps(b, f, t)),
        "Every number of steps is right, but runs of fewer than `least` steps are still in: put 0 in their place.",
    ),
    Mistake(
        "the least left out too",
        lambda b, f, t, least: _kept(np.round(_raw_steps(b, f, t)), least + 1),
        "You left out the runs of exactly `least` steps too. Only those of *fewer* steps go.",
    ),
    Mistake(
        "raised to the least",
        lambda b, f, t, least: np.maximum(np.round(_raw_steps(b, f, t)), least),
        "You trained the short runs for `least` steps, which costs more than their budget: then the sizes on a curve no "
        "longer have the same compute. Leave them out (0).",
    ),
    Mistake(
        "tokens, not steps",
        lambda b, f, t, least: _kept(np.round(_raw_steps(b, f, 1)), least),
        "These are tokens. A step learns from `tokens_per_step` of them, so divide once more.",
    ),
    Mistake(
        "rounded down",
        lambda b, f, t, least: _kept(np.floor(_raw_steps(b, f, t)), least),
        "You rounded down (`int`, `//` or `floor`); the task asks for the nearest whole number: `round`.",
    ),
    Mistake(
        "rounded up",
        lambda b, f, t, least: _kept(np.ceil(_raw_steps(b, f, t)), least),
        "You rounded up; the task asks for the nearest whole number: `round`.",
    ),
    Mistake(
        "not rounded",
        lambda b, f, t, least: _kept(_raw_steps(b, f, t), least),
        "A run takes whole steps: round to the nearest.",
    ),
    Mistake(
        "transposed",
        lambda b, f, t, least: _kept(np.round(_raw_steps(b, f, t)), least).T,
        "Rows and columns are exchanged: one row for each size, one column for each budget.",
    ),
    Mistake(
        "six times too many",
        lambda b, f, t, least: _kept(np.round(_raw_steps(b, f, 6 * t)), least),
        "You divided by 6 as well. `flops_per_token` is already training FLOPs, forward and backward.",
    ),
    Mistake(
        "the wrong side",
        lambda b, f, t, least: np.where(_raw_steps(b, f, t) >= least, 0, np.round(_raw_steps(b, f, t))),
        "You left the long runs out and kept the short ones. `np.where(condition, a, b)` takes `a` where the condition "
        "holds.",
    ),
)

# --- 5.3.4 the schedule that branches -------------------------------------------------------------


def _schedule(step: int, steps: int, peak: float, warmup: int, cooldown: float) -> float:
    recipe = training.Recipe(batch=1, rate=peak, rate_power=0.0, warmup=warmup, cooldown=cooldown)
    return float(training.learning_rate(recipe, 64, step, steps))


def _schedule_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for _ in range(2):
        steps, warmup = 10 * int(rng.integers(20, 60)), int(rng.integers(8, 30))
        cooldown, peak = float(rng.choice([0.2, 0.3, 0.4])), float(rng.choice([0.01, 0.02, 0.005]))
        start = steps - round(cooldown * steps)
        for step, part in (
            (int(rng.integers(0, warmup - 2)), "warm-up"),
            (warmup - 1, "warm-up"),
            (int(rng.integers(warmup, start)), "stable phase"),
            (int(rng.integers(start + 2, steps - 2)), "cool-down"),
            (steps - 1, "cool-down"),
        ):
            cases.append(Case((step, steps, peak, warmup, cooldown), part))
    cases.append(Case((0, 200, 0.01, 10, 0.3), "warm-up"))
    return cases


def _rate(
    rise: Callable[[int, int], float] = lambda step, warmup: min(1.0, (step + 1) / warmup),
    fall: Callable[[int, int, float], float] | None = None,
) -> Callable[..., float]:
    """A wrong schedule: its own rise, or its own fall, from the step, the steps and the cool-down."""

    def right(step: int, steps: int, cooldown: float) -> float:
        return min(1.0, (steps - step) / (cooldown * steps))

    return lambda step, steps, peak, warmup, cooldown: (
        peak * rise(step, warmup) * (fall or right)(step, steps, cooldown)
    )


_SCHEDULE_MISTAKES = (
    Mistake(
        "starts at zero",
        _rate(rise=lambda step, warmup: min(1.0, step / warmup)),
        "Your warm-up starts at a rate of 0, so the first step is wasted. Steps count from 0, and the first one has "
        "1/warmup of the peak: (step + 1) / warmup.",
    ),
    Mistake(
        "no warm-up",
        _rate(rise=lambda step, warmup: 1.0),
        "The warm-up is missing: the first `warmup` steps rise linearly to the peak.",
    ),
    Mistake(
        "no cool-down",
        _rate(fall=lambda step, steps, c: 1.0),
        "The cool-down is missing: over the last `cooldown` share of the steps the rate falls linearly to zero.",
    ),
    Mistake(
        "cosine",
        _rate(fall=lambda step, steps, c: 0.5 * (1 + math.cos(math.pi * max(0.0, 1 - (steps - step) / (c * steps))))),
        "Your cool-down follows a cosine. The task asks for a straight line.",
    ),
    Mistake(
        "falls all the way",
        _rate(fall=lambda step, steps, c: (steps - step) / steps),
        "Your rate falls from the beginning, so there is no stable phase to branch from. It should fall only in the last "
        "`cooldown` share of the steps.",
    ),
    Mistake(
        "cool-down too early",
        _rate(fall=lambda step, steps, c: min(1.0, (steps - step) / ((1 - c) * steps))),
        "The cool-down starts after a share `cooldown` of the steps. It should *take* that share, so it starts at "
        "(1 - cooldown) * steps.",
    ),
    Mistake(
        "zero at the last step",
        _rate(fall=lambda step, steps, c: min(1.0, (steps - 1 - step) / (c * steps - 1))),
        "The last step, number `steps` - 1, has rate 0 and so does nothing. Let the line reach zero at step `steps`, "
        "which is no longer taken: (steps - step) / (cooldown * steps).",
    ),
    Mistake(
        "one step too early",
        _rate(fall=lambda step, steps, c: min(1.0, (steps - 1 - step) / (c * steps))),
        "Your line is one step early: it reaches zero at step `steps` - 1, the last one, which then does nothing. Count "
        "the steps that are left from `steps`: (steps - step) / (cooldown * steps).",
    ),
    Mistake(
        "falls by a share",
        _rate(fall=lambda step, steps, c: min(1.0, 1 - (step - (1 - c) * steps) / steps)),
        "Your cool-down is too slow: it ends at 1 - `cooldown` of the peak, not at zero. Divide by the cool-down's own "
        "length, cooldown * steps, not by all steps.",
    ),
    Mistake(
        "drops at once",
        _rate(fall=lambda step, steps, c: (steps - step) / steps if step >= (1 - c) * steps else 1.0),
        "Where the cool-down begins your rate drops at once to `cooldown` times the peak. The line starts at the peak: "
        "divide by the cool-down's own length, cooldown * steps.",
    ),
    Mistake(
        "a share, not a rate",
        lambda step, steps, peak, warmup, cooldown: (
            min(1.0, (step + 1) / warmup) * min(1.0, (steps - step) / (cooldown * steps))
        ),
        "This is the share of the peak rate, between 0 and 1. Multiply it by `peak`.",
    ),
)

# --- 5.3.5 what branching saves -------------------------------------------------------------------


def steps_taken(steps: Any, cooldown: float) -> tuple[float, float]:
    """Optimiser steps for runs of these many steps: each from its start, and branched off one stable phase.

    steps: (b,); cooldown: share of a run. Returns (separate, branched). Lesson 5.3.
    """
    steps = np.asarray(steps, dtype=float)
    return float(steps.sum()), float((1 - cooldown) * steps.max() + cooldown * steps.sum())


def _branch_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for number in (2, 3, 4, 6):
        steps = 10 * rng.integers(10, 40) * np.array([1, 2, 4, 7, 16, 32])[:number]
        cases.append(Case((steps, float(rng.choice([0.1, 0.2, 0.3, 0.4])))))
    return cases


def _branched(formula: Callable[[Any, float], float]) -> Callable[[Any, float], tuple[float, float]]:
    return lambda s, c: (float(np.sum(s)), float(formula(np.asarray(s, dtype=float), c)))


_BRANCH_MISTAKES = (
    Mistake(
        "the longest only",
        _branched(lambda s, c: s.max()),
        "These are the steps of the longest run alone. The other budgets need cool-downs of their own: a share "
        "`cooldown` of each one's steps.",
    ),
    Mistake(
        "cool-downs beside a full run",
        _branched(lambda s, c: s.max() + c * s.sum()),
        "You trained the longest run to its end and added its cool-down again. The stable phase ends at (1 - cooldown) "
        "of the longest run, where its own cool-down branches off.",
    ),
    Mistake(
        "equal cool-downs",
        _branched(lambda s, c: (1 - c) * s.max() + c * s.max() * len(s)),
        "Your cool-downs are all as long as the longest run's. Each takes a share of its *own* steps.",
    ),
    Mistake(
        "stable phases not shared",
        _branched(lambda s, c: (1 - c) * s.sum() + c * s.sum()),
        "You added the stable phases of all runs, so nothing is shared. There is one stable phase, as long as the "
        "longest run needs.",
    ),
    Mistake(
        "no cool-downs",
        _branched(lambda s, c: (1 - c) * s.max()),
        "This is the stable phase alone. Each budget's run ends with a cool-down, `cooldown` times its own steps.",
    ),
    Mistake(
        "one cool-down missing",
        _branched(lambda s, c: (1 - c) * s.max() + c * (s.sum() - s.max())),
        "The longest run's own cool-down is missing.",
    ),
    Mistake(
        "shares exchanged",
        _branched(lambda s, c: c * s.max() + (1 - c) * s.sum()),
        "Stable phase and cool-down are exchanged: the cool-down is the share `cooldown`, the stable phase the rest.",
    ),
    Mistake(
        "branched first",
        lambda s, c: steps_taken(s, c)[::-1],
        "Both numbers are right, in the other order: first the separate runs, then the branched ones.",
    ),
)

# --- 5.3.6 the best size of a budget --------------------------------------------------------------


def best_size(n_params: Any, loss: Any) -> float:
    """Size at the lowest point of a parabola of log loss against log N; NaN when the smallest loss is at an edge.

    n_params: (k,) parameters, rising; loss: (k,). Least squares through all points. Hoffmann et al. 2022,
    section 3.2. Lesson 5.3.
    """
    n_params, loss = np.asarray(n_params, dtype=float), np.asarray(loss, dtype=float)
    if np.argmin(loss) in (0, len(loss) - 1):
        return math.nan
    a, b, _ = np.polyfit(np.log(n_params), np.log(loss), 2)
    return float(np.exp(-b / (2 * a)))


def _size_cases(rng: np.random.Generator) -> list[Case]:
    def case(points: int, where: float, part: str) -> Case:
        """`where`: place of the optimum among the sizes, 0 at the first and 1 at the last."""
        n = np.round(10 ** (rng.uniform(3.2, 3.6) + np.linspace(0, rng.uniform(1.2, 1.6), points)))
        x = np.log(n)
        best = x[0] + where * (x[-1] - x[0])
        noise = 0.002 * rng.normal(size=points)
        loss = rng.uniform(1.4, 2.0) + rng.uniform(0.04, 0.07) * (x - best) ** 2 - 0.006 * (x - best) ** 3 + noise
        return Case((n, loss.round(4)), part)

    inside = [case(points, rng.uniform(0.4, 0.6), "optimum inside") for points in (4, 5, 6, 7)]
    mixed = [case(points, where, "optimum inside or at an edge") for points, where in ((5, 0.5), (5, 1.15), (6, -0.15))]
    return [*inside, *mixed]


def _vertex(x: Any, loss: Any) -> float:
    a, b, _ = np.polyfit(x, np.log(loss), 2)
    return float(-b / (2 * a))


def _checked(formula: Callable[[Any, Any], float]) -> Callable[[Any, Any], float]:
    """A wrong formula that does look whether the smallest loss is at an edge."""
    return lambda n, loss: math.nan if np.argmin(loss) in (0, len(loss) - 1) else formula(n, loss)


def _polyfit_log(n: Any, loss: Any) -> Any:
    return np.polyfit(np.log(n), np.log(loss), 2)


def _lowest_three(n: Any, loss: Any) -> float:
    i = int(np.argmin(loss))
    return float(np.exp(_vertex(np.log(n[i - 1 : i + 2]), loss[i - 1 : i + 2])))


_SIZE_MISTAKES = (
    Mistake(
        "no look at the edge",
        lambda n, loss: float(np.exp(_vertex(np.log(n), loss))),
        "The parabola is right, but you also return its lowest point where the smallest measured loss is at the first or "
        "last size. There the minimum was not seen, and the parabola only guesses where it might be: return `nan`.",
    ),
    Mistake(
        "the smallest measured loss",
        lambda n, loss: float(n[np.argmin(loss)]),
        "You took the size with the smallest measured loss. It can only be one of the sizes that were trained, and noise "
        "chooses among neighbours. The parabola uses all points and finds a size between them.",
    ),
    Mistake(
        "the smallest measured loss, not at an edge",
        _checked(lambda n, loss: float(n[np.argmin(loss)])),
        "The edges are looked after. Inside, you took the measured size with the smallest loss; let a parabola through "
        "all points find the place between them.",
    ),
    Mistake(
        "parabola in N",
        _checked(lambda n, loss: _vertex(n, loss)),
        "You fitted the parabola in N. The sizes grow by factors, so in N the largest ones decide everything and the "
        "curve is lopsided. Fit in log N and go back with `np.exp`.",
    ),
    Mistake(
        "parabola in N, no look at the edge",
        lambda n, loss: _vertex(n, loss),
        "Two things: fit the parabola in log N, not in N; and return `nan` where the smallest loss is at an edge.",
    ),
    Mistake(
        "the logarithm",
        _checked(lambda n, loss: _vertex(np.log(n), loss)),
        "This is log N at the lowest point. Go back to N with `np.exp`.",
    ),
    Mistake(
        "the common logarithm",
        _checked(lambda n, loss: _vertex(np.log10(n), loss)),
        "This is log10 N at the lowest point. Go back to N with `10 ** ...`.",
    ),
    Mistake(
        "two bases, exp",
        _checked(lambda n, loss: float(np.exp(_vertex(np.log10(n), loss)))),
        "You took log10 on the way in and exp on the way out. Use the same base both ways.",
    ),
    Mistake(
        "two bases, ten",
        _checked(lambda n, loss: float(10 ** _vertex(np.log(n), loss))),
        "You took the natural logarithm on the way in and 10 ** ... on the way out. Use the same base both ways.",
    ),
    Mistake(
        "no factor 2",
        _checked(lambda n, loss: float(np.exp(-_polyfit_log(n, loss)[1] / _polyfit_log(n, loss)[0]))),
        "The slope 2 a x + b is zero at x = -b / (2a); the factor 2 is missing.",
    ),
    Mistake(
        "wrong sign",
        _checked(lambda n, loss: float(np.exp(-_vertex(np.log(n), loss)))),
        "The sign is wrong: the slope 2 a x + b is zero at x = -b / (2a), with a minus.",
    ),
    Mistake(
        "coefficients exchanged",
        _checked(lambda n, loss: float(np.exp(-_polyfit_log(n, loss)[1] / (2 * _polyfit_log(n, loss)[2])))),
        "`np.polyfit(x, y, 2)` returns the highest power first: a, b, c of a x² + b x + c. You divided by c.",
    ),
    Mistake(
        "no logarithm of the loss",
        _checked(lambda n, loss: float(np.exp(_vertex(np.log(n), np.exp(loss))))),
        "You fitted the loss itself. Take its logarithm too: then a doubling of the loss counts the same at every "
        "budget, and the fit agrees with `course.laws.fit_isoflop`.",
    ),
    Mistake(
        "three points",
        _checked(_lowest_three),
        "You used the lowest point and its two neighbours. Through three points a parabola goes exactly, noise included; "
        "the task asks for least squares through all points.",
    ),
    Mistake(
        "the loss",
        _checked(lambda n, loss: float(np.exp(np.polyval(_polyfit_log(n, loss), _vertex(np.log(n), loss))))),
        "This is the loss at the lowest point. The task asks for the size at which it is reached.",
    ),
)

# --- 5.3.7 R squared ------------------------------------------------------------------------------


def r_squared(loss: Any, predicted: Any) -> float:
    """Share of the variance of log loss that a law explains. loss, predicted: (k,) nats. Lesson 5.3."""
    y, fitted = np.log(np.asarray(loss, dtype=float)), np.log(np.asarray(predicted, dtype=float))
    return float(1 - np.sum((y - fitted) ** 2) / np.sum((y - y.mean()) ** 2))


def _r_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for points, noise, off in ((4, 0.05, 0.0), (5, 0.02, 0.03), (6, 0.1, 0.0), (9, 0.05, -0.05)):
        predicted = rng.uniform(1.0, 3.0) * np.geomspace(1, rng.uniform(0.3, 0.6), points)
        loss = predicted * np.exp(off + noise * rng.normal(size=points))
        cases.append(Case((loss.round(4), predicted.round(4))))
    return cases


def _r(y: Any, fitted: Any) -> float:
    return float(1 - np.sum((y - fitted) ** 2) / np.sum((y - np.mean(y)) ** 2))


_R_MISTAKES = (
    Mistake(
        "no logarithm",
        lambda loss, predicted: _r(loss, predicted),
        "You compared the losses themselves. The task asks for their logarithms: take `np.log` of both first.",
    ),
    Mistake(
        "what is not explained",
        lambda loss, predicted: 1 - r_squared(loss, predicted),
        "This is the share that the law does *not* explain. R² is 1 minus it.",
    ),
    Mistake(
        "correlation",
        lambda loss, predicted: float(np.corrcoef(np.log(loss), np.log(predicted))[0, 1] ** 2),
        "This is the squared correlation. It forgives a law that is off by a factor or has the wrong slope: it is that "
        "of the best line through the points, and not of the law's own predictions.",
    ),
    Mistake(
        "mean not subtracted",
        lambda loss, predicted: (
            1 - np.sum((np.log(loss) - np.log(predicted)) ** 2) / np.sum(np.log(np.asarray(loss)) ** 2)
        ),
        "Below the line stand the squared distances from the *mean* of log loss. You left the mean out.",
    ),
    Mistake(
        "exchanged",
        lambda loss, predicted: r_squared(predicted, loss),
        "The two arguments are exchanged: the variance below the line is the measured losses', not the predictions'.",
    ),
    Mistake(
        "root",
        lambda loss, predicted: 1 - math.sqrt(1 - r_squared(loss, predicted)),
        "You compared standard deviations. R² compares squares: no root.",
    ),
    Mistake(
        "absolute values",
        lambda loss, predicted: float(
            1 - np.sum(np.abs(np.log(loss) - np.log(predicted))) / np.sum(np.abs(np.log(loss) - np.mean(np.log(loss))))
        ),
        "You added absolute deviations. Variance is made of squares.",
    ),
)

# --- 5.3.8 a gradient with repeated ids -----------------------------------------------------------


def squared_gradient(ids: Any, values: Any, rows: int) -> np.ndarray:
    """Square of an embedding's gradient, which comes as slices with repeated ids; shape (rows, width).

    ids: (k,) row of each slice; values: (k, width). Slices of the same row are added before the
    square is taken. Lesson 5.3.
    """
    dense = np.zeros((rows, np.shape(values)[1]))
    np.add.at(dense, np.asarray(ids), np.asarray(values))
    return dense**2


def _slice_cases(rng: np.random.Generator) -> list[Case]:
    cases = [Case((np.array([0, 0]), np.array([[1.0], [2.0]]) * int(rng.integers(1, 4)), 2))]
    for slices, width, rows in ((3, 1, 3), (4, 2, 3), (6, 2, 4), (9, 3, 5)):
        ids = rng.integers(0, rows - 1, size=slices)
        ids[-1] = ids[0]
        ids[1] = ids[0]
        values = rng.choice([-3.0, -2.0, -1.0, 1.0, 2.0, 4.0], size=(slices, width))
        cases.append(Case((ids, values, rows)))
    return cases


def _scatter(ids: Any, values: Any, rows: int) -> np.ndarray:
    dense = np.zeros((rows, np.shape(values)[1]))
    np.add.at(dense, ids, values)
    return dense


def _last_wins(ids: Any, values: Any, rows: int) -> np.ndarray:
    dense = np.zeros((rows, values.shape[1]))
    dense[ids] += values
    return dense


_SLICE_MISTAKES = (
    Mistake(
        "squared before the sum",
        lambda ids, values, rows: _scatter(ids, values**2, rows),
        "You squared each slice and then added: 1² + 2² = 5 where (1 + 2)² = 9 is right. This is the fault itself. The "
        "gradient of a row is the sum of its slices; square that.",
    ),
    Mistake(
        "the last slice wins",
        lambda ids, values, rows: _last_wins(ids, values, rows) ** 2,
        "`dense[ids] += values` adds only the last slice of a repeated id: NumPy reads, adds and writes once for each "
        "row. Use `np.add.at(dense, ids, values)`, or a loop over the slices.",
    ),
    Mistake(
        "no square",
        _scatter,
        "This is the gradient, and its repeated ids are added rightly. Return its square.",
    ),
    Mistake(
        "mean of the slices",
        lambda ids, values, rows: (
            (_scatter(ids, values, rows) / np.maximum(np.bincount(ids, minlength=rows), 1)[:, None]) ** 2
        ),
        "You averaged the slices of a row. The gradient of a row that is used twice is the sum of both uses.",
    ),
    Mistake(
        "mean of the squares",
        lambda ids, values, rows: (
            _scatter(ids, values**2, rows) / np.maximum(np.bincount(ids, minlength=rows), 1)[:, None]
        ),
        "You averaged the squares of the slices. Add the slices of a row first, then take one square.",
    ),
    Mistake(
        "one square for a row",
        lambda ids, values, rows: np.sum(_scatter(ids, values, rows) ** 2, axis=1),
        "You added over the width too. Adam keeps a second moment for every single weight: shape (rows, width).",
    ),
    Mistake(
        "the largest slice",
        lambda ids, values, rows: np.array(
            [np.max(np.vstack([values[ids == r] ** 2, np.zeros_like(values[:1])]), axis=0) for r in range(rows)]
        ),
        "You kept the largest of the squares. Add the slices of a row, then square the sum.",
    ),
)

# --- the list -------------------------------------------------------------------------------------

_PLAN_OF_YOUR_OWN = (
    "I have two hours on a laptop of 300 GFLOP/s, of which about half is reached: 1e15 FLOPs. I plan six budgets from "
    "1e11 to 1e13, so two decades, and eight sizes by factors of 1.5 around the optimum that the small sweep "
    "extrapolates to, so that the best size lies inside and not at the edge of each curve. Three seeds, because two "
    "sweeps differ by more than a bootstrap within one says. First a sweep of the learning rate at a small and a large "
    "size, then the rate as a power of the size between them. Branched cool-downs keep the price near that of the "
    "longest runs. I keep the 1e13 runs out of the fit and predict them before they are made: if they miss the "
    "interval, I trust the exponent no further."
)


def _lacks(*words: str) -> Callable[[str], bool]:
    return lambda text: not any(word in text for word in words)


EXERCISES = (
    Exercise(
        id="5.3.1",
        title="Count the parameters",
        points=1,
        minutes=5,
        difficulty=1,
        reference=_parameters,
        cases=_shapes,
        mistakes=_PARAMETER_MISTAKES,
        rtol=1e-12,
        hints=(
            "Go through the table in the text above row by row: each layer's parameters are its matrix and its bias.",
            "The table has `vocabulary * embedding` numbers; the hidden layer `window * embedding * width + width`.",
            "The head has `width * vocabulary + vocabulary`. Add the three.",
        ),
    ),
    Exercise(
        id="5.3.2",
        title="Count the FLOPs of a token",
        points=1,
        minutes=5,
        difficulty=1,
        reference=_flops,
        cases=_shapes,
        mistakes=_FLOPS_MISTAKES,
        rtol=1e-12,
        hints=(
            "Which weights are multiplied with something? Not the rows that are looked up, not the biases.",
            "Two matrices are left. Forward, each of their weights takes one multiplication and one addition.",
            "Times three for training: 6 * (window * embedding * width + width * vocabulary).",
        ),
    ),
    Exercise(
        id="5.3.3",
        title="From budgets to steps",
        points=2,
        minutes=8,
        difficulty=2,
        reference=plan_steps,
        cases=_plan_cases,
        mistakes=_PLAN_MISTAKES,
        rtol=1e-9,
        hints=(
            "FLOPs of a step = FLOPs of a token times tokens of a step. A budget pays for budget / that many steps.",
            "`budgets[None, :] / flops_per_token[:, None]` has a row for each size and a column for each budget.",
            "`np.where(steps >= least, steps, 0)` puts zeros where a run is too short.",
        ),
    ),
    Exercise(
        id="5.3.4",
        title="A rate that branches",
        points=2,
        minutes=8,
        difficulty=2,
        reference=_schedule,
        cases=_schedule_cases,
        mistakes=_SCHEDULE_MISTAKES,
        hints=(
            "Write the share of the peak as a product: a rise that ends at 1, times a fall that begins at 1.",
            "The rise is min(1, (step + 1) / warmup).",
            "The fall is min(1, (steps - step) / (cooldown * steps)): 1 until `cooldown * steps` steps are left.",
        ),
    ),
    Exercise(
        id="5.3.5",
        title="What branching saves",
        points=1,
        minutes=5,
        difficulty=1,
        reference=steps_taken,
        cases=_branch_cases,
        mistakes=_BRANCH_MISTAKES,
        hints=(
            "Made one by one, the runs take the sum of their steps.",
            "Branched, there is one stable phase, as long as the longest run needs, and a cool-down for every run.",
            "(1 - cooldown) * max(steps) + cooldown * sum(steps).",
        ),
    ),
    Exercise(
        id="5.3.6",
        title="The best size of a budget",
        points=3,
        minutes=10,
        difficulty=2,
        reference=best_size,
        cases=_size_cases,
        mistakes=_SIZE_MISTAKES,
        hints=(
            "`np.polyfit(x, y, 2)` returns a, b, c of the parabola a x² + b x + c. Here x = log N and y = log loss.",
            "Its slope 2 a x + b is zero at x = -b / (2a). That is log N; go back to N.",
            "Before the fit: where is the smallest loss? `np.argmin(loss)` gives its place; 0 and len(loss) - 1 are "
            "the edges.",
        ),
    ),
    Exercise(
        id="5.3.7",
        title="How good is a fit said to be",
        points=1,
        minutes=4,
        difficulty=1,
        reference=r_squared,
        cases=_r_cases,
        mistakes=_R_MISTAKES,
        hints=(
            "Take the logarithm of both first.",
            "Above the line: the sum of squares of (measured - predicted). Below: of (measured - mean of measured).",
        ),
    ),
    Exercise(
        id="5.3.8",
        title="The square of a sum",
        points=2,
        minutes=6,
        difficulty=2,
        reference=squared_gradient,
        cases=_slice_cases,
        mistakes=_SLICE_MISTAKES,
        hints=(
            "First build the whole gradient, shape (rows, width), from zeros; then square it.",
            "Each slice is *added* to its row. A loop over the slices does it; so does `np.add.at(dense, ids, values)`.",
        ),
    ),
    Exercise(
        id="5.3.9",
        title="A sweep of your own",
        points=3,
        minutes=12,
        difficulty=3,
        kind="text",
        reference=_PLAN_OF_YOUR_OWN,
        min_words=60,
        mistakes=(
            Mistake(
                "no seeds",
                _lacks("seed"),
                "Your plan says nothing about seeds. One sweep of one seed cannot tell a law from luck: how many do you "
                "take, and what do you give up for them?",
            ),
            Mistake(
                "no learning rate",
                _lacks("rate", "rates"),
                "Your plan says nothing about the learning rate. A rate that suits one size spoils another: how do you "
                "choose it, and for which sizes?",
            ),
            Mistake(
                "no edges",
                _lacks("edge", "interior", "inside", "bracket", "both sides", "either side"),
                "How do you make sure that the best size lies inside the sizes of each budget, and not at their edge? "
                "Say how you choose the sizes.",
            ),
            Mistake(
                "no number of FLOPs",
                lambda text: "flop" not in text,
                "Say what the plan costs, in FLOPs: a plan without its price cannot be defended.",
            ),
        ),
        hints=(
            "Begin with the price: the rate of your machine times the time you have, times the share that training "
            "reaches.",
            "Then say: which budgets and why, which sizes and why, how many seeds, how the learning rate is chosen.",
            "What would show you that the result is wrong? Keep something out of the fit and predict it.",
        ),
    ),
)
