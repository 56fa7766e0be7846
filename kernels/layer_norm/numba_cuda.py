"""Layer and RMS normalisation with Numba's CUDA target: a block takes a row."""

from __future__ import annotations

import functools
from typing import Any

from ..cuda_launch import size as _size
from ..numba_launch import THREADS, Kernel, cuda, flat, flat_grid, given, row_grid, square_root, written
from ..numba_launch import real_of as _real_of
from ..numba_rows import block_sum

Array = Any


@functools.cache
def _forward(real: Any, centered: bool) -> Kernel:
    one, zero = real(1.0), real(0.0)

    def layer_norm(
        x: Array, weight: Array, bias: Array, y: Array, means: Array, rstds: Array, rows: int, n: int, eps: Any,
        count: Any, weighted: bool, biased: bool,
    ) -> None:  # fmt: skip
        shared = cuda.shared.array(THREADS, real)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start, mean = row * n, zero
            if centered:
                for i in range(cuda.threadIdx.x, n, THREADS):
                    mean += real(x[start + i])
                mean = block_sum(mean, shared) / count
            squares = zero
            for i in range(cuda.threadIdx.x, n, THREADS):
                deviation = real(x[start + i]) - mean
                squares += deviation * deviation
            rstd = one / square_root(block_sum(squares, shared) / count + eps)
            for i in range(cuda.threadIdx.x, n, THREADS):
                z = (real(x[start + i]) - mean) * rstd
                scaled = z * real(weight[i]) if weighted else z
                y[start + i] = scaled + real(bias[i]) if biased else scaled
            if cuda.threadIdx.x == 0:
                if centered:
                    means[row] = mean
                rstds[row] = rstd

    layer_norm.__name__ = "layer_norm" if centered else "rms_norm"
    return Kernel(layer_norm)


@functools.cache
def _backward(real: Any, centered: bool) -> Kernel:
    zero = real(0.0)

    def layer_norm_backward(
        grad: Array, x: Array, weight: Array, means: Array, rstds: Array, dx: Array, rows: int, n: int, count: Any,
        weighted: bool,
    ) -> None:  # fmt: skip
        shared = cuda.shared.array(THREADS, real)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start, rstd = row * n, real(rstds[row])
            mean = real(means[row]) if centered else zero
            total, product = zero, zero
            for i in range(cuda.threadIdx.x, n, THREADS):
                z = (real(x[start + i]) - mean) * rstd
                g = real(grad[start + i]) * real(weight[i]) if weighted else real(grad[start + i])
                total += g
                product += g * z
            product = block_sum(product, shared) / count
            total = block_sum(total, shared) / count if centered else zero
            for i in range(cuda.threadIdx.x, n, THREADS):
                z = (real(x[start + i]) - mean) * rstd
                g = real(grad[start + i]) * real(weight[i]) if weighted else real(grad[start + i])
                dx[start + i] = rstd * (g - total - z * product)

    layer_norm_backward.__name__ = "layer_norm_backward" if centered else "rms_norm_backward"
    return Kernel(layer_norm_backward)


@functools.cache
def _parameters(real: Any, centered: bool) -> Kernel:
    zero = real(0.0)

    def layer_norm_parameters(
        grad: Array, x: Array, means: Array, rstds: Array, dweight: Array, dbias: Array, rows: int, n: int
    ) -> None:
        for i in range(cuda.grid(1), n, cuda.gridsize(1)):
            by_z, total = zero, zero
            for row in range(rows):
                g = real(grad[row * n + i])
                mean = real(means[row]) if centered else zero
                by_z += g * ((real(x[row * n + i]) - mean) * real(rstds[row]))
                total += g
            dweight[i] = by_z
            if centered:
                dbias[i] = total

    layer_norm_parameters.__name__ = "layer_norm_parameters" if centered else "rms_norm_parameters"
    return Kernel(layer_norm_parameters)


def layer_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    normalized_shape: Any,
    eps: float = 1e-5,
    out: Any,
) -> None:
    real, rows = _real_of(x.dtype), out[2].size
    if rows == 0:
        return
    memory, n = flat(x), _size(x.shape[out[2].ndim :])
    (w, weighted), (b, biased) = given(weight, memory), given(bias, memory)
    with written(out[0]) as y, written(out[1]) as mean, written(out[2]) as rstd:
        attributes = (rows, n, real(eps), real(n), weighted, biased)
        _forward(real, True)[row_grid(rows)](memory, w, b, y, mean, rstd, *attributes)


def rms_norm(x: Array, weight: Array | None = None, *, normalized_shape: Any, eps: float, out: Any) -> None:
    real, rows = _real_of(x.dtype), out[1].size
    if rows == 0:
        return
    memory, n = flat(x), _size(x.shape[out[1].ndim :])
    w, weighted = given(weight, memory)
    with written(out[0]) as y, written(out[1]) as rstd:
        attributes = (rows, n, real(eps), real(n), weighted, False)
        _forward(real, False)[row_grid(rows)](memory, w, memory, y, rstd, rstd, *attributes)


def layer_norm_backward(grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array, *, out: Any) -> None:
    g, memory = flat(grad), flat(x)
    statistics = flat(mean), flat(rstd)
    with written(out[0]) as dx, written(out[1]) as dweight, written(out[2]) as dbias:
        _gradients(g, memory, weight, statistics, x.shape[rstd.ndim :], dx, dweight, dbias, True)


def rms_norm_backward(grad: Array, x: Array, weight: Array | None, rstd: Array, *, out: Any) -> None:
    g, memory, statistic = flat(grad), flat(x), flat(rstd)
    with written(out[0]) as dx, written(out[1]) as dweight:
        _gradients(g, memory, weight, (statistic, statistic), x.shape[rstd.ndim :], dx, dweight, dweight, False)


def _gradients(
    grad: Array, x: Array, weight: Array | None, statistics: tuple[Array, Array], shape: tuple[int, ...],
    dx: Array, dweight: Array, dbias: Array, centered: bool,
) -> None:  # fmt: skip
    real, n, rows = _real_of(x.dtype), _size(shape), statistics[1].size
    w, weighted = given(weight, x)
    if rows and n:
        _backward(real, centered)[row_grid(rows)](grad, x, w, *statistics, dx, rows, n, real(n), weighted)
    if n:
        _parameters(real, centered)[flat_grid(n)](grad, x, *statistics, dweight, dbias, rows, n)
