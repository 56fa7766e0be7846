"""Cumulative sums with Numba's CUDA target: a thread takes a row."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import check
from ..cuda_launch import size as _size
from ..dtypes import is_floating
from ..numba_launch import Kernel, cuda, flat, flat_grid, written
from ..numba_launch import real_of as _real_of
from ..numba_rows import row_start

Array = Any


@functools.cache
def _scan(kind: Any, backward: bool) -> Kernel:
    def cumsum(x: Array, out: Array, rows: int, n: int, inner: int) -> None:
        for row in range(cuda.grid(1), rows, cuda.gridsize(1)):
            start, total = row_start(row, n, inner), kind(0)
            for i in range(n):
                at = start + (n - 1 - i if backward else i) * inner
                total = total + kind(x[at])
                out[at] = total

    cumsum.__name__ = "cumsum_backward" if backward else "cumsum"
    return Kernel(cumsum)


def _run(x: Array, axis: int, backward: bool, out: Array) -> None:
    if out.size == 0:
        return
    n, inner = x.shape[axis] if x.ndim else 1, _size(x.shape[axis + 1 :])
    kind = _real_of(x.dtype) if is_floating(x.dtype) else np.int64
    rows = x.size // n
    with written(out) as result:
        _scan(kind, backward)[flat_grid(rows)](flat(x), result, rows, n, inner)


def cumsum(x: Array, *, dim: int, out: Array) -> None:
    _run(x, check.dim("cumsum", dim, x.ndim), False, out)


def cumsum_backward(grad: Array, *, dim: int, out: Array) -> None:
    _run(grad, check.dim("cumsum_backward", dim, grad.ndim), True, out)
