"""Blocked matrix products on the micro-kernel: one serial kernel for small ones, one parallel for large.

``out`` is contiguous; ``a`` and ``b`` are addresses with strides in bytes, so that transposed and
stepped operands are packed from where they lie.
Blocking as in Goto and van de Geijn (2008): a panel of ``b`` stays in the first cache while panels of
``a`` stream past it, ``DEPTH`` long.
"""

from __future__ import annotations

from typing import Any

from numba import prange

from ..jit import jit
from ..microkernel import panel_tile, panel_tile_narrow
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES, copy_vector, itemsize, load, simd_jit, store, transpose
from .epilogue import finish

Array = Any


@jit
def addresses(a: Array, b: Array) -> tuple[int, int]:
    """Where two arrays begin; `numpy.ndarray.ctypes` takes eight times as long."""
    return a.ctypes.data, b.ctypes.data


DEPTH = 256
"""Inner size of a block: one panel of ``b`` is then 32 KiB at 512-bit vectors, two thirds of a first cache."""


@simd_jit
def pack_b(like: Any, b: int, b_row: int, b_column: int, depth: int, columns: int, target: int) -> None:
    """Copy ``b[:depth, :columns]`` to rows of one tile's width at ``target``, zeros behind the last column."""
    size: int = itemsize(like)
    lanes, width = VECTOR_BYTES // size, TILE_BYTES // size
    done = 0  # columns copied as whole vectors
    if b_column == size:
        done = columns // lanes * lanes
        for k in range(depth):
            for j in range(0, done, lanes):
                copy_vector(like, b + k * b_row + j * size, target + k * TILE_BYTES + j * size)
    elif b_row == size:
        done = columns // lanes * lanes
        squares = depth // lanes * lanes
        for j in range(0, done, lanes):
            for k in range(0, squares, lanes):
                transpose(like, b + k * size + j * b_column, b_column, target + k * TILE_BYTES + j * size, TILE_BYTES)
        for k in range(squares, depth):
            for j in range(done):
                store(load(like, b + k * size + j * b_column), target + k * TILE_BYTES + j * size)
    for k in range(depth):
        for j in range(done, columns):
            store(load(like, b + k * b_row + j * b_column), target + k * TILE_BYTES + j * size)
        for j in range(columns, width):
            store(like, target + k * TILE_BYTES + j * size)


@simd_jit
def pack_a(like: Any, a: int, a_row: int, a_step: int, rows: int, depth: int, target: int) -> None:
    """Copy ``a[:rows, :depth]`` to ``target``, zeros behind the last row.

    Row by row (stride ``depth`` items) where rows are contiguous in memory, else ``ROWS`` items for each step.
    """
    size: int = itemsize(like)
    lanes = VECTOR_BYTES // size
    if a_step == size:
        vectors = depth // lanes * lanes
        for i in range(rows):
            for k in range(0, vectors, lanes):
                copy_vector(like, a + i * a_row + k * size, target + (i * depth + k) * size)
            for k in range(vectors, depth):
                store(load(like, a + i * a_row + k * size), target + (i * depth + k) * size)
        for k in range(rows * depth, ROWS * depth):
            store(like, target + k * size)
    else:
        for k in range(depth):
            for i in range(rows):
                store(load(like, a + i * a_row + k * a_step), target + (k * ROWS + i) * size)
            for i in range(rows, ROWS):
                store(like, target + (k * ROWS + i) * size)


@simd_jit
def _tile(
    out: Array,
    edge: Array,
    depth: int,
    a: int,
    a_row: int,
    a_step: int,
    b: int,
    b_step: int,
    first: int,
    stride: int,
    rows: int,
    columns: int,
    accumulate: int,
) -> None:
    """One tile into ``out[first + i*stride + j]``; at an edge by way of ``edge``, which holds a whole tile."""
    like = out.dtype.type(0)
    width = TILE_BYTES // out.itemsize
    c = out.ctypes.data + first * out.itemsize
    if rows == ROWS and columns == width:
        panel_tile(like, depth, a, a_row, a_step, b, b_step, c, stride * out.itemsize, accumulate)
        return
    if columns * out.itemsize <= VECTOR_BYTES:
        panel_tile_narrow(like, depth, a, a_row, a_step, b, b_step, edge.ctypes.data, TILE_BYTES, 0)
    else:
        panel_tile(like, depth, a, a_row, a_step, b, b_step, edge.ctypes.data, TILE_BYTES, 0)
    for i in range(rows):
        for j in range(columns):
            if accumulate:
                out[first + i * stride + j] += edge[i * width + j]
            else:
                out[first + i * stride + j] = edge[i * width + j]


@simd_jit
def gemm_serial(
    out: Array,
    offset: int,
    workspace: Array,
    m: int,
    n: int,
    k: int,
    a: int,
    a_row: int,
    a_step: int,
    b: int,
    b_row: int,
    b_column: int,
) -> None:
    """``a @ b`` on this thread into ``out[offset:]``; ``workspace`` as `serial_items` says."""
    like, size = out.dtype.type(0), out.itemsize
    width = TILE_BYTES // size
    edge = workspace[: ROWS * width]
    packed_b = workspace.ctypes.data + ROWS * TILE_BYTES
    packed_a = packed_b + min(k, DEPTH) * TILE_BYTES
    for column in range(0, n, width):
        columns = min(width, n - column)
        for start in range(0, max(k, 1), DEPTH):  # an inner size of 0 still writes zeros
            depth = min(DEPTH, k - start)
            panel, panel_step = b + start * b_row + column * b_column, b_row
            if b_column != size or columns < width:
                pack_b(like, panel, b_row, b_column, depth, columns, packed_b)
                panel, panel_step = packed_b, TILE_BYTES
            for row in range(0, m, ROWS):
                rows = min(ROWS, m - row)
                strip, strip_row, strip_step = a + row * a_row + start * a_step, a_row, a_step
                if rows < ROWS:
                    pack_a(like, strip, a_row, a_step, rows, depth, packed_a)
                    strip = packed_a
                    if a_step == size:
                        strip_row, strip_step = depth * size, size
                    else:
                        strip_row, strip_step = size, ROWS * size
                _tile(
                    out, edge, depth, strip, strip_row, strip_step, panel, panel_step,
                    offset + row * n + column, n, rows, columns, start,
                )  # fmt: skip


def serial_items(k: int, itemsize: int) -> int:
    """Items of the workspace of `gemm_serial`: a tile for the edges, a panel of ``b``, a strip of ``a``."""
    width = TILE_BYTES // itemsize
    return ROWS * width + min(k, DEPTH) * (width + ROWS)


@simd_jit
def _block(
    out: Array,
    edge: Array,
    m: int,
    n: int,
    length: int,
    a: int,
    a_row: int,
    packed_a: int,
    packed_b: int,
    by_rows: bool,
    whole: int,
    strips: tuple[int, int],
    panels: tuple[int, int],
    accumulate: bool,
    last: bool,
    bias: Array,
    activation: int,
) -> None:
    """The tiles of some strips of ``a`` by some panels of ``b``, over the packed part of the inner dimension.

    The first ``whole`` strips are read where they lie, rows ``a_row`` apart; the others are packed, ``by_rows``
    or by steps.
    """
    size = out.itemsize
    width = TILE_BYTES // size
    for start in range(0, length, DEPTH):
        depth = min(DEPTH, length - start)
        for panel in range(panels[0], panels[1]):
            column = panel * width
            columns = min(width, n - column)
            b = packed_b + (panel * length + start) * TILE_BYTES
            for strip in range(strips[0], strips[1]):
                row = strip * ROWS
                rows, step = a_row, size
                address = a + row * a_row + start * size
                if strip >= whole:
                    address = packed_a + ((strip - whole) * length + start) * ROWS * size
                    rows, step = (depth * size, size) if by_rows else (size, ROWS * size)
                _tile(
                    out, edge, depth, address, rows, step, b, TILE_BYTES,
                    row * n + column, n, min(ROWS, m - row), columns, int(accumulate or start > 0),
                )  # fmt: skip
            if last and start + depth == length and (bias.size or activation):
                row = strips[0] * ROWS
                rows = min(strips[1] * ROWS, m) - row
                finish(out, n, row * n + column, rows, column, columns, bias, activation)


@simd_jit(parallel=True)  # type: ignore[untyped-decorator]
def gemm_parallel(
    out: Array,
    workspace: Array,
    m: int,
    n: int,
    k: int,
    a: int,
    a_row: int,
    a_step: int,
    b: int,
    b_row: int,
    b_column: int,
    bias: Array,
    activation: int,
    span: int,
    grid_rows: int,
    grid_columns: int,
) -> None:
    """One product on all threads: pack ``span`` of the inner dimension, then compute a grid of blocks."""
    like, size = out.dtype.type(0), out.itemsize
    width = TILE_BYTES // size
    strips, panels = (m + ROWS - 1) // ROWS, (n + width - 1) // width
    tile = ROWS * width
    packed_b = workspace.ctypes.data + grid_rows * grid_columns * ROWS * TILE_BYTES
    packed_a = packed_b + panels * span * TILE_BYTES
    # Strips of contiguous rows need no copy, but for the last one if rows are missing.
    by_rows = a_step == size
    whole = m // ROWS if by_rows else 0
    for begin in range(0, k, span):
        length = min(span, k - begin)
        for panel in prange(panels):
            column = panel * width
            pack_b(
                like, b + begin * b_row + column * b_column, b_row, b_column, length, min(width, n - column),
                packed_b + panel * length * TILE_BYTES,
            )  # fmt: skip
        for strip in prange(strips - whole):
            row = (whole + strip) * ROWS
            for start in range(0, length, DEPTH):
                pack_a(
                    like, a + row * a_row + (begin + start) * a_step, a_row, a_step, min(ROWS, m - row),
                    min(DEPTH, length - start), packed_a + (strip * length + start) * ROWS * size,
                )  # fmt: skip
        for task in prange(grid_rows * grid_columns):
            i, j = task % grid_rows, task // grid_rows
            _block(
                out, workspace[task * tile : (task + 1) * tile], m, n, length,
                a + begin * a_step, a_row, packed_a, packed_b, by_rows, whole,
                (i * strips // grid_rows, (i + 1) * strips // grid_rows),
                (j * panels // grid_columns, (j + 1) * panels // grid_columns),
                begin > 0, begin + length == k, bias, activation,
            )  # fmt: skip


BLOCK_ROWS, BLOCK_COLUMNS = 256, 512
"""Largest block of the result that one task computes: its strips of ``a`` fill a quarter of a second cache."""

SPAN_BYTES = 64 << 20
"""Bytes that packed copies of both operands may take."""


def parallel_plan(m: int, n: int, k: int, a_step: int, itemsize: int, threads: int) -> tuple[int, int, int, int]:
    """``span``, ``grid_rows``, ``grid_columns`` of `gemm_parallel` and the items of its workspace."""
    width = TILE_BYTES // itemsize
    strips, panels = -(-m // ROWS), -(-n // width)
    rows, columns = -(-m // BLOCK_ROWS), -(-n // BLOCK_COLUMNS)
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
    items = rows * columns * ROWS * width + span * (packed // itemsize)
    return span, rows, columns, items


@simd_jit(parallel=True)  # type: ignore[untyped-decorator]
def gemm_batch(
    out: Array,
    workspace: Array,
    chunks: int,
    m: int,
    n: int,
    k: int,
    a: int,
    a_offsets: Array,
    a_row: int,
    a_step: int,
    b: int,
    b_offsets: Array,
    b_row: int,
    b_column: int,
) -> None:
    """Many products, each on one thread; ``workspace`` holds `serial_items` for each of ``chunks`` tasks."""
    count = a_offsets.size
    items = workspace.size // chunks
    for chunk in prange(chunks):
        own = workspace[chunk * items : (chunk + 1) * items]
        for i in range(chunk * count // chunks, (chunk + 1) * count // chunks):
            gemm_serial(
                out, i * m * n, own, m, n, k, a + a_offsets[i], a_row, a_step,
                b + b_offsets[i], b_row, b_column,
            )  # fmt: skip
