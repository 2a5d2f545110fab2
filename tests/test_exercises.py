"""Every exercise of every lesson, held to what its specification promises."""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import pytest

from course import lessons
from course.exercises import check, registry

REGISTRY = registry()
FUNCTIONS = [id_ for id_, exercise in REGISTRY.items() if exercise.kind == "function"]
VALUES = [id_ for id_, exercise in REGISTRY.items() if exercise.kind == "value"]
MISTAKES = [(id_, mistake.name) for id_, exercise in REGISTRY.items() for mistake in exercise.mistakes]


def _answers(table: str) -> dict:
    """The answers that the lessons' files in tests/answers/ hold under this name."""
    found: dict = {}
    for lesson in lessons.LESSONS:
        path = f"tests/answers/{lesson.name}.py"
        spec = importlib.util.spec_from_file_location(f"answers_{lesson.name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.update(getattr(module, table, {}))
    return found


@pytest.fixture(scope="module", autouse=True)
def imported():
    """TensorFlow, before any answer is timed: on a busy machine its import takes longer than a check allows."""
    import tensorflow  # noqa: F401


@pytest.fixture(scope="session")
def right():
    return _answers("RIGHT")


@pytest.fixture(scope="session")
def wrong():
    return _answers("WRONG")


def stub(*args):
    raise NotImplementedError("Write this.")


def test_each_lesson_has_four_exercises_or_more():
    counts = {lesson.name: sum(e.lesson == lesson.number for e in REGISTRY.values()) for lesson in lessons.LESSONS}
    assert all(count >= 4 for count in counts.values()), counts


@pytest.mark.parametrize("id_", FUNCTIONS)
def test_a_function_exercise_knows_three_mistakes_and_gives_hints(id_):
    assert len(REGISTRY[id_].mistakes) >= 3
    assert len(REGISTRY[id_].hints) >= 2


@pytest.mark.parametrize("seed", [0, 1, 20261])
@pytest.mark.parametrize("id_", REGISTRY)
def test_the_reference_passes(id_, seed):
    exercise = REGISTRY[id_].drawn(seed)
    answer = exercise.reference() if exercise.kind == "value" and callable(exercise.reference) else exercise.reference
    result = check(id_, answer, seed=seed, record=False)
    assert (result.status, result.score) == ("passed", exercise.points), str(result)


@pytest.mark.parametrize("id_", REGISTRY)
def test_the_stub_is_not_written(id_):
    answers = [...] if REGISTRY[id_].kind != "function" else [stub, ...]
    for answer in answers:
        result = check(id_, answer, record=False)
        assert (result.status, result.score) == ("not written", 0)


@pytest.mark.parametrize(("id_", "name"), MISTAKES)
def test_a_known_mistake_fails_with_its_own_message(id_, name, wrong):
    for seed in (0, 7):
        exercise = REGISTRY[id_].drawn(seed)
        mistake = next((m for m in exercise.mistakes if m.name == name), None)
        if mistake is None:  # of the lesson's own numbers alone
            assert seed and exercise.variant
            continue
        answer = wrong[id_][name] if exercise.kind == "text" else mistake.answer
        result = check(id_, answer, seed=seed, record=False)
        assert result.status == "failed"
        assert result.mistake == name, str(result)
        assert mistake.message in result.message
        assert result.score < exercise.points


@pytest.mark.parametrize("id_", [id_ for id_, exercise in REGISTRY.items() if exercise.kind != "text"])
def test_messages_of_an_exercise_differ(id_):
    messages = [mistake.message for mistake in REGISTRY[id_].mistakes]
    assert len(set(messages)) == len(messages)


@pytest.mark.parametrize("id_", FUNCTIONS)
def test_right_answers_written_differently_pass(id_, right):
    answers = right.get(id_, [])
    assert len(answers) >= 2, f"write two right answers to {id_} in tests/answers/"
    for answer in answers:
        for seed in (0, 3):
            result = check(id_, answer, seed=seed, record=False)
            assert result.status == "passed", f"{answer.__name__}: {result}"


@pytest.mark.parametrize("id_", VALUES)
def test_right_values_written_differently_pass(id_, right):
    for answer in right.get(id_, []):
        assert check(id_, answer, record=False).status == "passed"


CONSTANTS = {
    "zero": lambda *args: 0.0,
    "one": lambda *args: 1,
    "None": lambda *args: None,
    "the first input": lambda *args: args[0],
    "the last input": lambda *args: args[-1],
    "zeros of the first input": lambda *args: np.zeros_like(np.asarray(args[0], dtype=float)),
    "an empty array": lambda *args: np.array([]),
    "nan": lambda *args: float("nan"),
}


@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("id_", FUNCTIONS)
def test_no_constant_earns_a_point(id_, constant):
    result = check(id_, CONSTANTS[constant], record=False)
    assert (result.status, result.score) == ("failed", 0), str(result)


@pytest.mark.parametrize("id_", FUNCTIONS)
def test_inputs_depend_on_the_seed(id_):
    def drawn(seed):
        cases = REGISTRY[id_].cases(np.random.default_rng(seed))
        return repr([[arg for arg in case.args if not callable(arg)] for case in cases])

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1), "hidden inputs are the same cases drawn from another seed"


@pytest.mark.parametrize("id_", REGISTRY)
def test_what_a_check_shows_is_printable(id_):
    result = check(id_, stub if REGISTRY[id_].kind == "function" else 12345.678, record=False)
    assert result.title in str(result)
    assert "<div" in result._repr_html_()
