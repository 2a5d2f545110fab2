"""Grading a class: stops, changes, refusals, and marks given by hand. Runs answers as programs of its own (`trust`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from course.__main__ import main
from course.grading import assignment, gradebook, judging, running, sandbox
from course.grading.classroom import Classroom

pytest.importorskip("nbgrader", reason="needs nbgrader, which comes with the instructor extra")

ROOT = Path(__file__).resolve().parent.parent
FILE = "power_laws.ipynb"


def names(released):
    """The names that the released notebook's checks ask for."""
    from course.grading.graft import Released

    return {id_: answer.name for id_, answer in Released(released).answers.items()}


def notebook(released, **answers):
    """The released notebook with these sources in its answers' cells, `e1_1_1="..."`."""
    found = json.loads(released.read_text(encoding="utf-8"))
    for key, text in answers.items():
        cell = next(cell for cell in found["cells"] if cell["id"] == f"exercise-{key[1:].replace('_', '-')}")
        cell["source"] = text
    return json.dumps(found)


def hand_in(classroom, student, text, name="week"):
    path = classroom.submitted(student, name) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """A class with 1.1.1 (a function) and 1.1.6 (a text) of lesson 1.1, and an empty gradebook, which is slow to make."""
    made = Classroom.create(tmp_path_factory.mktemp("fresh") / "class")
    assignment.assign(made, "week", exercise_ids=["1.1.1", "1.1.6"])
    gradebook.Book(made).close()
    return made


@pytest.fixture
def classroom(fresh, tmp_path):
    """A copy of that class, for one test."""
    shutil.copytree(fresh.root, tmp_path / "class")
    return Classroom(tmp_path / "class")


def answer(classroom, text="", factor="1"):
    """A notebook with an answer to 1.1.1, right for the factor 1, and a text for 1.1.6."""
    released = classroom.release("week") / FILE
    name, words = names(released)["1.1.1"], names(released)["1.1.6"]
    arguments = "D1, L1, D2, L2"
    source = f"import math\n\ndef {name}({arguments}):\n    return {factor} * math.log(L1 / L2) / math.log(D2 / D1)"
    return notebook(released, e1_1_1=source, e1_1_6=f"{words} = {text!r}" if text else f"{words} = ...")


LONG = (
    "I promise the loss at four times the data within five percent, because the points of a decade lie on one line "
    "and the floor is far below them; beyond ten times the data I promise nothing, since the floor is not known."
)


def run(classroom, **options):
    return running.grade(classroom, "week", trust=True, **options)


def test_a_changed_submission_is_graded_again_and_others_are_not(classroom):
    hand_in(classroom, "ada", answer(classroom, LONG))
    hand_in(classroom, "bob", answer(classroom, factor="2"))
    first = run(classroom)
    assert first.graded == ["ada", "bob"] or sorted(first.graded) == ["ada", "bob"]
    assert first.scores == {"ada": 1.0, "bob": 0.0}
    assert first.waiting == {"ada": ["1.1.6"]}
    hand_in(classroom, "bob", answer(classroom))
    second = run(classroom)
    assert (second.graded, second.kept) == (["bob"], ["ada"])
    assert second.scores == {"ada": 1.0, "bob": 1.0}
    assert run(classroom, students=["ada"], force=True).graded == ["ada"]


def test_what_is_handed_in_no_more_loses_its_score(classroom):
    hand_in(classroom, "ada", answer(classroom))
    run(classroom)
    (classroom.submitted("ada", "week") / FILE).unlink()
    assert run(classroom).scores == {"ada": 0.0}
    classroom.submitted("ada", "week").rmdir()
    report = run(classroom)
    assert report.taken_back == ["ada"] and gradebook.scores(classroom, "week") == {}
    assert classroom.result("week", "ada") is None
    assert not list((classroom.root / "feedback").rglob("*.html"))


def test_a_stop_keeps_what_is_done(classroom):
    for student in "abcdef":
        hand_in(classroom, student, answer(classroom))
    finished = []
    report = run(
        classroom,
        jobs=1,
        progress=lambda done, of: finished.append(done),
        stop=lambda: bool(finished) and finished[-1] >= 2,
    )
    assert report.stopped and 2 <= len(report.graded) < 6
    rest = run(classroom)
    assert sorted(report.graded + rest.graded) == list("abcdef") and not rest.stopped


def test_the_graders_own_stumble_costs_one_submission_only(classroom, monkeypatch):
    for student in ("ada", "bob"):
        hand_in(classroom, student, answer(classroom))
    real = judging.judge

    def stumbling(classroom, assignment, student, *rest):
        if student == "ada":
            raise judging.CannotGradeError("The sandbox did not start.")
        return real(classroom, assignment, student, *rest)

    monkeypatch.setattr(judging, "judge", stumbling)
    report = run(classroom)
    assert report.failed == {"ada": "The sandbox did not start."} and report.graded == ["bob"]
    assert "ada" not in gradebook.scores(classroom, "week")


def test_marks_by_hand_stay_with_the_answer_they_were_given_for(classroom):
    hand_in(classroom, "ada", answer(classroom, LONG))
    run(classroom)
    with gradebook.Book(classroom) as book:
        grade = book._book.find_grade("exercise-1-1-6", "power_laws", "week", "ada")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        comment = book._book.find_comment("exercise-1-1-6", "power_laws", "week", "ada")
        comment.manual_comment = "Say how far."
        book._book.db.commit()
    assert gradebook.scores(classroom, "week") == {"ada": {"1.1.1": 1.0, "1.1.6": 1.5}}

    report = run(classroom)
    page = (classroom.feedback("ada", "week") / "week.html").read_text(encoding="utf-8")
    assert report.kept == ["ada"] and "Say how far." in page and "2.5 of" in page

    hand_in(classroom, "ada", answer(classroom, LONG, factor="3"))  # the text is the same
    assert run(classroom).scores == {"ada": 1.5}

    hand_in(classroom, "ada", answer(classroom, LONG + " And more."))
    report = run(classroom)
    assert report.waiting == {"ada": ["1.1.6"]}
    assert any("1.5 points by hand" in sentence for sentence in report.odd["ada"])
    assert gradebook.scores(classroom, "week")["ada"]["1.1.6"] is None


def test_two_graders_do_not_meet(classroom):
    hand_in(classroom, "ada", answer(classroom))
    with running._alone(classroom), pytest.raises(ValueError, match="Another `course grade`"):
        run(classroom)


def test_a_release_that_was_changed_is_refused(classroom):
    hand_in(classroom, "ada", answer(classroom))
    path = classroom.release("week") / FILE
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(ValueError, match="not what was handed out"):
        run(classroom)


@pytest.mark.skipif(bool(sandbox.problem()), reason=sandbox.problem())
def test_the_sandbox_has_the_course_wherever_it_is_installed():
    """The sandbox's own /tmp must not lie over an environment that is kept there."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        file = Path(folder, "module.py")
        file.write_text("here")
        inside = ["/usr/bin/env", "cat", str(file)]
        command = [*sandbox._bubblewrap([(folder, folder)], [], 1, 0), *inside]
        assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == "here"


def test_without_a_sandbox_it_refuses_in_one_sentence(classroom, monkeypatch, capsys):
    hand_in(classroom, "ada", answer(classroom))
    sandbox.problem.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    try:
        assert main(["grade", "week", "--class", str(classroom.root)]) == 1
    finally:
        sandbox.problem.cache_clear()
    error = capsys.readouterr().err
    assert "--trust" in error and error.count("\n") == 1
    assert not list((classroom.root / "results").rglob("*.json"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing", "--trust"], "no assignment 'nothing'"),
        (["week", "--trust", "--student", "eve"], "Nothing was collected of eve"),
        (["week", "--trust", "--jobs", "0"], "--jobs must be a whole number"),
        (["week", "--trust", "--gradebook", "nonsense://x"], "gradebook cannot be used"),
    ],
)
def test_a_wrong_call_gets_one_sentence(classroom, capsys, arguments, said):
    hand_in(classroom, "ada", answer(classroom))
    assert main(["grade", *arguments, "--class", str(classroom.root)]) == 1
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error and error.count("\n") == 1


def test_the_command_reports_as_text_and_as_json(classroom, capsys):
    hand_in(classroom, "ada", answer(classroom, LONG))
    assert main(["grade", "week", "--class", str(classroom.root), "--trust"]) == 0
    said = capsys.readouterr().out
    assert "1 graded" in said and "1.1.6 to be read" in said and "Without a sandbox" in said
    assert main(["grade", "week", "--class", str(classroom.root), "--trust", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kept"] == ["ada"] and found["waiting"] == {"ada": ["1.1.6"]} and found["sandbox"] is False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start many gradings quickly")
def test_fifty_kills_lose_nothing_and_grade_nothing_twice(classroom):
    students = [f"student{i:02}" for i in range(16)]
    for i, student in enumerate(students):
        hand_in(classroom, student, answer(classroom, factor="1" if i % 2 else "2"))
    for i, student in enumerate(students[:8]):
        path = classroom.root / "second" / f"{student}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(answer(classroom, factor="2" if i % 2 else "1"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "tests/killed_grading.py", str(classroom.root), "50"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said == {"killed": 50, "wrong": [], "last": 0}, done.stderr
    changed = {s for s in students[:8] if not (classroom.root / "second" / f"{s}.ipynb").exists()}
    assert changed, "nobody handed in again: the kills came too late to say anything"
    expected = {s: float(bool(i % 2) is not (s in changed)) for i, s in enumerate(students)}
    assert {s: marks["1.1.1"] for s, marks in gradebook.scores(classroom, "week").items()} == expected
    given = classroom.assignment("week")
    for student in students:
        assert classroom.result("week", student).key == running.key(classroom, given, student, True)
    saved = (classroom.root / "saved.log").read_text(encoding="utf-8").splitlines()
    assert len(saved) == len(set(saved)), "a submission was graded twice"
