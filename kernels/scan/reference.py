"""Cumulative sums in plain NumPy. Halves are summed in float32 and rounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes

Array = Any


def cumsum(x: Array, *, dim: int) -> Array:
    floating = dtypes.is_floating(x.dtype)
    wide = x.astype(dtypes.accumulator(x.dtype) if floating else dtypes.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        result = np.cumsum(wide, axis=dim if x.ndim else None).reshape(x.shape)
        return result.astype(x.dtype if floating else dtypes.int64)


def cumsum_backward(grad: Array, *, dim: int) -> Array:
    if not grad.ndim:
        return grad.copy()
    return np.flip(cumsum(np.flip(grad, dim), dim=dim), dim)
