"""The copy of the course that a submission runs against: without references, and on demand without one more function.

In the copy `course.exercises` is a stub whose `check` says that answers are checked after they are handed in, and
the parts that teach and grade are absent. Whether an answer only calls the package's own is found out with a copy
in which the body of that function is gone.
"""

from __future__ import annotations

import ast
import inspect
import shutil
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import course
from course.exercises.specification import Exercise

__all__ = ["copy", "own_answers", "without"]

_LEFT_OUT = shutil.ignore_patterns("exercises", "grading", "commands", "authoring*", "__main__*", "reference")

_STUB = '''\
"""Answers are checked after they are handed in."""


class _Said:
    def __repr__(self):
        return "Checked after you hand in."


def check(*_, **__):
    return _Said()


hint = reveal = registry = check
'''


def copy(target: Path) -> Path:
    """Write the copy to `target`/course and return `target`. Compiled files come along, so that imports are quick."""
    source = Path(course.__file__).parent
    shutil.copytree(source, target / "course", ignore=_LEFT_OUT)
    (target / "course" / "exercises").mkdir()
    (target / "course" / "exercises" / "__init__.py").write_text(_STUB, encoding="utf-8")
    for path in sorted((source / "reference").glob("*")):
        if path.is_file():
            place = target / "course" / "reference" / path.name
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, place)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def names_in(code: types.CodeType) -> Iterator[str]:
    """Names of globals and attributes that a code object uses, what it defines included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)


def is_own(function: Any) -> bool:
    """Whether it is a function of this package."""
    return isinstance(function, types.FunctionType) and (function.__module__ or "").split(".")[0] == "course"


def own_answers(exercise: Exercise, usable: frozenset[str] = frozenset()) -> frozenset[str]:
    """The package's functions that answer the exercise, as "course.losses.logistic_gradient".

    That is the reference; where the reference is written in the exercise's module, the package's functions that
    it calls, except those in `usable`: answers to other exercises and what the lesson hands the student.
    """
    found: set[str] = set()
    seen: set[Any] = set()
    todo = [exercise.reference] if exercise.kind == "function" else []
    while todo:
        function = inspect.unwrap(todo.pop())
        if function in seen or not is_own(function):
            continue
        seen.add(function)
        name = f"{function.__module__}.{function.__qualname__}"
        if not function.__module__.startswith("course.exercises"):
            if len(seen) == 1 or name not in usable:
                found.add(name)
            continue
        names = set(names_in(function.__code__))
        for value in [function.__globals__.get(name) for name in names]:
            if isinstance(value, types.ModuleType):
                todo += [getattr(value, name, None) for name in names]
            else:
                todo.append(value)
    return frozenset(found)


def without(target: Path, functions: frozenset[str]) -> Path:
    """Write a copy in which these functions raise NotImplementedError, in the file itself, and return `target`."""
    copy(target)
    for function in sorted(functions):
        module, _, name = function.rpartition(".")
        path = target.joinpath(*module.split(".")).with_suffix(".py")
        if not path.is_file():
            path = path.with_suffix("") / "__init__.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                node.body = ast.parse("raise NotImplementedError('It is what the exercise asks for.')").body
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)) + "\n", encoding="utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()
    return target
