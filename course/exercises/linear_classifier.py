"""Exercises of lesson 5.2, the linear classifier."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from course import classifier
from course.data import tabular
from course.exercises.specification import Case, Exercise, Mistake, Variant
from course.exercises.varying import told_apart

__all__ = ["EXERCISES"]


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(z, float)))


# --- 5.2.1 types and shapes -----------------------------------------------------------------------


def _column_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, part: str) -> Case:
        return Case((rng.random((n, d)).round(3), rng.permutation(np.arange(n) % 2)), part)

    ordinary = "ordinary tables"
    return [
        case(3, 2, ordinary),
        case(5, 3, ordinary),
        case(4, 4, ordinary),
        case(1, 3, "a single sample"),
    ]


def _columns_differ(expected: Any, got: Any, case: Case) -> str | None:
    if not isinstance(got, tuple) or len(got) != 2:
        return "Two arrays are asked for, `return X, y`."
    for name, e, g in zip("Xy", expected, got, strict=True):
        g = np.asarray(g)
        if g.shape != e.shape:
            return f"`{name}` has shape {g.shape}; expected {e.shape}."
        if not np.allclose(g, e, atol=1e-6):
            return f"The numbers in `{name}` have changed."
    for name, e, g in zip("Xy", expected, got, strict=True):
        if np.asarray(g).dtype != e.dtype:
            return f"`{name}` is {np.asarray(g).dtype}; TensorFlow's weights are {e.dtype}, so the data must be too."
    return None


columns = Exercise(
    id="5.2.1",
    title="Data that TensorFlow accepts",
    points=1,
    minutes=5,
    difficulty=1,
    reference=classifier.to_float32_columns,
    cases=_column_cases,
    compare=_columns_differ,
    mistakes=(
        Mistake(
            "y stays one-dimensional",
            lambda X, y: (X.astype("float32"), y.astype("float32")),
            "`y` still has shape (n,), but the logits are a column, (n, 1). One step is missing: "
            "`y.reshape(-1, 1)` or `y[:, np.newaxis]` turns n numbers into a column.",
        ),
        Mistake(
            "y is a row",
            lambda X, y: (X.astype("float32"), y.astype("float32").reshape(1, -1)),
            "`y` is a row, (1, n). `reshape(1, -1)` means one row and as many columns as needed; "
            "you want as many rows as needed and one column.",
        ),
        Mistake(
            "X transposed",
            lambda X, y: (X.T.astype("float32"), y.astype("float32").reshape(-1, 1)),
            "`X` has been turned over: (d, n) where (n, d) is wanted. One sample is one row; leave its shape alone.",
        ),
        Mistake(
            "types unchanged",
            lambda X, y: (X, y.reshape(-1, 1)),
            "Shapes and numbers are right, but at least one of the two is not float32 yet. Print the `.dtype` of "
            'both results. `astype` returns a new array: `X.astype("float32")` on a line of its own changes nothing.',
        ),
        Mistake(
            "the order swapped",
            lambda X, y: (y.astype("float32").reshape(-1, 1), X.astype("float32")),
            "Both arrays are right and come in the wrong order: the task asks for `return X, y`.",
        ),
    ),
    hints=(
        "Two things have to change: the type of both arrays, and the shape of one.",
        '`array.astype("float32")` returns a copy in the new type.',
        "`array.reshape(-1, 1)` makes a column; numpy works out the -1.",
    ),
)

# --- 5.2.2 the square of comparisons --------------------------------------------------------------


def _square(percent: int) -> Variant:
    """What the line reports for a perfect model where `percent` % of the labels are 1."""
    q = percent / 100
    first = (
        "The ten labels above hold 60 % ones. Take a large data set with the same share of ones, and a perfect model."
    )
    if percent != 60:
        first = f"Take a large data set in which {percent} % of the labels are 1, and a perfect model."
    return Variant(
        task=(
            f"{first} What does the line as printed report? Count cells, no program needed; a number or an expression "
            "will do."
        ),
        reference=round(q * q + (1 - q) * (1 - q), 6),
        mistakes=(
            Mistake(
                "as if compared row by row",
                1.0,
                "That would be right if each prediction met its own label. In the (n, n) table each prediction "
                "meets *every* label, the other samples' included.",
            ),
            Mistake(
                "exactly one half",
                0.5,
                f"That is right for balanced labels. Here {percent} % of the labels are 1: count the cells in which 1 "
                "meets 1 and those in which 0 meets 0.",
            ),
            Mistake(
                "only one meets one",
                q * q,
                f"{q:g} × {q:g} counts the cells in which a predicted 1 meets a label 1. A predicted 0 that meets a label 0 "
                "is counted as right, too.",
            ),
            Mistake(
                "the share of ones",
                q,
                f"{q:g} is what always answering 1 would score. In the table, a row of predicted 1 agrees with {percent} % "
                f"of the labels and a row of predicted 0 with {100 - percent} %: average over the rows.",
            ),
            Mistake(
                "where they disagree",
                2 * q * (1 - q),
                f"{2 * q * (1 - q):.4g} is the share of cells in which the two *disagree*.",
            ),
        ),
        hints=(
            "Every row of the table is one prediction, compared with all labels.",
            f"{percent} % of the rows predict 1. What share of the labels agrees with such a row? And with the others?",
        ),
    )


_SQUARE = _square(60)

square = Exercise(
    id="5.2.2",
    title="A perfect model, badly scored",
    points=1,
    minutes=4,
    difficulty=2,
    kind="value",
    reference=_SQUARE.reference,
    atol=0.0005,
    mistakes=_SQUARE.mistakes,
    hints=_SQUARE.hints,
    variant=told_apart(lambda rng: _square(int(rng.integers(56, 96))), rtol=0.005),
)

# --- 5.2.3 accuracy -------------------------------------------------------------------------------


def _logit_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, right: int, ones: int, part: str) -> Case:
        y = rng.permutation((np.arange(n) < ones).astype(int))
        hits = rng.permutation(np.arange(n) < right)
        size = rng.choice([0.2, 0.3, 0.4, 0.8, 1.7, 2.6], n) + rng.random(n).round(2) / 10
        size[:2] = 0.25, 1.3  # some logits between 0 and 1/2, some beyond
        return Case(
            (
                np.where(hits == (y == 1), size, -size)[:, np.newaxis].astype("float32"),
                y,
            ),
            part,
        )

    many = "mostly ones"
    return [
        case(5, 4, 3, "balanced labels"),
        case(8, 5, 4, "balanced labels"),
        case(12, 9, 5, "balanced labels"),
        case(6, 4, 5, many),
        case(10, 7, 9, many),
    ]


scoring = Exercise(
    id="5.2.3",
    title="Accuracy, done right",
    points=2,
    minutes=7,
    difficulty=2,
    reference=classifier.accuracy_from_logits,
    cases=_logit_cases,
    mistakes=(
        Mistake(
            "broadcasting",
            lambda logits, y: np.mean((logits > 0) == y),
            "Your `==` met a column, (n, 1), and a plain (n,), and made the (n, n) table of all pairs. Bring both to "
            "the same shape first: `logits[:, 0]`, or `y.reshape(-1, 1)`.",
        ),
        Mistake(
            "logits against one half",
            lambda logits, y: np.mean((logits[:, 0] > 0.5) == y),
            "You compare *logits* with 0.5. The probability is above 0.5 where the logit is above 0: either compare "
            "with 0 or take the sigmoid first.",
        ),
        Mistake(
            "probabilities never rounded",
            lambda logits, y: np.mean(_sigmoid(logits[:, 0]) == y),
            "A probability such as 0.73 is never *equal* to a label 0 or 1. Decide first: 1 where it is above 0.5.",
        ),
        Mistake(
            "logits rounded",
            lambda logits, y: np.mean(np.round(logits[:, 0]) == y),
            "Rounding a logit gives numbers like -2 or 3, which are no labels. Rounding is for probabilities: take "
            "the sigmoid first, or ask whether the logit is above 0.",
        ),
        Mistake(
            "sign against label",
            lambda logits, y: np.mean(np.sign(logits[:, 0]) == y),
            "`np.sign` answers -1 or +1, and the labels are 0 or 1: every correctly predicted 0 is counted as wrong.",
        ),
        Mistake(
            "share wrong",
            lambda logits, y: np.mean((logits[:, 0] > 0) != y),
            "This is the share of *wrong* answers, the error. Accuracy is 1 minus it.",
        ),
        Mistake(
            "percent",
            lambda logits, y: 100 * np.mean((logits[:, 0] > 0) == y),
            "These are percent. The task asks for a share between 0 and 1.",
        ),
        Mistake(
            "count",
            lambda logits, y: np.sum((logits[:, 0] > 0) == y),
            "This counts the right answers. Divide by the number of samples.",
        ),
    ),
    hints=(
        "Print the shapes of `logits` and `y` before you compare them.",
        "`logits[:, 0]` has shape (n,), like `y`.",
        "Class 1 is predicted where the logit is above 0. `np.mean` of an array of True and False is a share.",
    ),
)

# --- 5.2.4 one training step ----------------------------------------------------------------------


def _step_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int) -> Case:
        X = rng.normal(size=(n, d)).round(2).astype("float32")
        y = rng.permutation(np.arange(n) % 2).astype("float32").reshape(-1, 1)
        w, b = (
            rng.normal(size=(d, 1)).round(2).astype("float32"),
            rng.normal(size=1).round(2).astype("float32"),
        )
        return Case((w, b, X, y, float(rng.choice([0.3, 0.5, 0.8]))))

    return [case(3, 2), case(4, 1), case(5, 3), case(8, 4)]


def _step(
    w: Any,
    b: Any,
    X: Any,
    y: Any,
    rate: float,
    *,
    sign: float = -1.0,
    factor: float = 1.0,
    twice: bool = False,
) -> tuple[Any, Any]:
    w, b, X, y = (np.asarray(value, float) for value in (w, b, X, y))
    p = _sigmoid(X @ w + b)
    difference = (_sigmoid(p) - y) * p * (1 - p) if twice else p - y
    move = sign * rate * factor
    return w + move * X.T @ difference / len(X), b + move * difference.mean(0)


def _no_gradient(w: Any, b: Any, X: Any, y: Any, rate: float) -> Any:
    raise TypeError("unsupported operand type(s) for *: 'float' and 'NoneType'")


def _tape_used_twice(w: Any, b: Any, X: Any, y: Any, rate: float) -> Any:
    raise RuntimeError("A non-persistent GradientTape can only be used to compute one set of gradients")


step = Exercise(
    id="5.2.4",
    title="One training step",
    points=3,
    minutes=10,
    difficulty=2,
    reference=classifier.training_step,
    cases=_step_cases,
    rtol=1e-3,
    atol=2e-5,
    mistakes=(
        Mistake(
            "uphill",
            lambda *args: _step(*args, sign=1.0),
            "Your step goes uphill: the gradient points to where the loss grows, so it is *subtracted*.",
        ),
        Mistake(
            "no gradient",
            _no_gradient,
            "The function stopped with a TypeError. The usual cause: `tape.gradient` gave `None`, because the loss was "
            "computed outside the `with tf.GradientTape()` block, or from numpy arrays. The product, the bias "
            "and the loss all belong inside the block; only `tape.gradient` comes after it. Print the gradient to see.",
        ),
        Mistake(
            "the tape used twice",
            _tape_used_twice,
            "The function stopped with a RuntimeError. The usual cause: a tape can be asked only once. Ask it for both "
            "gradients together, `tape.gradient(loss, [w, b])`; it returns a list of two.",
        ),
        Mistake(
            "the sum",
            lambda w, b, X, y, rate: _step(w, b, X, y, rate, factor=len(X)),
            "Your step is n times too long: the loss was summed over the samples. Take `tf.reduce_mean`, as the "
            "article does; then the step does not grow with the number of samples.",
        ),
        Mistake(
            "sigmoid twice",
            lambda *args: _step(*args, twice=True),
            "The sigmoid has been applied twice: `sigmoid_cross_entropy_with_logits` applies it itself, so its "
            "`logits` must be X w + b, without a `tf.sigmoid` around it.",
        ),
        Mistake(
            "bias left",
            lambda w, b, X, y, rate: (_step(w, b, X, y, rate)[0], b),
            "The weights move and the bias does not. It is a parameter, too: ask the tape for both gradients.",
        ),
        Mistake(
            "the gradient itself",
            lambda w, b, X, y, rate: tuple(
                (old - new) / rate for old, new in zip((w, b), _step(w, b, X, y, rate), strict=True)
            ),
            "You return the gradients. The task asks for the *new* weights and bias.",
        ),
        Mistake(
            "no learning rate",
            lambda w, b, X, y, rate: _step(w, b, X, y, 1.0),
            "Your step ignores `learning_rate`: multiply the gradient by it.",
        ),
        Mistake(
            "nothing moved",
            lambda w, b, X, y, rate: (w, b),
            "The weights come back as they went in. `w - learning_rate * g` makes a new tensor; return it, or use "
            "`w.assign_sub(...)`.",
        ),
    ),
    hints=(
        "The tape records what is computed inside the `with` block, and only there.",
        "Inside: the logits, `tf.matmul(X, w) + b`, and the `tf.reduce_mean` of the loss function named in the task.",
        "After the block: `gw, gb = tape.gradient(loss, [w, b])`.",
        "Return `w - learning_rate * gw` and the same for `b`.",
    ),
)

# --- 5.2.5 luck -----------------------------------------------------------------------------------


def _luck_cases(rng: np.random.Generator) -> list[Case]:
    middle, tail = "near one half", "far from one half"
    near = [Case((n // 2 + int(rng.integers(1, max(2, int(n**0.5)))), n), middle) for n in (10, 20, 60, 100)]
    far = [Case((int(n * rng.uniform(0.75, 0.95)), n), tail) for n in (400, 1000, 1000)]
    return near + far


def _binom() -> Any:
    from scipy.stats import binom

    return binom


def _normal_tail(z: float) -> float:
    from scipy.stats import norm

    return float(norm.sf(z))


luck = Exercise(
    id="5.2.5",
    title="The chance of luck",
    points=2,
    minutes=7,
    difficulty=2,
    reference=classifier.probability_at_least,
    cases=_luck_cases,
    rtol=1e-6,
    atol=0.0,
    mistakes=(
        Mistake(
            "more than",
            lambda correct, n: _binom().sf(correct, n, 0.5),
            "This is the chance of *more than* `correct`. `binom.sf(k, ...)` means strictly above k, so the "
            "count itself is left out: hand it `correct - 1`.",
        ),
        Mistake(
            "both tails",
            lambda correct, n: 2 * _binom().sf(correct - 1, n, 0.5),
            "Twice too large: you have counted being that far *below* one half as well. "
            "The question is about at least this many right.",
        ),
        Mistake(
            "exactly",
            lambda correct, n: _binom().pmf(correct, n, 0.5),
            "This is the chance of *exactly* that many right. Add those of every larger count up to n.",
        ),
        Mistake(
            "the other side",
            lambda correct, n: _binom().cdf(correct, n, 0.5),
            "This is the chance of at most that many. The cumulative distribution adds from 0 up; you want the rest.",
        ),
        Mistake(
            "the other side, strictly",
            lambda correct, n: _binom().cdf(correct - 1, n, 0.5),
            "This is the chance of *fewer* than `correct`, the complement of what is asked.",
        ),
        Mistake(
            "digits lost",
            lambda correct, n: 1 - _binom().cdf(correct - 1, n, 0.5),
            "Right as a formula, but 1 minus a number that differs from 1 by less than 1e-16 is exactly 0 in floating "
            "point. `binom.sf(correct - 1, n, 0.5)` adds the small tail itself.",
        ),
        Mistake(
            "more than, and digits lost",
            lambda correct, n: 1 - _binom().cdf(correct, n, 0.5),
            "This is the chance of *more than* `correct`: `binom.cdf(k, ...)` includes k, so the count itself is left "
            "out. Far out, 1 minus the cdf is exactly 0 besides; look for the function that adds the small tail itself.",
        ),
        Mistake(
            "no square root of n",
            lambda correct, n: _normal_tail((correct / n - 0.5) / 0.5),
            "The spread of one flip, 0.5, has been used for the accuracy on n flips; that shrinks to 0.5 / √n. "
            "The binomial needs no such approximation: `scipy.stats.binom`.",
        ),
        Mistake(
            "the normal curve",
            lambda correct, n: _normal_tail((correct - n / 2) / (n**0.5 / 2)),
            "The normal curve with the right spread. Near one half it is close; far out it is wrong by orders of "
            "magnitude, and it cannot tell ≥ from >. Use the exact binomial.",
        ),
    ),
    hints=(
        "The number of right guesses among n fair coin flips is binomial: n trials, probability 1/2.",
        "1 minus a number that is nearly 1 keeps no digits of a small chance. `binom.sf` adds the small tail itself.",
        "`binom.sf(i, n, 0.5)` is the chance of more than i. At least `correct` is more than `correct - 1`.",
    ),
)

# --- 5.2.6 how many flips -------------------------------------------------------------------------


def _difference_cases(rng: np.random.Generator) -> list[Case]:
    # Down to small samples, where rounding shows, and up to large ones, where only the law does.
    return [
        Case((float(np.round(rng.uniform(low, high), 3)),), part)
        for low, high, part in (
            (0.06, 0.10, "large differences"),
            (0.04, 0.06, "large differences"),
            (0.015, 0.03, "small differences"),
            (0.005, 0.01, "small differences"),
        )
    ]


needed = Exercise(
    id="5.2.6",
    title="How many labels to tell 0.52 from 0.50",
    points=2,
    minutes=6,
    difficulty=2,
    reference=classifier.flips_needed,
    cases=_difference_cases,
    rtol=0.05,  # 1.96 and 2 are both fine
    atol=1.0,
    mistakes=(
        Mistake(
            "one-sided",
            lambda difference: (1.645 * 0.5 / difference) ** 2,
            "1.645 leaves 5 % on *one* side. An interval that holds 95 % leaves 2.5 % on each side: 1.96.",
        ),
        Mistake(
            "variance for deviation",
            lambda difference: (1.96 * 0.25 / difference) ** 2,
            "Your n is four times too small. Either 0.25, the variance of a fair flip, took the place of its standard "
            "deviation 0.5, or the 1.96 is missing (or 2, which is as good).",
        ),
        Mistake(
            "not squared",
            lambda difference: 1.96 * 0.5 / difference,
            "Solve 1.96 · 0.5 / √n = difference for n: there is a square root, so the result is squared. "
            "Half the difference needs four times the labels.",
        ),
        Mistake(
            "twice the width",
            lambda difference: (1.96 / difference) ** 2,
            "Four times too many: either the deviation of one flip was taken as 1 in place of 0.5, or the whole "
            "interval was fitted into the difference; it reaches the difference to *each* side of 0.5.",
        ),
    ),
    hints=(
        "One flip has the standard deviation 0.5, so the accuracy on n flips has 0.5 / √n.",
        "95 % of a normal curve lies within 1.96 standard deviations of its middle.",
        "Solve 1.96 · 0.5 / √n = difference for n, and round up.",
    ),
)

# --- 5.2.7 the formula turned round ---------------------------------------------------------------


def _turned(k: int, percent: int) -> Variant:
    """The n at which `k` parameters fit coin flips to `percent` %, by the formula."""
    target = percent / 100
    z = NormalDist().inv_cdf(target)
    squared = z * z
    n, fewer, unsquared = k + k / squared, (k - 1) * (1 + 1 / squared), k + k / z
    counted = f"counting {k - 1} parameters, where the bias makes it k = {k}"
    if abs(fewer / unsquared - 1) < 0.005:
        slips: tuple[Mistake, ...] = (
            Mistake(
                "the bias left out, or not squared",
                fewer,
                f"Two slips lead to {fewer:.1f}: {counted}, or leaving {z:.4f} unsquared.",
            ),
        )
    else:
        slips = (
            Mistake("the bias left out", fewer, f"This comes from {counted}."),
            Mistake("not squared", unsquared, f"This comes from leaving {z:.4f} unsquared."),
        )
    return Variant(
        task=(
            f"Turn the formula round. At which $n$ does it give {target:.2f}, for $k = {k}$ parameters? You need "
            rf"$\Phi({z:.4f}) = {target:.2f}$. Write a number (it need not be whole) or an expression, from "
            r"$\Phi(\sqrt{k/(n-k)})$, without the approximation for large $n$."
        ),
        reference=n,
        mistakes=(
            Mistake(
                "rounded",
                float(np.ceil(n)),
                f"Your rearranging is right, and the result is rounded to {np.ceil(n):.0f}. Here the formula's own number is "
                "asked for, with its decimals.",
            ),
            Mistake(
                "k not added",
                k / squared,
                f"That is n - k: from k/(n - k) = {z:.4f}² follows n - k = k/{z:.4f}². Add the {k} parameters.",
            ),
            *slips,
            Mistake(
                "the approximation",
                k / (2 * np.pi * (target - 0.5) ** 2),
                "You used the approximation for n much larger than k. Here n is not that large beside k: take the formula "
                "with Φ.",
            ),
            Mistake(
                "upside down",
                k + k * squared,
                f"Upside down: k/(n - k) = {z:.4f}² gives n - k = k / {z:.4f}², a division.",
            ),
        ),
        hints=(
            f"Φ(√(k/(n - k))) = {target:.2f} means √(k/(n - k)) = {z:.4f}.",
            "Square both sides, and solve for n - k.",
        ),
    )


_TURNED = _turned(11, 80)

turned = Exercise(
    id="5.2.7",
    title="How few flips give 80 %",
    points=1,
    minutes=5,
    difficulty=1,
    kind="value",
    reference=_TURNED.reference,
    rtol=0.002,
    mistakes=_TURNED.mistakes,
    hints=_TURNED.hints,
    variant=told_apart(lambda rng: _turned(int(rng.integers(6, 41)), int(rng.integers(70, 90))), rtol=0.005),
)

# --- 5.2.8 leakage --------------------------------------------------------------------------------


def _table_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, m: int, d: int) -> Case:
        spread = rng.uniform(0.5, 4, d)
        return Case(
            (
                (rng.normal(size=(n, d)) * spread + 3).round(2),
                (rng.normal(size=(m, d)) * spread + 4).round(2),
            ),
            "ordinary columns",
        )

    train, test = case(5, 3, 3).args
    train[:, 1], test[:, 1] = 7, [7, 8, 7]
    return [
        case(4, 2, 2),
        case(6, 4, 3),
        case(5, 5, 4),
        Case((train, test), "a column constant in training"),
    ]


def _both(train: Any, test: Any) -> Any:
    everything = np.vstack([train, test])
    mean, deviation = everything.mean(0), everything.std(0)
    return (train - mean) / deviation, (test - mean) / deviation


def _standardised_differ(expected: Any, got: Any, case: Case) -> str | None:
    """The divisor n - 1 is as good as n."""
    train, test = case.args
    mean, deviation = train.mean(0), train.std(0, ddof=1)
    other = tuple((part - mean) / np.where(deviation == 0, 1, deviation) for part in (train, test))
    if not isinstance(got, tuple) or len(got) != 2:
        return "Two arrays are asked for, `return X_train, X_test`, both rescaled."
    for wanted in (expected, other):
        if all(w.shape == np.shape(g) and np.allclose(g, w, atol=1e-4) for w, g in zip(wanted, got, strict=True)):
            return None
    for name, e, g in zip(("X_train", "X_test"), expected, got, strict=True):
        if np.shape(g) != e.shape:
            return f"`{name}` has shape {np.shape(g)}; expected {e.shape}."
        if not np.isfinite(np.asarray(g, float)).all():
            return f"`{name}` holds nan or inf: a column that never varies has the standard deviation 0."
        if not np.allclose(g, e, atol=1e-4):
            return f"The numbers in `{name}` differ."
    return "The numbers differ."


scaling = Exercise(
    id="5.2.8",
    title="Standardise without a leak",
    points=2,
    minutes=8,
    difficulty=3,
    reference=tabular.standardise,
    cases=_table_cases,
    compare=_standardised_differ,
    mistakes=(
        Mistake(
            "each part by its own",
            lambda train, test: tuple((part - part.mean(0)) / part.std(0) for part in (train, test)),
            "The test part was rescaled by its *own* mean and deviation. The same tumour would then get other numbers "
            "in other company, and a single new patient could not be rescaled at all. Use the training part's for "
            "both.",
        ),
        Mistake(
            "everything together",
            _both,
            "Mean and deviation were computed from training and test data together: the test data have leaked "
            "into what the model is trained on. Compute both from `X_train` alone.",
        ),
        Mistake(
            "per row",
            lambda train, test: tuple(
                (part - part.mean(1, keepdims=True)) / part.std(1, keepdims=True) for part in (train, test)
            ),
            "You average over each *row*, which mixes radius with smoothness. A feature is a column: `axis=0`.",
        ),
        Mistake(
            "one number for the table",
            lambda train, test: tuple((part - train.mean()) / train.std() for part in (train, test)),
            "`X_train.mean()` without an axis is one number for the whole table; each column needs its own: `axis=0`.",
        ),
        Mistake(
            "by the variance",
            lambda train, test: tuple((part - train.mean(0)) / train.var(0) for part in (train, test)),
            "You divide by the variance. The standard deviation is its square root, `std`.",
        ),
        Mistake(
            "only centred",
            lambda train, test: tuple(part - train.mean(0) for part in (train, test)),
            "The mean is gone; the division by the standard deviation is missing.",
        ),
        Mistake(
            "division by zero",
            lambda train, test: tuple((part - train.mean(0)) / train.std(0) for part in (train, test)),
            "A column that is constant in the training part has the deviation 0, and 0 / 0 is nan. Divide by 1 there: "
            "`np.where(deviation == 0, 1, deviation)`. The digits need it: "
            "some pixels at the edge are always dark.",
        ),
    ),
    hints=(
        "Compute two rows of numbers, a mean and a deviation for each column, from `X_train` only.",
        "`X_train.mean(axis=0)` and `X_train.std(axis=0)` have shape (d,) and broadcast over the rows.",
        "Guard against columns that never vary: `np.where(deviation == 0, 1, deviation)`.",
    ),
)

# --- 5.2.9 open -----------------------------------------------------------------------------------

_CAUSES = (
    *(
        "leak",
        "signal",
        "train",
        "test",
        "select",
        "choos",
        "chose",
        "small",
        "fewer",
        "seed",
        "shuffl",
    ),
    *(
        "balance",
        "invent",
        "made up",
        "never",
        "measured",
        "fresh",
        "other data",
        "label",
    ),
)


def _only_luck(text: str) -> bool:
    return any(word in text for word in ("luck", "chance")) and not any(word in text for word in _CAUSES)


source = Exercise(
    id="5.2.9",
    title="Where 80 % might have come from",
    points=3,
    minutes=10,
    difficulty=3,
    kind="text",
    min_words=30,
    reference="""
    Reading 1: the labels had a signal. With labels drawn from a logistic model of strength 2.3, the same program
    reaches 80 % on fresh data. To tell: print the label line, or train again on shuffled labels; accuracy stays at 80 %
    only if it never came from the labels.
    Reading 2: a leak. Twenty thousand random columns, the best hundred chosen with the test labels in sight, score 80 %
    on the held-out part. To tell: redo the choice inside the training part, and the score falls to one half.
    Reading 3: the figure was never measured. To tell: ask for the program, the seed and the output; as printed it stops
    at its first matrix product.
    I would ask for the seed and the raw predictions first, because one of the three questions settles the others.
    """,
    mistakes=(
        Mistake(
            "luck",
            _only_luck,
            "Luck alone has a chance of about 1e-85 on 1,000 flips: look for another reading, "
            "and say how one would tell.",
        ),
    ),
    hints=(
        "Which of the numbers in this lesson came out near 0.80? There are at least three.",
        "For each: what one print statement or one rerun would tell it apart from the others?",
    ),
)

EXERCISES = (columns, square, scoring, step, luck, needed, turned, scaling, source)
