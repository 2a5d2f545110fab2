"""A sealed process for one submission: bubblewrap around `worker`, and the parent's end of its pipe.

Inside there is a Python with its libraries, read-only, a copy of the course without references, a small /tmp, and
nothing else of the machine: no network, no home, no class folder, no other process, no privilege. As root the
worker's user is a real one without rights (so that a Python below root's own home can be used); else it is a user of
a namespace of its own. Time, memory and processes are watched from outside, and the end of the sandbox is the end of
everything in it. `trust` runs the same worker without the seal.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil

import course
from course.grading import wire

__all__ = ["Limits", "Sandbox", "StoppedError", "lay_out", "problem"]

MAX_LINE = 8_000_000
"""Bytes of a message: a value's most, in base64, and what stands around it."""

CALLBACKS = 200_000
"""Most calls of a function that was handed in, in one request."""

_HERE = Path(__file__).parent
_BESIDE = [
    _HERE / "worker.py",
    _HERE / "wire.py",
    *(_HERE.parent / "exercises" / name for name in ("plain.py", "running.py")),
]
_NOBODY = 64_000
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What a submission may use: memory in GB over all its processes, files in MB, seconds of waiting for it."""

    memory_gb: float = 3.0
    files_mb: int = 64
    processes: int = 256
    seconds: float = 120.0


class StoppedError(Exception):
    """The sandbox is gone. `why` is "time", "memory", "processes", "garbled" or "ended"."""

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(f"{why} {detail}".strip())
        self.why = why


# --- the command ----------------------------------------------------------------------------------


def _site_packages() -> list[str]:
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages")) and os.path.isdir(path)]


def _python() -> str:
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in reversed(Path(path).parents) if str(parent) != "/"]


def _bubblewrap(binds: Sequence[tuple[str, str]], hidden: Sequence[str], files_mb: int, slot: int) -> list[str]:
    """The command line up to the program. `binds` are (outside, inside), read-only; `hidden` folders look empty."""
    command = ["bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--die-with-parent", "--new-session", "--hostname", "grader"]
    root = os.geteuid() == 0
    if not root:
        command += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
        if "--disable-userns" in _help():
            command += ["--disable-userns"]
    command += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = f"/{name}"
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            command += ["--ro-bind", path, path]
    command += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    size = str(files_mb * _MEGABYTE)  # before what follows: the course or its environment may lie in /tmp
    command += ["--perms", "1777", "--size", size, "--tmpfs", "/tmp"]
    made: set[str] = {"/usr", "/tmp"}
    for outside, inside in binds:
        if inside.startswith("/usr/"):
            continue
        for parent in _parents(inside):
            if parent not in made:
                command += ["--perms", "0755", "--dir", parent]
                made.add(parent)
        command += ["--ro-bind", outside, inside]
        made.add(inside)
    for path in hidden:
        command += ["--perms", "0755", "--tmpfs", path, "--remount-ro", path]
    command += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(_MEGABYTE), "--tmpfs", "/dev/shm"]
    command += ["--remount-ro", "/dev", "--chdir", "/tmp", "--remount-ro", "/"]
    if root:
        user = str(_NOBODY + slot)
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        command += ["--cap-add", "CAP_SETPCAP", "setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
        command += ["--no-new-privs", "--bounding-set", "-all", "--inh-caps", "-all", "--ambient-caps", "-all"]
    return command


@cache
def _help() -> str:
    return subprocess.run(["bwrap", "--help"], capture_output=True, text=True, timeout=30, check=False).stdout


@cache
def problem() -> str:
    """One sentence when no sandbox can be had here, else ""."""
    advice = (
        "grade on Linux with bubblewrap (a virtual machine, WSL2 or a container will do), or say --trust to run "
        "the submissions as programs of your own."
    )
    if sys.platform != "linux":
        return f"The sandbox needs Linux: {advice}"
    if shutil.which("bwrap") is None:
        return (
            f"The sandbox needs bubblewrap, which is not installed (Debian, Ubuntu: apt install bubblewrap): {advice}"
        )
    try:
        command = [*_bubblewrap([], [], 1, 0), "/usr/bin/env", "true"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
        said = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    return f"The sandbox cannot be set up here ({said[:200]}): {advice}" if said else ""


_ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "COURSE_HOME": "/tmp",
    "COURSE_STATIC": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}


def lay_out(folder: Path) -> Path:
    """Write the worker, and the modules it uses, into a folder that is made, and return the folder."""
    folder.mkdir(mode=0o755, parents=True)
    for path in _BESIDE:
        shutil.copyfile(path, folder / path.name)
        (folder / path.name).chmod(0o644)
    return folder


# --- the process ----------------------------------------------------------------------------------


@dataclass
class Sandbox:
    """One worker, sealed. `slot` tells those side by side apart.

    `package` is a folder that `package.copy` made, `worker` one of `lay_out`. Raises StoppedError from any request
    after which the sandbox is gone.
    """

    package: Path
    worker: Path
    limits: Limits = field(default_factory=Limits)
    trust: bool = False
    slot: int = 0
    hidden: tuple[Path, ...] = ()
    reached: int = -1
    """The last cell that was read."""

    def __post_init__(self) -> None:
        self._number = 0
        self._looked = 0.0
        self.closed = False
        self._scratch = tempfile.TemporaryDirectory(prefix="course-grade-") if self.trust else None
        sites = _site_packages()
        inner: dict[str, Any] = {"path": [str(self.worker), str(self.package), *sites], "limits": self._rlimits()}
        environment, command, cwd = dict(_ENVIRONMENT), [], "/"
        if self._scratch:
            cwd = self._scratch.name
            for name in ("HOME", "COURSE_HOME", "MPLCONFIGDIR"):
                environment[name] = cwd
            if os.name == "nt":
                environment["SYSTEMROOT"] = os.environ.get("SYSTEMROOT", "")
        else:
            inner["path"] = ["/grader", "/package", *sites]
            binds = [(sys.base_prefix, sys.base_prefix), *((site, site) for site in sites)]
            binds += [(str(self.worker), "/grader"), (str(self.package), "/package")]
            seen = [outside for outside, _ in binds] + ["/usr"]
            hidden = [str(path) for path in (Path(course.__file__).parent, *self.hidden)]
            hidden = [path for path in hidden if any(Path(path).is_relative_to(root) for root in seen)]
            command = _bubblewrap(binds, hidden, self.limits.files_mb, self.slot)
        worker = f"{inner['path'][0]}/worker.py"
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        try:
            self._process = subprocess.Popen(
                [*command, _python(), "-I", "-S", "-B", worker, json.dumps(inner)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise StoppedError("ended", str(error)) from None
        assert self._process.stdin and self._process.stdout
        if os.name == "posix":
            os.set_blocking(self._process.stdin.fileno(), False)
        self._lines: queue.Queue[bytes | None] = queue.Queue(maxsize=2)
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        self._receive(time.monotonic() + 180, "ready", None)

    def _rlimits(self) -> dict[str, int]:
        processes = self.limits.processes
        if self.trust or os.geteuid() != 0:
            processes += 2000  # the limit counts every process of the user's, so it can be a backstop only
        return {
            "DATA": int(self.limits.memory_gb * 1e9),
            "FSIZE": self.limits.files_mb * _MEGABYTE,
            "NOFILE": 512,
            "NPROC": processes,
            "CORE": 0,
            "CPU": int(4 * self.limits.seconds) + 60,
        }

    def _read(self, pipe: Any) -> None:
        line: bytes | None = b""
        while line is not None and not self.closed:
            try:
                line = pipe.readline(MAX_LINE) or None
            except (OSError, ValueError):
                line = None
            while not self.closed:
                with contextlib.suppress(queue.Full):
                    self._lines.put(line, timeout=0.5)
                    break
        pipe.close()

    def _look(self) -> None:
        """Stop the sandbox when its processes together use too much."""
        now = time.monotonic()
        if now - self._looked < 0.15:
            return
        self._looked = now
        try:
            processes = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.Error:
            return
        memory = 0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
        if memory > self.limits.memory_gb * 1e9:
            raise self._stopped("memory")
        if len(processes) > self.limits.processes:
            raise self._stopped("processes")

    def _stopped(self, why: str, detail: str = "") -> StoppedError:
        self.close()
        return StoppedError(why, detail)

    def _write(self, data: bytes, end: float) -> None:
        assert self._process.stdin
        view = memoryview(data)
        while view:
            try:
                written = os.write(self._process.stdin.fileno(), view)
                view = view[written:]
            except BlockingIOError:
                if time.monotonic() > end:
                    raise self._stopped("time") from None
                self._look()
                time.sleep(0.002)
            except (OSError, ValueError):
                raise self._stopped("ended") from None

    def _receive(self, end: float, last: str, function: Callable[[int, Any], Any] | None) -> dict[str, Any]:
        """The message that has the key `last`, answering questions on the way."""
        questions = 0
        while True:
            self._look()
            try:
                line = self._lines.get(timeout=min(0.15, max(0.001, end - time.monotonic())))
            except queue.Empty:
                if time.monotonic() > end:
                    raise self._stopped("time") from None
                continue
            if line is None:
                self._errors.seek(0)
                said = self._errors.read(2000).decode("utf-8", "replace").strip().splitlines()
                raise self._stopped("ended", said[-1][:300] if said else "")
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                message = None
            if not isinstance(message, dict) or message.get("re") != (self._number or None):
                raise self._stopped("garbled")
            if last in message:
                return message
            if isinstance(message.get("cell"), int):
                self.reached = message["cell"]
            elif function is not None and isinstance(message.get("ask"), int) and questions < CALLBACKS:
                questions += 1
                self._write(self._answer(function, message), end)
            else:
                raise self._stopped("garbled")
            if time.monotonic() > end:
                raise self._stopped("time")

    @staticmethod
    def _answer(function: Callable[[int, Any], Any], message: dict[str, Any]) -> bytes:
        try:
            arguments = wire.decode(message.get("args"))
            answer: dict[str, Any] = {"answer": wire.encode(function(message["ask"], arguments))}
        except Exception as error:  # trusted code on arguments that it was not made for
            answer = {"error": f"{type(error).__name__} in the function that was handed in."}
        return json.dumps(answer).encode() + b"\n"

    def request(
        self, do: str, last: str, seconds: float, function: Callable[[int, Any], Any] | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Ask the worker to `do` something and return its last message, which has the key `last`.

        `function(number, arguments)` answers the worker's questions. Raises StoppedError after `seconds`.
        """
        self._number += 1
        end = time.monotonic() + seconds
        data = json.dumps({"number": self._number, "do": do, **fields}).encode() + b"\n"
        self._write(data, end)
        return self._receive(end, last, function)

    def close(self) -> None:
        """End the sandbox and everything in it."""
        self.closed = True
        if self._process.poll() is None:
            with contextlib.suppress(OSError):
                if self._scratch and os.name == "posix":
                    os.killpg(self._process.pid, 9)
                self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=30)
        assert self._process.stdin
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close()
        self._errors.close()
        if self._scratch:
            with contextlib.suppress(OSError):
                self._scratch.cleanup()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
