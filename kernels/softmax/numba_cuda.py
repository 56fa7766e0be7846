"""Softmax, its logarithm, and the logarithm of a sum of exponentials with Numba's CUDA target: a block takes a row."""

from __future__ import annotations

import functools
import math
from typing import Any

from .. import check
from ..numba_launch import (
    THREADS,
    Kernel,
    broadcast_layout,
    cuda,
    exponential,
    flat,
    flat_grid,
    logarithm,
    offset,
    planes,
    row_grid,
    written,
)
from ..numba_launch import real_of as _real_of
from ..numba_rows import block_sum, row_exponentials, row_max, row_start

Array = Any


@functools.cache
def _forward(real: Any, logarithmic: bool) -> Kernel:
    largest, exponentials = row_max(real), row_exponentials(real)

    def softmax(x: Array, out: Array, rows: int, n: int, inner: int) -> None:
        shared = cuda.shared.array(THREADS, real)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start = row_start(row, n, inner)
            top = largest(x, start, n, inner, shared)
            total = exponentials(x, start, n, inner, top, shared)
            if logarithmic:
                total = logarithm(total)
            for i in range(cuda.threadIdx.x, n, THREADS):
                shifted = real(x[start + i * inner]) - top
                out[start + i * inner] = shifted - total if logarithmic else exponential(shifted) / total

    softmax.__name__ = "log_softmax" if logarithmic else "softmax"
    return Kernel(softmax)


@functools.cache
def _backward(real: Any, logarithmic: bool) -> Kernel:
    def softmax_backward(grad: Array, y: Array, out: Array, rows: int, n: int, inner: int) -> None:
        shared = cuda.shared.array(THREADS, real)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start = row_start(row, n, inner)
            total = real(0.0)
            for i in range(cuda.threadIdx.x, n, THREADS):
                g = real(grad[start + i * inner])
                total += g if logarithmic else g * real(y[start + i * inner])
            total = block_sum(total, shared)
            for i in range(cuda.threadIdx.x, n, THREADS):
                g, value = real(grad[start + i * inner]), real(y[start + i * inner])
                out[start + i * inner] = g - exponential(value) * total if logarithmic else value * (g - total)

    softmax_backward.__name__ = "log_softmax_backward" if logarithmic else "softmax_backward"
    return Kernel(softmax_backward)


def _run(kernel: Kernel, arrays: tuple[Array, ...], dim: int, out: Array) -> None:
    if out.size == 0:
        return
    n = out.shape[dim] if out.ndim else 1
    inner = math.prod(out.shape[dim % out.ndim + 1 :]) if out.ndim else 1
    rows = out.size // n
    with written(out) as result:
        kernel[row_grid(rows)](*(flat(each) for each in arrays), result, rows, n, inner)


def softmax(x: Array, *, dim: int, out: Array) -> None:
    _run(_forward(_real_of(x.dtype), False), (x,), dim, out)


def softmax_backward(grad: Array, y: Array, *, dim: int, out: Array) -> None:
    _run(_backward(_real_of(y.dtype), False), (grad, y), dim, out)


def log_softmax(x: Array, *, dim: int, out: Array) -> None:
    _run(_forward(_real_of(x.dtype), True), (x,), dim, out)


def log_softmax_backward(grad: Array, y: Array, *, dim: int, out: Array) -> None:
    _run(_backward(_real_of(y.dtype), True), (grad, y), dim, out)


@functools.cache
def _logsumexp(real: Any) -> Kernel:
    largest, exponentials, infinity = row_max(real), row_exponentials(real), real(math.inf)

    def logsumexp(x: Array, out: Array, rows: int, n: int, inner: int) -> None:
        shared = cuda.shared.array(THREADS, real)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start = row_start(row, n, inner)
            top = largest(x, start, n, inner, shared)
            if top == infinity or top == -infinity or top != top:  # nothing to subtract from infinities and NaN
                top = real(0.0)
            total = exponentials(x, start, n, inner, top, shared)
            if cuda.threadIdx.x == 0:
                out[row] = logarithm(total) + top

    return Kernel(logsumexp)


def logsumexp(x: Array, *, dim: Any, keepdim: bool = False, out: Array) -> None:
    if out.size == 0:
        return
    memory, rows, n, inner = planes(x, check.dims("logsumexp", dim, x.ndim))
    with written(out) as result:
        _logsumexp(_real_of(x.dtype))[row_grid(rows)](memory, result, rows, n, inner)


@functools.cache
def _logsumexp_backward(real: Any) -> Kernel:
    def logsumexp_backward(
        shape: Any, grad: Array, start_grad: int, by_grad: Any, x: Array, start_x: int, by_x: Any,
        y: Array, start_y: int, by_y: Any, out: Array, count: int,
    ) -> None:  # fmt: skip
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            value = real(x[start_x + offset(i, shape, by_x)]) - real(y[start_y + offset(i, shape, by_y)])
            out[i] = real(grad[start_grad + offset(i, shape, by_grad)]) * exponential(value)

    return Kernel(logsumexp_backward)


def logsumexp_backward(grad: Array, x: Array, y: Array, *, dim: Any, out: Array) -> None:
    if out.size == 0:
        return
    at = broadcast_layout("logsumexp_backward", out.shape, grad, x, y)
    with written(out) as result:
        _logsumexp_backward(_real_of(x.dtype))[flat_grid(out.size)](*at, result, out.size)
