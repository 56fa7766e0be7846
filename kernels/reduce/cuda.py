"""Launches of ``csrc/kernels/reduce.cu`` (which of its kernels a reduction takes) and ``reduce_{search,spread}.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check
from ..columns_launch import Plan, plan
from ..cuda_launch import (
    BLOCK,
    SHORT_ROW,
    WARP,
    blocks,
    contiguous,
    empty,
    held,
    launch,
    planes,
    planes_in_place,
    rows_of,
    size,
    threads_for,
    written,
)
from ..dtypes import accumulator, int32, int64, is_floating

Array = Any

_FEW = 128  # blocks: fewer leave most of a GPU idle
_CHUNK = 4096  # elements: at least so many for one block of a partial kernel
_ROWS = 8  # kRows of reduce.cu
_MOST_THREADS = 1024  # of a block that holds a row of reduce_spread.cu


def _chunks(results_blocks: int, n: int) -> int:
    """Into how many pieces the reduced dimension is cut, so that blocks enough have something to do."""
    return 1 if results_blocks >= _FEW else max(1, min(n // _CHUNK, _FEW // results_blocks))


def _reduce(name: str, x: Array, dim: Any, out: Array, partial: np.dtype[Any]) -> None:
    if out.size == 0:
        return
    dims = check.dims(name, dim, x.ndim)
    if (sides := _both_sides(x, dims)) is not None:
        _reduce_sides(name, contiguous(x), *sides, out, partial)
        return
    flat, outer, n, inner = planes(x, dims)
    if n == 0:  # a sum of nothing: its one warp a result reads no element
        outer, inner = out.size, 1
    first = "sum" if name == "mean" else name
    with written(out) as result:
        if inner == 1 and n <= SHORT_ROW:
            launch("reduce", f"{name}_short", x.dtype, blocks(outer, BLOCK // WARP), BLOCK, flat, result, outer, n)
            return
        count = blocks(outer if inner == 1 else outer * -(-inner // WARP), 1)
        chunks = _chunks(count, n)
        shape: tuple[int, ...] = (outer, n) if inner == 1 else (outer, n, inner)
        kind, block = ("rows", (BLOCK, 1)) if inner == 1 else ("columns", (WARP, _ROWS))
        if chunks == 1:
            launch("reduce", f"{name}_{kind}", x.dtype, count, block, flat, result, *shape)
            return
        chunk = -(-n // chunks)
        chunks = -(-n // chunk)
        parts = empty((out.size, chunks), partial, like=out)
        launch("reduce", f"{first}_partial_{kind}", x.dtype, (count, chunks), block, flat, parts, *shape, chunk)
        grid = blocks(out.size, BLOCK // WARP)
        launch("reduce", f"{name}_final", x.dtype, grid, BLOCK, parts, result, out.size, chunks, n)


def _both_sides(x: Array, dims: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(outer, kept, inner) of an array whose first and last dimensions are reduced and those between are not."""
    many = [d for d in range(x.ndim) if x.shape[d] != 1]
    kept = [d for d in many if d not in dims]
    if not kept or x.size == 0 or not (many[0] < kept[0] and kept[-1] < many[-1]):
        return None
    if {d for d in many if kept[0] < d < kept[-1]} & set(dims) or not x.flags.c_contiguous:
        return None
    return size(x.shape[: kept[0]]), size(x.shape[kept[0] : kept[-1] + 1]), size(x.shape[kept[-1] + 1 :])


def _reduce_sides(name: str, x: Array, outer: int, kept: int, inner: int, out: Array, partial: np.dtype[Any]) -> None:
    """First the rows behind what is kept, then what is left of the dimensions before it."""
    first = "sum" if name == "mean" else name
    parts = empty((outer * kept, 1), partial, like=out)
    grid = (blocks(outer * kept, 1), 1)
    launch("reduce", f"{first}_partial_rows", x.dtype, grid, BLOCK, x, parts, outer * kept, inner, inner)
    columns = contiguous(parts.reshape(outer, kept).T)
    with written(out) as result:
        count = outer * inner
        launch(
            "reduce", f"{name}_final", x.dtype, blocks(kept, BLOCK // WARP), BLOCK, columns, result, kept, outer, count
        )


def sum(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("sum", x, dim, out, accumulator(x.dtype) if is_floating(x.dtype) else int64)


def mean(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("mean", x, dim, out, accumulator(x.dtype))


def _extremum(name: str, x: Array, dim: Any, out: Array) -> None:
    floating = is_floating(x.dtype)
    _reduce(name, x, dim, out, accumulator(x.dtype) if floating else int32 if x.dtype.itemsize < 4 else x.dtype)


def amax(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _extremum("amax", x, dim, out)


def amin(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _extremum("amin", x, dim, out)


def prod(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("prod", x, dim, out, accumulator(x.dtype) if is_floating(x.dtype) else int64)


def any(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("any", x, dim, out, int32)


def all(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("all", x, dim, out, int32)


def _columns(x: Array, dims: tuple[int, ...]) -> Plan | None:
    """The launch over columns of an array as it lies; None for what kernels of rows take."""
    lies = planes_in_place(x, dims)
    return plan(lies, 1, x.dtype.itemsize) if lies is not None and lies[1] > 0 else None


def _search(name: str, x: Array, dim: int | None, out: Array) -> None:
    if out.size == 0:
        return
    if (columns := _columns(x, check.dims(name, dim, x.ndim))) is not None:
        with written(out) as result:
            launch("reduce_search", f"{name}_columns", x.dtype, columns.grid, columns.block, columns.at, x, result)
        return
    flat, rows, n = rows_of(x, check.dims(name, dim, x.ndim))
    with written(out) as result:
        launch("reduce_search", name, x.dtype, blocks(rows, 1), threads_for(n), flat, result, rows, n)


def argmax(x: Array, *, dim: int | None = None, keepdim: bool = False, out: Array) -> None:
    _search("argmax", x, dim, out)


def argmin(x: Array, *, dim: int | None = None, keepdim: bool = False, out: Array) -> None:
    _search("argmin", x, dim, out)


def _spread(x: Array, dim: Any, correction: float, root: bool, out: Array) -> None:
    if out.size == 0:
        return
    dims = check.dims("var", dim, x.ndim)
    divisor = max(size([x.shape[d] for d in dims]) - float(correction), 0.0)
    if (columns := _columns(x, dims)) is not None:
        kind = "held" if columns.holds(held(x.dtype)) else "long"
        with written(out) as result:
            of_columns = (columns.at, x, result, divisor, root)
            launch("reduce_spread", f"variance_columns_{kind}", x.dtype, columns.grid, columns.block, *of_columns)
        return
    flat, _, n = rows_of(x, dims)
    with written(out) as result:
        # Of nothing each result is NaN: there are as many rows as results, of no element.
        arguments = (flat, result, out.size, n, divisor, root)
        team = max(1, -(-n // (held(x.dtype) * WARP))) * WARP
        kind, grid, threads = "long", blocks(out.size, 1), BLOCK
        if team == WARP:
            kind, grid = "warp", blocks(out.size, BLOCK // WARP)
        elif team <= _MOST_THREADS:
            kind, threads = "block", team
        launch("reduce_spread", f"variance_{kind}", x.dtype, grid, threads, *arguments)


def var(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False, out: Array) -> None:
    _spread(x, dim, correction, False, out)


def std(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False, out: Array) -> None:
    _spread(x, dim, correction, True, out)
