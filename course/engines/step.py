"""What one training step computes, on either library: the loss of each target, and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = ["cross_entropy", "losses", "rate_at"]


def cross_entropy(logits: Any, targets: Any) -> Any:
    """Cross-entropy in nats of integer targets; its gradient is the softmax less the one-hot target (lesson 4.1).

    The numbers are those of `tf.nn.sparse_softmax_cross_entropy_with_logits`, whose checks of the targets cost
    XLA a quarter of a step of the smallest model.
    """
    from keras import ops

    @ops.custom_gradient
    def loss(logits: Any) -> tuple[Any, Callable[[Any], Any]]:
        shifted = logits - ops.max(logits, -1, keepdims=True)
        exponentials = ops.exp(shifted)
        total = ops.sum(exponentials, -1, keepdims=True)
        hot = ops.arange(logits.shape[-1], dtype=targets.dtype) == targets[..., None]

        def gradient(upstream: Any) -> Any:
            return (exponentials / total - ops.cast(hot, logits.dtype)) * upstream[..., None]

        return ops.log(total[..., 0]) - ops.sum(ops.where(hot, shifted, 0.0), -1), gradient

    return loss(logits)


def losses(kind: str, outputs: Any, targets: Any) -> Any:
    """Loss of each target, float32, of the targets' shape; `kind` is a task's loss."""
    from keras import ops

    if kind == "cross_entropy":
        return cross_entropy(outputs, targets)
    return ops.square(ops.reshape(outputs, ops.shape(targets)) - targets)


def rate_at(step: Any, rates: Any, cosine: Any) -> Any:
    """Learning rate at a step (0-based): rates are the peak, the warm-up's steps, the decay's start and its end.

    `course.training.learning_rate` is the same in NumPy.
    """
    from keras import ops

    peak, warmup, start, end = (rates[i] for i in range(4))
    at = ops.cast(step, "float32")
    part = ops.clip((at - start) / ops.maximum(end - start, 1.0), 0.0, 1.0)
    fall = ops.where(cosine, 0.5 * (1.0 + ops.cos(math.pi * part)), 1.0 - part)
    return peak * ops.minimum(1.0, (at + 1.0) / warmup) * fall
