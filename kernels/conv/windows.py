"""Copies of the source pixels that a task of a convolution needs, with the zero border around them."""

from __future__ import annotations

from typing import Any

from ..routine import Routine, clear, fields
from ..simd import VECTOR_BYTES, copy_half, copy_vector, itemsize, load, store
from .plan import Geometry


@Routine
def copy_window(
    kind: Any,
    window: int,
    source: int,
    slice: int,
    row: int,
    column: int,
    rows: int,
    columns: int,
    channels: int,
    geometry: int,
) -> None:
    """Copy ``rows`` x ``columns`` source pixels from (slice, row, column) on; zeros outside of the source.

    ``window_depth`` slices of ``channels`` channels are copied. Channels are planes of ``window_plane``
    items, or, where that is 1, the last dimension.
    """
    g = fields(Geometry, geometry)
    like = kind(0)
    size: int = itemsize(like)
    vector, half = VECTOR_BYTES // size, VECTOR_BYTES // size // 2
    front, back = max(-slice, 0), min(g.depth - slice, g.window_depth)
    top, bottom = max(-row, 0), min(g.height - row, rows)
    left, right = max(-column, 0), min(g.width - column, columns)
    if front > 0 or back < g.window_depth or top > 0 or bottom < rows or left > 0 or right < columns:
        clear(window, max(channels * g.window_plane, g.window_depth * rows * columns * channels) * size)
    pixel = channels if g.window_plane == 1 else 1
    count = right - left
    for c in range(channels):
        for d in range(front, back):
            for i in range(top, bottom):
                start = source + c * g.channel_stride + (slice + d) * g.depth_stride + (row + i) * g.row_stride
                start += (column + left) * g.column_stride
                target = window + (c * g.window_plane + ((d * rows + i) * columns + left) * pixel) * size
                done = 0
                if g.column_stride == size and pixel == 1:
                    while done + vector <= count:
                        copy_vector(like, start + done * size, target + done * size)
                        done += vector
                    if done + half <= count:
                        copy_half(like, start + done * size, target + done * size)
                        done += half
                for j in range(done, count):
                    store(load(like, start + j * g.column_stride), target + j * pixel * size)


@Routine
def copy_sorted(kind: Any, window: int, source: int, slice: int, row: int, stride: int, geometry: int) -> None:
    """As `copy_window`, with column j at ``j % step * (stride // step) + j // step`` of rows of ``stride`` items."""
    g = fields(Geometry, geometry)
    like = kind(0)
    size: int = itemsize(like)
    per_step = stride // g.step_columns
    for c in range(g.inner):
        for line in range(g.window_depth * g.window_rows):
            d, i = slice + line // g.window_rows, row + line % g.window_rows
            target = window + (c * g.window_plane + line * stride) * size
            clear(target, stride * size)
            if 0 <= d < g.depth and 0 <= i < g.height:
                start = source + c * g.channel_stride + d * g.depth_stride + i * g.row_stride
                for j in range(max(-g.low_column, 0), min(g.width - g.low_column, g.window_columns)):
                    place = j % g.step_columns * per_step + j // g.step_columns
                    store(load(like, start + (g.low_column + j) * g.column_stride), target + place * size)
