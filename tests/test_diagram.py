"""The flow chart: the same nodes and arrows as Mermaid, as a picture and as text."""

from __future__ import annotations

import base64

import pytest

from course.diagram import MERMAID, Arrow, Diagram

CHART = Diagram(
    {"A": "model size", "B": "compute", "C": "time", "D": "resources\n(seconds)"},
    [Arrow("A", "B", "N^1.0\n[0.9, 1.1]"), Arrow("A", "C"), Arrow("B", "D", 'a "b" <c> `d` & e')],
    title="Size decides",
)


def test_mermaid_has_every_node_and_arrow():
    assert CHART.mermaid().splitlines() == [
        "---",
        'title: "Size decides"',
        "---",
        "graph TB",
        '    A["model size"]',
        '    B["compute"]',
        '    C["time"]',
        '    D["resources<br/>(seconds)"]',
        '    A -- "N^1.0<br/>[0.9, 1.1]" --> B',
        "    A --> C",
        '    B -- "a #quot;b#quot; #lt;c#gt; #96;d#96; #amp; e" --> D',
    ]


def test_rows_follow_the_arrows():
    assert CHART.layers() == [["A"], ["B", "C"], ["D"]]
    long_way = Diagram(dict.fromkeys("ABC", "x"), [Arrow("A", "C"), Arrow("A", "B"), Arrow("B", "C")])
    assert long_way.layers() == [["A"], ["B"], ["C"]]


def test_children_stand_under_their_parents():
    crossed = Diagram(dict.fromkeys("ABCDE", "x"), [Arrow(*"AB"), Arrow(*"AC"), Arrow(*"CD"), Arrow(*"BE")])
    assert crossed.layers()[2] == ["E", "D"]


def test_the_bundle_has_mermaid_a_picture_and_text():
    bundle = CHART._repr_mimebundle_()
    assert set(bundle) == {MERMAID, "image/svg+xml", "image/png", "text/plain"}
    assert "<svg" in bundle["image/svg+xml"]
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "compute -> resources (seconds)" in bundle["text/plain"]
    assert bundle == CHART._repr_mimebundle_()  # the same bytes each time, so that a build can be repeated


def test_the_picture_shows_every_text_and_none_overlap():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    fig = CHART.draw()
    FigureCanvasAgg(fig).draw()
    shown = [text for text in fig.axes[0].texts if text.get_text()]
    assert {text.get_text() for text in shown} == {*CHART.nodes.values(), *(a.label for a in CHART.arrows if a.label)}
    boxes = [text.get_window_extent() for text in shown]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


@pytest.mark.parametrize(
    ("nodes", "arrows", "word"),
    [
        ({}, [], "at least one"),
        ({"A b": "x"}, [], "letters and digits"),
        ({"end": "x"}, [], "'end'"),
        ({"A": "x"}, [Arrow("A", "B")], "there is not"),
        ({"A": "x", "B": "y"}, [Arrow("A", "B"), Arrow("B", "A")], "circle"),
    ],
)
def test_what_is_no_chart_is_refused(nodes, arrows, word):
    with pytest.raises(ValueError, match=word):
        Diagram(nodes, arrows)


def test_an_exported_page_shows_the_picture_and_needs_no_network():
    nbformat = pytest.importorskip("nbformat")
    nbconvert = pytest.importorskip("nbconvert")
    output = nbformat.v4.new_output("execute_result", CHART._repr_mimebundle_(), execution_count=1)
    cell = nbformat.v4.new_code_cell("chart", outputs=[output], execution_count=1)
    page, _ = nbconvert.HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    body = page[page.index("<body") :]
    assert "<svg" in body or "data:image/svg+xml" in body
    assert '<pre class="mermaid">' not in body
