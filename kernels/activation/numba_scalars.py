"""Activation functions of an element that both the activations and the products of ``numba_cuda`` apply.

``<name>_of(real)`` gives the function for elements computed in the type ``real``, which constants must have; its last
two arguments are the attributes that other activations have.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from ..numba_launch import device, erfc, exponential, hyperbolic_tangent
from .reference import CUBIC, SQRT_2_OVER_PI

Scalar = Callable[..., Any]


@functools.cache
def logistic_of(real: Any) -> Any:
    one = real(1.0)

    def logistic(x: Any) -> Any:
        return one / (one + exponential(-x))

    return device(logistic)


@functools.cache
def normal_cdf_of(real: Any) -> Any:
    half, root = real(0.5), real(math.sqrt(0.5))

    def normal_cdf(x: Any) -> Any:
        return half * real(erfc(-x * root))

    return device(normal_cdf)


@functools.cache
def relu_of(real: Any) -> Scalar:
    zero = real(0.0)

    def relu(x: Any, a: Any, b: Any) -> Any:
        return x if x > zero or x != x else zero

    return relu


@functools.cache
def gelu_of(real: Any) -> Scalar:
    normal_cdf = normal_cdf_of(real)

    def gelu(x: Any, a: Any, b: Any) -> Any:
        return x * normal_cdf(x)

    return gelu


@functools.cache
def gelu_tanh_of(real: Any) -> Scalar:
    logistic = logistic_of(real)
    two, scale, cubic = real(2.0), real(SQRT_2_OVER_PI), real(CUBIC)

    def gelu_tanh(x: Any, a: Any, b: Any) -> Any:
        return x * logistic(two * scale * (x + cubic * x * x * x))

    return gelu_tanh


@functools.cache
def silu_of(real: Any) -> Scalar:
    one = real(1.0)

    def silu(x: Any, a: Any, b: Any) -> Any:
        return x / (one + exponential(-x))

    return silu


@functools.cache
def sigmoid_of(real: Any) -> Scalar:
    logistic = logistic_of(real)

    def sigmoid(x: Any, a: Any, b: Any) -> Any:
        return logistic(x)

    return sigmoid


@functools.cache
def tanh_of(real: Any) -> Scalar:
    def tanh(x: Any, a: Any, b: Any) -> Any:
        return hyperbolic_tangent(x)

    return tanh
