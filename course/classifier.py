"""Linear classifiers, trained and judged: the article's listing with its faults mended.

In: features X (n, d) and labels y (n,), whole numbers. Out: a `LinearFit` with the weights, the loss
after every step, and the accuracy on the training and on the test data. Beside it stand the yardsticks
that an accuracy needs: what guessing gives (`coin_flip_interval`, `probability_at_least`), what
fitting noise gives (`fitted_accuracy`, `best_rule_bound`), what the data allow (`bayes_accuracy`),
and how uncertain a measured accuracy is (`wilson_interval`).

n samples, d features, k = d + 1 parameters (weights and bias), K classes; losses in nats. Built in lesson 5.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from course.data.tabular import Split

from course.inputs import whole

__all__ = [
    "CoinFlipSweep",
    "LearningCurve",
    "LinearFit",
    "ManyStarts",
    "accuracy",
    "accuracy_from_logits",
    "bayes_accuracy",
    "best_rule_bound",
    "coin_flip_interval",
    "coin_flip_sweep",
    "fit_classifier",
    "fitted_accuracy",
    "flips_needed",
    "learning_curve",
    "log10_linear_labellings",
    "log10_probability_at_least",
    "probability_at_least",
    "to_float32_columns",
    "train_linear_classifier",
    "train_many_starts",
    "training_step",
    "wilson_interval",
]

Array = NDArray[Any]


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _one_thread() -> AbstractContextManager[Any]:
    """Small matrix products run up to ten times quicker on one BLAS thread than on two that wait for each other."""
    limits: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limits


# --- data in the right types and shapes -----------------------------------------------------------


def _features_and_labels(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """X and y as arrays (..., n, d) and (..., n); raises ValueError with one sentence when they do not fit."""
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim < 2:
        raise ValueError(f"X has shape {X.shape}; one row a sample is expected, (n, d). Use `X.reshape(-1, 1)`.")
    if y.shape != X.shape[:-1]:
        raise ValueError(f"X has shape {X.shape} and y {y.shape}; y needs one label a row, shape {X.shape[:-1]}.")
    if X.size == 0:
        raise ValueError("X is empty; at least one sample and one feature are needed.")
    if not np.isfinite(X).all():
        raise ValueError("X holds nan or infinite values; remove or replace them first.")
    return X, y


def _binary(y: Array) -> Array:
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"Labels must be 0 or 1; got values from {np.min(y)} to {np.max(y)}.")
    return y


def to_float32_columns(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Data as TensorFlow's binary loss wants them: X (n, d) and y (n, 1), both float32.

    X: (n, d), any real type; y: (n,), any real type. Raises ValueError when the shapes do not fit.
    Source: the article's section 5.2, first two faults; lesson 5.2.
    """
    X, y = _features_and_labels(X, y)
    return X.astype(np.float32), y.astype(np.float32)[:, np.newaxis]


# --- accuracy -------------------------------------------------------------------------------------


def accuracy(predicted: ArrayLike, y: ArrayLike) -> float:
    """The share of labels predicted right, from 0 to 1.

    predicted, y: whole-number classes of the *same* shape, (n,). Raises ValueError for two different
    shapes (which numpy would broadcast to a table of all pairs) and for values that are not classes.
    Lesson 5.2.
    """
    predicted, y = np.asarray(predicted), np.asarray(y)
    if predicted.shape != y.shape:
        raise ValueError(
            f"The predictions have shape {predicted.shape} and the labels {y.shape}; "
            "bring both to (n,), or every prediction is compared with every label."
        )
    if predicted.size == 0:
        raise ValueError("There are no predictions, so there is no accuracy.")
    if not np.array_equal(predicted, np.round(predicted)):
        raise ValueError("The predictions are not whole numbers; turn probabilities into classes first (p > 0.5).")
    return float(np.mean(predicted == y))


def accuracy_from_logits(logits: ArrayLike, y: ArrayLike) -> float:
    """Accuracy of a binary classifier that answers 1 where its logit is above 0.

    logits: (n, 1) or (n,); y: (n,) or (n, 1), labels 0 or 1. Source: the last lines of the listing in the
    article's section 5.2, mended; lesson 5.2.
    """
    return accuracy(np.asarray(logits).reshape(-1) > 0, np.asarray(y).reshape(-1))


# --- training -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LinearFit:
    """A trained linear classifier.

    weights: (d, 1) for two classes, (d, K) for K > 2; bias: (1,) or (K,). losses: (epochs,), the mean
    training loss in nats *before* each step. Accuracies from 0 to 1 and losses in nats after the last
    step; the test figures are None where no test data were given.
    """

    weights: Array
    bias: Array
    losses: Array
    train_accuracy: float
    train_loss: float
    test_accuracy: float | None = None
    test_loss: float | None = None

    def logits(self, X: ArrayLike) -> Array:
        """X (n, d) → logits (n, 1) or (n, K)."""
        return np.asarray(X, np.float32) @ self.weights + self.bias

    def predict(self, X: ArrayLike) -> Array:
        """X (n, d) → classes (n,), whole numbers."""
        logits = self.logits(X)
        return (logits[:, 0] > 0).astype(np.int64) if logits.shape[1] == 1 else logits.argmax(1)


def _loss(logits: Any, y: Any) -> Any:
    """Mean cross-entropy of logits (n, 1) or (n, K) as a TensorFlow scalar; y (n, 1) float32 or (n,) integer."""
    import tensorflow as tf

    if logits.shape[1] == 1:
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))


def training_step(w: Any, b: Any, X: Any, y: Any, learning_rate: float) -> tuple[Any, Any]:
    """One step of gradient descent on the binary cross-entropy, by automatic differentiation.

    w: (d, 1), b: (1,), X: (n, d), y: (n, 1), all float32. Returns the new w and b. Lesson 5.2.
    """
    import tensorflow as tf

    w, b = tf.Variable(w), tf.Variable(b)
    with tf.GradientTape() as tape:
        loss = _loss(tf.matmul(X, w) + b, y)
    grad_w, grad_b = tape.gradient(loss, [w, b])
    return w - learning_rate * grad_w, b - learning_rate * grad_b


def train_linear_classifier(
    X: ArrayLike,
    y: ArrayLike,
    X_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    *,
    epochs: int = 100,
    learning_rate: float = 0.01,
    seed: int = 0,
    spread: float = 1.0,
) -> LinearFit:
    """Train a linear classifier with GradientTape and Adam: the article's listing, mended.

    X: (n, d); y: (n,), classes 0 … K-1. Each epoch is one step on all n samples. The weights start
    normal with standard deviation `spread`, drawn from `seed`; the bias starts at 0. Two classes use
    one logit and the sigmoid; more use K logits and the softmax. Raises ValueError when shapes or
    labels do not fit. Source: the article's section 5.2; lesson 5.2.
    """
    import tensorflow as tf

    X, y = _features_and_labels(X, y)
    classes = int(np.max(y)) + 1
    if not np.array_equal(np.unique(y), np.arange(classes)) or classes < 2:
        raise ValueError(f"Labels must be the classes 0, 1, …, each at least once; got {np.unique(y)[:10].tolist()}.")
    columns = 1 if classes == 2 else classes

    def prepared(X: ArrayLike, y: ArrayLike) -> tuple[Any, Any]:
        X32, y32 = to_float32_columns(X, y)
        return tf.constant(X32), tf.constant(y32 if columns == 1 else np.asarray(y, np.int64))

    features, labels = prepared(X, y)
    start = np.random.default_rng(seed).normal(0, spread, (X.shape[1], columns))
    w, b = tf.Variable(start.astype(np.float32)), tf.Variable(tf.zeros([columns]))
    optimizer = tf.keras.optimizers.Adam(learning_rate=learning_rate)

    losses = []
    for _ in range(epochs):
        with tf.GradientTape() as tape:
            loss = _loss(tf.matmul(features, w) + b, labels)
        optimizer.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b], strict=True))
        losses.append(float(loss))

    def scores(X: ArrayLike, y: ArrayLike) -> tuple[float, float]:
        features, labels = prepared(X, y)
        logits = tf.matmul(features, w) + b
        guess = logits.numpy()[:, 0] > 0 if columns == 1 else logits.numpy().argmax(1)
        return accuracy(guess.astype(np.int64), np.asarray(y)), float(_loss(logits, labels))

    train_accuracy, train_loss = scores(X, y)
    test_accuracy, test_loss = (None, None) if X_test is None or y_test is None else scores(X_test, y_test)
    return LinearFit(
        w.numpy(),
        b.numpy(),
        np.array(losses),
        train_accuracy,
        train_loss,
        test_accuracy,
        test_loss,
    )


@dataclass(frozen=True)
class ManyStarts:
    """The same training run from many random starts at once.

    weights: (starts, d); bias: (starts,); losses: (epochs + 1, starts), before the first step and after
    each; accuracies: (starts,), on the training data.
    """

    weights: Array
    bias: Array
    losses: Array
    accuracies: Array


def train_many_starts(
    X: ArrayLike,
    y: ArrayLike,
    start: ArrayLike,
    *,
    epochs: int = 100,
    learning_rate: float = 0.01,
) -> ManyStarts:
    """`train_linear_classifier` on one binary data set from many starts at once, in numpy.

    X: (n, d); y: (n,), 0 or 1; start: (starts, d), the first weights (the bias starts at 0). Adam as
    Keras has it (beta 0.9 and 0.999, epsilon 1e-7; Kingma and Ba 2014). About 100 times quicker a
    start than the loop in TensorFlow; a test holds the two together. Lesson 5.2.
    """
    from scipy.special import expit

    X, y = _features_and_labels(X, y)
    _binary(y)
    ones = np.concatenate([X, np.ones((len(X), 1))], axis=1).astype(np.float64)
    theta = np.concatenate([np.asarray(start, float), np.zeros((len(np.asarray(start)), 1))], axis=1).T
    if theta.shape[0] != ones.shape[1]:
        raise ValueError(f"start has {theta.shape[0] - 1} columns and X {X.shape[1]}; they must agree.")
    sign = np.where(y == 1, -1.0, 1.0)[:, np.newaxis]
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    losses = []
    with _one_thread():
        for step in range(1, epochs + 1):
            z = ones @ theta
            losses.append(np.logaddexp(0, sign * z).mean(0))
            gradient = ones.T @ (expit(z) - y[:, np.newaxis]) / len(y)
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            rate = learning_rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            theta = theta - rate * m / (np.sqrt(v) + 1e-7)
    z = ones @ theta
    losses.append(np.logaddexp(0, sign * z).mean(0))
    accuracies = np.mean((z > 0) == (y[:, np.newaxis] == 1), axis=0)
    return ManyStarts(theta[:-1].T, theta[-1], np.array(losses), accuracies)


def fit_classifier(X: ArrayLike, y: ArrayLike, *, ridge: float = 1e-6, steps: int = 30) -> tuple[Array, Array]:
    """The weights of least cross-entropy for many binary data sets at once, by Newton's method.

    X: (..., n, d); y: (..., n), 0 or 1; the leading axes are separate data sets. Minimises the *mean*
    loss + ridge/2·(|w|² + b²): with a bias, and with weights that stay finite where a plane separates the
    classes (`course.linear.fit_logistic` has neither, and says which data are separable). Returns weights
    (..., d) and bias (...,). Raises ValueError when shapes or labels do not fit. Lesson 5.2.
    """
    from scipy.special import expit

    X, y = _features_and_labels(X, y)
    _binary(y)
    ones = np.concatenate([X, np.ones((*X.shape[:-1], 1))], axis=-1).astype(np.float64)
    n, k = ones.shape[-2:]
    transposed = np.swapaxes(ones, -1, -2)
    theta = np.zeros((*X.shape[:-2], k, 1))
    labels = y[..., np.newaxis]
    size = np.inf
    with _one_thread():
        for _ in range(steps):
            p = expit(ones @ theta)
            gradient = transposed @ (p - labels) / n + ridge * theta
            hessian = transposed @ (ones * (p * (1 - p))) / n + ridge * np.eye(k)
            change = np.linalg.solve(hessian, gradient)
            longest = np.max(np.abs(ones @ change), axis=(-2, -1), keepdims=True)
            theta = theta - change * np.minimum(1, 4 / np.maximum(longest, 1e-12))  # no logit moves by more than 4
            size = float(np.max(longest))
            if size < 1e-8:
                break
    return theta[..., :-1, 0], theta[..., -1, 0]


# --- accuracy against the number of samples -------------------------------------------------------


@dataclass(frozen=True)
class CoinFlipSweep:
    """Logistic fits to coin flips. n: (sizes,); train and test: (sizes, seeds), accuracies."""

    n: Array
    d: int
    train: Array
    test: Array

    def size_at(self, accuracy: float, resamples: int = 2000, seed: int = 0) -> tuple[float, float, float]:
        """The n at which the mean training accuracy falls to `accuracy`, with a 95 % bootstrap interval over seeds.

        Interpolates in log n between the two sizes around it. Raises ValueError when the sizes do not reach it.
        """
        rng = np.random.default_rng(seed)
        seeds = self.train.shape[1]
        draws = [np.arange(seeds), *rng.integers(0, seeds, (resamples, seeds))]
        found = []
        for draw in draws:
            mean = self.train[:, draw].mean(1)
            below = int(np.argmax(mean < accuracy))
            if below == 0:
                raise ValueError(f"No two neighbouring sizes hold a training accuracy of {accuracy} between them.")
            share = (mean[below - 1] - accuracy) / (mean[below - 1] - mean[below])
            logs = np.log(self.n[below - 1 : below + 1])
            found.append(float(np.exp(logs[0] + share * (logs[1] - logs[0]))))
        low, high = np.percentile(found[1:], [2.5, 97.5])
        return found[0], float(low), float(high)


def coin_flip_sweep(sizes: ArrayLike, d: int = 10, seeds: int = 200, seed: int = 0, fresh: int = 1000) -> CoinFlipSweep:
    """Fit coin flips of each size by `fit_classifier`, `seeds` times, and score on them and on `fresh` new ones.

    Lesson 5.2. About 5 s for sizes up to 10,000 and 100 seeds.
    """
    from course.data.synthetic import coin_flips

    rng = np.random.default_rng(seed)
    sizes = np.asarray(sizes)
    train, test = [], []

    def flips(stack: int, n: int) -> tuple[Array, Array]:
        X, y = coin_flips(stack * n, d, rng)
        return X.reshape(stack, n, d), y.reshape(stack, n)

    with _one_thread():
        for n in sizes.tolist():
            rows: list[list[float]] = [[], []]
            chunk = max(1, min(seeds, 100_000 // n))  # arrays of at most 100,000 rows
            for first in range(0, seeds, chunk):
                stack = min(chunk, seeds - first)
                X, y = flips(stack, n)
                w, b = fit_classifier(X, y)
                for row, (X_, y_) in zip(rows, ((X, y), flips(stack, fresh)), strict=True):
                    z = (X_ @ w[:, :, np.newaxis])[..., 0] + b[:, np.newaxis]
                    row.extend(np.mean((z > 0) == (y_ == 1), axis=1))
            train.append(rows[0])
            test.append(rows[1])
    return CoinFlipSweep(sizes, d, np.array(train), np.array(test))


@dataclass(frozen=True)
class LearningCurve:
    """Scores on test data against training-set size. n: (sizes,); error and loss: (sizes, repeats), loss in nats."""

    n: Array
    error: Array
    loss: Array

    def slope(self, what: str = "error", sizes: slice = slice(None)) -> tuple[float, float]:
        """Exponent and prefactor of the power law prefactor * n ** exponent through the means, in log-log."""
        y = np.log(getattr(self, what)[sizes].mean(1))
        exponent, intercept = np.polyfit(np.log(self.n[sizes]), y, 1)
        return float(exponent), float(np.exp(intercept))

    def slope_interval(
        self, what: str = "error", sizes: slice = slice(None), resamples: int = 1000, seed: int = 0
    ) -> tuple[float, float]:
        """95 % bootstrap interval of the exponent, over the repeats (which share data, so it is a little narrow)."""
        values = getattr(self, what)[sizes]
        draws = np.random.default_rng(seed).integers(0, values.shape[1], (resamples, values.shape[1]))
        means = np.log(values[:, draws].mean(-1))
        low, high = np.percentile(np.polyfit(np.log(self.n[sizes]), means, 1)[0], [2.5, 97.5])
        return float(low), float(high)


def learning_curve(
    split: Callable[[int], Split],
    sizes: ArrayLike,
    repeats: int = 10,
    *,
    C: float = 1.0,
    seed: int = 0,
) -> LearningCurve:
    """Test error and test loss of softmax regression trained on n samples, for each n in `sizes`.

    split(r): the r-th random split. Each repeat takes a new split, scales it by the n
    training samples in use, and scores on the whole test part. C is scikit-learn's inverse penalty on
    the weights. Raises ValueError when a size exceeds the training part. Lesson 5.2.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    from course.data.tabular import standardise

    sizes = np.asarray(sizes)
    error, loss = np.empty((len(sizes), repeats)), np.empty((len(sizes), repeats))
    with _one_thread():
        for r in range(repeats):
            parts = split(seed + r)
            rows = np.arange(len(parts.y_train))
            for i, n in enumerate(sizes.tolist()):
                if n > len(rows):
                    raise ValueError(f"The training part has {len(rows)} samples; a size of {n} is too large.")
                some = rows
                if n < len(rows):
                    some, _ = train_test_split(rows, train_size=n, stratify=parts.y_train, random_state=seed + r)
                X, X_test = standardise(parts.X_train[some], parts.X_test)
                model = LogisticRegression(C=C, max_iter=500).fit(X, parts.y_train[some])
                log_p = model.predict_log_proba(X_test)
                error[i, r] = 1 - accuracy(model.classes_[log_p.argmax(1)], parts.y_test)
                loss[i, r] = -np.mean(log_p[np.arange(len(log_p)), np.searchsorted(model.classes_, parts.y_test)])
    return LearningCurve(sizes, error, loss)


# --- yardsticks -----------------------------------------------------------------------------------


def probability_at_least(correct: int, n: int) -> float:
    """The chance that guessing gets at least `correct` of `n` fair coin flips right.

    The number right is Binomial(n, 1/2) for *every* rule that has not seen the labels. Lesson 5.2.
    """
    from scipy.stats import binom

    return float(binom.sf(correct - 1, whole("n", n), 0.5))


def log10_probability_at_least(correct: int, n: int) -> float:
    """log10 of `probability_at_least`, also where the probability is too small for a float."""
    from scipy.stats import binom

    n = whole("n", n)
    if correct <= 0:
        return 0.0
    if correct > n:
        return -math.inf
    tail = binom.logpmf(np.arange(correct, n + 1), n, 0.5)
    return float(np.logaddexp.reduce(tail)) / math.log(10)


def coin_flip_interval(n: int, level: float = 0.95) -> tuple[float, float]:
    """The range in which the accuracy on n fair coin flips lies with probability `level` (at least).

    Exact, from the binomial's quantiles. Lesson 5.2.
    """
    from scipy.stats import binom

    n = whole("n", n)
    if not 0 < level < 1:
        raise ValueError(f"level is a probability between 0 and 1; got {level}.")
    low, high = binom.ppf([(1 - level) / 2, (1 + level) / 2], n, 0.5)
    return float(low / n), float(high / n)


def flips_needed(difference: float) -> int:
    """Labels needed for an accuracy of 1/2 + difference to stand at the edge of luck's 95 % interval.

    The smallest n with 1.96·(1/2)/√n ≤ difference (normal approximation). Lesson 5.2.
    """
    if not 0 < difference <= 0.5:
        raise ValueError(f"difference must lie between 0 and 0.5; got {difference}.")
    return math.ceil((1.96 * 0.5 / difference) ** 2 - 1e-9)


def wilson_interval(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval for the true accuracy behind `correct` right of `n` (Wilson 1927, the score interval).

    Stays within 0 and 1 and holds its level near them, where share ± 1.96·sd does not.
    """
    from scipy.stats import norm

    n = whole("n", n)
    if not 0 <= correct <= n:
        raise ValueError(f"correct must lie between 0 and n = {n}; got {correct}.")
    z = float(norm.ppf((1 + level) / 2))
    share = correct / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def fitted_accuracy(n: ArrayLike, parameters: int) -> Any:
    """Expected accuracy on the *training* data of a least-squares rule fitted to n coin flips.

    Φ(√(k/(n−k))) with k parameters: the fit moves each label's prediction by k/n towards the label and
    by noise of standard deviation √(k/n·(1−k/n)). 1 where n ≤ k. For n ≫ k it is 1/2 + √(k/(2πn)), for
    the logistic fit as well. Derived in lesson 5.2.
    """
    from scipy.stats import norm

    n = np.asarray(n, float)
    ratio = parameters / np.maximum(n - parameters, 1e-12)
    found = np.where(n <= parameters, 1.0, norm.cdf(np.sqrt(ratio)))
    return float(found) if found.ndim == 0 else found


def log10_linear_labellings(n: int, parameters: int) -> float:
    """log10 of how many of the 2ⁿ labellings of n points some linear rule gets entirely right.

    2·Σ_{i<k} C(n−1, i), for points in general position and k parameters, the bias counted
    (Cover 1965, "Geometrical and statistical properties of systems of linear inequalities", theorem 1).
    """
    from scipy.special import gammaln, logsumexp

    n, k = whole("n", n), whole("parameters", parameters)
    i = np.arange(min(k, n))
    log_binomial = gammaln(n) - gammaln(i + 1) - gammaln(n - i)
    return float((math.log(2) + logsumexp(log_binomial)) / math.log(10))


def best_rule_bound(n: int, parameters: int, probability: float = 0.05) -> float:
    """An accuracy on n coin flips that *no* linear rule reaches, whatever its training, but for `probability`.

    Union bound over Cover's count of labellings: the smallest accuracy a with
    count · P(Binomial(n, 1/2) ≥ a·n) ≤ probability; 1 + 1/n where there is none, which is no bound. Lesson 5.2.
    """
    count = log10_linear_labellings(n, parameters)
    low, high = n // 2, n + 1  # the tail falls with the number right: bisect
    while high - low > 1:
        middle = (low + high) // 2
        if count + log10_probability_at_least(middle, n) <= math.log10(probability):
            high = middle
        else:
            low = middle
    return high / n


def bayes_accuracy(signal: ArrayLike) -> Any:
    """The best accuracy possible where P(y = 1) = sigmoid(w·x) and x is standard normal; `signal` is |w|.

    1 minus `course.linear.bayes_error`. From 1/2 at signal 0 towards 1. Lesson 5.2.
    """
    from course.linear import bayes_error

    return 1 - bayes_error(signal)
