"""A real JupyterLab in a real browser: what tests/test_browser.py needs to act as a reader does.

The browser is the system's Chromium, found by name or named in `COURSE_BROWSER`; Playwright comes
with the test extra, without browsers of its own. Everything the reader would write to (settings,
progress, notebooks) lies in a folder of the test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # as root and in most containers, Chromium starts only so
    "--disable-gpu",
    "--disable-dev-shm-usage",  # /dev/shm is small in containers
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",  # nothing from the network
)
MINUTE = 60_000
"""In milliseconds, as Playwright counts. Timeouts are for a machine that is busy with other things."""


# --- what must be there ---------------------------------------------------------------------------


def _names() -> tuple[str, ...]:
    named = os.environ.get("COURSE_BROWSER")
    return (named,) if named else NAMES


@cache
def executable() -> str:
    """Path of a Chromium that starts; empty where there is none."""
    for name in _names():
        path = shutil.which(name)
        if path is None:
            continue
        try:  # Ubuntu's package may be a stub that only says where the browser is to be had
            done = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return path
    return ""


def missing() -> str:
    """Why no browser test can run here, in one sentence; empty where they can."""
    if find_spec("playwright") is None:
        return "needs Playwright, which comes with the test extra: pip install -e '.[test]'"
    if shutil.which("make") is None:
        return "needs make, which starts JupyterLab as a reader does"
    if not executable():
        return f"needs a browser: install chromium, or name one in COURSE_BROWSER (looked for {', '.join(_names())})"
    return ""


def artefacts() -> Path:
    """Where screenshots and the server's log go: `$COURSE_ARTEFACTS`, else a folder that git ignores."""
    folder = Path(os.environ.get("COURSE_ARTEFACTS") or ROOT / "build" / "browser-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# --- the server -----------------------------------------------------------------------------------


class Lab:
    """JupyterLab as `make lab` starts it, on a free port, over a copy of the students' notebooks."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "course"
        self.home = folder / "home"
        self.runtime = folder / "runtime"
        for name in ("notebooks", "solutions"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns(".*", "*.py"))
        shutil.copy(ROOT / "README.md", self.root)
        self._setting(folder, "apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False})
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
        environment |= {
            "COURSE_HOME": str(self.home),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        for name in ("COURSE_STATIC", "JUPYTER_TOKEN", "PYTEST_CURRENT_TEST"):
            environment.pop(name, None)
        self.log = artefacts() / "jupyterlab.log"
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [
                    *("make", "--no-print-directory", "-C", str(ROOT), "lab"),
                    *("-o", f"{sys.prefix}/.lab", f"VENV={sys.prefix}"),  # this environment, as it is
                    f"CURDIR={self.root}",
                    "LAB_ARGS=--no-browser --ip=127.0.0.1 --port=0 --LabApp.expose_app_in_browser=True",
                ],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @staticmethod
    def _setting(folder: Path, plugin: str, values: dict[str, Any]) -> None:
        path = folder / "config" / "lab" / "user-settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")

    def address(self, seconds: float = 180) -> str:
        """The address that `make lab` prints, its token included, once the server answers there."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            said = self.log.read_text(encoding="utf-8", errors="replace")
            found = re.search(r"http://127\.0\.0\.1:\d+/lab\S*\?token=\w+", said)
            if found:
                return found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"JupyterLab did not start:\n{self.log.read_text(encoding='utf-8')[-3000:]}")

    def opened(self, path: str) -> str:
        """The address of a file in JupyterLab, without what was open before."""
        head, _, token = self.address().partition("/lab/")
        return f"{head}/lab/tree/{path}?reset&{token.partition('?')[2]}"

    def stop(self) -> None:
        """End the server and whatever it started, kernels included."""
        try:
            family = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=15)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


# --- the reader -----------------------------------------------------------------------------------

_CELLS = """() => {
  const notebook = window.jupyterapp?.shell.currentWidget?.content;
  if (!notebook?.model) return null;
  return Array.from(notebook.model.cells).map(cell => ({
    type: cell.type,
    source: cell.sharedModel.source,
    tags: cell.getMetadata("tags") ?? [],
    count: cell.type === "code" ? cell.executionCount : null,
    outputs: cell.type === "code" ? cell.outputs.toJSON() : [],
  }));
}"""

_KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"

_SHOW = """async index => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(index, "center");
}"""


class Notebook:
    """One notebook, open in JupyterLab: cells are found in its model, acted on through the page."""

    def __init__(self, page: Any) -> None:
        self.page = page
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=2 * MINUTE)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Until the kernel waits for the reader."""
        self.page.wait_for_function(f"() => {_KERNEL} === 'idle'", timeout=3 * MINUTE, polling=100)

    def cells(self) -> list[dict[str, Any]]:
        """Type, source, tags, execution count and outputs of each cell."""
        return self.page.evaluate(_CELLS)

    def index(self, *, tag: str = "", source: str = "") -> int:
        """The first code cell with the tag, or whose source holds the text."""
        for index, cell in enumerate(self.cells()):
            if cell["type"] == "code" and (tag in cell["tags"] if tag else source in cell["source"]):
                return index
        raise AssertionError(f"no cell has {tag or source!r}")

    def show(self, index: int) -> Any:
        """Scroll to a cell, as far away cells are not on the page; gives its place there."""
        cell = self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')
        self.page.evaluate(_SHOW, index)
        cell.wait_for(timeout=MINUTE)
        cell.scroll_into_view_if_needed(timeout=MINUTE)
        return cell

    def write(self, index: int, source: str) -> None:
        """Click into a code cell and put a text in place of what is there."""
        self.show(index).locator(".jp-InputArea-editor .cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(source)
        assert self.cells()[index]["source"] == source

    def run(self, index: int) -> Any:
        """Shift+Enter in a cell; gives its place on the page when it has run."""
        before = self.cells()[index]["count"]
        self.show(index).locator(".jp-InputArea-editor .cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        self._wait_for_count(index, before)
        return self.show(index)

    def run_all(self) -> list[dict[str, Any]]:
        """Run, Run All Cells; gives the cells when the last one has run or one has failed."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()
        code = [index for index, cell in enumerate(self.cells()) if cell["type"] == "code" and cell["source"]]
        self._wait_for_count(code[-1], None)
        return self.cells()

    def _wait_for_count(self, index: int, before: int | None) -> None:
        """Until the cell has a new number, or any cell has an error (the rest does not run then)."""
        self.page.wait_for_function(
            f"""([index, before]) => {{
              const cells = ({_CELLS})();
              const ended = cells[index].count !== null && cells[index].count !== before;
              const failed = cells.some(cell => cell.outputs.some(output => output.output_type === "error"));
              return (ended || failed) && {_KERNEL} === "idle";
            }}""",
            arg=[index, before],
            timeout=8 * MINUTE,
            polling=250,
        )

    def save(self) -> None:
        """File, Save, until nothing is unsaved."""
        self.page.get_by_role("menuitem", name="File", exact=True).click()
        self.page.locator('.lm-Menu-item[data-command="docmanager:save"]').click()
        self.page.wait_for_function(
            "() => !window.jupyterapp.shell.currentWidget.context.model.dirty", timeout=MINUTE, polling=100
        )
