"""Launches of ``csrc/kernels/softmax.cu`` and ``logsumexp.cu``, on rows: a copy brings other dimensions to the end."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check
from ..cuda_launch import (
    BLOCK,
    WARP,
    blocks,
    contiguous,
    copy,
    empty,
    flat_grid,
    launch,
    layout_of,
    rows_of,
    threads_for,
    written,
)

Array = Any
DType = np.dtype[Any]

_MOST_THREADS = 1024


def _held(dtype: DType, arrays: int) -> int:
    """Elements of each row that a thread holds of ``arrays`` rows: kItems of softmax.cu, or half of them."""
    return (8 if dtype.itemsize == 8 else 16) // arrays


def _rows(name: str, arrays: tuple[Array, ...], dim: int, out: Array) -> None:
    if out.size == 0:
        return
    order = list(range(out.ndim))
    if order:
        order.append(order.pop(dim % out.ndim))
    inputs = [contiguous(x.transpose(*order)) for x in arrays]
    target = out.transpose(*order)
    result = target if target.flags.c_contiguous else empty(target.shape, target.dtype, like=target)
    n = target.shape[-1] if target.ndim else 1
    rows = target.size // n
    team = -(-n // (_held(out.dtype, len(inputs)) * WARP)) * WARP
    kind, grid, threads = "long", blocks(rows, 1), BLOCK
    if team == WARP:
        kind, grid = "warp", blocks(rows, BLOCK // WARP)
    elif team <= _MOST_THREADS:
        kind, threads = "block", team
    launch("softmax", f"{name}_{kind}", out.dtype, grid, threads, *inputs, result, rows, n)
    if result is not target:
        copy(result, target)


def softmax(x: Array, *, dim: int, out: Array) -> None:
    _rows("softmax", (x,), dim, out)


def softmax_backward(grad: Array, y: Array, *, dim: int, out: Array) -> None:
    _rows("softmax_backward", (grad, y), dim, out)


def log_softmax(x: Array, *, dim: int, out: Array) -> None:
    _rows("log_softmax", (x,), dim, out)


def log_softmax_backward(grad: Array, y: Array, *, dim: int, out: Array) -> None:
    _rows("log_softmax_backward", (grad, y), dim, out)


def logsumexp(x: Array, *, dim: Any, keepdim: bool = False, out: Array) -> None:
    if out.size == 0:
        return
    flat, _, n = rows_of(x, check.dims("logsumexp", dim, x.ndim))
    with written(out) as result:
        launch("logsumexp", "logsumexp", x.dtype, blocks(out.size, 1), threads_for(n), flat, result, out.size, n)


def logsumexp_backward(grad: Array, x: Array, y: Array, *, dim: Any, out: Array) -> None:
    if out.size == 0:
        return
    with written(out) as result:
        at, arrays = layout_of("logsumexp_backward", out.shape, grad, x, y)
        launch("logsumexp", "logsumexp_backward", x.dtype, flat_grid(out.size), BLOCK, at, *arrays, result, out.size)
