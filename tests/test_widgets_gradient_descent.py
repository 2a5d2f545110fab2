"""Lesson 4.2's figures draw at the ends of their sliders, in time, and show what they say."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from course import descent, plots
from course.widgets import gradient_descent as figures


@pytest.fixture(autouse=True)
def _styled():
    with matplotlib.rc_context():
        plots.style()
        yield
    plt.close("all")


def _drawn(fig):
    fig.canvas.draw()
    return fig


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("step", [0.05, 0.5, 1.0, 1.95, 2.0, 2.5])
@pytest.mark.parametrize("curvature", [0.5, 1.0, 2.0])
def test_bowl_says_what_happens(step, curvature):
    title = _drawn(figures.draw_bowl(step, curvature)).axes[1].get_title(loc="left")
    factor = abs(1 - step * curvature)
    assert ("climbs out" in title) == (factor > 1 + 1e-9)
    assert ("never comes closer" in title) == (abs(factor - 1) < 1e-9)
    assert ("home in one step" in title) == (factor < 1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("share", [0.05, 0.9, 1.0, 1.1])
@pytest.mark.parametrize("kappa", [1.0, 100.0])
@pytest.mark.parametrize("degrees", [0.0, 90.0])
def test_valley_path_is_the_sum_of_its_directions(share, kappa, degrees):
    right = _drawn(figures.draw_valley(share, kappa, degrees)).axes[1]
    steep, shallow, total = (line.get_ydata() for line in right.lines[:3])
    assert np.allclose(steep + shallow, total, rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("a", "b", "modes"), [(1.2, 0.5, 10.0), (3.5, 3.0, 10.0), (2.0, 2.0, 3000.0)])
def test_spectrum_law_draws(a, b, modes):
    ax = _drawn(figures.draw_spectrum_law(a, b, modes)).axes[0]
    assert f"t^-{descent.time_exponent(a, b):.2f}" in ax.get_title(loc="left")


def test_static_figures_draw():
    shares = np.array([0.5, 0.9, 1.1])
    run = {"left": [0.1, 0.01, np.inf], "limit": 0.15}
    fig = _drawn(figures.draw_thresholds(shares, run, {"left": [0.1, 0.01, 0.2], "limit": 20.0}))
    assert any("off the scale" in text.get_text() for text in fig.axes[0].texts)
    assert not any("off the scale" in text.get_text() for text in fig.axes[1].texts)

    times = np.unique(np.logspace(0, 5, 61).astype(int))
    curvatures, errors = descent.power_law_modes(30, 2, 2)
    parts = descent.mode_losses(curvatures, errors, 1.0, times)
    assert "30 exponentials" in figures.draw_modes(times, parts.sum(axis=1), parts).axes[0].get_title(loc="left")

    law = descent.asymptotic_loss(2, 2, 1.0, times)
    rows = [(0.5, 0.51, 0.5, 0.45, 0.55)] * 6
    _drawn(figures.draw_exponents(times, {30: parts.sum(axis=1), 300: law, 3000: law}, law, rows))
    names = ("gradient descent", "momentum", "Adam, turned", "Adam, axes")
    fig = _drawn(figures.draw_conditioning([10, 100, 1000], {name: [10, 100, np.nan] for name in names}))
    assert {text.get_text() for text in fig.axes[0].texts} == set(names)
    _drawn(figures.draw_noise([0.01, 0.1], [0.1, 1.0], [0.09, 0.9], [0.11, 1.1], [0.1, 1.0]))
