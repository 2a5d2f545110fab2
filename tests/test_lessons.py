"""What holds for every lesson: fresh notebooks, honest stubs, stored outputs where they are compared."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest

from course import authoring, lessons
from course.exercises import registry

ROOT = authoring.find_root()
BY_NAME = {lesson.name: lesson for lesson in lessons.LESSONS}


def _read(edition: str, lesson: lessons.Lesson):
    return nbformat.read(ROOT / edition / f"{lesson.path}.ipynb", as_version=4)


@pytest.fixture(params=BY_NAME)
def lesson(request) -> lessons.Lesson:
    return BY_NAME[request.param]


def test_no_notebook_is_stale(lesson):
    assert authoring.stale(lesson, ROOT) == []


def test_every_notebook_belongs_to_a_lesson():
    for edition in ("notebooks", "solutions"):
        found = {p.relative_to(ROOT / edition).with_suffix("").as_posix() for p in (ROOT / edition).rglob("*.ipynb")}
        assert {name for name in found if ".ipynb_checkpoints" not in name} == {x.path for x in lessons.LESSONS}
    sources = {p.relative_to(ROOT / "solutions").with_suffix("").as_posix() for p in (ROOT / "solutions").rglob("*.py")}
    assert sources == {x.path for x in lessons.LESSONS}


def test_readme_lists_the_lessons():
    text = Path(ROOT / "README.md").read_text(encoding="utf-8")
    assert authoring.readme(text) == text, "run `make build`"


def _stripped(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_a_stub_differs_only_by_what_the_student_writes(lesson):
    """Outside the stub's own lines, every line of the student's cell stands in the answered cell, in order."""
    answered = {cell["id"]: cell for cell in _read("solutions", lesson).cells}
    differing = set()
    for cell in _read("notebooks", lesson).cells:
        full = answered[cell["id"]]
        if cell.source == full.source:
            continue
        differing.add(cell["id"].split("-")[0])
        if cell.cell_type == "markdown":
            continue
        kept = [
            line
            for line in _stripped(cell.source)
            if line != 'raise NotImplementedError("Write this.")' and not line.endswith("= ...")
        ]
        rest = iter(_stripped(full.source))
        assert all(line in rest for line in kept), cell["id"]
    assert differing <= {"title", "exercise", "prediction"}


def test_the_students_edition_holds_no_output_and_no_answer(lesson):
    notebook = _read("notebooks", lesson)
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
        if cell["id"].startswith("exercise-"):
            tree = ast.parse(cell.source)
            raises = any(isinstance(node, ast.Raise) for node in ast.walk(tree))
            ellipses = any(isinstance(node, ast.Assign) and ast.unparse(node.value) == "..." for node in ast.walk(tree))
            assert raises or ellipses, cell["id"]


def test_outputs_are_stored_where_they_are_compared(lesson):
    """nbval passes vacuously on a cell without outputs."""
    for cell in _read("solutions", lesson).cells:
        if cell.cell_type == "code" and "NBVAL_CHECK_OUTPUT" in cell.metadata.get("tags", []):
            assert cell.outputs, cell.source
    for cell in _read("notebooks", lesson).cells:
        assert "NBVAL_CHECK_OUTPUT" not in cell.metadata.get("tags", [])


def test_the_answered_edition_passes_its_own_checks(lesson):
    passed = 0
    for cell in _read("solutions", lesson).cells:
        if cell["id"].startswith("check-"):
            text = "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
            assert text.startswith("Passed"), text
            passed += 1
    assert passed == sum(exercise.lesson == lesson.number for exercise in registry().values())


def test_a_lesson_has_a_live_figure_and_a_prediction(lesson):
    notebook = _read("solutions", lesson)
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    images = sum("image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", []))
    assert "reveal(" in source
    assert images >= 1
    assert "explore(" in source or lesson.name == "setup"


def test_no_output_is_an_error(lesson):
    for cell in _read("solutions", lesson).cells:
        assert all(output.output_type != "error" for output in cell.get("outputs", []))


def test_an_answered_edition_shows_the_published_data(lesson):
    """What they give is stored for readers who cannot have them; CONTRIBUTING.md says how to build with them."""
    for cell in _read("solutions", lesson).cells:
        assert "has no address on the web" not in str(cell.get("outputs", "")), "built without the published data"


def test_minutes_cover_the_exercises(lesson):
    exercises = [e for e in registry().values() if e.lesson == lesson.number]
    assert sum(e.minutes for e in exercises) < lesson.minutes


def test_find_names_the_lessons_there_are():
    assert lessons.find("4.1") is lessons.find("cross_entropy_gradient")
    with pytest.raises(ValueError, match=r"no lesson 'nonsense'. The lessons are: 5.1 setup"):
        lessons.find("nonsense")
