"""The three relations: lines and where they begin, the time model, memory, and double descent."""

from __future__ import annotations

import numpy as np
import pytest

from course import relations


def law(exponent=0.9, prefactor=3.0, points=8, noise=0.0, seed=0):
    x = np.geomspace(1e3, 1e6, points)
    return x, prefactor * x**exponent * np.exp(noise * np.random.default_rng(seed).normal(size=points))


# --- lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-0.3, 0.5, 2.0])
def test_a_line_finds_an_exact_power_law(exponent):
    x, y = law(exponent)
    found = relations.line(x, y)
    assert found.exponent == pytest.approx(exponent)
    assert found.prefactor == pytest.approx(3.0)
    assert found.low == pytest.approx(found.high)
    assert found.predict(1e8) == pytest.approx(3.0 * 1e8**exponent)
    assert (found.first, found.last) == (pytest.approx(1e3), pytest.approx(1e6))


def test_the_intervals_cover_as_often_as_they_say():
    inside, foreseen = [], []
    for seed in range(400):
        x, y = law(0.9, noise=0.1, seed=seed)
        found = relations.line(x[:-1], y[:-1])
        inside.append(found.low <= 0.9 <= found.high)
        low, high = found.predict_interval(x[-1])
        foreseen.append(low <= y[-1] <= high)
    assert 0.92 <= np.mean(inside) <= 0.98
    assert 0.92 <= np.mean(foreseen) <= 0.98


def test_a_line_says_its_exponent_with_two_digits():
    assert relations.line(*law(0.9)).said == "0.90 [0.90, 0.90]"


@pytest.mark.parametrize(
    ("x", "y", "word"),
    [
        ([1, 2], [1, 2], "3 or more"),
        ([1, 2, 3], [1, 2], "equal length"),
        ([1, 2, 3], [1, 0, 2], "positive"),
        ([1, 2, 3], [1, np.nan, 2], "finite"),
        ([2, 2, 2], [1, 2, 3], "different x"),
    ],
)
def test_a_line_refuses_what_has_none(x, y, word):
    with pytest.raises(ValueError, match=word):
        relations.line(x, y)


def test_local_exponents_of_a_bent_curve():
    assert relations.local_exponents([1, 10, 100], [5, 5, 500]) == pytest.approx([0, 2])
    with pytest.raises(ValueError, match="the same"):
        relations.local_exponents([1, 1], [1, 2])


def test_the_law_begins_where_the_overhead_ends():
    x = np.geomspace(1e2, 1e8, 13)
    y = 1e-4 + 1e-8 * x
    begins = relations.law_begins(x, y, 0.1)
    assert 1e4 <= begins <= 1e5
    assert relations.law_begins(x, y, 0.5) < begins  # a wider tolerance lets it begin earlier
    assert np.isnan(relations.law_begins([1, 10, 100], [1, 50, 1], 0.1))


def test_the_straight_range_has_a_beginning_and_an_end():
    x = np.geomspace(1, 1e8, 9)
    y = np.where(x < 1e2, 1e2, np.where(x > 1e6, x**2 / 1e6, x))
    first, last = relations.straight_range(x, y, 0.05)
    assert (x[first], x[last]) == (pytest.approx(1e2), pytest.approx(1e6))
    with pytest.raises(ValueError, match="more finely"):
        relations.straight_range([1, 2, 3, 4], [1, 9, 1, 9], 0.05)
    with pytest.raises(ValueError, match="rise"):
        relations.straight_range([4, 3, 2, 1], [1, 2, 3, 4], 0.05)


# --- time and compute -----------------------------------------------------------------------------


def test_the_time_model_has_three_regimes():
    model = relations.TimeModel(overhead=1e-4, flops_per_second=1e11, bytes_per_second=1e10, cache=3e7)
    overhead, arithmetic, memory = model.parts([1e2, 1e6, 1e9], 64)
    assert overhead[0] > 10 * arithmetic[0]
    assert memory[1] == 0  # 16 MB fit a cache of 30 MB
    assert memory[2] == pytest.approx(3.2, rel=0.01)
    assert model.seconds(1e6, 64) == pytest.approx(1e-4 + 6e6 * 64 / 1e11)
    n = np.geomspace(1e2, 1e9, 40)
    local = relations.local_exponents(n, model.seconds(n, 64))
    assert local[0] < 0.05
    assert local.max() > 1.1  # on the way out of the cache
    assert local[-1] == pytest.approx(1, abs=0.02)
    with pytest.raises(ValueError, match="overhead"):
        relations.TimeModel(0, 1, 1, 1)


def test_a_time_model_is_found_again_from_its_times():
    true = relations.TimeModel(1e-4, 1e11, 1e10, 16e6)
    n = np.geomspace(1e2, 1e6, 9)
    found = relations.fit_time_model(n, true.seconds(n, 64), 64, 1e10)
    assert (found.overhead, found.flops_per_second) == (pytest.approx(1e-4), pytest.approx(1e11))
    assert found.seconds(1e8, 64) == pytest.approx(true.seconds(1e8, 64))
    with pytest.raises(ValueError, match="do not grow"):
        relations.fit_time_model([1e3, 1e4], [1.0, 0.1], 64, 1e10)


def test_arithmetic_takes_as_long_as_overhead_at_the_crossover():
    model = relations.TimeModel(1e-4, 1e11, 1e10, 3e7)
    n = relations.crossover(1e-4, 1e11, 64)
    overhead, arithmetic, _ = model.parts(n, 64)
    assert arithmetic == pytest.approx(overhead)


def test_compute_grows_as_the_data_do():
    n = np.geomspace(1e3, 1e6, 5)
    for power in (0.0, 0.74, 1.0):
        total = relations.total_flops(n, data=1e6, at=1e3, power=power)
        assert total[0] == pytest.approx(6e9)
        assert relations.local_exponents(n, total) == pytest.approx(np.full(4, 1 + power))


def test_a_run_with_data_in_proportion_has_one_power_more_than_its_step():
    n = np.array([1e5, 1e6])
    seconds = relations.run_seconds(n, 1e-3, 1e5, 0.9, 20, 64)
    assert seconds[0] == pytest.approx(20 * 1e5 / 64 * 1e-3)
    assert relations.local_exponents(n, seconds) == pytest.approx([1.9])


# --- loss -----------------------------------------------------------------------------------------


def test_the_windows_of_a_text_hold_the_next_character():
    x, y = relations.windows(b"abcdefghijklmnop", 4, 100)
    assert x.shape == (12, 4)
    assert (x[1:, :-1] == x[:-1, 1:]).all()
    assert (y[:-1] == x[1:, -1]).all()
    with pytest.raises(ValueError, match="fewer"):
        relations.windows(b"abc", 4, 10)


def test_gap_and_best_size():
    gaps, best = relations.gap_and_best([10, 100, 1000], [2.0, 1.5, 0.2], [2.1, 1.8, 2.5])
    assert gaps == pytest.approx([0.1, 0.3, 2.3])
    assert best == 100
    with pytest.raises(ValueError, match="equal length"):
        relations.gap_and_best([1, 2], [1], [1, 2])


def test_double_descent_peaks_where_the_weights_equal_the_samples():
    sizes = [5, 20, 40, 80, 160, 600]
    train, test = relations.random_feature_errors(sizes, samples=40, seeds=6, test=300)
    assert train.shape == test.shape == (6, len(sizes))
    middle = np.median(test, axis=0)
    assert sizes[int(np.argmax(middle))] == 40
    assert middle[-1] < middle[:2].min()
    assert train[:, 3:].max() < 1e-6  # more weights than samples: fits them exactly
    assert (test > 0.3**2 * 0.7).all()  # no model beats the noise


def test_double_descent_agrees_with_the_pseudoinverse():
    _, test = relations.random_feature_errors([30], samples=20, inputs=5, seeds=1, test=50)
    rng = np.random.default_rng(0)
    w = rng.normal(size=5) / np.sqrt(5)
    X = rng.normal(size=(70, 5))
    y = X @ w + 0.3 * rng.normal(size=70)
    features = np.maximum(X @ (rng.normal(size=(5, 30)) / np.sqrt(5)), 0)
    c = np.linalg.pinv(features[:20]) @ y[:20]
    assert test[0, 0] == pytest.approx(np.mean((features[20:] @ c - y[20:]) ** 2), rel=1e-6)


# --- measured on a small model --------------------------------------------------------------------


@pytest.fixture(scope="module")
def trainer():
    pytest.importorskip("tensorflow")
    from course.data import task
    from course.training import Recipe, Trainer

    return Trainer(task("characters", validation=256), "char_mlp", 8, Recipe(batch=16))


def test_a_step_is_timed_and_leaves_a_fresh_run(trainer):
    found = relations.step_time(trainer, seconds=0.1)
    assert 0 < found.best <= found.median < 1
    assert found.processor > 0
    assert found.n >= 5
    assert trainer.step == 0


def test_loss_and_error_agree_with_the_trainers_own(trainer):
    trainer.compile()
    trainer.reset(1)
    trainer.advance(50, 100)
    x, y, _ = trainer.task.validation
    loss, error = relations.loss_and_error(trainer, x, y)
    assert loss == pytest.approx(trainer.evaluate(), rel=1e-4)
    assert 0.3 < error < 1


def test_peak_memory_sees_what_is_held_for_a_moment():
    with relations.PeakMemory() as memory:
        block = np.ones(12_000_000)
        assert block.sum() > 0
        del block
    assert 80e6 < memory.bytes < 200e6


def test_the_other_texts_are_long_and_not_trained_on():
    from course.data import task

    texts = relations.other_texts()
    trained = task("characters").train["text"].tobytes()
    for text in texts.values():
        assert len(text) > 200_000
        x, _ = relations.windows(text, 200, 20)
        assert sum(row.astype("uint8").tobytes() in trained for row in x) <= 2
