"""Launches of ``csrc/kernels/pool.cu``: which windows a block takes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from ..cuda_launch import BLOCK, WARP, blocks, contiguous, launch, size, written
from ..embedding.cuda_add import add_in_planes
from ..embedding.cuda_selection import gather_along
from ..reduce import cuda as reduce
from .contract import windows

Array = Any
Pair = tuple[int, int]

_BYTES = 24 * 1024  # of an image that a block holds: kShared of pool.cu
_MOST = 2048  # windows, or elements, of a block
_WIDE = 32, 96  # elements of a window that a warp takes: where windows lie side by side, and where they overlap
_AXIS = np.dtype([(name, "i8") for name in ("size", "windows", "kernel", "stride", "padding", "dilation")])
_ADAPTIVE = np.dtype([("size", "i8"), ("windows", "i8")])
_TILE = np.dtype([("planes", "i8"), ("height", "i8"), ("width", "i8")])


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
    if out[0].size == 0:
        return
    axes = _axes(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    with ExitStack() as stack:
        results = tuple(stack.enter_context(written(each)) for each in out)
        _windows("max_pool2d", axes, contiguous(x), *results)


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
    axes = _axes(x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    with written(out) as result:
        _windows("avg_pool2d", axes, contiguous(x), result, divisor_override or 0, bool(count_include_pad))


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
    axes = _axes(out.shape[2:], kernel_size, stride, padding, 1, ceil_mode)

    def over(axis: int, elements: int) -> int:
        """Windows over so many elements in a row, at most."""
        across: int = (elements + int(axes[axis]["kernel"]) - 2) // int(axes[axis]["stride"]) + 1
        return min(across, int(axes[axis]["windows"]))

    with written(out) as result:
        _elements(
            "avg_pool2d_backward", axes, contiguous(grad), result, over, divisor_override or 0, bool(count_include_pad)
        )


def adaptive_avg_pool2d(x: Array, *, output_size: Any, out: Array) -> None:
    if out.size == 0:
        return
    if out.shape[2:] == (1, 1):
        reduce.mean(x, dim=(2, 3), keepdim=True, out=out)
        return
    axes = _adaptive(x.shape[2:], out.shape[2:])
    with written(out) as result:
        _windows("adaptive_avg_pool2d", axes, contiguous(x), result)


def adaptive_avg_pool2d_backward(grad: Array, *, input_size: Any, out: Array) -> None:
    if out.size == 0:
        return
    axes = _adaptive(out.shape[2:], grad.shape[2:])

    def over(axis: int, elements: int) -> int:
        windows: int = grad.shape[2 + axis]
        return min(elements * windows // int(out.shape[2 + axis]) + 2, windows)

    with written(out) as result:
        _elements("adaptive_avg_pool2d_backward", axes, contiguous(grad), result, over)


def max_pool2d_gather(x: Array, indices: Array, *, out: Array) -> None:
    if out.size == 0:
        return
    planes, plane = size(x.shape[:2]), size(x.shape[2:])
    index = contiguous(indices).reshape(planes, -1)
    with written(out) as result:
        gather_along("max_pool2d_gather", contiguous(x), 0, (plane, 1), index, 1, result)


def max_pool2d_backward(grad: Array, indices: Array, *, input_size: Any, out: Array) -> None:
    if out.size == 0:
        return
    with written(out) as result:
        add_in_planes(contiguous(grad), contiguous(indices), None, result, size(out.shape[:2]), 1)


def _axes(sizes: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    geometry = windows(sizes, kernel_size, stride, padding, dilation, ceil_mode)
    return [np.array(each, _AXIS)[()] for each in zip(*geometry, strict=True)]


def _adaptive(sizes: Any, windows: Any) -> Any:
    return [np.array(each, _ADAPTIVE)[()] for each in zip(sizes, windows, strict=True)]


def _span(axis: Any, windows: int) -> int:
    """Elements that so many windows in a row cover, at most."""
    n = int(axis["size"])
    if "stride" not in axis.dtype.names:
        return min(-(-windows * n // int(axis["windows"])) + 1, n)
    return min((windows - 1) * int(axis["stride"]) + int(axis["dilation"]) * (int(axis["kernel"]) - 1) + 1, n)


def _windows(name: str, axes: Any, x: Array, *arguments: Any) -> None:
    """Launch the kernel of the windows' size, for all windows of all planes of ``x``."""
    planes, counts = size(x.shape[:2]), [int(axis["windows"]) for axis in axes]
    taps = [int(axis["kernel"]) if "kernel" in axis.dtype.names else _span(axis, 1) for axis in axes]
    if size(taps) >= _WIDE[size(taps) * size(counts) > 2 * size(x.shape[2:])]:
        grid = blocks(planes * size(counts), BLOCK // WARP)
        launch("pool", f"{name}_wide", x.dtype, grid, BLOCK, *axes, planes, x, *arguments)
        return
    tile, held = _tile(x.dtype.itemsize, counts, x.shape[2:], planes, lambda axis, n: _span(axes[axis], n))
    _launch(name, axes, tile, held, counts, planes, x, *arguments)


def _elements(name: str, axes: Any, grad: Array, out: Array, over: Callable[[int, int], int], *divisor: Any) -> None:
    """Launch a gradient, for all elements of all planes of ``out``."""
    planes = size(out.shape[:2])
    tile, held = _tile(grad.dtype.itemsize, out.shape[2:], grad.shape[2:], planes, over)
    _launch(name, axes, tile, held, out.shape[2:], planes, grad, out, *divisor)


def _launch(name: str, axes: Any, tile: Any, held: bool, counts: Any, planes: int, x: Array, *arguments: Any) -> None:
    pieces = [-(-n // int(tile[each])) for n, each in zip((planes, *counts), _TILE.names or (), strict=True)]
    kernel = name if held else f"{name}_direct"
    launch("pool", kernel, x.dtype, blocks(size(pieces), 1), BLOCK, *axes, tile, planes, x, *arguments)


def _tile(itemsize: int, counts: Any, source: Any, planes: int, reach: Callable[[int, int], int]) -> tuple[Any, bool]:
    """What of ``counts`` results a block takes, and whether what they need of the ``source`` fits shared memory."""
    most = _BYTES // itemsize
    height, width = 1, int(counts[1])
    while width > 1 and (reach(0, 1) * reach(1, width) > most or width > _MOST):
        width = -(-width // 2)
    held = reach(0, 1) * reach(1, width) <= most
    while height < counts[0] and 2 * height * width <= _MOST:
        if held and reach(0, min(2 * height, counts[0])) * reach(1, width) > most:
            break
        height = min(2 * height, int(counts[0]))
    group = 1
    if held and (height, width) == tuple(counts):
        group = max(1, min(most // max(size(source), 1), _MOST // size(counts), planes))
    return np.array((group, height, width), _TILE)[()], held
