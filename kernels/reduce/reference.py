"""The reductions in plain NumPy. Halves are reduced in float32 and rounded once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import check, dtypes

Array = Any


def sum(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
    axes = check.dims("sum", dim, x.ndim)
    if not dtypes.is_floating(x.dtype):
        return np.sum(x, axis=axes, keepdims=keepdim, dtype=np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.sum(_wide(x), axis=axes, keepdims=keepdim)).astype(x.dtype)


def mean(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
    axes = check.dims("mean", dim, x.ndim)
    wide = _wide(x)
    with np.errstate(invalid="ignore", over="ignore"):
        result = np.sum(wide, axis=axes, keepdims=keepdim) / wide.dtype.type(_count(x, axes))
        return np.asarray(result).astype(x.dtype)


def var(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False) -> Array:
    axes = check.dims("var", dim, x.ndim)
    wide = _wide(x)
    count = _count(x, axes)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        center = np.sum(wide, axis=axes, keepdims=True) / wide.dtype.type(count)
        squares = np.sum((wide - center) ** 2, axis=axes, keepdims=keepdim)
        result = squares / wide.dtype.type(max(count - correction, 0.0))
        return np.asarray(result).astype(x.dtype)


def std(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(var(_wide(x), dim=dim, correction=correction, keepdim=keepdim))).astype(x.dtype)


def prod(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
    axes = check.dims("prod", dim, x.ndim)
    if not dtypes.is_floating(x.dtype):
        return np.prod(x, axis=axes, keepdims=keepdim, dtype=np.int64)
    with np.errstate(all="ignore"):
        return np.asarray(np.prod(_wide(x), axis=axes, keepdims=keepdim)).astype(x.dtype)


def amax(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
    return np.max(x, axis=check.dims("amax", dim, x.ndim), keepdims=keepdim)


def amin(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
    return np.min(x, axis=check.dims("amin", dim, x.ndim), keepdims=keepdim)


def argmax(x: Array, *, dim: int | None = None, keepdim: bool = False) -> Array:
    # bfloat16's own argmax passes NaN over.
    return np.argmax(_wide(x), axis=None if x.ndim == 0 else dim, keepdims=keepdim)


def argmin(x: Array, *, dim: int | None = None, keepdim: bool = False) -> Array:
    return np.argmin(_wide(x), axis=None if x.ndim == 0 else dim, keepdims=keepdim)


def any(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
    return np.any(x != 0, axis=check.dims("any", dim, x.ndim), keepdims=keepdim)


def all(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
    return np.all(x != 0, axis=check.dims("all", dim, x.ndim), keepdims=keepdim)


def _wide(x: Array) -> Array:
    return x.astype(dtypes.accumulator(x.dtype))


def _count(x: Array, axes: tuple[int, ...]) -> int:
    return math.prod(x.shape[axis] for axis in axes)
