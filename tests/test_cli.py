"""The command `course`: what it prints, its exit status, and that no traceback leaves it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from course import __main__ as cli
from course import __version__, doctor, lessons, machine
from course.doctor import Check


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    from course.exercises import progress

    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    progress.reset()
    yield tmp_path
    progress.reset()


def run(capsys, *args):
    """(exit status, stdout, stderr)"""
    try:
        status = cli.main(args)
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return status, out, err


def test_importing_the_package_loads_neither_numpy_nor_tensorflow():
    code = "import sys, course; print([m for m in ('numpy', 'tensorflow', 'matplotlib', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_itself_loads_neither_numpy_nor_tensorflow():
    code = "import sys, course.__main__; print([m for m in ('numpy', 'tensorflow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["__init__", "__main__", "machine"])
def test_an_old_python_can_read_the_doctor(name):
    source = Path(machine.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))


def test_help_names_every_command_and_version_is_the_package_s(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(command in out for command in ("doctor", "progress", "claims", "build", "make lab"))
    assert run(capsys)[0] == 0, "without a command it helps"
    assert run(capsys, "--version")[1].strip() == f"course {__version__}"


@pytest.mark.parametrize("args", [("dcotor",), ("doctor", "--fast"), ("claims", "--section")])
def test_a_wrong_call_ends_with_2(capsys, args):
    status, _, err = run(capsys, *args)
    assert status == 2
    assert "course" in err


# --- doctor ---------------------------------------------------------------------------------------

GOOD = Check("Python", True, "3.12.1 on Linux x86_64")
BAD = Check("TensorFlow", False, "not usable", "TensorFlow is not installed: run `make lab`.")
MINOR = Check("Progress", False, "not saved", "Progress cannot be saved: do this.", needed=False)


@pytest.mark.parametrize(("checks", "status"), [([GOOD], 0), ([GOOD, MINOR], 0), ([GOOD, BAD], 1)])
def test_doctor_prints_a_line_each_and_says_whether_the_lessons_can_run(monkeypatch, capsys, checks, status):
    monkeypatch.setattr(doctor, "checks", lambda: iter(checks))
    got, out, err = run(capsys, "doctor")
    assert (got, err) == (status, "")
    lines = out.strip().splitlines()
    assert len(lines) == len(checks) + 1
    assert [line[:2] for line in lines[:-1]] == ["OK" if check.ok else "!!" for check in checks]
    assert ("cannot run" in lines[-1]) == bool(status)


def test_doctor_as_json(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "checks", lambda: iter([GOOD, BAD]))
    status, out, _ = run(capsys, "doctor", "--json")
    found = json.loads(out)
    assert status == 1
    assert found["ready"] is False
    assert [check["name"] for check in found["checks"]] == ["Python", "TensorFlow"]
    assert found["checks"][1]["advice"] == BAD.advice


def test_doctor_of_this_machine_says_that_the_lessons_can_run():
    done = subprocess.run(
        [sys.executable, "-m", "course", "doctor", "--json"], capture_output=True, text=True, check=False
    )
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.stderr == ""
    assert found["Python"]["ok"]
    assert found["TensorFlow"]["ok"]
    assert "GFLOP/s" in found["Speed"]["text"]


@pytest.mark.parametrize("command", ["progress", "claims", "build"])
def test_with_a_wrong_python_each_command_says_one_sentence(monkeypatch, capsys, command):
    monkeypatch.setattr(machine, "python_problem", lambda: "Python 3.8 is too old: install another.")
    assert run(capsys, command) == (1, "", "course: Python 3.8 is too old: install another.\n")


# --- progress -------------------------------------------------------------------------------------


def test_progress_starts_at_nothing_and_counts_what_is_passed(capsys, home):
    from course.exercises import check, registry

    status, out, _ = run(capsys, "progress")
    assert status == 0
    assert str(home) in out
    assert all(lesson.title in out for lesson in lessons.LESSONS)

    check("5.1.3", (4, 4))
    check("5.1.1", lambda m, k, n: m * k * n)
    status, out, _ = run(capsys, "progress", "--json")
    row = next(row for row in json.loads(out)["lessons"] if row["lesson"] == "5.1")
    own = [exercise for exercise in registry().values() if exercise.lesson == "5.1"]
    assert status == 0
    assert (row["passed"], row["tried"], row["exercises"], row["score"]) == (1, 2, len(own), 1)
    assert row["next"] == "5.1.1"
    assert row["minutes_to_go"] == sum(exercise.minutes for exercise in own if exercise.id != "5.1.3")


def test_progress_reads_on_past_a_broken_file(capsys, home):
    folder = home / "progress"
    folder.mkdir()
    (folder / "5.1.1.json").write_text("{ not json")
    (folder / "5.1.2.json").write_text('{"status": "passed", "score": 1.0}')
    status, out, _ = run(capsys, "progress", "--json")
    row = next(row for row in json.loads(out)["lessons"] if row["lesson"] == "5.1")
    assert (status, row["passed"]) == (0, 1)


def test_progress_says_where_it_cannot_be_saved(capsys, monkeypatch, home):
    blocked = home / "file"
    blocked.write_text("")
    monkeypatch.setenv("COURSE_HOME", str(blocked))
    status, out, _ = run(capsys, "progress")
    assert status == 0
    assert "cannot be saved" in out


@pytest.mark.parametrize(
    ("part", "whole", "bar"),
    [(0, 5, "[..........]"), (5, 5, "[##########]"), (4, 5, "[########..]"), (0, 0, "[..........]")],
)
def test_the_bar(part, whole, bar):
    assert cli._bar(part, whole) == bar


# --- claims and build -----------------------------------------------------------------------------


def test_claims_as_a_table_and_as_json(capsys):
    status, out, _ = run(capsys, "claims")
    assert status == 0
    assert "5.1" in out
    status, out, _ = run(capsys, "claims", "--json", "--section", "5")
    found = json.loads(out)
    assert status == 0
    assert {claim["id"].split(".")[0] for claim in found} == {"5"}
    assert [claim["id"] for claim in json.loads(run(capsys, "claims", "--json", "--section", "5.1")[1])] == ["5.1"]


def test_open_claims_are_those_without_a_verdict(capsys):
    everything = json.loads(run(capsys, "claims", "--json")[1])
    still_open = json.loads(run(capsys, "claims", "--json", "--open")[1])
    assert [claim["id"] for claim in still_open] == [claim["id"] for claim in everything if not claim.get("verdict")]


def test_a_section_that_is_not_there_is_one_sentence(capsys):
    status, out, err = run(capsys, "claims", "--section", "77")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "77" in err


def test_build_hands_its_arguments_on(monkeypatch, capsys):
    from course import authoring

    calls = []
    monkeypatch.setattr(authoring, "command", lambda names, **options: calls.append((names, options)) or 1)
    assert run(capsys, "build", "setup", "4.1", "--check")[0] == 1
    assert calls == [(["setup", "4.1"], {"check": True, "force": False})]


def test_an_unknown_lesson_is_one_sentence(capsys):
    status, _, err = run(capsys, "build", "nowhere")
    assert status == 1
    assert "There is no lesson 'nowhere'" in err
    assert err.count("\n") == 1


def test_no_traceback_ever(monkeypatch, capsys):
    def breaks(args):
        raise RuntimeError("something\nodd")

    monkeypatch.delenv("COURSE_DEBUG", raising=False)
    monkeypatch.setattr(cli, "progress", breaks)
    status, out, err = run(capsys, "progress")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "something" in err


def test_a_reader_that_leaves_early_is_no_error():
    done = subprocess.run(
        f'"{sys.executable}" -m course claims | head -n 1', shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
