"""What `linear` does to a block of its result while the block is still in the cache: bias, activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import vector
from ..jit import jit
from .contract import ACTIVATIONS

Array = Any

CODES = {name: code for code, name in enumerate(ACTIVATIONS)}
"""The number by which a kernel knows an activation."""

_RELU, _GELU, _GELU_TANH, _SILU, _SIGMOID, _TANH = (CODES[name] for name in ACTIVATIONS[1:])
_SQRT_2_OVER_PI = float(np.sqrt(2.0 / np.pi))


@jit(inline=True)  # type: ignore[untyped-decorator]
def _row(row: Array, activation: int) -> None:
    kind = row.dtype.type
    if activation == _RELU:
        for j in range(row.size):
            row[j] = vector.maximum(row[j], kind(0))
    elif activation == _GELU:
        for j in range(row.size):
            row[j] = row[j] * vector.normal_cdf(row[j])
    elif activation == _GELU_TANH:
        for j in range(row.size):
            x = row[j]
            inner = kind(_SQRT_2_OVER_PI) * (x + kind(0.044715) * x * x * x)
            row[j] = kind(0.5) * x * (kind(1) + vector.tanh(inner))
    elif activation == _SILU:
        for j in range(row.size):
            row[j] = row[j] * vector.sigmoid(row[j])
    elif activation == _SIGMOID:
        for j in range(row.size):
            row[j] = vector.sigmoid(row[j])
    elif activation == _TANH:
        for j in range(row.size):
            row[j] = vector.tanh(row[j])


@jit
def finish(
    out: Array, stride: int, first: int, rows: int, column: int, columns: int, bias: Array, activation: int
) -> None:
    """Add ``bias`` (empty: none) to a block of the flat ``out`` and apply the activation in place.

    The block's rows begin at ``first + i * stride``; its first column is ``column`` of the whole result.
    """
    for i in range(rows):
        row = out[first + i * stride : first + i * stride + columns]
        if bias.size:
            for j in range(columns):
                row[j] += bias[column + j]
        _row(row, activation)
