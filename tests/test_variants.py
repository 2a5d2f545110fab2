"""Variants: other numbers for an exercise, its text and its mistakes following them, and each student's own."""

from __future__ import annotations

import re

import numpy as np
import pytest

from course import authoring, lessons
from course.exercises import check, counting, cross_entropy_gradient, linear_classifier, registry, setup
from course.exercises.checking import check_exercise
from course.exercises.specification import Exercise, Mistake, Variant
from course.exercises.varying import told_apart
from course.grading.classroom import Assignment, Classroom
from course.grading.variants import exercise_for, public_seed, variant_for

VARIED = [id_ for id_, exercise in registry().items() if exercise.variant]
OWN = {  # the lesson's own numbers
    "5.1.3": lambda: setup._shapes(4),
    "2.1.7": lambda: counting._PUZZLE,
    "4.1.1": lambda: cross_entropy_gradient._COIN,
    "5.2.2": lambda: linear_classifier._SQUARE,
    "5.2.7": lambda: linear_classifier._TURNED,
}


def test_every_value_exercise_has_variants():
    assert {id_ for id_, exercise in registry().items() if exercise.kind == "value"} == set(VARIED) == set(OWN)


@pytest.mark.parametrize("id_", VARIED)
def test_the_text_made_from_the_lessons_own_numbers_is_the_lessons_text(id_):
    lesson = lessons.find(registry()[id_].lesson)
    source = authoring.find_root() / "solutions" / f"{lesson.path}.py"
    task = next(
        cell.text
        for cell in authoring.read(source.read_text(encoding="utf-8"), source.name)
        if cell.kind == "markdown" and cell.header.get("exercise") == id_
    )
    assert OWN[id_]().task.split() == task.split()


@pytest.mark.parametrize("seed", [*range(1, 40), 999_983])
@pytest.mark.parametrize("id_", VARIED)
def test_right_and_wrong_follow_the_numbers(id_, seed):
    drawn = registry()[id_].drawn(seed)
    assert check(id_, drawn.reference, seed=seed, record=False).status == "passed"
    messages = [mistake.message for mistake in drawn.mistakes]
    assert len(set(messages)) == len(messages)
    for mistake in drawn.mistakes:
        result = check(id_, mistake.answer, seed=seed, record=False)
        assert (result.status, result.mistake, result.score) == ("failed", mistake.name, 0), str(result)


@pytest.mark.parametrize("id_", VARIED)
def test_variants_differ_and_their_texts_with_them(id_):
    exercise = registry()[id_]
    drawn = [exercise.variant(np.random.default_rng(seed)) for seed in range(1, 60)]
    assert len({repr(each.reference) for each in drawn}) >= 6, "two neighbours should not have the same numbers"
    by_text = {each.task: each.reference for each in drawn}
    assert all(by_text[each.task] == each.reference for each in drawn), "the text says all that the answer needs"


@pytest.mark.parametrize("id_", VARIED)
def test_seed_0_is_the_lessons_own(id_):
    exercise = registry()[id_]
    assert exercise.drawn(0) is exercise
    assert exercise.drawn(5).reference == exercise.drawn(5).reference


def test_a_variant_belongs_to_a_value():
    with pytest.raises(ValueError, match="only a value exercise has variants"):
        Exercise(
            id="1.1.1",
            title="t",
            points=1,
            minutes=1,
            difficulty=1,
            reference="",
            kind="text",
            variant=lambda rng: None,
        )


def test_numbers_on_which_right_and_wrong_agree_are_drawn_again():
    def draw(rng):
        n = int(rng.integers(2, 4))
        return Variant("2 n or n squared", 2 * n, (Mistake("squared", n**2, "no"),), ())

    drawn = told_apart(draw, rtol=1e-6)
    assert {drawn(np.random.default_rng(seed)).reference for seed in range(20)} == {6}
    with pytest.raises(ValueError, match="told apart"):
        told_apart(lambda rng: Variant("", 1.0, (Mistake("same", 1.0, ""),), ()), rtol=1e-6)(np.random.default_rng(0))


# --- a student's own ------------------------------------------------------------------------------


@pytest.fixture
def classroom(tmp_path):
    made = Classroom.create(tmp_path / "class")
    (made.root / "secret" / "seed").write_text("5eed" * 16, encoding="ascii")
    return made


def assignment(variants: bool, name: str = "week1") -> Assignment:
    points = {"4.1.1": 3.0, "4.1.2": 2.0}
    return Assignment(name=name, title=name, lessons=("4.1",), points=points, notebooks={}, variants=variants)


def test_without_variants_every_student_has_the_lessons_own_numbers(classroom):
    given = assignment(variants=False)
    assert public_seed(classroom, given, "ada", "4.1.1") == 0
    assert variant_for(classroom, given, "ada", "4.1.1") is None
    exercise = exercise_for(classroom, given, "ada", "4.1.1")
    assert exercise.reference == registry()["4.1.1"].reference
    assert exercise.points == 3


def test_a_students_seed_is_the_same_each_time_and_another_elsewhere(classroom, tmp_path):
    given = assignment(variants=True)
    other = Classroom.create(tmp_path / "other")
    (other.root / "secret" / "seed").write_text("07e4" * 16, encoding="ascii")
    seeds = {
        public_seed(where, each, student, id_)
        for where in (classroom, other)
        for each in (given, assignment(True, "week2"))
        for student in ("ada", "bob")
        for id_ in ("4.1.1", "4.1.2")
    }
    assert len(seeds) == 16
    assert 0 not in seeds
    assert public_seed(classroom, given, "ada", "4.1.1") == public_seed(classroom, given, "ada", "4.1.1")


def test_the_public_seed_is_no_hidden_one(classroom):
    given = assignment(variants=True)
    hidden = classroom.seed_for("week1", "ada", "4.1.2")
    assert public_seed(classroom, given, "ada", "4.1.2") != hidden


def test_a_students_exercise_is_what_their_notebook_asks_and_checks(classroom):
    given = assignment(variants=True)
    exercise = exercise_for(classroom, given, "ada", "4.1.1")
    variant = variant_for(classroom, given, "ada", "4.1.1")
    assert exercise.reference == variant.reference
    head = re.search(r"probability (0\.\d+)", variant.task)[1]
    assert any(head in hint for hint in exercise.hints)
    assert check_exercise(exercise, variant.reference, record=False).score == 3
    seed = public_seed(classroom, given, "ada", "4.1.1")
    assert check("4.1.1", variant.reference, seed=seed, record=False).status == "passed"


def test_an_exercise_that_the_course_has_not_is_a_sentence(classroom):
    with pytest.raises(ValueError, match=r"asks for exercise 4\.1\.99"):
        exercise_for(classroom, assignment(True), "ada", "4.1.99")
