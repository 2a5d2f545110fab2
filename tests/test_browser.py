"""The course as a reader meets it: JupyterLab started by `make lab`, in a browser.

Skipped where there is no browser. Screenshots are kept in build/browser-tests, or the folder that
`COURSE_ARTEFACTS` names, to be looked at.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import unquote
from xml.etree import ElementTree

import nbformat
import pytest
from browser import ARGUMENTS, MINUTE, ROOT, Lab, Notebook, artefacts, executable, missing

from course import lessons
from course.diagram import Arrow, Diagram
from course.exercises import registry

LESSON = lessons.find("4.1")
"""The lesson that is done here: quick, the same on every machine, with exercises and a slider."""

FIRST = lessons.LESSONS[0]


@pytest.fixture(scope="module")
def context():
    """A browser's window, as it were: its pages share the cookies."""
    if reason := missing():
        pytest.skip(reason)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=MINUTE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS), timeout=3 * MINUTE)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(2 * MINUTE)
        yield context
        browser.close()


@pytest.fixture(scope="module")
def lab(context, tmp_path_factory):
    """JupyterLab, started once for all tests of this file."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        lab.address()
        yield lab
    finally:
        lab.stop()


def _keep(page, name: str) -> None:
    page.screenshot(path=artefacts() / f"{name}.png")


@pytest.fixture
def page(context, request):
    """A new page; what it shows at the end is kept."""
    page = context.new_page()
    yield page
    _keep(page, request.node.name.removeprefix("test_"))
    page.close()


@pytest.fixture(scope="module")
def lesson(context, lab):
    """Lesson 4.1's student notebook, run from top to bottom as it is handed out."""
    page = context.new_page()
    page.goto(lab.opened(f"notebooks/{LESSON.path}.ipynb"))
    notebook = Notebook(page)
    notebook.run_all()
    yield notebook
    page.close()


def _picture(image) -> bool:
    """Whether an image on the page has been read and is not broken."""
    return image.evaluate("image => image.decode().then(() => image.naturalWidth > 0, () => false)")


def _text(message: str) -> str:
    """A message as the page shows it, without the marks of code."""
    assert "*" not in message
    return message.replace("`", "")


# --- JupyterLab -----------------------------------------------------------------------------------


def test_jupyterlab_opens_at_the_first_lesson(lab, page):
    from playwright.sync_api import expect

    page.goto(lab.address())
    Notebook(page)
    expect(page.locator(".jp-Notebook h1").first).to_contain_text(f"{FIRST.number} {FIRST.title}")
    expect(page.locator(".lm-TabBar-tab.jp-mod-current").filter(has_text=f"{FIRST.name}.ipynb")).to_have_count(1)
    expect(page.locator(".jp-Dialog")).to_have_count(0)


def test_a_students_notebook_runs_from_top_to_bottom(lab, lesson):
    cells = lesson.cells()
    errors = [o["evalue"] for cell in cells for o in cell["outputs"] if o["output_type"] == "error"]
    assert errors == []
    assert [cell["source"] for cell in cells if cell["type"] == "code" and cell["count"] is None] == []
    # What is saved is what is seen: numbered cells and every exercise "not written".
    lesson.save()
    saved = nbformat.read(lab.root / "notebooks" / f"{LESSON.path}.ipynb", as_version=4)
    checks = [cell for cell in saved.cells if any(t.startswith("check-") for t in cell.metadata.get("tags", ()))]
    assert len(checks) == sum(exercise.lesson == LESSON.number for exercise in registry().values())
    for cell in checks:
        assert "not written" in "".join(map(str, cell.outputs)).lower()
    lesson.show(0)
    _keep(lesson.page, "lesson-has-run")


# --- an exercise ----------------------------------------------------------------------------------


def test_a_wrong_answer_gets_its_sentence_and_the_right_one_passes(lab, lesson):
    from playwright.sync_api import expect

    exercise = registry()["4.1.3"]
    (mistake,) = (mistake for mistake in exercise.mistakes if mistake.name == "no mean")
    answer, check = lesson.index(tag="exercise-4.1.3"), lesson.index(tag="check-4.1.3")

    lesson.write(
        answer,
        "def gradient_of_logistic_loss(w, X, y):\n    return X.T @ (sigmoid(X @ w) - y)  # a student's slip\n",
    )
    lesson.run(answer)
    said = lesson.run(check).locator(".jp-OutputArea")
    expect(said).to_contain_text("Not yet")
    expect(said).to_contain_text(_text(mistake.message))
    hint = said.get_by_text(exercise.hints[0])
    expect(hint).not_to_be_visible()
    said.get_by_text("Hint 1 of").click()
    expect(hint).to_be_visible()
    _keep(lesson.page, "wrong-answer")

    answered = nbformat.read(ROOT / "solutions" / f"{LESSON.path}.ipynb", as_version=4)
    lesson.write(answer, answered.cells[answer].source)
    lesson.run(answer)
    said = lesson.run(check).locator(".jp-OutputArea")
    expect(said).to_contain_text("Passed")
    expect(said).not_to_contain_text("Not yet")
    _keep(lesson.page, "right-answer")

    noted = json.loads((lab.home / "progress" / "4.1.3.json").read_text(encoding="utf-8"))
    assert (noted["status"], noted["mistakes"]) == ("passed", ["no mean"])


# --- a slider -------------------------------------------------------------------------------------


def test_a_slider_moves_and_the_figure_changes(lesson):
    from playwright.sync_api import expect

    cell = lesson.show(lesson.index(source="explore("))
    handle, figure, readout = (cell.locator(where).first for where in (".noUi-handle", "img", ".widget-readout"))
    expect(figure).to_be_visible()
    first, number = figure.get_attribute("src"), readout.inner_text()
    assert base64.b64decode(first.partition(",")[2]).startswith(b"\x89PNG")
    _keep(lesson.page, "slider-before")
    handle.focus()
    for _ in range(10):
        lesson.page.keyboard.press("ArrowLeft")
    expect(readout).not_to_have_text(number)
    expect(figure).not_to_have_attribute("src", first)
    lesson.wait_for_kernel()
    expect(cell.locator("img")).to_have_count(1)
    _keep(lesson.page, "slider-after")
    # Back where it was, the figure is the first one again: it follows the slider, not the keys.
    for _ in range(10):
        lesson.page.keyboard.press("ArrowRight")
    expect(readout).to_have_text(number)
    expect(figure).to_have_attribute("src", first)


# --- what only a browser can draw -----------------------------------------------------------------

LABELS = ("parameters N", 'a "quoted" <b> & `code`', "C = 6 N D", "exponent\n-0.5 ± 0.1")
DIAGRAM = Diagram(
    {"N": LABELS[0], "D": LABELS[1], "C": LABELS[2]},
    [Arrow("N", "C", LABELS[3]), Arrow("D", "C")],
    "A *title*: two arrows",
)
BROKEN = "graph LR\n  A -->"
RELATIONS = lessons.find("2.2")
"""The lesson whose answered edition holds the article's diagram."""


def _shown(drawn) -> str:
    """The text in a diagram that is drawn as a picture."""
    assert _picture(drawn)
    svg = unquote(drawn.get_attribute("src").partition(",")[2])
    return " ".join(" ".join(ElementTree.fromstring(svg).itertext()).split())


def test_mermaid_is_drawn_in_outputs_and_in_prose(lab, page):
    from playwright.sync_api import expect

    cells = []
    for bundle in (DIAGRAM._repr_mimebundle_(), {"text/vnd.mermaid": BROKEN, "text/plain": "broken"}):
        output = nbformat.v4.new_output("display_data", bundle)
        cells.append(nbformat.v4.new_code_cell("diagram", outputs=[output], execution_count=1))
        cells.append(nbformat.v4.new_markdown_cell(f"```mermaid\n{bundle['text/vnd.mermaid']}\n```"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), lab.root / "mermaid.ipynb")
    page.goto(lab.opened("mermaid.ipynb"))
    Notebook(page)
    for where in (".jp-OutputArea", ".jp-MarkdownOutput"):
        drawn = page.locator(f"{where} .jp-RenderedMermaid:not(.jp-mod-warning) img")
        expect(drawn).to_have_count(1)
        for text in (DIAGRAM.title, *LABELS):
            assert " ".join(text.split()) in _shown(drawn)
        # What a broken one looks like, so that it would be seen.
        expect(page.locator(f"{where} .jp-RenderedMermaid.jp-mod-warning")).to_have_count(1)


@pytest.mark.skipif(not (ROOT / f"solutions/{RELATIONS.path}.ipynb").is_file(), reason="lesson 2.2 is not built yet")
def test_the_articles_diagram_is_drawn_in_its_lesson(lab, page):
    path = f"solutions/{RELATIONS.path}.ipynb"
    answered = nbformat.read(lab.root / path, as_version=4)
    holding = [
        index
        for index, cell in enumerate(answered.cells)
        if any("text/vnd.mermaid" in output.get("data", {}) for output in cell.get("outputs", ()))
    ]
    assert holding
    page.goto(lab.opened(path))
    notebook = Notebook(page)
    for index in holding:
        drawn = notebook.show(index).locator(".jp-RenderedMermaid:not(.jp-mod-warning) img").first
        drawn.wait_for()
        assert _shown(drawn)
        _keep(page, f"diagram-{index}")


_UNREADABLE = r"""() => {
  const prose = document.querySelector(".jp-MarkdownViewer .jp-RenderedMarkdown").cloneNode(true);
  const marked = prose.querySelectorAll("mjx-merror, mjx-mtext[style*='red']");  // an error, an unknown command
  const errors = Array.from(marked, mark => mark.closest("mjx-container").querySelector("math").textContent);
  prose.querySelectorAll("mjx-container, code, pre").forEach(element => element.remove());
  return errors.concat(prose.textContent.match(/\$[^$\n]+\$|\\[a-zA-Z]+.{0,40}/g) ?? []);
}"""

FAULTY = {r"$\nosuch x$": r"\nosuchx", r"$\frac{1}{2$": r"$\frac{1}{2$", "$x_1_2$": "x_1_2"}
"""What cannot be read, and how the page shows it: an unknown command, a brace too few, two subscripts."""


def test_every_formula_of_every_lesson_can_be_read(lab, page):
    """All prose on one page, where JupyterLab draws the formulas as it does in a notebook."""
    prose = []
    for path in sorted((lab.root / "notebooks").rglob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        prose += [cell.source for cell in cells if cell.cell_type == "markdown"]
    (lab.root / "prose.md").write_text("\n\n".join([*prose, *FAULTY]), encoding="utf-8")
    page.goto(lab.opened("README.md"))
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget", polling=100)
    page.evaluate(
        "() => { window.jupyterapp.commands.execute('docmanager:open', {path: 'prose.md', factory: 'Markdown Preview'}); }"
    )
    page.locator(".jp-MarkdownViewer mjx-merror").last.wait_for()
    assert page.locator(".jp-MarkdownViewer mjx-container").count() > 100
    assert sorted(page.evaluate(_UNREADABLE)) == sorted(FAULTY.values())


# --- the answered edition on the web --------------------------------------------------------------


ANSWERED = {lesson.name: lesson for lesson in lessons.LESSONS if (ROOT / f"solutions/{lesson.path}.ipynb").is_file()}


@pytest.mark.parametrize("name", ANSWERED)
def test_the_answered_edition_opens_as_a_web_page(name, page, tmp_path):
    from nbconvert import HTMLExporter
    from playwright.sync_api import expect

    lesson = ANSWERED[name]
    source = ROOT / "solutions" / f"{lesson.path}.ipynb"
    html, _ = HTMLExporter().from_filename(str(source))
    path = tmp_path / "lesson.html"
    path.write_text(html, encoding="utf-8")
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    images = page.locator("img").all()
    cells = nbformat.read(source, as_version=4).cells
    kinds = [set(output.get("data", {})) for cell in cells for output in cell.get("outputs", ())]
    assert len(images) >= sum("image/png" in kind for kind in kinds) > 0
    # Mermaid would be drawn by a script from the network: a page shows the diagram's picture.
    expect(page.locator("pre.mermaid")).to_have_count(0)
    broken = [image.get_attribute("alt") for image in images if not _picture(image)]
    assert set(broken) <= {"Open in Colab"}, "only the badge comes from the network"
    assert page.locator("h1").first.inner_text().startswith(f"{lesson.number} {lesson.title}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280, "the page is wider than the window"
