"""Gradient of a convolution for its weight with pixels in the lanes: depthwise, few channels of the result.

Each weight is a dot product of a plane of ``grad`` with a shifted plane of the input; eight taps are
summed side by side, so that each vector of ``grad`` is read once for all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import prange

from ..microkernel import DOT_TAPS, tap_dots
from ..simd import VECTOR_BYTES, simd_jit
from .correlate import copy_window
from .plan import WINDOW_BYTES, Geometry, Phases, four_strides, plane_items
from .planes import copy_sorted_window, row_items, tap_offsets

Array = Any

PARTS = 8
"""Sums kept apart, at most: as many threads can work on one group."""


class PlaneWork(NamedTuple):
    """``rows``: result rows of a block, ``blocks`` of them in an image; ``parts`` of all images' blocks."""

    rows: int
    blocks: int
    parts: int


def divide_planes(source: Array, grad: Array, groups: int, phases: Phases) -> tuple[Geometry, Geometry, PlaneWork]:
    """The geometries of the windows of ``source`` (N, C, H, W) and of ``grad`` (N, K, P, Q), and the division."""
    images, channels, height, width = source.shape
    _, outs, out_height, out_width = grad.shape
    inner, outer, size = channels // groups, outs // groups, source.itemsize
    columns = (out_width - 1) * phases.step[1] + phases.high_column - phases.low_column + 1
    line = inner * columns * size * phases.step[0]
    rows = max(1, min(out_height, WINDOW_BYTES // line))
    blocks = -(-out_height // rows)
    rows = -(-out_height // blocks)
    blocks = -(-out_height // rows)
    window_rows = (rows - 1) * phases.step[0] + phases.high_row - phases.low_row + 1
    plane = plane_items(rows, out_width, phases, size)
    windows = Geometry(
        images, groups, inner, outer, height, width, *four_strides(source), *phases.step, 1, 1, out_height, out_width,
        phases.low_row, phases.low_column, 1, rows, window_rows, columns, plane, inner * plane, 1,
    )  # fmt: skip
    lanes = VECTOR_BYTES // size
    padded = -(-out_width // lanes) * lanes
    grads = Geometry(
        images, groups, 1, outer, out_height, out_width, *four_strides(grad), 1, 1, 1, 1, out_height, out_width,
        0, 0, 1, rows, rows, padded, rows * padded, rows * padded, 1,
    )  # fmt: skip
    return windows, grads, PlaneWork(rows, blocks, max(1, min(images * blocks, PARTS // groups)))


@simd_jit
def _task(
    sums: Array,
    scratch: Array,
    table: Array,
    source: int,
    grad: int,
    part: int,
    group: int,
    windows: Geometry,
    grads: Geometry,
    work: PlaneWork,
) -> None:
    """The sums of one part of the blocks for one group, (outer, taps * inner in whole `DOT_TAPS`, lanes)."""
    w, g = windows, grads
    like, size = sums.dtype.type(0), sums.itemsize
    window, plane = scratch[: w.window_items], scratch[w.window_items :]
    stride = row_items(w.window_columns, w.step_columns)
    blocks = w.images * work.blocks
    sums[:] = 0
    for block in range(part * blocks // work.parts, (part + 1) * blocks // work.parts):
        image, top = block // work.blocks, block % work.blocks * work.rows
        rows = min(work.rows, w.out_height - top)
        copy_sorted_window(
            window, source + image * w.image_stride + group * w.inner * w.channel_stride,
            top * w.step_rows + w.low_row, w,
        )  # fmt: skip
        for lane in range(w.outer):
            channel = group * w.outer + lane
            start = grad + image * g.image_stride + channel * g.channel_stride
            copy_window(plane, start, top, 0, work.rows, g.window_columns, 1, g)
            for term in range(0, table.size, DOT_TAPS):
                tap_dots(
                    like, rows, w.out_width, plane.ctypes.data, g.window_columns * size, window.ctypes.data,
                    w.step_rows * stride * size, table.ctypes.data + term * 8,
                    sums.ctypes.data + (lane * table.size + term) * VECTOR_BYTES,
                )  # fmt: skip


@simd_jit(parallel=True)  # type: ignore[untyped-decorator]
def weight_gradient_planes(
    out: Array,
    sums: Array,
    scratch: Array,
    table: Array,
    source: int,
    grad: int,
    taps: Array,
    windows: Geometry,
    grads: Geometry,
    work: PlaneWork,
) -> None:
    """The gradient into the flat ``out``, (groups * outer, inner, taps).

    ``sums`` has a row for each part of each group, ``scratch`` one for each chunk; ``table`` has an item for
    each tap of each inner channel, rounded up to whole `DOT_TAPS`.
    """
    w = windows
    count, lanes = taps.shape[0], VECTOR_BYTES // out.itemsize
    table[:] = 0  # the last taps' fellows read the window's beginning; nobody reads their sums
    tap_offsets(table, taps, w, out.itemsize)
    tasks, chunks = work.parts * w.groups, scratch.shape[0]
    for chunk in prange(chunks):
        for task in range(chunk * tasks // chunks, (chunk + 1) * tasks // chunks):
            _task(
                sums[task], scratch[chunk], table, source, grad, task % work.parts, task // work.parts, w, grads, work
            )
    for channel in range(w.groups * w.outer):
        group, lane = channel // w.outer, channel % w.outer
        for tap in range(count):
            for c in range(w.inner):
                total = out.dtype.type(0)
                start = (lane * table.size + tap * w.inner + c) * lanes
                for part in range(work.parts):
                    for i in range(lanes):
                        total += sums[group * work.parts + part, start + i]
                out[(channel * w.inner + c) * count + tap] = total
