"""The ledger: complete, well-formed, and each verdict computed by a cell that exists."""

from __future__ import annotations

import ast
import html
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from course import authoring, claims, lessons
from course.claims import VERDICTS, Claim, find, load, parse, table, verdict

ROOT = authoring.find_root()
COUNTS = {1: 2, 2: 9, 3: 12, 4: 4, 5: 5, 6: 6, 7: 3, 8: 6, 9: 5}
"""Claims in each section of the article."""

# Read when the tests are collected; a ledger that cannot be read fails test_the_ledger_can_be_read.
try:
    CLAIMS = load()
except ValueError:
    CLAIMS = ()
JUDGED = [claim for claim in CLAIMS if claim.judged]
ENDS = [(claim, end) for claim in JUDGED for end in claim.stands if math.isfinite(end)]

ENTRY = """
[[claim]]
id = "4.1"
section = "4.2"
text = "Some <b>claim</b> & more."
lesson = "04_mathematics/gradient_descent"
"""
FOUND = """
verdict = "holds"
figure = "It is 0.5 <i>nats</i>."
measured = 0.5
interval = [0.4, 0.6]
stands = [0.3, inf]
would_change = "A & B."
"""


# --- the article's claims -------------------------------------------------------------------------


def test_the_ledger_can_be_read():
    assert load() is load(), "read once"
    assert len(load()) == sum(COUNTS.values())


def test_every_claim_of_the_article_is_there_once_and_in_order():
    expected = [f"{section}.{i}" for section, count in COUNTS.items() for i in range(1, count + 1)]
    assert [claim.id for claim in CLAIMS] == expected


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_is_a_plain_statement_in_our_words(claim):
    assert re.fullmatch(r"[1-9](\.[1-9])?", claim.section)
    assert claim.text[0].isupper() or claim.text[0].isdigit()
    assert claim.text.endswith(".")
    assert 30 <= len(claim.text) <= 240
    assert claim.lesson[:2] == f"{int(claim.lesson[:2]):02d}"


def test_the_ledger_is_written_in_english():
    """The article is Chinese, so a copied sentence would show."""
    text = Path(claims.__file__).with_name("claims.toml").read_text(encoding="utf-8")
    assert not re.search(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]", text)


def test_chapter_and_lesson_agree_where_the_lesson_exists():
    for claim in CLAIMS:
        folder = claim.lesson.split("/")[0]
        assert folder[:2] in authoring.CHAPTERS
        if any(lesson.folder == folder for lesson in lessons.LESSONS) and claim.judged:
            assert claim.lesson in {lesson.path for lesson in lessons.LESSONS}


# --- the verdicts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", JUDGED, ids=lambda claim: claim.id)
def test_a_verdict_is_complete_and_its_numbers_agree(claim):
    assert claim.verdict in VERDICTS
    low, high = claim.interval
    assert low <= claim.measured <= high
    assert claim.stands[0] <= claim.measured <= claim.stands[1]
    assert math.isfinite(claim.stands[0]) or math.isfinite(claim.stands[1]), "a range that can fail"
    assert re.search(r"\d", claim.figure), "the figure's sentence has its number"
    for text in (claim.figure, claim.would_change):
        assert 30 <= len(text) <= 420
        assert text[0].isupper() or text[0].isdigit()
        assert text.endswith(".")


def _claim_cells() -> list[tuple[lessons.Lesson, str, str, str]]:
    """Each claim cell of the lesson sources: its lesson, the claim's id, its code and the whole lesson's code."""
    found = []
    for lesson in lessons.LESSONS:
        path = ROOT / "solutions" / f"{lesson.path}.py"
        if path.is_file():
            cells = authoring.read(path.read_text(encoding="utf-8"), path.name)
            code = "\n".join(cell.text for cell in cells if cell.kind == "code")
            found += [(lesson, cell.header["claim"], cell.text, code) for cell in cells if "claim" in cell.header]
    return found


def test_every_verdict_has_one_cell_and_every_cell_a_verdict():
    cells = [(claim_id, lesson.path) for lesson, claim_id, _, _ in _claim_cells()]
    assert sorted(cells) == sorted((claim.id, claim.lesson) for claim in JUDGED)


def _literal(node: ast.AST) -> bool:
    """Whether an expression has only constants in it: nothing was computed."""
    return not any(isinstance(part, ast.Name | ast.Call | ast.Attribute) for part in ast.walk(node))


def _computed(node: ast.expr, tree: ast.AST) -> bool:
    """Whether an expression is neither a literal nor a name that only ever holds literals."""
    if _literal(node):
        return False
    if not isinstance(node, ast.Name):
        return True
    values = [
        part.value
        for part in ast.walk(tree)
        if isinstance(part, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == node.id for target in part.targets)
    ]
    bound = [part for part in ast.walk(tree) if isinstance(part, ast.Name) and part.id == node.id]
    stores = sum(isinstance(part.ctx, ast.Store) for part in bound)
    return stores > len(values) or not all(map(_literal, values))


@pytest.mark.parametrize("claim", JUDGED, ids=lambda claim: claim.id)
def test_the_figure_of_a_verdict_is_computed_where_it_is_asserted(claim):
    (cell,) = (cell for cell in _claim_cells() if cell[1] == claim.id)
    _, _, text, lesson_code = cell
    last = ast.parse(text).body[-1]
    assert isinstance(last, ast.Expr) and isinstance(last.value, ast.Call), "the card is the cell's value"
    call = last.value
    assert isinstance(call.func, ast.Name) and call.func.id == "verdict"
    assert len(call.args) == 2 and not call.keywords
    assert ast.literal_eval(call.args[0]) == claim.id
    assert _computed(call.args[1], ast.parse(lesson_code)), "the figure is typed in, not computed"


@pytest.mark.parametrize(
    ("code", "computed"),
    [
        ("verdict('4.1', 0.5)", False),
        ("verdict('4.1', -1 / 2)", False),
        ("x = 0.5\nverdict('4.1', x)", False),
        ("x = 0.5\nx = mean(values)\nverdict('4.1', x)", True),
        ("x = 0\nx += 1\nverdict('4.1', x)", True),
        ("x, y = fit(values)\nverdict('4.1', x)", True),
        ("verdict('4.1', run.accuracy)", True),
        ("verdict('4.1', len(kept) / 1000)", True),
    ],
)
def test_a_typed_figure_is_told_from_a_computed_one(code, computed):
    tree = ast.parse(code)
    call = tree.body[-1].value
    assert _computed(call.args[1], tree) is computed


@pytest.mark.parametrize("claim", JUDGED, ids=lambda claim: claim.id)
def test_the_built_notebook_shows_the_verdict(claim):
    path = ROOT / "solutions" / f"{claim.lesson}.ipynb"
    assert path.is_file(), "run `make build`"
    notebook = nbformat.read(path, as_version=4)
    (cell,) = (cell for cell in notebook.cells if f"claim-{claim.id}" in cell.metadata.get("tags", ()))
    shown = "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
    assert f"Claim {claim.id} · {claim.verdict}\n" in shown


# --- verdict() ------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", JUDGED, ids=lambda claim: claim.id)
def test_a_verdict_shows_what_was_found(claim):
    card = verdict(claim.id, claim.measured)
    for part in (claim.id, claim.verdict, claim.text, claim.figure, claim.would_change):
        assert part in repr(card)
    page = card._repr_html_()
    assert html.escape(claim.text, quote=False) in page or "`" in claim.text
    assert page.count("<div") == page.count("</div")


@pytest.mark.parametrize(("claim", "end"), ENDS, ids=[f"{claim.id}-{end:g}" for claim, end in ENDS])
def test_beyond_its_range_a_verdict_raises_and_a_clocks_says_so(claim, end):
    outward = -math.inf if end == claim.stands[0] and end < claim.stands[1] else math.inf
    verdict(claim.id, end)
    if claim.timed:
        card = verdict(claim.id, math.nextafter(end, outward))
        assert repr(card).startswith(f"Claim {claim.id} · {claim.verdict} · not in this run\n")
        assert "This run lies outside. A clock gave its number" in repr(card)
        assert "not in this run" in card._repr_html_()
        return
    with pytest.raises(AssertionError, match=rf"^Claim {claim.id}: the figure measured here, .* judge the claim again"):
        verdict(claim.id, math.nextafter(end, outward))


@pytest.fixture
def ledger(monkeypatch):
    """A ledger of two claims, one judged."""
    found = parse(ENTRY + FOUND + ENTRY.replace('"4.1"', '"4.10"'))
    monkeypatch.setattr(claims, "load", lambda: found)
    return found


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_figure_that_is_not_finite_raises(ledger, value):
    with pytest.raises(
        AssertionError, match=r"^Claim 4.1: the figure measured here is -?(nan|inf), not a finite number"
    ):
        verdict("4.1", value)


@pytest.mark.parametrize("value", [0.5, 1, True, np.float32(0.5), np.int64(1), np.array(0.5)])
def test_numbers_of_every_kind_are_accepted(ledger, value):
    assert "Claim 4.1 · holds" in repr(verdict("4.1", value))


def test_a_tensor_is_accepted(ledger):
    tf = pytest.importorskip("tensorflow")
    assert "0.5 in this run" in repr(verdict("4.1", tf.constant(0.5)))
    with pytest.raises(AssertionError, match="must be one number; got an array of shape \\(2,\\)"):
        verdict("4.1", tf.constant([0.5, 0.5]))


@pytest.mark.parametrize("value", [None, ..., "0.5", [0.5], np.array([0.5]), 1j])
def test_what_is_not_one_number_raises_one_sentence(ledger, value):
    with pytest.raises(AssertionError, match=r"^Claim 4.1: the figure must be one number; got .*\.$"):
        verdict("4.1", value)


def test_a_claim_without_verdict_or_unknown_is_a_value_error(ledger):
    with pytest.raises(ValueError, match=r"^Claim 4.10 has no verdict yet"):
        verdict("4.10", 0.5)
    with pytest.raises(ValueError, match=r"^There is no claim '4.7' in the ledger"):
        verdict("4.7", 0.5)
    with pytest.raises(ValueError, match=r"^There is no claim 'nonsense'"):
        find("nonsense")


def test_html_is_escaped(ledger):
    page = verdict("4.1", 0.5)._repr_html_()
    assert "<b>" not in page and "<i>" not in page
    assert "Some &lt;b&gt;claim&lt;/b&gt; &amp; more." in page
    assert "A &amp; B." in page


# --- reading and showing --------------------------------------------------------------------------

JUDGED_ENTRY = ENTRY + FOUND
BAD = {
    "no toml": ("[[claim]\n", "claims.toml is not valid TOML: "),
    "not a list": ("claim = 3\n", "claims.toml: each claim must start with a line [[claim]]."),
    "no id": (ENTRY.replace('id = "4.1"', ""), "claims.toml: claim number 1 of the file: id is missing."),
    "bad id": (ENTRY.replace('"4.1"', '"four"'), "claims.toml: claim four: id must be the chapter and a number"),
    "no text": (ENTRY.replace("text =", "# text ="), "claims.toml: claim 4.1: text is missing."),
    "empty text": (
        re.sub(r"text = .*", 'text = " "', ENTRY),
        "claims.toml: claim 4.1: text must be a text that is not empty; got ' '.",
    ),
    "other chapter": (ENTRY.replace('"4.2"', '"5.2"'), "claims.toml: claim 4.1: section '5.2' is not in the chapter"),
    "bad lesson": (ENTRY.replace("04_mathematics/", ""), "claims.toml: claim 4.1: lesson must be a folder and a name"),
    "unknown field": (ENTRY + "stand = [0, 1]\n", "claims.toml: claim 4.1: unknown field 'stand'; the fields are id,"),
    "half a verdict": (
        ENTRY + 'verdict = "holds"\nmeasured = 1\nstands = [0, 1]\n',
        "claims.toml: claim 4.1: a verdict needs verdict, figure, measured, interval, stands, would_change; "
        "missing: figure, interval, would_change.",
    ),
    "unknown verdict": (JUDGED_ENTRY.replace('"holds"', '"true"'), "claims.toml: claim 4.1: verdict must be one of"),
    "timed is a word": (
        JUDGED_ENTRY + 'timed = "yes"\n',
        "claims.toml: claim 4.1: timed must be true or false; got 'yes'.",
    ),
    "measured is text": (
        JUDGED_ENTRY.replace("measured = 0.5", 'measured = "0.5"'),
        "claims.toml: claim 4.1: measured must be a finite number; got '0.5'.",
    ),
    "measured is nan": (JUDGED_ENTRY.replace("measured = 0.5", "measured = nan"), "claims.toml: claim 4.1: measured"),
    "interval reversed": (
        JUDGED_ENTRY.replace("[0.4, 0.6]", "[0.6, 0.4]"),
        "claims.toml: claim 4.1: interval must be [low, high] with low <= high; got [0.6, 0.4].",
    ),
    "interval without end": (
        JUDGED_ENTRY.replace("[0.4, 0.6]", "[0.4, inf]"),
        "claims.toml: claim 4.1: both ends of interval must be finite",
    ),
    "stands is a number": (JUDGED_ENTRY.replace("[0.3, inf]", "0.3"), "claims.toml: claim 4.1: stands must be [low,"),
    "outside stands": (
        JUDGED_ENTRY.replace("[0.3, inf]", "[0.6, inf]"),
        "claims.toml: claim 4.1: measured 0.5 is outside stands [0.6, inf].",
    ),
    "twice": (ENTRY + ENTRY, "claims.toml: claim 4.1 occurs 2 times."),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_ledger_gets_one_sentence_that_names_the_claim(fault):
    text, sentence = BAD[fault]
    with pytest.raises(ValueError, match="^" + re.escape(sentence)) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_claim_is_read_as_it_stands(ledger):
    judged, still_open = ledger
    assert judged == Claim(
        id="4.1",
        section="4.2",
        text="Some <b>claim</b> & more.",
        lesson="04_mathematics/gradient_descent",
        verdict="holds",
        figure="It is 0.5 <i>nats</i>.",
        measured=0.5,
        interval=(0.4, 0.6),
        stands=(0.3, math.inf),
        would_change="A & B.",
    )
    assert judged.judged and not still_open.judged
    assert (still_open.verdict, still_open.measured, still_open.figure) == (None, None, "")
    with pytest.raises(AttributeError):
        judged.verdict = "does not hold"


def test_json_is_strict_and_complete(ledger):
    first, second = json.loads(claims.as_json(ledger), parse_constant=lambda name: pytest.fail(name))
    assert first["stands"] == [0.3, None]
    assert first["interval"] == [0.4, 0.6]
    assert second["verdict"] is None
    assert json.loads(claims.as_json(CLAIMS))[0]["id"] == "1.1"
    json.dumps([claim.to_dict() for claim in CLAIMS], allow_nan=False)


@pytest.mark.parametrize("width", [20, 32, 60, 80, 89, 90, 91, 120, 200])
def test_the_table_fits_the_terminal_and_loses_nothing(width):
    text = table(CLAIMS, width)
    assert max(map(len, text.splitlines())) <= max(width, 32)
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    words = set(re.findall(r"\w+", text))
    for claim in CLAIMS:
        assert re.search(rf"^{re.escape(claim.id)} ", text, re.MULTILINE)
        missing = [word for word in re.findall(r"\w+", claim.text + claim.figure) if word not in words]
        assert missing == [], claim.id


def test_the_table_says_open_and_counts(ledger, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = table(ledger)
    assert "4.10 open" in text
    assert text.endswith("2 claims: holds 1, open 1.")
    assert text.splitlines()[0].split() == ["id", "verdict", "claim", "figure"]
    assert table([]) == "No claims."


def test_importing_the_ledger_is_light():
    code = (
        "import sys, course.claims; course.claims.load(); "
        "print([m for m in ('numpy', 'tensorflow', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
