"""The outcome of a check, and how it shows itself: a box in a notebook, plain text elsewhere."""

from __future__ import annotations

import html as _html
from dataclasses import dataclass
from typing import Literal

from course import show

__all__ = ["Result", "Status"]

Status = Literal["passed", "failed", "not written"]


@dataclass(frozen=True)
class Result:
    """The outcome of a check. `score` is in points, out of `points`."""

    exercise_id: str
    status: Status
    message: str
    score: float = 0.0
    points: float = 0.0
    title: str = ""
    mistake: str = ""
    printed: str = ""
    hints: tuple[str, ...] = ()

    def __str__(self) -> str:
        return _text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _render(self)


_WORD = {"passed": "Passed", "failed": "Not yet", "not written": "Not written yet"}


def _heading(result: Result) -> str:
    heading = f"{_WORD[result.status]} · {result.exercise_id} {result.title}".strip()
    if result.points and result.status != "not written":
        unit = "point" if result.points == 1 else "points"
        heading += f" · {result.score:g} of {result.points:g} {unit}"
    return heading


def _render(result: Result) -> str:
    """A result as an HTML box."""
    body = show.prose(
        result.message.removeprefix("Not written yet. ") if result.status == "not written" else result.message
    )
    if result.printed.strip():
        body += (
            '<details style="margin:4px 0 0 10px"><summary>What your function printed</summary>'
            f"<pre>{_html.escape(result.printed, quote=False)}</pre></details>"
        )
    return show.box(result.status, _heading(result), body + show.folded(result.hints))


def _text(result: Result) -> str:
    """A result as plain text."""
    lines = [_heading(result), result.message.replace("```", "")]
    if result.printed.strip():
        lines.append("Your function printed:\n" + result.printed.rstrip())
    if result.hints:
        lines.append(f'{len(result.hints)} hints: hint("{result.exercise_id}")')
    return "\n".join(lines)
