"""Exercises of lesson 3.1: equal cost, the start, alike inputs, multipliers of width, the best rate, a plan to grow."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from course import parameterisation
from course.exercises.specification import Case, Exercise, Mistake

# --- 3.1.1 widths of equal cost -------------------------------------------------------------------


def _cost_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for layers, part in (
        (2, "two layers"),
        (2, "two layers"),
        (4, "more layers"),
        (8, "more layers"),
        (16, "more layers"),
    ):
        inputs, outputs = int(rng.integers(10, 60)), int(rng.integers(2, 12))
        width = float(rng.integers(20, 90)) + float(rng.choice([0.2, 0.3, 0.7, 0.8]))
        cases.append(Case((round((inputs + outputs) * width + (layers - 1) * width**2), layers, inputs, outputs), part))
    cases.append(Case((5000, 1, 40, 10), "one layer"))
    cases.append(Case((int(rng.integers(3000, 9000)), 1, 30, 5), "one layer"))
    return cases


def _root(square: float, ends: float, weights: float) -> float:
    return weights / ends if square == 0 else (math.sqrt(ends**2 + 4 * square * weights) - ends) / (2 * square)


_COST_MISTAKES = (
    Mistake(
        "a square too many",
        lambda c, n, i, o: round(_root(n, i + o, c)),
        "You counted `layers` square matrices. Between `layers` hidden layers there are `layers` - 1: the first hidden "
        "layer's matrix comes from the inputs.",
    ),
    Mistake(
        "squares only",
        lambda c, n, i, o: round(math.sqrt(c / max(n - 1, 1))),
        "You counted the square matrices between hidden layers and left out the first and the last one, inputs x width "
        "and width x outputs. In small models they are a large part.",
    ),
    Mistake(
        "no head",
        lambda c, n, i, o: round(_root(n - 1, i, c)),
        "The head's matrix is missing: width x outputs.",
    ),
    Mistake(
        "no first matrix",
        lambda c, n, i, o: round(_root(n - 1, o, c)),
        "The first matrix is missing: inputs x width.",
    ),
    Mistake(
        "rounded down",
        lambda c, n, i, o: int(_root(n - 1, i + o, c)),
        "You rounded down (`int` or `//`); the task asks for the nearest whole number: `round`.",
    ),
    Mistake(
        "not rounded",
        lambda c, n, i, o: _root(n - 1, i + o, c),
        "The equation is solved; a width is a whole number, so round to the nearest.",
    ),
    Mistake(
        "half the root",
        lambda c, n, i, o: (
            round((math.sqrt((i + o) ** 2 + 4 * (n - 1) * c) - (i + o)) / 2) if n > 1 else round(c / (i + o))
        ),
        "The quadratic formula divides by 2a, and a is the number of square matrices: you divided by 2.",
    ),
    Mistake(
        "with biases",
        lambda c, n, i, o: round(_root(n - 1, i + o + n, c - o)),
        "You counted the biases. They are added, not multiplied: only the matrices' weights cost.",
    ),
    Mistake(
        "FLOPs",
        lambda c, n, i, o: round(_root(n - 1, i + o, c / 6)),
        "You divided by 6. `weights` already counts weights, not FLOPs.",
    ),
)

# --- 3.1.2 the start ------------------------------------------------------------------------------


def initial_std(fan_in: int, fan_out: int) -> float:
    """Standard deviation of a matrix from fan_in to fan_out numbers that follows a ReLU; fan_out does not matter."""
    return parameterisation.initial_std(fan_in)


def _std_cases(rng: np.random.Generator) -> list[Case]:
    pairs = [(8, 50), (100, 30), (64, 512), (512, 10), (int(rng.integers(10, 40)), int(rng.integers(50, 90)))]
    return [Case(pair) for pair in pairs]


_STD_MISTAKES = (
    Mistake(
        "variance",
        lambda i, o: 2 / i,
        "This is the variance. The standard deviation is its square root.",
    ),
    Mistake(
        "no ReLU",
        lambda i, o: 1 / math.sqrt(i),
        "This keeps the scale through a matrix alone. The ReLU before it sets half of the numbers to 0, and with them half of "
        "the mean square: make up for it with a factor 2 in the variance.",
    ),
    Mistake(
        "no ReLU, variance",
        lambda i, o: 1 / i,
        "This is a variance, and one without the ReLU's factor 2. Put the factor in and take the square root.",
    ),
    Mistake(
        "twice",
        lambda i, o: 2 / math.sqrt(i),
        "The factor 2 belongs in the variance: sqrt(2 / fan_in), not 2 / sqrt(fan_in).",
    ),
    Mistake(
        "half",
        lambda i, o: 1 / math.sqrt(2 * i),
        "The ReLU *loses* half of the mean square, so the weights must be larger, not smaller: the 2 goes above the line.",
    ),
    Mistake(
        "fan out",
        lambda i, o: math.sqrt(2 / o),
        "You used `fan_out`. Each output is a sum over what comes *in*: its variance is fan_in terms' together.",
    ),
    Mistake(
        "Glorot",
        lambda i, o: math.sqrt(2 / (i + o)),
        "This is Glorot and Bengio's compromise between forward and backward pass, for layers without ReLU (Keras' default). "
        "Forward with a ReLU it is only `fan_in` that counts, and a factor 2 is needed for the ReLU.",
    ),
    Mistake(
        "grows",
        lambda i, o: math.sqrt(i / 2),
        "This is the inverse: the more terms a sum has, the *smaller* each weight must be.",
    ),
)

# --- 3.1.3 alike ----------------------------------------------------------------------------------


def after_layers(cosine: float, layers: int) -> float:
    """Cosine between two inputs' numbers after so many further ReLU layers of a wide random network."""
    return float(parameterisation.similarity(cosine, layers + 1)[-1])


def _alike_cases(rng: np.random.Generator) -> list[Case]:
    cases = [Case((0.0, 1), "one layer"), Case((float(np.round(rng.uniform(0.2, 0.8), 2)), 1), "one layer")]
    cases.append(Case((float(np.round(rng.uniform(-0.8, -0.2), 2)), 1), "one layer"))
    for layers in (2, 5, 15):
        cases.append(Case((float(np.round(rng.uniform(-0.5, 0.6), 2)), layers), "several layers"))
    return cases


def _repeated(step: Callable[[float], float]) -> Callable[[float, int], float]:
    def answer(cosine: float, layers: int) -> float:
        for _ in range(layers):
            cosine = step(cosine)
        return cosine

    return answer


_ALIKE_MISTAKES = (
    Mistake(
        "one layer only",
        lambda c, n: parameterisation.next_similarity(c),
        "You applied the formula once. Each layer's result is the next one's cosine: repeat it `layers` times.",
    ),
    Mistake(
        "a layer too many",
        lambda c, n: after_layers(c, n + 1),
        "One layer too many: `range(layers)` runs `layers` times; you ran it once more.",
    ),
    Mistake(
        "a layer too few",
        lambda c, n: after_layers(c, n - 1),
        "One layer too few: after 1 layer the formula has been applied once.",
    ),
    Mistake(
        "no pi below",
        _repeated(lambda c: min(1.0, math.sqrt(1 - min(c, 1) ** 2) + c * (math.pi - math.acos(min(c, 1))))),
        "The whole bracket is divided by pi.",
    ),
    Mistake(
        "pi under the second term only",
        _repeated(lambda c: min(1.0, math.sqrt(1 - min(c, 1) ** 2) + c * (math.pi - math.acos(min(c, 1))) / math.pi)),
        "Only the second term was divided by pi: put the sum in brackets.",
    ),
    Mistake(
        "the angle itself",
        _repeated(lambda c: (math.sqrt(1 - c**2) + c * math.acos(c)) / math.pi),
        "The second term has pi - arccos(c), not arccos(c): equal inputs (c = 1) must stay equal.",
    ),
    Mistake(
        "degrees",
        _repeated(lambda c: (math.sqrt(1 - c**2) + c * (180 - math.degrees(math.acos(c)))) / 180),
        "Angles are in radians here, as `np.arccos` gives them: pi, not 180.",
    ),
)

# --- 3.1.4 multipliers ----------------------------------------------------------------------------


def hidden_scaling(width: int, base_width: int) -> tuple[float, float]:
    """Multiplier and initial standard deviation of a hidden matrix in maximal-update parameterisation, one Adam rate."""
    rule = parameterisation.mup(width, base_width, inputs=1)["hidden"]
    return rule.multiplier, rule.std


def _scaling_cases(rng: np.random.Generator) -> list[Case]:
    cases = [Case((64, 64), "base width"), Case((32, 32), "base width")]
    for width, base in ((256, 64), (512, 32), (1024, 64)):
        cases.append(Case((width, base), "wider"))
    cases.append(Case((int(rng.integers(8, 30)), 64), "narrower"))
    return cases


def _scaling(
    m: Callable[[float], float], std: Callable[[float, float], float]
) -> Callable[[int, int], tuple[float, float]]:
    """A wrong rule: multiplier of base / width, standard deviation of width and base / width."""
    return lambda width, base: (m(base / width), std(width, base / width))


_SCALING_MISTAKES = (
    Mistake(
        "start not made up for",
        _scaling(lambda s: s, lambda w, s: math.sqrt(2 / w)),
        "The multiplier is right. But the product m V then starts `width / base_width` times too small: draw V larger by "
        "as much as m is smaller.",
    ),
    Mistake(
        "made smaller twice",
        _scaling(lambda s: s, lambda w, s: s * math.sqrt(2 / w)),
        "The multiplier is right, but you multiplied the standard deviation by it too. It must be *divided* by it, so that m "
        "times std stays sqrt(2 / width).",
    ),
    Mistake(
        "multiplier upside down",
        _scaling(lambda s: 1 / s, lambda w, s: s * math.sqrt(2 / w)),
        "The multiplier is upside down: a wider model must take smaller steps, so m = base_width / width.",
    ),
    Mistake(
        "the rule for SGD",
        _scaling(lambda s: 1.0, lambda w, s: math.sqrt(2 / w)),
        "With m = 1 nothing has changed. That is the rule for plain gradient descent, whose gradient of a hidden matrix "
        "shrinks with the width by itself. Adam moves every weight by about the rate, whatever its gradient.",
    ),
    Mistake(
        "no base width",
        lambda width, base: (1 / width, math.sqrt(2 * width)),
        "In proportion to 1 / width is right, but at the base width nothing may change: there m must be 1. Both numbers follow.",
    ),
    Mistake(
        "no base width, start not made up for",
        lambda width, base: (1 / width, math.sqrt(2 / width)),
        "In proportion to 1 / width is right, but at the base width nothing may change: there m must be 1. And draw V larger by as "
        "much as m is smaller than 1.",
    ),
    Mistake(
        "square root",
        _scaling(lambda s: math.sqrt(s), lambda w, s: math.sqrt(2 / w / s)),
        "A square root is what *random* terms ask for. The steps of Adam all pull the same way for an input, so "
        "their sum grows with the width itself: m = base_width / width, without a root.",
    ),
    Mistake(
        "variance",
        _scaling(lambda s: s, lambda w, s: 2 / w / s**2),
        "The multiplier is right; the second number is the variance. Give the standard deviation.",
    ),
    Mistake(
        "no ReLU",
        _scaling(lambda s: s, lambda w, s: math.sqrt(1 / w) / s),
        "The multiplier is right, and so is the idea of the second number, but the ReLU's factor 2 is missing: m times std must "
        "be sqrt(2 / width).",
    ),
    Mistake(
        "at base width",
        lambda width, base: (base / width, math.sqrt(2 / base)),
        "The multiplier is right. The standard deviation keeps the base model's value; m times std must be sqrt(2 / width).",
    ),
    Mistake(
        "the head's start",
        lambda width, base: (base / width, 0.1 / math.sqrt(base)),
        "The multiplier is right; that standard deviation is the head's. The hidden matrix has m times std = sqrt(2 / width).",
    ),
)

# --- 3.1.5 the best rate --------------------------------------------------------------------------


def best_rate_with_interval(rates: Any, loss: Any, draws: Any) -> tuple[float, float, float]:
    """Best rate from a parabola of mean log loss in log rate, and its 2.5th and 97.5th percentile over the draws.

    rates: (r,); loss: (seeds, r); draws: (b, seeds) row numbers of each bootstrap sample.
    """
    x, y = np.log(np.asarray(rates)), np.log(np.asarray(loss))

    def lowest(rows: Any) -> float:
        a, b, _ = np.polyfit(x, rows.mean(axis=0), 2)
        return float(np.exp(-b / (2 * a)))

    low, high = np.percentile([lowest(y[rows]) for rows in draws], [2.5, 97.5])
    return lowest(y), float(low), float(high)


def _rate_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for best, seeds, b in ((0.008, 3, 20), (0.02, 4, 30), (0.005, 5, 40), (0.012, 3, 25)):
        rates = np.round(best * 2.0 ** np.arange(-2.0, 3.0) * rng.uniform(0.8, 1.2), 5)
        shift = 0.35 * rng.standard_normal((seeds, 1))
        level = 0.4 * rng.standard_normal((seeds, 1))
        loss = np.round(0.6 * np.exp(0.15 * (np.log(rates / best) - shift) ** 2 + level), 4)
        cases.append(Case((rates, loss, rng.integers(0, seeds, (b, seeds)))))
    return cases


def _lowest(x: Any, y: Any, back: Callable[[float], float] = math.exp) -> float:
    a, b, _ = np.polyfit(x, y, 2)
    return float(back(-b / (2 * a)))


def _rate_answer(
    one: Callable[[Any, Any], float], ends: Callable[[Any, float], tuple[float, float]] | None = None
) -> Callable[[Any, Any, Any], tuple[float, float, float]]:
    """A wrong answer: its own best rate of (rates, losses of some seeds), or its own ends from the draws' best rates."""

    def answer(rates: Any, loss: Any, draws: Any) -> tuple[float, float, float]:
        found = np.array([one(rates, loss[rows]) for rows in draws])
        best = one(rates, loss)
        low, high = ends(found, best) if ends else np.percentile(found, [2.5, 97.5])
        return best, float(low), float(high)

    return answer


def _right_one(rates: Any, rows: Any) -> float:
    return _lowest(np.log(rates), np.log(rows).mean(axis=0))


_RATE_MISTAKES = (
    Mistake(
        "parabola in the rate",
        _rate_answer(lambda r, rows: _lowest(r, np.log(rows).mean(axis=0), float)),
        "Your parabola is in the rate itself. Rates act by factors, so fit against `np.log(rates)` and turn the result back "
        "with `np.exp`.",
    ),
    Mistake(
        "parabola of the loss",
        _rate_answer(lambda r, rows: _lowest(np.log(r), rows.mean(axis=0))),
        "Your parabola is of the loss; the task asks for its logarithm, averaged over the seeds.",
    ),
    Mistake(
        "log of the mean",
        _rate_answer(lambda r, rows: _lowest(np.log(r), np.log(rows.mean(axis=0)))),
        "You took the logarithm of the mean loss. Take logarithms first, then the mean over seeds, so that a seed whose losses "
        "are all high does not weigh more.",
    ),
    Mistake(
        "the lowest on the grid",
        _rate_answer(lambda r, rows: float(r[np.argmin(np.log(rows).mean(axis=0))])),
        "This is the best of the rates that were tried. The lowest point of the parabola lies between them.",
    ),
    Mistake(
        "log rate returned",
        _rate_answer(lambda r, rows: math.log(_right_one(r, rows))),
        "These are logarithms of rates: `np.exp` is missing.",
    ),
    Mistake(
        "sign",
        _rate_answer(lambda r, rows: 1 / _right_one(r, rows)),
        "The lowest point of a x² + b x + c lies at x = -b / (2a); the minus sign is missing.",
    ),
    Mistake(
        "divided by a",
        _rate_answer(lambda r, rows: _right_one(r, rows) ** 2),
        "The lowest point of a x² + b x + c lies at x = -b / (2a); you divided by a.",
    ),
    Mistake(
        "fractions as percentiles",
        _rate_answer(_right_one, lambda f, best: np.percentile(f, [0.025, 0.975])),
        "The best rate is right. `np.percentile` takes per cent: 2.5 and 97.5, not 0.025 and 0.975 (that is `np.quantile`).",
    ),
    Mistake(
        "90 per cent",
        _rate_answer(_right_one, lambda f, best: np.percentile(f, [5, 95])),
        "The best rate is right, but the 5th and 95th percentiles hold 90 %. For 95 % take the 2.5th and 97.5th.",
    ),
    Mistake(
        "two standard deviations",
        _rate_answer(_right_one, lambda f, best: (best - 1.96 * f.std(), best + 1.96 * f.std())),
        "The best rate is right. In place of 1.96 standard deviations take the percentiles of the draws: their spread "
        "need not be even about the best rate.",
    ),
    Mistake(
        "smallest and largest",
        _rate_answer(_right_one, lambda f, best: (f.min(), f.max())),
        "The best rate is right. The smallest and the largest draw hold all of them, not 95 %.",
    ),
    Mistake(
        "each seed's own",
        lambda rates, loss, draws: (
            _right_one(rates, loss),
            *np.percentile([_right_one(rates, loss[i : i + 1]) for i in range(len(loss))], [2.5, 97.5]),
        ),
        "Your ends are percentiles of the single seeds' best rates. A draw is the *mean* of as many seeds as there are: "
        "`loss[rows]` for each `rows` in `draws`.",
    ),
)

# --- 3.1.6 a plan to grow -------------------------------------------------------------------------


def _lacks(*patterns: str) -> Callable[[str], bool]:
    return lambda text: not any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)


_PLAN_MISTAKES = (
    Mistake(
        "no rate",
        _lacks(r"\brates?\b"),
        "You say nothing of the learning rate. What happens to the best one when the width grows, and how will you know it "
        "for the large model?",
    ),
    Mistake(
        "no cost",
        _lacks(r"\bFLOPs?\b", r"\bcosts?\b", r"\bbudget\b", r"\bcompute\b"),
        "Compared with what? Say at which cost: the same FLOPs (or hours) for every candidate, or growth always wins.",
    ),
    Mistake(
        "no start",
        _lacks(r"initial", r"\bstart", r"\bskip", r"residual", r"multiplier", r"\bmup\b", r"maximal"),
        "Nothing is said of what must be rescaled besides the rate: the initial weights, the multipliers, and skip "
        "connections if you add layers.",
    ),
    Mistake(
        "no seeds",
        _lacks(r"\bseeds?\b", r"\bintervals?\b", r"\brepeat", r"\bbootstrap"),
        "How would you tell a difference from luck? Say how many seeds, or which interval.",
    ),
)

EXERCISES = (
    Exercise(
        id="3.1.1",
        title="Wider or deeper, at the same cost",
        points=1,
        minutes=8,
        difficulty=1,
        reference=parameterisation.equal_cost_width,
        cases=_cost_cases,
        mistakes=_COST_MISTAKES,
        hints=(
            "Write down the number of weights for 3 hidden layers of width w: which matrices are there?",
            "It is (inputs + outputs) w + (layers - 1) w². Set it equal to `weights`: a quadratic equation for w.",
            "With s = layers - 1 and e = inputs + outputs: w = (sqrt(e² + 4 s weights) - e) / (2 s). For s = 0 the equation is "
            "linear.",
        ),
        rtol=1e-9,
        atol=1e-9,
    ),
    Exercise(
        id="3.1.2",
        title="A start that keeps the scale",
        points=1,
        minutes=8,
        difficulty=1,
        reference=initial_std,
        cases=_std_cases,
        mistakes=_STD_MISTAKES,
        hints=(
            "Variances of independent terms add. How many terms has one number of the next layer?",
            "With weights of variance v and incoming numbers of mean square q, the variance is fan_in · v · q.",
            "After a ReLU, q is half the mean square from before it. Choose v so that fan_in · v / 2 = 1.",
        ),
    ),
    Exercise(
        id="3.1.3",
        title="How alike do two inputs become?",
        points=1,
        minutes=6,
        difficulty=1,
        reference=after_layers,
        cases=_alike_cases,
        mistakes=_ALIKE_MISTAKES,
        hints=(
            "Write one layer first and try c = 0: it gives 1 / pi.",
            "A loop: `for _ in range(layers)`, in it the formula with the last result as c. `math.acos` is arccos.",
        ),
        atol=1e-5,
    ),
    Exercise(
        id="3.1.4",
        title="Multipliers for a wider model",
        points=2,
        minutes=10,
        difficulty=2,
        reference=hidden_scaling,
        cases=_scaling_cases,
        mistakes=_SCALING_MISTAKES,
        hints=(
            "Start with the multiplier: by what must Adam's step of the matrix shrink when the width doubles?",
            "m = base_width / width. The matrix that counts is m times V.",
            "m times std must be sqrt(2 / width), as in the start of section 2. Solve for std.",
        ),
    ),
    Exercise(
        id="3.1.5",
        title="The best rate, and how sure it is",
        points=3,
        minutes=15,
        difficulty=3,
        reference=best_rate_with_interval,
        cases=_rate_cases,
        mistakes=_RATE_MISTAKES,
        hints=(
            "Write a small function for the lowest point of some rows of `loss`; you need it once for all rows and once a draw.",
            "`np.polyfit(x, y, 2)` gives a, b, c of a x² + b x + c, whose lowest point is at -b / (2a). Here x = log(rates).",
            "`loss[rows]` picks the seeds of one draw, with repetition. Collect a best rate for each row of `draws`, then "
            "`np.percentile(found, [2.5, 97.5])`.",
        ),
    ),
    Exercise(
        id="3.1.6",
        title="A plan to grow",
        points=2,
        minutes=12,
        difficulty=2,
        kind="text",
        min_words=60,
        reference=(
            "I may spend a hundred times the compute of my tuned model of two layers. I compare candidates at equal FLOPs: width "
            "alone, and width with depth doubled and skip connections, at a fifth of the budget first. Initial weights follow "
            "sqrt(2 / fan_in), residual branches are divided by the root of the depth, and I use muP multipliers. Still I "
            "sweep the learning rate at three widths and draw the best ones with intervals from five seeds: if they move, I "
            "extrapolate the line and do not trust the coordinate check alone."
        ),
        mistakes=_PLAN_MISTAKES,
        hints=(
            "Go through the sections: what did width need, what did depth need, at which cost did we compare?",
            "Say what you measure on small models before the large one is trained, and what would make you stop.",
        ),
    ),
)
