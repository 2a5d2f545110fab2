"""Ctrl-C: heard wherever it lands, or held back while something must not be cut in two.

Both functions are for Python's main thread, which is the one that Ctrl-C reaches; in another they do nothing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["heard", "held"]


@contextmanager
def heard() -> Iterator[Callable[[], None]]:
    """Turn Ctrl-C in the block into a KeyboardInterrupt, whatever the library at work makes of it.

    Python raises KeyboardInterrupt at the instruction under way. A compiled library may be at work there, which hands it on
    as an error of its own (NumPy: "returned a result with an exception set") or drops it. The first is mended here; for
    the second, call what the block is given where stopping is safe: it raises KeyboardInterrupt when Ctrl-C came before.
    """
    came: list[int] = []

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield check
        return

    def note(number: int, frame: object) -> None:
        came.append(number)
        before(number, frame)  # type: ignore[arg-type]

    signal.signal(signal.SIGINT, note)
    try:
        yield check
    except Exception:
        check()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def held() -> Iterator[None]:
    """Start processes in here: Ctrl-C in the terminal never reaches them, and the parent only when all are started.

    A signal that is blocked in one thread may be taken by another, so this one's handler waits as well: a
    start that is cut in two leaves a process that waits for its orders and dies with a traceback.
    """
    blockable = hasattr(signal, "pthread_sigmask")  # not on Windows
    came: list[int] = []
    handler = None
    if threading.current_thread() is threading.main_thread():
        handler = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blockable else None
    try:
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)
