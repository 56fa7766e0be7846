"""The steps of recurrent layers in plain NumPy; 16-bit floats are computed in float32 and rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import accumulator

Array = Any


def _logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def lstm_cell(projected: Array, product: Array, memory: Array) -> tuple[Array, Array, Array]:
    wide = accumulator(memory.dtype)
    with np.errstate(all="ignore"):
        i, f, g, o = np.split(projected.astype(wide) + product.astype(wide), 4, axis=1)
        i, f, g, o = _logistic(i), _logistic(f), np.tanh(g), _logistic(o)
        following = f * memory.astype(wide) + i * g
        results = o * np.tanh(following), following, np.concatenate([i, f, g, o], axis=1)
    return tuple(each.astype(memory.dtype) for each in results)  # type: ignore[return-value]


def lstm_cell_backward(
    grad_hidden: Array, grad_memory: Array, gates: Array, memory: Array, following: Array
) -> tuple[Array, Array]:
    wide = accumulator(gates.dtype)
    by_hidden, by_memory, c, following = (each.astype(wide) for each in (grad_hidden, grad_memory, memory, following))
    i, f, g, o = np.split(gates.astype(wide), 4, axis=1)
    with np.errstate(all="ignore"):
        t = np.tanh(following)
        d = by_memory + by_hidden * o * (1 - t * t)
        parts = d * g * i * (1 - i), d * c * f * (1 - f), d * i * (1 - g * g), by_hidden * t * o * (1 - o)
        return np.concatenate(parts, axis=1).astype(gates.dtype), (d * f).astype(gates.dtype)
