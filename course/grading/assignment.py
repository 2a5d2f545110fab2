"""Hand out an assignment: the students' notebooks of chosen lessons, with points, a due date and no answers.

The notebooks are compiled from the lessons' sources, never copied from `notebooks/`, where an instructor may have
written answers. The chosen exercises are graded; the others of the same lessons stay in as practice. The release
holds no solution; `source/`, for nbgrader, has the solutions of the graded ones between nbgrader's markers.
With `variants` each student of a roster gets notebooks of their own (see `course.grading.variants`).
"""

from __future__ import annotations

import ast
import hashlib
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any

from course import __version__, authoring, lessons
from course.exercises import registry
from course.grading import gradebook, roster, variants
from course.grading.classroom import Assignment, Classroom, write
from course.lessons import Lesson

__all__ = ["Made", "assign", "assignment_name", "choose", "due_time"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_-])?")


@dataclass(frozen=True)
class Made:
    """What `assign` made: the assignment, and the files to hand out (a zip for all, or one a student)."""

    assignment: Assignment
    archive: Path
    students: tuple[str, ...] = ()


# --- reading what was asked for -------------------------------------------------------------------


def assignment_name(text: str) -> str:
    """`text` as an assignment's name, safe as a folder's. Raises ValueError for another text."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"An assignment's name is up to 64 letters, digits or the signs _ . -, and starts with a letter or digit; "
            f"got {text!r:.80}."
        )
    return text


def due_time(text: str) -> str:
    """A due time as ISO 8601 with its offset from UTC; a date alone is due at 23:59, no offset is this machine's.

    Raises ValueError for anything else. "" stays "".
    """
    if not text:
        return ""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"A due time is written as 2026-12-18T23:59+01:00 or 2026-12-18; got {text!r:.60}.") from None
    if re.fullmatch(r"\d{4}-?\d\d-?\d\d", text):
        when = datetime.combine(when.date(), time(23, 59))
    return (when if when.tzinfo else when.astimezone()).isoformat(timespec="minutes")


def choose(
    lesson_keys: Sequence[str] = (), exercise_ids: Sequence[str] = (), points: Mapping[str, float] | None = None
) -> tuple[tuple[Lesson, ...], dict[str, float]]:
    """The lessons, and exercise id → points, in the lessons' order.

    Graded are the exercises named and, of a lesson none of whose exercises is named, all. Raises ValueError
    for an unknown lesson or exercise, for points of an exercise that is not graded, or when nothing is chosen.
    """
    known, points = registry(), dict(points or {})
    for id_ in (*exercise_ids, *points):
        if id_ not in known:
            raise ValueError(f"There is no exercise {id_!r}; `course progress` lists the lessons and their exercises.")
    chosen = {lessons.find(key).number for key in lesson_keys} | {known[id_].lesson for id_ in exercise_ids}
    if not chosen:
        raise ValueError("Choose what to hand out: --lessons 4.1 5.2, --exercises 4.1.2 4.1.3, or both.")
    picked = {known[id_].lesson for id_ in exercise_ids}
    graded = {
        id_: float(points.pop(id_, exercise.points))
        for id_, exercise in known.items()
        if id_ in exercise_ids or (exercise.lesson in chosen and exercise.lesson not in picked)
    }
    if points:
        raise ValueError(f"Exercise {next(iter(points))} is given points and is not part of the assignment.")
    for id_, value in graded.items():
        if not 0 < value <= 1000:
            raise ValueError(f"The points of an exercise lie above 0 and up to 1000; exercise {id_} got {value:g}.")
    return tuple(lesson for lesson in lessons.LESSONS if lesson.number in chosen), graded


# --- one notebook ---------------------------------------------------------------------------------


def _points(value: float) -> str:
    return f"{value:g} point{'s' if value != 1 else ''}"


def _due(text: str) -> str:
    when = datetime.fromisoformat(text)
    zone = when.strftime("%z")
    return f"{when.day} {when:%B %Y, %H:%M} (UTC{zone[:3]}:{zone[3:]})"


def _title(lesson: Lesson, assignment: Assignment) -> str:
    graded = [(id_, value) for id_, value in assignment.points.items() if registry()[id_].lesson == lesson.number]
    due = f" · due {_due(assignment.due)}" if assignment.due else ""
    rows = "\n".join(f"| {id_} {registry()[id_].title} | {value:g} |" for id_, value in graded)
    return (
        f"# {lesson.number} {lesson.title}\n\n*{lesson.question}*\n\n"
        f"**{assignment.title}**{due} · {_points(sum(value for _, value in graded))}\n\n"
        f"| graded exercise | points |\n|---|---:|\n{rows}\n\n"
        f"About {lesson.minutes} minutes. Write your answers in the cells after the tasks; cells of your own are welcome, "
        "and a task's cell keeps its function's name. Save the notebook and hand in this file."
    )


def _id_cell(student: str) -> str:
    return (
        "# Your student id, as your instructor knows it, between the quotes. It says whose work this is.\n"
        f'STUDENT_ID = "{student}"'
    )


def _seeded(source: str, exercise_id: str, seed: int) -> str:
    """A check's cell whose call has the student's seed."""
    call = next(
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"
    )
    lines = source.encode().split(b"\n")  # ast counts bytes
    end = sum(len(line) + 1 for line in lines[: (call.end_lineno or 1) - 1]) + (call.end_col_offset or 0) - 1
    head = source.encode()[:end].rstrip().rstrip(b",")
    return (head + f", seed={seed}".encode() + source.encode()[end:]).decode()


def _exercise_of(cell: Any) -> tuple[str, str]:
    """Role ("task", "exercise", "check") and exercise id of a compiled cell, both "" for any other."""
    role, _, slug = cell["id"].partition("-")
    id_ = slug.replace("-", ".")
    return (role, id_) if role in ("task", "exercise", "check") and id_ in registry() else ("", "")


def _notebook(
    lesson: Lesson,
    compiled: Any,
    classroom: Classroom,
    assignment: Assignment,
    student: str = "",
    edition: str = "release",
) -> Any:
    """The lesson's students' edition as this assignment hands it out."""
    from nbformat import v4

    notebook = deepcopy(compiled)
    cells = []
    for cell in notebook.cells:
        role, id_ = _exercise_of(cell)
        if cell["id"] == "next":
            continue
        if cell["id"] == "title":
            cell["source"] = _title(lesson, assignment)
            new = v4.new_code_cell(_id_cell(student))
            new["id"] = "student-id"
            cells += [cell, new]
            continue
        if role == "task":
            text = cell.source.split("\n\n", 2)[2]
            worth = "practice, not graded"
            if id_ in assignment.points:
                worth = _points(assignment.points[id_])
                variant = variants.variant_for(classroom, assignment, student, id_) if student else None
                text = variant.task if variant else text
            cell["source"] = authoring.task(registry()[id_], text, worth)
        elif role and id_ not in assignment.points:
            cell.metadata.pop("nbgrader", None)
        elif role and cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata["nbgrader"]["points"] = assignment.points[id_]
        if role == "check" and student and id_ in assignment.points and registry()[id_].kind != "text":
            cell["source"] = _seeded(cell.source, id_, variants.public_seed(classroom, assignment, student, id_))
        cells.append(cell)
    notebook.cells = cells
    notebook.metadata["course"] = {"lesson": lesson.number, "edition": edition, "assignment": assignment.name}
    return notebook


def _source(released: Any, answers: Mapping[str, str]) -> Any:
    """The released notebook with the solutions of its graded exercises between nbgrader's markers."""
    notebook = deepcopy(released)
    for cell in notebook.cells:
        role, id_ = _exercise_of(cell)
        if role == "exercise" and "nbgrader" in cell.metadata:
            cell["source"] = answers[id_]
    notebook.metadata["course"]["edition"] = "source"
    return notebook


# --- the whole ------------------------------------------------------------------------------------


def _zip(files: Mapping[str, bytes]) -> bytes:
    """A zip that is the same for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return packed.getvalue()


def _remove_others(folders: Sequence[Path], keep: set[Path]) -> None:
    """What an earlier assignment of this name left in its folders."""
    for folder in folders:
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif not path.is_dir() and path not in keep:
                path.unlink()


def assign(
    classroom: Classroom,
    name: str,
    *,
    lesson_keys: Sequence[str] = (),
    exercise_ids: Sequence[str] = (),
    points: Mapping[str, float] | None = None,
    title: str = "",
    due: str = "",
    students: roster.Roster | None = None,
    force: bool = False,
) -> Made:
    """Make an assignment in a class's folder; with `students` each gets notebooks with numbers of their own.

    Raises ValueError when the name is taken (and not `force`), something is unknown, or there is no checkout.
    """
    name = assignment_name(name)
    if name in classroom.assignments() and not force:
        raise ValueError(
            f"There is an assignment {name!r} already; --force makes it anew, under another name it is kept."
        )
    chosen, graded = choose(lesson_keys, exercise_ids, points)
    given = Assignment(
        name=name,
        title=" ".join(title.split()) or name,
        lessons=tuple(lesson.number for lesson in chosen),
        points=graded,
        notebooks={},
        due=due_time(due),
        variants=students is not None,
        course_version=__version__,
    )
    root = authoring.find_root()
    sources = {lesson: root / "solutions" / f"{lesson.path}.py" for lesson in chosen}
    texts = {lesson: path.read_text(encoding="utf-8") for lesson, path in sources.items()}
    compiled = {lesson: authoring.compile_lesson(text, lesson).student for lesson, text in texts.items()}

    def files(student: str = "") -> dict[str, bytes]:
        return {
            f"{lesson.name}.ipynb": authoring.as_bytes(_notebook(lesson, compiled[lesson], classroom, given, student))
            for lesson in chosen
        }

    released = files()
    given = Assignment(
        **{
            **vars(given),
            "notebooks": {file: hashlib.sha256(data).hexdigest() for file, data in released.items()},
        }
    )
    release, source = classroom.release(name), classroom.root / "source" / name
    made: dict[Path, bytes] = {release / file: data for file, data in released.items()}
    packed = {f"{name}/{file}": data for file, data in released.items()}
    for lesson in chosen:
        answers = {
            cell.header["exercise"]: cell.text
            for cell in authoring.read(texts[lesson], sources[lesson].name)
            if cell.kind == "code" and "exercise" in cell.header
        }
        notebook = _source(_notebook(lesson, compiled[lesson], classroom, given), answers)
        made[source / f"{lesson.name}.ipynb"] = authoring.as_bytes(notebook)
    if students is not None:
        packed = {}
        for student in students.students:
            own = files(student.id)
            made |= {release / student.id / file: data for file, data in own.items()}
            made[release / f"{student.id}.zip"] = _zip({f"{name}/{file}": data for file, data in own.items()})
            packed |= {f"{student.id}/{file}": data for file, data in own.items()}
    archive = classroom.root / "release" / f"{name}.zip"
    made[archive] = _zip(packed)
    for path, data in made.items():
        write(path, data)
    classroom.save_assignment(given)
    _remove_others((release, source), set(made))
    gradebook.write_config(classroom)
    return Made(given, archive, tuple(student.id for student in students.students) if students else ())
