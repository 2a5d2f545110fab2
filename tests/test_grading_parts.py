"""The parts of grading by themselves: values on the wire, what an answer needs, what reaches too far, the page."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from course.grading import feedback, graft, wire, worker
from course.grading.classroom import Assignment, Mark, Result

# --- the wire -------------------------------------------------------------------------------------

numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text()
dtypes = arrays.boolean_dtypes() | arrays.integer_dtypes() | arrays.floating_dtypes() | arrays.complex_number_dtypes()
values = st.recursive(
    numbers | arrays.arrays(dtypes, arrays.array_shapes(min_dims=0, max_side=3)),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def same(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and repr(a) == repr(b)


@given(values)
def test_a_value_comes_back_as_it_was_sent(value):
    assert same(value, wire.decode(json.loads(json.dumps(wire.encode(value)))))


@given(
    st.recursive(numbers, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner), max_leaves=20)
)
def test_anything_else_on_the_wire_is_refused_or_read_as_a_plain_value(found):
    try:
        value = wire.decode(found)
    except wire.WireError:
        return
    assert isinstance(
        value, type(None) | type(...) | bool | int | float | complex | str | list | tuple | dict | np.ndarray
    )


@pytest.mark.parametrize(
    "found",
    [
        ["a", "<f8", [1 << 40], ""],
        ["a", "|O", [1], "AAAAAAAAAAA="],
        ["a", "<f8", [2], "AAAAAAAAAAA="],
        ["a", "<f8", [-1], "AAAAAAAAAAA="],
        ["a", "<f8", [1], "AAAA" * 10_000_000],
        ["u", [100_000], ["x" * 10_000] + [""] * 99_999],
        ["i", "9" * 100_000],
        ["f", "nan; import os"],
        ["d", [[["l", []], ["c", "none"]]]],
        ["fn", 0],
        ["c", "open"],
        [[["t"]]],
        "x",
        None,
    ],
)
def test_what_the_worker_would_not_write_is_refused(found):
    with pytest.raises(wire.WireError):
        wire.decode(found)


@pytest.mark.parametrize(
    "value",
    [object(), open, np.zeros(10**6), [[]] * 200_000, 10**5000, np.array([object()])],
    ids=["object", "function", "array", "list", "number", "objects"],
)
def test_no_object_and_nothing_large_is_sent(value):
    with pytest.raises(wire.WireError):
        wire.encode(value)


# --- what an answer needs -------------------------------------------------------------------------


class Silent:
    def send(self, **message):
        self.last = message


def plan(*cells, name="f", at=-1, roles=None):
    """Statements that the answer in cell `at` needs, as text, and the worker's plan."""
    channel = Silent()
    session = worker.Session(channel)
    roles = roles or ["student"] * len(cells)
    at = at % len(cells)
    session.read(
        [{"text": text, "role": "answer" if i == at else roles[i]} for i, text in enumerate(cells)],
        {"1": {"cell": at, "name": name}},
    )
    piece = session._slices["1"]
    needed = [worker.ast.unparse(unit.node) for unit in [*piece.earlier, *piece.later]]
    return needed, channel.last["plans"]["1"]


def test_only_what_the_answer_uses_is_run():
    needed, _ = plan(
        "import numpy as np, math\nfrom scipy import stats",
        "table = [np.sin(x) for x in range(10**9)]",
        "scale = 3\nscale += 1",
        "def helper(x):\n    return scale * other(x)",
        "def other(x):\n    return np.abs(x)",
        "def f(x):\n    table = [0]\n    table[0] = helper(x)\n    return table",
    )
    assert needed == [
        "import numpy as np",
        "scale = 3",
        "scale += 1",
        "def helper(x):\n    return scale * other(x)",
        "def other(x):\n    return np.abs(x)",
    ]


def test_the_nearest_binding_counts_and_what_changes_it_comes_along():
    needed, _ = plan("a = 1", "a = []", "b = heavy()", "a.append(2)\na[0] = 5", "print(a)", "def f():\n    return a")
    assert needed == ["a = []", "a.append(2)", "a[0] = 5"]


def test_a_later_cell_serves_what_no_earlier_one_does():
    needed, _ = plan("x = 1", "def f():\n    return g() + x", "x = 2\ndef g():\n    return h\nh = 3", at=1)
    assert needed == ["x = 1", "def g():\n    return h", "h = 3"]


def test_an_edited_cell_counts_only_where_nothing_else_binds_the_name():
    needed, _ = plan(
        "import numpy as np",
        "import jax.numpy as np\nfrom math import log",
        "def f(x):\n    return np.exp(log(x))",
        roles=["released", "edited", "answer"],
    )
    assert needed == ["import numpy as np", "from math import log"]


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from os import path",
        "open('x')",
        "np.sys.modules",
        "f.__globals__",
        "().__class__",
        "x = '__subclasses__'",
        "getattr(np, name)",
        "import importlib",
        "np.load('x')",
        "tf.io.read_file('x')",
        "from ctypes import *",
        "from . import x",
        "exec(text)",
        "y = 'course.losses'",
    ],
)
def test_what_reaches_further_than_an_answer_is_said(text):
    _, found = plan(f"def f(x):\n    {text}" if "*" not in text else text + "\ndef f(x): pass")
    assert found["reaches"]


@pytest.mark.parametrize(
    "text",
    [
        "import numpy as np\nfrom scipy.special import expit\nimport tensorflow as tf",
        "w = tf.Variable(w)\nwith tf.GradientTape() as tape:\n    loss = tf.reduce_mean(w)",
        "return np.linalg.eigvalsh(X.T @ X / len(X))[-1]",
        "try:\n    return 1 / x\nexcept ZeroDivisionError:\n    return float('inf')",
        "return pd.Series(x).rolling(3).mean().to_numpy()",
    ],
)
def test_an_ordinary_answer_reaches_nowhere(text):
    _, found = plan("def f(x):\n" + "\n".join("    " + line for line in text.splitlines()))
    assert found["reaches"] == []


def test_magics_go_and_line_numbers_stay():
    text = worker.without_magics("%%time\n!pip install x\nx = 5 % 3\nif x:\n    %matplotlib inline\ny = !ls\nf?\n")
    assert text == "\n\nx = 5 % 3\nif x:\n    pass\ny = None\n\n"
    assert worker.without_magics("%%bash\nrm -rf x") == ""


# --- the page -------------------------------------------------------------------------------------


def test_a_page_escapes_what_is_a_students():
    evil = '<script>alert("x")</script>'
    given = Assignment("week", f"Week {evil}", ("4.1",), {"4.1.2": 2.0}, {}, due="2026-12-18T23:59:00+01:00")
    mark = Mark("failed", 0.5, 2.0, f"`{evil}` ```{evil}```", "", f"x = '{evil}\u202e\x00'")
    result = Result("week", "ada", "", {"4.1.2": mark})
    text = feedback.page(given, result, {"4.1.2": 1.5}, {"4.1.2": evil})
    assert "<script" not in text and "\u202e" not in text and "\x00" not in text
    assert "1.5 of 2" in text and text.count("&lt;script&gt;") == 6


def test_a_notebook_of_another_kind_is_one_sentence(tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(graft.Unreadable, match=r"^x\.ipynb is JSON and not a notebook: it has no cells\.$"):
        graft.read(path, [])
