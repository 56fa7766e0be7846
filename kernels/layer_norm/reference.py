"""Normalisation over trailing dimensions in plain NumPy. Halves are computed in float32 and rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes

Array = Any


def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, normalized_shape: Any, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    axes = _axes(x, np.size(normalized_shape))
    with np.errstate(invalid="ignore"):
        wide = _wide(x)
        mean = wide.mean(axis=axes, keepdims=True)
        rstd = 1 / np.sqrt(((wide - mean) ** 2).mean(axis=axes, keepdims=True) + wide.dtype.type(eps))
        y = (wide - mean) * rstd
    y = y if weight is None else y * weight.astype(wide.dtype)
    y = y if bias is None else y + bias.astype(wide.dtype)
    return y.astype(x.dtype), np.asarray(mean.squeeze(axes)), np.asarray(rstd.squeeze(axes))


def rms_norm(x: Array, weight: Array | None = None, *, normalized_shape: Any, eps: float) -> tuple[Array, Array]:
    axes = _axes(x, np.size(normalized_shape))
    wide = _wide(x)
    with np.errstate(invalid="ignore"):
        rstd = 1 / np.sqrt((wide**2).mean(axis=axes, keepdims=True) + wide.dtype.type(eps))
        y = wide * rstd
    y = y if weight is None else y * weight.astype(wide.dtype)
    return y.astype(x.dtype), np.asarray(rstd.squeeze(axes))


def layer_norm_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    g, scale = _wide(grad), _trailing(rstd, x)
    z = (_wide(x) - _trailing(mean, x)) * scale
    by_z = g if weight is None else g * weight.astype(g.dtype)
    axes, lead = _axes(x, x.ndim - rstd.ndim), tuple(range(rstd.ndim))
    inner = by_z - by_z.mean(axis=axes, keepdims=True) - z * (by_z * z).mean(axis=axes, keepdims=True)
    return (scale * inner).astype(x.dtype), _sum(g * z, lead, rstd), _sum(g, lead, rstd)


def rms_norm_backward(grad: Array, x: Array, weight: Array | None, rstd: Array) -> tuple[Array, Array]:
    g, scale = _wide(grad), _trailing(rstd, x)
    z = _wide(x) * scale
    by_z = g if weight is None else g * weight.astype(g.dtype)
    inner = by_z - z * (by_z * z).mean(axis=_axes(x, x.ndim - rstd.ndim), keepdims=True)
    return (scale * inner).astype(x.dtype), _sum(g * z, tuple(range(rstd.ndim)), rstd)


def _wide(x: Array) -> Array:
    return x.astype(dtypes.accumulator(x.dtype))


def _axes(x: Array, count: int) -> tuple[int, ...]:
    """The last ``count`` dimensions."""
    return tuple(range(x.ndim - count, x.ndim))


def _trailing(statistic: Array, x: Array) -> Array:
    """A statistic of the leading dimensions, to broadcast against x."""
    return _wide(statistic).reshape(statistic.shape + (1,) * (x.ndim - statistic.ndim))


def _sum(values: Array, axes: tuple[int, ...], like: Array) -> Array:
    return np.asarray(values.sum(axis=axes)).astype(like.dtype)
