"""Right answers written in several ways earn full marks in the sandbox, TensorFlow's and talkative ones among them."""

from __future__ import annotations

import importlib.util
import inspect
import json

import pytest

from course import lessons
from course.exercises import registry
from course.grading import assignment, package, running, sandbox
from course.grading.classroom import Classroom
from course.grading.graft import Released

pytestmark = pytest.mark.skipif(bool(sandbox.problem()), reason=sandbox.problem())

LESSONS = ("4.3", "5.2")
TALK = """
import sys, warnings
import numpy as np
import tensorflow as tf
print("loading", file=sys.stderr)
warnings.warn("this may be slow")
tf.get_logger().warning("retracing")
{function}
"""


def _answers(number):
    name = lessons.find(number).name
    spec = importlib.util.spec_from_file_location(f"answers_{name}", f"tests/answers/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.RIGHT


def _written(name, answer):
    """An answer's cell: the function with its own imports, under the name that is asked for; a value or a text."""
    if callable(answer):
        module = inspect.getmodule(answer)
        heads = [line for line in inspect.getsource(module).splitlines() if line.startswith(("import ", "from "))]
        used = inspect.getsource(answer)
        helpers = [
            inspect.getsource(value)
            for key, value in vars(module).items()
            if inspect.isfunction(value) and value is not answer and f"{key}(" in used
        ]
        if answer.__name__ == "<lambda>":
            pytest.skip("a lambda has no text of its own")
        return "\n".join([*heads, *helpers, used, f"{name} = {answer.__name__}"])
    return f"{name} = {answer!r}" if isinstance(answer, str) else f"{name} = {float(answer)!r}"


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Two lessons, and one student for each way of writing the answers."""
    classroom = Classroom.create(tmp_path_factory.mktemp("class"))
    assignment.assign(classroom, "two", lesson_keys=list(LESSONS))
    for number in LESSONS:
        file = f"{lessons.find(number).name}.ipynb"
        right = _answers(number)
        for i in range(3):
            released = Released(classroom.release("two") / file)
            for answer in released.answers.values():
                ways = right.get(answer.exercise) or [registry()[answer.exercise].reference]
                cell = released.cells[answer.cell]
                cell["source"] = _written(answer.name, ways[i % len(ways)])
                if i == 1 and answer.exercise == "5.2.4":
                    cell["source"] = TALK.format(
                        function=cell["source"].replace("from __future__ import annotations", "")
                    )
            path = classroom.submitted(f"way{i}", "two") / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(released.notebook), encoding="utf-8")
    return classroom, running.grade(classroom, "two", jobs=2)


@pytest.mark.parametrize("student", ["way0", "way1", "way2"])
def test_right_answers_earn_full_marks(graded, student):
    classroom, report = graded
    result = classroom.result("two", student)
    assert student not in report.failed
    short = {
        id_: (mark.status, mark.score, mark.message)
        for id_, mark in result.marks.items()
        if mark.status != "manual" and mark.score != mark.points
    }
    assert short == {}, result.odd
    assert result.marks["5.2.9"].status == "manual" and result.marks["5.2.9"].score is None
    assert report.waiting[student] == ["5.2.9"]


def test_the_packages_answers_are_known():
    exercises = registry()
    assert package.own_answers(exercises["4.1.2"]) == {"course.losses.binary_cross_entropy"}
    assert package.own_answers(exercises["4.1.4"]) == {"course.losses.finite_difference_gradient"}
    assert package.own_answers(exercises["2.1.1"]) == frozenset()
    # An earlier exercise's answer may be used in a later one.
    assert package.own_answers(exercises["2.1.3"], frozenset({"course.machine.days_needed"})) == frozenset()


def test_the_copy_holds_no_reference_and_no_mistake(tmp_path):
    whole, without = (
        package.copy(tmp_path / "a"),
        package.without(tmp_path / "b", frozenset({"course.losses.log_sum_exp"})),
    )
    files = {path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()}
    assert "course/losses.py" in files and "course/exercises/__init__.py" in files
    assert not {f for f in files if "grading" in f or "authoring" in f or "cross_entropy_gradient" in f} - {
        f for f in files if "widgets" in f
    }
    for path in whole.rglob("*.py"):
        assert "Mistake(" not in path.read_text(encoding="utf-8"), path
    text = (without / "course" / "losses.py").read_text(encoding="utf-8")
    assert text.count("It is what the exercise asks for.") == 1 and "def softmax_gradient" in text
    assert not list((without / "course").rglob("losses*.pyc"))
