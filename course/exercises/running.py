"""Run a student's function: with a time limit, its prints caught, and never an exception out.

The function runs in a thread of its own, so that the limit works on every system and in every
kernel. At the limit the thread is told to stop by an exception raised inside it; code that
swallows that exception, or sits in one long call, is left behind, and the outcome says so.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import io
import linecache
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Outcome", "Runs", "run"]

PRINT_LIMIT = 4000


class TimeLimit(BaseException):
    """Raised inside the student's thread at the limit; not an Exception, so `except Exception` lets it by."""


class _Printed(io.StringIO):
    """Keeps the first characters of what is printed: an endless loop that prints fills no memory."""

    def write(self, text: str) -> int:
        room = PRINT_LIMIT - self.tell()
        if room > 0:
            super().write(text[:room])
        return len(text)


@dataclass
class Outcome:
    """What one call gave: a value, or the exception it raised and the line that raised it."""

    value: Any = None
    error: BaseException | None = None
    line: str = ""
    changed_input: bool = False


@dataclass
class Runs:
    """What all calls gave, in order; shorter than the inputs when time ran out."""

    outcomes: list[Outcome] = field(default_factory=list)
    printed: str = ""
    timed_out: bool = False
    still_running: bool = False
    interrupted: bool = False


def _line_of(error: BaseException, function: Callable[..., Any]) -> str:
    """The last line of the student's own code in the traceback, "" when there is none."""
    code = getattr(function, "__code__", None)
    found = ""
    trace = error.__traceback__
    while trace is not None:
        if code is not None and trace.tb_frame.f_code.co_filename == code.co_filename:
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            found = text or found
        trace = trace.tb_next
    return found


def _same(before: Any, after: Any) -> bool:
    import numpy as np

    try:
        return bool(np.array_equal(np.asarray(before), np.asarray(after), equal_nan=True))
    except (TypeError, ValueError):
        return True


def _call(function: Callable[..., Any], args: Sequence[Any]) -> Outcome:
    mine = copy.deepcopy(tuple(args))
    try:
        value = function(*mine)
    except TimeLimit:
        raise
    except BaseException as error:
        return Outcome(error=error, line=_line_of(error, function))
    unchanged = all(_same(a, b) for a, b in zip(args, mine, strict=True) if not callable(a))
    return Outcome(value=value, changed_input=not unchanged)


def _stop(thread: threading.Thread) -> bool:
    """Raise TimeLimit in the thread until it ends. Returns whether it ended."""
    for _ in range(20):
        if thread.ident is None or not thread.is_alive():
            return True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(TimeLimit))
        thread.join(0.05)
    return not thread.is_alive()


def run(function: Callable[..., Any], inputs: Sequence[Sequence[Any]], seconds: float) -> Runs:
    """Call `function(*args)` for each args in `inputs`, `seconds` in all. Never raises."""
    outcomes: list[Outcome] = []
    printed = _Printed()

    def work() -> None:
        with contextlib.suppress(TimeLimit):
            for args in inputs:
                outcomes.append(_call(function, args))

    thread = threading.Thread(target=work, daemon=True, name="exercise")
    interrupted = False
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("default")
        thread.start()
        try:
            thread.join(seconds)
        except KeyboardInterrupt:
            interrupted = True
        late = thread.is_alive()
        ended = _stop(thread) if late else True
    for text in dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in warned):
        printed.write(text + "\n")
    done = list(outcomes)  # a thread left behind must not add to what is judged
    return Runs(
        outcomes=done,
        printed=printed.getvalue(),
        timed_out=late and not interrupted and len(done) < len(inputs),
        still_running=not ended,
        interrupted=interrupted,
    )
