"""The machine that a lesson runs on: is everything there, how fast is it, and a quiet TensorFlow.

`begin("4.1")` is the first call of every lesson. `checks()` is what `course doctor` prints. The
functions that measure (`matrix_product_rate`, `copy_bandwidth`, `operation_overhead`) are those of
lesson 5.1, which explains what they count. This module must load under old Pythons too, so that it
can say which one is needed: at its top it imports the standard library only.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "CannotRunError",
    "Check",
    "Measurement",
    "Report",
    "begin",
    "checks",
    "copy_bandwidth",
    "days_needed",
    "doctor",
    "duration",
    "gflops_per_second",
    "matrix_product_flops",
    "matrix_product_rate",
    "matrix_product_seconds",
    "operation_overhead",
    "quiet",
    "small_training_seconds",
    "tensorflow_facts",
]

PYTHONS = ((3, 11), (3, 13))
"""The first and the last Python that the lessons are tested with."""

TENSORFLOW = (2, 16)
"""The oldest TensorFlow: the first that comes with Keras 3."""


class CannotRunError(RuntimeError):
    """The lesson cannot run here; the message is one sentence that says what to do.

    In a notebook it shows as that sentence alone, without the lines that led to it.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"This lesson cannot run yet. {self}"]


# --- a quiet TensorFlow ---------------------------------------------------------------------------


@contextlib.contextmanager
def quiet(show: bool = True) -> Iterator[None]:
    """Keep away what is written to standard error inside, by Python or by C++.

    TensorFlow writes its start-up messages to file descriptor 2 from C++, whatever the log level, and
    a notebook copies them into the page. When an exception leaves the block, what was written is
    shown after all, unless `show` is False.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # no standard error at all: nothing to keep away
        yield
        return
    with tempfile.TemporaryFile() as file, contextlib.ExitStack() as stack:
        stack.callback(os.close, kept)
        os.dup2(file.fileno(), 2)
        text = stack.enter_context(open(os.dup(2), "w", encoding="utf-8", errors="replace"))
        failed = True
        try:
            with contextlib.redirect_stderr(text):
                yield
            failed = False
        finally:
            with contextlib.suppress(OSError, ValueError):
                text.flush()
            os.dup2(kept, 2)
            if failed and show:
                file.seek(0)
                sys.stderr.write(file.read().decode("utf-8", "replace"))


def _version(text: str) -> tuple[int, ...]:
    """Leading numbers of a version: (2, 16, 1) for "2.16.1rc0"."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def _said(error: BaseException) -> str:
    """The first line of an exception, for a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200].rstrip('.')}" if lines else type(error).__name__


def python_problem(version: tuple[int, ...] | None = None) -> str:
    """One sentence when this Python is not one of those the lessons run on, else ""."""
    found = tuple(sys.version_info[:2]) if version is None else tuple(version[:2])
    first, last = PYTHONS
    if first <= found <= last:
        return ""
    wanted = f"{first[0]}.{first[1]} to {last[0]}.{last[1]}"
    age = "old" if found < first else "new"
    return (
        f"Python {found[0]}.{found[1]} is too {age}: install Python {wanted}, "
        "delete the folder .venv, and run `make lab` again."
    )


def tensorflow_problem() -> str:
    """One sentence when TensorFlow is missing or too old, else "". Does not import it."""
    if "tensorflow" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
        return "TensorFlow is not installed in this Python: run `make lab`, or `pip install tensorflow`."
    for name in ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tf-nightly"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found = metadata.version(name)
            return "" if _version(found) >= TENSORFLOW else _too_old(found)
    return ""


def _too_old(found: str) -> str:
    wanted = ".".join(map(str, TENSORFLOW))
    return f"TensorFlow {found} is too old: the lessons need {wanted} or newer; `pip install -U tensorflow` brings it."


def import_tensorflow(show: bool = True) -> Any:
    """Import TensorFlow and make it do its first work, without a word on the page. Returns the module.

    What TensorFlow says once in its life (devices found, compiler started) is said in here, so that
    the first operation, gradient and compiled function of a lesson are silent. Raises CannotRunError.
    """
    if problem := tensorflow_problem():
        raise CannotRunError(problem)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # two open notebooks share one GPU
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
    try:
        with quiet(show):
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
            tf.config.list_logical_devices()
            compiled = tf.function(_first_work, jit_compile=True, autograph=False)
            with tf.GradientTape() as tape:
                x = tf.Variable([[1.0]])
                y = compiled(x)
            tape.gradient(y, x)
    except (Exception, SystemExit) as error:
        raise CannotRunError(
            f"TensorFlow is installed but does not work ({_said(error)}): "
            "reinstall it with `pip install --force-reinstall tensorflow`."
        ) from error
    if _version(tf.__version__) < TENSORFLOW:
        raise CannotRunError(_too_old(tf.__version__))
    return tf


def _first_work(x: Any) -> Any:
    return x @ x + 1.0


# --- the first call of a lesson -------------------------------------------------------------------


def progress_problem() -> str:
    """One sentence when progress cannot be saved, else "". Tries it with a file of its own."""
    from course.exercises import progress

    folder = progress.folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".tmp"):
            return ""
    except OSError as error:
        return (
            f"Progress cannot be saved in {folder} ({error.strerror or error}), so it is kept until the kernel stops: "
            "set COURSE_HOME to a folder you can write to."
        )


def begin(lesson: str) -> None:
    """Make this notebook ready for a lesson, given by number ("4.1") or name: figures, TensorFlow, progress.

    Prints nothing, except one sentence when progress cannot be saved. Raises CannotRunError, with one
    sentence on what to do, when Python or TensorFlow is missing, too old or broken, and ValueError
    for a lesson there is none of.
    """
    if problem := python_problem():
        raise CannotRunError(problem)
    from course import lessons

    uses_tensorflow = lessons.find(lesson).tensorflow
    try:
        with quiet():  # the first import of matplotlib on a machine says that it looks for fonts
            from course import plots

            plots.style()
    except ImportError as error:
        raise CannotRunError(f"A library of the course is missing ({_said(error)}): run `make lab` again.") from error
    if uses_tensorflow:
        import_tensorflow()
    if problem := progress_problem():
        print(problem)


# --- counting and measuring -----------------------------------------------------------------------


def matrix_product_flops(m: int, k: int, n: int) -> int:
    """FLOPs of an (m, k) by (k, n) matrix product: 2 m k n.

    Each of the m n results is a sum of k products: k multiplications and k additions, the first onto
    zero, which is the usual convention. Derived in lesson 5.1.
    """
    return 2 * m * k * n


def gflops_per_second(n: int, seconds: float) -> float:
    """Rate in GFLOP/s (1e9 FLOPs a second) of an n by n matrix product that took `seconds`. Lesson 5.1.

    Raises ValueError when `seconds` is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"A product takes more than 0 seconds; got {seconds!r}: pass the measured time in seconds.")
    return matrix_product_flops(n, n, n) / seconds / 1e9


def days_needed(flops: float, gflops: float) -> float:
    """Days that a machine working at `gflops` GFLOP/s without a pause needs for `flops` FLOPs. Lesson 5.1.

    Raises ValueError when the rate is not positive.
    """
    if not gflops > 0:
        raise ValueError(f"A rate is more than 0 GFLOP/s; got {gflops!r}: measure it with `matrix_product_rate`.")
    return flops / (gflops * 1e9) / 86_400


@dataclass(frozen=True)
class Measurement:
    """A quantity measured `repeats` times: the median, and the quartiles `low` and `high`."""

    median: float
    low: float
    high: float
    unit: str
    repeats: int

    def __str__(self) -> str:
        return (
            f"{self.median:.3g} {self.unit} (middle half of {self.repeats} repeats: {self.low:.3g} to {self.high:.3g})"
        )


def _quartiles(values: Sequence[float], unit: str) -> Measurement:
    import numpy as np

    low, median, high = np.percentile(values, [25, 50, 75])
    return Measurement(float(median), float(low), float(high), unit, len(values))


def _times(work: Callable[[], Any], seconds: float, at_least: int = 5) -> list[float]:
    """Times in seconds of repeated calls, for about `seconds` in all and at least `at_least` of them."""
    work()  # the first call pays for what is made once
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < at_least or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def _finish(tf: Any) -> Callable[[], Any]:
    """A function that waits until the GPU has done its work; on the CPU an operation waits by itself."""
    return tf.test.experimental.sync_devices if tf.config.list_physical_devices("GPU") else lambda: None


def _product_times(size: int, seconds: float, dtype: str) -> list[float]:
    if isinstance(size, bool) or int(size) != size or size < 1:
        raise ValueError(f"A matrix has a whole number of rows, 1 or more; got size={size!r}.")
    tf = import_tensorflow()
    a = tf.cast(tf.random.stateless_normal((int(size), int(size)), seed=(5, 1)), dtype)
    b = tf.cast(tf.random.stateless_normal((int(size), int(size)), seed=(5, 2)), dtype)
    finish = _finish(tf)

    def work() -> None:
        tf.matmul(a, b)
        finish()

    return _times(work, seconds)


def matrix_product_seconds(size: int, seconds: float = 0.3, dtype: str = "float32") -> Measurement:
    """Time in s of one `size` by `size` matrix product in TensorFlow, on the GPU where there is one.

    Repeats it for about `seconds` (five times at least). Raises ValueError for a size below 1 and
    CannotRunError without TensorFlow. Lesson 5.1.
    """
    return _quartiles(_product_times(size, seconds, dtype), "s")


def matrix_product_rate(size: int = 1024, seconds: float = 0.5, dtype: str = "float32") -> Measurement:
    """Rate in GFLOP/s of a `size` by `size` matrix product, 2 size^3 FLOPs each; see `matrix_product_seconds`."""
    return _quartiles([gflops_per_second(size, each) for each in _product_times(size, seconds, dtype)], "GFLOP/s")


def copy_bandwidth(megabytes: int = 128, seconds: float = 0.4) -> Measurement:
    """Memory bandwidth in GB/s (1e9 bytes a second) of one thread copying an array: bytes read plus bytes written.

    The array should be far larger than the processor's caches. Raises ValueError below 1 MB. Lesson 5.1.
    """
    import numpy as np

    if megabytes < 1:
        raise ValueError(f"Copy at least 1 MB; got megabytes={megabytes!r}.")
    source = np.ones(int(megabytes * 1e6) // 4, dtype=np.float32)
    target = np.empty_like(source)
    times = _times(lambda: np.copyto(target, source), seconds)
    return _quartiles([2 * source.nbytes / each / 1e9 for each in times], "GB/s")


def operation_overhead(seconds: float = 0.2) -> Measurement:
    """Time in microseconds of a TensorFlow operation that computes next to nothing: adding two numbers. Lesson 5.1."""
    tf = import_tensorflow()
    one, finish = tf.constant(1.0), _finish(tf)

    def work() -> None:
        tf.add(one, one)
        finish()

    return _quartiles([each * 1e6 for each in _times(work, seconds)], "µs")


def small_training_seconds(steps: int = 100, repeats: int = 6, device: str = "CPU") -> list[float]:
    """Seconds that a training loop like the article's takes on `device`, once for each repeat.

    1,000 samples of 10 features, a linear classifier, `steps` steps of Adam with GradientTape, each
    loss fetched (article, section 5.2, with its dtypes and shapes mended; lesson 5.2 takes it apart).
    One repeat before the first pays for what is made once. Used by lesson 5.1 for claim 5.1.
    """
    import numpy as np

    tf = import_tensorflow()
    rng = np.random.default_rng(42)
    with tf.device(device):
        X = tf.constant(rng.random((1000, 10)), tf.float32)
        y = tf.constant(rng.integers(0, 2, (1000, 1)), tf.float32)

        def train() -> float:
            w, b = tf.Variable(tf.random.stateless_normal([10, 1], seed=(5, 1))), tf.Variable(tf.zeros([1]))
            optimizer = tf.keras.optimizers.Adam(learning_rate=0.01)
            start = time.perf_counter()
            for _ in range(steps):
                with tf.GradientTape() as tape:
                    logits = tf.matmul(X, w) + b
                    loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))
                optimizer.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b], strict=True))
                loss.numpy()
            return time.perf_counter() - start

        train()
        return [train() for _ in range(repeats)]


_UNITS = (
    ("years", 365.25 * 86_400),
    ("days", 86_400),
    ("hours", 3600),
    ("minutes", 60),
    ("s", 1),
    ("ms", 1e-3),
    ("µs", 1e-6),
)


def duration(seconds: float) -> str:
    """A time in the unit that suits it: "2.6 days", "340 ms", "71 years"."""
    for unit, length in _UNITS:
        if seconds >= length:
            number = seconds / length
            return f"{number:,.0f} {unit}" if number >= 9.95 else f"{number:.2g} {unit}"
    return f"{seconds * 1e9:.2g} ns"


# --- what TensorFlow has to say, asked without risk -----------------------------------------------


def tensorflow_facts(seconds: float = 1.0) -> dict[str, Any]:
    """Versions, GPUs and the matrix-product rate, measured for about `seconds`.

    Where TensorFlow is not yet imported, a second Python is asked, so that a TensorFlow that crashes
    takes nobody with it. Raises CannotRunError.
    """
    if "tensorflow" in sys.modules:
        return _facts(seconds)
    if problem := tensorflow_problem():
        raise CannotRunError(problem)
    return _ask(seconds)


def _facts(seconds: float) -> dict[str, Any]:
    tf = import_tensorflow(show=False)
    with quiet(show=False):
        gpus = [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tf.config.list_physical_devices("GPU")
        ]
        return {
            "tensorflow": tf.__version__,
            "keras": tf.keras.__version__,
            "gpus": gpus,
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "rate": asdict(matrix_product_rate(1024, seconds)),
        }


_CHILD = """
import json
from course import machine
try:
    found = machine._facts({seconds})
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
        raise CannotRunError(f"A second Python could not be started to try TensorFlow ({_said(error)}).") from None
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
    problem = python_problem()
    system = f"{platform.system()} {platform.machine()}".replace("Darwin", "macOS")
    text = f"{platform.python_version()} on {system}"
    return Check("Python", not problem, text, problem)


def check_packages(required: Sequence[str] | None = None) -> Check:
    """Whether the libraries that the package declares are installed, and new enough."""
    if required is None:
        try:
            required = metadata.requires("scaling-laws-course") or []
        except metadata.PackageNotFoundError:
            required = []
            advice = "The package is not installed in this Python: run `make lab`, or `pip install -e .` in its folder."
            return Check("Packages", False, "scaling-laws-course is not installed", advice)
    wrong, right = [], []
    for line in required:
        name, _, bound = line.partition(";")[0].partition(">=")
        name, bound = name.strip(), bound.strip()
        if "extra ==" in line or name == "tensorflow":  # TensorFlow has a line of its own
            continue
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        if _version(found) < _version(bound):
            wrong.append(f"{name} {found} is older than {bound}")
        else:
            right.append(f"{name} {found}")
    if wrong:
        return Check("Packages", False, ", ".join(wrong), "Run `make lab` again, or `pip install -e .`.")
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


def check_rate(rate: Measurement) -> Check:
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

    problem = progress_problem()
    if problem:
        return Check("Progress", False, "not saved", problem, needed=False)
    return Check("Progress", True, "saved", where=str(progress.folder()), needed=False)


def _guarded(name: str, look: Callable[[], Check], needed: bool = True) -> Check:
    """A check that fails with a sentence where looking itself fails."""
    try:
        return look()
    except Exception as error:  # whatever is wrong with this machine is a line, not a crash
        return Check(name, False, f"could not be checked ({_said(error)})", "Run `make lab` again.", needed=needed)


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
        facts = CannotRunError(f"TensorFlow does not work ({_said(error)}): reinstall it.")
    yield check_tensorflow(facts)
    if not isinstance(facts, CannotRunError):
        yield check_gpu(facts["gpus"])
    yield _guarded("Memory", check_memory)
    yield _guarded("Disk", check_disk, needed=False)
    yield check_threads(0 if isinstance(facts, CannotRunError) else facts["threads"])
    if not isinstance(facts, CannotRunError):
        yield check_rate(Measurement(**facts["rate"]))
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


def doctor(seconds: float = 0.5) -> Report:
    """What `course doctor` finds, as a table for a notebook. The speed is measured for about `seconds`."""
    return Report(tuple(checks(seconds)))
