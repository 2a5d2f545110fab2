"""A student's page: marks, what was right or wrong and why, and the answers as they were read.

One file that needs nothing else: no script, no picture, no address. Everything that came from the student is
escaped, and nothing of the machine, of others or of the hidden inputs is in it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from course import show
from course.exercises import registry
from course.grading.classroom import Assignment, Mark, Result

__all__ = ["page"]

_STYLE = """\
:root { color-scheme: light dark; --ink: #1b1b1b; --quiet: #5c5c5c; --rule: #d5d5d5; --code: #f5f5f3; --page: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --quiet: #a8a8a8; --rule: #454545; --code: #262626; --page: #1a1a1a; }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 52rem; margin: 2.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.12rem; margin: 0; }
p { margin: .5rem 0; }
.quiet { color: var(--quiet); }
table { border-collapse: collapse; width: 100%; margin: 1.6rem 0; }
th, td { text-align: left; padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { font-weight: 600; }
.number { text-align: right; padding-right: 0; white-space: nowrap; font-variant-numeric: tabular-nums; }
tfoot td { font-weight: 600; border-bottom: 0; }
a { color: inherit; }
section { border-left: 5px solid var(--mark); padding: .1rem 0 .1rem 1rem; margin: 1.8rem 0; }
.status { color: var(--mark); font-weight: 600; }
pre { background: var(--code); padding: .7rem .9rem; overflow-x: auto; font: .86rem/1.5 ui-monospace, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.words { overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--quiet); }
.passed { --mark: #00805e; } .failed { --mark: #c04d00; } .manual { --mark: #0072b2; }
.none { --mark: #6b6b6b; }
@media (prefers-color-scheme: dark) {
  .passed { --mark: #2fc497; } .failed { --mark: #ff8a3d; } .manual { --mark: #62b5e8; } .none { --mark: #a0a0a0; }
}
"""

_WORD = {
    "passed": "Right",
    "failed": "Not yet right",
    "not written": "Not written",
    "manual": "Read by a person",
    "missing": "Not handed in",
}

LONGEST = 20_000
"""Characters of an answer that are shown."""


_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def _printable(value: str) -> str:
    """Without the signs that turn the direction of writing or that no page may hold."""
    return _UNPRINTABLE.sub("", value)


def _text(value: str) -> str:
    return html.escape(_printable(value))


def _points(value: float) -> str:
    return f"{round(value, 2):g}"


def _status(mark: Mark, final: float | None) -> tuple[str, str]:
    """Class and words of a mark's status."""
    kind = mark.status if mark.status in ("passed", "failed", "manual") else "none"
    if mark.status == "manual":
        return kind, "Waits for a person to read it" if final is None else _WORD["manual"]
    if mark.status == "failed" and mark.score:
        return kind, "Right in part"
    return kind, _WORD[mark.status]


def page(
    assignment: Assignment,
    result: Result,
    final: Mapping[str, float | None],
    comments: Mapping[str, str] | None = None,
) -> str:
    """The page as HTML. `final` has the scores with marks by hand in them, None for what waits; `comments` a person's."""
    comments = comments or {}
    exercises = registry()
    rows, sections = [], []
    for id_, mark in result.marks.items():
        score = final.get(id_, mark.score)
        title = exercises[id_].title if id_ in exercises else ""
        name = f"{id_} {title}".strip()
        kind, words = _status(mark, score)
        got = "–" if score is None else _points(score)
        rows.append(
            f'<tr class="{kind}"><td><a href="#e{html.escape(id_)}">{_text(name)}</a></td>'
            f'<td class="status">{words}</td><td class="number">{got} of {_points(mark.points)}</td></tr>'
        )
        parts = [
            f"<h2>{_text(name)}</h2>",
            f'<p><span class="status">{words}</span> · {got} of {_points(mark.points)}</p>',
        ]
        if mark.message.strip(".") != words:
            parts.append(f'<div class="words">{show.prose(_printable(mark.message))}</div>')
        if comments.get(id_):
            parts.append(f'<p class="words"><strong>Your instructor:</strong> {_text(comments[id_])}</p>')
        if mark.answer.strip():
            answer = mark.answer if len(mark.answer) <= LONGEST else mark.answer[:LONGEST] + "\n… (shortened)"
            parts.append(f"<details><summary>Your answer, as it was read</summary><pre>{_text(answer)}</pre></details>")
        sections.append(f'<section class="{kind}" id="e{html.escape(id_)}">{"".join(parts)}</section>')
    scores = [final.get(id_, mark.score) for id_, mark in result.marks.items()]
    total, points = sum(score or 0.0 for score in scores), sum(mark.points for mark in result.marks.values())
    waits = sum(score is None for score in scores)
    note = f" so far; {waits} answer{'s wait' if waits > 1 else ' waits'} for a person" if waits else ""
    about = [_text(result.student)]
    if result.submitted_at:
        about.append(f"handed in {_text(result.submitted_at[:16])} UTC")
    if assignment.due:
        about.append(f"due {_text(assignment.due[:16].replace('T', ' '))}")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{_text(assignment.title)} · {_text(result.student)}</title>
<style>
{_STYLE}</style>
</head>
<body>
<h1>{_text(assignment.title)}</h1>
<p class="quiet">{" · ".join(about)}</p>
<table>
<thead><tr><th>Exercise</th><th>Result</th><th class="number">Points</th></tr></thead>
<tbody>
{chr(10).join(rows)}
</tbody>
<tfoot><tr><td>Together{note}</td><td></td><td class="number">{_points(total)} of {_points(points)}</td></tr></tfoot>
</table>
{chr(10).join(sections)}
<p class="quiet">Functions are tried on the inputs that the lesson's check shows and on others of the same kind. The
answered edition of the lesson has a worked answer to each exercise.</p>
</body>
</html>
"""
