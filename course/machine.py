"""The machine that a lesson runs on: a quiet start, and how fast it is.

`begin("4.1")` is the first call of every lesson. The functions that measure (`matrix_product_rate`,
`copy_bandwidth`, `operation_overhead`) are those of lesson 5.1, which explains what they count. This
module must load under old Pythons too, so that it can say which one is needed: at its top it imports
the standard library only.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "BACKENDS",
    "CannotRunError",
    "Measurement",
    "backend",
    "begin",
    "compute_capability",
    "copy_bandwidth",
    "days_needed",
    "duration",
    "gflops_per_second",
    "gpus",
    "import_backend",
    "matrix_product_flops",
    "matrix_product_rate",
    "matrix_product_seconds",
    "operation_overhead",
    "quiet",
    "small_training_seconds",
    "threads",
]

PYTHONS = ((3, 11), (3, 13))
"""The first and the last Python that the lessons are tested with."""

TENSORFLOW = (2, 16)
"""The oldest TensorFlow: the first that comes with Keras 3."""

BACKENDS = ("tensorflow", "jax")
"""The libraries that the engine trains with; a process has one of them, because Keras has."""

JAX = (0, 4, 30)
"""The oldest JAX."""


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


def numbers_of(text: str) -> tuple[int, ...]:
    """Leading numbers of a version: (2, 16, 1) for "2.16.1rc0"."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def said(error: BaseException) -> str:
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
            return "" if numbers_of(found) >= TENSORFLOW else _too_old(found)
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
            f"TensorFlow is installed but does not work ({said(error)}): "
            "reinstall it with `pip install --force-reinstall tensorflow`."
        ) from error
    if numbers_of(tf.__version__) < TENSORFLOW:
        raise CannotRunError(_too_old(tf.__version__))
    return tf


def _first_work(x: Any) -> Any:
    return x @ x + 1.0


# --- the library that trains ----------------------------------------------------------------------


def backend(asked: str | None = None) -> str:
    """The library that trains in this process, "tensorflow" or "jax". Imports neither.

    Keras fixes it when it is imported. Before that it is `asked`, else what KERAS_BACKEND names, else
    TensorFlow. Raises ValueError for a name that is neither, CannotRunError where Keras runs on
    something else already.
    """
    if asked is not None and asked not in BACKENDS:
        raise ValueError(f"backend is {' or '.join(map(repr, BACKENDS))}; got {asked!r}.")
    if "keras" not in sys.modules:
        named = asked or os.environ.get("KERAS_BACKEND", "").lower()
        return named if named in BACKENDS else BACKENDS[0]
    fixed: str = sys.modules["keras"].config.backend()
    if fixed not in ((asked,) if asked else BACKENDS):
        raise CannotRunError(
            f"Keras already runs on {fixed} in this process, which cannot be changed: start a new Python and "
            f"set KERAS_BACKEND={asked or BACKENDS[0]} before Keras is imported."
        )
    return fixed


def jax_problem() -> str:
    """One sentence when JAX is missing or too old, else "". Does not import it."""
    if "jax" not in sys.modules and importlib.util.find_spec("jax") is None:
        return (
            "JAX is not installed in this Python: `pip install jax` brings it (`pip install 'jax[cuda12]'` for a GPU), "
            "or train with TensorFlow."
        )
    with contextlib.suppress(metadata.PackageNotFoundError):
        found, wanted = metadata.version("jax"), ".".join(map(str, JAX))
        if numbers_of(found) < JAX:
            return f"JAX {found} is too old: the engine needs {wanted} or newer; `pip install -U jax` brings it."
    return ""


def import_jax(show: bool = True) -> Any:
    """Import JAX, and Keras on it, and make them do their first work without a word. Returns the module.

    Does not import TensorFlow. Raises CannotRunError, also where Keras already runs on another library.
    """
    if problem := jax_problem():
        raise CannotRunError(problem)
    backend("jax")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # two open notebooks share one GPU
    os.environ["KERAS_BACKEND"] = "jax"
    try:
        with quiet(show):
            import jax
            import keras  # noqa: F401  (from here on Keras runs on JAX)

            jax.jit(_first_work)(jax.numpy.ones((1, 1))).block_until_ready()
    except (Exception, SystemExit) as error:
        raise CannotRunError(
            f"JAX is installed but does not work ({said(error)}): reinstall it with `pip install --force-reinstall jax`."
        ) from error
    return jax


def import_backend(asked: str | None = None, threads: int | None = None) -> str:
    """Import the library that trains (see `backend`), quietly and ready to work, and return its name.

    `threads` are the processor's threads that an operation may use, all when None; it is heard only where
    the library is not imported yet. Raises as `backend` does, and CannotRunError where the library is missing, too
    old or broken.
    """
    name = backend(asked)
    if name in _ready:
        return name
    limited = threads is not None and name not in sys.modules
    if name == "jax":
        if limited:
            os.environ["PJRT_NPROC"] = os.environ["NPROC"] = str(threads)  # older versions read the second alone
        import_jax()
    else:
        if limited and not tensorflow_problem():
            _limit_tensorflow(threads)
        import_tensorflow()
    _ready.add(name)
    return name


_ready: set[str] = set()
"""What `import_backend` has made ready in this process."""


def _limit_tensorflow(threads: int | None) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    with quiet():
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def gpus() -> list[str]:
    """Names of the GPUs that the library that trains here sees, such as "Tesla T4"; empty without one.

    Imports that library (`backend`) and no other. Raises CannotRunError as `import_backend` does.
    """
    if import_backend() == "jax":
        return [gpu.device_kind for gpu in _jax_gpus()]
    import tensorflow as tf

    details = tf.config.experimental.get_device_details
    return [details(gpu).get("device_name", gpu.name) for gpu in tf.config.list_physical_devices("GPU")]


def threads() -> int | str:
    """Processor threads that an operation may use, "all" where nothing limits them. Imports the library that trains."""
    if import_backend() == "jax":
        return int(os.environ.get("PJRT_NPROC", 0)) or "all"
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or "all"


def compute_capability() -> tuple[int, ...]:
    """CUDA compute capability of the first GPU, (7, 5) for a T4, (8, 0) for an A100; () without a GPU that has one."""
    if import_backend() == "jax":
        return numbers_of(str(getattr(_jax_gpus()[0], "compute_capability", ""))) if _jax_gpus() else ()
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(found[0]) if found else {}
    return tuple(details.get("compute_capability", ()))


def _jax_gpus() -> list[Any]:
    import jax

    return [device for device in jax.local_devices() if device.platform == "gpu"]


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
        raise CannotRunError(f"A library of the course is missing ({said(error)}): run `make lab` again.") from error
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
    if backend() == "jax":
        return _jax_product_times(int(size), seconds, dtype)
    tf = import_tensorflow()
    a = tf.cast(tf.random.stateless_normal((int(size), int(size)), seed=(5, 1)), dtype)
    b = tf.cast(tf.random.stateless_normal((int(size), int(size)), seed=(5, 2)), dtype)
    finish = _finish(tf)

    def work() -> None:
        tf.matmul(a, b)
        finish()

    return _times(work, seconds)


def _jax_product_times(size: int, seconds: float, dtype: str) -> list[float]:
    jax = import_jax()
    a, b = (jax.random.normal(jax.random.key(i), (size, size)).astype(dtype) for i in (1, 2))
    return _times(lambda: jax.numpy.matmul(a, b).block_until_ready(), seconds)


def matrix_product_seconds(size: int, seconds: float = 0.3, dtype: str = "float32") -> Measurement:
    """Time in s of one `size` by `size` matrix product in TensorFlow, on the GPU where there is one.

    In JAX where that is what trains here (`backend`). Repeats it for about `seconds` (five times at
    least). Raises ValueError for a size below 1 and CannotRunError without TensorFlow. Lesson 5.1.
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
