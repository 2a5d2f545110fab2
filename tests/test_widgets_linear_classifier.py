"""The figures of lesson 5.2 say in their titles what the numbers say, over the sliders' whole range."""

from __future__ import annotations

import numpy as np
import pytest

from course import classifier
from course.widgets import linear_classifier as figures


def words(fig):
    return " ".join(text.get_text() for ax in fig.axes for text in [*ax.texts, ax.title, ax._left_title])


@pytest.mark.parametrize(
    ("n", "tail"),
    [(10, "P = 0.055"), (30.2, "P = 0.0007"), (1000, "10^{-85.1}"), (10_000, "10^{-839")],
)
def test_luck_is_said_in_numbers(n, tail):
    fig = figures.draw_luck(n)
    assert tail in words(fig)
    assert f"{round(n):,} coin flips" in words(fig)


@pytest.mark.parametrize(("signal", "best"), [(0.0, "50.0"), (1.0, "67.5"), (6.0, "91.1")])
def test_the_best_accuracy_of_a_signal_is_in_the_title(signal, best):
    assert best in words(figures.draw_signal(signal))


def test_the_table_of_pairs_shows_every_comparison_and_not_the_answer():
    y = np.array([1, 0, 1, 1, 0, 1, 0, 1, 0, 1])
    fig = figures.draw_table_of_pairs(y, y)
    table = np.asarray(fig.axes[0].images[0].get_array())
    assert table.shape == (10, 10) and np.diag(table).all() and table.mean() == 0.52
    assert "0.52" not in words(fig), "exercise 5.2.2 asks for it"
    wrong = np.asarray(figures.draw_table_of_pairs(1 - y, y).axes[0].images[0].get_array())
    assert not np.diag(wrong).any()


def test_the_sweep_s_title_is_its_crossing():
    sweep = classifier.coin_flip_sweep([20, 24, 28, 32, 40, 100, 1000], seeds=60)
    assert f"what {sweep.size_at(0.8)[0]:.0f} coin flips" in words(figures.draw_coin_flip_sweep(sweep))


def test_the_other_figures_draw():
    losses = np.linspace(1.2, 0.7, 101)
    figures.draw_loss_curve(losses, np.log(2), "title", "floor")
    figures.draw_many_starts(np.tile(losses, (50, 1)).T, np.linspace(0.45, 0.55, 50))
    n = np.array([40, 80, 160, 320])
    scores = np.outer(2 * n**-0.5, np.linspace(0.9, 1.1, 5))
    fig = figures.draw_learning_curve(classifier.LearningCurve(n, scores, 3 * scores), slice(0, 3), "Digits")
    assert "n^{-0.50}" in words(fig)
