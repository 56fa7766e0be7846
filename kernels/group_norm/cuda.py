"""Launches of ``csrc/kernels/group_norm.cu``, and of ``moments.cu`` and ``norm.cu`` for groups that no block holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cuda_launch import BLOCK, ENOUGH, WARP, contiguous, empty, held, launch, size, written
from ..dtypes import accumulator
from ..norm.channels import moments, parameter, places, record, walk

Array = Any
DType = np.dtype[Any]

_MOST_THREADS, _MOST_CHANNELS = 512, 1024  # kMostThreads and kMostChannels of group_norm.cu
_SIZES = np.dtype([("images", "i8"), ("groups", "i8"), ("channels", "i4"), ("span", "i4")])


def _sizes(x: Array, groups: int) -> tuple[Any, int, int]:
    """The ``Sizes`` of the kernels, and channels of a group and their span."""
    channels, span = x.shape[1] // groups, size(x.shape[2:])
    return np.array((x.shape[0], groups, channels, span), _SIZES)[()], channels, span


def _block(channels: int, span: int, dtype: DType) -> int | None:
    """Threads that hold a group, or None if it is too long."""
    threads = -(-channels * span // (held(dtype) * WARP)) * WARP
    return threads if threads <= _MOST_THREADS and channels <= _MOST_CHANNELS else None


def _grid(images: int, groups: int, threads: int) -> tuple[int, int]:
    """As many blocks as run at once, each for one group of several images."""
    return max(1, min(images, ENOUGH * BLOCK // threads // groups)), groups


def group_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    num_groups: int,
    eps: float = 1e-5,
    out: tuple[Array, ...],
) -> None:
    if out[0].size == 0:
        return
    dtype, x = x.dtype, contiguous(x)
    sizes, channels, span = _sizes(x, num_groups)
    w, b = parameter(weight, dtype), parameter(bias, dtype)
    threads = _block(channels, span, dtype)
    with written(out[0]) as y, written(out[1]) as mean, written(out[2]) as rstd:
        if threads is not None:
            grid = _grid(x.shape[0], num_groups, threads)
            launch("group_norm", "group_norm_held", dtype, grid, threads, sizes, x, *w, *b, y, mean, rstd, eps)
            return
        moments(x, 1, x.shape[0] * num_groups, channels * span, mean, rstd, eps)
        plan = walk(1, x.shape[0] * x.shape[1], span, dtype, sums=False)
        launch(
            "norm", "normalize_planes", dtype, plan.grid, plan.block, plan.channels, places(group=channels),
            x.shape[1], x, *w, *b, y, *parameter(mean, dtype), *parameter(rstd, dtype), False, 0.0,
        )  # fmt: skip


def group_norm_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array, *, out: tuple[Array, ...]
) -> None:
    dtype, images, groups = x.dtype, x.shape[0], mean.shape[1]
    if out[1].size == 0:
        return
    grad, x, statistics = contiguous(grad), contiguous(x), (*parameter(mean, dtype), *parameter(rstd, dtype))
    _, channels, span = _sizes(x, groups)
    threads = _block(channels, span, dtype)
    with written(out[0]) as dx, written(out[1]) as dweight, written(out[2]) as dbias:
        arrays = (grad, x, parameter(weight, dtype), statistics, dx, dweight, dbias)
        if threads is not None or images == 0:
            _backward_held(groups, threads or WARP, *arrays)
        else:
            _backward_long(groups, *arrays)


def _backward_held(
    groups: int, threads: int, grad: Array, x: Array, w: Any, statistics: Any, dx: Array, dweight: Array, dbias: Array
) -> None:
    dtype, images, total = x.dtype, x.shape[0], x.shape[1]
    sizes, _, _ = _sizes(x, groups)
    grid = _grid(images, groups, threads)
    parts = grid[0] if x.size else 0
    partial = empty((parts, 2, total), accumulator(dtype), like=x)
    if parts:
        arguments: tuple[Any, ...] = (sizes, grad, x, *w, *statistics, dx, partial)
        launch("group_norm", "group_norm_backward_held", dtype, grid, threads, *arguments)
    both = empty((total, 2), accumulator(dtype), like=x)
    at = record(1, total, 1, 1, 1)
    arguments = (at, partial, both, dweight, dbias, dweight.dtype != dtype, parts)
    launch("norm", "sums_final_columns", dtype, -(-total // WARP), (WARP, 8), *arguments)


def _backward_long(
    groups: int, grad: Array, x: Array, w: Any, statistics: Any, dx: Array, dweight: Array, dbias: Array
) -> None:
    dtype, planes, rows = x.dtype, x.shape[0] * x.shape[1], x.shape[0] * groups
    sizes, channels, span = _sizes(x, groups)
    plan = walk(1, planes, span, dtype, sums=True)
    sums, pieces = plan.partial(2, x), plan.grid[1]
    averages = empty((rows, 2), accumulator(dtype), like=x)
    arguments: tuple[Any, ...] = (plan.channels, places(group=channels), grad, x, *statistics, sums)
    launch("norm", "sums_planes", dtype, plan.grid, plan.block, *arguments)
    grid = -(-rows * WARP // BLOCK)
    launch("group_norm", "group_averages", dtype, grid, BLOCK, sizes, sums, *w, averages, pieces)
    grid, wide = -(-x.shape[1] * WARP // BLOCK), dweight.dtype != dtype
    launch("group_norm", "group_parameters", dtype, grid, BLOCK, sizes, sums, dweight, dbias, wide, pieces)
    plan = walk(1, planes, span, dtype, sums=False)
    arguments = (plan.channels, sizes, grad, x, *w, *statistics, averages, dx)
    launch("group_norm", "group_norm_backward_planes", dtype, plan.grid, plan.block, *arguments)
