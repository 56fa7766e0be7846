"""Windows of images as columns and back, as Numba kernels: a thread has one element of the result."""

from __future__ import annotations

import functools
from typing import Any

from ..cuda_launch import bits
from ..numba_launch import Kernel, cuda, flat, flat_grid, kernel, real_of, written
from ..pool.contract import windows as _windows

Array = Any


@kernel
def unfold_windows(geometry: Any, x: Array, out: Array, count: int) -> None:
    image, windows, taps, stride, padding, dilation = geometry
    for number in range(cuda.grid(1), count, cuda.gridsize(1)):
        window = number % (windows[0] * windows[1])
        tap = number // (windows[0] * windows[1]) % (taps[0] * taps[1])
        plane = number // (windows[0] * windows[1] * taps[0] * taps[1])
        row = window // windows[1] * stride[0] + tap // taps[1] * dilation[0] - padding[0]
        column = window % windows[1] * stride[1] + tap % taps[1] * dilation[1] - padding[1]
        if row < 0 or row >= image[0] or column < 0 or column >= image[1]:
            out[number] = 0
        else:
            out[number] = x[(plane * image[0] + row) * image[1] + column]


@functools.cache
def _fold(real: Any) -> Kernel:
    @kernel
    def fold_windows(geometry: Any, x: Array, out: Array, count: int) -> None:
        image, windows, taps, stride, padding, dilation = geometry
        for number in range(cuda.grid(1), count, cuda.gridsize(1)):
            plane = number // (image[0] * image[1])
            row, column = number // image[1] % image[0] + padding[0], number % image[1] + padding[1]
            total = real(0)
            for i in range(taps[0]):
                top = row - i * dilation[0]
                if top < 0 or top % stride[0] or top // stride[0] >= windows[0]:
                    continue
                for j in range(taps[1]):
                    left = column - j * dilation[1]
                    if left < 0 or left % stride[1] or left // stride[1] >= windows[1]:
                        continue
                    at = ((plane * taps[0] + i) * taps[1] + j) * windows[0] + top // stride[0]
                    total += real(x[at * windows[1] + left // stride[1]])
            out[number] = total

    return fold_windows


def unfold(x: Array, *, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1, out: Array) -> None:
    if out.size:
        geometry = _windows(x.shape[2:], kernel_size, stride, padding, dilation)
        with written(out) as result:
            unfold_windows[flat_grid(out.size)](geometry, bits(flat(x)), bits(result), out.size)


def fold(
    x: Array,
    *,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
    out: Array,
) -> None:
    if out.size:
        geometry = _windows(out.shape[2:], kernel_size, stride, padding, dilation)
        with written(out) as result:
            _fold(real_of(out.dtype))[flat_grid(out.size)](geometry, flat(x), result, out.size)
