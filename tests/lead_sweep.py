"""Leads a pretended sweep: `python lead_sweep.py OUT EXECUTOR ADDRESS SIZES SEEDS WORKERS`, sizes as 4,5,6."""

from __future__ import annotations

import sys

import pretend

from course import sweeps
from course.machine import CannotRunError


def main() -> None:
    out, executor, address, sizes, seeds, workers = sys.argv[1:]
    try:
        sweeps.run(
            pretend.plan(tuple(int(size) for size in sizes.split(",")), int(seeds)),
            out,
            executor=executor,
            address=address if executor == "ray" else None,
            workers=int(workers) if executor == "processes" else None,
            progress=False,
        )
    except (CannotRunError, ValueError) as error:
        print(f"course: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
