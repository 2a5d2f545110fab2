"""Small real tables, split into training and test data: breast cancer and handwritten digits.

Both ship with scikit-learn, so nothing is downloaded. `breast_cancer()` and `digits()` give a `Split`;
`split.standardised()` rescales it with the training part's mean and standard deviation. Used in lesson 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Split", "breast_cancer", "digits", "standardise"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Split:
    """Training and test data that share no sample.

    X_train (n, d) and X_test (m, d) are float32, y_train (n,) and y_test (m,) int64 classes 0 … K-1;
    all four are read-only. `features` and `classes` name the columns of X and the values of y.
    """

    name: str
    X_train: Array
    y_train: Array
    X_test: Array
    y_test: Array
    features: tuple[str, ...]
    classes: tuple[str, ...]

    def standardised(self) -> Split:
        """The same split with every feature rescaled by the training part's mean and deviation."""
        X_train, X_test = standardise(self.X_train, self.X_test)
        return replace(
            self,
            X_train=_frozen(X_train, np.float32),
            X_test=_frozen(X_test, np.float32),
        )


def _frozen(values: ArrayLike, dtype: Any) -> Array:
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


def standardise(X_train: ArrayLike, X_test: ArrayLike) -> tuple[Array, Array]:
    """Rescale both parts by the *training* part's mean and standard deviation, feature by feature.

    X_train: (n, d); X_test: (m, d). Returns both rescaled; the training part then has mean 0 and
    standard deviation 1 (divisor n) in every column. A column that is constant in training is only centred.
    Raises ValueError when the two have different numbers of features. Lesson 5.2.
    """
    X_train, X_test = np.asarray(X_train, float), np.asarray(X_test, float)
    if X_train.ndim != 2 or X_test.ndim != 2 or X_train.shape[1] != X_test.shape[1]:
        raise ValueError(
            f"X_train has shape {X_train.shape} and X_test {X_test.shape}; both must be tables with the same columns."
        )
    mean, deviation = X_train.mean(axis=0), X_train.std(axis=0)
    constant = deviation <= 1e-12 * np.abs(mean)  # rounding leaves a constant column a deviation of about 1e-16
    deviation = np.where(constant, 1, deviation)
    return (X_train - mean) / deviation, (X_test - mean) / deviation


def _split(name: str, bunch: Any, seed: int, test_size: float) -> Split:
    from sklearn.model_selection import train_test_split

    if not 0 < test_size < 1:
        raise ValueError(f"test_size is the share kept for testing, between 0 and 1; got {test_size}.")
    X_train, X_test, y_train, y_test = train_test_split(
        bunch.data,
        bunch.target,
        test_size=test_size,
        random_state=seed,
        stratify=bunch.target,
    )
    return Split(
        name=name,
        X_train=_frozen(X_train, np.float32),
        y_train=_frozen(y_train, np.int64),
        X_test=_frozen(X_test, np.float32),
        y_test=_frozen(y_test, np.int64),
        features=tuple(str(feature) for feature in bunch.feature_names),
        classes=tuple(str(target) for target in bunch.target_names),
    )


def breast_cancer(seed: int = 0, test_size: float = 0.3) -> Split:
    """569 tumours, 30 measurements of their cell nuclei, malignant (0) or benign (1).

    Split at random with the classes in equal shares in both parts. Source: Wolberg, Mangasarian and
    Street (1995), UCI repository, as shipped by scikit-learn. Raises ValueError for a `test_size` outside (0, 1).
    """
    from sklearn.datasets import load_breast_cancer

    return _split("breast cancer", load_breast_cancer(), seed, test_size)


def digits(seed: int = 0, test_size: float = 0.3) -> Split:
    """1,797 handwritten digits, 8 x 8 pixels of brightness 0 to 16, ten classes.

    Split at random with the classes in equal shares in both parts. Source: Alpaydin and Kaynak (1998),
    UCI repository, test part, as shipped by scikit-learn. Raises ValueError for a `test_size` outside (0, 1).
    """
    from sklearn.datasets import load_digits

    return _split("digits", load_digits(), seed, test_size)
