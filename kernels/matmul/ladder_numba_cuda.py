"""The matrix product on a GPU in Python, an idea a rung: from a thread an element to the kernel that `matmul` launches.

Each rung is a function ``rung(a, b, out)`` of C-contiguous ``a`` (M, K), ``b`` (K, N) and ``out`` (M, N), all of one
floating dtype but bfloat16, of any size. `RUNGS` has them in order.

Sources: NVIDIA, CUDA C++ programming guide, "Shared memory"; Volkov and Demmel, "Benchmarking GPUs to tune dense linear
algebra", 2008.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..numba_launch import Kernel, cuda, kernel, real_of, simulated
from . import numba_cuda

Array = Any

SIDE = 4 if simulated() else 16
"""Threads of a block in each direction, and the side of the tiles that it holds in shared memory."""


def _geometry(out: Array) -> tuple[tuple[int, int], tuple[int, int]]:
    """Blocks for all elements of ``out``, columns first, for neighbouring threads to have neighbouring columns."""
    rows, columns = out.shape
    return (-(-columns // SIDE), -(-rows // SIDE)), (SIDE, SIDE)


@functools.cache
def _thread_an_element(real: Any) -> Kernel:
    @kernel
    def thread_an_element(a: Array, b: Array, out: Array) -> None:
        column, row = cuda.grid(2)
        if row < out.shape[0] and column < out.shape[1]:
            total = real(0)
            for k in range(a.shape[1]):
                total += real(a[row, k]) * real(b[k, column])
            out[row, column] = total

    return thread_an_element


def naive(a: Array, b: Array, out: Array) -> None:
    """A thread an element, as the definition has it.

    Threads beside each other read elements of ``b`` beside each other, in one access. But each multiplication waits for
    two loads from memory, and a row of ``a`` is loaded as many times as ``b`` has columns.
    """
    if out.size:
        _thread_an_element(real_of(out.dtype))[_geometry(out)](a, b, out)


@functools.cache
def _shared_tiles(real: Any) -> Kernel:
    @kernel
    def shared_tiles(a: Array, b: Array, out: Array) -> None:
        of_a = cuda.shared.array((SIDE, SIDE), real)
        of_b = cuda.shared.array((SIDE, SIDE), real)
        x, y = cuda.threadIdx.x, cuda.threadIdx.y
        column, row = cuda.grid(2)
        total = real(0)
        for begin in range(0, a.shape[1], SIDE):
            inside = row < a.shape[0] and begin + x < a.shape[1]
            of_a[y, x] = real(a[row, begin + x]) if inside else real(0)
            inside = begin + y < b.shape[0] and column < b.shape[1]
            of_b[y, x] = real(b[begin + y, column]) if inside else real(0)
            cuda.syncthreads()  # the tiles are whole
            for k in range(SIDE):
                total += of_a[y, k] * of_b[k, x]
            cuda.syncthreads()  # nobody reads them any more
        if row < out.shape[0] and column < out.shape[1]:
            out[row, column] = total

    return shared_tiles


def shared_tiled(a: Array, b: Array, out: Array) -> None:
    """Tiles of ``a`` and ``b`` go through shared memory, each element loaded once a block and read by `SIDE` threads.

    Memory is read a sixteenth as often. Each multiplication still waits for two loads from shared memory, which has not
    the throughput that the arithmetic has.
    """
    if out.size:
        _shared_tiles(real_of(out.dtype))[_geometry(out)](a, b, out)


def register_tiled(a: Array, b: Array, out: Array) -> None:
    """A thread has a square of 4 x 4 results in registers: 8 loads from shared memory serve 16 multiplications.

    Blocks take 64 x 64 results, so memory is read a quarter as often again. This is what `matmul` launches: the kernel
    of `kernels.numba_gemm`, which reads operands of any strides.
    """
    numba_cuda.matmul(a, b, out=out)


Rung = Callable[[Array, Array, Array], None]
RUNGS: dict[str, Rung] = {
    "a thread an element": naive,
    "shared tiles": shared_tiled,
    "register tiles": register_tiled,
}
