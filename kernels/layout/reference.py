"""Moving elements in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes

Array = Any


def cat(arrays: Any, *, dim: int) -> Array:
    return np.concatenate(arrays, axis=dim)


def pad(x: Array, *, pad: tuple[int, ...], value: float = 0.0) -> Array:
    before, after = [0] * x.ndim, [0] * x.ndim
    for position in range(len(pad) // 2):
        before[x.ndim - 1 - position], after[x.ndim - 1 - position] = pad[2 * position], pad[2 * position + 1]
    cropped = x[tuple(slice(max(-b, 0), n - max(-a, 0)) for n, b, a in zip(x.shape, before, after, strict=True))]
    if 0 in cropped.shape:  # a dimension may be cropped away wholly and then grow again
        return np.full([n + b + a for n, b, a in zip(x.shape, before, after, strict=True)], value, x.dtype)
    amounts = [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)]
    return np.pad(cropped, amounts, constant_values=value) if amounts else cropped.copy()


def index(x: Array, *, key: Any) -> Array:
    return x[key]


def index_backward(grad: Array, *, key: Any, input_shape: tuple[int, ...]) -> Array:
    result = np.zeros(input_shape, dtypes.accumulator(grad.dtype))
    np.add.at(result, key, grad.astype(result.dtype))
    return result.astype(grad.dtype)


def index_put(x: Array, values: Array, *, key: Any, accumulate: bool = False) -> None:
    if not accumulate:
        x[key] = values
        return
    wide = x.astype(dtypes.accumulator(x.dtype))
    np.add.at(wide, key, values.astype(wide.dtype))
    x[...] = wide.astype(x.dtype)
