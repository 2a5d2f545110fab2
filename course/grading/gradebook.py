"""Marks in nbgrader's gradebook, so that its formgrader and marking by hand work on a class's folder.

The gradebook is an SQLite file in the class's folder, or any database that SQLAlchemy has an address for. A mark
given by hand stays through a new grading where the answer is the same to the letter; where the answer has changed,
it is taken back and asked for again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sysconfig
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course.grading.classroom import Assignment, Classroom, Mark, Result, student_id, write

__all__ = ["Book", "address", "scores", "write_config"]

_CONFIG = """\
# Written by `course assign`: nbgrader's own commands and its formgrader work on this folder.
# Marks come from `course grade`, which runs submissions in a sandbox; `nbgrader autograde` would run them here.
import os

c = get_config()  # noqa: F821
here = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.root = here
c.CourseDirectory.db_url = os.environ.get("COURSE_GRADEBOOK") or "sqlite:///" + os.path.join(here, "gradebook.db")
c.Exchange.path_includes_course = False
"""


def write_config(classroom: Classroom) -> Path:
    """Write nbgrader's configuration into a class's folder and return its path."""
    path = classroom.root / "nbgrader_config.py"
    write(path, _CONFIG)
    return path


def address(classroom: Classroom, url: str | None = None) -> str:
    """The gradebook's address: `url`, else the SQLite file in the class's folder."""
    return url or f"sqlite:///{(classroom.root / 'gradebook.db').resolve()}"


def _grade_id(exercise_id: str) -> tuple[str, str]:
    """The names that an exercise's graded cell has: its check's, or the answer's own where a person marks it."""
    slug = exercise_id.replace(".", "-")
    return f"check-{slug}", f"exercise-{slug}"


def _fingerprint(mark: Mark | None) -> str:
    return hashlib.sha256(mark.answer.encode()).hexdigest() if mark else ""


@dataclass(frozen=True)
class ByHand:
    """What a person said of an exercise, and the fingerprint of the answer it was said of, "" when not known."""

    score: float | None
    extra: float | None
    comment: str | None
    answer: str


@contextlib.contextmanager
def _own_programs() -> Iterator[None]:
    """Let programs of this Python's environment be found, activated or not: nbgrader calls `alembic` by its name."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join(filter(None, [sysconfig.get_path("scripts"), before]))
    try:
        yield
    finally:
        os.environ["PATH"] = before


class Book:
    """An open gradebook. Raises ValueError, one sentence, when the database cannot be used."""

    def __init__(self, classroom: Classroom, url: str | None = None) -> None:
        try:
            from nbgrader.api import Gradebook
        except ImportError as error:
            raise ValueError(
                f"The gradebook needs nbgrader ({error}): pip install 'scaling-laws-course[instructor]'."
            ) from None
        from sqlalchemy.exc import SAWarning

        warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")
        self._class = classroom
        with self._spoken(), _own_programs():
            self._book = Gradebook(address(classroom, url))

    @contextlib.contextmanager
    def _spoken(self) -> Iterator[None]:
        from nbgrader.api import InvalidEntry
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (SQLAlchemyError, InvalidEntry, ImportError) as error:
            said = str(error).splitlines()[0][:200]
            raise ValueError(
                f"The gradebook cannot be used ({said}): is its address right, and does nobody hold it?"
            ) from None

    def close(self) -> None:
        """Let the database go."""
        self._book.close()

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self, assignment: Assignment, notebooks: Mapping[str, dict[str, Any]]) -> None:
        """Enter the assignment, its notebooks and their graded cells. `notebooks`: file name → released notebook."""
        due = datetime.fromisoformat(assignment.due).astimezone(UTC).replace(tzinfo=None) if assignment.due else None
        with self._spoken():
            self._book.update_or_create_assignment(assignment.name, duedate=due)
            for file, notebook in notebooks.items():
                self._prepare_notebook(assignment.name, Path(file).stem, notebook)

    def _prepare_notebook(self, name: str, stem: str, notebook: dict[str, Any]) -> None:
        book = self._book
        entered = book.update_or_create_notebook(stem, name)
        graded = set()
        for cell in notebook["cells"]:
            about = cell.get("metadata", {}).get("nbgrader")
            if not about:
                continue
            id_, kind = about["grade_id"], cell["cell_type"]
            if about["grade"]:
                graded.add(id_)
                book.update_or_create_grade_cell(id_, stem, name, max_score=about["points"], cell_type=kind)
            if about["solution"]:
                book.update_or_create_solution_cell(id_, stem, name)
            source = "".join(cell["source"])
            book.update_or_create_source_cell(id_, stem, name, cell_type=kind, source=source, locked=about["locked"])
        for gone in [cell for cell in entered.grade_cells if cell.name not in graded]:
            book.db.delete(gone)
        book.db.commit()

    def _submission(self, assignment: str, student: str) -> Any:
        from nbgrader.api import MissingEntry

        try:
            return self._book.find_submission(assignment, student)
        except MissingEntry:
            return None

    def by_hand(self, assignment: str, student: str, result: Result | None) -> dict[str, ByHand]:
        """What a person has said of a student's answers; `result` says which answers these were."""
        with self._spoken():
            submission = self._submission(assignment, student)
            if submission is None:
                return {}
            found = {}
            for notebook in submission.notebooks:
                comments = {comment.cell.name: comment.manual_comment for comment in notebook.comments}
                for grade in notebook.grades:
                    id_ = _exercise(grade.cell.name)
                    comment = comments.get(f"exercise-{id_.replace('.', '-')}")
                    if grade.manual_score is not None or grade.extra_credit is not None or comment:
                        answer = _fingerprint(result.marks.get(id_) if result else None)
                        found[id_] = ByHand(grade.manual_score, grade.extra_credit, comment, answer)
            return found

    def take_back(self, assignment: str, student: str) -> None:
        """Remove a student's marks, before new ones are made."""
        with self._spoken():
            if self._submission(assignment, student) is not None:
                self._book.remove_submission(assignment, student)

    def record(self, result: Result, kept: Mapping[str, ByHand]) -> list[str]:
        """Enter a student's marks, and what a person said of the same answers. Returns what has to be marked again."""
        again = []
        with self._spoken():
            self._book.update_or_create_student(student_id(result.student))
            self.take_back(result.assignment, result.student)
            when = _time(result.submitted_at)
            submission = self._book.add_submission(result.assignment, result.student, timestamp=when)
            for notebook in submission.notebooks:
                comments = {comment.cell.name: comment for comment in notebook.comments}
                for grade in notebook.grades:
                    id_ = _exercise(grade.cell.name)
                    mark = result.marks.get(id_)
                    grade.auto_score = mark.score if mark else 0.0
                    grade.needs_manual_grade = mark is not None and mark.status == "manual"
                    hand = kept.get(id_)
                    if hand is None:
                        continue
                    if hand.answer and hand.answer == _fingerprint(mark):
                        grade.manual_score, grade.extra_credit = hand.score, hand.extra
                        if hand.score is not None:
                            grade.needs_manual_grade = False
                        comment = comments.get(f"exercise-{id_.replace('.', '-')}")
                        if comment is not None:
                            comment.manual_comment = hand.comment
                    elif hand.score is not None or hand.extra is not None:
                        grade.needs_manual_grade = True
                        said = f"{hand.score:g} points" if hand.score is not None else "extra points"
                        again.append(f"{id_} had {said} by hand for an answer that has changed since: mark it again.")
            self._book.db.commit()
        return again

    def scores(self, assignment: str) -> dict[str, dict[str, float | None]]:
        """Student → exercise → final score; None for what waits for a person."""
        with self._spoken():
            from nbgrader.api import MissingEntry

            try:
                submissions = self._book.assignment_submissions(assignment)
            except MissingEntry:
                return {}
            return {
                submission.student.id: {
                    _exercise(grade.cell.name): None if grade.needs_manual_grade else float(grade.score)
                    for notebook in submission.notebooks
                    for grade in notebook.grades
                }
                for submission in submissions
            }

    def comments(self, assignment: str, student: str) -> dict[str, str]:
        """Exercise → what a person wrote about the answer."""
        with self._spoken():
            submission = self._submission(assignment, student)
            notebooks = submission.notebooks if submission is not None else []
            return {
                _exercise(comment.cell.name): comment.manual_comment
                for notebook in notebooks
                for comment in notebook.comments
                if comment.manual_comment
            }


def _time(text: str) -> datetime | None:
    """A submission's time as nbgrader keeps it, in UTC; None where the text is none."""
    from nbgrader.utils import parse_utc

    try:
        found: datetime | None = parse_utc(text) if text else None
    except (ValueError, OverflowError, TypeError):
        return None
    return found


def _exercise(cell: str) -> str:
    """The exercise of a graded cell: "4.1.2" for "check-4-1-2"."""
    return cell.partition("-")[2].replace("-", ".")


def scores(classroom: Classroom, name: str, url: str | None = None) -> dict[str, dict[str, float | None]]:
    """Final scores of an assignment, marks by hand included: student → exercise → score, None while it waits.

    Only students with a result are in it: what was taken back for a new grading is no score. Raises ValueError
    when the gradebook cannot be used.
    """
    if url is None and not (classroom.root / "gradebook.db").is_file():
        return {}
    with Book(classroom, url) as book:
        found = book.scores(name)
    return {student: marks for student, marks in found.items() if classroom.result(name, student) is not None}


# --- what a person said, while a new grading is made ----------------------------------------------


def _kept_file(classroom: Classroom, name: str, student: str) -> Path:
    return classroom.root / "results" / name / "by-hand" / f"{student_id(student)}.json"


def keep(classroom: Classroom, name: str, student: str, found: Mapping[str, ByHand]) -> None:
    """Put marks by hand aside; what was put aside before, in a grading that was stopped, stays."""
    everything = {**found, **kept(classroom, name, student)}
    if everything:
        text = json.dumps({id_: vars(hand) for id_, hand in everything.items()}, indent=1)
        write(_kept_file(classroom, name, student), text + "\n")


def kept(classroom: Classroom, name: str, student: str) -> dict[str, ByHand]:
    """Marks by hand that were put aside."""
    try:
        found = json.loads(_kept_file(classroom, name, student).read_text(encoding="utf-8"))
        return {id_: ByHand(**hand) for id_, hand in found.items()}
    except (OSError, ValueError, TypeError):
        return {}


def forget(classroom: Classroom, name: str, student: str) -> None:
    """Drop what was put aside, once it stands in the gradebook again."""
    _kept_file(classroom, name, student).unlink(missing_ok=True)
