"""Exercises of lesson 4.1: the cross-entropy loss, its gradient, and how to check both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from course import losses
from course.exercises.specification import Case, Exercise, Mistake, Variant
from course.exercises.varying import told_apart
from course.losses import log_sum_exp, sigmoid, softmax


def _quiet(wrong: Callable[..., Any]) -> Callable[..., Any]:
    """The same function without NumPy's warnings: overflow is what these mistakes are about."""

    def quiet(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return wrong(*args)

    return quiet


# --- 4.1.1 the loss of four tosses ----------------------------------------------------------------

_COUNT = ("no", "one", "two", "three", "four", "five", "six")


def _coin(p: float, tosses: str) -> Variant:
    """The loss of a model that says heads with probability `p` on `tosses`, such as "HHTH"."""
    n, heads = len(tosses), tosses.count("H")
    tails = n - heads
    given = [p] * heads + [1 - p] * tails
    count = _COUNT[n]

    def per_toss(log: Callable[[Any], Any]) -> float:
        return float(-np.mean(log(given)))

    counted = f"{_COUNT[heads].capitalize()} time{'s' * (heads > 1)} {p:.2g}"
    left_out = "the tail" if tails == 1 else f"the {_COUNT[tails]} tails"
    mistakes = (
        Mistake(
            "only the heads",
            -heads * np.log(p) / n,
            f"You counted the {_COUNT[heads]} heads and left {left_out} out. A tail had probability {1 - p:.2g} under this "
            f"model, and `-log({1 - p:.2g})` is the largest of the terms. Keep this number in mind: it is the article's loss.",
        ),
        Mistake(
            "sum, not mean",
            n * per_toss(np.log),
            f"That is the sum over the {count} tosses. Nats *per toss* divides it by {n}, so that ten and ten thousand "
            "tosses can be compared.",
        ),
        Mistake(
            "bits",
            per_toss(np.log2),
            "That is the answer in bits: you used the logarithm to base 2. Nats need the natural logarithm, `np.log`.",
        ),
        Mistake(
            "base 10",
            per_toss(np.log10),
            "You used the logarithm to base 10. Nats need the natural logarithm, which Python calls `np.log`.",
        ),
        Mistake(
            "no minus",
            -per_toss(np.log),
            "The size is right, the sign is not. The log of a probability is negative; the loss is *minus* its mean.",
        ),
        Mistake(
            "probability",
            float(np.prod(given)),
            f"That is the probability of the {count} tosses. Take its logarithm, turn the sign, divide by {n}.",
        ),
        Mistake(
            "log of the mean",
            float(-np.log(np.mean(given))),
            "You averaged the probabilities and then took one logarithm. The log comes first: it turns the product of "
            f"the {count} probabilities into a sum, and that sum is averaged.",
        ),
        Mistake(
            "probability of a head for all",
            -np.log(p),
            f"That gives every toss the probability {p:.2g}. A tail had 1 - {p:.2g} = {1 - p:.2g}.",
        ),
        Mistake(
            "heads for tails",
            -(heads * np.log(1 - p) + tails * np.log(p)) / n,
            f"You gave the heads the probability of tails, and the other way round. There were {_COUNT[heads]} heads, with "
            f"probability {p:.2g} each.",
        ),
        Mistake(
            "sum without a minus",
            -n * per_toss(np.log),
            f"That is the log of the probability of the {count} tosses. Turn the sign, and divide by {n} for nats *per toss*.",
        ),
    )
    words = ", ".join("heads" if toss == "H" else "tails" for toss in tosses)
    sees = "the same four tosses" if tosses == "HHTH" else f"{count} other tosses"
    return Variant(
        task=(
            f"Another model says heads with probability {p:.2g}. It sees {sees}: {words}. What is its mean loss in nats per "
            "toss? Write a number or a NumPy expression; three digits will do."
        ),
        reference=per_toss(np.log),
        mistakes=mistakes,
        hints=(
            f"What probability did the model give to what happened, toss by toss? {counted}, and {_often(tails)} something "
            "else.",
            f"Take `-np.log` of each of the {count} probabilities and average the {count} numbers.",
        ),
    )


def _often(times: int) -> str:
    return "once" if times == 1 else f"{_COUNT[times]} times"


def _draw_coin(rng: np.random.Generator) -> Variant:
    n = int(rng.integers(4, 7))
    tails = int(rng.integers(1, (n - 1) // 2 + 1))
    tosses = rng.permutation(list("T" * tails + "H" * (n - tails)))
    return _coin(int(rng.integers(60, 90)) / 100, "".join(tosses))


_COIN = _coin(0.7, "HHTH")


# --- 4.1.2 binary cross-entropy from logits -------------------------------------------------------


def _bce_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for n in (2, 3, 5, 8):
        y = rng.integers(0, 2, size=n)
        y[:2] = (0, 1)  # both labels in every case
        cases.append(Case((np.round(rng.normal(scale=2, size=n), 2), y), "ordinary logits"))
    for scale in (50.0, 900.0):
        z = scale * np.array([1.0, -1.0, 1.0, -1.0]) * rng.uniform(0.9, 1.2, size=4).round(2)
        cases.append(Case((z, np.array([0, 1, 1, 0])), "large logits"))
    return cases


def _naive(z: Any, y: Any) -> Any:
    p = 1 / (1 + np.exp(-z))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def _naive_where(z: Any, y: Any) -> Any:
    p = 1 / (1 + np.exp(-z))
    return np.mean(np.where(y == 1, -np.log(p), -np.log(1 - p)))


def _clipped(eps: float) -> Callable[[Any, Any], Any]:
    def loss(z: Any, y: Any) -> Any:
        p = np.clip(sigmoid(z), eps, 1 - eps)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    return loss


_LOGIT_MISTAKES = (
    Mistake(
        "probabilities first",
        _quiet(_naive),
        "You went through the probability and took its logarithm. At a logit of 50 the probability is within 1e-21 "
        "of 1 and is stored as exactly 1, so `log(1 - p)` is the log of 0, and 0 times infinity is `nan`. Write the "
        "loss in terms of `z`: `log(1 - p)` is `-z - log(1 + exp(-z))`.",
    ),
    Mistake(
        "probabilities first, with where",
        _quiet(_naive_where),
        "Choosing with `where` avoids 0 times infinity, but the probability has already been rounded to 0 or 1, so a "
        "confident wrong answer costs `inf`. Its true cost is finite, about |z|. Write the loss in terms of `z`.",
    ),
    *(
        Mistake(
            f"clipped at {eps:g}",
            _clipped(eps),
            f"Clipping the probability at {eps:g} (or adding that inside the log) keeps the loss finite but caps it at "
            f"{-np.log(eps):.1f} nats: beyond that a worse answer costs no more, and the gradient is 0. Neither is "
            "needed when the loss is written in terms of `z`.",
        )
        for eps in (1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15)
    ),
    Mistake(
        "softplus overflows",
        _quiet(lambda z, y: np.mean(np.log(1 + np.exp(z)) - y * z)),
        "It is right on paper, but for one sign of z the exponential of a large number overflows to `inf`. Use one "
        "form for z > 0, with e^z taken out of the bracket, and the other for z < 0, so that no exponent is positive.",
    ),
    Mistake(
        "the form for z > 0 everywhere",
        lambda z, y: np.mean(z - z * y + np.log1p(np.exp(-np.abs(z)))),
        "Right for the samples with z > 0. For z < 0 nothing is taken out of the logarithm, so the first term is 0.",
    ),
    Mistake(
        "absolute value for the larger of z and 0",
        lambda z, y: np.mean(np.abs(z) - z * y + np.log1p(np.exp(-np.abs(z)))),
        "Right for the samples with z > 0. For z < 0 nothing is taken out of the logarithm, so the first term is 0, "
        "not |z|: the larger of z and 0.",
    ),
    Mistake(
        "nothing taken out",
        lambda z, y: np.mean(np.log1p(np.exp(-np.abs(z))) - z * y),
        "Right for the samples with z < 0. For z > 0 the factor e^z was taken out of the bracket, and its log, z, "
        "is missing.",
    ),
    Mistake(
        "plus y z",
        lambda z, y: np.mean(np.maximum(z, 0) + z * y + np.log1p(np.exp(-np.abs(z)))),
        "The sign of y z is wrong: with y = 1 your loss rises with z, although a larger z makes label 1 more probable.",
    ),
    Mistake(
        "no absolute value",
        _quiet(lambda z, y: np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-z)))),
        "Nearly: the last term needs `exp(-abs(z))`. With `exp(-z)` negative logits are wrong, and large ones overflow.",
    ),
    Mistake(
        "only the ones",
        lambda z, y: np.mean(y * np.logaddexp(0, -z)),
        "Samples with label 0 cost nothing in your version: the term (1 - y) log(1 - p) is missing. That is the "
        "article's loss, and a model that always answers 1 makes it 0.",
    ),
    Mistake(
        "only the ones, by probabilities",
        _quiet(lambda z, y: -np.mean(y * np.log(1 / (1 + np.exp(-z))))),
        "Samples with label 0 cost nothing in your version: the term (1 - y) log(1 - p) is missing. Besides, the log "
        "of a rounded probability fails for large logits.",
    ),
    Mistake(
        "sum, not mean",
        lambda z, y: np.sum(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))),
        "This is the sum over the samples, `len(y)` times too large. The loss is their mean.",
    ),
    Mistake(
        "a loss a sample",
        lambda z, y: np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))),
        "These are the losses of the single samples, and they are right. Return their mean, one number.",
    ),
    Mistake(
        "wrong sign",
        lambda z, y: -np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))),
        "Every loss has the wrong sign. A log-probability is negative; the loss is minus that.",
    ),
    Mistake(
        "labels swapped",
        lambda z, y: np.mean(np.maximum(z, 0) - z * (1 - y) + np.log1p(np.exp(-np.abs(z)))),
        "The labels are swapped: a sample of label 1 is charged -log(1 - p). `p` is the probability of label 1, so "
        "for y = 1 the loss must fall as z grows.",
    ),
    Mistake(
        "bits",
        lambda z, y: np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))) / np.log(2),
        "Your loss is in bits: 1/ln 2 = 1.4427 times too large. Use the natural logarithm.",
    ),
    Mistake(
        "logits taken as probabilities",
        _quiet(lambda z, y: -np.mean(y * np.log(z) + (1 - y) * np.log(1 - z))),
        "You took the logarithm of the logit itself. A logit is any real number; the probability is `sigmoid(z)`.",
    ),
)

# --- 4.1.3 gradient of the logistic loss ----------------------------------------------------------


def _logistic_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, part: str) -> Case:
        X = rng.normal(size=(n, d)).round(2)
        y = rng.integers(0, 2, size=n)
        y[0] = 0
        if n > 1:
            y[1] = 1
        return Case((rng.normal(size=d).round(2), X, y), part)

    several = [case(n, d, "several samples") for n, d in ((3, 2), (4, 3), (6, 2), (9, 4))]
    return [*several, case(1, 2, "one sample"), case(1, 4, "one sample")]


def _p(w: Any, X: Any) -> Any:
    return sigmoid(X @ w)


_GRADIENT_MISTAKES = (
    Mistake(
        "no mean",
        lambda w, X, y: X.T @ (_p(w, X) - y),
        "This is the gradient of the summed loss, n times too large. The loss is a mean over the n samples, so "
        "divide by `len(y)`.",
    ),
    Mistake(
        "y - p",
        lambda w, X, y: X.T @ (y - _p(w, X)) / len(y),
        "Every number has the wrong sign: the slope in the logit is `p - y`, prediction minus label. As it stands, a "
        "step *against* your gradient climbs.",
    ),
    Mistake(
        "y - p, no mean",
        lambda w, X, y: X.T @ (y - _p(w, X)),
        "Two things: the slope in the logit is `p - y`, not `y - p`; and the loss is a mean, so divide by `len(y)`.",
    ),
    Mistake(
        "sigmoid's derivative twice",
        lambda w, X, y: X.T @ ((_p(w, X) - y) * _p(w, X) * (1 - _p(w, X))) / len(y),
        "There is a factor p(1 - p) too many. It belongs to the squared error; in cross-entropy the log's derivative "
        "cancels it, which is the point of the derivation above.",
    ),
    Mistake(
        "the article's loss",
        lambda w, X, y: X.T @ (y * (_p(w, X) - 1)) / len(y),
        "This is the gradient of the article's loss: samples with label 0 contribute nothing. With both terms, the "
        "slope in the logit is `p - y` for either label.",
    ),
    Mistake(
        "no sigmoid",
        lambda w, X, y: X.T @ (X @ w - y) / len(y),
        "You subtracted the label from the logit. That is the gradient of least squares; here the prediction is "
        "`sigmoid(X @ w)`.",
    ),
    Mistake(
        "hard decisions",
        lambda w, X, y: X.T @ ((_p(w, X) > 0.5).astype(float) - y) / len(y),
        "You rounded the prediction to 0 or 1 before subtracting (that is the perceptron's rule). The gradient uses "
        "the probability itself.",
    ),
    Mistake(
        "divided by d",
        lambda w, X, y: X.T @ (_p(w, X) - y) / len(w),
        "You divided by the number of features. The mean runs over the samples, so divide by `len(y)`, or `X.shape[0]`.",
    ),
    Mistake(
        "divided by the whole array",
        lambda w, X, y: X.T @ (_p(w, X) - y) / np.size(X),
        "You divided by n times d, the number of entries of X. The mean runs over the n samples only.",
    ),
    Mistake(
        "averaged over features",
        lambda w, X, y: np.mean((_p(w, X) - y)[:, None] * X, axis=1),
        "You averaged over the wrong axis: this has one number for each sample. The gradient has one number for each "
        "weight, so average over the samples, `axis=0`.",
    ),
    Mistake(
        "mean of everything",
        lambda w, X, y: np.mean((_p(w, X) - y)[:, None] * X),
        "You averaged over samples and features together and got one number. Average over the samples only "
        "(`axis=0`): one number must be left for each weight.",
    ),
    Mistake(
        "transpose forgotten",
        lambda w, X, y: X @ (_p(w, X) - y) / len(y),
        "`X @ ...` sums over the features. The residual p - y has one entry for each sample, and the sum must run over "
        "samples: (d, n) times (n,) gives (d,), so the transpose `X.T` is needed.",
    ),
    Mistake(
        "(n,) against (n, 1)",
        lambda w, X, y: X.T @ (_p(w, X) - np.reshape(y, (-1, 1))) / len(y),
        "`p` of shape (n,) met `y` of shape (n, 1), and NumPy broadcast them to (n, n): every prediction minus every "
        "label. Keep both (n,).",
    ),
    Mistake(
        "a column",
        lambda w, X, y: X.T @ np.reshape(_p(w, X) - y, (-1, 1)) / len(y),
        "The numbers are right, but as a column (d, 1). The gradient has the shape of the weights, (d,).",
    ),
    *(
        Mistake(
            f"not summed, {name}",
            wrong,
            "These are the contributions of the single samples, each its p - y times its row of X, side by side. The "
            f"gradient has one number for each weight: take their {total} over the samples, axis {axis} here.",
        )
        for name, total, axis, wrong in (
            ("rows", "mean", 0, lambda w, X, y: (_p(w, X) - y)[:, None] * X),
            ("columns", "mean", 1, lambda w, X, y: X.T * (_p(w, X) - y)),
            ("rows, divided", "sum", 0, lambda w, X, y: (_p(w, X) - y)[:, None] * X / len(y)),
            ("columns, divided", "sum", 1, lambda w, X, y: X.T * (_p(w, X) - y) / len(y)),
        )
    ),
    Mistake(
        "product of two means",
        lambda w, X, y: np.mean(_p(w, X) - y) * np.mean(X, axis=0),
        "You averaged p - y and the features separately and multiplied the means. Multiply within each sample first, "
        "then average over the samples.",
    ),
)

# --- 4.1.4 central differences --------------------------------------------------------------------


@dataclass(frozen=True)
class _Quadratic:
    """w.A.w + b.w + sum(w^3): cross terms tell moving one weight from moving them all."""

    A: Any
    b: Any
    __name__ = "quadratic_with_cross_terms"

    def __call__(self, w: Any) -> float:
        w = np.asarray(w)
        return float(w @ self.A @ w + self.b @ w + np.sum(w**3))


@dataclass(frozen=True)
class _Logistic:
    """Ten times the loss of a logistic model."""

    X: Any
    y: Any
    __name__ = "loss_of_a_logistic_model"

    def __call__(self, w: Any) -> float:
        return 10 * losses.binary_cross_entropy(self.X @ np.asarray(w), self.y)


@dataclass(frozen=True)
class _Wave:
    """A sum of sines and a product."""

    __name__ = "wave"

    def __call__(self, w: Any) -> float:
        w = np.asarray(w)
        return float(np.sum(np.sin(3 * w)) + np.prod(1 + w))


def _difference_cases(rng: np.random.Generator) -> list[Case]:
    def quadratic(d: int) -> _Quadratic:
        A = rng.normal(size=(d, d)).round(1)
        return _Quadratic(A + A.T, rng.normal(size=d).round(1))

    def logistic(n: int, d: int) -> _Logistic:
        return _Logistic(rng.normal(size=(n, d)), rng.integers(0, 2, size=n))

    cases = [Case((quadratic(d), rng.normal(size=d).round(2), 0.01), "several weights") for d in (2, 3, 5)]
    cases += [Case((logistic(8, d), rng.normal(size=d).round(2), 0.05), "several weights") for d in (2, 4)]
    cases.append(Case((_Wave(), rng.normal(size=3).round(2), 0.1), "several weights"))
    cases += [Case((f, rng.normal(size=1).round(2), 0.1), "one weight") for f in (quadratic(1), _Wave())]
    return cases


def _each(w: Any, derivative: Callable[[Any], float]) -> Any:
    return np.array([derivative(row) for row in np.eye(len(w))])


def _never_put_back(f: Any, w: Any, step: float) -> Any:
    w, g = np.array(w, float), []
    for i in range(len(w)):
        w[i] += step
        up = f(w)
        w[i] -= 2 * step
        g.append((up - f(w)) / (2 * step))
    return np.array(g)


_DIFFERENCE_MISTAKES = (
    Mistake(
        "one-sided",
        lambda f, w, step: _each(w, lambda e: (f(w + step * e) - f(w)) / step),
        "This is the forward difference: it steps to one side only, and its error shrinks like the step. Step to both "
        "sides, f(w + h) - f(w - h), and the error shrinks like the step squared.",
    ),
    Mistake(
        "backward",
        lambda f, w, step: _each(w, lambda e: (f(w) - f(w - step * e)) / step),
        "This is the backward difference, which also steps to one side only. Step to both sides: f(w + h) - f(w - h).",
    ),
    Mistake(
        "forgot the 2",
        lambda f, w, step: _each(w, lambda e: (f(w + step * e) - f(w - step * e)) / step),
        "Every number is twice too large: the two points lie 2h apart, so divide by `2 * step`.",
    ),
    Mistake(
        "divided by 2, not by 2h",
        lambda f, w, step: _each(w, lambda e: (f(w + step * e) - f(w - step * e)) / 2),
        "You divided by 2 and forgot the step: a slope is a rise over a distance, and the distance is `2 * step`.",
    ),
    Mistake(
        "precedence",
        lambda f, w, step: _each(w, lambda e: (f(w + step * e) - f(w - step * e)) / 2 * step),
        "`/ 2 * step` divides by 2 and then *multiplies* by the step. Write `/ (2 * step)`.",
    ),
    Mistake(
        "wrong sign",
        lambda f, w, step: _each(w, lambda e: (f(w - step * e) - f(w + step * e)) / (2 * step)),
        "Every number has the wrong sign: the value ahead, f(w + h), comes first.",
    ),
    Mistake(
        "all coordinates at once",
        lambda f, w, step: np.full(len(w), (f(w + step) - f(w - step)) / (2 * step)),
        "You moved all the weights at once, so every entry is the sum of all partial derivatives. Move one weight and "
        "hold the others: `w + step` moves them all.",
    ),
    Mistake(
        "one number",
        lambda f, w, step: (f(w + step) - f(w - step)) / (2 * step),
        "You moved all the weights at once and got one number. A gradient has one number for each weight: loop over "
        "them and move one at a time.",
    ),
    Mistake(
        "f of one weight",
        lambda f, w, step: np.array([(f(x + step) - f(x - step)) / (2 * step) for x in w]),
        "You gave `f` one number, `w[i] + step`. It takes the whole vector, of which only entry i has moved.",
    ),
    Mistake(
        "never put back",
        _never_put_back,
        "The first number is right, the others are taken at another place: after each weight was moved it was not put "
        "back. Work on a fresh copy, `moved = w.copy()`, for every point.",
    ),
    Mistake(
        "two names for one array",
        lambda f, w, step: np.zeros(len(w)),
        "Every difference is 0. If you wrote `up = w` and `down = w`, these are two names for one array, and f was "
        "called twice at the same point. Use `w.copy()`.",
    ),
)

# --- 4.1.5 log-sum-exp ----------------------------------------------------------------------------


def _lse_cases(rng: np.random.Generator) -> list[Case]:
    ordinary = [Case((rng.normal(size=s).round(2),), "ordinary logits") for s in ((2, 3), (3, 2), (4, 5))]
    shift = np.array([[1000.0], [-1000.0]])
    large = [Case((rng.normal(size=(2, k)).round(2) + shift,), "large logits") for k in (2, 4)]
    apart = 1000.0 * np.array([[-1, -3, -3], [-3, -3, -1]])  # within a row, too: the mean is no substitute
    return [*ordinary, *large, Case((rng.normal(size=(2, 3)).round(2) + apart,), "large logits")]


_LSE_MISTAKES = (
    Mistake(
        "naive",
        _quiet(lambda z: np.log(np.sum(np.exp(z), axis=-1))),
        "Right on paper, but `exp(1000)` overflows to `inf`, and `exp(-1000)` is 0, whose log is `-inf`. Take the "
        "largest logit of each row out first: log sum exp(z) = m + log sum exp(z - m).",
    ),
    Mistake(
        "maximum not added back",
        lambda z: np.log(np.sum(np.exp(z - z.max(axis=-1, keepdims=True)), axis=-1)),
        "You subtracted the maximum inside, which is the right idea; add it back outside the logarithm.",
    ),
    Mistake(
        "one maximum for all rows",
        _quiet(lambda z: z.max() + np.log(np.sum(np.exp(z - z.max()), axis=-1))),
        "You subtracted the largest logit of the whole array. A row whose logits lie far below it turns into the log "
        "of 0. Each row needs its own maximum: `z.max(axis=-1, keepdims=True)`.",
    ),
    Mistake(
        "mean for maximum",
        _quiet(lambda z: z.mean(axis=1) + np.log(np.sum(np.exp(z - z.mean(axis=1, keepdims=True)), axis=1))),
        "You subtracted the mean of each row. A logit far above it still overflows; after subtracting the largest "
        "one, no exponent is positive.",
    ),
    Mistake(
        "largest size",
        _quiet(lambda z: np.abs(z).max(1) + np.log(np.sum(np.exp(z - np.abs(z).max(1, keepdims=True)), axis=1))),
        "You subtracted the largest absolute value. In a row of large negative logits every exponential is then 0, and "
        "so is their sum. Subtract the largest logit, with its sign.",
    ),
    Mistake(
        "maximum without its axis",
        _quiet(lambda z: z.max(axis=1) + np.log(np.sum(np.exp(z - z.max(axis=1)), axis=1))),
        "`z.max(axis=1)` has the shape (n,), and in `z - m` it is lined up with the classes, at the right. With "
        "`keepdims=True` it is (n, 1), one number for each row.",
    ),
    Mistake(
        "over the samples",
        lambda z: z.max(axis=0) + np.log(np.sum(np.exp(z - z.max(axis=0)), axis=0)),
        "You summed over the samples (axis 0). The classes are on the last axis: one number for each row.",
    ),
    Mistake(
        "over everything",
        lambda z: z.max() + np.log(np.sum(np.exp(z - z.max()))),
        "You summed over the whole array and got one number. Each row (sample) has its own: sum with `axis=-1`.",
    ),
    Mistake(
        "over everything, naive",
        _quiet(lambda z: np.log(np.sum(np.exp(z)))),
        "Two things: `sum` without an axis adds up all rows and leaves one number, so sum with `axis=-1`; and `exp(1000)` "
        "overflows, so take the largest logit of each row out first.",
    ),
    Mistake(
        "the maximum only",
        lambda z: z.max(axis=-1),
        "You returned the largest logit. It is a good approximation when one class leads by far; the rest, "
        "log sum exp(z - m), lies between 0 and log K and is missing.",
    ),
    Mistake(
        "mean for sum",
        lambda z: z.max(axis=-1) + np.log(np.mean(np.exp(z - z.max(axis=-1, keepdims=True)), axis=-1)),
        "You took the mean of the exponentials; every number is log K too small. It is a sum over the classes.",
    ),
    Mistake(
        "kept axis",
        lambda z: log_sum_exp(z)[:, None],
        "The numbers are right, but the shape is (n, 1). Drop the axis of the classes: the result is (n,).",
    ),
)

# --- 4.1.6 gradient of the softmax loss -----------------------------------------------------------


def _softmax_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, k: int, part: str, scale: float = 1.0) -> Case:
        Y = np.eye(k)[rng.integers(0, k, size=n)]
        return Case((scale * rng.normal(size=(d, k)).round(2), rng.normal(size=(n, d)).round(2), Y), part)

    sizes = ((3, 2, 3), (4, 2, 3), (6, 3, 4), (5, 4, 2))
    return [
        *(case(*size, "ordinary logits") for size in sizes),
        *(case(4, 2, 3, "large logits", scale=2000.0) for _ in range(2)),
    ]


def _naive_softmax(z: Any) -> Any:
    return np.exp(z) / np.sum(np.exp(z), axis=-1, keepdims=True)


_SOFTMAX_MISTAKES = (
    Mistake(
        "no mean",
        lambda W, X, Y: X.T @ (softmax(X @ W) - Y),
        "This is the gradient of the summed loss, n times too large. Divide by the number of samples, `len(X)`.",
    ),
    Mistake(
        "mean over classes too",
        lambda W, X, Y: X.T @ (softmax(X @ W) - Y) / Y.size,
        "You divided by n times K. The loss sums over the classes (one-hot labels pick one of them) and averages over "
        "the n samples only, so divide by `len(X)`.",
    ),
    Mistake(
        "Y - P",
        lambda W, X, Y: X.T @ (Y - softmax(X @ W)) / len(X),
        "Every number has the wrong sign: prediction minus label, P - Y.",
    ),
    Mistake(
        "transposed",
        lambda W, X, Y: (softmax(X @ W) - Y).T @ X / len(X),
        "The numbers are right, but laid out (K, d). The gradient has the shape of W, (d, K): `X.T @ (P - Y)`.",
    ),
    Mistake(
        "sigmoid for softmax",
        lambda W, X, Y: X.T @ (sigmoid(X @ W) - Y) / len(X),
        "You used a sigmoid for each class, so the K probabilities of a sample need not sum to 1. Softmax divides the "
        "exponentials of a row by their sum.",
    ),
    Mistake(
        "softmax over samples",
        lambda W, X, Y: X.T @ (softmax((X @ W).T).T - Y) / len(X),
        "Your softmax runs over the samples: the columns of P sum to 1. The *rows* must: one distribution over the "
        "classes for each sample (`axis=1`).",
    ),
    Mistake(
        "softmax over everything",
        lambda W, X, Y: X.T @ (softmax((X @ W).ravel()).reshape(Y.shape) - Y) / len(X),
        "You divided by the sum of all exponentials of the array. Each row has its own sum: "
        "`sum(axis=1, keepdims=True)`.",
    ),
    Mistake(
        "softmax over everything, naive",
        _quiet(lambda W, X, Y: X.T @ (np.exp(X @ W) / np.sum(np.exp(X @ W)) - Y) / len(X)),
        "Two things: each row has its own sum, `sum(axis=1, keepdims=True)`; and `exp` of large logits overflows, so "
        "subtract each row's largest logit first.",
    ),
    Mistake(
        "row sums without their axis",
        _quiet(lambda W, X, Y: X.T @ (np.exp(X @ W) / np.sum(np.exp(X @ W), axis=1) - Y) / len(X)),
        "The row sums (or their logs) have the shape (n,), so they were lined up with the classes, at the right. They "
        "need the shape (n, 1): `keepdims=True`, or `[:, None]`.",
    ),
    Mistake(
        "naive softmax",
        _quiet(lambda W, X, Y: X.T @ (_naive_softmax(X @ W) - Y) / len(X)),
        "Right until the logits are large: then `exp` overflows and inf/inf is `nan`. Subtract each row's largest "
        "logit before `exp`; the probabilities stay the same.",
    ),
    Mistake(
        "only the true class",
        lambda W, X, Y: X.T @ (Y * (softmax(X @ W) - 1)) / len(X),
        "Only the true class has a gradient in your version. Raising another class's logit lowers the true class's "
        "probability, so those have one too: P - Y in every column.",
    ),
    Mistake(
        "derivative of softmax left in",
        lambda W, X, Y: X.T @ ((softmax(X @ W) - Y) * softmax(X @ W) * (1 - softmax(X @ W))) / len(X),
        "There is a factor P(1 - P) too many. It cancels against the log's derivative, as in the two-class case.",
    ),
    Mistake(
        "no softmax",
        lambda W, X, Y: X.T @ (X @ W - Y) / len(X),
        "You subtracted the labels from the logits. That is least squares; put the softmax in between.",
    ),
)

# --- 4.1.7 another loss that rewards the truth ----------------------------------------------------

_GRID = np.arange(1, 100) / 100


def _proper_cases(rng: np.random.Generator) -> list[Case]:
    """Forecasts 0.01 to 0.99 for both labels, rolled so that the first forecast is the case's true share."""
    percents = {
        "a fair coin": 50,
        "a rare event": int(rng.integers(6, 20)),
        "a common event": int(rng.integers(70, 91)),
    }
    cases = []
    for part, percent in percents.items():
        grid = np.roll(_GRID, 1 - percent)
        cases.append(Case((np.concatenate([grid, grid]), np.repeat([1, 0], len(grid))), part))
    return cases


def _is_log(grid: Any, loss_1: Any, loss_0: Any) -> bool:
    """Whether the two branches are cross-entropy, up to a factor and constants."""
    pairs = ((loss_1, -np.log(grid)), (loss_0, -np.log(1 - grid)))
    fits = [np.polyfit(log, branch, 1) for branch, log in pairs]
    return all(
        np.allclose(np.polyval(fit, log), branch, atol=1e-6) for fit, (branch, log) in zip(fits, pairs, strict=True)
    ) and bool(np.isclose(fits[0][0], fits[1][0], atol=1e-6))


def _proper(expected: Any, got: Any, case: Case) -> str | None:
    """None when the mean loss over labels of the case's share is smallest at that share, and only there."""
    if not isinstance(got, np.ndarray) or got.shape != np.shape(expected) or got.dtype.kind not in "biuf":
        shape = getattr(got, "shape", None)
        return (
            f"Return one loss for each forecast: shape {np.shape(expected)}, like `p` and `y`. "
            f"Got {'one number' if shape == () else f'shape {shape}' if shape is not None else type(got).__name__}; "
            "a mean is taken outside."
        )
    if not np.isfinite(got).all():
        return "Some losses are `nan` or `inf` although every forecast lies between 0.01 and 0.99."
    grid, share = case.args[0][: len(_GRID)], float(case.args[0][0])
    loss_1, loss_0 = got[: len(grid)].astype(float), got[len(grid) :].astype(float)
    mean = share * loss_1 + (1 - share) * loss_0
    best = np.sort(grid[mean <= mean.min() + 1e-12 * max(1.0, float(np.abs(mean).max()))])
    if len(best) > 1:
        return (
            f"When {share:.0%} of the labels are 1, the forecasts {best[0]:.2f} and {best[-1]:.2f} cost "
            "the same, so your loss does not single out the truth."
        )
    if not np.isclose(best[0], share):
        return (
            f"When {share:.0%} of the labels are 1, your loss is smallest for the forecast {best[0]:.2f}: "
            f"it pays to say {best[0]:.2f} while knowing {share:.2f}."
        )
    if _is_log(grid, loss_1, loss_0):
        return "This rewards the truth, and it is cross-entropy up to a constant factor. Find one that is not."
    return None


_PROPER_MISTAKES = (
    Mistake(
        "absolute error",
        lambda p, y: np.abs(p - y),
        "The absolute error looks fair and is not: with 80 % ones its mean is 0.8 (1 - p) + 0.2 p, a falling straight "
        "line, so it pays to say 1. Its best forecast is always 0 or 1. What would bend the line?",
    ),
    Mistake(
        "zero-one",
        lambda p, y: ((p > 0.5) != (y == 1)).astype(float),
        "Counting errors only asks on which side of 1/2 the forecast lies: 0.51 and 0.99 cost the same, and its "
        "gradient is 0 almost everywhere.",
    ),
    Mistake(
        "the article's loss",
        lambda p, y: -y * np.log(p),
        "This is the article's loss. A sample of label 0 costs nothing, so it always pays to say 0.99.",
    ),
    Mistake(
        "cross-entropy",
        lambda p, y: -(y * np.log(p) + (1 - y) * np.log(1 - p)),
        "Cross-entropy does reward the truth, and you know it already. Find another: think of a distance between p and "
        "y whose mean has its minimum where you set its derivative in p to zero.",
    ),
    Mistake(
        "probability given to the label",
        lambda p, y: -(y * p + (1 - y) * (1 - p)),
        "Minus the probability given to what happened is linear in p, so its mean is a straight line with its minimum "
        "at an end: a forecaster gains by exaggerating.",
    ),
    Mistake(
        "a mean",
        lambda p, y: np.mean((p - y) ** 2),
        "The idea is right; return one loss for each forecast, without the mean. The check averages over labels itself.",
    ),
    Mistake(
        "cubed",
        lambda p, y: np.abs(p - y) ** 3,
        "The cube of the distance is smooth but not honest: with 10 % ones its mean is smallest at 0.25. Set the "
        "derivative of the mean to zero for other powers and see which one gives p equal to the share.",
    ),
)

EXERCISES = (
    Exercise(
        id="4.1.1",
        title="Four tosses, in nats",
        points=1,
        minutes=4,
        difficulty=1,
        kind="value",
        reference=_COIN.reference,
        rtol=5e-3,
        mistakes=_COIN.mistakes,
        hints=_COIN.hints,
        variant=told_apart(_draw_coin, rtol=0.02),
    ),
    Exercise(
        id="4.1.2",
        title="Cross-entropy from logits, for logits of any size",
        points=2,
        minutes=8,
        difficulty=2,
        reference=losses.binary_cross_entropy,
        cases=_bce_cases,
        mistakes=_LOGIT_MISTAKES,
        hints=(
            "For z > 0 write 1 + exp(z) as exp(z) times (1 + exp(-z)). What is its log? For z < 0 nothing overflows.",
            "Both cases in one: log(1 + exp(z)) is the larger of z and 0, plus log(1 + exp(-|z|)).",
            "`np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))`",
        ),
    ),
    Exercise(
        id="4.1.3",
        title="The gradient of the logistic loss",
        points=2,
        minutes=8,
        difficulty=2,
        reference=losses.logistic_gradient,
        cases=_logistic_cases,
        mistakes=_GRADIENT_MISTAKES,
        hints=(
            "One sample first: its loss has slope p - y in the logit, and the logit has slope x in the weights.",
            "So one sample's gradient is (p - y) times its row of X, and the answer is the mean of these n rows.",
            "A sum of rows, each times a number, is a matrix product: (d, n) times (n,) gives (d,).",
        ),
    ),
    Exercise(
        id="4.1.4",
        title="A gradient without calculus",
        points=2,
        minutes=7,
        difficulty=2,
        reference=lambda f, w, step: losses.finite_difference_gradient(f, w, step),
        cases=_difference_cases,
        mistakes=_DIFFERENCE_MISTAKES,
        hints=(
            "For each index i make two copies of w, and move only entry i: one copy up by the step, one down.",
            "The two points are 2 * step apart.",
            (
                "`up = w.copy(); up[i] += step` and the same for `down`; then "
                "`gradient[i] = (f(up) - f(down)) / (2 * step)`."
            ),
        ),
    ),
    Exercise(
        id="4.1.5",
        title="Log-sum-exp",
        points=1,
        minutes=5,
        difficulty=2,
        reference=losses.log_sum_exp,
        cases=_lse_cases,
        mistakes=_LSE_MISTAKES,
        hints=(
            (
                "Adding a constant to all logits of a row adds that constant to the result. Which constant makes every "
                "exponential harmless?"
            ),
            "Subtract the largest logit of each row before `exp`, and add it again after `log`.",
            "`m = z.max(axis=-1, keepdims=True)` keeps the axis, so that `z - m` lines up; add `m[..., 0]` at the end.",
        ),
    ),
    Exercise(
        id="4.1.6",
        title="The gradient of the softmax loss",
        points=2,
        minutes=8,
        difficulty=3,
        reference=losses.softmax_gradient,
        cases=_softmax_cases,
        mistakes=_SOFTMAX_MISTAKES,
        hints=(
            "Do it as in the two-class case: the slope in the logits is P - Y, here a row of K numbers for each sample.",
            "The sum over the samples is a matrix product that must end in (d, K): (d, n) times (n, K).",
            (
                "For P, subtract each row's largest logit first: `z = z - z.max(axis=1, keepdims=True)`, then `np.exp(z)` "
                "divided by its row sums."
            ),
        ),
    ),
    Exercise(
        id="4.1.7",
        title="Another loss that rewards the truth",
        points=3,
        minutes=10,
        difficulty=3,
        reference=losses.brier_loss,
        cases=_proper_cases,
        compare=_proper,
        mistakes=_PROPER_MISTAKES,
        hints=(
            (
                "Write a(p) for the cost when y = 1 and b(p) for y = 0. The mean is q a(p) + (1 - q) b(p), and its "
                "derivative must vanish at p = q, for every q."
            ),
            "So q a'(q) = -(1 - q) b'(q). Choose a simple a', say -2(1 - q), and solve for b'.",
            "A distance whose mean is minimised by the mean: you know one from least squares.",
        ),
    ),
)
