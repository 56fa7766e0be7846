"""Blocked matrix products on the micro-kernel: serial ones, many at once, and one large one on all threads.

Everything is an address with strides in bytes, so that transposed and stepped operands are packed from
where they lie; the result is contiguous.
Blocking as in Goto and van de Geijn (2008): a panel of ``b`` stays in the first cache while panels of
``a`` stream past it, ``DEPTH`` long.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..jit import jit
from ..microkernel import panel_tile, panel_tile_narrow, put_tile
from ..routine import Routine, call, fields, word, zero
from ..simd import (
    ROWS,
    TILE_BYTES,
    VECTOR_BYTES,
    copy_vector,
    fetch,
    itemsize,
    load,
    store,
    transpose,
    transpose_strip,
)

DEPTH = 256
"""Inner size of a block: one panel of ``b`` is then 32 KiB at 512-bit vectors, two thirds of a first cache."""

TOGETHER = 4
"""Panels of ``b`` that are copied row by row of all of them: longer rows are read faster."""

LAST = 4
"""Panels during which a task fetches the rows of ``a`` that it copies next."""


@Routine
def pack_b(kind: Any, b: int, b_row: int, b_column: int, depth: int, columns: int, target: int) -> None:
    """Copy ``b[:depth, :columns]`` to rows of one tile's width at ``target``, zeros behind the last column."""
    like = zero(kind)
    size: int = itemsize(like)
    lanes, width = VECTOR_BYTES // size, TILE_BYTES // size
    done = deep = 0  # columns, and rows of these, that whole vectors copy
    if b_column == size:
        done, deep = columns // lanes * lanes, depth
        for k in range(depth):
            for j in range(0, done, lanes):
                copy_vector(like, b + k * b_row + j * size, target + k * TILE_BYTES + j * size)
    elif b_row == size:
        done, deep = columns // lanes * lanes, depth // lanes * lanes
        for j in range(0, done, lanes):
            for k in range(0, deep, lanes):
                transpose(like, b + k * size + j * b_column, b_column, target + k * TILE_BYTES + j * size, TILE_BYTES)
    for k in range(depth):
        for j in range(done if k < deep else 0, columns):
            store(load(like, b + k * b_row + j * b_column), target + k * TILE_BYTES + j * size)
        for j in range(columns, width):
            store(like, target + k * TILE_BYTES + j * size)


@jit(inline=True)  # type: ignore[untyped-decorator]
def _pack_panels(kind: Any, b: int, b_row: int, depth: int, panels: int, target: int, apart: int) -> None:
    """Copy whole panels of contiguous columns, each to rows of a tile's width, ``apart`` bytes from panel to panel."""
    like = kind(0)
    for k in range(depth):
        for panel in range(panels):
            for byte in range(0, TILE_BYTES, VECTOR_BYTES):
                copy_vector(
                    like, b + k * b_row + panel * TILE_BYTES + byte, target + panel * apart + k * TILE_BYTES + byte
                )


@Routine
def pack_a(kind: Any, a: int, a_row: int, a_step: int, rows: int, depth: int, target: int) -> None:
    """Copy ``a[:rows, :depth]`` to ``target``, zeros behind the last row.

    Row by row (stride ``depth`` items) where rows are contiguous in memory, else ``ROWS`` items for each step.
    """
    like = zero(kind)
    size: int = itemsize(like)
    vector = vectors = 0
    if a_step == size:
        to_row, to_step, vector = depth * size, size, VECTOR_BYTES // size
        vectors = depth // vector * vector
        for i in range(rows):
            for k in range(0, vectors, vector):
                copy_vector(like, a + i * a_row + k * size, target + (i * depth + k) * size)
    else:
        to_row, to_step = size, ROWS * size
    for k in range(vectors, depth):
        for i in range(rows):
            store(load(like, a + i * a_row + k * a_step), target + i * to_row + k * to_step)
    if rows < ROWS:
        for k in range(depth):
            for i in range(rows, ROWS):
                store(like, target + i * to_row + k * to_step)


@Routine
def tile(
    kind: Any,
    depth: int,
    a: int,
    a_row: int,
    a_step: int,
    b: int,
    b_step: int,
    c: int,
    c_row: int,
    rows: int,
    columns: int,
    edge: int,
    accumulate: int,
) -> None:
    """One tile into ``rows`` x ``columns`` at ``c``; where that is less, by way of ``edge``, which holds it whole."""
    like = kind(0)
    size: int = itemsize(like)
    whole = rows == ROWS and columns * size == TILE_BYTES
    target, target_row, add = (c, c_row, accumulate) if whole else (edge, TILE_BYTES, 0)
    if columns * size <= VECTOR_BYTES:
        panel_tile_narrow(like, depth, a, a_row, a_step, b, b_step, target, target_row, add)
    else:
        panel_tile(like, depth, a, a_row, a_step, b, b_step, target, target_row, add)
    if not whole:
        for i in range(rows):
            for j in range(columns):
                value = load(like, edge + i * TILE_BYTES + j * size)
                if accumulate:
                    value += load(like, c + i * c_row + j * size)
                store(value, c + i * c_row + j * size)


@Routine
def pack_steps(kind: Any, a: int, a_row: int, rows: int, depth: int, target: int) -> None:
    """Copy contiguous rows to ``target``, ``ROWS`` items for each step; the last row is repeated."""
    like = zero(kind)
    size: int = itemsize(like)
    vector = VECTOR_BYTES // size
    vectors = depth // vector * vector
    for k in range(0, vectors, vector):
        transpose_strip(like, a + k * size, a_row, rows, target + k * ROWS * size)
    for k in range(vectors, depth):
        for i in range(ROWS):
            store(load(like, a + min(i, rows - 1) * a_row + k * size), target + (k * ROWS + i) * size)


def even_depth(length: int) -> int:
    """The inner size of the blocks that ``length`` is cut into: about `DEPTH`, and the last one not much less."""
    count = -(-(length - DEPTH // 8) // DEPTH)
    return length if count <= 1 else -(-length // count // 8) * 8


compiled_even_depth = jit(even_depth, inline=True)


class Products(NamedTuple):
    """Arguments of `products`; offsets are addresses of int64 tables of bytes, one for each product.

    ``finish`` is a routine of `epilogue` or 0. Where ``rows`` is not 0, the products are parts, of ``m`` rows each, of
    one that has so many: the last has what is left, and ``a`` goes on where the part before ends.
    """

    pack_b: int
    pack_a: int
    tile: int
    finish: int
    out: int
    workspace: int
    m: int
    n: int
    k: int
    a: int
    a_offsets: int
    a_row: int
    a_step: int
    b: int
    b_offsets: int
    b_row: int
    b_column: int
    bias: int
    activation: int
    piece: int
    rows: int


@Routine
def products(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Products ``start...``, one after the other; each of the pieces has `serial_items` of the workspace."""
    g = fields(Products, arguments)
    size: int = itemsize(kind(0))
    m, n, k = g.m, g.n, g.k
    width, most = TILE_BYTES // size, compiled_even_depth(k)
    edge = g.workspace + start // g.piece * (ROWS * width + most * (width + ROWS)) * size
    packed_b = edge + ROWS * TILE_BYTES
    packed_a = packed_b + most * TILE_BYTES
    for product in range(start, stop):
        if g.rows:
            m, a, b = min(g.m, g.rows - product * g.m), g.a + product * g.m * g.a_row, g.b
        else:
            a, b = g.a + word(g.a_offsets, product), g.b + word(g.b_offsets, product)
        strips = (m + ROWS - 1) // ROWS
        for column in range(0, n, width):
            columns = min(width, n - column)
            for begin in range(0, max(k, 1), max(most, 1)):  # an inner size of 0 still writes zeros
                depth = min(most, k - begin)
                panel, panel_step = b + begin * g.b_row + column * g.b_column, g.b_row
                if g.b_column != size or columns < width:
                    call(kind, g.pack_b, panel, g.b_row, g.b_column, depth, columns, packed_b)
                    panel, panel_step = packed_b, TILE_BYTES
                for row in range(0, m, ROWS):
                    rows = min(ROWS, m - row)
                    strip, strip_row, strip_step = a + row * g.a_row + begin * g.a_step, g.a_row, g.a_step
                    if g.rows and g.b_column == size and column + width < n:  # bring the next panel nearer
                        done = row // ROWS
                        for deep in range(begin + done * depth // strips, begin + (done + 1) * depth // strips):
                            fetch(b + deep * g.b_row + (column + width) * size, TILE_BYTES)
                    if g.rows and g.a_step == size and column == 0:  # and the next rows
                        for i in range(ROWS):
                            fetch(strip + (ROWS + i) * g.a_row, depth * size)
                    if rows < ROWS:
                        call(kind, g.pack_a, strip, g.a_row, g.a_step, rows, depth, packed_a)
                        strip = packed_a
                        if g.a_step == size:
                            strip_row, strip_step = depth * size, size
                        else:
                            strip_row, strip_step = size, ROWS * size
                    call(
                        kind, g.tile, depth, strip, strip_row, strip_step, panel, panel_step,
                        g.out + ((product * g.m + row) * n + column) * size, n * size, rows, columns, edge, begin,
                    )  # fmt: skip
            if g.finish:
                call(
                    kind, g.finish, g.out + (product * g.m * n + column) * size, n * size, m, columns,
                    g.bias + column * size if g.bias else 0, g.activation,
                )  # fmt: skip


def serial_items(depth: int, itemsize: int) -> int:
    """Items of the workspace of one product: a tile for the edges, a panel of ``b``, a strip of ``a``, so deep."""
    width = TILE_BYTES // itemsize
    return ROWS * width + depth * (width + ROWS)


class Product(NamedTuple):
    """Arguments of `pack` and `blocks`, for the part of the inner dimension from ``begin`` on, ``length`` long.

    The first ``whole`` strips of ``a`` are read where they lie: contiguous rows need no copy, but for the last strip
    if rows are missing. ``loose`` panels of ``b`` are copied by `pack`; where that is 0, `blocks` copies those it
    needs, and where ``once`` is 1 one after the other into the same place. Where ``direct`` is 1, whole panels are
    read where they lie. A task goes through all of its panels with ``tall`` strips, which a second cache keeps, and
    through the inner dimension by ``depth``, before it takes the next strips. ``finish`` is a routine of `epilogue`
    or 0.

    Rows that are some KiB apart fall into few sets of a first cache and drive the panel of ``b`` out of them. Where
    that is so, a task copies its strips to ``own_a`` (else 0), and what it sums over several depths lies in ``held``
    bytes of its own at ``sums``, tile after tile, until the last of them. So it does where rows of the result begin
    within a cache line, for each vector then lies in two.
    """

    pack_b: int
    pack_a: int
    pack_steps: int
    tile: int
    finish: int
    out: int
    m: int
    n: int
    k: int
    a: int
    a_row: int
    a_step: int
    whole: int
    packed_a: int
    own_a: int
    b: int
    b_row: int
    b_column: int
    direct: int
    loose: int
    once: int
    packed_b: int
    edges: int
    sums: int
    held: int
    depth: int
    begin: int
    length: int
    grid_rows: int
    grid_columns: int
    tall: int
    bias: int
    activation: int


@Routine
def pack(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Loose panels of ``b``, and behind the last of them strips of ``a``, from ``start`` on."""
    g = fields(Product, arguments)
    size: int = itemsize(kind(0))
    width = TILE_BYTES // size
    for item in range(start, stop):
        if item < g.loose:
            column = item * width
            call(
                kind, g.pack_b, g.b + g.begin * g.b_row + column * g.b_column, g.b_row, g.b_column, g.length,
                min(width, g.n - column), g.packed_b + item * g.length * TILE_BYTES,
            )  # fmt: skip
        else:
            strip = item - g.loose
            row = (g.whole + strip) * ROWS
            for first in range(0, g.length, g.depth):
                call(
                    kind, g.pack_a, g.a + row * g.a_row + (g.begin + first) * g.a_step, g.a_row, g.a_step,
                    min(ROWS, g.m - row), min(g.depth, g.length - first),
                    g.packed_a + (strip * g.length + first) * ROWS * size,
                )  # fmt: skip


@Routine
def blocks(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Blocks ``start...`` of the grid: some strips of ``a`` by some panels of ``b``."""
    g = fields(Product, arguments)
    size: int = itemsize(kind(0))
    m, n, length = g.m, g.n, g.length
    width = TILE_BYTES // size
    strips, panels = (m + ROWS - 1) // ROWS, (n + width - 1) // width
    for task in range(start, stop):
        i, j = task % g.grid_rows, task // g.grid_rows
        first_strip, last_strip = i * strips // g.grid_rows, (i + 1) * strips // g.grid_rows
        first_panel, last_panel = j * panels // g.grid_columns, (j + 1) * panels // g.grid_columns
        edge = g.edges + task * ROWS * TILE_BYTES
        own_a = g.own_a + task * g.tall * ROWS * g.depth * size if g.own_a else 0
        for top in range(first_strip, last_strip, g.tall):
            bottom = min(top + g.tall, last_strip)
            for first in range(0, length, g.depth):
                depth = min(g.depth, length - first)
                if own_a:
                    for strip in range(top, bottom):
                        call(
                            kind, g.pack_steps, g.a + strip * ROWS * g.a_row + (g.begin + first) * size, g.a_row,
                            min(ROWS, m - strip * ROWS), depth, own_a + (strip - top) * ROWS * depth * size,
                        )  # fmt: skip
                for panel in range(first_panel, last_panel):
                    column = panel * width
                    columns = min(width, n - column)
                    b, b_step = g.packed_b + (panel * length + first) * TILE_BYTES, TILE_BYTES
                    if g.once:
                        b = g.packed_b + task * g.depth * TILE_BYTES
                    packed = g.loose or top > first_strip
                    if g.direct and columns == width:
                        b, b_step = g.b + (g.begin + first) * g.b_row + column * size, g.b_row
                    elif not packed and g.b_column == size and not g.once and columns == width:
                        together = min(TOGETHER, last_panel - panel, n // width - panel)
                        if (panel - first_panel) % TOGETHER == 0:
                            _pack_panels(
                                kind, g.b + (g.begin + first) * g.b_row + column * size, g.b_row, depth, together, b,
                                length * TILE_BYTES,
                            )  # fmt: skip
                    elif not packed:
                        call(
                            kind, g.pack_b, g.b + (g.begin + first) * g.b_row + column * g.b_column, g.b_row,
                            g.b_column, depth, columns, b,
                        )  # fmt: skip
                    ahead = ahead_row = 0
                    if packed and panel + 1 < last_panel:
                        ahead, ahead_row = b + length * TILE_BYTES, TILE_BYTES
                    elif g.b_column == size and panel + 1 < last_panel:
                        ahead, ahead_row = g.b + (g.begin + first) * g.b_row + (column + width) * size, g.b_row
                    elif g.b_column == size and not packed and first + depth < length:
                        ahead = g.b + (g.begin + first + depth) * g.b_row + first_panel * TILE_BYTES
                        ahead_row = g.b_row
                    far_a = 0  # of the last panels: what the next depth will copy
                    if own_a and first + depth < length and last_panel - panel <= LAST:
                        far_a = (
                            g.a + (g.begin + first + depth) * size + (last_panel - panel - 1) * ROWS // LAST * g.a_row
                        )
                    elif not own_a and panel == first_panel and g.a_step == size:
                        far_a = g.a + (g.begin + first) * size + ROWS * g.a_row
                    sums = g.sums + task * g.held + (panel - first_panel) * g.tall * ROWS * TILE_BYTES
                    _strips(
                        kind, g, top, bottom, first, depth, own_a, b, b_step, ahead, ahead_row, far_a, column, columns,
                        sums if g.held and columns == width else 0, edge,
                    )  # fmt: skip
                    if g.finish and g.begin + first + depth == g.k:
                        row = top * ROWS
                        call(
                            kind, g.finish, g.out + (row * n + column) * size, n * size, min(bottom * ROWS, m) - row,
                            columns, g.bias + column * size if g.bias else 0, g.activation,
                        )  # fmt: skip


@jit(inline=True)  # type: ignore[untyped-decorator]
def _strips(
    kind: Any,
    g: Product,
    top: int,
    bottom: int,
    first: int,
    depth: int,
    own_a: int,
    b: int,
    b_step: int,
    ahead: int,
    ahead_row: int,
    far_a: int,
    column: int,
    columns: int,
    sums: int,
    edge: int,
) -> None:
    """Strips ``top...`` of ``a`` by one panel of ``b``.

    Meanwhile come nearer: the next panel, of which rows of one tile's width begin at ``ahead`` every ``ahead_row``
    bytes; rows of ``a`` that are needed next, of the first strip at ``far_a``; the next tile of the result, where sums
    are not kept elsewhere. ``ahead``, ``far_a`` and ``sums`` may be 0.
    """
    like = kind(0)
    size: int = itemsize(like)
    share = (depth + bottom - top - 1) // (bottom - top)
    for strip in range(top, bottom):
        if ahead:
            for k in range((strip - top) * share, min((strip - top + 1) * share, depth)):
                fetch(ahead + k * ahead_row, TILE_BYTES)
        if far_a:
            for i in range(ROWS // LAST if own_a else ROWS):
                fetch(far_a + (strip * ROWS + i) * g.a_row, depth * size)
        row = strip * ROWS
        rows = min(ROWS, g.m - row)
        if not sums and g.n * size > FAR:
            for i in range(0 if strip == top else ROWS, 2 * ROWS):
                fetch(g.out + ((row + i) * g.n + column) * size, TILE_BYTES)
        if own_a:
            a, a_row, a_step = own_a + (strip - top) * ROWS * depth * size, size, ROWS * size
        elif strip < g.whole:
            a, a_row, a_step = g.a + row * g.a_row + (g.begin + first) * size, g.a_row, size
        else:
            a = g.packed_a + ((strip - g.whole) * g.length + first) * ROWS * size
            a_row, a_step = (depth * size, size) if g.a_step == size else (size, ROWS * size)
        c, c_row, add = g.out + (row * g.n + column) * size, g.n * size, g.begin + first
        if sums and rows == ROWS:
            held = sums + (strip - top) * ROWS * TILE_BYTES
            call(kind, g.tile, depth, a, a_row, a_step, b, b_step, held, TILE_BYTES, rows, columns, edge, first)
            if first + depth == g.length:
                put_tile(like, held, c, c_row, g.begin)
        else:
            call(kind, g.tile, depth, a, a_row, a_step, b, b_step, c, c_row, rows, columns, edge, add)


THIN = 32
"""Rows up to which a panel of ``b`` is used too rarely to be worth a copy."""

WIDE = 256
"""Columns for each thread from which tasks have all rows: each copies its panels of ``b`` where it uses them."""

FAR = 1024
"""Bytes from row to row up to which the rows of a tile of ``a`` fall into enough sets of a first cache."""

PAGE = 4096
"""Bytes from row to row of the result from which sums of several depths are kept elsewhere: each row of a tile is then
in another page, and all of them in few sets of a first cache."""

OFTEN = 4
"""Depths from whose number on sums of them are kept elsewhere, however near the rows of the result are."""

SPAN_BYTES = 64 << 20
"""Bytes that packed copies of both operands may take."""


def parallel_plan(
    m: int, n: int, k: int, a_step: int, itemsize: int, threads: int, block: tuple[int, int]
) -> tuple[int, int, int, int, int, int]:
    """``span`` of the inner dimension, ``grid_rows``, ``grid_columns``, ``tall``, and panels and strips to copy.

    ``block`` is the most rows and columns of the result that one task computes before it goes on.
    """
    width = TILE_BYTES // itemsize
    strips, panels = -(-m // ROWS), -(-n // width)
    rows, columns = -(-m // block[0]), -(-n // block[1])
    if n >= WIDE * threads:
        rows = 1
    if rows * columns % threads:  # every thread should get as many tasks
        if columns <= threads <= panels:
            columns = threads
        elif panels > columns and -(-columns // threads) * threads <= panels:
            columns = -(-columns // threads) * threads
        else:
            rows = min(-(-rows // threads) * threads, strips)
    copied = strips - m // ROWS if a_step == itemsize else strips
    packed = (copied * ROWS + panels * width) * itemsize
    span = k if packed * k <= SPAN_BYTES else max(DEPTH, SPAN_BYTES // packed // DEPTH * DEPTH)
    return span, rows, columns, -(-block[0] // ROWS), panels, copied
