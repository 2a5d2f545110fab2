"""Exercises of lesson 1.1: an exponent from two points, a line through logs, its price, a floor, a forecast's skill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course import power_laws
from course.exercises.specification import Case, Exercise, Mistake

# --- 1.1.1 an exponent from two points ------------------------------------------------------------


def _pairs(rng: np.random.Generator) -> list[Case]:
    cases = []
    for factor in (2.0, 4.0, 10.0, 3.0, 0.5):
        alpha, x1 = round(rng.uniform(0.05, 0.9), 2), float(rng.integers(2, 90) * 100)
        y1 = round(rng.uniform(1.5, 4), 3)
        cases.append(Case((x1, y1, x1 * factor, round(y1 * factor**-alpha, 4))))
    return cases


def _ratio(a: Any, b: Any) -> Any:
    return np.log(a / b)


_PAIR_MISTAKES = (
    Mistake(
        "sign",
        lambda x1, y1, x2, y2: _ratio(y2, y1) / _ratio(x2, x1),
        "The size is right and the sign is not: this is the slope on log-log axes, which is negative where y falls. The "
        "law is written with -alpha, so alpha is minus the slope.",
    ),
    Mistake(
        "upside down",
        lambda x1, y1, x2, y2: -_ratio(x2, x1) / _ratio(y2, y1),
        "This is 1/alpha: you divided the change of log x by the change of log y. It is the other way round, rise over "
        "run.",
    ),
    Mistake(
        "upside down and sign",
        lambda x1, y1, x2, y2: _ratio(x2, x1) / _ratio(y2, y1),
        "You divided the change of log x by the change of log y, and the minus sign is missing too. It is -(change of "
        "log y) / (change of log x).",
    ),
    Mistake(
        "no logarithms",
        lambda x1, y1, x2, y2: -(y2 - y1) / (x2 - x1),
        "This is a slope on ordinary axes: how much y falls for one more x. An exponent compares *factors*, so take the "
        "logarithms of the ratios y2/y1 and x2/x1.",
    ),
    Mistake(
        "logarithm of differences",
        lambda x1, y1, x2, y2: -np.log(abs(y2 - y1)) / np.log(abs(x2 - x1)),
        "You took the logarithm of the differences. Take the difference of the logarithms, which is the logarithm of "
        "the ratio.",
    ),
    Mistake(
        "ratio of ratios",
        lambda x1, y1, x2, y2: -(y2 / y1) / (x2 / x1),
        "You divided the ratios themselves. In y2/y1 = (x2/x1)^-alpha the unknown stands in the exponent: take the "
        "logarithm of both sides first.",
    ),
    Mistake(
        "doubling assumed",
        lambda x1, y1, x2, y2: -np.log2(y2 / y1),
        "This is right where x doubles, and only there. Divide by log2(x2/x1), which is 1 for a doubling.",
    ),
    Mistake(
        "two bases",
        lambda x1, y1, x2, y2: -np.log(y2 / y1) / np.log10(x2 / x1),
        "One logarithm is natural and the other has base 10. Any base will do, but it must be the same in both.",
    ),
)

# --- 1.1.2 a line through logarithms --------------------------------------------------------------


def _curves(rng: np.random.Generator) -> list[Case]:
    cases = []
    for k, spread in ((4, 2.0), (5, 3.0), (6, 2.0), (6, 10.0)):
        x = float(rng.integers(2, 20)) * spread ** np.arange(k)
        alpha, A = rng.uniform(0.08, 0.6), rng.uniform(2, 8)
        y = A * x**-alpha * np.exp(0.03 * rng.normal(size=k))
        cases.append(Case((x, np.round(y, 4))))
    return cases


def _least_squares(x: Any, y: Any) -> tuple[float, float]:
    slope, start = np.polyfit(x, y, 1)
    return float(slope), float(start)


def _logged(x: Any, y: Any) -> tuple[float, float]:
    return _least_squares(np.log(x), np.log(y))


def _swapped(x: Any, y: Any) -> tuple[float, float]:
    slope, start = _logged(y, x)
    return float(np.exp(start)), -slope


def _two_ends(x: Any, y: Any) -> tuple[float, float]:
    alpha = float(-np.log(y[-1] / y[0]) / np.log(x[-1] / x[0]))
    return float(y[0] * x[0] ** alpha), alpha


def _mean_of_logs(x: Any, y: Any) -> tuple[float, float]:
    slope, _ = _logged(x, y)
    return float(np.exp(np.mean(np.log(y)))), -slope


def _mixed_base(x: Any, y: Any) -> tuple[float, float]:
    slope, start = _least_squares(np.log10(x), np.log10(y))
    return float(np.exp(start)), -slope


def _half_logged(x: Any, y: Any) -> tuple[float, float]:
    slope, start = _least_squares(np.log(x), y)
    return start, -slope


def _plain(x: Any, y: Any) -> tuple[float, float]:
    slope, start = _least_squares(x, y)
    return start, -slope


_LINE_MISTAKES = (
    Mistake(
        "sign",
        lambda x, y: (float(np.exp(_logged(x, y)[1])), _logged(x, y)[0]),
        "A is right; alpha has the wrong sign. The line's slope is -alpha: return minus the slope.",
    ),
    Mistake(
        "log A",
        lambda x, y: (_logged(x, y)[1], -_logged(x, y)[0]),
        "alpha is right; the first value is the line's height where log x = 0, which is log A. Return its exponential.",
    ),
    Mistake(
        "log A and sign",
        lambda x, y: (_logged(x, y)[1], _logged(x, y)[0]),
        "You returned the line's height and slope as they are. The height is log A, so take its exponential; the slope "
        "is -alpha.",
    ),
    Mistake(
        "base 10 and exp",
        _mixed_base,
        "alpha is right, A is not: you fitted logarithms of base 10 and went back with `np.exp`. Go back with "
        "`10**height`, or use natural logarithms throughout.",
    ),
    Mistake(
        "order",
        lambda x, y: (-_logged(x, y)[0], float(np.exp(_logged(x, y)[1]))),
        "Both numbers are right and in the wrong order: return (A, alpha). (`np.polyfit` gives the slope first.)",
    ),
    Mistake(
        "as polyfit gives them",
        _logged,
        "These are the line's slope and height, as `np.polyfit` gives them. The slope is -alpha and the height is log A; "
        "and A comes first: return (A, alpha).",
    ),
    Mistake(
        "order and log A",
        lambda x, y: (-_logged(x, y)[0], _logged(x, y)[1]),
        "This is (alpha, log A). A comes first, and it is the exponential of the line's height.",
    ),
    Mistake(
        "base 10 on the way back",
        lambda x, y: (float(10 ** _logged(x, y)[1]), -_logged(x, y)[0]),
        "alpha is right, A is not: `np.log` is the natural logarithm, and you went back with 10**height. Use `np.exp`.",
    ),
    Mistake(
        "no logarithms, then exp",
        lambda x, y: (float(np.exp(_least_squares(x, y)[1])), -_least_squares(x, y)[0]),
        "You fitted a straight line on ordinary axes. The law is straight in logarithms: give `np.polyfit` np.log(x) and "
        "np.log(y).",
    ),
    Mistake(
        "x and y swapped",
        _swapped,
        "You fitted log x as a line in log y. The loss is what was measured, so it is the one to be explained: "
        "log y as a line in log x.",
    ),
    Mistake(
        "no logarithms",
        _plain,
        "You fitted a straight line on ordinary axes. The law is straight in logarithms: fit log y against log x.",
    ),
    Mistake(
        "only x in logarithms",
        _half_logged,
        "You took the logarithm of x only, which fits y = a - b log x. That is another law: it goes below zero. Take "
        "the logarithm of y too.",
    ),
    Mistake(
        "two ends only",
        _two_ends,
        "This is the line through the first and the last point. It throws the others away, and the noise of two points "
        "is all in the exponent. Use all of them: least squares.",
    ),
    Mistake(
        "A from the middle",
        _mean_of_logs,
        "alpha is right; A is the mean height of the points. A is the height where x = 1, so where log x = 0: add "
        "alpha times the mean of log x before you take the exponential.",
    ),
)

# --- 1.1.3 the price of an exponent ---------------------------------------------------------------


def _prices(rng: np.random.Generator) -> list[Case]:
    return [Case((round(float(rng.uniform(0.06, 1.2)), 2), times)) for times in (2.0, 1.1, 2.0, 3.0, 1.5)]


_PRICE_MISTAKES = (
    Mistake(
        "not inverted",
        lambda a, k: k**a,
        "This answers the reverse question: by how much the loss falls for k times more data. Solve k = m^alpha for m.",
    ),
    Mistake(
        "divided",
        lambda a, k: k / a,
        "You divided by alpha. The exponent works on the factor: m^alpha = k, so m is a power of k.",
    ),
    Mistake(
        "negative",
        lambda a, k: k ** (-1 / a),
        "This is below 1: fewer data for a lower loss. Check the sign: the loss falls by m^-alpha, and it should be "
        "1/k of what it was.",
    ),
    Mistake(
        "halving only",
        lambda a, k: 2 ** (1 / a),
        "This is right for one halving. The factor is an argument: use `times_lower` in place of 2.",
    ),
    Mistake(
        "logarithm left",
        lambda a, k: np.log(k) / a,
        "This is the logarithm of the answer. Take the exponential.",
    ),
    Mistake(
        "e to the power",
        lambda a, k: np.exp(k / a),
        "Nearly: exp(log(k) / alpha), or k ** (1 / alpha). You took k itself where log(k) belongs.",
    ),
)

# --- 1.1.4 the skill of a forecast ----------------------------------------------------------------


def _forecasts(rng: np.random.Generator) -> list[Case]:
    cases = []
    for off in (1.03, 0.95, 1.0, 1.3, 0.7):
        measured, factor = round(float(rng.uniform(1.2, 2.5)), 3), rng.uniform(1.15, 1.4)
        part = "worse than saying nothing changes" if abs(np.log(off)) > 0.3 else "a fair forecast"
        cases.append(Case((round(measured * off, 3), measured, round(measured * factor, 3)), part))
    return cases


def _off(a: Any, b: Any) -> Any:
    return np.log(a / b)


_SKILL_MISTAKES = (
    Mistake(
        "no logarithms",
        lambda p, m, n: 1 - abs(p - m) / abs(n - m),
        "You compared differences. Close, but the task asks for logarithms of ratios: a law speaks in factors, and "
        "ten per cent should count the same at every height.",
    ),
    Mistake(
        "one minus forgotten",
        lambda p, m, n: abs(_off(p, m)) / abs(_off(n, m)),
        "This is the share of the change that the forecast *missed*. Subtract it from 1.",
    ),
    Mistake(
        "naive forecast forgotten",
        lambda p, m, n: 1 - abs(_off(p, m)),
        "This is 1 minus the forecast's own miss. The skill takes that miss as a share of the naive forecast's: divide by "
        "|log(naive / measured)| before you subtract.",
    ),
    Mistake(
        "one minus inside",
        lambda p, m, n: (1 - abs(_off(p, m))) / abs(_off(n, m)),
        "You subtracted first and divided then. Divide the two misses, and subtract their ratio from 1.",
    ),
    Mistake(
        "sign kept",
        lambda p, m, n: 1 - _off(p, m) / _off(n, m),
        "Without absolute values a forecast that is too low scores above 1. Both kinds of miss must cost: take `abs` of "
        "the logarithms.",
    ),
    Mistake(
        "upside down",
        lambda p, m, n: 1 - abs(_off(n, m)) / max(abs(_off(p, m)), 1e-12),
        "The ratio is upside down: the forecast's miss belongs above, the naive forecast's below. As it stands, a "
        "perfect forecast divides by zero.",
    ),
    Mistake(
        "squared",
        lambda p, m, n: 1 - _off(p, m) ** 2 / _off(n, m) ** 2,
        "You squared the misses, as R² does. Here they count as they are: use `abs`.",
    ),
    Mistake(
        "against the forecast",
        lambda p, m, n: 1 - abs(_off(p, m)) / abs(_off(n, p)),
        "The change to be foreseen is from `naive` to `measured`. You divided by the change that was *predicted*.",
    ),
    Mistake(
        "cut at zero",
        lambda p, m, n: max(0.0, 1 - abs(_off(p, m)) / abs(_off(n, m))),
        "You cut the score at zero. A forecast that is worse than the naive one must show it: let it go below.",
    ),
)

# --- 1.1.5 a floor from three points --------------------------------------------------------------


def _threes(rng: np.random.Generator) -> list[Case]:
    cases = []
    for factor in (2.0, 10.0, 4.0, 3.0, 10.0):
        E, alpha, first = rng.uniform(0.3, 1.6), rng.uniform(0.15, 0.7), rng.uniform(0.5, 2.0)
        y = E + first * factor ** (-alpha * np.arange(3))
        cases.append(Case(tuple(round(float(value), 4) for value in y)))
    return cases


_FLOOR_MISTAKES = (
    Mistake(
        "sign of the denominator",
        lambda a, b, c: (a * c - b * b) / (2 * b - a - c),
        "The size is right, the sign is not. Expand (y1 - E)(y3 - E) = (y2 - E)²: the E² cancel, and the terms with E "
        "go to one side as E (y1 + y3 - 2 y2).",
    ),
    Mistake(
        "plus in the denominator",
        lambda a, b, c: (a * c - b * b) / (a + c + 2 * b),
        "The numerator is right. In the denominator the middle value is subtracted twice: y1 + y3 - 2 y2.",
    ),
    Mistake(
        "plus in the numerator",
        lambda a, b, c: (a * c + b * b) / (a + c - 2 * b),
        "The denominator is right. In the numerator y2² is subtracted: y1 y3 - y2².",
    ),
    Mistake(
        "denominator forgotten",
        lambda a, b, c: a * c - b * b,
        "This is the numerator. E is multiplied by (y1 + y3 - 2 y2): divide by it.",
    ),
    Mistake(
        "straight on",
        lambda a, b, c: 2 * c - b,
        "You took one more step as large as the last one. The steps shrink, each by the same factor: use all three "
        "values.",
    ),
    Mistake(
        "last value",
        lambda a, b, c: c,
        "This is the last value. The law still falls from there: the floor is where it would end.",
    ),
    Mistake(
        "one more point",
        lambda a, b, c: c - (b - c) ** 2 / (a - b),
        "This is the *next* value of the series: the last one less one more shrunken step. The floor is where "
        "all further steps together lead.",
    ),
    Mistake(
        "excess of the last",
        lambda a, b, c: (b - c) ** 2 / (a - 2 * b + c),
        "This is what is left of the excess at the third point, y3 - E. Subtract it from y3.",
    ),
    Mistake(
        "no floor",
        lambda a, b, c: b - np.sqrt(a * c),
        "You compared the middle value with the geometric mean of the others. That tells *whether* there is a floor "
        "(without one they are equal), not where. Solve (y1 - E)(y3 - E) = (y2 - E)² for E.",
    ),
)

# --- 1.1.6 a promise ------------------------------------------------------------------------------


_PROMISE = """
I promise the loss of a classifier that sees a million photographs, and I have measured at 1,000 to 32,000. Six sizes, each with
five seeds, on photographs that it is not trained on. I fit a power law with and without a floor, and take the interval
that covers both, because over one and a half decades I cannot tell them apart. I promise 0.31 nats, interval 0.26 to 0.38
with 90 per cent, and write it down before the run. I stake a small sum first: one run at 100,000, a third of the way, and
if it leaves the interval the promise is withdrawn. What would break it: photographs from another source, labels with
errors, which set a floor, or a model too small for what the data say.
"""


def _lacks(*words: str) -> Callable[[str], bool]:
    """Whether a text has none of these words, or beginnings of words."""
    return lambda text: not any(word in text.lower() for word in words)


# --- all of them ----------------------------------------------------------------------------------

EXERCISES = (
    Exercise(
        id="1.1.1",
        title="The exponent from two points",
        points=1,
        minutes=5,
        difficulty=1,
        reference=power_laws.two_point_exponent,
        cases=_pairs,
        mistakes=_PAIR_MISTAKES,
        hints=(
            "Write the law twice, y1 = A x1^-alpha and y2 = A x2^-alpha, and divide one by the other. What becomes of A?",
            "What is left is y2/y1 = (x2/x1)^-alpha. Take the logarithm of both sides.",
            "log(y2/y1) = -alpha log(x2/x1). Solve for alpha; `np.log` is the natural logarithm.",
        ),
    ),
    Exercise(
        id="1.1.2",
        title="A line through logarithms",
        points=2,
        minutes=8,
        difficulty=1,
        reference=power_laws.fit_line,
        cases=_curves,
        mistakes=_LINE_MISTAKES,
        hints=(
            "Two new variables: u = log x and v = log y. In them the law is v = log A - alpha u, a straight line.",
            "`slope, height = np.polyfit(u, v, 1)` is the line with the least squares, v = height + slope * u.",
            "Compare term by term: height = log A, slope = -alpha.",
        ),
    ),
    Exercise(
        id="1.1.3",
        title="The price of an exponent",
        points=1,
        minutes=5,
        difficulty=1,
        reference=power_laws.times_more,
        cases=_prices,
        mistakes=_PRICE_MISTAKES,
        hints=(
            "Call the factor in the data m. The law multiplies the loss by m^-alpha.",
            "You want m^-alpha = 1 / times_lower, so m^alpha = times_lower. Solve for m.",
            "Raise both sides to the power 1/alpha.",
        ),
    ),
    Exercise(
        id="1.1.4",
        title="The skill of a forecast",
        points=1,
        minutes=6,
        difficulty=2,
        reference=power_laws.skill,
        cases=_forecasts,
        mistakes=_SKILL_MISTAKES,
        hints=(
            "Two misses are compared: the forecast's, |log(predicted / measured)|, and the naive one's, |log(naive / "
            "measured)|.",
            "A perfect forecast must give 1, one that is as good as the naive forecast 0.",
            "1 - miss of the forecast / miss of the naive forecast.",
        ),
    ),
    Exercise(
        id="1.1.5",
        title="A floor from three points",
        points=2,
        minutes=10,
        difficulty=2,
        reference=power_laws.floor_from_three,
        cases=_threes,
        mistakes=_FLOOR_MISTAKES,
        hints=(
            "The excesses y1 - E, y2 - E, y3 - E fall by the same factor from each to the next.",
            "So (y2 - E) / (y1 - E) = (y3 - E) / (y2 - E), or (y1 - E)(y3 - E) = (y2 - E)². Multiply out.",
            "y1 y3 - E (y1 + y3) + E² = y2² - 2 E y2 + E². The E² cancel, and what is left is linear in E.",
            "E (y1 + y3 - 2 y2) = y1 y3 - y2².",
        ),
    ),
    Exercise(
        id="1.1.6",
        title="A promise of your own",
        points=2,
        minutes=12,
        difficulty=3,
        kind="text",
        reference=_PROMISE,
        min_words=60,
        mistakes=(
            Mistake(
                "no interval",
                _lacks("interval", "between", "±", "plus or minus"),
                "A promise without an interval cannot be held: every measurement is a little off. Within which bounds, "
                "and how sure are you?",
            ),
            Mistake(
                "no repeats",
                _lacks("seed", "repeat", "repetition", "several runs", "times each"),
                "How would you know that a point is not luck? Say how often you measure each size.",
            ),
            Mistake(
                "no floor",
                _lacks("floor", "irreducible", "level off", "levels off", "offset", "bend"),
                "You say nothing about a floor. Over a short range it can't be seen, and it is what breaks most promises: "
                "how does your interval allow for it?",
            ),
            Mistake(
                "nothing breaks it",
                _lacks("break", "withdraw", "fail", "wrong", "unless", "no longer"),
                "Which result would make you withdraw the promise? If none could, it promises nothing.",
            ),
        ),
        hints=(
            "Begin with a quantity that you can measure cheaply at small sizes and dearly at large ones. It need not be "
            "a loss: the time of a sort, the queue at a till.",
            "Then: the sizes that you measure and how often; the law, and the other law that you can't rule out; the "
            "number and its interval; the one measurement that would make you withdraw.",
        ),
    ),
)
