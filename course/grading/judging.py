"""Marks for one student's answers, by questions asked from outside the sandbox.

A function is asked twice: on the inputs that `check` uses, which the student knows and messages may show, and on
hidden ones drawn from the class's seed, which give the score and are never shown. What comes back are plain values,
and they are compared here. An answer that might call the package's own is asked again where that function is gone.
"""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import textwrap
import threading
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from course.exercises import checking, registry
from course.exercises.checking import Reply, Result
from course.exercises.plain import Unreadable, plain
from course.exercises.specification import Case, Exercise
from course.grading import package, wire
from course.grading.classroom import Assignment, Classroom, Mark
from course.grading.graft import Grafted, Released
from course.grading.sandbox import Limits, Sandbox, StoppedError, lay_out
from course.grading.variants import exercise_for, public_seed

__all__ = ["CannotGradeError", "Tools", "judge"]

_JUDGING = threading.Lock()
"""One comparison at a time: it silences warnings, which are the process's."""

IMPORT_SECONDS = 180.0
"""For imports of libraries, TensorFlow among them: no student's clock."""

_APART = 1000

PATIENCE = 2.0
"""Times an exercise's own limit that its answer may take: several submissions share the machine."""


class CannotGradeError(Exception):
    """The machine failed, not the submission; the message is one sentence."""


class _SpoiledError(StoppedError):
    """An earlier answer of the same notebook spoiled the sandbox for this one, which has not been tried yet."""


class Tools:
    """What every submission of a run shares: the package's copies, the limits, the kind of sandbox.

    The copies are made in `folder`, which is emptied before and after. No sandbox sees what is in `hidden`.
    """

    def __init__(self, limits: Limits, trust: bool, folder: Path, hidden: Sequence[Path] = ()) -> None:
        self.limits, self.trust, self._hidden = limits, trust, tuple(hidden)
        self._folder = folder
        self.close()  # what a grading that was killed has left
        self._worker = lay_out(folder / "worker")
        self._lock = threading.Lock()
        self._copies: dict[frozenset[str], Path] = {}
        self._open: list[Sandbox] = []
        self._stopped = False

    def sandbox(self, slot: int, blocked: frozenset[str] = frozenset()) -> Sandbox:
        """A fresh sandbox; in its package the functions in `blocked` are gone."""
        with self._lock:
            if blocked not in self._copies:
                target = self._folder / str(len(self._copies))
                target.mkdir()
                self._copies[blocked] = package.without(target, blocked) if blocked else package.copy(target)
        try:
            sandbox = Sandbox(self._copies[blocked], self._worker, self.limits, self.trust, slot, self._hidden)
        except StoppedError as error:
            raise CannotGradeError(f"The sandbox did not start ({error}).") from None
        with self._lock:
            self._open = [other for other in self._open if not other.closed] + [sandbox]
            stopped = self._stopped
        if stopped:
            sandbox.close()
            raise CannotGradeError("The grading was stopped.")
        return sandbox

    def stop(self) -> None:
        """End every sandbox and start no other."""
        with self._lock:
            self._stopped, sandboxes = True, self._open
        for sandbox in sandboxes:
            sandbox.close()

    def close(self) -> None:
        """Remove the copies."""
        if self._folder.is_dir():
            shutil.rmtree(self._folder)


# --- replies --------------------------------------------------------------------------------------


def _word(value: Any, longest: int = 300) -> str:
    """A text from the sandbox for a sentence: short, one line, printable, no address of this machine."""
    text = value if isinstance(value, str) else ""
    text = "".join(c if c.isprintable() else " " for c in text[:longest])
    return re.sub(r"/(?:[\w.+-]+/)+[\w.+-]*", "(a path)", text)


def _value(found: Any) -> tuple[Any, str]:
    """The plain value in a reply, or why there is none."""
    if not isinstance(found, dict):
        raise wire.WireError("The reply is not of the form that the grader reads.")
    if "value" in found:
        try:
            return plain(wire.decode(found["value"])), ""
        except Unreadable as error:
            return None, _word(str(error), 500)
    return None, _word(found.get("unreadable"), 500) or "It cannot be read as numbers."


def _replies(found: Any, count: int) -> list[Reply]:
    if not isinstance(found, list) or len(found) > count:
        raise wire.WireError("The reply is not of the form that the grader reads.")
    replies = []
    for item in found:
        if isinstance(item, dict) and isinstance(item.get("error"), str):
            error = re.sub(r"\W", "", item["error"])[:80] or "Exception"
            not_written = item.get("not_written") is True
            replies.append(
                Reply(error=error, text=_word(item.get("text")), line=_word(item.get("line")), not_written=not_written)
            )
        else:
            value, why = _value(item)
            nothing, changed = (item.get(key) is True for key in ("nothing", "changed"))
            replies.append(Reply(value, nothing, why, changed_input=changed))
    return replies


# --- one exercise ---------------------------------------------------------------------------------

_ENDED = {
    "time": "Your answer was still running at the time limit and was stopped. Look for a loop that never ends.",
    "memory": "Your answer used more memory than there is for a submission and was stopped.",
    "processes": "Your answer started more processes than an answer needs and was stopped.",
    "garbled": "Your answer wrote where only the grader writes and was stopped.",
    "ended": "Your answer ended the program that it runs in.",
}


@dataclass
class Asked:
    """A function's replies on some cases; `late` when time ran out."""

    cases: list[Case]
    replies: list[Reply]
    late: bool = False


def _source(function: Callable[..., Any]) -> list[str]:
    """Name and text of a function that needs numpy alone: it can be called inside, thousands of times. Else []."""
    if not isinstance(function, types.FunctionType) or function.__closure__ or function.__name__ == "<lambda>":
        return []
    used = {name for name in package.names_in(function.__code__) if name in function.__globals__}
    if used - {"np", "math"}:
        return []
    text = textwrap.dedent(inspect.getsource(function))
    return [function.__name__, f"from __future__ import annotations\n{text}"]


@dataclass
class _Sitting:
    """One sandbox with a submission's cells read: asks for one exercise at a time."""

    sandbox: Sandbox
    plans: dict[str, Any]
    loaded: set[str] = field(default_factory=set)
    tensorflow: bool = False
    used: bool = False
    spent: float = 0.0
    """Seconds in which the student's code could run."""

    def warm(self, id_: str) -> None:
        """Import what the answer will import. Only where nothing of the student's has run is a failure the machine's."""
        try:
            self.sandbox.request("warm", "warm", IMPORT_SECONDS, exercise=id_)
        except StoppedError as error:
            if self.used:
                raise _SpoiledError(error.why) from None
            raise CannotGradeError(f"The libraries could not be imported in the sandbox ({error}).") from None

    def _timed(self, do: str, last: str, seconds: float, **fields: Any) -> dict[str, Any]:
        self.used, began = True, time.monotonic()
        try:
            return self.sandbox.request(do, last, seconds + 10, within=seconds, **fields)
        finally:
            self.spent += time.monotonic() - began

    def build(self, id_: str, seconds: float, everything: bool = False) -> dict[str, Any]:
        """Run the answer's cell and what it needs."""
        return self._timed("build", "built", seconds, exercise=id_, everything=everything)

    def ask(self, id_: str, cases: list[Case], seconds: float) -> Asked:
        """Call the answer on the cases."""
        functions: list[Callable[..., Any]] = []

        def number(function: Callable[..., Any]) -> int:
            functions.append(function)
            return len(functions) - 1

        def call(index: int, arguments: Any) -> Any:
            if not isinstance(arguments, tuple):
                raise wire.WireError("The arguments are no tuple.")
            return functions[index](*arguments)

        inputs = [wire.encode(tuple(case.args), number) for case in cases]
        sources = {str(i): source for i, function in enumerate(functions) if (source := _source(function))}
        found = self._timed("call", "replies", seconds, function=call, exercise=id_, inputs=inputs, sources=sources)
        loaded = found.get("loaded")
        self.loaded = {name for name in loaded if isinstance(name, str)} if isinstance(loaded, list) else set()
        replies = _replies(found["replies"], len(cases))
        late = found.get("timed_out") is True or found.get("stuck") is True or len(replies) < len(cases)
        if late and found.get("tensorflow") is True and not self.tensorflow and not functions:
            self.tensorflow = True  # its first import took the time that was the student's
            return self.ask(id_, cases, seconds)
        if late:
            self.sandbox.close()  # what was stopped in the middle may still hold the pipe
        return Asked(cases, replies, late)


@cache
def _answers_elsewhere() -> frozenset[str]:
    """The package's functions that are some exercise's reference."""
    found = set()
    for exercise in registry().values():
        function = exercise.reference
        if isinstance(function, types.FunctionType):
            found.add(f"{function.__module__}.{function.__qualname__}")
    return frozenset(found)


@cache
def _reachable(name: str) -> frozenset[str] | None:
    """The package's functions that an imported name leads to; None when that cannot be said."""
    module, _, attribute = name.rpartition(".")
    try:
        start = getattr(importlib.import_module(module), attribute) if module else None
    except Exception:  # a name of the student's may be anything
        return None
    if not isinstance(start, types.FunctionType):
        return None if not isinstance(start, int | float | str) else frozenset()
    found: set[str] = set()
    todo: list[Any] = [start]
    while todo:
        function = inspect.unwrap(todo.pop())
        key = f"{function.__module__}.{function.__qualname__}"
        if key in found or not package.is_own(function):
            continue
        found.add(key)
        names = set(package.names_in(function.__code__))
        for value in [function.__globals__.get(each) for each in names]:
            values = [getattr(value, each, None) for each in names] if isinstance(value, types.ModuleType) else [value]
            todo += [each for each in values if isinstance(each, types.FunctionType)]
    return frozenset(found)


class _Judge:
    """The marks of one notebook of one student."""

    def __init__(
        self, classroom: Classroom, assignment: Assignment, student: str, released: Released, tools: Tools, slot: int
    ) -> None:
        self._class, self._assignment, self._student = classroom, assignment, student
        self._released, self._tools, self._slot = released, tools, slot
        self._spent = 0.0
        self.odd: list[str] = []

    def _exercise(self, id_: str) -> Exercise:
        with _JUDGING:
            return exercise_for(self._class, self._assignment, self._student, id_)

    def _mark(self, result: Result, answer: str) -> Mark:
        status = result.status
        message = result.message if status != "not written" else "Nothing was written here."
        return Mark(status, round(result.score, 6), result.points, message, result.mistake, answer)

    def _failed(self, exercise: Exercise, message: str) -> Result:
        return Result(exercise.id, "failed", message, points=exercise.points, title=exercise.title)

    # --- reading ---

    def _sit(self, grafted: Grafted, ids: Sequence[str], blocked: frozenset[str] = frozenset()) -> _Sitting:
        """A sandbox that has read the cells. A cell that brings the reading down is left out."""
        exercises = {id_: {"cell": grafted.places[id_], "name": self._released.answers[id_].name} for id_ in ids}
        for _ in range(4):
            # Side by side with the first sandbox it needs a user of its own, whose processes are counted apart.
            sandbox = self._tools.sandbox(self._slot + (_APART if blocked else 0), blocked)
            try:
                seconds = 30.0
                found = sandbox.request("read", "plans", seconds, cells=grafted.cells, exercises=exercises)
                plans = found["plans"]
                if not isinstance(plans, dict) or set(plans) != set(exercises):
                    raise CannotGradeError("The sandbox's reading of the cells made no sense.")
                return _Sitting(sandbox, plans)
            except StoppedError:
                bad = sandbox.reached + 1
                if bad >= len(grafted.cells):
                    break
                self.odd.append(f"Cell {bad + 1} brought the reading down and was left out.")
                grafted.cells[bad] = {**grafted.cells[bad], "text": ""}
            except BaseException:
                sandbox.close()
                raise
        raise CannotGradeError("The cells could not be read.")

    # --- the kinds ---

    def _built(self, sitting: _Sitting, exercise: Exercise) -> dict[str, Any] | Result:
        """The worker's word on the answer's name, or a result where there is nothing to ask."""
        plan = sitting.plans[exercise.id]
        if plan["error"]:
            return self._failed(exercise, f"Python cannot read this cell: {_word(plan['error'])}.")
        sitting.warm(exercise.id)
        seconds = PATIENCE * exercise.time_limit
        found = sitting.build(exercise.id, seconds)
        if found["built"] == "missing" and found.get("stuck") is not True:
            found = sitting.build(exercise.id, seconds, everything=True)
        if found["built"] == "empty":
            return checking.not_written(exercise)
        if found["built"] == "missing":
            name = self._released.answers[exercise.id].name
            message = f"Your cell does not define `{name}`."
            if found.get("timed_out") is True:
                message = _ENDED["time"]
            elif isinstance(found.get("error"), dict) and not plan["reaches"]:
                error = re.sub(r"\W", "", str(found["error"].get("error")))[:80]
                message = f"Your cell stopped with `{error}`: {_word(found['error'].get('text'))}."
            return self._failed(exercise, message)
        return found

    def _text(self, sitting: _Sitting, exercise: Exercise) -> tuple[Result, Any]:
        words: Any = sitting.plans[exercise.id]["literal"]
        if words is None:
            found = self._built(sitting, exercise)
            if isinstance(found, Result):
                return found, None
            words, why = _value(found.get("value"))
            if why or not isinstance(words, str):
                words = why or words
                return self._failed(exercise, "This exercise asks for text in quotes."), None
        with _JUDGING:
            return checking.judge_text(exercise, words), words

    def _number(self, sitting: _Sitting, exercise: Exercise) -> Result:
        found = self._built(sitting, exercise)
        if isinstance(found, Result):
            return found
        if found["built"] == "function":
            return self._failed(exercise, "This exercise asks for a value; you wrote a function.")
        value, why = _value(found.get("value"))
        if why:
            return self._failed(exercise, why)
        with _JUDGING:
            return checking.judge_value(exercise, value)

    def _hidden(self, exercise: Exercise) -> list[Case]:
        with _JUDGING:
            return checking.draw(
                exercise, self._class.seed_for("hidden", self._assignment.name, self._student, exercise.id)
            )

    def _asked(self, sitting: _Sitting, exercise: Exercise, cases: list[Case], public: bool) -> Result:
        """Ask about these cases and judge the replies."""
        seconds = PATIENCE * exercise.time_limit
        asked = sitting.ask(exercise.id, cases, seconds)
        if asked.replies and asked.replies[0].not_written:
            return checking.not_written(exercise)
        if asked.late:
            return self._failed(exercise, _ENDED["time"])
        with _JUDGING:
            try:
                return checking.judge_function(exercise, asked.cases, asked.replies, public=public)
            except Exception as error:  # plain values that trip even the comparison are a wrong answer
                return self._failed(exercise, f"Your answer could not be compared ({type(error).__name__}).")

    def _function(self, sitting: _Sitting, exercise: Exercise) -> Result:
        found = self._built(sitting, exercise)
        if isinstance(found, Result):
            return found
        if found["built"] != "function":
            return checking.not_a_function(exercise, re.sub(r"\W", "", str(found.get("type")))[:60])
        with _JUDGING:
            seed = public_seed(self._class, self._assignment, self._student, exercise.id)
            cases = checking.draw(exercise, seed)
        # What an answer that reaches for files says might be what it found there.
        public = not sitting.plans[exercise.id]["reaches"]
        known = self._asked(sitting, exercise, cases, public)
        if known.status == "failed" and "`NameError`" in known.message and self._rebuilt(sitting, exercise):
            known = self._asked(sitting, exercise, cases, public)
        if known.status == "not written" or known.message == _ENDED["time"]:
            return known
        hidden = self._asked(sitting, exercise, self._hidden(exercise), public=False)
        if hidden.status == "passed":
            return hidden if "work on a copy" in hidden.message else replace(hidden, message="Right.")
        if hidden.status == "not written" or hidden.mistake:
            return hidden
        shown = known if known.status == "failed" else hidden
        if shown is known and not public and not known.mistake and not known.score:
            shown = replace(known, message="Not right on the inputs of `check`, which says more in the notebook.")
        return replace(hidden, message=shown.message, mistake=shown.mistake)

    def _rebuilt(self, sitting: _Sitting, exercise: Exercise) -> bool:
        found = sitting.build(exercise.id, PATIENCE * exercise.time_limit, everything=True)
        return bool(found["built"] == "function")

    # --- the package's own answer ---

    def _own(self, exercise: Exercise) -> frozenset[str]:
        answer = self._released.answers[exercise.id]
        handed: set[str] = set()
        for cell in self._released.cells[: answer.cell + 1]:
            if cell["cell_type"] == "code":
                for module, names in re.findall(r"(?m)^from (course[\w.]*) import ([\w, ]+)", Released.text(cell)):
                    handed |= {f"{module}.{name.split(' as ')[0].strip()}" for name in names.split(",")}
        return package.own_answers(exercise, frozenset(handed) | _answers_elsewhere())

    def _suspect(self, sitting: _Sitting, exercise: Exercise, own: frozenset[str]) -> bool:
        """Whether a right answer might be the package's."""
        plan = sitting.plans[exercise.id]
        if plan["reaches"]:
            return True
        imports = [name for name in plan["imports"] if isinstance(name, str)]
        if not imports:
            return any(name.rpartition(".")[0] in sitting.loaded for name in own)
        reached = [_reachable(name) for name in imports]
        return any(functions is None or functions & own for functions in reached)

    def _without(self, exercise: Exercise, grafted: Grafted, own: frozenset[str]) -> float | None:
        """The score where the package's own answer is gone; None when the answer came to no end there."""
        try:
            sitting = self._sit(grafted, [exercise.id], own)
            with sitting.sandbox:
                found = self._built(sitting, exercise)
                if isinstance(found, Result) or found["built"] != "function":
                    return 0.0
                again = self._asked(sitting, exercise, self._hidden(exercise), public=False)
                if again.message == _ENDED["time"]:
                    return None
                if again.score == 0 and self._rebuilt(sitting, exercise):
                    again = self._asked(sitting, exercise, self._hidden(exercise), public=False)
                return again.score
        except (StoppedError, wire.WireError):
            return None

    def _verified(self, exercise: Exercise, result: Result, grafted: Grafted, own: frozenset[str]) -> Result:
        """The result, or nothing earned where the answer is less without the package's own."""
        score = self._without(exercise, grafted, own)
        if score is None:  # a busy machine, perhaps
            score = self._without(exercise, grafted, own)
        if score is not None and score >= result.score:
            return result
        name = " or ".join(f"`{name}`" for name in sorted(own))
        if score is None:
            self.odd.append(f"{exercise.id}: right, but it did not come to an end with the package's own answer gone.")
            message = f"This is right only while the package's own answer ({name}) is there, so it earns nothing."
        else:
            self.odd.append(f"{exercise.id}: the answer calls the package's own.")
            message = f"This calls the package's own answer ({name}), so it earns nothing. Write it yourself."
        return replace(result, status="failed", score=0.0, message=message, mistake="")

    # --- all of them ---

    def _one(self, sitting: _Sitting, exercise: Exercise, grafted: Grafted) -> Mark:
        answer = grafted.answers[exercise.id]
        if sitting.plans[exercise.id]["reaches"]:
            words = ", ".join(_word(word, 60) for word in sitting.plans[exercise.id]["reaches"])
            self.odd.append(f"{exercise.id}: the answer, or what it uses, has {words}.")
        if exercise.kind == "text":
            result, words = self._text(sitting, exercise)
            if words is None or result.status == "not written":
                return self._mark(result, answer)
            remark = result.message if result.status == "failed" else ""
            return Mark("manual", None, exercise.points, remark, result.mistake, answer)
        if exercise.kind == "value":
            return self._mark(self._number(sitting, exercise), answer)
        result = self._function(sitting, exercise)
        if result.score > 0:
            own = self._own(exercise)
            if own and self._suspect(sitting, exercise, own):
                result = self._verified(exercise, result, grafted, own)
        return self._mark(result, answer)

    def marks(self, grafted: Grafted) -> dict[str, Mark]:
        """The marks of all graded exercises of the notebook that the submission has a cell of."""
        pending = [id_ for id_ in self._released.answers if id_ in self._assignment.points and id_ in grafted.found]
        marks: dict[str, Mark] = {}
        while pending:
            sitting = self._sit(grafted, pending)
            with sitting.sandbox:
                while pending:
                    exercise = self._exercise(pending.pop(0))
                    if self._spent > self._tools.limits.seconds:
                        result = self._failed(exercise, "The time for the submission was used up before this exercise.")
                        marks[exercise.id] = self._mark(result, grafted.answers[exercise.id])
                        continue
                    try:
                        marks[exercise.id] = self._one(sitting, exercise, grafted)
                    except _SpoiledError:
                        pending.insert(0, exercise.id)
                        break
                    except (StoppedError, wire.WireError) as error:
                        why = error.why if isinstance(error, StoppedError) else "garbled"
                        if why != "time":
                            self.odd.append(f"{exercise.id}: {_ENDED[why].replace('Your answer', 'The answer')}")
                        result = self._failed(exercise, _ENDED[why])
                        marks[exercise.id] = self._mark(result, grafted.answers[exercise.id])
                        break
                    finally:
                        self._spent += sitting.spent
                        sitting.spent = 0.0
                    if sitting.sandbox.closed:
                        break
        return marks


def judge(
    classroom: Classroom,
    assignment: Assignment,
    student: str,
    released: Released,
    grafted: Grafted,
    tools: Tools,
    slot: int = 0,
) -> tuple[dict[str, Mark], list[str]]:
    """Marks of a student's answers in one notebook, by exercise, and what was odd.

    Exercises without a cell have no mark here. Raises CannotGradeError when the machine fails.
    """
    judging = _Judge(classroom, assignment, student, released, tools, slot)
    marks = judging.marks(grafted)
    return marks, [*grafted.odd, *judging.odd]
