"""Take in what students handed in: find out whose file is whose and which notebook it is, and lose none.

Every file of a download gets one line in the report: taken, or not, and why. Whose a file is, the platform says
(its number or name, looked up in the roster); where it says nothing, the folder; at last what the student wrote:
the file's name, the STUDENT_ID cell. What a student wrote never displaces what a platform said.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from course import lessons
from course.grading import archives, handed_in
from course.grading.archives import Parcel, shown
from course.grading.classroom import Assignment, Classroom, student_id, write
from course.grading.roster import Roster

__all__ = ["LARGEST", "Entry", "Report", "collect", "standing"]

LARGEST = 20_000_000
"""Bytes up to which a notebook is kept as it came; of a larger one the outputs are left out."""

Outcome = Literal["collected", "replaced", "unchanged", "older", "duplicate", "refused", "ignored"]
TAKEN = ("collected", "replaced")
_JUNK = re.compile(
    r"(?:^|/)(?:__MACOSX/.*|\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini|\.ipynb_checkpoints/.*|\.git/.*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Entry:
    """What became of one file. `by` says what told whose it is; `time` is ISO 8601, "" where nothing tells."""

    path: str
    outcome: Outcome
    reason: str = ""
    student: str = ""
    notebook: str = ""
    time: str = ""
    late: bool = False
    by: str = ""
    sha256: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """One collection: an entry for each file that came in, and the students of the roster of whom nothing is there."""

    assignment: str
    when: str
    entries: tuple[Entry, ...]
    nothing_from: tuple[str, ...] = ()

    def of(self, *outcomes: Outcome) -> list[Entry]:
        """The entries with one of these outcomes."""
        return [entry for entry in self.entries if entry.outcome in outcomes]


@dataclass
class _File:
    """A file on its way: what is known of it so far."""

    place: int
    path: str
    parts: tuple[str, ...]
    time: datetime | None
    late: bool = False
    number: tuple[int, int] = (0, 0)
    spooled: Path | None = None
    sha256: str = ""
    student: str = ""
    by: str = ""
    weak: bool = False
    notebook: str = ""
    says: str = ""
    remarks: list[str] = field(default_factory=list)

    def entry(self, outcome: Outcome, reason: str = "") -> Entry:
        return Entry(
            path=self.path,
            outcome=outcome,
            reason=reason,
            student=self.student,
            notebook=self.notebook,
            time=self.time.astimezone(UTC).isoformat(timespec="seconds") if self.time else "",
            late=self.late,
            by=self.by,
            sha256=self.sha256,
            remarks=tuple(self.remarks),
        )

    @property
    def order(self) -> tuple[datetime, tuple[int, int], str, int]:
        """Newest last; of one time, the one that is numbered higher."""
        return self.time or datetime.min.replace(tzinfo=UTC), self.number, self.path, self.place


# --- whose ----------------------------------------------------------------------------------------


def _by_roster(clues: Sequence[handed_in.Clue], roster: Roster) -> tuple[str, handed_in.Clue] | None:
    for clue in clues:
        if clue.kind == "id":
            student = roster.by_id(clue.text)
            if student:
                return student.id, clue
        else:
            found = roster.by_name(clue.text)
            if len(found) == 1:
                return found[0].id, clue
    return None


def _without_roster(file: _File, names: handed_in.Names, assignment: Assignment) -> tuple[str, handed_in.Clue] | None:
    for clue in names.clues:
        if clue.source == names.platform and clue.kind == "id":
            return clue.text, clue
    for folder in file.parts[1:-1]:
        plain = re.sub(r"[^A-Za-z0-9_@.+-]+", "_", folder.removesuffix(".zip")).strip("._-")
        if plain and plain != assignment.name:
            return plain[:64], handed_in.Clue("id", plain, "folder")
    return None


def _as_id(text: str) -> str:
    """A STUDENT_ID that can be a student's id, else ""."""
    try:
        return student_id(text) if text else ""
    except ValueError:
        return ""


def _find_student(file: _File, names: handed_in.Names, roster: Roster | None, assignment: Assignment) -> str:
    """Fill in whose the file is. Returns "" or the reason why nobody can be named."""
    found = _by_roster(names.clues, roster) if roster else _without_roster(file, names, assignment)
    said = ""
    if file.says:
        own = roster.by_id(file.says) if roster else None
        said = own.id if own else "" if roster else _as_id(file.says)
    if found:
        file.student, file.by, file.weak = found[0], found[1].source, found[1].weak
        if file.says and said.casefold() != file.student.casefold():
            file.remarks.append(f"Its STUDENT_ID is {shown(file.says, 60)!r}.")
        return ""
    if said:
        file.student, file.by, file.weak = said, "STUDENT_ID", True
        return ""
    clue = next((f"{clue.source}: {shown(clue.text, 60)}" for clue in names.clues if clue.source == names.platform), "")
    if roster and file.says:
        return f"Its STUDENT_ID, {shown(file.says, 60)!r}, is not in the roster{f' ({clue})' if clue else ''}."
    if clue:
        return f"Nobody in the roster is {clue}, and its STUDENT_ID is empty."
    return "Nothing says whose it is: its STUDENT_ID is empty, and no folder or name is a student's."


# --- one file -------------------------------------------------------------------------------------


def _gradescope(files: Sequence[_File]) -> dict[str, tuple[list[dict[str, str]], datetime | None]]:
    """Folder's path → who handed in, from the list that Gradescope puts beside all the folders of an export."""
    lists = [file for file in files if file.parts[-1] == "submission_metadata.yml" and file.spooled]
    top = min(lists, key=lambda file: len(file.parts), default=None)
    if top is None or top.spooled is None:
        return {}
    at = len(top.parts)
    beside = {file.parts[at - 1] for file in files if len(file.parts) > at and not _JUNK.search("/".join(file.parts))}
    whole = all(file.parts[: at - 1] == top.parts[:-1] for file in files if not _JUNK.search("/".join(file.parts)))
    found = handed_in.submitters(top.spooled.read_bytes())
    if not whole or not beside <= set(found):
        return {}  # one that a student put among their own files
    return {"/".join((*top.parts[:-1], folder)): about for folder, about in found.items()}


def _look(
    file: _File,
    assignment: Assignment,
    roster: Roster | None,
    submitters: dict[str, tuple[list[dict[str, str]], datetime | None]],
) -> tuple[Outcome, str] | None:
    """Fill in notebook and student. Returns an outcome and its reason when the file's way ends here."""
    if _JUNK.search("/".join(file.parts)):
        return "ignored", "A file that a system or a tool keeps for itself."
    if file.parts[-1] == "submission_metadata.yml":
        return "ignored", "Gradescope's list of submissions."
    names = handed_in.names(file.parts)
    for folder, (people, when) in submitters.items():
        if "/".join(file.parts).startswith(folder + "/"):
            clues = [
                handed_in.Clue(kind, person[key], "Gradescope")
                for person in people[:1]
                for key, kind in (("sid", "id"), ("email", "id"), ("name", "name"))
                if person.get(key)
            ]
            names = handed_in.Names(tuple(clues), names.file, "Gradescope", names.remarks, names.late, when)
            if len(people) > 1:
                file.remarks.append(f"{len(people)} students handed it in together.")
    file.remarks += names.remarks
    file.time = names.time or file.time
    file.late, file.number = names.late, names.number
    assert file.spooled is not None
    data, ending = file.spooled.read_bytes(), Path(names.file).suffix.lower()
    if ".ipynb" not in names.file.lower() and not (ending in (".json", ".txt") and data.lstrip()[:1] == b"{"):
        _find_student(file, names, roster, assignment)
        return "refused", f"It is no notebook but a file {shown(ending, 20) if ending else 'without an ending'}."
    try:
        notebook = handed_in.read_notebook(data)
    except handed_in.NotANotebook as error:
        _find_student(file, names, roster, assignment)
        return "refused", str(error)
    file.says = notebook.student_id()
    nobody = _find_student(file, names, roster, assignment)
    assigned = {lessons.find(Path(name).stem).number: name for name in assignment.notebooks}
    try:
        file.notebook, _ = handed_in.lesson_of(notebook, names.file, assigned)
    except handed_in.NotANotebook as error:
        return "refused", str(error)
    if nobody:
        return "refused", nobody
    try:
        student_id(file.student)
    except ValueError as error:
        return "refused", str(error)
    file.remarks += notebook.remarks
    if notebook.course.get("edition") == "answered":
        file.remarks.append("It was made from the answered edition.")
    handed = notebook.course.get("assignment")
    if isinstance(handed, str) and handed != assignment.name:
        file.remarks.append(f"It was handed out for {shown(handed, 60)!r}.")
    if not names.file.lower().endswith(".ipynb"):
        file.remarks.append("Its name does not end in .ipynb.")
    if len(data) > LARGEST:
        file.remarks.append(f"It had {len(data) / 1e6:.0f} MB and is kept without its outputs.")
        for cell in notebook.cells:
            if "outputs" in cell:
                cell["outputs"] = []
    if len(data) > LARGEST or notebook.remarks:
        file.spooled.write_text(json.dumps(notebook.content), encoding="utf-8")
    return None


# --- all of them ----------------------------------------------------------------------------------


def _not_folders(files: Sequence[_File]) -> None:
    """A folder in which several students name themselves is no student's: there STUDENT_ID decides."""
    by_folder: dict[str, list[_File]] = defaultdict(list)
    for file in files:
        if file.by == "folder":
            by_folder[file.student].append(file)
    for group in by_folder.values():
        if len({file.says for file in group if file.says}) > 1:
            for file in group:
                file.student, file.by, file.weak, file.remarks = _as_id(file.says), "STUDENT_ID", True, []


def _choose(files: Sequence[_File]) -> tuple[_File | None, list[tuple[_File, Entry]]]:
    """Of one student's files of one notebook the one that counts, and what becomes of each of the others."""
    named = [file for file in files if not file.weak]
    claims = [file for file in files if file.weak]
    others = []
    if named:
        for file in claims:
            why = f"Only its {file.by} says {file.student}, whose file the platform or a folder names."
            others.append((file, file.entry("refused", why)))
    elif len({file.sha256 for file in claims}) > 1:
        why = (
            f"{len(claims)} different files claim to be {claims[0].student}'s, and nothing else tells whose they are: "
        )
        why += f"put the right one into a folder {claims[0].student}."
        return None, [(file, file.entry("refused", why)) for file in claims]
    ranked = sorted(named or claims, key=lambda file: file.order)
    for file in ranked[:-1]:
        which = "The same file" if file.sha256 == ranked[-1].sha256 else "A newer one"
        others.append((file, file.entry("duplicate", f"{which} is there: {ranked[-1].path}.")))
    return ranked[-1], others


def _spool(file: _File, parcel: Parcel, folder: Path) -> _File:
    file.spooled = folder / str(file.place)
    file.spooled.write_bytes(parcel.data)
    file.sha256 = hashlib.sha256(parcel.data).hexdigest()
    return file


def _history(classroom: Classroom, name: str) -> list[dict[str, Any]]:
    """Earlier collections of this assignment, oldest first."""
    try:
        found = json.loads((classroom.root / "collected" / f"{name}.json").read_text(encoding="utf-8"))
        return list(found["collections"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def standing(classroom: Classroom, name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(student in lower case, notebook) → the entry of the file that stands in submitted/."""
    return {
        (entry["student"].casefold(), entry["notebook"]): entry
        for collection in _history(classroom, name)
        for entry in collection["entries"]
        if entry["outcome"] in TAKEN
    }


def _against(file: _File, before: dict[str, Any] | None) -> tuple[Outcome, str]:
    """What becomes of the file that counts, given the one that stands."""
    if before is None:
        return "collected", ""
    if before["sha256"] == file.sha256:
        return "unchanged", "It is the file that was collected before."
    old = datetime.fromisoformat(before["time"]) if before["time"] else None
    weak = before["by"] in ("STUDENT_ID", "file name")
    if file.weak and not weak:
        return "refused", f"Only its {file.by} says {file.student}, of whom there is a file that {before['by']} names."
    if old is not None and (file.time is None or file.time <= old):
        return "older", f"The one collected before is from {before['time']}."
    return "replaced", f"It replaces the one from {before['time'] or 'an unknown time'}."


def _put(
    classroom: Classroom, name: str, files: Sequence[_File], before: dict[tuple[str, str], dict[str, Any]]
) -> None:
    """Put the files that count in their places, and the time of each student's newest."""
    new = {(file.student.casefold(), file.notebook): file.time for file in files}
    old = {key: datetime.fromisoformat(entry["time"]) for key, entry in before.items() if entry["time"]}
    for file in files:
        assert file.spooled is not None
        folder = classroom.submitted(file.student, name)
        write(folder / file.notebook, file.spooled.read_bytes())
        times = [when for (student, _), when in (old | new).items() if when and student == file.student.casefold()]
        if times:
            write(folder / "timestamp.txt", max(times).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC"))


def collect(
    classroom: Classroom,
    name: str,
    paths: Sequence[str | Path],
    *,
    roster: Roster | None = None,
    late_after: str = "",
) -> Report:
    """Take in folders, zips and files for an assignment. `late_after`: ISO 8601, by default when it was due.

    Raises ValueError when there is no such assignment, path or time.
    """
    assignment = classroom.assignment(name)
    due = datetime.fromisoformat(late_after or assignment.due) if late_after or assignment.due else None
    if due is not None and due.tzinfo is None:
        due = due.astimezone()
    entries: dict[int, Entry] = {}
    files: list[_File] = []
    with tempfile.TemporaryDirectory(prefix="course-collect-") as spool:
        for place, parcel in enumerate(archives.open_all(list(paths))):
            file = _File(place, shown(parcel.path), parcel.parts, parcel.time)
            if parcel.problem:
                entries[place] = file.entry("ignored" if _JUNK.search(parcel.path) else "refused", parcel.problem)
                continue
            files.append(_spool(file, parcel, Path(spool)))
        submitters = _gradescope(files)
        groups: dict[tuple[str, str], list[_File]] = defaultdict(list)
        ends = {file.place: _look(file, assignment, roster, submitters) for file in files}
        going = [file for file in files if ends[file.place] is None]
        if roster is None:
            _not_folders(going)
        for file in files:
            end = ends[file.place]
            if due is not None and file.time is not None and file.time > due:
                file.late = True
            if end is None and not file.student:
                end = "refused", "Others in its folder name themselves, and its STUDENT_ID is empty or no id."
            if end is not None:
                entries[file.place] = file.entry(*end)
            else:
                groups[file.student.casefold(), file.notebook].append(file)
        before = standing(classroom, name)
        taken = []
        for group in groups.values():
            chosen, others = _choose(group)
            entries |= {file.place: entry for file, entry in others}
            if chosen is not None:
                outcome, reason = _against(chosen, before.get((chosen.student.casefold(), chosen.notebook)))
                entries[chosen.place] = chosen.entry(outcome, reason)
                if outcome in TAKEN:
                    taken.append(chosen)
        _put(classroom, name, taken, before)
    there = {student for student, _ in before} | {file.student.casefold() for file in taken}
    missing = tuple(student.id for student in roster.students if student.id.casefold() not in there) if roster else ()
    report = Report(
        name,
        datetime.now(UTC).isoformat(timespec="seconds"),
        tuple(entries[place] for place in sorted(entries)),
        missing,
    )
    kept = {"format": 1, "assignment": name, "collections": [*_history(classroom, name), asdict(report)]}
    write(classroom.root / "collected" / f"{name}.json", json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    return report
