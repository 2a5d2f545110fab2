"""`course similar NAME --class FOLDER`: pairs of submissions to look at."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course.grading.similar import Report

__all__ = ["configure", "run"]

_EPILOG = """\
This is a list to look at, never a verdict. Two students may have worked together as you allow, used the same page of
a textbook, or made the same mistake on their own. Read both submissions, and talk to both students, before you think
of a reason.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; `--json` is the caller's."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("name", metavar="NAME", help="the assignment's name; it has been graded")
    parser.add_argument("--class", dest="folder", required=True, metavar="FOLDER", help="the class's folder")
    parser.add_argument("--most", type=int, default=20, metavar="N", help="pairs to list (20)")


def run(args: argparse.Namespace) -> int:
    """Print the pairs. Raises ValueError, one sentence, where there is nothing to compare."""
    from course.grading import similar
    from course.grading.classroom import Classroom

    report = similar.similar(Classroom(args.folder), args.name)
    print(json.dumps(asdict(report), indent=1) if args.json else _said(report, args.most))
    return 0


def _said(report: Report, most: int) -> str:
    lines = []
    if report.left_out:
        lines.append(f"Not graded, so not compared: {', '.join(report.left_out)}.")
    if not report.pairs:
        return "\n".join([*lines, f"None of {report.compared} pairs is alike to an unusual degree."])
    lines.append(
        f"{len(report.pairs)} of {report.compared} pairs are unusually alike. A list to look at, never a verdict:"
    )
    for pair in report.pairs[:most]:
        alike = ", ".join(f"{each.exercise_id} {each.share:.0%}" for each in pair.exercises)
        lines.append(
            f"  {pair.first} and {pair.second}: {alike} alike; together {pair.far:.0f} times the class's spread above its middle"
        )
    if len(report.pairs) > most:
        lines.append(f"  and {len(report.pairs) - most} more (--most {len(report.pairs)})")
    lines.append(
        "The share is of what an answer has beyond the usual: a fragment that many of the class wrote weighs little, "
        "one that only these two have weighs most."
    )
    return "\n".join(lines)
