"""Launches of ``csrc/kernels/pointwise_loss.cu``."""

from __future__ import annotations

from typing import Any

from ..cuda_launch import BLOCK, contiguous, empty, flat_grid, launch, layout_of, written
from ..dtypes import accumulator

Array = Any

_SOURCE = "pointwise_loss"
_MOST_PARTS = 528  # blocks that sum: four on each multiprocessor of an H100
_EACH = 8  # accesses of 16 bytes a thread, before a sum is cut into more parts


def _grid(x: Array) -> int:
    """Blocks of a sum over ``x``."""
    return max(1, min(int(x.nbytes) // (BLOCK * 16 * _EACH), _MOST_PARTS))


def _total(name: str, arrays: tuple[Any, ...], x: Array, reduction: str, out: Array, *attributes: float) -> None:
    """A reduced loss: ``arrays`` are the kernel's arguments before its result."""
    divisor = x.size if reduction == "mean" else 1
    grid = _grid(x)
    partial = empty((grid,), accumulator(x.dtype), like=x) if grid > 1 else None
    launch(_SOURCE, f"{name}_total", x.dtype, grid, BLOCK, *arrays, out, x.size, divisor, partial, *attributes)
    if grid > 1:
        launch(_SOURCE, "total_final", x.dtype, 1, BLOCK, partial, grid, divisor, out)


def _loss(name: str, x: Array, target: Array, reduction: str, out: Array, *attributes: float) -> None:
    x, target = contiguous(x), contiguous(target)
    with written(out) as result:
        if reduction != "none":
            _total(name, (x, target), x, reduction, result, *attributes)
        elif x.size:
            launch(_SOURCE, name, x.dtype, flat_grid(x.size), BLOCK, x, target, result, x.size, *attributes)


def _scale(x: Array, reduction: str) -> float:
    return 1.0 / x.size if reduction == "mean" else 1.0


def _backward(name: str, grad: Array, x: Array, target: Array, reduction: str, out: Array, *attributes: float) -> None:
    if out.size == 0:
        return
    with written(out) as dx:
        arguments = (contiguous(grad), reduction != "none", contiguous(x), contiguous(target), dx, x.size)
        grid = flat_grid(x.size)
        launch(_SOURCE, name, x.dtype, grid, BLOCK, *arguments, _scale(x, reduction), *attributes)


def mse_loss(x: Array, target: Array, *, reduction: str = "mean", out: Array) -> None:
    _loss("mse_loss", x, target, reduction, out)


def mse_loss_backward(grad: Array, x: Array, target: Array, *, reduction: str = "mean", out: Array) -> None:
    _backward("mse_loss_backward", grad, x, target, reduction, out)


def l1_loss(x: Array, target: Array, *, reduction: str = "mean", out: Array) -> None:
    _loss("l1_loss", x, target, reduction, out)


def l1_loss_backward(grad: Array, x: Array, target: Array, *, reduction: str = "mean", out: Array) -> None:
    _backward("l1_loss_backward", grad, x, target, reduction, out)


def smooth_l1_loss(x: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0, out: Array) -> None:
    _loss("smooth_l1_loss", x, target, reduction, out, beta)


def smooth_l1_loss_backward(
    grad: Array, x: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0, out: Array
) -> None:
    _backward("smooth_l1_loss_backward", grad, x, target, reduction, out, beta)


def huber_loss(x: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0, out: Array) -> None:
    _loss("huber_loss", x, target, reduction, out, delta)


def huber_loss_backward(
    grad: Array, x: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0, out: Array
) -> None:
    _backward("huber_loss_backward", grad, x, target, reduction, out, delta)


def _weights(x: Array, weight: Array | None, pos_weight: Array | None) -> tuple[Any, Array | None, Array | None]:
    """Where the weights of each element lie, and the memory of those that are given."""
    given = [each for each in (weight, pos_weight) if each is not None]
    at, flat = layout_of(
        "binary_cross_entropy_with_logits", x.shape, *(given * 2 if len(given) == 1 else given or [x, x])
    )
    return at, None if weight is None else flat[0], None if pos_weight is None else flat[1]


def binary_cross_entropy_with_logits(
    x: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    *,
    reduction: str = "mean",
    out: Array,
) -> None:
    x, target = contiguous(x), contiguous(target)
    at, w, p = _weights(x, weight, pos_weight)
    arrays = (at, x, target, w, p)
    with written(out) as result:
        if reduction != "none":
            _total("binary_cross_entropy", arrays, x, reduction, result)
        elif x.size:
            launch(_SOURCE, "binary_cross_entropy", x.dtype, flat_grid(x.size), BLOCK, *arrays, result, x.size)


def binary_cross_entropy_with_logits_backward(
    grad: Array,
    x: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    *,
    reduction: str = "mean",
    out: Array,
) -> None:
    if out.size == 0:
        return
    x, target = contiguous(x), contiguous(target)
    at, w, p = _weights(x, weight, pos_weight)
    with written(out) as dx:
        arguments = (at, contiguous(grad), reduction != "none", x, target, w, p, dx, x.size, _scale(x, reduction))
        launch(_SOURCE, "binary_cross_entropy_backward", x.dtype, flat_grid(x.size), BLOCK, *arguments)
