"""Bytes that training and running a model take, counted from its shape: weights, gradients, optimiser, activations.

The first three are a number of bytes for each parameter, whatever the model (`PRECISIONS`). Activations, the
numbers that the forward pass leaves for the backward pass, grow with the batch instead: `activations` lists them
for a shape. What a program really allocates is in `course.compiled` (the compiler's own schedule) and
`resident_bytes` (what the system counts for this process). 1 MB is 10^6 bytes, 1 MiB is 2^20. Lesson 2.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from course.inputs import positive
from course.models import CharMLPShape, ConvShape, LinearShape, MLPShape, Shape, TransformerShape

__all__ = ["PRECISIONS", "Precision", "activations", "inference_bytes", "resident_bytes", "training_bytes"]


@dataclass(frozen=True)
class Precision:
    """Bytes a parameter while training with Adam: `weights`, `gradients`, and all that the `optimizer` keeps."""

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        """Bytes a parameter in all."""
        return self.weights + self.gradients + self.optimizer


PRECISIONS = {
    "float32": Precision(4, 4, 8),
    "mixed": Precision(2, 2, 12),
    "mixed, float32 gradients": Precision(2, 4, 12),
}
"""float32: the course's own, Adam's two moments at 4 bytes each. mixed: weights and gradients at 2 bytes, and the
optimiser's float32 copy of the weights and two moments (Rajbhandari et al. 2020, section 3.1); many programs
keep the gradients in float32, which makes 18."""


def training_bytes(n_params: float, precision: str = "float32") -> dict[str, float]:
    """Bytes of weights, gradients and Adam's state of a model of `n_params` parameters, without activations.

    Raises ValueError for a precision that is not in PRECISIONS.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"There is no precision {precision!r}; there are {', '.join(PRECISIONS)}.")
    each, n = PRECISIONS[precision], positive("n_params", n_params)
    return {"weights": each.weights * n, "gradients": each.gradients * n, "optimiser": each.optimizer * n}


def inference_bytes(n_params: float, bytes_per_number: float = 2) -> float:
    """Bytes of the weights alone, at `bytes_per_number` each: the least that running a model holds."""
    return positive("n_params", n_params) * positive("bytes_per_number", bytes_per_number)


def activations(shape: Shape) -> dict[str, int]:
    """Numbers of one sample that the backward pass needs, each once, by where they come from.

    What a matrix multiplied (for its gradient), what a softmax gave, what a normalisation got; a ReLU needs nothing
    of its own, since its result says where it let through. A compiler may keep more (both sides of a ReLU)
    or less (it computes some again). For a sequence a sample is the whole sequence.
    """
    if isinstance(shape, LinearShape):
        return {"inputs": shape.features, "logits": shape.outputs}
    if isinstance(shape, MLPShape):
        return {"inputs": shape.inputs, "hidden": shape.layers * shape.width, "logits": shape.outputs}
    if isinstance(shape, ConvShape):
        return _conv(shape)
    if isinstance(shape, CharMLPShape):
        looked_up = shape.window * shape.embedding
        return {"inputs": shape.window, "embedded": looked_up, "hidden": shape.width, "logits": shape.outputs}
    return _transformer(shape)


def _conv(s: ConvShape) -> dict[str, int]:
    space, kept = s.space, 0
    for filters, stride in zip(s.filters, s.strides, strict=True):
        space = tuple(-(-side // stride) for side in space)
        kept += filters * math.prod(space)
    return {"inputs": s.channels * math.prod(s.space), "hidden": kept, "mean": s.filters[-1], "logits": s.outputs}


def _transformer(s: TransformerShape) -> dict[str, int]:
    tokens, d = s.length, s.d_model
    return {
        "inputs": tokens,
        # Each part's normalisation keeps what it got, the matrices after it what it gave.
        "normalisation": (2 * s.layers + 1) * 2 * tokens * d,
        "queries, keys, values": s.layers * 3 * tokens * d,
        "attention": s.layers * s.heads * tokens**2,
        "mixed values": s.layers * tokens * d,
        "feed-forward": s.layers * tokens * s.d_ff,
        "logits": tokens * s.outputs,
    }


def resident_bytes() -> int:
    """Bytes of memory that the system counts for this process now; all libraries and everything else included."""
    import psutil

    return int(psutil.Process().memory_info().rss)
