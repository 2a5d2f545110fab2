"""`course grade` on hostile and damaged submissions: none earns what it did not, reaches out, or stops the others."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading

import attacks
import numpy as np
import pytest

from course.exercises import checking, registry
from course.grading import assignment, judging, running, sandbox
from course.grading.classroom import Classroom
from course.grading.sandbox import Limits

FILE = "cross_entropy_gradient.ipynb"
CANARY = "canary-7f3a9c"

pytestmark = pytest.mark.skipif(bool(sandbox.problem()), reason=sandbox.problem())


class Listener:
    """Accepts connections on all of this machine's addresses and remembers that there were any."""

    def __init__(self):
        self.seen = []
        self._socket = socket.create_server(("0.0.0.0", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                self.seen.append(self._socket.accept()[1])
            except OSError:
                return

    def close(self):
        self._socket.close()


def _address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks which address would be used
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


def _public_answers():
    """What a student can know: the right results on the inputs that `check` shows."""
    exercise = registry()["4.1.2"]
    cases = checking.draw(exercise, 0)
    return {round(float(case.args[0].sum()), 6): float(exercise.reference(*case.args)) for case in cases}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class in which everybody attacks, graded once."""
    folder, outside = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("outside")
    outside.chmod(0o755)
    (outside / "canary").write_text(CANARY)
    os.environ["COURSE_CANARY"] = CANARY
    classroom = Classroom.create(folder)
    assignment.assign(classroom, "mixed", exercise_ids=list(attacks.GRADED))
    released = classroom.release("mixed") / FILE
    notebook = json.loads(released.read_text(encoding="utf-8"))
    for exercise in attacks.GRADED:
        attacks.STUB[exercise] = "".join(attacks.cell(notebook, exercise)["source"])
    listener = Listener()
    attacks.OUTSIDE.update(
        outside=outside,
        folder=folder,
        home=os.path.expanduser("~"),
        port=listener.port,
        address=_address(),
        pid=os.getpid(),
        table=_public_answers(),
    )
    for student, submission in attacks.SUBMISSIONS.items():
        notebook = attacks.honest(released)
        data = submission.make(notebook)
        place = classroom.submitted(student, "mixed") / FILE
        place.parent.mkdir(parents=True)
        place.write_bytes(json.dumps(notebook).encode() if data is None else data)
    for student in ("a_link", "a_pipe", "a_folder", "nothing"):
        place = classroom.submitted(student, "mixed") / FILE
        place.parent.mkdir(parents=True)
        if student == "a_link":
            place.symlink_to(classroom.root / "secret" / "seed")
        elif student == "a_pipe":
            os.mkfifo(place)
        elif student == "a_folder":
            place.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "PATIENCE", 0.4)  # endless loops are stopped after 4 s and not 20
        report = running.grade(classroom, "mixed", jobs=2, limits=Limits(memory_gb=1.0, files_mb=16, processes=64))
    yield classroom, report, outside, listener
    listener.close()
    del os.environ["COURSE_CANARY"]


@pytest.mark.parametrize("student", attacks.SUBMISSIONS)
def test_a_submission_earns_what_it_should(graded, student):
    classroom, report, *_ = graded
    submission = attacks.SUBMISSIONS[student]
    assert student not in report.failed
    result = classroom.result("mixed", student)
    scores = {id_: mark.score for id_, mark in result.marks.items()}
    messages = {id_: mark.message for id_, mark in result.marks.items()}
    assert scores == {**attacks.GRADED, **submission.earns}, (messages, result.odd)
    if submission.odd:
        assert any(submission.odd in sentence for sentence in result.odd), result.odd
    if submission.says:
        assert submission.says in messages["4.1.2"]


@pytest.mark.parametrize("student", ["a_link", "a_pipe", "a_folder", "nothing"])
def test_what_is_no_file_earns_nothing(graded, student):
    classroom, report, *_ = graded
    result = classroom.result("mixed", student)
    assert {mark.status for mark in result.marks.values()} == {"missing"}
    assert result.odd and student not in report.failed


def test_nothing_outside_was_reached(graded):
    classroom, _, outside, listener = graded
    assert [path.name for path in outside.iterdir()] == ["canary"]
    assert (outside / "canary").read_text() == CANARY
    assert not list(classroom.root.rglob("late")) and not list(classroom.root.rglob("big*"))
    assert listener.seen == []


def test_no_secret_is_in_what_was_written(graded):
    classroom, *_ = graded
    seed = (classroom.root / "secret" / "seed").read_text().strip()
    for folder in ("results", "feedback"):
        for path in (classroom.root / folder).rglob("*.*"):
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            assert CANARY not in text and seed not in text, path


def test_messages_name_no_path_of_the_machine(graded):
    classroom, *_ = graded
    for student in attacks.SUBMISSIONS:
        for mark in classroom.result("mixed", student).marks.values():
            assert "/tmp" not in mark.message and "/usr" not in mark.message and "/root" not in mark.message


def test_messages_show_no_hidden_input(graded):
    classroom, *_ = graded
    exercises = registry()
    for student in attacks.SUBMISSIONS:
        for id_, mark in classroom.result("mixed", student).marks.items():
            if exercises[id_].kind != "function":
                continue
            seed = classroom.seed_for("hidden", "mixed", student, id_)
            for case in checking.draw(exercises[id_], seed):
                assert checking._inputs(exercises[id_], case) not in mark.message
    known = classroom.result("mixed", "knows_the_public_inputs").marks["4.1.2"]
    assert known.status == "failed" and "=" not in known.message and not any(c.isdigit() for c in known.message)


def test_hidden_inputs_are_each_students_own(graded):
    classroom, *_ = graded
    exercise = registry()["4.1.2"]
    drawn = [
        checking.draw(exercise, classroom.seed_for("hidden", "mixed", student, "4.1.2"))[0].args[0].tolist()
        for student in ("ada", "bob")
    ]
    assert drawn[0] != drawn[1] != checking.draw(exercise, 0)[0].args[0].tolist()


def test_pages_hold_no_script_and_nothing_of_others(graded):
    classroom, *_ = graded
    for student in attacks.SUBMISSIONS:
        text = (classroom.feedback(student, "mixed") / "mixed.html").read_text(encoding="utf-8")
        assert "<script" not in text and "<img" not in text and "http://" not in text and "https://" not in text
        assert not any(f">{other} " in text for other in attacks.SUBMISSIONS if other != student)
    page = (classroom.feedback("script_in_outputs", "mixed") / "mixed.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page and "\u202e" not in page


def test_the_gradebook_has_the_results(graded):
    from course.grading import gradebook

    classroom, *_ = graded
    found = gradebook.scores(classroom, "mixed")
    assert set(found) == set(classroom.students("mixed"))
    for student, marks in found.items():
        assert marks == {id_: mark.score for id_, mark in classroom.result("mixed", student).marks.items()}


def test_every_submission_holds_afterwards(graded):
    """A second run finds nothing to do: what could be graded was graded, once."""
    classroom, first, *_ = graded
    again = running.grade(classroom, "mixed")
    assert not again.graded and sorted(again.kept) == sorted(first.graded) == sorted(classroom.students("mixed"))


def test_no_process_is_left(graded):
    assert not [name for name in os.listdir("/tmp") if name.startswith("course-package-")] or np.all(
        [not os.listdir(f"/tmp/{name}") for name in os.listdir("/tmp") if name.startswith("course-package-")]
    )
    if shutil.which("ps"):
        import psutil

        assert not [p for p in psutil.Process().children(recursive=True) if "bwrap" in p.name()]
