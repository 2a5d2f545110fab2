"""Who is in the class: a CSV of ids and names, one's own or as Canvas, Moodle or Gradescope export it.

A row has an id and, where the file gives them, a name, an email address and the numbers by which a learning
platform knows the student. Names are compared without case, accents and order ("Doe, Jane" is "jane doe").
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from course.grading.classroom import student_id

__all__ = ["Roster", "Student", "read", "read_table", "words"]

LARGEST = 10_000_000
ID_COLUMNS = ("id", "studentid", "idnumber", "sid", "sisuserid", "sisid", "username", "login", "loginid", "netid")
"""Column names, without spaces and signs, that may hold the id; the first that the file has and the row fills."""
CANVAS_IDS = ("sisuserid", "sisloginid", "id")
MORE_IDS = ("sisloginid", "canvasid", "moodleid", "identifier", "email", "emailaddress")
NAME_COLUMNS = ("name", "student", "fullname", "studentname")
FIRST, LAST = ("firstname", "givenname"), ("lastname", "surname", "familyname")
PARTICIPANT = re.compile(r"\D*?(\d+)", re.ASCII)


@dataclass(frozen=True)
class Student:
    """One row. `keys` are all ids that stand for the student, in lower case."""

    id: str
    name: str = ""
    email: str = ""
    keys: frozenset[str] = frozenset()


def words(text: str) -> tuple[str, ...]:
    """The words of a name, in alphabetical order, without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return tuple(sorted(re.findall(r"[^\W_]+", plain)))


def _run_together(name: str) -> set[str]:
    """A name as Canvas puts it before a file: "doejane", whichever word comes first."""
    plain = unicodedata.normalize("NFC", name).casefold()
    parts = [re.sub(r"[\W_]+", "", part) for part in re.split(r"[\s,]+", plain)]
    parts = [part for part in parts if part]
    found = {"".join(parts[i:] + parts[:i]) for i in range(len(parts))}
    return found | {"".join(words(one)) for one in found}


@dataclass(frozen=True)
class Roster:
    """The students of a class, found by what a platform says of them."""

    students: tuple[Student, ...]
    _by_key: dict[str, Student] = field(default_factory=dict, repr=False)
    _by_name: dict[tuple[str, ...], list[Student]] = field(default_factory=dict, repr=False)
    _by_joined: dict[str, list[Student]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        clashes: set[str] = set()
        for student in self.students:
            for key in student.keys | {student.id.casefold()}:
                if key in self._by_key and self._by_key[key] != student:
                    clashes.add(key)
                self._by_key.setdefault(key, student)
            if student.name:
                self._by_name.setdefault(words(student.name), []).append(student)
                for joined in _run_together(student.name):
                    self._by_joined.setdefault(joined, []).append(student)
        own = {student.id.casefold() for student in self.students}
        for key in clashes - own:  # one number for two people says nothing
            del self._by_key[key]

    def by_id(self, text: str) -> Student | None:
        """The student with this id, or this number or address on a platform."""
        return self._by_key.get(text.strip().casefold())

    def by_name(self, text: str) -> list[Student]:
        """The students of this name, in any order of its words, or run together as Canvas does."""
        return self._by_name.get(words(text)) or self._by_joined.get(re.sub(r"[\W_]+", "", text.casefold()), [])


def read_table(path: str | Path) -> tuple[list[list[str]], str]:
    """The rows of a CSV file, and the sign between its columns.

    Raises ValueError, one sentence, when it cannot be read.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path.name!r} is larger than {LARGEST // 1_000_000} MB: that is no list of a class.")
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read ({error.strerror or error}).") from None
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    first = text.lstrip().split("\n", 1)[0]
    comma = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=comma))
    except csv.Error as error:
        raise ValueError(f"{path.name!r} is no table of comma-separated values ({error}).") from None
    return rows, comma


def column(header: str) -> str:
    """A column's name without case, spaces and signs."""
    return re.sub(r"[\W_]+", "", header).casefold()


def _first(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if row.get(name)), "")


def read(path: str | Path) -> Roster:
    """The roster in a CSV file.

    Raises ValueError, one sentence, when the file cannot be read, has no column of ids, or gives one id twice.
    """
    rows, _ = read_table(path)
    name = Path(path).name
    if not rows:
        raise ValueError(f"{name!r} is empty: a roster has a line of column names, such as id,name,email.")
    header = [column(each) for each in rows[0]]
    canvas = "sisuserid" in header or "sisloginid" in header
    id_columns = CANVAS_IDS if canvas else (*ID_COLUMNS, "email", "emailaddress", "identifier")
    if not set(id_columns) & set(header):
        raise ValueError(
            f"{name!r} has no column of ids: name one `id`, or give what Canvas or Moodle exports; its columns are "
            f"{', '.join(rows[0])[:200]}."
        )
    students: dict[str, Student] = {}
    for number, cells in enumerate(rows[1:], 2):
        row = {key: cell.strip() for key, cell in zip(header, cells, strict=False)}
        person = _first(row, NAME_COLUMNS) or f"{_first(row, FIRST)} {_first(row, LAST)}".strip()
        if not any(row.values()) or person.casefold() == "points possible":
            continue
        raw = _first(row, id_columns)
        if raw.casefold().startswith("participant"):
            raw = PARTICIPANT.sub(r"\1", raw)
        if not raw and person == "Student, Test":  # Canvas's preview account
            continue
        try:
            id_ = student_id(raw)
        except ValueError as error:
            raise ValueError(f"{name!r}, line {number}: {error}") from None
        if id_ in students:
            raise ValueError(f"{name!r}, line {number}: the id {id_!r} occurs twice.")
        found = {row[key].casefold() for key in (*ID_COLUMNS, *MORE_IDS) if row.get(key)}
        found |= {PARTICIPANT.sub(r"\1", key) for key in found if key.startswith("participant")}
        students[id_] = Student(id_, person, _first(row, ("email", "emailaddress")), frozenset(found))
    if not students:
        raise ValueError(f"{name!r} lists no student.")
    return Roster(tuple(students.values()))
