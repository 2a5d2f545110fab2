"""`course export NAME --class FOLDER --format FORMAT`: marks for Canvas, Moodle, Gradescope or a spreadsheet."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

__all__ = ["configure", "run"]

_EPILOG = """\
examples:
  course export week1 --class ~/classes/2026 --format canvas --template 2026-12-20_Grades.csv
  course export week1 --class ~/classes/2026 --format moodle --template worksheet.csv
  course export week1 --class ~/classes/2026 --format csv

Only final marks go out. Who was not graded yet, handed in again since, or waits for a mark by hand is named.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; `--json` is the caller's."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("name", metavar="NAME", help="the assignment's name")
    add("--class", dest="folder", required=True, metavar="FOLDER", help="the class's folder")
    add("--format", required=True, choices=("canvas", "moodle", "csv", "gradescope"), help="whose file it is")
    add("--template", metavar="FILE", help="the file to fill in: Canvas's gradebook, Moodle's grading worksheet")
    add("--column", default="", metavar="NAME", help="Canvas's column (the one with the assignment's title)")
    add("--out", metavar="FILE", help="where to write; a folder for gradescope (exports/ in the class's folder)")
    add("--roster", metavar="CSV", help="who is in the class (roster.csv in the class's folder, where there is one)")
    add("--partial", action="store_true", help="also who waits for a mark by hand, marked as not final")
    add("--gradebook", metavar="URL", help="another database than the class's gradebook.db")


def run(args: argparse.Namespace) -> int:
    """Export, and name who was left out. Raises ValueError, one sentence, for what cannot be exported."""
    from course.grading import exporting, roster
    from course.grading.classroom import Classroom

    classroom = Classroom(args.folder)
    kept = classroom.root / "roster.csv"
    listed = args.roster or (kept if kept.is_file() else None)
    done = exporting.export(
        classroom,
        args.name,
        args.format,
        template=Path(args.template) if args.template else None,
        out=Path(args.out) if args.out else None,
        roster=roster.read(listed) if listed else None,
        url=args.gradebook,
        partial=args.partial,
        wanted=args.column,
    )
    if args.json:
        found = {"file": str(done.path), "students": list(done.students), "remarks": list(done.remarks)}
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    for remark in done.remarks:
        print(remark)
    print(f"Marks of {len(done.students)} students: {done.path}.")
    return 0
