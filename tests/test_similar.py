"""Unusually alike: copies are found behind new names, classmates with the usual answer are not."""

from __future__ import annotations

import random
import re

import nbformat
import pytest
from nbformat import v4

from course.__main__ import main
from course.grading.classroom import Assignment, Classroom, Mark, Result
from course.grading.similar import LONGEST, compare, fragments

STUB = 'def f(w, X, y):\n    """Gradient of the mean loss."""\n    raise NotImplementedError("Write this.")\n'


def gradient(rng: random.Random) -> str:
    """A right answer to 4.1.3 as one of many students would write it."""
    lines = ['def f(w, X, y):\n    """Gradient of the mean loss."""']
    z = rng.choice(["X @ w", "np.dot(X, w)", "X.dot(w)", "np.matmul(X, w)"])
    if rng.random() < 0.5:
        lines.append(f"    z = {z}")
        z = "z"
    p = rng.choice([f"sigmoid({z})", f"1 / (1 + np.exp(-({z})))", f"1.0 / (1.0 + np.exp(-({z})))"])
    lines.append(f"    p = {p}")
    n = rng.choice(["len(y)", "X.shape[0]", "y.shape[0]", "n", "y.size"])
    if n == "n":
        lines.append(f"    n = {rng.choice(['len(y)', 'len(X)', 'X.shape[0]'])}")
    error = "p - y"
    if rng.random() < 0.4:
        lines.append("    error = p - y")
        error = "error"
    product = rng.choice([f"X.T @ ({error})", f"np.dot(X.T, {error})", f"({error}) @ X", f"X.T.dot({error})"])
    lines.append(f"    return {product} / {n}")
    return "\n".join(lines)


def loss(rng: random.Random) -> str:
    """A right answer to 4.1.2."""
    z = rng.choice(["z", "logits"])
    term = rng.choice(
        [
            f"np.maximum({z}, 0) - {z} * y + np.log1p(np.exp(-np.abs({z})))",
            f"np.logaddexp(0, {z}) - y * {z}",
            f"np.where(y == 1, np.logaddexp(0, -{z}), np.logaddexp(0, {z}))",
            f"np.log1p(np.exp(-abs({z}))) + np.maximum({z}, 0) - y * {z}",
        ]
    )
    end = rng.choice([f"return np.mean({term})", f"return ({term}).mean()", f"each = {term}\n    return each.mean()"])
    return f"def g({z}, y):\n    {end}"


def essay(rng: random.Random) -> str:
    """A written answer with the words of the subject in an order of its own."""
    words = "the accuracy of one run says little because coin flips give as much by luck and seeds differ"
    subject = re.findall(r"\w+", words)
    return '"""' + " ".join(rng.choice(subject) for _ in range(80)) + '"""'


def a_class(n: int, seed: int) -> dict[str, dict[str, str]]:
    rng = random.Random(seed)
    return {f"s{i:03}": {"4.1.2": loss(rng), "4.1.3": gradient(rng), "5.2.9": essay(rng)} for i in range(n)}


ODD = """\
def f(w, X, y):
    total = np.zeros_like(w)
    for i, row in enumerate(X):
        guess = sigmoid(sum(row * w))
        wrong_by = guess - y[i]
        for j in range(w.size):
            total[j] = total[j] + wrong_by * row[j]
    return np.divide(total, X.shape[0])
"""


def disguised(text: str) -> str:
    """The same answer with other names, comments and blank lines."""
    names = {"total": "grad", "row": "sample", "guess": "p_hat", "wrong_by": "err", "i": "k", "j": "col", "f": "f"}
    for old, new in names.items():
        text = re.sub(rf"\b{old}\b", new, text)
    lines = [line + "  # my own idea" if "for" in line else line for line in text.splitlines()]
    return "\n\n# here I loop\n".join(lines)


@pytest.mark.parametrize(("n", "others"), [(8, 0.25), (30, 0.02), (120, 0.02)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_disguised_copy_is_the_first_pair(n, others, seed):
    found = a_class(n, seed)
    found["s002"]["4.1.3"], found["s005"]["4.1.3"] = ODD, disguised(ODD)
    report = compare(found, {"4.1.3": [STUB]})
    assert report.compared == n * (n - 1) // 2
    first = report.pairs[0]
    assert (first.first, first.second) == ("s002", "s005")
    alike = next(each for each in first.exercises if each.exercise_id == "4.1.3")
    assert alike.share > 0.95
    assert len(report.pairs) - 1 <= others * report.compared, [(p.first, p.second, p.far) for p in report.pairs]


@pytest.mark.parametrize("seed", range(4))
def test_a_class_without_copies_gives_next_to_no_pairs(seed):
    report = compare(a_class(40, seed), {"4.1.3": [STUB]})
    assert len(report.pairs) <= 0.02 * report.compared, [(p.first, p.second, p.far) for p in report.pairs]


def test_a_copied_text_is_found_and_shared_words_alone_are_not():
    found = a_class(30, 5)
    text = found["s001"]["5.2.9"]
    found["s007"]["5.2.9"] = text.upper().replace(" ", "\n", 9).replace("LUCK", "luck,")
    report = compare(found)
    assert (report.pairs[0].first, report.pairs[0].second) == ("s001", "s007")
    assert [each.exercise_id for each in report.pairs[0].exercises] == ["5.2.9"]


def test_what_the_whole_class_wrote_says_nothing():
    same = {f"s{i}": {"4.1.3": ODD} for i in range(20)}
    assert compare(same).pairs == ()


def test_the_released_cell_says_nothing():
    untouched = {f"s{i}": {"4.1.3": STUB} for i in range(4)} | {"t": {"4.1.3": ODD}}
    assert compare(untouched, {"4.1.3": [STUB]}).pairs == ()


def test_two_students_alone_have_no_class_to_stand_out_from():
    assert compare({"a": {"4.1.3": ODD}, "b": {"4.1.3": ODD}}).pairs == ()
    assert compare({"a": {"4.1.3": ODD}}).compared == 0
    assert compare({}).pairs == ()


def test_names_comments_and_layout_do_not_matter_and_structure_does():
    assert fragments(ODD, "function") == fragments(disguised(ODD), "function")
    assert fragments(ODD, "function") != fragments(ODD.replace("+ wrong_by", "- wrong_by"), "function")
    assert fragments("x = np.log(2)", "value") != fragments("x = np.exp(2)", "value")
    assert fragments("Größe, UND Grosse zwei drei", "text") == fragments("grosse\nund grosse. Zwei drei", "text")


@pytest.mark.parametrize("text", ["", "\0\1", "(" * 100_000, "'" * 50_001, "def " * 50_000, "\ud800", "x" * 10_000_000])
def test_any_text_is_cut_without_harm(text):
    for kind in ("function", "text"):
        assert len(fragments(text, kind)) <= LONGEST


def test_from_a_class_on_disk(tmp_path, capsys):
    classroom = Classroom.create(tmp_path / "class")
    classroom.save_assignment(Assignment("w", "w", ("4.1",), {"4.1.2": 2.0, "4.1.3": 2.0}, {"a.ipynb": ""}))
    cell = v4.new_code_cell(STUB)
    cell["id"] = "exercise-4-1-3"
    classroom.release("w").mkdir(parents=True)
    nbformat.write(v4.new_notebook(cells=[cell]), classroom.release("w") / "a.ipynb")
    found = a_class(12, 9)
    found["s002"]["4.1.3"], found["s005"]["4.1.3"] = ODD, disguised(ODD)
    for student, answers in found.items():
        classroom.submitted(student, "w").mkdir(parents=True)
        if student == "s011":
            continue
        marks = {id_: Mark("passed", 2.0, 2.0, answer=answers[id_]) for id_ in ("4.1.2", "4.1.3")}
        if student == "s003":
            marks["4.1.3"] = Mark("not written", 0.0, 2.0, answer=ODD)
        classroom.save_result(Result("w", student, "key", marks))
    assert main(["similar", "w", "--class", str(classroom.root)]) == 0
    out = capsys.readouterr().out
    assert "Not graded, so not compared: s011." in out
    assert "never a verdict" in out
    assert "  s002 and s005: 4.1.3 100% alike" in out
    assert "s003" not in out, "a stub is nobody's work"


def test_the_command_fails_with_one_sentence(tmp_path, capsys):
    classroom = Classroom.create(tmp_path / "class")
    classroom.save_assignment(Assignment("w", "w", ("4.1",), {"4.1.3": 2.0}, {}))
    for name, says in (("w", "run `course grade w` first"), ("v", "There is no assignment 'v'")):
        assert main(["similar", name, "--class", str(classroom.root)]) == 1
        err = capsys.readouterr().err
        assert says in err
        assert err.count("\n") == 1
