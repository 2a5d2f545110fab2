"""The files of a download, one at a time: folders and zips, also zips in zips, none of them trusted.

Nothing is unpacked to a path that an archive names: an entry's bytes are read up to a limit and its name is only
looked at. What cannot be taken (a link, a path out of the archive, an encrypted entry, a bomb) is given with the
reason, and the others go on: each file of a download comes out exactly once.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

__all__ = ["FILE_LIMIT", "Limits", "Parcel", "open_all", "shown"]

FILE_LIMIT = 60_000_000
"""Bytes of one file."""


@dataclass
class Limits:
    """What one download may cost; `total` bytes and `files` count down over all of it.

    `archive`: bytes of a zip within another, whose table of contents is read at once. `ratio`: of a large file.
    """

    total: int = 4_000_000_000
    files: int = 50_000
    depth: int = 3
    ratio: int = 500
    archive: int = 100_000_000


@dataclass(frozen=True)
class Parcel:
    """One file: its path within the download, when it was changed, and its bytes, or the reason there are none."""

    path: str
    data: bytes = b""
    time: datetime | None = None
    problem: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """Folders (an opened zip counts as one) and, last, the file's name."""
        return tuple(part for part in self.path.replace("\\", "/").split("/") if part)


def shown(text: str, most: int = 200) -> str:
    """`text` fit for a terminal and a report: printable signs only, not too long."""
    clean = "".join(sign if sign.isprintable() else "?" for sign in text)
    return clean if len(clean) <= most else f"{clean[: most // 2]} ... {clean[-most // 2 :]}"


def _size(number: int) -> str:
    return f"{number / 1e6:.0f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"


def _entry_name(entry: zipfile.ZipInfo) -> str:
    """An entry's name; zips that forget to say UTF-8 are read as if they had."""
    if not entry.flag_bits & 0x800:
        try:
            return entry.orig_filename.encode("cp437").decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            pass
    return entry.orig_filename


def _outside(name: str) -> bool:
    path = name.replace("\\", "/")
    return path.startswith("/") or ".." in path.split("/") or path[1:2] == ":" or "\0" in path


def _entry_time(entry: zipfile.ZipInfo) -> datetime | None:
    try:
        when = datetime(*entry.date_time).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
    return when if when.year > 1980 else None  # 1980 is what a zip says that knows no time


def _reason_against(entry: zipfile.ZipInfo, name: str, limits: Limits) -> str:
    if limits.files < 0:
        return "There are too many files in this download."
    if _outside(name):
        return "Its path leads out of the archive."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "It is a link, not a file."
    if entry.flag_bits & 0x1:
        return "It is encrypted: ask for it without a password."
    is_zip = name.lower().endswith(".zip")
    if entry.file_size > (limits.archive if is_zip else FILE_LIMIT):
        return f"It is too large ({_size(entry.file_size)})."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "It is packed in a way that is not usual for a zip."
    if entry.file_size > 10_000_000 and entry.file_size > limits.ratio * max(entry.compress_size, 1):
        return f"It unpacks to more than {limits.ratio} times its size, as a zip bomb does."
    if entry.file_size > limits.total:
        return "The download unpacks to more than may be read at once."
    return ""


def _members(archive: zipfile.ZipFile, path: str, depth: int, limits: Limits) -> Iterator[Parcel]:
    for entry in archive.infolist():
        name = _entry_name(entry)
        if entry.is_dir() and not entry.file_size:
            continue
        where, when = f"{path}/{name}", _entry_time(entry)
        limits.files -= 1
        problem = _reason_against(entry, name, limits)
        if problem:
            yield Parcel(where, time=when, problem=problem)
            continue
        is_zip = name.lower().endswith(".zip")
        most = min(limits.archive if is_zip else FILE_LIMIT, limits.total)
        try:
            with archive.open(entry) as file:
                data = file.read(most + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            RuntimeError,
            NotImplementedError,
            ValueError,
        ) as error:
            yield Parcel(where, time=when, problem=f"It cannot be unpacked ({shown(str(error), 80)}).")
            continue
        if len(data) > most:
            yield Parcel(where, time=when, problem="It is larger than the archive says.")
            continue
        limits.total -= len(data)
        if is_zip:
            yield from _zip(io.BytesIO(data), where, when, depth + 1, limits)
        else:
            yield Parcel(where, data, when)


def _zip(file: io.BytesIO | Path, path: str, when: datetime | None, depth: int, limits: Limits) -> Iterator[Parcel]:
    if depth > limits.depth:
        yield Parcel(path, time=when, problem=f"It is a zip within more than {limits.depth} others.")
        return
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        yield Parcel(path, time=when, problem=f"It is no zip that can be opened ({shown(str(error), 80)}).")
        return
    with archive:
        if not archive.infolist():
            yield Parcel(path, time=when, problem="It is an empty zip.")
        yield from _members(archive, path, depth, limits)


def _file(path: Path, name: str, limits: Limits) -> Iterator[Parcel]:
    limits.files -= 1
    try:
        about = path.lstat()
        when = datetime.fromtimestamp(about.st_mtime).astimezone()
    except (OSError, OverflowError, ValueError) as error:
        yield Parcel(name, problem=f"It cannot be read ({error}).")
        return
    problem = ""
    is_zip = name.lower().endswith(".zip")
    if stat.S_ISLNK(about.st_mode):
        problem = "It is a link, not a file."
    elif not stat.S_ISREG(about.st_mode):
        problem = "It is no ordinary file."
    elif limits.files < 0:
        problem = "There are too many files in this download."
    elif not is_zip and about.st_size > FILE_LIMIT:
        problem = f"It is too large ({_size(about.st_size)}; the limit is {_size(FILE_LIMIT)})."
    if problem:
        yield Parcel(name, time=when, problem=problem)
    elif is_zip:
        yield from _zip(path, name, when, 1, limits)
    else:
        try:
            yield Parcel(name, path.read_bytes(), when)
        except OSError as error:
            yield Parcel(name, time=when, problem=f"It cannot be read ({error.strerror or error}).")


def open_all(paths: list[str | Path], limits: Limits | None = None) -> Iterator[Parcel]:
    """Every file in these folders, zips and files. Raises ValueError for a path where there is nothing."""
    limits = limits or Limits()
    for given in paths:
        path = Path(given)
        if not path.exists():
            raise ValueError(f"There is no file or folder {str(given)!r}.")
        path = path.resolve()
        if not path.is_dir():
            yield from _file(path, path.name, limits)
            continue
        for folder, folders, files in os.walk(path):
            linked = [name for name in folders if (Path(folder) / name).is_symlink()]
            folders[:] = sorted(set(folders) - set(linked))
            for name in sorted(files + linked):
                inside = Path(folder, name)
                yield from _file(inside, f"{path.name}/{inside.relative_to(path).as_posix()}", limits)
