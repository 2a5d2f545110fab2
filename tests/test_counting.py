"""Counts are exact: parameters as Keras counts them, FLOPs as the compilers' own programs hold them."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_tasks
from hypothesis import given
from hypothesis import strategies as st

from course import compiled, counting, models
from course.compiled import Program
from course.data import task

TASKS = {
    "letters": tiny_tasks.letters,
    "sequences": tiny_tasks.sequences,
    "pictures": tiny_tasks.pictures,
    "signals": lambda: tiny_tasks.pictures((11,), 4),
    "corners": tiny_tasks.corners,
    "characters": lambda: task("characters"),
    "bytes": lambda: task("bytes"),
    "digits": lambda: task("digits"),
    "mnist1d": lambda: task("mnist1d", samples=20, validation=20),
    "smooth": lambda: task("smooth", d=3, features=4, validation=20),
}

MODELS = [
    ("linear", 1, "corners"),
    ("linear", 4, "corners"),
    ("linear", 20, "digits"),
    ("mlp", 1, "pictures"),
    ("mlp", 16, "digits"),
    ("mlp", 24, "smooth"),
    ("conv", 2, "pictures"),
    ("conv", 5, "digits"),
    ("conv", 3, "signals"),
    ("conv", 8, "mnist1d"),
    ("char_mlp", 1, "letters"),
    ("char_mlp", 40, "characters"),
    ("transformer", 4, "sequences"),
    ("transformer", 16, "bytes"),
    ("transformer", 64, "bytes"),
    ("transformer_absolute", 8, "sequences"),
    ("transformer_absolute", 32, "bytes"),
    ("mlp_mup", 96, "digits"),
    *((f"mlp_{layers}", 12, "digits") for layers in (1, 4, 8, 16)),
    *((f"mlp_{layers}_residual", 12, "digits") for layers in (4, 8, 16)),
]
IN_JAX = [("linear", 20, "digits"), ("mlp", 16, "digits"), ("conv", 5, "digits"), ("char_mlp", 40, "characters")]
IN_JAX.append(("transformer", 64, "bytes"))
BATCH = 2


def test_every_family_is_counted_here():
    assert {family for family, _, _ in MODELS} == set(models.FAMILIES)


# --- against Keras and the compiler ----------------------------------------------------------------


@pytest.mark.parametrize(("family", "size", "name"), MODELS)
def test_counts_are_the_frameworks(family, size, name):
    of = TASKS[name]()
    counts = counting.count(family, size, of)
    model, forward, training = compiled.passes(family, size, of, BATCH)
    tokens = BATCH * of.tokens_per_sample
    assert counts.n_params == model.count_params()
    assert tokens * counts.forward_flops_per_token == forward.flops(padding=True)
    if family != "conv":
        assert counts.training_flops(tokens, "exact") == training.flops(padding=True)


def _products(shape):
    """FLOPs a sample of each convolution, without the products with padding: (layers,)."""
    space, channels, flops = shape.space, shape.channels, []
    for filters, stride in zip(shape.filters, shape.strides, strict=True):
        met = 1
        for side in space:
            before = max((math.ceil(side / stride) - 1) * stride + 3 - side, 0) // 2
            starts = range(-before, side - before, stride)
            met *= sum(0 <= start + k < side for start in starts for k in range(3))
        flops.append(2 * channels * filters * met)
        space, channels = tuple(math.ceil(side / stride) for side in space), filters
    return flops


@pytest.mark.parametrize(("family", "size", "name"), [each for each in MODELS if each[0] == "conv"])
def test_a_convolution_trains_in_three_times_its_forward_pass(family, size, name):
    """Without padding, which the two gradients meet in other places; the first layer's input gradient is dead."""
    of = TASKS[name]()
    shape = models.shape(family, size, of)
    _, forward, training = compiled.passes(family, size, of, BATCH)
    first, *rest = _products(shape)
    proper = first + sum(rest) + 2 * shape.filters[-1] * shape.outputs
    assert forward.flops(padding=False) == BATCH * proper < forward.flops(padding=True)
    assert training.flops(padding=False) == BATCH * (3 * proper - first)


JAX = """
import json, sys
sys.path.insert(0, sys.argv[1])
import jax, jax.numpy as jnp, keras
import test_counting as t
from course import counting, models

out = {}


def both(lowered):
    found = lowered.cost_analysis()
    return lowered.compiler_ir("hlo").as_hlo_text(), found["flops"] + found.get("transcendentals", 0)


for family, size, name in t.IN_JAX:
    of = t.TASKS[name]()
    model = models.build(family, size, of)
    weights = [v.value for v in model.trainable_variables]
    rest = [v.value for v in model.non_trainable_variables]
    x = jnp.zeros((t.BATCH, *of.inputs), "int32" if of.vocabulary else "float32")

    def forward(weights):
        return model.stateless_call(weights, rest, x, training=True)[0]

    def backward(weights):
        return jax.grad(lambda w: (forward(w) ** 2).sum())(weights)

    key = f"{family} {size} {name}"
    out[key] = [both(jax.jit(work).lower(weights)) for work in (forward, backward)]

for name in counting.OPTIMIZER_FLOPS:
    for clip in (False, True):
        for n in (1000, 3000):
            numbers = jnp.zeros(n)
            optimizer = t.optimizer_of(name, clip)
            optimizer.build([keras.Variable(numbers)])
            state = [v.value for v in optimizer.variables]
            update = jax.jit(lambda s, g, w: optimizer.stateless_apply(s, [g], [w]))
            out[f"{name} {clip} {n}"] = both(update.lower(state, numbers, numbers))
print(json.dumps(out))
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_jax_counts_the_same():
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", JAX, here],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for family, size, name in IN_JAX:
        of = TASKS[name]()
        counts = counting.count(family, size, of)
        tokens = BATCH * of.tokens_per_sample
        programs = []
        for text, analysis in found[f"{family} {size} {name}"]:
            program = Program(text)
            programs.append(program)
            # XLA's cost analysis, to the FLOP (its sum is a float32): our products, and our element-wise rest.
            assert program.flops(padding=False) + program.element_wise() == pytest.approx(analysis, rel=1e-6)
        forward, training = programs
        assert forward.flops(padding=True) == tokens * counts.forward_flops_per_token, (family, size, name)
        if family != "conv":
            assert training.flops(padding=True) == counts.training_flops(tokens, "exact"), (family, size, name)
        if size >= 32:  # the element-wise work is much of a tiny model, little of a larger one
            assert forward.element_wise() < 0.1 * forward.flops(), (family, size, name)
    for name in counting.OPTIMIZER_FLOPS:
        for clip in (False, True):
            small, large = (found[f"{name} {clip} {n}"][1] for n in (1000, 3000))
            assert (large - small) / 2000 == _per_parameter(name, clip)


# --- the optimiser --------------------------------------------------------------------------------


def optimizer_of(name, clip):
    import keras

    kinds = {
        "sgd": (keras.optimizers.SGD, {}),
        "momentum": (keras.optimizers.SGD, {"momentum": 0.9}),
        "adam": (keras.optimizers.Adam, {}),
        "adamw": (keras.optimizers.AdamW, {}),
    }
    kind, options = kinds[name]
    return kind(learning_rate=0.01, global_clipnorm=1.0 if clip else None, **options)


def _per_parameter(name, clip):
    return counting.OPTIMIZER_FLOPS[name] + counting.CLIP_FLOPS * clip


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("name", list(counting.OPTIMIZER_FLOPS))
def test_the_optimizer_takes_its_flops_a_parameter(name, clip):
    import tensorflow as tf

    def flops(n):
        optimizer, variable = optimizer_of(name, clip), tf.Variable(tf.zeros([n]))
        optimizer.build([variable])
        return compiled.program(lambda g: optimizer.apply_gradients([(g, variable)]), tf.ones([n])).element_wise()

    small, large = flops(1000), flops(3000)
    # TensorFlow's norm converts float32 to float32 on the way, which the compiler's rules count. JAX' does not.
    expected = _per_parameter(name, clip) + clip
    assert (large - small) / 2000 == expected
    assert small - 1000 * expected < 30  # the few operations on single numbers


def test_optimizer_flops_of_a_model():
    counts = counting.count("mlp", 10, TASKS["pictures"]())
    assert counts.optimizer_flops() == 12 * counts.n_params
    assert counts.optimizer_flops("sgd", clip=True) == 5 * counts.n_params
    with pytest.raises(ValueError, match=r"sgd, momentum, adam, adamw\.$"):
        counts.optimizer_flops("lion")


# --- conventions ----------------------------------------------------------------------------------


def test_conventions_of_a_transformer_by_hand():
    counts = counting.count("transformer", 64, task("bytes"))
    d, length, vocabulary, layers = 64, 64, 256, 2
    body, gains = layers * 12 * d * d, 5 * d
    assert (counts.embedding, counts.positions, counts.head, counts.body) == (vocabulary * d, 0, vocabulary * d, body)
    assert counts.vectors == gains
    by_hand = {
        "three-forward": 6 * (body + vocabulary * d) + 12 * layers * length * d,
        "exact": 6 * (body + vocabulary * d) + 12 * layers * length * d,
        "6N": 6 * (body + gains + 2 * vocabulary * d),
        "6N-body": 6 * (body + gains),
        "6N-no-embedding": 6 * (body + gains + vocabulary * d),
        "6N-attention": 6 * (body + gains + 2 * vocabulary * d) + 12 * layers * length * d,
        "no-head": 6 * body + 12 * layers * length * d,
    }
    assert {name: counts.training_flops(10, name) / 10 for name in counting.CONVENTIONS} == by_hand


def test_conventions_of_the_character_mlp_by_hand():
    counts = counting.count("char_mlp", 64, task("characters"))
    hidden, head, embedding = 8 * 16 * 64, 64 * 98, 98 * 16
    assert counts.n_params == embedding + hidden + 64 + head + 98
    assert counts.n_params_body == hidden + 64 + 98
    assert counts.training_flops(1) == counts.training_flops(1, "exact") == 6 * (hidden + head)


def test_six_n_meets_the_exact_count_as_a_model_of_numbers_grows():
    of = task("digits")
    shares = [
        counting.count("mlp", size, of).training_flops(1, "6N") / counting.count("mlp", size, of).training_flops(1)
        for size in (8, 64, 512, 4096)
    ]
    assert shares == sorted(shares, reverse=True) and abs(shares[-1] - 1) < 1e-3


@given(st.sampled_from(list(counting.CONVENTIONS)), st.integers(1, 10**12))
def test_flops_are_proportional_to_tokens(convention, tokens):
    counts = counting.count("transformer", 8, TASKS["sequences"]())
    assert math.isclose(counts.training_flops(tokens, convention), tokens * counts.training_flops(1, convention))


def test_the_input_gradient_is_the_difference_between_two_conventions():
    for family, size, name in MODELS:
        counts = counting.count(family, size, TASKS[name]())
        difference = counts.training_flops(1) - counts.training_flops(1, "exact")
        assert difference == counts.first_flops
        assert (difference > 0) == (models.FAMILIES[family].inputs_are == "numbers")


def test_bytes_of_a_training_state():
    counts = counting.count("mlp", 10, TASKS["pictures"]())
    assert (counts.parameter_bytes, counts.bytes) == (4 * counts.n_params, 16 * counts.n_params)


def test_an_unknown_convention_is_one_sentence_that_names_those_there_are():
    with pytest.raises(ValueError, match=r"three-forward.*6N-body.*\.$"):
        counting.count("mlp", 8, TASKS["pictures"]()).training_flops(1, "7N")
