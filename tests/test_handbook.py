"""The instructor's page: its tables are those of the lessons, and the commands that it shows exist."""

from __future__ import annotations

import itertools
import re
import shlex

import pytest

from course import authoring, handbook, lessons
from course.__main__ import _parser
from course.exercises import registry
from course.lessons import Lesson

PAGE = authoring.find_root() / "RUNNING-THE-COURSE.md"


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text(encoding="utf-8")


def test_the_page_is_fresh(text):
    assert handbook.page(text) == text, "run `make build`"


def test_an_old_table_is_replaced_and_the_prose_stays(text):
    old = re.sub(r"\| 4\.1\.3 .*\n", "", text)
    assert old != text
    assert handbook.page(old) == text
    assert handbook.page("no markers here") == "no markers here"


def test_every_exercise_stands_in_its_lessons_table_with_its_mistakes(text):
    for id_, exercise in registry().items():
        (row,) = re.findall(rf"^\| {re.escape(id_)} .*$", text, re.MULTILINE)
        assert row.count("●") == exercise.difficulty
        assert all(mistake.name.replace("|", "\\|") in row for mistake in exercise.mistakes)


def test_the_weeks_hold_each_lesson_once_in_order_and_none_is_too_long():
    weeks = handbook.weeks()
    assert [lesson for week in weeks for lesson in week] == list(lessons.LESSONS)
    for week in weeks:
        assert sum(lesson.minutes for lesson in week) <= handbook.WEEK or len(week) == 1
    for before, after in itertools.pairwise(weeks):
        assert sum(lesson.minutes for lesson in before) + after[0].minutes > handbook.WEEK, "no week is half empty"


def test_a_lesson_longer_than_a_week_has_one_of_its_own():
    table = [Lesson(str(i), "", "", "", "", minutes) for i, minutes in enumerate((100, 300, 50, 60, 80))]
    assert [[lesson.minutes for lesson in week] for week in handbook.weeks(table)] == [[100], [300], [50, 60], [80]]


def test_the_workshop_is_of_lessons_that_there_are_and_fits_two_days():
    for day in handbook.WORKSHOP:
        assert sum(lessons.find(number).minutes for number in day) <= 400


@pytest.mark.parametrize("name", ["RUNNING-THE-COURSE.md", "README.md"])
def test_the_commands_shown_are_commands(name):
    page = (authoring.find_root() / name).read_text(encoding="utf-8")
    shown = [
        line
        for block in re.findall(r"^```\w*\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    commands = [line.partition("  #")[0] for line in shown if line.startswith("course ")]
    assert commands
    for command in commands:
        _parser().parse_args(shlex.split(command)[1:])


def test_the_readme_leads_to_the_page():
    assert "(RUNNING-THE-COURSE.md)" in (authoring.find_root() / "README.md").read_text(encoding="utf-8")
