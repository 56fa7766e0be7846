"""The matrix product on a CPU, one idea a rung: from three loops to the kernel that the package ships.

Each rung is a function ``rung(a, b, out)`` of C-contiguous ``a`` (M, K), ``b`` (K, N) and ``out`` (M, N), all float32
or all float64, of any size. `RUNGS` has them in order; ``python -m bench.bench_ladder`` times them beside OpenBLAS.
What the ideas do is told of float32 and 1024 x 1024 matrices: 4 MiB each, beyond the second-level cache.

Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit import jit
from ..microkernel import panel_tile
from ..routine import data
from ..simd import ROWS, TILE_BYTES, simd_jit
from . import numba_cpu

Array = np.ndarray[Any, Any]

LINES = 128
"""Rows of ``b`` in a block: 512 KiB of 1024 columns, half of a second-level cache."""

DEPTH = 256
"""Inner places of a block: a panel of ``b`` so deep, 32 columns wide, fills the first-level cache."""

COLUMNS = 512
"""Columns of a block of ``b`` that is copied: 512 KiB with `DEPTH` rows."""


@jit
def naive(a: Array, b: Array, out: Array) -> None:
    """A result at a time, as the definition has it.

    ``b`` is walked down its columns: each element comes with a cache line of which nothing else is used before it
    is thrown out again. The processor waits for memory.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total = out.dtype.type(0)
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@jit
def loop_order(a: Array, b: Array, out: Array) -> None:
    """The same loops with the one over columns inside.

    Now rows of ``b`` and ``out`` are walked along, whole cache lines and whole vectors at a time. All of ``b`` is still
    read from memory once for each row of ``a``.
    """
    for i in range(out.shape[0]):
        row = out[i]
        row[:] = 0
        for k in range(a.shape[1]):
            x = a[i, k]
            for j in range(row.size):
                row[j] += x * b[k, j]


@jit
def blocked(a: Array, b: Array, out: Array) -> None:
    """A few rows of ``b`` at a time, which stay in the second-level cache while all rows of ``a`` pass over them.

    Memory is out of the way. Each product still loads and stores an element of ``out``: what limits is how many loads
    and stores the processor does in a cycle.
    """
    out[:] = 0
    for begin in range(0, a.shape[1], LINES):
        of_a, of_b = a[:, begin : begin + LINES], b[begin : begin + LINES]
        for i in range(out.shape[0]):
            row = out[i]
            for k in range(of_b.shape[0]):
                x = of_a[i, k]
                for j in range(row.size):
                    row[j] += x * of_b[k, j]


@jit
def packed(a: Array, b: Array, out: Array) -> None:
    """A block of ``b`` is copied first, and four of its rows are added to a row of ``out`` together.

    The copy lies in one piece: no two of its lines compete for a place in the cache, and its pages are few. An element
    of ``out`` is now loaded and stored once for four products.
    """
    out[:] = 0
    block = np.empty((DEPTH, COLUMNS), b.dtype)
    for first in range(0, out.shape[1], COLUMNS):
        last = min(first + COLUMNS, out.shape[1])
        for begin in range(0, a.shape[1], DEPTH):
            end = min(begin + DEPTH, a.shape[1])
            for k in range(begin, end):
                block[k - begin, : last - first] = b[k, first:last]
            whole = (end - begin) // 4 * 4
            for i in range(out.shape[0]):
                row = out[i, first:last]
                for k in range(0, whole, 4):
                    x0, x1 = a[i, begin + k], a[i, begin + k + 1]
                    x2, x3 = a[i, begin + k + 2], a[i, begin + k + 3]
                    b0, b1, b2, b3 = block[k], block[k + 1], block[k + 2], block[k + 3]
                    for j in range(row.size):
                        row[j] += x0 * b0[j] + x1 * b1[j] + x2 * b2[j] + x3 * b3[j]
                for k in range(whole, end - begin):
                    x, of_b = a[i, begin + k], block[k]
                    for j in range(row.size):
                        row[j] += x * of_b[j]


@simd_jit
def _register_tile(a: Array, a_at: int, b: Array, b_at: int, out: Array, out_at: int) -> None:
    size = out.itemsize
    (m, n), inner, like = out.shape, a.shape[1], out.dtype.type(0)
    width = TILE_BYTES // size
    panel, strip, tile = (
        np.empty((DEPTH, width), out.dtype), np.empty((ROWS, DEPTH), out.dtype), np.empty((ROWS, width), out.dtype),
    )  # fmt: skip
    out[:] = 0
    for column in range(0, n, width):
        columns = min(width, n - column)
        for begin in range(0, inner, DEPTH):
            depth = min(DEPTH, inner - begin)
            panel[:depth, columns:] = 0
            for k in range(depth):
                panel[k, :columns] = b[begin + k, column : column + columns]
            for row in range(0, m, ROWS):
                rows = min(ROWS, m - row)
                from_a = a_at + (row * inner + begin) * size
                from_row = inner * size
                if rows < ROWS:
                    strip[rows:] = 0
                    strip[:rows, :depth] = a[row : row + rows, begin : begin + depth]
                    from_a, from_row = strip.ctypes.data, DEPTH * size
                if rows == ROWS and columns == width:
                    to = out_at + (row * n + column) * size
                    panel_tile(like, depth, from_a, from_row, size, panel.ctypes.data, TILE_BYTES, to, n * size, 1)
                    continue
                panel_tile(
                    like, depth, from_a, from_row, size, panel.ctypes.data, TILE_BYTES, tile.ctypes.data, TILE_BYTES, 0
                )
                out[row : row + rows, column : column + columns] += tile[:rows, :columns]


def register_tile(a: Array, b: Array, out: Array) -> None:
    """A tile of results stays in vector registers over a whole panel of ``b``: the micro-kernel, on one thread.

    For each vector of ``b`` that is loaded, all rows of the tile are multiplied. No compiler makes that of loops: the
    tile is written in LLVM's vectors (`pyneural.kernels.microkernel`). What limits is how many multiply-adds the
    processor does in a cycle.
    """
    _register_tile(a, data(a), b, data(b), out, data(out))


def parallel(a: Array, b: Array, out: Array) -> None:
    """The same micro-kernel on all threads, each with its own blocks of results: the kernel that the package ships."""
    numba_cpu.matmul(a, b, out=out)


Rung = Callable[[Array, Array, Array], None]
RUNGS: dict[str, Rung] = {
    "naive loops": naive,
    "loop order": loop_order,
    "blocking": blocked,
    "packing": packed,
    "register tile": register_tile,
    "parallel": parallel,
}
