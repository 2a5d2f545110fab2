"""`course grade`: grade what was collected, each submission in a sandbox, and write marks and pages for students."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course.grading.running import Report

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  course grade week-4 --class our-class
  course grade week-4 --class our-class --student ada --force
  course grade week-4 --class our-class --jobs 8 --timeout 600

The same command goes on where a stopped one ended, grades what has changed, and leaves alone what holds. After
marking written answers in nbgrader's formgrader, run it once more: the students' pages then have these marks.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", metavar="NAME", help="the assignment")
    parser.add_argument("--class", dest="folder", required=True, metavar="FOLDER", help="the class's folder")
    parser.add_argument("--student", action="append", default=[], metavar="ID", help="only this student; repeatable")
    parser.add_argument("--jobs", type=int, metavar="N", help="submissions side by side (default: one a core)")
    parser.add_argument(
        "--timeout",
        type=float,
        default=120,
        metavar="S",
        help="seconds that the answers of a notebook may run (default: 120)",
    )
    parser.add_argument("--memory", type=float, default=3, metavar="GB", help="memory for a submission (default: 3)")
    parser.add_argument("--trust", action="store_true", help="run submissions without a sandbox, as your own programs")
    parser.add_argument("--force", action="store_true", help="grade again what still holds")
    parser.add_argument("--gradebook", metavar="URL", help="the gradebook's address (default: SQLite in the folder)")


def run(args: argparse.Namespace) -> int:
    """Grade and say what was done. Exit status 1 when something could not be graded or was stopped."""
    from course import inputs
    from course.grading import running
    from course.grading.classroom import Classroom
    from course.grading.sandbox import Limits

    limits = Limits(
        seconds=inputs.positive("--timeout", args.timeout), memory_gb=inputs.positive("--memory", args.memory)
    )
    jobs = None if args.jobs is None else inputs.whole("--jobs", args.jobs)
    bar = _Bar(args.json)
    try:
        report = running.grade(
            Classroom(args.folder),
            args.name,
            students=args.student,
            jobs=jobs,
            limits=limits,
            trust=args.trust,
            force=args.force,
            url=args.gradebook,
            progress=bar.show,
        )
    finally:
        bar.close()
    print(json.dumps(vars(report), indent=1, ensure_ascii=False) if args.json else _said(report))
    return 1 if report.failed or report.stopped else 0


class _Bar:
    """A progress bar on standard error, none for programs."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._bar: Any = None

    def show(self, done: int, of: int) -> None:
        """Show how many are done."""
        if self._silent or not of:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=of, unit="submission", file=sys.stderr, leave=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def _said(report: Report) -> str:
    lines = [
        f"{report.assignment}: {len(report.graded)} graded, {len(report.kept)} unchanged since they were graded, "
        f"in {report.seconds:.0f} s."
    ]
    if not report.sandbox:
        lines.append("Without a sandbox: the submissions ran as your own programs.")
    if report.scores:
        wide = max(len(student) for student in report.scores)
        for student, score in report.scores.items():
            waits = report.waiting.get(student)
            more = f"   {', '.join(waits)} to be read" if waits else ""
            lines.append(f"  {student:<{wide}}  {score:6.2f} of {report.points:g}{more}")
    if report.waiting:
        lines.append("Written answers wait for you: mark them in nbgrader's formgrader, then run this command again.")
    for title, found in (
        ("Taken back, since nothing is handed in any more:", {student: [] for student in report.taken_back}),
        ("Could not be graded, and have no score:", {student: [why] for student, why in report.failed.items()}),
        ("To look at:", report.odd),
    ):
        if found:
            lines.append(title)
            for student, sentences in found.items():
                lines += [f"  {student}: {sentence}" for sentence in sentences] or [f"  {student}"]
    if report.stopped:
        lines.append("Stopped before the end; the same command goes on from here.")
    return "\n".join(lines)
