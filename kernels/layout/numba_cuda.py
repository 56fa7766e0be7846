"""Moving elements with Numba's CUDA target: strided copies, and a kernel for triangles of matrices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from .. import check
from ..numba_launch import copy, cuda, flat, flat_grid, kernel, written
from .contract import axes

Array = Any


def cat(arrays: Sequence[Array], *, dim: int, out: Array) -> None:
    axis, start = check.dim("cat", dim, out.ndim), 0
    for each in arrays:
        if each.size:
            end = start + each.shape[axis]
            copy(each, out[(slice(None),) * axis + (slice(start, end),)])
            start = end


def flip(x: Array, *, dims: Any, out: Array) -> None:
    flipped = axes("flip", dims, x.ndim) if x.ndim else ()
    copy(x[tuple(slice(None, None, -1 if d in flipped else 1) for d in range(x.ndim))], out)


def roll(x: Array, *, shifts: Any, dims: Any = None, out: Array) -> None:
    if out.size == 0:
        return
    several = shifts if isinstance(shifts, (tuple, list)) else (shifts,)
    if dims is None:
        with written(out) as result:
            _roll(flat(x), several, (0,), result)
    else:
        _roll(x, several, axes("roll", dims, x.ndim), out)


def _roll(x: Array, shifts: Sequence[Any], dims: Sequence[int], out: Array) -> None:
    amounts = [0] * x.ndim
    for shift, dim in zip(shifts, dims, strict=True):
        amounts[dim] += int(shift)
    pieces = []  # of each dimension: where from, where to
    for n, amount in zip(x.shape, amounts, strict=True):
        k = amount % n
        whole = (slice(None), slice(None))
        pieces.append([(slice(0, n - k), slice(k, n)), (slice(n - k, n), slice(0, k))] if k else [whole])
    for parts in itertools.product(*pieces):
        copy(x[tuple(each for each, _ in parts)], out[tuple(each for _, each in parts)])


@kernel
def triangle(x: Array, out: Array, count: int, rows: int, columns: int, diagonal: int, lower: bool) -> None:
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        below = i % columns - i // columns % rows <= diagonal
        above = i % columns - i // columns % rows >= diagonal
        out[i] = x[i] if (below if lower else above) else 0


def _triangle(x: Array, diagonal: int, lower: bool, out: Array) -> None:
    if out.size:
        with written(out) as result:
            triangle[flat_grid(out.size)](flat(x), result, out.size, *out.shape[-2:], int(diagonal), lower)


def tril(x: Array, *, diagonal: int = 0, out: Array) -> None:
    _triangle(x, diagonal, True, out)


def triu(x: Array, *, diagonal: int = 0, out: Array) -> None:
    _triangle(x, diagonal, False, out)
