"""Other numbers for a value exercise, drawn so that the right value and each mistake can be told from one another."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from course.exercises.specification import Variant

__all__ = ["told_apart"]


def _apart(variant: Variant, rtol: float) -> bool:
    values = np.sort([float(value) for value in (variant.reference, *(m.answer for m in variant.mistakes))])
    return not any(np.isclose(a, b, rtol=rtol, atol=0.0) for a, b in itertools.pairwise(values))


def told_apart(draw: Callable[[np.random.Generator], Variant], rtol: float) -> Callable[[np.random.Generator], Variant]:
    """`draw`, repeated until the values, the right one and the mistakes', all differ by more than `rtol`."""

    def drawn(rng: np.random.Generator) -> Variant:
        for _ in range(1000):
            variant = draw(rng)
            if _apart(variant, rtol):
                return variant
        raise ValueError("A thousand draws gave no numbers on which right and wrong can be told apart.")

    return drawn
