"""Group normalisation in plain NumPy. Halves are computed in float32 and rounded once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes

Array = Any


def group_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, num_groups: int, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    rows = _rows(x, num_groups)
    with np.errstate(invalid="ignore"):
        mean = rows.mean(axis=2, keepdims=True)
        rstd = 1 / np.sqrt(((rows - mean) ** 2).mean(axis=2, keepdims=True) + rows.dtype.type(eps))
        y = ((rows - mean) * rstd).reshape(x.shape)
    y = y if weight is None else y * _by_channel(weight, y)
    y = y if bias is None else y + _by_channel(bias, y)
    return y.astype(x.dtype), mean[..., 0], rstd[..., 0]


def group_norm_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    groups = mean.shape[1]
    wide = grad.astype(dtypes.accumulator(grad.dtype))
    scale = rstd.astype(wide.dtype)[..., None]
    z = (_rows(x, groups) - mean.astype(wide.dtype)[..., None]) * scale
    by_z = _rows(wide if weight is None else wide * _by_channel(weight, wide), groups)
    inner = by_z - by_z.mean(axis=2, keepdims=True) - z * (by_z * z).mean(axis=2, keepdims=True)
    axes = (0, *range(2, x.ndim))
    dweight, dbias = (wide * z.reshape(x.shape)).sum(axis=axes), wide.sum(axis=axes)
    return (scale * inner).reshape(x.shape).astype(x.dtype), dweight.astype(mean.dtype), dbias.astype(mean.dtype)


def _rows(x: Array, groups: int) -> Array:
    """(N, groups, elements of a group) in the accumulator's dtype."""
    wide = x.astype(dtypes.accumulator(x.dtype))
    return wide.reshape(x.shape[0], groups, math.prod(x.shape[1:]) // groups)


def _by_channel(parameter: Array, x: Array) -> Array:
    """(C,) shaped to broadcast against x."""
    return parameter.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 2))
