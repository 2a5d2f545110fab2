"""What is handed out: the chosen exercises with their points, and nothing of the answers."""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import zipfile
from datetime import datetime

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from course import authoring, lessons
from course.__main__ import main
from course.exercises import registry
from course.grading import assignment, roster
from course.grading.classroom import Classroom
from course.grading.variants import exercise_for, public_seed

CHOSEN = {"4.1.1": 1.0, "4.1.3": 4.0, "5.1.1": 1.0, "5.1.2": 1.0, "5.1.3": 1.0, "5.1.4": 1.0, "5.1.5": 2.0}
"""Two of lesson 4.1, and all of lesson 5.1."""


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    path = tmp_path_factory.mktemp("roster") / "roster.csv"
    path.write_text("id,name\nada,Ada Lovelace\nbob,Bob Doe\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory, students):
    """A class with one assignment for all and one with variants."""
    classroom = Classroom.create(tmp_path_factory.mktemp("class"))
    (classroom.root / "secret" / "seed").write_text("5eed" * 16, encoding="ascii")  # one on which ada and bob differ
    options = {"lesson_keys": ["5.1"], "exercise_ids": ["4.1.1", "4.1.3"], "points": {"4.1.3": 4.0}}
    plain = assignment.assign(classroom, "week1", **options, title="Week 1", due="2026-12-18T23:59+01:00")
    own = assignment.assign(classroom, "week2", **options, students=roster.read(students))
    return classroom, plain, own


def notebooks(folder):
    return {path.name: nbformat.read(path, as_version=4) for path in sorted(folder.glob("*.ipynb"))}


def everything_released(classroom):
    """Every notebook in release/, in folders and in zips (also zips in them), by its path."""
    found = {}
    for path in (classroom.root / "release").rglob("*"):
        if path.suffix == ".ipynb":
            found[str(path)] = path.read_bytes()
        elif path.suffix == ".zip":
            with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
                found |= {f"{path}/{name}": archive.read(name) for name in archive.namelist()}
        else:
            assert path.is_dir(), path
    return {name: nbformat.reads(data.decode(), as_version=4) for name, data in found.items()}


def squeezed(text):
    return re.sub(r"\s+", "", text)


def solutions(number):
    lesson = lessons.find(number)
    source = (authoring.find_root() / "solutions" / f"{lesson.path}.py").read_text(encoding="utf-8")
    return [squeezed(region) for region in re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", source, re.DOTALL)]


def test_the_release_holds_no_answer(handed_out):
    classroom, _, _ = handed_out
    released = everything_released(classroom)
    assert len(released) == 2 * (2 + 1 + 2 + 2 + 2), "week1, its zip; week2, its students, their zips, the zip of all"
    secret = [region for number in ("4.1", "5.1") for region in solutions(number)]
    assert len(secret) > 12
    for name, notebook in released.items():
        text = squeezed("".join(cell.source for cell in notebook.cells))
        assert not [region for region in secret if region in text], name
        assert "SOLUTION" not in text
        assert "solutions/" not in text, "no link to the answered edition"
        assert all(not cell.get("outputs") for cell in notebook.cells)


def test_the_source_holds_the_answers_of_the_graded_exercises_alone(handed_out):
    classroom, _, _ = handed_out
    text = squeezed((classroom.root / "source/week1/cross_entropy_gradient.ipynb").read_text(encoding="utf-8"))
    assert text.count("BEGINSOLUTION") == 2


def test_only_the_chosen_exercises_are_graded_with_the_points_asked_for(handed_out):
    classroom, made, _ = handed_out
    assert made.assignment.points == CHOSEN == classroom.assignment("week1").points
    graded = {}
    for notebook in notebooks(classroom.release("week1")).values():
        MetadataValidator().validate_nb(notebook)
        for cell in notebook.cells:
            graded |= {cell["id"]: cell.metadata["nbgrader"]["points"]} if _grade(cell) else {}
            if cell["id"] == "task-4-1-3":
                assert "· 4 points ·" in cell.source
            if cell["id"] == "task-4-1-2":
                assert "· practice, not graded ·" in cell.source
            if cell["id"] in ("exercise-4-1-2", "check-4-1-2"):
                assert "nbgrader" not in cell.metadata
    role = {"text": "exercise", "value": "check", "function": "check"}
    assert graded == {f"{role[registry()[id_].kind]}-{id_.replace('.', '-')}": points for id_, points in CHOSEN.items()}


def _grade(cell):
    return cell.metadata.get("nbgrader", {}).get("grade")


def test_title_says_what_is_due_and_what_it_is_worth(handed_out):
    classroom, _, _ = handed_out
    notebook = notebooks(classroom.release("week1"))["cross_entropy_gradient.ipynb"]
    title, student = notebook.cells[:2]
    assert "**Week 1** · due 18 December 2026, 23:59 (UTC+01:00) · 5 points" in title.source
    assert f"| 4.1.3 {registry()['4.1.3'].title} | 4 |" in title.source
    assert "4.1.2" not in title.source
    assert student.source.endswith('STUDENT_ID = ""')
    assert notebook.metadata["course"] == {"lesson": "4.1", "edition": "release", "assignment": "week1"}


def test_the_assignment_knows_its_notebooks_by_their_hash(handed_out):
    import hashlib

    classroom, made, _ = handed_out
    for file, digest in made.assignment.notebooks.items():
        assert hashlib.sha256((classroom.release("week1") / file).read_bytes()).hexdigest() == digest


def test_a_released_notebook_is_what_its_cells_say_python_that_parses(handed_out):
    classroom, _, _ = handed_out
    for notebook in everything_released(classroom).values():
        nbformat.validate(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                ast.parse(cell.source)


def test_with_variants_each_student_has_their_own(handed_out):
    classroom, _, made = handed_out
    assert made.students == ("ada", "bob")
    tasks = {}
    for student in made.students:
        notebook = notebooks(classroom.release("week2") / student)["cross_entropy_gradient.ipynb"]
        cells = {cell["id"]: cell.source for cell in notebook.cells}
        assert cells["student-id"].endswith(f'STUDENT_ID = "{student}"')
        seed = public_seed(classroom, made.assignment, student, "4.1.3")
        assert cells["check-4-1-3"] == f'check("4.1.3", gradient_of_logistic_loss, seed={seed})'
        assert "seed=" not in cells["check-4-1-2"], "practice stays as it is"
        # What the notebook's own check takes as right is what this student is asked for.
        name = "loss_of_four_tosses"
        exercise = exercise_for(classroom, made.assignment, student, "4.1.1")
        space = {"check": __import__("course").check, name: exercise.reference}
        assert eval(cells["check-4-1-1"], space).status == "passed"
        tasks[student] = cells["task-4-1-1"]
    assert tasks["ada"] != tasks["bob"]
    base = notebooks(classroom.release("week2"))["cross_entropy_gradient.ipynb"]
    assert "probability 0.7." in next(cell.source for cell in base.cells if cell["id"] == "task-4-1-1")
    with zipfile.ZipFile(classroom.release("week2") / "ada.zip") as archive:
        assert sorted(archive.namelist()) == ["week2/cross_entropy_gradient.ipynb", "week2/setup.ipynb"]
        assert b'STUDENT_ID = \\"ada\\"' in archive.read("week2/setup.ipynb")


def test_the_seed_goes_into_any_way_of_writing_the_call():
    put = assignment._seeded
    assert put('check("4.1.2", f)', "4.1.2", 7) == 'check("4.1.2", f, seed=7)'
    assert put('# größer\ncheck("4.1.2", f,)  # ü', "4.1.2", 7) == '# größer\ncheck("4.1.2", f, seed=7)  # ü'
    assert put('check(\n    "ü",\n    g(f),\n)', "4.1.2", 7) == 'check(\n    "ü",\n    g(f), seed=7)'


# --- asking for it --------------------------------------------------------------------------------


def test_the_seed_is_for_its_owner_alone_and_stays(handed_out):
    classroom, _, _ = handed_out
    seed = classroom.root / "secret" / "seed"
    assert seed.stat().st_mode & 0o077 == 0
    before = seed.read_bytes()
    Classroom.create(classroom.root)
    assert seed.read_bytes() == before


def test_assigning_again_refuses_and_force_leaves_nothing_old(tmp_path):
    classroom = Classroom.create(tmp_path)
    assignment.assign(classroom, "a", lesson_keys=["5.1"])
    old = classroom.release("a") / "old.ipynb"
    old.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="There is an assignment 'a' already; --force"):
        assignment.assign(classroom, "a", lesson_keys=["5.1"])
    assert old.exists()
    made = assignment.assign(classroom, "a", exercise_ids=["5.1.1"], force=True)
    assert made.assignment.points == {"5.1.1": 1.0}
    assert sorted(path.name for path in classroom.release("a").iterdir()) == ["setup.ipynb"]


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "a\\b", "-a", ".a", "a.", "a b", "a+b", "é", "a" * 65, "a\n"])
def test_a_name_that_is_no_folders_is_refused(name):
    with pytest.raises(ValueError, match="An assignment's name is"):
        assignment.assignment_name(name)


@pytest.mark.parametrize("name", ["week1", "2026-hw.1", "a", "A_b", "a" * 64])
def test_other_names_are_taken(name):
    assert assignment.assignment_name(name) == name


def test_due_times():
    assert assignment.due_time("") == ""
    assert assignment.due_time("2026-12-18T23:59+01:00") == "2026-12-18T23:59+01:00"
    assert assignment.due_time("2026-12-18T22:59Z") == "2026-12-18T22:59+00:00"
    day = datetime.fromisoformat(assignment.due_time("2026-12-18"))
    assert (day.hour, day.minute, day.tzinfo is not None) == (23, 59, True)
    for text in ("tomorrow", "18.12.2026", "2026-13-01"):
        with pytest.raises(ValueError, match="A due time is written as"):
            assignment.due_time(text)


def test_choosing():
    chosen, points = assignment.choose(["4.1", "power_laws"], ["4.1.2"], {"4.1.2": 0.5})
    assert [lesson.number for lesson in chosen] == ["1.1", "4.1"], "in the lessons' order"
    assert points["4.1.2"] == 0.5
    assert [id_ for id_ in points if id_.startswith("4.1")] == ["4.1.2"]
    assert sum(id_.startswith("1.1") for id_ in points) == sum(e.lesson == "1.1" for e in registry().values())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "Choose what to hand out"),
        ({"lesson_keys": ["9.9"]}, "There is no lesson '9.9'"),
        ({"exercise_ids": ["4.1.99"]}, "There is no exercise '4.1.99'"),
        ({"exercise_ids": ["4.1.2"], "points": {"4.1.3": 1}}, "Exercise 4.1.3 is given points and is not part"),
        ({"exercise_ids": ["4.1.2"], "points": {"4.1.2": 0}}, "points of an exercise lie above 0"),
        ({"exercise_ids": ["4.1.2"], "points": {"4.1.2": float("nan")}}, "points of an exercise lie above 0"),
    ],
)
def test_what_cannot_be_chosen_is_one_sentence(options, says):
    with pytest.raises(ValueError, match=says):
        assignment.choose(**options)


def test_the_command_says_what_it_made(tmp_path, capsys, students):
    folder = str(tmp_path / "class")
    assert main(["assign", "w1", "--class", folder, "--exercises", "5.1.1", "5.1.3", "--variants", str(students)]) == 0
    out = capsys.readouterr().out
    assert "w1: 1 notebook, 2 graded exercises, 2 points, no due date." in out
    assert "Each of 2 students has numbers of their own" in out
    assert (tmp_path / "class" / "roster.csv").stat().st_mode & 0o077 == 0
    assert main(["assign", "w2", "--class", folder, "--lessons", "5.1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"]["5.1.5"] == 2


@pytest.mark.parametrize(
    "more",
    [
        ["../x", "--lessons", "5.1"],
        ["w", "--lessons", "7.7"],
        ["w", "--lessons", "5.1", "--points", "5.1.1=many"],
        ["w", "--lessons", "5.1", "--due", "soon"],
        ["w", "--lessons", "5.1", "--variants", "there-is-none.csv"],
    ],
)
def test_the_command_fails_with_one_sentence(tmp_path, capsys, more):
    status = main(["assign", *more, "--class", str(tmp_path / "class")])
    err = capsys.readouterr().err
    assert status == 1
    assert err.startswith("course: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "class" / "assignments").exists()


def test_without_the_instructors_tools_a_sentence_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    assert main(["assign", "w", "--class", str(tmp_path), "--lessons", "5.1"]) == 1
    err = capsys.readouterr().err
    assert err == "course: this needs jupytext, one of the instructors' tools: pip install -e '.[instructor]'.\n"
