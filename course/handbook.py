"""The instructor's page, RUNNING-THE-COURSE.md: what in it follows from the lessons and the exercises.

The page's prose is written by hand; between its markers stand a schedule made of the lessons' minutes and a table
of every exercise with the mistakes that its check knows. `make build` writes them, and a test fails when they are
stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from course import lessons
from course.exercises import registry
from course.exercises.specification import Exercise
from course.lessons import Lesson

__all__ = ["WORKSHOP", "page", "weeks"]

WEEK = 180
"""Minutes of lessons in a week of a term, at most."""

WORKSHOP = (("5.1", "1.1", "2.1", "4.1", "5.2"), ("2.2", "3.4", "5.3", "5.4"))
"""Two days, by the lessons' numbers: one argument from the loss to a bet on a larger run."""


def weeks(table: Sequence[Lesson] = lessons.LESSONS, most: int = WEEK) -> list[list[Lesson]]:
    """The lessons in their order, in weeks of at most `most` minutes; a longer lesson has a week of its own."""
    found: list[list[Lesson]] = []
    for lesson in table:
        if found and sum(each.minutes for each in found[-1]) + lesson.minutes <= most:
            found[-1].append(lesson)
        else:
            found.append([lesson])
    return found


def _hours(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def _schedule(rows: Iterable[tuple[str, Sequence[Lesson]]], exercises: Mapping[str, Exercise], first: str) -> list[str]:
    lines = [f"| {first} | lessons | hours | exercises, of these | points |", "|---|---|---:|---:|---:|"]
    for name, chosen in rows:
        mine = [each for each in exercises.values() if each.lesson in {lesson.number for lesson in chosen}]
        listed = "; ".join(f"{lesson.number} {lesson.title}" for lesson in chosen)
        lines.append(
            f"| {name} | {listed} | {_hours(sum(lesson.minutes for lesson in chosen))} "
            f"| {_hours(sum(each.minutes for each in mine))} | {sum(each.points for each in mine):g} |"
        )
    return lines


def schedule(table: Sequence[Lesson] = lessons.LESSONS) -> str:
    """A term and a workshop of two days, from the lessons' minutes."""
    exercises = registry()
    numbered = {lesson.number: lesson for lesson in table}
    days = [[numbered[number] for number in day if number in numbered] for day in WORKSHOP]
    term = weeks(table)
    total = sum(lesson.minutes for lesson in table)
    left_out = [lesson.number for lesson in table if lesson.number not in {n for day in WORKSHOP for n in day}]
    return "\n".join(
        [
            f"A term: {len(table)} lessons, {_hours(total)} hours, at most {_hours(WEEK)} a week.",
            "",
            *_schedule(((str(i), week) for i, week in enumerate(term, 1)), exercises, "week"),
            "",
            f"A workshop of two days. It leaves out {', '.join(left_out)}.",
            "",
            *_schedule(((str(i), day) for i, day in enumerate(days, 1)), exercises, "day"),
        ]
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def exercises(table: Sequence[Lesson] = lessons.LESSONS) -> str:
    """A table a lesson: its exercises, what they are worth, and the mistakes that their checks know."""
    found = registry()
    lines: list[str] = []
    for lesson in table:
        mine = [each for each in found.values() if each.lesson == lesson.number]
        lines += [
            f"### {lesson.number} {lesson.title}",
            "",
            f"{_cell(lesson.question)} {lesson.minutes} minutes; exercises {sum(each.minutes for each in mine)} of these.",
            "",
            "| exercise | answer | points | minutes | difficulty | mistakes it knows |",
            "|---|---|---:|---:|:---:|---|",
        ]
        for each in mine:
            kind = (
                f"{each.kind}, variants"
                if each.variant
                else "text, marked by you"
                if each.kind == "text"
                else each.kind
            )
            lines.append(
                f"| {each.id} {_cell(each.title)} | {kind} | {each.points:g} | {each.minutes} "
                f"| {'●' * each.difficulty} | {_cell('; '.join(mistake.name for mistake in each.mistakes))} |"
            )
        lines.append("")
    return "\n".join(lines).rstrip()


_PARTS = {"schedule": schedule, "exercises": exercises}


def page(text: str, table: Sequence[Lesson] = lessons.LESSONS) -> str:
    """The page's text with its schedule and its tables of exercises brought up to date."""
    for name, make in _PARTS.items():
        part = re.compile(rf"(<!-- {name}: written by `make build` -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        made = make(table)
        text = part.sub(lambda match, made=made: f"{match[1]}{made}\n{match[2]}", text)  # type: ignore[misc]
    return text
