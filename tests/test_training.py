"""The engine: runs that repeat themselves, branches, the schedule, divergence, and what a loss is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import tiny_tasks
from hypothesis import given, settings
from hypothesis import strategies as st

from course import machine, models, training
from course.data import Task
from course.engines.step import cross_entropy, losses
from course.machine import CannotRunError, import_tensorflow
from course.training import OutOfMemoryError, Recipe, Trainer, compile_all, learning_rate, train, train_branches

RECIPE = Recipe(batch=16, warmup=5)


def one_sentence(error) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text, text
    return text


@pytest.fixture(scope="module")
def letters():
    """A trainer of a small character MLP, compiled once."""
    return Trainer(tiny_tasks.letters(), "char_mlp", 8, RECIPE)


@pytest.fixture(scope="module")
def sequences():
    """A trainer of the smallest Transformer."""
    return Trainer(tiny_tasks.sequences(), "transformer", 4, replace(RECIPE, batch=4))


def state(trainer):
    return trainer.snapshot()[2]


def same(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def result(outcome):
    return outcome.steps, outcome.loss, outcome.train_loss


# --- repeating ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["letters", "sequences"])
def test_a_run_equals_itself_to_the_last_bit(name, request):
    trainer = request.getfixturevalue(name)
    first = train(trainer, 40, seed=2)
    weights = state(trainer)
    train(trainer, 23, seed=5)
    again = train(trainer, 40, seed=2)
    assert result(first) == result(again)
    assert same(weights, state(trainer))


def test_a_run_does_not_depend_on_what_its_trainer_did_before(letters):
    fresh = Trainer(letters.task, letters.family, letters.size, letters.recipe)
    assert result(train(letters, 40, seed=2)) == result(train(fresh, 40, seed=2))


def test_a_trainer_goes_on_with_another_rate_as_a_fresh_one_would(letters):
    """What a sweep over rates relies on: the rate is no part of the compiled loop."""
    other = replace(letters.recipe, rate=letters.recipe.rate / 3)
    fresh = Trainer(letters.task, letters.family, letters.size, other)
    before, letters.recipe = letters.recipe, other
    try:
        assert result(train(letters, 40, seed=2)) == result(train(fresh, 40, seed=2))
    finally:
        letters.recipe = before


def test_the_loss_is_tensorflows_cross_entropy_and_so_is_its_gradient():
    tf = import_tensorflow()
    rng = np.random.default_rng(0)
    logits = tf.constant(20 * rng.standard_normal((3, 5, 7)), tf.float32)
    targets = tf.constant(rng.integers(0, 7, (3, 5)), tf.int32)
    weights = tf.constant(rng.uniform(0.5, 2, (3, 5)), tf.float32)
    found = []
    for loss in (
        cross_entropy,
        lambda z, y: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z),
    ):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            each = loss(logits, targets)
            total = tf.reduce_sum(each * weights)
        found.append((each.numpy(), tape.gradient(total, logits).numpy()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-6)


def test_another_seed_is_another_run(letters):
    losses = {train(letters, 30, seed=seed).loss for seed in range(3)}
    assert len(losses) == 3


def test_steps_taken_in_pieces_are_the_same_steps(letters):
    letters.reset(1)
    letters.advance(60, 60)
    whole = state(letters)
    letters.reset(1)
    for step in (1, 17, 17, 42, 60):
        letters.advance(step, 60)
    assert same(whole, state(letters))


def test_a_long_run_is_many_calls_of_the_graph_so_that_ctrl_c_is_heard(letters, monkeypatch):
    expected, calls, advance = result(train(letters, 200, seed=1)), [], letters.engine.advance

    def interrupted(steps, *rest):
        calls.append(int(steps))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return advance(steps, *rest)

    monkeypatch.setattr(letters, "_slice", 7)
    monkeypatch.setattr(letters.engine, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(letters, 200, seed=1)
    assert calls[0] == 7 and all(later <= 4 * calls[0] ** 2 for later in calls)
    letters._slice = 7
    assert result(train(letters, 200, seed=1)) == expected, "where it is cut changes no number"


@pytest.mark.parametrize(("schedule", "optimizer"), [("wsd", "sgd"), ("cosine", "adam"), ("constant", "adamw")])
def test_a_branch_equals_the_run_made_alone(schedule, optimizer):
    recipe = replace(RECIPE, schedule=schedule, optimizer=optimizer, rate=0.05)
    trainer = Trainer(tiny_tasks.corners(), "linear", 4, recipe)
    together = list(train_branches(trainer, [70, 10, 31, 10], seed=3))
    assert [outcome.steps for outcome in together] == [10, 31, 70], "in rising order, each once"
    for outcome in together:
        assert train(trainer, outcome.steps, seed=3).loss == outcome.loss


@settings(max_examples=10)
@given(budgets=st.lists(st.integers(1, 60), min_size=1, max_size=4), seed=st.integers(0, 2**31 - 1))
def test_branches_equal_runs_made_alone_whatever_the_budgets(letters, budgets, seed):
    for outcome in train_branches(letters, budgets, seed):
        assert result(train(letters, outcome.steps, seed)) == result(outcome)


def test_reset_empties_the_optimiser_and_draws_the_weights_of_the_seed(letters):
    train(letters, 20, seed=4)
    letters.reset(7)
    fresh = models.build("char_mlp", 8, letters.task, 7)
    assert same([v.numpy() for v in letters.model.trainable_variables], [v.numpy() for v in fresh.trainable_variables])
    assert not any(np.any(variable) for variable in letters.optimizer.variables)
    assert (letters.step, letters.alive, letters.seed) == (0, True, 7)


def test_a_snapshot_brings_back_everything(letters):
    letters.reset(0)
    letters.advance(10, 30)
    saved = letters.snapshot()
    letters.advance(30, 30)
    ended = state(letters)
    letters.restore(saved)
    assert letters.step == 10
    letters.advance(30, 30)
    assert same(ended, state(letters))


def test_models_compiled_side_by_side_train_as_one_compiled_alone(letters):
    others = [Trainer(letters.task, "char_mlp", size, RECIPE) for size in (8, 6, 4)]
    compile_all(others)
    assert all(other.compile_seconds > 0 for other in others)
    assert result(train(others[0], 30, seed=1)) == result(train(letters, 30, seed=1))
    counts = [other.engine._advance.experimental_get_tracing_count() for other in others]
    assert counts == [1, 1, 1]


def test_what_one_of_them_cannot_do_is_said(letters):
    good, bad = (Trainer(letters.task, "char_mlp", size, RECIPE) for size in (4, 5))
    bad.engine.advance = lambda *_: (_ for _ in ()).throw(MemoryError)
    with pytest.raises(OutOfMemoryError, match="char_mlp of size 5"):
        compile_all([good, bad])


def test_compiling_is_done_once_and_takes_no_step(letters):
    letters.compile()
    letters.reset(0)
    before = state(letters)
    seconds = letters.compile()
    assert seconds > 0 and letters.compile() == seconds
    assert same(before, state(letters))
    assert letters.engine._advance.experimental_get_tracing_count() == 1, (
        "one graph for every number of steps, seed and rate"
    )


# --- the schedule ---------------------------------------------------------------------------------


@pytest.mark.parametrize("warmup", [0, 4, 30])
@pytest.mark.parametrize("schedule", ["wsd", "cosine", "constant"])
def test_the_rate_in_the_graph_is_the_rate_of_the_law(letters, monkeypatch, schedule, warmup):
    recipe = replace(RECIPE, warmup=warmup, schedule=schedule)
    monkeypatch.setattr(letters, "recipe", recipe)
    letters.reset(0)
    used = []
    for step in range(25):
        letters.advance(step + 1, 25)
        used.append(letters.optimizer.learning_rate.numpy().item())
    assert used == pytest.approx(learning_rate(recipe, 8, np.arange(25), 25), rel=1e-5, abs=1e-7)
    assert used == pytest.approx([learning_rate(recipe, 8, step, 25) for step in range(25)], rel=1e-5, abs=1e-7)


def test_the_weight_moves_by_the_rate():
    """Squared error of a constant target: after one step from 0 the bias has moved by 2 x rate x target."""
    one = np.ones((1, 1), np.float32)

    def draw(train, seed, batch):
        return train["x"], train["y"]

    train_data = {"x": 0 * one, "y": 3 * one[:, 0]}
    task = Task("constant", "squared_error", (1,), 1, 0, 1, train_data, draw, (one, one[:, 0], None), 0.0, 1, "e" * 64)
    recipe = Recipe(batch=1, rate=0.01, rate_power=0.0, warmup=0, schedule="constant", optimizer="sgd", clip=0.0)
    trainer = Trainer(task, "linear", 1, recipe)
    trainer.reset(0)
    trainer.advance(1, 1)
    slope, bias = (variable.item() for variable in state(trainer)[:2])
    assert (slope, bias) == (0.0, pytest.approx(0.06, rel=1e-6))


@given(
    schedule=st.sampled_from(["wsd", "cosine", "constant"]),
    warmup=st.integers(0, 50),
    steps=st.integers(1, 5000),
    cooldown=st.floats(0.01, 1),
    size=st.integers(1, 1000),
)
def test_the_schedule_rises_stays_and_falls(schedule, warmup, steps, cooldown, size):
    recipe = Recipe(batch=1, schedule=schedule, warmup=warmup, cooldown=cooldown)
    rates = learning_rate(recipe, size, np.arange(steps), steps)
    peak = recipe.peak_rate(size)
    assert np.all(rates >= 0) and np.all(rates <= peak * (1 + 1e-12))
    assert rates[0] > 0, "the first step is a step"
    top = int(np.argmax(rates))
    assert np.all(np.diff(rates[: top + 1]) >= -1e-15), "up, then level, then down"
    if schedule == "constant":
        assert np.all(rates[warmup:] == peak)
    if schedule == "wsd":
        level = rates[warmup : steps - max(1, round(cooldown * steps))]
        assert np.all(level == peak)
        assert rates[-1] <= peak / max(1, round(cooldown * steps)) + 1e-15 or steps == 1


@pytest.mark.parametrize("power", [0.0, 0.25, 1.0])
def test_the_peak_rate_follows_the_size(power):
    recipe = Recipe(batch=1, rate=0.02, reference_size=64, rate_power=power)
    assert recipe.peak_rate(64) == pytest.approx(0.02)
    assert recipe.peak_rate(16) / recipe.peak_rate(256) == pytest.approx(16**power)


# --- divergence -----------------------------------------------------------------------------------


def test_a_run_that_diverges_is_a_result_and_the_next_run_is_as_if_it_had_not_been(letters):
    before = train(letters, 30, seed=1)
    wild = Trainer(tiny_tasks.corners(), "linear", 4, replace(RECIPE, rate=1e6, optimizer="sgd", clip=0.0))
    outcomes = list(train_branches(wild, [10, 200, 400], seed=0))
    assert [outcome.steps for outcome in outcomes] == [10, 200, 400]
    assert all(outcome.diverged and math.isnan(outcome.loss) for outcome in outcomes)
    assert train(wild, 200, seed=1).diverged
    wild.recipe = replace(wild.recipe, rate=0.01)
    calm = train(wild, 200, seed=1)
    assert not calm.diverged and math.isfinite(calm.loss), "the same trainer trains on after a divergence"
    assert result(train(letters, 30, seed=1)) == result(before)


def test_the_loop_stops_where_the_loss_is_no_number(letters):
    trainer = Trainer(tiny_tasks.corners(), "linear", 4, replace(RECIPE, rate=1e20, optimizer="sgd", clip=0.0))
    trainer.compile()
    trainer.reset(0)
    done, _, last = trainer._run(10_000, 10_000)
    assert done < 100 and not math.isfinite(last)


def test_a_cool_down_that_diverges_does_not_end_the_stable_phase(letters, monkeypatch):
    """The first branch is broken by hand: later budgets go on from where it left the stable phase."""
    expected = [result(outcome) for outcome in train_branches(letters, [20, 40], seed=6)]
    evaluate, losses = letters.evaluate, []

    def broken_once():
        losses.append(0)
        if len(losses) == 1:
            letters.alive = False
        return evaluate()

    monkeypatch.setattr(letters, "evaluate", broken_once)
    first, second = train_branches(letters, [20, 40], seed=6)
    assert first.diverged
    assert result(second) == expected[1]


def test_a_loss_far_above_the_untrained_model_s_counts_as_diverged(letters):
    letters.compile()
    letters.reset(0)
    assert letters.evaluate() == pytest.approx(math.log(12), rel=0.02)
    head = letters.model.get_layer("head")
    head.set_weights([100 * np.ones_like(w) * np.arange(w.shape[-1]) for w in head.get_weights()])
    assert math.isnan(letters.evaluate())


# --- what is learned ------------------------------------------------------------------------------


def test_least_squares_reaches_its_floor_and_not_below():
    task = tiny_tasks.corners()
    trainer = Trainer(task, "linear", 4, Recipe(batch=32, rate=0.02, rate_power=0.0))
    short, long = train_branches(trainer, [40, 2000], seed=0)
    assert task.floor <= long.loss < 1.01 * task.floor
    assert short.loss > 1.5 * task.floor


def test_a_model_that_sees_half_of_the_inputs_keeps_their_share_of_the_loss():
    task = tiny_tasks.corners(d=4)  # slopes 1, .5, 0, -.5; the dial at 2 sees the first and the last
    trainer = Trainer(task, "linear", 2, Recipe(batch=64, rate=0.02, rate_power=0.0))
    assert train(trainer, 1500).loss == pytest.approx(task.floor + 0.25, rel=0.01)


@pytest.mark.parametrize("name", ["letters", "sequences"])
def test_a_text_is_learned(name, request):
    trainer = request.getfixturevalue(name)
    loss = train(trainer, 400).loss
    entropy = -sum(p * math.log(p) for p in (0.7, 0.2, 0.1))
    assert 0.9 * entropy < loss < 0.75 * math.log(12)


@pytest.mark.parametrize(("dense", "moment"), [(True, 9.0), (False, 5.0)])
def test_a_repeated_id_s_gradients_are_summed_before_they_are_squared(dense, moment):
    """Ids [0, 0] with gradients 1 and 2: the second moment grows by (1 + 2)^2, not by 1 + 4."""
    import tensorflow as tf

    task = tiny_tasks.letters(window=2, vocabulary=3)
    trainer = Trainer(task, "char_mlp", 8, Recipe(batch=1, clip=0.0, dense_gradients=dense))
    gradient = tf.IndexedSlices(
        tf.constant([[1.0, 1.0], [2.0, 2.0]]),
        tf.constant([0, 0]),
        tf.constant(trainer.model.trainable_variables[0].shape),
    )
    if dense:
        gradient = tf.convert_to_tensor(gradient)
    rest = [tf.zeros_like(variable.value) for variable in trainer.model.trainable_variables[1:]]
    trainer.optimizer.apply_gradients(zip([gradient, *rest], trainer.model.trainable_variables, strict=True))
    second = next(v for v in trainer.optimizer.variables if "embedding" in v.path and "velocity" in v.path)
    assert second.numpy()[0] / (1 - trainer.recipe.beta_2) == pytest.approx([moment, moment], rel=1e-4)


def test_dense_gradients_change_the_engine_s_own_run():
    """A text of one token: its embedding's moment is that of the summed gradient, measured after one step."""
    tf = import_tensorflow()

    def draw(train, seed, batch):
        return train["x"], train["y"]

    x, y = np.zeros((2, 4), np.int32), np.array([1, 2], np.int32)
    task = Task("zeros", "cross_entropy", (4,), 3, 3, 1, {"x": x, "y": y}, draw, (x, y, None), None, 2, "f" * 64)
    moments = {}
    for dense in (True, False):
        trainer = Trainer(task, "char_mlp", 8, Recipe(batch=2, clip=0.0, warmup=0, dense_gradients=dense))
        trainer.reset(0)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses("cross_entropy", trainer.model(x), y))
        true = np.array(tf.convert_to_tensor(tape.gradient(loss, trainer.model.trainable_variables[0])))
        trainer.advance(1, 10)
        second = next(v for v in trainer.optimizer.variables if "embedding" in v.path and "velocity" in v.path)
        moments[dense] = second.numpy()[0] / (1 - trainer.recipe.beta_2) / true[0] ** 2
    assert moments[True] == pytest.approx(1.0, rel=1e-3)
    assert np.abs(moments[False] - 1).max() > 0.1


# --- validation -----------------------------------------------------------------------------------


def in_chunks(monkeypatch, trainer, at_once, weights=None):
    """The trainer's validation loss when so many targets are scored at once."""
    x, y, _ = trainer.task.validation
    monkeypatch.setattr(Trainer, "_CHUNK", at_once)
    monkeypatch.setattr(trainer, "_validation", trainer._padded(x, y, weights))
    return trainer.evaluate()


def by_hand(trainer, weights=None):
    x, y, _ = trainer.task.validation
    logits = np.asarray(trainer.model(np.asarray(x, "int32")), float)
    losses = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, np.asarray(y, int)[..., None], -1)[..., 0]
    return np.average(losses, weights=weights)


@pytest.mark.parametrize("at_once", [1, 7, 25, 4096])
def test_the_chunks_do_not_change_the_mean(monkeypatch, letters, at_once):
    train(letters, 30, seed=1)
    assert in_chunks(monkeypatch, letters, at_once) == pytest.approx(by_hand(letters), rel=1e-5)
    _, y, weights = letters._validation
    assert float(np.sum(weights)) == pytest.approx(1.0, rel=1e-6)
    assert np.count_nonzero(weights) == len(letters.task.validation[1]) and y.shape[1] <= at_once


@pytest.mark.parametrize("at_once", [24, 4096])
def test_sequences_are_validated_position_by_position(monkeypatch, sequences, at_once):
    sequences.reset(3)
    assert in_chunks(monkeypatch, sequences, at_once) == pytest.approx(by_hand(sequences), rel=1e-5)
    assert sequences._validation[1].shape[1] <= at_once // sequences.task.tokens_per_sample


@pytest.mark.parametrize("at_once", [7, 4096])
def test_weights_make_the_validation_an_exact_expectation(monkeypatch, letters, at_once):
    weights = np.random.default_rng(0).dirichlet(np.ones(len(letters.task.validation[1])))
    train(letters, 30)
    assert in_chunks(monkeypatch, letters, at_once, weights) == pytest.approx(by_hand(letters, weights), rel=1e-5)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch": 0}, "batch"),
        ({"batch": 2.5}, "batch"),
        ({"warmup": -1}, "warmup"),
        ({"rate": 0.0}, "rate"),
        ({"rate": -1e-3}, "rate"),
        ({"rate": math.nan}, "rate"),
        ({"rate": math.inf}, "rate"),
        ({"rate_power": math.nan}, "rate_power"),
        ({"reference_size": 0}, "reference_size"),
        ({"schedule": "linear"}, "'wsd', 'cosine' or 'constant'; got 'linear'"),
        ({"optimizer": "Adam"}, "'adam', 'adamw' or 'sgd'; got 'Adam'"),
        ({"cooldown": 0.0}, "cooldown"),
        ({"cooldown": 1.5}, "cooldown"),
        ({"beta_2": 1.0}, "beta_2"),
        ({"beta_2": -0.1}, "beta_2"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"clip": -1.0}, "clip"),
        ({"precision": "float16"}, "'float32' or 'bfloat16'; got 'float16'"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(change, words):
    with pytest.raises(ValueError, match=words) as error:
        replace(RECIPE, **change)
    one_sentence(error)


@pytest.mark.parametrize("steps", [0, -5, 2.5])
def test_a_run_has_at_least_one_step(letters, steps):
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1") as error:
        train(letters, steps)
    one_sentence(error)


@pytest.mark.parametrize("seed", [-1, 0.5, 2**31])
def test_a_seed_is_a_whole_number_that_the_graph_can_hold(letters, seed):
    with pytest.raises(ValueError, match="seed") as error:
        train(letters, 3, seed)
    one_sentence(error)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"backend": "torch"}, "'tensorflow' or 'jax'; got 'torch'"),
        ({"devices": 0}, "devices"),
        ({"devices": 2}, "trains on one device; got devices=2: several take the JAX backend"),
    ],
)
def test_a_backend_or_devices_that_cannot_be_had_are_refused(how, words):
    with pytest.raises(ValueError, match=words) as error:
        Trainer(tiny_tasks.corners(), "linear", 4, RECIPE, **how)
    one_sentence(error)


def test_a_process_keeps_the_library_that_keras_runs_on(letters):
    assert letters.backend == machine.backend() == "tensorflow"
    with pytest.raises(CannotRunError, match=r"runs on tensorflow in this process.*KERAS_BACKEND=jax") as error:
        Trainer(tiny_tasks.corners(), "linear", 4, RECIPE, backend="jax")
    one_sentence(error)


# --- memory and precision -------------------------------------------------------------------------


def _out_of_memory():
    errors = import_tensorflow().errors
    return {
        "TensorFlow": errors.ResourceExhaustedError(None, None, "failed to allocate memory"),
        "its compiler": errors.InternalError(
            None, None, "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes"
        ),
        "CUDA": errors.InternalError(None, None, "Failed call to cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        "JAX": RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."),
        "NumPy": MemoryError("Unable to allocate 9 bytes"),
    }


@pytest.mark.parametrize("who", ["TensorFlow", "its compiler", "CUDA", "JAX", "NumPy"])
@pytest.mark.parametrize("where", ["advance", "evaluate"])
def test_memory_that_runs_out_is_one_error_whoever_says_so(letters, monkeypatch, who, where):
    expected = result(train(letters, 12, seed=1))

    def full(*_):
        raise _out_of_memory()[who]

    with monkeypatch.context() as patched:
        patched.setattr(letters.engine, where, full)
        with pytest.raises(OutOfMemoryError, match="char_mlp of size 8 with a batch of 16") as error:
            train(letters, 12, seed=1)
    one_sentence(error)
    assert isinstance(error.value, CannotRunError)
    assert result(train(letters, 12, seed=1)) == expected, "the trainer goes on with what does fit"


def test_memory_that_runs_out_while_a_model_is_made_is_the_same_error(monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(models, "build", full)
    with pytest.raises(OutOfMemoryError, match="linear of size 4"):
        Trainer(tiny_tasks.corners(), "linear", 4, RECIPE)


def test_another_error_stays_what_it_is(letters, monkeypatch):
    def broken(*_):
        raise RuntimeError("something else")

    monkeypatch.setattr(letters.engine, "advance", broken)
    with pytest.raises(RuntimeError, match="something else"):
        train(letters, 12, seed=1)


@pytest.mark.parametrize(("family", "task"), [("transformer", tiny_tasks.sequences()), ("conv", tiny_tasks.pictures())])
def test_bfloat16_keeps_weights_logits_and_losses_in_float32(family, task):
    import keras

    recipe = replace(RECIPE, batch=4, rate=0.005)
    exact, rough = (Trainer(task, family, 4, replace(recipe, precision=p)) for p in ("float32", "bfloat16"))
    assert keras.config.dtype_policy().name == "float32", "what is made later is as before"
    layers = {layer.compute_dtype for layer in rough.model.layers if layer.weights and layer.name != "head"}
    assert layers == {"bfloat16"} and rough.model.output.dtype == "float32"
    assert {v.dtype for v in rough.model.trainable_variables} == {"float32"}
    exact.reset(2)
    rough.reset(2)
    assert same(state(exact), state(rough)), "the same weights to begin with"
    one, other = train(exact, 60, seed=2).loss, train(rough, 60, seed=2).loss
    assert one != other and other == pytest.approx(one, rel=0.05, abs=0.02)


@pytest.mark.parametrize(
    ("capability", "precision"), [((), "float32"), ((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_the_best_precision_follows_the_device(monkeypatch, capability, precision):
    monkeypatch.setattr(training, "compute_capability", lambda: capability)
    assert training.best_precision() == precision
