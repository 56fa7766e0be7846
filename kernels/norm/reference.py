"""Batch normalisation in plain NumPy. Halves are computed in float32 and rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes

Array = Any


def batch_norm_train(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    wide = x.astype(dtypes.accumulator(x.dtype))
    mean = wide.mean(axis=_axes(x))
    variance = ((wide - _spread(mean, x)) ** 2).mean(axis=_axes(x))
    rstd = 1 / np.sqrt(variance + wide.dtype.type(eps))
    return _affine((wide - _spread(mean, x)) * _spread(rstd, x), weight, bias).astype(x.dtype), mean, rstd


def batch_norm_train_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    dtype = dtypes.accumulator(x.dtype)
    wide_grad, scale = grad.astype(dtype), _spread(rstd, x).astype(dtype)
    z = (x.astype(dtype) - _spread(mean, x).astype(dtype)) * scale
    dweight, dbias = (wide_grad * z).sum(axis=_axes(x)), wide_grad.sum(axis=_axes(x))
    count = dtype.type(x.size // max(x.shape[1], 1))
    if weight is not None:
        scale = scale * _spread(weight, x).astype(dtype)
    dx = scale * (wide_grad - _spread(dbias, x) / count - z * _spread(dweight, x) / count)
    return dx.astype(x.dtype), dweight.astype(mean.dtype), dbias.astype(mean.dtype)


def batch_norm_infer(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, *, eps: float
) -> Array:
    dtype = dtypes.accumulator(x.dtype)
    rstd = 1 / np.sqrt(_spread(var, x).astype(dtype) + dtype.type(eps))
    return _affine((x.astype(dtype) - _spread(mean, x).astype(dtype)) * rstd, weight, bias).astype(x.dtype)


def _axes(x: Array) -> tuple[int, ...]:
    """Every dimension but the channels."""
    return (0, *range(2, x.ndim))


def _spread(channel: Array, x: Array) -> Array:
    """A (C,) array shaped to broadcast against x."""
    return channel.reshape(-1, *(1,) * (x.ndim - 2))


def _affine(z: Array, weight: Array | None, bias: Array | None) -> Array:
    if weight is not None:
        z = z * _spread(weight, z).astype(z.dtype)
    return z if bias is None else z + _spread(bias, z).astype(z.dtype)
