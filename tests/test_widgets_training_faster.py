"""Figures of lesson 3.2: they draw over their sliders' range and say the right numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from course import noise_scale, parallelism
from course.widgets import training_faster as figures


def titles(fig):
    return " | ".join(ax.get_title(loc="left") or ax.get_title() for ax in fig.axes)


def texts(fig):
    return [text.get_text() for ax in fig.axes for text in ax.texts]


@pytest.mark.parametrize("p", [2, 3, 8])
def test_ring_says_steps_and_share(p):
    fig = figures.draw_ring(p)
    assert titles(fig) == f"{p} devices: {2 * (p - 1)} steps, each device sends {2 * (p - 1) / p:.3g} times its array"
    assert len([text for text in texts(fig) if text.isdigit()]) == 2 * p * (p - 1)


@pytest.mark.parametrize("turns", [0, 1])
@pytest.mark.parametrize(("p", "m"), [(1, 1), (4, 8), (8, 32)])
def test_pipeline_says_the_bubble_and_what_is_held(p, m, turns):
    fig = figures.draw_pipeline(p, m, turns)
    assert f"idle {parallelism.bubble(p, m):.1%}" in titles(fig)
    held = [text for text in texts(fig) if text.startswith("holds")]
    assert held == [f"holds {min(p - stage, m) if turns else m}" for stage in range(p)]


@pytest.mark.parametrize(("billions", "p"), [(7.5, 64), (0.75, 1), (750.0, 1000.0)])
def test_zero_says_the_memory_of_each_stage(billions, p):
    said = [
        float(text.split()[0].replace(",", ""))
        for text in texts(figures.draw_zero(billions, p))
        if text.endswith(" GB") and text[0].isdigit()
    ]
    wanted = [parallelism.zero_bytes(billions, int(p), stage) for stage in range(4)]
    assert said[:4] == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("p", [1, 4, 8])
@pytest.mark.parametrize("ring", [0.0, 1.0])
def test_timelines_say_the_speed_up_of_each_way(p, ring):
    said = [float(text.split()[0]) for text in texts(figures.draw_timelines(p, ring, 0.1)) if "faster" in text]
    half = (p - 1) / p
    wanted = [3 / p + 2 * half * ring] * 2 + [3 / p + 3 * half * ring, 3 / p + 1.6 * half, 3 / p * (8 + p - 1) / 8]
    assert said == pytest.approx([3 / each for each in wanted], abs=0.006)


def test_models_have_about_the_size_asked_for():
    for billions in (0.1, 1, 10, 100):
        width, layers = figures.model_of(billions)
        assert 12 * width**2 * layers == pytest.approx(1e9 * billions, rel=0.15)


@pytest.mark.parametrize("p", [1, 8, 1024])
@pytest.mark.parametrize("billions", [0.1, 100.0])
@pytest.mark.parametrize("bandwidth", [1.0, 1000.0])
def test_step_times_draw_over_the_sliders(p, billions, bandwidth):
    fig = figures.draw_steps(p, billions, bandwidth, 8.0)
    assert titles(fig).startswith(f"{p} devices: at best")
    if p == 1:
        assert all(text.startswith("1 times") for text in texts(fig))


def test_a_pipeline_has_no_more_stages_than_layers():
    layers = figures.model_of(1.0)[1]
    assert "not with" not in " ".join(texts(figures.draw_steps(layers, 1.0)))
    said = texts(figures.draw_steps(layers + 1, 1.0))
    assert f"not with {layers} layers" in " ".join(said)
    assert sum("times faster" in text for text in said) == 2


def test_sliders_may_hand_over_fractions():
    assert "251 devices" in titles(figures.draw_steps(10**2.4))


def test_a_fast_connection_helps_the_tensor_split_most():
    def tensor(bandwidth):
        return float(texts(figures.draw_steps(8, 1.0, bandwidth))[1].split()[0])

    assert tensor(25) < 1 < 4 < tensor(900)


def test_scaling_draws_strong_and_weak():
    said = " ".join(texts(figures.draw_scaling()))
    assert said.count("strong") == 3
    assert said.count("weak") == 1


def test_two_processes_names_the_best():
    fig = figures.draw_two_processes(
        [1, 4, 16],
        [(0.9, 0.8, 1.0), (1.5, 1.4, 1.6), (1.2, 1.1, 1.3)],
        [0.9, 1.4, 1.1],
        [8, 512],
        [(0.4, 0.3, 0.5), (1.8, 1.7, 1.9)],
        [0.3, 1.7],
        [0.4, 1.9],
    )
    assert titles(fig) == "Two stages: 1.50 times faster with m = 4 | Shared data: from 0.40 to 1.80 times faster"


def test_time_and_compute_has_both_numbers():
    fig = figures.draw_time_and_compute({"shared data": (0.57, 1.14), "pipeline": (0.7, 1.2)})
    assert {"0.57", "1.14", "0.70", "1.20"} <= set(texts(fig))
    assert titles(fig) == "Shared data: 0.57 of the time, 1.14 of the compute"


@pytest.mark.parametrize("batch", [1, 6, 256, 10**1.5])
def test_noise_says_its_length(batch):
    exact = noise_scale.LeastSquares.power().noise().scale
    assert f"noise {math.sqrt(exact / round(batch)):.2f} times" in titles(figures.draw_noise(batch))


def test_estimates_count_what_is_outside():
    fig = figures.draw_estimates(10.0, [9.0, 11.0], [-500.0, 900.0], [7.0, 8.0])
    assert "2 outside" in texts(fig)
    assert "exact: 10.0" in texts(fig)


def test_tradeoff_says_the_critical_batch():
    batch = np.array([1, 10, 100, 1000])
    law = noise_scale.fit_tradeoff(batch, 40 * (1 + 30 / batch))
    fig = figures.draw_tradeoff(batch, law.steps(batch), {10: (160.0, 150.0, 170.0)}, law)
    assert "about 30" in titles(fig)
    assert "batch 10" in texts(fig)


def test_schedules_say_where_the_constant_loss_is_reached():
    peaks = [0.01, 0.02, 0.04]
    rates = {name: (peaks, [2.2, 2.1, 2.3]) for name in ("constant", "cosine")}
    branches = np.array([[2.4, 2.2, 2.0], [2.42, 2.22, 2.02]])
    fig = figures.draw_schedules(1000, rates, [250, 500, 1000], branches, [2.2, 2.22])
    assert titles(fig).endswith("The constant rate's loss in 50% of its steps")


@pytest.mark.parametrize("warmup", [0, 500])
@pytest.mark.parametrize("cooldown", [0.05, 1.0])
def test_rates_draw_over_the_sliders(warmup, cooldown):
    assert f"{cooldown:.0%}" in titles(figures.draw_rates(warmup=warmup, cooldown=cooldown))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.draw_ring(8),
        lambda: figures.draw_pipeline(8, 32, 1),
        figures.draw_zero,
        figures.draw_timelines,
        figures.draw_steps,
        figures.draw_noise,
        figures.draw_rates,
    ],
)
def test_a_figure_with_sliders_renders(draw):
    draw().canvas.draw()
