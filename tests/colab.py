"""A rehearsal of Colab: an environment with its versions, a stand-in for its module, and a notebook run in it.

A notebook finds what it would find there: the packages that Colab comes with, at Colab's versions, and a
folder that holds nothing but the notebook. The course is not installed; the set-up cell does that, from
the address that stands in it, which Git is told to look up in a clone of this checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from course import lessons
from course.lessons import Lesson
from course.publishing import project

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "rehearsal"
SEEN = ("tensorflow", "keras", "numpy", "pandas", "matplotlib")
"""The versions that the table shows; all are compared."""

# What Colab's image of January 2026 has of all that the lessons import, and what runs a notebook there
# (googlecolab/backend-info, pip-freeze.txt).
VERSIONS = {
    "tensorflow": "2.19.0",
    "keras": "3.10.0",
    "numpy": "2.0.2",
    "scipy": "1.16.3",
    "pandas": "2.2.2",
    "matplotlib": "3.10.0",
    "scikit-learn": "1.6.1",
    "ipywidgets": "7.7.1",
    "pooch": "1.8.2",
    "tqdm": "4.67.1",
    "platformdirs": "4.5.1",
    "psutil": "5.9.5",
    "threadpoolctl": "3.6.0",
    "ipykernel": "6.17.1",
    "ipython": "7.34.0",
    "jupyter_client": "7.4.9",
    "traitlets": "5.7.1",
    "pyzmq": "26.2.1",
    "tornado": "6.5.1",
    "joblib": "1.5.3",
    "protobuf": "5.29.5",
    "h5py": "3.15.1",
    "pillow": "11.3.0",
    "setuptools": "75.2.0",
}
PYTHONS = ((3, 12), (3, 11))
"""Colab's Python, and another for which its TensorFlow is built."""

STAND_IN = {
    "__init__.py": '"""Stands in for the module that tells a notebook that it runs on Colab."""\n',
    "drive.py": (
        "from pathlib import Path\n\n\ndef mount(mountpoint, force_remount=False, **options):\n"
        '    Path(mountpoint, "MyDrive").mkdir(parents=True, exist_ok=True)\n'
        '    print(f"Mounted at {mountpoint}")\n'
    ),
    "output.py": "def enable_custom_widget_manager():\n    pass\n",
}


class CannotRehearseError(Exception):
    """Something from outside is missing; the message is one sentence that names it."""


# --- the environment ------------------------------------------------------------------------------


@cache
def python() -> str:
    """A Python of Colab's version, or of the other one that its TensorFlow is built for."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for major, minor in PYTHONS:
        name = f"python{major}.{minor}"
        for candidate in (name, *map(str, pyenv.glob(f"{major}.{minor}*/bin/{name}")), sys.executable):
            code = f"import sys, venv; sys.exit(sys.version_info[:2] != ({major}, {minor}))"
            try:
                done = subprocess.run([candidate, "-c", code], capture_output=True, check=False)
            except OSError:
                continue
            if done.returncode == 0:
                return candidate
    raise CannotRehearseError("needs Python 3.12 or 3.11, for which Colab's TensorFlow is built")


def _run(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)


def _checked(*command: str | Path, **options) -> str:
    done = _run(*command, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def binary(environment: Path) -> Path:
    """The Python of an environment."""
    return environment / ("Scripts" if os.name == "nt" else "bin") / "python"


def index_is_reachable() -> bool:
    """Whether a small package can be fetched from the package index."""
    with tempfile.TemporaryDirectory() as folder:
        name = f"tqdm=={VERSIONS['tqdm']}"
        options = ("--no-deps", "--no-cache-dir", "--quiet", "--timeout", "20", "--retries", "1")
        return _run(sys.executable, "-m", "pip", "download", *options, "--dest", folder, name).returncode == 0


def environment() -> Path:
    """The environment with Colab's versions; made once and kept in `build/` for as long as the versions stand."""
    key = json.dumps([_checked(python(), "--version"), VERSIONS, STAND_IN])
    folder = BUILD / f"environment-{hashlib.sha256(key.encode()).hexdigest()[:10]}"
    if folder.is_dir():
        return folder
    making = folder.with_suffix(".unfinished")
    shutil.rmtree(making, ignore_errors=True)
    _checked(python(), "-m", "venv", making)
    wanted = [f"{name}=={version}" for name, version in VERSIONS.items()]
    _checked(binary(making), "-m", "pip", "install", "--quiet", *wanted)
    packages = Path(_checked(binary(making), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for name, text in STAND_IN.items():
        path = packages / "google" / "colab" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _checked(binary(making), "-m", "compileall", "-q", packages / "google")
    making.rename(folder)
    return folder


def copy_of(original: Path, copy: Path) -> Path:
    """An environment of its own, in a second: its files are links to the original's, which nothing writes to."""
    shutil.copytree(original, copy, copy_function=os.link, symlinks=True)
    shutil.copy(original / "pyvenv.cfg", copy / "pyvenv.cfg.own")
    (copy / "pyvenv.cfg.own").replace(copy / "pyvenv.cfg")
    return copy


def versions(python: str | Path) -> dict[str, str]:
    """Name and version of every package that a Python has."""
    code = (
        "import json; from importlib.metadata import distributions; "
        "print(json.dumps({d.metadata['Name'].lower(): d.version for d in distributions() if d.metadata['Name']}))"
    )
    return json.loads(_checked(python, "-I", "-c", code))


def repository() -> Path:
    """Git's settings by which the project's address is a clone of what is committed here, with the tag of its version."""
    folder, settings = BUILD / "course.git", BUILD / "gitconfig"
    shutil.rmtree(folder, ignore_errors=True)
    settings.write_text(
        f'[url "{folder.as_uri()}"]\n\tinsteadOf = {project(ROOT).address}\n'
        "[safe]\n\tdirectory = *\n",  # in a container the checkout belongs to somebody else
        encoding="utf-8",
    )
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": str(settings)}
    try:
        if _run("git", "-C", ROOT, "rev-parse", "HEAD", env=environment).returncode:
            raise FileNotFoundError
    except FileNotFoundError:
        raise CannotRehearseError("needs git and a checkout, from which the set-up cell installs the course") from None
    _checked("git", "clone", "--quiet", "--bare", "--no-local", ROOT, folder, env=environment)
    _checked("git", "-C", folder, "tag", "--force", project(ROOT).tag, "HEAD", env=environment)
    return settings


def variables(python: str | Path, settings: Path, folder: Path) -> dict[str, str]:
    """The variables of a kernel on Colab: nothing of this project's, and Git told where its address is."""
    ours = ("COURSE_", "PYTHON", "VIRTUAL_ENV", "GIT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {
        "PATH": os.pathsep.join([str(Path(python).parent), os.environ["PATH"]]),
        "COLAB_RELEASE_TAG": "rehearsal",
        "XDG_DATA_HOME": str(folder / "data"),  # where progress goes without Drive
        "COURSE_STATIC": "1",  # no browser answers the sliders
        "GIT_CONFIG_GLOBAL": str(settings),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's word on Python's frozen modules
    }


# --- a notebook in it -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Rehearsed:
    """What came of a notebook: seconds, versions before and after, what the set-up cell said, the error if any."""

    lesson: str
    name: str
    seconds: float
    before: dict[str, str] = field(repr=False)
    after: dict[str, str] = field(repr=False)
    said: str = ""
    error: str = ""


def run_notebook(notebook, python: str | Path, variables: dict[str, str], folder: Path) -> str:
    """Run all cells in a folder by a kernel of this Python; returns the error, "" for none."""
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    kernels = folder.parent / "kernels"
    (kernels / "colab").mkdir(parents=True)
    (kernels / "colab" / "kernel.json").write_text(
        json.dumps(
            {
                "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "Colab",
                "language": "python",
            }
        ),
        encoding="utf-8",
    )
    manager = AsyncKernelManager(kernel_name="colab", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(kernels)]))
    client = NotebookClient(
        notebook, km=manager, timeout=900, coalesce_streams=True, resources={"metadata": {"path": str(folder)}}
    )
    try:
        client.execute(env=variables)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return ""


def rehearse(lesson: Lesson, python: str | Path, settings: Path, place: Path) -> Rehearsed:
    """Run the students' edition of a lesson from top to bottom by this Python, in a folder that holds nothing else."""
    import nbformat

    folder = place / "content"
    folder.mkdir()
    shutil.copy(ROOT / "notebooks" / f"{lesson.path}.ipynb", folder)
    notebook = nbformat.read(folder / f"{lesson.name}.ipynb", as_version=4)
    before = versions(python)
    started = time.perf_counter()
    error = run_notebook(notebook, python, variables(python, settings, place), folder)
    seconds = time.perf_counter() - started
    outputs = next(cell for cell in notebook.cells if cell["id"] == "set-up").outputs
    said = "".join(output.get("text", "") for output in outputs).strip()
    return Rehearsed(lesson.number, lesson.name, round(seconds, 1), before, versions(python), said, error)


def _in_a_copy(lesson: Lesson, base: Path, settings: Path) -> Rehearsed:
    with tempfile.TemporaryDirectory(prefix=f"{lesson.name}-", dir=BUILD, ignore_cleanup_errors=True) as place:
        own = copy_of(base, Path(place, "environment"))
        return rehearse(lesson, binary(own), settings, Path(place))


def _kept(found: list[Rehearsed]) -> dict[str, Rehearsed]:
    """The results by name, after the table was written to `build/rehearsal.json`."""
    rows = json.dumps([asdict(one) for one in found], indent=1)
    (ROOT / "build" / "rehearsal.json").write_text(rows + "\n", encoding="utf-8")
    return {one.name: one for one in found}


def rehearse_all(names: list[str], at_once: int = 2) -> dict[str, Rehearsed]:
    """Rehearse the lessons named, so many at a time, each in an environment of its own.

    Raises CannotRehearseError when the index, a Python or the checkout is missing.
    """
    chosen = [lessons.find(name) for name in names]
    BUILD.mkdir(parents=True, exist_ok=True)
    if not index_is_reachable():
        raise CannotRehearseError("needs the package index, from which it installs the versions that Colab has")
    base, settings = environment(), repository()
    with ThreadPoolExecutor(at_once) as pool:
        return _kept(list(pool.map(lambda lesson: _in_a_copy(lesson, base, settings), chosen)))


def here(names: list[str]) -> dict[str, Rehearsed]:
    """Run the lessons named (all without names) by this very Python, one after another: for Colab's own image.

    The first set-up cell installs the course for all of them.
    """
    chosen = [lessons.find(name) for name in names] or list(lessons.LESSONS)
    BUILD.mkdir(parents=True, exist_ok=True)
    settings, found = repository(), []
    for lesson in chosen:
        with tempfile.TemporaryDirectory(prefix=f"{lesson.name}-", dir=BUILD, ignore_cleanup_errors=True) as place:
            found.append(rehearse(lesson, sys.executable, settings, Path(place)))
            print(f"{lesson.number} {lesson.name}: {found[-1].error or 'ran'}", flush=True)
    return _kept(found)


def table(found: dict[str, Rehearsed]) -> str:
    """Notebook, seconds, versions before and after, and how it went: a line each."""
    rows = [f"{'notebook':30} {'seconds':>7}  {'before -> after':16} {' '.join(f'{name:11}' for name in SEEN)} result"]
    for one in found.values():
        same = "unchanged" if one.before.items() <= one.after.items() else "CHANGED"
        seen = " ".join(f"{one.after.get(name, 'none'):11}" for name in SEEN)
        result = "ran" if not one.error else one.error.splitlines()[-1]
        rows.append(f"{one.lesson:4} {one.name:25} {one.seconds:7.1f}  {same:16} {seen} {result}")
    return "\n".join(rows)


if __name__ == "__main__":
    try:
        rehearsed = here(sys.argv[1:])
    except (CannotRehearseError, ValueError) as problem:
        sys.exit(f"{problem}")
    print(table(rehearsed))
    sys.exit(any(one.error or not one.before.items() <= one.after.items() for one in rehearsed.values()))
