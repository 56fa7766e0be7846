"""Activation functions and their gradients with Numba's CUDA target, halves computed in float32."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from ..numba_launch import (
    device,
    exponential,
    exponential_m1,
    hyperbolic_tangent,
    logarithm_1p,
)
from ..numba_launch import real_of as _real_of
from ..numba_map import apply as _apply
from . import numba_scalars as _scalars
from .reference import CUBIC, SELU_ALPHA, SELU_SCALE, SQRT_2_OVER_PI

Array = Any
Scalar = Callable[..., Any]

_Make = Callable[[Any], Scalar]


def _run(make: _Make, arrays: tuple[Array, ...], out: Array, a: float = 0.0, b: float = 0.0) -> None:
    """``make`` gives the function of elements for the type that they are computed in, which constants must have."""
    real = _real_of(arrays[0].dtype)
    _apply(make(real), arrays, out, a, b, real=real)


@functools.cache
def _softplus_of(real: Any) -> Any:
    """ln(1 + e^x) without overflow."""
    zero = real(0.0)

    def softplus_of(x: Any) -> Any:
        rest = logarithm_1p(exponential(-abs(x)))
        return rest + x if x > zero else (rest if x <= zero else x)

    return device(softplus_of)


@functools.cache
def _squared_sech(real: Any) -> Any:
    """1 - tanh^2, whose difference would lose digits."""
    one, two, four = real(1.0), real(2.0), real(4.0)

    def squared_sech(x: Any) -> Any:
        e = exponential(-two * abs(x))
        return four * e / ((one + e) * (one + e))

    return device(squared_sech)


def relu(x: Array, *, out: Array) -> None:
    _run(_scalars.relu_of, (x,), out)


@functools.cache
def _relu_backward(real: Any) -> Scalar:
    zero = real(0.0)

    def relu_backward(grad: Any, y: Any, a: Any, b: Any) -> Any:
        return zero if y <= zero else grad

    return relu_backward


def relu_backward(grad: Array, y: Array, *, out: Array) -> None:
    _run(_relu_backward, (grad, y), out)


@functools.cache
def _leaky_relu(real: Any) -> Scalar:
    zero = real(0.0)

    def leaky_relu(x: Any, a: Any, b: Any) -> Any:
        return x if x > zero else x * a

    return leaky_relu


def leaky_relu(x: Array, *, negative_slope: float = 0.01, out: Array) -> None:
    _run(_leaky_relu, (x,), out, negative_slope)


@functools.cache
def _leaky_relu_backward(real: Any) -> Scalar:
    zero = real(0.0)

    def leaky_relu_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        return grad if x > zero else grad * a

    return leaky_relu_backward


def leaky_relu_backward(grad: Array, x: Array, *, negative_slope: float = 0.01, out: Array) -> None:
    _run(_leaky_relu_backward, (grad, x), out, negative_slope)


@functools.cache
def _elu(real: Any) -> Scalar:
    zero = real(0.0)

    def elu(x: Any, a: Any, b: Any) -> Any:
        return x if x > zero else a * exponential_m1(x)

    return elu


def elu(x: Array, *, alpha: float = 1.0, out: Array) -> None:
    _run(_elu, (x,), out, alpha)


@functools.cache
def _elu_backward(real: Any) -> Scalar:
    zero = real(0.0)

    def elu_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        return grad if x > zero else grad * a * exponential(x)

    return elu_backward


def elu_backward(grad: Array, x: Array, *, alpha: float = 1.0, out: Array) -> None:
    _run(_elu_backward, (grad, x), out, alpha)


def gelu(x: Array, *, approximate: str = "none", out: Array) -> None:
    _run(_scalars.gelu_tanh_of if approximate == "tanh" else _scalars.gelu_of, (x,), out)


@functools.cache
def _gelu_backward(real: Any) -> Scalar:
    normal_cdf = _scalars.normal_cdf_of(real)
    half, density = real(0.5), real(1 / math.sqrt(2 * math.pi))

    def gelu_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        return grad * (normal_cdf(x) + x * exponential(-half * x * x) * density)

    return gelu_backward


@functools.cache
def _gelu_tanh_backward(real: Any) -> Scalar:
    logistic, squared_sech = _scalars.logistic_of(real), _squared_sech(real)
    zero, half, one, two, three = real(0.0), real(0.5), real(1.0), real(2.0), real(3.0)
    scale, cubic = real(SQRT_2_OVER_PI), real(CUBIC)

    def gelu_tanh_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        u = scale * (x + cubic * x * x * x)
        slope = squared_sech(u)
        # Far out the slope is 0 and x^2 overflows: their product is 0.
        bend = zero if slope == zero else half * x * slope * scale * (one + three * cubic * x * x)
        return grad * (logistic(two * u) + bend)

    return gelu_tanh_backward


def gelu_backward(grad: Array, x: Array, *, approximate: str = "none", out: Array) -> None:
    _run(_gelu_tanh_backward if approximate == "tanh" else _gelu_backward, (grad, x), out)


def silu(x: Array, *, out: Array) -> None:
    _run(_scalars.silu_of, (x,), out)


@functools.cache
def _silu_backward(real: Any) -> Scalar:
    one, logistic = real(1.0), _scalars.logistic_of(real)

    def silu_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        s = logistic(x)
        return grad * s * (one + x * (one - s))

    return silu_backward


def silu_backward(grad: Array, x: Array, *, out: Array) -> None:
    _run(_silu_backward, (grad, x), out)


def sigmoid(x: Array, *, out: Array) -> None:
    _run(_scalars.sigmoid_of, (x,), out)


@functools.cache
def _sigmoid_backward(real: Any) -> Scalar:
    one = real(1.0)

    def sigmoid_backward(grad: Any, y: Any, a: Any, b: Any) -> Any:
        return grad * y * (one - y)

    return sigmoid_backward


def sigmoid_backward(grad: Array, y: Array, *, out: Array) -> None:
    _run(_sigmoid_backward, (grad, y), out)


def tanh(x: Array, *, out: Array) -> None:
    _run(_scalars.tanh_of, (x,), out)


@functools.cache
def _tanh_backward(real: Any) -> Scalar:
    one = real(1.0)

    def tanh_backward(grad: Any, y: Any, a: Any, b: Any) -> Any:
        return grad * (one - y * y)

    return tanh_backward


def tanh_backward(grad: Array, y: Array, *, out: Array) -> None:
    _run(_tanh_backward, (grad, y), out)


@functools.cache
def _softplus(real: Any) -> Scalar:
    def softplus(x: Any, a: Any, b: Any) -> Any:
        return x if x * a > b else logarithm_1p(exponential(x * a)) / a

    return softplus


def softplus(x: Array, *, beta: float = 1.0, threshold: float = 20.0, out: Array) -> None:
    _run(_softplus, (x,), out, beta, threshold)


@functools.cache
def _softplus_backward(real: Any) -> Scalar:
    one = real(1.0)

    def softplus_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        return grad if x * a > b else grad / (one + exponential(-x * a))

    return softplus_backward


def softplus_backward(grad: Array, x: Array, *, beta: float = 1.0, threshold: float = 20.0, out: Array) -> None:
    _run(_softplus_backward, (grad, x), out, beta, threshold)


@functools.cache
def _selu(real: Any) -> Scalar:
    zero, scale, alpha = real(0.0), real(SELU_SCALE), real(SELU_ALPHA)

    def selu(x: Any, a: Any, b: Any) -> Any:
        return scale * (x if x > zero else alpha * exponential_m1(x))

    return selu


def selu(x: Array, *, out: Array) -> None:
    _run(_selu, (x,), out)


@functools.cache
def _selu_backward(real: Any) -> Scalar:
    zero, one, scale, alpha = real(0.0), real(1.0), real(SELU_SCALE), real(SELU_ALPHA)

    def selu_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        return grad * scale * (one if x > zero else alpha * exponential(x))

    return selu_backward


def selu_backward(grad: Array, x: Array, *, out: Array) -> None:
    _run(_selu_backward, (grad, x), out)


@functools.cache
def _mish(real: Any) -> Scalar:
    softplus_of = _softplus_of(real)

    def mish(x: Any, a: Any, b: Any) -> Any:
        return x * hyperbolic_tangent(softplus_of(x))

    return mish


def mish(x: Array, *, out: Array) -> None:
    _run(_mish, (x,), out)


@functools.cache
def _mish_backward(real: Any) -> Scalar:
    softplus_of, squared_sech, logistic = _softplus_of(real), _squared_sech(real), _scalars.logistic_of(real)

    def mish_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        u = softplus_of(x)
        return grad * (hyperbolic_tangent(u) + x * squared_sech(u) * logistic(x))

    return mish_backward


def mish_backward(grad: Array, x: Array, *, out: Array) -> None:
    _run(_mish_backward, (grad, x), out)


@functools.cache
def _hardswish(real: Any) -> Scalar:
    zero, three, six = real(0.0), real(3.0), real(6.0)

    def hardswish(x: Any, a: Any, b: Any) -> Any:
        y = x + three
        inside = zero if y < zero else (six if y > six else y)
        return x * inside / six

    return hardswish


def hardswish(x: Array, *, out: Array) -> None:
    _run(_hardswish, (x,), out)


@functools.cache
def _hardswish_backward(real: Any) -> Scalar:
    zero, half, three = real(0.0), real(0.5), real(3.0)

    def hardswish_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        return zero if x <= -three else (grad if x >= three else grad * (x / three + half))

    return hardswish_backward


def hardswish_backward(grad: Array, x: Array, *, out: Array) -> None:
    _run(_hardswish_backward, (grad, x), out)


@functools.cache
def _hardsigmoid(real: Any) -> Scalar:
    zero, three, six = real(0.0), real(3.0), real(6.0)

    def hardsigmoid(x: Any, a: Any, b: Any) -> Any:
        y = x + three
        return (zero if y < zero else (six if y > six else y)) / six

    return hardsigmoid


def hardsigmoid(x: Array, *, out: Array) -> None:
    _run(_hardsigmoid, (x,), out)


@functools.cache
def _hardsigmoid_backward(real: Any) -> Scalar:
    zero, three, six = real(0.0), real(3.0), real(6.0)

    def hardsigmoid_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
        return grad / six if x > -three and x < three else zero

    return hardsigmoid_backward


def hardsigmoid_backward(grad: Array, x: Array, *, out: Array) -> None:
    _run(_hardsigmoid_backward, (grad, x), out)
