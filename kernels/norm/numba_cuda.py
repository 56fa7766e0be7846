"""Batch normalisation with Numba's CUDA target: a block takes a channel."""

from __future__ import annotations

import functools
from typing import Any

from ..cuda_launch import size as _size
from ..numba_launch import THREADS, Kernel, cuda, device, flat, flat_grid, given, row_grid, square_root, written
from ..numba_launch import real_of as _real_of
from ..numba_rows import block_sum

Array = Any


def _place(i: int, channel: int, channels: int, inner: int) -> int:
    return ((i // inner) * channels + channel) * inner + i % inner


place = device(_place)
"""Where element ``i`` of a channel lies in (N, channels, inner)."""


@functools.cache
def _train(real: Any) -> Kernel:
    one, zero = real(1.0), real(0.0)

    def batch_norm_train(
        x: Array, weight: Array, bias: Array, y: Array, means: Array, rstds: Array, channels: int, n: int, inner: int,
        eps: Any, count: Any, weighted: bool, biased: bool,
    ) -> None:  # fmt: skip
        shared = cuda.shared.array(THREADS, real)
        for channel in range(cuda.blockIdx.x, channels, cuda.gridDim.x):
            mean = zero
            for i in range(cuda.threadIdx.x, n, THREADS):
                mean += real(x[place(i, channel, channels, inner)])
            mean = block_sum(mean, shared) / count
            squares = zero
            for i in range(cuda.threadIdx.x, n, THREADS):
                deviation = real(x[place(i, channel, channels, inner)]) - mean
                squares += deviation * deviation
            rstd = one / square_root(block_sum(squares, shared) / count + eps)
            factor = real(weight[channel]) if weighted else one
            shift = real(bias[channel]) if biased else zero
            for i in range(cuda.threadIdx.x, n, THREADS):
                at = place(i, channel, channels, inner)
                y[at] = (real(x[at]) - mean) * rstd * factor + shift
            if cuda.threadIdx.x == 0:
                means[channel], rstds[channel] = mean, rstd

    return Kernel(batch_norm_train)


@functools.cache
def _backward(real: Any) -> Kernel:
    zero = real(0.0)

    def batch_norm_train_backward(
        grad: Array, x: Array, weight: Array, means: Array, rstds: Array, dx: Array, dweight: Array, dbias: Array,
        channels: int, n: int, inner: int, count: Any, weighted: bool,
    ) -> None:  # fmt: skip
        shared = cuda.shared.array(THREADS, real)
        for channel in range(cuda.blockIdx.x, channels, cuda.gridDim.x):
            mean, rstd = real(means[channel]), real(rstds[channel])
            by_z, total = zero, zero
            for i in range(cuda.threadIdx.x, n, THREADS):
                at = place(i, channel, channels, inner)
                g = real(grad[at])
                by_z += g * ((real(x[at]) - mean) * rstd)
                total += g
            by_z = block_sum(by_z, shared)
            total = block_sum(total, shared)
            factor = rstd * real(weight[channel]) if weighted else rstd
            for i in range(cuda.threadIdx.x, n, THREADS):
                at = place(i, channel, channels, inner)
                z = (real(x[at]) - mean) * rstd
                dx[at] = factor * (real(grad[at]) - total / count - z * by_z / count)
            if cuda.threadIdx.x == 0:
                dweight[channel], dbias[channel] = by_z, total

    return Kernel(batch_norm_train_backward)


@functools.cache
def _infer(real: Any) -> Kernel:
    one, zero = real(1.0), real(0.0)

    def batch_norm_infer(
        x: Array, weight: Array, bias: Array, means: Array, variances: Array, y: Array, channels: int, inner: int,
        count: int, eps: Any, weighted: bool, biased: bool,
    ) -> None:  # fmt: skip
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            channel = i // inner % channels
            rstd = one / square_root(real(variances[channel]) + eps)
            factor = real(weight[channel]) if weighted else one
            shift = real(bias[channel]) if biased else zero
            y[i] = (real(x[i]) - real(means[channel])) * rstd * factor + shift

    return Kernel(batch_norm_infer)


def batch_norm_train(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5, out: Any
) -> None:
    channels, inner, real = x.shape[1], _size(x.shape[2:]), _real_of(x.dtype)
    if channels == 0:
        return
    memory, n = flat(x), x.shape[0] * inner
    (w, weighted), (b, biased) = given(weight, memory), given(bias, memory)
    with written(out[0]) as y, written(out[1]) as mean, written(out[2]) as rstd:
        attributes = (channels, n, inner, real(eps), real(n), weighted, biased)
        _train(real)[row_grid(channels)](memory, w, b, y, mean, rstd, *attributes)


def batch_norm_train_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array, *, out: Any
) -> None:
    channels, inner, real = x.shape[1], _size(x.shape[2:]), _real_of(x.dtype)
    if channels == 0:
        return
    memory, n = flat(x), x.shape[0] * inner
    w, weighted = given(weight, memory)
    with written(out[0]) as dx, written(out[1]) as dweight, written(out[2]) as dbias:
        arrays = (flat(grad), memory, w, flat(mean), flat(rstd), dx, dweight, dbias)
        _backward(real)[row_grid(channels)](*arrays, channels, n, inner, real(n), weighted)


def batch_norm_infer(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, *, eps: float, out: Array
) -> None:
    if x.size == 0:
        return
    channels, inner, real = x.shape[1], _size(x.shape[2:]), _real_of(x.dtype)
    memory = flat(x)
    (w, weighted), (b, biased) = given(weight, memory), given(bias, memory)
    with written(out) as y:
        attributes = (channels, inner, x.size, real(eps), weighted, biased)
        _infer(real)[flat_grid(x.size)](memory, w, b, flat(mean), flat(var), y, *attributes)
