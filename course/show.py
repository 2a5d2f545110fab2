"""How the course speaks in a notebook: boxes, folds and plain text instead where there is no HTML.

Everything handed in is escaped. Colours are never the only signal: each box says in words what it is.
"""

from __future__ import annotations

import html as _html
import re
from collections.abc import Sequence

__all__ = ["Shown", "box", "folded", "prose"]

_COLOUR = {"passed": "#009E73", "failed": "#D55E00", "not written": "#6B6B6B", "note": "#0072B2"}


_MARKED = re.compile(r"`([^`]+)`|(?<![\w*])\*([^\s*`][^*`]*)\*(?![\w*])")


def prose(message: str) -> str:
    """HTML of a message: `code`, *emphasis*, ```blocks``` and paragraphs; everything else is escaped."""
    pieces = []
    for i, piece in enumerate(message.split("```")):
        escaped = _html.escape(piece.strip("\n"), quote=False)
        if i % 2:
            pieces.append(f'<pre style="margin:6px 0;padding:6px 10px;overflow-x:auto">{escaped}</pre>')
        elif escaped.strip():
            escaped = _MARKED.sub(lambda m: f"<code>{m[1]}</code>" if m[1] else f"<em>{m[2]}</em>", escaped.strip())
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


class Shown:
    """Something with an HTML form, for notebooks, and a text form, for everywhere else."""

    def __init__(self, html: str, text: str) -> None:
        self._html, self._text = html, text

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text
