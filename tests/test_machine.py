"""The doctor's checks, the quiet TensorFlow, and the functions that measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from course import machine
from course.machine import CannotRunError, Check, Measurement

FACTS = {
    "tensorflow": "2.21.0",
    "keras": "3.15.1",
    "gpus": [],
    "threads": 0,
    "rate": {"median": 400.0, "low": 390.0, "high": 410.0, "unit": "GFLOP/s", "repeats": 9},
}


def one_sentence(text: str) -> bool:
    return text.endswith(".") and "\n" not in text and "Traceback" not in text


# --- versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 11), (3, 12, 4), (3, 13)])
def test_these_pythons_are_fine(version):
    assert machine.python_problem(version) == ""


@pytest.mark.parametrize(
    ("version", "word"), [((3, 8), "old"), ((3, 10, 13), "old"), ((2, 7), "old"), ((3, 14), "new")]
)
def test_another_python_is_named_with_what_to_do(version, word):
    problem = machine.python_problem(version)
    assert f"too {word}" in problem
    assert "3.11 to 3.13" in problem
    assert one_sentence(problem)


def test_the_bounds_are_those_of_the_package():
    project = Path(__file__).parent.parent.joinpath("pyproject.toml").read_text(encoding="utf-8")
    (first, last), (major, minor) = machine.PYTHONS, machine.TENSORFLOW
    assert f'requires-python = ">={first[0]}.{first[1]},<{last[0]}.{last[1] + 1}"' in project
    assert f'"tensorflow>={major}.{minor}"' in project


@pytest.mark.parametrize("version", ["2.5.0", "2.15.1", "1.15"])
def test_an_old_tensorflow_is_found_without_importing_it(monkeypatch, version):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    problem = machine.tensorflow_problem()
    assert version in problem
    assert "2.16" in problem
    assert one_sentence(problem)


@pytest.mark.parametrize("version", ["2.16.0", "2.21.0", "2.100.0rc1", "3.0"])
def test_a_new_tensorflow_is_fine(monkeypatch, version):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert machine.tensorflow_problem() == ""


def test_a_missing_tensorflow_is_said(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    assert "not installed" in machine.tensorflow_problem()


# --- begin ----------------------------------------------------------------------------------------


def test_begin_prints_nothing_where_all_is_well(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    monkeypatch.setattr(machine, "import_tensorflow", lambda: None)
    assert machine.begin("5.1") is None
    assert capfd.readouterr() == ("", "")


def test_begin_says_in_one_sentence_that_progress_cannot_be_saved(monkeypatch, tmp_path, capfd):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("COURSE_HOME", str(blocked))
    monkeypatch.setattr(machine, "import_tensorflow", lambda: None)
    machine.begin("5.1")
    said = capfd.readouterr().out.strip()
    assert said.startswith("Progress cannot be saved")
    assert "COURSE_HOME" in said
    assert one_sentence(said)


def test_begin_refuses_an_old_python_with_a_sentence_and_no_traceback(monkeypatch):
    monkeypatch.setattr(machine, "python_problem", lambda: "Python 3.8 is too old: install another.")
    with pytest.raises(CannotRunError, match=r"3\.8 is too old") as caught:
        machine.begin("5.1")
    assert caught.value._render_traceback_() == ["This lesson cannot run yet. Python 3.8 is too old: install another."]


def test_begin_names_the_lessons_when_there_is_none_of_that_number():
    with pytest.raises(ValueError, match=r"no lesson '9\.9'.*5\.1 setup"):
        machine.begin("9.9")


def test_a_broken_tensorflow_is_one_sentence(monkeypatch, tmp_path):
    """In a fresh Python, where a module `tensorflow` that fails stands first on the path."""
    (tmp_path / "tensorflow.py").write_text(
        "import os; os.write(2, b'noise from below')\nraise ImportError('undefined symbol: x\\nmore lines')"
    )
    code = (
        "from course import machine\n"
        "machine.tensorflow_problem = lambda: ''\n"
        "try: machine.import_tensorflow()\n"
        "except machine.CannotRunError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])},
        check=True,
    )
    said = done.stdout.strip()
    assert "does not work (ImportError: undefined symbol: x)" in said
    assert one_sentence(said)
    assert "noise from below" in done.stderr, "what was written is shown when the import fails"


QUIET = """
import course
course.begin("5.1")
import tensorflow as tf
with tf.GradientTape() as tape:
    x = tf.Variable(2.0)
    y = x * x
assert float(tape.gradient(y, x)) == 4.0
print(float(tf.function(lambda a: a @ a, jit_compile=True, autograph=False)(tf.ones((2, 2)))[0, 0]))
"""


def test_after_begin_tensorflow_works_without_a_word(tmp_path):
    env = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", QUIET],
        capture_output=True,
        text=True,
        env={**env, "COURSE_HOME": str(tmp_path)},
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "2.0"


# --- quiet ----------------------------------------------------------------------------------------


def test_quiet_swallows_python_and_the_file_descriptor(capfd):
    with machine.quiet():
        os.write(2, b"from C++\n")
        print("from Python", file=sys.stderr)
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"


def test_quiet_shows_what_was_written_when_an_exception_leaves_it(capfd):
    def fails():
        os.write(2, b"the reason\n")
        raise KeyError

    with pytest.raises(KeyError), machine.quiet():
        fails()
    assert "the reason" in capfd.readouterr().err
    with pytest.raises(KeyError), machine.quiet(show=False):
        fails()
    assert capfd.readouterr().err == ""


def test_quiet_leaves_no_file_descriptor_behind():
    if not Path("/proc/self/fd").exists():
        pytest.skip("counts file descriptors in /proc")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with machine.quiet():
            pass
    assert len(os.listdir("/proc/self/fd")) == before


# --- measuring ------------------------------------------------------------------------------------


def test_flops_of_a_product_are_those_counted_one_by_one():
    count = 0
    for _row in range(3):
        for _column in range(5):
            for _term in range(4):
                count += 2
    assert machine.matrix_product_flops(3, 4, 5) == count == 120


def test_rates_and_days():
    assert machine.gflops_per_second(1000, 0.005) == pytest.approx(400)
    assert machine.days_needed(86_400e9, 1) == pytest.approx(1)
    assert machine.days_needed(1e18, 400) == pytest.approx(1e18 / 400e9 / 86_400)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_that_is_none_is_refused(seconds):
    with pytest.raises(ValueError, match="seconds"):
        machine.gflops_per_second(10, seconds)
    with pytest.raises(ValueError, match="rate"):
        machine.days_needed(10, seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.1e10, "665 years"),
        (86_400 * 2.64, "2.6 days"),
        (0.0105, "10 ms"),
        (5e-6, "5 µs"),
        (2e-9, "2 ns"),
        (90, "1.5 minutes"),
    ],
)
def test_durations_read_well(seconds, text):
    assert machine.duration(seconds) == text


def test_the_measurements_agree_with_one_another():
    time = machine.matrix_product_seconds(256, seconds=0.05)
    rate = machine.matrix_product_rate(256, seconds=0.05)
    assert time.low <= time.median <= time.high
    assert rate.repeats >= 5
    assert 0.1 < machine.gflops_per_second(256, time.median) / rate.median < 10
    assert machine.operation_overhead(0.02).median > 0
    assert machine.copy_bandwidth(8, 0.02).unit == "GB/s"
    assert "GFLOP/s" in str(rate)


@pytest.mark.parametrize("size", [0, -3, 2.5, True])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="whole number"):
        machine.matrix_product_seconds(size)
    with pytest.raises(ValueError, match="1 MB"):
        machine.copy_bandwidth(0)


def test_the_small_training_gives_one_time_a_repeat():
    times = machine.small_training_seconds(steps=2, repeats=3)
    assert len(times) == 3
    assert all(0 < time < 30 for time in times)


# --- the checks -----------------------------------------------------------------------------------


def everything_fine(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    monkeypatch.setattr(machine, "tensorflow_facts", lambda seconds: FACTS)
    monkeypatch.setattr(machine, "memory", lambda: (16.0, 8.0))
    monkeypatch.setattr(machine, "kernel_program", lambda: sys.executable)


def test_all_is_well(monkeypatch, tmp_path):
    everything_fine(monkeypatch, tmp_path)
    found = list(machine.checks())
    assert [check.name for check in found] == [
        "Python", "Packages", "TensorFlow", "GPU", "Memory", "Disk", "Threads", "Speed", "Jupyter", "Progress"
    ]  # fmt: skip
    assert all(check.ok for check in found), found
    assert machine.ready(found)
    assert machine.verdict_line(found) == "The lessons can run on this machine."
    assert all("\n" not in check.line() and check.line().startswith("OK") for check in found)


def test_with_a_wrong_python_nothing_else_is_said(monkeypatch):
    monkeypatch.setattr(machine, "python_problem", lambda: "Python 3.8 is too old: install another.")
    found = list(machine.checks())
    assert [check.name for check in found] == ["Python"]
    assert not machine.ready(found)


@pytest.mark.parametrize("error", [CannotRunError("TensorFlow is not installed: do this."), RuntimeError("odd\nthing")])
def test_without_tensorflow_the_lessons_cannot_run(monkeypatch, tmp_path, error):
    def fails(seconds):
        raise error

    everything_fine(monkeypatch, tmp_path)
    monkeypatch.setattr(machine, "tensorflow_facts", fails)
    found = {check.name: check for check in machine.checks()}
    assert not found["TensorFlow"].ok
    assert one_sentence(found["TensorFlow"].advice)
    assert "Speed" not in found
    assert "GPU" not in found
    assert found["Memory"].ok
    assert not machine.ready(list(found.values()))


def test_a_gpu_is_named_and_none_is_fine():
    assert machine.check_gpu(["NVIDIA Something"]).text == "NVIDIA Something"
    none = machine.check_gpu([])
    assert none.ok
    assert "run on the CPU" in none.text


@pytest.mark.parametrize(("total", "available", "words"), [(1.0, 0.5, "larger machine"), (8.0, 0.9, "close other")])
def test_little_memory_is_said(monkeypatch, total, available, words):
    monkeypatch.setattr(machine, "memory", lambda: (total, available))
    check = machine.check_memory()
    assert not check.ok
    assert check.needed
    assert words in check.advice


def test_a_full_disk_is_said_but_the_lessons_can_run(monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda where: type("Usage", (), {"free": 10_000_000}))
    check = machine.check_disk()
    assert not check.ok
    assert machine.ready([check])
    assert "could be better" in machine.verdict_line([check])


def test_a_slow_machine_is_told_so():
    slow = machine.check_rate(Measurement(3.0, 2.0, 4.0, "GFLOP/s", 7))
    assert not slow.ok
    assert not slow.needed
    assert "slow" in slow.advice


def test_packages_missing_and_too_old_are_named():
    check = machine.check_packages(["numpy>=99.0", "surely-not-there>=1", "scipy>=1.0", 'pytest>=99; extra == "test"'])
    assert not check.ok
    assert "numpy" in check.text
    assert "older than 99.0" in check.text
    assert "surely-not-there is missing" in check.text
    assert "pytest" not in check.text


def test_progress_that_cannot_be_saved_does_not_stop_the_lessons(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("COURSE_HOME", str(blocked))
    check = machine.check_progress()
    assert not check.ok
    assert machine.ready([check])
    assert "COURSE_HOME" in check.advice


def test_a_kernel_without_the_package_is_found(monkeypatch, tmp_path):
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(machine, "kernel_program", lambda: str(other))
    check = machine.check_jupyter()
    assert not check.ok
    assert str(other) in check.text


def test_a_check_that_breaks_becomes_a_line(monkeypatch, tmp_path):
    def breaks():
        raise OSError("no such thing")

    everything_fine(monkeypatch, tmp_path)
    monkeypatch.setattr(machine, "memory", breaks)
    memory = next(check for check in machine.checks() if check.name == "Memory")
    assert not memory.ok
    assert "no such thing" in memory.text


@pytest.mark.parametrize(
    ("code", "word"), [(-4, "AVX"), (-9, "memory"), (-11, "SIGSEGV"), (-250, "signal 250"), (3, "status 3")]
)
def test_a_tensorflow_that_crashes_takes_nobody_with_it(monkeypatch, code, word):
    assert word in machine._crash(code)
    crashed = subprocess.CompletedProcess([], code, stdout="", stderr="noise")
    monkeypatch.setattr(machine.subprocess, "run", lambda *args, **kwargs: crashed)
    with pytest.raises(CannotRunError, match=word):
        machine._ask(0.1)


def test_a_tensorflow_that_never_comes_is_given_up(monkeypatch):
    def waits(*args, **kwargs):
        raise subprocess.TimeoutExpired("python", 180)

    monkeypatch.setattr(machine.subprocess, "run", waits)
    with pytest.raises(CannotRunError, match="180 s"):
        machine._ask(0.1)


def test_a_second_python_is_asked_and_answers(monkeypatch):
    answer = "some noise\n" + json.dumps(FACTS) + "\n"
    done = subprocess.CompletedProcess([], 0, stdout=answer, stderr="")
    monkeypatch.setattr(machine.subprocess, "run", lambda *args, **kwargs: done)
    assert machine._ask(0.1) == FACTS


def test_the_report_is_a_table_that_shows_no_path(monkeypatch, tmp_path):
    everything_fine(monkeypatch, tmp_path)
    report = machine.doctor()
    assert report.ready
    html = report._repr_html_()
    assert html.count("<tr>") == len(report.checks) == 10
    assert str(tmp_path) not in html + str(report)
    assert str(tmp_path) in report.checks[-1].line()
    bad = machine.Report((Check("<b>", False, "a & b", "Do this."),))
    assert "&lt;b&gt;" in bad._repr_html_()
    assert not bad.ready


def test_cores_are_those_of_this_process():
    assert 0 < machine.cores() <= (os.cpu_count() or 1)


# --- the lesson's figure --------------------------------------------------------------------------


def test_the_modelled_rate_has_its_two_limits_and_half_the_peak_between():
    from course.widgets.setup import crossing, modelled_rate

    n = np.array([2.0, 1e6])
    low, high = modelled_rate(n, overhead=10.0, peak=400.0)
    assert low == pytest.approx(2 * 2**3 / 10e-6 / 1e9, rel=1e-3)
    assert high == pytest.approx(400.0, rel=1e-3)
    assert modelled_rate(np.array([crossing(10.0, 400.0)]), 10.0, 400.0)[0] == pytest.approx(200.0)


def test_the_figure_is_drawn_with_a_title_that_says_the_size():

    from course import plots
    from course.widgets.setup import crossing, draw_overhead

    sizes = [8, 64, 512, 1024]
    rates = [Measurement(r, r * 0.9, r * 1.1, "GFLOP/s", 9) for r in (0.05, 20.0, 300.0, 400.0)]
    plots.style()
    fig = draw_overhead(15.0, 400.0, sizes, rates)
    assert f"{crossing(15.0, 400.0):.0f}" in fig.axes[0].get_title(loc="left")


# --- the open exercise ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "name"),
    [
        ("I count on a tenth of the rate that I measured, and split the FLOPs over runs of minutes. ", "no number"),
        ("I count on 45 units of the rate and split 8 hours over 20 runs, which is 24 minutes each. ", "no work"),
        ("I count on 45 GFLOP/s, a tenth of the rate, 1.3e15 FLOPs in all, which I split over 20 runs. ", "no time"),
    ],
)  # fmt: skip
def test_a_plan_that_leaves_something_out_is_told_what(missing, name):
    from course.exercises import check

    result = check("5.1.5", missing * 3, record=False)
    assert (result.status, result.mistake) == ("failed", name)
