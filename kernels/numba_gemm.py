"""The main loop of products in the backend ``numba_cuda``, and matrices of any strides in batches.

Matrix products and convolutions are one loop that reads its operands by two functions and stores by a third. A block
takes a square of the result: it brings strips of both operands into shared memory, where each element is read by a
whole row or column of threads, and each thread keeps a small square of sums in registers, so that one value from shared
memory serves several multiplications.

Source: Volkov and Demmel, "Benchmarking GPUs to tune dense linear algebra", 2008.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .cuda_memory import empty
from .numba_launch import (
    Dims,
    Kernel,
    cuda,
    flat_grid,
    kernel,
    nothing,
    padded_dims,
    real_of,
    simulated,
    strided_memory,
)

Array = Any

ACROSS = 4 if simulated() else 16
"""Threads of a block in each direction."""

EACH = 2 if simulated() else 4
"""Results of a thread in each direction."""

DEPTH = 4 if simulated() else 16
"""Inner places that are in shared memory at a time."""

SIDE = ACROSS * EACH
"""Results of a block in each direction."""

THREADS = ACROSS * ACROSS
LOADS = -(-SIDE * DEPTH // THREADS)
PADDED = SIDE + 1  # threads that store along the inner dimension meet different banks

_MOST_BATCHES = 65_535
_ENOUGH = 6 if simulated() else 264  # blocks that fill a GPU
_LEAST = 2 * DEPTH if simulated() else 16 * DEPTH  # inner places that are worth a block of their own


def product(real: Any, load_a: Any, load_b: Any, store: Any) -> Kernel:
    """The product's kernel, computed in ``real``, with three device functions.

    They are ``load_a(problem, a, batch, row, at)``, ``load_b(problem, b, batch, at, column)`` and
    ``store(problem, bias, out, batch, row, column, total)``. ``problem`` is theirs, as a tuple. ``a_inner`` and
    ``b_inner`` say whether elements along the inner dimension are neighbours in memory: so threads then read them.
    Where the inner dimension is split, each part of ``chunk`` places is stored as a batch of its own.
    """

    @kernel
    def register_tiles(
        problem: Any, batches: int, m: int, n: int, inner: int, chunk: int, a_inner: int, b_inner: int,
        a: Array, b: Array, bias: Array, out: Array,
    ) -> None:  # fmt: skip
        strip_a = cuda.shared.array((DEPTH, PADDED), real)
        strip_b = cuda.shared.array((DEPTH, PADDED), real)
        sums = cuda.local.array((EACH, EACH), real)
        left = cuda.local.array(EACH, real)
        x, y = cuda.threadIdx.x, cuda.threadIdx.y
        thread = y * ACROSS + x
        across = (n + SIDE - 1) // SIDE
        row = cuda.blockIdx.x // across * SIDE
        column = cuda.blockIdx.x % across * SIDE
        low = cuda.blockIdx.z * chunk
        high = low + chunk if low + chunk < inner else inner
        for batch in range(cuda.blockIdx.y, batches, cuda.gridDim.y):
            for i in range(EACH):
                for j in range(EACH):
                    sums[i, j] = real(0)
            for begin in range(low, high, DEPTH):
                for load in range(LOADS):
                    element = thread + load * THREADS
                    if element < SIDE * DEPTH:
                        if a_inner:
                            k, at = element % DEPTH, element // DEPTH
                        else:
                            k, at = element // SIDE, element % SIDE
                        value = real(0)
                        if row + at < m and begin + k < high:
                            value = load_a(problem, a, batch, row + at, begin + k)
                        strip_a[k, at] = value
                        if b_inner:
                            k, at = element % DEPTH, element // DEPTH
                        else:
                            k, at = element // SIDE, element % SIDE
                        value = real(0)
                        if column + at < n and begin + k < high:
                            value = load_b(problem, b, batch, begin + k, column + at)
                        strip_b[k, at] = value
                cuda.syncthreads()
                for k in range(DEPTH):
                    for i in range(EACH):
                        left[i] = strip_a[k, y + i * ACROSS]
                    for j in range(EACH):
                        right = strip_b[k, x + j * ACROSS]
                        for i in range(EACH):
                            sums[i, j] += left[i] * right
                cuda.syncthreads()
            for i in range(EACH):
                for j in range(EACH):
                    r, c = row + y + i * ACROSS, column + x + j * ACROSS
                    if r < m and c < n:
                        store(problem, bias, out, cuda.blockIdx.z * batches + batch, r, c, sums[i, j])

    return register_tiles


@functools.cache
def _sum_parts(real: Any) -> Kernel:
    @kernel
    def sum_parts(parts: Array, splits: int, out: Array, count: int) -> None:
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            total = real(0)
            for split in range(splits):
                total += parts[split * count + i]
            out[i] = total

    return sum_parts


def run_product(
    of: Callable[[Any], Kernel], problem: Any, batches: int, m: int, n: int, inner: int, a_inner: bool, b_inner: bool,
    a: Array, b: Array, bias: Array | None, out: Array, *, may_split: bool = False,
) -> None:  # fmt: skip
    """Launch the product ``of(real)`` on contiguous ``out`` of ``batches`` results of m by n.

    With ``may_split``, for functions that store nothing but the sum at its place in (batches, m, n), a product of few
    results and many inner places is split along these; the parts are added up in order.
    """
    real, tiles = real_of(out.dtype), -(-m // SIDE) * -(-n // SIDE)
    splits = max(1, min(_ENOUGH // (tiles * batches), inner // _LEAST)) if may_split else 1
    chunk = -(-inner // (splits * DEPTH)) * DEPTH
    target = out if splits == 1 else empty((splits * out.size,), np.dtype(real), like=out)
    of(real)[(tiles, min(batches, _MOST_BATCHES), splits), (ACROSS, ACROSS)](
        problem, batches, m, n, inner, chunk, int(a_inner), int(b_inner), a, b,
        nothing(out) if bias is None else bias, target,
    )  # fmt: skip
    if splits > 1:
        _sum_parts(real)[flat_grid(out.size)](target, splits, out, out.size)


def matrices(operation: str, batch: Sequence[int], *arrays: Array) -> tuple[Dims, list[tuple[Array, Dims, Dims]]]:
    """Where the matrices of arrays lie that are broadcast to the shape ``batch``.

    Returns:
        The batch's dimensions as `padded_dims`; and of each array its memory, the place of the first element with the
        steps of rows and columns, and the steps of the batch.

    Raises ValueError where strides need more dimensions.
    """
    found, batch_steps = [], []
    for each in arrays:
        memory_of, start, steps = strided_memory(each)
        steps = (*(0,) * (2 - each.ndim), *steps)  # a mask may have fewer than two dimensions
        found.append((memory_of, (start, *steps[-2:])))
        batch_steps.append(steps[:-2])
    dims, steps_of = padded_dims(operation, batch, *batch_steps)
    return dims, [(*where, steps) for where, steps in zip(found, steps_of, strict=True)]
