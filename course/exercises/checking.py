"""Check an answer: compare it with the reference, and on a mismatch find out what went wrong.

`check` never raises and writes nothing: it returns a `Result`, which shows itself as a coloured box
in a notebook and as plain text elsewhere.
"""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course.exercises import progress
from course.exercises.plain import Unreadable, plain
from course.exercises.result import Result, Status
from course.exercises.running import Outcome, Runs, run
from course.exercises.specification import Case, Exercise, Mistake

__all__ = ["Result", "check_exercise"]

# --- values ---------------------------------------------------------------------------------------


def shape_of(value: Any) -> str:
    """The shape in words: "a number", "shape (5, 3)", "2 values"."""
    if isinstance(value, tuple):
        return f"{len(value)} values"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "a dictionary"
    array = np.asarray(value)
    return "a number" if array.ndim == 0 else f"shape {array.shape}"


def _as_tuple(got: Any) -> Any:
    """An array in place of several values stands for them, row by row."""
    return tuple(got) if isinstance(got, np.ndarray) and got.ndim >= 1 else got


def agree(expected: Any, got: Any, rtol: float, atol: float) -> bool:
    """Whether two plain values agree in structure and, within the tolerances, in every number."""
    if isinstance(expected, Mapping):
        return (
            isinstance(got, Mapping)
            and expected.keys() == got.keys()
            and all(agree(expected[key], got[key], rtol, atol) for key in expected)
        )
    if isinstance(expected, tuple):
        got = _as_tuple(got)
        return (
            isinstance(got, tuple)
            and len(got) == len(expected)
            and all(agree(np.asarray(e), np.asarray(g), rtol, atol) for e, g in zip(expected, got, strict=True))
        )
    if isinstance(expected, str) or isinstance(got, str):
        return isinstance(expected, str) and isinstance(got, str) and expected.strip().lower() == got.strip().lower()
    if isinstance(got, tuple | Mapping):
        return False
    expected, got = np.asarray(expected), np.asarray(got)
    if expected.dtype.kind == "U" or got.dtype.kind == "U":
        return bool(np.array_equal(expected, got))
    return expected.shape == got.shape and bool(np.allclose(got, expected, rtol=rtol, atol=atol, equal_nan=True))


# --- what went wrong ------------------------------------------------------------------------------


def _format(value: Any) -> str:
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(_format(item) for item in value) + ")"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_format(item)}" for key, item in value.items()) + "}"
    if callable(value):
        return getattr(value, "__name__", "a function")
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():.6g}" if array.dtype.kind in "iufb" else str(array.item())
    return np.array2string(array, precision=4, suppress_small=True, threshold=24, edgeitems=3, separator=", ")


def _inputs(exercise: Exercise, case: Case) -> str:
    names = list(inspect.signature(exercise.reference).parameters)
    names += [f"argument {i + 1}" for i in range(len(names), len(case.args))]
    return "\n".join(
        f"{name} = {_format(arg)}" + ("" if callable(arg) or np.ndim(arg) == 0 else f"   # {shape_of(arg)}")
        for name, arg in zip(names, case.args, strict=False)
    )


def _pattern(expected: np.ndarray, got: np.ndarray) -> str:
    """A sentence when the wrong numbers are the right ones times, or plus, one constant."""
    e, g = expected, got
    if not (np.isfinite(e).all() and np.isfinite(g).all()):
        return ""
    big = np.abs(e) > 1e-9
    if big.sum() >= 2 and np.allclose(g[~big], 0, atol=1e-7):
        ratio = g[big] / e[big]
        if np.allclose(ratio, ratio[0], rtol=1e-4) and abs(ratio[0]) > 1e-9:
            if np.isclose(ratio[0], -1):
                return "Every number has the wrong sign."
            return f"Every number is {ratio[0]:.4g} times the expected one."
    if e.size >= 2 and np.allclose(g - e, (g - e)[0], rtol=1e-4, atol=1e-9):
        return f"Every number is off by the same amount, {(g - e)[0]:+.4g}."
    return ""


def _difference(expected: Any, got: Any) -> str:
    """One sentence on how `got` differs from `expected`."""
    if isinstance(expected, tuple):
        got = _as_tuple(got)
        count = len(got) if isinstance(got, tuple) else 1
        if count != len(expected):
            return f"Expected {len(expected)} values (a tuple, as in `a, b`); got {count}."
        for i, (e, g) in enumerate(zip(expected, got, strict=True)):
            if not agree(e, g, 1e-4, 1e-6):
                return f"Value {i + 1} of {len(expected)} differs. " + _difference(e, g)
    if isinstance(expected, Mapping):
        if not isinstance(got, Mapping):
            return f"Expected a dictionary with the keys {', '.join(map(str, expected))}; got {shape_of(got)}."
        missing = [str(key) for key in expected if key not in got]
        return f"The key {missing[0]!r} is missing." if missing else "The values differ."
    if isinstance(expected, str) or isinstance(got, str | tuple | Mapping):
        return f"Expected {shape_of(expected)}; got {shape_of(got)}."
    e, g = np.asarray(expected), np.asarray(got)
    if e.shape != g.shape:
        sentence = f"The shape is wrong: expected {shape_of(e)}, got {shape_of(g)}."
        if g.ndim == e.ndim + 1 and g.size == e.size:
            sentence += " There is one axis of length 1 too many; `reshape` or `[:, 0]` drops it."
        elif g.ndim == 2 and g.shape[0] == g.shape[1] and (e.ndim < 2):
            sentence += " A square result often means that (n, 1) met (n,) and was broadcast to (n, n)."
        return sentence
    if g.dtype.kind == "c" and e.dtype.kind != "c":
        return "Your result is complex; a real number is expected. Look for a square root or log of a negative number."
    if not np.isfinite(g.astype(complex)).all() and np.isfinite(e.astype(complex)).all():
        return "Your result has `nan` or `inf` where a finite number is expected: look for a log of 0 or an overflow."
    return _pattern(e.astype(float).ravel(), g.astype(float).ravel()) or "The numbers differ."


def _pattern_over(expected: Sequence[Any], got: Sequence[Any]) -> str:
    """The pattern over all cases together: one number a case says little, five say much."""
    pairs = list(zip(expected, got, strict=True))
    if not all(isinstance(v, np.ndarray) and v.dtype.kind in "biuf" for pair in pairs for v in pair):
        return ""
    if any(e.shape != g.shape for e, g in pairs):
        return ""
    flat = [np.concatenate([v.astype(float).ravel() for v in side]) for side in zip(*pairs, strict=True)]
    return _pattern(flat[0], flat[1])


@dataclass(frozen=True)
class Reply:
    """What one call gave, as it is judged: a plain value, or in words why there is none.

    `error` is the type of an exception, `text` its first line and `line` the code that raised it;
    `unreadable` says why a value is none that can be compared.
    """

    value: Any = None
    nothing: bool = False
    unreadable: str = ""
    error: str = ""
    text: str = ""
    line: str = ""
    not_written: bool = False
    changed_input: bool = False

    @property
    def output(self) -> Any:
        """The plain value; an exception or an unreadable value gives its type."""
        return f"raised {self.error}" if self.error else "unreadable" if self.unreadable else self.value


def _reply(outcome: Outcome) -> Reply:
    error = outcome.error
    if error is not None:
        return Reply(
            error=type(error).__name__,
            text=str(error).strip().split("\n")[0][:300],
            line=outcome.line,
            not_written=isinstance(error, NotImplementedError),
        )
    try:
        value, unreadable = plain(outcome.value), ""
    except Unreadable as why:
        value, unreadable = None, str(why)
    return Reply(value, outcome.value is None, unreadable, changed_input=outcome.changed_input)


def _raised(reply: Reply) -> str:
    if reply.error == "SystemExit":
        return "Your function ended the program (`SystemExit`). Return a value instead."
    where = f" It happened at `{reply.line}`." if reply.line else ""
    return f"Your function raised `{reply.error}`: {reply.text or 'no message'}.".replace("..", ".") + where


def _quietly(function: Callable[..., Any], cases: Sequence[Case]) -> list[Any]:
    """Outputs of the course's own code (a reference or a mistake), warnings off."""
    found = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in cases:
            try:
                found.append(plain(function(*case.args)))
            except Exception as error:
                found.append(f"raised {type(error).__name__}")
    return found


def _known_mistake(exercise: Exercise, cases: Sequence[Case], got: Sequence[Any]) -> Mistake | None:
    """The first mistake whose outputs are the student's, on every case."""
    for mistake in exercise.mistakes:
        theirs = _quietly(mistake.answer, cases)
        if all(agree(t, g, exercise.rtol, exercise.atol) for t, g in zip(theirs, got, strict=True)):
            return mistake
    return None


# --- the three kinds ------------------------------------------------------------------------------


def _result(exercise: Exercise, status: Status, message: str, **more: Any) -> Result:
    return Result(
        exercise_id=exercise.id,
        status=status,
        message=message,
        points=exercise.points,
        title=exercise.title,
        hints=() if status == "passed" else exercise.hints,
        **more,
    )


NOT_WRITTEN = "Not written yet. Write your answer in the cell above, run it, then run this cell again."


def not_written(exercise: Exercise) -> Result:
    """The result where nothing has been written yet."""
    return _result(exercise, "not written", NOT_WRITTEN)


def _check_value(exercise: Exercise, answer: Any) -> Result:
    if answer is None or answer is ...:
        return not_written(exercise)
    if callable(answer) and not hasattr(answer, "numpy"):
        return _result(exercise, "failed", "This exercise asks for a value; you passed a function. Call it first.")
    try:
        got = plain(answer)
    except Unreadable as error:
        return _result(exercise, "failed", str(error))
    return judge_value(exercise, got)


def judge_value(exercise: Exercise, got: Any) -> Result:
    """The result of a value exercise whose answer is the plain value `got`."""
    expected = plain(exercise.reference() if callable(exercise.reference) else exercise.reference)
    if isinstance(got, np.ndarray) and got.size == 1 and isinstance(expected, np.ndarray):
        got = got.reshape(expected.shape) if expected.size == 1 else got
    if exercise.compare:
        problem = exercise.compare(expected, got, Case(args=()))
        right = problem is None
    else:
        problem, right = "", agree(expected, got, exercise.rtol, exercise.atol)
    if right:
        return _result(exercise, "passed", "Right.", score=exercise.points)
    for mistake in exercise.mistakes:
        if agree(plain(mistake.answer), got, exercise.rtol, exercise.atol):
            return _result(exercise, "failed", mistake.message, mistake=mistake.name)
    if problem:
        return _result(exercise, "failed", problem)
    if isinstance(expected, np.ndarray) and isinstance(got, np.ndarray) and expected.ndim == got.ndim == 0:
        if expected.dtype.kind == "b" or got.dtype.kind == "b":
            return _result(exercise, "failed", f"{_format(got)} is not it.")
        where = "too large" if got > expected else "too small"
        return _result(exercise, "failed", f"{_format(got)} is {where if np.isfinite(got) else 'not a number'}.")
    if type(expected) is not type(got) or np.shape(expected) != np.shape(got):
        return _result(exercise, "failed", _difference(expected, got))
    return _result(exercise, "failed", f"{_format(got)} is not it.")


def judge_text(exercise: Exercise, answer: Any) -> Result:
    """The result of a text exercise: whether it is long enough and makes no known mistake."""
    if answer is None or answer is ... or (isinstance(answer, str) and not answer.strip(" .\n\t")):
        return not_written(exercise)
    if not isinstance(answer, str):
        return _result(
            exercise, "failed", f"This exercise asks for text in quotes; you passed a {type(answer).__name__}."
        )
    words = len(answer.split())
    if words < exercise.min_words:
        return _result(
            exercise,
            "failed",
            f"{words} words are too few to make the point; write at least {exercise.min_words}.",
        )
    for mistake in exercise.mistakes:
        if mistake.answer(answer.lower()):
            return _result(exercise, "failed", mistake.message, mistake=mistake.name)
    return _result(
        exercise,
        "passed",
        "Recorded. No program can mark an argument: compare yours with the answered edition.",
        score=exercise.points,
    )


def _stopped(exercise: Exercise, runs: Runs, seconds: float) -> Result:
    if runs.interrupted:
        message = "The check was interrupted before your function returned."
    else:
        stopped = "" if runs.still_running else " and was stopped"
        message = (
            f"Your function was still running after {seconds:g} s{stopped}. "
            "Look for a loop whose condition never becomes false, or a loop over far too many items."
        )
    if runs.still_running:
        message += " It could not be stopped, so restart the kernel (Kernel → Restart) before you go on."
    return _result(exercise, "failed", message, printed=runs.printed)


def not_a_function(exercise: Exercise, kind: str) -> Result:
    """The result where a function is asked for and something of the type `kind` was given."""
    return _result(
        exercise,
        "failed",
        f"This exercise asks for a function; you passed a {kind}. "
        f'Pass the function itself, without calling it: `check("{exercise.id}", name)`.',
    )


def draw(exercise: Exercise, seed: int) -> list[Case]:
    """The cases that a seed gives, the smallest first."""
    assert exercise.cases is not None
    return sorted(exercise.cases(np.random.default_rng(seed)), key=lambda case: case.size)


def _check_function(exercise: Exercise, answer: Any, seed: int, seconds: float) -> Result:
    if answer is ... or answer is None:
        return not_written(exercise)
    if not callable(answer):
        return not_a_function(exercise, type(answer).__name__)
    cases = draw(exercise, seed)
    runs = run(answer, [case.args for case in cases], seconds)
    if runs.outcomes and isinstance(runs.outcomes[0].error, NotImplementedError):
        return not_written(exercise)
    if runs.timed_out or runs.interrupted:
        return _stopped(exercise, runs, seconds)
    return judge_function(exercise, cases, [_reply(outcome) for outcome in runs.outcomes], runs.printed)


@dataclass(frozen=True)
class Compared:
    """Replies beside what was expected: for each case None where it is right, else a sentence or ""."""

    expected: list[Any]
    problems: list[str | None]
    right: list[str]
    wrong: list[str]

    @property
    def share(self) -> float:
        """Share of the parts that are right."""
        return len(self.right) / (len(self.right) + len(self.wrong))

    @property
    def head(self) -> str:
        """A sentence on the parts, where some are right and some are not."""
        if not (self.right and self.wrong):
            return ""
        return f"Right for {', '.join(self.right)}; not yet for {', '.join(self.wrong)}. "


def compare(exercise: Exercise, cases: Sequence[Case], replies: Sequence[Reply]) -> Compared:
    """Hold the replies to the reference's outputs. A part is right when all of its cases are."""
    expected = _quietly(exercise.reference, cases)
    problems: list[str | None] = []
    for case, e, reply in zip(cases, expected, replies, strict=True):
        if reply.error:
            problems.append(_raised(reply))
        elif exercise.compare:
            problems.append(exercise.compare(e, reply.output, case))
        else:
            problems.append(None if agree(e, reply.output, exercise.rtol, exercise.atol) else "")
    parts = list(dict.fromkeys(case.part for case in cases))
    wrong = {case.part for case, problem in zip(cases, problems, strict=True) if problem is not None}
    return Compared(expected, problems, [p for p in parts if p not in wrong], [p for p in parts if p in wrong])


def judge_function(
    exercise: Exercise, cases: Sequence[Case], replies: Sequence[Reply], printed: str = "", public: bool = True
) -> Result:
    """The result of a function exercise from the replies to its cases.

    With `public` False the message names the parts and the known mistake and nothing else: no input, no
    number, no word of the answer's own.
    """
    compared = compare(exercise, cases, replies)
    score = exercise.points * compared.share
    if not compared.wrong:
        message = f"Right, on all {len(cases)} inputs tried."
        if any(reply.changed_input for reply in replies):
            message += " One thing to mend: your function changes its input in place; work on a copy."
        return _result(exercise, "passed", message, score=score, printed=printed)

    got = [reply.output for reply in replies]
    mistake = _known_mistake(exercise, cases, got)
    if mistake is not None:
        return _result(
            exercise, "failed", compared.head + mistake.message, score=score, mistake=mistake.name, printed=printed
        )
    if not public:
        message = compared.head or "Not right on inputs of the same kind, drawn for the grading. "
        return _result(exercise, "failed", message.strip(), score=score)
    if all(reply.nothing for reply in replies):
        message = "Your function returned `None`. Does it end with `return` and the result?"
        return _result(exercise, "failed", message, printed=printed)

    first = next(i for i, problem in enumerate(compared.problems) if problem is not None)
    expected = compared.expected
    shown = f"\n\n```\n{_inputs(exercise, cases[first])}\n"
    if not replies[first].error:
        if not exercise.compare:  # where many answers are right, the reference's would mislead
            shown += f"\nexpected  {_format(expected[first])}"
        shown += f"\ngot       {_format(got[first])}\n"
    shown += "```"
    sentence = compared.problems[first] or replies[first].unreadable
    if not sentence:
        sentence = _pattern_over(expected, got) or _difference(expected[first], got[first])
    return _result(
        exercise,
        "failed",
        f"{compared.head}{sentence} The smallest input tried that shows it:{shown}",
        score=score,
        printed=printed,
    )


def check_exercise(
    exercise: Exercise,
    answer: Any,
    *,
    seed: int = 0,
    time_limit: float | None = None,
    record: bool = True,
) -> Result:
    """Check `answer` against `exercise`; see `course.exercises.check`."""
    try:
        exercise = exercise.drawn(seed)
        if exercise.kind == "function":
            result = _check_function(exercise, answer, seed, time_limit or exercise.time_limit)
        elif exercise.kind == "text":
            result = judge_text(exercise, answer)
        else:
            result = _check_value(exercise, answer)
    except Exception as error:  # an answer that defeats even the comparison is still only a wrong answer
        result = _result(
            exercise,
            "failed",
            f"Your answer could not be compared ({type(error).__name__}: {str(error)[:200]}). "
            "Return a number, an array of numbers, or a tuple of these.",
        )
    if record:
        progress.record(result.exercise_id, result.status, result.score, result.mistake)
    return result


def unknown(exercise_id: Any, known: Sequence[str]) -> Result:
    """The result for an id that no exercise has, naming the nearest one."""
    near = difflib.get_close_matches(str(exercise_id), known, n=1, cutoff=0.0)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return Result(str(exercise_id), "failed", f"There is no exercise {str(exercise_id)!r}.{hint}")
