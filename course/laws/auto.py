"""A law for a learning curve, chosen by its error on the largest points."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from course.laws.curves import fit_power_floor
from course.laws.result import Fit

__all__ = ["fit_auto"]


def fit_auto(x: ArrayLike, y: ArrayLike, **options: Any) -> Fit:
    """Placeholder."""
    return fit_power_floor(x, y, **options)
