"""Launches of ``csrc/kernels/scan.cu``, and which of its kernels a cumulative sum takes."""

from __future__ import annotations

from typing import Any

from .. import check
from ..cuda_launch import BLOCK, SHORT_ROW, WARP, blocks, contiguous, copy, empty, launch, size, written
from ..dtypes import accumulator, int64, is_floating

Array = Any

_ENOUGH = 512  # blocks that fill a GPU
_CHUNK = 8192  # elements of a chunk at least: a multiple of all tiles
_NARROW = 8  # columns that a wide access would be wasted on


def cumsum(x: Array, *, dim: int, out: Array) -> None:
    _scan(x, check.dim("cumsum", dim, x.ndim), "", out)


def cumsum_backward(grad: Array, *, dim: int, out: Array) -> None:
    _scan(grad, check.dim("cumsum_backward", dim, grad.ndim), "_reverse", out)


def _scan(x: Array, axis: int, direction: str, out: Array) -> None:
    if out.size == 0:
        return
    outer, n, inner = size(x.shape[:axis]), x.shape[axis] if x.ndim else 1, size(x.shape[axis + 1 :])
    if 1 < inner < _NARROW:
        order = [*(d for d in range(x.ndim) if d != axis), axis]
        source, target = x.transpose(order), out.transpose(order)
        result = empty(target.shape, target.dtype, like=target)
        _rows(contiguous(source), result, outer * inner, n, direction)
        copy(result, target)
        return
    with written(out) as result:
        if inner == 1:
            _rows(contiguous(x), result, outer, n, direction)
        else:
            _columns(contiguous(x), result, outer, n, inner, direction)


def _chunk(n: int, among: int) -> int:
    """Elements of a chunk: all, or so many that blocks enough have something to do."""
    chunks = min(n // _CHUNK, _ENOUGH // among)
    return n if chunks < 2 else -(-n // (chunks * _CHUNK)) * _CHUNK


def _rows(x: Array, out: Array, rows: int, n: int, direction: str) -> None:
    if n <= SHORT_ROW:
        launch("scan", f"rows_short{direction}", x.dtype, blocks(rows, BLOCK // WARP), BLOCK, x, out, rows, n)
        return
    chunk = _chunk(n, rows)
    grid = (blocks(rows, 1), -(-n // chunk))
    starts = None
    if grid[1] > 1:
        starts = _totals(x, rows, grid[1])
        launch("scan", f"rows_totals{direction}", x.dtype, grid, BLOCK, x, starts, rows, n, chunk)
        launch("scan", "starts", x.dtype, blocks(rows, BLOCK // WARP), BLOCK, starts, rows, grid[1])
    launch("scan", f"rows_long{direction}", x.dtype, grid, BLOCK, x, out, rows, n, chunk, starts)


def _columns(x: Array, out: Array, outer: int, n: int, inner: int, direction: str) -> None:
    columns = outer * inner
    across = blocks(columns, BLOCK)
    chunks = min(n // WARP, _ENOUGH // across)
    chunk = n if chunks < 2 else -(-n // chunks)
    grid = (across, -(-n // chunk))
    starts = None
    if grid[1] > 1:
        starts = _totals(x, columns, grid[1])
        launch("scan", f"columns_totals{direction}", x.dtype, grid, BLOCK, x, starts, outer, n, inner, chunk)
        launch("scan", "starts", x.dtype, blocks(columns, BLOCK // WARP), BLOCK, starts, columns, grid[1])
    launch("scan", f"columns{direction}", x.dtype, grid, BLOCK, x, out, outer, n, inner, chunk, starts)


def _totals(x: Array, rows: int, chunks: int) -> Array:
    return empty((rows, chunks), accumulator(x.dtype) if is_floating(x.dtype) else int64, like=x)
