"""Gradient of a convolution for its weight: pixels are the inner dimension, channels of the result the lanes.

A row of a tile is one (channel, tap) of the weight and reads the input where it lies; ``grad`` is
transposed, a block of pixels at a time. Images are summed in a number of parts that depends on the
shapes alone, so that the result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..routine import Routine, call, fields, put_word, span, word
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES, itemsize, load, store, transpose
from .plan import TAP, WINDOW_BYTES, Five, Geometry, Phases, Plan, odd_lines

PIXELS = 256
"""Result pixels of one block: its transposed ``grad`` is 32 KiB a panel at 512-bit vectors."""

PARTS = 8
"""Sums kept apart: as many threads can work without sharing one."""

PART_BYTES = 16 << 20
"""Bytes that all these sums may take."""


class Work(NamedTuple):
    """How the gradient is divided.

    ``rows``: result rows of a block, which lies at one depth; ``blocks`` of them in a slice of an image, or
    one slice of ``images`` images in a block; ``parts`` of all blocks; ``slices`` of the input channels,
    ``slice_channels`` each.
    """

    rows: int
    blocks: int
    images: int
    parts: int
    slices: int
    slice_channels: int


def divide(source: Five, strides: Five, grad: Five, size: int, groups: int, phases: Phases) -> tuple[Plan, Work]:
    """The geometry of the windows of the source (N, C, D, H, W), and the division, for a grad (N, K, O, P, Q)."""
    images, channels, depth, height, width = source
    _, outs, out_depth, out_height, out_width = grad
    inner, outer = channels // groups, outs // groups
    reach_depth, reach, reach_columns = (high - low for high, low in zip(phases.high, phases.low, strict=True))
    columns = (out_width - 1) * phases.step[2] + reach_columns + 1
    blocks = -(-out_height // max(1, PIXELS // out_width))
    rows = -(-out_height // blocks)
    blocks = -(-out_height // rows)
    window_rows = (rows - 1) * phases.step[1] + reach + 1
    line = inner * (reach_depth + 1) * window_rows * columns * size
    together = 1
    if blocks == 1:
        together = max(1, min(images, PIXELS // (rows * out_width), WINDOW_BYTES // line))
    total = -(-images // together) * out_depth * blocks
    parts = max(1, min(total, PARTS, PART_BYTES // max(outs * inner * phases.count * size, 1)))
    slices = max(-(-PARTS // (parts * groups)), -(-line // WINDOW_BYTES))
    slice_channels = max(-(-inner // slices), min(inner, ROWS))
    slices = -(-inner // slice_channels)
    plane = odd_lines((reach_depth + 1) * window_rows * columns, size)
    geometry = Geometry(
        images, groups, slice_channels, outer, depth, height, width, *strides, *phases.step, 1, 1, 1, out_depth,
        out_height, out_width, *phases.low, together, rows, reach_depth + 1, window_rows, columns, plane,
        slice_channels * plane, 1,
    )  # fmt: skip
    return Plan.of(geometry), Work(rows, blocks, together, parts, slices, slice_channels)


def part_items(geometry: Geometry, work: Work, taps: int, itemsize: int) -> tuple[int, int]:
    """Items of one task's sums, and of one task's scratch: a window and a transposed block of ``grad``."""
    width = TILE_BYTES // itemsize
    panels = -(-geometry.outer // width)
    strips = -(-work.slice_channels * taps // ROWS)
    pixels = work.images * work.rows * geometry.out_width
    return panels * strips * ROWS * width, work.images * geometry.window_items + panels * pixels * width


@Routine
def transpose_grad(
    kind: Any,
    target: int,
    panel_stride: int,
    grad: int,
    channels: int,
    rows: int,
    columns: int,
    channel: int,
    row: int,
    column: int,
) -> None:
    """Copy ``grad`` (channels, rows, columns) to (panels, rows * columns, one tile's width)."""
    like = kind(0)
    size: int = itemsize(like)
    vector, width = VECTOR_BYTES // size, TILE_BYTES // size
    pixels = rows * columns
    flat = column == size and (row == columns * size or rows == 1)
    for panel in range((channels + width - 1) // width):
        first, base = grad + panel * width * channel, target + panel * panel_stride
        lanes = min(width, channels - panel * width)
        done = lanes // vector * vector if flat else 0
        squares = pixels // vector * vector if flat else 0
        for lane in range(0, done, vector):
            for m in range(0, squares, vector):
                start = first + lane * channel + m * size
                transpose(like, start, channel, base + m * TILE_BYTES + lane * size, TILE_BYTES)
        for i in range(rows):
            for j in range(columns):
                m = i * columns + j
                line, start = base + m * TILE_BYTES, first + i * row + j * column
                for lane in range(done if m < squares else 0, lanes):
                    store(load(like, start + lane * channel), line + lane * size)
                for lane in range(lanes, width):
                    store(like, line + lane * size)


class WeightGradient(NamedTuple):
    """Arguments of `gradient` and `merge`.

    ``sums``: ``sums_items`` for each part of each slice of each group; each piece of the range of `gradient`
    has ``scratch_bytes`` of ``scratch`` and ``table_words`` of ``tables``; ``inner``: channels of a group;
    strides of ``grad`` in bytes; ``geometry``: address of a `Geometry`; then `Work`.
    """

    copy_window: int
    transpose_grad: int
    tile: int
    out: int
    sums: int
    sums_items: int
    scratch: int
    scratch_bytes: int
    tables: int
    table_words: int
    source: int
    grad: int
    grad_image: int
    grad_channel: int
    grad_depth: int
    grad_row: int
    grad_column: int
    taps: int
    tap_count: int
    inner: int
    piece: int
    geometry: int
    rows: int
    blocks: int
    images: int
    parts: int
    slices: int
    slice_channels: int


@Routine
def gradient(kind: Any, arguments: int, start: int, stop: int) -> None:
    """The sums of tasks ``start...``: one part of the blocks, for one slice of the input channels of one group."""
    h = fields(WeightGradient, arguments)
    g = fields(Geometry, h.geometry)
    size: int = itemsize(kind(0))
    width = TILE_BYTES // size
    count = h.tap_count
    panels = (g.outer + width - 1) // width
    window = h.scratch + start // h.piece * h.scratch_bytes
    transposed = window + h.images * g.window_items * size
    offsets = h.tables + start // h.piece * h.table_words * 8
    for task in range(start, stop):
        part, slice, group = task % h.parts, task // h.parts % h.slices, task // h.parts // h.slices
        first = slice * h.slice_channels
        channels = min(h.slice_channels, h.inner - first)
        strips = (channels * count + ROWS - 1) // ROWS
        for row in range(strips * ROWS):
            c, tap = min(row, channels * count - 1) // count, min(row, channels * count - 1) % count
            at = h.taps + tap * TAP * 8
            line = (word(at, 3) - g.low_depth) * g.window_rows + word(at, 4) - g.low_row
            place = c * g.window_plane + line * g.window_columns + word(at, 5) - g.low_column
            put_word(offsets, row, place * size)
        source_rows = offsets + strips * ROWS * 8
        grad_rows = source_rows + h.images * h.rows * 8
        for i in range(h.images * h.rows):
            image, row = i // h.rows, i % h.rows
            place = image * g.window_items + row * g.step_rows * g.window_columns
            put_word(source_rows, i, place * size)
            put_word(grad_rows, i, i * g.out_width * TILE_BYTES)
        in_image = g.out_depth * h.blocks
        blocks = (g.images + h.images - 1) // h.images * in_image
        begin, end = part * blocks // h.parts, (part + 1) * blocks // h.parts
        for block in range(begin, end):
            image, depth = block // in_image * h.images, block // h.blocks % g.out_depth
            top = block % h.blocks * h.rows
            images, rows = min(h.images, g.images - image), min(h.rows, g.out_height - top)
            pixels = images * rows * g.out_width
            for n in range(images):
                source = h.source + (image + n) * g.image_stride + (group * h.inner + first) * g.channel_stride
                call(
                    kind, h.copy_window, window + n * g.window_items * size, source,
                    depth * g.step_depth + g.low_depth, top * g.step_rows + g.low_row, g.low_column, g.window_rows,
                    g.window_columns, channels, h.geometry,
                )  # fmt: skip
                grad = h.grad + (image + n) * h.grad_image + group * g.outer * h.grad_channel
                call(
                    kind, h.transpose_grad, transposed + n * rows * g.out_width * TILE_BYTES, pixels * TILE_BYTES,
                    grad + depth * h.grad_depth + top * h.grad_row, g.outer, rows, g.out_width, h.grad_channel,
                    h.grad_row, h.grad_column,
                )  # fmt: skip
            for panel in range(panels):
                for strip in range(strips):
                    target = h.sums + (task * h.sums_items + (panel * strips + strip) * ROWS * width) * size
                    call(
                        kind, h.tile, g.outer - panel * width, images * rows, source_rows, grad_rows, g.out_width,
                        window, offsets + 8 * strip * ROWS, g.step_columns * size,
                        transposed + panel * pixels * TILE_BYTES, target, block - begin,
                    )  # fmt: skip


@Routine
def merge(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Add the parts up into the flat result (groups * outer, inner, taps); the range counts (group, slice, panel)."""
    h = fields(WeightGradient, arguments)
    g = fields(Geometry, h.geometry)
    size: int = itemsize(kind(0))
    width = TILE_BYTES // size
    panels = (g.outer + width - 1) // width
    out = span(kind, h.out, g.groups * g.outer * h.inner * h.tap_count)
    for piece in range(start, stop):
        panel, slice, group = piece % panels, piece // panels % h.slices, piece // panels // h.slices
        first = slice * h.slice_channels
        rows = min(h.slice_channels, h.inner - first) * h.tap_count
        strips = (rows + ROWS - 1) // ROWS
        lanes = min(width, g.outer - panel * width)
        base = (group * g.outer + panel * width) * h.inner * h.tap_count + first * h.tap_count
        for row in range(rows):
            at = h.sums + ((piece // panels) * h.parts * h.sums_items + (panel * strips * ROWS + row) * width) * size
            total = span(kind, at, width)
            for part in range(1, h.parts):
                other = span(kind, at + part * h.sums_items * size, width)
                for lane in range(width):
                    total[lane] += other[lane]
            for lane in range(lanes):
                out[base + row + lane * h.inner * h.tap_count] = total[lane]
