"""A student's answers in the notebook that was handed out.

What came back is data of unknown origin: it is read as JSON with limits, never run and never parsed as Python here.
The released notebook stays as it was released, except for the answers' cells, whose text is the student's. Further
code cells of the student's (imports, helper functions, edited cells) come along in their place, for the answers that
need them. So edited, retyped, deleted or doubled checks, lost metadata and lost ids do no harm.
"""

from __future__ import annotations

import ast
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Answer", "Grafted", "Released", "Unreadable", "content", "graft", "read"]

MAX_FILE = 20_000_000
MAX_CELL = 200_000
MAX_CELLS = 2_000
MAX_TEXT = 4_000_000


class Unreadable(ValueError):
    """A file that is no notebook; one sentence."""


# --- reading what came back -----------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A cell of an untrusted notebook: nothing but text."""

    kind: str
    text: str
    id: str = ""
    grade_id: str = ""


def content(path: Path) -> bytes:
    """The bytes of a submitted file, whatever the path may be by now. Raises Unreadable unless it is a file of at most MAX_FILE."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        why = "is a link" if path.is_symlink() else f"cannot be opened ({error.strerror})"
        raise Unreadable(f"{path.name} {why}.") from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise Unreadable(f"{path.name} is no file.")
    with os.fdopen(handle, "rb") as file:
        if found.st_size > MAX_FILE:
            raise Unreadable(f"{path.name} has {found.st_size / 1e6:.0f} MB; at most {MAX_FILE // 1_000_000} are read.")
        return file.read(MAX_FILE + 1)[:MAX_FILE]


def _text(value: Any) -> str:
    """A cell's source, which JSON holds as one text or as a list of lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "".join(value)
    if not isinstance(value, str):
        return ""
    # Lone surrogates cannot be written again, and null bytes end a program's text.
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def _short(value: Any) -> str:
    return value[:200] if isinstance(value, str) else ""


def read(path: Path, odd: list[str]) -> list[Cell]:
    """The cells of a submitted notebook, of format 3 or 4. Adds to `odd` what an instructor might want to know.

    Raises Unreadable, with one sentence, for anything that is no notebook.
    """
    data = content(path)
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable(f"{path.name} is not text in UTF-8.") from None
    except RecursionError:
        raise Unreadable(f"{path.name} is nested too deeply to be a notebook.") from None
    except ValueError as error:
        raise Unreadable(f"{path.name} is not JSON ({str(error)[:80]}).") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{path.name} is JSON and not a notebook.")
    cells = found.get("cells")
    if cells is None and isinstance(found.get("worksheets"), list):  # format 3
        odd.append(f"{path.name} is of an old notebook format.")
        sheets = [sheet.get("cells") for sheet in found["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    if not isinstance(cells, list):
        raise Unreadable(f"{path.name} is JSON and not a notebook: it has no cells.")
    if len(cells) > MAX_CELLS:
        odd.append(f"{path.name} has {len(cells):,} cells; the first {MAX_CELLS:,} were read.")
    read_cells, room = [], MAX_TEXT
    for number, cell in enumerate(cells[:MAX_CELLS], 1):
        if not isinstance(cell, dict):
            odd.append(f"Cell {number} of {path.name} is no cell.")
            continue
        text = _text(cell.get("source", cell.get("input")))
        if len(text) > MAX_CELL or len(text) > room:
            odd.append(f"Cell {number} of {path.name} has {len(text):,} characters and was left out.")
            text = ""
        room -= len(text)
        metadata = cell.get("metadata")
        nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        grade_id = _short(nbgrader.get("grade_id")) if isinstance(nbgrader, dict) else ""
        read_cells.append(Cell(_short(cell.get("cell_type")), text, _short(cell.get("id")), grade_id))
    return read_cells


# --- what was handed out --------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """An exercise's place in a released notebook: its cell, and the name that its check asks for."""

    exercise: str
    cell: int
    name: str


class Released:
    """A notebook as it was handed out: `cells` as nbformat's dictionaries, `answers` by exercise."""

    def __init__(self, path: Path) -> None:
        self.notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.cells: list[dict[str, Any]] = self.notebook["cells"]
        self.lesson = str(self.notebook.get("metadata", {}).get("course", {}).get("lesson", ""))
        self.answers: dict[str, Answer] = {}
        names = {}
        for cell in self.cells:
            for id_ in self._tagged(cell, "check-"):
                names[id_] = self._asked(self.text(cell))
        for i, cell in enumerate(self.cells):
            if cell["cell_type"] == "code":
                for id_ in self._tagged(cell, "exercise-"):
                    self.answers[id_] = Answer(id_, i, names.get(id_, ""))

    @staticmethod
    def text(cell: dict[str, Any]) -> str:
        """A cell's source as one text."""
        return "".join(cell["source"])

    @staticmethod
    def _tagged(cell: dict[str, Any], prefix: str) -> list[str]:
        tags = cell.get("metadata", {}).get("tags", [])
        return [tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)]

    @staticmethod
    def _asked(text: str) -> str:
        """The name in `check("4.1.2", name)`."""
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check":
                for argument in node.args[1:2]:
                    if isinstance(argument, ast.Name):
                        return argument.id
        return ""

    def role(self, i: int) -> str:
        """ "answer", "skipped" (checks, verdicts, the set-up) or "released"."""
        cell = self.cells[i]
        tags = cell.get("metadata", {}).get("tags", [])
        if any(answer.cell == i for answer in self.answers.values()):
            return "answer"
        if cell.get("id") in ("set-up", "student-id") or any(tag.startswith(("check-", "claim-")) for tag in tags):
            return "skipped"
        return "released"


# --- the graft ------------------------------------------------------------------------------------


@dataclass
class Grafted:
    """The cells to run, in order: {"text", "role"}, `places` of the answers among them, and what was odd.

    `found` holds the exercises of which the submission has a cell; `answers` their text.
    """

    cells: list[dict[str, str]] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)
    odd: list[str] = field(default_factory=list)


def _defines(text: str, name: str) -> bool:
    if not name:
        return False
    return re.search(rf"(?m)^(?:(?:async[ \t]+)?def[ \t]+{name}\b|{name}[ \t]*(?::[^=\n]*)?=(?!=))", text) is not None


def _same(a: str, b: str) -> bool:
    return a.split() == b.split()


def _match_answers(released: Released, cells: list[Cell], odd: list[str]) -> dict[str, int]:
    """Exercise → index of the submission's cell that answers it."""
    found: dict[str, int] = {}
    for id_, answer in released.answers.items():
        own = released.cells[answer.cell]
        grade_id = (
            own.get("metadata", {}).get("nbgrader", {}).get("grade_id", "") or f"exercise-{id_.replace('.', '-')}"
        )
        stub = released.text(own)
        ways = (
            [i for i, cell in enumerate(cells) if cell.grade_id and cell.grade_id == grade_id],
            [i for i, cell in enumerate(cells) if cell.id and cell.id == own.get("id")],
            [i for i, cell in enumerate(cells) if _defines(cell.text, answer.name)],
        )
        marked = ways[0] or ways[1]
        if len(ways[0]) > 1:
            odd.append(f"{id_}: {len(ways[0])} cells carry the answer's mark; the last one that was changed counts.")
        # The marked cell may be as it was released, or emptied, and the answer written somewhere else.
        written = [i for i in marked if not _same(cells[i].text, stub) and _defines(cells[i].text, answer.name)]
        elsewhere = [i for i in ways[2] if not _same(cells[i].text, stub)]
        if written:
            found[id_] = written[-1]
        elif elsewhere:
            found[id_] = elsewhere[-1]
            how = "in another cell than the one that was handed out" if marked else "by its name: its mark is lost"
            odd.append(f"{id_}: the answer was found {how}.")
        elif marked:
            found[id_] = marked[-1]
        elif ways[2]:
            found[id_] = ways[2][-1]
        if id_ in found and cells[found[id_]].kind != "code":
            odd.append(f"{id_}: the answer's cell is no code cell any more; it was read as code.")
    return found


def _match_released(released: Released, cells: list[Cell], taken: set[int]) -> dict[int, int]:
    """Index of a submission's cell → index of the released code cell that it was, by id, by mark or by text."""
    ids = {cell.get("id"): i for i, cell in enumerate(released.cells)}
    texts = {" ".join(released.text(cell).split()): i for i, cell in reversed(list(enumerate(released.cells)))}
    marks = {cell.get("metadata", {}).get("nbgrader", {}).get("grade_id"): i for i, cell in enumerate(released.cells)}
    found = {}
    for i, cell in enumerate(cells):
        if i in taken:
            continue
        for table, key in ((texts, " ".join(cell.text.split())), (marks, cell.grade_id), (ids, cell.id)):
            if key and key in table:
                found[i] = table[key]
                break
    return found


def graft(released: Released, cells: list[Cell]) -> Grafted:
    """Put the submission's answers, and what they may need, into the released notebook."""
    result = Grafted()
    answers = _match_answers(released, cells, result.odd)
    of_cell = {i: id_ for id_, i in answers.items()}
    known = _match_released(released, cells, set(of_cell))
    shown = {released.text(cell).strip() for cell in released.cells}

    # The student's further cells stand after the released cell that they followed.
    after: dict[int, list[dict[str, str]]] = {}
    place = -1
    for i, cell in enumerate(cells):
        if i in of_cell:
            place = max(place, released.answers[of_cell[i]].cell)
            continue
        if i in known:
            role = released.role(known[i])
            place = max(place, known[i])
            edited = cell.text.strip() not in shown and not _same(cell.text, released.text(released.cells[known[i]]))
            if edited and role == "skipped" and "check" in cell.text:
                result.odd.append(f"The check in cell {i + 1} was edited; it was not used.")
            if edited and role == "released" and cell.kind == "code":
                after.setdefault(place, []).append({"text": cell.text, "role": "edited"})
            continue
        if cell.kind == "code" and cell.text.strip():
            after.setdefault(place, []).append({"text": cell.text, "role": "student"})

    result.cells += after.get(-1, [])
    for i, own in enumerate(released.cells):
        role = released.role(i)
        if role == "answer":
            for id_ in (id_ for id_, answer in released.answers.items() if answer.cell == i):
                result.places[id_] = len(result.cells)
                text = released.text(own)
                if id_ in answers:
                    text = result.answers[id_] = cells[answers[id_]].text
                    result.found.add(id_)
                result.cells.append({"text": text, "role": "answer", "exercise": id_})
        elif own["cell_type"] == "code":
            result.cells.append({"text": released.text(own), "role": role})
        result.cells += after.get(i, [])
    missing = [id_ for id_ in released.answers if id_ not in answers]
    if missing and cells:
        result.odd.append(f"No cell was found for {', '.join(missing)}.")
    return result
