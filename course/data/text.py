"""Text to learn from: the sources of Python's own standard library, read where they lie, or any text file.

About 9 MB on every machine, without a download and never copied; they differ from one version of
Python to the next, so their hash goes into every record. Two tasks: "characters" predicts one
character from the 8 before it, "bytes" the next byte at every position of a sequence of 64.
Lesson 5.3 trains on both.
"""

from __future__ import annotations

import hashlib
import os
import string
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from course.data.task import Array, Task, builder, pick, whole_numbers
from course.inputs import whole

__all__ = ["ALPHABET", "bytes_task", "characters_task", "decode", "encode"]

ALPHABET = "\t\n" + "".join(sorted(set(string.printable) - set(string.whitespace) | {" "}))
"""The characters with an id of their own, in order: tab, newline and printable ASCII. Id 97 is every other one."""

_OTHER = len(ALPHABET)
_IDS = np.full(256, _OTHER, np.uint8)
_IDS[list(ALPHABET.encode())] = np.arange(_OTHER)

_LEFT_OUT = {"__pycache__", "dist-packages", "idle_test", "idlelib", "site-packages", "test", "tests"} | {
    "encodings",  # 1.4 MB of tables written by a program, many nearly the same
    "pydoc_data",  # .8 MB of documentation in one string
}
_OF_THE_MACHINE = ("_sysconfigdata", "_sysconfig_vars", "sitecustomize", "usercustomize")

VALIDATION_SHARE = 0.05
SHORTEST = 4096
LONGEST = 1_000_000_000


# --- what is read ---------------------------------------------------------------------------------


def encode(text: bytes) -> Array:
    """Character ids, uint8, of UTF-8 text: the place in `ALPHABET`, or 97 for any other character."""
    array = np.frombuffer(text, np.uint8)
    return _IDS[array[(array & 0xC0) != 0x80]]  # a character begins at each byte that continues none


def decode(ids: Any) -> str:
    """The text of character ids; the replacement character stands for every other one."""
    return "".join((ALPHABET + "\N{REPLACEMENT CHARACTER}")[i] for i in np.asarray(ids).ravel())


def _sources() -> Iterator[tuple[str, bytes]]:
    """Relative path and content of the standard library's sources, without tests and what a machine adds."""
    root = sysconfig.get_path("stdlib")
    for folder, folders, files in os.walk(root):
        folders[:] = [each for each in folders if each not in _LEFT_OUT]
        for file in files:
            if file.endswith(".py") and not file.startswith(_OF_THE_MACHINE):
                path = Path(folder, file)
                yield path.relative_to(root).as_posix(), path.read_bytes().replace(b"\r\n", b"\n")


@cache
def _standard_library() -> tuple[bytes, bytes, str]:
    """Training text, validation text and hash of the sources.

    The files stand in the order of their path's hash, which mixes the packages; the first of them,
    5 % of the text, are for validation.
    """
    found = sorted((hashlib.sha256(path.encode()).digest(), path, text) for path, text in _sources())
    ends = np.cumsum([len(text) for _, _, text in found])
    first = int(np.searchsorted(ends, VALIDATION_SHARE * ends[-1])) if found else 0
    validation, train = (b"\n".join(text for _, _, text in part) for part in (found[:first], found[first:]))
    if min(len(train), len(validation)) < SHORTEST:
        raise ValueError(
            "This Python came without the sources of its standard library: give a text file with the option file."
        )
    total = hashlib.sha256()
    for _, path, text in found:
        total.update(b"%s\0%d\0" % (path.encode(), len(text)))
        total.update(text)
    return train, validation, total.hexdigest()


def _text_file(file: Any) -> tuple[bytes, bytes, str]:
    """Training text, validation text and hash of a file, split at the line boundary before 95 % of it."""
    name = repr(str(file))
    try:
        path = Path(file)
        size = path.stat().st_size
        text = path.read_bytes().replace(b"\r\n", b"\n") if size <= LONGEST else b""
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"The text file {name} cannot be read ({reason}): give the path of a text file.") from error
    if size > LONGEST:
        raise ValueError(f"The text file {name} is larger than 1 GB: give a part of it.")
    try:
        text.decode()
    except UnicodeDecodeError:
        text = b"\0"
    if b"\0" in text:
        raise ValueError(f"The file {name} is not text in UTF-8: give a plain text file.")
    if len(text) < SHORTEST:
        raise ValueError(
            f"The text file {name} has {len(text):,} bytes: a text to learn from has {SHORTEST:,} or more."
        )
    end = int(len(text) * (1 - VALIDATION_SHARE))
    cut = text.rfind(b"\n", int(0.9 * len(text)), end) + 1 or end
    return text[:cut], text[cut:], hashlib.sha256(text).hexdigest()


# --- the tasks ------------------------------------------------------------------------------------


def _cut(name: str, ids: Array, context: int, per_sample: int, samples: int | None) -> tuple[Array, int]:
    """The ids that hold `samples` samples (all of them for None), and how many these are."""
    available = (len(ids) - context) // per_sample
    if samples is None:
        return ids, available
    if whole("samples", samples) > available:
        raise ValueError(f"The task {name!r} has {available:,} training samples here; got samples={samples:,}.")
    return ids[: context + samples * per_sample], samples


def _windows(ids: Array, length: int, number: int, step: int) -> Array:
    """Up to `number` windows of `length` ids, evenly spaced, at least `step` apart; shape (n, length), int32."""
    last = len(ids) - length
    if last < 0:
        raise ValueError(f"The validation text has {len(ids):,} characters, fewer than a window of {length:,}.")
    starts = np.linspace(0, last, min(whole("validation", number), last // step + 1)).astype(np.int64)
    return ids[starts[:, None] + np.arange(length)].astype(np.int32)


def _sampler(length: int, targets: Callable[[Any], tuple[Any, Any]]) -> Callable[[Any, Any, int], tuple[Any, Any]]:
    """A `draw` of windows that start anywhere in the text, each of `length` ids, split by `targets`."""

    def draw(train: Any, seed: Any, batch: int) -> tuple[Any, Any]:
        from keras import ops

        text = train["text"]
        starts = whole_numbers(seed, (batch,), text.shape[0] - length + 1)
        # Position by position, then transposed: XLA shares a gather out over the cores by its first axis.
        windows = ops.transpose(pick(text, np.arange(length, dtype=np.int32)[:, None] + starts))
        return targets(ops.cast(windows, "int32"))

    return draw


def _read(file: Any) -> tuple[bytes, bytes, str]:
    return _standard_library() if file is None else _text_file(file)


@builder("characters")
def characters_task(file: Any = None, samples: int | None = None, window: int = 8, validation: int = 16_384) -> Task:
    """The next character, of 98, from the `window` before it.

    Validation: `validation` windows, evenly spaced over text that is not trained on. `samples` keeps
    the first that many windows of the training text. Raises ValueError for a file that is missing,
    binary, not UTF-8 or too short, and for more samples than there are.
    """
    length = whole("window", window) + 1
    train, held_out, sha256 = _read(file)
    ids, count = _cut("characters", encode(train), window, 1, samples)
    windows = _windows(encode(held_out), length, validation, 1)

    def targets(tokens: Any) -> tuple[Any, Any]:
        return tokens[:, :-1], tokens[:, -1]

    return Task(
        name="characters",
        loss="cross_entropy",
        inputs=(window,),
        outputs=_OTHER + 1,
        vocabulary=_OTHER + 1,
        tokens_per_sample=1,
        train={"text": ids},
        draw=_sampler(length, targets),
        validation=(*targets(windows), None),
        floor=None,
        samples=count,
        sha256=sha256,
    )


@builder("bytes")
def bytes_task(file: Any = None, samples: int | None = None, length: int = 64, validation: int = 512) -> Task:
    """The next byte at every position of a sequence of `length` bytes.

    Validation: `validation` sequences, evenly spaced over text that is not trained on. `samples` keeps
    as much training text as that many sequences hold side by side, so the different targets are
    samples * length; training sequences start at any byte of it. Raises as `characters_task` does.
    """
    whole("length", length)
    train, held_out, sha256 = _read(file)
    text, count = _cut("bytes", np.frombuffer(train, np.uint8), 1, length, samples)
    windows = _windows(np.frombuffer(held_out, np.uint8), length + 1, validation, length)

    def targets(tokens: Any) -> tuple[Any, Any]:
        return tokens[:, :-1], tokens[:, 1:]

    return Task(
        name="bytes",
        loss="cross_entropy",
        inputs=(length,),
        outputs=256,
        vocabulary=256,
        tokens_per_sample=length,
        train={"text": text},
        draw=_sampler(length + 1, targets),
        validation=(*targets(windows), None),
        floor=None,
        samples=count,
        sha256=sha256,
    )
