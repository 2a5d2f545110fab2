"""What a file that came in says of itself: is it a notebook, of which lesson, and whose.

A platform tells whose a file is by how it names it; the names of Canvas, Moodle, Blackboard, Gradescope and
Google Classroom are read here. The notebook itself is data: it is parsed as JSON, and of its code only the line
that sets STUDENT_ID is read, as a literal. Nothing of it is run.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from course.exercises import registry
from course.lessons import find

__all__ = ["Clue", "Names", "NotANotebook", "Notebook", "lesson_of", "names", "read_notebook", "submitters"]

# --- names that platforms give --------------------------------------------------------------------

_CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<user>\d{1,19})_(?P<number>\d{1,19})_(?P<file>.+)", re.DOTALL)
_MOODLE = re.compile(r"(?P<name>.+?)_(?P<user>\d{1,19})_assignsubmission_[a-z]+(?:_(?P<file>.*))?", re.DOTALL)
_BLACKBOARD = re.compile(r".+?_(?P<user>[^_]+)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)", re.DOTALL)
_COPY = re.compile(r"(?:copy of|kopie von|copie de|copia de|copia di|kopia|copy)[\s_]+", re.IGNORECASE)
_AGAIN = re.compile(r"(?:\s*\(\d{1,3}\)|-\d{1,3}|[\s_-]copy\d*)$", re.IGNORECASE)


@dataclass(frozen=True)
class Clue:
    """Something that says whose a file is: `kind` "id" (a platform's number or an address) or "name".

    `weak`: the student chose it, as a file's name; the platform's own names of folders and files are not weak.
    """

    kind: str
    text: str
    source: str
    weak: bool = False


@dataclass(frozen=True)
class Names:
    """What a file's path says: clues in the order of their weight, the file's own name, and remarks.

    `platform`: the learning platform that named it, "" for none. `number` grows with each file that replaces another.
    """

    clues: tuple[Clue, ...]
    file: str
    platform: str = ""
    remarks: tuple[str, ...] = ()
    late: bool = False
    time: datetime | None = None
    number: tuple[int, int] = (0, 0)


def _stem(file: str) -> tuple[str, tuple[str, ...]]:
    """A file's name without its endings and without what copying adds to it, and a remark when there was any."""
    stem, remarks = re.sub(r"(?:\.(?:ipynb|json|txt))+$", "", file, flags=re.IGNORECASE), []
    while match := _COPY.match(stem):
        stem = stem[match.end() :]
        remarks = ["Its name says that it is a copy."]
    while match := _AGAIN.search(stem):
        stem = stem[: match.start()]
    return stem.strip(), tuple(remarks)


def names(parts: tuple[str, ...]) -> Names:
    """What the names of a file and of the folders above it say. `parts` starts with the download's own name.

    From the outside in: what a platform named comes first, and what lies within it was named by the student.
    """
    clues: list[Clue] = []
    file, late, time, platform, number = parts[-1], False, None, "", 0
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        found = _platform(part) if last or place else None
        if found:
            platform, match = found
            clues.append(Clue("id", match["user"], platform))
            about = match.groupdict()
            if "name" in about:
                clues.append(Clue("name", about["name"], platform))
            if about.get("time"):
                time = datetime.strptime(about["time"], "%Y-%m-%d-%H-%M-%S").astimezone()
            late, number = bool(about.get("late")), int(about.get("number") or 0)
            file = about.get("file") or file if last else file
            break
        if not last:
            plain = part.removesuffix(".zip")
            clues += [Clue("id", plain, "folder"), Clue("name", plain, "folder")]
    stem, remarks = _stem(file)
    if not platform:
        clues.append(Clue("id", stem, "file name", weak=True))
        for dash in (" - ", " – "):
            if dash in stem:  # Google Classroom: "power_laws - Jane Doe.ipynb"
                front, _, back = stem.rpartition(dash)
                clues += [Clue("name", text, "file name", weak=True) for text in (back, front)]
    again = re.search(r"(?:\((\d{1,3})\)|-(\d{1,3}))(?:\.[A-Za-z]+)*$", file)
    copies = int(again[1] or again[2]) if again else 0
    return Names(tuple(clues), file, platform, remarks, late, time, (number, copies))


def _platform(part: str) -> tuple[str, re.Match[str]] | None:
    for platform, pattern in (("Moodle", _MOODLE), ("Blackboard", _BLACKBOARD), ("Canvas", _CANVAS)):
        if match := pattern.fullmatch(part):
            return platform, match
    return None


def submitters(data: bytes) -> dict[str, tuple[list[dict[str, str]], datetime | None]]:
    """Gradescope's submission_metadata.yml: a submission's folder → who handed it in (sid, email, name), and when.

    {} for a file that is none.
    """
    import yaml

    if len(data) > 20_000_000:
        return {}
    try:
        found = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    result = {}
    for folder, about in found.items() if isinstance(found, dict) else ():
        if not isinstance(about, dict) or not isinstance(about.get(":submitters"), list):
            continue
        people = [
            {str(key).strip(":"): str(value) for key, value in person.items() if isinstance(value, str | int)}
            for person in about[":submitters"]
            if isinstance(person, dict)
        ]
        when = about.get(":created_at")
        if isinstance(when, datetime):
            when = when.astimezone()
        result[str(folder)] = (people, when if isinstance(when, datetime) else None)
    return result


# --- the notebook ---------------------------------------------------------------------------------


class NotANotebook(ValueError):
    """The sentence says why."""


@dataclass
class Notebook:
    """A submitted notebook as data. `remarks` are for the instructor."""

    content: dict[str, Any]
    cells: list[dict[str, Any]]
    remarks: list[str] = field(default_factory=list)

    @property
    def course(self) -> dict[str, Any]:
        """The course's own metadata, {} where they are lost."""
        metadata = self.content.get("metadata")
        found = metadata.get("course") if isinstance(metadata, dict) else None
        return found if isinstance(found, dict) else {}

    def sources(self) -> Iterable[str]:
        """The text of each cell."""
        for cell in self.cells:
            text = cell.get("source", cell.get("input", ""))
            if isinstance(text, list):
                text = "".join(part for part in text if isinstance(part, str))
            yield text if isinstance(text, str) else ""

    def student_id(self) -> str:
        """What the STUDENT_ID cell says, "" for nothing: the last plain text assigned to it."""
        found = ""
        for source in self.sources():
            for line in re.findall(r"^STUDENT_ID\s*=[^=].*$", source[:10_000], re.MULTILINE):
                try:
                    value = ast.literal_eval(line.partition("=")[2].strip()[:300])
                except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
                    continue
                if isinstance(value, str | int) and str(value).strip():
                    found = str(value).strip()
        return found


def read_notebook(data: bytes) -> Notebook:
    """Parse a notebook of any version, also one whose encoding was damaged.

    Raises NotANotebook, a sentence, for anything else.
    """
    remarks = []
    if not data.strip():
        raise NotANotebook("It is empty.")
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        remarks.append("It was not in UTF-8; signs outside ASCII may be wrong.")
    try:
        content = json.loads(text)
    except RecursionError:
        raise NotANotebook("It is nested too deeply to be a notebook.") from None
    except ValueError as error:
        raise NotANotebook(f"It is not valid JSON ({str(error)[:80]}): ask for the file again.") from None
    cells = content.get("cells") if isinstance(content, dict) else None
    if cells is None and isinstance(content, dict) and isinstance(content.get("worksheets"), list):
        sheets = [sheet for sheet in content["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets if isinstance(sheet.get("cells"), list) for cell in sheet["cells"]]
    if not isinstance(cells, list):
        raise NotANotebook("It is JSON, and no notebook: it has no list of cells.")
    return Notebook(content, [cell for cell in cells if isinstance(cell, dict)], remarks)


_TRACE = re.compile(r"(?:\bcheck\(\s*[\"']|\b(?:exercise|check|task)-|### Exercise )(\d+)[.-](\d+)[.-](\d+)\b")


def _asked(notebook: Notebook) -> Counter[str]:
    """Lesson number → how many cells ask, answer or check one of its exercises."""
    found: Counter[str] = Counter()
    known = registry()
    for cell, source in zip(notebook.cells, notebook.sources(), strict=True):
        metadata = cell.get("metadata")
        graded = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        grade_id = graded.get("grade_id", "") if isinstance(graded, dict) else ""
        text = f"{source[:20_000]}\n{str(cell.get('id', ''))[:80]}\n{str(grade_id)[:80]}"
        ids = {".".join(match) for match in _TRACE.findall(text)}
        found.update(known[id_].lesson for id_ in ids if id_ in known)
    return found


def lesson_of(notebook: Notebook, file: str, assigned: dict[str, str]) -> tuple[str, str]:
    """The assigned notebook that this file is, and how it was recognised: by metadata, name or contents.

    `assigned` maps a lesson's number to the released file's name. Raises NotANotebook, a sentence, when it is none
    of them.
    """
    number = notebook.course.get("lesson")
    if isinstance(number, str) and number in assigned:
        return assigned[number], "metadata"
    asked = _asked(notebook)
    stem = re.sub(r"[\W_]+", "", _stem(file)[0]).casefold()
    named = [of for of, released in assigned.items() if re.sub(r"[\W_]+", "", released[:-6]).casefold() in stem]
    if len(named) == 1 and (not asked or asked[named[0]]):
        return assigned[named[0]], "file name"
    best = max(assigned, key=lambda of: asked[of], default="")
    if best and asked[best] and asked[best] == max(asked.values()):
        return assigned[best], "contents"
    other = number if isinstance(number, str) else next(iter(dict(asked.most_common(1))), "")
    try:
        wrong = f": it is lesson {find(other).number}, {find(other).title}" if other else ""
    except ValueError:
        wrong = ""
    raise NotANotebook(f"It is none of the notebooks of this assignment{wrong}.")
