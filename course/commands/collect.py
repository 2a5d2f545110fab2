"""`course collect NAME --class FOLDER PATH...`: take in what students handed in."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course.grading.collecting import Entry, Report

__all__ = ["configure", "run"]

_EPILOG = """\
examples:
  course collect week1 --class ~/classes/2026 submissions.zip --roster roster.csv
  course collect week1 --class ~/classes/2026 ~/Downloads/week1/ --late-after 2026-12-19T12:00

PATH is a download of Canvas, Moodle, Gradescope, Blackboard, Google Classroom or Drive, or a folder with a folder a
student; zips are opened, also within folders and zips. ROSTER is the class list that the platform exports, or
a CSV with the columns id, name, email and the platform's number (canvas_id, moodle_id). Every file is listed, taken
or not, in the class's folder in collected/NAME.json.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; `--json` is the caller's."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("name", metavar="NAME", help="the assignment's name")
    add("paths", nargs="+", metavar="PATH", help="folders, zips or notebooks")
    add("--class", dest="folder", required=True, metavar="FOLDER", help="the class's folder")
    add("--roster", metavar="CSV", help="who is in the class (roster.csv in the class's folder, where there is one)")
    add("--late-after", default="", metavar="WHEN", help="list as late what is newer (when the assignment is due)")
    add("--all", action="store_true", help="print a line for every file, also for those without a remark")


def run(args: argparse.Namespace) -> int:
    """Collect and print what became of each file. Raises ValueError, one sentence, for a wrong call."""
    from course.grading import assignment, collecting, roster
    from course.grading.classroom import Classroom

    classroom = Classroom(args.folder)
    kept = classroom.root / "roster.csv"
    listed = args.roster or (kept if kept.is_file() else None)
    late_after = assignment.due_time("" if args.late_after == "due" else args.late_after)
    report = collecting.collect(
        classroom,
        args.name,
        args.paths,
        roster=roster.read(listed) if listed else None,
        late_after=late_after,
    )
    if args.json:
        print(json.dumps(asdict(report), indent=1, ensure_ascii=False))
    else:
        print(_said(report, everything=args.all, kept=classroom.root / "collected" / f"{args.name}.json"))
    return 0


def _remarks(entry: Entry) -> str:
    late = ["Late."] if entry.late else []
    return " ".join([*late, *([entry.reason] if entry.reason else []), *entry.remarks])


def _said(report: Report, everything: bool, kept: Path) -> str:
    counts = Counter(entry.outcome for entry in report.entries)
    late = sum(entry.late for entry in report.of("collected", "replaced", "unchanged"))
    said = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    lines = [f"{len(report.entries)} files: {said or 'none'}." + (f" {late} late." if late else "")]
    listed = [entry for entry in report.entries if everything or (_remarks(entry) and entry.outcome != "ignored")]
    for entry in listed:
        whose = f"{entry.student or '?'} {entry.notebook}".strip()
        lines.append(
            f"  {entry.outcome:<10} {entry.path}\n             {whose}: {_remarks(entry) or 'nothing to remark.'}"
        )
    if report.nothing_from:
        lines.append(f"Nothing from {len(report.nothing_from)} of the roster: {', '.join(report.nothing_from)}.")
    lines.append(f"Every file with its reason: {kept}.")
    return "\n".join(lines)
