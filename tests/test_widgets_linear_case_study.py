"""Figures of lesson 4.3: they draw over the whole range of their sliders, and say the right numbers."""

from __future__ import annotations

import numpy as np
import pytest

from course import linear, toy_laws
from course.widgets import linear_case_study as figures


def titles(fig):
    return " | ".join(ax.get_title(loc="left") or ax.get_title() for ax in fig.axes)


@pytest.mark.parametrize("signal", [0.0, 0.1, 2.0, 8.0])
def test_signal(signal):
    assert f"{linear.irreducible_loss(signal):.3f} nats" in titles(figures.draw_signal(signal))


@pytest.mark.parametrize(("n", "d"), [(40, 1), (40, 20), (1000, 1), (1000, 10)])
def test_spread(n, d):
    text = titles(figures.draw_spread(n, d))
    assert f"n/d = {n / d:.3g}" in text
    if (n, d) == (40, 20):
        assert "Too few data sets have a minimum" in text


@pytest.mark.parametrize(("floor", "slope"), [(0.0, -0.02), (linear.irreducible_loss(2.0), -1.0)])
def test_floor(floor, slope):
    text = titles(figures.draw_floor(floor))
    assert float(text.split("slope ")[1].split(",")[0]) == pytest.approx(slope, abs=0.005)


def test_floor_above_the_losses_is_drawn_and_said():
    fig = figures.draw_floor(0.464)
    assert any("points lie below" in text.get_text() for text in fig.axes[0].texts)


def test_decades_and_laws():
    ratios = dict.fromkeys((100, 1000, 10000), (1.0, 0.9, 1.1))
    assert figures.draw_decades(ratios, ratios).axes
    fig = figures.draw_laws([toy_laws.measure(law) for law in toy_laws.laws("test")])
    assert fig.axes[1].get_yticklabels()[0].get_text() == "Zipf keys, alpha = 0.5"


@pytest.mark.parametrize(
    ("points", "k", "said"), [(2, 1, "N = 2,"), (32, 2, "N = 32^2 = 1,024"), (64, 3, "N = 64^3 = 262,144")]
)
def test_grid(points, k, said):
    assert said in titles(figures.draw_grid(points, k))


def test_the_grid_s_fit_is_a_fit_of_the_curve_beside_it():
    curve, fit = figures.draw_grid(64, 1).axes[0].lines
    at_knots = np.interp(fit.get_xdata(), curve.get_xdata(), curve.get_ydata())
    assert np.abs(at_knots - fit.get_ydata()).max() < 0.01


@pytest.mark.parametrize(("n", "alpha"), [(10, 0.2), (1000, 0.5), (100_000, 2.0)])
def test_keys(n, alpha):
    fig = figures.draw_keys(n, alpha)
    assert titles(fig)
    if (n, alpha) == (1000, 0.5):
        words = titles(fig) + " ".join(text.get_text() for ax in fig.axes for text in ax.texts)
        assert "52 keys" in words
