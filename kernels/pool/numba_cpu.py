"""2-D pooling with Numba: arrays as planes in front of the loops of `loops.py` and `adaptive.py`."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from .. import memory
from ..check import pair
from . import adaptive, loops

Array = Any


def max_pool2d(
    x: Array,
    *,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    out: tuple[Array, Array],
) -> None:
    values, indices = (_contiguous(each) for each in out)
    planes = _planes(x)
    geometry = _geometry(kernel_size, stride, padding, dilation)
    h, w = x.shape[2:]
    whole = 2 * out[0].shape[2] <= h and 2 * out[0].shape[3] <= w  # no window hangs over the end
    if whole and geometry.tolist() == [2, 2, 2, 2, 0, 0, 1, 1]:
        if w % 2 == 0 and x.dtype == np.float32 and sys.byteorder == "little":
            loops.max_pool_pairs(planes.view(np.int64), _planes(values), _planes(indices))
        else:
            loops.max_pool_2x2(planes, _planes(values), _planes(indices))
    else:
        loops.max_pool(planes, _planes(values), _planes(indices), geometry)
    _copy_back(values, out[0])
    _copy_back(indices, out[1])


def max_pool2d_backward(grad: Array, indices: Array, *, input_size: Any, out: Array) -> None:
    target = _contiguous(out)
    loops.scatter(_flat_planes(grad), _flat_planes(indices), _flat_planes(target))
    _copy_back(target, out)


def max_pool2d_gather(x: Array, indices: Array, *, out: Array) -> None:
    target = _contiguous(out)
    loops.gather(_flat_planes(x), _flat_planes(indices), _flat_planes(target))
    _copy_back(target, out)


def avg_pool2d(
    x: Array,
    *,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    out: Array,
) -> None:
    target = _contiguous(out)
    geometry = _geometry(kernel_size, stride, padding, 1)
    counts = _counts(x.shape, out.shape, geometry, count_include_pad, divisor_override, x.dtype)
    loops.average_pool(_planes(x), _planes(target), *counts, geometry)
    _copy_back(target, out)


def avg_pool2d_backward(
    grad: Array,
    *,
    input_size: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    out: Array,
) -> None:
    target = _contiguous(out)
    geometry = _geometry(kernel_size, stride, padding, 1)
    counts = _counts(out.shape, grad.shape, geometry, count_include_pad, divisor_override, grad.dtype)
    loops.average_spread(_planes(grad), _planes(target), *counts, geometry)
    _copy_back(target, out)


def adaptive_avg_pool2d(x: Array, *, output_size: Any, out: Array) -> None:
    if out.size == 0:
        return
    target = _contiguous(out)
    adaptive.average(_planes(x), _planes(target), *_windows(x.shape, out.shape))
    _copy_back(target, out)


def adaptive_avg_pool2d_backward(grad: Array, *, input_size: Any, out: Array) -> None:
    if out.size == 0:
        return
    target = _contiguous(out)
    adaptive.average_back(_planes(grad), _planes(target), *_windows(out.shape, grad.shape))
    _copy_back(target, out)


def _windows(shape: tuple[int, ...], pooled: tuple[int, ...]) -> list[Array]:
    """The rows and the columns of the windows that cover an image: first and one past the last."""
    ranges = []
    for size, count in zip(shape[2:], pooled[2:], strict=True):
        each = np.arange(count, dtype=np.int64)
        ranges.append(np.stack((each * size // max(count, 1), -(-(each + 1) * size // max(count, 1))), 1))
    return ranges


def _geometry(kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> Array:
    kernel = pair("pool", "kernel_size", kernel_size, 1)
    strides = kernel if stride is None else pair("pool", "stride", stride, 1)
    pads, dilations = pair("pool", "padding", padding, 0), pair("pool", "dilation", dilation, 1)
    return np.array([*kernel, *strides, *pads, *dilations], np.int64)


def _counts(
    shape: tuple[int, ...],
    pooled: tuple[int, ...],
    geometry: Array,
    count_include_pad: bool,
    divisor_override: int | None,
    dtype: np.dtype[Any],
) -> tuple[Array, Array]:
    """Two vectors whose outer product is every window's divisor."""
    if divisor_override is not None:
        return np.full(pooled[2], divisor_override, dtype), np.ones(pooled[3], dtype)
    counts = []
    for axis in (0, 1):
        size, kernel, stride, padding = shape[2 + axis], geometry[axis], geometry[2 + axis], geometry[4 + axis]
        start = np.arange(pooled[2 + axis]) * stride - padding
        end = np.minimum(start + kernel, size + padding)
        if not count_include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, size)
        counts.append((end - start).astype(dtype))
    return counts[0], counts[1]


def _contiguous(out: Array) -> Array:
    """``out``, or scratch in its place where it has strides."""
    return out if out.flags.c_contiguous else memory.scratch(out.shape, out.dtype)


def _copy_back(target: Array, out: Array) -> None:
    if target is not out:
        out[...] = target


def _planes(x: Array) -> Array:
    return np.ascontiguousarray(x).reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _flat_planes(x: Array) -> Array:
    return np.ascontiguousarray(x).reshape(x.shape[0] * x.shape[1], math.prod(x.shape[2:]))
