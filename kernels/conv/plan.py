"""How a convolution, or the gradient of one for its input, becomes one and the same computation.

Both are a sum over taps and channels of a source image: the forward pass reads ``x`` and steps by the
stride, the data gradient reads ``grad`` and writes with the stride. Result pixels ``h = phase + i *
spread`` with one remainder share their taps; a forward pass has one such phase, a data gradient one
for each pair of remainders by the stride. Tap offsets are in source pixels and may be negative or
beyond the edge: there the source is zero.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from ..microkernel import STENCIL_ROWS
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES

Array = np.ndarray[Any, Any]

STRIP = math.lcm(ROWS, VECTOR_BYTES // 4)
"""Result pixels computed before they are transposed and stored: whole tiles, whole vectors."""

WINDOW_BYTES = 512 * 1024
"""Largest copy of source pixels for one task: half of a second cache."""

FEW_CHANNELS = 4
"""Up to so many source channels become the last dimension of the window: longer inner loops."""

TASK_PIXELS = 4 * STRIP
"""Result pixels that make a task worth its tables; small images are computed several at once."""


class Phases(NamedTuple):
    """``taps``: rows of (r, s, row offset, column offset); ``phases``: rows of (h, w, first tap, last tap + 1).

    Taps of a phase go up by row, then by column; ``run``: so many of them always follow each other in one
    row without a gap.
    """

    taps: Array
    phases: Array
    run: int
    low_row: int
    high_row: int
    low_column: int
    high_column: int
    step: tuple[int, int]
    spread: tuple[int, int]


def _phases(found: list[tuple[tuple[int, int], list[tuple[int, int, int, int]]]], step: Any, spread: Any) -> Phases:
    found = [(phase, sorted(each, key=lambda tap: tap[2:])) for phase, each in found]
    taps = np.array([tap for _, each in found for tap in each], np.int64).reshape(-1, 4)
    phases, start, run = [], 0, 0
    for (h, w), each in found:
        phases.append((h, w, start, start + len(each)))
        start += len(each)
        length = 0
        for i, tap in enumerate(each):
            length += 1
            if i + 1 == len(each) or each[i + 1][2:] != (tap[2], tap[3] + 1):
                run, length = math.gcd(run, length), 0
    rows, columns = taps[:, 2], taps[:, 3]
    return Phases(
        taps,
        np.array(phases, np.int64),
        run,
        int(rows.min()),
        int(rows.max()),
        int(columns.min()),
        int(columns.max()),
        step,
        spread,
    )


@functools.lru_cache(maxsize=1024)
def forward_phases(
    kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]
) -> Phases:
    """The taps of conv2d: one phase."""
    taps = [
        (r, s, r * dilation[0] - padding[0], s * dilation[1] - padding[1])
        for r in range(kernel[0])
        for s in range(kernel[1])
    ]
    return _phases([((0, 0), taps)], stride, (1, 1))


@functools.lru_cache(maxsize=1024)
def backward_phases(
    kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]
) -> Phases:
    """The taps of conv2d_dgrad: from ``h = p * stride + r * dilation - padding`` follows p where it is whole."""
    found = []
    for h in range(stride[0]):
        for w in range(stride[1]):
            taps = [
                (r, s, row // stride[0], column // stride[1])
                for r in range(kernel[0])
                for s in range(kernel[1])
                if (row := h + padding[0] - r * dilation[0]) % stride[0] == 0
                and (column := w + padding[1] - s * dilation[1]) % stride[1] == 0
            ]
            found.append(((h, w), taps))
    return _phases(found, (1, 1), stride)


class Geometry(NamedTuple):
    """The numbers that the kernels need, beside taps and phases.

    ``images``, ``groups``; ``inner``, ``outer``: channels of one group in the source and in the result;
    ``height``, ``width`` of the source; its strides in bytes; ``step``: source pixels from one result
    pixel of a phase to the next; ``spread``: result pixels between them; ``low`` and ``high``: extreme tap
    offsets; how many images and how many rows of a phase make a task; ``window``: the copy of the source
    pixels that a task needs from each image, ``window_plane`` items from channel to channel, or 0 to read
    the source itself; ``run``: taps that the inner loop takes in one go, more than 1 only where channels
    are the window's last dimension.
    """

    images: int
    groups: int
    inner: int
    outer: int
    height: int
    width: int
    image_stride: int
    channel_stride: int
    row_stride: int
    column_stride: int
    step_rows: int
    step_columns: int
    spread_rows: int
    spread_columns: int
    out_height: int
    out_width: int
    low_row: int
    low_column: int
    task_images: int
    task_rows: int
    window_rows: int
    window_columns: int
    window_plane: int
    window_items: int
    run: int

    @property
    def phase_rows(self) -> int:
        return -(-self.out_height // self.spread_rows)

    @property
    def phase_columns(self) -> int:
        return -(-self.out_width // self.spread_columns)

    @property
    def tasks(self) -> int:
        return -(-self.images // self.task_images) * self.groups * -(-self.phase_rows // self.task_rows)

    @property
    def task_pixels(self) -> int:
        """Result pixels of one phase of one task, rounded up to whole strips."""
        return -(-self.task_images * self.task_rows * self.phase_columns // STRIP) * STRIP


def four_strides(array: Array) -> tuple[int, int, int, int]:
    """The strides in bytes of a 4-D array."""
    n, c, h, w = array.strides
    return n, c, h, w


def geometry(source: Array, out: Array, groups: int, phases: Phases, threads: int, planes: bool) -> Geometry:
    """The geometry for ``source`` (N, C, H, W) and a contiguous ``out`` (N, C', H', W'), none of them empty.

    ``planes``: for pixels in the lanes, which always want a window, of one image and whole planes.
    """
    images, channels, height, width = source.shape
    _, outs, out_height, out_width = out.shape
    inner, size = channels // groups, source.itemsize
    rows, columns = -(-out_height // phases.spread[0]), -(-out_width // phases.spread[1])
    reach = phases.high_row - phases.low_row
    window_columns = (columns - 1) * phases.step[1] + phases.high_column - phases.low_column + 1

    def window_rows(count: int) -> int:
        return (count - 1) * phases.step[0] + reach + 1

    task_images, task_rows = 1, rows
    line = inner * window_columns * size
    if window_rows(rows) * line > WINDOW_BYTES:
        fitting = (WINDOW_BYTES // line - reach - 1) // phases.step[0] + 1
        task_rows = min(rows, max(fitting, -(-STRIP // columns), 1))
    shortage = -(-threads // (images * groups))
    if shortage > 1:
        task_rows = min(task_rows, -(-rows // shortage))
    if task_rows < rows:  # blocks of equal size
        task_rows = -(-rows // -(-rows // task_rows))
    elif not planes:
        wanted = -(-TASK_PIXELS // (rows * columns))
        task_images = max(1, min(wanted, images * groups // threads, images))
    window_height, run = window_rows(task_rows), 1
    if planes:
        copy, plane = True, plane_items(task_rows, columns, phases, size)
        items = plane * inner
    elif inner <= FEW_CHANNELS:
        copy, plane, items, run = True, 1, window_height * window_columns * inner, phases.run
    else:
        inside = (
            phases.low_row >= 0
            and phases.low_column >= 0
            and (rows - 1) * phases.step[0] + phases.high_row < height
            and (columns - 1) * phases.step[1] + phases.high_column < width
        )
        # A plane of a multiple of 2 KiB would put a pixel of every channel into the same few cache sets.
        copy = not inside or source.strides[1] % 2048 == 0
        plane = (-(-window_height * window_columns * size // 64) | 1) * 64 // size
        items = plane * inner
    return Geometry(
        images,
        groups,
        inner,
        outs // groups,
        height,
        width,
        *four_strides(source),
        *phases.step,
        *phases.spread,
        out_height,
        out_width,
        phases.low_row,
        phases.low_column,
        task_images,
        task_rows,
        window_height if copy else 0,
        window_columns if copy else 0,
        plane if copy else 0,
        items if copy else 0,
        run,
    )


def plane_items(rows: int, columns: int, phases: Phases, size: int) -> int:
    """Items of one channel's window of ``rows`` x ``columns`` results where pixels are in the lanes.

    Whole vectors of whole stencils are read, which may pass the last row and the last column.
    """
    rows = -(-rows // STENCIL_ROWS) * STENCIL_ROWS
    height = (rows - 1) * phases.step[0] + phases.high_row - phases.low_row + 1
    width = (columns - 1) * phases.step[1] + phases.high_column - phases.low_column + 1
    return height * -(-width // phases.step[1]) * phases.step[1] + VECTOR_BYTES // size


def panels(outer: int, itemsize: int) -> int:
    """Tiles' widths that ``outer`` channels take."""
    return -(-outer * itemsize // TILE_BYTES)
