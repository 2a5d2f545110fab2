"""Taking submissions in: whose they are, which lesson, which one counts; and that no file is lost on the way."""

from __future__ import annotations

import io
import json
import os
import stat
import string
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.__main__ import main
from course.grading import archives, collecting, handed_in, roster
from course.grading.archives import Limits, open_all
from course.grading.classroom import Assignment, Classroom

LESSON = "cross_entropy_gradient.ipynb"
ROSTER = """\
id,name,email,canvas_id,moodle_id
ada,"Lovelace, Ada",ada@example.org,1001,501
bob,Bob van der Berg,bob@example.org,1002,502
eve1,Eve Smith,eve1@example.org,1003,503
eve2,Eve Smith,eve2@example.org,1004,504
zoe,Zoë Ångström,zoe@example.org,1005,505
"""


@pytest.fixture
def classroom(tmp_path):
    made = Classroom.create(tmp_path / "class")
    for name in ("week1", "week2"):
        made.save_assignment(
            Assignment(
                name=name,
                title=name,
                lessons=("4.1", "4.2"),
                points={"4.1.1": 1.0, "4.2.1": 1.0},
                notebooks={LESSON: "", "gradient_descent.ipynb": ""},
                due="2026-12-18T23:59+00:00",
            )
        )
    return made


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER, encoding="utf-8")
    return roster.read(path)


def notebook(answer: str = "", *, lesson: str | None = "4.1", student: str = "", **metadata) -> bytes:
    cells = [
        {"cell_type": "code", "id": "student-id", "source": f'STUDENT_ID = "{student}"', "metadata": {}, "outputs": []},
        {"cell_type": "code", "id": "x", "source": [f"answer = {answer!r}\n", "f()"], "metadata": {}, "outputs": []},
    ]
    course = {"lesson": lesson, "edition": "release", "assignment": "week1"} if lesson else {}
    return json.dumps({"cells": cells, "metadata": {"course": course | metadata}, "nbformat": 4}).encode()


def zipped(files: dict[str, bytes], when=(2026, 12, 17, 12, 0, 0)) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, when)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return packed.getvalue()


@pytest.fixture
def download(tmp_path):
    """Writes a folder of files, each some seconds newer than the one before, and gives its path."""

    def write(files: dict[str, bytes], name: str = "download") -> Path:
        folder = tmp_path / name
        for i, (path, data) in enumerate(files.items()):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
            os.utime(folder / path, (1_790_000_000 + i, 1_790_000_000 + i))
        return folder

    return write


def by_path(report):
    return {entry.path.partition("/")[2]: entry for entry in report.entries}


def submitted(classroom, student, name="week1", file=LESSON):
    return (classroom.submitted(student, name) / file).read_bytes()


# --- whose ----------------------------------------------------------------------------------------

WHO = {
    # Canvas
    "lovelaceada_1001_22_cross_entropy_gradient.ipynb": ("ada", "Canvas"),
    "vanderbergbob_LATE_1002_22_cross_entropy_gradient-2.ipynb": ("bob", "Canvas"),
    "smitheve_1004_22_anything.ipynb": ("eve2", "Canvas"),
    "ångströmzoë_999_22_x.ipynb": ("zoe", "Canvas"),
    # Moodle, in folders and flat
    "Ada Lovelace_501_assignsubmission_file_/x.ipynb": ("ada", "Moodle"),
    "Ada Lovelace_501_assignsubmission_file/x.ipynb": ("ada", "Moodle"),
    "Bob van der Berg_77_assignsubmission_file_cross_entropy_gradient.ipynb": ("bob", "Moodle"),
    "Participant_503_assignsubmission_file_x.ipynb": ("eve1", "Moodle"),
    # Blackboard
    "week1_ada_attempt_2026-12-18-10-00-00_x.ipynb": ("ada", "Blackboard"),
    # Google Classroom and Drive
    "cross_entropy_gradient - Ada Lovelace.ipynb": ("ada", "file name"),
    "Copy of Copy of cross_entropy_gradient - Bob van der Berg (1).ipynb": ("bob", "file name"),
    "Zoe Angstrom/Copy of cross_entropy_gradient.ipynb": ("zoe", "folder"),
    # plain folders and zips
    "ada/x.ipynb": ("ada", "folder"),
    "bob@example.org/x.ipynb": ("bob", "folder"),
    "all/of/them/ADA/week1/x.ipynb": ("ada", "folder"),
    "eve2.ipynb": ("eve2", "file name"),
}


@pytest.mark.parametrize("path", WHO)
def test_a_platforms_names_say_whose_a_file_is(classroom, listed, download, path):
    report = collecting.collect(classroom, "week1", [download({path: notebook(path)})], roster=listed)
    (entry,) = report.entries
    assert (entry.outcome, entry.student, entry.by) == ("collected", *WHO[path])
    assert submitted(classroom, entry.student) == notebook(path)
    assert entry.late is ("LATE" in path)
    assert any("copy" in remark for remark in entry.remarks) is ("Copy of" in path)


def test_in_a_zip_as_in_a_folder(classroom, listed, tmp_path):
    archive = tmp_path / "submissions.zip"
    inner = zipped({"work/x.ipynb": notebook("inner")})
    archive.write_bytes(
        zipped(
            {path: notebook(path) for path in list(WHO)[:2]} | {"Eve Smith_504_assignsubmission_file_/my.zip": inner}
        )
    )
    report = collecting.collect(classroom, "week1", [archive], roster=listed)
    assert {entry.student for entry in report.of("collected")} == {"ada", "bob", "eve2"}
    assert report.nothing_from == ("eve1", "zoe")
    assert datetime.fromisoformat(report.entries[0].time) == datetime(2026, 12, 17, 12).astimezone()


def test_gradescopes_list_says_whose_a_folder_is(classroom, listed, download):
    about = """\
---
submission_901:
  :submitters:
  - :name: Ada Lovelace
    :sid: ada
    :email: ada@example.org
  :created_at: 2026-12-19 10:00:00.000000000 Z
submission_902:
  :submitters:
  - :name: Somebody
    :email: bob@example.org
  - :name: Zoe
    :sid: zoe
  :created_at: 2026-12-18 10:00:00.000000000 Z
"""
    files = {
        "submission_metadata.yml": about.encode(),
        "submission_901/x.ipynb": notebook("a"),
        "submission_902/x.ipynb": notebook("b"),
        # What a student put into their own submission says nothing.
        "submission_902/submission_metadata.yml": about.replace("sid: ada", "sid: zoe").encode(),
    }
    report = collecting.collect(classroom, "week1", [download(files)], roster=listed)
    found = by_path(report)
    assert (found["submission_901/x.ipynb"].student, found["submission_901/x.ipynb"].late) == ("ada", True)
    assert (found["submission_902/x.ipynb"].student, found["submission_902/x.ipynb"].late) == ("bob", False)
    assert "2 students handed it in together." in found["submission_902/x.ipynb"].remarks
    assert found["submission_metadata.yml"].outcome == "ignored"
    report = collecting.collect(classroom, "week2", [download(files)])
    assert {entry.student for entry in report.of("collected")} == {"ada", "bob@example.org"}, "without a roster"


@pytest.mark.parametrize("where", ["", "bob/"])
def test_a_list_of_submissions_that_a_student_made_says_nothing(classroom, listed, download, where):
    about = "submission_1:\n  :submitters:\n  - :sid: ada\n"
    files = {
        f"{where}submission_metadata.yml": about.encode(),
        f"{where}submission_1/x.ipynb": notebook("bob's"),
        "ada/x.ipynb": notebook("hers"),
    }
    collecting.collect(classroom, "week1", [download(files)], roster=listed)
    assert submitted(classroom, "ada") == notebook("hers")


@pytest.mark.parametrize(
    "text", ["", "[1", "a: &a [1]\nb: [*a, *a]", "!!python/object/apply:os.getcwd []", "s:\n  :submitters: 3"]
)
def test_a_list_of_submissions_that_is_none_gives_nothing(text):
    assert handed_in.submitters(text.encode()) == {}


def test_the_student_id_cell_is_the_fallback(classroom, listed, download):
    files = {
        "a.ipynb": notebook("a", student="ada"),
        "b.ipynb": notebook("b", student="1002"),
        "smitheve_42_7_x.ipynb": notebook("c", student="eve1"),
        "d.ipynb": notebook("d"),
        "e.ipynb": notebook("e", student="mallory"),
        "f.ipynb": notebook("f").replace(b'STUDENT_ID = \\"\\"', b"STUDENT_ID = __import__('os').getcwd()"),
        "smitheve_43_7_x.ipynb": notebook("g"),
    }
    found = by_path(collecting.collect(classroom, "week1", [download(files)], roster=listed))
    assert {name: (entry.outcome, entry.student) for name, entry in found.items()} == {
        "a.ipynb": ("collected", "ada"),
        "b.ipynb": ("collected", "bob"),
        "smitheve_42_7_x.ipynb": ("collected", "eve1"),
        "d.ipynb": ("refused", ""),
        "e.ipynb": ("refused", ""),
        "f.ipynb": ("refused", ""),
        "smitheve_43_7_x.ipynb": ("refused", ""),
    }
    assert "Nothing says whose it is" in found["d.ipynb"].reason
    assert "'mallory', is not in the roster" in found["e.ipynb"].reason
    assert "Nobody in the roster is Canvas: 43" in found["smitheve_43_7_x.ipynb"].reason


def test_what_a_student_writes_never_displaces_what_the_platform_says(classroom, listed, download):
    files = {
        "lovelaceada_1001_1_x.ipynb": notebook("hers"),
        "vanderbergbob_1002_2_x.ipynb": notebook("his, with her id", student="ada"),
        "vanderbergbob_1002_3_ada.zip": zipped({"ada/x.ipynb": notebook("his, in a folder of her name", lesson="4.2")}),
        "newer.ipynb": notebook("a claim", student="ada"),
    }
    report = collecting.collect(classroom, "week1", [download(files)], roster=listed)
    found = by_path(report)
    assert submitted(classroom, "ada") == notebook("hers")
    assert submitted(classroom, "bob") == files["vanderbergbob_1002_2_x.ipynb"]
    assert "Its STUDENT_ID is 'ada'." in found["vanderbergbob_1002_2_x.ipynb"].remarks
    assert found["vanderbergbob_1002_3_ada.zip/ada/x.ipynb"].student == "bob"
    assert found["newer.ipynb"].outcome == "refused"
    # Nor in a later collection.
    later = collecting.collect(
        classroom, "week1", [download({"x.ipynb": notebook("again", student="ada")}, "later")], roster=listed
    )
    assert later.entries[0].outcome == "refused"
    assert submitted(classroom, "ada") == notebook("hers")


def test_two_who_claim_one_id_are_both_left_for_a_person(classroom, listed, download):
    files = {"p.ipynb": notebook("p", student="ada"), "q.ipynb": notebook("q", student="ada")}
    report = collecting.collect(classroom, "week1", [download(files)], roster=listed)
    assert [entry.outcome for entry in report.entries] == ["refused", "refused"]
    assert all("put the right one into a folder ada" in entry.reason for entry in report.entries)
    assert not classroom.students("week1")


def test_without_a_roster_the_platforms_number_or_the_folder_is_the_id(classroom, download):
    files = {
        "lovelaceada_1001_1_x.ipynb": notebook("a", student="bob"),
        "Jane Doe_501_assignsubmission_file_/x.ipynb": notebook("b"),
        "Max Power/x.ipynb": notebook("c"),
        "y.ipynb": notebook("d", student="zoe"),
        "z.ipynb": notebook("e", student="../../etc"),
    }
    found = by_path(collecting.collect(classroom, "week1", [download(files)]))
    taken = {entry.student for entry in found.values() if entry.outcome == "collected"}
    assert taken == {"501", "1001", "Max_Power", "zoe"}
    assert found["z.ipynb"].outcome == "refused"


def test_a_folder_in_which_several_name_themselves_is_no_students(classroom, download):
    files = {f"Assignment 1/{id_}.ipynb": notebook(id_, student=id_) for id_ in ("ada", "bob", "")}
    found = by_path(collecting.collect(classroom, "week1", [download(files)]))
    assert [(entry.outcome, entry.student) for entry in found.values()] == [
        ("refused", ""),
        ("collected", "ada"),
        ("collected", "bob"),
    ]


# --- which notebook -------------------------------------------------------------------------------


def test_which_lesson_a_file_is_by_metadata_name_and_contents(classroom, listed, download):
    check = json.dumps({"cells": [{"cell_type": "code", "source": 'check("4.2.1", f)'}]}).encode()
    other = json.dumps({"cells": [{"cell_type": "code", "source": 'check("1.1.2", f)'}]}).encode()
    files = {
        "ada/my homework.ipynb": notebook("", lesson="4.2"),
        "bob/Copy of Cross-Entropy Gradient (1).ipynb": notebook("", lesson=None),
        "eve1/x.ipynb": check,
        "eve2/x.ipynb": other,
        "zoe/x.ipynb": notebook("", lesson="5.1"),
        "zoe/y.ipynb": notebook("", lesson=None),
        "zoe/cross_entropy_gradient.ipynb": check,
    }
    found = by_path(collecting.collect(classroom, "week1", [download(files)], roster=listed))
    assert {name: entry.notebook for name, entry in found.items() if entry.outcome == "collected"} == {
        "ada/my homework.ipynb": "gradient_descent.ipynb",
        "bob/Copy of Cross-Entropy Gradient (1).ipynb": LESSON,
        "eve1/x.ipynb": "gradient_descent.ipynb",
        "zoe/cross_entropy_gradient.ipynb": "gradient_descent.ipynb",
    }
    assert "it is lesson 1.1, What a law of scale is" in found["eve2/x.ipynb"].reason
    assert "it is lesson 5.1" in found["zoe/x.ipynb"].reason
    assert found["zoe/y.ipynb"].reason == "It is none of the notebooks of this assignment."


def test_remarks_on_editions_and_other_assignments(classroom, listed, download):
    files = {"ada/x.ipynb": notebook("", edition="answered"), "bob/x.ipynb": notebook("", assignment="week0")}
    found = by_path(collecting.collect(classroom, "week1", [download(files)], roster=listed))
    assert found["ada/x.ipynb"].remarks == ("It was made from the answered edition.",)
    assert found["bob/x.ipynb"].remarks == ("It was handed out for 'week0'.",)


# --- which one counts -----------------------------------------------------------------------------


def test_of_several_the_newest_counts_and_the_others_are_listed(classroom, listed, download):
    files = {"ada/x.ipynb": notebook("1"), "ada/x (1).ipynb": notebook("2"), "ada/old/x.ipynb": notebook("3")}
    report = collecting.collect(classroom, "week1", [download(files)], roster=listed)
    found = by_path(report)
    assert [found[name].outcome for name in files] == ["duplicate", "duplicate", "collected"]
    assert found["ada/x.ipynb"].reason == "A newer one is there: download/ada/old/x.ipynb."
    assert submitted(classroom, "ada") == notebook("3")


def test_of_files_of_one_time_the_higher_number_counts(classroom, listed, tmp_path):
    names = ["lovelaceada_1001_22_x.ipynb", "lovelaceada_1001_22_x-9.ipynb", "lovelaceada_1001_22_x-10.ipynb"]
    names += ["doebob_1002_9_x.ipynb", "doebob_1002_10_x.ipynb", "zoe/x (2).ipynb", "zoe/x.ipynb"]
    (tmp_path / "all.zip").write_bytes(zipped({name: notebook(name) for name in names}))
    collecting.collect(classroom, "week1", [tmp_path / "all.zip"], roster=listed)
    for student, name in (("ada", names[2]), ("bob", names[4]), ("zoe", names[5])):
        assert submitted(classroom, student) == notebook(name)


def test_collecting_again_replaces_only_what_is_newer(classroom, listed, download, tmp_path):
    def again(answer, when):
        path = tmp_path / "again.zip"
        path.write_bytes(zipped({"ada/x.ipynb": notebook(answer)}, when))
        return collecting.collect(classroom, "week1", [path], roster=listed).entries[0]

    assert again("1", (2026, 12, 10, 0, 0, 0)).outcome == "collected"
    assert again("1", (2026, 12, 10, 0, 0, 0)).outcome == "unchanged"
    older = again("0", (2026, 12, 9, 0, 0, 0))
    assert (older.outcome, submitted(classroom, "ada")) == ("older", notebook("1"))
    newer = again("2", (2026, 12, 19, 12, 0, 0))
    assert (newer.outcome, newer.late, submitted(classroom, "ada")) == ("replaced", True, notebook("2"))
    assert newer.reason.startswith("It replaces the one from 2026-12-")
    kept = json.loads((classroom.root / "collected" / "week1.json").read_text(encoding="utf-8"))
    assert [len(each["entries"]) for each in kept["collections"]] == [1, 1, 1, 1]


def test_the_time_is_written_as_nbgrader_reads_it(classroom, listed, tmp_path):
    from nbgrader.utils import parse_utc

    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"ada/x.ipynb": notebook("1"), "ada/y.ipynb": notebook("1", lesson="4.2")}))
    collecting.collect(classroom, "week1", [path], roster=listed)
    when = parse_utc((classroom.submitted("ada", "week1") / "timestamp.txt").read_text(encoding="utf-8"))
    assert when.timestamp() == datetime(2026, 12, 17, 12).timestamp()


# --- what cannot be taken -------------------------------------------------------------------------


def deep(levels: int) -> bytes:
    data = zipped({"x.ipynb": notebook()})
    for _ in range(levels):
        data = zipped({"more.zip": data})
    return data


def linked() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("ada/x.ipynb")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return packed.getvalue()


def encrypted() -> bytes:
    data = bytearray(zipped({"ada/x.ipynb": notebook()}))
    data[6] |= 1
    central = data.index(b"PK\1\2")
    data[central + 8] |= 1
    return bytes(data)


def lying() -> bytes:
    """An entry that unpacks to more than its headers say."""
    data = bytearray(zipped({"ada/x.ipynb": b" " * 100_000}))
    for start, offset in ((data.index(b"PK\3\4"), 22), (data.index(b"PK\1\2"), 24)):
        data[start + offset : start + offset + 4] = (1000).to_bytes(4, "little")
    return bytes(data)


BAD = {
    "a bomb": (zipped({"ada/x.ipynb": b" " * 55_000_000}), "zip bomb"),
    "too large": (zipped({"ada/x.ipynb": b" " * 61_000_000}), "too large"),
    "a path upwards": (zipped({"../../ada/x.ipynb": notebook()}), "leads out"),
    "an absolute path": (zipped({"/ada/x.ipynb": notebook()}), "leads out"),
    "a path of Windows": (zipped({"..\\ada\\x.ipynb": notebook()}), "leads out"),
    "a drive": (zipped({"C:/ada/x.ipynb": notebook()}), "leads out"),
    "a link": (linked(), "a link"),
    "encrypted": (encrypted(), "encrypted"),
    "lying": (lying(), "cannot be unpacked"),
    "too deep": (deep(4), "within more than 3 others"),
    "no zip": (b"PK\3\4 not really", "no zip that can be opened"),
    "empty zip": (zipped({}), "empty zip"),
    "half a zip": (zipped({"ada/x.ipynb": os.urandom(3000)})[:1500], "no zip that can be opened"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_zip_is_a_reason_and_the_others_go_on(classroom, listed, download, tmp_path, name):
    data, says = BAD[name]
    before = {path for path in tmp_path.rglob("*") if "class" not in path.parts}
    folder = download({"bad.zip": data, "bob/x.ipynb": notebook("good")})
    report = collecting.collect(classroom, "week1", [folder], roster=listed)
    assert [entry.outcome for entry in report.entries] == ["refused", "collected"]
    assert says in report.entries[0].reason
    assert classroom.students("week1") == ["bob"]
    outside = {path for path in tmp_path.rglob("*") if not {"class", "download"} & set(path.parts)}
    assert outside == before - {folder}


FILES = {
    "ada/x.pdf": (b"%PDF", "no notebook but a file .pdf"),
    "ada/README": (b"hello", "without an ending"),
    "ada/data.json": (b"[1, 2]", "no notebook but a file .json"),
    "ada/a.ipynb": (b"", "It is empty."),
    "ada/b.ipynb": (b"\xff\xd8\xff\xe0 a photo", "not valid JSON"),
    "ada/c.ipynb": (b'{"cells": [', "not valid JSON"),
    "ada/d.ipynb": (b'{"a": 1}', "no list of cells"),
    "ada/e.ipynb": (b"[" * 200_000, "not"),
    "ada/f.ipynb": (b'{"cells": 3}', "no list of cells"),
    "ada/g.ipynb": (
        b'{"cells": [1, "x", null, {}, {"source": 7}, {"metadata": 3, "source": ["a", 1]}]}',
        "none of the notebooks",
    ),
    "ada/h.ipynb": (b'{"cells": [], "metadata": {"course": {"lesson": ["4.1"]}}}', "none of the notebooks"),
    "ada/i.ipynb": (b'{"cells": [], "metadata": {"course": {"lesson": "99.9"}}}', "none of the notebooks"),
}


def test_what_is_no_notebook_is_listed_with_its_reason(classroom, listed, download):
    folder = download({path: data for path, (data, _) in FILES.items()} | {"bob/x.ipynb": notebook("good")})
    found = by_path(collecting.collect(classroom, "week1", [folder], roster=listed))
    for path, (_, says) in FILES.items():
        assert found[path].outcome == "refused", path
        assert says in found[path].reason, path
        assert found[path].student == "ada"
    assert found["bob/x.ipynb"].outcome == "collected"


def test_what_systems_leave_behind_is_ignored_and_listed(classroom, listed, download):
    junk = ["ada/.DS_Store", "__MACOSX/ada/._x.ipynb", "ada/.ipynb_checkpoints/x-checkpoint.ipynb", "Thumbs.db"]
    found = by_path(collecting.collect(classroom, "week1", [download(dict.fromkeys(junk, notebook()))], roster=listed))
    assert {name: entry.outcome for name, entry in found.items()} == dict.fromkeys(junk, "ignored")


def test_links_and_pipes_in_a_folder_are_refused(classroom, listed, download, tmp_path):
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(notebook("secret"))
    folder = download({"bob/x.ipynb": notebook("good")})
    (folder / "ada").mkdir()
    (folder / "ada" / "x.ipynb").symlink_to(secret)
    (folder / "zoe").symlink_to(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "ada" / "pipe.ipynb")
    report = collecting.collect(classroom, "week1", [folder], roster=listed)
    assert {entry.path.partition("/")[2]: entry.outcome for entry in report.entries if "pipe" not in entry.path} == {
        "ada/x.ipynb": "refused",
        "bob/x.ipynb": "collected",
        "zoe": "refused",
    }
    assert all(entry.outcome == "refused" for entry in report.entries if "pipe" in entry.path)


def test_an_honest_file_of_50_mb_is_kept_without_its_outputs(classroom, listed, download):
    content = json.loads(notebook("mine"))
    content["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 50_000_000}]
    folder = download({"ada/x.ipynb": json.dumps(content).encode(), "bob/x.ipynb": b" " * 61_000_000})
    found = by_path(collecting.collect(classroom, "week1", [folder], roster=listed))
    assert found["ada/x.ipynb"].remarks == ("It had 50 MB and is kept without its outputs.",)
    assert json.loads(submitted(classroom, "ada")) == json.loads(notebook("mine"))
    assert "too large (61 MB" in found["bob/x.ipynb"].reason


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_an_honest_file_in_another_encoding_is_kept_readable(classroom, listed, download, encoding):
    data = json.dumps(json.loads(notebook("größe")), ensure_ascii=False).encode(encoding)
    report = collecting.collect(classroom, "week1", [download({"ada/x.ipynb": data})], roster=listed)
    assert report.entries[0].outcome == "collected"
    kept = handed_in.read_notebook(submitted(classroom, "ada"))
    assert "größe" in "".join(kept.sources())


@pytest.mark.parametrize(
    "source",
    [
        "STUDENT_ID = open('/etc/passwd').read()",
        "STUDENT_ID = " + "(" * 290,
        "STUDENT_ID = '" + "a" * 100_000 + "'",
        "STUDENT_ID == 'ada'",
        "STUDENT_ID = ['ada']",
        "if True:\n    STUDENT_ID = 'ada'",
        "# STUDENT_ID = 'ada'",
    ],
)
def test_a_student_id_is_a_plain_literal_or_nothing(source):
    data = json.dumps({"cells": [{"cell_type": "code", "source": source}]}).encode()
    assert handed_in.read_notebook(data).student_id() == ""


@pytest.mark.parametrize(
    ("source", "said"),
    [("STUDENT_ID = 'ada'", "ada"), ('x = 1\nSTUDENT_ID="ada"  # me\n', "ada"), ("STUDENT_ID = 1815", "1815")],
)
def test_a_plain_student_id_is_read(source, said):
    data = json.dumps({"cells": [{"cell_type": "code", "source": [source]}]}).encode()
    assert handed_in.read_notebook(data).student_id() == said


def test_a_name_that_would_draw_on_the_terminal_is_shown_harmless(classroom, listed, download):
    report = collecting.collect(classroom, "week1", [download({"ada/\x1b[2Jx.pdf": b""})], roster=listed)
    assert "\x1b" not in report.entries[0].path + report.entries[0].reason


# --- none is lost ---------------------------------------------------------------------------------

PARTS = st.sampled_from(
    [
        "ada",
        "bob",
        "x",
        "week1",
        "__MACOSX",
        "lovelaceada_1001_1_a",
        "Eve Smith_504_assignsubmission_file_",
        "..",
        "a b",
    ]
)
CONTENTS = st.one_of(
    st.binary(max_size=20),
    st.builds(
        notebook,
        st.text(string.ascii_letters, max_size=2),
        lesson=st.sampled_from(["4.1", "4.2", "5.1", None]),
        student=st.sampled_from(["", "ada", "bob", "nobody", "../x"]),
    ),
)
ENDINGS = st.sampled_from([".ipynb", ".pdf", "", ".json", ".ipynb.txt", " (1).ipynb"])
ENTRIES = st.dictionaries(
    st.builds(lambda parts, end: "/".join(parts) + end, st.lists(PARTS, min_size=1, max_size=4), ENDINGS),
    CONTENTS,
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=ENTRIES, inner=ENTRIES, twice=st.booleans(), known=st.booleans())
def test_every_file_is_in_the_report_exactly_once(tmp_path_factory, files, inner, twice, known):
    tmp_path = tmp_path_factory.mktemp("law")
    classroom = Classroom.create(tmp_path / "class")
    classroom.save_assignment(
        Assignment("week1", "", ("4.1", "4.2"), {"4.1.1": 1.0}, {LESSON: "", "gradient_descent.ipynb": ""})
    )
    (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
    members = files | ({"zoe/inner.zip": zipped(inner)} if inner else {})
    (tmp_path / "all.zip").write_bytes(zipped(members))
    report = None
    for _ in range(1 + twice):
        report = collecting.collect(
            classroom, "week1", [tmp_path / "all.zip"], roster=roster.read(tmp_path / "roster.csv") if known else None
        )
    expected = [f"all.zip/{name}" for name in files] + [f"all.zip/zoe/inner.zip/{name}" for name in inner]
    expected = expected or ["all.zip"]
    assert sorted(entry.path for entry in report.entries) == sorted(expected)
    assert all(entry.reason for entry in report.entries if entry.outcome != "collected")
    # What stands is what the report says, and nothing outside the class was written.
    standing = {entry.student: entry for entry in report.of("collected", "unchanged")}
    assert set(classroom.students("week1")) == set(standing)
    assert {path.name for path in tmp_path.iterdir()} == {"class", "all.zip", "roster.csv"}


def test_limits_hold_over_the_whole_download(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({f"{i}.txt": b"x" * 100 for i in range(10)}))
    some = list(open_all([tmp_path / "a.zip"], Limits(files=4)))
    assert [bool(parcel.problem) for parcel in some] == [False] * 3 + [True] * 7
    some = list(open_all([tmp_path / "a.zip"], Limits(total=550)))
    assert sum(len(parcel.data) for parcel in some) <= 550
    assert len(some) == 10


def test_names_in_a_zip_without_the_sign_for_utf_8_are_still_read():
    packed = io.BytesIO(zipped({"zoe/größe.ipynb": notebook()}))
    data = bytearray(packed.getvalue())
    for start, offset in ((data.index(b"PK\3\4"), 6), (data.index(b"PK\1\2"), 8)):
        data[start + offset + 1] &= ~0x08
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        assert archives._entry_name(archive.infolist()[0]) == "zoe/größe.ipynb"


# --- the roster -----------------------------------------------------------------------------------


def test_a_roster_as_canvas_exports_it(tmp_path):
    path = tmp_path / "grades.csv"
    path.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,Week 1 (77)\n"
        "    Points Possible,,,,,10\n"
        '"Lovelace, Ada",1001,u123,ada@example.org,A,\n'
        '"Doe, Jane",1002,,jane,A,\n'
        '"Student, Test",,,,A,\n',
        encoding="utf-8-sig",
    )
    found = roster.read(path)
    assert [student.id for student in found.students] == ["u123", "jane"]
    assert (
        found.by_id("1001") == found.by_id("ADA@example.org") == found.by_name("Ada Lovelace")[0] == found.students[0]
    )


def test_a_roster_as_moodle_exports_it(tmp_path):
    path = tmp_path / "grades.csv"
    path.write_text(
        "Identifier;Full name;Email address;Status\nParticipant 501;Ada Lovelace;ada@example.org;Submitted\n",
        encoding="utf-8",
    )
    (ada,) = roster.read(path).students
    assert roster.read(path).by_id("501") == ada
    path.write_text(
        '"First name","Surname","ID number","Email address"\nAda,Lovelace,u1,ada@x.org\n', encoding="utf-16"
    )
    (ada,) = roster.read(path).students
    assert (ada.id, ada.name) == ("u1", "Ada Lovelace")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("name,points\nAda,3\n", "has no column of ids"),
        ("id\nada\nada\n", "line 3: the id 'ada' occurs twice"),
        ("id\n../x\n", "line 2: A student's id is"),
        ("id,name\n", "lists no student"),
    ],
)
def test_a_roster_that_cannot_be_used_is_one_sentence(tmp_path, text, says):
    path = tmp_path / "roster.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        roster.read(path)


# --- the command ----------------------------------------------------------------------------------


def test_the_command_lists_what_needs_a_look(classroom, download, tmp_path, capsys):
    (classroom.root / "roster.csv").write_text(ROSTER, encoding="utf-8")
    folder = download({"ada/x.ipynb": notebook("1"), "bob/x.pdf": b"%PDF"})
    assert main(["collect", "week1", "--class", str(classroom.root), str(folder)]) == 0
    out = capsys.readouterr().out
    assert "2 files: 1 collected, 1 refused." in out
    assert "bob: It is no notebook but a file .pdf." in out
    assert "ada/x.ipynb" not in out
    assert "Nothing from 4 of the roster: bob, eve1, eve2, zoe." in out
    assert (
        main(["collect", "week1", "--class", str(classroom.root), str(folder), "--json", "--late-after", "2020-01-01"])
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert [entry["outcome"] for entry in found["entries"]] == ["unchanged", "refused"]
    assert found["entries"][0]["late"] is True


@pytest.mark.parametrize(
    "args",
    [
        ["week9", "."],
        ["week1", "there-is-none"],
        ["week1", ".", "--roster", "there-is-none.csv"],
        ["week1", ".", "--late-after", "soon"],
    ],
)
def test_the_command_fails_with_one_sentence(classroom, capsys, args):
    assert main(["collect", *args, "--class", str(classroom.root)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("course: ")
    assert err.count("\n") == 1
    assert main(["collect", "week1", ".", "--class", str(classroom.root / "nowhere")]) == 1
    assert "is no class's folder" in capsys.readouterr().err


def test_200_submissions_in_one_zip(classroom, tmp_path):
    path = tmp_path / "all.zip"
    path.write_bytes(zipped({f"s{i}_{i}_{i}_x.ipynb": notebook(str(i)) for i in range(1, 201)}))
    report = collecting.collect(classroom, "week1", [path])
    assert len(report.of("collected")) == len(classroom.students("week1")) == 200
