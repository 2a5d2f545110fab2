"""Reading what came in: each function returns the value it was given, or says in one sentence what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["finite", "positive", "whole"]


def whole(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int, when it is a whole number of at least `least`, else a ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}; got {value!r}.")
    return int(value)


def positive(name: str, value: float) -> float:
    """`value` as a float, when it is finite and above 0, else a ValueError."""
    try:
        number = np.nan if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be a positive number; got {value!r}.")
    return number


def finite(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """A float64 copy of `value`, when it holds numbers, at least one and all finite, else a ValueError."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as an array of numbers: {error}") from error
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must hold at least one number, all of them finite.")
    return array
