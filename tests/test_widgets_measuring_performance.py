"""Figures of lesson 3.4: they draw over their sliders' range and say the right numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from course.laws import fit_power
from course.widgets import measuring_performance as figures


def titles(fig):
    return " | ".join(ax.get_title(loc="left") or ax.get_title() for ax in fig.axes)


@pytest.fixture(scope="module")
def family():
    """Sizes, right or wrong of each of three seeds on 2,000 items, and log losses, all on known laws."""
    rng, sizes = np.random.default_rng(0), np.geomspace(300, 30_000, 7)
    error = 5 * sizes**-0.4
    right = rng.random((7, 3, 2000)) > error[:, None, None]
    losses = 3 * sizes[:, None] ** -0.3 * np.exp(0.02 * rng.normal(size=(7, 3)))
    return sizes, right, losses


@pytest.mark.parametrize("n", [10, 200, 400])
def test_coverage_says_how_far_the_textbooks_interval_drops(n):
    fig = figures.draw_coverage(n)
    textbook = fig.axes[0].lines[0].get_ydata()
    wilson = fig.axes[0].lines[1].get_ydata()
    assert textbook.min() < 70 < wilson[:200].min()
    assert str(n) in titles(fig)


def test_the_textbooks_interval_of_a_perfect_score_has_no_width():
    low, high = figures.wald(30, 30)
    assert low == high == 1


@pytest.mark.parametrize("length", [1, 10, 20])
def test_the_emergence_curve_is_p_to_the_length(length, family):
    sizes, right, losses = family
    fig = figures.draw_emergence(length, sizes, right, losses)
    left = fig.axes[0]
    p = right.mean(axis=(1, 2))
    assert left.lines[0].get_ydata()[[0, -1]] == pytest.approx(p[[0, -1]] ** length)
    assert f"Strings of {length}:" in titles(fig)
    assert "49 %" in titles(fig) or "50 %" in titles(fig) or "51 %" in titles(fig)


def test_a_string_that_nobody_reads_is_drawn_at_zero(family):
    sizes, right, losses = family
    fig = figures.draw_emergence(20, sizes, np.zeros_like(right), losses)
    assert "0 % of the rise" in titles(fig)


def test_the_measures_say_their_exponents(family):
    sizes, right, losses = family
    values = {"log loss": losses, "error": 1 - right.mean(axis=-1), "1 - F1": losses / 2, "calibration": losses**0}
    fits = {name: fit_power(sizes[:-1], values[name][:-1].mean(axis=1)) for name in ("log loss", "error")}
    found = titles(figures.draw_measures(sizes, values, fits))
    assert "log loss falls as N^-0.30" in found
    assert "calibration: hardly a law" in found


def test_text_leaves_out_what_was_never_right():
    found = {
        w: {"p": p, "in order": [p, p / 2, p / 4, p / 9], "shuffled": [p, p**3, p**9, 0]}
        for w, p in ((8, 0.4), (9, 0.6))
    }
    fig = figures.draw_text((1, 3, 9, 20), found)
    assert "p = 0.40" in titles(fig)
    drawn = [line.get_ydata() for line in fig.axes[0].lines if len(line.get_ydata()) == 3]
    assert drawn and all((values > 0).all() for values in drawn)


def test_leaks_name_the_highest():
    fig = figures.draw_leaks({"clean": np.full(5, 0.5), "leak": np.full(5, 0.87)})
    assert "87 %" in titles(fig)
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["clean", "leak"]


def test_seeds_give_the_pooled_deviation(family):
    sizes, right, losses = family
    fig = figures.draw_seeds(sizes, losses, right.mean(axis=-1), 2000)
    pooled = float(titles(fig).split()[2])
    assert pooled == pytest.approx(2, abs=0.8)


@pytest.mark.parametrize(
    "sliders",
    [
        (8, 2.0, 2.0, 3, 0.2),
        (4, 0.5, 10.0, 1, 0.8),
        (16, 5.0, 0.5, 20, 0.0),
        (4, 5.0, 0.5, 1, 0.8),
        (16, 0.5, 10.0, 20, 0.0),
    ],
)
def test_the_design_draws_at_the_ends_of_its_sliders(sliders):
    fig = figures.draw_design(*sliders)
    assert f"{sliders[0]} sizes x {sliders[3]} seeds = {sliders[0] * sliders[3]} runs" in titles(fig)
    said = " ".join(text.get_text() for text in fig.axes[1].texts)
    assert "straight line" in said and "floor fitted" in said
    assert "nan" not in said


def sweep(alpha=0.5, beta=0.5):
    rows = []
    for n in (1e3, 4e3, 16e3, 64e3):
        for tokens in np.geomspace(1e4, 1e8, 30):
            for seed in (0, 1):
                loss = 1 + 10 * n**-alpha + 100 * tokens**-beta
                rows.append({"n_params": n, "tokens": tokens, "flops": 6 * n * tokens, "loss": loss, "seed": seed})
    return pd.DataFrame(rows)


def test_what_a_loss_takes_is_read_off_the_sweep():
    needs = figures.to_reach(sweep(), 1.5)
    for row in needs.itertuples():
        exact = (100 / (0.5 - 10 * row.n_params**-0.5)) ** 2
        assert row.tokens == pytest.approx(exact, rel=0.02)
        assert row.flops == pytest.approx(6 * row.n_params * exact, rel=0.02)
    assert needs["tokens"].is_monotonic_decreasing
    assert 0 < needs["flops"].argmin() < len(needs) - 1 or needs["flops"].argmin() == 0
    ratio = needs["flops"].iloc[-1] / needs["flops"].min()
    assert f"{ratio:.0f} times" in titles(figures.draw_price(needs, 1.5))


def test_a_loss_that_no_size_brackets_is_refused():
    with pytest.raises(ValueError, match="No size"):
        figures.to_reach(sweep(), 0.5)


def test_robustness_says_what_noise_takes_at_both_ends():
    clean = np.array([[0.5, 0.52], [0.3, 0.3], [0.1, 0.1]])
    fig = figures.draw_robustness([100, 1000, 10_000], clean, clean + np.array([[0.05], [0.1], [0.2]]))
    assert "Noise takes 5 points from the smallest model, 20 from the largest" in titles(fig)
    assert {text.get_text() for text in fig.axes[0].texts} == {"with noise", "as they are"}
