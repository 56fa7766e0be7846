"""Convolution with pixels in the lanes: depthwise, few channels, where a tile of channels would stay empty.

Eight rows of one vector of result pixels of one channel are computed side by side, walking over every
tap of every source channel. Source pixels come from a copy with a zero border, whose columns are
sorted by their remainder by the stride, so that the pixels of one tap are contiguous.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..microkernel import STENCIL_ROWS, stencil
from ..routine import Routine, call, fields, word
from ..simd import VECTOR_BYTES, itemsize, load, store
from .correlate import Correlation, Weight
from .plan import PHASE, TAP, Geometry


@Routine
def pack_rows(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Copy the weight to (groups, outer, taps, inner); the range counts (group, outer)."""
    g = fields(Weight, arguments)
    like = kind(0)
    size: int = itemsize(like)
    for channel in range(start, stop):
        base = g.weight + channel // g.outer * g.group_stride + channel % g.outer * g.lane_stride
        target = g.packed + channel * g.tap_count * g.inner * size
        for tap in range(g.tap_count):
            at = g.taps + tap * TAP * 8
            first = base + word(at, 0) * g.depth_stride + word(at, 1) * g.row_stride + word(at, 2) * g.column_stride
            for c in range(g.inner):
                store(load(like, first + c * g.inner_stride), target + (tap * g.inner + c) * size)


@Routine
def rows(
    kind: Any,
    out: int,
    out_row: int,
    out_column: int,
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
    for i in range(0, count, STENCIL_ROWS):
        for j in range(0, columns, vector):
            first = out + i * out_row + j * out_column
            target, target_row = edge, VECTOR_BYTES
            if i + STENCIL_ROWS <= count and j + vector <= columns and out_column == size:
                target, target_row = first, out_row
            stencil(
                like, taps, weight, offsets, source + i * source_row + j * size, source_row, target, target_row, shift,
                floor,
            )  # fmt: skip
            if target == edge:
                for m in range(min(STENCIL_ROWS, count - i)):
                    for lane in range(min(vector, columns - j)):
                        value = load(like, edge + m * VECTOR_BYTES + lane * size)
                        store(value, first + m * out_row + lane * out_column)


@Routine
def correlate(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Tasks ``start...``: some rows of every phase, at one depth, of one image of one group.

    ``packed`` is the weight as `pack_rows` leaves it, ``bias`` has one item for each channel; ``copy`` sorts
    where columns are stepped, ``compute`` is `rows`; ``tables`` is `Plan.offsets`.
    """
    h = fields(Correlation, arguments)
    g = fields(Geometry, h.geometry)
    size: int = itemsize(kind(0))
    edge = h.scratch + start // h.piece * h.scratch_bytes
    window = edge + STENCIL_ROWS * VECTOR_BYTES
    stride = (g.window_columns + g.step_columns - 1) // g.step_columns * g.step_columns
    slices = (g.out_depth + g.spread_depth - 1) // g.spread_depth
    out_slice = g.out_height * g.out_width
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
            for lane in range(g.outer):
                channel = group * g.outer + lane
                place = (image * g.groups * g.outer + channel) * g.out_depth * out_slice + corner
                call(
                    kind, h.compute, h.out + place * size, g.spread_rows * g.out_width * size, g.spread_columns * size,
                    count, columns, (end - begin) * g.inner,
                    h.packed + (channel * h.tap_count + begin) * g.inner * size, h.tables + begin * g.inner * 8, window,
                    g.step_rows * stride * size, h.bias + channel * size, h.relu, edge,
                )  # fmt: skip
