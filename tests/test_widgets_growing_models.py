"""Figures of lesson 3.1: they draw over their sliders' range and say the right numbers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from course.widgets import growing_models as figures

RATES = 0.001 * 2.0 ** np.arange(7)
WIDTHS = (16, 32, 64, 128)


def titles(fig):
    return " | ".join(ax.get_title(loc="left") or ax.get_title() for ax in fig.axes)


def sweep(power, widths=WIDTHS, seeds=3, level=0.0):
    """Runs whose best rate is 0.008 (64 / width)^power, exactly a parabola, the seeds a little apart."""
    rows = []
    for width in widths:
        best = 0.008 * (64 / width) ** power
        for seed in range(seeds):
            shift = 0.02 * (seed - 1)
            loss = (0.5 + level + 10 / width) * np.exp(0.1 * (np.log(RATES / best) - shift) ** 2)
            rows += [
                {"size": width, "seed": seed, "learning_rate": rate, "loss": one}
                for rate, one in zip(RATES, loss, strict=True)
            ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def recorded():
    return {"standard": sweep(0.4), "muP": sweep(-0.2)}


@pytest.mark.parametrize("layers", [2, 17, 32])
@pytest.mark.parametrize("gain", [0.6, 1.4, 2.4])
def test_scales_says_what_the_plain_stack_does(gain, layers):
    text = titles(figures.draw_scales(gain, layers))
    assert f"Gain {gain:.2f}: after {layers} plain layers" in text
    said = float(text.split("scale is ")[1].split(" of")[0])
    assert said == pytest.approx((gain / math.sqrt(2)) ** (layers - 1), rel=0.06)


def test_alike_says_where_the_cosine_ends():
    plain, skips = (figures.random_similarity(6, residual=r, width=64, draws=3) for r in (False, True))
    assert plain.shape == skips.shape == (3, 6)
    assert np.allclose(plain[:, 0], 0, atol=1e-9), "at right angles to begin with"
    assert plain[:, -1].mean() > skips[:, -1].mean() + 0.2
    assert "After 6 plain layers two unlike inputs have a cosine of 0.74" in titles(figures.draw_alike(plain, skips))


def test_signals_have_a_panel_a_class():
    x, y = np.random.default_rng(0).normal(size=(12, 40)), np.arange(12) % 4
    assert titles(figures.draw_signals(x, y, 4)) == "class 0 | class 1 | class 2 | class 3"


def test_coordinates_say_the_steepest_exponent():
    widths = np.array([32, 64, 128])
    layers = {"hidden_0": 0 * widths + 0.1, "hidden_1": widths / 100, "head": widths**0.5}
    spread = {name: np.outer(values, [0.9, 1.1]) for name, values in layers.items()}
    flat = {name: np.full((3, 2), 0.2) for name in layers}
    text = titles(figures.draw_coordinates(widths, {"standard": spread, "muP": flat}))
    assert "standard: second layer ~ width$^{1.00}$" in text
    assert "muP: first layer ~ width$^{0.00}$" in text or "muP: " in text


def test_live_names_the_best_rates_and_bears_a_diverged_run():
    by_width = {32: [2.0, 1.5, 1.8], 128: [1.5, 1.7, math.nan]}
    text = titles(figures.draw_live((0.01, 0.02, 0.04), {"standard": by_width, "muP": by_width}))
    assert "standard: best at 0.02, 0.01" in text


@pytest.mark.parametrize("width", range(len(WIDTHS)))
@pytest.mark.parametrize("mup", [0, 1])
def test_recorded_says_the_best_rate_of_the_chosen_width(recorded, width, mup):
    text = titles(figures.draw_recorded(recorded, width, mup))
    best = 0.008 * (64 / WIDTHS[width]) ** (0.4, -0.2)[mup]
    assert text.startswith(f"{('standard', 'muP')[mup]}, width {WIDTHS[width]}: best rate {best:.4f} [")


def test_recorded_says_when_the_best_rate_was_not_seen():
    edge = {"standard": sweep(2.5), "muP": sweep(0.0)}
    assert "best rate not seen" in titles(figures.draw_recorded(edge, 0, 0))


def test_best_rates_say_the_exponents(recorded):
    text = titles(figures.draw_best_rates(recorded))
    assert "standard ~ width$^{-0.40}$, muP ~ width$^{+0.20}$" in text


def test_at_best_takes_the_lowest_or_the_nearest_rate(recorded):
    frame = recorded["standard"]
    own, kept = figures.at_best(frame), figures.at_best(frame, rate=0.0085)
    for width in WIDTHS:
        table = frame[frame["size"] == width].pivot(index="seed", columns="learning_rate", values="loss")
        assert own[width].mean() == pytest.approx(table.mean().min())
        assert np.allclose(kept[width], table[0.008])
        assert kept[width].mean() >= own[width].mean()


def test_depths_have_a_panel_a_cost():
    rng = np.random.default_rng(0)
    plain = {n: {level: rng.normal(1, 0.01, 5) for level in (0, 1)} for n in (1, 2, 4)}
    fig = figures.draw_depths(plain, {4: plain[4]})
    assert len(fig.axes) == 2
    assert "four times the cost" in titles(fig)


def timed(rate_of_size, alpha=0.5):
    """Runs of six sizes at eight budgets, loss 1 + N^-alpha + D^-alpha in suitable units, seconds by a rate."""
    rows = []
    for n in 1000 * 2.0 ** np.arange(9):
        for budget in np.geomspace(1e8, 1e13, 16):
            loss = 1 + (n / 1e4) ** -alpha + (budget / (6 * n) / 1e6) ** -alpha
            rows.append(
                {"n_params": n, "budget": budget, "flops": budget, "loss": loss, "seconds": budget / rate_of_size(n)}
            )
    return pd.DataFrame(rows)


def test_the_best_size_in_seconds_is_that_in_flops_where_the_rate_is_the_same_for_all():
    best, spent, table = figures.best_for_seconds(timed(lambda n: 1e10), 10.0)
    true = math.sqrt(1e4 / 1e6 * 1e11 / 6)  # equal exponents: n / 1e4 = D / 1e6
    assert spent == pytest.approx(1e11, rel=1e-6)
    assert best == pytest.approx(true, rel=0.1)
    assert len(table) == 9


def test_the_best_size_in_seconds_is_larger_where_small_models_are_slow():
    even, _, _ = figures.best_for_seconds(timed(lambda n: 1e10), 10.0)
    slow, _, _ = figures.best_for_seconds(timed(lambda n: 1e10 * (n / 1e4) ** 0.5), 10.0)
    assert slow > 1.15 * even


def test_a_best_size_at_the_edge_is_none():
    runs = timed(lambda n: 1e10)
    best, spent, _ = figures.best_for_seconds(runs[runs["n_params"] < 5000], 10.0)
    assert math.isnan(best)
    assert math.isnan(spent)
    assert math.isnan(figures.best_for_seconds(runs, 1e9)[0]), "no size was trained for so long"


def test_sizes_say_both_best_sizes():
    table = pd.DataFrame({"n_params": [1e3, 1e4, 1e5], "loss": [2.0, 1.5, 1.8]})
    text = titles(figures.draw_sizes(table, 9000, table, 12_000, 2.0))
    assert text == "At equal FLOPs: best size 9,000 | After 2 s each: best size 12,000"
