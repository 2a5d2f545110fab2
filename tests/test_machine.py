"""The doctor's checks, the quiet TensorFlow, and the functions that measure."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from course import machine
from course.machine import CannotRunError, Measurement


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


# --- the library that trains ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "asked", "chosen"),
    [
        ("", None, "tensorflow"),
        ("jax", None, "jax"),
        ("JAX", None, "jax"),
        ("jax", "tensorflow", "tensorflow"),
        ("tensorflow", "jax", "jax"),
        ("torch", None, "tensorflow"),
    ],
)
def test_the_library_is_asked_for_or_named_by_keras_backend(monkeypatch, named, asked, chosen):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", named)
    assert machine.backend(asked) == chosen


@pytest.mark.parametrize(("runs_on", "asked"), [("jax", "tensorflow"), ("tensorflow", "jax"), ("torch", None)])
def test_another_library_than_keras_runs_on_takes_a_new_python(monkeypatch, runs_on, asked):
    keras = SimpleNamespace(config=SimpleNamespace(backend=lambda: runs_on))
    monkeypatch.setitem(sys.modules, "keras", keras)
    with pytest.raises(CannotRunError, match=f"runs on {runs_on} in this process") as error:
        machine.backend(asked)
    assert one_sentence(str(error.value)) and f"KERAS_BACKEND={asked or 'tensorflow'}" in str(error.value)


def test_gpus_and_their_capability_are_read_from_the_library(monkeypatch):
    tf = machine.import_tensorflow()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [SimpleNamespace(name="GPU:0")])
    details = {"device_name": "NVIDIA A100", "compute_capability": (8, 0)}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
    assert machine.gpus() == ["NVIDIA A100"] and machine.compute_capability() == (8, 0)
    details.clear()
    assert machine.gpus() == ["GPU:0"] and machine.compute_capability() == ()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert machine.gpus() == [] and machine.compute_capability() == ()


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
