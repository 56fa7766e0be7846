"""Loss functions in plain NumPy; 16-bit floats are computed in float32 and rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import accumulator, extended_sum

Array = Any


def _positions(logits: Array, target: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    """Logits (positions, classes) in their accumulator dtype, flat targets, and a weight for each class."""
    x = logits.astype(accumulator(logits.dtype))
    x = x[None] if x.ndim == 1 else np.moveaxis(x, 1, -1)
    x = x.reshape(target.size, x.shape[-1])
    w = np.ones(x.shape[-1], x.dtype) if weight is None else weight.astype(x.dtype)
    return x, target.reshape(-1), w


@np.errstate(all="ignore")
def cross_entropy(
    logits: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> tuple[Array, Array]:
    x, t, w = _positions(logits, target, weight)
    kept = t != ignore_index
    t = np.where(kept, t, 0)
    top = x.max(axis=1, keepdims=True)
    log_sum = np.log(extended_sum(np.exp(x - top), 1, True))
    nll = log_sum - (x - top)  # -ln p of every class
    loss = (1 - label_smoothing) * w[t] * nll[np.arange(len(t)), t]
    if label_smoothing:
        loss = loss + label_smoothing / x.shape[1] * (w * nll).sum(axis=1)
    loss = np.where(kept, loss, 0).astype(logits.dtype)
    return loss.reshape(target.shape), (top + log_sum).astype(x.dtype).reshape(target.shape)


def _gradient(
    p: Array,
    grad: Array,
    logits: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
) -> Array:
    """The gradient of the logits from their probabilities (positions, classes) and each position's cotangent."""
    x, t, w = _positions(logits, target, weight)
    kept = t != ignore_index
    t = np.where(kept, t, 0)
    onehot = np.arange(x.shape[1]) == t[:, None]
    dx = (1 - label_smoothing) * w[t][:, None] * (p - onehot)
    if label_smoothing:
        dx = dx + label_smoothing / x.shape[1] * (p * w.sum() - w)
    dx = np.where(kept[:, None], grad.reshape(-1, 1).astype(x.dtype) * dx, 0).astype(logits.dtype)
    if logits.ndim == 1:
        return dx.reshape(logits.shape)
    return np.moveaxis(dx.reshape(*target.shape, logits.shape[1]), -1, 1)


@np.errstate(all="ignore")
def cross_entropy_backward(
    grad: Array,
    logits: Array,
    target: Array,
    logsumexp: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Array:
    x, _, _ = _positions(logits, target, weight)
    p = np.exp(x - logsumexp.reshape(-1, 1))
    return _gradient(p, grad, logits, target, weight, ignore_index, label_smoothing)


@np.errstate(all="ignore")
def cross_entropy_with_gradient(
    logits: Array,
    target: Array,
    scale: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> tuple[Array, Array, Array]:
    x, _, _ = _positions(logits, target, weight)
    # Not e**(x - logsumexp): the rounding of a logsumexp of 1000 is seen in every probability.
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p = p / extended_sum(p, 1, True)
    # A cotangent in the dtype of the sums: it is rounded only with the gradient.
    grad = np.broadcast_to(scale, target.shape)
    gradient = _gradient(p, grad, logits, target, weight, ignore_index, label_smoothing)
    loss = cross_entropy(logits, target, weight, ignore_index=ignore_index, label_smoothing=label_smoothing)
    return *loss, gradient


@np.errstate(all="ignore")
def nll_loss(
    x: Array, target: Array, weight: Array | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> tuple[Array, Array]:
    rows, t, w = _positions(x, target, weight)
    kept = t != ignore_index
    t = np.where(kept, t, 0)
    own = np.where(kept, w[t], 0).astype(rows.dtype)
    each = np.where(kept, -own * rows[np.arange(len(t)), t], 0).astype(rows.dtype)
    total = np.asarray(own.sum())
    if reduction == "none":
        return each.reshape(target.shape).astype(x.dtype), total
    loss = each.sum() / total if reduction == "mean" else each.sum()
    return np.asarray(loss).astype(x.dtype), total


@np.errstate(all="ignore")
def nll_loss_backward(
    grad: Array,
    target: Array,
    total_weight: Array,
    weight: Array | None = None,
    *,
    input_shape: tuple[int, ...],
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    wide = total_weight.dtype
    classes = input_shape[0] if len(input_shape) == 1 else input_shape[1]
    w = np.ones(classes, wide) if weight is None else weight.astype(wide)
    kept = target != ignore_index
    t = np.where(kept, target, 0)
    each = np.broadcast_to(grad.astype(wide), target.shape)
    if reduction == "mean":
        each = each / total_weight
    dx = np.where(np.arange(classes) == t[..., None], np.where(kept, -each * w[t], 0)[..., None], 0)
    return np.moveaxis(dx, -1, min(1, target.ndim)).astype(grad.dtype)
