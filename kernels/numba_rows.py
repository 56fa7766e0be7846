"""What kernels of the backend ``numba_cuda`` share in which a block takes a row: sums and extrema in shared memory.

A row is what lies along one dimension of a contiguous (outer, n, inner): rows of it are ``inner`` elements wide apart.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from .numba_launch import THREADS, cuda, device, exponential

__all__ = ["block_fold", "block_max", "block_sum", "greatest", "plus", "row_exponentials", "row_max", "row_start"]


def _row_start(row: int, n: int, inner: int) -> int:
    return (row // inner) * n * inner + row % inner


row_start = device(_row_start)
"""Where the first element of a row lies; the next is ``inner`` elements on."""


@functools.cache
def block_fold(combine: Callable[[Any, Any], Any]) -> Any:
    """A function that combines a value of each thread of a block, through memory for one of each, for all of them."""
    both = device(combine)

    def fold(value: Any, shared: Any) -> Any:
        thread = cuda.threadIdx.x
        cuda.syncthreads()  # the last result has been read
        shared[thread] = value
        cuda.syncthreads()
        half = THREADS // 2
        while half > 0:
            if thread < half:
                shared[thread] = both(shared[thread], shared[thread + half])
            cuda.syncthreads()
            half //= 2
        return shared[0]

    return device(fold)


def plus(a: Any, b: Any) -> Any:
    return a + b


def greatest(a: Any, b: Any) -> Any:
    """The larger one, or a NaN."""
    return a if a > b or a != a else b


block_sum = block_fold(plus)
block_max = block_fold(greatest)


@functools.cache
def row_max(real: Any) -> Any:
    """The device function for the largest element of a row, a NaN where there is one, -inf of none."""
    never, both = real(-math.inf), device(greatest)

    def largest_of_row(x: Any, start: int, n: int, inner: int, shared: Any) -> Any:
        top = never
        for i in range(cuda.threadIdx.x, n, THREADS):
            top = both(top, real(x[start + i * inner]))
        return block_max(top, shared)

    return device(largest_of_row)


@functools.cache
def row_exponentials(real: Any) -> Any:
    """The device function for the sum of e^(x - top) over a row."""

    def exponentials_of_row(x: Any, start: int, n: int, inner: int, top: Any, shared: Any) -> Any:
        total = real(0.0)
        for i in range(cuda.threadIdx.x, n, THREADS):
            total += exponential(real(x[start + i * inner]) - top)
        return block_sum(total, shared)

    return device(exponentials_of_row)
