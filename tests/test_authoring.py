"""The pipeline, on small made-up lessons."""

from __future__ import annotations

import ast
import json
import textwrap
from dataclasses import replace

import pytest

from course import authoring
from course.authoring import SourceError, compile_lesson
from course.exercises.specification import Case, Exercise
from course.lessons import Lesson
from course.publishing import Project

LESSON = Lesson(
    number="9.8", folder="04_mathematics", name="made_up", title="Made up", question="Why?", minutes=5, tensorflow=False
)
NAME = "solutions/04_mathematics/made_up.py"


def _exercise(id_: str, **more) -> Exercise:
    settings = {"kind": "function", "cases": lambda rng: [Case((1.0,))], "reference": abs, **more}
    return Exercise(id=id_, title=f"Title {id_}", points=2, minutes=5, difficulty=2, **settings)


EXERCISES = {
    "9.8.1": _exercise("9.8.1"),
    "9.8.2": _exercise("9.8.2"),
}
VALUE = {"9.8.1": _exercise("9.8.1", kind="value", cases=None, reference=3.0)}
TEXT = {"9.8.1": _exercise("9.8.1", kind="text", cases=None, reference="words")}


def compile_(text: str, exercises=None):
    return compile_lesson(textwrap.dedent(text).lstrip(), LESSON, exercises=exercises or {}, table=(LESSON,), name=NAME)


def task(id_: str, body: str) -> str:
    return f'# %% [markdown] exercise="{id_}"\n# Do it.\n\n# %% exercise="{id_}"\n{body}\n# %% check="{id_}"\ncheck("{id_}", f)\n\n'


SIMPLE = 'def f(x):\n    """Twice x."""\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n\n'


def cells(notebook) -> dict[str, str]:
    return {cell["id"]: cell.source for cell in notebook.cells}


def test_stub_differs_only_by_what_the_student_writes():
    pair = compile_("# %% [markdown]\n# # Start\n\n" + task("9.8.1", SIMPLE), {"9.8.1": EXERCISES["9.8.1"]})
    assert cells(pair.answered)["exercise-9-8-1"] == 'def f(x):\n    """Twice x."""\n    return 2 * x'
    assert (
        cells(pair.student)["exercise-9-8-1"]
        == 'def f(x):\n    """Twice x."""\n    raise NotImplementedError("Write this.")'
    )
    different = [id_ for id_, text in cells(pair.student).items() if cells(pair.answered)[id_] != text]
    assert different == ["title", "exercise-9-8-1"]  # the title links to the other edition


def test_nested_functions_keep_their_indentation():
    body = """\
def f(x):
    def inner(y):
        ### BEGIN SOLUTION
        total = 0
        for i in range(y):
            total += i
        return total
        ### END SOLUTION

    ### BEGIN SOLUTION
    return inner(x) + 1
    ### END SOLUTION

"""
    pair = compile_("# %% [markdown]\n# Start\n\n" + task("9.8.1", body), {"9.8.1": EXERCISES["9.8.1"]})
    stub = cells(pair.student)["exercise-9-8-1"]
    assert stub == (
        'def f(x):\n    def inner(y):\n        raise NotImplementedError("Write this.")\n\n'
        '    raise NotImplementedError("Write this.")'
    )
    ast.parse(stub)


def test_two_exercises_close_together():
    pair = compile_("# %% [markdown]\n# Start\n\n" + task("9.8.1", SIMPLE) + task("9.8.2", SIMPLE), EXERCISES)
    ids = [cell["id"] for cell in pair.student.cells]
    assert ids[2:] == [
        ids[2],
        "task-9-8-1",
        "exercise-9-8-1",
        "check-9-8-1",
        "task-9-8-2",
        "exercise-9-8-2",
        "check-9-8-2",
        ids[-1],
    ]
    assert "2 * x" not in json.dumps(pair.student)


def test_value_stub_is_an_ellipsis_for_each_name():
    body = "### BEGIN SOLUTION\na = 3.0\nb, c = a, 2\n### END SOLUTION\nprint(a)\n\n"
    pair = compile_("# %% [markdown]\n# Start\n\n" + task("9.8.1", body), VALUE)
    assert cells(pair.student)["exercise-9-8-1"] == "a = ...\nb = ...\nc = ...\nprint(a)"
    assert cells(pair.answered)["exercise-9-8-1"] == "a = 3.0\nb, c = a, 2\nprint(a)"


def test_markdown_with_maths_survives():
    pair = compile_(
        r"""
        # %% [markdown]
        # The loss is $L = -\frac{1}{n}\sum_i y_i \log p_i$, and
        #
        # $$
        # \begin{aligned} z &= w \cdot x \\ p &= \sigma(z) \end{aligned}
        # $$
        #
        # * a list with `# %%` in code
        """
    )
    text = pair.student.cells[2].source
    assert r"$L = -\frac{1}{n}\sum_i y_i \log p_i$" in text
    assert "$$\n\\begin{aligned} z &= w \\cdot x \\\\ p &= \\sigma(z) \\end{aligned}\n$$" in text
    assert "`# %%` in code" in text


def test_nbgrader_metadata():
    pair = compile_("# %% [markdown]\n# Start\n\n" + task("9.8.1", SIMPLE), {"9.8.1": EXERCISES["9.8.1"]})
    found = {cell["id"]: cell.metadata.get("nbgrader") for cell in pair.student.cells}
    assert (found["exercise-9-8-1"]["solution"], found["exercise-9-8-1"]["grade"]) == (True, False)
    check = found["check-9-8-1"]
    assert (check["solution"], check["grade"], check["locked"], check["points"]) == (False, True, True, 2)
    written = compile_(
        "# %% [markdown]\n# Start\n\n" + task("9.8.1", '### BEGIN SOLUTION\nf = """words"""\n### END SOLUTION\n\n'),
        TEXT,
    )
    answer = next(cell for cell in written.student.cells if cell["id"] == "exercise-9-8-1").metadata.nbgrader
    assert (answer["solution"], answer["grade"], answer["points"]) == (True, True, 2)  # marked by hand


def test_ids_are_stable_and_unique():
    source = "# %% [markdown]\n# Same\n\n# %% [markdown]\n# Same\n\n# %%\nx = 1\n"
    first, second = compile_(source), compile_(source)
    ids = [cell["id"] for cell in first.answered.cells]
    assert ids == [cell["id"] for cell in second.answered.cells]
    assert len(set(ids)) == len(ids)
    changed = [cell["id"] for cell in compile_(source.replace("x = 1", "x = 2")).answered.cells]
    assert [a == b for a, b in zip(ids, changed, strict=True)] == [True, True, True, True, False, True]


def test_exact_comparison_is_claimed_only_where_outputs_are_stored():
    pair = compile_('# %% [markdown]\n# Start\n\n# %% tags=["NBVAL_CHECK_OUTPUT"]\nprint(1)\n')
    assert pair.answered.cells[-2].metadata.tags == ["NBVAL_CHECK_OUTPUT"]
    assert pair.student.cells[-2].metadata.get("tags", []) == []


GOOD = task("9.8.1", SIMPLE)
BAD = {
    "unknown key": (
        '# %% excercise="9.8.1"\nx = 1\n',
        ":1: unknown key 'excercise' in the cell header. Did you mean 'exercise'?",
    ),
    "unquoted value": ("# %% exercise=9.8.1\nx = 1\n", ":1: cannot read `exercise=9.8.1` in the cell header"),
    "markdown misspelt": ("# %% [markdwn]\n# Hello\n", ":1: cannot read `[markdwn]`"),
    "key twice": ('# %% claim="4.1" claim="4.2"\nx = 1\n', ":1: the key 'claim' occurs twice"),
    "unspecified exercise": (
        GOOD.replace("9.8.1", "9.8.7"),
        ":1: exercise '9.8.7' is not in course/exercises/made_up.py",
    ),
    "no header first": ("x = 1\n", ":1: a lesson starts with a cell header"),
    "no markers": (
        GOOD.replace("    ### BEGIN SOLUTION\n", "").replace("    ### END SOLUTION\n", ""),
        ":4: mark what the student writes",
    ),
    "no end": (GOOD.replace("    ### END SOLUTION\n", ""), ":4: `### BEGIN SOLUTION` without `### END SOLUTION`"),
    "no begin": (GOOD.replace("    ### BEGIN SOLUTION\n", ""), ":4: `### END SOLUTION` without `### BEGIN SOLUTION`"),
    "empty region": (GOOD.replace("    return 2 * x\n", ""), ":4: nothing stands between"),
    "misspelt marker": (
        GOOD.replace("### BEGIN SOLUTION", "## BEGIN SOLUTION"),
        ":4: write the marker alone on its line",
    ),
    "solution elsewhere": ("# %%\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n", ":1: a solution needs exercise="),
    "check missing": (
        GOOD.replace('# %% check="9.8.1"', "# %%"),
        ':4: put `# %% check="9.8.1"` in the cell right after',
    ),
    "check of another": (
        GOOD.replace('check("9.8.1", f)', 'check("9.8.2", f)'),
        ':12: this cell must call `check("9.8.1", …)`',
    ),
    "task missing": (
        GOOD.replace('# %% [markdown] exercise="9.8.1"', "# %% [markdown]"),
        ":4: exercise 9.8.1 needs its task cell",
    ),
    "answer twice": (GOOD + GOOD, ":15: exercise 9.8.1 has a second task cell"),
    "exercise not written": ("# %% [markdown]\n# Start\n", ":1: exercise 9.8.1 is specified but"),
    "function in a top-level region": (
        task("9.8.1", "### BEGIN SOLUTION\ndef f(x):\n    return x\n### END SOLUTION\n\n"),
        ":4: keep `def f` outside the markers",
    ),
    "region without a name": (
        task("9.8.1", "### BEGIN SOLUTION\nprint(3)\n### END SOLUTION\n\n"),
        ":4: a solution at the top level assigns",
    ),
    "syntax": (GOOD + "# %%\nx = = 1\n", ":16: invalid syntax"),
    "claim without verdict": (GOOD + '# %% claim="4.1"\nx = 1\n', ':15: this cell must call `verdict("4.1", …)`'),
    "key on markdown": ('# %% [markdown] claim="4.1"\n# Hello\n', ":1: a markdown cell takes no key but exercise"),
    "two roles": (
        GOOD.replace('# %% exercise="9.8.1"', '# %% exercise="9.8.1" prediction="x"'),
        ":4: a cell is an exercise, a check or",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_source_gets_one_sentence_with_file_and_line(fault):
    source, sentence = BAD[fault]
    with pytest.raises(SourceError) as caught:
        compile_lesson(source, LESSON, exercises={"9.8.1": EXERCISES["9.8.1"]}, table=(LESSON,), name=NAME)
    assert str(caught.value).startswith(NAME + sentence), str(caught.value)
    assert "\n" not in str(caught.value)


# --- building -------------------------------------------------------------------------------------

BUILDABLE = (
    "# %% [markdown]\n# Start\n\n# %%\nimport course.widgets.made_up as m\n\nprint(m.VALUE)\n\n"
    '# %% prediction="x"\n### BEGIN SOLUTION\nguess = 1\n### END SOLUTION\n'
)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with one lesson and one module; running a notebook is counted and faked."""
    (tmp_path / "solutions/04_mathematics").mkdir(parents=True)
    (tmp_path / "course/widgets").mkdir(parents=True)
    (tmp_path / "course/__init__.py").write_text("")
    (tmp_path / "course/widgets/__init__.py").write_text("")
    (tmp_path / "course/widgets/made_up.py").write_text("VALUE = 3\n")
    (tmp_path / "course/widgets/other.py").write_text("VALUE = 4\n")
    (tmp_path / NAME).write_text(BUILDABLE)
    runs = []

    def fake(notebook, root, name):
        runs.append(name)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.execution_count = len(runs)
        return notebook

    monkeypatch.setattr(authoring, "execute", fake)
    return tmp_path, runs


OPTIONS = {"exercises": {}, "table": (LESSON,)}


def _build(root):
    return authoring.build(LESSON, root, say=lambda text: None, **OPTIONS)


def test_building_twice_gives_the_same_bytes_and_runs_once(checkout):
    root, runs = checkout
    written = _build(root)
    before = [path.read_bytes() for path in written]
    assert len(written) == 2 and len(runs) == 1
    assert authoring.stale(LESSON, root, **OPTIONS) == []
    assert _build(root) == [] and len(runs) == 1
    assert [path.read_bytes() for path in written] == before


def test_only_what_outputs_depend_on_causes_a_run(checkout):
    root, runs = checkout
    _build(root)
    source = root / NAME
    source.write_text(source.read_text().replace("# Start", "# Begin"))
    assert [path.suffix for path in _build(root)] == [".ipynb"] * 2 and len(runs) == 1, "prose alone runs nothing"
    (root / "course/widgets/other.py").write_text("VALUE = 5\n")
    assert authoring.stale(LESSON, root, **OPTIONS) == [], "a module that the lesson does not use"
    (root / "course/widgets/made_up.py").write_text("VALUE = 6\n")
    assert "executed with other code" in authoring.stale(LESSON, root, **OPTIONS)[0]
    _build(root)
    assert len(runs) == 2


def test_an_edited_notebook_is_stale_and_the_sentence_names_the_command(checkout):
    root, _ = checkout
    _build(root)
    student = root / "notebooks/04_mathematics/made_up.ipynb"
    student.write_text(student.read_text().replace("Start", "Changed"))
    (problem,) = authoring.stale(LESSON, root, **OPTIONS)
    assert "notebooks/04_mathematics/made_up.ipynb differs from its source" in problem
    assert "`make build`" in problem and "course build made_up" in problem


def _notebook(source: str, **metadata):
    from nbformat import v4

    return v4.new_notebook(cells=[v4.new_code_cell(source, metadata=metadata)])


RUNS = {
    "alt without a figure": ("x = 1", {"alt": "A line."}, "has an alt text and shows no figure"),
    "two figures": (
        "from course import plots; plots.style(); display(plots.figure()[0]); plots.figure()[0]",
        {"alt": "Two."},
        "shows more than one image",
    ),
    "stderr": ('import sys; print("careful", file=sys.stderr)', {}, "writes to stderr: careful"),
    "machine path": (
        "import os; print(os.getcwd() + '/x'); print(os.path.expanduser('~') + '/x')",
        {},
        "shows a path of this machine",
    ),
    "address": ("print(object())", {}, "shows a memory address"),
    "no alt": ("from course import plots; plots.style(); plots.figure()[0]", {}, 'draws; give its header alt="'),
    "failing cell": ("1 / 0", {}, "ZeroDivisionError"),
}


@pytest.mark.parametrize("fault", RUNS)
def test_outputs_unfit_for_the_web_stop_the_build(fault, tmp_path):
    source, metadata, sentence = RUNS[fault]
    with pytest.raises(SourceError, match=sentence.replace("(", r"\(")):
        authoring.execute(_notebook(source, **metadata), tmp_path, NAME)


def test_alt_text_reaches_the_image(tmp_path):
    source = "from course import plots; plots.style(); plots.figure()[0]"
    done = authoring.execute(_notebook(source, alt="A line."), tmp_path, NAME)
    assert done.cells[0].outputs[0].metadata["image/png"] == {"alt": "A line."}


def test_readme_table_is_replaced_in_place():
    text = "Before\n<!-- lessons: written by `make build` -->\nold\n<!-- end of lessons -->\nAfter\n"
    new = authoring.readme(text, [LESSON])
    assert "old" not in new and new.startswith("Before\n") and new.endswith("After\n")
    assert "[made_up](notebooks/04_mathematics/made_up.ipynb)" in new
    assert "/notebooks/04_mathematics/made_up.ipynb)" in new.partition("Open in Colab")[2]
    assert authoring.readme(new, [LESSON]) == new


# --- where a notebook can be opened ---------------------------------------------------------------


@pytest.mark.parametrize("gpu", [True, False])
def test_both_editions_have_their_own_badge_the_set_up_cell_and_what_colab_reads(gpu):
    lesson, published = replace(LESSON, gpu=gpu), Project("https://github.com/some-one/a.fork", "v9.8.7")
    pair = compile_lesson("# %% [markdown]\n# Start\n", lesson, exercises={}, table=(lesson,), published=published)
    for notebook, folder in ((pair.answered, "solutions"), (pair.student, "notebooks")):
        link = f"/github/some-one/a.fork/blob/v9.8.7/{folder}/04_mathematics/made_up.ipynb)"
        assert cells(notebook)["title"].count("[![Open in Colab](") == 1
        assert cells(notebook)["title"].endswith(link)
        assert cells(notebook)["set-up"] == published.setup(lesson)
        ast.parse(cells(notebook)["set-up"])
        assert (notebook.metadata.get("accelerator") == "GPU") == gpu


def test_an_address_without_colab_has_no_badge():
    elsewhere = Project("https://forge.example/a/b", "v1")
    pair = compile_lesson("# %% [markdown]\n# S\n", LESSON, exercises={}, table=(LESSON,), published=elsewhere)
    assert "Colab" not in cells(pair.student)["title"]
    assert "| – |" in authoring.readme(
        "<!-- lessons: written by `make build` -->\n<!-- end of lessons -->", [LESSON], elsewhere
    )


def test_another_address_runs_nothing_and_another_tier_does(checkout):
    root, runs = checkout
    _build(root)
    moved = {**OPTIONS, "published": Project("https://github.com/some-one/a.fork", "v9.8.7")}
    assert len(authoring.build(LESSON, root, say=lambda text: None, **moved)) == 2
    assert len(runs) == 1
    authoring.build(replace(LESSON, gpu=True), root, say=lambda text: None, **moved)
    assert len(runs) == 2, "its first cell says something else"
