"""Reductions with Numba's CUDA target: a block takes a row, and combines what its threads found in shared memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import check
from ..dtypes import is_floating
from ..numba_launch import THREADS, Kernel, cuda, device, planes, row_grid, square_root, written
from ..numba_launch import real_of as _real_of
from ..numba_rows import block_fold, block_sum, greatest, plus, row_start

Array = Any


def _times(a: Any, b: Any) -> Any:
    return a * b


def _least(a: Any, b: Any) -> Any:
    return a if a < b or a != a else b


@functools.cache
def _fold(name: str, combine: Callable[[Any, Any], Any], kind: Any, own: bool) -> Kernel:
    """A fold in the scalar type ``kind``, from an initial value or, where ``own``, from the row's first element.

    The result is divided by a number, which is 1 but for means.
    """
    both, block = device(combine), block_fold(combine)

    def fold(x: Array, out: Array, rows: int, n: int, inner: int, initial: Any, divisor: Any, divided: bool) -> None:
        shared = cuda.shared.array(THREADS, kind)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start = row_start(row, n, inner)
            value = kind(x[start]) if own else initial
            for i in range(cuda.threadIdx.x, n, THREADS):
                value = both(value, kind(x[start + i * inner]))
            value = block(value, shared)
            if cuda.threadIdx.x == 0:
                if divided:  # not in one expression, whose type would be a float: whole numbers would lose digits
                    out[row] = value / divisor
                else:
                    out[row] = value

    fold.__name__ = name
    return Kernel(fold)


def _reduce(
    name: str,
    combine: Callable[[Any, Any], Any],
    x: Array,
    dim: Any,
    out: Array,
    initial: int | None,
    mean: bool = False,
) -> None:
    if out.size == 0:
        return
    flat, rows, n, inner = planes(x, check.dims(name, dim, x.ndim))
    kind = _real_of(x.dtype) if is_floating(x.dtype) else np.int64
    with written(out) as result:
        run = _fold(name, combine, kind, initial is None)
        run[row_grid(rows)](flat, result, rows, n, inner, kind(initial or 0), kind(n if mean else 1), mean)


def sum(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("sum", plus, x, dim, out, 0)


def mean(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("mean", plus, x, dim, out, 0, mean=True)


def prod(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("prod", _times, x, dim, out, 1)


def amax(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("amax", greatest, x, dim, out, None)


def amin(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _reduce("amin", _least, x, dim, out, None)


@functools.cache
def _truth(every: bool) -> Kernel:
    """Whether any element is not zero, or every one: the other way round, whether none is zero."""

    def truth(x: Array, out: Array, rows: int, n: int, inner: int) -> None:
        shared = cuda.shared.array(THREADS, np.int32)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start = row_start(row, n, inner)
            found = np.int32(0)
            for i in range(cuda.threadIdx.x, n, THREADS):
                if (x[start + i * inner] == 0) == every:
                    found = np.int32(1)
            found = block_sum(found, shared)
            if cuda.threadIdx.x == 0:
                out[row] = (found == 0) == every

    truth.__name__ = "all" if every else "any"
    return Kernel(truth)


def _truths(name: str, x: Array, dim: Any, out: Array, every: bool) -> None:
    if out.size == 0:
        return
    flat, rows, n, inner = planes(x, check.dims(name, dim, x.ndim))
    with written(out) as result:
        _truth(every)[row_grid(rows)](flat, result, rows, n, inner)


def any(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _truths("any", x, dim, out, False)


def all(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _truths("all", x, dim, out, True)


@functools.cache
def _search(largest: bool, kind: Any) -> Kernel:
    """The first place of a row's extremum; NaN is beyond all numbers."""

    def beats(value: Any, at: int, other: Any, other_at: int) -> Any:
        """Whether a value at a place is to be taken before another, wherever that is."""
        if value != value or other != other:
            return (other == other) if value != value and other == other else (value != value and at < other_at)
        if value == other:
            return at < other_at
        return (value > other) == largest

    better = device(beats)

    def search(x: Array, out: Array, rows: int, n: int, inner: int) -> None:
        values = cuda.shared.array(THREADS, kind)
        places = cuda.shared.array(THREADS, np.int64)
        thread = cuda.threadIdx.x
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start = row_start(row, n, inner)
            value, at = kind(x[start]), 0
            for i in range(thread, n, THREADS):
                found = kind(x[start + i * inner])
                if better(found, i, value, at):
                    value, at = found, i
            cuda.syncthreads()
            values[thread], places[thread] = value, at
            cuda.syncthreads()
            half = THREADS // 2
            while half > 0:
                if thread < half and better(
                    values[thread + half], places[thread + half], values[thread], places[thread]
                ):
                    values[thread], places[thread] = values[thread + half], places[thread + half]
                cuda.syncthreads()
                half //= 2
            if thread == 0:
                out[row] = places[0]

    search.__name__ = "argmax" if largest else "argmin"
    return Kernel(search)


def _place(name: str, x: Array, dim: int | None, out: Array, largest: bool) -> None:
    if out.size == 0:
        return
    flat, rows, n, inner = planes(x, check.dims(name, dim, x.ndim))
    kind = _real_of(x.dtype) if is_floating(x.dtype) else np.int64
    with written(out) as result:
        _search(largest, kind)[row_grid(rows)](flat, result, rows, n, inner)


def argmax(x: Array, *, dim: int | None = None, keepdim: bool = False, out: Array) -> None:
    _place("argmax", x, dim, out, True)


def argmin(x: Array, *, dim: int | None = None, keepdim: bool = False, out: Array) -> None:
    _place("argmin", x, dim, out, False)


@functools.cache
def _spread(real: Any, root: bool) -> Kernel:
    """Squared deviations from the mean, summed over a number; the root of it for the standard deviation."""

    def spread(x: Array, out: Array, rows: int, n: int, inner: int, count: Any, divisor: Any) -> None:
        shared = cuda.shared.array(THREADS, real)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start = row_start(row, n, inner)
            total = real(0.0)
            for i in range(cuda.threadIdx.x, n, THREADS):
                total += real(x[start + i * inner])
            mean = block_sum(total, shared) / count
            squares = real(0.0)
            for i in range(cuda.threadIdx.x, n, THREADS):
                deviation = real(x[start + i * inner]) - mean
                squares += deviation * deviation
            squares = block_sum(squares, shared) / divisor
            if cuda.threadIdx.x == 0:
                out[row] = square_root(squares) if root else squares

    spread.__name__ = "std" if root else "var"
    return Kernel(spread)


def _spreads(name: str, x: Array, dim: Any, correction: float, out: Array, root: bool) -> None:
    if out.size == 0:
        return
    flat, rows, n, inner = planes(x, check.dims(name, dim, x.ndim))
    real = _real_of(x.dtype)
    attributes = (real(n), real(max(n - correction, 0.0)))
    with written(out) as result:
        _spread(real, root)[row_grid(rows)](flat, result, rows, n, inner, *attributes)


def var(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False, out: Array) -> None:
    _spreads("var", x, dim, correction, out, root=False)


def std(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False, out: Array) -> None:
    _spreads("std", x, dim, correction, out, root=True)
