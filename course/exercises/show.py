"""How results, hints and verdicts look: a box in a notebook, plain text elsewhere.

Everything a student wrote is escaped. Colours are never the only signal: each box says in words
what it is.
"""

from __future__ import annotations

import html as _html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course.exercises.checking import Result

__all__ = ["box", "folded", "html", "prose", "text"]

_COLOUR = {"passed": "#009E73", "failed": "#D55E00", "not written": "#6B6B6B", "note": "#0072B2"}
_WORD = {"passed": "Passed", "failed": "Not yet", "not written": "Not written yet"}


def prose(message: str) -> str:
    """HTML of a message: `code`, ```blocks``` and paragraphs; everything else is escaped."""
    pieces = []
    for i, piece in enumerate(message.split("```")):
        escaped = _html.escape(piece.strip("\n"), quote=False)
        if i % 2:
            pieces.append(f'<pre style="margin:6px 0;padding:6px 10px;overflow-x:auto">{escaped}</pre>')
        elif escaped.strip():
            escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped.strip())
            pieces.append(escaped.replace("\n\n", "<br><br>"))
    return "".join(pieces)


def folded(hints: Sequence[str]) -> str:
    """Hints as nested folds: the next one can be opened only inside the one before."""
    inner = ""
    for number in range(len(hints), 0, -1):
        inner = (
            f'<details style="margin:4px 0 0 10px"><summary>Hint {number} of {len(hints)}</summary>'
            f'<div style="margin:4px 0 4px 14px">{prose(hints[number - 1])}{inner}</div></details>'
        )
    return inner


def box(kind: str, heading: str, body: str) -> str:
    """A box with a coloured left edge; `heading` is escaped, `body` is HTML."""
    colour = _COLOUR.get(kind, _COLOUR["note"])
    return (
        f'<div style="border-left:5px solid {colour};padding:6px 14px;margin:4px 0;line-height:1.5">'
        f'<strong style="color:{colour}">{_html.escape(heading)}</strong><br>{body}</div>'
    )


def _heading(result: Result) -> str:
    points = (
        f" · {result.score:g} of {result.points:g} points" if result.points and result.status != "not written" else ""
    )
    title = f"{result.exercise_id} {result.title}".strip()
    return f"{_WORD[result.status]} · {title}{points}"


def html(result: Result) -> str:
    """A result as an HTML box."""
    body = prose(result.message.removeprefix("Not written yet. ") if result.status == "not written" else result.message)
    if result.printed.strip():
        body += (
            '<details style="margin:4px 0 0 10px"><summary>What your function printed</summary>'
            f"<pre>{_html.escape(result.printed, quote=False)}</pre></details>"
        )
    return box(result.status, _heading(result), body + folded(result.hints))


def text(result: Result) -> str:
    """A result as plain text."""
    lines = [_heading(result), result.message.replace("```", "")]
    if result.printed.strip():
        lines.append("Your function printed:\n" + result.printed.rstrip())
    if result.hints:
        lines.append(f'{len(result.hints)} hints: hint("{result.exercise_id}")')
    return "\n".join(lines)
