"""Batch normalisation with Numba: by planes (`loops.py`), or by columns (`columns.py`) where planes are small."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes, memory
from ..reduce import loops as reductions
from ..reduce.plan import HEIGHT
from . import columns, loops

Array = Any

SMALL_PLANE = 16  # elements below which a loop over a plane does not pay

_NO_CENTERS = np.empty(0)


def batch_norm_train(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-5,
    out: tuple[Array, Array, Array],
) -> None:
    y, mean, rstd = out
    if x.size == 0:
        return
    flat = _planes(x)
    n, c, s = flat.shape
    center, scale = memory.scratch((c,), x.dtype), memory.scratch((c,), x.dtype)
    if s < SMALL_PLANE:
        exact, variance = _column_statistics(flat)
        center[...] = exact
        scale[...] = 1.0 / np.sqrt(variance + eps)
    else:
        images = _images(s)
        moments = memory.scratch((c * -(-n // images), 3), dtypes.float64)
        loops.statistics(flat, moments, center, scale, images, float(eps))
    mean[...], rstd[...] = center, scale
    _normalise(flat, center, scale, weight, bias, y)


def batch_norm_infer(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, *, eps: float, out: Array
) -> None:
    if x.size == 0:
        return
    scale = (1.0 / np.sqrt(var.astype(dtypes.float64) + eps)).astype(x.dtype)
    _normalise(_planes(x), _vector(mean, x), scale, weight, bias, out)


def batch_norm_train_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array, *, out: tuple[Array, Array, Array]
) -> None:
    dx, dweight, dbias = out
    if x.size == 0:
        return
    flat, flat_grad = _planes(x), _planes(grad)
    n, c, s = flat.shape
    center = _vector(mean, x)
    if s < SMALL_PLANE:
        width = c * s
        wide_center = np.repeat(center, s)
        sums = memory.scratch((2, -(-n // columns.HEIGHT), width), dtypes.float64)
        columns.products(flat_grad.reshape(n, width), flat.reshape(n, width), sums[0], sums[1], wide_center)
        total, product = sums[0, 0].reshape(c, s).sum(1), sums[1, 0].reshape(c, s).sum(1)
    else:
        images = _images(s)
        groups = -(-n // images)
        sums = memory.scratch((c * groups, 2), dtypes.float64)
        loops.products(flat_grad, flat, sums, center, images)
        total, product = sums[::groups, 0], sums[::groups, 1]
    scale = rstd.astype(dtypes.float64)
    dweight[...], dbias[...] = product * scale, total
    a = scale if weight is None else scale * weight
    vectors = [_vector(each, x) for each in (a, a * scale * scale * (product / (n * s)), a * (total / (n * s)))]
    target = dx if dx.flags.c_contiguous else memory.scratch(dx.shape, dx.dtype)
    if s < SMALL_PLANE:
        shape = (n, c * s)
        wide = [np.repeat(each, s) for each in vectors]
        columns.combine_rows(flat_grad.reshape(shape), flat.reshape(shape), target.reshape(shape), wide_center, *wide)
    else:
        loops.combine_planes(flat_grad, flat, target.reshape(n, c, s), center, *vectors)
    if target is not dx:
        dx[...] = target


def _planes(x: Array) -> Array:
    """x as a C-contiguous (N, C, S) array."""
    return np.ascontiguousarray(x).reshape(x.shape[0], x.shape[1], math.prod(x.shape[2:]))


def _images(plane: int) -> int:
    """Images of one group."""
    return max(loops.GROUP // plane, 1)


def _vector(channel: Array, x: Array) -> Array:
    return np.ascontiguousarray(channel, x.dtype)


def _column_statistics(x: Array) -> tuple[Array, Array]:
    """Mean and variance of each channel in float64, in two passes over the columns."""
    n, c, s = x.shape
    width = c * s
    flat = x.reshape(-1)
    partial = memory.scratch((-(-n // HEIGHT) * width,), dtypes.float64)
    total = memory.scratch((width,), dtypes.float64)
    kernel = reductions.SUM[1]
    kernel(flat, total, partial, n, width, _NO_CENTERS, float(n * s))
    mean = total.reshape(c, s).sum(1)
    kernel = reductions.SQUARES[1]
    kernel(flat, total, partial, n, width, np.repeat(mean, s), float(n * s))
    return mean, total.reshape(c, s).sum(1)


def _normalise(x: Array, mean: Array, rstd: Array, weight: Array | None, bias: Array | None, out: Array) -> None:
    """``out = (x - mean) * rstd * weight + bias``."""
    n, c, s = x.shape
    scale = rstd if weight is None else rstd * _vector(weight, x)
    offset = np.zeros(c, x.dtype) if bias is None else _vector(bias, x)
    target = out if out.flags.c_contiguous else memory.scratch(out.shape, out.dtype)
    if s < SMALL_PLANE:
        shape = (n, c * s)
        vectors = [np.repeat(each, s) for each in (mean, scale, offset)]
        columns.scale_rows(x.reshape(shape), target.reshape(shape), *vectors)
    else:
        loops.scale_planes(x, target.reshape(n, c, s), mean, scale, offset)
    if target is not out:
        out[...] = target
