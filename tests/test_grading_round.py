"""The whole way: handed out with variants, handed in through a platform, graded in a sandbox, exported."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest

from course.__main__ import main
from course.grading import sandbox
from course.grading.classroom import Classroom
from course.grading.variants import exercise_for

pytestmark = pytest.mark.skipif(bool(sandbox.problem()), reason=f"no sandbox here: {sandbox.problem()}")

ROSTER = "id,name,canvas_id\nada,Ada Lovelace,11\nbob,Bob Doe,12\n"
CANVAS = "Student,ID,SIS User ID,SIS Login ID,Section,w1 (7)\n    Points Possible,,,,,4\n"
CANVAS += '"Lovelace, Ada",11,,,A,\n"Doe, Bob",12,,,A,\n'


def answered(data: bytes, answers: dict[str, str]) -> bytes:
    notebook = json.loads(data)
    for cell in notebook["cells"]:
        if cell["id"] in answers:
            cell["source"] = answers[cell["id"]]
    return json.dumps(notebook).encode()


def test_from_handing_out_to_canvas(tmp_path, capsys):
    (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
    (tmp_path / "canvas.csv").write_text(CANVAS, encoding="utf-8")
    folder = str(tmp_path / "class")
    (Classroom.create(folder).root / "secret" / "seed").write_text("5eed" * 16, encoding="ascii")
    chosen = ["--exercises", "5.1.1", "5.1.3", "--points", "5.1.1=3", "--variants", str(tmp_path / "roster.csv")]
    assert main(["assign", "w1", "--class", folder, *chosen]) == 0
    classroom = Classroom(folder)
    made = classroom.assignment("w1")
    right = {student: exercise_for(classroom, made, student, "5.1.3").reference for student in ("ada", "bob")}
    assert right["ada"] != right["bob"], "with this class's seed"

    function = "def product_flops(m, k, n):\n    return 2 * m * k * n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for student, named in (
            ("ada", "lovelaceada_11_1_setup.ipynb"),
            ("bob", "doebob_LATE_12_2_Copy of setup.ipynb"),
        ):
            released = (classroom.release("w1") / student / "setup.ipynb").read_bytes()
            # Both hand in what is right for ada.
            answers = {"exercise-5-1-1": function, "exercise-5-1-3": f"shape = {right['ada']}"}
            archive.writestr(named, answered(released, answers))
    (tmp_path / "submissions.zip").write_bytes(packed.getvalue())

    assert main(["collect", "w1", "--class", folder, str(tmp_path / "submissions.zip")]) == 0
    assert main(["grade", "w1", "--class", folder]) == 0
    capsys.readouterr()
    assert (
        main(["export", "w1", "--class", folder, "--format", "canvas", "--template", str(tmp_path / "canvas.csv")]) == 0
    )
    text = (classroom.root / "exports" / "w1-canvas.csv").read_text(encoding="utf-8")
    assert {row["Student"]: row["w1 (7)"] for row in csv.DictReader(io.StringIO(text))} == {
        "    Points Possible": "4",
        "Lovelace, Ada": "4",
        "Doe, Bob": "3",
    }
    assert main(["similar", "w1", "--class", folder]) == 0
    assert (classroom.feedback("bob", "w1") / "w1.html").is_file()

    # Handed in again: the old mark goes nowhere until it is graded anew.
    (classroom.submitted("ada", "w1") / "setup.ipynb").write_bytes(released)
    capsys.readouterr()
    assert main(["export", "w1", "--class", folder, "--format", "csv"]) == 0
    assert "ada has handed in again" in capsys.readouterr().out
