"""Counts are exact: parameters as Keras counts them, FLOPs as the compilers' own programs hold them."""

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_tasks
from hypothesis import given
from hypothesis import strategies as st

from course import counting, models
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
]
IN_JAX = [("linear", 20, "digits"), ("mlp", 16, "digits"), ("conv", 5, "digits"), ("char_mlp", 40, "characters")]
IN_JAX.append(("transformer", 64, "bytes"))
BATCH = 2


def test_every_family_is_counted_here():
    assert {family for family, _, _ in MODELS} == set(models.FAMILIES)


# --- the compiler's program -----------------------------------------------------------------------


class Program:
    """The products in a program as XLA writes it (HLO text), those that nothing uses left out."""

    def __init__(self, text: str) -> None:
        self.computations: dict[str, list[str]] = {}
        name = ""
        for line in text.splitlines():
            if line.endswith("{"):
                name = line.split("(")[0].replace("ENTRY", "").strip(" %{")
                self.entry = name if line.startswith("ENTRY") else getattr(self, "entry", name)
                self.computations[name] = []
            elif " = " in line:
                self.computations[name].append(line.split(", metadata=")[0].replace("%", ""))

    def flops(self, padding: bool, name: str | None = None) -> int:
        """FLOPs of the products; a convolution's with or without those that multiply padding."""
        lines = self.computations[self.entry if name is None else name]
        defined = {line.split(" = ")[0].replace("ROOT", "").strip(): line for line in lines}
        shapes = {key: _sides(line.split(" = ")[1]) for key, line in defined.items()}
        live, waiting = set(), [key for key, line in defined.items() if "ROOT" in line]
        while waiting:
            key = waiting.pop()
            if key not in live:
                live.add(key)
                used = re.findall(r"[\w.\-]+", defined[key].split(" = ")[1])
                waiting += [each for each in used if each in defined]
        total = 0
        for key in live:
            line = defined[key].split(" = ")[1]
            if called := re.search(r"(?:to_apply|calls)=([\w.\-]+)", line):
                total += self.flops(padding, called[1])
            found = re.search(r" (dot|convolution)\((.*?)\),", line + ",")
            if found:
                left, right = (shapes[each.split()[-1]] for each in re.split(r", (?![^\[{]*[\]}])", found[2]))
                count = _dot if found[1] == "dot" else _convolution
                total += count(line, left, right, shapes[key], padding)
        return total


def _sides(text: str) -> tuple[int, ...]:
    found = re.match(r"\w+\[([\d,]*)\]", text)
    return tuple(int(side) for side in found[1].split(",") if side) if found else ()


def _dot(line, left, right, out, padding) -> int:
    contracted = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", line)[1]
    return 2 * math.prod(out) * math.prod(left[int(axis)] for axis in contracted.split(","))


def _convolution(line, left, right, out, padding) -> int:
    lhs, rhs, result = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", line).groups()

    def window(name, otherwise):
        given_here = re.search(rf"[{{ ]{name}=([\d_x\-]+)", line)
        return given_here[1].split("x") if given_here else [otherwise] * sum(c.isdigit() for c in lhs)

    pairs = 1
    for i, (stride, pad, inner, outer) in enumerate(
        zip(window("stride", "1"), window("pad", "0_0"), window("lhs_dilate", "1"), window("rhs_dilate", "1"), strict=True)
    ):  # fmt: skip
        side, kernel, output = (
            shape[labels.index(str(i))] for shape, labels in ((left, lhs), (right, rhs), (out, result))
        )
        inner = int(inner)
        place = np.arange(output)[:, None] * int(stride) + np.arange(kernel) * int(outer) - int(pad.split("_")[0])
        inside = (place >= 0) & (place <= (side - 1) * inner) & (place % inner == 0)
        pairs *= output * kernel if padding else int(inside.sum())
    return 2 * pairs * out[result.index("b")] * out[result.index("f")] * right[rhs.index("i")]


def test_the_reader_of_programs_reads_them():
    text = """HloModule m

inner.1 {
  a.1 = f32[3,4]{1,0} parameter(0)
  ROOT dot.9 = f32[3,3]{1,0} dot(a.1, a.1), lhs_contracting_dims={1}, rhs_contracting_dims={1}
}

ENTRY main.2 {
  %x.1 = f32[3,4]{1,0} parameter(0)
  %unused.1 = f32[4,4]{1,0} dot(f32[3,4]{1,0} %x.1, f32[3,4]{1,0} %x.1), lhs_contracting_dims={0}, rhs_contracting_dims={0}
  %call.1 = f32[3,3]{1,0} call(f32[3,4]{1,0} %x.1), to_apply=%inner.1
  %call.2 = f32[3,3]{1,0} call(x.1), to_apply=inner.1
  ROOT %sum.1 = f32[3,3]{1,0} add(%call.1, %call.2)
}
"""
    assert Program(text).flops(padding=True) == 2 * (2 * 3 * 4 * 3)


def _programs(family, size, of):
    """The model as TensorFlow hands it to XLA: forward, and forward and backward."""
    import tensorflow as tf

    model = models.build(family, size, of)
    x = tf.zeros((BATCH, *of.inputs), tf.int32 if of.vocabulary else tf.float32)

    def backward(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x, training=True) ** 2)
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, model.trainable_variables)]

    def text(work):
        compiled = tf.function(work, jit_compile=True, autograph=False)
        return Program(compiled.experimental_get_compiler_ir(x)(stage="hlo"))

    return model, text(lambda x: model(x, training=True)), text(backward)


@pytest.mark.parametrize(("family", "size", "name"), MODELS)
def test_counts_are_the_frameworks(family, size, name):
    of = TASKS[name]()
    counts = counting.count(family, size, of)
    model, forward, training = _programs(family, size, of)
    tokens = BATCH * of.tokens_per_sample
    assert counts.n_params == model.count_params()
    assert tokens * counts.forward_flops_per_token == forward.flops(padding=True)
    if family != "conv":
        assert counts.training_flops(tokens, "exact") == training.flops(padding=True)


@pytest.mark.parametrize(("family", "size", "name"), [each for each in MODELS if each[0] == "conv"])
def test_a_convolution_trains_in_three_times_its_forward_pass(family, size, name):
    """Without padding, which the two gradients meet in other places; the first layer's input gradient is dead."""
    of = TASKS[name]()
    counts = counting.count(family, size, of)
    _, forward, training = _programs(family, size, of)
    proper, padded = forward.flops(padding=False), forward.flops(padding=True)
    assert padded / 2 < proper < padded
    first = 3 * proper - training.flops(padding=False)
    assert 0 < first <= BATCH * counts.first_flops


JAX = """
import json, sys
sys.path.insert(0, sys.argv[1])
import jax, jax.numpy as jnp
import test_counting as t
from course import models

out = {}
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
    lowered = [jax.jit(work).lower(weights) for work in (forward, backward)]
    out[key] = [each.compiler_ir("hlo").as_hlo_text() for each in lowered]
    out[key].append(lowered[0].cost_analysis()["flops"])
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
    texts = json.loads(done.stdout.splitlines()[-1])
    for family, size, name in IN_JAX:
        of = TASKS[name]()
        counts = counting.count(family, size, of)
        tokens = BATCH * of.tokens_per_sample
        forward, training, analysis = texts[f"{family} {size} {name}"]
        ours = tokens * counts.forward_flops_per_token
        assert Program(forward).flops(padding=True) == ours, (family, size, name)
        if family != "conv":
            assert Program(training).flops(padding=True) == counts.training_flops(tokens, "exact"), (family, size, name)
            # The cost analysis adds element-wise work: much of a tiny model, little of a larger one.
            assert ours <= analysis, (family, size, name)
            if size >= 32:
                assert analysis < 1.25 * ours, (family, size, name)


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
