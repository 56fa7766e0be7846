"""The gradient of a 3x3 convolution at stride 1 for its weight, by Winograd's F(3x3, 4x4).

The gradient of a tile of 4x4 results is a filter that the tile's 6x6 source pixels are convolved with. Source and
gradient are transformed, each of the 36 parts is a matrix product over the tiles, and only the sums are transformed
back. A task has a slice of the result's channels and a part of the tiles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..microkernel import panel_tile, panel_tile_narrow
from ..routine import Routine, call, clear, fields, put_word, word
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES, copy_vector, itemsize, load, store
from .plan import TAP, Five, Phases, odd_lines
from .winograd import SIDE, SIZE, Tiles, divide, suits, whole
from .winograd_transforms import PARTS, transform_gradients, transform_grads

TASKS = 8
"""As many threads can work without sharing sums."""

SUMS_BYTES, TASK_BYTES = 10 << 20, 5 << 20
"""Of the sums of all parts, which are read once more in the end, and of one task: a last cache holds them. The fewer
slices there are, the fewer times the source is transformed."""


class Work(NamedTuple):
    """How the gradient is divided: ``parts`` of the tiles' blocks, ``slices`` of so many ``slice_channels``.

    ``source``, ``grad``: the geometry of either; ``line``: bytes of one row of sums, ``sums``: of one part of them.
    """

    source: Tiles
    grad: Tiles
    parts: int
    slices: int
    slice_channels: int
    line: int
    sums: int


def suits_gradient(source: Five, out: Five, size: int, groups: int, phases: Phases) -> bool:
    """Whether a weight gradient is one for `gradient`."""
    return out[1] >= ROWS and suits(source, out, size, groups, phases)


def divide_gradient(source: Five, strides: Five, out: Five, out_strides: Five, phases: Phases) -> Work:
    """The division, which depends on shapes alone: so does then the order of sums, not on the number of threads."""
    inner, outer = source[1], out[1]
    tiles = divide(source, strides, out, phases, TASKS)
    line = whole(inner * SIZE, TILE_BYTES)
    filters = PARTS * line * outer
    parts = max(1, min(tiles.tasks, TASKS, SUMS_BYTES // filters))
    slices = max(-(-TASKS // parts), -(-filters // TASK_BYTES))
    channels = whole(-(-outer // slices), ROWS)
    grad_line = whole(channels * SIZE, VECTOR_BYTES)
    grad = tiles._replace(
        inner=outer, height=out[3], width=out[4], image_stride=out_strides[0], channel_stride=out_strides[1],
        row_stride=out_strides[3], column_stride=out_strides[4], low_row=0, low_column=0, line=grad_line,
        part=odd_lines(tiles.task_tiles * grad_line, 1),
    )  # fmt: skip
    return Work(tiles, grad, parts, -(-outer // channels), channels, line, odd_lines(channels * line, 1))


class Gradient(NamedTuple):
    """Arguments of `gradient` and `merge`.

    ``copy``, ``transform``: of `winograd`; ``transform_grad``, ``multiply``: routines of this module. ``sums``: of
    each task; each task has ``scratch_bytes`` of ``scratch``; ``blocks``: of tiles, in all.
    """

    copy: int
    transform: int
    transform_grad: int
    multiply: int
    out: int
    x: int
    grad: int
    sums: int
    scratch: int
    scratch_bytes: int
    piece: int
    taps: int
    inner: int
    outer: int
    blocks: int
    parts: int
    slices: int
    slice_channels: int
    line: int
    part: int
    source_geometry: int
    grad_geometry: int


def scratch_bytes(work: Work) -> int:
    """Of one task: parts of source and gradient, a square to transpose in, a window of either."""
    window = SIDE * SIDE * work.grad.task_rows * work.grad.task_columns * work.grad.line
    square = VECTOR_BYTES // SIZE * VECTOR_BYTES
    return PARTS * (work.source.part + work.grad.part) + square + max(work.source.window_bytes, window)


@Routine
def transform_grad(kind: Any, window: int, columns: int, rows: int, across: int, target: int, geometry: int) -> None:
    """``rows`` x ``across`` tiles of a window of so many ``columns`` of pixels into the parts at ``target``."""
    g = fields(Tiles, geometry)
    like = kind(0)
    for i in range(rows):
        for j in range(across):
            tile = window + (i * SIDE * columns + j * SIDE) * g.line
            for c in range(0, g.line, VECTOR_BYTES):
                transform_grads(
                    like, tile + c, columns * g.line, g.line, target + (i * across + j) * g.line + c, 6 * g.part, g.part
                )


@Routine
def multiply(kind: Any, channels: int, tiles: int, grad: int, source: int, sums: int, arguments: int) -> None:
    """Add the products of each part over ``tiles`` tiles to the sums, of which ``channels`` rows."""
    h = fields(Gradient, arguments)
    g, s = fields(Tiles, h.grad_geometry), fields(Tiles, h.source_geometry)
    like = kind(0)
    size: int = itemsize(like)
    for part in range(PARTS):
        a, b, c = grad + part * g.part, source + part * s.part, sums + part * h.part
        for column in range(0, s.line, TILE_BYTES):
            for row in range(0, channels, ROWS):
                target = c + row * h.line + column
                if s.line - column <= VECTOR_BYTES:
                    panel_tile_narrow(like, tiles, a + row * size, size, g.line, b + column, s.line, target, h.line, 1)
                else:
                    panel_tile(like, tiles, a + row * size, size, g.line, b + column, s.line, target, h.line, 1)


@Routine
def gradient(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Tasks ``start...``: the sums of one slice over one part of the blocks of tiles."""
    h = fields(Gradient, arguments)
    g, s = fields(Tiles, h.grad_geometry), fields(Tiles, h.source_geometry)
    size: int = itemsize(kind(0))
    source_parts = h.scratch + start // h.piece * h.scratch_bytes
    grad_parts = source_parts + PARTS * s.part
    square = grad_parts + PARTS * g.part
    window = square + VECTOR_BYTES // size * VECTOR_BYTES
    for task in range(start, stop):
        slice, part = task % h.slices, task // h.slices
        channel = slice * h.slice_channels
        channels = min(h.slice_channels, h.outer - channel)
        sums = h.sums + task * PARTS * h.part
        clear(sums, PARTS * h.part)
        for block in range(part * h.blocks // h.parts, (part + 1) * h.blocks // h.parts):
            column, rest = block % s.column_blocks * s.task_columns, block // s.column_blocks
            row, image = rest % s.row_blocks * s.task_rows, rest // s.row_blocks * s.task_images
            images = min(s.task_images, s.images - image)
            down = min((s.out_height + SIDE - 1) // SIDE - row, s.task_rows)
            across = min((s.out_width + SIDE - 1) // SIDE - column, s.task_columns)
            for n in range(images):
                call(
                    kind, h.copy, window, h.x + (image + n) * s.image_stride, row * SIDE + s.low_row,
                    column * SIDE + s.low_column, down * SIDE + 2, across * SIDE + 2, s.inner, square,
                    h.source_geometry,
                )  # fmt: skip
                call(
                    kind, h.transform, window, across * SIDE + 2, down, across,
                    source_parts + n * down * across * s.line, h.source_geometry,
                )  # fmt: skip
                call(
                    kind, h.copy, window, h.grad + (image + n) * g.image_stride + channel * g.channel_stride,
                    row * SIDE, column * SIDE, down * SIDE, across * SIDE, channels, square, h.grad_geometry,
                )  # fmt: skip
                call(
                    kind, h.transform_grad, window, across * SIDE, down, across,
                    grad_parts + n * down * across * g.line, h.grad_geometry,
                )  # fmt: skip
            call(
                kind, h.multiply, (channels + ROWS - 1) // ROWS * ROWS, images * down * across, grad_parts,
                source_parts, sums, arguments,
            )  # fmt: skip


@Routine
def merge(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Filters ``start...`` of the result: the parts' sums together, transformed back, for each source channel.

    The first word of each piece's scratch tells, as in `winograd.correlate`, whether an item is infinite or NaN.
    """
    h = fields(Gradient, arguments)
    like = kind(0)
    size: int = itemsize(like)
    lanes = VECTOR_BYTES // size
    flag = h.scratch + start // h.piece * h.scratch_bytes
    lost = False
    total = flag + VECTOR_BYTES
    square = total + PARTS * VECTOR_BYTES
    for channel in range(start, stop):
        slice, row = channel // h.slice_channels, channel % h.slice_channels
        for c in range(0, h.inner, lanes):
            for p in range(PARTS):
                target = total + p * VECTOR_BYTES
                for part in range(h.parts):
                    task = part * h.slices + slice
                    source = h.sums + (task * PARTS + p) * h.part + row * h.line + c * size
                    if part == 0:
                        copy_vector(like, source, target)
                    else:
                        for lane in range(lanes):
                            value = load(like, target + lane * size) + load(like, source + lane * size)
                            store(value, target + lane * size)
            lost |= transform_gradients(
                like, total, 6 * VECTOR_BYTES, VECTOR_BYTES, square, 3 * VECTOR_BYTES, VECTOR_BYTES
            )
            for tap in range(9):
                at = h.taps + tap * TAP * 8
                place = h.out + ((channel * h.inner + c) * 9 + word(at, 1) * 3 + word(at, 2)) * size
                for lane in range(min(lanes, h.inner - c)):
                    store(load(like, square + tap * VECTOR_BYTES + lane * size), place + lane * 9 * size)
    put_word(flag, 0, int(lost))
