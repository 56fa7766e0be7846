"""Kernels of Numba's for tests of their translation, and what Numba's own simulator makes of them.

`NUMBA_ENABLE_CUDASIM=1 python numba_subjects.py FILE SEED` runs all of them there, and writes their arrays to FILE.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pyneural.kernels.numba_launch import Kernel, cuda, device, kernel

SIDE = 4
PADDED = 5
THREADS = 8


class Subject(NamedTuple):
    kernel: Kernel
    grid: Any
    block: Any
    arguments: Callable[[np.random.Generator], tuple[Any, ...]]


SUBJECTS: list[Subject] = []


def subject(grid: Any, block: Any, arguments: Callable[[np.random.Generator], tuple[Any, ...]]) -> Any:
    def add(function: Any) -> Kernel:
        made = kernel(function)
        SUBJECTS.append(Subject(made, grid, block, arguments))
        return made

    return add


def _floats(rng: np.random.Generator, *shape: int) -> Any:
    return rng.standard_normal(shape).astype(np.float32)


def _ints(rng: np.random.Generator, *shape: int) -> Any:
    return rng.integers(-50, 50, shape, dtype=np.int64)


@device
def _clipped(value: Any, low: Any, high: Any) -> Any:
    if value < low:
        return low
    return high if value > high else value


@device
def _both(array: Any, i: int) -> Any:
    return array[i], array[i] * 2


@device
def _fill(tile: Any, value: Any) -> None:
    for i in range(tile.shape[0]):
        tile[i] = value + i


@subject(3, 8, lambda rng: (1.5, _floats(rng, 21), np.zeros(21, np.float32), 21))
def guarded(a: Any, x: Any, y: Any, n: Any) -> None:
    i = cuda.grid(1)
    if i >= n:
        return
    y[i] = a * x[i] + math.sqrt(abs(x[i]))


@subject(2, 4, lambda rng: (_ints(rng, 40), np.zeros(40, np.int64)))
def grid_stride(x: Any, y: Any) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        y[i] = x[i] // 3 + x[i] % 7 - _clipped(x[i], -10, 10)


@subject((2, 2), (SIDE, SIDE), lambda rng: (_floats(rng, 8, 7), np.zeros((7, 8), np.float32)))
def transposed(x: Any, y: Any) -> None:
    tile = cuda.shared.array((SIDE, PADDED), np.float32)
    column, row = cuda.grid(2)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    if row < x.shape[0] and column < x.shape[1]:
        tile[ty, tx] = x[row, column]
    cuda.syncthreads()
    row, column = cuda.blockIdx.x * SIDE + ty, cuda.blockIdx.y * SIDE + tx
    if row < y.shape[0] and column < y.shape[1]:
        y[row, column] = tile[tx, ty]


@subject(3, THREADS, lambda rng: (_ints(rng, 22), np.zeros(3, np.int64)))
def block_sums(x: Any, sums: Any) -> None:
    part = cuda.shared.array(THREADS, np.int64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    part[t] = x[i] if i < x.shape[0] else 0
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]


@subject(2, 8, lambda rng: (rng.integers(0, 5, 16), np.zeros(5, np.int32), np.zeros((2, 2), np.int64)))
def counted(x: Any, bins: Any, extremes: Any) -> None:
    i = cuda.grid(1)
    cuda.atomic.add(bins, x[i], 1)
    cuda.atomic.max(extremes, (0, 0), x[i] * i)
    cuda.atomic.min(extremes, (1, 1), -x[i] - i)


@subject(1, 6, lambda rng: (_ints(rng, 6, 9), np.zeros(6, np.int64)))
def jumps(x: Any, y: Any) -> None:
    i = cuda.threadIdx.x
    total = 0
    for j in range(x.shape[1] - 1, -1, -1):
        if x[i, j] == 0:
            continue
        if x[i, j] > 40:
            break
        k = 0
        while True:
            k += 1
            if k * k > abs(x[i, j]) or not k < 5:
                break
        total += k if x[i, j] > 0 or j == 2 else -k
    else:
        total += 1000
    y[i] = total


@subject(1, 5, lambda rng: ((3, 4, 5), ((1.5, 2), 7), _floats(rng, 5), np.zeros((5, 3), np.float32)))
def tuples(sizes: Any, mixed: Any, x: Any, y: Any) -> None:
    i = cuda.threadIdx.x
    (scale, shift), last = mixed
    for axis in range(3):
        y[i, axis] = x[i] * sizes[axis] * scale + shift
    first, second = _both(x, i)
    first, second = second, first
    y[i, -1] += first + second + last + mixed[0][1]


@subject(1, 4, lambda rng: (_ints(rng, 4), np.zeros(4, np.int64)))
def own_memory(x: Any, y: Any) -> None:
    own = cuda.local.array(5, np.int64)
    square = cuda.local.array((2, 3), np.int64)
    i = cuda.threadIdx.x
    _fill(own, x[i])
    for row in range(2):
        for column in range(3):
            square[row, column] = own[row + column] * (row - column)
    total = 0
    for row in range(2):
        for column in range(3):
            total += square[row, column] - (column if row else 2 * column)
    y[i] = total + own[-1]


@subject(2, 3, lambda rng: (_floats(rng, 6), np.zeros((4, 6), np.float64)))
def functions(x: Any, y: Any) -> None:
    i = cuda.grid(1)
    v = float(x[i])
    y[0, i] = math.exp(v) + math.sin(v) * math.tanh(v) - math.erf(v)
    y[1, i] = math.floor(v) + math.ceil(v) + int(v * 10)
    y[2, i] = math.pow(abs(v), 1.5) + abs(v) ** 2 + math.atan2(v, 2.0)
    y[3, i] = 1.0 if math.isnan(v) or 0 < v < 1 else -1.0 + (v == v) * math.pi


@subject(1, 4, lambda rng: (_ints(rng, 2, 3, 4), np.zeros(4, np.int64)))
def three_dimensions(x: Any, y: Any) -> None:
    k = cuda.threadIdx.x
    total = 0
    for i in range(len(x)):
        for j in range(x.shape[1]):
            total += (i + 1) * x[i, j, k] ^ j | i
    y[k] = (total << 2) + (total >> 1) + (~total & 0xFF) + x.ndim


def main(file: str, seed: str) -> None:
    found: dict[str, Any] = {}
    for one in SUBJECTS:
        arguments = one.arguments(np.random.default_rng(int(seed)))
        one.kernel[one.grid, one.block](*arguments)
        found |= {f"{one.kernel.name}.{k}": each for k, each in enumerate(arguments) if isinstance(each, np.ndarray)}
    np.savez(file, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
