"""Exercises that understand mistakes.

`check("4.1.2", my_function)` compares an answer with the reference on generated inputs and, on a
mismatch, says which known mistake it is, or shows the smallest input that fails. `registry()` maps
every exercise's id to its specification. Each lesson's exercises are in the module of its name.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

from course import lessons, show
from course.exercises import checking
from course.exercises.result import Result
from course.exercises.specification import Case, Exercise, Mistake, Variant
from course.show import Shown

__all__ = ["Case", "Exercise", "Mistake", "Result", "Variant", "check", "hint", "registry", "reveal"]


@cache
def _of_lesson(number: str) -> dict[str, Exercise]:
    name = f"course.exercises.{lessons.find(number).name}"
    if importlib.util.find_spec(name) is None:
        return {}
    found: dict[str, Exercise] = {}
    for exercise in importlib.import_module(name).EXERCISES:
        if exercise.lesson != number or exercise.id in found:
            raise ValueError(f"{name}: exercise id {exercise.id!r} is not of lesson {number} or occurs twice.")
        found[exercise.id] = exercise
    return found


def registry() -> dict[str, Exercise]:
    """Every exercise's id → its specification, in the order of the lessons."""
    return {id_: exercise for lesson in lessons.LESSONS for id_, exercise in _of_lesson(lesson.number).items()}


def _find(exercise_id: str) -> Exercise | None:
    number = str(exercise_id).rpartition(".")[0]
    if any(lesson.number == number for lesson in lessons.LESSONS):
        return _of_lesson(number).get(str(exercise_id))
    return None


def check(
    exercise_id: str,
    answer: Any,
    *,
    seed: int = 0,
    time_limit: float | None = None,
    record: bool = True,
) -> Result:
    """Check an answer and say what is wrong and why. Never raises.

    `seed` draws the inputs (and the numbers of a value exercise that has variants), `time_limit` is in
    seconds (default: the exercise's own, mostly 10), `record=False` leaves the student's progress alone.
    The result has `status` ("passed", "failed" or "not written"), `message`, `score` and `points`.
    """
    exercise = _find(exercise_id)
    if exercise is None:
        return checking.unknown(exercise_id, list(registry()))
    return checking.check_exercise(exercise, answer, seed=seed, time_limit=time_limit, record=record)


def hint(exercise_id: str) -> Shown:
    """The hints of an exercise, folded one inside the other."""
    exercise = _find(exercise_id)
    if exercise is None:
        missing = checking.unknown(exercise_id, list(registry()))
        return Shown(missing._repr_html_(), str(missing))
    if not exercise.hints:
        return Shown(show.box("note", "No hints", "This exercise has no hints."), "This exercise has no hints.")
    lines = "\n".join(f"Hint {i}: {text}" for i, text in enumerate(exercise.hints, 1))
    return Shown(show.folded(exercise.hints), lines)


def reveal(prediction: Any, measured: float, unit: str = "", digits: int = 3, how: str = "Measured") -> Shown:
    """Set a prediction, made before, beside the number; `how` says where that comes from. `...` means none was made."""
    shown = f"{measured:.{digits}g} {unit}".strip()
    try:
        guess = None if prediction is None or prediction is ... else float(prediction)
    except (TypeError, ValueError):
        guess = None
        return Shown(
            show.box("note", f"{how}: {shown}", f"A prediction is one number; got a {type(prediction).__name__}."),
            f"{how}: {shown}. A prediction is one number; got a {type(prediction).__name__}.",
        )
    if guess is None:
        said = "You made no prediction. Write one in the cell above next time: a number you have committed to teaches more."
    elif measured and guess and (guess > 0) == (measured > 0) and not 0.5 < guess / measured < 2:
        ratio = guess / measured
        off = f"{ratio:.3g} times too large" if ratio > 1 else f"{1 / ratio:.3g} times too small"
        said = f"You predicted {guess:.{digits}g}: {off}."
    else:
        said = f"You predicted {guess:.{digits}g}: off by {guess - measured:+.2g}."
    return Shown(show.box("note", f"{how}: {shown}", said), f"{how}: {shown}. {said}")
