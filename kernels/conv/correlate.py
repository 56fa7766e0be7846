"""Convolution with channels in the lanes of a tile: implicit matrix product, nothing is unrolled.

A row of a tile is one result pixel, its columns are channels of the result. The micro-kernel walks
over taps and channels, reading one source item for each row where it lies and one packed row of the
weight. The tile is transposed on its way to the result's planes, where bias and activation join it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..microkernel import tap_tile, tap_tile_narrow
from ..routine import Routine, call, fields, put_word, word
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES, itemsize, load, store, transpose_finish
from .plan import PHASE, STRIP, TAP, Geometry

RESIDENT_BYTES = 384 * 1024
"""Packed weight that is kept in the second cache while all pixels of a task pass by."""


class Weight(NamedTuple):
    """Arguments of `pack_weight` and `planes.pack_rows`: the weight, its strides, its sizes, the taps.

    ``together``: channels of the result side by side in the copy, for `planes.pack_rows`.
    """

    packed: int
    weight: int
    group_stride: int
    lane_stride: int
    inner_stride: int
    depth_stride: int
    row_stride: int
    column_stride: int
    inner: int
    outer: int
    taps: int
    tap_count: int
    together: int


@Routine
def pack_weight(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Copy the weight to (groups, panels, taps, inner, one tile's width), zeros behind ``outer``.

    The range counts (group, panel, tap).
    """
    g = fields(Weight, arguments)
    like = kind(0)
    size: int = itemsize(like)
    width = TILE_BYTES // size
    panels = (g.outer + width - 1) // width
    for part in range(start, stop):
        tap, panel, group = part % g.tap_count, part // g.tap_count % panels, part // g.tap_count // panels
        lanes = min(width, g.outer - panel * width)
        at = g.taps + tap * TAP * 8
        base = g.weight + group * g.group_stride + panel * width * g.lane_stride
        base += word(at, 0) * g.depth_stride + word(at, 1) * g.row_stride + word(at, 2) * g.column_stride
        for c in range(g.inner):
            row = g.packed + (part * g.inner + c) * TILE_BYTES
            for lane in range(lanes):
                store(load(like, base + c * g.inner_stride + lane * g.lane_stride), row + lane * size)
            for lane in range(lanes, width):
                store(like, row + lane * size)


@Routine
def tile(
    kind: Any,
    columns: int,
    taps: int,
    a_taps: int,
    b_taps: int,
    depth: int,
    a: int,
    a_rows: int,
    a_step: int,
    b: int,
    target: int,
    accumulate: int,
) -> None:
    """A tile of which ``columns`` are wanted, from ``b`` with rows of one tile's width, into one at ``target``."""
    like = kind(0)
    if columns * itemsize(like) <= VECTOR_BYTES:
        tap_tile_narrow(
            like, taps, a_taps, b_taps, depth, a, a_rows, a_step, b, TILE_BYTES, target, TILE_BYTES, accumulate
        )
    else:
        tap_tile(like, taps, a_taps, b_taps, depth, a, a_rows, a_step, b, TILE_BYTES, target, TILE_BYTES, accumulate)


@Routine
def store_strip(
    kind: Any,
    out: int,
    plane: int,
    where: int,
    pixels: int,
    lanes: int,
    sums: int,
    square: int,
    bias: int,
    relu: int,
) -> None:
    """Transpose a strip of tiles, pixels by channels, into planes; ``where``: item of each pixel in a plane."""
    like = kind(0)
    size: int = itemsize(like)
    floor = like if relu else kind(-np.inf)
    vector = VECTOR_BYTES // size
    for pixel in range(0, pixels, vector):
        count = min(vector, pixels - pixel)
        for lane in range(0, lanes, vector):
            first = out + lane * plane
            target, row = square, VECTOR_BYTES
            start = word(where, pixel)
            whole = count == vector and lane + vector <= lanes
            if whole and word(where, pixel + vector - 1) - start == vector - 1:
                target, row = first + start * size, plane
            source, shift = sums + pixel * TILE_BYTES + lane * size, bias + lane * size
            transpose_finish(like, source, TILE_BYTES, target, row, shift, floor)
            if target == square:
                for i in range(min(vector, lanes - lane)):
                    for j in range(count):
                        value = load(like, square + i * VECTOR_BYTES + j * size)
                        store(value, first + i * plane + word(where, pixel + j) * size)


class Correlation(NamedTuple):
    """Arguments of `correlate` and `planes.correlate`.

    ``copy``: the routine that copies a window; ``compute`` and ``assist``: here `tile` and `store_strip`.
    ``out``: the result, (N, groups * outer, D', H', W'); ``packed``: the weight as `pack_weight` leaves it;
    ``bias``: padded with zeros to whole tiles in each group; ``together`` as for `Weight`; ``relu``: 0 or 1; each
    piece of the range has ``scratch_bytes`` of ``scratch`` and ``table_words`` of ``tables``; ``geometry``: address of
    a `Geometry`.
    """

    copy: int
    compute: int
    assist: int
    out: int
    scratch: int
    scratch_bytes: int
    tables: int
    table_words: int
    packed: int
    bias: int
    together: int
    relu: int
    source: int
    taps: int
    tap_count: int
    phases: int
    phase_count: int
    row_blocks: int
    piece: int
    geometry: int


def scratch_items(geometry: Geometry, itemsize: int) -> int:
    """Items of one piece's scratch: a strip, a square to transpose in, a window."""
    width = TILE_BYTES // itemsize
    return STRIP * width + width * width + geometry.task_images * geometry.window_items


@Routine
def correlate(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Tasks ``start...``: some rows of every phase, at one depth, of some images of one group."""
    h = fields(Correlation, arguments)
    g = fields(Geometry, h.geometry)
    size: int = itemsize(kind(0))
    width = TILE_BYTES // size
    panels = (g.outer + width - 1) // width
    slices = (g.out_depth + g.spread_depth - 1) // g.spread_depth
    out_slice = g.out_height * g.out_width
    plane = g.out_depth * out_slice
    sums = h.scratch + start // h.piece * h.scratch_bytes
    square = sums + STRIP * TILE_BYTES
    window = square + width * TILE_BYTES
    count = h.tap_count
    source_taps = h.tables + start // h.piece * h.table_words * 8
    weight_taps = source_taps + count * 8
    pixels = weight_taps + count * 8
    where = pixels + (h.table_words - 2 * count) // 2 * 8
    for task in range(start, stop):
        row, rest = task % h.row_blocks * g.task_rows, task // h.row_blocks
        slice, rest = rest % slices, rest // slices
        group, image = rest % g.groups, rest // g.groups * g.task_images
        images = min(g.task_images, g.images - image)
        front, top, left = slice * g.step_depth + g.low_depth, row * g.step_rows + g.low_row, g.low_column
        source = h.source + image * g.image_stride + group * g.inner * g.channel_stride
        if g.window_plane:
            for n in range(images):
                call(
                    kind, h.copy, window + n * g.window_items * size, source + n * g.image_stride, front, top,
                    left, g.window_rows, g.window_columns, g.inner, h.geometry,
                )  # fmt: skip
            source = window
            pixel = (g.inner if g.window_plane == 1 else 1) * size
            image_stride, channel_stride = g.window_items * size, g.window_plane * size
            row_stride, column_stride = g.window_columns * pixel, pixel
            depth_stride = g.window_rows * row_stride
        else:
            source += front * g.depth_stride + top * g.row_stride + left * g.column_stride
            image_stride, channel_stride = g.image_stride, g.channel_stride
            depth_stride, row_stride, column_stride = g.depth_stride, g.row_stride, g.column_stride
        for tap in range(0, count, g.run):
            at = h.taps + tap * TAP * 8
            place = (word(at, 3) - g.low_depth) * depth_stride + (word(at, 4) - g.low_row) * row_stride
            put_word(source_taps, tap // g.run, place + (word(at, 5) - g.low_column) * column_stride)
            put_word(weight_taps, tap // g.run, tap * g.inner * TILE_BYTES)
        for phase in range(h.phase_count):
            at = h.phases + phase * PHASE * 8
            first_d, first_h, first_w = word(at, 0), word(at, 1), word(at, 2)
            begin, end = word(at, 3) // g.run, word(at, 4) // g.run
            if first_d + slice * g.spread_depth >= g.out_depth:
                continue
            corner = (first_d + slice * g.spread_depth) * out_slice + first_w
            rows = min((g.out_height - first_h + g.spread_rows - 1) // g.spread_rows - row, g.task_rows)
            columns = (g.out_width - first_w + g.spread_columns - 1) // g.spread_columns
            total = 0
            for n in range(images):
                for i in range(rows):
                    line = n * g.groups * g.outer * plane + corner
                    line += (first_h + (row + i) * g.spread_rows) * g.out_width
                    for j in range(columns):
                        place = n * image_stride + i * g.step_rows * row_stride + j * g.step_columns * column_stride
                        put_word(pixels, total, place)
                        put_word(where, total, line + j * g.spread_columns)
                        total += 1
            if total <= 0:
                continue
            for m in range(total, (total + ROWS - 1) // ROWS * ROWS):
                put_word(pixels, m, word(pixels, total - 1))  # rows of the last tile that nobody needs
            together = max(1, RESIDENT_BYTES // (count * g.inner * TILE_BYTES))
            for first in range(0, panels, together):
                for strip in range(0, total, STRIP):
                    for panel in range(first, min(first + together, panels)):
                        channel = group * g.outer + panel * width
                        lanes = min(width, g.outer - panel * width)
                        weight = h.packed + (group * panels + panel) * count * g.inner * TILE_BYTES
                        for m in range(0, min(STRIP, total - strip), ROWS):
                            call(
                                kind, h.compute, lanes, end - begin, source_taps + 8 * begin, weight_taps + 8 * begin,
                                g.inner * g.run, source, pixels + 8 * (strip + m), channel_stride, weight,
                                sums + m * TILE_BYTES, 0,
                            )  # fmt: skip
                        call(
                            kind, h.assist, h.out + (image * g.groups * g.outer + channel) * plane * size,
                            plane * size, where + strip * 8, min(STRIP, total - strip), lanes, sums, square,
                            h.bias + (group * panels + panel) * TILE_BYTES, h.relu,
                        )  # fmt: skip
