"""Grades a class again and again and is killed at random moments; run by tests/test_grading_running.py.

    python tests/killed_grading.py FOLDER KILLS

This process imports everything once and forks, so that each of the many gradings starts at once. After every kill it
holds the gradebook to the results that still stand. Half-way some students hand in something else. Prints one line
of JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from course.exercises import registry
from course.grading import gradebook, judging, running
from course.grading.classroom import Classroom

registry()
_save = Classroom.save_result


def _saved(classroom: Classroom, result) -> None:
    """Save, and then note it in a file that only grows."""
    _save(classroom, result)
    with open(classroom.root / "saved.log", "a", encoding="utf-8") as file:
        file.write(f"{result.student} {result.key}\n")


def grade(folder: Path, name: str) -> None:
    """Run one grading in this process and leave, whatever happens."""
    status = 1
    try:
        Classroom.save_result = _saved
        running.grade(Classroom(folder), name, jobs=2, trust=True)
        status = 0
    finally:
        os._exit(status)


def agree(classroom: Classroom, name: str) -> list[str]:
    """Students whose standing result is not what the gradebook says."""
    book = gradebook.scores(classroom, name)
    wrong = []
    for student in classroom.students(name):
        result = classroom.result(name, student)
        stands = result is not None and result.key == running.key(classroom, classroom.assignment(name), student, True)
        if stands and book.get(student) != {id_: mark.score for id_, mark in result.marks.items()}:
            wrong.append(student)
    return wrong


def main(folder: Path, kills: int) -> None:
    """Kill, look, and at the end let one grading finish."""
    classroom, name = Classroom(folder), "week"
    rng = random.Random(5)
    killed, wrong = 0, []
    judging.PATIENCE = 2.0
    while killed < kills:
        child = os.fork()
        if child == 0:
            grade(folder, name)
        time.sleep(rng.uniform(0.02, 0.8))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += 1
        wrong += agree(classroom, name) if (folder / "gradebook.db").is_file() else []
        if killed in (kills // 3, kills // 2) or os.waitstatus_to_exitcode(status) == 0:
            # All was graded, or it is time: somebody hands in again.
            for path in sorted((folder / "second").glob("*.ipynb"))[:2]:
                os.replace(path, classroom.submitted(path.stem, name) / "power_laws.ipynb")
    last = os.fork()
    if last == 0:
        grade(folder, name)
    _, status = os.waitpid(last, 0)
    print(json.dumps({"killed": killed, "wrong": wrong, "last": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
