"""What kernels of the backend ``numba_cuda`` share in which a block takes a row: sums and extrema in shared memory.

A row is what lies along one dimension of a contiguous (outer, n, inner): rows of it are ``inner`` elements wide apart.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .numba_launch import THREADS, cuda, device

__all__ = ["block_fold", "block_max", "block_sum", "row_start"]


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


def _sum(a: Any, b: Any) -> Any:
    return a + b


def _max(a: Any, b: Any) -> Any:
    return a if a > b or a != a else b


block_sum = block_fold(_sum)
block_max = block_fold(_max)
