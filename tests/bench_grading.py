"""Seconds a submission for `course grade`, beside nbgrader's own `autograde` on the same submissions.

    python tests/bench.py grading
    COURSE_BENCH_SUBMISSIONS=6 python tests/bench.py grading

A class hands in honest answers, some of them wrong, to a lesson that needs numpy and to one that uses TensorFlow.
`nbgrader autograde` runs each whole notebook; it is timed on a sample, since a class would take it hours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from course import authoring, lessons
from course.exercises import registry
from course.grading import assignment, running
from course.grading.classroom import Classroom
from course.grading.gradebook import _own_programs
from course.grading.graft import Released

LESSONS = {"numpy": "4.3", "tensorflow": "5.2"}
SAMPLE = 4
"""Submissions that nbgrader grades."""


def hand_in(classroom: Classroom, name: str, number: str, students: int) -> None:
    """Answered notebooks, in every third of which one function's body is gone."""
    lesson = lessons.find(number)
    source = authoring.find_root() / "solutions" / f"{lesson.path}.py"
    answered = authoring.compile_lesson(source.read_text(encoding="utf-8"), lesson).answered
    file = f"{lesson.name}.ipynb"
    released = Released(classroom.release(name) / file)
    answers = {cell["id"]: cell["source"] for cell in answered.cells}
    functions = [a for a in released.answers.values() if registry()[a.exercise].kind == "function"]
    for student in range(students):
        notebook = json.loads(json.dumps(released.notebook))
        for answer in released.answers.values():
            cell = notebook["cells"][answer.cell]
            wrong = student % 3 == 0 and answer == functions[student % len(functions)]
            cell["source"] = "".join(cell["source"]) if wrong else answers[cell["id"]]
        path = classroom.submitted(f"student{student:03}", name) / file
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")


def autograde(classroom: Classroom, name: str, student: str) -> float:
    """Seconds that nbgrader's autograde takes for one student."""
    began = time.perf_counter()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "nbgrader",
            "autograde",
            name,
            f"--student={student}",
            "--ExecutePreprocessor.timeout=600",
        ],
        cwd=classroom.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(authoring.find_root()), "COURSE_STATIC": "1"},
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"nbgrader autograde did not grade {student}:\n{done.stderr.strip()[-3000:]}")
    return took


def main() -> dict[str, Any]:
    """Grade both classes and print seconds a submission."""
    students = int(os.environ.get("COURSE_BENCH_SUBMISSIONS", "200"))
    found: dict[str, Any] = {}
    for kind, number in LESSONS.items():
        with tempfile.TemporaryDirectory(prefix="course-bench-") as folder, _own_programs():
            classroom = Classroom.create(Path(folder) / "class")
            assignment.assign(classroom, "bench", lesson_keys=[number])
            hand_in(classroom, "bench", number, students)
            began = time.perf_counter()
            report = running.grade(classroom, "bench")
            ours = (time.perf_counter() - began) / students
            sample = min(SAMPLE, students)
            for path in (classroom.root / "autograded").iterdir():  # nbgrader skips what is graded
                for each in (path / "bench").iterdir():
                    each.unlink()
                (path / "bench").rmdir()
            (classroom.root / "gradebook.db").unlink()
            subprocess.run(
                [sys.executable, "-m", "nbgrader", "generate_assignment", "bench", "--force", "--create"],
                cwd=classroom.root,
                capture_output=True,
                check=True,
            )
            theirs = [autograde(classroom, "bench", f"student{i:03}") for i in range(sample)]
            # Both cores may work for nbgrader as well: as many processes as there are cores share the class.
            stock = sum(theirs) / sample / (os.cpu_count() or 1)
            found[kind] = {
                "lesson": number,
                "submissions": students,
                "graded": len(report.graded),
                "failed": len(report.failed),
                "seconds_a_submission": ours,
                "nbgrader_seconds_a_submission": sum(theirs) / sample,
                "nbgrader_one_process_a_core": stock,
                "share": ours / stock,
            }
            print(
                f"{kind:10} lesson {number}: {ours:6.2f} s a submission over {students}; nbgrader autograde "
                f"{sum(theirs) / sample:6.1f} s each one by one, {stock:6.1f} s with one process a core; {ours / stock:.2f} of that"
            )
    return found


if __name__ == "__main__":
    main()
