"""Figures of lesson 1.1: they draw over their sliders' range, quickly, and say the right numbers."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pandas as pd
import pytest

from course import laws, plots
from course.widgets import power_laws as figures

SAMPLES = 1600 * 2 ** np.arange(6)


@pytest.fixture(scope="module")
def losses():
    noise = np.random.default_rng(0).normal(size=(6, 4))
    return (6 * SAMPLES**-0.1)[:, None] * np.exp(0.005 * noise)


@pytest.fixture(scope="module")
def law(losses):
    return laws.fit_power(np.repeat(SAMPLES, 4), losses.ravel(), bootstrap=200)


def titles(fig):
    parts = [ax.get_title(loc="left") or ax.get_title() for ax in fig.axes]
    return " | ".join([*parts, fig.get_suptitle()]).replace("\n", " ")


def rendered(fig):
    fig.canvas.draw()
    return titles(fig)


def test_six_points_writes_the_slope(losses):
    fig = figures.draw_six_points(SAMPLES, losses)
    rendered(fig)
    (slope,) = [text.get_text() for text in fig.axes[1].texts]
    assert float(slope.removeprefix("slope ")) == pytest.approx(-0.1, abs=0.005)


@pytest.mark.parametrize("alpha", [0.04, 0.104, 1.0])
@pytest.mark.parametrize("times", [1.05, 2.0, 4.0])
def test_price_says_the_factor(alpha, times):
    text = rendered(figures.draw_price(alpha, times))
    said = float(re.search(r"takes ([\d,.e+]+) times", text)[1].replace(",", ""))
    assert said == pytest.approx(times ** (1 / alpha), rel=0.06)


def test_forecast_tells_the_promise_then_what_came(losses, law):
    assert "ten times further" in rendered(figures.draw_forecast(SAMPLES, losses, law, (512_000,)))
    one = rendered(figures.draw_forecast(SAMPLES, losses, law, (512_000,), (1.6,), (1.5, 1.7)))
    assert "1.600 measured" in one
    expected = float(law.predict(x=[5_120_000])[0])
    two = rendered(
        figures.draw_forecast(SAMPLES, losses, law, (512_000, 5_120_000), (law.predict(x=512_000)[0], 1.1 * expected))
    )
    assert "misses by 0.0 %; two decades on, by 10 %" in two


@pytest.mark.parametrize(
    ("alpha", "floor", "decades"), list(itertools.product((0.05, 0.5, 1.0), (0.0, 0.3, 0.9), (0.3, 1.0, 3.0)))
)
def test_hidden_draws_everywhere_and_is_exact_without_a_floor(alpha, floor, decades):
    text = rendered(figures.draw_hidden(alpha, floor, decades))
    seen = float(re.search(r"says alpha (-?[\d.]+)", text)[1])
    if floor == 0:
        assert "R² 1.0000" in text
        assert "0 % " in text
        assert seen == pytest.approx(alpha, abs=0.006)
    else:
        assert seen < alpha
        assert "too low" in text


def test_over_one_decade_r_squared_does_not_see_the_bend():
    for alpha, floor in itertools.product((0.05, 0.3, 0.5), (0.1, 0.3, 0.6, 0.9)):
        text = titles(figures.draw_hidden(alpha, floor, 1.0))
        assert float(re.search(r"R² ([\d.]+):", text)[1]) > 0.97


def test_floors_writes_the_floor_of_each(losses):
    x = np.array([*SAMPLES, 512_000, 5_120_000])
    y = 0.8 + 6 * x**-0.15
    fits = {name: laws.fit_power_floor(x[:k], y[:k], bootstrap=20) for name, k in (("first six", 6), ("all", 8))}
    fig = figures.draw_floors(x, y, fits, (0.8, 0.7, 0.9))
    rendered(fig)
    said = [float(text.get_text()) for text in fig.axes[1].texts]
    assert said == pytest.approx([fits["first six"].params["E"], fits["all"].params["E"], 0.8], abs=0.006)
    through = fig.axes[0].lines[2]  # the curve of the last three points passes by them
    assert np.interp(np.log(x[-1]), np.log(through.get_xdata()), through.get_ydata()) == pytest.approx(y[-1], abs=0.01)


@pytest.mark.parametrize("known", [3, 4, 5, 6])
def test_three_forms_part_beyond_the_points(losses, known):
    loss = losses.mean(axis=1)
    text = rendered(figures.draw_three_forms(SAMPLES, loss, known, 512_000, 1.61))
    power, logarithm = map(float, re.findall(r"power law (\d\.\d+), logarithm (\d\.\d+);", text)[0])
    assert logarithm < power - 0.1
    forms = figures.three_forms(SAMPLES[:known], loss[:known], 512_000)
    assert forms["power law"][1] == pytest.approx(power, abs=0.006)
    assert forms["exponential"][1] < 0.5


@pytest.mark.parametrize("spread", [0.5, 2.0, 4.0])
def test_the_look_alike_is_straight_and_the_line_too_high(spread):
    text = rendered(figures.draw_look_alike(spread))
    assert float(re.search(r"R² ([\d.]+);", text)[1]) > 0.98
    assert float(re.search(r"line is ([\d.,e+]+) times", text)[1].replace(",", "")) > 5


def test_memories_names_the_best_at_both_ends():
    sizes = [400, 1600, 6400]
    text = rendered(figures.draw_memories(sizes, {1: [3.0, 2.7, 2.6], 6: [3.2, 2.6, 2.2]}))
    assert "At 400 characters a memory of 1 is best, at 6,400 one of 6" in text


def test_published_has_a_row_each_and_the_reader_s_own():
    fig = figures.draw_published(0.104)
    rendered(fig)
    names = [tick.get_text() for tick in fig.axes[0].get_yticklabels()]
    assert len(names) == len(set(names)) == len(figures.PUBLISHED) + 1
    assert names[-1].startswith("Yours")
    assert len(figures.draw_published().axes[0].get_yticklabels()) == len(figures.PUBLISHED)


def test_ingredients_and_compute_laws_draw_a_known_surface():
    rows = []
    for budget in np.geomspace(1e10, 1e13, 7):
        for n in 10_000 * (budget / 1e10) ** 0.5 * 2.0 ** np.arange(-2, 3):
            tokens = budget / 6 / n
            loss = 1.2 + 15 * n**-0.4 + 100 * tokens**-0.45
            rows.append((budget, round(n), tokens, loss, False))
    runs = pd.DataFrame(rows, columns=["budget", "n_params", "tokens", "loss", "diverged"])
    assert "D stays near 1M" in rendered(figures.draw_ingredients(runs, (10_000, 20_000), 1e6))

    from course.power_laws import best_by_budget

    best = {"a": best_by_budget(runs), "b": best_by_budget(runs)}
    found = {
        "a": laws.fit_power_floor(best["a"]["budget"][:5], best["a"]["loss"][:5]),
        "b": laws.fit_power(best["b"]["budget"][:5], best["b"]["loss"][:5]),
    }
    text = rendered(figures.draw_compute_laws(best, found, 5))
    off = [float(value) for value in re.findall(r"worst forecast ([\d.]+) % off", text)]
    assert off[0] < 1 < off[1]  # the surface's best losses are near a law with floor, and bend away from one without


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1, 2, (1, 2)),
        (2, 1, (1, 2)),
        (..., ..., None),
        (1, ..., None),
        ("a", 2, None),
        (-1, 2, None),
        (1, np.inf, None),
    ],
)
def test_the_reader_s_interval_is_two_numbers_or_none(low, high, expected):
    assert figures.interval_or_none(low, high) == expected


def test_figures_with_sliders_render(losses):
    plots.style()
    loss = losses.mean(axis=1)
    for fig in (
        figures.draw_price(0.2, 2.0),
        figures.draw_hidden(0.4, 0.2, 1.5),
        figures.draw_three_forms(SAMPLES, loss, 5, 512_000, 1.6),
        figures.draw_look_alike(1.5),
    ):
        fig.canvas.draw()
