"""Answers as plain values: tensors, lists and numbers become numpy arrays, so that two answers can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["Unreadable", "plain"]


class Unreadable(Exception):
    """An answer that is no number, array, text or collection of them; the sentence says why."""


def plain(value: Any) -> Any:
    """Turn tensors, lists and scalars into numpy arrays; keep text, and tuples and dicts of these."""
    if isinstance(value, str | bytes):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if callable(getattr(value, "detach", None)):  # a PyTorch tensor that carries a gradient
        value = value.detach()
    if callable(getattr(value, "numpy", None)):
        try:
            value = value.numpy()
        except Exception as error:
            raise Unreadable(
                "It is a symbolic tensor without a value; return an eager tensor or a numpy array."
            ) from error
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    try:
        array = np.asarray(value)
    except Exception as error:
        raise Unreadable(f"A {type(value).__name__} cannot be read as numbers: {error}") from error
    if array.dtype.kind == "U":
        return array.item() if array.ndim == 0 else array
    if array.dtype.kind not in "biufc":
        raise Unreadable(f"A {type(value).__name__} cannot be read as numbers. Return a number or an array of numbers.")
    return array
