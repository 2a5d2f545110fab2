"""At which size a lesson runs: on a laptop, or larger, where there is a GPU.

The cells are the same; a lesson with a larger version asks `tier()` for the plan of its sweep. Which
lessons have one says `course.lessons`. `COURSE_TIER` overrides what the machine has: "laptop" on a GPU
gives the numbers that the prose quotes, "gpu" without one the larger run, slowly.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from course import machine

if TYPE_CHECKING:
    from course.lessons import Lesson

__all__ = ["TIERS", "said", "tier"]

TIERS = ("laptop", "gpu")


def _asked() -> str:
    """The tier that `COURSE_TIER` asks for, "" for none."""
    asked = os.environ.get("COURSE_TIER", "").strip()
    if asked and asked not in TIERS:
        raise ValueError(f"COURSE_TIER is {asked!r}; set it to {' or '.join(map(repr, TIERS))}, or not at all.")
    return asked


def tier() -> str:
    """ "gpu" where TensorFlow finds one, else "laptop"; or what `COURSE_TIER` asks for.

    Raises ValueError when that is neither.
    """
    return _asked() or ("gpu" if machine.gpus() else "laptop")


def said(lesson: Lesson) -> str:
    """One sentence: what was found here, and what it means for this lesson. The same on every machine without a GPU."""
    if not lesson.tensorflow:
        return "This lesson computes on the processor, with a GPU or without."
    found = machine.gpus()
    what = f"GPU found ({', '.join(found)})" if found else "No GPU found"
    if not lesson.gpu:
        use = "uses it, at the same size as without" if found else "needs none"
        return f"{what}: this lesson {use}."
    found_tier = "gpu" if found else "laptop"
    chosen = _asked() or found_tier
    if chosen != found_tier:
        what += f", but COURSE_TIER={chosen}"
    size = "at its larger size" if chosen == "gpu" else "at laptop size"
    return f"{what}: this lesson runs {size}."
