"""The doctor's checks: a line each, OK or what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from course import doctor, machine
from course.doctor import Check
from course.machine import CannotRunError, Measurement

FACTS = {
    "tensorflow": "2.21.0",
    "keras": "3.15.1",
    "gpus": [],
    "threads": 0,
    "rate": {"median": 400.0, "low": 390.0, "high": 410.0, "unit": "GFLOP/s", "repeats": 9},
}


def one_sentence(text: str) -> bool:
    return text.endswith(".") and "\n" not in text and "Traceback" not in text


# --- the checks -----------------------------------------------------------------------------------


def everything_fine(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "tensorflow_facts", lambda seconds: FACTS)
    monkeypatch.setattr(doctor, "memory", lambda: (16.0, 8.0))
    monkeypatch.setattr(doctor, "kernel_program", lambda: sys.executable)


def test_all_is_well(monkeypatch, tmp_path):
    everything_fine(monkeypatch, tmp_path)
    found = list(doctor.checks())
    assert [check.name for check in found] == [
        "Python", "Packages", "TensorFlow", "GPU", "Memory", "Disk", "Threads", "Speed", "Jupyter", "Progress"
    ]  # fmt: skip
    assert all(check.ok for check in found), found
    assert doctor.ready(found)
    assert doctor.verdict_line(found) == "The lessons can run on this machine."
    assert all("\n" not in check.line() and check.line().startswith("OK") for check in found)


def test_with_a_wrong_python_nothing_else_is_said(monkeypatch):
    monkeypatch.setattr(machine, "python_problem", lambda: "Python 3.8 is too old: install another.")
    found = list(doctor.checks())
    assert [check.name for check in found] == ["Python"]
    assert not doctor.ready(found)


@pytest.mark.parametrize("error", [CannotRunError("TensorFlow is not installed: do this."), RuntimeError("odd\nthing")])
def test_without_tensorflow_the_lessons_cannot_run(monkeypatch, tmp_path, error):
    def fails(seconds):
        raise error

    everything_fine(monkeypatch, tmp_path)
    monkeypatch.setattr(doctor, "tensorflow_facts", fails)
    found = {check.name: check for check in doctor.checks()}
    assert not found["TensorFlow"].ok
    assert one_sentence(found["TensorFlow"].advice)
    assert "Speed" not in found
    assert "GPU" not in found
    assert found["Memory"].ok
    assert not doctor.ready(list(found.values()))


def test_a_gpu_is_named_and_none_is_fine():
    assert doctor.check_gpu(["NVIDIA Something"]).text == "NVIDIA Something"
    none = doctor.check_gpu([])
    assert none.ok
    assert "run on the CPU" in none.text


@pytest.mark.parametrize(("total", "available", "words"), [(1.0, 0.5, "larger machine"), (8.0, 0.9, "close other")])
def test_little_memory_is_said(monkeypatch, total, available, words):
    monkeypatch.setattr(doctor, "memory", lambda: (total, available))
    check = doctor.check_memory()
    assert not check.ok
    assert check.needed
    assert words in check.advice


def test_a_full_disk_is_said_but_the_lessons_can_run(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda where: type("Usage", (), {"free": 10_000_000}))
    check = doctor.check_disk()
    assert not check.ok
    assert doctor.ready([check])
    assert "could be better" in doctor.verdict_line([check])


def test_a_slow_machine_is_told_so():
    slow = doctor.check_rate(Measurement(3.0, 2.0, 4.0, "GFLOP/s", 7))
    assert not slow.ok
    assert not slow.needed
    assert "slow" in slow.advice


def test_packages_missing_and_too_old_are_named():
    check = doctor.check_packages(["numpy>=99.0", "surely-not-there>=1", "scipy>=1.0", 'pytest>=99; extra == "test"'])
    assert not check.ok
    assert "numpy" in check.text
    assert "older than 99.0" in check.text
    assert "surely-not-there is missing" in check.text
    assert "pytest" not in check.text


def test_progress_that_cannot_be_saved_does_not_stop_the_lessons(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("COURSE_HOME", str(blocked))
    check = doctor.check_progress()
    assert not check.ok
    assert doctor.ready([check])
    assert "COURSE_HOME" in check.advice


def test_a_kernel_without_the_package_is_found(monkeypatch, tmp_path):
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(doctor, "kernel_program", lambda: str(other))
    check = doctor.check_jupyter()
    assert not check.ok
    assert str(other) in check.text


def test_a_check_that_breaks_becomes_a_line(monkeypatch, tmp_path):
    def breaks():
        raise OSError("no such thing")

    everything_fine(monkeypatch, tmp_path)
    monkeypatch.setattr(doctor, "memory", breaks)
    memory = next(check for check in doctor.checks() if check.name == "Memory")
    assert not memory.ok
    assert "no such thing" in memory.text


@pytest.mark.parametrize(
    ("code", "word"), [(-4, "AVX"), (-9, "memory"), (-11, "SIGSEGV"), (-250, "signal 250"), (3, "status 3")]
)
def test_a_tensorflow_that_crashes_takes_nobody_with_it(monkeypatch, code, word):
    assert word in doctor._crash(code)
    crashed = subprocess.CompletedProcess([], code, stdout="", stderr="noise")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *args, **kwargs: crashed)
    with pytest.raises(CannotRunError, match=word):
        doctor._ask(0.1)


def test_a_tensorflow_that_never_comes_is_given_up(monkeypatch):
    def waits(*args, **kwargs):
        raise subprocess.TimeoutExpired("python", 180)

    monkeypatch.setattr(doctor.subprocess, "run", waits)
    with pytest.raises(CannotRunError, match="180 s"):
        doctor._ask(0.1)


def test_a_second_python_is_asked_and_answers(monkeypatch):
    answer = "some noise\n" + json.dumps(FACTS) + "\n"
    done = subprocess.CompletedProcess([], 0, stdout=answer, stderr="")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *args, **kwargs: done)
    assert doctor._ask(0.1) == FACTS


def test_the_report_is_a_table_that_shows_no_path(monkeypatch, tmp_path):
    everything_fine(monkeypatch, tmp_path)
    report = doctor.report()
    assert report.ready
    html = report._repr_html_()
    assert html.count("<tr>") == len(report.checks) == 10
    assert str(tmp_path) not in html + str(report)
    assert str(tmp_path) in report.checks[-1].line()
    bad = doctor.Report((Check("<b>", False, "a & b", "Do this."),))
    assert "&lt;b&gt;" in bad._repr_html_()
    assert not bad.ready


def test_cores_are_those_of_this_process():
    assert 0 < doctor.cores() <= (os.cpu_count() or 1)
