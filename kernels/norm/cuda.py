"""Launches of ``csrc/kernels/norm.cu`` and ``moments.cu``."""

from __future__ import annotations

from typing import Any

from ..cuda_launch import contiguous, launch, size, written
from .channels import moments, parameter, places, sums, walk

Array = Any


def _sizes(x: Array) -> tuple[int, int, int]:
    return x.shape[0], x.shape[1], size(x.shape[2:])


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
    with written(out[0]) as y, written(out[1]) as mean, written(out[2]) as rstd:
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
    with written(out[0]) as dx, written(out[1]) as dweight, written(out[2]) as dbias:
        both = sums(grad, x, _sizes(x), places(), statistics, (dweight, dbias))
        launch(
            "norm", f"batch_norm_backward_{plan.kind}", dtype, plan.grid, plan.block, plan.channels, grad, x,
            *parameter(weight, dtype), *statistics, both, dx,
        )  # fmt: skip


def batch_norm_infer(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, *, eps: float, out: Array
) -> None:
    if out.size == 0:
        return
    with written(out) as y:
        _normalize(contiguous(x), weight, bias, mean, var, True, eps, y)
