"""Families of models: one dial, stated rules, weights from a seed, and what each sees of its input."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tiny_tasks
from hypothesis import given
from hypothesis import strategies as st

from course import counting, models

TOKENS, SEQUENCE, NUMBERS = tiny_tasks.letters(), tiny_tasks.sequences(), tiny_tasks.pictures()

FITS = {
    "linear": NUMBERS,
    "mlp": NUMBERS,
    "conv": NUMBERS,
    "char_mlp": TOKENS,
    "transformer": SEQUENCE,
    "transformer_absolute": SEQUENCE,
    "mlp_mup": NUMBERS,
    **{f"mlp_{layers}": NUMBERS for layers in (1, 4, 8, 16)},
    **{f"mlp_{layers}_residual": NUMBERS for layers in (4, 8, 16)},
}
GROWN = [family for family in FITS if family.startswith("mlp_")]
SEQUENCES = ("transformer", "transformer_absolute")


def one_sentence(error) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text, text
    return text


def sample(task, number=3, seed=0):
    """Inputs of this task."""
    rng = np.random.default_rng(seed)
    if task.vocabulary:
        return rng.integers(0, task.vocabulary, (number, *task.inputs)).astype("int32")
    return rng.normal(size=(number, *task.inputs)).astype("float32")


def outputs(model, x):
    return np.asarray(model(x))


def weights(model):
    return [weight.numpy() for weight in model.trainable_variables]


# --- the dial -------------------------------------------------------------------------------------


def test_the_families_are_tried_here():
    assert set(FITS) == set(models.FAMILIES)


@pytest.mark.parametrize("family", FITS)
@given(step=st.integers(1, 8))
def test_a_larger_dial_is_a_larger_model_that_costs_more(family, step):
    small, large = (counting.count(family, 4 * size, FITS[family]) for size in (step, step + 1))
    assert small.n_params < large.n_params
    assert small.forward_flops_per_token < large.forward_flops_per_token


@pytest.mark.parametrize("family", FITS)
def test_a_shape_is_a_value_that_depends_on_the_dial_and_the_task_alone(family):
    described = models.shape(family, 8, FITS[family])
    assert described == models.shape(family, np.int64(8), FITS[family])
    assert described != models.shape(family, 12, FITS[family])
    assert hash(described) == hash(models.shape(family, 8, FITS[family]))
    with pytest.raises(AttributeError):
        described.outputs = 2


@pytest.mark.parametrize("size", [4, 8, 64, 128])
def test_the_heads_of_a_transformer_do_not_grow_with_it(size):
    described = models.shape("transformer", size, SEQUENCE)
    assert (described.heads, described.d_ff, described.layers) == (4, 4 * size, 2)


def test_shapes_and_counts_import_neither_keras_nor_tensorflow():
    code = (
        "import sys; from types import SimpleNamespace as Task; from course import counting, models\n"
        "task = Task(name='t', inputs=(8,), outputs=9, vocabulary=9, tokens_per_sample=8)\n"
        "print(counting.count('transformer', 16, task).n_params)\n"
        "print([m for m in ('keras', 'tensorflow', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    n_params, imported = done.stdout.splitlines()
    assert int(n_params) == counting.count("transformer", 16, _nine()).n_params
    assert imported == "[]"


def _nine():
    return tiny_tasks.sequences(length=8, vocabulary=9)


# --- the models -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FITS)
def test_outputs_have_the_shape_of_the_targets_and_the_count_is_keras_own(family):
    task = FITS[family]
    model = models.build(family, 8, task)
    expected = (3, *task.inputs, task.outputs) if task.tokens_per_sample > 1 else (3, task.outputs)
    assert outputs(model, sample(task)).shape == expected
    assert model.count_params() == counting.count(family, 8, task).n_params
    assert len(model.non_trainable_variables) == 0, "the engine keeps trainable variables only"


@pytest.mark.parametrize("inputs", [(12,), (6, 6, 1), (5, 7, 3)])
def test_the_convolutions_take_signals_and_pictures_of_any_sides(inputs):
    task = tiny_tasks.pictures(inputs)
    model = models.build("conv", 4, task)
    assert outputs(model, sample(task)).shape == (3, task.outputs)
    assert model.count_params() == counting.count("conv", 4, task).n_params


@pytest.mark.parametrize("family", FITS)
def test_a_seed_decides_the_weights(family):
    task = FITS[family]
    first, again, other = (models.build(family, 8, task, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(weights(first), weights(again), strict=True))
    drawn = [
        (a, b) for a, b in zip(weights(first), weights(other), strict=True) if a.std() > 0
    ]  # not the gains and biases, which start at 1 and 0
    assert len(drawn) >= (0 if family == "linear" else 2)
    assert not any(np.allclose(a, b) for a, b in drawn)


@pytest.mark.parametrize("family", FITS)
@pytest.mark.parametrize("seed", [0, 5])
def test_weights_drawn_again_are_those_of_a_model_built_from_that_seed(family, seed):
    drawn = models.initial_weights(models.build(family, 8, FITS[family]), seed)
    built = weights(models.build(family, 8, FITS[family], seed))
    assert [(one.dtype, one.shape) for one in drawn] == [(one.dtype, one.shape) for one in built]
    assert all(np.array_equal(a, b) for a, b in zip(drawn, built, strict=True))


@pytest.mark.parametrize("family", [family for family in FITS if family != "linear"])
def test_no_two_parts_of_a_model_start_from_the_same_numbers(family):
    heads = [
        weight.ravel()[:8] / weight.std()
        for weight in weights(models.build(family, 16, FITS[family]))
        if weight.std() > 0
    ]
    for i, one in enumerate(heads):
        for other in heads[:i]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 0.99


@pytest.mark.parametrize("family", [family for family in FITS if family != "linear"])
@pytest.mark.parametrize("size", [4, 64])
def test_every_model_starts_near_the_loss_of_knowing_nothing(family, size):
    task = FITS[family]
    logits = outputs(models.build(family, size, task), sample(task, 64))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    assert -log_p.mean() == pytest.approx(np.log(task.outputs), rel=0.1)


def test_the_linear_model_sees_only_the_features_that_its_dial_says():
    task = tiny_tasks.corners(d=4)
    model = models.build("linear", 2, task)
    model.layers[-1].set_weights([np.ones((2, 1)), np.zeros(1)])
    seen = [outputs(model, np.eye(4, dtype="float32")[[i]]).item() for i in range(4)]
    assert seen == [1.0, 0.0, 0.0, 1.0], "evenly spaced: the first and the last of four"


# --- what a Transformer sees ----------------------------------------------------------------------


@pytest.mark.parametrize("family", SEQUENCES)
def test_a_later_token_does_not_change_an_earlier_output(family):
    model = _lively(family)
    x = sample(SEQUENCE, 4)
    before = outputs(model, x)
    for place in range(1, SEQUENCE.inputs[0]):
        changed = x.copy()
        changed[:, place] = (changed[:, place] + 1) % SEQUENCE.vocabulary
        after = outputs(model, changed)
        assert np.array_equal(before[:, :place], after[:, :place])
        assert np.abs(before[:, place:] - after[:, place:]).max((0, 2)).min() > 1e-6, "all later outputs see it"


def _lively(family, task=SEQUENCE, size=16, seed=1):
    """A model whose head is not near zero, so that differences show."""
    model = models.build(family, size, task, seed)
    head = model.get_layer("head")
    head.set_weights([np.random.default_rng(0).normal(size=weight.shape) for weight in head.get_weights()])
    return model


def test_alibi_knows_no_absolute_place_and_learned_positions_do():
    same = np.full((1, SEQUENCE.inputs[0]), 5, "int32")
    relative, absolute = (outputs(_lively(family), same)[0] for family in SEQUENCES)
    assert np.allclose(relative, relative[0], atol=1e-5), "the same token everywhere: the same output everywhere"
    assert np.abs(absolute[1:] - absolute[0]).max(-1).min() > 1e-3


def test_alibi_weighs_by_distance_so_order_matters():
    model = _lively("transformer")
    ends = np.array([[1, 2, 3, 4, 5, 6, 7, 8], [2, 1, 3, 4, 5, 6, 7, 8]], "int32")
    last = outputs(model, ends)[:, -1]
    assert np.abs(last[0] - last[1]).max() > 1e-4


@pytest.mark.parametrize("heads", [1, 4, 8])
def test_alibi_s_penalty_depends_on_distance_alone_and_halves_from_head_to_head(heads):
    slopes = models.alibi_slopes(heads)
    assert slopes[-1] == 2.0**-8
    assert np.allclose(np.diff(np.log2(slopes)), -8 / heads)
    bias = models._attention_class()(4 * heads, slopes, 8, 1, 0, "attention").bias
    assert np.array_equal(bias[:, 1:, 1:], bias[:, :-1, :-1]), "one step later, the same penalty"
    assert np.array_equal(bias[:, 5, :6], -np.outer(slopes, np.arange(5, -1, -1)).astype("float32"))
    assert (bias[:, *np.triu_indices(8, 1)] <= -1e9).all()


def test_a_longer_context_leaves_the_outputs_of_the_shorter_one_as_they_are():
    short, long = tiny_tasks.sequences(length=6), tiny_tasks.sequences(length=8)
    x = sample(long, 2)
    a, b = outputs(_lively("transformer", short), x[:, :6]), outputs(_lively("transformer", long), x)
    assert np.allclose(a, b[:, :6], atol=1e-5)


# --- MLPs that grow in depth, or in maximal-update parameterisation -------------------------------


def _pre_activations(model, x):
    """The numbers before each ReLU, from the layers' own weights: every layer a plain matrix product."""
    dense = [layer for layer in model.layers if layer.name.startswith("hidden")]
    return [np.asarray(layer.kernel) for layer in dense], [np.asarray(layer.bias) for layer in dense]


def _with_biases(model, seed=5):
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(0.3 * rng.normal(size=variable.shape))
    return model


@pytest.mark.parametrize("family", GROWN)
def test_a_grown_mlp_computes_what_its_shape_says(family):
    described = models.shape(family, 12, NUMBERS)
    model = _with_biases(models.build(family, 12, NUMBERS, seed=2))
    x = sample(NUMBERS).reshape(3, -1).astype(float)
    kernels, biases = _pre_activations(model, x)
    assert len(kernels) == described.layers
    z = x @ kernels[0] + biases[0]
    for kernel, bias in zip(kernels[1:], biases[1:], strict=True):
        step = np.maximum(z, 0) @ (described.multiplier * kernel) + bias
        z = z + step / np.sqrt(described.layers - 1) if described.residual else step
    head = model.get_layer("head")
    expected = np.maximum(z, 0) @ (described.multiplier * np.asarray(head.kernel)) + np.asarray(head.bias)
    assert np.allclose(outputs(model, sample(NUMBERS)), expected, atol=1e-4)


def test_the_dial_of_depth_is_in_the_name_and_two_layers_are_the_standard_mlp():
    for layers in (1, 4, 8, 16):
        assert models.shape(f"mlp_{layers}", 8, NUMBERS).layers == layers
    for layers in (4, 8, 16):
        plain, residual = (models.shape(f"mlp_{layers}{end}", 8, NUMBERS) for end in ("", "_residual"))
        assert (residual.layers, residual.residual, plain.residual) == (layers, True, False)
        assert counting.count_shape(plain) == counting.count_shape(residual), "a skip connection has no parameters"
    assert models.shape("mlp", 8, NUMBERS).layers == models.shape("mlp_mup", 8, NUMBERS).layers == 2


def test_at_the_base_width_both_parameterisations_are_the_same_model():
    width = models.MUP_BASE_WIDTH
    standard, mup = (models.build(family, width, NUMBERS, seed=7) for family in ("mlp", "mlp_mup"))
    assert all(np.array_equal(a, b) for a, b in zip(weights(standard), weights(mup), strict=True))
    x = sample(NUMBERS, 16)
    assert np.array_equal(outputs(standard, x), outputs(mup, x))


@pytest.mark.parametrize("width", [16, 256, 512])
def test_the_matrices_start_as_large_as_the_maximal_update_rule_says(width):
    from course.parameterisation import mup

    rule = mup(width, models.MUP_BASE_WIDTH, inputs=36)
    model = models.build("mlp_mup", width, NUMBERS, seed=1)
    described = models.shape("mlp_mup", width, NUMBERS)
    for name, role in (("hidden_0", "input"), ("hidden_1", "hidden"), ("head", "head")):
        kernel = np.asarray(model.get_layer(name).kernel)
        assert kernel.std() == pytest.approx(rule[role].std, rel=5 / np.sqrt(kernel.size))
    assert described.multiplier == rule["hidden"].multiplier == rule["head"].multiplier
    standard = models.build("mlp", width, NUMBERS, seed=1)
    assert np.allclose(
        described.multiplier * np.asarray(model.get_layer("hidden_1").kernel),
        np.asarray(standard.get_layer("hidden_1").kernel),
        rtol=1e-5,
    ), "the hidden matrix itself starts as in the standard parameterisation"


def test_a_step_of_adam_moves_the_hidden_matrix_by_the_multiplier_times_the_rate():
    import keras
    import tensorflow as tf

    for width in (64, 256):
        model = models.build("mlp_mup", width, NUMBERS, seed=0)
        adam = keras.optimizers.Adam(0.01, epsilon=1e-12)
        x, y = sample(NUMBERS, 64), np.arange(64) % NUMBERS.outputs
        before = weights(model)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=model(x)))
        gradients = tape.gradient(loss, model.trainable_variables)
        adam.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        names = [variable.path for variable in model.trainable_variables]
        hidden = next(i for i, name in enumerate(names) if "hidden_1/kernel" in name)
        moved = np.abs(weights(model)[hidden] - before[hidden])
        assert np.median(moved) == pytest.approx(0.01, rel=1e-3), "each w by the rate, whatever its gradient's scale"


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, -4, 2.5, 8.0, "8", None, True, float("nan")])
@pytest.mark.parametrize("make", [models.shape, models.build])
def test_a_size_that_is_no_whole_number_is_refused(make, size):
    with pytest.raises(ValueError, match="size must be a whole number") as error:
        make("mlp", size, NUMBERS)
    assert repr(size) in one_sentence(error)


@pytest.mark.parametrize(
    ("family", "task", "words"),
    [
        ("tranformer", SEQUENCE, ("'tranformer'", *models.FAMILIES)),
        ("mlp", TOKENS, ("'mlp'", "'letters'", "choose char_mlp.")),
        ("char_mlp", NUMBERS, ("'char_mlp'", "choose linear or mlp or conv or ")),
        ("char_mlp", SEQUENCE, ("choose transformer or transformer_absolute.",)),
        ("transformer", TOKENS, ("choose char_mlp.",)),
        ("transformer", NUMBERS, ("choose linear or mlp or conv or ",)),
    ],
)
def test_a_family_that_does_not_fit_is_refused_with_those_that_do(family, task, words):
    with pytest.raises(ValueError, match=r"the families are|does not fit") as error:
        models.build(family, 8, task)
    assert all(word in one_sentence(error) for word in words)


@pytest.mark.parametrize("size", [1, 6, 63])
def test_a_transformer_that_does_not_divide_into_its_heads_is_refused(size):
    with pytest.raises(ValueError, match="multiple of its 4 heads") as error:
        models.shape("transformer", size, SEQUENCE)
    assert f"size={size}" in one_sentence(error)


def test_a_linear_model_cannot_see_more_features_than_there_are():
    with pytest.raises(ValueError, match="at most 4; got size=5") as error:
        models.shape("linear", 5, tiny_tasks.corners(d=4))
    one_sentence(error)


@pytest.mark.parametrize("seed", [-1, 1.5, "a"])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be a whole number") as error:
        models.build("mlp", 4, NUMBERS, seed)
    one_sentence(error)
