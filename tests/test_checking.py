"""The check itself, on a small made-up exercise and on every kind of bad answer."""

from __future__ import annotations

import sys
import threading
import warnings

import numpy as np
import pytest

from course.exercises import Case, Exercise, Mistake, check, hint, progress, reveal
from course.exercises.checking import check_exercise


def _cases(rng):
    return [Case((rng.normal(size=n),)) for n in (3, 5)] + [Case((rng.normal(size=4) * 1e6,), part="large numbers")]


MEAN = Exercise(
    id="4.1.99",
    title="The mean",
    points=2,
    minutes=3,
    difficulty=1,
    reference=lambda x: np.mean(x),
    cases=_cases,
    mistakes=(
        Mistake("sum", lambda x: np.sum(x), "That is the sum; divide by how many there are."),
        Mistake("median", lambda x: np.median(x), "That is the median."),
        Mistake("clipped", lambda x: np.mean(np.clip(x, -10, 10)), "You clip large numbers."),
    ),
    hints=("Add them up.", "Divide by `len(x)`."),
)
VALUE = Exercise(
    id="4.1.98",
    title="Ln 2",
    points=1,
    minutes=1,
    difficulty=1,
    kind="value",
    reference=float(np.log(2)),
    mistakes=(Mistake("log10", 0.30103, "That is the logarithm to base 10."),),
)
TEXT = Exercise(
    id="4.1.97",
    title="Why",
    points=1,
    minutes=1,
    difficulty=1,
    kind="text",
    reference="word " * 20,
    min_words=5,
    mistakes=(Mistake("bigger", lambda text: "always" in text, "Nothing is so always."),),
)


def run(answer, exercise=MEAN, **more):
    return check_exercise(exercise, answer, record=False, **more)


def spoil(x):
    x *= 0
    return 0.0


def loop_for_ever(x):
    while True:
        pass


def swallow_and_loop(x):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def print_and_loop(x):
    while True:
        print("again")


BAD = {
    "sum": (np.sum, "That is the sum"),
    "partly right": (
        lambda x: np.mean(np.clip(x, -10, 10)),
        "Right for ordinary inputs; not yet for large numbers. You clip",
    ),
    "returns None": (lambda x: None, "returned `None`. Does it end with `return`"),
    "prints instead": (lambda x: print(np.mean(x)), "returned `None`"),
    "raises": (lambda x: 1 / 0, "raised `ZeroDivisionError`: division by zero. It happened at"),
    "exits": (lambda x: sys.exit(3), "ended the program (`SystemExit`)"),
    "wrong sign": (lambda x: -np.mean(x), "Every number has the wrong sign. The smallest input"),
    "factor": (lambda x: 3 * np.mean(x), "Every number is 3 times the expected one"),
    "offset": (lambda x: np.mean(x) + 1, "off by the same amount, +1"),
    "wrong shape": (lambda x: x, "expected a number, got shape (3,)"),
    "extra axis": (lambda x: np.array([np.mean(x)]), "one axis of length 1 too many"),
    "square": (lambda x: np.equal.outer(x, x), "was broadcast to (n, n)"),
    "nan": (lambda x: float("nan"), "`nan` or `inf` where a finite number is expected"),
    "text": (lambda x: "0.2", "Expected a number; got text"),
    "object": (lambda x: object(), "cannot be read as numbers"),
    "ragged": (lambda x: [[1], [1, 2]], "cannot be read as numbers"),
    "a set": (lambda x: {1, 2}, "cannot be read as numbers"),
    "too many values": (lambda x: (1.0, 2.0), "Expected a number; got 2 values"),
    "wrong signature": (lambda: 1.0, "raised `TypeError`"),
    "not a function": (3.0, "asks for a function; you passed a float"),
    "an array": (np.zeros(3), "asks for a function; you passed a ndarray"),
    "a string dtype": (lambda x: np.array(["a"]), "The smallest input"),
    "complex": (lambda x: complex(0, 1), "Your result is complex; a real number is expected"),
    "in-place wrong": (spoil, "The smallest input"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_answers_get_a_sentence(kind, capsys):
    answer, sentence = BAD[kind]
    result = run(answer)
    assert result.status == "failed"
    assert sentence in result.message, result.message
    assert result.score < MEAN.points
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")


def test_partial_score_is_the_share_of_parts():
    assert run(lambda x: np.mean(np.clip(x, -10, 10))).score == 1.0
    assert run(np.sum).score == 0.0


@pytest.mark.parametrize("endless", [loop_for_ever, swallow_and_loop, print_and_loop])
def test_an_endless_loop_is_stopped_and_said_so(endless, capsys):
    result = run(endless, time_limit=0.3)
    assert result.status == "failed"
    assert "still running after 0.3 s and was stopped" in result.message
    assert len(result.printed) <= 4000
    assert capsys.readouterr() == ("", "")


def test_an_answer_that_cannot_be_stopped_asks_for_a_restart():
    done = threading.Event()
    result = run(lambda x: done.wait(30), time_limit=0.2)  # one long call: no exception reaches it
    done.set()
    assert "and was stopped" not in result.message
    assert "restart the kernel" in result.message


def test_prints_and_warnings_are_kept_and_shown_escaped(capsys):
    def noisy(x):
        print("<script>alert(1)</script>")
        warnings.warn("careful", stacklevel=1)
        print("to stderr", file=sys.stderr)
        return np.mean(x)

    result = run(noisy)
    assert result.status == "passed"
    assert "to stderr" in result.printed
    assert "<script>" not in result._repr_html_() and "&lt;script&gt;" in result._repr_html_()
    assert capsys.readouterr() == ("", "")


def test_the_answer_of_a_hostile_repr_is_escaped():
    result = run(lambda x: "<img src=x onerror=alert(1)>")
    assert "<img" not in result._repr_html_()


def test_right_answers_in_many_types():
    tf = pytest.importorskip("tensorflow")
    for answer in (
        np.mean,
        lambda x: float(np.mean(x)),
        lambda x: sum(x) / len(x),
        lambda x: tf.reduce_mean(x),
        lambda x: tf.reduce_mean(tf.cast(x, tf.float32)),
        tf.function(lambda x: tf.reduce_mean(x)),
        lambda x: np.array(np.mean(x)),
    ):
        assert run(answer).status == "passed"


def test_a_changed_input_passes_with_a_word():
    def shifts(x):
        mean = float(np.mean(x))
        x -= mean
        return mean

    result = run(shifts)
    assert result.status == "passed" and "changes its input in place" in result.message


@pytest.mark.parametrize("answer", [..., None])
def test_not_written(answer):
    assert run(answer).status == "not written"
    assert run(answer, VALUE).status == "not written"
    assert run(answer, TEXT).status == "not written"


VALUES = {
    "right": (0.693147, "passed", "Right."),
    "tensor-like": (np.float32(0.693147), "passed", "Right."),
    "one element": ([0.693147], "passed", "Right."),
    "known mistake": (0.30103, "failed", "base 10"),
    "too large": (2, "failed", "2 is too large."),
    "too small": (0.1, "failed", "0.1 is too small."),
    "function": (np.log, "failed", "asks for a value; you passed a function"),
    "text": ("ln 2", "failed", "Expected a number; got text"),
    "wrong shape": ([1.0, 2.0], "failed", "expected a number, got shape (2,)"),
    "object": (object(), "failed", "cannot be read as numbers"),
    "nan": (float("nan"), "failed", "not a number"),
}


@pytest.mark.parametrize("kind", VALUES)
def test_values(kind):
    answer, status, sentence = VALUES[kind]
    result = run(answer, VALUE)
    assert (result.status, sentence in result.message) == (status, True), result.message
    assert "0.69" not in result.message.replace(str(answer), "") or status == "passed", "the answer is not given away"


def test_texts():
    assert run("too short", TEXT).message.startswith("2 words are too few")
    assert run("It is always so, in every single case.", TEXT).mistake == "bigger"
    assert run("The loss falls because the step goes downhill.", TEXT).status == "passed"
    assert "you passed a float" in run(3.0, TEXT).message


def test_an_unknown_id_names_the_nearest():
    result = check("4.1.77", np.mean)
    assert result.status == "failed" and "There is no exercise '4.1.77'. Did you mean '4.1." in result.message
    assert "There is no exercise" in check(None, 3).message
    assert "There is no exercise" in repr(hint("nonsense"))


def test_an_answer_that_breaks_the_comparison_is_only_wrong():
    class Trap:
        def __array__(self, *args, **kwargs):
            raise RuntimeError("trap")

    assert run(lambda x: Trap()).status == "failed"
    assert run(Trap(), VALUE).status == "failed"


def test_hints_unfold_one_inside_the_other():
    html = run(np.sum)._repr_html_()
    assert html.index("Hint 1 of 2") < html.index("Hint 2 of 2")
    assert html.index("</details>") > html.index("Hint 2 of 2"), "the second fold is inside the first"
    assert "Hint" not in run(np.mean)._repr_html_()


def test_reveal():
    assert "made no prediction" in repr(reveal(..., 0.5))
    assert "off by +0.1" in repr(reveal(0.6, 0.5))
    assert "20 times too large" in repr(reveal(10, 0.5, "s"))
    assert repr(reveal(10, 0.5, "s")) == "Measured: 0.5 s. You predicted 10: 20 times too large."
    assert "4 times too small" in repr(reveal(0.125, 0.5))
    assert "A prediction is one number" in repr(reveal("lots", 0.5))
    assert repr(reveal(0.6, 0.35, how="Calculated")) == "Calculated: 0.35. You predicted 0.6: off by +0.25."


# --- progress -------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    progress.reset()
    yield tmp_path
    progress.reset()


def test_progress_keeps_the_best_and_counts(home):
    check_exercise(MEAN, np.sum)
    check_exercise(MEAN, np.mean)
    check_exercise(MEAN, lambda x: None)
    check_exercise(MEAN, ...)
    progress.reset()
    entry = progress.load()["4.1.99"]
    assert (entry["status"], entry["score"], entry["attempts"], entry["mistakes"]) == ("passed", 2.0, 3, ["sum"])


def test_a_damaged_progress_file_is_no_obstacle(home):
    (home / "progress").mkdir()
    (home / "progress" / "4.1.99.json").write_text("{not json")
    assert progress.load() == {}
    check_exercise(MEAN, np.mean)
    assert progress.load()["4.1.99"]["status"] == "passed"


def test_a_home_that_cannot_be_written(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("COURSE_HOME", str(blocked))
    progress.reset()
    assert check_exercise(MEAN, np.mean).status == "passed"
    assert progress.load()["4.1.99"]["status"] == "passed"
    assert "Progress cannot be saved in" in progress.problem() and "COURSE_HOME" in progress.problem()
    progress.reset()


def test_an_array_in_place_of_two_values_is_read_as_two_values():
    from course.exercises.checking import _difference, agree

    assert agree((1.0, 2.0), np.array([1.0, 2.0]), 1e-6, 1e-6)
    assert _difference((1.0, 2.0), np.array([1.0, 3.0])).startswith("Value 2 of 2 differs.")
    assert "got 3." in _difference((1.0, 2.0), np.zeros(3))
