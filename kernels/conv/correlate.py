"""Convolution with channels in the lanes of a tile: implicit matrix product, nothing is unrolled.

A row of a tile is one result pixel, its columns are channels of the result. The micro-kernel walks
over taps and channels, reading one source item for each row where it lies and one packed row of the
weight. The tile is transposed on its way to the result's planes, where bias and activation join it.
"""

from __future__ import annotations

from typing import Any

from numba import prange

from ..microkernel import tap_tile, tap_tile_narrow
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES, copy_half, copy_vector, load, simd_jit, store, transpose_finish
from .plan import STRIP, Geometry

Array = Any

RESIDENT_BYTES = 384 * 1024
"""Packed weight that is kept in the second cache while all pixels of a task pass by."""


@simd_jit(parallel=True)  # type: ignore[untyped-decorator]
def pack_weight(
    packed: Array,
    weight: int,
    group_stride: int,
    lane_stride: int,
    inner_stride: int,
    row_stride: int,
    column_stride: int,
    groups: int,
    inner: int,
    outer: int,
    taps: Array,
) -> None:
    """Copy the weight to ``packed``: (groups, panels, taps, inner, one tile's width), zeros behind ``outer``."""
    like = packed.dtype.type(0)
    width = TILE_BYTES // packed.itemsize
    panels = (outer + width - 1) // width
    count = taps.shape[0]
    for part in prange(groups * panels * count):
        tap, panel, group = part % count, part // count % panels, part // count // panels
        lanes = min(width, outer - panel * width)
        base = weight + group * group_stride + panel * width * lane_stride
        base += taps[tap, 0] * row_stride + taps[tap, 1] * column_stride
        for c in range(inner):
            row = packed[(part // count * count + tap) * inner * width + c * width :][:width]
            for lane in range(lanes):
                row[lane] = load(like, base + c * inner_stride + lane * lane_stride)
            for lane in range(lanes, width):
                row[lane] = 0


@simd_jit
def copy_window(
    window: Array, source: int, row: int, column: int, rows: int, columns: int, channels: int, geometry: Geometry
) -> None:
    """Copy ``rows`` x ``columns`` source pixels from (row, column) on, of ``channels`` channels; zeros outside.

    Channels are planes of ``window_plane`` items, or, where that is 1, the last dimension.
    """
    g = geometry
    like, size = window.dtype.type(0), window.itemsize
    vector, half = VECTOR_BYTES // size, VECTOR_BYTES // size // 2
    top, bottom = max(-row, 0), min(g.height - row, rows)
    left, right = max(-column, 0), min(g.width - column, columns)
    if top > 0 or bottom < rows or left > 0 or right < columns:
        window[: max(channels * g.window_plane, rows * columns * channels)] = 0
    pixel = channels if g.window_plane == 1 else 1
    count = right - left
    for c in range(channels):
        for i in range(top, bottom):
            start = source + c * g.channel_stride + (row + i) * g.row_stride + (column + left) * g.column_stride
            target = window.ctypes.data + (c * g.window_plane + (i * columns + left) * pixel) * size
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


@simd_jit
def _store_strip(
    out: Array, base: int, plane: int, where: Array, pixels: int, lanes: int, sums: Array, square: Array, bias: Array,
    floor: Any,
) -> None:  # fmt: skip
    """Transpose a strip of tiles, pixels by channels, into planes; ``where``: offset of each pixel in a plane."""
    like = out.dtype.type(0)
    size = out.itemsize
    vector, width = VECTOR_BYTES // size, TILE_BYTES // size
    for pixel in range(0, pixels, vector):
        count = min(vector, pixels - pixel)
        for lane in range(0, lanes, vector):
            source = sums.ctypes.data + (pixel * width + lane) * size
            shift = bias.ctypes.data + lane * size
            first = base + lane * plane
            if count == vector and lane + vector <= lanes and where[pixel + vector - 1] - where[pixel] == vector - 1:
                target = out.ctypes.data + (first + where[pixel]) * size
                transpose_finish(like, source, TILE_BYTES, target, plane * size, shift, floor)
                continue
            transpose_finish(like, source, TILE_BYTES, square.ctypes.data, VECTOR_BYTES, shift, floor)
            for i in range(min(vector, lanes - lane)):
                for j in range(count):
                    out[first + i * plane + where[pixel + j]] = square[i * vector + j]


@simd_jit
def _tile(
    like: Any, narrow: bool, taps: int, a_taps: int, b_taps: int, depth: int, a: int, a_rows: int, a_step: int, b: int,
    target: int,
) -> None:  # fmt: skip
    if narrow:
        tap_tile_narrow(like, taps, a_taps, b_taps, depth, a, a_rows, a_step, b, TILE_BYTES, target, TILE_BYTES, 0)
    else:
        tap_tile(like, taps, a_taps, b_taps, depth, a, a_rows, a_step, b, TILE_BYTES, target, TILE_BYTES, 0)


@simd_jit
def _task(
    out: Array,
    scratch: Array,
    tables: Array,
    packed: Array,
    bias: Array,
    floor: Any,
    source: int,
    image: int,
    group: int,
    row: int,
    taps: Array,
    phases: Array,
    geometry: Geometry,
) -> None:
    """Rows ``row...`` of every phase, of ``task_images`` images from ``image`` on, of one group."""
    g = geometry
    like, size = out.dtype.type(0), out.itemsize
    width = TILE_BYTES // size
    panels = (g.outer + width - 1) // width
    out_plane = g.out_height * g.out_width
    sums, square, window = (
        scratch[: STRIP * width],
        scratch[STRIP * width : STRIP * width + width * width],
        scratch[STRIP * width + width * width :],
    )
    images = min(g.task_images, g.images - image)
    top, left = row * g.step_rows + g.low_row, g.low_column
    start = source + image * g.image_stride + group * g.inner * g.channel_stride
    if g.window_plane:
        for n in range(images):
            copy_window(
                window[n * g.window_items :], start + n * g.image_stride, top, left,
                g.window_rows, g.window_columns, g.inner, g,
            )  # fmt: skip
        start = window.ctypes.data
        pixel = g.inner if g.window_plane == 1 else 1
        image_stride, channel_stride = g.window_items * size, g.window_plane * size
        row_stride, column_stride = g.window_columns * pixel * size, pixel * size
    else:
        start += top * g.row_stride + left * g.column_stride
        image_stride, channel_stride = g.image_stride, g.channel_stride
        row_stride, column_stride = g.row_stride, g.column_stride
    count = taps.shape[0]
    source_taps, weight_taps = tables[:count], tables[count : 2 * count]
    for run in range(count // g.run):
        tap = run * g.run
        source_taps[run] = (taps[tap, 2] - g.low_row) * row_stride + (taps[tap, 3] - g.low_column) * column_stride
        weight_taps[run] = tap * g.inner * TILE_BYTES
    half = (tables.size - 2 * count) // 2
    pixels, where = tables[2 * count : 2 * count + half], tables[2 * count + half :]
    for phase in range(phases.shape[0]):
        first_h, first_w, begin, end = phases[phase]
        rows = min((g.out_height - first_h + g.spread_rows - 1) // g.spread_rows - row, g.task_rows)
        columns = (g.out_width - first_w + g.spread_columns - 1) // g.spread_columns
        total = 0
        for n in range(images):
            for i in range(rows):
                for j in range(columns):
                    pixels[total] = n * image_stride + i * g.step_rows * row_stride + j * g.step_columns * column_stride
                    where[total] = (
                        n * g.groups * g.outer * out_plane
                        + (first_h + (row + i) * g.spread_rows) * g.out_width
                        + first_w
                        + j * g.spread_columns
                    )
                    total += 1
        if total <= 0:
            continue
        for m in range(total, (total + ROWS - 1) // ROWS * ROWS):
            pixels[m] = pixels[total - 1]  # rows of the last tile that nobody needs
        begin, end = begin // g.run, end // g.run
        together = max(1, RESIDENT_BYTES // (count * g.inner * TILE_BYTES))
        for first in range(0, panels, together):
            for strip in range(0, total, STRIP):
                for panel in range(first, min(first + together, panels)):
                    channel = group * g.outer + panel * width
                    lanes = min(width, g.outer - panel * width)
                    weight = packed.ctypes.data + (group * panels + panel) * count * g.inner * TILE_BYTES
                    for m in range(0, min(STRIP, total - strip), ROWS):
                        _tile(
                            like, lanes * size <= VECTOR_BYTES, end - begin, source_taps.ctypes.data + 8 * begin,
                            weight_taps.ctypes.data + 8 * begin, g.inner * g.run, start,
                            pixels.ctypes.data + 8 * (strip + m), channel_stride, weight,
                            sums.ctypes.data + m * TILE_BYTES,
                        )  # fmt: skip
                    _store_strip(
                        out, (image * g.groups * g.outer + channel) * out_plane, out_plane, where[strip:],
                        min(STRIP, total - strip), lanes, sums, square, bias[(group * panels + panel) * width :], floor,
                    )  # fmt: skip


def scratch_items(geometry: Geometry, itemsize: int) -> int:
    """Items of one chunk's scratch: a strip, a square to transpose in, a window."""
    width = TILE_BYTES // itemsize
    return STRIP * width + width * width + geometry.task_images * geometry.window_items


@simd_jit(parallel=True)  # type: ignore[untyped-decorator]
def correlate(
    out: Array,
    scratch: Array,
    tables: Array,
    packed: Array,
    bias: Array,
    floor: Any,
    source: int,
    taps: Array,
    phases: Array,
    geometry: Geometry,
) -> None:
    """All tasks, in as many chunks as ``scratch`` and ``tables`` have rows.

    Args:
        out: the flat result, (N, groups * outer, H', W').
        packed: the weight as `pack_weight` leaves it.
        bias: (groups * panels * one tile's width,), padded with zeros.
        floor: results below it become it: 0 for relu, else minus infinity.
        source: address of the source.
    """
    g = geometry
    blocks = ((g.out_height + g.spread_rows - 1) // g.spread_rows + g.task_rows - 1) // g.task_rows
    tasks = (g.images + g.task_images - 1) // g.task_images * g.groups * blocks
    chunks = scratch.shape[0]
    for chunk in prange(chunks):
        for task in range(chunk * tasks // chunks, (chunk + 1) * tasks // chunks):
            _task(
                out, scratch[chunk], tables[chunk], packed, bias, floor, source,
                task // blocks // g.groups * g.task_images, task // blocks % g.groups, task % blocks * g.task_rows,
                taps, phases, g,
            )  # fmt: skip
