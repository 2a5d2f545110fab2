"""Grade a class: each submission once, several side by side, resumable after any stop.

A result carries a key, a hash of all that it depends on: the submitted files, the assignment, what was released, the
class's seed, the grader. A result whose key holds is left alone; any other is taken back, with its scores in the
gradebook, before a new one is made, and the new one is written last. So a stop at any moment leaves either the
right result or none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course import __version__
from course.exercises import registry
from course.grading import feedback, gradebook, graft, judging, sandbox
from course.grading.classroom import Assignment, Classroom, Mark, Result, student_id, write
from course.grading.judging import CannotGradeError, Tools
from course.grading.sandbox import Limits

__all__ = ["GRADER", "Report", "grade", "key"]

GRADER = "1"
"""The grader's version: raise it when the same submission may earn other marks, and every result is made anew."""


@dataclass
class Report:
    """What a run did: students graded and left alone, marks that wait for a person, what was odd, what failed."""

    assignment: str
    graded: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    waiting: dict[str, list[str]] = field(default_factory=dict)
    odd: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    points: float = 0.0
    seconds: float = 0.0
    sandbox: bool = True
    stopped: bool = False


# --- what a result depends on ---------------------------------------------------------------------


def _digest(path: Path) -> str:
    """A hash of a submitted file, or why it cannot be read."""
    try:
        return hashlib.sha256(graft.content(path)).hexdigest()
    except graft.Unreadable as error:
        return str(error)


def released_file(classroom: Classroom, assignment: Assignment, student: str, file: str) -> Path:
    """The notebook that this student was given: an own one where each has other numbers."""
    own = classroom.release(assignment.name) / student_id(student) / file
    return own if own.is_file() else classroom.release(assignment.name) / file


def _submitted_at(classroom: Classroom, student: str, name: str) -> str:
    path = classroom.submitted(student, name) / "timestamp.txt"
    try:
        return path.read_text(encoding="utf-8")[:64].strip() if not path.is_symlink() else ""
    except (OSError, ValueError):
        return ""


def key(classroom: Classroom, assignment: Assignment, student: str, trust: bool = False) -> str:
    """A hash of all that a student's result depends on. A result with another key no longer stands."""
    folder = classroom.submitted(student, assignment.name)
    file = classroom.root / "assignments" / f"{assignment.name}.json"
    parts = [GRADER, __version__, file.read_text(encoding="utf-8"), classroom.fingerprint(), student, str(trust)]
    parts.append(_submitted_at(classroom, student, assignment.name))
    for name in sorted(assignment.notebooks):
        parts += [name, _digest(folder / name), _digest(released_file(classroom, assignment, student, name))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@contextlib.contextmanager
def _alone(classroom: Classroom) -> Iterator[None]:
    """One grader at a time in a class's folder; the system lets go when the process ends, however it ends."""
    path = classroom.root / ".grading.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            else:
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(
                "Another `course grade` is at work in this class's folder: wait for it, or stop it."
            ) from None
        yield
    finally:
        os.close(handle)


# --- one submission -------------------------------------------------------------------------------


def _missing(exercise_id: str, points: float, message: str) -> Mark:
    return Mark("missing", 0.0, points, message)


def _autograded(released: graft.Released, grafted: graft.Grafted) -> str:
    """The answers in the released notebook, for formgrader: no output, nothing else of the student's that is shown."""
    notebook = json.loads(json.dumps(released.notebook))
    for answer in released.answers.values():
        if answer.exercise in grafted.answers:
            notebook["cells"][answer.cell]["source"] = grafted.answers[answer.exercise]
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def grade_one(
    classroom: Classroom, assignment: Assignment, student: str, tools: Tools, slot: int, key_: str
) -> tuple[Result, dict[str, str]]:
    """A student's result, and the notebooks for formgrader by file name. Writes nothing."""
    began = time.monotonic()
    marks: dict[str, Mark] = {}
    odd: list[str] = []
    notebooks: dict[str, str] = {}
    for file in assignment.notebooks:
        released = graft.Released(released_file(classroom, assignment, student, file))
        wanted = [id_ for id_ in released.answers if id_ in assignment.points]
        path = classroom.submitted(student, assignment.name) / file
        why = "No notebook was handed in for this."
        grafted = graft.Grafted()
        if path.is_symlink() or path.exists():
            try:
                grafted = graft.graft(released, graft.read(path, odd))
                why = "The notebook that was handed in has no cell for this."
            except graft.Unreadable as error:
                why = f"The notebook that was handed in cannot be read: {error}"
                odd.append(str(error))
        else:
            odd.append(f"{file} was not handed in.")
        found: dict[str, Mark] = {}
        if grafted.found:
            found, said = judging.judge(classroom, assignment, student, released, grafted, tools, slot)
            odd += said
        else:
            odd += grafted.odd
        notebooks[file] = _autograded(released, grafted)
        for id_ in wanted:
            marks[id_] = found.get(id_) or _missing(id_, assignment.points[id_], why)
    for id_, points in assignment.points.items():
        if id_ not in marks:
            marks[id_] = _missing(id_, points, "No released notebook asks for this.")
    result = Result(
        assignment=assignment.name,
        student=student,
        key=key_,
        marks={id_: marks[id_] for id_ in assignment.points},
        odd=tuple(odd),
        submitted_at=_submitted_at(classroom, student, assignment.name),
        graded_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - began, 3),
        details={"grader": GRADER, "course": __version__, "sandbox": not tools.trust},
    )
    return result, notebooks


# --- a class --------------------------------------------------------------------------------------


class _Run:
    """One run over a class; everything that is written is written by the main thread."""

    def __init__(self, classroom: Classroom, assignment: Assignment, book: gradebook.Book, tools: Tools) -> None:
        self._class, self._assignment, self._book, self._tools = classroom, assignment, book, tools
        self._slots: queue.Queue[int] = queue.Queue()

    def take_back(self, student: str) -> None:
        """Remove a result that no longer stands, and its scores; marks by hand are put aside first."""
        name = self._assignment.name
        gradebook.keep(self._class, name, student, self._book.by_hand(name, student, self._class.result(name, student)))
        self._class.drop_result(name, student)
        self._book.take_back(name, student)
        for folder in (self._class.feedback(student, name), self._class.autograded(student, name)):
            if folder.is_dir() and not folder.is_symlink():
                for path in folder.iterdir():
                    path.unlink()

    def _work(self, student: str, key_: str) -> tuple[Result, dict[str, str]]:
        slot = self._slots.get()
        try:
            for last in (False, True):
                try:
                    return grade_one(self._class, self._assignment, student, self._tools, slot, key_)
                except CannotGradeError:
                    if last:
                        raise
            raise AssertionError
        finally:
            self._slots.put(slot)

    def finish(self, result: Result, notebooks: dict[str, str], report: Report) -> None:
        """Write everything of a student; the result comes last, and with it all the rest holds."""
        name, student = result.assignment, result.student
        folder = self._class.autograded(student, name)
        for file, text in notebooks.items():
            write(folder / file, text)
        if result.submitted_at:
            write(folder / "timestamp.txt", result.submitted_at + "\n")
        again = self._book.record(result, gradebook.kept(self._class, name, student))
        self._class.save_result(result)
        gradebook.forget(self._class, name, student)
        report.graded.append(student)
        if result.odd or again:
            report.odd[student] = [*result.odd, *again]

    def run(
        self, todo: dict[str, str], jobs: int, report: Report, progress: Callable[[int], None], stop: Callable[[], bool]
    ) -> None:
        """Grade the students in `todo`, student → key. A stop lets those at work go and keeps what is done."""
        for slot in range(jobs):
            self._slots.put(slot)
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="grading")
        waiting = list(todo.items())
        running: dict[Future[tuple[Result, dict[str, str]]], str] = {}
        try:
            while (waiting or running) and not stop():
                while waiting and len(running) < 2 * jobs:
                    student, key_ = waiting.pop(0)
                    running[pool.submit(self._work, student, key_)] = student
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    student = running.pop(future)
                    try:
                        self.finish(*future.result(), report)
                    except CannotGradeError as error:
                        report.failed[student] = str(error)
                    except Exception as error:
                        # One submission that the grader itself stumbles over must not cost the others theirs.
                        report.failed[student] = f"The grader stumbled ({type(error).__name__}: {str(error)[:200]})."
                    progress(1)
        except KeyboardInterrupt:
            report.stopped = True
        finally:
            report.stopped = report.stopped or bool(waiting or running)
            self._tools.stop()
            pool.shutdown(wait=True, cancel_futures=True)


def grade(
    classroom: Classroom,
    name: str,
    *,
    students: Sequence[str] = (),
    jobs: int | None = None,
    limits: Limits | None = None,
    trust: bool = False,
    force: bool = False,
    url: str | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Grade an assignment's submissions (or those of `students`) and return what was done.

    `progress(done, of)` is told as it goes on. Raises ValueError where it cannot start: no such assignment, no
    sandbox and no `trust`, another grader at work, a release that is not what was assigned.
    """
    began = time.monotonic()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for references that use TensorFlow
    assignment = classroom.assignment(name)
    if not trust and (problem := sandbox.problem()):
        raise ValueError(problem)
    _hold(classroom, assignment)
    collected = classroom.students(name)
    if unknown := sorted(set(students) - set(collected)):
        raise ValueError(f"Nothing was collected of {', '.join(unknown)} for {name!r}.")
    chosen = sorted(set(students)) or collected
    report = Report(name, points=sum(assignment.points.values()), sandbox=not trust)
    limits = limits or Limits()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_alone(classroom))
        tools = stack.enter_context(contextlib.closing(Tools(limits, trust, [classroom.root])))
        book = stack.enter_context(gradebook.Book(classroom, url))
        notebooks = {file: graft.Released(classroom.release(name) / file).notebook for file in assignment.notebooks}
        book.prepare(assignment, notebooks)
        run = _Run(classroom, assignment, book, tools)
        if not students:
            report.taken_back = _gone(classroom, name, collected)
        recorded = book.scores(name)
        todo: dict[str, str] = {}
        for student in chosen:
            wanted = key(classroom, assignment, student, trust)
            result = classroom.result(name, student)
            if result is not None and result.key == wanted and student in recorded and not force:
                report.kept.append(student)
                if result.odd:
                    report.odd[student] = list(result.odd)
            else:
                todo[student] = wanted
        for student in (*report.taken_back, *todo):
            run.take_back(student)
        done = 0

        def step(more: int) -> None:
            nonlocal done
            done += more
            progress(done, len(todo))

        step(0)
        run.run(todo, jobs or _cores(), report, step, stop)
        _sum_up(classroom, assignment, book, report)
    report.seconds = round(time.monotonic() - began, 2)
    return report


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _hold(classroom: Classroom, assignment: Assignment) -> None:
    """Raise ValueError unless what was released is there and the course knows every exercise."""
    for file, digest in assignment.notebooks.items():
        path = classroom.release(assignment.name) / file
        if not path.is_file():
            raise ValueError(f"{path} is gone, and with it what was handed out: run `course assign` again.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise ValueError(f"{path} is not what was handed out any more: restore it, or run `course assign` again.")
    if unknown := [id_ for id_ in assignment.points if id_ not in registry()]:
        raise ValueError(f"This version of the course has no exercise {', '.join(unknown)}.")


def _gone(classroom: Classroom, name: str, collected: Sequence[str]) -> list[str]:
    """Students with a result and nothing handed in any more."""
    found = {path.stem for path in (classroom.root / "results" / name).glob("*.json")}
    return sorted(found - set(collected))


def _sum_up(classroom: Classroom, assignment: Assignment, book: gradebook.Book, report: Report) -> None:
    """Final scores, what waits for a person, and a page for each student."""
    found = book.scores(assignment.name)
    for student in sorted({*report.graded, *report.kept}):
        result = classroom.result(assignment.name, student)
        if result is None or student not in found:
            continue
        final = found[student]
        report.scores[student] = round(sum(score or 0.0 for score in final.values()), 6)
        if waits := [id_ for id_ in assignment.points if final.get(id_, 0.0) is None]:
            report.waiting[student] = waits
        text = feedback.page(assignment, result, final, book.comments(assignment.name, student))
        path = classroom.feedback(student, assignment.name) / f"{assignment.name}.html"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write(path, text)
    shown: dict[str, Any] = vars(report)
    write(classroom.root / "results" / assignment.name / "report" / "report.json", json.dumps(shown, indent=1) + "\n")
