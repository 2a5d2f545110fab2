"""The command `course`: what this machine can do, what has been done, sweeps and fits, the ledger, the build.

Each subcommand ends with exit status 0 or 1; a wrong call ends with 2. No error leaves here as a
traceback. The file loads under old Pythons, so that it can say which one is needed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import course.doctor
from course import __version__, interrupts, machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["main"]


class _UserError(Exception):
    """An error for the user: one sentence."""


@contextlib.contextmanager
def _quiet_about_ctrl_c() -> Iterator[None]:
    """Where Ctrl-C lands in an object's `__del__`, Python drops it with a traceback; `interrupts.heard` has noted it."""
    before = sys.unraisablehook

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if dropped.exc_type is not KeyboardInterrupt:
            before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


# --- doctor ---------------------------------------------------------------------------------------


def doctor(args: argparse.Namespace) -> int:
    """Print the checks, each as soon as it is done."""
    found = []
    for check in course.doctor.checks():
        found.append(check)
        if not args.json:
            print(check.line(), flush=True)
    if args.json:
        _print_json({"ready": course.doctor.ready(found), "checks": [vars(check) for check in found]})
    else:
        print(course.doctor.verdict_line(found))
    return 0 if course.doctor.ready(found) else 1


# --- progress -------------------------------------------------------------------------------------


def _by_lesson() -> list[dict[str, Any]]:
    """What the student has done, one record a lesson that has exercises."""
    from course import exercises, lessons
    from course.exercises import progress

    done = progress.load()
    everything = exercises.registry()
    rows = []
    for lesson in lessons.LESSONS:
        own = [exercise for exercise in everything.values() if exercise.lesson == lesson.number]
        passed = [exercise for exercise in own if done.get(exercise.id, {}).get("status") == "passed"]
        rows.append(
            {
                "lesson": lesson.number,
                "title": lesson.title,
                "exercises": len(own),
                "passed": len(passed),
                "tried": sum(exercise.id in done for exercise in own),
                "points": sum(exercise.points for exercise in own),
                "score": round(sum(float(done.get(exercise.id, {}).get("score", 0.0)) for exercise in own), 2),
                "minutes_to_go": sum(exercise.minutes for exercise in own if exercise not in passed),
                "next": next((exercise.id for exercise in own if exercise not in passed), ""),
            }
        )
    return rows


def _bar(part: int, whole: int, width: int = 10) -> str:
    filled = width * part // whole if whole else 0
    return "[" + "#" * filled + "." * (width - filled) + "]"


def progress(args: argparse.Namespace) -> int:
    """Print what this student has done."""
    from course.exercises import progress as kept

    rows = _by_lesson()
    problem = machine.progress_problem()
    if args.json:
        _print_json({"folder": str(kept.folder()), "problem": problem, "lessons": rows})
        return 0
    wide = max(len(row["title"]) for row in rows)
    for row in rows:
        left = f"{row['minutes_to_go']} min to go, next {row['next']}" if row["next"] else "done"
        left = left if row["exercises"] else ""
        print(
            f"{row['lesson']}  {row['title']:<{wide}}  {_bar(row['passed'], row['exercises'])}  "
            + (f"{row['passed']} of {row['exercises']} exercises, {row['score']:g} of {row['points']} points".ljust(38))
            + left
        )
    points, score, minutes = (sum(row[name] for row in rows) for name in ("points", "score", "minutes_to_go"))
    print(f"In all {score:g} of {points:g} points, {minutes} minutes of exercises to go.")
    print(problem or f"Kept in {kept.folder()}")
    return 0


# --- claims and build -----------------------------------------------------------------------------


def claims(args: argparse.Namespace) -> int:
    """Print the ledger of the article's claims."""
    from course import claims as ledger

    found = list(ledger.load())
    if args.section is not None:
        of_section = [claim for claim in found if claim.id.split(".")[0] == args.section.rstrip(".").split(".")[0]]
        if "." in args.section.rstrip("."):
            of_section = [claim for claim in of_section if claim.id == args.section]
        if not of_section:
            known = ", ".join(dict.fromkeys(claim.id.split(".")[0] for claim in found))
            raise _UserError(f"The ledger has no section {args.section!r}; the sections are {known}.")
        found = of_section
    if args.open:
        found = [claim for claim in found if not claim.verdict]
    if args.json:
        print(ledger.as_json(found))
    else:
        print(ledger.table(found))
    return 0


def build(args: argparse.Namespace) -> int:
    """Build both editions of the lessons."""
    try:
        from course import authoring
    except ImportError as error:
        raise _UserError(
            f"Building needs the authors' tools ({error}): install them with `pip install -e '.[test]'`."
        ) from None
    return int(authoring.command(args.lessons, check=args.check, force=args.force) or 0)


# --- the command ----------------------------------------------------------------------------------


INSTRUCTORS = ("assign", "collect", "grade", "export", "similar")
"""Commands that need what the extra `instructor` installs."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="course",
        description="Scaling Laws, Tested: is this machine ready, how far am I, and what has the course found?",
        epilog="`make lab` opens the lessons. `course COMMAND --help` says more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"course {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def add(name: str, run: Any, text: str, json_too: bool = True) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if json_too:
            command.add_argument("--json", action="store_true", help="print JSON for a program to read")
        return command

    add("doctor", doctor, "check this machine: a line each, OK or what to do; exit status 0 when the lessons can run")
    add("progress", progress, "show which exercises you have passed, and the minutes still to go")
    command = add("claims", claims, "list the article's claims with the verdicts found so far")
    command.add_argument(
        "--section", metavar="N", help="only this section of the article, such as 5, or one claim, 5.1"
    )
    command.add_argument("--open", action="store_true", help="only the claims without a verdict")
    for name, text in (
        ("sweep", "train a family of models at many sizes and budgets; stop and resume as you like"),
        ("fit", "fit a scaling law to a table of runs: parameters, intervals, predictions, a figure"),
        ("assign", "for instructors: hand out chosen lessons or exercises"),
        ("collect", "for instructors: take in what students handed in, from a learning platform or folders"),
        ("grade", "for instructors: grade what was collected, each submission in a sandbox"),
        ("export", "for instructors: marks as Canvas, Moodle, Gradescope or a spreadsheet reads them"),
        ("similar", "for instructors: pairs of submissions to look at, since they are unusually alike"),
    ):
        module = importlib.import_module(f"course.commands.{name}")
        module.configure(add(name, module.run, text))
    command = add("build", build, "build the notebooks from their sources (for authors)", json_too=False)
    command.add_argument("lessons", nargs="*", metavar="LESSON", help="number or name of a lesson; all when left out")
    command.add_argument("--check", action="store_true", help="only say what is out of date")
    command.add_argument("--force", action="store_true", help="execute again even what is up to date")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv`, by default the command line's. Returns the exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    if not args.command:
        parser.print_help()
        return 0
    try:
        problem = machine.python_problem()
        if problem and args.command != "doctor":
            raise _UserError(problem)
        with _quiet_about_ctrl_c(), interrupts.heard():
            status = int(args.run(args))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `course claims | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("course: stopped.", file=sys.stderr)
        return 130
    except (_UserError, machine.CannotRunError) as error:
        print(f"course: {error}", file=sys.stderr)
        return 1
    except ValueError as error:  # raised with a sentence for the reader, all over the package
        if os.environ.get("COURSE_DEBUG"):
            raise
        print(f"course: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if os.environ.get("COURSE_DEBUG"):
            raise
        sentence = f"{machine.said(error)}. (COURSE_DEBUG=1 shows where.)"
        if isinstance(error, ModuleNotFoundError) and args.command in INSTRUCTORS:
            sentence = f"this needs {error.name}, one of the instructors' tools: pip install -e '.[instructor]'."
        print(f"course: {sentence}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
