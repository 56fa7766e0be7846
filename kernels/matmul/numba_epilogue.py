"""What the backend ``numba_cuda`` does to a product's results before it stores them."""

from __future__ import annotations

import functools
import math
from typing import Any

from ..numba_launch import device, exponential
from .contract import ACTIVATIONS

_RELU, _GELU, _GELU_TANH, _SILU, _SIGMOID, _TANH = range(1, len(ACTIVATIONS))


@functools.cache
def activated(real: Any) -> Any:
    """The device function ``(code, x)`` that applies ``ACTIVATIONS[code]`` to ``x`` of the type ``real``."""
    zero, half, one, two = real(0), real(0.5), real(1), real(2)
    root_half, cubic, gelu_scale = real(math.sqrt(0.5)), real(0.044715), real(math.sqrt(2 / math.pi))

    @device
    def sigmoid(x: Any) -> Any:
        return one / (one + real(exponential(-x)))

    @device
    def activate(code: int, x: Any) -> Any:
        if code == _RELU:
            return x if x > zero or x != x else zero  # NaN stays
        if code == _GELU:
            return half * x * real(math.erfc(-x * root_half))
        if code == _GELU_TANH:
            return x * sigmoid(two * gelu_scale * (x + cubic * x * x * x))
        if code == _SILU:
            return x * sigmoid(x)
        if code == _SIGMOID:
            return sigmoid(x)
        if code == _TANH:
            # Without a difference of near numbers: tanh of a small x is x.
            return real(math.tanh(x))
        return x

    return activate
