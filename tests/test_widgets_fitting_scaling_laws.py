"""Figures of lesson 5.4: they draw over the whole range of their sliders, and say the right numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from course.laws import fit_chinchilla, fit_isoflop
from course.widgets import fitting_scaling_laws as figures

TRUTH = {"E": 1.45, "A": 13.0, "B": 2600.0, "alpha": 0.38, "beta": 0.69}


def titles(fig):
    return " | ".join(ax.get_title(loc="left") or ax.get_title() for ax in fig.axes)


@pytest.fixture(scope="module")
def runs():
    """Five budgets of a known surface, with a scatter of half a percent."""
    rows = []
    for budget in np.geomspace(1e10, 1e12, 5):
        for size in np.geomspace(1500, 200_000, 10):
            tokens = budget / 6 / size
            if 1 < tokens / size < 2000:
                loss = TRUTH["E"] + TRUTH["A"] / size ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
                rows.append({"n_params": size, "tokens": tokens, "flops": budget, "budget": budget, "loss": loss})
    table = pd.DataFrame(rows)
    table["loss"] *= np.exp(0.005 * np.random.default_rng(0).standard_normal(len(table)))
    return table


@pytest.mark.parametrize("width", [1.5, 8, 30])
@pytest.mark.parametrize(("alpha", "beta"), [(0.2, 0.8), (0.5, 0.5), (0.8, 0.2)])
def test_parabola_says_its_bias(alpha, beta, width):
    text = titles(figures.draw_parabola(alpha, beta, width))
    assert f"{figures.parabola_ratio(alpha, beta, width):.2f} of the best size" in text
    assert ("no bias" in text) == (alpha == beta)


@pytest.mark.parametrize("width", [2, 5, 20])
def test_parabola_s_bias_turns_over_with_the_exponents(width):
    ratio = figures.parabola_ratio(0.3, 0.7, width)
    assert ratio < 1
    assert figures.parabola_ratio(0.7, 0.3, width) == pytest.approx(1 / ratio)
    assert figures.parabola_ratio(0.4, 0.4, width) == pytest.approx(1)


def test_parabola_agrees_with_a_fit_of_a_surface():
    C, sizes = 1e11, np.geomspace(1 / 6, 6, 9)
    best = (TRUTH["alpha"] * TRUTH["A"] / (TRUTH["beta"] * TRUTH["B"])) ** (1 / (TRUTH["alpha"] + TRUTH["beta"]))
    best *= (C / 6) ** (TRUTH["beta"] / (TRUTH["alpha"] + TRUTH["beta"]))
    N = best * sizes
    loss = TRUTH["E"] + TRUTH["A"] / N ** TRUTH["alpha"] + TRUTH["B"] / (C / 6 / N) ** TRUTH["beta"]
    c2, c1, _ = np.polyfit(np.log(N), loss, 2)
    found = figures.parabola_ratio(TRUTH["alpha"], TRUTH["beta"], 6)
    assert np.exp(-c1 / (2 * c2)) / best == pytest.approx(found, rel=1e-3)


@pytest.mark.parametrize(("alpha", "beta"), [(0.05, 0.05), (0.38, 0.69), (1.0, 1.2)])
def test_landscape(runs, alpha, beta):
    text = titles(figures.draw_landscape(runs["n_params"], runs["tokens"], runs["loss"], alpha, beta))
    rms = float(text.split("%")[0].split()[-1])
    assert "E = " in text
    assert (rms < 0.7) == ((alpha, beta) == (0.38, 0.69))


def test_sweep_and_bet(runs):
    fit = fit_chinchilla(runs["n_params"], runs["tokens"], runs["loss"], bootstrap=20)
    isoflop = fit_isoflop(runs["flops"], runs["n_params"], runs["loss"], budget=runs["budget"])
    fig = figures.draw_sweep(runs, fit, isoflop)
    assert f"{np.sqrt(np.mean(fit.residuals**2)):.1%} rms" in titles(fig)
    stars = [line for line in fig.axes[0].lines if line.get_marker() == "*"]
    assert len(stars) == sum(not one.edge for one in isoflop.optima) >= 3
    compute = np.geomspace(1e10, 5e12, 7)
    for loss, where in ((2.05, "inside"), (1.5, "outside")):
        fig = figures.draw_bet(runs, compute, 2 - 0 * compute, 1.9 + 0 * compute, 2.1 + 0 * compute, (5e12, loss))
        assert any(text.get_text() == "the run" for text in fig.axes[0].texts)
        assert where in titles(fig)


def test_residuals_say_their_medians():
    fig = figures.draw_residuals({"one": np.full(5, 0.02), "two": np.zeros(5)})
    said = " ".join(text.get_text() for ax in fig.axes for text in ax.texts)
    assert "+2.00 %" in said
    assert "+0.00 %" in said
    assert len(figures.draw_residuals({"one": np.zeros(5)}, "A title").axes) == 1


def test_porian_and_seeds():
    fig = figures.draw_porian(
        ("first", "second", "third"), {"text": [(0.8, 0.7, 0.9), (0.6, 0.5, 0.7), (0.5, 0.4, 0.6)]}
    )
    assert [tick.get_text() for tick in fig.axes[0].get_xticklabels()] == ["first", "second", "third"]
    rows = [("seed 0", 0.4, 0.3, 0.5), ("all seeds", 0.42, 0.2, 0.6)]
    assert len(figures.draw_seeds({"alpha": rows, "beta": rows}).axes) == 2
