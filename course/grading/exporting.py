"""Marks as other programs read them: Canvas, Moodle, Gradescope, a spreadsheet.

Only a final mark goes out: a student whose submission was not graded yet, was changed since, or still waits for
a mark by hand is named in a sentence and left out (`partial` takes the last kind along, marked as such). A file
that a platform exported is filled in at the cells concerned; everything else in it stays byte for byte.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.exercises import registry
from course.grading import collecting, gradebook, running
from course.grading.classroom import Assignment, Classroom, Mark, Result, write
from course.grading.roster import Roster, column

__all__ = ["FORMATS", "Exported", "Row", "defused", "export", "rows"]

FORMATS = ("canvas", "moodle", "csv", "gradescope")


@dataclass(frozen=True)
class Row:
    """One student: points an exercise (None: waits for a person), and in `waits` why they are not final, "" if they are.

    `exported`: whether the row goes out.
    """

    student: str
    name: str
    scores: dict[str, float | None]
    marks: dict[str, Mark]
    waits: str
    exported: bool
    late: bool = False

    @property
    def total(self) -> float:
        """Points so far."""
        return sum(score or 0.0 for score in self.scores.values())


@dataclass(frozen=True)
class Exported:
    """What was written, for whom, and in `remarks` a sentence for each student left out or oddity."""

    path: Path
    students: tuple[str, ...]
    remarks: tuple[str, ...]


# --- the marks ------------------------------------------------------------------------------------


def _stale(classroom: Classroom, assignment: Assignment, result: Result) -> bool:
    """Whether a result was made of another submission, or assignment, than there is now."""
    trusted = result.details.get("sandbox") is False
    return result.key != running.key(classroom, assignment, result.student, trusted)


def _waits(
    classroom: Classroom, assignment: Assignment, student: str, scores: dict[str, float | None] | None, collected: bool
) -> str:
    if not collected:
        return "handed in nothing"
    result = classroom.result(assignment.name, student)
    if scores is None or result is None:
        return "was not graded yet"
    if _stale(classroom, assignment, result):
        return "has handed in again, or the assignment was changed, since it was graded"
    waiting = [id_ for id_ in assignment.points if scores.get(id_) is None]
    return f"waits for a mark by hand on {', '.join(waiting)}" if waiting else ""


def rows(
    classroom: Classroom, name: str, *, roster: Roster | None = None, url: str | None = None, partial: bool = False
) -> list[Row]:
    """A row for each student who handed in or is in the roster, by id.

    Raises ValueError when there is no such assignment.
    """
    assignment = classroom.assignment(name)
    scores = gradebook.scores(classroom, name, url)
    collected = set(classroom.students(name))
    names = {student.id: student.name for student in roster.students} if roster else {}
    late = {student for (student, _), entry in collecting.standing(classroom, name).items() if entry["late"]}
    found = []
    for student in sorted({*collected, *names}):
        waits = _waits(classroom, assignment, student, scores.get(student), student in collected)
        result = classroom.result(name, student)
        found.append(
            Row(
                student,
                names.get(student, ""),
                {id_: scores.get(student, {}).get(id_) for id_ in assignment.points},
                result.marks if result else {},
                waits,
                not waits or (partial and waits.startswith("waits")),
                student.casefold() in late,
            )
        )
    return found


# --- cells ----------------------------------------------------------------------------------------


def defused(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula; numbers stay as they are."""
    start = text.lstrip(" ")[:1]
    if start in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") and not re.fullmatch(
        r"[+-]?\d+(\.\d+)?", text
    ):
        return "'" + text
    return text


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _quoted(text: str, comma: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=comma).writerow([text])
    return line.getvalue().removesuffix("\r\n")


def _comment(row: Row, assignment: Assignment) -> str:
    """What a student reads beside the mark: a line an exercise."""
    lines = []
    for id_, worth in assignment.points.items():
        score, mark = row.scores[id_], row.marks.get(id_)
        said = "" if mark is None or mark.status == "passed" else f" {mark.message.split('```')[0].strip()[:400]}"
        lines.append(
            f"{id_}: {'waits for a mark' if score is None else f'{_number(score)} of {_number(worth)}'}.{said}"
        )
    return "\n".join(([f"Not final: {row.waits}."] if row.waits else []) + lines)


class _Table:
    """A CSV file whose cells keep the bytes they have, until one is set."""

    def __init__(self, path: Path) -> None:
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ValueError(f"{str(path)!r} cannot be read ({error.strerror or error}).") from None
        try:
            self.encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
            text = raw.decode(self.encoding)
        except UnicodeDecodeError:
            self.encoding, text = "cp1252", raw.decode("cp1252", errors="surrogateescape")
        self.start = "\ufeff" if text.startswith("\ufeff") else ""
        text = text.removeprefix("\ufeff")
        first = text.split("\n", 1)[0]
        self.comma = max(",;\t", key=first.count)
        self.raw = list(_split(text, self.comma))
        if not self.raw:
            raise ValueError(f"{path.name!r} is empty: give the file as the platform exports it.")
        self.header = [self.cell(0, i) for i in range(len(self.raw[0][0]))]

    def cell(self, row: int, at: int) -> str:
        """A cell's text."""
        cells = self.raw[row][0]
        text = cells[at].strip(" ") if at < len(cells) else ""
        return (
            text[1:-1].replace('""', '"')
            if len(text) > 1 and text[0] == text[-1] == '"'
            else cells[at]
            if at < len(cells)
            else ""
        )

    def set(self, row: int, at: int, text: str) -> None:
        """Give a cell another text; one that it has already keeps its bytes."""
        cells = self.raw[row][0]
        cells += [""] * (at + 1 - len(cells))
        if self.cell(row, at) != text:
            cells[at] = _quoted(text, self.comma)

    def bytes(self) -> bytes:
        """The file."""
        text = self.start + "".join(self.comma.join(cells) + end for cells, end in self.raw)
        return text.encode(self.encoding, errors="surrogateescape")


def _split(text: str, comma: str) -> Iterator[tuple[list[str], str]]:
    """The rows of a CSV text as raw cells, quotes included, each with the end of its line."""
    cells, start, quoted, i = [], 0, False, 0
    while i < len(text):
        sign = text[i]
        if sign == '"':
            quoted = not quoted
        elif not quoted and sign == comma:
            cells.append(text[start:i])
            start = i + 1
        elif not quoted and sign in "\r\n":
            end = "\r\n" if text[i : i + 2] == "\r\n" else sign
            yield [*cells, text[start:i]], end
            cells, i = [], i + len(end) - 1
            start = i + 1
        i += 1
    if cells or start < len(text):
        yield [*cells, text[start:]], ""


def _matched(
    table: _Table, columns: Sequence[str], students: Sequence[Row], roster: Roster | None
) -> tuple[dict[str, int], list[str]]:
    """Student → line of the table, by the ids in these columns; and a sentence for who is in one of the two alone."""
    places = [i for name in columns for i, header in enumerate(table.header) if column(header) == name]
    known = {row.student.casefold(): row.student for row in students}
    found: dict[str, int] = {}
    remarks = []
    for line in range(1, len(table.raw)):
        for at in places:
            text = re.sub(r"^participant\s+", "", table.cell(line, at).strip(), flags=re.IGNORECASE)
            listed = roster.by_id(text) if roster and text else None
            student = known.get((listed.id if listed else text).casefold())
            if student is None:
                continue
            if student in found and found[student] != line:
                remarks.append(f"{student} is in two lines of the template; the first one is filled in.")
            found.setdefault(student, line)
            break
    return found, remarks


# --- the formats ----------------------------------------------------------------------------------


def _canvas(
    table: _Table, assignment: Assignment, students: Sequence[Row], roster: Roster | None, wanted: str
) -> tuple[bytes, set[str], list[str]]:
    own = {text.casefold(): i for i, text in enumerate(table.header)}
    titles = {
        match[1].strip().casefold(): i
        for i, text in enumerate(table.header)
        if (match := re.fullmatch(r"(.*) \(\d+\)", text.strip(), re.DOTALL))
    }
    asked = [wanted.casefold()] if wanted else [assignment.title.casefold(), assignment.name.casefold()]
    at = next((table_[text] for text in asked for table_ in (own, titles) if text in table_), None)
    if at is None:
        listed = ", ".join(repr(table.header[i]) for i in titles.values()) or "none"
        raise ValueError(
            f"The template has no column for {wanted or assignment.title!r}: name one with --column; assignments in it: {listed}."
        )
    places, remarks = _matched(table, ("sisuserid", "id", "sisloginid", "studentid"), students, roster)
    worth = _number(sum(assignment.points.values()))
    for line in range(1, len(table.raw)):
        if table.cell(line, 0).strip().casefold() == "points possible":
            there = table.cell(line, at).strip()
            try:
                same = abs(float(there) - float(worth)) < 1e-9
            except ValueError:
                same = False
            if not same:
                remarks.append(f"Canvas has {there or 'no'} points possible for it, the assignment {worth}.")
    for row in students:
        if row.exported and row.student in places:
            table.set(places[row.student], at, _number(row.total))
    return table.bytes(), set(places), remarks


MOODLE = ("Identifier", "ID number", "Grade", "Feedback comments")


def _moodle(
    table: _Table | None, assignment: Assignment, students: Sequence[Row], roster: Roster | None
) -> tuple[bytes, set[str], list[str]]:
    if table is None:
        lines = [
            [
                f"Participant {row.student}" if row.student.isdecimal() else "",
                defused(row.student),
                _number(row.total),
                defused(_comment(row, assignment)),
            ]
            for row in students
            if row.exported
        ]
        return _csv([list(MOODLE), *lines]), {row.student for row in students}, []
    at = {column(text): i for i, text in enumerate(table.header)}
    if "grade" not in at:
        raise ValueError(
            "The template has no column Grade: give the worksheet that Moodle offers as `Download grading worksheet`."
        )
    places, remarks = _matched(table, ("identifier", "idnumber", "username", "emailaddress", "email"), students, roster)
    worth = sum(assignment.points.values())
    for row in students:
        line = places.get(row.student)
        if not row.exported or line is None:
            continue
        table.set(line, at["grade"], _number(row.total))
        if "feedbackcomments" in at:
            table.set(line, at["feedbackcomments"], defused(_comment(row, assignment)))
        there = table.cell(line, at["maximumgrade"]).strip() if "maximumgrade" in at else ""
        if there and _float(there) != worth:
            remarks.append(f"Moodle's maximum grade is {there}, the assignment has {_number(worth)} points.")
    return table.bytes(), set(places), list(dict.fromkeys(remarks))


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _csv(lines: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode("utf-8-sig")


def _plain(assignment: Assignment, students: Sequence[Row]) -> bytes:
    lines = [["student", "name", *assignment.points, "total", "of", "late", "status"]]
    worth = _number(sum(assignment.points.values()))
    for row in students:
        scores = ["" if score is None or not row.exported else _number(score) for score in row.scores.values()]
        total = _number(row.total) if row.exported else ""
        status = f"not final: {row.waits}" if row.waits else "final"
        cells = [defused(row.student), defused(row.name), *scores, total, worth, "late" if row.late else "", status]
        lines.append(cells)
    return _csv(lines)


def _gradescope(row: Row, assignment: Assignment) -> dict[str, Any]:
    """The results.json of one submission, as Gradescope's autograders write it."""
    tests: list[dict[str, Any]] = []
    for id_, worth in assignment.points.items():
        score, mark = row.scores[id_], row.marks.get(id_)
        test: dict[str, Any] = {
            "number": id_,
            "name": registry()[id_].title if id_ in registry() else id_,
            "max_score": worth,
        }
        if score is None:
            test["output"] = "This answer waits for a mark by hand."
        else:
            test |= {"score": score, "output": mark.message if mark else "", "output_format": "text"}
            test["status"] = "passed" if score >= worth else "failed"
        tests.append(test | {"visibility": "after_published"})
    found: dict[str, Any] = {"score": row.total, "visibility": "after_published", "tests": tests}
    if row.waits:
        found["output"] = f"Not final: {row.waits}."
    return found


def export(
    classroom: Classroom,
    name: str,
    form: str,
    *,
    template: Path | None = None,
    out: Path | None = None,
    roster: Roster | None = None,
    url: str | None = None,
    partial: bool = False,
    wanted: str = "",
) -> Exported:
    """Write the marks of an assignment in one of FORMATS. `wanted`: Canvas's column, by default the assignment's title.

    Canvas needs a `template`, the gradebook it exports; Moodle takes one, its grading worksheet. For Gradescope
    `out` is a folder. Raises ValueError, one sentence, for what cannot be exported.
    """
    assignment = classroom.assignment(name)
    if form == "canvas" and template is None:
        raise ValueError(
            "Canvas needs --template: the CSV that its gradebook exports (Grades, Export, Export Entire Gradebook)."
        )
    table = _Table(template) if template is not None and form in ("canvas", "moodle") else None
    students = rows(classroom, name, roster=roster, url=url, partial=partial)
    remarks: list[str] = []
    there = {row.student for row in students}
    path = out or classroom.root / "exports" / (f"{name}-{form}" + ("" if form == "gradescope" else ".csv"))
    if form == "gradescope":
        for row in students:
            if row.exported:
                text = json.dumps(_gradescope(row, assignment), indent=1, ensure_ascii=False) + "\n"
                write(path / row.student / "results.json", text)
    elif form == "canvas":
        assert table is not None
        data, there, remarks = _canvas(table, assignment, students, roster, wanted)
        write(path, data)
    elif form == "moodle":
        data, there, remarks = _moodle(table, assignment, students, roster)
        write(path, data)
    else:
        write(path, _plain(assignment, students))
    for row in students:
        if row.waits:
            what = "is exported, marked as not final" if row.exported else "is left out"
            remarks.append(f"{row.student} {row.waits}: {what}.")
        elif row.student not in there:
            remarks.append(f"{row.student} is not in the template: left out.")
    done = tuple(row.student for row in students if row.exported and row.student in there)
    return Exported(path, done, tuple(remarks))
