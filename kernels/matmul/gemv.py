"""Matrix by vector at the speed of memory: ``out = a @ x``, every item of ``a`` read once."""

from __future__ import annotations

from typing import Any

from numba import prange

from ..jit import SERIAL, jit

Array = Any

CHUNK = 1024
"""Results that one task keeps in its first cache while it walks along the inner dimension."""

BLOCK = 256
"""Terms summed before they join the total: rounding errors grow with the blocks, not with the terms."""


@jit
def _dots(a: Array, x: Array, out: Array, begin: int, end: int) -> None:
    for i in range(begin, end):
        row = a[i]
        total = out.dtype.type(0)
        for k in range(row.size):
            total += row[k] * x[k]
        out[i] = total


@jit
def _combination(columns: Array, x: Array, out: Array, begin: int, end: int) -> None:
    total = out[begin:end]
    total[:] = 0
    block = total.copy()
    for start in range(0, x.size, BLOCK):
        block[:] = 0
        for k in range(start, min(start + BLOCK, x.size)):
            factor = x[k]
            column = columns[k, begin:end]
            for i in range(block.size):
                block[i] += factor * column[i]
        for i in range(block.size):
            total[i] += block[i]


@jit(parallel=True)  # type: ignore[untyped-decorator]
def gemv_rows(a: Array, x: Array, out: Array) -> None:
    """``out = a @ x`` of ``a`` (M, K) with contiguous rows, ``x`` (K,), ``out`` (M,)."""
    m = a.shape[0]
    if a.size < SERIAL:
        _dots(a, x, out, 0, m)
    else:
        chunks = min(m, 64)
        for chunk in prange(chunks):
            _dots(a, x, out, chunk * m // chunks, (chunk + 1) * m // chunks)


@jit(parallel=True)  # type: ignore[untyped-decorator]
def gemv_columns(columns: Array, x: Array, out: Array) -> None:
    """``out = columns.T @ x`` of ``columns`` (K, M) with contiguous rows, ``x`` (K,), ``out`` (M,)."""
    m = columns.shape[1]
    if columns.size < SERIAL:
        for begin in range(0, m, CHUNK):
            _combination(columns, x, out, begin, min(begin + CHUNK, m))
    else:
        chunks = max((m + CHUNK - 1) // CHUNK, min(8, (m + 63) // 64))
        for chunk in prange(chunks):
            _combination(columns, x, out, chunk * m // chunks, (chunk + 1) * m // chunks)
