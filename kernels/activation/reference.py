"""Activation functions in plain NumPy and SciPy; 16-bit floats are computed in float32 and rounded once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ..dtypes import accumulator

Array = Any

SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
CUBIC = 0.044715  # of the tanh approximation of gelu
# The fixed point of selu: mean 0 and variance 1 stay so.
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _normal_cdf(x: Array) -> Array:
    """By the scaled erfc in the lower tail, where SciPy's ndtr magnifies the rounding of its argument."""
    tail = special.erfcx(np.abs(x) * math.sqrt(0.5)) * np.exp(-(x.astype(np.longdouble) ** 2) / 2) / 2
    return np.where(x > -1, special.ndtr(x), tail).astype(x.dtype)


def _in_accumulator(function: Callable[..., Array]) -> Callable[..., Array]:
    """``function`` on arrays in the dtype that halves accumulate in, its result in theirs, without warnings."""

    @functools.wraps(function)
    def call(*arrays: Array, **attributes: Any) -> Array:
        dtype = arrays[0].dtype
        wide = accumulator(dtype)
        with np.errstate(all="ignore"):
            result = function(*(each.astype(wide) for each in arrays), **attributes)
            return np.asarray(result).astype(wide).astype(dtype)

    return call


@_in_accumulator
def relu(x: Array) -> Array:
    return np.maximum(x, 0)


@_in_accumulator
def relu_backward(grad: Array, y: Array) -> Array:
    return np.where(y <= 0, 0, grad)


@_in_accumulator
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Array:
    return np.where(x > 0, x, x * negative_slope)


@_in_accumulator
def leaky_relu_backward(grad: Array, x: Array, *, negative_slope: float = 0.01) -> Array:
    return np.where(x > 0, grad, grad * negative_slope)


@_in_accumulator
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(x))


@_in_accumulator
def elu_backward(grad: Array, x: Array, *, alpha: float = 1.0) -> Array:
    return np.where(x > 0, grad, grad * alpha * np.exp(x))


@_in_accumulator
def gelu(x: Array, *, approximate: str = "none") -> Array:
    if approximate == "tanh":
        return x * special.expit(2 * SQRT_2_OVER_PI * (x + CUBIC * x * x * x))
    return x * _normal_cdf(x)


@_in_accumulator
def gelu_backward(grad: Array, x: Array, *, approximate: str = "none") -> Array:
    if approximate == "tanh":
        u = SQRT_2_OVER_PI * (x + CUBIC * x * x * x)
        slope = np.cosh(u) ** -2  # 1 - tanh^2, whose difference would lose digits
        inner = SQRT_2_OVER_PI * (1 + 3 * CUBIC * x * x)
        # Far out the slope is 0 and x^2 overflows: their product is 0.
        return grad * (special.expit(2 * u) + np.where(slope == 0, 0, 0.5 * x * slope * inner))
    return grad * (_normal_cdf(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))


@_in_accumulator
def silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


@_in_accumulator
def silu_backward(grad: Array, x: Array) -> Array:
    s = 1 / (1 + np.exp(-x))
    return grad * s * (1 + x * (1 - s))


@_in_accumulator
def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


@_in_accumulator
def sigmoid_backward(grad: Array, y: Array) -> Array:
    return grad * y * (1 - y)


@_in_accumulator
def tanh(x: Array) -> Array:
    return np.tanh(x)


@_in_accumulator
def tanh_backward(grad: Array, y: Array) -> Array:
    return grad * (1 - y * y)


@_in_accumulator
def softplus(x: Array, *, beta: float = 1.0, threshold: float = 20.0) -> Array:
    return np.where(x * beta > threshold, x, np.log1p(np.exp(x * beta)) / beta)


@_in_accumulator
def softplus_backward(grad: Array, x: Array, *, beta: float = 1.0, threshold: float = 20.0) -> Array:
    return np.where(x * beta > threshold, grad, grad / (1 + np.exp(-x * beta)))


@_in_accumulator
def selu(x: Array) -> Array:
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x))


@_in_accumulator
def selu_backward(grad: Array, x: Array) -> Array:
    return grad * SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(x))


@_in_accumulator
def mish(x: Array) -> Array:
    return x * np.tanh(np.logaddexp(x, 0))


@_in_accumulator
def mish_backward(grad: Array, x: Array) -> Array:
    u = np.logaddexp(x, 0)
    slope = np.cosh(u) ** -2  # 1 - tanh^2, whose difference would lose digits
    return grad * (np.tanh(u) + x * slope * special.expit(x))


@_in_accumulator
def hardswish(x: Array) -> Array:
    return x * np.clip(x + 3, 0, 6) / 6


@_in_accumulator
def hardswish_backward(grad: Array, x: Array) -> Array:
    return np.where(x <= -3, 0, np.where(x >= 3, grad, grad * (x / 3 + 0.5)))


@_in_accumulator
def hardsigmoid(x: Array) -> Array:
    return np.clip(x + 3, 0, 6) / 6


@_in_accumulator
def hardsigmoid_backward(grad: Array, x: Array) -> Array:
    return np.where((x > -3) & (x < 3), grad / 6, 0)
