"""`course assign NAME --class FOLDER`: hand out chosen lessons or exercises."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

__all__ = ["configure", "run"]

_EPILOG = """\
examples:
  course assign week1 --class ~/classes/2026 --lessons 4.1 --due 2026-12-18T23:59+01:00
  course assign week2 --class ~/classes/2026 --exercises 4.1.3 4.2.2 5.2.4 --points 5.2.4=5 --title "Week 2"
  course assign week3 --class ~/classes/2026 --lessons 5.2 --variants roster.csv

The class's folder is made when it is not there yet. Hand out release/NAME.zip, or with --variants each student's own.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; `--json` is the caller's."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("name", metavar="NAME", help="the assignment's name, such as week1")
    add("--class", dest="folder", required=True, metavar="FOLDER", help="the class's folder")
    add(
        "--lessons",
        nargs="+",
        default=[],
        metavar="N",
        help="lessons by number or name; all their exercises are graded",
    )
    add(
        "--exercises",
        nargs="+",
        default=[],
        metavar="ID",
        help="grade these alone; others of their lessons are practice",
    )
    add("--title", default="", help="how the notebooks call it (NAME)")
    add(
        "--due",
        default="",
        metavar="WHEN",
        help="2026-12-18T23:59+01:00, or a date alone for 23:59 of this machine's day",
    )
    add("--points", nargs="+", default=[], metavar="ID=N", help="other points than the course's: 4.1.2=3")
    add("--variants", metavar="ROSTER.csv", help="numbers of their own for each student of this list")
    add("--force", action="store_true", help="make an assignment anew under its old name")


def _worth(pairs: list[str]) -> dict[str, float]:
    found = {}
    for pair in pairs:
        id_, _, value = pair.partition("=")
        try:
            found[id_] = float(value)
        except ValueError:
            raise ValueError(f"Points are given as 4.1.2=3; got {pair!r}.") from None
    return found


def run(args: argparse.Namespace) -> int:
    """Make the assignment and say what was made. Raises ValueError, one sentence, for what cannot be."""
    from course.grading import assignment, roster
    from course.grading.classroom import Classroom, write

    assignment.assignment_name(args.name)
    assignment.choose(args.lessons, args.exercises, _worth(args.points))
    students = roster.read(args.variants) if args.variants else None
    classroom = Classroom.create(args.folder)
    made = assignment.assign(
        classroom,
        args.name,
        lesson_keys=args.lessons,
        exercise_ids=args.exercises,
        points=_worth(args.points),
        title=args.title,
        due=args.due,
        students=students,
        force=args.force,
    )
    if args.variants:
        with open(args.variants, "rb") as file:
            write(classroom.root / "roster.csv", file.read(), mode=0o600)
    collected = classroom.students(args.name)
    found: dict[str, Any] = {
        **asdict(made.assignment),
        "archive": str(made.archive),
        "students": list(made.students),
        "already_collected": len(collected),
    }
    print(json.dumps(found, indent=1, ensure_ascii=False) if args.json else _said(found))
    return 0


def _said(found: dict[str, Any]) -> str:
    graded, due = found["points"], found["due"]
    lines = [
        f"{found['title']}: {len(found['notebooks'])} notebook{'s' * (len(found['notebooks']) > 1)}, {len(graded)} graded "
        f"exercise{'s' * (len(graded) > 1)}, {sum(graded.values()):g} points, {f'due {due}' if due else 'no due date'}.",
        f"Graded: {', '.join(f'{id_} ({value:g})' for id_, value in graded.items())}.",
    ]
    if found["students"]:
        lines += [
            f"Each of {len(found['students'])} students has numbers of their own: hand out STUDENT.zip from "
            f"{found['archive'].removesuffix('.zip')}, or all in {found['archive']} to a platform that gives each their own.",
            "The roster is kept beside them as roster.csv, and `course collect` reads it.",
        ]
    else:
        lines.append(f"Hand out {found['archive']}.")
    if found["already_collected"]:
        lines.append(
            f"{found['already_collected']} students have handed in already: their results no longer hold, so run "
            f"`course grade {found['name']}` again."
        )
    return "\n".join(lines)
