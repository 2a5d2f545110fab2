"""The exercises of lesson 5.1: counting FLOPs, rates, budgets, shapes, and a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course import machine
from course.exercises.specification import Case, Exercise, Mistake, Variant

if TYPE_CHECKING:
    import numpy as np

__all__ = ["EXERCISES"]


def _product_cases(rng: np.random.Generator) -> list[Case]:
    drawn = [tuple(int(x) for x in rng.permutation(range(2, 10))[:3]) for _ in range(4)]
    return [*map(Case, drawn), Case((1, 7, 1)), Case((100, 30, 20))]


def _rate_cases(rng: np.random.Generator) -> list[Case]:
    sizes = (10, 64, 100, 500, 1024, 3000)
    return [Case((n, float(f"{10 ** rng.uniform(-5, 0.5):.3g}"))) for n in sizes]


def _days_cases(rng: np.random.Generator) -> list[Case]:
    budgets = (1e12, 1e15, 1e18, 3e20, 1e21)
    return [Case((float(budget), float(f"{10 ** rng.uniform(1, 5):.3g}"))) for budget in budgets]


def _says_no_number(text: str) -> bool:
    return not any(character.isdigit() for character in text)


def _says_no_time(text: str) -> bool:
    return not any(unit in text for unit in ("day", "hour", "minute", "second", "week", "month", "year"))


def _says_no_flops(text: str) -> bool:
    return "flop" not in text


# --- 5.1.3 a shape --------------------------------------------------------------------------------

_COUNT = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")


def _shapes(n: int) -> Variant:
    """The shape of the comparison of a column of `n` predictions with `n` labels."""
    count = _COUNT[n] if n < len(_COUNT) else str(n)
    return Variant(
        task=(
            f"{count} samples have the labels `labels` (their right answers), of shape `({n},)`. A model predicts one number "
            f"for each sample, and its output `predicted` has the shape `({n}, 1)`. Without running it: which shape has "
            "`predicted == labels`? Answer with a tuple, such as `(2, 3)`."
        ),
        reference=(n, n),
        mistakes=(
            Mistake(
                "one a sample",
                (n,),
                f"That is what one would want: one comparison a sample. But ({n}, 1) has two axes, so the result has two. "
                "Write the shapes under each other, lined up at the right, and go axis by axis.",
            ),
            Mistake(
                "shape of the predictions",
                (n, 1),
                f"The last axes are 1 and {n}. A 1 is stretched to meet the other size, so the last axis becomes {n}. "
                "Now do the axis before it.",
            ),
            Mistake(
                "as a row",
                (1, n),
                f"The last axis is right: 1 meets {n} and gives {n}. On the axis before it `predicted` has {n} and "
                "`labels`, which has no such axis, counts as 1.",
            ),
            Mistake(
                "flattened",
                (n * n,),
                f"{n * n} comparisons is the right number, but they are arranged in rows and columns: two axes.",
            ),
            Mistake(
                "the count", n * n, f"{n * n} is how many comparisons there are. The shape says how they are arranged."
            ),
            Mistake("in quotes", f"({n}, {n})", "In quotes it is text, not a tuple. Leave the quotes out."),
            Mistake("one size", n, "A shape is a tuple with one size for each axis, such as `(2, 3)`."),
            Mistake(
                "doubled",
                (2 * n,),
                "Nothing is put end to end here: `==` compares element by element, after stretching axes of size 1.",
            ),
        ),
        hints=(
            f"Write ({n}, 1) and under it ({n},), lined up at the right. The missing size at the left counts as 1.",
            f"Axis by axis: equal sizes stay, and a 1 is stretched to the other size. Last axis: 1 and {n}.",
            f"Last axis: 1 against {n} gives {n}. The axis before: {n} against a missing one, which counts as 1, gives {n}.",
        ),
    )


_SHAPES = _shapes(4)


EXERCISES = (
    Exercise(
        id="5.1.1",
        title="FLOPs of a matrix product",
        points=1,
        minutes=3,
        difficulty=1,
        reference=machine.matrix_product_flops,
        cases=_product_cases,
        mistakes=(
            Mistake(
                "multiplications only",
                lambda m, k, n: m * k * n,
                "You count the multiplications and leave out the additions: half of the FLOPs. Each result is a sum of "
                "k products, so it takes k multiplications and k additions.",
            ),
            Mistake(
                "number of results",
                lambda m, k, n: m * n,
                "This is how many numbers the result has, as if each cost one operation. Each of them is a sum of k "
                "products: count the work of one result, then multiply by their number.",
            ),
            Mistake(
                "two a result",
                lambda m, k, n: 2 * m * n,
                "This gives every result one multiplication and one addition. It takes k of each, because the sum runs "
                "over the k columns of A.",
            ),
            Mistake(
                "sum of the sides",
                lambda m, k, n: 2 * (m + k + n),
                "The three sizes are added here. The work is nested, one loop inside the other (for each row, for each "
                "column, for each term), so the sizes multiply.",
            ),
            Mistake(
                "numbers read and written",
                lambda m, k, n: m * k + k * n + m * n,
                "This counts the numbers in A, B and the result: what is read and written, which is memory. FLOPs "
                "count the arithmetic, and each number of A is used n times.",
            ),
            Mistake(
                "k - 1 additions",
                lambda m, k, n: m * n * (2 * k - 1),
                "Adding k numbers takes k - 1 additions, so this is right by hand. The usual convention, also the one "
                "of this course, counts the first addition too (onto zero): k multiplications and k additions.",
            ),
            Mistake(
                "square matrices only",
                lambda m, k, n: 2 * m**3,
                "This holds when m, k and n are equal. Here they differ: one of the three factors m has to be k, "
                "and another n.",
            ),
        ),
        hints=(
            "How many numbers does the result have? It has m rows and n columns.",
            "One of these numbers is a row of A times a column of B: k products, added up.",
            "So it takes k multiplications and k additions, 2 k operations, and there are m n numbers.",
        ),
    ),
    Exercise(
        id="5.1.2",
        title="From seconds to GFLOP/s",
        points=1,
        minutes=3,
        difficulty=1,
        reference=machine.gflops_per_second,
        cases=_rate_cases,
        rtol=1e-3,
        atol=0.0,
        mistakes=(
            Mistake(
                "MFLOP/s",
                lambda n, seconds: 2 * n**3 / seconds / 1e6,
                "This is in millions of FLOPs a second (MFLOP/s), 1,000 times the number wanted. Giga is 1e9.",
            ),
            Mistake(
                "TFLOP/s",
                lambda n, seconds: 2 * n**3 / seconds / 1e12,
                "This is in TFLOP/s: tera is 1e12. Giga is 1e9.",
            ),
            Mistake(
                "FLOP/s",
                lambda n, seconds: 2 * n**3 / seconds,
                "This is in FLOPs a second. Divide by 1e9 to have GFLOP/s, a number that is easier to read.",
            ),
            Mistake(
                "giga the wrong way",
                lambda n, seconds: 2 * n**3 / seconds * 1e9,
                "You multiply by 1e9. A GFLOP is a billion FLOPs, so there are a billion times fewer of them: divide.",
            ),
            Mistake(
                "no time",
                lambda n, seconds: 2 * n**3 / 1e9,
                "This is the work, in GFLOPs. A rate is work divided by time, and `seconds` is not used yet.",
            ),
            Mistake(
                "no factor 2",
                lambda n, seconds: n**3 / seconds / 1e9,
                "The FLOPs of the product are 2 n³, one multiplication and one addition a term; the 2 is missing.",
            ),
            Mistake(
                "upside down",
                lambda n, seconds: seconds / (2 * n**3 / 1e9),
                "This is upside down: seconds for a billion FLOPs. A rate is work divided by time, so a longer time "
                "must give a smaller number.",
            ),
            Mistake(
                "multiplied by the time",
                lambda n, seconds: 2 * n**3 * seconds / 1e9,
                "You multiply by the time, so a slower machine would get a higher rate. Divide by it.",
            ),
            Mistake(
                "numbers instead of FLOPs",
                lambda n, seconds: 2 * n**2 / seconds / 1e9,
                "The work grows with n³, not n²: there are n² results and each is a sum of n products.",
            ),
        ),
        hints=(
            "A rate is work divided by time.",
            "The work is 2 n³ FLOPs, your formula of 5.1.1 with m = k = n.",
            "That gives FLOPs a second; a GFLOP is 1e9 FLOPs.",
        ),
    ),
    Exercise(
        id="5.1.3",
        title="What shape comes out?",
        kind="value",
        points=1,
        minutes=2,
        difficulty=2,
        reference=_SHAPES.reference,
        mistakes=_SHAPES.mistakes,
        hints=_SHAPES.hints,
        variant=lambda rng: _shapes(int(rng.integers(3, 20))),
    ),
    Exercise(
        id="5.1.4",
        title="Days for a budget",
        points=1,
        minutes=3,
        difficulty=1,
        reference=machine.days_needed,
        cases=_days_cases,
        rtol=1e-3,
        atol=0.0,
        mistakes=(
            Mistake(
                "seconds",
                lambda flops, gflops: flops / (gflops * 1e9),
                "This is the time in seconds. A day has 24 · 60 · 60 = 86,400 of them.",
            ),
            Mistake(
                "minutes",
                lambda flops, gflops: flops / (gflops * 1e9) / 60,
                "This is the time in minutes. Divide by 60 once more for hours, then by 24 for days.",
            ),
            Mistake(
                "hours",
                lambda flops, gflops: flops / (gflops * 1e9) / 3600,
                "This is the time in hours. Divide by 24 for days.",
            ),
            Mistake(
                "giga forgotten",
                lambda flops, gflops: flops / gflops / 86_400,
                "The rate is in GFLOP/s but the budget in FLOPs: multiply the rate by 1e9 first. Your time is a "
                "billion times too long.",
            ),
            Mistake(
                "upside down",
                lambda flops, gflops: gflops * 1e9 / flops / 86_400,
                "This is upside down: a larger budget would take less time. Time is work divided by rate.",
            ),
            Mistake(
                "days the wrong way",
                lambda flops, gflops: flops / (gflops * 1e9) * 86_400,
                "You multiply the seconds by 86,400. A day is longer than a second, so there are fewer days: divide.",
            ),
            Mistake(
                "60 hours in a day",
                lambda flops, gflops: flops / (gflops * 1e9) / 60**3,
                "You divide by 60 three times: seconds to minutes, minutes to hours, and then once more. "
                "A day has 24 hours.",
            ),
        ),
        hints=(
            "Time is work divided by rate, with both in the same unit.",
            "`gflops * 1e9` is the rate in FLOPs a second, so `flops / (gflops * 1e9)` is in seconds.",
            "A day has 24 · 60 · 60 = 86,400 seconds.",
        ),
    ),
    Exercise(
        id="5.1.5",
        title="A plan for your machine",
        kind="text",
        points=2,
        minutes=5,
        difficulty=2,
        min_words=40,
        reference=(
            "This machine measured about 450 GFLOP/s on large matrix products. Small models are ruled by overhead: I "
            "expect to use a tenth of it, 45 GFLOP/s. In 8 hours, 28,800 seconds, that is 1.3e15 FLOPs. A sweep of 20 "
            "equal runs gets 6.5e13 FLOPs each, 24 minutes a run. I would first time one small run: if it reaches less "
            "than a tenth of the measured rate, I train fewer or smaller models, or larger batches, rather than wait."
        ),
        mistakes=(
            Mistake(
                "no number",
                _says_no_number,
                "There is no number in your plan. Start from the rate that you measured and write down what follows "
                "from it.",
            ),
            Mistake(
                "no work",
                _says_no_flops,
                "The plan does not say how much work it pays for. Turn your hours into FLOPs: "
                "seconds times the rate that you expect.",
            ),
            Mistake(
                "no time",
                _says_no_time,
                "The plan gives no time. Say how long one run takes and how long all of them do, in minutes or hours.",
            ),
        ),
        hints=(
            "FLOPs you can pay for = seconds × rate. A night of 8 hours has 28,800 seconds.",
            "The measured rate is a ceiling, and small models stay below it: say which share you expect, and why.",
            "Divide the budget by the number of runs; say what you would measure first and what would change the plan.",
        ),
    ),
)
