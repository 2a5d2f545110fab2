"""From one text source per lesson to two notebooks: answered, and the students' edition.

The source is a percent file in `solutions/` (see CONTRIBUTING.md for its cell headers). `compile_lesson`
turns its text into both notebooks without running anything; `build` adds outputs to the answered
one and writes the files that changed. Outputs are kept until the lesson's code, or the part of
`course/` that it uses, changes; so building twice gives the same bytes.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from course import handbook, lessons
from course.exercises import registry
from course.exercises.specification import Exercise
from course.lessons import Lesson
from course.publishing import Project, colab_metadata, project

__all__ = ["SourceError", "build", "command", "compile_lesson", "find_root", "read", "stale", "task"]

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KEYS = ("exercise", "check", "prediction", "claim", "alt", "tags")
CHAPTERS = {
    "01": "Background",
    "02": "Core concepts",
    "03": "Algorithms and operation",
    "04": "The mathematics",
    "05": "Practice",
    "06": "Applications",
    "07": "Tools and resources",
    "08": "Outlook",
    "09": "Questions",
    "10": "Capstone",
}


class SourceError(ValueError):
    """A lesson's source, or what it prints, breaks a rule; the message is `file:line: sentence`."""


class Pair(NamedTuple):
    """Both editions of a lesson, as notebooks without outputs."""

    answered: Any
    student: Any


@dataclass
class Cell:
    """One cell of a source: its header's keys, its text, and the line its header is on."""

    kind: str
    header: dict[str, Any]
    text: str
    line: int
    id: str = ""


# --- reading the source ---------------------------------------------------------------------------

_HEADER = re.compile(r"^# %%(?P<markdown> \[markdown\])?(?P<keys>.*)$")
_KEY = re.compile(r'\s+(\w+)=("(?:[^"\\]|\\.)*"|\[[^\]]*\])')


def _header(line: str, where: str) -> tuple[str, dict[str, Any]]:
    match = _HEADER.match(line)
    assert match is not None
    kind = "markdown" if match["markdown"] else "code"
    rest, header = match["keys"], {}
    while rest.strip():
        key = _KEY.match(rest)
        if key is None:
            raise SourceError(
                f'{where}: cannot read `{rest.strip()}` in the cell header; write key="value", with the keys '
                f"{', '.join(KEYS)}, or [markdown] right after `# %%`."
            )
        name = key[1]
        if name not in KEYS:
            near = difflib.get_close_matches(name, KEYS, n=1)
            guess = f" Did you mean {near[0]!r}?" if near else f" The keys are {', '.join(KEYS)}."
            raise SourceError(f"{where}: unknown key {name!r} in the cell header.{guess}")
        if name in header:
            raise SourceError(f"{where}: the key {name!r} occurs twice in the cell header.")
        header[name] = json.loads(key[2])
        rest = rest[key.end() :]
    return kind, header


def read(text: str, name: str) -> list[Cell]:
    """The cells of a percent source. `name` is the file's name in messages.

    Raises SourceError, with file and line, at the first header that cannot be read.
    """
    import jupytext

    lines = text.splitlines()
    heads = [i for i, line in enumerate(lines) if line.startswith("# %%")]
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if not heads or heads[0] != first:
        raise SourceError(f"{name}:{first + 1}: a lesson starts with a cell header; write `# %% [markdown]` first.")
    parsed = []
    for i in heads:
        kind, header = _header(lines[i], f"{name}:{i + 1}")
        parsed.append((kind, header, i + 1))
    # Headers are ours to read; jupytext does what is left: cell bodies out of comments and code.
    bare = "\n".join(
        ("# %% [markdown]" if line.startswith("# %% [markdown]") else "# %%") if i in set(heads) else line
        for i, line in enumerate(lines)
    )
    cells = jupytext.reads(bare + "\n", fmt="py:percent").cells
    if len(cells) != len(parsed):
        raise SourceError(f"{name}:1: {len(parsed)} cell headers but {len(cells)} cells; is a `# %%` inside a string?")
    return [Cell(kind, header, cell.source, line) for (kind, header, line), cell in zip(parsed, cells, strict=True)]


# --- holding it to the rules ----------------------------------------------------------------------


def _regions(cell: Cell, where: str) -> list[tuple[int, int]]:
    """First and last line (0-based, markers included) of each solution region."""
    found: list[tuple[int, int]] = []
    start = None
    for i, line in enumerate(cell.text.splitlines()):
        word = line.strip()
        if word == BEGIN:
            if start is not None:
                raise SourceError(f"{where}: `{BEGIN}` twice without `{END}` between.")
            start = i
        elif word == END:
            if start is None:
                raise SourceError(f"{where}: `{END}` without `{BEGIN}` before it.")
            if i == start + 1:
                raise SourceError(f"{where}: nothing stands between `{BEGIN}` and `{END}`.")
            found.append((start, i))
            start = None
        elif "BEGIN SOLUTION" in line or "END SOLUTION" in line:
            raise SourceError(f"{where}: write the marker alone on its line, as `{BEGIN}` or `{END}`; got `{word}`.")
    if start is not None:
        raise SourceError(f"{where}: `{BEGIN}` without `{END}`.")
    return found


def _calls(text: str, function: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function
    ]


def _check_cell(cell: Cell, name: str, lesson: Lesson, exercises: Mapping[str, Exercise]) -> None:
    where, header = f"{name}:{cell.line}", cell.header
    if cell.kind == "markdown" and set(header) - {"exercise"}:
        raise SourceError(f"{where}: a markdown cell takes no key but exercise; got {', '.join(header)}.")
    if len({"exercise", "check", "prediction"} & set(header)) > 1:
        raise SourceError(f"{where}: a cell is an exercise, a check or a prediction, not two of them.")
    for key in ("exercise", "check"):
        if key in header and header[key] not in exercises:
            raise SourceError(
                f"{where}: exercise {header[key]!r} is not in course/exercises/{lesson.name}.py; specify it there first."
            )
    if cell.kind == "markdown":
        return
    try:
        ast.parse(cell.text)
    except SyntaxError as error:
        raise SourceError(f"{name}:{cell.line + (error.lineno or 1)}: {error.msg} in the code.") from None
    regions = _regions(cell, where)
    wants = "exercise" in header or "prediction" in header
    if wants and not regions:
        raise SourceError(f"{where}: mark what the student writes with `{BEGIN}` and `{END}`.")
    if regions and not wants:
        raise SourceError(f'{where}: a solution needs exercise="…" or prediction="…" in its cell header.')
    for key, function in (("check", "check"), ("claim", "verdict")):
        if key in header:
            names = [
                c.args[0].value for c in _calls(cell.text, function) if c.args and isinstance(c.args[0], ast.Constant)
            ]
            if names != [header[key]]:
                raise SourceError(f'{where}: this cell must call `{function}("{header[key]}", …)` exactly once.')


def _check_order(cells: list[Cell], name: str, lesson: Lesson, exercises: Mapping[str, Exercise]) -> None:
    """Task, answer, check: each once, and the check right after the answer."""
    seen: dict[str, list[str]] = {}
    for i, cell in enumerate(cells):
        role = "task" if cell.kind == "markdown" else "answer" if "exercise" in cell.header else "check"
        id_ = cell.header.get("exercise") or cell.header.get("check")
        if id_ is None:
            continue
        where, done = f"{name}:{cell.line}", seen.setdefault(id_, [])
        if role in done:
            raise SourceError(f"{where}: exercise {id_} has a second {role} cell.")
        expected = ("task", "answer", "check")[len(done)]
        if role != expected:
            raise SourceError(f"{where}: exercise {id_} needs its {expected} cell before its {role} cell.")
        if role == "answer" and (i + 1 == len(cells) or cells[i + 1].header.get("check") != id_):
            raise SourceError(f'{where}: put `# %% check="{id_}"` in the cell right after the answer.')
        done.append(role)
    for id_, exercise in exercises.items():
        if exercise.lesson == lesson.number and len(seen.get(id_, [])) < 3:
            raise SourceError(f"{name}:1: exercise {id_} is specified but its task, answer and check are not all here.")


# --- making the notebooks -------------------------------------------------------------------------


def _stub(region: str, indent: int, where: str) -> str:
    """What stands in the student's edition in place of a solution."""
    if indent:
        return 'raise NotImplementedError("Write this.")'
    names: list[str] = []
    for node in ast.parse(region).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names += [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            raise SourceError(
                f"{where}: keep `def {node.name}` outside the markers; its body is what the student writes."
            )
    if not names:
        raise SourceError(f"{where}: a solution at the top level assigns the name that the student fills in.")
    return "\n".join(f"{name} = ..." for name in dict.fromkeys(names))


def _student_text(cell: Cell, where: str) -> str:
    """The cell with each solution replaced by its stub, by nbgrader's own ClearSolutions."""
    from nbformat import v4
    from nbgrader.preprocessors import ClearSolutions
    from traitlets.config import Config

    text = cell.text
    while regions := _regions(Cell(cell.kind, cell.header, text, cell.line), where):
        lines = text.splitlines()
        start, stop = regions[0]
        indent = len(lines[start]) - len(lines[start].lstrip())
        body = "\n".join(line[indent:] for line in lines[start + 1 : stop])
        clear = ClearSolutions(
            config=Config(
                ClearSolutions={"code_stub": {"python": _stub(body, indent, where)}, "enforce_metadata": False}
            )
        )
        # One region at a time: each has a stub of its own.
        piece = v4.new_code_cell("\n".join(lines[: stop + 1]))
        clear.preprocess_cell(piece, {"language": "python"}, 0)
        text = "\n".join([piece.source, *lines[stop + 1 :]])
    return text


def _answered_text(cell: Cell) -> str:
    return "\n".join(line for line in cell.text.splitlines() if line.strip() not in (BEGIN, END))


def _slug(id_: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", id_).strip("-")


def task(exercise: Exercise, text: str, worth: str = "") -> str:
    """An exercise's task as the notebook shows it. `worth` says what it is worth, by default its points."""
    stars = "●" * exercise.difficulty + "○" * (3 - exercise.difficulty)
    worth = worth or f"{exercise.points:g} point{'s' if exercise.points != 1 else ''}"
    return (
        f"### Exercise {exercise.id} · {exercise.title}\n\n"
        f"*difficulty {stars} · {worth} · about {exercise.minutes} minutes*\n\n{text}"
    )


def _title(lesson: Lesson, edition: str, published: Project) -> str:
    this, other, word = "solutions", "notebooks", "students' edition"
    if edition == "student":
        this, other, word = "notebooks", "solutions", "answered edition"
    badge = published.badge(f"{this}/{lesson.path}.ipynb")
    chapter = f"Chapter {lesson.number.split('.')[0]}, {CHAPTERS[lesson.folder[:2]]}"
    return (
        f"# {lesson.number} {lesson.title}\n\n*{lesson.question}*\n\n"
        f"{chapter} · about {lesson.minutes} minutes · [{word}](../../{other}/{lesson.path}.ipynb) · "
        f"[all lessons](../../README.md)" + (f" · {badge}" if badge else "")
    )


def _next(lesson: Lesson, table: tuple[Lesson, ...]) -> str:
    place = table.index(lesson) + 1 if lesson in table else len(table)
    if place < len(table):
        after = table[place]
        return f"---\n**Next:** [{after.number} {after.title}](../{after.path}.ipynb). *{after.question}*"
    return "---\n**That was the last lesson there is.** [All lessons](../../README.md)"


def _metadata(cell: Cell, exercises: Mapping[str, Exercise]) -> dict[str, Any]:
    """Cell metadata: nbgrader's where it is graded, our keys, tags."""
    header = cell.header
    metadata: dict[str, Any] = {}
    tags = list(header.get("tags", []))
    for key in ("exercise", "check", "prediction", "claim"):
        if key in header and cell.kind == "code":
            tags.append(f"{key}-{header[key]}")
    if tags:
        metadata["tags"] = tags
    if "alt" in header:
        metadata["alt"] = header["alt"]
    id_ = header.get("exercise") or header.get("check")
    if id_ is None or cell.kind == "markdown":
        return metadata
    exercise, answer = exercises[id_], "exercise" in header
    manual = exercise.kind == "text"
    if manual and not answer:
        return metadata
    graded = manual or not answer
    metadata["nbgrader"] = {
        "schema_version": 3,
        "cell_type": "code",
        "grade_id": f"{'exercise' if answer else 'check'}-{_slug(id_)}",
        "grade": graded,
        "solution": answer,
        "locked": not answer,
        "task": False,
    }
    if graded:
        metadata["nbgrader"]["points"] = exercise.points
    return metadata


def _cell_id(cell: Cell, text: str, counter: Counter[str]) -> str:
    if cell.id:
        return cell.id
    for key in ("exercise", "check", "prediction", "claim"):
        if key in cell.header:
            role = "task" if cell.kind == "markdown" else key
            return f"{role}-{_slug(cell.header[key])}"[:64]
    digest = hashlib.sha256(f"{cell.kind}\n{text}".encode()).hexdigest()[:12]
    counter[digest] += 1
    return digest if counter[digest] == 1 else f"{digest}-{counter[digest]}"


def compile_lesson(
    text: str,
    lesson: Lesson,
    *,
    exercises: Mapping[str, Exercise] | None = None,
    table: tuple[Lesson, ...] = lessons.LESSONS,
    name: str = "",
    published: Project | None = None,
) -> Pair:
    """Both editions of a lesson from its source's text, without outputs. `published`: this checkout's, if not given.

    Raises SourceError, `file:line: sentence`, when the source breaks a rule.
    """
    from nbformat import v4

    exercises = registry() if exercises is None else exercises
    name = name or f"solutions/{lesson.path}.py"
    published = published or project(find_root())
    cells = read(text, name)
    for cell in cells:
        _check_cell(cell, name, lesson, exercises)
    _check_order(cells, name, lesson, exercises)

    notebooks = []
    for edition in ("answered", "student"):
        title = Cell("markdown", {}, _title(lesson, edition, published), 0, id="title")
        setup = Cell("code", {}, published.setup(lesson), 0, id="set-up")
        end = Cell("markdown", {}, _next(lesson, table), 0, id="next")
        built = []
        counter: Counter[str] = Counter()
        for cell in (title, setup, *cells, end):
            where = f"{name}:{cell.line}"
            if cell.kind == "markdown":
                source = task(exercises[cell.header["exercise"]], cell.text) if "exercise" in cell.header else cell.text
                new = v4.new_markdown_cell(source)
            else:
                new = v4.new_code_cell(_answered_text(cell) if edition == "answered" else _student_text(cell, where))
            new.metadata.update(_metadata(cell, exercises))
            if edition == "student" and "tags" in new.metadata:
                # No stored outputs here, so nothing could be compared: do not claim it.
                new.metadata["tags"] = [tag for tag in new.metadata["tags"] if tag != "NBVAL_CHECK_OUTPUT"]
            new["id"] = _cell_id(cell, cell.text, counter)
            built.append(new)
        notebook = v4.new_notebook(
            cells=built,
            metadata={
                "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
                "course": {"lesson": lesson.number, "edition": edition},
                **colab_metadata(lesson),
            },
        )
        _validate(notebook, name)
        notebooks.append(notebook)
    return Pair(*notebooks)


def _validate(notebook: Any, name: str) -> None:
    import nbformat
    from nbgrader.nbgraderformat import MetadataValidator

    try:
        nbformat.validate(notebook)
        MetadataValidator().validate_nb(notebook)
    except Exception as error:
        raise SourceError(f"{name}:1: the notebook does not validate: {str(error).splitlines()[0]}") from error


# --- what outputs depend on -----------------------------------------------------------------------

_NEUTRAL = {"lessons.py", "authoring.py", "handbook.py", "publishing.py", "__main__.py"}
"""Modules of course/ that no output of a lesson depends on."""


def _imports(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {module for module in found if module.split(".")[0] == "course"}


def dependencies(root: Path, lesson: Lesson, code: str) -> list[Path]:
    """The files of `course/` that a lesson's code uses, directly or not, sorted."""
    todo = _imports(code) | {"course", f"course.exercises.{lesson.name}"}
    seen: set[str] = set()
    files: set[Path] = set()
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        stem = root.joinpath(*module.split("."))
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file() and path.name not in _NEUTRAL:
                files.add(path)
                todo |= _imports(path.read_text(encoding="utf-8"))
        parent = module.rpartition(".")[0]
        if parent:
            todo.add(parent)
    return sorted(files)


def _inputs(root: Path, lesson: Lesson, notebook: Any) -> str:
    """A hash of all that the outputs depend on: the code cells, what they use, the claims they judge."""
    # The set-up cell says what the lesson's row and `course.tiers` make it say, whatever address stands in it.
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell["id"] != "set-up"]
    digest = hashlib.sha256(f"{lesson.number} {lesson.tensorflow} {lesson.gpu}".encode())
    for path in dependencies(root, lesson, "\n".join(code)):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    ledger = root / "course" / "claims.toml"
    tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", ())}
    if ledger.is_file():
        import tomllib

        for claim in tomllib.loads(ledger.read_text(encoding="utf-8")).get("claim", []):
            if f"claim-{claim['id']}" in tags:
                digest.update(json.dumps(claim, sort_keys=True).encode())
    digest.update("\0".join(code).encode())
    return digest.hexdigest()


# --- running --------------------------------------------------------------------------------------


def _machine_paths(root: Path) -> tuple[str, ...]:
    return tuple(
        {str(p) for p in (root, Path.home(), sys.prefix, sys.base_prefix) if len(str(p)) > 4}
        | {str(Path(tempfile.gettempdir(), name)) for name in ("ipykernel", "course-build-")}
    )


def _check_outputs(notebook: Any, root: Path, name: str) -> None:
    """Outputs go to the web as they are: no warnings, no paths of this machine, no image without words."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        head = next((line for line in cell.source.splitlines() if line.strip()), "")
        images = sum("image/png" in output.get("data", {}) for output in cell.outputs)
        if images > 1:
            raise SourceError(f"{name}: the cell `{head}` shows more than one image; one cell, one figure.")
        if cell.metadata.get("alt") and not images:
            raise SourceError(
                f"{name}: the cell `{head}` has an alt text and shows no figure; end the cell with the figure itself "
                "(`fig`, or the call that returns it), without plt.show()."
            )
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                raise SourceError(f"{name}: the cell `{head}` writes to stderr: {output.text.strip()[:300]}")
            data = output.get("data", {})
            written = output.get("text", "") + "".join(
                text for kind, text in data.items() if kind.startswith("text/") and isinstance(text, str)
            )
            for path in _machine_paths(root):
                if path in written:
                    raise SourceError(f"{name}: the cell `{head}` shows a path of this machine, {path}.")
            if re.search(r"\bat 0x[0-9a-f]{6,}", written):
                raise SourceError(f"{name}: the cell `{head}` shows a memory address; end it with `;` or a value.")
            if "application/vnd.jupyter.widget-view+json" in data:
                raise SourceError(f"{name}: the cell `{head}` stores a widget; use course.widgets.explore.")
            if any(kind.startswith("image/") for kind in data):
                alt = cell.metadata.get("alt")
                if not alt:
                    raise SourceError(f'{name}: the cell `{head}` draws; give its header alt="what the figure shows".')
                output["metadata"] = {kind: {"alt": alt} for kind in data if kind.startswith("image/")}


def execute(notebook: Any, root: Path, name: str) -> Any:
    """Run a notebook in a fresh kernel and return it with outputs.

    Raises SourceError with the cell and the error when a cell fails.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    published = root.resolve().parent / "shared" / "data"  # as the tests: a copy beside the project
    with tempfile.TemporaryDirectory(prefix="course-build-") as folder:
        env = {
            **({"COURSE_DATA": str(published)} if published.is_dir() else {}),
            **os.environ,
            "COURSE_STATIC": "1",
            "COURSE_HOME": folder,
            "COURSE_TIER": "laptop",
            "CUDA_VISIBLE_DEVICES": "-1",  # the pages show a laptop's figures, whatever builds them
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")])),
        }
        client = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            extra_arguments=["--IPKernelApp.log_level=40"],
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env=env)
        except CellExecutionError as error:
            raise SourceError(f"{name}: a cell failed.\n{error}") from None
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata.pop("widgets", None)
    _check_outputs(notebook, root, name)
    return notebook


# --- building -------------------------------------------------------------------------------------


def find_root() -> Path:
    """The checkout that this package is run from.

    Raises SourceError when the package is installed without its sources.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / "solutions").is_dir():
        raise SourceError("There is no solutions/ folder here: lessons are built in a checkout of the project.")
    return root


def as_bytes(notebook: Any) -> bytes:
    import nbformat

    return (nbformat.writes(notebook, version=4, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _load(path: Path) -> Any:
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError):
        return None


def _compiled(lesson: Lesson, root: Path, options: Mapping[str, Any]) -> Pair:
    source = root / "solutions" / f"{lesson.path}.py"
    if not source.is_file():
        raise SourceError(f"solutions/{lesson.path}.py:1: the lesson is in course/lessons.py but has no source.")
    return compile_lesson(source.read_text(encoding="utf-8"), lesson, **options)


def _with_outputs_of(notebook: Any, stored: Any) -> Any:
    """The notebook with the outputs stored for its code cells, which are the same cells."""
    old = {cell["id"]: cell for cell in stored.cells if cell.cell_type == "code"}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell["id"] in old:
            cell["outputs"], cell["execution_count"] = old[cell["id"]].outputs, old[cell["id"]].execution_count
    return notebook


def _paths(lesson: Lesson, root: Path) -> tuple[Path, Path]:
    return root / "solutions" / f"{lesson.path}.ipynb", root / "notebooks" / f"{lesson.path}.ipynb"


def stale(lesson: Lesson, root: Path, **options: Any) -> list[str]:
    """What a build would change: sentences, none when both notebooks are up to date. Runs nothing."""
    pair = _compiled(lesson, root, options)
    answered_path, student_path = _paths(lesson, root)
    inputs = _inputs(root, lesson, pair.answered)
    stored = _load(answered_path)
    mend = f"run `make build`, or `course build {lesson.name}`"
    problems = []
    if stored is None:
        problems.append(f"solutions/{lesson.path}.ipynb is missing or unreadable; {mend}.")
    elif stored.metadata.get("course", {}).get("inputs") != inputs:
        problems.append(f"solutions/{lesson.path}.ipynb was executed with other code; {mend}.")
    else:
        pair.answered.metadata["course"]["inputs"] = inputs
        if as_bytes(_with_outputs_of(pair.answered, stored)) != answered_path.read_bytes():
            problems.append(f"solutions/{lesson.path}.ipynb differs from its source; {mend}.")
    if not student_path.is_file() or student_path.read_bytes() != as_bytes(pair.student):
        problems.append(f"notebooks/{lesson.path}.ipynb differs from its source; {mend}.")
    return problems


def build(
    lesson: Lesson, root: Path, *, force: bool = False, say: Callable[[str], None] = print, **options: Any
) -> list[Path]:
    """Write both notebooks of a lesson where they changed; returns the files written.

    Executes the answered edition only when its code or what it uses in `course/` changed, or with
    `force`. Raises SourceError when the source or an output breaks a rule; nothing is written then.
    """
    pair = _compiled(lesson, root, options)
    answered_path, student_path = _paths(lesson, root)
    inputs = _inputs(root, lesson, pair.answered)
    stored = _load(answered_path)
    pair.answered.metadata["course"]["inputs"] = inputs
    if not force and stored is not None and stored.metadata.get("course", {}).get("inputs") == inputs:
        answered = _with_outputs_of(pair.answered, stored)
        # A new alt text changes no output, only what is said of it.
        _check_outputs(answered, root, f"solutions/{lesson.path}.py")
    else:
        say(f"{lesson.number} {lesson.name}: executing …")
        started = time.perf_counter()
        answered = execute(pair.answered, root, f"solutions/{lesson.path}.py")
        say(f"{lesson.number} {lesson.name}: executed in {time.perf_counter() - started:.0f} s")
    written = []
    for path, notebook in ((answered_path, answered), (student_path, pair.student)):
        data = as_bytes(notebook)
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            written.append(path)
    return written


# --- the README's table ---------------------------------------------------------------------------

_TABLE = re.compile(r"(<!-- lessons: written by `make build` -->\n).*?(<!-- end of lessons -->)", re.DOTALL)


def readme(text: str, table: Iterable[Lesson] = lessons.LESSONS, published: Project | None = None) -> str:
    """The README's text with its table of lessons brought up to date."""
    published = published or project(find_root())
    rows = ["| lesson | minutes | student notebook | answers | Colab |", "|---|---:|---|---|---|"]
    rows += [
        f"| {x.number} {x.title}: {x.question} | {x.minutes} "
        f"| [{x.name}](notebooks/{x.path}.ipynb) | [answers](solutions/{x.path}.ipynb) "
        f"| {published.badge(f'notebooks/{x.path}.ipynb') or '–'} |"
        for x in table
    ]
    return _TABLE.sub(lambda m: m[1] + "\n".join(rows) + "\n" + m[2], text)


def command(names: list[str], *, check: bool = False, force: bool = False) -> int:
    """`course build`: build the named lessons (all by default), or only say what is stale.

    Returns the exit status: 0 when all is well.
    """
    root = find_root()
    chosen = [lessons.find(name) for name in names] or list(lessons.LESSONS)
    failed = 0
    for lesson in chosen:
        try:
            if check:
                problems = stale(lesson, root)
                failed += bool(problems)
                for problem in problems:
                    print(problem)
            else:
                written = build(lesson, root, force=force)
                for path in written:
                    print(f"wrote {path.relative_to(root).as_posix()}")
                if not written:
                    print(f"{lesson.number} {lesson.name}: up to date")
        except SourceError as error:
            failed += 1
            print(error)
    for name, fresh in (("README.md", readme), ("RUNNING-THE-COURSE.md", handbook.page)):
        page = root / name
        if names or not page.is_file():
            continue
        text = page.read_text(encoding="utf-8")
        if fresh(text) != text:
            if check:
                failed += 1
                print(f"{name}: its tables are stale; run `make build`.")
            else:
                page.write_text(fresh(text), encoding="utf-8")
                print(f"wrote {name}")
    if check and not failed:
        print(f"{len(chosen)} lessons up to date.")
    return 1 if failed else 0
