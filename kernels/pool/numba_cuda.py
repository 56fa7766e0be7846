"""2-D pooling as Numba kernels: a thread has a window, or in a gradient an element and the windows over it."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from typing import Any

from ..cuda_launch import bits, size
from ..embedding.numba_cuda import gather_along
from ..embedding.numba_cuda_add import add_along
from ..numba_launch import Kernel, cuda, device, flat, flat_grid, kernel, larger, padded_dims, real_of, smaller, written
from .contract import windows as _windows

Array = Any


@kernel
def max_pool(geometry: Any, x: Array, values: Array, indices: Array, count: int) -> None:
    image, windows, taps, stride, padding, dilation = geometry
    for number in range(cuda.grid(1), count, cuda.gridsize(1)):
        plane = number // (windows[0] * windows[1]) * image[0] * image[1]
        top = number // windows[1] % windows[0] * stride[0] - padding[0]
        left = number % windows[1] * stride[1] - padding[1]
        found = -1
        for i in range(taps[0]):
            for j in range(taps[1]):
                row, column = top + i * dilation[0], left + j * dilation[1]
                if row < 0 or row >= image[0] or column < 0 or column >= image[1]:
                    continue
                place = row * image[1] + column
                value = x[plane + place]
                # Of equal elements the first, of NaNs the last.
                if found < 0 or value > x[plane + found] or value != value:
                    found = place
        values[number] = x[plane + found]
        indices[number] = found


@device
def extent(number: int, n: int, taps: int, stride: int, padding: int, with_padding: int) -> Any:
    """Elements of a window along a dimension of ``n``, in the image and, if asked for, in its padding."""
    start = number * stride - padding
    end = smaller(start + taps, n + padding)
    if not with_padding:
        start, end = larger(start, 0), smaller(end, n)
    return end - start


@device
def divisor(geometry: Any, row: int, column: int, override: int, with_padding: int) -> Any:
    """What the sum of the window at ``row`` and ``column`` is divided by."""
    if override:
        return override
    image, _, taps, stride, padding, _ = geometry
    height = extent(row, image[0], taps[0], stride[0], padding[0], with_padding)
    return height * extent(column, image[1], taps[1], stride[1], padding[1], with_padding)


@device
def covered(number: int, n: int, windows: int) -> Any:
    """First and one past the last of the elements in a window of ``windows`` that cover ``n`` elements."""
    return number * n // windows, ((number + 1) * n + windows - 1) // windows


@functools.cache
def _average(real: Any) -> Kernel:
    @kernel
    def avg_pool(geometry: Any, override: int, with_padding: int, x: Array, out: Array, count: int) -> None:
        image, windows, taps, stride, padding, _ = geometry
        for number in range(cuda.grid(1), count, cuda.gridsize(1)):
            plane = number // (windows[0] * windows[1]) * image[0] * image[1]
            row, column = number // windows[1] % windows[0], number % windows[1]
            top, left = row * stride[0] - padding[0], column * stride[1] - padding[1]
            total = real(0)
            for i in range(larger(top, 0), smaller(top + taps[0], image[0])):
                for j in range(larger(left, 0), smaller(left + taps[1], image[1])):
                    total += real(x[plane + i * image[1] + j])
            out[number] = total / real(divisor(geometry, row, column, override, with_padding))

    return avg_pool


@functools.cache
def _average_backward(real: Any) -> Kernel:
    @kernel
    def avg_pool_backward(geometry: Any, override: int, with_padding: int, grad: Array, out: Array, count: int) -> None:
        image, windows, taps, stride, padding, _ = geometry
        for number in range(cuda.grid(1), count, cuda.gridsize(1)):
            plane = number // (image[0] * image[1]) * windows[0] * windows[1]
            row, column = number // image[1] % image[0] + padding[0], number % image[1] + padding[1]
            total = real(0)
            top, bottom = larger((row - taps[0]) // stride[0] + 1, 0), smaller(row // stride[0] + 1, windows[0])
            left, right = larger((column - taps[1]) // stride[1] + 1, 0), smaller(column // stride[1] + 1, windows[1])
            for i in range(top, bottom):
                for j in range(left, right):
                    share = real(grad[plane + i * windows[1] + j])
                    total += share / real(divisor(geometry, i, j, override, with_padding))
            out[number] = total

    return avg_pool_backward


@functools.cache
def _adaptive(real: Any) -> Kernel:
    @kernel
    def adaptive_avg_pool(image: Any, windows: Any, x: Array, out: Array, count: int) -> None:
        for number in range(cuda.grid(1), count, cuda.gridsize(1)):
            plane = number // (windows[0] * windows[1]) * image[0] * image[1]
            top, bottom = covered(number // windows[1] % windows[0], image[0], windows[0])
            left, right = covered(number % windows[1], image[1], windows[1])
            total = real(0)
            for i in range(top, bottom):
                for j in range(left, right):
                    total += real(x[plane + i * image[1] + j])
            out[number] = total / real((bottom - top) * (right - left))

    return adaptive_avg_pool


@functools.cache
def _adaptive_backward(real: Any) -> Kernel:
    @kernel
    def adaptive_avg_pool_backward(image: Any, windows: Any, grad: Array, out: Array, count: int) -> None:
        for number in range(cuda.grid(1), count, cuda.gridsize(1)):
            plane = number // (image[0] * image[1]) * windows[0] * windows[1]
            # The windows over an element are as the elements in a window, with the two exchanged.
            top, bottom = covered(number // image[1] % image[0], windows[0], image[0])
            left, right = covered(number % image[1], windows[1], image[1])
            total = real(0)
            for i in range(top, bottom):
                first, end = covered(i, image[0], windows[0])
                for j in range(left, right):
                    begin, last = covered(j, image[1], windows[1])
                    total += real(grad[plane + i * windows[1] + j]) / real((end - first) * (last - begin))
            out[number] = total

    return adaptive_avg_pool_backward


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
    count = out[0].size
    if count:
        geometry = _windows(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
        with ExitStack() as stack:
            values, indices = (stack.enter_context(written(each)) for each in out)
            max_pool[flat_grid(count)](geometry, flat(x), values, indices, count)


def max_pool2d_backward(grad: Array, indices: Array, *, input_size: Any, out: Array) -> None:
    if out.size == 0:
        return
    planes, plane, count = size(out.shape[:2]), size(out.shape[2:]), size(grad.shape[2:])
    with written(out) as result:
        add_along(
            "max_pool2d_backward", flat(grad), flat(indices), result, [(planes, (plane, count, count))], (1, 1, 1),
            count, plane,
        )  # fmt: skip


def max_pool2d_gather(x: Array, indices: Array, *, out: Array) -> None:
    if out.size == 0:
        return
    shape, (steps,) = padded_dims(
        "max_pool2d_gather", (size(x.shape[:2]), size(indices.shape[2:])), (size(x.shape[2:]), 0)
    )
    with written(out) as result:
        gather_along[flat_grid(out.size)](shape, steps, 1, bits(flat(x)), flat(indices), bits(result), out.size)


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
    if out.size == 0:
        return
    geometry = _windows(x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    with written(out) as result:
        _average(real_of(out.dtype))[flat_grid(out.size)](
            geometry, divisor_override or 0, int(count_include_pad), flat(x), result, out.size
        )


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
    if out.size == 0:
        return
    geometry = _windows(out.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    with written(out) as result:
        _average_backward(real_of(out.dtype))[flat_grid(out.size)](
            geometry, divisor_override or 0, int(count_include_pad), flat(grad), result, out.size
        )


def adaptive_avg_pool2d(x: Array, *, output_size: Any, out: Array) -> None:
    if out.size == 0:
        return
    with written(out) as result:
        _adaptive(real_of(out.dtype))[flat_grid(out.size)](x.shape[2:], out.shape[2:], flat(x), result, out.size)


def adaptive_avg_pool2d_backward(grad: Array, *, input_size: Any, out: Array) -> None:
    if out.size == 0:
        return
    with written(out) as result:
        _adaptive_backward(real_of(out.dtype))[flat_grid(out.size)](
            out.shape[2:], grad.shape[2:], flat(grad), result, out.size
        )
