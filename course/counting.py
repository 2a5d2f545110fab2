"""Parameters and FLOPs of a model, counted exactly from its shape; every convention has a name.

A FLOP is one floating-point addition or multiplication. A matrix product (m, k) by (k, n) takes 2 m k n
of them: that is what is counted, in float32. Element-wise work (biases, activations, normalisation,
softmax) is left out, as in the literature; looking up an embedding takes none. The optimiser's own work, a
few FLOPs a parameter and step, is counted apart (OPTIMIZER_FLOPS). A convolution is the matrix product of its
kernel with the patches, padding included, as it is in memory: where the images are small, XLA, which leaves the
padding out, counts less. "Per token" is per prediction: a target of the loss. Nothing here imports TensorFlow.
Derived in lesson 2.1.

The other side of the comparison, what Keras and the compiler count, is `course.compiled`; bytes are counted by
`course.memory`, and models from papers by `course.published_models`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course.models import CharMLPShape, ConvShape, LinearShape, MLPShape, Shape, TransformerShape, shape

if TYPE_CHECKING:
    from course.data import Task

__all__ = ["CLIP_FLOPS", "CONVENTIONS", "OPTIMIZER_FLOPS", "Counts", "count", "count_shape"]


@dataclass(frozen=True)
class Counts:
    """What a model holds and does.

    Parameters: `embedding` (tables), `positions` (learned positions), `head` (the last matrix), `body`
    (all other matrices and kernels), `vectors` (biases and gains). Forward FLOPs per token: `body_flops`,
    `attention_flops` (scores and mixing, all pairs of positions computed), `head_flops`. `first_flops` is the
    part of the body that multiplies the inputs themselves, whose gradient nobody needs.
    """

    embedding: int
    positions: int
    body: int
    head: int
    vectors: int
    body_flops: int
    attention_flops: int
    head_flops: int
    first_flops: int = 0

    @property
    def n_params(self) -> int:
        """All parameters, as Keras counts them."""
        return self.embedding + self.positions + self.body + self.head + self.vectors

    @property
    def n_params_body(self) -> int:
        """Parameters without embedding, positions and head: Kaplan et al.'s N (2020, section 2.1)."""
        return self.body + self.vectors

    @property
    def forward_flops_per_token(self) -> int:
        """FLOPs of the matrix products of one prediction."""
        return self.body_flops + self.attention_flops + self.head_flops

    @property
    def training_flops_per_token(self) -> int:
        """Three times the forward pass: each product's backward takes two of the same size.

        What the course spends its budgets in. `exact` among the CONVENTIONS leaves out the gradient
        of the inputs as well.
        """
        return 3 * self.forward_flops_per_token

    def training_flops(self, tokens: float, convention: str = "three-forward") -> float:
        """Training FLOPs of `tokens` predictions by one of the CONVENTIONS.

        Raises ValueError for a convention there is none of.
        """
        if convention not in CONVENTIONS:
            raise ValueError(f"There is no convention {convention!r}; there are {', '.join(CONVENTIONS)}.")
        per_token = {
            "three-forward": self.training_flops_per_token,
            "exact": self.training_flops_per_token - self.first_flops,
            "6N": 6 * self.n_params,
            "6N-body": 6 * self.n_params_body,
            "6N-no-embedding": 6 * (self.n_params - self.embedding - self.positions),
            "6N-attention": 6 * self.n_params + 3 * self.attention_flops,
            "no-head": self.training_flops_per_token - 3 * self.head_flops,
        }[convention]
        return float(per_token) * tokens

    def optimizer_flops(self, optimizer: str = "adam", clip: bool = False) -> int:
        """FLOPs of one step of an optimiser over all parameters, by OPTIMIZER_FLOPS; `clip`: to a global norm.

        The few operations on single numbers (rate, bias corrections) are left out. A step does it once, however
        many tokens it learns from. Raises ValueError for an optimiser there is none of.
        """
        if optimizer not in OPTIMIZER_FLOPS:
            raise ValueError(f"There is no optimiser {optimizer!r}; there are {', '.join(OPTIMIZER_FLOPS)}.")
        return (OPTIMIZER_FLOPS[optimizer] + CLIP_FLOPS * clip) * self.n_params

    @property
    def parameter_bytes(self) -> int:
        """Bytes of the parameters alone in float32: what inference holds."""
        return 4 * self.n_params

    @property
    def bytes(self) -> int:
        """Bytes of a training state in float32: parameters, gradients and Adam's two moments, 16 a parameter."""
        return 16 * self.n_params


CONVENTIONS = {
    "three-forward": "three times the forward matrix products, attention and head included: the course's budgets",
    "exact": "the same without the gradient of the inputs, which is never computed: what the compiler counts",
    "6N": "six per parameter, all of them (Hoffmann et al. 2022, section 3.3, rounded)",
    "6N-body": "six per parameter outside embedding and head (Kaplan et al. 2020, section 2.1)",
    "6N-no-embedding": "six per parameter outside the embedding, the head included",
    "6N-attention": "six per parameter and 12 layers d_model length for attention (Chowdhery et al. 2022, appendix B)",
    "no-head": "matrix products without the head's (the first of Porian et al.'s five steps, 2024)",
}
"""What each convention counts, and whose it is."""

OPTIMIZER_FLOPS = {"sgd": 2, "momentum": 4, "adam": 12, "adamw": 15}
"""FLOPs a parameter and step: each element-wise operation of Keras' update is one, a division or a root too.

Adam takes 3 for the first moment (g - m, times 1 - beta_1, added to m), 4 for the second (the square before), and 5 for
the weight (rate times m, root of v, plus epsilon, the quotient, subtracted). AdamW shrinks the weight first, 3 more.
"""

CLIP_FLOPS = 3
"""FLOPs a parameter of clipping the gradient to a global norm: its square, their sum, and the factor."""


def _linear(s: LinearShape) -> Counts:
    flops = 2 * s.features * s.outputs
    return Counts(0, 0, 0, s.features * s.outputs, s.outputs, 0, 0, flops, flops)


def _mlp(s: MLPShape) -> Counts:
    body = s.inputs * s.width + (s.layers - 1) * s.width**2
    head = s.width * s.outputs
    return Counts(0, 0, body, head, s.layers * s.width + s.outputs, 2 * body, 0, 2 * head, 2 * s.inputs * s.width)


def _conv(s: ConvShape) -> Counts:
    space, channels = s.space, s.channels
    body = flops = first = 0
    for filters, stride in zip(s.filters, s.strides, strict=True):
        space = tuple(-(-side // stride) for side in space)
        kernel = 3 ** len(space) * channels * filters
        body += kernel
        flops += 2 * kernel * math.prod(space)
        first = first or flops
        channels = filters
    head = channels * s.outputs
    return Counts(0, 0, body, head, sum(s.filters) + s.outputs, flops, 0, 2 * head, first)


def _char_mlp(s: CharMLPShape) -> Counts:
    body = s.window * s.embedding * s.width
    head = s.width * s.outputs
    return Counts(s.vocabulary * s.embedding, 0, body, head, s.width + s.outputs, 2 * body, 0, 2 * head)


def _transformer(s: TransformerShape) -> Counts:
    body = s.layers * (4 * s.d_model**2 + 2 * s.d_model * s.d_ff)
    head = s.d_model * s.outputs
    return Counts(
        embedding=s.vocabulary * s.d_model,
        positions=s.length * s.d_model if s.positions == "absolute" else 0,
        body=body,
        head=head,
        vectors=(2 * s.layers + 1) * s.d_model,
        body_flops=2 * body,
        attention_flops=s.layers * 4 * s.length * s.d_model,
        head_flops=2 * head,
    )


def count_shape(shape: Shape) -> Counts:
    """Counts of a shape from `course.models`."""
    if isinstance(shape, LinearShape):
        return _linear(shape)
    if isinstance(shape, MLPShape):
        return _mlp(shape)
    if isinstance(shape, ConvShape):
        return _conv(shape)
    if isinstance(shape, CharMLPShape):
        return _char_mlp(shape)
    return _transformer(shape)


def count(family: str, size: int, task: Task) -> Counts:
    """Parameters and FLOPs of this family's model of this size for this task. Raises as `course.models.shape` does."""
    return count_shape(shape(family, size, task))
