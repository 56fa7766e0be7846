"""The convolution on a CPU, one idea a rung: from seven loops to the kernel that the package ships.

Each rung is a function ``rung(x, weight, out)`` of C-contiguous ``x`` (N, C, H, W), ``weight`` (K, C, R, S) and ``out``
(N, K, H - R + 1, W - S + 1), all float32 or all float64: stride 1, no border. `RUNGS` has them in order.

Sources: Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document Processing", 2006,
for the copied patches; Georganas et al., "Anatomy of High-Performance Deep Learning Convolutions on SIMD
Architectures", 2018, for the last rung.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import memory
from ..jit import jit
from ..matmul import ladder_cpu
from . import numba_cpu

Array = np.ndarray[Any, Any]


@jit
def naive(x: Array, weight: Array, out: Array) -> None:
    """A result at a time, as the definition has it.

    The inner loops are as short as the filter: what surrounds them costs more than they do, and no vector is filled.
    """
    for n in range(out.shape[0]):
        for k in range(out.shape[1]):
            for p in range(out.shape[2]):
                for q in range(out.shape[3]):
                    total = out.dtype.type(0)
                    for c in range(x.shape[1]):
                        for r in range(weight.shape[2]):
                            for s in range(weight.shape[3]):
                                total += x[n, c, p + r, q + s] * weight[k, c, r, s]
                    out[n, k, p, q] = total


@jit
def loop_order(x: Array, weight: Array, out: Array) -> None:
    """One tap at a time over a whole row of results.

    The inner loop is as long as the row and works in vectors. A row of results, which the first-level cache holds, is
    loaded and stored for each tap of each channel.
    """
    for n in range(out.shape[0]):
        for k in range(out.shape[1]):
            for p in range(out.shape[2]):
                row = out[n, k, p]
                row[:] = 0
                for c in range(x.shape[1]):
                    for r in range(weight.shape[2]):
                        line = x[n, c, p + r]
                        for s in range(weight.shape[3]):
                            tap, shifted = weight[k, c, r, s], line[s:]
                            for q in range(row.size):
                                row[q] += tap * shifted[q]


@jit
def _patches(image: Array, taps: tuple[int, int], columns: Array) -> None:
    height, width = columns.shape[1:]
    line = 0
    for c in range(image.shape[0]):
        for r in range(taps[0]):
            for s in range(taps[1]):
                for p in range(height):
                    columns[line, p] = image[c, p + r, s : s + width]
                line += 1


def im2col(x: Array, weight: Array, out: Array) -> None:
    """What lies under each tap is copied to a matrix, and the convolution is the product of two matrices.

    The product runs on the micro-kernel, on one thread (`ladder_cpu.register_tile`). The matrix is R S times as large
    as the image: where it leaves the caches, copying it costs more than the product.
    """
    channels, terms = weight.shape[0], weight[0].size if weight.size else 0
    columns = memory.scratch((terms, *out.shape[2:]), out.dtype)
    for image, result in zip(x, out, strict=True):
        _patches(image, weight.shape[2:], columns)
        places = result[0].size if channels else 0
        ladder_cpu.register_tile(
            weight.reshape(channels, terms), columns.reshape(terms, places), result.reshape(channels, places)
        )


def parallel(x: Array, weight: Array, out: Array) -> None:
    """The micro-kernel finds each tap's inputs in the image itself, on all threads: what the package ships."""
    numba_cpu.conv2d(x, weight, out=out)


Rung = Callable[[Array, Array, Array], None]
RUNGS: dict[str, Rung] = {
    "seven loops": naive,
    "loop order": loop_order,
    "im2col + product": im2col,
    "parallel, no copy": parallel,
}
