"""Marks go out whole, to the right student, and only when they are final."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.__main__ import main
from course.grading import exporting, roster, running
from course.grading.classroom import Assignment, Classroom, Mark, Result

POINTS = {"4.1.1": 1.0, "4.1.2": 2.5, "5.2.9": 3.0}
ROSTER = 'id,name,email,canvas_id,moodle_id\nada,"Lovelace, Ada",ada@x.org,1001,501\nbob,Bob Doe,bob@x.org,1002,502\n'
ROSTER += "cem,=cmd|' /C calc'!A0,cem@x.org,1003,503\ndee,Dee Dee,dee@x.org,1004,504\neve,Eve,eve@x.org,1005,505\n"


@pytest.fixture
def classroom(tmp_path, monkeypatch):
    """ada and cem are final, bob waits for 5.2.9, dee handed in again since, eve handed in nothing."""
    made = Classroom.create(tmp_path / "class")
    made.save_assignment(Assignment("week1", "Week 1", ("4.1", "5.2"), POINTS, {"a.ipynb": ""}))
    made.release("week1").mkdir(parents=True)
    (made.release("week1") / "a.ipynb").write_text("{}", encoding="utf-8")
    scores = {
        "ada": [1.0, 2.5, 3.0],
        "bob": [1.0, 1.25, None],
        "cem": [0.0, 1.25, 0.0],
        "dee": [1.0, 2.5, 3.0],
    }
    for student, points in scores.items():
        folder = made.submitted(student, "week1")
        folder.mkdir(parents=True)
        (folder / "a.ipynb").write_text("{}", encoding="utf-8")
        marks = {
            id_: Mark("manual" if got is None else "passed" if got == worth else "failed", got, worth, "=HYPERLINK(1)")
            for (id_, worth), got in zip(POINTS.items(), points, strict=True)
        }
        key = running.key(made, made.assignment("week1"), student)
        made.save_result(Result("week1", student, key, marks))
    (made.submitted("dee", "week1") / "a.ipynb").write_text("{} ", encoding="utf-8")
    (made.root / "roster.csv").write_text(ROSTER, encoding="utf-8")
    monkeypatch.setattr(
        exporting.gradebook,
        "scores",
        lambda *_: {s: dict(zip(POINTS, points, strict=True)) for s, points in scores.items()},
    )
    return made


@pytest.fixture
def listed(classroom):
    return roster.read(classroom.root / "roster.csv")


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


LEFT_OUT = [
    "bob waits for a mark by hand on 5.2.9: is left out.",
    "dee has handed in again, or the assignment was changed, since it was graded: is left out.",
    "eve handed in nothing: is left out.",
]

# --- only what is final ---------------------------------------------------------------------------


def test_who_is_not_final_is_named_and_left_out(classroom, listed):
    done = exporting.export(classroom, "week1", "csv", roster=listed)
    assert list(done.remarks) == LEFT_OUT
    assert done.students == ("ada", "cem")
    found = {row["student"]: row for row in table(done.path)}
    assert [found["ada"][key] for key in ("4.1.1", "4.1.2", "5.2.9", "total", "of", "status")] == [
        "1",
        "2.5",
        "3",
        "6.5",
        "6.5",
        "final",
    ]
    assert found["cem"]["total"] == "1.25"
    for student in ("bob", "dee", "eve"):
        assert [found[student][key] for key in ("4.1.1", "4.1.2", "5.2.9", "total")] == [""] * 4
        assert found[student]["status"].startswith("not final: ")


def test_partial_takes_along_who_waits_and_nobody_whose_mark_is_old(classroom, listed):
    done = exporting.export(classroom, "week1", "csv", roster=listed, partial=True)
    found = {row["student"]: row for row in table(done.path)}
    assert done.students == ("ada", "bob", "cem")
    assert (found["bob"]["total"], found["bob"]["5.2.9"]) == ("2.25", "")
    assert found["bob"]["status"] == "not final: waits for a mark by hand on 5.2.9"
    assert found["dee"]["total"] == ""


def test_a_submission_without_a_result_was_not_graded(classroom, listed):
    classroom.drop_result("week1", "ada")
    done = exporting.export(classroom, "week1", "csv", roster=listed)
    assert "ada was not graded yet: is left out." in done.remarks
    assert "ada" not in done.students


def test_a_changed_assignment_makes_all_marks_old(classroom, listed):
    made = classroom.assignment("week1")
    classroom.save_assignment(replace(made, points=made.points | {"4.1.1": 2.0}))
    assert exporting.export(classroom, "week1", "csv", roster=listed, partial=True).students == ()


# --- Canvas ---------------------------------------------------------------------------------------

CANVAS = (
    '\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Week 1 (77),"Other, one (78)",Final Score\r\n'
    "    Points Possible,,,,,6.5,10.00,(read only)\r\n"
    '"Lovelace, Ada",1001,u1,ada@x.org,"A ""1""",,7.50,\r\n'
    '"Doe, Bob",1002,u2,bob@x.org,A,3,\r\n'
    '=Cem,1003,cem,,A, 1 ,"9",x\r\n'
    '"Line\nBreak",9,,,B,5,,\r\n'
    '"Student, Test",,,,A,,,\r\n'
)


def test_canvas_cells_of_the_assignment_are_filled_in_and_no_other_byte_changes(classroom, listed, tmp_path):
    template = tmp_path / "grades.csv"
    template.write_bytes(CANVAS.encode())
    done = exporting.export(classroom, "week1", "canvas", template=template, roster=listed)
    assert done.path.read_bytes().decode() == CANVAS.replace('"A ""1""",,', '"A ""1""",6.5,').replace(
        "A, 1 ,", "A,1.25,"
    )
    assert done.students == ("ada", "cem")
    assert "eve handed in nothing: is left out." in done.remarks


def test_canvas_points_and_columns_that_do_not_fit_are_said(classroom, listed, tmp_path):
    template = tmp_path / "grades.csv"
    template.write_bytes(CANVAS.replace(",6.5,10", ",10,10").encode())
    done = exporting.export(classroom, "week1", "canvas", template=template, roster=listed)
    assert "Canvas has 10 points possible for it, the assignment 6.5." in done.remarks
    template.write_bytes(CANVAS.replace("Week 1 (77)", "Something (77)").encode())
    with pytest.raises(ValueError, match=r"no column for 'Week 1': .*'Something \(77\)', 'Other, one \(78\)'"):
        exporting.export(classroom, "week1", "canvas", template=template, roster=listed)
    done = exporting.export(classroom, "week1", "canvas", template=template, roster=listed, wanted="Other, one (78)")
    assert '"A ""1""",,6.5,' in done.path.read_bytes().decode()
    with pytest.raises(ValueError, match="Canvas needs --template"):
        exporting.export(classroom, "week1", "canvas")


def test_canvas_students_are_found_by_sis_id_without_a_roster(classroom, tmp_path):
    template = tmp_path / "grades.csv"
    template.write_bytes(CANVAS.encode())
    done = exporting.export(classroom, "week1", "canvas", template=template)
    assert done.students == ("cem",)
    assert "ada is not in the template: left out." in done.remarks


def rebuilt(text, comma):
    return "".join(comma.join(cells) + end for cells, end in exporting._split(text, comma))


@given(st.text(alphabet='a",;\r\n\t ü', max_size=40), st.sampled_from(",;\t"))
def test_splitting_a_table_loses_no_sign(text, comma):
    assert rebuilt(text, comma) == text


@given(st.lists(st.lists(st.text(alphabet='a",\r\n é=', max_size=5), min_size=2, max_size=3), min_size=1, max_size=4))
def test_cells_are_those_that_the_csv_module_reads(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(lines)
    path.write_bytes(text.getvalue().encode())
    found = exporting._Table(path)
    if found.comma == ",":
        assert [[found.cell(i, j) for j in range(len(line))] for i, line in enumerate(lines)] == lines


# --- Moodle ---------------------------------------------------------------------------------------

MOODLE = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Feedback comments\n"
    '"Participant 501","Ada Lovelace",ada@x.org,Submitted,,6.5,Yes,\n'
    '"Participant 502","Bob Doe",bob@x.org,Submitted,,6.5,Yes,\n'
    '"Participant 599",Cem,cem@x.org,Submitted,,6.5,Yes,\n'
)


def test_moodles_worksheet_is_filled_in(classroom, listed, tmp_path):
    template = tmp_path / "worksheet.csv"
    template.write_text(MOODLE, encoding="utf-8")
    done = exporting.export(classroom, "week1", "moodle", template=template, roster=listed, partial=True)
    found = {row["Identifier"]: row for row in table(done.path)}
    assert found["Participant 501"]["Grade"] == "6.5"
    assert found["Participant 599"]["Grade"] == "1.25", "found by the email address"
    assert found["Participant 502"]["Grade"] == "2.25"
    assert found["Participant 502"]["Feedback comments"].startswith("Not final: waits for a mark by hand on 5.2.9.")
    assert found["Participant 599"]["Feedback comments"].splitlines()[1] == "4.1.2: 1.25 of 2.5. =HYPERLINK(1)"
    assert found["Participant 501"]["Status"] == "Submitted"


def test_moodle_without_a_worksheet_is_a_table_to_import(classroom, listed):
    done = exporting.export(classroom, "week1", "moodle", roster=listed)
    assert [row["ID number"] for row in table(done.path)] == ["ada", "cem"]


def test_moodle_needs_its_grade_column(classroom, tmp_path):
    template = tmp_path / "worksheet.csv"
    template.write_text("Identifier,Full name\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no column Grade"):
        exporting.export(classroom, "week1", "moodle", template=template)


# --- Gradescope -----------------------------------------------------------------------------------


def test_gradescope_gets_a_results_file_a_student(classroom, tmp_path):
    done = exporting.export(classroom, "week1", "gradescope", out=tmp_path / "gs", partial=True)
    assert sorted(path.parent.name for path in done.path.glob("*/results.json")) == ["ada", "bob", "cem"]
    ada = json.loads((tmp_path / "gs/ada/results.json").read_text(encoding="utf-8"))
    assert ada["score"] == 6.5
    assert [test["status"] for test in ada["tests"]] == ["passed"] * 3
    bob = json.loads((tmp_path / "gs/bob/results.json").read_text(encoding="utf-8"))
    waiting = bob["tests"][2]
    assert "score" not in waiting
    assert "waits for a mark" in waiting["output"]
    assert bob["output"].startswith("Not final")
    assert [test["status"] for test in bob["tests"][:2]] == ["passed", "failed"]


# --- spreadsheets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "-2 marks"])
def test_a_formula_is_defused(text):
    assert exporting.defused(text) == "'" + text


@pytest.mark.parametrize("text", ["-1.5", "+3", "0", "ada", "a=b", "", "O'Brien", "x-1"])
def test_numbers_and_plain_text_stay(text):
    assert exporting.defused(text) == text


def test_no_cell_that_we_write_is_a_formula(classroom, listed):
    for form in ("csv", "moodle"):
        done = exporting.export(classroom, "week1", form, roster=listed, partial=True)
        cells = [cell for row in table(done.path) for cell in row.values()]
        assert not [cell for cell in cells if cell[:1] in set("=+-@\t\r")]
    assert any("HYPERLINK" in cell for cell in cells)
    names = [row["name"] for row in table(exporting.export(classroom, "week1", "csv", roster=listed).path)]
    assert "'=cmd|' /C calc'!A0" in names


# --- the command ----------------------------------------------------------------------------------


def test_the_command_says_who_was_left_out(classroom, capsys):
    assert main(["export", "week1", "--class", str(classroom.root), "--format", "csv"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[:3] == LEFT_OUT
    assert out.splitlines()[3].startswith("Marks of 2 students: ")
    assert main(["export", "week1", "--class", str(classroom.root), "--format", "csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["students"] == ["ada", "cem"]


@pytest.mark.parametrize(
    "more",
    [
        ["week9", "--format", "csv"],
        ["week1", "--format", "canvas"],
        ["week1", "--format", "canvas", "--template", "no.csv"],
    ],
)
def test_the_command_fails_with_one_sentence(classroom, capsys, more):
    assert main(["export", *more, "--class", str(classroom.root)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("course: ")
    assert err.count("\n") == 1
