"""Where the course keeps what it makes: exercises passed, and sweeps that should outlive a session.

`home()` is the folder that `COURSE_HOME` names; without it, on Colab with Google Drive mounted, a folder
there, which is still there when the machine is gone; without Drive, the user's data folder.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["home", "results", "unmounted"]

DRIVE = Path("/content/drive")
"""Where Colab mounts Google Drive."""


def _drive() -> Path:
    """The reader's own part of Drive; a folder only while Drive is mounted."""
    return DRIVE / "MyDrive"


def home() -> Path:
    """The folder of all that is kept; it need not exist yet."""
    if named := os.environ.get("COURSE_HOME"):
        return Path(named).expanduser()
    if _drive().is_dir():
        return _drive() / "scaling-laws-course"
    import platformdirs

    return Path(platformdirs.user_data_dir("scaling-laws-course", appauthor=False))


def results(name: str) -> Path:
    """A folder for the records of a lesson's sweep: on a mounted Drive, to go on from there, else a temporary one."""
    if _drive().is_dir():
        return home() / "sweeps" / name
    return Path(tempfile.mkdtemp(prefix=f"course-{name}-"))


def unmounted(path: str | os.PathLike[str]) -> str:
    """One sentence when `path` is on Google Drive and Drive is not mounted, else "".

    To be asked before a folder is made: it would be made on the passing disk of the machine, and Drive
    cannot be mounted on a folder that holds something.
    """
    if not Path(path).is_relative_to(DRIVE) or _drive().is_dir():
        return ""
    return (
        f"{path} is on Google Drive, which is not mounted: run "
        f'`from google.colab import drive; drive.mount("{DRIVE}")` in a cell of its own, then this again.'
    )
