"""Losses of two arrays, element by element, with Numba's CUDA target: a block sums, halves computed in float32."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..cuda_memory import empty
from ..numba_launch import (
    THREADS,
    Kernel,
    broadcast_layout,
    cuda,
    device,
    exponential,
    flat_grid,
    kernel,
    logarithm_1p,
    offset,
    written,
)
from ..numba_launch import real_of as _real_of
from ..numba_rows import block_sum

Array = Any
Make = Callable[[Any], Callable[..., Any]]


def _mse(real: Any) -> Callable[..., Any]:
    def mse_loss(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        return (x - t) * (x - t)

    return mse_loss


def _mse_slope(real: Any) -> Callable[..., Any]:
    two = real(2.0)

    def mse_loss_backward(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        return two * (x - t)

    return mse_loss_backward


def _l1(real: Any) -> Callable[..., Any]:
    def l1_loss(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        return abs(x - t)

    return l1_loss


def _l1_slope(real: Any) -> Callable[..., Any]:
    zero, one = real(0.0), real(1.0)

    def l1_loss_backward(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        return one if x > t else (-one if x < t else zero)

    return l1_loss_backward


def _smooth_l1(real: Any) -> Callable[..., Any]:
    two = real(2.0)

    def smooth_l1_loss(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        d = abs(x - t)
        return d * d / (two * a) if d < a else d - a / two

    return smooth_l1_loss


def _smooth_l1_slope(real: Any) -> Callable[..., Any]:
    one = real(1.0)

    def smooth_l1_loss_backward(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        d = (x - t) / a
        return one if d > one else (-one if d < -one else d)

    return smooth_l1_loss_backward


def _huber(real: Any) -> Callable[..., Any]:
    two = real(2.0)

    def huber_loss(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        d = abs(x - t)
        return d * d / two if d < a else a * (d - a / two)

    return huber_loss


def _huber_slope(real: Any) -> Callable[..., Any]:
    def huber_loss_backward(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        d = x - t
        return a if d > a else (-a if d < -a else d)

    return huber_loss_backward


def _entropy(real: Any) -> Callable[..., Any]:
    zero, one = real(0.0), real(1.0)

    def binary_cross_entropy_with_logits(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        # -ln sigmoid(x) is ln(1 + e^-x), and -ln(1 - sigmoid(x)) is that plus x.
        below = zero if x > zero else -x
        return w * ((one - t) * x + (t * p + one - t) * (logarithm_1p(exponential(-abs(x))) + below))

    return binary_cross_entropy_with_logits


def _entropy_slope(real: Any) -> Callable[..., Any]:
    one = real(1.0)

    def binary_cross_entropy_with_logits_backward(x: Any, t: Any, w: Any, p: Any, a: Any) -> Any:
        return w * ((t * p + one - t) / (one + exponential(-x)) - t * p)

    return binary_cross_entropy_with_logits_backward


@functools.cache
def _reduced(make: Make, real: Any) -> Kernel:
    """The sum of the losses, or their mean, by one block."""
    scalar = make(real)
    function = device(scalar)

    def loss(
        shape: Any, x: Array, start: int, by_x: Any, t: Array, start_t: int, by_t: Any,
        w: Array, start_w: int, by_w: Any, p: Array, start_p: int, by_p: Any, out: Array, count: int, a: Any,
        divisor: Any,
    ) -> None:  # fmt: skip
        shared = cuda.shared.array(THREADS, real)
        total = real(0.0)
        for i in range(cuda.threadIdx.x, count, THREADS):
            total += function(
                real(x[start + offset(i, shape, by_x)]),
                real(t[start_t + offset(i, shape, by_t)]),
                real(w[start_w + offset(i, shape, by_w)]),
                real(p[start_p + offset(i, shape, by_p)]),
                a,
            )
        total = block_sum(total, shared)
        if cuda.threadIdx.x == 0:
            out[0] = total / divisor

    loss.__name__ = scalar.__name__
    return Kernel(loss)


@functools.cache
def _each(make: Make, real: Any, backward: bool) -> Kernel:
    """The loss of each element, or its slope times a cotangent, of all or of each, over a number."""
    scalar = make(real)
    function = device(scalar)

    def loss(
        shape: Any, x: Array, start: int, by_x: Any, t: Array, start_t: int, by_t: Any,
        w: Array, start_w: int, by_w: Any, p: Array, start_p: int, by_p: Any, g: Array, start_g: int, by_g: Any,
        out: Array, count: int, a: Any, divisor: Any,
    ) -> None:  # fmt: skip
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            value = function(
                real(x[start + offset(i, shape, by_x)]),
                real(t[start_t + offset(i, shape, by_t)]),
                real(w[start_w + offset(i, shape, by_w)]),
                real(p[start_p + offset(i, shape, by_p)]),
                a,
            )
            out[i] = real(g[start_g + offset(i, shape, by_g)]) * value / divisor if backward else value

    loss.__name__ = scalar.__name__
    return Kernel(loss)


def _weights(x: Array, given: tuple[Array | None, ...]) -> list[Array]:
    """The two weights; an array of a one for one that is not given."""
    one = empty((1,), x.dtype, like=x)
    write_one[1, 1](one)
    return [one if each is None else each for each in given]


@kernel
def write_one(out: Array) -> None:
    out[0] = 1


def _loss(
    make: Make, x: Array, target: Array, reduction: str, out: Array, a: float = 1.0, *weights: Array | None
) -> None:
    w, p = _weights(x, (*weights, None, None)[:2])
    real = _real_of(x.dtype)
    at = broadcast_layout("loss", x.shape, x, target, w, p)
    with written(out) as result:
        if reduction == "none":
            if x.size:
                last = at[-3:]
                _each(make, real, False)[flat_grid(x.size)](*at, *last, result, x.size, real(a), real(1.0))
        else:
            divisor = real(x.size if reduction == "mean" else 1)
            _reduced(make, real)[1, THREADS](*at, result, x.size, real(a), divisor)


def _backward(
    make: Make, grad: Array, x: Array, target: Array, reduction: str, out: Array, a: float = 1.0, *weights: Array | None
) -> None:
    if x.size == 0:
        return
    w, p = _weights(x, (*weights, None, None)[:2])
    real = _real_of(x.dtype)
    at = broadcast_layout("loss_backward", x.shape, x, target, w, p, grad)
    with written(out) as result:
        divisor = real(x.size if reduction == "mean" else 1)
        _each(make, real, True)[flat_grid(x.size)](*at, result, x.size, real(a), divisor)


def mse_loss(x: Array, target: Array, *, reduction: str = "mean", out: Array) -> None:
    _loss(_mse, x, target, reduction, out)


def mse_loss_backward(grad: Array, x: Array, target: Array, *, reduction: str = "mean", out: Array) -> None:
    _backward(_mse_slope, grad, x, target, reduction, out)


def l1_loss(x: Array, target: Array, *, reduction: str = "mean", out: Array) -> None:
    _loss(_l1, x, target, reduction, out)


def l1_loss_backward(grad: Array, x: Array, target: Array, *, reduction: str = "mean", out: Array) -> None:
    _backward(_l1_slope, grad, x, target, reduction, out)


def smooth_l1_loss(x: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0, out: Array) -> None:
    _loss(_smooth_l1, x, target, reduction, out, beta)


def smooth_l1_loss_backward(
    grad: Array, x: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0, out: Array
) -> None:
    _backward(_smooth_l1_slope if beta else _l1_slope, grad, x, target, reduction, out, beta)


def huber_loss(x: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0, out: Array) -> None:
    _loss(_huber, x, target, reduction, out, delta)


def huber_loss_backward(
    grad: Array, x: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0, out: Array
) -> None:
    _backward(_huber_slope, grad, x, target, reduction, out, delta)


def binary_cross_entropy_with_logits(
    x: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    *,
    reduction: str = "mean",
    out: Array,
) -> None:
    _loss(_entropy, x, target, reduction, out, 1.0, weight, pos_weight)


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
    _backward(_entropy_slope, grad, x, target, reduction, out, 1.0, weight, pos_weight)
