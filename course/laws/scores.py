"""How good a prediction with an interval was, once the value is known."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["interval_score"]


def interval_score(low: Any, high: Any, measured: Any, level: float = 0.95) -> Any:
    """Width plus 2 / (1 - level) times the distance by which `measured` lies outside; small is good.

    Arrays of one shape, or numbers, in one unit. The score is smallest on average for the interval between the true
    quantiles, so there is nothing to gain by naming one that is too narrow or too wide.
    Source: Gneiting and Raftery 2007, section 6.2. Lesson 5.4.
    """
    low, high, measured = (np.asarray(v, dtype=float) for v in (low, high, measured))
    outside = np.maximum(low - measured, 0) + np.maximum(measured - high, 0)
    return high - low + 2 / (1 - level) * outside
