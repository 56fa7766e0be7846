"""Losses of two arrays, element by element, in plain NumPy; 16-bit floats are computed in float32 and rounded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import accumulator

Array = Any


def _reduced(elementwise: Callable[..., Array]) -> Callable[..., Array]:
    """The loss from its value at each element."""

    def loss(*arrays: Array | None, reduction: str = "mean", **attributes: float) -> Array:
        dtype = arrays[0].dtype  # type: ignore[union-attr]
        wide = accumulator(dtype)
        with np.errstate(all="ignore"):
            each = np.asarray(elementwise(*_as(wide, arrays), **attributes))
            if reduction == "none":
                return each.astype(dtype)
            total = np.sum(each, dtype=wide)
            return np.asarray(total / each.size if reduction == "mean" else total).astype(dtype)

    loss.__name__ = loss.__qualname__ = elementwise.__name__
    return loss


def _gradient(slope: Callable[..., Array]) -> Callable[..., Array]:
    """The gradient of the loss from its slope at each element."""

    def backward(grad: Array, *arrays: Array | None, reduction: str = "mean", **attributes: float) -> Array:
        wide = accumulator(grad.dtype)
        with np.errstate(all="ignore"):
            each = grad.astype(wide) * slope(*_as(wide, arrays), **attributes)
            return np.asarray(each / each.size if reduction == "mean" else each).astype(grad.dtype)

    backward.__name__ = backward.__qualname__ = slope.__name__
    return backward


def _as(dtype: Any, arrays: tuple[Array | None, ...]) -> list[Array | None]:
    return [None if each is None else each.astype(dtype) for each in arrays]


@_reduced
def mse_loss(x: Array, target: Array) -> Array:
    return (x - target) ** 2


@_gradient
def mse_loss_backward(x: Array, target: Array) -> Array:
    return 2 * (x - target)


@_reduced
def l1_loss(x: Array, target: Array) -> Array:
    return np.abs(x - target)


@_gradient
def l1_loss_backward(x: Array, target: Array) -> Array:
    return (x > target).astype(x.dtype) - (x < target).astype(x.dtype)


@_reduced
def smooth_l1_loss(x: Array, target: Array, beta: float = 1.0) -> Array:
    d = np.abs(x - target)
    return np.where(d < beta, d * d / (2 * beta) if beta else d, d - beta / 2)


@_gradient
def smooth_l1_loss_backward(x: Array, target: Array, beta: float = 1.0) -> Array:
    return np.clip((x - target) / beta, -1, 1) if beta else (x > target) - (x < target).astype(x.dtype)


@_reduced
def huber_loss(x: Array, target: Array, delta: float = 1.0) -> Array:
    d = np.abs(x - target)
    return np.where(d < delta, d * d / 2, delta * (d - delta / 2))


@_gradient
def huber_loss_backward(x: Array, target: Array, delta: float = 1.0) -> Array:
    return np.clip(x - target, -delta, delta)


@_reduced
def binary_cross_entropy_with_logits(
    x: Array, target: Array, weight: Array | None = None, pos_weight: Array | None = None
) -> Array:
    positive = target if pos_weight is None else target * pos_weight
    # -ln sigmoid(x) is ln(1 + e^-x), and -ln(1 - sigmoid(x)) is that plus x.
    loss = (1 - target) * x + (positive + 1 - target) * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0))
    return loss if weight is None else loss * weight


@_gradient
def binary_cross_entropy_with_logits_backward(
    x: Array, target: Array, weight: Array | None = None, pos_weight: Array | None = None
) -> Array:
    positive = target if pos_weight is None else target * pos_weight
    slope = (positive + 1 - target) / (1 + np.exp(-x)) - positive
    return slope if weight is None else slope * weight
