"""Pairs of submissions that are unusually alike: a list to look at, never a verdict.

Each answer is cut into fragments: runs of tokens of code without comments, docstrings and layout, every variable
called the same, so that renaming hides nothing; of a written answer, runs of words. Fragments of the released
cell and of the course's own answer are left out. A fragment weighs the more, the fewer students have it (the
logarithm of one in how many), since short right answers are alike: what half the class wrote says nothing. Two
students share the weight of what both have. A pair is listed when it shares far more than pairs of this class do
and most of an answer is shared.

Code is read by Pygments as text, up to a length; nothing is run or parsed by Python.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import nbformat
import numpy as np
from numpy.typing import NDArray

from course.exercises import registry
from course.grading.classroom import Classroom

__all__ = ["Alike", "Pair", "Report", "compare", "fragments", "similar"]

LONGEST = 20_000
"""Characters of an answer that are looked at."""
TOKENS, WORDS = 6, 4
"""Length of a fragment: tokens of code, words of text."""
FAR = 6.0
"""A pair is listed from this many times the class's spread above its middle."""
MOST = 0.5
"""Share of an answer's weight, of the lighter of the two, that makes the answers alike."""


@dataclass(frozen=True)
class Alike:
    """One exercise of a pair: the share of the lighter answer's weight that both have, and that weight."""

    exercise_id: str
    share: float
    weight: float


@dataclass(frozen=True)
class Pair:
    """Two students. `weight` is what they share in all exercises, `far` how many spreads of the class above its middle."""

    first: str
    second: str
    weight: float
    far: float
    exercises: tuple[Alike, ...]


@dataclass(frozen=True)
class Report:
    """Pairs, most unusual first; how many pairs there are; the middle of what they share; who could not be compared."""

    pairs: tuple[Pair, ...]
    compared: int
    middle: float
    left_out: tuple[str, ...] = ()


# --- an answer ------------------------------------------------------------------------------------


def _code(text: str) -> list[str]:
    from pygments.lexers.python import PythonLexer
    from pygments.token import Token

    found: list[str] = []
    for kind, value in PythonLexer(stripnl=False).get_tokens(text):
        if kind in Token.Comment or kind in Token.Literal.String.Doc or not value.strip():
            continue
        if kind in Token.Literal.String:
            value = "text" if found[-1:] != ["text"] else ""
        elif kind in Token.Name and kind not in Token.Name.Builtin and found[-1:] != ["."]:
            value = "name"
        if value:
            found.append(value.strip())
    return found


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign if sign.isalnum() else " " for sign in plain if not unicodedata.combining(sign)).split()


def fragments(text: str, kind: str) -> set[tuple[str, ...]]:
    """The fragments of an answer; `kind` is the exercise's. A short answer is one fragment."""
    tokens = _words(text[:LONGEST]) if kind == "text" else _code(text[:LONGEST])
    length = WORDS if kind == "text" else TOKENS
    if not tokens:
        return set()
    return {tuple(tokens[i : i + length]) for i in range(max(1, len(tokens) - length + 1))}


# --- a class --------------------------------------------------------------------------------------


def _shared(
    answers: Mapping[str, set[tuple[str, ...]]], students: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight that each two share in one exercise, and its share of the lighter answer of the two."""
    counts = Counter(fragment for found in answers.values() for fragment in found)
    place = {fragment: i for i, fragment in enumerate(sorted(counts))}
    has = np.zeros((len(students), len(place)))
    for row, student in enumerate(students):
        for fragment in answers.get(student, ()):
            has[row, place[fragment]] = 1
    weight = np.log((len(answers) + 1) / np.array([counts[fragment] for fragment in place], float))
    shared = (has * weight) @ has.T
    own = np.diag(shared)
    lighter = np.minimum.outer(own, own)
    return shared, np.divide(shared, lighter, out=np.zeros_like(shared), where=lighter > 0)


def compare(answers: Mapping[str, Mapping[str, str]], given: Mapping[str, Sequence[str]] | None = None) -> Report:
    """Compare a class: `answers` maps student → exercise id → text, `given` exercise id → texts that are nobody's own."""
    students = sorted(answers)
    given = given or {}
    kinds = {id_: exercise.kind for id_, exercise in registry().items()}
    ids = sorted({id_ for found in answers.values() for id_ in found})
    shared, shares = {}, {}
    for id_ in ids:
        kind = kinds.get(id_, "function")
        known = {fragment for text in given.get(id_, ()) for fragment in fragments(text, kind)}
        cut = {student: fragments(found[id_], kind) - known for student, found in answers.items() if found.get(id_)}
        shared[id_], shares[id_] = _shared({student: found for student, found in cut.items() if found}, students)
    pairs = list(combinations(range(len(students)), 2))
    if not pairs or not ids:
        return Report((), 0, 0.0)
    first, second = np.array(pairs).T
    total = np.sum(list(shared.values()), axis=0)[first, second]
    middle = float(np.median(total))
    # The spread of the lower half, which copies do not widen; never below a fragment that two of the class share.
    below = total[total <= middle]
    spread = max(float(1.4826 * np.median(np.abs(below - middle))), float(np.log((len(students) + 1) / 2)))
    found = []
    for a, b, weight in zip(first, second, total, strict=True):
        alike = tuple(
            Alike(id_, float(shares[id_][a, b]), float(shared[id_][a, b]))
            for id_ in ids
            if shares[id_][a, b] >= MOST and shared[id_][a, b] > spread
        )
        far = (float(weight) - middle) / spread
        if alike and far >= FAR:
            found.append(Pair(students[a], students[b], float(weight), far, alike))
    return Report(tuple(sorted(found, key=lambda pair: -pair.far)), len(pairs), middle)


def similar(classroom: Classroom, name: str) -> Report:
    """Compare the answers of an assignment, as grading found them.

    Raises ValueError when there is no such assignment, or fewer than two were graded.
    """
    assignment = classroom.assignment(name)
    results = {student: classroom.result(name, student) for student in classroom.students(name)}
    answers = {
        student: {
            id_: mark.answer for id_, mark in result.marks.items() if mark.status not in ("not written", "missing")
        }
        for student, result in results.items()
        if result is not None
    }
    if len(answers) < 2:
        raise ValueError(f"There are fewer than two graded submissions of {name!r}: run `course grade {name}` first.")
    given: dict[str, list[str]] = {id_: [] for id_ in assignment.points}
    own = {f"exercise-{id_.replace('.', '-')}": id_ for id_ in assignment.points}
    for folder in (classroom.release(name), classroom.root / "source" / name):
        for file in assignment.notebooks:
            for cell in nbformat.read(folder / file, as_version=4).cells if (folder / file).is_file() else ():
                if cell.get("id") in own:
                    given[own[cell["id"]]].append(cell.source)
    report = compare(answers, given)
    return Report(report.pairs, report.compared, report.middle, tuple(sorted(set(results) - set(answers))))
