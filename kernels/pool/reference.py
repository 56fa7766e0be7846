"""2-D pooling in plain NumPy: one loop over the elements of a window, all windows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import dtypes
from ..check import pair
from .contract import output_size

Array = Any


def max_pool2d(
    x: Array, *, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> tuple[Array, Array]:
    h, w = x.shape[2:]
    values: Array = None
    for inside, row, column in _taps((h, w), kernel_size, stride, padding, dilation, ceil_mode):
        tap = np.where(inside, x[:, :, row, column], x.dtype.type(-np.inf))
        index = np.broadcast_to(row * w + column, tap.shape)
        if values is None:
            values, indices = np.full_like(tap, -np.inf), np.full(tap.shape, -1)
        # The first element inside stands for a window of nothing but -inf.
        wins = inside & ((tap > values) | np.isnan(tap) | (indices < 0))
        values, indices = np.where(wins, tap, values), np.where(wins, index, indices)
    return values, indices


def max_pool2d_backward(grad: Array, indices: Array, *, input_size: tuple[int, int]) -> Array:
    n, c = grad.shape[:2]
    h, w = pair("max_pool2d_backward", "input_size", input_size, 0)
    result = np.zeros((n * c, h * w), dtypes.accumulator(grad.dtype))
    plane = np.arange(n * c)[:, None]
    flat = (n * c, int(np.prod(grad.shape[2:])))
    np.add.at(result, (plane, indices.reshape(flat)), grad.reshape(flat).astype(result.dtype))
    return result.reshape(n, c, h, w).astype(grad.dtype)


def max_pool2d_gather(x: Array, indices: Array) -> Array:
    n, c, h, w = x.shape
    flat = indices.reshape(n, c, int(np.prod(indices.shape[2:])))
    return np.take_along_axis(x.reshape(n, c, h * w), flat, axis=2).reshape(indices.shape)


def avg_pool2d(
    x: Array,
    *,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    size, wide = x.shape[2:], dtypes.accumulator(x.dtype)
    total: Array = None
    with np.errstate(invalid="ignore"):
        for inside, row, column in _taps(size, kernel_size, stride, padding, 1, ceil_mode):
            tap = np.where(inside, x[:, :, row, column].astype(wide), wide.type(0))
            total = tap if total is None else total + tap
    counts = _counts(size, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return (total / counts.astype(wide)).astype(x.dtype)


def avg_pool2d_backward(
    grad: Array,
    *,
    input_size: tuple[int, int],
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    size = pair("avg_pool2d_backward", "input_size", input_size, 0)
    result = np.zeros((*grad.shape[:2], *size), dtypes.accumulator(grad.dtype))
    counts = _counts(size, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    planes = np.moveaxis(result, (0, 1), (2, 3))  # a view, for the two coordinates to come first
    share = grad.astype(result.dtype) / counts.astype(result.dtype)
    for inside, row, column in _taps(size, kernel_size, stride, padding, 1, ceil_mode):
        np.add.at(planes, (row, column), np.moveaxis(np.where(inside, share, 0), (0, 1), (2, 3)))
    return result.astype(grad.dtype)


def adaptive_avg_pool2d(x: Array, *, output_size: Any) -> Array:
    h, w = pair("adaptive_avg_pool2d", "output_size", output_size, 0)
    result = np.empty((*x.shape[:2], h, w), dtypes.accumulator(x.dtype))
    with np.errstate(invalid="ignore"):
        for r, rows in enumerate(_cover(x.shape[2], h)):
            for k, columns in enumerate(_cover(x.shape[3], w)):
                result[:, :, r, k] = x[:, :, rows, columns].astype(result.dtype).mean(axis=(2, 3))
    return result.astype(x.dtype)


def adaptive_avg_pool2d_backward(grad: Array, *, input_size: tuple[int, int]) -> Array:
    size = pair("adaptive_avg_pool2d_backward", "input_size", input_size, 1)
    result = np.zeros((*grad.shape[:2], *size), dtypes.accumulator(grad.dtype))
    for r, rows in enumerate(_cover(size[0], grad.shape[2])):
        for k, columns in enumerate(_cover(size[1], grad.shape[3])):
            window = result[:, :, rows, columns]
            window += grad[:, :, r, k, None, None].astype(result.dtype) / result.dtype.type(
                max(window.shape[2] * window.shape[3], 1)
            )
    return result.astype(grad.dtype)


def _cover(size: int, count: int) -> list[slice]:
    """``count`` windows that cover ``size`` elements."""
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _windows(
    size: tuple[int, int], kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[list[Array], tuple[int, int], tuple[int, int]]:
    """Per dimension the first coordinate of every window; kernel and dilation as pairs."""
    kernel = pair("pool", "kernel_size", kernel_size, 1)
    strides = kernel if stride is None else pair("pool", "stride", stride, 1)
    pads, dilations = pair("pool", "padding", padding, 0), pair("pool", "dilation", dilation, 1)
    starts = []
    for n, k, s, p, d in zip(size, kernel, strides, pads, dilations, strict=True):
        starts.append(np.arange(output_size(n, k, s, p, d, ceil_mode)) * s - p)
    return starts, kernel, dilations


def _taps(
    size: tuple[int, int], kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Iterator[tuple[Array, Array, Array]]:
    """For each element of a window: whether it lies inside, its row (H', 1) and its column (W',).

    Coordinates outside are moved to the nearest one inside.
    """
    (rows, columns), kernel, dilations = _windows(size, kernel_size, stride, padding, dilation, ceil_mode)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            row, column = (rows + i * dilations[0])[:, None], columns + j * dilations[1]
            inside = (row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1])
            yield inside, np.clip(row, 0, size[0] - 1), np.clip(column, 0, size[1] - 1)


def _counts(
    size: tuple[int, int],
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """The divisor of every window, (H', W')."""
    starts, kernel, _ = _windows(size, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override is not None:
        return np.full((len(starts[0]), len(starts[1])), divisor_override)
    pads = pair("pool", "padding", padding, 0)
    lengths = []
    for n, k, p, start in zip(size, kernel, pads, starts, strict=True):
        end = np.minimum(start + k, n + p)
        if not count_include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, n)
        lengths.append(end - start)
    return lengths[0][:, None] * lengths[1]
