"""Each student's own data: the same exercise on numbers drawn from the student's id and the class's seed.

An assignment with variants has one notebook a student. In it `check` is called with the student's public seed,
which draws the inputs of a function exercise and the numbers of a value exercise (its text, the right value and
the mistakes follow them). The seed stands in the notebook, so it is no secret; the hidden inputs are drawn by
another number, which only the class's seed gives. Whoever judges an answer asks here for the exercise that
the student was given.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from course.exercises import registry
from course.exercises.specification import Exercise, Variant
from course.grading.classroom import Assignment, Classroom

__all__ = ["exercise_for", "public_seed", "variant_for"]

SEEDS = 1_000_000


def public_seed(classroom: Classroom, assignment: Assignment, student: str, exercise_id: str) -> int:
    """The seed that `check` has in the student's notebook: 0 without variants, else from 1 to a million."""
    if not assignment.variants:
        return 0
    return 1 + classroom.seed_for("public", assignment.name, student, exercise_id) % SEEDS


def exercise_for(classroom: Classroom, assignment: Assignment, student: str, exercise_id: str) -> Exercise:
    """The exercise as this student was given it: with the assignment's points, and the student's numbers.

    Raises ValueError when the course has no such exercise.
    """
    exercise = registry().get(exercise_id)
    if exercise is None:
        raise ValueError(f"Assignment {assignment.name!r} asks for exercise {exercise_id}, which this course has not.")
    points = assignment.points.get(exercise_id, exercise.points)
    return replace(exercise.drawn(public_seed(classroom, assignment, student, exercise_id)), points=points)


def variant_for(classroom: Classroom, assignment: Assignment, student: str, exercise_id: str) -> Variant | None:
    """What the student's notebook says in place of the lesson's task; None where the lesson's own text stands."""
    seed, exercise = public_seed(classroom, assignment, student, exercise_id), registry()[exercise_id]
    return exercise.variant(np.random.default_rng(seed)) if seed and exercise.variant else None
