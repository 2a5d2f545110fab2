"""A class on disk: one folder, laid out as nbgrader lays out a course, and what stands in its files.

    CLASS/
      nbgrader_config.py                 so that nbgrader's own commands and formgrader work in the folder
      gradebook.db                       nbgrader's, unless another database is named
      secret/seed                        draws the hidden inputs; for the owner's eyes alone
      assignments/NAME.json              an Assignment
      source/NAME/*.ipynb  release/NAME/*.ipynb  release/NAME.zip        what is handed out
      submitted/STUDENT/NAME/*.ipynb     what came back, and timestamp.txt, as nbgrader writes it
      collected/NAME.json                what became of each file that came in
      results/NAME/STUDENT.json          a Result
      autograded/STUDENT/NAME/*.ipynb    the answers in the released notebook, for formgrader
      feedback/STUDENT/NAME/*.html       a page for the student

Every file is put in its place in one step, so a stop at any moment leaves whole files only.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["FORMAT", "Assignment", "Classroom", "Mark", "Result", "student_id", "write"]

FORMAT = 1

_ID = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9_.@+-]{0,63}")


def student_id(text: str) -> str:
    """`text` as a student's id: up to 64 letters, digits and _ . @ + -, safe as a folder's name.

    Raises ValueError for another text.
    """
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise ValueError(
            f"A student's id is 1 to 64 letters, digits or the signs _ . @ + -, and starts with none of . and -; got {text!r:.80}."
        )
    return text


def write(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Put a file in its place in one step: a reader, or a crash, sees the old file or all of the new one."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644 if mode is None else mode)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _read(path: Path) -> Any:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise ValueError(f"{path.name} has another format than this version of the course writes.")
    return found


@dataclass(frozen=True)
class Assignment:
    """What was handed out: `points` maps each graded exercise's id to its points, in the lessons' order.

    `notebooks` maps a file's name to the SHA-256 of the notebook as released. `due` is ISO 8601 with its
    offset from UTC, "" for none. `variants`: each student has data of their own.
    """

    name: str
    title: str
    lessons: tuple[str, ...]
    points: dict[str, float]
    notebooks: dict[str, str]
    due: str = ""
    variants: bool = False
    course_version: str = ""


Status = Literal["passed", "failed", "not written", "manual", "missing"]
"""manual: waits for a person. missing: no notebook, or no trace of the answer's cell."""


@dataclass(frozen=True)
class Mark:
    """One exercise of one student: `score` of `points`, None while it waits for a person.

    `message` is for the student and tells no hidden input; `mistake` is the known mistake's name; `answer`
    is the text of the student's cell.
    """

    status: Status
    score: float | None
    points: float
    message: str = ""
    mistake: str = ""
    answer: str = ""


@dataclass(frozen=True)
class Result:
    """One student's marks in one assignment. `key` is a hash of all that they depend on; `odd` is for the instructor."""

    assignment: str
    student: str
    key: str
    marks: dict[str, Mark]
    odd: tuple[str, ...] = ()
    submitted_at: str = ""
    graded_at: str = ""
    seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Points so far, those that wait for a person left out."""
        return sum(mark.score or 0.0 for mark in self.marks.values())


class Classroom:
    """A class's folder; see the module. Raises ValueError where there is none."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        if not (self.root / "secret" / "seed").is_file():
            raise ValueError(
                f"{str(root)!r} is no class's folder: give the one that `course assign --class FOLDER` made."
            )

    @classmethod
    def create(cls, root: str | os.PathLike[str]) -> Classroom:
        """The class in this folder, made when it is not there yet, with a seed of its own."""
        path = Path(root)
        seed = path / "secret" / "seed"
        if not seed.is_file():
            try:
                seed.parent.mkdir(parents=True, exist_ok=True)
                seed.parent.chmod(0o700)
                write(seed, secrets.token_hex(32) + "\n", mode=0o600)
            except OSError as error:
                raise ValueError(
                    f"The class's folder {str(root)!r} cannot be written ({error.strerror or error}): name another one."
                ) from None
        return cls(path)

    # --- the seed ---------------------------------------------------------------------------------

    def _digest(self, *parts: str) -> bytes:
        seed = (self.root / "secret" / "seed").read_text(encoding="ascii").strip()
        return hmac.new(bytes.fromhex(seed), "\0".join(parts).encode(), hashlib.sha256).digest()

    def seed_for(self, *parts: str) -> int:
        """A number below 2^31 that nobody can guess without the class's seed, the same for the same `parts`."""
        return int.from_bytes(self._digest(*parts)[:4], "big") >> 1

    def fingerprint(self) -> str:
        """Says which seed it is without giving it away."""
        return self._digest("fingerprint").hex()[:16]

    # --- where things are -------------------------------------------------------------------------

    def release(self, name: str) -> Path:
        """Folder of the notebooks handed out."""
        return self.root / "release" / name

    def submitted(self, student: str, name: str) -> Path:
        """Folder of what a student handed in."""
        return self.root / "submitted" / student_id(student) / name

    def autograded(self, student: str, name: str) -> Path:
        """Folder of the answers grafted into the released notebooks."""
        return self.root / "autograded" / student_id(student) / name

    def feedback(self, student: str, name: str) -> Path:
        """Folder of a student's page."""
        return self.root / "feedback" / student_id(student) / name

    def students(self, name: str) -> list[str]:
        """Students of whom something was collected, sorted."""
        return sorted(path.parent.name for path in (self.root / "submitted").glob(f"*/{name}") if path.is_dir())

    # --- assignments and results ------------------------------------------------------------------

    def assignments(self) -> list[str]:
        """Names of the assignments, sorted."""
        return sorted(path.stem for path in (self.root / "assignments").glob("*.json"))

    def assignment(self, name: str) -> Assignment:
        """An assignment by name. Raises ValueError, naming those there are."""
        path = self.root / "assignments" / f"{name}.json"
        if name not in self.assignments():
            known = ", ".join(self.assignments()) or "none yet"
            raise ValueError(f"There is no assignment {name!r} in {str(self.root)!r}; there are: {known}.")
        found = _read(path)
        return Assignment(**{**found, "lessons": tuple(found["lessons"])})

    def save_assignment(self, assignment: Assignment) -> None:
        """Write an assignment's file."""
        text = json.dumps({"format": FORMAT, **asdict(assignment)}, indent=1, ensure_ascii=False)
        write(self.root / "assignments" / f"{assignment.name}.json", text + "\n")

    def result_file(self, name: str, student: str) -> Path:
        """File of a student's result."""
        return self.root / "results" / name / f"{student_id(student)}.json"

    def result(self, name: str, student: str) -> Result | None:
        """A student's result, None where there is none that can be read."""
        try:
            found = _read(self.result_file(name, student))
            marks = {id_: Mark(**mark) for id_, mark in found["marks"].items()}
            return Result(**{**found, "marks": marks, "odd": tuple(found["odd"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save_result(self, result: Result) -> None:
        """Write a student's result."""
        text = json.dumps({"format": FORMAT, **asdict(result)}, indent=1, ensure_ascii=False)
        write(self.result_file(result.assignment, result.student), text + "\n")

    def drop_result(self, name: str, student: str) -> None:
        """Remove a result that no longer stands, before anything new is made in its place."""
        self.result_file(name, student).unlink(missing_ok=True)
