"""Families of models, each with one size dial: everything else follows from the dial by stated rules.

A sweep is then one list of whole numbers. A family's `shape` says what a model of that size looks
like without importing TensorFlow, which is what `course.counting` counts and a plan is made from;
`build` makes the Keras model of that shape. Models are written in plain Keras 3, so the same one runs
on TensorFlow, JAX and PyTorch. Inputs have shape (batch, *task.inputs); outputs are logits (or the
predicted value), shape (batch, outputs), and for sequences (batch, length, outputs).

| family        | size is           | the rest follows                                                      |
|---------------|-------------------|-----------------------------------------------------------------------|
| `linear`      | features it sees  | evenly spaced among the inputs, one weight each, a bias                |
| `mlp`         | hidden width      | two hidden layers, ReLU                                               |
| `mlp_1`, `mlp_4`, `mlp_8`, `mlp_16` | hidden width | `mlp` with so many hidden layers                     |
| `mlp_4_residual`, `mlp_8_residual`, `mlp_16_residual` | hidden width | the same, each layer added to what it got |
| `mlp_mup`     | hidden width      | `mlp` in maximal-update parameterisation, the same model at width 64  |
| `conv`        | first channels    | three 3-wide convolutions, size, 2 size, 2 size channels, strides 1, 2, 2 |
| `char_mlp`    | hidden width      | embedding of size / 4, joined over the window, one hidden layer, ReLU |
| `transformer` | d_model           | two blocks, four heads, feed-forward 4 size, ALiBi positions           |
| `transformer_absolute` | d_model  | the same with learned absolute positions in place of ALiBi             |

The number of heads stays at four because ALiBi's slopes depend on it: heads that grow with the width
change how the model sees positions from one size to the next, and the curve bends (lesson 5.3). How a model
should change when it grows, in depth and in width, is lesson 3.1's subject.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from course.inputs import whole

if TYPE_CHECKING:
    from course.data import Task

__all__ = [
    "FAMILIES",
    "MUP_BASE_WIDTH",
    "PRECISIONS",
    "CharMLPShape",
    "ConvShape",
    "Family",
    "LinearShape",
    "MLPShape",
    "Shape",
    "TransformerShape",
    "build",
    "initial_weights",
    "shape",
]


# --- shapes: what a size means --------------------------------------------------------------------


@dataclass(frozen=True)
class LinearShape:
    """A linear model of `features` of the inputs."""

    features: int
    outputs: int


@dataclass(frozen=True)
class MLPShape:
    """`inputs` numbers, `layers` hidden layers of `width` units with biases, `outputs` logits.

    With z the numbers before a layer's ReLU, a layer gives z = W relu(z_before) + b; where `residual`,
    z = z_before + (W relu(z_before) + b) / sqrt(layers - 1). `base_width` is 0 for the standard
    parameterisation; otherwise the maximal-update one, which is the standard model at that width.
    """

    inputs: int
    width: int
    layers: int
    outputs: int
    residual: bool = False
    base_width: int = 0

    @property
    def multiplier(self) -> float:
        """What the hidden-to-hidden matrices and the head are multiplied by: base_width / width, or 1."""
        return self.base_width / self.width if self.base_width else 1.0


@dataclass(frozen=True)
class ConvShape:
    """Three convolutions 3 wide over `space` (length, or height and width) with `channels` going in.

    `filters` come out of each, `strides` between them, padding "same"; the mean over space goes to the head.
    """

    space: tuple[int, ...]
    channels: int
    filters: tuple[int, int, int]
    strides: tuple[int, int, int]
    outputs: int


@dataclass(frozen=True)
class CharMLPShape:
    """`window` ids of `vocabulary` embedded in `embedding` numbers each, joined, one hidden layer of `width`."""

    window: int
    vocabulary: int
    embedding: int
    width: int
    outputs: int


@dataclass(frozen=True)
class TransformerShape:
    """A decoder: `layers` blocks of `d_model`, `heads` heads, a feed-forward of `d_ff`, no biases.

    `positions` is "alibi", which has no parameters, or "absolute": length x d_model learned numbers.

    Normalisation before each part and before the head, with a gain and no offset; head not tied to the embedding.
    """

    length: int
    vocabulary: int
    d_model: int
    layers: int
    heads: int
    d_ff: int
    outputs: int
    positions: str = "alibi"


PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
"""What layers may compute in, and Keras' name for it; weights are float32 in both."""

Shape = LinearShape | MLPShape | ConvShape | CharMLPShape | TransformerShape


def _linear_shape(size: int, task: Task) -> LinearShape:
    features = math.prod(task.inputs)
    if size > features:
        raise ValueError(
            f"The inputs of {task.name!r} have {features} features, so a linear model sees at most {features}; "
            f"got size={size}."
        )
    return LinearShape(size, task.outputs)


def _mlp_shape(size: int, task: Task) -> MLPShape:
    return MLPShape(math.prod(task.inputs), size, 2, task.outputs)


MUP_BASE_WIDTH = 64
"""Width at which `mlp_mup` and `mlp` are the same model: where its learning rate is tuned."""


def _mup_shape(size: int, task: Task) -> MLPShape:
    return replace(_mlp_shape(size, task), base_width=MUP_BASE_WIDTH)


def _deep_shape(layers: int, residual: bool) -> Callable[[int, Task], MLPShape]:
    return lambda size, task: replace(_mlp_shape(size, task), layers=layers, residual=residual)


def _conv_shape(size: int, task: Task) -> ConvShape:
    space, channels = (task.inputs[:-1], task.inputs[-1]) if len(task.inputs) > 1 else (task.inputs, 1)
    return ConvShape(space, channels, (size, 2 * size, 2 * size), (1, 2, 2), task.outputs)


def _char_mlp_shape(size: int, task: Task) -> CharMLPShape:
    return CharMLPShape(math.prod(task.inputs), task.vocabulary, max(2, size // 4), size, task.outputs)


def _transformer_shape(size: int, task: Task, positions: str = "alibi") -> TransformerShape:
    heads = 4
    if size % heads:
        raise ValueError(f"A Transformer's d_model is a multiple of its {heads} heads; got size={size}.")
    return TransformerShape(math.prod(task.inputs), task.vocabulary, size, 2, heads, 4 * size, task.outputs, positions)


def _absolute_shape(size: int, task: Task) -> TransformerShape:
    return _transformer_shape(size, task, "absolute")


# --- models: the Keras layers of a shape ----------------------------------------------------------


def _linear(shape: LinearShape, task: Task, seed: int) -> Any:
    import keras

    seen = np.linspace(0, math.prod(task.inputs) - 1, shape.features).round().astype("int32")
    inputs = keras.Input(task.inputs)
    x = keras.layers.Reshape((math.prod(task.inputs),))(inputs)
    x = keras.ops.take(x, seen, axis=1)
    head = keras.layers.Dense(shape.outputs, kernel_initializer="zeros", name="head", dtype="float32")
    return keras.Model(inputs, head(x))


def _mlp(shape: MLPShape, task: Task, seed: int) -> Any:
    import keras

    inputs = keras.Input(task.inputs)
    x = keras.layers.Reshape((shape.inputs,))(inputs)
    for layer in range(shape.layers):
        x = keras.layers.Dense(
            shape.width, "relu", kernel_initializer=keras.initializers.HeNormal(seed + layer), name=f"hidden_{layer}"
        )(x)
    return keras.Model(inputs, _head(shape.outputs, seed + 90)(x))


def _grown_mlp(shape: MLPShape, task: Task, seed: int) -> Any:
    """`_mlp` with skip connections, or in maximal-update parameterisation (Yang et al. 2022, table 8), or as it is.

    A matrix with a multiplier m is x @ (m w), where w is drawn 1/m times as large: the model starts from the
    same numbers, and a step of Adam, which moves each w by about the rate, moves the matrix m times as far.
    """
    import keras

    def dense(x: Any, multiplier: float, name: str, draw: int) -> Any:
        initial = keras.initializers.VarianceScaling(2 / multiplier**2, "fan_in", "truncated_normal", seed=seed + draw)
        x = x if multiplier == 1 else x * multiplier
        return keras.layers.Dense(shape.width, kernel_initializer=initial, name=name)(x)

    inputs = keras.Input(task.inputs)
    z = dense(keras.layers.Reshape((shape.inputs,))(inputs), 1.0, "hidden_0", 0)
    for layer in range(1, shape.layers):
        step = dense(keras.ops.relu(z), shape.multiplier, f"hidden_{layer}", layer)
        z = z + step * (shape.layers - 1) ** -0.5 if shape.residual else step
    # The head starts at 0.1 base_width^(1/2) / width in place of 0.1 / width^(1/2): smaller the wider, as in table 8.
    head = _head(shape.outputs, seed + 90, scale=0.01 / shape.multiplier)
    return keras.Model(inputs, head(keras.ops.relu(z) * shape.multiplier))


def _head(outputs: int, seed: int, use_bias: bool = True, scale: float = 0.01) -> Any:
    import keras

    initial = keras.initializers.VarianceScaling(
        scale, "fan_in", "truncated_normal", seed=seed
    )  # starts near log(outputs)
    # Logits in float32, whatever the other layers compute in: bfloat16 would round a logit of 8 to 1/32.
    return keras.layers.Dense(outputs, use_bias=use_bias, kernel_initializer=initial, name="head", dtype="float32")


def _conv(shape: ConvShape, task: Task, seed: int) -> Any:
    import keras

    convolution = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}[len(shape.space)]
    inputs = keras.Input(task.inputs)
    x = keras.layers.Reshape((*shape.space, shape.channels))(inputs)
    for layer, (filters, stride) in enumerate(zip(shape.filters, shape.strides, strict=True)):
        x = convolution(
            filters,
            3,
            strides=stride,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed + layer),
            name=f"conv_{layer}",
        )(x)
    x = keras.ops.mean(x, axis=tuple(range(1, len(shape.space) + 1)))
    return keras.Model(inputs, _head(shape.outputs, seed + 90)(x))


def _char_mlp(shape: CharMLPShape, task: Task, seed: int) -> Any:
    import keras

    inputs = keras.Input(task.inputs, dtype="int32")
    x = keras.layers.Embedding(
        shape.vocabulary,
        shape.embedding,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=seed),
        name="embedding",
    )(inputs)
    x = keras.layers.Reshape((shape.window * shape.embedding,))(x)
    x = keras.layers.Dense(
        shape.width, "relu", kernel_initializer=keras.initializers.HeNormal(seed + 1), name="hidden_0"
    )(x)
    return keras.Model(inputs, _head(shape.outputs, seed + 90)(x))


def alibi_slopes(heads: int) -> list[float]:
    """The slope of each head's linear penalty on distance, 2^(-8 i / heads) (Press et al. 2022, section 3)."""
    return [2.0 ** (-8.0 * (i + 1) / heads) for i in range(heads)]


def _attention_class() -> Any:
    """The layer of causal self-attention, made on first use so that Keras is not imported before."""
    import keras
    from keras import ops

    class CausalAttention(keras.layers.Layer):
        """Causal self-attention over (batch, length, d_model); `slopes` penalise distance, one a head (ALiBi)."""

        def __init__(self, d_model: int, slopes: list[float], length: int, layers: int, seed: int, name: str) -> None:
            super().__init__(name=name)
            heads = len(slopes)
            self.heads, self.length, self.width = heads, length, d_model // heads
            normal = keras.initializers.RandomNormal
            scale = d_model**-0.5
            self.qkv = keras.layers.Dense(
                3 * d_model, use_bias=False, kernel_initializer=normal(stddev=scale, seed=seed)
            )
            self.out = keras.layers.Dense(
                d_model,
                use_bias=False,
                kernel_initializer=normal(stddev=scale / (2 * layers) ** 0.5, seed=seed + 1),
            )
            distance = np.arange(length)[:, None] - np.arange(length)[None, :]  # (query, key)
            bias = -np.asarray(slopes)[:, None, None] * distance
            self.bias = np.where(distance >= 0, bias, -1e9).astype("float32")  # (heads, query, key)
            self.parts = (self.qkv, self.out)

        def build(self, input_shape: Any) -> None:
            self.qkv.build(input_shape)
            self.out.build(input_shape)
            self.built = True

        def call(self, x: Any) -> Any:
            # q, k, v: (batch, length, heads, d_head); scores: (batch, heads, query, key)
            q, k, v = (
                ops.reshape(part, (-1, self.length, self.heads, self.width)) for part in ops.split(self.qkv(x), 3, -1)
            )
            scores = ops.cast(ops.einsum("bqhd,bkhd->bhqk", q * self.width**-0.5, k), "float32") + self.bias
            mixed = ops.einsum("bhqk,bkhd->bqhd", ops.cast(ops.softmax(scores), v.dtype), v)
            return self.out(ops.reshape(mixed, (-1, self.length, self.heads * self.width)))

    return CausalAttention


def _positions_class() -> Any:
    """The layer that adds a learned vector to each position, made on first use."""
    import keras

    class AbsolutePositions(keras.layers.Layer):
        """Adds one learned vector a position to (batch, length, d_model)."""

        def __init__(self, initial: Any, name: str) -> None:
            super().__init__(name=name)
            self.table_initializer = initial

        def build(self, input_shape: Any) -> None:
            self.table = self.add_weight(shape=input_shape[1:], initializer=self.table_initializer, name="table")

        def call(self, x: Any) -> Any:
            return x + self.table

    return AbsolutePositions


def _transformer(shape: TransformerShape, task: Task, seed: int) -> Any:
    import keras

    normal = keras.initializers.RandomNormal
    attention = _attention_class()

    def normalised(x: Any, name: str) -> Any:
        return keras.layers.LayerNormalization(center=False, epsilon=1e-5, name=name)(x)

    inputs = keras.Input(task.inputs, dtype="int32")
    x = keras.layers.Embedding(
        shape.vocabulary, shape.d_model, embeddings_initializer=normal(stddev=1.0, seed=seed), name="embedding"
    )(inputs)
    slopes = alibi_slopes(shape.heads)
    if shape.positions == "absolute":
        slopes = [0.0] * shape.heads
        x = _positions_class()(normal(stddev=0.5, seed=seed + 1), name="positions")(x)
    for i in range(shape.layers):
        draw = seed + 10 * (i + 1)
        x = x + attention(shape.d_model, slopes, shape.length, shape.layers, draw, f"attention_{i}")(
            normalised(x, f"norm_attention_{i}")
        )
        y = keras.layers.Dense(
            shape.d_ff,
            "relu",
            use_bias=False,
            kernel_initializer=normal(stddev=(2 / shape.d_model) ** 0.5, seed=draw + 2),
            name=f"up_{i}",
        )(normalised(x, f"norm_feed_forward_{i}"))
        scale = (shape.d_ff * 2 * shape.layers) ** -0.5
        x = x + keras.layers.Dense(
            shape.d_model, use_bias=False, kernel_initializer=normal(stddev=scale, seed=draw + 3), name=f"down_{i}"
        )(y)
    return keras.Model(inputs, _head(shape.outputs, seed + 90, use_bias=False)(normalised(x, "norm_head")))


# --- families -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Family:
    """A family of models: what `size` means, the shape of a size, and the Keras model of a shape."""

    name: str
    size_is: str
    inputs_are: str  # "tokens" or "numbers"
    shape: Callable[[int, Any], Any]
    layers: Callable[[Any, Any, int], Any]


FAMILIES = {
    family.name: family
    for family in (
        Family("linear", "features it sees", "numbers", _linear_shape, _linear),
        Family("mlp", "hidden width", "numbers", _mlp_shape, _mlp),
        Family("conv", "channels of the first convolution", "numbers", _conv_shape, _conv),
        Family("char_mlp", "hidden width", "tokens", _char_mlp_shape, _char_mlp),
        Family("transformer", "d_model", "tokens", _transformer_shape, _transformer),
        Family("transformer_absolute", "d_model", "tokens", _absolute_shape, _transformer),
        Family("mlp_mup", "hidden width", "numbers", _mup_shape, _grown_mlp),
        *(Family(f"mlp_{n}", "hidden width", "numbers", _deep_shape(n, False), _grown_mlp) for n in (1, 4, 8, 16)),
        *(Family(f"mlp_{n}_residual", "hidden width", "numbers", _deep_shape(n, True), _grown_mlp) for n in (4, 8, 16)),
    )
}


def _family(name: str, task: Task) -> Family:
    if name not in FAMILIES:
        raise ValueError(f"There is no family {name!r}; the families are {', '.join(FAMILIES)}.")
    family = FAMILIES[name]
    has = "tokens" if task.vocabulary else "numbers"
    sequence = task.tokens_per_sample > 1
    if family.inputs_are != has or sequence != name.startswith("transformer"):
        fits = [
            other.name
            for other in FAMILIES.values()
            if other.inputs_are == has and sequence == other.name.startswith("transformer")
        ]
        raise ValueError(f"Family {name!r} does not fit the task {task.name!r}: choose {' or '.join(fits)}.")
    return family


def shape(family: str, size: int, task: Task) -> Shape:
    """What the model of this family and size looks like for this task; imports neither Keras nor TensorFlow.

    Raises ValueError for an unknown family, one that does not fit the task, or a size that is not a
    whole number of at least 1.
    """
    found: Shape = _family(family, task).shape(whole("size", size), task)
    return found


def build(family: str, size: int, task: Task, seed: int = 0, precision: str = "float32") -> Any:
    """A Keras model of this family and size, its weights drawn from `seed`. Raises as `shape` does.

    The same seed gives the same weights on every Keras backend's own generator, not across backends.
    precision: what layers compute in, a key of `PRECISIONS`; the head and the softmax stay in float32.
    """
    described = shape(family, size, task)
    with _policy(precision):
        return FAMILIES[family].layers(described, task, 1000 * whole("seed", seed, 0))


def initial_weights(model: Any, seed: int) -> list[np.ndarray]:
    """The weights that `build` draws from `seed`, for a model that it built with seed 0: arrays in the model's order.

    The layers' initialisers draw them anew; nothing else is built, which would take several times as long.
    """
    offset, drawn = 1000 * whole("seed", seed, 0), {}
    for layer in model.layers:
        for part in getattr(layer, "parts", (layer,)):
            for name in ("embeddings", "table", "kernel", "bias", "gamma"):
                variable = getattr(part, name, None)
                if (initial := getattr(part, f"{name}_initializer", None)) is None or variable is None:
                    continue
                if hasattr(initial, "seed"):
                    initial = type(initial).from_config(initial.get_config() | {"seed": initial.seed + offset})
                drawn[id(variable)] = np.asarray(initial(variable.shape, dtype=variable.dtype))
    return [drawn[id(variable)] for variable in model.trainable_variables]


@contextmanager
def _policy(precision: str) -> Iterator[None]:
    """Layers made inside compute in this precision."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISIONS[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
