"""The ledger: every claim of the article in our words, and what the course found.

The data is `claims.toml` beside this file. `load()` gives all claims in the article's order,
`find("4.1")` one of them, `table(claims)` and `as_json(claims)` show them. A lesson that judges a
claim computes its figure and ends the cell with `verdict("4.1", value)`: that holds the value to the
range in which the verdict stands, and shows the verdict. A figure that a clock gives is another on a
busy machine: there the card says that it lies outside, and the lesson goes on.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import resources
from typing import Any

from course import show

__all__ = ["VERDICTS", "Claim", "as_json", "find", "load", "parse", "table", "verdict"]

VERDICTS = ("holds", "holds within limits", "does not hold", "can't be tested here")

_FOUND = ("verdict", "figure", "measured", "interval", "stands", "would_change")
_BOX = dict(zip(VERDICTS, ("passed", "note", "failed", "not written"), strict=True))


@dataclass(frozen=True)
class Claim:
    """One claim of the article. What follows `lesson` is set together, by the lesson that judges it.

    `section` is the article's subsection, `lesson` the path of the lesson that judges the claim.
    `measured` is the number that the lesson found, `interval` how far
    it spreads (95 % unless the figure's sentence says what else), and `stands` the range
    of values for which the verdict stands on another machine or version; an end of it may be infinite.
    `timed` says that a clock gives the number, so that other programs move it.
    """

    id: str
    section: str
    text: str
    lesson: str
    verdict: str | None = None
    figure: str = ""
    measured: float | None = None
    interval: tuple[float, float] | None = None
    stands: tuple[float, float] | None = None
    would_change: str = ""
    timed: bool = False

    @property
    def judged(self) -> bool:
        """Whether a lesson has given a verdict."""
        return self.verdict is not None

    def to_dict(self) -> dict[str, Any]:
        """The claim as plain values for JSON; an infinite end of `stands` becomes None."""
        values = asdict(self)
        for name in ("interval", "stands"):
            if values[name] is not None:
                values[name] = [end if math.isfinite(end) else None for end in values[name]]
        return values


# --- reading --------------------------------------------------------------------------------------


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value)) and value[0] <= value[1]


def _claim(entry: Mapping[str, Any], place: int) -> Claim:
    """One entry as a Claim. Raises ValueError when it is not well-formed."""
    name = f"claim {entry['id']}" if isinstance(entry.get("id"), str) else f"claim number {place} of the file"

    def bad(problem: str) -> ValueError:
        return ValueError(f"claims.toml: {name}: {problem}.")

    known = [field.name for field in fields(Claim)]
    for key in entry:
        if key not in known:
            raise bad(f"unknown field {key!r}; the fields are {', '.join(known)}")
    for key in ("id", "section", "text", "lesson", "figure", "would_change"):
        value = entry.get(key)
        if key in entry or key not in _FOUND:
            if value is None:
                raise bad(f"{key} is missing")
            if not isinstance(value, str) or not value.strip():
                raise bad(f"{key} must be a text that is not empty; got {value!r}")
    if not re.fullmatch(r"[1-9]\.[1-9]\d*", entry["id"]):
        raise bad('id must be the chapter and a number, like "4.1"')
    if entry["section"].split(".")[0] != entry["id"].split(".")[0]:
        raise bad(f"section {entry['section']!r} is not in the chapter of the claim")
    if not re.fullmatch(r"\d\d_[a-z]+/[a-z0-9_]+", entry["lesson"]):
        raise bad(
            f'lesson must be a folder and a name, like "04_mathematics/gradient_descent"; got {entry["lesson"]!r}'
        )
    if not isinstance(entry.get("timed", False), bool):
        raise bad(f"timed must be true or false; got {entry['timed']!r}")

    missing = [key for key in _FOUND if key not in entry]
    if len(missing) == len(_FOUND):
        return Claim(**entry)
    if missing:
        raise bad(f"a verdict needs {', '.join(_FOUND)}; missing: {', '.join(missing)}")
    if entry["verdict"] not in VERDICTS:
        raise bad(f"verdict must be one of {', '.join(map(repr, VERDICTS))}; got {entry['verdict']!r}")
    if not _number(entry["measured"]) or math.isinf(entry["measured"]):
        raise bad(f"measured must be a finite number; got {entry['measured']!r}")
    for key in ("interval", "stands"):
        if not _pair(entry[key]):
            raise bad(f"{key} must be [low, high] with low <= high; got {entry[key]!r}")
    if any(map(math.isinf, entry["interval"])):
        raise bad(f"both ends of interval must be finite; got {entry['interval']!r}")
    low, high = entry["stands"]
    if not low <= entry["measured"] <= high:
        raise bad(f"measured {entry['measured']} is outside stands {entry['stands']}")
    pairs = {key: (float(entry[key][0]), float(entry[key][1])) for key in ("interval", "stands")}
    return Claim(**{**entry, **pairs, "measured": float(entry["measured"])})


def parse(text: str) -> tuple[Claim, ...]:
    """The claims in a ledger's TOML text.

    Raises ValueError, with one sentence that names the claim, when an entry is not well-formed or an
    id occurs twice.
    """
    try:
        entries = tomllib.loads(text).get("claim", [])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"claims.toml is not valid TOML: {error}.") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("claims.toml: each claim must start with a line [[claim]].")
    found = tuple(_claim(entry, place) for place, entry in enumerate(entries, 1))
    for id_, times in Counter(claim.id for claim in found).items():
        if times > 1:
            raise ValueError(f"claims.toml: claim {id_} occurs {times} times.")
    return found


@cache
def load() -> tuple[Claim, ...]:
    """Every claim, in the article's order. Raises ValueError when the ledger is not well-formed."""
    return parse(resources.files("course").joinpath("claims.toml").read_text(encoding="utf-8"))


def find(claim_id: str) -> Claim:
    """The claim with this id. Raises ValueError when there is none."""
    for claim in load():
        if claim.id == str(claim_id):
            return claim
    raise ValueError(f"There is no claim {str(claim_id)!r} in the ledger; `course claims` lists them.")


# --- showing --------------------------------------------------------------------------------------


def as_json(claims: Iterable[Claim]) -> str:
    """The claims as a JSON list, each with the fields of Claim."""
    return json.dumps([claim.to_dict() for claim in claims], indent=2, ensure_ascii=False, allow_nan=False)


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 8), break_on_hyphens=False) or [""]


def _count(claims: Sequence[Claim]) -> str:
    given = Counter(claim.verdict or "open" for claim in claims)
    parts = [f"{name} {given[name]}" for name in (*VERDICTS, "open") if given[name]]
    return f"{len(claims)} claim{'s' if len(claims) != 1 else ''}: {', '.join(parts)}."


def table(claims: Iterable[Claim], width: int | None = None) -> str:
    """The claims as text: id, verdict (or "open"), claim and figure.

    `width` is in characters, by default the terminal's. The claim and its figure stand side by side
    from 90 characters on, else one under the other.
    """
    shown = list(claims)
    width = max(shutil.get_terminal_size().columns if width is None else width, 32)
    if not shown:
        return "No claims."
    ids = max(4, *(len(claim.id) for claim in shown)) + 1
    blocks = []
    if width >= 90 and any(claim.judged for claim in shown):
        words = max(len("verdict"), *(len(claim.verdict or "open") for claim in shown)) + 2
        claim_width = (width - ids - words - 2) // 2
        columns = (ids, words, claim_width + 2, width - ids - words - claim_width - 2)

        def row(*cells: str) -> str:
            wrapped = [_wrap(cell, size) for cell, size in zip(cells, (99, 99, claim_width, columns[3]), strict=True)]
            height = max(map(len, wrapped))
            padded = [lines + [""] * (height - len(lines)) for lines in wrapped]
            lines = zip(*padded, strict=True)
            return "\n".join(
                "".join(f"{part:<{size}}" for part, size in zip(line, columns, strict=True)).rstrip() for line in lines
            )

        blocks += [row(claim.id, claim.verdict or "open", claim.text, claim.figure) for claim in shown]
        blocks[0] = "\n".join([row("id", "verdict", "claim", "figure"), "-" * width, blocks[0]])
    else:
        for claim in shown:
            lines = [f"{claim.id:<{ids}}{claim.verdict or 'open'}"]
            lines += _wrap(claim.text, width - ids)
            if claim.figure:
                lines += _wrap(f"Figure: {claim.figure}", width - ids)
            blocks.append(("\n" + " " * ids).join(lines))
    return "\n\n".join([*blocks, "\n".join(_wrap(_count(shown), width))])


def _span(pair: tuple[float, float]) -> str:
    """A range in words: "0.49 to 0.53", "0.7 or more"."""
    low, high = (f"{end:.6g}" for end in pair)
    if math.isinf(pair[0]) and math.isinf(pair[1]):
        return "any value"
    if math.isinf(pair[0]):
        return f"{high} or less"
    if math.isinf(pair[1]):
        return f"{low} or more"
    return low if low == high else f"{low} to {high}"


class _Card:
    """A verdict, as a box in a notebook and as text elsewhere."""

    def __init__(self, claim: Claim, measured: float) -> None:
        self.claim, self.measured = claim, measured

    @property
    def confirmed(self) -> bool:
        """Whether the run's number lies in the range in which the verdict stands."""
        assert self.claim.stands is not None
        low, high = self.claim.stands
        return low <= self.measured <= high

    def _lines(self) -> list[tuple[str, str]]:
        claim = self.claim
        assert claim.interval is not None and claim.stands is not None
        exact = claim.interval[0] == claim.interval[1]
        recorded = "exact" if exact else f"interval {_span(claim.interval)}"
        digits = max(4, min(6, len(repr(claim.measured).strip("-0.").replace(".", ""))))
        number = (
            f"{self.measured:.{digits}g} in this run, {claim.measured:.6g} in the ledger ({recorded}). "
            f"Range in which the verdict stands: {_span(claim.stands)}."
        )
        if not self.confirmed:
            number += (
                " This run lies outside. A clock gave its number: close other programs and run the lesson again. "
                "If it stays outside, the verdict does not stand on this machine."
            )
        return [
            ("The article claims", claim.text),
            ("We find", claim.figure),
            ("The number", number),
            ("What would change it", claim.would_change),
        ]

    @property
    def _heading(self) -> str:
        return f"Claim {self.claim.id} · {self.claim.verdict}" + ("" if self.confirmed else " · not in this run")

    def _repr_html_(self) -> str:
        body = "".join(
            f'<div style="margin:3px 0"><em>{name}:</em> {show.prose(words)}</div>' for name, words in self._lines()
        )
        return show.box(_BOX[str(self.claim.verdict)] if self.confirmed else "note", self._heading, body)

    def __repr__(self) -> str:
        return "\n".join([self._heading, *(f"{name}: {words}" for name, words in self._lines())])


def _as_float(claim_id: str, measured: Any) -> float:
    shape = tuple(getattr(measured, "shape", ()))
    if not shape and not isinstance(measured, str):
        try:
            return float(measured)
        except (TypeError, ValueError):
            pass
    what = f"an array of shape {shape}" if shape else repr(measured)[:60]
    raise AssertionError(f"Claim {claim_id}: the figure must be one number; got {what}.")


def verdict(claim_id: str, measured: Any) -> _Card:
    """The verdict on a claim, shown as a card, once its figure has been measured.

    `measured` is one number; NumPy scalars and tensors without dimensions are accepted. Raises
    AssertionError, with one sentence, when it is not finite or leaves the range in which the verdict
    stands (of a timed claim the card says so instead), and ValueError when there is no such claim or it
    has no verdict yet.
    """
    claim = find(claim_id)
    if claim.stands is None or claim.measured is None:
        raise ValueError(f"Claim {claim.id} has no verdict yet; add it to course/claims.toml.")
    value = _as_float(claim.id, measured)
    if not math.isfinite(value):
        raise AssertionError(f"Claim {claim.id}: the figure measured here is {value}, not a finite number.")
    card = _Card(claim, value)
    if not (card.confirmed or claim.timed):
        raise AssertionError(
            f"Claim {claim.id}: the figure measured here, {value:.6g}, is outside {_span(claim.stands)}, where "
            f"the verdict {claim.verdict!r} stands (recorded: {claim.measured:.6g}); judge the claim again."
        )
    return card
