"""Launches of ``csrc/kernels/norm.cu`` and ``moments.cu``, and of ``norm_held.cu`` for channels that a block holds."""

from __future__ import annotations

from typing import Any

from ..cuda_launch import WARP, contiguous, held, launch, size, written
from .channels import moments, parameter, places, record, sums, walk

Array = Any


def _sizes(x: Array) -> tuple[int, int, int]:
    return x.shape[0], x.shape[1], size(x.shape[2:])


_MOST_THREADS = 512  # kMostThreads of norm_held.cu
_LEAST_SPAN = 64  # bytes: what a warp reads of a shorter span is mostly other channels'


def _threads(x: Array) -> int | None:
    """Threads of a block that holds a channel, or None where none does."""
    planes, _, span = _sizes(x)
    threads = -(-planes * span // (WARP * held(x.dtype))) * WARP
    return threads if threads <= _MOST_THREADS and span * x.dtype.itemsize >= _LEAST_SPAN else None


def _normalize(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, spread: Array, variance: bool, eps: float, y: Array
) -> None:
    dtype = x.dtype
    plan = walk(*_sizes(x), dtype, sums=False)
    sizes = (plan.channels, places(), x.shape[1]) if plan.kind == "planes" else (plan.channels,)
    launch(
        "norm", f"normalize_{plan.kind}", dtype, plan.grid, plan.block, *sizes, x, *parameter(weight, dtype),
        *parameter(bias, dtype), y, *parameter(mean, dtype), *parameter(spread, dtype), variance, eps,
    )  # fmt: skip


def batch_norm_train(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5, out: tuple[Array, ...]
) -> None:
    if out[0].size == 0:
        return
    x = contiguous(x)
    threads = _threads(x)
    with written(out[0]) as y, written(out[1]) as mean, written(out[2]) as rstd:
        if threads is not None:
            at = record(*_sizes(x), x.shape[0], _sizes(x)[2])
            parameters = (*parameter(weight, x.dtype), *parameter(bias, x.dtype))
            arguments = (at, x, *parameters, y, mean, rstd, eps)
            launch("norm_held", "batch_norm_held", x.dtype, x.shape[1], threads, *arguments)
            return
        moments(x, *_sizes(x), mean, rstd, eps)
        _normalize(x, weight, bias, mean, rstd, False, 0.0, y)


def batch_norm_train_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array, *, out: tuple[Array, ...]
) -> None:
    if out[0].size == 0:
        return
    dtype = x.dtype
    grad, x = contiguous(grad), contiguous(x)
    plan = walk(*_sizes(x), dtype, sums=False)
    statistics = (*parameter(mean, dtype), *parameter(rstd, dtype))
    threads, w = _threads(x), parameter(weight, dtype)
    with written(out[0]) as dx, written(out[1]) as dweight, written(out[2]) as dbias:
        if threads is not None:
            at = record(*_sizes(x), x.shape[0], _sizes(x)[2])
            arguments = (at, grad, x, *w, *statistics, dx, dweight, dbias, dweight.dtype != dtype)
            launch("norm_held", "batch_norm_backward_held", dtype, x.shape[1], threads, *arguments)
            return
        both = sums(grad, x, _sizes(x), places(), statistics, (dweight, dbias))
        launch(
            "norm", f"batch_norm_backward_{plan.kind}", dtype, plan.grid, plan.block, plan.channels, grad, x,
            *w, *statistics, both, dx,
        )  # fmt: skip


def batch_norm_infer(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, *, eps: float, out: Array
) -> None:
    if out.size == 0:
        return
    with written(out) as y:
        _normalize(contiguous(x), weight, bias, mean, var, True, eps, y)
