"""Figures of lesson 2.2: they draw over their sliders' range and say the right numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from course import relations
from course.laws import fit_chinchilla, fit_isoflop, fit_power_floor
from course.widgets import three_relations as figures

N = np.array([984, 1868, 4214, 10634, 30386, 97538, 342434, 1274594], dtype=float)
MODEL = relations.TimeModel(3e-5, 1e11, 1e10, 20e6)
LOSS = 1.7 + 9.0 * N**-0.35


def title(fig):
    return fig.axes[0].get_title(loc="left") or fig.axes[0].get_title()


def render(fig):
    """Draw it as a notebook does."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(fig).draw()


@pytest.fixture(scope="module")
def sweep():
    rng, rows = np.random.default_rng(0), []
    for budget in np.geomspace(1e10, 1e12, 5):
        for n in 6000 * (budget / 1e10) ** 0.5 * 1.6 ** np.arange(-2, 4):
            tokens = budget / (6 * n)
            loss = 1.2 + 100 * n**-0.5 + 100 * (1 / 36) ** 0.5 * (1e10 / 1) ** 0.5 / 6000 * tokens**-0.5
            rows.append((budget, n, tokens, loss * np.exp(0.001 * rng.normal())))
    return pd.DataFrame(rows, columns=["budget", "n_params", "tokens", "loss"])


def test_a_relation_says_its_exponent_and_its_range():
    fig = figures.draw_relation(N, N**0.8, 2, 6, symbol="t", ylabel="ms")
    assert title(fig) == "t ~ N^0.80 from 4.21k to 342k parameters"
    render(fig)


@pytest.mark.parametrize("off", [1.001, 1.04, 1.3, 4.0, 60.0, 1e4])
def test_the_residuals_have_an_axis_for_every_size_of_miss(off):
    y = N.copy()
    y[0] *= off
    fig = figures.draw_relation(N, y, 2, 7, symbol="t", ylabel="ms")
    low, high = fig.axes[1].get_ylim()
    assert low < 1 < high
    assert high > off
    render(fig)


@pytest.mark.parametrize("ends", [(1, 1, 1, 0.1), (10_000, 100_000, 3000, 200), (30, 100, 20, 20)])
def test_the_time_model_draws_over_its_sliders(ends):
    overhead, gflops, gigabytes, cache = ends
    fig = figures.draw_time_model(
        N, MODEL.seconds(N, 64), 64, overhead=overhead, gflops=gflops, gigabytes=gigabytes, cache=cache
    )
    render(fig)


def test_the_right_machine_is_off_by_nothing():
    fig = figures.draw_time_model(N, MODEL.seconds(N, 64), 64, overhead=30, gflops=100, gigabytes=10, cache=20)
    assert title(fig) == "The model is off by a factor of 1.0 at most"


@pytest.mark.parametrize(("power", "times"), [(0.0, "10"), (1.0, "100"), (0.74, "55")])
def test_the_total_says_what_ten_times_the_size_costs(power, times):
    fig = figures.draw_total(N, 20_000, power)
    assert title(fig).endswith(f"{times} times the compute")
    render(fig)


def test_the_loss_has_its_floor_in_the_title():
    more, fewer = (fit_power_floor(N, values) for values in (LOSS, LOSS + 0.2))
    fig = figures.draw_loss({32_000: (N, LOSS + 0.2, fewer), 128_000: (N, LOSS, more)}, relations.line(N, LOSS))
    assert title(fig).startswith("L = 1.70 + A N^-0.35")
    render(fig)


def test_the_loss_by_data_draws_over_its_slider_and_its_floor_falls(sweep):
    surface = fit_chinchilla(sweep["n_params"], sweep["tokens"], sweep["loss"])
    live = pd.DataFrame({"N": N, "tokens": 128_000, "loss": LOSS})
    floors = []
    for tokens in (1e4, 128_000, 1e9):
        fig = figures.draw_loss_by_data(surface, live, tokens)
        render(fig)
        floors.append(float(next(t.get_text() for t in fig.axes[0].texts if "floor" in t.get_text()).split()[-1]))
    assert floors[0] > floors[1] > floors[2]


def test_texts_gap_and_double_descent_say_their_numbers():
    fig = figures.draw_texts(N, {"held out": LOSS, "English": LOSS * 1.2})
    assert f"{LOSS[0] - LOSS[-1]:.2f} to {1.2 * (LOSS[0] - LOSS[-1]):.2f} nats" in title(fig)
    render(fig)
    fig = figures.draw_gap([984, 4214, 30386], [2.5, 2.0, 1.3], [2.7, 2.6, 2.8], 50_000)
    assert title(fig) == "50,000 characters for all: the gap grows to 1.5 nats, best is 4.21k"
    render(fig)
    sizes = (5, 20, 40, 80)
    train, test = relations.random_feature_errors(sizes, samples=40, seeds=3, test=100)
    render(figures.draw_double_descent(sizes, train, test, 40, 0.09))


def test_the_forecast_of_an_exact_law_is_right():
    fig = figures.draw_forecast(N, {"held out": LOSS}, {"held out": fit_power_floor(N[:5], LOSS[:5])}, 5)
    assert title(fig) == "Forecast from the small sizes: off by 0.0 % at most"
    render(fig)


def test_best_sizes_and_resources_say_their_ratios(sweep):
    law = fit_isoflop(sweep["budget"], sweep["n_params"], sweep["loss"], budget=sweep["budget"])
    fig = figures.draw_best_sizes(law, (2e5, 1.5e5, 2.5e5), (1e5, 0.8e5, 1.2e5))
    assert "0.50 times" in title(fig)
    render(fig)
    seconds, far = MODEL.seconds(N, 64), np.array([5e6, 2e7])
    law, took = relations.line(N[3:], seconds[3:]), 2 * MODEL.seconds(far, 64)
    fig = figures.draw_resources(law, MODEL, 64, N, seconds, far, took)
    assert "2.0 times the sum's" in title(fig)
    render(fig)


def test_the_chart_has_an_exponent_with_its_interval_on_every_arrow():
    names = ("compute", "time", "cost", "efficiency", "error")
    chart = figures.chart(dict.fromkeys(names, relations.line(N, N**0.9)), fit_power_floor(N, LOSS, bootstrap=50))
    assert [(arrow.start, arrow.end) for arrow in chart.arrows] == [
        tuple(pair) for pair in ("AB", "AC", "AD", "BE", "CF", "DG")
    ]
    assert all("^" in arrow.label and "[" in arrow.label for arrow in chart.arrows)
    assert "t ~ N^0.90" in chart.mermaid()
    assert "N^-0.35" in chart.mermaid()


def test_sizes_are_said_in_few_characters():
    assert [figures.short(n) for n in (984, 10634, 1274594, 2e9)] == ["984", "10.6k", "1.27M", "2G"]
