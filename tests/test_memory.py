"""Bytes counted from a shape, against variables, gradients, the compiled step and the process."""

import math

import numpy as np
import pytest
import tiny_tasks

from course import compiled, counting, memory, models
from course.data import task


def test_bytes_a_parameter_of_each_precision():
    assert {name: p.total for name, p in memory.PRECISIONS.items()} == {
        "float32": 16,
        "mixed": 16,
        "mixed, float32 gradients": 18,
    }


def test_training_bytes_by_hand():
    assert memory.training_bytes(10) == {"weights": 40, "gradients": 40, "optimiser": 80}
    assert memory.training_bytes(10, "mixed") == {"weights": 20, "gradients": 20, "optimiser": 120}
    assert sum(memory.training_bytes(7.5e9, "mixed").values()) == 120e9  # Rajbhandari et al. 2020, figure 1
    assert memory.inference_bytes(175e9) == 350e9
    with pytest.raises(ValueError, match=r"float32, mixed, mixed, float32 gradients\.$"):
        memory.training_bytes(10, "int4")
    with pytest.raises(ValueError, match="n_params"):
        memory.training_bytes(0)


MODELS = [
    ("linear", 4, tiny_tasks.corners),
    ("mlp", 16, lambda: task("digits")),
    ("conv", 5, lambda: task("digits")),
    ("char_mlp", 16, tiny_tasks.letters),
    ("transformer", 8, tiny_tasks.sequences),
    ("transformer_absolute", 8, tiny_tasks.sequences),
]


@pytest.mark.parametrize(("family", "size", "of"), MODELS)
def test_weights_gradients_and_moments_are_what_the_arrays_hold(family, size, of):
    import keras
    import tensorflow as tf

    of = of()
    model = models.build(family, size, of)
    counted = memory.training_bytes(counting.count(family, size, of).n_params)
    x = tf.zeros((2, *of.inputs), tf.int32 if of.vocabulary else tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x, training=True) ** 2)
    gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, model.trainable_variables)]
    adam = keras.optimizers.Adam()
    adam.build(model.trainable_variables)
    assert sum(v.numpy().nbytes for v in model.trainable_variables) == counted["weights"]
    assert sum(each.numpy().nbytes for each in gradients) == counted["gradients"]
    assert sum(v.numpy().nbytes for v in adam.variables) == counted["optimiser"] + 12  # its count of steps, its rate
    assert sum(counted.values()) == counting.count(family, size, of).bytes


def test_activations_by_hand():
    assert memory.activations(models.MLPShape(64, 32, 2, 10)) == {"inputs": 64, "hidden": 64, "logits": 10}
    shape = models.ConvShape((8, 8), 1, (4, 8, 8), (1, 2, 2), 10)
    assert memory.activations(shape) == {"inputs": 64, "hidden": 4 * 64 + 8 * 16 + 8 * 4, "mean": 8, "logits": 10}
    shape = models.TransformerShape(16, 20, 8, 2, 4, 32, 20)
    numbers = memory.activations(shape)
    assert numbers["attention"] == 2 * 4 * 16 * 16
    # a block keeps 12 d_model numbers a token with a feed-forward of 4 d_model, and a row of scores a head
    blocks = 2 * (12 * 8 + 4 * 16) * 16
    assert sum(numbers.values()) == blocks + 16 + 2 * 16 * 8 + 16 * 20


@pytest.mark.parametrize(
    ("family", "size", "of", "most"),
    [
        ("mlp_8", 64, lambda: task("digits"), 2.3),
        ("conv", 16, lambda: task("digits"), 2.8),
        ("char_mlp", 64, lambda: task("characters"), 2.2),
        ("transformer", 32, tiny_tasks.sequences, 2.2),
    ],
)
def test_the_compiled_step_holds_the_counted_activations_once_to_twice(family, size, of, most):
    """XLA keeps both sides of a ReLU, and the gradient on its way; it never holds less than what is counted."""
    of, batch = of(), 16
    small, large = (compiled.training_step(family, size, of, b) for b in (batch, 2 * batch))
    held = [program.temporary_bytes + program.argument_bytes for program in (small, large)]
    a_sample = (held[1] - held[0]) / batch
    counted = 4 * sum(memory.activations(models.shape(family, size, of)).values())
    assert 1 <= a_sample / counted < most


def test_resident_memory_sees_an_array():
    before = memory.resident_bytes()
    array = np.ones(20_000_000, np.float32)
    assert memory.resident_bytes() - before == pytest.approx(array.nbytes, rel=0.2)
    assert math.isfinite(array[0])
