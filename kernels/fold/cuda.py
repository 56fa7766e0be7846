"""Launches of ``csrc/kernels/fold.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cuda_launch import BLOCK, blocks, contiguous, flat_grid, launch, size, written
from ..pool.contract import windows

Array = Any

_BYTES = 24 * 1024  # of an image that a block holds
_MOST = 512  # windows of a block
_AXIS = np.dtype([(name, "i8") for name in ("size", "windows", "kernel", "stride", "padding", "dilation")])


def unfold(x: Array, *, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1, out: Array) -> None:
    if out.size == 0:
        return
    vertical, horizontal = axes = _axes(x.shape[2:], kernel_size, dilation, padding, stride)
    planes, most = size(x.shape[:2]), _BYTES // x.itemsize // int(horizontal["size"])  # rows of the image

    def rows(height: int) -> int:
        return (height - 1) * int(vertical["stride"]) + int(vertical["dilation"]) * (int(vertical["kernel"]) - 1) + 1

    height = 1
    while height < vertical["windows"] and height * int(horizontal["windows"]) < _MOST and rows(2 * height) <= most:
        height *= 2
    written_at_once = height * int(horizontal["windows"]) * int(vertical["kernel"]) * int(horizontal["kernel"])
    fits = min(rows(height), x.shape[2]) <= most and written_at_once < 2**31
    name = "unfold_staged" if fits else "unfold_direct"
    grid = blocks(planes * -(-int(vertical["windows"]) // height), 1)
    with written(out) as result:
        launch("fold", name, x.dtype, grid, BLOCK, *axes, height, planes, contiguous(x), result)


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
    if out.size == 0:
        return
    axes = _axes(out.shape[2:], kernel_size, dilation, padding, stride)
    with written(out) as result:
        launch("fold", "fold", x.dtype, flat_grid(out.size), BLOCK, *axes, contiguous(x), result, out.size)


def _axes(sizes: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    geometry = windows(sizes, kernel_size, stride, padding, dilation)
    return [np.array(each, _AXIS)[()] for each in zip(*geometry, strict=True)]
