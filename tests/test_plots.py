"""The PNG that a notebook shows: as large as its figure, nothing cut, no ticks that say nothing."""

from __future__ import annotations

import struct

import pytest
from matplotlib.figure import Figure

from course import plots


@pytest.fixture(autouse=True)
def _styled():
    import matplotlib as mpl

    with mpl.rc_context():
        plots.style()
        yield


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def drawn(title: str = "A title", **scales: str) -> Figure:
    fig, ax = plots.figure(width=5.0, height=3.0)
    ax.plot([1, 10, 1000], [1, 20, 30])
    ax.set(title=title, **scales)
    return fig


def test_a_figure_has_the_size_that_it_was_given():
    assert size(plots.png(drawn())) == (500, 300)


@pytest.mark.parametrize("place", ["title", "label", "figure"])
def test_words_beyond_the_edge_are_not_cut(place):
    fig, long = drawn(), "one word after another " * 5
    if place == "title":
        fig.axes[0].set_title(long)
    elif place == "label":
        fig.axes[0].set_ylabel(long)
    else:
        fig.text(0.5, 0.5, long)
    width, height = size(plots.png(fig))
    assert height > 400 if place == "label" else width > 700


def test_what_is_hidden_or_empty_makes_no_figure_larger():
    fig = drawn()
    fig.text(2.0, 2.0, "far outside").set_visible(False)
    fig.text(3.0, 3.0, "")
    assert size(plots.png(fig)) == (500, 300)


@pytest.mark.parametrize(("decades", "kept"), [(2, True), (3, True), (4, False), (9, False)])
def test_minor_ticks_are_left_out_over_many_decades(decades, kept):
    fig = drawn(xscale="log", yscale="log")
    ax = fig.axes[0]
    ax.set(xlim=(1, 10**decades), ylim=(1, 100))
    plots.png(fig)
    assert bool(len(ax.xaxis.get_minorticklocs())) is kept
    assert len(ax.yaxis.get_minorticklocs())
    assert len(ax.xaxis.get_majorticklocs()) >= 3


def test_a_notebook_takes_it_for_every_figure():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        plots.style()
        data, _ = shell.display_formatter.format(drawn())
        assert data["image/png"] == plots.png(drawn())
    finally:
        InteractiveShell.clear_instance()
