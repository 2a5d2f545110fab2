"""Values as JSON and back: plain numbers, text, arrays and collections of these, and nothing else.

Both ends of the sandbox's pipe use it, so it needs numpy alone. `decode` trusts nothing: what it returns was
built here from numbers and text, and no object of the sender's makes it across.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["MAX_BYTES", "WireError", "decode", "encode"]

MAX_BYTES = 4_000_000
"""Most bytes in one value's arrays and texts."""

MAX_ITEMS, MAX_DEPTH = 100_000, 12

_DTYPE = re.compile(r"[<>|=][biufc]\d{1,2}")


class WireError(ValueError):
    """A value that does not go through; the sentence says why."""


def encode(value: Any, name_of: Callable[[Callable[..., Any]], int] | None = None) -> Any:
    """`value` as JSON. `name_of` numbers a function that is to be called back; without it functions are refused.

    Raises WireError for an object of another kind, and for more than MAX_BYTES.
    """
    room = [MAX_BYTES, MAX_ITEMS]

    def spend(size: int) -> None:
        room[0] -= size
        room[1] -= 1
        if room[0] < 0 or room[1] < 0:
            raise WireError(
                f"The value is far too large: {MAX_BYTES // 1_000_000} MB and {MAX_ITEMS:,} items are read."
            )

    def one(item: Any, depth: int) -> Any:
        spend(8)
        if depth > MAX_DEPTH:
            raise WireError(f"The value is nested more than {MAX_DEPTH} deep.")
        kind = type(item)
        if item is None or item is ... or kind is bool:
            return ["c", {None: "none", ...: "dots", True: "true", False: "false"}[item]]
        if kind is int:
            if item.bit_length() > 10_000:
                raise WireError("The number has more than 3,000 digits.")
            return ["i", str(item)]
        if kind is float:
            return ["f", item.hex()]
        if kind is complex:
            return ["z", item.real.hex(), item.imag.hex()]
        if kind is str:
            spend(4 * len(item))
            return ["s", item]
        if isinstance(item, np.ndarray | np.generic):
            array = np.asarray(item)
            if array.dtype.kind == "U":
                spend(array.nbytes)
                return ["u", list(array.shape), [str(text) for text in array.ravel()]]
            if array.dtype.kind not in "biufc":
                raise WireError(f"An array of {array.dtype} cannot be read as numbers.")
            spend(array.nbytes)
            data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
            return ["a" if isinstance(item, np.ndarray) else "n", array.dtype.str, list(array.shape), data]
        if isinstance(item, tuple | list):
            return ["t" if isinstance(item, tuple) else "l", [one(inner, depth + 1) for inner in item]]
        if isinstance(item, Mapping):
            return ["d", [[one(key, depth + 1), one(inner, depth + 1)] for key, inner in item.items()]]
        if callable(item) and name_of is not None:
            return ["fn", name_of(item)]
        raise WireError(f"A {kind.__name__} cannot be read as numbers.")

    return one(value, 0)


def decode(found: Any, function: Callable[[int], Callable[..., Any]] | None = None) -> Any:
    """The value that `encode` wrote. `function` gives the function of a number; without it there are none.

    Raises WireError for anything that `encode` would not have written.
    """
    room = [2 * MAX_BYTES, MAX_ITEMS]

    def need(true: bool) -> None:
        if not true:
            raise WireError("The reply is not of the form that the grader reads.")

    def text_of(item: Any, longest: int = MAX_BYTES) -> str:
        need(type(item) is str and len(item) <= longest)
        room[0] -= len(item)
        need(room[0] >= 0)
        return str(item)

    def number(item: Any) -> float:
        try:
            return float.fromhex(text_of(item, 40))
        except (ValueError, OverflowError):
            raise WireError("The reply is not of the form that the grader reads.") from None

    def shape_of(item: Any) -> tuple[int, ...]:
        need(type(item) is list and len(item) <= 16 and all(type(n) is int and 0 <= n <= MAX_BYTES for n in item))
        return tuple(item)

    def one(item: Any, depth: int) -> Any:
        room[1] -= 1
        need(room[1] >= 0 and depth <= MAX_DEPTH and type(item) is list and len(item) >= 2 and type(item[0]) is str)
        kind, body = item[0], item[1]
        if kind in ("a", "n"):
            need(len(item) == 4)
        else:
            need(len(item) == (3 if kind in ("z", "u") else 2))
        if kind == "c":
            words = {"none": None, "dots": ..., "true": True, "false": False}
            need(type(body) is str and body in words)
            return words[body]
        if kind == "i":
            need(re.fullmatch(r"-?\d{1,4000}", text_of(body, 4001), re.ASCII) is not None)
            return int(body)
        if kind == "f":
            return number(body)
        if kind == "z":
            return complex(number(body), number(item[2]))
        if kind == "s":
            return text_of(body)
        if kind in ("t", "l", "d"):
            need(type(body) is list)
            if kind == "d":
                need(all(type(pair) is list and len(pair) == 2 for pair in body))
                pairs = [(one(key, depth + 1), one(inner, depth + 1)) for key, inner in body]
                need(all(isinstance(key, str | int | float | bool | None) for key, _ in pairs))
                return dict(pairs)
            inner = [one(each, depth + 1) for each in body]
            return tuple(inner) if kind == "t" else inner
        if kind in ("a", "n"):
            need(type(body) is str and _DTYPE.fullmatch(body) is not None)
            shape = shape_of(item[2])
            try:
                dtype = np.dtype(body)
                data = base64.b64decode(text_of(item[3], 2 * MAX_BYTES), validate=True)
                need(len(data) == dtype.itemsize * _product(shape))
                array = np.frombuffer(data, dtype).reshape(shape).copy()
            except (TypeError, ValueError):
                raise WireError("The reply is not of the form that the grader reads.") from None
            return array if kind == "a" else array[()]
        if kind == "u":
            shape = shape_of(body)
            need(type(item[2]) is list and len(item[2]) == _product(shape) <= MAX_ITEMS)
            texts = [text_of(each, 10_000) for each in item[2]]
            need(4 * max(map(len, texts), default=0) * len(texts) <= MAX_BYTES)
            return np.array(texts, dtype=str).reshape(shape)
        need(kind == "fn" and type(body) is int and function is not None)
        assert function is not None
        return function(body)

    return one(found, 0)


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total
