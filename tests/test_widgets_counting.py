"""Figures of lesson 2.1: they draw over their sliders' range and say the right numbers."""

from __future__ import annotations

import itertools

import pytest

from course.compiled import Moment
from course.counting import count_shape
from course.models import TransformerShape
from course.published_models import CHINCHILLA
from course.widgets import counting as figures


def titles(fig):
    return " | ".join(ax.get_title(loc="left") or ax.get_title() for ax in fig.axes)


def words(fig):
    return [text.get_text() for ax in fig.axes for text in ax.texts]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.50 kB"), (26_400_000, "26.4 MB"), (349e9, "349 GB"), (9.9999e5, "1.00 MB")],
)
def test_amounts_have_three_digits_and_a_prefix(value, text):
    assert figures.amount(value, "B") == text


def test_parts_of_a_model_add_up_to_its_counts():
    parts = figures.parts_of(48, 3, 500, 40)
    c = count_shape(TransformerShape(40, 500, 48, 3, 1, 192, 500))
    assert sum(parts["parameters"].values()) == c.n_params
    assert sum(parts["FLOPs a token"].values()) == c.forward_flops_per_token
    bytes_to_train = parts["bytes to train"]
    assert sum(bytes_to_train.values()) - bytes_to_train["activations"] == 16 * c.n_params
    assert all(value > 0 for shares in parts.values() for value in shares.values())


@pytest.mark.parametrize(
    ("d_model", "layers", "vocabulary", "context"),
    list(itertools.product((16, 16384), (1, 96), (100, 100_000), (16, 100_000))),
)
def test_the_bars_of_a_model_draw_over_the_sliders_range(d_model, layers, vocabulary, context):
    fig = figures.draw_model(d_model, layers, vocabulary, context)
    fig.canvas.draw()
    widths = [
        sum(patch.get_width() for patch in fig.axes[0].patches if round(patch.get_y() + 0.31) == row)
        for row in range(3)
    ]
    assert widths == pytest.approx([100, 100, 100])


def test_the_bars_say_parameters_and_flops():
    assert titles(figures.draw_model(256, 4, 8000, 256)) == (
        "7.24 million parameters; a token takes 1.58 FLOPs forward for each of them"
    )
    assert any("embedding\n28 %" in text for text in words(figures.draw_model(256, 4, 8000, 256)))


def test_conventions_are_lines_over_the_exact_count():
    fig = figures.draw_conventions(
        {"a": [m.decoder.counts() for m in CHINCHILLA[:3]], "b": [CHINCHILLA[-1].decoder.counts()]}
    )
    assert {line.get_label() for line in fig.axes[0].lines} >= {"6N", "6N-body", "no-head"}
    six = next(line for line in fig.axes[0].lines if line.get_label() == "6N")
    assert six.get_ydata()[0] == pytest.approx(0.749, abs=0.001)
    shares = fig.axes[2].lines[0].get_ydata()
    assert shares[0] == pytest.approx(37.5, abs=0.1)


def test_step_memory_starts_where_the_step_begins_and_names_each_peak():
    moments = [Moment("x", 0), Moment("a", 0), Moment("b", 1_000_000), Moment("c", 3_000_000), Moment("d", 0)]
    fig = figures.draw_step_memory({64: moments, 32: moments[:3]}, 2e6)
    assert len(fig.axes[0].lines[1].get_xdata()) == 3
    assert any("batch 64: 3.00 MB" in text for text in words(fig))
    assert any("2.00 MB" in text for text in words(fig))


def test_sizes_are_in_order_and_counted_against_a_billion():
    fig = figures.draw_sizes({"b": (2e9, "large"), "a": (11, ""), "c": (1e9, "")})
    assert titles(fig) == "2 of these 3 models have a billion parameters or more"
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["a", "c", "b"]
    assert "2 billion, large" in words(fig)
