"""Losses of two arrays, element by element, with Numba: each forward and each backward one pass over its arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..elementwise.loops import behaved, flat, into_strided, ndarray
from ..vector import absolute, maximum, minimum, select, sigmoid
from .loops import (
    backward_entries,
    logistic_loss,
    loss_entries,
    sign,
    sum_entries,
    weighted_backward,
    weighted_loss,
    weighted_sum,
)

Array = Any


def _loss(name: str, f: Callable[..., Any], attribute: str = "", default: float = 0.0) -> Callable[..., None]:
    """The loss ``name``, of ``f(x, target, p)`` at each element with p the attribute."""
    each, total = loss_entries(name, f), sum_entries(f"{name}_sum", f)

    def call(x: Array, target: Array, *, reduction: str = "mean", out: Array, **attributes: float) -> None:
        p = attributes.get(attribute, default)
        if reduction == "none":
            done = each[x.dtype](ndarray, p, x, target, out)
        else:
            done = total[x.dtype](ndarray, p, x.size if reduction == "mean" else 1.0, x, target, out)
        if not done:
            _again(call, out, x, target, reduction=reduction, **attributes)

    call.__name__ = call.__qualname__ = name
    return call


def _backward(name: str, slope: Callable[..., Any], attribute: str = "", default: float = 0.0) -> Callable[..., None]:
    """The gradient of a loss whose derivative is ``slope(x, target, p)`` at each element."""
    entries = backward_entries(name, slope)

    def call(grad: Array, x: Array, target: Array, *, reduction: str = "mean", out: Array, **attributes: float) -> None:
        p = attributes.get(attribute, default)
        if not entries[x.dtype](ndarray, p, x.size if reduction == "mean" else 1.0, grad, x, target, out):
            _again(call, out, grad, x, target, reduction=reduction, **attributes)

    call.__name__ = call.__qualname__ = name
    return call


def _again(call: Callable[..., None], out: Array, *arrays: Array, **attributes: Any) -> None:
    """After an entry has refused its arrays: call once more, with arrays that it takes."""
    if behaved(out):
        call(*map(flat, arrays), out=out, **attributes)
    else:
        into_strided(call, out, *arrays, **attributes)


# fmt: off
mse_loss          = _loss("mse_loss",              lambda x, t, _: (x - t) * (x - t))
mse_loss_backward = _backward("mse_loss_backward", lambda x, t, _: (x - t) + (x - t))
l1_loss           = _loss("l1_loss",               lambda x, t, _: absolute(x - t))
l1_loss_backward  = _backward("l1_loss_backward",  lambda x, t, _: sign(x - t))
_smooth_l1        = _loss(
    "smooth_l1_loss",
    lambda x, t, beta: select(
        absolute(x - t) < beta, (x - t) * (x - t) / (beta + beta), absolute(x - t) - type(x)(0.5) * beta
    ), "beta",
)
_smooth_l1_backward = _backward(
    "smooth_l1_loss_backward", lambda x, t, beta: maximum(minimum((x - t) / beta, type(x)(1)), type(x)(-1)), "beta"
)
huber_loss = _loss(
    "huber_loss",
    lambda x, t, delta: select(
        absolute(x - t) < delta, type(x)(0.5) * (x - t) * (x - t), delta * (absolute(x - t) - type(x)(0.5) * delta)
    ), "delta", 1.0,
)
huber_loss_backward = _backward(
    "huber_loss_backward", lambda x, t, delta: maximum(minimum(x - t, delta), -delta), "delta", 1.0
)

_bce          = weighted_loss("binary_cross_entropy_with_logits",        lambda x, t, p: logistic_loss(x, t, p))
_bce_sum      = weighted_sum("binary_cross_entropy_with_logits_sum",     lambda x, t, p: logistic_loss(x, t, p))
_bce_backward = weighted_backward(
    "binary_cross_entropy_with_logits_backward", lambda x, t, p: (t * p + (type(x)(1) - t)) * sigmoid(x) - t * p
)
# fmt: on


def smooth_l1_loss(x: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0, out: Array) -> None:
    if beta == 0:
        l1_loss(x, target, reduction=reduction, out=out)
    else:
        _smooth_l1(x, target, reduction=reduction, beta=beta, out=out)


def smooth_l1_loss_backward(
    grad: Array, x: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0, out: Array
) -> None:
    if beta == 0:
        l1_loss_backward(grad, x, target, reduction=reduction, out=out)
    else:
        _smooth_l1_backward(grad, x, target, reduction=reduction, beta=beta, out=out)


def _patterns(x: Array, *weights: Array | None) -> list[Array]:
    """Weights as arrays whose elements, repeated, are those of the weight broadcast to ``x``; 1 for None."""
    found = []
    for each in weights:
        if each is None:
            found.append(np.ones(1, x.dtype))
        elif each.size == x.size:
            found.append(flat(each))
        else:
            own = each.reshape(each.shape[next((i for i, n in enumerate(each.shape) if n != 1), each.ndim) :])
            suffix = own.shape == x.shape[x.ndim - own.ndim :]
            found.append(flat(own if suffix else np.broadcast_to(each, x.shape)))
    return found


def binary_cross_entropy_with_logits(
    x: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    *,
    reduction: str = "mean",
    out: Array,
) -> None:
    weights = _patterns(x, weight, pos_weight)
    if reduction == "none":
        done = _bce[x.dtype](ndarray, x, target, *weights, out)
    else:
        done = _bce_sum[x.dtype](ndarray, x.size if reduction == "mean" else 1.0, x, target, *weights, out)
    if not done:
        whole = [each if each.size == 1 else np.resize(each, x.size) for each in weights]
        _again(binary_cross_entropy_with_logits, out, x, target, *whole, reduction=reduction)


def binary_cross_entropy_with_logits_backward(
    grad: Array,
    x: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    *,
    reduction: str = "mean",
    out: Array,
) -> None:
    weights = _patterns(x, weight, pos_weight)
    divisor = x.size if reduction == "mean" else 1.0
    if not _bce_backward[x.dtype](ndarray, divisor, grad, x, target, *weights, out):
        whole = [each if each.size == 1 else np.resize(each, x.size) for each in weights]
        _again(binary_cross_entropy_with_logits_backward, out, grad, x, target, *whole, reduction=reduction)
