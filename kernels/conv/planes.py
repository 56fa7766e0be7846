"""Convolution with pixels in the lanes: depthwise, few channels, where a tile of channels would stay empty.

Walking over every tap of every source channel, two things are computed side by side: several rows of one vector of
result pixels of one channel, or one tile's row of pixels of several channels, which have source pixels in common.
Source pixels come from a copy with a zero border, whose columns are
sorted by their remainder by the stride, so that the pixels of one tap are contiguous.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import jit
from ..routine import Routine, call, fields, word
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES, copy_items, itemsize, load, store
from .correlate import Correlation, Weight
from .plan import PHASE, TAP, Geometry
from .stencils import SQUARE, STENCIL_ROWS, channel_stencil, channel_stencil_narrow, stencil, stencil_3x3

EDGE_BYTES = max(STENCIL_ROWS * VECTOR_BYTES, ROWS * TILE_BYTES)
"""What is computed side by side and not wanted whole lies here first."""


@Routine
def pack_rows(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Copy the weight to (groups, blocks, taps, inner, ``together``), zeros behind ``outer``.

    The range counts (group, block).
    """
    g = fields(Weight, arguments)
    like = kind(0)
    size: int = itemsize(like)
    blocks = (g.outer + g.together - 1) // g.together
    for block in range(start, stop):
        channel = block % blocks * g.together
        base = g.weight + block // blocks * g.group_stride + channel * g.lane_stride
        lanes = min(g.together, g.outer - channel)
        target = g.packed + block * g.tap_count * g.inner * g.together * size
        for tap in range(g.tap_count):
            at = g.taps + tap * TAP * 8
            first = base + word(at, 0) * g.depth_stride + word(at, 1) * g.row_stride + word(at, 2) * g.column_stride
            for c in range(g.inner):
                place = target + (tap * g.inner + c) * g.together * size
                for lane in range(lanes):
                    store(load(like, first + c * g.inner_stride + lane * g.lane_stride), place + lane * size)
                for lane in range(lanes, g.together):
                    store(like, place + lane * size)


@jit(inline=True)  # type: ignore[untyped-decorator]
def rows_follow(offsets: int, row: int) -> bool:
    """Whether of `SQUARE` taps each three lie ``row`` bytes behind the three before."""
    follow = True
    for tap in range(3, SQUARE):
        follow &= word(offsets, tap) == word(offsets, tap - 3) + row
    return follow


@Routine
def rows(
    kind: Any,
    out: int,
    plane: int,
    out_row: int,
    out_column: int,
    channels: int,
    count: int,
    columns: int,
    taps: int,
    weight: int,
    offsets: int,
    source: int,
    source_row: int,
    bias: int,
    relu: int,
    edge: int,
) -> None:
    """``count`` x ``columns`` result pixels of one channel; ``bias`` is the address of its item."""
    like = kind(0)
    size: int = itemsize(like)
    shift, floor = load(like, bias), like if relu else kind(-np.inf)
    vector = VECTOR_BYTES // size
    square = taps == SQUARE and rows_follow(offsets, source_row)
    for i in range(0, count, STENCIL_ROWS):
        for j in range(0, columns, vector):
            first = out + i * out_row + j * out_column
            target, target_row = edge, VECTOR_BYTES
            if i + STENCIL_ROWS <= count and j + vector <= columns and out_column == size:
                target, target_row = first, out_row
            pixels = source + i * source_row + j * size
            if square:
                stencil_3x3(like, weight, offsets, pixels, source_row, target, target_row, shift, floor)
            else:
                stencil(like, taps, weight, offsets, pixels, source_row, target, target_row, shift, floor)
            if target == edge:
                for m in range(min(STENCIL_ROWS, count - i)):
                    for lane in range(min(vector, columns - j)):
                        value = load(like, edge + m * VECTOR_BYTES + lane * size)
                        store(value, first + m * out_row + lane * out_column)


@Routine
def strips(
    kind: Any,
    out: int,
    plane: int,
    out_row: int,
    out_column: int,
    channels: int,
    count: int,
    columns: int,
    taps: int,
    weight: int,
    offsets: int,
    source: int,
    source_row: int,
    bias: int,
    relu: int,
    edge: int,
) -> None:
    """`rows` of up to `ROWS` channels, ``plane`` bytes from one to the next, whose pixels are contiguous."""
    like = kind(0)
    size: int = itemsize(like)
    floor = like if relu else kind(-np.inf)
    width = TILE_BYTES // size
    for i in range(count):
        for j in range(0, columns, width):
            wanted = min(width, columns - j)
            first, pixels = out + i * out_row + j * size, source + i * source_row + j * size
            narrow = wanted * size <= VECTOR_BYTES
            whole = channels == ROWS and wanted * size == (VECTOR_BYTES if narrow else TILE_BYTES)
            target, target_row = (first, plane) if whole else (edge, TILE_BYTES)
            if narrow:
                channel_stencil_narrow(like, taps, weight, offsets, pixels, target, target_row, bias, floor)
            else:
                channel_stencil(like, taps, weight, offsets, pixels, target, target_row, bias, floor)
            if not whole:
                for channel in range(channels):
                    copy_items(like, edge + channel * TILE_BYTES, first + channel * plane, wanted)


@Routine
def correlate(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Tasks ``start...``: some rows of every phase, at one depth, of one image of one group.

    ``packed`` is the weight as `pack_rows` leaves it, ``bias`` has ``together`` items for each of its blocks; ``copy``
    sorts where columns are stepped, ``compute`` is `rows` or `strips`; ``tables`` is `Plan.offsets`.
    """
    h = fields(Correlation, arguments)
    g = fields(Geometry, h.geometry)
    size: int = itemsize(kind(0))
    edge = h.scratch + start // h.piece * h.scratch_bytes
    window = edge + EDGE_BYTES
    blocks = (g.outer + h.together - 1) // h.together
    stride = (g.window_columns + g.step_columns - 1) // g.step_columns * g.step_columns
    slices = (g.out_depth + g.spread_depth - 1) // g.spread_depth
    out_slice = g.out_height * g.out_width
    plane = g.out_depth * out_slice
    for task in range(start, stop):
        row, rest = task % h.row_blocks * g.task_rows, task // h.row_blocks
        slice, rest = rest % slices, rest // slices
        group, image = rest % g.groups, rest // g.groups
        source = h.source + image * g.image_stride + group * g.inner * g.channel_stride
        front, top = slice * g.step_depth + g.low_depth, row * g.step_rows + g.low_row
        if g.step_columns == 1:
            call(
                kind, h.copy, window, source, front, top, g.low_column, g.window_rows, g.window_columns,
                g.inner, h.geometry,
            )  # fmt: skip
        else:
            call(kind, h.copy, window, source, front, top, stride, h.geometry)
        for phase in range(h.phase_count):
            at = h.phases + phase * PHASE * 8
            first_d, first_h, first_w = word(at, 0) + slice * g.spread_depth, word(at, 1), word(at, 2)
            begin, end = word(at, 3), word(at, 4)
            if first_d >= g.out_depth:
                continue
            count = min((g.out_height - first_h + g.spread_rows - 1) // g.spread_rows - row, g.task_rows)
            columns = (g.out_width - first_w + g.spread_columns - 1) // g.spread_columns
            corner = first_d * out_slice + (first_h + row * g.spread_rows) * g.out_width + first_w
            for block in range(blocks):
                channel, packed = block * h.together, group * blocks + block
                place = ((image * g.groups + group) * g.outer + channel) * plane + corner
                call(
                    kind, h.compute, h.out + place * size, plane * size, g.spread_rows * g.out_width * size,
                    g.spread_columns * size, min(h.together, g.outer - channel), count, columns,
                    (end - begin) * g.inner,
                    h.packed + (packed * h.tap_count + begin) * g.inner * h.together * size,
                    h.tables + begin * g.inner * 8, window, g.step_rows * stride * size,
                    h.bias + packed * h.together * size, h.relu, edge,
                )  # fmt: skip
