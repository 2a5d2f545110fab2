"""The program inside the sandbox: it reads a submission's cells, runs what an answer needs, and calls it.

It is started as a file of its own, beside copies of `wire`, `plain` and `running`, and uses nothing else of the
course: the package that the student's code imports there is a copy without references. Requests come in and
replies go out as lines of JSON on the two pipes that were standard input and output. What the student's code
does to this process can spoil the student's own replies and nothing else: whether a reply is right is decided
outside.

Before any of the student's code runs, `Session.read` takes all cells apart into statements and says, for each
exercise, which statements its answer needs and what in them reaches for more than an answer has to.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dis
import importlib
import json
import linecache
import os
import re
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any


class Channel:
    """Lines of JSON on what were standard input and output; student code finds /dev/null in their place."""

    def __init__(self) -> None:
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        self._lock = threading.RLock()
        self.number: Any = None
        null = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(null, handle)

    def receive(self) -> dict[str, Any] | None:
        line = self._in.readline()
        return json.loads(line) if line else None

    def send(self, **message: Any) -> None:
        with self._lock:
            self._out.write(json.dumps({"re": self.number, **message}).encode() + b"\n")
            self._out.flush()

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a question to the parent in the middle of a request and wait for its answer."""
        with self._lock:
            self.send(**message)
            answer = self.receive()
        if answer is None:
            raise SystemExit
        return answer


def limit(limits: dict[str, int]) -> None:
    """Set this process's limits for good. Where the system knows none, the parent's clock is what is left."""
    try:
        import resource
    except ImportError:
        return
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(number, (value, value))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


# --- reading cells --------------------------------------------------------------------------------

_MAGIC = re.compile(r"^(\s*)([%!?].*)$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w, ]+=\s*)[%!].*$")
_WHOLE_CELL = re.compile(r"^\s*%%(bash|sh|script|html|latex|markdown|javascript|js|svg|writefile|file|perl|ruby)\b")


def without_magics(text: str) -> str:
    """The cell without IPython's own lines, line numbers kept; text that a browser pasted is made plain."""
    if _WHOLE_CELL.match(text.lstrip("\n")):
        return ""
    lines = []
    for line in text.replace("\u00a0", " ").replace("\u200b", "").splitlines():
        magic = _MAGIC.match(line)
        if magic:
            line = magic[1] + ("pass" if magic[1] else "")
        elif re.fullmatch(r"\s*[\w.]+\?\??", line):
            line = ""
        else:
            line = _ASSIGNED_MAGIC.sub(r"\1None", line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def parse(text: str) -> ast.Module:
    """The cell's syntax tree. Raises SyntaxError, ValueError, MemoryError or RecursionError."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return ast.parse(without_magics(text))


_LOADS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_FROM_DICT_OR_DEREF"}
_GLOBAL_STORES = {"STORE_GLOBAL", "DELETE_GLOBAL"}
_STORES = {"STORE_NAME", "DELETE_NAME", *_GLOBAL_STORES}
_MUTATORS = {"append", "extend", "insert", "update", "add", "setdefault", "pop", "remove", "clear", "sort", "reverse"}
_MUTATORS |= {"assign", "assign_add", "assign_sub", "fill", "seed", "set_seed", "shuffle", "set_floatx", "resize"}


def _code_names(code: types.CodeType, nested: bool = False) -> tuple[set[str], set[str]]:
    """The module's names that a code object loads and stores; a nested one stores only what it declares global."""
    loads, stores = set(), set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in _LOADS:
            loads.add(instruction.argval)
        elif instruction.opname in (_GLOBAL_STORES if nested else _STORES):
            stores.add(instruction.argval)
    return loads, stores


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _touched(node: ast.AST) -> set[str]:
    """Names whose objects a statement changes in place when it is run; a function's body is not."""
    found = set()
    todo = [node]
    while todo:
        inner = todo.pop()
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        todo += ast.iter_child_nodes(inner)
        if isinstance(inner, ast.Subscript | ast.Attribute) and isinstance(inner.ctx, ast.Store | ast.Del):
            found.add(_root(inner))
        elif isinstance(inner, ast.AugAssign):
            found.add(_root(inner.target))
        elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in _MUTATORS:
            found.add(_root(inner.func))
            if inner.func.attr == "shuffle":
                found |= {_root(argument) for argument in inner.args}
    return found - {""}


class Unit:
    """One statement: its code, the names it binds, uses at once, uses when what it defines is called, and changes."""

    def __init__(self, node: ast.stmt, cell: int, role: str) -> None:
        self.node, self.cell, self.role = node, cell, role
        self.code = compile(ast.Module([node], []), f"<cell {cell + 1}>", "exec")
        self.uses, self.binds = _code_names(self.code)
        self.later: set[str] = set()
        for code in _nested(self.code):
            loads, stores = _code_names(code, nested=True)
            self.later |= loads
            self.binds |= stores
        self.touches = _touched(node)
        self.star = isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
        definite = ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        self.definite = isinstance(node, definite | ast.Import | ast.ImportFrom) and not self.uses & self.binds


def units_of(text: str, cell: int, role: str) -> list[Unit]:
    """A cell's statements; an import of several names counts as several."""
    found = []
    for node in parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom) and len(node.names) > 1:
            for alias in node.names:
                one = type(node)(**{**{f: getattr(node, f) for f in node._fields}, "names": [alias]})
                found.append(Unit(ast.copy_location(one, node), cell, role))
        else:
            found.append(Unit(node, cell, role))
    return found


# --- what an answer needs -------------------------------------------------------------------------


class Slice:
    """The statements that one answer cell needs, found backwards from the names that it uses."""

    def __init__(self, before: list[Unit], own: list[Unit], after: list[Unit]) -> None:
        self._before, self._after = before, after
        self._taken: set[int] = set()
        self._late: set[int] = set()
        self._seen: set[tuple[str, int]] = set()
        bound: set[str] = set()
        for unit in own:
            for name in (unit.uses | unit.touches) - bound:
                self._need(name, len(before))
            bound |= unit.binds
        for unit in own:
            for name in unit.later - bound:
                self._need(name, len(before))
        self.earlier = [before[i] for i in sorted(self._taken)]
        self.later = [after[i] for i in sorted(self._late)]

    def _need(self, name: str, place: int) -> None:
        todo = [(name, place)]
        while todo:
            name, place = todo.pop()
            if (name, place) in self._seen:
                continue
            self._seen.add((name, place))
            todo += self._bind(name, place)

    def _take(self, i: int) -> list[tuple[str, int]]:
        unit = self._before[i]
        if i in self._taken:
            return []
        self._taken.add(i)
        now = [(name, i) for name in unit.uses | (unit.touches if not unit.definite else set())]
        # What a function uses is looked up when it is called: at the answer's place.
        return now + [(name, len(self._before)) for name in unit.later]

    def _bind(self, name: str, place: int) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        for weak in (False, True):
            for i in range(place - 1, -1, -1):
                unit = self._before[i]
                if (unit.role == "edited") is not weak:
                    continue
                if name in unit.binds:
                    found += self._take(i)
                    if unit.definite:
                        return found
                elif name in unit.touches:
                    found += self._take(i)
            if any(name in self._before[i].binds for i in self._taken if i < place):
                return found
        if hasattr(builtins, name):
            return found
        stars = [i for i, unit in enumerate(self._before[:place]) if unit.star]
        for i in stars:
            found += self._take(i)
        if not stars and place == len(self._before):
            for i, unit in enumerate(self._after):
                if name in unit.binds and unit.definite:
                    self._late.add(i)
                    found += [(other, place) for other in unit.uses | unit.later]
                    break
        return found


# --- what reaches for more than an answer has to --------------------------------------------------

SAFE_IMPORTS = {
    *("__future__", "cmath", "collections", "copy", "dataclasses", "decimal", "fractions", "functools", "itertools"),
    *("math", "numbers", "random", "re", "statistics", "string", "time", "typing", "warnings"),
    *("jax", "keras", "matplotlib", "numpy", "pandas", "scipy", "sklearn", "tensorflow", "torch"),
}
REACHING = {
    *("open", "exec", "eval", "compile", "getattr", "setattr", "delattr", "vars", "globals", "locals", "dir"),
    *("breakpoint", "input", "help", "exit", "quit", "get_ipython", "memoryview"),
    *("sys", "os", "io", "gc", "inspect", "importlib", "builtins", "subprocess", "ctypes", "modules", "pickle"),
    *("attrgetter", "methodcaller", "ctypeslib", "f2py", "testing", "lib", "core", "compat", "raw_ops", "saving"),
    *("deserialize", "from_config", "config", "load", "loadtxt", "genfromtxt", "fromfile", "fromregex", "memmap"),
    *("DataSource", "TextLineDataset", "FixedLengthRecordDataset", "TFRecordDataset", "get_file", "load_model"),
    *("LowLevelCallable", "runstring", "query", "loadmat", "gfile", "py_function", "numpy_function", "autograph"),
    *("read_csv", "read_fwf", "read_pickle", "read_table", "read_json", "read_file", "whole_file", "load_library"),
    *("load_op_library", "load_file_system_library", "extension", "cpp_extension", "hub", "package", "serialization"),
}
TEACHING = {"begin", "check", "hint", "reveal", "verdict"}


def reaches(node: ast.AST) -> set[str]:
    """Words for what a statement of the student's does that an answer needs not do."""
    found = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            if inner.id in REACHING or inner.id.startswith("__"):
                found.add(inner.id)
        elif isinstance(inner, ast.Attribute):
            if inner.attr in REACHING or inner.attr.startswith("_"):
                found.add(f".{inner.attr}")
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in inner.names]
            modules = names if isinstance(inner, ast.Import) else [inner.module or "."]
            for module in modules:
                if module.split(".")[0] not in {*SAFE_IMPORTS, "course"}:
                    found.add(f"import {module}")
            for part in {word for name in (*modules, *names) for word in name.split(".")}:
                if part in REACHING or (part.startswith("_") and part != "__future__"):
                    found.add(f"import {part}")
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str | bytes):
            text = inner.value if isinstance(inner.value, str) else inner.value.decode("latin-1")
            if "__" in text or "course" in text:
                found.add("a text with a name of the package or of Python's own")
    return found


def package_imports(node: ast.AST) -> set[str]:
    """What a statement imports from the course, the words of the lessons' own cells left out."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            found |= {alias.name for alias in inner.names if alias.name.split(".")[0] == "course"}
        elif isinstance(inner, ast.ImportFrom) and (inner.module or "").split(".")[0] == "course":
            names = {alias.name for alias in inner.names}
            if inner.module != "course" or names - TEACHING:
                found |= {f"{inner.module}.{name}" for name in names}
    return found


def modules(node: ast.AST) -> set[str]:
    """Modules of the libraries and of the package that a statement may import, `from` them included."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            found |= {alias.name for alias in inner.names}
        elif isinstance(inner, ast.ImportFrom) and inner.module and not inner.level:
            found |= {inner.module, *(f"{inner.module}.{alias.name}" for alias in inner.names)}
    return {name for name in found if name.split(".")[0] in {*SAFE_IMPORTS, "course"}}


def literal(units: list[Unit], name: str) -> str | None:
    """The text that a cell assigns to `name` when it stands there in quotes, else None."""
    found = None
    for unit in units:
        node = unit.node
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == [name]:
            try:
                found = ast.literal_eval(node.value)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                found = None
    return found if isinstance(found, str) else None


# --- running --------------------------------------------------------------------------------------


class _Nothing:
    """Stands for IPython, for boxes and for figures: whatever is asked of it, nothing happens."""

    def __call__(self, *args: Any, **options: Any) -> _Nothing:
        return self

    def __getattr__(self, name: str) -> _Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __repr__(self) -> str:
        return ""


class Session:
    """The cells of one submission and what has become of them."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._units: list[list[Unit]] = []
        self._exercises: dict[str, dict[str, Any]] = {}
        self._slices: dict[str, Slice] = {}
        self._answers: dict[str, Any] = {}
        self._modules: dict[str, list[str]] = {}
        self._known: set[str] = set()

    def read(self, cells: list[dict[str, Any]], exercises: dict[str, dict[str, Any]]) -> None:
        """Take the cells apart; replies a line for each cell as it is done, then what each exercise needs."""
        self._roles = [cell["role"] for cell in cells]
        errors: dict[int, str] = {}
        for i, cell in enumerate(cells):
            units: list[Unit] = []
            try:
                units = units_of(cell["text"], i, cell["role"])
            except SyntaxError as error:
                errors[i] = f"{error.msg} (line {error.lineno})"
            except (ValueError, MemoryError, RecursionError, OverflowError) as error:
                errors[i] = f"{type(error).__name__} while reading it"
            self._units.append(units)
            lines = cell["text"].splitlines(keepends=True)
            linecache.cache[f"<cell {i + 1}>"] = (len(cell["text"]), None, lines, f"<cell {i + 1}>")
            self._channel.send(cell=i)
        plans = {}
        for id_, exercise in exercises.items():
            self._exercises[id_] = exercise
            at, name = exercise["cell"], exercise["name"]
            own = self._units[at]
            usable = [i for i, role in enumerate(self._roles) if role != "skipped" and i != at]
            before = [unit for i in usable if i < at for unit in self._units[i]]
            after = [unit for i in usable if i > at for unit in self._units[i]]
            piece = self._slices[id_] = Slice(before, own, after)
            everything = [*piece.earlier, *own, *piece.later]
            theirs = [unit for unit in everything if unit.role != "released"]
            self._modules[id_] = sorted({name for unit in everything for name in modules(unit.node)})
            imports = {name for unit in everything for name in package_imports(unit.node)}
            plans[id_] = {
                "error": errors.get(at, ""),
                "defines": any(name in unit.binds for unit in own),
                "literal": literal(own, name),
                "statements": len(everything),
                "reaches": sorted({word for unit in theirs for word in reaches(unit.node)})[:20],
                "imports": sorted(imports)[:50],
            }
        self._channel.send(plans=plans)

    def warm(self, exercise: str) -> None:
        """Import what the answer will import, off the student's clock: libraries and the package, nothing else."""
        import course  # the copy without references

        for name in TEACHING:
            setattr(course, name, _Nothing())
        for module in self._modules[exercise]:
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        self._known = set(sys.modules)
        self._channel.send(warm=True)

    def _namespace(self) -> dict[str, Any]:
        module = types.ModuleType("__main__")
        nothing = _Nothing()
        space = vars(module)
        space.update(dict.fromkeys((*TEACHING, "display", "get_ipython"), nothing))
        space["__builtins__"] = builtins
        return space

    def build(self, exercise: str, everything: bool, within: float) -> None:
        """Run what the answer needs and the answer's cell; with `everything`, all that stands above it first."""
        from running import run

        what = self._exercises[exercise]
        at, name = what["cell"], what["name"]
        piece = self._slices[exercise]
        space = self._namespace()
        first: list[BaseException] = []
        end = time.monotonic() + within

        def execute(units: list[Unit]) -> None:
            for unit in units:
                if time.monotonic() > end:
                    return
                try:
                    exec(unit.code, space)
                except Exception as error:
                    first.append(error)

        def work() -> None:
            if everything:
                execute([unit for i in range(at) if self._roles[i] != "skipped" for unit in self._units[i]])
            else:
                execute(piece.earlier)
            execute([unit for unit in piece.later if not unit.uses & {n for u in self._units[at] for n in u.binds}])
            for unit in self._units[at]:
                exec(unit.code, space)

        runs = run(work, [()], within)
        execute([unit for unit in piece.later if not unit.binds <= space.keys()])
        error = runs.outcomes[0].error if runs.outcomes else None
        found = space.get(name)
        self._answers[exercise] = found
        kind = "missing" if name not in space else "empty" if found is None or found is ... else "value"
        if kind == "value" and callable(found) and not hasattr(found, "numpy"):
            kind = "function"
        reply: dict[str, Any] = {
            "built": kind,
            "type": type(found).__name__[:60],
            "timed_out": runs.timed_out,
            "stuck": runs.still_running,
            "error": _said(error) if error is not None else _said(first[0]) if first and kind == "missing" else None,
        }
        if kind == "value":
            reply["value"] = self._encoded(found)
        self._channel.send(**reply)

    @staticmethod
    def _encoded(value: Any) -> dict[str, Any]:
        from plain import Unreadable, plain
        from wire import WireError, encode

        try:
            return {"value": encode(plain(value))}
        except (Unreadable, WireError) as error:
            return {"unreadable": str(error)[:500]}
        except Exception as error:  # an object whose own methods raise
            return {"unreadable": f"A {type(value).__name__} cannot be read as numbers: {type(error).__name__}."[:500]}

    def _function(self, number: int) -> Callable[..., Any]:
        from wire import decode, encode

        def given(*args: Any) -> Any:
            from plain import plain

            answer = self._channel.ask(ask=number, args=encode(tuple(plain(argument) for argument in args)))
            if "error" in answer:
                raise ValueError(answer["error"])
            return decode(answer["answer"])

        return given

    def call(self, exercise: str, inputs: list[Any], sources: dict[str, list[str]], within: float) -> None:
        """Call the answer on each of the inputs and send what it gave.

        Functions among the inputs are asked for outside, except those whose name and text are in `sources`.
        """
        import math

        import numpy as np
        from running import run
        from wire import decode

        def function(number: int) -> Callable[..., Any]:
            if str(number) not in sources:
                return self._function(number)
            name, text = sources[str(number)]
            space: dict[str, Any] = {"np": np, "math": math}
            exec(compile(text, "<handed in>", "exec"), space)
            found: Callable[..., Any] = space[name]
            return found

        runs = run(self._answers[exercise], [decode(args, function) for args in inputs], within)
        replies = []
        for outcome in runs.outcomes:
            if outcome.error is not None:
                replies.append({**_said(outcome.error), "line": outcome.line[:300]})
            else:
                nothing = outcome.value is None
                replies.append({**self._encoded(outcome.value), "nothing": nothing, "changed": outcome.changed_input})
        self._channel.send(
            replies=replies,
            printed=runs.printed,
            timed_out=runs.timed_out,
            stuck=runs.still_running,
            loaded=sorted(name for name in {*sys.modules} - self._known if name.startswith("course."))[:500],
            tensorflow="tensorflow" in sys.modules,
        )


def _said(error: BaseException) -> dict[str, Any]:
    try:
        text = str(error).strip().split("\n")[0][:300]
    except Exception:
        text = ""
    return {
        "error": type(error).__name__[:80],
        "text": text,
        "not_written": isinstance(error, NotImplementedError),
    }


def main() -> None:
    """Answer requests until the pipe closes."""
    config = json.loads(sys.argv[1])
    limit(config["limits"])
    sys.path[:0] = config["path"]
    sys.dont_write_bytecode = True
    channel = Channel()
    import numpy  # noqa: F401
    import plain  # noqa: F401
    import running  # noqa: F401

    session = Session(channel)
    channel.send(ready=list(sys.version_info[:3]))
    while (request := channel.receive()) is not None:
        channel.number = request.pop("number")
        getattr(session, request.pop("do"))(**request)


if __name__ == "__main__":
    main()
