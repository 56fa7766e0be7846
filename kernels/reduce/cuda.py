"""Launches of ``csrc/kernels/reduce.cu`` (which of its kernels a reduction takes) and ``reduce_{search,spread}.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check, memory
from ..cuda_launch import BLOCK, blocks, contiguous, launch, written
from ..cuda_launch import size as _size
from ..dtypes import accumulator, int32, int64, is_floating

Array = Any

_WARP = 32
_SHORT = 1024  # elements: a row that one warp reduces
_FEW = 128  # blocks: fewer leave most of a GPU idle
_CHUNK = 4096  # elements: at least so many for one block of a partial kernel
_ROWS = 8  # kRows of reduce.cu


def _planes(x: Array, dims: tuple[int, ...]) -> tuple[Array, int, int, int]:
    """``x`` as contiguous (outer, n, inner) with n reduced; copied where its layout does not allow that."""
    many = [d for d in dims if x.shape[d] != 1]
    if x.flags.c_contiguous and (not many or many == list(range(many[0], many[-1] + 1))):
        first, last = (many[0], many[-1] + 1) if many else (x.ndim, x.ndim)
        return x, _size(x.shape[:first]), _size(x.shape[first:last]), _size(x.shape[last:])
    kept = [d for d in range(x.ndim) if d not in dims]
    n = _size([x.shape[d] for d in dims])
    return contiguous(x.transpose(*kept, *dims)), x.size // max(n, 1), n, 1


def _chunks(results_blocks: int, n: int) -> int:
    """Into how many pieces the reduced dimension is cut, so that blocks enough have something to do."""
    return 1 if results_blocks >= _FEW else max(1, min(n // _CHUNK, _FEW // results_blocks))


def _reduce(name: str, x: Array, dim: Any, out: Array, partial: np.dtype[Any]) -> None:
    if out.size == 0:
        return
    dims = check.dims(name, dim, x.ndim)
    flat, outer, n, inner = _planes(x, dims)
    if n == 0:  # a sum of nothing: its one warp a result reads no element
        outer, inner = out.size, 1
    first = "sum" if name == "mean" else name
    with written(out) as result:
        if inner == 1 and n <= _SHORT:
            launch("reduce", f"{name}_short", x.dtype, blocks(outer, BLOCK // _WARP), BLOCK, flat, result, outer, n)
            return
        count = blocks(outer if inner == 1 else outer * -(-inner // _WARP), 1)
        chunks = _chunks(count, n)
        shape: tuple[int, ...] = (outer, n) if inner == 1 else (outer, n, inner)
        kind, block = ("rows", (BLOCK, 1)) if inner == 1 else ("columns", (_WARP, _ROWS))
        if chunks == 1:
            launch("reduce", f"{name}_{kind}", x.dtype, count, block, flat, result, *shape)
            return
        chunk = -(-n // chunks)
        chunks = -(-n // chunk)
        parts = memory.empty((out.size, chunks), partial)
        launch("reduce", f"{first}_partial_{kind}", x.dtype, (count, chunks), block, flat, parts, *shape, chunk)
        grid = blocks(out.size, BLOCK // _WARP)
        launch("reduce", f"{name}_final", x.dtype, grid, BLOCK, parts, result, out.size, chunks, n)


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


def _rows(x: Array, dims: tuple[int, ...]) -> tuple[Array, int, int]:
    """``x`` as contiguous (rows, n) with ``dims`` in n; a copy where its layout is another."""
    flat, outer, n, inner = _planes(x, dims)
    if inner == 1:
        return flat, outer, n
    kept = [d for d in range(x.ndim) if d not in dims]
    return contiguous(x.transpose(*kept, *dims)), outer * inner, n


def _threads(n: int) -> int:
    """Threads of a block that takes a row."""
    return _WARP if n <= _SHORT // 4 else BLOCK


def _search(name: str, x: Array, dim: int | None, out: Array) -> None:
    if out.size == 0:
        return
    flat, rows, n = _rows(x, check.dims(name, dim, x.ndim))
    with written(out) as result:
        launch("reduce_search", name, x.dtype, blocks(rows, 1), _threads(n), flat, result, rows, n)


def argmax(x: Array, *, dim: int | None = None, keepdim: bool = False, out: Array) -> None:
    _search("argmax", x, dim, out)


def argmin(x: Array, *, dim: int | None = None, keepdim: bool = False, out: Array) -> None:
    _search("argmin", x, dim, out)


def _spread(x: Array, dim: Any, correction: float, root: bool, out: Array) -> None:
    if out.size == 0:
        return
    flat, _, n = _rows(x, check.dims("var", dim, x.ndim))
    divisor = max(n - float(correction), 0.0)
    with written(out) as result:
        # Of nothing each result is NaN: there are as many rows as results, of no element.
        arguments = (flat, result, out.size, n, divisor, root)
        launch("reduce_spread", "variance", x.dtype, blocks(out.size, 1), _threads(n), *arguments)


def var(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False, out: Array) -> None:
    _spread(x, dim, correction, False, out)


def std(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False, out: Array) -> None:
    _spread(x, dim, correction, True, out)
