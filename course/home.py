"""Where the course keeps what it makes: exercises passed, and sweeps that should outlive a session.

`home()` is the folder that `COURSE_HOME` names; without it, on Colab with Google Drive mounted, a folder
there, which is still there when the machine is gone; without Drive, the user's data folder.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["home", "results", "unmounted"]

CONTENT = Path("/content")
"""Where Colab mounts a Google Drive, as a rule at `drive`."""


def _drive() -> Path:
    """The reader's own part of Drive; a folder only while Drive is mounted."""
    return CONTENT / "drive" / "MyDrive"


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
    """One sentence when `path` is on a Google Drive that is not mounted, else "".

    To be asked before a folder is made: it would be made on the passing disk of the machine, and Drive
    cannot be mounted on a folder that holds something.
    """
    try:
        parts = Path(path).absolute().relative_to(CONTENT).parts
    except ValueError:
        return ""
    if not parts or (parts[0] != "drive" and "MyDrive" not in parts[1:2]):
        return ""
    mount = CONTENT / parts[0]
    if (mount / "MyDrive").is_dir():
        return ""
    return (
        f"The folder {str(path)!r} is on a Google Drive that is not mounted: run `from google.colab import drive; "
        f"drive.mount({str(mount)!r})` in a cell of its own, then this again."
    )
