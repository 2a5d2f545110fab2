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


@pytest.mark.parametrize(("top", "of_a_decade"), [(9.0, 8), (100.0, 2), (900.0, 2)])
def test_between_one_decade_and_three_the_ticks_are_those_of_two_and_five(top, of_a_decade):
    fig = drawn(xscale="log")
    ax = fig.axes[0]
    ax.set(xlim=(1, top))
    plots.png(fig)
    marked = [round(tick, 6) for tick in ax.xaxis.get_minorticklocs() if 1 < tick < 10]
    assert marked == ([2, 5] if of_a_decade == 2 else [2, 3, 4, 5, 6, 7, 8, 9])


def test_ticks_that_a_figure_chose_itself_are_kept():
    from matplotlib.ticker import FixedLocator

    fig = drawn(xscale="log")
    fig.axes[0].set(xlim=(1, 100))
    fig.axes[0].xaxis.set_minor_locator(FixedLocator([3, 30]))
    plots.png(fig)
    assert list(fig.axes[0].xaxis.get_minorticklocs()) == [3, 30]


def test_a_notebook_takes_it_for_every_figure():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        plots.style()
        data, _ = shell.display_formatter.format(drawn())
        assert data["image/png"] == plots.png(drawn())
    finally:
        InteractiveShell.clear_instance()


# --- figures drawn again ----------------------------------------------------------------------------


def pair(ylabel: str = "loss", top: float = 5.0, width: float = 8.0, title: str = "", ticks: str = "") -> Figure:
    fig, axes = plots.figure(columns=2, width=width, height=3.0)
    for ax in axes:
        ax.plot([1, 2, 3], [1, top / 2, top])
        ax.set(xlabel="step", ylabel=ylabel)
        if ticks:
            ax.set_yticks([1, 2], [ticks, ticks])
    if title:
        fig.suptitle(title)
    return fig


def places(fig: Figure) -> list[tuple[float, ...]]:
    return [ax.get_position().bounds for ax in fig.axes]


@pytest.mark.parametrize("title", ["", "Both"])
def test_a_figure_drawn_again_is_the_same_to_the_bit(title):
    before, alone, again = (pair(title=title) for _ in range(3))
    plots.png(before)
    plots.lay_out_like(again, before)
    assert plots.png(again) == plots.png(alone)


def test_axes_stay_where_they_were_while_the_words_fit():
    before, again = pair(top=40.0), pair(top=5.0)  # shorter numbers at the ticks
    plots.png(before)
    plots.lay_out_like(again, before)
    plots.png(again)
    assert places(again) == places(before)


@pytest.mark.parametrize("wider", [{"ticks": "one in a million"}, {"ylabel": "loss\nin nats\na token\non other text"}])
def test_a_figure_whose_words_no_longer_fit_is_laid_out_anew(wider):
    before, alone, again = pair(), pair(**wider), pair(**wider)
    plots.png(before)
    plots.lay_out_like(again, before)
    plots.png(again)
    plots.png(alone)
    assert places(again) != places(before)
    assert places(again) == [pytest.approx(place, abs=0.01) for place in places(alone)]


@pytest.mark.parametrize("other", [{"width": 7.0}, {"title": "Both"}])
def test_a_figure_of_another_kind_takes_no_places_over(other):
    before, again = pair(), pair(**other)
    plots.png(before)
    plots.lay_out_like(again, before)
    plots.png(again)
    assert places(again) != places(before)


def test_the_places_of_a_figure_that_was_not_drawn_are_none():
    first = pair()
    plots.png(first)
    second, third = pair(), pair()
    plots.lay_out_like(second, first)
    plots.lay_out_like(third, second)  # not drawn: its words may not fit
    plots.png(third)
    assert third.get_layout_engine() is not None
