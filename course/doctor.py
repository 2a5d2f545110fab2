"""Can the lessons run on this machine? A line each: OK, or what to do.

`checks()` is what `course doctor` prints as it goes; `report()` shows the same as a table in a notebook
(lesson 5.1). Like `course.machine`, it loads under old Pythons too, so that it can say which is needed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course import machine
from course.machine import CannotRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Check", "Report", "checks", "ready", "report", "tensorflow_facts", "verdict_line"]


# --- what TensorFlow has to say, asked without risk -----------------------------------------------


def tensorflow_facts(seconds: float = 1.0) -> dict[str, Any]:
    """Versions, GPUs and the matrix-product rate, measured for about `seconds`.

    Where TensorFlow is not yet imported, a second Python is asked, so that a TensorFlow that crashes
    takes nobody with it. Raises CannotRunError.
    """
    if "tensorflow" in sys.modules:
        return _facts(seconds)
    if problem := machine.tensorflow_problem():
        raise CannotRunError(problem)
    return _ask(seconds)


def _facts(seconds: float) -> dict[str, Any]:
    tf = machine.import_tensorflow(show=False)
    with machine.quiet(show=False):
        return {
            "tensorflow": tf.__version__,
            "keras": tf.keras.__version__,
            "gpus": machine.gpus(),
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "rate": asdict(machine.matrix_product_rate(1024, seconds)),
        }


_CHILD = """
import json
from course import doctor, machine
try:
    found = doctor._facts({seconds})
except machine.CannotRunError as error:
    found = {{"problem": str(error)}}
print(json.dumps(found))
"""


def _ask(seconds: float, patience: float = 180.0) -> dict[str, Any]:
    """`_facts` of a fresh Python with the same search path."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD.format(seconds=seconds)],
            capture_output=True,
            text=True,
            timeout=patience,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotRunError(
            f"TensorFlow was not ready after {patience:.0f} s: look for a program that keeps the processor or the disk "
            "busy, and try again."
        ) from None
    except OSError as error:
        raise CannotRunError(
            f"A second Python could not be started to try TensorFlow ({machine.said(error)})."
        ) from None
    try:
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise CannotRunError(_crash(done.returncode)) from None
    if "problem" in found:
        raise CannotRunError(found["problem"])
    return found


def _crash(code: int) -> str:
    mend = "reinstall it with `pip install --force-reinstall tensorflow`."
    if code >= 0:
        return f"TensorFlow ends Python (exit status {code}) when it is imported: {mend}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGILL":
        return (
            "TensorFlow crashes on this processor (SIGILL): its builds need the AVX instructions, so use another "
            "machine or Colab."
        )
    if name == "SIGKILL":
        return "TensorFlow was killed while it was imported (SIGKILL), mostly for want of memory: close other programs."
    return f"TensorFlow crashes Python ({name}) when it is imported: {mend}"


# --- the doctor -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """One line of the doctor. `needed`: the lessons cannot run unless it is `ok`. `where` is a path, if it has one."""

    name: str
    ok: bool
    text: str
    advice: str = ""
    needed: bool = True
    where: str = ""

    def line(self, where: bool = True) -> str:
        """The check as one line: OK or !!, what was found (and where), and what to do."""
        told = f"{self.text} in {self.where}" if where and self.where else self.text
        return f"{'OK' if self.ok else '!!'}  {self.name:<11} {told}" + (f". {self.advice}" if self.advice else "")


GIB = 2**30
MEMORY = 2.0
"""GiB that a lesson may take."""
DISK = 0.5
"""GiB that should be free, for notebooks, caches and progress."""
SLOW = 20.0
"""GFLOP/s below which lessons take far longer than they say."""


def check_python() -> Check:
    """Whether this Python is one of those the lessons run on."""
    problem = machine.python_problem()
    system = f"{platform.system()} {platform.machine()}".replace("Darwin", "macOS")
    text = f"{platform.python_version()} on {system}"
    return Check("Python", not problem, text, problem)


def check_packages(required: Sequence[str] | None = None) -> Check:
    """Whether the libraries that the package declares are installed, and new enough."""
    try:
        right, wrong = machine.packages(required)
    except metadata.PackageNotFoundError:
        advice = "The package is not installed in this Python: run `make lab`, or `pip install -e .` in its folder."
        return Check("Packages", False, "scaling-laws-course is not installed", advice)
    if wrong:
        return Check("Packages", False, ", ".join(wrong.values()), "Run `make lab` again, or `pip install -e .`.")
    return Check("Packages", True, ", ".join(right[:4]) + (f" and {len(right) - 4} more" if len(right) > 4 else ""))


def check_tensorflow(facts: Mapping[str, Any] | CannotRunError) -> Check:
    """Whether TensorFlow and Keras work; `facts` from `tensorflow_facts`, or the problem it raised."""
    if isinstance(facts, CannotRunError):
        return Check("TensorFlow", False, "not usable", str(facts))
    return Check("TensorFlow", True, f"{facts['tensorflow']} with Keras {facts['keras']}")


def check_gpu(gpus: Sequence[str]) -> Check:
    """Which GPUs TensorFlow sees; none is fine."""
    if gpus:
        return Check("GPU", True, ", ".join(gpus), needed=False)
    text = "none: the lessons run on the CPU"
    if platform.system() == "Linux" and Path("/proc/driver/nvidia/version").exists():
        advice = "There is an NVIDIA driver; to use its GPU: `pip install 'tensorflow[and-cuda]'`."
        return Check("GPU", True, text, advice, needed=False)
    return Check("GPU", True, text, needed=False)


def _memory_limit() -> float:
    """Bytes that the process's container may use; infinite where there is no limit."""
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return float(Path(name).read_text())
    return float("inf")


def memory() -> tuple[float, float]:
    """Total and available memory in GiB."""
    import psutil

    found = psutil.virtual_memory()
    limit = _memory_limit()
    return min(found.total, limit) / GIB, min(found.available, limit) / GIB


def check_memory() -> Check:
    """Whether there is room for a lesson."""
    total, available = memory()
    text = f"{available:.1f} GiB available of {total:.1f} GiB"
    if total < MEMORY:
        return Check("Memory", False, text, f"A lesson may take {MEMORY:.0f} GiB: use a larger machine, or Colab.")
    if available < MEMORY:
        return Check("Memory", False, text, f"A lesson may take {MEMORY:.0f} GiB: close other programs and notebooks.")
    return Check("Memory", True, text)


def check_disk(folder: Path | None = None) -> Check:
    """Whether the disk that the course lives on has room."""
    where = Path(__file__).resolve().parent.parent if folder is None else folder
    free = shutil.disk_usage(where).free / GIB
    advice = "" if free >= DISK else f"Free some: Jupyter and TensorFlow need {DISK:g} GiB to be safe."
    return Check("Disk", free >= DISK, f"{free:.1f} GiB free", advice, needed=False)


def cores() -> float:
    """Cores that this process may use: those it is allowed to run on, less where a container has a quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, int(quota) / int(period))
    return count


def check_threads(tensorflow_threads: int = 0) -> Check:
    """How many cores and threads there are to work with. Always fine."""
    count = cores()
    text = f"{count:g} core{'' if count == 1 else 's'} available"
    text += f", TensorFlow limited to {tensorflow_threads}" if tensorflow_threads else ", TensorFlow uses all"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name):
            text += f", {name}={os.environ[name]}"
    return Check("Threads", True, text, needed=False)


def check_rate(rate: machine.Measurement) -> Check:
    """How fast the machine multiplies matrices."""
    text = f"{rate.median:.3g} GFLOP/s in float32 matrix products of size 1024, median of {rate.repeats}"
    if rate.median >= SLOW:
        return Check("Speed", True, text, needed=False)
    advice = "That is slow, and lessons take longer than they say: close other programs, or use Colab."
    return Check("Speed", False, text, advice, needed=False)


def check_jupyter() -> Check:
    """Whether a notebook's kernel is there, and is a Python that has this package."""
    if importlib.util.find_spec("ipykernel") is None:
        advice = "Run `make lab`, or `pip install -e '.[lab]'`."
        return Check("Jupyter", False, "ipykernel is not installed, so no notebook can use this Python", advice)
    if "ipykernel" in sys.modules:
        return Check("Jupyter", True, "this kernel has the package")
    program = kernel_program()
    if not program or not Path(program).is_absolute() or _same_file(program, sys.executable):
        lab = " with JupyterLab" if importlib.util.find_spec("jupyterlab") else ""
        return Check("Jupyter", True, f"the Python 3 kernel{lab} has the package")
    try:
        done = subprocess.run(
            [program, "-c", "import course"], capture_output=True, timeout=60, check=False, cwd=tempfile.gettempdir()
        )
        has = done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        has = False
    if has:
        return Check("Jupyter", True, "the Python 3 kernel has the package")
    advice = "Run `python -m ipykernel install --prefix .venv --name python3` with this Python, or start `make lab`."
    return Check("Jupyter", False, f"the Python 3 kernel is another Python, without the package: {program}", advice)


def _same_file(one: str, other: str) -> bool:
    """Whether two programs are one and the same; a link into another environment is not."""
    return os.path.abspath(one) == os.path.abspath(other) or Path(one).parent == Path(other).parent


def kernel_program() -> str:
    """The program that Jupyter starts for the kernel `python3`, "" when that cannot be found out."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager

        return str(KernelSpecManager().get_kernel_spec("python3").argv[0])
    except (ImportError, KeyError, ValueError, OSError, IndexError):  # nothing to compare with
        return ""


def check_progress() -> Check:
    """Whether exercises passed can be remembered."""
    from course.exercises import progress

    problem = machine.progress_problem()
    if problem:
        return Check("Progress", False, "not saved", problem, needed=False)
    return Check("Progress", True, "saved", where=str(progress.folder()), needed=False)


def _guarded(name: str, look: Callable[[], Check], needed: bool = True) -> Check:
    """A check that fails with a sentence where looking itself fails."""
    try:
        return look()
    except Exception as error:  # whatever is wrong with this machine is a line, not a crash
        return Check(
            name, False, f"could not be checked ({machine.said(error)})", "Run `make lab` again.", needed=needed
        )


def checks(seconds: float = 1.0) -> Iterator[Check]:
    """Every check, one at a time as it is done; the speed is measured for about `seconds`.

    With a wrong Python the others are left out: they would fail for that reason only.
    """
    python = check_python()
    yield python
    if not python.ok:
        return
    yield _guarded("Packages", check_packages)
    facts: dict[str, Any] | CannotRunError
    try:
        facts = tensorflow_facts(seconds)
    except CannotRunError as error:
        facts = error
    except Exception as error:
        facts = CannotRunError(f"TensorFlow does not work ({machine.said(error)}): reinstall it.")
    yield check_tensorflow(facts)
    if not isinstance(facts, CannotRunError):
        yield check_gpu(facts["gpus"])
    yield _guarded("Memory", check_memory)
    yield _guarded("Disk", check_disk, needed=False)
    yield check_threads(0 if isinstance(facts, CannotRunError) else facts["threads"])
    if not isinstance(facts, CannotRunError):
        yield check_rate(machine.Measurement(**facts["rate"]))
    yield _guarded("Jupyter", check_jupyter)
    yield _guarded("Progress", check_progress, needed=False)


def verdict_line(found: Sequence[Check]) -> str:
    """One sentence that sums the checks up."""
    if all(check.ok for check in found):
        return "The lessons can run on this machine."
    if ready(found):
        return "The lessons can run on this machine; the lines marked !! say what could be better."
    return "The lessons cannot run yet: mend the lines marked !!, then run `course doctor` again."


def ready(found: Sequence[Check]) -> bool:
    """Whether nothing that the lessons need is missing."""
    return all(check.ok for check in found if check.needed)


@dataclass(frozen=True)
class Report:
    """All checks; shows itself as a table in a notebook and as lines elsewhere, without where files are kept."""

    checks: tuple[Check, ...]

    @property
    def ready(self) -> bool:
        """Whether the lessons can run."""
        return ready(self.checks)

    def __str__(self) -> str:
        return "\n".join([*(check.line(where=False) for check in self.checks), verdict_line(self.checks)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        import html

        rows = "".join(
            f'<tr><td style="color:{"#00734F" if check.ok else "#B34700"};font-weight:bold">'
            f"{'OK' if check.ok else '!!'}</td>"
            f'<td style="text-align:left;font-weight:bold">{html.escape(check.name)}</td>'
            f'<td style="text-align:left">{html.escape(check.text)}'
            + (f"<br>{html.escape(check.advice)}" if check.advice else "")
            + "</td></tr>"
            for check in self.checks
        )
        return f"<table>{rows}</table><p>{html.escape(verdict_line(self.checks))}</p>"


def report(seconds: float = 0.5) -> Report:
    """What `course doctor` finds, as a table for a notebook. The speed is measured for about `seconds`."""
    return Report(tuple(checks(seconds)))
