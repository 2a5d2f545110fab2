"""Exercises of lesson 2.2: local exponents, where a law begins, the crossover, total compute, gaps, a run's price."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course import relations
from course.exercises.specification import Case, Exercise, Mistake

# --- 2.2.1 the exponent between neighbours --------------------------------------------------------


def _curve_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for points, part in ((3, "a straight line"), (4, "a straight line"), (3, "a bend"), (5, "a bend"), (6, "a bend")):
        x = np.round(rng.uniform(50, 300) * np.cumprod(rng.uniform(2, 5, size=points)))
        y = rng.uniform(0.001, 0.1) * x ** rng.uniform(0.3, 1.4)
        if part == "a bend":
            y = y + rng.uniform(0.5, 2) * y[len(y) // 2]
        cases.append(Case((x, np.asarray([float(f"{value:.4g}") for value in y])), part=part))
    return cases


_LOCAL_MISTAKES = (
    Mistake(
        "upside down",
        lambda x, y: np.diff(np.log(x)) / np.diff(np.log(y)),
        "These are the exponents of x as a power of y: the fraction stands upside down. Divide the difference of log y "
        "by that of log x.",
    ),
    Mistake(
        "no logarithms",
        lambda x, y: np.diff(y) / np.diff(x),
        "This is the slope on ordinary axes, in units of y per unit of x. The exponent is the slope on logarithmic "
        "axes: take the logarithm of both before the differences.",
    ),
    Mistake(
        "only y in logarithms",
        lambda x, y: np.diff(np.log(y)) / np.diff(x),
        "You took the logarithm of y only: that is the rate of an exponential. A power law needs the logarithm of x too.",
    ),
    Mistake(
        "log of the slope",
        lambda x, y: np.log(np.abs(np.diff(y))) / np.log(np.diff(x)),
        "You took the differences first and their logarithms after. It is the other way round: logarithms, then "
        "differences.",
    ),
    Mistake(
        "log of the quotient",
        lambda x, y: np.log(np.abs(np.diff(y) / np.diff(x))),
        "You took the logarithm of the slope on ordinary axes. Take the logarithms of x and y first, then their "
        "differences, then the quotient.",
    ),
    Mistake(
        "relative change",
        lambda x, y: (np.diff(y) / y[:-1]) / (np.diff(x) / x[:-1]),
        "You divided relative changes. That comes near the exponent for tiny steps only; here neighbours differ by "
        "factors of several. Use differences of logarithms.",
    ),
    Mistake(
        "one exponent for all",
        lambda x, y: np.full(len(x) - 1, np.polyfit(np.log(x), np.log(y), 1)[0]),
        "You fitted one line to all points. Wanted is one exponent for each pair of neighbours, which shows where a "
        "curve bends.",
    ),
    Mistake(
        "ratio of logarithms",
        lambda x, y: (np.log(y) / np.log(x))[1:],
        "log y over log x is the slope of a line through the point (1, 1), which the law need not meet. Take the "
        "difference to the neighbour in both.",
    ),
    Mistake(
        "sign turned",
        lambda x, y: -np.diff(np.log(y)) / np.diff(np.log(x)),
        "The sign is turned. In this lesson a y that grows has a positive exponent.",
    ),
)

# --- 2.2.2 where the law begins -------------------------------------------------------------------


def _start_cases(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []
    for points, part in (
        (5, "with overhead"),
        (6, "with overhead"),
        (7, "with overhead"),
        (4, "from the start"),
        (7, "a low point"),
        (7, "a low point"),
        (4, "a low point"),  # two low points among four: no law at all
    ):
        x = np.round(rng.uniform(80, 200) * 4.0 ** np.arange(points))
        exponent, noise = (1.0, 0.0) if points == 6 else (rng.uniform(0.8, 1.1), 0.03)
        y = x**exponent * np.exp(rng.uniform(-noise, noise, size=points))
        if part == "with overhead":
            y = y + 1.5 * x[points // 2 - 1] ** exponent
        if part == "a low point" and points == 4:
            y[::2] *= 0.3
        elif part == "a low point":
            y[3] *= 0.75 if len(cases) % 2 else 0.45
        cases.append(Case((x, np.asarray([float(f"{value:.4g}") for value in y]), 0.15), part=part))
    return cases


def _starts(x: Any, y: Any, tolerance: float, misses: Callable[[Any, Any], Any]) -> list[bool]:
    """For each start that leaves three points, whether `misses` of the rest stay within the tolerance."""
    return [bool(np.max(np.abs(misses(x[i:], y[i:]))) <= tolerance) for i in range(len(x) - 2)]


def _log_misses(x: Any, y: Any) -> Any:
    u, v = np.log(x), np.log(y)
    return v - np.polyval(np.polyfit(u, v, 1), u)


def _first(x: Any, good: list[bool]) -> float:
    return float(x[good.index(True)]) if True in good else float("nan")


def _one_line(x: Any, y: Any, tolerance: float) -> float:
    misses = np.abs(_log_misses(x, y))
    good = [bool(np.max(misses[i:]) <= tolerance) for i in range(len(x) - 2)]
    return _first(x, good)


def _absolute(x: Any, y: Any, tolerance: float) -> float:
    return _first(x, _starts(x, y, tolerance, lambda a, b: b * (1 - np.exp(-_log_misses(a, b)))))


def _ordinary(x: Any, y: Any, tolerance: float) -> float:
    return _first(x, _starts(x, y, tolerance, lambda a, b: b / np.polyval(np.polyfit(a, b, 1), a) - 1))


def _mean_miss(x: Any, y: Any, tolerance: float) -> float:
    good = [bool(np.mean(np.abs(_log_misses(x[i:], y[i:]))) <= tolerance) for i in range(len(x) - 2)]
    return _first(x, good)


def _index(x: Any, y: Any, tolerance: float) -> float:
    good = _starts(x, y, tolerance, _log_misses)
    return float(good.index(True)) if True in good else float("nan")


def _last_start(x: Any, y: Any, tolerance: float) -> float:
    good = _starts(x, y, tolerance, _log_misses)
    return float(x[len(good) - 1 - good[::-1].index(True)]) if True in good else float("nan")


def _two_points(x: Any, y: Any, tolerance: float) -> float:
    return _first(x, [*_starts(x, y, tolerance, _log_misses), True, True])


def _three_points(x: Any, y: Any, tolerance: float) -> float:
    good = [bool(np.max(np.abs(_log_misses(x[i : i + 3], y[i : i + 3]))) <= tolerance) for i in range(len(x) - 2)]
    return _first(x, good)


def _no_absolute(x: Any, y: Any, tolerance: float) -> float:
    good = [bool(np.max(_log_misses(x[i:], y[i:])) <= tolerance) for i in range(len(x) - 2)]
    return _first(x, good)


_START_MISTAKES = (
    Mistake(
        "one line for all starts",
        _one_line,
        "You fitted one line, to all the points, and looked for the place from which it fits. The overhead at the "
        "small end has tilted that line. Fit it afresh for each start, to the points from there on.",
    ),
    Mistake(
        "misses in units of y",
        _absolute,
        "You compared differences of y itself with the tolerance. A tolerance of 0.15 means about 15 per cent: take the "
        "difference of the logarithms.",
    ),
    Mistake(
        "line on ordinary axes",
        _ordinary,
        "You fitted a straight line to x and y themselves. A line with an intercept can swallow the overhead; a power "
        "law is straight in log x and log y.",
    ),
    Mistake(
        "mean miss",
        _mean_miss,
        "You compared the mean miss with the tolerance. Then a good end excuses a bad beginning: the rule asks for "
        "*every* point, so take the largest.",
    ),
    Mistake(
        "misses below the line forgotten",
        _no_absolute,
        "You compared the largest miss above the line only. A point may also lie too far below it: take absolute values.",
    ),
    Mistake(
        "the index",
        _index,
        "This is the place in the list. The law begins at a size: return `x` at that place.",
    ),
    Mistake(
        "latest start",
        _last_start,
        "You returned the last start that does. Three points at the end always look straighter; wanted is the "
        "*earliest* start whose line describes all that follows.",
    ),
    Mistake(
        "two points",
        _two_points,
        "A line goes through any two points, so your rule finds a law where there is none. Ask for three points or more, "
        "and return nan if no start will do.",
    ),
    Mistake(
        "the next three points only",
        _three_points,
        "You fitted each line to three points. Fit it to *all* the points from the start on, so that the law describes "
        "everything that follows.",
    ),
)

# --- 2.2.3 overhead against arithmetic ------------------------------------------------------------


def _crossover_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case((float(overhead), float(rate), batch))
        for overhead, rate, batch in (
            (1e-4, 1e11, 64),
            (5e-5, float(f"{rng.uniform(5e10, 3e11):.2g}"), 128),
            (float(f"{rng.uniform(1e-5, 1e-3):.2g}"), 2e11, 32),
            (1e-2, 1e14, int(rng.choice([256, 512]))),
        )
    ]


_CROSSOVER_MISTAKES = (
    Mistake(
        "batch forgotten",
        lambda overhead, rate, batch: overhead * rate / 6,
        "A step does its arithmetic for every token of the batch: 6 N batch FLOPs. You counted a single token.",
    ),
    Mistake(
        "forward only",
        lambda overhead, rate, batch: overhead * rate / (2 * batch),
        "2 FLOPs a parameter is the forward pass. Training takes three times as much: 6.",
    ),
    Mistake(
        "no factor",
        lambda overhead, rate, batch: overhead * rate / batch,
        "You counted one FLOP a parameter and token. Training takes 6: two forward, four backward.",
    ),
    Mistake(
        "factor on the wrong side",
        lambda overhead, rate, batch: 6 * batch * overhead * rate,
        "Set 6 N batch / rate equal to the overhead and solve for N: the 6 and the batch end up below the line.",
    ),
    Mistake(
        "upside down",
        lambda overhead, rate, batch: 6 * batch / (overhead * rate),
        "The fraction stands upside down. A longer overhead hides more arithmetic, so N must grow with the overhead.",
    ),
    Mistake(
        "divided by the rate",
        lambda overhead, rate, batch: overhead / (6 * batch * rate),
        "At `flops_per_second` FLOPs a second the machine does overhead * flops_per_second FLOPs during the overhead: "
        "multiply by the rate.",
    ),
    Mistake(
        "FLOPs hidden",
        lambda overhead, rate, batch: overhead * rate,
        "This is the number of FLOPs that the machine could do during the overhead. Which N has so many in a step?",
    ),
)

# --- 2.2.4 total compute --------------------------------------------------------------------------


def _total_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    parts = {0.0: "the same data", 1.0: "data in proportion", 0.74: "another power", 0.5: "another power"}
    for power, part in parts.items():
        n = np.round(rng.uniform(500, 2000) * 10.0 ** np.arange(2 + (power == 0.5)))
        data, at = (float(np.round(value)) for value in (rng.uniform(2e5, 9e5), rng.uniform(200, 5000)))
        cases.append(Case((n, data, at, power), part=part))
    return cases


_TOTAL_MISTAKES = (
    Mistake(
        "the same data for all",
        lambda n, data, at, power: 6 * n * data,
        "You gave every size the same data. Here D grows with the model, as (N / at) to the `power`.",
    ),
    Mistake(
        "forward only",
        lambda n, data, at, power: 2 * n * data * (n / at) ** power,
        "2 N a token is the forward pass: using the model. Training takes 6 N.",
    ),
    Mistake(
        "one power of N",
        lambda n, data, at, power: 6 * data * at * (n / at) ** power,
        "You raised N to the `power` once. N comes in twice: through the FLOPs a token, and through the number of "
        "tokens. The powers add: 1 + power.",
    ),
    Mistake(
        "not relative to at",
        lambda n, data, at, power: 6 * n * data * n**power,
        "`data` is what the model of `at` parameters gets. Divide N by `at` before you raise it to the power.",
    ),
    Mistake(
        "at outside the power",
        lambda n, data, at, power: 6 * n * data * n**power / at,
        "You raised N to the power first and divided by `at` after. Divide first: (n_params / at) ** power.",
    ),
    Mistake(
        "upside down",
        lambda n, data, at, power: 6 * n * data * (at / n) ** power,
        "The larger models get *less* data in your formula: N and `at` are exchanged.",
    ),
    Mistake(
        "per token",
        lambda n, data, at, power: 6 * n,
        "This is the compute for one token. Multiply by the number of tokens.",
    ),
    Mistake(
        "D itself",
        lambda n, data, at, power: data * (n / at) ** power,
        "This is D, the number of tokens. Each of them costs 6 N FLOPs.",
    ),
)

# --- 2.2.5 the gap --------------------------------------------------------------------------------


def _gap_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for sizes in (3, 4, 4, 5):
        n, i = np.round(rng.uniform(300, 900) * 5.0 ** np.arange(sizes)), np.arange(sizes)
        best = int(rng.integers(1, sizes - 1))  # neither the smallest nor the largest size
        test = rng.uniform(1.5, 2.0) + 0.25 * np.abs(i - best) + rng.uniform(0, 0.05, size=sizes)
        train = test - 0.05 - 0.4 * i
        cases.append(Case((n, np.round(train, 2), np.round(test, 2))))
    return cases


_GAP_MISTAKES = (
    Mistake(
        "best in training",
        lambda n, train, test: (np.asarray(test) - train, n[int(np.argmin(train))]),
        "The gaps are right. The best size is the one with the smallest *test* loss; you looked at the training loss, "
        "which only grows better with size.",
    ),
    Mistake(
        "smallest gap",
        lambda n, train, test: (np.asarray(test) - train, n[int(np.argmin(np.asarray(test) - train))]),
        "The gaps are right, but the best size is not the one with the smallest gap: a tiny model does equally badly "
        "on both. Look for the smallest test loss.",
    ),
    Mistake(
        "sign of the gap",
        lambda n, train, test: (np.asarray(train) - test, n[int(np.argmin(test))]),
        "The best size is right, and the gap has the wrong sign: test less training, so that it is positive when the "
        "model does worse on what it has not seen.",
    ),
    Mistake(
        "the index",
        lambda n, train, test: (np.asarray(test) - train, float(np.argmin(test))),
        "The gaps are right. `argmin` gives a place in the list; return the size at that place, `n_params[...]`.",
    ),
    Mistake(
        "the loss, not the size",
        lambda n, train, test: (np.asarray(test) - train, np.min(test)),
        "The gaps are right. You returned the smallest test loss; wanted is the *size* that reaches it.",
    ),
    Mistake(
        "one gap",
        lambda n, train, test: (float(np.mean(np.asarray(test) - train)), n[int(np.argmin(test))]),
        "The best size is right. Return a gap for each size, not their mean.",
    ),
)

# --- 2.2.6 the price of a run ---------------------------------------------------------------------


def _run_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for exponent in (1.0, 1.0, 0.85, 1.2):
        part = "a linear step" if exponent == 1 else "another exponent"
        at = float(rng.integers(1, 9) * 10_000)
        n = at * float(rng.integers(3, 30))
        cases.append(Case((n, float(rng.integers(2, 9)) * 1e-4, at, exponent, 20.0, int(rng.choice([64, 128]))), part))
    return cases


_RUN_MISTAKES = (
    Mistake(
        "one step",
        lambda n, s, at, e, ratio, batch: s * (n / at) ** e,
        "This is the time of one step. How many steps does it take to see all the tokens?",
    ),
    Mistake(
        "tokens for steps",
        lambda n, s, at, e, ratio, batch: ratio * n * s * (n / at) ** e,
        "You took one step for each token. A step sees `batch` tokens at once.",
    ),
    Mistake(
        "steps of the small model",
        lambda n, s, at, e, ratio, batch: ratio * at / batch * s * (n / at) ** e,
        "You gave the large model as many steps as the measured one. Its data grow with its own size: "
        "tokens_per_param * n_params.",
    ),
    Mistake(
        "time of the small model's step",
        lambda n, s, at, e, ratio, batch: ratio * n / batch * s,
        "The number of steps is right, but each of them takes longer than in the measured model: "
        "(n_params / at) ** exponent times.",
    ),
    Mistake(
        "linear whatever the exponent",
        lambda n, s, at, e, ratio, batch: ratio * n / batch * s * (n / at),
        "You let the step's time grow in proportion to N. Use the measured exponent: (n_params / at) ** exponent.",
    ),
    Mistake(
        "upside down",
        lambda n, s, at, e, ratio, batch: ratio * n / batch * s * (at / n) ** e,
        "Your step becomes *faster* as the model grows: n_params and at are exchanged.",
    ),
    Mistake(
        "at outside the power",
        lambda n, s, at, e, ratio, batch: ratio * n / batch * s * n**e / at,
        "You raised N to the exponent first and divided by `at` after. Divide first: (n_params / at) ** exponent.",
    ),
    Mistake(
        "ratio without size",
        lambda n, s, at, e, ratio, batch: ratio / batch * s * (n / at) ** e,
        "`tokens_per_param` is a number of tokens for *each* parameter: multiply by n_params.",
    ),
)

# --- 2.2.7 one night ------------------------------------------------------------------------------

_ONE_NIGHT = """
My night is eight hours, 28,800 seconds. I time a step of four sizes from 10,000 to 1 million parameters with my own batch
and fit the time law only there, where it is straight: below, overhead hides the size, above, the memory may bend it. With
20 tokens for each parameter the run's time goes as N to the power of about 1.9, so I solve for the largest N that fits and
take a little less. The loss I forecast from the same family at the same ratio of tokens to parameters, with an interval.
What can go wrong: if my data end before the tokens do, the model repeats them and the test loss turns up while the training
loss falls. And the memory law may break: I first run ten steps of the large model and compare time and memory with the
forecast before I start.
"""


def _lacks(*words: str) -> Callable[[str], bool]:
    return lambda text: not any(word in text.lower() for word in words)


EXERCISES = (
    Exercise(
        id="2.2.1",
        title="The exponent between neighbours",
        points=1,
        minutes=5,
        difficulty=1,
        reference=relations.local_exponents,
        cases=_curve_cases,
        mistakes=_LOCAL_MISTAKES,
        hints=(
            "If y = A x^k, then log y = log A + k log x. What is k, between two points?",
            "`np.diff` gives the differences between neighbours.",
            "Differences of `np.log(y)` over differences of `np.log(x)`.",
        ),
    ),
    Exercise(
        id="2.2.2",
        title="Where does the law begin?",
        points=2,
        minutes=10,
        difficulty=2,
        reference=relations.law_begins,
        cases=_start_cases,
        mistakes=_START_MISTAKES,
        hints=(
            "Try the starts in order, from the smallest size. For each: keep the points from there on.",
            "`slope, level = np.polyfit(u, v, 1)` fits a line to u = log x and v = log y; what it misses is "
            "`v - (slope * u + level)`.",
            "Return `x[i]` for the first start i at which `np.max(np.abs(missed)) <= tolerance`; the last start to try "
            "is `len(x) - 3`.",
        ),
    ),
    Exercise(
        id="2.2.3",
        title="Where arithmetic catches up with overhead",
        points=1,
        minutes=5,
        difficulty=1,
        reference=relations.crossover,
        cases=_crossover_cases,
        mistakes=_CROSSOVER_MISTAKES,
        rtol=1e-3,
        hints=(
            "How many seconds do 6 N batch FLOPs take at `flops_per_second`?",
            "Set that equal to `overhead` and solve for N.",
        ),
    ),
    Exercise(
        id="2.2.4",
        title="The total, when the data grow too",
        points=2,
        minutes=6,
        difficulty=2,
        reference=relations.total_flops,
        cases=_total_cases,
        mistakes=_TOTAL_MISTAKES,
        hints=(
            "First the tokens: D = data at N = at, and it grows as N to the `power`.",
            "D = data * (n_params / at) ** power; each token costs 6 N.",
        ),
    ),
    Exercise(
        id="2.2.5",
        title="Gap and best size",
        points=2,
        minutes=6,
        difficulty=2,
        reference=relations.gap_and_best,
        cases=_gap_cases,
        mistakes=_GAP_MISTAKES,
        hints=(
            "The gap says how much worse a model does on what it has not seen.",
            "`np.argmin(test)` is the place of the smallest test loss.",
        ),
    ),
    Exercise(
        id="2.2.6",
        title="The price of a run that has not been made",
        points=2,
        minutes=8,
        difficulty=2,
        reference=relations.run_seconds,
        cases=_run_cases,
        mistakes=_RUN_MISTAKES,
        hints=(
            "A run is a number of steps times the seconds of a step. Both depend on N.",
            "Steps: all tokens, `tokens_per_param * n_params`, over the tokens of a step, `batch`.",
            "A step takes `step_seconds * (n_params / at) ** exponent`.",
        ),
    ),
    Exercise(
        id="2.2.7",
        title="One night on your machine",
        points=3,
        minutes=12,
        difficulty=3,
        kind="text",
        reference=_ONE_NIGHT,
        min_words=60,
        mistakes=(
            Mistake(
                "no data",
                _lacks("token", "data", "text", "sample"),
                "Your plan speaks of the model only. How much data does the run see, and does that grow with the model? "
                "Time, compute and loss all depend on it.",
            ),
            Mistake(
                "no time",
                _lacks("second", "hour", "minute", "night"),
                "How long will it take? Say what you time first, at which sizes, and how you carry it over to the large "
                "model.",
            ),
            Mistake(
                "no break",
                _lacks("break", "bend", "wrong", "fail", "outside", "overhead", "end", "limit", "memory"),
                "Each of the three laws ends somewhere. Say which end you may run into, and how you would notice.",
            ),
        ),
        hints=(
            "Turn the time law round: the night is given, the size is wanted.",
            "Say what you measure first at small sizes, how many tokens the run sees, which loss you forecast, and with "
            "which interval.",
            "Then name the law that is most likely to break, and the cheapest test of it.",
        ),
    ),
)
