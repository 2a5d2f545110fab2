"""Lesson 4.1's figures draw at the ends of their sliders, in time, and show what they say."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest

from course.losses import sigmoid
from course.widgets import cross_entropy_gradient as figures


def _drawn(fig):
    fig.canvas.draw()
    return fig


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.75, 1.0])
def test_coin_marks_the_minimum(share):
    ax = _drawn(figures.draw_coin(share)).axes[0]
    full = ax.lines[0]
    lowest = full.get_xdata()[np.argmin(full.get_ydata())]
    assert abs(lowest - np.clip(share, 0.01, 0.999)) < 0.01


@pytest.mark.parametrize("z", [-6.0, 0.0, 1.5, 6.0])
@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
def test_tangent_has_slope_p_minus_y(z, y):
    left, _ = _drawn(figures.draw_loss_and_tangent(z, y)).axes
    (x0, x1), (l0, l1) = left.lines[1].get_xdata(), left.lines[1].get_ydata()
    assert (l1 - l0) / (x1 - x0) == pytest.approx(float(sigmoid(z)) - y, abs=1e-9)


def test_static_figures_draw():
    steps = np.unique(np.logspace(0, 3, 40).astype(int))
    run = {"loss": 1 / steps, "negatives": 1 - 0.5 / steps}
    assert len(_drawn(figures.draw_training(steps, run, run, 0.5)).axes) == 2
    h = np.logspace(-12, -1, 23)
    fig = figures.draw_step_errors(h, {"forward": h, "central": h**2}, {"forward": 1.0, "central": 2.0})
    assert "slope 2.00" in " ".join(text.get_text() for text in _drawn(fig).axes[0].texts)
