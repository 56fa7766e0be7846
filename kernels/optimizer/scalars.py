"""What the kernels of optimizers take in the place of an optimizer's attributes."""

from __future__ import annotations

import math


def adam_numbers(
    step: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool
) -> tuple[float, ...]:
    """Of Adam's step: rate, 1 - beta1, beta2, 1 - beta2, the root's bias correction, eps, decay, factor of parameters.

    A decoupled decay (AdamW) shrinks the parameters, any other is added to the gradients.
    """
    rate, root = lr / (1.0 - beta1**step), math.sqrt(1.0 - beta2**step)
    decay, kept = (0.0, 1.0 - lr * weight_decay) if decoupled else (weight_decay, 1.0)
    return rate, 1.0 - beta1, beta2, 1.0 - beta2, root, eps, decay, kept
