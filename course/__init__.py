"""Scaling Laws, Tested: the package behind the lessons.

Importing it is quick and loads neither numpy nor TensorFlow; each name below is loaded on first use.
A lesson's first cell calls `begin`; its exercises call `check`, `hint` and `reveal`; its verdicts
call `verdict`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course.claims import verdict
    from course.exercises import check, hint, reveal
    from course.machine import begin

__version__ = "0.1.0"
__all__ = ["begin", "check", "hint", "reveal", "verdict"]

_HOME = {
    "begin": "course.machine",
    "check": "course.exercises",
    "hint": "course.exercises",
    "reveal": "course.exercises",
    "verdict": "course.claims",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        import importlib

        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'course' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
