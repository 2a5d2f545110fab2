"""The project's files agree: both environments, the versions, the licences, the wheel."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import course

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
CONDA_NAMES = {"matplotlib": "matplotlib-base"}
"""Distributions that have another name at conda-forge."""

EXTRAS = ("lab", "instructor", "jax", "cluster", "test")
"""The extras that environment.yml covers, besides the package's own dependencies."""


# --- the two environments -------------------------------------------------------------------------

_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)(\[[\w,]+\])?\s*(.*)")


def _split(requirement: str) -> tuple[str, str]:
    """Name and version bound; the project's own extras, "scaling-laws-course[lab]", keep no bound."""
    match = _REQUIREMENT.fullmatch(requirement.strip())
    assert match, requirement
    return match[1].lower(), match[3].replace(" ", "")


def _required() -> dict[str, str]:
    """What pyproject.toml requires, by conda's name → bound."""
    lines = PROJECT["dependencies"] + [line for extra in EXTRAS for line in PROJECT["optional-dependencies"][extra]]
    pairs = [_split(line) for line in lines]
    return {CONDA_NAMES.get(name, name): bound for name, bound in pairs if name != PROJECT["name"]}


def _conda() -> tuple[dict[str, str], list[str]]:
    """What environment.yml lists: name → bound, pip's part included, and pip's other lines."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    by_pip = [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]
    lines = [entry for entry in entries if isinstance(entry, str)]
    lines += [line for line in by_pip if not line.startswith("-")]
    names = [_split(line)[0] for line in lines]
    assert len(set(names)) == len(names), "a package is listed twice"
    return dict(map(_split, lines)), [line for line in by_pip if line.startswith("-")]


def test_the_conda_environment_is_that_of_pyproject():
    listed, _ = _conda()
    listed = {name: bound for name, bound in listed.items() if name not in ("python", "pip")}
    required = _required()
    assert sorted(listed) == sorted(required)
    assert listed == required


def test_the_conda_environment_has_the_same_pythons_and_the_course_itself():
    listed, options = _conda()
    assert set(listed["python"].split(",")) == set(PROJECT["requires-python"].replace(" ", "").split(","))
    assert "pip" in listed
    assert options == ["-e ."]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"][0] == "conda-forge"
    assert environment["name"] == PROJECT["name"]


def test_every_extra_is_covered_or_optional():
    """A new extra is either in environment.yml or one that nobody needs by default."""
    assert set(PROJECT["optional-dependencies"]) - set(EXTRAS) <= {"cluster", "jax"}


@pytest.mark.parametrize("name", ["environment.yml", "pyproject.toml"])
def test_each_dependency_says_where_it_is_used(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    if name == "environment.yml":
        lines = re.findall(r"^ +- .*$", text.partition("\ndependencies:")[2], re.MULTILINE)
        lines = [line for line in lines if line.strip() != "- pip:"]
        number = len(_conda()[0]) + len(_conda()[1])
    else:
        text = text.partition("\ndependencies = [")[2].partition("\n[project.scripts]")[0]
        lines = [line for line in re.findall(r'^ +".*$', text, re.MULTILINE) if f'"{PROJECT["name"]}[' not in line]
        number = sum(map(len, [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]))
        number -= len(re.findall(rf'^ +"{PROJECT["name"]}\[', text, re.MULTILINE))
    assert len(lines) == number
    assert [line.strip() for line in lines if not re.search(r"\s#\s*\w.{4,}", line)] == []


def test_the_classifiers_name_the_pythons_that_are_supported():
    named = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: Python :: 3\.\d+$", c)}
    low, high = (int(n) for n in re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups())
    assert named == {f"3.{minor}" for minor in range(low, high)}


# --- versions and licences ------------------------------------------------------------------------


def test_the_versions_agree():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(.+?)\] - (.+)$", text, re.MULTILINE)
    assert releases[0][0] == PROJECT["version"] == course.__version__
    assert all(re.fullmatch(r"unreleased|\d{4}-\d\d-\d\d", when) for _, when in releases)
    assert all(when != "unreleased" for _, when in releases[1:])


def test_both_licences_are_whole():
    assert set(PROJECT["license-files"]) == {"LICENSE", "LICENSE-lessons"}
    assert PROJECT["license"] == "MIT AND CC-BY-4.0"
    code = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert code.startswith("MIT License\n")
    assert "2026 The Scaling Laws, Tested authors" in code
    assert code.rstrip().endswith("SOFTWARE.")
    lessons = (ROOT / "LICENSE-lessons").read_text(encoding="utf-8")
    assert "SPDX-License-Identifier: CC-BY-4.0" in lessons
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in lessons
    assert re.findall(r"^Section (\d) -- ", lessons, re.MULTILINE) == list("12345678")


# --- what is published ----------------------------------------------------------------------------


def _tracked() -> list[Path]:
    """The files that are published: what git tracks or would, or, without git, what is not built."""
    if shutil.which("git"):
        command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    kept = []
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name == ".vscode" or name == ".ci" or not name.startswith((".", "_"))]
        names[:] = [name for name in names if name not in ("build", "dist") and not name.endswith(".egg-info")]
        kept += [Path(folder, name) for name in files]
    return kept


# Square brackets keep this file from matching itself.
UNFIT = {
    "address of a package registry": r"(?i)pypi[.]org|pythonhosted[.]org|(?:conda[.])?anaconda[.](?:org|com)"
    r"|(?:repo|conda)[.]mamba|prefix[.]dev|npmjs[.]|--(?:extra-)?index[-]url|--find[-]links",
    "path of one machine": r"(?<![\w.])/(?:home|Users|root|work|mnt)/[\w.]+|[A-Za-z]:\\+Users\\+\w+"
    r"|(?<![\w.])/tmp/(?!ipykernel)\w+|file:///\w",
}


@pytest.mark.parametrize("what", UNFIT)
def test_no_published_file_holds_an(what):
    found = []
    for path in _tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        if path.suffix == ".ipynb":  # pictures are base64, in which anything can occur
            text = re.sub(r'"image/png": "[^"]*"', "", text)
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in re.finditer(UNFIT[what], text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("pip install --index" + "-url x", "address of a package registry"),
        ("https://pypi" + ".org/project/course", "address of a package registry"),
        ("open /home" + "/someone/course", "path of one machine"),
        (r"C:" + r"\Users\someone", "path of one machine"),
    ],
)
def test_what_is_unfit_is_recognised(text, what):
    assert re.search(UNFIT[what], text)
    assert not re.search(UNFIT[what], "see course/claims.toml, /path/to/python3.12, /usr/bin/env and a home/work ratio")


def test_editor_and_hook_settings_are_valid_and_local():
    for name in ("settings.json", "extensions.json"):
        assert json.loads((ROOT / ".vscode" / name).read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in hooks)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for tool in ("ruff check", "ruff format --check", "mypy"):
        assert f"$(BIN)/{tool}" in makefile
        assert any(hook["entry"].startswith(f".venv/bin/{tool}") for hook in hooks)


# --- the wheel ------------------------------------------------------------------------------------


def test_the_wheel_takes_the_package_and_what_it_reads():
    """Without a build backend: the configuration takes all of course/, and the data is in there."""
    assert PYPROJECT["build-system"]["build-backend"] == "hatchling.build"
    target = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert target["packages"] == ["course"]
    assert not {"exclude", "only-include", "only-packages"} & set(target)
    assert (ROOT / "course/claims.toml").is_file()
    assert "claims.toml" not in (ROOT / ".gitignore").read_text(encoding="utf-8")


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="needs hatchling to build offline")
def test_a_built_wheel_holds_the_ledger_and_both_licences(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(tmp_path), str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name.split("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
        assert archive.read("course/claims.toml") == (ROOT / "course/claims.toml").read_bytes()
        for licence in ("LICENSE", "LICENSE-lessons"):
            assert archive.read(f"{info}/licenses/{licence}") == (ROOT / licence).read_bytes()
        metadata = archive.read(f"{info}/METADATA").decode()
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "course").rglob("*.py")}
    assert modules <= names
    assert {name.split("/")[0] for name in names} == {"course", info}
    assert f"Version: {course.__version__}" in metadata
