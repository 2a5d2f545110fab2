"""Claims on work in a folder that several sweeps may fill: who holds one works on it, and the others let it be.

A claim is a lock of the operating system on a small file in `OUT/claims`. It ends with the process that holds it,
however that ends, so no claim is ever stale. It is seen by every process of a machine, and by other machines where
the folder lies on a network file system that passes locks on (NFS does, a mounted Google Drive does not: two
machines that share one may make the same run twice, and keep one record of it).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

__all__ = ["CLAIMS", "claimed", "identity"]

CLAIMS = "claims"
"""The folder of claims, beside the folder of records."""


def _lock(file: IO[bytes]) -> bool:
    """Lock an open file without waiting; False when another process holds it. True where there are no locks at all."""
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


@contextmanager
def claimed(folder: Path, name: str) -> Iterator[bool]:
    """Claim `name` among those who work in `folder`, for the length of the block; gives whether it is ours.

    Where no claim can be written the work is ours: a run made twice is better than none.
    """
    with ExitStack() as held:
        try:
            file = held.enter_context(open(folder / name, "ab"))
        except OSError:
            yield True
            return
        yield _lock(file)  # and closing the file ends the claim


def identity(folder: Path) -> str:
    """The name of a file that this folder alone holds, made on first use: who finds it there sees the same folder."""
    if not any(folder.glob("folder-*")):
        (folder / f"folder-{uuid.uuid4().hex}").touch()
    return min(path.name for path in folder.glob("folder-*"))
