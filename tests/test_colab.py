"""Colab: its tiers, its Drive, its set-up cell, and, with `make rehearsal`, every notebook among its versions."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import colab
import pytest

from course import home, lessons, machine, tiers
from course.publishing import Project, colab_metadata, project

ROOT = Path(__file__).resolve().parent.parent
SWEEP, PLAIN, WITHOUT = lessons.find("5.3"), lessons.find("4.1"), lessons.find("1.1")


# --- what begin says ------------------------------------------------------------------------------


@pytest.fixture
def found(monkeypatch):
    """Sets the GPUs found and the tier asked for."""

    def set_up(gpus=(), asked=None):
        monkeypatch.setattr(machine, "gpus", lambda: list(gpus))
        monkeypatch.delenv("COURSE_TIER", raising=False)
        if asked is not None:
            monkeypatch.setenv("COURSE_TIER", asked)

    return set_up


@pytest.mark.parametrize(
    ("lesson", "gpus", "asked", "tier", "sentence"),
    [
        (SWEEP, [], None, "laptop", "No GPU found: this lesson runs at laptop size."),
        (SWEEP, ["Tesla T4"], None, "gpu", "GPU found (Tesla T4): this lesson runs at its larger size."),
        (
            SWEEP,
            ["Tesla T4"],
            "laptop",
            "laptop",
            "GPU found (Tesla T4), but COURSE_TIER=laptop: this lesson runs at laptop size.",
        ),
        (SWEEP, [], "gpu", "gpu", "No GPU found, but COURSE_TIER=gpu: this lesson runs at its larger size."),
        (SWEEP, [], "laptop", "laptop", "No GPU found: this lesson runs at laptop size."),
        (PLAIN, [], None, "laptop", "No GPU found: this lesson needs none."),
        (PLAIN, ["Tesla T4"], None, "gpu", "GPU found (Tesla T4): this lesson uses it, at the same size as without."),
        (WITHOUT, ["Tesla T4"], None, "gpu", "This lesson computes on the processor, with a GPU or without."),
    ],
)
def test_the_tier_and_the_sentence_that_says_so(found, lesson, gpus, asked, tier, sentence):
    found(gpus, asked)
    assert (tiers.tier(), tiers.said(lesson)) == (tier, sentence)


def test_a_tier_that_is_none_is_one_sentence(found):
    found(asked="huge")
    with pytest.raises(ValueError, match=r"^COURSE_TIER is 'huge'; set it to 'laptop' or 'gpu', or not at all\.$"):
        tiers.tier()


# --- Drive ----------------------------------------------------------------------------------------


@pytest.fixture
def drive(monkeypatch, tmp_path):
    """Where Drive would be mounted, by the stand-in of Colab's own module; not mounted yet."""
    place = tmp_path / "drive"
    monkeypatch.setattr(home, "CONTENT", tmp_path)
    monkeypatch.delenv("COURSE_HOME", raising=False)
    module = {}
    exec(colab.STAND_IN["drive.py"], module)
    return place, lambda: module["mount"](str(place))


def test_progress_and_sweeps_go_to_a_mounted_drive_and_are_there_in_the_next_session(drive):
    from course.exercises import progress

    place, mount = drive
    progress.reset()
    assert not home.home().is_relative_to(place)
    assert not home.results("sweep").is_relative_to(place)
    mount()
    assert (
        home.results("sweep") == home.results("sweep") == place / "MyDrive" / "scaling-laws-course" / "sweeps" / "sweep"
    )
    progress.record("4.1.1", "passed", 1.0)
    assert list((place / "MyDrive/scaling-laws-course/progress").iterdir())
    progress.reset()  # what a new session knows
    assert progress.load()["4.1.1"]["status"] == "passed"


def test_a_drive_that_is_not_mounted_is_one_sentence_and_nothing_is_made_there(drive, monkeypatch):
    from course.exercises import progress

    place, mount = drive
    monkeypatch.setenv("COURSE_HOME", str(place / "MyDrive" / "mine"))
    progress.record("4.1.1", "passed", 1.0)
    sentence = machine.progress_problem()
    assert sentence == progress.problem()
    assert "is on a Google Drive that is not mounted" in sentence
    assert f"`from google.colab import drive; drive.mount('{place}')`" in sentence
    assert "\n" not in sentence
    assert not place.exists(), "a folder there would keep Drive from being mounted"
    mount()
    assert machine.progress_problem() == ""
    progress.record("4.1.1", "passed", 1.0)
    assert progress.problem() == ""
    progress.reset()


# --- what a notebook says of the project ----------------------------------------------------------


def test_the_address_is_one_line_of_pyproject_and_a_fork_changes_it(tmp_path):
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    address = project(ROOT).address
    assert text.count(address) == 1
    (tmp_path / "pyproject.toml").write_text(
        text.replace(address, "https://github.com/some-one/a.fork"), encoding="utf-8"
    )
    fork = project(tmp_path)
    assert "pip" in fork.setup(PLAIN) and f"git+https://github.com/some-one/a.fork@{fork.tag}" in fork.setup(PLAIN)
    assert f"/github/some-one/a.fork/blob/{fork.tag}/notebooks/x.ipynb" in fork.badge("notebooks/x.ipynb")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "pyproject.toml").write_text(text.replace("Repository", "Documentation"), encoding="utf-8")
    with pytest.raises(ValueError, match="has no address of the project"):
        project(tmp_path / "other")


def test_an_address_that_colab_cannot_read_has_no_badge():
    assert Project("https://gitlab.com/a/b", "v1").badge("x.ipynb") == ""
    assert "/github/a/b/" in Project("https://github.com/a/b.git", "v1").badge("x.ipynb")


def test_the_set_up_cell_is_three_lines_that_differ_in_the_number_alone():
    one, other = (project(ROOT).setup(lesson) for lesson in (PLAIN, SWEEP))
    assert one.count("\n") == 2
    assert one.replace('"4.1"', '"5.3"') == other
    assert "--no-deps" in one, "nothing that the machine comes with may be replaced"


def test_only_a_lesson_that_uses_one_asks_colab_for_a_gpu():
    assert colab_metadata(PLAIN) == {}
    assert colab_metadata(SWEEP)["accelerator"] == "GPU"


def _run(source: str, folder: Path, environment: dict[str, str]):
    from nbclient import NotebookClient
    from nbformat import v4

    notebook = v4.new_notebook(cells=[v4.new_code_cell(source)])
    client = NotebookClient(
        notebook, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**os.environ, **environment})
    return notebook.cells[0].outputs


def test_a_kernel_without_the_package_and_without_a_network_shows_what_to_do(tmp_path):
    """pip fails at once: Git is told that the address is a folder that is not there."""
    said = project(ROOT)
    environment = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{(tmp_path / 'nowhere').as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": said.address,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    outputs = _run(said.setup(PLAIN).replace("import course", "import course_of_none"), tmp_path, environment)
    error = outputs[-1]
    shown = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    assert (error.ename, error.evalue) == ("ModuleNotFoundError", "No module named 'course_of_none'")
    assert "Open the lesson through `make lab`, or choose the kernel of its .venv" in shown
    assert shown.count("Traceback") == 1


def test_where_the_package_is_the_set_up_cell_installs_nothing(tmp_path):
    environment = {"COURSE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "PATH": ""}
    (output,) = _run(project(ROOT).setup(WITHOUT), tmp_path, environment)
    assert output.text == tiers.said(WITHOUT) + "\n"


# --- the rehearsal --------------------------------------------------------------------------------

ASKED = os.environ.get("COURSE_REHEARSAL", "").split()
"""What `make rehearsal` runs: names of lessons, or "all"; nothing in the other tests."""

NAMES = [lesson.name for lesson in lessons.LESSONS if lesson.name in ASKED or ASKED == ["all"]]


@pytest.fixture(scope="session")
def rehearsed(request):
    """Every notebook's rehearsal, two at a time; the table is printed when they are done."""
    try:
        found = colab.rehearse_all(NAMES)
    except colab.CannotRehearseError as error:
        pytest.skip(str(error))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + colab.table(found))
    return found


rehearsal = pytest.mark.skipif(
    not ASKED, reason="`make rehearsal` runs it: it downloads a gigabyte and takes as long as all other tests"
)


@rehearsal
@pytest.mark.parametrize("name", NAMES or ["every notebook"])
def test_a_notebook_runs_among_colabs_versions_and_changes_none(rehearsed, name):
    one = rehearsed[name]
    assert one.error == ""
    assert one.after == one.before | {"scaling-laws-course": project(ROOT).tag.removeprefix("v")}
    assert {package: one.before[package] for package in colab.VERSIONS} == colab.VERSIONS
    assert one.said == tiers.said(lessons.find(name))
    table = json.loads((ROOT / "build" / "rehearsal.json").read_text(encoding="utf-8"))
    assert any(row["name"] == name and row["seconds"] == one.seconds for row in table)


SLIDERS = """
from course.widgets import explore, log_slider, slider
controls = {"whole": slider(1, 0, 3, 1, "whole"), "share": slider(0.5, 0.0, 1.0, 0.1, "share")}
explore(lambda **values: None, factor=log_slider(10, 1, 1000, "factor"), **controls)
"""


@rehearsal
def test_sliders_are_made_among_colabs_versions(rehearsed):
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(Path.home())}
    python = colab.binary(colab.environment())
    done = subprocess.run([python, "-c", SLIDERS], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(kind in done.stdout for kind in ("IntSlider", "FloatSlider", "FloatLogSlider"))
