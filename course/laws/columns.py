"""Reading a table of runs for a fit: positive numbers of one length, or one sentence that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LEAST", "MOST", "labels", "listed", "match", "needs", "positives", "table_columns"]

Array = NDArray[Any]
LEAST, MOST = 1e-60, 1e60
"""No size and no loss lies outside; what does is a slip, and its powers would overflow."""


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def positives(name: str, values: ArrayLike) -> Array:
    """`values` as float64 (n,), when all are finite and above 0.

    Raises ValueError naming the first row (counted from 1) that is not.
    """
    array = np.asarray(values)
    if array.ndim == 0:
        array = array[None]
    if array.ndim != 1:
        raise ValueError(f"{name} must be one column of numbers; got an array of shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"{name} is empty; a fit needs a row for each run.")
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError):
        row, value = next((i, v) for i, v in enumerate(array.tolist(), 1) if not _is_number(v))
        raise ValueError(f"{name} must hold numbers; row {row} holds {value!r}.") from None
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        raise ValueError(f"{name} must hold finite numbers; row {row} holds {numbers[row - 1]}: leave that run out.")
    wrong = numbers <= 0
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        raise ValueError(
            f"{name} must be positive, because its logarithm is taken; row {row} holds {numbers[row - 1]:g}."
        )
    wrong = (numbers < LEAST) | (numbers > MOST)
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        raise ValueError(f"{name} of no run is {numbers[row - 1]:g}, as in row {row}: look for a slip in the exponent.")
    return numbers


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def match(**columns: ArrayLike) -> dict[str, Array]:
    """The columns as positive numbers of one length. Raises ValueError when a value or a length is wrong."""
    read = {name: positives(name, values) for name, values in columns.items()}
    lengths = {name: len(values) for name, values in read.items()}
    if len(set(lengths.values())) > 1:
        said = listed([f"{name} has {length}" for name, length in lengths.items()])
        raise ValueError(f"The columns must have one value for each run; {said}.")
    return read


def needs(law: str, points: int, parameters: int, **columns: Array) -> None:
    """Raise ValueError when there are fewer points than parameters, or a column holds one size (one loss) only."""
    if points < parameters:
        many = f"{points} point{'s' * (points > 1)}"
        raise ValueError(f"The law {law} has {parameters} parameters; {many} cannot fix them: add runs.")
    for name, values in columns.items():
        if np.ptp(np.log(values)) < 1e-9:
            raise ValueError(f"All runs have the same {name}, {values[0]:g}; a law needs runs that differ in it.")


def labels(values: Any, length: int) -> Array | None:
    """Whole numbers 0 ... k-1 for the k distinct labels of a column such as `seed`, or None where there is none."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != (length,):
        raise ValueError(f"The column seed has {array.size} values for {length} runs; give one label for each run.")
    return np.unique(array.astype(str), return_inverse=True)[1]


def table_columns(table: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The columns of a data frame or a mapping, by name, and a sentence where diverged runs were left out."""
    if not (isinstance(table, Mapping) or hasattr(table, "columns")):
        raise ValueError(
            f"The runs must be a table with named columns (a data frame or a dict); got {type(table).__name__}."
        )
    columns = {str(name): np.asarray(table[name]) for name in (table.columns if hasattr(table, "columns") else table)}
    if "diverged" not in columns:
        return columns, ()
    diverged = np.array([str(value).strip().lower() in {"true", "1", "1.0", "yes"} for value in columns["diverged"]])
    if not diverged.any():
        return columns, ()
    kept = {name: values[~diverged] for name, values in columns.items() if len(values) == len(diverged)}
    many = int(diverged.sum())
    return kept, (f"{many} diverged {'run was' if many == 1 else 'runs were'} left out.",)
