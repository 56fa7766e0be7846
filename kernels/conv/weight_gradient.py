"""Gradient of a convolution for its weight: pixels are the inner dimension, channels of the result the lanes.

A row of a tile is one (channel, tap) of the weight and reads the input where it lies; ``grad`` is
transposed, a block of pixels at a time. Images are summed in a number of parts that depends on the
shapes alone, so that the result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import prange

from ..microkernel import tap_tile, tap_tile_narrow
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES, load, simd_jit, transpose
from .correlate import copy_window
from .plan import WINDOW_BYTES, Geometry, Phases, four_strides

Array = Any

PIXELS = 256
"""Result pixels of one block: its transposed ``grad`` is 32 KiB a panel at 512-bit vectors."""

PARTS = 8
"""Sums kept apart: as many threads can work without sharing one."""

PART_BYTES = 16 << 20
"""Bytes that all these sums may take."""


class Work(NamedTuple):
    """How the gradient is divided.

    ``rows``: result rows of a block; ``blocks`` of them in an image, or ``images`` whole images in a
    block; ``parts`` of all blocks; ``slices`` of the input channels, ``slice_channels`` each; strides
    of ``grad`` in bytes.
    """

    rows: int
    blocks: int
    images: int
    parts: int
    slices: int
    slice_channels: int
    grad_image: int
    grad_channel: int
    grad_row: int
    grad_column: int


def divide(source: Array, grad: Array, groups: int, phases: Phases) -> tuple[Geometry, Work]:
    """The geometry of the windows of ``source`` (N, C, H, W), and the division, for ``grad`` (N, K, P, Q)."""
    images, channels, height, width = source.shape
    _, outs, out_height, out_width = grad.shape
    inner, outer, size, taps = channels // groups, outs // groups, source.itemsize, len(phases.taps)
    columns = (out_width - 1) * phases.step[1] + phases.high_column - phases.low_column + 1
    reach = phases.high_row - phases.low_row
    blocks = -(-out_height // max(1, PIXELS // out_width))
    rows = -(-out_height // blocks)
    blocks = -(-out_height // rows)
    window_rows = (rows - 1) * phases.step[0] + reach + 1
    line = inner * window_rows * columns * size
    together = 1
    if blocks == 1:
        together = max(1, min(images, PIXELS // (rows * out_width), WINDOW_BYTES // line))
    total = -(-images // together) * blocks
    parts = max(1, min(total, PARTS, PART_BYTES // max(outs * inner * taps * size, 1)))
    slices = max(-(-PARTS // (parts * groups)), -(-line // WINDOW_BYTES))
    slice_channels = max(-(-inner // slices), min(inner, ROWS))
    slices = -(-inner // slice_channels)
    plane = (-(-window_rows * columns * size // 64) | 1) * 64 // size
    geometry = Geometry(
        images, groups, slice_channels, outer, height, width, *four_strides(source), *phases.step, 1, 1,
        out_height, out_width, phases.low_row, phases.low_column, together, rows, window_rows, columns, plane,
        slice_channels * plane, 1,
    )  # fmt: skip
    return geometry, Work(rows, blocks, together, parts, slices, slice_channels, *four_strides(grad))


def part_items(geometry: Geometry, work: Work, taps: int, itemsize: int) -> tuple[int, int]:
    """Items of one task's sums, and of one task's scratch: a window and a transposed block of ``grad``."""
    width = TILE_BYTES // itemsize
    panels = -(-geometry.outer // width)
    strips = -(-work.slice_channels * taps // ROWS)
    pixels = work.images * work.rows * geometry.out_width
    return panels * strips * ROWS * width, work.images * geometry.window_items + panels * pixels * width


@simd_jit
def _transpose_grad(
    target: Array, stride: int, grad: int, channels: int, rows: int, columns: int, channel: int, row: int, column: int
) -> None:
    """Copy ``grad`` (channels, rows, columns), strides in bytes, to (panels, rows * columns, one tile's width).

    ``stride``: items from panel to panel of the target.
    """
    like, size = target.dtype.type(0), target.itemsize
    vector, width = VECTOR_BYTES // size, TILE_BYTES // size
    pixels = rows * columns
    flat = column == size and (row == columns * size or rows == 1)
    for panel in range((channels + width - 1) // width):
        first, base = panel * width, panel * stride
        lanes = min(width, channels - first)
        done = lanes // vector * vector if flat else 0
        squares = pixels // vector * vector if flat else 0
        for lane in range(0, done, vector):
            start = grad + (first + lane) * channel
            for m in range(0, squares, vector):
                address = target.ctypes.data + (base + m * width + lane) * size
                transpose(like, start + m * size, channel, address, TILE_BYTES)
        for i in range(rows):
            for j in range(columns):
                m = i * columns + j
                line = target[base + m * width : base + (m + 1) * width]
                for lane in range(done if m < squares else 0, lanes):
                    line[lane] = load(like, grad + (first + lane) * channel + i * row + j * column)
                for lane in range(lanes, width):
                    line[lane] = 0


@simd_jit
def _task(
    sums: Array,
    scratch: Array,
    table: Array,
    source: int,
    grad: int,
    part: int,
    group: int,
    slice: int,
    taps: Array,
    inner: int,
    geometry: Geometry,
    work: Work,
) -> None:
    """The sums of one part of the blocks, for one slice of the input channels of one group."""
    g = geometry
    like, size = sums.dtype.type(0), sums.itemsize
    width = TILE_BYTES // size
    count = taps.shape[0]
    first = slice * work.slice_channels
    channels = min(work.slice_channels, inner - first)
    strips = (channels * count + ROWS - 1) // ROWS
    panels = (g.outer + width - 1) // width
    items = work.images * g.window_items
    window, transposed = scratch[:items], scratch[items:]
    offsets = table[: strips * ROWS]
    for row in range(strips * ROWS):
        c, tap = min(row, channels * count - 1) // count, min(row, channels * count - 1) % count
        offsets[row] = (
            c * g.window_plane + (taps[tap, 2] - g.low_row) * g.window_columns + taps[tap, 3] - g.low_column
        ) * size
    half = work.images * work.rows
    source_rows, grad_rows = table[strips * ROWS :][:half], table[strips * ROWS + half :][:half]
    for i in range(half):
        image, row = i // work.rows, i % work.rows
        source_rows[i] = (image * g.window_items + row * g.step_rows * g.window_columns) * size
        grad_rows[i] = i * g.out_width * TILE_BYTES
    blocks = (g.images + work.images - 1) // work.images * work.blocks
    begin, end = part * blocks // work.parts, (part + 1) * blocks // work.parts
    for block in range(begin, end):
        image, top = block // work.blocks * work.images, block % work.blocks * work.rows
        images, rows = min(work.images, g.images - image), min(work.rows, g.out_height - top)
        for n in range(images):
            copy_window(
                window[n * g.window_items :],
                source + (image + n) * g.image_stride + (group * inner + first) * g.channel_stride,
                top * g.step_rows + g.low_row, g.low_column, g.window_rows, g.window_columns, channels, g,
            )  # fmt: skip
            _transpose_grad(
                transposed[n * rows * g.out_width * width :], images * rows * g.out_width * width,
                grad + (image + n) * work.grad_image + group * g.outer * work.grad_channel + top * work.grad_row,
                g.outer, rows, g.out_width, work.grad_channel, work.grad_row, work.grad_column,
            )  # fmt: skip
        for panel in range(panels):
            b = transposed.ctypes.data + panel * images * rows * g.out_width * TILE_BYTES
            narrow = (g.outer - panel * width) * size <= VECTOR_BYTES
            for strip in range(strips):
                target = sums.ctypes.data + (panel * strips + strip) * ROWS * TILE_BYTES
                where = offsets.ctypes.data + 8 * strip * ROWS
                if narrow:
                    tap_tile_narrow(
                        like, images * rows, source_rows.ctypes.data, grad_rows.ctypes.data, g.out_width,
                        window.ctypes.data, where, g.step_columns * size, b, TILE_BYTES, target, TILE_BYTES,
                        block - begin,
                    )  # fmt: skip
                else:
                    tap_tile(
                        like, images * rows, source_rows.ctypes.data, grad_rows.ctypes.data, g.out_width,
                        window.ctypes.data, where, g.step_columns * size, b, TILE_BYTES, target, TILE_BYTES,
                        block - begin,
                    )  # fmt: skip


@simd_jit(parallel=True)  # type: ignore[untyped-decorator]
def weight_gradient(
    out: Array,
    sums: Array,
    scratch: Array,
    tables: Array,
    source: int,
    grad: int,
    taps: Array,
    inner: int,
    geometry: Geometry,
    work: Work,
) -> None:
    """The gradient into the flat ``out``, (groups * outer, inner, taps).

    ``sums`` has a row for each part of each slice of each group, ``scratch`` and ``tables`` one for each chunk.
    """
    g = geometry
    count = taps.shape[0]
    width = TILE_BYTES // out.itemsize
    panels = (g.outer + width - 1) // width
    tasks = work.parts * work.slices * g.groups
    chunks = scratch.shape[0]
    for chunk in prange(chunks):
        for task in range(chunk * tasks // chunks, (chunk + 1) * tasks // chunks):
            _task(
                sums[task], scratch[chunk], tables[chunk], source, grad, task % work.parts,
                task // work.parts // work.slices, task // work.parts % work.slices, taps, inner, g, work,
            )  # fmt: skip
    for piece in prange(work.slices * g.groups * panels):
        panel, slice, group = piece % panels, piece // panels % work.slices, piece // panels // work.slices
        first = slice * work.slice_channels
        rows = min(work.slice_channels, inner - first) * count
        strips = (rows + ROWS - 1) // ROWS
        lanes = min(width, g.outer - panel * width)
        task = (group * work.slices + slice) * work.parts
        for row in range(rows):
            start = (panel * strips * ROWS + row) * width
            total = sums[task, start : start + width]
            for part in range(1, work.parts):
                other = sums[task + part, start : start + width]
                for lane in range(width):
                    total[lane] += other[lane]
            base = (group * g.outer + panel * width) * inner * count + first * count + row
            for lane in range(lanes):
                out[base + lane * inner * count] = total[lane]
