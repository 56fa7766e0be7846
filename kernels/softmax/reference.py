"""Softmax and log-softmax in plain NumPy; 16-bit floats are computed in float32 and rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check
from ..dtypes import accumulator, extended_sum

Array = Any


def _rows(x: Array, dim: int) -> Array:
    """``x`` in its accumulator dtype with ``dim`` as the last of at least one dimension."""
    return np.moveaxis(np.atleast_1d(x.astype(accumulator(x.dtype))), dim, -1)


def _back(rows: Array, x: Array, dim: int) -> Array:
    return np.moveaxis(rows, -1, dim).reshape(x.shape).astype(x.dtype)


def _shifted(rows: Array) -> Array:
    return rows - np.max(rows, axis=-1, keepdims=True) if rows.size else rows


@np.errstate(all="ignore")
def softmax(x: Array, *, dim: int) -> Array:
    e = np.exp(_shifted(_rows(x, dim)))
    return _back(e / extended_sum(e, -1, True), x, dim)


@np.errstate(all="ignore")
def softmax_backward(grad: Array, y: Array, *, dim: int) -> Array:
    g, p = _rows(grad, dim), _rows(y, dim)
    return _back(p * (g - extended_sum(g * p, -1, True)), y, dim)


@np.errstate(all="ignore")
def log_softmax(x: Array, *, dim: int) -> Array:
    shifted = _shifted(_rows(x, dim))
    return _back(shifted - np.log(extended_sum(np.exp(shifted), -1, True)), x, dim)


@np.errstate(all="ignore")
def log_softmax_backward(grad: Array, y: Array, *, dim: int) -> Array:
    g, p = _rows(grad, dim), np.exp(_rows(y, dim))
    return _back(g - p * extended_sum(g, -1, True), y, dim)


@np.errstate(all="ignore")
def logsumexp(x: Array, *, dim: Any, keepdim: bool = False) -> Array:
    wide = x.astype(accumulator(x.dtype))
    dims = check.dims("logsumexp", dim, x.ndim)
    top = np.max(wide, axis=dims, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, np.zeros((), wide.dtype))
    result = np.log(extended_sum(np.exp(wide - top), dims, True)) + top
    return np.asarray(result).reshape(check.reduced_shape(x.shape, dims, keepdim)).astype(x.dtype)


@np.errstate(all="ignore")
def logsumexp_backward(grad: Array, x: Array, y: Array, *, dim: Any) -> Array:
    wide = accumulator(x.dtype)
    return np.asarray(grad.astype(wide) * np.exp(x.astype(wide) - y.astype(wide))).astype(x.dtype)
