"""The optimizer steps in plain NumPy. Halves are updated in float32 and rounded once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes

Array = Any


def sgd_step(
    params: Sequence[Array],
    grads: Sequence[Array],
    momenta: Sequence[Array],
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    first: bool = False,
) -> None:
    for position, (param, grad) in enumerate(zip(params, grads, strict=True)):
        p, g = _wide(param), _wide(-grad if maximize else grad)
        if weight_decay != 0.0:
            g = g + weight_decay * p
        if momentum != 0.0:
            buffer = momenta[position]
            b = g if first else momentum * _wide(buffer) + (1.0 - dampening) * g
            buffer[...] = b
            g = g + momentum * b if nesterov else b
        param[...] = p - lr * g


def adam_step(
    params: Sequence[Array],
    grads: Sequence[Array],
    exp_avgs: Sequence[Array],
    exp_avg_sqs: Sequence[Array],
    *,
    step: int,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    maximize: bool = False,
) -> None:
    correction1, correction2 = 1.0 - beta1**step, 1.0 - beta2**step
    for param, grad, exp_avg, exp_avg_sq in zip(params, grads, exp_avgs, exp_avg_sqs, strict=True):
        p, g, m, v = _wide(param), _wide(-grad if maximize else grad), _wide(exp_avg), _wide(exp_avg_sq)
        if decoupled:
            p = p * (1.0 - lr * weight_decay)
        elif weight_decay != 0.0:
            g = g + weight_decay * p
        m = m + (1.0 - beta1) * (g - m)
        v = beta2 * v + (1.0 - beta2) * g * g
        p = p - lr / correction1 * m / (np.sqrt(v) / math.sqrt(correction2) + eps)
        param[...], exp_avg[...], exp_avg_sq[...] = p, m, v


def rmsprop_step(
    params: Sequence[Array],
    grads: Sequence[Array],
    square_avgs: Sequence[Array],
    momenta: Sequence[Array],
    grad_avgs: Sequence[Array],
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> None:
    for position, (param, grad, square_avg) in enumerate(zip(params, grads, square_avgs, strict=True)):
        p, g = _wide(param), _wide(-grad if maximize else grad)
        if weight_decay != 0.0:
            g = g + weight_decay * p
        v = alpha * _wide(square_avg) + (1.0 - alpha) * g * g
        square_avg[...] = v
        if centered:
            a = _wide(grad_avgs[position])
            a = a + (1.0 - alpha) * (g - a)
            grad_avgs[position][...] = a
            v = v - a * a
        step = g / (np.sqrt(v) + eps)
        if momentum != 0.0:
            step = momentum * _wide(momenta[position]) + step
            momenta[position][...] = step
        param[...] = p - lr * step


def _wide(x: Array) -> Array:
    return x.astype(dtypes.accumulator(x.dtype))
