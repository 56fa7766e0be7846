"""Convolution with 3x3 filters at stride 1 by Winograd's F(4x4, 3x3): a quarter of the products.

A task has some tiles of 4x4 results of one or several images. It copies the source pixels they need with channels as
the last dimension, transforms them (36 parts of a tile), multiplies each part by that of the weight as a matrix
product over channels, and transforms the sums back. All of it stays in a second cache.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..microkernel import panel_tile, panel_tile_narrow
from ..routine import Routine, call, clear, fields, put_word, word
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES, copy_vector, fetch, itemsize, load, store, transpose
from .plan import TAP, Five, Phases, odd_lines
from .winograd_transforms import PARTS, transform_items, transform_results, transform_taps

SIZE = 4
"""Bytes of an item: of float32, whose results bear the rounding; who computes in float64 wants the digits."""

SIDE = 4
"""Results of a tile along each side; it reads `SIDE` + 2 source pixels."""

TRANSFORMED_BYTES = 320 * 1024
"""Transformed source of one task: a third of a second cache, beside weight and sums."""

FEWEST_TILES = 32
"""Of one task, if twice the bytes hold them: with fewer, the weight passes by too often."""

FEWEST_INNER, FEWEST_OUTER = 16, 8
"""Channels: with fewer, the transforms cost as much as the products that are saved."""

FEWEST_RESULTS = 256
"""Of one channel: with fewer, so does the transform of the weight."""

LEAST_SHARE = 0.35
"""Of the tiles' results, those that are wanted: with fewer, most of the work would be for nothing."""


class Tiles(NamedTuple):
    """The numbers that `correlate` needs beside addresses.

    ``images``; ``inner``, ``outer``: channels of source and result; ``height``, ``width`` of the source, its strides
    in bytes; ``low``: the first tap's offset. A task has ``task_images`` images, of each ``task_rows`` rows of
    ``task_columns`` tiles; ``row_blocks``, ``column_blocks``: tasks of one image.
    ``line``: bytes of one pixel's channels; ``part``, ``weight_part``, ``sums``: bytes between parts of the transformed
    source, of a panel of the transformed weight, and of the sums.
    """

    images: int
    inner: int
    outer: int
    height: int
    width: int
    image_stride: int
    channel_stride: int
    row_stride: int
    column_stride: int
    out_height: int
    out_width: int
    low_row: int
    low_column: int
    task_images: int
    task_rows: int
    task_columns: int
    row_blocks: int
    column_blocks: int
    line: int
    part: int
    weight_part: int
    sums: int

    @property
    def tasks(self) -> int:
        return -(-self.images // self.task_images) * self.row_blocks * self.column_blocks

    @property
    def task_tiles(self) -> int:
        """Tiles of one task, rounded up to whole tiles of the micro-kernel."""
        return whole(self.task_images * self.task_rows * self.task_columns, ROWS)

    @property
    def window_bytes(self) -> int:
        return (SIDE * self.task_rows + 2) * (SIDE * self.task_columns + 2) * self.line

    @property
    def task_pixels(self) -> int:
        return self.task_images * self.task_rows * self.task_columns * SIDE * SIDE

    @property
    def scratch_bytes(self) -> int:
        """Of one task: a square to transpose in, a tile, transformed source, sums, results, window."""
        lanes = VECTOR_BYTES // SIZE
        results = (self.task_pixels + lanes) * TILE_BYTES  # whole squares are read
        return (lanes + SIDE * SIDE) * VECTOR_BYTES + PARTS * (self.part + self.sums) + results + self.window_bytes


def whole(count: int, step: int) -> int:
    return -(-count // step) * step


def suits(source: Five, out: Five, size: int, groups: int, phases: Phases) -> bool:
    """Whether a convolution, or its data gradient, is one for `correlate`."""
    reach = [high - low for high, low in zip(phases.high, phases.low, strict=True)]
    share = out[3] * out[4] / (whole(out[3], SIDE) * whole(out[4], SIDE))
    return (
        groups == 1
        and size == SIZE
        and (phases.count, reach) == (9, [0, 2, 2])
        and source[2] == out[2] == 1
        and phases.low[0] == 0
        and phases.step == phases.spread == (1, 1, 1)
        and source[1] >= FEWEST_INNER
        and out[1] >= FEWEST_OUTER
        and out[0] * out[3] * out[4] >= FEWEST_RESULTS
        and share >= LEAST_SHARE
    )


def divide(source: Five, strides: Five, out: Five, phases: Phases, threads: int) -> Tiles:
    """Tasks of as many tiles as fit, and of all threads about as many."""
    images, inner, _, height, width = source
    rows, columns = -(-out[3] // SIDE), -(-out[4] // SIDE)
    line = whole(inner * SIZE, VECTOR_BYTES)
    fitting = TRANSFORMED_BYTES // (PARTS * line)
    most = max(fitting, min(FEWEST_TILES, 2 * fitting)) // ROWS * ROWS or ROWS
    task_columns = -(-columns // -(-columns // most))
    task_rows = min(rows, max(1, most // task_columns))
    task_rows = -(-rows // -(-rows // task_rows))
    row_blocks, column_blocks = -(-rows // task_rows), -(-columns // task_columns)
    task_images = 1
    if row_blocks == column_blocks == 1:
        task_images = max(1, min(most // (rows * columns), images // threads))
    tiles = whole(task_images * task_rows * task_columns, ROWS)
    return Tiles(
        images, inner, out[1], height, width, strides[0], strides[1], strides[3], strides[4], out[3], out[4],
        phases.low[1], phases.low[2], task_images, task_rows, task_columns, row_blocks, column_blocks, line,
        odd_lines(tiles * line, 1), odd_lines(inner * TILE_BYTES, 1), odd_lines(tiles * TILE_BYTES, 1),
    )  # fmt: skip


class Filters(NamedTuple):
    """Arguments of `pack_filters`: the weight, its strides, its sizes, the taps, scratch for each piece."""

    packed: int
    weight: int
    lane_stride: int
    inner_stride: int
    row_stride: int
    column_stride: int
    inner: int
    outer: int
    part: int
    taps: int
    scratch: int
    piece: int


@Routine
def pack_filters(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Transform the weight to (panels, 36, inner, one tile's width), zeros behind ``outer``.

    The range counts (panel, inner).
    """
    g = fields(Filters, arguments)
    like = kind(0)
    size: int = itemsize(like)
    lanes = VECTOR_BYTES // size
    square = g.scratch + start // g.piece * 9 * VECTOR_BYTES
    for item in range(start, stop):
        c, panel = item % g.inner, item // g.inner
        for first in range(0, TILE_BYTES // size, lanes):
            channel = panel * (TILE_BYTES // size) + first
            count = max(min(lanes, g.outer - channel), 0)
            clear(square, 9 * VECTOR_BYTES)
            for tap in range(9):
                at = g.taps + tap * TAP * 8
                base = g.weight + channel * g.lane_stride + c * g.inner_stride
                base += word(at, 1) * g.row_stride + word(at, 2) * g.column_stride
                for lane in range(count):
                    store(load(like, base + lane * g.lane_stride), square + tap * VECTOR_BYTES + lane * size)
            target = g.packed + panel * PARTS * g.part + c * TILE_BYTES + first * size
            transform_taps(like, square, 3 * VECTOR_BYTES, VECTOR_BYTES, target, 6 * g.part, g.part)


@Routine
def copy_pixels(
    kind: Any,
    window: int,
    source: int,
    row: int,
    column: int,
    rows: int,
    columns: int,
    inner: int,
    square: int,
    geometry: int,
) -> None:
    """Copy ``rows`` x ``columns`` pixels of ``inner`` channels from (row, column) on, channels last; zeros outside."""
    g = fields(Tiles, geometry)
    like = kind(0)
    size: int = itemsize(like)
    lanes = VECTOR_BYTES // size
    top, bottom = max(-row, 0), min(g.height - row, rows)
    left, right = max(-column, 0), min(g.width - column, columns)
    if top > 0 or bottom < rows or left > 0 or right < columns or inner * size < g.line:
        clear(window, rows * columns * g.line)
    for i in range(top, bottom):
        # A square that ends with the line may begin before it, where the line above is.
        before = row + i > 0 and (lanes - column - right) * size <= g.row_stride
        for c in range(0, inner, lanes):
            channels = min(lanes, inner - c)
            line = source + c * g.channel_stride + (row + i) * g.row_stride + column * g.column_stride
            target = window + i * columns * g.line + c * size
            done = left
            if channels == lanes and g.column_stride == size:
                while done + lanes <= right:
                    transpose(like, line + done * size, g.channel_stride, target + done * g.line, g.line)
                    done += lanes
                if done < right and (column + right >= lanes or before):
                    transpose(like, line + (right - lanes) * size, g.channel_stride, square, VECTOR_BYTES)
                    for j in range(done, right):
                        copy_vector(like, square + (j - right + lanes) * VECTOR_BYTES, target + j * g.line)
                    done = right
            elif channels == lanes and g.channel_stride == size:
                while done < right:
                    copy_vector(like, line + done * g.column_stride, target + done * g.line)
                    done += 1
            for j in range(done, right):
                for lane in range(channels):
                    value = load(like, line + lane * g.channel_stride + j * g.column_stride)
                    store(value, target + j * g.line + lane * size)


class Correlation(NamedTuple):
    """Arguments of `correlate`.

    ``copy``: `copy_pixels`; ``transform``: `transform_source`; ``multiply``: `multiply`; ``back``:
    `transform_sums`; ``assist``: `correlate.store_strip`. ``bias``: padded with zeros to whole tiles; ``relu``: 0 or 1;
    ``packed``: the weight as `pack_filters` leaves it; each piece of the range has ``scratch_bytes`` of ``scratch`` and
    ``table_words`` of ``tables``; ``geometry``: address of `Tiles`.
    """

    copy: int
    transform: int
    multiply: int
    back: int
    assist: int
    out: int
    scratch: int
    scratch_bytes: int
    tables: int
    table_words: int
    packed: int
    bias: int
    relu: int
    source: int
    piece: int
    geometry: int


@Routine
def transform_source(kind: Any, window: int, columns: int, rows: int, across: int, target: int, geometry: int) -> None:
    """``rows`` x ``across`` tiles of a window of so many ``columns`` of pixels into the parts at ``target``."""
    g = fields(Tiles, geometry)
    like = kind(0)
    for i in range(rows):
        for j in range(across):
            tile = window + (i * SIDE * columns + j * SIDE) * g.line
            for c in range(0, g.line, VECTOR_BYTES):
                transform_items(
                    like, tile + c, columns * g.line, g.line, target + (i * across + j) * g.line + c, 6 * g.part, g.part
                )


@Routine
def multiply(kind: Any, columns: int, tiles: int, source: int, weight: int, sums: int, geometry: int) -> None:
    """Each part of ``tiles`` tiles times that of a panel of the weight, of which ``columns`` are wanted."""
    g = fields(Tiles, geometry)
    like = kind(0)
    size: int = itemsize(like)
    share = g.inner * TILE_BYTES // ((tiles + ROWS - 1) // ROWS)
    for part in range(PARTS):
        a, b, c = source + part * g.part, weight + part * g.weight_part, sums + part * g.sums
        for tile in range(0, tiles, ROWS):
            # Of the next part's weight, which comes from far where there are many channels.
            fetch(b + g.weight_part + tile // ROWS * share, share)
            if columns * size <= VECTOR_BYTES:
                panel_tile_narrow(
                    like, g.inner, a + tile * g.line, g.line, size, b, TILE_BYTES, c + tile * TILE_BYTES, TILE_BYTES, 0
                )
            else:
                panel_tile(
                    like, g.inner, a + tile * g.line, g.line, size, b, TILE_BYTES, c + tile * TILE_BYTES, TILE_BYTES, 0
                )


@Routine
def transform_sums(
    kind: Any,
    lanes: int,
    rows: int,
    columns: int,
    across: int,
    sums: int,
    results: int,
    square: int,
    flag: int,
    geometry: int,
) -> None:
    """The sums of ``across`` tiles a row into ``rows`` x ``columns`` pixels of one tile's width at ``results``.

    The word at ``flag`` becomes 1 where a result is infinite or NaN.
    """
    g = fields(Tiles, geometry)
    like = kind(0)
    lost = False
    for i in range(0, rows, SIDE):
        for j in range(across):
            whole = i + SIDE <= rows and (j + 1) * SIDE <= columns
            tile = sums + (i // SIDE * across + j) * TILE_BYTES
            first = results + (i * columns + j * SIDE) * TILE_BYTES
            for lane in range(0, lanes * itemsize(like), VECTOR_BYTES):
                if whole:
                    lost |= transform_results(
                        like, tile + lane, 6 * g.sums, g.sums, first + lane, columns * TILE_BYTES, TILE_BYTES
                    )
                else:
                    lost |= transform_results(
                        like, tile + lane, 6 * g.sums, g.sums, square, SIDE * VECTOR_BYTES, VECTOR_BYTES
                    )
                    for m in range(min(SIDE, rows - i)):
                        for n in range(min(SIDE, columns - j * SIDE)):
                            copy_vector(
                                like, square + (m * SIDE + n) * VECTOR_BYTES,
                                first + (m * columns + n) * TILE_BYTES + lane,
                            )  # fmt: skip
    if lost:
        put_word(flag, 0, 1)


@Routine
def correlate(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Tasks ``start...``: some rows and columns of tiles of some images.

    The first word of each piece's table tells whether a result is infinite or NaN: then what others are is not right,
    as an infinite source pixel makes NaN of all results of its tiles.
    """
    h = fields(Correlation, arguments)
    g = fields(Tiles, h.geometry)
    size: int = itemsize(kind(0))
    width = TILE_BYTES // size
    plane = g.out_height * g.out_width
    tiles = g.task_images * g.task_rows * g.task_columns
    square = h.scratch + start // h.piece * h.scratch_bytes
    edge = square + VECTOR_BYTES // size * VECTOR_BYTES
    parts = edge + SIDE * SIDE * VECTOR_BYTES
    sums = parts + PARTS * g.part
    results = sums + PARTS * g.sums
    window = results + (tiles * SIDE * SIDE + VECTOR_BYTES // size) * TILE_BYTES
    flag = h.tables + start // h.piece * h.table_words * 8
    where = flag + 8
    put_word(flag, 0, 0)
    for task in range(start, stop):
        column, rest = task % g.column_blocks * g.task_columns, task // g.column_blocks
        row, image = rest % g.row_blocks * g.task_rows, rest // g.row_blocks * g.task_images
        images = min(g.task_images, g.images - image)
        height = min(g.out_height - row * SIDE, g.task_rows * SIDE)
        breadth = min(g.out_width - column * SIDE, g.task_columns * SIDE)
        down, across = (height + SIDE - 1) // SIDE, (breadth + SIDE - 1) // SIDE
        total = 0
        for n in range(images):
            call(
                kind, h.copy, window, h.source + (image + n) * g.image_stride, row * SIDE + g.low_row,
                column * SIDE + g.low_column, down * SIDE + 2, across * SIDE + 2, g.inner, square, h.geometry,
            )  # fmt: skip
            call(
                kind, h.transform, window, across * SIDE + 2, down, across, parts + n * down * across * g.line,
                h.geometry,
            )  # fmt: skip
            for i in range(height):
                line = n * g.outer * plane + (row * SIDE + i) * g.out_width + column * SIDE
                for j in range(breadth):
                    put_word(where, total, line + j)
                    total += 1
        for panel in range((g.outer + width - 1) // width):
            channel = panel * width
            lanes = min(width, g.outer - channel)
            weight = h.packed + panel * PARTS * g.weight_part
            call(kind, h.multiply, lanes, images * down * across, parts, weight, sums, h.geometry)
            for n in range(images):
                call(
                    kind, h.back, lanes, height, breadth, across, sums + n * down * across * TILE_BYTES,
                    results + n * height * breadth * TILE_BYTES, edge, flag, h.geometry,
                )  # fmt: skip
            call(
                kind, h.assist, h.out + (image * g.outer + channel) * plane * size, plane * size, where, total, lanes,
                results, square, h.bias + channel * size, h.relu,
            )  # fmt: skip
