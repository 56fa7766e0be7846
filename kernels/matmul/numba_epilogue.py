"""What the backend ``numba_cuda`` does to a product's results before it stores them."""

from __future__ import annotations

import functools
from typing import Any

from ..activation.numba_scalars import gelu_of, gelu_tanh_of, relu_of, sigmoid_of, silu_of, tanh_of
from ..numba_launch import device
from .contract import ACTIVATIONS

_RELU, _GELU, _GELU_TANH, _SILU, _SIGMOID, _TANH = range(1, len(ACTIVATIONS))


@functools.cache
def activated(real: Any) -> Any:
    """The device function ``(code, x)`` that applies ``ACTIVATIONS[code]`` to ``x`` of the type ``real``."""
    zero = real(0)
    makes = (relu_of, gelu_of, gelu_tanh_of, silu_of, sigmoid_of, tanh_of)
    relu, gelu, gelu_tanh, silu, sigmoid, tanh = (device(make(real)) for make in makes)

    @device
    def activate(code: int, x: Any) -> Any:
        if code == _RELU:
            return relu(x, zero, zero)
        if code == _GELU:
            return gelu(x, zero, zero)
        if code == _GELU_TANH:
            return gelu_tanh(x, zero, zero)
        if code == _SILU:
            return silu(x, zero, zero)
        if code == _SIGMOID:
            return sigmoid(x, zero, zero)
        if code == _TANH:
            return tanh(x, zero, zero)
        return x

    return activate
