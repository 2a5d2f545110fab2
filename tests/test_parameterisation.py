"""What must be rescaled when a model grows: theory against simulation, and the best rate found again where it is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import tiny_tasks
from hypothesis import given
from hypothesis import strategies as st

from course import models, parameterisation
from course.parameterisation import activation_scales, best_rate, best_rates, equal_cost_width, mup, rate_slope
from course.training import Recipe

# --- the start ------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [0.8, math.sqrt(2), 2.0])
@pytest.mark.parametrize("residual", [False, True])
def test_the_scale_of_activations_follows_the_gain(gain, residual):
    layers = 9
    factor = 1 + gain**2 / 2 / (layers - 1) if residual else gain**2 / 2
    squares = np.mean([activation_scales(layers, 256, gain, residual, seed=seed) ** 2 for seed in range(6)], axis=0)
    assert squares == pytest.approx(factor ** np.arange(layers), rel=0.12)


def test_the_right_start_keeps_the_scale_through_thirty_layers_and_a_wrong_one_does_not():
    right = activation_scales(30, 512, math.sqrt(512) * parameterisation.initial_std(512))
    halved = activation_scales(30, 512, 1.0)
    assert 0.6 < right[-1] < 1.6
    assert halved[-1] < 1e-3


@pytest.mark.parametrize("residual", [False, True])
def test_similarity_is_a_formula_that_random_networks_obey(residual):
    width, layers, start, found = 512, 6, 0.2, []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        a, b = rng.standard_normal((2, width))
        z = np.stack([a, start * a + math.sqrt(1 - start**2) * b])
        cosines = []
        for layer in range(layers):
            if layer:
                step = np.maximum(z, 0) @ (math.sqrt(2 / width) * rng.standard_normal((width, width)))
                z = z + step / math.sqrt(layers - 1) if residual else step
            cosines.append(z[0] @ z[1] / np.linalg.norm(z[0]) / np.linalg.norm(z[1]))
        found.append(cosines)
    assert np.mean(found, axis=0) == pytest.approx(parameterisation.similarity(start, layers, residual), abs=0.03)


@given(st.floats(-1, 1))
def test_one_layer_makes_inputs_more_alike_and_equal_ones_stay_equal(cosine):
    after = parameterisation.next_similarity(cosine)
    assert after >= cosine - 1e-12
    assert -1e-12 <= after <= 1 + 1e-12
    assert parameterisation.next_similarity(1.0) == pytest.approx(1.0)
    assert parameterisation.next_similarity(0.0) == pytest.approx(1 / math.pi)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: parameterisation.initial_std(0), "fan_in"),
        (lambda: parameterisation.next_similarity(1.2), "between -1 and 1"),
        (lambda: activation_scales(3, 8, -1.0), "gain"),
        (lambda: equal_cost_width(0, 2, 3, 4), "weights"),
        (lambda: best_rate([1, 2], [[1, 2]]), "three rates"),
        (lambda: best_rate([2, 1, 3], [[1, 2, 3]]), "rising"),
        (lambda: best_rate([1, 2, 3], [[1, 2]]), "a column for each rate"),
        (lambda: rate_slope({8: best_rate([1, 2, 4], [[3.0, 2.0, 3.0]])}), "two widths"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, words):
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


# --- the step -------------------------------------------------------------------------------------


@given(st.integers(4, 4096), st.integers(4, 512), st.integers(1, 100))
def test_mup_keeps_the_hidden_scale_and_moves_in_proportion_to_one_over_width(width, base, inputs):
    rule = mup(width, base, inputs)
    assert rule["hidden"].effective_std == pytest.approx(math.sqrt(2 / width))
    assert rule["hidden"].rate * width == pytest.approx(base)
    assert rule["head"].effective_std == pytest.approx(0.1 * math.sqrt(base) / width)
    assert (rule["input"].multiplier, rule["input"].std) == (1.0, math.sqrt(2 / inputs))
    at_base = mup(base, base, inputs)
    assert at_base["head"].std == pytest.approx(0.1 / math.sqrt(base))
    assert all(one.multiplier == 1 for one in at_base.values())


def test_a_step_moves_activations_more_the_wider_the_model_unless_it_is_in_mup():
    task, recipe = tiny_tasks.pictures(), Recipe(batch=64, rate=0.01, rate_power=0.0, clip=0.0)
    growth = {}
    for family in ("mlp", "mlp_mup"):
        moved = parameterisation.coordinate_check(task, family, (64, 512), recipe, steps=2, seeds=(0, 1))
        assert set(moved) == {"hidden_0", "hidden_1", "head"}
        assert all(values.shape == (2, 2) and (values > 0).all() for values in moved.values())
        growth[family] = {name: values[1].mean() / values[0].mean() for name, values in moved.items()}
    assert growth["mlp"]["hidden_1"] > 3
    assert growth["mlp"]["head"] > 3
    assert all(0.5 < factor < 1.6 for factor in growth["mlp_mup"].values()), growth


# --- the best rate --------------------------------------------------------------------------------


def bowl(best, rates, seeds=5, noise=0.0, seed=0):
    """Losses with a parabola's lowest point at `best`, a shift of the point for each seed: (seeds, rates)."""
    shift = noise * np.random.default_rng(seed).standard_normal((seeds, 1))
    return 0.5 * np.exp(0.1 * (np.log(rates) - np.log(best) - shift) ** 2)


RATES = 0.001 * 2.0 ** np.arange(8)


@given(st.floats(0.003, 0.05))
def test_the_lowest_point_of_a_parabola_is_found(best):
    found = best_rate(RATES, bowl(best, RATES))
    assert not found.edge
    assert found.rate == pytest.approx(best, rel=1e-6)
    assert (found.low, found.high) == (pytest.approx(best, rel=1e-6), pytest.approx(best, rel=1e-6))
    assert found.loss == pytest.approx(0.5)


def test_the_interval_holds_the_true_rate_about_as_often_as_it_says():
    held = 0
    for seed in range(200):
        found = best_rate(RATES, bowl(0.01, RATES, noise=0.3, seed=seed), draws=400)
        held += found.low <= 0.01 <= found.high
    assert 0.85 <= held / 200 <= 0.99


@pytest.mark.parametrize("best", [0.0005, 0.5])
def test_a_best_rate_at_the_edge_was_not_seen(best):
    found = best_rate(RATES, bowl(best, RATES))
    assert found.edge
    assert math.isnan(found.rate)


def test_rates_at_which_a_run_diverged_are_left_out():
    loss = bowl(0.01, RATES)
    loss[2, -2:] = math.nan
    assert best_rate(RATES, loss).rate == pytest.approx(0.01, rel=1e-6)
    assert math.isnan(best_rate(RATES, bowl(0.01, RATES, seeds=1)).low), "one seed knows no spread"


def test_the_slope_of_a_known_law_is_found_with_an_interval_that_holds_it():
    widths = (16, 64, 256)
    rows = [
        {"size": width, "seed": seed, "learning_rate": rate, "loss": loss}
        for i, width in enumerate(widths)
        for seed, row in enumerate(bowl(0.02 * (16 / width) ** 0.5, RATES, noise=0.1, seed=i))
        for rate, loss in zip(RATES, row, strict=True)
    ]
    best = best_rates(pd.DataFrame(rows))
    assert list(best) == list(widths)
    slope, low, high = rate_slope(best)
    assert slope == pytest.approx(-0.5, abs=0.06)
    assert low < -0.5 < high
    assert high - low < 0.2


# --- equal cost -----------------------------------------------------------------------------------


@given(st.floats(1e3, 1e7), st.integers(1, 32), st.integers(1, 100), st.integers(1, 100))
def test_the_width_of_equal_cost_is_the_whole_number_nearest(weights, layers, inputs, outputs):
    width = equal_cost_width(weights, layers, inputs, outputs)

    def cost(w):
        return (inputs + outputs) * w + (layers - 1) * w**2

    assert width == 1 or cost(width - 0.5) <= weights * (1 + 1e-9)
    assert cost(width + 0.5) >= weights * (1 - 1e-9)


def test_the_cost_is_the_count_s():
    from course import counting

    for layers in (1, 4, 16):
        width = equal_cost_width(64_640, layers, 36, 4)
        shape = models.MLPShape(36, width, layers, 4)
        assert counting.count_shape(shape).training_flops_per_token == pytest.approx(6 * 64_640, rel=0.02)
